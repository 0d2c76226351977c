//! The suite's network: its own connections, and the links between nodes that run through it.

mod admit;
mod end;
mod ledger;
mod lines;
mod network;
mod pump;
mod rule;
mod shared;
mod starttls;
mod wire;

pub(crate) use ledger::{Half, Ledger};
pub(crate) use network::Network;
pub(crate) use rule::{Port, Rule};
pub(crate) use wire::{Got, Protection, Setting, Wire, dial_from};
