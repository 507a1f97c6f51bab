//! Our own user in a chat: the operator of a server, and the user of a client.

use epollo::protocol::chat::{Chat, Origin, Partner, Settings, TYPED_BYTES_MAX};
use epollo::protocol::framing::{Framing, PADDED_BYTES};
use epollo::protocol::{CloseReason, PeerId};

use super::{A_SECOND, chat, settings};
use crate::protocol::script::{ROOM, Script};
use crate::support::padded;

/// A server with its operator.
fn operator(prompts: bool) -> (Script<Chat>, PeerId) {
    let mut script = Script::new(Chat::new(Settings {
        prompts,
        ..settings(Partner::Operator)
    }));
    let console = script.open(Origin::Console);
    assert_eq!(script.sent(console), b"");
    (script, console)
}

#[test]
fn an_operator_and_a_remote_talk_in_turns() {
    let (mut script, console) = operator(false);
    script.send(console, "typed early\nand more\n");
    assert!(script.unread(console) > 0, "nobody is there to answer");
    let remote = script.open(Origin::Remote);
    assert_eq!(script.shown(console), "Connection from peer-1\n");
    assert_eq!(script.sent(remote), b"", "the remote speaks first");
    assert!(script.unread(console) > 0, "it is not the operator's turn");
    script.send(remote, "hi\nagain\n");
    assert_eq!(script.shown(console), "client : hi\nclient : again\n");
    assert_eq!(script.shown(remote), "typed early\nand more\n");
    script.send(remote, "안녕\x1b[2J\r\n");
    assert_eq!(script.shown(console), "client : 안녕\\x1b[2J\n");
    assert_eq!(script.sent(remote), b"");
    script.send(console, "네\r\n");
    assert_eq!(script.shown(remote), "네\n");
    script.send(remote, "QUIT\n");
    assert_eq!(script.shown(console), "client : QUIT\nDisconnected\n");
    assert_eq!(script.sent(remote), b"");
    assert!(script.has_end(remote));
    assert!(!script.has_stopped(), "others may come");
}

#[test]
fn prompts_ask_for_an_answer_and_come_again_below_other_lines() {
    let (mut script, console) = operator(true);
    let first = script.open(Origin::Remote);
    assert_eq!(script.shown(console), "Connection from peer-1\n");
    script.send(first, "hi\n");
    assert_eq!(script.shown(console), "client : hi\nme > ");
    script.nudge(console);
    assert_eq!(script.shown(console), "", "one prompt is enough");
    let second = script.open(Origin::Remote);
    assert_eq!(
        script.shown(console),
        "\nConnection from peer-2\nme to peer-1 > "
    );
    script.send(second, "ho\n");
    assert_eq!(
        script.shown(console),
        "\nclient peer-2 : ho\nme to peer-1 > "
    );
    script.send(console, "to one\n");
    assert_eq!(script.shown(first), "to one\n");
    assert_eq!(script.shown(console), "me to peer-2 > ");
    script.finish(first);
    assert_eq!(
        script.shown(console),
        "\nDisconnected peer-1\nme to peer-2 > ",
        "there were two, and who it was is still told"
    );
    script.finish(second);
    assert_eq!(
        script.shown(console),
        "\nDisconnected peer-2\n(not sent: peer-2 has left)\n",
        "nobody is left to answer"
    );
    script.nudge(console);
    assert_eq!(script.shown(console), "");
}

#[test]
fn a_message_is_asked_for_once_and_the_talk_goes_on() {
    let (mut script, console) = operator(true);
    let remote = script.open(Origin::Remote);
    script.shown(console);
    for _ in 0..3 {
        script.send(remote, "hi\n");
        assert_eq!(script.shown(console), "client : hi\nme > ");
        script.send(console, "ho\n");
        assert_eq!(script.shown(console), "");
        assert_eq!(script.shown(remote), "ho\n");
    }
    script.send(remote, "hi\n");
    script.stop();
    assert_eq!(script.shown(remote), "QUIT\n");
    let shown = script.shown(console);
    assert!(
        shown.ends_with('\n'),
        "the cursor is left on a new line: {shown:?}"
    );
}

#[test]
fn the_one_that_has_waited_longest_is_answered_first() {
    let (mut script, console) = operator(false);
    let remotes: Vec<PeerId> = (0..3).map(|_| script.open(Origin::Remote)).collect();
    script.shown(console);
    for remote in [remotes[1], remotes[2], remotes[0]] {
        script.send(remote, "hi\n");
    }
    let heard = "client peer-2 : hi\nclient peer-3 : hi\nclient peer-1 : hi\n";
    assert_eq!(script.shown(console), heard);
    script.reset(remotes[2]);
    script.settle();
    assert_eq!(script.shown(console), "Disconnected peer-3\n");
    script.send(console, "one\ntwo\nthree\n");
    assert_eq!(script.shown(remotes[1]), "one\n");
    assert_eq!(script.shown(remotes[0]), "two\n");
    script.send(remotes[1], "again\n");
    assert_eq!(script.shown(remotes[1]), "three\n");
}

