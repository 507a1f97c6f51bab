//! The echo server: every byte goes back and no other, in order, until the quit word if there is
//! one; what is printed of it is safe.

use std::time::Duration;

use epollo::protocol::PeerId;
use epollo::protocol::echo::{Echo, PRINTED_BYTES_MAX, Settings};
use epollo::protocol::framing::SILENCE;

use super::choices::{Choices, assert_one_line};
use crate::protocol::script::Script;

/// Talks to a server over one to three connections.
pub fn echo(data: &[u8]) {
    let mut choices = Choices::new(data);
    let quit = quit_word(&mut choices);
    let print = choices.once_in(2);
    let service = Echo::new(Settings {
        quit: quit.clone(),
        print,
    });
    let read_bytes_max = choices.one_of(&[usize::MAX, 1, 2, 5]);
    let mut script = Script::new(service).reading_at_most(read_bytes_max);
    let mut clients: Vec<Client> = (0..=choices.below(3))
        .map(|_| Client::new(script.open(())))
        .collect();
    let mut now = Duration::ZERO;
    while !choices.is_over() {
        let at = choices.below(clients.len());
        now += act(&mut script, &mut clients[at], now, &mut choices);
        for client in &mut clients {
            client.look(&mut script, quit.as_deref(), now);
        }
        if choices.once_in(4) {
            assert_printed(&mut script, print);
        }
    }
    for client in &mut clients {
        client.finish(&mut script);
        client.look(&mut script, quit.as_deref(), now);
        assert!(script.has_end(client.id), "an echo that never ends");
        assert!(script.ending(client.id).is_some(), "a peer that stays");
    }
    assert_printed(&mut script, print);
}

fn quit_word(choices: &mut Choices<'_>) -> Option<Vec<u8>> {
    let words: [&[u8]; 6] = [b"", b"Q", b"exit", b"a\r", "가".as_bytes(), b"aa"];
    let word = choices.one_of(&words);
    (!word.is_empty()).then(|| word.to_vec())
}

struct Client {
    id: PeerId,
    /// What it sent and when.
    sent: Vec<(Duration, Vec<u8>)>,
    back: Vec<u8>,
    has_finished: bool,
}

impl Client {
    fn new(id: PeerId) -> Client {
        Client {
            id,
            sent: Vec::new(),
            back: Vec::new(),
            has_finished: false,
        }
    }

    fn finish(&mut self, script: &mut Script<Echo>) {
        if !self.has_finished {
            self.has_finished = true;
            script.finish(self.id);
        }
    }

    fn look(&mut self, script: &mut Script<Echo>, quit: Option<&[u8]>, now: Duration) {
        self.back.extend(script.sent(self.id));
        let (expected, has_quit) = reference(&self.sent, quit, now);
        assert_eq!(self.back, expected, "of {:x?} with {quit:x?}", self.sent);
        let is_over = has_quit || self.has_finished;
        assert_eq!(script.has_end(self.id), is_over, "of {:x?}", self.sent);
    }
}

/// What must have come back by `now`, and whether the quit word was said.
fn reference(sent: &[(Duration, Vec<u8>)], quit: Option<&[u8]>, now: Duration) -> (Vec<u8>, bool) {
    let mut back = Vec::new();
    let mut message = Vec::new();
    let mut latest = Duration::ZERO;
    for (at, piece) in sent {
        if *at >= latest + SILENCE {
            if quit == Some(&message) {
                return (back, true);
            }
            message.clear();
        }
        latest = *at;
        for &byte in piece {
            back.push(byte);
            let line = message.strip_suffix(b"\r").filter(|_| byte == b'\n');
            let is_whole = byte == b'\n' || byte == 0;
            if is_whole && quit.is_some_and(|word| message == word || line == Some(word)) {
                return (back, true);
            }
            if is_whole {
                message.clear();
            } else {
                message.push(byte);
            }
        }
    }
    let has_quit = quit == Some(&message) && now >= latest + SILENCE;
    (back, has_quit)
}

/// Does one thing; how long it took.
fn act(
    script: &mut Script<Echo>,
    client: &mut Client,
    now: Duration,
    choices: &mut Choices<'_>,
) -> Duration {
    match choices.below(8) {
        0..=4 => {
            let piece = piece(choices);
            if !piece.is_empty() && !client.has_finished && script.ending(client.id).is_none() {
                script.send(client.id, &piece);
                client.sent.push((now, piece));
            }
        }
        5 => {
            let pause = choices.pause();
            script.advance(pause);
            return pause;
        }
        6 => script.nudge(client.id),
        _ if choices.once_in(8) => client.finish(script),
        _ => {}
    }
    Duration::ZERO
}

fn piece(choices: &mut Choices<'_>) -> Vec<u8> {
    let words: [&[u8]; 10] = [
        b"Q",
        b"e",
        b"xit",
        b"exit",
        b"a",
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        "가".as_bytes(),
    ];
    let pieces = choices.below(5);
    if choices.once_in(3) {
        return choices.wire(pieces);
    }
    let chosen: Vec<&[u8]> = (0..pieces).map(|_| choices.one_of(&words)).collect();
    chosen.concat()
}

fn assert_printed(script: &mut Script<Echo>, print: bool) {
    let lines: Vec<String> = script.service.printed().collect();
    assert!(print || lines.is_empty());
    let bytes: usize = lines.iter().map(String::len).sum();
    assert!(bytes < 2 * PRINTED_BYTES_MAX, "bounded");
    for line in lines {
        assert!(line.starts_with("message from client : "));
        assert_one_line(&line);
    }
}
