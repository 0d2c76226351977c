//! The link-state table: the greatest record of each group.
//!
//! Merging keeps the greater of two records. The order is total (version, then digest), so merging
//! is commutative, associative and idempotent, and all members end with the same table. The records stand
//! twice, by UUID in a tree of digests and by name; both share them with every copy of the table.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::burial::check_tombstone;
use super::names::Names;
use super::tree::Tree;
use super::walk::Difference;
use super::{ConnectorRecord, ConnectorState, Record, TableDigest};
use crate::clause;
use crate::protocol::organization::{GROUPS_LIMIT, MEMBERS_LIMIT};
use crate::wire::exits::check_exits;
use crate::wire::ids::GroupName;
use crate::wire::node::{Node, Prefix};
use crate::wire::record::{COST_RANGE, LIFETIME_RANGE_S, TOMBSTONE_COUNTER};
use crate::wire::shared::SharedRecord;

/// The most records of one table that are no tombstones, and the most tombstones beside them.
pub const TABLE_LIMIT: usize = GROUPS_LIMIT;
/// The most connectors of one record.
pub const CONNECTORS_LIMIT: usize = 1_024;
/// The greatest term counter of a record: the one above it is that of the tombstones.
pub const TERM_LIMIT: u64 = TOMBSTONE_COUNTER - 1;

/// What became of a record that was merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The table has a greater one.
    Older,
    /// The table has the same one.
    Same,
    /// The table has grown by it.
    Grown,
}

/// The result of merging one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// What became of it.
    pub fate: Fate,
    /// It had the version of the table's record and another content.
    pub conflict: bool,
}

/// The greatest record of each group.
///
/// Groups are told apart by their UUIDs. A copy costs nothing and shares all records; the digest is at
/// hand.
#[derive(Clone, Default)]
pub struct Table {
    tree: Tree,
    names: Names,
    /// Records that are no tombstones.
    living: usize,
    /// Tombstones.
    buried: usize,
}

impl Table {
    /// A table of these records; of several for one group the greatest is kept.
    #[must_use]
    pub fn new<R: Into<SharedRecord>>(records: impl IntoIterator<Item = R>) -> Self {
        let mut table = Self::default();
        for record in records {
            let _ = table.merge(record);
        }
        table
    }

    /// All records, tombstones as well, in order of the groups' names; of several with one name, the one
    /// that speaks for it comes first.
    pub fn records(&self) -> impl Iterator<Item = &SharedRecord> + Clone {
        self.names.iter()
    }

    /// How many records there are, tombstones as well.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.living + self.buried
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many records are no tombstones.
    #[must_use]
    pub const fn living(&self) -> usize {
        self.living
    }

    /// How many tombstones there are.
    #[must_use]
    pub const fn buried(&self) -> usize {
        self.buried
    }

    /// The record of a group's name, `None` when there is none but tombstones.
    #[must_use]
    pub fn get(&self, group: &GroupName) -> Option<&SharedRecord> {
        self.named(group).next()
    }

    /// The records that are no tombstones and have this name. The first one speaks for it.
    pub fn named(&self, group: &GroupName) -> impl Iterator<Item = &SharedRecord> {
        self.names.of(group).take_while(|record| record.deleted.is_none())
    }

    /// All records that have this name, tombstones as well.
    pub(in crate::protocol) fn every(
        &self,
        group: &GroupName,
    ) -> impl Iterator<Item = &SharedRecord> {
        self.names.of(group)
    }

    /// The record or tombstone of a UUID.
    #[must_use]
    pub fn of(&self, uuid: &str) -> Option<&SharedRecord> {
        self.tree.get(uuid)
    }

    /// The digest of the whole table: that of the root of its tree.
    #[must_use]
    pub fn digest(&self) -> TableDigest {
        self.tree.digest()
    }

    /// What the table has below a prefix.
    #[must_use]
    pub fn node(&self, prefix: Prefix) -> Node {
        self.tree.node(prefix)
    }

    /// In what this table differs from a node of another one; at most `limit` records.
    pub(super) fn compare(&self, theirs: &Node, limit: usize) -> Difference {
        self.tree.compare(theirs, limit)
    }

