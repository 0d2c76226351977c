//! Whole networks against a reference that is too simple to be wrong: a map from each group to the greatest
//! record that its master ever wrote, and a naive Bellman-Ford.

use std::collections::BTreeMap;
use std::sync::Arc;

use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, LinkDurable, Record, Table, TableChange, Traits, Way,
    first_connector,
};
use bridgehead::protocol::organization::Organization;
use bridgehead::sim::converge::{Delays, Network, Shape, Topology};
use bridgehead::wire::ids::{ConnectorName, GroupName};
use proptest::prelude::*;

use crate::bench::{Bench, inbound};
use crate::network::{figure_3_14, member};

/// What the members should know in the end.
fn greatest_published(
    organization: &Organization,
    network: &Network,
) -> BTreeMap<GroupName, Record> {
    let mut greatest: BTreeMap<GroupName, Record> = BTreeMap::new();
    for (writer, change) in network.written.iter().flatten() {
        let TableChange::Learnt { records, .. } = change else { continue };
        let own = organization.groups.iter().find(|group| group.first_master() == writer);
        let Some(own) = own else { continue };
        for record in records.iter().filter(|record| record.group == own.name) {
            let known = greatest.get(&own.name);
            if known.is_none_or(|known| known.version < record.version) {
                greatest.insert(own.name.clone(), Record::clone(record));
            }
        }
    }
    greatest
}

/// One thing that happens to the network; the numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Trouble {
    Cut(usize),
    Heal(usize),
    Lose(usize),
    Crash(usize),
    Boot(usize),
    Want(usize),
    Done(usize),
    Pass(u64),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let number = 0..1_000_usize;
    prop_oneof![
        3 => number.clone().prop_map(Trouble::Cut),
        2 => number.clone().prop_map(Trouble::Heal),
        4 => number.clone().prop_map(Trouble::Lose),
        1 => number.clone().prop_map(Trouble::Crash),
        2 => number.clone().prop_map(Trouble::Boot),
        3 => number.clone().prop_map(Trouble::Want),
        1 => number.prop_map(Trouble::Done),
        3 => (0..2_000_u64).prop_map(|milliseconds| Trouble::Pass(milliseconds * 1_000)),
        3 => (0..400_u64).prop_map(|seconds| Trouble::Pass(seconds * 1_000_000)),
    ]
}

