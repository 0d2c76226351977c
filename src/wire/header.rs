//! The header of a message (RFC 5322 section 2.2), as far as rules look at it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::wire::message::Field;

/// How much of a header is read.
pub const HEADER_LIMIT_OCTETS: usize = 64 * 1024;
/// How much of a field's value is kept.
pub const VALUE_LIMIT_OCTETS: usize = 4_096;
/// How many fields are kept.
pub const FIELDS_LIMIT: usize = 1_000;
/// The longest line of a message (RFC 5322 section 2.1.1), without its end.
pub const LINE_LIMIT_OCTETS: usize = 998;

/// Why a field cannot stand in the header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldFault {
    /// It has a name that no field can have.
    Name,
    /// It has a character that could end its line.
    Control,
    /// It has a letter beyond ASCII, and the message is none of those that may (RFC 6532).
    Letter,
    /// It has a line that is too long and cannot be folded.
    Length,
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "expected a name of 1 to 76 printable characters of ASCII without a colon"
            }
            Self::Control => "expected no control characters",
            Self::Letter => "expected ASCII in a message without SMTPUTF8",
            Self::Length => {
                "expected lines of at most 998 octets, or spaces where they can be folded"
            }
        })
    }
}

impl core::error::Error for FieldFault {}

/// The fields in the header of a message, unfolded, in order: at most [`FIELDS_LIMIT`] of the first
/// [`HEADER_LIMIT_OCTETS`] octets. Total: a line that is no field is left out.
#[must_use]
pub fn fields(message: &[u8]) -> Vec<Field> {
    clause!(RU_005);
    let header = &message[..message.len().min(HEADER_LIMIT_OCTETS)];
    let mut fields: Vec<Field> = Vec::new();
    let mut continues = false;
    for line in header.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(line);
        if text.starts_with([' ', '\t']) {
            if let Some(field) = fields.last_mut().filter(|_| continues) {
                field.value.push(' ');
                append(&mut field.value, &text);
            }
            continue;
        }
        continues = false;
        if let Some((name, value)) =
            text.split_once(':').filter(|(name, _)| is_field_name(name.trim_end()))
            && fields.len() < FIELDS_LIMIT
        {
            let mut field = Field { name: String::from(name.trim_end()), value: String::new() };
            append(&mut field.value, value);
            fields.push(field);
            continues = true;
        }
    }
    fields
}

/// Whether [`fields`] gives all fields of the header: it ends before its limits are reached.
#[must_use]
pub fn is_whole(message: &[u8]) -> bool {
    let header = &message[..message.len().min(HEADER_LIMIT_OCTETS)];
    let is_seen = header.len() < HEADER_LIMIT_OCTETS
        || header.starts_with(b"\r\n")
        || header.windows(4).any(|octets| octets == b"\r\n\r\n");
    is_seen && fields(message).len() < FIELDS_LIMIT
}

/// The lines of fields, each ended by CRLF, and folded where it has to be.
#[must_use]
pub fn lines(fields: &[Field]) -> String {
    let mut lines = String::new();
    for field in fields {
        assert!(is_field_name(&field.name), "a field that is added has a name");
        assert!(!field.value.chars().any(char::is_control), "a value ends no line");
        let text = text_of(field);
        let mut octets = 0;
        for piece in pieces(&text) {
            if octets > 0 && octets + piece.len() > LINE_LIMIT_OCTETS {
                clause!(RU_048);
                lines.push_str("\r\n");
                octets = 0;
            }
            lines.push_str(piece);
            octets += piece.len();
        }
        lines.push_str("\r\n");
    }
    lines
}

/// Whether a field can stand in the header of a message, which may have letters beyond ASCII there (`utf8`).
///
/// # Errors
/// It cannot, and why.
pub fn check(field: &Field, utf8: bool) -> Result<(), FieldFault> {
    let text = text_of(field);
    if !is_field_name(&field.name) {
        return Err(FieldFault::Name);
    }
    if text.chars().any(char::is_control) {
        return Err(FieldFault::Control);
    }
    if !utf8 && !text.is_ascii() {
        return Err(FieldFault::Letter);
    }
    if pieces(&text).any(|piece| piece.len() > LINE_LIMIT_OCTETS) {
        return Err(FieldFault::Length);
    }
    Ok(())
}

fn text_of(Field { name, value }: &Field) -> String {
    alloc::format!("{name}: {value}")
}

/// What of a field cannot be folded: each piece but the first is a space and a word, with the spaces behind
/// it. The first one has the name and a word, so that no line is made of spaces only.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let colon = text.find(": ").map_or(0, |colon| colon + 2);
    let octets = text.as_bytes();
    let is_start = move |at: usize| {
        at > colon && octets[at] == b' ' && octets.get(at + 1).is_some_and(|next| *next != b' ')
    };
    let mut rest = 0;
    core::iter::from_fn(move || {
        let from = rest;
        if from >= text.len() {
            return None;
        }
        let next = (from + 1..text.len()).find(|at| is_start(*at));
        rest = next.unwrap_or(text.len());
        Some(&text[from..rest])
    })
}

/// Whether a header field can have this name.
#[must_use]
pub fn is_field_name(name: &str) -> bool {
    (1..=76).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}

/// Adds what fits of a piece, without controls and the spaces around it.
fn append(value: &mut String, piece: &str) {
    for c in piece.trim().chars().filter(|c| !c.is_control()) {
        if value.len() + c.len_utf8() > VALUE_LIMIT_OCTETS {
            return;
        }
        value.push(c);
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;

    use super::*;

    fn field(value: &str) -> Field {
        Field { name: "X-Report".into(), value: value.into() }
    }

    /// RU-047.
    #[test]
    fn what_cannot_stand_in_a_header_is_told() {
        let words = "word ".repeat(500);
        for (value, utf8, fault) in [
            ("plain", false, None),
            ("", false, None),
            (words.as_str(), false, None),
            ("gr\u{fc}n", true, None),
            ("gr\u{fc}n", false, Some(FieldFault::Letter)),
            ("a\rb", true, Some(FieldFault::Control)),
            ("a\nb", true, Some(FieldFault::Control)),
            (&"x".repeat(988), false, None),
            (&"x".repeat(989), false, Some(FieldFault::Length)),
            (&alloc::format!("a {}", "x".repeat(998)), false, Some(FieldFault::Length)),
        ] {
            assert_eq!(check(&field(value), utf8).err(), fault, "{value}");
        }
        let nameless = Field { name: "X Report".into(), value: "1".into() };
        assert_eq!(check(&nameless, true), Err(FieldFault::Name));
    }

    /// RU-048: a long field is folded so that unfolding gives it back, and no line is of spaces only.
    #[test]
    fn a_long_field_is_folded() {
        for value in [
            "word ".repeat(500).trim_end().to_owned(),
            alloc::format!("a {}", "x".repeat(997)),
            alloc::format!("{}      b", "x".repeat(983)),
            alloc::format!("   {} b", "x".repeat(985)),
        ] {
            assert_eq!(check(&field(&value), false), Ok(()), "{value}");
            let text = lines(&[field(&value)]);
            assert!(text.contains("\r\n "), "{text}");
            for line in text.split_terminator("\r\n") {
                assert!(line.len() <= LINE_LIMIT_OCTETS && !line.trim().is_empty(), "{line}");
            }
            let unfolded = text.trim_end_matches("\r\n").replace("\r\n", "");
            assert_eq!(unfolded, alloc::format!("X-Report: {value}"));
        }
        assert_eq!(lines(&[field("one two")]), "X-Report: one two\r\n");
    }
}
