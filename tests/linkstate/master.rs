//! The manual master and its members, step by step.

use crate::bench::*;
use crate::network::{figure_3_14, member};
use bridgehead::kernel::{Act, Input, LinkChange, Machine as _, Span};
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkDurable, LinkEvent, LinkPdu, LinkState, LinkTimer, Neighbour, SourceState,
    Term, record_digest,
};

/// MA-013: a change is reported at once, and answered; while the master is away it waits for the
/// report that begins the next connection.
#[test]
fn a_change_is_reported_at_once() {
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
    let (master, there) = (Neighbour::Master(member(2, 'b')), over("RG2-RG4", member(4, 'a')));
    bench.link(&master, LinkChange::Up);
    bench.link(&there, LinkChange::Refused);
    for _ in 0..3 {
        bench.timer(LinkTimer::GlitchRetry("RG2-RG4".into()));
        let acts = bench.link(&there, LinkChange::Refused);
        let is_last = bench.node.armed().contains(&LinkTimer::Probe("RG2-RG4".into()));
        let down = SourceState::Down;
        // MA-025: of the other one nothing is known.
        let states = vec![("RG2-RG4".into(), down)];
        let expected = if is_last { vec![LinkPdu::Report { states }] } else { vec![] };
        assert_eq!(sent(&acts, &master), expected);
    }
    let term = Term { counter: 1, member: member(2, 'b'), nonce: 1 };
    for _ in 0..2 {
        let acts = bench.pdu(&master, LinkPdu::Reported { term: term.clone() });
        assert_eq!(problems(&acts), [""; 0], "two reports, two answers");
    }
    let acts = bench.pdu(&master, LinkPdu::Reported { term });
    assert_eq!(problems(&acts), ["Reported without Report"]);
    bench.link(&master, LinkChange::Lost);
    bench.timer(LinkTimer::Probe("RG2-RG4".into()));
    bench.link(&there, LinkChange::Up);
    let digest = bench.digest();
    let acts = bench.pdu(&there, LinkPdu::merged(digest, vec![]));
    assert_eq!(sent(&acts, &master), []);
    bench.timer(LinkTimer::Reattach);
    let acts = bench.link(&master, LinkChange::Up);
    let up = SourceState::Up;
    let states = vec![("RG2-RG4".into(), up)];
    assert_eq!(sent(&acts, &master)[0], LinkPdu::Report { states });
}

/// MA-010: 1 s, doubling to 60 s, until the first exchange is merged.
#[test]
fn the_master_is_called_again() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let master = Neighbour::Master(member(1, 'b'));
    assert!(opened(&bench.boot).contains(&master));
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        // That it opens is not enough.
        bench.link(&master, LinkChange::Up);
        let acts = bench.link(&master, LinkChange::Lost);
        assert_eq!(armed(&acts, &LinkTimer::Reattach), [Span::seconds(wait)]);
        assert_eq!(opened(&bench.timer(LinkTimer::Reattach)), core::slice::from_ref(&master));
    }
    bench.link(&master, LinkChange::Up);
    let digest = bench.digest();
    bench.pdu(&master, LinkPdu::merged(digest, vec![]));
    let acts = bench.link(&master, LinkChange::Closed);
    assert_eq!(armed(&acts, &LinkTimer::Reattach), [Span::seconds(1)]);
}

/// MA-004, MA-008, MA-014, MA-015, LS-103, LS-104: UP while any source says so, and who does not say so stands beside
/// it; the answer waits for the disk.
#[test]
fn the_master_joins_what_the_sources_say() {
    let mut wide = wide();
    wide.connectors[0].sources = vec![member(1, 'a'), member(1, 'c')];
    wide.groups[0].members.push(member(1, 'c'));
    let mut bench = Bench::boot(wide, &member(1, 'b'), LinkDurable::default());
    bench.sync();
    assert_eq!(bench.version("RG1"), "1.1.0.0", "MA-005");
    let (a, c) = (Neighbour::Attached(member(1, 'a')), Neighbour::Attached(member(1, 'c')));
    bench.link(&a, LinkChange::Up);
    bench.link(&c, LinkChange::Up);
    let report = |state: SourceState| LinkPdu::Report { states: vec![("RG1-RG2".into(), state)] };
    let mut versions = Vec::new();
    let mut unavailable = Vec::new();
    let (up, down, held) = (SourceState::Up, SourceState::Down, SourceState::Held);
    let said = [(&a, down), (&c, up), (&c, down), (&c, down), (&c, held), (&a, held), (&a, up)];
    for (from, state) in said {
        let acts = bench.raw(Input::Pdu { from: from.clone(), pdu: report(state) });
        let is_durable = !acts.iter().any(|act| matches!(act, Act::Write(_)));
        assert_eq!(sent(&acts, from).len(), usize::from(is_durable), "MA-015");
        bench.sync();
        versions.push(bench.version("RG1"));
        let connector = bench.first().connectors[0].clone();
        unavailable.push((connector.state, connector.unavailable));
    }
    // a DOWN, c unheard: UP as known; both: DOWN, once; one holds it, or both; one UP again: UP.
    let minors = versions.iter().map(|version| version.split('.').nth(2).unwrap());
    assert_eq!(minors.collect::<String>(), "1122334");
    let (all, none) = ((ConnectorState::Up, vec![]), (ConnectorState::Down, vec![]));
    let without = |letter| (ConnectorState::Up, vec![member(1, letter)]);
    let (no_a, no_c) = (without('a'), without('c'));
    assert_eq!(unavailable, [&no_a, &no_a, &none, &none, &all, &all, &no_c].map(Clone::clone));
    let stranger = LinkPdu::Report { states: vec![("RG2-RG1".into(), down)] };
    let acts = bench.pdu(&a, stranger);
    assert_eq!(problems(&acts), ["reports RG2-RG1, which it does not carry"]);
    assert_eq!(bench.version("RG1"), "1.1.4.0");
}

