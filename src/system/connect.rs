//! Connecting a client to its server, with a message for its user while that takes long
//! and for why it failed. What is said over the connection is not decided here.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use socket2::{Domain, Socket, Type};

use super::reason;
use crate::reactor::OsStream;

/// How long a server may take to accept the connection until a message says that we wait.
const SILENT_TIME_MAX: Duration = Duration::from_secs(1);
/// How long it may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// A connection to the first of the server's addresses that accepts one.
///
/// # Errors
/// Why none does, in words for our user.
pub fn connect(host: &str, port: u16) -> Result<(OsStream, SocketAddr), String> {
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|_| format!("cannot find the host '{host}' (is the name right?)"))?;
    let mut failure = format!("the host '{host}' has no address");
    for address in addresses {
        match connect_to(address) {
            Ok(stream) => {
                let stream = mio::net::TcpStream::from_std(stream);
                return Ok((OsStream::Tcp(stream), address));
            }
            Err(error) => failure = cannot_connect(address, &error),
        }
    }
    Err(failure)
}

fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {
            if !is_decided(&socket, SILENT_TIME_MAX)? {
                // Where standard error is gone, nobody waits for words.
                let _ = writeln!(io::stderr(), "epollo: still connecting to {address}");
                if !is_decided(&socket, CONNECT_TIME_MAX - SILENT_TIME_MAX)? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
        }
        done => done?,
    }
    Ok(socket.into())
}

/// Whether the connection has come about, or failed, within this time.
fn is_decided(socket: &Socket, patience: Duration) -> io::Result<bool> {
    let timeout = Timespec::try_from(patience).ok();
    let mut sockets = [PollFd::new(socket, PollFlags::OUT)];
    let count = retry_on_intr(|| poll(&mut sockets, timeout.as_ref()))?;
    Ok(count > 0)
}

fn cannot_connect(address: SocketAddr, error: &io::Error) -> String {
    let why = if error.kind() == io::ErrorKind::ConnectionRefused {
        let reason = reason(error);
        format!("{reason} (is the server running, and on this port?)")
    } else if error.kind() == io::ErrorKind::TimedOut {
        let seconds = CONNECT_TIME_MAX.as_secs();
        format!("no answer within {seconds} s (is the address right, and reachable from here?)")
    } else {
        reason(error)
    };
    format!("cannot connect to {address}: {why}")
}
