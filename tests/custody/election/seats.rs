//! MA-044 to MA-047, one by one, at one machine: voters that change.

use std::collections::BTreeSet;

use bridgehead::kernel::{Act, Input, LinkChange, Span};
use bridgehead::protocol::master::election::{
    Election, ElectionChange, ElectionCommand, ElectionDurable, ElectionEvent, ElectionTimer, Seats,
};
use bridgehead::wire::election::{ElectionPdu, WrittenSeats};
use bridgehead::wire::ids::MemberName;

use super::desk::{
    Desk, GRANTED, LEASE, LEASE_MS, OBEYED, WILLING, convener, lead, poll, refuse, term, unwilling,
    vote, voter,
};

fn names(voters: &[&str]) -> BTreeSet<MemberName> {
    voters.iter().copied().map(MemberName::from).collect()
}

/// Seats that the master of a term has written.
fn seats((counter, member): (u64, &str), number: u64, voters: &[&str]) -> WrittenSeats {
    WrittenSeats { term: term(counter, member), number, voters: names(voters) }
}

fn poll_with(counter: u64, member: &str, seats: &WrittenSeats) -> ElectionPdu {
    ElectionPdu::Poll { round: 40, term: term(counter, member), seats: Some(seats.clone()) }
}

fn vote_with(counter: u64, member: &str, seats: &WrittenSeats) -> ElectionPdu {
    let (term, seats) = (term(counter, member), Some(seats.clone()));
    ElectionPdu::Vote { round: 40, term, lease_ms: LEASE_MS, seats }
}

/// A desk whose disk has seats, once it may vote.
fn seated(place: usize, seats: WrittenSeats) -> Desk {
    let disk = ElectionDurable {
        term: Some(seats.term.clone()),
        span: LEASE,
        seats: Some(Seats::Written(seats)),
    };
    let mut desk = Desk::boot(Desk::new(place).config, disk, 1);
    desk.fire(ElectionTimer::Promise);
    desk
}

/// The seats that the last step has sent in a round to this voter.
fn carried(desk: &Desk, member: &str) -> Option<WrittenSeats> {
    desk.said(&voter(member)).into_iter().find_map(|pdu| match pdu {
        ElectionPdu::Vote { seats, .. } | ElectionPdu::Poll { seats, .. } => seats,
        _ => None,
    })
}

/// The file names these voters from now on.
fn file(desk: &mut Desk, voters: &[&str]) {
    desk.config.voters = voters.iter().copied().map(MemberName::from).collect();
    desk.order(ElectionCommand::Voters);
}

fn granted(desk: &mut Desk, member: &str) {
    desk.answered(member, ElectionPdu::Granted { round: desk.round() });
}

/// MA-044.
#[test]
fn ma_044_the_first_file_gives_the_seats_and_no_later_one() {
    let first = Desk::new(0);
    let seats = Seats::First(names(&["v1", "v2", "v3"]));
    assert_eq!(first.disk.seats.as_ref(), Some(&seats));
    let mut config = first.config.clone();
    config.voters = vec!["v1".into(), "v2".into(), "m1".into()];
    let mut later = Desk::boot(config.clone(), first.disk, 2);
    assert_eq!((later.node.machine().seats(), later.disk.seats.as_ref()), (&seats, Some(&seats)));
    later.fire(ElectionTimer::Promise);
    later.stand();
    later.answered("m1", ElectionPdu::Willing { round: later.round() });
    assert_eq!(later.disk.term, None, "m1 has no seat");
    later.answered("v3", ElectionPdu::Willing { round: later.round() });
    assert!(later.disk.term.is_some());
    // A disk of before has a term, and no seats.
    let before = ElectionDurable { term: Some(term(5, "v2")), ..ElectionDurable::default() };
    let before = Desk::boot(config, before, 3);
    assert_eq!(before.disk.seats, Some(Seats::First(names(&["v1", "v2", "m1"]))));
}

