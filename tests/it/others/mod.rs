//! Programs that nobody here wrote, unchanged, against what epollo serves, over real sockets. Each judge prints
//! its version; one that is not installed is skipped and named. docs/COMPATIBILITY.md holds their verdicts.

mod judge;
mod matrix;

mod charts;
mod commands;
mod loads;
mod metrics;
mod proxies;
mod runtimes;
mod sandbox;

use std::io::Write;

use crate::support::{Server, read_to_end};

/// Where a script of these tests lies.
fn script(name: &str) -> String {
    format!(
        "{}/tests/it/others/scripts/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// A figure of `/metrics`.
fn figure(server: &Server, name: &str) -> u64 {
    let text = page(server, "/metrics");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

/// The body of a page of the explorer.
fn page(server: &Server, path: &str) -> String {
    let mut stream = server.connect("explore");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address("explore")
    )
    .unwrap();
    let answer = String::from_utf8(read_to_end(&mut stream)).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}
