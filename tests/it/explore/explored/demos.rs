//! What demo clients may cost at most, whoever drives them.

use std::io::Write;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use socket2::SockRef;

use super::WithExplorer;
use crate::support::{connect, eventually};

/// Demo clients at the same time.
const CLIENTS_MAX: usize = 16;

/// Asks for a new client; its number, if there is room for one.
fn demo(explored: &WithExplorer, token: &str) -> Option<Value> {
    let answer = explored.press(token, &json!({"do": "connect", "to": "echo"}));
    (answer.status == 200).then(|| answer.json()["client"].clone())
}

#[test]
fn no_more_waits_for_a_client_than_an_outbox_holds() {
    let explored = WithExplorer::start(&["echo=0"]);
    let token = explored.token();
    let client = demo(&explored, &token).unwrap();
    let order = |what: &str| {
        let body = json!({"do": what, "client": client, "text": "x".repeat(3900)});
        explored.press(&token, &body).status
    };
    assert_eq!(order("stop-reading"), 200);
    assert!((0..1000).any(|_| order("send") == 409), "it takes all");
    let unsent = explored.metrics()["epollo_unsent_bytes"];
    assert!(unsent < 400_000.0, "{unsent} bytes wait");
    assert_eq!(order("read-again"), 200);
    eventually("there is room again", || order("send") == 200);
    explored.server.stop();
}

#[test]
fn whoever_asks_for_a_client_and_resets_takes_no_place() {
    let explored = WithExplorer::start(&["echo=0"]);
    let token = explored.token();
    let body = json!({"do": "connect", "to": "echo"}).to_string();
    for _ in 0..=CLIENTS_MAX {
        // Stopped, the server finds the request and the reset in one turn.
        explored.server.process.signal(Signal::STOP);
        let mut browser = connect(explored.address);
        let request = format!(
            "POST /try HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             X-Epollo-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
            explored.address,
            body.len()
        );
        browser.write_all(request.as_bytes()).unwrap();
        let socket = SockRef::from(&browser);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(browser);
        explored.server.process.signal(Signal::CONT);
        assert_eq!(explored.get("/healthz").status, 200);
    }
    let client = demo(&explored, &token).expect("nobody has a place");
    let order = json!({"do": "send", "client": client, "text": "it is this one"});
    assert_eq!(explored.press(&token, &order).status, 200);
    explored.server.stop();
}
