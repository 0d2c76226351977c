//! The model host: three voters and the connections between them. Time is an order of timers: a promise
//! outlasts every lease whose round began before it was given, and nothing else is known of the clocks.

use core::num::NonZeroU32;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bridgehead::kernel::{Act, Choose, Input, LinkChange, Machine as _, Node, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::master::election::{
    Election, ElectionChange, ElectionCommand, ElectionConfig, ElectionDurable, ElectionEvent,
    ElectionPeer, ElectionTimer,
};
use bridgehead::protocol::organization::BackEnd;
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::ids::MemberName;

use super::kept::{Kept, Parts};
use super::state::{Budget, State, Wire};

const NOW: Time = Time(0);
pub(super) const VOTERS: usize = 3;

/// The rounds of each boot have numbers of their own; terms differ by their members.
struct Boot(u32);

impl Choose for Boot {
    fn below(&mut self, site: &'static str, bound: NonZeroU32) -> u32 {
        if site == "election.round" { self.0 % bound } else { 0 }
    }
}

/// What a configuration is like, besides what may happen in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many of the voters can be the master.
    pub(crate) standing: usize,
    /// Whether the members are told who is.
    pub(crate) told: bool,
    /// The voters that can crash.
    pub(crate) frail: &'static [usize],
}

/// A configuration of the model.
pub(crate) struct Scene {
    pub(super) configs: Vec<ElectionConfig>,
    pub(super) budget: Budget,
    pub(super) frail: &'static [usize],
    parts: Parts<Node<Election>>,
}

pub(super) fn name(at: usize) -> MemberName {
    MemberName(format!("v{at}"))
}

/// The place of a member.
pub(super) fn place(name: &str) -> usize {
    name[1..].parse().expect("`v` and a number")
}

impl Scene {
    /// The third voter stands, or is the witness; masters tell their terms to the members, or there are none
    /// to tell.
    pub(crate) fn new(shape: Shape, budget: Budget, planted: &[&str]) -> Self {
        let Shape { standing, told, frail } = shape;
        let everybody: Vec<_> = (0..VOTERS).map(name).collect();
        let voters = everybody[..standing].to_vec();
        let members = if told { voters.clone() } else { Vec::new() };
        let config = |member: &MemberName| ElectionConfig {
            voters: voters.clone(),
            witness: everybody.get(standing).cloned(),
            back_end: BackEnd::Embedded,
            members: members.clone(),
            member: member.clone(),
            lease: Span::seconds(5),
            drift_ppm: 50_000,
            faults: Faults::named(planted.iter().copied()).unwrap(),
        };
        let configs = everybody.iter().map(config).collect();
        Self { configs, budget, frail, parts: Parts::default() }
    }

    /// A write is a step of its own. Where the member never crashes, that is a delay like any other.
    fn has_slow_disk(&self, at: usize) -> bool {
        self.budget.crashes > 0 && self.frail.contains(&at)
    }

    /// Everybody runs, has waited, and has promised nobody anything.
    pub(super) fn start(&self) -> State {
        let nodes = (0..VOTERS).map(|at| self.booted(at, 0, &ElectionDurable::default()).0);
        let mut state = State {
            nodes: nodes.map(Kept::new).collect(),
            disks: vec![ElectionDurable::default(); VOTERS],
            unwritten: vec![VecDeque::new(); VOTERS],
            boots: vec![0; VOTERS],
            wires: BTreeMap::new(),
            before: vec![BTreeSet::new(); VOTERS],
            left: self.budget,
            led: None,
            followed: vec![None; VOTERS],
            fell_back: false,
            was_fooled: false,
            was_rash: false,
        };
        for at in 0..VOTERS {
            self.input(&mut state, at, Input::Timer(ElectionTimer::Promise));
        }
        self.settle(&mut state);
        state
    }

    fn booted(
        &self,
        at: usize,
        boot: u32,
        disk: &ElectionDurable,
    ) -> (Node<Election>, Vec<Act<Election>>) {
        Node::boot(&self.configs[at], disk, NOW, &mut Boot(boot))
    }

