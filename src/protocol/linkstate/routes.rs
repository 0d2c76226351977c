//! The routes of one member: the table by which it routes, and what was computed from it.
//!
//! The table that routes follows the table that is known by the schedule of [`super::schedule`]. What is
//! computed is kept, one tree for each class of messages that no restriction tells apart, so that routing a
//! message is a look-up; and a change computes anew only what it can alter.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use super::closed::NoWay;
use super::exits::{Choice, ExitExplanation, NoExit, choose, judged};
use super::paths::{Inward, Tree, inward, speaking};
use super::schedule::{Schedule, ScheduleOrder, ScheduleTimer};
use super::{
    ConnectorRecord, LinkConfig, LinkEvent, LinkState, LinkTimer, Priority, Record, SenderId,
    SharedRecord, Table, Traits,
};
use crate::clause;
use crate::kernel::Cx;
use crate::wire::exits::Specificity;
use crate::wire::ids::{ConnectorName, GroupName};
use crate::wire::message::TableVersions;

/// The most classes of messages whose routes are kept; the oldest makes room.
pub const CLASSES_LIMIT: usize = 32;

/// The table that routes, and what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Routes {
    source: GroupName,
    table: Table,
    /// Groups whose present records wait for the next computation.
    pending: BTreeSet<GroupName>,
    schedule: Schedule,
    /// False until the boot is over: what a boot does needs no schedule.
    follows: bool,
    kept: Kept,
}

/// What follows from the rest of [`Routes`] alone: two machines that differ only here are the same one.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// Built with the first tree.
    ground: Option<Ground>,
    /// The oldest first.
    trees: Vec<Tree>,
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What all trees stand on.
#[derive(Clone, Debug, Default)]
struct Ground {
    inward: Inward,
    /// How many connectors have each size limit.
    limits: BTreeMap<u64, usize>,
    /// How many connectors name priorities.
    heed_priority: usize,
    /// How many lists of connectors name each sender.
    senders: BTreeMap<SenderId, usize>,
    /// The groups that have exits.
    exits: BTreeSet<GroupName>,
}

/// Counts one more, or one less, under a key that is kept while it counts something.
fn count<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K, is_more: bool) {
    if is_more {
        *counts.entry(key).or_default() += 1;
        return;
    }
    let left = counts.get_mut(&key).expect("what is taken away was counted");
    *left -= 1;
    if *left == 0 {
        counts.remove(&key);
    }
}

impl Ground {
    fn of(table: &Table) -> Self {
        let mut ground = Self { inward: inward(table), ..Self::default() };
        for record in speaking(table) {
            ground.restrict(record, true);
            if !record.exits.is_empty() {
                ground.exits.insert(record.group.clone());
            }
        }
        ground
    }

    /// Counts the restrictions of a record in, or out.
    fn restrict(&mut self, record: &Record, is_more: bool) {
        for ConnectorRecord { restrictions, .. } in &record.connectors {
            if let Some(limit) = restrictions.size_limit_octets {
                count(&mut self.limits, limit, is_more);
            }
            if !restrictions.priorities.is_empty() {
                let heed = self.heed_priority;
                self.heed_priority = if is_more { heed + 1 } else { heed - 1 };
            }
            for id in restrictions.senders_allowed.iter().chain(&restrictions.senders_denied) {
                count(&mut self.senders, *id, is_more);
            }
        }
    }

    /// Takes the record that a group has now for the one that it had.
    fn replace(&mut self, group: &GroupName, before: Option<&Record>, now: Option<&Record>) {
        for connector in before.iter().flat_map(|record| &record.connectors) {
            if let Some(groups) = self.inward.get_mut(&connector.to) {
                groups.remove(group);
            }
        }
        for connector in now.iter().flat_map(|record| &record.connectors) {
            self.inward.entry(connector.to.clone()).or_default().insert(group.clone());
        }
        before.into_iter().for_each(|record| self.restrict(record, false));
        now.into_iter().for_each(|record| self.restrict(record, true));
        if now.is_some_and(|record| !record.exits.is_empty()) {
            self.exits.insert(group.clone());
        } else {
            self.exits.remove(group);
        }
    }

    /// The traits that stand for all messages which no restriction tells apart from one with `traits`.
    fn class(&self, traits: &Traits) -> Traits {
        let limit = self.limits.range(traits.octets..).next();
        let named = |id: &&SenderId| self.senders.contains_key(*id);
        let priority = if self.heed_priority > 0 { traits.priority } else { Priority::Normal };
        Traits {
            octets: limit.map_or(u64::MAX, |(limit, _)| *limit),
            priority,
            senders: traits.senders.iter().filter(named).copied().collect(),
        }
    }
}

impl Routes {
    /// Routes from `source` by this table.
    pub(super) fn new(source: GroupName, table: Table) -> Self {
        let (pending, schedule) = (BTreeSet::new(), Schedule::default());
        Self { source, table, pending, schedule, follows: false, kept: Kept::default() }
    }

