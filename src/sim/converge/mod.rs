//! How fast the members agree, and what it costs: link-state machines alone, in organizations of any size.
//!
//! [`Topology`] builds a ring, a tree, a hub with spokes, a grid or a random graph; [`Network`] is the
//! host that drives one `Node<LinkState>` for each member through virtual time; [`converge`] breaks one
//! connector, heals it, and compares what happened with the bound of LS-200 and with a whole-table flood;
//! [`restart()`] boots all members at once.

pub mod cli;
pub mod flood;
pub mod meter;
pub mod network;
pub mod price;
pub mod restart;
pub mod run;
pub mod shape;

pub use meter::Passed;
pub use network::Network;
pub use price::Delays;
pub use restart::{Disks, Relearnt, restart};
pub use run::{Outcome, Plan, Row, converge, converged_disks};
pub use shape::{Shape, Topology};