    pub(super) fn input(&self, state: &mut State, at: usize, input: Input<Election>) {
        let is_word = matches!(input, Input::Pdu { pdu: ElectionPdu::Willing { .. }, .. });
        let choose = &mut Boot(state.boots[at]);
        let acts = state.nodes[at].change().step(&self.configs[at], input, NOW, choose);
        let begins = |act: &Act<Election>| matches!(act, Act::Write(ElectionChange::Term(term)) if term.member == name(at));
        state.was_rash |= !is_word && acts.iter().any(begins);
        self.act(state, at, acts);
    }

    fn act(&self, state: &mut State, at: usize, acts: Vec<Act<Election>>) {
        for act in &acts {
            if let Act::Arm { timer: ElectionTimer::Lease(round), .. } = act {
                // It begins now, behind every promise that was given before.
                state.before.iter_mut().for_each(|before| {
                    before.remove(&(at, *round));
                });
            }
        }
        for act in acts {
            match act {
                Act::Open { peer, .. } => self.open(state, at, &peer),
                Act::Close { peer: ElectionPeer::Voter(member) } => {
                    cut(state, (at, place(member.as_str())));
                }
                Act::Close { .. } | Act::Ask { .. } => unreachable!("nobody misbehaves"),
                Act::Send { to, pdu } => send(state, at, &to, pdu),
                Act::Write(change) => state.unwritten[at].push_back(change),
                Act::Arm { timer: ElectionTimer::Promise, .. } => {
                    state.before[at] = leases(state);
                }
                Act::Arm { .. } | Act::Disarm(_) => {}
                Act::Event(event) => observe(state, at, event),
            }
        }
        if !self.has_slow_disk(at) {
            self.stored(state, at);
        }
        self.forget_what_ended(state);
    }

    /// A lease that is over is before nothing.
    fn forget_what_ended(&self, state: &mut State) {
        let running = leases(state);
        for (at, before) in state.before.iter_mut().enumerate() {
            before.retain(|lease| running.contains(lease));
            if !state.nodes[at].armed().contains(&ElectionTimer::Promise) {
                before.clear();
            }
        }
    }

    pub(super) fn stored(&self, state: &mut State, at: usize) {
        while let Some(change) = state.unwritten[at].pop_front() {
            Election::apply(&mut state.disks[at], &change);
            let acts = state.nodes[at].change().stored();
            self.act(state, at, acts);
        }
    }

    fn open(&self, state: &mut State, at: usize, peer: &ElectionPeer) {
        let ElectionPeer::Voter(member) = peer else { unreachable!("a machine opens to voters") };
        let wire = state.wires.entry((at, place(member.as_str()))).or_default();
        assert!(!wire.is_open, "one connection at a time");
        wire.is_open = true;
        self.input(state, at, Input::Link { peer: peer.clone(), change: LinkChange::Up });
    }

    pub(super) fn lose(&self, state: &mut State, id: (usize, usize)) {
        cut(state, id);
        let peer = ElectionPeer::Voter(name(id.1));
        self.input(state, id.0, Input::Link { peer, change: LinkChange::Lost });
    }

    pub(super) fn crash(&self, state: &mut State, at: usize, kept: bool) {
        for change in core::mem::take(&mut state.unwritten[at]) {
            if kept {
                Election::apply(&mut state.disks[at], &change);
            }
        }
        state.boots[at] += 1;
        let (node, acts) = self.booted(at, state.boots[at], &state.disks[at]);
        state.nodes[at] = Kept::new(node);
        for other in (0..VOTERS).filter(|other| *other != at) {
            cut(state, (at, other));
            if state.wires.get(&(other, at)).is_some_and(|wire| wire.is_open) {
                // The process is gone, and what was said to it.
                state.wires.entry((other, at)).or_default().to_server.clear();
                self.lose(state, (other, at));
            }
            if let Some(wire) = state.wires.get_mut(&(other, at)) {
                wire.lingering.clear();
            }
        }
        self.act(state, at, acts);
    }

