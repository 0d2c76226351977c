//! Sources that are dead: named as not available, seldom, and never by a master that is cut off itself.

use crate::bench::*;
use crate::network::{Network, member, organization};
use bridgehead::kernel::Span;
use bridgehead::protocol::linkstate::{ConnectorRecord, ConnectorState, LinkCommand, NextHop};
use bridgehead::protocol::organization::Organization;
use bridgehead::wire::ids::MemberName;

/// Two groups; in the first `a` and `c` carry the connector, `b` is the master, and `extra` more are there.
fn carried_by_two(extra: &str) -> Organization {
    let mut organization = organization(2, &[(1, 2, 10)]);
    organization.groups[0].members.push(member(1, 'c'));
    organization.groups[0].members.extend(extra.chars().map(|letter| member(1, letter)));
    organization.connectors[0].sources = vec![member(1, 'a'), member(1, 'c')];
    assert_eq!(organization.check(), []);
    organization
}

fn at_rest(organization: Organization) -> Network {
    let mut network = Network::new(organization);
    network.run_for(Span::seconds(100));
    network
}

fn connector(network: &Network) -> ConnectorRecord {
    let table = network.machine(&member(1, 'b')).table();
    table.get(&"RG1".into()).expect("a record").connectors[0].clone()
}

fn minor(network: &Network) -> u32 {
    network.machine(&member(1, 'b')).table().get(&"RG1".into()).expect("a record").version.minor
}

/// Whom the master hands mail for RG2 to.
fn carrier(network: &Network) -> MemberName {
    match network.next_hop(&member(1, 'b'), "RG2") {
        NextHop::Member(member, _) => member,
        other => panic!("{other:?}"),
    }
}

/// LS-233, LS-234, LS-042: after six minutes mail goes by a source that is there; the dead one is available again
/// when it has reported. MA-016: before that nothing is told.
#[test]
fn a_dead_source_is_named() {
    let named = |faults: &[&str]| {
        let mut network = at_rest(carried_by_two(""));
        network.plant(faults);
        let (a, c) = (member(1, 'a'), member(1, 'c'));
        network.crash(&a);
        network.run_for(Span::seconds(359));
        assert_eq!((carrier(&network), minor(&network)), (a.clone(), 0));
        network.run_for(Span::seconds(2));
        let named = connector(&network).unavailable;
        if named.is_empty() {
            return named;
        }
        assert_eq!((carrier(&network), minor(&network)), (c, 1));
        let far = network.machine(&member(2, 'b')).table().get(&"RG1".into()).cloned();
        assert_eq!(far.expect("a record").connectors[0].unavailable, named, "everybody knows");
        network.run_for(Span::hours(3));
        assert_eq!(minor(&network), 1, "it is told once");
        network.boot(&a);
        network.run_for(Span::seconds(1));
        assert_eq!((carrier(&network), minor(&network)), (a.clone(), 2));
        network.agreed();
        named
    };
    assert_eq!(named(&[]), [member(1, 'a')]);
    assert_eq!(named(&["dead-source-is-available"]), []);
}

/// LS-233: one member that comes and goes does not occupy the organization.
#[test]
fn a_source_that_comes_and_goes_is_named_once_an_hour() {
    let mut network = at_rest(carried_by_two(""));
    let a = member(1, 'a');
    // Restarts of five minutes are none of anybody's business.
    for _ in 0..10 {
        network.crash(&a);
        network.run_for(Span::minutes(5));
        network.boot(&a);
        network.run_for(Span::minutes(1));
    }
    assert_eq!(minor(&network), 0);
    for _ in 0..30 {
        network.crash(&a);
        network.run_for(Span::minutes(7));
        network.boot(&a);
        network.run_for(Span::minutes(1));
    }
    // Four hours: five beginnings at most, and as many returns.
    let told = minor(&network);
    assert!((6..=10).contains(&told), "{told} versions");
    // Who is gone for good is named in the end, also within the hour.
    network.crash(&a);
    network.run_for(Span::minutes(61));
    assert_eq!(connector(&network).unavailable, [a]);
}

/// LS-234: where no source is there, nothing changes, and nothing is DOWN by a guess; who is there and
/// does not reach the far group is no better than who is absent.
#[test]
fn absence_makes_no_connector_down() {
    let (a, c) = (member(1, 'a'), member(1, 'c'));
    let mut network = at_rest(carried_by_two("defg"));
    network.crash(&a);
    network.crash(&c);
    network.run_for(Span::hours(2));
    let found = connector(&network);
    assert_eq!((found.state, found.unavailable), (ConnectorState::Up, vec![]));
    assert_eq!(minor(&network), 0);
    // The one that returns takes the place of the other.
    network.boot(&c);
    network.run_for(Span::seconds(1));
    assert_eq!(connector(&network).unavailable, core::slice::from_ref(&a));
    network.cut_from(&c, "RG2");
    network.command(&c, LinkCommand::Want(way("RG1-RG2")));
    network.run_for(Span::minutes(5));
    let found = connector(&network);
    assert_eq!((found.state, found.unavailable), (ConnectorState::Up, vec![c]));
}

/// LS-233: a master that has lost half of its group or more changes nothing: it may be the one that is cut off.
#[test]
fn a_master_that_is_cut_off_names_nobody() {
    let named = |faults: &[&str]| {
        let mut organization = carried_by_two("");
        organization.connectors[0].sources = vec![member(1, 'a'), member(1, 'b'), member(1, 'c')];
        let mut network = at_rest(organization);
        network.plant(faults);
        network.crash(&member(1, 'a'));
        network.crash(&member(1, 'c'));
        network.run_for(Span::hours(1));
        let alone = connector(&network).unavailable;
        // With one of them the larger part is there again, and speaks.
        network.boot(&member(1, 'c'));
        network.run_for(Span::seconds(1));
        (alone, connector(&network).unavailable)
    };
    let (a, c) = (member(1, 'a'), member(1, 'c'));
    assert_eq!(named(&[]), (vec![], vec![a.clone()]));
    assert_eq!(named(&["minority-names-absent"]), (vec![a.clone(), c], vec![a]));
}

/// LS-233: a master that begins counts from its beginning, and takes nobody for absent before.
#[test]
fn who_was_dead_before_the_master_began_is_named_too() {
    let mut network = at_rest(carried_by_two(""));
    let (a, b) = (member(1, 'a'), member(1, 'b'));
    network.crash(&a);
    network.crash(&b);
    network.run_for(Span::minutes(30));
    network.boot(&b);
    network.run_for(Span::seconds(359));
    assert_eq!(connector(&network).unavailable, []);
    network.run_for(Span::seconds(2));
    assert_eq!(connector(&network).unavailable, [a]);
}
