//! Notices to senders: their form, what they copy, and whom they are about.

use serde_json::json;

use super::delivering::DELIVER;
use super::handing_over::{ACROSS, TO_CARL, always, client, client_with, once};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND, SMART_HOST_LINK};
use crate::net::{Port, Rule};
use crate::organization::{two_accounts, with_smart_host};
use crate::play::{Act, Answer, Cue, Look, On, Part, Play};
use crate::script::Script;

const CARL: &str = "<carl@example.test>";
const BOB: &str = "<bob@example.test>";
const ANN: &str = "<ann@example.test>";
const OUTSIDER: &str = "<someone@elsewhere.example>";
/// The bridgehead refuses the content for good.
const FAILS: Cue = once("OCTETS", Answer::Say("554 5.6.1 cannot travel"));
const NOTICE: On = On::said(TO_CARL, "MAIL FROM:<>");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = form();
    cases.extend(copied());
    cases.extend(withheld());
    cases.extend(late());
    cases.extend(success());
    cases.extend(relayed());
    cases
}

fn notice(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, DELIVER, play).verifies(verifies)
}

/// A message to bob that fails.
fn failing(script: Script) -> Play {
    Play::new().cast(ACROSS, Port::Smtp, vec![FAILS]).talk("client", script).wait(HOUR)
}

/// A message to bob for whom nothing goes out.
fn waiting(script: Script) -> Play {
    Play::new().act(Act::Rule(ACROSS, Rule::Refuse)).talk("client", script).mark("sent")
}

/// Late after one hour, and over after three.
fn hurried(play: Play) -> Play {
    play.policy("delay_notice_hours", json!(1)).policy("expiry_hours", json!(3))
}

/// A message to bob for whom nothing goes out, and that is soon late.
fn soon(script: Script) -> Play {
    hurried(waiting(script))
}