    /// The table that routes.
    pub(super) const fn table(&self) -> &Table {
        &self.table
    }

    fn find(&self, traits: &Traits) -> Option<&Tree> {
        let class = self.kept.ground.as_ref()?.class(traits);
        self.kept.trees.iter().find(|tree| *tree.traits() == class)
    }

    /// The routes of messages with these traits: those that are kept, or else computed for this once.
    fn tree(&self, traits: &Traits) -> Cow<'_, Tree> {
        let computed = || Cow::Owned(Tree::full(&self.table, &self.source, traits));
        self.find(traits).map_or_else(computed, Cow::Borrowed)
    }

    fn inward(&self) -> Cow<'_, Inward> {
        let known = self.kept.ground.as_ref().map(|ground| Cow::Borrowed(&ground.inward));
        known.unwrap_or_else(|| Cow::Owned(inward(&self.table)))
    }

    /// Computes and keeps the routes of messages with these traits, unless they are there.
    fn prepare(&mut self, traits: &Traits) {
        let ground = self.kept.ground.get_or_insert_with(|| Ground::of(&self.table));
        let class = ground.class(traits);
        if self.kept.trees.iter().any(|tree| *tree.traits() == class) {
            return;
        }
        if self.kept.trees.len() >= CLASSES_LIMIT {
            self.kept.trees.remove(0);
        }
        self.kept.trees.push(Tree::full(&self.table, &self.source, &class));
    }

    /// The first connector of the route to `to`; `lot` chooses among equal ones, where they are spread.
    pub(super) fn first(
        &self,
        to: &GroupName,
        traits: &Traits,
        lot: Option<u64>,
    ) -> Option<&ConnectorRecord> {
        let tree = self.tree(traits);
        let least = &tree.get(to)?.label.first;
        let equal;
        let name = match lot {
            None => least,
            Some(lot) => {
                equal = tree.firsts(&self.table, &self.inward(), to);
                equal.get(chosen(lot, equal.len())).unwrap_or(least)
            }
        };
        named(&self.table, &self.source, name)
    }

    /// The records that have exits.
    pub(super) fn with_exits(&self) -> impl Iterator<Item = &SharedRecord> + Clone {
        let known = self.kept.ground.as_ref().map(|ground| &ground.exits);
        let known = known.map(|groups| groups.iter().filter_map(|group| self.table.get(group)));
        let all = known.is_none().then(|| speaking(&self.table));
        known.into_iter().flatten().chain(all.into_iter().flatten())
    }

    /// The exit for mail to `domain`, and how closely those fit that were taken into account.
    pub(super) fn exit(&self, domain: &str, traits: &Traits) -> (Choice, Option<Specificity>) {
        choose(self.with_exits(), &self.tree(traits), domain, traits)
    }

    /// What became of each exit for mail to `domain`.
    fn exits(&self, domain: &str, traits: &Traits) -> ExitExplanation {
        judged(self.with_exits(), &self.tree(traits), domain, traits)
    }

    /// Why there is no way to `to`.
    fn no_way(&self, to: &GroupName, traits: &Traits) -> NoWay {
        NoWay::of(&self.table, &self.inward(), &self.tree(traits), to)
    }

    /// Routes by `table` from now on, which says something else of these groups. Tells how many groups were
    /// looked at anew.
    pub(super) fn advance(&mut self, table: &Table, groups: &BTreeSet<GroupName>) -> usize {
        let before = groups.iter().map(|group| (group.clone(), self.table.get(group).cloned()));
        let before: Vec<_> = before.collect();
        for record in groups.iter().flat_map(|group| table.every(group)) {
            let _ = self.table.merge(record.clone());
        }
        let Some(ground) = &mut self.kept.ground else { return 0 };
        for (group, old) in &before {
            ground.replace(group, old.as_deref(), self.table.get(group).map(|record| &**record));
        }
        let trees = self.kept.trees.iter_mut();
        trees.map(|tree| tree.follow(&self.table, &ground.inward, &before)).sum()
    }

    /// Whether the connectors and exits of a group in `table` are those by which it is routed now.
    fn is_settled(&self, table: &Table, group: &GroupName) -> bool {
        let is_same = match (table.get(group), self.table.get(group)) {
            (Some(now), Some(routed)) => {
                now.connectors == routed.connectors && now.exits == routed.exits
            }
            (now, routed) => now.is_none() && routed.is_none(),
        };
        is_same && !self.pending.contains(group)
    }
}

/// The place of one of `count` equal connectors that a lot chooses.
fn chosen(lot: u64, count: usize) -> usize {
    let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
    usize::try_from(lot % count).expect("less than what a list holds")
}

fn named<'a>(
    table: &'a Table,
    group: &GroupName,
    name: &ConnectorName,
) -> Option<&'a ConnectorRecord> {
    table.get(group)?.connectors.iter().find(|connector| connector.name == *name)
}

