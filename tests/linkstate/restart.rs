//! Restarts, lost disks, and two masters.

use crate::bench::*;
use crate::network::{Network, figure_3_14, member, organization};
use bridgehead::kernel::{Act, LinkChange, Span, Time};
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, LinkDurable, LinkEvent, LinkPdu, LinkTimer, Neighbour,
    SourceState, Way,
};
use bridgehead::protocol::master::{OUTBID_LIMIT, OUTBID_WINDOW};
use bridgehead::protocol::organization::Organization;

const RING: [(usize, usize, u32); 6] =
    [(1, 2, 10), (2, 3, 10), (3, 4, 10), (4, 5, 10), (5, 6, 10), (6, 1, 10)];

/// A ring of six groups with one link that is DOWN in both directions.
fn broken_ring() -> Network {
    let mut network = Network::new(organization(6, &RING));
    network.run_for(Span::minutes(2));
    network.cut("RG1", "RG2");
    network.command(&member(1, 'a'), LinkCommand::Want(way("RG1-RG2")));
    network.command(&member(2, 'a'), LinkCommand::Want(way("RG2-RG1")));
    network.run_for(Span::minutes(4));
    assert_eq!(network.state(&member(5, 'b'), "RG1-RG2"), ConnectorState::Down);
    network
}

/// LS-006, LS-029, LS-047, MA-002: all members of a ring restart at once. Only digests travel, no master
/// begins a term, and what was DOWN is DOWN at every moment, and probed.
#[test]
fn a_ring_restarts_at_once() {
    let mut network = broken_ring();
    let (members, before) = (network.running(), network.agreed().clone());
    members.iter().for_each(|member| network.crash(member));
    let since = network.now;
    members.iter().for_each(|member| network.boot(member));
    for _ in 0..30 {
        network.run_for(Span::seconds(1));
        assert_eq!(*network.agreed(), before);
    }
    assert_eq!(network.records_told(since), 0, "they have it all on their disks");
    network.heal("RG1", "RG2");
    network.run_for(Span::seconds(61));
    assert_eq!(network.state(&member(5, 'b'), "RG1-RG2"), ConnectorState::Up, "it was probed");
}

/// MA-024, MA-025: the same with all disks lost: everything is learnt anew, and the broken link found.
#[test]
fn a_ring_begins_anew() {
    let mut network = broken_ring();
    let members = network.running();
    members.iter().for_each(|member| network.crash(member));
    members.iter().for_each(|member| network.lose_disk(member));
    members.iter().for_each(|member| network.boot(member));
    network.run_for(Span::minutes(5));
    let table = network.agreed().clone();
    assert_eq!(table.living(), 6);
    assert_eq!(network.state(&member(5, 'b'), "RG1-RG2"), ConnectorState::Down);
}

/// RG2 with a third member `c`, which alone carries RG2-RG4.
fn three_members() -> Organization {
    let mut organization = figure_3_14();
    organization.groups[1].members.push(member(2, 'c'));
    let connector = organization.connectors.iter_mut().find(|c| c.name.as_str() == "RG2-RG4");
    connector.expect("it is there").sources = vec![member(2, 'c')];
    assert_eq!(organization.check(), []);
    organization
}

