//! Laws that hold for all tables and all graphs, against models that are too simple to be wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use bridgehead::kernel::{Machine as _, Node, Seeded, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::{
    ConnectorRecord, ConnectorState, DEFAULT_LIFETIME_S, Fate, LinkConfig, LinkDurable, LinkState,
    NextHop, Record, SharedRecord, Table, TableChange, Term, Traits, Version, check_record,
    is_cut_edge, record_digest,
};
use bridgehead::protocol::organization::{Connector, Group, LinkStateSettings, Organization};
use bridgehead::wire::ids::{ConnectorName, GroupName, MemberName};
use bridgehead::wire::message::Digest;
use proptest::prelude::*;

fn group(number: usize) -> GroupName {
    GroupName(format!("g{number}"))
}

fn version() -> impl Strategy<Value = Version> {
    (1..3_u64, 0..2_u64, 1..3_u32, 0..3_u32, 0..2_u32).prop_map(
        |(counter, nonce, major, minor, user)| Version {
            term: Term { counter, member: MemberName::from("m"), nonce },
            major,
            minor,
            user,
        },
    )
}

/// Few groups, few versions, few contents: conflicts are frequent.
fn record() -> impl Strategy<Value = Record> {
    (0..4_usize, version(), 0..3_u32).prop_map(|(number, version, cost)| Record {
        group: group(number),
        uuid: format!("{number:032x}"),
        version,
        members: vec![(MemberName::from("m"), true)],
        connectors: vec![ConnectorRecord {
            name: ConnectorName(format!("g{number}-x")),
            to: GroupName::from("x"),
            cost: cost + 1,
            state: if cost == 0 { ConnectorState::Up } else { ConnectorState::Down },
            sources: vec![MemberName::from("m")],
            restrictions: Default::default(),
            unavailable: Vec::new(),
        }],
        deleted: None,
        lifetime_s: DEFAULT_LIFETIME_S,
        exits: Vec::new(),
    })
}

/// One of many groups.
fn numbered(number: u32, minor: u32) -> Record {
    let term = Term { counter: 1, member: MemberName::from("m"), nonce: 0 };
    Record {
        group: GroupName(format!("g{number}")),
        uuid: format!("{number:032x}"),
        version: Version { term, major: 1, minor, user: 0 },
        members: vec![],
        connectors: vec![],
        deleted: None,
        lifetime_s: DEFAULT_LIFETIME_S,
        exits: Vec::new(),
    }
}

/// LS-004 as it is written, without sharing anything.
fn digest_by_hand(prefix: &str, table: &Table) -> Digest {
    let hash = |octets: &[u8]| bridgehead::wire::envelope::sha256(octets);
    let stands_below =
        |record: &&SharedRecord| hash(record.uuid.as_bytes()).to_string()[..16].starts_with(prefix);
    let mut below: Vec<_> = table.records().filter(stands_below).collect();
    below.sort_by_key(|record| &record.uuid);
    let mut octets = vec![0];
    if below.len() <= 16 || prefix.len() == 16 {
        below.iter().for_each(|record| octets.extend(record_digest(record).0));
    } else {
        octets[0] = 1;
        for digit in "0123456789abcdef".chars() {
            octets.extend(digest_by_hand(&format!("{prefix}{digit}"), table).0);
        }
    }
    hash(&octets)
}

/// The reference: all that was ever seen, and the greatest of it.
fn greatest(records: &[Record]) -> Vec<Record> {
    let mut groups: BTreeMap<GroupName, Vec<Record>> = BTreeMap::new();
    for record in records {
        groups.entry(record.group.clone()).or_default().push(record.clone());
    }
    let best = groups.into_values().map(|seen| {
        seen.into_iter()
            .max_by_key(|r| (r.version.clone(), record_digest(r)))
            .expect("one at least")
    });
    best.collect()
}

fn join(left: &Table, right: &Table) -> Table {
    Table::new(left.records().chain(right.records()).cloned())
}

