//! Counted frames `{8 hex}content` and counted strings `{hex}content`, as the routing engine of
//! Exchange framed its messages. A length counts every octet behind its closing brace.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::DecodeError;
use crate::clause;

/// The octets of `{8 hex}`.
pub const HEADER_OCTETS: usize = 10;
/// The most octets of the content of one frame.
pub const FRAME_LIMIT: usize = 4 * 1024 * 1024;

pub(super) const EXPECTED_LENGTH: &str = "a length within the limit";

/// Reads the length of a counted frame off the front of `octets`; `None` while it is incomplete.
///
/// # Errors
/// The first octet that no counted frame can have there, or a length greater than `limit`.
pub fn read_header(octets: &[u8], limit: usize) -> Result<Option<usize>, DecodeError> {
    let mut length = 0_usize;
    for (offset, octet) in octets.iter().take(HEADER_OCTETS).enumerate() {
        match (offset, octet) {
            (0, b'{') | (9, b'}') => {}
            (0, _) => return Err(DecodeError { offset, expected: "`{`" }),
            (9, _) => return Err(DecodeError { offset, expected: "`}`" }),
            (_, octet) => match char::from(*octet).to_digit(16) {
                Some(digit) => length = (length << 4) | digit as usize,
                None => return Err(DecodeError { offset, expected: "a hexadecimal digit" }),
            },
        }
    }
    if octets.len() < HEADER_OCTETS {
        return Ok(None);
    }
    if length > limit {
        clause!(WI_031);
        return Err(DecodeError { offset: 1, expected: EXPECTED_LENGTH });
    }
    Ok(Some(length))
}

/// Puts `content` into a counted frame.
#[must_use]
pub fn encode_frame(content: &[u8]) -> Vec<u8> {
    assert!(content.len() <= FRAME_LIMIT, "the caller keeps to the limit of a frame");
    let mut frame = format!("{{{:08x}}}", content.len()).into_bytes();
    frame.extend_from_slice(content);
    assert!(frame.len() == HEADER_OCTETS + content.len(), "the length has eight digits");
    frame
}

/// Takes exactly one counted frame, and nothing behind it.
///
/// # Errors
/// Where it is not one.
pub fn decode_frame(octets: &[u8]) -> Result<&[u8], DecodeError> {
    let expected = "the whole of a counted frame";
    let end = DecodeError { offset: octets.len(), expected };
    let length = read_header(octets, FRAME_LIMIT)?.ok_or(end)?;
    let content = &octets[HEADER_OCTETS..];
    if content.len() > length {
        let offset = HEADER_OCTETS + length;
        return Err(DecodeError { offset, expected: "nothing behind the frame" });
    }
    if content.len() < length { Err(end) } else { Ok(content) }
}

/// Writes a counted string.
#[must_use]
pub fn counted(text: &str) -> String {
    clause!(WI_032);
    format!("{{{:x}}}{text}", text.len())
}
