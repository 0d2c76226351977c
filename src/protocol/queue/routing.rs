//! Where each recipient goes next.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::quarantine::stopped;
use super::{Message, Place, Route};
use crate::clause;
use crate::protocol::deliver::Grant;
use crate::protocol::linkstate::exits::WayOut;
use crate::protocol::linkstate::{NextHop, Traits, Way};
use crate::protocol::member::{Event, Member, MemberConfig, Turn};
use crate::wire::envelope::sha256;
use crate::wire::ids::{ExitName, GroupName, MemberName, QueueId};
use crate::wire::message::{Address, Envelope, Hop, Refusal, TableVersions};

/// Whose an address is, by the configuration.
pub(crate) enum Home {
    /// An account of the organization.
    Account(Address),
    /// It is outside, and there is a way out.
    Foreign,
    /// Nobody.
    Nobody(Refusal),
}

/// What is to be done with a recipient.
pub(crate) enum Decision {
    Go(Route),
    Wait(Reason),
    Never(Refusal),
}

/// Why a recipient waits. Who asks where it goes seldom wants to know, and what closes a way takes a search.
pub(crate) enum Reason {
    Said(String),
    /// No way to this group is usable.
    NoWay(GroupName),
    /// No exit for this domain takes it, or no way to one is usable.
    NoExit(String),
    /// Nobody is known to have this account, which is leased.
    NoOwner(Address),
}

impl Decision {
    const fn wait(why: String) -> Self {
        Self::Wait(Reason::Said(why))
    }
}

/// Whose `address` is.
pub(crate) fn home(config: &MemberConfig, address: &Address) -> Home {
    let organization = &config.organization;
    let postmaster = || {
        let domain = organization.domains.first()?;
        let bare =
            address.domain().is_empty() && address.local().eq_ignore_ascii_case("postmaster");
        bare.then(|| Address::from(alloc::format!("postmaster@{domain}").as_str()))
    };
    let address = postmaster().unwrap_or_else(|| address.clone());
    if let Some(account) = organization.account(&address) {
        return Home::Account(account.address.clone());
    }
    if organization.is_local_domain(address.domain()) || address.domain().is_empty() {
        return Home::Nobody(Refusal::new(550, "5.1.1", "no such account"));
    }
    let group = organization.group_of(&config.member).map(|group| &group.name);
    let mut exits = group.into_iter().flat_map(|group| organization.exits_for(group));
    if organization.smart_host.is_some()
        || exits.any(|(_, exit)| exit.fit(address.domain()).is_some())
    {
        return Home::Foreign;
    }
    Home::Nobody(Refusal::new(550, "5.7.1", "no relaying to foreign domains"))
}

/// How many groups the trace visits; a group that is visited again counts again.
fn visits(hops: &[Hop]) -> usize {
    let groups: Vec<&GroupName> = hops.iter().map(|hop| &hop.group).collect();
    groups.chunk_by(|earlier, later| earlier == later).count()
}

impl Member {
    /// Routes the recipients of `queue` that nobody holds, and sets them going.
    pub(crate) fn route(&mut self, queue: QueueId, indexes: &[u32], turn: &mut Turn<'_, '_>) {
        let Some(message) = self.spool.queue.get(&queue) else { return };
        if message.damage.is_some() {
            clause!(CU_043);
            return self.put_all(queue, indexes, &stopped());
        }
        if self.work[&queue].expired {
            return self.return_expired(queue, indexes, turn);
        }
        let submits = self.is_to_submit(queue, turn.config);
        if !submits && self.rules_are_due(queue, indexes, turn) {
            return;
        }
        let message = &self.spool.queue[&queue];
        if message.held.is_some() {
            clause!(CU_052);
            return self.put_all(queue, indexes, &waiting("it is held"));
        }
        let too_many = visits(&message.envelope.hops) > turn.config.policy.hop_limit as usize;
        if too_many && !message.pardoned {
            clause!(CU_021);
            self.put_all(queue, indexes, &waiting("it is held"));
            return self.hold(queue, "it has visited too many groups", turn);
        }
        // A message is never routed by a table that is not at least as great as every table that
        // routed it before: that is what ends a loop.
        if !self.covers(&message.envelope.routed_by, turn.config) {
            clause!(CU_020);
            let places = &self.work[&queue].places;
            if indexes.iter().any(|index| places.get(index) != Some(&Place::Table)) {
                turn.tell(Event::TableAwaited { queue });
            }
            return self.put_all(queue, indexes, &Place::Table);
        }
        if submits {
            return self.submit(queue, indexes, turn);
        }
        self.link.prepare(&subject(&self.spool.queue[&queue]).0);
        let (mut routes, mut unowned) = (Vec::new(), BTreeSet::new());
        for index in indexes {
            match self.decide(queue, *index, turn.config) {
                Decision::Go(route) => {
                    self.put(queue, *index, Place::Line(route.clone()));
                    if !routes.contains(&route) {
                        routes.push(route);
                    }
                }
                Decision::Wait(reason) => {
                    if let Reason::NoOwner(account) = &reason {
                        self.wait_for_owner(account, (queue, *index), turn);
                        unowned.insert(account.clone());
                    }
                    let why = self.in_words(queue, reason);
                    if turn.fault("no-way-is-for-ever") {
                        self.put(queue, *index, waiting(&why));
                    } else {
                        self.retry_later(queue, &[*index], None, &why, turn);
                    }
                }
                Decision::Never(refusal) => self.give_up(queue, *index, refusal, turn),
            }
        }
        for route in routes {
            self.serve(&route, turn);
        }
        self.claim(unowned, false, turn);
    }

