//! The shapes on which convergence is measured, as organizations.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::kernel::{Choose, Seeded};
use crate::protocol::organization::{
    GROUPS_LIMIT, MEMBERS_LIMIT, ORGANIZATION_FORMAT, Organization,
};
use crate::wire::ids::{ConnectorName, GroupName};

/// The fewest groups of a shape: below, a ring is none.
pub const GROUPS_LEAST: usize = 3;
/// What an ordinary connector costs.
const COST: u32 = 10;
/// What a backup beside another connector costs.
const BACKUP_COST: u32 = 100;
/// How many groups share one edge beyond the tree that joins all, in a random graph.
const GROUPS_PER_CHORD: usize = 2;

/// How the groups are joined. Each edge is two connectors, one in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Each group has two neighbours.
    Ring,
    /// A binary tree; the news begins at a leaf.
    Tree,
    /// One group in the middle of all others; the news begins at one of the others.
    Hub,
    /// Rows and columns; the news begins in a corner.
    Grid,
    /// A random tree over all groups, and half as many random edges as there are groups.
    Random,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 5] = [Self::Ring, Self::Tree, Self::Hub, Self::Grid, Self::Random];
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ring => "ring",
            Self::Tree => "tree",
            Self::Hub => "hub",
            Self::Grid => "grid",
            Self::Random => "random",
        })
    }
}

/// An organization of one shape, and the connector in it that breaks.
///
/// What is a cut edge of the configuration is never DOWN in the table (LS-030). In a tree and around a
/// hub every edge is one, so the connector that breaks has a backup beside it there.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The organization.
    pub organization: Organization,
    /// The connector that breaks.
    pub breaks: ConnectorName,
    /// The group that it leaves, by its place.
    pub origin: usize,
    /// The group that it leads to, by its place.
    far: usize,
    /// For each group, the groups that its connectors lead to, without the one that breaks.
    neighbours: Vec<Vec<usize>>,
}

/// The name of a group: all are equally long, so that octets do not depend on the number of groups.
#[must_use]
pub fn group_name(group: usize) -> GroupName {
    GroupName(format!("g{group:05}"))
}

fn member_name(group: usize, place: usize) -> String {
    format!("g{group:05}-{place:02}")
}

impl Topology {
    /// Builds `groups` groups of `members` members each.
    ///
    /// # Panics
    /// When there are fewer than [`GROUPS_LEAST`] or more than [`GROUPS_LIMIT`] groups, or more than
    /// [`MEMBERS_LIMIT`] members or none in a group: the command refuses that.
    #[must_use]
    pub fn new(shape: Shape, groups: usize, members: usize, seed: u64) -> Self {
        assert!((GROUPS_LEAST..=GROUPS_LIMIT).contains(&groups), "{groups} groups");
        assert!((1..=MEMBERS_LIMIT).contains(&members), "{members} members in a group");
        let edges = edges(shape, groups, seed);
        let (origin, far) = breaking_edge(shape, groups, &edges);
        let has_backup = matches!(shape, Shape::Tree | Shape::Hub);
        let mut connectors = Vec::with_capacity(edges.len() * 2 + 1);
        let mut carried = alloc::vec![0; groups];
        let mut neighbours = alloc::vec![Vec::new(); groups];
        let mut add = |from: usize, to: usize, cost: u32, suffix: &str| {
            connectors.push(connector(from, to, cost, suffix, members, carried[from]));
            carried[from] += 1;
            if (from, to) != (origin, far) || !suffix.is_empty() {
                neighbours[from].push(to);
            }
        };
        for &(u, v) in &edges {
            add(u, v, COST, "");
            add(v, u, COST, "");
        }
        if has_backup {
            add(origin, far, BACKUP_COST, "-backup");
        }
        let breaks = ConnectorName(format!("{}-{}", group_name(origin), group_name(far)));
        let organization = organization(groups, members, connectors);
        Self { organization, breaks, origin, far, neighbours }
    }

