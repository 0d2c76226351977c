//! Deliveries into accounts that are leased: their record is in the store that the members of the group share.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::deposit::word;
use super::shared::{JournalKey, SharedAnswer, SharedQuery};
use super::{Deposit, Said, Stage};
use crate::clause;
use crate::kernel::{Gate, Time};
use crate::protocol::member::{Answer, Errand, Member, Query, Turn};
use crate::protocol::queue::Recorded;
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
        deposit.stage = Stage::Recording;
        let (account, arrived) = (deposit.account.clone(), deposit.arrived);
        let Some(epoch) = self.tenancies.epoch(&account).cloned() else {
            return self.fence_off(key, turn);
        };
        let published = self.tenancies.take_published(&account);
        let (origin, index) = key.clone();
        let query = SharedQuery::Record { epoch, origin, index, recorded, arrived, published };
        let query = Query::Shared { account, query };
        if !self.ask(Errand::Record(key.clone()), (query, Gate::Now), turn) {
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
            answer => return self.put_off(key, answer, turn),
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
                self.give_back(BTreeSet::from([account]), turn);
                self.fence_off(key, turn);
            }
            SharedAnswer::Opened { .. } => unreachable!("nothing of that kind was asked"),
        }
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