/// LS-002, MA-009, MA-003, MA-006: how a master answers what others write in its name.
#[test]
fn the_owner_outbids() {
    let mut bench = Bench::boot(figure_3_14(), &member(5, 'b'), LinkDurable::default());
    bench.sync();
    let own = bench.first();
    let from = inbound(1, &member(4, 'a'));
    let conflict = Act::Event(LinkEvent::Conflict { group: "RG5".into() });
    // The same version with another content, whichever digest is the greater one.
    let mut forged = own.clone();
    let mut outcomes = std::collections::BTreeSet::new();
    for cost in 11..=40 {
        let present = bench.first();
        forged = present.clone();
        forged.connectors[0].cost = cost;
        outcomes.insert(record_digest(&forged) > record_digest(&present));
        let acts = bench.news(&from, vec![forged.clone()]);
        assert!(acts.contains(&conflict));
        let next = bench.first();
        assert_eq!(next.version.minor, present.version.minor + 1);
        assert_eq!(next.connectors, own.connectors);
    }
    assert_eq!(outcomes.len(), 2, "both have come up");
    forged.version.minor = 77;
    bench.news(&from, vec![forged.clone()]);
    assert_eq!(bench.version("RG5"), "1.1.4e.0", "a later version of another content");
    forged.version.term = Term { counter: 4, member: "someone".into(), nonce: 1 };
    bench.news(&from, vec![forged.clone()]);
    assert_eq!(bench.version("RG5"), "5.1.0.0", "a greater term");
    forged.version.term.counter = 5;
    forged.version.minor = u32::MAX;
    bench.news(&from, vec![forged.clone()]);
    assert_eq!(bench.version("RG5"), "6.1.0.0", "a minor number at its end");
    assert_eq!(bench.first().connectors, own.connectors);
    forged.version.term.counter = 9;
    forged.version.major = 2;
    let acts = bench.news(&from, vec![forged]);
    assert!(acts.contains(&conflict));
    assert_eq!(bench.version("RG5"), "9.2.ffffffff.0", "MA-006: another configuration is in force");
}

/// LS-017: a group is not told what it has written, but what somebody else has made of it.
#[test]
fn a_group_hears_of_another_content_of_its_record() {
    let mut bench = Bench::boot(figure_3_14(), &member(4, 'a'), LinkDurable::default());
    bench.sync();
    let there = over("RG4-RG5", member(5, 'a'));
    bench.link(&there, LinkChange::Refused);
    let from = inbound(1, &member(2, 'a'));
    let own = record(5, 1, 0, ConnectorState::Up);
    bench.news(&from, vec![own.clone()]);
    let mut forged = own.clone();
    while record_digest(&forged) <= record_digest(&own) {
        forged.connectors[0].cost += 1;
    }
    bench.news(&from, vec![forged.clone()]);
    bench.timer(LinkTimer::GlitchRetry("RG4-RG5".into()));
    let acts = bench.link(&there, LinkChange::Up);
    let told: Vec<_> = sent(&acts, &there)
        .into_iter()
        .filter_map(
            |pdu| if let LinkPdu::News { records, .. } = pdu { Some(records) } else { None },
        )
        .flatten()
        .filter(|record| record.group == own.group)
        .collect();
    assert_eq!(told, [forged.into()]);
}

/// MA-002, MA-005, MA-007: a restart keeps the term, and publishes nothing when nothing is new.
#[test]
fn a_restart_publishes_only_what_is_new() {
    let mut bench = Bench::boot(figure_3_14(), &member(5, 'b'), LinkDurable::default());
    for act in &bench.boot {
        if let Act::Write(change) = act {
            LinkState::apply(&mut bench.durable, change);
        }
    }
    assert_eq!(bench.durable.records.living(), 1);
    let term = bench.durable.term.clone().expect("a term is stored");
    assert_eq!((term.counter, &term.member), (1, &member(5, 'b')));
    let again = Bench::boot(figure_3_14(), &member(5, 'b'), bench.durable.clone());
    assert!(!again.boot.iter().any(|act| matches!(act, Act::Write(_))), "{:?}", again.boot);
    let mut next = figure_3_14();
    next.revision = 2;
    let edited = Bench::boot(next, &member(5, 'b'), bench.durable.clone());
    assert_eq!(edited.version("RG5"), "1.2.0.0");
    // MA-001: a member that is not the master writes nothing of its own.
    let other = Bench::boot(figure_3_14(), &member(5, 'a'), LinkDurable::default());
    assert!(!other.boot.iter().any(|act| matches!(act, Act::Write(_))));
}
