//! The external filter: what a helper program makes of a message at enqueue, behind the queue rules.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::missing::Noted;
use crate::clause;
use crate::kernel::Gate;
use crate::protocol::member::{
    Answer, Errand, Event, Filtered, Member, MemberConfig, NewMail, Query, Turn,
};
use crate::protocol::rules::Verdict;
use crate::wire::header;
use crate::wire::ids::{ConnectionId, QueueId};
use crate::wire::message::Address;

/// How the log names the filter among the rules that held.
const FILTER: &str = "the external filter";

/// Whether the filter has to see what the queue rules have made of a message.
fn is_due(config: &MemberConfig, verdict: &Verdict) -> bool {
    let goes_nowhere = verdict.discard && !verdict.passes_on();
    config.policy.filter && verdict.reject.is_none() && !goes_nowhere
}

/// What the filter has said of a message, if that can be done: with fields that could not stand in its header,
/// the message is one that cannot be filtered now.
fn understood(answer: Answer, utf8: bool, turn: &mut Turn<'_, '_>) -> Option<Filtered> {
    let Answer::Filtered(filtered) = answer else { return None };
    let Filtered::Pass { fields } = &filtered else { return Some(filtered) };
    for field in fields {
        if let Err(fault) = header::check(field, utf8) {
            clause!(RU_047);
            turn.tell(Event::FieldRefused { field: field.name.clone(), fault });
            return None;
        }
    }
    Some(filtered)
}

/// What the filter says counts for more than what the rules have said.
fn heed(filtered: Filtered, verdict: &mut Verdict) {
    clause!(RU_041);
    let mut applied = core::mem::take(&mut verdict.applied);
    let is_plain = matches!(&filtered, Filtered::Pass { fields } if fields.is_empty());
    if !is_plain {
        applied.push(String::from(FILTER));
    }
    match filtered {
        Filtered::Pass { fields } => verdict.fields.extend(fields),
        Filtered::Reject { text } => {
            *verdict = Verdict { reject: Some(text), ..Verdict::default() };
        }
        Filtered::Discard => *verdict = Verdict { discard: true, ..Verdict::default() },
    }
    verdict.applied = applied;
}

impl Member {
    /// A message from outside that the queue rules have seen: the filter sees it, where there is one.
    pub(super) fn screen(
        &mut self,
        (from, mail, noted): (ConnectionId, NewMail, Noted),
        verdict: Verdict,
        turn: &mut Turn<'_, '_>,
    ) {
        if !is_due(turn.config, &verdict) {
            return self.conclude((from, mail, noted), &verdict, turn);
        }
        clause!(RU_040);
        let body = mail.body;
        let question = Query::Filter {
            sender: mail.sender.clone(),
            recipients: mail.recipients.iter().map(|to| to.address.clone()).collect(),
            fields: verdict.fields.clone(),
            body,
        };
        let errand = Errand::Screened(from, Box::new((mail, noted, verdict)));
        if !self.ask(errand, (question, Gate::Now), turn) {
            self.discard(body.key, Gate::Now, turn);
            turn.refuse(from, 451, "4.3.2", "too many messages at once");
        }
    }

    /// The filter has judged a message from outside, or cannot now.
    pub(crate) fn screened(
        &mut self,
        (from, (mail, noted, mut verdict)): (ConnectionId, (NewMail, Noted, Verdict)),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(filtered) = understood(answer, mail.smtputf8, turn) else {
            clause!(RU_042);
            self.discard(mail.body.key, Gate::Now, turn);
            return turn.refuse(from, 451, "4.3.0", "the message cannot be filtered now");
        };
        heed(filtered, &mut verdict);
        self.conclude((from, mail, noted), &verdict, turn);
    }

    /// A message from outside is refused, or taken in.
    fn conclude(
        &mut self,
        (from, mail, noted): (ConnectionId, NewMail, Noted),
        verdict: &Verdict,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(text) = &verdict.reject else {
            return self.take_in(from, mail, (verdict, noted), turn);
        };
        clause!(RU_011);
        let rules = verdict.applied.clone();
        turn.tell(Event::Rejected { sender: mail.sender.clone(), rules });
        self.discard(mail.body.key, Gate::Now, turn);
        turn.refuse(from, 550, "5.7.1", text);
    }

    /// The queue rules have seen a message in the queue: the filter sees it, where there is one.
    pub(super) fn screen_due(&mut self, queue: QueueId, verdict: Verdict, turn: &mut Turn<'_, '_>) {
        if !is_due(turn.config, &verdict) {
            return self.ruled(queue, &verdict, turn);
        }
        clause!(RU_040);
        let message = &self.spool.queue[&queue];
        let recipients: Vec<Address> =
            message.envelope.recipients.iter().map(|to| to.address.clone()).collect();
        let question = Query::Filter {
            sender: message.envelope.sender.clone(),
            recipients,
            fields: verdict.fields.iter().chain(&message.envelope.fields).cloned().collect(),
            body: message.body,
        };
        self.work.get_mut(&queue).expect("the caller looked it up").ruling = true;
        let errand = Errand::DueScreened(queue, Box::new(verdict));
        if !self.ask(errand, (question, Gate::Durable), turn) {
            self.filter_later(queue, turn);
        }
    }

    /// The filter has judged a message in the queue, or cannot now.
    pub(crate) fn due_screened(
        &mut self,
        (queue, mut verdict): (QueueId, Verdict),
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(work) = self.work.get_mut(&queue) else { return };
        work.ruling = false;
        let utf8 = self.spool.queue.get(&queue).is_some_and(|message| message.envelope.smtputf8);
        let Some(filtered) = understood(answer, utf8, turn) else {
            return self.filter_later(queue, turn);
        };
        heed(filtered, &mut verdict);
        self.ruled(queue, &verdict, turn);
    }

    fn filter_later(&mut self, queue: QueueId, turn: &mut Turn<'_, '_>) {
        clause!(RU_042);
        let waiting = self.waiting_for_rules(queue);
        if !waiting.is_empty() {
            self.rules_must_wait(queue, &waiting, "it cannot be filtered now", turn);
        }
    }
}
