//! By which doors peers come in: listeners, streams that are there already, and those that we dial.
//! What becomes of a peer is not decided here.

use std::fmt;
use std::io;

use super::{Accepting, Kernel, Listening, OriginId, Outbound, Policy, Reactor, Token};
use crate::protocol::{PeerId, Service};
use crate::trace::Observer;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Accepts from `listener`. Its peers come in by `origin` and are held to `policy`.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    pub fn listen(
        &mut self,
        mut listener: K::Listener,
        origin: S::Origin,
        policy: Policy,
    ) -> io::Result<()> {
        let index = self.listeners.last().map_or(0, |last| last.index + 1);
        self.kernel
            .kernel
            .listen(&mut listener, Token::listener(index))?;
        let origin = self.add_origin(origin, policy);
        self.listeners.push(Listening {
            index,
            listener,
            origin,
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
        origin: S::Origin,
        policy: Policy,
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        self.now = self.kernel.now();
        let origin = self.add_origin(origin, policy);
        self.open(stream, origin, Outbound::Open, None, name)
    }

    /// Tells a peer [`Event::Woken`](crate::protocol::Event::Woken) in the next turn, which begins at
    /// once; no matter if it is gone. For whoever has something for a session between two turns.
    pub fn wake_peer(&mut self, peer: PeerId) {
        self.woken.push_back(peer);
    }

    /// A door for peers that come in by [`dial`](Reactor::dial). There can be 65,536.
    pub fn add_origin(&mut self, origin: S::Origin, policy: Policy) -> OriginId {
        self.debts.expect(&policy);
        self.origins.push((origin, policy));
        OriginId::nth(self.origins.len() - 1)
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
        origin: OriginId,
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        self.now = self.kernel.now();
        self.open(stream, origin, Outbound::Connecting, None, name)
    }
}
