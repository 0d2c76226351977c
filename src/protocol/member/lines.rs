//! The connections of a member: who speaks on which, and what happens when one is gone.

use alloc::boxed::Box;
use alloc::string::String;

use super::{Endpoint, Event, Member, Pdu, Port, Timer, Turn};
use crate::clause;
use crate::kernel::{Input, LinkChange, Span};
use crate::protocol::deliver::{Receiving, Said, Sending};
use crate::protocol::linkstate::{LinkCommand, LinkPdu, Neighbour};
use crate::wire::ids::{ConnectionId, GroupName, MemberName, StoreId};
use crate::wire::submit::Load;
use crate::wire::verify::VerifyPdu;

use crate::protocol::queue::{Relayed, Relaying};
use crate::protocol::submit::{DOUBT_INTERVAL, Exchange};

/// How long an answer may take.
pub(super) const SILENCE_LIMIT: Span = Span::minutes(5);

/// A connection and what is spoken on it. Clients' connections have no line: their sessions speak.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    /// Hand-over and news.
    Exchange(Box<Exchange>),
    /// DELIVER, ours.
    Sending(Sending),
    /// DELIVER, theirs.
    Receiving(Receiving),
    /// An outside server.
    Relaying(Relaying),
    /// Questions about accounts, ours, to this member.
    Consulting(MemberName),
    /// Votes, and who the master is: ours, in the election of this group, to this member.
    Convening(GroupName, MemberName),
    /// That this member is the master by appointment: ours, to this member.
    Heralding(MemberName),
    /// The accounts that the master leases: ours, to it.
    Tenancy(MemberName),
}

impl Member {
    /// The id of the next connection that we open: even, and never used before.
    pub(crate) fn allot(&mut self) -> ConnectionId {
        self.opened += 1;
        ConnectionId(self.opened * 2)
    }

    /// The connections on which hand-over and news are spoken.
    pub(crate) fn exchanges(&self) -> impl Iterator<Item = (ConnectionId, &Exchange)> {
        self.lines.iter().filter_map(|(connection, line)| match line {
            Line::Exchange(exchange) => Some((*connection, &**exchange)),
            _ => None,
        })
    }

    /// Such a connection.
    pub(crate) fn exchange(&self, connection: ConnectionId) -> Option<&Exchange> {
        match self.lines.get(&connection) {
            Some(Line::Exchange(exchange)) => Some(exchange),
            _ => None,
        }
    }

    /// Such a connection.
    pub(crate) fn exchange_mut(&mut self, connection: ConnectionId) -> Option<&mut Exchange> {
        match self.lines.get_mut(&connection) {
            Some(Line::Exchange(exchange)) => Some(exchange),
            _ => None,
        }
    }

    /// A member opened a connection to us; its name is proved.
    pub(crate) fn inbound(
        &mut self,
        connection: ConnectionId,
        member: MemberName,
        port: Port,
        turn: &mut Turn<'_, '_>,
    ) {
        let neighbour = match port {
            Port::Deliver => return self.receive(connection, member, turn),
            Port::Smtp => Neighbour::Inbound(connection, member.clone()),
            Port::Group => Neighbour::Attached(member.clone()),
            Port::Submission | Port::Submissions => {
                unreachable!("nobody proves there to be a member")
            }
        };
        // A member that attaches again has lost its older connection, whether we noticed or not.
        if let Some(older) = self.connection_of(&neighbour) {
            clause!(MA_018);
            self.lines.remove(&older);
            turn.cx.close(older);
            let lost = Input::Link { peer: neighbour.clone(), change: LinkChange::Lost };
            self.step_link(lost, turn);
        }
        let exchange = Exchange::new(Some(neighbour.clone()), member);
        self.lines.insert(connection, Line::Exchange(Box::new(exchange)));
        self.step_link(Input::Link { peer: neighbour.clone(), change: LinkChange::Up }, turn);
        if self.lines.contains_key(&connection) {
            self.group_port_changed(&neighbour, LinkChange::Up, turn);
        }
    }