#[test]
fn the_operator_quits_one_talk_and_the_others_go_on() {
    let (mut script, console) = operator(false);
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(first, "hi\n");
    script.shown(console);
    script.send(console, "QUIT\n");
    assert_eq!(script.shown(first), "QUIT\n");
    assert!(script.has_end(first));
    assert_eq!(script.shown(console), "Disconnected peer-1\n");
    script.send(first, "but\n");
    script.finish(first);
    assert_eq!(script.ending(first), Some(CloseReason::Finished));
    script.send(second, "hi\n");
    assert_eq!(
        script.shown(console),
        "client peer-2 : hi\n",
        "alone again, and named from now on"
    );
    assert!(!script.has_end(second));
}

#[test]
fn the_end_of_the_operators_input_quits_every_talk_in_its_turn() {
    let (mut script, console) = operator(false);
    let (first, second) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.put(console, "bye");
    script.put_end(console);
    script.settle();
    script.send(first, "hi\n");
    assert_eq!(script.shown(first), "bye\n", "what was typed comes first");
    script.send(second, "hi\n");
    assert_eq!(script.shown(second), "QUIT\n");
    assert!(script.has_end(second) && !script.has_end(first));
    script.send(first, "hi\n");
    assert_eq!(script.shown(first), "QUIT\n");
    assert!(script.has_end(first));
    let third = script.open(Origin::Remote);
    script.send(third, "hi\n");
    assert_eq!(script.shown(third), "QUIT\n");
}

#[test]
fn a_remote_that_says_something_and_ends_is_shown_and_not_answered() {
    let (mut script, console) = operator(true);
    let remote = script.open(Origin::Remote);
    script.put(remote, "hi");
    script.put_end(remote);
    script.settle();
    let shown = "Connection from peer-1\nclient : hi\nDisconnected\n";
    assert_eq!(script.shown(console), shown);
    assert_eq!(script.ending(remote), Some(CloseReason::Finished));
    script.send(console, "too late\n");
    assert!(script.unread(console) > 0);
}

#[test]
fn a_remote_that_breaks_a_rule_is_told_and_the_operator_sees_it_leave() {
    let (mut script, console) = operator(false);
    let remote = script.open(Origin::Remote);
    script.send(remote, [b'x'; 12]);
    assert_eq!(script.refusal(remote), Some("message too long"));
    assert_eq!(script.shown(remote), "message too long\n");
    assert_eq!(
        script.shown(console),
        "Connection from peer-1\n(peer-1 was refused: message longer than 10 bytes)\nDisconnected\n"
    );
    let slow = script.open(Origin::Remote);
    script.send(slow, "x");
    script.advance(A_SECOND);
    assert_eq!(script.refusal(slow), Some("message took too long"));
    assert_eq!(
        script.shown(console),
        "Connection from peer-2\n(peer-2 was refused: message not complete after 1s)\nDisconnected\n"
    );
}

#[test]
fn a_remotes_time_begins_with_its_turn() {
    let (mut script, console) = operator(false);
    let remote = script.open(Origin::Remote);
    script.send(remote, "hi\nha");
    script.advance(100 * A_SECOND);
    assert_eq!(
        script.refusal(remote),
        None,
        "it is the operator who takes so long"
    );
    script.send(console, "ho\n");
    script.advance(A_SECOND / 2);
    assert_eq!(script.refusal(remote), None);
    script.advance(A_SECOND / 2);
    assert_eq!(script.refusal(remote), Some("message took too long"));
}

#[test]
fn a_long_line_goes_out_over_several_turns() {
    let (mut script, console) = operator(false);
    let remote = script.open(Origin::Remote);
    let typed = "가".repeat(TYPED_BYTES_MAX / 3 + 1);
    script.send(remote, "hi\n");
    script.send(console, format!("{typed}\n"));
    assert_eq!(
        script.shown(remote),
        format!("{}\n", "가".repeat(TYPED_BYTES_MAX / 3))
    );
    script.send(remote, "hi\n");
    assert_eq!(script.shown(remote), "가\n");
}

#[test]
fn a_stop_says_the_quit_word_to_remotes_whose_framing_is_known() {
    let mut script = chat(Partner::Operator, Framing::Auto);
    let console = script.open(Origin::Console);
    let (silent, waiting) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(waiting, "hi\n");
    script.stop();
    assert_eq!(script.sent(silent), b"");
    assert_eq!(script.shown(waiting), "QUIT\n");
    assert!(script.has_end(silent) && script.has_end(waiting));
    let shown = script.shown(console);
    assert_eq!(shown.matches("client peer-2 : hi\n").count(), 1, "{shown}");
}

