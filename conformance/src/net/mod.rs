//! The suite's network: its own connections, and the links between nodes that run through it.

mod ledger;
mod proxy;
mod rule;
mod wire;

pub(crate) use ledger::{Half, Ledger};
pub(crate) use proxy::Network;
pub(crate) use rule::{Port, Rule};
pub(crate) use wire::{Got, Wire, dial_from};
