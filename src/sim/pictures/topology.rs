//! What a picture of the topology shows: groups, connectors with cost and state, and one route.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::json;

use crate::protocol::linkstate::paths::speaking;
use crate::protocol::linkstate::{
    ConnectorRecord, ConnectorState, Record, Table, Term, Traits, Version, first_connector,
    is_cut_edge,
};
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};

/// The most groups whose picture can be read; beyond, names and costs are shown by the pointer alone.
pub const LEGIBLE_GROUPS: usize = 100;

/// How a connector is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// UP, and nobody who carries it thinks otherwise.
    Up,
    /// UP in the table; a member that carries it has failed to connect and tries again.
    Retry,
    /// UP in the table although it is broken: no other way is configured.
    Persistent,
    /// UP in the table although it is broken: it fails and heals all the time.
    Oscillating,
    /// DOWN: its cost is infinite.
    Down,
}

impl Line {
    /// The class of its drawing, and its name for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Retry => "retry",
            Self::Persistent => "persistent",
            Self::Oscillating => "oscillating",
            Self::Down => "down",
        }
    }

    /// By the state in the table, and what a member that carries it thinks of it.
    #[must_use]
    pub fn of(state: ConnectorState, judgement: Option<&str>) -> Self {
        match (state, judgement) {
            (ConnectorState::Down, _) => Self::Down,
            (ConnectorState::Up, Some("retry")) => Self::Retry,
            (ConnectorState::Up, Some("persistent")) => Self::Persistent,
            (ConnectorState::Up, Some("oscillating")) => Self::Oscillating,
            (ConnectorState::Up, _) => Self::Up,
        }
    }
}

/// A group of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: GroupName,
    /// Whether the table has its record.
    pub is_known: bool,
    /// What the pointer shows.
    pub detail: String,
}

/// A connector of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Its name.
    pub name: ConnectorName,
    /// The place of the group that it leaves.
    pub from: usize,
    /// The place of the group that it leads to.
    pub to: usize,
    /// 1 to 100.
    pub cost: u32,
    /// How it is drawn.
    pub line: Line,
    /// Whether the route goes over it.
    pub is_on_route: bool,
    /// What the pointer shows.
    pub detail: String,
}

/// The route from one group to another by the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// From.
    pub from: GroupName,
    /// To.
    pub to: GroupName,
    /// Its connectors, in order; `None` where every way has infinite cost.
    pub connectors: Option<Vec<ConnectorName>>,
    /// The sum of their costs.
    pub cost: u64,
}

impl Route {
    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { from, to, connectors, cost } = self;
        let Some(connectors) = connectors else {
            return format!("{from} to {to}: no route, its cost is infinite: mail waits");
        };
        let names: Vec<&str> = connectors.iter().map(ConnectorName::as_str).collect();
        format!("{from} to {to}: {}, cost {cost}", names.join(", "))
    }
}

/// The picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Whose table it is.
    pub title: String,
    /// The groups, in order of their names.
    pub nodes: Vec<Node>,
    /// The connectors, in order of their groups and names.
    pub edges: Vec<Edge>,
    /// The route, if one is asked for.
    pub route: Option<Route>,
}

impl Topology {
    /// The picture of a table. `judgements` has what members think of connectors that they carry.
    #[must_use]
    pub fn of_records(
        title: String,
        records: &[Record],
        judgements: &BTreeMap<ConnectorName, String>,
    ) -> Self {
        // Connectors lead to names: the record that speaks for the name stands there, and no tombstone.
        let table = Table::new(records.iter().cloned());
        let known: BTreeMap<&GroupName, &Record> =
            speaking(&table).map(|record| (&record.group, &**record)).collect();
        let far = known.values().flat_map(|r| &r.connectors).map(|connector| &connector.to);
        let names: BTreeSet<&GroupName> = known.keys().copied().chain(far).collect();
        let places: BTreeMap<&GroupName, usize> =
            names.iter().enumerate().map(|(place, name)| (*name, place)).collect();
        let buried = |name: &GroupName| {
            table.records().find(|record| record.group == *name)?.deleted.clone()
        };
        let nodes = names.iter().map(|name| match known.get(name) {
            Some(record) => node(record),
            None => nobody(name, buried(name)),
        });
        let nodes = nodes.collect();
        let edges = known.values().flat_map(|record| {
            let from = places[&record.group];
            let edge = |connector: &ConnectorRecord| {
                let judgement = judgements.get(&connector.name).map(String::as_str);
                edge(connector, (from, places[&connector.to]), judgement)
            };
            record.connectors.iter().map(edge).collect::<Vec<_>>()
        });
        let edges = edges.collect();
        Self { title, nodes, edges, route: None }
    }

