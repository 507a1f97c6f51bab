//! hello: a greeting and an end, and the client that collects it.

use epollo::protocol::CloseReason;
use epollo::protocol::hello::{GREETING_BYTES_MAX, Hello, HelloClient};

use super::{A_NANOSECOND, A_SECOND};
use crate::protocol::script::Script;

#[test]
fn a_greeting_is_followed_by_the_end() {
    let mut script = Script::new(Hello::new(b"Hello World!\0".to_vec()));
    let client = script.open(());
    assert_eq!(script.sent(client), b"Hello World!\0");
    assert!(script.has_end(client));
    script.send(client, "unasked");
    script.nudge(client);
    assert_eq!(script.unread(client), 0, "it is thrown away");
    assert_eq!(script.sent(client), b"");
    assert_eq!(
        script.ending(client),
        None,
        "it lingers until the client is done"
    );
    script.finish(client);
    assert_eq!(script.ending(client), Some(CloseReason::Finished));
}

#[test]
fn clients_greeted_before_the_stop_keep_their_greeting() {
    let mut script = Script::new(Hello::new(b"hi".to_vec())).without_linger();
    let clients = [script.accept(()), script.accept(())];
    script.stop();
    for client in clients {
        assert_eq!(script.sent(client), b"hi");
        assert_eq!(script.ending(client), Some(CloseReason::Finished));
    }
}

/// What the client makes of a server that sends these bytes, one at a time, and ends.
fn collected(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut script = Script::new(HelloClient::default());
    let server = script.open(());
    script.send_bytewise(server, bytes);
    script.finish(server);
    assert!(script.has_stopped(), "the run ends with the connection");
    assert_eq!(script.service.ending(), Some(CloseReason::Finished));
    assert_eq!(script.sent(server), b"", "a hello client says nothing");
    script.service.greeting().map(<[u8]>::to_vec)
}

#[test]
fn a_greeting_goes_up_to_the_nul_without_its_line_end() {
    for (bytes, greeting) in [
        (&b"Hello World!\0"[..], Some(&b"Hello World!"[..])),
        (b"Hello World~\n", Some(b"Hello World~")),
        (b"Hello\r\n\0garbage\n", Some(b"Hello")),
        (b"Hello", Some(b"Hello")),
        (b"\0", Some(b"")),
        (b"", None),
    ] {
        assert_eq!(collected(bytes).as_deref(), greeting, "{bytes:?}");
    }
}

#[test]
fn a_nul_ends_the_greeting_at_once() {
    let mut script = Script::new(HelloClient::default());
    let server = script.open(());
    script.send(server, "Hello");
    assert!(!script.has_end(server));
    script.send(server, "\0");
    assert!(script.has_end(server));
    script.send(server, "more");
    script.nudge(server);
    assert_eq!(script.service.greeting(), Some(&b"Hello"[..]));
}

#[test]
fn a_greeting_without_an_end_ends_with_a_second_of_silence() {
    let mut script = Script::new(HelloClient::default()).without_linger();
    let server = script.open(());
    script.advance(10 * A_SECOND);
    script.nudge(server);
    assert!(
        !script.has_end(server),
        "before it begins it may take its time"
    );
    script.send(server, "Hel");
    script.advance(A_SECOND - A_NANOSECOND);
    script.send(server, "lo");
    script.advance(A_SECOND - A_NANOSECOND);
    assert!(!script.has_end(server));
    script.advance(A_NANOSECOND);
    assert!(script.has_stopped());
    assert_eq!(script.service.greeting(), Some(&b"Hello"[..]));
}

#[test]
fn being_woken_for_no_reason_does_not_end_a_greeting() {
    let mut script = Script::new(HelloClient::default());
    let server = script.open(());
    script.send(server, "Hel");
    script.nudge(server);
    script.send(server, "lo\0");
    assert_eq!(script.service.greeting(), Some(&b"Hello"[..]));
}

#[test]
fn a_greeting_that_never_ends_is_read_to_a_limit() {
    let mut script = Script::new(HelloClient::default());
    let server = script.open(());
    script.send(server, vec![b'x'; GREETING_BYTES_MAX - 1]);
    assert!(!script.has_end(server));
    script.send(server, "yz");
    assert!(script.has_end(server));
    let greeting = script.service.greeting().unwrap();
    assert_eq!(greeting.len(), GREETING_BYTES_MAX);
    assert!(greeting.ends_with(b"xy"));
}

#[test]
fn a_stop_or_a_reset_ends_the_client() {
    for sends_something in [false, true] {
        let mut script = Script::new(HelloClient::default()).without_linger();
        let server = script.open(());
        if sends_something {
            script.send(server, "He");
        }
        script.stop();
        assert_eq!(script.ending(server), Some(CloseReason::Finished));
    }
    let mut script = Script::new(HelloClient::default());
    let server = script.open(());
    script.reset(server);
    script.settle();
    assert!(script.has_stopped());
    assert!(matches!(
        script.service.ending(),
        Some(CloseReason::Broken(_))
    ));
    assert_eq!(script.service.greeting(), None);
}
