//! What must be remembered to tell a moment well: which turn it is, since when, and who is who. It
//! remembers no byte of a peer, and nothing of what has been told.

use std::time::Duration;

use super::{Flags, TraceEvent};
use crate::protocol::{PeerId, Time};

/// Sees every moment before it is told; see the module. It grows with the number of peers that are
/// there at the same time.
#[derive(Debug)]
pub struct Directory {
    turn: u64,
    /// When the last wait began.
    slept: Time,
    /// Whether it could not sleep.
    looks: bool,
    /// When the last wait ended.
    woke: Time,
    listeners: Vec<String>,
    /// By slot: whoever had it last.
    peers: Vec<Option<Known>>,
}

/// A peer that is there, or was the last of its slot.
#[derive(Debug)]
pub struct Known {
    generation: u32,
    /// Its id as text: `12.40`.
    pub id: String,
    /// Who it is, for people: `127.0.0.1:40112`.
    pub name: String,
    /// Which protocol it came for.
    pub protocol: &'static str,
    /// What is watched for it.
    pub interest: Flags,
    /// What was watched before that; [`Flags::NONE`] at first.
    pub interest_before: Flags,
}

impl Directory {
    /// Nothing has happened yet. The listeners are named in the order in which the reactor gets
    /// them.
    #[must_use]
    pub fn new(listeners: Vec<String>) -> Directory {
        Directory {
            turn: 0,
            slept: Time::ZERO,
            looks: false,
            woke: Time::ZERO,
            listeners,
            peers: Vec::new(),
        }
    }

    /// To be called for every moment, before anything is asked about it.
    pub fn see(&mut self, at: Time, moment: &TraceEvent<'_>) {
        match *moment {
            TraceEvent::Waiting { timeout } => {
                self.turn += 1;
                self.slept = at;
                self.looks = timeout == Some(Duration::ZERO);
            }
            TraceEvent::Woken { .. } => self.woke = at,
            TraceEvent::Opened { peer, name, state } => {
                let slot = peer.slot as usize;
                if self.peers.len() <= slot {
                    self.peers.resize_with(slot + 1, || None);
                }
                self.peers[slot] = Some(Known {
                    generation: peer.generation,
                    id: peer.to_string(),
                    name: name.to_string(),
                    protocol: state.protocol,
                    interest: Flags::NONE,
                    interest_before: Flags::NONE,
                });
            }
            TraceEvent::Registered {
                peer,
                interest,
                result: Ok(()),
            } => {
                if let Some(known) = find(&mut self.peers, peer) {
                    known.interest_before = known.interest;
                    known.interest = interest;
                }
            }
            TraceEvent::Ended
            | TraceEvent::Ready { .. }
            | TraceEvent::Accepted { .. }
            | TraceEvent::AcceptPaused { .. }
            | TraceEvent::Read { .. }
            | TraceEvent::ReadPaused { .. }
            | TraceEvent::Peeked { .. }
            | TraceEvent::Wrote { .. }
            | TraceEvent::ShutDown { .. }
            | TraceEvent::Dispatched { .. }
            | TraceEvent::Moved { .. }
            | TraceEvent::Effect { .. }
            | TraceEvent::Registered { .. }
            | TraceEvent::TimerSet { .. }
            | TraceEvent::Fired { .. }
            | TraceEvent::Closed { .. } => {}
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

    /// Whether that was a look only: there was work, or it was not worth sleeping.
    #[must_use]
    pub fn looks(&self) -> bool {
        self.looks
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
    pub fn peer(&self, id: PeerId) -> Option<&Known> {
        let known = self.peers.get(id.slot as usize)?.as_ref();
        known.filter(|known| known.generation == id.generation)
    }
}

fn find(peers: &mut [Option<Known>], id: PeerId) -> Option<&mut Known> {
    let known = peers.get_mut(id.slot as usize)?.as_mut();
    known.filter(|known| known.generation == id.generation)
}
