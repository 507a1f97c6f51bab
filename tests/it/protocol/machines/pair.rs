//! Two remotes talk with each other: turns, arrivals and leavings.

use epollo::protocol::chat::{Chat, Origin, Partner, Settings};
use epollo::protocol::framing::{Framing, PADDED_BYTES};
use epollo::protocol::{CloseReason, PeerId};

use super::{A_NANOSECOND, A_SECOND, chat, settings};
use crate::protocol::script::{ROOM, Script};

fn pair() -> (Script<Chat>, PeerId, PeerId) {
    let mut script = chat(Partner::Pair, Framing::Line);
    let first = script.open(Origin::Remote);
    let second = script.open(Origin::Remote);
    (script, first, second)
}

#[test]
fn a_pair_alternates_and_what_is_out_of_turn_waits_unread() {
    for read_bytes in [1, 2, 7, usize::MAX] {
        let mut script = chat(Partner::Pair, Framing::Line).reading_at_most(read_bytes);
        let first = script.open(Origin::Remote);
        script.send(first, "a1");
        assert_eq!(script.unread(first), 2, "in the lobby nobody is read");
        let second = script.open(Origin::Remote);
        assert_eq!(script.unread(first), 0, "the first speaks first");
        script.send(second, "b1\nb2\nb3\n");
        assert_eq!(script.unread(second), 9);
        assert_eq!(script.sent(first), b"");
        script.send(first, "\n");
        assert_eq!(script.shown(second), "a1\n");
        assert_eq!(script.shown(first), "b1\n");
        script.send(first, "a2\na3\na4\n");
        assert_eq!(script.shown(second), "a2\na3\na4\n");
        assert_eq!(script.shown(first), "b2\nb3\n");
        script.send(first, "a5\n");
        assert_eq!(script.sent(second), b"", "it is the second's turn");
        script.send(second, "b4\n");
        assert_eq!(script.shown(second), "a5\n");
        assert_eq!(script.shown(first), "b4\n");
    }
}

#[test]
fn waiting_for_the_partner_costs_no_deadline() {
    let (mut script, first, second) = pair();
    script.send(second, "b1\nb2");
    script.advance(100 * A_SECOND);
    script.send(first, "a1\n");
    assert_eq!(script.shown(first), "b1\n");
    script.advance(100 * A_SECOND);
    assert_eq!(
        script.refusal(second),
        None,
        "out of turn its time stands still"
    );
    script.send(first, "a2\n");
    script.advance(A_SECOND / 2);
    script.send(second, "!\n");
    assert_eq!(script.shown(first), "b2!\n");
    script.send(first, "a3\n");
    script.send(second, "b3");
    script.advance(A_SECOND);
    assert_eq!(
        script.refusal(second),
        Some("message took too long"),
        "in its turn it runs"
    );
    assert_eq!(script.refusal(first), None);
    assert!(script.has_end(first), "its partner is gone");
}

#[test]
fn the_lobby_keeps_the_order_of_arrival() {
    let mut script = chat(Partner::Pair, Framing::Line);
    let remotes: Vec<PeerId> = (0..5).map(|_| script.open(Origin::Remote)).collect();
    for two in remotes.chunks_exact(2) {
        script.send(two[0], format!("to {}\n", two[1]));
        assert_eq!(script.shown(two[1]), format!("to {}\n", two[1]));
    }
    script.send(remotes[4], "hello?\n");
    assert_eq!(script.unread(remotes[4]), 7, "the fifth waits");
    script.nudge(remotes[4]);
    assert!(!script.has_end(remotes[4]));
    let sixth = script.open(Origin::Remote);
    assert_eq!(script.shown(sixth), "hello?\n");
}

#[test]
fn whoever_leaves_the_lobby_is_matched_with_nobody() {
    for resets in [false, true] {
        let mut script = chat(Partner::Pair, Framing::Line);
        let ghost = script.open(Origin::Remote);
        if resets {
            script.reset(ghost);
            script.settle();
        } else {
            script.finish(ghost);
            assert_eq!(script.ending(ghost), Some(CloseReason::Finished));
        }
        let first = script.open(Origin::Remote);
        let second = script.open(Origin::Remote);
        script.send(first, "hi\n");
        assert_eq!(script.shown(second), "hi\n");
        assert!(!script.has_end(first) && !script.has_end(second));
        assert_eq!(script.sent(ghost), b"");
    }
}

#[test]
fn a_stop_ends_the_lobby_without_a_word() {
    let mut script = chat(Partner::Pair, Framing::Line);
    let first = script.open(Origin::Remote);
    script.stop();
    assert_eq!(script.sent(first), b"");
    assert!(script.has_end(first));
}

