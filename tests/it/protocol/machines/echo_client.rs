//! echo, client side: the copy for pipes that compares, and the dialogue for a terminal.

use std::time::Duration;

use epollo::protocol::CloseReason;
use epollo::protocol::PeerId;
use epollo::protocol::echo::client::{
    ANSWER_BYTES_MAX, Dialogue, LINE_BYTES_MAX, Origin, Relay, Tally,
};

use super::{A_NANOSECOND, ALMOST_SILENCE};
use crate::protocol::script::{ROOM, Script};

/// How long the server may do nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn relay() -> (Script<Relay>, PeerId, PeerId) {
    let mut script = Script::new(Relay::new(Some(PATIENCE)));
    let console = script.open(Origin::Console);
    let remote = script.open(Origin::Remote);
    (script, console, remote)
}

#[test]
fn a_faithful_copy() {
    let (mut script, console, remote) = relay();
    script.send(console, "abc");
    script.send(console, "\0\n");
    assert_eq!(script.sent(remote), b"abc\0\n");
    script.finish(console);
    assert!(
        script.has_end(remote),
        "the server learns that there is no more"
    );
    script.send_bytewise(remote, "abc\0\n");
    assert_eq!(script.sent(console), b"abc\0\n");
    assert!(!script.has_stopped());
    script.finish(remote);
    assert!(script.has_stopped());
    assert!(script.service.tally().is_faithful());
    assert_eq!(script.service.tally().sent, 5);
    assert_eq!(script.service.tally().received, 5);
}

#[test]
fn an_empty_input_is_faithful_too() {
    let (mut script, console, remote) = relay();
    script.finish(console);
    assert!(script.has_end(remote));
    script.finish(remote);
    assert!(script.has_stopped());
    assert_eq!(script.service.tally(), Tally::default());
}

#[test]
fn what_is_lost_changed_and_too_many_is_counted() {
    for (answer, shown, changed, surplus, lost) in [
        ("aXcY", "aXcY", 2, 0, 2),
        ("abcdefgh", "abcdef", 0, 2, 0),
        ("", "", 0, 0, 6),
        ("abcdeF", "abcdeF", 1, 0, 0),
    ] {
        let (mut script, console, remote) = relay();
        script.put(console, "abcdef");
        script.put_end(console);
        script.settle();
        script.put(remote, answer);
        script.put_end(remote);
        script.settle();
        let tally = script.service.tally();
        assert_eq!(
            (tally.changed, tally.surplus, tally.lost),
            (changed, surplus, lost)
        );
        assert_eq!(tally.received, answer.len() as u64);
        assert!(!tally.is_faithful() && !tally.cut_short);
        assert_eq!(script.shown(console), shown, "it is shown all the same");
    }
}

#[test]
fn a_server_that_ends_before_the_input_cuts_it_short() {
    let (mut script, console, remote) = relay();
    script.send(console, "abc");
    script.send(remote, "abc");
    script.finish(remote);
    assert!(script.has_stopped());
    assert!(script.service.tally().cut_short);
    assert!(!script.service.tally().is_faithful());
}

#[test]
fn a_user_that_takes_nothing_holds_up_the_server_and_gets_it_all() {
    let (mut script, console, remote) = relay();
    script.block(console);
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3 * ROOM).collect();
    script.send(console, &bytes);
    assert_eq!(script.sent(remote).len(), bytes.len());
    for piece in bytes.chunks(ROOM) {
        script.send(remote, piece);
    }
    script.put_end(remote);
    assert!(script.unread(remote) > 0);
    script.unblock(console);
    assert!(script.sent(console) == bytes);
    assert!(script.has_stopped());
    assert_eq!(script.service.tally().changed, 0);
}

