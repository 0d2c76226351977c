//! Which exit mail takes: the choice against a reference that is too simple to be wrong, and what follows from it
//! for the journey of a message.

use bridgehead::kernel::Span;
use bridgehead::protocol::linkstate::exits::{
    Choice, ExitVerdict, SourceTurns, WayOut, choose_exit, explain_exits,
};
use bridgehead::protocol::linkstate::paths::{Tree, inward};
use bridgehead::protocol::linkstate::schedule::ScheduleTimer;
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkDurable, LinkTimer, Record, Restrictions, Table, Traits, check_record,
};
use bridgehead::wire::exits::{ExitRecord, Scope, Space};
use bridgehead::wire::ids::{ConnectorName, ExitName, GroupName};
use proptest::prelude::*;

use super::bench::{Bench, armed, inbound, record};
use super::network::{figure_3_14, member};

const GROUPS: usize = 5;
const SPACES: [&str; 6] =
    ["*", "*.a.example.net", "*.example.net", "*.net", "a.example.net", "example.net"];
const DOMAINS: [&str; 4] = ["example.net", "a.example.net", "b.a.example.net", "other.org"];

/// From, to, cost, whether it is UP, and the size limit.
type Edge = (usize, usize, u32, bool, Option<u64>);
/// Group, spaces, cost, whether it is for the group alone, and the size limit.
type Way = (usize, Vec<usize>, u32, bool, Option<u64>);

fn group(number: usize) -> GroupName {
    GroupName(format!("g{number}"))
}

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    let limit = prop::option::weighted(0.2, 0..3_000_u64);
    let edge = (0..GROUPS, 1..GROUPS, 1..4_u32, prop::bool::weighted(0.8), limit);
    let edge =
        edge.prop_map(|(from, by, cost, up, limit)| (from, (from + by) % GROUPS, cost, up, limit));
    prop::collection::vec(edge, 0..14)
}

fn ways() -> impl Strategy<Value = Vec<Way>> {
    let spaces = prop::collection::btree_set(0..SPACES.len(), 1..3);
    let spaces = spaces.prop_map(|spaces| spaces.into_iter().collect());
    let limit = prop::option::weighted(0.2, 0..3_000_u64);
    let way = (0..GROUPS, spaces, 1..4_u32, prop::bool::weighted(0.2), limit);
    prop::collection::vec(way, 0..7)
}

fn limited(limit: Option<u64>) -> Restrictions {
    Restrictions { size_limit_octets: limit, ..Restrictions::default() }
}

fn exit_name(place: usize) -> ExitName {
    ExitName(format!("e{place:02}"))
}

fn table(edges: &[Edge], ways: &[Way]) -> Table {
    let records = (0..GROUPS).map(|number| {
        let mut made = record(1, 1, 0, ConnectorState::Up);
        (made.group, made.uuid) = (group(number), format!("{number:032x}"));
        let template = made.connectors.remove(0);
        let own = edges.iter().enumerate().filter(|(_, edge)| edge.0 == number);
        made.connectors = own
            .map(|(place, edge)| {
                let mut connector = template.clone();
                connector.name = ConnectorName(format!("c{place:02}"));
                (connector.to, connector.cost) = (group(edge.1), edge.2);
                connector.state = if edge.3 { ConnectorState::Up } else { ConnectorState::Down };
                connector.restrictions = limited(edge.4);
                connector
            })
            .collect();
        let own = ways.iter().enumerate().filter(|(_, way)| way.0 == number);
        made.exits = own
            .map(|(place, way)| ExitRecord {
                name: exit_name(place),
                spaces: way.1.iter().map(|space| Space(SPACES[*space].into())).collect(),
                cost: way.2,
                sources: vec![member(1, 'a')],
                scope: if way.3 { Scope::Group } else { Scope::Organization },
                restrictions: limited(way.4),
            })
            .collect();
        assert_eq!(check_record(&made), Ok(()));
        made
    });
    Table::new(records)
}

