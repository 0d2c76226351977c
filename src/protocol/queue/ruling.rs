//! Queue rules: what the rules of the server and of its group make of a message at enqueue.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::missing::Noted;
use super::{Change, Place};
use crate::clause;
use crate::kernel::Gate;
use crate::protocol::member::{
    Answer, Errand, Event, HeaderRead, Member, MemberConfig, NewMail, Query, Turn,
};
use crate::protocol::rules::{Facts, LOOP_FIELD, Source, Verdict, evaluate, is_loop};
use crate::wire::ids::{ConnectionId, QueueId};
use crate::wire::message::{Address, Envelope, Field, Notify, Recipient, Refusal};

/// Why a message whose header is not to be had waits.
const UNREAD: &str = "its header cannot be read now";

impl Member {
    /// A message from outside whose header has to be seen: by the queue rules, or for what it lacks.
    pub(super) fn look_into(&mut self, from: ConnectionId, mail: NewMail, turn: &mut Turn<'_, '_>) {
        let body = mail.body;
        let errand = Errand::Arrival(from, Box::new(mail));
        if !self.ask(errand, (Query::Header(body), Gate::Now), turn) {
            self.discard(body.key, Gate::Now, turn);
            turn.refuse(from, 451, "4.3.2", "too many messages at once");
        }
    }

    /// The header of a message from outside is here, or cannot be read.
    pub(crate) fn looked_into(
        &mut self,
        (from, mail): (ConnectionId, NewMail),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(RU_011);
        let Ok(read) = answer.into_header() else {
            self.discard(mail.body.key, Gate::Now, turn);
            return turn.refuse(from, 451, "4.3.0", "the message cannot be read now");
        };
        let noted = Noted::of(&mail, &read);
        let header = read.fields;
        if turn.config.submits() {
            return self.take_in(from, mail, (&Verdict::default(), noted), turn);
        }
        clause!(RU_010);
        let recipients: Vec<Address> = mail.recipients.iter().map(|r| r.address.clone()).collect();
        let facts = Facts {
            sender: mail.sender.as_ref(),
            recipients: &recipients,
            header: &header,
            octets: mail.body.octets,
            source: Source::of(&mail.with),
        };
        let verdict = judge(turn.config, &facts);
        self.screen((from, mail, noted), verdict, turn);
    }

    /// A message was handed over before any queue rules have seen it: ours look at it now. Whether its
    /// recipients have to wait for that.
    pub(super) fn rules_are_due(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let message = &self.spool.queue[&queue];
        if !message.envelope.rules_due {
            return false;
        }
        let body = message.body;
        if !turn.config.has_queue_rules() {
            let Envelope { recipients, fields, .. } = message.envelope.clone();
            self.store_change(Change::Ruled { queue, recipients, fields }, turn);
            return false;
        }
        let why = "the queue rules have not seen it";
        let work = self.work.get_mut(&queue).expect("a message in the queue has its work");
        let asked = core::mem::replace(&mut work.ruling, true);
        let place = Place::Retry { failed: None, why: why.into() };
        self.put_all(queue, indexes, &place);
        let question = (Query::Header(body), Gate::Durable);
        if !asked && !self.ask(Errand::Due(queue), question, turn) {
            self.rules_must_wait(queue, indexes, UNREAD, turn);
        }
        true
    }

    pub(super) fn rules_must_wait(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        why: &str,
        turn: &mut Turn<'_, '_>,
    ) {
        self.work.get_mut(&queue).expect("the caller looked it up").ruling = false;
        self.retry_later(queue, indexes, None, why, turn);
    }

    /// The recipients that wait for the queue rules.
    pub(super) fn waiting_for_rules(&self, queue: QueueId) -> Vec<u32> {
        self.standing(queue, |place| matches!(place, Place::Retry { .. }))
    }