    /// Adds the route that `records` give now.
    ///
    /// # Errors
    /// A group is not in the picture, or both are the same.
    pub fn with_route(
        mut self,
        records: &[Record],
        (from, to): (&str, &str),
    ) -> Result<Self, String> {
        for name in [from, to] {
            if !self.nodes.iter().any(|node| node.name.as_str() == name) {
                return Err(format!("there is no group `{name}`"));
            }
        }
        if from == to {
            return Err(format!("the route from `{from}` to itself needs no connector"));
        }
        let table = Table::new(records.iter().cloned());
        let route = route(&table, &from.into(), &to.into());
        let on_route: BTreeSet<&ConnectorName> = route.connectors.iter().flatten().collect();
        for edge in &mut self.edges {
            edge.is_on_route = on_route.contains(&edge.name);
        }
        self.route = Some(route);
        Ok(self)
    }
}

/// Connector after connector: at each group the first one of its own route.
fn route(table: &Table, from: &GroupName, to: &GroupName) -> Route {
    let mut route = Route { from: from.clone(), to: to.clone(), connectors: None, cost: 0 };
    let mut connectors = Vec::new();
    let mut here = from;
    while here != to {
        let first = first_connector(table, here, to, &Traits::default());
        let Some(first) = first else { return route };
        connectors.push(first.name.clone());
        route.cost += u64::from(first.cost);
        here = &first.to;
        assert!(connectors.len() <= table.living(), "the distance falls at each hop");
    }
    route.connectors = Some(connectors);
    route
}

fn node(record: &Record) -> Node {
    let members = record.members.iter().map(|(member, attached)| {
        format!("{member}{}", if *attached { "" } else { " (not attached)" })
    });
    let members: Vec<String> = members.collect();
    let name = record.group.clone();
    let detail = format!("{name}\nversion {}\nmembers {}", record.version, members.join(", "));
    Node { name, is_known: true, detail }
}

/// A group to which connectors lead, and for which no record speaks; it may be `buried` for a reason.
fn nobody(name: &GroupName, buried: Option<String>) -> Node {
    let detail = match buried {
        None => format!("{name}\nthe table has no record of it"),
        Some(reason) if reason.is_empty() => format!("{name}\nit is buried"),
        Some(reason) => format!("{name}\nit is buried: {reason}"),
    };
    Node { name: name.clone(), is_known: false, detail }
}

fn edge(connector: &ConnectorRecord, (from, to): (usize, usize), judgement: Option<&str>) -> Edge {
    let line = Line::of(connector.state, judgement);
    let state = if connector.state == ConnectorState::Up { "UP" } else { "DOWN" };
    let sources: Vec<String> = connector.sources.iter().map(|member| format!("{member}")).collect();
    let mut detail = format!("{}\ncost {}, {state} in the table", connector.name, connector.cost);
    if let Some(judgement) = judgement {
        detail.push_str(&format!("\n{judgement} as its bridgehead judges it"));
    }
    detail.push_str(&format!("\ncarried by {}", sources.join(", ")));
    if !connector.unavailable.is_empty() {
        let without: Vec<&str> = connector.unavailable.iter().map(MemberName::as_str).collect();
        detail.push_str(&format!(", without {}", without.join(", ")));
    }
    let (name, cost) = (connector.name.clone(), connector.cost);
    Edge { name, from, to, cost, line, is_on_route: false, detail }
}

/// The records that the masters of an organization would publish when these connectors are broken, and what
/// their bridgeheads would think of them: a broken connector without another way stays UP.
///
/// # Errors
/// There is no such connector.
pub fn records_of(
    organization: &Organization,
    broken: &[String],
) -> Result<(Vec<Record>, BTreeMap<ConnectorName, String>), String> {
    for name in broken {
        if organization.connector(&name.as_str().into()).is_none() {
            return Err(format!("there is no connector `{name}`"));
        }
    }
    let healthy = Table::default();
    let mut judgements = BTreeMap::new();
    for connector in &organization.connectors {
        if !broken.iter().any(|name| name == connector.name.as_str()) {
            continue;
        }
        let (name, from, to) = (&connector.name, &connector.from, &connector.to);
        let is_cut = is_cut_edge(&healthy, organization, name, from, to);
        let judgement = if is_cut { "persistent" } else { "down" };
        judgements.insert(name.clone(), String::from(judgement));
    }
    let records = organization.groups.iter().map(|group| {
        let term = Term { counter: 1, member: group.first_master().clone(), nonce: 0 };
        let major = organization.revision;
        let own = organization.connectors.iter().filter(|c| c.from == group.name);
        let mut connectors: Vec<_> =
            own.map(|connector| published(connector, &judgements)).collect();
        connectors.sort();
        json!({
            "group": group.name, "uuid": group.uuid,
            "version": Version { term, major, minor: 0, user: 0 },
            "members": group.members.iter().map(|member| (member, true)).collect::<Vec<_>>(),
            "connectors": connectors,
        })
    });
    let records = records
        .map(|record| serde_json::from_value(record).expect("a record is written as it is read"));
    Ok((records.collect(), judgements))
}

