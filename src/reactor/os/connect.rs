//! Connections of our own making, on the real kernel. Whether one succeeds is not known here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// Begins to connect with a socket that `prepare` has given its options. It does not wait: whether it worked is
/// known when the stream is writable.
///
/// # Errors
/// Those of socket(2), of `prepare`, and of connect(2), such as that no port is left (`AddrNotAvailable`).
pub fn dial(
    address: SocketAddr,
    prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    prepare(&socket)?;
    match socket.connect(&address.into()) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Has TCP_NODELAY, and the address from which the connection is to come, if one was chosen.
pub(super) fn prepare(socket: &Socket, source: Option<IpAddr>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        // The port is chosen when the target is known, so that each target has all of them.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use nix::sys::socket::{setsockopt, sockopt};
            setsockopt(socket, sockopt::IpBindAddressNoPort, &true)?;
        }
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    Ok(())
}
