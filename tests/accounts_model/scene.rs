//! The model host: two members, one or two masters, and the connections between them. Time is an order of
//! timers: what a master keeps outlasts every lease whose request was sent before it answered, and nothing
//! else is known of the clocks.

use core::num::NonZeroU32;
use std::collections::{BTreeMap, BTreeSet};

use bridgehead::kernel::{Act, Choose, Input, LinkChange, Node, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::master::accounts::{
    AccountsConfig, Fence, Granter, GranterCommand, GranterEvent, GranterTimer, Holder,
    HolderCommand, HolderEvent, HolderTimer,
};
use bridgehead::wire::accounts::{AccountsPdu, LeaseEpoch};
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::message::Address;
use bridgehead::wire::record::Term;

use super::kept::{Kept, Parts};
use super::state::{Budget, State, Wire};

const NOW: Time = Time(0);
pub(super) const MEMBERS: usize = 2;

/// The requests of each boot have numbers of their own.
struct Boot(u32);

impl Choose for Boot {
    fn below(&mut self, site: &'static str, bound: NonZeroU32) -> u32 {
        if site == "accounts.request" { self.0 % bound } else { 0 }
    }
}

/// What a configuration is like, besides what may happen in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many members are masters, one after the other.
    pub(crate) masters: usize,
}

/// A configuration of the model.
pub(crate) struct Scene {
    pub(super) config: AccountsConfig,
    pub(super) budget: Budget,
    masters: usize,
    granters: Parts<Node<Granter>>,
    holders: Parts<Node<Holder>>,
}

pub(super) fn account() -> Address {
    Address::from("ann@a.test")
}

fn member(at: usize) -> MemberName {
    MemberName(format!("m{at}"))
}

fn master(at: usize) -> MemberName {
    MemberName(format!("v{at}"))
}

fn place(name: &MemberName) -> usize {
    name.as_str()[1..].parse().expect("a letter and a number")
}

impl Scene {
    pub(crate) fn new(shape: Shape, budget: Budget, planted: &[&str]) -> Self {
        let config = AccountsConfig {
            accounts: BTreeSet::from([account()]),
            members: (0..MEMBERS).map(member).collect(),
            member: member(0),
            account_lease_s: 5,
            drift_ppm: 50_000,
            faults: Faults::named(planted.iter().copied()).unwrap(),
        };
        let (granters, holders) = (Parts::default(), Parts::default());
        Self { config, budget, masters: shape.masters, granters, holders }
    }

    /// Who is the master under a term.
    fn leader(&self, term: u64) -> usize {
        usize::try_from(term).expect("few terms") % self.masters
    }

    fn term(&self, counter: u64) -> Term {
        Term { counter, member: master(self.leader(counter)), nonce: 0 }
    }

    /// The first master leads, everybody follows it, and it has waited.
    pub(super) fn start(&self) -> State {
        let granter = |_| Kept::new(Node::boot(&self.config, &(), NOW, &mut Boot(0)).0);
        let holder = |_| Kept::new(Node::boot(&self.config, &(), NOW, &mut Boot(0)).0);
        let mut state = State {
            granters: (0..self.masters).map(granter).collect(),
            holders: (0..MEMBERS).map(holder).collect(),
            terms: 0,
            is_paused: false,
            told: vec![0; MEMBERS],
            boots: vec![0; MEMBERS],
            wires: BTreeMap::new(),
            before: BTreeMap::new(),
            left: self.budget,
            fence: Fence::default(),
            had: BTreeSet::new(),
            owners: BTreeSet::new(),
            granted: BTreeSet::new(),
            was_granted_twice: false,
            fell_back: false,
            was_refused: false,
        };
        self.succeed(&mut state);
        let leader = self.leader(1);
        self.fire_granter(&mut state, leader, GranterTimer::Wait);
        for at in 0..MEMBERS {
            self.tell(&mut state, at);
        }
        self.seal(&mut state);
        state
    }

