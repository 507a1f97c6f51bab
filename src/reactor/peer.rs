//! What happens to one peer until its session is told: it opens, the kernel says something, it is read, its
//! timer comes. How its answer goes out is decided in `flush.rs`.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::close::broken;
use super::connection::Beginning;
use super::delivery::SWEEP;
use super::outcome::{Outcome, classify};
use super::{
    Connection, Due, Kernel, OUTBOX_BYTES_MAX, Outbound, PeerId, PolicyId, Reactor, Readiness, Run,
    SCRATCH_BYTES, Token, Unread, find, peer_id,
};
use crate::protocol::{CloseReason, Event, Peer, Service};
use crate::trace::{Observer, TraceEvent};

/// How much one peer is read in one turn; the rest waits for the next turn, behind the others.
pub const READ_BYTES_PER_TURN_MAX: usize = 64 * 1024;
/// What a read counts at least against that budget, so that many small ones come to an end too.
const READ_COST_MIN: usize = 1024;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Takes a stream as a peer; `is_client` if it came through a listener and counts against the limits. By
    /// the time this returns it may be gone.
    pub(super) fn open(
        &mut self,
        mut stream: K::Stream,
        (origin, policy): (S::Origin, PolicyId),
        (outbound, is_client): (Outbound, bool),
        address: Option<SocketAddr>,
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        let entry = self.peers.vacant_entry();
        let id = peer_id(entry.key(), self.generation);
        let interest = outbound.first_interest();
        let kernel = &mut self.kernel.kernel;
        if let Err(error) = kernel.register(&mut stream, Token::peer(id), interest) {
            self.kernel.watched(id, interest, Err(&error));
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
                address,
                name,
                state,
            });
            self.kernel.watched(id, interest, Ok(()));
            self.kernel.stepped(id, None, None, &self.effects);
        }
        let beginning = Beginning {
            generation: id.generation,
            policy,
            outbound,
            is_client,
            is_socket: self.kernel.kernel.is_socket(&stream),
            at: self.now,
        };
        entry.insert(Connection::new(stream, session, beginning));
        let policy = self.policies[policy];
        self.expect_debts(&policy);
        if let Some(address) = address.filter(|_| is_client) {
            self.per_address.add(id, address.ip());
            self.clients += 1;
        }
        // Only now: what it sends may fail, and who is closed then is counted as gone.
        self.apply(id, &[]);
        self.mark_dirty(id);
        if let Run::Stopping(_) = self.run {
            self.ask_for_last_words(id);
        }
        self.enforce_memory_limit();
        Ok(id)
    }

    /// The send phase of this turn shall look at this peer.
    pub(super) fn mark_dirty(&mut self, id: PeerId) {
        if let Some(connection) = find(&mut self.peers, id)
            && connection.mark_dirty()
        {
            self.dirty.push(id);
        }
    }

    /// Remembers what the kernel said about a peer, which may be gone. True if it is to be read now.
    #[inline]
    pub(super) fn on_ready(&mut self, id: PeerId, readiness: &Readiness) -> bool {
        // To one that just has something to read, nothing happens before it is read.
        if readiness.has_more() {
            self.on_more_than_readable(id, readiness);
        }
        let may_be_read = readiness.is_readable() | readiness.must_drain();
        find(&mut self.peers, id).is_some_and(|peer| may_be_read && peer.is_to_be_read())
    }

    #[inline(never)]
    fn on_more_than_readable(&mut self, id: PeerId, readiness: &Readiness) {
        if let Some(connection) = find(&mut self.peers, id) {
            connection.on_ready(readiness);
            let is_connecting = connection.is_connecting();
            self.mark_dirty(id);
            if is_connecting {
                self.on_answer(id);
            }
        }
    }

    /// The kernel spoke of a peer that we have called: it has answered, or not yet, or never will. It is told
    /// nothing else before.
    #[cold]
    fn on_answer(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        let established = loop {
            match self.kernel.connected(id, &mut connection.stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match established {
            Ok(()) => {
                connection.on_connected();
                self.dispatch(id, Event::Connected);
                self.enforce_memory_limit();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.close(id, broken(&error)),
        }
    }

    /// Reads a peer within its budget and its window. Every way out says in `unread` what may be left, because
    /// the kernel does not tell of it again.
    #[allow(
        clippy::inline_always,
        reason = "measured: in pieces, the way of a byte costs twice as many instructions"
    )]
    #[inline(always)]
    pub(super) fn read(&mut self, id: PeerId) {
        let mut scratch = self.scratch.take().expect("lent for one read only");
        let mut budget = READ_BYTES_PER_TURN_MAX;
        let mut total = 0;
        let mut is_drained = false;
        while let Some(connection) = find(&mut self.peers, id) {
            let wanted = self.service.read_limit(&connection.session);
            let policy = || &self.policies[connection.policy()];
            let limit = connection.read_limit(policy, wanted).min(SCRATCH_BYTES);
            if limit == 0 {
                self.pause_reading(id);
                break;
            }
            let buffer = &mut scratch[..limit];
            let cost = match classify(self.kernel.read(id, &mut connection.stream, buffer)) {
                Outcome::Bytes(count) => {
                    total += count;
                    is_drained = connection.on_read(count, limit, self.now);
                    if connection.is_heard() {
                        let received = &scratch[..count];
                        let cx = self.effects.context(self.now, id, connection.room());
                        let (session, event) = (&mut connection.session, Event::Received(received));
                        let (from, to) = self.kernel.step(&mut self.service, session, cx, event);
                        self.kernel.stepped(id, from, to, &self.effects);
                        self.apply(id, received);
                    }
                    if is_drained {
                        break;
                    }
                    count.max(READ_COST_MIN)
                }
                Outcome::End => {
                    self.on_eof(id);
                    break;
                }
                Outcome::WouldBlock => {
                    connection.on_drained(self.kernel.kernel.is_socket(&connection.stream));
                    break;
                }
                Outcome::Interrupted => READ_COST_MIN,
                Outcome::Failed(error) => {
                    self.close(id, broken(&error));
                    break;
                }
            };
            budget = budget.saturating_sub(cost);
            if budget == 0 {
                self.queue_reading(id);
                break;
            }
        }
        self.scratch = Some(scratch);
        self.count_last_words(id, total);
        // Else there is nothing that the send phase would have to see to, but for what it is marked dirty for.
        if !is_drained {
            self.mark_dirty(id);
        }
    }

    /// A peer is not read now: its outbox is full, or its session does not want to hear it.
    #[cold]
    fn pause_reading(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        connection.pause_reading();
        let policy = &self.policies[connection.policy()];
        if O::IS_ON
            && let Some(why) = connection.read_pause(policy)
        {
            self.kernel.note(&TraceEvent::ReadPaused { peer: id, why });
        }
    }

    /// Reading it goes on in the next turn, behind the others.
    pub(super) fn queue_reading(&mut self, id: PeerId) {
        if let Some(connection) = find(&mut self.peers, id) {
            connection.queue_reading();
            self.unread.push_back(id);
        }
    }

    /// A timer of this peer has come.
    pub(super) fn fire(&mut self, id: PeerId) {
        let Some(connection) = find(&mut self.peers, id) else {
            // All others go with their peers.
            assert_eq!(id, SWEEP, "nobody's timer");
            return self.sweep();
        };
        connection.on_timer();
        self.kernel.note(&TraceEvent::Fired { peer: id });
        let policy = &self.policies[connection.policy()];
        match connection.due(policy, self.drained_until) {
            Due::Nothing => {}
            // What it sent in time is read first; the send phase sets the timer again.
            Due::Wake
                if connection.is_behind(policy, self.service.read_limit(&connection.session)) => {}
            Due::Wake => {
                let at = connection.wake_at();
                connection.set_timer(None);
                self.dispatch(id, Event::TimerExpired(at));
            }
            Due::Look => self.look(id),
            Due::Close(CloseReason::Idle) if connection.unread() == Unread::Queued => {
                // It did send something; we have not come round to reading it.
                connection.on_alive(self.now);
            }
            Due::Close(CloseReason::Idle) => self.close_if_idle(id),
            Due::Close(reason) => return self.close(id, reason),
        }
        self.mark_dirty(id);
    }
}
