//! Mail comes in, and recipients leave.

use alloc::string::String;
use alloc::vec::Vec;

use super::missing::{Noted, is_submitted};
use super::routing::Home;
use super::ruling::apply;
use super::{Acceptance, Change, Message, Work};
use crate::clause;
use crate::kernel::{Gate, Span};
use crate::protocol::member::{Candidate, Errand, Event, Member, NewMail, Pdu, Query, Timer, Turn};
use crate::protocol::rules::Verdict;
use crate::wire::envelope::ENVELOPE_LIMIT;
use crate::wire::ids::{ConnectionId, OriginId, QueueId, TransferId};
use crate::wire::message::{Address, Body, BodyKey, Envelope, Hop, Recipient, Refusal};

/// How much of an envelope the recipients of a message from outside may take. The rest is for what the
/// hops add: their lines in the trace, and the versions of the tables.
pub(super) const RECIPIENTS_OCTETS_LIMIT: usize = ENVELOPE_LIMIT / 16;

impl Member {
    /// May mail for this recipient enter here?
    pub(crate) fn recipient(
        &mut self,
        from: ConnectionId,
        candidate: &Candidate,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(CU_001);
        match self.destination(&candidate.address, turn.config) {
            Home::Account(_) | Home::Foreign => self.verify(from, candidate, turn),
            Home::Nobody(refusal) => {
                let refusal =
                    self.not_known_yet(&candidate.address, turn.config).unwrap_or(refusal);
                turn.say(from, Pdu::Refused(refusal));
            }
        }
    }

    /// A whole message from outside.
    pub(crate) fn mail(&mut self, from: ConnectionId, mail: NewMail, turn: &mut Turn<'_, '_>) {
        if let Some(refusal) = self.objection(&mail, turn) {
            self.discard(mail.body.key, Gate::Now, turn);
            return turn.say(from, Pdu::Refused(refusal));
        }
        // Where others queue it, it is their rules that see it.
        let is_ruled = turn.config.queue_rules().next().is_some() && !turn.config.submits();
        if is_ruled || is_submitted(&mail) || turn.config.organization.heeds_priority() {
            return self.look_into(from, mail, turn);
        }
        if turn.config.submits() {
            return self.take_in(from, mail, (&Verdict::default(), Noted::default()), turn);
        }
        self.screen((from, mail, Noted::default()), Verdict::default(), turn);
    }

    /// Takes a message from outside into our custody, as the queue rules want it.
    pub(super) fn take_in(
        &mut self,
        from: ConnectionId,
        mail: NewMail,
        (verdict, noted): (&Verdict, Noted),
        turn: &mut Turn<'_, '_>,
    ) {
        let queue = self.spool.next();
        let origin = self.mint_origin(turn);
        let hops = alloc::vec![self.hop(mail.from, mail.with, &queue_name(queue), turn)];
        clause!(CU_008);
        let recipients = mail.recipients.into_iter().zip(0..);
        let mut envelope = Envelope {
            origin: origin.clone(),
            sender: mail.sender,
            recipients: recipients.map(|(r, index)| Recipient { index, ..r }).collect(),
            arrived: turn.cx.now,
            expires: turn.cx.now + Span::hours(u64::from(turn.config.policy.expiry_hours)),
            ret: mail.ret,
            envid: mail.envid,
            smtputf8: mail.smtputf8,
            hops,
            routed_by: Default::default(),
            fields: noted.fields(&origin, turn),
            content: None,
            rules_due: turn.config.submits(),
            unqueued: turn.config.submits(),
            attempts: 0,
            submitter: mail.submitter,
            priority: noted.priority,
        };
        let stays = apply(&mut envelope, verdict, turn);
        clause!(CU_002);
        turn.tell(Event::Received { queue, origin });
        self.enqueue(Message::new(envelope, mail.body), None, turn);
        turn.promise(from, Pdu::Accepted(queue));
        if stays {
            return self.set_going(queue, turn);
        }
        let message = &self.spool.queue[&queue];
        let indexes = message.envelope.recipients.iter().map(|recipient| recipient.index);
        let recipients: Vec<u32> = indexes.collect();
        turn.tell(Event::Dropped { queue, recipients: recipients.clone() });
        let change = Change::Removed { queue, recipients: recipients.clone(), notice: None };
        self.finish(queue, &recipients, change, turn);
    }

    fn objection(&self, mail: &NewMail, turn: &Turn<'_, '_>) -> Option<Refusal> {
        let policy = &turn.config.policy;
        let limit = usize::try_from(policy.recipients_limit).unwrap_or(usize::MAX);
        clause!(CU_003);
        if mail.recipients.is_empty() {
            return Some(Refusal::new(554, "5.5.1", "no recipients"));
        }
        if mail.recipients.len() > limit {
            return Some(Refusal::new(452, "4.5.3", "too many recipients"));
        }
        clause!(CU_042);
        let octets = serde_json::to_vec(&mail.recipients).map_or(usize::MAX, |octets| octets.len());
        if octets > RECIPIENTS_OCTETS_LIMIT {
            return Some(Refusal::new(452, "4.5.3", "too many recipients with long addresses"));
        }
        // Who has logged in sends, whatever name stands on the envelope.
        let organization = &turn.config.organization;
        let submitter = mail.submitter.as_deref().map(Address::from);
        let filed = submitter.and_then(|account| organization.account(&account));
        let filed = filed.or_else(|| mail.sender.as_ref().and_then(|s| organization.account(s)));
        let count = u64::try_from(mail.recipients.len()).unwrap_or(u64::MAX);
        clause!(CU_080);
        let limited = filed.and_then(|filed| filed.send_limit(mail.body.octets, count));
        limited.or_else(|| self.no_room(mail.body.octets, turn))
    }

