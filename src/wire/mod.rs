//! Bytes to values and back: one file for each grammar. Nothing here panics on any input; each decoder
//! says at which offset it expected what, and decoding what was encoded gives the same value.

mod dots;
mod error;
pub mod frame;
pub mod framer;

pub use error::DecodeError;
pub use framer::{Framer, Mode, Unit};
