//! `--trace` on the real binary: what is told, in which format, and that nothing of it holds the
//! server up.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Epollo, Server, read_exactly, read_to_end};

mod files;
mod trouble;

/// A line without what differs from run to run: when and how long, which turn, whose port.
fn masked(line: &str, peers: &[&TcpStream]) -> String {
    let mut line = line.to_owned();
    for (peer, name) in peers.iter().zip(["A", "B"]) {
        line = line.replace(&peer.local_addr().unwrap().to_string(), name);
    }
    let words: Vec<&str> = line.split_whitespace().skip(2).collect();
    let mut shown: Vec<&str> = Vec::new();
    for word in words {
        match word.trim_end_matches(',') {
            "us" | "ms" | "s" => *shown.last_mut().unwrap() = "T",
            _ => shown.push(word),
        }
    }
    shown.join(" ")
}

/// The lines up to the one that holds this, masked; turns are separated by "".
fn until(server: &mut Server, end: &str, peers: &[&TcpStream]) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = server.process.error_line();
        lines.push(masked(&line, peers));
        if line.contains(end) {
            return lines;
        }
    }
}

const ASLEEP: &str = "sleeps until something is ready";
const ASLEEP_FOR_A_WHILE: &str = "sleeps, at most";

/// Compares with a text that stands in the code, indented.
fn assert_told(told: &[String], expected: &str) {
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(told.join("\n"), expected.join("\n"));
}

#[test]
fn one_echo_and_one_half_close_as_text() {
    let mut server = Server::start(&["echo=0", "--trace", "-"]);
    until(&mut server, ASLEEP, &[]);
    let mut client = server.connect("echo");
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(
        &told,
        "
        woke slept T 1 ready
        listener echo ready IN
        listener echo accept A
        A open echo: echoing
        A interest IN|PRI
        listener echo accept WouldBlock: nobody else waits
        A timer in T
        end worked T

        wait sleeps, at most T
        ",
    );
    client.write_all(b"hello\n").unwrap();
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(
        &told,
        "
        woke slept T 1 ready
        A ready IN
        A read 6 of 65536
        A told echo: Received 6
        A wish SendBack 6
        A write 6 of 6
        end worked T

        wait sleeps, at most T
        ",
    );
    client.shutdown(Shutdown::Write).unwrap();
    let told = until(&mut server, ASLEEP, &[&client]);
    assert_told(
        &told,
        "
        woke slept T 1 ready
        A ready IN|RDHUP
        A read 0: the peer sends no more
        A told echo: Finished
        A wish Finish
        A close finished: nobody sends any more
        end worked T

        wait sleeps until something is ready
        ",
    );
    assert_eq!(read_to_end(&mut client), b"hello\n");
    server.stop();
}

#[test]
fn one_chat_turn_as_text() {
    let mut server = Server::start(&["chat=0", "--trace", "-", "--framing", "line"]);
    until(&mut server, ASLEEP, &[]);
    let mut client = server.connect("chat");
    until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    client.write_all(b"hi\n").unwrap();
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(
        &told,
        "
        woke slept T 1 ready
        A ready IN
        A read 3 of 4098
        A told chat: Received 3
        A state chat: speaking -> listening
        A wish Wake the terminal
        A wish WakeAt never
        the terminal told terminal: Woken
        the terminal wish Send 12
        the terminal write 12 of 12
        end worked T

        wait only looks: there is still work
        woke looked T nothing is ready
        the terminal read WouldBlock: nothing waits
        end worked T

        wait sleeps, at most T
        ",
    );
    server.process.type_in("yes?\n");
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(
        &told,
        "
        woke slept T 1 ready
        the terminal ready IN
        the terminal read 5 of 65536
        the terminal told terminal: Received 5
        the terminal wish Wake A
        A told chat: Woken
        A state chat: listening -> speaking
        A wish Send 5
        A wish WakeAt never
        the terminal peek WouldBlock: nothing waits
        A write 5 of 5
        end worked T

        wait sleeps, at most T
        ",
    );
    assert_eq!(read_exactly(&mut client, 5), b"yes?\n");
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
}

/// Connects until the server has no descriptor left; what it told of the last one that found one.
fn fill(server: &mut Server) -> (Vec<TcpStream>, Vec<String>) {
    let mut clients = Vec::new();
    loop {
        let client = server.connect("echo");
        let told = until(server, ASLEEP_FOR_A_WHILE, &[&client]);
        clients.push(client);
        if told.iter().any(|line| line.contains("EMFILE")) {
            return (clients, told);
        }
    }
}

#[test]
fn one_pause_for_want_of_descriptors_as_text() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("SKIPPED traced: prlimit is not installed (Debian package util-linux)");
        return;
    }
    let mut command = Command::new("prlimit");
    command.arg("--nofile=32");
    command.args([
        env!("CARGO_BIN_EXE_epollo"),
        "serve",
        "echo=0",
        "-q",
        "--trace",
        "-",
    ]);
    let mut server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
    until(&mut server, ASLEEP, &[]);
    let (mut clients, told) = fill(&mut server);
    assert_told(
        &told,
        "
        woke slept T 1 ready
        listener echo ready IN
        listener echo accept A
        A open echo: echoing
        A interest IN|PRI
        listener echo accept EMFILE: too many open files
        listener echo pause at most T or until a descriptor comes free
        A timer in T
        end worked T

        wait sleeps, at most T
        ",
    );
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[]);
    assert_told(
        &told,
        "
        woke slept T nothing is ready
        listener echo accept EMFILE: too many open files
        listener echo pause at most T or until a descriptor comes free
        end worked T

        wait sleeps, at most T
        ",
    );
    let (first, next) = (clients.remove(0), server.connect("echo"));
    first.shutdown(Shutdown::Write).unwrap();
    let arrives = format!("accept    {}", next.local_addr().unwrap());
    let mut told = until(&mut server, &arrives, &[&first, &next]);
    told.retain(|line| !line.starts_with("listener") || line.ends_with("accept B"));
    let told = told.split_off(told.iter().position(|line| line.starts_with('A')).unwrap());
    assert_told(
        &told,
        "
        A ready IN|RDHUP
        A read 0: the peer sends no more
        A told echo: Finished
        A wish Finish
        A close finished: nobody sends any more
        end worked T

        wait only looks: there is still work
        woke looked T nothing is ready
        listener echo accept B
        ",
    );
    server.stop();
}
