//! A stream is cut into the same messages however it arrives; what a decoder takes is bounded by
//! its window, and what is encoded for a peer is what that peer decodes.

use std::time::Duration;

use epollo::protocol::Time;
use epollo::protocol::framing::{Decoder, Framing, PADDED_BYTES, SILENCE, encode};

use super::choices::Choices;

/// Decodes a stream in several ways, and encodes it.
pub fn framing(data: &[u8]) {
    let mut choices = Choices::new(data);
    let framing = match choices.below(8) {
        0 => Framing::Auto,
        1 | 2 => Framing::Line,
        3 => Framing::Nul,
        4 => Framing::Padded(2 + choices.below(39)),
        5 => Framing::Padded(PADDED_BYTES),
        6 => Framing::Chunk,
        _ => return typed_lines(&mut choices),
    };
    let limit = choices.one_of(&[1, 2, 5, 11, 1021, 1022, 1023, 1024, 4096]);
    let stream = stream(&mut choices);
    let ends = choices.once_in(2);
    round_trip(framing, &stream);
    match framing {
        Framing::Line | Framing::Nul | Framing::Padded(_) => {
            let expected = reference(framing, &stream, limit, ends);
            let mut reading = Reading::new(Decoder::new(framing, limit));
            reading.all_at_once(&stream, ends);
            reading.decoded.assert_is(&expected);
            let mut reading = Reading::new(Decoder::new(framing, limit));
            reading.in_pieces(&stream, ends, &mut choices);
            reading.decoded.assert_is(&expected);
        }
        Framing::Auto | Framing::Chunk => {
            let mut whole = Reading::new(Decoder::new(framing, limit));
            whole.all_at_once(&stream, ends);
            let mut pieces = Reading::new(Decoder::new(framing, limit));
            pieces.without_silence(&stream, ends, &mut choices);
            pieces.decoded.assert_is(&whole.decoded);
            let mut reading = Reading::new(Decoder::new(framing, limit));
            reading.in_pieces(&stream, ends, &mut choices);
            assert!(reading.decoded.texts.concat().len() <= stream.len());
        }
    }
}

fn stream(choices: &mut Choices<'_>) -> Vec<u8> {
    let pieces = choices.below(24);
    let mut stream = choices.wire(pieces);
    if choices.once_in(4) {
        // Around the sizes at which `auto` and `padded` decide.
        let fill = choices.one_of(&[b'x', 0, b'\n', 0xed]);
        let size = PADDED_BYTES * (1 + choices.below(4)) + choices.below(5) - 2;
        stream.resize(size, fill);
        let more = choices.below(8);
        stream.extend_from_slice(&choices.wire(more));
    }
    stream
}

/// What came out of a decoder, and whether it then refused to go on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    texts: Vec<Vec<u8>>,
    is_overlong: bool,
}

impl Decoded {
    fn assert_is(&self, expected: &Decoded) {
        let short = |decoded: &Decoded| -> Vec<(usize, String)> {
            let texts = decoded.texts.iter();
            let short = |text: &Vec<u8>| text.escape_ascii().take(40).map(char::from).collect();
            texts.map(|text| (text.len(), short(text))).collect()
        };
        assert!(
            self == expected,
            "{:?} {} where expected {:?} {}",
            short(self),
            self.is_overlong,
            short(expected),
            expected.is_overlong
        );
    }
}

/// What a stream means, for framings that do not depend on time.
fn reference(framing: Framing, stream: &[u8], limit: usize, ends: bool) -> Decoded {
    let mut decoded = Decoded::default();
    let mut rest = stream;
    while !rest.is_empty() {
        let whole = match framing {
            Framing::Line => rest.iter().position(|&byte| byte == b'\n'),
            Framing::Nul => rest.iter().position(|&byte| byte == 0),
            Framing::Padded(size) => (rest.len() >= size).then_some(size - 1),
            Framing::Auto | Framing::Chunk => unreachable!("they depend on time"),
        };
        let all = whole.map_or(rest.len(), |last| last + 1);
        let mut text = &rest[..all];
        match framing {
            Framing::Line if whole.is_some() => {
                text = &text[..all - 1];
                text = text.strip_suffix(b"\r").unwrap_or(text);
            }
            Framing::Nul if whole.is_some() => text = &text[..all - 1],
            Framing::Padded(_) => {
                let end = text.iter().position(|&byte| byte == 0);
                text = &text[..end.unwrap_or(all)];
            }
            Framing::Line | Framing::Nul | Framing::Auto | Framing::Chunk => {}
        }
        // Of an unfinished frame nobody knows where its text ends; that an unfinished line is too
        // long is known one byte late, since that byte may be the `\r` before its end.
        let is_due = whole.is_some() || ends;
        let is_hopeless = !matches!(framing, Framing::Padded(_)) && text.len() > limit + 1;
        if text.len() > limit && (is_due || is_hopeless) {
            decoded.is_overlong = true;
            return decoded;
        }
        if !is_due {
            return decoded;
        }
        decoded.texts.push(text.to_vec());
        rest = &rest[all..];
    }
    decoded
}

/// A decoder at work, with everything that it must keep to at every step.
struct Reading {
    decoder: Decoder,
    decoded: Decoded,
    now: Time,
}

