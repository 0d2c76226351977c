//! The seats: who votes and whose votes count, as the masters of the group have written it. They become the voters of
//! the file one by one, so that any majority before a change and any one after it share a voter.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::machine::{ElectionChange, ElectionConfig, ElectionTimer};
use super::{Context, Election};
use crate::clause;
use crate::protocol::organization::{VOTERS_LEAST, VOTERS_LIMIT};
use crate::wire::election::WrittenSeats;
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

/// The voters of a group, and how new that is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seats {
    /// Those of the file with which this member began: no master has written any.
    First(BTreeSet<MemberName>),
    /// Those that a master has written.
    Written(WrittenSeats),
}

impl Seats {
    /// The voters that the file names.
    #[must_use]
    pub fn of_file(config: &ElectionConfig) -> Self {
        Self::First(config.electorate().cloned().collect())
    }

    /// Who votes.
    #[must_use]
    pub const fn voters(&self) -> &BTreeSet<MemberName> {
        match self {
            Self::First(voters) | Self::Written(WrittenSeats { voters, .. }) => voters,
        }
    }

    /// What frames carry of them.
    #[must_use]
    pub const fn written(&self) -> Option<&WrittenSeats> {
        match self {
            Self::First(_) => None,
            Self::Written(seats) => Some(seats),
        }
    }

    /// Whether they were written later than those that a frame carries.
    pub(super) fn are_newer_than(&self, carried: Option<&WrittenSeats>) -> bool {
        version(self.written()) > version(carried)
    }

    /// Whether they were written earlier than those that a frame carries.
    pub(super) fn are_older_than(&self, carried: &WrittenSeats) -> bool {
        version(self.written()) < version(Some(carried))
    }
}

/// Seats that nobody has written are older than all others.
fn version(seats: Option<&WrittenSeats>) -> Option<(&Term, u64)> {
    seats.map(|seats| (&seats.term, seats.number))
}

impl Election {
    /// Who votes, as far as this member knows.
    #[must_use]
    pub const fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Whether this member counts the word of `member`.
    pub(super) fn is_seated(&self, member: &MemberName) -> bool {
        self.seats.voters().contains(member)
    }

    /// The place of this member among those that stand: who keeps a seat in the order of the file, then who is to
    /// lose it. The witness has a seat and never stands.
    #[must_use]
    pub fn place(&self, config: &ElectionConfig) -> Option<u64> {
        clause!(MA_045);
        if !self.is_seated(&config.member) || !config.is_of_group(&config.member) {
            return None;
        }
        let before = |member: &&MemberName| **member < config.member;
        let last = config.voters.len() + self.seats.voters().iter().take_while(before).count();
        config.place().or_else(|| u64::try_from(last).ok())
    }

    /// Whether so many voters are more than half of those that have seats.
    pub(super) fn is_majority(&self, voters: usize, config: &ElectionConfig) -> bool {
        clause!(MA_045);
        let all = if config.faults.is_on("majority-of-the-file") {
            config.electorate().count()
        } else {
            self.seats.voters().len()
        };
        2 * voters > all
    }

    /// Whether the seats of a poll or round allow this member to grant it: they name it, and are no older than its
    /// own. Where the frame carries none, they are those of the file, as this member has them.
    pub(super) fn admits(
        &self,
        member: &MemberName,
        carried: Option<&WrittenSeats>,
        config: &ElectionConfig,
    ) -> bool {
        clause!(MA_087);
        if config.asks_store() {
            return false;
        }
        clause!(MA_044);
        clause!(MA_045);
        let names_us = match carried {
            Some(seats) => seats.voters.contains(&config.member),
            None => self.is_seated(&config.member) && self.is_seated(member),
        };
        let is_in_time = match carried {
            _ if config.faults.is_on("grants-older-seats") => true,
            Some(seats) => self.seats.are_older_than(seats) || self.seats.written() == carried,
            None => !self.seats.are_newer_than(carried),
        };
        names_us && is_in_time
    }

    /// What a candidate is told whose seats are older.
    pub(super) fn newer_seats(&self, carried: Option<&WrittenSeats>) -> Option<WrittenSeats> {
        clause!(WI_127);
        let written = self.seats.written().filter(|_| self.seats.are_newer_than(carried));
        written.cloned()
    }

