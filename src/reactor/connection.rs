//! One peer as the reactor sees it: a stream, two halves, an outbox, and the machine that answers.
//! What can be computed from these is a function: interest, deadline, whether it is done.

use super::kernel::Interest;
use super::limits::{Policy, PolicyId};
use super::outbox::{OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX, Outbox};
use crate::protocol::{CloseReason, Time};
use crate::trace::ReadPause;

/// The half that we hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// The session is told what arrives.
    Open,
    /// We left: what arrives is thrown away.
    Discarding,
    /// The peer sends no more.
    Finished,
}

/// The half that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outbound {
    /// We called, and the peer has not answered yet: the kernel will say that there is room to write.
    Connecting,
    /// The same, and nothing will be added to what waits for the answer.
    ConnectingToFinish,
    Open,
    /// Nothing will be added; `shutdown(Write)` follows the last byte.
    Finishing,
    /// The peer was told that no more comes.
    Finished,
}

/// What we know of bytes that wait in the kernel. It does not say things twice, so we remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Nothing waits: the kernel will say when something comes.
    Nothing,
    /// Something may wait, and the peer is not to be read now.
    Paused,
    /// Something may wait, and the peer is in the reactor's ready queue (once).
    Queued,
}

/// Which timer of a connection is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Wake,
    /// Its peer has had the time to close its half: what has it acknowledged?
    Look,
    Close(CloseReason),
}

#[derive(Debug)]
pub(super) struct Connection<Stream, Session> {
    pub(super) stream: Stream,
    pub(super) session: Session,
    /// Present while bytes wait.
    pub(super) outbox: Option<Box<Outbox>>,
    /// When something was last received, sent, or seen to be acknowledged.
    pub(super) active: Time,
    /// When the session asked to be woken.
    pub(super) wake_at: Time,
    /// When the kernel's queue was last looked at. At first when it opened, or when the outbound half
    /// ended: before that there was nothing to see.
    pub(super) looked_at: Time,
    /// The peer's entry among the timers; never later than its deadline.
    pub(super) timer: Time,
    pub(super) generation: u32,
    pub(super) policy: PolicyId,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    pub(super) unread: Unread,
    /// A short read proves nothing here: read until told that there is no more.
    pub(super) must_drain: bool,
    /// The kernel spoke of an error, and nobody has asked which.
    pub(super) has_failed: bool,
    /// What the kernel was last told to watch.
    pub(super) watched: Interest,
    /// The send phase of this turn will look at it.
    pub(super) is_dirty: bool,
    /// It came through a listener and counts against the limits.
    pub(super) is_client: bool,
}

impl<Stream, Session> Connection<Stream, Session> {
    pub(super) fn unsent(&self) -> usize {
        self.outbox
            .as_ref()
            .map_or(0, |outbox| outbox.pending().len())
    }

