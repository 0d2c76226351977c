//! What is kept and follows changes is what would be computed anew; and both are what trying all paths finds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::paths::{Label, Tree, is_usable};
use super::super::{ConnectorState, Restrictions, Term, Version, check_record, schedule};
use super::*;
use crate::wire::ids::MemberName;
use crate::wire::message::Address;
use crate::wire::record::DEFAULT_LIFETIME_S;

const GROUPS: usize = 6;

fn group(number: usize) -> GroupName {
    GroupName(format!("g{number}"))
}

/// From, name, to, cost, state and restrictions.
type Edge = (usize, u8, usize, u32, bool, Restrictions);

fn restrictions() -> impl Strategy<Value = Restrictions> {
    let limit = prop_oneof![3 => Just(None), 1 => (1..3_u64).prop_map(|k| Some(k * 1_000))];
    let priorities = prop_oneof![
        4 => Just(vec![]),
        1 => Just(vec![Priority::High]),
        1 => Just(vec![Priority::Low, Priority::Normal]),
    ];
    let listed = || {
        let id = prop_oneof![Just("a@a.example"), Just("a.example"), Just("<>")];
        prop_oneof![4 => Just(vec![]), 1 => id.prop_map(|id| vec![SenderId::of(id)])]
    };
    (limit, priorities, listed(), listed()).prop_map(|(limit, priorities, allowed, denied)| {
        Restrictions {
            size_limit_octets: limit,
            priorities,
            senders_allowed: allowed,
            senders_denied: denied,
        }
    })
}

fn edge() -> impl Strategy<Value = Edge> {
    (0..GROUPS, 0..3_u8, 1..GROUPS, 1..4_u32, prop::bool::weighted(0.8), restrictions()).prop_map(
        |(from, name, ahead, cost, is_up, restrictions)| {
            (from, name, (from + ahead) % GROUPS, cost, is_up, restrictions)
        },
    )
}

fn traits() -> impl Strategy<Value = Traits> {
    let sender = prop_oneof![Just(None), Just(Some("a@a.example")), Just(Some("b@a.example"))];
    let octets = prop_oneof![Just(500_u64), Just(1_000), Just(1_001), Just(2_500)];
    let priority = prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)];
    (octets, priority, sender).prop_map(|(octets, priority, sender)| {
        Traits::new(octets, priority, sender.map(Address::from).as_ref())
    })
}

/// The record of a group with these edges; of two with one name the later counts.
fn record(from: usize, minor: u32, edges: &[Edge]) -> Record {
    let own = edges.iter().filter(|edge| edge.0 == from);
    let connectors: BTreeMap<_, _> = own
        .map(|(from, name, to, cost, is_up, restrictions)| {
            // Names in another order than groups.
            let name = ConnectorName(format!("{}-{name}", (from * 5 + to) % 7));
            let connector = ConnectorRecord {
                name: name.clone(),
                to: group(*to),
                cost: *cost,
                state: if *is_up { ConnectorState::Up } else { ConnectorState::Down },
                sources: vec![MemberName(format!("m{from}"))],
                restrictions: restrictions.clone(),
                unavailable: Vec::new(),
            };
            (name, connector)
        })
        .collect();
    let term = Term { counter: 1, member: MemberName(format!("m{from}")), nonce: 1 };
    let record = Record {
        group: group(from),
        uuid: format!("{from:032x}"),
        version: Version { term, major: 1, minor, user: 0 },
        members: vec![],
        connectors: connectors.into_values().collect(),
        deleted: None,
        lifetime_s: DEFAULT_LIFETIME_S,
        exits: Vec::new(),
    };
    assert_eq!(check_record(&record), Ok(()));
    record
}

fn table(edges: &[Edge]) -> Table {
    Table::new((0..GROUPS).map(|from| record(from, 0, edges)))
}

