//! A master that was named or elected in the place of another one, and that is behind.

use crate::network::{Network, member, organization};
use bridgehead::kernel::Span;
use bridgehead::protocol::linkstate::{
    COLLECT_LIMIT, ConnectorState, LinkCommand, Neighbour, Term, Way,
};
use bridgehead::protocol::organization::{BackEnd, ElectionSettings, Organization};
use bridgehead::wire::ids::MemberName;

/// A triangle; in the first group `a` carries the connectors, `b` is the master, `c` and `d` are there.
fn triangle() -> Organization {
    let mut organization = organization(3, &[(1, 2, 10), (1, 3, 10), (2, 3, 10)]);
    organization.groups[0].members.extend([member(1, 'c'), member(1, 'd')]);
    organization
}

/// `c` sleeps while RG1-RG2 breaks; then `a` and `b` are gone, and `c` is the master.
fn succeeded(faults: &[&str]) -> Network {
    let (a, b, c) = (member(1, 'a'), member(1, 'b'), member(1, 'c'));
    let mut network = Network::new(triangle());
    network.run_for(Span::seconds(100));
    network.plant(faults);
    network.crash(&c);
    network.cut("RG1", "RG2");
    network.command(&a, LinkCommand::Want(Way::Connector("RG1-RG2".into())));
    network.run_for(Span::minutes(4));
    assert_eq!(network.state(&member(1, 'd'), "RG1-RG2"), ConnectorState::Down);
    network.crash(&a);
    network.crash(&b);
    let mut renamed = triangle();
    renamed.revision = 2;
    renamed.groups[0].master = Some(c.clone());
    for site in [a, b, c.clone()].into_iter().chain(network.running()) {
        network.configure(&site, renamed.clone());
    }
    network.boot(&c);
    network
}

/// LS-235: what others have heard of the connectors of a bridgehead that is away stands; and the reports are answered.
#[test]
fn a_new_master_does_not_bury_what_it_has_not_heard() {
    let state = |faults: &[&str]| {
        let mut network = succeeded(faults);
        let (c, d) = (member(1, 'c'), member(1, 'd'));
        assert_eq!(network.state(&c, "RG1-RG2"), ConnectorState::Up, "it is behind");
        // `a` and `b` stay away.
        network.run_until(network.now + COLLECT_LIMIT + Span::seconds(90));
        let record = network.machine(&d).table().get(&"RG1".into()).cloned().expect("a record");
        assert_eq!((&record.version.term.member, record.version.major), (&c, 2));
        assert!(network.open_connections(&d).contains(&Neighbour::Master(c)), "it was answered");
        network.state(&d, "RG1-RG2")
    };
    assert_eq!(state(&[]), ConnectorState::Down);
    assert_eq!(state(&["new-master-asks-nobody"]), ConnectorState::Up);
}

/// LS-235: with all its members there it does not wait for the 30 s, and the first record has what they report.
#[test]
fn a_new_master_speaks_when_all_have_spoken() {
    let mut network = succeeded(&[]);
    let begun = network.now;
    for letter in ['a', 'b'] {
        network.boot(&member(1, letter));
    }
    let c = member(1, 'c');
    let is_published = |network: &Network| {
        let table = network.machine(&c).table();
        table.get(&"RG1".into()).is_some_and(|record| record.version.major == 2)
    };
    while !is_published(&network) {
        assert_ne!(network.now, begun + COLLECT_LIMIT, "everybody is there");
        network.run_for(Span::milliseconds(1));
    }
    assert_eq!(network.state(&c, "RG1-RG2"), ConnectorState::Down);
    network.run_for(Span::minutes(2));
    let version = network.agreed().get(&"RG1".into()).unwrap().version.clone();
    assert_eq!((version.major, version.minor), (2, 0), "nothing had to be put right");
}

/// The triangle, whose first group elects.
fn electing(lease_s: u32) -> Organization {
    let mut organization = triangle();
    let group = &mut organization.groups[0];
    group.master = None;
    let voters = vec![member(1, 'b'), member(1, 'c'), member(1, 'd')];
    let clock_drift_ppm = 50_000;
    let back_end = BackEnd::Embedded;
    group.election =
        Some(ElectionSettings { back_end, voters, witness: None, lease_s, clock_drift_ppm });
    organization
}