    /// The connection of a neighbour.
    pub(crate) fn connection_of(&self, neighbour: &Neighbour) -> Option<ConnectionId> {
        let named = |line: &Exchange| line.neighbour.as_ref() == Some(neighbour);
        self.exchanges().find(|(_, line)| named(line)).map(|(connection, _)| connection)
    }

    /// Opens a connection for the link-state machine.
    pub(crate) fn open_neighbour(&mut self, neighbour: Neighbour, turn: &mut Turn<'_, '_>) {
        let (member, endpoint) = match &neighbour {
            Neighbour::Connector { connector, target } => {
                (target.clone(), Endpoint::Connector(connector.clone(), target.clone()))
            }
            Neighbour::Member(member) => (member.clone(), Endpoint::Member(member.clone())),
            Neighbour::Master(member) => (member.clone(), Endpoint::Group(member.clone())),
            Neighbour::Attached(_) | Neighbour::Inbound(..) => {
                unreachable!("others open these connections")
            }
        };
        assert!(self.connection_of(&neighbour).is_none(), "a neighbour has one connection");
        let connection = self.allot();
        let exchange = Exchange::new(Some(neighbour), member);
        self.lines.insert(connection, Line::Exchange(Box::new(exchange)));
        turn.cx.open(connection, endpoint);
    }

    /// A connection of ours came up or went.
    pub(crate) fn connection_changed(
        &mut self,
        connection: ConnectionId,
        change: LinkChange,
        turn: &mut Turn<'_, '_>,
    ) {
        if change != LinkChange::Up {
            return self.lose(connection, change, turn);
        }
        match self.lines.get_mut(&connection) {
            Some(Line::Exchange(exchange)) => {
                if let Some(peer) = exchange.neighbour.clone() {
                    self.step_link(Input::Link { peer: peer.clone(), change }, turn);
                    if self.lines.contains_key(&connection) {
                        self.group_port_changed(&peer, change, turn);
                    }
                }
            }
            Some(Line::Sending(sending)) => {
                sending.up = true;
                self.pump_delivery(connection, turn);
            }
            Some(Line::Relaying(_)) => self.relaying_up(connection, turn),
            Some(Line::Convening(group, member)) => {
                let far_end = (group.clone(), member.clone());
                self.voter_changed(far_end, change, turn);
            }
            Some(Line::Heralding(_)) => self.tell_appointment(connection, turn),
            Some(Line::Tenancy(member)) => {
                let member = member.clone();
                self.landlord_changed(member, change, turn);
            }
            Some(Line::Receiving(_) | Line::Consulting(_)) | None => {}
        }
    }

    /// A connection is gone: whoever used it draws the consequences.
    fn lose(&mut self, connection: ConnectionId, change: LinkChange, turn: &mut Turn<'_, '_>) {
        self.drop_offers(connection, None, turn);
        self.candidate_gone(connection, turn);
        let Some(line) = self.lines.remove(&connection) else { return };
        turn.disarm(Timer::Silence(connection));
        match line {
            Line::Exchange(exchange) => {
                self.dialogue_lost(exchange.dialogue, turn);
                if let Some(peer) = exchange.neighbour {
                    self.step_link(Input::Link { peer: peer.clone(), change }, turn);
                    self.group_port_changed(&peer, change, turn);
                } else if self.doubts.contains_key(&exchange.member) {
                    turn.arm(Timer::Doubt(exchange.member), DOUBT_INTERVAL);
                }
            }
            Line::Sending(sending) => self.sending_lost(sending, turn),
            Line::Relaying(relaying) => self.relaying_lost(relaying, turn),
            Line::Consulting(host) => self.host_lost(&host, turn),
            Line::Convening(group, member) => self.voter_changed((group, member), change, turn),
            // The timer runs: it is called again.
            Line::Heralding(_) => {}
            Line::Tenancy(member) => self.landlord_changed(member, change, turn),
            Line::Receiving(_) => {
                self.forget_inquiries(connection);
                for deposit in self.deposits.values_mut() {
                    deposit.askers.remove(&connection);
                }
            }
        }
    }