    /// Why a message of this size cannot come into our custody now.
    pub(crate) fn no_room(&self, octets: u64, turn: &Turn<'_, '_>) -> Option<Refusal> {
        let policy = &turn.config.policy;
        if octets > policy.message_limit_octets {
            return Some(Refusal::new(552, "5.3.4", "the message is too large"));
        }
        let limit = usize::try_from(policy.queue_limit).unwrap_or(usize::MAX);
        let full = self.spool.queue.len() >= limit;
        full.then(|| Refusal::new(452, "4.3.1", "the queue is full"))
    }

    /// Our own line in the trace of a message.
    pub(crate) fn hop(&self, from: String, with: String, id: &str, turn: &Turn<'_, '_>) -> Hop {
        let group = turn.config.organization.group_of(&turn.config.member);
        let group = group.expect("a member has a group").name.clone();
        let by = turn.config.member.0.clone();
        Hop { from, by, group, with, id: String::from(id), at: turn.cx.now, table: None }
    }

    /// An id for a message that is born or enters here.
    pub(crate) fn mint_origin(&mut self, turn: &Turn<'_, '_>) -> OriginId {
        self.sequence += 1;
        OriginId {
            member: turn.config.member.clone(),
            incarnation: self.incarnation,
            sequence: self.sequence,
        }
    }

    /// An id for a hand-over.
    pub(crate) fn mint_transfer(&mut self, turn: &Turn<'_, '_>) -> TransferId {
        let OriginId { member, incarnation, sequence } = self.mint_origin(turn);
        TransferId { member, incarnation, sequence }
    }

    /// Takes a message into our custody. The caller speaks, and then calls [`Self::set_going`].
    pub(crate) fn enqueue(
        &mut self,
        message: Message,
        accepted: Option<(TransferId, Acceptance)>,
        turn: &mut Turn<'_, '_>,
    ) -> QueueId {
        let queue = self.spool.next();
        self.store_change(Change::Queued { queue, message, accepted }, turn);
        self.take_up(queue);
        queue
    }

    /// Begins to keep book of a message that has just come into the queue.
    pub(crate) fn take_up(&mut self, queue: QueueId) {
        let envelope = &self.spool.queue[&queue].envelope;
        let (origin, attempts) = (envelope.origin.clone(), envelope.attempts);
        self.origins.entry(origin).or_default().insert(queue);
        self.work.insert(queue, Work { attempts, ..Work::default() });
    }

    /// Starts the clocks of a message and routes it. At a boot, too.
    pub(crate) fn set_going(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        // What a boot sets going first may end another copy of the same message.
        if !self.spool.queue.contains_key(&queue) {
            return;
        }
        self.start_clocks(queue, turn);
        let message = &self.spool.queue[&queue];
        let places = &self.work[&queue].places;
        let indexes = message.envelope.recipients.iter().map(|recipient| recipient.index);
        let free: Vec<u32> = indexes.filter(|index| !places.contains_key(index)).collect();
        if !free.is_empty() {
            self.route(queue, &free, turn);
        }
    }

    /// Stores a change that ends our duty for `indexes`, and cleans up behind it.
    pub(crate) fn finish(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        change: Change,
        turn: &mut Turn<'_, '_>,
    ) {
        let message = self.spool.queue.get(&queue);
        let left = message.map(|message| (message.body, message.envelope.origin.clone()));
        self.store_change(change, turn);
        for index in indexes {
            self.unplace(queue, *index);
        }
        if self.spool.queue.contains_key(&queue) {
            return;
        }
        let work = self.work.remove(&queue);
        assert!(work.is_none_or(|work| work.places.is_empty()), "who is gone stands nowhere");
        for timer in [Timer::Retry(queue), Timer::Delay(queue), Timer::Expire(queue)] {
            turn.disarm(timer);
        }
        turn.tell(Event::Removed { queue });
        clause!(CU_004);
        if let Some((Body { key, .. }, origin)) = left {
            if let Some(queues) = self.origins.get_mut(&origin) {
                queues.remove(&queue);
                if queues.is_empty() {
                    self.origins.remove(&origin);
                }
            }
            if let Some(count) = self.bodies.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.bodies.remove(&key);
                }
            }
            self.let_go(key, Gate::Durable, turn);
        }
    }

    /// Lets the host forget a body, unless a message in the queue has it or a delivery reads it.
    pub(crate) fn let_go(&mut self, key: BodyKey, gate: Gate, turn: &mut Turn<'_, '_>) {
        clause!(RU_025);
        let is_read = self.deposits.values().any(|deposit| deposit.reads(key));
        if !is_read && !self.bodies.contains_key(&key) {
            self.discard(key, gate, turn);
        }
    }

    /// Lets the host forget a body.
    pub(crate) fn discard(&mut self, key: BodyKey, gate: Gate, turn: &mut Turn<'_, '_>) {
        // With every ticket out the body stays until the next boot collects what nobody names.
        self.ask(Errand::Discard, (Query::Discard(key), gate), turn);
    }
}

/// A queue id as people read it.
pub(crate) fn queue_name(queue: QueueId) -> String {
    alloc::format!("{queue}")
}
