//! Properties of the pure layer: bytes to messages and back however they are cut, untrusted bytes to
//! safe text, and turns against a model.

use std::ops::Range;
use std::time::Duration;

use epollo::protocol::Time;
use epollo::protocol::framing::{Decoder, Framing, PADDED_BYTES, SILENCE, encode};
use proptest::prelude::*;

mod auto;
mod display;
mod ranges;
mod turns;

/// Enough cases to find what is wrong, few enough for a debug build; nothing is written to disk.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Bytes as peers send them: text, Korean, delimiters, and whatever else there is.
fn wire(pieces: Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-z ]{1,6}".prop_map(String::into_bytes),
        3 => "[가-힣]{1,3}".prop_map(String::into_bytes),
        3 => Just(b"\n".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        3 => Just(vec![0]),
        1 => Just(vec![0; 20]),
        2 => any::<Vec<u8>>().prop_map(|bytes| bytes.into_iter().take(8).collect()),
    ];
    prop::collection::vec(piece, pieces).prop_map(|pieces| pieces.concat())
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        Just(Framing::Auto),
        Just(Framing::Line),
        Just(Framing::Nul),
        (2_usize..40).prop_map(Framing::Padded),
        Just(Framing::Padded(PADDED_BYTES)),
        Just(Framing::Chunk),
    ]
}

/// How a stream goes on after its last byte.
#[derive(Clone, Copy, Debug)]
enum Then {
    Silence,
    End,
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![Just(Then::Silence), Just(Then::End)]
}

/// What came out of a decoder, and whether it then refused to go on.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    messages: Vec<Vec<u8>>,
    is_overlong: bool,
}

impl Decoded {
    fn new() -> Decoded {
        Decoded {
            messages: Vec::new(),
            is_overlong: false,
        }
    }

    fn take_all(&mut self, decoder: &mut Decoder, now: Time) {
        loop {
            match decoder.next(now) {
                Ok(Some(message)) => self.messages.push(message),
                Ok(None) => return,
                Err(_) => {
                    self.is_overlong = true;
                    assert!(decoder.next(now).is_err(), "a refusal is said again");
                    return;
                }
            }
        }
    }
}

/// Decodes pieces that arrive with no silence between them.
fn decode(mut decoder: Decoder, pieces: &[&[u8]], then: Then) -> (Decoded, Framing) {
    let mut decoded = Decoded::new();
    let mut now = Time::from_nanos(5);
    for piece in pieces {
        // Each piece is late, but not silence; two bytes 49 ms apart are not two chunks.
        now = now.after(SILENCE - Duration::from_nanos(1));
        decoder.receive(piece, now);
        decoded.take_all(&mut decoder, now);
        if decoded.is_overlong {
            return (decoded, decoder.framing());
        }
    }
    match then {
        Then::Silence => now = now.after(SILENCE),
        Then::End => decoder.finish(),
    }
    decoded.take_all(&mut decoder, now);
    (decoded, decoder.framing())
}

fn decode_whole(framing: Framing, bytes: &[u8]) -> Vec<Vec<u8>> {
    let decoder = Decoder::new(framing, 1 << 20);
    let (decoded, _) = decode(decoder, &[bytes], Then::End);
    assert!(!decoded.is_overlong);
    decoded.messages
}

/// Cuts `bytes` at these places, taken modulo the length.
fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    places.push(bytes.len());
    places.sort_unstable();
    let mut from = 0;
    let mut pieces = Vec::new();
    for to in places {
        if to > from {
            pieces.push(&bytes[from..to]);
            from = to;
        }
    }
    pieces
}

