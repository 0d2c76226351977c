//! The clauses, one by one, at one machine.

use bridgehead::kernel::{Act, Input, Span};
use bridgehead::protocol::master::election::{
    ElectionCommand, ElectionDurable, ElectionEvent, ElectionTimer, SILENT_ROUNDS,
};
use bridgehead::wire::election::{ELECTED_LIMIT, ElectionPdu};
use bridgehead::wire::ids::MemberName;

use super::desk::{
    Desk, GRANTED, LEASE, LEASE_MS, OBEYED, WILLING, convener, lead, poll, refuse, term, unwilling,
    vote, vote_for, voter,
};

/// MA-030.
#[test]
fn ma_030_a_grant_waits_until_its_term_and_span_are_stored() {
    let mut desk = Desk::ready(0);
    desk.step(Input::Pdu { from: convener("v2"), pdu: vote(1, "v2") });
    assert_eq!(desk.said(&convener("v2")), []);
    desk.store();
    assert_eq!(desk.said(&convener("v2")), [GRANTED]);
    assert_eq!((desk.disk.term.clone(), desk.disk.span), (Some(term(1, "v2")), LEASE));
    // The next round of the same term has nothing to wait for.
    desk.step(Input::Pdu { from: convener("v2"), pdu: vote(1, "v2") });
    assert_eq!(desk.said(&convener("v2")), [GRANTED]);
    assert!(desk.unwritten.is_empty());
}

/// MA-031.
#[test]
fn ma_031_a_promise_binds_until_it_is_over() {
    let mut desk = Desk::ready(0);
    assert_eq!(desk.asked("v2", vote(1, "v2")), [GRANTED]);
    assert_eq!(desk.armed(&ElectionTimer::Promise), Some((LEASE, LEASE)));
    assert_eq!(desk.asked("v3", poll(2, "v3")), [unwilling(Some(term(1, "v2")))]);
    assert_eq!(desk.asked("v3", vote(2, "v3")), [refuse(Some(term(1, "v2")))]);
    assert_eq!(desk.asked("v2", poll(2, "v2")), [WILLING]);
    desk.fire(ElectionTimer::Promise);
    assert_eq!(desk.asked("v3", poll(2, "v3")), [WILLING]);
    assert_eq!(desk.asked("v3", vote(2, "v3")), [GRANTED]);
}

/// MA-031.
#[test]
fn ma_031_the_longest_span_counts() {
    let mut desk = Desk::ready(0);
    let long = Span::seconds(20);
    desk.asked("v2", vote_for(20_000, 1, "v2"));
    assert_eq!(desk.armed(&ElectionTimer::Promise), Some((long, long)));
    // A shorter round does not shorten what stands.
    desk.asked("v2", vote_for(1_000, 1, "v2"));
    assert_eq!(desk.armed(&ElectionTimer::Promise), Some((long, long)));
    desk.fire(ElectionTimer::Promise);
    desk.asked("v3", vote_for(1_000, 2, "v3"));
    assert_eq!(desk.armed(&ElectionTimer::Promise), Some((LEASE, LEASE)));
    assert_eq!(desk.disk.span, LEASE);
}

/// MA-032.
#[test]
fn ma_032_a_smaller_term_is_refused_with_the_greatest() {
    let mut desk = Desk::ready(0);
    desk.asked("v3", vote(5, "v3"));
    desk.fire(ElectionTimer::Promise);
    for smaller in [vote(4, "v2"), vote(5, "v2")] {
        assert_eq!(desk.asked("v2", smaller), [refuse(Some(term(5, "v3")))]);
    }
    // Not even that many voters are asked for it.
    assert_eq!(desk.asked("v2", poll(5, "v2")), [unwilling(Some(term(5, "v3")))]);
    assert_eq!(desk.asked("v2", vote(6, "v2")), [GRANTED]);
}

