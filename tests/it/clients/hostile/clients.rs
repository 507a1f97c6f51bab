//! Hostile servers, and our clients on a real terminal.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use epollo::protocol::framing::{Framing, encode};

use super::{AFTER, BEFORE, assert_shown, attacks, without};
use crate::protocol::fuzzed::targets::choices::assert_one_line;
use crate::protocol::fuzzed::targets::escape::unescaped;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, eventually, read_exactly};

const MIXTURES: u64 = 12;

/// Runs a client on a terminal against a server that is this test.
fn client(listener: &TcpListener, name: &str, options: &[&str]) -> (Terminal, TcpStream) {
    let port = listener.local_addr().unwrap().port().to_string();
    let screen = Terminal::run(&[&[name, "127.0.0.1", &port], options].concat());
    let mut accepted = None;
    listener.set_nonblocking(true).unwrap();
    eventually("it connects", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    (screen, stream)
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn no_greeting_can_act_on_the_hello_clients_terminal() {
    let listener = listener();
    for attack in attacks(MIXTURES) {
        let (screen, mut server) = client(&listener, "hello", &[]);
        let attack = without(attack, 0);
        server
            .write_all(&[&attack, &b"\0\x1b[2J"[..]].concat())
            .unwrap();
        drop(server);
        let (code, shown) = screen.last_words();
        let text = shown.strip_prefix("Message from server: ").unwrap();
        assert_shown(text.strip_suffix("\r\n").unwrap(), &attack);
        assert_eq!(code, 0);
    }
}

#[test]
fn no_answer_can_act_on_the_echo_clients_terminal() {
    const PROMPT: &str = "Exit(Q to quit) : ";
    let (mut screen, mut server) = client(&listener(), "echo", &[]);
    screen.shows(PROMPT);
    for (number, attack) in (0..).zip(attacks(MIXTURES)) {
        screen.type_in("x\n");
        screen.shows("x\r\n");
        assert_eq!(read_exactly(&mut server, 2), b"x\n");
        let end = format!("끝{number}");
        let attack = [&attack, end.as_bytes()].concat();
        server.write_all(&attack).unwrap();
        // What comes late is another answer, below the prompt.
        let shown = screen.until(&format!("{end}\r\n{PROMPT}"));
        let lines = shown.strip_suffix(PROMPT).unwrap().split_terminator("\r\n");
        let mut told = Vec::new();
        for line in lines.filter(|line| *line != PROMPT) {
            assert_one_line(line);
            let text = line.strip_prefix("Message from server : ").unwrap();
            told.extend(unescaped(text));
        }
        let plain = |bytes| without(without(bytes, b'\n'), b'\r');
        assert_eq!(plain(told), plain(attack));
        assert!(shown.contains(BEFORE) && shown.contains(AFTER), "{shown:?}");
    }
    screen.type_in("q\n");
    screen.shows("q\r\n");
    drop(server);
    assert_eq!(screen.code(), 0);
}

fn attack_the_chat_client(framing: Framing) {
    let name = framing.to_string();
    let (mut screen, mut server) = client(&listener(), "chat", &["--framing", &name]);
    screen.shows("Connected\r\nme > ");
    let mut question = Vec::new();
    encode(framing, b"hi", &mut question);
    for attack in attacks(MIXTURES) {
        screen.type_in("hi\n");
        screen.shows("hi\r\n");
        assert_eq!(read_exactly(&mut server, question.len()), question);
        let attack = without(without(attack, 0), b'\n');
        let mut bytes = Vec::new();
        encode(framing, &attack, &mut bytes);
        server.write_all(&bytes).unwrap();
        let shown = screen.until("\r\nme > ");
        let text = shown
            .strip_prefix("server : ")
            .expect("our own words first");
        assert_shown(text.strip_suffix("\r\nme > ").unwrap(), &attack);
    }
    drop(server);
    let (code, shown) = screen.last_words();
    assert_eq!((code, &*shown), (0, "\r\nDisconnected\r\n"));
}

#[test]
fn no_server_can_act_on_the_chat_clients_terminal() {
    attack_the_chat_client(Framing::Line);
    attack_the_chat_client(Framing::Nul);
    attack_the_chat_client(Framing::Padded(1024));
    attack_the_chat_client(Framing::Chunk);
}

#[test]
fn no_failure_lets_a_server_act_on_a_clients_terminal() {
    let attack = attacks(1).concat();
    // Too long for a message.
    let (mut screen, mut server) = client(&listener(), "chat", &["--framing", "line"]);
    screen.until("me > ");
    screen.type_in("hi\n");
    assert_eq!(read_exactly(&mut server, 3), b"hi\n");
    let long = without(attack.repeat(1 + 70_000 / attack.len()), b'\n');
    server.write_all(&long).unwrap();
    server.shutdown(std::net::Shutdown::Write).unwrap();
    // The client may have closed its half the hard way.
    let _ = server.read_to_end(&mut Vec::new());
    let (code, shown) = screen.last_words();
    assert_eq!(code, 1);
    assert!(shown.contains("was closed: message too long"), "{shown:?}");
    shown.split_terminator("\r\n").for_each(assert_one_line);

    // Reset in the middle of an answer: what we sent was not read.
    for (name, prompt) in [("echo", "quit) : "), ("chat", "me > ")] {
        let (mut screen, mut server) = client(&listener(), name, &[]);
        screen.until(prompt);
        screen.type_in("hi\n");
        server.peek(&mut [0]).unwrap();
        server.write_all(&attack[..100]).unwrap();
        drop(server);
        let (_, shown) = screen.last_words();
        shown.split_terminator("\r\n").for_each(assert_one_line);
        assert!(shown.contains("epollo: the connection to "), "{shown:?}");
    }
}