proptest! {
    /// LS-001, LS-002: the table is the greatest record of each group, in whatever order they came.
    #[test]
    fn a_table_is_the_greatest_of_all_it_saw(
        records in prop::collection::vec(record(), 0..24),
        shuffle in any::<u64>(),
    ) {
        let table = Table::new(records.clone());
        let expected = greatest(&records);
        let expected: Vec<_> = expected.into_iter().map(SharedRecord::new).collect();
        prop_assert_eq!(table.records().cloned().collect::<Vec<_>>(), expected);
        let mut other = records;
        let mut seed = shuffle;
        for place in (1..other.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            other.swap(place, usize::try_from(seed >> 33).unwrap() % (place + 1));
        }
        let reordered = Table::new(other);
        prop_assert_eq!(reordered.digest(), table.digest());
        prop_assert_eq!(reordered, table);
    }

    /// Merging tables is commutative, associative and idempotent, and nothing ever shrinks.
    #[test]
    fn tables_are_a_lattice(
        a in prop::collection::vec(record(), 0..10),
        b in prop::collection::vec(record(), 0..10),
        c in prop::collection::vec(record(), 0..10),
    ) {
        let (a, b, c) = (Table::new(a), Table::new(b), Table::new(c));
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(&join(&a, &a), &a);
        for record in a.records() {
            let kept = join(&a, &b);
            let kept = kept.get(&record.group).expect("no record vanishes");
            prop_assert!(kept.version >= record.version);
        }
    }

    /// LS-002: a conflict is seen by whoever merges second, and by nobody else.
    #[test]
    fn conflicts_are_noticed(left in record(), right in record()) {
        let mut table = Table::new([left.clone()]);
        let merge = table.merge(right.clone());
        let same_version = left.group == right.group && left.version == right.version;
        prop_assert_eq!(merge.conflict, same_version && left != right);
        prop_assert_eq!(merge.fate == Fate::Same, left == right);
        let again = table.merge(right);
        prop_assert_ne!(again.fate, Fate::Grown, "merging is idempotent");
    }

    /// LS-004: equal digests, equal tables.
    #[test]
    fn the_digest_tells_tables_apart(
        a in prop::collection::vec(record(), 0..6),
        b in prop::collection::vec(record(), 0..6),
    ) {
        let (a, b) = (Table::new(a), Table::new(b));
        prop_assert_eq!(a.digest() == b.digest(), a == b);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// LS-004: the tree is that of its records, whatever grew first, and whatever was copied meanwhile.
    #[test]
    fn a_tree_is_that_of_its_records(
        numbers in prop::collection::vec((0..60_u32, 0..3_u32), 0..120),
        other in prop::collection::vec((0..60_u32, 0..3_u32), 0..40),
    ) {
        let one = |(number, minor): &(u32, u32)| numbered(*number, *minor);
        let table = Table::new(numbers.iter().map(one));
        let mut copies = vec![Table::default()];
        for record in numbers.iter().rev().map(one) {
            let mut next = copies[copies.len() - 1].clone();
            next.merge(record);
            copies.push(next);
        }
        let last = &copies[copies.len() - 1];
        prop_assert_eq!(last.digest(), table.digest());
        prop_assert_eq!(last.digest(), digest_by_hand("", last));
        // No copy has changed since: each is what its own records make, in the order of their names.
        for copy in &copies {
            prop_assert_eq!(Table::new(copy.records().cloned()).digest(), copy.digest());
            prop_assert_eq!(copy.living(), copy.records().count());
            let names: Vec<_> = copy.records().map(|record| &record.group).collect();
            prop_assert!(names.is_sorted());
            for record in copy.records() {
                prop_assert_eq!(copy.of(&record.uuid), Some(record));
                prop_assert_eq!(copy.get(&record.group), Some(record));
            }
        }
        // Merging trees is a lattice, too.
        let other = Table::new(other.iter().map(one));
        let both = join(&table, &other);
        prop_assert_eq!(both.digest(), join(&other, &table).digest());
        prop_assert_eq!(join(&both, &other).digest(), both.digest());
        let same: Vec<_> = table.records().cloned().collect();
        let theirs: Vec<_> = other.records().cloned().collect();
        prop_assert_eq!(table.digest() == other.digest(), same == theirs);
    }

}

proptest! {
    /// LS-007, LS-006: the disk is the fold of all growth.
    #[test]
    fn the_disk_has_what_the_table_has(records in prop::collection::vec(record(), 0..20)) {
        let mut table = Table::default();
        let mut durable = LinkDurable::default();
        for record in records {
            if table.merge(record.clone()).fate == Fate::Grown {
                LinkState::apply(&mut durable, &TableChange::Merged(vec![record.into()]));
            }
        }
        prop_assert_eq!(&durable.records, &table);
    }
}

/// A directed edge: from, to, cost, whether it is UP, and its size limit.
type Edge = (usize, usize, u32, bool, Option<u64>);

const GROUPS: usize = 6;

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    let limit = prop_oneof![3 => Just(None), 1 => (0..3_u64).prop_map(|k| Some(k * 1_000))];
    let edge = (0..GROUPS, 0..GROUPS, 1..5_u32, prop::bool::weighted(0.8), limit);
    let loops_out = |edges: Vec<Edge>| edges.into_iter().filter(|e| e.0 != e.1).collect();
    prop::collection::vec(edge, 0..20).prop_map(loops_out)
}

