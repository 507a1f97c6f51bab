//! Some of the turns, written down for browsers: at most so many a tick, spread over it, and those that
//! a demo client had a part in. Nothing is counted here.

use std::mem;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{DEMO, PAGE, PAGE_LISTENER};
use crate::protocol::{Event, PeerId, Time};
use crate::trace::json;
use crate::trace::{Directory, Subject, TraceEvent};

/// Turns written down in one tick, at most.
const TURNS_MAX: usize = 20;
/// How many of them may follow each other; the rest is spread over the tick.
const TURNS_IN_A_ROW: usize = 12;
const SPREAD: Duration = Duration::from_millis(20);
/// Turns written down besides after a demo client did something: what comes of it is in one of them.
const TURNS_AFTER_DEMO: usize = 6;
/// Turns of which all is about the page's own connections, and hidden until asked for.
const TURNS_OF_OWN_MAX: usize = 4;
/// Events of one turn, at most, and as many of those that talk with a demo client.
const ENTRIES_MAX: usize = 60;
/// What all turns of one tick may take, so that a browser can have them in one go.
const BYTES_MAX: usize = 40 * 1024;

/// The turns of this tick that are written down.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    payload: usize,
    /// Demo clients, and the peers of services that they talk to.
    followed: Vec<PeerId>,
    /// Whole turns, and how many bytes their events take.
    turns: Vec<Turn>,
    bytes: usize,
    skipped: u64,
    in_a_row: usize,
    /// How many are still to come because of a demo client, and how many were the page's own.
    wanted_for_demo: usize,
    kept_of_own: usize,
    latest: Option<Time>,
    /// The turn at hand, if it is written down.
    at_hand: Option<AtHand>,
}

/// A turn that is being written down.
#[derive(Debug, Default)]
struct AtHand {
    /// Whether some of it is about others than the page.
    is_of_others: bool,
    entries: Vec<Box<RawValue>>,
    bytes: usize,
    kept: usize,
    kept_of_followed: usize,
    cut: u64,
    ready: usize,
}

/// What a browser gets at one tick.
#[derive(Serialize)]
struct Turns {
    skipped: u64,
    turns: Vec<Turn>,
}

/// A turn that is written down.
#[derive(Debug, Serialize)]
struct Turn {
    n: u64,
    t: u64,
    waited: u64,
    timeout: Option<u64>,
    ready: usize,
    busy: u64,
    cut: u64,
    entries: Vec<Box<RawValue>>,
}

impl Sample {
    /// Nothing is written down yet. Of what a peer says, so many bytes are shown.
    pub(crate) fn new(payload: usize) -> Sample {
        Sample {
            payload,
            ..Sample::default()
        }
    }

    /// Forgets the turns, and not whom it follows.
    pub(crate) fn forget(&mut self) {
        *self = Sample {
            followed: mem::take(&mut self.followed),
            ..Sample::new(self.payload)
        };
    }