/// MA-044.
#[test]
fn ma_044_greater_seats_are_stored_with_the_term_before_the_grant() {
    let mut desk = Desk::ready(0);
    let newer = seats((1, "v2"), 0, &["v1", "v2", "v3"]);
    desk.step(Input::Pdu { from: convener("v2"), pdu: vote_with(1, "v2", &newer) });
    assert_eq!(desk.said(&convener("v2")), []);
    let written: Vec<_> = desk.unwritten.iter().cloned().collect();
    let is_seats =
        |change: &ElectionChange| *change == ElectionChange::Seats(Seats::Written(newer.clone()));
    assert!(written.iter().any(is_seats), "{written:?}");
    desk.store();
    assert_eq!(desk.said(&convener("v2")), [GRANTED]);
    assert_eq!(desk.disk.seats, Some(Seats::Written(newer.clone())));
    // They are there again behind a boot, and the next round with them has nothing to write.
    assert_eq!(desk.asked("v2", vote_with(1, "v2", &newer)), [GRANTED]);
    let mut again = Desk::boot(desk.config, desk.disk, 2);
    again.fire(ElectionTimer::Promise);
    assert_eq!(
        again.asked("v3", poll(2, "v3")),
        [ElectionPdu::Unwilling { round: 40, known: Some(term(1, "v2")), seats: Some(newer) }]
    );
}

/// MA-044, WI-127.
#[test]
fn ma_044_older_seats_and_others_of_the_same_version_are_not_granted() {
    let own = seats((3, "v2"), 1, &["v1", "v2", "v3"]);
    let known = Some(term(3, "v2"));
    let told = |seats: &WrittenSeats| Some(seats.clone());
    let unwilling = |seats| ElectionPdu::Unwilling { round: 40, known: known.clone(), seats };
    let refuse = |seats| ElectionPdu::Refuse { round: 40, known: known.clone(), seats };
    let mut desk = seated(0, own.clone());
    let before = desk.node.machine().clone();
    let older = seats((3, "v2"), 0, &["v1", "v2", "v3", "m1"]);
    let earlier = seats((2, "v3"), 9, &["v1", "v3"]);
    for old in [&older, &earlier] {
        assert_eq!(desk.asked("v3", poll_with(4, "v3", old)), [unwilling(told(&own))], "{old:?}");
        assert_eq!(desk.asked("v3", vote_with(4, "v3", old)), [refuse(told(&own))], "{old:?}");
    }
    assert_eq!(desk.asked("v3", poll(4, "v3")), [unwilling(told(&own))]);
    assert_eq!(desk.asked("v3", vote(4, "v3")), [refuse(told(&own))]);
    let other = seats((3, "v2"), 1, &["v1", "v3"]);
    assert_eq!(desk.asked("v3", poll_with(4, "v3", &other)), [unwilling(None)]);
    assert_eq!(desk.asked("v3", vote_with(4, "v3", &other)), [refuse(None)]);
    assert!(*desk.node.machine() == before);
    // The same and greater ones are, and who is polled keeps nothing.
    let newer = seats((3, "v2"), 2, &["v1", "v3"]);
    assert_eq!(desk.asked("v3", poll_with(4, "v3", &newer)), [WILLING]);
    assert_eq!(desk.asked("v3", poll_with(4, "v3", &own)), [WILLING]);
    assert!(*desk.node.machine() == before);
    assert_eq!(desk.asked("v3", vote_with(4, "v3", &own)), [GRANTED]);
}

/// MA-045.
#[test]
fn ma_045_the_majority_is_one_of_the_seats_that_are_carried() {
    let five = seats((3, "v2"), 1, &["v1", "v2", "v3", "m1", "m2"]);
    let mut desk = seated(0, five.clone());
    desk.stand();
    let round = desk.round();
    desk.answered("v2", ElectionPdu::Willing { round });
    desk.answered("x1", ElectionPdu::Willing { round });
    assert_eq!(desk.disk.term, Some(term(3, "v2")), "two of five, and a stranger");
    desk.step(Input::Pdu { from: voter("m1"), pdu: ElectionPdu::Willing { round } });
    desk.store();
    assert_eq!(carried(&desk, "v2"), Some(five));
    granted(&mut desk, "v2");
    assert!(!desk.leads(), "two of five");
    granted(&mut desk, "v3");
    assert!(desk.leads());
}

