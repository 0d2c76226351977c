//! A voter: the suite plays candidates that call the node.

use super::handing_over::once;
use super::master_peers::{
    B4, B6, C5, LEASE, POLL, TENTH, TO_B, TO_C, VOTE, VOTE_TO_B, candidate, convened, framed,
    free_voter, granted, granted_to_b, hangs, master, on, poll, refused_to_b, resign, says,
    says_like, vote, vote_for, voter,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::play::{Act, Answer, Play};
use crate::script::Script;

/// One microsecond before a span is over.
const fn almost(span_us: u64) -> u64 {
    span_us - 1
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = beginnings();
    cases.extend(promises());
    cases.extend(terms());
    cases.extend(resignations());
    cases
}

/// rg1-c asks for this, and then again one microsecond later.
fn asks(what: &str, answer: &str) -> Script {
    says(convened("rg1-c"), what, "early", answer)
}

fn beginnings() -> Vec<Case> {
    vec![
        master(
            "master.voter.01",
            "A voter is willing to grant a poll, and grants the round, once it has run for a lease",
            &["MA-030", "MA-034", "WI-121", "SM-134"],
            free_voter().talk(
                "c",
                says(
                    says(convened("rg1-c"), &poll(1, C5), "willing", " WILLING 1"),
                    &vote(2, C5),
                    "granted",
                    " GRANTED 2",
                ),
            ),
        ),
        master(
            "master.voter.02",
            "A voter that has just started grants no round before a lease has gone by, to the microsecond",
            &["MA-033"],
            voter()
                .wait(almost(LEASE))
                .talk("c", asks(&vote(1, C5), " REFUSE 1 -"))
                .wait(1)
                .talk("c", says(on("rg1-c"), &vote(2, C5), "due", " GRANTED 2")),
        )
        .twin("master.voter.01")
        .kills(&[("votes-right-after-boot", "c-early")]),
        master(
            "master.voter.03",
            "Nor does it say before that it would",
            &["MA-033", "MA-034"],
            voter()
                .wait(almost(LEASE))
                .talk("c", asks(&poll(1, C5), " UNWILLING 1 -"))
                .wait(1)
                .talk("c", says(on("rg1-c"), &poll(2, C5), "due", " WILLING 2")),
        )
        .twin("master.voter.01")
        .kills(&[("votes-right-after-boot", "c-early")]),
        master(
            "master.voter.04",
            "A voter that starts again waits for the span that it has promised, where that is the longer one",
            &["MA-033", "MA-030"],
            free_voter()
                .talk("c", {
                    let asked = vote_for(1, C5, 100_000);
                    says(convened("rg1-c"), &asked, "granted", " GRANTED 1")
                })
                .wait(SECOND)
                .act(Act::Restart)
                .wait(almost(100 * SECOND))
                .talk("c-again", asks(&vote(2, C5), &format!(" REFUSE 2 {C5}")))
                .wait(1)
                .talk("c-again", says(on("rg1-c"), &vote(3, C5), "due", " GRANTED 3")),
        )
        .twin("master.voter.01")
        .kills(&[("spans-not-stored", "c-again-early"), ("votes-right-after-boot", "c-again-early")]),
        master(
            "master.voter.05",
            "A term is on disk when its round is granted: after a kill a smaller one is refused with it",
            &["MA-030", "MA-032"],
            free_voter().talk("c", granted()).act(Act::Restart).wait(LEASE).talk(
                "b",
                says(convened("rg1-b"), &vote(1, B4), "refused", &format!(" REFUSE 1 {C5}")),
            ),
        )
        .twin("master.voter.01")
        .kills(&[("terms-not-stored", "b-refused")]),
    ]
}

/// rg1-c is granted rounds; then rg1-b asks in vain until `span_us` have gone by since the last of them.
fn stands(play: Play, span_us: u64) -> Play {
    play.wait(almost(span_us)).talk("b", refused_to_b(C5)).wait(1).talk("b", granted_to_b())
}

fn promises() -> Vec<Case> {
    let for_span = |script: Script, round: u64, span_ms: u64| {
        let (asked, check) = (vote_for(round, C5, span_ms), format!("granted-{round}"));
        says(script, &asked, &check, &format!(" GRANTED {round:x}"))
    };
    let promise = |id: &str, title: &str, play: Play| {
        master(id, title, &["MA-031"], play).twin("master.voter.01")
    };
    vec![
        promise(
            "master.promise.01",
            "A promise stands for the lease of the voter, and not a microsecond longer",
            stands(free_voter().talk("c", granted()), LEASE),
        )
        .kills(&[("two-promises", "b-refused")]),
        promise(
            "master.promise.02",
            "As long as it stands the voter does not say either that it would grant a round of another one",
            free_voter()
                .talk("c", granted())
                .wait(almost(LEASE))
                .talk("b", {
                    let unwilling = format!(" UNWILLING 1 {C5}");
                    says(convened("rg1-b"), &poll(1, B6), "unwilling", &unwilling)
                })
                .wait(1)
                .talk("b", says(on("rg1-b"), &poll(2, B6), "willing", " WILLING 2")),
        )
        .kills(&[("two-promises", "b-unwilling")]),
        promise(
            "master.promise.03",
            "Where the round asks for a longer span, the promise stands for that",
            stands(free_voter().talk("c", for_span(convened("rg1-c"), 1, 60_000)), 2 * LEASE),
        )
        .kills(&[("promises-for-its-own-span", "b-refused")]),
        promise(
            "master.promise.04",
            "Where it asks for a shorter one, the promise stands for the lease of the voter",
            stands(free_voter().talk("c", for_span(convened("rg1-c"), 1, 1_000)), LEASE),
        )
        .kills(&[("two-promises", "b-refused")]),
        promise(
            "master.promise.05",
            "A later round for a shorter span does not shorten a promise to the same member",
            stands(
                free_voter()
                    .talk("c", for_span(convened("rg1-c"), 1, 60_000))
                    .wait(10 * SECOND)
                    .talk("c", for_span(on("rg1-c"), 2, 30_000)),
                60 * SECOND,
            ),
        )
        .kills(&[("promises-for-its-own-span", "b-refused")]),
        promise(
            "master.promise.06",
            "Each round that is granted makes the promise begin anew",
            stands(
                free_voter()
                    .talk("c", for_span(convened("rg1-c"), 1, 30_000))
                    .wait(20 * SECOND)
                    .talk("c", for_span(on("rg1-c"), 2, 30_000)),
                LEASE,
            ),
        ),
        promise(
            "master.promise.07",
            "A poll of the same member under a greater term meets no promise to another one",
            free_voter().talk("c", {
                let greater = "6 {5}rg1-c 8";
                let script = says(granted(), &poll(3, greater), "willing", " WILLING 3");
                says(script, &vote(4, greater), "granted-again", " GRANTED 4")
            }),
        ),
        promise(
            "master.promise.08",
            "Of two that ask at one moment one is granted its round, and the other one is not",
            free_voter()
                .talk("b", says(convened("rg1-b"), &poll(1, B6), "willing", " WILLING 1"))
                .talk("c", says(convened("rg1-c"), &poll(1, C5), "willing", " WILLING 1"))
                .talk("c", says(on("rg1-c"), &vote(2, C5), "granted", " GRANTED 2"))
                .talk("b", {
                    says(on("rg1-b"), &vote(2, B6), "refused", &format!(" REFUSE 2 {C5}"))
                }),
        )
        .kills(&[("two-promises", "b-refused")]),
        master(
            "master.promise.09",
            "A candidate has promised its own vote from the moment of its round on, and says so to others",
            &["MA-035", "MA-031"],
            candidate()
                .opens(
                    TO_B,
                    Port::Group,
                    vec![once(POLL, Answer::Say(" WILLING {id}")), hangs(POLL), hangs(VOTE)],
                )
                .begins(TO_C, Rule::Refuse)
                .awaits(VOTE_TO_B, 1, LEASE + 2 * TENTH)
                .until(VOTE_TO_B, 1, almost(LEASE))
                .talk("b", {
                    let own = " UNWILLING 1 1 {5}rg1-a ";
                    says_like(convened("rg1-b"), &poll(1, B6), "unwilling", own)
                })
                .wait(1)
                .talk("b", says(on("rg1-b"), &poll(2, B6), "willing", " WILLING 2")),
        )
        .twin("master.voter.01")
        .kills(&[("two-promises", "b-unwilling")]),
    ]
}

fn terms() -> Vec<Case> {
    let term = |id: &str, title: &str, play: Play| {
        master(id, title, &["MA-032"], play).twin("master.voter.01")
    };
    let smaller = |what: &'static str| {
        free_voter()
            .talk("c", says(granted(), &vote(3, what), "refused", &format!(" REFUSE 3 {C5}")))
    };
    vec![
        term(
            "master.fence.01",
            "A round of a smaller counter is refused with the greatest term that the voter knows",
            smaller("4 {5}rg1-c 7"),
        )
        .kills(&[("grants-smaller-terms", "c-refused")]),
        term(
            "master.fence.02",
            "Of two terms with one counter and one name the nonce decides",
            smaller("5 {5}rg1-c 6"),
        )
        .kills(&[("grants-smaller-terms", "c-refused")]),
        term(
            "master.fence.03",
            "Of two terms with one counter the name decides: the smaller one is refused when no promise stands",
            free_voter().talk("c", granted()).wait(LEASE).talk("b", {
                let same_counter = "5 {5}rg1-b 9";
                says(convened("rg1-b"), &vote(1, same_counter), "refused", &format!(" REFUSE 1 {C5}"))
            }),
        )
        .kills(&[("grants-smaller-terms", "b-refused")]),
        master(
            "master.fence.04",
            "A later round of the same term is granted",
            &["MA-032", "MA-030"],
            free_voter().talk("c", says(granted(), &vote(3, C5), "again", " GRANTED 3")),
        ),
        master(
            "master.fence.05",
            "A poll for a term that is not greater than any other is not agreed to",
            &["MA-034"],
            free_voter().talk("c", {
                let unwilling = format!(" UNWILLING 3 {C5}");
                says(granted(), &poll(3, C5), "unwilling", &unwilling)
            }),
        )
        .twin("master.voter.01"),
        master(
            "master.fence.06",
            "The term of a poll is nobody's: after it smaller ones are granted",
            &["MA-034"],
            free_voter().talk("c", {
                let greater = "9 {5}rg1-c 7";
                let script = says(convened("rg1-c"), &poll(1, greater), "willing", " WILLING 1");
                says(script, &vote(2, C5), "granted", " GRANTED 2")
            }),
        )
        .kills(&[("polls-are-kept", "c-granted")]),
    ]
}