/// The master of RG2 loses its disk while the bridgehead that has found RG2-RG4 broken is away; the
/// states of RG2-RG4 that other members then have, one after the other.
fn a_master_loses_its_disk(faults: &[&str]) -> Vec<ConnectorState> {
    let mut network = Network::new(three_members());
    network.plant(faults);
    network.run_for(Span::minutes(2));
    network.cut("RG2", "RG4");
    network.command(&member(2, 'c'), LinkCommand::Want(way("RG2-RG4")));
    network.run_for(Span::minutes(4));
    network.crash(&member(2, 'c'));
    network.crash(&member(2, 'b'));
    network.lose_disk(&member(2, 'b'));
    let since = network.now;
    network.boot(&member(2, 'b'));
    let mut states = vec![ConnectorState::Down];
    for _ in 0..600 {
        network.run_for(Span::milliseconds(500));
        for member in network.running().iter().filter(|name| **name != member(2, 'b')) {
            let state = network.state(member, "RG2-RG4");
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
    }
    if faults.is_empty() {
        assert_eq!(network.versions_that_left("RG2", since).len(), 0, "it says nothing new");
    }
    network.boot(&member(2, 'c'));
    network.run_for(Span::minutes(2));
    network.agreed();
    states
}

/// MA-024, MA-004: it learns what its group has said before it is believed.
#[test]
fn a_master_with_an_empty_disk_learns_first() {
    assert_eq!(a_master_loses_its_disk(&[]), [ConnectorState::Down]);
    let states = a_master_loses_its_disk(&["first-term-outbids"]);
    assert!(states.contains(&ConnectorState::Up), "it takes back what it does not know");
}

/// The bridgehead of a broken connector loses its disk; how many versions leave its group, and whether the
/// connector was ever UP elsewhere.
fn a_bridgehead_loses_its_disk(faults: &[&str]) -> (usize, bool) {
    let mut network = Network::new(figure_3_14());
    network.plant(faults);
    network.run_for(Span::minutes(2));
    network.cut("RG2", "RG4");
    network.command(&member(2, 'a'), LinkCommand::Want(way("RG2-RG4")));
    network.run_for(Span::minutes(4));
    network.crash(&member(2, 'a'));
    network.lose_disk(&member(2, 'a'));
    let (since, mut was_up) = (network.now, false);
    network.boot(&member(2, 'a'));
    for _ in 0..600 {
        network.run_for(Span::seconds(1));
        was_up |= network.state(&member(2, 'b'), "RG2-RG4") == ConnectorState::Up;
    }
    let versions = network.versions_that_left("RG2", since).len();
    network.heal("RG2", "RG4");
    network.run_for(Span::seconds(65));
    network.agreed();
    assert_eq!(network.state(&member(1, 'a'), "RG2-RG4"), ConnectorState::Up);
    (versions, was_up)
}

/// MA-025: who knows nothing of its connector does not say that it is UP.
#[test]
fn a_bridgehead_with_an_empty_disk_learns_first() {
    assert_eq!(a_bridgehead_loses_its_disk(&[]), (0, false));
    assert_eq!(a_bridgehead_loses_its_disk(&["unknown-is-up"]), (2, true));
}

/// MA-011, MA-025: a report has what is known: of a table, or of an attempt that succeeded.
#[test]
fn a_report_has_what_is_known() {
    let master = Neighbour::Master(member(2, 'b'));
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
    let report = |names: &[&str]| {
        let states = names.iter().map(|name| ((*name).into(), SourceState::Up));
        LinkPdu::Report { states: states.collect() }
    };
    let acts = bench.link(&master, LinkChange::Up);
    assert_eq!(sent(&acts, &master)[0], report(&[]));
    let (digest, there) = (bench.digest(), over("RG2-RG1", member(1, 'a')));
    bench.link(&over("RG2-RG4", member(4, 'a')), LinkChange::Refused);
    bench.link(&there, LinkChange::Up);
    let acts = bench.pdu(&there, LinkPdu::merged(digest, vec![]));
    assert_eq!(sent(&acts, &master), [report(&["RG2-RG1"])]);
    let mut known = record(2, 1, 0, ConnectorState::Up);
    known.connectors[0].name = "RG2-RG4".into();
    let durable = LinkDurable { records: vec![known].into(), ..LinkDurable::default() };
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), durable);
    let acts = bench.link(&master, LinkChange::Up);
    assert_eq!(sent(&acts, &master)[0], report(&["RG2-RG4"]));
}

