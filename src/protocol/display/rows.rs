//! A line laid out on the rows of a window, so that nothing that a peer said stands where our own
//! lines begin. It draws nothing and does not know how wide the window is.

use super::is_mark;

/// What every row but the first of a line begins with. No line of ours begins so.
pub const INDENT: &str = "    ";
/// Windows that are narrower are taken for this wide.
pub const COLUMNS_MIN: usize = 8;

/// `line`, in which everything is safe to show, on rows of at most `columns` columns; all but the first
/// are indented.
///
/// Terminals disagree about the width of characters, and one that wraps a row by itself begins the
/// next at its edge. So the widest that any of them draws counts: two columns for what is not ASCII,
/// which is exact for Korean; other rows may end early.
pub fn in_rows(line: &str, columns: usize) -> String {
    let columns = columns.max(COLUMNS_MIN);
    let mut rows = String::with_capacity(line.len());
    let mut used = 0;
    let mut rest = line;
    while !rest.is_empty() {
        let (length, width) = first_of(rest, columns - INDENT.len());
        if used + width > columns {
            rows.push('\n');
            rows.push_str(INDENT);
            used = INDENT.len();
        }
        rows.push_str(&rest[..length]);
        used += width;
        rest = &rest[length..];
    }
    rows
}

/// What is to stay together at the beginning of `text`, as far as it fits into so many columns: a
/// character and what is drawn on it. Its bytes and its columns.
fn first_of(text: &str, columns: usize) -> (usize, usize) {
    let mut length = 0;
    let mut width = 0;
    for character in text.chars() {
        let is_more = length > 0;
        let own = if character.is_ascii() { 1 } else { 2 };
        if is_more && (!is_drawn_on_the_last(character) || width + own > columns) {
            break;
        }
        length += character.len_utf8();
        width += own;
    }
    (length, width)
}

/// Marks, and the vowels and finals of Korean syllables that come letter by letter.
fn is_drawn_on_the_last(character: char) -> bool {
    matches!(character, '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}') || is_mark(character)
}
