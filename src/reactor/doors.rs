//! By which doors peers come in: listeners, streams that are there already, and those that we dial.
//! What becomes of a peer is not decided here.

use std::fmt;
use std::io;

use super::{Accepting, DoorId, Kernel, Listening, Outbound, Policy, Reactor, Token};
use crate::protocol::{PeerId, Service};
use crate::trace::Observer;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Accepts from `listener`. Its peers come in by `door` and are held to `policy`.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    pub fn listen(
        &mut self,
        mut listener: K::Listener,
        door: S::Door,
        policy: Policy,
    ) -> io::Result<()> {
        let index = self.listeners.last().map_or(0, |last| last.index + 1);
        self.kernel
            .kernel
            .listen(&mut listener, Token::listener(index))?;
        let door = self.add_door(door, policy);
        self.listeners.push(Listening {
            index,
            listener,
            door,
            accepting: Accepting::Ready,
        });
        Ok(())
    }

    /// Takes a connected stream as a peer. It counts against no limit of [`Limits`](super::Limits).
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    pub fn attach(
        &mut self,
        stream: K::Stream,
        door: S::Door,
        policy: Policy,
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        self.now = self.kernel.now();
        let door = self.add_door(door, policy);
        self.open(stream, door, Outbound::Open, name)
    }

    /// Tells a peer [`Event::Woken`](crate::protocol::Event::Woken) in the next turn, which begins at
    /// once; no matter if it is gone. For whoever has something for a session between two turns.
    pub fn wake_peer(&mut self, peer: PeerId) {
        self.woken.push_back(peer);
    }

    /// A door for peers that come in by [`dial`](Reactor::dial). There can be 65,536.
    pub fn add_door(&mut self, door: S::Door, policy: Policy) -> DoorId {
        self.debts.expect(&policy);
        self.doors.push((door, policy));
        DoorId::nth(self.doors.len() - 1)
    }

    /// Takes a stream that is still connecting, or connected at once, as a peer. When the connection
    /// stands, its session is told [`Event::Woken`](crate::protocol::Event::Woken); if it fails, it is
    /// closed as broken. What is sent before waits. It counts against no limit of [`Limits`](super::Limits).
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    pub fn dial(
        &mut self,
        stream: K::Stream,
        door: DoorId,
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        self.now = self.kernel.now();
        self.open(stream, door, Outbound::Connecting, name)
    }
}
