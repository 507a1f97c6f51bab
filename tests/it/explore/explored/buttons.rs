//! The buttons: each makes a demo client do what it says, and the loop is seen to answer.

use serde_json::{Value, json};

use super::{Stream, WithExplorer};
use crate::support::eventually;

/// Demo clients at the same time.
const CLIENTS_MAX: usize = 16;

/// Somebody who looks and presses buttons.
struct Visitor {
    explored: WithExplorer,
    token: String,
    stream: Stream,
}

impl Visitor {
    fn of(arguments: &[&str]) -> Visitor {
        let explored = WithExplorer::start(arguments);
        Visitor {
            token: explored.token(),
            stream: explored.look(),
            explored,
        }
    }

    /// A new demo client: its number and its address as the server sees it.
    fn connect(&self, to: &str) -> (Value, String) {
        let body = json!({"do": "connect", "to": to});
        let answer = self.explored.press(&self.token, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let address = answer.json()["address"].as_str().unwrap().to_owned();
        (answer.json()["client"].clone(), address)
    }

    fn press(&self, what: &str, client: &Value) {
        let body = json!({"do": what, "client": client, "text": "hello\n"});
        let answer = self.explored.press(&self.token, &body);
        assert_eq!((answer.status, &*answer.body), (200, "{\"ok\":true}"));
    }

    /// Waits until the loop has had this moment with the peer of this name.
    fn sees(&mut self, name: &str, part: &Value) -> Value {
        let wanted = part.as_object().unwrap();
        self.stream.moment(&format!("{part} of {name}"), |moment| {
            moment["name"] == *name && wanted.iter().all(|(key, value)| moment[key] == *value)
        })
    }

    /// Waits until the client is no row of the table any more.
    fn leaves(&mut self, name: &str) {
        self.stream.until("table", "the client is gone", |table| {
            super::row_of(table, name).is_none()
        });
    }

    fn end(self) {
        drop(self.stream);
        self.explored.server.stop();
    }
}

#[test]
fn a_client_comes_speaks_and_leaves() {
    let mut visitor = Visitor::of(&["echo=0"]);
    let (client, name) = visitor.connect("echo");
    visitor.sees(&name, &json!({"kind": "open", "protocol": "echo"}));
    visitor.press("send", &client);
    let read = json!({"kind": "read", "result": 6, "data": "hello\\n"});
    visitor.sees(&name, &read);
    visitor.press("half-frame", &client);
    visitor.sees(&name, &json!({"kind": "read", "result": 14}));
    visitor.press("close", &client);
    let close = json!({"kind": "close", "reason": "Finished"});
    visitor.sees(&name, &close);
    let body = json!({"do": "send", "client": client, "text": "late"});
    let visitor_ref = &visitor;
    eventually("the client is forgotten", || {
        visitor_ref.explored.press(&visitor_ref.token, &body).status == 409
    });
    visitor.end();
}

#[test]
fn half_a_frame_waits_for_its_end() {
    let arguments = ["chat=0", "--chat-with", "echo", "--framing", "line"];
    let mut visitor = Visitor::of(&arguments);
    let (client, name) = visitor.connect("chat");
    visitor.sees(&name, &json!({"kind": "open", "protocol": "chat"}));
    visitor.press("half-frame", &client);
    visitor.sees(&name, &json!({"kind": "read", "result": 14}));
    let row = visitor
        .stream
        .row(&name, "14 bytes came", |row| row["in"] == 14);
    assert_eq!(row["out"], 0, "half a message is not answered");
    visitor.press("send", &client);
    visitor.sees(&name, &json!({"kind": "write", "result": 20}));
    visitor.end();
}

#[test]
fn a_half_close_is_told_as_rdhup_and_answered_to_the_end() {
    let mut visitor = Visitor::of(&["echo=0"]);
    let (client, name) = visitor.connect("echo");
    visitor.sees(&name, &json!({"kind": "open"}));
    visitor.press("half-close", &client);
    let told = visitor.sees(&name, &json!({"kind": "ready", "flags": "IN|RDHUP"}));
    assert_eq!(told["name"], *name);
    visitor.leaves(&name);
    visitor.end();
}

#[test]
fn a_reset_is_seen_as_econnreset() {
    let mut visitor = Visitor::of(&["echo=0"]);
    let (client, name) = visitor.connect("echo");
    visitor.sees(&name, &json!({"kind": "open"}));
    visitor.press("reset", &client);
    visitor.sees(&name, &json!({"kind": "read", "result": "ECONNRESET"}));
    assert_eq!(
        visitor.explored.metrics()["epollo_closed_total{reason=\"broken\"}"],
        1.0
    );
    visitor.leaves(&name);
    visitor.end();
}

#[test]
fn who_stops_reading_fills_its_outbox_until_it_reads_again() {
    let mut visitor = Visitor::of(&["echo=0"]);
    let (client, name) = visitor.connect("echo");
    visitor.press("stop-reading", &client);
    // The kernel keeps some of it first.
    for _ in 0..8 {
        visitor.press("flood", &client);
    }
    let full = |row: &Value| row["outbox"].as_u64().unwrap() > 0 && row["interest"] != "read";
    let row = visitor.stream.row(&name, "an outbox fills", full);
    let body = json!({"do": "send", "client": client, "text": "one more"});
    eventually("its own outbox is full", || {
        visitor.explored.press(&visitor.token, &body).status == 409
    });
    assert!(
        row["outbox"].as_u64().unwrap() <= 160 * 1024,
        "bounded: {row}"
    );
    visitor.press("read-again", &client);
    let row = visitor.stream.row(&name, "the outbox empties", |row| {
        row["outbox"] == 0 && row["in"] == row["out"] && row["in"].as_u64() >= Some(8 * 1024 * 1024)
    });
    assert_eq!(row["interest"], "read");
    visitor.press("close", &client);
    visitor.leaves(&name);
    visitor.end();
}

#[test]
fn a_flood_is_a_mebibyte_and_delays_nobody_for_long() {
    let mut visitor = Visitor::of(&["echo=0"]);
    let (client, name) = visitor.connect("echo");
    visitor.press("flood", &client);
    let mib = 1024 * 1024;
    visitor
        .stream
        .row(&name, "all of it went to and fro", |row| {
            row["in"] == mib && row["out"] == mib
        });
    let mut other = visitor.explored.server.connect("echo");
    visitor.press("flood", &client);
    visitor.explored.echo(&mut other, "still there?");
    visitor.end();
}

#[test]
fn there_are_sixteen_clients_at_most_and_each_that_goes_makes_room() {
    let visitor = Visitor::of(&["echo=0", "hello=0"]);
    let clients: Vec<_> = (0..CLIENTS_MAX)
        .map(|_| visitor.connect("echo").0)
        .collect();
    let again = json!({"do": "connect", "to": "echo"});
    let refused = visitor.explored.press(&visitor.token, &again);
    assert_eq!(refused.status, 409);
    assert!(refused.json()["error"].is_string());
    visitor.press("close", &clients[3]);
    eventually("there is room", || {
        visitor.explored.press(&visitor.token, &again).status == 200
    });
    for client in &clients {
        // The one that has left already is no error of ours.
        let body = json!({"do": "close", "client": client});
        let status = visitor.explored.press(&visitor.token, &body).status;
        assert!([200, 409].contains(&status), "{status}");
    }
    // Whoever is greeted is left, and leaves.
    eventually("hello clients come and go", || {
        let hello = json!({"do": "connect", "to": "hello"});
        visitor.explored.press(&visitor.token, &hello).status == 200
    });
    eventually("all but one have left", || {
        let metrics = visitor.explored.metrics();
        metrics["epollo_connections{service=\"demo\"}"] == 1.0
            && metrics["epollo_connections{service=\"hello\"}"] == 0.0
    });
    visitor.end();
}

#[test]
fn what_no_button_says_is_refused() {
    let visitor = Visitor::of(&["echo=0"]);
    let (client, _) = visitor.connect("echo");
    for body in [
        json!({}),
        json!([]),
        json!("connect"),
        json!({"do": "connect"}),
        json!({"do": "connect", "to": "chat"}),
        json!({"do": "connect", "to": "10.0.0.1:80"}),
        json!({"do": "fly", "client": client}),
        json!({"do": "send", "client": client}),
        json!({"do": "send", "client": client, "text": 7}),
        json!({"do": "send", "text": "whose?"}),
        json!({"do": "send", "client": -1, "text": "x"}),
        json!({"do": "send", "client": 4_294_967_296_u64, "text": "x"}),
    ] {
        let answer = visitor.explored.press(&visitor.token, &body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["error"].is_string(), "{body}");
    }
    for stranger in [0, 4_000_000_000_u64] {
        let body = json!({"do": "reset", "client": stranger});
        let answer = visitor.explored.press(&visitor.token, &body);
        assert_eq!(answer.status, 409, "nobody is client {stranger}");
    }
    visitor.end();
}
