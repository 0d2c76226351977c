//! One connector goes DOWN, and UP again: who knows it when, and what that costs.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::Serialize;

use super::flood::{Flooded, flood};
use super::meter::{Passed, Watched};
use super::network::Network;
use super::price::{Delays, Price, SMTP_SETUP_PASSAGES};
use super::shape::{Shape, Topology};
use crate::clause;
use crate::kernel::{Machine as _, Span, Time};
use crate::protocol::faults::Faults;
use crate::protocol::linkstate::{
    LinkCommand, LinkDurable, LinkPdu, LinkState, SharedRecord, TableChange, TableDigest, Term,
    Version, Way,
};
use crate::protocol::master::Mastership;
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};

/// How long the origin may take to decide that a connector is DOWN, or UP again, where an attempt takes no time.
const DECISION_LIMIT: Span = Span::minutes(6);
/// In that time there are so many attempts: one that lasts longer than the time to the next one delays them.
const DECISION_ATTEMPTS: u64 = 6;
/// How long an organization may take to come to rest where nothing takes time between groups. Beyond, it is not
/// live.
const REST_LIMIT: Span = Span::hours(2);
/// The most commits between the arrival of a record in a group and its being on the way to the next:
/// by the bridgehead that hears it, the master, and the bridgehead that tells it.
pub const COMMITS: u64 = 3;
/// The most passages of the group port on that way.
pub const LOCAL_PASSAGES: u64 = 2;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the groups are joined.
    pub shape: Shape,
    /// How many groups.
    pub groups: usize,
    /// How many members in each.
    pub members: usize,
    /// How long things take.
    pub delays: Delays,
    /// What the random graph follows from.
    pub seed: u64,
    /// The planted bugs.
    pub faults: Faults,
}

impl Plan {
    /// The delay of a connector for a record: from its opening until the record has arrived.
    fn connector_delay(&self, record: &Price) -> Span {
        Span(self.delays.link.0 * (SMTP_SETUP_PASSAGES + record.passages))
    }

    /// How long the origin may take to decide.
    fn decision_limit(&self) -> Span {
        let attempt = self.delays.link.0 * SMTP_SETUP_PASSAGES;
        Span(DECISION_LIMIT.0 + DECISION_ATTEMPTS * attempt)
    }

    /// How long the organization may take to come to rest: news crosses each group there and back at most, and
    /// each time over a connection that is opened for it.
    pub(super) fn rest_limit(&self) -> Span {
        let groups = u64::try_from(self.groups).expect("groups are counted");
        Span(REST_LIMIT.0 + 2 * groups * self.delays.link.0 * SMTP_SETUP_PASSAGES)
    }

    /// What a group adds: commits, and passages inside.
    fn local_delay(&self) -> Span {
        let (commits, passages) =
            if self.members == 1 { (1, 0) } else { (COMMITS, LOCAL_PASSAGES) };
        Span(self.delays.disk.0 * commits + self.delays.local.0 * passages)
    }
}

/// One change, and what it took until all members agreed.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How the groups are joined.
    pub shape: Shape,
    /// How many groups.
    pub groups: usize,
    /// How many members in all.
    pub members: usize,
    /// How many connectors.
    pub connectors: usize,
    /// DOWN or UP.
    pub change: &'static str,
    /// How many connectors the change passes to the farthest group.
    pub eccentricity: u64,
    /// From the decision of the origin until every member had it, in microseconds.
    pub agreed_after: Span,
    /// The bound, in microseconds.
    pub bound: Span,
    /// Octets of one exchange that carries the change: NEWS, MERGED, and the chunks around them.
    pub exchange_octets: u64,
    /// The most NEWS with the change over one connector.
    pub most: u64,
    /// What passed over all connectors.
    pub connected: Passed,
    /// What passed inside the groups.
    pub local: Passed,
    /// What Exchange did.
    pub flood: Flooded,
}

