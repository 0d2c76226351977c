//! The sender of deliveries, with the suite as the host that it calls.

use serde_json::json;

use super::handing_over::{TO_CARL, always, client, once};
use super::members::ok;
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::{Port, Rule};
use crate::organization::{CROWD, crowd, two_accounts};
use crate::play::{Act, Answer, Cue, Look, On, Part, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

pub(super) const DELIVER: &str = "deliver/sender";
const MAIL: On = On::said(TO_CARL, "MAIL FROM:");
const DATA: On = On::said(TO_CARL, "DATA");
const RCPT: On = On::said(TO_CARL, "RCPT TO:");
const INQUIRE: On = On::said(TO_CARL, "X-DELIVER INQUIRE ");
const ASKS: &[&str] = &["X-DELIVER INQUIRE ", "MAIL FROM:"];
const BOB: &str = "<bob@example.test>";
const CARL: &str = "<carl@example.test>";
const CORA: &str = "<cora@example.test>";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = results();
    cases.extend(lost());
    cases.extend(answers());
    cases.extend(crashes());
    cases.extend(many());
    cases
}

pub(super) fn sender(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, DELIVER, play).verifies(verifies)
}

/// Bob writes to carl, whose host departs from the ordinary.
fn against(cues: &[Cue]) -> Play {
    Play::new().cast(TO_CARL, Port::Deliver, cues.to_vec()).talk("client", client(BOB, &[CARL]))
}

/// Bob writes to carl and cora, who have the same host.
fn against_two(cues: &[Cue]) -> Play {
    Play::over(two_accounts)
        .cast(TO_CARL, Port::Deliver, cues.to_vec())
        .talk("client", client(BOB, &[CARL, CORA]))
}

const BUSY: Answer = Answer::Say("450 4.2.1 [{index}] busy");
const NOBODY: Answer = Answer::Say("550 5.1.1 [{index}] nobody");

fn results() -> Vec<Case> {
    const NOTICE: On = On::said("RG1-RG2", "X-SUBMIT OFFER ");
    let kept = |id: &str, what: &str, at: &'static str| {
        sender(
            id,
            &format!("A temporary refusal {what} is tried again by the schedule"),
            &["DE-006", "CU-010"],
            against(&[once(at, BUSY)])
                .mark("refused")
                .wait(9 * 60 * SECOND)
                .wait(HOUR)
                .look(Look::Minutes("by-the-schedule", MAIL, "refused", vec![10]))
                .look(Look::Distinct("same-origin", MAIL, "XORIGIN", 1))
                .look(Look::Never("nothing-to-ask", INQUIRE, None))
                .look(Look::Never("not-returned", NOTICE, None)),
        )
        .twin("deliver.once.01")
    };
    let returned = |id: &str, what: &str, at: &'static str| {
        sender(
            id,
            &format!("A permanent refusal {what} returns the message, once"),
            &["DE-005", "CU-030"],
            against(&[once(at, NOBODY)])
                .wait(3 * HOUR)
                .look(Look::Count("tried-once", RCPT, 1))
                .look(Look::Notices("one-notice", "RG1-RG2", 1))
                .look(Look::Notice(
                    "says-why",
                    "RG1-RG2",
                    (0, Part::Status),
                    vec![
                        "Action: failed",
                        "Status: 5.1.1",
                        "Final-Recipient: rfc822; carl@example.test",
                    ],
                )),
        )
    };
    vec![
        sender(
            "deliver.once.01",
            "A recipient whom the host has delivered is delivered once",
            &["DE-004", "DE-001"],
            against(&[]).wait(HOUR).look(Look::Count("one-content", DATA, 1)).look(Look::Count(
                "one-connection",
                On::said(TO_CARL, "LHLO "),
                1,
            )),
        ),
        sender(
            "deliver.names.01",
            "A delivery names origin, digest and index, and no mark where nobody is suspect",
            &["DE-032", "CU-008", "SU-041"],
            against(&[])
                .wait(SECOND)
                .look(Look::Some("origin", MAIL.with(" XORIGIN=rg1-a/")))
                .look(Look::Some("digest", MAIL.with(" XDIGEST=")))
                .look(Look::Some("index", RCPT.with(" XINDEX=0")))
                .look(Look::Never("no-mark", RCPT.with("XSUSPECT"), None)),
        )
        .twin("deliver.once.01"),
        kept("deliver.refused.01", "behind the content", "RESULT [0]"),
        kept("deliver.refused.02", "at RCPT", "RCPT TO:"),
        returned("deliver.refused.03", "behind the content", "RESULT [0]"),
        returned("deliver.refused.04", "at RCPT", "RCPT TO:"),
        sender(
            "deliver.refused.05",
            "A permanent refusal that names no recipient is no end of the message",
            &["SM-074"],
            against(&[once("RCPT TO:", Answer::Say("550 5.1.1 nobody"))])
                .wait(HOUR)
                .look(Look::Count("tried-twice", RCPT, 2))
                .look(Look::Never("not-returned", NOTICE, None)),
        )
        .twin("deliver.once.01")
        .kills(&[("refusal-of-nobody-counts", "tried-twice")]),
        sender(
            "deliver.refused.06",
            "A permanent refusal of MAIL is no end of the message",
            &["SM-074"],
            against(&[once("MAIL FROM:", Answer::Say("550 5.7.1 not you"))])
                .wait(HOUR)
                .look(Look::Count("tried-twice", MAIL, 2))
                .look(Look::Never("not-returned", NOTICE, None)),
        )
        .twin("deliver.once.01"),
        sender(
            "deliver.refused.07",
            "One recipient is refused for now and one is delivered: only the one is tried again",
            &["DE-004", "DE-006", "SM-073"],
            against_two(&[once("RESULT [0]", BUSY)])
                .wait(HOUR)
                .look(Look::Count("one-is-tried-twice", RCPT.with("carl"), 2))
                .look(Look::Count("the-other-once", RCPT.with("cora"), 1)),
        ),
        sender(
            "deliver.refused.08",
            "One recipient is refused for good and one is delivered: the notice is about the one",
            &["DE-004", "DE-005"],
            against_two(&[once("RESULT [1]", NOBODY)])
                .wait(HOUR)
                .look(Look::Count("tried-once", DATA, 1))
                .look(Look::Notice(
                    "about-the-one",
                    "RG1-RG2",
                    (0, Part::Status),
                    vec!["Final-Recipient: rfc822; cora@example.test"],
                ))
                .look(Look::NoticeLacks(
                    "not-about-the-other",
                    "RG1-RG2",
                    (0, Part::Status),
                    "carl@example.test",
                )),
        )
        .twin("deliver.refused.03"),
    ]
}

