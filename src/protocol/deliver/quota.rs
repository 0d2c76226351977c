//! Room in an account: what its files have, what is on its way, and what may still come.
//!
//! The host of the files counts them, and deliveries go on meanwhile. So one delivery into an account is
//! weighed at a time, and the question names the files that are being written just then: those are
//! counted here, by what became of them when the answer comes.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Deposit, Stage};
use crate::clause;
use crate::kernel::Gate;
use crate::protocol::member::{Answer, Errand, Member, Query, Turn};
use crate::protocol::organization::{Account, Room};
use crate::protocol::queue::Recorded;
use crate::protocol::session::lines_of_file;
use crate::wire::ids::OriginId;
use crate::wire::message::{Address, Refusal};

/// The deliveries into an account that were being made when its room was asked for, with their octets.
pub(crate) type Underway = Vec<((OriginId, u32), u64)>;

impl Member {
    /// Has the file of a delivery written, as soon as it is known that the account has room. Whether it is
    /// on its way.
    pub(super) fn write_or_weigh(
        &mut self,
        key: &(OriginId, u32),
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let deposit = self.deposits.get_mut(key).expect("the caller looked it up");
        deposit.octets = deposit.held_back.as_ref().map_or(0, octets_of_file);
        let filed = turn.config.organization.account(&deposit.account);
        if !filed.is_some_and(Account::has_quota) || turn.fault("quota-not-checked") {
            return self.write(key, turn);
        }
        deposit.stage = Stage::InLine;
        let account = deposit.account.clone();
        let mut deposits = self.deposits.values();
        let is_weighed = deposits.any(|d| d.account == account && d.stage == Stage::Weighing);
        is_weighed || self.weigh(key, turn)
    }

    /// Has the file of a delivery written.
    fn write(&mut self, key: &(OriginId, u32), turn: &mut Turn<'_, '_>) -> bool {
        let deposit = self.deposits.get_mut(key).expect("the caller looked it up");
        deposit.stage = Stage::Depositing;
        let query = deposit.held_back.take().expect("what waits for room is to be written");
        // The body of a message of ours is in the same transaction as the message.
        let gate = if deposit.queue.is_some() { Gate::Durable } else { Gate::Now };
        self.ask(Errand::Deposit(key.clone()), (query, gate), turn)
    }

    /// Asks what the account has.
    fn weigh(&mut self, key: &(OriginId, u32), turn: &mut Turn<'_, '_>) -> bool {
        let account = self.deposits[key].account.clone();
        clause!(DE_083);
        let made = |d: &&Deposit| matches!(d.stage, Stage::Depositing | Stage::Recording);
        let others = || self.deposits.iter().filter(|(_, deposit)| deposit.account == account);
        let without = others().map(|(_, deposit)| deposit).filter(made);
        let without = without.map(|deposit| deposit.name.clone()).collect();
        let underway = others().filter(|(_, deposit)| made(deposit));
        let underway = underway.map(|(key, deposit)| (key.clone(), deposit.octets)).collect();
        let unpublished = self.unpublished(&account);
        let shared = turn.config.is_leased_here(&account);
        let query = Query::Usage { unpublished, account, shared, without };
        if !self.ask(Errand::Usage(key.clone(), underway), (query, Gate::Now), turn) {
            return false;
        }
        self.deposits.get_mut(key).expect("it was just found").stage = Stage::Weighing;
        true
    }

    /// The files of an account that are recorded and have not come to their place.
    pub(crate) fn unpublished(&self, account: &Address) -> Vec<String> {
        let is_moved = |stage| matches!(stage, Stage::Publishing | Stage::Stuck);
        let deposits = self.deposits.values();
        let moved = deposits.filter(|d| d.account == *account && is_moved(d.stage));
        moved.map(|deposit| deposit.name.clone()).collect()
    }

    /// The octets of an account are counted, or cannot be: the next one in line is asked for, too.
    pub(crate) fn weighed(
        &mut self,
        key: &(OriginId, u32),
        underway: &Underway,
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let deposit = self.deposits.get(key).expect("a delivery waits for its own answers");
        assert!(deposit.stage == Stage::Weighing, "who is weighed does nothing else");
        let account = deposit.account.clone();
        match answer {
            Answer::Octets(used) => self.fit(key, used, underway, turn),
            answer => self.put_off(key, answer, turn),
        }
        self.weigh_next(&account, turn);
    }

    /// Lets a delivery go on if there is room for it.
    fn fit(
        &mut self,
        key: &(OriginId, u32),
        used: u64,
        underway: &Underway,
        turn: &mut Turn<'_, '_>,
    ) {
        if self.is_fenced(key, turn) {
            return self.fence_off(key, turn);
        }
        let Deposit { account, octets, .. } = &self.deposits[key];
        let room = self.room(account, used, underway, turn);
        let filed = turn.config.organization.account(account);
        let refusal = filed.and_then(|filed| filed.overflow(*octets, room));
        match refusal {
            Some(refusal) if refusal.is_permanent() => self.turn_away(key, &refusal, turn),
            Some(refusal) => {
                clause!(DE_081);
                self.put_off(key, Answer::Failed(refusal), turn);
            }
            None => {
                if !self.write(key, turn) {
                    let refusal = Refusal::new(452, "4.3.2", "too many deliveries at once");
                    self.put_off(key, Answer::Failed(refusal), turn);
                }
            }
        }
    }

    /// What an account has: what was counted, and what became of the deliveries that were under way then.
    /// One that has failed since takes no room.
    fn room(&self, account: &Address, used: u64, underway: &Underway, turn: &Turn<'_, '_>) -> Room {
        let mut room = Room { used, underway: 0 };
        if turn.fault("room-is-not-reserved") {
            return room;
        }
        for ((origin, index), octets) in underway {
            let key = (origin.clone(), *index);
            let recorded = self.recorded_of(account, &key, turn);
            if matches!(recorded, Some(Recorded::Delivered { .. })) {
                room.used = room.used.saturating_add(*octets);
            } else if self.deposits.contains_key(&key) {
                room.underway = room.underway.saturating_add(*octets);
            }
        }
        room
    }

    fn weigh_next(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        let next = |member: &Self| {
            let mut deposits = member.deposits.iter();
            let waits = |d: &Deposit| d.account == *account && d.stage == Stage::InLine;
            deposits.find(|(_, deposit)| waits(deposit)).map(|(key, _)| key.clone())
        };
        while let Some(key) = next(self) {
            if self.weigh(&key, turn) {
                return;
            }
            let refusal = Refusal::new(452, "4.3.2", "too many deliveries at once");
            self.put_off(&key, Answer::Failed(refusal), turn);
        }
    }
}

/// How long the file is that this question has written: the lines above the content count, too.
fn octets_of_file(query: &Query) -> u64 {
    let Query::Deposit { sender, hops, fields, suspect, body, .. } = query else { return 0 };
    clause!(DE_098);
    let above = lines_of_file(sender.as_ref(), hops, fields, *suspect);
    body.octets.saturating_add(above.len() as u64)
}
