//! Which exit mail takes that leaves the organization: a function of the table and the envelope, and so the
//! same one at every member.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::closed::{NoWay, named};
use super::explain::why_none;
use super::paths::{Tree, speaking};
use super::{Barrier, LinkConfig, LinkState, NextHop, Record, SharedRecord, Table, Traits};
use crate::clause;
use crate::protocol::organization::Organization;
use crate::wire::exits::{ExitRecord, Scope, Specificity};
use crate::wire::ids::{ExitName, GroupName, MemberName};

/// What the table says of mail to a domain outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// No exit covers the domain.
    None,
    /// Some do, but none of them exists for this message here.
    Barred,
    /// Every way to those that are the most specific is down.
    Infinite,
    /// This one.
    Exit {
        /// Whose exit it is.
        group: GroupName,
        /// Its name.
        exit: ExitName,
    },
}

/// Where a message for a domain outside goes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// The table has no exit for it.
    None,
    /// Exits cover the domain, and none of them exists for this message.
    Barred,
    /// The record of the group of this exit is not known yet.
    Unknown(GroupName, ExitName),
    /// Every way to the exits for it is down.
    Infinite,
    /// Out, by this exit of the own group.
    Here(ExitName),
    /// To a source of an exit of the own group.
    Source {
        /// The exit.
        exit: ExitName,
        /// Its source whose turn it is.
        member: MemberName,
        /// How many sources it has.
        of: usize,
    },
    /// Towards the group of the exit.
    Towards(GroupName, NextHop),
}

/// Whose turn it is among the sources of each exit, for one message: how many attempts to hand it to one failed.
///
/// Each exit counts for itself: were the count common to two exits of a message, both could fail in each round and
/// together pass over the same sources for ever. It is not the place in the retry schedule, which ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SourceTurns(BTreeMap<ExitName, u32>);

impl SourceTurns {
    /// The place of the source whose turn it is, modulo the number of sources.
    #[must_use]
    pub fn of(&self, exit: &ExitName) -> u32 {
        self.0.get(exit).copied().unwrap_or(0)
    }

    /// An attempt to hand the message to the source whose turn it was has failed.
    pub fn advance(&mut self, exit: ExitName) {
        let turn = self.0.entry(exit).or_default();
        *turn = turn.wrapping_add(1);
    }
}

/// An exit, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExitCandidate {
    /// Whose exit it is.
    pub group: GroupName,
    /// Its name.
    pub exit: ExitName,
    /// How closely it fits the domain.
    pub fit: Option<Specificity>,
    /// Its own cost.
    pub cost: u32,
    /// With the cost of the way to its group.
    pub total: Option<u64>,
    /// The connectors of that way.
    pub hops: Option<u32>,
    /// What became of it.
    pub verdict: ExitVerdict,
}

/// What became of an exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitVerdict {
    /// The message leaves there.
    Chosen,
    /// It does not cover the domain.
    OtherDomains,
    /// It is for its own group.
    OtherGroup,
    /// It does not carry this message.
    Barred(Barrier),
    /// Another one is more specific.
    LessSpecific,
    /// Every way to its group is down.
    NoWay,
    /// It costs so much more.
    Costlier(u64),
    /// It costs the same and has so many connectors more.
    MoreHops(u32),
    /// It is as good, and its group or its name is greater.
    GreaterName,
}

impl ExitCandidate {
    /// What became of it, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let group = &self.group;
        match &self.verdict {
            ExitVerdict::Chosen => "chosen".into(),
            ExitVerdict::OtherDomains => "for other domains".into(),
            ExitVerdict::OtherGroup => format!("for {group} alone"),
            ExitVerdict::Barred(barrier) => format!("{barrier}"),
            ExitVerdict::LessSpecific => "less specific".into(),
            ExitVerdict::NoWay => format!("every way to {group} is closed"),
            ExitVerdict::Costlier(by) => format!("costlier by {by}"),
            ExitVerdict::MoreHops(by) => format!("more hops by {by}"),
            ExitVerdict::GreaterName => "as good, but for its name".into(),
        }
    }
}

/// Why no exit takes a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoExit {
    domain: String,
    /// Why none of those that cover the domain is for this message, each with its name.
    absent: Vec<String>,
    /// Why there is no way to any of the most specific ones.
    ways: Vec<NoWay>,
}

impl NoExit {
    fn absence(candidate: &ExitCandidate) -> Option<String> {
        let is_absent =
            matches!(candidate.verdict, ExitVerdict::Barred(_) | ExitVerdict::OtherGroup);
        is_absent.then(|| format!("{} {}", candidate.exit, candidate.in_words()))
    }

