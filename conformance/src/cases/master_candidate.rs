//! A candidate: the suite plays the other voters, and says when they answer.

use super::handing_over::{always, once};
use super::link_peers::{NEWS_TO_RG2, TO_RG2, telling};
use super::master_peers::{
    ELECTED, FIRST_TERM, LEAD_TO_B, LEASE, POLL, POLL_TO_B, POLL_TO_C, RG1_UNDER_C5, TENTH, THIRD,
    TO_B, TO_C, TO_D, TO_E, VOTE, VOTE_TO_B, VOTE_TO_C, candidate, convened, elected, election,
    hangs, master, says, vote,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{
    Blueprint, electing, electing_last, electing_of_five, electing_second, electing_with_another,
};
use crate::play::{Act, Answer, Cue, Look, On, Play};

/// A voter that knows a greater term.
const UNWILLING_7: Answer = Answer::Say(" UNWILLING {id} 7 {5}rg1-b 9");
const REFUSE_7: Answer = Answer::Say(" REFUSE {id} 7 {5}rg1-b 9");
const EIGHTH_TERM: &str = " 8 {5}rg1-a ";
/// Polls and rounds: what is said to rg1-b before it hears of a master.
const ASKED_OF_B: On = On::said(TO_B, "").with(" {5}rg1-a ");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = order();
    cases.extend(polls());
    cases.extend(answers());
    cases.extend(terms());
    cases
}

/// Both other voters do this.
fn both(play: Play, cues: &[Cue]) -> Play {
    play.opens(TO_B, Port::Group, cues.to_vec()).opens(TO_C, Port::Group, cues.to_vec())
}

/// rg1-b alone is there, and does this.
fn with_b(cues: Vec<Cue>) -> Play {
    candidate().opens(TO_B, Port::Group, cues).begins(TO_C, Rule::Refuse)
}

fn order() -> Vec<Case> {
    let in_its_place = |id: &str, title: &str, blueprint: fn() -> Blueprint, place: u64| {
        let least = LEASE + place * TENTH;
        master(
            id,
            title,
            &["MA-039"],
            election(blueprint)
                .begins(TO_C, Rule::Refuse)
                .wait(LEASE + 4 * TENTH)
                .look(Look::Within("in-its-place", POLL_TO_B, "begun", (least, least + TENTH))),
        )
    };
    vec![
        master(
            "master.candidate.01",
            "A candidate polls, begins the very term that it has polled for, and leads when a majority has \
             granted it",
            &["MA-034", "MA-035", "MA-036", "MA-040", "WI-121"],
            with_b(Vec::new())
                .awaits(LEAD_TO_B, 1, ELECTED)
                .look(Look::Some("polls", POLL_TO_B.and(FIRST_TERM)))
                .look(Look::Before("then-asks", POLL_TO_B, VOTE_TO_B))
                .look(Look::SameTerm("for-the-same-term", [POLL_TO_B, VOTE_TO_B]))
                .look(Look::Before("then-leads", VOTE_TO_B, LEAD_TO_B))
                .look(Look::SameTerm("under-the-same-term", [VOTE_TO_B, LEAD_TO_B]))
                .look(Look::Some("asks-for-its-lease", VOTE_TO_B.and(" 7530"))),
        ),
        in_its_place(
            "master.order.01",
            "The first voter polls within a tenth of a lease after the wait of its start",
            electing,
            0,
        ),
        in_its_place(
            "master.order.02",
            "The second voter polls a tenth of a lease later",
            electing_second,
            1,
        )
        .kills(&[("stands-out-of-turn", "in-its-place")]),
        in_its_place("master.order.03", "The third one waits two tenths", electing_last, 2)
            .kills(&[("stands-out-of-turn", "in-its-place")]),
        master(
            "master.order.04",
            "A poll without an answer lasts a third of a lease, and the waits behind it double up to a lease",
            &["MA-039"],
            with_b(vec![hangs(POLL)])
                .awaits(POLL_TO_B, 1, ELECTED)
                .mark("polled")
                .wait(6 * THIRD + 41 * TENTH)
                .look(Look::Gaps(
                    "ever-longer",
                    POLL_TO_B,
                    "polled",
                    [1, 2, 4, 8, 10, 10].map(|tenths| (THIRD, THIRD + tenths * TENTH)).to_vec(),
                )),
        )
        .kills(&[("waits-a-lease-again", "ever-longer")]),
        master(
            "master.order.05",
            "A round without a majority lasts as long, and then the candidate polls again, for another term",
            &["MA-039", "MA-035", "WI-122"],
            with_b(vec![hangs(VOTE)])
                .awaits(VOTE_TO_B, 1, ELECTED)
                .mark("asked")
                .wait(THIRD + 2 * TENTH)
                .look(Look::Within("later", POLL_TO_B, "asked", (THIRD, THIRD + TENTH)))
                .look(Look::Some("another-term", POLL_TO_B.and(" 2 {5}rg1-a ")))
                .look(Look::Rounds("consecutive-numbers", ASKED_OF_B))
                .look(Look::Never("has-no-lease", LEAD_TO_B, None)),
        )
        .twin("master.candidate.01"),
    ]
}

