//! What strikes the connectors, in some runs: cuts that last long enough for DOWN and too short for it,
//! masters that are away, and operators who change costs while mail is under way; so that mail crosses
//! connectors by different tables. Then some connectors stay cut while everything else rests, and the
//! tables must say so.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use serde::Serialize;

use super::draw::Dice;
use super::faults::Swarm;
use super::network::{Cut, HostIndex};
use super::workload::Workload;
use super::world::{Happening, World};
use crate::kernel::{Input, Span};
use crate::protocol::linkstate::LinkEvent;
use crate::protocol::master::election::ElectionEvent;
use crate::protocol::member::Event;
use crate::protocol::organization::Group;
use crate::wire::ids::{ConnectorName, MemberName};
use crate::wire::record::COST_RANGE;

/// The least length of the phase with faults: a connector can be decided DOWN several times in it.
const LEAST: Span = Span::minutes(90);
/// How many clients come in it.
const CLIENTS: u32 = 60;
/// A file with other costs reaches each member within this span.
const TOLD_WITHIN: RangeInclusive<Span> = Span::ZERO..=Span::minutes(2);
/// One in so many connectors stays cut in the quiet phase.
const QUIET_CUTS_ONE_IN: u32 = 4;

/// What strikes the connectors of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Between one revision with other costs and the next; `None` is none.
    revises_every: Option<RangeInclusive<Span>>,
    /// Between the death of one master and the next; `None` is none.
    masters_every: Option<RangeInclusive<Span>>,
    /// How long a master stays down.
    away: RangeInclusive<Span>,
}

/// What a run did with its connectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkCounts {
    /// How often a recipient has crossed a connector.
    pub crossings: usize,
    /// And one that it had crossed before.
    pub recrossings: usize,
    /// How often a message has waited for a table.
    pub waits: usize,
    /// How often a connector was decided DOWN, whatever is reported of that.
    pub failed: usize,
    /// How often one that had failed came UP, before that or after.
    pub healed: usize,
    /// Files with other costs that operators wrote.
    pub revisions: usize,
    /// How often a member was elected master.
    pub elected: usize,
}

impl LinkCounts {
    /// The counts of two runs.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            crossings: self.crossings + other.crossings,
            recrossings: self.recrossings + other.recrossings,
            waits: self.waits + other.waits,
            failed: self.failed + other.failed,
            healed: self.healed + other.healed,
            revisions: self.revisions + other.revisions,
            elected: self.elected + other.elected,
        }
    }

    /// A member tells its log something.
    pub fn count(&mut self, event: &Event) {
        match event {
            Event::TableAwaited { .. } => self.waits += 1,
            Event::Election { event: ElectionEvent::Leads(_), .. } => self.elected += 1,
            Event::Link(LinkEvent::Judged { judgement, .. }) => match judgement.as_str() {
                "down" | "persistent" | "oscillating" => self.failed += 1,
                "up" => self.healed += 1,
                _ => {}
            },
            _ => {}
        }
    }
}

impl Links {
    /// Draws whether the connectors of a run are struck, one in so many, and how. These draws have streams
    /// of their own: a run in which they are not is what it was before there were any.
    pub fn draw(dice: &mut Dice<'_>, one_in: u32, swarm: &mut Swarm) -> Option<Self> {
        if !dice.strikes("links", one_in) {
            return None;
        }
        let seconds = *dice.pick("links.cuts", &[20, 60, 180]).unwrap_or(&20);
        let lasts = *dice.pick("links.cut_lasts", &[2, 6, 20]).unwrap_or(&2);
        swarm.cuts_every = Some(Span::seconds(1)..=Span::seconds(seconds));
        swarm.cut_lasts = Span::seconds(5)..=Span::minutes(lasts);
        swarm.cuts_connectors_only = dice.below("links.only", 2) != 0;
        swarm.one_way_cuts = true;
        swarm.silent_cuts = dice.below("links.silent", 2) == 1;
        let every = |minutes: u64| (minutes != 0).then(|| Span::ZERO..=Span::minutes(minutes));
        let revises = *dice.pick("links.revises", &[0, 4, 20]).unwrap_or(&0);
        let masters = *dice.pick("links.masters", &[0, 5, 30]).unwrap_or(&0);
        let away = *dice.pick("links.away", &[1, 10]).unwrap_or(&1);
        Some(Self {
            revises_every: every(revises),
            masters_every: every(masters),
            away: Span::seconds(1)..=Span::minutes(away),
        })
    }

