//! The words of an election on the wire: what a frame may say, and what closes the connection.

use super::handing_over::{always, once};
use super::master_peers::{
    C5, ELECTED, LEAD_TO_C, POLL, TENTH, THIRD, TO_B, TO_C, VOTE, VOTE_TO_C, called, candidate,
    convened, elected, framed, lead, master, poll, says, vote, vote_for, voter,
};
use super::members::NO_DIGEST;
use crate::case::Case;
use crate::net::Port;
use crate::play::{Answer, Look, On, Play};
use crate::script::Script;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![first(), edges()];
    cases.extend(malformed());
    cases.extend(out_of_place());
    cases.extend(answers());
    cases
}

/// A voter that has just started answers everything, and agrees to nothing.
fn first() -> Case {
    master(
        "master.wire.01",
        "Whoever convenes is answered, under the number of its poll or round, and is not attached by it",
        &["WI-110", "WI-121", "WI-122", "SM-080", "SM-134"],
        voter().talk("c", {
            let script = says(convened("rg1-c"), &poll(0, C5), "polled", " UNWILLING 0 -");
            let greatest = u64::MAX;
            let refusal = format!(" REFUSE {greatest:x} -");
            let script = says(script, &vote(greatest, C5), "asked", &refusal);
            says(script, &lead(7, C5), "led", " OBEYED 7")
        }),
    )
}

/// What may just be said.
fn edges() -> Case {
    master(
        "master.wire.02",
        "The shortest and the longest span and the greatest counter of a term are read",
        &["WI-123", "WI-124"],
        voter().talk("c", {
            let script = convened("rg1-c");
            let script = says(script, &vote_for(1, C5, 1_000), "shortest", " REFUSE 1 -");
            let script = says(script, &vote_for(2, C5, 300_000), "longest", " REFUSE 2 -");
            let greatest = "fffffffffffffffd {5}rg1-c 7";
            says(script, &poll(3, greatest), "greatest", " UNWILLING 3 -")
        }),
    )
}

/// A connection on which this is said is closed.
fn closes(id: &str, title: &str, verifies: &[&str], script: Script) -> Case {
    master(id, title, verifies, voter().talk("c", script.gone("closed"))).twin("master.wire.01")
}

fn malformed() -> Vec<Case> {
    let said = |number: u32, title: &str, verifies: &[&str], content: &str| {
        let script = convened("rg1-c").send(framed(content).as_bytes());
        closes(&format!("master.malformed.{number:02}"), title, verifies, script)
    };
    let read: &[&str] = &["SM-082", "WI-121"];
    let huge = " POLL 1 fffffffffffffffe {5}rg1-c 7";
    vec![
        said(1, "A poll without a term is malformed", read, " POLL 1"),
        said(2, "A poll for a term without a nonce is malformed", read, " POLL 1 5 {5}rg1-c"),
        said(3, "A number that is not hexadecimal is malformed", read, " POLL x 5 {5}rg1-c 7"),
        said(4, "A number of 2^64 is malformed", read, " POLL 10000000000000000 5 {5}rg1-c 7"),
        said(5, "A round without a span is malformed", read, " VOTE 1 5 {5}rg1-c 7"),
        said(
            6,
            "A span of less than a second is refused",
            &["WI-124", "SM-082"],
            &vote_for(1, C5, 999),
        ),
        said(
            7,
            "A span of more than five minutes is refused",
            &["WI-124", "SM-082"],
            &vote_for(1, C5, 300_001),
        ),
        said(8, "A counter that no other could follow is refused", &["WI-123", "SM-082"], huge),
        said(9, "The count of a name must be right", read, " POLL 1 5 {4}rg1-c 7"),
        said(10, "What stands behind a term is malformed", read, " LEAD 1 5 {5}rg1-c 7 1"),
        said(11, "A resignation that names nobody says so", read, " RESIGN 5 {5}rg1-c 7"),
        said(12, "A verb that nobody knows is malformed", read, " ELECT 1 5 {5}rg1-c 7"),
    ]
}