impl Row {
    /// What of the promises was not kept, when this is what passed over each connector.
    #[must_use]
    pub fn breaches(&self, passed: &BTreeMap<ConnectorName, Passed>) -> Vec<String> {
        let mut breaches = Vec::new();
        let place = format!("{} of {} groups, {}", self.shape, self.groups, self.change);
        if self.agreed_after > self.bound {
            let (took, bound) = (self.agreed_after, self.bound);
            breaches.push(format!("LS-200: {place}: agreed after {took}, the bound is {bound}"));
        }
        let digest = TableDigest::default();
        let query = Price::of_command(&LinkPdu::news(digest, Vec::new()));
        let answer = Price::of_reply(&LinkPdu::merged(digest, Vec::new()));
        for (name, passed) in passed {
            if passed.carried > 1 {
                let times = passed.carried;
                breaches.push(format!("LS-017: {place}: {name} carried the change {times} times"));
            }
            clause!(LS_201);
            // Digests alone may pass as well: two groups that learn a change at once call each other.
            let expected = passed.carried * self.exchange_octets
                + passed.queries * (query.octets + answer.octets);
            if passed.octets != expected || passed.queries > 1 {
                let (octets, queries) = (passed.octets, passed.queries);
                breaches.push(format!(
                    "LS-201: {place}: {name} passed {octets} octets with {queries} queries, expected {expected}"
                ));
            }
        }
        breaches
    }
}

/// What a measurement came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome<R> {
    /// What was measured.
    pub rows: Vec<R>,
    /// Which clauses were violated, and how.
    pub breaches: Vec<String>,
    /// What should have come to an end and has not.
    pub stuck: Option<String>,
}

/// Measures one shape.
#[must_use]
pub fn converge(plan: &Plan, progress: Option<fn(u64, Time)>) -> Outcome<Row> {
    let mut outcome = Outcome { rows: Vec::new(), breaches: Vec::new(), stuck: None };
    if let Err(stuck) = try_converge(plan, progress, &mut outcome) {
        outcome.stuck = Some(format!("{} of {} groups: {stuck}", plan.shape, plan.groups));
    }
    outcome
}

fn try_converge(
    plan: &Plan,
    progress: Option<fn(u64, Time)>,
    outcome: &mut Outcome<Row>,
) -> Result<(), &'static str> {
    let topology = Topology::new(plan.shape, plan.groups, plan.members, plan.seed);
    let organization = Arc::new(topology.organization.clone());
    let disks = converged_disks(&organization);
    let mut network = Network::new(&organization, plan.delays, plan.seed, &plan.faults, disks);
    network.progress = progress;
    network.boot_all();
    rest(&mut network, plan, "the boot does not come to rest")?;
    let way = Way::Connector(topology.breaks.clone());
    let connector = organization.connector(&topology.breaks).expect("it is in the organization");
    let bridgehead = network.place(&connector.sources[0]);
    network.cut(&topology.breaks);
    network.command(bridgehead, LinkCommand::Want(way.clone()));
    for (change, judgement) in [("DOWN", "down"), ("UP", "up")] {
        if change == "UP" {
            network.command(bridgehead, LinkCommand::Done(way.clone()));
            network.heal(&topology.breaks);
        }
        let version = next_version(&network, &connector.from);
        let (name, group) = (topology.breaks.clone(), connector.from.clone());
        let watched = Watched { connector: name, judgement, group, version: version.clone() };
        network.meter.watch(watched);
        if !network.run_until_judged(&topology.breaks, judgement, plan.decision_limit()) {
            return Err("the origin does not decide");
        }
        rest(&mut network, plan, "the change does not come to rest")?;
        outcome.breaches.extend(differing(&network, &connector.from, &version));
        let row = measured(plan, &topology, &network, change);
        outcome.breaches.extend(row.breaches(&network.meter.connectors));
        outcome.rows.push(row);
    }
    Ok(())
}

