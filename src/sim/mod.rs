//! The deterministic simulator: whole organizations over a virtual network and disk.
//!
//! Members run here exactly as the shell runs them: octets come from connections, are cut into units by
//! [`crate::wire::Framer`], and go to a `Node<Server>` whose acts are done in order. Time, delays, faults
//! and the workload follow from a source of choices, and from nothing else: the same choices give the
//! same trace, byte for byte.
//!
//! A run has two phases. In the first, faults of the kinds that the run drew strike while clients send
//! mail, and after every durable change the checkers say whether C1 to C4 and C7 hold, and after every step C6 and C8. In some runs disks are
//! lost or set back: what such a disk alone had, and what it may double, is not asked for. Then all faults end, and
//! every promised recipient has to come to its end within [`LIVENESS_BOUND`]. In between, C5: all tables are
//! the same and true within [`CONVERGENCE_BOUND`], in some runs while connectors stay cut.

pub mod checkers;
pub mod cli;
pub mod client;
pub mod clock;
pub mod converge;
pub mod disk;
pub mod draw;
pub mod drive;
pub mod faults;
pub mod host;
pub mod house;
pub mod limits;
pub mod links;
pub mod log;
pub mod maildir;
pub mod moves;
pub mod network;
mod orders;
pub mod outside;
pub mod pictures;
mod rot;
pub mod rows;
pub mod run;
pub mod script;
pub mod setback;
pub mod shrink;
pub mod store;
pub mod streams;
pub mod token;
pub mod workload;
pub mod works;
pub mod world;

pub use checkers::Violation;
pub use links::LinkCounts;
pub use run::{
    CONVERGENCE_BOUND, LIVENESS_BOUND, Plan, Played, Verdict, Watch, record_seed, run_seed,
    run_tape,
};
pub use shrink::{shrink, size};
