//! One state of the model, and what the properties ask of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bridgehead::kernel::Node;
use bridgehead::protocol::master::election::{Election, ElectionChange, ElectionDurable};
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::record::Term;

use super::kept::Kept;

/// What a client has said to a server, and the server to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    /// The connection is there.
    pub(super) is_open: bool,
    pub(super) to_server: VecDeque<ElectionPdu>,
    pub(super) to_client: VecDeque<ElectionPdu>,
    /// What was said on connections that are gone, and may still arrive.
    pub(super) lingering: VecDeque<ElectionPdu>,
}

/// How often each thing may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Candidates that stand.
    pub(crate) stands: u8,
    /// Rounds of a master behind its first one.
    pub(crate) renewals: u8,
    /// Candidates that give a poll or round up before it could not be granted any more.
    pub(crate) lapses: u8,
    pub(crate) crashes: u8,
    /// Connections that are lost.
    pub(crate) breaks: u8,
    /// Masters that hand over.
    pub(crate) transfers: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) nodes: Vec<Kept<Node<Election>>>,
    pub(super) disks: Vec<ElectionDurable>,
    pub(super) unwritten: Vec<VecDeque<ElectionChange>>,
    pub(super) boots: Vec<u32>,
    /// By client and server.
    pub(super) wires: BTreeMap<(usize, usize), Wire>,
    /// The leases that began before the promise of each member did, by holder and round: whatever the
    /// clocks, they end before it.
    pub(super) before: Vec<BTreeSet<(usize, u64)>>,
    pub(super) left: Budget,
    /// The greatest term that ever led.
    pub(super) led: Option<Term>,
    pub(super) followed: Vec<Option<Term>>,
    /// A smaller term has led behind a greater one.
    pub(super) fell_back: bool,
    /// A member has obeyed a smaller term than before.
    pub(super) was_fooled: bool,
    /// A term was begun without the word of a voter.
    pub(super) was_rash: bool,
}

impl State {
    pub(super) fn masters(&self) -> usize {
        self.nodes.iter().filter(|node| node.machine().leads().is_some()).count()
    }

    /// Whether a promise of this member can still matter: somebody may ask it.
    pub(super) fn is_asked(&self, at: usize) -> bool {
        let asks =
            |pdu: &ElectionPdu| matches!(pdu, ElectionPdu::Poll { .. } | ElectionPdu::Vote { .. });
        let mut wires = self.wires.iter().filter(|((_, server), _)| *server == at);
        let mut nodes = self.nodes.iter().map(|node| node.machine());
        self.left.stands > 0
            || nodes.any(|machine| machine.leads().is_none() && machine.is_asking())
            || wires.any(|(_, wire)| wire.to_server.iter().chain(&wire.lingering).any(asks))
    }

    /// Whether the disks have what the members have granted to others.
    pub(super) fn grants_are_stored(&self, place: impl Fn(&str) -> usize) -> bool {
        self.nodes.iter().enumerate().all(|(at, node)| {
            let (votes, term) = (node.machine().votes(), node.machine().known());
            let others = votes.into_iter().flatten().map(|voter| place(voter.as_str()));
            others.filter(|voter| *voter != at).all(|v| self.disks[v].term.as_ref() >= term)
        })
    }
}
