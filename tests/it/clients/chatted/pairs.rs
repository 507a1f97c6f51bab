//! Two people with our client on terminals, matched by our server; and one who says nothing.

use std::net::SocketAddr;

use super::{line, say};
use crate::support::terminal::Terminal;
use crate::support::{Server, connect};

fn pair_server(options: &[&str]) -> (Server, SocketAddr) {
    let server = Server::start(&[&["chat=0", "--chat-with", "pair"], options].concat());
    let address = server.address("chat");
    (server, address)
}

fn person(address: SocketAddr) -> Terminal {
    let port = address.port().to_string();
    let mut screen = Terminal::run(&["chat", "127.0.0.1", &port]);
    screen.shows("Connected\r\nme > ");
    screen
}

#[test]
fn the_second_of_a_pair_sees_the_firsts_message_at_his_prompt() {
    let (server, address) = pair_server(&[]);
    let (mut first, mut second) = (person(address), person(address));
    first.type_in("안녕\n");
    second.shows("\r\nserver : 안녕\r\nme > ");
    second.type_in("네\n");
    first.shows("안녕\r\nserver : 네\r\nme > ");
    first.type_in("QUIT\n");
    second.until("server : QUIT\r\nDisconnected\r\n");
    assert_eq!(second.code(), 0);
    first.until("Disconnected\r\n");
    assert_eq!(first.last_words().0, 0);
    server.stop();
}

#[test]
fn a_partner_that_ends_is_noticed_at_the_prompt() {
    let (server, address) = pair_server(&[]);
    let (mut first, mut second) = (person(address), person(address));
    first.type_in("hi\n");
    second.until("server : hi\r\nme > ");
    first.kill();
    second.shows("\r\nDisconnected\r\n");
    assert_eq!(second.code(), 0);
    server.stop();
}

#[test]
fn whoever_waits_for_a_partner_may_leave() {
    for has_spoken in [false, true] {
        let (server, address) = pair_server(&[]);
        let mut lonely = person(address);
        if has_spoken {
            lonely.type_in("anybody?\n");
            lonely.until("anybody?\r\n");
        }
        lonely.type_in("\u{4}");
        lonely.until("Disconnected\r\n");
        assert_eq!(lonely.last_words().0, 0);
        server.stop();
    }
}

#[test]
fn whoever_leaves_out_of_turn_is_missed_at_once() {
    for last in ["\u{4}", "QUIT\n"] {
        let (server, address) = pair_server(&[]);
        let (mut first, mut second) = (person(address), person(address));
        first.type_in("hi\n");
        second.until("server : hi\r\nme > ");
        second.type_in("ho\n");
        first.until("server : ho\r\nme > ");
        second.type_in(last);
        assert_eq!(second.last_words().0, 0);
        first.shows("\r\nDisconnected\r\n");
        assert_eq!(first.code(), 0);
        server.stop();
    }
}

#[test]
fn nobody_is_matched_with_one_that_has_left_the_lobby() {
    for (has_spoken, last) in [(true, "\u{4}"), (true, "QUIT\n"), (false, "QUIT\n")] {
        let (server, address) = pair_server(&["--framing", "line"]);
        let mut gone = person(address);
        if has_spoken {
            gone.type_in("hello\n");
            gone.until("hello\r\n");
        }
        gone.type_in(last);
        assert_eq!(gone.last_words().0, 0);
        let mut newcomer = connect(address);
        let mut next = connect(address);
        say(&mut newcomer, "is anybody there?");
        assert_eq!(line(&mut next), "is anybody there?\n", "after {last:?}");
        say(&mut next, "I am");
        assert_eq!(line(&mut newcomer), "I am\n");
        server.stop();
    }
}

#[test]
fn whoever_does_not_take_the_first_turn_goes_to_the_end_of_the_queue() {
    let (server, address) = pair_server(&["--turn-timeout", "300ms", "--framing", "line"]);
    let mut silent = connect(address);
    let mut second = connect(address);
    let mut third = connect(address);
    say(&mut second, "is anybody there?");
    assert_eq!(line(&mut third), "is anybody there?\n");
    say(&mut third, "I am");
    assert_eq!(line(&mut second), "I am\n");
    // Its turn comes again with the next one, and it may also come as the second.
    let mut fourth = connect(address);
    say(&mut fourth, "hello");
    assert_eq!(line(&mut silent), "hello\n");
    say(&mut silent, "hello, too");
    assert_eq!(line(&mut fourth), "hello, too\n");
    server.stop();
}
