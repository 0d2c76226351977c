//! Why a message goes the way that it goes: the route, and what spoke against every other connector.

use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

pub use super::closed::{Closed, NoWay, named};
use super::closed::{closing, obstacle};
use super::paths::{Inward, Tree, inward, is_usable};
use super::{Barrier, ConnectorRecord, Table, Term, Traits};
use crate::protocol::master::Mastership;
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectorName, GroupName};

/// The route of a message, and every first connector that it could have had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Where the message is.
    pub from: GroupName,
    /// Where it is to go.
    pub to: GroupName,
    /// The cost of the route; without one, it is infinite.
    pub cost: Option<u64>,
    /// The connectors of the route, in order.
    pub path: Vec<Step>,
    /// Every connector that leaves the group where the message is, in order of their names.
    pub candidates: Vec<Candidate>,
}

/// One connector of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The connector.
    pub connector: ConnectorName,
    /// The group that it leads to.
    pub to: GroupName,
    /// What it costs.
    pub cost: u32,
}

/// A connector that could be the first one of the route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The connector.
    pub connector: ConnectorName,
    /// The group that it leads to.
    pub to: GroupName,
    /// What it costs.
    pub cost: u32,
    /// What the best route costs that begins with it.
    pub total: Option<u64>,
    /// How many connectors that route has.
    pub hops: Option<u32>,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The message goes there.
    Chosen,
    /// It is as good as the one that is chosen, and mail is spread over both.
    Equal,
    /// It is DOWN in the table.
    Down,
    /// It does not carry this message.
    Barred(Barrier),
    /// Behind it, every way is closed by these connectors; if there is none, no other way is configured than
    /// back.
    NoWayOn(Vec<Closed>),
    /// The route costs so much more.
    Costlier(u64),
    /// The route costs the same and has so many connectors more.
    MoreHops(u32),
    /// The route is as good, and the name of this connector is greater.
    GreaterName,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Equal => f.write_str("as good: the id of the message chooses"),
            Self::Down => f.write_str("DOWN"),
            Self::Barred(barrier) => write!(f, "{barrier}"),
            Self::NoWayOn(closed) if closed.is_empty() => f.write_str("leads no further"),
            Self::NoWayOn(closed) => write!(f, "closed behind it: {}", named(closed)),
            Self::Costlier(by) => write!(f, "costlier by {by}"),
            Self::MoreHops(by) => write!(f, "more hops by {by}"),
            Self::GreaterName => f.write_str("as good, but for its name"),
        }
    }
}

/// What the masters of an organization publish while everything works.
#[must_use]
pub fn configured(organization: &Organization) -> Table {
    let records = organization.groups.iter().filter_map(|group| {
        let term = Term { counter: 1, member: group.first_master().clone(), nonce: 0 };
        Mastership::new(term).compose(organization, group, None, false)
    });
    Table::new(records)
}

/// Why a message with these traits goes from `from` to `to` as it does. With `spread`, mail is spread over
/// first connectors that are equally good.
#[must_use]
pub fn explain(
    table: &Table,
    (from, to): (&GroupName, &GroupName),
    traits: &Traits,
    spread: bool,
) -> Explanation {
    assert_ne!(from, to, "a route leads to another group");
    let tree = Tree::full(table, from, traits);
    let best = tree.get(to).map(|reached| &reached.label);
    let inward = inward(table);
    let equal = if spread { tree.firsts(table, &inward, to) } else { Vec::new() };
    let own = table.get(from).map_or(&[][..], |record| &record.connectors[..]);
    let candidates = own.iter().map(|connector| {
        let (route, closed) = match obstacle(connector, traits) {
            Some(_) => (None, Vec::new()),
            None => beyond((table, &inward), connector, (from, to), traits),
        };
        let verdict = match (obstacle(connector, traits), route, best) {
            (Some(Closed { barrier: None, .. }), ..) => Verdict::Down,
            (Some(Closed { barrier: Some(barrier), .. }), ..) => Verdict::Barred(barrier),
            (None, Some((total, _)), Some(best)) if total > best.cost => {
                Verdict::Costlier(total - best.cost)
            }
            (None, Some((_, hops)), Some(best)) if hops > best.hops => {
                Verdict::MoreHops(hops - best.hops)
            }
            (None, Some(_), Some(best)) if connector.name == best.first => Verdict::Chosen,
            (None, Some(_), Some(_)) if equal.contains(&connector.name) => Verdict::Equal,
            (None, Some(_), Some(_)) => Verdict::GreaterName,
            (None, ..) => Verdict::NoWayOn(closed),
        };
        Candidate {
            connector: connector.name.clone(),
            to: connector.to.clone(),
            cost: connector.cost,
            total: route.map(|(total, _)| total),
            hops: route.map(|(_, hops)| hops),
            verdict,
        }
    });
    let candidates: Vec<_> = candidates.collect();
    let chosen = candidates.iter().filter(|candidate| candidate.verdict == Verdict::Chosen).count();
    assert_eq!(chosen, usize::from(best.is_some()), "where there is a route, one was chosen");
    let path = path(table, &tree, (from, to));
    let cost = best.map(|best| best.cost);
    Explanation { from: from.clone(), to: to.clone(), cost, path, candidates }
}

/// Cost and connectors of the best route that begins with a usable connector; without one, what closes the
/// ways behind it. A way through the group where the message is would not begin there.
fn beyond(
    (table, inward): (&Table, &Inward),
    first: &ConnectorRecord,
    (from, to): (&GroupName, &GroupName),
    traits: &Traits,
) -> (Option<(u64, u32)>, Vec<Closed>) {
    let cost = u64::from(first.cost);
    if first.to == *to {
        return (Some((cost, 1)), Vec::new());
    }
    let tree = Tree::avoiding(table, &first.to, traits, Some(from));
    if let Some(reached) = tree.get(to) {
        return (Some((cost + reached.label.cost, reached.label.hops + 1)), Vec::new());
    }
    (None, closing(table, inward, &tree, to, Some(from)))
}

/// The connectors of the best route, from the last one back to the first.
fn path(table: &Table, tree: &Tree, (from, to): (&GroupName, &GroupName)) -> Vec<Step> {
    let mut path = Vec::new();
    let mut here = to;
    while let Some(reached) = tree.get(here) {
        let (before, name) = &reached.via;
        let connectors = table.get(before).into_iter().flat_map(|record| &record.connectors);
        let connector = connectors.into_iter().find(|connector| connector.name == *name);
        let connector = connector.expect("a route is made of the connectors of the table");
        assert!(is_usable(connector, tree.traits()), "a route is made of usable connectors");
        path.push(Step { connector: name.clone(), to: here.clone(), cost: connector.cost });
        here = before;
    }
    assert!(path.is_empty() || here == from, "a route begins where the message is");
    path.reverse();
    path
}

/// Why there is no way from one group to another for a message with these traits, which it has none.
#[must_use]
pub fn why_none(table: &Table, (from, to): (&GroupName, &GroupName), traits: &Traits) -> NoWay {
    NoWay::of(table, &inward(table), &Tree::full(table, from, traits), to)
}