/// The least label of every group, by relaxing every connector as often as there are groups.
fn by_bellman_ford(table: &Table, traits: &Traits) -> BTreeMap<GroupName, Label> {
    let mut best: BTreeMap<GroupName, Label> = BTreeMap::new();
    for _ in 0..GROUPS {
        for record in table.records() {
            for connector in record.connectors.iter().filter(|c| is_usable(c, traits)) {
                let (cost, here) = (u64::from(connector.cost), best.get(&record.group));
                let label = match here {
                    _ if record.group == group(0) => {
                        Label { cost, hops: 1, first: connector.name.clone() }
                    }
                    None => continue,
                    Some(here) => {
                        Label { cost: here.cost + cost, hops: here.hops + 1, ..here.clone() }
                    }
                };
                let known = best.get(&connector.to);
                if connector.to != group(0) && known.is_none_or(|known| label < *known) {
                    best.insert(connector.to.clone(), label);
                }
            }
        }
    }
    best
}

fn labels(tree: &Tree) -> BTreeMap<GroupName, Label> {
    let reached = (0..GROUPS).filter_map(|n| Some((group(n), tree.get(&group(n))?.label.clone())));
    reached.collect()
}

proptest! {
    // LS-040, LS-041: a route is a shortest permitted path.
    #[test]
    fn a_tree_is_what_bellman_and_ford_find(
        edges in prop::collection::vec(edge(), 0..24),
        traits in traits(),
    ) {
        let table = table(&edges);
        let tree = Tree::full(&table, &group(0), &traits);
        prop_assert_eq!(labels(&tree), by_bellman_ford(&table, &traits));
    }

    // LS-040: after any changes, what is kept is what would be computed anew; and a look-up tells the same.
    #[test]
    fn following_changes_is_computing_anew(
        edges in prop::collection::vec(edge(), 0..24),
        classes in prop::collection::vec(traits(), 1..4),
        changes in prop::collection::vec(prop::collection::vec((edge(), any::<bool>()), 1..4), 1..6),
    ) {
        let mut edges = edges;
        let mut known = table(&edges);
        let mut routes = Routes::new(group(0), known.clone());
        classes.iter().for_each(|traits| routes.prepare(traits));
        for (minor, step) in (1..).zip(changes) {
            let mut groups = BTreeSet::new();
            for (edge, is_new) in step {
                groups.insert(edge.0);
                // One that goes, or another that comes in its place.
                edges.retain(|other| (other.0, other.1) != (edge.0, edge.1));
                if is_new {
                    edges.push(edge);
                }
            }
            for from in &groups {
                let _ = known.merge(record(*from, minor, &edges));
            }
            routes.advance(&known, &groups.into_iter().map(group).collect());
            prop_assert_eq!(&routes.table, &known);
            for tree in &routes.kept.trees {
                let anew = Tree::full(&known, &group(0), tree.traits());
                prop_assert_eq!(labels(tree), labels(&anew));
            }
            for traits in &classes {
                for goal in 1..GROUPS {
                    let expected = first_connector(&known, &group(0), &group(goal), traits);
                    prop_assert_eq!(routes.first(&group(goal), traits, None), expected);
                }
            }
        }
    }

    // LS-185: a lot chooses among all connectors that begin a route of the least cost and hops, and no others.
    #[test]
    fn mail_is_spread_over_what_is_equally_good(
        edges in prop::collection::vec(edge(), 0..24),
        traits in traits(),
    ) {
        let known = table(&edges);
        let routes = Routes::new(group(0), known.clone());
        for goal in (1..GROUPS).map(group) {
            let Some(best) = Tree::full(&known, &group(0), &traits).get(&goal).cloned() else {
                prop_assert_eq!(routes.first(&goal, &traits, Some(1)), None);
                continue;
            };
            let own = &known.get(&group(0)).expect("it has a record").connectors;
            let equal: Vec<_> = own
                .iter()
                .filter(|connector| is_usable(connector, &traits))
                .filter(|connector| {
                    let cost = u64::from(connector.cost);
                    let beyond = if connector.to == goal {
                        Some((0, 0))
                    } else {
                        let tree = Tree::full(&known, &connector.to, &traits);
                        tree.get(&goal).map(|reached| (reached.label.cost, reached.label.hops))
                    };
                    beyond.is_some_and(|(far, hops)| {
                        (cost + far, hops + 1) == (best.label.cost, best.label.hops)
                    })
                })
                .collect();
            let chosen = (0..equal.len() as u64).map(|lot| routes.first(&goal, &traits, Some(lot)));
            prop_assert_eq!(chosen.collect::<Vec<_>>(), equal.into_iter().map(Some).collect::<Vec<_>>());
        }
    }
}