/// The least cost and hops between all groups, by trying every middle.
fn distances(edges: &[Edge], octets: u64) -> [[Option<(u64, u32)>; GROUPS]; GROUPS] {
    let mut best = [[None; GROUPS]; GROUPS];
    for (from, row) in best.iter_mut().enumerate() {
        row[from] = Some((0, 0));
    }
    let least = |old: Option<(u64, u32)>, new| old.map_or(Some(new), |old| Some(old.min(new)));
    for (from, to, cost, is_up, limit) in edges {
        if *is_up && limit.is_none_or(|limit| octets <= limit) {
            best[*from][*to] = least(best[*from][*to], (u64::from(*cost), 1));
        }
    }
    for middle in 0..GROUPS {
        for from in 0..GROUPS {
            for to in 0..GROUPS {
                if let (Some(left), Some(right)) = (best[from][middle], best[middle][to]) {
                    best[from][to] = least(best[from][to], (left.0 + right.0, left.1 + right.1));
                }
            }
        }
    }
    best
}

/// How closely a space fits, counted in labels.
fn fit(space: &str, domain: &str) -> Option<usize> {
    if space == domain {
        return Some(100);
    }
    let above = space.strip_prefix('*')?;
    let labels = above.matches('.').count();
    (above.is_empty() || (domain.ends_with(above) && domain.len() > above.len())).then_some(labels)
}

/// What LS-214 to LS-216 say, with nothing kept and nothing clever.
fn reference(
    edges: &[Edge],
    ways: &[Way],
    from: usize,
    domain: &str,
    octets: u64,
) -> (Choice, u64) {
    let distances = distances(edges, octets);
    let fit = |way: &Way| way.1.iter().filter_map(|space| fit(SPACES[*space], domain)).max();
    let covering: Vec<_> = ways.iter().enumerate().filter(|(_, way)| fit(way).is_some()).collect();
    let exists = |way: &Way| (!way.3 || way.0 == from) && way.4.is_none_or(|limit| octets <= limit);
    let existing: Vec<_> = covering.iter().filter(|(_, way)| exists(way)).collect();
    let best = existing.iter().filter_map(|(_, way)| fit(way)).max();
    let mut ranks: Vec<_> = existing
        .iter()
        .filter(|(_, way)| fit(way) == best)
        .filter_map(|(place, way)| {
            let (cost, hops) = distances[from][way.0]?;
            Some((cost + u64::from(way.2), hops, way.0, *place))
        })
        .collect();
    ranks.sort_unstable();
    match ranks.first() {
        Some((total, _, to, place)) => {
            (Choice::Exit { group: group(*to), exit: exit_name(*place) }, *total)
        }
        None if !existing.is_empty() => (Choice::Infinite, 0),
        None if !covering.is_empty() => (Choice::Barred, 0),
        None => (Choice::None, 0),
    }
}

