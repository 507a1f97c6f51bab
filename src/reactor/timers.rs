//! Which peers want to be looked at, and when. One entry a peer; why it wanted that is derived
//! from its state when the time comes.

use std::collections::BTreeSet;

use crate::protocol::{PeerId, Time};

/// Times in order. Every call costs O(log n) in the number of entries.
#[derive(Debug, Default)]
pub(super) struct Timers {
    entries: BTreeSet<(Time, PeerId)>,
}

impl Timers {
    pub(super) fn insert(&mut self, at: Time, id: PeerId) {
        self.entries.insert((at, id));
    }

    pub(super) fn remove(&mut self, at: Time, id: PeerId) {
        self.entries.remove(&(at, id));
    }

    /// When the first one is due; [`Time::NEVER`] if there is none.
    pub(super) fn next(&self) -> Time {
        self.entries.first().map_or(Time::NEVER, |&(at, _)| at)
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<PeerId> {
        let &(at, id) = self.entries.first()?;
        if at > now {
            return None;
        }
        self.entries.pop_first();
        Some(id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
