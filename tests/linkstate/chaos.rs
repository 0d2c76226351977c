//! Anything at all happens: to one machine, and to a whole organization.

use crate::bench::*;
use crate::network::{Network, figure_3_14, member};
use bridgehead::kernel::{Act, Input, LinkChange, Machine as _, Span};
use bridgehead::protocol::linkstate::schedule::ScheduleTimer;
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, LinkDurable, LinkEvent, LinkPdu, LinkState, LinkTimer, Neighbour,
    Term, Way,
};
use bridgehead::wire::ids::MemberName;
use proptest::prelude::*;

/// Anything that a host can give a machine, in any order.
fn input() -> impl Strategy<Value = Input<LinkState>> {
    let neighbour = prop_oneof![
        Just(Neighbour::Master(member(2, 'b'))),
        Just(Neighbour::Attached(member(2, 'a'))),
        Just(Neighbour::Attached(member(2, 'b'))),
        Just(Neighbour::Member(member(2, 'b'))),
        Just(Neighbour::Member(member(2, 'a'))),
        Just(over("RG2-RG1", member(1, 'a'))),
        Just(over("RG2-RG4", member(4, 'a'))),
        Just(inbound(1, &member(1, 'a'))),
        Just(inbound(3, &MemberName::from("unknown"))),
    ];
    let change = prop_oneof![
        4 => Just(LinkChange::Up),
        1 => Just(LinkChange::Refused),
        1 => Just(LinkChange::TimedOut),
        1 => Just(LinkChange::Lost),
        1 => Just(LinkChange::Closed),
    ];
    let state = prop_oneof![Just(ConnectorState::Up), Just(ConnectorState::Down)];
    let one =
        (1..6_usize, 1..4_u64, 0..3_u32, state.clone()).prop_map(|(g, c, m, s)| record(g, c, m, s));
    let records = prop::collection::vec(one, 0..4);
    let pdu = prop_oneof![
        records.clone().prop_map(|records| LinkPdu::news(elsewhere(), records)),
        records.prop_map(|records| LinkPdu::merged(elsewhere(), records)),
        state.prop_map(|state| LinkPdu::Report { states: vec![("RG2-RG4".into(), state)] }),
        Just(LinkPdu::Reported { term: Term { counter: 1, member: member(2, 'b'), nonce: 0 } }),
    ];
    let ways = prop_oneof![
        Just(way("RG2-RG1")),
        Just(way("RG2-RG4")),
        Just(Way::Member(member(2, 'b'))),
        Just(Way::Member(member(2, 'a'))),
    ];
    let name = prop_oneof![Just("RG2-RG1"), Just("RG2-RG4")];
    let timer = (name, 0..9_u8).prop_map(|(name, kind)| match kind {
        0 => LinkTimer::GlitchRetry(name.into()),
        1 => LinkTimer::Probe(name.into()),
        2 => LinkTimer::Calm(name.into()),
        3 => LinkTimer::DampLimit(name.into()),
        4 => LinkTimer::Reopen(way(name)),
        5 => LinkTimer::Schedule(ScheduleTimer::Compute),
        6 => LinkTimer::Schedule(ScheduleTimer::Learn),
        7 => LinkTimer::Schedule(ScheduleTimer::HoldDown),
        _ => LinkTimer::Reattach,
    });
    prop_oneof![
        4 => (neighbour.clone(), change).prop_map(|(peer, change)| Input::Link { peer, change }),
        4 => (neighbour.clone(), pdu).prop_map(|(from, pdu)| Input::Pdu { from, pdu }),
        2 => timer.prop_map(Input::Timer),
        2 => ways.clone().prop_map(|way| Input::Command(LinkCommand::Want(way))),
        1 => ways.prop_map(|way| Input::Command(LinkCommand::Done(way))),
        1 => neighbour.prop_map(|peer| Input::Command(LinkCommand::Broken(peer))),
        1 => Just(Input::Configuration),
    ]
}