/// The connection is lost at each point at which the host may have delivered.
fn lost() -> Vec<Case> {
    let asks = |id: &str, what: &str, at: &'static str, does: Answer| {
        sender(
            id,
            &format!(
                "A connection that is lost {what} leaves a doubt: the sender asks before it delivers"
            ),
            &["DE-002", "DE-003", "DE-007", "DE-008"],
            against(&[once(at, does)])
                .wait(HOUR)
                .look(Look::Next("asks-first", MAIL, ASKS))
                .look(Look::Count("asked-once", INQUIRE, 1)),
        )
    };
    vec![
        asks("deliver.lost.01", "instead of the reply to MAIL", "MAIL FROM:", Answer::Close),
        asks("deliver.lost.02", "instead of the reply to RCPT", "RCPT TO:", Answer::Close),
        asks("deliver.lost.03", "instead of the 354", "DATA", Answer::Close),
        asks(
            "deliver.lost.04",
            "behind the content, before anything is stored",
            "RESULT [0]",
            Answer::Close,
        )
        .kills(&[("delivers-without-asking", "asks-first")]),
        sender(
            "deliver.lost.05",
            "The result is lost: the sender asks, hears DELIVERED, and delivers nothing",
            &["DE-003", "DE-004", "DE-008"],
            against(&[once("RESULT [0]", Answer::Lose)])
                .wait(HOUR)
                .look(Look::Next("asks-first", MAIL, ASKS))
                .look(Look::Count("delivered-once", DATA, 1)),
        )
        .twin("deliver.lost.04"),
        sender(
            "deliver.lost.06",
            "UNKNOWN has the recipient delivered again at the same host under the same origin and index",
            &["DE-007"],
            against(&[once("RESULT [0]", Answer::Close)])
                .wait(HOUR)
                .look(Look::Count("delivered-again", DATA, 2))
                .look(Look::Distinct("same-origin", MAIL, "XORIGIN", 1))
                .look(Look::Distinct("same-index", RCPT, "XINDEX", 1)),
        ),
        sender(
            "deliver.lost.07",
            "The second of two results is lost: only that recipient is asked for",
            &["DE-004", "DE-008"],
            against_two(&[once("RESULT [1]", Answer::Lose)])
                .wait(HOUR)
                .look(Look::Count("asked-for-one", INQUIRE.with("XINDEX=1"), 1))
                .look(Look::Never("not-for-the-other", INQUIRE.with("XINDEX=0"), None))
                .look(Look::Count("delivered-once", DATA, 1)),
        )
        .twin("deliver.lost.08"),
        sender(
            "deliver.lost.08",
            "Both results are lost: the sender asks for both, and delivers whom the host does not know",
            &["DE-003", "DE-007"],
            against_two(&[once("RESULT [0]", Answer::Close)])
                .wait(HOUR)
                .look(Look::Count("asked-for-one", INQUIRE.with("XINDEX=0"), 1))
                .look(Look::Count("asked-for-the-other", INQUIRE.with("XINDEX=1"), 1))
                .look(Look::Count("delivered-again", RCPT.with("carl"), 2)),
        ),
        sender(
            "deliver.lost.09",
            "The reply to INQUIRE is lost: the sender asks again before it delivers",
            &["DE-003", "DE-008"],
            against(&[
                once("RESULT [0]", Answer::Close),
                once("X-DELIVER INQUIRE ", Answer::Close),
            ])
            .wait(HOUR)
            .look(Look::Next("asks-first", MAIL, ASKS))
            .look(Look::Next("asks-again", INQUIRE, ASKS))
            .look(Look::Count("delivered-again", DATA, 2)),
        ),
        sender(
            "deliver.lost.10",
            "INQUIRE is answered with a recorded refusal: the message is returned",
            &["DE-005", "SM-077"],
            against(&[
                once("RESULT [0]", Answer::Close),
                once("X-DELIVER INQUIRE ", Answer::Say("250 2.0.0 [0] REFUSED 550 5.7.1 not here")),
            ])
            .wait(HOUR)
            .look(Look::Count("delivered-once", DATA, 1))
            .look(Look::Notice(
                "returned",
                "RG1-RG2",
                (0, Part::Status),
                vec!["Action: failed", "Status: 5.7.1"],
            )),
        )
        .twin("deliver.lost.06"),
        sender(
            "deliver.lost.11",
            "A recipient in doubt is not returned when the time of the message is over",
            &["CU-032", "DE-008"],
            against(&[
                once("RESULT [0]", Answer::Close),
                always("X-DELIVER INQUIRE ", Answer::Close),
            ])
            .policy("expiry_hours", json!(2))
            .wait(3 * HOUR)
            .look(Look::Next("asks-first", MAIL, ASKS))
            .look(Look::NoNotice("not-returned", "RG1-RG2")),
        )
        .twin("deliver.lost.06")
        .kills(&[("bounce-while-in-doubt", "not-returned")]),
    ]
}

