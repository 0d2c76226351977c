//! A purely virtual organization of link-state machines: a network without sockets, a disk without
//! files, a clock that jumps. Each test file that includes it uses another part of it.

mod cuts;
mod outage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bridgehead::kernel::{Act, Input, LinkChange, Machine as _, Node, Seeded, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, LinkConfig, LinkDurable, LinkEvent, LinkPdu, LinkState, LinkTimer,
    Neighbour, NextHop, Table, TableChange, Traits,
};
use bridgehead::protocol::organization::{
    Connector, Group, LinkStateSettings, ORGANIZATION_FORMAT, Organization,
};
use bridgehead::wire::ids::{ConnectionId, ConnectorName, GroupName, MemberName};

/// From one end of a connection to the other.
pub(crate) const LATENCY: Span = Span::milliseconds(1);
/// From a write to its completion.
pub(crate) const SYNC: Span = Span::milliseconds(2);

/// The organization of the seed's figure 3.14: two members in each group, `a` the bridgehead and `b`
/// the master; connectors in both directions.
pub(crate) fn figure_3_14() -> Organization {
    let edges = [(1, 2, 10), (2, 4, 10), (1, 3, 20), (3, 4, 20), (4, 5, 10)];
    organization(5, &edges)
}

/// Groups `RG1` to `RGn`, and an edge in both directions for each of `edges`.
pub(crate) fn organization(groups: usize, edges: &[(usize, usize, u32)]) -> Organization {
    let group = |number: usize| Group {
        name: GroupName(format!("RG{number}")),
        uuid: format!("{number:032x}"),
        members: vec![member(number, 'a'), member(number, 'b')],
        master: Some(member(number, 'b')),
        election: None,
        accounts: None,
        stores: Vec::new(),
        exits: Vec::new(),
        rules: Vec::new(),
        settings: Vec::new(),
    };
    let connector = |from: usize, to: usize, cost| Connector {
        name: ConnectorName(format!("RG{from}-RG{to}")),
        from: GroupName(format!("RG{from}")),
        to: GroupName(format!("RG{to}")),
        cost,
        sources: vec![member(from, 'a')],
        targets: vec![member(to, 'a')],
        size_limit_octets: None,
        priorities: Vec::new(),
        senders_allowed: Vec::new(),
        senders_denied: Vec::new(),
        schedule: Vec::new(),
    };
    let both = |&(u, v, cost): &(usize, usize, u32)| [connector(u, v, cost), connector(v, u, cost)];
    let organization = Organization {
        format: ORGANIZATION_FORMAT,
        revision: 1,
        name: "example".into(),
        domains: vec!["example.org".into()],
        groups: (1..=groups).map(group).collect(),
        connectors: edges.iter().flat_map(both).collect(),
        accounts: Vec::new(),
        smart_host: None,
        link_state: LinkStateSettings::default(),
    };
    assert_eq!(organization.check(), []);
    organization
}

/// `rg1-a`.
pub(crate) fn member(group: usize, letter: char) -> MemberName {
    MemberName(format!("rg{group}-{letter}"))
}

/// What a member did, and when.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) time: Time,
    pub(crate) member: MemberName,
    pub(crate) act: Act<LinkState>,
}

struct Site {
    config: LinkConfig,
    node: Option<Node<LinkState>>,
    durable: LinkDurable,
    unwritten: Vec<TableChange>,
    choose: Seeded,
    timers: BTreeMap<LinkTimer, Time>,
    connections: BTreeMap<Neighbour, u64>,
    epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

#[derive(Clone, Debug)]
struct Connection {
    client: (MemberName, Neighbour),
    server: (MemberName, Neighbour),
}

#[derive(Clone, Debug)]
enum Happening {
    Connect(u64),
    Arrive(u64, Side, LinkPdu),
    Closed(u64, Side),
    Stored(MemberName, u64),
    Timer(MemberName, LinkTimer),
}

/// The organization, and everything that is under way in it.
pub(crate) struct Network {
    pub(crate) now: Time,
    pub(crate) log: Vec<Line>,
    organization: Arc<Organization>,
    sites: BTreeMap<MemberName, Site>,
    connections: BTreeMap<u64, Connection>,
    agenda: BTreeMap<(Time, u64), Happening>,
    cuts: BTreeSet<(GroupName, GroupName)>,
    cut_members: BTreeSet<(MemberName, GroupName)>,
    next: u64,
}

impl Network {
    /// Every member boots at time zero.
    pub(crate) fn new(organization: Organization) -> Self {
        let organization = Arc::new(organization);
        let mut network = Self {
            now: Time(0),
            log: Vec::new(),
            organization: Arc::clone(&organization),
            sites: BTreeMap::new(),
            connections: BTreeMap::new(),
            agenda: BTreeMap::new(),
            cuts: BTreeSet::new(),
            cut_members: BTreeSet::new(),
            next: 0,
        };
        let members: Vec<_> = organization.groups.iter().flat_map(|g| g.members.clone()).collect();
        for (seed, member) in members.iter().enumerate() {
            let config = LinkConfig {
                organization: Arc::clone(&organization),
                member: member.clone(),
                faults: Faults::none(),
            };
            let site = Site {
                config,
                node: None,
                durable: LinkDurable::default(),
                unwritten: Vec::new(),
                choose: Seeded::new(seed as u64),
                timers: BTreeMap::new(),
                connections: BTreeMap::new(),
                epoch: 0,
            };
            network.sites.insert(member.clone(), site);
        }
        for member in &members {
            network.boot(member);
        }
        network
    }

