//! A member that has an account by lease: the suite is the master that leases it, and the member that asks
//! what became of deliveries.

use serde_json::Value;

use super::account_peers::{
    CLAIM, DORA, HELD, LISTED, RENEW, RETURN, THIRD, account, led, mail, member,
};
use super::fellows::{indexed, inquire, lmtp, mail as mail_from_fellow, recipient};
use super::handing_over::{always, cue, once};
use super::hosts::CONTENT;
use super::link_peers::leaves;
use super::master_peers::{TO_C, lead, on, says};
use super::members::ok;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::play::{Act, Answer, Cue, Look, On, Play, When};
use crate::script::{Script, Seat};
use crate::smtp::Want;

const ASKED: &str = " CLAIM ";
const RENEWED: &str = " RENEW ";
const DORAS: &str = "dora@example.test";
/// Any answer to INQUIRE: who neither has the account nor knows who has gives none yet.
const ANSWER: &str = "250 2.0.0 [0] ";
/// Nothing is recorded of a delivery: only who has the account says so.
const UNKNOWN: &str = "250 2.0.0 [0] UNKNOWN";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = tenures();
    cases.extend(ends());
    cases.extend(stores());
    cases.extend(drains());
    cases.extend(releases());
    cases
}

/// Somebody writes to dora, and the node claims her account.
fn claimed(cues: &[Cue]) -> Play {
    member(LISTED, cues)
        .wait(SECOND)
        .talk("client", mail())
        .awaits(CLAIM, 1, SECOND)
        .mark("claimed")
}

/// The node answers for the account: it has it.
fn has(play: Play, name: &'static str) -> Play {
    play.talk(name, leaves(lmtp().ask(&inquire(9, 0, DORAS), "has-it", ok().last("[0] UNKNOWN"))))
}

/// It does not.
fn has_not(play: Play) -> Play {
    play.talk("late", lmtp().line(&inquire(9, 0, DORAS))).wait(SECOND).look(Look::Never(
        "has-it-no-more",
        On::back("late", ANSWER),
        None,
    ))
}

/// Goes on as whoever asks or delivers.
const fn on_store() -> Script {
    Script::new(Seat::Fellow, Port::Deliver)
}

/// A delivery to dora.
fn delivers(script: Script, number: u32) -> Script {
    delivers_at(script, number, "")
}

/// The same, which names an epoch.
fn delivers_at(script: Script, number: u32, epoch: &str) -> Script {
    script
        .ask(&mail_from_fellow(number), "mail", Want::code(250).any_status())
        .ask(&format!("{}{epoch}", recipient("dora", 0)), "rcpt", indexed(250, 0))
        .ask("DATA", "data", Want::code(354))
        .send(CONTENT)
        .reply("result", indexed(250, 0))
}

fn tenures() -> Vec<Case> {
    vec![
        account(
            "account.have.01",
            "A member that is granted an account delivers into it, and answers for it",
            &["MA-060", "MA-103", "DE-100", "DE-103"],
            claimed(&[])
                .wait(SECOND)
                .talk("store", {
                    let before = ok().last("[0] UNKNOWN");
                    let script = lmtp().ask(&inquire(1, 0, DORAS), "before", before);
                    let after = ok().last("[0] DELIVERED");
                    leaves(delivers(script, 1).ask(&inquire(1, 0, DORAS), "after", after))
                })
                .look(Look::Count("claims-once", CLAIM, 1)),
        ),
        account(
            "account.have.02",
            "It asks for the account again every third of its lease, and names its epoch",
            &["MA-062", "WI-141"],
            claimed(&[])
                .wait(3 * THIRD + SECOND)
                .look(Look::Gaps("each-third", RENEW, "claimed", vec![(THIRD, THIRD + 1); 3]))
                .look(Look::Count(
                    "three-times",
                    RENEW.and(" ( {11}dora@example.test 5 {5}rg1-c 7 1 )"),
                    3,
                ))
                .look(Look::Rounds("consecutive-numbers", RENEW)),
        )
        .twin("account.have.01"),
        account(
            "account.have.03",
            "Under a new term it asks for what it has at once, under the epoch that it has",
            &["MA-065"],
            has(
                claimed(&[])
                    .wait(SECOND)
                    .mark("told")
                    .talk("lead", {
                        says(on("rg1-c"), &lead(2, "6 {5}rg1-c 1"), "obeyed-on", " OBEYED 2")
                    })
                    .wait(SECOND),
                "asked",
            )
            .look(Look::Within(
                "at-once",
                RENEW.and(" 6 {5}rg1-c 1 15 ( {11}dora@example.test 5 {5}rg1-c 7 1 )"),
                "told",
                (0, SECOND),
            )),
        )
        .twin("account.have.01"),
        account(
            "account.have.04",
            "Nobody has an account before it is granted",
            &["MA-060", "DE-104"],
            has_not(claimed(&[always(ASKED, Answer::Hang)]).wait(SECOND)),
        )
        .twin("account.have.01"),
    ]
}

