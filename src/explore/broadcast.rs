//! What browsers share: their places, the updates of the loop, what they have asked for that only the
//! composition root can do, and the clients that they drive. It sees no socket.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;

use rustix::rand::{GetRandomFlags, getrandom};

use super::demo::Demos;
use super::http::Reply;
use super::page;
use super::snapshot::Tick;
use crate::protocol::{Context, PeerId};

/// Event streams at the same time; a further one gets 503.
const STREAMS_MAX: usize = 64;
/// How many updates are kept for streams that are a little behind.
const UPDATES_MAX: usize = 16;

/// What a browser asks for that a session cannot answer by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// All figures of the reactor, by the name of OpenMetrics for those who know it.
    Metrics { is_open: bool },
    /// A connection of a new demo client to this address.
    Connect(SocketAddr),
}

/// One server-sent event, without its end.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) data: Data,
}

/// One JSON object.
#[derive(Debug)]
pub(crate) enum Data {
    /// The same for every browser.
    Written(Vec<u8>),
    /// Each browser also gets the number of events that it missed.
    Tick(Tick),
}

/// A connection to the page.
struct Place {
    peer: PeerId,
    stage: Stage,
}

/// The stage of a connection to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has not sent a whole request yet.
    Asking,
    /// Its answer is not complete: figures are being fetched, or it is an event stream.
    Served,
    /// It has its answer, at least in its outbox.
    Answered,
}

pub(crate) struct Broadcast {
    pub(crate) address: SocketAddr,
    /// What must be sent along to press a button; `None` where there are none.
    pub(crate) token: Option<String>,
    pub(crate) services: Vec<(String, SocketAddr)>,
    pub(crate) page: page::Template,
    pub(crate) demos: Demos,
    /// Connections to the page, the oldest first.
    places: Vec<Place>,
    sessions_max: usize,
    streams: Vec<PeerId>,
    updates: VecDeque<Update>,
    next_number: u64,
    questions: Vec<(PeerId, Question)>,
    replies: BTreeMap<PeerId, Reply>,
    /// Events that browsers were too slow to take.
    pub(crate) missed: u64,
}

impl Broadcast {
    /// Nobody looks yet.
    ///
    /// # Errors
    /// Those of getrandom(2).
    pub(crate) fn new(
        address: SocketAddr,
        services: Vec<(String, SocketAddr)>,
        sessions_max: usize,
    ) -> io::Result<Broadcast> {
        let is_private = address.ip().is_loopback();
        let token = is_private.then(random_word).transpose()?;
        Ok(Broadcast {
            address,
            page: page::Template::new(token.as_deref().unwrap_or("")),
            token,
            services,
            demos: Demos::default(),
            places: Vec::new(),
            sessions_max,
            streams: Vec::new(),
            updates: VecDeque::new(),
            next_number: 0,
            questions: Vec::new(),
            replies: BTreeMap::new(),
            missed: 0,
        })
    }

    /// Gives a new connection a place; false if there is none. Where all are taken, the oldest
    /// connection that has not asked yet makes room, then the oldest that has been answered: what
    /// costs its owner nothing must not keep others out.
    pub(crate) fn admit(&mut self, cx: &mut Context<'_>) -> bool {
        if self.places.len() >= self.sessions_max {
            let oldest = |stage| self.places.iter().position(|place| place.stage == stage);
            let Some(index) = oldest(Stage::Asking).or_else(|| oldest(Stage::Answered)) else {
                return false;
            };
            // It closes itself when it is notified and finds that it has no place.
            cx.notify(self.places.remove(index).peer);
        }
        let (peer, stage) = (cx.me(), Stage::Asking);
        self.places.push(Place { peer, stage });
        true
    }

    /// How many there are.
    pub(crate) fn sessions(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn has_place(&self, peer: PeerId) -> bool {
        self.places.iter().any(|place| place.peer == peer)
    }

    /// A browser's connection has reached this stage.
    pub(crate) fn reached(&mut self, peer: PeerId, stage: Stage) {
        if let Some(place) = self.places.iter_mut().find(|place| place.peer == peer) {
            place.stage = stage;
        }
    }

    /// A browser opens a stream of updates. Returns the number of the first update for
    /// it; `None` if there are too many.
    pub(crate) fn subscribe(&mut self, peer: PeerId) -> Option<u64> {
        // Half of the connections are for questions that end.
        if self.streams.len() >= STREAMS_MAX.min(self.sessions_max / 2) {
            return None;
        }
        self.streams.push(peer);
        Some(self.next_number)
    }

    /// A browser is gone.
    pub(crate) fn left(&mut self, peer: PeerId) {
        self.places.retain(|place| place.peer != peer);
        self.streams.retain(|&stream| stream != peer);
        self.questions.retain(|&(asker, _)| asker != peer);
        self.replies.remove(&peer);
    }

    /// The browsers with a stream.
    pub(crate) fn streams(&self) -> &[PeerId] {
        &self.streams
    }

    pub(crate) fn publish(&mut self, name: &'static str, data: Data) {
        if self.updates.len() >= UPDATES_MAX {
            self.updates.pop_front();
        }
        let number = self.next_number;
        self.next_number += 1;
        self.updates.push_back(Update { number, name, data });
    }

    /// The number of the oldest update that is kept.
    pub(crate) fn oldest_update(&self) -> u64 {
        let oldest = self.updates.front();
        oldest.map_or(self.next_number, |updates| updates.number)
    }

    /// What is known from this number on.
    pub(crate) fn updates_since(&self, number: u64) -> impl Iterator<Item = &Update> {
        self.updates
            .iter()
            .filter(move |updates| updates.number >= number)
    }

    /// What a stream begins with.
    pub(crate) fn meta(&self) -> String {
        let services: Vec<_> = self
            .services
            .iter()
            .map(
                |(name, address)| serde_json::json!({"name": name, "address": address.to_string()}),
            )
            .collect();
        let name_of = |to| self.services.iter().find(|(_, address)| *address == to);
        let demos: Vec<_> = self
            .demos
            .present()
            .filter_map(|(client, own, to)| {
                let (service, _) = name_of(to)?;
                let address = own.to_string();
                Some(serde_json::json!({"client": client, "service": service, "address": address}))
            })
            .collect();
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "services": services,
            "try": self.token.is_some(),
            "demos": demos,
        })
        .to_string()
    }

    pub(crate) fn ask(&mut self, peer: PeerId, question: Question) {
        self.questions.push((peer, question));
    }

    pub(crate) fn take_questions(&mut self) -> Vec<(PeerId, Question)> {
        std::mem::take(&mut self.questions)
    }

    pub(crate) fn reply(&mut self, peer: PeerId, reply: Reply) {
        self.replies.insert(peer, reply);
    }

    pub(crate) fn take_reply(&mut self, peer: PeerId) -> Option<Reply> {
        self.replies.remove(&peer)
    }
}

/// Not the token: it may end up in a log.
impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("address", &self.address)
            .field("places", &self.places.len())
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// 128 bits that nobody can guess, in hexadecimal.
pub(crate) fn random_word() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    // Once the kernel's pool is ready, and it is long before, so few bytes come at once.
    let count = getrandom(&mut bytes, GetRandomFlags::empty())?;
    if count < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
