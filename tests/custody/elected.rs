//! A member whose group elects its master: what the election tells the link state, and what operators may order.

use std::sync::Arc;

use bridgehead::kernel::Input;
use bridgehead::protocol::linkstate::Term;
use bridgehead::protocol::member::{Command, Event, Pdu, Policy};
use bridgehead::protocol::operator::Order;
use bridgehead::protocol::organization::{BackEnd, ElectionSettings};
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::ids::MemberName;

use super::host::{C1, C2, Host};

/// Member `a` of a group in which `a`, `b` and `c` vote.
pub(crate) fn electing() -> Host {
    let mut host = Host::new(Policy::default(), &[]);
    let organization = Arc::make_mut(&mut host.config.organization);
    let group = &mut organization.groups[0];
    group.members.push("c".into());
    group.master = None;
    group.election = Some(ElectionSettings {
        voters: group.members.clone(),
        back_end: BackEnd::Embedded,
        witness: None,
        lease_s: 5,
        clock_drift_ppm: 50_000,
    });
    assert_eq!(organization.check(), []);
    host.input(Input::Configuration);
    host
}

fn term(counter: u64, member: &str) -> Term {
    Term { counter, member: MemberName::from(member), nonce: 1 }
}

fn say(host: &mut Host, by: &str, pdu: ElectionPdu) -> Vec<ElectionPdu> {
    let said = host.say(C1, Pdu::Election { by: MemberName::from(by), pdu });
    let words = said.into_iter().map(|pdu| match pdu {
        Pdu::Election { pdu, .. } => pdu,
        other => panic!("no word of an election: {other:?}"),
    });
    words.collect()
}

/// MA-049: nobody convenes in an election in which this member has no part.
#[test]
fn a_stranger_is_not_answered() {
    let mut host = electing();
    let poll = ElectionPdu::Poll { round: 1, term: term(2, "z") };
    assert_eq!(say(&mut host, "z", poll), []);
    assert!(host.events.iter().any(|event| matches!(event, Event::Misbehaved { .. })));
    let mut named = Host::new(Policy::default(), &[]);
    let poll = ElectionPdu::Poll { round: 1, term: term(2, "b") };
    assert_eq!(say(&mut named, "b", poll), [], "its group has a master by name");
}

/// MA-040, MA-041: whoever leads is the master, and one of a smaller term is refused.
#[test]
fn the_master_is_whoever_leads() {
    let mut host = electing();
    assert_eq!(host.node.machine().link().master(), None, "nobody was elected yet");
    let lead = |counter, by: &str| ElectionPdu::Lead { round: 1, term: term(counter, by) };
    assert_eq!(say(&mut host, "b", lead(2, "b")), [ElectionPdu::Obeyed { round: 1 }]);
    assert_eq!(host.node.machine().link().master(), Some(&"b".into()));
    let refused = ElectionPdu::Refuse { round: 1, known: Some(term(2, "b")) };
    assert_eq!(say(&mut host, "c", lead(1, "c")), [refused]);
    assert_eq!(host.node.machine().link().master(), Some(&"b".into()));
    assert_eq!(say(&mut host, "c", lead(3, "c")), [ElectionPdu::Obeyed { round: 1 }]);
    assert_eq!(host.node.machine().link().master(), Some(&"c".into()));
}

/// MA-042: who is not the master hands nothing over, and says who is.
#[test]
fn only_the_master_hands_over() {
    let mut host = electing();
    say(&mut host, "b", ElectionPdu::Lead { round: 1, term: term(2, "b") });
    let order = Order::Transfer { to: Some("c".into()) };
    host.input(Input::Command(Command::Order { from: C2, order }));
    let Some((_, Pdu::Ordered(answer))) = host.said.last() else { panic!("an answer") };
    assert_eq!(answer.done, []);
    assert_eq!(answer.refused[0].text, "it is not the master, b is");
}
