//! Accounts of dynamic ownership: the master of a group leases them to its members, and no two members have
//! one at a time.
//!
//! Read `machine` first: the vocabulary. Then [`Granter`] (the part of the master), [`Holder`] (that of every
//! member), whose questions are in `requests`, and [`Fence`] (that of the store). The machines know no clock
//! and nothing of theirs survives a boot: a master that was restarted leads under another term, and a
//! member that was restarted has no account. Two kinds of timers carry the proof: that of a lease begins
//! before the master is asked and is never late, that of what the master keeps begins when it answers and is
//! never early. Who is the master is the matter of the [election](super::election).

mod fence;
mod granter;
mod holder;
mod machine;
mod requests;

pub use fence::Fence;
pub use granter::{Granter, REQUESTS_LIMIT};
pub use holder::Holder;
pub use machine::*;
pub use requests::SILENT_REQUESTS;
