//! The side that has custody and wants one result for each recipient.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Said, Sending, Talk};
use crate::clause;
use crate::protocol::member::{Endpoint, Event, Line, Member, Pdu, Timer, Turn};
use crate::protocol::queue::{Change, Doubtful, Ending, Place, Route};
use crate::protocol::submit::{DOUBT_INTERVAL, is_conflict, is_verdict};
use crate::wire::ids::{ConnectionId, MemberName, OriginId, QueueId};
use crate::wire::message::Outcome;

impl Member {
    /// There is something for this host: uses the connection to it, or opens the only one.
    pub(crate) fn reach_host(&mut self, host: &MemberName, turn: &mut Turn<'_, '_>) {
        if *host == turn.config.member {
            return self.settle_own_doubts(turn);
        }
        let open = self.lines.iter().find_map(|(connection, line)| match line {
            Line::Sending(sending) if sending.host == *host => Some(*connection),
            _ => None,
        });
        // One connection at a time: a newer one tells the host that the older one is dead.
        clause!(DE_001);
        if let Some(connection) = open {
            return self.pump_delivery(connection, turn);
        }
        let connection = self.allot();
        let sending =
            Sending { host: host.clone(), up: false, talk: Talk::Idle, asked: BTreeSet::new() };
        self.lines.insert(connection, Line::Sending(sending));
        turn.cx.open(connection, Endpoint::Deliver(host.clone()));
    }

    /// Says the next thing on a connection that waits for nothing.
    pub(crate) fn pump_delivery(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        let Some(Line::Sending(sending)) = self.lines.get(&connection) else { return };
        if !sending.up || sending.talk != Talk::Idle {
            return;
        }
        let host = sending.host.clone();
        if let Some(queue) = self.next_inquiry(connection, &host) {
            return self.inquire(connection, queue, &host, turn);
        }
        let route = Route::Deliver(host.clone());
        while let Some(queue) = self.first_in_line(&route) {
            let recipients = self.still_meant(queue, &route, turn);
            // Who is routed anew may find the account here at once, and take the connection.
            if !self.is_idle(connection) {
                return;
            }
            if recipients.is_empty() {
                continue;
            }
            self.put_all(queue, &recipients, &Place::Underway(route));
            clause!(DE_002);
            let (marked, epochs) =
                (recipients.clone(), self.epochs_of(queue, &recipients, turn.config));
            let change = Change::Delivering { queue, host, recipients: marked, epochs };
            self.store_change(change, turn);
            return self.deliver(connection, queue, recipients, turn);
        }
        self.hang_up(connection, turn);
    }

    /// Whether nothing is waited for on a connection.
    fn is_idle(&self, connection: ConnectionId) -> bool {
        let line = self.lines.get(&connection);
        matches!(line, Some(Line::Sending(sending)) if sending.talk == Talk::Idle)
    }

    /// The next message about which the host is to be asked on this connection. What it has not answered there is asked
    /// for on a later one.
    fn next_inquiry(&mut self, connection: ConnectionId, host: &MemberName) -> Option<QueueId> {
        let Some(Line::Sending(sending)) = self.lines.get_mut(&connection) else { return None };
        let queues = self.inquiries.get_mut(host)?;
        let queue = queues.iter().find(|queue| !sending.asked.contains(queue)).copied()?;
        sending.asked.insert(queue);
        queues.remove(&queue);
        if queues.is_empty() {
            self.inquiries.remove(host);
        }
        Some(queue)
    }

    fn deliver(
        &mut self,
        connection: ConnectionId,
        queue: QueueId,
        recipients: Vec<u32>,
        turn: &mut Turn<'_, '_>,
    ) {
        let mut parcel = self.parcel(queue, &recipients, turn);
        clause!(DE_041);
        parcel.epochs = self.epochs_of(queue, &recipients, turn.config);
        let open = recipients.into_iter().collect();
        self.set_talk(connection, Talk::Delivering { queue, open });
        turn.cx.send_durable(connection, Pdu::Deliver(parcel));
        self.expect_answer(connection, turn);
    }

