//! One peer as the reactor sees it: a stream, two halves, an outbox, and the machine that answers; and all its
//! transitions. It calls no kernel and queues nothing: what follows from a transition, the caller sees to.

use std::mem;

use super::kernel::{Interest, Readiness};
use super::limits::{Policy, PolicyId};
use super::outbox::{BufferPool, Outbox};
use crate::protocol::{CloseReason, Time};

mod derived;

/// The half that we hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// The session is told what arrives.
    Open,
    /// We left: what arrives is thrown away.
    Discarding,
    /// We left and wait for nothing: it is closed as soon as our half has ended.
    Left,
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

impl Outbound {
    /// What a stream is watched for at first.
    pub(super) fn first_interest(self) -> Interest {
        match self {
            Outbound::Connecting | Outbound::ConnectingToFinish => Interest::Both,
            Outbound::Open | Outbound::Finishing | Outbound::Finished => Interest::Readable,
        }
    }
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

/// Its transitions are the methods below: nobody else can write these fields, but for the stream and the session.
#[derive(Debug)]
pub(super) struct Connection<Stream, Session> {
    pub(super) stream: Stream,
    pub(super) session: Session,
    /// Present while bytes wait.
    outbox: Option<Box<Outbox>>,
    /// When something was last received, sent, or seen to be acknowledged.
    active: Time,
    /// When the session asked to be woken.
    wake_at: Time,
    /// When the kernel's queue was last looked at. At first when it opened, or when the outbound half
    /// ended: before that there was nothing to see.
    looked_at: Time,
    /// The peer's entry among the timers; never later than its deadline.
    timer: Time,
    generation: u32,
    policy: PolicyId,
    inbound: Inbound,
    outbound: Outbound,
    unread: Unread,
    /// A short read proves nothing here: read until told that there is no more. Always so of what is no socket.
    must_drain: bool,
    /// The kernel spoke of an error, and nobody has asked which.
    has_failed: bool,
    /// What the kernel was last told to watch.
    watched: Interest,
    /// The send phase of this turn will look at it.
    is_dirty: bool,
    /// It came through a listener and counts against the limits.
    is_client: bool,
}

/// As what a connection begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) generation: u32,
    pub(super) policy: PolicyId,
    pub(super) outbound: Outbound,
    pub(super) is_client: bool,
    pub(super) is_socket: bool,
    pub(super) at: Time,
}

impl<Stream, Session> Connection<Stream, Session> {
    pub(super) fn new(stream: Stream, session: Session, beginning: Beginning) -> Self {
        Connection {
            stream,
            session,
            outbox: None,
            active: beginning.at,
            wake_at: Time::NEVER,
            looked_at: beginning.at,
            timer: Time::NEVER,
            generation: beginning.generation,
            policy: beginning.policy,
            inbound: Inbound::Open,
            outbound: beginning.outbound,
            // The kernel tells of a new socket's bytes; of a file it would tell nothing.
            unread: if beginning.is_socket {
                Unread::Nothing
            } else {
                Unread::Paused
            },
            must_drain: !beginning.is_socket,
            has_failed: false,
            watched: beginning.outbound.first_interest(),
            is_dirty: false,
            is_client: beginning.is_client,
        }
    }

    /// The kernel said more than that there may be something to read.
    pub(super) fn on_ready(&mut self, readiness: &Readiness) {
        if let Some(outbox) = &mut self.outbox {
            outbox.is_blocked = false;
        }
        self.must_drain |= readiness.must_drain();
        self.has_failed |= readiness.has_failed();
    }

    /// The peer has answered our call.
    pub(super) fn on_connected(&mut self) {
        self.outbound = match self.outbound {
            Outbound::Connecting => Outbound::Open,
            Outbound::ConnectingToFinish => Outbound::Finishing,
            Outbound::Open | Outbound::Finishing | Outbound::Finished => self.outbound,
        };
    }

    /// A read of at most `limit` bytes gave this many. Whether those were all.
    #[inline]
    pub(super) fn on_read(&mut self, count: usize, limit: usize, now: Time) -> bool {
        self.active = now;
        let is_drained = count < limit && !self.must_drain;
        if is_drained {
            self.unread = Unread::Nothing;
        }
        is_drained
    }

    /// A read found nothing more.
    pub(super) fn on_drained(&mut self, is_socket: bool) {
        self.must_drain = !is_socket;
        self.unread = Unread::Nothing;
    }

