//! The side that takes custody.

use alloc::string::String;
use alloc::vec::Vec;

use super::{OFFERS_LIMIT, Offered, parcel_digest};
use crate::clause;
use crate::kernel::Gate;
use crate::protocol::member::{Event, Member, Parcel, Pdu, Turn};
use crate::protocol::queue::{Acceptance, Change, Message, queue_name};
use crate::wire::ids::{ConnectionId, QueueId, TransferId};
use crate::wire::message::{Digest, Envelope, Refusal};

impl Member {
    /// A member is about to offer a message: a repeat is answered at once, and what would be refused in
    /// any case is refused before it is transferred.
    pub(crate) fn announced(
        &self,
        connection: ConnectionId,
        (transfer, offer): (TransferId, u32),
        (octets, digest): (u64, Digest),
        turn: &mut Turn<'_, '_>,
    ) {
        if let Some(word) = self.known(&transfer, digest, turn) {
            return turn.promise(connection, word);
        }
        let objection = self.offer_objection(connection, (&transfer, offer), octets, turn);
        turn.say(connection, objection.map_or(Pdu::Ok, Pdu::Refused));
    }

    /// A member offers a message: it is kept on the connection, and nothing is promised.
    pub(crate) fn offered(
        &mut self,
        connection: ConnectionId,
        (transfer, offer): (TransferId, u32),
        parcel: Parcel,
        turn: &mut Turn<'_, '_>,
    ) {
        self.drop_offers(connection, Some(&transfer), turn);
        let digest = parcel_digest(&parcel);
        let key = parcel.body.key;
        if let Some(word) = self.known(&transfer, digest, turn) {
            self.discard(key, Gate::Now, turn);
            return turn.promise(connection, word);
        }
        let octets = parcel.body.octets;
        let nobody = parcel.envelope.recipients.is_empty();
        let nobody = nobody.then(|| Refusal::new(554, "5.5.1", "no recipients"));
        let objection = self.offer_objection(connection, (&transfer, offer), octets, turn);
        let objection = objection.or(nobody).or_else(|| {
            let peer = &self.exchange(connection).expect("the caller looked it up").member;
            parcel.envelope.unqueued.then(|| self.objection_to_queue(peer, turn))?
        });
        if let Some(refusal) = objection {
            self.discard(key, Gate::Now, turn);
            return turn.say(connection, Pdu::Refused(refusal));
        }
        clause!(SU_010);
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        line.offered.push(Offered { transfer: transfer.clone(), offer, parcel, digest });
        turn.say(connection, Pdu::Transferred { transfer, offer });
    }

    /// What is already settled about a transfer that is offered again.
    fn known(&self, transfer: &TransferId, digest: Digest, turn: &mut Turn<'_, '_>) -> Option<Pdu> {
        if self.spool.is_over(transfer) && !turn.fault("released-is-offered-again") {
            return Some(Pdu::Done(transfer.clone()));
        }
        let acceptance = self.spool.accepted.get(transfer)?;
        if acceptance.digest == digest || turn.fault("digest-not-compared") {
            clause!(SU_011);
            let (transfer, queue) = (transfer.clone(), acceptance.queue);
            return Some(Pdu::HandedOver { transfer, queue });
        }
        clause!(SU_012);
        turn.tell(Event::Conflict { id: alloc::format!("{transfer}") });
        let text = "this id was accepted with another content";
        Some(Pdu::Refused(Refusal::new(554, "5.7.0", text)))
    }

    fn offer_objection(
        &self,
        connection: ConnectionId,
        (transfer, offer): (&TransferId, u32),
        octets: u64,
        turn: &mut Turn<'_, '_>,
    ) -> Option<Refusal> {
        let line = self.exchange(connection).expect("the caller looked it up");
        if line.store.is_none() {
            return Some(Refusal::new(503, "5.5.1", "HELLO first"));
        }
        if !line.merged {
            clause!(SU_013);
            return Some(Refusal::new(503, "5.5.1", "link state first"));
        }
        if transfer.member != line.member {
            return Some(self.foreign(connection, turn));
        }
        if self.spool.fences.get(transfer).is_some_and(|fence| offer <= *fence) {
            clause!(SU_014);
            return Some(Refusal::new(450, "4.5.0", "this offer is fenced"));
        }
        if line.offered.len() >= OFFERS_LIMIT {
            return Some(Refusal::new(452, "4.5.3", "too many offers that are not committed"));
        }
        self.no_room(octets, turn)
    }

