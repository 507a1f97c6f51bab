//! Counts what the loop does, and writes down some of its turns while somebody looks. It is bounded in
//! memory, however long it runs; what is done with it is not decided here.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

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

/// Totals since the start. Reads, writes, bytes and connections are those of whoever came in by a
/// listener of a service: the page, its demo clients and the terminal do not count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) turns: u64,
    /// Nanoseconds in epoll_wait(2).
    pub(crate) asleep: u64,
    /// Nanoseconds between two waits.
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

/// What one connection has moved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    generation: u32,
    /// It came in by a listener other than the page's.
    is_client: bool,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// The observer behind the explorer page.
#[derive(Debug)]
pub struct StatsObserver {
    pub(crate) directory: Directory,
    pub(crate) totals: Totals,
    /// Connections that are there, by protocol.
    pub(crate) peers: BTreeMap<&'static str, u64>,
    pub(crate) closed: BTreeMap<CloseReason, u64>,
    /// Turns that were at most so long; the last are those that were longer than all.
    pub(crate) lengths: [u64; BUCKETS_US.len() + 1],
    traffic: Vec<Traffic>,
    /// The peer that is opened next has just been accepted for a service.
    is_client_next: bool,
    is_watched: bool,
    timeout: Option<Duration>,
    /// Nanoseconds of each turn of this tick.
    tick: Histogram<u64>,
    sample: Sample,
}

impl StatsObserver {
    /// Nothing has happened yet. The listeners are named in the order in which the reactor gets them.
    /// Of what a peer says, so many bytes are shown.
    pub(crate) fn new(listeners: Vec<String>, payload: usize) -> StatsObserver {
        StatsObserver {
            directory: Directory::new(listeners),
            totals: Totals::default(),
            peers: BTreeMap::new(),
            closed: BTreeMap::new(),
            lengths: [0; BUCKETS_US.len() + 1],
            traffic: Vec::new(),
            is_client_next: false,
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

    pub(crate) fn traffic(&self, peer: PeerId) -> Traffic {
        let traffic = self.traffic.get(peer.slot as usize).copied();
        let traffic = traffic.filter(|traffic| traffic.generation == peer.generation);
        traffic.unwrap_or_default()
    }

    /// The lengths of the turns since it was called last, in nanoseconds: p50, p99, the longest.
    pub(crate) fn take_lengths(&mut self) -> Option<(u64, u64, u64)> {
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
    pub(crate) fn take_turns(&mut self) -> Option<Vec<u8>> {
        self.sample.take()
    }

    fn is_of_service(&self, peer: PeerId) -> bool {
        self.traffic(peer).is_client
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

    fn count(&mut self, at: Time, moment: &TraceEvent<'_>) {
        let moved = |result: &Result<usize, _>| result.map_or(0, |count| count as u64);
        match *moment {
            TraceEvent::Waiting { timeout } => self.timeout = timeout,
            TraceEvent::Woken { events } => {
                self.totals.turns += 1;
                self.totals.asleep += nanos(self.directory.waited());
                self.totals.events += events.map_or(0, |count| count as u64);
            }
            TraceEvent::Ended => {
                // Whoever was accepted and turned away was not opened.
                self.is_client_next = false;
                self.turn_ended(self.directory.busy(at));
            }
            TraceEvent::AcceptPaused { .. } => self.totals.accept_pauses += 1,
            TraceEvent::Accepted { listener, result } => {
                self.is_client_next = listener != PAGE_LISTENER && result.is_ok();
            }
            TraceEvent::Opened { peer, state, .. } => {
                *self.peers.entry(state.protocol).or_insert(0) += 1;
                let is_client = std::mem::take(&mut self.is_client_next);
                self.traffic_of(peer).is_client = is_client;
                self.totals.opened += u64::from(self.is_of_service(peer));
            }
            TraceEvent::Closed { peer, reason } => {
                let protocol = self.directory.peer(peer).map_or("", |known| known.protocol);
                if let Some(count) = self.peers.get_mut(protocol) {
                    *count -= 1;
                }
                if self.is_of_service(peer) {
                    self.totals.closed += 1;
                    *self.closed.entry(reason).or_insert(0) += 1;
                }
            }
            TraceEvent::Read { peer, result, .. } => {
                let count = moved(&result.map(<[u8]>::len));
                self.traffic_of(peer).bytes_in += count;
                if self.is_of_service(peer) {
                    self.totals.reads += 1;
                    self.totals.bytes_in += count;
                    self.totals.would_block += u64::from(would_block(result.err()));
                }
            }
            TraceEvent::Wrote { peer, result, .. } => {
                let count = moved(&result);
                self.traffic_of(peer).bytes_out += count;
                if self.is_of_service(peer) {
                    self.totals.writes += 1;
                    self.totals.bytes_out += count;
                    self.totals.would_block += u64::from(would_block(result.err()));
                }
            }
            TraceEvent::Ready { .. }
            | TraceEvent::ReadPaused { .. }
            | TraceEvent::Peeked { .. }
            | TraceEvent::ShutDown { .. }
            | TraceEvent::Dispatched { .. }
            | TraceEvent::Moved { .. }
            | TraceEvent::Effect { .. }
            | TraceEvent::Registered { .. }
            | TraceEvent::TimerSet { .. }
            | TraceEvent::Fired { .. } => {}
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
    fn observe(&mut self, at: Time, moment: &TraceEvent<'_>) {
        self.directory.see(at, moment);
        self.count(at, moment);
        self.sample.follow(&self.directory, moment);
        if self.is_watched {
            self.sample
                .write_down(at, &self.directory, self.timeout, moment);
        }
    }
}

/// Whether it is no trouble: nothing to read, or no room to write.
fn would_block(error: Option<&io::Error>) -> bool {
    error.is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
