//! One link-state machine, step by step: what it answers, what it refuses, when it waits.

use crate::bench::*;
use crate::network::{figure_3_14, member, organization};
use bridgehead::kernel::{Act, Input, LinkChange, Span};
use bridgehead::protocol::linkstate::schedule::ScheduleTimer;
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, LinkDurable, LinkEvent, LinkPdu, LinkTimer, NEWS_RECORDS_LIMIT,
    Neighbour, Node, Prefix, Record, TABLE_LIMIT, Table, Term, Way, check_record, record_digest,
};

/// LS-003, LS-004: the octets that are hashed. The expected values come from another program:
/// `printf '%s' '{"group":…}' | sha256sum`.
#[test]
fn digests_are_those_of_the_canonical_encoding() {
    let mut record = record(1, 1, 3, ConnectorState::Down);
    record.version.major = 2;
    record.version.user = 4;
    record.members[1].1 = false;
    record.connectors[0].name = "RG1-RG2".into();
    record.connectors[0].to = "RG2".into();
    let canonical = concat!(
        r#"{"group":"RG1","uuid":"00000000000000000000000000000001","version":{"term":{"#,
        r#""counter":1,"member":"rg1-b","nonce":7},"major":2,"minor":3,"user":4},"members":"#,
        r#"[["rg1-a",true],["rg1-b",false]],"connectors":[{"name":"RG1-RG2","to":"RG2","cost":10,"#,
        r#""state":"DOWN","sources":["rg1-a"]}]}"#
    );
    assert_eq!(serde_json::to_string(&record).unwrap(), canonical);
    let digest = record_digest(&record).to_string();
    assert_eq!(digest, "46cace0dca45204ab8b8bd9f45cc5ed62192b8f250ef419d9193bfa7ba6b0f0b");
    let table = Table::new([record]).digest().to_string();
    assert_eq!(table, "ee3fbf6d9ac1d58c821950e61045fa3f1e9a318d4290003d0a2e6475be826fe9");
    let empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(Table::default().digest().to_string(), empty);
    // 11 inner nodes and 166 leaves, by thirty lines of Python.
    let many =
        Table::new((1..=300).map(|number| super::bench::record(number, 1, 0, ConnectorState::Up)));
    let digest = "17949255f5e8b757e731329a8d016442b626176fd9476b401de5d0fd778c6553";
    assert_eq!(many.digest().to_string(), digest);
}

/// LS-005: each rule, and its positive twin; the other records of the news are merged.
#[test]
fn impossible_records_are_refused() {
    type Edit = fn(&mut Record);
    let wrong: &[(&str, Edit)] = &[
        ("RG9-RG9: leads to its own group", |r| {
            r.connectors[0].name = "RG9-RG9".into();
            r.connectors[0].to = r.group.clone();
        }),
        ("RG3-RG9: cost 0, expected 1 to 100", |r| r.connectors[0].cost = 0),
        ("RG3-RG9: cost 101, expected 1 to 100", |r| r.connectors[0].cost = 101),
        ("RG3-RG9: connectors are not in order of their names", |r| {
            r.connectors.push(r.connectors[0].clone());
        }),
        ("65 members, at most 64", |r| r.members = vec![(member(3, 'a'), true); 65]),
        ("1025 connectors, at most 1024", |r| {
            r.connectors = vec![r.connectors[0].clone(); 1_025];
        }),
        ("term counter at its end", |r| r.version.term.counter = u64::MAX),
    ];
    for (problem, edit) in wrong {
        let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
        let from = inbound(1, &member(3, 'a'));
        let mut bad = record(3, 1, 0, ConnectorState::Up);
        assert_eq!(check_record(&bad), Ok(()));
        edit(&mut bad);
        let good = record(5, 1, 0, ConnectorState::Up);
        let acts = bench.news(&from, vec![bad, good]);
        assert_eq!(problems(&acts), [format!("record of RG3: {problem}")]);
        assert_eq!(bench.version("RG3"), "");
        assert_eq!(bench.version("RG5"), "1.1.0.0");
        assert_eq!(answer(&acts, &from), [], "it is answered all the same");
    }
}

