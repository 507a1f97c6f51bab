//! The real machine of a script: sockets of the loopback device, and waits until what one end did
//! has come to the other.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use epollo::reactor::{OsKernel, OsStream};
use epollo::sim::Received;
use rustix::event::PollFlags;
use rustix::io::ioctl_fionread;
use socket2::SockRef;

use super::diag::{Diag, Entry, state};
use super::link::Link;
use super::machine::{FarEnds, Machine};
use super::script::{Act, Outcome};
use crate::kernel::facts::endings::{listener, reset};
use crate::kernel::facts::{await_bytes, await_state};
use crate::support::{PATIENCE, eventually};

pub type RealMachine = Machine<OsKernel, RealFarEnds>;

pub struct RealFarEnds {
    pub listener: SocketAddr,
    pub ends: Vec<FarEnd>,
    diag: Diag,
}

/// One far end; without a stream it is closed.
pub struct FarEnd {
    pub stream: Option<TcpStream>,
    address: SocketAddr,
}

pub fn machine() -> RealMachine {
    // Nagle's algorithm would hold small writes back until the far end acknowledges.
    let (listener, address) = listener(true);
    let remote = RealFarEnds {
        listener: address,
        ends: Vec::new(),
        diag: Diag::new(),
    };
    Machine::new(OsKernel::new().unwrap(), listener, remote)
}

/// A machine whose listener has TCP_NOTSENT_LOWAT.
pub fn machine_with_lowat(lowat: u32) -> RealMachine {
    let machine = machine();
    let listener = SockRef::from(machine.listener.as_ref().unwrap());
    listener.set_tcp_notsent_lowat(lowat).unwrap();
    machine
}

/// The descriptor of a TCP connection.
pub fn fd_of(stream: &OsStream) -> BorrowedFd<'_> {
    let OsStream::Tcp(stream) = stream else {
        unreachable!("it was accepted")
    };
    stream.as_fd()
}

impl RealFarEnds {
    /// Takes this connection in.
    pub fn add(&mut self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        self.ends.push(FarEnd {
            address: stream.local_addr().unwrap(),
            stream: Some(stream),
        });
    }

    fn entry(&self, number: usize) -> Option<Entry> {
        let remote = self.ends[number].address.port();
        self.diag.entry(self.listener.port(), remote)
    }

    /// Waits until the far end has acknowledged our FIN, of which epoll tells, as of any change of
    /// the connection. Unless it has something to send, that takes it 40 ms.
    pub fn await_acknowledgement(&self, number: usize, ours: &OsStream) {
        let waits = [state::FIN_WAIT1, state::LAST_ACK, state::CLOSING];
        eventually("our FIN is acknowledged", || {
            let entry = self.entry(number);
            entry.is_none_or(|entry| !waits.contains(&entry.state))
        });
        // As in `await_ours`.
        ioctl_fionread(fd_of(ours)).unwrap();
    }

    /// Waits until the far end has acknowledged all that it was sent.
    pub fn await_delivery(&self, number: usize) {
        eventually("everything is acknowledged", || {
            let entry = self.entry(number);
            entry.is_none_or(|entry| entry.unacknowledged == 0)
        });
    }

    fn await_queued(&self, number: usize, link: &Link) {
        let unread = u32::try_from(link.unread).unwrap();
        let expected = match (link.is_broken, link.is_far_shut) {
            (true, _) => None,
            (false, true) => Some((state::CLOSE_WAIT, unread + 1)),
            (false, false) => Some((state::ESTABLISHED, unread)),
        };
        eventually("it has come to the backlog", || {
            let entry = self.entry(number);
            entry.map(|entry| (entry.state, entry.unread)) == expected
        });
    }

    fn await_ours(ours: BorrowedFd<'_>, link: &Link) {
        if link.is_broken || link.is_over() {
            await_state(ours, PollFlags::HUP);
        } else if link.is_far_shut {
            await_state(ours, PollFlags::RDHUP);
        }
        // It takes the socket's lock, so that whoever is at it has also told epoll.
        await_bytes(&ours, link.unread as u64);
    }
}

impl FarEnds<OsKernel> for RealFarEnds {
    fn connect(&mut self, _kernel: &mut OsKernel) -> Outcome {
        match TcpStream::connect_timeout(&self.listener, PATIENCE) {
            Ok(stream) => {
                self.add(stream);
                Outcome::Done
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Outcome::WasReset,
            Err(error) => panic!("{error}"),
        }
    }

    fn number_of(&self, address: SocketAddr) -> usize {
        let is_it = |end: &FarEnd| end.address == address;
        self.ends.iter().rposition(is_it).unwrap()
    }

    fn act(&mut self, _kernel: &mut OsKernel, number: usize, act: Act, bytes: &[u8]) -> Outcome {
        let end = &mut self.ends[number].stream;
        let stream = end.as_mut().unwrap();
        match act {
            Act::Send(_) => match stream.write(bytes).map_err(|error| error.kind()) {
                Ok(count) => Outcome::Count(count),
                Err(ErrorKind::WouldBlock) => Outcome::Count(0),
                Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Outcome::WasReset,
                Err(kind) => panic!("{kind}"),
            },
            Act::Receive(count) => {
                let read = stream.read(&mut vec![0; count]);
                Outcome::Far(match read.map_err(|error| error.kind()) {
                    Ok(0) => Received::End,
                    Ok(count) => Received::Bytes(count),
                    Err(ErrorKind::WouldBlock) => Received::Nothing,
                    Err(ErrorKind::ConnectionReset) => Received::Reset,
                    Err(kind) => panic!("{kind}"),
                })
            }
            Act::Finish => {
                stream.shutdown(Shutdown::Write).unwrap();
                Outcome::Done
            }
            Act::Reset => {
                reset(end.take().unwrap());
                Outcome::Done
            }
            Act::Close => {
                *end = None;
                Outcome::Done
            }
        }
    }

    fn settle(&mut self, number: usize, ours: Option<&OsStream>, link: &Link) {
        match ours {
            Some(ours) => RealFarEnds::await_ours(fd_of(ours), link),
            None if link.is_closed => {}
            None => self.await_queued(number, link),
        }
        let Some(remote) = &self.ends[number].stream else {
            return;
        };
        if link.is_broken || link.is_over() {
            await_state(remote, PollFlags::HUP);
        } else if link.is_shut {
            await_state(remote, PollFlags::RDHUP);
        }
        await_bytes(remote, link.untaken as u64);
    }
    fn is_still(&self, number: usize, untaken: usize) -> bool {
        let remote = self.ends[number].stream.as_ref().unwrap();
        let arrived = ioctl_fionread(remote).unwrap();
        let entry = self.entry(number).unwrap();
        u64::from(entry.unacknowledged) + arrived == untaken as u64
    }
}
