//! What happened? The reactor tells an [`Observer`] of every [`TraceEvent`]; an observer is told and
//! gives nothing back. With [`Off`], the default, nothing of it is left in the compiled loop.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::protocol::{CloseReason, Effect, Event, PeerId, StateName, Time};

#[cfg(feature = "trace-json")]
pub mod chrome;
mod directory;
mod flags;
#[cfg(feature = "trace-json")]
pub mod json;
pub mod text;
mod words;

pub use directory::{Directory, Known};
pub use flags::Flags;

/// Sees what the loop does. It is called in the middle of a turn, so it must not block.
pub trait Observer {
    /// Whether anybody looks. Where this is false, events are not even made.
    const IS_ON: bool = true;

    /// Whether it looks closely now. If not, it need not be shown what a turn does in detail (see
    /// [`TraceEvent::is_detail`]), and the clock is read only where a turn begins to wait, wakes and ends:
    /// the events in between have the time of the last of these.
    fn wants_details(&self) -> bool {
        true
    }

    /// Something has just happened, at this time. `directory` has seen it.
    fn observe(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>);
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Off;

impl Observer for Off {
    const IS_ON: bool = false;

    fn observe(&mut self, _: Time, _: &Directory, _: &TraceEvent<'_>) {}
}

/// Both look, if there is a second.
impl<A: Observer, B: Observer> Observer for (A, Option<B>) {
    fn wants_details(&self) -> bool {
        self.0.wants_details() || self.1.as_ref().is_some_and(Observer::wants_details)
    }

    fn observe(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        self.0.observe(at, directory, event);
        if let Some(second) = &mut self.1 {
            second.observe(at, directory, event);
        }
    }
}

/// About whom an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The loop itself.
    Loop,
    /// A listener, counted in the order in which the reactor was given them.
    Listener(usize),
    /// A peer, which may be gone by now.
    Peer(PeerId),
    /// Another thread, by the reactor's [`Handle`](crate::reactor::Handle).
    Waker,
}

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

/// Why a peer is not read though something may wait for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadPause {
    /// Back-pressure: it does not take what we owe it.
    Outbox {
        /// Bytes that wait in its outbox.
        unsent: usize,
    },
    /// Its session takes no more now: in chat, it is not its turn.
    Session,
}

