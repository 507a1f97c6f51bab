//! Where peers come from: listeners, streams that are there already, and connections of our own making.
//! What becomes of a peer is not decided here.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::kernel::canonical;
use super::{
    Accepting, ConnectOptions, Kernel, Listening, Outbound, Policy, PolicyId, Reactor, Run, Token,
};
use crate::protocol::{Event, PeerId, Service};
use crate::trace::Observer;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Accepts from `listener`. Its peers are opened with `origin` and held to `policy`.
    ///
    /// # Errors
    /// Those of epoll_ctl(2); and one of [`io::ErrorKind::Other`] once the run is to stop. The listener is closed
    /// then.
    pub fn listen(
        &mut self,
        mut listener: K::Listener,
        origin: S::Origin,
        policy: Policy,
    ) -> io::Result<()> {
        if self.run != Run::Going {
            self.kernel.kernel.close_listener(listener);
            return Err(io::Error::other("the reactor was asked to stop"));
        }
        let index = self.listeners.last().map_or(0, |last| last.index + 1);
        self.kernel
            .kernel
            .listen(&mut listener, Token::listener(index))?;
        let policy = self.policy_id(&policy);
        self.listeners.push(Listening {
            index,
            listener,
            origin,
            policy,
            accepting: Accepting::Ready,
        });
        Ok(())
    }

    /// Takes a connected stream as a peer, which `name` names for people. Of [`Limits`](super::Limits) only
    /// `unsent_bytes_max` is for it. Never blocks, if a socket is non-blocking already: nobody checks that.
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
        self.now = self.kernel.kernel.now();
        let is_socket = self.kernel.kernel.is_socket(&stream);
        let policy = Policy {
            linger: policy.linger.filter(|_| is_socket),
            ..policy
        };
        let address = self.kernel.kernel.peer_address(&stream);
        self.take(stream, address, Outbound::Open, (origin, policy), name)
    }

    /// Connects to a server, which becomes a peer at once; never blocks. When the connection is
    /// established, its session is told [`Event::Connected`]; if that fails, it is closed as
    /// [`Broken`](crate::protocol::CloseReason::Broken). What is sent meanwhile waits; a `write_timeout` begins
    /// once it is connected, an `idle_timeout` at once. A run that stops does not wait for it. For people it has the
    /// name of our own address, which tells several connections to one server apart. Of [`Limits`](super::Limits)
    /// only `unsent_bytes_max` is for it.
    ///
    /// # Errors
    /// Those of socket(2), bind(2), connect(2) and epoll_ctl(2): there is no peer then.
    pub fn connect(
        &mut self,
        address: SocketAddr,
        origin: S::Origin,
        options: ConnectOptions,
    ) -> io::Result<PeerId> {
        self.now = self.kernel.kernel.now();
        let address = canonical(address);
        let (stream, own) = self.kernel.kernel.connect(address, options.source)?;
        let how = (origin, options.policy);
        let name = format_args!("{own}");
        self.take(stream, Some(address), Outbound::Connecting, how, name)
    }

    /// [`connect`](Reactor::connect) for a socket with options of its own: takes a stream that is still
    /// connecting, or connected at once, as a peer.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    pub fn attach_connecting(
        &mut self,
        stream: K::Stream,
        origin: S::Origin,
        policy: Policy,
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        self.now = self.kernel.kernel.now();
        let address = self.kernel.kernel.peer_address(&stream);
        self.take(
            stream,
            address,
            Outbound::Connecting,
            (origin, policy),
            name,
        )
    }

    /// Opens a peer that came through no listener.
    fn take(
        &mut self,
        stream: K::Stream,
        address: Option<SocketAddr>,
        outbound: Outbound,
        (origin, policy): (S::Origin, Policy),
        name: fmt::Arguments<'_>,
    ) -> io::Result<PeerId> {
        let how = (origin, self.policy_id(&policy));
        self.open(stream, how, (outbound, false), address, name)
    }

    /// Tells a peer [`Event::Notified`] in the next turn, which begins at once, as often as asked; no matter if
    /// it is gone.
    /// For whoever has something for a session between two turns, on the reactor's own thread.
    pub fn notify(&mut self, peer: PeerId) {
        self.notifications.push_back((peer, Event::Notified));
    }

    fn policy_id(&mut self, policy: &Policy) -> PolicyId {
        self.debts.expect(policy);
        self.policies.id_of(policy)
    }
}