    pub(super) fn seal(&self, state: &mut State) {
        // A master of an earlier term grants and answers nothing any more: what it keeps is of no account.
        let last = self.leader(state.terms);
        let granters = &state.granters;
        state.before.retain(|(at, timer), _| *at == last && granters[*at].armed().contains(timer));
        state.wires.retain(|_, wire| *wire != Wire::default());
        self.granters.seal(&mut state.granters);
        self.holders.seal(&mut state.holders);
    }

    /// The next term begins: the master before it has no lease any more.
    pub(super) fn succeed(&self, state: &mut State) {
        if state.terms > 0 {
            let last = self.leader(state.terms);
            self.granter(state, last, Input::Command(GranterCommand::Cease));
        }
        state.terms += 1;
        state.is_paused = false;
        let (leader, term) = (self.leader(state.terms), self.term(state.terms));
        self.granter(state, leader, Input::Command(GranterCommand::Lead(term)));
    }

    /// The master has no lease for a while, or has one again.
    pub(super) fn pause(&self, state: &mut State) {
        let leader = self.leader(state.terms);
        state.is_paused = !state.is_paused;
        let command = if state.is_paused {
            GranterCommand::Cease
        } else {
            GranterCommand::Lead(self.term(state.terms))
        };
        self.granter(state, leader, Input::Command(command));
    }

    /// A member hears who is the master.
    pub(super) fn tell(&self, state: &mut State, at: usize) {
        state.told[at] = state.terms;
        let command = HolderCommand::Follow(self.term(state.terms));
        self.holder(state, at, Input::Command(command));
    }

    pub(super) fn granter(&self, state: &mut State, at: usize, input: Input<Granter>) {
        let acts = state.granters[at].change().step(&self.config, input, NOW, &mut Boot(0));
        for act in acts {
            match act {
                Act::Send { to, pdu } => {
                    let wire = state.wires.get_mut(&(place(&to), at)).filter(|wire| wire.is_open);
                    if let Some(wire) = wire {
                        wire.to_member.push_back(pdu);
                    }
                }
                Act::Arm { timer, .. } => {
                    let before = leases(state);
                    state.before.insert((at, timer), before);
                }
                Act::Disarm(_) => {}
                Act::Event(GranterEvent::Granted { epoch, .. }) => {
                    state.was_granted_twice |= !state.granted.insert(epoch);
                }
                Act::Event(GranterEvent::Misbehaved { .. }) => unreachable!("nobody misbehaves"),
                Act::Event(GranterEvent::OtherLease { .. }) => unreachable!("all have one file"),
                Act::Open { .. } | Act::Close { .. } | Act::Ask { .. } | Act::Write(()) => {
                    unreachable!("a master answers")
                }
            }
        }
    }

    pub(super) fn fire_granter(&self, state: &mut State, at: usize, timer: GranterTimer) {
        self.granter(state, at, Input::Timer(timer));
    }

    pub(super) fn holder(&self, state: &mut State, at: usize, input: Input<Holder>) {
        let choose = &mut Boot(state.boots[at]);
        let acts = state.holders[at].change().step(&self.config, input, NOW, choose);
        for act in acts {
            match act {
                Act::Open { peer, .. } => self.open(state, at, &peer),
                Act::Close { peer } => cut(state, (at, place(&peer))),
                Act::Send { to, pdu } => {
                    let wire = state.wires.get_mut(&(at, place(&to))).filter(|wire| wire.is_open);
                    if let Some(wire) = wire {
                        wire.to_master.push_back(pdu);
                    }
                }
                Act::Arm { timer: HolderTimer::Lease(request), .. } => {
                    // It begins now, behind everything that was kept before.
                    for before in state.before.values_mut() {
                        before.remove(&(at, request));
                    }
                }
                Act::Arm { .. } | Act::Disarm(_) => {}
                Act::Event(event) => self.observe(state, at, event),
                Act::Ask { .. } | Act::Write(()) => unreachable!("it asks masters only"),
            }
        }
        self.forget_what_ended(state);
    }

