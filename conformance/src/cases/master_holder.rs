//! A holder: the suite plays those who voted for it, and is a member that reports to it.

use serde_json::{Value, json};

use super::fellows::reported;
use super::handing_over::{always, once};
use super::link_peers::{NEWS_TO_RG2, telling};
use super::master_peers::{
    ELECTED, FIRST_TERM, HELD, LEAD, LEAD_TO_B, LEAD_TO_C, LEASE, POLL, POLL_TO_B, RG1_UNDER_C5,
    TENTH, THIRD, TO_B, TO_C, TO_D, VOTE, VOTE_TO_B, candidate, convened, elected, election, hangs,
    lead, master, poll, reports, says, says_like, turned_away, vote,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{electing_refreshed, electing_with_another};
use crate::play::{Act, Answer, Cue, Look, On, Play};

/// A voter or member that knows a greater term.
const REFUSE_7: Answer = Answer::Say(" REFUSE {id} 7 {5}rg1-b 9");
const LEAD_TO_D: On = On::said(TO_D, "").with(" LEAD ");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = leads();
    cases.extend(leases());
    cases.extend(greater_terms());
    cases.extend(transfers());
    cases
}

/// From now on both other voters do this.
fn both(play: Play, cues: &[Cue]) -> Play {
    play.cast(TO_B, Port::Group, cues.to_vec()).cast(TO_C, Port::Group, cues.to_vec())
}

/// Nobody votes for anybody any more.
fn deserted(play: Play) -> Play {
    both(play, &[hangs(POLL), hangs(VOTE)])
}

/// The lease of the round of that number is over at this moment and no sooner: up to then the node answers
/// reports, and then it is no master.
fn ends_with(play: Play, round: usize) -> Play {
    play.until(VOTE_TO_B, round, HELD - 1)
        .talk("fellow", reports("rg1-c"))
        .wait(1)
        .talk("late", turned_away("rg1-c"))
        .look(Look::Ended("ended", "fellow"))
}

fn leads() -> Vec<Case> {
    vec![
        master(
            "master.lead.01",
            "A master begins a round every third of a lease, and tells its term when it is granted",
            &["MA-037", "MA-040", "WI-122"],
            elected()
                .wait(3 * THIRD)
                .look(Look::Seconds("rounds", VOTE_TO_B, "elected", vec![10, 20, 30]))
                .look(Look::Seconds("told", LEAD_TO_B, "elected", vec![10, 20, 30]))
                .look(Look::Seconds("told-to-all", LEAD_TO_C, "elected", vec![10, 20, 30]))
                .look(Look::Rounds("consecutive-numbers", VOTE_TO_B))
                .look(Look::Rounds("told-with-them", LEAD_TO_B)),
        )
        .kills(&[("leads-once", "told")]),
        master(
            "master.lead.02",
            "A round that is not granted is not told, and the one behind it is",
            &["MA-040"],
            elected()
                .cast(TO_B, Port::Group, vec![once(VOTE, Answer::Hang)])
                .cast(TO_C, Port::Group, vec![once(VOTE, Answer::Hang)])
                .wait(3 * THIRD)
                .look(Look::Seconds("told", LEAD_TO_C, "elected", vec![20, 30])),
        ),
        master(
            "master.lead.03",
            "A member without a vote is told as well",
            &["MA-040"],
            election(electing_with_another)
                .awaits(LEAD_TO_B, 1, ELECTED)
                .mark("elected")
                .wait(2 * THIRD)
                .look(Look::Seconds("told", LEAD_TO_D, "elected", vec![10, 20])),
        )
        .kills(&[("leads-voters-only", "told")]),
        master(
            "master.lead.04",
            "A member attaches to a master that was elected, and is answered under its term",
            &["MA-015", "MA-040", "MA-011"],
            elected().talk("fellow", reported()).look(Look::Some(
                "under-its-term",
                On::back("fellow", "").with(" REPORTED 1 {5}rg1-a "),
            )),
        ),
        master(
            "master.lead.05",
            "A master has promised its own vote, and refuses whoever asks for it under a greater term",
            &["MA-035", "MA-031"],
            elected().wait(THIRD).talk("b", {
                let script = convened("rg1-b");
                let script =
                    says_like(script, &poll(1, "2 {5}rg1-b 9"), "unwilling", " UNWILLING 1 1 {5}rg1-a ");
                says_like(script, &vote(2, "2 {5}rg1-b 9"), "refused", " REFUSE 2 1 {5}rg1-a ")
            }),
        )
        .twin("master.voter.01")
        .kills(&[("two-promises", "b-unwilling")]),
    ]
}