    /// Boots a member from its disk.
    pub(crate) fn boot(&mut self, member: &MemberName) {
        let now = self.now;
        let site = self.site(member);
        assert!(site.node.is_none(), "{member} runs already");
        let (node, acts) = Node::boot(&site.config, &site.durable, now, &mut site.choose);
        site.node = Some(node);
        self.perform(member, acts);
    }

    /// A member stops at once: what is not on its disk is lost, and its connections break.
    pub(crate) fn crash(&mut self, member: &MemberName) {
        let site = self.site(member);
        site.node = None;
        site.unwritten.clear();
        site.timers.clear();
        site.epoch += 1;
        let ids: Vec<_> = site.connections.values().copied().collect();
        for id in ids {
            self.break_connection(id);
        }
    }

    /// A member loses its disk; it must have crashed before.
    pub(crate) fn lose_disk(&mut self, member: &MemberName) {
        let site = self.site(member);
        assert!(site.node.is_none(), "a running member keeps its disk");
        site.durable = LinkDurable::default();
    }

    /// Gives a member another configuration, at once if it runs.
    pub(crate) fn configure(&mut self, member: &MemberName, organization: Organization) {
        assert_eq!(organization.check(), []);
        self.site(member).config.organization = Arc::new(organization);
        if self.sites[member].node.is_some() {
            self.give(member, Input::Configuration);
        }
    }

    /// Gives an order to a member.
    pub(crate) fn command(&mut self, member: &MemberName, command: LinkCommand) {
        self.give(member, Input::Command(command));
    }

    /// A member hears something from a neighbour that nobody else sees.
    pub(crate) fn hear(&mut self, member: &MemberName, from: Neighbour, pdu: LinkPdu) {
        self.give(member, Input::Pdu { from, pdu });
    }

    /// Lets everything happen up to and including `time`.
    pub(crate) fn run_until(&mut self, time: Time) {
        let mut steps = 0_u64;
        while let Some(((due, _), _)) = self.agenda.first_key_value() {
            if *due > time {
                break;
            }
            let ((due, _), happening) = self.agenda.pop_first().expect("it was there");
            self.now = due;
            self.happen(happening);
            steps += 1;
            assert!(steps < 10_000_000, "the organization does not come to rest");
        }
        self.now = time;
    }

    /// Lets everything happen for a while.
    pub(crate) fn run_for(&mut self, span: Span) {
        self.run_until(self.now + span);
    }

    /// The machine of a member.
    pub(crate) fn machine(&self, member: &MemberName) -> &LinkState {
        self.sites[member].node.as_ref().expect("the member runs").machine()
    }

    /// What a member has on its disk.
    pub(crate) fn durable(&self, member: &MemberName) -> &LinkDurable {
        &self.sites[member].durable
    }

    /// Where a small message for `group` goes from a member.
    pub(crate) fn next_hop(&self, member: &MemberName, group: &str) -> NextHop {
        let traits = Traits { octets: 1_000, ..Traits::default() };
        let config = &self.sites[member].config;
        self.machine(member).next_hop(config, &GroupName::from(group), &traits, 0)
    }

    /// The members that run.
    pub(crate) fn running(&self) -> Vec<MemberName> {
        let running = self.sites.iter().filter(|(_, site)| site.node.is_some());
        running.map(|(member, _)| member.clone()).collect()
    }