fn polls() -> Vec<Case> {
    let of_five = |cues: Vec<Cue>| {
        election(electing_of_five)
            .opens(TO_C, Port::Group, cues)
            .opens(TO_D, Port::Group, vec![hangs(POLL), hangs(VOTE)])
            .opens(TO_E, Port::Group, vec![hangs(POLL), hangs(VOTE)])
            .wait(LEASE + 3 * TENTH)
    };
    vec![
        master(
            "master.poll.01",
            "Three of five are a majority, the candidate among them",
            &["MA-034", "MA-036"],
            of_five(Vec::new())
                .look(Look::Some("asks", VOTE_TO_B))
                .look(Look::Some("leads", LEAD_TO_B)),
        ),
        master(
            "master.poll.02",
            "Before a majority has said that it would grant it, no term begins",
            &["MA-034"],
            of_five(vec![hangs(POLL)])
                .look(Look::Some("polls", POLL_TO_B))
                .look(Look::Never("asks-nobody", VOTE_TO_B, None)),
        )
        .twin("master.poll.01")
        .kills(&[("no-poll", "asks-nobody")]),
        master(
            "master.poll.03",
            "A voter that would not is none of the majority",
            &["MA-034"],
            both(candidate(), &[always(POLL, Answer::Say(" UNWILLING {id} -"))])
                .wait(LEASE + 2 * THIRD)
                .look(Look::Some("polls", POLL_TO_B))
                .look(Look::Never("asks-nobody", VOTE_TO_B, None)),
        )
        .twin("master.candidate.01")
        .kills(&[("no-poll", "asks-nobody")]),
        master(
            "master.poll.04",
            "Who has granted a round of another one meanwhile begins no term, whoever would grant it",
            &["MA-035", "MA-031"],
            with_b(vec![once(POLL, Answer::Later), hangs(POLL)])
                .awaits(POLL_TO_B, 1, ELECTED)
                .talk("c", says(convened("rg1-c"), &vote(1, "1 {5}rg1-c 7"), "granted", " GRANTED 1"))
                .act(Act::SayNow(TO_B, Port::Group))
                .wait(SECOND)
                .look(Look::Some("willing", On::back(TO_B, "").with(" WILLING ")))
                .look(Look::Never("begins-nothing", VOTE_TO_B, None)),
        )
        .twin("master.candidate.01"),
        master(
            "master.poll.05",
            "An answer to an earlier poll counts for nothing in a later one",
            &["WI-122", "MA-034"],
            with_b(vec![once(POLL, Answer::Later), hangs(POLL)])
                .awaits(POLL_TO_B, 2, ELECTED + 2 * THIRD)
                .act(Act::SayNow(TO_B, Port::Group))
                .wait(SECOND)
                .look(Look::Some("willing", On::back(TO_B, "").with(" WILLING ")))
                .look(Look::Never("begins-nothing", VOTE_TO_B, None)),
        )
        .twin("master.candidate.01")
        .kills(&[("late-answers-count", "begins-nothing")]),
        master(
            "master.poll.06",
            "A later poll is for another nonce, and has the next number",
            &["MA-035", "WI-122"],
            with_b(vec![hangs(POLL)])
                .wait(LEASE + 12 * TENTH)
                .look(Look::Nonces("each-its-own", POLL_TO_B, 2))
                .look(Look::Rounds("next-number", POLL_TO_B)),
        ),
    ]
}

