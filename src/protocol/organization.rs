//! The organization as every member is configured with it: groups, members, connectors, accounts.
//!
//! These are the values of `organization.toml`. The shell reads the file and checks it; the pure core
//! only sees an organization for which [`Organization::check`] found nothing wrong.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::ids::{ConnectorName, GroupName, MemberName};
use super::message::Address;

/// The only value of `format` that this version reads.
pub const ORGANIZATION_FORMAT: u32 = 1;
/// The least and the greatest cost of a connector.
pub const COST_RANGE: core::ops::RangeInclusive<u32> = 1..=100;
/// The most groups of one organization.
pub const GROUPS_LIMIT: usize = 10_000;
/// The most members of one group.
pub const MEMBERS_LIMIT: usize = 64;

/// `organization.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// [`ORGANIZATION_FORMAT`].
    pub format: u32,
    /// Counts up with every edit; the major number of the link-state records.
    pub revision: u32,
    /// What people call it.
    pub name: String,
    /// The domains whose accounts live here.
    pub domains: Vec<String>,
    /// The groups.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// The connectors, one for each direction.
    #[serde(rename = "connector", default)]
    pub connectors: Vec<Connector>,
    /// The accounts and their hosts.
    #[serde(rename = "account", default)]
    pub accounts: Vec<Account>,
    /// Where mail for foreign domains goes: `HOST:PORT` of a smart host. Without one it is refused.
    #[serde(default)]
    pub smart_host: Option<String>,
}

/// A routing group: one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Unique in the organization.
    pub name: GroupName,
    /// The identity of the group, 32 lower-case hexadecimal digits. A reused name is a new one.
    pub uuid: String,
    /// The members, by name.
    pub members: Vec<MemberName>,
    /// The master: one of the members.
    pub master: MemberName,
}

/// A directed edge between groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Unique in the organization.
    pub name: ConnectorName,
    /// The group that sends on it.
    pub from: GroupName,
    /// The group that receives.
    pub to: GroupName,
    /// 1 to 100.
    pub cost: u32,
    /// The members of `from` that carry it.
    pub sources: Vec<MemberName>,
    /// The members of `to` that are tried, in order.
    pub targets: Vec<MemberName>,
    /// The largest message that it carries, in octets.
    #[serde(default)]
    pub size_limit_octets: Option<u64>,
}

/// An account and the member that has it open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `local@domain`.
    pub address: Address,
    /// The host of the account.
    pub host: MemberName,
}

/// What is wrong with an organization: where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationError {
    /// The place, such as `connector[2].cost`. The shell adds file and line.
    pub place: String,
    /// What is wrong, with what was expected.
    pub problem: String,
}

