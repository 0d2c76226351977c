//! The black-box conformance suite of clustered mail transfer.
//!
//! It speaks to what it tests over TCP and to its adapter over a pipe, and shares no code with either.
//! A run drives the cases and records everything that happens; the verdicts are a pure function of that
//! record, so that `verify` can derive them again from the report alone.

mod adapter;
mod barrier;
mod case;
mod cases;
mod cli;
mod clock;
mod cluster;
mod doctor;
mod event;
mod findings;
mod html;
mod log;
mod net;
mod organization;
mod parameters;
mod play;
mod print;
mod report;
mod runner;
mod script;
mod seat;
mod security;
mod select;
mod smtp;
mod stage;
mod target;
mod transcript;
mod twin;
mod vectors;
mod verdict;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program: `args` are the words after its name; without any, it runs everything.
///
/// `default_adapter` is the command that starts the nodes under test when the arguments name neither a
/// target nor an adapter.
pub fn main_with(
    args: impl IntoIterator<Item = OsString>,
    default_adapter: Option<Vec<OsString>>,
) -> ExitCode {
    cli::main(args.into_iter().collect(), default_adapter)
}
