//! One simulated connection, as Linux sees it between our end and the remote one: what is in its
//! buffers, what was shut, and what epoll would say of it. It moves no time and wakes nobody.
//!
//! Sources: tcp_poll, tcp_recvmsg, tcp_sendmsg, tcp_reset and tcp_fin of Linux 6, as seen in their
//! behaviour; `tests/it/sim/simulated.rs` holds it against the real kernel.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::fault::{Fault, State};
use super::queue::{MEMORY_BYTES_MIN, MemoryLevel, Outbound, Route};
use crate::protocol::Time;
use crate::reactor::{Interest, Readiness, Token};
use crate::trace::Flags;

/// For whom a wake-up is: epoll leaves those alone who watch for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Bytes arrived.
    Readable,
    /// Room came free.
    Writable,
    /// The connection changed.
    Any,
}

/// Where the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the backlog of a listener.
    Queued,
    /// We have a descriptor of it.
    Held,
    /// We have closed it.
    Gone,
}

/// A connection, or a terminal (which has no errors and no half-close of its own).
#[derive(Debug)]
pub struct Socket {
    /// False for a terminal.
    pub is_socket: bool,
    /// Who is at the remote end, for whoever made the connection.
    pub owner: usize,
    pub(super) address: SocketAddr,
    pub(super) place: Place,
    /// With epoll: as whom, and for what.
    pub(super) watched: Option<(Token, Interest)>,
    pub(super) is_listed: bool,
    /// Bytes on our side, not read yet.
    pub(super) inbound: VecDeque<u8>,
    pub(super) inbound_max: usize,
    inbound_grows_to: usize,
    /// Since when something waits to be read.
    pub(super) unread_since: Option<Time>,
    /// It was reported, and then there was nothing: it will be reported again.
    pub(super) is_denied: bool,
    /// The remote end sends no more.
    pub(super) has_end: bool,
    /// What we have written, and our end.
    pub(super) outbound: Outbound,
    /// How long the remote kernel takes to acknowledge, and when it will.
    pub(super) delay: Duration,
    pub(super) acknowledges_at: Option<Time>,
    /// We were refused room and want it reported (SOCK_NOSPACE).
    pub(super) wants_room: bool,
    pub(super) error: Option<Fault>,
    /// Reset, by either end.
    pub(super) is_dead: bool,
    /// We have called, and there is no answer yet.
    pub(super) is_connecting: bool,
    /// The far end has a descriptor of it.
    pub(super) is_remote_open: bool,
    /// We have read its end.
    pub(super) end_was_read: bool,
    /// Something was read or written.
    pub(super) is_used: bool,
    /// The last write was not taken whole.
    pub(super) owes: bool,
    /// When the remote end last acknowledged bytes, or the first came to wait for that; and the same before.
    progress: (Time, Time),
    /// What the machine accounts for it: bytes, and whether it is an orphan.
    pub(super) accounted: (usize, bool),
    /// It was reset since the machine had no memory for one more orphan.
    pub(super) is_sacrificed: bool,
}

impl Socket {
    /// A connection that waits to be accepted.
    pub(super) fn new(
        owner: usize,
        address: SocketAddr,
        route: Route,
        lowat: Option<usize>,
    ) -> Socket {
        Socket {
            is_socket: true,
            owner,
            address,
            place: Place::Queued,
            watched: None,
            is_listed: false,
            inbound: VecDeque::new(),
            inbound_max: route.receive,
            inbound_grows_to: route.max,
            unread_since: None,
            is_denied: false,
            has_end: false,
            outbound: Outbound::new(route, lowat),
            delay: route.delay,
            acknowledges_at: None,
            wants_room: false,
            error: None,
            is_dead: false,
            is_connecting: false,
            is_remote_open: true,
            end_was_read: false,
            is_used: false,
            owes: false,
            progress: (Time::ZERO, Time::ZERO),
            accounted: (0, false),
            is_sacrificed: false,
        }
    }

    /// What can be read before [`Fault::WouldBlock`]: bytes, an end or an error.
    pub fn has_input(&self) -> bool {
        !self.inbound.is_empty() || self.has_end || self.is_dead || self.error.is_some()
    }

    /// Whether we got EAGAIN though there is something to read.
    pub fn is_denied(&self) -> bool {
        self.is_denied
    }

    /// Bytes that wait to be read.
    pub fn unread(&self) -> usize {
        self.inbound.len()
    }

    /// Since when something waits to be read.
    pub fn unread_since(&self) -> Option<Time> {
        self.unread_since
    }

