//! The machine itself: what it holds, and how inputs find their way.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::age::Ages;
use super::backoff::Backoff;
use super::detector::Detector;
use super::link::Link;
use super::routes::Routes;
use super::{
    ConnectorState, LinkCommand, LinkConfig, LinkDurable, LinkEvent, LinkPdu, LinkTimer, LinkView,
    Neighbour, NextHop, Record, SharedRecord, Table, TableChange, Term, Traits, Way,
    first_connector,
};
use crate::clause;
use crate::kernel::{Cx, Input, LinkChange, Machine};
use crate::protocol::master::{Appointment, Mastership};
use crate::protocol::organization::Group;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};
use crate::wire::message::{Digest, TableVersions};

/// The machine.
///
/// After a `Close` of a neighbour, or after the host has reported a connection as refused, timed out,
/// lost or closed, the host reports nothing more of that connection: its name may be opened again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkState {
    pub(super) table: Table,
    pub(super) links: BTreeMap<Neighbour, Link>,
    /// Inbound connections on which news was answered: mail may come on them.
    pub(super) answered: BTreeSet<Neighbour>,
    pub(super) detectors: BTreeMap<ConnectorName, Detector>,
    pub(super) wanted: BTreeSet<Way>,
    /// Who the master of the group is, where that is known.
    pub(super) master: Option<MemberName>,
    /// The term for which it was elected, where the group elects its master.
    pub(super) elected: Option<Term>,
    /// The greatest appointment of a master, where the group elects none.
    pub(super) appointed: Option<Appointment>,
    /// Set while this member is the master of its group.
    pub(super) mastership: Option<Mastership>,
    /// The latest term of this member, which is on disk.
    pub(super) term: Option<Term>,
    /// Before the master is called again.
    pub(super) reattach: Backoff,
    /// Before a member of the group is called again.
    pub(super) pauses: BTreeMap<MemberName, Backoff>,
    /// Where mail goes, by the table of the last computation.
    pub(super) routes: Routes,
    /// When each record was learnt, to show it.
    pub(super) ages: Ages,
    /// Pairs of records about which the alarm was raised.
    pub(super) alarmed: BTreeSet<(Digest, Digest)>,
    /// A planted bug: news follows the mail.
    pub(super) tells_late: bool,
}

impl LinkConfig {
    /// The group of this member.
    ///
    /// # Panics
    /// When the organization has no such member: a host never configures that.
    #[must_use]
    pub fn group(&self) -> &Group {
        let group = self.organization.group_of(&self.member);
        group.expect("the host configures a member of the organization")
    }
}

impl LinkState {
    /// Where a message for `group` goes by the table that routes, and by nothing else. `lot` chooses among
    /// equal connectors, where the organization spreads mail over them.
    #[must_use]
    pub fn next_hop(
        &self,
        config: &LinkConfig,
        group: &GroupName,
        traits: &Traits,
        lot: u64,
    ) -> NextHop {
        clause!(LS_040);
        let own = &config.group().name;
        if group == own {
            return NextHop::Here;
        }
        if self.routes.table().get(group).is_none() {
            clause!(LS_044);
            return NextHop::Unknown;
        }
        let spread = config.organization.link_state.spread;
        let private = config.faults.is_on("routes-by-private-knowledge");
        let private = private.then(|| self.private_table());
        let first = match &private {
            Some(table) => first_connector(table, own, group, traits),
            None => self.routes.first(group, traits, spread.then_some(lot)),
        };
        let Some(first) = first else {
            clause!(LS_043);
            return NextHop::Infinite;
        };
        let is_carried = self.detectors.contains_key(&first.name);
        let is_available = |member: &MemberName| !first.unavailable.contains(member);
        if is_carried && is_available(&config.member) {
            return NextHop::Connector(first.name.clone());
        }
        clause!(LS_042);
        let mut others = first.sources.iter().filter(|source| **source != config.member);
        let others: Vec<_> = others.by_ref().collect();
        let available = others.iter().find(|source| is_available(source));
        match available.or_else(|| others.first().filter(|_| !is_carried)) {
            Some(source) => NextHop::Member((*source).clone(), first.name.clone()),
            None if is_carried => NextHop::Connector(first.name.clone()),
            None => NextHop::Infinite,
        }
    }

    /// What the table would say if it said what this member thinks: a planted bug routes by that.
    fn private_table(&self) -> Table {
        let is_bad = |name: &ConnectorName| self.detectors.get(name).is_some_and(Detector::fails);
        Table::new(self.routes.table().records().map(|record| {
            let mut record = Record::clone(record);
            let connectors = record.connectors.iter_mut();
            connectors.filter(|c| is_bad(&c.name)).for_each(|c| c.state = ConnectorState::Down);
            record
        }))
    }

    /// The versions of the present table.
    #[must_use]
    pub fn versions(&self) -> TableVersions {
        let records = self.table.records();
        records.map(|record| (record.key(), record.version.clone())).collect()
    }

