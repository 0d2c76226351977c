//! Connectors that several members carry: who reaches the far group, and who gets the mail.

use crate::bench::*;
use crate::network::{Network, member, organization};
use bridgehead::kernel::{Act, LinkChange, Span, Time};
use bridgehead::protocol::linkstate::{
    BACKUP_DELAY, ConnectorState, Judgement, LinkCommand, LinkDurable, LinkEvent, LinkPdu,
    LinkState, LinkTimer, Neighbour, NextHop, Record, Traits,
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

/// Three groups in a triangle; `a`, `c` and `d` of RG1 carry the connector to RG2, `c` alone that to RG3.
fn three_sources() -> Organization {
    let mut organization = organization(3, &[(1, 2, 10), (1, 3, 10), (2, 3, 10)]);
    let (a, c, d) = (member(1, 'a'), member(1, 'c'), member(1, 'd'));
    organization.groups[0].members.extend([c.clone(), d.clone()]);
    for connector in &mut organization.connectors {
        match connector.name.as_str() {
            "RG1-RG2" => {
                connector.sources = vec![a.clone(), c.clone(), d.clone()];
                connector.targets = vec![member(2, 'a'), member(2, 'b')];
            }
            "RG1-RG3" => connector.sources = vec![c.clone()],
            _ => {}
        }
    }
    assert_eq!(organization.check(), []);
    organization
}

/// RG1 loses its connector to RG3; the network is at the moment when the source `c` has just learnt it.
fn a_change(network: &mut Network) -> Time {
    network.cut_one_way("RG1", "RG3");
    network.command(&member(1, 'c'), LinkCommand::Want(way("RG1-RG3")));
    let limit = network.now + Span::minutes(4);
    while network.state(&member(1, 'c'), "RG1-RG3") == ConnectorState::Up {
        assert!(network.now < limit, "DOWN is decided after three retries");
        network.run_for(Span::milliseconds(1));
    }
    network.now
}

/// Who told the change over the connector to RG2, and how many whole seconds after it.
fn tellers(network: &Network, since: Time) -> Vec<(char, u64)> {
    let news = network.log.iter().filter(|line| line.time >= since).filter(|line| {
        matches!(&line.act, Act::Send {
            to: Neighbour::Connector { connector, .. },
            pdu: LinkPdu::News { records, .. },
        } if connector.as_str() == "RG1-RG2" && !records.is_empty())
    });
    let who = |member: &MemberName| member.as_str().chars().last().unwrap();
    news.map(|line| (who(&line.member), line.time.since(since).as_seconds())).collect()
}

/// LS-017, LS-230, LS-231: one source tells a change, and the others ask whether it did.
#[test]
fn a_change_crosses_a_connector_of_three_sources_once() {
    let mut network = Network::new(three_sources());
    network.run_for(Span::seconds(100));
    let changed = a_change(&mut network);
    network.run_for(Span::seconds(4));
    network.agreed();
    assert_eq!(network.told(changed)[&"RG1-RG2".into()], [1], "nobody else says anything");
    network.run_for(Span::seconds(30));
    assert_eq!(tellers(&network, changed), [('a', 0)]);
    assert_eq!(
        network.told(changed)[&"RG1-RG2".into()],
        [1, 0, 0],
        "a query of each of the others"
    );
}

/// LS-230: with the planted bugs the counts above are others, or the news does not get over at all.
#[test]
fn planted_bugs_of_the_sources_show() {
    let with = |fault: &str| {
        let mut network = Network::new(three_sources());
        network.run_for(Span::seconds(100));
        network.plant(&[fault]);
        if fault == "never-backs-up" {
            network.crash(&member(1, 'a'));
        }
        let changed = a_change(&mut network);
        network.run_for(Span::seconds(60));
        (tellers(&network, changed).len(), network.state(&member(2, 'a'), "RG1-RG3"))
    };
    assert_eq!(with("every-source-tells"), (3, ConnectorState::Down));
    assert_eq!(with("never-backs-up"), (0, ConnectorState::Up));
}

/// LS-230: where the first source is dead, the next ones have it cross after 5 s, and once.
#[test]
fn a_change_crosses_once_although_the_first_source_is_dead() {
    let mut network = Network::new(three_sources());
    network.run_for(Span::seconds(100));
    network.crash(&member(1, 'a'));
    let changed = a_change(&mut network);
    network.run_for(Span::milliseconds(4_900));
    assert_eq!(network.state(&member(2, 'a'), "RG1-RG3"), ConnectorState::Up);
    network.run_for(Span::seconds(60));
    network.agreed();
    assert_eq!(tellers(&network, changed), [('c', BACKUP_DELAY.as_seconds())]);
}

/// LS-230: where two of three are dead, the last one waits for both, one after the other.
#[test]
fn the_last_source_waits_for_each_before_it() {
    let mut network = Network::new(three_sources());
    network.run_for(Span::seconds(100));
    network.crash(&member(1, 'a'));
    network.cut_from(&member(1, 'c'), "RG2");
    let changed = a_change(&mut network);
    network.run_for(Span::seconds(60));
    network.agreed();
    assert_eq!(tellers(&network, changed), [('d', 2 * BACKUP_DELAY.as_seconds())]);
}

/// LS-230, LS-232: where the table says that the first source is not available, the second one tells at once;
/// so does it with what it has left to the first one before.
#[test]
fn the_first_source_that_is_available_tells() {
    let mut network = Network::new(three_sources());
    network.run_for(Span::seconds(100));
    network.cut_from(&member(1, 'a'), "RG2");
    network.command(&member(1, 'a'), LinkCommand::Want(way("RG1-RG2")));
    let started = network.now;
    network.run_for(Span::minutes(4));
    let connector = &network.agreed().get(&"RG1".into()).unwrap().connectors[0];
    assert_eq!(connector.unavailable, [member(1, 'a')]);
    let at_once = tellers(&network, started);
    assert_eq!(at_once.len(), 1, "{at_once:?}");
    assert_eq!(at_once[0], ('c', 180), "the record that says so is told by the next one");
    let changed = a_change(&mut network);
    network.run_for(Span::seconds(30));
    network.agreed();
    assert_eq!(tellers(&network, changed), [('c', 0)]);
}

/// LS-232: what a source has left to another one does not wait on when that one is named as not available.
#[test]
fn who_stands_by_no_longer_tells_at_once() {
    let wide = three_sources();
    let c = member(1, 'c');
    let mut bench = Bench::boot(wide, &c, LinkDurable::default());
    let master = Neighbour::Master(member(1, 'b'));
    let target = over("RG1-RG2", member(2, 'a'));
    bench.sync();
    bench.link(&master, LinkChange::Up);
    // The greeting of the boot is over.
    bench.link(&target, LinkChange::Up);
    let digest = bench.digest();
    let acts = bench.pdu(&target, LinkPdu::merged(digest, Vec::new()));
    assert!(acts.contains(&Act::Close { peer: target.clone() }), "{acts:?}");
    let mut own = record(1, 1, 0, ConnectorState::Up);
    own.connectors[0].name = "RG1-RG2".into();
    own.connectors[0].to = "RG2".into();
    own.connectors[0].sources = vec![member(1, 'a'), c, member(1, 'd')];
    let opens = |acts: &[Act<LinkState>]| {
        acts.iter().any(|act| matches!(act, Act::Open { peer, .. } if *peer == target))
    };
    let acts = bench.news(&master, vec![own.clone()]);
    assert!(!opens(&acts), "LS-230: {acts:?}");
    assert!(bench.node.armed().contains(&LinkTimer::Backup("RG1-RG2".into())));
    own.version.minor += 1;
    own.connectors[0].unavailable = vec![member(1, 'a')];
    let acts = bench.news(&master, vec![own]);
    assert!(opens(&acts), "{acts:?}");
    assert!(!bench.node.armed().contains(&LinkTimer::Backup("RG1-RG2".into())));
    let acts = bench.link(&target, LinkChange::Up);
    let told = acts.iter().find_map(|act| match act {
        Act::Send { pdu: LinkPdu::News { records, .. }, .. } => Some(records.len()),
        _ => None,
    });
    assert_eq!(told, Some(1), "it stands by no longer, and asks nothing: {acts:?}");
}

/// LS-019, LS-231: mail at a source that stands by does not wait for the 5 s, and not for news to come behind it.
#[test]
fn mail_at_a_source_that_stands_by_goes_behind_the_news() {
    for is_first_dead in [false, true] {
        let mut network = Network::new(three_sources());
        network.run_for(Span::seconds(100));
        if is_first_dead {
            network.crash(&member(1, 'a'));
        }
        let d = member(1, 'd');
        a_change(&mut network);
        network.run_for(Span::milliseconds(10));
        assert_eq!(network.state(&d, "RG1-RG3"), ConnectorState::Down);
        network.command(&d, LinkCommand::Want(way("RG1-RG2")));
        let is_ready = |network: &Network| {
            let events = network.events(&d);
            events.iter().any(|(_, event)| matches!(event, LinkEvent::Ready { .. }))
        };
        let limit = network.now + Span::seconds(1);
        while !is_ready(&network) {
            assert!(network.now < limit, "mail flows at once");
            network.run_for(Span::milliseconds(1));
        }
        assert_eq!(network.state(&member(2, 'a'), "RG1-RG3"), ConnectorState::Down);
    }
}
