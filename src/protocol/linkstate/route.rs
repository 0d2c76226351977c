//! Routes by the table alone: least cost, then fewest hops, then the first connector's name.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{ConnectorRecord, ConnectorState, Table};
use crate::clause;
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectorName, GroupName};

/// How good a route is; the least is the best. The last field is the first connector of the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Label<'a> {
    cost: u64,
    hops: u32,
    first: &'a ConnectorName,
}

/// The first connector of the best route from `from` to `to` for a message of `octets`, `None` when
/// every route has infinite cost.
#[must_use]
pub fn first_connector<'a>(
    table: &'a Table,
    organization: &Organization,
    from: &GroupName,
    to: &GroupName,
    octets: u64,
) -> Option<&'a ConnectorRecord> {
    assert_ne!(from, to, "a route leads to another group");
    clause!(LS_040);
    let limited = organization.connectors.iter();
    let too_small: BTreeSet<_> = limited
        .filter(|connector| connector.size_limit_octets.is_some_and(|limit| limit < octets))
        .map(|connector| &connector.name)
        .collect();
    let mut best: BTreeMap<&GroupName, Label<'_>> = BTreeMap::new();
    let mut frontier: BTreeSet<(Label<'_>, &GroupName)> = BTreeSet::new();
    let mut settled: BTreeSet<&GroupName> = BTreeSet::from([from]);
    let mut here = from;
    let mut reached: Option<Label<'_>> = None;
    loop {
        for connector in usable(table, &too_small, here) {
            if settled.contains(&connector.to) {
                continue;
            }
            let label = Label {
                cost: reached.map_or(0, |label| label.cost) + u64::from(connector.cost),
                hops: reached.map_or(0, |label| label.hops) + 1,
                first: reached.map_or(&connector.name, |label| label.first),
            };
            if best.get(&connector.to).is_none_or(|known| label < *known) {
                if let Some(known) = best.insert(&connector.to, label) {
                    frontier.remove(&(known, &connector.to));
                }
                frontier.insert((label, &connector.to));
            }
        }
        let (label, group) = frontier.pop_first()?;
        assert!(reached.is_none_or(|last| last <= label), "costs are positive: labels only grow");
        if group == to {
            let record = table.get(from)?;
            return record.connectors.iter().find(|connector| connector.name == *label.first);
        }
        settled.insert(group);
        here = group;
        reached = Some(label);
    }
}

/// The connectors that leave `group`, are UP in the table, and permit the message.
fn usable<'a>(
    table: &'a Table,
    too_small: &BTreeSet<&ConnectorName>,
    group: &GroupName,
) -> impl Iterator<Item = &'a ConnectorRecord> {
    let connectors = table.get(group).map_or(&[][..], |record| &record.connectors[..]);
    connectors.iter().filter(|connector| {
        clause!(LS_041);
        connector.state == ConnectorState::Up && !too_small.contains(&connector.name)
    })
}

/// Whether `name` is the only way from its group to the group that it leads to: without it `to`
/// cannot be reached from `from`. States and restrictions do not matter, only what is configured.
#[must_use]
pub fn is_cut_edge(
    table: &Table,
    organization: &Organization,
    name: &ConnectorName,
    from: &GroupName,
    to: &GroupName,
) -> bool {
    clause!(LS_030);
    let mut seen = BTreeSet::from([from]);
    let mut open = alloc::vec![from];
    while let Some(group) = open.pop() {
        for (edge, far) in configured(table, organization, group) {
            if edge != name && seen.insert(far) {
                open.push(far);
            }
        }
    }
    !seen.contains(to)
}

/// The connectors that are configured from `group`: as its record says, and as this member's
/// configuration says while the table has no record of the group. A buried group has none.
fn configured<'a>(
    table: &'a Table,
    organization: &'a Organization,
    group: &'a GroupName,
) -> impl Iterator<Item = (&'a ConnectorName, &'a GroupName)> {
    let record = table.get(group);
    let published = record.map_or(&[][..], |record| &record.connectors[..]);
    let named = organization.group(group).and_then(|group| table.of(&group.uuid));
    let is_silent = record.is_none() && named.is_none_or(|known| known.deleted.is_none());
    let own = if is_silent { &organization.connectors[..] } else { &[] };
    let own = own.iter().filter(move |connector| connector.from == *group);
    published.iter().map(|c| (&c.name, &c.to)).chain(own.map(|c| (&c.name, &c.to)))
}
