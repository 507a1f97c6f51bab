//! Delivered means acknowledged: what the kernel took may lie there for as long as the peer takes none of
//! it, and the kernel does not say so by itself. Who is asked about, and when, is decided here; never in
//! the way of a byte.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::connection::Connection;
use super::{Delivery, Kernel, Policy, Reactor, find, peer_id};
use crate::protocol::{CloseReason, PeerId, Service, Time};
use crate::trace::Observer;

/// How many times within a write timeout the peers are looked through: one that takes nothing is closed
/// when the timeout and at most one such part of it have passed.
const SWEEPS_PER_WRITE_TIMEOUT: u32 = 4;
/// However short a write timeout is, the loop is left in peace for so long.
const SWEEP_PAUSE_MIN: Duration = Duration::from_millis(1);
/// How many slots one turn looks through, so that a sweep over thousands delays nobody. A look costs
/// about half a microsecond.
const SLOTS_PER_TURN_MAX: usize = 1024;

/// The timer of the sweep is kept among those of the peers: nobody has this id.
pub(super) const SWEEP: PeerId = PeerId {
    slot: u32::MAX,
    generation: 0,
};

/// A peer for which the kernel held bytes when it was last looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Debt {
    acknowledged: u64,
    /// When that was last seen to grow, or first seen.
    grew_at: Time,
}

/// Who has not acknowledged everything, and when they are looked at next.
#[derive(Debug)]
pub(super) struct Debts {
    by_peer: BTreeMap<PeerId, Debt>,
    /// The shortest pause between sweeps that a policy asks for; `None`: no peer has a write timeout.
    pause: Option<Duration>,
    /// Peers with a write timeout.
    peers: usize,
    /// When the next sweep begins, or the present one goes on; [`Time::NEVER`] while nobody is there.
    next: Time,
    /// Where the present one goes on.
    slot: usize,
}

impl Debts {
    pub(super) fn new() -> Debts {
        Debts {
            by_peer: BTreeMap::new(),
            pause: None,
            peers: 0,
            next: Time::NEVER,
            slot: 0,
        }
    }

    /// Peers of this policy will come.
    pub(super) fn expect(&mut self, policy: &Policy) {
        let pause = policy
            .write_timeout
            .map(|limit| (limit / SWEEPS_PER_WRITE_TIMEOUT).max(SWEEP_PAUSE_MIN));
        self.pause = self.pause.into_iter().chain(pause).min();
    }

    /// There is nothing to wait for any more. Whether there was is returned.
    fn remove(&mut self, id: PeerId) -> bool {
        self.by_peer.remove(&id).is_some()
    }

    /// Whether the kernel held bytes for it when it was last looked at.
    fn has(&self, id: PeerId) -> bool {
        self.by_peer.contains_key(&id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_peer.is_empty()
    }
}

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Somebody of this policy is there: the peers are looked through from now on.
    pub(super) fn expect_debts(&mut self, policy: &Policy) {
        self.debts.peers += usize::from(policy.write_timeout.is_some());
        self.arm_sweep();
    }

    /// Somebody of this policy is gone.
    pub(super) fn forget_debts(&mut self, id: PeerId, policy: &Policy) {
        self.debts.remove(id);
        self.debts.peers -= usize::from(policy.write_timeout.is_some());
        if self.debts.peers == 0 {
            self.sweep_at(Time::NEVER);
            self.debts.slot = 0;
        }
    }

    fn arm_sweep(&mut self) {
        if self.debts.next == Time::NEVER
            && self.debts.peers > 0
            && let Some(pause) = self.debts.pause
        {
            self.sweep_at(self.now.after(pause));
        }
    }

    fn sweep_at(&mut self, at: Time) {
        self.timers.remove(self.debts.next, SWEEP);
        if at < Time::NEVER {
            self.timers.insert(at, SWEEP);
        }
        self.debts.next = at;
    }

    /// Looks at those who may be owed something, a part of them a turn.
    pub(super) fn sweep(&mut self) {
        let slots = self.debts.slot..self.debts.slot + SLOTS_PER_TURN_MAX;
        self.debts.slot = slots.end;
        self.sweep_at(self.now);
        for slot in slots {
            if let Some(connection) = self.peers.get(slot)
                && self.may_be_owed(slot, connection)
            {
                self.look(peer_id(slot, connection.generation()));
            }
        }
        if self.debts.slot >= self.peers.capacity() {
            self.debts.slot = 0;
            self.sweep_at(Time::NEVER);
            self.arm_sweep();
        }
    }

    /// Whether something was written, or may have been, since it was last known to have everything. Who
    /// lingers has a timer for that.
    fn may_be_owed(&self, slot: usize, connection: &Connection<K::Stream, S::Session>) -> bool {
        let policy = &self.policies[connection.policy()];
        let id = peer_id(slot, connection.generation());
        policy.write_timeout.is_some()
            && !connection.is_lingering()
            && !connection.is_connecting()
            && (connection.active() >= connection.looked_at()
                || connection.has_outbox()
                || self.debts.has(id))
    }

    /// Looks at what a peer has acknowledged. Closes one that is done, one that has everything and had the
    /// time to close its half, and one that has taken nothing for too long.
    pub(super) fn look(&mut self, id: PeerId) {
        let now = self.now;
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        // Nobody is there who could acknowledge.
        if connection.is_connecting() {
            return;
        }
        connection.on_looked(now);
        let delivery = self.kernel.delivery(id, &connection.stream);
        let delivery = progress(delivery, connection.unsent());
        if delivery.is_complete {
            let had_debt = self.debts.remove(id);
            if connection.is_done() {
                self.close(id, CloseReason::Finished);
            } else if connection.is_lingering() && !had_debt {
                self.close(id, CloseReason::Lingered);
            }
            return;
        }
        let limit = self.policies[connection.policy()].write_timeout;
        let debt = self.debts.by_peer.entry(id).or_insert(Debt {
            acknowledged: delivery.acknowledged,
            grew_at: now,
        });
        if debt.acknowledged != delivery.acknowledged {
            debt.acknowledged = delivery.acknowledged;
            debt.grew_at = now;
            connection.on_alive(now);
        } else if limit.is_some_and(|limit| now.since(debt.grew_at) >= limit) {
            self.close(id, CloseReason::WriteStalled);
        }
    }

    /// Nothing was received and nothing sent for the idle timeout. Who acknowledges is not idle; whether it
    /// does, the second look at the latest tells.
    pub(super) fn close_if_idle(&mut self, id: PeerId) {
        let was_owed = self.debts.has(id);
        self.look(id);
        let is_owed = self.debts.has(id);
        let Some(connection) = find(&mut self.peers, id) else {
            return;
        };
        if is_owed && !was_owed {
            connection.on_alive(self.now);
        } else if connection.active() < self.now {
            self.close(id, CloseReason::Idle);
        }
    }
}

/// Where the system does not tell what is acknowledged, what it took of an outbox is all that shows.
pub(super) fn progress(delivery: io::Result<Delivery>, unsent: usize) -> Delivery {
    delivery.unwrap_or(Delivery {
        acknowledged: unsent as u64,
        is_complete: unsent == 0,
    })
}
