//! What the two machines are told and say: their contract with the host.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::kernel::Span;
use crate::protocol::faults::Faults;
use crate::wire::accounts::LeaseEpoch;
use crate::wire::ids::MemberName;
use crate::wire::message::Address;
use crate::wire::record::Term;

/// Parts per million: the whole.
const MILLION: u64 = 1_000_000;

/// What both machines are configured with: the leased accounts of one group, as one member sees them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountsConfig {
    /// The accounts that are leased.
    pub accounts: BTreeSet<Address>,
    /// All members of the group: those that can have one.
    pub members: BTreeSet<MemberName>,
    /// This member.
    pub member: MemberName,
    /// How long the master keeps an account for who has it, in seconds.
    pub account_lease_s: u32,
    /// How far the rate of a clock is from the true one, at most, in parts per million.
    pub drift_ppm: u32,
    /// Planted bugs, in test builds.
    pub faults: Faults,
}

impl AccountsConfig {
    /// How long the master keeps an account for who has it.
    #[must_use]
    pub fn lease(&self) -> Span {
        Span::seconds(u64::from(self.account_lease_s))
    }

    /// How long a member has an account: however the clocks differ, no longer than the master keeps it.
    #[must_use]
    pub fn lease_of_holder(&self) -> Span {
        let drift = u64::from(self.drift_ppm);
        assert!(drift < MILLION, "a clock goes forward");
        Span(self.lease().0 * (MILLION - drift) / (MILLION + drift))
    }

    /// A third of that: how often a member asks.
    #[must_use]
    pub fn third(&self) -> Span {
        Span(self.lease_of_holder().0 / 3)
    }
}

/// Timers of the [`Granter`](super::Granter).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GranterTimer {
    /// What an earlier master may have leased is over. Never early.
    Wait,
    /// What was leased with the answer of this number is over, if it was not prolonged. Never early.
    Kept(u64),
}

/// Orders to the [`Granter`](super::Granter).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GranterCommand {
    /// This member is the master under this term from now on; again, if it was before.
    Lead(Term),
    /// It is not the master any more.
    Cease,
    /// Another one is.
    Follow(Term),
    /// An operator takes the account from whoever it is kept for.
    Free(Address),
}

/// What the [`Granter`](super::Granter) tells the host and the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GranterEvent {
    /// A member has an account from now on, if the answer comes in time.
    Granted {
        /// Which account.
        account: Address,
        /// Who has it.
        member: MemberName,
        /// Under which epoch.
        epoch: LeaseEpoch,
    },
    /// A member counts its leases by another file than this one: it gets nothing until they agree.
    OtherLease {
        /// Who.
        member: MemberName,
        /// The lease by which it counts, in seconds.
        account_lease_s: u32,
    },
    /// A member broke the protocol: who, and what was expected.
    Misbehaved {
        /// Who.
        member: MemberName,
        /// What was expected.
        expected: String,
    },
}

/// The projection of a [`Granter`](super::Granter) onto the model's variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GranterView {
    /// The term under which it is the master, or was last.
    pub term: Option<Term>,
    /// Whether it grants nothing yet.
    pub waits: bool,
    /// How often it has granted under that term.
    pub grants: u64,
    /// How many accounts it keeps for somebody.
    pub kept: usize,
}

/// Timers of the [`Holder`](super::Holder).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderTimer {
    /// It is time to ask again for everything.
    Renew,
    /// What the answer to this request gave, or can still give, is over. Never late.
    Lease(u64),
}

/// Orders to the [`Holder`](super::Holder).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderCommand {
    /// The master of this term is the one to ask; it may be this member itself.
    Follow(Term),
    /// These accounts are wanted.
    Claim(BTreeSet<Address>),
    /// These are not wanted any more: those that are open are closed and given back.
    GiveBack(BTreeSet<Address>),
    /// Neither are these, but something that was begun in them is under way: they are closed, and the master keeps them
    /// until it would have asked again.
    Leave(BTreeSet<Address>),
}

/// Why an account is not open any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Its lease has ended.
    Lapsed,
    /// The master says that another one has it, or may have it.
    Refused,
    /// It was to be given back.
    Returned,
    /// It was not wanted any more while something that was begun in it was under way: it was not given back.
    Left,
    /// The configuration does not lease it any more, or leases are different ones.
    Configuration,
}

/// What the [`Holder`](super::Holder) tells the host and the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderEvent {
    /// This member has the account: its store sees the epoch before anything is read.
    Opened {
        /// Which account.
        account: Address,
        /// Under which epoch.
        epoch: LeaseEpoch,
    },
    /// It has the account no more: nothing is begun in it from now on.
    Closed {
        /// Which account.
        account: Address,
        /// Under which epoch it was open.
        epoch: LeaseEpoch,
        /// Why.
        why: Closing,
    },
    /// Another member has the account; this one asks no more.
    Refused {
        /// Which account.
        account: Address,
        /// Who has it.
        owner: MemberName,
    },
    /// The master broke the protocol: who, and what was expected.
    Misbehaved {
        /// Who.
        member: MemberName,
        /// What was expected.
        expected: String,
    },
}

/// The projection of a [`Holder`](super::Holder) onto the model's variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HolderView {
    /// The term of the master that it asks.
    pub follows: Option<Term>,
    /// How many accounts it has.
    pub held: usize,
    /// How many more it wants.
    pub wanted: usize,
}
