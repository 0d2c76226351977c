//! The network of the world: connections, and what becomes of what is said on them.

use std::collections::VecDeque;

use bridgehead::kernel::{Input, LinkChange};
use bridgehead::protocol::master::election::ElectionPeer;
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::ids::MemberName;

use super::world::{Happening, World};

/// A connection. What is said in one direction arrives in order, or never.
pub(super) struct Wire {
    pub(super) client: usize,
    pub(super) server: usize,
    /// As long as each end has not closed it, or noticed that it is lost.
    pub(super) open: [bool; 2],
    pub(super) said: [VecDeque<ElectionPdu>; 2],
    /// When the last of what was said in this direction arrives.
    pub(super) last: [u64; 2],
}

impl World {
    pub(super) fn open(&mut self, at: usize, member: MemberName) {
        let server = self.hosts.iter().position(|host| host.config.member == member);
        let server = server.expect("everybody who is called is there");
        let id = self.number();
        let (said, last) = ([VecDeque::new(), VecDeque::new()], [self.now; 2]);
        let wire = Wire { client: at, server, open: [true, false], said, last };
        self.wires.insert(id, wire);
        self.hosts[at].calls.insert(member, id);
        let delay = self.delay();
        self.plan(delay, Happening::Connect(id));
    }

    pub(super) fn connect(&mut self, id: u64) {
        let Wire { client, server, open, .. } = self.wires[&id];
        if !open[0] {
            return;
        }
        if self.cut[client][server] || self.cut[server][client] {
            // It is tried again until it opens or is given up.
            let delay = self.lease / 20;
            return self.plan(delay, Happening::Connect(id));
        }
        let is_up = self.hosts[server].node.is_some();
        let change = if is_up { LinkChange::Up } else { LinkChange::Refused };
        self.plan(0, Happening::Client(id, change));
        if is_up {
            let caller = self.hosts[client].config.member.clone();
            self.wires.get_mut(&id).expect("it connects").open[1] = true;
            // A newer connection takes the place of an older one; what waits for the disk goes there.
            self.hosts[server].callers.insert(caller.clone(), id);
            let (peer, change) = (ElectionPeer::Convener(caller), LinkChange::Up);
            self.step(server, Input::Link { peer, change });
        }
    }

    pub(super) fn send(&mut self, at: usize, to: &ElectionPeer, pdu: ElectionPdu) {
        let (id, direction) = match to {
            ElectionPeer::Voter(member) => (self.hosts[at].calls.get(member), 0),
            ElectionPeer::Convener(member) => (self.hosts[at].callers.get(member), 1),
        };
        let Some(id) = id.copied() else { return };
        let delay = self.delay();
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.open[direction]) else {
            return;
        };
        wire.said[direction].push_back(pdu);
        let arrives = (now + delay).max(wire.last[direction] + 1);
        wire.last[direction] = arrives;
        self.plan(arrives - now, Happening::Arrive { wire: id, direction });
    }

    pub(super) fn arrive(&mut self, id: u64, direction: usize) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let ends = [wire.client, wire.server];
        let (from, to) = (ends[direction], ends[1 - direction]);
        if self.cut[from][to] {
            let delay = self.lease / 20;
            return self.plan(delay, Happening::Arrive { wire: id, direction });
        }
        let Some(pdu) = wire.said[direction].pop_front() else { return };
        if !wire.open[1 - direction] {
            return;
        }
        let from = self.hosts[from].config.member.clone();
        let from = match direction {
            0 => ElectionPeer::Convener(from),
            _ => ElectionPeer::Voter(from),
        };
        self.step(to, Input::Pdu { from, pdu });
    }

    pub(super) fn close(&mut self, at: usize, peer: &ElectionPeer) {
        let (id, end) = match peer {
            ElectionPeer::Voter(member) => (self.hosts[at].calls.remove(member), 0),
            ElectionPeer::Convener(member) => (self.hosts[at].callers.remove(member), 1),
        };
        if let Some(wire) = id.and_then(|id| self.wires.get_mut(&id)) {
            wire.open[end] = false;
        }
    }

    /// What the client has said on a connection that it has lost may still arrive.
    pub(super) fn client(&mut self, id: u64, change: LinkChange) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.open[0]) else { return };
        wire.open[0] = change == LinkChange::Up;
        let (client, server) = (wire.client, wire.server);
        let called = self.hosts[server].config.member.clone();
        if change != LinkChange::Up {
            self.hosts[client].calls.remove(&called);
        }
        self.step(client, Input::Link { peer: ElectionPeer::Voter(called), change });
    }
}
