//! What the reactor relies on in Linux and in mio and neither promises, each fact with raw sockets
//! and without a line of the reactor. A test that fails here says that the reactor has to change.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use epollo::protocol::PeerId;
use epollo::reactor::{Target, Token};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionread};
use slab::Slab;
use socket2::SockRef;

use crate::support::{PATIENCE, Random, connect, eventually, sockets_at};

mod deliveries;
mod descriptors;
pub mod endings;
mod timers;

const READABLE: Interest = Interest::READABLE;
const URGENT_TOO: Interest = Interest::READABLE.add(Interest::PRIORITY);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
/// A descriptor number that nothing else in this process comes near.
const FAR_DESCRIPTOR: i32 = 900;

/// One readiness event, copied out of mio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub token: mio::Token,
    readable: bool,
    writable: bool,
    read_closed: bool,
    priority: bool,
    error: bool,
}

/// A poll of mio.
pub struct Watch {
    poll: Poll,
    events: Events,
}

impl Watch {
    fn new() -> Watch {
        Watch::with_capacity(64)
    }

    pub fn with_capacity(capacity: usize) -> Watch {
        Watch {
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(capacity),
        }
    }

    pub fn add(&self, stream: &mut TcpStream, token: usize, interest: Interest) {
        let registry = self.poll.registry();
        registry
            .register(stream, mio::Token(token), interest)
            .unwrap();
    }

    fn add_again(&self, stream: &mut TcpStream, token: usize, interest: Interest) {
        let registry = self.poll.registry();
        registry
            .reregister(stream, mio::Token(token), interest)
            .unwrap();
    }

    /// The next batch, which must come.
    fn batch(&mut self) -> Vec<Told> {
        let told = self.told(PATIENCE);
        assert!(!told.is_empty(), "an event should have come");
        told
    }

    /// The next batch, of which only one event can be part.
    fn one(&mut self) -> Told {
        let told = self.batch();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0]
    }

    /// What epoll has to say at once.
    pub fn at_once(&mut self) -> Vec<Told> {
        self.told(Duration::ZERO)
    }

    fn told(&mut self, timeout: Duration) -> Vec<Told> {
        loop {
            match self.poll.poll(&mut self.events, Some(timeout)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => break done.unwrap(),
            }
        }
        let copied = self.events.iter().map(|event| Told {
            token: event.token(),
            readable: event.is_readable(),
            writable: event.is_writable(),
            read_closed: event.is_read_closed(),
            priority: event.is_priority(),
            error: event.is_error(),
        });
        copied.collect()
    }
}

/// Both ends of a connection: ours, which does not block, and the peer's, which does.
pub fn pair() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let theirs = connect(listener.local_addr().unwrap());
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (TcpStream::from_std(ours), theirs)
}

/// Waits until exactly this many bytes (before an urgent mark, if there is one) can be read.
pub fn await_bytes(stream: &impl AsFd, count: u64) {
    eventually("the bytes are there", || {
        ioctl_fionread(stream).unwrap() == count
    });
}

/// How many bytes a TCP socket between here and this port, accepted or not, has to be read; of a listener,
/// whose other port is 0, how many wait to be accepted (proc(5)).
fn unread(ours: SocketAddr, theirs: u16) -> Option<u32> {
    let sockets = sockets_at(ours).into_iter();
    let mut matching = sockets.filter(|socket| socket.remote_address.port() == theirs);
    matching.next().map(|socket| socket.rx_queue)
}

/// Waits until poll(2) says one of these about a descriptor; epoll is not asked.
pub fn await_state(fd: impl AsFd, flags: PollFlags) {
    let patience = Timespec {
        tv_sec: i64::try_from(PATIENCE.as_secs()).unwrap(),
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(&fd, flags)];
    assert_eq!(poll(&mut fds, Some(&patience)), Ok(1), "{flags:?}");
}

fn kind_of<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn bytes_left_unread_are_told_once_and_new_ones_are_told_again() {
    let (mut ours, mut theirs) = pair();
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, READABLE);
    theirs.write_all(b"0123456789").unwrap();
    assert!(watch.one().readable);
    assert_eq!(ours.read(&mut [0; 4]).unwrap(), 4);
    assert_eq!(watch.at_once(), [], "six bytes wait and epoll is silent");
    theirs.write_all(b"!").unwrap();
    assert!(watch.one().readable, "told though it was not empty before");
    assert_eq!(ours.read(&mut [0; 64]).unwrap(), 7);
}

