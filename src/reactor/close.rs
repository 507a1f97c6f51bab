//! How a peer ends: its end is heard or found out, our half is shut, and once everything is where it belongs,
//! it is closed. Why one ends is decided elsewhere.

use std::io;

use super::delivery::progress;
use super::outcome::{Outcome, classify};
use super::{Connection, Kernel, PeerId, Reactor, Unread, find};
use crate::protocol::{CloseReason, Event, Service};
use crate::trace::{Observer, TraceEvent};

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// The peer sends no more.
    pub(super) fn on_eof(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if connection.on_eof() {
            self.dispatch(id, Event::Eof);
        }
        self.count_last_words(id, 0);
    }

    /// A peer that its session does not want to hear now may have left: its end counts at once if nothing else
    /// waits before it.
    pub(super) fn look_for_eof(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let is_unheard = connection.unread() == Unread::Paused
            && connection.is_heard()
            && self.service.read_limit(&connection.session) == 0;
        if !is_unheard || !connection.must_drain() {
            return;
        }
        loop {
            match classify(self.kernel.peek(id, &mut connection.stream, &mut [0])) {
                Outcome::Interrupted => {}
                Outcome::End => return self.on_eof(id),
                // If something comes, an event will tell.
                Outcome::Bytes(_) | Outcome::WouldBlock => return,
                Outcome::Failed(error) => return self.close(id, broken(&error)),
            }
        }
    }

    /// The kernel spoke of an error, and no read will come to tell which: it is asked (SO_ERROR), so that who is
    /// dead does not keep its place.
    pub(super) fn look_for_error(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if connection.take_failure()
            && let Ok(Some(error)) = self.kernel.take_error(id, &connection.stream)
        {
            self.close(id, broken(&error));
        }
    }

    /// Tells a peer that no more comes.
    pub(super) fn shut(&mut self, id: PeerId) {
        if let Some(connection) = find(&mut self.peers, id) {
            // If the peer has reset the connection meanwhile, the next read will tell.
            let _ = self.kernel.shutdown(id, &mut connection.stream);
        }
    }

    /// Removes a peer first, and only then queues what follows from it.
    pub(super) fn close(&mut self, id: PeerId, reason: CloseReason) {
        if find(&mut self.peers, id).is_none() {
            return;
        }
        let connection = self.peers.remove(id.slot as usize);
        let is_client = connection.is_client();
        self.timers.remove(connection.timer(), id);
        self.buffered_bytes -= connection.buffered_bytes();
        self.clients -= usize::from(is_client);
        self.per_address.remove(id);
        let policy = self.policies[connection.policy()];
        self.forget_debts(id, &policy);
        self.last_words.remove(&id);
        let is_overdue = reason == CloseReason::Lingered && policy.resets_after_linger;
        if is_overdue || self.is_to_be_forgotten(id, &connection, reason) {
            self.kernel.kernel.reset(connection.stream);
            self.resume_listeners();
        } else {
            self.give_back(connection.stream);
        }
        if is_client {
            self.counters.closed(id, reason);
        }
        if self.clients.saturating_mul(8) < self.limits.clients_max.saturating_mul(7) {
            self.counters.has_room();
        }
        let mut cx = self.effects.context(self.now, id, 0);
        self.service.close(&mut cx, connection.session, reason);
        self.kernel.note(&TraceEvent::Closed { peer: id, reason });
        self.kernel.stepped(id, None, None, &self.effects);
        self.apply(id, &[]);
    }

    /// Closes a stream. Somebody else may need its descriptor.
    pub(super) fn give_back(&mut self, stream: K::Stream) {
        self.kernel.kernel.close(stream);
        self.resume_listeners();
    }

    fn resume_listeners(&mut self) {
        for listening in &mut self.listeners {
            listening.resume();
        }
    }

    /// Whether the kernel shall forget what it holds for a peer, and tell it by a reset: a stream that was cut
    /// off must not look like a whole one, and what a deadline ended shall not live on in the kernel.
    fn is_to_be_forgotten(
        &mut self,
        id: PeerId,
        connection: &Connection<K::Stream, S::Session>,
        reason: CloseReason,
    ) -> bool {
        match reason {
            CloseReason::WriteStalled | CloseReason::Evicted | CloseReason::Aborted => true,
            CloseReason::Idle => {
                let delivery = self.kernel.delivery(id, &connection.stream);
                !progress(delivery, connection.unsent()).is_complete
            }
            // The kernel may go on to deliver what it has; the process will not.
            CloseReason::Stopped => connection.unsent() > 0,
            CloseReason::Finished | CloseReason::Lingered | CloseReason::Broken(_) => false,
        }
    }
}

pub(super) fn broken(error: &io::Error) -> CloseReason {
    CloseReason::Broken(error.raw_os_error().unwrap_or(0))
}
