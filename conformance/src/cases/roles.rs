//! Frontends and backends: who queues what is born where, with the suite as the other one.

use serde_json::{Value, json};

use super::handing_over::{ACROSS, COMMIT, OFFER, always, client, once, sender};
use super::members::{SUBMIT, news, ready};
use super::parcel::Parcel;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::{backend, frontend};
use crate::play::{Answer, Cue, Look, On, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

/// To the frontend that the suite plays.
const TO_FRONTEND: &str = "rg1-a>rg1-c/smtp";
const SUBMITTED: On = On::said(TO_FRONTEND, "X-SUBMIT OFFER ");
const MINUTE: u64 = 60 * SECOND;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = backends();
    cases.extend(frontends());
    cases.extend(doubts());
    cases
}

/// Mail for another group, born at the backend, with the frontend as the cues have it.
fn born(cues: Vec<Cue>) -> Play {
    Play::over(backend)
        .cast(TO_FRONTEND, Port::Smtp, cues)
        .talk("client", client("<ann@example.test>", &["<bob@example.test>"]))
        .wait(10 * MINUTE)
}

fn backends() -> Vec<Case> {
    let handed = Parcel::minted("rg2-a/0000000051000004/1");
    let falls = |id: &str, title: &str, cues: Vec<Cue>| {
        let play = born(cues)
            .look(Look::Some("tried", SUBMITTED))
            .look(Look::Count("in-the-own-queue", COMMIT, 1))
            .look(Look::Envelope("not-marked", ACROSS, 0, "/unqueued", Value::Null));
        sender(id, title, &["SU-054"], play).twin("roles.backend.01")
    };
    vec![
        sender(
            "roles.backend.01",
            "A backend has a frontend queue what is born at it, and says that nobody has yet",
            &["SU-050", "SU-051"],
            born(vec![])
                .look(Look::Count("submitted-once", SUBMITTED, 1))
                .look(Look::Envelope("marked", TO_FRONTEND, 0, "/unqueued", json!(true)))
                .look(Look::Digest("digest", TO_FRONTEND)),
        ),
        sender(
            "roles.backend.02",
            "What it has submitted it does not send itself",
            &["SU-051"],
            born(vec![]).look(Look::Count("submitted-once", SUBMITTED, 1)).look(Look::Never(
                "not-itself",
                OFFER,
                None,
            )),
        )
        .twin("roles.backend.01"),
        sender(
            "roles.backend.03",
            "What came by a hand-over it queues itself",
            &["SU-050"],
            Play::over(backend)
                .talk("bridgehead", {
                    let to_carl = handed.edit("ann@example.test", "carl@example.test");
                    to_carl.hand_over(ready()).fence()
                })
                .wait(MINUTE)
                .look(Look::Some("delivers-itself", On::said(super::handing_over::TO_CARL, "DATA")))
                .look(Look::Never("not-submitted", SUBMITTED, None)),
        )
        .twin("roles.backend.01"),
        falls(
            "roles.backend.04",
            "When the frontend refuses, the message goes from the own queue",
            vec![always("X-SUBMIT OFFER", Answer::Say("450 4.7.1 not for you"))],
        ),
        falls(
            "roles.backend.05",
            "When the connection breaks before COMMIT, the message goes from the own queue",
            vec![always("OCTETS", Answer::Close)],
        ),
        sender(
            "roles.backend.06",
            "What is in doubt stays with the frontend that may have it",
            &["SU-054", "SU-021"],
            born(vec![
                once("X-SUBMIT COMMIT", Answer::Lose),
                always("X-SUBMIT RESOLVE", Answer::Close),
            ])
            .look(Look::Some("asked", On::said(TO_FRONTEND, "X-SUBMIT RESOLVE ")))
            .look(Look::Never("not-itself", OFFER, None)),
        )
        .twin("roles.backend.01")
        .kills(&[("fallback-while-in-doubt", "asked")]),
    ]
}

