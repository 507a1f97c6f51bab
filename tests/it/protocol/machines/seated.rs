//! Our own user at a terminal, which keeps a line until it is ended: whom it is for, what is thrown
//! away, and what a client's user sees and may do out of turn.

use epollo::protocol::chat::{Chat, Origin, Partner, Settings};
use epollo::protocol::framing::{Framing, SILENCE};
use epollo::protocol::{CloseReason, Effects, Event, Peer, PeerId, Time};

use super::{A_NANOSECOND, settings};
use crate::protocol::script::{ROOM, Script};

fn operator() -> (Script<Chat>, PeerId) {
    let mut script = Script::new(Chat::new(Settings {
        prompts: true,
        ..settings(Partner::Operator)
    }));
    let console = script.open(Origin::Console);
    (script, console)
}

fn client(framing: Framing, prompts: bool) -> (Script<Chat>, PeerId, PeerId) {
    let mut script = Script::new(Chat::new(Settings {
        framing,
        message_bytes_max: 4096,
        prompts,
        ..settings(Partner::User)
    }));
    let console = script.open(Origin::Console);
    let server = script.open(Origin::Remote);
    script.shown(console);
    (script, console, server)
}

#[test]
fn half_a_line_for_one_that_leaves_is_thrown_away_with_its_end() {
    for rest in ["\n", "\r\n"] {
        let (mut script, console) = operator();
        let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
        script.send(first, "hi\n");
        script.send(second, "ho\n");
        script.type_in(console, "your PIN is 1234");
        script.shown(console);
        script.finish(first);
        assert_eq!(
            script.shown(console),
            "\nDisconnected peer-1\n(not sent: peer-1 has left)\nme to peer-2 > "
        );
        script.type_in(console, rest);
        assert_eq!(script.sent(second), b"");
        assert_eq!(script.shown(console), "me to peer-2 > ");
        script.type_in(console, rest);
        assert_eq!(script.shown(second), "\n", "the next empty line is meant");
    }
}

#[test]
fn a_line_that_is_read_after_its_client_has_left_goes_to_nobody() {
    let (mut script, console) = operator();
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(first, "hi\n");
    script.send(second, "ho\n");
    script.shown(console);
    // One turn tells both, and of the end first.
    script.reset(first);
    script.put(console, "your PIN is 1234\n");
    script.settle();
    let shown = script.shown(console);
    assert!(
        shown.contains("(not sent: peer-1 has left)\nme to peer-2 > "),
        "{shown}"
    );
    assert_eq!(script.sent(second), b"");
    script.type_in(console, "for you\n");
    assert_eq!(script.shown(second), "for you\n");
}

#[test]
fn nothing_is_said_of_one_that_was_not_being_answered() {
    let (mut script, console) = operator();
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(first, "hi\n");
    script.type_in(console, "for ");
    script.shown(console);
    script.finish(second);
    assert_eq!(
        script.shown(console),
        "\nDisconnected peer-2\nme to peer-1 > "
    );
    script.type_in(console, "you\n");
    assert_eq!(script.shown(first), "for you\n");
    script.finish(first);
    assert_eq!(script.shown(console), "Disconnected peer-1\n");
}

#[test]
fn the_rest_of_a_long_line_is_said_to_be_lost() {
    let (mut script, console) = operator();
    let remote = script.open(Origin::Remote);
    script.send(remote, "hi\n");
    script.type_in(console, &format!("{}\n", "x".repeat(2_000)));
    assert_eq!(script.shown(remote).len(), 1_024);
    script.shown(console);
    script.finish(remote);
    assert_eq!(
        script.shown(console),
        "Disconnected\n(not sent: peer-1 has left)\n"
    );
}

#[test]
fn a_pipe_hands_its_lines_on_whoever_leaves() {
    let mut script = Script::new(Chat::new(settings(Partner::Operator)));
    let console = script.open(Origin::Console);
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.put(console, "one\ntwo\n");
    script.send(first, "hi\n");
    assert_eq!(script.shown(first), "one\n");
    script.finish(first);
    script.send(second, "hi\n");
    assert_eq!(script.shown(second), "two\n");
    let shown = script.shown(console);
    assert!(!shown.contains("not sent"), "{shown}");
}

#[test]
fn a_prompt_is_drawn_again_on_a_screen_that_was_drawn_over() {
    let (mut script, console) = operator();
    let remote = script.open(Origin::Remote);
    script.send(remote, "hi\n");
    script.shown(console);
    let mut effects = epollo::protocol::Effects::default();
    let mut cx = effects.context(epollo::protocol::Time::ZERO, console, ROOM);
    script.service.redraw(&mut cx);
    script.nudge(console);
    assert_eq!(script.shown(console), "me > ");
    script.nudge(console);
    assert_eq!(script.shown(console), "");
}

#[test]
fn a_client_shows_all_at_once_and_sends_one_message_for_an_answer() {
    for prompts in [false, true] {
        let (mut script, console, server) = client(Framing::Line, prompts);
        script.send(server, "a\nb\n");
        let shown = script.shown(console).replace("\nme > \n", "\n");
        let expected = if prompts {
            "\nserver : a\nserver : b\nme > "
        } else {
            "server : a\nserver : b\n"
        };
        assert_eq!(shown, expected);
        script.type_in(console, "one\ntwo\nthree\n");
        assert_eq!(script.shown(server), "one\n");
        script.send(server, "c\n");
        assert_eq!(script.shown(server), "two\n");
        script.send(server, "d\ne\nf\n");
        assert_eq!(script.shown(server), "three\n");
        script.type_in(console, "four\n");
        assert_eq!(script.shown(server), "four\n", "e and f were its answers");
    }
}

