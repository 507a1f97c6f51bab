//! Counts what the loop does, and writes down some of its turns while somebody looks. It is bounded in
//! memory, however long it runs; what is done with it is not decided here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{DEMO, PAGE};
use crate::cli::trace::json;
use crate::protocol::{CloseReason, Event, PeerId, Time};
use crate::trace::{Memory, Moment, Observer};

/// Turns written down in one tick, at most.
const TURNS_MAX: usize = 20;
/// How many of them may follow each other; the rest is spread over the tick.
const TURNS_IN_A_ROW: usize = 12;
const SPREAD: Duration = Duration::from_millis(20);
/// Turns written down besides after a demo client did something: what comes of it is in one of them.
const TURNS_AFTER_DEMO: usize = 6;
/// Turns of which all is about the page's own connections, and hidden until asked for.
const TURNS_OF_OWN_MAX: usize = 4;
/// Moments of one turn, at most.
const MOMENTS_MAX: usize = 60;
/// What all turns of one tick may take, so that a browser can have them in one go.
const BYTES_MAX: usize = 40 * 1024;
/// Bytes of what a peer says that are shown.
pub(super) const PAYLOAD_BYTES: usize = 24;
/// Nanoseconds of a turn that are told apart; a minute is as bad as an hour.
const LENGTH_MAX: u64 = 60_000_000_000;
/// Upper ends of the buckets for the length of turns, in microseconds.
pub(super) const BUCKETS_US: [u64; 12] = [
    5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 100_000,
];

/// The listener that the reactor got first.
const PAGE_LISTENER: usize = 0;

/// Totals since the start. Reads, writes, bytes and connections are those of whoever came in by a
/// listener of a service: the page, its demo clients and the terminal do not count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) turns: u64,
    /// Nanoseconds in epoll_wait(2).
    pub(super) asleep: u64,
    /// Nanoseconds between two waits.
    pub(super) busy: u64,
    pub(super) events: u64,
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) would_block: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) accept_pauses: u64,
}

/// What one connection has moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    generation: u32,
    /// It came in by a listener other than the page's.
    is_guest: bool,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

/// The observer behind the explorer page.
#[derive(Debug)]
pub struct Recorder {
    pub(super) memory: Memory,
    pub(super) totals: Totals,
    /// Connections that are there, by protocol.
    pub(super) peers: BTreeMap<&'static str, u64>,
    pub(super) closed: BTreeMap<CloseReason, u64>,
    /// Turns that were at most so long; the last are those that were longer than all.
    pub(super) lengths: [u64; BUCKETS_US.len() + 1],
    traffic: Vec<Traffic>,
    /// The peer that is opened next has just been accepted for a service.
    is_guest_next: bool,
    is_watched: bool,
    timeout: Option<Duration>,
    /// Nanoseconds of each turn of this tick.
    tick: Histogram<u64>,
    page: Pages,
    payload: usize,
}

/// The turns of this tick that are written down.
#[derive(Debug, Default)]
struct Pages {
    /// Whole turns, as JSON objects with commas between them.
    text: Vec<u8>,
    kept: usize,
    skipped: u64,
    in_a_row: usize,
    /// How many are still to come because of a demo client, and how many were the page's own.
    wanted_for_demo: usize,
    kept_of_own: usize,
    latest: Option<Time>,
    /// The turn at hand: whether all of it is the page's own; its moments, `None` if it is not
    /// written down.
    is_own: bool,
    moments: Option<Vec<u8>>,
    moments_kept: usize,
    moments_cut: u64,
    events: usize,
}

impl Recorder {
    /// Nothing has happened yet. The listeners are named in the order in which the reactor gets them.
    /// Of what a peer says, so many bytes are shown.
    pub(super) fn new(listeners: Vec<String>, payload: usize) -> Recorder {
        Recorder {
            memory: Memory::new(listeners),
            totals: Totals::default(),
            peers: BTreeMap::new(),
            closed: BTreeMap::new(),
            lengths: [0; BUCKETS_US.len() + 1],
            traffic: Vec::new(),
            is_guest_next: false,
            is_watched: false,
            timeout: None,
            tick: Histogram::new_with_bounds(1, LENGTH_MAX, 2).expect("these are in order"),
            page: Pages::default(),
            payload,
        }
    }

    /// Whether somebody looks: only then turns are written down.
    pub(super) fn watch(&mut self, is_watched: bool) {
        if self.is_watched != is_watched {
            self.is_watched = is_watched;
            self.tick.reset();
            self.page = Pages::default();
        }
    }

    pub(super) fn traffic(&self, peer: PeerId) -> Traffic {
        let traffic = self.traffic.get(peer.slot as usize).copied();
        let traffic = traffic.filter(|traffic| traffic.generation == peer.generation);
        traffic.unwrap_or_default()
    }