/// RG2 has two masters for an hour, `a` by a file of this revision; mail passes between the two, so that
/// each hears at once what the other publishes. How many versions each of them wrote.
fn two_masters(revision: u32, span: Span, faults: &[&str]) -> usize {
    let mut network = Network::new(figure_3_14());
    network.plant(faults);
    network.run_for(Span::minutes(2));
    let since = network.now;
    let mut other = figure_3_14();
    other.revision = revision;
    other.groups[1].master = Some(member(2, 'a'));
    network.configure(&member(2, 'a'), other.clone());
    network.command(&member(2, 'a'), LinkCommand::Want(Way::Member(member(2, 'b'))));
    network.run_for(span);
    let versions = network.versions_that_left("RG2", since).len();
    if faults.is_empty() {
        // Who speaks for the newer file, or spoke first for this one, is followed; the other one says so.
        let gives_way = member(2, if revision > 1 { 'b' } else { 'a' });
        let is_alarm = |event: &LinkEvent| matches!(event, LinkEvent::Superseded { .. });
        assert!(network.events(&gives_way).iter().any(|(_, event)| is_alarm(event)));
        // The files agree again: one master, and one table.
        other.revision = revision + 1;
        for member in network.running() {
            network.configure(&member, other.clone());
        }
        network.run_for(Span::minutes(20));
        let record = network.agreed().get(&"RG2".into()).unwrap().clone();
        assert_eq!(record.version.term.member, member(2, 'a'));
        assert_eq!(record.version.major, revision + 1);
    }
    versions
}

/// MA-006, MA-070, MA-074: with different revisions the greater one speaks; with one revision the one whose
/// term is greater. Neither outbids the other.
#[test]
fn two_masters_make_no_storm() {
    assert_eq!(two_masters(2, Span::hours(1), &[]), 1);
    assert_eq!(two_masters(1, Span::hours(1), &[]), 0);
    let hour = two_masters(1, Span::hours(1), &["records-appoint-nobody"]);
    assert!((2..=40).contains(&hour), "MA-026: {hour} versions in an hour");
    // LS-235: the other one listens for 30 s first.
    let second = two_masters(1, Span::seconds(31), &["records-appoint-nobody", "outbids-for-ever"]);
    assert!(second > 40, "{second} versions in a second");
}

/// MA-026: the fourth term of somebody else within the window is not outbid before the window ends.
#[test]
fn outbidding_has_a_limit() {
    let mut bench = Bench::boot(figure_3_14(), &member(5, 'b'), LinkDurable::default());
    bench.sync();
    let from = inbound(1, &member(4, 'a'));
    let mut forged = bench.first();
    forged.version.term.member = "somebody".into();
    let alarm = Act::Event(LinkEvent::Conflict { group: "RG5".into() });
    for counter in 0..OUTBID_LIMIT {
        forged.version.term.counter = 10 * (u64::from(counter) + 1);
        let acts = bench.news(&from, vec![forged.clone()]);
        assert!(acts.contains(&alarm));
        let expected = if counter == 0 { vec![OUTBID_WINDOW] } else { vec![] };
        assert_eq!(armed(&acts, &LinkTimer::Outbid), expected);
        assert_eq!(bench.version("RG5"), format!("{}.1.0.0", forged.version.term.counter + 1));
    }
    forged.version.term.counter = 100;
    let acts = bench.news(&from, vec![forged]);
    assert!(acts.contains(&alarm));
    assert_eq!(bench.version("RG5"), "100.1.0.0", "it waits");
    bench.timer(LinkTimer::Outbid);
    assert_eq!(bench.version("RG5"), "101.1.0.0");
    // Its own records of another time, as after a lost disk, are outbid as often as they come.
    let mut own = bench.first();
    for counter in 0..10 {
        own.version.term.counter = 200 + 10 * counter;
        bench.news(&from, vec![own.clone()]);
        assert_eq!(bench.version("RG5"), format!("{}.1.0.0", own.version.term.counter + 1));
    }
    assert_eq!(bench.now, Time(0));
}
