//! The formats for tools: JSON lines and Chrome trace events, from the server, the clients and the
//! bench.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Epollo, Server, eventually, read_exactly, read_to_end};

/// A file that goes with the test.
pub(super) struct Written(PathBuf);

impl Written {
    pub(super) fn new(name: &str) -> Written {
        let name = format!("epollo-traced-{}-{name}", std::process::id());
        Written(std::env::temp_dir().join(name))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    /// A `.jsonl`.
    pub(super) fn objects(&self) -> Vec<Value> {
        objects(&self.text())
    }

    /// A `.json`.
    pub(super) fn array(&self) -> Vec<Value> {
        serde_json::from_str(&self.text()).unwrap()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Every line is an object, and the last one is whole.
pub(super) fn objects(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let parsed = text.lines().map(|line| serde_json::from_str(line).unwrap());
    parsed
        .inspect(|object: &Value| assert!(object.is_object()))
        .collect()
}

fn number(object: &Value, key: &str) -> u64 {
    object[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no {key} in {object}"))
}

const PIECES: [usize; 3] = [1, 1_000, 70_000];

/// A server that has been given pieces of these sizes on one connection, and then ended.
fn traced(trace: &Written, options: &[&str]) {
    let arguments = ["echo=0", "--trace", trace.name()];
    let server = Server::start(&[&arguments, options].concat());
    let mut client = server.connect("echo");
    for size in PIECES {
        client.write_all(&vec![b'x'; size]).unwrap();
        assert_eq!(read_exactly(&mut client, size).len(), size);
    }
    client.shutdown(Shutdown::Write).unwrap();
    read_to_end(&mut client);
    server.stop();
}

#[test]
fn every_line_of_a_jsonl_is_a_moment_and_they_agree_with_what_was_sent() {
    let trace = Written::new("lines.jsonl");
    traced(&trace, &[]);
    let moments = trace.objects();
    let of = |kind: &str| -> Vec<&Value> {
        let found = moments.iter().filter(|moment| moment["kind"] == kind);
        found.collect()
    };
    let opened = of("open")
        .into_iter()
        .find(|moment| moment["protocol"] == "echo")
        .unwrap();
    let (peer, name) = (&opened["peer"], &opened["name"]);
    for (kind, call) in [("read", "room"), ("write", "offered")] {
        let calls = of(kind)
            .into_iter()
            .filter(|moment| moment["peer"] == *peer);
        let moved: u64 = calls
            .inspect(|moment| {
                assert_eq!(moment["name"], *name);
                assert!(
                    moment["result"].is_string()
                        || number(moment, "result") <= number(moment, call)
                );
            })
            .filter_map(|moment| moment["result"].as_u64())
            .sum();
        assert_eq!(moved, PIECES.iter().sum::<usize>() as u64, "{kind}");
    }
    assert_eq!(
        of("event")
            .iter()
            .filter(|event| event["event"] == "Eof")
            .count(),
        1
    );
    let closed = of("close")
        .into_iter()
        .find(|moment| moment["peer"] == *peer);
    assert_eq!(closed.unwrap()["reason"], "Finished");
    assert_eq!(
        of("accept")
            .iter()
            .filter(|accept| accept["result"] == "ok")
            .count(),
        1
    );
}

#[test]
fn the_turns_of_a_jsonl_follow_each_other() {
    let trace = Written::new("turns.jsonl");
    traced(&trace, &[]);
    let moments = trace.objects();
    let times: Vec<u64> = moments.iter().map(|moment| number(moment, "t")).collect();
    assert!(times.is_sorted(), "time goes on");
    let turns: Vec<u64> = moments
        .iter()
        .map(|moment| number(moment, "turn"))
        .collect();
    assert!(turns.is_sorted(), "turns go on");
    for turn in 1..=*turns.last().unwrap() {
        let of_turn: Vec<_> = moments
            .iter()
            .filter(|moment| moment["turn"] == turn)
            .collect();
        let [wait, wake, .., end] = of_turn.as_slice() else {
            panic!("{of_turn:?}");
        };
        assert_eq!(
            (&wait["kind"], &wake["kind"], &end["kind"]),
            (&"wait".into(), &"wake".into(), &"end".into())
        );
        assert_eq!(
            number(wake, "waited"),
            number(wake, "t") - number(wait, "t")
        );
        assert_eq!(number(end, "busy"), number(end, "t") - number(wake, "t"));
        let told = of_turn
            .iter()
            .filter(|moment| moment["kind"] == "ready")
            .count();
        assert_eq!(number(wake, "events"), told as u64, "turn {turn}");
    }
}

/// What the Trace Event Format asks for, and what makes sense beyond it.
fn assert_is_chrome_trace(events: &[Value]) {
    let mut latest = BTreeMap::new();
    let mut slices: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    let mut named: Vec<u64> = Vec::new();
    for event in events {
        let phase = event["ph"].as_str().unwrap();
        let (time, track) = (event["ts"].as_f64().unwrap(), number(event, "tid"));
        assert_eq!(number(event, "pid"), 1);
        assert!(event["name"].is_string(), "{event}");
        let before = latest.insert(track, time).unwrap_or(0.0);
        assert!(before <= time, "track {track} goes back at {event}");
        let slices = slices.entry(track).or_default();
        match phase {
            "M" => named.push(track),
            "B" => slices.push(&event["name"]),
            // Chrome takes an end of any name, speedscope only that of the slice.
            "E" => assert_eq!(slices.pop(), Some(&event["name"])),
            "i" => assert_eq!(event["s"], "t"),
            "C" => assert!(
                event["args"]
                    .as_object()
                    .unwrap()
                    .values()
                    .all(Value::is_u64)
            ),
            other => panic!("{other} in {event}"),
        }
        assert!(named.contains(&track), "track {track} has no name");
    }
}

fn depths(events: &[Value]) -> BTreeMap<u64, i64> {
    let mut depths = BTreeMap::new();
    for event in events {
        *depths.entry(number(event, "tid")).or_insert(0) += match event["ph"].as_str() {
            Some("B") => 1,
            Some("E") => -1,
            _ => 0,
        };
    }
    depths
}

#[test]
fn a_json_is_what_chrome_and_perfetto_read() {
    let trace = Written::new("chrome.json");
    traced(&trace, &[]);
    let events = trace.array();
    assert_is_chrome_trace(&events);
    assert!(
        depths(&events).values().all(|&depth| depth == 0),
        "every slice is closed"
    );
    let has = |phase: &str, name: &str| {
        let mut found = events
            .iter()
            .filter(|event| event["ph"] == phase && event["name"] == name);
        found.next().is_some()
    };
    for (phase, name) in [
        ("B", "asleep"),
        ("B", "turn 3"),
        ("B", "echoing"),
        ("i", "read recvfrom = 1 of 65536"),
        ("i", "write sendto = 1 of 1"),
        ("C", "connections"),
    ] {
        assert!(has(phase, name), "no {phase} {name}");
    }
    let names = events.iter().filter(|event| event["name"] == "thread_name");
    let names: Vec<_> = names
        .map(|event| event["args"]["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"the loop"), "{names:?}");
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("127.0.0.1:") && name.ends_with(" echo")),
        "{names:?}"
    );
}

#[test]
fn a_trace_is_whole_whenever_the_loop_sleeps_also_if_it_is_killed() {
    for ending in ["json", "jsonl"] {
        let trace = Written::new(&format!("killed.{ending}"));
        let mut server = Server::start(&["echo=0", "--trace", trace.name()]);
        let mut client = server.connect("echo");
        client.write_all(b"ping").unwrap();
        assert_eq!(read_exactly(&mut client, 4), b"ping");
        eventually("the echo is in the trace", || {
            trace.text().contains("SendBack 4")
        });
        server.process.signal(Signal::KILL);
        server.process.wait();
        if ending == "json" {
            assert_is_chrome_trace(&trace.array());
        } else {
            assert!(trace.objects().len() > 10);
        }
    }
}

const SECRET: &[u8] = b"\x1b[31mSECRET\xff\xe2\x80\xae\n";

#[test]
fn bytes_are_shown_only_if_asked_for_and_then_escaped() {
    for (options, shown) in [
        (&[][..], None),
        (&["--trace-payload", "5"], Some(r"\x1b[31m")),
        (
            &["--trace-payload", "1k"],
            Some(r"\x1b[31mSECRET\xff\u{202e}\n"),
        ),
    ] {
        for ending in ["jsonl", "json"] {
            let trace = Written::new(&format!("payload.{ending}"));
            let server = Server::start(&[&["echo=0", "--trace", trace.name()], options].concat());
            let mut client = server.connect("echo");
            client.write_all(SECRET).unwrap();
            assert_eq!(read_exactly(&mut client, SECRET.len()), SECRET);
            drop(client);
            server.stop();
            let moments = if ending == "json" {
                trace.array()
            } else {
                trace.objects()
            };
            let data = moments
                .iter()
                .filter_map(|moment| moment.get("data").or(moment["args"].get("data")));
            let data: Vec<_> = data
                .map(|data| data.as_str().unwrap())
                .filter(|data| data.contains("31m"))
                .collect();
            let expected: Vec<_> = shown
                .into_iter()
                .cycle()
                .take(if shown.is_some() { 2 } else { 0 })
                .collect();
            assert_eq!(data, expected);
            assert!(
                !trace
                    .text()
                    .bytes()
                    .any(|byte| byte < b' ' && byte != b'\n')
            );
        }
    }
}

#[test]
fn the_clients_and_the_bench_write_traces_too() {
    let server = Server::start(&["hello=0", "echo=0", "chat=0", "--chat-with", "echo"]);
    for service in ["hello", "echo", "chat"] {
        let address = server.address(service);
        let trace = Written::new(&format!("client-{service}.jsonl"));
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut client = Epollo::run(&[service, &ip, &port, "--trace", trace.name()]);
        client.type_in("hi\n");
        client.end_input();
        assert_eq!(client.code(), 0, "{}", client.errors());
        let moments = trace.objects();
        let opened = moments
            .iter()
            .find(|moment| moment["name"] == address.to_string());
        assert_eq!(opened.unwrap()["protocol"], service);
        assert!(moments.iter().any(|moment| moment["kind"] == "close"));
    }
    let trace = Written::new("bench.jsonl");
    let address = server.address("echo").to_string();
    let words = "-c 2 -n 50 --warmup 0 --trace";
    let mut asked = vec!["bench", "echo", &address];
    asked.extend(words.split(' ').chain([trace.name()]));
    let mut bench = Epollo::run(&asked);
    bench.rest();
    assert_eq!(bench.code(), 0, "{}", bench.errors());
    let moments = trace.objects();
    let states = moments.iter().filter(|moment| moment["kind"] == "state");
    let mut names: Vec<_> = states
        .filter(|state| state["to"] == "asking")
        .map(|state| state["name"].to_string())
        .collect();
    names.dedup();
    assert_eq!(names.len(), 2, "each by its own address: {names:?}");
    let sent = moments.iter().filter(|moment| moment["kind"] == "write");
    assert_eq!(
        sent.map(|write| number(write, "result")).sum::<u64>(),
        50 * 64
    );
    server.stop();
}

#[test]
fn without_being_asked_for_there_is_no_trace() {
    let folder = Written::new("empty");
    std::fs::create_dir(folder.path()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command
        .args(["serve", "echo=0", "-v"])
        .current_dir(folder.path());
    let mut server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
    server.connect("echo").shutdown(Shutdown::Write).unwrap();
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    assert_eq!(server.process.errors().lines().count(), 1, "the totals");
    // It fails if something is in it.
    std::fs::remove_dir(folder.path()).unwrap();
}

#[test]
fn a_trace_may_be_asked_for_by_the_environment() {
    let trace = Written::new("environment.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.args(["serve", "echo=0"]);
    command
        .env("EPOLLO_TRACE", trace.name())
        .env("EPOLLO_TRACE_PAYLOAD", "4");
    let server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
    let mut client = server.connect("echo");
    client.write_all(b"ping pong").unwrap();
    read_exactly(&mut client, 9);
    drop(client);
    server.stop();
    assert!(trace.text().contains(r#""result":9,"data":"ping"}"#));
}
