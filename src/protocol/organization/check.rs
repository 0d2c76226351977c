//! What can be wrong with an organization.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{
    Account, AccountStatus, Connector, Exit, GROUPS_LIMIT, Group, MEMBERS_LIMIT, MemberSettings,
    ORGANIZATION_FORMAT, Organization, OrganizationError, OverQuota, PasswordHash, Role,
    SCHEDULE_LIMIT, ScheduleEntry, Submit, WEIGHT_LIMIT, smart_host_parts,
};
use crate::clause;
use crate::protocol::rules::{self, Kind, Rule};
use crate::wire::exits::{EXITS_LIMIT, SPACES_LIMIT};
use crate::wire::ids::{Epoch, GroupName, MemberName};
use crate::wire::is_name;
use crate::wire::record::COST_RANGE;
use crate::wire::restrictions::{NULL_SENDER, Priority, SENDERS_LIMIT, SenderId};
use crate::wire::smtp::decode_address;

/// The most octets in the name of a group or connector.
const NAME_OCTETS_LIMIT: usize = 255;

impl Organization {
    /// Everything that is wrong, in the order of the file.
    #[must_use]
    pub fn check(&self) -> Vec<OrganizationError> {
        let mut check = Check::default();
        check.head(self);
        for (place, group) in self.groups.iter().enumerate() {
            check.group(place, group);
        }
        check.stores_against_members(self);
        for (place, group) in self.groups.iter().enumerate() {
            check.exits(self, place, group);
            check.elections(self, place, group);
        }
        for (place, connector) in self.connectors.iter().enumerate() {
            check.connector(place, connector);
        }
        for (place, account) in self.accounts.iter().enumerate() {
            check.account(self, place, account);
        }
        check.errors
    }
}

/// What has been read so far.
#[derive(Default)]
struct Check<'a> {
    errors: Vec<OrganizationError>,
    homes: BTreeMap<&'a MemberName, &'a GroupName>,
    stores: BTreeSet<&'a MemberName>,
    groups: BTreeSet<&'a GroupName>,
    uuids: BTreeSet<&'a str>,
    connectors: BTreeSet<&'a str>,
    accounts: BTreeSet<String>,
}

impl<'a> Check<'a> {
    fn wrong(&mut self, place: String, problem: String) {
        self.errors.push(OrganizationError { place, problem });
    }

    fn head(&mut self, organization: &Organization) {
        let format = organization.format;
        if format != ORGANIZATION_FORMAT {
            self.wrong("format".into(), format!("is {format}, expected {ORGANIZATION_FORMAT}"));
        }
        for (place, domain) in organization.domains.iter().enumerate() {
            if decode_address(&format!("postmaster@{domain}")).is_err() {
                self.wrong(
                    format!("domains[{place}]"),
                    format!("`{domain}` is no domain of RFC 5321"),
                );
            }
            let is_same = |other: &String| other.eq_ignore_ascii_case(domain);
            if organization.domains[..place].iter().any(is_same) {
                self.wrong(format!("domains[{place}]"), format!("`{domain}` stands twice"));
            }
        }
        self.smart_host("smart_host".into(), organization.smart_host.as_deref());
        for (field, problem) in organization.link_state.problems() {
            self.wrong(format!("link_state.{field}"), problem);
        }
        let count = organization.groups.len();
        if !(1..=GROUPS_LIMIT).contains(&count) {
            self.wrong("group".into(), format!("{count} groups, expected 1 to {GROUPS_LIMIT}"));
        }
    }

    fn smart_host(&mut self, place: String, host: Option<&str>) {
        clause!(SV_089);
        let Some(host) = host.filter(|host| smart_host_parts(host).is_none()) else { return };
        let expected = "expected HOST:PORT, such as `mail.example.net:25` or `[2001:db8::1]:25`";
        self.wrong(place, format!("is `{host}`, {expected}"));
    }

    /// Names of groups and connectors are shown and escaped, so anything that prints will do.
    fn shown_name(&mut self, place: String, name: &str) {
        let fits = (1..=NAME_OCTETS_LIMIT).contains(&name.len());
        if !fits || name.chars().any(char::is_control) {
            let problem =
                format!("is {name:?}, expected 1 to {NAME_OCTETS_LIMIT} octets without controls");
            self.wrong(place, problem);
        }
    }

    fn group(&mut self, place: usize, group: &'a Group) {
        self.shown_name(format!("group[{place}].name"), group.name.as_str());
        if !self.groups.insert(&group.name) {
            self.wrong(format!("group[{place}].name"), format!("`{}` stands twice", group.name));
        }
        let is_uuid = group.uuid.len() == 32
            && group.uuid.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_uuid || !self.uuids.insert(&group.uuid) {
            let expected = "expected 32 lower-case hexadecimal digits, unlike any other group's";
            self.wrong(format!("group[{place}].uuid"), format!("is `{}`, {expected}", group.uuid));
        }
        self.members(place, group);
        self.stores(place, group);
        for (number, settings) in group.settings.iter().enumerate() {
            self.settings(&format!("group[{place}].member[{number}]"), group, number, settings);
        }
        self.rules(&format!("group[{place}].rule"), &group.rules, Kind::Queue);
        self.master(&format!("group[{place}]"), group);
    }

