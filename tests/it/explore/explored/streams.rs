//! What a browser is told while clients come and go: it agrees with what they did.

use std::collections::BTreeSet;
use std::net::Shutdown;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::SockRef;

use super::{WithExplorer, moments, row_of};
use crate::support::{eventually, read_to_end};

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no count: {value}"))
}

#[test]
fn a_stream_begins_with_who_is_served() {
    let explored = WithExplorer::start(&["hello=0", "echo=0", "chat=0"]);
    let stream = explored.look();
    let services: Vec<Value> = ["hello", "echo", "chat"]
        .map(|name| {
            let address = explored.server.address(name).to_string();
            json!({"name": name, "address": address})
        })
        .to_vec();
    assert_eq!(stream.meta["services"], json!(services));
    assert_eq!(stream.meta["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(stream.meta["try"], true);
    drop(stream);
    explored.server.stop();
}

#[test]
fn the_ticks_add_up_to_what_was_done() {
    let explored = WithExplorer::start(&["hello=0", "echo=0"]);
    let mut stream = explored.look();
    let first = stream.until("tick", "a tick", |_| true);
    let mut sums = [0; 4];
    let mut previous = number(&first["t"]);
    let mut clients: Vec<_> = (0..5).map(|_| explored.server.connect("echo")).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        explored.echo(client, &"e".repeat(100 * (index + 1)));
    }
    assert_eq!(read_to_end(&mut explored.server.connect("hello")).len(), 13);
    drop(clients);
    let keys = ["bytes_in", "bytes_out", "opened", "closed"];
    stream.until("tick", "all bytes and connections", |tick| {
        let t = number(&tick["t"]);
        assert_eq!(t - previous, number(&tick["span"]), "ticks leave no gap");
        previous = t;
        for (sum, key) in sums.iter_mut().zip(keys) {
            *sum += number(&tick[key]);
        }
        assert!(number(&tick["asleep"]) <= number(&tick["span"]) * 2);
        assert!(number(&tick["turns"]) > 0 && number(&tick["turn_ns"]["max"]) > 500);
        assert!(number(&tick["turn_ns"]["p50"]) <= number(&tick["turn_ns"]["p99"]));
        assert_eq!(tick["missed"], 0, "we read as fast as it comes");
        sums == [1500, 1513, 6, 6] && tick["peers"]["echo"] == 0
    });
    let idle = stream.until("tick", "a tick in which nothing happens", |tick| {
        tick["opened"] == 0 && tick["bytes_in"] == 0
    });
    // Our own wake-ups are all that is left.
    assert!(number(&idle["turns"]) < 10, "{idle}");
    drop(stream);
    explored.server.stop();
}

#[test]
fn a_reset_is_no_call_that_would_block() {
    let explored = WithExplorer::start(&["echo=0"]);
    let mut stream = explored.look();
    let mut client = explored.server.connect("echo");
    explored.echo(&mut client, "about to leave");
    let before = explored.metrics()["epollo_would_block_total"];
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    stream.moment("a reset", |moment| moment["result"] == "ECONNRESET");
    assert_eq!(explored.metrics()["epollo_would_block_total"], before);
    drop(stream);
    explored.server.stop();
}

#[test]
fn the_table_tells_of_each_connection_what_its_client_knows() {
    let arguments = ["hello=0", "echo=0", "chat=0", "--chat-with", "pair"];
    let explored = WithExplorer::start(&arguments);
    let mut stream = explored.look();
    let mut echo = explored.server.connect("echo");
    explored.echo(&mut echo, "hello");
    let name = echo.local_addr().unwrap().to_string();
    let row = stream.row(&name, "5 bytes came and went", |row| {
        row["in"] == 5 && row["out"] == 5
    });
    let fixed = json!([
        row["protocol"],
        row["state"],
        row["interest"],
        row["outbox"],
        row["halves"]
    ]);
    assert_eq!(fixed, json!(["echo", "echoing", "read", 0, "open/open"]));
    assert!(number(&row["idle_ms"]) < 20_000, "{row}");
    assert!(
        number(&row["timer_ms"]) <= 300_000,
        "the idle timeout: {row}"
    );

    let client = explored.server.connect("chat");
    let name = client.local_addr().unwrap().to_string();
    stream.row(&name, "a lonely client", |row| row["state"] == "lobby");
    let second = explored.server.connect("chat");
    stream.row(&name, "a client with a partner", |row| {
        row["state"] == "speaking"
    });
    let table = stream.until("table", "both talk", |table| {
        table["states"]["chat"]["listening"] == 1
    });
    assert_eq!(table["states"]["chat"]["speaking"], 1);
    assert_eq!(table["states"]["echo"]["echoing"], 1);
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(number(&table["total"]), rows.len() as u64, "all are shown");

    let name = echo.local_addr().unwrap().to_string();
    drop((echo, client, second));
    let gone = |table: &Value| row_of(table, &name).is_none();
    stream.until("table", "the echo client is gone", gone);
    drop(stream);
    explored.server.stop();
}

#[test]
fn the_turns_tell_what_the_loop_did_for_one_client() {
    let explored = WithExplorer::start(&["echo=0"]);
    let mut stream = explored.look();
    let mut echo = explored.server.connect("echo");
    let name = echo.local_addr().unwrap().to_string();
    explored.echo(&mut echo, "hello");
    echo.shutdown(Shutdown::Write).unwrap();
    assert!(read_to_end(&mut echo).is_empty());
    let mut all = Vec::new();
    stream.until("turns", "the client is gone", |turns| {
        assert_eq!(
            turns["skipped"], 0,
            "so little happens that nothing is left out"
        );
        assert_orderly(turns);
        all.extend(moments(turns));
        let is_end = |moment: &Value| moment["kind"] == "close" && moment["name"] == *name;
        all.iter().any(is_end)
    });
    let told: Vec<_> = all
        .iter()
        .filter(|moment| moment["name"] == *name)
        .collect();
    for (part, what) in [
        (json!({"kind": "open", "protocol": "echo"}), "it came"),
        (
            json!({"kind": "read", "result": 5, "data": "hello"}),
            "it spoke",
        ),
        (
            json!({"kind": "event", "event": "Received 5"}),
            "echo got it",
        ),
        (
            json!({"kind": "effect", "effect": "SendBack 5"}),
            "echo answered",
        ),
        (
            json!({"kind": "write", "offered": 5, "result": 5}),
            "it was answered",
        ),
        (json!({"kind": "read", "result": 0}), "it finished"),
        (json!({"kind": "event", "event": "Eof"}), "echo got the end"),
        (json!({"kind": "close", "reason": "Finished"}), "it is gone"),
    ] {
        let is_it = |moment: &Value| {
            let part = part.as_object().unwrap();
            part.iter().all(|(key, value)| moment[key] == *value)
        };
        assert!(told.iter().any(|moment| is_it(moment)), "{what}: {told:#?}");
    }
    let accepted = |moment: &&Value| moment["kind"] == "accept" && moment["result"] == "ok";
    let accepts: Vec<_> = all.iter().filter(accepted).collect();
    assert_eq!(accepts.len(), 1, "{accepts:?}");
    assert_eq!(accepts[0]["listener"], "echo");
    drop(stream);
    explored.server.stop();
}

/// Times never go back, and a turn's moments lie within it.
fn assert_orderly(turns: &Value) {
    let mut latest = 0;
    for turn in turns["turns"].as_array().unwrap() {
        let start = number(&turn["t"]);
        assert!(start >= latest, "turns follow each other");
        latest = start;
        let moments = turn["entries"].as_array().unwrap();
        assert!(moments.len() <= 60 && turn["cut"] == 0);
        for moment in moments {
            let t = number(&moment["t"]);
            assert!(t >= latest, "moments follow each other: {moment}");
            assert_eq!(moment["turn"], turn["n"]);
            latest = t;
        }
        assert!(latest <= start + number(&turn["busy"]));
    }
}

/// What a peer sends is shown in part, escaped: no control character, no byte that is no text.
#[test]
fn what_a_peer_sends_is_escaped() {
    let explored = WithExplorer::start(&["echo=0"]);
    let mut stream = explored.look();
    let mut echo = explored.server.connect("echo");
    let attack = "\u{1b}[2J\u{202e}\u{9b}\"\\\r\n\ndata";
    explored.echo(&mut echo, attack);
    let moment = stream.moment("it was read", |moment| {
        moment["kind"] == "read" && moment["result"] == attack.len()
    });
    let shown = moment["data"].as_str().unwrap();
    assert!(shown.starts_with("\\x1b[2J\\u{202e}"), "{shown:?}");
    let lines: BTreeSet<char> = stream.raw.chars().filter(|c| c.is_control()).collect();
    assert_eq!(
        lines,
        BTreeSet::from(['\n']),
        "line ends are the stream's own"
    );
    assert!(!stream.raw.contains('\u{202e}'));
    drop(stream);
    explored.server.stop();
}

#[test]
fn a_page_that_comes_later_or_twice_is_told_the_same() {
    let explored = WithExplorer::start(&["echo=0"]);
    let mut echo = explored.server.connect("echo");
    explored.echo(&mut echo, "before anybody looked");
    let name = echo.local_addr().unwrap().to_string();
    let mut streams = [explored.look(), explored.look()];
    for stream in &mut streams {
        stream.row(&name, "what came before", |row| row["in"] == 21);
    }
    explored.echo(&mut echo, "again");
    for stream in &mut streams {
        stream.row(&name, "what came now", |row| row["in"] == 26);
    }
    drop(streams);
    // Somebody looks again after nobody did: of what nobody saw, only the totals are told.
    eventually("nobody looks", || {
        explored.metrics()["epollo_page_streams"] == 0.0
    });
    explored.echo(&mut echo, "unseen");
    let mut stream = explored.look();
    let tick = stream.until("tick", "the first tick", |_| true);
    assert_eq!(tick["bytes_in"], 0, "{tick}");
    explored.echo(&mut echo, "again");
    stream.row(&name, "what came in all", |row| row["in"] == 37);
    drop(stream);
    explored.server.stop();
}
