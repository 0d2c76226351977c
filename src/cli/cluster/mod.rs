//! `bridgehead cluster`: every member of an organization as a process on this machine, with a relay
//! for each directed connector, so that links can be cut without telling any member.

mod children;
mod control;
mod plan;
mod ports;
mod relay;
mod status;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

pub use plan::{PLAN_FORMAT, Plan, PlannedMember, PlannedRelay};
pub use ports::hold_free_port;

use super::admin::{ADMIN_FORMAT, request};
use super::failed;

/// Where a cluster lives unless its commands say otherwise.
pub const DIRECTORY: &str = "cluster";
/// The control socket of `cluster up`, in the directory of the cluster.
pub const CONTROL_SOCKET: &str = "control.sock";

/// The commands below `cluster`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start every member and stay until Ctrl-C
    #[command(after_help = "Examples:\n  bridgehead cluster up examples/five-groups.toml\n  \
                            bridgehead cluster up examples/five-groups.toml --time-scale 60 --dir /tmp/five")]
    Up(up::Arguments),
    /// Show the members and the links of a running cluster
    #[command(after_help = "Example:\n  bridgehead cluster status --json")]
    Status(status::Arguments),
    /// Break and mend the links between groups
    #[command(subcommand)]
    Link(Link),
}

/// The commands below `cluster link`.
#[derive(Debug, Subcommand)]
pub enum Link {
    /// Refuse new connections from one group to another, and reset those that are open
    #[command(after_help = "Examples:\n  bridgehead cluster link cut RG2 RG4\n  \
                            bridgehead cluster link cut RG2 RG4 --both")]
    Cut(Ends),
    /// Let connections pass again
    #[command(after_help = "Example:\n  bridgehead cluster link heal RG2 RG4 --both")]
    Heal(Ends),
}

/// Which links.
#[derive(Debug, Args)]
pub struct Ends {
    /// The group that connects
    from: String,
    /// The group that is connected to
    to: String,
    /// The other direction, too
    #[arg(long)]
    both: bool,
    /// The directory of the cluster
    #[arg(long, value_name = "DIR", default_value = DIRECTORY)]
    dir: PathBuf,
}

/// Runs a command below `cluster`.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Link(Link::Cut(ends)) => link("cut", &ends),
        Command::Link(Link::Heal(ends)) => link("heal", &ends),
    }
}

fn link(op: &str, ends: &Ends) -> ExitCode {
    let Ends { from, to, both, dir } = ends;
    let order = json!({"format": ADMIN_FORMAT, "op": op, "from": from, "to": to, "both": both});
    match request(&dir.join(CONTROL_SOCKET), &order) {
        Ok(answer) => {
            for connector in answer["connectors"].as_array().into_iter().flatten() {
                say!("{}: {}", connector.as_str().unwrap_or_default(), done(op));
            }
            ExitCode::SUCCESS
        }
        Err(problem) => failed(&problem),
    }
}

fn done(op: &str) -> &'static str {
    if op == "cut" { "cut" } else { "healed" }
}
