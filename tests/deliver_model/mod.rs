//! A DELIVER hand-over between real members: a sender with one message in its queue, the host of the
//! account and, where the account moves, the host that gets it; with a bounded number of broken
//! connections, crashes and moves.

mod model;

use core::num::NonZeroU32;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bridgehead::kernel::{Act, Choose, Input, LinkChange, Machine as _, Node, Ticket, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{
    Answer, Change, Durable, Endpoint, Member, MemberConfig, NewMail, Pdu, Policy, Query, Security,
    Timer,
};
use bridgehead::protocol::organization::{Account, Group, ORGANIZATION_FORMAT, Organization};
use bridgehead::protocol::queue::{AccountJournal, Recorded};
use bridgehead::wire::ids::{ConnectionId, GroupName, MemberName};
use bridgehead::wire::message::{Address, Body, BodyKey, Digest, Notify, Recipient};

const SENDER: usize = 0;
const HOST: usize = 1;
/// Who gets the account when it moves.
const NEXT: usize = 2;
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
    /// The server: a host.
    at: usize,
    connected: bool,
    /// The client's end, the server's end.
    open: [bool; 2],
    to_server: VecDeque<Pdu>,
    to_client: VecDeque<Pdu>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    nodes: Vec<Node<Member>>,
    disks: Vec<Durable>,
    unwritten: Vec<VecDeque<Change>>,
    asked: Vec<BTreeMap<Ticket, Query>>,
    wires: BTreeMap<WireId, Wire>,
    /// The files of the account: those still in `tmp` of a host, and how often each was moved to its
    /// place.
    tmp: Vec<(usize, String)>,
    new: BTreeMap<String, u32>,
    boots: Vec<u32>,
    breaks_left: u8,
    crashes_left: u8,
    /// The account is on its way: what its store had of it.
    moving: Option<AccountJournal>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
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
    /// The account is taken from its host.
    Close,
    /// It is given to the next one.
    Open,
}

pub(crate) struct Deliver {
    configs: Vec<MemberConfig>,
    breaks: u8,
    crashes: u8,
}

fn configs(members: usize, faults: &Faults) -> Vec<MemberConfig> {
    let names: Vec<_> =
        ["a", "b", "c"][..members].iter().map(|name| MemberName::from(*name)).collect();
    let organization = Organization {
        format: ORGANIZATION_FORMAT,
        revision: 1,
        name: "pair".into(),
        domains: vec!["example.org".into()],
        groups: vec![Group {
            name: GroupName::from("g"),
            uuid: "0".repeat(32),
            members: names.clone(),
            master: names[HOST].clone(),
            stores: Vec::new(),
            rules: Vec::new(),
            settings: Vec::new(),
        }],
        connectors: Vec::new(),
        accounts: vec![Account {
            address: account(),
            host: names[HOST].clone(),
            epoch: Default::default(),
            rules: Vec::new(),
            password: None,
        }],
        smart_host: None,
    };
    assert_eq!(organization.check(), []);
    let organization = Arc::new(organization);
    let config = |member| MemberConfig {
        organization: Arc::clone(&organization),
        member,
        security: Security::Address,
        policy: Policy::default(),
        faults: faults.clone(),
    };
    names.into_iter().map(config).collect()
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
    /// The account stays.
    pub(crate) fn new(breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        Self::of(2, breaks, crashes, faults)
    }

    /// The account may move, once.
    pub(crate) fn moving(breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        Self::of(3, breaks, crashes, faults)
    }

    fn of(members: usize, breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        let faults = Faults::named(faults.iter().copied()).unwrap();
        Self { configs: configs(members, &faults), breaks, crashes }
    }

    fn host_of(&self, endpoint: &Endpoint) -> usize {
        let Endpoint::Deliver(name) = endpoint else { panic!("{endpoint:?} is not in this model") };
        let mut configs = self.configs.iter();
        configs.position(|config| config.member == *name).expect("a member")
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
                    let at = self.host_of(&endpoint);
                    let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
                    let wire = Wire { at, connected: false, open: [true; 2], to_server, to_client };
                    state.wires.insert((state.boots[SENDER], peer.0), wire);
                }
                Act::Close { peer } => self.close(state, at, peer),
                Act::Send { to, pdu } => {
                    let id = state.wire_of(at, to);
                    let Some(wire) = state.wires.get_mut(&id) else { continue };
                    if at == SENDER && wire.open[1] {
                        wire.to_server.push_back(pdu);
                    } else if at != SENDER && wire.open[0] {
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
            state.keep(at, &change);
            let acts = state.nodes[at].stored();
            self.act(state, at, acts);
        }
    }

    fn answer(&self, state: &mut State, at: usize, ticket: Ticket) {
        let query = state.asked[at].remove(&ticket).expect("an open question");
        match query {
            Query::Deposit { name, .. } if !state.tmp.contains(&(at, name.clone())) => {
                state.tmp.push((at, name));
                state.tmp.sort();
            }
            Query::Publish { name, .. } => {
                let file = (at, name.clone());
                if let Some(place) = state.tmp.iter().position(|other| *other == file) {
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
                state.keep(at, &change);
            }
        }
        state.asked[at].clear();
        for id in state.wires.keys().copied().collect::<Vec<_>>() {
            if at == SENDER {
                state.close_client(id);
            } else if let Some(wire) =
                state.wires.get_mut(&id).filter(|wire| wire.connected && wire.at == at)
            {
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

    /// A journal has it, and the file is there, in its place or to be moved there.
    fn is_recorded(&self) -> bool {
        let hosts = self.disks.iter().enumerate().skip(HOST);
        let there = hosts.flat_map(|(at, disk)| {
            let rows = disk.spool.journal.values().flat_map(BTreeMap::values);
            rows.map(move |recorded| (at, recorded))
        });
        let on_its_way = self.moving.iter().flat_map(|journal| &journal.rows);
        let on_its_way = on_its_way.map(|(_, _, recorded)| (SENDER, recorded));
        there.chain(on_its_way).any(|(at, recorded)| match recorded {
            Recorded::Delivered { name, .. } => {
                self.tmp.contains(&(at, name.clone())) || self.new.contains_key(name)
            }
            Recorded::Passed { .. } | Recorded::Refused { .. } => false,
        })
    }

    /// A change is on disk. What the account store has of a closed account is on its way from then on.
    fn keep(&mut self, at: usize, change: &Change) {
        match change {
            Change::Closed { account, .. } => {
                self.moving = Some(self.disks[at].spool.journal_of(account));
            }
            Change::Opened { .. } => self.moving = None,
            _ => {}
        }
        Member::apply(&mut self.disks[at], change);
    }

    /// Whether this change is on the disk of a member, or on its way there.
    fn is_ordered(&self, at: usize, is: impl Fn(&Change) -> bool) -> bool {
        self.unwritten[at].iter().any(is)
    }

    fn is_closed(&self) -> bool {
        let closed = |change: &Change| matches!(change, Change::Closed { .. });
        let state = self.disks[HOST].spool.accounts.get(&account());
        state.is_some_and(|state| state.moved.is_some()) || self.is_ordered(HOST, closed)
    }

    fn is_opened(&self) -> bool {
        let opened = |change: &Change| matches!(change, Change::Opened { .. });
        let is_there = |disk: &Durable| disk.spool.accounts.contains_key(&account());
        self.disks.get(NEXT).is_some_and(is_there) || self.is_ordered(NEXT, opened)
    }

    /// Neither host has the account open.
    fn is_between(&self) -> bool {
        self.is_closed() && !self.is_opened()
    }
}