/// MA-033.
#[test]
fn ma_033_a_boot_forgets_promises_and_waits() {
    let config = Desk::new(0).config;
    let disk = ElectionDurable { term: Some(term(3, "v2")), span: Span::seconds(20), seats: None };
    for (disk, wait) in [(ElectionDurable::default(), LEASE), (disk, Span::seconds(20))] {
        let mut desk = Desk::boot(config.clone(), disk, 1);
        assert_eq!(desk.armed(&ElectionTimer::Promise), Some((wait, wait)));
        let known = desk.disk.term.clone();
        assert_eq!(desk.asked("v2", poll(4, "v2")), [unwilling(known.clone())]);
        assert_eq!(desk.asked("v2", vote(4, "v2")), [refuse(known)]);
        desk.fire(ElectionTimer::Promise);
        assert_eq!(desk.asked("v2", vote(4, "v2")), [GRANTED]);
    }
}

/// MA-034.
#[test]
fn ma_034_no_term_begins_without_a_majority_in_one_poll() {
    let mut desk = Desk::of((5, false, 0), 0);
    desk.fire(ElectionTimer::Promise);
    desk.stand();
    let first = desk.round();
    desk.answered("v2", ElectionPdu::Willing { round: first });
    desk.answered("v2", ElectionPdu::Willing { round: first });
    assert_eq!(desk.disk.term, None);
    desk.fire(ElectionTimer::Round);
    desk.stand();
    assert_eq!(desk.round(), first + 1);
    // The word of the first poll does not count in the second.
    desk.answered("v2", ElectionPdu::Willing { round: first });
    desk.answered("v3", ElectionPdu::Willing { round: first + 1 });
    assert_eq!(desk.disk.term, None);
    desk.answered("v4", ElectionPdu::Willing { round: first + 1 });
    assert_eq!(desk.disk.term.as_ref().map(|term| term.counter), Some(1));
}

/// MA-034.
#[test]
fn ma_034_who_is_polled_keeps_nothing() {
    let mut desk = Desk::ready(0);
    let (node, disk) = (desk.node.clone(), desk.disk.clone());
    assert_eq!(desk.asked("v2", poll(9, "v2")), [WILLING]);
    assert!(desk.node == node && desk.disk == disk && disk.term.is_none());
}

/// MA-034.
#[test]
fn ma_034_the_witness_votes_and_never_stands() {
    let mut desk = Desk::of((2, true, 0), 0);
    desk.fire(ElectionTimer::Promise);
    desk.elect("w");
    let mut witness = Desk::of((2, true, 0), 2);
    assert_eq!(witness.armed(&ElectionTimer::Stand), None);
    witness.fire(ElectionTimer::Promise);
    assert_eq!(witness.asked("v1", poll(1, "v1")), [WILLING]);
    assert_eq!(witness.asked("v1", vote(1, "v1")), [GRANTED]);
}

/// MA-035.
#[test]
fn ma_035_a_term_is_stored_before_anybody_is_asked_to_grant_it() {
    let mut desk = Desk::ready(1);
    desk.asked("v3", vote(8, "v3"));
    desk.fire(ElectionTimer::Promise);
    desk.stand();
    let asked = desk.node.machine().clone();
    desk.step(Input::Pdu { from: voter("v1"), pdu: ElectionPdu::Willing { round: asked.round() } });
    assert_eq!(desk.said(&voter("v1")), []);
    assert_eq!(desk.armed(&ElectionTimer::Promise), Some((LEASE, LEASE)));
    desk.store();
    let [ElectionPdu::Vote { term, round, lease_ms, seats: None }] = &desk.said(&voter("v1"))[..]
    else {
        panic!("{:?}", desk.last)
    };
    assert_eq!((term.counter, term.member.as_str(), *lease_ms), (9, "v2", LEASE_MS));
    assert_eq!(*round, asked.round() + 1);
    assert_eq!(desk.disk.term.as_ref(), Some(term));
}

