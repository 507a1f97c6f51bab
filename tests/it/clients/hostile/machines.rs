//! Hostile peers against the composed machines: what the console is sent is our own words, line ends
//! and prompts, and what a peer said is one safe piece of a line of ours.

use std::time::Duration;

use epollo::protocol::chat::{Chat, Origin, Partner, Settings};
use epollo::protocol::echo::client::{Dialogue, Origin as ClientDoor};
use epollo::protocol::echo::{Echo, Settings as EchoSettings};
use epollo::protocol::framing::{Framing, SILENCE, encode};
use epollo::protocol::hello::HelloClient;
use epollo::protocol::{Effects, Event, Peer, PeerId, Service, Time};

use super::{assert_shown, attacks, without};
use crate::protocol::fuzzed::targets::choices::{Choices, assert_one_line};
use crate::protocol::fuzzed::targets::escape::unescaped;
use crate::protocol::script::{ROOM, Script};
use crate::support::Random;

const MIXTURES: u64 = 60;

fn chat(partner: Partner, framing: Framing, prompts: bool) -> Script<Chat> {
    Script::new(Chat::new(Settings {
        partner,
        framing,
        quit: b"QUIT".to_vec(),
        message_bytes_max: 4096,
        message_time_max: None,
        turn_time_max: None,
        prompts,
    }))
}

/// Sends bytes cut anywhere, with no silence between the pieces.
fn send_in_pieces<S: Service>(script: &mut Script<S>, id: PeerId, bytes: &[u8], seed: u64) {
    let mut random = Random::new(seed);
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = 1 + random.below(5.min(rest.len()));
        let (piece, after) = rest.split_at(count);
        script.send(id, piece);
        script.advance(Duration::from_millis(1));
        rest = after;
    }
}

const FRAMINGS: [Framing; 5] = [
    Framing::Line,
    Framing::Nul,
    Framing::Padded(1024),
    Framing::Chunk,
    Framing::Auto,
];

/// The attack as one message of a peer with this framing, as it writes it.
fn framed(framing: Framing, attack: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let attack = match framing {
        Framing::Line => without(attack.to_vec(), b'\n'),
        Framing::Nul | Framing::Padded(_) | Framing::Auto => without(attack.to_vec(), 0),
        Framing::Chunk => attack.to_vec(),
    };
    // The newline that comes first would make a stranger a peer with lines.
    let attack = if framing == Framing::Auto {
        without(attack, b'\n')
    } else {
        attack
    };
    let mut bytes = Vec::new();
    encode(framing, &attack, &mut bytes);
    (attack, bytes)
}

#[test]
fn no_remote_can_act_on_the_operators_terminal() {
    for (seed, attack) in (0..).zip(attacks(MIXTURES)) {
        for framing in FRAMINGS {
            let (attack, bytes) = framed(framing, &attack);
            let prompts = seed % 2 == 0;
            let mut script = chat(Partner::Operator, framing, prompts);
            let console = script.open(Origin::Console);
            let remote = script.open(Origin::Remote);
            assert_eq!(script.shown(console), "Connection from peer-1\n");
            send_in_pieces(&mut script, remote, &bytes, seed);
            script.advance(SILENCE);
            let shown = script.shown(console);
            let end = if prompts { "\nme > " } else { "\n" };
            let text = shown.strip_prefix("client : ").unwrap();
            assert_shown(text.strip_suffix(end).unwrap(), &attack);
        }
    }
}

#[test]
fn no_server_can_act_on_the_chat_clients_terminal() {
    for (seed, attack) in (0..).zip(attacks(MIXTURES)) {
        for framing in FRAMINGS {
            let (attack, bytes) = framed(framing, &attack);
            let mut script = chat(Partner::User, framing, true);
            let console = script.open(Origin::Console);
            let server = script.open(Origin::Remote);
            assert_eq!(script.shown(console), "Connected\nme > ");
            script.send(console, "hi\n");
            send_in_pieces(&mut script, server, &bytes, seed);
            script.advance(SILENCE);
            let shown = script.shown(console);
            let text = shown.strip_prefix("server : ").unwrap();
            assert_shown(text.strip_suffix("\nme > ").unwrap(), &attack);
        }
    }
}

