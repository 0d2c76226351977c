//! The header of a message (RFC 5322 section 2.2), as far as rules look at it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::clause;
use crate::wire::message::Field;

/// How much of a header is read.
pub const HEADER_LIMIT_OCTETS: usize = 64 * 1024;
/// How much of a field's value is kept.
pub const VALUE_LIMIT_OCTETS: usize = 4_096;
/// How many fields are kept.
pub const FIELDS_LIMIT: usize = 1_000;

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

/// The lines of fields, each ended by CRLF.
#[must_use]
pub fn lines(fields: &[Field]) -> String {
    let mut lines = String::new();
    for Field { name, value } in fields {
        assert!(is_field_name(name), "a field that is added has a name");
        assert!(!value.chars().any(char::is_control), "a value ends no line");
        lines.push_str(&alloc::format!("{name}: {value}\r\n"));
    }
    lines
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
