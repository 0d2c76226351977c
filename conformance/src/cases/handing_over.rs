//! The sender of a hand-over, with the suite as the bridgehead that it calls: what travels, and what the
//! sender makes of refusals.

use serde_json::{Value, json};

use super::members::ok;
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::Port;
use crate::organization::between;
use crate::play::{Answer, Cue, Look, On, Part, Play, When};
use crate::script::{Script, Seat};
use crate::smtp::Want;

pub(super) const SUBMIT: &str = "submit/sender";
pub(super) const ACROSS: &str = "RG1-RG2";
pub(super) const TO_CARL: &str = "rg1-a>rg1-c/deliver";
pub(super) const OFFER: On = On::said(ACROSS, "X-SUBMIT OFFER ");
pub(super) const COMMIT: On = On::said(ACROSS, "X-SUBMIT COMMIT ");
pub(super) const RESOLVE: On = On::said(ACROSS, "X-SUBMIT RESOLVE ");
/// What a message of the suite says behind its header.
pub(super) const TEXT: &str = "the content of the message";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = travels();
    cases.extend(hops());
    cases.extend(refusals());
    cases
}

pub(super) fn sender(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, SUBMIT, play).verifies(verifies)
}

/// A client that is no member sends a message; the words stand behind MAIL FROM and each RCPT TO.
pub(super) fn client(from: &str, to: &[&str]) -> Script {
    client_with(from, to, TEXT)
}

/// The same with another text.
pub(super) fn client_with(from: &str, to: &[&str], text: &str) -> Script {
    let mut script =
        Script::smtp(Seat::Outside).ask(&format!("MAIL FROM:{from}"), "mail", Want::code(250));
    for (place, to) in to.iter().enumerate() {
        script = script.ask(&format!("RCPT TO:{to}"), &format!("rcpt-{place}"), Want::code(250));
    }
    script
        .ask("DATA", "data", Want::code(354))
        .send(format!("From: suite\r\nSubject: conformance\r\n\r\n{text}\r\n.\r\n").as_bytes())
        .reply("accepted", ok().queue_id())
        .ask("QUIT", "farewell", Want::code(221))
        .closed("closed")
}

/// From carl to bob.
pub(super) fn to_bob() -> Script {
    client("<carl@example.test>", &["<bob@example.test>"])
}

/// A play in which the bridgehead departs from the ordinary and carl writes to bob, once routes are computed
/// from what the members have learnt of each other (LS-180).
pub(super) fn against(cues: &[Cue]) -> Play {
    Play::new().cast(ACROSS, Port::Smtp, cues.to_vec()).wait(SECOND).talk("client", to_bob())
}

pub(super) const fn cue(at: &'static str, when: When, does: Answer) -> Cue {
    Cue { at, when, does }
}

/// The first time that a command is heard.
pub(super) const fn once(at: &'static str, does: Answer) -> Cue {
    cue(at, When::Time(1), does)
}

/// Whenever it is heard.
pub(super) const fn always(at: &'static str, does: Answer) -> Cue {
    cue(at, When::Always, does)
}

