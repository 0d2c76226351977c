//! Every interleaving of a DELIVER hand-over between two real members: a sender with one message in
//! its queue and the host of the account, with a bounded number of broken connections and crashes.

use core::num::NonZeroU32;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bridgehead::kernel::{Act, Choose, Input, LinkChange, Machine as _, Node, Ticket, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{
    Answer, Change, Command, Durable, Endpoint, Member, MemberConfig, NewMail, Pdu, Policy, Port,
    Query, Security, Timer,
};
use bridgehead::protocol::organization::{Account, Group, ORGANIZATION_FORMAT, Organization};
use bridgehead::protocol::queue::Recorded;
use bridgehead::wire::ids::{ConnectionId, GroupName, MemberName};
use bridgehead::wire::message::{Address, Body, BodyKey, Digest, Notify, Recipient};
use stateright::{Checker as _, HasDiscoveries, Model, Property};

const SENDER: usize = 0;
const HOST: usize = 1;
const NOW: Time = Time(1_000_000);

/// Every draw of one boot is the same number, and another one than at every other boot.
struct Boot(u32);

impl Choose for Boot {
    fn below(&mut self, _site: &'static str, bound: NonZeroU32) -> u32 {
        self.0 % bound.get()
    }
}

/// A connection: the boot of the sender that opened it, and its number in that boot.
type WireId = (u32, u64);

/// The host's name for a connection: odd, and never used twice.
const fn server_id((boot, number): WireId) -> ConnectionId {
    ConnectionId(boot as u64 * 1_000 + number + 1)
}

/// The sender's connection to the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wire {
    connected: bool,
    /// The client's end, the server's end.
    open: [bool; 2],
    to_server: VecDeque<Pdu>,
    to_client: VecDeque<Pdu>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    nodes: [Node<Member>; 2],
    disks: [Durable; 2],
    unwritten: [VecDeque<Change>; 2],
    asked: [BTreeMap<Ticket, Query>; 2],
    wires: BTreeMap<WireId, Wire>,
    /// The files of the account: those still in `tmp`, and how often each was moved to its place.
    tmp: Vec<String>,
    new: BTreeMap<String, u32>,
    boots: [u32; 2],
    breaks_left: u8,
    crashes_left: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Connect(WireId),
    ToServer(WireId),
    ToClient(WireId),
    /// The server notices that the client is gone.
    Notice(WireId),
    Break(WireId),
    /// All writes so far are on disk.
    Stored(usize),
    Answer(usize, Ticket),
    Timer(usize, Timer),
    /// What was not on disk is lost, or was on disk already; the member boots at once.
    Crash(usize, bool),
}

struct Deliver {
    configs: [MemberConfig; 2],
    breaks: u8,
    crashes: u8,
}

fn configs(faults: &Faults) -> [MemberConfig; 2] {
    let names = [MemberName::from("a"), MemberName::from("b")];
    let organization = Organization {
        format: ORGANIZATION_FORMAT,
        revision: 1,
        name: "pair".into(),
        domains: vec!["example.org".into()],
        groups: vec![Group {
            name: GroupName::from("g"),
            uuid: "0".repeat(32),
            members: names.to_vec(),
            master: names[HOST].clone(),
            rules: Vec::new(),
            settings: Vec::new(),
        }],
        connectors: Vec::new(),
        accounts: vec![Account {
            address: account(),
            host: names[HOST].clone(),
            rules: Vec::new(),
        }],
        smart_host: None,
    };
    assert_eq!(organization.check(), []);
    let organization = Arc::new(organization);
    names.map(|member| MemberConfig {
        organization: Arc::clone(&organization),
        member,
        security: Security::Address,
        policy: Policy::default(),
        faults: faults.clone(),
    })
}

fn account() -> Address {
    Address::from("user@example.org")
}