    /// The table that all running members agree on; panics when they do not.
    pub(crate) fn agreed(&self) -> &Table {
        let running = self.running();
        let table = self.machine(&running[0]).table();
        for member in &running {
            assert_eq!(self.machine(member).table(), table, "{member} against {}", running[0]);
            assert_eq!(
                &self.durable(member).records,
                table,
                "the disk of {member} has what its table has"
            );
        }
        table
    }

    /// The state of a connector in a member's table.
    pub(crate) fn state(&self, member: &MemberName, connector: &str) -> ConnectorState {
        let records = self.machine(member).records();
        let mut connectors = records.flat_map(|record| &record.connectors);
        connectors.find(|c| c.name.as_str() == connector).expect("it is in the table").state
    }

    /// The connections that a member has now.
    pub(crate) fn open_connections(&self, member: &MemberName) -> Vec<Neighbour> {
        self.sites[member].connections.keys().cloned().collect()
    }

    /// The events of a member, with their times.
    pub(crate) fn events(&self, member: &MemberName) -> Vec<(Time, LinkEvent)> {
        let lines = self.log.iter().filter(|line| line.member == *member);
        let events = lines.filter_map(|line| match &line.act {
            Act::Event(event) => Some((line.time, event.clone())),
            _ => None,
        });
        events.collect()
    }

    /// When a member judged a connector how.
    pub(crate) fn judgements(&self, member: &MemberName, name: &str) -> Vec<(u64, String)> {
        let events = self.events(member).into_iter();
        let judged = events.filter_map(|(time, event)| match event {
            LinkEvent::Judged { connector, judgement } if connector.as_str() == name => {
                Some((time.0 / 1_000_000, judgement))
            }
            _ => None,
        });
        judged.collect()
    }

    /// When a connection over a connector was opened.
    pub(crate) fn attempts(&self, name: &str) -> Vec<Time> {
        let opened = self.log.iter().filter(|line| {
            matches!(&line.act, Act::Open { peer: Neighbour::Connector { connector, .. }, .. }
                if connector.as_str() == name)
        });
        opened.map(|line| line.time).collect()
    }

    /// Every `News` over each connector: how many records it told.
    pub(crate) fn told(&self, since: Time) -> BTreeMap<ConnectorName, Vec<usize>> {
        let mut told: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for line in self.log.iter().filter(|line| line.time >= since) {
            if let Act::Send {
                to: Neighbour::Connector { connector, .. },
                pdu: LinkPdu::News { records, .. },
            } = &line.act
            {
                told.entry(connector.clone()).or_default().push(records.len());
            }
        }
        told
    }

    fn site(&mut self, member: &MemberName) -> &mut Site {
        self.sites.get_mut(member).expect("a member of the organization")
    }

    fn plan(&mut self, after: Span, happening: Happening) {
        self.next += 1;
        self.agenda.insert((self.now + after, self.next), happening);
    }

    fn give(&mut self, member: &MemberName, input: Input<LinkState>) {
        let now = self.now;
        let site = self.site(member);
        let Some(node) = &mut site.node else { return };
        let acts = node.step(&site.config, input, now, &mut site.choose);
        self.perform(member, acts);
    }

    fn perform(&mut self, member: &MemberName, acts: Vec<Act<LinkState>>) {
        for act in acts {
            self.log.push(Line { time: self.now, member: member.clone(), act: act.clone() });
            match act {
                Act::Open { peer, .. } => self.open(member, peer),
                Act::Close { peer } => {
                    if let Some(id) = self.site(member).connections.remove(&peer) {
                        let side = self.far_side(id, member);
                        self.plan(LATENCY, Happening::Closed(id, side));
                    }
                }
                Act::Send { to, pdu } => {
                    if let Some(id) = self.site(member).connections.get(&to).copied() {
                        let side = self.far_side(id, member);
                        self.plan(LATENCY, Happening::Arrive(id, side, pdu));
                    }
                }
                Act::Arm { timer, within } => {
                    let due = self.now + *within.start();
                    self.site(member).timers.insert(timer.clone(), due);
                    self.plan(*within.start(), Happening::Timer(member.clone(), timer));
                }
                Act::Disarm(timer) => {
                    self.site(member).timers.remove(&timer);
                }
                Act::Write(change) => {
                    let site = self.site(member);
                    site.unwritten.push(change);
                    let epoch = site.epoch;
                    self.plan(SYNC, Happening::Stored(member.clone(), epoch));
                }
                Act::Event(_) => {}
                Act::Ask { .. } => unreachable!("link state asks nothing"),
            }
        }
    }