fn leases() -> Vec<Case> {
    let attached = || deserted(elected()).talk("fellow", reported());
    vec![
        master(
            "master.lease.01",
            "A lease that is not renewed ends to the microsecond, by the drift, and the members are let go",
            &["MA-036", "MA-038", "MA-037", "MA-012"],
            ends_with(attached(), 1),
        )
        .twin("master.lead.04")
        .kills(&[("lease-without-drift", "late-turned-away")]),
        master(
            "master.lease.02",
            "It is counted from when the round began, and not from when it was granted",
            &["MA-036"],
            ends_with(
                candidate()
                    .opens(TO_B, Port::Group, vec![once(VOTE, Answer::Later), hangs(VOTE)])
                    .begins(TO_C, Rule::Refuse)
                    .awaits(VOTE_TO_B, 1, ELECTED)
                    .wait(5 * SECOND)
                    .act(Act::SayNow(TO_B, Port::Group))
                    .wait(SECOND)
                    .talk("fellow", reported())
                    .cast(TO_B, Port::Group, vec![hangs(POLL), hangs(VOTE)]),
                1,
            ),
        )
        .twin("master.lead.04")
        .kills(&[("lease-from-the-answer", "late-turned-away")]),
        master(
            "master.lease.03",
            "A later round that is granted prolongs it, by as much",
            &["MA-036", "MA-037"],
            ends_with(
                deserted(elected().awaits(LEAD_TO_B, 2, THIRD)).talk("fellow", reported()),
                2,
            ),
        )
        .twin("master.lead.04"),
        master(
            "master.lease.04",
            "Who has no lease any more tells no term, and begins no round of the one that has ended",
            &["MA-038", "MA-040"],
            deserted(elected())
                .until(VOTE_TO_B, 1, HELD)
                .mark("ended")
                .wait(LEASE)
                .look(Look::Never("leads-no-more", LEAD_TO_B, Some("ended")))
                .look(Look::Never("begins-no-round", VOTE_TO_B, Some("ended")))
                .look(Look::Some("polls-for-another", POLL_TO_B.and(" 2 {5}rg1-a "))),
        )
        .twin("master.lead.01"),
        master(
            "master.lease.05",
            "A master refreshes its record as long as it has a lease",
            &["LS-151", "MA-001"],
            election(electing_refreshed)
                .awaits(LEAD_TO_B, 1, ELECTED)
                .wait(45 * SECOND)
                .look(Look::Some("first", NEWS_TO_RG2.and(" 1 0 1 ( {5}rg1-a YES ")))
                .look(Look::Some("second", NEWS_TO_RG2.and(" 1 0 2 ( {5}rg1-a YES "))),
        ),
        master(
            "master.lease.06",
            "Once it has ended nothing is published any more",
            &["MA-038"],
            deserted(election(electing_refreshed).awaits(LEAD_TO_B, 1, ELECTED))
                .wait(45 * SECOND)
                .look(Look::Some("first", NEWS_TO_RG2.and(" 1 0 1 ( {5}rg1-a YES ")))
                .look(Look::Never("no-second", NEWS_TO_RG2.and(" 1 0 2 ( {5}rg1-a YES "), None)),
        )
        .twin("master.lease.05")
        .kills(&[("publishes-without-a-lease", "no-second")]),
        master(
            "master.lease.07",
            "A lease does not outlast a kill: who starts again is no master, and leads under a new term only",
            &["MA-036", "MA-033"],
            elected()
                .mark("again")
                .act(Act::Restart)
                .talk("late", turned_away("rg1-c"))
                .wait(LEASE - 1)
                .mark("not-yet")
                .wait(2 * TENTH)
                .look(Look::NeverBetween("leads-not", LEAD_TO_B, ("again", "not-yet")))
                .look(Look::Never("not-again", LEAD_TO_B.and(FIRST_TERM), Some("not-yet")))
                .look(Look::Some("under-a-new-term", LEAD_TO_B.and(" 2 {5}rg1-a "))),
        )
        .twin("master.lead.04")
        .kills(&[("lease-survives-a-boot", "late-turned-away")]),
        master(
            "master.lease.08",
            "A round that began before the lease ended may still be granted, and gives the mastership back",
            &["MA-038"],
            both(elected(), &[hangs(POLL), always(VOTE, Answer::Later)])
                .until(VOTE_TO_B, 1, HELD + 500_000)
                .talk("late", turned_away("rg1-c"))
                .mark("late")
                .act(Act::SayNow(TO_B, Port::Group))
                .wait(SECOND)
                .look(Look::Within("leads-again", LEAD_TO_B.and(FIRST_TERM), "late", (0, SECOND))),
        )
        .should()
        .twin("master.lead.04"),
    ]
}

