//! The records of a table as a persistent tree of digests.
//!
//! A copy shares every node with its original; a record that grows makes new nodes on its own path and
//! nowhere else. So the digest of a table is at hand at any time, and two tables that differ in one
//! record differ in the nodes of one path.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::array;

use crate::clause;
use crate::wire::message::Digest;
use crate::wire::node::{
    DEPTH_LIMIT, FANOUT, LEAF_LIMIT, Listed, Node, Prefix, inner_digest, leaf_digest,
};
use crate::wire::shared::SharedRecord;

/// A set of records, one for each UUID.
#[derive(Clone)]
pub(super) struct Tree {
    root: Arc<Branch>,
}

/// A node, with all that stands below it.
#[derive(Clone)]
struct Branch {
    digest: Digest,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// In order of the UUIDs.
    Leaf(Vec<SharedRecord>),
    Inner([Arc<Branch>; FANOUT]),
}

impl Default for Tree {
    fn default() -> Self {
        Self { root: Arc::new(Branch::new(Kind::Leaf(Vec::new()))) }
    }
}

impl Tree {
    /// The digest of the root.
    pub(super) fn digest(&self) -> Digest {
        self.root.digest
    }

    /// The record of a UUID.
    pub(super) fn get(&self, uuid: &str) -> Option<&SharedRecord> {
        let (_, records) = self.leaf(Prefix::path(uuid));
        let place = records.binary_search_by(|record| record.uuid.as_str().cmp(uuid)).ok()?;
        Some(&records[place])
    }

    /// Puts a record in the place of its UUID; what stood there before.
    pub(super) fn insert(&mut self, record: SharedRecord) -> Option<SharedRecord> {
        Arc::make_mut(&mut self.root).insert(0, record)
    }

    /// What the tree has below a prefix.
    pub(super) fn node(&self, prefix: Prefix) -> Node {
        if let Some(Branch { kind: Kind::Inner(children), .. }) = self.at(prefix) {
            let children = Box::new(array::from_fn(|digit| children[digit].digest));
            return Node::Inner { prefix, children };
        }
        let (_, records) = self.leaf(prefix);
        let below = records.iter().filter(|record| prefix.holds(record.path()));
        let listed = |record: &SharedRecord| Listed {
            uuid: record.uuid.clone(),
            version: record.version.clone(),
            digest: record.digest(),
        };
        Node::Leaf { prefix, records: below.take(LEAF_LIMIT).map(listed).collect() }
    }

    /// The prefix of the leaf in which a path ends.
    pub(super) fn leaf_of(&self, path: Prefix) -> Prefix {
        path.shortened(self.leaf(path).0)
    }

    /// The first `limit` records below a prefix that are wanted, in order of their paths.
    pub(super) fn below(
        &self,
        prefix: Prefix,
        limit: usize,
        is_wanted: impl Fn(&SharedRecord) -> bool,
    ) -> Vec<SharedRecord> {
        let mut found = Vec::new();
        let is_meant = |record: &SharedRecord| prefix.holds(record.path()) && is_wanted(record);
        match self.at(prefix) {
            Some(branch) => branch.collect(limit, &is_meant, &mut found),
            None => {
                let (_, records) = self.leaf(prefix);
                found.extend(records.iter().filter(|record| is_meant(record)).take(limit).cloned());
            }
        }
        found
    }

    /// The node that stands at a prefix; `None` where a leaf above it has what belongs there.
    fn at(&self, prefix: Prefix) -> Option<&Branch> {
        let mut branch = &self.root;
        for depth in 0..prefix.depth() {
            let Kind::Inner(children) = &branch.kind else { return None };
            branch = &children[prefix.digit(depth)];
        }
        Some(branch)
    }

    /// The leaf in which the way to a prefix ends, and its depth; nothing where it ends at an inner node.
    fn leaf(&self, prefix: Prefix) -> (u8, &[SharedRecord]) {
        let (mut branch, mut depth) = (&self.root, 0);
        loop {
            match &branch.kind {
                Kind::Leaf(records) => return (depth, records),
                Kind::Inner(_) if depth == prefix.depth() => return (depth, &[]),
                Kind::Inner(children) => branch = &children[prefix.digit(depth)],
            }
            depth += 1;
        }
    }
}

