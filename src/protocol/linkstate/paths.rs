//! The best routes from one group to all others, for messages with the same traits; and how they follow a
//! change of some records without being computed anew.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{ConnectorRecord, ConnectorState, SharedRecord, Table, Traits};
use crate::clause;
use crate::wire::ids::{ConnectorName, GroupName};

/// Which groups have a connector to a group.
pub type Inward = BTreeMap<GroupName, BTreeSet<GroupName>>;

/// A group whose record has changed, and what it said before.
pub type Before = (GroupName, Option<SharedRecord>);

/// How good a route is; the least is the best.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The sum of the costs.
    pub cost: u64,
    /// The number of connectors.
    pub hops: u32,
    /// The first connector.
    pub first: ConnectorName,
}

/// A group that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// How good the best route is.
    pub label: Label,
    /// The group before the last connector of that route, and that connector.
    pub via: (GroupName, ConnectorName),
}

/// The best route from one group to each other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    source: GroupName,
    traits: Traits,
    reached: BTreeMap<GroupName, Reached>,
}

/// Whether a message with these traits may use a connector now.
#[must_use]
pub fn is_usable(connector: &ConnectorRecord, traits: &Traits) -> bool {
    clause!(LS_041);
    connector.state == ConnectorState::Up && connector.restrictions.barrier(traits).is_none()
}

/// The records that speak for their groups' names.
pub fn speaking(table: &Table) -> impl Iterator<Item = &SharedRecord> + Clone {
    table.records().filter(|record| table.get(&record.group).is_some_and(|first| first.is(record)))
}

/// The groups that have a connector to each group, by the whole table.
#[must_use]
pub fn inward(table: &Table) -> Inward {
    let mut inward = Inward::new();
    for record in speaking(table) {
        for connector in &record.connectors {
            inward.entry(connector.to.clone()).or_default().insert(record.group.clone());
        }
    }
    inward
}

impl Tree {
    /// The best routes from `source` by the whole table.
    #[must_use]
    pub fn full(table: &Table, source: &GroupName, traits: &Traits) -> Self {
        Self::avoiding(table, source, traits, None)
    }

    /// The same, for routes that do not touch `avoided`.
    #[must_use]
    pub fn avoiding(
        table: &Table,
        source: &GroupName,
        traits: &Traits,
        avoided: Option<&GroupName>,
    ) -> Self {
        let mut tree =
            Self { source: source.clone(), traits: traits.clone(), reached: BTreeMap::new() };
        tree.spread_from(table, [source], avoided);
        tree
    }

    /// The best route to `group`; none where every one has infinite cost.
    #[must_use]
    pub fn get(&self, group: &GroupName) -> Option<&Reached> {
        self.reached.get(group)
    }

    /// The group from which the routes lead.
    #[must_use]
    pub const fn source(&self) -> &GroupName {
        &self.source
    }

