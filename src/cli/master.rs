//! Who the masters are, and how a mastership moves.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::queue::{answered, judged};
use super::refused;
use super::table::{field, items, plain, row, table};
use super::whom::Whom;
use crate::protocol::operator::Order;
use crate::wire::ids::MemberName;

/// The commands below `master`.
#[derive(Debug, Subcommand)]
pub(super) enum Master {
    /// Show whom each member takes for the master of its group, and how the elections stand
    #[command(after_help = "Example:\n  bridgehead master show --member rg1-a")]
    Show(Whom),
    /// Make a member the master of its group, in place of the one that the file names
    #[command(
        after_help = "Examples:\n  bridgehead master set rg1-b\n  bridgehead master set rg1-b --socket /run/bridgehead/admin.sock\n\nFor groups that elect no master. The member begins a new term and tells the others; a master that was cut off\nand returns gives way to it. A file of a greater revision outweighs this: put the new master there, too."
    )]
    Set(Set),
    /// Have an elected master go in order, so that another member is elected at once
    #[command(
        after_help = "Examples:\n  bridgehead master transfer --member rg1-a --to rg1-b\n  bridgehead master transfer --member rg1-a    # whoever stands first\n\nThe master stops before it says so: for the moment of an election the group has none."
    )]
    Transfer(Transfer),
}

/// Who is to be the master.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The member that is to be the master
    #[arg(value_name = "MEMBER")]
    name: String,
    /// The directory of the cluster
    #[arg(long, value_name = "DIR", default_value = super::cluster::DIRECTORY)]
    dir: PathBuf,
    /// Ask the admin socket of the member instead of a cluster
    #[arg(long, value_name = "PATH", conflicts_with = "dir")]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Who goes, and who follows.
#[derive(Debug, Args)]
pub(super) struct Transfer {
    /// Who is to follow; without it, whoever is elected
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    #[command(flatten)]
    whom: Whom,
}

/// Runs a command below `master`.
///
/// Exit codes: 0 it is done, 1 it is refused or a member does not answer, 2 the arguments are wrong.
pub(super) fn run(command: Master) -> ExitCode {
    match command {
        Master::Show(whom) => {
            whom.print(whom.ask(|_| Some(json!({"op": "status"}))), shown, |_| None)
        }
        Master::Set(Set { name, dir, socket, json }) => {
            let member = socket.is_none().then(|| name.clone());
            let mut whom = Whom::new(member, dir, socket);
            whom.json = json;
            let order = Order::Appoint { member: MemberName(name) };
            whom.print(whom.ask(|_| Some(json!({"op": "order", "order": order}))), answered, judged)
        }
        Master::Transfer(Transfer { to, whom }) => {
            if !whom.is_one() {
                return refused("name the master that is to go: --member NAME or --socket PATH");
            }
            let order = Order::Transfer { to: to.map(MemberName) };
            whom.print(whom.ask(|_| Some(json!({"op": "order", "order": order}))), answered, judged)
        }
    }
}

/// One line for each election in which the member has a part, and one for a group that elects nobody.
fn shown(status: &Value) -> String {
    let head =
        row([&"GROUP", &"MASTER", &"BY", &"TERM", &"PART", &"PROMISED", &"RECORD", &"VOTERS"]);
    let own = field(status, "group");
    let mut rows = vec![head];
    for election in items(status, "elections") {
        let is_own = field(election, "group") == own;
        rows.push(row([
            &plain(field(election, "group")),
            &if is_own { master_of(status) } else { "-".into() },
            &"election",
            &term_of(field(election, "term")),
            &plain(field(election, "part")),
            &plain(field(election, "promised")),
            &if is_own { record_of(status) } else { "-".into() },
            &voters_of(election),
        ]));
    }
    if !items(status, "elections").iter().any(|election| field(election, "group") == own) {
        let is_master = field(status, "master") == field(status, "member");
        rows.push(row([
            &plain(own),
            &master_of(status),
            &plain(field(status, "master_by")),
            &term_of(field(field(status, "record"), "term")),
            &if is_master { "master" } else { "member" },
            &"-",
            &record_of(status),
            &"-",
        ]));
    }
    table(&rows)
}

/// Whom the member takes for the master, and whether it is attached to it.
fn master_of(status: &Value) -> String {
    let master = plain(field(status, "master"));
    match field(status, "attached") {
        Value::Bool(false) => format!("{master} (not attached)"),
        _ => master,
    }
}

/// Who votes, and behind an arrow who is to vote by the member's file, where those are others.
fn voters_of(election: &Value) -> String {
    let seats = plain(field(election, "seats"));
    match field(election, "becomes") {
        Value::Null => seats,
        becomes => format!("{seats} -> {}", plain(becomes)),
    }
}

/// How long ago the member has learnt the record of its group.
fn record_of(status: &Value) -> String {
    let record = field(status, "record");
    match field(record, "age_s").as_u64() {
        None => "none".into(),
        Some(age_s) => {
            let is_stale = field(record, "stale").as_bool() == Some(true);
            format!("{age_s} s old{}", if is_stale { ", stale" } else { "" })
        }
    }
}

fn term_of(term: &Value) -> String {
    match field(term, "counter") {
        Value::Null => "-".into(),
        counter => format!("{counter} of {}", plain(field(term, "member"))),
    }
}
