//! The chat client on a terminal: what arrives is shown at once, only its sending keeps to turns.

use std::io::{ErrorKind, Read, Write};

use super::{client, line};
use crate::support::{padded, read_exactly, read_to_end};

#[test]
fn the_chat_client_talks_with_a_server_of_lines() {
    let (mut screen, mut server) = client(&["chat"]);
    screen.shows("Connected\r\nme > ");
    screen.type_in("hi\n");
    assert!(
        read_exactly(&mut server, 1024) == padded("hi"),
        "nobody knows yet"
    );
    server.write_all(b"hello there\n").unwrap();
    screen.shows("hi\r\nserver : hello there\r\nme > ");
    screen.type_in("lines, then\n");
    assert_eq!(line(&mut server), "lines, then\n");
    server.write_all("네\r\n".as_bytes()).unwrap();
    screen.until("server : 네\r\nme > ");
    screen.type_in("QUIT\n");
    assert_eq!(line(&mut server), "QUIT\n");
    assert_eq!(read_to_end(&mut server), b"");
    drop(server);
    screen.until("Disconnected\r\n");
    assert_eq!(screen.last_words().0, 0);
}

#[test]
fn the_chat_client_talks_with_a_server_of_buffers() {
    let (mut screen, mut server) = client(&["chat"]);
    screen.until("me > ");
    for (said, answer) in [("hi", "hello"), ("안녕", "네"), ("", "x")] {
        screen.type_in(&format!("{said}\n"));
        assert!(read_exactly(&mut server, 1024) == padded(said));
        let mut buffer = padded(answer);
        buffer[answer.len() + 1..].fill(b'\n');
        server.write_all(&buffer).unwrap();
        screen.until(&format!("server : {answer}\r\nme > "));
    }
    screen.kill();
}

#[test]
fn what_arrives_is_shown_at_once_also_at_the_users_prompt() {
    let (mut screen, mut server) = client(&["chat", "--framing", "line"]);
    screen.shows("Connected\r\nme > ");
    server.write_all(b"welcome\n").unwrap();
    screen.shows("\r\nserver : welcome\r\nme > ");
    screen.type_in("ha");
    screen.shows("ha");
    server.write_all(b"are you there?\nhello?\n").unwrap();
    screen.until("\r\nserver : are you there?\r\n");
    screen.until("\r\nserver : hello?\r\nme > ");
    screen.type_in("lf\n");
    assert_eq!(line(&mut server), "half\n");
    screen.shows("lf\r\n");
    server.write_all(b"good\nvery good\n").unwrap();
    screen.until("server : good\r\n");
    screen.until("server : very good\r\nme > ");
    server.write_all(b"QUIT\n").unwrap();
    screen.shows("\r\nserver : QUIT\r\nDisconnected\r\n");
    drop(server);
    assert_eq!(screen.code(), 0);
}

#[test]
fn a_server_that_ends_is_noticed_at_once_though_it_owes_an_answer() {
    let (mut screen, mut server) = client(&["chat", "--framing", "line"]);
    screen.until("me > ");
    screen.type_in("hi\n");
    assert_eq!(line(&mut server), "hi\n");
    drop(server);
    screen.shows("hi\r\nDisconnected\r\n");
    assert_eq!(screen.code(), 0);
}

#[test]
fn leaving_out_of_turn_is_a_reset_that_no_server_overlooks() {
    for last in ["\u{4}", "QUIT\n"] {
        let (mut screen, mut server) = client(&["chat", "--framing", "line"]);
        screen.until("me > ");
        screen.type_in("anybody?\n");
        assert_eq!(line(&mut server), "anybody?\n");
        screen.until("anybody?\r\n");
        screen.type_in(last);
        let reset = server.read(&mut [0]).unwrap_err();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset, "after {last:?}");
        screen.until("Disconnected\r\n");
        assert_eq!(screen.last_words().0, 0);
    }
}

#[test]
fn what_was_typed_for_a_server_that_left_is_not_for_the_shell() {
    let (mut screen, server) = client(&["chat", "--framing", "line"]);
    screen.until("me > ");
    screen.type_in("rm everything");
    screen.until("everything");
    drop(server);
    screen.shows("\r\nDisconnected\r\n");
    screen.await_end();
    screen.type_in("!\n");
    assert_eq!(screen.typed_for_the_shell(), "!\n");
}

#[test]
fn ctrl_d_within_a_line_leaves_the_prompt_where_it_is() {
    let (mut screen, mut server) = client(&["chat", "--framing", "line"]);
    screen.until("me > ");
    screen.type_in("ab\u{4}");
    screen.shows("ab");
    screen.type_in("\u{4}");
    assert_eq!(line(&mut server), "ab\n");
    drop(server);
    screen.shows("\r\nDisconnected\r\n");
    assert_eq!(screen.code(), 0);

    let (mut screen, mut server) = client(&["echo"]);
    screen.until("Exit(Q to quit) : ");
    screen.type_in("half\u{4}");
    screen.shows("half");
    screen.type_in("\n");
    assert_eq!(line(&mut server), "half\n");
    server.write_all(b"half\n").unwrap();
    screen.shows("\r\nMessage from server : half\r\nExit(Q to quit) : ");
    screen.type_in("Q\n");
    drop(server);
    assert_eq!(screen.last_words().0, 0);
}
