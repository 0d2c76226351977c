//! One machine that asks a store, which the test plays.

use bridgehead::kernel::{Act, Input, Span, Ticket};
use bridgehead::protocol::master::election::{
    ElectionCommand, ElectionDurable, ElectionEvent, ElectionTimer, Standing, StoreAnswer,
    StoreAsk, StoreQuery, StoreWord,
};
use bridgehead::protocol::organization::BackEnd;
use bridgehead::wire::election::ElectionPdu;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::record::Term;

use super::desk::{Desk, LEASE, convener, lead, poll, refuse, term, unwilling, vote, voter};
use super::world::group;

fn config(place: usize) -> bridgehead::protocol::master::election::ElectionConfig {
    let mut config = group((3, false, 1), (LEASE, 50_000), &[]).swap_remove(place);
    config.back_end = BackEnd::Etcd;
    config
}

/// The member at this place of a group of three that stand, just booted.
fn desk(place: usize) -> Desk {
    Desk::boot(config(place), ElectionDurable::default(), 1)
}

fn asked(desk: &Desk) -> Vec<StoreQuery> {
    let asked = desk.last.iter().filter_map(|act| match act {
        Act::Ask { query, .. } => Some(query.clone()),
        _ => None,
    });
    asked.collect()
}

/// The one question of the last step.
fn question(desk: &Desk) -> StoreAsk {
    let [query] = &asked(desk)[..] else { panic!("{:?}", desk.last) };
    assert_eq!(query.round, desk.round());
    query.ask.clone()
}

fn says(desk: &mut Desk, word: StoreWord) {
    let answer = StoreAnswer { round: desk.round(), word };
    desk.step(Input::Answer { ticket: Ticket(0), answer });
}

fn stands(known: Option<&Term>, holder: Option<&Term>, waited: bool) -> StoreWord {
    let standing = Standing { term: known.cloned(), holder: holder.cloned() };
    StoreWord::Stands { standing, waited }
}

/// Reads an empty store, and begins; the term.
fn begin(desk: &mut Desk) -> Term {
    desk.fire(ElectionTimer::Stand);
    says(desk, stands(None, None, false));
    desk.store();
    let StoreAsk::Begin { term, .. } = question(desk) else { panic!("{:?}", desk.last) };
    term
}

fn elect(desk: &mut Desk) -> Term {
    let term = begin(desk);
    says(desk, StoreWord::Done);
    desk.store();
    assert!(desk.leads());
    desk.connect();
    term
}

/// MA-081: a member that stands reads the store first, and begins nothing while another one holds the mastership.
#[test]
fn ma_081_nobody_begins_while_another_one_holds_the_mastership() {
    let mut candidate = desk(1);
    candidate.fire(ElectionTimer::Stand);
    let patience = Span(LEASE.0 / 3);
    let member = MemberName::from("v2");
    assert_eq!(question(&candidate), StoreAsk::Look { member, patience });
    let other = term(4, "v1");
    says(&mut candidate, stands(Some(&other), Some(&other), false));
    candidate.store();
    assert_eq!(asked(&candidate), []);
    assert_eq!(candidate.disk.term, Some(other.clone()), "what it has read it knows from then on");
    let tenth = Span(LEASE.0 / 10);
    let in_place = Some((tenth, Span(2 * tenth.0)));
    assert_eq!(candidate.armed(&ElectionTimer::Stand), in_place);
    // The holder has gone while the answer waited: the candidate waits its place, and reads again.
    candidate.fire(ElectionTimer::Stand);
    says(&mut candidate, stands(Some(&other), None, true));
    assert_eq!(asked(&candidate), []);
    assert_eq!(candidate.armed(&ElectionTimer::Stand), in_place);
    candidate.fire(ElectionTimer::Stand);
    says(&mut candidate, stands(Some(&other), None, false));
    candidate.store();
    assert!(matches!(question(&candidate), StoreAsk::Begin { .. }));
}