/// The fellow is attached; then the node learns of a greater term, and nobody would have it any more.
fn dethroned(play: Play) -> Play {
    play.mark("told")
        .wait(SECOND)
        .talk("late", turned_away("rg1-c"))
        .wait(LEASE)
        .look(Look::Ended("let-go", "fellow"))
        .look(Look::Never("leads-no-more", LEAD_TO_C, Some("told")))
        .look(Look::Some("asks-for-a-greater-one", POLL_TO_B.and(" 8 {5}rg1-a ")))
}

fn greater_terms() -> Vec<Case> {
    let attached = || elected().talk("fellow", reported());
    let ignored = |id: &str, title: &str, verifies: &[&str], cue: Cue| {
        let play = elected()
            .cast(TO_B, Port::Group, vec![cue])
            .wait(2 * THIRD)
            .look(Look::Seconds("goes-on", LEAD_TO_C.and(FIRST_TERM), "elected", vec![10, 20]));
        master(id, title, verifies, play)
    };
    vec![
        master(
            "master.greater.01",
            "A master that is refused a round with a greater term is the master no more at once",
            &["MA-038"],
            dethroned(
                attached()
                    .cast(TO_B, Port::Group, vec![hangs(POLL), always(VOTE, REFUSE_7)])
                    .cast(TO_C, Port::Group, vec![hangs(POLL), hangs(VOTE)])
                    .awaits(VOTE_TO_B, 2, THIRD),
            ),
        )
        .twin("master.lead.04")
        .kills(&[("greater-terms-ignored", "late-turned-away")]),
        master(
            "master.greater.02",
            "So is one that a member does not obey because it knows a greater term",
            &["MA-038", "MA-040"],
            dethroned(
                attached()
                    .cast(TO_B, Port::Group, vec![hangs(POLL), always(LEAD, REFUSE_7)])
                    .cast(TO_C, Port::Group, vec![hangs(POLL)])
                    .awaits(LEAD_TO_B, 2, THIRD),
            ),
        )
        .twin("master.lead.04")
        .kills(&[("greater-terms-ignored", "late-turned-away")]),
        master(
            "master.greater.03",
            "So is one whose table gets a record of its group under a greater term",
            &["MA-038"],
            deserted(elected())
                .mark("told")
                .talk("rg2", telling(&[RG1_UNDER_C5]))
                .talk("late", turned_away("rg1-c"))
                .wait(LEASE)
                .look(Look::Never("leads-no-more", LEAD_TO_C, Some("told")))
                .look(Look::Some("asks-for-a-greater-one", POLL_TO_B.and(" 6 {5}rg1-a "))),
        )
        .twin("master.lead.04"),
        master(
            "master.greater.04",
            "A master that hears of another one with a greater term obeys it, and attaches to it",
            &["MA-038", "MA-040"],
            attached()
                .talk("b", says(convened("rg1-b"), &lead(1, "2 {5}rg1-b 9"), "obeyed", " OBEYED 1"))
                .mark("told")
                .wait(TENTH)
                .talk("late", turned_away("rg1-c"))
                .look(Look::Ended("let-go", "fellow"))
                .look(Look::Never("leads-no-more", LEAD_TO_C, Some("told")))
                .look(Look::Some("attaches", On::said(TO_B, "").with(" ATTACH {5}rg1-a"))),
        )
        .twin("master.lead.04"),
        master(
            "master.greater.05",
            "Of two masters with one counter the one with the greater name stays",
            &["MA-038", "MA-040"],
            attached()
                .talk("b", says(convened("rg1-b"), &lead(1, "1 {5}rg1-b 0"), "obeyed", " OBEYED 1"))
                .wait(SECOND)
                .talk("late", turned_away("rg1-c"))
                .look(Look::Ended("let-go", "fellow")),
        )
        .twin("master.lead.04"),
        master(
            "master.greater.06",
            "A master refuses one with a smaller term, with its own, and goes on",
            &["MA-040", "MA-041"],
            candidate()
                .opens(
                    TO_B,
                    Port::Group,
                    vec![once(POLL, Answer::Say(" UNWILLING {id} 7 {5}rg1-b 9"))],
                )
                .opens(TO_C, Port::Group, vec![once(POLL, Answer::Hang)])
                .awaits(LEAD_TO_C, 1, ELECTED + 2 * THIRD)
                .mark("elected")
                .talk("b", {
                    let old = lead(1, "7 {5}rg1-b 9");
                    says_like(convened("rg1-b"), &old, "refused", " REFUSE 1 8 {5}rg1-a ")
                })
                .wait(2 * THIRD)
                .look(Look::Seconds("goes-on", LEAD_TO_C, "elected", vec![10, 20])),
        )
        .twin("master.member.01"),
        ignored(
            "master.greater.07",
            "A refusal that knows no greater term takes nothing from a master",
            &["MA-038"],
            always(VOTE, Answer::Say(" REFUSE {id} -")),
        ),
        ignored(
            "master.greater.08",
            "Nor does one that answers another round than the present one",
            &["WI-122", "MA-038"],
            always(VOTE, Answer::Say(" REFUSE 1 7 {5}rg1-b 9")),
        )
        .kills(&[("late-answers-count", "goes-on")]),
    ]
}

