//! A voter that drains: the others go first, and it votes as any of them (MA-059).

use bridgehead::kernel::Span;
use bridgehead::protocol::master::election::{ElectionCommand, ElectionEvent, ElectionTimer};
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::ids::MemberName;

use super::desk::*;

const DRAIN: ElectionCommand = ElectionCommand::Drain { on: true };

fn waits(desk: &Desk) -> Span {
    desk.armed(&ElectionTimer::Stand).expect("it waits").0
}

/// MA-059.
#[test]
fn ma_059_a_master_that_drains_resigns_and_waits_behind_the_others() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    let held = desk.disk.term.clone().expect("it leads");
    desk.connect();
    desk.order(DRAIN);
    assert!(!desk.leads());
    assert!(matches!(desk.events()[..], [ElectionEvent::Ceased { .. }]));
    let resign = ElectionPdu::Resign { term: held, successor: None };
    assert_eq!(desk.said(&voter("v2")), core::slice::from_ref(&resign));
    assert_eq!(
        waits(&desk),
        Span(2 * LEASE.0),
        "a lease for the others, and one because it drains"
    );
    assert_eq!(desk.asked("v3", vote(2, "v3")), [GRANTED], "it votes as any other");
    assert_eq!(waits(&desk), Span(2 * LEASE.0));
}

/// MA-059: it stands when nobody else does, and when it is named.
#[test]
fn ma_059_a_voter_that_drains_stands_last() {
    let mut desk = Desk::new(0);
    desk.order(DRAIN);
    assert_eq!(waits(&desk), Span(2 * LEASE.0));
    desk.fire(ElectionTimer::Promise);
    desk.fire(ElectionTimer::Stand);
    assert!(desk.node.machine().is_asking(), "nobody else does");
    desk.fire(ElectionTimer::Round);
    assert_eq!(waits(&desk), LEASE, "and again");
    desk.asked("v2", vote(5, "v2"));
    let resign =
        ElectionPdu::Resign { term: term(5, "v2"), successor: Some(MemberName::from("v1")) };
    desk.asked("v2", resign);
    assert_eq!(waits(&desk), Span::ZERO, "the master has named it");
    desk.order(ElectionCommand::Drain { on: false });
    desk.asked("v3", vote(6, "v3"));
    assert_eq!(waits(&desk), LEASE, "it drains no more");
}

/// MA-059: one that asks when it is told to drain asks no more.
#[test]
fn ma_059_a_candidate_that_drains_gives_up() {
    let mut desk = Desk::ready(0);
    desk.fire(ElectionTimer::Stand);
    desk.order(DRAIN);
    assert!(!desk.node.machine().is_asking());
    assert_eq!(waits(&desk), LEASE);
}
