//! The connections between the members: how they come up, what passes on them, and how they break.

use bridgehead::kernel::{Input, LinkChange, Span, Time};
use bridgehead::protocol::member::{Command, Endpoint, NewMail, Parcel, Pdu, Port};
use bridgehead::wire::ids::{ConnectionId, MemberName};
use bridgehead::wire::message::{Body, BodyKey, Outcome};

use super::{Happening, Network, Trap};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

pub(super) struct Connection {
    client: (MemberName, ConnectionId),
    server: (MemberName, ConnectionId),
    open: [bool; 2],
    /// Nothing overtakes on a connection.
    latest: [Time; 2],
}

impl Network {
    /// A connection breaks; each end learns it after a while.
    pub(crate) fn break_connection(&mut self, id: u64) {
        for side in [Side::Client, Side::Server] {
            self.end(id, side, LinkChange::Lost);
        }
    }

    /// Breaks one of the open connections, chosen by `pick`.
    pub(crate) fn break_some(&mut self, pick: usize) {
        let open: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, c)| c.open != [false; 2])
            .map(|(id, _)| *id)
            .collect();
        if !open.is_empty() {
            self.break_connection(open[pick % open.len()]);
        }
    }

    pub(super) fn connect(
        &mut self,
        from: &MemberName,
        client: ConnectionId,
        to: &Endpoint,
        epoch: u64,
    ) {
        if self.sites[from].epoch != epoch {
            return;
        }
        let (target, port) = match to {
            Endpoint::Connector(_, member) | Endpoint::Member(member) => (member, Port::Smtp),
            Endpoint::Deliver(member) => (member, Port::Deliver),
            Endpoint::Group(member)
            | Endpoint::Consult(member)
            | Endpoint::Convene(member)
            | Endpoint::Tenant(member) => (member, Port::Group),
            Endpoint::Frontend(member) => {
                let is_up = self.sites[member].node.is_some();
                self.relays.insert((from.clone(), client), member.clone());
                let change = if is_up { LinkChange::Up } else { LinkChange::Refused };
                return self.step(from, Input::Link { peer: client, change });
            }
            Endpoint::Outside(server) => {
                self.called.push((from.clone(), server.clone()));
                self.knocked.push(self.now);
                let change =
                    if self.outside.is_some() { LinkChange::Up } else { LinkChange::Refused };
                return self.step(from, Input::Link { peer: client, change });
            }
        };
        let cut = self.cuts.contains(&(from.clone(), target.clone()));
        if cut || self.sites[target].node.is_none() {
            return self.step(from, Input::Link { peer: client, change: LinkChange::Refused });
        }
        let id = self.number();
        let server = ConnectionId(id * 2 + 1);
        self.sites.get_mut(from).unwrap().connections.insert(client, id);
        self.sites.get_mut(target).unwrap().connections.insert(server, id);
        let connection = Connection {
            client: (from.clone(), client),
            server: (target.clone(), server),
            open: [true; 2],
            latest: [self.now; 2],
        };
        self.connections.insert(id, connection);
        let target = target.clone();
        // Who asks about accounts or for votes has a session at the far end, and custody hears the questions.
        if !matches!(to, Endpoint::Consult(_) | Endpoint::Convene(_) | Endpoint::Tenant(_)) {
            let command = Command::Inbound { connection: server, member: from.clone(), port };
            self.step(&target, Input::Command(command));
        }
        if port == Port::Smtp {
            let store = self.sites[from].node.as_ref().unwrap().machine().store();
            let pdu = Pdu::Hello { member: from.clone(), store, load: None };
            self.step(&target, Input::Pdu { from: server, pdu });
        }
        self.step(from, Input::Link { peer: client, change: LinkChange::Up });
    }

    pub(super) fn send(&mut self, name: &MemberName, to: ConnectionId, pdu: Pdu) {
        let Some(id) = self.sites[name].connections.get(&to).copied() else {
            return self.send_outside(name, to, pdu);
        };
        let side = if to.0.is_multiple_of(2) { Side::Server } else { Side::Client };
        let soon = self.now + Span(1 + self.below(5_000) as u64);
        let connection = self.connections.get_mut(&id).unwrap();
        let latest = &mut connection.latest[side as usize];
        *latest = soon.max(*latest + Span(1));
        let key = (*latest, self.number());
        self.agenda.insert(key, Happening::Arrive(id, side, pdu));
    }

    fn send_outside(&mut self, name: &MemberName, to: ConnectionId, pdu: Pdu) {
        match pdu {
            Pdu::Relay(parcel) if self.relays.contains_key(&(name.clone(), to)) => {
                self.relay_by_frontend(name, to, parcel);
            }
            Pdu::Relay(parcel) => {
                self.relayed.push(parcel.clone());
                let Some(outcome) = self.outside.clone() else {
                    return self.step(name, Input::Link { peer: to, change: LinkChange::Lost });
                };
                for recipient in parcel.envelope.recipients {
                    let (origin, index) = (parcel.envelope.origin.clone(), recipient.index);
                    let pdu = match &outcome {
                        Outcome::Delivered if !self.outside_tells => Pdu::Relayed { origin, index },
                        outcome => Pdu::Result { origin, index, outcome: outcome.clone() },
                    };
                    self.step(name, Input::Pdu { from: to, pdu });
                }
            }
            reply => {
                self.replies.insert(to.0, reply);
            }
        }
    }

    /// Plain SMTP to a member: the mail enters there as any other does.
    fn relay_by_frontend(&mut self, name: &MemberName, to: ConnectionId, parcel: Parcel) {
        let Parcel { envelope, body, .. } = parcel;
        let client = self.number() * 2 + 1_000_001;
        let mail = NewMail {
            sender: envelope.sender,
            recipients: envelope.recipients.clone(),
            ret: envelope.ret,
            envid: envelope.envid,
            smtputf8: envelope.smtputf8,
            submitter: Some(name.0.clone()),
            from: name.0.clone(),
            with: "ESMTP".into(),
            body: Body { key: BodyKey(self.number()), ..body },
        };
        let frontend = self.relays[&(name.clone(), to)].clone();
        self.step(&frontend, Input::Pdu { from: ConnectionId(client), pdu: Pdu::Mail(mail) });
        for recipient in envelope.recipients {
            let (origin, index) = (envelope.origin.clone(), recipient.index);
            let pdu = Pdu::Result { origin, index, outcome: Outcome::Delivered };
            self.step(name, Input::Pdu { from: to, pdu });
        }
    }

    pub(super) fn arrive(&mut self, id: u64, side: Side, mut pdu: Pdu) {
        if !self.connections[&id].open[side as usize] {
            return;
        }
        let trap = self.traps.iter().position(|trap| trap.takes(&pdu));
        let connection = &self.connections[&id];
        let (name, at) = match side {
            Side::Client => connection.client.clone(),
            Side::Server => connection.server.clone(),
        };
        match trap.map(|place| self.traps.remove(place)) {
            Some(Trap::Cut(_)) => return self.break_connection(id),
            Some(Trap::CrashReceiver(_)) => return self.crash(&name),
            Some(Trap::Orphan(_)) => self.end(id, Side::Client, LinkChange::Lost),
            Some(Trap::Swallow(_)) => return,
            Some(Trap::Refuse(_, refusal)) => pdu = Pdu::Refused(refusal),
            None => {}
        }
        if !matches!(pdu, Pdu::Link(_) | Pdu::Members(_) | Pdu::Hello { .. }) {
            self.heard.push((self.now, name.clone(), pdu.clone()));
        }
        let pdu = self.with_own_body(pdu);
        self.step(&name, Input::Pdu { from: at, pdu });
    }

    /// A received body is kept under a key of the receiver's own.
    fn with_own_body(&mut self, pdu: Pdu) -> Pdu {
        let key = BodyKey(self.number());
        let own = |parcel: Parcel| Parcel { body: Body { key, ..parcel.body }, ..parcel };
        match pdu {
            Pdu::Offer { transfer, offer, parcel } => {
                Pdu::Offer { transfer, offer, parcel: own(parcel) }
            }
            Pdu::Deliver(parcel) => Pdu::Deliver(own(parcel)),
            other => other,
        }
    }

    pub(super) fn close(&mut self, name: &MemberName, peer: ConnectionId) {
        let Some(id) = self.sites.get_mut(name).unwrap().connections.remove(&peer) else { return };
        let (near, far) = if peer.0.is_multiple_of(2) {
            (Side::Client, Side::Server)
        } else {
            (Side::Server, Side::Client)
        };
        self.connections.get_mut(&id).unwrap().open[near as usize] = false;
        self.end(id, far, LinkChange::Closed);
    }

    /// One side will learn that the connection is gone, after what is on its way to it.
    fn end(&mut self, id: u64, side: Side, change: LinkChange) {
        let soon = self.now + Span(1 + self.below(5_000) as u64);
        let connection = self.connections.get_mut(&id).unwrap();
        let time = match change {
            LinkChange::Closed => soon.max(connection.latest[side as usize] + Span(1)),
            _ => soon,
        };
        connection.latest[side as usize] = time;
        let key = (time, self.number());
        self.agenda.insert(key, Happening::Gone(id, side, change));
    }

    pub(super) fn gone(&mut self, id: u64, side: Side, change: LinkChange) {
        let connection = self.connections.get_mut(&id).unwrap();
        if !core::mem::take(&mut connection.open[side as usize]) {
            return;
        }
        let (name, peer) = match side {
            Side::Client => connection.client.clone(),
            Side::Server => connection.server.clone(),
        };
        if self.sites.get_mut(&name).unwrap().connections.remove(&peer).is_some() {
            self.step(&name, Input::Link { peer, change });
        }
    }
}
