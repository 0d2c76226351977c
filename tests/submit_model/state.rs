//! One state of the model, and what the properties ask of it.

use std::collections::{BTreeMap, VecDeque};

use bridgehead::kernel::{Node, Ticket};
use bridgehead::protocol::member::{Change, Durable, Member, Pdu};
use bridgehead::protocol::queue::Message;
use bridgehead::wire::ids::{ConnectionId, OriginId, TransferId};

use super::kept::Kept;

/// A connection: its client, the boot of the client that opened it, and its number in that boot.
pub(crate) type WireId = (usize, u32, u64);

const PER_CLIENT: u64 = 1_000_000;
const PER_BOOT: u64 = 10_000;

/// The server's name for a connection: odd, and never used twice.
pub(super) fn server_id((client, boot, number): WireId) -> ConnectionId {
    ConnectionId(client as u64 * PER_CLIENT + u64::from(boot) * PER_BOOT + number + 1)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    pub(super) server: usize,
    pub(super) connected: bool,
    /// The client's end, the server's end.
    pub(super) open: [bool; 2],
    pub(super) to_server: VecDeque<Pdu>,
    pub(super) to_client: VecDeque<Pdu>,
}

impl Wire {
    pub(super) fn to(server: usize) -> Self {
        let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
        Self { server, connected: false, open: [true; 2], to_server, to_client }
    }
}

/// How often each fault may still strike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    pub(crate) breaks: u8,
    pub(crate) sender_crashes: u8,
    pub(crate) receiver_crashes: u8,
    pub(crate) disks: u8,
    pub(crate) refusals: u8,
}

/// No fault at all.
pub(crate) const CALM: Faults =
    Faults { breaks: 0, sender_crashes: 0, receiver_crashes: 0, disks: 0, refusals: 0 };

impl Faults {
    pub(super) const fn crashes_of(&self, is_sender: bool) -> u8 {
        if is_sender { self.sender_crashes } else { self.receiver_crashes }
    }

    pub(super) const fn spend_crash(&mut self, is_sender: bool) {
        if is_sender {
            self.sender_crashes -= 1;
        } else {
            self.receiver_crashes -= 1;
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) nodes: Vec<Kept<Node<Member>>>,
    pub(super) disks: Vec<Kept<Durable>>,
    pub(super) unwritten: Vec<VecDeque<Change>>,
    /// Questions to the host; they are answered before the next step.
    pub(super) asked: Vec<(usize, Ticket)>,
    pub(super) wires: BTreeMap<WireId, Wire>,
    pub(super) boots: Vec<u32>,
    pub(super) left: Faults,
    /// What the clients gave.
    pub(super) mails: Vec<OriginId>,
    /// How often each was accepted, unmarked, by the last member on its way.
    pub(super) taken: Vec<u8>,
    /// Whether the only custodian of each lost its disk.
    pub(super) orphaned: Vec<bool>,
    /// A sender was told that what it spoke of is over.
    pub(super) done_heard: bool,
    /// A receiver accepted what it knew to be over.
    pub(super) over_accepted: bool,
}

impl State {
    /// The wire that a member calls by this number.
    pub(super) fn wire_of(&self, at: usize, connection: ConnectionId) -> WireId {
        if connection.0.is_multiple_of(2) {
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

    /// A member that writes only what custody does not speak of.
    pub(super) fn quiet_writer(&self) -> Option<usize> {
        let is_quiet = |change: &Change| matches!(change, Change::Link(_) | Change::Boot { .. });
        self.unwritten.iter().position(|all| !all.is_empty() && all.iter().all(is_quiet))
    }

    /// The durable copies of a message.
    fn copies(&self, mail: usize) -> impl Iterator<Item = (usize, &Message)> {
        let queues = self.disks.iter().map(|disk| &disk.spool.queue).enumerate();
        let all = queues.flat_map(|(at, queue)| queue.values().map(move |message| (at, message)));
        all.filter(move |(_, message)| message.envelope.origin == self.mails[mail])
    }

    pub(super) fn is_held(&self, mail: usize) -> bool {
        self.copies(mail).next().is_some()
    }

    pub(super) fn is_held_by(&self, mail: usize, at: usize) -> bool {
        self.copies(mail).any(|(holder, _)| holder == at)
    }

    /// Whether another member still believes that it has the message. One that has heard of the
    /// acceptance does not, also before its disk says so.
    pub(super) fn is_known_beside(&self, mail: usize, at: usize) -> bool {
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != at);
        let mut queues = others.flat_map(|(_, node)| node.machine().spool().queue.values());
        queues.any(|message| message.envelope.origin == self.mails[mail])
    }

    /// How many members may begin an attempt; none counts where a copy is marked.
    pub(super) fn custodians(&self, mail: usize) -> usize {
        if self.copies(mail).any(|(_, message)| is_suspect(message)) {
            return 0;
        }
        self.copies(mail).filter(|(_, message)| message.doubts().is_empty()).count()
    }

    pub(super) fn has_suspects(&self) -> bool {
        (0..self.mails.len()).any(|mail| self.copies(mail).any(|(_, copy)| is_suspect(copy)))
    }

    /// The hand-overs that are in doubt at some sender.
    fn doubtful(&self) -> impl Iterator<Item = &TransferId> {
        let messages = self.disks.iter().flat_map(|disk| disk.spool.queue.values());
        let transfers = messages.flat_map(|message| &message.transfers);
        transfers.filter(|(_, transfer)| !transfer.fenced).map(|(id, _)| id)
    }

    /// SU-031: no receiver takes for over what a sender has in doubt.
    pub(super) fn speaks_of_what_is_over(&self) -> bool {
        self.doubtful().any(|id| self.disks.iter().any(|disk| disk.spool.is_over(id)))
    }

    pub(super) fn asks_about_an_acceptance(&self) -> bool {
        self.wires.values().any(|wire| {
            let accepted = &self.disks[wire.server].spool.accepted;
            wire.to_server.iter().any(|pdu| match pdu {
                Pdu::Resolve { transfer, .. } => accepted.contains_key(transfer),
                _ => false,
            })
        })
    }

    /// RELEASE was heard somewhere.
    pub(super) fn has_released(&self) -> bool {
        self.disks.iter().any(|disk| !disk.spool.senders.is_empty())
    }
}

pub(super) fn is_suspect(message: &Message) -> bool {
    message.envelope.recipients.iter().any(|recipient| recipient.suspect)
}
