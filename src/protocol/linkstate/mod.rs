//! LINK STATE: every member knows the state of every connector.

mod machine;
mod record;

pub use machine::*;
pub use record::*;
