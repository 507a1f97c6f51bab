//! The end of a run: who is told of it, and who is closed when its grace is over. When a run ends is
//! not decided here.

use super::{Kernel, Reactor, Run, find, peer_id};
use crate::protocol::{CloseReason, Event, PeerId, Service, Time};
use crate::trace::Observer;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Nobody new comes in; everybody gets what they are owed, for as long as the grace lasts.
    pub(super) fn begin_stop(&mut self) {
        self.close_listeners(false);
        self.run = Run::Stopping(
            self.limits
                .grace
                .map_or(Time::NEVER, |grace| self.now.after(grace)),
        );
        self.tell_woken();
        let ids = self.ids();
        for &id in &ids {
            self.step(id, Event::Stopping);
            self.relieve();
        }
        self.tell_woken();
        for &id in &ids {
            if let Some(connection) = find(&mut self.peers, id) {
                connection.leave(&self.doors[connection.door.index()].1);
            }
            self.touch(id);
        }
    }

    /// The grace is over.
    pub(super) fn close_all(&mut self) {
        for id in self.ids() {
            self.close(id, CloseReason::Stopped);
        }
    }

    fn ids(&self) -> Vec<PeerId> {
        self.peers
            .iter()
            .map(|(slot, connection)| peer_id(slot, connection.generation))
            .collect()
    }
}
