//! Into an account, at most once: file, journal, place.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Deposit, Said, Stage};
use crate::clause;
use crate::kernel::{Gate, Span, Time};
use crate::protocol::member::{Answer, Errand, Event, Member, Query, Timer, Turn};
use crate::protocol::organization::Account;
use crate::protocol::queue::{Change, Decision, Ending, Home, Place, Recorded, Route, home};
use crate::protocol::submit::{is_conflict, recipient_digest};
use crate::wire::ids::{Epoch, OriginId, QueueId};
use crate::wire::message::{Address, Body, BodyKey, Digest, Envelope, Outcome, Recipient, Refusal};

/// How long a file that could not be moved to its place is left alone.
pub(super) const PUBLISH_INTERVAL: Span = Span::seconds(60);

/// What is to be delivered.
pub(super) struct Wanted<'a> {
    /// The message.
    pub(super) envelope: &'a Envelope,
    /// To whom.
    pub(super) recipient: &'a Recipient,
    /// The content.
    pub(super) body: Body,
    /// The message in our own queue.
    pub(super) queue: Option<QueueId>,
    /// For which ownership of the account it is meant; `None` for the one of this member.
    pub(super) epoch: Option<Epoch>,
}

/// What came of the wish.
pub(super) enum Begun {
    /// It is being made.
    Underway,
    /// It was settled before, is refused, or belongs elsewhere.
    Settled(Said),
}

impl Member {
    /// Delivers everybody in line who has an account here.
    pub(crate) fn deposit_line(&mut self, turn: &mut Turn<'_, '_>) {
        while let Some(queue) = self.first_in_line(&Route::Local) {
            for index in self.in_line(queue, &Route::Local) {
                if !matches!(self.decide(queue, index, turn.config), Decision::Go(Route::Local)) {
                    // The account was leased to this member when the line was formed.
                    self.route(queue, &[index], turn);
                    continue;
                }
                self.put(queue, index, Place::Underway(Route::Local));
                self.deposit_own(queue, index, turn);
            }
        }
    }

    fn deposit_own(&mut self, queue: QueueId, index: u32, turn: &mut Turn<'_, '_>) {
        let message = &self.spool.queue[&queue];
        let envelope = message.envelope.clone();
        let recipient = envelope.recipients.iter().find(|recipient| recipient.index == index);
        let recipient = recipient.expect("who is in line is in the envelope");
        let (envelope, body) = (&envelope, message.body);
        let wanted = Wanted { envelope, recipient, body, queue: Some(queue), epoch: None };
        let key = (envelope.origin.clone(), index);
        match self.begin(wanted, turn) {
            Begun::Underway => {
                let deposit = &self.deposits[&key];
                if deposit.queue != Some(queue) {
                    let why = "another copy is being delivered";
                    self.retry_later(queue, &[index], Some(&Route::Local), why, turn);
                }
            }
            Begun::Settled(Said::Outcome(outcome)) => {
                self.own_settled(queue, index, outcome, turn);
            }
            Begun::Settled(_) => {
                let why = "the account has moved";
                self.retry_later(queue, &[index], Some(&Route::Local), why, turn);
            }
        }
    }

    pub(super) fn own_settled(
        &mut self,
        queue: QueueId,
        index: u32,
        outcome: Outcome,
        turn: &mut Turn<'_, '_>,
    ) {
        match outcome {
            Outcome::Delivered => {
                self.succeed(queue, index, Ending::Delivered, turn);
            }
            Outcome::Refused(refusal) if is_conflict(&refusal) => {
                self.unmark_own(queue, index, turn);
                self.put(queue, index, Place::Retry { failed: None, why: refusal.text });
                self.hold(queue, "its id was delivered with another content", turn);
            }
            Outcome::Refused(refusal) if refusal.is_permanent() => {
                self.give_up(queue, index, refusal, turn);
            }
            Outcome::Refused(refusal) => {
                clause!(CU_091);
                self.unmark_own(queue, index, turn);
                let why = alloc::format!("{refusal}");
                self.retry_later(queue, &[index], Some(&Route::Local), &why, turn);
            }
        }
    }

