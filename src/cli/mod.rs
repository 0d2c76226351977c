//! The commands. `main.rs` only calls [`main`].
//!
//! Exit codes: 0 it is done, 1 it failed, 2 the arguments or the configuration are wrong, 74 it is done but
//! what it had to print could not be written.
#![allow(clippy::disallowed_types, reason = "the commands meet the operating system")]

mod account;
mod accounts;
mod admin;
mod check;
pub mod cluster;
mod exits;
mod linkstate;
mod manual;
mod master;
mod members;
mod password;
mod queue;
mod reload;
mod route;
mod spool;
mod table;
mod trace;
mod whom;

#[cfg(feature = "conformance")]
use std::ffi::OsString;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::print;
use crate::protocol::faults::{Faults, NAMES};
use crate::server::runtime::{Logging, Until, log_to_stderr, serve};

/// It failed.
pub const EXIT_FAILED: u8 = 1;
/// The arguments or the configuration are wrong.
pub const EXIT_USAGE: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  bridgehead check examples/five-groups.toml
  bridgehead cluster up examples/five-groups.toml --time-scale 60
  bridgehead cluster link cut RG2 RG4
  bridgehead linkstate show
  bridgehead queue list --state doubt
  bridgehead serve /etc/bridgehead/member.toml";

/// Clustered mail transfer: a group of mail servers behaves as one, and groups route around broken links
#[derive(Debug, Parser)]
#[command(name = "bridgehead", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one member until a signal stops it
    #[command(after_help = "Example:\n  bridgehead serve /etc/bridgehead/member.toml")]
    Serve {
        /// member.toml
        file: PathBuf,
        /// Write the log as JSON, one object a line
        #[arg(long)]
        log_json: bool,
        /// Stop, as on a signal, when standard input ends; it does when whoever started this is gone
        #[arg(long)]
        until_stdin_ends: bool,
    },
    /// Check an organization or a member file and tell everything that is wrong
    #[command(
        after_help = "Examples:\n  bridgehead check organization.toml\n  bridgehead check member.toml"
    )]
    Check {
        /// organization.toml or member.toml
        file: PathBuf,
    },
    /// Have a running member read member.toml and its organization again, without a restart
    #[command(
        after_help = "Example:\n  bridgehead reload /etc/bridgehead/member.toml\n\nSIGHUP does the same, and the log tells what came of it."
    )]
    Reload {
        /// member.toml
        file: PathBuf,
    },
    /// Run all members of an organization on this machine, look at them, break their links
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Show, watch, compare and draw what the members know of the connectors
    #[command(subcommand)]
    Linkstate(linkstate::Linkstate),
    /// Tell which way a message goes, and what speaks against every other one
    #[command(after_help = "Examples:\n  \
        bridgehead route RG1 RG5 --organization examples/five-groups.toml\n  \
        bridgehead route RG1 RG5 --organization examples/five-groups.toml --down RG2-RG4\n  \
        bridgehead route RG1 bob@example.com --size 20000000 --priority high --sender ann@example.com\n  \
        bridgehead route rg1-a RG5 --message letter.eml --json\n\n\
        Exit codes: 0 there is a route, 1 there is none now (the mail waits) or nobody could be asked,\n\
        2 wrong arguments or files.")]
    Route(route::Arguments),
    /// Show the messages that members have in custody; hold, release, retry, return and remove them
    #[command(subcommand)]
    Queue(queue::Queue),
    /// Tell members what has become of another member
    #[command(subcommand)]
    Member(queue::Member),
    /// Show the list of members: who of a group is there, and what all of them understand
    #[command(
        after_help = "Examples:\n  bridgehead members\n  bridgehead members --member rg1-a --json\n\nThe master of a group makes the list; HEARD is known to it alone."
    )]
    Members(whom::Whom),
    /// Let a member queue nothing more for others and lead no more; what it has it goes on with
    #[command(
        after_help = "Examples:\n  bridgehead drain --member fe1\n  bridgehead drain --member fe1 --off\n\nIt drains until --off, also after a restart. An elected master resigns."
    )]
    Drain(members::Drain),
    /// Show who the masters are, and have a mastership move
    #[command(subcommand)]
    Master(master::Master),
    /// Give an account to another member
    #[command(subcommand)]
    Account(account::Account),
    /// Show what members have and who has an account; have one released that a master leases
    #[command(subcommand)]
    Accounts(accounts::Accounts),
    /// Read a password and print the line that an [[account]] keeps of it
    #[command(
        after_help = "Examples:\n  bridgehead password                       # asks twice, and shows nothing\n  pass mail/bob | bridgehead password >> organization.toml"
    )]
    Password,
    /// Look at the spool of a member that is stopped, or rescue what is in it
    #[command(subcommand)]
    Spool(spool::Spool),
    /// Run an organization in the simulator
    #[command(after_help = "Examples:\n  bridgehead sim examples/five-groups.toml --seed 7\n  \
        bridgehead sim examples/five-groups.toml --scenario tests/golden/02_single_link_failure.txt --picture failure.html\n  \
        bridgehead sim converge --topology ring --groups 100\n\n\
        Exit codes: 0 everything held, 1 a scenario does not go as it is written, 2 wrong arguments or files, 127 an assertion failed,\n\
        128 something that must end has not, 129 a property was violated.")]
    Sim(crate::sim::cli::Arguments),
    /// Look at what members did, step by step
    #[command(subcommand)]
    Trace(trace::Trace),
    /// Run one member for the conformance suite: JSON requests on standard input, answers on standard output
    #[command(
        after_help = "Example:\n  bridgehead conformance run -- bridgehead adapter\n\n--fault needs a build with the feature planted-faults."
    )]
    Adapter {
        /// Turn a planted bug on (may be repeated)
        #[arg(long, value_name = "NAME")]
        fault: Vec<String>,
    },
    /// Run the conformance suite, against this implementation unless the arguments name another
    #[cfg(feature = "conformance")]
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  bridgehead conformance\n  bridgehead conformance list"
    )]
    Conformance {
        /// What the suite is told; `--help` shows it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        arguments: Vec<OsString>,
    },
    /// Write the completions of a shell to standard output
    #[command(
        after_help = "Example:\n  bridgehead completions bash > /etc/bash_completion.d/bridgehead"
    )]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(
        after_help = "Examples:\n  bridgehead man cluster up | man -l -\n  bridgehead man --dir /usr/local/share/man/man1"
    )]
    Man(manual::Arguments),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    print::finish(match Cli::try_parse() {
        Ok(cli) => run(cli.command),
        Err(error) if error.use_stderr() => {
            // Standard error is where this would be complained of.
            let _ = error.print();
            ExitCode::from(EXIT_USAGE)
        }
        // Help, or the version.
        Err(text) => {
            print::remember(text.print());
            ExitCode::SUCCESS
        }
    })
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve { file, log_json, until_stdin_ends } => {
            let logging = if log_json { Logging::Json } else { Logging::Text };
            serve(&file, logging, if until_stdin_ends { Until::StdinEnds } else { Until::Signal })
        }
        Command::Sim(arguments) => crate::sim::cli::run(&arguments),
        Command::Trace(command) => trace::run(&command),
        Command::Adapter { fault } => adapter(&fault),
        #[cfg(feature = "conformance")]
        Command::Conformance { arguments } => conformance(arguments),
        Command::Check { file } => check::run(&file),
        Command::Reload { file } => reload::run(&file),
        Command::Cluster(command) => cluster::run(command),
        Command::Linkstate(command) => linkstate::run(&command),
        Command::Route(arguments) => route::run(&arguments),
        Command::Queue(command) => queue::run(command),
        Command::Member(command) => queue::tell(&command),
        Command::Members(whom) => members::show(&whom),
        Command::Drain(drain) => members::drain(&drain),
        Command::Master(command) => master::run(command),
        Command::Account(command) => account::run(&command),
        Command::Accounts(command) => accounts::run(command),
        Command::Password => password::run(),
        Command::Spool(command) => spool::run(&command),
        Command::Completions { shell } => {
            // The generator panics where it cannot write: to memory it always can.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bridgehead", &mut script);
            print::octets(&script);
            ExitCode::SUCCESS
        }
        Command::Man(arguments) => manual::run(&arguments, Cli::command()),
    }
}

