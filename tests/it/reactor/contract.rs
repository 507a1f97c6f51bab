//! What the library promises to a service of one's own and could break unseen, since `epollo` itself never
//! asks for it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use epollo::protocol::{CloseReason, Context, Effects, Event, Peer, PeerId, Service, Time};
use epollo::reactor::{
    ConnectOptions, Direction, IoMode, Limits, ListenOptions, OnError, OsKernel, OsStream, Policy,
    Reactor, Terminal, bind,
};
use epollo::sim::{FaultProfile, Received, SocketId};

use super::rare::{Rig, fault_profile};

/// Does as it was told to, and writes down what it is told.
pub(super) struct Puppet {
    opens: fn(&mut Context<'_>, &'static str),
    answers: fn(&mut Context<'_>, Event<'_>),
    read_limit: usize,
    pub(super) lines: Vec<String>,
}

impl Puppet {
    pub(super) fn new(opens: fn(&mut Context<'_>, &'static str)) -> Puppet {
        Puppet {
            opens,
            answers: |_, _| {},
            read_limit: usize::MAX,
            lines: Vec::new(),
        }
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|written| written == line)
    }
}

impl Service for Puppet {
    type Session = &'static str;
    type Origin = &'static str;

    fn open(&mut self, cx: &mut Context<'_>, name: &'static str, peer: &Peer<'_>) -> &'static str {
        let address = peer.address.map(|address| address.ip());
        self.lines.push(format!("{name} open {address:?}"));
        (self.opens)(cx, name);
        name
    }

    fn step(&mut self, cx: &mut Context<'_>, name: &mut &'static str, event: Event<'_>) {
        self.lines.push(format!("{name} {event:?}"));
        (self.answers)(cx, event);
    }

    fn close(&mut self, _: &mut Context<'_>, name: &'static str, reason: CloseReason) {
        self.lines.push(format!("{name} close {reason:?}"));
    }

    fn read_limit(&self, _: &&'static str) -> usize {
        self.read_limit
    }
}

pub(super) type Real = Reactor<OsKernel, Puppet>;

pub(super) fn real(puppet: Puppet, limits: Limits) -> Real {
    Reactor::new(OsKernel::new().unwrap(), puppet, limits)
}

/// It listens, as `accepted`.
pub(super) fn listen(reactor: &mut Real, policy: Policy) -> SocketAddr {
    let listener = bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default()).unwrap();
    let address = listener.local_addr().unwrap();
    reactor.listen(listener, "accepted", policy).unwrap();
    address
}

/// Runs it on a thread of its own; fails if that does not end.
pub(super) fn run(mut reactor: Real) -> Real {
    let (ended, has_ended) = channel();
    thread::spawn(move || {
        reactor.run().unwrap();
        ended.send(reactor).unwrap();
    });
    let patience = Duration::from_secs(10);
    has_ended.recv_timeout(patience).expect("the run ends")
}

/// Has turns until something was written down; a turn never sleeps, since somebody is notified in it.
pub(super) fn turn_until(reactor: &mut Real, line: &str) {
    for _ in 0..100_000 {
        if reactor.service().has(line) {
            return;
        }
        reactor.notify(NOBODY);
        reactor.turn().unwrap();
    }
    panic!("never '{line}': {:?}", reactor.service().lines);
}

const NOBODY: PeerId = PeerId {
    slot: u32::MAX - 1,
    generation: 1,
};

/// Clients that neither read nor leave.
fn silent_clients(rig: &mut Rig<Puppet>, count: usize) -> Vec<SocketId> {
    (0..count).map(|_| rig.connect(0, (64, 2))).collect()
}

#[test]
fn who_is_left_keeps_no_place_for_ever_under_the_default_policy_or_without_a_linger() {
    let none = Policy {
        linger: None,
        ..Policy::default()
    };
    for policy in [Policy::default(), none] {
        let puppet = Puppet::new(|cx, _| {
            cx.send(b"bye");
            cx.close();
        });
        let mut rig = Rig::held_to(puppet, fault_profile(100), &["client"], policy);
        let clients = silent_clients(&mut rig, 50);
        let mut received = 0;
        for _ in 0..100 {
            // It fails where it would sleep for ever.
            let _ = rig.reactor.turn();
            for &client in &clients {
                if let Received::Bytes(count) = rig.reactor.kernel_mut().net.receive(client, 1) {
                    received += count;
                }
            }
        }
        assert_eq!(received, 50 * b"bye".len());
        assert_eq!(rig.reactor.holdings().peers, 0, "{policy:?}");
    }
}

