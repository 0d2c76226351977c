//! Notices to senders: their form, what they copy, and which must not be written.

use serde_json::json;

use super::delivering::DELIVER;
use super::handing_over::{ACROSS, TO_CARL, client, client_with, once};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::{Port, Rule};
use crate::organization::two_accounts;
use crate::play::{Act, Answer, Cue, Look, On, Part, Play};
use crate::script::Script;

pub(super) const CARL: &str = "<carl@example.test>";
pub(super) const BOB: &str = "<bob@example.test>";
/// The bridgehead refuses the content for good.
const FAILS: Cue = once("OCTETS", Answer::Say("554 5.6.1 cannot travel"));
pub(super) const NOTICE: On = On::said(TO_CARL, "MAIL FROM:<>");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = form();
    cases.extend(copied());
    cases.extend(withheld());
    cases
}

pub(super) fn notice(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, DELIVER, play).verifies(verifies)
}

/// A message to bob that fails.
fn failing(script: Script) -> Play {
    Play::new().cast(ACROSS, Port::Smtp, vec![FAILS]).talk("client", script).wait(HOUR)
}

/// A message to bob for whom nothing goes out.
pub(super) fn waiting(script: Script) -> Play {
    Play::new().act(Act::Rule(ACROSS, Rule::Refuse)).talk("client", script).mark("sent")
}

/// Late after one hour, and over after three.
pub(super) fn hurried(play: Play) -> Play {
    play.policy("delay_notice_hours", json!(1)).policy("expiry_hours", json!(3))
}

/// A message to bob for whom nothing goes out, and that is soon late.
pub(super) fn soon(script: Script) -> Play {
    hurried(waiting(script))
}

pub(super) fn has(check: &'static str, part: Part, lines: &[&'static str]) -> Look {
    Look::Notice(check, TO_CARL, (0, part), lines.to_vec())
}

fn form() -> Vec<Case> {
    let plain = || failing(client(CARL, &[BOB]));
    vec![
        notice(
            "notice.failure.01",
            "A failure is told once, from the null sender, to the return path",
            &["CU-030", "SV-021", "RFC3464:2"],
            plain()
                .look(Look::Count("null-sender", NOTICE, 1))
                .look(Look::Notices("one-notice", TO_CARL, 1))
                .look(has("to-the-sender", Part::Header, &["To: <carl@example.test>"])),
        )
        .kills(&[("notice-told-twice", "one-notice")]),
        notice(
            "notice.failure.02",
            "A notice is a multipart/report of a text, a status and what it is about",
            &["SV-021", "RFC3464:2", "RFC3834:3.1.7"],
            plain()
                .look(has(
                    "header",
                    Part::Header,
                    &["MIME-Version: 1.0", "Message-ID: <*", "Date: *", "Auto-Submitted: auto-*"],
                ))
                .look(has("text", Part::Text, &["Content-Type: text/plain*"]))
                .look(has("status", Part::Status, &["Content-Type: message/delivery-status*"]))
                .look(has("returned", Part::Returned, &["Subject: conformance"])),
        ),
        notice(
            "notice.failure.03",
            "The status names the reporter, the arrival, the recipient, the action, and why",
            &["SV-024", "RFC3464:2.2.2", "RFC3464:2.3"],
            plain().look(has(
                "fields",
                Part::Status,
                &[
                    "Reporting-MTA: dns; *",
                    "Arrival-Date: *",
                    "Final-Recipient: rfc822; bob@example.test",
                    "Action: failed",
                    "Status: 5.6.1",
                    "Diagnostic-Code: smtp; 554 5.6.1 *",
                ],
            )),
        ),
        notice(
            "notice.failure.04",
            "At the end of its time, two days after it came, the failure of a message is told",
            &["CU-032", "SV-024"],
            waiting(client(CARL, &[BOB]))
                .wait(49 * HOUR)
                .look(Look::Notices("delay-and-failure", TO_CARL, 2))
                .look(Look::Minutes("in-time", NOTICE, "sent", vec![12 * 60, 48 * 60]))
                .look(Look::Notice(
                    "status",
                    TO_CARL,
                    (1, Part::Status),
                    vec![
                        "Action: failed",
                        "Status: *",
                        "Final-Recipient: rfc822; bob@example.test",
                    ],
                )),
        ),
        notice(
            "notice.failure.05",
            "A failure that was told is not told again by the next boot",
            &["CU-030", "CU-005"],
            failing(client(CARL, &[BOB])).act(Act::Restart).wait(HOUR).look(Look::Notices(
                "one-notice",
                TO_CARL,
                1,
            )),
        ),
        notice(
            "notice.failure.06",
            "A notice that could not be delivered yet survives a crash, and is delivered once",
            &["CU-030", "CU-005", "SV-022"],
            Play::new()
                .cast(ACROSS, Port::Smtp, vec![FAILS])
                .act(Act::Rule(TO_CARL, Rule::Refuse))
                .talk("client", client(CARL, &[BOB]))
                .wait(SECOND)
                .act(Act::Restart)
                .act(Act::Rule(TO_CARL, Rule::Pass))
                .wait(HOUR)
                .look(Look::Notices("one-notice", TO_CARL, 1)),
        ),
    ]
}

