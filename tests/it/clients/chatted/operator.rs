//! The operator's words go to whom the prompt names, and to nobody else.

use crate::support::terminal::Terminal;
use std::io::Write;

use super::{come, line, say};

#[test]
fn what_is_typed_for_a_client_that_leaves_never_reaches_another() {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    let (mut first, name) = come(&mut screen, address);
    let (mut second, other) = come(&mut screen, address);
    say(&mut first, "hi");
    screen.until(&format!("me to {name} > "));
    say(&mut second, "ho");
    screen.until(&format!("me to {name} > "));
    screen.type_in("your PIN is 1234");
    screen.until("1234");
    drop(first);
    screen.until(&format!(
        "\r\nDisconnected {name}\r\n(not sent: {name} has left)\r\nme to {other} > "
    ));
    // The end of the line that was thrown away is no message, either.
    screen.type_in("\n");
    screen.until(&format!("\r\nme to {other} > "));
    screen.type_in("for you\n");
    assert_eq!(line(&mut second), "for you\n");
    screen.kill();
}

#[test]
fn what_is_typed_for_a_client_that_leaves_never_reaches_one_that_comes_later() {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    let (mut first, name) = come(&mut screen, address);
    say(&mut first, "hi");
    screen.until("me > ");
    screen.type_in("your PIN is 1234");
    screen.until("1234");
    drop(first);
    screen.until(&format!(
        "\r\nDisconnected\r\n(not sent: {name} has left)\r\n"
    ));
    screen.type_in("and more\n");
    screen.until("and more\r\n");
    let (mut second, _) = come(&mut screen, address);
    for answer in ["one", "two"] {
        say(&mut second, "hi");
        screen.until("client : hi\r\nme > ");
        screen.type_in(&format!("{answer}\n"));
        assert_eq!(line(&mut second), format!("{answer}\n"));
    }
    screen.kill();
}

#[test]
fn what_is_typed_before_a_prompt_names_somebody_else_is_not_for_them() {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    let (mut first, name) = come(&mut screen, address);
    let (mut second, other) = come(&mut screen, address);
    say(&mut first, "hi");
    screen.until(&format!("me to {name} > "));
    screen.type_in("one\n");
    assert_eq!(line(&mut first), "one\n");
    screen.type_in("two\n");
    screen.until("two\r\n");
    say(&mut second, "hi");
    screen.until(&format!("me to {other} > "));
    screen.type_in("for you\n");
    assert_eq!(line(&mut second), "for you\n");
    screen.kill();
}

#[test]
fn what_is_typed_ahead_for_the_one_client_waits_for_its_turn() {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    let (mut client, _) = come(&mut screen, address);
    say(&mut client, "hi");
    screen.until("me > ");
    screen.type_in("one\ntwo\nthr");
    screen.until("thr");
    assert_eq!(line(&mut client), "one\n");
    say(&mut client, "hi");
    assert_eq!(line(&mut client), "two\n");
    say(&mut client, "hi");
    screen.until("me > ");
    screen.type_in("ee\n");
    assert_eq!(line(&mut client), "three\n");
    screen.kill();
}

#[test]
fn once_there_were_two_clients_prompts_go_on_naming() {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    let (mut first, name) = come(&mut screen, address);
    let (second, other) = come(&mut screen, address);
    drop(second);
    screen.until(&format!("Disconnected {other}\r\n"));
    say(&mut first, "hi");
    screen.shows(&format!("client {name} : hi\r\nme to {name} > "));
    drop(first);
    screen.until(&format!("Disconnected {name}\r\n"));
    let (mut third, name) = come(&mut screen, address);
    say(&mut third, "hi");
    screen.shows(&format!("client {name} : hi\r\nme to {name} > "));
    screen.kill();
}

#[test]
fn the_operator_sees_why_a_client_was_refused() {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    let (mut client, name) = come(&mut screen, address);
    client.write_all(&[b'x'; 4099]).unwrap();
    screen.shows(&format!(
        "({name} was refused: message longer than 4096 bytes)\r\nDisconnected\r\n"
    ));
    assert_eq!(line(&mut client), "message too long\n");
    screen.kill();
}

#[test]
fn a_client_that_leaves_out_of_turn_is_missed_at_the_operators_prompt() {
    for last in ["\u{4}", "QUIT\n"] {
        let (mut screen, address) = Terminal::serve(&["chat=0"]);
        let port = address.port().to_string();
        let mut client = Terminal::run(&["chat", "127.0.0.1", &port]);
        client.until("me > ");
        client.type_in("hi\n");
        screen.until("client : hi\r\nme > ");
        screen.type_in("half");
        screen.until("half");
        client.type_in(last);
        assert_eq!(client.last_words().0, 0);
        screen.until("Disconnected\r\n(not sent: ");
        screen.kill();
    }
}
