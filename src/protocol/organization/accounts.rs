//! Accounts: who has one open, whether it takes mail now, and how much it may hold.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::PasswordHash;
use crate::clause;
use crate::protocol::rules::Rule;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{Epoch, GroupName, MemberName};
use crate::wire::message::{Address, Refusal};

/// An account and the member that has it open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `local@domain`.
    pub address: Address,
    /// The host of the account, where its ownership is static.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<MemberName>,
    /// The group whose master leases the account to its members, where its ownership is dynamic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The ownership: raised whenever the account gets another host.
    #[serde(default, skip_serializing_if = "Epoch::is_first")]
    pub epoch: Epoch,
    /// The account rules.
    #[serde(rename = "rule", default)]
    pub rules: Vec<Rule>,
    /// Whether it takes mail now.
    #[serde(default, skip_serializing_if = "AccountStatus::is_open")]
    pub status: AccountStatus,
    /// The most octets that its files may have; 0 is no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quota_octets: u64,
    /// How mail is refused for which there is no room.
    #[serde(default, skip_serializing_if = "OverQuota::is_temporary")]
    pub over_quota: OverQuota,
    /// The most octets of a message that it may send; 0 is no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub send_limit_octets: u64,
    /// The most recipients of a message that it may send; 0 is no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub send_limit_recipients: u64,
    /// What is kept of its password; without one nobody logs in as this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
}

/// Whether an account takes mail now.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum AccountStatus {
    /// It does.
    #[default]
    Open,
    /// It does not, for now.
    Suspended,
}

/// How mail is refused for which an account has no room.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum OverQuota {
    /// For now: its custodian tries again.
    #[default]
    Temporary,
    /// For ever: its custodian returns it.
    Permanent,
}

/// What an account has, beside what is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// The octets of its files, and of what is recorded.
    pub(crate) used: u64,
    /// The octets of deliveries that are being made.
    pub(crate) underway: u64,
}

impl Account {
    /// An account without anything that need not be said.
    #[must_use]
    pub const fn new(address: Address, host: MemberName) -> Self {
        Self {
            address,
            host: Some(host),
            group: None,
            epoch: Epoch::FIRST,
            rules: Vec::new(),
            status: AccountStatus::Open,
            quota_octets: 0,
            over_quota: OverQuota::Temporary,
            send_limit_octets: 0,
            send_limit_recipients: 0,
            password: None,
        }
    }

    /// Who owns it by this file; nobody does where its ownership is dynamic.
    #[must_use]
    pub fn ownership(&self) -> Option<Ownership> {
        clause!(DE_051);
        Some(Ownership { member: self.host.clone()?, epoch: self.epoch })
    }

    /// Whether there is an end to what it may hold.
    #[must_use]
    pub const fn has_quota(&self) -> bool {
        self.quota_octets > 0
    }

    /// Why it takes nothing at all now.
    #[must_use]
    pub(crate) fn suspension(&self) -> Option<Refusal> {
        clause!(DE_080);
        let is_suspended = self.status == AccountStatus::Suspended;
        is_suspended.then(|| Refusal::new(450, "4.2.1", "the account takes no mail now"))
    }

    /// Why it may not send a message of so many octets to so many.
    #[must_use]
    pub(crate) fn send_limit(&self, octets: u64, recipients: u64) -> Option<Refusal> {
        let exceeds = |count: u64, limit: u64| limit > 0 && count > limit;
        if exceeds(octets, self.send_limit_octets) {
            let limit = self.send_limit_octets;
            let text = alloc::format!("a message of this sender may have {limit} octets");
            return Some(Refusal::new(552, "5.3.4", &text));
        }
        if exceeds(recipients, self.send_limit_recipients) {
            let limit = self.send_limit_recipients;
            let text = alloc::format!("a message of this sender may have {limit} recipients");
            return Some(Refusal::new(452, "4.5.3", &text));
        }
        None
    }

    /// Whether there is an end to what it may send.
    #[must_use]
    pub const fn has_send_limit(&self) -> bool {
        self.send_limit_octets > 0 || self.send_limit_recipients > 0
    }

    /// Why it does not take this many octets more. Where they may not be known, it must have room for
    /// one at least.
    #[must_use]
    pub(crate) fn overflow(&self, octets: u64, room: Room) -> Option<Refusal> {
        let octets = octets.max(1);
        let exceeds = |has: u64| self.has_quota() && has.saturating_add(octets) > self.quota_octets;
        if exceeds(room.used) && self.over_quota == OverQuota::Permanent {
            clause!(DE_082);
            return Some(Refusal::new(552, "5.2.2", "the account is over its quota"));
        }
        clause!(DE_083);
        let is_over = exceeds(room.used.saturating_add(room.underway));
        is_over.then(|| Refusal::new(452, "4.2.2", "the account is over its quota"))
    }
}

impl AccountStatus {
    fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

impl OverQuota {
    fn is_temporary(&self) -> bool {
        *self == Self::Temporary
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(limit: &u64) -> bool {
    *limit == 0
}