    /// A group has a master by its name, or elects one.
    fn master(&mut self, place: &str, group: &Group) {
        match (&group.master, &group.election) {
            (Some(master), None) if !group.members.contains(master) => {
                let problem = format!("`{master}` is not a member of `{}`", group.name);
                self.wrong(format!("{place}.master"), problem);
            }
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => {
                let problem = "stands beside `election`, expected one of the two";
                self.wrong(format!("{place}.master"), problem.into());
            }
            (None, None) => {
                let problem = "is missing, expected it or a table `election`";
                self.wrong(format!("{place}.master"), problem.into());
            }
        }
    }

    fn elections(&mut self, organization: &Organization, place: usize, group: &Group) {
        let election = group.election.as_ref();
        for (field, problem) in
            election.into_iter().flat_map(|election| election.problems(organization, group))
        {
            self.wrong(format!("group[{place}].election.{field}"), problem);
        }
        let accounts = group.accounts.as_ref();
        for (field, problem) in accounts.into_iter().flat_map(|leases| leases.problems(group)) {
            let place = format!("group[{place}].accounts.{field}");
            self.wrong(place.trim_end_matches('.').into(), problem);
        }
    }

    fn members(&mut self, place: usize, group: &'a Group) {
        let place = || format!("group[{place}].members");
        let count = group.members.len();
        if !(1..=MEMBERS_LIMIT).contains(&count) {
            self.wrong(place(), format!("{count} members, expected 1 to {MEMBERS_LIMIT}"));
        }
        for member in &group.members {
            if !is_name(member.as_str()) {
                let expected = "expected 1 to 255 letters, digits, `-`, `.` and `_`";
                self.wrong(place(), format!("`{member}` is no member's name, {expected}"));
            }
            if let Some(home) = self.homes.insert(member, &group.name) {
                self.wrong(place(), format!("`{member}` is already a member of `{home}`"));
            }
        }
    }

    fn stores(&mut self, place: usize, group: &'a Group) {
        for (number, store) in group.stores.iter().enumerate() {
            let at = |field: &str| format!("group[{place}].store[{number}].{field}");
            let name = &store.name;
            if !is_name(name.as_str()) {
                let expected = "expected 1 to 255 letters, digits, `-`, `.` and `_`";
                self.wrong(at("name"), format!("`{name}` is no store's name, {expected}"));
            }
            if !self.stores.insert(name) {
                self.wrong(at("name"), format!("`{name}` stands twice"));
            }
            if store.lmtp.parse::<SocketAddr>().is_err() {
                let expected = "expected an address and a port, such as `127.0.0.1:24`";
                self.wrong(at("lmtp"), format!("is `{}`, {expected}", store.lmtp));
            }
        }
    }

    /// Names are unlike all others of members and stores, in whatever order the groups stand.
    fn stores_against_members(&mut self, organization: &Organization) {
        for (place, group) in organization.groups.iter().enumerate() {
            for (number, store) in group.stores.iter().enumerate() {
                if let Some(home) = self.homes.get(&store.name) {
                    let problem = format!("`{}` is already a member of `{home}`", store.name);
                    self.wrong(format!("group[{place}].store[{number}].name"), problem);
                }
            }
        }
    }

    fn settings(&mut self, at: &str, group: &Group, number: usize, settings: &MemberSettings) {
        let MemberSettings { name, role, submit, weight, relay } = settings;
        let at = |field: &str| format!("{at}.{field}");
        if !group.members.contains(name) {
            self.wrong(at("name"), format!("`{name}` is not a member of `{}`", group.name));
        }
        if group.settings[..number].iter().any(|other| other.name == *name) {
            self.wrong(at("name"), format!("`{name}` stands twice"));
        }
        if !(1..=WEIGHT_LIMIT).contains(weight) {
            self.wrong(at("weight"), format!("is {weight}, expected 1 to {WEIGHT_LIMIT}"));
        }
        let is_another = |other: &&MemberName| *other != name;
        if *submit == Submit::Remote && !group.acceptors().any(|other| is_another(&other)) {
            let expected =
                "expected another member of the group with `submit = \"local-for-others\"`";
            self.wrong(at("submit"), format!("is \"remote\", and nobody accepts; {expected}"));
        }
        if relay.is_none() {
            return;
        }
        if *role == Some(Role::Frontend) {
            let problem = "is \"*\" at a frontend, which would relay to itself; expected none";
            self.wrong(at("relay"), problem.into());
        } else if group.frontends().next().is_none() {
            let problem =
                "is \"*\", expected another member of the group with `role = \"frontend\"`";
            self.wrong(at("relay"), problem.into());
        }
    }

