//! Pictures: the topology with its states and a route, and how news of one failure spreads.
//!
//! Each picture is one file that needs nothing from elsewhere, and a pure function of what it shows: the
//! same table and the same trace give the same octets.

pub mod chart;
pub mod layout;
pub mod svg;
pub mod topology;

pub use chart::{Chart, Label, illegible};
pub use svg::{Area, Point, escaped};
pub use topology::{
    Edge, LEGIBLE_GROUPS, Line, Node, Route, Topology, nothing_configured, records_of,
};
