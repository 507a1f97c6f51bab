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
mod servers;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::support::{Server, connect, read_to_end};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("epollo-others-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two addresses where nobody else listens and from which nobody connects.
fn quiet_addresses() -> [SocketAddr; 2] {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let host = NEXT.fetch_add(1, Ordering::Relaxed);
    let any_port = SocketAddr::from(([127, 0, 31, host], 0));
    let listeners = [(); 2].map(|()| TcpListener::bind(any_port).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

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
    page_at(server.address("explore"), path)
}

fn page_at(address: SocketAddr, path: &str) -> String {
    let (head, body) = answer(address, path);
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    body
}

/// The head and the body.
fn answer(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = connect(address);
    let rest = format!("HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    write!(stream, "GET {path} {rest}").unwrap();
    let answer = String::from_utf8(read_to_end(&mut stream)).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}
