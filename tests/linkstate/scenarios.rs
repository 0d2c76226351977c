//! Whole organizations in virtual time: the walk-throughs of the seed, and what can go wrong beside.

use crate::network::{Network, figure_3_14, member, organization};
use bridgehead::kernel::{Span, Time};
use bridgehead::protocol::linkstate::{
    ConnectorState, LinkCommand, LinkEvent, Neighbour, NextHop, Table, Way, is_cut_edge,
};
use bridgehead::wire::ids::{ConnectorName, MemberName};

/// A network at rest, some time after all members booted.
fn at_rest(organization: bridgehead::protocol::organization::Organization) -> Network {
    let mut network = Network::new(organization);
    network.run_for(Span::seconds(100));
    network.agreed();
    network
}

fn connector(name: &str) -> NextHop {
    NextHop::Connector(ConnectorName::from(name))
}

fn by_member(letter: &str, name: &str) -> NextHop {
    NextHop::Member(MemberName::from(letter), ConnectorName::from(name))
}

fn want(name: &str) -> LinkCommand {
    LinkCommand::Want(Way::Connector(ConnectorName::from(name)))
}

fn done(name: &str) -> LinkCommand {
    LinkCommand::Done(Way::Connector(ConnectorName::from(name)))
}

/// LS-006, LS-007, LS-017, LS-047, MA-001, MA-005: after the first boot all ten members have the same five
/// records, and every connection between groups is closed again (LS-009).
#[test]
fn all_members_agree_soon_after_the_first_boot() {
    let mut network = Network::new(figure_3_14());
    network.run_for(Span::seconds(5));
    let table = network.agreed();
    let groups: Vec<_> = table.records().map(|r| r.group.as_str().to_owned()).collect();
    assert_eq!(groups, ["RG1", "RG2", "RG3", "RG4", "RG5"]);
    for record in table.records() {
        assert_eq!(record.version.to_string(), "1.1.0.0", "{}", record.group);
        assert!(record.version.term.member.as_str().ends_with("-b"), "only masters publish");
        assert!(record.connectors.iter().all(|c| c.state == ConnectorState::Up));
    }
    assert_eq!(network.next_hop(&member(1, 'a'), "RG5"), connector("RG1-RG2"));
    assert_eq!(network.next_hop(&member(1, 'b'), "RG5"), by_member("rg1-a", "RG1-RG2"));
    assert_eq!(network.next_hop(&member(1, 'a'), "RG1"), NextHop::Here);
    assert_eq!(network.next_hop(&member(1, 'a'), "RG9"), NextHop::Unknown, "LS-044");
    for member in network.running() {
        for peer in network.open_connections(&member) {
            let is_group_port = matches!(peer, Neighbour::Master(_) | Neighbour::Attached(_));
            assert!(is_group_port, "{member} keeps {peer:?}");
        }
    }
    let at_rest = network.log.len();
    network.run_for(Span::hours(5));
    assert_eq!(network.log.len(), at_rest, "nothing happens in an organization at rest");
}

