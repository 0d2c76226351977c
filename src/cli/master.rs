//! Who the masters are, and how a mastership moves.

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
    /// Have an elected master go in order, so that another member is elected at once
    #[command(
        after_help = "Examples:\n  bridgehead master transfer --member rg1-a --to rg1-b\n  bridgehead master transfer --member rg1-a    # whoever stands first\n\nThe master stops before it says so: for the moment of an election the group has none."
    )]
    Transfer(Transfer),
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
        Master::Transfer(Transfer { to, whom }) => {
            if !whom.is_one() {
                return refused("name the master that is to go: --member NAME or --socket PATH");
            }
            let order = Order::Transfer { to: to.map(MemberName) };
            whom.print(whom.ask(|_| Some(json!({"op": "order", "order": order}))), answered, judged)
        }
    }
}

/// One line for each election in which the member has a part; one for a member without any.
fn shown(status: &Value) -> String {
    let head = row([&"GROUP", &"MASTER", &"TERM", &"PART", &"PROMISED", &"VOTERS"]);
    let own = field(status, "group");
    let mut rows = vec![head];
    for election in items(status, "elections") {
        let is_own = field(election, "group") == own;
        let master = if is_own { plain(field(status, "master")) } else { "-".into() };
        rows.push(row([
            &plain(field(election, "group")),
            &master,
            &term_of(election),
            &plain(field(election, "part")),
            &plain(field(election, "promised")),
            &voters_of(election),
        ]));
    }
    if !items(status, "elections").iter().any(|election| field(election, "group") == own) {
        rows.push(row([
            &plain(own),
            &plain(field(status, "master")),
            &"-",
            &"by name",
            &"-",
            &"-",
        ]));
    }
    table(&rows)
}

/// Who votes, and behind an arrow who is to vote by the member's file, where those are others.
fn voters_of(election: &Value) -> String {
    let seats = plain(field(election, "seats"));
    match field(election, "becomes") {
        Value::Null => seats,
        becomes => format!("{seats} -> {}", plain(becomes)),
    }
}

fn term_of(election: &Value) -> String {
    let term = field(election, "term");
    match field(term, "counter") {
        Value::Null => "-".into(),
        counter => format!("{counter} of {}", plain(field(term, "member"))),
    }
}
