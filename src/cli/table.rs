//! Plain tables of text.

use core::fmt::Write as _;

/// Lays rows out in columns, each as wide as its widest cell; the first row is the head.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            write!(line, "{cell:<width$}  ").expect("a string takes text");
        }
        writeln!(text, "{}", line.trim_end()).expect("a string takes text");
    }
    text
}

/// A row from anything that prints.
pub(super) fn row<const N: usize>(cells: [&dyn core::fmt::Display; N]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}
