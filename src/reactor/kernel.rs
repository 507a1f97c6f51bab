//! The seam between the reactor and the operating system: everything that can fail, block or take
//! time is a call of [`Kernel`]. [`OsKernel`] is the real one, over mio; a simulated one can take
//! its place. No policy here: errors are handed up as they come.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};

use super::terminal::Terminal;
use super::token::Token;
use crate::protocol::Time;
use crate::trace::Flags;

/// What a peer's stream is watched for. Errors are always told, the end of what a peer sends only
/// to those who want to read.
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
    /// There may be something to read or to accept.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer will send no more, or something out of the ordinary waits (urgent data, an error):
    /// a short read proves nothing, read until told that there is no more.
    pub read_on: bool,
}

/// The operating system as the reactor sees it. Readiness is edge-triggered: what was said once is
/// not said again until more arrives.
pub trait Kernel {
    /// A listening socket.
    type Listener;
    /// A connected stream of bytes.
    type Stream;

    /// The time. Never goes back.
    fn now(&mut self) -> Time;

    /// The time for an observer in the middle of a turn. Asking changes nothing.
    fn clock(&self) -> Time;

    /// What epoll said about the nth event of the latest wait, which became this readiness. Only for an
    /// observer; the loop goes by [`Readiness`].
    fn flags(&self, _nth: usize, readiness: &Readiness) -> Flags {
        Flags::IN.only_if(readiness.readable)
            | Flags::OUT.only_if(readiness.writable)
            | Flags::RDHUP.only_if(readiness.read_on)
    }

    /// Waits until something is ready, at most for `timeout` (`None`: as long as it takes), and
    /// appends it to `ready`. Returns whether there may be more that did not fit. The only call
    /// here that blocks.
    ///
    /// # Errors
    /// Those of epoll_wait(2); `Interrupted` is no trouble.
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<Crowding>;

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

    /// Closes a stream.
    fn close(&mut self, stream: Self::Stream);

    /// Closes a listener.
    fn close_listener(&mut self, listener: Self::Listener);
}

/// Whether one wait could tell everything that was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowding {
    /// Everything was told.
    Complete,
    /// The batch was full; there may be more.
    Full,
}

/// How many readiness events one wait brings at most.
pub const EVENTS_PER_TURN_MAX: usize = 1024;

/// MSG_NOSIGNAL and MSG_MORE (send(2)): what is sent waits for what follows, one segment instead of two.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LAST: std::ffi::c_int = 0x4000 | 0x8000;

/// A stream of the real kernel.
#[derive(Debug)]
pub enum OsStream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// Our user's standard input and output, or either.
    Terminal(Box<Terminal>),
}

/// The real kernel, through mio.
#[derive(Debug)]
pub struct OsKernel {
    poll: mio::Poll,
    events: mio::Events,
    origin: Instant,
}

impl OsKernel {
    /// A kernel that watches nothing yet.
    ///
    /// # Errors
    /// Those of epoll_create1(2).
    pub fn new() -> io::Result<OsKernel> {
        Ok(OsKernel {
            poll: mio::Poll::new()?,
            events: mio::Events::with_capacity(EVENTS_PER_TURN_MAX),
            origin: Instant::now(),
        })
    }
}

impl Kernel for OsKernel {
    type Listener = TcpListener;
    type Stream = OsStream;

    fn now(&mut self) -> Time {
        self.clock()
    }