/// LS-008, LS-012, LS-007: nothing is said of a record before it is on disk.
#[test]
fn news_is_stored_before_it_is_answered_or_passed_on() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let master = Neighbour::Master(member(1, 'b'));
    bench.link(&master, LinkChange::Up);
    let digest = bench.digest();
    bench.pdu(&master, LinkPdu::merged(digest, vec![]));
    let from = inbound(1, &member(2, 'a'));
    let news = LinkPdu::news(digest, vec![record(5, 1, 0, ConnectorState::Up)]);
    let acts = bench.raw(Input::Pdu { from: from.clone(), pdu: news });
    assert!(acts.iter().any(|act| matches!(act, Act::Write(_))));
    assert!(!acts.iter().any(|act| matches!(act, Act::Send { .. })), "{acts:?}");
    let changed = acts.iter().position(|act| *act == Act::Event(LinkEvent::TableChanged));
    assert!(changed.is_some());
    let acts = bench.sync();
    assert_eq!(sent(&acts, &from).len(), 1);
    assert!(
        matches!(&sent(&acts, &master)[..], [LinkPdu::News { records, .. }] if records.len() == 1)
    );
}

/// LS-010, LS-011: a query first; while it is outstanding, growth waits; then it goes at once.
#[test]
fn one_news_at_a_time() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let master = Neighbour::Master(member(1, 'b'));
    let acts = bench.link(&master, LinkChange::Up);
    let digest = bench.digest();
    let first = sent(&acts, &master);
    assert!(matches!(first[0], LinkPdu::Report { .. }), "MA-011");
    assert_eq!(first[1..], [LinkPdu::news(digest, vec![])]);
    let from = inbound(1, &member(2, 'a'));
    let acts = bench.news(&from, vec![record(5, 1, 0, ConnectorState::Up)]);
    assert_eq!(sent(&acts, &master), [], "one is outstanding");
    let acts = bench.news(&from, vec![record(4, 1, 0, ConnectorState::Up)]);
    assert_eq!(sent(&acts, &master), []);
    let acts = bench.pdu(&master, LinkPdu::merged(elsewhere(), vec![]));
    match &sent(&acts, &master)[..] {
        [LinkPdu::News { records, .. }] => assert_eq!(records.len(), 2),
        other => panic!("expected one News with two records, not {other:?}"),
    }
}

/// LS-014: a far end whose digest never agrees is asked once and told everything once, and no more.
#[test]
fn no_exchange_is_endless() {
    let records = vec![record(4, 1, 0, ConnectorState::Up), record(5, 1, 0, ConnectorState::Up)];
    let durable = LinkDurable { records: records.into(), term: None };
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
    let there = over("RG1-RG2", member(2, 'a'));
    assert!(opened(&bench.boot).contains(&there));
    bench.command(LinkCommand::Want(way("RG1-RG2")));
    let mut acts = bench.link(&there, LinkChange::Up);
    let mut told = Vec::new();
    while let [LinkPdu::News { records, .. }] = &sent(&acts, &there)[..] {
        told.push(records.len());
        assert!(told.len() < 10, "{told:?}");
        acts = bench.pdu(&there, LinkPdu::merged(elsewhere(), vec![]));
    }
    assert_eq!(told, [0, 2], "a query, then the whole table");
    let ready = LinkEvent::Ready { way: way("RG1-RG2"), neighbour: there };
    assert!(acts.contains(&Act::Event(ready)), "mail flows all the same");
}