impl Organization {
    /// The group of that name.
    #[must_use]
    pub fn group(&self, name: &GroupName) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == *name)
    }

    /// The group that a member belongs to.
    #[must_use]
    pub fn group_of(&self, member: &MemberName) -> Option<&Group> {
        self.groups.iter().find(|group| group.members.contains(member))
    }

    /// The connector of that name.
    #[must_use]
    pub fn connector(&self, name: &ConnectorName) -> Option<&Connector> {
        self.connectors.iter().find(|connector| connector.name == *name)
    }

    /// The account of that address; the local part is compared without case.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<&Account> {
        self.accounts.iter().find(|account| {
            account.address.domain() == address.domain()
                && account.address.local().eq_ignore_ascii_case(address.local())
        })
    }

    /// Whether the accounts of `domain` live in this organization.
    #[must_use]
    pub fn is_local_domain(&self, domain: &str) -> bool {
        self.domains.iter().any(|local| local.eq_ignore_ascii_case(domain))
    }

    /// Everything that is wrong, in the order of the file.
    #[must_use]
    pub fn check(&self) -> Vec<OrganizationError> {
        let mut errors = Vec::new();
        let mut wrong = |place: String, problem: String| {
            errors.push(OrganizationError { place, problem });
        };
        if self.format != ORGANIZATION_FORMAT {
            wrong("format".into(), format!("is {}, expected {ORGANIZATION_FORMAT}", self.format));
        }
        if self.groups.is_empty() || self.groups.len() > GROUPS_LIMIT {
            wrong(
                "group".into(),
                format!("{} groups, expected 1 to {GROUPS_LIMIT}", self.groups.len()),
            );
        }
        let mut homes: BTreeMap<&MemberName, &GroupName> = BTreeMap::new();
        let mut uuids = BTreeSet::new();
        let mut names = BTreeSet::new();
        for (place, group) in self.groups.iter().enumerate() {
            if !names.insert(&group.name) {
                wrong(format!("group[{place}].name"), format!("`{}` stands twice", group.name));
            }
            let is_uuid = group.uuid.len() == 32
                && group.uuid.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if !is_uuid || !uuids.insert(&group.uuid) {
                let expected =
                    "expected 32 lower-case hexadecimal digits, unlike any other group's";
                wrong(format!("group[{place}].uuid"), format!("is `{}`, {expected}", group.uuid));
            }
            if group.members.is_empty() || group.members.len() > MEMBERS_LIMIT {
                let count = group.members.len();
                wrong(
                    format!("group[{place}].members"),
                    format!("{count} members, expected 1 to {MEMBERS_LIMIT}"),
                );
            }
            for member in &group.members {
                if let Some(home) = homes.insert(member, &group.name) {
                    wrong(
                        format!("group[{place}].members"),
                        format!("`{member}` is already a member of `{home}`"),
                    );
                }
            }
            if !group.members.contains(&group.master) {
                wrong(
                    format!("group[{place}].master"),
                    format!("`{}` is not a member of `{}`", group.master, group.name),
                );
            }
        }
        let mut connectors = BTreeSet::new();
        for (place, connector) in self.connectors.iter().enumerate() {
            if !connectors.insert(&connector.name) {
                wrong(
                    format!("connector[{place}].name"),
                    format!("`{}` stands twice", connector.name),
                );
            }
            if !COST_RANGE.contains(&connector.cost) {
                wrong(
                    format!("connector[{place}].cost"),
                    format!("is {}, expected 1 to 100", connector.cost),
                );
            }
            if connector.from == connector.to {
                wrong(
                    format!("connector[{place}].to"),
                    format!("is `{}`, expected another group than `from`", connector.to),
                );
            }
            for (side, group, members) in [
                ("from", &connector.from, &connector.sources),
                ("to", &connector.to, &connector.targets),
            ] {
                if !names.contains(group) {
                    wrong(
                        format!("connector[{place}].{side}"),
                        format!("`{group}` is no group of this file"),
                    );
                    continue;
                }
                let list = if side == "from" { "sources" } else { "targets" };
                if members.is_empty() {
                    wrong(
                        format!("connector[{place}].{list}"),
                        "is empty, expected at least one member".into(),
                    );
                }
                for member in members {
                    if homes.get(member) != Some(&group) {
                        wrong(
                            format!("connector[{place}].{list}"),
                            format!("`{member}` is not a member of `{group}`"),
                        );
                    }
                }
            }
        }
        let mut accounts = BTreeSet::new();
        for (place, account) in self.accounts.iter().enumerate() {
            if !accounts.insert(format!("{}", account.address).to_ascii_lowercase()) {
                wrong(
                    format!("account[{place}].address"),
                    format!("`{}` stands twice", account.address),
                );
            }
            if !self.is_local_domain(account.address.domain()) {
                let domain = account.address.domain();
                wrong(
                    format!("account[{place}].address"),
                    format!("`{domain}` is not in `domains`"),
                );
            }
            if !homes.contains_key(&account.host) {
                wrong(
                    format!("account[{place}].host"),
                    format!("`{}` is no member of any group", account.host),
                );
            }
        }
        errors
    }
}