/// The seed's first walk-through. LS-021, LS-022, LS-023: first failure at t, retries at t + 60, 120,
/// 180 s, DOWN with the last; LS-017: everybody knows at once, mail or not; LS-024, LS-025: probes
/// every 60 s, and the link comes back.
#[test]
fn one_link_fails_and_heals() {
    let mut network = at_rest(figure_3_14());
    let bridgehead = member(2, 'a');
    network.cut("RG2", "RG4");
    let t = network.now;
    network.command(&bridgehead, want("RG2-RG4"));
    network.run_until(t + Span::seconds(179));
    assert_eq!(network.judgements(&bridgehead, "RG2-RG4"), [(100, "retry".into())]);
    assert_eq!(network.state(&bridgehead, "RG2-RG4"), ConnectorState::Up);
    assert_eq!(network.next_hop(&bridgehead, "RG5"), connector("RG2-RG4"), "LS-040");
    // Step 4: after three retries it is DOWN; steps 5 to 11: everybody knows, with no mail.
    network.run_until(t + Span::seconds(181));
    let judged = [(100, "retry".to_owned()), (280, "down".to_owned())];
    assert_eq!(network.judgements(&bridgehead, "RG2-RG4"), judged);
    for member in network.running() {
        assert_eq!(network.state(&member, "RG2-RG4"), ConnectorState::Down, "{member}");
    }
    // Nobody has used the other direction yet; the news for RG4 went by RG1, RG3.
    network.agreed();
    assert_eq!(network.next_hop(&bridgehead, "RG5"), connector("RG2-RG1"));
    assert_eq!(network.next_hop(&member(1, 'a'), "RG5"), connector("RG1-RG3"));
    assert_eq!(network.next_hop(&member(3, 'b'), "RG5"), by_member("rg3-a", "RG3-RG4"));
    // No attempt more than one in 60 s, although mail wants the link.
    network.command(&bridgehead, want("RG2-RG4"));
    network.run_until(t + Span::seconds(600));
    let attempts: Vec<_> =
        network.attempts("RG2-RG4").iter().filter(|at| **at >= t).map(|at| at.since(t)).collect();
    let expected: Vec<_> = (0..=10).map(Span::minutes).collect();
    let drift = Span::milliseconds(1);
    for (attempt, expected) in attempts.iter().zip(&expected) {
        assert!(attempt.0 - expected.0 <= drift.0, "{attempt} against {expected}");
    }
    assert_eq!(attempts.len(), 10, "LS-026: {attempts:?}");
    network.command(&bridgehead, done("RG2-RG4"));
    network.heal("RG2", "RG4");
    network.run_for(Span::seconds(61));
    for member in network.running() {
        assert_eq!(network.state(&member, "RG2-RG4"), ConnectorState::Up, "{member}");
    }
    network.agreed();
    assert_eq!(network.next_hop(&member(1, 'a'), "RG5"), connector("RG1-RG2"));
}

/// One change travels as one record, over each directed connector at most once (LS-017).
#[test]
fn one_change_crosses_each_connector_at_most_once() {
    let mut network = at_rest(figure_3_14());
    network.cut_one_way("RG2", "RG4");
    network.command(&member(2, 'a'), want("RG2-RG4"));
    let t = network.now;
    network.run_for(Span::seconds(190));
    network.agreed();
    let told = network.told(t);
    assert!(!told.is_empty());
    for (connector, news) in &told {
        assert_eq!(news.iter().sum::<usize>(), 1, "{connector} told {news:?}");
        assert_ne!(connector.as_str(), "RG1-RG2", "the record of RG2 does not return to RG2");
        assert_ne!(connector.as_str(), "RG4-RG2", "the record of RG2 does not return to RG2");
    }
}

/// The seed's second walk-through: both links of RG4 fail, the cost becomes infinite (LS-043), and
/// the way returns with the first link.
#[test]
fn both_ways_fail_and_mail_waits() {
    let mut network = at_rest(figure_3_14());
    network.cut("RG2", "RG4");
    network.cut("RG3", "RG4");
    network.command(&member(2, 'a'), want("RG2-RG4"));
    network.command(&member(3, 'a'), want("RG3-RG4"));
    network.run_for(Span::seconds(181));
    for site in [member(1, 'a'), member(2, 'a'), member(3, 'a'), member(1, 'b'), member(3, 'b')] {
        assert_eq!(network.state(&site, "RG2-RG4"), ConnectorState::Down, "{site}");
        assert_eq!(network.state(&site, "RG3-RG4"), ConnectorState::Down, "{site}");
        assert_eq!(network.next_hop(&site, "RG5"), NextHop::Infinite, "{site}");
        assert_eq!(network.next_hop(&site, "RG4"), NextHop::Infinite, "{site}");
    }
    assert_eq!(network.next_hop(&member(1, 'a'), "RG3"), connector("RG1-RG3"));
    network.run_for(Span::hours(1));
    network.heal("RG3", "RG4");
    network.run_for(Span::seconds(121));
    network.agreed();
    assert_eq!(network.next_hop(&member(1, 'a'), "RG5"), connector("RG1-RG3"));
    assert_eq!(network.next_hop(&member(3, 'a'), "RG5"), connector("RG3-RG4"));
}