    /// Routes again, after the table has grown, whatever the new table may send another way.
    pub(crate) fn route_all(&mut self, turn: &mut Turn<'_, '_>) {
        clause!(CU_022);
        let queues: Vec<QueueId> = self.work.keys().copied().collect();
        for queue in queues {
            let candidates = self.standing(queue, |place| match place {
                Place::Retry { failed: None, .. } => !turn.fault("no-way-is-for-ever"),
                Place::Table | Place::Retry { .. } => true,
                Place::Line(Route::Way(_) | Route::Outside(_) | Route::Frontends) => true,
                Place::Doubt(_) => turn.fault("reroute-while-in-doubt"),
                _ => false,
            });
            if candidates.is_empty() {
                continue;
            }
            self.link.prepare(&subject(&self.spool.queue[&queue]).0);
            let affected: Vec<u32> = candidates
                .into_iter()
                .filter(|index| self.table_matters(queue, *index, turn.config))
                .collect();
            if !affected.is_empty() {
                self.route(queue, &affected, turn);
            }
        }
        self.drop_idle_wants(turn);
    }

    /// Sets the attempts for a route going.
    pub(crate) fn serve(&mut self, route: &Route, turn: &mut Turn<'_, '_>) {
        match route {
            Route::Local => self.deposit_line(turn),
            Route::Deliver(host) => self.reach_host(host, turn),
            Route::Way(way) => self.reach_way(way, turn),
            Route::Outside(_) | Route::Frontends => self.reach_outside(route, turn),
        }
    }

    /// Begins no attempt for a message any more, until it is released or its time is over.
    pub(crate) fn hold(&mut self, queue: QueueId, reason: &str, turn: &mut Turn<'_, '_>) {
        clause!(CU_052);
        let reason = String::from(reason);
        turn.tell(Event::Held { queue, reason: reason.clone() });
        let change = super::Change::Held { queue, reason };
        if turn.fault("hold-not-stored") {
            self.spool.apply(&change);
        } else {
            self.store_change(change, turn);
        }
        let in_line = self.standing(queue, |place| matches!(place, Place::Line(_)));
        self.put_all(queue, &in_line, &waiting("it is held"));
        self.drop_idle_wants(turn);
    }

    fn covers(&self, versions: &TableVersions, config: &MemberConfig) -> bool {
        config.faults.is_on("routes-by-a-smaller-table") || self.link.covers(versions)
    }

    fn table_matters(&self, queue: QueueId, index: u32, config: &MemberConfig) -> bool {
        let message = &self.spool.queue[&queue];
        if message.is_stopped() || !self.covers(&message.envelope.routed_by, config) {
            return false;
        }
        if self.is_to_submit(queue, config) {
            // The table does not choose who queues it.
            return self.work[&queue].places[&index] == Place::Table;
        }
        let new = match self.decide(queue, index, config) {
            Decision::Go(route) => Some(route),
            Decision::Wait(_) | Decision::Never(_) => None,
        };
        match &self.work[&queue].places[&index] {
            Place::Retry { failed, .. } => new != *failed && new.is_some(),
            Place::Line(route) => new.as_ref() != Some(route),
            _ => true,
        }
    }