/// MA-082, MA-083: the term is greater than the one in the store and any that is known, on disk before the
/// store is asked, and begins only over what was read.
#[test]
fn ma_082_a_term_is_greater_than_all_and_stored_before_it_is_asked_for() {
    let mut candidate = desk(0);
    candidate.order(ElectionCommand::Published(term(9, "v3")));
    candidate.fire(ElectionTimer::Stand);
    let stored = term(6, "v2");
    says(&mut candidate, stands(Some(&stored), None, false));
    assert_eq!(asked(&candidate), [], "the term is not on disk yet");
    candidate.store();
    let StoreAsk::Begin { over, term, lease } = question(&candidate) else { panic!() };
    assert_eq!((term.counter, term.member.as_str(), lease), (10, "v1", LEASE));
    assert_eq!(over, Standing { term: Some(stored), holder: None });
    assert_eq!(candidate.disk.term, Some(term));
    assert!(!candidate.leads(), "the store has not answered");
}

/// MA-036: the lease is counted from before the store was asked, shorter by the drift.
#[test]
fn ma_036_the_lease_is_counted_from_before_the_store_was_asked() {
    let mut candidate = desk(0);
    candidate.fire(ElectionTimer::Stand);
    says(&mut candidate, stands(None, None, false));
    let lease = Span(LEASE.0 * 950_000 / 1_050_000);
    let timer = ElectionTimer::Lease(candidate.round());
    assert_eq!(candidate.armed(&timer), Some((lease, lease)));
    let place = |wanted: fn(&Act<_>) -> bool| candidate.last.iter().position(wanted);
    assert!(place(|act| matches!(act, Act::Ask { .. })).is_none(), "it waits for the disk");
    candidate.store();
    says(&mut candidate, StoreWord::Done);
    assert!(candidate.leads());
    assert_eq!(candidate.armed(&timer), None, "the answer does not make it longer");
    candidate.fire(timer);
    assert!(!candidate.leads());
}

/// MA-037, MA-084: every third of the lease the holder has itself held anew; refused, it is the master no more.
#[test]
fn ma_084_a_holder_whose_round_is_refused_ceases_at_once() {
    let mut holder = desk(0);
    let own = elect(&mut holder);
    let first = holder.round();
    assert_eq!(holder.said(&voter("v2")), [], "its connection opens first");
    holder.fire(ElectionTimer::Round);
    assert_eq!(question(&holder), StoreAsk::Hold { term: own.clone(), lease: LEASE });
    assert_ne!(holder.round(), first);
    says(&mut holder, StoreWord::Done);
    let round = holder.round();
    let told = [ElectionPdu::Lead { round, term: own.clone() }];
    assert_eq!(holder.said(&voter("v2")), told, "MA-040: with every round that is granted");
    assert_eq!(holder.said(&voter("m1")), told);
    assert!(!holder.node.armed().contains(&ElectionTimer::Lease(first)));
    holder.fire(ElectionTimer::Round);
    let other = term(own.counter + 1, "v2");
    let standing = Standing { term: Some(other.clone()), holder: Some(other.clone()) };
    says(&mut holder, StoreWord::Refused(standing));
    assert!(!holder.leads());
    assert_eq!(holder.events(), [ElectionEvent::Ceased { term: own }]);
    assert_eq!(holder.node.machine().known(), Some(&other));
}

/// MA-085: silence shortens no lease and prolongs none; the answer to another question counts for nothing.
#[test]
fn ma_085_silence_and_late_answers_count_for_nothing() {
    let mut holder = desk(0);
    elect(&mut holder);
    let first = holder.round();
    holder.fire(ElectionTimer::Round);
    says(&mut holder, StoreWord::Silent);
    assert!(holder.leads());
    assert_eq!(holder.node.machine().lease(), Some(first), "the lease is the one that was granted");
    let late = holder.round();
    holder.fire(ElectionTimer::Round);
    let answer = StoreAnswer { round: late, word: StoreWord::Done };
    holder.step(Input::Answer { ticket: Ticket(0), answer });
    assert_eq!(holder.node.machine().lease(), Some(first), "that round is over");
    holder.fire(ElectionTimer::Lease(first));
    assert!(!holder.leads());
    // MA-038: the round that was begun before can still be granted.
    says(&mut holder, StoreWord::Done);
    assert!(holder.leads());

    let mut candidate = desk(0);
    begin(&mut candidate);
    let round = candidate.round();
    candidate.fire(ElectionTimer::Round);
    let answer = StoreAnswer { round, word: StoreWord::Done };
    candidate.step(Input::Answer { ticket: Ticket(0), answer });
    assert!(!candidate.leads(), "it had a third of the lease to come");
    assert!(!candidate.node.armed().contains(&ElectionTimer::Lease(round)));
}

