//! The seam between the reactor and the operating system: everything that can fail, block or take
//! time is a call of [`Kernel`]. [`OsKernel`](super::OsKernel) is the real one, over mio; a simulated one
//! can take its place. No policy here: errors are handed up as they come.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::token::Token;
use crate::protocol::Time;
use crate::trace::Flags;

/// What a peer's stream is watched for. Errors are always told, the end of what a peer sends only
/// to those who want to read. Closed: will not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, and urgent ones.
    Readable,
    /// Room to write.
    Writable,
    /// Both.
    Both,
}

/// What the kernel said about one token. A hint, not a fact: only a call tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// About whom.
    pub token: Token,
    /// In epoll's words.
    pub flags: Flags,
}

impl Readiness {
    /// There may be something to read or to accept.
    #[inline]
    pub fn is_readable(self) -> bool {
        self.flags.contains(Flags::IN)
    }

    /// Whether it says more than that there may be something to read.
    #[inline]
    pub(super) fn has_more(self) -> bool {
        let more = Flags::OUT | Flags::RDHUP | Flags::PRI | Flags::ERR;
        self.flags.contains_any(more)
    }

    /// There may be room to write.
    #[inline]
    pub fn is_writable(self) -> bool {
        self.flags.contains(Flags::OUT)
    }

    /// The peer will send no more, or something out of the ordinary waits (urgent data, an error):
    /// a short read proves nothing, read until told that there is no more.
    #[inline]
    pub fn must_drain(self) -> bool {
        self.flags
            .contains_any(Flags::RDHUP | Flags::PRI | Flags::ERR)
    }

    /// The connection has ended by an error. A read tells it once all that arrived was read, and
    /// [`Kernel::take_error`] at once.
    #[inline]
    pub fn has_failed(self) -> bool {
        self.flags.contains(Flags::ERR)
    }
}

/// The operating system as the reactor sees it. Readiness is edge-triggered: what was said once is
/// not said again until more arrives.
///
/// New methods may come; one without a default is a new major version.
pub trait Kernel {
    /// A listening socket.
    type Listener;
    /// A connected stream of bytes.
    type Stream;
    /// What ends a wait from another thread.
    type Waker: Waker;

    /// The time. Never goes back.
    fn now(&mut self) -> Time;

    /// The time for an observer in the middle of a turn. Asking changes nothing.
    fn clock(&self) -> Time;

    /// Waits until something is ready, at most for `timeout` (`None`: as long as it takes), and
    /// appends it to `ready`. Returns whether there may be more that did not fit. The only call
    /// here that blocks.
    ///
    /// # Errors
    /// Those of epoll_wait(2); `Interrupted` is no trouble.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Readiness>) -> io::Result<Batch>;

    /// Something that ends a wait from another thread: it then tells of [`Token::WAKER`]. Asked for once.
    ///
    /// # Errors
    /// Those of eventfd(2) and epoll_ctl(2).
    fn waker(&mut self) -> io::Result<Self::Waker>;

    /// Watches a listener.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    fn listen(&mut self, listener: &mut Self::Listener, token: Token) -> io::Result<()>;

    /// Takes one waiting connection, with the address of its peer.
    ///
    /// # Errors
    /// Those of accept4(2).
    fn accept(&mut self, listener: &mut Self::Listener) -> io::Result<(Self::Stream, SocketAddr)>;