    /// The lengths of the turns since it was called last, in nanoseconds: p50, p99, the longest.
    pub(super) fn take_lengths(&mut self) -> Option<(u64, u64, u64)> {
        let lengths = &mut self.tick;
        let taken = (
            lengths.value_at_quantile(0.5),
            lengths.value_at_quantile(0.99),
            lengths.max(),
        );
        let has_any = !lengths.is_empty();
        lengths.reset();
        has_any.then_some(taken)
    }

    /// The turns since it was called last, as one JSON object; `None` if there were none.
    pub(super) fn take_turns(&mut self) -> Option<Vec<u8>> {
        let page = &mut self.page;
        let (skipped, kept) = (std::mem::take(&mut page.skipped), page.kept);
        (page.kept, page.in_a_row, page.kept_of_own) = (0, 0, 0);
        let text = std::mem::take(&mut page.text);
        (kept > 0 || skipped > 0).then(|| {
            let head = format!("{{\"skipped\":{skipped},\"turns\":[");
            [head.as_bytes(), &text, b"]}"].concat()
        })
    }

    fn is_of_service(&self, peer: PeerId) -> bool {
        self.traffic(peer).is_guest
    }

    fn traffic_of(&mut self, peer: PeerId) -> &mut Traffic {
        let slot = peer.slot as usize;
        if self.traffic.len() <= slot {
            self.traffic.resize(slot + 1, Traffic::default());
        }
        let traffic = &mut self.traffic[slot];
        if traffic.generation != peer.generation {
            *traffic = Traffic {
                generation: peer.generation,
                ..Traffic::default()
            };
        }
        traffic
    }

    fn count(&mut self, at: Time, moment: &Moment<'_>) {
        let moved = |result: &Result<usize, _>| result.map_or(0, |count| count as u64);
        match *moment {
            Moment::Waiting { timeout } => self.timeout = timeout,
            Moment::Woke { events } => {
                self.totals.turns += 1;
                self.totals.asleep += nanos(self.memory.waited());
                self.totals.events += events.map_or(0, |count| count as u64);
            }
            Moment::Ended => {
                // Whoever was accepted and turned away was not opened.
                self.is_guest_next = false;
                self.turn_ended(self.memory.busy(at));
            }
            Moment::Paused { .. } => self.totals.accept_pauses += 1,
            Moment::Accepted { listener, result } => {
                self.is_guest_next = listener != PAGE_LISTENER && result.is_ok();
            }
            Moment::Opened { peer, standing, .. } => {
                *self.peers.entry(standing.protocol).or_insert(0) += 1;
                let is_guest = std::mem::take(&mut self.is_guest_next);
                self.traffic_of(peer).is_guest = is_guest;
                self.totals.opened += u64::from(self.is_of_service(peer));
            }
            Moment::Closed { peer, reason } => {
                let protocol = self.memory.peer(peer).map_or("", |known| known.protocol);
                if let Some(count) = self.peers.get_mut(protocol) {
                    *count -= 1;
                }
                if self.is_of_service(peer) {
                    self.totals.closed += 1;
                    *self.closed.entry(reason).or_insert(0) += 1;
                }
            }
            Moment::Read { peer, result, .. } => {
                let count = moved(&result.map(<[u8]>::len));
                self.traffic_of(peer).bytes_in += count;
                if self.is_of_service(peer) {
                    self.totals.reads += 1;
                    self.totals.bytes_in += count;
                    self.totals.would_block += u64::from(result.is_err());
                }
            }
            Moment::Wrote { peer, result, .. } => {
                let count = moved(&result);
                self.traffic_of(peer).bytes_out += count;
                if self.is_of_service(peer) {
                    self.totals.writes += 1;
                    self.totals.bytes_out += count;
                    self.totals.would_block += u64::from(result.is_err());
                }
            }
            Moment::Ready { .. }
            | Moment::Peeked { .. }
            | Moment::Shut { .. }
            | Moment::Told { .. }
            | Moment::Moved { .. }
            | Moment::Wished { .. }
            | Moment::Watched { .. }
            | Moment::Armed { .. }
            | Moment::Fired { .. } => {}
        }
    }

    fn turn_ended(&mut self, busy: Duration) {
        self.totals.busy += nanos(busy);
        let length_us = busy.as_micros();
        let bucket = BUCKETS_US
            .iter()
            .position(|&end| length_us <= u128::from(end));
        self.lengths[bucket.unwrap_or(BUCKETS_US.len())] += 1;
        if self.is_watched {
            self.tick.saturating_record(nanos(busy));
        }
    }