    /// Whether mail may be offered on this connection now: nothing is owed to its far end, and no
    /// news waits for its `Merged`. When it becomes so again, `Ready` is said again. On an inbound
    /// connection: whether the far end may offer, because its first news was answered.
    #[must_use]
    pub fn may_offer(&self, neighbour: &Neighbour) -> bool {
        if matches!(neighbour, Neighbour::Inbound(..)) {
            clause!(LS_046);
            return self.answered.contains(neighbour);
        }
        self.links.get(neighbour).is_some_and(|link| link.ready)
    }

    /// The records of the present table, in order of the groups' names.
    pub fn records(&self) -> impl Iterator<Item = &SharedRecord> + Clone {
        self.table.records()
    }

    /// The present table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Takes the configuration over: at the boot, and whenever it changes.
    fn adopt(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        self.adopt_routes(config);
        self.adopt_connectors(config, cx);
        self.adopt_master(config, cx);
        self.tell_if_buried(config, cx);
        if !self.publish(config, false, cx) {
            self.arm_refresh(config, cx);
        }
        self.rejudge_failed(config, cx);
        self.take_turns(config, cx);
        self.open_what_is_needed(cx);
    }

    fn command(&mut self, config: &LinkConfig, command: LinkCommand, cx: &mut Cx<'_, Self>) {
        match command {
            LinkCommand::Want(way) => self.want(config, way, cx),
            LinkCommand::Done(way) => self.done(&way, cx),
            LinkCommand::Bury { uuid, group, reason } => self.bury(config, uuid, group, reason, cx),
            LinkCommand::Outdo(term) => self.outdo(config, &term, cx),
            LinkCommand::Elected(term) => self.elect(config, term, cx),
            LinkCommand::Appoint => self.appoint(config, cx),
            LinkCommand::Appointed(appointment) => self.appointed(config, appointment, cx),
            LinkCommand::Cease => self.cease(config, cx),
            LinkCommand::Broken(neighbour) => {
                if self.links.contains_key(&neighbour) {
                    cx.close(neighbour.clone());
                    self.ended(config, &neighbour, cx);
                }
            }
        }
    }

    fn want(&mut self, config: &LinkConfig, way: Way, cx: &mut Cx<'_, Self>) {
        let exists = match &way {
            Way::Connector(name) => self.detectors.contains_key(name),
            Way::Member(member) => {
                *member != config.member && config.group().members.contains(member)
            }
        };
        if !exists {
            cx.event(LinkEvent::Failed { way });
            return;
        }
        let open = self.link_of(&way);
        self.wanted.insert(way);
        match open {
            Some(neighbour) => {
                // Each want has its answer, also one on a connection that is ready already.
                if let Some(link) = self.links.get_mut(&neighbour) {
                    link.ready = false;
                }
                self.pump(&neighbour, cx);
            }
            None => self.open_what_is_needed(cx),
        }
    }

    fn done(&mut self, way: &Way, cx: &mut Cx<'_, Self>) {
        self.wanted.remove(way);
        self.forget_losses(way);
        cx.disarm(LinkTimer::Reopen(way.clone()));
        if let Some(neighbour) = self.link_of(way) {
            self.pump(&neighbour, cx);
        }
        self.open_what_is_needed(cx);
    }

    /// The next loss of a connection of this way is the first one again.
    pub(super) fn forget_losses(&mut self, way: &Way) {
        match way {
            Way::Connector(name) => {
                if let Some(detector) = self.detectors.get_mut(name) {
                    detector.pause.reset();
                }
            }
            Way::Member(member) => {
                self.pauses.remove(member);
            }
        }
    }

    /// The connection that serves a way now, open or opening.
    pub(super) fn link_of(&self, way: &Way) -> Option<Neighbour> {
        let first = first_neighbour(way);
        let found = self.links.range(first..).next().map(|(neighbour, _)| neighbour);
        found.filter(|neighbour| neighbour.serves(way)).cloned()
    }

    pub(super) fn misbehaved(
        neighbour: &Neighbour,
        problem: impl Into<String>,
        cx: &mut Cx<'_, Self>,
    ) {
        let (neighbour, problem) = (neighbour.clone(), problem.into());
        cx.event(LinkEvent::Misbehaved { neighbour, problem });
    }

    fn hear(&mut self, config: &LinkConfig, from: &Neighbour, pdu: LinkPdu, cx: &mut Cx<'_, Self>) {
        let is_inbound = matches!(from, Neighbour::Inbound(..));
        if !is_inbound && !self.links.get(from).is_some_and(|link| link.up) {
            Self::misbehaved(from, "spoke on a connection that is not open", cx);
            return;
        }
        match pdu {
            LinkPdu::News { digest, records, nodes } => {
                self.news(config, from, digest, (records, &nodes), cx);
            }
            LinkPdu::Merged { digest, records, nodes } => {
                self.merged(config, from, digest, (records, &nodes), cx);
            }
            LinkPdu::Report { states } => self.report_heard(config, from, states, cx),
            LinkPdu::Reported { .. } => self.reported(config, from, cx),
        }
    }