fn transfers() -> Vec<Case> {
    let done = || Look::Shown("done", 0, "/ok", Value::Object(serde_json::Map::new()));
    let refused = || Look::Shown("refused", 0, "/err", json!("refused"));
    let moves = |play: Play, to| play.mark("moved").act(Act::Transfer(to));
    vec![
        master(
            "master.transfer.01",
            "A master that is told to hand over says so to the voters, names who is to follow, and lets members go",
            &["MA-042", "CO-016"],
            moves(elected().talk("fellow", reported()), Some("rg1-b"))
                .wait(SECOND)
                .look(done())
                .look(Look::Ended("let-go", "fellow"))
                .look(Look::Some("says-so", On::said(TO_C, "").with(" RESIGN 1 {5}rg1-a ")))
                .look(Look::Some("names", On::said(TO_B, "").with(" {5}rg1-b"))),
        )
        .kills(&[("resigns-before-it-stops", "let-go")]),
        master(
            "master.transfer.06",
            "It ceases at once and for good: it tells its term to nobody, and begins no round of it",
            &["MA-042"],
            moves(elected(), None)
                .talk("late", turned_away("rg1-c"))
                .wait(LEASE - TENTH)
                .look(done())
                .look(Look::Never("leads-no-more", LEAD_TO_C, Some("moved")))
                .look(Look::Never("begins-no-round", VOTE_TO_B, Some("moved"))),
        )
        .twin("master.transfer.01")
        .kills(&[("resigns-before-it-stops", "late-turned-away")]),
        master(
            "master.transfer.02",
            "It counts no answer to a round that is under way any more",
            &["MA-042"],
            moves(
                both(elected(), &[hangs(POLL), always(VOTE, Answer::Later)])
                    .awaits(VOTE_TO_B, 2, THIRD),
                None,
            )
            .act(Act::SayNow(TO_B, Port::Group))
            .act(Act::SayNow(TO_C, Port::Group))
            .wait(SECOND)
            .talk("late", turned_away("rg1-c"))
            .look(done())
            .look(Look::Some("granted", On::back(TO_B, "").with(" GRANTED ")))
            .look(Look::Never("leads-no-more", LEAD_TO_C, Some("moved"))),
        )
        .twin("master.lead.04")
        .kills(&[("resigned-round-counts", "leads-no-more")]),
        master(
            "master.transfer.03",
            "A voter that has handed over is free to grant the round of whoever follows",
            &["MA-042", "MA-031"],
            moves(elected(), Some("rg1-b")).wait(SECOND).talk("b", {
                let next = "2 {5}rg1-b 9";
                says(convened("rg1-b"), &vote(1, next), "granted", " GRANTED 1")
            }),
        ),
        master(
            "master.transfer.04",
            "Who is not the master refuses the order",
            &["CO-016"],
            moves(candidate().wait(SECOND), None).look(refused()),
        )
        .twin("master.transfer.01"),
        master(
            "master.transfer.05",
            "An order for a member that never stands is refused, and the master goes on",
            &["CO-016"],
            moves(election(electing_with_another).awaits(LEAD_TO_B, 1, ELECTED), Some("rg1-d"))
                .wait(2 * THIRD)
                .look(refused())
                .look(Look::Seconds("goes-on", LEAD_TO_C, "moved", vec![10, 20])),
        )
        .twin("master.transfer.01"),
    ]
}
