//! Orders about the queue. Custody comes first: who is in doubt, or may be reached by an attempt that is
//! under way, is neither returned nor removed.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{Action, Item, Ordered, Selection, TEXT_LIMIT_OCTETS};
use crate::clause;
use crate::protocol::member::{Event, Member, NoticeKind, Timer, Turn};
use crate::protocol::queue::{Change, Ending, Place, queue_name};
use crate::wire::ids::{MemberName, QueueId};
use crate::wire::message::{Address, Refusal};

/// What one order says about one message.
struct Case<'a> {
    queue: QueueId,
    /// The recipients that the selection names.
    indexes: &'a [u32],
    /// The operator named the message itself, and is told even that nothing was to be done.
    named: bool,
    answer: &'a mut Ordered,
}

impl Member {
    pub(super) fn order_queue(
        &mut self,
        action: &Action,
        which: &Selection,
        turn: &mut Turn<'_, '_>,
    ) -> Ordered {
        let mut answer = Ordered::default();
        if let Some(problem) = objection(action, which) {
            answer.refused.push(Item::whole(action.name(), problem));
            return answer;
        }
        clause!(CU_051);
        let selected = self.select(which, turn.cx.now);
        for id in &which.ids {
            if let Some(problem) = self.not_there(id, &selected) {
                answer.refused.push(Item::whole(id, problem));
            }
        }
        for (queue, indexes) in &selected {
            if !self.spool.queue.contains_key(queue) {
                continue;
            }
            let damaged = self.spool.queue[queue].damage.is_some();
            if damaged && matches!(action, Action::Retry | Action::Bounce { .. }) {
                clause!(CU_058);
                let text = "it is in quarantine: put its body right and start again, or remove it";
                answer.refused.push(Item::whole(&queue_name(*queue), text));
                continue;
            }
            let (queue, named, answer) = (*queue, !which.ids.is_empty(), &mut answer);
            let case = Case { queue, indexes, named, answer };
            match action {
                Action::Hold { reason } => self.order_hold(case, reason.as_deref(), turn),
                Action::Release => self.order_release(case, turn),
                Action::Retry => self.order_retry(case, turn),
                Action::Bounce { text } => self.order_bounce(case, text.as_deref(), turn),
                Action::Remove => self.order_remove(case, turn),
            }
        }
        answer
    }

