//! Two members with different tables: what they say to each other until the tables are equal.

use crate::bench::*;
use crate::network::{figure_3_14, member};
use bridgehead::kernel::LinkChange;
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkDurable, LinkPdu, Listed, NEWS_NODES_LIMIT, NEWS_RECORDS_LIMIT, Node,
    Prefix, Record, SharedRecord, TABLE_LIMIT, Table,
};
use bridgehead::wire::message::Digest;
use bridgehead::wire::orginfo;
use proptest::prelude::*;

/// What went over one connection.
#[derive(Debug, Default)]
struct Traffic {
    exchanges: usize,
    records: usize,
    nodes: usize,
    octets: usize,
}

impl Traffic {
    fn count(&mut self, pdu: &LinkPdu) {
        let (LinkPdu::News { records, nodes, .. } | LinkPdu::Merged { records, nodes, .. }) = pdu
        else {
            return;
        };
        let is_news = matches!(pdu, LinkPdu::News { .. });
        assert!(records.len() <= NEWS_RECORDS_LIMIT, "LS-048, LS-124");
        assert!(nodes.len() <= if is_news { NEWS_NODES_LIMIT } else { 512 }, "LS-121, LS-124");
        self.records += records.len();
        self.nodes += nodes.len();
        self.octets += orginfo::encode_message(core::slice::from_ref(pdu)).expect("it fits").len();
    }
}

fn table(records: impl IntoIterator<Item = Record>) -> LinkDurable {
    LinkDurable { records: Table::new(records), ..LinkDurable::default() }
}

fn many(numbers: impl IntoIterator<Item = usize>) -> impl Iterator<Item = Record> {
    numbers.into_iter().map(|number| record(1_000 + number, 1, 0, ConnectorState::Up))
}

/// A member of RG1 calls one of RG2, and both say what they have to say.
fn meet(here: LinkDurable, there: LinkDurable) -> (Bench, Bench, Traffic) {
    let mut caller = Bench::boot(figure_3_14(), &member(1, 'a'), here);
    let mut called = Bench::boot(figure_3_14(), &member(2, 'a'), there);
    let (to, from) = (over("RG1-RG2", member(2, 'a')), inbound(1, &member(1, 'a')));
    let mut traffic = Traffic::default();
    let mut acts = caller.link(&to, LinkChange::Up);
    called.link(&from, LinkChange::Up);
    while let [news @ LinkPdu::News { .. }] = &sent(&acts, &to)[..] {
        traffic.exchanges += 1;
        assert!(traffic.exchanges < 200, "no exchange is endless: {traffic:?}");
        traffic.count(news);
        let answers = called.pdu(&from, news.clone());
        assert_eq!(problems(&answers), [""; 0]);
        let [merged] = &sent(&answers, &from)[..] else { panic!("one answer, not {answers:?}") };
        traffic.count(merged);
        acts = caller.pdu(&to, merged.clone());
        assert_eq!(problems(&acts), [""; 0]);
    }
    assert!(closed(&acts, &to), "LS-009: nothing is left to say");
    (caller, called, traffic)
}

/// LS-120, LS-014, LS-015: of a thousand groups one differs; one record travels, whoever has it.
#[test]
fn one_difference_costs_one_record() {
    let numbers = 0..1_000;
    let greater = || [record(1_777, 1, 1, ConnectorState::Down)];
    let with = || table(many(numbers.clone()).chain(greater()));
    let without = || table(many(numbers.clone()));
    let whole = LinkPdu::news(elsewhere(), many(numbers.clone()).collect());
    let whole = orginfo::encode_message(&[whole]).expect("it fits").len();
    for (here, there) in [(with(), without()), (without(), with())] {
        let (caller, called, traffic) = meet(here, there);
        assert_eq!(caller.digest(), called.digest());
        assert_eq!(caller.version("RG1777"), "1.1.1.0");
        assert_eq!(traffic.records, 1, "{traffic:?}");
        assert!(traffic.octets * 20 < whole, "{traffic:?} against {whole} octets");
    }
    // Equal tables: a query and its answer.
    let (_, _, traffic) = meet(with(), with());
    assert_eq!((traffic.exchanges, traffic.records, traffic.nodes), (1, 0, 0));
}

