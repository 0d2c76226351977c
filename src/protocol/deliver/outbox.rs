//! The rules of an account at its host: what they pass on and answer leaves by the same change that
//! records the delivery.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::{Deposit, Said, Stage};
use crate::clause;
use crate::kernel::{Gate, Span};
use crate::protocol::member::{Answer, AutoReply, Errand, Event, HeaderRead, Member, Query, Turn};
use crate::protocol::queue::{Answered, Change, Ending, Message, Recorded, queue_name};
use crate::protocol::rules::{
    Facts, LOOP_FIELD, Source, Vacation, Verdict, decoded, evaluate, is_loop, may_reply,
};
use crate::wire::ids::{Incarnation, OriginId, QueueId};
use crate::wire::message::{
    Address, Body, Envelope, Field, Notify, Outcome, Recipient, Refusal, Return,
};
use crate::wire::restrictions::Priority;

/// A delivery on which the rules of its account have a say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ruling {
    /// The message; its only recipient is the one of the delivery.
    pub(crate) envelope: Envelope,
    /// What the rules said, once they were asked.
    pub(crate) verdict: Verdict,
    /// The reply, once it is composed, and until when it is the only one.
    pub(crate) reply: Option<(Body, Answered)>,
}

/// What rules make of a message, each with the number that goes into its origin id.
#[derive(Clone, Copy)]
enum Output {
    Redirected = 0,
    Copied = 1,
    Reply = 2,
}

impl Member {
    /// The say of the rules of `account`; `None` where it has none.
    pub(super) fn ruling(
        account: &Address,
        envelope: &Envelope,
        recipient: &Recipient,
        turn: &Turn<'_, '_>,
    ) -> Option<Ruling> {
        let account = turn.config.organization.account(account)?;
        if account.rules.is_empty() {
            return None;
        }
        let envelope = Envelope { recipients: alloc::vec![recipient.clone()], ..envelope.clone() };
        Some(Ruling { envelope, verdict: Verdict::default(), reply: None })
    }

    /// The header of a message that is being delivered is here, or cannot be read: the rules are run.
    pub(crate) fn header_read(
        &mut self,
        key: (OriginId, u32),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let header = match answer.into_header() {
            Ok(HeaderRead { fields, .. }) => fields,
            Err(answer) => {
                clause!(RU_026);
                return self.put_off(&key, answer, turn);
            }
        };
        let Some(deposit) = self.deposits.get_mut(&key) else { return };
        let Some(ruling) = &mut deposit.ruling else { return };
        let account = deposit.account.clone();
        let header: Vec<Field> = ruling.envelope.fields.iter().cloned().chain(header).collect();
        ruling.envelope.priority = Priority::of(&header);
        clause!(RU_020);
        let mut verdict = verdict_of(&account, ruling, (&header, deposit.body.octets), turn);
        let (origin, index) = key.clone();
        if verdict.passes_on() && is_loop(&account.0, &header) {
            clause!(RU_030);
            verdict.break_loop();
            turn.tell(Event::Looped { origin: origin.clone(), index });
        }
        if !verdict.applied.is_empty() {
            let rules = verdict.applied.clone();
            turn.tell(Event::Ruled { origin, index: Some(index), rules });
        }
        if let Some(text) = &verdict.reject {
            return self.ruled_out(&key, &Refusal::new(550, "5.7.1", text), turn);
        }
        let vacation = verdict.vacation.clone();
        ruling.verdict = verdict;
        match vacation.and_then(|vacation| self.reply_to(&key, &vacation, &header, turn)) {
            Some(reply) => self.compose_reply(key, reply, turn),
            None => self.file(key, turn),
        }
    }

    /// The reply that is to be composed, unless its sender may not be answered, or was not long ago.
    fn reply_to(
        &self,
        key: &(OriginId, u32),
        vacation: &Vacation,
        header: &[Field],
        turn: &Turn<'_, '_>,
    ) -> Option<AutoReply> {
        let deposit = &self.deposits[key];
        let account = deposit.account.clone();
        let sender = deposit.ruling.as_ref()?.envelope.sender.clone();
        let to = sender.filter(|sender| may_reply(&account, Some(sender), header))?;
        if self.spool.is_answered(&account, &to, turn.cx.now) {
            clause!(RU_032);
            return None;
        }
        let value = |name: &str| {
            header.iter().find(|field| field.is(name)).map(|field| field.value.clone())
        };
        let subject = vacation.subject.clone();
        let subject =
            subject.or_else(|| Some(alloc::format!("Auto: {}", decoded(&value("Subject")?))));
        Some(AutoReply {
            origin: derived(key, Output::Reply),
            from: account,
            to,
            subject: subject.unwrap_or_else(|| String::from("Automatic reply")),
            text: vacation.text.clone(),
            answers: value("Message-ID"),
        })
    }

