//! What we wrote, from our send queue to the remote application: how much waits, is on its way, acknowledged
//! and read. Bytes are counts here: what they are was checked when they were written. It knows no clock
//! and no epoll.
//!
//! Sources: sk_stream_is_writeable, tcp_stream_memory_free, tcp_new_space and sk_stream_moderate_sndbuf of
//! Linux 6, as seen in their behaviour.

use std::time::Duration;

/// What one step of a write takes, at most: Linux looks whether there is room before each segment.
const SEGMENT_BYTES: usize = 64 * 1024;
/// The remote kernel announces no less room than this, unless half of its buffer is less (RFC 9293, 3.8.6.2.2).
const WINDOW_BYTES_MIN: usize = 1_460;
/// So many bytes are acknowledged at once, however late the remote kernel is otherwise (RFC 5681, 4.2).
const AT_ONCE_BYTES: usize = 2 * WINDOW_BYTES_MIN;
/// What every socket may hold in one direction when memory is short (the first number of tcp_wmem, tcp(7)).
pub(super) const MEMORY_BYTES_MIN: usize = 4_096;

/// What lies between our end of a connection and the remote application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Bytes that wait to be read by us, at first.
    pub receive: usize,
    /// Bytes of ours that are not acknowledged, at first.
    pub send: usize,
    /// Bytes that wait to be read by the remote application, at first.
    pub remote: usize,
    /// What each of these may grow to as it is used.
    pub max: usize,
    /// How long the remote kernel takes to acknowledge what has arrived, at most.
    pub delay: Duration,
}

impl From<(usize, usize)> for Route {
    /// Buffers of fixed sizes, to us and from us, and a remote kernel that acknowledges at once.
    fn from((receive, send): (usize, usize)) -> Route {
        Route {
            receive,
            send,
            remote: send,
            max: 0,
            delay: Duration::ZERO,
        }
    }
}

/// What is done about room that came free, or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryLevel {
    Plenty,
    /// The machine's is used up (tcp_mem): nothing grows.
    Short,
}

/// What the remote kernel has acknowledged just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) bytes: usize,
    /// Our end, too.
    pub(super) is_end: bool,
}

/// The half that we send, in counts of bytes.
#[derive(Debug)]
pub(super) struct Outbound {
    /// Taken from us; the remote kernel had no room for it yet.
    unsent: usize,
    /// Arrived there, and not acknowledged yet.
    unacknowledged: usize,
    /// Arrived, and the remote application has not read it.
    unread: usize,
    acknowledged: u64,
    room_max: usize,
    remote_room_max: usize,
    grows_to: usize,
    /// TCP_NOTSENT_LOWAT.
    lowat: Option<usize>,
    /// Our end follows the last byte, has arrived, and is known to have.
    is_shut: bool,
    has_end_arrived: bool,
    is_end_acknowledged: bool,
    /// The remote machine is gone: nothing arrives any more.
    pub(super) is_cut: bool,
}

impl Outbound {
    pub(super) fn new(route: Route, lowat: Option<usize>) -> Outbound {
        Outbound {
            unsent: 0,
            unacknowledged: 0,
            unread: 0,
            acknowledged: 0,
            room_max: route.send,
            remote_room_max: route.remote,
            grows_to: route.max,
            lowat,
            is_shut: false,
            has_end_arrived: false,
            is_end_acknowledged: false,
            is_cut: false,
        }
    }

    /// What our kernel keeps.
    pub(super) fn queued(&self) -> usize {
        self.unsent + self.unacknowledged
    }

    /// What the remote application can read.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// All that was taken from us so far.
    pub(super) fn taken(&self) -> u64 {
        self.acknowledged + self.queued() as u64
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged + u64::from(self.is_end_acknowledged)
    }

    /// Nothing waits to be acknowledged, our end neither.
    pub(super) fn is_delivered(&self) -> bool {
        self.queued() == 0 && self.is_shut == self.is_end_acknowledged
    }

    pub(super) fn is_shut(&self) -> bool {
        self.is_shut
    }