/// MA-035: between its poll and the answers it may promise somebody else: then it does not begin.
#[test]
fn ma_035_a_candidate_that_has_promised_another_does_not_begin() {
    let mut desk = Desk::ready(0);
    desk.stand();
    let round = desk.round();
    assert_eq!(desk.asked("v2", vote(1, "v2")), [GRANTED]);
    desk.answered("v3", ElectionPdu::Willing { round });
    assert_eq!(desk.disk.term, Some(term(1, "v2")));
    // The same where the round of the other one is a later one of a term that it knows.
    desk.fire(ElectionTimer::Promise);
    desk.stand();
    let round = desk.round();
    assert_eq!(desk.asked("v2", vote(1, "v2")), [GRANTED]);
    desk.answered("v3", ElectionPdu::Willing { round });
    assert_eq!(desk.disk.term, Some(term(1, "v2")));
}

/// MA-035.
#[test]
fn ma_035_what_a_refusal_tells_is_outdone() {
    let mut desk = Desk::ready(0);
    desk.stand();
    let round = desk.round();
    desk.answered("v2", ElectionPdu::Unwilling { round, known: Some(term(41, "v3")), seats: None });
    assert_eq!(desk.disk.term, Some(term(41, "v3")));
    desk.fire(ElectionTimer::Stand);
    let [ElectionPdu::Poll { term, .. }] = &desk.said(&voter("v2"))[..] else { panic!() };
    assert_eq!(term.counter, 42);
    // Where no term can follow, it does not stand at all.
    desk.order(ElectionCommand::Published(self::term(ELECTED_LIMIT, "v3")));
    desk.fire(ElectionTimer::Stand);
    assert_eq!(desk.said(&voter("v2")), []);
}

/// MA-036.
#[test]
fn ma_036_a_lease_is_counted_from_before_the_question() {
    let mut desk = Desk::ready(0);
    desk.stand();
    desk.step(Input::Pdu { from: voter("v2"), pdu: ElectionPdu::Willing { round: desk.round() } });
    desk.store();
    let lease = ElectionTimer::Lease(desk.round());
    let is_lease = |act: &Act<_>| matches!(act, Act::Arm { timer, .. } if *timer == lease);
    let is_vote = |act: &Act<_>| matches!(act, Act::Send { pdu: ElectionPdu::Vote { .. }, .. });
    let (armed, asked) = (desk.last.iter().position(is_lease), desk.last.iter().position(is_vote));
    assert!(armed.is_some() && armed < asked);
    let span = Span(5_000_000 * 950_000 / 1_050_000);
    assert_eq!(desk.armed(&lease), Some((span, span)));
    desk.answered("v2", ElectionPdu::Granted { round: desk.round() });
    assert!(desk.leads());
    assert_eq!(desk.armed(&lease), None);
    desk.fire(lease);
    assert!(!desk.leads());
}

/// MA-036: the slowest clock of a holder against the fastest one of a voter.
#[test]
fn ma_036_no_lease_outlasts_a_promise_in_it() {
    let mut config = Desk::new(0).config;
    let million = 1_000_000_u128;
    for lease in (1..=300).flat_map(|s| [Span::seconds(s), Span(s * 999_983)]) {
        for drift in [0, 1, 20, 333, 50_000, 199_999, 200_000] {
            (config.lease, config.drift_ppm) = (lease, drift);
            let drift = u128::from(drift);
            // True spans are these over the rates: multiplied crosswise, nothing is rounded.
            let held = u128::from(config.lease_of_holder().0) * (million + drift);
            let promised = u128::from(lease.0) * (million - drift);
            assert!(held <= promised, "{lease} {drift}");
            assert!(promised - held <= million + drift, "no shorter than it must be");
        }
    }
}