    fn compose_reply(&mut self, key: (OriginId, u32), reply: AutoReply, turn: &mut Turn<'_, '_>) {
        let question = (Query::Reply(reply), Gate::Now);
        if !self.ask(Errand::Reply(key.clone()), question, turn) {
            let refusal = Refusal::new(452, "4.3.2", "too many deliveries at once");
            return self.put_off(&key, Answer::Failed(refusal), turn);
        }
        self.deposits.get_mut(&key).expect("the caller looked it up").stage = Stage::Composing;
    }

    /// The reply is composed, or cannot be.
    pub(crate) fn reply_composed(
        &mut self,
        key: (OriginId, u32),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Answer::Composed(body) = answer else {
            clause!(RU_026);
            return self.put_off(&key, answer, turn);
        };
        let at = turn.cx.now;
        let deposit = self.deposits.get_mut(&key);
        let ruled = deposit.and_then(|deposit| Some((&deposit.account, deposit.ruling.as_mut()?)));
        let Some((account, ruling)) = ruled else { return self.discard(body.key, Gate::Now, turn) };
        let days = ruling.verdict.vacation.as_ref().map_or(0, |vacation| vacation.days);
        let until = at + Span::hours(24 * u64::from(days));
        let sender = ruling.envelope.sender.clone().expect("the null sender gets no reply");
        ruling.reply = Some((body, Answered { account: account.clone(), sender, at, until }));
        self.file(key, turn);
    }

    /// The rules have had their say: into the account, or nowhere.
    fn file(&mut self, key: (OriginId, u32), turn: &mut Turn<'_, '_>) {
        if self.is_fenced(&key, turn) {
            return self.fence_off(&key, turn);
        }
        let deposit = self.deposits.get_mut(&key).expect("the caller looked it up");
        let ruling = deposit.ruling.as_ref().expect("only a ruled delivery is filed");
        if !ruling.verdict.keeps() {
            // From here on the delivery itself reads the body no more.
            deposit.stage = Stage::Publishing;
            let (digest, account) = (deposit.digest, Some(deposit.account.clone()));
            let recorded = Recorded::Passed { digest, account };
            self.record(&key, recorded, turn);
            self.answer_askers(&key, &Outcome::Delivered, turn);
            self.deposits.remove(&key);
            return;
        }
        deposit.folder.clone_from(&ruling.verdict.folder);
        let Deposit { account, name, folder, body, .. } = deposit.clone();
        let Envelope { sender, hops, mut fields, recipients, .. } = ruling.envelope.clone();
        let suspect = recipients[0].suspect;
        fields.splice(..0, ruling.verdict.fields.iter().cloned());
        let shared = deposit.leased;
        let query =
            Query::Deposit { account, shared, name, folder, sender, hops, fields, suspect, body };
        deposit.held_back = Some(query);
        if !self.write_or_weigh(&key, turn) {
            let refusal = Refusal::new(452, "4.3.2", "too many deliveries at once");
            self.put_off(&key, Answer::Failed(refusal), turn);
        }
    }

    /// The delivery cannot be made now: later, and nothing is recorded.
    pub(super) fn put_off(
        &mut self,
        key: &(OriginId, u32),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(deposit) = self.deposits.remove(key) else { return };
        self.drop_reply(&deposit, turn);
        let refusal = match answer {
            Answer::Failed(refusal) => refusal,
            _ => Refusal::new(451, "4.3.0", "the rules of the account cannot be run now"),
        };
        self.deposit_failed(key, deposit, refusal, turn);
    }

    /// The reply that was composed for a delivery that is not made is not needed.
    pub(super) fn drop_reply(&mut self, deposit: &Deposit, turn: &mut Turn<'_, '_>) {
        if let Some((body, _)) = deposit.ruling.as_ref().and_then(|ruling| ruling.reply.as_ref()) {
            self.discard(body.key, Gate::Now, turn);
        }
    }

