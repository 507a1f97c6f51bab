//! Fewer descriptors than clients: as many are served as there is room for, everybody else is turned
//! away at once, and the page answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::limited_to;
use crate::explore::explored::Answer;
use crate::support::{Epollo, Server, connect, eventually, read_exactly};

/// How soon a client is served or turned away.
const TOLD_WITHIN: Duration = Duration::from_millis(100);
/// For what does not wait for anybody's deadline.
const AT_ONCE: Duration = Duration::from_secs(2);
const CLIENTS: usize = 100;

/// The body of what the page says to a GET, which succeeds.
fn get(page: SocketAddr, path: &str) -> String {
    let answer = Answer::get(page, path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

/// A stream of the page, if it has room for one more.
fn stream(page: SocketAddr) -> Option<TcpStream> {
    let mut stream = connect(page);
    // Both fail where it was closed at once.
    let _ = write!(stream, "GET /events HTTP/1.1\r\nHost: {page}\r\n\r\n");
    let mut start = [0; 13];
    let _ = stream.read_exact(&mut start);
    (start == *b"HTTP/1.1 200 ").then_some(stream)
}

#[test]
fn with_fewer_descriptors_than_clients_the_rest_is_turned_away_and_the_page_answers() {
    let arguments = ["echo=0", "--explore=0"];
    let mut server = Server::of(
        Epollo::spawn(limited_to(64).arg("serve").args(arguments)),
        &arguments,
    );
    let mut served = Vec::new();
    let mut slowest = Duration::ZERO;
    for nth in 0..CLIENTS {
        let mut client = server.connect("echo");
        let start = Instant::now();
        // It fails where the client was turned away already.
        let _ = client.write_all(b"x");
        client.set_read_timeout(Some(AT_ONCE)).unwrap();
        match client.read(&mut [0]) {
            Ok(1) => served.push(client),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("client {nth} hangs, {} are served", served.len())
            }
            Ok(_) | Err(_) => {}
        }
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < TOLD_WITHIN, "{slowest:?}");
    assert!((20..50).contains(&served.len()), "{} served", served.len());
    get(server.address("explore"), "/healthz");
    let metrics = get(server.address("explore"), "/metrics");
    let away = format!("epollo_turned_away_total {}\n", CLIENTS - served.len());
    assert!(metrics.contains(&away), "{away}: {metrics}");
    // Nobody asked for a number of places, so nothing is said of it.
    let words = server.process.error_line();
    assert!(words.contains("the connection limit is reached"), "{words}");
    drop(served);
    server.stop();
}

#[test]
fn with_few_descriptors_the_page_leaves_clients_their_places_and_streams_leave_it_some() {
    let arguments = ["echo=0", "--explore=0"];
    let server = Server::of(
        Epollo::spawn(limited_to(64).arg("serve").args(arguments)),
        &arguments,
    );
    let page = server.address("explore");
    let silent: Vec<_> = (0..60).map(|_| connect(page)).collect();
    let mut client = server.connect("echo");
    client.write_all(b"x").unwrap();
    // Before the page leaves those that ask for nothing.
    client.set_read_timeout(Some(AT_ONCE)).unwrap();
    client.read_exact(&mut [0]).unwrap();
    let descriptors = server.descriptors();
    drop(silent);
    eventually("the page is left", || server.descriptors() < descriptors);
    let streams: Vec<_> = (0..40).filter_map(|_| stream(page)).collect();
    assert!((3..20).contains(&streams.len()), "{}", streams.len());
    // Those that were refused may be on their way out still.
    eventually("the page has told everybody off", || {
        server.descriptors() < descriptors
    });
    get(page, "/healthz");
    drop(streams);
    server.stop();
}

#[test]
fn fewer_places_than_were_asked_for_are_said_in_one_line() {
    let arguments = ["echo=0", "--max-conns", "100"];
    let mut command = limited_to(64);
    let command = command.arg("serve").args(arguments);
    let mut server = Server::of(Epollo::spawn(command), &arguments);
    let words = server.process.error_line();
    assert!(words.contains("--max-conns 100"), "{words}");
    assert!(words.contains("ulimit -n"), "{words}");
    server.stop();
    // As many as there can be are no reason to say anything.
    let mut server = Server::of(
        Epollo::spawn(limited_to(64).args(["serve", "echo=0", "--max-conns", "20"])),
        &["echo=0"],
    );
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.code(), 0);
    assert_eq!(server.process.errors(), "");
}

#[test]
fn without_a_descriptor_for_any_client_it_says_so_and_does_not_serve() {
    for arguments in [&["echo=0"][..], &["echo=0", "--explore=0"]] {
        let mut process = Epollo::spawn(limited_to(14).arg("serve").args(arguments));
        assert_eq!(process.code(), 1);
        let words = process.errors();
        assert_eq!(words.lines().count(), 1, "{words}");
        assert!(
            words.contains("no file descriptors are left for clients"),
            "{words}"
        );
        assert!(words.contains("ulimit -n"), "{words}");
        let least = words.split(", and ").nth(1).unwrap().split(' ').next();
        let least: usize = least.unwrap().parse().unwrap();
        let mut served = Server::of(
            Epollo::spawn(limited_to(least).arg("serve").args(arguments)),
            arguments,
        );
        let mut client = served.connect("echo");
        client.write_all(b"x").unwrap();
        assert_eq!(read_exactly(&mut client, 1), b"x");
        drop(client);
        served.process.signal(rustix::process::Signal::TERM);
        assert_eq!(served.process.code(), 0);
        assert!(process.rest().is_empty(), "nothing listens");
    }
}

/// Inherited descriptors of a high number take none of those that the limit allows.
#[test]
fn inherited_descriptors_beyond_the_limit_take_no_place() {
    let mut command = Command::new("bash");
    let script = "for n in {100..160}; do eval \"exec $n</dev/null\"; done; ulimit -n 64; \
                  exec \"$0\" serve echo=0 --max-conns 20";
    command.args(["-c", script, env!("CARGO_BIN_EXE_epollo")]);
    let mut server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.code(), 0);
    assert_eq!(server.process.errors(), "");
}
