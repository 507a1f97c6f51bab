//! Connections of our own making, on the real kernel. Whether one succeeds is not known here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// Begins to connect, with TCP_NODELAY. It does not wait: whether it worked is known when the stream is
/// writable.
///
/// # Errors
/// Those of socket(2), setsockopt(2), bind(2), connect(2) and getsockname(2), such as that no port is left
/// (`AddrNotAvailable`).
pub(super) fn connect(
    address: SocketAddr,
    source: Option<IpAddr>,
) -> io::Result<(TcpStream, SocketAddr)> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        // The port is chosen when the target is known, so that each target has all of them.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use nix::sys::socket::{setsockopt, sockopt};
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        }
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let stream = TcpStream::from_std(socket.into());
    let own = stream.local_addr()?;
    Ok((stream, own))
}