fn happen(network: &mut Network, organization: &Organization, trouble: &Trouble) {
    let connector =
        |number: usize| &organization.connectors[number % organization.connectors.len()];
    let members: Vec<_> = organization.groups.iter().flat_map(|group| &group.members).collect();
    let way = |number: usize| Way::Connector(connector(number).name.clone());
    match *trouble {
        Trouble::Cut(number) => network.cut(&connector(number).name),
        Trouble::Heal(number) => network.heal(&connector(number).name),
        Trouble::Lose(number) => {
            let wires = network.wires();
            if !wires.is_empty() {
                network.lose(wires[number % wires.len()]);
            }
        }
        Trouble::Crash(number) => network.crash(number % members.len()),
        Trouble::Boot(number) => network.boot(number % members.len()),
        Trouble::Want(number) => {
            let source = network.place(&connector(number).sources[0]);
            network.command(source, LinkCommand::Want(way(number)));
        }
        Trouble::Done(number) => {
            let source = network.place(&connector(number).sources[0]);
            network.command(source, LinkCommand::Done(way(number)));
        }
        Trouble::Pass(microseconds) => network.run_until(network.now + Span(microseconds)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// C5: random graphs, delays, losses, cuts and restarts; when that is over, every member has the
    /// greatest record that each master has written, and in it everything is UP.
    #[test]
    fn a_troubled_network_ends_in_the_table_of_the_reference(
        troubles in prop::collection::vec(trouble(), 0..40),
        (groups, members) in (3..8_usize, 1..4_usize),
        seed in any::<u64>(),
    ) {
        let topology = Topology::new(Shape::Random, groups, members, seed);
        let organization = Arc::new(topology.organization);
        let delays = Delays { jitter: Span::milliseconds(300), ..Delays::default() };
        let empty = Arc::new(LinkDurable::default());
        let mut network =
            Network::new(&organization, delays, seed, &Faults::none(), |_| Arc::clone(&empty));
        network.written = Some(Vec::new());
        network.boot_all();
        for trouble in &troubles {
            happen(&mut network, &organization, trouble);
        }
        for connector in &organization.connectors {
            network.heal(&connector.name);
        }
        network.boot_all();
        // A probe comes within a minute, a master is called again within another, and news follows.
        network.run_until(network.now + Span::minutes(4));
        let expected: Vec<Record> =
            greatest_published(&organization, &network).into_values().collect();
        prop_assert_eq!(expected.len(), groups);
        for (member, machine) in network.machines() {
            let known: Vec<Record> = machine.table().records().map(|known| Record::clone(known)).collect();
            prop_assert_eq!(&known, &expected, "{}", member);
        }
        for connector in expected.iter().flat_map(|record| &record.connectors) {
            prop_assert_eq!(connector.state, ConnectorState::Up, "{}", &connector.name);
        }
    }

    /// LS-001, LS-012: a machine that hears the same records in any order, cut into any news, and repeated,
    /// has the same table.
    #[test]
    fn any_order_of_delivery_gives_the_same_table(
        told in prop::collection::vec((1..6_usize, 1..4_u64, 0..3_u32), 1..20),
        order in prop::collection::vec((any::<prop::sample::Index>(), 1..4_usize), 0..20),
    ) {
        let records: Vec<_> = told
            .iter()
            .map(|&(number, counter, minor)| {
                crate::bench::record(number, counter, minor, ConnectorState::Up)
            })
            .collect();
        let hear = |batches: Vec<Vec<_>>| {
            let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
            let teller = inbound(1, &member(1, 'a'));
            for batch in batches {
                bench.news(&teller, batch);
            }
            bench.node.machine().table().clone()
        };
        let straight = hear(records.iter().map(|record| vec![record.clone()]).collect());
        let picked = order.iter().map(|(place, length)| {
            let start = place.index(records.len());
            records[start..records.len().min(start + length)].to_vec()
        });
        let shuffled = picked.chain(records.iter().rev().map(|record| vec![record.clone()]));
        prop_assert_eq!(hear(shuffled.collect()), straight);
    }
}

/// The best way from each group to `goal`, by relaxing every edge until nothing changes: cost, hops, and
/// the name of the first connector.
fn bellman_ford(
    organization: &Organization,
    goal: &GroupName,
) -> BTreeMap<GroupName, (u64, u32, ConnectorName)> {
    let mut best = BTreeMap::from([(goal.clone(), (0, 0, ConnectorName::from("")))]);
    loop {
        let before = best.clone();
        for connector in &organization.connectors {
            let Some((cost, hops, _)) = best.get(&connector.to).cloned() else { continue };
            let way = (cost + u64::from(connector.cost), hops + 1, connector.name.clone());
            if connector.from != *goal && best.get(&connector.from).is_none_or(|known| way < *known)
            {
                best.insert(connector.from.clone(), way);
            }
        }
        if best == before {
            return best;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// LS-040: on graphs that are too large to try every path, against the naive algorithm.
    #[test]
    fn a_route_is_what_bellman_ford_finds(
        groups in 3..25_usize,
        seed in any::<u64>(),
        costs in prop::collection::vec(1..4_u32, 1..20),
    ) {
        let mut organization = Topology::new(Shape::Random, groups, 1, seed).organization;
        for (place, connector) in organization.connectors.iter_mut().enumerate() {
            connector.cost = costs[place % costs.len()];
        }
        let table = published(&organization);
        for goal in organization.groups.iter().map(|group| &group.name) {
            let best = bellman_ford(&organization, goal);
            for from in organization.groups.iter().map(|group| &group.name) {
                if from == goal {
                    continue;
                }
                let first = first_connector(&table, from, goal, &Traits::default());
                let expected = best.get(from).map(|(_, _, first)| first);
                prop_assert_eq!(first.map(|first| &first.name), expected, "{} to {}", from, goal);
            }
        }
    }
}

/// The table of which all masters have published their records.
fn published(organization: &Organization) -> Table {
    let mut disks = bridgehead::sim::converge::converged_disks(organization);
    let disk = disks(organization.groups[0].first_master());
    disk.records.clone()
}