#[test]
fn a_server_that_takes_nothing_holds_up_the_user_and_loses_nothing() {
    let (mut script, console, remote) = relay();
    script.block(remote);
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(5 * ROOM).collect();
    for piece in bytes.chunks(ROOM) {
        script.send(console, piece);
    }
    script.put_end(console);
    script.settle();
    assert_eq!(script.sent(remote).len(), ROOM);
    assert!(script.unread(console) > 0);
    for _ in 0..5 {
        script.unblock(remote);
        script.block(remote);
    }
    script.unblock(remote);
    assert!(script.has_end(remote));
    script.send(remote, &bytes);
    script.finish(remote);
    assert!(script.service.tally().is_faithful());
    assert!(script.sent(console) == bytes);
}

#[test]
fn the_end_of_the_input_waits_for_what_the_server_has_yet_to_take() {
    let (mut script, console, remote) = relay();
    script.block(remote);
    script.put(console, vec![b'x'; ROOM + 1000]);
    script.put_end(console);
    script.settle();
    assert_eq!(script.sent(remote).len(), ROOM);
    assert_eq!(script.unread(console), 0);
    assert!(!script.has_end(remote));
    script.unblock(remote);
    assert_eq!(script.sent(remote).len(), 1000);
    assert!(script.has_end(remote));
    script.reset(remote);
    script.settle();
    assert_eq!(script.service.tally().lost, ROOM as u64 + 1000);
}

#[test]
fn a_user_that_is_gone_ends_the_copy() {
    let (mut script, console, _) = relay();
    script.reset(console);
    script.settle();
    assert!(script.has_stopped());
    let ending = script.service.console_ending();
    assert!(matches!(ending, Some(CloseReason::Broken(_))));
}

const ASK: &str = "Exit(Q to quit) : ";

fn dialogue() -> (Script<Dialogue>, PeerId, PeerId) {
    let mut script = Script::new(Dialogue::new()).without_linger();
    let console = script.accept(Origin::Console);
    let remote = script.open(Origin::Remote);
    assert_eq!(script.shown(console), ASK);
    (script, console, remote)
}

#[test]
fn a_line_its_answer_and_the_next_line() {
    let (mut script, console, remote) = dialogue();
    script.send(console, "안녕\n");
    assert_eq!(script.shown(remote), "안녕\n");
    assert_eq!(script.shown(console), "", "no prompt before the answer");
    script.send_bytewise(remote, "안녕\n");
    assert_eq!(
        script.shown(console),
        format!("Message from server : 안녕\n{ASK}")
    );
    script.send(console, "\n");
    script.send(remote, "\n");
    assert_eq!(
        script.shown(console),
        format!("Message from server : \n{ASK}")
    );
    for word in ["Q\n", "q\n"] {
        let (mut script, console, remote) = dialogue();
        script.send(console, word);
        assert_eq!(script.shown(remote), "", "it is for us");
        assert!(script.has_end(remote));
        assert!(script.has_stopped());
        assert_eq!(script.service.ended_by_server(), None);
    }
}

#[test]
fn the_end_of_the_input_leaves_too() {
    let (mut script, console, remote) = dialogue();
    script.finish(console);
    assert!(script.has_end(remote) && script.has_stopped());
    assert_eq!(
        script.shown(console),
        "\n",
        "the cursor is left on a new line"
    );
    assert_eq!(script.service.ended_by_server(), None);
}

#[test]
fn lines_typed_ahead_wait_for_the_answers() {
    let (mut script, console, remote) = dialogue();
    script.put(console, "one\ntwo\nthree");
    script.put_end(console);
    script.settle();
    for line in ["one\n", "two\n", "three\n"] {
        assert_eq!(script.shown(remote), line);
        script.send(remote, line);
    }
    assert!(script.has_end(remote));
    let shown = script.shown(console);
    assert_eq!(
        shown.matches("Message from server : ").count(),
        3,
        "{shown}"
    );
}

#[test]
fn nothing_typed_is_read_before_the_answer() {
    let (mut script, console, remote) = dialogue();
    script.send(console, "one\n");
    script.send(console, "two\n");
    assert_eq!(script.unread(console), 4);
    assert_eq!(script.shown(remote), "one\n");
    script.send(remote, "one\n");
    assert_eq!(script.unread(console), 0);
    assert_eq!(script.shown(remote), "two\n");
}