#[test]
fn registering_again_tells_again_what_is_ready() {
    let (mut ours, mut theirs) = pair();
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, READABLE);
    theirs.write_all(b"waits").unwrap();
    assert!(watch.one().readable);
    for interest in [READABLE, BOTH, READABLE] {
        assert_eq!(watch.at_once(), []);
        watch.add_again(&mut ours, 7, interest);
        let told = watch.one();
        assert_eq!((told.readable, told.writable), (true, interest == BOTH));
    }
}

#[test]
fn a_batch_too_small_for_all_tells_each_once_before_any_twice() {
    let mut watch = Watch::with_capacity(2);
    let mut streams: Vec<_> = (0..5).map(|_| pair()).collect();
    for (token, (ours, theirs)) in streams.iter_mut().enumerate() {
        theirs.write_all(b"x").unwrap();
        await_bytes(ours, 1);
        watch.add(ours, token, READABLE);
    }
    let mut tokens: Vec<_> = (0..3).flat_map(|_| watch.batch()).collect();
    tokens.sort_by_key(|told| told.token);
    let tokens: Vec<_> = tokens.iter().map(|told| told.token.0).collect();
    assert_eq!(tokens, [0, 1, 2, 3, 4]);
    assert_eq!(watch.at_once(), []);
}

#[test]
fn a_short_read_has_emptied_the_socket() {
    let (mut ours, mut theirs) = pair();
    let mut random = Random::new(3);
    let mut buffer = vec![0; 65_536];
    for _ in 0..2_000 {
        // Several segments, so that a read has to go through more than one of them.
        let pieces: Vec<_> = (0..=random.below(3))
            .map(|_| 1 + random.below(9_000))
            .collect();
        let mut unread = pieces.iter().sum();
        for piece in pieces {
            theirs.write_all(&vec![b'x'; piece]).unwrap();
        }
        await_bytes(&ours, unread as u64);
        while unread > 0 {
            let offered = 1 + random.below(20_000);
            let count = ours.read(&mut buffer[..offered]).unwrap();
            assert_eq!(count, offered.min(unread), "a read takes all there is");
            unread -= count;
        }
        assert_eq!(kind_of(ours.read(&mut buffer)), Some(ErrorKind::WouldBlock));
    }
}

#[test]
fn who_stops_at_short_reads_while_bytes_pour_in_misses_none() {
    let (mut ours, mut theirs) = pair();
    let sent = Random::new(4).bytes(4_000_000);
    let copy = sent.clone();
    let writing = std::thread::spawn(move || {
        let mut random = Random::new(5);
        let mut rest = &copy[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(1 + random.below(3_000)));
            theirs.write_all(piece).unwrap();
            rest = behind;
        }
        theirs
    });
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, READABLE);
    let mut received = Vec::new();
    let mut buffer = vec![0; 4_096];
    while received.len() < sent.len() {
        assert!(watch.one().readable);
        loop {
            let count = match ours.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => panic!("{error}"),
            };
            received.extend_from_slice(&buffer[..count]);
            if count < buffer.len() {
                break;
            }
        }
    }
    drop(writing.join().unwrap());
    assert!(received == sent);
}

#[test]
fn a_read_stops_at_the_urgent_mark_and_only_a_priority_event_says_so() {
    for (interest, says_so) in [(URGENT_TOO, true), (READABLE, false)] {
        let (mut ours, mut theirs) = pair();
        theirs.write_all(b"before").unwrap();
        SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
        theirs.write_all(b"behind").unwrap();
        let address = ours.local_addr().unwrap();
        let their_port = theirs.local_addr().unwrap().port();
        eventually("all has come, the urgent byte too", || {
            unread(address, their_port) == Some(13)
        });
        let mut watch = Watch::new();
        watch.add(&mut ours, 7, interest);
        let told = watch.one();
        assert_eq!((told.readable, told.priority), (true, says_so), "{told:?}");
        let mut buffer = [0; 64];
        assert_eq!(ours.read(&mut buffer).unwrap(), 6, "short, and more waits");
        assert_eq!(watch.at_once(), [], "and nothing tells of it");
        assert_eq!(ours.read(&mut buffer).unwrap(), 6);
        assert_eq!(&buffer[..6], b"behind", "the urgent byte is left out");
    }
}

