//! The machines: pure, total, deterministic.
//!
//! [`member::Member`] is one server at the level of custody: it holds the queue, hands messages over
//! and delivers them, and contains [`linkstate::LinkState`]. [`server::Server`] adds the sessions
//! that put custody on the wire.

pub mod deliver;
pub mod faults;
pub mod linkstate;
pub mod master;
pub mod member;
pub mod networks;
pub mod operator;
pub mod organization;
pub mod queue;
pub mod rules;
pub mod server;
pub mod session;
pub mod submit;
pub(crate) mod verify;