#[test]
fn an_answer_that_is_shorter_ends_with_a_silence() {
    let (mut script, console, remote) = dialogue();
    script.send(console, "hello\n");
    script.send(remote, "hello");
    script.advance(ALMOST_SILENCE);
    assert_eq!(script.shown(console), "");
    script.advance(A_NANOSECOND);
    assert_eq!(
        script.shown(console),
        format!("Message from server : hello\n{ASK}")
    );
    script.send(remote, "late\x1b");
    script.advance(Duration::from_secs(1));
    let late = format!("\nMessage from server : late\\x1b\n{ASK}");
    assert_eq!(
        script.shown(console),
        late,
        "below the prompt, which comes again"
    );
    script.nudge(console);
    script.nudge(remote);
    assert_eq!(script.shown(console), "");
}

#[test]
fn a_server_that_ends_is_told_apart_from_a_user_who_left() {
    let (mut script, console, remote) = dialogue();
    script.send(console, "hello\n");
    script.put(remote, "bye");
    script.put_end(remote);
    script.settle();
    assert!(script.has_stopped());
    assert_eq!(
        script.service.ended_by_server(),
        Some(CloseReason::Finished)
    );
    let shown = script.shown(console);
    assert!(
        shown.starts_with("Message from server : bye\n"),
        "{shown:?}"
    );
    let (mut script, console, remote) = dialogue();
    script.reset(remote);
    script.settle();
    assert!(script.has_stopped());
    assert_eq!(script.shown(console), "\n");
    let ending = script.service.ended_by_server();
    assert!(matches!(ending, Some(CloseReason::Broken(_))));
}

#[test]
fn a_line_at_the_limit_goes_at_once_and_a_longer_one_in_pieces() {
    let (mut script, console, remote) = dialogue();
    let line = "x".repeat(LINE_BYTES_MAX);
    script.send(console, format!("{line}\n"));
    assert_eq!(script.shown(remote), format!("{line}\n"));
    script.send(remote, format!("{line}\n"));
    script.send(console, format!("{line}y\n"));
    assert_eq!(script.shown(remote), format!("{line}\n"));
    script.send(remote, format!("{line}\n"));
    assert_eq!(script.shown(remote), "y\n");
}

#[test]
fn an_answer_without_measure_is_shown_in_pieces() {
    let (mut script, console, remote) = dialogue();
    script.send(console, "hello\n");
    script.send(remote, vec![b'x'; 2 * ANSWER_BYTES_MAX]);
    script.advance(Duration::from_secs(1));
    let shown = script.shown(console);
    assert_eq!(shown.matches('x').count(), 2 * ANSWER_BYTES_MAX);
    assert_eq!(script.unread(remote), 0);
}

#[test]
fn an_answer_is_not_shown_before_its_last_character_is_there() {
    let (mut script, console, remote) = dialogue();
    script.send(console, "한\n");
    script.send_bytewise(remote, "더한국");
    let shown = script.shown(console);
    let late = format!("Message from server : 더한\n{ASK}");
    assert_eq!(shown, late, "as soon as it is there");
    script.advance(ALMOST_SILENCE + A_NANOSECOND);
    let late = format!("\nMessage from server : 국\n{ASK}");
    assert_eq!(script.shown(console), late);

    let (mut script, console, remote) = dialogue();
    script.send(console, "hello\n");
    let long = "한".repeat(ANSWER_BYTES_MAX);
    script.send(remote, &long);
    script.advance(Duration::from_secs(1));
    let shown = script.shown(console);
    assert_eq!(shown.matches('한').count(), ANSWER_BYTES_MAX);
}

#[test]
fn a_user_that_is_gone_ends_the_dialogue() {
    let (mut script, console, remote) = dialogue();
    script.reset(console);
    script.settle();
    assert!(script.has_stopped() && script.has_end(remote));
}