#[test]
fn an_urgent_byte_alone_reads_as_nothing_and_never_as_the_end() {
    let (mut ours, theirs) = pair();
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, URGENT_TOO);
    SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
    assert!(watch.one().priority);
    for _ in 0..2 {
        let peeked = ours.peek(&mut [0; 8]);
        assert_eq!(kind_of(peeked), Some(ErrorKind::WouldBlock));
    }
    for _ in 0..2 {
        let read = ours.read(&mut [0; 8]);
        assert_eq!(kind_of(read), Some(ErrorKind::WouldBlock));
    }
    theirs.shutdown(Shutdown::Write).unwrap();
    assert!(watch.one().read_closed);
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
}

/// Moves a stream to the first free descriptor from [`FAR_DESCRIPTOR`] on.
fn moved_far(stream: &TcpStream) -> TcpStream {
    let remote = fcntl_dupfd_cloexec(stream, FAR_DESCRIPTOR).unwrap();
    TcpStream::from_std(remote.into())
}

#[test]
fn a_batch_may_name_a_stream_closed_since_and_the_token_still_says_which() {
    let mut watch = Watch::new();
    let mut peers = Slab::new();
    let mut ends = Vec::new();
    for generation in [1, 2] {
        let (ours, mut theirs) = pair();
        let mut ours = moved_far(&ours);
        theirs.write_all(b"x").unwrap();
        await_bytes(&ours, 1);
        let slot = u32::try_from(peers.vacant_key()).unwrap();
        let token = mio::Token::from(Token::peer(PeerId { slot, generation }));
        watch.add(&mut ours, token.0, READABLE);
        peers.insert((generation, ours));
        ends.push(theirs);
    }
    let batch = watch.batch();
    assert_eq!(batch.len(), 2, "both are in one batch");
    // Handling the first event closes the peer that the second one is about.
    let Target::Peer(stale) = Token::from(batch[1].token).target() else {
        panic!("only peers are watched");
    };
    let (_, closed) = peers.remove(stale.slot as usize);
    let descriptor = closed.as_raw_fd();
    drop(closed);
    let (newcomer, mut theirs) = pair();
    let mut newcomer = moved_far(&newcomer);
    assert_eq!(newcomer.as_raw_fd(), descriptor, "reused at once");
    let generation = 3;
    let slot = u32::try_from(peers.vacant_key()).unwrap();
    assert_eq!(slot, stale.slot, "reused at once");
    let token = mio::Token::from(Token::peer(PeerId { slot, generation }));
    watch.add(&mut newcomer, token.0, READABLE);
    peers.insert((generation, newcomer));
    // Handling the second one: its slot is taken, by somebody that it is not about.
    assert_ne!(peers[stale.slot as usize].0, stale.generation);
    theirs.write_all(b"y").unwrap();
    assert_eq!(watch.one().token, token, "nothing comes of the old one");
}

#[test]
fn a_closed_stream_is_told_of_for_ever_while_a_duplicate_lives() {
    let (mut ours, mut theirs) = pair();
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, READABLE);
    let duplicate = ours.as_fd().try_clone_to_owned().unwrap();
    drop(ours);
    theirs.write_all(b"x").unwrap();
    assert_eq!(watch.one().token, mio::Token(7), "so we never duplicate");
    drop(duplicate);
    // Its unread byte makes the close a reset; epoll has forgotten it nevertheless.
    await_state(&theirs, PollFlags::ERR);
    assert_eq!(watch.at_once(), []);
}

/// Not that it means no room: the peer's kernel may make some before the next call.
#[test]
fn a_short_write_is_as_good_as_a_refused_one_room_is_told_without_another() {
    let offered = vec![b'x'; 32 << 20];
    for until_refused in [true, false].repeat(10) {
        let (mut ours, theirs) = pair();
        let mut watch = Watch::new();
        watch.add(&mut ours, 7, BOTH);
        assert!(watch.one().writable, "at first there is room");
        assert_eq!(watch.at_once(), [], "which is told once");
        let mut written = ours.write(&offered).unwrap();
        assert!(written < offered.len(), "more than a socket takes");
        while until_refused && let Ok(count) = ours.write(&offered) {
            written += count;
        }
        let read = std::io::copy(&mut theirs.take(written as u64), &mut std::io::sink());
        assert_eq!(read.unwrap(), written as u64);
        assert!(watch.one().writable);
        assert!(ours.write(&offered).unwrap() > 0);
    }
}
