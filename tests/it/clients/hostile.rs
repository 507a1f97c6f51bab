//! What a hostile peer sends and our user's terminal must never receive: controls, escape sequences,
//! marks that hide or reorder, and bytes that are no text. Korean among it must arrive unchanged.

use crate::protocol::fuzzed::targets::choices::{Choices, assert_one_line};
use crate::protocol::fuzzed::targets::escape::unescaped;
use crate::support::Random;

mod clients;
mod machines;
mod operator;

/// How every attack begins and ends: text that is to be seen as it is.
const BEFORE: &str = "안녕 ";
const AFTER: &str = " 하세요";

/// Attacks that leave nothing out, then seeded mixtures; each between Korean words. There is no
/// backslash in them, which would look like one of ours.
fn attacks(mixtures: u64) -> Vec<Vec<u8>> {
    let marks = ('\0'..' ')
        .chain('\u{7f}'..='\u{a0}')
        .chain('\u{200b}'..='\u{200f}')
        .chain('\u{2028}'..='\u{202e}')
        .chain('\u{2060}'..='\u{206f}')
        .chain([
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e0041}',
        ]);
    let marks: Vec<String> = marks.map(|mark| format!("가{mark}a")).collect();
    let raw: Vec<u8> = (0x80..=0xff).flat_map(|byte| [byte, b'.']).collect();
    let sequences: [&[u8]; 6] = [
        b"\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[?1049h\x1bc\x1b(0",
        b"\x9b2J\x9d0;owned\x9c\xc2\x9b2J\xc2\x9d0;owned\xc2\x9c",
        b"x\rme > \x08\x08\x0b\x0c\x7f\x1b[A\x1b[Gclient : forged\r",
        b"\xc0\x80\xc1\xbf\xe0\x80\x9b\xe0\x9f\xbf\xf0\x80\x80\x9b\xf0\x8f\xbf\xbf",
        b"\xed\xa0\x80\xed\xbf\xbf\xed\xa0\xbd\xed\xb8\x80\xf4\x90\x80\x80\xf8\x88\x80\x80\x80",
        b"\xed\xed\x95\xf0\x9f\x98\xc3\xe2\x80\xf0\xfe\xff",
    ];
    let mixed = (0..mixtures).map(|seed| {
        let bytes = Random::new(seed).bytes(200);
        let mut mixture = Choices::new(&bytes).wire(40);
        mixture.truncate(700);
        mixture
    });
    let marks = marks.chunks(20).map(|some| some.concat().into_bytes());
    marks
        .chain([raw])
        .chain(sequences.map(<[u8]>::to_vec))
        .chain(mixed)
        .map(|attack| [BEFORE.as_bytes(), &attack, AFTER.as_bytes()].concat())
        .map(|attack| without(attack, b'\\'))
        .collect()
}

fn without(mut bytes: Vec<u8>, unwanted: u8) -> Vec<u8> {
    bytes.retain(|&byte| byte != unwanted);
    bytes
}

/// What is shown of an attack is one safe line that tells every byte of it, and its Korean as it is.
fn assert_shown(shown: &str, attack: &[u8]) {
    assert_one_line(shown);
    assert_eq!(unescaped(shown), attack, "{shown:?} tells every byte");
    assert!(
        shown.starts_with(BEFORE) && shown.ends_with(AFTER),
        "{shown:?}"
    );
}
