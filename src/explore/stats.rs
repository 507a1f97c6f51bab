//! Counts what the loop does, and writes down some of its turns while somebody looks. It is bounded in
//! memory, however long it runs; what is done with it is not decided here.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::PAGE_LISTENER;
use super::sample::{Sample, nanos};
use crate::protocol::{CloseReason, PeerId, Time};
use crate::trace::{Directory, Observer, TraceEvent};

/// Bytes of what a peer says that are shown.
pub(crate) const PAYLOAD_BYTES: usize = 24;
/// The longest turn that the histogram distinguishes, in nanoseconds; a minute is as bad as an hour.
const LENGTH_MAX: u64 = 60_000_000_000;
/// Upper ends of the buckets for the length of turns, in microseconds.
pub(crate) const BUCKETS_US: [u64; 12] = [
    5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 100_000,
];

/// Totals since the start; those since the last tick go to the page, each by its name here. Reads, writes, bytes and connections are those of whoever came in by a
/// listener of a service: the page, its demo clients and the terminal do not count.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Totals {
    pub(crate) turns: u64,
    /// Nanoseconds in epoll_wait(2).
    pub(crate) asleep: u64,
    /// Nanoseconds between two waits.
    #[serde(skip)]
    pub(crate) busy: u64,
    pub(crate) events: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) would_block: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) accept_pauses: u64,
}

impl Totals {
    /// What has been added to earlier ones.
    pub(crate) fn since(&self, earlier: &Totals) -> Totals {
        Totals {
            turns: self.turns - earlier.turns,
            asleep: self.asleep - earlier.asleep,
            busy: self.busy - earlier.busy,
            events: self.events - earlier.events,
            reads: self.reads - earlier.reads,
            writes: self.writes - earlier.writes,
            would_block: self.would_block - earlier.would_block,
            bytes_in: self.bytes_in - earlier.bytes_in,
            bytes_out: self.bytes_out - earlier.bytes_out,
            opened: self.opened - earlier.opened,
            closed: self.closed - earlier.closed,
            accept_pauses: self.accept_pauses - earlier.accept_pauses,
        }
    }
}

/// How long turns were, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Lengths {
    p50: u64,
    p99: u64,
    max: u64,
}

/// The observer behind the explorer page.
#[derive(Debug)]
pub struct StatsObserver {
    pub(crate) totals: Totals,
    /// Connections that are there, by protocol.
    pub(crate) peers: BTreeMap<&'static str, u64>,
    pub(crate) closed: BTreeMap<CloseReason, u64>,
    /// Turns that were at most so long; the last are those that were longer than all.
    pub(crate) lengths: [u64; BUCKETS_US.len() + 1],
    is_watched: bool,
    timeout: Option<Duration>,
    /// Nanoseconds of each turn of this tick.
    tick: Histogram<u64>,
    sample: Sample,
}

impl StatsObserver {
    /// Nothing has happened yet. Of what a peer says, so many bytes are shown.
    pub(crate) fn new(payload: usize) -> StatsObserver {
        StatsObserver {
            totals: Totals::default(),
            peers: BTreeMap::new(),
            closed: BTreeMap::new(),
            lengths: [0; BUCKETS_US.len() + 1],
            is_watched: false,
            timeout: None,
            tick: Histogram::new_with_bounds(1, LENGTH_MAX, 2).expect("these are in order"),
            sample: Sample::new(payload),
        }
    }

    /// Whether somebody looks: only then turns are written down.
    pub(crate) fn watch(&mut self, is_watched: bool) {
        if self.is_watched != is_watched {
            self.is_watched = is_watched;
            self.tick.reset();
            self.sample.forget();
        }
    }

    /// The lengths of the turns since it was called last.
    pub(crate) fn take_lengths(&mut self) -> Option<Lengths> {
        let lengths = Lengths {
            p50: self.tick.value_at_quantile(0.5),
            p99: self.tick.value_at_quantile(0.99),
            max: self.tick.max(),
        };
        let has_any = !self.tick.is_empty();
        self.tick.reset();
        has_any.then_some(lengths)
    }

    /// The turns since it was called last, as one JSON object; `None` if there were none.
    pub(crate) fn take_turns(&mut self) -> Option<Vec<u8>> {
        self.sample.take()
    }

    #[inline]
    fn count(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        if let TraceEvent::Read { peer, result, .. } = *event {
            if is_of_service(directory, peer) {
                self.totals.reads += 1;
                self.totals.bytes_in += result.map_or(0, |bytes| bytes.len() as u64);
                self.totals.would_block += u64::from(would_block(result.err()));
            }
        } else if let TraceEvent::Wrote { peer, result, .. } = *event {
            if is_of_service(directory, peer) {
                self.totals.writes += 1;
                self.totals.bytes_out += result.map_or(0, |count| count as u64);
                self.totals.would_block += u64::from(would_block(result.err()));
            }
        } else if let TraceEvent::Waiting { timeout } = *event {
            self.timeout = timeout;
        } else if let TraceEvent::Awake { events } = *event {
            self.totals.turns += 1;
            self.totals.asleep += nanos(directory.waited());
            self.totals.events += events.map_or(0, |count| count as u64);
        } else if let TraceEvent::Ended = *event {
            self.turn_ended(directory.busy(at));
        } else {
            self.count_connection(directory, event);
        }
    }

    #[inline(never)]
    fn count_connection(&mut self, directory: &Directory, event: &TraceEvent<'_>) {
        self.sample.follow(directory, event);
        if let TraceEvent::AcceptPaused { .. } = *event {
            self.totals.accept_pauses += 1;
        } else if let TraceEvent::Opened { peer, state, .. } = *event {
            *self.peers.entry(state.protocol).or_insert(0) += 1;
            self.totals.opened += u64::from(is_of_service(directory, peer));
        } else if let TraceEvent::Closed { peer, reason } = *event {
            let known = directory.peer(peer);
            let protocol = known.map_or("", |known| known.state.protocol);
            if let Some(count) = self.peers.get_mut(protocol) {
                *count -= 1;
            }
            if is_of_service(directory, peer) {
                self.totals.closed += 1;
                *self.closed.entry(reason).or_insert(0) += 1;
            }
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
}

impl Observer for StatsObserver {
    fn wants_details(&self) -> bool {
        self.is_watched
    }

    #[inline]
    fn observe(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        self.count(at, directory, event);
        if self.is_watched {
            self.sample.write_down(at, directory, self.timeout, event);
        }
    }
}

/// Whether it came in by a listener other than the page's.
fn is_of_service(directory: &Directory, peer: PeerId) -> bool {
    let listener = directory.peer(peer).and_then(|known| known.listener);
    listener.is_some_and(|listener| listener != PAGE_LISTENER)
}

/// Whether it is no trouble: nothing to read, or no room to write.
fn would_block(error: Option<&io::Error>) -> bool {
    error.is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
