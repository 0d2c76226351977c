//! The side that has custody and hands it over.

use alloc::vec::Vec;

use super::{Attempt, Dialogue, is_conflict, is_verdict};
use crate::clause;
use crate::protocol::linkstate::{LinkCommand, Way};
use crate::protocol::member::{Event, Member, Parcel, Pdu, Turn};
use crate::protocol::queue::{Change, Ending, Place, Route, Transfer};
use crate::wire::ids::{ConnectionId, QueueId, TransferId};
use crate::wire::message::{Recipient, Refusal};

impl Member {
    /// Mail stands in line for this way: uses the connection that is ready, or asks for one.
    pub(crate) fn reach_way(&mut self, way: &Way, turn: &mut Turn<'_, '_>) {
        let ready = self.exchanges().find(|(_, line)| line.ready.as_ref() == Some(way));
        if let Some((connection, _)) = ready {
            self.pump(connection, turn);
        } else if self.is_time(way, turn) && self.wanted.insert(way.clone()) {
            self.command_link(LinkCommand::Want(way.clone()), turn);
        }
    }

    /// Says the next thing on a connection that waits for nothing.
    pub(crate) fn pump(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        let Some(line) = self.exchange(connection) else { return };
        if line.dialogue != Dialogue::Idle || line.store.is_none() {
            return;
        }
        let (peer, ready, resolver) =
            (line.member.clone(), line.ready.clone(), line.neighbour.is_none());
        // What is in doubt with this member is settled before anything new is offered to it.
        clause!(SU_020);
        let speaks = ready.is_some() || resolver;
        if speaks && self.say_release(connection, turn) {
            return;
        }
        if speaks && !self.keeps_doubt(&peer, turn) && self.resolve_next(connection, &peer, turn) {
            return;
        }
        if resolver {
            return self.hang_up(connection, turn);
        }
        let Some(way) = ready else { return };
        // News that this member has learnt since then goes first; it says again when mail may follow.
        clause!(SU_007);
        let neighbour = self.exchange(connection).and_then(|line| line.neighbour.as_ref());
        if !neighbour.is_some_and(|neighbour| self.link.may_offer(neighbour)) {
            let line = self.exchange_mut(connection).expect("it was looked up");
            line.ready = None;
            return;
        }
        let route = Route::Way(way.clone());
        let first = self.first_in_line(&route);
        if let Some(queue) = first.filter(|_| self.is_time(&way, turn)) {
            return self.offer(connection, queue, way, turn);
        }
        self.wanted.remove(&way);
        let line = self.exchange_mut(connection).expect("it was looked up");
        line.ready = None;
        self.command_link(LinkCommand::Done(way), turn);
    }

    fn offer(
        &mut self,
        connection: ConnectionId,
        queue: QueueId,
        way: Way,
        turn: &mut Turn<'_, '_>,
    ) {
        let route = Route::Way(way.clone());
        let recipients = self.in_line(queue, &route);
        assert!(!recipients.is_empty(), "a message in line has recipients in line");
        let mut parcel = self.parcel(queue, &recipients, turn);
        // The far end must not route by a smaller table than the one that sends the message there.
        clause!(CU_023);
        parcel.envelope.routed_by.extend(self.link.routing_versions());
        if let Some(own) = parcel.envelope.hops.last_mut() {
            clause!(CU_097);
            own.table = Some(self.link.routing_mark(&own.group));
        }
        clause!(SU_059);
        parcel.envelope.attempts = self.work[&queue].attempts;
        let (transfer, offer) = self.next_offer(queue, &recipients, turn);
        clause!(SU_001);
        self.put_all(queue, &recipients, &Place::Underway(route));
        let attempt = Attempt { queue, transfer: transfer.clone(), offer, way, recipients };
        self.exchange_mut(connection).expect("it was looked up").dialogue =
            Dialogue::Offered(attempt);
        turn.cx.send_durable(connection, Pdu::Offer { transfer, offer, parcel });
        self.expect_answer(connection, turn);
    }

