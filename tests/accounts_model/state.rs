//! One state of the model, and what the properties ask of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bridgehead::kernel::Node;
use bridgehead::protocol::master::accounts::{Fence, Granter, GranterTimer, Holder};
use bridgehead::wire::accounts::{AccountsPdu, LeaseEpoch};

use super::kept::Kept;

/// What a member has said to a master, and the master to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    /// The connection is there.
    pub(super) is_open: bool,
    pub(super) to_master: VecDeque<AccountsPdu>,
    pub(super) to_member: VecDeque<AccountsPdu>,
    /// What was said on connections that are gone, and may still arrive.
    pub(super) lingering: VecDeque<AccountsPdu>,
}

/// How often each thing may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Members that want the account.
    pub(crate) claims: u8,
    /// Members that ask again in time.
    pub(crate) renewals: u8,
    /// Members that want it no more.
    pub(crate) returns: u8,
    /// Terms behind the first one.
    pub(crate) successions: u8,
    /// Masters that have no lease for a while.
    pub(crate) pauses: u8,
    /// Members that stop and begin to run.
    pub(crate) crashes: u8,
    /// Connections that are lost.
    pub(crate) breaks: u8,
    /// Writes that arrive at the store at any time, under any epoch that was ever had.
    pub(crate) writes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) granters: Vec<Kept<Node<Granter>>>,
    pub(super) holders: Vec<Kept<Node<Holder>>>,
    /// How many terms there were.
    pub(super) terms: u64,
    /// The master has no lease at present.
    pub(super) is_paused: bool,
    /// The greatest term that each member was told of.
    pub(super) told: Vec<u64>,
    pub(super) boots: Vec<u32>,
    /// By member and master.
    pub(super) wires: BTreeMap<(usize, usize), Wire>,
    /// The leases that began before each timer of a master did, by member and request: whatever the clocks,
    /// they end before it.
    pub(super) before: BTreeMap<(usize, GranterTimer), BTreeSet<(usize, u64)>>,
    pub(super) left: Budget,
    pub(super) fence: Fence,
    /// The epochs that anybody ever had.
    pub(super) had: BTreeSet<LeaseEpoch>,
    /// The members that ever had the account.
    pub(super) owners: BTreeSet<usize>,
    /// The epochs that were ever granted.
    pub(super) granted: BTreeSet<LeaseEpoch>,
    /// An epoch was granted twice.
    pub(super) was_granted_twice: bool,
    /// The store has taken a smaller epoch behind a greater one.
    pub(super) fell_back: bool,
    /// The store has refused who has the account.
    pub(super) was_refused: bool,
}
