//! Deliveries into accounts that are leased: their record is in the store that the members of the group share.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::deposit::{PUBLISH_INTERVAL, word};
use super::shared::{JournalKey, SharedAnswer, SharedQuery};
use super::{Deposit, Said, Stage};
use crate::clause;
use crate::kernel::{Gate, Time};
use crate::protocol::member::{Answer, Errand, Event, Member, Query, Timer, Turn};
use crate::protocol::queue::{Change, Place, Recorded, Route};
use crate::protocol::submit::DOUBT_INTERVAL;
use crate::wire::ids::QueueId;
use crate::wire::message::{Address, Outcome, Refusal};

impl Member {
    /// What the journal of an account says of a recipient, wherever the journal is.
    pub(super) fn recorded_of(
        &self,
        account: &Address,
        key: &JournalKey,
        turn: &Turn<'_, '_>,
    ) -> Option<&Recorded> {
        if turn.config.is_leased_here(account) {
            return self.tenancies.journal(account)?.recorded(key);
        }
        self.recorded(&key.0, key.1, turn)
    }

    /// Mail has come for a leased account of which nobody is known to have it: this member can.
    pub(super) fn claim_unowned(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        if turn.config.is_leased_here(account) && self.ownership(account, turn.config).is_none() {
            clause!(DE_104);
            self.claim(BTreeSet::from([account.clone()]), false, turn);
        }
    }

    /// Has the store record what becomes of a delivery.
    pub(super) fn record_in_store(
        &mut self,
        key: &JournalKey,
        recorded: Recorded,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(DE_103);
        let deposit = self.deposits.get_mut(key).expect("the caller looked it up");
        (deposit.stage, deposit.asked) = (Stage::Recording, Some(recorded.clone()));
        let (account, arrived, queue) = (deposit.account.clone(), deposit.arrived, deposit.queue);
        let Some(epoch) = self.tenancies.epoch(&account).cloned() else {
            return self.fence_off(key, turn);
        };
        // From now on only the journal of the account can say what came of it, after a boot as well.
        let gate = match queue {
            Some(queue) => self.mark_own(queue, key.1, turn),
            None => Gate::Now,
        };
        let published = self.tenancies.take_published(&account);
        let (origin, index) = key.clone();
        let query = SharedQuery::Record { epoch, origin, index, recorded, arrived, published };
        let query = Query::Shared { account, query };
        if !self.ask(Errand::Record(key.clone()), (query, gate), turn) {
            if self.deposits[key].may_stand {
                return self.unheard(key, turn);
            }
            let refusal = Refusal::new(452, "4.3.2", "too many deliveries at once");
            self.put_off(key, Answer::Failed(refusal), turn);
        }
    }

    /// The store has recorded it, knows better, or has not done it.
    pub(crate) fn recorded_in_store(
        &mut self,
        key: &JournalKey,
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(deposit) = self.deposits.get(key) else { return };
        let (digest, account) = (deposit.digest, deposit.account.clone());
        let answer = match answer {
            Answer::Shared(answer) => *answer,
            answer if turn.fault("no-record-is-a-refusal") => {
                return self.put_off(key, answer, turn);
            }
            _ => return self.unheard(key, turn),
        };
        match answer {
            SharedAnswer::Recorded(recorded) => self.stands_in_store(key, recorded, turn),
            SharedAnswer::Known(known) if *known.digest() == digest => {
                self.stands_in_store(key, known, turn);
            }
            SharedAnswer::Known(_) => {
                clause!(DE_027);
                let text = "this id was delivered with another content";
                let refusal = Refusal::new(554, "5.7.0", text);
                self.settle_leased(key, &Outcome::Refused(refusal), turn);
            }
            SharedAnswer::Outbid(_) => {
                let may_stand = deposit.may_stand;
                self.give_back(BTreeSet::from([account]), turn);
                if may_stand {
                    return self.leave_to_the_journal(key, turn);
                }
                self.fence_off(key, turn);
            }
            SharedAnswer::Opened { .. } => unreachable!("nothing of that kind was asked"),
        }
    }