    fn open(&mut self, member: &MemberName, peer: Neighbour) {
        self.next += 1;
        let id = self.next;
        let client = member.clone();
        let server = peer.member().clone();
        let there = match &peer {
            Neighbour::Connector { .. } | Neighbour::Member(_) => {
                Neighbour::Inbound(ConnectionId(id * 2 + 1), client.clone())
            }
            Neighbour::Master(_) => Neighbour::Attached(client.clone()),
            Neighbour::Attached(_) | Neighbour::Inbound(..) => {
                panic!("{member} cannot open {peer:?}")
            }
        };
        let before = self.site(member).connections.insert(peer.clone(), id);
        assert_eq!(before, None, "{member} opens {peer:?} twice");
        let connection = Connection { client: (client, peer), server: (server, there) };
        self.connections.insert(id, connection);
        self.plan(LATENCY, Happening::Connect(id));
    }

    fn far_side(&self, id: u64, member: &MemberName) -> Side {
        if self.connections[&id].client.0 == *member { Side::Server } else { Side::Client }
    }

    fn route_of(&self, connection: &Connection) -> (GroupName, GroupName) {
        let group = |member| self.organization.group_of(member).expect("a member").name.clone();
        (group(&connection.client.0), group(&connection.server.0))
    }

    /// Whether this end of a connection still has it.
    fn end(&self, id: u64, side: Side) -> Option<(MemberName, Neighbour)> {
        let connection = self.connections.get(&id)?;
        let (member, neighbour) = match side {
            Side::Client => &connection.client,
            Side::Server => &connection.server,
        };
        let has = self.sites[member].connections.get(neighbour) == Some(&id);
        has.then(|| (member.clone(), neighbour.clone()))
    }

    fn report_end(&mut self, id: u64, side: Side, change: LinkChange) {
        if let Some((member, neighbour)) = self.end(id, side) {
            self.site(&member).connections.remove(&neighbour);
            self.give(&member, Input::Link { peer: neighbour, change });
        }
    }

    fn break_connection(&mut self, id: u64) {
        self.report_end(id, Side::Client, LinkChange::Lost);
        self.report_end(id, Side::Server, LinkChange::Lost);
        self.connections.remove(&id);
    }

    fn connect(&mut self, id: u64) {
        let Some((client, from)) = self.end(id, Side::Client) else { return };
        let connection = self.connections[&id].clone();
        let (server, there) = connection.server.clone();
        let route = self.route_of(&connection);
        let is_cut =
            self.cuts.contains(&route) || self.cut_members.contains(&(client.clone(), route.1));
        if is_cut || self.sites[&server].node.is_none() {
            self.report_end(id, Side::Client, LinkChange::Refused);
            self.connections.remove(&id);
            return;
        }
        if let Some(old) = self.site(&server).connections.remove(&there) {
            self.connections.remove(&old);
            self.give(&server, Input::Link { peer: there.clone(), change: LinkChange::Lost });
        }
        self.site(&server).connections.insert(there.clone(), id);
        self.give(&server, Input::Link { peer: there, change: LinkChange::Up });
        self.give(&client, Input::Link { peer: from, change: LinkChange::Up });
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Connect(id) => self.connect(id),
            Happening::Arrive(id, side, pdu) => {
                if let Some((member, from)) = self.end(id, side) {
                    self.give(&member, Input::Pdu { from, pdu });
                }
            }
            Happening::Closed(id, side) => {
                self.report_end(id, side, LinkChange::Closed);
                self.connections.remove(&id);
            }
            Happening::Stored(member, epoch) => {
                let site = self.site(&member);
                if site.epoch == epoch {
                    let change = site.unwritten.remove(0);
                    LinkState::apply(&mut site.durable, &change);
                    let acts = site.node.as_mut().expect("it writes").stored();
                    self.perform(&member, acts);
                }
            }
            Happening::Timer(member, timer) => {
                let now = self.now;
                let site = self.site(&member);
                if site.timers.get(&timer) == Some(&now) {
                    site.timers.remove(&timer);
                    self.give(&member, Input::Timer(timer));
                }
            }
        }
    }
}