#[test]
fn without_a_linger_a_peer_goes_as_soon_as_the_kernel_has_its_bytes() {
    let puppet = Puppet::new(|cx, _| {
        cx.send(&[b'.'; 100]);
        cx.close();
    });
    let none = Policy {
        linger: None,
        ..Policy::default()
    };
    let mut rig = Rig::held_to(puppet, fault_profile(100), &["client"], none);
    let client = rig.connect(0, (64, 10));
    rig.settle();
    assert_eq!(rig.receive_all(client).0, 100, "none is lost");
    assert_eq!(rig.reactor.holdings().peers, 0);
    assert!(rig.reactor.service().has("client close Finished"));
}

#[test]
fn what_is_no_socket_never_lingers() {
    let mut reactor = real(Puppet::new(|cx, _| cx.close()), Limits::default());
    let (pipe, _writer) = std::io::pipe().unwrap();
    let pipe = Direction::new(std::os::fd::OwnedFd::from(pipe).into(), IoMode::Nonblocking);
    let stream = OsStream::Terminal(Box::new(Terminal::new(Some(pipe), None, OnError::Ignore)));
    let policy = Policy {
        linger: Some(Duration::from_secs(3600)),
        ..Policy::default()
    };
    reactor
        .attach(stream, "pipe", policy, format_args!("a pipe"))
        .unwrap();
    reactor.turn().unwrap();
    assert_eq!(reactor.holdings().peers, 0);
}

#[test]
fn a_linger_of_no_time_does_not_keep_the_loop_busy() {
    let puppet = Puppet::new(|cx, _| {
        cx.send(&[b'.'; 1_000]);
        cx.close();
    });
    for linger in [Duration::ZERO, Duration::from_nanos(1)] {
        let policy = Policy {
            linger: Some(linger),
            ..Policy::default()
        };
        let puppet = Puppet::new(puppet.opens);
        let mut rig = Rig::held_to(puppet, fault_profile(100), &["client"], policy);
        let client = rig.connect(0, (64, 2_000));
        rig.reactor.kernel_mut().net.vanish(client);
        let began = rig.reactor.now();
        for _ in 0..200 {
            rig.reactor.turn().unwrap();
        }
        let passed = rig.reactor.now().since(began);
        assert!(
            passed >= Duration::from_millis(900),
            "200 turns in {passed:?}"
        );
    }
}

#[test]
fn who_is_owed_most_is_evicted_also_if_we_have_called_it() {
    let puppet = Puppet::new(|cx, name| {
        let count = if name == "dialled" {
            64 << 20
        } else {
            600 << 10
        };
        cx.send(&vec![b'.'; count]);
    });
    let limits = Limits {
        unsent_bytes_max: 1 << 20,
        ..Limits::default()
    };
    let mut reactor = real(puppet, limits);
    let address = listen(&mut reactor, Policy::default());
    let _client = TcpStream::connect(address).unwrap();
    turn_until(&mut reactor, "accepted open Some(127.0.0.1)");
    let sink = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ConnectOptions::default();
    let id = reactor
        .connect(sink.local_addr().unwrap(), "dialled", options)
        .unwrap();
    reactor.notify(id);
    reactor.turn().unwrap();
    let lines = &reactor.service().lines;
    assert!(reactor.service().has("dialled close Evicted"), "{lines:?}");
    assert!(
        !reactor.service().has("accepted close Evicted"),
        "{lines:?}"
    );
}

#[test]
fn what_a_session_sends_as_it_opens_counts_at_once() {
    let puppet = Puppet::new(|cx, _| cx.send(&vec![b'.'; 8 << 20]));
    let limits = Limits {
        unsent_bytes_max: 1 << 20,
        ..Limits::default()
    };
    let mut reactor = real(puppet, limits);
    let sink = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ConnectOptions::default();
    reactor
        .connect(sink.local_addr().unwrap(), "dialled", options)
        .unwrap();
    assert_eq!(reactor.holdings().buffered_bytes, 0);
}

#[test]
fn what_a_session_sends_in_the_send_phase_counts_too() {
    let mut puppet = Puppet::new(|_, _| {});
    // It is not read, so that its end is found in the send phase.
    puppet.read_limit = 0;
    puppet.answers = |cx, event| {
        assert_eq!(event, Event::Eof);
        cx.send(&vec![b'.'; 32 << 20]);
    };
    let mut rig = Rig::held_to(puppet, fault_profile(100), &["client"], Policy::default());
    let client = rig.connect(0, (64, 64));
    rig.reactor.turn().unwrap();
    rig.reactor.kernel_mut().net.finish(client);
    rig.settle();
    assert!(rig.reactor.service().has("client close Evicted"));
    assert_eq!(rig.reactor.holdings().buffered_bytes, 0);
}

