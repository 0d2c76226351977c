//! The sender of a hand-over when a reply is lost, a peer comes with another disk, or it crashes itself.

use serde_json::{Value, json};

use super::handing_over::{
    ACROSS, COMMIT, OFFER, RESOLVE, TO_CARL, against, always, once, sender, to_bob,
};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::{Port, Rule};
use crate::play::{Act, Answer, Look, On, Play};

const RELEASE: On = On::said(ACROSS, "X-SUBMIT RELEASE ");
const HELLO: On = On::said(ACROSS, "X-SUBMIT HELLO ");
const WORDS: &[&str] = &["X-SUBMIT RESOLVE ", "X-SUBMIT OFFER "];
const OTHER_DISK: Answer = Answer::Say("250 2.0.0 MEMBER=rg2-a STORE=00000000c0ffee99");
const REFUSED: Answer = Answer::Say("250 2.0.0 REFUSED ID={id} OFFER={offer}");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = before_commit();
    cases.extend(behind_commit());
    cases.extend(answers());
    cases.extend(disks());
    cases.extend(crashes());
    cases.extend(released());
    cases
}

/// A reply that is lost before COMMIT settles itself: the message is offered again.
fn before_commit() -> Vec<Case> {
    let lost = |id: &str, what: &str, at: &'static str| {
        sender(
            id,
            &format!("A connection that is lost {what} leaves nothing in doubt"),
            &["SU-001", "SU-021"],
            against(&[once(at, Answer::Close)])
                .wait(HOUR)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Distinct("same-transfer", OFFER, "ID", 1))
                .look(Look::Values("numbered", OFFER, "OFFER", vec!["1".into(), "2".into()]))
                .look(Look::Count("committed-once", COMMIT, 1))
                .look(Look::Never("nothing-to-ask", RESOLVE, None)),
        )
        .twin("submit.offer.02")
    };
    vec![
        lost("submit.lost.01", "instead of the 354", "X-SUBMIT OFFER "),
        lost("submit.lost.02", "instead of TRANSFERRED", "OCTETS"),
    ]
}

fn behind_commit() -> Vec<Case> {
    vec![
        sender(
            "submit.lost.03",
            "COMMIT that never arrived: the sender asks, hears of the fence, and offers under a greater number",
            &["SU-001", "SU-020", "SU-022"],
            against(&[once("X-SUBMIT COMMIT ", Answer::Close)])
                .wait(HOUR)
                .look(Look::Next("asks-first", COMMIT, WORDS))
                .look(Look::Count("asked-once", RESOLVE, 1))
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Count("committed-twice", COMMIT, 2)),
        )
        .kills(&[("fallback-while-in-doubt", "asks-first")]),
        sender(
            "submit.lost.04",
            "The reply to COMMIT is lost: the sender asks, and offers nothing",
            &["SU-020", "SU-021", "SU-003"],
            against(&[once("X-SUBMIT COMMIT ", Answer::Lose)])
                .wait(HOUR)
                .look(Look::Next("asks-first", COMMIT, WORDS))
                .look(Look::Count("offered-once", OFFER, 1)),
        )
        .twin("submit.lost.03"),
        sender(
            "submit.lost.05",
            "The reply to RESOLVE is lost: the sender asks again before it offers",
            &["SU-020", "SU-023"],
            against(&[
                once("X-SUBMIT COMMIT ", Answer::Close),
                once("X-SUBMIT RESOLVE ", Answer::Close),
            ])
            .wait(HOUR)
            .look(Look::Next("asks-first", COMMIT, WORDS))
            .look(Look::Next("asks-again", RESOLVE, WORDS))
            .look(Look::Count("asked-twice", RESOLVE, 2))
            .look(Look::Count("offered-twice", OFFER, 2)),
        ),
        sender(
            "submit.lost.06",
            "RESOLVE that is refused settles nothing: the transfer stays in doubt",
            &["SU-021", "SU-022"],
            against(&[
                once("X-SUBMIT COMMIT ", Answer::Close),
                always("X-SUBMIT RESOLVE ", Answer::Say("451 4.3.0 not now")),
            ])
            .wait(HOUR)
            .look(Look::Next("asks-first", COMMIT, WORDS))
            .look(Look::Count("offered-once", OFFER, 1)),
        )
        .twin("submit.lost.03"),
        sender(
            "submit.lost.07",
            "UNKNOWN is no answer to RESOLVE and permits nothing",
            &["SU-022", "SU-024", "SM-045"],
            against(&[
                once("X-SUBMIT COMMIT ", Answer::Close),
                always("X-SUBMIT RESOLVE ", Answer::Say("250 2.0.0 UNKNOWN ID={id}")),
            ])
            .wait(HOUR)
            .look(Look::Next("asks-first", COMMIT, WORDS))
            .look(Look::Count("offered-once", OFFER, 1)),
        )
        .twin("submit.lost.03")
        .kills(&[("unknown-means-refused", "offered-once")]),
        sender(
            "submit.lost.08",
            "What waits behind a transfer in doubt is offered only when the doubt is settled",
            &["SU-020"],
            against(&[once("X-SUBMIT COMMIT ", Answer::Lose)])
                .talk("second", to_bob())
                .wait(HOUR)
                .look(Look::Next("asks-first", COMMIT, WORDS))
                .look(Look::Count("two-messages", OFFER, 2))
                .look(Look::Distinct("another-transfer", OFFER, "ID", 2)),
        ),
    ]
}

