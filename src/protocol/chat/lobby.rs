//! Who waits for a partner, in the order in which they are to get one, and who has got one and has
//! yet to learn of it. It opens no conversation and knows no clock.

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::PeerId;
use crate::protocol::turns::Side;

/// A place in a conversation: its name, and the side.
pub(super) type Place = (PeerId, Side);

/// Remotes that are to talk with each other. At most one waits at any time.
#[derive(Debug, Default)]
pub(super) struct Lobby {
    queue: VecDeque<PeerId>,
    matched: BTreeMap<PeerId, Place>,
}

impl Lobby {
    /// Puts a remote at the end of the queue.
    pub(super) fn wait(&mut self, remote: PeerId) {
        self.queue.push_back(remote);
    }

    /// Puts a remote at the head of the queue.
    pub(super) fn wait_first(&mut self, remote: PeerId) {
        self.queue.push_front(remote);
    }

    /// Takes a remote out of the queue.
    pub(super) fn leave(&mut self, remote: PeerId) {
        self.queue.retain(|&waiting| waiting != remote);
    }

    /// The next two, who wait no more: the one that speaks first, and the other.
    pub(super) fn next_pair(&mut self) -> Option<(PeerId, PeerId)> {
        if self.queue.len() < 2 {
            return None;
        }
        let pair = (self.queue.pop_front()?, self.queue.pop_front()?);
        self.matched.insert(pair.0, (pair.0, Side::Remote));
        self.matched.insert(pair.1, (pair.0, Side::Host));
        Some(pair)
    }

    /// The place of a remote that was matched; returned once for each match.
    pub(super) fn take_place(&mut self, remote: PeerId) -> Option<Place> {
        self.matched.remove(&remote)
    }
}