#[test]
#[should_panic(expected = "Context::send_back(0..5): 0 bytes were received")]
fn to_send_back_what_was_not_received_is_said_to_be_a_mistake() {
    let mut puppet = Puppet::new(|_, _| {});
    puppet.answers = |cx, event| {
        if event == Event::Eof {
            cx.send_back(0..5);
        }
    };
    let mut rig = Rig::held_to(puppet, fault_profile(100), &["client"], Policy::default());
    let client = rig.connect(0, (64, 64));
    rig.reactor.turn().unwrap();
    rig.reactor.kernel_mut().net.finish(client);
    rig.settle();
}

#[test]
fn whoever_composes_sees_nothing_of_what_was_sent_before() {
    let mut effects = Effects::default();
    let mut cx = effects.context(Time::ZERO, NOBODY, 100);
    cx.send_with(|buffer| buffer.extend_from_slice(b"one "));
    for piece in ["two ", "three"] {
        cx.send_with(|buffer| {
            assert!(buffer.is_empty(), "{buffer:?}");
            buffer.clear();
            buffer.extend_from_slice(piece.as_bytes());
        });
    }
    cx.send_with(Vec::clear);
    assert_eq!(cx.send_capacity(), 100 - b"one two three".len());
    assert_eq!(effects.bytes(), b"one two three");
    assert_eq!(effects.list().len(), 3);
}

#[test]
fn whom_we_call_has_an_ipv4_address_that_is_written_as_one() {
    let mut reactor = real(Puppet::new(|cx, _| cx.abort()), Limits::default());
    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = remote.local_addr().unwrap().port();
    let mapped = format!("[::ffff:127.0.0.1]:{port}").parse().unwrap();
    let options = ConnectOptions {
        source: Some("127.0.0.9".parse().unwrap()),
        ..ConnectOptions::default()
    };
    reactor.connect(mapped, "dialled", options).unwrap();
    let lines = &reactor.service().lines;
    assert_eq!(lines[0], "dialled open Some(127.0.0.1)");
}

/// The address of a listener whose backlog is full, and what fills it: whoever calls it is not answered.
fn silent_address() -> (SocketAddr, Vec<socket2::Socket>) {
    use socket2::{Domain, Socket, Type};
    let new = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listener = new();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut sockets = vec![listener];
    for _ in 0..3 {
        let client = new();
        client.set_nonblocking(true).unwrap();
        // Some of them are told that it is under way.
        let _ = client.connect(&address);
        sockets.push(client);
    }
    (address.as_socket().unwrap(), sockets)
}

#[test]
fn whom_nobody_answers_is_idle_and_owed_nothing() {
    let mut reactor = real(Puppet::new(|cx, _| cx.send(b"hello")), Limits::default());
    let (address, _sockets) = silent_address();
    let policy = Policy {
        write_timeout: Some(Duration::from_millis(100)),
        idle_timeout: Some(Duration::from_millis(400)),
        ..Policy::default()
    };
    let options = ConnectOptions {
        policy,
        source: None,
    };
    reactor.connect(address, "dialled", options).unwrap();
    let reactor = run(reactor);
    let lines = &reactor.service().lines;
    assert_eq!(lines[1..], ["dialled close Idle"]);
}

#[test]
fn every_connection_that_is_accepted_is_turned_away_closed_or_there() {
    let mut unwatched = 0;
    for seed in 0..20 {
        let profile = FaultProfile {
            faults_per_1024: 1_024,
            ..fault_profile(100)
        };
        let puppet = Puppet::new(|_, _| {});
        let mut rig = Rig::seeded(seed, puppet, profile, &["client"], Policy::default());
        silent_clients(&mut rig, 90);
        for _ in 0..2_000 {
            if rig.reactor.turn().is_err() {
                break;
            }
        }
        let peers = rig.reactor.holdings().peers as u64;
        let counters = rig.reactor.counters();
        let closed: u64 = counters.closed.values().sum();
        assert_eq!(
            counters.accepted,
            counters.turned_away + closed + peers,
            "{counters}"
        );
        unwatched += counters.turned_away;
    }
    assert!(unwatched > 0, "some could not be watched");
}