fn published(
    connector: &crate::protocol::organization::Connector,
    judgements: &BTreeMap<ConnectorName, String>,
) -> ConnectorRecord {
    let is_down = judgements.get(&connector.name).is_some_and(|judgement| judgement == "down");
    let state = if is_down { ConnectorState::Down } else { ConnectorState::Up };
    let record = json!({
        "name": connector.name, "to": connector.to, "cost": connector.cost,
        "state": state, "sources": connector.sources, "restrictions": connector.restrictions(),
    });
    serde_json::from_value(record).expect("a connector is written as it is read")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::server::configuration::load_organization;

    fn topology(broken: &[&str]) -> Topology {
        let example =
            load_organization(Path::new("examples/five-groups.toml")).expect("it is right");
        let broken: Vec<String> = broken.iter().map(|name| String::from(*name)).collect();
        let (records, judgements) =
            records_of(&example, &broken).expect("there are such connectors");
        let topology = Topology::of_records(String::from("five"), &records, &judgements);
        topology.with_route(&records, ("RG1", "RG5")).expect("there are such groups")
    }

    fn way(topology: &Topology) -> String {
        topology.route.as_ref().expect("one is asked for").words()
    }

    #[test]
    fn the_route_goes_the_cheapest_way_and_around_what_is_down() {
        assert_eq!(way(&topology(&[])), "RG1 to RG5: RG1-RG2, RG2-RG4, RG4-RG5, cost 30");
        let around = topology(&["RG2-RG4"]);
        assert_eq!(way(&around), "RG1 to RG5: RG1-RG3, RG3-RG4, RG4-RG5, cost 50");
        let down: Vec<_> = around.edges.iter().filter(|edge| edge.line == Line::Down).collect();
        assert_eq!(down.len(), 1);
        assert_eq!(down[0].name.as_str(), "RG2-RG4");
        let none = topology(&["RG2-RG4", "RG3-RG4"]);
        assert_eq!(way(&none), "RG1 to RG5: no route, its cost is infinite: mail waits");
    }

    #[test]
    fn the_only_way_stays_up_when_it_is_broken() {
        let topology = topology(&["RG4-RG5"]);
        let broken = topology.edges.iter().find(|edge| edge.name.as_str() == "RG4-RG5");
        assert_eq!(broken.expect("it is there").line, Line::Persistent);
        assert_eq!(way(&topology), "RG1 to RG5: RG1-RG2, RG2-RG4, RG4-RG5, cost 30");
    }

    #[test]
    fn a_group_without_a_record_is_drawn_as_unknown() {
        let example =
            load_organization(Path::new("examples/five-groups.toml")).expect("it is right");
        let (mut records, judgements) = records_of(&example, &[]).expect("nothing is broken");
        records.retain(|record| record.group.as_str() != "RG5");
        let topology = Topology::of_records(String::from("four"), &records, &judgements);
        assert_eq!(topology.nodes.len(), 5);
        assert!(!topology.nodes[4].is_known && topology.nodes[4].detail.contains("no record"));
    }

    /// LS-135: the tombstone of an older group does not stand where a living one has the name.
    #[test]
    fn a_tombstone_does_not_stand_for_a_living_group_of_its_name() {
        let example =
            load_organization(Path::new("examples/five-groups.toml")).expect("it is right");
        let (mut records, judgements) = records_of(&example, &[]).expect("nothing is broken");
        let drawn = Topology::of_records(String::from("five"), &records, &judgements);
        let mut tombstone = records[1].clone();
        tombstone.uuid = "f".repeat(32);
        tombstone.version = Version::tombstone("rg1-a".into());
        tombstone.deleted = Some(String::from("sold off"));
        (tombstone.members, tombstone.connectors) = (Vec::new(), Vec::new());
        for place in [0, records.len()] {
            let mut with = records.clone();
            with.insert(place, tombstone.clone());
            let again = Topology::of_records(String::from("five"), &with, &judgements);
            assert_eq!(again, drawn);
        }
        records[1] = tombstone;
        let without = Topology::of_records(String::from("five"), &records, &judgements);
        let node = without.nodes.iter().find(|node| node.name.as_str() == "RG2");
        let node = node.expect("connectors lead there still");
        assert!(!node.is_known && node.detail.ends_with("it is buried: sold off"), "{node:?}");
    }
}