    pub(super) fn to_server(
        &self,
        state: &mut State,
        (client, server): (usize, usize),
        late: bool,
    ) {
        let wire = state.wires.get_mut(&(client, server)).expect("something is on its way");
        let queue = if late { &mut wire.lingering } else { &mut wire.to_server };
        let pdu = queue.pop_front().expect("something is on its way");
        let from = ElectionPeer::Convener(name(client));
        self.input(state, server, Input::Pdu { from, pdu });
    }

    pub(super) fn to_client(&self, state: &mut State, (client, server): (usize, usize)) {
        let wire = state.wires.get_mut(&(client, server)).expect("something is on its way");
        let pdu = wire.to_client.pop_front().expect("something is on its way");
        let from = ElectionPeer::Voter(name(server));
        self.input(state, client, Input::Pdu { from, pdu });
    }

    pub(super) fn transfer(&self, state: &mut State, at: usize, successor: Option<usize>) {
        let successor = successor.map(name);
        self.input(state, at, Input::Command(ElectionCommand::Resign { successor }));
    }

    /// Answers that change nothing are no steps of their own.
    pub(super) fn settle(&self, state: &mut State) {
        loop {
            let quiet = state.wires.iter().find(|((client, _), wire)| {
                let client = state.nodes[*client].machine();
                wire.to_client.front().is_some_and(|pdu| is_quiet(client, pdu))
            });
            let Some((id, _)) = quiet else { break };
            let id = *id;
            self.to_client(state, id);
        }
        state.wires.retain(|_, wire| *wire != Wire::default());
        self.parts.seal(&mut state.nodes);
    }
}

fn is_quiet(client: &Election, pdu: &ElectionPdu) -> bool {
    match pdu {
        ElectionPdu::Willing { round } => *round != client.round(),
        // More votes than enough change nothing.
        ElectionPdu::Granted { round } => {
            *round != client.round() || client.lease() == Some(*round)
        }
        ElectionPdu::Unwilling { round, known } | ElectionPdu::Refuse { round, known } => {
            *round != client.round() || known.as_ref() <= client.known()
        }
        _ => true,
    }
}

/// Every lease that runs, and every round that may still become one.
fn leases(state: &State) -> BTreeSet<(usize, u64)> {
    let nodes = state.nodes.iter().enumerate();
    let armed = nodes.flat_map(|(at, node)| node.armed().iter().map(move |timer| (at, timer)));
    let leases = armed.filter_map(|(at, timer)| match timer {
        ElectionTimer::Lease(round) => Some((at, *round)),
        _ => None,
    });
    leases.collect()
}

fn send(state: &mut State, at: usize, to: &ElectionPeer, pdu: ElectionPdu) {
    let wires = &mut state.wires;
    let (wire, is_client) = match to {
        ElectionPeer::Voter(member) => (wires.get_mut(&(at, place(member.as_str()))), true),
        ElectionPeer::Convener(member) => (wires.get_mut(&(place(member.as_str()), at)), false),
    };
    let Some(wire) = wire.filter(|wire| wire.is_open) else { return };
    let queue = if is_client { &mut wire.to_server } else { &mut wire.to_client };
    queue.push_back(pdu);
}

/// A connection is gone. What its client has said may still arrive; answers to a poll of it never do.
fn cut(state: &mut State, id: (usize, usize)) {
    let Some(wire) = state.wires.get_mut(&id) else { return };
    wire.is_open = false;
    wire.to_client.clear();
    let said = core::mem::take(&mut wire.to_server);
    let lasting = said.into_iter().filter(|pdu| !matches!(pdu, ElectionPdu::Poll { .. }));
    wire.lingering.extend(lasting);
}

fn observe(state: &mut State, at: usize, event: ElectionEvent) {
    match event {
        ElectionEvent::Leads(term) => {
            state.fell_back |= state.led.as_ref().is_some_and(|led| *led > term);
            state.led = Some(term);
        }
        ElectionEvent::Follows(term) => {
            state.was_fooled |= state.followed[at].as_ref().is_some_and(|led| *led > term);
            state.followed[at] = Some(term);
        }
        ElectionEvent::Ceased { .. } => {}
        ElectionEvent::Misbehaved { .. } => unreachable!("nobody misbehaves"),
    }
}