    /// Closes a connection that the link-state machine does not own.
    pub(crate) fn hang_up(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        turn.cx.close(connection);
        self.lose(connection, LinkChange::Closed, turn);
    }

    /// Gives up a connection whose dialogue is broken.
    pub(crate) fn break_off(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        let Some(exchange) = self.exchange_mut(connection) else {
            return self.hang_up(connection, turn);
        };
        let Some(neighbour) = exchange.neighbour.clone() else {
            return self.hang_up(connection, turn);
        };
        exchange.ready = None;
        let dialogue = core::mem::take(&mut exchange.dialogue);
        self.drop_offers(connection, None, turn);
        turn.disarm(Timer::Silence(connection));
        self.dialogue_lost(dialogue, turn);
        self.command_link(LinkCommand::Broken(neighbour), turn);
        // Connections that others opened are not its to close.
        if self.lines.contains_key(&connection) {
            self.hang_up(connection, turn);
        }
    }

    /// A peer broke the protocol on a connection that we opened.
    pub(crate) fn misbehaved(
        &mut self,
        connection: ConnectionId,
        problem: &str,
        turn: &mut Turn<'_, '_>,
    ) {
        turn.tell(Event::Misbehaved { connection, problem: String::from(problem) });
        self.break_off(connection, turn);
    }

    /// An answer must come in bounded time.
    pub(crate) fn expect_answer(&self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        clause!(CU_007);
        turn.arm(Timer::Silence(connection), SILENCE_LIMIT);
    }

    /// The answer came.
    pub(crate) fn heard(&self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        turn.disarm(Timer::Silence(connection));
    }

    /// The answer did not come.
    pub(crate) fn silent(&mut self, connection: ConnectionId, turn: &mut Turn<'_, '_>) {
        if self.lines.contains_key(&connection) {
            self.misbehaved(connection, "no answer in time", turn);
        }
    }

    /// Somebody said something.
    pub(crate) fn hear(&mut self, from: ConnectionId, pdu: Pdu, turn: &mut Turn<'_, '_>) {
        match (self.lines.get(&from), pdu) {
            (None, Pdu::Recipient(candidate)) => self.recipient(from, &candidate, turn),
            (None, Pdu::Mail(mail)) => self.mail(from, mail, turn),
            (None, Pdu::Verify(VerifyPdu::Verify { id, question })) => {
                self.consulted(from, id, &question, turn);
            }
            (None, Pdu::Election { by, pdu }) => self.convened(from, by, pdu, turn),
            (None, Pdu::Accounts { by, pdu }) => self.tenant_says(from, by, pdu, turn),
            (Some(Line::Tenancy(member)), Pdu::Accounts { pdu, .. }) => {
                let member = member.clone();
                self.landlord_says(member, pdu, turn);
            }
            (Some(Line::Convening(group, member)), Pdu::Election { pdu, .. }) => {
                let far_end = (group.clone(), member.clone());
                self.voter_says(far_end, pdu, turn);
            }
            (Some(Line::Heralding(_)), Pdu::Election { pdu, .. }) => {
                self.appointment_answered(from, pdu, turn);
            }
            (Some(Line::Consulting(_)), Pdu::Verify(pdu)) => self.host_has_said(from, pdu, turn),
            (Some(Line::Exchange(_)), pdu) => self.hear_exchange(from, pdu, turn),
            (Some(Line::Sending(_)), Pdu::Result { origin, index, outcome }) => {
                self.delivery_result(from, (origin, index), Said::Outcome(outcome), turn);
            }
            (Some(Line::Sending(_)), Pdu::NoResult { origin, index }) => {
                self.delivery_result(from, (origin, index), Said::Unknown, turn);
            }
            (Some(Line::Sending(_)), Pdu::NoJournal { origin, index }) => {
                self.delivery_result(from, (origin, index), Said::NoJournal, turn);
            }
            (Some(Line::Sending(_)), Pdu::Moved { origin, index, to }) => {
                self.delivery_result(from, (origin, index), Said::Moved(to), turn);
            }
            (Some(Line::Relaying(_)), Pdu::Result { origin, index, outcome }) => {
                self.relay_result(from, (origin, index), Relayed::of(outcome), turn);
            }
            (Some(Line::Relaying(_)), Pdu::Relayed { origin, index }) => {
                self.relay_result(from, (origin, index), Relayed::Silently, turn);
            }
            (Some(Line::Relaying(_)), Pdu::Refused(refusal)) => {
                self.relaying_declined(from, refusal, turn);
            }
            (Some(Line::Receiving(_)), Pdu::Deliver(parcel)) => {
                self.take_delivery(from, parcel, turn);
            }
            (Some(Line::Receiving(_)), Pdu::Inquire { origin, recipients, arrived }) => {
                self.inquired(from, (&origin, arrived), recipients, turn);
            }
            // What was on its way when the connection was given up reaches nobody.
            (None, _) => {}
            (Some(_), _) => self.misbehaved(from, "a PDU that does not belong here", turn),
        }
    }

