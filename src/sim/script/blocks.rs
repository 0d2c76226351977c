//! What stands in a scenario file: blocks of a command, with what it gave.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::kernel::Span;

/// One block of a scenario file.
pub(super) struct Block<'t> {
    /// What stands before the command, for people.
    pub(super) comments: Vec<&'t str>,
    pub(super) command: &'t str,
}

/// The commands of a file; what stands below `----` is what it gave when it was written.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut comments = Vec::new();
    let mut is_output = false;
    for line in text.lines() {
        match line {
            "" => is_output = false,
            _ if is_output => {}
            "----" => is_output = true,
            line if line.starts_with('#') => comments.push(line),
            command => blocks.push(Block { comments: core::mem::take(&mut comments), command }),
        }
    }
    blocks
}

/// A span as a scenario writes it: `10s`.
pub(super) fn span(text: &str) -> Result<Span, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is no span"))?;
    match &text[digits.len()..] {
        "us" => Ok(Span(number)),
        "ms" => Ok(Span::milliseconds(number)),
        "s" => Ok(Span::seconds(number)),
        "m" => Ok(Span::minutes(number)),
        "h" => Ok(Span::hours(number)),
        unit => Err(format!("`{unit}` is no unit; us, ms, s, m, h are")),
    }
}