    pub(crate) fn decide(&self, queue: QueueId, index: u32, config: &MemberConfig) -> Decision {
        let message = &self.spool.queue[&queue];
        let recipients = &message.envelope.recipients;
        let recipient = recipients.iter().find(|recipient| recipient.index == index);
        let address = &recipient.expect("who is routed is in the envelope").address;
        let host = match self.destination(address, config) {
            Home::Account(account) if config.is_leased_here(&account) => {
                return self.decide_leased(account, config);
            }
            Home::Account(account) => match self.ownership(&account, config) {
                Some(known) => known.member,
                None => return self.decide_group(queue, &account, config),
            },
            Home::Foreign => return self.decide_outside(queue, address.domain(), config),
            Home::Nobody(_)
                if config.organization.is_foreign(address) && !self.knows_the_list(config) =>
            {
                clause!(CU_095);
                let domain = address.domain();
                return Decision::wait(alloc::format!("no way out to {domain} is known here yet"));
            }
            Home::Nobody(refusal) => {
                let later = self.not_known_yet(address, config);
                return later.map_or(Decision::Never(refusal), |later| Decision::wait(later.text));
            }
        };
        if host == config.member {
            return Decision::Go(Route::Local);
        }
        let organization = &config.organization;
        let Some(group) = organization.group_of_host(&host) else {
            return Decision::wait(alloc::format!("{host} is in no group"));
        };
        if group.members.contains(&config.member) {
            return Decision::Go(Route::Deliver(host));
        }
        let (traits, lot) = subject(message);
        towards(&group.name, self.link.next_hop(&config.link(), &group.name, &traits, lot))
    }

    /// Where mail for an account goes that the master of this group leases.
    fn decide_leased(&self, account: Address, config: &MemberConfig) -> Decision {
        match self.grant(&account, config) {
            Some(Grant::Open(_)) => Decision::Go(Route::Local),
            Some(Grant::Elsewhere(known)) => Decision::Go(Route::Deliver(known.member)),
            _ if !self.spool.draining => Decision::Wait(Reason::NoOwner(account)),
            // Who drains wants no accounts: another member may, when mail comes.
            _ => match self.fellow(config) {
                Some(fellow) => Decision::Go(Route::Deliver(fellow)),
                None => Decision::wait("this member drains, and no other one is there".into()),
            },
        }
    }

    /// Another member of the group that takes something upon itself.
    fn fellow(&self, config: &MemberConfig) -> Option<MemberName> {
        let group = config.organization.group_of(&config.member)?;
        let mut others = group.members.iter().filter(|member| **member != config.member);
        others.find(|member| self.membership.is_active(member)).cloned()
    }

    /// Where mail for an account goes that the master of another group leases.
    fn decide_group(&self, queue: QueueId, account: &Address, config: &MemberConfig) -> Decision {
        let organization = &config.organization;
        let filed = organization.account(account);
        let Some(group) = filed.and_then(|filed| organization.group_of_account(filed)) else {
            return Decision::wait(alloc::format!("{account} is in no group"));
        };
        let (traits, lot) = subject(&self.spool.queue[&queue]);
        towards(&group.name, self.link.next_hop(&config.link(), &group.name, &traits, lot))
    }

    /// Why a message waits, as people are told.
    fn in_words(&self, queue: QueueId, reason: Reason) -> String {
        clause!(LS_244);
        let traits = || subject(&self.spool.queue[&queue]).0;
        match reason {
            Reason::Said(why) => why,
            Reason::NoOwner(_) => String::from("it is being asked who has the account"),
            Reason::NoWay(group) => alloc::format!("{}", self.link.no_way(&group, &traits())),
            Reason::NoExit(domain) => alloc::format!("{}", self.link.no_exit(&domain, &traits())),
        }
    }

    /// Whose `address` is, by the configuration and by the exits of the table.
    pub(crate) fn destination(&self, address: &Address, config: &MemberConfig) -> Home {
        clause!(LS_213);
        let home = home(config, address);
        let is_lost = matches!(home, Home::Nobody(_)) && config.organization.is_foreign(address);
        if is_lost && self.link.has_exit_for(&config.link(), address.domain()) {
            clause!(CU_094);
            return Home::Foreign;
        }
        home
    }

    fn way_out(&self, queue: QueueId, domain: &str, config: &MemberConfig) -> WayOut {
        let (traits, lot) = subject(&self.spool.queue[&queue]);
        let lots = (lot, &self.work[&queue].turns);
        self.link.way_out(&config.link(), domain, &traits, lots)
    }

