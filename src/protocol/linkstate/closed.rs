//! What closes the ways to a group for one message, and the words in which everybody says so.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::paths::{Inward, Tree};
use super::{Barrier, ConnectorRecord, ConnectorState, Table, Traits};
use crate::clause;
use crate::wire::ids::{ConnectorName, GroupName};

/// How many of those that close a way are named.
const NAMED_LIMIT: usize = 3;

/// A connector that closes a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// The connector.
    pub connector: ConnectorName,
    /// Why the message may not use it; `None` stands for DOWN.
    pub barrier: Option<Barrier>,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.barrier {
            None => write!(f, "{} DOWN", self.connector),
            Some(barrier) => write!(f, "{} {barrier}", self.connector),
        }
    }
}

/// Some by name, and how many more there are.
#[must_use]
pub fn named<T: fmt::Display>(all: &[T]) -> String {
    let mut words = String::new();
    for (place, one) in all.iter().take(NAMED_LIMIT).enumerate() {
        words.push_str(if place == 0 { "" } else { ", " });
        words.push_str(&alloc::format!("{one}"));
    }
    let more = all.len().saturating_sub(NAMED_LIMIT);
    if more > 0 {
        words.push_str(&alloc::format!(" and {more} more"));
    }
    words
}

/// What stands against a connector itself.
pub(super) fn obstacle(connector: &ConnectorRecord, traits: &Traits) -> Option<Closed> {
    let closed = |barrier| Closed { connector: connector.name.clone(), barrier };
    if connector.state == ConnectorState::Down {
        return Some(closed(None));
    }
    connector.restrictions.barrier(traits).map(|barrier| closed(Some(barrier)))
}

/// The first connectors that are closed on the ways to a group that `tree` does not reach; ways that touch
/// `avoided` do not count.
pub(super) fn closing(
    table: &Table,
    inward: &Inward,
    tree: &Tree,
    to: &GroupName,
    avoided: Option<&GroupName>,
) -> Vec<Closed> {
    let is_reached = |group: &GroupName| group == tree.source() || tree.get(group).is_some();
    // From these groups a way leads on, whatever closes it there.
    let mut leads = BTreeSet::from([to]);
    let mut open = alloc::vec![to];
    while let Some(group) = open.pop() {
        for before in inward.get(group).into_iter().flatten() {
            if Some(before) != avoided && !is_reached(before) && leads.insert(before) {
                open.push(before);
            }
        }
    }
    let reached = core::iter::once(tree.source()).chain(tree.groups());
    let connectors =
        reached.filter_map(|group| table.get(group)).flat_map(|record| &record.connectors);
    let leading = connectors.filter(|connector| leads.contains(&connector.to));
    leading.filter_map(|connector| obstacle(connector, tree.traits())).collect()
}

/// Why no way is open to a group, for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoWay {
    to: GroupName,
    /// Whether the table has a record of it.
    is_known: bool,
    /// The connectors that close the ways; those first that are not DOWN.
    closed: Vec<Closed>,
    /// The buried groups among those: this one, or all to which a connector still leads.
    buried: Vec<GroupName>,
}

impl NoWay {
    /// By the table and a tree that does not reach `to`.
    pub(super) fn of(table: &Table, inward: &Inward, tree: &Tree, to: &GroupName) -> Self {
        clause!(LS_244);
        let is_buried = |group: &GroupName| {
            table.get(group).is_none() && table.records().any(|record| record.group == *group)
        };
        let mut closed = closing(table, inward, tree, to, None);
        closed.sort_by_key(|closed| closed.barrier.is_none());
        let is_known = table.get(to).is_some();
        let buried = match (is_known, closed.is_empty()) {
            (true, true) => tree.groups().filter(|group| is_buried(group)).cloned().collect(),
            (true, false) => Vec::new(),
            (false, _) => Some(to.clone()).into_iter().filter(is_buried).collect(),
        };
        Self { to: to.clone(), is_known, closed, buried }
    }

    /// Whether nothing but broken connectors closes the ways.
    pub(super) fn is_down(&self) -> bool {
        let first = self.closed.first();
        self.is_known && first.is_some_and(|closed| closed.barrier.is_none())
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, is_known, closed, buried } = self;
        match (closed.first(), &buried[..]) {
            (_, []) if !is_known => write!(f, "no way to {to} is known"),
            (_, _) if !is_known => write!(f, "{to} is buried"),
            (Some(_), _) if self.is_down() => write!(f, "every way to {to} is down"),
            (Some(_), _) => write!(f, "every way to {to} is closed to it: {}", named(closed)),
            (None, []) => write!(f, "no connector leads to {to}"),
            (None, [one]) => write!(f, "no connector leads to {to}; {one} is buried"),
            (None, _) => write!(f, "no connector leads to {to}; buried are {}", named(buried)),
        }
    }
}