    /// Whether a write would be taken, at least in part.
    pub fn has_room(&self) -> bool {
        self.outbound.has_room()
    }

    /// Whether whoever waits for room has had it reported, or would have.
    pub fn is_writable(&self) -> bool {
        !self.is_dead && !self.is_shut() && (self.outbound.is_roomy() || !self.wants_room)
    }

    /// Whether the last write was not taken whole.
    pub fn owes(&self) -> bool {
        self.owes
    }

    /// Whether we have closed it.
    pub fn is_gone(&self) -> bool {
        self.place == Place::Gone
    }

    /// Whether epoll has yet to report it.
    pub fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// Whether we have a descriptor of it.
    pub fn is_held(&self) -> bool {
        self.place == Place::Held
    }

    /// Whether the remote end has said that no more comes, or has reset.
    pub fn is_ended(&self) -> bool {
        self.has_end || self.is_dead
    }

    /// Whether neither end has anything more to say.
    fn is_hung_up(&self) -> bool {
        self.is_dead || (self.has_end && self.is_shut())
    }

    /// Whether nothing can come or go any more: it was reset, or both ends have said their last, and each
    /// knows it of the other.
    pub(super) fn is_over(&self) -> bool {
        self.is_dead || (self.has_end && self.outbound.is_end_acknowledged())
    }

    /// Bytes of ours that our kernel keeps, since nobody has acknowledged them.
    pub fn queued(&self) -> usize {
        self.outbound.queued()
    }

    /// How many bytes the remote end has acknowledged; our end counts as one.
    pub fn acknowledged(&self) -> u64 {
        self.outbound.acknowledged()
    }

    /// Whether nothing waits to be acknowledged.
    pub fn is_delivered(&self) -> bool {
        self.is_dead || self.outbound.is_delivered()
    }

    /// Whether it was reset since the machine had no memory for one more orphan.
    pub fn is_sacrificed(&self) -> bool {
        self.is_sacrificed
    }

    /// Bytes were acknowledged, or begin to wait for it, at this time as the process has it.
    pub(super) fn progresses(&mut self, at: Time) {
        if self.progress.0 < at {
            self.progress.1 = self.progress.0;
        }
        self.progress.0 = at;
    }

    /// When bytes were last acknowledged, before the process woke at this time: of what came since it
    /// need not know.
    pub fn progressed_at(&self, seen: Time) -> Time {
        match self.progress {
            (latest, _) if latest < seen => latest,
            (_, before) => before,
        }
    }

    /// Whether it was reset.
    pub fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// What it holds of the machine's memory, and whether it is an orphan: closed by us, and not done.
    pub(super) fn memory_use(&self) -> (usize, bool) {
        let is_orphan = self.is_gone() && self.is_socket && !self.is_delivered();
        (self.inbound.len() + self.outbound.queued(), is_orphan)
    }

    /// Whether we have read its end.
    pub fn end_was_read(&self) -> bool {
        self.end_was_read
    }

    /// Whether we have shut our half.
    pub fn is_shut(&self) -> bool {
        self.outbound.is_shut()
    }

    /// The state in which a call on it is made.
    pub fn state(&self) -> State {
        match (self.is_shut(), self.end_was_read, self.owes) {
            (true, _, _) => State::Lingering,
            (false, true, true) => State::HalfClosedOwing,
            (false, true, false) => State::HalfClosed,
            (false, false, true) => State::Owing,
            (false, false, false) if self.is_used => State::Open,
            (false, false, false) => State::Fresh,
        }
    }

    /// What epoll says of it now; `None` if nothing.
    pub(super) fn readiness(&mut self) -> Option<Readiness> {
        let (token, interest) = self.watched.filter(|_| !self.is_connecting)?;
        let (reads, writes) = match interest {
            Interest::Readable => (true, false),
            Interest::Writable => (false, true),
            Interest::Both => (true, true),
        };
        let is_ended = self.has_end || self.is_dead;
        let is_hung_up = self.is_hung_up();
        let readable = reads && (!self.inbound.is_empty() || is_ended);
        let has_room = self.is_shut() || self.is_dead || self.outbound.is_roomy();
        self.wants_room |= writes && !has_room;
        let writable = writes && has_room;
        let has_failed = self.error.is_some();
        let is_read_closed = is_hung_up || (readable && is_ended);
        let flags = Flags::IN.only_if(readable)
            | Flags::OUT.only_if(writable)
            | Flags::RDHUP.only_if(is_read_closed)
            | Flags::HUP.only_if(is_hung_up || (is_read_closed && writable && has_failed))
            | Flags::ERR.only_if(has_failed);
        (flags != Flags::NONE).then_some(Readiness { token, flags })
    }

