//! A server that dies and is started again at once on the same port, with clients connected before
//! and clients that come back all the time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{alone, quiet_address};
use crate::support::{PATIENCE, Server, best_of, connect, read_exactly};

/// What a start may take until the server listens.
const START_MAX: Duration = Duration::from_millis(100);

/// Serves echo there; how long it took until it listened.
fn start(address: SocketAddr) -> (Server, Duration) {
    let began = Instant::now();
    let server = Server::start(&[&format!("echo={address}")]);
    let took = began.elapsed();
    let mut client = connect(address);
    client.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut client, 5), b"hello");
    (server, took)
}

/// Ends it; it ends well if it was asked to.
fn end(mut server: Server, signal: Signal) {
    server.process.signal(signal);
    let status = server.process.wait();
    if signal == Signal::TERM {
        assert_eq!(status.code(), Some(0));
    }
}

#[test]
fn killed_and_started_again_it_listens_at_once_on_the_same_port() {
    let _alone = alone();
    let address = quiet_address();
    let took = best_of(START_MAX, || {
        let (server, _) = start(address);
        let mut clients: Vec<_> = (0..100).map(|_| connect(address)).collect();
        for client in &mut clients {
            client.write_all(b"x").unwrap();
            read_exactly(client, 1);
        }
        end(server, Signal::KILL);
        let (server, took) = start(address);
        for mut client in clients {
            assert!(!matches!(client.read(&mut [0]), Ok(1..)), "it is gone");
        }
        end(server, Signal::TERM);
        took
    });
    eprintln!("killed with 100 clients, started again: listens after {took:?}");
    assert!(took <= START_MAX, "{took:?}");
}

/// A client that comes back whenever its connection ends; how many echoes it got.
fn come_back(address: SocketAddr, is_over: &AtomicBool, echoes: &AtomicUsize) {
    let mut stream: Option<TcpStream> = None;
    while !is_over.load(Ordering::Relaxed) {
        let Some(connected) = &mut stream else {
            stream = TcpStream::connect(address).ok();
            if let Some(connected) = &stream {
                connected.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            std::thread::yield_now();
            continue;
        };
        let mut answer = [0; 4];
        let is_well = connected.write_all(b"ping").is_ok();
        if is_well && connected.read_exact(&mut answer).is_ok() {
            assert_eq!(&answer, b"ping");
            echoes.fetch_add(1, Ordering::Relaxed);
            // Otherwise these clients would leave the machine no time for anything else.
            std::thread::sleep(Duration::from_millis(1));
        } else {
            stream = None;
        }
    }
}

#[test]
fn a_hundred_restarts_under_load_all_listen_and_echo() {
    let _alone = alone();
    let address = quiet_address();
    let (is_over, echoes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut starts: Vec<Duration> = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| come_back(address, &is_over, &echoes));
        }
        let restarting = scope.spawn(|| {
            let mut starts = Vec::new();
            for round in 0..100 {
                let (server, took) = start(address);
                starts.push(took);
                end(server, [Signal::TERM, Signal::KILL][round % 2]);
            }
            starts
        });
        let result = restarting.join();
        is_over.store(true, Ordering::Relaxed);
        starts = result.expect("each start listens and echoes");
    });
    starts.sort();
    let (median, worst) = (starts[50], starts[99]);
    eprintln!(
        "100 restarts under load: listens after {median:?} in the median, {worst:?} at worst; \
         {echoes:?} echoes meanwhile"
    );
    assert!(median <= START_MAX, "{median:?}");
    assert!(echoes.into_inner() > 0);
}