/// LS-030: the only link of RG5 stays UP in every table, is probed, and heals without any news.
#[test]
fn a_cut_edge_is_persistent() {
    let mut network = at_rest(figure_3_14());
    let bridgehead = member(4, 'a');
    network.cut("RG4", "RG5");
    network.command(&bridgehead, want("RG4-RG5"));
    let t = network.now;
    network.run_for(Span::minutes(30));
    let judged = [(100, "retry".to_owned()), (280, "persistent".to_owned())];
    assert_eq!(network.judgements(&bridgehead, "RG4-RG5"), judged);
    for member in network.running() {
        assert_eq!(network.state(&member, "RG4-RG5"), ConnectorState::Up, "{member}");
    }
    assert_eq!(network.next_hop(&member(1, 'a'), "RG5"), connector("RG1-RG2"));
    assert_eq!(network.told(t).len(), 0, "nothing is told of it");
    network.heal("RG4", "RG5");
    network.run_for(Span::seconds(60));
    let last = network.judgements(&bridgehead, "RG4-RG5").last().cloned();
    assert_eq!(last.map(|(_, text)| text), Some("up".into()));
    let ready = network.events(&bridgehead);
    assert!(
        matches!(ready.last(), Some((_, LinkEvent::Ready { .. }))),
        "the mail that waited may flow: {:?}",
        ready.last()
    );
}

/// LS-031: the only link stops being the only one when another is configured, and is then reported.
#[test]
fn a_second_link_ends_persistence() {
    let line = || organization(3, &[(1, 2, 10), (2, 3, 10)]);
    let mut network = at_rest(line());
    network.cut("RG1", "RG2");
    network.command(&member(1, 'a'), want("RG1-RG2"));
    network.run_for(Span::seconds(200));
    assert_eq!(network.state(&member(1, 'b'), "RG1-RG2"), ConnectorState::Up);
    let mut ring = organization(3, &[(1, 2, 10), (2, 3, 10), (1, 3, 50)]);
    ring.revision = 2;
    for site in network.running() {
        network.configure(&site, ring.clone());
    }
    network.run_for(Span::seconds(200));
    let judged: Vec<_> = network.judgements(&member(1, 'a'), "RG1-RG2");
    let texts: Vec<_> = judged.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["retry", "persistent", "down"]);
    for site in network.running() {
        assert_eq!(network.state(&site, "RG1-RG2"), ConnectorState::Down, "{site}");
    }
    assert_eq!(network.agreed().records().next().expect("a record").version.to_string(), "1.2.1.0");
    assert_eq!(network.next_hop(&member(1, 'a'), "RG2"), connector("RG1-RG3"));
}

/// LS-031, LS-030: the other link is taken away while one is DOWN: it becomes the only one, and is UP again.
#[test]
fn the_last_link_becomes_persistent() {
    let ring = || organization(3, &[(1, 2, 10), (2, 3, 10), (1, 3, 50)]);
    let mut network = at_rest(ring());
    network.cut("RG1", "RG2");
    network.command(&member(1, 'a'), want("RG1-RG2"));
    network.run_for(Span::seconds(200));
    assert_eq!(network.state(&member(3, 'b'), "RG1-RG2"), ConnectorState::Down);
    let mut line = organization(3, &[(1, 2, 10), (2, 3, 10)]);
    line.revision = 2;
    for site in network.running() {
        network.configure(&site, line.clone());
    }
    network.run_for(Span::seconds(10));
    assert_eq!(network.state(&member(1, 'b'), "RG1-RG2"), ConnectorState::Up);
    let texts: Vec<_> =
        network.judgements(&member(1, 'a'), "RG1-RG2").into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["retry", "down", "persistent"]);
}