/// Waits until nothing is under way.
pub(super) fn rest(
    network: &mut Network,
    plan: &Plan,
    otherwise: &'static str,
) -> Result<(), &'static str> {
    if network.settle(plan.rest_limit()) { Ok(()) } else { Err(otherwise) }
}

/// Disks on which every record is, and, for a master, its term.
pub fn converged_disks(organization: &Organization) -> impl FnMut(&MemberName) -> Arc<LinkDurable> {
    let mut all = LinkDurable::default();
    let mut terms = BTreeMap::new();
    let mut records = Vec::with_capacity(organization.groups.len());
    for group in &organization.groups {
        let term = Term { counter: 1, member: group.first_master().clone(), nonce: 1 };
        let mastership = Mastership::new(term.clone());
        let record = mastership.compose(organization, group, None, false);
        records.extend(record.map(SharedRecord::new));
        terms.insert(group.first_master().clone(), term);
    }
    LinkState::apply(&mut all, &TableChange::Merged(records));
    let all = Arc::new(all);
    move |member| match terms.get(member) {
        Some(term) => {
            let mut own = LinkDurable::clone(&all);
            LinkState::apply(&mut own, &TableChange::Term(term.clone()));
            Arc::new(own)
        }
        None => Arc::clone(&all),
    }
}

/// The version that the next change of a group's connectors will have.
fn next_version(network: &Network, group: &GroupName) -> Version {
    let (_, machine) = network.machines().next().expect("somebody runs");
    let record = machine.table().get(group).expect("the table is complete");
    Version { minor: record.version.minor + 1, ..record.version.clone() }
}

/// Who has not the same table as the first member, or not the version that is awaited.
fn differing(network: &Network, group: &GroupName, version: &Version) -> Vec<String> {
    let (_, first) = network.machines().next().expect("somebody runs");
    let digest = first.table().digest();
    let differs = |machine: &LinkState| {
        let known = machine.table().get(group).map(|record| &record.version);
        machine.table().digest() != digest || known != Some(version)
    };
    let differing = network.machines().filter(|(_, machine)| differs(machine)).count();
    let breach = format!("LS-200: {differing} members have not version {version} of {group}");
    if differing == 0 { Vec::new() } else { alloc::vec![breach] }
}

fn measured(plan: &Plan, topology: &Topology, network: &Network, change: &'static str) -> Row {
    clause!(LS_200);
    let group = &topology.organization.groups[topology.origin].name;
    let (_, machine) = network.machines().next().expect("somebody runs");
    let table = machine.table();
    let record = table.get(group).expect("the table is complete");
    let news = exchange(record);
    let decided = network.judged.last().expect("the origin has decided").at;
    let neighbours = topology.neighbours(change == "UP");
    let eccentricity = topology.eccentricity(&neighbours);
    let (far, near) = (plan.connector_delay(&news).0, plan.local_delay().0);
    let answer = Price::of_reply(&LinkPdu::merged(TableDigest::default(), Vec::new()));
    Row {
        shape: plan.shape,
        groups: plan.groups,
        members: plan.groups * plan.members,
        connectors: topology.organization.connectors.len(),
        change,
        eccentricity,
        agreed_after: network.last_growth.since(decided),
        bound: Span(eccentricity * (far + near) + near),
        exchange_octets: news.octets + answer.octets,
        most: network.meter.connectors.values().map(|passed| passed.carried).max().unwrap_or(0),
        connected: network.meter.over_connectors(),
        local: network.meter.local,
        flood: flood(&neighbours, topology.origin, table.records(), &plan.delays),
    }
}

/// What NEWS with this record alone costs.
fn exchange(record: &SharedRecord) -> Price {
    let (digest, records) = (TableDigest::default(), alloc::vec![record.clone()]);
    Price::of_command(&LinkPdu::News { digest, records, nodes: Vec::new() })
}