    /// By what became of each exit, and by why there is no way to a group.
    pub(super) fn of(
        domain: &str,
        explanation: ExitExplanation,
        way: impl Fn(&GroupName) -> NoWay,
    ) -> Self {
        clause!(CU_096);
        let candidates = explanation.candidates.iter();
        let unreached = candidates.clone().filter(|c| c.verdict == ExitVerdict::NoWay);
        let groups: BTreeSet<&GroupName> = unreached.map(|candidate| &candidate.group).collect();
        let absent = candidates.filter_map(Self::absence).collect();
        Self { domain: domain.into(), absent, ways: groups.into_iter().map(way).collect() }
    }
}

impl fmt::Display for NoExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, absent, ways } = self;
        if !ways.is_empty() && ways.iter().all(NoWay::is_down) {
            return write!(f, "every way to the exits for {domain} is down");
        }
        match (&ways[..], &absent[..]) {
            ([], []) => write!(f, "no exit for {domain} is known"),
            ([], absent) => write!(f, "no exit for {domain} permits it: {}", named(absent)),
            (ways, _) => write!(f, "no way to the exits for {domain}: {}", named(ways)),
        }
    }
}

/// What chooses among exits of equal specificity; the least is the best.
type Rank<'a> = (u64, u32, &'a GroupName, &'a ExitName);

/// Why an exit that covers the domain does not exist for the message.
fn absence(
    record: &Record,
    exit: &ExitRecord,
    own: &GroupName,
    of: &Traits,
) -> Option<ExitVerdict> {
    clause!(LS_214);
    if exit.scope == Scope::Group && record.group != *own {
        return Some(ExitVerdict::OtherGroup);
    }
    exit.restrictions.barrier(of).map(ExitVerdict::Barred)
}

/// How far it is to an exit; none where no way leads to its group.
fn rank<'a>(record: &'a Record, exit: &'a ExitRecord, tree: &Tree) -> Option<Rank<'a>> {
    let (cost, hops) = if record.group == *tree.source() {
        (0, 0)
    } else {
        let label = &tree.get(&record.group)?.label;
        (label.cost, label.hops)
    };
    Some((cost + u64::from(exit.cost), hops, &record.group, &exit.name))
}

/// Chooses among the exits of `records`, for the messages and from the group that `tree` is for.
pub(super) fn choose<'a>(
    records: impl Iterator<Item = &'a SharedRecord>,
    tree: &Tree,
    domain: &str,
    traits: &Traits,
) -> (Choice, Option<Specificity>) {
    let (mut is_covered, mut best) = (false, None);
    let mut chosen: Option<Rank<'a>> = None;
    for record in records {
        for exit in &record.exits {
            let Some(fit) = exit.fit(domain) else { continue };
            is_covered = true;
            if absence(record, exit, tree.source(), traits).is_some() || Some(fit) < best {
                continue;
            }
            if Some(fit) > best {
                clause!(LS_215);
                (best, chosen) = (Some(fit), None);
            }
            clause!(LS_216);
            let found = rank(record, exit, tree);
            chosen = [chosen, found].into_iter().flatten().min();
        }
    }
    let choice = match (chosen, best) {
        (Some((_, _, group, exit)), _) => Choice::Exit { group: group.clone(), exit: exit.clone() },
        (None, Some(_)) => Choice::Infinite,
        (None, None) if is_covered => Choice::Barred,
        (None, None) => Choice::None,
    };
    (choice, best)
}

/// The exit that a message in `from` takes to `domain` by the whole table.
#[must_use]
pub fn choose_exit(table: &Table, from: &GroupName, domain: &str, traits: &Traits) -> Choice {
    let tree = Tree::full(table, from, traits);
    choose(speaking(table), &tree, domain, traits).0
}

/// Which exit mail takes, and what became of every other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitExplanation {
    /// The exit.
    pub choice: Choice,
    /// How closely those fit the domain that were taken into account.
    pub best: Option<Specificity>,
    /// Every exit of the table, those that fit best first.
    pub candidates: Vec<ExitCandidate>,
}

/// Which exit a message in `from` takes to `domain`, and what became of every exit of the table.
#[must_use]
pub fn explain_exits(
    table: &Table,
    from: &GroupName,
    domain: &str,
    traits: &Traits,
) -> ExitExplanation {
    judged(speaking(table), &Tree::full(table, from, traits), domain, traits)
}

/// Why no exit takes a message in `from` to `domain`.
#[must_use]
pub fn why_no_exit(table: &Table, from: &GroupName, domain: &str, traits: &Traits) -> NoExit {
    let explanation = explain_exits(table, from, domain, traits);
    NoExit::of(domain, explanation, |group| why_none(table, (from, group), traits))
}