    fn observe(&self, state: &mut State, at: usize, event: HolderEvent) {
        match event {
            HolderEvent::Opened { epoch, .. } => {
                // The store sees the epoch before anything is read.
                let seen = state.fence.seen().cloned();
                match state.fence.admit(&epoch, &self.config.faults) {
                    Ok(_) => state.fell_back |= seen.is_some_and(|seen| seen > epoch),
                    Err(_) => state.was_refused = true,
                }
                state.had.insert(epoch);
                state.owners.insert(at);
            }
            HolderEvent::Closed { .. } | HolderEvent::Refused { .. } => {}
            HolderEvent::Misbehaved { .. } => unreachable!("nobody misbehaves"),
        }
    }

    /// A write arrives that was begun at any time by whoever had the account under this epoch.
    pub(super) fn write(&self, state: &mut State, epoch: &LeaseEpoch) {
        let seen = state.fence.seen().cloned();
        let taken = state.fence.admit(epoch, &self.config.faults).is_ok();
        state.fell_back |= taken && seen.is_some_and(|seen| seen > *epoch);
    }

    /// A lease that is over is before nothing.
    fn forget_what_ended(&self, state: &mut State) {
        let running = leases(state);
        for before in state.before.values_mut() {
            before.retain(|lease| running.contains(lease));
        }
    }

    fn open(&self, state: &mut State, at: usize, peer: &MemberName) {
        let wire = state.wires.entry((at, place(peer))).or_default();
        assert!(!wire.is_open, "one connection at a time");
        wire.is_open = true;
        self.holder(state, at, Input::Link { peer: peer.clone(), change: LinkChange::Up });
    }

    pub(super) fn lose(&self, state: &mut State, id: (usize, usize)) {
        cut(state, id);
        self.holder(state, id.0, Input::Link { peer: master(id.1), change: LinkChange::Lost });
    }

    pub(super) fn crash(&self, state: &mut State, at: usize) {
        state.boots[at] += 1;
        let boot = &mut Boot(state.boots[at]);
        state.holders[at] = Kept::new(Node::boot(&self.config, &(), NOW, boot).0);
        state.told[at] = 0;
        for master in 0..self.masters {
            cut(state, (at, master));
        }
        self.forget_what_ended(state);
    }

    pub(super) fn to_master(&self, state: &mut State, (at, to): (usize, usize), late: bool) {
        let wire = state.wires.get_mut(&(at, to)).expect("something is on its way");
        let queue = if late { &mut wire.lingering } else { &mut wire.to_master };
        let pdu = queue.pop_front().expect("something is on its way");
        self.granter(state, to, Input::Pdu { from: member(at), pdu });
    }

    pub(super) fn to_member(&self, state: &mut State, (at, from): (usize, usize)) {
        let wire = state.wires.get_mut(&(at, from)).expect("something is on its way");
        let pdu = wire.to_member.pop_front().expect("something is on its way");
        self.holder(state, at, Input::Pdu { from: master(from), pdu });
    }
}

/// Every lease that runs, and every request that may still become one.
fn leases(state: &State) -> BTreeSet<(usize, u64)> {
    let nodes = state.holders.iter().enumerate();
    let armed = nodes.flat_map(|(at, node)| node.armed().iter().map(move |timer| (at, timer)));
    let leases = armed.filter_map(|(at, timer)| match timer {
        HolderTimer::Lease(request) => Some((at, *request)),
        HolderTimer::Renew => None,
    });
    leases.collect()
}

/// A connection is gone. What its member has said may still arrive.
fn cut(state: &mut State, id: (usize, usize)) {
    let Some(wire) = state.wires.get_mut(&id) else { return };
    wire.is_open = false;
    wire.to_member.clear();
    let said = core::mem::take(&mut wire.to_master);
    // Who begins to run again has said nothing that it waits for; it may still be heard.
    let lasting = said.into_iter().filter(|pdu| !matches!(pdu, AccountsPdu::Declined { .. }));
    wire.lingering.extend(lasting);
}
