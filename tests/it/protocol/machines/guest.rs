//! A guest alone with the parrot: framing, limits, deadlines and endings, one row of its table after
//! the other, and one in a pair that is too slow. The other rows of a talk are in `pair` and `console`.

use epollo::protocol::chat::{Chat, Origin, Partner, Settings};
use epollo::protocol::framing::{Framing, PADDED_BYTES};
use epollo::protocol::{CloseReason, PeerId};

use super::{A_NANOSECOND, A_SECOND, ALMOST_SILENCE, chat, settings};
use crate::protocol::script::Script;

/// A buffer of the course programs: text, NUL, and what happened to be behind it.
fn buffer(text: &str, garbage: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes.resize(PADDED_BYTES, garbage);
    bytes
}

fn parrot(framing: Framing) -> (Script<Chat>, PeerId) {
    let mut script = chat(Partner::Parrot, framing);
    let guest = script.open(Origin::Remote);
    (script, guest)
}

#[test]
fn a_parrot_repeats_every_message() {
    for read_bytes in [1, 3, usize::MAX] {
        let mut script = chat(Partner::Parrot, Framing::Line).reading_at_most(read_bytes);
        let guest = script.open(Origin::Remote);
        script.send(guest, "a\n\r\n안녕\r\n\nb");
        assert_eq!(script.shown(guest), "a\n\n안녕\n\n");
        script.finish(guest);
        assert_eq!(script.shown(guest), "b\n", "the end completes the last");
        assert!(script.has_end(guest));
        assert_eq!(script.ending(guest), Some(CloseReason::Finished));
    }
}

#[test]
fn a_parrot_answers_in_the_framing_of_its_guest() {
    for (sent, answer) in [
        (b"hi\r\n".to_vec(), b"hi\n".to_vec()),
        (b"hi\0".to_vec(), b"hi\0".to_vec()),
        (buffer("hi", b'\n'), buffer("hi", 0)),
        (b"hi".to_vec(), b"hi".to_vec()),
    ] {
        let (mut script, guest) = parrot(Framing::Auto);
        script.send(guest, &sent);
        if !sent.contains(&b'\n') || sent.len() == PADDED_BYTES {
            script.advance(ALMOST_SILENCE);
            assert_eq!(script.sent(guest), b"", "a silence decides");
            script.advance(A_NANOSECOND);
        }
        assert_eq!(script.sent(guest), answer);
    }
}

#[test]
fn a_chunk_is_what_came_before_a_silence() {
    let (mut script, guest) = parrot(Framing::Chunk);
    for byte in ["a", "\n", "b"] {
        script.send(guest, byte);
        script.advance(ALMOST_SILENCE);
        script.nudge(guest);
    }
    assert_eq!(script.sent(guest), b"");
    script.advance(A_NANOSECOND);
    assert_eq!(script.sent(guest), b"a\nb");
    script.send(guest, "QUIT\n");
    script.advance(A_SECOND);
    assert_eq!(script.sent(guest), b"QUIT\n");
    assert!(script.has_end(guest));
}

#[test]
fn the_quit_word_ends_the_talk_and_nothing_after_it_is_heard() {
    for (sent, quits) in [
        ("QUIT\nmore\n", true),
        ("QUIT\r\n", true),
        ("QUIT \n", false),
        ("quit\n", false),
        ("QUITS\n", false),
        ("a QUIT\n", false),
    ] {
        let (mut script, guest) = parrot(Framing::Line);
        script.send(guest, sent);
        assert_eq!(script.has_end(guest), quits, "{sent:?}");
        if quits {
            assert_eq!(script.shown(guest), "QUIT\n");
            script.send(guest, "and more\n");
            script.nudge(guest);
            script.advance(10 * A_SECOND);
            script.stop();
            assert_eq!(script.shown(guest), "");
            assert_eq!(script.refusal(guest), None);
        }
    }
    for word in ["QUIT\0", "QUIT\n\0"] {
        let (mut script, guest) = parrot(Framing::Nul);
        script.send(guest, word);
        assert!(script.has_end(guest), "{word:?}");
    }
}

#[test]
fn a_message_at_the_limit_passes_and_one_byte_more_is_refused() {
    for (framing, end) in [
        (Framing::Line, "\n"),
        (Framing::Nul, "\0"),
        (Framing::Chunk, ""),
    ] {
        for (text, refusal) in [
            ("0123456789", None),
            ("0123456789a", Some("message too long")),
        ] {
            for read_bytes in [1, usize::MAX] {
                let mut script = chat(Partner::Parrot, framing).reading_at_most(read_bytes);
                let guest = script.open(Origin::Remote);
                script.send(guest, format!("{text}{end}"));
                script.advance(A_SECOND / 2);
                assert_eq!(script.refusal(guest), refusal, "{framing} {text}");
                assert_eq!(script.has_end(guest), refusal.is_some());
                let answer = refusal.unwrap_or(text);
                assert_eq!(script.shown(guest), format!("{answer}{end}"));
            }
        }
    }
}

#[test]
fn a_message_without_an_end_is_refused_before_its_end() {
    let (mut script, guest) = parrot(Framing::Line);
    script.send(guest, "ok\n");
    script.send(guest, [b'x'; 100]);
    assert_eq!(script.refusal(guest), Some("message too long"));
    assert_eq!(script.shown(guest), "ok\nmessage too long\n");
    assert_eq!(script.unread(guest), 0, "the rest is thrown away");
    script.finish(guest);
    assert_eq!(script.ending(guest), Some(CloseReason::Finished));
}

