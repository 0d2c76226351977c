//! What a member does about the accounts that it has, wants, or knows another one to have.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Inquiry, Tenancies, Tenancy};
use crate::clause;
use crate::kernel::{Gate, Input};
use crate::protocol::deliver::shared::{SharedAnswer, SharedJournal, SharedQuery};
use crate::protocol::master::accounts::{HolderCommand, HolderEvent};
use crate::protocol::member::{Answer, Errand, Event, Member, MemberConfig, Parcel, Query, Turn};
use crate::wire::accounts::LeaseEpoch;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{ConnectionId, Epoch};
use crate::wire::message::Address;

impl Member {
    /// What the holder tells: this member has an account, or has it no more, or another one has it.
    pub(super) fn tenancy_told(&mut self, event: HolderEvent, turn: &mut Turn<'_, '_>) {
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
                    self.tenancies.spent.insert(account.clone(), opening);
                }
                self.take_postponed(&account, turn);
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
                self.take_postponed(&account, turn);
                self.redo_leased(&account, turn);
                for host in self.readdress_all(turn) {
                    self.reach_host(&host, turn);
                }
                self.owner_is_known(&account, turn);
            }
            // It was asked again to drop what is old, and will be with the next day.
            None if tenancy.opened.is_some() => {}
            // Another one has it by now, or the store cannot be used here: others may fare better.
            _ => {
                self.leave_to_others(&account, turn);
                self.give_back(BTreeSet::from([account]), turn);
            }
        }
    }

    /// A delivery has come for an account that this member has and whose store has not yet seen it: it waits for that.
    pub(crate) fn postpone(
        &mut self,
        connection: ConnectionId,
        parcel: Parcel,
        config: &MemberConfig,
    ) -> Option<Parcel> {
        let opening = parcel.envelope.recipients.iter().find_map(|recipient| {
            let account = &config.organization.account(&recipient.address)?.address;
            let is_held = self.tenancies.epoch(account).is_some();
            (is_held && !self.tenancies.is_open(account)).then(|| account.clone())
        });
        let Some(account) = opening else { return Some(parcel) };
        self.tenancies.postponed.entry(account).or_default().push((connection, parcel));
        None
    }

    fn take_postponed(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        for (connection, parcel) in self.tenancies.postponed.remove(account).unwrap_or_default() {
            if self.lines.contains_key(&connection) {
                self.take_delivery(connection, parcel, turn);
            } else {
                self.release_body(parcel.body, turn);
            }
        }
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
        let mut accounts = accounts;
        accounts.retain(|account| !self.tenancies.left_to_others.contains(account));
        if accounts.is_empty() || (self.spool.draining && !is_in_doubt) {
            return;
        }
        self.step_holder(Input::Command(HolderCommand::Claim(accounts)), turn);
    }

    /// Wants accounts no more. What nothing is under way for is given back.
    pub(crate) fn give_back(&mut self, accounts: BTreeSet<Address>, turn: &mut Turn<'_, '_>) {
        clause!(MA_067);
        let busy = self.busy_accounts();
        let (left, idle) = accounts.into_iter().partition(|account| busy.contains(account));
        self.step_holder(Input::Command(HolderCommand::Leave(left)), turn);
        self.step_holder(Input::Command(HolderCommand::GiveBack(idle)), turn);
    }

    /// The accounts into which deliveries are under way.
    pub(super) fn busy_accounts(&self) -> BTreeSet<Address> {
        let leased = self.deposits.values().filter(|deposit| deposit.leased);
        leased.map(|deposit| deposit.account.clone()).collect()
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
        let busy = self.busy_accounts();
        idle.retain(|account| !busy.contains(account));
        // What was claimed for the sake of a doubt is opened first.
        let leaving = &self.tenancies.leaving;
        idle.retain(|account| self.tenancies.is_open(account) || leaving.contains(account));
        if !idle.is_empty() {
            self.give_back(idle, turn);
        }
    }
}