fn travels() -> Vec<Case> {
    let carries =
        |number: u32, what: &str, script: Script, looks: &[(&'static str, &'static str, Value)]| {
            let play = Play::new().talk("client", script).wait(SECOND);
            let play = looks.iter().fold(play, |play, (check, pointer, value)| {
                play.look(Look::Envelope(check, ACROSS, 0, pointer, value.clone()))
            });
            let title = format!("The hand-over carries {what}");
            sender(&format!("submit.carries.{number:02}"), &title, &["WI-080", "SU-003"], play)
        };
    let bob = "<bob@example.test>";
    let carl = "<carl@example.test>";
    vec![
        sender(
            "submit.offer.02",
            "A message is offered under the digest of its octets, with its body as it came",
            &["WI-083", "WI-014"],
            against(&[])
                .wait(SECOND)
                .look(Look::Count("offered-once", OFFER, 1))
                .look(Look::Count("committed-once", COMMIT, 1))
                .look(Look::Digest("digest-of-the-octets", ACROSS))
                .look(Look::Body(
                    "body-as-it-came",
                    ACROSS,
                    0,
                    format!("From: suite\r\nSubject: conformance\r\n\r\n{TEXT}\r\n").into_bytes(),
                )),
        ),
        sender(
            "submit.offer.03",
            "HELLO and the news stand before the first offer",
            &["SU-007", "SU-030", "SU-013"],
            against(&[])
                .wait(SECOND)
                .look(Look::Before("hello-first", On::said(ACROSS, "X-SUBMIT HELLO "), OFFER))
                .look(Look::Before("news-first", On::said(ACROSS, "X-LINK2STATE LAST "), OFFER)),
        ),
        carries(
            1,
            "return path and recipient",
            client(carl, &[bob]),
            &[
                ("return-path", "/sender", json!("carl@example.test")),
                ("recipient", "/recipients/0/address", json!("bob@example.test")),
                ("index", "/recipients/0/index", json!(0)),
            ],
        ),
        carries(
            2,
            "the null return path",
            client("<>", &[bob]),
            &[("return-path", "/sender", Value::Null)],
        ),
        carries(
            3,
            "ENVID as it was given",
            client(&format!("{carl} ENVID=QQ314159+2B1"), &[bob]),
            &[("envid", "/envid", json!("QQ314159+1"))],
        ),
        carries(
            4,
            "RET=FULL",
            client(&format!("{carl} RET=FULL"), &[bob]),
            &[("ret", "/ret", json!("full"))],
        ),
        carries(
            5,
            "RET=HDRS",
            client(&format!("{carl} RET=HDRS"), &[bob]),
            &[("ret", "/ret", json!("headers"))],
        ),
        carries(
            6,
            "NOTIFY and ORCPT of a recipient",
            client(
                carl,
                &[&format!("{bob} NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old+2Bbob@example.test")],
            ),
            &[
                ("success", "/recipients/0/notify/success", json!(true)),
                ("no-failure", "/recipients/0/notify/failure", json!(false)),
                ("delay", "/recipients/0/notify/delay", json!(true)),
                ("orcpt", "/recipients/0/original", json!("rfc822;old+2Bbob@example.test")),
            ],
        )
        .kills(&[("orcpt-is-dropped", "orcpt")]),
        carries(
            7,
            "NOTIFY=NEVER",
            client(carl, &[&format!("{bob} NOTIFY=NEVER")]),
            &[
                ("no-failure", "/recipients/0/notify/failure", json!(false)),
                ("no-delay", "/recipients/0/notify/delay", json!(false)),
            ],
        ),
        carries(
            8,
            "SMTPUTF8",
            client(&format!("{carl} SMTPUTF8 BODY=8BITMIME"), &[bob]),
            &[("smtputf8", "/smtputf8", json!(true))],
        ),
        carries(
            9,
            "the index of a recipient, not its place among those who go that way",
            client(carl, &["<ann@example.test>", "<carl@example.test>", bob]),
            &[
                ("index", "/recipients/0/index", json!(2)),
                ("nobody-else", "/recipients/1", Value::Null),
            ],
        )
        .kills(&[("renumber-index", "index")]),
        carries(
            10,
            "the hop from the client to the node",
            client(carl, &[bob]),
            &[
                ("by", "/hops/0/by", json!("rg1-a")),
                ("group", "/hops/0/group", json!("RG1")),
                ("one-hop", "/hops/1", Value::Null),
            ],
        ),
    ]
}