/// MA-036.
#[test]
fn ma_036_a_boot_ends_a_lease() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    let held = desk.disk.term.clone().expect("it leads");
    let mut desk = Desk::boot(desk.config, desk.disk, 2);
    assert!(!desk.leads() && desk.events().is_empty());
    desk.fire(ElectionTimer::Promise);
    desk.elect("v2");
    assert_eq!(desk.disk.term.map(|term| term.counter), Some(held.counter + 1));
}

/// MA-037.
#[test]
fn ma_037_a_holder_renews_and_no_round_shortens_its_lease() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    let (first, held) = (desk.round(), desk.disk.term.clone().expect("it leads"));
    desk.fire(ElectionTimer::Round);
    assert_eq!(desk.armed(&ElectionTimer::Round), Some((Span(LEASE.0 / 3), Span(LEASE.0 / 3))));
    let [ElectionPdu::Vote { round, term, .. }] = &desk.said(&voter("v3"))[..] else { panic!() };
    assert_eq!((*round, term), (first + 1, &held));
    // Two rounds fail: the lease is that of the first.
    desk.fire(ElectionTimer::Round);
    assert!(desk.node.armed().contains(&ElectionTimer::Lease(first)));
    assert!(!desk.node.armed().contains(&ElectionTimer::Lease(first + 1)));
    // The third one takes its place.
    desk.answered("v3", ElectionPdu::Granted { round: first + 2 });
    assert!(!desk.node.armed().contains(&ElectionTimer::Lease(first)));
    assert!(desk.leads() && desk.events().is_empty());
    desk.fire(ElectionTimer::Lease(first + 2));
    assert_eq!(desk.events(), [ElectionEvent::Ceased { term: held }]);
}

/// MA-038.
#[test]
fn ma_038_a_round_begun_before_the_end_can_be_granted_after_it() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    let (first, held) = (desk.round(), desk.disk.term.clone().expect("it leads"));
    desk.fire(ElectionTimer::Round);
    desk.fire(ElectionTimer::Lease(first));
    assert!(!desk.leads());
    desk.answered("v2", ElectionPdu::Granted { round: first });
    assert!(!desk.leads());
    desk.answered("v2", ElectionPdu::Granted { round: first + 1 });
    assert_eq!(desk.events(), [ElectionEvent::Leads(held)]);
}

/// MA-038.
#[test]
fn ma_038_a_greater_term_ends_a_mastership_at_once() {
    let by_refusal = |desk: &mut Desk| {
        let round = desk.round();
        desk.answered("v3", ElectionPdu::Refuse { round, known: Some(term(9, "v3")), seats: None });
    };
    let by_record = |desk: &mut Desk| desk.order(ElectionCommand::Published(term(9, "v3")));
    for learn in [by_refusal, by_record] {
        let mut desk = Desk::ready(0);
        desk.elect("v2");
        let held = desk.disk.term.clone().expect("it leads");
        learn(&mut desk);
        assert_eq!(desk.events(), [ElectionEvent::Ceased { term: held }]);
        assert_eq!(desk.armed(&ElectionTimer::Stand), Some((Span::ZERO, Span::ZERO)));
        // Nothing that was under way makes it the master again.
        let round = desk.round();
        for other in ["v2", "v3"] {
            desk.answered(other, ElectionPdu::Granted { round });
        }
        assert!(!desk.leads());
        desk.stand();
        desk.answered("v2", ElectionPdu::Willing { round: round + 1 });
        assert_eq!(desk.disk.term.as_ref().map(|term| term.counter), Some(10));
    }
}