fn mail() -> NewMail {
    let notify = Notify::default();
    NewMail {
        sender: Some(account()),
        recipients: vec![Recipient {
            index: 0,
            address: account(),
            notify,
            original: None,
            suspect: false,
        }],
        ret: None,
        envid: None,
        smtputf8: false,
        submitter: None,
        from: "client".into(),
        with: "ESMTP".into(),
        body: Body { key: BodyKey(1), digest: Digest([1; 32]), octets: 10 },
    }
}

impl Deliver {
    fn new(breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        let faults = Faults::named(faults.iter().copied()).unwrap();
        Self { configs: configs(&faults), breaks, crashes }
    }

    fn input(&self, state: &mut State, at: usize, input: Input<Member>) {
        let choose = &mut Boot(state.boots[at] * 2 + at as u32 + 1);
        let acts = state.nodes[at].step(&self.configs[at], input, NOW, choose);
        self.act(state, at, acts);
    }

    fn act(&self, state: &mut State, at: usize, acts: Vec<Act<Member>>) {
        for act in acts {
            match act {
                // The group port is not part of this model; the master never answers.
                Act::Open { endpoint: Endpoint::Group(_), .. } => {}
                Act::Open { peer, endpoint } => {
                    assert_eq!(endpoint, Endpoint::Deliver(self.configs[HOST].member.clone()));
                    let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
                    let wire = Wire { connected: false, open: [true; 2], to_server, to_client };
                    state.wires.insert((state.boots[SENDER], peer.0), wire);
                }
                Act::Close { peer } => self.close(state, at, peer),
                Act::Send { to, pdu } => {
                    let id = state.wire_of(at, to);
                    let Some(wire) = state.wires.get_mut(&id) else { continue };
                    if at == SENDER && wire.open[1] {
                        wire.to_server.push_back(pdu);
                    } else if at == HOST && wire.open[0] {
                        wire.to_client.push_back(pdu);
                    }
                }
                Act::Ask { ticket, query } => {
                    state.asked[at].insert(ticket, query);
                }
                Act::Write(change) => state.unwritten[at].push_back(change),
                // The node knows which timers run.
                Act::Arm { .. } | Act::Disarm(_) | Act::Event(_) => {}
            }
        }
    }

    fn close(&self, state: &mut State, at: usize, peer: ConnectionId) {
        let id = state.wire_of(at, peer);
        if at == SENDER {
            state.close_client(id);
        } else if let Some(wire) = state.wires.get_mut(&id) {
            wire.open[1] = false;
            wire.to_server.clear();
            self.lose_client(state, id);
        }
    }

    /// The client learns that its connection is gone.
    fn lose_client(&self, state: &mut State, id: WireId) {
        if state.wires.get(&id).is_some_and(|wire| wire.open[0]) {
            state.close_client(id);
            let peer = ConnectionId(id.1);
            self.input(state, SENDER, Input::Link { peer, change: LinkChange::Lost });
        } else {
            state.close_client(id);
        }
    }

    fn stored(&self, state: &mut State, at: usize) {
        while let Some(change) = state.unwritten[at].pop_front() {
            Member::apply(&mut state.disks[at], &change);
            let acts = state.nodes[at].stored();
            self.act(state, at, acts);
        }
    }

    fn answer(&self, state: &mut State, at: usize, ticket: Ticket) {
        let query = state.asked[at].remove(&ticket).expect("an open question");
        match query {
            Query::Deposit { name, .. } if !state.tmp.contains(&name) => {
                state.tmp.push(name);
                state.tmp.sort();
            }
            Query::Publish { name, .. } => {
                if let Some(place) = state.tmp.iter().position(|file| *file == name) {
                    state.tmp.remove(place);
                    *state.new.entry(name).or_default() += 1;
                }
            }
            Query::Deposit { .. } | Query::Discard(_) => {}
            Query::Compose(_) => panic!("nothing is ever returned here"),
            Query::Header(_) | Query::Reply(_) => panic!("nobody has rules here"),
        }
        self.input(state, at, Input::Answer { ticket, answer: Answer::Done });
    }

