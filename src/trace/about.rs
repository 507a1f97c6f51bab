//! What all events have in common: whom one is about, its kind, where in a turn it happens, and how closely one
//! must look to be shown it. What it says is not known here.

use std::io;

use super::{Subject, TraceEvent};

/// Which part of a turn an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// The loop goes to sleep, or is done with a turn.
    Sleep,
    /// It wakes.
    Wake,
    /// Something may be done now, or may not yet.
    Ready,
    /// A connection begins or ends.
    Connection,
    /// Bytes come in.
    Read,
    /// A state machine decides.
    Decide,
    /// Bytes go out.
    Write,
    /// The kernel or a timer is told what to watch, or the kernel is asked how things are.
    Arm,
    /// The machine has nothing left.
    Shortage,
}

/// What every event has, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// About whom it is.
    pub subject: Subject,
    /// Its kind in one word: `read`.
    pub kind: &'static str,
    /// Where in a turn it happens.
    pub phase: Phase,
    /// Why the call failed, if it did.
    pub error: Option<&'a io::Error>,
}

/// How closely one must look to be shown an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// A turn begins to wait, wakes or ends.
    Edge,
    /// It is counted.
    Counted,
    Detail,
}

impl<'a> TraceEvent<'a> {
    /// What it has in common with the others: a row for each kind.
    #[must_use]
    pub fn about(&self) -> About<'a> {
        use Phase::{Arm, Connection, Decide, Read, Ready, Shortage, Sleep, Wake, Write};
        use Subject::{Listener, Loop, Peer};
        let (subject, kind, phase, error) = match *self {
            TraceEvent::Waiting { .. } => (Loop, "wait", Sleep, None),
            TraceEvent::Awake { events } => (Loop, "wake", Wake, events.err()),
            TraceEvent::Ended => (Loop, "end", Sleep, None),
            TraceEvent::Ready { subject, .. } => (subject, "ready", Ready, None),
            TraceEvent::Accepted {
                listener, result, ..
            } => (Listener(listener), "accept", Connection, result.err()),
            TraceEvent::AcceptPaused { listener, .. } => {
                (Listener(listener), "pause", Shortage, None)
            }
            TraceEvent::Opened { peer, .. } => (Peer(peer), "open", Connection, None),
            TraceEvent::Connected { peer, result } => {
                (Peer(peer), "connect", Connection, result.err())
            }
            TraceEvent::Read { peer, result, .. } => (Peer(peer), "read", Read, result.err()),
            TraceEvent::ReadPaused { peer, .. } => (Peer(peer), "hold", Ready, None),
            TraceEvent::Peeked { peer, result } => (Peer(peer), "peek", Read, result.err()),
            TraceEvent::Wrote { peer, result, .. } => (Peer(peer), "write", Write, result.err()),
            TraceEvent::Delivery {
                peer, acknowledged, ..
            } => (Peer(peer), "delivery", Arm, acknowledged.err()),
            TraceEvent::ErrorTaken { peer, .. } => (Peer(peer), "error", Arm, None),
            TraceEvent::ShutDown { peer, result } => (Peer(peer), "shutdown", Write, result.err()),
            TraceEvent::Dispatched { peer, .. } => (Peer(peer), "event", Decide, None),
            TraceEvent::Moved { peer, .. } => (Peer(peer), "state", Decide, None),
            TraceEvent::Effect { peer, .. } => (Peer(peer), "effect", Decide, None),
            TraceEvent::Registered { peer, result, .. } => {
                (Peer(peer), "interest", Arm, result.err())
            }
            TraceEvent::TimerSet { peer, .. } => (Peer(peer), "timer", Arm, None),
            TraceEvent::Fired { peer } => (Peer(peer), "fire", Ready, None),
            TraceEvent::Closed { peer, .. } => (Peer(peer), "close", Connection, None),
        };
        About {
            subject,
            kind,
            phase,
            error,
        }
    }

    /// Whether it is none of those that are counted: turns, connections, reads and writes.
    #[must_use]
    #[inline]
    pub fn is_detail(&self) -> bool {
        self.rank() == Rank::Detail
    }

    /// Whether a turn begins to wait, wakes or ends.
    #[must_use]
    #[inline]
    pub fn is_edge(&self) -> bool {
        self.rank() == Rank::Edge
    }

    #[inline]
    fn rank(&self) -> Rank {
        match self {
            TraceEvent::Waiting { .. } | TraceEvent::Awake { .. } | TraceEvent::Ended => Rank::Edge,
            TraceEvent::Accepted { .. }
            | TraceEvent::AcceptPaused { .. }
            | TraceEvent::Opened { .. }
            | TraceEvent::Read { .. }
            | TraceEvent::Wrote { .. }
            | TraceEvent::Registered { .. }
            | TraceEvent::Closed { .. } => Rank::Counted,
            TraceEvent::Ready { .. }
            | TraceEvent::Connected { .. }
            | TraceEvent::ReadPaused { .. }
            | TraceEvent::Peeked { .. }
            | TraceEvent::Delivery { .. }
            | TraceEvent::ErrorTaken { .. }
            | TraceEvent::ShutDown { .. }
            | TraceEvent::Dispatched { .. }
            | TraceEvent::Moved { .. }
            | TraceEvent::Effect { .. }
            | TraceEvent::TimerSet { .. }
            | TraceEvent::Fired { .. } => Rank::Detail,
        }
    }

    /// About whom it is.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.about().subject
    }

    /// What kind of event it is, in one word: `read`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.about().kind
    }
}
