//! Bytes of a fuzzer as choices, by the crate `arbitrary`: small changes of the bytes are small changes
//! of what is done. When they are used up, every choice is the first one.

use std::time::Duration;

use arbitrary::Unstructured;
use epollo::protocol::framing::SILENCE;

/// What is hard for somebody: delimiters, controls, marks, beginnings of characters, Korean.
const PIECES: [&[u8]; 48] = [
    b"a",
    b"bc ",
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\0\0\0\0\0\0\0\0",
    "가".as_bytes(),
    "한국어 ".as_bytes(),
    "힣".as_bytes(),
    "é".as_bytes(),
    "😀".as_bytes(),
    b"QUIT",
    b"Q",
    b"\x1b",
    b"\x1b[2J",
    b"\x1b]0;owned\x07",
    b"\x07\x08\x7f\t",
    b"\x0b\x0c\x0e\x0f",
    b"\x9b31m",
    "\u{9b}31m".as_bytes(),
    "\u{85}\u{90}".as_bytes(),
    "\u{202a}\u{202e}".as_bytes(),
    "\u{2066}\u{2069}".as_bytes(),
    "\u{200b}\u{200f}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{ad}".as_bytes(),
    "\u{2028}\u{2029}".as_bytes(),
    "\u{e0041}".as_bytes(),
    b"\xc0\x80",
    b"\xe0\x80\x9b",
    b"\xf0\x80\x80\x9b",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xfe\xff",
    b"\xed",
    b"\xed\x95",
    b"\xf0\x9f\x98",
    b"\xc3",
    b"\x80",
    b"\xbf\xbf",
    b"\\x1b",
    b"\\u{9b}",
    b"me > ",
    b"client : ",
    b"Disconnected",
    b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// Choices that are still to be made.
pub struct Choices<'a>(Unstructured<'a>);

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices(Unstructured::new(bytes))
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.0.arbitrary().expect("a byte can always be made")
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.choose_index(end).expect("there is a choice")
    }

    /// True once in so many times, and when the bytes are used up.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.0.ratio(1, count).expect("there is a choice")
    }

    pub fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        *self.0.choose(list).expect("there is a choice")
    }

    /// The next bytes as they are, at most so many.
    pub fn raw(&mut self, count: usize) -> &'a [u8] {
        let count = count.min(self.0.len());
        self.0.bytes(count).expect("there are so many")
    }

    /// Bytes as peers send them, from so many pieces.
    pub fn wire(&mut self, pieces: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..pieces {
            match self.below(PIECES.len() + 8) {
                place if place < PIECES.len() => bytes.extend_from_slice(PIECES[place]),
                _ => {
                    let count = self.below(6);
                    bytes.extend_from_slice(self.raw(count));
                }
            }
        }
        bytes
    }

    /// Text that prints, with Korean in it.
    pub fn text(&mut self, characters: usize) -> String {
        let letters = ['a', ' ', '가', '한', '힣', 'é', '😀', '~'];
        (0..characters).map(|_| self.one_of(&letters)).collect()
    }

    /// A time around the one that means something.
    pub fn pause(&mut self) -> Duration {
        let nanosecond = Duration::from_nanos(1);
        self.one_of(&[
            Duration::ZERO,
            nanosecond,
            SILENCE / 2,
            SILENCE - nanosecond,
            SILENCE,
            SILENCE + nanosecond,
            SILENCE * 30,
        ])
    }
}

/// Whether a character may act on a terminal: what `is_unsafe` must say of these at least, written
/// down from what terminals and bidi do and not from its table.
pub fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}'
                | '\u{fe00}'..='\u{fe0f}'
        )
}

/// Text that is to be one line on a terminal, and nothing but that.
pub fn assert_one_line(text: &str) {
    let first = text.chars().find(|&character| acts(character));
    assert_eq!(first, None, "acts on a terminal in {text:?}");
}
