//! echo, client side, in a pipe: when it leaves a server that does not do its part.

use epollo::protocol::echo::client::{END_TIME_MAX, Origin};

use super::A_NANOSECOND;
use super::echo_client::{PATIENCE, relay};
use crate::protocol::script::ROOM;

#[test]
fn what_comes_before_anything_was_sent_is_too_much() {
    let (mut script, console, remote) = relay();
    script.send(remote, "220 ready\n");
    assert!(script.has_stopped());
    let tally = script.service.tally();
    assert_eq!((tally.surplus, tally.lost), (10, 0));
    assert!(!tally.cut_short, "it was left, it did not leave");
    assert_eq!(script.shown(console), "");
}

#[test]
fn a_server_that_stays_open_is_left_when_everything_is_back() {
    let (mut script, console, remote) = relay();
    script.send(console, "abc");
    script.finish(console);
    script.send(remote, "abc");
    script.advance(END_TIME_MAX - A_NANOSECOND);
    assert!(!script.has_stopped(), "a byte too many may come");
    script.advance(A_NANOSECOND);
    assert!(script.has_stopped());
    assert!(script.service.tally().is_faithful());
}

#[test]
fn a_server_that_does_nothing_is_left_when_the_next_move_is_its_own() {
    let (mut script, console, remote) = relay();
    script.send(console, "abc");
    script.advance(3 * PATIENCE);
    assert!(!script.has_stopped(), "the input goes on");
    script.finish(console);
    for answer in ["a", "b"] {
        script.advance(PATIENCE - A_NANOSECOND);
        script.send(remote, answer);
    }
    script.advance(PATIENCE - A_NANOSECOND);
    assert!(!script.has_stopped(), "it was never silent for so long");
    script.advance(A_NANOSECOND);
    assert!(script.has_stopped());
    let tally = script.service.tally();
    assert!(tally.is_silent && !tally.is_faithful());
    assert_eq!((tally.sent, tally.lost), (3, 1));
}

#[test]
fn a_server_that_ends_with_bytes_on_their_way_is_left_at_once() {
    for is_input_over in [true, false] {
        let (mut script, console, remote) = relay();
        script.block(remote);
        script.send(console, vec![b'x'; ROOM + 1]);
        if is_input_over {
            script.finish(console);
        }
        script.finish(remote);
        assert!(script.has_stopped(), "nothing more can come back");
        let tally = script.service.tally();
        assert_eq!(tally.lost, ROOM as u64 + 1);
        assert!(!tally.is_silent && !tally.is_faithful());
        assert_eq!(tally.cut_short, !is_input_over);
    }
}

#[test]
fn a_server_that_takes_nothing_is_left_though_the_input_goes_on() {
    let (mut script, console, remote) = relay();
    script.block(remote);
    script.send(console, vec![b'x'; ROOM + 1]);
    script.advance(PATIENCE - A_NANOSECOND);
    assert!(!script.has_stopped());
    script.advance(A_NANOSECOND);
    assert!(script.has_stopped());
    assert_eq!(script.service.tally().lost, ROOM as u64 + 1);
}

#[test]
fn a_user_that_takes_nothing_is_no_silence_of_the_server() {
    let (mut script, console, remote) = relay();
    script.block(console);
    let bytes = vec![b'x'; 2 * ROOM];
    script.send(console, &bytes[..ROOM]);
    script.send(console, &bytes[ROOM..]);
    script.finish(console);
    script.send(remote, &bytes[..ROOM]);
    script.send(remote, &bytes[ROOM..ROOM + 1]);
    script.advance(3 * PATIENCE);
    assert!(!script.has_stopped());
    script.unblock(console);
    script.send(remote, &bytes[ROOM + 1..]);
    script.finish(remote);
    assert!(script.service.tally().is_faithful());
}

#[test]
fn an_interrupt_ends_the_copy_at_once_whoever_is_stuck() {
    let (mut script, console, remote) = relay();
    let signals = script.open(Origin::Interrupt);
    script.block(console);
    script.send(console, "abcdef");
    script.send(remote, "abc");
    script.send(signals, "X");
    assert!(script.has_stopped());
    assert!(script.ending(console).is_some() && script.ending(remote).is_some());
    let tally = script.service.tally();
    assert!(tally.is_interrupted && !tally.is_faithful());
    assert_eq!((tally.sent, tally.lost), (6, 3));
}