    fn connector(&mut self, place: usize, connector: &'a Connector) {
        let at = |field: &str| format!("connector[{place}].{field}");
        self.shown_name(at("name"), connector.name.as_str());
        if !self.connectors.insert(connector.name.as_str()) {
            self.wrong(at("name"), format!("`{}` stands twice", connector.name));
        }
        if !COST_RANGE.contains(&connector.cost) {
            self.wrong(at("cost"), format!("is {}, expected 1 to 100", connector.cost));
        }
        if connector.from == connector.to {
            let problem = format!("is `{}`, expected another group than `from`", connector.to);
            self.wrong(at("to"), problem);
        }
        let Connector { size_limit_octets, priorities, .. } = connector;
        let senders = (&connector.senders_allowed[..], &connector.senders_denied[..]);
        self.restrictions(at, (*size_limit_octets, priorities), senders);
        self.schedule(&at("schedule"), &connector.schedule);
        let sides = [
            ("from", "sources", &connector.from, &connector.sources),
            ("to", "targets", &connector.to, &connector.targets),
        ];
        for (side, list, group, members) in sides {
            if self.groups.contains(group) {
                self.bridgeheads(&at(list), group, members);
            } else {
                self.wrong(at(side), format!("`{group}` is no group of this file"));
            }
        }
    }

    fn exits(&mut self, organization: &Organization, place: usize, group: &'a Group) {
        clause!(SV_097);
        let count = group.exits.len();
        if count > EXITS_LIMIT {
            let problem = format!("{count} exits, expected at most {EXITS_LIMIT}");
            self.wrong(format!("group[{place}].exit[{EXITS_LIMIT}]"), problem);
        }
        for (number, exit) in group.exits.iter().enumerate() {
            let at = |field: &str| format!("group[{place}].exit[{number}].{field}");
            self.shown_name(at("name"), exit.name.as_str());
            if group.exits[..number].iter().any(|other| other.name == exit.name) {
                self.wrong(at("name"), format!("`{}` stands twice", exit.name));
            }
            self.spaces(&at("spaces"), exit, &organization.domains);
            if !COST_RANGE.contains(&exit.cost) {
                self.wrong(at("cost"), format!("is {}, expected 1 to 100", exit.cost));
            }
            self.bridgeheads(&at("sources"), &group.name, &exit.sources);
            let senders = (&exit.senders_allowed[..], &exit.senders_denied[..]);
            self.restrictions(at, (exit.size_limit_octets, &exit.priorities), senders);
            self.smart_host(at("smart_host"), exit.smart_host.as_deref());
            if organization.way_out(exit).is_none() {
                let problem = "neither the exit nor the organization has a smart host, expected `smart_host = \"HOST:PORT\"`";
                self.wrong(at("smart_host"), problem.into());
            }
        }
    }

    fn spaces(&mut self, place: &str, exit: &Exit, domains: &[String]) {
        let count = exit.spaces.len();
        if !(1..=SPACES_LIMIT).contains(&count) {
            self.wrong(place.into(), format!("{count} spaces, expected 1 to {SPACES_LIMIT}"));
        }
        for (number, space) in exit.spaces.iter().enumerate() {
            if exit.spaces[..number].contains(space) {
                self.wrong(place.into(), format!("`{space}` stands twice"));
            }
            if domains.iter().any(|own| own.eq_ignore_ascii_case(&space.0)) {
                let problem = "is a domain of the organization, whose mail takes no exit";
                self.wrong(place.into(), format!("`{space}` {problem}"));
            }
            if !space.is_valid() {
                let expected = "expected `*`, a domain such as `example.net`, or `*.example.net`, in lower case and US-ASCII";
                self.wrong(place.into(), format!("`{space}` is no address space, {expected}"));
            }
        }
    }

    /// When a connector carries mail.
    fn schedule(&mut self, place: &str, schedule: &[ScheduleEntry]) {
        clause!(SV_099);
        let count = schedule.len();
        if count > SCHEDULE_LIMIT {
            let problem = format!("{count} entries, expected at most {SCHEDULE_LIMIT}");
            self.wrong(place.into(), problem);
        }
        for (number, entry) in schedule.iter().enumerate() {
            if let Some((field, problem)) = entry.problem() {
                self.wrong(format!("{place}[{number}].{field}"), problem);
            }
        }
    }

