//! A host for link-state machines alone: virtual time, and connections that take time.
//!
//! It drives the same `Node<LinkState>` as every other host. There is no mail; a disk that writes takes a
//! fixed time, a connection passes on what is sent in order, and the delays follow from the codecs (see
//! [`super::price`]).

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::meter::Meter;
use super::price::{Delays, GROUP_PORT_SETUP_PASSAGES, Price, SMTP_SETUP_PASSAGES};
use crate::kernel::{Act, Choose, Input, LinkChange, Machine as _, Node, Seeded, Span, Time};
use crate::protocol::faults::Faults;
use crate::protocol::linkstate::{
    LinkCommand, LinkConfig, LinkDurable, LinkEvent, LinkPdu, LinkState, LinkTimer, Neighbour,
    TableChange,
};
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectionId, ConnectorName, MemberName};

/// The most happenings of one run; more is an organization that never comes to rest.
const HAPPENINGS_LIMIT: u64 = 1_000_000_000;
/// How many happenings pass from one word of progress to the next.
const PROGRESS_EVERY: u64 = 100_000;

/// One member: its node, and what it has on its disk.
struct Site {
    config: LinkConfig,
    node: Option<Node<LinkState>>,
    /// What the disk had at first; shared, so that thousands of equal disks cost one.
    disk: Arc<LinkDurable>,
    /// What was written since.
    written: Vec<TableChange>,
    unwritten: VecDeque<TableChange>,
    timers: BTreeMap<LinkTimer, Time>,
    connections: BTreeMap<Neighbour, u64>,
    choose: Seeded,
    /// Counts boots: what is under way for an earlier life is not for this one.
    life: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// A connection, from its opening on.
struct Wire {
    ends: [(usize, Neighbour); 2],
    connector: Option<ConnectorName>,
    /// When the last thing that is under way to each end arrives: nothing overtakes it.
    arrivals: [Time; 2],
}

enum Happening {
    Connect(u64),
    Arrive(u64, Side, LinkPdu),
    Closed(u64, Side),
    Stored(usize, u32),
    Timer(usize, u32, LinkTimer),
}

/// A member has changed its mind about a connector that it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// When.
    pub at: Time,
    /// Which connector.
    pub connector: ConnectorName,
    /// `retry`, `down`, `persistent`, `oscillating`, `up`.
    pub judgement: String,
}

/// All members, and everything that is under way between them.
pub struct Network {
    /// The virtual time.
    pub now: Time,
    /// What passed.
    pub meter: Meter,
    /// How members judged their connectors.
    pub judged: Vec<Judged>,
    /// When a table has last grown.
    pub last_growth: Time,
    /// When something has last been sent.
    pub last_sent: Time,
    /// What happened so far.
    pub happenings: u64,
    /// Everything that was written, and by whom, if somebody wants to know.
    pub written: Option<Vec<(MemberName, TableChange)>>,
    /// Is told what happened so far, and the time.
    pub progress: Option<fn(u64, Time)>,
    organization: Arc<Organization>,
    delays: Delays,
    dice: Seeded,
    sites: Vec<Site>,
    places: BTreeMap<MemberName, usize>,
    wires: BTreeMap<u64, Wire>,
    agenda: BTreeMap<(Time, u64), Happening>,
    broken: BTreeSet<ConnectorName>,
    /// How many happenings are planned that are no timers.
    busy: u64,
    next: u64,
}

impl Network {
    /// Members that do not run yet; `disk` says what each of them has on its disk.
    #[must_use]
    pub fn new(
        organization: &Arc<Organization>,
        delays: Delays,
        seed: u64,
        faults: &Faults,
        mut disk: impl FnMut(&MemberName) -> Arc<LinkDurable>,
    ) -> Self {
        let members: Vec<_> = organization.groups.iter().flat_map(|g| &g.members).collect();
        let site = |(place, member): (usize, &&MemberName)| Site {
            config: LinkConfig {
                organization: Arc::clone(organization),
                member: (*member).clone(),
                faults: faults.clone(),
            },
            node: None,
            disk: disk(member),
            written: Vec::new(),
            unwritten: VecDeque::new(),
            timers: BTreeMap::new(),
            connections: BTreeMap::new(),
            choose: Seeded::new(seed.wrapping_add(u64::try_from(place).expect("a place fits"))),
            life: 0,
        };
        let sites = members.iter().enumerate().map(site).collect();
        let places = members.iter().enumerate().map(|(place, m)| ((*m).clone(), place)).collect();
        Self {
            now: Time(0),
            meter: Meter::default(),
            judged: Vec::new(),
            last_growth: Time(0),
            last_sent: Time(0),
            happenings: 0,
            written: None,
            progress: None,
            organization: Arc::clone(organization),
            delays,
            dice: Seeded::new(seed),
            sites,
            places,
            wires: BTreeMap::new(),
            agenda: BTreeMap::new(),
            broken: BTreeSet::new(),
            busy: 0,
            next: 0,
        }
    }