/// What became of each exit of `records`, and from the group that `tree` is for.
pub(super) fn judged<'a>(
    records: impl Iterator<Item = &'a SharedRecord> + Clone,
    tree: &Tree,
    domain: &str,
    traits: &Traits,
) -> ExitExplanation {
    let (choice, best) = choose(records.clone(), tree, domain, traits);
    let all = records.flat_map(|record| record.exits.iter().map(move |e| (record, e)));
    let all: Vec<_> = all.collect();
    let is_chosen = |record: &Record, exit: &ExitRecord| matches!(&choice, Choice::Exit { group, exit: name } if (group, name) == (&record.group, &exit.name));
    let winner = all.iter().find(|(record, exit)| is_chosen(record, exit));
    let winner = winner.and_then(|(record, exit)| rank(record, exit, tree));
    let judge = |record: &Record, exit: &ExitRecord| {
        let fit = exit.fit(domain);
        if fit.is_none() {
            return ExitVerdict::OtherDomains;
        }
        if let Some(absent) = absence(record, exit, tree.source(), traits) {
            return absent;
        }
        if fit < best {
            return ExitVerdict::LessSpecific;
        }
        match (rank(record, exit, tree), winner) {
            _ if is_chosen(record, exit) => ExitVerdict::Chosen,
            (Some(this), Some(best)) if this.0 > best.0 => ExitVerdict::Costlier(this.0 - best.0),
            (Some(this), Some(best)) if this.1 > best.1 => ExitVerdict::MoreHops(this.1 - best.1),
            (Some(_), _) => ExitVerdict::GreaterName,
            (None, _) => ExitVerdict::NoWay,
        }
    };
    let mut candidates: Vec<_> = all
        .iter()
        .map(|(record, exit)| {
            let rank = rank(record, exit, tree);
            ExitCandidate {
                group: record.group.clone(),
                exit: exit.name.clone(),
                fit: exit.fit(domain),
                cost: exit.cost,
                total: rank.map(|rank| rank.0),
                hops: rank.map(|rank| rank.1),
                verdict: judge(record, exit),
            }
        })
        .collect();
    candidates.sort_by_key(|candidate| {
        let is_chosen = candidate.verdict == ExitVerdict::Chosen;
        (!is_chosen, core::cmp::Reverse(candidate.fit))
    });
    ExitExplanation { choice, best, candidates }
}

/// A more specific exit than those of the table that are taken into account, by the configuration alone: its
/// group has not been heard of. A group is its UUID: an older one of the same name says nothing of it.
#[must_use]
pub fn unknown_exit(
    table: &Table,
    (organization, own): (&Organization, &GroupName),
    domain: &str,
    traits: &Traits,
    best: Option<Specificity>,
) -> Option<(GroupName, ExitName)> {
    let mut exits = organization.exits_for(own);
    let found = exits.find(|(group, exit)| {
        exit.fit(domain).is_some_and(|fit| Some(fit) > best)
            && exit.restrictions().barrier(traits).is_none()
            && table.of(&group.uuid).is_none()
    });
    found.map(|(group, exit)| (group.name.clone(), exit.name.clone()))
}

impl LinkState {
    /// Whether the table that routes has an exit that covers `domain` and is for the own group.
    #[must_use]
    pub fn has_exit_for(&self, config: &LinkConfig, domain: &str) -> bool {
        let own = &config.group().name;
        let is_for_us = |record: &Record, exit: &ExitRecord| {
            exit.scope == Scope::Organization || record.group == *own
        };
        self.routes.with_exits().any(|record| {
            record.exits.iter().any(|exit| is_for_us(record, exit) && exit.fit(domain).is_some())
        })
    }

    /// Where a message for a domain outside goes by the table that routes. `lot` chooses among equal connectors,
    /// and `turns` among the sources of the exit.
    #[must_use]
    pub fn way_out(
        &self,
        config: &LinkConfig,
        domain: &str,
        traits: &Traits,
        (lot, turns): (u64, &SourceTurns),
    ) -> WayOut {
        let (choice, best) = self.routes.exit(domain, traits);
        let file = (&*config.organization, &config.group().name);
        if let Some((group, exit)) = unknown_exit(self.routes.table(), file, domain, traits, best) {
            clause!(LS_219);
            return WayOut::Unknown(group, exit);
        }
        let (group, exit) = match choice {
            Choice::None => return WayOut::None,
            Choice::Barred => return WayOut::Barred,
            Choice::Infinite => return WayOut::Infinite,
            Choice::Exit { group, exit } => (group, exit),
        };
        if group != config.group().name {
            let next = self.next_hop(config, &group, traits, lot);
            return WayOut::Towards(group, next);
        }
        clause!(LS_217);
        let record = self.routes.table().get(&group).expect("a chosen exit stands in the table");
        let known = record.exits.iter().find(|known| known.name == exit);
        let sources = &known.expect("a chosen exit stands in its record").sources;
        if sources.contains(&config.member) {
            return WayOut::Here(exit);
        }
        let of = sources.len();
        let member = sources[turns.of(&exit) as usize % of].clone();
        WayOut::Source { exit, member, of }
    }
}