    /// The rules refuse the message for ever.
    fn ruled_out(&mut self, key: &(OriginId, u32), refusal: &Refusal, turn: &mut Turn<'_, '_>) {
        clause!(RU_022);
        if self.is_fenced(key, turn) {
            return self.fence_off(key, turn);
        }
        self.turn_away(key, refusal, turn);
    }

    /// A delivery ends with a refusal for ever: the journal says so, and the custodian returns it.
    pub(super) fn turn_away(
        &mut self,
        key: &(OriginId, u32),
        refusal: &Refusal,
        turn: &mut Turn<'_, '_>,
    ) {
        let deposit = self.deposits.get(key).expect("the caller looked it up");
        if deposit.leased {
            let (digest, account) = (deposit.digest, Some(deposit.account.clone()));
            let refused = Recorded::Refused { digest, refusal: refusal.clone(), account };
            return self.record_in_store(key, refused, turn);
        }
        let deposit = self.deposits.remove(key).expect("it was just found");
        self.drop_reply(&deposit, turn);
        let account = Some(deposit.account.clone());
        let whose = (deposit.digest, account, deposit.epoch, deposit.arrived);
        self.refuse_for_ever(key, whose, refusal.clone(), turn);
        let outcome = Outcome::Refused(refusal.clone());
        match deposit.queue {
            Some(queue) => self.own_settled(queue, key.1, outcome.clone(), turn),
            None => self.release_body(deposit.body, turn),
        }
        for asker in deposit.askers {
            self.answer(asker, key, Said::Outcome(outcome.clone()), turn);
        }
    }

    /// One change: the journal has the delivery, a message of ours loses the recipient, and what the
    /// rules pass on stands in our queue.
    pub(super) fn record(
        &mut self,
        key: &(OriginId, u32),
        recorded: Recorded,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(DE_043);
        clause!(RU_021);
        let (mut outputs, answered) = self.outputs(key, turn);
        let made: Vec<QueueId> = outputs.iter().map(|(queue, _)| *queue).collect();
        let outside = turn.fault("rules-outside-the-commit");
        let late = if outside { core::mem::take(&mut outputs) } else { Vec::new() };
        let Deposit { queue, body, epoch, arrived, .. } = self.deposits[key];
        let (origin, index) = key.clone();
        let queue = queue.filter(|queue| self.spool.queue.get(queue).is_some_and(|m| m.has(index)));
        // A sender who asked for it is told of the success; until then the recipient stays in the queue,
        // and the journal says that nothing more is to be tried.
        let told = queue.filter(|queue| self.is_to_confirm(*queue, index));
        let leaves = queue.filter(|_| told.is_none());
        let change = Change::Recorded {
            origin,
            index,
            recorded,
            epoch,
            queue: leaves,
            outputs,
            answered,
            arrived: Some(arrived),
            ends: told,
        };
        match (leaves, told) {
            (Some(queue), _) => self.finish(queue, &[index], change, turn),
            (None, Some(queue)) => {
                clause!(DE_097);
                self.store_change(change, turn);
                self.tell_of(queue, &[index], Ending::Delivered, turn);
            }
            (None, None) => self.store_change(change, turn),
        }
        for (queue, message) in late {
            self.store_change(Change::Queued { queue, message, accepted: None }, turn);
        }
        for queue in made {
            let origin = self.spool.queue[&queue].envelope.origin.clone();
            turn.tell(Event::Received { queue, origin });
            self.take_up(queue);
            self.set_going(queue, turn);
        }
        if queue.is_none() {
            self.release_body(body, turn);
        }
    }