/// One thing that the loop did, or was told by the kernel.
///
/// A turn goes from [`TraceEvent::Waiting`] over [`TraceEvent::Awake`] to [`TraceEvent::Ended`]. What happens
/// before the first of them, or between two turns, belongs to none.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum TraceEvent<'a> {
    /// Phase 1 begins: sleeps until something is ready, at most for `timeout` (`None`: for ever).
    Waiting {
        /// 0: only looks.
        timeout: Option<Duration>,
    },
    /// It is awake, and the turn's time is taken.
    Awake {
        /// How many events epoll_wait(2) gave, or why it ended without.
        events: Result<usize, &'a io::Error>,
    },
    /// The turn is over.
    Ended,
    /// What the kernel said in this turn's wait; told when the loop comes to it.
    Ready {
        /// A listener or a peer.
        subject: Subject,
        /// In epoll's words.
        flags: Flags,
    },
    /// A listener was asked for a connection.
    Accepted {
        /// Which, counted in the order of the listeners.
        listener: usize,
        /// The address of who came, or accept4(2)'s error.
        result: Result<SocketAddr, &'a io::Error>,
        /// The descriptor of the connection, where there is one.
        descriptor: Option<i32>,
    },
    /// The machine has nothing left for a connection: a listener rests, until this time at most.
    AcceptPaused {
        /// Which listener.
        listener: usize,
        /// It may try again earlier, when a descriptor comes free.
        until: Time,
    },
    /// A peer is there.
    Opened {
        /// Its id from now on.
        peer: PeerId,
        /// Its address, where it has one.
        address: Option<SocketAddr>,
        /// For people: `127.0.0.1:40112`.
        name: fmt::Arguments<'a>,
        /// Where its machine starts.
        state: StateName,
    },
    /// A peer that we called was asked whether it has answered: getpeername(2), or a look at its next byte.
    Connected {
        /// Which.
        peer: PeerId,
        /// `WouldBlock`: not yet. Any other error is why it never will.
        result: Result<(), &'a io::Error>,
    },
    /// A peer was read.
    Read {
        /// Which.
        peer: PeerId,
        /// The system call: `recvfrom`, or `read` for what is no socket.
        call: &'static str,
        /// How many bytes there was room for.
        room: usize,
        /// What came (nothing: the peer sends no more), or recv(2)'s error.
        result: Result<&'a [u8], &'a io::Error>,
    },
    /// A peer was not read though something may wait: it stays in the kernel.
    ReadPaused {
        /// Which.
        peer: PeerId,
        /// Until that is over.
        why: ReadPause,
    },
    /// The next byte of a peer was looked at and left where it is.
    Peeked {
        /// Which.
        peer: PeerId,
        /// 0: the peer sends no more.
        result: Result<usize, &'a io::Error>,
    },
    /// Bytes were handed to the kernel.
    Wrote {
        /// For whom.
        peer: PeerId,
        /// The system call: `sendto`, or `write` for what is no socket.
        call: &'static str,
        /// All that waited.
        offered: &'a [u8],
        /// How many it took, or send(2)'s error.
        result: Result<usize, &'a io::Error>,
    },
    /// The kernel was asked what a peer has acknowledged: getsockopt(2) for TCP_INFO.
    Delivery {
        /// Which.
        peer: PeerId,
        /// How many bytes since the connection began, or getsockopt(2)'s error.
        acknowledged: Result<u64, &'a io::Error>,
        /// Whether that is all we wrote, the end of our direction included.
        is_complete: bool,
    },
    /// The kernel was asked by which error a connection has ended: getsockopt(2) for SO_ERROR.
    ErrorTaken {
        /// Whose.
        peer: PeerId,
        /// The error, if there is one.
        found: Option<&'a io::Error>,
    },
    /// The peer was told that no more comes: shutdown(2) of our half.
    ShutDown {
        /// Which.
        peer: PeerId,
        /// shutdown(2)'s error, if any.
        result: Result<(), &'a io::Error>,
    },
    /// A machine is told something.
    Dispatched {
        /// Whose.
        peer: PeerId,
        /// What.
        event: Event<'a>,
        /// Where it stands before.
        state: StateName,
    },
    /// A machine moved.
    Moved {
        /// Whose.
        peer: PeerId,
        /// Where it stood.
        from: StateName,
        /// Where it stands.
        to: StateName,
    },
    /// A machine asks for something.
    Effect {
        /// Whose.
        peer: PeerId,
        /// What.
        effect: &'a Effect,
    },
    /// The kernel was told what to watch from now on: epoll_ctl(2).
    Registered {
        /// For whom.
        peer: PeerId,
        /// EPOLLIN and EPOLLPRI, EPOLLOUT.
        interest: Flags,
        /// epoll_ctl(2)'s error, if any.
        result: Result<(), &'a io::Error>,
    },
    /// A peer wants to be looked at, at this time at the latest.
    TimerSet {
        /// Which.
        peer: PeerId,
        /// When.
        at: Time,
    },
    /// A peer's time has come. What was due is derived from its state.
    Fired {
        /// Which.
        peer: PeerId,
    },
    /// A peer is gone.
    Closed {
        /// Which; its id is never used again.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
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

    /// Whether it is none of those that are counted: turns, connections, reads and writes. A new kind is a detail
    /// unless it is named here.
    #[must_use]
    #[inline]
    pub fn is_detail(&self) -> bool {
        !matches!(
            self,
            TraceEvent::Waiting { .. }
                | TraceEvent::Awake { .. }
                | TraceEvent::Ended
                | TraceEvent::Accepted { .. }
                | TraceEvent::AcceptPaused { .. }
                | TraceEvent::Opened { .. }
                | TraceEvent::Read { .. }
                | TraceEvent::Wrote { .. }
                | TraceEvent::Registered { .. }
                | TraceEvent::Closed { .. }
        )
    }

    /// Whether a turn begins to wait, wakes or ends.
    #[must_use]
    #[inline]
    pub fn is_edge(&self) -> bool {
        matches!(
            self,
            TraceEvent::Waiting { .. } | TraceEvent::Awake { .. } | TraceEvent::Ended
        )
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