fn copied() -> Vec<Case> {
    let returned_text = "the content of the message";
    let text = |envelope: &str| failing(client_with(envelope, &[BOB], returned_text));
    vec![
        notice(
            "notice.envid.01",
            "ENVID comes back, without its coding, as Original-Envelope-Id",
            &["SV-024", "RFC3464:2.2.1"],
            failing(client(&format!("{CARL} ENVID=QQ+2B314"), &[BOB])).look(has(
                "envelope-id",
                Part::Status,
                &["Original-Envelope-Id: QQ+314"],
            )),
        ),
        notice(
            "notice.envid.02",
            "Without ENVID there is no Original-Envelope-Id",
            &["SV-024", "RFC3464:2.2.1"],
            failing(client(CARL, &[BOB])).look(Look::NoticeLacks(
                "no-envelope-id",
                TO_CARL,
                (0, Part::Status),
                "Original-Envelope-Id",
            )),
        )
        .twin("notice.envid.01"),
        notice(
            "notice.orcpt.01",
            "ORCPT comes back, without its coding, as Original-Recipient",
            &["SV-024", "RFC3464:2.3.1"],
            failing(client(CARL, &[&format!("{BOB} ORCPT=rfc822;robert+2Bold@example.test")]))
                .look(has(
                    "original-recipient",
                    Part::Status,
                    &["Original-Recipient: rfc822; robert+old@example.test"],
                )),
        ),
        notice(
            "notice.orcpt.02",
            "Without ORCPT there is no Original-Recipient",
            &["SV-024", "RFC3464:2.3.1"],
            failing(client(CARL, &[BOB])).look(Look::NoticeLacks(
                "no-original-recipient",
                TO_CARL,
                (0, Part::Status),
                "Original-Recipient",
            )),
        )
        .twin("notice.orcpt.01"),
        notice(
            "notice.ret.01",
            "RET=FULL has the whole message returned with a failure",
            &["SV-023", "RFC3461:4.3"],
            text(&format!("{CARL} RET=FULL")).look(has(
                "whole-message",
                Part::Returned,
                &[
                    "Content-Type: message/rfc822*",
                    "Subject: conformance",
                    "the content of the message",
                ],
            )),
        ),
        notice(
            "notice.ret.02",
            "RET=HDRS has the header returned, and nothing of the text",
            &["SV-023", "RFC3461:4.3"],
            text(&format!("{CARL} RET=HDRS"))
                .look(has(
                    "header",
                    Part::Returned,
                    &["Content-Type: text/rfc822-headers*", "Subject: conformance"],
                ))
                .look(Look::NoticeLacks("no-text", TO_CARL, (0, Part::Returned), returned_text)),
        )
        .twin("notice.ret.01")
        .kills(&[("notice-returns-all", "no-text")]),
        notice(
            "notice.ret.03",
            "Without RET nothing of the text is returned",
            &["SV-023"],
            text(CARL)
                .look(has("header", Part::Returned, &["Subject: conformance"]))
                .look(Look::NoticeLacks("no-text", TO_CARL, (0, Part::Returned), returned_text)),
        )
        .twin("notice.ret.01"),
        notice(
            "notice.ret.04",
            "A delay returns the header alone, also where RET=FULL was asked",
            &["SV-023"],
            soon(client(&format!("{CARL} RET=FULL"), &[BOB]))
                .wait(2 * HOUR)
                .look(has("header", Part::Returned, &["Subject: conformance"]))
                .look(Look::NoticeLacks("no-text", TO_CARL, (0, Part::Returned), returned_text)),
        )
        .twin("notice.ret.01"),
        notice(
            "notice.several.01",
            "Each recipient that failed is told of, and nobody twice",
            &["CU-030", "SV-021"],
            Play::over(two_accounts)
                .cast(ACROSS, Port::Smtp, vec![FAILS])
                .cast(
                    TO_CARL,
                    Port::Deliver,
                    vec![once("RCPT TO:<cora@", Answer::Say("550 5.1.1 [{index}] nobody"))],
                )
                .talk("client", client(CARL, &[BOB, "<cora@example.test>"]))
                .wait(HOUR)
                .look(Look::Count(
                    "bob-once",
                    On::said(TO_CARL, "Final-Recipient: rfc822; bob@example.test"),
                    1,
                ))
                .look(Look::Count(
                    "cora-once",
                    On::said(TO_CARL, "Final-Recipient: rfc822; cora@example.test"),
                    1,
                )),
        ),
    ]
}