/// LS-017, LS-014: a growth opens a connection at once, is told alone, and told again when the
/// connection breaks before its `Merged`; only then comes the repair.
#[test]
fn news_that_was_not_merged_is_told_again() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let there = over("RG1-RG2", member(2, 'a'));
    bench.link(&there, LinkChange::Up);
    let digest = bench.digest();
    let acts = bench.pdu(&there, LinkPdu::merged(digest, vec![]));
    assert!(closed(&acts, &there), "LS-009");
    let grown = vec![record(5, 1, 0, ConnectorState::Up)];
    let acts = bench.news(&inbound(1, &member(3, 'a')), grown.clone());
    assert_eq!(opened(&acts), core::slice::from_ref(&there), "and not RG1-RG3, where it came from");
    let acts = bench.link(&there, LinkChange::Up);
    let news = LinkPdu::news(bench.digest(), grown);
    assert_eq!(sent(&acts, &there), core::slice::from_ref(&news));
    // A second growth is told after the first one, on the same connection.
    let later = vec![record(4, 1, 0, ConnectorState::Up)];
    let acts = bench.news(&inbound(1, &member(3, 'a')), later.clone());
    assert_eq!(sent(&acts, &there), []);
    let acts = bench.pdu(&there, LinkPdu::merged(elsewhere(), vec![]));
    let second = LinkPdu::news(bench.digest(), later);
    assert_eq!(sent(&acts, &there), core::slice::from_ref(&second));
    let acts = bench.link(&there, LinkChange::Lost);
    assert_eq!(opened(&acts), core::slice::from_ref(&there), "LS-027");
    let acts = bench.link(&there, LinkChange::Up);
    assert_eq!(sent(&acts, &there), [second]);
    // The tables still differ: a query, then everything, then rest.
    let mut told = Vec::new();
    let mut acts = bench.pdu(&there, LinkPdu::merged(elsewhere(), vec![]));
    while let [LinkPdu::News { records, .. }] = &sent(&acts, &there)[..] {
        told.push(records.len());
        acts = bench.pdu(&there, LinkPdu::merged(elsewhere(), vec![]));
    }
    assert_eq!(told, [0, 2]);
    assert!(closed(&acts, &there));
}

/// LS-031: a record from far away shows another way: the connector is not persistent any more.
#[test]
fn news_of_another_way_ends_persistence() {
    let line = organization(3, &[(1, 2, 10), (2, 3, 10)]);
    let mut bench = Bench::boot(line, &member(1, 'a'), LinkDurable::default());
    let there = over("RG1-RG2", member(2, 'a'));
    bench.link(&there, LinkChange::Refused);
    for _ in 0..2 {
        bench.timer(LinkTimer::GlitchRetry("RG1-RG2".into()));
        bench.link(&there, LinkChange::Refused);
    }
    let judged = |judgement: &str| {
        let (connector, judgement) = ("RG1-RG2".into(), judgement.into());
        Act::Event(LinkEvent::Judged { connector, judgement })
    };
    bench.timer(LinkTimer::GlitchRetry("RG1-RG2".into()));
    assert!(bench.link(&there, LinkChange::Refused).contains(&judged("persistent")));
    let lead = |number: usize, to: &[&str]| {
        let mut record = record(number, 1, 0, ConnectorState::Down);
        let one = record.connectors[0].clone();
        record.connectors = to
            .iter()
            .map(|to| {
                let mut connector = one.clone();
                connector.name = format!("RG{number}-{to}").as_str().into();
                connector.to = (*to).into();
                connector
            })
            .collect();
        record
    };
    let master = Neighbour::Master(member(1, 'b'));
    bench.link(&master, LinkChange::Up);
    let acts = bench.news(&master, vec![lead(1, &["RG2", "RG3"])]);
    assert!(acts.contains(&judged("down")), "by RG3, as the configuration says of RG3");
    let acts = bench.news(&master, vec![lead(3, &["RG1"])]);
    assert!(acts.contains(&judged("persistent")), "RG3 says that it does not lead to RG2");
}

/// LS-048: a table that is longer than one NEWS may be is told in several.
#[test]
fn long_news_is_told_in_parts() {
    let records = (0..NEWS_RECORDS_LIMIT + 3).map(|n| record(1_000 + n, 1, 0, ConnectorState::Up));
    let durable = LinkDurable { records: Table::new(records), term: None };
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
    let there = over("RG1-RG2", member(2, 'a'));
    let mut acts = bench.link(&there, LinkChange::Up);
    let mut told = Vec::new();
    while let [LinkPdu::News { records, .. }] = &sent(&acts, &there)[..] {
        told.push(records.len());
        // It has nothing at all, and says so when it is told our root.
        let nothing = Node::Leaf { prefix: Prefix::ROOT, records: vec![] };
        let nodes = if told.len() == 2 { vec![nothing] } else { vec![] };
        let answer = LinkPdu::Merged { digest: elsewhere(), records: vec![], nodes };
        acts = bench.pdu(&there, answer);
    }
    assert_eq!(told, [0, 0, NEWS_RECORDS_LIMIT, 3]);
}