    /// A message of ours is in doubt with this member itself while the store is asked to record a delivery of it.
    fn mark_own(&mut self, queue: QueueId, index: u32, turn: &mut Turn<'_, '_>) -> Gate {
        clause!(DE_108);
        let message = self.spool.queue.get(&queue).filter(|message| message.has(index));
        if message.is_some_and(|message| message.meant_for(index).is_none()) {
            let (host, recipients) = (turn.config.member.clone(), Vec::from([index]));
            let epochs = self.epochs_of(queue, &recipients, turn.config);
            self.store_change(Change::Delivering { queue, host, recipients, epochs }, turn);
        }
        Gate::Durable
    }

    /// The store has not recorded it, or what it has recorded is a refusal for now: nothing is in doubt.
    pub(super) fn unmark_own(&mut self, queue: QueueId, index: u32, turn: &mut Turn<'_, '_>) {
        let host = turn.config.member.clone();
        let meant = self.spool.queue.get(&queue).and_then(|message| message.meant_for(index));
        if meant.is_some_and(|meant| meant.member == host) {
            let recipients = Vec::from([index]);
            self.store_change(Change::Undelivered { queue, host, recipients }, turn);
        }
    }

    /// The store has not said whether it has recorded it: neither yes nor no would be true.
    fn unheard(&mut self, key: &JournalKey, turn: &mut Turn<'_, '_>) {
        clause!(DE_108);
        let deposit = self.deposits.get_mut(key).expect("the caller looked it up");
        (deposit.stage, deposit.may_stand) = (Stage::Unheard, true);
        if self.is_fenced(key, turn) {
            return self.leave_to_the_journal(key, turn);
        }
        turn.arm(Timer::Publish, PUBLISH_INTERVAL);
    }

    /// Asks the store again for what it has not answered, as long as this member has the account.
    pub(super) fn ask_the_store_again(&mut self, turn: &mut Turn<'_, '_>) {
        let unheard = self.deposits.iter().filter(|(_, d)| d.stage == Stage::Unheard);
        let unheard: Vec<_> = unheard.map(|(key, d)| (key.clone(), d.asked.clone())).collect();
        for (key, asked) in unheard {
            if self.is_fenced(&key, turn) {
                self.leave_to_the_journal(&key, turn);
                continue;
            }
            let recorded = asked.expect("it was asked to record something");
            self.record_in_store(&key, recorded, turn);
        }
    }

    /// This member has lost the account, and does not know whether the store has recorded a delivery: who has the
    /// account now can say it. Whoever waits here is in doubt, and asks there.
    fn leave_to_the_journal(&mut self, key: &JournalKey, turn: &mut Turn<'_, '_>) {
        clause!(DE_108);
        let deposit = self.deposits.remove(key).expect("the caller looked it up");
        turn.tell(Event::Fenced { origin: key.0.clone(), index: key.1 });
        for asker in deposit.askers {
            self.hang_up(asker, turn);
        }
        // It may be this member that has the account again.
        self.redo_leased(&deposit.account, turn);
        let Some(queue) = deposit.queue else { return self.release_body(deposit.body, turn) };
        if self.spool.queue.get(&queue).is_some_and(|message| message.has(key.1)) {
            let own = turn.config.member.clone();
            self.doubt_delivery(queue, &[key.1], &own, turn);
            self.ask_where_it_is(queue, None, turn);
            turn.arm(Timer::Doubt(own), DOUBT_INTERVAL);
        }
    }

    /// What is in doubt with this member itself: it is settled when the account is open here, or goes to the member
    /// that has it.
    pub(super) fn settle_own_doubts(&mut self, turn: &mut Turn<'_, '_>) {
        clause!(DE_108);
        let own = turn.config.member.clone();
        self.ask_for_owners(&own, turn);
        let queues = self.inquiries.remove(&own).unwrap_or_default();
        let is_it = |place: &Place| matches!(place, Place::Doubt(with) if *with == own);
        let open = queues.into_iter().filter(|queue| !self.standing(*queue, is_it).is_empty());
        let open: BTreeSet<QueueId> = open.collect();
        if !open.is_empty() {
            self.inquiries.insert(own.clone(), open);
            turn.arm(Timer::Doubt(own), DOUBT_INTERVAL);
        }
    }

