//! The reactor as a library, on the real kernel: what a service of one's own is told.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use epollo::protocol::{CloseReason, Context, Event, Peer, Service};
use epollo::reactor::{
    Direction, IoMode, Limits, ListenOptions, OnError, OsKernel, OsStream, Policy, Reactor,
    Terminal, bind,
};

/// Writes down what it is told, and ends the run when so many peers have gone.
#[derive(Debug, Default)]
struct Diary {
    lines: Vec<String>,
    addresses: Vec<(&'static str, Option<SocketAddr>)>,
    peers_left: usize,
}

impl Service for Diary {
    type Session = &'static str;
    type Origin = &'static str;

    fn open(&mut self, _: &mut Context<'_>, origin: &'static str, peer: &Peer<'_>) -> &'static str {
        self.addresses.push((origin, peer.address));
        self.lines.push(format!("{origin} open {}", peer.name));
        origin
    }

    fn step(&mut self, cx: &mut Context<'_>, origin: &mut &'static str, event: Event<'_>) {
        self.lines.push(format!("{origin} {event:?}"));
        if event == Event::Eof {
            cx.close();
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, origin: &'static str, reason: CloseReason) {
        self.lines.push(format!("{origin} close {reason:?}"));
        self.peers_left -= 1;
        if self.peers_left == 0 {
            cx.stop();
        }
    }
}

fn reactor(peers: usize) -> Reactor<OsKernel, Diary> {
    let diary = Diary {
        peers_left: peers,
        ..Diary::default()
    };
    Reactor::new(OsKernel::new().unwrap(), diary, Limits::default())
}

fn tcp(stream: TcpStream) -> OsStream {
    stream.set_nonblocking(true).unwrap();
    OsStream::Tcp(mio::net::TcpStream::from_std(stream))
}

#[test]
fn a_session_is_told_the_address_of_its_peer_as_data() {
    let mut reactor = reactor(3);
    // An IPv4 client of a listener for both is an IPv4 client.
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let listener = bind(both, ListenOptions::default()).unwrap();
    let port = listener.local_addr().unwrap().port();
    reactor
        .listen(listener, "accepted", Policy::default())
        .unwrap();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = client.local_addr().unwrap();
    let far = TcpListener::bind("127.0.0.1:0").unwrap();
    let attached = TcpStream::connect(far.local_addr().unwrap()).unwrap();
    reactor
        .attach(
            tcp(attached),
            "attached",
            Policy::default(),
            format_args!("a friend"),
        )
        .unwrap();
    let (pipe, _) = std::io::pipe().unwrap();
    let pipe = Direction::new(std::os::fd::OwnedFd::from(pipe).into(), IoMode::Nonblocking);
    let pipe = Terminal::new(Some(pipe), None, OnError::Ignore);
    reactor
        .attach(
            OsStream::Terminal(Box::new(pipe)),
            "pipe",
            Policy::default(),
            format_args!("a pipe"),
        )
        .unwrap();
    drop(far.accept().unwrap());
    drop(client);
    reactor.run().unwrap();
    let diary = reactor.into_service();
    assert_eq!(
        diary.addresses,
        [
            ("attached", Some(far.local_addr().unwrap())),
            ("pipe", None),
            ("accepted", Some(accepted)),
        ]
    );
    assert_eq!(diary.lines[0], "attached open a friend");
}
