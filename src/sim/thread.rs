//! Another thread of the process, with a [`Handle`] of the reactor: it has peers notified, some of them gone, and
//! may end the run. Whether it is heard is judged here, once a turn; what follows from the end is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::random::Random;
use super::waker::SimWaker;
use crate::protocol::{PeerId, Time};
use crate::reactor::Handle;

/// How often it asks for each peer that it learns of, on average.
const REQUESTS_PER_PEER: u32 = 4;
/// The longest pause between two requests.
const PAUSE_MAX: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Thread {
    rng: Random,
    /// The reactor, and what ends its wait.
    reactor: Option<(Handle<SimWaker>, SimWaker)>,
    /// Whom it has learned of; it does not hear that they go.
    peers: Vec<PeerId>,
    requests_left: u32,
    /// When it asks next.
    pub(super) due: Option<Time>,
    /// Whom it asked for that were not told yet, and whether a turn has begun since.
    asked: BTreeMap<PeerId, bool>,
}

impl Thread {
    pub(super) fn new(seed: u64) -> Thread {
        Thread {
            rng: Random::new(seed ^ 0x7_4ead),
            reactor: None,
            peers: Vec::new(),
            requests_left: 0,
            due: None,
            asked: BTreeMap::new(),
        }
    }

    pub(super) fn begin(&mut self, handle: Handle<SimWaker>, waker: SimWaker) {
        self.reactor = Some((handle, waker));
    }

    /// It learns of a peer.
    pub(super) fn meet(&mut self, peer: PeerId, now: Time) {
        self.peers.push(peer);
        self.requests_left += REQUESTS_PER_PEER;
        self.pause(now);
    }

    fn pause(&mut self, now: Time) {
        let pause = self.rng.duration(PAUSE_MAX);
        self.due = (self.requests_left > 0).then(|| now.after(pause));
    }

    pub(super) fn act(&mut self, now: Time) -> Result<(), String> {
        self.requests_left -= 1;
        self.pause(now);
        self.notify()
    }

    /// Asks for a peer, twice: of that it is told once.
    fn notify(&mut self) -> Result<(), String> {
        if self.peers.is_empty() {
            return Ok(());
        }
        let peer = self.rng.one_of(&self.peers);
        if self.asked.contains_key(&peer) {
            return Ok(());
        }
        self.asked.insert(peer, false);
        self.ask(|handle| handle.notify(peer).and_then(|()| handle.notify(peer)))
    }

    /// Ends the run, in every other seed, and has somebody notified at the same time. Whether it does.
    pub(super) fn stop(&mut self) -> Result<bool, String> {
        let stops = self.rng.happens(1, 2);
        if stops {
            self.notify()?;
            self.ask(Handle::stop)?;
        }
        Ok(stops)
    }

    fn ask(
        &self,
        request: impl FnOnce(&Handle<SimWaker>) -> std::io::Result<()>,
    ) -> Result<(), String> {
        let Some((handle, waker)) = &self.reactor else {
            return Ok(());
        };
        // Nothing else ends the wait.
        match request(handle) {
            Ok(()) if waker.is_set() => Ok(()),
            result => Err(format!(
                "another thread asks, and does not wake: {result:?}"
            )),
        }
    }

    /// A turn is over, in which these peers were notified; these are there.
    pub(super) fn check(
        &mut self,
        notified: Vec<PeerId>,
        present: &BTreeSet<PeerId>,
    ) -> Result<(), String> {
        for peer in notified {
            if self.asked.remove(&peer).is_none() {
                return Err(format!("peer {peer} is notified, and nobody asked for it"));
            }
        }
        self.asked.retain(|peer, _| present.contains(peer));
        for (peer, was_before) in &mut self.asked {
            if std::mem::replace(was_before, true) {
                return Err(format!(
                    "peer {peer} is not notified by the end of the next turn"
                ));
            }
        }
        Ok(())
    }
}