    fn crash(&self, state: &mut State, at: usize, kept: bool) {
        for change in core::mem::take(&mut state.unwritten[at]) {
            if kept {
                Member::apply(&mut state.disks[at], &change);
            }
        }
        state.asked[at].clear();
        for id in state.wires.keys().copied().collect::<Vec<_>>() {
            if at == SENDER {
                state.close_client(id);
            } else if let Some(wire) = state.wires.get_mut(&id).filter(|wire| wire.connected) {
                wire.open[1] = false;
                wire.to_server.clear();
                self.lose_client(state, id);
            }
        }
        self.boot(state, at);
    }

    fn boot(&self, state: &mut State, at: usize) {
        // The client numbers of an earlier boot must not meet those of this one.
        state.boots[at] += 1;
        let choose = &mut Boot(state.boots[at] * 2 + at as u32 + 1);
        let (node, acts) = Node::<Member>::boot(&self.configs[at], &state.disks[at], NOW, choose);
        state.nodes[at] = node;
        self.act(state, at, acts);
        // A crash before the boot is on disk is the same as one before the boot.
        self.stored(state, at);
    }
}

impl State {
    fn wire_of(&self, at: usize, connection: ConnectionId) -> WireId {
        if at == SENDER {
            return (self.boots[SENDER], connection.0);
        }
        let number = (connection.0 - 1) % 1_000;
        (u32::try_from((connection.0 - 1) / 1_000).unwrap(), number)
    }

    /// The client's end is closed. What it sent before is still on its way.
    fn close_client(&mut self, id: WireId) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.open[0] = false;
        wire.to_client.clear();
        if !wire.connected || !wire.open[1] {
            self.wires.remove(&id);
        }
    }

    fn copies(&self) -> u32 {
        self.new.values().sum()
    }

    fn is_queued(&self) -> bool {
        !self.disks[SENDER].spool.queue.is_empty()
    }

    /// The journal has it, and the file is there, in its place or to be moved there.
    fn is_recorded(&self) -> bool {
        let journal = &self.disks[HOST].spool.journal;
        journal.values().flat_map(BTreeMap::values).any(|recorded| match recorded {
            Recorded::Delivered { name, .. } => {
                self.tmp.contains(name) || self.new.contains_key(name)
            }
            Recorded::Passed { .. } | Recorded::Refused { .. } => false,
        })
    }
}