    /// Only the member that minted an id may move or fence it.
    fn foreign(&self, connection: ConnectionId, turn: &mut Turn<'_, '_>) -> Refusal {
        clause!(SU_015);
        let problem = String::from("a transfer id of another member");
        turn.tell(Event::Misbehaved { connection, problem });
        Refusal::new(503, "5.5.1", "this id is not yours")
    }

    /// Custody moves, by one change, at most once for each id.
    pub(crate) fn committed(
        &mut self,
        connection: ConnectionId,
        transfer: TransferId,
        offer: u32,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Some(acceptance) = self.spool.accepted.get(&transfer) {
            let queue = acceptance.queue;
            return turn.promise(connection, Pdu::HandedOver { transfer, queue });
        }
        if self.spool.is_over(&transfer) && !turn.fault("released-is-new") {
            self.drop_offers(connection, Some(&transfer), turn);
            return turn.promise(connection, Pdu::Done(transfer));
        }
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        let member = line.member.clone();
        let matches = |offered: &Offered| (&offered.transfer, offered.offer) == (&transfer, offer);
        let Some(place) = line.offered.iter().position(matches) else {
            clause!(SU_016);
            return turn.refuse(connection, 503, "5.5.1", "COMMIT of what is not transferred");
        };
        let offered = line.offered.remove(place);
        let fenced = self.spool.fences.get(&transfer).is_some_and(|fence| offer <= *fence);
        let full = self.no_room(offered.parcel.body.octets, turn);
        let fence = fenced.then(|| Refusal::new(450, "4.5.0", "this offer is fenced"));
        if let Some(refusal) = fence.or(full) {
            self.discard(offered.parcel.body.key, Gate::Now, turn);
            return turn.say(connection, Pdu::Refused(refusal));
        }
        let (queue, fresh) = self.accept(transfer.clone(), offered, member.0, turn);
        turn.promise(connection, Pdu::HandedOver { transfer, queue });
        if fresh {
            self.set_going(queue, turn);
        }
    }

    /// Insert-if-absent: the acceptance and the message are one change.
    fn accept(
        &mut self,
        transfer: TransferId,
        offered: Offered,
        from: String,
        turn: &mut Turn<'_, '_>,
    ) -> (QueueId, bool) {
        clause!(SU_017);
        assert!(!self.spool.accepted.contains_key(&transfer), "the caller looked it up");
        let Offered { parcel: Parcel { mut envelope, body, .. }, digest, .. } = offered;
        if let Some(queue) = self.drop_recipients_in_custody(&mut envelope, turn) {
            let acceptance = Acceptance { digest, queue };
            self.store_change(Change::Known { transfer, acceptance }, turn);
            self.discard(body.key, Gate::Now, turn);
            return (queue, false);
        }
        let queue = self.spool.next();
        let hop = self.hop(from, String::from("SUBMIT"), &queue_name(queue), turn);
        envelope.hops.push(hop);
        // A member without queue rules has run them by accepting.
        envelope.rules_due &= turn.config.has_queue_rules();
        clause!(SU_052);
        envelope.unqueued &= turn.fault("resubmits-what-it-accepted");
        turn.tell(Event::Received { queue, origin: envelope.origin.clone() });
        turn.tell(Event::Digested { origin: envelope.origin.clone(), digest });
        let accepted = Some((transfer, Acceptance { digest, queue }));
        let accepted = accepted.filter(|_| !turn.fault("skip-journal-on-acceptance"));
        (self.enqueue(Message::new(envelope, body), accepted, turn), true)
    }

