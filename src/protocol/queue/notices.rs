//! When a message is tried again, when its sender hears of it, and how it is returned.

use alloc::string::String;
use alloc::vec::Vec;

use super::intake::queue_name;
use super::{Change, Ending, Message, Place, Route};
use crate::clause;
use crate::kernel::{Gate, Span};
use crate::protocol::linkstate::Way;
use crate::protocol::member::{
    Answer, Errand, Event, Member, Notice, NoticeKind, Query, Timer, Turn,
};
use crate::wire::ids::QueueId;
use crate::wire::message::{Address, Body, Envelope, Notify, Recipient, Refusal, Return};
use crate::wire::restrictions::Priority;

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
        if message.damage.is_none() {
            turn.arm(Timer::Expire(queue), expiry);
        }
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
        match failed {
            Some(Route::Way(Way::Member(peer))) => self.end_turn(queue, indexes, peer, turn),
            Some(Route::Deliver(_) | Route::Local) => {
                self.ask_for_owner(queue, indexes, false, turn);
            }
            _ => {}
        }
        self.end_following(queue, indexes);
        if self.work[&queue].expired && self.spool.queue[&queue].damage.is_none() {
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
        if self.spool.queue.get(&queue).is_some_and(|message| !message.is_stopped()) {
            let due = self.standing(queue, |place| matches!(place, Place::Retry { .. }));
            self.route(queue, &due, turn);
        }
    }

    /// The time of a message is over: whoever is not in doubt is returned.
    pub(crate) fn expire(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        if self.spool.queue.get(&queue).is_none_or(|message| message.damage.is_some()) {
            return;
        }
        clause!(CU_032);
        self.work.get_mut(&queue).expect("a message in the queue has its work").expired = true;
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
        self.put_all(queue, indexes, &Place::Notice(Ending::Refused(refusal)));
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
        self.put(queue, index, Place::Notice(Ending::Refused(refusal)));
        self.compose(queue, turn);
    }

    /// A recipient has its copy: it leaves, with a word to the sender where one was asked for.
    pub(crate) fn succeed(
        &mut self,
        queue: QueueId,
        index: u32,
        ending: Ending,
        turn: &mut Turn<'_, '_>,
    ) {
        let taken = self.is_waited_for((queue, index), turn.config);
        if self.is_to_confirm(queue, index) {
            clause!(CU_062);
            self.end(queue, &[index], ending, turn);
        } else {
            let recipients = alloc::vec![index];
            let change = Change::Removed { queue, recipients, notice: None };
            self.finish(queue, &[index], change, turn);
        }
        if let Some(account) = taken {
            self.owner_takes_mail(&account, turn);
        }
    }

    /// How recipients ended is durable from now on: nothing is tried for them any more, whatever happens
    /// before their sender is told.
    pub(crate) fn end(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        ending: Ending,
        turn: &mut Turn<'_, '_>,
    ) {
        let recipients = indexes.to_vec();
        self.store_change(Change::Ended { queue, recipients, ending: ending.clone() }, turn);
        self.tell_of(queue, indexes, ending, turn);
    }

    /// How recipients ended stands in the queue: their sender is told.
    pub(crate) fn tell_of(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        ending: Ending,
        turn: &mut Turn<'_, '_>,
    ) {
        self.put_all(queue, indexes, &Place::Notice(ending));
        self.compose(queue, turn);
    }

    /// Whether the sender wants to hear that this recipient has its copy.
    pub(crate) fn is_to_confirm(&self, queue: QueueId, index: u32) -> bool {
        !self.will_hear(queue, &[index], NoticeKind::Success).is_empty()
    }

    /// The recipients of whose end the sender wants to hear.
    pub(crate) fn will_hear(&self, queue: QueueId, indexes: &[u32], kind: NoticeKind) -> Vec<u32> {
        let envelope = &self.spool.queue[&queue].envelope;
        let recipients = envelope.recipients.iter().filter(|_| envelope.sender.is_some());
        let heard = recipients.filter(|r| indexes.contains(&r.index) && wants(kind)(r.notify));
        heard.map(|recipient| recipient.index).collect()
    }

    /// Has a notice composed about everyone who has ended, unless one is in the making: first about those
    /// who are given up, then about those who have their copies.
    pub(crate) fn compose(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        // A message that a boot sets going may be done at once, where the account's journal knows it.
        let Some(message) = self.spool.queue.get(&queue) else { return };
        // Whether the sender is told of the end of a message in quarantine is the operator's decision.
        if message.damage.is_some() {
            return;
        }
        for kind in [NoticeKind::Failure, NoticeKind::Success] {
            let Some(work) = self.work.get(&queue).filter(|work| !work.composing) else { return };
            let is_about = |place: &Place| match place {
                Place::Notice(Ending::Refused(_)) => kind == NoticeKind::Failure,
                Place::Notice(_) => kind == NoticeKind::Success,
                _ => false,
            };
            let ended = work.standing(is_about);
            if !ended.is_empty() {
                self.compose_about(queue, kind, ended, turn);
            }
        }
    }

    fn compose_about(
        &mut self,
        queue: QueueId,
        kind: NoticeKind,
        ended: Vec<u32>,
        turn: &mut Turn<'_, '_>,
    ) {
        let envelope = &self.spool.queue[&queue].envelope;
        let sender = match &envelope.sender {
            None if turn.fault("dsn-about-null-sender") => envelope.recipients.first(),
            _ => None,
        };
        let sender = envelope.sender.clone().or_else(|| Some(sender?.address.clone()));
        let to_tell = self.to_tell(queue, &ended, kind);
        // A notice about a notice would never end, and some senders want to hear of nothing.
        let Some(sender) = sender.filter(|_| !to_tell.is_empty()) else {
            clause!(CU_031);
            turn.tell(Event::Dropped { queue, recipients: ended.clone() });
            let change = Change::Removed { queue, recipients: ended.clone(), notice: None };
            return self.finish(queue, &ended, change, turn);
        };
        let notice = self.notice(queue, kind, sender.clone(), to_tell, turn);
        let errand = Errand::Notice { kind, queue, recipients: ended, to: sender };
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
        let to_tell = self.to_tell(queue, &waiting, NoticeKind::Delay);
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

    /// The host has composed a notice about recipients that have ended: they leave and the notice is
    /// queued by one change.
    pub(crate) fn notice_composed(
        &mut self,
        kind: NoticeKind,
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
        if turn.fault("notice-told-twice") {
            let (_, again) = self.notice_message(to.clone(), body, turn);
            let again = self.enqueue(again, None, turn);
            self.set_going(again, turn);
        }
        let notice = self.notice_message(to, body, turn);
        let dsn = notice.0;
        let is_split = match kind {
            NoticeKind::Success => turn.fault("confirmed-before-removal"),
            NoticeKind::Failure => turn.fault("returned-before-removal"),
            NoticeKind::Delay => false,
        };
        if is_split {
            self.enqueue(notice.1, None, turn);
            self.set_going(dsn, turn);
            let change = Change::Removed { queue, recipients: recipients.clone(), notice: None };
            self.finish(queue, &recipients, change, turn);
            return self.compose_rest(queue, turn);
        }
        let ended = recipients.clone();
        turn.tell(if kind == NoticeKind::Success {
            clause!(CU_060);
            Event::Confirmed { queue, recipients: ended, notice: dsn }
        } else {
            Event::Returned { queue, recipients: ended, notice: dsn }
        });
        let change =
            Change::Removed { queue, recipients: recipients.clone(), notice: Some(notice) };
        self.finish(queue, &recipients, change, turn);
        self.take_up(dsn);
        self.set_going(dsn, turn);
        self.compose_rest(queue, turn);
    }

    /// Others may have ended while a notice was written.
    fn compose_rest(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
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
        work.attempts = work.attempts.saturating_add(1).min(policy.steady_after());
        work.waiting = true;
        turn.arm(Timer::Retry(queue), wait);
    }

    fn to_tell(
        &self,
        queue: QueueId,
        indexes: &[u32],
        kind: NoticeKind,
    ) -> Vec<(Recipient, Ending)> {
        let places = &self.work[&queue].places;
        let recipients = self.spool.queue[&queue].envelope.recipients.iter();
        let told = recipients.filter(|r| indexes.contains(&r.index) && wants(kind)(r.notify));
        told.map(|recipient| (recipient.clone(), said_of(&places[&recipient.index]))).collect()
    }

    fn notice(
        &self,
        queue: QueueId,
        kind: NoticeKind,
        to: Address,
        recipients: Vec<(Recipient, Ending)>,
        turn: &Turn<'_, '_>,
    ) -> Notice {
        let Message { envelope, body, damage, .. } = &self.spool.queue[&queue];
        let Envelope { origin, envid, arrived, ret, .. } = envelope.clone();
        let ret = if turn.fault("notice-returns-all") { Some(Return::Full) } else { ret };
        let reporter = turn.config.member.clone();
        clause!(CU_044);
        let body = damage.is_none().then_some(*body);
        Notice { kind, reporter, to, origin, envid, arrived, ret, recipients, body }
    }

    /// A DSN as a message of our own: from nobody, and new.
    fn notice_message(
        &mut self,
        to: Address,
        body: Body,
        turn: &Turn<'_, '_>,
    ) -> (QueueId, Message) {
        let queue = self.spool.next();
        let recipient = Recipient {
            index: 0,
            address: to,
            notify: Notify::default(),
            original: None,
            suspect: false,
        };
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
            content: None,
            rules_due: false,
            unqueued: turn.config.submits(),
            attempts: 0,
            submitter: None,
            priority: Priority::Normal,
        };
        (queue, Message::new(envelope, body))
    }
}

/// Which notices the sender asked for.
const fn wants(kind: NoticeKind) -> fn(Notify) -> bool {
    match kind {
        NoticeKind::Failure => |notify| notify.failure,
        NoticeKind::Delay => |notify| notify.delay,
        NoticeKind::Success => |notify| notify.success,
    }
}

/// What a notice says of a recipient that stands here.
fn said_of(place: &Place) -> Ending {
    let later = |why: &str| Ending::Refused(Refusal::new(451, "4.4.0", why));
    match place {
        Place::Notice(ending) => ending.clone(),
        Place::Retry { why, .. } => later(why),
        Place::Doubt(member) => later(&alloc::format!("waiting for the answer of {member}")),
        Place::Table | Place::Line(_) | Place::Underway(_) => later("waiting for a connection"),
    }
}
