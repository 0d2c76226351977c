//! C4, no ping-pong: a recipient recrosses a directed edge between groups only when the table that routes
//! it is strictly greater than the table that routed its previous crossing; and its hops are bounded.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::Copy;
use crate::protocol::queue::Change;
use crate::sim::host::Host;
use crate::wire::ids::{GroupName, OriginId};
use crate::wire::message::{Envelope, TableVersions};

/// How often a message may come to each member of a group, on average, while it stays in that group: by
/// submission, on the way to a bridgehead, and when tables have grown.
const STAY_LIMIT: usize = 4;

#[derive(Debug)]
pub(super) struct NoPingPong {
    crossings: BTreeMap<(OriginId, u32, GroupName, GroupName), TableVersions>,
    hop_limit: u32,
}

impl NoPingPong {
    pub(super) const fn new(hop_limit: u32) -> Self {
        Self { crossings: BTreeMap::new(), hop_limit }
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
        let Some((from, to)) = last_crossing(host, &message.envelope) else { return Ok(()) };
        let groups = visits(&message.envelope);
        if groups > self.hop_limit + 1 {
            return Err(format!("{} has visited {groups} groups", message.envelope.origin));
        }
        let settled = message.envelope.recipients.iter().filter(|r| !is_unsettled(r.index));
        for recipient in settled {
            let origin = message.envelope.origin.clone();
            let key = (origin, recipient.index, from.clone(), to.clone());
            let routed_by = message.envelope.routed_by.clone();
            if let Some(before) = self.crossings.get(&key)
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
    old.iter().all(|(group, version)| new.get(group).is_some_and(|newer| newer >= version))
        && new != old
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