    fn hear_exchange(&mut self, from: ConnectionId, pdu: Pdu, turn: &mut Turn<'_, '_>) {
        match pdu {
            Pdu::Hello { member, store, load } => self.hello(from, &member, store, load, turn),
            Pdu::Link(pdu) => self.hear_link(from, pdu, turn),
            Pdu::Members(pdu) => self.hear_members(from, pdu, turn),
            Pdu::Announce { transfer, offer, octets, digest } => {
                self.announced(from, (transfer, offer), (octets, digest), turn);
            }
            Pdu::Offer { transfer, offer, parcel } => {
                self.offered(from, (transfer, offer), parcel, turn);
            }
            Pdu::Commit { transfer, offer } => self.committed(from, transfer, offer, turn),
            Pdu::Resolve { transfer, offer } => self.settle(from, transfer, offer, turn),
            Pdu::Status(transfer) => self.status(from, transfer, turn),
            Pdu::Release(release) => self.hear_release(from, release, turn),
            Pdu::Released => self.release_noted(from, turn),
            Pdu::Done(transfer) => self.done(from, &transfer, turn),
            Pdu::Transferred { transfer, offer } => self.transferred(from, (transfer, offer), turn),
            Pdu::HandedOver { transfer, .. } => self.handed_over(from, &transfer, turn),
            Pdu::Fenced { transfer, offer } => self.released(from, (transfer, offer), turn),
            Pdu::Refused(refusal) => self.refused(from, &refusal, turn),
            // A member may bring its own mail on a connection that has said HELLO before.
            Pdu::Recipient(candidate) => self.recipient(from, &candidate, turn),
            Pdu::Mail(mail) => self.mail(from, mail, turn),
            _ => self.misbehaved(from, "a PDU that does not belong here", turn),
        }
    }

    /// The far end says who it is and which disk it has. We answer on connections that it opened; on
    /// ours the session has said it before.
    fn hello(
        &mut self,
        connection: ConnectionId,
        member: &MemberName,
        store: StoreId,
        load: Option<Load>,
        turn: &mut Turn<'_, '_>,
    ) {
        let exchange = self.exchange_mut(connection).expect("the caller looked it up");
        if exchange.member != *member {
            return self.misbehaved(connection, "HELLO of another member", turn);
        }
        exchange.store = Some(store);
        clause!(SU_030);
        if matches!(exchange.neighbour, Some(Neighbour::Inbound(..))) {
            let load = self.load(member, turn.config);
            let member = turn.config.member.clone();
            turn.promise(connection, Pdu::Hello { member, store: self.store, load });
        } else if let Some(load) = load {
            self.heard_load(member, load, turn);
        }
        self.pump(connection, turn);
    }

    fn hear_link(&mut self, connection: ConnectionId, pdu: LinkPdu, turn: &mut Turn<'_, '_>) {
        let exchange = self.exchange(connection).expect("the caller looked it up");
        if let Some(from) = exchange.neighbour.clone() {
            self.step_link(Input::Pdu { from, pdu }, turn);
        }
    }
}
