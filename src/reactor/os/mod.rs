//! The real kernel, over mio and socket2: one system call for each call of [`Kernel`]. It decides nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};

use super::kernel::{
    Batch, Delivery, EVENTS_PER_TURN_MAX, Interest, Kernel, Readiness, Waker, canonical,
};
use super::token::Token;
use crate::protocol::Time;
use crate::trace::Flags;
use alarm::Alarm;

mod alarm;
mod connect;
mod listen;
mod tcp_info;
mod terminal;

pub use connect::dial;
pub use listen::{ListenOptions, bind};
pub use terminal::{Direction, IoMode, OnError, Terminal};

/// MSG_NOSIGNAL and MSG_MORE (send(2)): what is sent waits for what follows, one segment instead of two.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LAST: std::ffi::c_int = 0x4000 | 0x8000;

/// A stream of the real kernel. A socket must be non-blocking before it is handed to a reactor.
#[derive(Debug)]
#[non_exhaustive]
pub enum OsStream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// Our user's standard input and output, or either.
    Terminal(Box<Terminal>),
}

/// Ends the wait of an [`OsKernel`] from another thread.
#[derive(Clone, Debug)]
pub struct OsWaker(Arc<mio::Waker>);

impl Waker for OsWaker {
    fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// The real kernel, through mio.
#[derive(Debug)]
pub struct OsKernel {
    poll: mio::Poll,
    events: mio::Events,
    origin: Instant,
    /// When [`Kernel::now`] was asked last.
    now: Time,
    alarm: Alarm,
}

impl OsKernel {
    /// A kernel that watches nothing yet.
    ///
    /// # Errors
    /// Those of epoll_create1(2) and timerfd_create(2).
    pub fn new() -> io::Result<OsKernel> {
        let poll = mio::Poll::new()?;
        let alarm = Alarm::new(poll.registry())?;
        Ok(OsKernel {
            poll,
            events: mio::Events::with_capacity(EVENTS_PER_TURN_MAX),
            origin: Instant::now(),
            now: Time::ZERO,
            alarm,
        })
    }
}

impl Kernel for OsKernel {
    type Listener = TcpListener;
    type Stream = OsStream;
    type Waker = OsWaker;

    fn now(&mut self) -> Time {
        self.now = self.clock();
        self.now
    }

    #[inline]
    fn clock(&self) -> Time {
        let elapsed = self.origin.elapsed();
        Time::from_nanos(elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos()))
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Readiness>) -> io::Result<Batch> {
        let timeout = self.alarm.set(self.now, timeout)?;
        self.poll.poll(&mut self.events, timeout)?;
        let mut alarms = 0;
        for event in &self.events {
            if self.alarm.went_off(event) {
                alarms += 1;
                continue;
            }
            ready.push(Readiness {
                token: event.token().into(),
                flags: flags_of(event),
            });
        }
        Ok(match ready.len() + alarms {
            EVENTS_PER_TURN_MAX.. => Batch::Truncated,
            _ => Batch::Complete,
        })
    }

    fn waker(&mut self) -> io::Result<OsWaker> {
        let waker = mio::Waker::new(self.poll.registry(), Token::WAKER.into())?;
        Ok(OsWaker(Arc::new(waker)))
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

    fn discard_typed(&mut self, stream: &mut OsStream) {
        match stream {
            OsStream::Tcp(_) => {}
            OsStream::Terminal(terminal) => terminal.discard_typed(),
        }
    }

    fn watched(&self, stream: &OsStream, interest: Interest, is_first: bool) -> [Flags; 2] {
        match stream {
            OsStream::Tcp(_) => [interest.watched(), Flags::NONE],
            OsStream::Terminal(terminal) => terminal.watched(interest, is_first),
        }
    }

    fn descriptor(&self, stream: &OsStream) -> Option<i32> {
        match stream {
            #[cfg(unix)]
            OsStream::Tcp(stream) => Some(std::os::fd::AsRawFd::as_raw_fd(stream)),
            #[cfg(not(unix))]
            OsStream::Tcp(_) => None,
            OsStream::Terminal(_) => None,
        }
    }

    fn is_socket(&self, stream: &OsStream) -> bool {
        match stream {
            OsStream::Tcp(_) => true,
            OsStream::Terminal(_) => false,
        }
    }

    fn peer_address(&self, stream: &OsStream) -> Option<SocketAddr> {
        match stream {
            OsStream::Tcp(stream) => stream.peer_addr().ok().map(canonical),
            OsStream::Terminal(_) => None,
        }
    }

    fn connect(
        &mut self,
        address: SocketAddr,
        source: Option<IpAddr>,
    ) -> io::Result<(OsStream, SocketAddr)> {
        let stream = connect::dial(address, |socket| connect::prepare(socket, source))?;
        let own = stream.local_addr()?;
        Ok((OsStream::Tcp(stream), own))
    }

    fn connected(&mut self, stream: &mut OsStream) -> io::Result<()> {
        match stream {
            OsStream::Tcp(stream) => match stream.peer_addr() {
                // Still under way, failed, or reset since: a read tells which, and what came before.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    stream.peek(&mut [0]).map(drop)
                }
                other => other.map(drop),
            },
            OsStream::Terminal(_) => Ok(()),
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

    fn delivery(&mut self, stream: &OsStream) -> io::Result<Delivery> {
        match stream {
            OsStream::Tcp(stream) => tcp_info::delivery(stream),
            OsStream::Terminal(_) => Ok(Delivery::COMPLETE),
        }
    }

    fn take_error(&mut self, stream: &OsStream) -> io::Result<Option<io::Error>> {
        match stream {
            OsStream::Tcp(stream) => stream.take_error(),
            OsStream::Terminal(_) => Ok(None),
        }
    }

    fn receive_buffer(&self, stream: &OsStream) -> io::Result<usize> {
        match stream {
            OsStream::Tcp(stream) => socket2::SockRef::from(stream).recv_buffer_size(),
            OsStream::Terminal(_) => Ok(0),
        }
    }

    fn reset(&mut self, stream: OsStream) {
        if let OsStream::Tcp(stream) = &stream {
            // Where it fails, the connection is gone already.
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        self.close(stream);
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

/// What mio lets us tell of epoll's flags.
#[inline]
fn flags_of(event: &mio::event::Event) -> Flags {
    let flags = Flags::IN.only_if(event.is_readable())
        | Flags::PRI.only_if(event.is_priority())
        | Flags::OUT.only_if(event.is_writable())
        | Flags::ERR.only_if(event.is_error());
    if event.is_read_closed() {
        // Once for each peer: the others are spared it.
        flags | Flags::RDHUP | Flags::HUP.only_if(event.is_write_closed())
    } else {
        flags
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

impl From<Token> for mio::Token {
    fn from(token: Token) -> mio::Token {
        mio::Token(usize::try_from(token.0).expect("epollo needs 64-bit addresses"))
    }
}

impl From<mio::Token> for Token {
    fn from(token: mio::Token) -> Token {
        Token(token.0 as u64)
    }
}
