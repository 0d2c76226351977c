//! One connection on which news is exchanged.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::walk::{NEWS_NODES_LIMIT, Told};
use super::{LinkPdu, Neighbour, Node, Prefix, Table, TableDigest, Way};
use crate::clause;
use crate::wire::ids::MemberName;

/// The most records of one `News`; what is left follows after its `Merged`.
pub const NEWS_RECORDS_LIMIT: usize = 1_024;

impl Neighbour {
    /// The way that mail takes on this connection; `None` on the group port and inbound.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        match self {
            Self::Connector { connector, .. } => Some(Way::Connector(connector.clone())),
            Self::Member(member) => Some(Way::Member(member.clone())),
            Self::Master(_) | Self::Attached(_) | Self::Inbound(..) => None,
        }
    }

    /// Whether mail of this way takes this connection.
    #[must_use]
    pub fn serves(&self, way: &Way) -> bool {
        match (self, way) {
            (Self::Connector { connector, .. }, Way::Connector(name)) => connector == name,
            (Self::Member(member), Way::Member(name)) => member == name,
            _ => false,
        }
    }

    /// The member at the far end.
    #[must_use]
    pub const fn member(&self) -> &MemberName {
        match self {
            Self::Connector { target: member, .. }
            | Self::Member(member)
            | Self::Master(member)
            | Self::Attached(member)
            | Self::Inbound(_, member) => member,
        }
    }

    /// Whether the far end may begin an exchange on this connection.
    #[must_use]
    pub const fn may_tell(&self) -> bool {
        matches!(self, Self::Master(_) | Self::Attached(_) | Self::Inbound(..))
    }
}

/// A connection that this member opened or serves, but for inbound ones: those only answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Link {
    /// It is open.
    pub(super) up: bool,
    /// The first `Merged` has come.
    pub(super) synced: bool,
    /// Custody was told that mail may flow, and that still holds.
    pub(super) ready: bool,
    /// A `News` that waits for its `Merged`.
    pub(super) outstanding: Option<Told>,
    /// UUIDs of the groups whose present records the far end is still to be told.
    pub(super) owed: BTreeSet<String>,
    /// A digest query is to be sent.
    pub(super) query: bool,
    /// Reports that wait for their `Reported`.
    pub(super) reports: u32,
    /// A query was sent since the digests agreed.
    pub(super) queried: bool,
    /// The root was told since the digests agreed.
    pub(super) told_root: bool,
    /// Where the nodes of our tree are still to be told.
    pub(super) untold: BTreeSet<Prefix>,
}

impl Link {
    /// The next `News` to send, `None` while one is outstanding or nothing is owed.
    pub(super) fn next_news(&mut self, table: &Table) -> Option<LinkPdu> {
        if !self.up || self.outstanding.is_some() {
            clause!(LS_011);
            return None;
        }
        if !self.query && self.is_settled() {
            return None;
        }
        self.ready = false;
        let digest = table.digest();
        if core::mem::take(&mut self.query) {
            self.queried = true;
            self.outstanding = Some(Told::query());
            return Some(LinkPdu::News { digest, records: Vec::new(), nodes: Vec::new() });
        }
        clause!(LS_048);
        let told: BTreeSet<_> = self.owed.iter().take(NEWS_RECORDS_LIMIT).cloned().collect();
        self.owed.retain(|uuid| !told.contains(uuid));
        let records: Vec<_> = told.iter().filter_map(|uuid| table.of(uuid)).cloned().collect();
        assert_eq!(records.len(), told.len(), "only known records are owed");
        clause!(LS_121);
        let prefixes: Vec<_> = self.untold.iter().take(NEWS_NODES_LIMIT).copied().collect();
        prefixes.iter().for_each(|prefix| {
            self.untold.remove(prefix);
        });
        let nodes: Vec<_> = prefixes.into_iter().map(|prefix| table.node(prefix)).collect();
        self.outstanding = Some(Told::new(told, &nodes));
        Some(LinkPdu::News { digest, records, nodes })
    }

    /// Nothing is to be told.
    pub(super) fn is_settled(&self) -> bool {
        self.owed.is_empty() && self.untold.is_empty()
    }

    /// The answer to the outstanding `News` is merged here, and `grown` says whether the table has grown by
    /// it. Where the tables still differ, what is told next follows from its nodes; when nothing does,
    /// first ask for the root, then tell ours; then let it be. How many nodes were no answer is returned.
    pub(super) fn merged(
        &mut self,
        theirs: TableDigest,
        nodes: &[Node],
        grown: bool,
        table: &Table,
    ) -> usize {
        let told = self.outstanding.take().unwrap_or_default();
        self.synced = true;
        if theirs == table.digest() {
            clause!(LS_013);
            self.owed.clear();
            self.untold.clear();
            self.query = false;
            self.queried = false;
            self.told_root = false;
            return 0;
        }
        let (difference, strays) = told.follow(nodes, table);
        self.owed.extend(difference.records.iter().map(|record| record.uuid.clone()));
        self.untold.extend(difference.prefixes);
        self.told_root &= !grown;
        if self.is_settled() && !self.query {
            clause!(LS_014);
            if !self.queried {
                self.query = true;
            } else if !self.told_root {
                self.told_root = true;
                self.tell_root(table);
            }
        }
        strays
    }

    fn tell_root(&mut self, table: &Table) {
        clause!(LS_120);
        if table.is_small() {
            self.owed = table.records().map(|record| record.uuid.clone()).collect();
        } else {
            self.untold.insert(Prefix::ROOT);
        }
    }

    /// What the far end may not have when the connection ends here.
    pub(super) fn untold(self) -> BTreeSet<String> {
        let mut untold = self.owed;
        untold.extend(self.outstanding.into_iter().flat_map(|told| told.records));
        untold
    }
}