fn member(group: usize) -> MemberName {
    MemberName(format!("m{group}"))
}

/// A member of group 0 that carries nothing and is no master: it changes no state by booting.
fn observer() -> MemberName {
    MemberName::from("observer")
}

fn name(place: usize, edge: &Edge) -> ConnectorName {
    // Names in another order than the edges.
    ConnectorName(format!("{}-{}-{}", (place * 7) % 20, edge.0, edge.1))
}

fn organization(edges: &[Edge]) -> Organization {
    let groups = (0..GROUPS).map(|number| Group {
        name: group(number),
        uuid: format!("{number:032x}"),
        members: if number == 0 { vec![member(0), observer()] } else { vec![member(number)] },
        master: Some(member(number)),
        election: None,
        accounts: None,
        stores: Vec::new(),
        exits: Vec::new(),
        rules: Vec::new(),
        settings: Vec::new(),
    });
    let connectors = edges.iter().enumerate().map(|(place, edge)| Connector {
        name: name(place, edge),
        from: group(edge.0),
        to: group(edge.1),
        cost: edge.2,
        sources: vec![member(edge.0)],
        targets: vec![member(edge.1)],
        size_limit_octets: edge.4,
        priorities: Vec::new(),
        senders_allowed: Vec::new(),
        senders_denied: Vec::new(),
        schedule: Vec::new(),
    });
    Organization {
        format: 1,
        revision: 1,
        name: "graph".into(),
        domains: vec![],
        groups: groups.collect(),
        connectors: connectors.collect(),
        accounts: vec![],
        smart_host: None,
        link_state: LinkStateSettings::default(),
    }
}

fn records(edges: &[Edge], organization: &Organization) -> Vec<Record> {
    let records = (0..GROUPS).map(|number| {
        let own = organization.connectors.iter().zip(edges).filter(|(_, edge)| edge.0 == number);
        let mut connectors: Vec<_> = own
            .map(|(connector, edge)| ConnectorRecord {
                name: connector.name.clone(),
                to: connector.to.clone(),
                cost: connector.cost,
                state: if edge.3 { ConnectorState::Up } else { ConnectorState::Down },
                sources: connector.sources.clone(),
                restrictions: connector.restrictions(),
                unavailable: Vec::new(),
            })
            .collect();
        connectors.sort_by(|left, right| left.name.cmp(&right.name));
        let term = Term { counter: 1, member: member(number), nonce: 1 };
        Record {
            group: group(number),
            uuid: format!("{number:032x}"),
            version: Version { term, major: 1, minor: 1, user: 0 },
            members: vec![(member(number), true)],
            connectors,
            deleted: None,
            lifetime_s: DEFAULT_LIFETIME_S,
            exits: Vec::new(),
        }
    });
    records.collect()
}

