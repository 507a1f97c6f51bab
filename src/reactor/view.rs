//! The peers as somebody may see them between two turns. Nothing can be changed through it.

use super::connection::{Inbound, Outbound};
use super::{Interest, Kernel, Reactor, peer_id};
use crate::protocol::{PeerId, Service, StateName, Time};
use crate::trace::{Directory, Observer};

/// One peer between two turns.
#[derive(Clone, Copy, Debug)]
pub struct PeerView {
    /// Its id.
    pub id: PeerId,
    /// Where its machine stands.
    pub state: StateName,
    /// What the kernel watches for it.
    pub interest: Interest,
    /// Bytes that wait in its outbox.
    pub unsent: usize,
    /// When something was last received or sent.
    pub active: Time,
    /// When it is looked at though nothing happens; [`Time::NEVER`] if never.
    pub deadline: Time,
    /// What it sends: `open`, `discarding` (thrown away after we left), `left` (not read after we left),
    /// `finished`.
    pub inbound: &'static str,
    /// What we send: `connecting`, `open`, `finishing` (the outbox empties), `finished`.
    pub outbound: &'static str,
}

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// The peers in the order of their slots. Looking costs what it costs: nothing is kept for it.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> + '_ {
        self.peers.iter().map(|(slot, connection)| PeerView {
            id: peer_id(slot, connection.generation()),
            state: self.service.state(&connection.session),
            interest: connection.watched(),
            unsent: connection.unsent(),
            active: connection.active(),
            deadline: connection.deadline(&self.policies[connection.policy()]),
            inbound: match connection.inbound() {
                Inbound::Open => "open",
                Inbound::Discarding => "discarding",
                Inbound::Left => "left",
                Inbound::Finished => "finished",
            },
            outbound: match connection.outbound() {
                Outbound::Connecting | Outbound::ConnectingToFinish => "connecting",
                Outbound::Open => "open",
                Outbound::Finishing => "finishing",
                Outbound::Finished => "finished",
            },
        })
    }

    /// What the listeners serve, in the order in which they are added, for the observer's
    /// [`Directory`].
    pub fn name_listeners(&mut self, names: Vec<String>) {
        self.kernel.directory.name_listeners(names);
    }

    /// Who is who, as the observer is told; empty where nobody looks.
    pub fn directory(&self) -> &Directory {
        &self.kernel.directory
    }

    /// Whoever looks.
    pub fn observer(&self) -> &O {
        &self.kernel.observer
    }

    /// The service and the observer together, for what is to go from one to the other between turns.
    pub fn service_and_observer(&mut self) -> (&mut S, &mut O) {
        (&mut self.service, &mut self.kernel.observer)
    }
}
