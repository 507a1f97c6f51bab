//! How what a peer is owed goes out, and what follows: offered to the kernel at once where nothing waits before
//! it, else kept in its outbox; once all is out its half ends, it is closed if it is done, and what must be
//! armed is armed. What is sent is not decided here.

use std::io;

use super::close::broken;
use super::outcome::{Outcome, classify};
use super::{Kernel, OUTBOX_BYTES_LOW, PeerId, Reactor, Unread, find};
use crate::protocol::{CloseReason, Event, Service};
use crate::trace::{Observer, TraceEvent};

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Sends bytes, unless we have said that no more comes.
    #[allow(
        clippy::inline_always,
        reason = "measured: in pieces, the way of a byte costs twice as many instructions"
    )]
    #[inline(always)]
    pub(super) fn send_bytes(&mut self, id: PeerId, bytes: &[u8]) {
        if find(&mut self.peers, id).is_some_and(|connection| connection.is_speaking()) {
            self.offer_bytes(id, bytes);
        }
    }

    /// Offers bytes to the kernel from where they lie, if nothing waits before them. What it does not take waits.
    #[allow(
        clippy::inline_always,
        reason = "measured: in pieces, the way of a byte costs twice as many instructions"
    )]
    #[inline(always)]
    pub(super) fn offer_bytes(&mut self, id: PeerId, bytes: &[u8]) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if !connection.takes_at_once() {
            return self.enqueue(id, bytes, false);
        }
        let is_last = connection.is_last();
        let stream = &mut connection.stream;
        match classify(self.kernel.write(id, stream, bytes, is_last)) {
            Outcome::Bytes(count) => {
                connection.on_alive(self.now);
                if count < bytes.len() || count > OUTBOX_BYTES_LOW {
                    self.keep_rest(id, bytes, Outcome::Bytes(count));
                }
            }
            outcome @ (Outcome::End
            | Outcome::WouldBlock
            | Outcome::Interrupted
            | Outcome::Failed(_)) => self.keep_rest(id, bytes, outcome),
        }
    }

    /// The kernel did not take all of what was offered at once: the rest waits in the outbox. Or it took so much
    /// that the session may have stopped for want of room: it learns that there is some.
    #[cold]
    fn keep_rest(&mut self, id: PeerId, bytes: &[u8], outcome: Outcome) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let is_socket = self.kernel.kernel.is_socket(&connection.stream);
        let (taken, is_blocked) = match outcome {
            // As in `write_outbox`: a short write has filled a socket, and proves nothing of anything else.
            Outcome::Bytes(count) => (count, is_socket),
            Outcome::WouldBlock => (0, true),
            Outcome::Interrupted => (0, false),
            Outcome::End => return self.close(id, nothing_taken()),
            Outcome::Failed(error) => return self.close(id, broken(&error)),
        };
        let rest = &bytes[taken..];
        if !rest.is_empty() {
            self.enqueue(id, rest, is_blocked);
        }
        if bytes.len() > OUTBOX_BYTES_LOW && rest.len() <= OUTBOX_BYTES_LOW {
            self.notifications.push_back((id, Event::Writable));
        }
    }

    /// Puts bytes into a peer's outbox; `is_blocked` if the kernel has just refused them.
    pub(super) fn enqueue(&mut self, id: PeerId, bytes: &[u8], is_blocked: bool) {
        if let Some(connection) = find(&mut self.peers, id) {
            self.buffered_bytes -= connection.buffered_bytes();
            connection.enqueue(bytes, is_blocked, &mut self.pool);
            self.buffered_bytes += connection.buffered_bytes();
            self.mark_dirty(id);
        }
    }

    /// Offers the kernel what waits in a peer's outbox, unless it has refused it. Whoever waits for room in the
    /// outbox is woken.
    pub(super) fn write_outbox(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let Some(mut outbox) = connection.take_unblocked() else {
            return;
        };
        let unsent_before = outbox.pending().len();
        self.buffered_bytes -= outbox.buffered_bytes();
        let is_socket = self.kernel.kernel.is_socket(&connection.stream);
        let is_last = connection.is_last();
        while !outbox.is_blocked && !outbox.pending().is_empty() {
            let bytes = outbox.pending();
            let offered = bytes.len();
            let stream = &mut connection.stream;
            match classify(self.kernel.write(id, stream, bytes, is_last)) {
                Outcome::Bytes(count) => {
                    connection.on_alive(self.now);
                    outbox.is_blocked = is_socket && count < offered;
                    outbox.advance(count);
                }
                Outcome::WouldBlock => outbox.is_blocked = true,
                Outcome::Interrupted => {}
                Outcome::End => return self.close(id, nothing_taken()),
                Outcome::Failed(error) => return self.close(id, broken(&error)),
            }
        }
        connection.put_back(outbox, &mut self.pool);
        self.buffered_bytes += connection.buffered_bytes();
        let unsent = connection.unsent();
        if unsent == 0 {
            self.count_last_words(id, 0);
        }
        if unsent_before > OUTBOX_BYTES_LOW && unsent <= OUTBOX_BYTES_LOW {
            self.notifications.push_back((id, Event::Writable));
        }
    }

    /// Brings everything about a peer in line with its state: writes, ends its half, closes it if
    /// it is done, and arms what must be armed. The order matters: a half ends only behind its last byte, a peer
    /// is done only when both have ended, and what is armed follows from what is left then.
    pub(super) fn flush(&mut self, id: PeerId) {
        self.look_for_error(id);
        self.look_for_eof(id);
        if let Some(connection) = find(&mut self.peers, id) {
            connection.clear_dirty();
        }
        self.write_outbox(id);
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let has_ended = connection.on_flushed(self.now);
        let has_left = connection.has_left();
        if connection.is_done() {
            // It stays until it has acknowledged everything; if it has, it is closed by that.
            self.look(id);
        }
        if has_ended {
            self.shut(id);
        }
        if has_left {
            return self.close(id, CloseReason::Finished);
        }
        self.arm(id);
        self.watch(id);
    }

    /// Reading goes on if it can, and the timer comes no later than the deadline.
    fn arm(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let policy = &self.policies[connection.policy()];
        let wanted = self.service.read_limit(&connection.session);
        if connection.unread() == Unread::Paused && connection.read_limit(|| policy, wanted) > 0 {
            connection.queue_reading();
            self.unread.push_back(id);
        }
        if let Some((from, at)) = connection.move_timer(policy) {
            self.timers.remove(from, id);
            self.timers.insert(at, id);
            self.kernel.note(&TraceEvent::TimerSet { peer: id, at });
        }
    }

    /// Tells the kernel what to watch, if that has changed.
    fn watch(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let Some(interest) = connection.change_watched() else {
            return;
        };
        if let Err(error) = self.kernel.reregister(id, &mut connection.stream, interest) {
            log::warn!("peer {id}: cannot be watched: {error}");
            self.close(id, broken(&error));
        }
    }
}

/// It took none of what was offered, and did not say why.
fn nothing_taken() -> CloseReason {
    broken(&io::ErrorKind::WriteZero.into())
}
