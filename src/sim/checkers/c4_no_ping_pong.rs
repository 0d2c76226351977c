//! C4, no ping-pong: a recipient recrosses a directed edge between groups only when the table that routes
//! it is strictly greater than the table that routed its previous crossing; and its hops are bounded.
//!
//! A table is told by the versions that the message carries: those from which its routes were computed. What
//! else a member knows by then does not count.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::Copy;
use crate::protocol::queue::Change;
use crate::sim::host::Host;
use crate::wire::ids::{GroupKey, GroupName, OriginId};
use crate::wire::message::{Envelope, TableVersions};
use crate::wire::record::Version;

/// How often a message may come to each member of a group, on average, while it stays in that group: by
/// submission, on the way to a bridgehead, and when tables have grown.
const STAY_LIMIT: usize = 4;

#[derive(Debug)]
pub(super) struct NoPingPong {
    crossings: BTreeMap<(OriginId, u32, GroupName, GroupName), TableVersions>,
    /// The table that routed each recipient last.
    routed: BTreeMap<(OriginId, u32), TableVersions>,
    hop_limit: u32,
    crossed: usize,
    recrossed: usize,
    /// A disk was lost or set back: what was merged there may be gone.
    is_set_back: bool,
}

impl NoPingPong {
    pub(super) const fn new(hop_limit: u32) -> Self {
        Self {
            crossings: BTreeMap::new(),
            routed: BTreeMap::new(),
            hop_limit,
            crossed: 0,
            recrossed: 0,
            is_set_back: false,
        }
    }

    /// How often a recipient has crossed a connector, and how often one that it had crossed before.
    pub(super) const fn counts(&self) -> (usize, usize) {
        (self.crossed, self.recrossed)
    }

    /// A disk was lost or set back.
    pub(super) const fn set_back(&mut self) {
        self.is_set_back = true;
    }

    /// A change is on disk; an accepted hand-over is a crossing when it came from another group.
    pub(super) fn stored(
        &mut self,
        host: &Host,
        change: &Change,
        unsettled: &BTreeSet<Copy>,
    ) -> Result<(), String> {
        let Change::Queued { message, accepted: Some(_), .. } = change else { return Ok(()) };
        let token = host.disk.token(message.body.key);
        let is_unsettled = |index| token.is_some_and(|token| unsettled.contains(&(token, index)));
        let (stay, limit) = (stay(&message.envelope), STAY_LIMIT * members(host));
        if stay > limit {
            let origin = &message.envelope.origin;
            return Err(format!("{origin} went from member to member {stay} times in one group"));
        }
        self.routes_grow(&message.envelope, is_unsettled)?;
        let Some((from, to)) = last_crossing(host, &message.envelope) else { return Ok(()) };
        let groups = visits(&message.envelope);
        if groups > self.hop_limit + 1 {
            return Err(format!("{} has visited {groups} groups", message.envelope.origin));
        }
        self.news_came_first(host, &message.envelope)?;
        let settled = message.envelope.recipients.iter().filter(|r| !is_unsettled(r.index));
        for recipient in settled {
            let origin = message.envelope.origin.clone();
            let key = (origin, recipient.index, from.clone(), to.clone());
            let routed_by = message.envelope.routed_by.clone();
            let before = self.crossings.get(&key);
            self.crossed += 1;
            self.recrossed += usize::from(before.is_some());
            if let Some(before) = before
                && !is_greater(&routed_by, before)
            {
                let (origin, index) = (&key.0, key.1);
                let text = "by a table that is not greater than at the crossing before";
                return Err(format!("recipient {index} of {origin} recrosses {from}-{to} {text}"));
            }
            self.crossings.insert(key, routed_by);
        }
        Ok(())
    }
}

impl NoPingPong {
    /// LS-045: a recipient is never routed by a table that is smaller than one that has routed it.
    fn routes_grow(
        &mut self,
        envelope: &Envelope,
        is_unsettled: impl Fn(u32) -> bool,
    ) -> Result<(), String> {
        for recipient in envelope.recipients.iter().filter(|r| !is_unsettled(r.index)) {
            let key = (envelope.origin.clone(), recipient.index);
            let before = self.routed.insert(key, envelope.routed_by.clone());
            if before.is_some_and(|before| !is_at_least(&envelope.routed_by, &before)) {
                let (origin, index) = (&envelope.origin, recipient.index);
                return Err(format!("recipient {index} of {origin} was routed by a smaller table"));
            }
        }
        Ok(())
    }

    /// LS-019: what has routed a message over a connector is on the disk of who takes it there, before it
    /// takes it. A group that hears by one bridgehead may be sent mail to another, which has to wait; so this
    /// is asked where each group has one bridgehead, and no disk was set back.
    fn news_came_first(&self, host: &Host, envelope: &Envelope) -> Result<(), String> {
        if self.is_set_back || !has_one_bridgehead(host) {
            return Ok(());
        }
        let known = &host.disk.durable().link.records;
        let covers = |(key, version): (&GroupKey, &Version)| {
            let record = key.parts().and_then(|(_, uuid)| known.of(uuid));
            record.is_some_and(|record| record.version >= *version)
        };
        match envelope.routed_by.iter().find(|routed| !covers(*routed)) {
            Some((group, version)) => {
                let origin = &envelope.origin;
                Err(format!("{origin} came to {} before {version} of {group}", host.name()))
            }
            None => Ok(()),
        }
    }
}

/// Whether all connectors from and to the group of a host are carried by one member of it.
fn has_one_bridgehead(host: &Host) -> bool {
    let organization = &host.config.organization;
    let Some(group) = organization.group_of(&host.config.member) else { return false };
    let from = organization.connectors.iter().filter(|c| c.from == group.name);
    let to = organization.connectors.iter().filter(|c| c.to == group.name);
    let ends = from.flat_map(|c| &c.sources).chain(to.flat_map(|c| &c.targets));
    ends.collect::<BTreeSet<_>>().len() == 1
}

/// The groups of the last hop and of the hop before, when they differ.
fn last_crossing(host: &Host, envelope: &Envelope) -> Option<(GroupName, GroupName)> {
    let here = &host.config.organization.group_of(&host.config.member)?.name;
    let before = envelope.hops.iter().rev().find(|hop| hop.by != host.name())?;
    (before.group != *here).then(|| (before.group.clone(), here.clone()))
}

/// How often the message has entered a group.
fn visits(envelope: &Envelope) -> u32 {
    let mut groups: alloc::vec::Vec<&GroupName> =
        envelope.hops.iter().map(|hop| &hop.group).collect();
    groups.dedup();
    u32::try_from(groups.len()).unwrap_or(u32::MAX)
}

/// Whether `new` is at least `old` for each group, and more for some.
fn is_greater(new: &TableVersions, old: &TableVersions) -> bool {
    is_at_least(new, old) && new != old
}

fn is_at_least(new: &TableVersions, old: &TableVersions) -> bool {
    old.iter().all(|(group, version)| new.get(group).is_some_and(|newer| newer >= version))
}

/// How many hops a message has made since it came to the group that it is in.
fn stay(envelope: &Envelope) -> usize {
    let last = envelope.hops.last().map(|hop| &hop.group);
    envelope.hops.iter().rev().take_while(|hop| Some(&hop.group) == last).count()
}

/// How many members the group of a host has.
fn members(host: &Host) -> usize {
    let organization = &host.config.organization;
    organization.group_of(&host.config.member).map_or(0, |group| group.members.len())
}
