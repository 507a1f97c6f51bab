//! Untrusted bytes to text that is safe on a terminal, in a log, a trace or a page. Everything that
//! a peer sent and a person sees goes through here; nothing here decides what is shown.
//!
//! Valid UTF-8 that prints stays as it is. What could move the cursor, hide, reorder or imitate is
//! written out: `\n \r \t \0`, `\xNN` for a byte that is no UTF-8, `\u{NNNN}` for a character,
//! `\s{N}` for a run of N spaces. What the Unicode Character Database says of characters is in
//! `display/ranges.rs`.

use std::fmt;

mod ranges;
mod rows;

pub use rows::{COLUMNS_MIN, INDENT, in_rows};

/// The longest run of spaces that is shown as it is: enough for columns of text, too little to push
/// what follows to the next row of a window.
pub const SPACES_MAX: usize = 8;
/// The most combining marks in a row that are shown as they are. Words of all languages need fewer;
/// more of them draw over the rows above and below.
pub const MARKS_MAX: usize = 8;

/// Shows untrusted bytes; see the module. Never fails, never allocates.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write_valid(f, chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// How a character is shown, which may depend on how many of its kind stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Space,
    Mark,
    Unsafe,
}

impl Kind {
    fn of(character: char) -> Kind {
        if is_unsafe(character) {
            Kind::Unsafe
        } else if is_space(character) {
            Kind::Space
        } else if is_mark(character) {
            Kind::Mark
        } else {
            Kind::Plain
        }
    }
}

fn write_valid(f: &mut fmt::Formatter<'_>, mut text: &str) -> fmt::Result {
    while let Some(first) = text.chars().next() {
        let kind = Kind::of(first);
        let (run, rest) = text.split_at(length_of_run(text, |other| Kind::of(other) == kind));
        let count = run.chars().count();
        match kind {
            Kind::Space if count > SPACES_MAX => write_spaces(f, run)?,
            Kind::Mark if count > MARKS_MAX => write_each(f, run)?,
            Kind::Plain | Kind::Space | Kind::Mark => f.write_str(run)?,
            Kind::Unsafe => write_each(f, run)?,
        }
        text = rest;
    }
    Ok(())
}

/// How many bytes at the beginning of `text` are characters like this.
fn length_of_run(text: &str, is_like: impl Fn(char) -> bool) -> usize {
    text.find(|other| !is_like(other)).unwrap_or(text.len())
}

fn write_spaces(f: &mut fmt::Formatter<'_>, mut spaces: &str) -> fmt::Result {
    while let Some(first) = spaces.chars().next() {
        let is_ordinary = |character: char| character == ' ';
        let is_like = |other| is_ordinary(other) == is_ordinary(first);
        let (run, rest) = spaces.split_at(length_of_run(spaces, is_like));
        if is_ordinary(first) {
            write!(f, "\\s{{{}}}", run.len())?;
        } else {
            write_each(f, run)?;
        }
        spaces = rest;
    }
    Ok(())
}

fn write_each(f: &mut fmt::Formatter<'_>, characters: &str) -> fmt::Result {
    for character in characters.chars() {
        match character {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\0' => f.write_str("\\0")?,
            '\u{1}'..='\u{7f}' => write!(f, "\\x{:02x}", u32::from(character))?,
            other => write!(f, "\\u{{{:x}}}", u32::from(other))?,
        }
    }
    Ok(())
}

/// Whether a character may act on a terminal instead of being drawn, or is drawn as nothing.
pub fn is_unsafe(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    is_in(&ranges::UNSAFE, character)
}

/// Whether a character is a blank of some width.
fn is_space(character: char) -> bool {
    character == ' ' || (!character.is_ascii() && is_in(&ranges::SPACES, character))
}

/// Whether a character is drawn on the one before it.
fn is_mark(character: char) -> bool {
    !character.is_ascii() && is_in(&ranges::MARKS, character)
}

fn is_in(ranges: &[(u32, u32)], character: char) -> bool {
    let number = u32::from(character);
    let place = ranges.partition_point(|&(_, last)| last < number);
    let range = ranges.get(place);
    range.is_some_and(|&(first, _)| first <= number)
}

/// How many bytes at the end of `bytes` may be the beginning of a character whose rest has not
/// arrived: 0 to 3. ReadPause them back, and Korean that was cut inside a character stays Korean.
pub fn unfinished_suffix(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|&length| {
            let start = bytes[bytes.len() - length];
            start >= 0xc0
                && match std::str::from_utf8(&bytes[bytes.len() - length..]) {
                    Ok(_) => false,
                    Err(error) => error.error_len().is_none(),
                }
        })
        .unwrap_or(0)
}

/// The longest length up to `limit` at which `text` can be cut without cutting a character, or what
/// may be the beginning of one; `limit` itself if there is none.
pub fn cut_at(text: &[u8], limit: usize) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    let at = limit - unfinished_suffix(&text[..limit]);
    if at == 0 { limit } else { at }
}

/// `message` without the line end that it may carry (`\n` or `\r\n`, once).
pub fn without_line_end(message: &[u8]) -> &[u8] {
    message
        .strip_suffix(b"\r\n")
        .or_else(|| message.strip_suffix(b"\n"))
        .unwrap_or(message)
}