/// Results that do not fit: each ends the connection and leaves a doubt.
fn answers() -> Vec<Case> {
    let misfits = |id: &str, what: &str, reply: &'static str| {
        sender(
            id,
            &format!("{what} is no result: the recipient is in doubt, and is asked for"),
            &["SM-073", "DE-008"],
            against(&[once("RESULT [0]", Answer::Say(reply))]).wait(HOUR).look(Look::Next(
                "asks-first",
                MAIL,
                ASKS,
            )),
        )
    };
    vec![
        misfits("deliver.answer.01", "A result of another index", "250 2.0.0 [7] DELIVERED")
            .kills(&[("any-result-counts", "asks-first")]),
        misfits("deliver.answer.02", "A positive reply without an index", "250 2.0.0 ok"),
        misfits("deliver.answer.03", "354 in place of a result", "354 go ahead"),
        misfits("deliver.answer.04", "421", "421 4.3.2 shutting down"),
        sender(
            "deliver.clear.01",
            "A host that does not offer X-DELIVER gets no mail",
            &["SM-072"],
            against(&[always("LHLO ", Answer::Say("250-ready\r\n250 8BITMIME"))])
                .wait(HOUR)
                .look(Look::Some("was-called", On::said(TO_CARL, "LHLO ")))
                .look(Look::Never("no-mail", MAIL, None)),
        )
        .twin("deliver.once.01"),
    ]
}