fn ends() -> Vec<Case> {
    let deaf = |from: u32| -> Vec<Cue> {
        (from..from + 6).map(|time| cue(RENEWED, When::Time(time), Answer::Hang)).collect()
    };
    let silent = || always(RENEWED, Answer::Hang);
    // What is asked for after the lease is over is not granted.
    let hangs_then = |time: u32| cue(ASKED, When::Time(time), Answer::Hang);
    vec![
        account(
            "account.end.01",
            "A lease that is not prolonged ends by the drift, to the microsecond after the request",
            &["MA-061", "DE-104"],
            has_not(
                has(claimed(&[silent(), hangs_then(2)]).until(CLAIM, 1, HELD - 1), "early").wait(1),
            ),
        )
        .twin("account.have.01"),
        account(
            "account.end.02",
            "It is counted from the request, however late the answer came",
            &["MA-061", "MA-062"],
            has_not(
                has(
                    claimed(&[once(ASKED, Answer::Later), silent(), hangs_then(2), hangs_then(3)])
                        .wait(5 * SECOND)
                        .act(Act::SayNow(TO_C, Port::Group))
                        .until(CLAIM, 1, HELD - 1),
                    "early",
                )
                .wait(1),
            ),
        )
        .twin("account.have.01")
        .kills(&[("account-lease-from-the-answer", "has-it-no-more")]),
        account(
            "account.end.03",
            "A RENEW that is granted prolongs it, from when that was sent",
            &["MA-062", "MA-061"],
            has_not(
                has(
                    claimed(&[&deaf(2)[..], &[hangs_then(2)]].concat()).wait(THIRD + SECOND).until(
                        RENEW,
                        1,
                        HELD - 1,
                    ),
                    "early",
                )
                .wait(1),
            ),
        )
        .twin("account.have.01"),
        account(
            "account.end.04",
            "The answer to another request than the last one prolongs nothing",
            &["MA-062"],
            has_not(
                has(
                    claimed(
                        &[&[once(RENEWED, Answer::Later)], &deaf(2)[..], &[hangs_then(2)]].concat(),
                    )
                    .wait(2 * THIRD + SECOND / 2)
                    .act(Act::SayNow(TO_C, Port::Group))
                    .until(CLAIM, 1, HELD - 1),
                    "early",
                )
                .wait(1),
            ),
        )
        .twin("account.have.01")
        .kills(&[("late-lease-counts", "has-it-no-more")]),
        account(
            "account.end.05",
            "A member whose RENEW is refused closes the account at once, and names who has it",
            &["MA-099", "DE-104"],
            claimed(&[always(
                RENEWED,
                Answer::Say(" LEASED {id} () ( {11}dora@example.test {5}rg1-b )"),
            )])
            .wait(SECOND)
            .talk("early", {
                leaves(lmtp().ask(&inquire(9, 0, DORAS), "has-it", ok().last("[0] UNKNOWN")))
            })
            .cast(
                TO_C,
                Port::Group,
                vec![
                    always(
                        RENEWED,
                        Answer::Say(" LEASED {id} () ( {11}dora@example.test {5}rg1-b )"),
                    ),
                    always(
                        ASKED,
                        Answer::Say(" LEASED {id} () ( {11}dora@example.test {5}rg1-b )"),
                    ),
                ],
            )
            .awaits(RENEW, 1, THIRD)
            .wait(1)
            .talk("late", lmtp().line(&inquire(9, 0, DORAS)))
            .wait(SECOND)
            .look(Look::Never("has-it-no-more", On::back("late", UNKNOWN), None))
            .talk("late", {
                let moved = ok().last("[0] MOVED MEMBER=rg1-b");
                leaves(on_store().reply("names-the-owner", moved))
            }),
        )
        .twin("account.have.01"),
        account(
            "account.end.06",
            "A lease does not outlast a kill: the member claims the account anew",
            &["MA-061", "MA-065"],
            has_not(
                claimed(&[hangs_then(2), hangs_then(3)])
                    .wait(SECOND)
                    .act(Act::Restart)
                    .mark("again")
                    .talk("lead-again", led())
                    .wait(SECOND),
            )
            .look(Look::Never("names-no-epoch", RENEW, Some("again")))
            .look(Look::Count("claims-again", CLAIM.and(DORA), 2)),
        )
        .twin("account.have.01"),
    ]
}