    #[inline]
    fn clock(&self) -> Time {
        let elapsed = self.origin.elapsed();
        Time::from_nanos(elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos()))
    }

    fn flags(&self, nth: usize, _: &Readiness) -> Flags {
        let Some(event) = self.events.iter().nth(nth) else {
            return Flags::NONE;
        };
        let is_over = event.is_read_closed() && event.is_write_closed();
        Flags::IN.only_if(event.is_readable())
            | Flags::PRI.only_if(event.is_priority())
            | Flags::OUT.only_if(event.is_writable())
            | Flags::RDHUP.only_if(event.is_read_closed())
            | Flags::HUP.only_if(is_over)
            | Flags::ERR.only_if(event.is_error())
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<Crowding> {
        self.poll.poll(&mut self.events, timeout)?;
        for event in &self.events {
            ready.push(Readiness {
                token: event.token().into(),
                readable: event.is_readable(),
                writable: event.is_writable(),
                // Without branches: it is asked for every event.
                read_on: event.is_read_closed() | event.is_priority() | event.is_error(),
            });
        }
        Ok(match ready.len() {
            EVENTS_PER_TURN_MAX.. => Crowding::Full,
            _ => Crowding::Complete,
        })
    }

    fn listen(&mut self, listener: &mut TcpListener, token: Token) -> io::Result<()> {
        let interest = mio::Interest::READABLE;
        self.poll
            .registry()
            .register(listener, token.into(), interest)
    }

    fn accept(&mut self, listener: &mut TcpListener) -> io::Result<(OsStream, SocketAddr)> {
        let (stream, address) = listener.accept()?;
        Ok((OsStream::Tcp(stream), address))
    }

    fn register(
        &mut self,
        stream: &mut OsStream,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let registry = self.poll.registry();
        match stream {
            OsStream::Tcp(stream) => registry.register(stream, token.into(), interest.into()),
            OsStream::Terminal(terminal) => terminal.register(registry, token, interest),
        }
    }

    fn reregister(
        &mut self,
        stream: &mut OsStream,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let registry = self.poll.registry();
        match stream {
            OsStream::Tcp(stream) => registry.reregister(stream, token.into(), interest.into()),
            OsStream::Terminal(terminal) => terminal.rearm(registry, interest),
        }
    }

    #[inline]
    fn read(&mut self, stream: &mut OsStream, buffer: &mut [u8]) -> io::Result<usize> {
        match stream {
            OsStream::Tcp(stream) => stream.read(buffer),
            OsStream::Terminal(terminal) => terminal.read(self.poll.registry(), buffer),
        }
    }

    fn is_socket(&self, stream: &OsStream) -> bool {
        match stream {
            OsStream::Tcp(_) => true,
            OsStream::Terminal(_) => false,
        }
    }

    fn peek(&mut self, stream: &mut OsStream, buffer: &mut [u8]) -> io::Result<usize> {
        match stream {
            OsStream::Tcp(stream) => stream.peek(buffer),
            OsStream::Terminal(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    #[inline]
    fn write(&mut self, stream: &mut OsStream, bytes: &[u8]) -> io::Result<usize> {
        match stream {
            OsStream::Tcp(stream) => stream.write(bytes),
            OsStream::Terminal(terminal) => terminal.write(self.poll.registry(), bytes),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn write_last(&mut self, stream: &mut OsStream, bytes: &[u8]) -> io::Result<usize> {
        match stream {
            OsStream::Tcp(stream) => socket2::SockRef::from(&*stream).send_with_flags(bytes, LAST),
            OsStream::Terminal(_) => self.write(stream, bytes),
        }
    }

    fn shutdown(&mut self, stream: &mut OsStream) -> io::Result<()> {
        match stream {
            OsStream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            OsStream::Terminal(_) => Ok(()),
        }
    }

    fn close(&mut self, stream: OsStream) {
        match stream {
            // Closing the descriptor also takes it out of epoll: it has no duplicate.
            OsStream::Tcp(stream) => drop(stream),
            OsStream::Terminal(mut terminal) => terminal.deregister(self.poll.registry()),
        }
    }

    fn close_listener(&mut self, listener: TcpListener) {
        drop(listener);
    }
}

impl From<Interest> for mio::Interest {
    fn from(interest: Interest) -> mio::Interest {
        // Without PRIORITY a read that stops at TCP's urgent mark would pass for a drained socket.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let readable = mio::Interest::READABLE | mio::Interest::PRIORITY;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let readable = mio::Interest::READABLE;
        match interest {
            Interest::Readable => readable,
            Interest::Writable => mio::Interest::WRITABLE,
            Interest::Both => readable | mio::Interest::WRITABLE,
        }
    }
}
