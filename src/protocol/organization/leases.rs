//! How the master of a group leases accounts to its members: `[group.accounts]`, and the accounts themselves.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Account, Group, Organization};
use crate::clause;
use crate::kernel::Span;
use crate::wire::accounts::ACCOUNT_LEASE_RANGE_S;
use crate::wire::ids::Epoch;

/// For how long an account is leased, and in which store all of them are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseSettings {
    /// How long the master keeps an account for the member that has it and does not ask again, in seconds.
    #[serde(default = "account_lease")]
    pub account_lease_s: u32,
    /// The identity of the store in which the accounts are, 32 hexadecimal digits: no member uses another one, nor makes
    /// one. Without it each takes what it finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

/// How many digits the identity of a store has.
const IDENTITY_DIGITS: usize = 32;

const fn account_lease() -> u32 {
    30
}

impl LeaseSettings {
    /// How long the master keeps an account.
    #[must_use]
    pub fn lease(&self) -> Span {
        Span::seconds(u64::from(self.account_lease_s))
    }

    /// What is wrong with the settings of a group: the field, and the problem.
    pub(super) fn problems(&self, group: &Group) -> Vec<(&'static str, String)> {
        clause!(MA_102);
        let mut problems = Vec::new();
        if group.election.is_none() {
            let problem = "stands in a group whose master is named: leases need `election`";
            problems.push(("", problem.into()));
        }
        if !ACCOUNT_LEASE_RANGE_S.contains(&self.account_lease_s) {
            let most = ACCOUNT_LEASE_RANGE_S.end();
            let problem = format!("is {}, expected 1 to {most}", self.account_lease_s);
            problems.push(("account_lease_s", problem));
        }
        let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let is_identity = |of: &&String| of.len() == IDENTITY_DIGITS && of.bytes().all(is_digit);
        clause!(SV_128);
        if let Some(store) = self.store.as_ref().filter(|store| !is_identity(store)) {
            let problem = format!(
                "is `{store}`, expected the {IDENTITY_DIGITS} digits, 0 to 9 and a to f, that `bridgehead check` \
                 tells of a store that is there"
            );
            problems.push(("store", problem));
        }
        problems
    }
}

impl Account {
    /// Whether a master leases it to whoever of its group wants it.
    #[must_use]
    pub const fn is_leased(&self) -> bool {
        self.group.is_some()
    }

    /// What is wrong with where it lives, in an account that has no host: the field, and the problem.
    pub(super) fn problems_of_lease(
        &self,
        organization: &Organization,
    ) -> Vec<(&'static str, String)> {
        let Some(name) = &self.group else {
            let problem =
                "is missing, expected it or, where the master leases the account, `group`";
            return Vec::from([("host", problem.into())]);
        };
        clause!(DE_102);
        let mut problems = Vec::new();
        match organization.group(name) {
            None => problems.push(("group", format!("`{name}` is no group"))),
            Some(group) if group.accounts.is_none() => {
                let problem = format!("`{name}` leases no accounts: it has no table `accounts`");
                problems.push(("group", problem));
            }
            Some(_) => {}
        }
        if self.host.is_some() {
            let problem = "stands beside `host`, expected one of the two";
            problems.push(("group", problem.into()));
        }
        if self.epoch != Epoch::FIRST {
            let problem = "stands in an account that is leased: its store counts the epochs";
            problems.push(("epoch", problem.into()));
        }
        if !self.rules.is_empty() {
            let problem = "stands in an account that is leased: what rules make of a message is kept by \
                           a member, and the delivery by the store that members share";
            problems.push(("rule", problem.into()));
        }
        problems
    }
}