#[test]
fn a_stop_sends_what_the_operator_had_typed() {
    let (mut script, console) = operator(false);
    let remote = script.open(Origin::Remote);
    script.send(remote, "hi\n");
    script.put(console, "ho\n");
    script.receive();
    assert_eq!(script.unread(console), 0);
    script.stop();
    assert_eq!(script.shown(remote), "ho\nQUIT\n");
}

#[test]
fn lines_for_a_stuck_terminal_are_dropped_and_the_talks_go_on() {
    let (mut script, console) = operator(true);
    let remote = script.open(Origin::Remote);
    script.block(console);
    for _ in 0..3000 {
        let passer_by = script.open(Origin::Remote);
        script.finish(passer_by);
    }
    script.send(remote, "lost\n");
    let shown = script.shown(console);
    assert!((ROOM..ROOM + 100).contains(&shown.len()), "{}", shown.len());
    assert!(shown.ends_with('\n'), "what is shown is whole lines");
    script.unblock(console);
    assert_eq!(
        script.shown(console),
        "me to peer-1 > ",
        "it is asked for the answer all the same"
    );
    script.send(console, "ho\n");
    script.send(remote, "hi\n");
    assert_eq!(script.shown(remote), "ho\n");
    let shown = script.shown(console);
    assert_eq!(shown, "client peer-1 : hi\nme to peer-1 > ");
}

/// A client with its user, connected.
fn client(prompts: bool) -> (Script<Chat>, PeerId, PeerId) {
    let mut script = Script::new(Chat::new(Settings {
        framing: Framing::Padded(PADDED_BYTES),
        message_bytes_max: 4096,
        prompts,
        ..settings(Partner::User)
    }));
    let console = script.open(Origin::Console);
    let server = script.open(Origin::Remote);
    (script, console, server)
}

#[test]
fn the_user_of_a_client_speaks_first() {
    let (mut script, console, server) = client(true);
    assert_eq!(script.shown(console), "Connected\nme > ");
    script.send(console, "hi\n");
    assert_eq!(script.sent(server), padded("hi"));
    assert_eq!(script.shown(console), "");
    let mut answer = padded("안녕");
    answer[10..].fill(b'g');
    script.send(server, &answer);
    assert_eq!(script.shown(console), "server : 안녕\nme > ");
    script.send(console, "QUIT\n");
    assert_eq!(script.sent(server), padded("QUIT"));
    assert!(script.has_end(server));
    assert_eq!(script.shown(console), "Disconnected\n");
    assert!(script.has_stopped());
    script.finish(server);
    assert_eq!(
        script.service.remote_ending(),
        None,
        "it ended as it should"
    );
}

#[test]
fn the_end_of_the_input_quits_in_its_turn() {
    let (mut script, console, server) = client(false);
    script.put(console, "hi\n");
    script.put_end(console);
    script.settle();
    assert_eq!(script.sent(server), padded("hi"));
    assert!(!script.has_end(server), "the server has yet to answer");
    script.send_bytewise(server, padded("ho"));
    assert_eq!(script.sent(server), padded("QUIT"));
    assert_eq!(
        script.shown(console),
        "Connected\nserver : ho\nDisconnected\n"
    );
    assert!(script.has_stopped());
}

#[test]
fn a_server_that_leaves_ends_the_client() {
    let (mut script, console, server) = client(true);
    script.send(console, "hi\n");
    script.send(server, padded("QUIT"));
    let shown = script.shown(console);
    assert_eq!(shown, "Connected\nme > server : QUIT\nDisconnected\n");
    assert!(script.has_end(server) && script.has_stopped());
    let (mut script, console, server) = client(true);
    script.finish(server);
    assert_eq!(script.shown(console), "Connected\nme > \nDisconnected\n");
    assert!(script.has_stopped());
    let (mut script, console, server) = client(false);
    script.send(console, "hi\n");
    script.reset(server);
    script.settle();
    assert_eq!(script.shown(console), "Connected\nDisconnected\n");
    assert!(matches!(
        script.service.remote_ending(),
        Some(CloseReason::Broken(_))
    ));
}

#[test]
fn a_client_whose_terminal_is_gone_stops_without_a_word_of_its_own() {
    let (mut script, console, server) = client(false);
    script.reset(console);
    script.settle();
    assert!(script.has_stopped());
    assert_eq!(script.sent(server), b"");
    assert!(script.has_end(server));
    assert!(matches!(
        script.service.console_ending(),
        Some(CloseReason::Broken(_))
    ));
}

#[test]
fn an_operator_whose_terminal_is_gone_leaves_every_remote() {
    let (mut script, console) = operator(false);
    let (spoke, silent) = (script.open(Origin::Remote), script.open(Origin::Remote));
    script.send(spoke, "hi\n");
    script.reset(console);
    script.settle();
    for remote in [spoke, silent] {
        assert!(script.has_end(remote), "nobody will ever answer it");
        script.finish(remote);
    }
    let late = script.open(Origin::Remote);
    assert_eq!(script.refusal(late), Some("there is nobody to talk to"));
}