    /// How long the phase with faults is at least.
    #[must_use]
    pub const fn least() -> Span {
        LEAST
    }

    /// More clients than in other runs: only mail that is under way can cross by different tables.
    #[must_use]
    pub fn busy(workload: Workload, span: Span) -> Workload {
        let every = Span::ZERO..=Span(2 * span.0 / u64::from(CLIENTS));
        Workload { clients: CLIENTS, every, ..workload }
    }
}

impl World<'_> {
    /// The connectors of this run are struck from now on.
    pub fn strike_links(&mut self, links: Links) {
        for (every, happening) in [
            (&links.revises_every, Happening::ReviseNext),
            (&links.masters_every, Happening::MasterNext),
        ] {
            if every.is_some() {
                self.schedule(Span::minutes(1), happening);
            }
        }
        self.links = Some(links);
    }

    /// An operator writes a file in which a connector costs something else; the members have it one by one.
    pub(super) fn revise_next(&mut self) {
        let every = self.links.as_ref().and_then(|links| links.revises_every.clone());
        let Some(every) = every else { return };
        let next = self.dice().span("revise.next", &every);
        self.revise("revise.told");
        self.schedule(next, Happening::ReviseNext);
    }

    fn revise(&mut self, site: &'static str) {
        let connectors = &self.hosts[0].config.organization.connectors;
        let names: Vec<ConnectorName> = connectors.iter().map(|c| c.name.clone()).collect();
        let Some(name) = self.dice().pick("revise.connector", &names).cloned() else { return };
        let cost = COST_RANGE.start() + self.dice().below("revise.cost", *COST_RANGE.end());
        let revision = self.next_revision();
        self.counts.revisions += 1;
        for host in 0..self.hosts.len() {
            let connector = name.clone();
            let after = self.dice().span(site, &TOLD_WITHIN);
            self.schedule(after, Happening::CostTold { host, connector, cost, revision });
        }
    }

    /// The file of a member has another cost of a connector from now on, unless it is newer.
    pub(super) fn tell_cost(&mut self, host: HostIndex, name: &ConnectorName, told: (u32, u32)) {
        let (cost, revision) = told;
        if self.hosts[host].config.organization.revision >= revision {
            return;
        }
        self.log.row(self.now, self.hosts[host].name(), "file", || {
            format!("revision {revision}: {name} costs {cost}")
        });
        let organization = Arc::make_mut(&mut self.hosts[host].config.organization);
        organization.revision = revision;
        for connector in organization.connectors.iter_mut().filter(|c| c.name == *name) {
            connector.cost = cost;
        }
        self.feed(host, Input::Configuration);
        self.pump(host);
    }

    /// Who is the master of a group, or would be if nothing were wrong.
    fn master_of<'g>(&self, group: &'g Group) -> &'g MemberName {
        let leads = |member: &&MemberName| {
            let node = self.hosts[self.names[*member]].node.as_ref();
            let election = node.and_then(|node| node.machine().member().election(&group.name));
            election.is_some_and(|election| election.leads().is_some())
        };
        group.members.iter().find(leads).unwrap_or_else(|| group.first_master())
    }

    /// A master dies.
    pub(super) fn master_next(&mut self) {
        let Some(links) = self.links.clone() else { return };
        let Some(every) = links.masters_every else { return };
        let groups = &self.hosts[0].config.organization.groups;
        let masters: Vec<HostIndex> =
            groups.iter().map(|g| self.names[self.master_of(g)]).collect();
        let next = self.dice().span("master.next", &every);
        let down = self.dice().span("master.away", &links.away);
        if let Some(host) = self.dice().pick("master.which", &masters).copied() {
            let life = self.hosts[host].life;
            self.schedule(Span::ZERO, Happening::Crash { host, life, down });
        }
        self.schedule(next, Happening::MasterNext);
    }

    /// The quiet phase: no faults any more, but some connectors stay cut; and a new revision, whose news
    /// every connector has to carry.
    pub fn rest_with_cuts(&mut self) {
        self.heal_everything();
        self.links = None;
        let connectors = self.hosts[0].config.organization.connectors.clone();
        for connector in &connectors {
            if !self.dice().strikes("quiet.cut", QUIET_CUTS_ONE_IN) {
                continue;
            }
            let is_silent = self.dice().below("quiet.silent", 2) == 1;
            let cut = if is_silent { Cut::Silence } else { Cut::Refuse };
            for source in &connector.sources {
                for target in &connector.targets {
                    self.cut(self.names[source], self.names[target], cut);
                }
            }
        }
        self.revise("quiet.told");
    }
}
