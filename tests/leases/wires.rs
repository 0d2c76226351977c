//! The network of the world: connections, and what becomes of what is said on them.

use std::collections::VecDeque;

use bridgehead::kernel::{Input, LinkChange};
use bridgehead::wire::accounts::AccountsPdu;
use bridgehead::wire::ids::MemberName;

use super::world::{Happening, World};

/// A connection of a member to a master. What is said in one direction arrives in order, or never.
pub(super) struct Wire {
    pub(super) client: usize,
    pub(super) server: usize,
    /// As long as each end has not closed it, or noticed that it is lost.
    open: [bool; 2],
    said: [VecDeque<AccountsPdu>; 2],
    /// When the last of what was said in this direction arrives.
    last: [u64; 2],
}

impl World {
    pub(super) fn open(&mut self, at: usize, member: &MemberName) {
        let server = self.hosts.iter().position(|host| host.config.member == *member);
        let server = server.expect("everybody who is called is there");
        let id = self.number();
        let (said, last) = ([VecDeque::new(), VecDeque::new()], [self.now; 2]);
        let wire = Wire { client: at, server, open: [true, false], said, last };
        self.wires.insert(id, wire);
        self.hosts[at].call = Some(id);
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
        let is_up = self.hosts[server].nodes.is_some();
        let change = if is_up { LinkChange::Up } else { LinkChange::Refused };
        self.plan(0, Happening::Client(id, change));
        if is_up {
            let caller = self.hosts[client].config.member.clone();
            self.wires.get_mut(&id).expect("it connects").open[1] = true;
            self.hosts[server].callers.insert(caller, id);
        }
    }

    pub(super) fn say(&mut self, id: Option<u64>, direction: usize, pdu: AccountsPdu) {
        let (now, delay) = (self.now, self.delay());
        let wire = id.and_then(|id| Some((id, self.wires.get_mut(&id)?)));
        let Some((id, wire)) = wire.filter(|(_, wire)| wire.open[direction]) else { return };
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
        match direction {
            0 => self.granter(to, Input::Pdu { from, pdu }),
            _ => self.holder(to, Input::Pdu { from, pdu }),
        }
    }

    /// The member closes its connection. What it has said on it may still arrive.
    pub(super) fn hang_up(&mut self, at: usize) {
        if let Some(wire) = self.hosts[at].call.take().and_then(|id| self.wires.get_mut(&id)) {
            wire.open[0] = false;
        }
    }

    /// The process at `at` is gone, and all connections with it.
    pub(super) fn lose_all(&mut self, at: usize) {
        self.hang_up(at);
        let to_it = self.wires.iter().filter(|(_, wire)| wire.server == at && wire.open[1]);
        for id in to_it.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.wires.get_mut(&id).expect("it was just seen").open[1] = false;
            let delay = self.delay();
            self.plan(delay, Happening::Client(id, LinkChange::Lost));
        }
    }

    /// The member learns what became of its connection.
    pub(super) fn client(&mut self, id: u64, change: LinkChange) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.open[0]) else { return };
        wire.open[0] = change == LinkChange::Up;
        let (client, server) = (wire.client, wire.server);
        if self.hosts[client].call != Some(id) {
            return;
        }
        if change != LinkChange::Up {
            self.hosts[client].call = None;
        }
        let peer = self.hosts[server].config.member.clone();
        self.holder(client, Input::Link { peer, change });
    }
}
