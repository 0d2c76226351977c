//! What stands in a store that decides who is the master: a term, as it stands in a frame.

use alloc::format;
use alloc::string::String;

use super::DecodeError;
use super::election::elected;
use super::orginfo::encode_term;
use super::parse::{text_of, whole};
use crate::clause;
use crate::wire::record::Term;

/// The value of a key.
#[must_use]
pub fn encode_value(term: &Term) -> String {
    clause!(MA_088);
    encode_term(term)
}

/// Reads the value of a key. Only the one form that [`encode_value`] gives is taken: transactions compare octets.
///
/// # Errors
/// What was expected where: it is no term, or one that no other can follow.
pub fn decode_value(octets: &[u8]) -> Result<Term, DecodeError> {
    clause!(MA_088);
    let text = text_of(octets)?;
    // In a frame a space stands before a term.
    let term = whole(&format!(" {text}"), "the end of the value", elected);
    let term =
        term.map_err(|error| DecodeError { offset: error.offset.saturating_sub(1), ..error })?;
    if encode_value(&term) == text {
        Ok(term)
    } else {
        Err(DecodeError { offset: 0, expected: "the one form of a term" })
    }
}
