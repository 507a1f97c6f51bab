//! `epollo bench chat --chat-with pair`: a connection that asks and one that answers, matched by the server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use crate::support::{Epollo, Server};

/// The exit code and the report of a run of pairs.
fn run(address: SocketAddr, more: &[&str]) -> (i32, Value) {
    let address = address.to_string();
    let usual = ["bench", "chat", &address, "--chat-with", "pair", "--json"];
    let mut process = Epollo::run(&[&usual, more].concat());
    let report = serde_json::from_slice(&process.rest()).expect("a report");
    (process.code(), report)
}

/// A server that hands what comes on a connection to another, by their order of arrival; it ends with the test.
fn relay(routes: [usize; 4]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let clients: [TcpStream; 4] = std::array::from_fn(|_| listener.accept().unwrap().0);
        for (from, to) in clients.iter().zip(routes) {
            let (mut from, mut to) = (from.try_clone().unwrap(), clients[to].try_clone().unwrap());
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    if to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn pairs_talk_through_a_server_that_matches_them() {
    for framing in ["line", "nul", "padded"] {
        let server = Server::start(&["chat=0", "--chat-with", "pair"]);
        let more = ["-c", "20", "-n", "2000", "--framing", framing];
        let (code, report) = run(server.address("chat"), &more);
        assert_eq!(code, 0, "{report:#}");
        assert_eq!(report["echoes"], 2_000, "{report:#}");
        assert_eq!(report["connect_ns"]["count"], 40, "{report:#}");
        assert_eq!(report["asked"]["chat_with"], "pair", "{report:#}");
        server.stop();
    }
}

#[test]
fn an_answer_that_reaches_another_pair_has_crossed() {
    let (code, report) = run(relay([1, 0, 3, 2]), &["-c", "2", "-n", "200"]);
    assert_eq!((code, &report["crossed"]), (0, &0.into()), "{report:#}");
    let (code, report) = run(relay([1, 2, 3, 0]), &["-c", "2", "-n", "200"]);
    assert_eq!(code, 1, "{report:#}");
    assert!(report["crossed"].as_u64() > Some(0), "{report:#}");
}
