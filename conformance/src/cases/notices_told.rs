//! Notices to senders: of what is late, of what has arrived, and of what an outside server has taken.

use super::handing_over::{ACROSS, TO_CARL, always, client, once};
use super::notices::{BOB, CARL, NOTICE, has, hurried, notice, soon, waiting};
use crate::case::Case;
use crate::cluster::{HOUR, SMART_HOST_LINK};
use crate::net::Port;
use crate::organization::{two_accounts, with_smart_host};
use crate::play::{Act, Answer, Look, On, Part, Play};

const ANN: &str = "<ann@example.test>";
const OUTSIDER: &str = "<someone@elsewhere.example>";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = late();
    cases.extend(success());
    cases.extend(relayed());
    cases
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