/// MA-045.
#[test]
fn ma_045_who_has_no_seat_answers_and_does_not_stand() {
    // m1 has none, and has heard of none.
    let mut desk = Desk::new(3);
    assert_eq!(desk.armed(&ElectionTimer::Stand), None);
    assert_eq!(desk.asked("v1", poll(1, "v1")), [unwilling(None)]);
    assert_eq!(desk.asked("v1", vote(1, "v1")), [refuse(None)]);
    let with = seats((1, "v1"), 1, &["m1", "v1", "v2", "v3"]);
    assert_eq!(desk.asked("v1", poll_with(2, "v1", &with)), [WILLING]);
    assert_eq!(desk.asked("v1", vote_with(2, "v1", &with)), [GRANTED]);
    let stands = desk.armed(&ElectionTimer::Stand);
    // Its promise binds it, and now it stands when that is over: last, for the file does not name it.
    assert_eq!(desk.asked("v2", poll_with(3, "v2", &with)), [unwilling(Some(term(2, "v1")))]);
    let (least, _) = stands.expect("it stands");
    assert!(least >= Span(LEASE.0 + 3 * LEASE.0 / 10));
    desk.fire(ElectionTimer::Promise);
    // Seats that do not name it are not for it to grant, and it keeps those that it has.
    let without = seats((2, "v1"), 1, &["v1", "v2", "v3"]);
    assert_eq!(desk.asked("v1", vote_with(2, "v1", &without)), [refuse(Some(term(2, "v1")))]);
    assert_eq!(desk.disk.seats, Some(Seats::Written(with)));
    // A promise of before a boot binds it, too, when it has lost its seat since.
    let disk = ElectionDurable { span: LEASE, ..ElectionDurable::default() };
    let mut late = Desk::boot(Desk::new(3).config, disk, 2);
    let newer = seats((2, "v1"), 0, &["m1", "v1"]);
    assert_eq!(late.asked("v1", poll_with(3, "v1", &newer)), [unwilling(None)]);
    late.fire(ElectionTimer::Promise);
    assert_eq!(late.asked("v1", poll_with(3, "v1", &newer)), [WILLING]);
}

/// MA-045.
#[test]
fn ma_045_who_is_refused_with_greater_seats_takes_them() {
    let mut desk = Desk::ready(0);
    desk.stand();
    let round = desk.round();
    let newer = seats((7, "v3"), 2, &["v1", "v2", "v3", "m1", "m2"]);
    let told = ElectionPdu::Unwilling { round, known: None, seats: Some(newer.clone()) };
    desk.answered("v2", told.clone());
    assert_eq!(desk.disk.seats, Some(Seats::Written(newer)));
    assert_eq!(desk.disk.term, Some(term(7, "v3")), "who has seats knows their term");
    desk.answered("v3", ElectionPdu::Willing { round });
    assert!(!desk.node.machine().is_asking(), "the poll with the older ones is over");
    assert!(desk.node.armed().contains(&ElectionTimer::Stand));
    // The same where the seats have gone: it does not stand any more.
    let mut gone = Desk::ready(0);
    gone.stand();
    let round = gone.round();
    let without = seats((7, "v3"), 3, &["v2", "v3", "m1"]);
    gone.answered("v2", ElectionPdu::Unwilling { round, known: None, seats: Some(without) });
    assert!(!gone.node.armed().contains(&ElectionTimer::Stand));
    assert_eq!(gone.asked("v2", lead(8, "v2")), [OBEYED]);
    assert_eq!(gone.armed(&ElectionTimer::Stand), None);
    // An answer to another round tells nothing.
    let mut late = Desk::ready(0);
    late.stand();
    let ElectionPdu::Unwilling { known, seats, .. } = told else { unreachable!() };
    late.answered("v2", ElectionPdu::Unwilling { round: late.round() - 1, known, seats });
    assert_eq!(late.disk.term, None);
}