    /// What its unsent bytes cost in memory.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.outbox
            .as_ref()
            .map_or(0, |outbox| outbox.buffered_bytes())
    }

    /// What its outbox can still take before it counts as full.
    pub(super) fn room(&self) -> usize {
        OUTBOX_BYTES_MAX.saturating_sub(self.unsent())
    }

    /// How many bytes may be read now, given what the session would take.
    pub(super) fn read_limit(&self, policy: &Policy, session_window: usize) -> usize {
        match self.inbound {
            Inbound::Open | Inbound::Discarding | Inbound::Finished if self.is_connecting() => 0,
            Inbound::Finished => 0,
            Inbound::Discarding => usize::MAX,
            Inbound::Open if policy.reads_while_owing => session_window,
            Inbound::Open if self.unsent() > OUTBOX_BYTES_LOW => 0,
            Inbound::Open => session_window.min(self.room()),
        }
    }

    pub(super) fn interest(&self) -> Interest {
        let is_blocked = self.outbox.as_ref().is_some_and(|outbox| outbox.is_blocked);
        let wants_room = is_blocked || self.is_connecting();
        match (self.inbound, wants_room) {
            (Inbound::Finished, true) => Interest::Writable,
            (Inbound::Open | Inbound::Discarding, true) => Interest::Both,
            (Inbound::Open | Inbound::Discarding | Inbound::Finished, false) => Interest::Readable,
        }
    }

    /// It owes nothing and is owed nothing: all that may happen is that it says something.
    pub(super) fn is_at_rest(&self) -> bool {
        self.unread == Unread::Nothing
            && self.inbound == Inbound::Open
            && self.outbound == Outbound::Open
            && self.outbox.is_none()
            && !self.must_drain
    }

    /// We called, and the peer has not answered yet.
    pub(super) fn is_connecting(&self) -> bool {
        match self.outbound {
            Outbound::Connecting | Outbound::ConnectingToFinish => true,
            Outbound::Open | Outbound::Finishing | Outbound::Finished => false,
        }
    }

    /// The peer has answered our call.
    pub(super) fn on_connected(&mut self) {
        self.outbound = match self.outbound {
            Outbound::Connecting => Outbound::Open,
            Outbound::ConnectingToFinish => Outbound::Finishing,
            Outbound::Open | Outbound::Finishing | Outbound::Finished => self.outbound,
        };
    }

    /// What its session says will be sent.
    pub(super) fn is_speaking(&self) -> bool {
        match self.outbound {
            Outbound::Connecting | Outbound::Open => true,
            Outbound::ConnectingToFinish | Outbound::Finishing | Outbound::Finished => false,
        }
    }

    /// Sends no more once the outbox is empty.
    pub(super) fn finish(&mut self) {
        self.outbound = match self.outbound {
            Outbound::Connecting | Outbound::ConnectingToFinish => Outbound::ConnectingToFinish,
            Outbound::Open | Outbound::Finishing => Outbound::Finishing,
            Outbound::Finished => Outbound::Finished,
        };
    }

    /// Sends no more and hears no more; what still comes is thrown away if the peer lingers.
    pub(super) fn leave(&mut self, policy: &Policy) {
        self.finish();
        if self.inbound == Inbound::Open {
            self.inbound = match policy.linger {
                Some(_) => Inbound::Discarding,
                None => Inbound::Finished,
            };
        }
    }

    /// Both halves have ended.
    pub(super) fn is_done(&self) -> bool {
        match (self.outbound, self.inbound) {
            (Outbound::Finished, Inbound::Finished) => true,
            (
                Outbound::Connecting
                | Outbound::ConnectingToFinish
                | Outbound::Open
                | Outbound::Finishing,
                _,
            )
            | (Outbound::Finished, Inbound::Open | Inbound::Discarding) => false,
        }
    }

    /// Something may wait that is read now or in the next turn: no silence can be told.
    pub(super) fn is_behind(&self, policy: &Policy, session_limit: usize) -> bool {
        match self.unread {
            Unread::Nothing => false,
            Unread::Paused => self.read_limit(policy, session_limit) > 0,
            Unread::Queued => true,
        }
    }

    /// Something may wait that is not read because its own outbox is full: no silence can be told.
    pub(super) fn is_held_up(&self, policy: &Policy) -> bool {
        self.unread == Unread::Paused
            && self.inbound == Inbound::Open
            && !policy.reads_while_owing
            && self.unsent() > OUTBOX_BYTES_LOW
    }

    /// Why it is not read although something may wait, if it could say something at all.
    pub(super) fn read_pause(&self, policy: &Policy) -> Option<ReadPause> {
        if self.inbound != Inbound::Open {
            return None;
        }
        let unsent = self.unsent();
        Some(if self.is_held_up(policy) {
            ReadPause::Outbox { unsent }
        } else {
            ReadPause::Session
        })
    }

    /// When it wants to be looked at though nothing happens.
    pub(super) fn deadline(&self, policy: &Policy) -> Time {
        self.waking_at(policy)
            .min(self.idle_at(policy))
            .min(self.lingers_until(policy))
    }

    pub(super) fn due(&self, policy: &Policy, now: Time) -> Due {
        if self.idle_at(policy) <= now {
            Due::Close(CloseReason::Idle)
        } else if self.lingers_until(policy) <= now {
            Due::Look
        } else if self.waking_at(policy) <= now {
            Due::Wake
        } else {
            Due::Nothing
        }
    }

    /// While it is held up its session could only misjudge; room in the outbox wakes it anyway.
    fn waking_at(&self, policy: &Policy) -> Time {
        if self.is_held_up(policy) {
            Time::NEVER
        } else {
            self.wake_at
        }
    }

    fn idle_at(&self, policy: &Policy) -> Time {
        let limit = policy.idle_timeout;
        limit.map_or(Time::NEVER, |limit| self.active.after(limit))
    }

    /// We have left, and the peer has not closed its half. Until when it may before it is looked at.
    fn lingers_until(&self, policy: &Policy) -> Time {
        let linger = policy.linger.filter(|_| self.is_lingering());
        linger.map_or(Time::NEVER, |linger| self.looked_at.after(linger))
    }

    /// It was told that we send no more, and what it sends is thrown away.
    pub(super) fn is_lingering(&self) -> bool {
        match (self.outbound, self.inbound) {
            (Outbound::Finished, Inbound::Discarding) => true,
            (Outbound::Finished, Inbound::Open | Inbound::Finished)
            | (
                Outbound::Connecting
                | Outbound::ConnectingToFinish
                | Outbound::Open
                | Outbound::Finishing,
                _,
            ) => false,
        }
    }
}