/// LS-122: the octets grow with the depth of the tree, not with the number of the groups.
#[test]
fn octets_do_not_grow_with_the_table() {
    let of = |count: usize| {
        let here = table(many(0..count).chain([record(1_005, 1, 1, ConnectorState::Up)]));
        meet(here, table(many(0..count))).2
    };
    let (small, large) = (of(100), of(3_000));
    assert_eq!((small.records, large.records), (1, 1));
    assert!(large.octets < 4 * small.octets, "{small:?}, {large:?}");
}

/// LS-123, LS-124: nothing in common, one empty, one far larger: bounded exchanges, equal tables.
#[test]
fn strangers_end_equal() {
    for (here, there, limit) in [
        (0..700, 700..1_400, 60),
        (0..0, 0..1_500, 30),
        (0..1_500, 0..0, 30),
        (0..16, 16..33, 8),
        (0..17, 17..33, 8),
        (0..17, 0..16, 8),
        (0..16, 0..17, 8),
        (0..300, 100..101, 20),
    ] {
        let all = Table::new(many(here.clone()).chain(many(there.clone())));
        let (caller, called, traffic) = meet(table(many(here)), table(many(there)));
        assert_eq!(caller.digest(), all.digest());
        assert_eq!(called.digest(), all.digest());
        assert!(traffic.exchanges <= limit, "{traffic:?}");
    }
}

/// LS-014: the walk is begun once, and again only after an answer that made the table grow.
#[test]
fn a_far_end_that_never_agrees_is_left_alone() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), table(many(0..100)));
    let there = over("RG1-RG2", member(2, 'a'));
    let mut acts = bench.link(&there, LinkChange::Up);
    let mut told = Vec::new();
    while let [LinkPdu::News { records, nodes, .. }] = &sent(&acts, &there)[..] {
        told.push((records.len(), nodes.len()));
        assert!(told.len() < 10, "{told:?}");
        // It says each time that all is different, and lists nothing.
        let children = Box::new([Digest::default(); 16]);
        let nodes = vec![Node::Inner { prefix: Prefix::ROOT, children }];
        let answer = LinkPdu::Merged { digest: elsewhere(), records: vec![], nodes };
        acts = bench.pdu(&there, answer);
    }
    // A query, our nodes below the root that it gave, our root; the root is no answer to either.
    assert_eq!(told, [(0, 0), (0, 16), (0, 1)]);
    assert_eq!(problems(&acts), ["nodes that answer nothing"]);
    assert!(closed(&acts, &there));
}

/// LS-123: what is no answer is not followed.
#[test]
fn strays_are_not_followed() {
    let caller = || {
        let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), table(many(0..100)));
        let there = over("RG1-RG2", member(2, 'a'));
        bench.link(&there, LinkChange::Up);
        (bench, there)
    };
    let below: Prefix = "0a".parse().expect("a prefix");
    let children = Box::new([Digest::default(); 16]);
    let list = |prefix| Node::Leaf { prefix, records: vec![] };
    for (node, is_stray) in [
        (Node::Inner { prefix: below, children: children.clone() }, true),
        (list(below), true),
        (list(Prefix::ROOT), false),
        (Node::Inner { prefix: Prefix::ROOT, children: children.clone() }, false),
    ] {
        let (mut bench, there) = caller();
        let answer = LinkPdu::Merged { digest: elsewhere(), records: vec![], nodes: vec![node] };
        let acts = bench.pdu(&there, answer);
        assert_eq!(!problems(&acts).is_empty(), is_stray);
    }
    // A list that answers our list ends the walk there, whatever it lists.
    let (mut bench, there) = caller();
    let root = Node::Inner { prefix: Prefix::ROOT, children };
    let acts = bench
        .pdu(&there, LinkPdu::Merged { digest: elsewhere(), records: vec![], nodes: vec![root] });
    let lists = &sent(&acts, &there)[..];
    let [LinkPdu::News { nodes, .. }] = lists else { panic!("one News, not {lists:?}") };
    let Some(Node::Leaf { prefix, records }) = nodes.first() else { panic!("{nodes:?}") };
    let mut greater: Vec<Listed> = records.clone();
    greater.iter_mut().for_each(|listed| listed.version.minor += 1);
    let node = Node::Leaf { prefix: *prefix, records: greater };
    let answer = LinkPdu::Merged { digest: elsewhere(), records: vec![], nodes: vec![node] };
    let acts = bench.pdu(&there, answer);
    assert_eq!(problems(&acts), [""; 0]);
    let told = &sent(&acts, &there)[..];
    let [LinkPdu::News { records, nodes, .. }] = told else { panic!("our root, not {told:?}") };
    assert_eq!((records.len(), nodes.len()), (0, 1));
    assert_eq!(nodes[0].prefix(), Prefix::ROOT, "LS-014");
}