proptest! {
    /// Total: any input in any state. Tables only grow; mail is offered only where nothing is owed;
    /// the disk has the table; what is open is opened once.
    #[test]
    fn any_input_is_allowed_in_any_state(
        inputs in prop::collection::vec(input(), 0..60),
        is_master in any::<bool>(),
    ) {
        let letter = if is_master { 'b' } else { 'a' };
        let mut bench = Bench::boot(figure_3_14(), &member(2, letter), LinkDurable::default());
        let mut durable = LinkDurable::default();
        let mut acts = bench.boot.clone();
        acts.extend(bench.sync());
        let mut offers = std::collections::BTreeSet::new();
        for input in inputs {
            for act in &acts {
                match act {
                    Act::Write(change) => LinkState::apply(&mut durable, change),
                    Act::Event(LinkEvent::Ready { neighbour, .. }) => {
                        offers.insert(neighbour.clone());
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(&durable.records, bench.node.machine().table());
            let before = bench.node.machine().routing_versions();
            let known = bench.node.machine().versions();
            acts = bench.step(input);
            prop_assert!(bench.node.machine().covers(&before), "the table that routes only grows");
            let grown = bench.node.machine().versions();
            let is_kept = known.iter().all(|(group, version)| grown[group] >= *version);
            prop_assert!(is_kept, "a table only grows");
            for neighbour in &offers {
                let news = sent(&acts, neighbour);
                let told = news.iter().any(|pdu| matches!(pdu, LinkPdu::News { .. }));
                prop_assert!(!(told && bench.node.machine().may_offer(neighbour)), "LS-019");
            }
        }
    }
}

/// One thing that happens to the organization.
#[derive(Clone, Debug)]
enum Trouble {
    Cut(usize),
    CutOneWay(usize),
    Heal(usize),
    Crash(usize),
    Boot(usize),
    Want(usize),
    Done(usize),
    Pass(u64),
}

const EDGES: [(usize, usize); 5] = [(1, 2), (2, 4), (1, 3), (3, 4), (4, 5)];

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        2 => (0..5_usize).prop_map(Trouble::Cut),
        1 => (0..10_usize).prop_map(Trouble::CutOneWay),
        2 => (0..5_usize).prop_map(Trouble::Heal),
        1 => (0..10_usize).prop_map(Trouble::Crash),
        2 => (0..10_usize).prop_map(Trouble::Boot),
        3 => (0..10_usize).prop_map(Trouble::Want),
        3 => (0..10_usize).prop_map(Trouble::Done),
        2 => (0..5_000_u64).prop_map(|milliseconds| Trouble::Pass(milliseconds * 1_000)),
        3 => (0..400_u64).prop_map(|seconds| Trouble::Pass(seconds * 1_000_000)),
    ]
}

/// The ends of a directed connector, by number.
fn ends(number: usize) -> (usize, usize) {
    let (u, v) = EDGES[number / 2];
    if number.is_multiple_of(2) { (u, v) } else { (v, u) }
}

fn happen(network: &mut Network, trouble: &Trouble) {
    let group = |number: usize| format!("RG{number}");
    let site =
        |number: usize| member(number / 2 + 1, if number.is_multiple_of(2) { 'a' } else { 'b' });
    let name = |number: usize| format!("RG{}-RG{}", ends(number).0, ends(number).1);
    match *trouble {
        Trouble::Cut(edge) => network.cut(&group(EDGES[edge].0), &group(EDGES[edge].1)),
        Trouble::CutOneWay(number) => {
            network.cut_one_way(&group(ends(number).0), &group(ends(number).1));
        }
        Trouble::Heal(edge) => network.heal(&group(EDGES[edge].0), &group(EDGES[edge].1)),
        Trouble::Crash(number) => network.crash(&site(number)),
        Trouble::Boot(number) if !network.running().contains(&site(number)) => {
            network.boot(&site(number));
        }
        Trouble::Boot(_) => {}
        Trouble::Want(number) => {
            let from = member(ends(number).0, 'a');
            network.command(&from, LinkCommand::Want(way(&name(number))));
        }
        Trouble::Done(number) => {
            let from = member(ends(number).0, 'a');
            network.command(&from, LinkCommand::Done(way(&name(number))));
        }
        Trouble::Pass(microseconds) => network.run_for(Span(microseconds)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// C5: whatever happened, when it stops and everything is healed, all members soon have one and
    /// the same table, in which everything is UP; and then nothing moves any more.
    #[test]
    fn all_members_agree_when_the_trouble_is_over(
        troubles in prop::collection::vec(trouble(), 0..40),
    ) {
        let mut network = Network::new(figure_3_14());
        for trouble in &troubles {
            happen(&mut network, trouble);
        }
        for edge in 0..5 {
            happen(&mut network, &Trouble::Heal(edge));
        }
        for number in 0..10 {
            happen(&mut network, &Trouble::Boot(number));
        }
        // A probe comes within a minute; a master is called again within another.
        network.run_for(Span::minutes(3));
        let table = network.agreed();
        prop_assert_eq!(table.living(), 5);
        let connectors = table.records().flat_map(|record| &record.connectors);
        for connector in connectors {
            prop_assert_eq!(connector.state, ConnectorState::Up, "{}", &connector.name);
        }
        // What is still counted is forgotten within the hour, silently.
        let lines = network.log.len();
        network.run_for(Span::hours(3));
        prop_assert_eq!(network.log.len(), lines, "an organization at rest is silent");
    }
}