proptest! {
    /// LS-212, LS-214, LS-215, LS-216: the choice is the one that the clauses say, and so is its explanation.
    #[test]
    fn the_choice_is_that_of_the_reference(edges in edges(), ways in ways(), octets in 0..3_000_u64) {
        let table = table(&edges, &ways);
        let traits = Traits { octets, ..Traits::default() };
        for from in 0..GROUPS {
            for domain in DOMAINS {
                let (expected, total) = reference(&edges, &ways, from, domain, octets);
                let found = choose_exit(&table, &group(from), domain, &traits);
                prop_assert_eq!(&found, &expected, "{} from g{}", domain, from);
                let explained = explain_exits(&table, &group(from), domain, &traits);
                prop_assert_eq!(&explained.choice, &expected);
                let candidates = explained.candidates;
                prop_assert_eq!(candidates.len(), ways.len());
                let chosen: Vec<_> =
                    candidates.iter().filter(|c| c.verdict == ExitVerdict::Chosen).collect();
                match expected {
                    Choice::Exit { group, exit } => {
                        prop_assert_eq!(chosen.len(), 1);
                        prop_assert_eq!((&chosen[0].group, &chosen[0].exit), (&group, &exit));
                        prop_assert_eq!(chosen[0].total, Some(total));
                    }
                    _ => prop_assert!(chosen.is_empty()),
                }
            }
        }
    }

    /// C4's ground: whichever of the equal connectors is taken, the next group is nearer to its exit, so no group
    /// sees the message twice, and a journey that was begun ends at an exit.
    #[test]
    fn each_hop_brings_a_message_nearer_to_its_exit(edges in edges(), ways in ways()) {
        let table = table(&edges, &ways);
        let (traits, inward) = (Traits::default(), inward(&table));
        for (from, domain) in (0..GROUPS).flat_map(|from| DOMAINS.map(|domain| (from, domain))) {
            let (choice, total) = reference(&edges, &ways, from, domain, 0);
            let Choice::Exit { group: to, .. } = choice else { continue };
            if to == group(from) {
                continue;
            }
            let tree = Tree::full(&table, &group(from), &traits);
            for first in tree.firsts(&table, &inward, &to) {
                let record = table.get(&group(from)).expect("it stands in the table");
                let connector = record.connectors.iter().find(|c| c.name == first);
                let connector = connector.expect("it is one of its connectors");
                let next = (0..GROUPS).find(|next| group(*next) == connector.to);
                let (choice, left) = reference(&edges, &ways, next.expect("a group"), domain, 0);
                let Choice::Exit { group: then, .. } = choice else {
                    panic!("{domain} is stuck behind {first}: {choice:?}");
                };
                // Only an exit that is for its group alone can be more specific than what was aimed at.
                let is_nearer = left + u64::from(connector.cost) <= total || then == connector.to;
                prop_assert!(is_nearer, "{} over {}", domain, first);
            }
        }
    }
}

pub(crate) fn with_exit(number: usize, minor: u32, space: &str) -> Record {
    let mut made = record(number, 1, minor, ConnectorState::Up);
    made.exits = vec![ExitRecord {
        name: "out".into(),
        spaces: vec![Space(space.into())],
        cost: 1,
        sources: vec![member(number, 'a')],
        scope: Scope::Organization,
        restrictions: Restrictions::default(),
    }];
    made
}

/// LS-180, LS-183: a change of exits alters routes, and waits for the computation like one of connectors; what was
/// kept of the table before follows it.
#[test]
fn a_change_of_exits_waits_for_the_computation() {
    const COMPUTE: LinkTimer = LinkTimer::Schedule(ScheduleTimer::Compute);
    let mut own = record(1, 1, 0, ConnectorState::Up);
    own.connectors[0].to = "RG2".into();
    let records = vec![own, record(2, 1, 0, ConnectorState::Up)];
    let durable = LinkDurable { records: records.into(), ..LinkDurable::default() };
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
    let way = |bench: &Bench, domain: &str| {
        let machine = bench.node.machine();
        machine.way_out(&bench.config, domain, &Traits::default(), (0, &SourceTurns::default()))
    };
    assert_eq!(way(&bench, "example.net"), WayOut::None);
    for (minor, space, domain) in [(1, "example.net", "example.net"), (2, "*.org", "x.org")] {
        let acts = bench.news(&inbound(1, &member(2, 'a')), vec![with_exit(2, minor, space)]);
        assert_eq!(armed(&acts, &COMPUTE).len(), 1, "{acts:?}");
        assert!(armed(&acts, &COMPUTE)[0] >= Span::milliseconds(50));
        assert_eq!(way(&bench, domain), WayOut::None, "it does not route yet");
        bench.timer(COMPUTE);
        assert!(matches!(way(&bench, domain), WayOut::Towards(to, _) if to.as_str() == "RG2"));
        assert!(bench.node.machine().has_exit_for(&bench.config, domain));
    }
    assert_eq!(way(&bench, "example.net"), WayOut::None, "LS-214: the table has it no more");
}