/// MA-039.
#[test]
fn ma_039_each_candidate_waits_its_turn_and_longer_each_time() {
    let tenth = LEASE.0 / 10;
    for place in 0..3 {
        let mut desk = Desk::new(place);
        let least = LEASE.0 + place as u64 * tenth;
        let wait = Some((Span(least), Span(least + tenth)));
        assert_eq!(desk.armed(&ElectionTimer::Stand), wait);
        desk.fire(ElectionTimer::Promise);
        // Whoever hears a master, or grants a round, begins to wait anew.
        let other = if place == 0 { "v2" } else { "v1" };
        desk.asked(other, vote(1, other));
        assert_eq!(desk.armed(&ElectionTimer::Stand), wait);
        desk.asked(other, lead(1, other));
        assert_eq!(desk.armed(&ElectionTimer::Stand), wait);
    }
    let mut desk = Desk::ready(0);
    for longest in [1, 2, 4, 8, 10, 10] {
        desk.fire(ElectionTimer::Stand);
        desk.fire(ElectionTimer::Round);
        assert_eq!(desk.armed(&ElectionTimer::Stand), Some((Span::ZERO, Span(longest * tenth))));
    }
    assert_eq!(Desk::new(3).armed(&ElectionTimer::Stand), None);
}

/// MA-040.
#[test]
fn ma_040_every_member_is_told_with_every_round_that_is_granted() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    desk.connect();
    desk.fire(ElectionTimer::Round);
    let is_lead = |pdu: &ElectionPdu| matches!(pdu, ElectionPdu::Lead { .. });
    let told = |desk: &Desk, member| desk.said(&voter(member)).iter().any(is_lead);
    assert!(!["v2", "v3", "m1"].iter().any(|member| told(&desk, member)));
    desk.answered("v3", ElectionPdu::Granted { round: desk.round() });
    assert!(["v2", "v3", "m1"].iter().all(|member| told(&desk, member)));
}

/// MA-040.
#[test]
fn ma_040_a_member_stores_a_term_before_it_obeys() {
    for place in [1, 3] {
        let mut desk = Desk::new(place);
        desk.step(Input::Pdu { from: convener("v1"), pdu: lead(3, "v1") });
        assert_eq!(desk.said(&convener("v1")), []);
        desk.store();
        assert_eq!(desk.said(&convener("v1")), [OBEYED]);
        assert_eq!(desk.events(), [ElectionEvent::Follows(term(3, "v1"))]);
        assert_eq!(desk.disk.term, Some(term(3, "v1")));
        assert_eq!(desk.asked("v1", lead(3, "v1")), [OBEYED]);
        assert_eq!(desk.events(), []);
    }
}

/// MA-041.
#[test]
fn ma_041_instructions_under_a_smaller_term_are_refused() {
    let mut desk = Desk::new(3);
    desk.asked("v3", lead(3, "v3"));
    for smaller in [lead(2, "v1"), lead(3, "v1")] {
        assert_eq!(desk.asked("v1", smaller), [refuse(Some(term(3, "v3")))]);
        assert_eq!(desk.events(), []);
    }
}

/// MA-042.
#[test]
fn ma_042_a_master_stops_before_it_says_so_and_for_good() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    let held = desk.disk.term.clone().expect("it leads");
    desk.fire(ElectionTimer::Round);
    let round = desk.round();
    desk.order(ElectionCommand::Resign { successor: Some(MemberName::from("v3")) });
    let is_end = |act: &Act<_>| matches!(act, Act::Event(ElectionEvent::Ceased { .. }));
    let is_word = |act: &Act<_>| matches!(act, Act::Send { .. });
    let (end, word) = (desk.last.iter().position(is_end), desk.last.iter().position(is_word));
    assert!(end.is_some() && end < word);
    let resign = ElectionPdu::Resign { term: held, successor: Some(MemberName::from("v3")) };
    for other in ["v2", "v3"] {
        assert_eq!(desk.said(&voter(other)), core::slice::from_ref(&resign));
    }
    for other in ["v2", "v3"] {
        desk.answered(other, ElectionPdu::Granted { round });
    }
    assert!(!desk.leads());
    // It is free to vote for who follows.
    assert_eq!(desk.asked("v3", vote(2, "v3")), [GRANTED]);
}

