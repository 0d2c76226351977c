//! Where decoding failed, and what was expected there.

use core::fmt;

use serde::Serialize;

/// Malformed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DecodeError {
    /// Octets from the start of the line, frame or stream that was decoded.
    pub offset: usize,
    /// What the grammar allows there, in words or ABNF.
    pub expected: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "octet {}: expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for DecodeError {}

/// A value that does not fit the limit of its form on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("longer than the limit of its form on the wire")
    }
}

impl core::error::Error for TooLong {}
