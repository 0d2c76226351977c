//! The configurations of the model: who sends, who hosts, and what may go wrong.

use core::num::NonZeroU32;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bridgehead::kernel::{Choose, Input, Node, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::member::{
    Durable, Endpoint, Member, MemberConfig, NewMail, Pdu, Policy, Security,
};
use bridgehead::protocol::organization::{
    Account, Group, LinkStateSettings, ORGANIZATION_FORMAT, Organization,
};
use bridgehead::wire::ids::{ConnectionId, GroupName, MemberName};
use bridgehead::wire::message::{Address, Body, BodyKey, Digest, Notify, Recipient};

use super::State;
use super::kept::{Kept, Parts};

pub(super) const NOW: Time = Time(1_000_000);

/// Every draw of one boot is the same number.
pub(super) struct Boot(u32);

impl Choose for Boot {
    fn below(&mut self, _site: &'static str, bound: NonZeroU32) -> u32 {
        self.0 % bound.get()
    }
}

/// A configuration: senders with a message each, and hosts with an account each.
pub(crate) struct Scene {
    pub(super) configs: Vec<MemberConfig>,
    pub(super) senders: usize,
    /// Whether the account of the first host may go to the second one, once.
    pub(super) moves: bool,
    /// To the account of which host each message is.
    mails: Vec<usize>,
    pub(super) breaks: u8,
    pub(super) crashes: u8,
    nodes: Parts<Node<Member>>,
    disks: Parts<Durable>,
}

impl Scene {
    /// One sender, one host: the account stays.
    pub(crate) fn one(breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        Self::of((1, 1), &[0], breaks, crashes, faults)
    }

    /// One sender; the account may move, once, to a second host.
    pub(crate) fn moving(breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        Self { moves: true, ..Self::of((1, 2), &[0], breaks, crashes, faults) }
    }

    /// Two senders and two hosts. `mails` names the host of the account to which each sender has a message.
    pub(crate) fn two(mails: [usize; 2], breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        Self::of((2, 2), &mails, breaks, crashes, faults)
    }

    /// Two senders to one account, which may move, once, to a second host.
    pub(crate) fn two_moving(breaks: u8, crashes: u8, faults: &[&str]) -> Self {
        Self { moves: true, ..Self::two([0, 0], breaks, crashes, faults) }
    }

    fn of(
        (senders, hosts): (usize, usize),
        mails: &[usize],
        breaks: u8,
        crashes: u8,
        faults: &[&str],
    ) -> Self {
        let faults = Faults::named(faults.iter().copied()).unwrap();
        let configs = configs(senders, hosts, &faults);
        let (mails, nodes, disks) = (mails.to_vec(), Parts::default(), Parts::default());
        Self { configs, senders, moves: false, mails, breaks, crashes, nodes, disks }
    }

    pub(super) const fn is_sender(&self, at: usize) -> bool {
        at < self.senders
    }

    /// Who has the account that may move.
    pub(super) const fn host(&self) -> usize {
        self.senders
    }

    /// Who gets it.
    pub(super) const fn next_host(&self) -> usize {
        self.senders + 1
    }

    /// The draws of a boot. All senders draw alike, and another number at every boot: nothing but their
    /// names tells the ids apart that they mint.
    pub(super) fn boot_of(&self, at: usize, boot: u32) -> Boot {
        let own = if self.is_sender(at) { 1 } else { (at - self.senders) as u32 + 2 };
        Boot(boot * 2 + own)
    }

    pub(super) fn host_of(&self, endpoint: &Endpoint) -> usize {
        let Endpoint::Deliver(name) = endpoint else { panic!("{endpoint:?} is not in this model") };
        let mut configs = self.configs.iter();
        configs.position(|config| config.member == *name).expect("a member")
    }

    /// Everybody is up, and the clients have their replies.
    pub(super) fn start(&self) -> State {
        let members = self.configs.len();
        let disks = vec![Durable::default(); members];
        let boot = |at: usize| {
            Node::<Member>::boot(&self.configs[at], &disks[at], NOW, &mut self.boot_of(at, 0))
        };
        let (nodes, acts): (Vec<_>, Vec<_>) = (0..members).map(boot).unzip();
        let mut state = State {
            nodes: nodes.into_iter().map(Kept::new).collect(),
            disks: disks.into_iter().map(Kept::new).collect(),
            unwritten: vec![VecDeque::new(); members],
            asked: vec![BTreeMap::new(); members],
            wires: BTreeMap::new(),
            mails: Vec::new(),
            tmp: BTreeMap::new(),
            new: BTreeMap::new(),
            boots: vec![0; members],
            breaks_left: self.breaks,
            crashes_left: self.crashes,
            moving: None,
        };
        for (at, acts) in acts.into_iter().enumerate() {
            self.act(&mut state, at, acts);
            self.stored(&mut state, at);
        }
        for (at, host) in self.mails.iter().enumerate() {
            let (from, pdu) = (ConnectionId(999), Pdu::Mail(mail(at, *host)));
            self.input(&mut state, at, Input::Pdu { from, pdu });
            self.stored(&mut state, at);
            let queued = state.disks[at].spool.queue.values().next();
            state.mails.push(queued.expect("it was accepted").envelope.origin.clone());
        }
        self.settle(&mut state);
        self.seal(&mut state);
        state
    }

    /// A step is over: the state may be compared with others.
    pub(super) fn seal(&self, state: &mut State) {
        self.nodes.seal(&mut state.nodes);
        self.disks.seal(&mut state.disks);
    }
}

fn configs(senders: usize, hosts: usize, faults: &Faults) -> Vec<MemberConfig> {
    let names = ["a", "b", "c", "d"][..senders + hosts].iter().map(|name| MemberName::from(*name));
    let names: Vec<_> = names.collect();
    let accounts =
        (0..hosts).map(|host| Account::new(account(host), names[senders + host].clone()));
    let organization = Organization {
        format: ORGANIZATION_FORMAT,
        revision: 1,
        name: "pair".into(),
        domains: vec!["example.org".into()],
        groups: vec![Group {
            name: GroupName::from("g"),
            uuid: "0".repeat(32),
            members: names.clone(),
            master: Some(names[senders].clone()),
            election: None,
            accounts: None,
            stores: Vec::new(),
            exits: Vec::new(),
            rules: Vec::new(),
            settings: Vec::new(),
        }],
        connectors: Vec::new(),
        accounts: accounts.collect(),
        smart_host: None,
        link_state: LinkStateSettings::default(),
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

/// The account that is open at a host when the model begins.
pub(super) fn account(host: usize) -> Address {
    Address::from(format!("user{host}@example.org").as_str())
}

/// A message from the client of a sender. They all say the same; where their octets lie differs.
fn mail(sender: usize, host: usize) -> NewMail {
    let (address, notify) = (account(host), Notify::default());
    NewMail {
        sender: Some(account(0)),
        recipients: vec![Recipient { index: 0, address, notify, original: None, suspect: false }],
        ret: None,
        envid: None,
        smtputf8: false,
        submitter: None,
        from: "client".into(),
        with: "ESMTP".into(),
        body: Body { key: body_of(sender), digest: Digest([1; 32]), octets: 10 },
    }
}

/// The octets of the message of a sender.
pub(super) const fn body_of(mail: usize) -> BodyKey {
    BodyKey(mail as u64 + 1)
}