fn up(from: usize, to: usize, cost: u32) -> Edge {
    (from, 0, to, cost, true, Restrictions::default())
}

fn down(from: usize, to: usize, cost: u32) -> Edge {
    (from, 0, to, cost, false, Restrictions::default())
}

/// What a change of one record makes the routes look at.
fn looked_at(edges: &[Edge], changed: Edge) -> usize {
    let mut routes = Routes::new(group(0), table(edges));
    routes.prepare(&Traits::default());
    let from = changed.0;
    let mut after: Vec<_> = edges.to_vec();
    after.retain(|edge| (edge.0, edge.2) != (from, changed.2));
    after.push(changed);
    let mut known = table(edges);
    let _ = known.merge(record(from, 1, &after));
    routes.advance(&known, &BTreeSet::from([group(from)]))
}

#[test]
fn a_change_computes_anew_only_what_it_can_alter() {
    // A chain, and a dear way from its start to its end.
    let edges = [up(0, 1, 1), up(1, 2, 1), up(2, 3, 1), up(0, 4, 3), up(4, 3, 3)];
    assert_eq!(looked_at(&edges, down(4, 3, 3)), 0, "no best path had it");
    assert_eq!(looked_at(&edges, up(4, 3, 2)), 0, "better, but not good enough");
    assert_eq!(looked_at(&edges, down(2, 3, 1)), 2, "g3 is lost, and found again over g4");
    assert_eq!(looked_at(&edges, down(0, 4, 3)), 1, "g4 is lost");
    assert_eq!(looked_at(&edges, up(0, 2, 1)), 2, "g2 and g3 come nearer");
}

#[test]
fn the_oldest_class_makes_room() {
    let limits = (1..=CLASSES_LIMIT as u64 + 1).map(|limit| {
        let restrictions = Restrictions { size_limit_octets: Some(limit), ..Default::default() };
        (0, 0, 1, 1, true, restrictions)
    });
    let connectors = limits.enumerate().map(|(place, edge)| {
        let mut record = record(0, 0, &[edge]);
        record.connectors[0].name = ConnectorName(format!("{place:03}"));
        record.connectors.remove(0)
    });
    let mut wide = record(0, 0, &[]);
    wide.connectors = connectors.collect();
    let mut routes = Routes::new(group(0), Table::new([wide, record(1, 0, &[])]));
    for octets in 1..=CLASSES_LIMIT as u64 + 1 {
        routes.prepare(&Traits { octets, ..Traits::default() });
        let first = routes.first(&group(1), &Traits { octets, ..Traits::default() }, None);
        let name = format!("{:03}", octets - 1);
        assert_eq!(first.map(|first| first.name.as_str()), Some(name.as_str()));
    }
    assert_eq!(routes.kept.trees.len(), CLASSES_LIMIT);
    assert!(routes.find(&Traits { octets: 1, ..Traits::default() }).is_none());
    assert!(routes.find(&Traits { octets: 2, ..Traits::default() }).is_some());
}

#[test]
fn what_is_kept_is_no_state() {
    let routes = Routes::new(group(0), table(&[up(0, 1, 1)]));
    let mut prepared = routes.clone();
    prepared.prepare(&Traits::default());
    assert!(prepared.find(&Traits::default()).is_some() && prepared == routes);
    assert_eq!(routes.schedule.pace(), schedule::Pace::Quiet);
}