    /// It is not to be read now.
    pub(super) fn pause_reading(&mut self) {
        self.unread = Unread::Paused;
    }

    /// Something may wait, and the caller puts it into the ready queue. Whether it was not there before.
    pub(super) fn queue_reading(&mut self) -> bool {
        mem::replace(&mut self.unread, Unread::Queued) != Unread::Queued
    }

    /// Only where the kernel says that there is no more, nothing has arrived.
    pub(super) fn drain(&mut self) {
        self.must_drain = true;
    }

    /// The peer sends no more. Whether its session is to hear of that.
    pub(super) fn on_eof(&mut self) -> bool {
        self.unread = Unread::Nothing;
        match mem::replace(&mut self.inbound, Inbound::Finished) {
            Inbound::Open => true,
            Inbound::Discarding | Inbound::Left | Inbound::Finished => false,
        }
    }

    /// Bytes wait to be sent; the kernel may have said that it is full.
    pub(super) fn enqueue(&mut self, bytes: &[u8], is_blocked: bool, pool: &mut BufferPool) {
        let outbox = self.outbox.get_or_insert_with(|| pool.take());
        outbox.push(bytes);
        outbox.is_blocked |= is_blocked;
    }

    /// The bytes that the kernel has not refused, for one who offers them to it and calls
    /// [`Connection::put_back`].
    #[inline]
    pub(super) fn take_unblocked(&mut self) -> Option<Box<Outbox>> {
        if self.is_connecting() {
            return None;
        }
        self.outbox.take_if(|outbox| !outbox.is_blocked)
    }

    /// The rest of its outbox, if any is left.
    pub(super) fn put_back(&mut self, outbox: Box<Outbox>, pool: &mut BufferPool) {
        if outbox.pending().is_empty() {
            pool.give_back(outbox);
        } else {
            self.outbox = Some(outbox);
        }
    }

    /// Gives back the memory that unsent bytes do not need.
    pub(super) fn fit(&mut self) {
        if let Some(outbox) = &mut self.outbox {
            outbox.fit();
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
                None => Inbound::Left,
            };
        }
    }

    /// If its last byte is with the kernel, our half ends now. Whether it does.
    pub(super) fn on_flushed(&mut self, now: Time) -> bool {
        let ends = self.is_last() && self.outbox.is_none();
        if ends {
            self.outbound = Outbound::Finished;
            self.looked_at = now;
        }
        ends
    }

    /// The session asked for another time.
    pub(super) fn set_timer(&mut self, time: Option<Time>) {
        self.wake_at = time.unwrap_or(Time::NEVER);
    }

    /// Its entry among the timers has come.
    pub(super) fn on_timer(&mut self) {
        self.timer = Time::NEVER;
    }

    /// Its entry among the timers is to move, since it is too late: from when to when.
    pub(super) fn move_timer(&mut self, policy: &Policy) -> Option<(Time, Time)> {
        let deadline = self.deadline(policy);
        (deadline < self.timer).then(|| (mem::replace(&mut self.timer, deadline), deadline))
    }

    /// What it is to be watched for, where that is not what the kernel was told.
    #[inline]
    pub(super) fn change_watched(&mut self) -> Option<Interest> {
        let interest = self.interest();
        (mem::replace(&mut self.watched, interest) != interest).then_some(interest)
    }

    /// The kernel's queue is looked at.
    pub(super) fn on_looked(&mut self, now: Time) {
        self.looked_at = now;
    }

    /// The kernel took something for it, or it acknowledges, or said something that we have not read: it is not idle.
    #[inline]
    pub(super) fn on_alive(&mut self, now: Time) {
        self.active = now;
    }

    /// Whether the kernel spoke of an error that no read will tell. It is asked once.
    pub(super) fn take_failure(&mut self) -> bool {
        let is_unread = self.unread == Unread::Paused || !self.is_read();
        is_unread && mem::take(&mut self.has_failed)
    }

    /// The send phase shall look at it. Whether that is news.
    #[inline]
    pub(super) fn mark_dirty(&mut self) -> bool {
        !mem::replace(&mut self.is_dirty, true)
    }

    /// The send phase looks at it.
    pub(super) fn clear_dirty(&mut self) {
        self.is_dirty = false;
    }
}