    fn inquire(
        &mut self,
        connection: ConnectionId,
        queue: QueueId,
        host: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(DE_003);
        self.ask_where_it_is(queue, Some(host), turn);
        if !self.is_idle(connection) {
            return self.ask_again(queue, host);
        }
        let doubtful =
            self.standing(queue, |place| matches!(place, Place::Doubt(with) if with == host));
        let Some(message) = self.spool.queue.get(&queue) else {
            return self.pump_delivery(connection, turn);
        };
        let marked = message.deliveries.get(host).cloned().unwrap_or_default();
        let recipients = message.envelope.recipients.iter();
        let indexes: Vec<u32> = marked.iter().copied().collect();
        let epochs = self.epochs_of(queue, &indexes, turn.config);
        let epoch = |index: &u32| epochs.get(index).copied().unwrap_or_default();
        let asked = recipients
            .filter(|r| doubtful.contains(&r.index) && marked.contains(&r.index))
            .map(|r| (r.index, r.address.clone(), epoch(&r.index)));
        let recipients: Vec<_> = asked.collect();
        if recipients.is_empty() {
            return self.pump_delivery(connection, turn);
        }
        let (origin, arrived) = (message.envelope.origin.clone(), message.envelope.arrived);
        let open = recipients.iter().map(|(index, ..)| *index).collect();
        self.set_talk(connection, Talk::Inquiring { queue, open, again: Vec::new() });
        turn.say(connection, Pdu::Inquire { origin, recipients, arrived: Some(arrived) });
        self.expect_answer(connection, turn);
    }

    /// The host says what became of one recipient, or that it knows nothing of it.
    pub(crate) fn delivery_result(
        &mut self,
        connection: ConnectionId,
        (origin, index): (OriginId, u32),
        said: Said,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(Line::Sending(sending)) = self.lines.get_mut(&connection) else { return };
        let host = sending.host.clone();
        let inquiring = matches!(sending.talk, Talk::Inquiring { .. });
        let waits = sending.talk.waits_for(index);
        let expected = waits.filter(|queue| self.spool.queue[queue].envelope.origin == origin);
        let is_about_doubt = matches!(said, Said::Unknown | Said::NoJournal);
        let Some(queue) = expected.filter(|_| !is_about_doubt || inquiring) else {
            return self.misbehaved(connection, "a result that nobody waits for", turn);
        };
        sending.talk.answered(index, said == Said::Unknown);
        self.expect_answer(connection, turn);
        match said {
            Said::Outcome(outcome) => self.settle_delivery(queue, index, &host, outcome, turn),
            Said::Moved(to) if inquiring => self.doubt_moved(queue, index, to, turn),
            Said::Moved(to) => self.delivery_moved(queue, index, to, turn),
            Said::NoJournal => self.doubt_for_ever(queue, index, &host, turn),
            Said::Unknown => {}
        }
        self.talk_on(connection, queue, turn);
    }

    pub(super) fn settle_delivery(
        &mut self,
        queue: QueueId,
        index: u32,
        host: &MemberName,
        outcome: Outcome,
        turn: &mut Turn<'_, '_>,
    ) {
        match outcome {
            Outcome::Delivered => {
                clause!(DE_004);
                turn.tell(Event::Delivered { queue, index });
                self.succeed(queue, index, Ending::Delivered, turn);
            }
            Outcome::Refused(refusal) if is_verdict(&refusal) => {
                clause!(DE_005);
                self.give_up(queue, index, refusal, turn);
            }
            Outcome::Refused(refusal) => {
                clause!(DE_006);
                if is_conflict(&refusal) {
                    self.hold(queue, "the host knows its id with another content", turn);
                }
                let (host, recipients) = (host.clone(), alloc::vec![index]);
                let route = Route::Deliver(host.clone());
                clause!(DE_045);
                self.store_change(Change::Undelivered { queue, host, recipients }, turn);
                self.retry_later(queue, &[index], Some(&route), &alloc::format!("{refusal}"), turn);
            }
        }
    }

    /// Nobody can say whether the host has stored it. No loss comes before no duplicate.
    fn doubt_for_ever(
        &mut self,
        queue: QueueId,
        index: u32,
        host: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(DE_072);
        clause!(DE_087);
        self.suspect(queue, &[index], Doubtful::Host(host.clone()), turn);
        let why = "its result was lost, and the host's journal does not have it";
        self.retry_later(queue, &[index], Some(&Route::Deliver(host.clone())), why, turn);
    }