/// LS-005: a full table takes news of the groups that it has, and of no other.
#[test]
fn a_full_table_takes_no_new_group() {
    let records = (0..TABLE_LIMIT).map(|n| record(10_000 + n, 1, 0, ConnectorState::Up));
    let durable = LinkDurable { records: Table::new(records), term: None };
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
    let from = inbound(1, &member(2, 'a'));
    let known = record(10_000, 1, 1, ConnectorState::Up);
    let acts = bench.news(&from, vec![record(9, 1, 0, ConnectorState::Up), known]);
    assert_eq!(problems(&acts), ["record of RG9: the table is full"]);
    assert_eq!(bench.version("RG10000"), "1.1.1.0");
    assert_eq!(bench.node.machine().table().living(), TABLE_LIMIT);
}

/// LS-015, LS-016, LS-013: what is in the answers.
#[test]
fn answers_carry_what_the_other_end_lacks() {
    let records = vec![record(4, 1, 5, ConnectorState::Up), record(5, 1, 5, ConnectorState::Up)];
    let durable = LinkDurable { records: records.into(), term: None };
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
    let from = inbound(1, &member(2, 'a'));
    let acts = bench.news(&from, vec![]);
    assert_eq!(answer(&acts, &from).len(), 2, "a query is answered with everything");
    let digest = bench.digest();
    let acts = bench.pdu(&from, LinkPdu::news(digest, vec![]));
    assert_eq!(answer(&acts, &from), [], "equal digests, no records");
    let acts = bench.news(&from, vec![record(4, 1, 4, ConnectorState::Up)]);
    assert_eq!(answer(&acts, &from), [record(4, 1, 5, ConnectorState::Up)], "only what is greater");
    let acts = bench.news(&from, vec![record(4, 1, 6, ConnectorState::Up)]);
    assert_eq!(answer(&acts, &from), [], "it has nothing greater than that");
    // News for RG2 from elsewhere is owed to RG2, and so it is in the answer.
    bench.news(&inbound(3, &member(3, 'a')), vec![record(5, 1, 6, ConnectorState::Down)]);
    let acts = bench.news(&from, vec![record(4, 1, 7, ConnectorState::Up)]);
    assert_eq!(answer(&acts, &from), [record(5, 1, 6, ConnectorState::Down)]);
}

/// LS-045: a table covers what it has grown from, and nothing that it has not seen.
#[test]
fn a_table_covers_what_it_has_seen() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let from = inbound(1, &member(2, 'a'));
    let empty = bench.node.machine().versions();
    bench.news(&from, vec![record(4, 1, 5, ConnectorState::Up)]);
    bench.timer(LinkTimer::Schedule(ScheduleTimer::Compute));
    let present = bench.node.machine().versions();
    let mut later = present.clone();
    let key = record(4, 1, 5, ConnectorState::Up).key();
    later.get_mut(&key).expect("it was merged").minor = 6;
    let mut wider = present.clone();
    wider.insert(record(5, 1, 5, ConnectorState::Up).key(), present[&key].clone());
    let covered = [&empty, &present, &later, &wider].map(|v| bench.node.machine().covers(v));
    assert_eq!(covered, [true, true, false, false]);
    bench.news(&from, vec![record(4, 1, 6, ConnectorState::Up)]);
    assert!(bench.node.machine().covers(&later) && bench.node.machine().covers(&present));
}

/// LS-046: mail is refused on an inbound connection until its first news is answered.
#[test]
fn inbound_mail_waits_for_news() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let (from, other) = (inbound(1, &member(2, 'a')), inbound(3, &member(2, 'a')));
    bench.link(&from, LinkChange::Up);
    assert!(!bench.node.machine().may_offer(&from));
    bench.news(&from, vec![]);
    assert!(bench.node.machine().may_offer(&from));
    assert!(!bench.node.machine().may_offer(&other));
    bench.link(&from, LinkChange::Closed);
    assert!(!bench.node.machine().may_offer(&from));
}

