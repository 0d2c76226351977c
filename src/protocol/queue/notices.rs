//! When a message is tried again, when its sender hears of it, and how it is returned.

use alloc::string::String;
use alloc::vec::Vec;

use super::intake::queue_name;
use super::{Change, Message, Place, Route};
use crate::clause;
use crate::kernel::{Gate, Span};
use crate::protocol::member::{
    Answer, Errand, Event, Member, Notice, NoticeKind, Query, Timer, Turn,
};
use crate::wire::ids::QueueId;
use crate::wire::message::{Address, Body, Envelope, Notify, Recipient, Refusal};

impl Member {
    /// Starts the timers that a message has from its arrival on.
    pub(crate) fn start_clocks(&self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        let message = &self.spool.queue[&queue];
        let envelope = &message.envelope;
        let policy = &turn.config.policy;
        // Absolute times stand only in the envelope; a boot, too, turns them back into spans.
        clause!(CU_034);
        let mut expiry = envelope.expires.since(turn.cx.now);
        if turn.fault("expiry-at-49h") {
            expiry = Span(expiry.0 + Span::hours(1).0);
        }
        let delay = envelope.arrived + Span::hours(u64::from(policy.delay_notice_hours));
        let delay = delay.since(turn.cx.now);
        let tells = envelope.sender.is_some() && !message.delayed && delay < expiry;
        turn.arm(Timer::Expire(queue), expiry);
        if tells && !turn.fault("no-delay-notice") {
            turn.arm(Timer::Delay(queue), delay);
        }
    }

    /// Lets recipients wait for the next attempt.
    pub(crate) fn retry_later(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        failed: Option<&Route>,
        why: &str,
        turn: &mut Turn<'_, '_>,
    ) {
        let place = Place::Retry { failed: failed.cloned(), why: String::from(why) };
        self.put_all(queue, indexes, &place);
        if self.work[&queue].expired {
            return self.return_expired(queue, indexes, turn);
        }
        turn.tell(Event::Deferred { queue, recipients: indexes.to_vec(), why: String::from(why) });
        self.arm_retry(queue, turn);
    }

    /// The wait for the next attempt is over.
    pub(crate) fn retry_due(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        let Some(work) = self.work.get_mut(&queue) else { return };
        work.waiting = false;
        if !self.standing(queue, |place| matches!(place, Place::Notice(_))).is_empty() {
            self.compose(queue, turn);
        }
        if self.spool.queue.get(&queue).is_some_and(|message| message.held.is_none()) {
            let due = self.standing(queue, |place| matches!(place, Place::Retry { .. }));
            self.route(queue, &due, turn);
        }
    }

    /// The time of a message is over: whoever is not in doubt is returned.
    pub(crate) fn expire(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        let Some(work) = self.work.get_mut(&queue) else { return };
        clause!(CU_032);
        work.expired = true;
        let fault = turn.fault("bounce-while-in-doubt");
        let over = self.standing(queue, |place| match place {
            Place::Table | Place::Line(_) | Place::Retry { .. } => true,
            Place::Doubt(_) => fault,
            Place::Underway(_) | Place::Notice(_) => false,
        });
        self.return_expired(queue, &over, turn);
    }

    /// Returns recipients whose time is over.
    pub(crate) fn return_expired(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        turn: &mut Turn<'_, '_>,
    ) {
        let refusal = Refusal::new(451, "4.4.7", "delivery time expired");
        self.put_all(queue, indexes, &Place::Notice(refusal));
        self.compose(queue, turn);
    }

    /// Returns one recipient for good.
    pub(crate) fn give_up(
        &mut self,
        queue: QueueId,
        index: u32,
        refusal: Refusal,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(CU_030);
        self.put(queue, index, Place::Notice(refusal));
        self.compose(queue, turn);
    }

    /// Has a failure notice composed about everyone who is given up, unless one is in the making.
    pub(crate) fn compose(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        if self.work[&queue].composing {
            return;
        }
        let given_up = self.standing(queue, |place| matches!(place, Place::Notice(_)));
        if given_up.is_empty() {
            return;
        }
        let envelope = &self.spool.queue[&queue].envelope;
        let sender = match &envelope.sender {
            None if turn.fault("dsn-about-null-sender") => envelope.recipients.first(),
            _ => None,
        };
        let sender = envelope.sender.clone().or_else(|| Some(sender?.address.clone()));
        let to_tell = self.to_tell(queue, &given_up, |notify| notify.failure);
        // A notice about a notice would never end, and some senders want to hear of nothing.
        let Some(sender) = sender.filter(|_| !to_tell.is_empty()) else {
            clause!(CU_031);
            turn.tell(Event::Dropped { queue, recipients: given_up.clone() });
            let change = Change::Removed { queue, recipients: given_up.clone(), notice: None };
            return self.finish(queue, &given_up, change, turn);
        };
        let notice = self.notice(queue, NoticeKind::Failure, sender.clone(), to_tell, turn);
        let errand = Errand::Failure { queue, recipients: given_up, to: sender };
        let asked = self.ask(errand, (Query::Compose(notice), Gate::Durable), turn);
        if asked {
            self.work.get_mut(&queue).expect("it is in the queue").composing = true;
        } else {
            self.arm_retry(queue, turn);
        }
    }

