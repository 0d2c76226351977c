//! The shell's queue in front of the disk, the very file that the server runs, on loom's primitives.

extern crate alloc;

#[path = "../../../src/server/sync.rs"]
pub mod sync;

/// The specification's ids are constants of the server; here there is nothing to count.
macro_rules! clause {
    ($id:ident) => {};
}
use clause;
