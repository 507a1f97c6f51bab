//! The end of a run: who is read once more, who is told of it, and who is closed when its grace is over. When
//! a run ends is not decided here.

use std::mem;
use std::time::Duration;

use super::{ACCEPTS_PER_TURN_MAX, Accepting, Kernel, Reactor, Run, Unread, find, peer_id};
use crate::protocol::{CloseReason, Event, PeerId, Service, Time};
use crate::trace::Observer;

/// A session that is to be woken within so long may be waiting for the silence that ends a message: it is woken
/// before it is told that the run ends.
const LAST_WAKES_MAX: Duration = Duration::from_millis(100);
/// What one who was slow to take its answers is still read of, at most.
const HELD_UP_BYTES_MAX: usize = 8 << 20;
/// Connections accepted from one listener before it is closed, at most: as many as its backlog holds, if nobody
/// chose otherwise.
const LAST_ACCEPTS_MAX: usize = 4096;

/// What a peer may still have to say though the run is to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastWords {
    /// It is read of so many bytes more, at most.
    left: usize,
    /// It was slow to take its answers, and our not reading kept it from sending: what waits in its own
    /// kernel for that was said before, too.
    was_held_up: bool,
}

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Nobody new comes in; what has arrived is read, and everybody gets what they are owed, for as long as
    /// the grace lasts. The order matters: who waits is accepted before the listeners close, and is a peer, too,
    /// when the peers are asked.
    pub(super) fn begin_stop(&mut self) {
        self.accept_the_last();
        self.close_listeners(false);
        self.wakes_until = self.now.after(LAST_WAKES_MAX);
        let grace = self.limits.grace;
        self.run = Run::Stopping(grace.map_or(Time::NEVER, |grace| self.now.after(grace)));
        for id in self.ids() {
            self.ask_for_last_words(id);
        }
    }

    /// Who waits to be accepted has a connection already, and may have said something: closing the listeners
    /// would reset it.
    fn accept_the_last(&mut self) {
        for listening in &mut self.listeners {
            listening.accepting = Accepting::Ready;
        }
        for _ in 0..LAST_ACCEPTS_MAX / ACCEPTS_PER_TURN_MAX {
            for place in 0..self.listeners.len() {
                self.accept(place);
            }
        }
    }

    /// Has a peer read until it has nothing more to say, or until as much was read as can have arrived
    /// before now.
    pub(super) fn ask_for_last_words(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let stream = &connection.stream;
        let is_socket = self.kernel.kernel.is_socket(stream);
        let arrived_max = self.kernel.kernel.receive_buffer(stream).unwrap_or(0);
        if !is_socket || !connection.is_heard() || connection.is_connecting() {
            self.drained.push(id);
            return;
        }
        let was_held_up = connection.unread() == Unread::Paused && connection.has_outbox();
        let left = if was_held_up {
            arrived_max.max(HELD_UP_BYTES_MAX)
        } else {
            arrived_max
        };
        self.last_words.insert(id, LastWords { left, was_held_up });
        // Only where the kernel says that there is no more, nothing has arrived.
        connection.drain();
        if connection.queue_reading() {
            self.unread.push_back(id);
        }
    }

    /// While the run is to stop, a peer was read, so many bytes: that may have been its last words.
    #[inline]
    pub(super) fn count_last_words(&mut self, id: PeerId, read: usize) {
        if !self.last_words.is_empty() {
            self.count_words(id, read);
        }
    }

    fn count_words(&mut self, id: PeerId, read: usize) {
        let Some(words) = self.last_words.get_mut(&id) else {
            return;
        };
        words.left = words.left.saturating_sub(read);
        let (is_enough, was_held_up) = (words.left == 0, words.was_held_up);
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let is_over = match connection.unread() {
            Unread::Nothing => is_enough || !was_held_up || !connection.has_outbox(),
            Unread::Queued => is_enough,
            // It may have to take something first; but its session may not want to hear any more of it.
            Unread::Paused => is_enough || self.service.read_limit(&connection.session) == 0,
        };
        if is_over {
            self.last_words.remove(&id);
            self.drained.push(id);
        }
    }

    /// Tells those whose last words were heard. Once the grace is over everybody is closed: who still had
    /// something to say is not told an end that would make what it got look whole.
    pub(super) fn go_on_stopping(&mut self, deadline: Time) {
        // What they said may be for others, who are not told before they have got it.
        self.dispatch_notifications();
        self.dismiss();
        if deadline <= self.now {
            self.send();
            for id in self.ids() {
                self.close(id, CloseReason::Stopped);
            }
        }
    }

    /// Tells those whose input was drained that the run ends, and lets them leave.
    fn dismiss(&mut self) {
        let (drained, later): (Vec<_>, Vec<_>) = mem::take(&mut self.drained)
            .into_iter()
            .partition(|&id| self.may_be_dispatched(id));
        self.drained = later;
        for &id in &drained {
            self.dispatch(id, Event::Stopping);
            self.enforce_memory_limit();
        }
        self.dispatch_notifications();
        for &id in &drained {
            match find(&mut self.peers, id) {
                // Nobody is there who could be owed something.
                Some(connection) if connection.is_connecting() => {
                    self.close(id, CloseReason::Stopped);
                }
                Some(connection) => connection.leave(&self.policies[connection.policy()]),
                None => {}
            }
            self.mark_dirty(id);
        }
    }

    /// Whether one whose input was drained is to be told now that the run ends, and not after its session is woken.
    pub(super) fn may_be_dispatched(&self, id: PeerId) -> bool {
        let connection = self.peers.get(id.slot as usize);
        let connection = connection.filter(|connection| connection.generation() == id.generation);
        self.wakes_until <= self.now
            || connection.is_none_or(|connection| connection.wake_at() > self.wakes_until)
    }

    fn ids(&self) -> Vec<PeerId> {
        self.peers
            .iter()
            .map(|(slot, connection)| peer_id(slot, connection.generation()))
            .collect()
    }
}
