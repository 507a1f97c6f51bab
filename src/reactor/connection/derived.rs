//! What can be computed from a connection is a function of it: interest, deadline, whether it is done. Nothing
//! here changes it.

use std::time::Duration;

use super::{Connection, Due, Inbound, Outbound, Unread};
use crate::protocol::{CloseReason, Time};
use crate::reactor::kernel::Interest;
use crate::reactor::limits::{Policy, PolicyId};
use crate::reactor::outbox::{OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX};
use crate::trace::ReadPause;

/// However short a linger is, the loop is left in peace for so long before it looks again what the peer has
/// acknowledged.
const LINGER_MIN: Duration = Duration::from_millis(10);

impl<Stream, Session> Connection<Stream, Session> {
    pub(in crate::reactor) fn generation(&self) -> u32 {
        self.generation
    }

    pub(in crate::reactor) fn policy(&self) -> PolicyId {
        self.policy
    }

    pub(in crate::reactor) fn is_client(&self) -> bool {
        self.is_client
    }

    pub(in crate::reactor) fn inbound(&self) -> Inbound {
        self.inbound
    }

    pub(in crate::reactor) fn outbound(&self) -> Outbound {
        self.outbound
    }

    pub(in crate::reactor) fn unread(&self) -> Unread {
        self.unread
    }

    pub(in crate::reactor) fn active(&self) -> Time {
        self.active
    }

    pub(in crate::reactor) fn wake_at(&self) -> Time {
        self.wake_at
    }

    pub(in crate::reactor) fn looked_at(&self) -> Time {
        self.looked_at
    }

    pub(in crate::reactor) fn timer(&self) -> Time {
        self.timer
    }

    pub(in crate::reactor) fn watched(&self) -> Interest {
        self.watched
    }

    pub(in crate::reactor) fn must_drain(&self) -> bool {
        self.must_drain
    }

    pub(in crate::reactor) fn has_outbox(&self) -> bool {
        self.outbox.is_some()
    }

    pub(in crate::reactor) fn unsent(&self) -> usize {
        self.outbox
            .as_ref()
            .map_or(0, |outbox| outbox.pending().len())
    }

    /// What its unsent bytes cost in memory.
    pub(in crate::reactor) fn buffered_bytes(&self) -> usize {
        self.outbox
            .as_ref()
            .map_or(0, |outbox| outbox.buffered_bytes())
    }

    /// What its outbox can still take before it counts as full.
    pub(in crate::reactor) fn room(&self) -> usize {
        OUTBOX_BYTES_MAX.saturating_sub(self.unsent())
    }