impl Reading {
    fn new(decoder: Decoder) -> Reading {
        Reading {
            decoder,
            decoded: Decoded::default(),
            now: Time::from_nanos(5),
        }
    }

    fn take_all(&mut self) {
        loop {
            match self.decoder.next(self.now) {
                Ok(Some(text)) => self.decoded.texts.push(text),
                Ok(None) => break,
                Err(_) => {
                    self.decoded.is_overlong = true;
                    let again = self.decoder.next(self.now);
                    assert!(again.is_err(), "a refusal is said again");
                    return;
                }
            }
        }
        let awaits_silence = self.decoder.wake_at().is_some_and(|at| at > self.now);
        let can_go_on =
            self.decoder.read_limit() > 0 || awaits_silence || self.decoder.is_finished();
        assert!(can_go_on, "it waits for nothing that can come");
        assert!(self.decoder.begun_at().is_none_or(|at| at <= self.now));
    }

    fn receive(&mut self, piece: &[u8]) {
        if self.decoded.is_overlong {
            return;
        }
        self.decoder.receive(piece, self.now);
        self.take_all();
    }

    fn pass(&mut self, pause: Duration) {
        self.now = self.now.after(pause);
        if !self.decoded.is_overlong {
            self.take_all();
        }
    }

    fn end(&mut self, ends: bool) {
        if ends {
            self.decoder.finish();
        }
        self.pass(SILENCE);
    }

    fn all_at_once(&mut self, stream: &[u8], ends: bool) {
        if !stream.is_empty() {
            self.receive(stream);
        }
        self.end(ends);
    }

    /// As the reactor reads: no more than the window, in its own time.
    fn in_pieces(&mut self, stream: &[u8], ends: bool, choices: &mut Choices<'_>) {
        let mut rest = stream;
        while !rest.is_empty() && !self.decoded.is_overlong {
            self.pass(choices.pause());
            let read_limit = self.decoder.read_limit();
            if read_limit == 0 {
                self.pass(SILENCE);
                continue;
            }
            let wished = [1, 2, 3, 7, 1024, usize::MAX];
            let count = choices.one_of(&wished).min(read_limit).min(rest.len());
            let (piece, after) = rest.split_at(count);
            self.receive(piece);
            rest = after;
        }
        self.end(ends);
    }

    fn without_silence(&mut self, stream: &[u8], ends: bool, choices: &mut Choices<'_>) {
        let mut rest = stream;
        while !rest.is_empty() {
            self.pass(choices.pause().min(SILENCE - Duration::from_nanos(1)));
            let wished = 1 + choices.below(9);
            let (piece, after) = rest.split_at(wished.min(rest.len()));
            self.receive(piece);
            rest = after;
        }
        self.end(ends);
    }
}

/// What our own user types: a line that is too long is cut, and nothing else changes.
fn typed_lines(choices: &mut Choices<'_>) {
    let limit = choices.one_of(&[1, 2, 3, 4, 5, 11, 4096]);
    let stream = stream(choices);
    let mut whole = Reading::new(Decoder::for_typed_lines(limit));
    whole.all_at_once(&stream, true);
    let mut pieces = Reading::new(Decoder::for_typed_lines(limit));
    pieces.in_pieces(&stream, true, choices);
    pieces.decoded.assert_is(&whole.decoded);
    assert!(!whole.decoded.is_overlong);
    let is_text = |byte: &u8| *byte != b'\n' && *byte != b'\r';
    let said = whole.decoded.texts.iter().flatten().copied();
    let typed = stream.iter().copied().filter(is_text);
    assert!(said.filter(is_text).eq(typed), "something typed is lost");
    for text in &whole.decoded.texts {
        assert!(text.len() <= limit);
    }
}

/// What a peer gets is what was said, but for what it cannot be told in its framing.
fn round_trip(framing: Framing, message: &[u8]) {
    let mut wire = b"before".to_vec();
    encode(framing, message, &mut wire);
    let wire = wire.strip_prefix(b"before").expect("encoding appends");
    let reading = match framing {
        Framing::Auto => Framing::Padded(PADDED_BYTES),
        Framing::Line | Framing::Nul | Framing::Padded(_) | Framing::Chunk => framing,
    };
    let mut peer = Reading::new(Decoder::new(reading, 1 << 20));
    peer.all_at_once(wire, false);
    assert!(!peer.decoded.is_overlong);
    let texts = peer.decoded.texts;
    let spaced = |text: &[u8], delimiter: u8| -> Vec<u8> {
        let bytes = text.iter();
        let bytes = bytes.map(|&byte| if byte == delimiter { b' ' } else { byte });
        bytes.collect()
    };
    match reading {
        Framing::Line => {
            let text = spaced(message.strip_suffix(b"\n").unwrap_or(message), b'\n');
            let text = text.strip_suffix(b"\r").unwrap_or(&text);
            assert_eq!(texts, [text]);
        }
        Framing::Nul => assert_eq!(texts, [spaced(message, 0)]),
        Framing::Padded(size) => {
            assert_eq!(wire.len() % size, 0, "whole frames");
            assert_eq!(texts.concat(), spaced(message, 0));
            assert!(texts.iter().all(|text| text.len() < size), "each has a NUL");
        }
        Framing::Chunk if message.is_empty() => assert_eq!(texts, [b"\n"]),
        Framing::Chunk | Framing::Auto => assert_eq!(texts, [message]),
    }
}
