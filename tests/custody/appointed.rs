//! The operator makes a master: `master set` in groups that elect none.

use std::collections::BTreeSet;
use std::sync::Arc;

use bridgehead::kernel::{Input, LinkChange, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::{LinkEvent, Term};
use bridgehead::protocol::member::{Command, Durable, Event, HERALD_INTERVAL, Pdu, Policy};
use bridgehead::protocol::operator::{Order, Ordered};
use bridgehead::protocol::organization::Organization;
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::ids::{GroupName, MemberName};

use crate::host::{C1, Host};
use crate::network::{Network, member, organization, user};

/// Two groups; the first has three members, of which the file names `g1-b` the master.
fn three_members() -> Organization {
    let mut organization = organization(2);
    organization.groups[0].members.push(member(1, 'c'));
    assert_eq!(organization.check(), []);
    organization
}

fn network(faults: &[&str]) -> Network {
    let faults = Faults::named(faults.iter().copied()).unwrap();
    let mut network = Network::new(three_members(), Policy::default(), &faults, 11);
    network.run(Span::seconds(10));
    network
}

fn set(network: &mut Network, at: char) -> Ordered {
    let at = member(1, at);
    let number = network.order(&at, Order::Appoint { member: at.clone() });
    network.run(Span::milliseconds(50));
    let Some(Pdu::Ordered(answer)) = network.replies.get(&number) else { panic!("an answer") };
    answer.clone()
}

/// Whom each member of the first group that runs takes for the master.
fn masters(network: &Network) -> BTreeSet<Option<MemberName>> {
    let sites = "abc".chars().filter_map(|letter| network.sites[&member(1, letter)].node.as_ref());
    sites.map(|node| node.machine().link().master().cloned()).collect()
}

fn all_follow(network: &Network, letter: char) {
    assert_eq!(masters(network), BTreeSet::from([Some(member(1, letter))]));
}

/// The term of the first group's record, as the far group has it.
fn published(network: &Network) -> Term {
    let node = network.sites[&member(2, 'b')].node.as_ref().expect("it runs");
    let record = node.machine().link().table().get(&GroupName::from("g1")).expect("a record");
    record.version.term.clone()
}

/// The terms under which a member has published since `since`: what it has stored of its own.
fn begun_by(network: &Network, letter: char, since: Time) -> Vec<u64> {
    let name = member(1, letter);
    let events = network.events.iter().filter(|(at, by, _)| *at >= since && *by == name);
    let terms = events.filter_map(|(_, _, event)| match event {
        Event::Link(LinkEvent::Appointed(told)) if told.term.member == name => {
            Some(told.term.counter)
        }
        _ => None,
    });
    terms.collect()
}

/// MA-070 to MA-072: the master is gone; another one is set, and all follow it, though nobody else tells them.
#[test]
fn another_master_is_set() {
    let mut network = network(&[]);
    all_follow(&network, 'b');
    network.crash(&member(1, 'b'));
    network.run(Span::seconds(5));
    let answer = set(&mut network, 'c');
    assert_eq!((answer.done.len(), answer.refused.len()), (1, 0));
    // LS-235: it waits for the dead one before it publishes; it is the master all the same.
    network.run(Span::seconds(5));
    all_follow(&network, 'c');
    network.run(Span::seconds(40));
    // A connection is made with the first mail.
    network.mail(&member(1, 'a'), None, &[user(&member(2, 'a'))]);
    network.run(Span::seconds(10));
    assert_eq!(published(&network), Term { member: member(1, 'c'), ..published(&network) });
    assert_eq!(published(&network).counter, 2);
}

/// The old master was cut off and returns, but not to the new one: only a record tells it.
fn the_old_one_returns(cuts: bool, faults: &[&str]) -> Network {
    let mut network = network(faults);
    network.crash(&member(1, 'b'));
    set(&mut network, 'c');
    network.run(Span::seconds(40));
    if cuts {
        let (b, c) = (member(1, 'b'), member(1, 'c'));
        network.cuts.extend([(b.clone(), c.clone()), (c, b)]);
    }
    network.boot(&member(1, 'b'));
    network.run(Span::seconds(8));
    // It hands its mail over to the bridgehead, which tells it what it knows.
    network.mail(&member(1, 'b'), None, &[user(&member(2, 'a'))]);
    network.run(Span::minutes(2));
    network
}

/// MA-072, MA-074: an old master gives way to what it is told, or to a record, and begins no term of its own.
#[test]
fn an_old_master_that_returns_gives_way() {
    for cuts in [false, true] {
        let network = the_old_one_returns(cuts, &[]);
        all_follow(&network, 'c');
        assert_eq!(published(&network).counter, 2, "it has begun no term of its own");
        let is_superseded = |(_, by, event): &(Time, MemberName, Event)| {
            *by == member(1, 'b') && matches!(event, Event::Link(LinkEvent::Superseded { .. }))
        };
        assert!(network.events.iter().any(is_superseded), "an alarm");
    }
    let network = the_old_one_returns(true, &["records-appoint-nobody"]);
    let known = network.sites[&member(1, 'a')].durable.link.records.get(&GroupName::from("g1"));
    let counter = known.expect("a record").version.term.counter;
    assert!(counter > 2, "two masters that outbid each other: {counter}");
}

/// MA-071: an appointment outlasts a restart of the member, and of those that obey it.
#[test]
fn an_appointment_outlasts_a_restart() {
    let mut outcomes = Vec::new();
    for faults in
        [&[][..], &["appointment-in-memory"], &["appointment-in-memory", "records-appoint-nobody"]]
    {
        let mut network = network(faults);
        network.crash(&member(1, 'b'));
        set(&mut network, 'c');
        network.run(Span::seconds(40));
        for letter in ['a', 'c'] {
            network.crash(&member(1, letter));
        }
        for letter in ['a', 'c'] {
            network.boot(&member(1, letter));
        }
        network.run(Span::seconds(10));
        outcomes.push(masters(&network));
    }
    let (named, appointed) = (Some(member(1, 'b')), Some(member(1, 'c')));
    let appointed = BTreeSet::from([appointed]);
    assert_eq!(outcomes, [appointed.clone(), appointed, BTreeSet::from([named])], "by record, too");
}

/// MA-072: who is attached to the old master is told at once, also while this member has told others before.
#[test]
fn the_others_are_told_at_once() {
    let mut network = network(&[]);
    for letter in ['c', 'a', 'c', 'b', 'a'] {
        set(&mut network, letter);
        network.run(Span::seconds(1));
        all_follow(&network, letter);
    }
}

/// MA-071, MA-074: nobody has told the member of the master by name yet, and the two never exchange anything: the order
/// begins above every first term, and a greater term in a refusal is heeded.
#[test]
fn an_order_at_once_wins_over_a_beginning() {
    for early in [true, false] {
        let mut network = Network::new(three_members(), Policy::default(), &Faults::default(), 5);
        if !early {
            network.run(Span::seconds(10));
        }
        let a = member(1, 'a');
        network.order(&a, Order::Appoint { member: a.clone() });
        network.run(Span::seconds(40));
        all_follow(&network, 'a');
    }
}

/// MA-074: of two masters by order that reach each other again, the one of the smaller term gives way even where it is
/// refused before it is told.
#[test]
fn a_refusal_tells_of_the_greater_one() {
    let mut appointed = Host::new(Policy::default(), &[]);
    let organization = Arc::make_mut(&mut appointed.config.organization);
    organization.groups[0].master = Some("b".into());
    organization.revision = 2;
    appointed.input(Input::Configuration);
    let order = Order::Appoint { member: "a".into() };
    appointed.input(Input::Command(Command::Order { from: crate::host::C2, order }));
    assert_eq!(appointed.node.machine().link().master(), Some(&"a".into()));
    let line = *appointed.opened.last().expect("it calls b");
    appointed.input(Input::Link { peer: line, change: LinkChange::Up });
    let known = Some(Term { counter: 9, member: "b".into(), nonce: 4 });
    let refuse = ElectionPdu::Refuse { round: 1, known, seats: None };
    appointed.say(line, Pdu::Election { by: "b".into(), pdu: refuse });
    assert_eq!(appointed.node.machine().link().master(), Some(&"b".into()));
}

/// MA-076: a master by appointment that has lost its disk takes another one for the master, which refuses it;
/// whoever knows better tells it.
fn the_disk_is_lost(faults: &[&str]) -> Network {
    let mut network = network(faults);
    set(&mut network, 'c');
    network.run(Span::seconds(60));
    all_follow(&network, 'c');
    network.crash(&member(1, 'c'));
    network.sites.get_mut(&member(1, 'c')).unwrap().durable = Durable::default();
    network.boot(&member(1, 'c'));
    network.run(Span::minutes(3));
    network
}

#[test]
fn a_master_without_its_disk_is_reminded() {
    let network = the_disk_is_lost(&[]);
    all_follow(&network, 'c');
    let record = network.sites[&member(1, 'a')].durable.link.records.get(&GroupName::from("g1"));
    assert_eq!(record.expect("a record").version.term.counter, 3, "a new term");
    let network = the_disk_is_lost(&["nobody-reminds"]);
    assert_eq!(masters(&network).len(), 2, "each takes the other one for the master");
}

/// MA-070: two operators on both sides of a broken link set two masters; the greater term wins everywhere.
#[test]
fn of_two_appointments_one_wins() {
    let mut network = network(&[]);
    network.crash(&member(1, 'b'));
    let (a, c) = (member(1, 'a'), member(1, 'c'));
    network.cuts.extend([(a.clone(), c.clone()), (c.clone(), a.clone())]);
    set(&mut network, 'a');
    set(&mut network, 'c');
    network.run(Span::seconds(60));
    assert_eq!(masters(&network), BTreeSet::from([Some(a), Some(c)]), "each has its own");
    network.cuts.clear();
    network.run(Span::seconds(20));
    all_follow(&network, 'c');
    network.boot(&member(1, 'b'));
    network.run(Span::seconds(60));
    all_follow(&network, 'c');
}

/// MA-070: the operator's later word, a newer file, outweighs the order.
#[test]
fn a_newer_file_outweighs_an_appointment() {
    let mut network = network(&[]);
    set(&mut network, 'c');
    network.run(Span::seconds(20));
    all_follow(&network, 'c');
    let mut next = three_members();
    next.revision = 2;
    next.groups[0].master = Some(member(1, 'a'));
    let next = Arc::new(next);
    for site in network.sites.values_mut() {
        site.config.organization = Arc::clone(&next);
    }
    // The one that was appointed reads the file last.
    for letter in ['a', 'b', 'c'] {
        network.step(&member(1, letter), Input::Configuration);
        network.run(Span::seconds(8));
    }
    network.run(Span::seconds(60));
    all_follow(&network, 'a');
    assert_eq!(published(&network).member, member(1, 'a'));
}

/// MA-070: without an order, the file names the master, and a change back is an order like any other.
#[test]
fn the_named_master_can_be_set_again() {
    let mut network = network(&[]);
    set(&mut network, 'c');
    network.run(Span::seconds(20));
    let answer = set(&mut network, 'b');
    assert_eq!(answer.done.len(), 1);
    network.run(Span::seconds(20));
    all_follow(&network, 'b');
    assert_eq!(begun_by(&network, 'b', Time(0)), [3]);
}

/// MA-071: who is refused, and why.
#[test]
fn orders_that_make_no_sense_are_refused() {
    let mut network = network(&[]);
    let text =
        |answer: Ordered| answer.refused.into_iter().map(|item| item.text).collect::<Vec<_>>();
    assert_eq!(text(set(&mut network, 'b')), ["it is the master already"]);
    let (a, c) = (member(1, 'a'), member(1, 'c'));
    let number = network.order(&a, Order::Appoint { member: c });
    network.run(Span::milliseconds(50));
    let Some(Pdu::Ordered(answer)) = network.replies.get(&number) else { panic!("an answer") };
    assert_eq!(text(answer.clone()), ["the order is for g1-c: ask that member's own socket"]);
}

fn say(host: &mut Host, by: &str, pdu: ElectionPdu) -> Vec<ElectionPdu> {
    let said = host.say(C1, Pdu::Election { by: MemberName::from(by), pdu });
    let words = said.into_iter().filter_map(|pdu| match pdu {
        Pdu::Election { pdu, .. } => Some(pdu),
        _ => None,
    });
    words.collect()
}

fn told(round: u64, counter: u64, by: &str, revision: u32) -> ElectionPdu {
    let term = Term { counter, member: MemberName::from(by), nonce: 1 };
    ElectionPdu::Appointed { round, term, revision }
}

/// MA-073: the greatest appointment is obeyed, smaller ones are refused with its term; one under an older
/// file is not in force.
#[test]
fn smaller_appointments_are_refused() {
    let host = |faults: &[&str]| {
        let mut host = Host::new(Policy::default(), faults);
        let organization = Arc::make_mut(&mut host.config.organization);
        organization.groups[0].members.push("c".into());
        organization.revision = 3;
        host.input(Input::Configuration);
        host
    };
    let mut obedient = host(&[]);
    assert_eq!(say(&mut obedient, "c", told(7, 5, "c", 3)), [ElectionPdu::Obeyed { round: 7 }]);
    let known = Some(Term { counter: 5, member: "c".into(), nonce: 1 });
    let refused = |round| [ElectionPdu::Refuse { round, known: known.clone(), seats: None }];
    assert_eq!(say(&mut obedient, "b", told(8, 4, "b", 3)), refused(8));
    assert_eq!(say(&mut obedient, "b", told(9, 9, "b", 2)), refused(9), "of an older file");
    assert_eq!(obedient.node.machine().link().master(), Some(&"c".into()));
    assert_eq!(say(&mut obedient, "b", told(10, 4, "b", 4)), [ElectionPdu::Obeyed { round: 10 }]);
    let mut planted = host(&["old-appointment-obeyed"]);
    say(&mut planted, "c", told(7, 5, "c", 3));
    assert_eq!(say(&mut planted, "b", told(8, 4, "b", 3)), [ElectionPdu::Obeyed { round: 8 }]);
}

/// WI-125: nobody tells of another one's mastership, and nobody from another group of its own.
#[test]
fn only_the_master_itself_tells() {
    let mut host = Host::new(Policy::default(), &[]);
    for (by, term) in [("b", "c"), ("z", "z")] {
        assert_eq!(say(&mut host, by, told(1, 5, term, 9)), []);
        assert!(matches!(host.events.last(), Some(Event::Misbehaved { .. })));
    }
    assert!(HERALD_INTERVAL < Span::minutes(1));
}

/// MA-071: a group that elects its master is told so.
#[test]
fn an_electing_group_sets_no_master() {
    let mut network = crate::elected::electing();
    let order = Order::Appoint { member: network.config.member.clone() };
    network.input(Input::Command(Command::Order { from: crate::host::C2, order }));
    let Some((_, Pdu::Ordered(answer))) = network.said.last() else { panic!("an answer") };
    let [refusal] = &answer.refused[..] else { panic!("{answer:?}") };
    assert!(refusal.text.starts_with("the group elects its master"), "{}", refusal.text);
    assert_eq!(network.node.machine().link().master(), None);
}