fn has(check: &'static str, part: Part, lines: &[&'static str]) -> Look {
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

fn late() -> Vec<Case> {
    let notify = |words: &str| client(CARL, &[&format!("{BOB} NOTIFY={words}")]);
    vec![
        notice(
            "notice.delay.01",
            "At twelve hours, and once, the sender is told that the message is late",
            &["CU-033", "SV-024"],
            waiting(client(CARL, &[BOB]))
                .wait(47 * HOUR)
                .look(Look::Minutes("at-twelve-hours", NOTICE, "sent", vec![12 * 60]))
                .look(has(
                    "delayed",
                    Part::Status,
                    &[
                        "Action: delayed",
                        "Status: 4.*",
                        "Final-Recipient: rfc822; bob@example.test",
                    ],
                )),
        ),
        notice(
            "notice.delay.02",
            "NOTIFY=DELAY: the sender is told that the message is late, and not that it failed",
            &["CU-033", "CU-031"],
            soon(notify("DELAY"))
                .wait(5 * HOUR)
                .look(Look::Minutes("when-it-is-late", NOTICE, "sent", vec![60]))
                .look(has("delayed", Part::Status, &["Action: delayed"])),
        ),
        notice(
            "notice.delay.03",
            "NOTIFY=FAILURE: the sender is told at the end, and not when it is late",
            &["CU-033", "CU-032"],
            soon(notify("FAILURE"))
                .wait(5 * HOUR)
                .look(Look::Minutes("at-the-end", NOTICE, "sent", vec![180]))
                .look(has("failed", Part::Status, &["Action: failed"])),
        ),
        notice(
            "notice.delay.04",
            "That the message is late is told once, whatever boots come between",
            &["CU-033", "CU-034"],
            soon(client(CARL, &[BOB]))
                .wait(HOUR / 2)
                .act(Act::Restart)
                .wait(HOUR)
                .act(Act::Restart)
                .wait(HOUR)
                .look(Look::Minutes("when-it-is-late", NOTICE, "sent", vec![60])),
        ),
        notice(
            "notice.delay.05",
            "The hours of the policy are those of the notice",
            &["CU-033", "CU-032"],
            soon(client(CARL, &[BOB])).wait(5 * HOUR).look(Look::Minutes(
                "as-configured",
                NOTICE,
                "sent",
                vec![60, 180],
            )),
        )
        .kills(&[("no-delay-notice", "as-configured")]),
        notice(
            "notice.delay.06",
            "A message in doubt is late like any other, and its sender is told so",
            &["CU-033", "CU-032"],
            hurried(Play::new())
                .cast(
                    ACROSS,
                    Port::Smtp,
                    vec![
                        once("X-SUBMIT COMMIT ", Answer::Close),
                        always("X-SUBMIT RESOLVE ", Answer::Close),
                    ],
                )
                .talk("client", client(CARL, &[BOB]))
                .mark("sent")
                .wait(5 * HOUR)
                .look(Look::Minutes("late-and-not-failed", NOTICE, "sent", vec![60]))
                .look(has("delayed", Part::Status, &["Action: delayed"])),
        ),
    ]
}

fn success() -> Vec<Case> {
    let asked = |to: &str| client(CARL, &[&format!("{to} NOTIFY=SUCCESS,FAILURE")]);
    vec![
        notice(
            "notice.success.01",
            "Where the sender asked, it is told once that a message lies in the account",
            &["CU-060", "SV-024", "RFC3464:2.3.3"],
            Play::new()
                .talk("client", asked(ANN))
                .wait(HOUR)
                .look(Look::Notices("one-notice", TO_CARL, 1))
                .look(has(
                    "delivered",
                    Part::Status,
                    &[
                        "Action: delivered",
                        "Status: 2.*",
                        "Final-Recipient: rfc822; ann@example.test",
                    ],
                )),
        ),
        notice(
            "notice.success.02",
            "Where the sender did not ask, it is not told of a success",
            &["CU-060"],
            Play::new()
                .talk("client", client(CARL, &[ANN]))
                .wait(HOUR)
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("delivered", 0, 1))
                .look(Look::NoNotice("no-notice", TO_CARL)),
        )
        .twin("notice.success.01"),
        notice(
            "notice.success.03",
            "A delivery at another host is told of by the custodian, once",
            &["CU-060", "CU-062"],
            Play::over(two_accounts)
                .talk("client", asked("<cora@example.test>"))
                .wait(HOUR)
                .look(Look::Notices("one-notice", TO_CARL, 1))
                .look(has("delivered", Part::Status, &["Action: delivered"])),
        ),
        notice(
            "notice.success.04",
            "A hand-over is no success: the one who had custody before tells nobody",
            &["CU-060", "SU-003"],
            Play::new()
                .talk("client", asked(BOB))
                .wait(HOUR)
                .look(Look::Some("handed-over", On::said(ACROSS, "X-SUBMIT COMMIT ")))
                .look(Look::NoNotice("no-notice", TO_CARL)),
        )
        .twin("notice.success.01")
        .kills(&[("hand-over-is-success", "no-notice")]),
        notice(
            "notice.success.05",
            "Nobody is told of a success about a message from the null sender",
            &["CU-060"],
            Play::new()
                .talk("client", client("<>", &[&format!("{CARL} NOTIFY=SUCCESS")]))
                .wait(HOUR)
                .look(Look::Count("delivered", On::said(TO_CARL, "DATA"), 1))
                .look(Look::NoNotice("no-notice", TO_CARL)),
        )
        .twin("notice.success.01"),
        notice(
            "notice.success.06",
            "A notice of success returns the header alone",
            &["SV-023"],
            Play::new()
                .talk(
                    "client",
                    client(&format!("{CARL} RET=FULL"), &[&format!("{ANN} NOTIFY=SUCCESS")]),
                )
                .wait(HOUR)
                .look(has("header", Part::Returned, &["Subject: conformance"]))
                .look(Look::NoticeLacks(
                    "no-text",
                    TO_CARL,
                    (0, Part::Returned),
                    "the content of the message",
                )),
        )
        .twin("notice.ret.01"),
    ]
}

