//! How leases of accounts live inside a member: what it has of its master, and what it leases to others
//! while it is the master itself.

mod owners;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

pub use owners::{OwnerReport, OwnerSource};

use super::{Answer, Endpoint, Errand, Event, Line, Member, MemberConfig, Pdu, Query, Timer, Turn};
use crate::clause;
use crate::kernel::{Cx, Effect, Gate, Input, LinkChange, Machine};
use crate::protocol::deliver::shared::{SharedAnswer, SharedJournal, SharedQuery};
use crate::protocol::master::accounts::{
    AccountsConfig, Granter, GranterCommand, Holder, HolderCommand, HolderEvent,
};
use crate::protocol::master::election::ElectionEvent;
use crate::protocol::master::members::ACCOUNT_LEASES;
use crate::protocol::queue::{Decision, Place};
use crate::wire::accounts::{AccountsPdu, LeaseEpoch};
use crate::wire::deliver::Ownership;
use crate::wire::ids::{ConnectionId, Epoch, MemberName, OriginId, QueueId};
use crate::wire::message::Address;
use crate::wire::record::Term;

/// The leased accounts of the member's group, as this member sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tenancies {
    /// Nothing where the group leases no accounts.
    running: Option<Leasing>,
    /// The accounts that this member has by lease.
    held: BTreeMap<Address, Tenancy>,
    /// Mail in the queue that waits until somebody has its account.
    waiting: BTreeMap<Address, BTreeSet<(QueueId, u32)>>,
    /// What others have asked about accounts before it was known who has them.
    asked: BTreeMap<Address, Vec<Inquiry>>,
    /// The openings under which this member had accounts last: who has one now has a greater one.
    spent: BTreeMap<Address, Epoch>,
    /// What an operator wants given back.
    leaving: BTreeSet<Address>,
    /// The term of the master that is obeyed, and whether this member is that one now.
    mastership: Option<(Term, bool)>,
}

/// The machines, and as what they were configured last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leasing {
    config: AccountsConfig,
    granter: Granter,
    holder: Holder,
}

/// An account that this member has by lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tenancy {
    epoch: LeaseEpoch,
    /// Once the store has seen the epoch: the number of the opening, and what the store has.
    opened: Option<(Epoch, SharedJournal)>,
    /// What has come to its place, and the store has not been told.
    published: Vec<(OriginId, u32)>,
}

/// A question of another member about one recipient, for which an answer is owed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Inquiry {
    pub(crate) connection: ConnectionId,
    pub(crate) origin: OriginId,
    pub(crate) index: u32,
    pub(crate) address: Address,
    pub(crate) epoch: Epoch,
    pub(crate) arrived: Option<crate::kernel::Time>,
}

impl MemberConfig {
    /// The leases of this member's group, where it leases accounts.
    fn leases(&self) -> Option<AccountsConfig> {
        let group = self.organization.group_of(&self.member)?;
        let (settings, election) = (group.accounts.as_ref()?, group.election.as_ref()?);
        let leased = self.organization.accounts.iter();
        let leased = leased.filter(|account| account.group.as_ref() == Some(&group.name));
        Some(AccountsConfig {
            accounts: leased.map(|account| account.address.clone()).collect(),
            members: group.members.iter().cloned().collect(),
            member: self.member.clone(),
            account_lease_s: settings.account_lease_s,
            drift_ppm: election.clock_drift_ppm,
            faults: self.faults.clone(),
        })
    }

    /// Whether this member, as the master, would lease accounts to `member`.
    pub(crate) fn leases_to(&self, member: &MemberName) -> bool {
        let group = self.organization.group_of(&self.member);
        group.is_some_and(|group| group.accounts.is_some() && group.members.contains(member))
    }

