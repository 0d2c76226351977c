//! A master that the operator has named in the place of another one, and that is behind.

use crate::network::{Network, member, organization};
use bridgehead::kernel::Span;
use bridgehead::protocol::linkstate::{COLLECT_LIMIT, ConnectorState, LinkCommand, Neighbour, Way};
use bridgehead::protocol::organization::Organization;

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
