//! What the election machine of one member is told and says: its contract with the host.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::seats::Seats;
use crate::kernel::Span;
use crate::protocol::faults::Faults;
use crate::protocol::organization::BackEnd;
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

/// Parts per million: the whole.
const MILLION: u64 = 1_000_000;

/// What the machine is configured with: the automatic mode of one group, as one member sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ElectionConfig {
    /// The voters that can be the master, in the order in which they stand: what the seats are to become.
    pub voters: Vec<MemberName>,
    /// A voter of another group, which never stands.
    pub witness: Option<MemberName>,
    /// Who decides: the voters, or a store that is asked.
    pub back_end: BackEnd,
    /// All members of the group.
    pub members: Vec<MemberName>,
    /// This member: one of the group, or the witness.
    pub member: MemberName,
    /// How long a voter promises.
    pub lease: Span,
    /// How far the rate of a clock is from the true one, at most, in parts per million.
    pub drift_ppm: u32,
    /// Planted bugs, in test builds.
    pub faults: Faults,
}

impl ElectionConfig {
    /// Everybody who is to vote.
    pub fn electorate(&self) -> impl Iterator<Item = &MemberName> {
        self.voters.iter().chain(&self.witness)
    }

    /// Whether a store decides, and nobody votes.
    #[must_use]
    pub fn asks_store(&self) -> bool {
        self.back_end == BackEnd::Etcd
    }

    /// Whether a member is one of the group, and no witness.
    #[must_use]
    pub fn is_of_group(&self, member: &MemberName) -> bool {
        self.members.contains(member) || self.voters.contains(member)
    }

    /// The place of this member among the voters that can be the master.
    #[must_use]
    pub fn place(&self) -> Option<u64> {
        let place = self.voters.iter().position(|voter| *voter == self.member);
        place.and_then(|place| u64::try_from(place).ok())
    }

    /// Whether `other` differs in nothing but who votes and who is told.
    #[must_use]
    pub fn differs_in_names(&self, other: &Self) -> bool {
        let names = (self.voters.clone(), self.witness.clone(), self.members.clone());
        let (voters, witness, members) = names;
        *self == Self { voters, witness, members, ..other.clone() }
    }

    /// How long a lease lasts on the clock of its holder: however the clocks differ, no longer than any
    /// promise in it does on the clock of its voter.
    #[must_use]
    pub fn lease_of_holder(&self) -> Span {
        let is_blind = self.faults.is_on("lease-without-drift");
        let drift = if is_blind { 0 } else { u64::from(self.drift_ppm) };
        assert!(drift < MILLION, "a clock goes forward");
        Span(self.lease.0 * (MILLION - drift) / (MILLION + drift))
    }

    /// A tenth of the lease: the unit of waits.
    #[must_use]
    pub const fn tenth(&self) -> Span {
        Span(self.lease.0 / 10)
    }

    /// A third of the lease: how long a poll or a round may take.
    #[must_use]
    pub const fn third(&self) -> Span {
        Span(self.lease.0 / 3)
    }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElectionPeer {
    /// Ours to a voter or a member of our group.
    Voter(MemberName),
    /// That of a candidate or holder to us.
    Convener(MemberName),
}

/// Names of the timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElectionTimer {
    /// What this voter has promised, or may have promised before its boot, is over. Never early.
    Promise,
    /// This candidate polls.
    Stand,
    /// The present poll or round has had its time.
    Round,
    /// What the round of this number gave, or can still give, is over. Never late.
    Lease(u64),
}

/// Durable steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElectionChange {
    /// The greatest term that this member knows.
    Term(Term),
    /// For how long this voter promises.
    Span(Span),
    /// Who votes.
    Seats(Seats),
}

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ElectionDurable {
    /// The greatest term that this member has granted, begun or obeyed, or was told of.
    pub term: Option<Term>,
    /// For how long its last promise was.
    pub span: Span,
    /// Who votes; nothing before an election has run on this disk.
    #[serde(default)]
    pub seats: Option<Seats>,
}

/// Orders.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElectionCommand {
    /// The master hands over. Nothing happens at any other member.
    Resign {
        /// Who is to follow.
        successor: Option<MemberName>,
    },
    /// The table has a record of the group under this term.
    Published(Term),
    /// The file names other voters, another witness or other members, and is otherwise the same.
    Voters,
    /// The operator wants this member to lead no more than it must, or as before.
    Drain {
        /// Whether it drains.
        on: bool,
    },
}

/// What the host and the log are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElectionEvent {
    /// This member is the master from now on.
    Leads(Term),
    /// It is the master no more.
    Ceased {
        /// Under which term it was.
        term: Term,
    },
    /// The master of this term is the one to obey.
    Follows(Term),
    /// A peer broke the protocol: who, and what was expected.
    Misbehaved {
        /// Who.
        peer: ElectionPeer,
        /// What was expected.
        expected: String,
    },
}

/// The projection onto the model's variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ElectionView {
    /// The greatest term that it knows.
    pub known: Option<Term>,
    /// To whom it has promised; to itself, too.
    pub promised: Option<MemberName>,
    /// Whether it has a lease.
    pub holds: bool,
}
