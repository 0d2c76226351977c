//! Two tables that differ are compared node by node, from the roots down to the records that differ.
//!
//! Whoever sends `News` drives: it tells nodes of its tree, and the answer has the nodes and the records in
//! which the other tree differs from them. What is told next lies below what was told before, and a list
//! that answers a list ends the walk there; so every walk ends.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::tree::Tree;
use super::{NEWS_RECORDS_LIMIT, Node, Prefix, SharedRecord, Table};
use crate::clause;
use crate::wire::node::{LEAF_LIMIT, NODES_LIMIT};

/// The most nodes of one `News`: each of them is answered with at most sixteen.
pub const NEWS_NODES_LIMIT: usize = 32;

/// In what a table differs from a node of another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Records that the other table lacks, or has in a smaller version.
    pub(super) records: Vec<SharedRecord>,
    /// Where this table's nodes are to be told.
    pub(super) prefixes: BTreeSet<Prefix>,
}

/// A `News` that waits for its `Merged`: what it told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Told {
    /// UUIDs of the groups whose records it told.
    pub(super) records: BTreeSet<String>,
    /// The nodes that it told, and whether as a leaf.
    pub(super) nodes: BTreeMap<Prefix, bool>,
}

impl Told {
    /// Records and nodes.
    pub(super) fn new(records: BTreeSet<String>, nodes: &[Node]) -> Self {
        let kind = |node: &Node| (node.prefix(), matches!(node, Node::Leaf { .. }));
        Self { records, nodes: nodes.iter().map(kind).collect() }
    }

    /// A query: it may be answered with the root.
    pub(super) fn query() -> Self {
        Self::default()
    }

    fn is_query(&self) -> bool {
        self.records.is_empty() && self.nodes.is_empty()
    }

    /// Whether a node answers what was told: it stands below an inner node, or it is a list of what
    /// stands below a node. Only the root answers a query.
    fn is_answered_by(&self, node: &Node) -> bool {
        if self.is_query() {
            return node.prefix() == Prefix::ROOT;
        }
        let prefix = node.prefix();
        let is_list = matches!(node, Node::Leaf { .. });
        (0..=prefix.depth()).any(|depth| match self.nodes.get(&prefix.shortened(depth)) {
            Some(true) => is_list,
            Some(false) => is_list || depth < prefix.depth(),
            None => false,
        })
    }

    /// Whether the other end has listed what stands there although it knew the list of this end.
    fn was_listed(&self, prefix: Prefix) -> bool {
        (0..=prefix.depth()).any(|depth| self.nodes.get(&prefix.shortened(depth)) == Some(&true))
    }

    /// What follows from the nodes of an answer, and how many of them answer nothing.
    pub(super) fn follow(&self, nodes: &[Node], table: &Table) -> (Difference, usize) {
        let mut whole = Difference::default();
        let mut strays = 0;
        for node in nodes {
            if !self.is_answered_by(node) {
                clause!(LS_123);
                strays += 1;
                continue;
            }
            let difference = table.compare(node, usize::MAX);
            whole.records.extend(difference.records);
            if !self.was_listed(node.prefix()) {
                whole.prefixes.extend(difference.prefixes);
            }
        }
        (whole, strays)
    }
}

impl Tree {
    /// In what this tree differs from a node of another one; at most `limit` records.
    pub(super) fn compare(&self, theirs: &Node, limit: usize) -> Difference {
        clause!(LS_122);
        let mut difference = Difference::default();
        let prefix = theirs.prefix();
        match (theirs, self.node(prefix)) {
            (Node::Inner { children, .. }, Node::Inner { children: ours, .. }) => {
                let differ = children.iter().zip(ours).enumerate();
                let differ = differ.filter(|(_, (theirs, ours))| *theirs != ours);
                difference.prefixes.extend(differ.map(|(digit, _)| prefix.child(digit)));
            }
            (Node::Inner { .. }, Node::Leaf { .. }) => {
                difference.prefixes.insert(prefix);
            }
            (Node::Leaf { records, .. }, _) => {
                let listed: BTreeMap<_, _> =
                    records.iter().map(|listed| (listed.uuid.as_str(), listed)).collect();
                difference.records = self.below(prefix, limit, |record| {
                    let listed = listed.get(record.uuid.as_str());
                    listed.is_none_or(|listed| listed.rank() < record.rank())
                });
                for listed in records {
                    let path = Prefix::path(&listed.uuid);
                    let ours = self.get(&listed.uuid);
                    let is_lacked = ours.is_none_or(|record| record.rank() < listed.rank());
                    if is_lacked && prefix.holds(path) {
                        let leaf = self.leaf_of(path);
                        difference.prefixes.insert(if prefix.holds(leaf) { leaf } else { prefix });
                    }
                }
            }
        }
        difference
    }
}

impl Table {
    /// Whether every record of it is told where a greater table tells its root.
    pub(super) const fn is_small(&self) -> bool {
        self.len() <= LEAF_LIMIT
    }

    /// What is answered to a query.
    pub(super) fn tell_root(&self) -> (Vec<SharedRecord>, Vec<Node>) {
        clause!(LS_120);
        if self.is_small() {
            (self.records().cloned().collect(), Vec::new())
        } else {
            (Vec::new(), alloc::vec![self.node(Prefix::ROOT)])
        }
    }

    /// What is answered to these nodes: records and nodes, both within their limits.
    pub(super) fn answer(&self, nodes: &[Node]) -> (Vec<SharedRecord>, Vec<Node>) {
        let mut records = Vec::new();
        let mut prefixes = BTreeSet::new();
        for node in nodes {
            let difference = self.compare(node, NEWS_RECORDS_LIMIT);
            records.extend(difference.records);
            prefixes.extend(difference.prefixes);
        }
        clause!(LS_124);
        records.truncate(NEWS_RECORDS_LIMIT);
        (records, prefixes.into_iter().take(NODES_LIMIT).map(|prefix| self.node(prefix)).collect())
    }
}
