//! `--trace` on the real binary: what is told, as docs/TRACE.md shows it, in which format, and that
//! nothing of it holds the server up.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::support::terminal::Terminal;
use crate::support::{Server, connect, read_exactly, read_to_end};

mod files;
mod holds;
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
            // A descriptor.
            _ if shown.ends_with(&["accept4", "="]) && word != "-1" => shown.push("FD"),
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

/// The nth text under this heading of docs/TRACE.md. Clients are A and B there, too.
fn documented(heading: &str, nth: usize) -> Vec<String> {
    let page = include_str!("../../../docs/TRACE.md");
    let part = page.split("\n## ").find(|part| part.starts_with(heading));
    let texts = part.unwrap().split("```");
    let mut texts = texts.filter_map(|text| text.strip_prefix("text\n"));
    let lines = texts.nth(nth).unwrap().lines();
    let lines = lines.map(|line| line.replace(CLIENTS[0], "A").replace(CLIENTS[1], "B"));
    lines.map(|line| masked(&line, &[])).collect()
}

/// As they are called in the documentation.
const CLIENTS: [&str; 2] = ["127.0.0.1:40112", "127.0.0.1:40114"];

/// What the documentation shows is what is told.
fn assert_told(told: &[String], heading: &str, nth: usize) {
    assert_eq!(told.join("\n"), documented(heading, nth).join("\n"));
}

#[test]
fn one_echo_and_one_half_close_as_text() {
    let mut server = Server::start(&["echo=0", "--trace", "-", "--trace-payload", "32"]);
    until(&mut server, ASLEEP, &[]);
    let mut client = server.connect("echo");
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(&told, "One echo", 0);
    client.write_all(b"hello\n").unwrap();
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(&told, "One echo", 1);
    client.shutdown(Shutdown::Write).unwrap();
    let told = until(&mut server, ASLEEP, &[&client]);
    assert_told(&told, "One half-close", 0);
    assert_eq!(read_to_end(&mut client), b"hello\n");
    server.stop();
}

#[test]
fn one_chat_turn_as_text() {
    let mut server = Server::start(&[
        "chat=0",
        "--trace",
        "-",
        "--framing",
        "line",
        "--trace-payload",
        "32",
    ]);
    until(&mut server, ASLEEP, &[]);
    let mut client = server.connect("chat");
    until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    client.write_all(b"hi\n").unwrap();
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(&told, "One chat turn", 0);
    server.process.type_in("yes?\n");
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(&told, "One chat turn", 1);
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
    let mut server = Server::start(&["echo=0", "-q", "--trace", "-"]);
    let process = Pid::from_raw(i32::try_from(server.process.id()).unwrap());
    let cut = Rlimit {
        current: Some(32),
        maximum: Some(32),
    };
    prlimit(process, Resource::Nofile, cut).unwrap();
    until(&mut server, ASLEEP, &[]);
    let (mut clients, told) = fill(&mut server);
    assert_told(&told, "One pause without descriptors", 0);
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[]);
    assert_told(&told, "One pause without descriptors", 1);
    let (last, next) = (clients.pop().unwrap(), server.connect("echo"));
    last.shutdown(Shutdown::Write).unwrap();
    let arrives = format!("  {}", next.local_addr().unwrap());
    let mut told = until(&mut server, &arrives, &[&last, &next]);
    told.retain(|line| !line.starts_with("listener") || line.ends_with("accept4 = FD B"));
    let told = told.split_off(told.iter().position(|line| line.starts_with('A')).unwrap());
    assert_told(&told, "One pause without descriptors", 2);
    server.stop();
}

/// A terminal that has taken a line of the trace has room again. If that woke the loop, it would tell of
/// that too, and so for ever.
#[test]
fn a_trace_on_the_terminal_of_the_server_does_not_feed_itself() {
    const ECHOES: usize = 20;
    let mut screen = Terminal::run(&["serve", "echo=0", "--trace", "-"]);
    screen.until("listening echo ");
    let address = screen.until("\r\n").trim().parse().unwrap();
    let mut client = connect(address);
    for _ in 0..ECHOES {
        client.write_all(b"hello\n").unwrap();
        assert_eq!(read_exactly(&mut client, 6), b"hello\n");
    }
    client.shutdown(Shutdown::Write).unwrap();
    screen.until_silent(Duration::from_millis(500));
}
