//! Observers of the library, on the real kernel: what they are shown, and what the directory knows.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use epollo::protocol::echo::{Echo, Settings};
use epollo::protocol::{PeerId, Time};
use epollo::reactor::{ConnectOptions, Limits, ListenOptions, OsKernel, Policy, Reactor, bind};
use epollo::trace::json::{error_word, object};
use epollo::trace::text::Text;
use epollo::trace::{Directory, Flags, Observer, Subject, TraceEvent};

use crate::support::{read_exactly, read_to_end};

/// Writes down the kinds of events, and when each was.
#[derive(Default)]
struct Kinds {
    looks_closely: bool,
    seen: Vec<(&'static str, Time)>,
    peer: Option<PeerId>,
    is_over: bool,
}

impl Observer for Kinds {
    fn wants_details(&self) -> bool {
        self.looks_closely
    }

    fn observe(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        self.seen.push((event.kind(), at));
        if let TraceEvent::Opened { peer, .. } = *event {
            self.peer = Some(peer);
            assert!(directory.peer(peer).is_some(), "it is introduced first");
        }
        self.is_over |= matches!(event, TraceEvent::Closed { .. });
        if self.is_over && event.subject() == Subject::Loop {
            assert_eq!(event.kind(), "end");
        }
    }
}

/// A client says hello, hears it and leaves.
fn client(address: SocketAddr) -> JoinHandle<SocketAddr> {
    std::thread::spawn(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"hello").unwrap();
        assert_eq!(read_exactly(&mut client, 5), b"hello");
        client.shutdown(Shutdown::Write).unwrap();
        assert!(read_to_end(&mut client).is_empty());
        client.local_addr().unwrap()
    })
}

/// What is seen of one echo, by whoever looks closely or not.
fn one_echo(looks_closely: bool) -> Reactor<OsKernel, Echo, Kinds> {
    let settings = Settings {
        quit: None,
        print: false,
    };
    let limits = Limits {
        clients_max: 10,
        clients_per_address_max: None,
        unsent_bytes_max: 1 << 20,
        grace: None,
        spin: std::time::Duration::ZERO,
    };
    let observer = Kinds {
        looks_closely,
        ..Kinds::default()
    };
    let kernel = OsKernel::new().unwrap();
    let mut reactor = Reactor::observed(kernel, Echo::new(settings), limits, observer);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = bind(any, ListenOptions::default()).unwrap();
    let address = listener.local_addr().unwrap();
    reactor.listen(listener, (), Policy::default()).unwrap();
    reactor.name_listeners(vec!["echo".to_owned()]);
    let client = client(address);
    while !reactor.observer().is_over {
        reactor.turn().unwrap();
    }
    let (directory, peer) = (reactor.directory(), reactor.observer().peer.unwrap());
    let known = directory.peer(peer).unwrap();
    let name = client.join().unwrap();
    assert_eq!(
        (known.address, &known.name),
        (Some(name), &name.to_string())
    );
    assert_eq!(directory.listener(known.listener.unwrap()), "echo");
    assert_eq!(known.state.protocol, "echo");
    assert_eq!(known.interest, Flags::IN | Flags::PRI);
    assert_eq!((known.bytes_in, known.bytes_out), (5, 5));
    reactor
}

#[test]
fn whoever_looks_closely_sees_every_event_at_its_time() {
    let reactor = one_echo(true);
    let seen = &reactor.observer().seen;
    for kind in ["ready", "event", "effect", "read", "write", "delivery"] {
        assert!(seen.iter().any(|&(other, _)| other == kind), "no {kind}");
    }
    let times = seen.iter().map(|&(_, at)| at);
    assert!(times.is_sorted());
    let written = seen.iter().position(|&(kind, _)| kind == "write").unwrap();
    assert!(
        seen[written].1 > seen[written - 1].1,
        "a system call takes time"
    );
}

#[test]
fn whoever_does_not_is_shown_only_what_is_counted_and_the_clock_is_read_three_times_a_turn() {
    let reactor = one_echo(false);
    let seen = &reactor.observer().seen;
    let mut edge = Time::ZERO;
    for &(kind, at) in seen {
        match kind {
            "wait" | "wake" | "end" => edge = at,
            "accept" | "open" | "interest" | "read" | "write" | "close" => assert_eq!(at, edge),
            other => panic!("{other} in {seen:?}"),
        }
    }
    for kind in ["open", "read", "write", "close"] {
        assert!(seen.iter().any(|&(other, _)| other == kind), "no {kind}");
    }
}

/// Writes down what is said of connecting, as text and in JSON.
#[derive(Default)]
struct Connecting(Vec<(String, String)>);

impl Observer for Connecting {
    fn observe(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        if event.kind() != "connect" {
            return;
        }
        let text = Text {
            is_coloured: false,
            payload: 0,
            error_word,
        };
        let line = text.line(at, directory, event).to_string();
        let (_, said) = line.split_once(" connect ").unwrap();
        let mut json = Vec::new();
        object(&mut json, at, directory, event, 0);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let result = json["result"].as_str().unwrap().to_owned();
        self.0.push((said.trim().to_owned(), result));
    }
}

#[test]
fn whether_a_peer_that_we_called_has_answered_is_shown_with_the_call_that_said_so() {
    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = remote.local_addr().unwrap();
    let echo = Echo::new(Settings::default());
    let kernel = OsKernel::new().unwrap();
    let mut reactor = Reactor::observed(kernel, echo, Limits::default(), Connecting::default());
    let options = ConnectOptions::default();
    reactor.connect(address, (), options).unwrap();
    drop(remote.accept().unwrap());
    reactor.run().unwrap();
    drop(remote);
    reactor.connect(address, (), options).unwrap();
    reactor.run().unwrap();
    let said = [
        ("getpeername = 0: the connection is established", "ok"),
        (
            "recvfrom(MSG_PEEK) = -1 ECONNREFUSED: connection refused",
            "ECONNREFUSED",
        ),
    ];
    let said = said.map(|(text, result)| (text.to_owned(), result.to_owned()));
    assert_eq!(reactor.observer().0, said);
}