    fn timer(&mut self, config: &LinkConfig, timer: LinkTimer, cx: &mut Cx<'_, Self>) {
        match timer {
            LinkTimer::GlitchRetry(name) => self.try_again(&name, cx),
            LinkTimer::Probe(name) => self.probe(config, &name, cx),
            LinkTimer::Calm(name) => self.reconsider(config, &name, cx, |d| d.damping.calm()),
            LinkTimer::DampLimit(name) => self.reconsider(config, &name, cx, Detector::outlast),
            LinkTimer::Decay(name) => self.decay(config, &name, cx),
            LinkTimer::SuppressLimit(name) => {
                self.reconsider(config, &name, cx, |d| d.damping.release());
            }
            LinkTimer::Reattach => {
                self.reattach.waiting = false;
                self.attach(config, cx);
            }
            LinkTimer::Schedule(timer) => self.paced(timer, cx),
            LinkTimer::Collect => self.collect_is_over(config, cx),
            LinkTimer::Absence(member) => self.is_overdue(config, &member, cx),
            LinkTimer::AbsenceHold(member) => self.may_be_absent(config, &member, cx),
            LinkTimer::Backup(name) => self.back_up(config, &name, cx),
            LinkTimer::Refresh => self.refresh(config, cx),
            LinkTimer::Outbid => self.outbid_again(config, cx),
            LinkTimer::Answer(neighbour) => self.silent(config, &neighbour, cx),
            LinkTimer::Reopen(way) => {
                match &way {
                    Way::Connector(name) => {
                        if let Some(detector) = self.detectors.get_mut(name) {
                            detector.pause.waiting = false;
                        }
                    }
                    Way::Member(member) => {
                        if let Some(pause) = self.pauses.get_mut(member) {
                            pause.waiting = false;
                        }
                    }
                }
                self.open_what_is_needed(cx);
            }
        }
    }
}

impl Machine for LinkState {
    type Config = LinkConfig;
    type Peer = Neighbour;
    /// The neighbour's name says where to.
    type Endpoint = ();
    type Pdu = LinkPdu;
    type Timer = LinkTimer;
    type Change = TableChange;
    type Durable = LinkDurable;
    type Query = ();
    type Answer = ();
    type Command = LinkCommand;
    type Event = LinkEvent;
    type View = LinkView;

    fn apply(durable: &mut LinkDurable, change: &TableChange) {
        match change {
            TableChange::Merged(records) => {
                records.iter().for_each(|record| durable.records.put(record.clone()));
            }
            TableChange::Learnt { at, records } => {
                clause!(LS_153);
                for record in records {
                    durable.records.put(record.clone());
                    durable.learnt.insert(record.uuid.clone(), *at);
                }
            }
            TableChange::Term(term) => {
                assert!(durable.term.as_ref() < Some(term), "terms only grow");
                durable.term = Some(term.clone());
            }
            TableChange::Appointed(appointment) => {
                assert!(durable.appointed.as_ref() < Some(appointment), "appointments grow");
                durable.appointed = Some(appointment.clone());
            }
        }
    }

    fn boot(config: &LinkConfig, durable: &LinkDurable, cx: &mut Cx<'_, Self>) -> Self {
        clause!(LS_006);
        let mut machine = Self {
            routes: Routes::new(config.group().name.clone(), durable.records.clone()),
            table: durable.records.clone(),
            links: BTreeMap::new(),
            answered: BTreeSet::new(),
            detectors: BTreeMap::new(),
            wanted: BTreeSet::new(),
            master: None,
            elected: None,
            appointed: durable.appointed.clone(),
            mastership: None,
            term: durable.term.clone(),
            reattach: Backoff::default(),
            pauses: BTreeMap::new(),
            ages: Ages::new(cx.now, &durable.learnt),
            alarmed: BTreeSet::new(),
            tells_late: config.faults.is_on("news-when-idle"),
        };
        machine.adopt(config, cx);
        machine.route_from_boot();
        machine
    }

    fn step(&mut self, config: &LinkConfig, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Pdu { from, pdu } => self.hear(config, &from, pdu, cx),
            Input::Link { peer, change: LinkChange::Up } => self.opened(config, &peer, cx),
            Input::Link { peer, .. } => self.ended(config, &peer, cx),
            Input::Timer(timer) => self.timer(config, timer, cx),
            Input::Command(command) => self.command(config, command, cx),
            Input::Configuration => self.adopt(config, cx),
            Input::Answer { .. } | Input::StoreFailed { .. } => {}
        }
    }

    fn view(&self) -> LinkView {
        let records = self.table.records();
        let table = records.clone().map(|r| (r.group.clone(), alloc::format!("{}", r.version)));
        let connectors = records.flat_map(|record| &record.connectors);
        let down = connectors.filter(|connector| connector.state == ConnectorState::Down);
        LinkView { table: table.collect(), down: down.map(|c| c.name.clone()).collect::<Vec<_>>() }
    }
}

/// The least name that a connection of this way can have.
pub(super) fn first_neighbour(way: &Way) -> Neighbour {
    match way {
        Way::Connector(connector) => {
            let target = MemberName(String::new());
            Neighbour::Connector { connector: connector.clone(), target }
        }
        Way::Member(member) => Neighbour::Member(member.clone()),
    }
}
