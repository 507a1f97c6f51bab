//! What is told of a peer that is not read though it has sent something: why its bytes wait.

use std::io::Write;
use std::net::Shutdown;

use super::files::Written;
use super::{ASLEEP, ASLEEP_FOR_A_WHILE, assert_told, until};
use crate::kernel::facts::endings::reset;
use crate::support::{Server, eventually};

const MIB: usize = 1024 * 1024;

#[test]
fn one_read_that_back_pressure_holds_back_as_text() {
    let mut server = Server::start(&["echo=0", "--trace", "-"]);
    until(&mut server, ASLEEP, &[]);
    let client = server.connect("echo");
    let mut writer = client.try_clone().unwrap();
    // It ends when the connection does.
    let flood = std::thread::spawn(move || while writer.write_all(&[b'x'; MIB]).is_ok() {});
    let line = until(&mut server, " hold ", &[&client]).pop().unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let [
        "A",
        "hold",
        "not",
        "read:",
        count,
        "KiB",
        "wait",
        "in",
        "its",
        "outbox",
    ] = words[..]
    else {
        panic!("{line}");
    };
    let count: usize = count.parse().unwrap();
    assert!(
        (33..=96).contains(&count),
        "what an outbox may hold: {count}"
    );
    client.shutdown(Shutdown::Both).unwrap();
    flood.join().unwrap();
    server.stop();
}

#[test]
fn what_back_pressure_holds_back_is_told_with_its_bytes() {
    let trace = Written::new("holds.jsonl");
    let server = Server::start(&["echo=0", "--trace", trace.name()]);
    let client = server.connect("echo");
    client.set_nonblocking(true).unwrap();
    let mut held = None;
    eventually("a read is held back", || {
        while (&client).write(&[b'x'; 65_536]).is_ok() {}
        let objects = trace.text();
        let whole = &objects[..objects.rfind('\n').map_or(0, |end| end + 1)];
        held = super::files::objects(whole)
            .into_iter()
            .find(|object| object["kind"] == "hold");
        held.is_some()
    });
    let held = held.unwrap();
    assert_eq!(held["why"], "outbox", "{held}");
    assert!(held["unsent"].as_u64().unwrap() > 32 * 1024, "{held}");
    assert_eq!(held["name"], client.local_addr().unwrap().to_string());
    drop(client);
    server.stop();
}

#[test]
fn one_message_out_of_turn_as_text() {
    let mut server = Server::start(&["chat=0", "--framing", "line", "--trace", "-"]);
    until(&mut server, ASLEEP, &[]);
    let mut client = server.connect("chat");
    until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    client.write_all(b"hi\n").unwrap();
    until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    client.write_all(b"and another\n").unwrap();
    let told = until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    assert_told(&told, "One message out of turn", 0);
    server.process.end_input();
    server.stop();
}

#[test]
fn the_question_by_which_error_a_connection_has_ended_is_shown_with_its_answer() {
    let mut server = Server::start(&["chat=0", "--framing", "line", "--trace", "-"]);
    until(&mut server, ASLEEP, &[]);
    let mut client = server.connect("chat");
    until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    client.write_all(b"hi\n").unwrap();
    until(&mut server, ASLEEP_FOR_A_WHILE, &[&client]);
    let name = client.local_addr().unwrap().to_string();
    reset(client);
    let mut shown = until(&mut server, " close ", &[]);
    shown.retain(|line| line.starts_with(&name));
    let asked = format!("{name} error getsockopt SO_ERROR = ECONNRESET: connection reset by peer");
    assert!(shown.contains(&asked), "{shown:#?}");
    let ready = format!("{name} ready IN|RDHUP|HUP|ERR");
    assert_eq!(shown[0], ready);
    server.process.end_input();
    server.stop();
}
