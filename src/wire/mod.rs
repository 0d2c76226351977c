//! Bytes to values and back: one file for each grammar. Nothing here panics on any input; each decoder
//! says at which offset it expected what, and decoding what was encoded gives the same value.
//!
//! The values themselves stand in [`ids`], [`message`] and [`record`]: the words of all four protocols.

pub mod accounts;
pub mod deliver;
mod dots;
pub mod election;
pub mod envelope;
mod error;
pub mod exits;
pub mod explain;
mod fields;
pub mod frame;
pub mod framer;
#[doc(hidden)]
pub mod fuzz;
pub mod group;
pub mod header;
pub mod helper;
pub mod historic;
pub mod hops;
pub mod ids;
pub mod link2state;
pub mod members;
pub mod message;
mod names;
pub mod node;
mod nodes;
pub mod orginfo;
mod parse;
pub mod record;
pub mod restrictions;
pub mod shared;
pub mod smtp;
pub mod store;
pub mod submit;
mod text;
pub mod verify;

pub use error::{DecodeError, TooLong};
pub use fields::{NAME_LIMIT, is_name};
pub use framer::{Framer, Mode, Unit};