/// MA-042.
#[test]
fn ma_042_only_a_promise_to_that_very_term_is_undone() {
    let resign = |counter, member: &str, successor: Option<&str>| ElectionPdu::Resign {
        term: term(counter, member),
        successor: successor.map(MemberName::from),
    };
    for (pdu, is_free) in [(resign(5, "v2", None), true), (resign(4, "v2", None), false)] {
        let mut desk = Desk::ready(0);
        desk.asked("v2", vote(5, "v2"));
        assert_eq!(desk.asked("v2", pdu), []);
        let answer = if is_free { WILLING } else { unwilling(Some(term(5, "v2"))) };
        assert_eq!(desk.asked("v3", poll(6, "v3")), [answer]);
    }
    let mut desk = Desk::ready(0);
    desk.asked("v2", vote(5, "v2"));
    // Another one cannot say it in its place.
    desk.asked("v3", resign(5, "v2", None));
    assert_eq!(desk.asked("v3", poll(6, "v3")), [unwilling(Some(term(5, "v2")))]);
    desk.asked("v2", resign(5, "v2", Some("v1")));
    assert_eq!(desk.armed(&ElectionTimer::Stand), Some((Span::ZERO, Span::ZERO)));
    desk.elect("v3");
}

/// WI-121: what a peer has no place to say closes its connection.
#[test]
fn wi_121_who_breaks_the_rules_is_cut_off() {
    let foreign = [
        ("v2", poll(1, "v3")),
        ("x1", poll(1, "x1")),
        ("v1", poll(1, "v1")),
        ("v2", ElectionPdu::Granted { round: 1 }),
    ];
    for (member, pdu) in foreign {
        let mut desk = Desk::ready(0);
        assert_eq!(desk.asked(member, pdu), []);
        assert!(desk.last.contains(&Act::Close { peer: convener(member) }));
        let misbehaved = |event: &ElectionEvent| matches!(event, ElectionEvent::Misbehaved { .. });
        assert!(desk.events().iter().any(misbehaved));
    }
    let mut desk = Desk::ready(0);
    desk.stand();
    desk.answered("v2", poll(1, "v2"));
    assert!(desk.last.contains(&Act::Close { peer: voter("v2") }));
}

/// WI-122: rounds of two boots have no number in common.
#[test]
fn wi_122_the_rounds_of_each_boot_begin_elsewhere() {
    let config = Desk::new(0).config;
    let rounds: std::collections::BTreeSet<_> = (0..100)
        .map(|seed| Desk::boot(config.clone(), ElectionDurable::default(), seed).round() >> 32)
        .collect();
    assert_eq!(rounds.len(), 100);
    assert!(rounds.iter().all(|round| *round < 1 << 31));
}

#[test]
fn a_connection_that_stays_silent_is_opened_anew() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    let open = |desk: &Desk, member: &str| {
        desk.last.iter().any(|act| matches!(act, Act::Open { peer, .. } if *peer == voter(member)))
    };
    for round in 0..=SILENT_ROUNDS + 2 {
        desk.fire(ElectionTimer::Round);
        desk.answered("v2", ElectionPdu::Granted { round: desk.round() });
        assert!(!open(&desk, "v2"));
        if round < SILENT_ROUNDS - 1 {
            assert!(desk.node.machine().is_asking());
        }
    }
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    let opened = (0..6).filter(|_| {
        desk.fire(ElectionTimer::Round);
        let is_opened = open(&desk, "v3");
        desk.answered("v2", ElectionPdu::Granted { round: desk.round() });
        is_opened
    });
    assert_eq!(opened.count(), 2);
}

/// Another configuration is met like a boot: what was promised under the old one still binds.
#[test]
fn a_new_configuration_ends_a_mastership_and_begins_with_the_wait() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    desk.step(Input::Configuration);
    assert!(!desk.leads());
    assert_eq!(desk.asked("v2", poll(9, "v2")), [unwilling(desk.disk.term.clone())]);
    desk.fire(ElectionTimer::Promise);
    assert_eq!(desk.asked("v2", poll(9, "v2")), [WILLING]);
}