/// LS-020, LS-021: every target is tried, in order; only when all have failed has the attempt.
#[test]
fn targets_are_tried_in_turn() {
    let mut bench = Bench::boot(wide(), &member(1, 'a'), LinkDurable::default());
    let retry = LinkTimer::GlitchRetry("RG1-RG2".into());
    let (first, second) = (over("RG1-RG2", member(2, 'b')), over("RG1-RG2", member(2, 'a')));
    assert!(opened(&bench.boot).contains(&first));
    bench.command(LinkCommand::Want(way("RG1-RG2")));
    let acts = bench.link(&first, LinkChange::TimedOut);
    assert_eq!(opened(&acts), core::slice::from_ref(&second));
    assert!(!bench.node.armed().contains(&retry));
    // Open is not enough: it must merge.
    bench.link(&second, LinkChange::Up);
    let acts = bench.link(&second, LinkChange::Lost);
    assert_eq!(armed(&acts, &retry), [Span::seconds(60)]);
    assert!(acts.contains(&Act::Event(LinkEvent::Failed { way: way("RG1-RG2") })));
    // LS-026: no mail hastens it.
    assert_eq!(opened(&bench.command(LinkCommand::Want(way("RG1-RG2")))), []);
    let acts = bench.timer(retry.clone());
    assert_eq!(opened(&acts), core::slice::from_ref(&first), "from the first target again");
    // LS-025: and one success is enough.
    bench.link(&first, LinkChange::Refused);
    bench.link(&second, LinkChange::Up);
    let digest = bench.digest();
    let acts = bench.pdu(&second, LinkPdu::merged(digest, vec![]));
    let up = LinkEvent::Judged { connector: "RG1-RG2".into(), judgement: "up".into() };
    assert!(acts.contains(&Act::Event(up)));
    assert!(acts.contains(&Act::Disarm(retry)));
    assert!(bench.node.machine().may_offer(&second));
}

/// LS-022, LS-023, LS-024: attempts that take long do not move the later ones, and none is doubled.
#[test]
fn slow_attempts_keep_the_pace() {
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
    let there = over("RG2-RG4", member(4, 'a'));
    let retry = LinkTimer::GlitchRetry("RG2-RG4".into());
    let probe = LinkTimer::Probe("RG2-RG4".into());
    bench.link(&there, LinkChange::TimedOut);
    for _ in 0..2 {
        let acts = bench.timer(retry.clone());
        assert_eq!(armed(&acts, &retry), [Span::seconds(60)], "counted from the start");
        // It is still running when the next one is due.
        let acts = bench.timer(retry.clone());
        assert_eq!((opened(&acts), armed(&acts, &retry)), (vec![], vec![Span::seconds(60)]));
        bench.link(&there, LinkChange::TimedOut);
    }
    let acts = bench.timer(retry);
    assert_eq!(armed(&acts, &probe), [Span::seconds(60)], "the third retry");
    let acts = bench.link(&there, LinkChange::TimedOut);
    let down = LinkEvent::Judged { connector: "RG2-RG4".into(), judgement: "down".into() };
    assert!(acts.contains(&Act::Event(down)));
    for _ in 0..3 {
        let acts = bench.timer(probe.clone());
        assert_eq!((opened(&acts).len(), armed(&acts, &probe)), (1, vec![Span::seconds(60)]));
        bench.link(&there, LinkChange::Refused);
    }
}