    /// Starts a delivery, unless the journal or another attempt knows it.
    pub(super) fn begin(&mut self, wanted: Wanted<'_>, turn: &mut Turn<'_, '_>) -> Begun {
        let Wanted { envelope, recipient, body, queue, epoch } = wanted;
        let key = (envelope.origin.clone(), recipient.index);
        let home = home(turn.config, &recipient.address);
        let mut open = Epoch::FIRST;
        if let Home::Account(account) = &home {
            let own = || self.ownership(account, turn.config).map(|known| known.epoch);
            let epoch = epoch.or_else(own).unwrap_or_default();
            match self.admit(account, epoch, turn.config) {
                Ok(epoch) => open = epoch,
                Err(said) => {
                    self.claim_unowned(account, turn);
                    return Begun::Settled(said);
                }
            }
        }
        let digest = recipient_digest(envelope, recipient, &body);
        if !turn.fault("second-deposit-on-repeat") {
            let underway = self.deposits.get(&key).map(|deposit| &deposit.digest);
            let recorded = match &home {
                Home::Account(account) => self.recorded_of(account, &key, turn),
                Home::Foreign | Home::Nobody(_) => self.recorded(&key.0, key.1, turn),
            };
            let known = underway.or_else(|| recorded.map(Recorded::digest));
            let is_lax = turn.fault("other-content-is-a-repeat");
            if known.is_some_and(|known| *known != digest) && !is_lax {
                return self.conflict(&key, turn);
            }
            if underway.is_some() {
                clause!(DE_023);
                return Begun::Underway;
            }
            if let Some(recorded) = recorded {
                clause!(DE_024);
                clause!(DE_084);
                return Begun::Settled(Said::Outcome(word(recorded)));
            }
        }
        let account = match home {
            Home::Account(account) => account,
            Home::Foreign => return later(450, "4.7.1", "the account is not ours"),
            Home::Nobody(_) if !self.knows_the_list(turn.config) => {
                return later(450, "4.1.1", "the account is not known here yet");
            }
            Home::Nobody(refusal) => {
                let whose = (digest, None, Epoch::FIRST, envelope.arrived);
                return self.refuse_for_ever(&key, whose, refusal, turn);
            }
        };
        let filed = turn.config.organization.account(&account);
        let suspension = filed.and_then(Account::suspension);
        if let Some(refusal) = suspension.filter(|_| !turn.fault("suspended-takes-mail")) {
            return Begun::Settled(Said::Outcome(Outcome::Refused(refusal)));
        }
        let leased = turn.config.is_leased_here(&account);
        let opening = Some(open).filter(|_| leased && !turn.fault("files-without-opening"));
        let mut name = file_name(&key, opening);
        if turn.fault("second-deposit-on-repeat") && self.spool.recorded(&key.0, key.1).is_some() {
            name.push_str(".again");
        }
        let ruling = Self::ruling(&account, envelope, recipient, turn);
        let stage = if ruling.is_some() { Stage::Reading } else { Stage::Depositing };
        let held_back = ruling.is_none().then(|| Query::Deposit {
            account: account.clone(),
            shared: leased,
            name: name.clone(),
            folder: None,
            sender: envelope.sender.clone(),
            hops: envelope.hops.clone(),
            fields: envelope.fields.clone(),
            suspect: recipient.suspect,
            body,
        });
        clause!(DE_025);
        let (askers, folder, epoch) = (BTreeSet::new(), None, open);
        let deposit = Deposit {
            digest,
            account,
            epoch,
            leased,
            name,
            folder,
            body,
            queue,
            askers,
            stage,
            ruling,
            held_back,
            arrived: envelope.arrived,
            octets: 0,
            asked: None,
            may_stand: false,
        };
        self.deposits.insert(key.clone(), deposit);
        let is_begun = if stage == Stage::Reading {
            // The body of a message of ours is in the same transaction as the message.
            let gate = if queue.is_some() { Gate::Durable } else { Gate::Now };
            self.ask(Errand::Header(key.clone()), (Query::Header(body), gate), turn)
        } else {
            self.write_or_weigh(&key, turn)
        };
        if !is_begun {
            self.deposits.remove(&key);
            return later(452, "4.3.2", "too many deliveries at once");
        }
        Begun::Underway
    }