    fn not_there(&self, id: &str, selected: &[(QueueId, Vec<u32>)]) -> Option<&'static str> {
        let Ok(queue) = id.parse::<QueueId>() else {
            return Some("no queue id: expected 16 hexadecimal digits");
        };
        if !self.spool.queue.contains_key(&queue) {
            return Some("no such message in the queue");
        }
        let is_selected = selected.iter().any(|(known, _)| *known == queue);
        (!is_selected).then_some("the filters do not fit it")
    }

    fn order_hold(&mut self, case: Case<'_>, reason: Option<&str>, turn: &mut Turn<'_, '_>) {
        if let Some(why) = &self.spool.queue[&case.queue].held {
            return case.idle(&alloc::format!("it is held already: {why}"));
        }
        let reason = reason.unwrap_or("by the operator");
        self.tell_order("hold", case.queue, &[], turn);
        self.hold(case.queue, reason, turn);
        let text = match self.standing(case.queue, is_busy).len() {
            0 => String::from("held"),
            busy => alloc::format!("held; {busy} under way or in doubt run to their end"),
        };
        case.whole(&text);
    }

    fn order_release(&mut self, case: Case<'_>, turn: &mut Turn<'_, '_>) {
        let queue = case.queue;
        if self.spool.queue[&queue].held.is_none() {
            return case.idle("it is not held");
        }
        clause!(CU_053);
        self.tell_order("release", queue, &[], turn);
        self.store_change(Change::Resumed { queue }, turn);
        case.whole("released");
        let waiting = self.standing(queue, is_waiting);
        self.route(queue, &waiting, turn);
    }

    fn order_retry(&mut self, mut case: Case<'_>, turn: &mut Turn<'_, '_>) {
        let queue = case.queue;
        let [waiting, doubtful, ended, others] = self.sorted(&case, |place| match place {
            Place::Table | Place::Retry { .. } => 0,
            // Mail for a server that rests only looks as if it had been set going.
            Place::Line(route) if self.rests(route) => 0,
            Place::Doubt(_) => 1,
            Place::Notice(_) => 2,
            Place::Line(_) | Place::Underway(_) => 3,
        });
        let is_held = self.spool.queue[&queue].held.is_some();
        clause!(CU_054);
        let to_try = if is_held { &[][..] } else { &waiting };
        let tried = [to_try, &doubtful, &ended].concat();
        if !tried.is_empty() {
            self.tell_order("retry", queue, &tried, turn);
        }
        if is_held {
            self.note(&mut case, &waiting, Err("it is held: release it"));
        } else {
            self.note(&mut case, &waiting, Ok("tried now"));
        }
        self.note(&mut case, &doubtful, Ok("in doubt: asked for now"));
        self.note(&mut case, &ended, Ok("it has ended: its notice is written now"));
        self.note(&mut case, &others, Err("it is in line, or an attempt is under way"));
        for peer in self.peers_in_doubt(queue, &doubtful) {
            self.timer(Timer::Doubt(peer), turn);
        }
        if !ended.is_empty() {
            self.compose(queue, turn);
        }
        if !to_try.is_empty() {
            self.end_rests(turn);
            self.route(queue, to_try, turn);
        }
    }

    fn order_bounce(&mut self, mut case: Case<'_>, text: Option<&str>, turn: &mut Turn<'_, '_>) {
        let queue = case.queue;
        let [free, ended] = self.without_busy(&mut case, turn);
        self.note(&mut case, &ended, Err("it has ended already: its notice is being written"));
        if free.is_empty() {
            return;
        }
        let text = text.unwrap_or("returned by the operator");
        let ending = Ending::Refused(Refusal::new(550, "5.7.1", text));
        let heard = self.will_hear(queue, &free, NoticeKind::Failure);
        let silent: Vec<u32> =
            free.iter().filter(|index| !heard.contains(index)).copied().collect();
        self.note(&mut case, &heard, Ok("returned to the sender"));
        self.note(&mut case, &silent, Ok("removed: nobody wants to be told"));
        self.tell_order("bounce", queue, &free, turn);
        // The fate is durable before the notice is written: whatever happens in between, nobody tries
        // again what the operator was told is returned.
        clause!(CU_055);
        self.end(queue, &free, ending, turn);
    }

    fn order_remove(&mut self, mut case: Case<'_>, turn: &mut Turn<'_, '_>) {
        let queue = case.queue;
        let [mut gone, ended] = self.without_busy(&mut case, turn);
        clause!(CU_056);
        self.note(&mut case, &gone, Ok("removed"));
        if self.work[&queue].composing {
            self.note(&mut case, &ended, Err("it has ended already: its notice is being written"));
        } else {
            self.note(&mut case, &ended, Ok("it had ended already: its notice is removed"));
            gone.extend(ended);
        }
        if gone.is_empty() {
            return;
        }
        self.tell_order("remove", queue, &gone, turn);
        let change = Change::Removed { queue, recipients: gone.clone(), notice: None };
        self.finish(queue, &gone, change, turn);
    }

    /// Refuses the order for who is in doubt or under way; the others, those who stand somewhere first,
    /// then those who have ended.
    fn without_busy(&self, case: &mut Case<'_>, turn: &Turn<'_, '_>) -> [Vec<u32>; 2] {
        let ignores = turn.fault("order-ignores-doubt");
        let [free, ended, underway, doubtful] = self.sorted(case, |place| match place {
            Place::Table | Place::Line(_) | Place::Retry { .. } => 0,
            Place::Notice(_) => 1,
            Place::Underway(_) => 2,
            Place::Doubt(_) if ignores => 0,
            Place::Doubt(_) => 3,
        });
        clause!(CU_057);
        let text = "an attempt is under way: hold it, and order again when the attempt has ended";
        self.note(case, &underway, Err(text));
        for peer in self.peers_in_doubt(case.queue, &doubtful) {
            let with = |place: &Place| matches!(place, Place::Doubt(with) if *with == peer);
            let text = alloc::format!("in doubt: {peer} may have it");
            self.note(case, &self.standing(case.queue, with), Err(&text));
        }
        [free, ended]
    }

    /// The recipients of a case by where they stand.
    fn sorted<const N: usize>(
        &self,
        case: &Case<'_>,
        class: impl Fn(&Place) -> usize,
    ) -> [Vec<u32>; N] {
        let mut sorted = [const { Vec::new() }; N];
        let places = &self.work[&case.queue].places;
        for index in case.indexes {
            if let Some(place) = places.get(index) {
                sorted[class(place)].push(*index);
            }
        }
        sorted
    }

    /// The members with which these recipients are in doubt, each once.
    fn peers_in_doubt(&self, queue: QueueId, indexes: &[u32]) -> Vec<MemberName> {
        let places = &self.work[&queue].places;
        let peers = indexes.iter().filter_map(|index| match places.get(index) {
            Some(Place::Doubt(peer)) => Some(peer.clone()),
            _ => None,
        });
        let mut peers: Vec<MemberName> = peers.collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// Says in the answer what was done with these recipients, or why nothing was.
    fn note(&self, case: &mut Case<'_>, indexes: &[u32], what: Result<&str, &str>) {
        let indexes: Vec<u32> =
            indexes.iter().filter(|index| case.indexes.contains(index)).copied().collect();
        if indexes.is_empty() {
            return;
        }
        let envelope = &self.spool.queue[&case.queue].envelope;
        let recipients = envelope.recipients.iter().filter(|r| indexes.contains(&r.index));
        let recipients: Vec<Address> = recipients.map(|r| r.address.clone()).collect();
        let item = |text: &str| Item { of: queue_name(case.queue), recipients, text: text.into() };
        match what {
            Ok(text) => case.answer.done.push(item(text)),
            Err(text) => case.answer.refused.push(item(text)),
        }
    }

    fn tell_order(
        &self,
        action: &str,
        queue: QueueId,
        recipients: &[u32],
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(CU_050);
        let (action, recipients) = (action.to_string(), recipients.to_vec());
        turn.tell(Event::Ordered { queue, action, recipients });
    }
}

impl Case<'_> {
    /// Something was done with the whole message.
    fn whole(self, text: &str) {
        self.answer.done.push(Item::whole(&queue_name(self.queue), text));
    }

    /// Nothing was to be done. Only who named the message wants to know.
    fn idle(self, why: &str) {
        if self.named {
            self.answer.refused.push(Item::whole(&queue_name(self.queue), why));
        }
    }
}

/// Why an order is not even begun.
fn objection(action: &Action, which: &Selection) -> Option<&'static str> {
    if which.is_open() && !which.all {
        return Some("nothing is selected: name messages, a filter, or all");
    }
    let words = action.words().map_or("", String::as_str);
    if words.len() > TEXT_LIMIT_OCTETS {
        return Some("the text is longer than 400 octets");
    }
    words.chars().any(char::is_control).then_some("the text has a control character")
}

const fn is_busy(place: &Place) -> bool {
    matches!(place, Place::Underway(_) | Place::Doubt(_))
}

const fn is_waiting(place: &Place) -> bool {
    matches!(place, Place::Table | Place::Retry { .. })
}