    /// For which messages a connector or an exit is. What no message could pass is a mistake.
    fn restrictions(
        &mut self,
        at: impl Fn(&str) -> String,
        (size_limit_octets, priorities): (Option<u64>, &[Priority]),
        (allowed, denied): (&[String], &[String]),
    ) {
        clause!(SV_103);
        if size_limit_octets == Some(0) {
            self.wrong(at("size_limit_octets"), "is 0, expected at least 1".into());
        }
        let mut named = priorities.iter().enumerate();
        if let Some((_, twice)) = named.find(|(place, one)| priorities[..*place].contains(one)) {
            self.wrong(at("priorities"), format!("names `{}` twice", twice.as_str()));
        }
        self.senders(&at("senders_allowed"), allowed);
        self.senders(&at("senders_denied"), denied);
        for sender in allowed {
            let domain = sender.rsplit_once('@').map(|(_, domain)| domain);
            let of = |listed: &str| SenderId::of(listed);
            let stops = |denied: &&String| {
                of(denied) == of(sender) || domain.is_some_and(|domain| of(denied) == of(domain))
            };
            if let Some(denied) = denied.iter().find(stops) {
                let problem = format!("`{denied}` keeps out `{sender}` of `senders_allowed`");
                self.wrong(at("senders_denied"), problem);
            }
        }
    }

    /// What a connector says of senders.
    fn senders(&mut self, place: &str, senders: &[String]) {
        clause!(LS_173);
        let mut known = BTreeSet::new();
        for sender in senders.iter().filter(|sender| !known.insert(SenderId::of(sender))) {
            self.wrong(place.into(), format!("`{sender}` stands twice"));
        }
        let count = senders.len();
        if count > SENDERS_LIMIT {
            self.wrong(place.into(), format!("{count} senders, expected at most {SENDERS_LIMIT}"));
        }
        for sender in senders {
            let is_address = sender.contains('@') && decode_address(sender).is_ok();
            let is_domain = decode_address(&format!("postmaster@{sender}")).is_ok();
            if !is_address && !is_domain && sender != NULL_SENDER {
                let expected = "expected an address, a domain or `<>`";
                self.wrong(place.into(), format!("`{sender}` is no sender, {expected}"));
            }
        }
    }

    fn bridgeheads(&mut self, place: &str, group: &GroupName, members: &[MemberName]) {
        if members.is_empty() {
            self.wrong(place.into(), "is empty, expected at least one member".into());
        }
        let mut known = BTreeSet::new();
        for member in members {
            if !known.insert(member) {
                self.wrong(place.into(), format!("`{member}` stands twice"));
            }
            if self.homes.get(member) != Some(&group) {
                self.wrong(place.into(), format!("`{member}` is not a member of `{group}`"));
            }
        }
    }

    fn account(&mut self, organization: &Organization, place: usize, account: &Account) {
        let at = |field: &str| format!("account[{place}].{field}");
        let address = &account.address;
        if let Err(error) = decode_address(&address.0) {
            self.wrong(at("address"), format!("`{address}`: {error}"));
        }
        if !self.accounts.insert(format!("{address}").to_ascii_lowercase()) {
            self.wrong(at("address"), format!("`{address}` stands twice"));
        }
        if !organization.is_local_domain(address.domain()) {
            let domain = address.domain();
            self.wrong(at("address"), format!("`{domain}` is not in `domains`"));
        }
        let is_stored = account.host.as_ref().is_some_and(|host| self.stores.contains(host));
        match &account.host {
            Some(host) if !is_stored && !self.homes.contains_key(host) => {
                let problem = format!("`{host}` is no member and no store of any group");
                self.wrong(at("host"), problem);
            }
            Some(_) if account.group.is_none() => {}
            _ => {
                for (field, problem) in account.problems_of_lease(organization) {
                    self.wrong(at(field), problem);
                }
            }
        }
        if is_stored && !account.rules.is_empty() {
            let problem = "rules run at a member, and the host of this account is a store".into();
            self.wrong(at("rule"), problem);
        }
        clause!(SV_061);
        if is_stored && (account.status != AccountStatus::Open || account.has_quota()) {
            let field = if account.has_quota() { "quota_octets" } else { "status" };
            let problem = "is for the host to keep, and the host of this account is a store".into();
            self.wrong(at(field), problem);
        }
        if !account.has_quota() && account.over_quota != OverQuota::Temporary {
            let problem = "says how mail over the quota is refused, expected `quota_octets`".into();
            self.wrong(at("over_quota"), problem);
        }
        if account.epoch < Epoch::FIRST {
            self.wrong(at("epoch"), format!("is {}, expected 1 or more", account.epoch));
        }
        self.rules(&at("rule"), &account.rules, Kind::Account);
        if let Some(problem) = account.password.as_ref().and_then(PasswordHash::problem) {
            self.wrong(at("password"), problem);
        }
    }

    fn rules(&mut self, at: &str, rules: &[Rule], kind: Kind) {
        for (place, problem) in rules::check(rules, at, kind) {
            self.wrong(place, problem);
        }
    }
}
