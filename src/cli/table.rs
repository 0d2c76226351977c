//! Plain tables of text, and JSON as a few words.

use core::fmt::Write as _;

use serde_json::Value;

/// How many spaces part two columns.
const GAP: usize = 2;

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
            line.push_str(cell);
            // The formatter would pad, and it panics where a cell is wider than 65,535.
            let padding = width.saturating_sub(cell.chars().count()) + GAP;
            line.extend(core::iter::repeat_n(' ', padding));
        }
        writeln!(text, "{}", line.trim_end()).expect("a string takes text");
    }
    text
}

/// A number of things: `1 group`, `5 groups`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A row from anything that prints.
pub(super) fn row<const N: usize>(cells: [&dyn core::fmt::Display; N]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

/// A field of an object; null where there is none.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// The elements of a field that is a list.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    field(value, name).as_array().map_or(&[], Vec::as_slice)
}

/// A value as a few words: what stands in it, in order, without names of fields.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Object(fields) if fields.len() == 1 => {
            // A variant: `{"doubt": "rg2-a"}` reads `doubt rg2-a`.
            fields.iter().map(|(name, inner)| format!("{name} {}", plain(inner))).collect()
        }
        Value::Object(fields) => {
            let known = fields.values().filter(|inner| !inner.is_null());
            known.map(plain).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_may_be_as_long_as_it_likes() {
        let long = "x".repeat(usize::from(u16::MAX) + 1);
        let shown = table(&[row([&"A", &"B"]), row([&long, &"b"]), row([&"\u{e4}", &"c"])]);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1], format!("{long}  b"));
        assert_eq!(lines[0].chars().count(), lines[2].chars().count());
        assert!(lines[2].ends_with("  c"));
    }
}
