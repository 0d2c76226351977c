//! What one group says about itself, and what neighbours tell each other of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::exits::ExitRecord;
use crate::wire::ids::{ConnectorName, GroupKey, GroupName, MemberName};
use crate::wire::message::Digest;
use crate::wire::node::Node;
use crate::wire::restrictions::Restrictions;
use crate::wire::shared::SharedRecord;

/// The number of a mastership. Ordered by counter, then member, then nonce.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Term {
    /// Counts masterships.
    pub counter: u64,
    /// The master.
    pub member: MemberName,
    /// Drawn when the mastership began.
    pub nonce: u64,
}

/// How new a record is. Ordered by term, then major, minor, user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Whose mastership published it.
    pub term: Term,
    /// The revision of the configuration.
    pub major: u32,
    /// Counts connector states.
    pub minor: u32,
    /// Counts refreshes of the same content.
    pub user: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_tombstone() {
            return f.write_str("deleted");
        }
        write!(f, "{}.{:x}.{:x}.{:x}", self.term.counter, self.major, self.minor, self.user)
    }
}

/// The counter of the term of every tombstone, which no mastership reaches.
pub const TOMBSTONE_COUNTER: u64 = u64::MAX;

impl Version {
    /// Of the tombstone that was ordered at `member`.
    #[must_use]
    pub const fn tombstone(member: MemberName) -> Self {
        let term = Term { counter: TOMBSTONE_COUNTER, member, nonce: 0 };
        Self { term, major: 0, minor: 0, user: 0 }
    }

    /// Whether it is greater than any that a master can publish.
    #[must_use]
    pub const fn is_tombstone(&self) -> bool {
        self.term.counter == TOMBSTONE_COUNTER
    }
}

/// There are only two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConnectorState {
    /// Mail may be routed over it.
    Up,
    /// Its cost is infinite.
    Down,
}

/// What a member tells its master of a connector that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SourceState {
    /// It reaches the far group, as far as is to be known.
    Up,
    /// It does not.
    Down,
    /// It does not, and the connector is to be UP all the same, because there is no other way. Only of a
    /// connector that others carry, too.
    Held,
}

impl From<ConnectorState> for SourceState {
    fn from(state: ConnectorState) -> Self {
        match state {
            ConnectorState::Up => Self::Up,
            ConnectorState::Down => Self::Down,
        }
    }
}

/// The least and the greatest cost of a connector.
pub const COST_RANGE: core::ops::RangeInclusive<u32> = 1..=100;

/// The lifetime of a record that names none, in seconds: a day.
pub const DEFAULT_LIFETIME_S: u32 = 86_400;
/// The lifetimes that a record can have, in seconds: a minute to thirty days.
pub const LIFETIME_RANGE_S: core::ops::RangeInclusive<u32> = 60..=2_592_000;

const fn default_lifetime() -> u32 {
    DEFAULT_LIFETIME_S
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_default_lifetime(seconds: &u32) -> bool {
    *seconds == DEFAULT_LIFETIME_S
}

/// One connector in its group's record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectorRecord {
    /// Its name.
    pub name: ConnectorName,
    /// The group that it leads to.
    pub to: GroupName,
    /// 1 to 100.
    pub cost: u32,
    /// As the group's master publishes it.
    pub state: ConnectorState,
    /// The members that carry it.
    pub sources: Vec<MemberName>,
    /// For which messages it can be used.
    #[serde(default, skip_serializing_if = "Restrictions::is_none")]
    pub restrictions: Restrictions,
    /// Those of them that do not reach the far group now, in the order of `sources`; none while the connector
    /// is DOWN, because then none does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<MemberName>,
}

impl ConnectorRecord {
    /// What the record says of the connector as `member` carries it.
    #[must_use]
    pub fn state_at(&self, member: &MemberName) -> ConnectorState {
        if self.unavailable.contains(member) { ConnectorState::Down } else { self.state }
    }
}

/// One group's record. Only the group's master writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The group.
    pub group: GroupName,
    /// Its identity: 32 lower-case hexadecimal digits.
    pub uuid: String,
    /// How new this is.
    pub version: Version,
    /// The members, and whether each is attached to the master.
    pub members: Vec<(MemberName, bool)>,
    /// The connectors that leave the group.
    pub connectors: Vec<ConnectorRecord>,
    /// Set in a tombstone: why the group was deleted; may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// Who learnt it longer ago than this, in seconds, shows it as stale.
    #[serde(default = "default_lifetime", skip_serializing_if = "is_default_lifetime")]
    pub lifetime_s: u32,
    /// The ways that lead from the group out of the organization, in order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<ExitRecord>,
}

impl Record {
    /// Tells the group apart from every other one.
    #[must_use]
    pub fn key(&self) -> GroupKey {
        GroupKey::new(&self.group, &self.uuid)
    }
}

/// The digest of a table or of a record.
pub type TableDigest = Digest;

impl LinkPdu {
    /// `News` of these records.
    #[must_use]
    pub fn news(digest: TableDigest, records: Vec<Record>) -> Self {
        let records = records.into_iter().map(SharedRecord::new).collect();
        Self::News { digest, records, nodes: Vec::new() }
    }

    /// `Merged` with these records.
    #[must_use]
    pub fn merged(digest: TableDigest, records: Vec<Record>) -> Self {
        let records = records.into_iter().map(SharedRecord::new).collect();
        Self::Merged { digest, records, nodes: Vec::new() }
    }
}

/// What neighbours tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPdu {
    /// Records that the sender knows, with the digest of its whole table. Without records and nodes it
    /// is a digest query.
    News {
        /// Digest of the sender's table.
        digest: TableDigest,
        /// What the receiver may not have yet.
        records: Vec<SharedRecord>,
        /// Nodes of the sender's tree, to be compared with the receiver's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        nodes: Vec<Node>,
    },
    /// The answer to `News`: everything in it is merged and durable.
    Merged {
        /// Digest of the receiver's table after the merge.
        digest: TableDigest,
        /// Records of the receiver that are greater than what the sender sent; only when the
        /// digests differed.
        records: Vec<SharedRecord>,
        /// Nodes of the receiver's tree that differ from what the sender told of its own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        nodes: Vec<Node>,
    },
    /// A member tells its master what its own connectors do. First on each group-port connection, and
    /// again whenever a state changes.
    Report {
        /// State of each connector that this member carries.
        states: Vec<(ConnectorName, SourceState)>,
    },
    /// The master has a durable record that includes the report.
    Reported {
        /// The mastership that did it.
        term: Term,
    },
}
