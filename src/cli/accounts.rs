//! `accounts`: what members have, who has an account, and the release of one that a master leases.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::queue::{answered, judged};
use super::refused;
use super::table::{field, items, plain, row, table};
use super::whom::{Answers, Whom};
use crate::protocol::operator::Order;
use crate::wire::message::Address;
use crate::wire::smtp::decode_address;

/// The commands below `accounts`.
#[derive(Debug, Subcommand)]
pub(super) enum Accounts {
    /// Print the accounts that each member has open, with what lies in their Maildirs
    #[command(
        after_help = "Examples:\n  bridgehead accounts list\n  bridgehead accounts list --member rg1-a --json"
    )]
    List(Whom),
    /// Tell who has an account, by what each member knows
    #[command(
        after_help = "Examples:\n  bridgehead accounts owner ann@example.test\n  bridgehead accounts owner ann@example.test --member rg1-a --json\n\nBY is how the member knows: lease (it has the account itself), master (it is the master, and keeps the\naccount for OWNER), heard (it was told, some time ago), file (the account has a host by the file, or has moved\nfrom there), unknown. Who has a leased account is known in the group LEASED IN alone; MASTER is that of the\nmember that answers. Exit codes: 0 it is told, 1 there is no such account or a member does not answer, 2 the\narguments are wrong."
    )]
    Owner(Meant),
    /// Have a leased account given back, or freed by the master where its owner cannot be asked
    #[command(
        after_help = "Examples:\n  bridgehead accounts release ann@example.test --member rg1-a\n  bridgehead accounts release ann@example.test --socket /run/bridgehead/admin.sock\n\nThe member that has the account gives it back as soon as nothing is under way in it. The master frees what it\nkeeps for another member; that one loses it with its next request, and until then two members may take it\nfor theirs: the store takes the writes of the later one alone. Whoever wants the account next has it.\nExit codes: 0 it is done, 1 it is refused (the answer says whom to ask) or the member does not answer, 2 the\narguments are wrong."
    )]
    Release(Meant),
}

/// Which account, and whom to ask.
#[derive(Debug, Args)]
pub(super) struct Meant {
    /// The account
    #[arg(value_name = "ADDRESS", value_parser = address)]
    account: Address,
    #[command(flatten)]
    whom: Whom,
}

fn address(text: &str) -> Result<Address, String> {
    decode_address(text).map_err(|error| format!("it is no address: {error}"))
}

/// Runs a command below `accounts`.
///
/// Exit codes: 0 it is done, 1 it is refused or a member does not answer, 2 the arguments are wrong.
pub(super) fn run(command: Accounts) -> ExitCode {
    match command {
        Accounts::List(whom) => {
            whom.print(whom.ask(|_| Some(json!({"op": "accounts"}))), listed, unread)
        }
        Accounts::Owner(Meant { account, whom }) => {
            let question = |_: &str| Some(json!({"op": "owner", "account": account}));
            whom.print(whom.ask(question), known, |answers| nobody_s(&account.0, answers))
        }
        Accounts::Release(Meant { account, whom }) => {
            if !whom.is_one() {
                return refused("name one member: --member NAME or --socket PATH");
            }
            let order = Order::ReleaseAccount { account };
            whom.print(whom.ask(|_| Some(json!({"op": "order", "order": order}))), answered, judged)
        }
    }
}

fn listed(answer: &Value) -> String {
    let mut rows = vec![row([&"ACCOUNT", &"BY", &"JOURNAL", &"LETTERS", &"MAILDIR"])];
    for account in items(answer, "accounts") {
        let is_leased = field(account, "leased") == true;
        rows.push(row([
            &plain(field(account, "address")),
            &if is_leased { "lease" } else { "file" },
            &plain(field(account, "delivered")),
            &items(account, "letters").len(),
            &plain(field(account, "directory")),
        ]));
    }
    if rows.len() == 1 { "no accounts\n".into() } else { table(&rows) }
}

/// Why the Maildirs of a member could not be read.
fn unread(answers: &Answers) -> Option<String> {
    let problems = answers.members.iter().filter_map(|(name, answer)| {
        let problem = field(answer, "error").as_str()?;
        Some(format!("{name}: {problem}"))
    });
    let problems: Vec<String> = problems.collect();
    (!problems.is_empty()).then(|| problems.join("\n"))
}

fn known(answer: &Value) -> String {
    let known = field(answer, "known");
    if known.is_null() {
        return "no such account\n".into();
    }
    table(&[
        row([&"OWNER", &"BY", &"EPOCH", &"OPENING", &"LEASED IN", &"MASTER"]),
        row([
            &plain(field(known, "owner")),
            &plain(field(known, "by")),
            &epoch(field(known, "epoch")),
            &plain(field(known, "opening")),
            &plain(field(answer, "group")),
            &plain(field(answer, "master")),
        ]),
    ])
}

/// A grant: its number, and the term under which it was made.
fn epoch(epoch: &Value) -> String {
    match field(epoch, "number") {
        Value::Null => "-".into(),
        number => {
            let term = field(epoch, "term");
            let (counter, member) = (plain(field(term, "counter")), plain(field(term, "member")));
            format!("{} of term {counter} of {member}", plain(number))
        }
    }
}

fn nobody_s(account: &str, answers: &Answers) -> Option<String> {
    let is_known = |answer: &Value| !field(answer, "known").is_null();
    (!answers.members.values().any(is_known)).then(|| format!("{account}: no such account"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MA-105
    #[test]
    fn an_owner_is_a_row() {
        let answer = json!({"member": "rg1-b", "master": "rg1-a", "group": "RG1", "known": {
            "account": "ann@example.test", "owner": "rg1-c", "by": "master", "opening": null,
            "epoch": {"term": {"counter": 3, "member": "rg1-a", "nonce": 9}, "number": 12},
        }});
        let expected = "\
OWNER  BY      EPOCH                  OPENING  LEASED IN  MASTER
rg1-c  master  12 of term 3 of rg1-a  -        RG1        rg1-a
";
        assert_eq!(known(&answer), expected);
        assert_eq!(known(&json!({"known": null})), "no such account\n");
    }

    /// SV-124
    #[test]
    fn accounts_are_listed_with_how_they_are_had() {
        let answer = json!({"accounts": [
            {"address": "ann@a.test", "delivered": 2, "leased": true, "letters": [{}, {}], "directory": "/s/ann"},
            {"address": "bob@a.test", "delivered": 0, "letters": [], "directory": "/o/bob"},
        ]});
        let expected = "\
ACCOUNT     BY     JOURNAL  LETTERS  MAILDIR
ann@a.test  lease  2        2        /s/ann
bob@a.test  file   0        0        /o/bob
";
        assert_eq!(listed(&answer), expected);
        assert_eq!(listed(&json!({"accounts": []})), "no accounts\n");
    }
}
