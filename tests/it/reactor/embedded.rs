//! The reactor as a library, on the real kernel: what a service of one's own is told.

use std::io::Write;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use epollo::protocol::{CloseReason, Context, Event, Peer, PeerId, Service};
use epollo::reactor::{
    ConnectOptions, Direction, IoMode, Limits, ListenOptions, OnError, OsKernel, OsStream, Policy,
    Reactor, Terminal, bind,
};

/// Writes down what it is told, and ends the run when so many peers have gone.
#[derive(Debug, Default)]
struct Diary {
    lines: Vec<String>,
    addresses: Vec<(&'static str, Option<SocketAddr>)>,
    peers_left: usize,
    /// It only counts.
    is_terse: bool,
    attached: usize,
    latest: Option<PeerId>,
}

impl Service for Diary {
    type Session = &'static str;
    type Origin = &'static str;

    fn open(
        &mut self,
        cx: &mut Context<'_>,
        origin: &'static str,
        peer: &Peer<'_>,
    ) -> &'static str {
        self.attached += 1;
        if self.is_terse {
            cx.close();
            return origin;
        }
        self.addresses.push((origin, peer.address));
        self.lines.push(format!("{origin} open {}", peer.name));
        self.latest = Some(peer.id);
        origin
    }

    fn step(&mut self, cx: &mut Context<'_>, origin: &mut &'static str, event: Event<'_>) {
        self.lines.push(format!("{origin} {event:?}"));
        if matches!(event, Event::Eof | Event::Notified) {
            cx.close();
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, origin: &'static str, reason: CloseReason) {
        if !self.is_terse {
            self.lines.push(format!("{origin} close {reason:?}"));
        }
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
    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    let attached = TcpStream::connect(remote.local_addr().unwrap()).unwrap();
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
    drop(remote.accept().unwrap());
    drop(client);
    reactor.run().unwrap();
    let diary = reactor.into_service();
    assert_eq!(
        diary.addresses,
        [
            ("attached", Some(remote.local_addr().unwrap())),
            ("pipe", None),
            ("accepted", Some(accepted)),
        ]
    );
    assert_eq!(diary.lines[0], "attached open a friend");
}

/// Runs it on a thread of its own; fails if that does not end.
fn run(mut reactor: Reactor<OsKernel, Diary>) -> Diary {
    let (ended, has_ended) = channel();
    thread::spawn(move || {
        reactor.run().unwrap();
        ended.send(reactor.into_service()).unwrap();
    });
    has_ended
        .recv_timeout(Duration::from_secs(30))
        .expect("the run ends")
}

/// A reactor with one client, which has nothing left to do but to sleep.
fn asleep() -> (Reactor<OsKernel, Diary>, TcpStream, PeerId) {
    let mut reactor = reactor(1);
    let listener = bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default()).unwrap();
    let address = listener.local_addr().unwrap();
    reactor.listen(listener, "tcp", Policy::default()).unwrap();
    let client = TcpStream::connect(address).unwrap();
    let peer = loop {
        reactor.turn().unwrap();
        if let Some(peer) = reactor.service().latest {
            break peer;
        }
    };
    (reactor, client, peer)
}

#[test]
fn another_thread_ends_a_run_that_sleeps() {
    let (mut reactor, _client, _) = asleep();
    reactor.service_mut().peers_left = usize::MAX;
    let handle = reactor.handle().unwrap();
    let user = thread::spawn(move || {
        handle.clone().stop().unwrap();
        handle.stop().unwrap();
        handle
    });
    let diary = run(reactor);
    assert!(
        diary.lines.contains(&"tcp Stopping".to_owned()),
        "{diary:?}"
    );
    let handle = user.join().unwrap();
    handle.stop().expect("nothing happens after the run");
}

#[test]
fn another_thread_has_a_session_told_that_there_is_something() {
    let (mut reactor, _client, peer) = asleep();
    let handle = reactor.handle().unwrap();
    let user = thread::spawn(move || {
        let gone = PeerId {
            generation: peer.generation + 1,
            ..peer
        };
        handle.notify(gone).unwrap();
        handle.notify(peer).unwrap();
    });
    let diary = run(reactor);
    user.join().unwrap();
    let told = |line: &&String| *line == "tcp Notified";
    assert_eq!(diary.lines.iter().filter(told).count(), 1, "{diary:?}");
}

#[test]
fn a_connection_of_our_own_is_told_of_before_what_its_server_says() {
    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = remote.local_addr().unwrap();
    let mut reactor = reactor(1);
    let options = ConnectOptions {
        source: Some("127.0.0.9".parse().unwrap()),
        ..ConnectOptions::default()
    };
    reactor.connect(address, "dialled", options).unwrap();
    // It has answered, spoken and left before we look for the first time.
    let (mut stream, own) = remote.accept().unwrap();
    stream.write_all(b"hello").unwrap();
    drop(stream);
    let diary = run(reactor);
    let expected = [
        format!("dialled open {own}"),
        "dialled Connected".to_owned(),
        "dialled Received([104, 101, 108, 108, 111])".to_owned(),
        "dialled Eof".to_owned(),
        "dialled close Finished".to_owned(),
    ];
    assert_eq!(diary.lines, expected);
    assert_eq!(diary.addresses, [("dialled", Some(address))]);
    assert_eq!(own.ip().to_string(), "127.0.0.9");
}

#[test]
fn a_connection_that_is_refused_closes_as_broken_and_is_never_told_of() {
    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = remote.local_addr().unwrap();
    drop(remote);
    let mut reactor = reactor(1);
    reactor
        .connect(address, "dialled", ConnectOptions::default())
        .unwrap();
    let diary = run(reactor);
    let refused = rustix::io::Errno::CONNREFUSED.raw_os_error();
    let ending = format!("dialled close Broken({refused})");
    assert_eq!(diary.lines[1..], [ending]);
}

#[test]
fn a_million_streams_can_be_attached_in_one_run() {
    let mut reactor = reactor(usize::MAX);
    reactor.service_mut().is_terse = true;
    for number in 0..1_000_000_u32 {
        let nothing = Terminal::new(None, None, OnError::Ignore);
        let stream = OsStream::Terminal(Box::new(nothing));
        reactor
            .attach(
                stream,
                "nothing",
                Policy::default(),
                format_args!("{number}"),
            )
            .unwrap();
        if number % 1000 == 0 {
            reactor.turn().unwrap();
        }
    }
    assert_eq!(reactor.service().attached, 1_000_000);
}