    /// How many connectors a record passes from the origin to the group that is farthest away.
    ///
    /// # Panics
    /// When a group is not reached.
    #[must_use]
    pub fn eccentricity(&self, neighbours: &[Vec<usize>]) -> u64 {
        let mut distances = alloc::vec![None; neighbours.len()];
        distances[self.origin] = Some(0);
        let mut open = VecDeque::from([self.origin]);
        let mut farthest = 0;
        while let Some(group) = open.pop_front() {
            let distance = distances[group].expect("it is reached");
            farthest = farthest.max(distance);
            for &next in &neighbours[group] {
                if distances[next].is_none() {
                    distances[next] = Some(distance + 1);
                    open.push_back(next);
                }
            }
        }
        assert!(distances.iter().all(Option::is_some), "every group is reached");
        farthest
    }

    /// For each group, the groups that its connectors lead to; the one that breaks counts if it `works`.
    #[must_use]
    pub fn neighbours(&self, works: bool) -> Vec<Vec<usize>> {
        let mut neighbours = self.neighbours.clone();
        if works {
            neighbours[self.origin].push(self.far);
        }
        neighbours
    }
}

/// The edges, each once.
fn edges(shape: Shape, groups: usize, seed: u64) -> Vec<(usize, usize)> {
    match shape {
        Shape::Ring => (0..groups).map(|group| (group, (group + 1) % groups)).collect(),
        Shape::Tree => (1..groups).map(|group| ((group - 1) / 2, group)).collect(),
        Shape::Hub => (1..groups).map(|group| (0, group)).collect(),
        Shape::Grid => {
            let width = groups.isqrt();
            let right = (0..groups).filter(|g| (g + 1) % width != 0 && g + 1 < groups);
            let below = (0..groups).filter(|g| g + width < groups);
            right.map(|g| (g, g + 1)).chain(below.map(|g| (g, g + width))).collect()
        }
        Shape::Random => random_edges(groups, seed),
    }
}

/// The chords stand behind the tree: none of them is a cut edge.
fn random_edges(groups: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut dice = Seeded::new(seed);
    let mut below = |bound: usize| {
        let bound = u32::try_from(bound).ok().and_then(NonZeroU32::new);
        dice.below("converge.edge", bound.expect("at least one group, at most 10,000")) as usize
    };
    let mut edges: Vec<_> = (1..groups).map(|group| (below(group), group)).collect();
    let mut known: BTreeSet<_> = edges.iter().copied().collect();
    let possible = groups * (groups - 1) / 2;
    let wanted = (edges.len() + (groups / GROUPS_PER_CHORD).max(1)).min(possible);
    while edges.len() < wanted {
        let (one, other) = (below(groups), below(groups));
        let edge = (one.min(other), one.max(other));
        if one != other && known.insert(edge) {
            edges.push(edge);
        }
    }
    edges
}

/// Where the connector that breaks begins and ends.
fn breaking_edge(shape: Shape, groups: usize, edges: &[(usize, usize)]) -> (usize, usize) {
    match shape {
        Shape::Ring | Shape::Grid => edges[0],
        Shape::Tree => (groups - 1, (groups - 2) / 2),
        Shape::Hub => (groups - 1, 0),
        Shape::Random => *edges.last().expect("there is at least one chord"),
    }
}

/// The first member of a group is its master; the others, if there are any, carry the connectors in turn.
fn connector(
    from: usize,
    to: usize,
    cost: u32,
    suffix: &str,
    members: usize,
    number: usize,
) -> Value {
    let place = |number: usize| if members == 1 { 0 } else { 1 + number % (members - 1) };
    json!({
        "name": format!("{}-{}{suffix}", group_name(from), group_name(to)),
        "from": group_name(from),
        "to": group_name(to),
        "cost": cost,
        "sources": [member_name(from, place(number))],
        "targets": [member_name(to, place(number))],
    })
}

/// As a file would say it: what it does not say has its default.
fn organization(groups: usize, members: usize, connectors: Vec<Value>) -> Organization {
    let group = |group: usize| {
        let names: Vec<_> = (0..members).map(|place| member_name(group, place)).collect();
        json!({
            "name": group_name(group),
            "uuid": format!("{:032x}", group + 1),
            "members": names,
            "master": member_name(group, 0),
        })
    };
    let groups: Vec<_> = (0..groups).map(group).collect();
    let organization = json!({
        "format": ORGANIZATION_FORMAT,
        "revision": 1,
        "name": "shape",
        "domains": ["example.org"],
        "group": groups,
        "connector": connectors,
    });
    serde_json::from_value(organization).expect("an organization as the file has it")
}