/// MA-046, MA-047: written anew first, then one more and one less, and a majority of the new ones each time.
#[test]
fn ma_047_one_voter_comes_and_one_goes_each_with_a_round_of_its_own() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    desk.connect();
    let held = desk.disk.term.clone().expect("it leads");
    file(&mut desk, &["v1", "v2", "m1"]);
    let own = |number, voters: &[&str]| {
        Some(WrittenSeats { term: held.clone(), number, voters: names(voters) })
    };
    assert!(desk.leads(), "another file does not end a mastership");
    assert_eq!(carried(&desk, "v2"), own(0, &["v1", "v2", "v3"]));
    assert_eq!(
        desk.disk.seats.as_ref().and_then(Seats::written),
        own(0, &["v1", "v2", "v3"]).as_ref()
    );
    // The answers to the round before count no more.
    let round = desk.round();
    desk.answered("v3", ElectionPdu::Granted { round: round - 1 });
    assert_eq!(desk.round(), round);
    granted(&mut desk, "v2");
    assert_eq!(carried(&desk, "m1"), own(1, &["m1", "v1", "v2", "v3"]));
    granted(&mut desk, "v2");
    assert_eq!(carried(&desk, "m1"), None, "two of four");
    desk.answered("m1", ElectionPdu::Obeyed { round: desk.round() });
    // A change has to wait as long as it must: another round of the same seats, and a mastership that goes on.
    desk.fire(ElectionTimer::Round);
    assert_eq!(carried(&desk, "m1"), own(1, &["m1", "v1", "v2", "v3"]));
    granted(&mut desk, "m1");
    granted(&mut desk, "v2");
    assert_eq!(carried(&desk, "m1"), own(2, &["m1", "v1", "v2"]));
    assert_eq!(carried(&desk, "v3"), None);
    granted(&mut desk, "m1");
    let round = desk.round();
    granted(&mut desk, "v2");
    assert_eq!((desk.round(), desk.leads()), (round, true), "there is nothing left to change");
    assert_eq!(
        desk.disk.seats.as_ref().and_then(Seats::written),
        own(2, &["m1", "v1", "v2"]).as_ref()
    );
}

/// MA-046: the voter that has seats which no majority has comes back into the elections.
#[test]
fn ma_046_a_holder_that_is_refused_with_greater_seats_writes_its_own_anew() {
    let mut desk = Desk::ready(0);
    desk.asked("v3", lead(4, "v3"));
    desk.elect("v2");
    let held = desk.disk.term.clone().expect("it leads");
    let lost = seats((4, "v3"), 1, &["v1", "v2", "v3", "m1"]);
    let refusal = |desk: &Desk, seats: &WrittenSeats| {
        let seats = Some(seats.clone());
        ElectionPdu::Refuse { round: desk.round(), known: Some(term(4, "v3")), seats }
    };
    desk.connect();
    desk.answered("v3", refusal(&desk, &lost));
    assert!(desk.leads());
    let anew = WrittenSeats { term: held, number: 0, voters: names(&["v1", "v2", "v3"]) };
    assert_eq!(carried(&desk, "v3"), Some(anew.clone()));
    // Once is enough.
    let round = desk.round();
    desk.answered("v3", refusal(&desk, &lost));
    assert_eq!(desk.round(), round);
    // Those of a later term end its mastership, like the term.
    desk.answered("v3", refusal(&desk, &seats((99, "v3"), 0, &["v1", "v2", "v3"])));
    assert!(!desk.leads());
    assert_ne!(desk.disk.seats, Some(Seats::Written(anew)));
}

