//! Attacks on the running binary: clients that come in thousands, reset, never read, dribble, flood
//! or come back at once, and a machine that fails the server meanwhile. What is shared here: crowds
//! of clients in one mio loop, pings that are measured, and what proc(5) tells of the server.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::support::{PATIENCE, connect_watched};

mod dribbles;
mod floods;
mod leaks;
mod resets;
mod restarts;
mod slow_readers;
mod stuck_streams;

/// Held by the tests that measure time or need most of the machine: one of them at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    // Another test that failed while it held it is no reason to fail this one.
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket that is being connected, from this address of ours: each has ports of its own.
fn connecting(from: Ipv4Addr, address: SocketAddr) -> TcpStream {
    connecting_with(from, address, |_| {})
}

/// The same, after `prepare` has set what must be set before the handshake.
fn connecting_with(
    from: Ipv4Addr,
    address: SocketAddr,
    prepare: impl FnOnce(&Socket),
) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    prepare(&socket);
    let in_progress = rustix::io::Errno::INPROGRESS.raw_os_error();
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(in_progress) => {}
        Err(error) => panic!("{error}"),
    }
    TcpStream::from_std(socket.into())
}

/// The loopback address of this number.
fn source(number: usize) -> Ipv4Addr {
    let number = u8::try_from(number % 200).unwrap();
    Ipv4Addr::new(127, 0, 20, 1 + number)
}

/// From now on, closing this connection resets it.
fn reset_on_close(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// One client of a [`Swarm`].
trait Client {
    fn stream(&mut self) -> &mut TcpStream;
    /// Does all that can be done now; whether it has ended.
    fn go_on(&mut self) -> bool;
}

/// Clients in one loop.
struct Swarm<C> {
    poll: Poll,
    events: Events,
    clients: Vec<Option<C>>,
    vacant: Vec<usize>,
}

impl<C: Client> Swarm<C> {
    fn new() -> Swarm<C> {
        Swarm {
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(1024),
            clients: Vec::new(),
            vacant: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.clients.len() - self.vacant.len()
    }

    fn add(&mut self, mut client: C) {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.clients.push(None);
            self.clients.len() - 1
        });
        let both = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry
            .register(client.stream(), Token(index), both)
            .unwrap();
        self.clients[index] = Some(client);
    }

    /// Waits for events, at most for so long, and lets those clients go on; who has ended.
    fn turn(&mut self, timeout: Duration) -> Vec<C> {
        self.poll.poll(&mut self.events, Some(timeout)).unwrap();
        let mut ended = Vec::new();
        for event in &self.events {
            let index = event.token().0;
            let client = &mut self.clients[index];
            if client.as_mut().is_some_and(Client::go_on) {
                ended.extend(client.take());
                self.vacant.push(index);
            }
        }
        ended
    }

    /// Runs until everybody has ended.
    fn finish(&mut self) -> Vec<C> {
        let deadline = Instant::now() + PATIENCE;
        let mut ended = Vec::new();
        while self.len() > 0 {
            assert!(Instant::now() < deadline, "{} are stuck", self.len());
            ended.extend(self.turn(PATIENCE));
        }
        ended
    }
}

/// What one attempt to read or write came to.
enum Attempt {
    /// So many bytes; 0 is the end.
    Moved(usize),
    /// Not now.
    Blocked,
    /// The connection is broken.
    Broken,
}

fn attempt(result: std::io::Result<usize>) -> Attempt {
    match result {
        Ok(count) => Attempt::Moved(count),
        Err(error) if BLOCKED.contains(&error.kind()) => Attempt::Blocked,
        Err(error) if BROKEN.contains(&error.kind()) => Attempt::Broken,
        Err(error) => panic!("{error}"),
    }
}

/// A socket that is still being connected says NotConnected.
const BLOCKED: [ErrorKind; 2] = [ErrorKind::WouldBlock, ErrorKind::NotConnected];
const BROKEN: [ErrorKind; 3] = [
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::BrokenPipe,
];

/// Clients of echo that send 64 bytes at a time and measure how long they take to come back.
pub struct Pingers {
    poll: Poll,
    events: Events,
    clients: Vec<Pinger>,
    next: usize,
}

struct Pinger {
    stream: TcpStream,
    sent: Option<Instant>,
    missing: usize,
}

const PING: [u8; 64] = [b'p'; 64];

impl Pingers {
    pub fn connect(address: SocketAddr, count: usize) -> Pingers {
        let poll = Poll::new().unwrap();
        let clients = (0..count)
            .map(|index| {
                let stream = connect_watched(address, &poll, index);
                Pinger {
                    stream,
                    sent: None,
                    missing: 0,
                }
            })
            .collect();
        Pingers {
            poll,
            events: Events::with_capacity(1024),
            clients,
            next: 0,
        }
    }

    /// Sends so many pings a second, whether or not earlier ones have come back, for so long; the
    /// round trips, the shortest first. Fails if a ping is lost.
    pub fn measure(&mut self, per_second: u32, lasting: Duration) -> Vec<Duration> {
        let pause = Duration::from_secs(1) / per_second;
        let end = Instant::now() + lasting;
        let mut due = Instant::now();
        let mut trips = Vec::new();
        while due < end {
            while due <= Instant::now() && due < end {
                self.ping();
                due += pause;
            }
            self.collect(due.saturating_duration_since(Instant::now()), &mut trips);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.clients.iter().any(|client| client.sent.is_some()) {
            assert!(Instant::now() < deadline, "pings do not come back");
            self.collect(Duration::from_millis(100), &mut trips);
        }
        trips.sort();
        trips
    }

    fn ping(&mut self) {
        let count = self.clients.len();
        let client = &mut self.clients[self.next];
        self.next = (self.next + 1) % count;
        if client.sent.is_none() {
            client.sent = Some(Instant::now());
            client.missing = PING.len();
            client.stream.write_all(&PING).unwrap();
        }
    }

    fn collect(&mut self, timeout: Duration, trips: &mut Vec<Duration>) {
        self.poll.poll(&mut self.events, Some(timeout)).unwrap();
        for event in &self.events {
            let client = &mut self.clients[event.token().0];
            let mut buffer = [0; 65];
            while let Attempt::Moved(count) = attempt(client.stream.read(&mut buffer)) {
                assert!(count > 0, "a pinger was left");
                assert_eq!(buffer[..count], PING[..count]);
                client.missing -= count;
                if client.missing == 0 {
                    trips.extend(client.sent.take().map(|sent| sent.elapsed()));
                }
            }
        }
    }
}

pub fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

/// What proc(5) says in `status` about the memory of a process, in KiB: `VmRSS`, `VmHWM`.
pub fn memory(process: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Raises the soft limit of descriptors to the hard one; what it is then.
pub fn raise_descriptor_limit() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    maximum.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap())
}

/// An address where nobody else listens and nobody connects from.
fn quiet_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.30.1:0").unwrap();
    listener.local_addr().unwrap()
}