    /// The messages that the rules make of a delivery, and the answer that is to be remembered.
    fn outputs(
        &mut self,
        key: &(OriginId, u32),
        turn: &mut Turn<'_, '_>,
    ) -> (Vec<(QueueId, Message)>, Option<Answered>) {
        let Some(ruling) = self.deposits[key].ruling.clone() else { return (Vec::new(), None) };
        let (account, body) = (self.deposits[key].account.clone(), self.deposits[key].body);
        let Ruling { envelope, verdict, reply } = ruling;
        let mark = Field { name: LOOP_FIELD.into(), value: account.0.clone() };
        let mut marked = envelope.clone();
        marked.fields.splice(..0, [mark].into_iter().chain(verdict.fields.iter().cloned()));
        let mut outputs = Vec::new();
        clause!(RU_024);
        if !verdict.redirects.is_empty() {
            clause!(DE_096);
            // Of a success the sender is told here, if at all, and only once.
            let notify = Notify { success: false, ..envelope.recipients[0].notify };
            let to = (verdict.redirects.as_slice(), notify);
            outputs.push((self.passed_on(key, Output::Redirected, (&marked, to), turn), body));
        }
        if !verdict.copies.is_empty() {
            let sender = envelope.sender.as_ref().map(|_| account);
            // The sender of a copy is another one, and has asked for nothing.
            let copied = Envelope { sender, ret: None, envid: None, ..marked };
            let to = (verdict.copies.as_slice(), Notify::default());
            outputs.push((self.passed_on(key, Output::Copied, (&copied, to), turn), body));
        }
        let answered = reply.and_then(|(body, answered)| {
            // Another delivery may have answered while this one was composed.
            if self.spool.is_answered(&answered.account, &answered.sender, turn.cx.now) {
                self.discard(body.key, Gate::Now, turn);
                return None;
            }
            let Answered { sender: to, .. } = answered.clone();
            let blank = Envelope {
                sender: None,
                hops: Vec::new(),
                fields: Vec::new(),
                ret: None,
                envid: None,
                ..envelope
            };
            let to = (core::slice::from_ref(&to), Notify::default());
            outputs.push((self.passed_on(key, Output::Reply, (&blank, to), turn), body));
            Some(answered)
        });
        let first = self.spool.next().0;
        let numbered = (first..).map(QueueId).zip(outputs);
        let messages = numbered.map(|(queue, (mut envelope, body))| {
            let by = turn.config.member.0.clone();
            envelope.hops.push(self.hop(by, String::from("RULE"), &queue_name(queue), turn));
            (queue, Message::new(envelope, body))
        });
        (messages.collect(), answered)
    }

    /// The envelope of a message that rules make: new, and ours.
    fn passed_on(
        &self,
        key: &(OriginId, u32),
        output: Output,
        (envelope, (to, notify)): (&Envelope, (&[Address], Notify)),
        turn: &Turn<'_, '_>,
    ) -> Envelope {
        let suspect = envelope.recipients[0].suspect;
        let recipient = |(index, address): (u32, &Address)| Recipient {
            index,
            address: address.clone(),
            notify,
            original: None,
            suspect,
        };
        let ret: Option<Return> = envelope.ret;
        Envelope {
            origin: derived(key, output),
            recipients: (0..).zip(to).map(recipient).collect(),
            arrived: turn.cx.now,
            expires: turn.cx.now + Span::hours(u64::from(turn.config.policy.expiry_hours)),
            ret,
            routed_by: Default::default(),
            // What the host got is the content of what it sends.
            content: None,
            rules_due: false,
            unqueued: turn.config.submits(),
            attempts: 0,
            submitter: None,
            priority: match output {
                Output::Redirected | Output::Copied => envelope.priority,
                Output::Reply => Priority::Normal,
            },
            ..envelope.clone()
        }
    }
}

fn verdict_of(
    account: &Address,
    ruling: &Ruling,
    (header, octets): (&[Field], u64),
    turn: &Turn<'_, '_>,
) -> Verdict {
    let rules = turn.config.organization.account(account).map(|account| account.rules.as_slice());
    let facts = Facts {
        sender: ruling.envelope.sender.as_ref(),
        recipients: core::slice::from_ref(&ruling.envelope.recipients[0].address),
        header,
        octets,
        source: Source::Internet,
    };
    evaluate(rules.unwrap_or_default(), &facts)
}

/// The origin id of an output: the same for every attempt at the same delivery, unlike any other.
fn derived((origin, index): &(OriginId, u32), output: Output) -> OriginId {
    clause!(RU_023);
    let text = alloc::format!("bridgehead/rules {origin} {index} {}", output as u8);
    let octets: [u8; 32] = Sha256::digest(text).into();
    let number = |from: usize| {
        let eight = octets[from..from + 8].try_into().expect("a digest has 32 octets");
        u64::from_be_bytes(eight)
    };
    let member = origin.member.clone();
    OriginId { member, incarnation: Incarnation(number(0)), sequence: number(8) }
}