fn encoded(framing: Framing, message: &[u8]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    encode(framing, message, &mut out);
    assert!(out.starts_with(b"before"), "encoding appends");
    out.split_off(6)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn however_a_stream_is_cut_its_messages_are_the_same(
        framing in framing(),
        bytes in wire(0..30),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
        text_bytes_max in prop_oneof![1_usize..12, Just(4096)],
        then in then(),
    ) {
        let new = || Decoder::new(framing, text_bytes_max);
        let (whole, _) = decode(new(), &cut(&bytes, &[]), then);
        let (pieces, _) = decode(new(), &cut(&bytes, &cuts), then);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        let (single, _) = decode(new(), &bytewise, then);
        prop_assert_eq!(&whole, &pieces);
        prop_assert_eq!(&whole, &single);
    }

    #[test]
    fn what_is_cut_for_length_is_cut_alike_however_it_arrives_and_nothing_is_lost(
        bytes in wire(0..30),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
        text_bytes_max in 1_usize..12,
        then in then(),
    ) {
        let new = || Decoder::for_typed_lines(text_bytes_max);
        let (whole, _) = decode(new(), &cut(&bytes, &[]), then);
        let (pieces, _) = decode(new(), &cut(&bytes, &cuts), then);
        prop_assert_eq!(&whole, &pieces);
        prop_assert!(!whole.is_overlong);
        prop_assert!(whole.messages.iter().all(|message| message.len() <= text_bytes_max));
        let (all, _) = decode(new(), &cut(&bytes, &[]), Then::End);
        let is_text = |byte: &u8| *byte != b'\n' && *byte != b'\r';
        let said: Vec<u8> = all.messages.concat().into_iter().filter(is_text).collect();
        let sent: Vec<u8> = bytes.into_iter().filter(is_text).collect();
        prop_assert_eq!(said, sent);
    }

    #[test]
    fn what_is_cut_for_length_keeps_its_characters(
        text in "[a-z가-힣😀]{1,60}",
        text_bytes_max in 4_usize..20,
    ) {
        let decoder = Decoder::for_typed_lines(text_bytes_max);
        let (decoded, _) = decode(decoder, &[text.as_bytes(), b"\n"], Then::Silence);
        for message in &decoded.messages {
            prop_assert!(std::str::from_utf8(message).is_ok(), "cut inside a character");
        }
        prop_assert_eq!(decoded.messages.concat(), text.into_bytes());
    }

    #[test]
    fn a_message_without_its_delimiter_goes_there_and_back(
        framing in framing(),
        text in wire(0..12),
    ) {
        let text: Vec<u8> = text.into_iter().filter(|&byte| match framing {
            Framing::Line => byte != b'\n' && byte != b'\r',
            Framing::Nul | Framing::Padded(_) | Framing::Auto => byte != 0,
            Framing::Chunk => true,
        }).collect();
        // A peer that has not shown its framing gets the buffer of the course programs, and nothing
        // is what a chunk cannot say.
        let reading = if framing == Framing::Auto { Framing::Padded(PADDED_BYTES) } else { framing };
        let messages = decode_whole(reading, &encoded(framing, &text));
        match framing {
            Framing::Padded(_) | Framing::Auto => prop_assert_eq!(messages.concat(), text),
            Framing::Chunk if text.is_empty() => prop_assert_eq!(messages, vec![b"\n".to_vec()]),
            Framing::Line | Framing::Nul | Framing::Chunk => prop_assert_eq!(messages, vec![text]),
        }
    }

    #[test]
    fn one_message_never_becomes_two(text in wire(0..12)) {
        for (framing, delimiter) in [(Framing::Line, b'\n'), (Framing::Nul, 0)] {
            let bytes = encoded(framing, &text);
            prop_assert_eq!(bytes.iter().filter(|&&byte| byte == delimiter).count(), 1);
            prop_assert_eq!(bytes.last(), Some(&delimiter));
            let line_end: &[u8] = if framing == Framing::Line { b"\n" } else { b"" };
            let text = text.strip_suffix(line_end).unwrap_or(&text);
            let is_delimiter = |byte: u8| byte == delimiter;
            let spaced = text.iter().map(|&byte| if is_delimiter(byte) { b' ' } else { byte });
            let spaced: Vec<u8> = spaced.collect();
            prop_assert_eq!(&bytes[..bytes.len() - 1], &spaced[..]);
        }
    }

    #[test]
    fn a_padded_message_is_whole_frames_whose_texts_join(
        size in prop_oneof![2_usize..40, Just(PADDED_BYTES)],
        text in "[a-z가-힣]{0,700}",
    ) {
        let bytes = encoded(Framing::Padded(size), text.as_bytes());
        prop_assert!(!bytes.is_empty());
        prop_assert_eq!(bytes.len() % size, 0);
        let mut joined = Vec::new();
        for frame in bytes.chunks(size) {
            let end = frame.iter().position(|&byte| byte == 0);
            let end = end.expect("a C program finds a NUL in every frame");
            prop_assert!(frame[end..].iter().all(|&byte| byte == 0), "what follows is zeros");
            let is_cut_well = size <= 4 || std::str::from_utf8(&frame[..end]).is_ok();
            prop_assert!(is_cut_well, "a frame cuts no character");
            joined.extend_from_slice(&frame[..end]);
        }
        prop_assert_eq!(joined, text.into_bytes());
    }

    #[test]
    fn garbage_after_the_nul_of_a_frame_never_appears(
        size in 8_usize..64,
        texts in prop::collection::vec("[a-z]{0,7}", 1..6),
        garbage in prop::collection::vec(any::<u8>(), 64),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut bytes = Vec::new();
        for text in &texts {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(&garbage[..size - text.len() - 1]);
        }
        let decoder = Decoder::new(Framing::Padded(size), 4096);
        let (decoded, _) = decode(decoder, &cut(&bytes, &cuts), Then::Silence);
        let said: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(decoded.messages, said);
    }
}