/// Notices that must not be written.
fn withheld() -> Vec<Case> {
    let silent = |id: &str, title: &str, verifies: &[&str], play: Play| {
        notice(id, title, verifies, play.look(Look::NoNotice("no-notice", TO_CARL)))
            .twin("notice.failure.01")
    };
    let notify = |words: &str| client(CARL, &[&format!("{BOB} NOTIFY={words}")]);
    let offered = Look::Some("was-offered", On::said(ACROSS, "X-SUBMIT OFFER "));
    let refused = once("RCPT TO:<carl@", Answer::Say("550 5.1.1 [{index}] nobody"));
    vec![
        silent(
            "notice.never.01",
            "NOTIFY=NEVER: nobody is told of a failure",
            &["CU-031"],
            failing(notify("NEVER")).look(offered.clone()),
        ),
        silent(
            "notice.never.02",
            "NOTIFY=DELAY: nobody is told of a failure",
            &["CU-031"],
            failing(notify("DELAY")).look(offered.clone()),
        ),
        silent(
            "notice.never.03",
            "NOTIFY=SUCCESS: nobody is told of a failure",
            &["CU-031"],
            failing(notify("SUCCESS")).look(offered),
        ),
        notice(
            "notice.null.01",
            "A message from the null sender is not returned to anybody",
            &["CU-031"],
            Play::new()
                .cast(TO_CARL, Port::Deliver, vec![refused])
                .talk("client", client("<>", &[CARL]))
                .wait(3 * HOUR)
                .look(Look::Count("tried-once", On::said(TO_CARL, "RCPT TO:<carl@"), 1))
                .look(Look::NoNotice("none-to-the-fellow", TO_CARL))
                .look(Look::NoNotice("none-across", ACROSS))
                .look(Look::Never("no-offer", On::said(ACROSS, "X-SUBMIT OFFER "), None)),
        )
        .twin("notice.failure.01"),
        notice(
            "notice.null.02",
            "A notice that cannot be delivered is not returned: there is none about a notice",
            &["CU-031"],
            Play::new()
                .cast(ACROSS, Port::Smtp, vec![FAILS])
                .cast(TO_CARL, Port::Deliver, vec![refused])
                .talk("client", client(CARL, &[BOB]))
                .wait(3 * HOUR)
                .look(Look::Count("tried-once", NOTICE, 1))
                .look(Look::NoNotice("none-to-the-fellow", TO_CARL))
                .look(Look::NoNotice("none-across", ACROSS)),
        )
        .twin("notice.failure.01"),
        notice(
            "notice.null.03",
            "A message from the null sender that is late and whose time is over is told to nobody",
            &["CU-031", "CU-033"],
            hurried(Play::new())
                .act(Act::Rule(TO_CARL, Rule::Refuse))
                .talk("client", client("<>", &[CARL]))
                .wait(4 * HOUR)
                .act(Act::Rule(TO_CARL, Rule::Pass))
                .talk("second", client(BOB, &[CARL]))
                .wait(HOUR)
                .look(Look::Count("the-host-is-there", On::said(TO_CARL, "MAIL FROM:<bob@"), 1))
                .look(Look::NoNotice("none-to-the-fellow", TO_CARL))
                .look(Look::NoNotice("none-across", ACROSS)),
        )
        .twin("notice.delay.05")
        .kills(&[("dsn-about-null-sender", "none-to-the-fellow")]),
    ]
}
