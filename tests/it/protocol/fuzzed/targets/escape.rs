//! Untrusted bytes on their way to people: whatever they are, what is shown is safe, tells every
//! byte, and leaves alone what prints; nothing is cut inside a character.

use epollo::protocol::display::{Escaped, cut_at, is_unsafe, unfinished_suffix, without_line_end};

use super::choices::{Choices, assert_one_line};

/// Shows, cuts and holds back bytes.
pub fn escape(data: &[u8]) {
    let mut choices = Choices::new(data);
    let bytes = if choices.once_in(2) {
        choices.raw(usize::MAX).to_vec()
    } else {
        let pieces = choices.below(40);
        choices.wire(pieces)
    };
    let limit = 1 + choices.below(bytes.len().clamp(1, 1000) + 3);
    shown_is_safe(&bytes);
    what_is_unfinished_is_found(&bytes);
    a_cut_is_between_characters(&bytes, limit);
    pieces_are_the_whole(&bytes, limit);
    at_most_one_line_end_goes(&bytes);
}

fn shown_is_safe(bytes: &[u8]) {
    let shown = Escaped(bytes).to_string();
    assert_one_line(&shown);
    assert!(!shown.chars().any(is_unsafe));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let plain: Vec<char> = text.chars().filter(|&one| !is_unsafe(one)).collect();
        // Shorter than any run that is written out.
        for piece in plain.chunks(8) {
            let piece: String = piece.iter().collect();
            let shown = Escaped(piece.as_bytes()).to_string();
            assert_eq!(shown, piece, "what prints stays");
        }
    }
    // A backslash of the peer's is shown as it is, and would look like one of ours.
    if !bytes.contains(&b'\\') {
        assert_eq!(unescaped(&shown), bytes, "{shown:?} tells every byte");
    }
}

/// The bytes that are shown so; there was no backslash among them.
pub fn unescaped(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = shown;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let mut letters = escape.chars();
        rest = match letters.next() {
            Some('x') => {
                bytes.push(u8::from_str_radix(&escape[1..3], 16).expect("two digits"));
                &escape[3..]
            }
            Some('u') => {
                let (code, rest) = escape[2..].split_once('}').expect("a closing brace");
                let code = u32::from_str_radix(code, 16).expect("a number");
                let character = char::from_u32(code).expect("a character");
                bytes.extend_from_slice(character.to_string().as_bytes());
                rest
            }
            Some('s') => {
                let (count, rest) = escape[2..].split_once('}').expect("a closing brace");
                let count: usize = count.parse().expect("a number");
                bytes.resize(bytes.len() + count, b' ');
                rest
            }
            letter => {
                let byte = match letter {
                    Some('n') => b'\n',
                    Some('r') => b'\r',
                    Some('t') => b'\t',
                    Some('0') => 0,
                    other => panic!("{other:?} is no escape of ours"),
                };
                bytes.push(byte);
                letters.as_str()
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Whether these bytes are the beginning of a character, and not a character.
fn is_beginning(bytes: &[u8]) -> bool {
    // One of these completes it, where anything does: the second byte is what E0, ED, F0 and F4
    // are particular about.
    let ends: [&[u8]; 8] = [
        b"\x80",
        b"\xbf",
        b"\x80\x80",
        b"\xbf\x80",
        b"\x80\x80\x80",
        b"\xbf\x80\x80",
        b"\x90\x80\x80",
        b"\xa0\x80",
    ];
    ends.iter().any(|end| {
        let whole = [bytes, end].concat();
        std::str::from_utf8(&whole).is_ok_and(|text| text.chars().count() == 1)
    })
}

fn what_is_unfinished_is_found(bytes: &[u8]) {
    let held = unfinished_suffix(bytes);
    let expected = (1..=bytes.len().min(3))
        .find(|&length| is_beginning(&bytes[bytes.len() - length..]))
        .unwrap_or(0);
    assert_eq!(held, expected, "held back of {bytes:x?}");
}

fn a_cut_is_between_characters(bytes: &[u8], limit: usize) {
    let at = cut_at(bytes, limit);
    let most = limit.min(bytes.len());
    assert!(at <= most && at + 3 >= most, "{at} of {most}");
    assert!(at > 0 || bytes.is_empty(), "a cut at nothing never ends");
    if let Ok(text) = std::str::from_utf8(bytes) {
        let is_between = text.is_char_boundary(at);
        assert!(is_between || limit < 4, "{text:?} is cut at {at}");
    }
}

/// Text that comes in pieces, and is shown as far as it is finished, tells what it would tell whole. (A
/// run of spaces that is cut may be written out or not.)
fn pieces_are_the_whole(bytes: &[u8], step: usize) {
    let mut shown = String::new();
    let mut held: Vec<u8> = Vec::new();
    for piece in bytes.chunks(step) {
        held.extend_from_slice(piece);
        let rest = held.split_off(held.len() - unfinished_suffix(&held));
        shown.push_str(&Escaped(&held).to_string());
        held = rest;
    }
    shown.push_str(&Escaped(&held).to_string());
    if !bytes.contains(&b'\\') {
        assert_eq!(unescaped(&shown), bytes);
    }
}

fn at_most_one_line_end_goes(bytes: &[u8]) {
    let text = without_line_end(bytes);
    let end = &bytes[text.len()..];
    assert!(bytes.starts_with(text));
    let is_kept = end.is_empty() && !bytes.ends_with(b"\n");
    let is_gone = end == b"\r\n" || (end == b"\n" && !text.ends_with(b"\r"));
    assert!(is_kept || is_gone, "{end:?} went");
}
