//! One member, spoken to by a peer that may say anything.

use std::sync::Arc;

use bridgehead::kernel::{Act, Input, Machine as _, Node, Seeded, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::LinkPdu;
use bridgehead::protocol::member::{
    Answer, Command, Durable, Event, Filtered, Member, MemberConfig, Parcel, Pdu, Policy, Port,
    Query, Security,
};
use bridgehead::protocol::organization::{
    Account, Group, LinkStateSettings, ORGANIZATION_FORMAT, Organization,
};
use bridgehead::protocol::session::lines_of_file;
use bridgehead::wire::ids::{ConnectionId, GroupName, Incarnation, MemberName, OriginId, StoreId};
use bridgehead::wire::message::{Address, Body, BodyKey, Digest, Envelope, Notify, Recipient};

/// A member `a` whose disk is at once; its peer is `b`.
pub(crate) struct Host {
    pub(crate) config: MemberConfig,
    pub(crate) node: Node<Member>,
    pub(crate) durable: Durable,
    pub(crate) choose: Seeded,
    pub(crate) now: Time,
    pub(crate) keys: u64,
    pub(crate) said: Vec<(ConnectionId, Pdu)>,
    pub(crate) asked: Vec<Query>,
    pub(crate) events: Vec<Event>,
    /// Questions that were not answered yet are kept back while it is set.
    pub(crate) slow: bool,
    /// The octets that every account has.
    pub(crate) used: u64,
    pub(crate) open: Vec<(bridgehead::kernel::Ticket, Query)>,
    /// The connections that it opened itself.
    pub(crate) opened: Vec<ConnectionId>,
}

pub(crate) const C1: ConnectionId = ConnectionId(1);
pub(crate) const C2: ConnectionId = ConnectionId(3);

impl Host {
    pub(crate) fn new(policy: Policy, faults: &[&str]) -> Self {
        let member = |name: &str| MemberName::from(name);
        let account = |address: &str, host| Account::new(Address::from(address), host);
        let organization = Organization {
            format: ORGANIZATION_FORMAT,
            revision: 1,
            name: "pair".into(),
            domains: vec!["example.org".into()],
            groups: vec![Group {
                name: GroupName::from("g"),
                uuid: "0".repeat(32),
                members: vec![member("a"), member("b")],
                master: Some(member("a")),
                election: None,
                accounts: None,
                rules: Vec::new(),
                stores: Vec::new(),
                exits: Vec::new(),
                settings: Vec::new(),
            }],
            connectors: Vec::new(),
            accounts: vec![
                account("here@example.org", member("a")),
                account("there@example.org", member("b")),
            ],
            smart_host: None,
            link_state: LinkStateSettings::default(),
        };
        assert_eq!(organization.check(), []);
        let config = MemberConfig {
            organization: Arc::new(organization),
            member: member("a"),
            security: Security::Address,
            policy,
            faults: Faults::named(faults.iter().copied()).unwrap(),
        };
        let (mut choose, durable, now) = (Seeded::new(1), Durable::default(), Time(5_000_000));
        let (node, acts) = Node::boot(&config, &durable, now, &mut choose);
        let (said, asked, events) = (Vec::new(), Vec::new(), Vec::new());
        let (slow, used, open, keys) = (false, 0, Vec::new(), 100);
        let opened = Vec::new();
        let mut host = Self {
            config,
            node,
            durable,
            choose,
            now,
            keys,
            said,
            asked,
            events,
            slow,
            used,
            open,
            opened,
        };
        host.act(acts);
        host
    }

    pub(crate) fn input(&mut self, input: Input<Member>) {
        let acts = self.node.step(&self.config, input, self.now, &mut self.choose);
        self.act(acts);
    }

    pub(crate) fn act(&mut self, acts: Vec<Act<Member>>) {
        for act in acts {
            match act {
                Act::Send { to, pdu } => self.said.push((to, pdu)),
                Act::Event(event) => self.events.push(event),
                Act::Write(change) => {
                    Member::apply(&mut self.durable, &change);
                    let acts = self.node.stored();
                    self.act(acts);
                }
                Act::Ask { ticket, query } => {
                    self.asked.push(query.clone());
                    self.open.push((ticket, query));
                }
                Act::Open { peer, .. } => self.opened.push(peer),
                Act::Close { .. } | Act::Arm { .. } | Act::Disarm(_) => {}
            }
        }
        while !self.slow && !self.open.is_empty() {
            let (ticket, query) = self.open.remove(0);
            let answer = match query {
                Query::Header(_) => Answer::Header(Vec::new()),
                Query::Usage { .. } => Answer::Octets(self.used),
                Query::Filter { .. } => Answer::Filtered(Filtered::Pass { fields: Vec::new() }),
                _ => Answer::Done,
            };
            self.input(Input::Answer { ticket, answer });
        }
    }

    /// The peer connects by SMTP and does all that must come before an offer.
    pub(crate) fn connect(&mut self, connection: ConnectionId) {
        self.inbound(connection, Port::Smtp);
        let hello = Pdu::Hello { member: MemberName::from("b"), store: StoreId(9), load: None };
        let answer = self.say(connection, hello);
        assert!(matches!(answer[..], [Pdu::Hello { .. }]), "SU-030: {answer:?}");
        let digest = self.node.machine().link().table().digest();
        let news = Pdu::Link(LinkPdu::news(digest, Vec::new()));
        let answer = self.say(connection, news);
        assert!(matches!(answer[..], [Pdu::Link(LinkPdu::Merged { .. })]), "{answer:?}");
    }

    pub(crate) fn inbound(&mut self, connection: ConnectionId, port: Port) {
        let member = MemberName::from("b");
        self.input(Input::Command(Command::Inbound { connection, member, port }));
    }

    /// Says something; answers what is said back on that connection.
    pub(crate) fn say(&mut self, from: ConnectionId, pdu: Pdu) -> Vec<Pdu> {
        self.said.clear();
        self.input(Input::Pdu { from, pdu });
        self.said_to(from)
    }

    pub(crate) fn said_to(&self, connection: ConnectionId) -> Vec<Pdu> {
        let said = self.said.iter().filter(|(to, _)| *to == connection);
        said.map(|(_, pdu)| pdu.clone()).collect()
    }

    /// A parcel for one recipient, with a body under a fresh key.
    pub(crate) fn parcel(&mut self, sequence: u64, index: u32, to: &str) -> Parcel {
        self.keys += 1;
        let recipient = Recipient {
            index,
            address: Address::from(to),
            notify: Notify::default(),
            original: None,
            suspect: false,
        };
        let envelope = Envelope {
            origin: OriginId { member: "b".into(), incarnation: Incarnation(7), sequence },
            sender: None,
            recipients: vec![recipient],
            arrived: self.now,
            expires: Time(self.now.0 + 1_000_000_000),
            ret: None,
            envid: None,
            smtputf8: false,
            hops: Vec::new(),
            routed_by: Default::default(),
            fields: Vec::new(),
            content: None,
            rules_due: false,
            unqueued: false,
            attempts: 0,
            submitter: None,
            priority: Default::default(),
        };
        let body = Body { key: BodyKey(self.keys), digest: Digest([3; 32]), octets: 40 };
        Parcel { envelope, body, epochs: Default::default() }
    }

    pub(crate) fn deposits(&self) -> usize {
        self.asked.iter().filter(|query| matches!(query, Query::Deposit { .. })).count()
    }
}

/// The octets of the file that this question has written.
pub(crate) fn octets_of_file(query: &Query) -> Option<u64> {
    let Query::Deposit { sender, hops, fields, suspect, body, .. } = query else { return None };
    let above = lines_of_file(sender.as_ref(), hops, fields, *suspect);
    Some(body.octets + above.len() as u64)
}
