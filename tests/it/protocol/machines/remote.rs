//! A remote alone with the parrot: framing, limits, deadlines and endings, one row of its table after
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
    let remote = script.open(Origin::Remote);
    (script, remote)
}

#[test]
fn a_parrot_repeats_every_message() {
    for read_bytes in [1, 3, usize::MAX] {
        let mut script = chat(Partner::Parrot, Framing::Line).reading_at_most(read_bytes);
        let remote = script.open(Origin::Remote);
        script.send(remote, "a\n\r\n안녕\r\n\nb");
        assert_eq!(script.shown(remote), "a\n\n안녕\n\n");
        script.finish(remote);
        assert_eq!(script.shown(remote), "b\n", "the end completes the last");
        assert!(script.has_end(remote));
        assert_eq!(script.ending(remote), Some(CloseReason::Finished));
    }
}

#[test]
fn a_parrot_answers_in_the_framing_of_its_remote() {
    for (sent, answer) in [
        (b"hi\r\n".to_vec(), b"hi\n".to_vec()),
        (b"hi\0".to_vec(), b"hi\0".to_vec()),
        (buffer("hi", b'\n'), buffer("hi", 0)),
        (b"hi".to_vec(), b"hi".to_vec()),
    ] {
        let (mut script, remote) = parrot(Framing::Auto);
        script.send(remote, &sent);
        if !sent.contains(&b'\n') || sent.len() == PADDED_BYTES {
            script.advance(ALMOST_SILENCE);
            assert_eq!(script.sent(remote), b"", "a silence decides");
            script.advance(A_NANOSECOND);
        }
        assert_eq!(script.sent(remote), answer);
    }
}

#[test]
fn a_chunk_is_what_came_before_a_silence() {
    let (mut script, remote) = parrot(Framing::Chunk);
    for byte in ["a", "\n", "b"] {
        script.send(remote, byte);
        script.advance(ALMOST_SILENCE);
        script.nudge(remote);
    }
    assert_eq!(script.sent(remote), b"");
    script.advance(A_NANOSECOND);
    assert_eq!(script.sent(remote), b"a\nb");
    script.send(remote, "QUIT\n");
    script.advance(A_SECOND);
    assert_eq!(script.sent(remote), b"QUIT\n");
    assert!(script.has_end(remote));
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
        let (mut script, remote) = parrot(Framing::Line);
        script.send(remote, sent);
        assert_eq!(script.has_end(remote), quits, "{sent:?}");
        if quits {
            assert_eq!(script.shown(remote), "QUIT\n");
            script.send(remote, "and more\n");
            script.nudge(remote);
            script.advance(10 * A_SECOND);
            script.stop();
            assert_eq!(script.shown(remote), "");
            assert_eq!(script.refusal(remote), None);
        }
    }
    for word in ["QUIT\0", "QUIT\n\0"] {
        let (mut script, remote) = parrot(Framing::Nul);
        script.send(remote, word);
        assert!(script.has_end(remote), "{word:?}");
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
                let remote = script.open(Origin::Remote);
                script.send(remote, format!("{text}{end}"));
                script.advance(A_SECOND / 2);
                assert_eq!(script.refusal(remote), refusal, "{framing} {text}");
                assert_eq!(script.has_end(remote), refusal.is_some());
                let answer = refusal.unwrap_or(text);
                assert_eq!(script.shown(remote), format!("{answer}{end}"));
            }
        }
    }
}