/// Every simple path, tried one by one: the least (cost, hops, first name).
fn best_by_trying(
    edges: &[Edge],
    here: usize,
    goal: usize,
    octets: u64,
    seen: &mut Vec<usize>,
) -> Option<(u64, u32, ConnectorName)> {
    if here == goal {
        return Some((0, 0, ConnectorName::from("")));
    }
    let mut best = None;
    for (place, edge) in edges.iter().enumerate() {
        let permitted = edge.3 && edge.4.is_none_or(|limit| octets <= limit);
        if edge.0 != here || !permitted || seen.contains(&edge.1) {
            continue;
        }
        seen.push(edge.1);
        if let Some((cost, hops, _)) = best_by_trying(edges, edge.1, goal, octets, seen) {
            let candidate = (cost + u64::from(edge.2), hops + 1, name(place, edge));
            best = best.into_iter().chain([candidate]).min();
        }
        seen.pop();
    }
    best
}

/// Boots the observer with this table on its disk.
fn booted(edges: &[Edge]) -> (Node<LinkState>, LinkConfig) {
    let organization = organization(edges);
    let records = records(edges, &organization);
    assert!(records.iter().all(|record| check_record(record) == Ok(())));
    let config = LinkConfig {
        organization: Arc::new(organization),
        member: observer(),
        faults: Faults::none(),
    };
    let durable = LinkDurable { records: records.into(), ..LinkDurable::default() };
    let (node, _) = Node::boot(&config, &durable, Time(0), &mut Seeded::new(1));
    (node, config)
}

proptest! {
    /// LS-040, LS-041, LS-042, LS-043: the route is the best of all permitted paths, and infinite only when
    /// there is none.
    #[test]
    fn a_route_is_a_shortest_permitted_path(edges in edges(), octets in 0..3_000_u64) {
        let (node, config) = booted(&edges);
        for goal in 1..GROUPS {
            let expected = best_by_trying(&edges, 0, goal, octets, &mut vec![0]);
            let expected = expected.map_or(NextHop::Infinite, |best| NextHop::Member(member(0), best.2));
            let traits = Traits { octets, ..Traits::default() };
            let hop = node.machine().next_hop(&config, &group(goal), &traits, 0);
            prop_assert_eq!(hop, expected, "to g{}", goal);
        }
    }

    /// C4's ground: by one table, each hop brings the message strictly nearer, so none returns.
    #[test]
    fn each_hop_brings_a_message_nearer(edges in edges()) {
        let organization = organization(&edges);
        let table = Table::new(records(&edges, &organization));
        for start in 0..GROUPS {
            for goal in (0..GROUPS).filter(|goal| *goal != start) {
                let mut here = group(start);
                let mut visited = vec![here.clone()];
                while here != group(goal) {
                    let Some(first) = bridgehead::protocol::linkstate::first_connector(
                        &table, &here, &group(goal), &Traits::default(),
                    ) else {
                        prop_assert_eq!(visited.len(), 1, "a route that was begun goes on");
                        break;
                    };
                    here = first.to.clone();
                    prop_assert!(!visited.contains(&here), "no group is visited twice");
                    visited.push(here.clone());
                }
            }
        }
    }

    /// LS-030: persistent means that removing the edge cuts the far group off.
    #[test]
    fn persistence_is_a_cut(edges in edges()) {
        let organization = organization(&edges);
        let table = Table::new(records(&edges, &organization));
        for (place, edge) in edges.iter().enumerate() {
            // The reference: a transitive closure without the edge, states and limits ignored.
            let mut reached = [[false; GROUPS]; GROUPS];
            for (other, far) in edges.iter().enumerate() {
                reached[far.0][far.1] |= other != place;
            }
            for middle in 0..GROUPS {
                for from in 0..GROUPS {
                    for to in 0..GROUPS {
                        reached[from][to] |= reached[from][middle] && reached[middle][to];
                    }
                }
            }
            let expected = !reached[edge.0][edge.1];
            let (from, to) = (group(edge.0), group(edge.1));
            let by_table = is_cut_edge(&table, &organization, &name(place, edge), &from, &to);
            prop_assert_eq!(by_table, expected, "by the table");
            let empty = Table::default();
            let by_file = is_cut_edge(&empty, &organization, &name(place, edge), &from, &to);
            prop_assert_eq!(by_file, expected, "by the configuration alone");
        }
    }
}
