//! What `epollo bench` knows of its machine: what a run needs is checked before it, what its server
//! costs is measured, and what spoils its figures is named.

use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::Value;

use crate::support::{Epollo, Server};

/// A run that must be refused: its one line.
fn refusal(arguments: &[&str], descriptors: &str) -> String {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""),
    ]);
    command.args([env!("CARGO_BIN_EXE_epollo"), "bench", "echo"]);
    let mut process = Epollo::spawn(command.args(arguments));
    let words = process.errors();
    assert_ne!(process.code(), 0, "{arguments:?}");
    assert_eq!(words.lines().count(), 1, "{words}");
    words
}

#[test]
fn a_run_that_cannot_succeed_is_refused_with_the_remedy() {
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let words = refusal(&[&address, "-c", "200"], "100");
    assert!(
        words.contains("200 connections need 216 descriptors, the limit is 100"),
        "{words}"
    );
    assert!(words.contains("at most 84 connections"), "{words}");
    for (source, part) in [
        ("192.0.2.1", "cannot connect from 192.0.2.1"),
        ("::1", "cannot be reached from ::1 (IPv6)"),
        ("127.0.0.1,::1", "all IPv4 or all IPv6"),
        ("127.0.0.0/40", "'127.0.0.0/40' is not an address"),
    ] {
        let words = refusal(&[&address, "--source-ip", source], "1000");
        assert!(words.contains(part), "{words}");
    }
    let words = refusal(&[&address, "--pid", "4294967295"], "1000");
    assert!(words.contains("there is no process 4294967295"), "{words}");
    server.stop();
}

/// A short run with these arguments, as `--json` tells it.
fn ran(arguments: &[&str]) -> Value {
    let short = [
        "bench", "echo", "-n", "400", "-c", "4", "--warmup", "0s", "--json",
    ];
    let mut process = Epollo::run(&[&short, arguments].concat());
    let shown = process.rest();
    assert_eq!(process.code(), 0, "{}", process.errors());
    serde_json::from_slice(&shown).unwrap()
}

fn doubts(run: &Value) -> String {
    run["trust"].to_string()
}

#[test]
fn the_cost_is_that_of_the_process_that_was_named() {
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let mut other = Epollo::run(&["serve", "echo=0"]);
    other.line();
    let run = ran(&[&address, "--pid", &other.id().to_string()]);
    assert_eq!(run["server"]["pid"], other.id());
    assert_eq!(run["server"]["command"], "epollo");
    let words = format!("process {} does not listen on {address}", other.id());
    assert!(doubts(&run).contains(&words), "{}", doubts(&run));
    // An idle server costs nothing, whatever others do meanwhile; a loaded one does.
    assert_eq!(run["server"]["cpu_ns"], 0);
    let generator = &run["generator"];
    assert!(generator["cpu_ns"].as_u64() > Some(0), "{generator}");
    assert!(generator["rss"].as_u64() > Some(1 << 20), "{generator}");
    server.stop();
}

#[test]
fn connections_come_from_the_named_sources_in_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let arguments = ["bench", "echo", &address, "-c", "4", "-d", "1s"];
    let sources = ["--source-ip", "127.0.0.7,127.0.0.8"];
    let _process = Epollo::run(&[&arguments[..], &sources].concat());
    let come = |_| listener.accept().unwrap();
    let come: Vec<(TcpStream, _)> = (0..4).map(come).collect();
    let mut from: Vec<String> = come.iter().map(|(_, from)| from.ip().to_string()).collect();
    from.sort();
    assert_eq!(from, ["127.0.0.7", "127.0.0.7", "127.0.0.8", "127.0.0.8"]);
}