    /// The message with only these recipients.
    pub(crate) fn parcel(&self, queue: QueueId, recipients: &[u32], turn: &Turn<'_, '_>) -> Parcel {
        let message = &self.spool.queue[&queue];
        let mut envelope = message.envelope.clone();
        envelope.recipients.retain(|recipient| recipients.contains(&recipient.index));
        // Where this member queues it after all, its policy has changed.
        envelope.unqueued &= self.is_to_submit(queue, turn.config);
        if turn.fault("renumber-index") {
            let numbered = envelope.recipients.into_iter().zip(0..);
            envelope.recipients = numbered.map(|(r, index)| Recipient { index, ..r }).collect();
        }
        for recipient in &mut envelope.recipients {
            recipient.suspect &= !turn.fault("suspect-mark-is-lost");
            recipient.original.take_if(|_| turn.fault("orcpt-is-dropped"));
        }
        Parcel { envelope, body: message.body, epochs: Default::default() }
    }

    /// The id of a hand-over outlives its attempts; the offer counts them.
    fn next_offer(
        &mut self,
        queue: QueueId,
        recipients: &[u32],
        turn: &Turn<'_, '_>,
    ) -> (TransferId, u32) {
        let transfers = &self.spool.queue[&queue].transfers;
        let before = self.work[&queue].offers.get(recipients).cloned();
        // The id of a transfer in doubt is never offered again.
        let before = before.filter(|(id, _)| transfers.get(id).is_none_or(|known| known.fenced));
        let (transfer, latest) = before.unwrap_or_else(|| (self.mint_transfer(turn), 0));
        let next = (transfer, latest + 1);
        let work = self.work.get_mut(&queue).expect("a message in line is in the queue");
        work.offers.insert(recipients.to_vec(), next.clone());
        next
    }

    /// The offer is complete at the far end: custody may move.
    pub(crate) fn transferred(
        &mut self,
        connection: ConnectionId,
        (transfer, offer): (TransferId, u32),
        turn: &mut Turn<'_, '_>,
    ) {
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        let (peer, store) = (line.member.clone(), line.store);
        let dialogue = core::mem::take(&mut line.dialogue);
        let Dialogue::Offered(attempt) = dialogue else {
            line.dialogue = dialogue;
            return self.misbehaved(connection, "TRANSFERRED without OFFER", turn);
        };
        let matches = attempt.transfer == transfer && attempt.offer == offer;
        line.dialogue = Dialogue::Offered(attempt.clone());
        if !matches {
            return self.misbehaved(connection, "TRANSFERRED of another offer", turn);
        }
        if turn.fault("hours-cut-off") && !self.is_time(&attempt.way, turn) {
            return;
        }
        let line = self.exchange_mut(connection).expect("it was looked up");
        line.dialogue = Dialogue::Committed(attempt.clone());
        let Attempt { queue, way, recipients, .. } = attempt;
        let store = store.expect("nothing is offered before HELLO");
        let record = Transfer { offer, way, peer, store, recipients, fenced: false };
        clause!(SU_002);
        self.store_change(
            Change::Committing { queue, id: transfer.clone(), transfer: record },
            turn,
        );
        turn.cx.send_durable(connection, Pdu::Commit { transfer, offer });
        self.expect_answer(connection, turn);
    }

    /// The far end has custody.
    pub(crate) fn handed_over(
        &mut self,
        connection: ConnectionId,
        transfer: &TransferId,
        turn: &mut Turn<'_, '_>,
    ) {
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        let peer = line.member.clone();
        let (queue, recipients) = match core::mem::take(&mut line.dialogue) {
            Dialogue::Offered(a) | Dialogue::Committed(a) if a.transfer == *transfer => {
                (a.queue, a.recipients)
            }
            Dialogue::Resolving(queue, id, _) if id == *transfer => {
                let message = &self.spool.queue[&queue];
                (queue, message.transfers[transfer].recipients.clone())
            }
            other => {
                line.dialogue = other;
                return self.misbehaved(connection, "custody of another transfer", turn);
            }
        };
        let line = self.exchange_mut(connection).expect("it was looked up");
        line.unreleased += 1;
        self.handed_over += 1;
        self.heard(connection, turn);
        clause!(SU_003);
        self.forget_offer(queue, transfer);
        if self.is_to_submit(queue, turn.config) {
            self.submitted(queue, &peer, turn);
        }
        turn.tell(Event::HandedOver { queue, transfer: transfer.clone(), peer });
        if turn.fault("hand-over-is-success") {
            for index in &recipients {
                self.succeed(queue, *index, Ending::Delivered, turn);
            }
            return self.pump(connection, turn);
        }
        let id = transfer.clone();
        let change = Change::HandedOver { queue, id, recipients: recipients.clone() };
        self.finish(queue, &recipients, change, turn);
        self.pump(connection, turn);
    }

