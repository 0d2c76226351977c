//! xtext (RFC 3461, section 4): printable text without spaces, `+` and `=`, everything else as `+XX`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::clause;
use crate::wire::DecodeError;

/// Writes `text` as xtext.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for octet in text.bytes() {
        match octet {
            b'!'..=b'~' if !matches!(octet, b'+' | b'=') => out.push(char::from(octet)),
            _ => out.push_str(&format!("+{octet:02X}")),
        }
    }
    out
}

/// Reads xtext.
///
/// # Errors
/// The first octet that cannot stand there, or that what it decodes to is no UTF-8.
pub fn decode(text: &str) -> Result<String, DecodeError> {
    clause!(WI_045);
    let mut out = Vec::new();
    let octets = text.as_bytes();
    let mut offset = 0;
    while let Some(octet) = octets.get(offset) {
        match octet {
            b'+' => {
                let (Some(high), Some(low)) =
                    (digit(octets, offset + 1), digit(octets, offset + 2))
                else {
                    return Err(DecodeError { offset, expected: "`+` and two of 0-9 and A-F" });
                };
                out.push((high << 4) | low);
                offset += 3;
            }
            b'!'..=b'~' if *octet != b'=' => {
                out.push(*octet);
                offset += 1;
            }
            _ => return Err(DecodeError { offset, expected: "xtext" }),
        }
    }
    String::from_utf8(out).map_err(|_| DecodeError { offset: 0, expected: "xtext of UTF-8" })
}

fn digit(octets: &[u8], offset: usize) -> Option<u8> {
    match octets.get(offset)? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
