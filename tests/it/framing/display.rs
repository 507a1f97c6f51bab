//! Untrusted bytes as people see them: nothing acts on the terminal, Korean stays as it is, and no
//! character is cut.

use std::collections::BTreeSet;

use epollo::protocol::display::{Escaped, cut_at, is_unsafe, unfinished_suffix, without_line_end};
use proptest::prelude::*;

use super::{cases, wire};

fn escaped(bytes: &[u8]) -> String {
    Escaped(bytes).to_string()
}

fn assert_safe(text: &str) {
    for character in text.chars() {
        let code = u32::from(character);
        let is_control = code < 0x20 || (0x7f..=0x9f).contains(&code);
        assert!(
            !is_control && !is_unsafe(character),
            "U+{code:04X} is shown as it is"
        );
    }
}

/// Every beginning of a character that is not yet the character.
fn beginnings() -> BTreeSet<Vec<u8>> {
    // Beginnings do not depend on the last six bits, so every 64th character has them all.
    let characters = (0x80..=0x10_ffff_u32)
        .step_by(64)
        .filter_map(char::from_u32);
    characters
        .flat_map(|character| {
            let text = character.to_string().into_bytes();
            (1..text.len()).map(move |length| text[..length].to_vec())
        })
        .collect()
}

/// The bytes that were escaped; there was no backslash among them.
fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (kind, rest) = part.split_at(1);
        let rest = match kind {
            "x" => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                &rest[2..]
            }
            "u" => {
                let (code, rest) = rest.strip_prefix('{').unwrap().split_once('}').unwrap();
                let character = u32::from_str_radix(code, 16).unwrap();
                let character = char::from_u32(character).unwrap();
                bytes.extend_from_slice(character.to_string().as_bytes());
                rest
            }
            plain => {
                let place = ["n", "r", "t", "0"]
                    .iter()
                    .position(|&other| other == plain);
                bytes.push(b"\n\r\t\0"[place.unwrap()]);
                rest
            }
        };
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

#[test]
fn no_character_of_all_acts_on_a_terminal() {
    let all: String = (0..=0x10_ffff_u32).filter_map(char::from_u32).collect();
    assert_safe(&escaped(all.as_bytes()));
}

#[test]
fn no_pair_of_bytes_acts_on_a_terminal() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            assert_safe(&escaped(&[first, second]));
        }
    }
}

#[test]
fn what_hides_reorders_or_moves_is_written_out() {
    for character in [
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200d}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{fff9}',
        '\u{e0001}',
        '\u{e007f}',
    ] {
        assert!(is_unsafe(character), "U+{:04X}", u32::from(character));
    }
    assert_eq!(escaped(b"\n\r\t\0\x1b[2J\x7f"), "\\n\\r\\t\\0\\x1b[2J\\x7f");
    assert_eq!(escaped("\u{9b}\u{202e}".as_bytes()), "\\u{9b}\\u{202e}");
    assert_eq!(
        escaped(b"a\xff\xed\x95b\xed\x95\x9c\xf0\x9f"),
        "a\\xff\\xed\\x95b한\\xf0\\x9f"
    );
}

#[test]
fn all_korean_stays_as_it_is() {
    let blocks = [
        '\u{ac00}'..='\u{d7a3}', // syllables
        '\u{1100}'..='\u{11ff}', // jamo
        '\u{3131}'..='\u{318e}', // compatibility jamo
        '\u{a960}'..='\u{a97c}', // jamo extended A
        '\u{d7b0}'..='\u{d7fb}', // jamo extended B
        ' '..='~',
    ];
    let text: String = blocks.into_iter().flatten().collect();
    assert_eq!(escaped(text.as_bytes()), text);
}

#[test]
fn at_most_one_line_end_goes() {
    for (message, expected) in [
        (&b"a\n"[..], &b"a"[..]),
        (b"a\r\n", b"a"),
        (b"a\n\n", b"a\n"),
        (b"a\r", b"a\r"),
        (b"\n", b""),
        (b"", b""),
    ] {
        assert_eq!(without_line_end(message), expected);
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn nothing_that_is_shown_acts_on_a_terminal(
        bytes in prop_oneof![wire(0..20), prop::collection::vec(any::<u8>(), 0..60)],
    ) {
        assert_safe(&escaped(&bytes));
    }

    #[test]
    fn what_is_written_out_tells_every_byte(
        bytes in prop_oneof![wire(0..20), prop::collection::vec(any::<u8>(), 0..60)],
    ) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|&byte| byte != b'\\').collect();
        prop_assert_eq!(unescaped(&escaped(&bytes)), bytes);
    }

    #[test]
    fn what_prints_is_shown_as_it_is(text in "\\PC{0,40}") {
        let plain: String = text.chars().filter(|&character| !is_unsafe(character)).collect();
        prop_assert_eq!(escaped(plain.as_bytes()), plain);
    }

    #[test]
    fn an_unfinished_character_is_found_exactly(
        bytes in prop_oneof![wire(0..6), prop::collection::vec(any::<u8>(), 0..6)],
    ) {
        thread_local! {
            static BEGINNINGS: BTreeSet<Vec<u8>> = beginnings();
        }
        let expected = BEGINNINGS.with(|beginnings| {
            (1..=bytes.len().min(3))
                .find(|length| beginnings.contains(&bytes[bytes.len() - length..]))
                .unwrap_or(0)
        });
        prop_assert_eq!(unfinished_suffix(&bytes), expected);
    }

    #[test]
    fn text_that_is_held_back_where_it_is_unfinished_stays_text(
        text in "[a-z가-힣é😀]{1,12}",
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = text.as_bytes();
        let arrived = &bytes[..at.index(bytes.len() + 1)];
        let (whole, held) = arrived.split_at(arrived.len() - unfinished_suffix(arrived));
        prop_assert!(std::str::from_utf8(whole).is_ok());
        prop_assert_eq!(held.is_empty(), text.is_char_boundary(arrived.len()));
    }

    #[test]
    fn text_is_cut_at_the_last_place_between_characters(
        text in "[a-z가-힣é😀]{0,12}",
        limit in 4_usize..40,
    ) {
        let expected = (0..=limit.min(text.len())).rfind(|&at| text.is_char_boundary(at));
        prop_assert_eq!(Some(cut_at(text.as_bytes(), limit)), expected);
    }

    #[test]
    fn any_bytes_are_cut_near_the_limit_and_never_at_nothing(
        bytes in prop::collection::vec(any::<u8>(), 1..30),
        limit in 1_usize..32,
    ) {
        let at = cut_at(&bytes, limit);
        prop_assert!(at >= 1 && at <= limit.min(bytes.len()));
        prop_assert!(at + 3 >= limit.min(bytes.len()));
    }
}
