//! How the members of a group elect their master: `[group.election]`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Group, Organization};
use crate::clause;
use crate::kernel::Span;
use crate::wire::election::SEATS_LIMIT;
use crate::wire::ids::MemberName;

/// The fewest voters: of two, the one that is left is no majority.
pub const VOTERS_LEAST: usize = 3;
/// The most voters.
pub const VOTERS_LIMIT: usize = SEATS_LIMIT;
/// The longest promise, in seconds.
pub const LEASE_LIMIT_S: u32 = 300;
/// The most by which the rate of a clock may be stated to be wrong, in parts per million.
pub const CLOCK_DRIFT_LIMIT_PPM: u32 = 200_000;

/// Who decides which member is the master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackEnd {
    /// The voters themselves.
    #[default]
    Embedded,
    /// etcd, which the operator runs beside.
    Etcd,
}

impl BackEnd {
    /// Whether it is the voters themselves.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        *self == Self::Embedded
    }

    /// As the file has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Etcd => "etcd",
        }
    }
}

/// Who votes, and for how long a vote stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElectionSettings {
    /// The members that vote, in the order in which they stand for master.
    pub voters: Vec<MemberName>,
    /// Who decides. With etcd the voters only stand.
    #[serde(default, skip_serializing_if = "BackEnd::is_embedded")]
    pub back_end: BackEnd,
    /// A member of another group that votes, too, and never stands: the third voter of a group of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<MemberName>,
    /// For how long a voter promises not to vote for anybody else, in seconds.
    #[serde(default = "lease")]
    pub lease_s: u32,
    /// By how much the rate of any member's clock differs from the true one at most, in parts per million.
    #[serde(default = "clock_drift")]
    pub clock_drift_ppm: u32,
}

const fn lease() -> u32 {
    5
}

const fn clock_drift() -> u32 {
    50_000
}

impl Group {
    /// Who is the master while everything works: the one that is named, or the first voter.
    ///
    /// # Panics
    /// The group has neither: a checked organization has one of them.
    #[must_use]
    pub fn first_master(&self) -> &MemberName {
        let voters = self.election.as_ref().map(|election| &election.voters);
        let first = self.master.as_ref().or_else(|| voters?.first());
        first.expect("a group that was checked has a master or voters")
    }
}

impl ElectionSettings {
    /// All who vote: in order, the witness last.
    pub fn electors(&self) -> impl Iterator<Item = &MemberName> {
        self.voters.iter().chain(&self.witness)
    }

    /// For how long a voter promises.
    #[must_use]
    pub fn promise(&self) -> Span {
        Span::seconds(u64::from(self.lease_s))
    }

    /// What is wrong with the settings of a group: the field, and the problem.
    pub(super) fn problems(
        &self,
        organization: &Organization,
        group: &Group,
    ) -> Vec<(&'static str, String)> {
        clause!(MA_048);
        let mut problems = Vec::new();
        problems.extend(self.problem_of_number());
        if self.back_end == BackEnd::Etcd && self.witness.is_some() {
            clause!(MA_080);
            let problem = "stands beside `back_end = \"etcd\"`, where nobody votes, expected none";
            problems.push(("witness", problem.into()));
        }
        for (number, voter) in self.voters.iter().enumerate() {
            if !group.members.contains(voter) {
                let problem = format!("`{voter}` is not a member of `{}`", group.name);
                problems.push(("voters", problem));
            }
            if self.voters[..number].contains(voter) {
                problems.push(("voters", format!("`{voter}` stands twice")));
            }
        }
        if let Some(witness) = &self.witness
            && organization.group_of(witness).is_none_or(|home| home.name == group.name)
        {
            let problem = format!("`{witness}` is not a member of another group");
            problems.push(("witness", problem));
        }
        if !(1..=LEASE_LIMIT_S).contains(&self.lease_s) {
            let problem = format!("is {}, expected 1 to {LEASE_LIMIT_S}", self.lease_s);
            problems.push(("lease_s", problem));
        }
        if self.clock_drift_ppm > CLOCK_DRIFT_LIMIT_PPM {
            let problem =
                format!("is {}, expected 0 to {CLOCK_DRIFT_LIMIT_PPM}", self.clock_drift_ppm);
            problems.push(("clock_drift_ppm", problem));
        }
        problems
    }

    /// Too few vote, or too many.
    fn problem_of_number(&self) -> Option<(&'static str, String)> {
        let (count, least, who) = match self.back_end {
            BackEnd::Embedded => {
                (self.electors().count(), VOTERS_LEAST, "vote, the witness among them")
            }
            BackEnd::Etcd => {
                clause!(MA_080);
                (self.voters.len(), 1, "stand")
            }
        };
        let is_few = count < least && self.witness.is_none() && self.back_end == BackEnd::Embedded;
        let add = if is_few { ": a `witness` in another group can be one of them" } else { "" };
        let problem = format!("{count} members {who}, expected {least} to {VOTERS_LIMIT}{add}");
        (!(least..=VOTERS_LIMIT).contains(&count)).then_some(("voters", problem))
    }
}
