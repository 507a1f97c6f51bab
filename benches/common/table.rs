//! A table in plain text.

use super::tell;

/// Rows under a heading; the first column is words, the others are figures.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Table {
        Table {
            rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    pub(crate) fn add(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Prints it.
    pub(crate) fn tell(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        tell("");
        for row in &self.rows {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                });
            let line: Vec<String> = cells.collect();
            tell(line.join("  ").trim_end());
        }
        tell("");
    }
}

/// Nanoseconds as microseconds.
pub(crate) fn micros(nanoseconds: f64) -> String {
    let micros = nanoseconds / 1e3;
    match micros {
        100.0.. => format!("{micros:.0}"),
        10.0.. => format!("{micros:.1}"),
        _ => format!("{micros:.2}"),
    }
}

/// A figure, or that there is none.
pub(crate) fn or_dash(figure: Option<f64>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| "-".to_owned(), show)
}