/// Replies to COMMIT that do not fit: each counts as a lost connection.
fn answers() -> Vec<Case> {
    let misfits = |id: &str, what: &str, reply: &'static str| {
        sender(
            id,
            &format!("{what} in reply to COMMIT leaves the transfer in doubt"),
            &["WI-061", "SM-041", "SM-045", "SU-004"],
            against(&[once("X-SUBMIT COMMIT ", Answer::Say(reply))])
                .wait(HOUR)
                .look(Look::Next("asks-first", COMMIT, WORDS))
                .look(Look::Count("asked-once", RESOLVE, 1)),
        )
    };
    vec![
        misfits("submit.answer.01", "A positive reply without a word", "250 2.0.0 ok"),
        misfits(
            "submit.answer.02",
            "ACCEPTED of another transfer",
            "250 2.0.0 ACCEPTED ID=rg1-a/00000000c0ffee99/1 QUEUE={queue}",
        ),
        misfits("submit.answer.03", "421", "421 4.3.2 shutting down"),
        misfits("submit.answer.04", "A permanent refusal", "554 5.0.0 no"),
        misfits("submit.answer.05", "A temporary refusal", "452 4.3.1 full"),
        misfits(
            "submit.answer.06",
            "TRANSFERRED once more",
            "250 2.0.0 TRANSFERRED ID={id} OFFER={offer}",
        ),
    ]
}