    /// Writes the moment down if its turn is one of those that are.
    fn write_down(&mut self, at: Time, moment: &Moment<'_>) {
        let page = &mut self.page;
        match moment {
            Moment::Waiting { .. } => {}
            Moment::Woke { events } => {
                page.begin(at);
                page.events = *events.as_ref().unwrap_or(&0);
            }
            Moment::Ended => page.end(at, &self.memory, self.timeout),
            Moment::Ready { .. }
            | Moment::Accepted { .. }
            | Moment::Paused { .. }
            | Moment::Opened { .. }
            | Moment::Read { .. }
            | Moment::Peeked { .. }
            | Moment::Wrote { .. }
            | Moment::Shut { .. }
            | Moment::Told { .. }
            | Moment::Moved { .. }
            | Moment::Wished { .. }
            | Moment::Watched { .. }
            | Moment::Armed { .. }
            | Moment::Fired { .. }
            | Moment::Closed { .. } => page.add(at, &self.memory, moment, self.payload),
        }
    }
}

impl Pages {
    /// A turn begins: is it one of those that are written down?
    fn begin(&mut self, at: Time) {
        let is_apart = self.latest.is_none_or(|latest| at.since(latest) >= SPREAD);
        let is_wanted = self.kept < TURNS_MAX
            && self.text.len() < BYTES_MAX / 2
            && (is_apart || self.in_a_row < TURNS_IN_A_ROW);
        let is_for_demo = self.wanted_for_demo > 0 && self.text.len() < BYTES_MAX;
        self.moments = (is_wanted || is_for_demo).then(Vec::new);
        self.moments_kept = 0;
        self.moments_cut = 0;
        self.is_own = true;
        self.skipped += u64::from(self.moments.is_none());
    }

    /// Whether there is a place for the turn at hand. What a demo client does is done once it comes to others.
    fn counts(&mut self, at: Time) -> bool {
        if self.is_own {
            self.kept_of_own += 1;
            return self.kept_of_own <= TURNS_OF_OWN_MAX;
        }
        self.wanted_for_demo = self.wanted_for_demo.saturating_sub(1);
        self.latest = Some(at);
        self.in_a_row += 1;
        true
    }

    fn add(&mut self, at: Time, memory: &Memory, moment: &Moment<'_>, payload: usize) {
        let Some(moments) = &mut self.moments else {
            return;
        };
        self.is_own = self.is_own && is_own(memory, moment);
        if self.moments_kept >= MOMENTS_MAX || moments.len() >= BYTES_MAX / 2 {
            self.moments_cut += 1;
            return;
        }
        if !moments.is_empty() {
            moments.push(b',');
        }
        json::object(moments, at, memory, moment, payload);
        self.moments_kept += 1;
    }

    fn end(&mut self, at: Time, memory: &Memory, timeout: Option<Duration>) {
        let Some(moments) = self.moments.take() else {
            return;
        };
        if !self.counts(at) {
            self.skipped += 1;
            return;
        }
        let busy = memory.busy(at);
        let woke = at.as_nanos() - nanos(busy);
        let mut head = String::new();
        let _ = write!(
            head,
            "{}{{\"n\":{},\"t\":{woke},\"waited\":{},\"timeout\":{},\"ready\":{},\"busy\":{},\
             \"cut\":{},\"moments\":[",
            if self.kept > 0 { "," } else { "" },
            memory.turn(),
            nanos(memory.waited()),
            timeout.map_or("null".to_owned(), |timeout| nanos(timeout).to_string()),
            self.events,
            nanos(busy),
            self.moments_cut,
        );
        self.text.extend_from_slice(head.as_bytes());
        self.text.extend_from_slice(&moments);
        self.text.extend_from_slice(b"]}");
        self.kept += 1;
    }
}

impl Observer for Recorder {
    fn observe(&mut self, at: Time, moment: &Moment<'_>) {
        self.memory.see(at, moment);
        self.count(at, moment);
        if self.is_watched {
            if is_of_demo(moment) {
                self.page.wanted_for_demo = TURNS_AFTER_DEMO;
            }
            self.write_down(at, moment);
        }
    }
}

/// Whether a demo client begins to do something.
fn is_of_demo(moment: &Moment<'_>) -> bool {
    matches!(
        moment,
        Moment::Opened { standing, .. } | Moment::Told { event: Event::Woken, standing, .. }
            if standing.protocol == DEMO
    )
}

/// Whether a moment is about the page's own connections and nobody else.
fn is_own(memory: &Memory, moment: &Moment<'_>) -> bool {
    let known = moment.peer().and_then(|peer| memory.peer(peer));
    let is_guests = known.is_some_and(|known| known.protocol != PAGE && known.protocol != DEMO);
    !is_guests && !matches!(moment, Moment::Accepted { listener, .. } if *listener != PAGE_LISTENER)
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