/// MA-086, MA-042: a master that goes ceases, has the store forget it, and only then tells the voters.
#[test]
fn ma_086_who_hands_over_ceases_then_is_forgotten_then_says_so() {
    let mut holder = desk(0);
    let own = elect(&mut holder);
    let successor = Some(MemberName::from("v3"));
    holder.order(ElectionCommand::Resign { successor: successor.clone() });
    assert!(!holder.leads());
    assert_eq!(holder.events(), [ElectionEvent::Ceased { term: own.clone() }]);
    assert_eq!(question(&holder), StoreAsk::Forget { term: own.clone() });
    assert_eq!(holder.said(&voter("v3")), []);
    says(&mut holder, StoreWord::Done);
    let farewell = ElectionPdu::Resign { term: own, successor: successor.clone() };
    assert_eq!(holder.said(&voter("v3")), [farewell]);
    // The same where the store does not answer.
    let mut holder = desk(0);
    let own = elect(&mut holder);
    holder.order(ElectionCommand::Resign { successor: successor.clone() });
    holder.fire(ElectionTimer::Round);
    assert_eq!(holder.said(&voter("v3")), [ElectionPdu::Resign { term: own, successor }]);
}

/// MA-086: what a member has held itself, before its restart, is not in its way; MA-036: but it is no lease.
#[test]
fn ma_086_a_member_takes_over_what_it_has_held_itself_under_a_new_term() {
    let mut before = desk(0);
    let own = elect(&mut before);
    let mut after = Desk::boot(config(0), before.disk.clone(), 2);
    assert!(!after.leads());
    after.fire(ElectionTimer::Stand);
    says(&mut after, stands(Some(&own), Some(&own), false));
    after.store();
    let StoreAsk::Begin { over, term, .. } = question(&after) else { panic!("{:?}", after.last) };
    assert_eq!(over.holder, Some(own.clone()));
    assert!(term > own);
}

/// MA-083: who is refused because it has its own term in the store already was granted it: the host has repeated
/// the question.
#[test]
fn ma_083_a_refusal_that_shows_the_own_term_is_a_grant() {
    let mut candidate = desk(0);
    let own = begin(&mut candidate);
    let round = candidate.round();
    let standing = Standing { term: Some(own.clone()), holder: Some(own) };
    says(&mut candidate, StoreWord::Refused(standing));
    assert_eq!(candidate.node.machine().lease(), Some(round));
    // Where another one holds it, nothing was granted.
    let mut candidate = desk(0);
    let own = begin(&mut candidate);
    let other = term(own.counter, "v2");
    let standing = Standing { term: Some(other.clone()), holder: Some(other) };
    says(&mut candidate, StoreWord::Refused(standing));
    assert!(!candidate.leads());
}

/// MA-087: nobody votes; MA-040, MA-041: but everybody obeys, and refuses a smaller term.
#[test]
fn ma_087_a_member_that_asks_a_store_votes_for_nobody() {
    let mut member = desk(1);
    assert_eq!(member.asked("v1", poll(3, "v1")), [unwilling(None)]);
    assert_eq!(member.asked("v1", vote(3, "v1")), [refuse(None)]);
    assert_eq!(member.disk.term, None);
    assert_eq!(member.asked("v1", lead(3, "v1")).len(), 1);
    assert_eq!(member.disk.term, Some(term(3, "v1")));
    member.step(Input::Pdu { from: convener("v3"), pdu: lead(2, "v3") });
    assert_eq!(member.said(&convener("v3")), [refuse(Some(term(3, "v1")))]);
}

/// MA-039: a candidate that hears nothing of the store waits ever longer.
#[test]
fn ma_039_a_candidate_whose_store_is_silent_waits_ever_longer() {
    let mut candidate = desk(0);
    let mut waits = Vec::new();
    for _ in 0..5 {
        candidate.fire(ElectionTimer::Stand);
        says(&mut candidate, StoreWord::Silent);
        waits.push(candidate.armed(&ElectionTimer::Stand).expect("it stands again").1.0);
    }
    let tenth = LEASE.0 / 10;
    assert_eq!(waits, [tenth, 2 * tenth, 4 * tenth, 8 * tenth, LEASE.0]);
}