impl Model for Deliver {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let disks = [Durable::default(), Durable::default()];
        let boot = |at: usize| {
            let choose = &mut Boot(at as u32 + 1);
            Node::<Member>::boot(&self.configs[at], &disks[at], NOW, choose)
        };
        let ((sender, sender_acts), (host, host_acts)) = (boot(SENDER), boot(HOST));
        let mut state = State {
            nodes: [sender, host],
            disks: disks.clone(),
            unwritten: Default::default(),
            asked: Default::default(),
            wires: BTreeMap::new(),
            tmp: Vec::new(),
            new: BTreeMap::new(),
            boots: [0; 2],
            breaks_left: self.breaks,
            crashes_left: self.crashes,
        };
        self.act(&mut state, SENDER, sender_acts);
        self.act(&mut state, HOST, host_acts);
        self.stored(&mut state, SENDER);
        self.stored(&mut state, HOST);
        let client = ConnectionId(999);
        self.input(&mut state, SENDER, Input::Pdu { from: client, pdu: Pdu::Mail(mail()) });
        self.stored(&mut state, SENDER);
        vec![state]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for (id, wire) in &state.wires {
            if !wire.connected {
                steps.push(Step::Connect(*id));
                continue;
            }
            if wire.open[1] && !wire.to_server.is_empty() {
                steps.push(Step::ToServer(*id));
            }
            if wire.open[0] && !wire.to_client.is_empty() {
                steps.push(Step::ToClient(*id));
            }
            if !wire.open[0] && wire.to_server.is_empty() {
                steps.push(Step::Notice(*id));
            }
            if wire.open[0] && state.breaks_left > 0 {
                steps.push(Step::Break(*id));
            }
        }
        for at in [SENDER, HOST] {
            if !state.unwritten[at].is_empty() {
                steps.push(Step::Stored(at));
            }
            steps.extend(state.asked[at].keys().map(|ticket| Step::Answer(at, *ticket)));
            // The clocks of two days are beyond this model; the doubt comes back after a minute.
            let due = |timer: &&Timer| matches!(timer, Timer::Doubt(_) | Timer::Publish);
            let armed = state.nodes[at].armed().iter().filter(due);
            steps.extend(armed.map(|timer| Step::Timer(at, timer.clone())));
            if state.crashes_left > 0 {
                steps.push(Step::Crash(at, false));
                if !state.unwritten[at].is_empty() {
                    steps.push(Step::Crash(at, true));
                }
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Connect(id) => {
                state.wires.get_mut(&id)?.connected = true;
                let member = self.configs[SENDER].member.clone();
                let (connection, port) = (server_id(id), Port::Deliver);
                let command = Command::Inbound { connection, member, port };
                self.input(&mut state, HOST, Input::Command(command));
                let peer = ConnectionId(id.1);
                self.input(&mut state, SENDER, Input::Link { peer, change: LinkChange::Up });
            }
            Step::ToServer(id) => {
                let pdu = state.wires.get_mut(&id)?.to_server.pop_front()?;
                self.input(&mut state, HOST, Input::Pdu { from: server_id(id), pdu });
            }
            Step::ToClient(id) => {
                let pdu = state.wires.get_mut(&id)?.to_client.pop_front()?;
                self.input(&mut state, SENDER, Input::Pdu { from: ConnectionId(id.1), pdu });
            }
            Step::Notice(id) => {
                state.wires.remove(&id)?;
                let (peer, change) = (server_id(id), LinkChange::Lost);
                self.input(&mut state, HOST, Input::Link { peer, change });
            }
            Step::Break(id) => {
                state.breaks_left -= 1;
                self.lose_client(&mut state, id);
            }
            Step::Stored(at) => self.stored(&mut state, at),
            Step::Answer(at, ticket) => self.answer(&mut state, at, ticket),
            Step::Timer(at, timer) => self.input(&mut state, at, Input::Timer(timer)),
            Step::Crash(at, kept) => {
                state.crashes_left -= 1;
                self.crash(&mut state, at, kept);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("stored at most once", |_, state: &State| state.copies() <= 1),
            Property::always("never lost", |_, state: &State| {
                state.is_queued() || state.is_recorded()
            }),
            Property::always("delivered is said of what is in its place", |_, state: &State| {
                state.is_queued() || state.copies() > 0
            }),
            Property::sometimes("delivered", |_, state: &State| {
                !state.is_queued() && state.copies() == 1
            }),
            Property::sometimes("delivered after all faults", |_, state: &State| {
                let spent = state.breaks_left == 0 && state.crashes_left == 0;
                spent && !state.is_queued() && state.copies() == 1
            }),
        ]
    }
}

/// C1, C2 and C7 for DELIVER; DE-002, DE-003, DE-007, DE-008, DE-020 to DE-024, DE-028, DE-030, DE-031.
#[test]
fn a_delivery_is_made_at_most_once_and_never_lost() {
    let model = Deliver::new(2, 2, &[]);
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), 19_319);
}

/// The model can find a violation: each of these planted bugs gives one.
#[test]
fn planted_bugs_are_found() {
    for (fault, property) in [
        ("second-deposit-on-repeat", "stored at most once"),
        ("result-before-publish", "delivered is said of what is in its place"),
    ] {
        let model = Deliver::new(1, 1, &[fault]);
        let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "{fault} is not found");
    }
}