#[test]
fn a_dribbler_has_so_long_for_a_message_however_it_dribbles() {
    for framing in [
        Framing::Line,
        Framing::Nul,
        Framing::Padded(40),
        Framing::Chunk,
        Framing::Auto,
    ] {
        let mut script = Script::new(Chat::new(Settings {
            framing,
            message_bytes_max: 100,
            ..settings(Partner::Parrot)
        }));
        let guest = script.open(Origin::Remote);
        script.advance(100 * A_SECOND);
        for _ in 0..25 {
            script.send(guest, "x");
            script.advance(A_SECOND / 25 - A_NANOSECOND);
        }
        script.advance(24 * A_NANOSECOND);
        assert_eq!(script.refusal(guest), None, "{framing}");
        script.advance(A_NANOSECOND);
        assert_eq!(
            script.refusal(guest),
            Some("message took too long"),
            "{framing}"
        );
        assert!(script.has_end(guest));
        let words = String::from_utf8(script.sent(guest)).unwrap();
        assert!(
            words.starts_with("message took too long"),
            "{framing}: {words}"
        );
    }
}

#[test]
fn a_message_that_is_whole_at_the_last_moment_passes_and_the_next_has_its_own_time() {
    let (mut script, guest) = parrot(Framing::Line);
    for _ in 0..3 {
        script.send(guest, "x");
        script.advance(A_SECOND - A_NANOSECOND);
        script.send(guest, "\ny");
        assert_eq!(script.shown(guest).lines().count(), 1);
        script.advance(A_SECOND - A_NANOSECOND);
        script.send(guest, "\n");
        assert_eq!(script.shown(guest), "y\n");
        script.advance(100 * A_SECOND);
    }
    assert_eq!(script.refusal(guest), None);
}

#[test]
fn without_a_deadline_a_message_may_take_for_ever() {
    let mut script = Script::new(Chat::new(Settings {
        message_time_max: None,
        ..settings(Partner::Parrot)
    }));
    let guest = script.open(Origin::Remote);
    script.send(guest, "x");
    script.advance(100_000 * A_SECOND);
    script.send(guest, "\n");
    assert_eq!(script.shown(guest), "x\n");
}

#[test]
fn a_stop_says_the_quit_word_to_a_guest_whose_framing_is_known() {
    let (mut script, guest) = parrot(Framing::Line);
    script.stop();
    assert_eq!(script.shown(guest), "QUIT\n");
    assert!(script.has_end(guest));
    let mut script = chat(Partner::Parrot, Framing::Auto);
    let (silent, nul) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(nul, "hi\0");
    script.advance(A_SECOND / 2);
    script.stop();
    assert_eq!(
        script.sent(silent),
        b"",
        "it may not be a chat program at all"
    );
    assert_eq!(script.sent(nul), b"hi\0QUIT\0");
    for guest in [silent, nul] {
        assert!(script.has_end(guest));
        script.finish(guest);
        assert_eq!(script.ending(guest), Some(CloseReason::Finished));
    }
}

#[test]
fn a_guest_that_only_ends_gets_only_the_end() {
    for framing in [Framing::Auto, Framing::Line, Framing::Padded(16)] {
        let (mut script, guest) = parrot(framing);
        script.finish(guest);
        assert_eq!(script.sent(guest), b"");
        assert_eq!(script.ending(guest), Some(CloseReason::Finished));
        assert_eq!(
            script.service.remote_ending(),
            None,
            "it had left by itself"
        );
    }
}

#[test]
fn a_reset_is_remembered() {
    let (mut script, guest) = parrot(Framing::Line);
    script.send(guest, "half");
    script.reset(guest);
    script.settle();
    assert!(matches!(
        script.service.remote_ending(),
        Some(CloseReason::Broken(_))
    ));
}

#[test]
fn without_a_console_there_is_nobody_to_talk_to() {
    for partner in [Partner::Operator, Partner::User] {
        let mut script = chat(partner, Framing::Line);
        let guest = script.open(Origin::Remote);
        assert_eq!(script.refusal(guest), Some("there is nobody to talk to"));
        assert!(script.has_end(guest));
        script.send(guest, "hello?\n");
        script.nudge(guest);
        script.finish(guest);
        assert_eq!(script.sent(guest), b"");
        assert_eq!(script.ending(guest), Some(CloseReason::Finished));
    }
}

#[test]
fn a_message_begun_for_one_partner_never_goes_to_another() {
    let mut script = Script::new(Chat::new(Settings {
        turn_time_max: Some(A_SECOND),
        message_time_max: None,
        ..settings(Partner::Pair)
    }));
    let guests: Vec<PeerId> = (0..3).map(|_| script.open(Origin::Remote)).collect();
    script.send(guests[0], "for b");
    script.put(guests[1], "b1\n");
    script.advance(2 * A_SECOND);
    assert_eq!(script.refusal(guests[0]), Some("message took too long"));
    assert_eq!(script.shown(guests[2]), "b1\n", "nobody waits for it");
    script.send(guests[2], "c1\n");
    assert_eq!(script.shown(guests[1]), "c1\n");
}
