//! More connections than there may be: the surplus is turned away at once, those who are in keep
//! their places, and a signal is obeyed all the same.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustix::process::Signal;

use super::{Attempt, Client, Swarm, alone, attempt, connecting, raise_descriptor_limit, source};
use crate::support::{PATIENCE, Server, best_of, eventually, read_exactly, read_to_end};

const PLACES: usize = 100;
const TURNED_AWAY_WITHIN: Duration = Duration::from_millis(100);

/// Waits for the end of its connection and measures when it comes.
struct Surplus {
    stream: TcpStream,
    began: Instant,
    lasted: Duration,
}

impl Surplus {
    fn connecting(from: Ipv4Addr, server: &Server) -> Surplus {
        Surplus {
            began: Instant::now(),
            stream: connecting(from, server.address("echo")),
            lasted: Duration::ZERO,
        }
    }
}

impl Client for Surplus {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn go_on(&mut self) -> bool {
        match attempt(self.stream.read(&mut [0])) {
            Attempt::Blocked => false,
            Attempt::Moved(count) => {
                assert_eq!(count, 0, "nobody says anything to it");
                self.lasted = self.began.elapsed();
                true
            }
            Attempt::Broken => {
                self.lasted = self.began.elapsed();
                true
            }
        }
    }
}

/// Connects so often while there is no place; how long the last to be turned away waited for it.
fn turned_away(server: &Server, count: usize) -> Duration {
    let mut swarm = Swarm::new();
    let mut ended = Vec::new();
    for index in 0..count {
        swarm.add(Surplus::connecting(source(index), server));
        // Between two connects this client reads what has come meanwhile.
        ended.extend(swarm.turn(Duration::ZERO));
    }
    ended.extend(swarm.finish());
    assert_eq!(ended.len(), count);
    ended.iter().map(|surplus| surplus.lasted).max().unwrap()
}

/// Takes all places; each of these clients is served.
fn take_all_places(server: &Server) -> Vec<std::net::TcpStream> {
    let mut held: Vec<_> = (0..PLACES).map(|_| server.connect("echo")).collect();
    assert_are_served(&mut held);
    held
}

fn assert_are_served(clients: &mut [std::net::TcpStream]) {
    for client in clients {
        client.write_all(b"x").unwrap();
        assert_eq!(read_exactly(client, 1), b"x");
    }
}

#[test]
fn two_thousand_too_many_are_turned_away_at_once_and_then_there_is_room_again() {
    let _alone = alone();
    raise_descriptor_limit();
    let server = Server::start(&["echo=0", "--max-conns", "100"]);
    let descriptors = server.descriptors();
    let mut held = take_all_places(&server);
    let worst = best_of(TURNED_AWAY_WITHIN, || turned_away(&server, 2_000));
    eprintln!("of 2,000 too many the last was turned away after {worst:?}");
    assert!(worst <= TURNED_AWAY_WITHIN, "{worst:?}");
    assert_are_served(&mut held);
    drop(held);
    eventually("all descriptors come back", || {
        server.descriptors() == descriptors
    });
    drop(take_all_places(&server));
    server.stop();
}

#[test]
fn a_flood_of_connections_does_not_keep_a_signal_from_ending_the_server() {
    raise_descriptor_limit();
    let mut server = Server::start(&["echo=0", "--max-conns", "100", "--grace", "10s"]);
    let mut held = take_all_places(&server);
    let (is_over, connects) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = server.address("echo");
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let began = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                assert!(began.elapsed() < PATIENCE);
                // It is refused once the server has stopped listening.
                let _ = std::net::TcpStream::connect(address);
                connects.fetch_add(1, Ordering::Relaxed);
            }
        });
        eventually("the flood is on", || connects.load(Ordering::Relaxed) > 500);
        for client in &mut held {
            client.write_all(&[b'o'; 10_000]).unwrap();
        }
        server.process.signal(Signal::TERM);
        let asked = Instant::now();
        for mut client in held {
            // What was read before the signal came is answered, and then it ends without a reset.
            let answer = read_to_end(&mut client);
            assert!(answer.iter().all(|&byte| byte == b'o'));
            assert!(answer.len() <= 10_000);
        }
        let code = server.process.code();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(code, 0);
        assert!(asked.elapsed() < Duration::from_secs(5), "within the grace");
        flood.join().unwrap();
    });
}

#[test]
fn a_limit_of_one_address_holds_against_its_flood_and_not_against_others() {
    let server = Server::start(&["echo=0", "--per-ip", "3"]);
    let mut held: Vec<_> = (0..3).map(|_| server.connect("echo")).collect();
    assert_are_served(&mut held);
    let mut swarm = Swarm::new();
    for _ in 0..1_000 {
        swarm.add(Surplus::connecting(Ipv4Addr::LOCALHOST, &server));
        swarm.turn(Duration::ZERO);
    }
    swarm.finish();
    let mut others = Vec::new();
    for index in 0..30 {
        let mut stream = connecting(source(index % 10), server.address("echo"));
        eventually("it is connected", || stream.write(b"y").is_ok());
        let other = std::net::TcpStream::from(stream);
        other.set_nonblocking(false).unwrap();
        other.set_read_timeout(Some(PATIENCE)).unwrap();
        others.push(other);
    }
    for mut other in others {
        other.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut other), b"y");
    }
    assert_are_served(&mut held);
    drop(held);
    server.stop();
}
