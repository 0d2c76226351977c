//! The organization as every member is configured with it: groups, members, connectors, accounts.
//!
//! These are the values of `organization.toml`. The shell reads the file and checks it; the pure core
//! only sees an organization for which [`Organization::check`] found nothing wrong.

mod accounts;
mod check;
mod election;
mod exits;
mod leases;
mod link_state;
mod password;
pub mod schedule;
mod settings;

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::protocol::rules::Rule;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};
use crate::wire::is_name;
use crate::wire::message::Address;
use crate::wire::restrictions::{Priority, Restrictions, SenderId};

pub(crate) use accounts::Room;
pub use accounts::{Account, AccountStatus, OverQuota};
pub use election::{
    BackEnd, CLOCK_DRIFT_LIMIT_PPM, ElectionSettings, LEASE_LIMIT_S, VOTERS_LEAST, VOTERS_LIMIT,
};
pub use exits::Exit;
pub use leases::LeaseSettings;
pub use link_state::{
    DECAY_STEPS, DampingRule, FLAP_PENALTY, LinkStatePolicy, LinkStateSettings, PENALTY_LIMIT,
    PROBE_INTERVAL_S, REFRESH_LEAST_S, REFRESHES_PER_LIFETIME,
};
pub use password::{
    PASSWORD_LANES_LIMIT, PASSWORD_MEMORY_LIMIT_KIB, PASSWORD_PASSES_LIMIT, PasswordHash,
    SALT_OCTETS, Verdict,
};
pub use schedule::{SCHEDULE_LIMIT, ScheduleEntry, wait_of, within_days};
pub use settings::{MemberSettings, Relay, Role, Submit, SubmitPolicy, WEIGHT_LIMIT};

pub use crate::wire::members::MEMBERS_LIMIT;

/// The only value of `format` that this version reads.
pub const ORGANIZATION_FORMAT: u32 = 1;
/// The most groups of one organization.
pub const GROUPS_LIMIT: usize = 10_000;

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
    /// How connectors are watched, and what is published of them.
    #[serde(default, skip_serializing_if = "LinkStateSettings::is_default")]
    pub link_state: LinkStateSettings,
}

/// Host and port of a smart host; the host is a name, or an address without brackets.
#[must_use]
pub fn smart_host_parts(smart_host: &str) -> Option<(String, u16)> {
    if let Ok(address) = smart_host.parse::<SocketAddr>() {
        return (address.port() != 0).then(|| (address.ip().to_string(), address.port()));
    }
    let (host, port) = smart_host.rsplit_once(':')?;
    let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
    let port = port.parse().ok().filter(|port| is_number && *port != 0)?;
    // The last label of a name is no number: what ends in one is an address that was not written right.
    let is_host = is_name(host) && !host.split('.').any(str::is_empty);
    let is_address_like = host.rsplit('.').next()?.bytes().all(|octet| octet.is_ascii_digit());
    (is_host && !is_address_like).then(|| (String::from(host), port))
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
    /// The master: one of the members. A group that elects its master names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<MemberName>,
    /// How the master is elected, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub election: Option<ElectionSettings>,
    /// How the master leases accounts to the members, where any are of dynamic ownership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<LeaseSettings>,
    /// The mail stores of the group that are not members.
    #[serde(rename = "store", default)]
    pub stores: Vec<Store>,
    /// What is said of members besides their names.
    #[serde(rename = "member", default)]
    pub settings: Vec<MemberSettings>,
    /// The queue rules of the group, which run behind those of the server.
    #[serde(rename = "rule", default)]
    pub rules: Vec<Rule>,
    /// The ways that lead from the group out of the organization.
    #[serde(rename = "exit", default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<Exit>,
}

/// A mail store that hosts accounts and is no member: it speaks LMTP, and keeps no delivery journal
/// unless it offers `X-DELIVER` (DE-070).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The name by which accounts have it as their host; unlike that of any member.
    pub name: MemberName,
    /// Its LMTP port, `ADDRESS:PORT`. The members of the group reach it there without TLS.
    pub lmtp: String,
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
    /// The priorities of the messages that it carries; none stands for all.
    #[serde(default)]
    pub priorities: Vec<Priority>,
    /// The addresses and domains whose mail alone it carries, and `<>` for the null sender; none stands
    /// for all.
    #[serde(default)]
    pub senders_allowed: Vec<String>,
    /// The addresses and domains whose mail it does not carry.
    #[serde(default)]
    pub senders_denied: Vec<String>,
    /// When it carries mail; no entries stand for always. News is carried at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<ScheduleEntry>,
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

    /// The group that has an account.
    #[must_use]
    pub fn group_of_account(&self, account: &Account) -> Option<&Group> {
        match &account.host {
            Some(host) => self.group_of_host(host),
            None => self.group(account.group.as_ref()?),
        }
    }

    /// The group that an account's host belongs to, be it a member or a store.
    #[must_use]
    pub fn group_of_host(&self, host: &MemberName) -> Option<&Group> {
        self.groups.iter().find(|group| group.members.contains(host) || group.store(host).is_some())
    }

    /// The mail store of that name.
    #[must_use]
    pub fn store(&self, name: &MemberName) -> Option<&Store> {
        self.groups.iter().find_map(|group| group.store(name))
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

    /// Whether the priority of a message can choose its way.
    #[must_use]
    pub fn heeds_priority(&self) -> bool {
        let mut exits = self.groups.iter().flat_map(|group| &group.exits);
        self.connectors.iter().any(|connector| !connector.priorities.is_empty())
            || exits.any(|exit| !exit.priorities.is_empty())
    }

    /// Whether mail for `address` leaves the organization.
    #[must_use]
    pub fn is_foreign(&self, address: &Address) -> bool {
        !address.domain().is_empty() && !self.is_local_domain(address.domain())
    }

    /// Whether the accounts of `domain` live in this organization.
    #[must_use]
    pub fn is_local_domain(&self, domain: &str) -> bool {
        self.domains.iter().any(|local| local.eq_ignore_ascii_case(domain))
    }
}

impl Connector {
    /// For which messages it can be used, as the record of its group says it.
    #[must_use]
    pub fn restrictions(&self) -> Restrictions {
        clause!(LS_170);
        let senders = (&self.senders_allowed[..], &self.senders_denied[..]);
        restrictions(self.size_limit_octets, &self.priorities, senders)
    }
}

/// What a file says of the messages that may use a way, as it stands in a record.
fn restrictions(
    size_limit_octets: Option<u64>,
    priorities: &[Priority],
    (allowed, denied): (&[String], &[String]),
) -> Restrictions {
    let ids = |senders: &[String]| {
        let ids: BTreeSet<_> = senders.iter().map(|sender| SenderId::of(sender)).collect();
        ids.into_iter().collect()
    };
    let priorities: BTreeSet<_> = priorities.iter().copied().collect();
    Restrictions {
        size_limit_octets,
        priorities: priorities.into_iter().collect(),
        senders_allowed: ids(allowed),
        senders_denied: ids(denied),
    }
}

impl Group {
    fn store(&self, name: &MemberName) -> Option<&Store> {
        self.stores.iter().find(|store| store.name == *name)
    }
}