fn resignations() -> Vec<Case> {
    // Nothing is answered to RESIGN: what comes next says what came of it.
    let resigned = |term: &str| granted().send(framed(&resign(term, "-")).as_bytes());
    let frees_nobody = |id: &str, title: &str, play: Play| {
        master(id, title, &["MA-042"], play.wait(SECOND).talk("b", refused_to_b(C5)))
            .twin("master.resign.01")
    };
    vec![
        master(
            "master.resign.01",
            "A voter that hears from the master that it hands over is free of its promise",
            &["MA-042"],
            free_voter()
                .talk("c", resigned(C5))
                .wait(SECOND)
                .talk("b", says(convened("rg1-b"), &vote(1, B6), "granted", " GRANTED 1")),
        ),
        frees_nobody(
            "master.resign.02",
            "That a smaller term ends frees nobody of a promise to a greater one of the same member",
            free_voter().talk("c", resigned("4 {5}rg1-c 7")),
        )
        .kills(&[("any-resignation-frees", "b-refused")]),
        frees_nobody(
            "master.resign.03",
            "Nor does it from any other member than that of the term",
            free_voter()
                .talk("c", granted())
                .talk("other", convened("rg1-b").send(framed(&resign(C5, "-")).as_bytes())),
        ),
    ]
}
