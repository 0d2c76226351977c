//! The configurations of the model: who sends, who receives, and what may go wrong.

use core::num::NonZeroU32;
use std::collections::BTreeMap;
use std::sync::Arc;

use bridgehead::kernel::{Act, Choose, Input, Machine as _, Node, Time};
use bridgehead::protocol::faults::Faults as Planted;
use bridgehead::protocol::member::{
    Change, Durable, Member, MemberConfig, NewMail, Pdu, Policy, Security,
};
use bridgehead::protocol::organization::{
    Account, Connector, Group, LinkStateSettings, ORGANIZATION_FORMAT, Organization,
};
use bridgehead::wire::ids::{ConnectionId, ConnectorName, GroupName, MemberName};
use bridgehead::wire::message::{Address, Body, BodyKey, Digest, Notify, Recipient};
use stateright::Property;

use super::State;
use super::kept::{Kept, Parts};
use super::state::{CALM, Faults};

pub(super) const NOW: Time = Time(1_000_000);
/// The host of the account. It is not part of the model: what is accepted stays where it is.
const HOST: &str = "host";

/// Every draw of one boot is the same number, and another one than at every other boot.
pub(super) struct Boot(u32);

impl Boot {
    pub(super) const fn of(at: usize, boot: u32) -> Self {
        Self(boot * 16 + at as u32 + 1)
    }
}

impl Choose for Boot {
    fn below(&mut self, _site: &'static str, bound: NonZeroU32) -> u32 {
        self.0 % bound.get()
    }
}

/// A configuration: senders in one group, receivers in another, a connector from each of the former to
/// all of the latter.
pub(crate) struct Scene {
    pub(super) configs: Vec<MemberConfig>,
    pub(super) faults: Faults,
    senders: usize,
    /// At which member each message enters.
    mails: Vec<usize>,
    nodes: Parts<Node<Member>>,
    disks: Parts<Durable>,
}

impl Scene {
    /// `mails` names the sender of each message. Where `carriers` is less than `senders`, the others
    /// hand over to a carrier first.
    pub(crate) fn new(
        (senders, carriers, receivers): (usize, usize, usize),
        mails: &[usize],
        faults: Faults,
        planted: &[&str],
    ) -> Self {
        let planted = Planted::named(planted.iter().copied()).unwrap();
        let organization = Arc::new(organization(senders, carriers, receivers));
        let names = (1..=senders).map(|n| name('s', n));
        let names = names.chain((1..=receivers).map(|n| name('r', n)));
        let config = |member| config(&organization, member, &planted);
        let (configs, mails) = (names.map(config).collect(), mails.to_vec());
        let (nodes, disks) = (Parts::default(), Parts::default());
        Self { configs, faults, senders, mails, nodes, disks }
    }

    pub(super) const fn is_sender(&self, at: usize) -> bool {
        at < self.senders
    }

    /// Whether mail goes no further from here.
    pub(super) const fn is_last(&self, at: usize) -> bool {
        at >= self.senders
    }

    pub(super) fn has_moved(&self, state: &State) -> bool {
        (0..state.mails.len()).all(|mail| {
            let is_held = |at| state.is_held_by(mail, at);
            !(0..self.senders).any(is_held) && (self.senders..self.configs.len()).any(is_held)
        })
    }

    /// What must be reachable in this configuration.
    pub(super) fn outcomes(&self) -> Vec<Property<Self>> {
        let mut outcomes =
            vec![Property::sometimes("moved after all faults", |scene: &Self, state| {
                state.left == CALM && scene.has_moved(state)
            })];
        let Faults { breaks, sender_crashes, receiver_crashes, disks, refusals } = self.faults;
        // Where connections end with nothing but a disk, what it had accepted is gone before anybody asks.
        if breaks + sender_crashes + receiver_crashes + refusals > 0 {
            outcomes.push(Property::sometimes(
                "a doubt finds an acceptance",
                |_: &Self, state: &State| state.asks_about_an_acceptance(),
            ));
        }
        // A sender that only crashes comes back and asks the same receiver.
        if self.configs.len() > self.senders + 1 && breaks + receiver_crashes + disks > 0 {
            outcomes.push(Property::sometimes(
                "the second receiver has it",
                |scene: &Self, state| {
                    scene.has_moved(state) && state.is_held_by(0, scene.senders + 1)
                },
            ));
        }
        if self.faults.disks > 0 {
            outcomes.push(Property::sometimes("marked, and moved", |scene: &Self, state| {
                scene.has_moved(state) && state.has_suspects()
            }));
        }
        if self.faults.sender_crashes > 0 || self.mails.len() > self.senders {
            outcomes.push(Property::sometimes("RELEASE is heard", |_: &Self, state: &State| {
                state.has_released()
            }));
        }
        outcomes
    }