    /// Whether a wake-up of this kind reaches whoever watches it.
    pub(super) fn hears(&self, key: Key) -> bool {
        let Some((_, interest)) = self.watched else {
            return false;
        };
        match (key, interest) {
            (Key::Any, _) | (_, Interest::Both) => true,
            (Key::Readable, Interest::Readable) | (Key::Writable, Interest::Writable) => true,
            (Key::Readable, Interest::Writable) | (Key::Writable, Interest::Readable) => false,
        }
    }

    /// recv(2) on our side.
    pub(super) fn read(&mut self, buffer: &mut [u8], memory: MemoryLevel) -> Result<usize, Fault> {
        let was_half_full = 2 * self.inbound.len() >= self.inbound_max;
        let count = self.peek(buffer)?;
        self.is_denied = false;
        self.inbound.drain(..count);
        if was_half_full && memory == MemoryLevel::Plenty {
            let doubled = (2 * self.inbound_max).min(self.inbound_grows_to);
            self.inbound_max = self.inbound_max.max(doubled);
        }
        if self.inbound.is_empty() && !self.has_end {
            self.unread_since = None;
        }
        self.is_used |= count > 0;
        self.end_was_read |= count == 0;
        Ok(count)
    }

    /// recv(2) with MSG_PEEK on our side. An error is reported once, also by this.
    pub(super) fn peek(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        if !self.inbound.is_empty() {
            let count = buffer.len().min(self.inbound.len());
            let (first, second) = self.inbound.as_slices();
            let from_first = count.min(first.len());
            buffer[..from_first].copy_from_slice(&first[..from_first]);
            buffer[from_first..count].copy_from_slice(&second[..count - from_first]);
            return Ok(count);
        }
        if self.has_end {
            return Ok(0);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None if self.is_dead => Ok(0),
            None => Err(Fault::WouldBlock),
        }
    }

    /// send(2) on our side: how many bytes are taken.
    pub(super) fn write(&mut self, offered: usize, memory: MemoryLevel) -> Result<usize, Fault> {
        if self.is_shut() || self.is_dead || self.error.is_some() {
            return Err(self.error.take().unwrap_or(Fault::BrokenPipe));
        }
        let count = self.outbound.take(offered, memory);
        self.owes = count < offered;
        self.wants_room |= self.owes;
        if count == 0 {
            return Err(Fault::WouldBlock);
        }
        self.is_used = true;
        // Whoever has gone answers with a reset, which the next call returns; a machine that is gone, with nothing.
        if !self.is_remote_open && !self.outbound.is_cut {
            self.die();
        }
        Ok(count)
    }

    /// A reset, whoever sent it, unless the connection is over. What had arrived can still be read.
    pub(super) fn die(&mut self) {
        if !self.is_over() {
            self.is_dead = true;
            self.outbound.forget();
            self.error = Some(if self.has_end && !self.is_shut() {
                Fault::BrokenPipe
            } else {
                Fault::Reset
            });
        }
    }

    /// How many more bytes may wait to be read by us.
    pub(super) fn inbound_room(&self, memory: MemoryLevel) -> usize {
        let most = match memory {
            MemoryLevel::Plenty => self.inbound_max,
            MemoryLevel::Short => self.inbound_max.min(MEMORY_BYTES_MIN),
        };
        most.saturating_sub(self.inbound.len())
    }

    /// The remote kernel acknowledges what has arrived there. What is reported to our side, if anything.
    pub(super) fn acknowledge(&mut self, memory: MemoryLevel) -> Option<Key> {
        self.acknowledges_at = None;
        let acknowledged = self.outbound.acknowledge();
        if acknowledged.bytes > 0 && self.wants_room && memory == MemoryLevel::Plenty {
            self.outbound.grow();
        }
        if acknowledged.is_end {
            // From FIN-WAIT-1 to FIN-WAIT-2, or from LAST-ACK to the end: it is reported.
            return Some(Key::Any);
        }
        self.tells_of_room().then_some(Key::Writable)
    }

    /// Whether whoever waits for room is to have it reported now.
    pub(super) fn tells_of_room(&mut self) -> bool {
        let is_awaited = self.wants_room && self.outbound.is_roomy();
        if is_awaited {
            self.wants_room = false;
        }
        is_awaited
    }
}
