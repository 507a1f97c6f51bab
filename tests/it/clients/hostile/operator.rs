//! Hostile clients, and a server with our user on a real terminal.

use std::io::Write;

use epollo::protocol::framing::{Framing, encode};

use super::{AFTER, assert_shown, attacks, without};
use crate::protocol::fuzzed::targets::choices::assert_one_line;
use crate::protocol::fuzzed::targets::escape::unescaped;
use crate::support::terminal::Terminal;
use crate::support::{connect, read_exactly};

const MIXTURES: u64 = 12;

/// The attack without what would be two messages, and the bytes of it as one.
fn framed(framing: Framing, attack: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let attack = match framing {
        Framing::Line | Framing::Auto => without(attack, b'\n'),
        Framing::Nul | Framing::Padded(_) => without(attack, 0),
        Framing::Chunk => attack,
    };
    let mut bytes = Vec::new();
    match framing {
        Framing::Padded(size) => {
            bytes.extend_from_slice(&attack);
            bytes.push(0);
            let garbage = b"\x1b]0;left over\x07\r\n".iter().cycle();
            bytes.extend(garbage.take(size - bytes.len()));
        }
        // A stranger whose first delimiter is a newline is a peer with lines.
        Framing::Auto => return framed(Framing::Line, without(attack, 0)),
        Framing::Line | Framing::Nul | Framing::Chunk => encode(framing, &attack, &mut bytes),
    }
    (attack, bytes)
}

fn attack_the_operator(framing: Framing, has_others: bool) {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", &framing.to_string()]);
    let other = has_others.then(|| {
        let other = connect(address);
        screen.until("\r\n");
        other
    });
    let mut client = connect(address);
    let name = client.local_addr().unwrap();
    screen.shows(&format!("Connection from {name}\r\n"));
    let (label, prompt) = if has_others {
        (format!("client {name} : "), format!("\r\nme to {name} > "))
    } else {
        ("client : ".to_owned(), "\r\nme > ".to_owned())
    };
    let mut reply = Vec::new();
    let replies_in = if framing == Framing::Auto {
        Framing::Line
    } else {
        framing
    };
    encode(replies_in, b"ok", &mut reply);
    for attack in attacks(MIXTURES) {
        let (attack, bytes) = framed(framing, attack);
        client.write_all(&bytes).unwrap();
        let shown = screen.until(&prompt);
        let text = shown.strip_prefix(&label).expect("our own words first");
        assert_shown(text.strip_suffix(&prompt).unwrap(), &attack);
        screen.type_in("ok\n");
        assert_eq!(read_exactly(&mut client, reply.len()), reply);
        screen.shows("ok\r\n");
    }
    drop(client);
    let end = if has_others {
        format!("Disconnected {name}\r\n")
    } else {
        "Disconnected\r\n".to_owned()
    };
    screen.shows(&end);
    drop(other);
    screen.kill();
}

#[test]
fn no_client_with_delimiters_can_act_on_the_operators_terminal() {
    attack_the_operator(Framing::Line, true);
    attack_the_operator(Framing::Nul, false);
    attack_the_operator(Framing::Auto, false);
}

#[test]
fn no_client_with_buffers_can_act_on_the_operators_terminal() {
    attack_the_operator(Framing::Padded(1024), true);
    attack_the_operator(Framing::Chunk, false);
}

#[test]
fn no_client_whose_message_is_refused_can_act_on_the_operators_terminal() {
    let (mut screen, address) =
        Terminal::serve(&["chat=0", "-vvv", "--color", "never", "--framing", "line"]);
    for attack in attacks(MIXTURES) {
        let mut client = connect(address);
        let attack = without(attack, b'\n');
        let long = attack.repeat(1 + 5000 / attack.len());
        client.write_all(&long).unwrap();
        drop(client);
        let shown = screen.until("Disconnected\r\n");
        for line in shown.split_terminator("\r\n") {
            assert_one_line(line);
            assert!(!line.contains(AFTER), "nothing of it is shown: {line:?}");
        }
    }
    screen.kill();
}

#[test]
fn nothing_that_a_server_prints_of_an_echo_can_act_on_its_terminal() {
    let (mut screen, address) = Terminal::serve(&["echo=0", "--print"]);
    for (number, attack) in (0..).zip(attacks(MIXTURES)) {
        let mut client = connect(address);
        let end = format!("끝{number}");
        let attack = [&attack, end.as_bytes()].concat();
        // Cut inside a character, and given time to be read so.
        let (first, second) = attack.split_at(1);
        client.write_all(first).unwrap();
        assert_eq!(read_exactly(&mut client, 1), first);
        client.write_all(second).unwrap();
        assert_eq!(read_exactly(&mut client, second.len()), second);
        let shown = screen.until(&format!("{end}\r\n"));
        let mut told = Vec::new();
        for line in shown.split_terminator("\r\n") {
            assert_one_line(line);
            let text = line.strip_prefix("message from client : ").unwrap();
            told.extend(unescaped(text));
        }
        let plain = |bytes| without(without(bytes, b'\n'), b'\r');
        assert_eq!(plain(told), plain(attack));
        assert!(shown.contains(&format!("{AFTER}{end}")), "{shown:?}");
    }
    screen.kill();
}
