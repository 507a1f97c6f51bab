//! Rows of words as aligned columns for a terminal. What is in the cells is not looked at.

use std::fmt::Write as _;

/// Aligns the columns: the first to the left, the others to the right, two spaces between them. Rows
/// may be short; no line ends in spaces.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let done = match column {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
            done.expect("a string takes everything");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A row of a table.
pub fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// A name and what is said of it, line by line; as many characters as `width` says for the name, so that
/// lines that are printed apart have one column. A line without a name goes on with the one above it.
pub fn named(width: usize, lines: &[(&str, String)]) -> String {
    let line = |(name, words): &(&str, String)| format!("{name:<width$}  {words}\n");
    lines.iter().map(line).collect()
}