    /// The message is late: the sender is told once.
    pub(crate) fn delay_due(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        let Some(message) = self.spool.queue.get(&queue) else { return };
        let Some(sender) = message.envelope.sender.clone() else { return };
        let waiting = self.standing(queue, |place| !matches!(place, Place::Notice(_)));
        let to_tell = self.to_tell(queue, &waiting, |notify| notify.delay);
        if to_tell.is_empty() || message.delayed {
            return;
        }
        clause!(CU_033);
        let notice = self.notice(queue, NoticeKind::Delay, sender.clone(), to_tell, turn);
        let question = (Query::Compose(notice), Gate::Durable);
        if !self.ask(Errand::Delay { queue, to: sender }, question, turn) {
            self.delay_again(queue, turn);
        }
    }

    /// The delay notice could not be written now.
    fn delay_again(&self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        if self.work.contains_key(&queue) {
            let policy = &turn.config.policy;
            turn.arm(Timer::Delay(queue), policy.wait_after(policy.steady_after()));
        }
    }

    /// The host has composed a failure notice: the recipients leave and the notice is queued by one
    /// change.
    pub(crate) fn failure_composed(
        &mut self,
        (queue, recipients, to): (QueueId, Vec<u32>, Address),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(work) = self.work.get_mut(&queue) else {
            // Only a planted bug returns what can still go another way.
            assert!(turn.fault("bounce-while-in-doubt"), "who is given up keeps the message here");
            return;
        };
        work.composing = false;
        let Answer::Composed(body) = answer else { return self.arm_retry(queue, turn) };
        let notice = self.notice_message(to, body, turn);
        let dsn = notice.0;
        turn.tell(Event::Returned { queue, recipients: recipients.clone(), notice: dsn });
        let change =
            Change::Removed { queue, recipients: recipients.clone(), notice: Some(notice) };
        self.finish(queue, &recipients, change, turn);
        self.take_up(dsn);
        self.set_going(dsn, turn);
        if self.work.contains_key(&queue) {
            self.compose(queue, turn);
        }
    }

    /// The host has composed a delay notice.
    pub(crate) fn delay_composed(
        &mut self,
        (queue, to): (QueueId, Address),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Answer::Composed(body) = answer else { return self.delay_again(queue, turn) };
        if !self.spool.queue.contains_key(&queue) {
            return self.discard(body.key, Gate::Now, turn);
        }
        let notice = self.notice_message(to, body, turn);
        let dsn = notice.0;
        turn.tell(Event::Delayed { queue, notice: dsn });
        self.store_change(Change::Delayed { queue, notice }, turn);
        self.take_up(dsn);
        self.set_going(dsn, turn);
    }

    fn arm_retry(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        let work = self.work.get_mut(&queue).expect("a message in the queue has its work");
        if work.waiting {
            return;
        }
        clause!(CU_010);
        let policy = &turn.config.policy;
        let wait = policy.wait_after(work.attempts);
        let wait = if turn.fault("retry-ignores-schedule") { Span::minutes(1) } else { wait };
        // The count only chooses the wait; beyond the schedule it would only grow.
        work.attempts = (work.attempts + 1).min(policy.steady_after());
        work.waiting = true;
        turn.arm(Timer::Retry(queue), wait);
    }

    fn to_tell(
        &self,
        queue: QueueId,
        indexes: &[u32],
        wants: impl Fn(Notify) -> bool,
    ) -> Vec<(Recipient, Refusal)> {
        let places = &self.work[&queue].places;
        let recipients = self.spool.queue[&queue].envelope.recipients.iter();
        let told = recipients.filter(|r| indexes.contains(&r.index) && wants(r.notify));
        told.map(|recipient| (recipient.clone(), why(&places[&recipient.index]))).collect()
    }

    fn notice(
        &self,
        queue: QueueId,
        kind: NoticeKind,
        to: Address,
        recipients: Vec<(Recipient, Refusal)>,
        turn: &Turn<'_, '_>,
    ) -> Notice {
        let Message { envelope, body, .. } = &self.spool.queue[&queue];
        let Envelope { origin, envid, arrived, ret, .. } = envelope.clone();
        let reporter = turn.config.member.clone();
        Notice { kind, reporter, to, origin, envid, arrived, ret, recipients, body: *body }
    }

    /// A DSN as a message of our own: from nobody, and new.
    fn notice_message(
        &mut self,
        to: Address,
        body: Body,
        turn: &Turn<'_, '_>,
    ) -> (QueueId, Message) {
        let queue = self.spool.next();
        let recipient =
            Recipient { index: 0, address: to, notify: Notify::default(), original: None };
        let by = turn.config.member.0.clone();
        let hops = alloc::vec![self.hop(by, String::from("LOCAL"), &queue_name(queue), turn)];
        let envelope = Envelope {
            origin: self.mint_origin(turn),
            sender: None,
            recipients: alloc::vec![recipient],
            arrived: turn.cx.now,
            expires: turn.cx.now + Span::hours(u64::from(turn.config.policy.expiry_hours)),
            ret: None,
            envid: None,
            smtputf8: false,
            hops,
            routed_by: Default::default(),
            fields: Vec::new(),
            rules_due: false,
        };
        (queue, Message::new(envelope, body))
    }
}

/// What a notice says of a recipient that stands here.
fn why(place: &Place) -> Refusal {
    match place {
        Place::Notice(refusal) => refusal.clone(),
        Place::Retry { why, .. } => Refusal::new(451, "4.4.0", why),
        Place::Doubt(member) => {
            Refusal::new(451, "4.4.0", &alloc::format!("waiting for the answer of {member}"))
        }
        Place::Table | Place::Line(_) | Place::Underway(_) => {
            Refusal::new(451, "4.4.0", "waiting for a connection")
        }
    }
}
