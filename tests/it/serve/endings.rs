//! How connections, runs and processes end: limits, timeouts, signals, `--once`. What a peer was
//! owed has arrived before the end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{
    Epollo, PATIENCE, Random, Server, best_of, connect, eventually, read_exactly, read_to_end,
};

/// How soon a second signal ends the process.
const EXIT_MAX: Duration = Duration::from_millis(50);

/// Sends random bytes and reads what comes back until the server ends it; how much came back, and
/// that it was right.
fn load(mut stream: TcpStream, seed: u64, is_running: &AtomicBool) -> Result<usize, String> {
    let sent = Random::new(seed).bytes(200_000);
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for piece in sent.chunks(777) {
                // It fails once the server is gone.
                if writer.write_all(piece).is_err() {
                    return;
                }
                std::thread::yield_now();
            }
            // Stay silent and connected until the server ends it.
        });
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(error.to_string()),
            }
            is_running.store(true, Ordering::Relaxed);
        }
        // The writer may be stuck in a full socket.
        let _ = stream.shutdown(Shutdown::Both);
        if sent.starts_with(&received) {
            Ok(received.len())
        } else {
            Err("wrong bytes".to_owned())
        }
    })
}

#[test]
fn a_signal_under_load_ends_every_stream_cleanly() {
    let mut server = Server::start(&["echo=0"]);
    let is_running = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..20)
            .map(|seed| {
                let stream = server.connect("echo");
                let is_running = &is_running;
                scope.spawn(move || load(stream, seed, is_running))
            })
            .collect();
        eventually("load flows", || is_running.load(Ordering::Relaxed));
        let asked = Instant::now();
        server.process.signal(Signal::TERM);
        for client in clients {
            client.join().unwrap().expect("a prefix, then the end");
        }
        assert_eq!(server.process.code(), 0);
        assert!(asked.elapsed() < Duration::from_secs(5), "within the grace");
    });
}

#[test]
fn a_client_that_never_leaves_holds_a_stopping_server_no_longer_than_the_grace() {
    let mut server = Server::start(&["echo=0", "--grace", "300ms"]);
    let mut client = server.connect("echo");
    client.write_all(b"x").unwrap();
    read_exactly(&mut client, 1);
    server.process.signal(Signal::INT);
    assert_eq!(read_to_end(&mut client), b"", "told at once that it ends");
    assert_eq!(server.process.code(), 0);
}

