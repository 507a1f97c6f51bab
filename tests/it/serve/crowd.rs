//! Many clients at once: thousands that echo in random pieces while others reset in mid-stream, and
//! a thousand pairs that talk. The clients are one mio loop of their own, so that a test costs one
//! thread.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::support::{PATIENCE, Random, Server, connect, eventually, read_exactly};

/// One client: it sends its share of the pattern and expects it back.
struct Client {
    stream: TcpStream,
    payload: std::ops::Range<usize>,
    sent: usize,
    received: usize,
    /// Resets the connection once it has sent this much.
    resets_at: Option<usize>,
    ended: Option<Result<(), String>>,
}

impl Client {
    /// Does what can be done now. `pattern` holds the bytes of every client.
    fn go_on(&mut self, pattern: &[u8], random: &mut Random, scratch: &mut [u8]) {
        while self.ended.is_none() {
            let wrote = self.write_some(pattern, random);
            let read = self.read_some(pattern, scratch);
            self.ended = self.ended.take().or_else(|| self.ending());
            if !wrote && !read {
                return;
            }
        }
    }

    fn ending(&self) -> Option<Result<(), String>> {
        let everything = self.payload.len();
        (self.received == everything).then_some(Ok(()))
    }

    fn write_some(&mut self, pattern: &[u8], random: &mut Random) -> bool {
        let rest = &pattern[self.payload.clone()][self.sent..];
        let piece = &rest[..rest.len().min(1 + random.below(30_000))];
        if piece.is_empty() {
            return false;
        }
        match self.stream.write(piece) {
            Ok(count) => {
                self.sent += count;
                if self.resets_at.is_some_and(|at| self.sent >= at) {
                    self.reset();
                }
                true
            }
            Err(error) => self.failed(&error),
        }
    }

    fn read_some(&mut self, pattern: &[u8], scratch: &mut [u8]) -> bool {
        match self.stream.read(scratch) {
            Ok(0) => {
                self.ended = Some(Err(format!("ended after {} bytes", self.received)));
                false
            }
            Ok(count) => {
                let start = self.payload.start + self.received;
                if pattern.get(start..start + count) != Some(&scratch[..count]) {
                    self.ended = Some(Err(format!("wrong bytes after {}", self.received)));
                }
                self.received += count;
                true
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &std::io::Error) -> bool {
        if error.kind() != ErrorKind::WouldBlock {
            self.ended = Some(Err(error.to_string()));
        }
        false
    }

    fn reset(&mut self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        self.ended = Some(Ok(()));
    }
}

struct Crowd {
    poll: Poll,
    clients: Vec<Option<Client>>,
    pattern: Vec<u8>,
    random: Random,
}

impl Crowd {
    fn connect(address: SocketAddr, count: usize, bytes_each: usize, resets: usize) -> Crowd {
        let poll = Poll::new().unwrap();
        let mut random = Random::new(7);
        let pattern = random.bytes(bytes_each + count + resets);
        let clients = (0..count + resets)
            .map(|index| {
                // Blocking connects, so that all are there before the first byte flows.
                let stream = connect(address);
                stream.set_nonblocking(true).unwrap();
                let mut stream = TcpStream::from_std(stream);
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry()
                    .register(&mut stream, Token(index), both)
                    .unwrap();
                Some(Client {
                    stream,
                    payload: index..index + bytes_each,
                    sent: 0,
                    received: 0,
                    resets_at: (index >= count).then(|| bytes_each / 4 + index),
                    ended: None,
                })
            })
            .collect();
        Crowd {
            poll,
            clients,
            pattern,
            random,
        }
    }

    /// Runs until everybody has ended; what went wrong, by client.
    fn run(&mut self) -> Vec<String> {
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; 65_536];
        let mut left = self.clients.len();
        let mut wrong = Vec::new();
        let deadline = Instant::now() + 6 * PATIENCE;
        while left > 0 {
            assert!(Instant::now() < deadline, "{left} clients are stuck");
            // Where other tests fill the memory that the kernel has for TCP, it drops segments, and waits twice as long
            // for each that it repeats.
            self.poll.poll(&mut events, Some(3 * PATIENCE)).unwrap();
            assert!(!events.is_empty(), "{left} clients wait and nothing comes");
            for event in &events {
                let index = event.token().0;
                let Some(client) = &mut self.clients[index] else {
                    continue;
                };
                client.go_on(&self.pattern, &mut self.random, &mut scratch);
                if let Some(ending) = client.ended.take() {
                    wrong.extend(ending.err().map(|why| format!("client {index}: {why}")));
                    self.clients[index] = None;
                    left -= 1;
                }
            }
        }
        wrong
    }
}

/// The words after the last run of the server: everybody who was accepted is gone.
fn assert_all_gone(mut server: Server, accepted: usize) {
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    assert!(words.contains(&format!("accepted {accepted},")), "{words}");
}

#[test]
fn five_thousand_echo_right_while_a_hundred_reset() {
    let server = Server::start(&["-v", "echo=0"]);
    let descriptors = server.descriptors();
    let mut crowd = Crowd::connect(server.address("echo"), 5_000, 100 * 1024, 100);
    let wrong = crowd.run();
    assert!(wrong.is_empty(), "{wrong:?}");
    eventually("all descriptors come back", || {
        server.descriptors() == descriptors
    });
    assert_all_gone(server, 5_100);
}

#[test]
fn a_thousand_pairs_talk_at_once() {
    let server = Server::start(&["chat=0", "--chat-with", "pair", "--framing", "line"]);
    let descriptors = server.descriptors();
    let mut pairs: Vec<_> = (0..1_000)
        .map(|_| [server.connect("chat"), server.connect("chat")])
        .collect();
    for turn in 0..6 {
        for (index, pair) in pairs.iter_mut().enumerate() {
            let message = format!("{index} says {turn}\n");
            pair[turn % 2].write_all(message.as_bytes()).unwrap();
        }
        for (index, pair) in pairs.iter_mut().enumerate() {
            let message = format!("{index} says {turn}\n");
            let heard = read_exactly(&mut pair[1 - turn % 2], message.len());
            assert_eq!(heard, message.as_bytes());
        }
    }
    drop(pairs);
    eventually("all descriptors come back", || {
        server.descriptors() == descriptors
    });
    server.stop();
}
