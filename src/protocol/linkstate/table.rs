//! The link-state table: the greatest record of each group.
//!
//! Merging keeps the greater of two records. The order is total (version, then digest), so merging
//! is commutative, associative and idempotent, and all members end with the same table.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::{Record, TableDigest};
use crate::clause;
use crate::protocol::organization::{GROUPS_LIMIT, MEMBERS_LIMIT};
use crate::wire::ids::GroupName;
use crate::wire::message::Digest;
use crate::wire::record::COST_RANGE;

/// The most records of one table.
pub const TABLE_LIMIT: usize = GROUPS_LIMIT;
/// The most connectors of one record.
pub const CONNECTORS_LIMIT: usize = 1_024;
/// The greatest term counter: above it a master could not outbid.
pub const TERM_LIMIT: u64 = u64::MAX - 1;

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

/// The greatest record of each group, in order of the groups' names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Table {
    records: Vec<Record>,
    /// The digest of each record, at the same place.
    digests: Vec<Digest>,
}

/// SHA-256 of the canonical encoding of a record.
#[must_use]
pub fn record_digest(record: &Record) -> Digest {
    clause!(LS_003);
    let canonical = serde_json::to_vec(record).expect("a record has only text and numbers");
    Digest(Sha256::digest(&canonical).into())
}

impl Table {
    /// A table of these records; of several for one group the greatest is kept.
    #[must_use]
    pub fn new(records: impl IntoIterator<Item = Record>) -> Self {
        let mut table = Self::default();
        for record in records {
            let _ = table.merge(record);
        }
        table
    }

    /// The records, in order of the groups' names.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record of a group.
    #[must_use]
    pub fn get(&self, group: &GroupName) -> Option<&Record> {
        self.place(group).ok().map(|place| &self.records[place])
    }

    /// The digest of a group's record.
    #[must_use]
    pub fn digest_of(&self, group: &GroupName) -> Option<Digest> {
        self.place(group).ok().map(|place| self.digests[place])
    }

    /// The digest of the whole table: SHA-256 over the records' digests, in order of the groups.
    #[must_use]
    pub fn digest(&self) -> TableDigest {
        clause!(LS_004);
        let mut hash = Sha256::new();
        for digest in &self.digests {
            hash.update(digest.0);
        }
        Digest(hash.finalize().into())
    }

    /// Keeps the greater of `record` and the table's record of that group.
    pub fn merge(&mut self, record: Record) -> Merge {
        clause!(LS_001);
        let digest = record_digest(&record);
        let grown = Merge { fate: Fate::Grown, conflict: false };
        let place = match self.place(&record.group) {
            Ok(place) => place,
            Err(place) => {
                self.records.insert(place, record);
                self.digests.insert(place, digest);
                return grown;
            }
        };
        let conflict =
            self.records[place].version == record.version && self.digests[place] != digest;
        if conflict {
            clause!(LS_002);
        }
        let known = (&self.records[place].version, &self.digests[place]);
        let fate = match (&record.version, &digest).cmp(&known) {
            core::cmp::Ordering::Less => Fate::Older,
            core::cmp::Ordering::Equal => Fate::Same,
            core::cmp::Ordering::Greater => Fate::Grown,
        };
        if fate == Fate::Grown {
            self.records[place] = record;
            self.digests[place] = digest;
        }
        assert_eq!(self.records.len(), self.digests.len(), "each record has its digest");
        Merge { fate, conflict }
    }

    /// The planted bug: takes `record` in place of a greater one.
    pub(super) fn overwrite(&mut self, record: Record) {
        if let Ok(place) = self.place(&record.group) {
            self.digests[place] = record_digest(&record);
            self.records[place] = record;
        }
    }

    fn place(&self, group: &GroupName) -> Result<usize, usize> {
        self.records.binary_search_by(|record| record.group.cmp(group))
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
    if record.version.term.counter > TERM_LIMIT {
        return Err(String::from("term counter at its end"));
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
        if last.is_some_and(|last| last >= name) {
            return Err(alloc::format!("{name}: connectors are not in order of their names"));
        }
        last = Some(name);
    }
    Ok(())
}
