//! A session is told something, and what it asks for is done: the one place where an effect means something.

use std::mem;
use std::ops::Range;

use super::{Kernel, PeerId, Reactor, Run, find};
use crate::protocol::{CloseReason, Effect, Event, Service};
use crate::trace::Observer;

/// Bytes that a step sends, where they lie: in what the session was told, or in what it composed.
struct Piece {
    is_received: bool,
    range: Range<usize>,
}

impl Piece {
    fn of(effect: &Effect) -> Option<Piece> {
        let (is_received, range) = match effect {
            Effect::Send(range) => (false, range.clone()),
            Effect::SendBack(range) => (true, range.clone()),
            Effect::ShutdownWrite
            | Effect::Close
            | Effect::Refuse(_)
            | Effect::Abort
            | Effect::DiscardTyped
            | Effect::SetTimer(_)
            | Effect::Notify(_)
            | Effect::StopAccepting
            | Effect::Stop => return None,
        };
        Some(Piece { is_received, range })
    }

    fn bytes<'a>(&self, composed: &'a [u8], received: &'a [u8]) -> &'a [u8] {
        if self.is_received {
            part_of(received, &self.range)
        } else {
            &composed[self.range.clone()]
        }
    }

    /// Takes in what follows, if both are one piece: what a step composes lies one after another.
    fn joins(&mut self, next: &Piece) -> bool {
        let is_one = self.is_received == next.is_received && self.range.end == next.range.start;
        if is_one {
            self.range.end = next.range.end;
        }
        is_one
    }
}

/// What a session sends back of what it was told.
#[inline]
fn part_of<'a>(received: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    let part = received.get(range.clone());
    part.unwrap_or_else(|| never_received(received.len(), range))
}

#[cold]
fn never_received(count: usize, range: &Range<usize>) -> ! {
    panic!("Context::send_back({range:?}): {count} bytes were received in this step")
}

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Tells a session that something other than bytes has come, and carries out what it asks for.
    pub(super) fn dispatch(&mut self, id: PeerId, event: Event<'_>) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let cx = self.effects.context(self.now, id, connection.room());
        let session = &mut connection.session;
        let (from, to) = self.kernel.step(&mut self.service, session, cx, event);
        self.kernel.stepped(id, from, to, &self.effects);
        self.apply(id, &[]);
    }

    /// Carries out what the session has just asked for; `received` is what it was told of. What it sends goes
    /// out last, since its end may follow, and in one write where it lies in one piece.
    #[allow(
        clippy::inline_always,
        reason = "measured: in pieces, the way of a byte costs twice as many instructions"
    )]
    #[inline(always)]
    pub(super) fn apply(&mut self, id: PeerId, received: &[u8]) {
        match self.effects.list() {
            [] => {}
            [Effect::SendBack(range)] => {
                let sending = part_of(received, range);
                self.effects.clear();
                self.send_bytes(id, sending);
            }
            _ => self.apply_in_order(id, received),
        }
    }

    fn apply_in_order(&mut self, id: PeerId, received: &[u8]) {
        // What is closed in the middle of it has effects of its own.
        let mut effects = mem::take(&mut self.effects);
        let mut sending: Option<Piece> = None;
        for effect in effects.list() {
            let Some(next) = Piece::of(effect) else {
                self.carry_out(id, effect);
                continue;
            };
            let peer = find(&mut self.peers, id);
            if !peer.is_some_and(|connection| connection.is_speaking()) {
                continue;
            }
            if sending.as_mut().is_some_and(|piece| piece.joins(&next)) {
                continue;
            }
            if let Some(piece) = sending.replace(next) {
                self.enqueue(id, piece.bytes(effects.bytes(), received), false);
            }
        }
        if let Some(piece) = sending {
            self.offer_bytes(id, piece.bytes(effects.bytes(), received));
        }
        effects.clear();
        self.effects = effects;
    }

    /// Does what is no sending.
    fn carry_out(&mut self, id: PeerId, effect: &Effect) {
        self.mark_dirty(id);
        let peer = find(&mut self.peers, id);
        match (effect, peer) {
            (Effect::ShutdownWrite, Some(connection)) => connection.finish(),
            (Effect::Close, Some(connection)) => {
                connection.leave(&self.policies[connection.policy()]);
            }
            (Effect::Refuse(why), Some(connection)) => {
                connection.leave(&self.policies[connection.policy()]);
                self.counters.refused(id, why);
            }
            (Effect::DiscardTyped, Some(connection)) => {
                self.kernel.kernel.discard_typed(&mut connection.stream);
            }
            (Effect::SetTimer(time), Some(connection)) => connection.set_timer(*time),
            (Effect::Abort, Some(_)) => self.close(id, CloseReason::Aborted),
            (Effect::Notify(other), _) => self.notifications.push_back((*other, Event::Notified)),
            (Effect::StopAccepting, _) => self.close_listeners(true),
            (Effect::Stop, _) => {
                if self.run == Run::Going {
                    self.run = Run::StopAsked;
                }
            }
            // Sent elsewhere. And what a session asks for itself with its last words finds nobody.
            (Effect::Send(_) | Effect::SendBack(_), Some(_)) | (_, None) => {}
        }
    }
}
