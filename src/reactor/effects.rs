//! From a session's wishes to deeds: the one place where an effect means something.

use std::mem;

use super::{Kernel, PeerId, Reactor, Run, find};
use crate::protocol::{CloseReason, Effect, Event, Service, Time};
use crate::trace::Observer;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Tells a session something and carries out what it wishes.
    pub(super) fn step(&mut self, id: PeerId, event: Event<'_>) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let mut cx = self.effects.context(self.now, id, connection.room());
        let from = self
            .kernel
            .told(id, event, || self.service.state(&connection.session));
        self.service.step(&mut cx, &mut connection.session, event);
        let to = from.map(|_| self.service.state(&connection.session));
        self.kernel.stepped(id, from, to, &self.effects);
        let received = match event {
            Event::Received(bytes) => bytes,
            Event::Eof
            | Event::Connected
            | Event::TimerExpired(_)
            | Event::Notified
            | Event::Writable
            | Event::Stopping => &[],
        };
        self.apply(id, received);
    }

    /// Carries out what the session has just asked for; `received` is what it was told of.
    pub(super) fn apply(&mut self, id: PeerId, received: &[u8]) {
        if self.effects.list().is_empty() {
            return;
        }
        let mut effects = mem::take(&mut self.effects);
        for effect in effects.list() {
            self.carry_out(id, effect, effects.bytes(), received);
        }
        effects.clear();
        self.effects = effects;
    }

    fn carry_out(&mut self, id: PeerId, effect: &Effect, bytes: &[u8], received: &[u8]) {
        let peer = find(&mut self.peers, id);
        match (effect, peer) {
            (Effect::Send(range), Some(_)) => self.enqueue(id, &bytes[range.clone()]),
            (Effect::SendBack(range), Some(_)) => self.enqueue(id, &received[range.clone()]),
            (Effect::ShutdownWrite, Some(connection)) => connection.finish(),
            (Effect::Close, Some(connection)) => {
                connection.leave(&self.policies[connection.policy]);
            }
            (Effect::Refuse(why), Some(connection)) => {
                connection.leave(&self.policies[connection.policy]);
                self.counters.refused(id, why);
            }
            (Effect::DiscardTyped, Some(connection)) => {
                self.kernel.discard_typed(&mut connection.stream);
            }
            (Effect::SetTimer(time), Some(connection)) => {
                connection.wake_at = time.unwrap_or(Time::NEVER);
            }
            (Effect::Abort, Some(_)) => self.close(id, CloseReason::Aborted),
            (Effect::Notify(other), _) => self.woken.push_back((*other, Event::Notified)),
            (Effect::StopAccepting, _) => self.close_listeners(true),
            (Effect::Stop, _) => {
                if self.run == Run::Going {
                    self.run = Run::StopAsked;
                }
            }
            // What a session asks for itself with its last words finds nobody.
            (
                Effect::Send(_)
                | Effect::SendBack(_)
                | Effect::ShutdownWrite
                | Effect::Close
                | Effect::Refuse(_)
                | Effect::DiscardTyped
                | Effect::SetTimer(_)
                | Effect::Abort,
                None,
            ) => {}
        }
    }

    /// Puts bytes into a peer's outbox, unless we have said that no more comes.
    pub(super) fn enqueue(&mut self, id: PeerId, bytes: &[u8]) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if connection.is_speaking() {
            self.buffered_bytes -= connection.buffered_bytes();
            let outbox = connection.outbox.get_or_insert_with(|| self.pool.take());
            outbox.push(bytes);
            self.buffered_bytes += outbox.buffered_bytes();
        }
    }
}
