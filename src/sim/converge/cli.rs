//! `bridgehead sim converge`.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::Delays;
use super::restart::{Disks, Relearnt, restart};
use super::run::{Outcome, Plan, Row, converge};
use super::shape::{GROUPS_LEAST, Shape};
use crate::kernel::{Span, Time};
use crate::protocol::faults::Faults;
use crate::protocol::linkstate::CONNECTORS_LIMIT;
use crate::protocol::organization::{GROUPS_LIMIT, MEMBERS_LIMIT};

/// The longest passage that can be asked for.
const DELAY_LIMIT_MS: u64 = 60_000;
/// Exit codes, as the simulator has them.
const EXIT_STUCK: u8 = 128;
const EXIT_VIOLATED: u8 = 129;

pub(crate) const EXAMPLES: &str = "\
Examples:
  bridgehead sim converge
  bridgehead sim converge --topology random --groups 10000
  bridgehead sim converge --topology ring --groups 100 --members 3 --delay-ms 50
  bridgehead sim converge --groups 1000 --restart cold

A connector breaks and heals; the time runs from the decision of its origin until every member has the change.
Beside each row stands what a flood of the whole table would take on the same connectors. Octets are those of
X-LINK2STATE between the groups, replies included; those of the group ports stand in --json.

Exit codes: 0 everything held, 2 wrong arguments, 127 an assertion failed, 128 something that must end has
not, 129 a bound was exceeded or a property violated.";

/// Measure how fast the members of large organizations agree, and what it costs
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// How the groups are joined
    #[arg(long, value_name = "SHAPE", default_value = "all")]
    pub topology: Choice,
    /// How many groups; several numbers, parted by commas, are measured one after the other
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [10, 100, 1000])]
    pub groups: Vec<usize>,
    /// How many members each group has: one, or a master and bridgeheads
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub members: usize,
    /// How long something takes from one group to another, one way
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub delay_ms: u64,
    /// What the random graph follows from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Boot all members at once instead: with every record on their disks, or with nothing
    #[arg(long, value_name = "DISKS")]
    pub restart: Option<Disks>,
    /// Turn a planted bug on (may be repeated); needs a build with the feature planted-faults
    #[arg(long, value_name = "NAME")]
    pub fault: Vec<String>,
    /// Print one JSON line for each row instead of a table
    #[arg(long)]
    pub json: bool,
}

/// One shape, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Each group has two neighbours
    Ring,
    /// A binary tree; the news begins at a leaf
    Tree,
    /// One group in the middle of all others; the news begins at one of the others
    Hub,
    /// Rows and columns; the news begins in a corner
    Grid,
    /// A random tree over all groups, and half as many random edges as there are groups
    Random,
    /// One after the other
    All,
}

impl Choice {
    fn shapes(self) -> Vec<Shape> {
        let one = match self {
            Self::Ring => Shape::Ring,
            Self::Tree => Shape::Tree,
            Self::Hub => Shape::Hub,
            Self::Grid => Shape::Grid,
            Self::Random => Shape::Random,
            Self::All => return Shape::ALL.to_vec(),
        };
        alloc::vec![one]
    }
}

/// Runs the command: its exit code.
///
/// # Errors
/// What is wrong with the arguments.
pub fn run(arguments: &Arguments, faults: &Faults) -> Result<u8, String> {
    let plans = plans(arguments, faults)?;
    let progress = io::stderr().is_terminal().then_some(tell as fn(u64, Time));
    let mut code = 0;
    if !arguments.json {
        say!("{}", if arguments.restart.is_some() { RESTART_HEAD } else { HEAD });
    }
    for plan in &plans {
        code = code.max(match arguments.restart {
            Some(disks) => show(arguments.json, &restart(plan, disks, progress), restart_line),
            None => show(arguments.json, &converge(plan, progress), line),
        });
    }
    if let Some(peak) = peak_memory() {
        if arguments.json {
            say!("{}", json!({ "peak_memory_octets": peak }));
        } else {
            say!("peak memory {} MiB", peak / (1 << 20));
        }
    }
    Ok(code)
}

