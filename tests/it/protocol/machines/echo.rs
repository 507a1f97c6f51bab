//! echo, server side: every byte back, whatever it is; a quit word; a print.

use epollo::protocol::CloseReason;
use epollo::protocol::echo::{Echo, Settings};

use super::{A_NANOSECOND, ALMOST_SILENCE};
use crate::protocol::script::Script;
use crate::support::Random;

fn echo(quit: Option<&str>, print: bool) -> Script<Echo> {
    Script::new(Echo::new(Settings {
        quit: quit.map(|word| word.as_bytes().to_vec()),
        print,
    }))
}

fn printed(script: &mut Script<Echo>) -> Vec<String> {
    let lines: Vec<String> = script.service.printed().collect();
    assert!(!script.service.has_printed());
    let label = "message from client : ";
    let text = |line: &String| line.strip_prefix(label).unwrap().to_owned();
    lines.iter().map(text).collect()
}

#[test]
fn every_byte_goes_back_and_the_end_after_the_last() {
    for (quit, print) in [
        (None, false),
        (Some("exit"), false),
        (None, true),
        (Some("exit"), true),
    ] {
        for read_bytes in [1, 7, usize::MAX] {
            let mut script = echo(quit, print).reading_at_most(read_bytes);
            let client = script.open(());
            let bytes = Random::new(3).bytes(3000);
            script.put(client, &bytes);
            script.put_end(client);
            script.settle();
            assert!(
                script.sent(client) == bytes,
                "{quit:?} {print} {read_bytes}"
            );
            assert!(script.has_end(client));
            assert_eq!(script.ending(client), Some(CloseReason::Finished));
        }
    }
}

#[test]
fn a_client_that_only_ends_gets_only_the_end() {
    let mut script = echo(None, false);
    let client = script.open(());
    script.nudge(client);
    assert!(!script.has_end(client));
    script.finish(client);
    assert_eq!(script.sent(client), b"");
    assert_eq!(script.ending(client), Some(CloseReason::Finished));
}

#[test]
fn a_stop_sends_the_end_behind_what_was_read() {
    for quit in [None, Some("exit")] {
        let mut script = echo(quit, false);
        let client = script.open(());
        script.put(client, "abc");
        script.receive();
        script.stop();
        assert_eq!(script.sent(client), b"abc");
        assert!(script.has_end(client));
        script.send(client, "late");
        script.nudge(client);
        assert_eq!(script.sent(client), b"", "what comes later is thrown away");
        script.finish(client);
        assert_eq!(script.ending(client), Some(CloseReason::Finished));
    }
}

#[test]
fn a_client_that_takes_nothing_is_not_read_for_ever() {
    let mut script = echo(None, false).reading_at_most(1000);
    let client = script.open(());
    script.block(client);
    script.send(client, vec![b'x'; 200_000]);
    assert!(script.unread(client) > 100_000);
    script.put_end(client);
    script.unblock(client);
    assert_eq!(script.sent(client).len(), 200_000);
    assert!(script.has_end(client));
}

#[test]
fn a_quit_word_ends_the_echo_as_a_whole_message_and_not_otherwise() {
    for (sent, answer) in [
        ("exit\n", Some("exit\n")),
        ("exit\r\n", Some("exit\r\n")),
        ("exit\0", Some("exit\0")),
        ("a\nexit\nmore", Some("a\nexit\n")),
        ("a\0exit\0more", Some("a\0exit\0")),
        ("\nexit\n", Some("\nexit\n")),
        ("exit now\n", None),
        ("exits\n", None),
        ("an exit\n", None),
        ("exi\n", None),
        ("Exit\n", None),
        ("exit\r\0", None),
        ("exit\r\r\n", None),
        ("\r\nexi", None),
        ("\n\n\0\0\n", None),
    ] {
        for read_bytes in [1, usize::MAX] {
            let mut script = echo(Some("exit"), false).reading_at_most(read_bytes);
            let client = script.open(());
            script.send(client, sent);
            assert_eq!(script.has_end(client), answer.is_some(), "{sent:?}");
            assert_eq!(script.shown(client), answer.unwrap_or(sent), "{sent:?}");
        }
    }
}

#[test]
fn a_quit_word_without_an_end_counts_after_a_silence() {
    let mut script = echo(Some("exit"), false);
    let client = script.open(());
    script.send_bytewise(client, "exit");
    script.advance(ALMOST_SILENCE);
    script.nudge(client);
    assert!(!script.has_end(client));
    script.advance(A_NANOSECOND);
    assert!(script.has_end(client));
    assert_eq!(script.sent(client), b"exit");
    script.send(client, "more");
    script.finish(client);
    assert_eq!(script.sent(client), b"", "it has left");
}

#[test]
fn a_quit_word_that_goes_on_before_the_silence_is_no_quit_word() {
    let mut script = echo(Some("exit"), false);
    let client = script.open(());
    script.send(client, "exit");
    script.advance(ALMOST_SILENCE);
    script.send(client, "ing");
    script.advance(10 * ALMOST_SILENCE);
    script.send(client, "\n");
    assert_eq!(script.sent(client), b"exiting\n");
    assert!(!script.has_end(client));
    script.send(client, "exit\n");
    assert!(script.has_end(client));
}

#[test]
fn a_silence_ends_the_message_before_the_quit_word() {
    let mut script = echo(Some("exit"), false);
    let client = script.open(());
    script.send(client, "hello");
    script.advance(2 * ALMOST_SILENCE);
    script.send(client, "exit");
    script.advance(2 * ALMOST_SILENCE);
    assert!(script.has_end(client));
}

#[test]
fn clients_have_each_their_own_message_at_hand() {
    let mut script = echo(Some("exit"), false);
    let (first, second) = (script.open(()), script.open(()));
    script.send(first, "ex");
    script.send(second, "it\n");
    script.send(first, "it\n");
    assert!(script.has_end(first));
    assert!(!script.has_end(second));
}

#[test]
fn what_is_printed_is_escaped_and_whole() {
    let mut script = echo(None, true);
    let client = script.open(());
    script.send(client, "안녕\n");
    assert_eq!(printed(&mut script), ["안녕"]);
    script.send(client, "a\r\n");
    script.send(client, "b\nc\n");
    script.send(client, "d\x1b[2J\0");
    assert_eq!(printed(&mut script), ["a", "b", "c", "d\\x1b[2J\\0"]);
    script.send(client, &"한".as_bytes()[..2]);
    assert!(!script.service.has_printed(), "half a character waits");
    script.send(client, &"한".as_bytes()[2..]);
    assert_eq!(printed(&mut script), ["한"]);
    script.send(client, &"한".as_bytes()[..1]);
    script.finish(client);
    assert_eq!(printed(&mut script), ["\\xed"]);
}

#[test]
fn nothing_is_printed_unasked() {
    let mut script = echo(Some("exit"), false);
    let client = script.open(());
    script.send(client, "a\nexit\n");
    assert!(!script.service.has_printed());
}
