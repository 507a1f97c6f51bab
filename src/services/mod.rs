//! The three protocols as one [`Service`](crate::protocol::Service), and what clients wrap around theirs.
//! Nothing here opens a socket: `epollo serve` runs it on the real kernel, `epollo sim` on a simulated one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::protocol::StateName;

mod server;
mod windowed;

pub use server::{Origin, Server, Session, Settings};
pub use windowed::Windowed;

/// A protocol that can be served. A new one is a new major version, as of [`Event`](crate::protocol::Event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Greet and close.
    Hello,
    /// Send back what comes (RFC 862).
    Echo,
    /// Talk in turns.
    Chat,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 3] = [Protocol::Hello, Protocol::Echo, Protocol::Chat];

    /// What it is called: `echo`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Hello => "hello",
            Protocol::Echo => "echo",
            Protocol::Chat => "chat",
        }
    }

    /// The one that is called so.
    pub fn named(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Where it is served if nobody says where: on 127.0.0.1.
    pub fn default_address(self) -> SocketAddr {
        let port = match self {
            Protocol::Hello => 9190,
            Protocol::Echo => 12345,
            Protocol::Chat => 5000,
        };
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
    }
}

/// A new protocol does not compile before somebody was here, and has put it into [`Protocol::ALL`], too.
const _: () = {
    let (Protocol::Hello | Protocol::Echo | Protocol::Chat) = Protocol::ALL[0];
};

/// Where a stream of signals stands: it has but one state.
const SIGNALS: StateName = StateName {
    protocol: "signals",
    state: "waiting",
};
/// How many signals are read at once; each of a kind says the same.
const SIGNAL_BYTES_MAX: usize = 64;