    /// The header of a message in the queue is here, or cannot be read.
    pub(crate) fn due_header(&mut self, queue: QueueId, answer: Answer, turn: &mut Turn<'_, '_>) {
        let waiting = self.waiting_for_rules(queue);
        let Some(work) = self.work.get_mut(&queue).filter(|_| !waiting.is_empty()) else { return };
        work.ruling = false;
        let Ok(HeaderRead { fields: header, .. }) = answer.into_header() else {
            return self.rules_must_wait(queue, &waiting, UNREAD, turn);
        };
        clause!(RU_013);
        let message = &self.spool.queue[&queue];
        let envelope = &message.envelope;
        let header: Vec<Field> = envelope.fields.iter().cloned().chain(header).collect();
        let recipients: Vec<Address> =
            envelope.recipients.iter().map(|recipient| recipient.address.clone()).collect();
        let facts = Facts {
            sender: envelope.sender.as_ref(),
            recipients: &recipients,
            header: &header,
            octets: message.body.octets,
            source: Source::of(envelope.hops.first().map_or("", |hop| hop.with.as_str())),
        };
        let verdict = judge(turn.config, &facts);
        self.screen_due(queue, verdict, turn);
    }

    /// Does with a message in the queue what its rules and the filter have said.
    pub(super) fn ruled(&mut self, queue: QueueId, verdict: &Verdict, turn: &mut Turn<'_, '_>) {
        let waiting = self.waiting_for_rules(queue);
        if waiting.is_empty() {
            return;
        }
        let mut envelope = self.spool.queue[&queue].envelope.clone();
        if let Some(text) = &verdict.reject {
            let sender = envelope.sender.clone();
            turn.tell(Event::Rejected { sender, rules: verdict.applied.clone() });
            for index in waiting {
                self.give_up(queue, index, Refusal::new(550, "5.7.1", text), turn);
            }
            return;
        }
        let stays = apply(&mut envelope, verdict, turn);
        let gone: Vec<u32> =
            waiting.iter().copied().filter(|index| !envelope.has(*index)).collect();
        if !stays {
            turn.tell(Event::Dropped { queue, recipients: waiting.clone() });
            let recipients = waiting.clone();
            let change = Change::Removed { queue, recipients, notice: None };
            return self.finish(queue, &waiting, change, turn);
        }
        for index in gone {
            self.unplace(queue, index);
        }
        let Envelope { recipients, fields, .. } = envelope;
        let indexes: Vec<u32> = recipients.iter().map(|recipient| recipient.index).collect();
        self.store_change(Change::Ruled { queue, recipients, fields }, turn);
        self.route(queue, &indexes, turn);
    }
}

/// What our queue rules make of a message. What they sent on once they do not send on again.
fn judge(config: &MemberConfig, facts: &Facts<'_>) -> Verdict {
    let mut verdict = evaluate(config.queue_rules(), facts);
    if verdict.passes_on() && is_loop(&mark(config), facts.header) {
        clause!(RU_030);
        verdict.break_loop();
    }
    verdict
}

/// How the queue rules of a group sign what they send on.
fn mark(config: &MemberConfig) -> alloc::string::String {
    let group = config.organization.group_of(&config.member).expect("a member has a group");
    alloc::format!("group {}", group.uuid)
}

/// Does with an envelope what the rules say. Whether it is still for anybody; if not, it is as before.
pub(super) fn apply(envelope: &mut Envelope, verdict: &Verdict, turn: &mut Turn<'_, '_>) -> bool {
    if !verdict.applied.is_empty() {
        let (origin, rules) = (envelope.origin.clone(), verdict.applied.clone());
        turn.tell(Event::Ruled { origin, index: None, rules });
    }
    let before = if verdict.keeps() { envelope.recipients.clone() } else { Vec::new() };
    let next = envelope.recipients.iter().map(|recipient| recipient.index + 1).max().unwrap_or(0);
    let known = |address: &&Address| !before.iter().any(|recipient| recipient.address == **address);
    let mut all: Vec<&Address> = Vec::new();
    for address in verdict.redirects.iter().chain(&verdict.copies).filter(known) {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    clause!(RU_012);
    let suspect = envelope.recipients.iter().any(|recipient| recipient.suspect);
    let more = (next..).zip(all).map(|(index, address)| Recipient {
        index,
        address: address.clone(),
        notify: Notify::default(),
        original: None,
        suspect,
    });
    let recipients: Vec<Recipient> = before.iter().cloned().chain(more).collect();
    if recipients.is_empty() {
        return false;
    }
    envelope.recipients = recipients;
    clause!(RU_014);
    let signed = Field { name: LOOP_FIELD.into(), value: mark(turn.config) };
    let signed = verdict.passes_on().then_some(signed).into_iter();
    envelope.fields.splice(..0, signed.chain(verdict.fields.iter().cloned()));
    true
}
