//! Listeners: asking them for the next connection, and whom to turn away. What becomes
//! of a connection that stays is not decided here.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::kernel::canonical;
use super::{Kernel, Outbound, PolicyId, Reactor};
use crate::protocol::{PeerId, Service, Time};
use crate::trace::{Observer, TraceEvent};

/// Connections accepted from one listener in one turn, at most; the rest waits for the next turn.
pub const ACCEPTS_PER_TURN_MAX: usize = 128;
/// How long a listener rests when the machine has nothing left for a connection (EMFILE and the
/// like); any close wakes it earlier.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What a listener is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepting {
    /// Nobody waits: the kernel will say when somebody comes.
    Drained,
    /// Somebody may wait.
    Ready,
    /// The machine had nothing left; asked again at this time, or at the next close.
    Paused(Time),
}

#[derive(Debug)]
pub(super) struct Listening<Listener, Origin> {
    /// Its name for the kernel, also when others are closed.
    pub(super) index: u32,
    pub(super) listener: Listener,
    pub(super) origin: Origin,
    pub(super) policy: PolicyId,
    pub(super) accepting: Accepting,
}

impl<Listener, Origin> Listening<Listener, Origin> {
    /// A descriptor came free, or it is time to try again.
    pub(super) fn resume(&mut self) {
        match self.accepting {
            Accepting::Paused(_) => self.accepting = Accepting::Ready,
            Accepting::Drained | Accepting::Ready => {}
        }
    }
}

/// Open connections per client address, counted only where there is a limit.
#[derive(Debug, Default)]
pub(super) struct PerAddress {
    limit: Option<usize>,
    counts: BTreeMap<IpAddr, usize>,
    addresses: BTreeMap<PeerId, IpAddr>,
}

impl PerAddress {
    pub(super) fn with_limit(limit: Option<usize>) -> PerAddress {
        PerAddress {
            limit,
            ..PerAddress::default()
        }
    }

    pub(super) fn has_room(&self, address: IpAddr) -> bool {
        let count = self.counts.get(&address).copied().unwrap_or(0);
        self.limit.is_none_or(|limit| count < limit)
    }

    pub(super) fn add(&mut self, id: PeerId, address: IpAddr) {
        if self.limit.is_some() {
            *self.counts.entry(address).or_insert(0) += 1;
            self.addresses.insert(id, address);
        }
    }

    pub(super) fn remove(&mut self, id: PeerId) {
        let Some(address) = self.addresses.remove(&id) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&address);
            }
        }
    }
}

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Takes what waits at one listener, within the budget of a turn.
    pub(super) fn accept(&mut self, place: usize) {
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            // A session may have closed the listeners meanwhile.
            let Some(listening) = self.listeners.get_mut(place) else {
                return;
            };
            let index = listening.index as usize;
            match listening.accepting {
                Accepting::Drained => return,
                Accepting::Paused(until) if until > self.now => return,
                Accepting::Paused(_) | Accepting::Ready => {}
            }
            match self.kernel.accept(index, &mut listening.listener) {
                Ok((stream, address)) => {
                    listening.accepting = Accepting::Ready;
                    let (origin, policy) = (listening.origin, listening.policy);
                    self.first_listener = place + 1;
                    self.welcome(stream, address, origin, policy);
                }
                Err(error) => {
                    self.listeners[place].accepting = self.after_failed_accept(index, &error);
                }
            }
        }
    }

    /// What a listener does after an accept that failed. None of these errors ends the server.
    fn after_failed_accept(&mut self, listener: usize, error: &io::Error) -> Accepting {
        let is_about_one_connection = matches!(
            error.kind(),
            io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
        );
        if error.kind() == io::ErrorKind::WouldBlock {
            self.counters.accept_drained();
            Accepting::Drained
        } else if is_about_one_connection {
            // It is gone; the next may be fine.
            Accepting::Ready
        } else {
            // The machine has nothing left (EMFILE, ENFILE, ENOBUFS, ENOMEM), or something is wrong that we do
            // not know: rest, and try again.
            self.counters.accept_paused(error, self.now);
            let until = self.now.after(ACCEPT_PAUSE);
            self.kernel
                .note(&TraceEvent::AcceptPaused { listener, until });
            Accepting::Paused(until)
        }
    }

    fn welcome(
        &mut self,
        stream: K::Stream,
        address: SocketAddr,
        origin: S::Origin,
        policy: PolicyId,
    ) {
        let address = canonical(address);
        let is_counted = !self.policies[policy].exempt_from_limits;
        let is_full = self.clients >= self.limits.clients_max;
        if is_counted {
            self.counters.accepted += 1;
        }
        if is_counted && (is_full || !self.per_address.has_room(address.ip())) {
            self.counters.turned_away(address, is_full, self.now);
            self.give_back(stream);
            return;
        }
        let (from, how) = ((origin, policy), (Outbound::Open, is_counted));
        match self.open(stream, from, how, Some(address), format_args!("{address}")) {
            Ok(id) => log::debug!("peer {id}: connection from {address}"),
            Err(error) => self.counters.unwatched(&error, is_counted, self.now),
        }
    }

    pub(super) fn close_listeners(&mut self, exempt_stay: bool) {
        for listening in mem::take(&mut self.listeners) {
            let exempt_from_limits = self.policies[listening.policy].exempt_from_limits;
            if exempt_stay && exempt_from_limits {
                self.listeners.push(listening);
            } else {
                self.kernel.kernel.close_listener(listening.listener);
            }
        }
    }
}
