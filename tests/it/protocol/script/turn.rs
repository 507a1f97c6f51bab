//! What the reactor does for a script: turns of reading, waking and closing, until all is quiet.

use epollo::protocol::{CloseReason, Effect, Effects, Event, PeerId, Service};

use super::{Inbound, ROOM, ROOM_AGAIN, Run, Script, TURNS_MAX};

impl<S: Service> Script<S> {
    /// Turns until nothing is left to do at this time.
    pub fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            let has_read = self.receive();
            let is_quiet = !has_read && self.woken.is_empty() && self.run != Run::StopAsked;
            if self.run == Run::StopAsked {
                self.begin_stop();
            }
            self.tell_woken();
            if !self.close_done() && is_quiet && !self.fire() {
                return;
            }
        }
        panic!("the machines wake each other for ever");
    }

    /// Tells those whose time has come, now that all that was sent before is read; returns whether there
    /// was one.
    fn fire(&mut self) -> bool {
        let now = self.now;
        let ids: Vec<PeerId> = self.live().collect();
        let mut has_fired = false;
        for id in ids {
            if let Some(peer) = self.peer(id)
                && let Some(at) = peer.wake_at.take_if(|at| *at <= now)
            {
                self.step(id, Event::TimerExpired(at));
                has_fired = true;
            }
        }
        has_fired
    }

    /// Reads every peer as far as its window allows; nobody is woken. Returns whether one was read.
    pub fn receive(&mut self) -> bool {
        let ids: Vec<PeerId> = self.live().collect();
        let mut has_read = false;
        for id in ids {
            has_read |= self.read(id);
        }
        has_read
    }

    fn read(&mut self, id: PeerId) -> bool {
        let mut has_read = false;
        while let Some(peer) = self.peers[id.slot as usize].as_mut() {
            let read_limit = match peer.inbound {
                Inbound::Open if peer.is_parked => return has_read,
                Inbound::Finished => return has_read,
                Inbound::Discarding => usize::MAX,
                Inbound::Open if peer.unsent > ROOM_AGAIN => 0,
                Inbound::Open => self
                    .service
                    .read_limit(&peer.session)
                    .min(ROOM - peer.unsent),
            };
            let count = read_limit.min(peer.kernel.len()).min(self.read_bytes_max);
            let is_open = peer.inbound == Inbound::Open;
            if count > 0 {
                let bytes: Vec<u8> = peer.kernel.drain(..count).collect();
                if is_open {
                    self.step(id, Event::Received(&bytes));
                }
            } else if peer.kernel.is_empty() && peer.has_ended {
                peer.inbound = Inbound::Finished;
                if is_open {
                    self.step(id, Event::Eof);
                }
            } else {
                peer.is_parked = true;
                return has_read;
            }
            has_read = true;
        }
        has_read
    }

    fn tell_woken(&mut self) {
        for _ in 0..self.woken.len() {
            if let Some((id, event)) = self.woken.pop_front() {
                self.step(id, event);
            }
        }
    }

    fn begin_stop(&mut self) {
        self.run = Run::Stopping;
        self.is_accepting = false;
        let ids: Vec<PeerId> = self.live().collect();
        for &id in &ids {
            self.step(id, Event::Stopping);
        }
        self.tell_woken();
        for id in ids {
            self.leave(id);
        }
    }

    pub(super) fn step(&mut self, id: PeerId, event: Event<'_>) {
        let Some(peer) = self.peers[id.slot as usize].as_mut() else {
            return;
        };
        let mut effects = Effects::default();
        let room = ROOM.saturating_sub(peer.unsent);
        let mut cx = effects.context(self.now, id, room);
        peer.is_parked = false;
        self.service.step(&mut cx, &mut peer.session, event);
        let received = match event {
            Event::Received(bytes) => bytes,
            Event::Eof
            | Event::Connected
            | Event::TimerExpired(_)
            | Event::Notified
            | Event::Writable
            | Event::Stopping => &[],
        };
        self.carry_out(id, &effects, received);
    }

    pub(super) fn carry_out(&mut self, id: PeerId, effects: &Effects, received: &[u8]) {
        for effect in effects.list() {
            match effect {
                Effect::Send(range) => self.deliver(id, &effects.bytes()[range.clone()]),
                Effect::SendBack(range) => self.deliver(id, &received[range.clone()]),
                Effect::ShutdownWrite => self.end(id),
                Effect::Close => self.leave(id),
                Effect::Refuse(why) => {
                    self.records[id.slot as usize].refusal = Some(why);
                    self.leave(id);
                }
                Effect::Abort => self.close(id, CloseReason::Aborted),
                Effect::DiscardTyped => {
                    if let Some(peer) = self.peer(id) {
                        peer.kernel.clear();
                        peer.held.clear();
                    }
                }
                Effect::SetTimer(at) => {
                    if let Some(peer) = self.peer(id) {
                        peer.wake_at = *at;
                    }
                }
                Effect::Notify(other) => self.woken.push_back((*other, Event::Notified)),
                Effect::StopAccepting => self.is_accepting = false,
                Effect::Stop if self.run == Run::Going => self.run = Run::StopAsked,
                Effect::Stop => {}
            }
        }
    }

    fn deliver(&mut self, id: PeerId, bytes: &[u8]) {
        let Some(peer) = self.peer(id).filter(|peer| !peer.was_told_end) else {
            self.records[id.slot as usize].sent_too_late += bytes.len();
            return;
        };
        if peer.is_stuck {
            peer.unsent += bytes.len();
        }
        self.records[id.slot as usize].sent.extend_from_slice(bytes);
    }

    fn end(&mut self, id: PeerId) {
        if let Some(peer) = self.peer(id) {
            peer.was_told_end = true;
            self.records[id.slot as usize].has_end = true;
        }
    }

    fn leave(&mut self, id: PeerId) {
        self.end(id);
        if let Some(peer) = self.peer(id)
            && peer.inbound == Inbound::Open
        {
            peer.inbound = Inbound::Discarding;
        }
    }

    /// Closes those whose two halves have ended; returns whether there was one.
    fn close_done(&mut self) -> bool {
        let ids: Vec<PeerId> = self.live().filter(|id| self.is_done(*id)).collect();
        for &id in &ids {
            self.close(id, CloseReason::Finished);
        }
        !ids.is_empty()
    }

    fn is_done(&self, id: PeerId) -> bool {
        let peer = self.peers[id.slot as usize].as_ref();
        peer.is_some_and(|peer| {
            let nobody_waits = match peer.inbound {
                Inbound::Open => false,
                Inbound::Discarding => !self.lingers,
                Inbound::Finished => true,
            };
            peer.was_told_end && peer.unsent == 0 && nobody_waits
        })
    }

    pub(super) fn close(&mut self, id: PeerId, reason: CloseReason) {
        let Some(peer) = self.peers[id.slot as usize].take() else {
            return;
        };
        self.records[id.slot as usize].ending = Some(reason);
        let mut effects = Effects::default();
        let mut cx = effects.context(self.now, id, 0);
        self.service.close(&mut cx, peer.session, reason);
        self.carry_out(id, &effects, &[]);
    }
}