/// LS-030: an alternative is one that is configured, though it is DOWN itself and too narrow for any message, and
/// though its group has told nothing yet.
#[test]
fn a_poor_alternative_is_an_alternative() {
    let mut ring = organization(3, &[(1, 2, 10), (2, 3, 10), (1, 3, 50)]);
    for connector in ring.connectors.iter_mut().filter(|c| c.name.as_str() != "RG1-RG2") {
        connector.size_limit_octets = Some(0);
    }
    let (name, from, to) = ("RG1-RG2".into(), "RG1".into(), "RG2".into());
    let is_cut = |table: &Table, ring: &_| is_cut_edge(table, ring, &name, &from, &to);
    assert!(!is_cut(&Table::default(), &ring), "by the configuration alone");
    let mut network = at_rest(ring.clone());
    network.cut("RG1", "RG3");
    network.command(&member(1, 'a'), want("RG1-RG3"));
    network.run_for(Span::seconds(200));
    assert_eq!(network.state(&member(2, 'b'), "RG1-RG3"), ConnectorState::Down);
    assert!(!is_cut(network.agreed(), &ring));
    ring.connectors.retain(|c| c.name.as_str() != "RG3-RG2");
    assert!(
        !is_cut(network.agreed(), &ring),
        "what a group has told counts for more than our file"
    );
    assert!(is_cut(&Table::default(), &ring));
}

/// LS-024: probes go on every 60 s without mail; in 48 hours 2,880 of them.
#[test]
fn probes_are_sixty_seconds_apart() {
    let mut network = at_rest(figure_3_14());
    network.cut("RG2", "RG4");
    network.command(&member(2, 'a'), want("RG2-RG4"));
    network.command(&member(2, 'a'), done("RG2-RG4"));
    network.run_for(Span::seconds(210));
    let since = network.now;
    network.run_for(Span::hours(48));
    let probes: Vec<_> =
        network.attempts("RG2-RG4").into_iter().filter(|at| *at >= since).collect();
    assert_eq!(probes.len(), 2_880);
    assert!(probes.windows(2).all(|pair| pair[1].since(pair[0]) == Span::seconds(60)));
}

/// Fails a working link for `down`, from an attempt on, then lets it work for `up`.
fn flap(network: &mut Network, down: Span, up: Span) {
    network.cut("RG2", "RG4");
    network.command(&member(2, 'a'), want("RG2-RG4"));
    network.command(&member(2, 'a'), done("RG2-RG4"));
    network.run_for(down);
    network.heal("RG2", "RG4");
    network.run_for(up);
}

/// LS-032, LS-033, LS-034: the third DOWN within an hour is not told any more; a long failure is;
/// ten calm minutes end it.
#[test]
fn an_oscillating_link_stays_up() {
    let mut network = at_rest(figure_3_14());
    let bridgehead = member(2, 'a');
    for _ in 0..2 {
        flap(&mut network, Span::seconds(200), Span::seconds(100));
    }
    let twice = network.agreed().get(&"RG2".into()).unwrap().version.to_string();
    assert_eq!(twice, "1.1.4.0", "down, up, down, up");
    for _ in 0..5 {
        flap(&mut network, Span::seconds(200), Span::seconds(100));
    }
    let calm = network.agreed().get(&"RG2".into()).unwrap().version.to_string();
    assert_eq!(calm, twice, "it stays UP in the table while it oscillates");
    let texts: Vec<_> =
        network.judgements(&bridgehead, "RG2-RG4").into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts[..6], ["retry", "down", "up", "retry", "down", "up"]);
    for cycle in texts[6..].chunks(3) {
        assert_eq!(cycle, ["retry", "oscillating", "up"]);
    }
    // A failure that lasts is told in the end, 15 minutes after it began.
    network.cut("RG2", "RG4");
    network.command(&bridgehead, want("RG2-RG4"));
    network.run_for(Span::seconds(899));
    assert_eq!(network.state(&bridgehead, "RG2-RG4"), ConnectorState::Up);
    network.run_for(Span::seconds(2));
    assert_eq!(network.state(&bridgehead, "RG2-RG4"), ConnectorState::Down);
    // Ten minutes of work, and it is believed again.
    network.command(&bridgehead, done("RG2-RG4"));
    network.heal("RG2", "RG4");
    network.run_for(Span::seconds(60 + 600 + 1));
    flap(&mut network, Span::seconds(200), Span::seconds(0));
    assert_eq!(network.state(&bridgehead, "RG2-RG4"), ConnectorState::Down);
}