    /// How many bytes may be read now, given what the session would take.
    #[inline]
    pub(in crate::reactor) fn read_limit<'a>(
        &self,
        policy: impl FnOnce() -> &'a Policy,
        session_limit: usize,
    ) -> usize {
        match (self.inbound, &self.outbox) {
            (Inbound::Open | Inbound::Discarding | Inbound::Left | Inbound::Finished, _)
                if self.is_connecting() =>
            {
                0
            }
            (Inbound::Left | Inbound::Finished, _) => 0,
            (Inbound::Discarding, _) => usize::MAX,
            (Inbound::Open, None) => session_limit,
            (Inbound::Open, Some(_)) if policy().reads_while_owing => session_limit,
            (Inbound::Open, Some(_)) if self.unsent() > OUTBOX_BYTES_LOW => 0,
            (Inbound::Open, Some(_)) => session_limit.min(self.room()),
        }
    }

    pub(in crate::reactor) fn interest(&self) -> Interest {
        let is_blocked = self.outbox.as_ref().is_some_and(|outbox| outbox.is_blocked);
        let wants_room = is_blocked || self.is_connecting();
        match (self.inbound, wants_room) {
            (Inbound::Left | Inbound::Finished, true) => Interest::Writable,
            (Inbound::Open | Inbound::Discarding, true) => Interest::Both,
            (Inbound::Open | Inbound::Discarding | Inbound::Left | Inbound::Finished, false) => {
                Interest::Readable
            }
        }
    }

    /// Something may have come, and nobody reads it later.
    #[inline]
    pub(in crate::reactor) fn is_to_be_read(&self) -> bool {
        self.unread != Unread::Queued && self.is_read()
    }

    /// What it sends is taken, if only to be thrown away.
    #[inline]
    pub(in crate::reactor) fn is_read(&self) -> bool {
        match self.inbound {
            Inbound::Open | Inbound::Discarding => true,
            Inbound::Left | Inbound::Finished => false,
        }
    }

    /// What is sent may be offered to the kernel now: nothing waits before it, and its end does not come yet, with
    /// which its last bytes go out together. Never of what is no socket, since `must_drain` always holds there: a
    /// terminal is written to in the send phase only, after all that it is sent in a turn.
    #[inline]
    pub(in crate::reactor) fn takes_at_once(&self) -> bool {
        match self.outbound {
            Outbound::Open | Outbound::Finishing => self.outbox.is_none() && !self.must_drain,
            Outbound::Connecting | Outbound::ConnectingToFinish | Outbound::Finished => false,
        }
    }

    /// Nothing follows what is written now but our end.
    #[inline]
    pub(in crate::reactor) fn is_last(&self) -> bool {
        self.outbound == Outbound::Finishing
    }

    /// Its session is told what arrives.
    #[inline]
    pub(in crate::reactor) fn is_heard(&self) -> bool {
        self.inbound == Inbound::Open
    }

    /// We called, and the peer has not answered yet.
    #[inline]
    pub(in crate::reactor) fn is_connecting(&self) -> bool {
        match self.outbound {
            Outbound::Connecting | Outbound::ConnectingToFinish => true,
            Outbound::Open | Outbound::Finishing | Outbound::Finished => false,
        }
    }

    /// What its session says will be sent.
    #[inline]
    pub(in crate::reactor) fn is_speaking(&self) -> bool {
        match self.outbound {
            Outbound::Connecting | Outbound::Open => true,
            Outbound::ConnectingToFinish | Outbound::Finishing | Outbound::Finished => false,
        }
    }

    /// Both halves have ended.
    pub(in crate::reactor) fn is_done(&self) -> bool {
        self.outbound == Outbound::Finished && self.inbound == Inbound::Finished
    }

    /// Our half has ended, and nothing more of it is waited for.
    pub(in crate::reactor) fn has_left(&self) -> bool {
        self.outbound == Outbound::Finished && self.inbound == Inbound::Left
    }

    /// Something may wait that is read now or in the next turn: its timer must not fire yet.
    pub(in crate::reactor) fn is_behind(&self, policy: &Policy, session_limit: usize) -> bool {
        match self.unread {
            Unread::Nothing => false,
            Unread::Paused => self.read_limit(|| policy, session_limit) > 0,
            Unread::Queued => true,
        }
    }

    /// Something may wait that is not read because its own outbox is full: its timer must not fire yet.
    pub(in crate::reactor) fn is_held_up(&self, policy: &Policy) -> bool {
        self.unread == Unread::Paused
            && self.inbound == Inbound::Open
            && !policy.reads_while_owing
            && self.unsent() > OUTBOX_BYTES_LOW
    }

    /// Why it is not read although something may wait, if it could say something at all.
    pub(in crate::reactor) fn read_pause(&self, policy: &Policy) -> Option<ReadPause> {
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
    pub(in crate::reactor) fn deadline(&self, policy: &Policy) -> Time {
        self.waking_at(policy)
            .min(self.idle_at(policy))
            .min(self.lingers_until(policy))
    }

    pub(in crate::reactor) fn due(&self, policy: &Policy, now: Time) -> Due {
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
        linger.map_or(Time::NEVER, |linger| {
            self.looked_at.after(linger.max(LINGER_MIN))
        })
    }

    /// It was told that we send no more, and what it sends is thrown away.
    pub(in crate::reactor) fn is_lingering(&self) -> bool {
        self.outbound == Outbound::Finished && self.inbound == Inbound::Discarding
    }
}
