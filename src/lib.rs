//! Bridgehead: the reference implementation of clustered mail transfer.
//!
//! A map of the house, in the order in which to read it:
//!
//! | module | what it is | pure |
//! |---|---|---|
//! | [`kernel`] | what a machine is; the one interpreter of effects | yes |
//! | [`wire`] | bytes to values and back, one file for each grammar | yes |
//! | [`protocol`] | the machines of DELIVER, SUBMIT, LINK STATE and MASTER | yes |
//! | `sim` | the deterministic simulator: whole organizations with faults | no clock, no socket |
//! | [`server`] | the shell: disk, sockets, clocks, certificates, configuration | no |
//! | [`cli`] | the commands | no |
//! | [`clauses`] | the specification's sentences as constants | yes |
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "std")]
#[macro_use]
mod print;

pub mod clauses;
#[cfg(feature = "std")]
pub mod cli;
pub mod kernel;
pub mod protocol;
#[cfg(feature = "std")]
pub mod server;
#[cfg(feature = "std")]
pub mod sim;
pub mod wire;
