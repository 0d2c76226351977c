//! One conversation on one connection: lines and frames on one side, custody on the other.

mod event;

pub use event::{QUOTE_LIMIT, SessionEvent, Tag, quote};