#[test]
fn no_name_can_act_on_the_operators_terminal() {
    for (seed, name) in (0..).zip(attacks(MIXTURES)) {
        let name = String::from_utf8_lossy(&name).into_owned();
        let settings = Settings {
            partner: Partner::Operator,
            framing: Framing::Line,
            quit: b"QUIT".to_vec(),
            message_bytes_max: 4096,
            message_time_max: None,
            turn_time_max: None,
            prompts: true,
        };
        let mut chat = Chat::new(settings);
        let mut effects = Effects::default();
        let id = |slot| PeerId {
            slot,
            generation: 1,
        };
        let mut cx = effects.context(Time::ZERO, id(0), ROOM);
        let mut console = chat.open(
            &mut cx,
            Origin::Console,
            &Peer {
                id: id(0),
                address: None,
                name: format_args!("the terminal"),
            },
        );
        for slot in [1, 2] {
            let mut cx = effects.context(Time::ZERO, id(slot), ROOM);
            let mut remote = chat.open(
                &mut cx,
                Origin::Remote,
                &Peer {
                    id: id(slot),
                    address: None,
                    name: format_args!("{name}{slot}"),
                },
            );
            chat.step(&mut cx, &mut remote, Event::Received(b"hi\n"));
        }
        effects.clear();
        let mut cx = effects.context(Time::ZERO, id(0), ROOM);
        chat.step(&mut cx, &mut console, Event::Notified);
        let shown = std::str::from_utf8(effects.bytes()).unwrap();
        let lines: Vec<&str> = shown.split('\n').collect();
        assert_eq!(lines.len(), 5, "seed {seed}: {shown:?}");
        lines.into_iter().for_each(assert_one_line);
    }
}

#[test]
fn nothing_that_is_printed_of_an_echo_can_act_on_a_terminal() {
    for (seed, attack) in (0..).zip(attacks(MIXTURES)) {
        let mut script = Script::new(Echo::new(EchoSettings {
            quit: None,
            print: true,
        }));
        let client = script.open(());
        send_in_pieces(&mut script, client, &attack, seed);
        script.finish(client);
        assert_eq!(script.sent(client), attack, "the client is none the wiser");
        let mut told = Vec::new();
        for line in script.service.printed() {
            assert_one_line(&line);
            let text = line.strip_prefix("message from client : ").unwrap();
            told.extend(unescaped(text));
        }
        // How a piece ends in the attack's own line ends is told by where our lines end.
        let plain = |bytes| without(without(bytes, b'\n'), b'\r');
        assert_eq!(plain(told), plain(attack));
    }
}

/// What the echo client on a terminal shows of an answer, in all its messages.
fn dialogue_shows(answer: &[u8], seed: u64, typed: &str) -> Vec<String> {
    let mut script = Script::new(Dialogue::new());
    let console = script.accept(ClientDoor::Console);
    let remote = script.open(ClientDoor::Remote);
    script.send(console, typed);
    assert_eq!(script.shown(remote), typed);
    send_in_pieces(&mut script, remote, answer, seed);
    script.advance(SILENCE);
    let shown = script.shown(console);
    let prompt = "Exit(Q to quit) : ";
    let shown = shown.strip_prefix(prompt).unwrap();
    let shown = shown.strip_suffix(prompt).unwrap();
    let lines = shown.split_terminator('\n').filter(|line| *line != prompt);
    lines
        .map(|line| line.strip_prefix("Message from server : ").unwrap())
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_server_can_act_on_the_echo_clients_terminal() {
    for (seed, attack) in (0..).zip(attacks(MIXTURES)) {
        let mut told = Vec::new();
        for text in dialogue_shows(&attack, seed, "question\n") {
            assert_one_line(&text);
            told.extend(unescaped(&text));
        }
        let plain = |bytes| without(without(bytes, b'\n'), b'\r');
        assert_eq!(plain(told), plain(attack));
    }
}

#[test]
fn korean_that_is_cut_anywhere_is_shown_as_it_is() {
    for seed in 0..200 {
        let bytes = Random::new(seed).bytes(30);
        let text = Choices::new(&bytes).text(25);
        for framing in FRAMINGS {
            let mut script = chat(Partner::Operator, framing, false);
            let console = script.open(Origin::Console);
            let remote = script.open(Origin::Remote);
            let (_, bytes) = framed(framing, text.as_bytes());
            send_in_pieces(&mut script, remote, &bytes, seed);
            script.advance(SILENCE);
            let expected = format!("Connection from peer-1\nclient : {text}\n");
            assert_eq!(script.shown(console), expected);
        }
        let mut script = Script::new(Echo::new(EchoSettings {
            quit: None,
            print: true,
        }));
        let client = script.open(());
        send_in_pieces(&mut script, client, text.as_bytes(), seed);
        script.finish(client);
        let prefix = "message from client : ";
        let printed = script.service.printed();
        let printed: String = printed.map(|line| line.replacen(prefix, "", 1)).collect();
        assert_eq!(printed, text);
        // However few bytes were asked, and however many come back.
        let shown = dialogue_shows(text.as_bytes(), seed, "ab\n");
        assert_eq!(shown.concat(), text);
    }
}

#[test]
fn a_greeting_is_taken_as_it_is_up_to_its_nul() {
    for (seed, attack) in (0..).zip(attacks(MIXTURES)) {
        let attack = without(attack, 0);
        let mut script = Script::new(HelloClient::default());
        let server = script.open(());
        send_in_pieces(&mut script, server, &attack, seed);
        script.send(server, "\0\x1b[2J");
        assert_eq!(script.service.greeting(), Some(&attack[..]));
    }
}
