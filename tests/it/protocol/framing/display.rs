//! Untrusted bytes as people see them: nothing acts on the terminal, Korean stays as it is, and no
//! character is cut.

use std::collections::BTreeSet;

use epollo::protocol::display::{
    COLUMNS_MIN, Escaped, INDENT, MARKS_MAX, SPACES_MAX, cut_at, in_rows, is_unsafe,
    unfinished_suffix, without_line_end,
};
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
            "s" => {
                let (count, rest) = rest.strip_prefix('{').unwrap().split_once('}').unwrap();
                bytes.resize(bytes.len() + count.parse::<usize>().unwrap(), b' ');
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
        '\u{115f}',
        '\u{1160}',
        '\u{3164}',
        '\u{ffa0}',
        '\u{2800}',
        '\u{fe00}',
        '\u{fe0f}',
        '\u{fff0}',
        '\u{e0100}',
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
    let is_filler = |one: &char| matches!(one, '\u{115f}' | '\u{1160}' | '\u{3164}');
    let all = blocks.into_iter().flatten();
    let text: String = all.filter(|one| !is_filler(one)).collect();
    assert_eq!(escaped(text.as_bytes()), text);
    for text in [
        "한글 여덟 칸:        끝",
        "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}",
        "\u{302e}가\u{302f}",
    ] {
        assert_eq!(escaped(text.as_bytes()), text);
    }
}

#[test]
fn long_runs_of_spaces_are_written_out_with_their_length() {
    let eight = " ".repeat(SPACES_MAX);
    assert_eq!(
        escaped(format!("a{eight}b").as_bytes()),
        format!("a{eight}b")
    );
    assert_eq!(escaped(format!("a{eight} b").as_bytes()), "a\\s{9}b");
    assert_eq!(escaped(" ".repeat(500).as_bytes()), "\\s{500}");
    assert_eq!(
        escaped("\u{3000}".repeat(8).as_bytes()),
        "\u{3000}".repeat(8)
    );
    assert_eq!(
        escaped("\u{3000}".repeat(9).as_bytes()),
        "\\u{3000}".repeat(9)
    );
    let mixed = format!("\u{a0}{eight}\u{2003}");
    assert_eq!(escaped(mixed.as_bytes()), "\\u{a0}\\s{8}\\u{2003}");
}

#[test]
fn stacked_marks_are_written_out() {
    let eight = "\u{301}".repeat(MARKS_MAX);
    assert_eq!(
        escaped(format!("e{eight}!").as_bytes()),
        format!("e{eight}!")
    );
    let shown = escaped(format!("e{eight}\u{20dd}!").as_bytes());
    assert_eq!(
        shown,
        format!("e{}\\u{{20dd}}!", "\\u{301}".repeat(MARKS_MAX))
    );
}

/// The widest that any terminal draws it.
fn columns_of(row: &str) -> usize {
    row.chars()
        .map(|one| if one.is_ascii() { 1 } else { 2 })
        .sum()
}

#[test]
fn what_fits_into_the_window_is_one_row() {
    for (line, columns) in [("", 80), ("12345678", 8), ("가나다라", 8), ("가나다라a", 9)] {
        assert_eq!(in_rows(line, columns), line);
    }
    assert_eq!(in_rows("123456789", 8), "12345678\n    9");
    assert_eq!(
        in_rows("123456789", 1),
        "12345678\n    9",
        "narrower ones are taken for 8"
    );
    assert_eq!(in_rows("가나다라마바사", 8), "가나다라\n    마바\n    사");
    assert_eq!(in_rows("1234567가", 8), "1234567\n    가");
    assert_eq!(
        in_rows("1234567e\u{301}", 8),
        "1234567\n    e\u{301}",
        "a mark stays where it belongs"
    );
    assert_eq!(
        in_rows("12345678\u{1112}\u{1161}\u{11ab}", 12),
        "12345678\n    \u{1112}\u{1161}\u{11ab}",
        "so does a syllable in letters"
    );
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
        // Runs of spaces and marks have tests of their own.
        let pieces = plain.chars().collect::<Vec<_>>();
        for piece in pieces.chunks(SPACES_MAX) {
            let piece: String = piece.iter().collect();
            prop_assert_eq!(escaped(piece.as_bytes()), piece);
        }
    }

    #[test]
    fn nothing_imitates_a_line_of_ours(
        message in "([ \u{a0}\u{3000}]{1,90}|[가-힣ㅤ\u{fe0f}\u{301}\u{2800}]{1,60}|Disconnected|me > |\\PC{1,50}){1,6}",
        columns in 1_usize..200,
    ) {
        let message = escaped(message.as_bytes());
        prop_assert!(!message.contains(&" ".repeat(SPACES_MAX + 1)), "{message:?}");
        let line = format!("client : {message}");
        let shown = in_rows(&line, columns);
        for row in shown.split('\n') {
            prop_assert!(columns_of(row) <= columns.max(COLUMNS_MIN), "{row:?} is too wide");
        }
        for row in shown.split('\n').skip(1) {
            prop_assert!(row.starts_with(INDENT), "{row:?} looks like a line of ours");
        }
        prop_assert_eq!(shown.replace(&format!("\n{INDENT}"), ""), line, "nothing is lost");
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