/// The node has had the account under one epoch, is killed, and is granted it under another one.
fn reopened(first: Answer, second: Answer) -> Play {
    claimed(&[once(ASKED, first), always(ASKED, second)])
        .wait(SECOND)
        .talk("store", leaves(delivers(lmtp(), 1)))
        .act(Act::Restart)
        .mark("again")
        .talk("lead-again", led())
        .wait(SECOND)
}

fn stores() -> Vec<Case> {
    const FIRST: Answer = Answer::Say(" LEASED {id} ( {11}dora@example.test 5 {5}rg1-c 7 4 ) ()");
    const NEXT: Answer = Answer::Say(" LEASED {id} ( {11}dora@example.test 5 {5}rg1-c 7 5 ) ()");
    const SMALLER: Answer = Answer::Say(" LEASED {id} ( {11}dora@example.test 5 {5}rg1-c 7 3 ) ()");
    const OLDER: Answer = Answer::Say(" LEASED {id} ( {11}dora@example.test 4 {5}rg1-c 7 9 ) ()");
    let refused = |id: &str, title: &str, second: Answer, mutant: &'static str| {
        let asked = lmtp().line(&inquire(9, 0, DORAS));
        let play = reopened(FIRST, second)
            .talk("late", asked)
            .wait(SECOND)
            .look(Look::Some("gives-it-back", RETURN))
            .look(Look::Never("has-it-not", On::back("late", ANSWER), None));
        account(id, title, &["DE-100", "MA-067"], play)
            .twin("account.have.01")
            .kills(&[(mutant, "gives-it-back")])
    };
    vec![
        account(
            "account.store.01",
            "What was delivered under one epoch is known under the next one, and is delivered once",
            &["DE-103", "DE-106", "DE-101", "DE-105"],
            reopened(FIRST, NEXT)
                .talk("wakes", lmtp().line(&inquire(1, 0, DORAS)))
                .wait(SECOND)
                .talk("wakes", leaves(on_store().reply("answered", ok().last("[0] "))))
                .talk("again", {
                    let second = ok().last("[0] MOVED MEMBER=rg1-a EPOCH=2");
                    let known = ok().last("[0] DELIVERED");
                    let question = inquire(1, 0, DORAS).replace(" ADDRESS", " XEPOCH=2 ADDRESS");
                    let script = lmtp().ask(&inquire(1, 0, DORAS), "second-opening", second);
                    let script = script.ask(&question, "known", known.clone());
                    let script = delivers_at(script, 1, " XEPOCH=2");
                    leaves(script.ask(&question, "still", known))
                })
                .look(Look::Never("never-forgotten", On::back("wakes", UNKNOWN), None)),
        )
        .twin("account.have.01"),
        refused(
            "account.store.02",
            "A store refuses a smaller epoch than it has seen, and the member gives the account back",
            SMALLER,
            "store-takes-any-epoch",
        ),
        refused(
            "account.store.03",
            "Also where only the term is smaller",
            OLDER,
            "store-compares-numbers",
        ),
    ]
}

