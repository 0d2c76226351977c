//! What is in doubt, and how it is settled.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Dialogue, Exchange};
use crate::clause;
use crate::kernel::Span;
use crate::protocol::linkstate::Way;
use crate::protocol::member::{Endpoint, Event, Line, Member, Pdu, Timer, Turn};
use crate::protocol::queue::{Change, Doubtful, Place};
use crate::wire::ids::{ConnectionId, MemberName, QueueId, TransferId};

/// How long a member that could not be asked is left alone.
pub const DOUBT_INTERVAL: Span = Span::seconds(60);

impl Member {
    /// A hand-over is in doubt from now on: nothing happens to its recipients before it is settled.
    pub(crate) fn doubt(&mut self, queue: QueueId, id: &TransferId, turn: &mut Turn<'_, '_>) {
        let Some(transfer) = self.spool.queue.get(&queue).and_then(|m| m.transfers.get(id)) else {
            // Only a planted bug can have moved the recipients on already.
            return;
        };
        clause!(SU_021);
        let (peer, recipients) = (transfer.peer.clone(), transfer.recipients.clone());
        self.put_all(queue, &recipients, &Place::Doubt(peer.clone()));
        self.doubts.entry(peer.clone()).or_default().insert((queue, id.clone()));
        turn.tell(Event::InDoubt { queue, peer: peer.clone(), recipients });
        turn.arm(Timer::Doubt(peer), DOUBT_INTERVAL);
    }

    /// Asks for the first hand-over that is in doubt with `peer`; `false` if there is none.
    pub(crate) fn resolve_next(
        &mut self,
        connection: ConnectionId,
        peer: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let Some((queue, id)) = self.doubts.get_mut(peer).and_then(|all| all.pop_first()) else {
            return false;
        };
        if self.doubts[peer].is_empty() {
            self.doubts.remove(peer);
            if !self.inquiries.contains_key(peer) {
                turn.disarm(Timer::Doubt(peer.clone()));
            }
        }
        let transfer = self.spool.queue.get(&queue).and_then(|m| m.transfers.get(&id));
        let Some((offer, store)) = transfer.map(|transfer| (transfer.offer, transfer.store)) else {
            return self.resolve_next(connection, peer, turn);
        };
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        if line.store != Some(store) {
            turn.tell(Event::OtherDisk { peer: peer.clone(), transfer: id.clone() });
        }
        line.dialogue = Dialogue::Resolving(queue, id.clone(), offer);
        turn.say(connection, Pdu::Resolve { transfer: id, offer });
        self.expect_answer(connection, turn);
        true
    }

    /// The far end has fenced the hand-over: its recipients are free.
    pub(crate) fn released(
        &mut self,
        connection: ConnectionId,
        (transfer, offer): (TransferId, u32),
        turn: &mut Turn<'_, '_>,
    ) {
        let line = self.exchange_mut(connection).expect("the caller looked it up");
        let queue = match &line.dialogue {
            Dialogue::Resolving(queue, id, asked) if *id == transfer && *asked <= offer => *queue,
            _ => return self.misbehaved(connection, "FENCED of what was not asked", turn),
        };
        line.dialogue = Dialogue::Idle;
        self.heard(connection, turn);
        clause!(SU_022);
        let message = self.spool.queue.get(&queue);
        let Some(known) = message.and_then(|message| message.transfers.get(&transfer)) else {
            // Only a planted bug can have moved the recipients on already.
            return self.pump(connection, turn);
        };
        let (recipients, peer) = (known.recipients.clone(), known.peer.clone());
        let same_disk = self.exchange(connection).and_then(|line| line.store) == Some(known.store);
        if !same_disk {
            // The fence is of another disk: the one that may have accepted is gone.
            clause!(SU_040);
            self.forget_offer(queue, &transfer);
            self.suspect(queue, &recipients, Doubtful::Transfer(transfer), turn);
            self.route(queue, &recipients, turn);
            return self.pump(connection, turn);
        }
        turn.tell(Event::Released { queue, transfer: transfer.clone() });
        let work = self.work.get_mut(&queue).expect("what is in doubt is in the queue");
        work.offers.insert(recipients.clone(), (transfer.clone(), offer));
        self.store_change(Change::Released { queue, id: transfer }, turn);
        self.end_turn(queue, &recipients, &peer, turn);
        self.route(queue, &recipients, turn);
        self.pump(connection, turn);
    }

    /// Asks a member about everything that is in doubt with it, on a connection that is there or on
    /// one that is opened for this.
    pub(crate) fn resolve(&mut self, peer: &MemberName, turn: &mut Turn<'_, '_>) {
        let Some((queue, id)) = self.doubts.get(peer).and_then(|all| all.first()).cloned() else {
            return;
        };
        let transfer = self.spool.queue.get(&queue).and_then(|m| m.transfers.get(&id));
        let Some(way) = transfer.map(|transfer| transfer.way.clone()) else { return };
        // The connection at hand may be lost before it has come to this, and no mail need bring the next one.
        clause!(SU_080);
        turn.arm(Timer::Doubt(peer.clone()), DOUBT_INTERVAL);
        let usable = |line: &Exchange| {
            line.member == *peer && (line.ready.is_some() || line.neighbour.is_none())
        };
        let lines: Vec<ConnectionId> =
            self.exchanges().filter(|(_, line)| usable(line)).map(|(id, _)| id).collect();
        if let Some(connection) = lines.first() {
            // A busy one goes on with this by itself.
            return self.pump(*connection, turn);
        }
        let endpoint = match way {
            Way::Connector(connector) => Endpoint::Connector(connector, peer.clone()),
            Way::Member(member) => Endpoint::Member(member),
        };
        let connection = self.allot();
        let line = Exchange::new(None, peer.clone());
        self.lines.insert(connection, Line::Exchange(Box::new(line)));
        turn.cx.open(connection, endpoint);
    }
}