    /// Boots every member that does not run.
    pub fn boot_all(&mut self) {
        for place in 0..self.sites.len() {
            self.boot(place);
        }
    }

    /// Boots a member from its disk, unless it runs.
    pub fn boot(&mut self, place: usize) {
        let now = self.now;
        let site = &mut self.sites[place];
        if site.node.is_some() {
            return;
        }
        if !site.written.is_empty() {
            let disk = Arc::make_mut(&mut site.disk);
            site.written.drain(..).for_each(|change| LinkState::apply(disk, &change));
        }
        let (node, acts) = Node::boot(&site.config, site.disk.as_ref(), now, &mut site.choose);
        site.node = Some(node);
        self.perform(place, acts);
    }

    /// A member stops at once: what is not on its disk is lost, and its connections break.
    pub fn crash(&mut self, place: usize) {
        let site = &mut self.sites[place];
        site.node = None;
        site.unwritten.clear();
        site.timers.clear();
        site.life += 1;
        let wires: Vec<_> = site.connections.values().copied().collect();
        wires.into_iter().for_each(|wire| self.lose(wire));
    }

    /// The connections that exist.
    #[must_use]
    pub fn wires(&self) -> Vec<u64> {
        self.wires.keys().copied().collect()
    }

    /// A connection breaks: what is under way on it is lost.
    pub fn lose(&mut self, wire: u64) {
        self.report_end(wire, Side::Client, LinkChange::Lost);
        self.report_end(wire, Side::Server, LinkChange::Lost);
        self.wires.remove(&wire);
    }

    /// Nothing passes over this connector any more.
    pub fn cut(&mut self, connector: &ConnectorName) {
        self.broken.insert(connector.clone());
        let is_cut = |wire: &Wire| wire.connector.as_ref() == Some(connector);
        let lost: Vec<_> =
            self.wires.iter().filter(|(_, w)| is_cut(w)).map(|(id, _)| *id).collect();
        lost.into_iter().for_each(|wire| self.lose(wire));
    }

    /// The connector works again.
    pub fn heal(&mut self, connector: &ConnectorName) {
        self.broken.remove(connector);
    }

    /// Gives an order to a member.
    pub fn command(&mut self, place: usize, command: LinkCommand) {
        self.give(place, Input::Command(command));
    }

    /// The place of a member.
    ///
    /// # Panics
    /// When the organization has no such member.
    #[must_use]
    pub fn place(&self, member: &MemberName) -> usize {
        self.places[member]
    }

    /// The machines of the members that run.
    pub fn machines(&self) -> impl Iterator<Item = (&MemberName, &LinkState)> {
        let running = self.sites.iter().filter_map(|site| Some((site, site.node.as_ref()?)));
        running.map(|(site, node)| (&site.config.member, node.machine()))
    }

    /// The machine of a member, if it runs.
    #[must_use]
    pub fn machine(&self, place: usize) -> Option<&LinkState> {
        self.sites[place].node.as_ref().map(Node::machine)
    }

    /// Lets everything happen up to and including `time`.
    pub fn run_until(&mut self, time: Time) {
        while self.happen_before(time) {}
        self.now = time;
    }

    /// Lets everything happen until nothing but timers is left, and says whether that came about before
    /// `limit`.
    pub fn settle(&mut self, limit: Span) -> bool {
        let limit = self.now + limit;
        while self.busy > 0 {
            if !self.happen_before(limit) {
                return false;
            }
        }
        true
    }

    /// Lets everything happen until `member` judges `connector` so, and says whether it does before
    /// `limit`.
    pub fn run_until_judged(
        &mut self,
        connector: &ConnectorName,
        judgement: &str,
        limit: Span,
    ) -> bool {
        let (seen, limit) = (self.judged.len(), self.now + limit);
        loop {
            let mut news = self.judged[seen..].iter();
            if news.any(|j| j.connector == *connector && j.judgement == judgement) {
                return true;
            }
            if !self.happen_before(limit) {
                return false;
            }
        }
    }