    /// The turns since it was called last, as one JSON object; `None` if there were none.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        let (skipped, turns) = (mem::take(&mut self.skipped), mem::take(&mut self.turns));
        (self.bytes, self.in_a_row, self.kept_of_own) = (0, 0, 0);
        let has_any = skipped > 0 || !turns.is_empty();
        let taken = Turns { skipped, turns };
        has_any.then(|| serde_json::to_vec(&taken).expect("numbers and what is JSON already"))
    }

    /// To be called for every event of a connection, whether somebody looks or not: who talks with a demo
    /// client?
    pub(crate) fn follow(&mut self, directory: &Directory, event: &TraceEvent<'_>) {
        if let TraceEvent::Opened { peer, state, .. } = *event {
            let mut followed = self.followed.iter();
            let is_of_demo = state.protocol == DEMO
                || followed.any(|&demo| address(directory, demo) == address(directory, peer));
            if is_of_demo {
                self.followed.push(peer);
            }
        } else if let TraceEvent::Closed { peer, .. } = *event {
            self.followed.retain(|&other| other != peer);
        }
    }

    fn is_followed(&self, event: &TraceEvent<'_>) -> bool {
        match event.subject() {
            Subject::Peer(peer) => self.followed.contains(&peer),
            Subject::Loop | Subject::Waker | Subject::Listener(_) => false,
        }
    }

    /// Records the event if its turn is being recorded.
    pub(crate) fn write_down(
        &mut self,
        at: Time,
        directory: &Directory,
        timeout: Option<Duration>,
        event: &TraceEvent<'_>,
    ) {
        if is_of_demo(event) {
            self.wanted_for_demo = TURNS_AFTER_DEMO;
        }
        if let TraceEvent::Awake { events } = event {
            self.begin(at, *events.as_ref().unwrap_or(&0));
        } else if let TraceEvent::Ended = event {
            self.end(at, directory, timeout);
        } else if !matches!(event, TraceEvent::Waiting { .. }) {
            self.add(at, directory, event);
        }
    }

    /// A turn begins: is it one of those that are written down?
    fn begin(&mut self, at: Time, ready: usize) {
        let is_apart = self.latest.is_none_or(|latest| at.since(latest) >= SPREAD);
        let is_wanted = self.turns.len() < TURNS_MAX
            && self.bytes < BYTES_MAX / 2
            && (is_apart || self.in_a_row < TURNS_IN_A_ROW);
        let is_for_demo = self.wanted_for_demo > 0 && self.bytes < BYTES_MAX;
        let begun = AtHand {
            ready,
            ..AtHand::default()
        };
        self.at_hand = (is_wanted || is_for_demo).then_some(begun);
        self.skipped += u64::from(self.at_hand.is_none());
    }

    /// Whether there is a place for the turn at hand. What a demo client does is done once it comes to others.
    fn counts(&mut self, at: Time, is_own: bool) -> bool {
        if is_own {
            self.kept_of_own += 1;
            return self.kept_of_own <= TURNS_OF_OWN_MAX;
        }
        self.wanted_for_demo = self.wanted_for_demo.saturating_sub(1);
        self.latest = Some(at);
        self.in_a_row += 1;
        true
    }

    fn add(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        let is_followed = self.is_followed(event);
        let Some(turn) = &mut self.at_hand else {
            return;
        };
        turn.is_of_others = turn.is_of_others || !is_own(directory, event);
        let kept = match is_followed {
            true => &mut turn.kept_of_followed,
            false => &mut turn.kept,
        };
        if *kept >= ENTRIES_MAX || turn.bytes >= BYTES_MAX / 2 {
            turn.cut += 1;
            return;
        }
        *kept += 1;
        let written = json::raw(at, directory, event, self.payload);
        turn.bytes += written.get().len();
        turn.entries.push(written);
    }

    fn end(&mut self, at: Time, directory: &Directory, timeout: Option<Duration>) {
        let Some(turn) = self.at_hand.take() else {
            return;
        };
        if !self.counts(at, !turn.is_of_others) {
            self.skipped += 1;
            return;
        }
        self.bytes += turn.bytes;
        self.turns.push(Turn {
            n: directory.turn(),
            t: directory.woke().as_nanos(),
            waited: nanos(directory.waited()),
            timeout: timeout.map(nanos),
            ready: turn.ready,
            busy: nanos(directory.busy(at)),
            cut: turn.cut,
            entries: turn.entries,
        });
    }
}

/// Whether a demo client begins to do something.
fn is_of_demo(event: &TraceEvent<'_>) -> bool {
    matches!(
        event,
        TraceEvent::Opened { state, .. } | TraceEvent::Dispatched { event: Event::Notified, state, .. }
            if state.protocol == DEMO
    )
}

/// Whether an event is about the page's own connections and nobody else.
fn is_own(directory: &Directory, event: &TraceEvent<'_>) -> bool {
    match event.subject() {
        Subject::Loop | Subject::Waker => true,
        Subject::Listener(index) => {
            index == PAGE_LISTENER || !matches!(event, TraceEvent::Accepted { .. })
        }
        Subject::Peer(peer) => directory
            .peer(peer)
            .is_none_or(|known| matches!(known.state.protocol, PAGE | DEMO)),
    }
}

/// As its name begins: a demo client has its own address there, its peer the same one.
fn address(directory: &Directory, peer: PeerId) -> Option<&str> {
    let known = directory.peer(peer)?;
    known.name.split(' ').next()
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
