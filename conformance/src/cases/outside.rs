//! Servers outside of the organization, with the suite as the smart host that the node calls: what it
//! does where one offers less than it could use.

use super::handing_over::{always, client, once, sender};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND, SMART_HOST_LINK as OUT};
use crate::net::Port;
use crate::organization::with_smart_host;
use crate::play::{Answer, Cue, Look, On, Part, Play};
use crate::script::Script;

const STRANGER: &str = "<someone@elsewhere.example>";
/// The offer of a server with TLS, which it then refuses to begin.
const WITH_TLS: Cue = always("EHLO", Answer::Say("250-ready\r\n250 STARTTLS"));
/// The offer of a server that knows letters of US-ASCII only.
const WITHOUT_UTF8: Cue = always("EHLO", Answer::Say("250-ready\r\n250 8BITMIME"));

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = tls();
    cases.extend(offers());
    cases
}

fn said(begins: &'static str) -> On {
    On::said(OUT, begins)
}

/// Mail for a stranger, with the smart host as the cues have it.
fn out(cues: Vec<Cue>, script: Script) -> Play {
    Play::over(with_smart_host).cast(OUT, Port::Smtp, cues).talk("client", script)
}

fn mail() -> Script {
    client("<ann@example.test>", &[STRANGER])
}

fn tls() -> Vec<Case> {
    vec![
        sender(
            "outside.tls.plain.01",
            "A server that offers no STARTTLS gets its mail in clear, by default",
            &["SM-125"],
            out(vec![], mail())
                .wait(SECOND)
                .look(Look::Count("mail", said("MAIL FROM:<ann@example.test>"), 1))
                .look(Look::Count("content", said("Subject: conformance"), 1)),
        ),
        sender(
            "outside.tls.offered.01",
            "A server that offers STARTTLS is asked for it before it gets mail",
            &["SM-125", "RFC3207:4"],
            out(vec![WITH_TLS, always("STARTTLS", Answer::Say("454 4.7.0 not now"))], mail())
                .wait(HOUR)
                .look(Look::Before("asked-first", said("STARTTLS"), said("MAIL FROM:")))
                .look(Look::Next(
                    "nothing-but-the-end",
                    said("STARTTLS"),
                    &["EHLO", "MAIL", "RSET"],
                )),
        ),
        sender(
            "outside.tls.refused.01",
            "When STARTTLS is refused the mail goes on the next connection, in clear",
            &["SM-127", "RFC7435:3"],
            out(vec![WITH_TLS, always("STARTTLS", Answer::Say("454 4.7.0 not now"))], mail())
                .wait(HOUR)
                .look(Look::Count("asked-once", said("STARTTLS"), 1))
                .look(Look::Count("two-connections", said("EHLO"), 2))
                .look(Look::Count("delivered-once", said("Subject: conformance"), 1)),
        ),
    ]
}

fn offers() -> Vec<Case> {
    let utf8 = || client("<ann@example.test> SMTPUTF8", &[STRANGER]);
    vec![
        sender(
            "outside.helo.01",
            "A server that refuses EHLO is greeted by HELO",
            &["SM-060", "RFC5321:3.2"],
            out(vec![always("EHLO", Answer::Say("502 5.5.1 unknown"))], mail())
                .wait(SECOND)
                .look(Look::Next("helo", said("EHLO"), &["HELO", "MAIL", "QUIT"]))
                .look(Look::Count("delivered", said("Subject: conformance"), 1)),
        ),
        sender(
            "outside.helo.02",
            "A server that cannot answer EHLO now is not greeted by HELO, and gets its mail later",
            &["SM-060"],
            out(vec![once("EHLO", Answer::Say("450 4.3.2 not now"))], mail())
                .wait(HOUR)
                .look(Look::Never("no-helo", said("HELO"), None))
                .look(Look::Count("delivered", said("Subject: conformance"), 1)),
        )
        .twin("outside.helo.01"),
        sender(
            "outside.utf8.01",
            "A server that offers SMTPUTF8 gets mail that needs it, and is told so",
            &["SM-061", "RFC6531:3.4"],
            out(vec![], utf8())
                .wait(SECOND)
                .look(Look::Some("told", said("MAIL FROM:").with(" SMTPUTF8"))),
        ),
        sender(
            "outside.utf8.02",
            "A server that does not offer SMTPUTF8 gets no mail that needs it, and its sender is told",
            &["SM-061", "RFC6531:3.5"],
            out(vec![WITHOUT_UTF8], client("<carl@example.test> SMTPUTF8", &[STRANGER]))
                .wait(HOUR)
                .look(Look::Never("no-mail", said("MAIL FROM:"), None))
                .look(Look::Notice(
                    "told",
                    super::handing_over::TO_CARL,
                    (0, Part::Status),
                    vec!["Action: failed", "Status: 5.6.7*"],
                )),
        )
        .twin("outside.utf8.01"),
        sender(
            "outside.parameters.01",
            "Parameters of extensions that a server does not offer are not said to it",
            &["SM-063"],
            out(
                vec![always("EHLO", Answer::Say("250 ready"))],
                client(
                    "<ann@example.test> BODY=8BITMIME RET=HDRS ENVID=one",
                    &[&format!("{STRANGER} NOTIFY=FAILURE")],
                ),
            )
            .wait(SECOND)
            .look(Look::Count("plain-sender", said("MAIL FROM:<ann@example.test>"), 1))
            .look(Look::Never("no-body", said("MAIL").with(" BODY="), None))
            .look(Look::Never("no-size", said("MAIL").with(" SIZE="), None))
            .look(Look::Never("no-dsn", said("MAIL").with(" RET="), None))
            .look(Look::Never("no-notify", said("RCPT").with(" NOTIFY="), None)),
        )
        .twin("outside.parameters.02"),
        sender(
            "outside.parameters.02",
            "Those of extensions that it offers are",
            &["SM-063", "RFC3461:4"],
            out(
                vec![],
                client(
                    "<ann@example.test> BODY=8BITMIME RET=HDRS ENVID=one",
                    &[&format!("{STRANGER} NOTIFY=FAILURE")],
                ),
            )
            .wait(SECOND)
            .look(Look::Some("envid", said("MAIL").with(" ENVID=one")))
            .look(Look::Some("ret", said("MAIL").with(" RET=HDRS")))
            .look(Look::Some("notify", said("RCPT").with(" NOTIFY=FAILURE"))),
        ),
    ]
}
