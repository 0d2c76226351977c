//! The command line; see [`bridgehead`].
fn main() {}