    /// Lets the next thing happen, unless it is due later.
    fn happen_before(&mut self, limit: Time) -> bool {
        match self.agenda.first_key_value() {
            Some(((due, _), _)) if *due <= limit => {}
            _ => return false,
        }
        let ((due, _), happening) = self.agenda.pop_first().expect("it was there");
        assert!(due >= self.now, "time goes on");
        self.now = due;
        self.happenings += 1;
        assert!(self.happenings < HAPPENINGS_LIMIT, "the organization does not come to rest");
        if self.happenings.is_multiple_of(PROGRESS_EVERY)
            && let Some(tell) = self.progress
        {
            tell(self.happenings, self.now);
        }
        if !matches!(happening, Happening::Timer(..)) {
            self.busy -= 1;
        }
        self.happen(happening);
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Connect(wire) => self.connect(wire),
            Happening::Arrive(wire, side, pdu) => {
                if let Some((place, from)) = self.end(wire, side) {
                    self.give(place, Input::Pdu { from, pdu });
                }
            }
            Happening::Closed(wire, side) => {
                self.report_end(wire, side, LinkChange::Closed);
                self.wires.remove(&wire);
            }
            Happening::Stored(place, life) => {
                let site = &mut self.sites[place];
                if site.life == life {
                    let change = site.unwritten.pop_front().expect("it writes");
                    if let Some(written) = &mut self.written {
                        written.push((site.config.member.clone(), change.clone()));
                    }
                    site.written.push(change);
                    let acts = site.node.as_mut().expect("it runs").stored();
                    self.perform(place, acts);
                }
            }
            Happening::Timer(place, life, timer) => {
                let now = self.now;
                let site = &mut self.sites[place];
                if site.life == life && site.timers.get(&timer) == Some(&now) {
                    site.timers.remove(&timer);
                    self.give(place, Input::Timer(timer));
                }
            }
        }
    }

    fn plan(&mut self, due: Time, happening: Happening) {
        if !matches!(happening, Happening::Timer(..)) {
            self.busy += 1;
        }
        self.next += 1;
        self.agenda.insert((due, self.next), happening);
    }

    fn give(&mut self, place: usize, input: Input<LinkState>) {
        let now = self.now;
        let site = &mut self.sites[place];
        let Some(node) = &mut site.node else { return };
        let acts = node.step(&site.config, input, now, &mut site.choose);
        self.perform(place, acts);
    }

    fn perform(&mut self, place: usize, acts: Vec<Act<LinkState>>) {
        for act in acts {
            let life = self.sites[place].life;
            match act {
                Act::Open { peer, .. } => self.open(place, peer),
                Act::Close { peer } => self.close(place, &peer),
                Act::Send { to, pdu } => self.send(place, &to, pdu),
                Act::Arm { timer, within } => {
                    let due = self.now + *within.start();
                    self.sites[place].timers.insert(timer.clone(), due);
                    self.plan(due, Happening::Timer(place, life, timer));
                }
                Act::Disarm(timer) => {
                    self.sites[place].timers.remove(&timer);
                }
                Act::Write(change) => {
                    self.sites[place].unwritten.push_back(change);
                    self.plan(self.now + self.delays.disk, Happening::Stored(place, life));
                }
                Act::Event(LinkEvent::TableChanged) => self.last_growth = self.now,
                Act::Event(LinkEvent::Judged { connector, judgement }) => {
                    self.meter.decided(&connector, &judgement);
                    self.judged.push(Judged { at: self.now, connector, judgement });
                }
                Act::Event(_) => {}
                Act::Ask { .. } => unreachable!("link state asks nothing"),
            }
        }
    }

    /// A connection is to be opened; whether it can be turns out when it should be open.
    fn open(&mut self, place: usize, peer: Neighbour) {
        self.next += 1;
        let wire = self.next;
        let client = self.sites[place].config.member.clone();
        let server = self.places[peer.member()];
        let (there, passages, connector) = match &peer {
            Neighbour::Connector { connector, .. } => {
                let id = ConnectionId(wire * 2 + 1);
                (Neighbour::Inbound(id, client), SMTP_SETUP_PASSAGES, Some(connector.clone()))
            }
            Neighbour::Member(_) => {
                (Neighbour::Inbound(ConnectionId(wire * 2 + 1), client), SMTP_SETUP_PASSAGES, None)
            }
            Neighbour::Master(_) => (Neighbour::Attached(client), GROUP_PORT_SETUP_PASSAGES, None),
            Neighbour::Attached(_) | Neighbour::Inbound(..) => panic!("nobody opens {peer:?}"),
        };
        let before = self.sites[place].connections.insert(peer.clone(), wire);
        assert_eq!(before, None, "a connection is opened once");
        let due = self.now + self.passages(connector.is_some(), passages);
        let ends = [(place, peer), (server, there)];
        self.wires.insert(wire, Wire { ends, connector, arrivals: [due, due] });
        self.plan(due, Happening::Connect(wire));
    }

    fn connect(&mut self, wire: u64) {
        let Some((place, from)) = self.end(wire, Side::Client) else { return };
        let Wire { ends, connector, .. } = &self.wires[&wire];
        let (server, there) = ends[1].clone();
        let is_cut = connector.as_ref().is_some_and(|name| self.broken.contains(name));
        if is_cut || self.sites[server].node.is_none() {
            self.report_end(wire, Side::Client, LinkChange::Refused);
            self.wires.remove(&wire);
            return;
        }
        // The server of a group port may not have noticed yet that an earlier connection is gone.
        if let Some(old) = self.sites[server].connections.remove(&there) {
            self.wires.remove(&old);
            self.give(server, Input::Link { peer: there.clone(), change: LinkChange::Lost });
        }
        self.sites[server].connections.insert(there.clone(), wire);
        self.give(server, Input::Link { peer: there, change: LinkChange::Up });
        self.give(place, Input::Link { peer: from, change: LinkChange::Up });
    }

    fn send(&mut self, place: usize, to: &Neighbour, pdu: LinkPdu) {
        let Some(wire) = self.sites[place].connections.get(to).copied() else { return };
        let (side, connector) = (self.far_side(wire, place), self.wires[&wire].connector.clone());
        let price = match (to, side) {
            (Neighbour::Master(_) | Neighbour::Attached(_), _) => Price::of_frame(&pdu),
            (_, Side::Server) => Price::of_command(&pdu),
            (_, Side::Client) => Price::of_reply(&pdu),
        };
        self.meter.count(connector.as_ref(), &pdu, price);
        self.last_sent = self.now;
        let due = self.arrival(wire, side, price.passages);
        self.plan(due, Happening::Arrive(wire, side, pdu));
    }

    fn close(&mut self, place: usize, peer: &Neighbour) {
        if let Some(wire) = self.sites[place].connections.remove(peer) {
            let side = self.far_side(wire, place);
            let due = self.arrival(wire, side, 1);
            self.plan(due, Happening::Closed(wire, side));
        }
    }

    /// When something that is sent now has arrived at one side: behind all that was sent before.
    fn arrival(&mut self, wire: u64, side: Side, passages: u64) -> Time {
        let between_groups = self.wires[&wire].connector.is_some();
        let due = self.now + self.passages(between_groups, passages);
        let wire = self.wires.get_mut(&wire).expect("both ends have it, or one of them");
        let last = &mut wire.arrivals[side as usize];
        *last = due.max(*last);
        *last
    }

    fn passages(&mut self, between_groups: bool, passages: u64) -> Span {
        let one = if between_groups { self.delays.link } else { self.delays.local };
        let jitter = u32::try_from(self.delays.jitter.0).ok().and_then(NonZeroU32::new);
        let jitter = jitter.map_or(0, |bound| self.dice.below("converge.jitter", bound));
        Span(one.0 * passages + u64::from(jitter))
    }

    fn far_side(&self, wire: u64, place: usize) -> Side {
        if self.wires[&wire].ends[0].0 == place { Side::Server } else { Side::Client }
    }

    /// The member at one side, if it still has this connection.
    fn end(&self, wire: u64, side: Side) -> Option<(usize, Neighbour)> {
        let (place, neighbour) = &self.wires.get(&wire)?.ends[side as usize];
        let has = self.sites[*place].connections.get(neighbour) == Some(&wire);
        has.then(|| (*place, neighbour.clone()))
    }

    fn report_end(&mut self, wire: u64, side: Side, change: LinkChange) {
        if let Some((place, neighbour)) = self.end(wire, side) {
            self.sites[place].connections.remove(&neighbour);
            self.give(place, Input::Link { peer: neighbour, change });
        }
    }

    /// The organization that the members are configured with.
    #[must_use]
    pub fn organization(&self) -> &Organization {
        &self.organization
    }
}