/// What an outside server takes.
fn relayed() -> Vec<Case> {
    let asked = || {
        client(
            CARL,
            &[&format!("{OUTSIDER} NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;s@elsewhere.example")],
        )
    };
    let given = On::said(SMART_HOST_LINK, "RCPT TO:<someone@elsewhere.example>");
    let without_dsn = always("EHLO ", Answer::Say("250-outside.example\r\n250 8BITMIME"));
    let with_dsn = always("EHLO ", Answer::Say("250-outside.example\r\n250-8BITMIME\r\n250 DSN"));
    vec![
        notice(
            "notice.relayed.01",
            "An outside server without DSN has taken the message: the sender is told that it was relayed",
            &["CU-060", "CU-040", "SM-064"],
            Play::over(with_smart_host)
                .cast(SMART_HOST_LINK, Port::Smtp, vec![without_dsn])
                .talk("client", asked())
                .wait(HOUR)
                .look(Look::Count("given-once", given, 1))
                .look(Look::Notices("one-notice", TO_CARL, 1))
                .look(has(
                    "relayed",
                    Part::Status,
                    &[
                        "Action: relayed",
                        "Status: 2.*",
                        "Original-Recipient: rfc822; s@elsewhere.example",
                        "Final-Recipient: rfc822; someone@elsewhere.example",
                    ],
                )),
        ),
        notice(
            "notice.relayed.02",
            "An outside server with DSN gets the parameters and the duty: nobody else tells the sender",
            &["CU-061", "CU-040"],
            Play::over(with_smart_host)
                .cast(SMART_HOST_LINK, Port::Smtp, vec![with_dsn])
                .talk("client", asked())
                .wait(HOUR)
                .look(Look::Count(
                    "with-its-parameters",
                    given.with("NOTIFY=SUCCESS,FAILURE"),
                    1,
                ))
                .look(Look::NoNotice("no-notice", TO_CARL)),
        )
        .twin("notice.relayed.01")
        .kills(&[("success-told-twice", "no-notice")]),
        notice(
            "notice.relayed.03",
            "Parameters that an outside server did not offer are not sent to it",
            &["SM-063"],
            Play::over(with_smart_host)
                .cast(SMART_HOST_LINK, Port::Smtp, vec![without_dsn])
                .talk("client", asked())
                .wait(HOUR)
                .look(Look::Count("given-once", given, 1))
                .look(Look::Never("no-notify", given.with("NOTIFY="), None))
                .look(Look::Never("no-orcpt", given.with("ORCPT="), None)),
        )
        .twin("notice.relayed.05"),
        notice(
            "notice.relayed.05",
            "An outside server that offers DSN gets NOTIFY and ORCPT",
            &["CU-061"],
            Play::over(with_smart_host)
                .cast(SMART_HOST_LINK, Port::Smtp, vec![with_dsn])
                .talk("client", asked())
                .wait(HOUR)
                .look(Look::Count("notify", given.with("NOTIFY=SUCCESS,FAILURE"), 1))
                .look(Look::Count("orcpt", given.with("ORCPT=rfc822;s@elsewhere.example"), 1)),
        ),
        notice(
            "notice.relayed.04",
            "An outside server refuses for good: the message is returned",
            &["CU-030", "SM-062"],
            Play::over(with_smart_host)
                .cast(
                    SMART_HOST_LINK,
                    Port::Smtp,
                    vec![without_dsn, always("RCPT TO:", Answer::Say("550 5.1.1 nobody"))],
                )
                .talk("client", asked())
                .wait(HOUR)
                .look(Look::Count("given-once", given, 1))
                .look(has("failed", Part::Status, &["Action: failed", "Status: 5.1.1"])),
        ),
    ]
}