/// Tells one member that this one was elected.
fn elect(network: &mut Network, counter: u64, master: char, told: &MemberName) {
    let term = Term { counter, member: member(1, master), nonce: 1 };
    network.command(told, LinkCommand::Elected(term));
}

/// `c` sleeps while RG1-RG2 breaks; then `a` and the master `b` are gone, for so long that nobody calls them
/// often any more, and `c` is elected. Nobody has told `d` yet.
fn elected(lease_s: u32) -> Network {
    let (a, b, c, d) = (member(1, 'a'), member(1, 'b'), member(1, 'c'), member(1, 'd'));
    let mut network = Network::new(electing(lease_s));
    // The master leads before it says so.
    for told in [&b, &a, &c, &d] {
        elect(&mut network, 1, 'b', told);
    }
    network.run_for(Span::seconds(100));
    network.crash(&c);
    network.cut("RG1", "RG2");
    network.command(&a, LinkCommand::Want(Way::Connector("RG1-RG2".into())));
    network.run_for(Span::minutes(4));
    assert_eq!(network.state(&d, "RG1-RG2"), ConnectorState::Down);
    network.crash(&a);
    network.crash(&b);
    network.run_for(Span::seconds(100));
    network.boot(&c);
    assert_eq!(network.state(&c, "RG1-RG2"), ConnectorState::Up, "it is behind");
    elect(&mut network, 2, 'c', &c);
    network
}

/// How long it takes until `c` has published; in what state RG1-RG2 is by then.
fn first_record(network: &mut Network) -> (Span, ConnectorState) {
    let (begun, c) = (network.now, member(1, 'c'));
    let is_published = |network: &Network| {
        let record = network.machine(&c).table().get(&"RG1".into()).expect("a record");
        record.version.term.member == c
    };
    while !is_published(network) {
        assert!(network.now.since(begun) <= COLLECT_LIMIT, "never");
        network.run_for(Span(100));
    }
    (network.now.since(begun), network.state(&c, "RG1-RG2"))
}

/// LS-235, MA-010: who is there attaches at once, and an elected master waits no longer for those who are away.
#[test]
fn an_elected_master_waits_for_who_is_away_as_long_as_for_a_lease() {
    for lease_s in [1, 5, 29] {
        let mut network = elected(lease_s);
        elect(&mut network, 2, 'c', &member(1, 'd'));
        let lease = Span::seconds(lease_s.into());
        assert_eq!(first_record(&mut network), (lease, ConnectorState::Down), "{lease_s} s");
    }
    for lease_s in [30, 300] {
        let mut network = elected(lease_s);
        elect(&mut network, 2, 'c', &member(1, 'd'));
        assert_eq!(
            first_record(&mut network),
            (COLLECT_LIMIT, ConnectorState::Down),
            "{lease_s} s"
        );
    }
}

/// LS-235: whoever is attached when the lease is over is heard, however late it came; unless it goes again.
#[test]
fn an_elected_master_hears_whoever_is_attached() {
    let (lease, d) = (Span::seconds(5), member(1, 'd'));
    let late = || {
        let mut network = elected(5);
        let attached = Span(lease.0 - Span::milliseconds(1).0 - 500);
        network.run_for(attached);
        elect(&mut network, 2, 'c', &d);
        network.run_for(Span::milliseconds(2));
        let record = network.machine(&member(1, 'c')).table().get(&"RG1".into());
        assert_eq!(record.expect("a record").version.term.counter, 1, "the lease is over");
        network
    };
    let mut heard = late();
    let (span, state) = first_record(&mut heard);
    assert!(span > Span::ZERO && span < Span::milliseconds(20), "{span:?}");
    assert_eq!(state, ConnectorState::Down);
    let mut gone = late();
    gone.crash(&d);
    let (span, state) = first_record(&mut gone);
    assert!(span < Span::milliseconds(20), "nobody is left to wait for: {span:?}");
    assert_eq!(state, ConnectorState::Up, "nobody here knows more");
    let mut away = elected(5);
    assert_eq!(first_record(&mut away), (lease, ConnectorState::Up), "nobody was there");
}