/// A server whose standard output is a pipe that is full and stays so. The reading end must live.
fn stuck_server(arguments: &[&str]) -> (Epollo, rustix::fd::OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'.'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.arg("serve").args(arguments);
    (
        Epollo::spawn_with_stdout(&mut command, writer.into()),
        reader,
    )
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A server that has heard the first signal and does not end by it is asked again; how long it took
/// to go.
fn asked_again(server: &mut Epollo, codes: &[i32], ask: impl FnOnce(&Epollo)) -> Duration {
    let asked = Instant::now();
    ask(server);
    let code = server.code();
    assert!(codes.contains(&code), "{code}");
    asked.elapsed()
}

#[test]
fn a_stuck_terminal_neither_stops_the_loop_nor_survives_a_second_signal() {
    let took = best_of(EXIT_MAX, || {
        let port = free_port();
        let (mut server, _reader) = stuck_server(&[&format!("chat={port}"), "--grace", "1h"]);
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        eventually("it listens", || TcpStream::connect(address).is_ok());
        let mut client = connect(address);
        client.write_all(b"hello\n").unwrap();
        server.type_in("answer\n");
        assert_eq!(
            read_exactly(&mut client, 7),
            b"answer\n",
            "the loop goes on"
        );
        server.signal(Signal::TERM);
        eventually("it has stopped listening", || {
            TcpStream::connect(address).is_err()
        });
        asked_again(&mut server, &[143], |server| server.signal(Signal::TERM))
    });
    assert!(took <= EXIT_MAX, "{took:?}");
}

#[test]
fn a_second_signal_needs_no_turn_of_the_loop() {
    let took = best_of(EXIT_MAX, || {
        let mut server = Server::start(&["echo=0", "--grace", "1h"]);
        // Whatever wedges a loop, this one has not gone round between the two signals.
        server.process.signal(Signal::STOP);
        server.process.signal(Signal::INT);
        server.process.signal(Signal::TERM);
        // Either handler may be the first to run.
        let codes = [130, 143];
        asked_again(&mut server.process, &codes, |server| {
            server.signal(Signal::CONT);
        })
    });
    eprintln!("gone {took:?} after the second signal");
    assert!(took <= EXIT_MAX, "{took:?}");
}

#[test]
fn once_serves_one_client_and_nobody_else() {
    let mut server = Server::start(&["echo=0", "--once"]);
    let address = server.address("echo");
    let mut client = server.connect("echo");
    client.write_all(b"only\n").unwrap();
    assert_eq!(read_exactly(&mut client, 5), b"only\n");
    assert!(
        TcpStream::connect(address).is_err(),
        "nobody else meanwhile"
    );
    drop(client);
    assert_eq!(server.process.code(), 0);
}

/// Whether the server ended this connection without a byte, by an end or by a reset.
fn is_turned_away(mut stream: TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn one_connection_too_many_is_turned_away_and_accepting_resumes() {
    let server = Server::start(&["echo=0", "--max-conns", "2"]);
    let mut held: Vec<_> = (0..2).map(|_| server.connect("echo")).collect();
    for client in &mut held {
        client.write_all(b"x").unwrap();
        read_exactly(client, 1);
    }
    assert!(is_turned_away(server.connect("echo")));
    drop(held.pop());
    eventually("there is room again", || {
        let mut client = server.connect("echo");
        client.write_all(b"y").is_ok() && matches!(client.read(&mut [0]), Ok(1))
    });
    server.stop();
}

#[test]
fn per_ip_counts_each_address_for_itself() {
    let server = Server::start(&["echo=0", "--per-ip", "1"]);
    let mut first = server.connect("echo");
    first.write_all(b"x").unwrap();
    read_exactly(&mut first, 1);
    assert!(is_turned_away(server.connect("echo")));
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let source: std::net::SocketAddr = "127.0.0.2:0".parse().unwrap();
    other.bind(&source.into()).unwrap();
    other.connect(&server.address("echo").into()).unwrap();
    let mut other = TcpStream::from(other);
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    other.write_all(b"y").unwrap();
    assert_eq!(read_exactly(&mut other, 1), b"y");
    server.stop();
}

#[test]
fn an_idle_client_is_closed_and_a_busy_one_is_not() {
    let server = Server::start(&["echo=0", "--idle-timeout", "400ms"]);
    let began = Instant::now();
    let mut idle = server.connect("echo");
    let mut busy = server.connect("echo");
    let idle = std::thread::spawn(move || {
        assert_eq!(read_to_end(&mut idle), b"");
        began.elapsed()
    });
    while began.elapsed() < Duration::from_millis(900) {
        busy.write_all(b"x").unwrap();
        read_exactly(&mut busy, 1);
        std::thread::sleep(Duration::from_millis(20));
    }
    let lasted = idle.join().unwrap();
    let limits = Duration::from_millis(400)..Duration::from_millis(900);
    assert!(limits.contains(&lasted), "{lasted:?}");
    server.stop();
}

#[test]
fn a_process_that_was_stopped_hears_its_clients_before_it_calls_them_idle() {
    let server = Server::start(&["echo=0", "--idle-timeout", "1500ms"]);
    let mut clients: Vec<_> = (0..500).map(|_| server.connect("echo")).collect();
    for client in &mut clients {
        client.write_all(b"a").unwrap();
        read_exactly(client, 1);
    }
    server.process.signal(Signal::STOP);
    for client in &mut clients {
        client.write_all(b"b").unwrap();
    }
    // The stall is the experiment.
    std::thread::sleep(Duration::from_secs(2));
    server.process.signal(Signal::CONT);
    for client in &mut clients {
        assert_eq!(read_exactly(client, 1), b"b");
    }
    drop(clients);
    server.stop();
}

#[test]
fn a_client_that_never_reads_is_closed_after_the_write_timeout() {
    let server = Server::start(&["-vv", "echo=0", "--write-timeout", "300ms"]);
    let mut client = server.connect("echo");
    let fill = vec![b'x'; 1 << 20];
    let failure = loop {
        if let Err(error) = client.write_all(&fill) {
            break error.kind();
        }
    };
    let endings = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(endings.contains(&failure), "{failure:?}");
    let mut server = server;
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    assert!(server.process.errors().contains("closed: stalled"));
}

#[test]
fn a_client_that_never_closes_its_half_is_closed_after_a_bound() {
    let server = Server::start(&["hello=0"]);
    let descriptors = server.descriptors();
    let mut client = server.connect("hello");
    assert_eq!(read_to_end(&mut client), b"Hello World!\0");
    eventually("the linger bound ends it", || {
        server.descriptors() == descriptors
    });
    drop(client);
    server.stop();
}

#[test]
fn a_chat_message_that_dribbles_is_cut_at_its_deadline() {
    let arguments = ["chat=0", "--chat-with", "echo", "--idle-timeout", "400ms"];
    let server = Server::start(&[&arguments[..], &["--framing", "line"]].concat());
    let mut client = server.connect("chat");
    let began = Instant::now();
    let mut reader = client.try_clone().unwrap();
    let ending = std::thread::spawn(move || read_to_end(&mut reader));
    // One byte every 50 ms is never idle, and never a message.
    while client.write_all(b"a").is_ok() && !ending.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
        assert!(began.elapsed() < PATIENCE);
    }
    assert_eq!(ending.join().unwrap(), b"message took too long\n");
    assert!(began.elapsed() >= Duration::from_millis(400));
    server.stop();
}

#[test]
fn a_client_is_ended_by_its_first_signal() {
    let server = Server::start(&["chat=0"]);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let port = server.address("chat").port().to_string();
        let mut client = Epollo::run(&["chat", "127.0.0.1", &port]);
        assert_eq!(client.line(), "Connected");
        client.signal(signal);
        assert_eq!(client.code(), code);
    }
}