    /// Keeps the greater of `record` and the table's record of that group.
    pub fn merge(&mut self, record: impl Into<SharedRecord>) -> Merge {
        clause!(LS_001);
        let record = record.into();
        let Some(known) = self.tree.get(&record.uuid) else {
            self.put(record);
            return Merge { fate: Fate::Grown, conflict: false };
        };
        let conflict = known.version == record.version && known.digest() != record.digest();
        if conflict {
            clause!(LS_002);
        }
        let fate = match record.rank().cmp(&known.rank()) {
            Ordering::Less => Fate::Older,
            Ordering::Equal => Fate::Same,
            Ordering::Greater => Fate::Grown,
        };
        if fate == Fate::Grown {
            self.put(record);
        }
        Merge { fate, conflict }
    }

    /// Puts a record in the place of its UUID.
    pub(super) fn put(&mut self, record: SharedRecord) {
        let before = self.tree.insert(record.clone());
        if let Some(before) = &before {
            self.names.remove(before);
            *self.count(before) -= 1;
        }
        *self.count(&record) += 1;
        self.names.insert(record);
    }

    fn count(&mut self, record: &SharedRecord) -> &mut usize {
        if record.deleted.is_some() { &mut self.buried } else { &mut self.living }
    }
}

impl From<Vec<Record>> for Table {
    fn from(records: Vec<Record>) -> Self {
        Self::new(records)
    }
}

/// Equal digests, equal tables.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Table {}

impl Hash for Table {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.digest().hash(hasher);
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.records()).finish()
    }
}

impl Serialize for Table {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records())
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::<SharedRecord>::deserialize(from).map(Self::new)
    }
}

/// What is wrong with a record that a peer sent; such a record is not merged.
///
/// # Errors
/// The first rule that it breaks, in words.
pub fn check_record(record: &Record) -> Result<(), String> {
    clause!(LS_005);
    if record.members.len() > MEMBERS_LIMIT {
        return Err(alloc::format!("{} members, at most {MEMBERS_LIMIT}", record.members.len()));
    }
    if record.connectors.len() > CONNECTORS_LIMIT {
        let count = record.connectors.len();
        return Err(alloc::format!("{count} connectors, at most {CONNECTORS_LIMIT}"));
    }
    check_tombstone(record)?;
    check_exits(&record.exits)?;
    let lifetime = record.lifetime_s;
    if !LIFETIME_RANGE_S.contains(&lifetime) {
        let (least, most) = (LIFETIME_RANGE_S.start(), LIFETIME_RANGE_S.end());
        return Err(alloc::format!("a lifetime of {lifetime} s, expected {least} to {most}"));
    }
    let mut last = None;
    for connector in &record.connectors {
        let name = &connector.name;
        if !COST_RANGE.contains(&connector.cost) {
            return Err(alloc::format!("{name}: cost {}, expected 1 to 100", connector.cost));
        }
        if connector.to == record.group {
            return Err(alloc::format!("{name}: leads to its own group"));
        }
        if let Err(problem) = connector.restrictions.check() {
            return Err(alloc::format!("{name}: {problem}"));
        }
        check_availability(connector)?;
        if last.is_some_and(|last| last >= name) {
            return Err(alloc::format!("{name}: connectors are not in order of their names"));
        }
        last = Some(name);
    }
    Ok(())
}

/// Those that are not available are sources, in the order of the sources, and some of them, not all.
fn check_availability(connector: &ConnectorRecord) -> Result<(), String> {
    clause!(LS_105);
    let ConnectorRecord { name, sources, unavailable, .. } = connector;
    let listed = sources.iter().filter(|source| unavailable.contains(source));
    if !listed.eq(unavailable) {
        return Err(alloc::format!("{name}: not available are others than its sources, in order"));
    }
    let some = !unavailable.is_empty();
    if some && (connector.state == ConnectorState::Down || unavailable.len() == sources.len()) {
        return Err(alloc::format!("{name}: no source is available, expected none to be named"));
    }
    Ok(())
}
