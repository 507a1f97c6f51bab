//! `auto`: the first message decides the framing, as the table of the contract says.

use epollo::protocol::Time;
use epollo::protocol::framing::{Decoder, Framing, PADDED_BYTES, SILENCE};
use proptest::prelude::*;

use super::{Decoded, Then, cases, cut, decode, then, wire};

/// The table of the contract: what a peer is taken for that first sends these bytes and is silent.
fn table(bytes: &[u8]) -> Framing {
    let first = bytes.iter().find(|byte| [b'\n', 0].contains(byte));
    match first {
        Some(b'\n') => Framing::Line,
        Some(_) if bytes.len().is_multiple_of(PADDED_BYTES) => Framing::Padded(PADDED_BYTES),
        Some(_) => Framing::Nul,
        None if bytes.is_empty() => Framing::Auto,
        None => Framing::Chunk,
    }
}

/// Bytes that end on or beside a multiple of the course programs' buffer.
fn near_a_frame() -> impl Strategy<Value = Vec<u8>> {
    (wire(1..8), 1_usize..4, 0_usize..3).prop_map(|(mut bytes, frames, off)| {
        bytes.truncate(PADDED_BYTES);
        bytes.resize(frames * PADDED_BYTES - 1 + off, b'g');
        bytes
    })
}

/// Reads as a reactor does: no further than the window, and after silence when there is none.
fn decode_by_window(mut decoder: Decoder, mut bytes: &[u8]) -> (Decoded, Framing) {
    let mut decoded = Decoded::new();
    let mut now = Time::ZERO;
    while !bytes.is_empty() && !decoded.is_overlong {
        let (front, rest) = bytes.split_at(decoder.read_limit().min(bytes.len()));
        if front.is_empty() {
            let silence = decoder.wake_at().expect("a full decoder awaits silence");
            assert!(silence > now, "once the silence has passed it is not full");
            now = silence;
        } else {
            decoder.receive(front, now);
        }
        bytes = rest;
        decoded.take_all(&mut decoder, now);
    }
    decoded.take_all(&mut decoder, now.after(SILENCE));
    (decoded, decoder.framing())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_first_message_decides(
        bytes in prop_oneof![wire(0..12), near_a_frame()],
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        then in then(),
    ) {
        let decoder = Decoder::new(Framing::Auto, 1 << 20);
        let (decoded, framing) = decode(decoder, &cut(&bytes, &cuts), then);
        prop_assert_eq!(framing, table(&bytes));
        let known = Decoder::new(framing, 1 << 20);
        let (expected, _) = decode(known, &cut(&bytes, &cuts), then);
        prop_assert_eq!(decoded, expected, "once decided it is as if it had been known");
    }

    #[test]
    fn what_is_decided_stays(first in wire(1..5), later in wire(0..10)) {
        prop_assume!(!first.is_empty());
        let mut decoder = Decoder::new(Framing::Auto, 1 << 20);
        let mut now = Time::ZERO;
        for bytes in [&first, &later] {
            decoder.receive(bytes, now);
            now = now.after(SILENCE);
            Decoded::new().take_all(&mut decoder, now);
            prop_assert_eq!(decoder.framing(), table(&first));
        }
    }

    #[test]
    fn reading_by_the_window_changes_no_message(
        framing in prop_oneof![Just(Framing::Line), Just(Framing::Nul), Just(Framing::Padded(16))],
        bytes in wire(0..40),
        text_bytes_max in 1_usize..30,
    ) {
        let new = || Decoder::new(framing, text_bytes_max);
        let (by_window, _) = decode_by_window(new(), &bytes);
        let (whole, _) = decode(new(), &[&bytes], Then::Silence);
        prop_assert_eq!(by_window, whole);
    }
}

#[test]
fn nothing_but_a_newline_decides_before_the_silence() {
    for (bytes, expected) in [
        (&b"hi\n"[..], Framing::Line),
        (b"hi\0", Framing::Auto),
        (b"hi", Framing::Auto),
    ] {
        let mut decoder = Decoder::new(Framing::Auto, 4096);
        decoder.receive(bytes, Time::ZERO);
        let just_before = Time::from_nanos(49_999_999);
        Decoded::new().take_all(&mut decoder, just_before);
        assert_eq!(decoder.framing(), expected, "{bytes:?}");
    }
}

#[test]
fn a_flood_of_padded_frames_is_padded() {
    let mut frame = vec![b'x'; PADDED_BYTES];
    frame[2] = 0;
    let flood = frame.repeat(9);
    let decoder = Decoder::new(Framing::Auto, 4096);
    let (decoded, framing) = decode_by_window(decoder, &flood);
    assert_eq!(framing, Framing::Padded(PADDED_BYTES));
    assert_eq!(decoded.messages, vec![b"xx".to_vec(); 9]);
}

#[test]
fn a_flood_of_nul_messages_is_not_taken_for_padded() {
    let flood = b"nine.....\0".repeat(600);
    let decoder = Decoder::new(Framing::Auto, 4096);
    let (decoded, framing) = decode_by_window(decoder, &flood);
    assert_eq!(framing, Framing::Nul);
    assert_eq!(decoded.messages.len(), 600);
}

#[test]
fn a_first_message_that_is_too_long_is_refused_however_it_arrives() {
    let limit = 1024;
    let read_limit = Decoder::new(Framing::Auto, limit).read_limit();
    let mut bytes = vec![b'x'; read_limit];
    bytes[limit + 900] = 0;
    let halves = bytes.split_at(limit + 2);
    for pieces in [&[&bytes[..]][..], &[halves.0, halves.1]] {
        let decoder = Decoder::new(Framing::Auto, limit);
        let (decoded, _) = decode(decoder, pieces, Then::Silence);
        assert!(decoded.is_overlong && decoded.messages.is_empty());
    }
}
