//! The one directory of who is who, for all observers: which turn it is, since when, what listeners and
//! peers there are and how they stand. It remembers no byte of a peer, and nothing of what was shown.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Flags, TraceEvent};
use crate::protocol::{PeerId, StateName, Time};

/// Sees every event before the observers do; see the module. It grows with the number of peers that are
/// there at the same time.
#[derive(Debug, Default)]
pub struct Directory {
    turn: u64,
    /// When the last wait began.
    slept: Time,
    /// Whether it could not sleep.
    polls: bool,
    /// When the last wait ended.
    woke: Time,
    listeners: Vec<String>,
    /// Which listener has accepted somebody who is not open yet.
    arriving: Option<usize>,
    /// By slot: whoever had it last.
    peers: Vec<Option<Known>>,
}

/// A peer that is there, or was the last of its slot.
#[derive(Debug)]
pub struct Known {
    /// Its id.
    pub id: PeerId,
    /// Who it is, for people: `127.0.0.1:40112`.
    pub name: String,
    /// Its address, if it has one.
    pub address: Option<SocketAddr>,
    /// Which listener accepted it, if one did.
    pub listener: Option<usize>,
    /// Which protocol it came for, and the state that its machine was in when somebody last looked
    /// closely.
    pub state: StateName,
    /// What is watched for it.
    pub interest: Flags,
    /// What was watched before that; [`Flags::NONE`] at first.
    pub interest_before: Flags,
    /// Bytes that were read from it.
    pub bytes_in: u64,
    /// Bytes that the kernel took for it.
    pub bytes_out: u64,
}

impl Directory {
    /// What the listeners serve, in the order in which the reactor gets them.
    pub fn name_listeners(&mut self, names: Vec<String>) {
        self.listeners = names;
    }

    /// To be called for every event, before anything is asked about it.
    #[inline]
    pub fn see(&mut self, at: Time, event: &TraceEvent<'_>) {
        if let TraceEvent::Read { peer, result, .. } = *event {
            if let (Some(known), Ok(bytes)) = (self.find(peer), result) {
                known.bytes_in += bytes.len() as u64;
            }
        } else if let TraceEvent::Wrote { peer, result, .. } = *event {
            if let (Some(known), Ok(count)) = (self.find(peer), result) {
                known.bytes_out += count as u64;
            }
        } else if let TraceEvent::Dispatched { peer, state, .. }
        | TraceEvent::Moved {
            peer, to: state, ..
        } = *event
        {
            if let Some(known) = self.find(peer) {
                known.state = state;
            }
        } else if let TraceEvent::Waiting { timeout } = *event {
            self.turn += 1;
            self.slept = at;
            self.polls = timeout == Some(Duration::ZERO);
        } else if let TraceEvent::Awake { .. } = *event {
            self.woke = at;
        } else {
            self.see_change(event);
        }
    }

    /// What is rarer: who comes, and what is watched.
    fn see_change(&mut self, event: &TraceEvent<'_>) {
        if let TraceEvent::Accepted {
            listener, result, ..
        } = *event
        {
            self.arriving = result.ok().map(|_| listener);
        } else if let TraceEvent::Ended = *event {
            // Whoever was accepted and turned away was not opened.
            self.arriving = None;
        } else if let TraceEvent::Opened {
            peer,
            address,
            name,
            state,
        } = *event
        {
            let slot = peer.slot as usize;
            if self.peers.len() <= slot {
                self.peers.resize_with(slot + 1, || None);
            }
            self.peers[slot] = Some(Known {
                id: peer,
                name: name.to_string(),
                address,
                listener: self.arriving.take(),
                state,
                interest: Flags::NONE,
                interest_before: Flags::NONE,
                bytes_in: 0,
                bytes_out: 0,
            });
        } else if let TraceEvent::Registered {
            peer,
            interest,
            result: Ok(()),
        } = *event
            && let Some(known) = self.find(peer)
        {
            known.interest_before = known.interest;
            known.interest = interest;
        }
    }

    /// Which turn it is, counted from 1. What happens between two turns counts to the one before.
    #[must_use]
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// How long the wait of this turn took.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.woke.since(self.slept)
    }

    /// Whether that was without sleeping: there was work left.
    #[must_use]
    pub fn polls(&self) -> bool {
        self.polls
    }

    /// When this turn woke.
    #[must_use]
    pub fn woke(&self) -> Time {
        self.woke
    }

    /// How long this turn has been busy.
    #[must_use]
    pub fn busy(&self, at: Time) -> Duration {
        at.since(self.woke)
    }

    /// What the listener with this index serves; `?` if nobody said.
    #[must_use]
    pub fn listener(&self, index: usize) -> &str {
        self.listeners.get(index).map_or("?", String::as_str)
    }

    /// What is known of a peer, also just after it has gone.
    #[must_use]
    #[inline]
    pub fn peer(&self, id: PeerId) -> Option<&Known> {
        let known = self.peers.get(id.slot as usize)?.as_ref();
        known.filter(|known| known.id.generation == id.generation)
    }

    #[inline]
    fn find(&mut self, id: PeerId) -> Option<&mut Known> {
        let known = self.peers.get_mut(id.slot as usize)?.as_mut();
        known.filter(|known| known.id.generation == id.generation)
    }
}