#[test]
fn a_client_whose_screen_is_stuck_does_not_read_and_loses_nothing() {
    for prompts in [false, true] {
        let (mut script, console, server) = client(Framing::Line, prompts);
        script.block(console);
        let message = format!("{}\n", "x".repeat(1_000));
        script.put(server, message.repeat(200));
        script.settle();
        assert!(script.unread(server) > 100_000);
        script.put_end(server);
        script.unblock(console);
        let shown = script.shown(console);
        assert_eq!(shown.matches("server : x").count(), 200);
        assert!(shown.ends_with("Disconnected\n") && script.has_stopped());
    }
}

#[test]
fn a_client_sends_buffers_until_the_first_answer_shows_another_framing() {
    for (answer, sent) in [("네\n", &b"b\n"[..]), ("네\0", b"b\0"), ("네", b"b")] {
        let (mut script, console, server) = client(Framing::Auto, true);
        script.type_in(console, "a\n");
        let mut frame = vec![0; 1024];
        frame[0] = b'a';
        assert_eq!(script.sent(server), frame);
        script.send(server, answer);
        script.advance(SILENCE);
        assert_eq!(script.shown(console), "server : 네\nme > ");
        script.type_in(console, "b\n");
        assert_eq!(script.sent(server), sent);
    }
    let (mut script, console, server) = client(Framing::Auto, true);
    script.finish(console);
    assert!(
        script.shown(server).starts_with("QUIT\0"),
        "nobody has answered"
    );
}

#[test]
fn a_user_leaves_at_once_on_a_terminal_and_in_turn_in_a_pipe() {
    for prompts in [false, true] {
        let (mut script, console, server) = client(Framing::Line, prompts);
        script.type_in(console, "anybody?\n");
        script.advance(A_NANOSECOND);
        script.finish(console);
        assert_eq!(script.shown(server), "anybody?\n");
        if prompts {
            let reset = Some(CloseReason::Aborted);
            assert_eq!(
                script.ending(server),
                reset,
                "it may not read, and must know"
            );
        } else {
            script.send(server, "yes\n");
            assert_eq!(script.shown(server), "QUIT\n");
            assert!(script.has_end(server));
        }
        assert!(script.has_stopped());
        assert!(script.shown(console).ends_with("Disconnected\n"));
    }
}

#[test]
fn what_was_said_last_is_sent_also_where_the_user_leaves_with_it() {
    let (mut script, console, server) = client(Framing::Line, true);
    script.put(console, "bye");
    script.finish(console);
    assert_eq!(script.shown(server), "bye\nQUIT\n");
    assert!(script.has_end(server) && script.has_stopped());
}

#[test]
fn the_quit_word_leaves_also_behind_lines_typed_out_of_turn() {
    let (mut script, console, server) = client(Framing::Line, true);
    script.type_in(console, "one\n");
    script.advance(A_NANOSECOND);
    script.type_in(console, "two\n\nthree\n");
    script.send(server, "a\n");
    assert_eq!(script.shown(server), "one\ntwo\n");
    script.advance(A_NANOSECOND);
    script.type_in(console, "four\nQUIT\nfive\n");
    assert_eq!(script.shown(server), "", "it is not his turn");
    assert_eq!(script.ending(server), Some(CloseReason::Aborted));
    assert!(script.has_stopped());
}

#[test]
fn lines_typed_out_of_turn_are_bounded_and_sent_in_order() {
    let (mut script, console, server) = client(Framing::Line, true);
    let lines: String = (0..40_000).map(|number| format!("{number}\n")).collect();
    script.type_in(console, &lines);
    assert!(script.unread(console) > 0, "no more than that is kept");
    for number in 0..20_000 {
        assert_eq!(script.shown(server), format!("{number}\n"));
        script.send(server, "a\n");
    }
    assert_eq!(script.unread(console), 0);
}

#[test]
fn no_line_is_taken_while_news_waits_for_room() {
    let mut chat = Chat::new(Settings {
        prompts: true,
        ..settings(Partner::User)
    });
    let [me, server] = [0, 1].map(|slot| PeerId {
        slot,
        generation: 1,
    });
    let mut effects = Effects::default();
    let mut console = chat.open_console(&mut effects.context(Time::ZERO, me, ROOM));
    let peer = Peer {
        id: server,
        address: None,
        name: format_args!("server"),
    };
    let mut remote = chat.open_remote(&mut effects.context(Time::ZERO, server, ROOM), &peer);
    let mut step = |chat: &mut Chat, room, event| {
        let mut cx = effects.context(Time::ZERO, me, room);
        chat.step_console(&mut cx, &mut console, event);
        effects.clear();
    };
    step(&mut chat, ROOM, Event::Notified);
    let mut heard = Effects::default();
    let mut cx = heard.context(Time::ZERO, server, ROOM);
    chat.step_remote(&mut cx, &mut remote, Event::Received(b"a\n"));
    step(&mut chat, 0, Event::Received(b"typed\n"));
    step(&mut chat, ROOM, Event::Notified);
    chat.step_remote(&mut cx, &mut remote, Event::Notified);
    assert_eq!(heard.bytes(), b"typed\n");
}
