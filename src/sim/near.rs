//! The near ends of a [`Net`]: what becomes of our own calls, of what we wrote, and of what we closed
//! before it was acknowledged. What a call draws from the table of faults is not known here.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

use super::fault::Fault;
use super::net::{Net, SocketId};
use super::queue::MemoryLevel;
use super::socket::{Key, Place};
use crate::protocol::Time;

/// How long our kernel keeps an orphan whose remote machine is silent (tcp_orphan_retries, tcp(7)).
const ORPHAN_TIME_MAX: Duration = Duration::from_secs(100);

impl Net {
    /// What all sockets of the machine hold.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// How many connections we have closed that are not done.
    pub fn orphans(&self) -> usize {
        self.orphans
    }

    pub(super) fn pressure(&self) -> MemoryLevel {
        if self.memory > self.memory_max {
            MemoryLevel::Short
        } else {
            MemoryLevel::Plenty
        }
    }

    /// What the process takes for the time of what happens now: in a turn, when that began.
    pub(super) fn noticed_at(&self) -> Time {
        if self.is_asleep { self.now } else { self.seen }
    }

    /// When something happens by itself.
    pub(super) fn next(&self) -> Option<Time> {
        let acknowledged = self.clock.peek().map(|Reverse((at, _))| *at);
        let answered = Some(self.answer_at).filter(|&at| at < Time::NEVER);
        acknowledged.into_iter().chain(answered).min()
    }

    /// Does what is due by itself.
    pub(super) fn act(&mut self) {
        self.answer();
        while let Some(&Reverse((at, index))) = self.clock.peek() {
            if at > self.now {
                return;
            }
            self.clock.pop();
            let socket = self.sockets.get(index);
            if socket.is_some_and(|socket| socket.acknowledges_at == Some(at)) {
                let id = SocketId(index);
                if self.sockets[index].outbound.is_cut {
                    // An orphan whose remote end is silent.
                    self.sockets[index].die();
                    self.account(id);
                    self.forget_if_closed(id);
                } else {
                    self.acknowledge(id);
                }
            }
        }
    }