fn drains() -> Vec<Case> {
    let drained =
        |on: bool| claimed(&[]).wait(SECOND).mark("drained").act(Act::Drain(on)).wait(SECOND);
    vec![
        account(
            "account.drain.01",
            "Who drains gives back what it has, under its epoch, and asks for it no more",
            &["MA-103", "MA-067", "MA-059", "CO-017"],
            drained(true)
                .wait(2 * THIRD)
                .look(Look::Shown("drains", 0, "/ok", Value::Object(serde_json::Map::new())))
                .look(Look::Some("says-so", On::said(TO_C, "").with(" HEARTBEAT ").and(" DRAINS ")))
                .look(Look::Within(
                    "gives-it-back",
                    RETURN.and(" 5 {5}rg1-c 7 ( {11}dora@example.test 5 {5}rg1-c 7 1 )"),
                    "drained",
                    (0, SECOND),
                ))
                .look(Look::Never("has-it-no-more", RENEW, Some("drained"))),
        )
        .twin("account.have.02")
        .kills(&[("drains-and-keeps", "gives-it-back")]),
        account(
            "account.drain.02",
            "Who drains no more, or never did, keeps what it has",
            &["MA-103", "CO-017"],
            drained(false)
                .wait(2 * THIRD)
                .look(Look::Shown("goes-on", 0, "/ok", Value::Object(serde_json::Map::new())))
                .look(Look::Count("asks-on", RENEW, 2))
                .look(Look::Never("gives-nothing-back", RETURN, None)),
        )
        .twin("account.have.02"),
    ]
}

fn releases() -> Vec<Case> {
    let released = |play: Play| play.wait(SECOND).mark("released").act(Act::Release(DORAS));
    let done = || Look::Shown("takes-the-order", 0, "/ok", Value::Object(serde_json::Map::new()));
    vec![
        account(
            "account.release.01",
            "A member that is ordered to release an account gives it back, under its epoch, and asks for it no more",
            &["MA-105", "MA-067", "CO-018"],
            released(claimed(&[]))
                .wait(2 * THIRD)
                .look(done())
                .look(Look::Within(
                    "gives-it-back",
                    RETURN.and(" 5 {5}rg1-c 7 ( {11}dora@example.test 5 {5}rg1-c 7 1 )"),
                    "released",
                    (0, SECOND),
                ))
                .look(Look::Never("has-it-no-more", RENEW, Some("released"))),
        )
        .twin("account.have.02")
        .kills(&[("keeps-what-is-released", "gives-it-back")]),
        account(
            "account.release.02",
            "It claims the account again when it has mail for it",
            &["MA-105", "MA-103"],
            released(claimed(&[]))
                .wait(SECOND)
                .talk("again", mail())
                .awaits(CLAIM, 2, SECOND)
                .wait(SECOND)
                .look(done())
                .look(Look::Some("gave-it-back", RETURN)),
        )
        .twin("account.have.01"),
        account(
            "account.release.03",
            "A member that neither has the account nor is the master refuses the order, and goes on",
            &["MA-105", "CO-018"],
            released(member(LISTED, &[]))
                .wait(SECOND)
                .look(Look::Shown("refused", 0, "/err", Value::from("refused")))
                .look(Look::Never("gives-nothing-back", RETURN, None))
                .talk("client", mail())
                .awaits(CLAIM, 1, SECOND),
        )
        .twin("account.have.01"),
    ]
}
