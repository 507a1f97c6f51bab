//! Connecting a client to its server, with a message for its user while that takes long
//! and for why it failed. What is said over the connection is not decided here.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use mio::net::TcpStream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use super::reason;
use crate::reactor::{OsStream, dial};

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
            Ok(stream) => return Ok((OsStream::Tcp(stream), address)),
            Err(error) => failure = cannot_connect(address, &error),
        }
    }
    Err(failure)
}

fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = dial(address, |socket| socket.set_tcp_nodelay(true))?;
    if !is_decided(&stream, SILENT_TIME_MAX)? {
        // Where standard error is gone, nobody waits for words.
        let _ = writeln!(io::stderr(), "epollo: still connecting to {address}");
        if !is_decided(&stream, CONNECT_TIME_MAX - SILENT_TIME_MAX)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    stream.take_error()?.map_or(Ok(stream), Err)
}

/// Whether the connection has come about, or failed, within this time.
fn is_decided(stream: &TcpStream, patience: Duration) -> io::Result<bool> {
    let timeout = Timespec::try_from(patience).ok();
    let mut sockets = [PollFd::new(stream, PollFlags::OUT)];
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