    /// The journal has a delivery whose file is not in its place yet: our message waits for that. Whether it does.
    pub(super) fn waits_for_its_place(
        &mut self,
        key: &JournalKey,
        queue: QueueId,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let Some(deposit) = self.deposits.get_mut(key).filter(|deposit| deposit.leased) else {
            return false;
        };
        clause!(DE_106);
        if matches!(deposit.stage, Stage::Publishing | Stage::Stuck) {
            deposit.queue = Some(queue);
            self.put(queue, key.1, Place::Underway(Route::Local));
        } else {
            turn.arm(Timer::Doubt(turn.config.member.clone()), DOUBT_INTERVAL);
        }
        true
    }

    /// This stands in the journal of the store. What is recorded there happens, whoever has the account now.
    fn stands_in_store(&mut self, key: &JournalKey, recorded: Recorded, turn: &mut Turn<'_, '_>) {
        let deposit = self.deposits.get_mut(key).expect("the caller looked it up");
        let (account, arrived) = (deposit.account.clone(), deposit.arrived);
        if let Some(journal) = self.tenancies.journal_mut(&account) {
            journal.lines.insert(key.clone(), (recorded.clone(), arrived));
        }
        match recorded {
            Recorded::Delivered { name, folder, published: false, .. } => {
                (deposit.name, deposit.folder, deposit.stage) = (name, folder, Stage::Publishing);
                let (queue, body) = (deposit.queue, deposit.body);
                if queue.is_none() {
                    self.release_body(body, turn);
                }
                self.publish(key, turn);
            }
            settled => self.settle_leased(key, &word(&settled), turn),
        }
    }

    /// The file of a leased account is in its place.
    pub(super) fn published_leased(&mut self, key: &JournalKey, turn: &mut Turn<'_, '_>) {
        let account = self.deposits[key].account.clone();
        self.tenancies.note_published(&account, key);
        self.settle_leased(key, &Outcome::Delivered, turn);
    }

    /// The result is durable: everybody who waits is told.
    fn settle_leased(&mut self, key: &JournalKey, outcome: &Outcome, turn: &mut Turn<'_, '_>) {
        let deposit = self.deposits.remove(key).expect("the caller looked it up");
        let is_read = matches!(deposit.stage, Stage::Recording);
        match deposit.queue {
            Some(queue) if self.spool.queue.get(&queue).is_some_and(|m| m.has(key.1)) => {
                self.own_settled(queue, key.1, outcome.clone(), turn);
            }
            None if is_read => self.release_body(deposit.body, turn),
            _ => {}
        }
        for asker in deposit.askers {
            self.answer(asker, key, Said::Outcome(outcome.clone()), turn);
        }
    }

    /// Finishes what the store has recorded for an account that was just opened.
    pub(crate) fn redo_leased(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        clause!(DE_106);
        let Some(journal) = self.tenancies.journal(account) else { return };
        let open = journal.lines.iter().filter(|(_, (recorded, _))| !recorded.is_settled());
        let open: Vec<_> =
            open.map(|(key, (recorded, _))| (key.clone(), recorded.clone())).collect();
        for (key, recorded) in open {
            let Recorded::Delivered { digest, name, folder, .. } = recorded else { continue };
            if self.deposits.contains_key(&key) {
                continue;
            }
            let mut deposit = Deposit::to_be_published((digest, account.clone()), (name, folder));
            deposit.leased = true;
            self.deposits.insert(key.clone(), deposit);
            self.publish(&key, turn);
        }
    }

    /// Drops what the journals of leased accounts need not have any more, here and in the store.
    pub(super) fn forget_leased(&mut self, until: Time, turn: &mut Turn<'_, '_>) {
        for account in self.tenancies.open_accounts() {
            if let Some(journal) = self.tenancies.journal_mut(&account) {
                journal.forget(until);
            }
            self.show_the_store(&account, turn);
        }
    }
}
