//! What operators have ordered about copies, and what follows from the organization alone.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Copy;
use crate::protocol::operator::Action;
use crate::protocol::organization::Organization;
use crate::sim::network::HostIndex;
use crate::wire::ids::{ConnectionId, QueueId};
use crate::wire::message::Address;

/// An order holds for one life of a member.
type Post = (HostIndex, u32);

/// The life of an order that is durable.
const ANY_LIFE: u32 = u32::MAX;

/// An order by the life of the member that takes it, and the name under which its operator waits.
type Waiting = (u32, ConnectionId);

#[derive(Debug)]
pub(super) struct Orders {
    /// Of each message the hold that was ordered last, if nothing was ordered since and it is not confirmed.
    holds: BTreeMap<(HostIndex, QueueId), Waiting>,
    bounced: BTreeMap<Copy, BTreeSet<Post>>,
    removed: BTreeMap<Copy, BTreeSet<Post>>,
    /// The copies of messages about which any order was ever given.
    spoken: BTreeSet<Copy>,
    organization: Option<Arc<Organization>>,
}

impl Orders {
    pub(super) const fn new(organization: Option<Arc<Organization>>) -> Self {
        Self {
            holds: BTreeMap::new(),
            bounced: BTreeMap::new(),
            removed: BTreeMap::new(),
            spoken: BTreeSet::new(),
            organization,
        }
    }

    /// An order is given about a message in a member's queue.
    pub(super) fn concerns(
        &mut self,
        message: (HostIndex, QueueId),
        waiting: Waiting,
        action: &Action,
    ) {
        match action {
            Action::Hold { .. } => self.holds.insert(message, waiting),
            Action::Release | Action::Retry | Action::Bounce { .. } | Action::Remove => {
                self.holds.remove(&message)
            }
        };
    }

    /// The messages whose hold this order was; they are not waited for any more.
    pub(super) fn holds_of(&mut self, place: HostIndex, waiting: Waiting) -> Vec<QueueId> {
        let ours = self.holds.iter().filter(|(at, by)| at.0 == place && **by == waiting);
        let ours: Vec<QueueId> = ours.map(|((_, queue), _)| *queue).collect();
        self.holds.retain(|(at, _), by| *at != place || *by != waiting);
        ours
    }

    /// An order is given about the message of this copy, whatever comes of it.
    pub(super) fn spoken(&mut self, copy: Copy) {
        self.spoken.insert(copy);
    }

    /// Whether any order was ever given about the message of this copy: then it is its operator who knows
    /// how it was to end.
    pub(super) fn is_spoken_of(&self, copy: Copy) -> bool {
        self.spoken.contains(&copy)
    }

    /// A member is ordered to end this copy.
    pub(super) fn heard(&mut self, place: HostIndex, life: u32, copy: Copy, action: &Action) {
        let orders = match action {
            Action::Bounce { .. } => &mut self.bounced,
            Action::Remove => &mut self.removed,
            Action::Hold { .. } | Action::Release | Action::Retry => return,
        };
        orders.entry(copy).or_default().insert((place, life));
    }

    /// That a copy is returned is durable at a member, and outlives its process.
    pub(super) fn fated(&mut self, place: HostIndex, copy: Copy) {
        self.bounced.entry(copy).or_default().insert((place, ANY_LIFE));
    }

    pub(super) fn bounces(&self, place: HostIndex, life: u32, copy: Copy) -> bool {
        let posts = self.bounced.get(&copy);
        posts.is_some_and(|on| on.contains(&(place, life)) || on.contains(&(place, ANY_LIFE)))
    }

    pub(super) fn removes(&self, place: HostIndex, life: u32, copy: Copy) -> bool {
        self.removed.get(&copy).is_some_and(|posts| posts.contains(&(place, life)))
    }

    /// Whether any member was ever ordered to remove this copy.
    pub(super) fn ever_removes(&self, copy: Copy) -> bool {
        self.removed.contains_key(&copy)
    }

    /// Whether an address is not of the organization.
    pub(super) fn is_foreign(&self, address: &Address) -> bool {
        let organization = self.organization.as_ref();
        organization.is_some_and(|known| !known.is_local_domain(address.domain()))
    }

    /// Whether nobody can ever have this address: it is of the organization, and no account.
    pub(super) fn is_nobody(&self, address: &Address) -> bool {
        let organization = self.organization.as_ref();
        let is_account = organization.is_some_and(|known| known.account(address).is_some());
        let mut exits = organization.iter().flat_map(|known| &known.groups).flat_map(|g| &g.exits);
        let has_way_out = organization.is_some_and(|known| known.smart_host.is_some())
            || exits.any(|exit| exit.fit(address.domain()).is_some());
        let is_reached = is_account || (self.is_foreign(address) && has_way_out);
        !is_reached
    }
}