    pub(super) fn has_end_arrived(&self) -> bool {
        self.has_end_arrived
    }

    pub(super) fn is_end_acknowledged(&self) -> bool {
        self.is_end_acknowledged
    }

    /// Something has arrived that is not acknowledged; whether that is so much that it is at once.
    pub(super) fn awaits_acknowledgement(&self) -> Option<bool> {
        let is_owed = self.unacknowledged > 0 || self.has_end_arrived != self.is_end_acknowledged;
        is_owed.then_some(self.unacknowledged >= AT_ONCE_BYTES)
    }

    /// A write would be taken, at least in part.
    pub(super) fn has_room(&self) -> bool {
        self.queued() < self.room_max && self.lowat.is_none_or(|lowat| self.unsent < lowat)
    }

    /// Before Linux calls a socket writable, a third of its queue must be free, and half of what may be
    /// unsent.
    pub(super) fn is_roomy(&self) -> bool {
        self.room_max.saturating_sub(self.queued()) > self.room_max / 3
            && self.lowat.is_none_or(|lowat| 2 * self.unsent < lowat)
    }

    pub(super) fn shut(&mut self) {
        self.is_shut = true;
    }

    /// How many of the offered bytes are taken.
    pub(super) fn take(&mut self, offered: usize, memory: MemoryLevel) -> usize {
        let mut taken = 0;
        while taken < offered && self.has_room() {
            let is_refused = memory == MemoryLevel::Short && self.queued() >= MEMORY_BYTES_MIN;
            if is_refused {
                // It asks for less from now on.
                let half = (self.queued() / 2).max(MEMORY_BYTES_MIN);
                self.room_max = self.room_max.min(half);
                break;
            }
            let room = self.room_max - self.queued();
            let count = (offered - taken).min(room).min(SEGMENT_BYTES);
            self.unsent += count;
            taken += count;
            self.carry();
        }
        taken
    }

    /// Sends what the remote kernel has room for, and our end behind it. True if anything arrived.
    pub(super) fn carry(&mut self) -> bool {
        if self.is_cut {
            return false;
        }
        let room = self.remote_room_max.saturating_sub(self.unread);
        let is_window_open = room >= WINDOW_BYTES_MIN.min(self.remote_room_max / 2).max(1);
        let count = if is_window_open {
            room.min(self.unsent)
        } else {
            0
        };
        self.unsent -= count;
        self.unacknowledged += count;
        self.unread += count;
        let ends = self.is_shut && self.unsent == 0 && !self.has_end_arrived;
        self.has_end_arrived |= ends;
        count > 0 || ends
    }

    /// The remote kernel acknowledges what has arrived.
    pub(super) fn acknowledge(&mut self) -> Acknowledged {
        let bytes = std::mem::take(&mut self.unacknowledged);
        self.acknowledged += bytes as u64;
        let is_end = self.has_end_arrived && !self.is_end_acknowledged;
        self.is_end_acknowledged |= is_end;
        Acknowledged { bytes, is_end }
    }

    /// Somebody waits for room, and some came free: the queue may become longer.
    pub(super) fn grow(&mut self) {
        self.room_max = self.room_max.max((2 * self.room_max).min(self.grows_to));
    }

    /// The remote application reads so many bytes at most. Who keeps up with a full buffer gets a larger one.
    pub(super) fn receive(&mut self, count_max: usize) -> usize {
        let count = self.unread.min(count_max);
        self.unread -= count;
        if self.unread == 0 && count > 0 && self.unsent > 0 {
            let doubled = (2 * self.remote_room_max).min(self.grows_to);
            self.remote_room_max = self.remote_room_max.max(doubled);
        }
        count
    }

    /// A reset: what has not arrived never will.
    pub(super) fn forget(&mut self) {
        self.unsent = 0;
        self.unacknowledged = 0;
    }

    /// The connection breaks on its way: not even what has arrived, and no end.
    pub(super) fn lose(&mut self) {
        self.forget();
        self.unread = 0;
        self.is_shut = false;
        self.has_end_arrived = false;
    }
}