fn out_of_place() -> Vec<Case> {
    let said = |number: u32, title: &str, script: Script, content: &str| {
        let id = format!("master.place.{number:02}");
        closes(&id, title, &["WI-121", "SM-082"], script.send(framed(content).as_bytes()))
    };
    let convened = || convened("rg1-c");
    let called = || called("rg1-c");
    let killed = |case: Case| case.kills(&[("convened-may-say-anything", "c-closed")]);
    let news = format!(" NEWS {NO_DIGEST} ()");
    let long = format!(" CONVENE {{3f1}}{}", "x".repeat(0x3f1));
    vec![
        said(1, "A poll is not agreed to by a client", convened(), " WILLING 1"),
        said(2, "A round is not granted by a client", convened(), " GRANTED 1"),
        said(3, "A client does not refuse", convened(), " REFUSE 1 -"),
        killed(said(4, "Whoever convenes reports nothing", convened(), " REPORT ()")),
        killed(said(5, "Nor does it tell news", convened(), &news)),
        killed(said(6, "Nor does it attach", convened(), " ATTACH {5}rg1-c")),
        killed(said(7, "Nor does it convene again", convened(), " CONVENE {5}rg1-c")),
        killed(said(
            8,
            "Nor does it ask about accounts",
            convened(),
            " VERIFY 1 RECIPIENT {10}ann@example.test 0",
        )),
        said(9, "Without CONVENE nobody polls", called(), &poll(1, C5)),
        said(10, "Nobody convenes under the name of another member", called(), " CONVENE {5}rg1-b"),
        said(
            11,
            "Whoever consults polls nobody",
            called().send(framed(" CONSULT {5}rg1-c").as_bytes()),
            &poll(1, C5),
        ),
        closes(
            "master.place.12",
            "A first frame of more than 1,024 octets is refused before its content",
            &["MA-022"],
            called().send(&framed(&long).as_bytes()[..20]),
        ),
        master(
            "master.place.13",
            "Whoever is attached polls nobody",
            &["WI-121", "SM-082"],
            elected().talk(
                "c",
                super::fellows::reported().send(framed(&poll(1, C5)).as_bytes()).gone("closed"),
            ),
        )
        .twin("master.lead.04"),
    ]
}

/// The node is the client, and rg1-b answers like this; rg1-c is well.
fn answered(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    // The other one is slow, so that rg1-b is heard before there is a majority without it.
    let play = play
        .opens(TO_C, Port::Group, vec![once(POLL, Answer::Hang)])
        .wait(ELECTED + THIRD + 2 * TENTH)
        .look(Look::HungUp("closed", TO_B))
        .look(Look::Some("goes-on", VOTE_TO_C))
        .look(Look::Some("leads", LEAD_TO_C));
    master(id, title, verifies, play)
}

fn answers() -> Vec<Case> {
    let says = |at, text| candidate().opens(TO_B, Port::Group, vec![always(at, Answer::Say(text))]);
    vec![
        answered(
            "master.answer.01",
            "A voter that answers with a word of nobody is left, and the others decide",
            &["WI-121", "SM-082"],
            says(POLL, " MAYBE {id}"),
        ),
        answered(
            "master.answer.02",
            "So is one that answers with a word of a candidate",
            &["WI-121", "SM-082"],
            says(POLL, " POLL {id} 5 {5}rg1-b 7"),
        ),
        answered(
            "master.answer.03",
            "So is one that refuses a round with a term that no other could follow",
            &["WI-123", "SM-082"],
            says(VOTE, " REFUSE {id} fffffffffffffffe {5}rg1-b 7"),
        ),
        answered(
            "master.answer.04",
            "So is one that answers with news",
            &["WI-121", "SM-082"],
            candidate().opens(
                TO_B,
                Port::Group,
                vec![once(
                    POLL,
                    Answer::Say(
                        " MERGED 0000000000000000000000000000000000000000000000000000000000000000 ()",
                    ),
                )],
            ),
        ),
        master(
            "master.answer.05",
            "A candidate convenes nobody but the member that it has called",
            &["SM-081", "WI-110"],
            says("GREETING", " NODEINFO (6) {21}Version: 1 Bridgehead rg1-c ready")
                .wait(ELECTED)
                .look(Look::Some("leads", LEAD_TO_C))
                .look(Look::Never("asks-not", On::said(TO_B, "").with(" POLL "), None)),
        )
        .twin("master.candidate.01"),
    ]
}
