//! Connections of all kinds and endings by the hundred thousand: afterwards the server holds what it
//! held before.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustix::process::Signal;

use super::{
    Attempt, Client, Swarm, alone, attempt, connecting, memory, raise_descriptor_limit,
    reset_on_close, source,
};
use crate::support::{PATIENCE, Server, eventually, read_exactly};

/// How many are connected at a time.
const AT_ONCE: usize = 400;
/// What any of them says at most, in bytes.
const LONGEST: usize = 10_000;
/// How much more memory the server may have at the end than after the warm-up, in KiB: 20 bytes for each
/// connection, less than anything that could be forgotten. Spare outboxes may grow where the machine stalls
/// and more clients than before wait at once.
const GROWTH_MAX: u64 = 4096;

/// What a client waits for before it goes.
#[derive(Clone, Copy)]
enum Hears {
    Nothing,
    Bytes(usize),
    End,
}

/// How it goes.
#[derive(Clone, Copy)]
enum Goes {
    /// By closing.
    Closed,
    /// It ends its own half before it listens.
    HalfClosed,
    /// By a reset.
    Reset,
}

/// What one kind of client does: to whom it says what, what it waits for, and how it goes.
type Kind = (&'static str, &'static [u8], Hears, Goes);

const KINDS: [Kind; 18] = [
    ("hello", b"", Hears::End, Goes::Closed),
    ("hello", b"", Hears::Nothing, Goes::Closed),
    ("hello", b"", Hears::Bytes(1), Goes::Reset),
    ("hello", b"unasked", Hears::End, Goes::HalfClosed),
    ("echo", b"", Hears::Nothing, Goes::Closed),
    ("echo", b"", Hears::Nothing, Goes::Reset),
    ("echo", &[b'e'; 1_000], Hears::Bytes(1_000), Goes::Closed),
    ("echo", &[b'e'; 1_000], Hears::End, Goes::HalfClosed),
    ("echo", &[b'e'; 1_000], Hears::Bytes(500), Goes::Reset),
    ("echo", &[b'e'; LONGEST], Hears::Nothing, Goes::Closed),
    ("echo", &[b'e'; LONGEST], Hears::Nothing, Goes::HalfClosed),
    ("chat", b"hello\nQUIT\n", Hears::End, Goes::Closed),
    ("chat", b"hello\nunfinished", Hears::Bytes(6), Goes::Closed),
    ("chat", b"unfinished", Hears::Nothing, Goes::Reset),
    ("chat", b"unfinished", Hears::End, Goes::HalfClosed),
    ("chat", b"padded\0", Hears::Bytes(7), Goes::Closed),
    ("chat", &[b'c'; 5_000], Hears::End, Goes::Closed),
    ("chat", &[b'c'; 5_000], Hears::Nothing, Goes::Closed),
];

struct Remote {
    stream: TcpStream,
    says: &'static [u8],
    hears: Hears,
    goes: Goes,
    heard: usize,
}

impl Remote {
    fn say(&mut self) -> Attempt {
        while !self.says.is_empty() {
            match attempt(self.stream.write(self.says)) {
                Attempt::Moved(count) => self.says = &self.says[count..],
                other @ (Attempt::Blocked | Attempt::Broken) => return other,
            }
            if self.says.is_empty() && matches!(self.goes, Goes::HalfClosed) {
                // The server may have reset it already: what follows will tell.
                let _ = self.stream.shutdown(Shutdown::Write);
            }
        }
        Attempt::Moved(0)
    }

    fn hear(&mut self) -> Attempt {
        let mut buffer = [0; 4096];
        loop {
            let wanted = match self.hears {
                Hears::Nothing => return Attempt::Moved(0),
                Hears::Bytes(count) => count - self.heard,
                Hears::End => buffer.len(),
            };
            if wanted == 0 {
                return Attempt::Moved(0);
            }
            match attempt(self.stream.read(&mut buffer[..wanted.min(4096)])) {
                Attempt::Moved(0) if matches!(self.hears, Hears::Bytes(_)) => {
                    panic!("it was left after {} bytes", self.heard)
                }
                Attempt::Moved(0) => return Attempt::Moved(0),
                Attempt::Moved(count) => self.heard += count,
                other @ (Attempt::Blocked | Attempt::Broken) => return other,
            }
        }
    }
}

impl Client for Remote {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn go_on(&mut self) -> bool {
        for doing in [Remote::say, Remote::hear] {
            match doing(self) {
                Attempt::Moved(_) => {}
                Attempt::Blocked => return false,
                Attempt::Broken => panic!("it was reset after {} bytes", self.heard),
            }
        }
        if matches!(self.goes, Goes::Reset) {
            reset_on_close(&self.stream);
        }
        true
    }
}

/// So many clients, of all kinds in turn, each from the next of our addresses; how many bytes they
/// heard.
fn visit(server: &Server, count: usize) -> usize {
    let mut swarm = Swarm::new();
    let mut heard = 0;
    let deadline = Instant::now() + 10 * PATIENCE;
    for index in 0..count {
        assert!(Instant::now() < deadline, "{index} have come");
        let (service, says, hears, goes) = KINDS[index % KINDS.len()];
        swarm.add(Remote {
            stream: connecting(source(index), server.address(service)),
            says,
            hears,
            goes,
            heard: 0,
        });
        let timeout = match swarm.len() {
            AT_ONCE.. => PATIENCE,
            _ => Duration::ZERO,
        };
        heard += swarm
            .turn(timeout)
            .iter()
            .map(|remote| remote.heard)
            .sum::<usize>();
    }
    heard
        + swarm
            .finish()
            .iter()
            .map(|remote| remote.heard)
            .sum::<usize>()
}

/// Makes the server hold as much at once as any mixture of these clients can make it hold: what it
/// keeps of that for the next ones is no leak.
fn warm_up(server: &Server) {
    let sent = [b'w'; LONGEST];
    let mut clients: Vec<_> = (0..2 * AT_ONCE).map(|_| server.connect("echo")).collect();
    for client in &mut clients {
        client.write_all(b"x").unwrap();
        read_exactly(client, 1);
    }
    // It finds all of this in one turn.
    server.process.signal(Signal::STOP);
    for client in &mut clients {
        client.write_all(&sent).unwrap();
    }
    server.process.signal(Signal::CONT);
    for client in &mut clients {
        assert!(read_exactly(client, LONGEST) == sent);
    }
    drop(clients);
    visit(server, 20 * AT_ONCE);
}

#[test]
fn two_hundred_thousand_connections_of_all_kinds_leave_nothing_behind() {
    let _alone = alone();
    raise_descriptor_limit();
    let server = Server::start(&["hello=0", "echo=0", "chat=0", "--chat-with", "echo"]);
    let descriptors = server.descriptors();
    let all_gone = || {
        eventually("all descriptors come back", || {
            server.descriptors() == descriptors
        });
    };
    warm_up(&server);
    // Its spare outboxes grow with the first that it needs.
    visit(&server, 50_000);
    all_gone();
    let before = memory(server.process.id(), "VmRSS");
    let began = Instant::now();
    let heard = visit(&server, 200_000);
    all_gone();
    let after = memory(server.process.id(), "VmRSS");
    eprintln!(
        "200,000 connections in {:?}, which heard {heard} bytes: {before} KiB, then {after} KiB",
        began.elapsed()
    );
    assert!(
        after <= before + GROWTH_MAX,
        "{before} KiB, then {after} KiB"
    );
    // It asserts itself that no peer, timer or byte is left.
    server.stop();
}