    /// Writes down what this socket holds now.
    pub(super) fn account(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id.0];
        let (bytes, is_orphan) = socket.memory_use();
        let (before, was_orphan) = std::mem::replace(&mut socket.accounted, (bytes, is_orphan));
        self.memory = self.memory + bytes - before;
        self.orphans = self.orphans + usize::from(is_orphan) - usize::from(was_orphan);
    }

    /// Sends what the remote kernel takes, which acknowledges it now or later.
    pub(super) fn carry(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id.0];
        if socket.is_dead || socket.outbound.is_cut {
            return;
        }
        socket.outbound.carry();
        if socket.tells_of_room() {
            self.wake(id, Key::Writable);
        }
        let socket = &self.sockets[id.0];
        let Some(is_much) = socket.outbound.awaits_acknowledgement() else {
            return;
        };
        if is_much || socket.delay.is_zero() || !socket.is_remote_open {
            self.acknowledge(id);
        } else if socket.acknowledges_at.is_none() {
            let at = self.now.after(socket.delay);
            self.set_clock(id, at);
        }
    }

    /// The remote machine vanishes without a FIN: nothing arrives there any more, and nothing comes.
    pub fn vanish(&mut self, id: SocketId) {
        let socket = self.socket_mut(id);
        socket.outbound.is_cut = true;
        socket.acknowledges_at = None;
        if socket.is_gone() && !socket.is_over() {
            self.outlive(id);
        }
    }

    /// Both ends are gone, and ours does not know it of the other.
    fn outlive(&mut self, id: SocketId) {
        if self.sockets[id.0].is_delivered() {
            // It waits for their end in TIME-WAIT, which holds nothing.
            self.sockets[id.0].die();
            return self.forget_if_closed(id);
        }
        self.set_clock(id, self.now.after(ORPHAN_TIME_MAX));
    }

    fn set_clock(&mut self, id: SocketId, at: Time) {
        self.sockets[id.0].acknowledges_at = Some(at);
        self.clock.push(Reverse((at, id.0)));
    }

    pub(super) fn acknowledge(&mut self, id: SocketId) {
        let (memory, at) = (self.pressure(), self.noticed_at());
        let socket = &mut self.sockets[id.0];
        let before = socket.queued();
        let key = socket.acknowledge(memory);
        if socket.queued() < before || key == Some(Key::Any) {
            socket.progresses(at);
        }
        self.account(id);
        if let Some(key) = key {
            self.wake(id, key);
        }
        self.forget_if_closed(id);
    }

    /// recv(2) on our side.
    pub(super) fn read(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, Fault> {
        let memory = self.pressure();
        let result = self.socket_mut(id).read(buffer, memory);
        self.account(id);
        result
    }

    /// send(2) on our side: how many bytes are taken.
    pub(super) fn write(&mut self, id: SocketId, offered: usize) -> Result<usize, Fault> {
        let (memory, at) = (self.pressure(), self.noticed_at());
        let socket = self.socket_mut(id);
        let (was_dead, was_empty) = (socket.is_dead, socket.queued() == 0);
        let result = socket.write(offered, memory);
        if was_empty {
            socket.progresses(at);
        }
        if socket.is_dead && !was_dead {
            self.wake(id, Key::Any);
        }
        self.account(id);
        self.carry(id);
        result
    }

    /// shutdown(2) of our half. It wakes also if it fails (inet_shutdown of Linux).
    pub(super) fn shut_ours(&mut self, id: SocketId) -> Result<(), Fault> {
        let socket = self.socket_mut(id);
        let is_over = socket.is_over();
        if !is_over {
            socket.outbound.shut();
        }
        self.wake(id, Key::Any);
        self.carry(id);
        (!is_over).then_some(()).ok_or(Fault::NotConnected)
    }

    /// Ends our side. Bytes that nobody read make it a reset; without, what we wrote still arrives, if the
    /// machine has the memory for it.
    pub(super) fn close_ours(&mut self, id: SocketId) {
        let has_unread = !self.sockets[id.0].inbound.is_empty();
        self.give_up(id, has_unread);
    }

    /// Ends our side by a reset (SO_LINGER of 0 seconds).
    pub(super) fn reset_ours(&mut self, id: SocketId) {
        self.give_up(id, true);
    }

    fn give_up(&mut self, id: SocketId, resets: bool) {
        self.release(id);
        let socket = self.socket_mut(id);
        if resets {
            socket.die();
        } else if !socket.is_dead {
            socket.outbound.shut();
        }
        socket.inbound = VecDeque::new();
        self.account(id);
        self.carry_orphan(id);
    }

    fn release(&mut self, id: SocketId) {
        self.free_descriptor();
        let socket = self.socket_mut(id);
        socket.place = Place::Gone;
        socket.watched = None;
        if std::mem::take(&mut socket.is_listed) {
            // Its number may be another's soon.
            self.unlist(id);
        }
    }

    fn carry_orphan(&mut self, id: SocketId) {
        let socket = &self.sockets[id.0];
        if socket.is_dead {
            return self.forget_if_closed(id);
        }
        if socket.outbound.is_cut {
            return self.outlive(id);
        }
        self.carry(id);
        let Some(socket) = self.sockets.get_mut(id.0) else {
            return;
        };
        let is_too_much = self.orphans > self.orphans_max || self.memory > self.memory_max;
        if is_too_much && socket.accounted.1 {
            socket.is_sacrificed = true;
            socket.die();
            self.account(id);
        }
        self.forget_if_closed(id);
    }

    /// The connection breaks on its way. What was under way is lost, an end of ours too.
    pub(super) fn break_off(&mut self, id: SocketId) {
        let socket = self.socket_mut(id);
        socket.outbound.lose();
        socket.die();
        socket.error = None;
        socket.inbound.clear();
        self.account(id);
        self.wake(id, Key::Any);
    }
}
