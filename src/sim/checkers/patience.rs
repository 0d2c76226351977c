//! Mail that may wait although nothing is broken any more: restrictions bar it from every way, or the hours of
//! its way have not begun.
//!
//! What the organization's file says decides that, and no member is asked: one that leaves mail lying for
//! which there is a way would say just as well that there is none.

use alloc::collections::{BTreeMap, BTreeSet};

use super::Copy;
use super::custody::{self, Hold};
use super::ledger::Ledger;
use crate::kernel::Time;
use crate::protocol::linkstate::exits::{Choice, choose_exit};
use crate::protocol::linkstate::explain::{Verdict, configured, explain};
use crate::protocol::linkstate::{Table, Traits};
use crate::protocol::member::MemberConfig;
use crate::protocol::organization::wait_of;
use crate::protocol::queue::{Home, Message, home};
use crate::sim::host::Host;
use crate::sim::network::HostIndex;
use crate::sim::run::LIVENESS_BOUND;
use crate::wire::ids::{ConnectorName, GroupName};
use crate::wire::message::Address;

/// A copy, and a member that has it.
pub(super) type Place = (HostIndex, Copy);

/// Until when members may keep what they have, each by its own clock. It is said once, so that no mail can be
/// put off again and again.
#[derive(Debug, Default)]
pub(super) struct Patience {
    until: BTreeMap<Place, Time>,
}

impl Patience {
    /// The copies that may still wait at `now`, where nothing has been broken from `since` on.
    pub(super) fn waiting(
        &mut self,
        (since, now): (Time, Time),
        hosts: &[Host],
        held: &[BTreeMap<Copy, Hold>],
        ledger: &Ledger,
    ) -> BTreeSet<Place> {
        let mut waiting = BTreeSet::new();
        for (place, host) in hosts.iter().enumerate() {
            let ground =
                Ground { config: &host.config, table: configured(&host.config.organization) };
            let (since, now) = (host.clock.shows(since), host.clock.shows(now));
            for (message, recipient, copy) in custody::queued(host, ledger) {
                if held[place].get(&copy) != Some(&Hold::Free) {
                    continue;
                }
                let until = || ground.until(message, &recipient.address, since);
                if *self.until.entry((place, copy)).or_insert_with(until) > now {
                    waiting.insert((place, copy));
                }
            }
        }
        waiting
    }
}

/// What a member could do if everything worked.
struct Ground<'a> {
    config: &'a MemberConfig,
    table: Table,
}

impl Ground<'_> {
    /// Until when a member may keep a message for an address that it has at `since`.
    fn until(&self, message: &Message, address: &Address, since: Time) -> Time {
        let envelope = &message.envelope;
        let traits = Traits::new(message.body.octets, envelope.priority, envelope.sender.as_ref());
        let organization = &self.config.organization;
        let own = organization.group_of(&self.config.member).map(|group| &group.name);
        let own = own.expect("a member has a group");
        let goal = self.goal(own, address, &traits);
        let arrival = goal.and_then(|goal| self.arrival((own, &goal), &traits, since));
        // Whatever waits is returned when its time is over.
        arrival.map_or(envelope.expires, |at| at.min(envelope.expires)).max(since) + LIVENESS_BOUND
    }

    /// The group where a message comes to its end; none where no exit permits it.
    fn goal(&self, own: &GroupName, address: &Address, traits: &Traits) -> Option<GroupName> {
        let organization = &self.config.organization;
        if let Home::Account(account) = home(self.config, address) {
            let account = organization.account(&account);
            let group = account.and_then(|account| organization.group_of_account(account));
            return Some(group.map_or(own, |group| &group.name).clone());
        }
        if !organization.is_foreign(address) {
            return Some(own.clone());
        }
        let is_barred = match choose_exit(&self.table, own, address.domain(), traits) {
            Choice::Exit { group, .. } => return Some(group),
            Choice::None => false,
            Choice::Infinite => true,
            Choice::Barred => {
                organization.smart_host.is_none() && !self.config.relays_to_frontends()
            }
        };
        (!is_barred).then(|| own.clone())
    }

    /// When a message that is in a group at `at` is in another one at the latest, if every connector works;
    /// none where every way bars it.
    fn arrival(
        &self,
        (from, to): (&GroupName, &GroupName),
        traits: &Traits,
        at: Time,
    ) -> Option<Time> {
        if from == to {
            return Some(at);
        }
        let spread = self.config.organization.link_state.spread;
        let explanation = explain(&self.table, (from, to), traits, spread);
        let mut taken = explanation.candidates.into_iter();
        taken.try_fold(None, |latest: Option<Time>, candidate| {
            if !matches!(candidate.verdict, Verdict::Chosen | Verdict::Equal) {
                return Some(latest);
            }
            let begun = self.begun(&candidate.connector, at);
            let arrival = self.arrival((&candidate.to, to), traits, begun)?;
            Some(latest.max(Some(arrival)))
        })?
    }

    /// When mail that is there from `at` on has begun to cross a connector. It may come so late that it just
    /// misses the hours in which it could have gone.
    fn begun(&self, connector: &ConnectorName, at: Time) -> Time {
        let connector = self.config.organization.connector(connector);
        let schedule = connector.map_or(&[][..], |connector| &connector.schedule[..]);
        if schedule.is_empty() {
            return at;
        }
        let late = at + LIVENESS_BOUND;
        late + wait_of(schedule, late)
    }
}