fn disks() -> Vec<Case> {
    let suspect =
        |check, place| Look::Envelope(check, ACROSS, place, "/recipients/0/suspect", json!(true));
    let in_doubt = || {
        against(&[
            once("X-SUBMIT COMMIT ", Answer::Close),
            always("X-SUBMIT RESOLVE ", Answer::Close),
        ])
    };
    let replaced = |play: Play| {
        play.mark("lost")
            .cast(ACROSS, Port::Smtp, vec![always("X-SUBMIT HELLO ", OTHER_DISK)])
            .wait(HOUR)
    };
    vec![
        sender(
            "submit.disk.01",
            "A peer with another disk cannot be asked: the message is offered anew, and marked as suspect",
            &["SU-040", "SU-041"],
            replaced(in_doubt())
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(suspect("marked", 1))
                .look(Look::Envelope("not-before", ACROSS, 0, "/recipients/0/suspect", Value::Null)),
        )
        .kills(&[("suspect-mark-is-lost", "marked")]),
        sender(
            "submit.disk.02",
            "A peer with the same disk is asked, and nobody becomes suspect",
            &["SU-020", "SU-040"],
            in_doubt()
                .cast(ACROSS, Port::Smtp, vec![always("X-SUBMIT RESOLVE ", REFUSED)])
                .wait(HOUR)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Envelope("not-marked", ACROSS, 1, "/recipients/0/suspect", Value::Null)),
        ),
        sender(
            "submit.disk.03",
            "Where the policy says so, what became suspect is held",
            &["SU-040"],
            replaced(in_doubt().policy("suspects", json!("hold")))
                .look(Look::Count("offered-once", OFFER, 1)),
        )
        .twin("submit.disk.01"),
        sender(
            "submit.disk.04",
            "DONE to what is in doubt is neither custody nor a refusal: offered anew, and marked as suspect",
            &["SU-008"],
            against(&[
                once("X-SUBMIT COMMIT ", Answer::Close),
                once("X-SUBMIT RESOLVE ", Answer::Say("250 2.0.0 DONE ID={id}")),
            ])
            .wait(HOUR)
            .look(Look::Count("offered-twice", OFFER, 2))
            .look(Look::Distinct("another-transfer", OFFER, "ID", 2))
            .look(suspect("marked", 1)),
        )
        .kills(&[("done-means-accepted", "offered-twice")]),
        sender(
            "submit.disk.05",
            "DONE to an offer: offered anew under another id, and marked as suspect",
            &["SU-008"],
            against(&[once("X-SUBMIT OFFER ", Answer::Say("250 2.0.0 DONE ID={id}"))])
                .wait(HOUR)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Distinct("another-transfer", OFFER, "ID", 2))
                .look(suspect("marked", 0)),
        ),
        sender(
            "submit.disk.06",
            "DONE to COMMIT: offered anew under another id, and marked as suspect",
            &["SU-008"],
            against(&[once("X-SUBMIT COMMIT ", Answer::Say("250 2.0.0 DONE ID={id}"))])
                .wait(HOUR)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(suspect("marked", 1)),
        ),
        sender(
            "submit.disk.07",
            "A member that is told that its disk was rolled back takes a new store id",
            &["SU-043"],
            against(&[once("X-SUBMIT RELEASE ", Answer::Say("554 5.3.5 rolled back"))])
                .wait(SECOND)
                .act(Act::Restart)
                .talk("second", to_bob())
                .wait(HOUR)
                .look(Look::Distinct("another-store-id", On::said(ACROSS, "X-SUBMIT HELLO "), "STORE", 2)),
        )
        .kills(&[("rolled-back-store-is-kept", "another-store-id")]),
        sender(
            "submit.disk.08",
            "A member that nobody contradicts keeps its store id over a crash",
            &["CU-006", "SU-043"],
            against(&[])
                .wait(SECOND)
                .act(Act::Restart)
                .talk("second", to_bob())
                .wait(HOUR)
                .look(Look::Distinct("same-store-id", HELLO, "STORE", 1)),
        ),
        sender(
            "submit.disk.09",
            "What stands in the queue when the disk was rolled back is marked as suspect",
            &["SU-043", "SU-041"],
            Play::new()
                .act(Act::Rule(TO_CARL, Rule::Refuse))
                .cast(
                    ACROSS,
                    Port::Smtp,
                    vec![
                        once("X-SUBMIT RELEASE ", Answer::Say("554 5.3.5 rolled back")),
                        once("X-SUBMIT OFFER ", Answer::Say("452 4.3.1 full")),
                    ],
                )
                .talk("client", to_bob())
                .wait(SECOND)
                .act(Act::Restart)
                .wait(HOUR)
                .look(suspect("marked", 0)),
        ),
    ]
}

