//! Names in counted strings: printable US-ASCII without SP, everything else escaped as `+XX`, so that
//! any name passes through X-LINK2STATE, which carries nothing else.

use alloc::string::String;

use super::DecodeError;
use super::smtp::xtext;
use crate::clause;

/// Writes a name. The escape is that of xtext, and so `=` is escaped, too.
pub(super) fn escape(name: &str) -> String {
    clause!(WI_103);
    xtext::encode(name)
}

/// Reads a name, in its one form.
pub(super) fn unescape(text: &str) -> Result<String, DecodeError> {
    let name = xtext::decode(text)?;
    let canonical = escape(&name);
    if canonical == text {
        return Ok(name);
    }
    let offset = canonical.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    Err(DecodeError { offset, expected: "an escape only where one is needed" })
}