/// LS-028, LS-009: a member of the own group; it is called while mail wants it, and no longer.
#[test]
fn a_member_is_called_while_mail_wants_it() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let other = Way::Member(member(1, 'b'));
    let there = Neighbour::Member(member(1, 'b'));
    assert_eq!(
        opened(&bench.command(LinkCommand::Want(other.clone()))),
        core::slice::from_ref(&there)
    );
    let again = LinkTimer::Reopen(other.clone());
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        let acts = bench.link(&there, LinkChange::Refused);
        assert_eq!(armed(&acts, &again), [Span::seconds(wait)]);
        assert!(acts.contains(&Act::Event(LinkEvent::Failed { way: other.clone() })));
        assert_eq!(opened(&bench.timer(again.clone())), core::slice::from_ref(&there));
    }
    let acts = bench.link(&there, LinkChange::Up);
    assert!(!acts.iter().any(|act| matches!(act, Act::Event(LinkEvent::Ready { .. }))), "LS-019");
    let digest = bench.digest();
    let acts = bench.pdu(&there, LinkPdu::merged(digest, vec![]));
    let ready = LinkEvent::Ready { way: other.clone(), neighbour: there.clone() };
    assert!(acts.contains(&Act::Event(ready.clone())));
    let acts = bench.command(LinkCommand::Want(other.clone()));
    assert!(acts.contains(&Act::Event(ready)), "each want has its answer");
    let acts = bench.command(LinkCommand::Done(other));
    assert!(closed(&acts, &there));
    assert_eq!(opened(&acts), []);
}

/// A way that does not exist is refused at once.
#[test]
fn impossible_ways_fail() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    for way in [way("RG2-RG4"), Way::Member(member(2, 'a')), Way::Member(member(1, 'a'))] {
        let acts = bench.command(LinkCommand::Want(way.clone()));
        assert_eq!(acts, [Act::Event(LinkEvent::Failed { way })]);
    }
}

/// Whoever breaks the protocol is named, and nothing else happens.
#[test]
fn violations_are_named() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let (master, from) = (Neighbour::Master(member(1, 'b')), inbound(1, &member(2, 'a')));
    let there = over("RG1-RG2", member(2, 'a'));
    let merged = LinkPdu::merged(elsewhere(), vec![]);
    let term = Term { counter: 1, member: member(1, 'b'), nonce: 1 };
    let report = LinkPdu::Report { states: vec![] };
    let early = bench.pdu(&master, merged.clone());
    assert_eq!(problems(&early), ["spoke on a connection that is not open"]);
    bench.link(&there, LinkChange::Up);
    let cases = [
        (&from, merged, "Merged without News"),
        (&from, report, "Report to a member that is not its master"),
        (&from, LinkPdu::Reported { term }, "Reported without Report"),
        (
            &there,
            LinkPdu::news(elsewhere(), vec![record(5, 1, 0, ConnectorState::Up)]),
            "News where it may only answer",
        ),
    ];
    for (peer, pdu, problem) in cases {
        let acts = bench.pdu(peer, pdu);
        assert_eq!(problems(&acts), [problem]);
        assert_eq!(acts.len(), 1);
    }
    assert_eq!(bench.node.machine().records().count(), 0);
    // MA-012: it is not the master.
    let stray = Neighbour::Attached(member(1, 'b'));
    assert!(closed(&bench.link(&stray, LinkChange::Up), &stray));
}

/// The table for people.
#[test]
fn rows_show_the_table() {
    let mut bench = Bench::boot(figure_3_14(), &member(5, 'b'), LinkDurable::default());
    bench.sync();
    let mut bare = record(1, 1, 10, ConnectorState::Up);
    bare.connectors.clear();
    bench.news(&inbound(1, &member(4, 'a')), vec![bare]);
    let rows = bench.node.machine().rows();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].group.as_str(), rows[0].version.as_str()), ("RG1", "1.1.a.0"));
    assert_eq!(rows[0].connector, None);
    let own = rows[1].connector.as_ref().expect("RG5 has a connector");
    assert_eq!((own.name.as_str(), own.cost, own.judgement), ("RG5-RG4", 10, None));
    assert_eq!(rows[1].digest.len(), 8);
    let bridgehead = Bench::boot(figure_3_14(), &member(5, 'a'), bench_durable(&bench));
    let rows = bridgehead.node.machine().rows();
    let judged = rows[1].connector.as_ref().and_then(|c| c.judgement).map(|j| j.as_str());
    assert_eq!(judged, Some("up"));
}

fn bench_durable(bench: &Bench) -> LinkDurable {
    LinkDurable { records: bench.node.machine().table().clone(), term: None }
}