    /// Every group that can be reached.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.reached.keys()
    }

    /// The messages for which these are the routes.
    #[must_use]
    pub const fn traits(&self) -> &Traits {
        &self.traits
    }

    /// Follows a change of records. `changed` has what each said before, `table` and `inward` what holds now.
    /// Tells how many groups have been looked at anew: none where the change alters no route.
    pub fn follow(&mut self, table: &Table, inward: &Inward, changed: &[Before]) -> usize {
        let lost = self.lost(table, changed);
        for group in &lost {
            self.reached.remove(group);
        }
        // A better way can begin only where something changed, or where something was lost.
        let mut starts: BTreeSet<&GroupName> = changed.iter().map(|(group, _)| group).collect();
        for group in &lost {
            starts.extend(inward.get(group).into_iter().flatten());
        }
        starts.retain(|group| **group == self.source || self.reached.contains_key(*group));
        let starts: Vec<GroupName> = starts.into_iter().cloned().collect();
        lost.len() + self.spread_from(table, &starts, None)
    }

    /// The groups whose best route has a connector that no longer is what it was.
    fn lost(&self, table: &Table, changed: &[Before]) -> BTreeSet<GroupName> {
        let mut open: Vec<GroupName> = Vec::new();
        for (group, before) in changed {
            let now = table.get(group);
            for old in before.iter().flat_map(|record| &record.connectors) {
                let is_used = self
                    .reached
                    .get(&old.to)
                    .is_some_and(|reached| reached.via.0 == *group && reached.via.1 == old.name);
                let found = now.and_then(|r| r.connectors.iter().find(|c| c.name == old.name));
                let is_same = found.is_some_and(|new| {
                    new.to == old.to && new.cost == old.cost && is_usable(new, &self.traits)
                });
                if is_used && !is_same {
                    open.push(old.to.clone());
                }
            }
        }
        if open.is_empty() {
            return BTreeSet::new();
        }
        let mut behind: BTreeMap<&GroupName, Vec<&GroupName>> = BTreeMap::new();
        for (group, reached) in &self.reached {
            behind.entry(&reached.via.0).or_default().push(group);
        }
        let mut lost = BTreeSet::new();
        while let Some(group) = open.pop() {
            open.extend(behind.get(&group).into_iter().flatten().map(|next| (*next).clone()));
            lost.insert(group);
        }
        lost
    }

    /// Improves routes from the groups of `starts` on, in the order of Dijkstra. Costs are positive and each
    /// connector adds the same to every route that takes it, so a group that is taken up is settled.
    fn spread_from<'a>(
        &mut self,
        table: &Table,
        starts: impl IntoIterator<Item = &'a GroupName>,
        avoided: Option<&GroupName>,
    ) -> usize {
        let mut frontier: BTreeSet<(Label, GroupName)> = BTreeSet::new();
        let mut improved = 0;
        for start in starts {
            improved += self.relax(table, start, avoided, &mut frontier);
        }
        while let Some((label, group)) = frontier.pop_first() {
            assert_eq!(self.reached[&group].label, label, "what is worse was taken out");
            improved += self.relax(table, &group, avoided, &mut frontier);
        }
        improved
    }

    /// Tries every connector that leaves `group`.
    fn relax(
        &mut self,
        table: &Table,
        group: &GroupName,
        avoided: Option<&GroupName>,
        frontier: &mut BTreeSet<(Label, GroupName)>,
    ) -> usize {
        let here = self.reached.get(group).map(|reached| reached.label.clone());
        assert!(here.is_some() || *group == self.source, "routes go on from where they lead");
        let connectors = table.get(group).map_or(&[][..], |record| &record.connectors[..]);
        let mut improved = 0;
        for connector in connectors.iter().filter(|connector| is_usable(connector, &self.traits)) {
            if connector.to == self.source || Some(&connector.to) == avoided {
                continue;
            }
            let cost = u64::from(connector.cost);
            let label = here.as_ref().map_or_else(
                || Label { cost, hops: 1, first: connector.name.clone() },
                |here| Label { cost: here.cost + cost, hops: here.hops + 1, ..here.clone() },
            );
            let known = self.reached.get(&connector.to).map(|reached| &reached.label);
            if known.is_some_and(|known| *known <= label) {
                continue;
            }
            let via = (group.clone(), connector.name.clone());
            let reached = Reached { label: label.clone(), via };
            if let Some(worse) = self.reached.insert(connector.to.clone(), reached) {
                frontier.remove(&(worse.label, connector.to.clone()));
            }
            frontier.insert((label, connector.to.clone()));
            improved += 1;
        }
        improved
    }

    /// The first connectors of all routes to `group` that are as good as the best one, names apart.
    #[must_use]
    pub fn firsts(&self, table: &Table, inward: &Inward, group: &GroupName) -> Vec<ConnectorName> {
        clause!(LS_185);
        let mut firsts = BTreeSet::new();
        let mut seen = BTreeSet::from([group]);
        let mut open = alloc::vec![group];
        while let Some(group) = open.pop() {
            let Some(goal) = self.reached.get(group) else { continue };
            for before in inward.get(group).into_iter().flatten() {
                let Some(record) = table.get(before) else { continue };
                let start = match self.reached.get(before) {
                    Some(reached) => (reached.label.cost, reached.label.hops),
                    None if *before == self.source => (0, 0),
                    None => continue,
                };
                let usable = record.connectors.iter().filter(|connector| {
                    let end = (start.0 + u64::from(connector.cost), start.1 + 1);
                    connector.to == *group
                        && end == (goal.label.cost, goal.label.hops)
                        && is_usable(connector, &self.traits)
                });
                for connector in usable {
                    if *before == self.source {
                        firsts.insert(connector.name.clone());
                    } else if seen.insert(before) {
                        open.push(before);
                    }
                }
            }
        }
        firsts.into_iter().collect()
    }
}