fn answers() -> Vec<Case> {
    vec![
        master(
            "master.round.01",
            "A round that nobody else has granted is no lease",
            &["MA-036"],
            both(candidate(), &[always(VOTE, Answer::Say(" REFUSE {id} -"))])
                .wait(LEASE + 2 * THIRD)
                .look(Look::Some("asks", VOTE_TO_B))
                .look(Look::Never("no-lease", LEAD_TO_B, None)),
        )
        .twin("master.candidate.01"),
        master(
            "master.round.02",
            "Its own vote and that of one other are a majority of three",
            &["MA-036", "MA-035"],
            with_b(Vec::new()).wait(ELECTED).look(Look::Some("leads", LEAD_TO_B)),
        ),
        master(
            "master.round.03",
            "An answer to an earlier round counts for nothing in a later one",
            &["WI-122", "MA-036"],
            with_b(vec![once(VOTE, Answer::Later), hangs(VOTE)])
                .awaits(VOTE_TO_B, 2, ELECTED + 2 * THIRD)
                .act(Act::SayNow(TO_B, Port::Group))
                .wait(SECOND)
                .look(Look::Some("granted", On::back(TO_B, "").with(" GRANTED ")))
                .look(Look::Never("no-lease", LEAD_TO_B, None)),
        )
        .twin("master.candidate.01")
        .kills(&[("late-answers-count", "no-lease")]),
        master(
            "master.round.04",
            "Nor does an answer to a round that has not been begun",
            &["WI-122", "MA-036"],
            with_b(vec![always(VOTE, Answer::Say(" GRANTED 1"))])
                .wait(ELECTED + THIRD)
                .look(Look::Some("asks", VOTE_TO_B))
                .look(Look::Never("no-lease", LEAD_TO_B, None)),
        )
        .twin("master.candidate.01")
        .kills(&[("late-answers-count", "no-lease")]),
        master(
            "master.round.05",
            "A grant that comes within the round counts, however late in it",
            &["MA-036"],
            with_b(vec![always(VOTE, Answer::Later)])
                .awaits(VOTE_TO_B, 1, ELECTED)
                .until(VOTE_TO_B, 1, THIRD - 1)
                .act(Act::SayNow(TO_B, Port::Group))
                .mark("said")
                .wait(0)
                .look(Look::Within(
                    "leads",
                    LEAD_TO_B,
                    "begun",
                    (LEASE + THIRD - 1, ELECTED + THIRD),
                )),
        ),
        master(
            "master.round.06",
            "A member without a vote is not asked",
            &["MA-034"],
            election(electing_with_another)
                .wait(ELECTED)
                .look(Look::Some("asks-the-voters", VOTE_TO_C))
                .look(Look::Never("no-poll", On::said(TO_D, "").with(" POLL "), None))
                .look(Look::Never("no-vote", On::said(TO_D, "").with(" VOTE "), None)),
        )
        .twin("master.candidate.01"),
    ]
}

fn terms() -> Vec<Case> {
    let eighth = |play: Play| {
        play.wait(LEASE + 2 * THIRD)
            .look(Look::Some("knew-nothing", POLL_TO_B.and(FIRST_TERM)))
            .look(Look::Some("one-above", POLL_TO_B.and(EIGHTH_TERM)))
    };
    vec![
        master(
            "master.term.01",
            "A candidate that is told of a greater term with a poll polls for one above it",
            &["MA-035"],
            eighth(with_b(vec![once(POLL, UNWILLING_7)])),
        ),
        master(
            "master.term.02",
            "A candidate that is told of a greater term with a round polls for one above it",
            &["MA-035"],
            eighth(with_b(vec![once(VOTE, REFUSE_7)]))
                .look(Look::Some("and-begins-it", VOTE_TO_B.and(EIGHTH_TERM))),
        ),
        master(
            "master.term.03",
            "The term of its group's record in its table is one that a candidate knows",
            &["MA-035"],
            candidate()
                .begins(TO_B, Rule::Refuse)
                .talk("rg2", telling(&[RG1_UNDER_C5]))
                .wait(ELECTED)
                .look(Look::Some("one-above", POLL_TO_C.and(" 6 {5}rg1-a ")))
                .look(Look::Some("and-begins-it", VOTE_TO_C.and(" 6 {5}rg1-a "))),
        ),
        master(
            "master.term.04",
            "A term is on disk before anybody is asked to grant it: after a kill the next one is greater",
            &["MA-035"],
            with_b(vec![hangs(VOTE)])
                .awaits(VOTE_TO_B, 1, ELECTED)
                .mark("again")
                .act(Act::Restart)
                .wait(LEASE + TENTH)
                .look(Look::Some("began", VOTE_TO_B.and(FIRST_TERM)))
                .look(Look::Never("not-again", POLL_TO_B.and(FIRST_TERM), Some("again")))
                .look(Look::Within(
                    "one-above",
                    POLL_TO_B.and(" 2 {5}rg1-a "),
                    "again",
                    (LEASE, LEASE + TENTH),
                )),
        )
        .twin("master.candidate.01")
        .kills(&[("terms-not-stored", "not-again")]),
        master(
            "master.term.05",
            "An elected master publishes under its term, and tells its neighbours",
            &["MA-005", "MA-001", "LS-017"],
            elected().wait(SECOND).look(Look::Some(
                "its-record",
                NEWS_TO_RG2.and("{3}RG1 1 {5}rg1-a "),
            )),
        ),
        master(
            "master.term.06",
            "Before anybody is elected the group has no record",
            &["MA-001", "MA-038"],
            candidate()
                .begins(TO_B, Rule::Refuse)
                .begins(TO_C, Rule::Refuse)
                .wait(5 * LEASE)
                .look(Look::Some("greets-its-neighbour", On::said(TO_RG2, "EHLO ")))
                .look(Look::Never("no-record", NEWS_TO_RG2.and("00000001 {3}RG1 "), None)),
        )
        .twin("master.term.05"),
    ]
}
