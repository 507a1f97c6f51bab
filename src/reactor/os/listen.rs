//! Listeners of the real kernel: how they are made. When they are asked for a connection is not decided here.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

/// How a listener is made.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// Connections that the kernel keeps for us at most; it takes the smaller of this and
    /// `net.core.somaxconn` (listen(2)).
    pub backlog: u32,
    /// SO_REUSEPORT: several sockets on one port, among which the kernel spreads connections.
    pub reuse_port: bool,
    /// Unsent bytes that the kernel keeps for each peer before it takes no more (TCP_NOTSENT_LOWAT), or
    /// a little above; `None`: as many as it likes, up to several MiB (`net.ipv4.tcp_wmem`).
    pub send_buffer: Option<u32>,
}

impl Default for ListenOptions {
    /// What `epollo serve` listens with.
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 4096,
            reuse_port: false,
            send_buffer: Some(128 * 1024),
        }
    }
}

/// A listening socket that does not block, with SO_REUSEADDR, TCP_NODELAY and TCP_NOTSENT_LOWAT (which
/// accepted sockets inherit on Linux). Not mio's own `bind`, whose backlog is 128.
///
/// # Errors
/// Those of socket(2), setsockopt(2), bind(2) and listen(2).
pub fn bind(address: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(options.reuse_port)?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(bytes) = options.send_buffer {
        socket.set_tcp_notsent_lowat(bytes)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(TcpListener::from_std(socket.into()))
}