    pub(super) fn refuse_for_ever(
        &mut self,
        key: &(OriginId, u32),
        (digest, account, epoch, arrived): (Digest, Option<Address>, Epoch, Time),
        refusal: Refusal,
        turn: &mut Turn<'_, '_>,
    ) -> Begun {
        clause!(DE_026);
        let (origin, index) = key.clone();
        let recorded = Recorded::Refused { digest, refusal: refusal.clone(), account };
        let change = Change::Recorded {
            origin,
            index,
            recorded,
            epoch,
            queue: None,
            outputs: Vec::new(),
            answered: None,
            arrived: Some(arrived),
            ends: None,
        };
        self.store_change(change, turn);
        Begun::Settled(Said::Outcome(Outcome::Refused(refusal)))
    }

    fn conflict(&self, key: &(OriginId, u32), turn: &mut Turn<'_, '_>) -> Begun {
        clause!(DE_027);
        turn.tell(Event::Conflict { id: alloc::format!("{} [{}]", key.0, key.1) });
        let text = "this id was delivered with another content";
        let refusal = Refusal::new(554, "5.7.0", text);
        Begun::Settled(Said::Outcome(Outcome::Refused(refusal)))
    }

    /// The file is written, or cannot be.
    pub(crate) fn deposited(
        &mut self,
        key: (OriginId, u32),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Answer::Failed(_) = answer {
            return self.put_off(&key, answer, turn);
        }
        if self.deposits.contains_key(&key) && self.is_fenced(&key, turn) {
            return self.fence_off(&key, turn);
        }
        let Some(deposit) = self.deposits.get_mut(&key) else { return };
        let Deposit { digest, account, name, folder, leased, .. } = deposit.clone();
        clause!(DE_028);
        let recorded = Recorded::Delivered { digest, account, name, published: false, folder };
        if leased {
            return self.record_in_store(&key, recorded, turn);
        }
        deposit.stage = Stage::Publishing;
        self.record(&key, recorded, turn);
        if turn.fault("result-before-publish") {
            self.answer_askers(&key, &Outcome::Delivered, turn);
        }
        self.publish(&key, turn);
    }

    pub(super) fn deposit_failed(
        &mut self,
        key: &(OriginId, u32),
        deposit: Deposit,
        refusal: Refusal,
        turn: &mut Turn<'_, '_>,
    ) {
        // The host speaks of now; nothing that it says of its disk is a verdict on the message.
        let refusal = if refusal.is_permanent() {
            Refusal::new(452, "4.3.1", &refusal.text)
        } else {
            refusal
        };
        clause!(DE_029);
        match deposit.queue {
            Some(queue) => {
                self.unmark_own(queue, key.1, turn);
                let why = alloc::format!("{refusal}");
                self.retry_later(queue, &[key.1], Some(&Route::Local), &why, turn);
            }
            None => self.release_body(deposit.body, turn),
        }
        for asker in deposit.askers {
            let said = Said::Outcome(Outcome::Refused(refusal.clone()));
            self.answer(asker, key, said, turn);
        }
    }

    /// Has the file moved to its place, once the journal is on disk.
    pub(crate) fn publish(&mut self, key: &(OriginId, u32), turn: &mut Turn<'_, '_>) {
        let Some(deposit) = self.deposits.get(key) else { return };
        let Deposit { account, name, folder, leased: shared, .. } = deposit.clone();
        clause!(DE_030);
        let question = (Query::Publish { account, shared, name, folder }, Gate::Durable);
        if !self.ask(Errand::Publish(key.clone()), question, turn) {
            self.stuck(key, turn);
        }
    }

    /// The file is in its place, or cannot be moved there now.
    pub(crate) fn published(
        &mut self,
        key: &(OriginId, u32),
        answer: &Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Answer::Failed(_) = answer {
            return self.stuck(key, turn);
        }
        let (origin, index) = key.clone();
        turn.tell(Event::Deposited { origin: origin.clone(), index });
        if self.deposits.get(key).is_some_and(|deposit| deposit.leased) {
            return self.published_leased(key, turn);
        }
        self.store_change(Change::Published { origin, index }, turn);
        self.answer_askers(key, &Outcome::Delivered, turn);
        self.deposits.remove(key);
    }

