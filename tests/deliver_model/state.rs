//! One state of the model, and what the properties ask of it.

use std::collections::{BTreeMap, VecDeque};

use bridgehead::kernel::{Machine as _, Node, Ticket};
use bridgehead::protocol::member::{Change, Durable, Member, Pdu, Query};
use bridgehead::protocol::queue::{AccountJournal, Recorded};
use bridgehead::wire::ids::{ConnectionId, OriginId};

use super::Scene;
use super::kept::Kept;
use super::scene::{account, body_of};

/// A connection: its client, the boot of the client that opened it, and its number in that boot.
pub(crate) type WireId = (usize, u32, u64);

const PER_CLIENT: u64 = 1_000_000;
const PER_BOOT: u64 = 1_000;

/// The host's name for a connection: odd, and never used twice.
pub(super) const fn server_id((client, boot, number): WireId) -> ConnectionId {
    ConnectionId(client as u64 * PER_CLIENT + boot as u64 * PER_BOOT + number + 1)
}

/// A sender's connection to a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wire {
    /// The server: a host.
    pub(super) at: usize,
    pub(super) connected: bool,
    /// The client's end, the server's end.
    pub(super) open: [bool; 2],
    pub(super) to_server: VecDeque<Pdu>,
    pub(super) to_client: VecDeque<Pdu>,
}

impl Wire {
    pub(super) fn to(at: usize) -> Self {
        let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
        Self { at, connected: false, open: [true; 2], to_server, to_client }
    }

    /// The client is gone, and everything that it said has arrived.
    pub(super) fn is_to_be_noticed(&self) -> bool {
        self.connected && !self.open[0] && self.to_server.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) nodes: Vec<Kept<Node<Member>>>,
    pub(super) disks: Vec<Kept<Durable>>,
    pub(super) unwritten: Vec<VecDeque<Change>>,
    pub(super) asked: Vec<BTreeMap<Ticket, Query>>,
    pub(super) wires: BTreeMap<WireId, Wire>,
    /// What the clients gave: one message to each sender.
    pub(super) mails: Vec<OriginId>,
    /// The files of the accounts, and which message each is: those still in `tmp` of a host, and how
    /// often each was moved to its place.
    pub(super) tmp: BTreeMap<(usize, String), usize>,
    pub(super) new: BTreeMap<String, (usize, u32)>,
    pub(super) boots: Vec<u32>,
    pub(super) breaks_left: u8,
    pub(super) crashes_left: u8,
    /// The account is on its way: what its store had of it.
    pub(super) moving: Option<AccountJournal>,
}

impl State {
    pub(super) fn wire_of(&self, scene: &Scene, at: usize, connection: ConnectionId) -> WireId {
        if scene.is_sender(at) {
            return (at, self.boots[at], connection.0);
        }
        let number = connection.0 - 1;
        let boot = u32::try_from(number % PER_CLIENT / PER_BOOT).expect("few boots");
        let client = usize::try_from(number / PER_CLIENT).expect("few members");
        (client, boot, number % PER_BOOT)
    }

