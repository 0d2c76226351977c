//! When a disk was lost or rolled back, or a member is forgotten: no loss comes before no duplicate, and
//! what may be double is marked.

use alloc::vec::Vec;

use super::{Attempt, Dialogue};
use crate::clause;
use crate::kernel::draw_u64;
use crate::protocol::member::{Event, Member, Suspects, Timer, Turn};
use crate::protocol::queue::{Change, Doubtful, Place, Transfer};
use crate::wire::ids::{ConnectionId, MemberName, QueueId, StoreId, TransferId};
use crate::wire::message::Address;

impl Member {
    /// Frees recipients of whom nobody can say any more whether they were taken, and marks them.
    pub(crate) fn suspect(
        &mut self,
        queue: QueueId,
        recipients: &[u32],
        doubtful: Doubtful,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(SU_041);
        turn.tell(Event::Suspected { queue, recipients: recipients.to_vec() });
        self.suspected += recipients.len() as u64;
        let change = Change::Suspected { queue, recipients: recipients.to_vec(), doubtful };
        self.store_change(change, turn);
        if turn.config.policy.suspects == Suspects::Hold && self.spool.queue[&queue].held.is_none()
        {
            self.hold(queue, "it may be double", turn);
        }
    }

    /// The far end says that a transfer is over that we do not believe to be: one of the two disks is
    /// an old one. That is no custody, and no refusal.
    pub(crate) fn done(
        &mut self,
        connection: ConnectionId,
        transfer: &TransferId,
        turn: &mut Turn<'_, '_>,
    ) {
        if turn.fault("done-means-accepted") {
            return self.handed_over(connection, transfer, turn);
        }
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        let (queue, recipients, doubtful) = match core::mem::take(&mut line.dialogue) {
            Dialogue::Offered(Attempt { queue, transfer: id, recipients, .. })
                if id == *transfer =>
            {
                (queue, recipients, Doubtful::Nothing)
            }
            Dialogue::Committed(Attempt { queue, transfer: id, recipients, .. })
                if id == *transfer =>
            {
                (queue, recipients, Doubtful::Transfer(id))
            }
            Dialogue::Resolving(queue, id, _) if id == *transfer => {
                let recipients = self.spool.queue[&queue].transfers[&id].recipients.clone();
                (queue, recipients, Doubtful::Transfer(id))
            }
            other => {
                line.dialogue = other;
                return self.misbehaved(connection, "DONE of another transfer", turn);
            }
        };
        self.heard(connection, turn);
        clause!(SU_008);
        self.forget_offer(queue, transfer);
        self.suspect(queue, &recipients, doubtful, turn);
        self.route(queue, &recipients, turn);
        self.pump(connection, turn);
    }

    /// No offer of this id is made any more.
    pub(crate) fn forget_offer(&mut self, queue: QueueId, transfer: &TransferId) {
        if let Some(work) = self.work.get_mut(&queue) {
            work.offers.retain(|_, (id, _)| id != transfer);
        }
    }

    /// A peer has seen this disk further than it is: whatever the queue holds may have left it before.
    pub(crate) fn rolled_back(&mut self, turn: &mut Turn<'_, '_>) {
        clause!(SU_043);
        let store = StoreId(draw_u64(turn.cx.choose, "member/store").max(1));
        let store = if turn.fault("rolled-back-store-is-kept") { self.store } else { store };
        self.store = store;
        self.store_change(Change::DiskRolledBack { store }, turn);
        turn.tell(Event::RolledBack { store });
        let queues: Vec<QueueId> = self.spool.queue.keys().copied().collect();
        for queue in queues {
            let envelope = &self.spool.queue[&queue].envelope;
            let recipients: Vec<u32> = envelope.recipients.iter().map(|r| r.index).collect();
            self.suspect(queue, &recipients, Doubtful::Nothing, turn);
        }
        // Every connection has said HELLO for the disk that we no longer claim to have.
        let lines: Vec<ConnectionId> = self.exchanges().map(|(connection, _)| connection).collect();
        for connection in lines {
            self.break_off(connection, turn);
        }
    }

    /// The operator says that a member will not come back: what is in doubt with it is free, and marked.
    /// Answers who is concerned.
    pub(crate) fn forget(
        &mut self,
        peer: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<(QueueId, Vec<Address>)> {
        clause!(SU_044);
        let lines: Vec<ConnectionId> = self
            .exchanges()
            .filter(|(_, line)| line.member == *peer)
            .map(|(connection, _)| connection)
            .collect();
        for connection in lines {
            self.break_off(connection, turn);
        }
        self.close_deliveries(peer, turn);
        self.doubts.remove(peer);
        self.inquiries.remove(peer);
        turn.disarm(Timer::Doubt(peer.clone()));
        turn.tell(Event::Forgotten { peer: peer.clone() });
        let queues: Vec<QueueId> = self.spool.queue.keys().copied().collect();
        let freed = queues.into_iter().map(|queue| (queue, self.forget_in(queue, peer, turn)));
        freed.filter(|(_, recipients)| !recipients.is_empty()).collect()
    }

    fn forget_in(
        &mut self,
        queue: QueueId,
        peer: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<Address> {
        let freed =
            self.standing(queue, |place| matches!(place, Place::Doubt(with) if with == peer));
        let message = &self.spool.queue[&queue];
        let doubtful = |(id, t): (&TransferId, &Transfer)| {
            (t.peer == *peer && !t.fenced).then(|| (id.clone(), t.recipients.clone()))
        };
        let transfers: Vec<_> = message.transfers.iter().filter_map(doubtful).collect();
        let marked: Vec<u32> =
            message.deliveries.get(peer).into_iter().flatten().copied().collect();
        let named = message.envelope.recipients.iter().filter(|r| freed.contains(&r.index));
        let addresses = named.map(|recipient| recipient.address.clone()).collect();
        for (id, recipients) in transfers {
            self.forget_offer(queue, &id);
            self.suspect(queue, &recipients, Doubtful::Transfer(id), turn);
        }
        if !marked.is_empty() {
            self.suspect(queue, &marked, Doubtful::Host(peer.clone()), turn);
        }
        if !freed.is_empty() {
            self.route(queue, &freed, turn);
        }
        addresses
    }
}
