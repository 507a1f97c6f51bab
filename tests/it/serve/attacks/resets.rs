//! Clients that go as soon as they come: resets before, during and after accept, and the probes of
//! a load balancer. Nobody else notices, nothing is left, and nobody is warned.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::net::TcpStream;
use rustix::process::Signal;

use super::{Attempt, Client, Swarm, attempt, connecting, raise_descriptor_limit, reset_on_close};
use crate::support::{PATIENCE, Server, connect, eventually, read_exactly};

/// When a client resets its connection.
#[derive(Clone, Copy, Debug)]
enum When {
    AtOnce,
    Sent,
    HasAnAnswer,
    InMidStream,
}

/// Says something to echo and resets.
struct Resetter {
    stream: TcpStream,
    when: When,
    sent: usize,
}

impl Resetter {
    fn new(stream: TcpStream, when: When) -> Resetter {
        reset_on_close(&stream);
        Resetter {
            stream,
            when,
            sent: 0,
        }
    }
}

impl Client for Resetter {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn go_on(&mut self) -> bool {
        let enough = match self.when {
            When::AtOnce => 0,
            When::Sent | When::HasAnAnswer => 100,
            When::InMidStream => 300_000,
        };
        while self.sent < enough {
            let piece = (enough - self.sent).min(50_000);
            match attempt(self.stream.write(&vec![b'r'; piece])) {
                Attempt::Moved(count) => self.sent += count,
                // A client in mid-stream has filled everything there is to fill.
                Attempt::Blocked => return self.sent > 0,
                Attempt::Broken => panic!("{:?} was left after {} bytes", self.when, self.sent),
            }
        }
        match self.when {
            When::AtOnce | When::Sent | When::InMidStream => true,
            When::HasAnAnswer => match attempt(self.stream.read(&mut [0; 10])) {
                Attempt::Moved(count) => {
                    assert!(count > 0);
                    true
                }
                Attempt::Blocked => false,
                Attempt::Broken => panic!("it got no answer"),
            },
        }
    }
}

/// Connections that are dead before anybody accepts them: the server does not run meanwhile.
fn reset_unaccepted(server: &Server, count: usize) {
    server.process.signal(Signal::STOP);
    for index in 0..count {
        let mut stream = connect(server.address("echo"));
        if index % 2 == 0 {
            stream.write_all(b"last words").unwrap();
        }
        let stream = TcpStream::from_std(stream);
        reset_on_close(&stream);
    }
    server.process.signal(Signal::CONT);
}

/// Connections that are reset while the server is at them, some hundreds at a time.
fn reset_in_all_ways(server: &Server, count: usize) {
    let mut swarm = Swarm::new();
    for index in 0..count {
        let when = [
            When::AtOnce,
            When::Sent,
            When::HasAnAnswer,
            When::InMidStream,
        ][index % 4];
        let stream = connecting(Ipv4Addr::LOCALHOST, server.address("echo"));
        swarm.add(Resetter::new(stream, when));
        while swarm.len() > 300 {
            swarm.turn(PATIENCE);
        }
    }
    swarm.finish();
}

#[test]
fn thousands_of_resets_are_noticed_by_nobody_else() {
    raise_descriptor_limit();
    let mut server = Server::start(&["-v", "echo=0"]);
    let mut bystander = server.connect("echo");
    bystander.write_all(b"x").unwrap();
    read_exactly(&mut bystander, 1);
    let descriptors = server.descriptors();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut echoes = 0;
            while !is_over.load(Ordering::Relaxed) {
                bystander.write_all(b"still here").unwrap();
                assert_eq!(read_exactly(&mut bystander, 10), b"still here");
                echoes += 1;
            }
            echoes
        });
        for _ in 0..2 {
            reset_unaccepted(&server, 1_500);
            reset_in_all_ways(&server, 1_500);
        }
        is_over.store(true, Ordering::Relaxed);
        let echoes = watching.join().unwrap();
        eprintln!("beside 6,000 resets a bystander got {echoes} echoes");
    });
    eventually("all descriptors come back", || {
        server.descriptors() == descriptors
    });
    drop(bystander);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    // Those who were reset before they were accepted count too, and are no trouble.
    assert!(words.contains("accepted 6001,"), "{words}");
    assert!(!words.contains("WARN"), "{words}");
}

#[test]
fn a_probe_that_connects_and_leaves_is_one_debug_line_and_no_warning() {
    const PROBES: usize = 300;
    let mut server = Server::start(&["-vv", "hello=0", "echo=0", "chat=0"]);
    let mut expected = Vec::new();
    for probe in 0..PROBES {
        let service = ["hello", "echo", "chat"][probe % 3];
        let mut stream = TcpStream::from_std(server.connect(service));
        expected.push(stream.local_addr().unwrap());
        match probe / 3 % 3 {
            0 => {}
            1 => reset_on_close(&stream),
            // Some wait to be told of the end.
            _ => {
                let waits = service == "hello";
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                eventually("the server answers or leaves", || {
                    !waits || matches!(attempt(stream.read(&mut [0])), Attempt::Moved(_))
                });
            }
        }
        drop(stream);
        // One line of this probe, and only then the next probe: a log that falls behind drops lines.
        let line = server.process.error_line();
        assert!(line.contains("DEBUG"), "{line}");
        assert!(
            line.ends_with(&format!("connection from {}", expected[probe])),
            "{line}"
        );
    }
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    assert!(words.contains("accepted 300, turned away 0"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
}
