//! The suite as a program of its own; there is no default adapter.

use std::process::ExitCode;

fn main() -> ExitCode {
    bridgehead_conformance::main_with(std::env::args_os().skip(1), None)
}
