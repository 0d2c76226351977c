//! Whether a connector has an alternative: what persistence looks at.

use alloc::collections::BTreeSet;

use super::Table;
use crate::clause;
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectorName, GroupName};

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
/// configuration says while the table has no record of the group.
fn configured<'a>(
    table: &'a Table,
    organization: &'a Organization,
    group: &'a GroupName,
) -> impl Iterator<Item = (&'a ConnectorName, &'a GroupName)> {
    let record = table.get(group);
    let published = record.map_or(&[][..], |record| &record.connectors[..]);
    let own = if record.is_none() { &organization.connectors[..] } else { &[] };
    let own = own.iter().filter(move |connector| connector.from == *group);
    published.iter().map(|c| (&c.name, &c.to)).chain(own.map(|c| (&c.name, &c.to)))
}