    /// Tries again what could not be moved to its place. Nobody is answered before: the delivery will
    /// happen, so neither "no" nor "later" would be true.
    pub(crate) fn publish_again(&mut self, turn: &mut Turn<'_, '_>) {
        let stuck = self.deposits.iter_mut().filter(|(_, deposit)| deposit.stage == Stage::Stuck);
        let mut keys: Vec<(OriginId, u32)> = Vec::new();
        for (key, deposit) in stuck {
            deposit.stage = Stage::Publishing;
            keys.push(key.clone());
        }
        for key in keys {
            self.publish(&key, turn);
        }
        self.ask_the_store_again(turn);
    }

    /// At a boot: what the journal has and the account may not show yet.
    pub(crate) fn redo_deposits(&mut self, turn: &mut Turn<'_, '_>) {
        let mut redo = Vec::new();
        for (origin, entries) in &self.spool.journal {
            for (index, recorded) in entries {
                if let Recorded::Delivered { published: false, .. } = recorded {
                    redo.push(((origin.clone(), *index), recorded.clone()));
                }
            }
        }
        for (key, recorded) in redo {
            if self.deposits.contains_key(&key) {
                continue;
            }
            let Recorded::Delivered { digest, account, name, folder, .. } = recorded else {
                continue;
            };
            let deposit = Deposit::to_be_published((digest, account), (name, folder));
            self.deposits.insert(key.clone(), deposit);
            self.publish(&key, turn);
        }
    }

    fn stuck(&mut self, key: &(OriginId, u32), turn: &mut Turn<'_, '_>) {
        if let Some(deposit) = self.deposits.get_mut(key) {
            deposit.stage = Stage::Stuck;
        }
        turn.arm(Timer::Publish, PUBLISH_INTERVAL);
    }

    pub(super) fn answer_askers(
        &mut self,
        key: &(OriginId, u32),
        outcome: &Outcome,
        turn: &mut Turn<'_, '_>,
    ) {
        let askers = self.deposits.get_mut(key).map(|deposit| &mut deposit.askers);
        for asker in askers.map(core::mem::take).unwrap_or_default() {
            self.answer(asker, key, Said::Outcome(outcome.clone()), turn);
        }
    }
}

pub(super) fn word(recorded: &Recorded) -> Outcome {
    match recorded {
        Recorded::Delivered { .. } | Recorded::Passed { .. } => Outcome::Delivered,
        Recorded::Refused { refusal, .. } => Outcome::Refused(refusal.clone()),
    }
}

fn later(code: u16, status: &str, text: &str) -> Begun {
    Begun::Settled(Said::later(code, status, text))
}

impl Deposit {
    /// What is recorded, and not yet in its place. The file is complete; no body is read any more.
    pub(super) fn to_be_published(
        (digest, account): (Digest, Address),
        (name, folder): (String, Option<String>),
    ) -> Self {
        clause!(DE_031);
        Self {
            digest,
            account,
            epoch: Epoch::FIRST,
            leased: false,
            name,
            folder,
            body: Body { key: BodyKey(0), digest, octets: 0 },
            queue: None,
            askers: BTreeSet::new(),
            stage: Stage::Publishing,
            ruling: None,
            held_back: None,
            arrived: Time(0),
            octets: 0,
            asked: None,
            may_stand: false,
        }
    }
}

/// The same for every attempt, so that a repeat can only overwrite what it repeats. In a store that members
/// share each opening of the account has names of its own.
fn file_name((origin, index): &(OriginId, u32), opening: Option<Epoch>) -> String {
    let OriginId { member, incarnation, sequence } = origin;
    match opening {
        None => alloc::format!("{incarnation}.{sequence}_{index}.{member}"),
        Some(opening) => {
            clause!(DE_107);
            alloc::format!("{incarnation}.{sequence}_{index}_{opening}.{member}")
        }
    }
}