#[test]
fn what_was_said_before_the_end_is_heard_before_the_end() {
    let mut script = chat(Partner::Pair, Framing::Line);
    let first = script.open(Origin::Remote);
    script.send(first, "last words");
    script.finish(first);
    assert!(!script.has_end(first), "its words wait for a partner");
    let second = script.open(Origin::Remote);
    assert_eq!(script.shown(second), "last words\n");
    assert!(script.has_end(first) && script.has_end(second));
    script.finish(second);
    assert_eq!(script.ending(first), Some(CloseReason::Finished));
    assert_eq!(script.ending(second), Some(CloseReason::Finished));
}

#[test]
fn an_end_out_of_turn_ends_the_talk_once_its_words_are_said() {
    let (mut script, first, second) = pair();
    script.put(second, "b1\nb2\n");
    script.put_end(second);
    script.settle();
    assert!(!script.has_end(second), "b1 and b2 are still to be said");
    script.send(first, "a1\n");
    assert_eq!(script.shown(first), "b1\n");
    assert!(!script.has_end(first));
    script.send(first, "a2\n");
    assert_eq!(script.shown(first), "b2\n");
    assert!(script.has_end(first) && script.has_end(second));
    let (mut script, first, second) = pair();
    script.finish(second);
    assert!(script.has_end(first), "with nothing to say it ends at once");
    assert_eq!(script.sent(first), b"");
}

/// How one partner may end a talk.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Quit,
    End,
    Reset,
    TooLong,
}

#[test]
fn when_one_leaves_the_other_is_ended() {
    for first_ends in [true, false] {
        for ending in [Ending::Quit, Ending::End, Ending::Reset, Ending::TooLong] {
            let (mut script, first, second) = pair();
            let (one, other) = if first_ends {
                (first, second)
            } else {
                script.send(first, "a1\n");
                script.sent(second);
                (second, first)
            };
            let last = match ending {
                Ending::Quit => {
                    script.send(one, "QUIT\n");
                    "QUIT\n"
                }
                Ending::End => {
                    script.finish(one);
                    ""
                }
                Ending::Reset => {
                    script.reset(one);
                    script.settle();
                    ""
                }
                Ending::TooLong => {
                    script.send(one, [b'x'; 12]);
                    assert_eq!(script.shown(one), "", "nothing but each other's messages");
                    ""
                }
            };
            assert_eq!(script.shown(other), last, "{ending:?}");
            assert!(script.has_end(other), "{ending:?}");
            assert_eq!(script.refusal(other), None, "{ending:?}");
            script.send(other, "still there?\n");
            script.nudge(other);
            script.finish(other);
            assert_eq!(script.ending(other), Some(CloseReason::Finished));
            assert_eq!(script.sent(one), b"");
        }
    }
}

#[test]
fn a_listener_gets_its_own_framing_or_until_it_is_known_the_speakers() {
    let mut script = chat(Partner::Pair, Framing::Auto);
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(first, "line\r\n");
    assert_eq!(script.shown(second), "line\n");
    script.send(second, "nul\0");
    script.advance(A_SECOND / 2);
    assert_eq!(script.shown(first), "nul\n");
    script.send(first, "again\n");
    assert_eq!(script.shown(second), "again\0");
    let mut frame = b"padded\0".to_vec();
    frame.resize(PADDED_BYTES, b'\n');
    let mut script = chat(Partner::Pair, Framing::Auto);
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    for piece in frame.chunks(100) {
        script.send(first, piece);
    }
    assert_eq!(script.sent(second), b"");
    script.advance(A_SECOND / 2);
    let heard = script.sent(second);
    assert_eq!(heard.len(), PADDED_BYTES);
    assert!(
        heard.starts_with(b"padded\0") && !heard.contains(&b'\n'),
        "no garbage goes on"
    );
}

#[test]
fn a_stop_tells_a_pair_nothing() {
    let (mut script, first, second) = pair();
    script.send(first, "a1\n");
    script.sent(second);
    script.stop();
    for remote in [first, second] {
        assert_eq!(script.sent(remote), b"");
        assert!(script.has_end(remote));
    }
}

#[test]
fn a_stop_sends_what_was_read_for_a_partner() {
    let (mut script, first, second) = pair();
    script.put(first, "a1\n");
    script.receive();
    assert_eq!(script.unread(first), 0);
    script.stop();
    assert_eq!(script.shown(second), "a1\n");
}

#[test]
fn whoever_is_matched_with_one_that_resets_in_the_same_turn_is_ended() {
    let mut script = chat(Partner::Pair, Framing::Line);
    let first = script.open(Origin::Remote);
    let second = script.accept(Origin::Remote);
    script.reset(first);
    script.settle();
    assert!(script.has_end(second), "its partner is gone");
}

#[test]
fn a_reset_right_after_the_match_leaves_the_lobby_alone() {
    let mut script = chat(Partner::Pair, Framing::Line);
    let first = script.open(Origin::Remote);
    script.accept(Origin::Remote);
    let third = script.accept(Origin::Remote);
    script.reset(first);
    script.settle();
    let fourth = script.open(Origin::Remote);
    script.send(third, "hi\n");
    assert_eq!(script.shown(fourth), "hi\n");
}