fn crashes() -> Vec<Case> {
    vec![
        sender(
            "submit.crash.01",
            "A sender that dies before COMMIT has nothing in doubt, and offers",
            &["SU-002", "SU-021", "CU-005"],
            against(&[once("OCTETS", Answer::Hang)])
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Count("committed-once", COMMIT, 1))
                .look(Look::Never("nothing-to-ask", RESOLVE, None)),
        )
        .twin("submit.offer.02"),
        sender(
            "submit.crash.02",
            "A sender that dies behind COMMIT asks first when it is back",
            &["SU-002", "SU-021", "CU-005"],
            against(&[once("X-SUBMIT COMMIT ", Answer::Hang)])
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Next("asks-first", COMMIT, WORDS))
                .look(Look::Count("offered-twice", OFFER, 2)),
        ),
        sender(
            "submit.crash.03",
            "A sender that dies when the peer has accepted asks, and offers nothing",
            &["SU-002", "SU-003", "SU-021"],
            against(&[once("X-SUBMIT COMMIT ", Answer::Lose)])
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Next("asks-first", COMMIT, WORDS))
                .look(Look::Count("offered-once", OFFER, 1)),
        )
        .twin("submit.crash.02"),
        sender(
            "submit.crash.04",
            "A sender that dies when it has heard of the acceptance says no more of the message",
            &["SU-003", "CU-005"],
            against(&[])
                .wait(SECOND)
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Count("committed-once", COMMIT, 1))
                .look(Look::Count("offered-once", OFFER, 1))
                .look(Look::Never("nothing-to-ask", RESOLVE, None)),
        )
        .twin("submit.offer.02"),
    ]
}

fn released() -> Vec<Case> {
    vec![
        sender(
            "submit.released.01",
            "RELEASE is said behind HELLO on each connection, also when nothing is new",
            &["SU-032"],
            against(&[])
                .wait(SECOND)
                .act(Act::Restart)
                .talk("second", to_bob())
                .wait(HOUR)
                .look(Look::Before("hello-first", HELLO, RELEASE))
                .look(Look::Next("before-the-mail", RELEASE, &["X-SUBMIT OFFER "])),
        ),
        sender(
            "submit.released.02",
            "The number of the boot grows with each boot",
            &["SU-042"],
            against(&[])
                .wait(SECOND)
                .act(Act::Restart)
                .talk("second", to_bob())
                .wait(60 * SECOND)
                .act(Act::Restart)
                .talk("third", to_bob())
                .wait(HOUR)
                .look(Look::Some("second-boot", RELEASE.with("BOOT=2 ")))
                .look(Look::Before("in-order", RELEASE.with("BOOT=2 "), RELEASE.with("BOOT=3 "))),
        ),
        sender(
            "submit.released.03",
            "A transfer in doubt is an exception, also of the next boot",
            &["SU-031"],
            against(&[
                once("X-SUBMIT COMMIT ", Answer::Close),
                always("X-SUBMIT RESOLVE ", Answer::Close),
            ])
            .wait(SECOND)
            .act(Act::Restart)
            .cast(ACROSS, Port::Smtp, vec![])
            .wait(HOUR)
            .look(Look::Next("asks-first", COMMIT, WORDS))
            .look(Look::Before(
                "excepted",
                RELEASE.with("EXCEPT="),
                On::said(ACROSS, "X-SUBMIT COMMIT ").with("OFFER=2"),
            )),
        )
        .kills(&[("release-without-exceptions", "excepted")]),
        sender(
            "submit.released.04",
            "When nothing is in doubt RELEASE names no exception",
            &["SU-031"],
            against(&[])
                .wait(SECOND)
                .act(Act::Restart)
                .talk("second", to_bob())
                .wait(HOUR)
                .look(Look::Some("was-said", RELEASE))
                .look(Look::Never("no-exception", RELEASE.with("EXCEPT="), None)),
        )
        .twin("submit.released.03"),
    ]
}