/// As a member of the node's own group, behind HELLO.
fn fellow(check: &str, want: Want) -> Script {
    Script::new(Seat::Fellow, Port::Smtp)
        .reply("greeting", Want::code(220))
        .secure("hello")
        .ask("EHLO {ehlo}", "hello", Want::code(250).keyword("X-SUBMIT"))
        .ask("X-SUBMIT HELLO MEMBER=rg1-c STORE=00000000c0ffee01", check, want)
}

/// A message that nobody has queued yet.
fn unqueued(id: &str) -> Parcel {
    Parcel::minted(id).edit(r#""routed_by":{}"#, r#""routed_by":{},"unqueued":true"#)
}

fn frontends() -> Vec<Case> {
    let hello = || Want::code(250).status("2.0.0").last("MEMBER=rg1-a STORE=");
    let case = |id: &str, title: &str, verifies: &[&str], play: Play| {
        Case::play(id, title, SUBMIT, play).verifies(verifies)
    };
    let refused = |script: Script, parcel: &Parcel| {
        let want = Want::code(450).status("4.7.1");
        script.line(&parcel.offered(1)).offer_refused("refused", &parcel.octets(), want)
    };
    vec![
        case(
            "roles.frontend.01",
            "A frontend takes what a backend of its group has it queue, and delivers it",
            &["SU-052", "SU-053"],
            Play::over(frontend)
                .talk(
                    "backend",
                    unqueued("rg1-c/0000000051000005/1")
                        .hand_over(news(fellow("submit-hello", hello())))
                        .fence(),
                )
                .wait(MINUTE)
                .act(crate::play::Act::Inspect("accounts"))
                .look(Look::Letters("delivered", 0, 1)),
        ),
        case(
            "roles.frontend.02",
            "It does not do so for a member of another group",
            &["SU-052"],
            Play::over(frontend).talk(
                "bridgehead",
                refused(ready(), &unqueued("rg2-a/0000000051000006/1")).fence(),
            ),
        )
        .twin("roles.frontend.01"),
        case(
            "roles.frontend.03",
            "A member without a role queues nothing for others",
            &["SU-050", "SU-052"],
            Play::new().talk(
                "backend",
                refused(
                    news(fellow("submit-hello", hello())),
                    &unqueued("rg1-c/0000000051000007/1"),
                )
                .fence(),
            ),
        )
        .twin("roles.frontend.01"),
        case(
            "roles.frontend.04",
            "It says in its answer to HELLO how much it has to do",
            &["SU-057"],
            Play::over(frontend).talk(
                "backend",
                fellow("submit-hello", Want::code(250).status("2.0.0").last(" LOAD=0")).fence(),
            ),
        ),
    ]
}

fn doubts() -> Vec<Case> {
    let resolve = On::said(ACROSS, "X-SUBMIT RESOLVE ");
    let across = |answer: Answer| {
        Play::new()
            .cast(
                ACROSS,
                Port::Smtp,
                vec![once("X-SUBMIT COMMIT ", Answer::Close), always("X-SUBMIT RESOLVE ", answer)],
            )
            .talk("client", client("<carl@example.test>", &["<bob@example.test>"]))
            .mark("sent")
    };
    vec![
        sender(
            "submit.settle.01",
            "What is in doubt is asked for every minute, on a new connection where the old one is gone",
            &["SU-080"],
            across(Answer::Close).wait(5 * MINUTE + SECOND).look(Look::EachMinute(
                "each-minute",
                resolve,
                "sent",
                5,
            )),
        ),
        sender(
            "submit.settle.02",
            "And where the answer settles nothing, on the connection that is there",
            &["SU-080"],
            across(Answer::Say("451 4.3.0 not now"))
                .wait(5 * MINUTE + SECOND)
                .look(Look::EachMinute("each-minute", resolve, "sent", 5)),
        ),
    ]
}