#[test]
fn a_message_without_an_end_is_refused_before_its_end() {
    let (mut script, remote) = parrot(Framing::Line);
    script.send(remote, "ok\n");
    script.send(remote, [b'x'; 100]);
    assert_eq!(script.refusal(remote), Some("message too long"));
    assert_eq!(script.shown(remote), "ok\nmessage too long\n");
    assert_eq!(script.unread(remote), 0, "the rest is thrown away");
    script.finish(remote);
    assert_eq!(script.ending(remote), Some(CloseReason::Finished));
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
        let remote = script.open(Origin::Remote);
        script.advance(100 * A_SECOND);
        for _ in 0..25 {
            script.send(remote, "x");
            script.advance(A_SECOND / 25 - A_NANOSECOND);
        }
        script.advance(24 * A_NANOSECOND);
        assert_eq!(script.refusal(remote), None, "{framing}");
        script.advance(A_NANOSECOND);
        assert_eq!(
            script.refusal(remote),
            Some("message took too long"),
            "{framing}"
        );
        assert!(script.has_end(remote));
        let words = String::from_utf8(script.sent(remote)).unwrap();
        assert!(
            words.starts_with("message took too long"),
            "{framing}: {words}"
        );
    }
}

#[test]
fn a_message_that_is_whole_at_the_last_moment_passes_and_the_next_has_its_own_time() {
    let (mut script, remote) = parrot(Framing::Line);
    for _ in 0..3 {
        script.send(remote, "x");
        script.advance(A_SECOND - A_NANOSECOND);
        script.send(remote, "\ny");
        assert_eq!(script.shown(remote).lines().count(), 1);
        script.advance(A_SECOND - A_NANOSECOND);
        script.send(remote, "\n");
        assert_eq!(script.shown(remote), "y\n");
        script.advance(100 * A_SECOND);
    }
    assert_eq!(script.refusal(remote), None);
}

#[test]
fn without_a_deadline_a_message_may_take_for_ever() {
    let mut script = Script::new(Chat::new(Settings {
        message_time_max: None,
        ..settings(Partner::Parrot)
    }));
    let remote = script.open(Origin::Remote);
    script.send(remote, "x");
    script.advance(100_000 * A_SECOND);
    script.send(remote, "\n");
    assert_eq!(script.shown(remote), "x\n");
}

#[test]
fn a_stop_says_the_quit_word_to_a_remote_whose_framing_is_known() {
    let (mut script, remote) = parrot(Framing::Line);
    script.stop();
    assert_eq!(script.shown(remote), "QUIT\n");
    assert!(script.has_end(remote));
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
    for remote in [silent, nul] {
        assert!(script.has_end(remote));
        script.finish(remote);
        assert_eq!(script.ending(remote), Some(CloseReason::Finished));
    }
}

#[test]
fn a_remote_that_only_ends_gets_only_the_end() {
    for framing in [Framing::Auto, Framing::Line, Framing::Padded(16)] {
        let (mut script, remote) = parrot(framing);
        script.finish(remote);
        assert_eq!(script.sent(remote), b"");
        assert_eq!(script.ending(remote), Some(CloseReason::Finished));
        assert_eq!(
            script.service.remote_ending(),
            None,
            "it had left by itself"
        );
    }
}

#[test]
fn a_reset_is_remembered() {
    let (mut script, remote) = parrot(Framing::Line);
    script.send(remote, "half");
    script.reset(remote);
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
        let remote = script.open(Origin::Remote);
        assert_eq!(script.refusal(remote), Some("there is nobody to talk to"));
        assert!(script.has_end(remote));
        script.send(remote, "hello?\n");
        script.nudge(remote);
        script.finish(remote);
        assert_eq!(script.sent(remote), b"");
        assert_eq!(script.ending(remote), Some(CloseReason::Finished));
    }
}

#[test]
fn a_message_begun_for_one_partner_never_goes_to_another() {
    let mut script = Script::new(Chat::new(Settings {
        turn_time_max: Some(A_SECOND),
        message_time_max: None,
        ..settings(Partner::Pair)
    }));
    let remotes: Vec<PeerId> = (0..3).map(|_| script.open(Origin::Remote)).collect();
    script.send(remotes[0], "for b");
    script.put(remotes[1], "b1\n");
    script.advance(2 * A_SECOND);
    assert_eq!(script.refusal(remotes[0]), Some("message took too long"));
    assert_eq!(script.shown(remotes[2]), "b1\n", "nobody waits for it");
    script.send(remotes[2], "c1\n");
    assert_eq!(script.shown(remotes[1]), "c1\n");
}