    /// The client's end is closed. What it sent before is still on its way.
    pub(super) fn close_client(&mut self, id: WireId) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.open[0] = false;
        wire.to_client.clear();
        if !wire.connected || !wire.open[1] {
            self.wires.remove(&id);
        }
    }

    pub(super) fn wire_where(&self, test: impl Fn(&Wire) -> bool) -> Option<WireId> {
        self.wires.iter().find(|(_, wire)| test(wire)).map(|(id, _)| *id)
    }

    /// What a host asks of the store of its accounts is done.
    pub(super) fn file(&mut self, at: usize, query: Query) {
        match query {
            Query::Deposit { name, body, .. } => {
                let mail = self.mails().find(|mail| body_of(*mail) == body.key);
                self.tmp.insert((at, name), mail.expect("every body came from a client"));
            }
            Query::Publish { name, .. } => {
                if let Some(mail) = self.tmp.remove(&(at, name.clone())) {
                    self.new.entry(name).or_insert((mail, 0)).1 += 1;
                }
            }
            Query::Discard(_) => {}
            Query::Compose(_) => panic!("nothing is ever returned here"),
            Query::Filter { .. } | Query::Header(_) | Query::Reply(_) => {
                panic!("nobody has rules here")
            }
            Query::Usage { .. } => panic!("nobody has a quota here"),
            Query::Store { .. } | Query::Shared { .. } => panic!("no group here asks a store"),
        }
    }

    pub(super) fn mails(&self) -> core::ops::Range<usize> {
        0..self.mails.len()
    }

    /// How often a message lies in an account.
    pub(super) fn copies(&self, mail: usize) -> u32 {
        let files = self.new.values().filter(|(of, _)| *of == mail);
        files.map(|(_, times)| times).sum()
    }

    pub(super) fn is_queued(&self, mail: usize) -> bool {
        let mut queues = self.disks.iter().flat_map(|disk| disk.spool.queue.values());
        queues.any(|message| message.envelope.origin == self.mails[mail])
    }

    /// A journal has it, and the file is there, in its place or to be moved there.
    pub(super) fn is_recorded(&self, mail: usize) -> bool {
        let origin = &self.mails[mail];
        let there = self.disks.iter().enumerate().flat_map(|(at, disk)| {
            let rows = disk.spool.journal.get(origin).into_iter().flat_map(BTreeMap::values);
            rows.map(move |recorded| (Some(at), recorded))
        });
        let on_its_way = self.moving.iter().flat_map(|journal| &journal.rows);
        let on_its_way = on_its_way.filter(|(of, _, _)| of == origin);
        let on_its_way = on_its_way.map(|(_, _, recorded)| (None, recorded));
        there.chain(on_its_way).any(|(at, recorded)| match recorded {
            Recorded::Delivered { name, .. } => {
                let in_tmp = at.is_some_and(|at| self.tmp.contains_key(&(at, name.clone())));
                in_tmp || self.new.contains_key(name)
            }
            Recorded::Passed { .. } | Recorded::Refused { .. } => false,
        })
    }

    /// Every message is in its account, once, and in no queue.
    pub(super) fn is_delivered(&self) -> bool {
        self.mails().all(|mail| !self.is_queued(mail) && self.copies(mail) == 1)
    }

    /// The account is on its way, with some messages in its journal and not all.
    pub(super) fn moves_between(&self) -> bool {
        let rows = self.moving.as_ref().map_or(0, |journal| journal.rows.len());
        0 < rows && rows < self.mails.len()
    }

    /// A change is on disk. What the account store has of a closed account is on its way from then on.
    pub(super) fn keep(&mut self, at: usize, change: &Change) {
        match change {
            Change::Closed { account, .. } => {
                self.moving = Some(self.disks[at].spool.journal_of(account));
            }
            Change::Opened { .. } => self.moving = None,
            _ => {}
        }
        Member::apply(self.disks[at].change(), change);
    }

    /// Whether this change is on the disk of a member, or on its way there.
    fn is_ordered(&self, at: usize, is: impl Fn(&Change) -> bool) -> bool {
        self.unwritten[at].iter().any(is)
    }

    pub(super) fn is_closed(&self, scene: &Scene) -> bool {
        let closed = |change: &Change| matches!(change, Change::Closed { .. });
        let state = self.disks[scene.host()].spool.accounts.get(&account(0));
        let is_there = state.is_some_and(|state| state.moved.is_some());
        is_there || self.is_ordered(scene.host(), closed)
    }

    pub(super) fn is_opened(&self, scene: &Scene) -> bool {
        let opened = |change: &Change| matches!(change, Change::Opened { .. });
        let Some(disk) = self.disks.get(scene.next_host()) else { return false };
        let is_there = disk.spool.accounts.contains_key(&account(0));
        is_there || self.is_ordered(scene.next_host(), opened)
    }

    /// Neither host has the account open.
    pub(super) fn is_between(&self, scene: &Scene) -> bool {
        self.is_closed(scene) && !self.is_opened(scene)
    }
}
