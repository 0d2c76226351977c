//! A record that never changes any more, with what follows from it: its digest, and its path in the
//! tree of a table.

use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::message::Digest;
use super::node::Prefix;
use super::record::{Record, Version};
use crate::clause;

/// SHA-256 of the canonical encoding of a record.
#[must_use]
pub fn record_digest(record: &Record) -> Digest {
    clause!(LS_003);
    let canonical = serde_json::to_vec(record).expect("a record has only text and numbers");
    Digest(Sha256::digest(&canonical).into())
}

/// A record as tables and messages hold it: shared, and hashed once.
///
/// It reads like the [`Record`] that it was made of. Whoever wants to change one clones that and makes
/// another of it.
#[derive(Clone)]
pub struct SharedRecord(Arc<Inner>);

struct Inner {
    record: Record,
    digest: Digest,
    path: Prefix,
}

impl SharedRecord {
    /// Hashes a record.
    #[must_use]
    pub fn new(record: Record) -> Self {
        let digest = record_digest(&record);
        let path = Prefix::path(&record.uuid);
        Self(Arc::new(Inner { record, digest, path }))
    }

    /// SHA-256 of its canonical encoding.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Where it stands in the tree of a table.
    #[must_use]
    pub fn path(&self) -> Prefix {
        self.0.path
    }

    /// What is compared to find the greater of two records of one group.
    #[must_use]
    pub fn rank(&self) -> (&Version, Digest) {
        (&self.0.record.version, self.0.digest)
    }

    /// Whether both are the same in memory.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A record at a place where its UUID does not lead.
    #[cfg(test)]
    pub(crate) fn forged(record: Record, path: Prefix) -> Self {
        let digest = record_digest(&record);
        Self(Arc::new(Inner { record, digest, path }))
    }
}

impl Deref for SharedRecord {
    type Target = Record;
    fn deref(&self) -> &Record {
        &self.0.record
    }
}

impl From<Record> for SharedRecord {
    fn from(record: Record) -> Self {
        Self::new(record)
    }
}

impl PartialEq for SharedRecord {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || (self.0.digest == other.0.digest && self.0.record == other.0.record)
    }
}

impl Eq for SharedRecord {}

impl Hash for SharedRecord {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.digest.hash(hasher);
    }
}

impl fmt::Debug for SharedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.record.fmt(f)
    }
}

impl Serialize for SharedRecord {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.record.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedRecord {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Record::deserialize(from).map(Self::new)
    }
}