#[test]
fn a_console_for_other_things_takes_no_part_in_a_pair() {
    let mut script = chat(Partner::Pair, Framing::Line);
    let console = script.open(Origin::Console);
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(first, "a1\n");
    script.send(second, "QUIT\n");
    assert_eq!(script.shown(second), "a1\n");
    assert_eq!(script.shown(first), "QUIT\n");
    assert_eq!(script.shown(console), "");
}

#[test]
fn a_console_for_other_things_ends_no_talk_before_its_last_words() {
    let mut script = chat(Partner::Pair, Framing::Line);
    script.open(Origin::Console);
    let remotes: Vec<PeerId> = (0..4).map(|_| script.open(Origin::Remote)).collect();
    script.put_end(remotes[0]);
    script.put(remotes[2], "QUIT\n");
    script.settle();
    assert_eq!(script.shown(remotes[3]), "QUIT\n");
}

#[test]
fn a_remote_who_takes_nothing_says_nothing_so_that_no_more_than_an_outbox_waits_for_it() {
    let longest = 4_096;
    let settings = Settings {
        message_bytes_max: longest,
        ..settings(Partner::Pair)
    };
    let mut script = Script::new(Chat::new(settings));
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.block(second);
    script.put(second, "\n".repeat(longest));
    let message = [&[b'a'; 4_000][..], b"\n"].concat();
    for _ in 0..100 {
        script.send(first, &message);
    }
    let waiting = script.sent(second).len();
    assert!(waiting <= ROOM + message.len(), "{waiting} bytes");
    assert!(waiting >= ROOM, "{waiting} bytes: it stopped too early");
    script.advance(2 * A_SECOND);
    assert_eq!(script.refusal(second), None);

    script.unblock(second);
    assert_eq!(script.unread(first), 0, "they talk on");
    assert_eq!(script.sent(second).len(), 100 * message.len() - waiting);
    assert_eq!(script.shown(first), "\n".repeat(100));
}

/// Remotes whose first turn lasts a second at the most.
fn timed(count: usize) -> (Script<Chat>, Vec<PeerId>) {
    let mut script = Script::new(Chat::new(Settings {
        turn_time_max: Some(A_SECOND),
        ..settings(Partner::Pair)
    }));
    let remotes = (0..count).map(|_| script.open(Origin::Remote)).collect();
    (script, remotes)
}

#[test]
fn who_does_not_take_the_first_turn_goes_behind_all_that_wait() {
    let (mut script, remotes) = timed(3);
    script.put(remotes[1], "b1\n");
    script.advance(A_SECOND - A_NANOSECOND);
    assert_eq!(script.unread(remotes[1]), 3, "the first has its time");
    script.advance(A_NANOSECOND);
    assert_eq!(script.shown(remotes[2]), "b1\n");
    script.send(remotes[2], "c1\n");
    assert_eq!(script.shown(remotes[1]), "c1\n");
    script.send(remotes[0], "a1\n");
    assert_eq!(script.unread(remotes[0]), 3, "it waits for a partner");
    let fourth = script.open(Origin::Remote);
    assert_eq!(script.shown(fourth), "a1\n", "and speaks first again");
    // Only the first turn has such a time.
    script.advance(100 * A_SECOND);
    script.send(remotes[1], "b2\n");
    assert_eq!(script.shown(remotes[2]), "b2\n");
    assert_eq!(script.refusal(remotes[0]), None);
}

#[test]
fn two_that_are_alone_take_the_first_turn_by_turns() {
    let (mut script, remotes) = timed(2);
    for number in 0..5 {
        let (first, second) = (remotes[number % 2], remotes[1 - number % 2]);
        assert!(
            script.read_limit(first) > 0 && script.read_limit(second) == 0,
            "{number}"
        );
        script.advance(A_SECOND);
    }
    script.finish(remotes[0]);
    assert!(script.has_end(remotes[1]), "its partner is gone");
}

#[test]
fn a_first_message_that_has_begun_may_be_ended() {
    let (mut script, remotes) = timed(2);
    script.advance(A_SECOND / 2);
    script.send(remotes[0], "a");
    script.advance(A_SECOND - A_NANOSECOND);
    script.send(remotes[0], "1\n");
    assert_eq!(script.shown(remotes[1]), "a1\n");
}

#[test]
fn whoever_leaves_while_it_is_matched_anew_is_missed_by_its_new_partner() {
    for leaver in 0..2 {
        let (mut script, remotes) = timed(3);
        script.advance(A_SECOND);
        script.reset(remotes[1 + leaver]);
        script.settle();
        assert!(script.has_end(remotes[2 - leaver]), "{leaver}");
        let late = script.open(Origin::Remote);
        script.send(remotes[0], "hi\n");
        assert_eq!(script.shown(late), "hi\n");
    }
}