fn plans(arguments: &Arguments, faults: &Faults) -> Result<Vec<Plan>, String> {
    let (members, delay) = (arguments.members, arguments.delay_ms);
    if !(1..=MEMBERS_LIMIT).contains(&members) {
        return Err(format!("--members is {members}, expected 1 to {MEMBERS_LIMIT}"));
    }
    if !(1..=DELAY_LIMIT_MS).contains(&delay) {
        return Err(format!("--delay-ms is {delay}, expected 1 to {DELAY_LIMIT_MS}"));
    }
    let mut plans = Vec::new();
    for &groups in &arguments.groups {
        if !(GROUPS_LEAST..=GROUPS_LIMIT).contains(&groups) {
            return Err(format!("--groups is {groups}, expected {GROUPS_LEAST} to {GROUPS_LIMIT}"));
        }
        for shape in arguments.topology.shapes() {
            if shape == Shape::Hub && groups > CONNECTORS_LIMIT {
                return Err(format!(
                    "--groups is {groups}: a hub has a connector to each, and at most {CONNECTORS_LIMIT}"
                ));
            }
            let delays = Delays { link: Span::milliseconds(delay), ..Delays::default() };
            let (seed, faults) = (arguments.seed, faults.clone());
            plans.push(Plan { shape, groups, members, delays, seed, faults });
        }
    }
    Ok(plans)
}

/// Prints rows and what was violated; the exit code.
fn show<R: Serialize>(json: bool, outcome: &Outcome<R>, line: fn(&R) -> String) -> u8 {
    for row in &outcome.rows {
        if json {
            say!("{}", serde_json::to_value(row).unwrap_or(Value::Null));
        } else {
            say!("{}", line(row));
        }
    }
    for breach in &outcome.breaches {
        say!("{}", if json { json!({ "violated": breach }).to_string() } else { breach.clone() });
    }
    match &outcome.stuck {
        Some(stuck) => {
            say!("{}", if json { json!({ "stuck": stuck }).to_string() } else { stuck.clone() });
            EXIT_STUCK
        }
        None if outcome.breaches.is_empty() => 0,
        None => EXIT_VIOLATED,
    }
}

const HEAD: &str = "\
shape   groups connectors change  hops   agreed    bound | messages    octets each once | whole table: agreed messages        octets  times";

fn line(row: &Row) -> String {
    let octets = row.connected.octets.max(1);
    format!(
        "{:<7} {:>6} {:>10} {:<6} {:>5} {:>8} {:>8} | {:>8} {:>9} {:>4} {:>4} | {:>19} {:>8} {:>13} {:>6}",
        row.shape.to_string(),
        row.groups,
        row.connectors,
        row.change,
        row.eccentricity,
        seconds(row.agreed_after),
        seconds(row.bound),
        row.connected.messages,
        row.connected.octets,
        row.exchange_octets,
        if row.most <= 1 { "yes" } else { "no" },
        seconds(row.flood.agreed_after),
        row.flood.messages,
        row.flood.octets,
        row.flood.octets / octets,
    )
}

const RESTART_HEAD: &str = "\
shape   groups connectors disks    agreed    silent | messages   queries     records         octets | inside: messages         octets";

fn restart_line(row: &Relearnt) -> String {
    format!(
        "{:<7} {:>6} {:>10} {:<6} {:>8} {:>9} | {:>8} {:>9} {:>11} {:>14} | {:>16} {:>14}",
        row.shape.to_string(),
        row.groups,
        row.connectors,
        row.disks.to_string(),
        seconds(row.agreed_after),
        seconds(row.silent_after),
        row.connected.messages,
        row.connected.queries,
        row.connected.records,
        row.connected.octets,
        row.local.messages,
        row.local.octets,
    )
}

/// Seconds with three decimals, rounded down.
fn seconds(span: Span) -> String {
    format!("{}.{:03}", span.0 / 1_000_000, span.0 / 1_000 % 1_000)
}

fn tell(happenings: u64, now: Time) {
    let mut stderr = io::stderr();
    // Who cannot see how far it is misses nothing else.
    let _ = write!(stderr, "\r{happenings} happenings, second {} \r", now.0 / 1_000_000);
    let _ = stderr.flush();
}

/// The most memory that this process has had, where the system tells it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
