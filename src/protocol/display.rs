//! Untrusted bytes to text that is safe on a terminal, in a log, a trace or a page. Everything that
//! a peer sent and a person sees goes through here; nothing here decides what is shown.
//!
//! Valid UTF-8 that prints stays as it is. What could move the cursor, hide, reorder or imitate is
//! written out: `\n \r \t \0`, `\xNN` for a byte that is no UTF-8, `\u{NNNN}` for a character.
//! The source of the ranges is the Unicode Character Database: general categories Cc and Cf, and
//! the line and paragraph separators (Zl, Zp), besides a few marks that draw nothing.

use std::fmt;

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

fn write_valid(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut plain_from = 0;
    for (at, character) in text.char_indices().filter(|(_, c)| is_unsafe(*c)) {
        f.write_str(&text[plain_from..at])?;
        plain_from = at + character.len_utf8();
        match character {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\0' => f.write_str("\\0")?,
            '\u{1}'..='\u{7f}' => write!(f, "\\x{:02x}", u32::from(character))?,
            other => write!(f, "\\u{{{:x}}}", u32::from(other))?,
        }
    }
    f.write_str(&text[plain_from..])
}

/// Whether a character may act on a terminal instead of being drawn, or is drawn as nothing.
pub fn is_unsafe(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    matches!(
        character,
        '\u{80}'..='\u{9f}'            // C1 controls
            | '\u{ad}'                 // soft hyphen
            | '\u{34f}'                // combining grapheme joiner
            | '\u{600}'..='\u{605}'
            | '\u{61c}'                // Arabic letter mark
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'  // zero width, directional marks
            | '\u{2028}'..='\u{202e}'  // separators, bidi embedding and override
            | '\u{2060}'..='\u{206f}'  // word joiner, bidi isolates, deprecated controls
            | '\u{feff}'               // byte order mark
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}' // tags, variation selectors supplement
    )
}

/// How many bytes at the end of `bytes` may be the beginning of a character whose rest has not
/// arrived: 0 to 3. Hold them back, and Korean that was cut inside a character stays Korean.
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