/// MA-047.
#[test]
fn ma_047_no_change_whose_majority_is_not_there() {
    let mut desk = Desk::ready(0);
    desk.elect("v2");
    desk.connect();
    for gone in ["v3", "m1"] {
        desk.link(gone, LinkChange::Lost);
    }
    let round = desk.round();
    file(&mut desk, &["v1", "v2", "m1"]);
    assert_eq!(desk.round(), round, "of four voters two are there");
    desk.fire(ElectionTimer::Round);
    desk.connect();
    granted(&mut desk, "v2");
    desk.connect();
    desk.fire(ElectionTimer::Round);
    granted(&mut desk, "v2");
    assert!(desk.node.machine().seats().written().is_some(), "now they are");
}

/// MA-047: the master takes everybody away but itself; then it hands over to one that stays.
#[test]
fn ma_047_a_master_that_is_to_go_goes_last_and_hands_over() {
    let config = Desk::of((3, false, 3), 0).config;
    let mut desk = Desk::boot(config, ElectionDurable::default(), 1);
    desk.fire(ElectionTimer::Promise);
    desk.elect("v2");
    desk.connect();
    let held = desk.disk.term.clone().expect("it leads");
    file(&mut desk, &["m1", "m2", "m3"]);
    let everybody = ["v2", "v3", "m1", "m2", "m3"];
    let mut sizes = Vec::new();
    for _ in 0..40 {
        if !desk.leads() {
            break;
        }
        let (seats, round) = (desk.node.machine().seats().voters().clone(), desk.round());
        assert!(seats.contains(&MemberName::from("v1")));
        if sizes.last() != Some(&seats.len()) {
            sizes.push(seats.len());
        }
        for other in everybody.iter().filter(|other| seats.contains(&MemberName::from(**other))) {
            if desk.leads() && desk.round() == round {
                desk.answered(other, ElectionPdu::Granted { round });
            }
        }
        if desk.leads() {
            desk.connect();
        }
    }
    assert_eq!(sizes, [3, 4, 5, 6, 5, 4], "one at a time, added before taken away");
    assert_eq!(desk.events(), [ElectionEvent::Ceased { term: held.clone() }]);
    let resign = ElectionPdu::Resign { term: held, successor: Some(MemberName::from("m1")) };
    assert!(desk.said(&voter("m1")).contains(&resign), "{:?}", desk.last);
}

/// MA-047: never more than seven, and never itself.
#[test]
fn ma_047_of_seven_one_goes_before_one_comes() {
    let config = Desk::of((7, false, 1), 0).config;
    let mut desk = Desk::boot(config, ElectionDurable::default(), 1);
    desk.fire(ElectionTimer::Promise);
    desk.stand();
    for word in 0..2 {
        let round = desk.round();
        for other in ["v2", "v3", "v4"] {
            let granted = ElectionPdu::Granted { round };
            let pdu = if word == 0 { ElectionPdu::Willing { round } } else { granted };
            desk.answered(other, pdu);
        }
    }
    assert!(desk.leads());
    file(&mut desk, &["v1", "v2", "v3", "v4", "v5", "v6", "m1"]);
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let round = desk.round();
        sizes.push(desk.node.machine().seats().voters().len());
        for other in ["v2", "v3", "v4"] {
            desk.answered(other, ElectionPdu::Granted { round });
        }
    }
    assert_eq!(sizes, [7, 6, 7]);
}

/// WI-126: seats that nobody can have who asks by them.
#[test]
fn wi_126_a_candidate_that_its_seats_do_not_name_is_cut_off() {
    let without = seats((1, "v2"), 0, &["v1", "v3"]);
    let later = seats((9, "v3"), 0, &["v1", "v2", "v3"]);
    for pdu in [
        poll_with(2, "v2", &without),
        vote_with(2, "v2", &without),
        poll_with(2, "v2", &later),
        vote_with(2, "v2", &later),
    ] {
        let mut desk = Desk::ready(0);
        let machine: Election = desk.node.machine().clone();
        assert_eq!(desk.asked("v2", pdu), []);
        assert!(desk.last.contains(&Act::Close { peer: convener("v2") }));
        assert!(*desk.node.machine() == machine);
    }
}