/// The first connector of the best route from `from` to `to`, `None` when every route has infinite cost.
#[must_use]
pub fn first_connector<'a>(
    table: &'a Table,
    from: &GroupName,
    to: &GroupName,
    traits: &Traits,
) -> Option<&'a ConnectorRecord> {
    assert_ne!(from, to, "a route leads to another group");
    let tree = Tree::full(table, from, traits);
    named(table, from, &tree.get(to)?.label.first)
}

impl LinkState {
    /// Makes routing messages with these traits a look-up.
    pub fn prepare(&mut self, traits: &Traits) {
        self.routes.prepare(traits);
    }

    /// Why messages with these traits have no way to `group` by the table that routes.
    #[must_use]
    pub fn no_way(&self, group: &GroupName, traits: &Traits) -> NoWay {
        self.routes.no_way(group, traits)
    }

    /// Why no exit takes messages with these traits to `domain` by the table that routes.
    #[must_use]
    pub fn no_exit(&self, domain: &str, traits: &Traits) -> NoExit {
        let way = |group: &GroupName| self.routes.no_way(group, traits);
        NoExit::of(domain, self.routes.exits(domain, traits), way)
    }

    /// The table that routes: the one of the last computation.
    #[must_use]
    pub const fn routing_table(&self) -> &Table {
        self.routes.table()
    }

    /// The versions of the table that routes.
    #[must_use]
    pub fn routing_versions(&self) -> TableVersions {
        clause!(LS_181);
        let records = self.routes.table.records();
        records.map(|record| (record.key(), record.version.clone())).collect()
    }

    /// The table that routes, as the trace of a message shows it to people: the beginning of its digest, and
    /// the version of this group's record in it.
    #[must_use]
    pub fn routing_mark(&self, group: &GroupName) -> String {
        let table = &self.routes.table;
        let digest = alloc::format!("{}", table.digest());
        let version = table.get(group).map(|record| alloc::format!("{}", record.version));
        alloc::format!("{}/{}", &digest[..16], version.as_deref().unwrap_or("none"))
    }

    /// Whether the table that routes is not smaller than `versions`, group by group.
    #[must_use]
    pub fn covers(&self, versions: &TableVersions) -> bool {
        clause!(LS_045);
        clause!(LS_137);
        versions.iter().all(|(key, version)| {
            let known = key.parts().and_then(|(_, uuid)| self.routes.table.of(uuid));
            known.is_some_and(|record| record.version >= *version)
        })
    }

    /// Routes go from the group that this member is configured in.
    pub(super) fn adopt_routes(&mut self, config: &LinkConfig) {
        let own = &config.group().name;
        if self.routes.source != *own {
            self.routes.source = own.clone();
            self.routes.kept = Kept::default();
        }
    }

    /// The boot is over: its table routes, and what grows from now on is computed by the schedule.
    pub(super) fn route_from_boot(&mut self) {
        clause!(LS_182);
        self.routes.follows = true;
        if self.routes.table != self.table {
            self.routes.table = self.table.clone();
            self.routes.kept = Kept::default();
        }
    }

    /// The table has grown by records with these names.
    pub(super) fn follow(&mut self, groups: &BTreeSet<GroupName>, cx: &mut Cx<'_, Self>) {
        if !self.routes.follows {
            return;
        }
        let (settled, changed): (BTreeSet<_>, BTreeSet<_>) =
            groups.iter().cloned().partition(|group| self.routes.is_settled(&self.table, group));
        if !changed.is_empty() {
            self.routes.pending.extend(changed);
            for order in self.routes.schedule.change() {
                obey(order, cx);
            }
        }
        if !settled.is_empty() {
            clause!(LS_183);
            self.routes.advance(&self.table, &settled);
            cx.event(LinkEvent::RoutesComputed);
        }
    }

    /// A timer of the schedule has run out.
    pub(super) fn paced(&mut self, timer: ScheduleTimer, cx: &mut Cx<'_, Self>) {
        let (computes, order) = self.routes.schedule.expire(timer);
        order.into_iter().for_each(|order| obey(order, cx));
        if computes {
            let pending = core::mem::take(&mut self.routes.pending);
            assert!(!pending.is_empty(), "a computation is due to a change");
            self.routes.advance(&self.table, &pending);
            debug_assert!(self.routes.table == self.table, "nothing is left to follow");
            cx.event(LinkEvent::RoutesComputed);
        }
    }
}

fn obey(order: ScheduleOrder, cx: &mut Cx<'_, LinkState>) {
    match order {
        ScheduleOrder::Arm(timer, span) => cx.arm(LinkTimer::Schedule(timer), span),
        ScheduleOrder::Disarm(timer) => cx.disarm(LinkTimer::Schedule(timer)),
    }
}

#[cfg(test)]
mod tests;