    /// Takes seats over that are newer than its own.
    pub(super) fn adopt_seats(
        &mut self,
        seats: WrittenSeats,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        if !self.seats.are_older_than(&seats) {
            return;
        }
        assert!(self.lease.is_none(), "a holder writes its seats itself");
        self.keep_seats(seats, config, cx);
        if self.place(config).is_none() {
            cx.disarm(ElectionTimer::Stand);
        }
    }

    fn keep_seats(&mut self, seats: WrittenSeats, config: &ElectionConfig, cx: &mut Context<'_>) {
        clause!(MA_044);
        self.seats = Seats::Written(seats);
        if !config.faults.is_on("seats-not-stored") {
            cx.store(ElectionChange::Seats(self.seats.clone()));
        }
    }

    /// A voter has newer seats than those of the present poll or round.
    pub(super) fn learn_seats(
        &mut self,
        seats: WrittenSeats,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        self.learn_and_stand(&seats.term, config, cx);
        if !self.seats.are_older_than(&seats) {
            return;
        }
        if self.lease.is_some() {
            // They are of an earlier term, and no majority has them. That voter takes these.
            if self.term.as_ref() > Some(&seats.term) {
                self.write_seats(self.seats.voters().clone(), config, cx);
            }
            return;
        }
        clause!(MA_045);
        let has_asked = self.asking.is_some();
        self.drop_asking(cx);
        self.adopt_seats(seats, config, cx);
        if has_asked {
            self.wait_again(config, cx);
        }
    }

    /// The present round is granted by a majority of the present seats: the next voter comes or goes, if the file
    /// wants it.
    pub(super) fn move_seats(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        if config.asks_store() || self.lease != Some(self.round) {
            return;
        }
        match self.next_seats(config) {
            Some(next) => {
                clause!(MA_046);
                let is_own = self.seats.written().map(|seats| &seats.term) == self.term.as_ref();
                let voters = if is_own { next } else { self.seats.voters().clone() };
                self.write_seats(voters, config, cx);
            }
            None => self.make_way(config, cx),
        }
    }

    /// Writes the seats under the present term, and begins the round that carries them.
    fn write_seats(
        &mut self,
        voters: BTreeSet<MemberName>,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let term = self.term.clone().expect("a lease has a term");
        let number = match self.seats.written() {
            Some(seats) if seats.term == term => seats.number.checked_add(1),
            _ => Some(0),
        };
        let number = number.expect("a term has fewer than 2^64 changes");
        self.keep_seats(WrittenSeats { term, number, voters }, config, cx);
        clause!(MA_047);
        self.ask_for_votes(config, cx);
    }

    /// The seats with one voter more or less; `None` where the file wants no other ones, or too few of them are reached.
    fn next_seats(&self, config: &ElectionConfig) -> Option<BTreeSet<MemberName>> {
        clause!(MA_047);
        let seats = self.seats.voters();
        let target: BTreeSet<_> = config.electorate().cloned().collect();
        if config.faults.is_on("two-seats-at-once") && *seats != target {
            let own = core::iter::once(config.member.clone());
            return Some(target.into_iter().chain(own).collect());
        }
        let is_there = |voter: &&MemberName| **voter == config.member || self.is_up(voter);
        let is_reached =
            |seats: &BTreeSet<MemberName>| 2 * seats.iter().filter(is_there).count() > seats.len();
        let comes = |voter: &&MemberName| seats.len() < VOTERS_LIMIT && !seats.contains(*voter);
        let goes = |voter: &&MemberName| {
            seats.len() > VOTERS_LEAST && !target.contains(*voter) && **voter != config.member
        };
        let with = |voter: &MemberName| seats.iter().chain([voter]).cloned().collect();
        let without =
            |voter: &MemberName| seats.iter().filter(|seat| *seat != voter).cloned().collect();
        let more = config.electorate().filter(comes).map(with);
        let fewer = seats.iter().filter(goes).map(without);
        more.chain(fewer).find(is_reached)
    }

    /// Only the master itself is left of those that are to go: the next master takes its seat away.
    fn make_way(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        let seats = self.seats.voters();
        let target: BTreeSet<_> = config.electorate().cloned().collect();
        let is_last = seats.difference(&target).eq([&config.member]);
        let is_ready = seats.is_superset(&target) || seats.len() >= VOTERS_LIMIT;
        let can_follow = |voter: &&MemberName| seats.contains(*voter) && self.is_up(voter);
        let follows = config.voters.iter().find(can_follow).cloned();
        if is_last && is_ready && follows.is_some() {
            clause!(MA_047);
            self.resign(follows, config, cx);
        }
    }
}