    /// Whether an account is leased to whoever of this member's group wants it.
    pub(crate) fn is_leased_here(&self, account: &Address) -> bool {
        let group = self.organization.group_of(&self.member);
        let filed = self.organization.account(account);
        filed
            .and_then(|filed| filed.group.as_ref())
            .is_some_and(|name| group.is_some_and(|group| group.name == *name))
    }
}

impl Tenancies {
    /// Whether this member has the account, and its store knows.
    pub(crate) fn is_open(&self, account: &Address) -> bool {
        self.opening(account).is_some()
    }

    /// The number under which this member has the account open.
    pub(crate) fn opening(&self, account: &Address) -> Option<Epoch> {
        Some(self.held.get(account)?.opened.as_ref()?.0)
    }

    /// The epoch under which this member has the account.
    pub(crate) fn epoch(&self, account: &Address) -> Option<&LeaseEpoch> {
        self.held.get(account).map(|tenancy| &tenancy.epoch)
    }

    /// What the store has of an account that is open here.
    pub(crate) fn journal(&self, account: &Address) -> Option<&SharedJournal> {
        self.held.get(account)?.opened.as_ref().map(|(_, journal)| journal)
    }

    /// The accounts that are open here.
    pub(crate) fn open_accounts(&self) -> Vec<Address> {
        self.held.keys().filter(|account| self.is_open(account)).cloned().collect()
    }

    /// The files of deliveries that have come to their places since the store was told.
    pub(crate) fn take_published(&mut self, account: &Address) -> Vec<(OriginId, u32)> {
        let tenancy = self.held.get_mut(account);
        tenancy.map(|tenancy| core::mem::take(&mut tenancy.published)).unwrap_or_default()
    }

    /// The file of a delivery has come to its place; the store learns of it with the next record.
    pub(crate) fn note_published(&mut self, account: &Address, key: &(OriginId, u32)) {
        let Some(tenancy) = self.held.get_mut(account) else { return };
        tenancy.published.push(key.clone());
        if let Some((_, journal)) = &mut tenancy.opened {
            journal.publish(key);
        }
    }

    /// The same, to note what was recorded.
    pub(crate) fn journal_mut(&mut self, account: &Address) -> Option<&mut SharedJournal> {
        self.held.get_mut(account)?.opened.as_mut().map(|(_, journal)| journal)
    }
}

impl Member {
    /// The accounts that this member has by lease.
    pub fn tenancies(&self) -> impl Iterator<Item = (&Address, &LeaseEpoch)> {
        self.tenancies.held.iter().map(|(account, tenancy)| (account, &tenancy.epoch))
    }