    /// Everybody is up, the tables are complete, and the clients have their replies.
    pub(super) fn start(&self) -> State {
        let table = self.table();
        let disks: Vec<_> = self.configs.iter().map(|_| table.clone()).collect();
        let boot = |(at, disk): (usize, &Durable)| {
            let choose = &mut Boot::of(at, 0);
            Node::<Member>::boot(&self.configs[at], disk, NOW, choose)
        };
        let (nodes, acts): (Vec<_>, Vec<_>) = disks.iter().enumerate().map(boot).unzip();
        let mut state = State {
            nodes: nodes.into_iter().map(Kept::new).collect(),
            disks: disks.into_iter().map(Kept::new).collect(),
            unwritten: self.configs.iter().map(|_| Default::default()).collect(),
            asked: Vec::new(),
            wires: BTreeMap::new(),
            boots: vec![0; self.configs.len()],
            left: self.faults,
            mails: Vec::new(),
            taken: vec![0; self.mails.len()],
            orphaned: vec![false; self.mails.len()],
            done_heard: false,
            over_accepted: false,
        };
        for (at, acts) in acts.into_iter().enumerate() {
            self.act(&mut state, at, acts);
        }
        self.greet(&mut state);
        for (number, at) in self.mails.iter().enumerate() {
            let from = ConnectionId(999 + 2 * number as u64);
            self.input(&mut state, *at, Input::Pdu { from, pdu: Pdu::Mail(mail(number)) });
            self.stored(&mut state, *at);
        }
        let queued = self.mails.iter().enumerate().map(|(number, at)| {
            let of_this_sender = self.mails[..number].iter().filter(|other| *other == at).count();
            let message = state.disks[*at].spool.queue.values().nth(of_this_sender);
            message.expect("it was accepted").envelope.origin.clone()
        });
        state.mails = queued.collect();
        self.settle(&mut state);
        self.seal(&mut state);
        state
    }

    /// A step is over: the state may be compared with others.
    pub(super) fn seal(&self, state: &mut State) {
        self.nodes.seal(&mut state.nodes);
        self.disks.seal(&mut state.disks);
    }

    /// Each member says that it has come, before there is any mail.
    fn greet(&self, state: &mut State) {
        self.settle(state);
        while let Some(id) = state.wire_where(|wire| !wire.connected) {
            self.connect(state, id);
            self.settle(state);
        }
        assert!(state.wires.is_empty(), "a connection that carries no mail is closed");
    }

    /// A disk on which the records of both groups are: what their masters publish when they boot.
    fn table(&self) -> Durable {
        let mut table = Durable::default();
        let organization = &self.configs[0].organization;
        for (at, group) in organization.groups.iter().enumerate() {
            let config = config(organization, group.first_master().clone(), &Planted::none());
            let choose = &mut Boot::of(8 + at, 0);
            let (_, acts) = Node::<Member>::boot(&config, &Durable::default(), NOW, choose);
            let mut own = Durable::default();
            for act in acts {
                if let Act::Write(change @ Change::Link(_)) = act {
                    Member::apply(&mut own, &change);
                }
            }
            for record in own.link.records.records() {
                let _ = table.link.records.merge(record.clone());
            }
        }
        table
    }
}

fn name(letter: char, number: usize) -> MemberName {
    MemberName(format!("{letter}{number}"))
}

fn organization(senders: usize, carriers: usize, receivers: usize) -> Organization {
    let members = |letter, count: usize| (1..=count).map(move |n| name(letter, n));
    let group = |group: &str, uuid: &str, mut members: Vec<MemberName>, master: &str| {
        members.push(MemberName::from(master));
        let (name, master) = (GroupName::from(group), MemberName::from(master));
        Group {
            name,
            uuid: uuid.repeat(32),
            members,
            master: Some(master),
            election: None,
            accounts: None,
            stores: Vec::new(),
            exits: Vec::new(),
            rules: Vec::new(),
            settings: Vec::new(),
        }
    };
    let organization = Organization {
        format: ORGANIZATION_FORMAT,
        revision: 1,
        name: "two groups".into(),
        domains: vec!["example.org".into()],
        groups: vec![
            group("r", "1", members('r', receivers).collect(), HOST),
            group("s", "2", members('s', senders).collect(), "master"),
        ],
        connectors: vec![Connector {
            name: ConnectorName::from("s-r"),
            from: GroupName::from("s"),
            to: GroupName::from("r"),
            cost: 10,
            sources: members('s', carriers).collect(),
            targets: members('r', receivers).collect(),
            size_limit_octets: None,
            priorities: Vec::new(),
            senders_allowed: Vec::new(),
            senders_denied: Vec::new(),
            schedule: Vec::new(),
        }],
        accounts: vec![Account::new(account(), MemberName::from(HOST))],
        smart_host: None,
        link_state: LinkStateSettings::default(),
    };
    assert_eq!(organization.check(), []);
    organization
}

fn config(organization: &Arc<Organization>, member: MemberName, planted: &Planted) -> MemberConfig {
    MemberConfig {
        organization: Arc::clone(organization),
        member,
        security: Security::Address,
        policy: Policy::default(),
        faults: planted.clone(),
    }
}

fn account() -> Address {
    Address::from("user@example.org")
}

fn mail(number: usize) -> NewMail {
    let (address, notify) = (account(), Notify::default());
    let octet = u8::try_from(number + 1).expect("few messages");
    NewMail {
        sender: Some(account()),
        recipients: vec![Recipient { index: 0, address, notify, original: None, suspect: false }],
        ret: None,
        envid: None,
        smtputf8: false,
        submitter: None,
        from: "client".into(),
        with: "ESMTP".into(),
        body: Body { key: BodyKey(number as u64 + 1), digest: Digest([octet; 32]), octets: 10 },
    }
}