/// LS-124, LS-121: whatever is asked, no answer is longer than its limits.
#[test]
fn answers_are_bounded() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), table(many(0..1_500)));
    let from = inbound(1, &member(2, 'a'));
    let mut answer = |records: Vec<Record>, nodes: Vec<Node>| {
        let records = records.into_iter().map(SharedRecord::new).collect();
        let acts = bench.pdu(&from, LinkPdu::News { digest: elsewhere(), records, nodes });
        let [merged @ LinkPdu::Merged { records, nodes, .. }] = &sent(&acts, &from)[..] else {
            panic!("one Merged, not {acts:?}")
        };
        Traffic::default().count(merged);
        (records.len(), nodes.len())
    };
    let inner = (0..600).map(|number| {
        let prefix: Prefix = format!("{number:03x}").parse().expect("a prefix");
        Node::Inner { prefix, children: Box::new([Digest::default(); 16]) }
    });
    let list = |prefix| Node::Leaf { prefix, records: vec![] };
    let nodes = inner.chain([list(Prefix::ROOT)]).collect();
    assert_eq!(answer(vec![], nodes), (NEWS_RECORDS_LIMIT, 512), "of a list that lacks all");
    let lists = (0..16).map(|digit| list(Prefix::ROOT.child(digit))).collect();
    assert_eq!(answer(vec![], lists), (NEWS_RECORDS_LIMIT, 0), "of many lists that lack some");
    let older = many(0..1_500).map(|mut record| {
        record.version.term.counter = 0;
        record
    });
    assert_eq!(answer(older.collect(), vec![]), (NEWS_RECORDS_LIMIT, 0), "of what was told");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Any two tables: both end with the greater record of each group, in bounded exchanges, and
    /// no record travels that the other end has.
    #[test]
    fn any_two_tables_end_equal(
        common in 0..60_usize,
        one in prop::collection::vec((0..80_usize, 0..3_u32), 0..40),
        other in prop::collection::vec((0..80_usize, 0..3_u32), 0..40),
    ) {
        let of = |own: &[(usize, u32)]| {
            let own = own.iter().map(|(number, minor)| {
                record(1_000 + number, 1, *minor, ConnectorState::Up)
            });
            Table::new(many(0..common).chain(own.collect::<Vec<_>>()))
        };
        let (one, other) = (of(&one), of(&other));
        let all = Table::new(one.records().chain(other.records()).cloned());
        let differing = all.records().filter(|record| {
            let same = |table: &Table| table.of(&record.uuid) == Some(record);
            !(same(&one) && same(&other))
        }).count();
        let is_small = one.len() <= 16 || other.len() <= 16;
        let durable = |records| LinkDurable { records, ..LinkDurable::default() };
        let (caller, called, traffic) = meet(durable(one), durable(other));
        prop_assert_eq!(caller.digest(), all.digest());
        prop_assert_eq!(called.digest(), all.digest());
        prop_assert!(traffic.exchanges <= 12, "{:?}", traffic);
        prop_assert!(is_small || traffic.records <= differing, "{:?}", traffic);
    }
}

/// A copy of a full table shares all that does not change: else this would take minutes.
#[test]
fn a_full_table_costs_no_copies() {
    let full = Table::new((0..TABLE_LIMIT).map(|n| record(n, 1, 0, ConnectorState::Up)));
    let mut copies: Vec<Table> = Vec::new();
    for minor in 1..=2_000 {
        let mut next = copies.last().unwrap_or(&full).clone();
        next.merge(record(77, 1, minor, ConnectorState::Down));
        copies.push(next);
    }
    // All that did not change is shared with the first one.
    let (last, key) = (&copies[copies.len() - 1], record(78, 1, 0, ConnectorState::Up).uuid);
    let shared = |table: &Table| table.of(&key).cloned().expect("it is there");
    assert!(SharedRecord::is(&shared(last), &shared(&full)));
    assert_ne!(last.digest(), full.digest());
    assert_eq!(last.living(), TABLE_LIMIT);
}
