//! What happens to one peer: it opens, is noticed, read, told, settled and closed. The loop over
//! all of them is the reactor's `run`.

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;

use super::close::broken;
use super::delivery::SWEEP;
use super::{
    Connection, Due, Inbound, Interest, Kernel, OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX, Outbound,
    PeerId, PolicyId, Reactor, Readiness, Unread, find, peer_id,
};
use crate::protocol::{CloseReason, Event, Peer, Service, Time};
use crate::trace::{Observer, TraceEvent};

/// How much one peer is read in one turn; the rest waits for the next turn, behind the others.
pub const READ_BYTES_PER_TURN_MAX: usize = 64 * 1024;
/// What a read counts at least against that budget, so that many small ones come to an end too.
const READ_COST_MIN: usize = 1024;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    pub(super) fn open(
        &mut self,
        mut stream: K::Stream,
        (origin, policy): (S::Origin, PolicyId),
        outbound: Outbound,
        address: Option<SocketAddr>,
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        let entry = self.peers.vacant_entry();
        let id = peer_id(entry.key(), self.generation);
        let interest = match outbound {
            Outbound::Connecting | Outbound::ConnectingToFinish => Interest::Both,
            Outbound::Open | Outbound::Finishing | Outbound::Finished => Interest::Readable,
        };
        if let Err(error) = self.kernel.register(id, &mut stream, interest) {
            self.give_back(stream);
            return Err(error);
        }
        let mut cx = self.effects.context(self.now, id, OUTBOX_BYTES_MAX);
        let peer = Peer { id, address, name };
        let session = self.service.open(&mut cx, origin, &peer);
        if O::IS_ON {
            let state = self.service.state(&session);
            self.kernel.note(&TraceEvent::Opened {
                peer: id,
                name,
                state,
            });
            self.kernel.watched(id, interest, &Ok(()));
            self.kernel.stepped(id, None, None, &self.effects);
        }
        let is_socket = self.kernel.kernel.is_socket(&stream);
        entry.insert(Connection {
            stream,
            session,
            outbox: None,
            active: self.now,
            wake_at: Time::NEVER,
            looked_at: self.now,
            timer: Time::NEVER,
            generation: id.generation,
            policy,
            inbound: Inbound::Open,
            outbound,
            // The kernel tells of a new socket's bytes; of a file it would tell nothing.
            unread: if is_socket {
                Unread::Nothing
            } else {
                Unread::Paused
            },
            must_drain: !is_socket,
            has_failed: false,
            watched: interest,
            is_dirty: false,
            is_client: false,
        });
        let policy = self.policies[policy];
        self.expect_debts(&policy);
        self.apply(id, &[]);
        self.mark_dirty(id);
        Ok(id)
    }

    /// The send phase of this turn shall look at this peer.
    pub(super) fn mark_dirty(&mut self, id: PeerId) {
        if let Some(connection) = find(&mut self.peers, id)
            && !mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push(id);
        }
    }

    /// Remembers what the kernel said about a peer, which may be gone, and reads it if there may be
    /// something.
    pub(super) fn notice(&mut self, id: PeerId, readiness: &Readiness) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if (readiness.writable || readiness.must_drain)
            && let Some(outbox) = &mut connection.outbox
        {
            outbox.is_blocked = false;
        }
        connection.must_drain |= readiness.must_drain;
        connection.has_failed |= readiness.has_failed;
        if connection.is_connecting() && !self.on_answer(id) {
            return;
        }
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if (readiness.readable || readiness.must_drain)
            && connection.unread != Unread::Queued
            && connection.inbound != Inbound::Finished
        {
            connection.unread = Unread::Queued;
            self.read(id);
        }
        self.mark_dirty(id);
    }

    /// The kernel spoke of a peer that we have called. False if it has not answered yet, or never will; it
    /// is told nothing else before.
    fn on_answer(&mut self, id: PeerId) -> bool {
        let Some(connection) = find(&mut self.peers, id) else {
            return false;
        };
        let answer = loop {
            match self.kernel.connected(&mut connection.stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => break answer,
            }
        };
        match answer {
            Ok(()) => {
                connection.on_connected();
                self.step(id, Event::Connected);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                self.close(id, broken(&error));
                false
            }
        }
    }

    /// Reads a peer within its budget and its window. Every way out says in `unread` what may be left, because
    /// the kernel does not tell of it again.
    pub(super) fn read(&mut self, id: PeerId) {
        let mut scratch = self.scratch.take().expect("lent for one step only");
        let mut budget = READ_BYTES_PER_TURN_MAX;
        let mut total = 0;
        while let Some(connection) = find(&mut self.peers, id) {
            let wanted = self.service.read_limit(&connection.session);
            let policy = &self.policies[connection.policy];
            let read_limit = connection.read_limit(policy, wanted).min(scratch.len());
            if read_limit == 0 {
                connection.unread = Unread::Paused;
                if O::IS_ON
                    && let Some(why) = connection.read_pause(policy)
                {
                    self.kernel.note(&TraceEvent::ReadPaused { peer: id, why });
                }
                break;
            }
            let cost =
                match self
                    .kernel
                    .read(id, &mut connection.stream, &mut scratch[..read_limit])
                {
                    Ok(0) => {
                        self.on_eof(id);
                        break;
                    }
                    Ok(count) => {
                        connection.active = self.now;
                        total += count;
                        let is_drained = count < read_limit && !connection.must_drain;
                        if connection.inbound == Inbound::Open {
                            self.step(id, Event::Received(&scratch[..count]));
                        }
                        if is_drained {
                            self.set_unread(id, Unread::Nothing);
                            break;
                        }
                        count.max(READ_COST_MIN)
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        connection.must_drain = !self.kernel.kernel.is_socket(&connection.stream);
                        connection.unread = Unread::Nothing;
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => READ_COST_MIN,
                    Err(error) => {
                        self.close(id, broken(&error));
                        break;
                    }
                };
            budget = budget.saturating_sub(cost);
            if budget == 0 {
                self.set_unread(id, Unread::Queued);
                break;
            }
        }
        self.scratch = Some(scratch);
        self.count_last_words(id, total);
        self.mark_dirty(id);
    }

    pub(super) fn set_unread(&mut self, id: PeerId, unread: Unread) {
        if let Some(connection) = find(&mut self.peers, id) {
            connection.unread = unread;
            if unread == Unread::Queued {
                self.unread.push_back(id);
            }
        }
    }

    /// A timer of this peer has come.
    pub(super) fn fire(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            // All others go with their peers.
            assert_eq!(id, SWEEP, "nobody's timer");
            return self.sweep();
        };
        connection.timer = Time::NEVER;
        self.kernel.note(&TraceEvent::Fired { peer: id });
        let policy = &self.policies[connection.policy];
        match connection.due(policy, self.drained_until) {
            Due::Nothing => {}
            // What it sent in time is read first; the send phase sets the timer again.
            Due::Wake
                if connection.is_behind(policy, self.service.read_limit(&connection.session)) => {}
            Due::Wake => {
                let at = mem::replace(&mut connection.wake_at, Time::NEVER);
                self.step(id, Event::TimerExpired(at));
            }
            Due::Look => self.look(id),
            Due::Close(CloseReason::Idle) if connection.unread == Unread::Queued => {
                // It did send something; we have not come round to reading it.
                connection.active = self.now;
            }
            Due::Close(CloseReason::Idle) => self.close_if_idle(id),
            Due::Close(reason) => return self.close(id, reason),
        }
        self.mark_dirty(id);
    }

    /// Brings everything about a peer in line with its state: writes, ends its half, closes it if
    /// it is done, and arms what must be armed. The order matters: a half ends only behind its last byte, a peer
    /// is done only when both have ended, and what is armed follows from what is left then.
    pub(super) fn flush(&mut self, id: PeerId) {
        self.look_for_error(id);
        self.look_for_eof(id);
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        connection.is_dirty = false;
        let unsent_before = connection.unsent();
        if let Err(error) = self.write(id) {
            return self.close(id, broken(&error));
        }
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let policy = self.policies[connection.policy];
        if connection.outbound == Outbound::Finishing && connection.outbox.is_none() {
            connection.outbound = Outbound::Finished;
            connection.looked_at = self.now;
            if connection.is_done() && self.is_over(id) {
                return;
            }
            self.shut(id);
        } else if connection.is_done() && self.is_over(id) {
            return;
        }
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if unsent_before > 0 && connection.outbox.is_none() {
            self.count_last_words(id, 0);
        }
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if unsent_before > OUTBOX_BYTES_LOW && connection.unsent() <= OUTBOX_BYTES_LOW {
            self.woken.push_back((id, Event::Writable));
        }
        let wanted = self.service.read_limit(&connection.session);
        if connection.unread == Unread::Paused && connection.read_limit(&policy, wanted) > 0 {
            connection.unread = Unread::Queued;
            self.unread.push_back(id);
        }
        let deadline = connection.deadline(&policy);
        if deadline < connection.timer {
            self.timers.remove(connection.timer, id);
            self.timers.insert(deadline, id);
            connection.timer = deadline;
            self.kernel.note(&TraceEvent::TimerSet {
                peer: id,
                at: deadline,
            });
        }
        self.watch(id);
    }

    fn write(&mut self, id: PeerId) -> io::Result<()> {
        let Some(connection) = find(&mut self.peers, id) else {
            return Ok(());
        };
        if connection.is_connecting() {
            return Ok(());
        }
        let Some(mut outbox) = connection.outbox.take() else {
            return Ok(());
        };
        self.buffered_bytes -= outbox.buffered_bytes();
        let is_socket = self.kernel.kernel.is_socket(&connection.stream);
        let mut result = Ok(());
        while !outbox.is_blocked && !outbox.pending().is_empty() {
            let offered = outbox.pending().len();
            let written = if connection.outbound == Outbound::Finishing {
                self.kernel
                    .write_last(id, &mut connection.stream, outbox.pending())
            } else {
                self.kernel
                    .write(id, &mut connection.stream, outbox.pending())
            };
            match written {
                Ok(0) => {
                    result = Err(io::ErrorKind::WriteZero.into());
                    break;
                }
                Ok(count) => {
                    connection.active = self.now;
                    outbox.advance(count);
                    outbox.is_blocked = is_socket && count < offered;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => outbox.is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if outbox.pending().is_empty() {
            self.pool.give_back(outbox);
        } else {
            self.buffered_bytes += outbox.buffered_bytes();
            connection.outbox = Some(outbox);
        }
        result
    }

    /// Tells the kernel what to watch, if that has changed.
    fn watch(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let interest = connection.interest();
        if interest == connection.watched {
            return;
        }
        connection.watched = interest;
        if let Err(error) = self.kernel.reregister(id, &mut connection.stream, interest) {
            log::warn!("peer {id}: cannot be watched: {error}");
            self.close(id, broken(&error));
        }
    }
}