    /// The exit of our group that a recipient takes, the source whose turn it is, and how many it has; none where it
    /// is to go anywhere else.
    fn source_for(
        &self,
        queue: QueueId,
        index: u32,
        config: &MemberConfig,
    ) -> Option<(ExitName, MemberName, usize)> {
        let mut recipients = self.spool.queue[&queue].envelope.recipients.iter();
        let address = &recipients.find(|recipient| recipient.index == index)?.address;
        if !config.organization.is_foreign(address) {
            return None;
        }
        match self.way_out(queue, address.domain(), config) {
            WayOut::Source { exit, member, of } => Some((exit, member, of)),
            _ => None,
        }
    }

    /// An attempt to hand recipients to `peer` has failed: where it was its turn as the source of an exit, it is that
    /// of the next one. Whoever was in line for it from an earlier turn passes over nobody else.
    pub(crate) fn end_turn(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        peer: &MemberName,
        turn: &Turn<'_, '_>,
    ) {
        if self.is_to_submit(queue, turn.config) {
            return;
        }
        clause!(LS_217);
        let sources = indexes.iter().filter_map(|i| self.source_for(queue, *i, turn.config));
        let over: BTreeSet<ExitName> =
            sources.filter(|(_, member, _)| member == peer).map(|(exit, ..)| exit).collect();
        let work = self.work.get_mut(&queue).expect("a message in the queue has its work");
        over.into_iter().for_each(|exit| work.turns.advance(exit));
    }

    /// A member cannot be reached, or does not keep a connection: of what is in line for it as the source of an
    /// exit, the next attempt is for another source.
    pub(crate) fn pass_over(&mut self, peer: &MemberName, what: &str, turn: &mut Turn<'_, '_>) {
        let route = Route::Way(Way::Member(peer.clone()));
        let queues: Vec<QueueId> = self.lanes.get(&route).into_iter().flatten().copied().collect();
        for queue in queues {
            let mut recipients = self.in_line(queue, &route);
            recipients.retain(|index| {
                let source = self.source_for(queue, *index, turn.config);
                source.is_some_and(|(_, _, sources)| sources > 1)
            });
            if !recipients.is_empty() {
                let why = alloc::format!("{peer}, which has the exit, {what}");
                self.retry_later(queue, &recipients, Some(&route), &why, turn);
            }
        }
        self.drop_idle_wants(turn);
    }

    /// Where mail for a domain goes that the organization does not host.
    fn decide_outside(&self, queue: QueueId, domain: &str, config: &MemberConfig) -> Decision {
        let organization = &config.organization;
        let way_out = self.way_out(queue, domain, config);
        clause!(CU_096);
        match way_out {
            WayOut::Here(name) => {
                let group = organization.group_of(&config.member);
                let exit = group.and_then(|group| group.exit(&name));
                match exit.and_then(|exit| organization.way_out(exit)) {
                    Some(server) => Decision::Go(Route::Outside(String::from(server))),
                    None => Decision::wait(alloc::format!("the exit {name} is not known here yet")),
                }
            }
            WayOut::Source { member, .. } => Decision::Go(Route::Way(Way::Member(member))),
            WayOut::Towards(group, next) => towards(&group, next),
            WayOut::Infinite => Decision::Wait(Reason::NoExit(String::from(domain))),
            WayOut::Unknown(group, exit) => {
                Decision::wait(alloc::format!("nothing is known yet of {group}, which has {exit}"))
            }
            WayOut::None | WayOut::Barred if config.relays_to_frontends() => {
                clause!(CU_046);
                Decision::Go(Route::Frontends)
            }
            WayOut::None | WayOut::Barred => {
                clause!(LS_218);
                match &organization.smart_host {
                    Some(server) => Decision::Go(Route::Outside(server.clone())),
                    None => Decision::Wait(Reason::NoExit(String::from(domain))),
                }
            }
        }
    }
}

/// What to do with mail for another group.
fn towards(group: &GroupName, next: NextHop) -> Decision {
    match next {
        NextHop::Connector(connector) => Decision::Go(Route::Way(Way::Connector(connector))),
        NextHop::Member(member, _) => Decision::Go(Route::Way(Way::Member(member))),
        NextHop::Here | NextHop::Unknown | NextHop::Infinite => {
            Decision::Wait(Reason::NoWay(group.clone()))
        }
    }
}

/// What of a message chooses among connectors.
fn subject(message: &Message) -> (Traits, u64) {
    let Envelope { sender, priority, origin, .. } = &message.envelope;
    let lot = sha256(alloc::format!("{origin}").as_bytes());
    let lot = u64::from_be_bytes(lot.0[..8].try_into().expect("a digest has 32 octets"));
    (Traits::new(message.body.octets, *priority, sender.as_ref()), lot)
}

fn waiting(why: &str) -> Place {
    Place::Retry { failed: None, why: String::from(why) }
}
