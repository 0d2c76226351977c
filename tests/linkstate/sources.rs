//! Connectors that several members carry: who reaches the far group, and who gets the mail.

use crate::bench::*;
use crate::network::{Network, member, organization};
use bridgehead::kernel::{LinkChange, Span};
use bridgehead::protocol::linkstate::{
    ConnectorState, Judgement, LinkCommand, LinkDurable, LinkTimer, NextHop, Record, Traits,
};
use bridgehead::protocol::organization::Organization;
use bridgehead::wire::ids::MemberName;

/// Two groups, four members in the first; `a` and `c` of it carry its connector, `b` is the master.
fn two_sources() -> Organization {
    let mut organization = organization(2, &[(1, 2, 10)]);
    organization.groups[0].members.extend([member(1, 'c'), member(1, 'd')]);
    organization.connectors[0].sources = vec![member(1, 'a'), member(1, 'c')];
    assert_eq!(organization.check(), []);
    organization
}

/// The record of RG1, of whose sources these are not available.
fn told(unavailable: &[MemberName]) -> Record {
    let mut record = record(1, 1, 0, ConnectorState::Up);
    let connector = &mut record.connectors[0];
    connector.name = "RG1-RG2".into();
    connector.to = "RG2".into();
    connector.sources = vec![member(1, 'a'), member(1, 'c')];
    connector.unavailable = unavailable.to_vec();
    record
}

/// LS-042: an available source gets the mail, the first of them; also that of a source that is not.
#[test]
fn mail_goes_by_a_source_that_is_available() {
    let hop = |at: char, unavailable: &[MemberName]| {
        let far = record(2, 1, 0, ConnectorState::Up);
        let durable =
            LinkDurable { records: vec![told(unavailable), far].into(), ..LinkDurable::default() };
        let bench = Bench::boot(two_sources(), &member(1, at), durable);
        match bench.node.machine().next_hop(&bench.config, &"RG2".into(), &Traits::default(), 0) {
            NextHop::Connector(_) => 'x',
            NextHop::Member(member, _) => member.as_str().chars().last().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let (a, c) = (member(1, 'a'), member(1, 'c'));
    for (unavailable, expected) in [(vec![], "xaxa"), (vec![a], "ccxc"), (vec![c], "xaaa")] {
        let hops: String = "abcd".chars().map(|at| hop(at, &unavailable)).collect();
        assert_eq!(hops, expected, "{unavailable:?}");
    }
}

/// LS-029: who finds itself among the sources that are not available goes on probing.
#[test]
fn a_restart_does_not_make_a_source_available() {
    for (letter, judgement) in [('a', Judgement::Down), ('c', Judgement::Up)] {
        let mut wide = two_sources();
        // Another way: so that the judgement is DOWN, and not persistent.
        let mut other = wide.connectors[0].clone();
        other.name = "RG1-RG2-again".into();
        wide.connectors.push(other);
        let durable =
            LinkDurable { records: vec![told(&[member(1, 'a')])].into(), ..LinkDurable::default() };
        let mut bench = Bench::boot(wide, &member(1, letter), durable);
        let row = bench.node.machine().rows(bridgehead::kernel::Time(0))[0]
            .connector
            .clone()
            .expect("a connector");
        // The record in the table has one connector, so the other is none that is configured.
        let expected = if judgement == Judgement::Up { judgement } else { Judgement::Persistent };
        assert_eq!(row.judgement, Some(expected));
        assert_eq!(row.unavailable, [member(1, 'a')]);
        let probes = bench.node.armed().contains(&LinkTimer::Probe("RG1-RG2".into()));
        assert_eq!(probes, letter == 'a');
        bench.link(&over("RG1-RG2", member(2, 'a')), LinkChange::Refused);
    }
}

/// LS-103, LS-104, LS-030: the only way stays UP whoever of its sources fails, and nobody is not available when
/// nobody is better than another.
#[test]
fn the_only_way_is_held_by_all_its_sources() {
    let mut network = Network::new(two_sources());
    network.run_for(Span::seconds(100));
    let (a, c) = (member(1, 'a'), member(1, 'c'));
    let unavailable = |network: &Network| {
        // The master's: RG2 cannot be told while no source reaches it.
        let table = network.machine(&member(1, 'b')).table();
        let connector = &table.get(&"RG1".into()).expect("a record").connectors[0];
        assert_eq!(connector.state, ConnectorState::Up);
        connector.unavailable.clone()
    };
    network.cut_from(&a, "RG2");
    network.command(&a, LinkCommand::Want(way("RG1-RG2")));
    network.run_for(Span::seconds(181));
    assert_eq!(unavailable(&network), core::slice::from_ref(&a));
    network.cut_from(&c, "RG2");
    network.command(&c, LinkCommand::Want(way("RG1-RG2")));
    network.run_for(Span::seconds(181));
    assert_eq!(network.judgements(&c, "RG1-RG2").last().unwrap().1, "persistent");
    assert_eq!(unavailable(&network), []);
    network.heal_from(&c, "RG2");
    network.run_for(Span::seconds(61));
    assert_eq!(unavailable(&network), core::slice::from_ref(&a));
    network.heal_from(&a, "RG2");
    network.run_for(Span::seconds(61));
    assert_eq!(unavailable(&network), []);
    let versions = network.agreed().get(&"RG1".into()).unwrap().version.clone();
    assert_eq!(versions.to_string(), "1.1.4.0", "each failure and each return is told once");
}
