//! How the simulator knows its own messages again, whatever the members do with them.

use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::Serialize;

use crate::protocol::rules::LOOP_FIELD;
use crate::wire::message::{Address, Field};

const FIELD: &[u8] = b"X-Simulated: ";
const DIGITS: usize = 8;
/// The field stands in the header: behind the trace lines of every hop, and never further.
const SEARCHED: usize = 64 * 256;

/// A message of the run, also a DSN. It stands in the body's header, so that it can be recognised
/// without any help from the members whose work is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Token(pub u32);

impl Token {
    /// The header line, with CRLF.
    #[must_use]
    pub fn line(self) -> String {
        format!("X-Simulated: {:08x}\r\n", self.0)
    }

    /// The token of a body, `None` for octets that are no message of the run.
    #[must_use]
    pub fn find(octets: &[u8]) -> Option<Self> {
        let octets = &octets[..octets.len().min(SEARCHED)];
        let start = octets.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
        let digits = core::str::from_utf8(octets.get(start..start + DIGITS)?).ok()?;
        u32::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// The account whose rules were the first to pass a message on, by the marks in `fields`: the newest
/// stands first. It is by them that the simulator knows whose copy it was.
#[must_use]
pub fn passed_on_by(fields: &[Field]) -> Option<Address> {
    let mark = fields.iter().rev().find(|field| field.is(LOOP_FIELD))?;
    Some(Address::from(mark.value.as_str()))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}
