//! One link-state machine on a bench: a host that does nothing by itself.

use std::sync::Arc;

use bridgehead::kernel::{Act, Input, LinkChange, Node, Seeded, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::{
    ConnectorRecord, ConnectorState, DEFAULT_LIFETIME_S, LinkCommand, LinkConfig, LinkDurable,
    LinkEvent, LinkPdu, LinkState, LinkTimer, Neighbour, Record, TableDigest, Term, Version, Way,
};
use bridgehead::protocol::organization::Organization;
use bridgehead::wire::ids::{ConnectionId, ConnectorName, MemberName};

use super::network::{member, organization};

type Acts = Vec<Act<LinkState>>;

/// A node whose host does nothing by itself.
pub(crate) struct Bench {
    pub(crate) node: Node<LinkState>,
    pub(crate) config: LinkConfig,
    pub(crate) durable: LinkDurable,
    pub(crate) choose: Seeded,
    pub(crate) boot: Acts,
    pub(crate) now: Time,
}

impl Bench {
    pub(crate) fn boot(
        organization: Organization,
        member: &MemberName,
        durable: LinkDurable,
    ) -> Self {
        Self::boot_at(Time(0), organization, member, durable)
    }

    pub(crate) fn boot_at(
        now: Time,
        organization: Organization,
        member: &MemberName,
        durable: LinkDurable,
    ) -> Self {
        let organization = Arc::new(organization);
        let config = LinkConfig { organization, member: member.clone(), faults: Faults::none() };
        let mut choose = Seeded::new(7);
        let (node, boot) = Node::boot(&config, &durable, now, &mut choose);
        Self { node, config, durable, choose, boot, now }
    }

    /// A step of which nothing is on disk yet.
    pub(crate) fn raw(&mut self, input: Input<LinkState>) -> Acts {
        self.node.step(&self.config, input, self.now, &mut self.choose)
    }

    /// A step, and the disk is fast.
    pub(crate) fn step(&mut self, input: Input<LinkState>) -> Acts {
        let mut acts = self.raw(input);
        acts.extend(self.sync());
        acts
    }

    pub(crate) fn sync(&mut self) -> Acts {
        let mut acts = Vec::new();
        while self.node.is_writing() {
            acts.extend(self.node.stored());
        }
        acts
    }

    pub(crate) fn link(&mut self, peer: &Neighbour, change: LinkChange) -> Acts {
        self.step(Input::Link { peer: peer.clone(), change })
    }

    pub(crate) fn pdu(&mut self, from: &Neighbour, pdu: LinkPdu) -> Acts {
        self.step(Input::Pdu { from: from.clone(), pdu })
    }

    pub(crate) fn news(&mut self, from: &Neighbour, records: Vec<Record>) -> Acts {
        self.pdu(from, LinkPdu::news(elsewhere(), records))
    }

    pub(crate) fn command(&mut self, command: LinkCommand) -> Acts {
        self.step(Input::Command(command))
    }

    pub(crate) fn timer(&mut self, timer: LinkTimer) -> Acts {
        assert!(self.node.armed().contains(&timer), "{timer:?} runs");
        self.step(Input::Timer(timer))
    }

    pub(crate) fn digest(&self) -> TableDigest {
        self.node.machine().table().digest()
    }

    /// The first record of its table.
    pub(crate) fn first(&self) -> Record {
        let first = self.node.machine().records().next();
        Record::clone(first.expect("the table has records"))
    }

    pub(crate) fn version(&self, group: &str) -> String {
        let record = self.node.machine().table().get(&group.into());
        record.map_or_else(String::new, |record| record.version.to_string())
    }
}

/// The digest of no table at all.
pub(crate) fn elsewhere() -> TableDigest {
    TableDigest::default()
}

pub(crate) fn inbound(number: u64, member: &MemberName) -> Neighbour {
    Neighbour::Inbound(ConnectionId(number), member.clone())
}

pub(crate) fn over(name: &str, target: MemberName) -> Neighbour {
    Neighbour::Connector { connector: ConnectorName::from(name), target }
}

pub(crate) fn way(name: &str) -> Way {
    Way::Connector(ConnectorName::from(name))
}

/// A record of RG`number` with one connector, under the term of its `b`.
pub(crate) fn record(number: usize, counter: u64, minor: u32, state: ConnectorState) -> Record {
    Record {
        group: format!("RG{number}").as_str().into(),
        uuid: format!("{number:032x}"),
        version: Version {
            term: Term { counter, member: member(number, 'b'), nonce: 7 },
            major: 1,
            minor,
            user: 0,
        },
        members: vec![(member(number, 'a'), true), (member(number, 'b'), true)],
        connectors: vec![ConnectorRecord {
            name: ConnectorName(format!("RG{number}-RG9")),
            to: "RG9".into(),
            cost: 10,
            state,
            sources: vec![member(number, 'a')],
            restrictions: Default::default(),
            unavailable: Vec::new(),
        }],
        deleted: None,
        lifetime_s: DEFAULT_LIFETIME_S,
        exits: Vec::new(),
    }
}

pub(crate) fn sent(acts: &Acts, peer: &Neighbour) -> Vec<LinkPdu> {
    let sent = acts.iter().filter_map(|act| match act {
        Act::Send { to, pdu } if to == peer => Some(pdu.clone()),
        _ => None,
    });
    sent.collect()
}

/// The records in the only `Merged` that went to `peer`.
pub(crate) fn answer(acts: &Acts, peer: &Neighbour) -> Vec<Record> {
    match &sent(acts, peer)[..] {
        [LinkPdu::Merged { records, .. }] => {
            records.iter().map(|record| Record::clone(record)).collect()
        }
        other => panic!("expected one Merged, not {other:?}"),
    }
}

pub(crate) fn opened(acts: &Acts) -> Vec<Neighbour> {
    let opened = acts.iter().filter_map(|act| match act {
        Act::Open { peer, .. } => Some(peer.clone()),
        _ => None,
    });
    opened.collect()
}

pub(crate) fn closed(acts: &Acts, peer: &Neighbour) -> bool {
    acts.contains(&Act::Close { peer: peer.clone() })
}

pub(crate) fn problems(acts: &Acts) -> Vec<String> {
    let problems = acts.iter().filter_map(|act| match act {
        Act::Event(LinkEvent::Misbehaved { problem, .. }) => Some(problem.clone()),
        _ => None,
    });
    problems.collect()
}

pub(crate) fn armed(acts: &Acts, timer: &LinkTimer) -> Vec<Span> {
    let armed = acts.iter().filter_map(|act| match act {
        Act::Arm { timer: name, within } if name == timer => Some(*within.start()),
        _ => None,
    });
    armed.collect()
}

/// Two targets and two sources.
pub(crate) fn wide() -> Organization {
    let mut wide = organization(3, &[(1, 2, 10), (2, 3, 10), (1, 3, 50)]);
    wide.connectors[0].targets = vec![member(2, 'b'), member(2, 'a')];
    wide.connectors[0].sources = vec![member(1, 'a'), member(1, 'b')];
    assert_eq!(wide.check(), []);
    wide
}