fn crashes() -> Vec<Case> {
    vec![
        sender(
            "deliver.crash.01",
            "A sender that dies without a result asks first when it is back",
            &["DE-002", "DE-008", "CU-005"],
            against(&[once("RESULT [0]", Answer::Hang)])
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Next("asks-first", MAIL, ASKS))
                .look(Look::Count("delivered-again", DATA, 2)),
        ),
        sender(
            "deliver.crash.02",
            "A sender that dies when the host has delivered asks, and delivers nothing",
            &["DE-004", "DE-008", "CU-005"],
            against(&[once("RESULT [0]", Answer::Lose)])
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Some("asks", INQUIRE))
                .look(Look::Count("delivered-once", DATA, 1)),
        )
        .twin("deliver.crash.01"),
        sender(
            "deliver.crash.03",
            "A sender that dies when it has heard the result says no more of the message",
            &["DE-004", "CU-005"],
            against(&[])
                .wait(SECOND)
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Count("delivered-once", DATA, 1))
                .look(Look::Never("nothing-to-ask", INQUIRE, None)),
        )
        .twin("deliver.once.01"),
        sender(
            "deliver.crash.04",
            "One of two results is heard when the sender dies: only the other recipient is asked for",
            &["DE-004", "DE-008", "CU-005"],
            against_two(&[once("RESULT [1]", Answer::Hang)])
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Count("the-one-once", RCPT.with("carl"), 1))
                .look(Look::Count("asked-for-the-other", INQUIRE.with("XINDEX=1"), 1))
                .look(Look::Count("the-other-again", RCPT.with("cora"), 2)),
        ),
    ]
}

fn many() -> Vec<Case> {
    let rcpts = (0..CROWD).map(|n| (format!("RCPT TO:<c{n}@example.test>"), Want::code(250)));
    let crowd_of = Script::smtp(Seat::Outside)
        .ask(&format!("MAIL FROM:{BOB}"), "mail", Want::code(250))
        .series("recipients", rcpts.collect())
        .ask("DATA", "data", Want::code(354))
        .send(b"Subject: to all\r\n\r\nhello\r\n.\r\n")
        .reply("accepted", ok().queue_id())
        .ask("QUIT", "farewell", Want::code(221))
        .closed("closed");
    let indexes = || (0..CROWD).map(|n| n.to_string()).collect::<Vec<_>>();
    let all = |cues: &[Cue]| {
        Play::over(crowd)
            .cast(TO_CARL, Port::Deliver, cues.to_vec())
            .talk("client", crowd_of.clone())
    };
    vec![
        sender(
            "deliver.crowd.01",
            "Three hundred recipients of one host: one connection, each named once with its index",
            &["DE-001", "DE-004", "CU-008"],
            all(&[])
                .wait(SECOND)
                .look(Look::Count("one-connection", On::said(TO_CARL, "LHLO "), 1))
                .look(Look::Values("indexes", RCPT, "XINDEX", indexes())),
        ),
        sender(
            "deliver.crowd.02",
            "The host dies in the middle of three hundred results: those without one are asked for, no others",
            &["DE-004", "DE-008"],
            all(&[once("RESULT [200]", Answer::Close)])
                .wait(HOUR)
                .look(Look::Values(
                    "asked-for",
                    INQUIRE,
                    "XINDEX",
                    (200..CROWD).map(|n| n.to_string()).collect(),
                ))
                .look(Look::Count("delivered-before", RCPT.with("XINDEX=199"), 1))
                .look(Look::Count("delivered-again", RCPT.with("XINDEX=200"), 2)),
        ),
        sender(
            "deliver.crowd.03",
            "Two messages of one host go over one connection, one behind the other",
            &["DE-001"],
            Play::new()
                .act(Act::Rule(TO_CARL, Rule::Refuse))
                .talk("client", client(BOB, &[CARL]))
                .talk("second", client(BOB, &[CARL]))
                .act(Act::Rule(TO_CARL, Rule::Pass))
                .wait(HOUR)
                .look(Look::Count("two-contents", DATA, 2))
                .look(Look::Distinct("two-origins", MAIL, "XORIGIN", 2))
                .look(Look::Count("one-connection", On::said(TO_CARL, "LHLO "), 1)),
        ),
    ]
}
