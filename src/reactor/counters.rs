//! What happened, in numbers, and the few of those events that people should hear of. It counts
//! and logs; it decides nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::protocol::{CloseReason, PeerId, Time};
use crate::trace::reason;

/// How long people are not warned of the same again: clients who come and go could cause it as
/// often as they like.
const WARNED_AGAIN: Duration = Duration::from_secs(10);

/// Totals since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Connections taken from a listener, turned away or not.
    pub accepted: u64,
    /// Connections closed at once because of a limit, or since the kernel could not watch them (epoll_ctl(2)).
    pub turned_away: u64,
    /// How often accepting rested because the machine had nothing left.
    pub accept_pauses: u64,
    /// Peers that broke a rule of their protocol.
    pub refused: u64,
    /// Peers that came through a listener and are gone, by reason.
    pub closed: BTreeMap<CloseReason, u64>,
    /// People were told that no connection can be taken, and not yet that it works again.
    starved: Warning,
    /// People were told that a limit is reached, and not yet that there is room.
    full: Warning,
    /// People were told that a connection cannot be watched.
    unwatched: Warning,
}

/// Something that people are warned of until it is over.
#[derive(Clone, Copy, Debug, Default)]
struct Warning {
    stands: bool,
    latest: Option<Time>,
}

impl Warning {
    /// Whether people are to be warned now.
    fn is_due(&mut self, now: Time) -> bool {
        let is_old = |latest| now.since(latest) >= WARNED_AGAIN;
        let is_due = !self.stands && self.latest.is_none_or(is_old);
        if is_due {
            self.stands = true;
            self.latest = Some(now);
        }
        is_due
    }
}

impl Counters {
    /// Nobody waits any more to be accepted.
    pub(super) fn accept_drained(&mut self) {
        if std::mem::take(&mut self.starved.stands) {
            log::info!("accepting again: all waiting clients are accepted");
        }
    }

    pub(super) fn accept_paused(&mut self, error: &io::Error, until: Time, now: Time) {
        self.accept_pauses += 1;
        if self.starved.is_due(now) {
            let (reason, pause) = (reason(error), until.since(now));
            log::warn!("cannot accept for now: {reason}; trying again every {pause:?}");
        }
    }

    pub(super) fn turned_away(&mut self, address: SocketAddr, is_full: bool, now: Time) {
        self.turned_away += 1;
        log::debug!("turned away {address}");
        if is_full && self.full.is_due(now) {
            log::warn!(
                "the connection limit is reached; further clients are turned away (see --max-conns)"
            );
        }
    }

    /// The kernel cannot watch a connection that is accepted. Whether the next one can be, only that tells: this
    /// warning never stands.
    pub(super) fn unwatched(&mut self, error: &io::Error, is_counted: bool, now: Time) {
        self.turned_away += u64::from(is_counted);
        if self.unwatched.is_due(now) {
            log::warn!(
                "cannot watch a new connection: {}; it is closed",
                reason(error)
            );
            self.unwatched.stands = false;
        }
    }

    pub(super) fn refused(&mut self, id: PeerId, why: &'static str) {
        self.refused += 1;
        log::info!("peer {id}: refused: {why}");
    }

    pub(super) fn closed(&mut self, id: PeerId, reason: CloseReason) {
        *self.closed.entry(reason).or_insert(0) += 1;
        // A peer that comes and goes by itself is one debug line, its coming.
        let level = match reason {
            CloseReason::Finished | CloseReason::Broken(_) => log::Level::Trace,
            CloseReason::Idle
            | CloseReason::WriteStalled
            | CloseReason::Lingered
            | CloseReason::Evicted
            | CloseReason::Aborted
            | CloseReason::Stopped => log::Level::Debug,
        };
        log::log!(level, "peer {id}: closed: {}", words(reason));
    }

    /// There is room again, and not just for one.
    pub(super) fn has_room(&mut self) {
        self.full.stands = false;
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accepted {}, turned away {}, refused {}, accept pauses {}, closed: ",
            self.accepted, self.turned_away, self.refused, self.accept_pauses
        )?;
        let closed = self.closed.iter();
        let closed: Vec<_> = closed
            .map(|(&reason, count)| format!("{} {count}", words(reason)))
            .collect();
        match closed.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&closed.join(", ")),
        }
    }
}

/// Why a peer is gone.
fn words(ending: CloseReason) -> String {
    let words = match ending {
        CloseReason::Finished => "finished",
        CloseReason::Broken(0) => "broken",
        CloseReason::Broken(number) => {
            return reason(&io::Error::from_raw_os_error(number));
        }
        CloseReason::Idle => "idle",
        CloseReason::WriteStalled => "stalled",
        CloseReason::Lingered => "lingered",
        CloseReason::Evicted => "evicted",
        CloseReason::Aborted => "aborted",
        CloseReason::Stopped => "stopped",
    };
    words.to_owned()
}