    /// A recipient whose copy is in our custody already, and not in doubt, must not be queued a second
    /// time, whoever believes to hand it over. Answers the message that has them if nobody is left.
    ///
    /// A copy in doubt is another matter: the member that we committed it to may be the one that, by a
    /// newer table, now sends it back.
    fn drop_recipients_in_custody(
        &self,
        envelope: &mut Envelope,
        turn: &mut Turn<'_, '_>,
    ) -> Option<QueueId> {
        let mut owner = None;
        for queue in self.origins.get(&envelope.origin).into_iter().flatten() {
            let message = &self.spool.queue[queue];
            let doubts = message.doubts();
            let ours = |index: &u32| message.has(*index) && !doubts.contains_key(index);
            let doubled: Vec<u32> =
                envelope.recipients.iter().map(|r| r.index).filter(ours).collect();
            if !doubled.is_empty() {
                clause!(SU_018);
                envelope.recipients.retain(|recipient| !doubled.contains(&recipient.index));
                let origin = envelope.origin.clone();
                turn.tell(Event::Doubled { origin, recipients: doubled });
                owner = Some(*queue);
            }
        }
        owner.filter(|_| envelope.recipients.is_empty())
    }

    /// Settles a transfer that is in doubt at the far end, in the commit order of acceptance.
    pub(crate) fn settle(
        &mut self,
        connection: ConnectionId,
        transfer: TransferId,
        offer: u32,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Some(acceptance) = self.spool.accepted.get(&transfer) {
            let queue = acceptance.queue;
            return turn.promise(connection, Pdu::HandedOver { transfer, queue });
        }
        let member = &self.exchange(connection).expect("the caller looked it up").member;
        if transfer.member != *member {
            let refusal = self.foreign(connection, turn);
            return turn.say(connection, Pdu::Refused(refusal));
        }
        if self.spool.is_over(&transfer) {
            return turn.promise(connection, Pdu::Done(transfer));
        }
        clause!(SU_023);
        self.fence(&transfer, offer, turn);
        turn.promise(connection, Pdu::Fenced { transfer, offer });
    }

    fn fence(&mut self, transfer: &TransferId, offer: u32, turn: &mut Turn<'_, '_>) {
        let before = self.spool.fences.get(transfer).copied().unwrap_or(0);
        if before < offer && !turn.fault("resolve-without-fence") {
            self.store_change(Change::Fence { transfer: transfer.clone(), offer }, turn);
        }
    }

    /// What is known of a transfer. It permits nothing: what is unknown may still be arriving.
    pub(crate) fn status(
        &mut self,
        connection: ConnectionId,
        transfer: TransferId,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(SU_024);
        if turn.fault("status-fences") && !self.spool.accepted.contains_key(&transfer) {
            self.fence(&transfer, u32::MAX, turn);
        }
        let word = if let Some(acceptance) = self.spool.accepted.get(&transfer) {
            Pdu::HandedOver { transfer, queue: acceptance.queue }
        } else if let Some(offer) = self.spool.fences.get(&transfer).copied() {
            Pdu::Fenced { transfer, offer }
        } else if self.spool.is_over(&transfer) {
            Pdu::Done(transfer)
        } else {
            Pdu::Unknown(transfer)
        };
        turn.promise(connection, word);
    }

    /// Forgets what was offered on a connection and not committed: of this transfer, or all of it.
    pub(crate) fn drop_offers(
        &mut self,
        connection: ConnectionId,
        only: Option<&TransferId>,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(line) = self.exchange_mut(connection) else { return };
        let concerned = |offered: &Offered| only.is_none_or(|id| offered.transfer == *id);
        let (dropped, kept): (Vec<Offered>, Vec<Offered>) =
            core::mem::take(&mut line.offered).into_iter().partition(concerned);
        line.offered = kept;
        for offered in dropped {
            self.discard(offered.parcel.body.key, Gate::Now, turn);
        }
    }
}