    /// Watches a stream.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    fn register(
        &mut self,
        stream: &mut Self::Stream,
        token: Token,
        interest: Interest,
    ) -> io::Result<()>;

    /// Watches a stream for something else. What is ready already is told again.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    fn reregister(
        &mut self,
        stream: &mut Self::Stream,
        token: Token,
        interest: Interest,
    ) -> io::Result<()>;

    /// Reads at most `buffer.len()` bytes; 0 means that the peer sends no more.
    ///
    /// # Errors
    /// Those of recv(2) or read(2); `WouldBlock` when there is nothing.
    fn read(&mut self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Whether it is a socket: a short read has emptied it, a short write has filled it, and an
    /// event tells of every change. Of a terminal or a file none of this is true.
    fn is_socket(&self, stream: &Self::Stream) -> bool;

    /// The address at the far end of a connection; `None` for what is no socket, or not connected.
    fn peer_address(&self, stream: &Self::Stream) -> Option<SocketAddr>;

    /// Begins to connect to a server, from this address of ours or from one that the kernel chooses. Gives
    /// the stream, and its own address. Once it is established or has failed, it is told of as writable.
    ///
    /// # Errors
    /// Those of socket(2), bind(2) and connect(2), but EINPROGRESS.
    fn connect(
        &mut self,
        address: SocketAddr,
        source: Option<IpAddr>,
    ) -> io::Result<(Self::Stream, SocketAddr)>;

    /// Whether a connection that we asked for is established. What has arrived is left where it is.
    ///
    /// # Errors
    /// `WouldBlock` while nobody knows; else the error of connect(2), by which the connection has failed.
    fn connected(&mut self, stream: &mut Self::Stream) -> io::Result<()>;

    /// The number of its descriptor, where it has one. Only for an observer.
    fn descriptor(&self, _stream: &Self::Stream) -> Option<i32> {
        None
    }

    /// Throws away what our user has typed and nobody has read, a line that is not ended among it, if
    /// the stream is a terminal whose keys are ours now (tcflush(3), tcgetpgrp(3)). Of other streams
    /// nothing is thrown away.
    fn discard_typed(&mut self, _stream: &mut Self::Stream) {}

    /// Like [`Kernel::read`], and leaves everything where it is.
    ///
    /// # Errors
    /// Those of recv(2).
    fn peek(&mut self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as the kernel takes.
    ///
    /// # Errors
    /// Those of send(2) or write(2); `WouldBlock` when it takes nothing.
    fn write(&mut self, stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<usize>;

    /// Like [`Kernel::write`], where [`Kernel::shutdown`] follows as soon as all of it is taken: the
    /// kernel may keep it for as long, so that the end goes out with it.
    ///
    /// # Errors
    /// Those of [`Kernel::write`].
    fn write_last(&mut self, stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<usize> {
        self.write(stream, bytes)
    }

    /// Tells the peer that no more will be sent.
    ///
    /// # Errors
    /// Those of shutdown(2).
    fn shutdown(&mut self, stream: &mut Self::Stream) -> io::Result<()>;

    /// How much of what was written the peer has acknowledged. What is no socket acknowledges at once.
    ///
    /// # Errors
    /// Those of getsockopt(2) for TCP_INFO (tcp(7)); `Unsupported` where the system does not tell.
    fn delivery(&mut self, stream: &Self::Stream) -> io::Result<Delivery>;

    /// Takes the error by which the connection has ended, if it has (SO_ERROR, socket(7)).
    ///
    /// # Errors
    /// Those of getsockopt(2).
    fn take_error(&mut self, stream: &Self::Stream) -> io::Result<Option<io::Error>>;

    /// At most so many bytes have arrived and wait to be read now (SO_RCVBUF, socket(7)); 0 for what is
    /// no socket.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    fn receive_buffer(&self, stream: &Self::Stream) -> io::Result<usize>;

    /// Closes a stream in the ordinary way: what was written still goes out.
    fn close(&mut self, stream: Self::Stream);

    /// Closes a stream so that the kernel forgets what the peer has not acknowledged, and tells the peer so
    /// (RST; SO_LINGER of 0 seconds, socket(7)).
    fn reset(&mut self, stream: Self::Stream);

    /// Closes a listener.
    fn close_listener(&mut self, listener: Self::Listener);
}

/// Ends the wait of a [`Kernel`], from any thread.
pub trait Waker: Clone + Send + Sync {
    /// The wait that is under way ends, or else the next one does at once. Never blocks.
    ///
    /// # Errors
    /// Those of write(2) to an eventfd(2).
    fn wake(&self) -> io::Result<()>;
}

/// What has become of the bytes that were written to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How many bytes the peer has acknowledged since the connection began, our end of the stream counted as one
    /// more. It never shrinks.
    pub acknowledged: u64,
    /// Whether the kernel holds nothing that is not acknowledged, our end of the stream included.
    pub is_complete: bool,
}

impl Delivery {
    /// Of what is no TCP connection: all of it is where it belongs.
    pub const COMPLETE: Delivery = Delivery {
        acknowledged: 0,
        is_complete: true,
    };
}

/// Whether one wait could tell everything that was ready. Closed: will not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Everything was told.
    Complete,
    /// The batch was full; there may be more.
    Truncated,
}

/// The address as [`Peer`](crate::protocol::Peer) promises it: one of IPv4 is not written as one of IPv6.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        // It may name an interface, too (RFC 4007).
        IpAddr::V6(_) => address,
    }
}

/// How many readiness events one wait brings at most.
pub const EVENTS_PER_TURN_MAX: usize = 1024;
