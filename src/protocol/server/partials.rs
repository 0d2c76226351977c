//! What has come of bodies whose connections broke, until their senders go on.
//!
//! The table says what is kept and for how long; the octets are the host's. Nothing durable depends on
//! it: a member that keeps nothing is as right, and only slower.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::Serialize;

use crate::clause;
use crate::kernel::{Span, Time};
use crate::wire::ids::{MemberName, TransferId};
use crate::wire::message::Digest;

/// The most parts of bodies that are kept of one member.
pub const PARTIALS_OF_A_MEMBER_LIMIT: usize = 8;
/// The most parts that are kept in all; each may hold a file open.
pub const PARTIALS_LIMIT: usize = 64;
/// The most octets that are kept in all.
pub const PARTIALS_LIMIT_OCTETS: u64 = 256 * 1024 * 1024;
/// How long a part is kept.
pub const PARTIAL_TIME: Span = Span::hours(1);

/// Which body a part is of: the same transfer of the same member, and the same octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PartialName {
    /// Who sends it.
    pub member: MemberName,
    /// The hand-over.
    pub transfer: TransferId,
    /// Of the whole body, as its sender says.
    pub digest: Digest,
    /// How long the whole body is.
    pub octets: u64,
}

/// The parts that a member keeps; `T` is what the host has of each.
#[derive(Clone, Debug)]
pub struct Partials<T> {
    /// In the order in which they came.
    kept: Vec<(PartialName, Part<T>)>,
}

#[derive(Clone, Debug)]
struct Part<T> {
    octets: u64,
    until: Time,
    what: T,
}

impl<T> Default for Partials<T> {
    fn default() -> Self {
        Self { kept: Vec::new() }
    }
}

impl<T> Partials<T> {
    /// Keeps a part of so many octets. What has no room beside it, the oldest first, is dropped, and so is
    /// the part itself where it is nothing, all of the body, or too long.
    pub fn keep(&mut self, name: PartialName, octets: u64, what: T, now: Time) {
        clause!(SU_061);
        self.kept.retain(|(_, part)| part.until > now);
        if octets == 0 || octets >= name.octets || octets > PARTIALS_LIMIT_OCTETS {
            return;
        }
        // An older connection of the same offer may end behind a newer one: the longer part is of use.
        if let Some(place) = self.kept.iter().position(|(other, _)| *other == name) {
            if self.kept[place].1.octets >= octets {
                return;
            }
            self.kept.remove(place);
        }
        let part = Part { octets, until: now + PARTIAL_TIME, what };
        self.kept.push((name, part));
        self.shrink();
    }

    fn shrink(&mut self) {
        let mut of_members: BTreeMap<MemberName, usize> = BTreeMap::new();
        let (mut count, mut octets) = (0, 0);
        // From the newest to the oldest: what is over a limit goes.
        let mut kept = core::mem::take(&mut self.kept);
        kept.reverse();
        kept.retain(|(name, part)| {
            let of_member = of_members.entry(name.member.clone()).or_default();
            let fits = *of_member < PARTIALS_OF_A_MEMBER_LIMIT
                && count < PARTIALS_LIMIT
                && octets + part.octets <= PARTIALS_LIMIT_OCTETS;
            if fits {
                *of_member += 1;
                count += 1;
                octets += part.octets;
            }
            fits
        });
        kept.reverse();
        self.kept = kept;
    }

    /// Takes the part of a body out, with its octets: whoever goes on with it has it alone.
    pub fn take(&mut self, name: &PartialName, now: Time) -> Option<(u64, T)> {
        clause!(SU_062);
        self.kept.retain(|(_, part)| part.until > now);
        let place = self.kept.iter().position(|(other, _)| other == name)?;
        let (_, part) = self.kept.remove(place);
        assert!(part.octets < name.octets, "a part is less than the whole");
        Some((part.octets, part.what))
    }

    /// Drops everything: its room is needed. How many octets that were.
    pub fn clear(&mut self) -> u64 {
        clause!(SU_061);
        self.kept.drain(..).map(|(_, part)| part.octets).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ids::Incarnation;

    fn name(member: &str, sequence: u64) -> PartialName {
        let member = MemberName::from(member);
        let transfer = TransferId { member: member.clone(), incarnation: Incarnation(1), sequence };
        PartialName { member, transfer, digest: Digest([1; 32]), octets: PARTIALS_LIMIT_OCTETS * 2 }
    }

    const NOW: Time = Time(1_000_000);

    #[test]
    fn a_part_is_given_once_and_to_its_own_body() {
        let mut partials = Partials::default();
        partials.keep(name("a", 1), 10, 'x', NOW);
        let other = [
            name("b", 1),
            name("a", 2),
            PartialName { digest: Digest([2; 32]), ..name("a", 1) },
            PartialName { octets: 11, ..name("a", 1) },
        ];
        for other in other {
            assert_eq!(partials.take(&other, NOW), None, "{other:?}");
        }
        assert_eq!(partials.take(&name("a", 1), NOW), Some((10, 'x')));
        assert_eq!(partials.take(&name("a", 1), NOW), None);
    }

    /// SU-061: for its time, and no longer.
    #[test]
    fn a_part_has_its_time() {
        let mut partials = Partials::default();
        partials.keep(name("a", 1), 10, 'x', NOW);
        partials.keep(name("a", 2), 10, 'y', NOW);
        let last = Time((NOW + PARTIAL_TIME).0 - 1);
        assert_eq!(partials.take(&name("a", 1), last), Some((10, 'x')));
        assert_eq!(partials.take(&name("a", 2), NOW + PARTIAL_TIME), None);
    }

    #[test]
    fn nothing_and_everything_are_no_parts_and_the_longer_part_stays() {
        let mut partials = Partials::default();
        partials.keep(name("a", 1), 0, 'x', NOW);
        partials.keep(PartialName { octets: 10, ..name("a", 2) }, 10, 'x', NOW);
        partials.keep(name("a", 3), PARTIALS_LIMIT_OCTETS + 1, 'x', NOW);
        assert_eq!(partials.clear(), 0);
        partials.keep(name("a", 1), 10, 'l', NOW);
        partials.keep(name("a", 1), 9, 's', NOW);
        assert_eq!(partials.take(&name("a", 1), NOW), Some((10, 'l')));
    }

    /// SU-061: each limit, reached; the oldest goes first.
    #[test]
    fn the_oldest_makes_room() {
        let mut partials = Partials::default();
        for sequence in 0..=PARTIALS_OF_A_MEMBER_LIMIT as u64 {
            partials.keep(name("a", sequence), 1, sequence, NOW);
        }
        assert_eq!(partials.take(&name("a", 0), NOW), None);
        assert_eq!(partials.take(&name("a", 1), NOW), Some((1, 1)));
        partials.clear();
        for member in 0..=PARTIALS_LIMIT as u64 {
            partials.keep(name(&alloc::format!("m{member}"), 1), 1, member, NOW);
        }
        assert_eq!(partials.clear(), PARTIALS_LIMIT as u64);
        partials.keep(name("a", 1), PARTIALS_LIMIT_OCTETS, 1, NOW);
        partials.keep(name("b", 1), 1, 2, NOW);
        assert_eq!(partials.take(&name("a", 1), NOW), None);
        assert_eq!(partials.take(&name("b", 1), NOW), Some((1, 2)));
    }
}