impl Branch {
    fn new(kind: Kind) -> Self {
        clause!(LS_004);
        let digest = match &kind {
            Kind::Leaf(records) => leaf_digest(records.iter().map(SharedRecord::digest)),
            Kind::Inner(children) => inner_digest(children.iter().map(|child| child.digest)),
        };
        Self { digest, kind }
    }

    /// Of these records at `depth`, in order of the UUIDs.
    fn of(records: Vec<SharedRecord>, depth: u8) -> Self {
        if records.len() <= LEAF_LIMIT || depth == DEPTH_LIMIT {
            return Self::new(Kind::Leaf(records));
        }
        let mut parts: [Vec<SharedRecord>; FANOUT] = array::from_fn(|_| Vec::new());
        for record in records {
            parts[record.path().digit(depth)].push(record);
        }
        Self::new(Kind::Inner(parts.map(|part| Arc::new(Self::of(part, depth + 1)))))
    }

    fn insert(&mut self, depth: u8, record: SharedRecord) -> Option<SharedRecord> {
        let mut before = None;
        let kind = core::mem::replace(&mut self.kind, Kind::Leaf(Vec::new()));
        *self = match kind {
            Kind::Inner(mut children) => {
                let child = &mut children[record.path().digit(depth)];
                before = Arc::make_mut(child).insert(depth + 1, record);
                Self::new(Kind::Inner(children))
            }
            Kind::Leaf(mut records) => {
                match records.binary_search_by(|known| known.uuid.cmp(&record.uuid)) {
                    Ok(place) => before = Some(core::mem::replace(&mut records[place], record)),
                    Err(place) => records.insert(place, record),
                }
                Self::of(records, depth)
            }
        };
        before
    }

    fn collect(
        &self,
        limit: usize,
        is_meant: &impl Fn(&SharedRecord) -> bool,
        found: &mut Vec<SharedRecord>,
    ) {
        match &self.kind {
            Kind::Inner(children) => {
                for child in children {
                    if found.len() < limit {
                        child.collect(limit, is_meant, found);
                    }
                }
            }
            Kind::Leaf(records) => {
                let meant = records.iter().filter(|record| is_meant(record));
                found.extend(meant.take(limit - found.len()).cloned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ids::MemberName;
    use crate::wire::record::{DEFAULT_LIFETIME_S, Record, Term, Version};

    fn record(number: usize) -> Record {
        let term = Term { counter: 1, member: MemberName::from("m"), nonce: 0 };
        Record {
            group: "g".into(),
            uuid: alloc::format!("{number:032x}"),
            version: Version { term, major: 1, minor: 0, user: 0 },
            members: Vec::new(),
            connectors: Vec::new(),
            deleted: None,
            lifetime_s: DEFAULT_LIFETIME_S,
            exits: Vec::new(),
        }
    }

    /// LS-004: UUIDs that share their whole path make no tree that is deeper than its limit.
    #[test]
    fn hostile_paths_end_at_the_limit() {
        let path = Prefix::path("0123456789abcdef0123456789abcdef");
        let mut tree = Tree::default();
        for number in 0..LEAF_LIMIT {
            tree.insert(SharedRecord::forged(record(number), path));
        }
        assert_eq!(tree.leaf_of(path), Prefix::ROOT);
        for number in LEAF_LIMIT..3 * LEAF_LIMIT {
            assert!(tree.insert(SharedRecord::forged(record(number), path)).is_none());
        }
        assert_eq!(tree.leaf_of(path), path);
        assert_eq!(tree.below(Prefix::ROOT, usize::MAX, |_| true).len(), 3 * LEAF_LIMIT);
        // What is listed keeps to the limit of a leaf even there.
        let Node::Leaf { records, .. } = tree.node(path) else { panic!("a leaf at the limit") };
        assert_eq!(records.len(), LEAF_LIMIT);
        assert!(matches!(tree.node(path.shortened(DEPTH_LIMIT - 1)), Node::Inner { .. }));
    }
}