    /// Takes over which accounts the group leases: at the boot, and whenever the configuration changes.
    pub(crate) fn adopt_leases(&mut self, turn: &mut Turn<'_, '_>) {
        let config = turn.config.leases();
        match (&mut self.tenancies.running, config) {
            (None, None) => {}
            (None, Some(config)) => {
                let mut effects = Vec::new();
                let cx = &mut *turn.cx;
                let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
                let holder = Holder::boot(&config, &(), &mut inner);
                assert!(effects.is_empty(), "it does nothing before it is told whom to ask");
                let mut none = Vec::new();
                let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut none };
                let granter = Granter::boot(&config, &(), &mut inner);
                self.tenancies.running = Some(Leasing { config, granter, holder });
                self.tell_granter(turn);
                self.follow_landlord(turn);
            }
            (Some(leasing), Some(config)) if leasing.config != config => {
                // What it has is given back by the configuration under which it was leased.
                let all = leasing.config.accounts.clone();
                self.give_back(all, turn);
                if let Some(leasing) = &mut self.tenancies.running {
                    leasing.config = config;
                }
                self.step_holder(Input::Configuration, turn);
                self.step_granter(Input::Configuration, None, turn);
            }
            (Some(_), Some(_)) => {}
            (Some(leasing), None) => {
                let all = leasing.config.accounts.clone();
                self.give_back(all, turn);
                self.tenancies.running = None;
                let lines = self.lines.iter().filter(|(_, line)| matches!(line, Line::Tenancy(_)));
                for connection in lines.map(|(connection, _)| *connection).collect::<Vec<_>>() {
                    self.lines.remove(&connection);
                    turn.cx.close(connection);
                }
            }
        }
    }

    /// The election of the own group has told something.
    pub(crate) fn heed_mastership(&mut self, event: &ElectionEvent, turn: &mut Turn<'_, '_>) {
        self.tenancies.mastership = match event {
            ElectionEvent::Leads(term) => Some((term.clone(), true)),
            ElectionEvent::Follows(term) => Some((term.clone(), false)),
            ElectionEvent::Ceased { .. } => {
                self.tenancies.mastership.take().map(|(term, _)| (term, false))
            }
            ElectionEvent::Misbehaved { .. } => return,
        };
        self.tell_granter(turn);
        self.follow_landlord(turn);
    }

    fn tell_granter(&mut self, turn: &mut Turn<'_, '_>) {
        let own = &turn.config.member;
        let command = match self.tenancies.mastership.clone() {
            Some((term, true)) => GranterCommand::Lead(term),
            Some((term, false)) if term.member == *own => GranterCommand::Cease,
            Some((term, false)) => GranterCommand::Follow(term),
            None => return,
        };
        self.step_granter(Input::Command(command), None, turn);
    }

    /// Asks the master from now on, if it understands what is asked: by the list that is known now.
    pub(crate) fn follow_landlord(&mut self, turn: &mut Turn<'_, '_>) {
        let Some((term, _)) = self.tenancies.mastership.clone() else { return };
        clause!(MA_104);
        let listed = self.membership.listed(&term.member);
        let features = listed.and_then(|listed| listed.spoken.as_ref()).map(|s| &s.features);
        let understands = term.member == turn.config.member
            || turn.fault("asks-any-master")
            || features.is_some_and(|all| all.iter().any(|name| name.as_str() == ACCOUNT_LEASES));
        if understands {
            self.step_holder(Input::Command(HolderCommand::Follow(term)), turn);
        }
    }

    fn step_holder(&mut self, input: Input<Holder>, turn: &mut Turn<'_, '_>) {
        let Some(Leasing { config, holder, .. }) = &mut self.tenancies.running else { return };
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        holder.step(config, input, &mut inner);
        for effect in effects {
            self.do_for_holder(effect, turn);
        }
    }

    /// What the holder wants done. The master may be this member itself: then nothing is sent.
    fn do_for_holder(&mut self, effect: Effect<Holder>, turn: &mut Turn<'_, '_>) {
        let own = turn.config.member.clone();
        match effect {
            Effect::Open { peer, .. } if peer == own => {
                self.step_holder(Input::Link { peer, change: LinkChange::Up }, turn);
            }
            Effect::Open { endpoint, .. } => {
                let connection = self.allot();
                self.lines.insert(connection, Line::Tenancy(endpoint.clone()));
                turn.cx.open(connection, Endpoint::Tenant(endpoint));
            }
            Effect::Close { peer } => {
                if let Some(connection) = self.line_to_landlord(&peer) {
                    self.lines.remove(&connection);
                    turn.cx.close(connection);
                }
            }
            Effect::Send { to, pdu, .. } if to == own => {
                self.step_granter(Input::Pdu { from: own, pdu }, None, turn);
            }
            Effect::Send { to, pdu, gate } => {
                if let Some(to) = self.line_to_landlord(&to) {
                    let pdu = Pdu::Accounts { by: own, pdu };
                    turn.cx.out.push(Effect::Send { to, pdu, gate });
                }
            }
            Effect::Arm { timer, within } => {
                turn.cx.out.push(Effect::Arm { timer: Timer::Holder(timer), within });
            }
            Effect::Disarm(timer) => turn.disarm(Timer::Holder(timer)),
            Effect::Event(event) => self.tenancy_told(event, turn),
            Effect::Store(()) | Effect::Ask { .. } => unreachable!("it stores and asks nothing"),
        }
    }

    fn step_granter(
        &mut self,
        input: Input<Granter>,
        tenant: Option<ConnectionId>,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(Leasing { config, granter, .. }) = &mut self.tenancies.running else { return };
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        granter.step(config, input, &mut inner);
        let own = turn.config.member.clone();
        for effect in effects {
            match effect {
                Effect::Send { to, pdu, .. } if to == own => {
                    self.step_holder(Input::Pdu { from: own.clone(), pdu }, turn);
                }
                // It speaks only to answer, on the connection on which it was asked.
                Effect::Send { pdu, gate, .. } => {
                    if let Some(to) = tenant {
                        let pdu = Pdu::Accounts { by: own.clone(), pdu };
                        turn.cx.out.push(Effect::Send { to, pdu, gate });
                    }
                }
                Effect::Close { .. } => {
                    if let Some(tenant) = tenant {
                        turn.cx.close(tenant);
                    }
                }
                Effect::Arm { timer, within } => {
                    turn.cx.out.push(Effect::Arm { timer: Timer::Granter(timer), within });
                }
                Effect::Disarm(timer) => turn.disarm(Timer::Granter(timer)),
                Effect::Event(event) => turn.tell(Event::Granter(event)),
                Effect::Open { .. } | Effect::Store(()) | Effect::Ask { .. } => {
                    unreachable!("it opens, stores and asks nothing")
                }
            }
        }
    }

    /// A timer of the leases is due.
    pub(crate) fn lease_due(&mut self, timer: Timer, turn: &mut Turn<'_, '_>) {
        match timer {
            Timer::Granter(timer) => self.step_granter(Input::Timer(timer), None, turn),
            Timer::Holder(timer) => self.step_holder(Input::Timer(timer), turn),
            _ => unreachable!("the caller takes the others"),
        }
    }

    /// Our connection to the master, for what it leases.
    fn line_to_landlord(&self, member: &MemberName) -> Option<ConnectionId> {
        let is_it = |line: &Line| matches!(line, Line::Tenancy(to) if to == member);
        self.lines.iter().find(|(_, line)| is_it(line)).map(|(connection, _)| *connection)
    }

    /// The master says something of accounts, on a connection of ours.
    pub(crate) fn landlord_says(
        &mut self,
        from: MemberName,
        pdu: AccountsPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        self.step_holder(Input::Pdu { from, pdu }, turn);
    }

    /// A connection of ours to the master has changed.
    pub(crate) fn landlord_changed(
        &mut self,
        peer: MemberName,
        change: LinkChange,
        turn: &mut Turn<'_, '_>,
    ) {
        self.step_holder(Input::Link { peer, change }, turn);
    }

    /// A member asks this one, as its master, on a connection of its own.
    pub(crate) fn tenant_says(
        &mut self,
        connection: ConnectionId,
        from: MemberName,
        pdu: AccountsPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        if self.tenancies.running.is_none() {
            clause!(MA_097);
            let problem = format!("{from} asks for accounts, and none is leased here");
            turn.tell(Event::Misbehaved { connection, problem });
            return turn.cx.close(connection);
        }
        self.step_granter(Input::Pdu { from, pdu }, Some(connection), turn);
    }

    /// What the holder tells: this member has an account, or has it no more, or another one has it.
    fn tenancy_told(&mut self, event: HolderEvent, turn: &mut Turn<'_, '_>) {
        turn.tell(Event::Tenancy(event.clone()));
        match event {
            HolderEvent::Opened { account, epoch } => {
                let tenancy = Tenancy { epoch, opened: None, published: Vec::new() };
                self.tenancies.held.insert(account.clone(), tenancy);
                self.beliefs.remove(&account);
                self.show_the_store(&account, turn);
            }
            HolderEvent::Closed { account, .. } => {
                self.tenancies.leaving.remove(&account);
                if let Some(Tenancy { opened: Some((opening, _)), .. }) =
                    self.tenancies.held.remove(&account)
                {
                    self.tenancies.spent.insert(account, opening);
                }
            }
            HolderEvent::Refused { account, owner } => {
                clause!(DE_105);
                let is_known = self.beliefs.get(&account).is_some_and(|b| b.member == owner);
                if !is_known {
                    let before = self.beliefs.get(&account).map(|belief| belief.epoch);
                    let spent = self.tenancies.spent.get(&account).copied();
                    let own = spent.max(self.greatest_marked(&account, turn.config));
                    let epoch = before.max(own).map_or(Epoch::FIRST, |last| Epoch(last.0 + 1));
                    self.beliefs.insert(account.clone(), Ownership { member: owner, epoch });
                }
                self.owner_is_known(&account, turn);
            }
            HolderEvent::Misbehaved { .. } => {}
        }
    }

    /// Has the store see the epoch under which this member has an account.
    pub(crate) fn show_the_store(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        let Some(epoch) = self.tenancies.epoch(account).cloned() else { return };
        clause!(DE_100);
        let member = turn.config.member.clone();
        let until = self.journal_is_kept_from(turn);
        let query = SharedQuery::Open { epoch: epoch.clone(), member, until };
        let query = Query::Shared { account: account.clone(), query };
        if !self.ask(Errand::Tenancy(account.clone(), epoch), (query, Gate::Now), turn) {
            self.give_back(BTreeSet::from([account.clone()]), turn);
        }
    }

    /// The store has seen the epoch, or has not.
    pub(crate) fn store_was_shown(
        &mut self,
        (account, epoch): (Address, LeaseEpoch),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(tenancy) = self.tenancies.held.get_mut(&account) else { return };
        if tenancy.epoch != epoch {
            return;
        }
        let answer = if let Answer::Shared(answer) = answer { Some(*answer) } else { None };
        match answer {
            Some(SharedAnswer::Opened { opening, journal }) => {
                if tenancy.opened.is_some() {
                    // It was asked again to drop what is old.
                    return;
                }
                tenancy.opened = Some((opening, SharedJournal::of(journal)));
                turn.tell(Event::AccountOpened { account: account.clone(), epoch: opening });
                self.redo_leased(&account, turn);
                for host in self.readdress_all(turn) {
                    self.reach_host(&host, turn);
                }
                self.owner_is_known(&account, turn);
            }
            // Another one has it by now, or the store cannot be used here: others may fare better.
            _ => self.give_back(BTreeSet::from([account]), turn),
        }
    }

    /// Somebody has the account: its mail goes there, and who has asked is answered.
    fn owner_is_known(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        for host in self.readdress_all(turn) {
            self.reach_host(&host, turn);
        }
        for inquiry in self.tenancies.asked.remove(account).unwrap_or_default() {
            self.answer_inquiry(inquiry, turn);
        }
        let waiting = self.tenancies.waiting.remove(account).unwrap_or_default();
        for (queue, index) in waiting {
            let work = self.work.get(&queue);
            let place = work.and_then(|work| work.places.get(&index));
            let Some(Place::Retry { failed, .. }) = place else { continue };
            let again = |decision| matches!(decision, Decision::Go(route) if Some(&route) == failed.as_ref());
            // Where it has just failed it is not tried again before its time.
            if !again(self.decide(queue, index, turn.config)) {
                self.route(queue, &[index], turn);
            }
        }
    }

    /// Mail in the queue waits until somebody has its account.
    pub(crate) fn wait_for_owner(&mut self, account: &Address, queue: QueueId, index: u32) {
        self.tenancies.waiting.entry(account.clone()).or_default().insert((queue, index));
    }

    /// Somebody asks about an account of which nobody knows who has it.
    pub(crate) fn owe_inquiry(
        &mut self,
        account: Address,
        inquiry: Inquiry,
        turn: &mut Turn<'_, '_>,
    ) {
        self.tenancies.asked.entry(account.clone()).or_default().push(inquiry);
        self.claim(BTreeSet::from([account]), true, turn);
    }

    /// A connection is gone: nobody waits there for answers any more.
    pub(crate) fn forget_inquiries(&mut self, connection: ConnectionId) {
        self.tenancies.asked.retain(|_, inquiries| {
            inquiries.retain(|inquiry| inquiry.connection != connection);
            !inquiries.is_empty()
        });
    }

    /// Asks the master for accounts. Who drains wants only those about which somebody is in doubt.
    pub(crate) fn claim(
        &mut self,
        accounts: BTreeSet<Address>,
        is_in_doubt: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(MA_103);
        if accounts.is_empty() || (self.spool.draining && !is_in_doubt) {
            return;
        }
        self.step_holder(Input::Command(HolderCommand::Claim(accounts)), turn);
    }

    /// Gives accounts back, or wants them no more.
    pub(crate) fn give_back(&mut self, accounts: BTreeSet<Address>, turn: &mut Turn<'_, '_>) {
        self.step_holder(Input::Command(HolderCommand::GiveBack(accounts)), turn);
    }

    /// A delivery to the host of these has failed, or is in doubt: somebody else may have them by now.
    pub(crate) fn ask_for_owner(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        is_in_doubt: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        if self.tenancies.running.is_none() {
            return;
        }
        let mut leased = BTreeSet::new();
        for index in indexes {
            let account = self.account_of(queue, *index, turn.config);
            let Some(account) = account.filter(|account| turn.config.is_leased_here(account))
            else {
                continue;
            };
            self.wait_for_owner(&account, queue, *index);
            leased.insert(account);
        }
        self.claim(leased, is_in_doubt, turn);
    }

    /// What is in doubt with this host may be another one's to tell by now.
    pub(crate) fn ask_for_owners(&mut self, host: &MemberName, turn: &mut Turn<'_, '_>) {
        let queues = self.inquiries.get(host).cloned().unwrap_or_default();
        for queue in queues {
            let is_it = |place: &Place| matches!(place, Place::Doubt(with) if with == host);
            let doubtful = self.standing(queue, is_it);
            self.ask_for_owner(queue, &doubtful, true, turn);
        }
    }

    /// The greatest opening under which mail of the queue may have been delivered into an account.
    fn greatest_marked(&self, account: &Address, config: &MemberConfig) -> Option<Epoch> {
        let marked = self.spool.queue.iter().flat_map(|(queue, message)| {
            let indexes = message.deliveries.values().flatten();
            indexes.filter_map(|index| Some((*queue, *index, message.meant_for(*index)?.epoch)))
        });
        let its = marked.filter(|(queue, index, _)| {
            self.account_of(*queue, *index, config).as_ref() == Some(account)
        });
        its.map(|(.., epoch)| epoch).max()
    }

    /// Who drains, or is ordered to, gives back what nothing is under way for.
    pub(crate) fn vacate(&mut self, turn: &mut Turn<'_, '_>) {
        let drains = self.spool.draining && !turn.fault("drains-and-keeps");
        let Tenancies { held, leaving, .. } = &self.tenancies;
        if held.is_empty() || (!drains && leaving.is_empty()) {
            return;
        }
        clause!(MA_103);
        clause!(MA_105);
        let goes = |account: &&Address| drains || leaving.contains(*account);
        let mut idle: BTreeSet<_> = held.keys().filter(goes).cloned().collect();
        for deposit in self.deposits.values() {
            idle.remove(&deposit.account);
        }
        // What was claimed for the sake of a doubt is opened first.
        let leaving = &self.tenancies.leaving;
        idle.retain(|account| self.tenancies.is_open(account) || leaving.contains(account));
        if !idle.is_empty() {
            self.give_back(idle, turn);
        }
    }
}