/// What may happen to a decoder, in any order.
#[derive(Clone, Debug)]
enum Action {
    Receive(Vec<u8>),
    Pass(u64),
    Finish,
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => wire(1..6).prop_map(Action::Receive),
        4 => (0_u64..80_000_000).prop_map(Action::Pass),
        1 => Just(Action::Finish),
        1 => Just(Action::Restart),
    ]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_decoder_takes_anything_and_always_waits_for_something(
        framing in framing(),
        text_bytes_max in prop_oneof![0_usize..12, Just(4096)],
        is_typed in any::<bool>(),
        actions in prop::collection::vec(action(), 0..30),
    ) {
        let mut decoder = if is_typed {
            Decoder::for_typed_lines(text_bytes_max)
        } else {
            Decoder::new(framing, text_bytes_max)
        };
        let mut now = Time::ZERO;
        for action in actions {
            match action {
                Action::Receive(bytes) => decoder.receive(&bytes, now),
                Action::Pass(nanos) => now = now.after(Duration::from_nanos(nanos)),
                Action::Finish => decoder.finish(),
                Action::Restart => decoder.restart(now),
            }
            let mut decoded = Decoded::new();
            decoded.take_all(&mut decoder, now);
            prop_assert!(!(decoded.is_overlong && is_typed));
            prop_assert!(decoder.begun_at().is_none_or(|at| at <= now));
            let awaits_silence = decoder.wake_at().is_some_and(|at| at > now);
            let is_stuck = decoder.read_limit() == 0 && !awaits_silence;
            prop_assert!(!is_stuck || decoded.is_overlong || decoder.is_finished());
        }
    }
}

#[test]
fn empty_messages_are_messages_where_there_is_a_delimiter() {
    let empty = Vec::<u8>::new();
    assert_eq!(
        decode_whole(Framing::Line, b"\n\r\na\n"),
        [&b""[..], b"", b"a"]
    );
    assert_eq!(
        decode_whole(Framing::Nul, b"\0\0a\0"),
        [&b""[..], b"", b"a"]
    );
    assert_eq!(decode_whole(Framing::Padded(4), b"\0xyz"), [empty]);
    for framing in [Framing::Auto, Framing::Line, Framing::Nul, Framing::Chunk] {
        assert_eq!(
            decode_whole(framing, b"").len(),
            0,
            "{framing}: nothing is no message"
        );
    }
}

#[test]
fn an_end_completes_what_is_there() {
    assert_eq!(decode_whole(Framing::Line, b"a\nb"), [b"a", b"b"]);
    assert_eq!(decode_whole(Framing::Nul, b"a\0b"), [b"a", b"b"]);
    assert_eq!(decode_whole(Framing::Padded(4), b"a\0xxb\0"), [b"a", b"b"]);
    assert_eq!(decode_whole(Framing::Chunk, b"ab"), [b"ab"]);
}

#[test]
fn a_message_at_the_limit_passes_and_one_byte_more_is_refused() {
    let full = [b'x'; 10];
    let beyond = [b'x'; 11];
    for framing in [
        Framing::Line,
        Framing::Nul,
        Framing::Padded(16),
        Framing::Chunk,
    ] {
        for (text, is_allowed) in [(&full[..], true), (&beyond[..], false)] {
            let bytes = encoded(framing, text);
            let decoder = Decoder::new(framing, 10);
            let (decoded, _) = decode(decoder, &[&bytes], Then::Silence);
            assert_eq!(decoded.is_overlong, !is_allowed, "{framing} {}", text.len());
            assert_eq!(decoded.messages.len(), usize::from(is_allowed), "{framing}");
        }
    }
}