/// What the bridgehead of RG2 hands over for cat, whom the node reaches by RG3.
fn hops() -> Vec<Case> {
    const ON: &str = "RG1-RG3";
    let parcel = super::parcel::Parcel::minted("rg2-a/00000000c0ffee50/1").patient();
    let parcel = parcel.edit("ann@example.test", "cat@example.test");
    let through = |number: u32,
                   what: &str,
                   parcel: super::parcel::Parcel,
                   looks: &[(&'static str, &'static str, Value)]| {
        let play = Play::over(between)
            .talk("peer", parcel.hand_over(super::members::ready()).fence())
            .wait(SECOND);
        let play = looks.iter().fold(play, |play, (check, pointer, value)| {
            play.look(Look::Envelope(check, ON, 0, pointer, value.clone()))
        });
        let title = format!("The next hop gets {what} as the one before gave it");
        sender(&format!("submit.passes.{number:02}"), &title, &["CU-008", "CU-034", "WI-080"], play)
    };
    let given = r#""original":null"#;
    vec![
        through(
            1,
            "origin id, return path and index",
            parcel.clone().edit(r#"{"index":0,"#, r#"{"index":7,"#),
            &[
                ("origin", "/origin", json!("rg2-a/00000000c0ffee50/1")),
                ("return-path", "/sender", json!("bob@example.test")),
                ("index", "/recipients/0/index", json!(7)),
            ],
        )
        .kills(&[("renumber-index", "index")]),
        through(
            2,
            "arrival and expiry",
            parcel.clone(),
            &[
                ("arrival", "/arrived", json!(0)),
                ("expiry", "/expires", json!(4_102_444_800_000_000_u64)),
            ],
        ),
        through(
            3,
            "ENVID, RET, NOTIFY and ORCPT",
            parcel
                .clone()
                .edit(r#""ret":null,"envid":null"#, r#""ret":"full","envid":"a b""#)
                .edit(given, r#""original":"rfc822;old@example.test""#),
            &[
                ("ret", "/ret", json!("full")),
                ("envid", "/envid", json!("a b")),
                ("delay", "/recipients/0/notify/delay", json!(false)),
                ("orcpt", "/recipients/0/original", json!("rfc822;old@example.test")),
            ],
        )
        .kills(&[("orcpt-is-dropped", "orcpt")]),
        through(
            4,
            "the mark of a suspect",
            parcel.clone().edit(given, r#""original":null,"suspect":true"#),
            &[("suspect", "/recipients/0/suspect", json!(true))],
        )
        .verifies(&["SU-041"])
        .kills(&[("suspect-mark-is-lost", "suspect")]),
        through(
            5,
            "no mark of a suspect where there was none",
            parcel.clone(),
            &[("not-suspect", "/recipients/0/suspect", Value::Null)],
        )
        .verifies(&["SU-041"]),
        through(
            6,
            "the hops, with the node's own behind them,",
            parcel.clone(),
            &[
                ("first-hop", "/hops/0/by", json!("rg2-a")),
                ("own-hop", "/hops/1/by", json!("rg1-a")),
                ("from-the-one-before", "/hops/1/from", json!("rg2-a")),
                ("nothing-else", "/hops/2", Value::Null),
            ],
        ),
        through(
            7,
            "the fields that rules have added, and SMTPUTF8,",
            parcel.edit(r#""smtputf8":false"#, r#""smtputf8":true"#).edit(
                r#""routed_by":{}"#,
                r#""routed_by":{},"fields":[{"name":"X-Mark","value":"yes"}]"#,
            ),
            &[
                ("smtputf8", "/smtputf8", json!(true)),
                ("field", "/fields/0/name", json!("X-Mark")),
                ("value", "/fields/0/value", json!("yes")),
            ],
        )
        .verifies(&["RU-014"]),
    ]
}

fn refusals() -> Vec<Case> {
    let tried_again = |id: &str, reply: &'static str, minutes: &[u64]| {
        let code = &reply[..9];
        sender(
            id,
            &format!("An offer that is refused with {code} is made again by the schedule"),
            &["SU-005", "CU-010"],
            against(&[once("X-SUBMIT OFFER ", Answer::Say(reply))])
                .mark("refused")
                .wait(30 * 60 * SECOND)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Distinct("same-transfer", OFFER, "ID", 1))
                .look(Look::Values("numbered", OFFER, "OFFER", vec!["1".into(), "2".into()]))
                .look(Look::Minutes("by-the-schedule", OFFER, "refused", minutes.to_vec()))
                .look(Look::Count("committed-once", COMMIT, 1)),
        )
    };
    let at_once = On::said(TO_CARL, "MAIL FROM:<>");
    vec![
        tried_again("submit.refused.01", "452 4.3.1 full", &[10]),
        tried_again("submit.refused.02", "450 4.5.0 fenced", &[10]),
        tried_again("submit.refused.03", "503 5.5.1 not now", &[10]),
        tried_again("submit.refused.04", "530 5.7.0 not you", &[10]),
        sender(
            "submit.refused.05",
            "A content that the peer has not understood is offered again",
            &["SU-005"],
            against(&[once("OCTETS", Answer::Say("554 5.6.0 another digest"))])
                .wait(30 * 60 * SECOND)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Count("committed-once", COMMIT, 1)),
        ),
        sender(
            "submit.refused.06",
            "An offer that conflicts with what the peer knows under that id is held, and not returned",
            &["SU-006"],
            against(&[once("X-SUBMIT OFFER ", Answer::Say("554 5.7.0 another content"))])
                .mark("refused")
                .wait(5 * HOUR)
                .look(Look::Count("offered-once", OFFER, 1))
                .look(Look::Never("not-offered-again", OFFER, Some("refused")))
                .look(Look::NoNotice("not-returned", TO_CARL)),
        )
        .twin("submit.refused.01")
        .kills(&[("conflict-is-tried-again", "not-offered-again")]),
        sender(
            "submit.refused.07",
            "A content that cannot travel is returned to its sender at once",
            &["SU-009"],
            against(&[once("OCTETS", Answer::Say("554 5.6.1 a bare LF"))])
                .wait(SECOND)
                .look(Look::Count("offered-once", OFFER, 1))
                .look(Look::Count("a-notice", at_once, 1))
                .look(Look::Notice(
                    "says-so",
                    TO_CARL,
                    (0, Part::Status),
                    vec!["Action: failed", "Status: 5.6.1", "Final-Recipient: rfc822; bob@example.test"],
                )),
        ),
        sender(
            "submit.refused.08",
            "An offer that the peer has accepted before is over at once",
            &["SU-003", "SU-011"],
            against(&[
                once("X-SUBMIT COMMIT ", Answer::Lose),
                always("X-SUBMIT RESOLVE ", Answer::Say("250 2.0.0 ACCEPTED ID={id} QUEUE={queue}")),
            ])
            .wait(HOUR)
            .look(Look::Count("offered-once", OFFER, 1))
            .look(Look::Count("asked-once", RESOLVE, 1)),
        ),
        sender(
            "submit.clear.01",
            "A bridgehead that does not offer the verbs of members gets no mail",
            &["SM-044"],
            against(&[always("EHLO ", Answer::Say("250-ready\r\n250 SIZE 1000000"))])
                .wait(30 * 60 * SECOND)
                .look(Look::Some("was-called", On::said(ACROSS, "EHLO ")))
                .look(Look::Never("no-bare-mail", On::said(ACROSS, "MAIL "), None))
                .look(Look::Never("no-offer", OFFER, None)),
        )
        .twin("submit.offer.02"),
        sender(
            "submit.clear.02",
            "A bridgehead that gives another name at HELLO gets no mail",
            &["SM-040"],
            against(&[always(
                "X-SUBMIT HELLO ",
                Answer::Say("250 2.0.0 MEMBER=rg1-c STORE=00000000c0ffee01"),
            )])
            .wait(10 * 60 * SECOND)
            .look(Look::Some("was-called", On::said(ACROSS, "X-SUBMIT HELLO ")))
            .look(Look::Never("no-offer", OFFER, None)),
        )
        .twin("submit.offer.02"),
    ]
}
