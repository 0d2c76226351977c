//! `account`: an account goes to another member. Both members are stopped.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::{failed, refused};
use crate::server::accounts::{self, MoveError, Moved};
use crate::server::configuration::{self, report};
use crate::wire::ids::{Epoch, MemberName};
use crate::wire::message::Address;

/// The commands below `account`.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Take an account from a member that is stopped: its mail and what its journal knows
    #[command(
        after_help = "Example:\n  bridgehead account export east/member.toml anna@example.test --to west /srv/anna"
    )]
    Export {
        /// member.toml of the member that has the account
        file: PathBuf,
        /// The account
        account: String,
        /// The member that gets it, of the same group
        #[arg(long, value_name = "MEMBER")]
        to: String,
        /// The epoch under which that member will have it [default: the next one]
        #[arg(long)]
        epoch: Option<u64>,
        /// Where to put it; must not exist
        directory: PathBuf,
    },
    /// Open an exported account at the member that gets it, which is stopped
    #[command(after_help = "Example:\n  bridgehead account import west/member.toml /srv/anna")]
    Import {
        /// member.toml of the member that gets the account
        file: PathBuf,
        /// What `account export` has made
        directory: PathBuf,
    },
    /// Open an account whose journal is lost with its host; what was delivered there may come again
    #[command(
        after_help = "Example:\n  bridgehead account adopt west/member.toml anna@example.test --without-journal"
    )]
    Adopt {
        /// member.toml of the member that gets the account
        file: PathBuf,
        /// The account
        account: String,
        /// There is no export to be had
        #[arg(long, required = true)]
        without_journal: bool,
    },
}

/// Does one of them.
pub(super) fn run(command: &Account) -> ExitCode {
    let (Account::Export { file, .. } | Account::Import { file, .. } | Account::Adopt { file, .. }) =
        command;
    let configuration = match configuration::load(file) {
        Ok(configuration) => configuration,
        Err(errors) => return refused(&report(&errors)),
    };
    let moved = match command {
        Account::Export { account, to, epoch, directory, .. } => {
            let (account, to) = (Address::from(account.as_str()), MemberName::from(to.as_str()));
            accounts::export(&configuration, &account, (&to, epoch.map(Epoch)), directory)
        }
        Account::Import { directory, .. } => accounts::import(&configuration, directory),
        Account::Adopt { account, .. } => {
            accounts::adopt(&configuration, &Address::from(account.as_str()))
        }
    };
    match moved {
        Ok(moved) => {
            tell(command, &moved);
            ExitCode::SUCCESS
        }
        Err(error @ MoveError::Refused(_)) => refused(&error.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}

fn tell(command: &Account, moved: &Moved) {
    let Moved { account, to, deliveries, was_done } = moved;
    let done = match command {
        Account::Export { .. } => "is exported",
        Account::Import { .. } | Account::Adopt { .. } => "is open",
    };
    let before = if *was_done { " (it was before)" } else { "" };
    let journal = format!("{deliveries} deliveries in its journal");
    say!("{account} {done}: host = \"{}\", epoch = {}, {journal}{before}", to.member, to.epoch);
}
