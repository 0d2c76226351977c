//! C5, convergence: when faults stop, all members of each connected component have the same table within a
//! stated bound, and it says of each connector what is true.
//!
//! It is asked when no faults strike any more, some connectors may be cut for good, and every connector
//! has had news to carry since: what nobody uses is not noticed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::protocol::linkstate::{ConnectorState, Table};
use crate::protocol::organization::{Connector, LinkStatePolicy, Organization};
use crate::sim::host::Host;
use crate::wire::ids::{GroupName, MemberName};

/// Which groups lead to which.
type Edges<'a> = BTreeSet<(&'a GroupName, &'a GroupName)>;

/// Whether a member cannot reach another one.
pub(super) type IsCut<'a> = &'a dyn Fn(&MemberName, &MemberName) -> bool;

/// What differs from what must be, if anything. Members of one group reach each other.
pub(super) fn check(hosts: &[Host], is_cut: IsCut<'_>) -> Result<(), String> {
    let Some(organization) = hosts.first().map(|host| &host.config.organization) else {
        return Ok(());
    };
    let is_broken = |connector: &Connector| {
        let targets = |source| connector.targets.iter().all(move |to| is_cut(source, to));
        connector.sources.iter().all(targets)
    };
    let connectors = &organization.connectors;
    let working = connectors.iter().filter(|c| !is_broken(c)).map(|c| (&c.from, &c.to)).collect();
    let reached = all_reached(organization, &working);
    let mut speakers: BTreeMap<&GroupName, (&Host, &Table)> = BTreeMap::new();
    for host in hosts {
        let (group, table) = known_by(host)?;
        // The first member of each component speaks for it.
        let in_touch =
            |other: &GroupName| reached[group].contains(other) && reached[other].contains(group);
        let first = speakers.iter().find(|(other, _)| in_touch(other)).map(|(_, first)| *first);
        let (first, expected) = first.unwrap_or((host, table));
        speakers.entry(group).or_insert((host, table));
        if table.digest() != expected.digest() {
            let (ours, theirs) = (versions(table), versions(expected));
            return Err(format!("{}: {ours}, but {}: {theirs}", host.name(), first.name()));
        }
        for connector in connectors.iter().filter(|c| in_touch(&c.from)) {
            let is_told = organization.link_state.policy == LinkStatePolicy::Truth
                || !is_persistent(organization, connector);
            let is_down = is_broken(connector) && is_told;
            let expected = if is_down { ConnectorState::Down } else { ConnectorState::Up };
            let record = table.get(&connector.from);
            let found = record.and_then(|r| r.connectors.iter().find(|c| c.name == connector.name));
            let found = found.map(|found| found.state);
            if found != Some(expected) {
                let (name, who) = (&connector.name, host.name());
                return Err(format!("{name} is {found:?} at {who}, expected {expected:?}"));
            }
        }
    }
    Ok(())
}

fn known_by(host: &Host) -> Result<(&GroupName, &Table), String> {
    let group = host.config.organization.group_of(&host.config.member);
    let node = host.node.as_ref().ok_or_else(|| format!("{} is down", host.name()))?;
    let group = group.ok_or_else(|| format!("{} is in no group", host.name()))?;
    Ok((&group.name, node.machine().member().link().table()))
}

/// The groups that each group reaches, itself among them.
fn all_reached<'a>(
    organization: &'a Organization,
    edges: &Edges<'a>,
) -> BTreeMap<&'a GroupName, BTreeSet<&'a GroupName>> {
    let groups = organization.groups.iter().map(|group| &group.name);
    groups.map(|group| (group, reached(group, edges))).collect()
}

fn reached<'a>(from: &'a GroupName, edges: &Edges<'a>) -> BTreeSet<&'a GroupName> {
    let mut seen = BTreeSet::from([from]);
    let mut open = Vec::from([from]);
    while let Some(group) = open.pop() {
        open.extend(
            edges
                .iter()
                .filter(|(at, _)| *at == group)
                .map(|(_, to)| *to)
                .filter(|to| seen.insert(to)),
        );
    }
    seen
}

/// LS-030, told from the file alone: no other way is configured.
fn is_persistent(organization: &Organization, connector: &Connector) -> bool {
    let others = organization.connectors.iter().filter(|other| other.name != connector.name);
    let edges = others.map(|other| (&other.from, &other.to)).collect();
    !reached(&connector.from, &edges).contains(&connector.to)
}

fn versions(table: &Table) -> String {
    let words = table.records().map(|r| {
        let down = r.connectors.iter().filter(|c| c.state == ConnectorState::Down);
        let down: Vec<&str> = down.map(|c| c.name.0.as_str()).collect();
        format!("{} {} {}", r.group, r.version, down.join("+"))
    });
    words.collect::<Vec<_>>().join(", ")
}