    /// The far end said no to what we wait for.
    pub(crate) fn refused(
        &mut self,
        connection: ConnectionId,
        refusal: &Refusal,
        turn: &mut Turn<'_, '_>,
    ) {
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        match core::mem::take(&mut line.dialogue) {
            Dialogue::Idle => self.misbehaved(connection, "a refusal of nothing", turn),
            Dialogue::Releasing => self.release_refused(connection, refusal, turn),
            Dialogue::Offered(attempt) => {
                self.heard(connection, turn);
                self.offer_refused(attempt, refusal, turn);
                self.pump(connection, turn);
            }
            Dialogue::Committed(attempt) => {
                // A refusal of COMMIT settles nothing: only RESOLVE does.
                clause!(SU_004);
                self.heard(connection, turn);
                if turn.fault("commit-refused-means-refused") {
                    self.retry_refused(&attempt, refusal, turn);
                } else {
                    self.doubt(attempt.queue, &attempt.transfer, turn);
                }
                self.pump(connection, turn);
            }
            Dialogue::Resolving(queue, transfer, _) => {
                self.doubt(queue, &transfer, turn);
                self.misbehaved(connection, "RESOLVE is refused", turn);
            }
        }
    }

    fn offer_refused(&mut self, attempt: Attempt, refusal: &Refusal, turn: &mut Turn<'_, '_>) {
        let Attempt { queue, recipients, way, .. } = &attempt;
        if is_conflict(refusal) && !turn.fault("conflict-is-tried-again") {
            clause!(SU_006);
            self.retry_refused(&attempt, refusal, turn);
            return self.hold(*queue, "the far end knows its id with another content", turn);
        }
        if let Way::Member(peer) = way
            && self.is_to_submit(*queue, turn.config)
        {
            return self.submission_refused((*queue, recipients), peer, refusal, turn);
        }
        if is_verdict(refusal) {
            clause!(SU_009);
            for index in recipients {
                self.give_up(*queue, *index, refusal.clone(), turn);
            }
        } else {
            clause!(SU_005);
            self.retry_refused(&attempt, refusal, turn);
        }
    }

    fn retry_refused(&mut self, attempt: &Attempt, refusal: &Refusal, turn: &mut Turn<'_, '_>) {
        let route = Route::Way(attempt.way.clone());
        let why = alloc::format!("{} {} {}", refusal.code, refusal.status, refusal.text);
        self.retry_later(attempt.queue, &attempt.recipients, Some(&route), &why, turn);
    }

    /// The connection is gone: what was only offered is free, what was committed is in doubt.
    pub(crate) fn dialogue_lost(&mut self, dialogue: Dialogue, turn: &mut Turn<'_, '_>) {
        match dialogue {
            Dialogue::Idle | Dialogue::Releasing => {}
            Dialogue::Offered(attempt) => self.offer_lost(&attempt, turn),
            Dialogue::Committed(attempt) if turn.fault("fallback-while-in-doubt") => {
                self.route(attempt.queue, &attempt.recipients, turn);
            }
            Dialogue::Committed(Attempt { queue, transfer, .. })
            | Dialogue::Resolving(queue, transfer, _) => self.doubt(queue, &transfer, turn),
        }
    }

    /// Tells the link-state machine which ways no mail stands in line for any more.
    pub(crate) fn drop_idle_wants(&mut self, turn: &mut Turn<'_, '_>) {
        let used = |way: &Way| {
            self.lanes.contains_key(&Route::Way(way.clone()))
                || self.exchanges().any(|(_, line)| line.ready.as_ref() == Some(way))
        };
        let idle: Vec<Way> = self.wanted.iter().filter(|way| !used(way)).cloned().collect();
        for way in idle {
            self.wanted.remove(&way);
            self.command_link(LinkCommand::Done(way), turn);
        }
    }
}
