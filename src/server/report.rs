//! What a member shows of itself, as JSON: for the admin socket and for the adapter.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::configuration::Configuration;
use super::maildir::Maildirs;
use crate::kernel::Machine as _;
use crate::protocol::message::BodyKey;
use crate::protocol::server::Server;

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The member as a whole.
    Status,
    /// The messages in its custody.
    Queue,
    /// Its link-state table.
    LinkState,
    /// The accounts that it has open.
    Accounts,
}

impl What {
    /// From its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "status" => Some(Self::Status),
            "queue" => Some(Self::Queue),
            "linkstate" => Some(Self::LinkState),
            "accounts" => Some(Self::Accounts),
            _ => None,
        }
    }
}

/// What the machine shows.
///
/// # Panics
/// For [`What::Accounts`], which the disk shows.
#[must_use]
pub fn of(server: &Server, configuration: &Configuration, what: What) -> Value {
    match what {
        What::Status => status(server, configuration),
        What::Queue => json!(server.view()),
        What::LinkState => json!(server.view()),
        What::Accounts => unreachable!("accounts are read from the disk"),
    }
}

fn status(_server: &Server, configuration: &Configuration) -> Value {
    json!({ "member": configuration.member.member })
}

/// The bodies that some message needs.
#[must_use]
pub fn bodies(_server: &Server) -> BTreeSet<BodyKey> {
    BTreeSet::new()
}

/// The accounts of this member, with their letters.
#[must_use]
pub fn accounts(maildirs: &Maildirs, configuration: &Configuration) -> Value {
    let _ = configuration;
    match maildirs.list() {
        Ok(accounts) => {
            let accounts: Vec<Value> = accounts
                .iter()
                .map(|account| {
                    let letters: Vec<Value> = account
                        .letters
                        .iter()
                        .map(|letter| {
                            json!({"name": letter.name, "path": letter.path, "octets": letter.octets})
                        })
                        .collect();
                    json!({
                        "address": account.address, "directory": account.directory,
                        "letters": letters, "unpublished": account.unpublished,
                    })
                })
                .collect();
            json!({ "accounts": accounts })
        }
        Err(error) => json!({ "error": error.to_string() }),
    }
}