/// LS-027: a cut during an open connection is no failure of its own; the next attempt is.
#[test]
fn a_lost_connection_is_tried_at_once() {
    let mut network = at_rest(figure_3_14());
    let bridgehead = member(2, 'a');
    network.command(&bridgehead, want("RG2-RG4"));
    network.run_for(Span::seconds(1));
    let open = Neighbour::Connector { connector: "RG2-RG4".into(), target: member(4, 'a') };
    assert!(network.machine(&bridgehead).may_offer(&open), "LS-019");
    let before = network.attempts("RG2-RG4").len();
    network.cut("RG2", "RG4");
    assert!(!network.machine(&bridgehead).may_offer(&open));
    assert_eq!(network.attempts("RG2-RG4").len(), before + 1);
    network.run_for(Span::seconds(1));
    assert_eq!(network.judgements(&bridgehead, "RG2-RG4").len(), 1);
    let events = network.events(&bridgehead);
    assert!(events.iter().any(|(_, event)| *event == LinkEvent::Gone { neighbour: open.clone() }));
}

/// LS-018, LS-019: on an open connection the news of a change goes first, and `Ready` comes again.
#[test]
fn further_news_precedes_further_mail() {
    let mut network = at_rest(figure_3_14());
    network.command(&member(1, 'a'), want("RG1-RG2"));
    network.run_for(Span::seconds(1));
    let open = Neighbour::Connector { connector: "RG1-RG2".into(), target: member(2, 'a') };
    assert!(network.machine(&member(1, 'a')).may_offer(&open));
    network.cut("RG1", "RG3");
    network.command(&member(1, 'a'), want("RG1-RG3"));
    network.run_for(Span::seconds(180));
    let seen = network.events(&member(1, 'a')).len();
    while network.state(&member(1, 'a'), "RG1-RG3") == ConnectorState::Up {
        network.run_for(Span::milliseconds(1));
    }
    assert!(!network.machine(&member(1, 'a')).may_offer(&open), "owed or outstanding");
    network.run_for(Span::seconds(1));
    assert!(network.machine(&member(1, 'a')).may_offer(&open));
    let events = network.events(&member(1, 'a'));
    let texts: Vec<_> = events[seen..].iter().map(|(_, event)| event.clone()).collect();
    let changed = texts.iter().position(|e| *e == LinkEvent::TableChanged).expect("it grew");
    let ready = LinkEvent::Ready { way: Way::Connector("RG1-RG2".into()), neighbour: open };
    let again = texts.iter().position(|e| *e == ready).expect("mail may flow again");
    assert!(changed < again, "{texts:?}");
}

/// A group whose master is dead still forwards the news of others, and its members keep the last
/// table (design: any member forwards foreign records).
#[test]
fn news_passes_a_group_without_master() {
    let mut network = at_rest(figure_3_14());
    network.crash(&member(1, 'b'));
    network.cut("RG2", "RG4");
    network.command(&member(2, 'a'), want("RG2-RG4"));
    network.run_for(Span::seconds(182));
    assert_eq!(network.state(&member(3, 'b'), "RG2-RG4"), ConnectorState::Down);
    // RG1 cannot publish: its own failing link stays UP in the table.
    network.cut("RG1", "RG3");
    network.command(&member(1, 'a'), want("RG1-RG3"));
    network.run_for(Span::seconds(182));
    assert_eq!(network.state(&member(1, 'a'), "RG1-RG3"), ConnectorState::Up);
    // The master returns, hears the report (MA-011), and keeps its term (MA-002).
    network.boot(&member(1, 'b'));
    network.run_for(Span::seconds(62));
    assert_eq!(network.state(&member(2, 'b'), "RG1-RG3"), ConnectorState::Down);
    network.heal("RG1", "RG3");
    network.heal("RG2", "RG4");
    network.run_for(Span::seconds(70));
    let version = network.agreed().records().next().expect("a record").version.clone();
    assert_eq!(version.to_string(), "1.1.2.0");
}

/// MA-003: a master that lost its disk learns its own old record, and outbids it with a new term.
#[test]
fn a_master_without_its_disk_begins_a_new_term() {
    let mut network = at_rest(figure_3_14());
    network.crash(&member(2, 'b'));
    network.lose_disk(&member(2, 'b'));
    network.boot(&member(2, 'b'));
    network.run_for(Span::seconds(100));
    let record = network.agreed().get(&"RG2".into()).unwrap().clone();
    assert_eq!(record.version.term.member, member(2, 'b'));
    assert!(record.version.term.counter >= 1 && record.connectors.len() == 2);
    let stored = network.durable(&member(2, 'b')).term.clone();
    assert_eq!(stored, Some(record.version.term.clone()), "the term is stored");
}