    /// After an answer: waits for the next, delivers what the host knows nothing of, or goes on.
    fn talk_on(&mut self, connection: ConnectionId, queue: QueueId, turn: &mut Turn<'_, '_>) {
        let Some(Line::Sending(sending)) = self.lines.get_mut(&connection) else { return };
        let again = match &mut sending.talk {
            Talk::Inquiring { open, again, .. } if open.is_empty() => core::mem::take(again),
            Talk::Delivering { open, .. } if open.is_empty() => Vec::new(),
            _ => return,
        };
        sending.talk = Talk::Idle;
        self.heard(connection, turn);
        let is_stopped = self.spool.queue.get(&queue).is_some_and(|m| m.damage.is_some());
        if again.is_empty() || is_stopped {
            // In quarantine they stay in doubt: only delivering again would settle it.
            return self.pump_delivery(connection, turn);
        }
        // "Unknown" is no fence, so nobody is released by it: only delivering again settles it.
        clause!(DE_007);
        self.deliver(connection, queue, again, turn);
    }

    /// The connection is gone: whoever is without an answer is in doubt, the others go on.
    pub(crate) fn sending_lost(&mut self, sending: Sending, turn: &mut Turn<'_, '_>) {
        let Sending { host, up, talk, .. } = sending;
        if let Some((queue, open)) = talk.unanswered() {
            self.doubt_delivery(queue, &open, &host, turn);
        }
        if self.inquiries.contains_key(&host) {
            turn.arm(Timer::Doubt(host.clone()), DOUBT_INTERVAL);
        }
        let route = Route::Deliver(host.clone());
        if !self.lanes.contains_key(&route) {
            return;
        }
        if up {
            return self.reach_host(&host, turn);
        }
        self.fail_lane(&route, "the host cannot be reached", turn);
    }

    /// These recipients are in doubt with the host: it may have stored them.
    pub(super) fn doubt_delivery(
        &mut self,
        queue: QueueId,
        recipients: &[u32],
        host: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) {
        if recipients.is_empty() {
            return;
        }
        if turn.fault("lost-result-is-success") {
            for index in recipients {
                self.succeed(queue, *index, Ending::Delivered, turn);
            }
            return;
        }
        if turn.fault("delivers-without-asking") {
            let route = Route::Deliver(host.clone());
            return self.retry_later(queue, recipients, Some(&route), "no result", turn);
        }
        clause!(DE_008);
        clause!(DE_040);
        self.put_all(queue, recipients, &Place::Doubt(host.clone()));
        self.inquiries.entry(host.clone()).or_default().insert(queue);
        let (peer, recipients) = (host.clone(), recipients.to_vec());
        self.ask_for_owner(queue, &recipients, true, turn);
        turn.tell(Event::InDoubt { queue, peer, recipients });
    }

    /// Nobody in line for `route` can leave now.
    pub(crate) fn fail_lane(&mut self, route: &Route, why: &str, turn: &mut Turn<'_, '_>) {
        let queues: Vec<QueueId> = self.lanes.get(route).into_iter().flatten().copied().collect();
        for queue in queues {
            let recipients = self.in_line(queue, route);
            self.retry_later(queue, &recipients, Some(route), why, turn);
        }
    }

    /// Gives up the connection to a host; what is without a result on it is in doubt.
    pub(crate) fn close_deliveries(&mut self, host: &MemberName, turn: &mut Turn<'_, '_>) {
        let open = self.lines.iter().find_map(|(connection, line)| match line {
            Line::Sending(sending) if sending.host == *host => Some(*connection),
            _ => None,
        });
        if let Some(connection) = open {
            self.hang_up(connection, turn);
        }
    }

    fn set_talk(&mut self, connection: ConnectionId, talk: Talk) {
        match self.lines.get_mut(&connection) {
            Some(Line::Sending(sending)) => sending.talk = talk,
            _ => unreachable!("the caller looked the connection up"),
        }
    }
}