fn adapter(faults: &[String]) -> ExitCode {
    match Faults::named(faults.iter().map(String::as_str)) {
        Ok(faults) => {
            log_to_stderr(Logging::Text);
            crate::server::adapter::run(BufReader::new(io::stdin()), io::stdout(), faults)
        }
        Err(name) => {
            let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            let problem = if cfg!(feature = "planted-faults") {
                format!("--fault: there is no fault `{name}`, expected one of {known}")
            } else {
                format!("--fault: this build has no faults (feature `planted-faults`): `{name}`")
            };
            refused(&problem)
        }
    }
}

/// Without other arguments the suite starts this very program as its adapter.
#[cfg(feature = "conformance")]
fn conformance(arguments: Vec<OsString>) -> ExitCode {
    let own = std::env::current_exe().map(|path| vec![path.into(), "adapter".into()]);
    bridgehead_conformance::main_with(arguments, own.ok())
}

/// Every line of a problem says whose it is.
fn complain_of(problem: &str) {
    for line in problem.trim_end().lines() {
        complain!("bridgehead: {line}");
    }
}

/// Says why a command failed.
fn failed(problem: &str) -> ExitCode {
    complain_of(problem);
    ExitCode::from(EXIT_FAILED)
}

/// Says what is wrong with the arguments or the configuration.
fn refused(problem: &str) -> ExitCode {
    complain_of(problem);
    ExitCode::from(EXIT_USAGE)
}