/// MA-003, MA-006, MA-012: the operator names another master; the old one falls silent, even where
/// its configuration is still the old one.
#[test]
fn another_master_is_named() {
    let mut network = at_rest(figure_3_14());
    let mut next = figure_3_14();
    next.revision = 2;
    next.groups[1].master = Some(member(2, 'a'));
    network.configure(&member(2, 'a'), next.clone());
    network.run_for(Span::seconds(100));
    let record = network.machine(&member(5, 'b')).table().get(&"RG2".into()).unwrap().clone();
    assert_eq!(record.version.term.counter, 2);
    assert_eq!(record.version.term.member, member(2, 'a'));
    // The old master is alone now; it hears of the new one with the first mail for it.
    network.command(&member(2, 'a'), LinkCommand::Want(Way::Member(member(2, 'b'))));
    network.run_for(Span::seconds(1));
    network.agreed();
    let old = network.events(&member(2, 'b'));
    assert!(old.iter().any(|(_, event)| matches!(event, LinkEvent::Superseded { .. })));
    for site in network.running() {
        network.configure(&site, next.clone());
    }
    network.run_for(Span::seconds(200));
    assert_eq!(network.agreed().get(&"RG2".into()).unwrap().version.to_string(), "2.2.0.0");
}

/// LS-029: a bridgehead that restarts while its link is DOWN keeps it DOWN and goes on probing.
#[test]
fn a_restart_does_not_forget_a_failure() {
    let mut network = at_rest(figure_3_14());
    network.cut("RG2", "RG4");
    network.command(&member(2, 'a'), want("RG2-RG4"));
    network.run_for(Span::seconds(200));
    network.crash(&member(2, 'a'));
    network.run_for(Span::seconds(10));
    let t = network.now;
    network.boot(&member(2, 'a'));
    network.run_for(Span::seconds(61));
    assert_eq!(network.state(&member(1, 'a'), "RG2-RG4"), ConnectorState::Down);
    let attempts: Vec<_> = network.attempts("RG2-RG4").into_iter().filter(|at| *at >= t).collect();
    assert_eq!(attempts, [t, t + Span::seconds(60)]);
    network.heal("RG2", "RG4");
    network.run_for(Span::seconds(65));
    assert_eq!(network.state(&member(1, 'a'), "RG2-RG4"), ConnectorState::Up);
    network.agreed();
}

/// News that could not be told while a group was cut off is told when it returns (C5).
#[test]
fn an_island_learns_what_it_missed() {
    let mut network = at_rest(figure_3_14());
    network.cut("RG4", "RG5");
    network.cut("RG2", "RG4");
    network.command(&member(2, 'a'), want("RG2-RG4"));
    network.run_for(Span::minutes(30));
    assert_eq!(network.state(&member(5, 'b'), "RG2-RG4"), ConnectorState::Up, "it cannot know");
    network.heal("RG4", "RG5");
    network.run_for(Span::seconds(65));
    assert_eq!(network.state(&member(5, 'b'), "RG2-RG4"), ConnectorState::Down);
    network.heal("RG2", "RG4");
    network.run_for(Span::seconds(65));
    network.agreed();
}

/// Whatever crashes while everything boots, all members agree soon after.
#[test]
fn crashes_during_the_boot_do_no_harm() {
    for seed in 0..60_u64 {
        let mut network = Network::new(figure_3_14());
        let members = network.running();
        let victim = members[(seed % 10) as usize].clone();
        network.run_until(Time(seed * 700));
        network.crash(&victim);
        network.run_for(Span::milliseconds(seed % 7));
        network.boot(&victim);
        network.run_for(Span::seconds(400));
        let table = network.agreed();
        assert_eq!(table.living(), 5, "seed {seed}");
        let down = table.records().flat_map(|r| &r.connectors);
        assert!(down.clone().all(|c| c.state == ConnectorState::Up), "seed {seed}");
    }
}
