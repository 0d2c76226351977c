//! What a login lets its holder send, and what a member makes of mail that comes by one.

use serde_json::json;

use super::submission::{PLAIN, case, logged_in, ok};
use crate::case::{Case, SUBMISSION};
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::with_logins;
use crate::play::{Look, On, Play};
use crate::script::{Script, Seat};
use crate::security::Security;
use crate::smtp::Want;

/// Where mail for carl arrives, whom the suite plays.
const TO_CARL: &str = "rg1-a>rg1-c/deliver";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = envelopes();
    cases.extend(contents());
    cases
}

fn envelopes() -> Vec<Case> {
    vec![
        case(
            "submission.mail.null.01",
            "Who has logged in may send from the null sender",
            &["SM-112"],
            logged_in().ask("MAIL FROM:<>", "mail", ok("2.1.")).ask(
                "RCPT TO:<{recipient}>",
                "rcpt",
                ok("2.1."),
            ),
        ),
        case(
            "submission.mail.parameter.01",
            "The parameter AUTH of MAIL is taken, whatever it asserts",
            &["SM-112", "RFC4954:5"],
            logged_in()
                .ask("MAIL FROM:<{submitter}> AUTH=<>", "nobody", ok("2.1."))
                .ask("RSET", "reset", ok("2.0.0"))
                .ask("MAIL FROM:<{submitter}> AUTH=e+3Dmc2@example.com", "somebody", ok("2.1."))
                .ask("RCPT TO:<{recipient}>", "rcpt", ok("2.1.")),
        ),
        case(
            "submission.mail.sender.01",
            "Who has logged in may not send from the address of another, and may from the own one",
            &["SM-112", "RFC6409:6.1"],
            logged_in()
                .ask("MAIL FROM:<ann@example.test>", "fellow", Want::code(553).status("5.7.1"))
                .ask("MAIL FROM:<a@elsewhere.invalid>", "foreign", Want::code(553).status("5.7.1"))
                .ask("MAIL FROM:<{submitter}>", "goes-on", ok("2.1.")),
        )
        .twin(PLAIN)
        .of_members()
        .kills(&[("any-sender-behind-login", "fellow")]),
        case(
            "submission.mail.foreign.01",
            "Who has logged in may send to foreign domains",
            &["SM-113"],
            logged_in()
                .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1."))
                .ask("RCPT TO:<someone@elsewhere.invalid>", "foreign", ok("2.1."))
                .ask("RCPT TO:<{recipient}>", "own", ok("2.1.")),
        )
        .of_members(),
        case(
            "submission.mail.unknown.01",
            "A login makes no account out of an address that does not exist",
            &["CU-001", "SM-078"],
            logged_in()
                .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1."))
                .ask("RCPT TO:<{unknown}>", "refused", Want::code(550).status("5.1.1"))
                .ask("RCPT TO:<{recipient}>", "goes-on", ok("2.1.")),
        )
        .twin(PLAIN),
    ]
}

/// Mail by a login from amy to carl, of these octets.
fn submitted(port: Port, content: &str) -> Play {
    let script = Script::new(Seat::Outside, port).reply("greeting", Want::code(220));
    let script = if port == Port::Submissions { script } else { script.secure("hello") };
    let script = script
        .ask("EHLO {ehlo}", "hello", Want::code(250).keyword("AUTH"))
        .ask("AUTH PLAIN {plain}", "login", Want::code(235))
        .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1."))
        .ask("RCPT TO:<carl@example.test>", "rcpt", ok("2.1."))
        .ask("DATA", "data", Want::code(354))
        .send(format!("{content}.\r\n").as_bytes())
        .reply("accepted", ok("2.0.0").queue_id());
    Play::over(with_logins).talk("client", script.fence()).wait(SECOND)
}

fn arrived(begins: &'static str) -> On {
    On::said(TO_CARL, begins)
}

fn content(id: &str, title: &str, verifies: &[&str], play: Play, security: Security) -> Case {
    Case::play(id, title, SUBMISSION, play).verifies(verifies).under(security)
}

const BARE: &str = "From: <amy@example.test>\r\nSubject: bare\r\n\r\ntext\r\n";
const WHOLE: &str = concat!(
    "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <own@client.example.net>\r\n",
    "From: <amy@example.test>\r\nSubject: whole\r\n\r\ntext\r\n",
);

fn contents() -> Vec<Case> {
    let hop = |port, word: &'static str| {
        submitted(port, BARE).look(Look::Some("protocol", arrived("\tby ").with(word)))
    };
    vec![
        content(
            "submission.content.added.01",
            "Date and Message-ID are added where the header has none",
            &["SM-115", "RFC6409:8.2", "RFC6409:8.3"],
            submitted(Port::Submission, BARE)
                .look(Look::Count("one-date", arrived("Date: "), 1))
                .look(Look::Count("one-message-id", arrived("Message-ID: <"), 1))
                .look(Look::Before("above", arrived("Message-ID: <"), arrived("From: ")))
                .look(Look::Count("the-rest", arrived("Subject: bare"), 1)),
            Security::Tls,
        )
        .kills(&[("submitted-as-it-is", "one-date")]),
        content(
            "submission.content.kept.01",
            "Where they are there they are left alone, and none is added",
            &["SM-115"],
            submitted(Port::Submission, WHOLE)
                .look(Look::Count("one-date", arrived("Date: "), 1))
                .look(Look::Count("own-date", arrived("Date: Mon, 1 Jan 2024 00:00:00 +0000"), 1))
                .look(Look::Count("one-message-id", arrived("Message-ID: "), 1))
                .look(Look::Count("own-id", arrived("Message-ID: <own@client.example.net>"), 1)),
            Security::Tls,
        ),
        content(
            "submission.content.trace.01",
            "The trace says ESMTPSA of mail that came under STARTTLS by a login",
            &["SM-114", "RFC3848:1"],
            hop(Port::Submission, "with ESMTPSA id"),
            Security::Tls,
        ),
        content(
            "submissions.content.trace.01",
            "The trace says ESMTPSA of mail that came under TLS from the start",
            &["SM-114", "RFC3848:1"],
            hop(Port::Submissions, "with ESMTPSA id"),
            Security::Tls,
        ),
        content(
            "submission.content.trace.02",
            "The trace says ESMTPA of mail that came in clear by a login",
            &["SM-114", "RFC3848:1"],
            hop(Port::Submission, "with ESMTPA id"),
            Security::Address,
        ),
        content(
            "submission.content.submitter.01",
            "The other members learn who has submitted a mail",
            &["SM-107"],
            to_bob().look(Look::Envelope(
                "submitter",
                "RG1-RG2",
                0,
                "/submitter",
                json!("amy@example.test"),
            )),
            Security::Tls,
        ),
    ]
}

/// Mail by a login from amy to bob, who is in another group.
fn to_bob() -> Play {
    let script = logged_in()
        .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1."))
        .ask("RCPT TO:<bob@example.test>", "rcpt", ok("2.1."))
        .ask("DATA", "data", Want::code(354))
        .send(format!("{BARE}.\r\n").as_bytes())
        .reply("accepted", ok("2.0.0").queue_id());
    Play::over(with_logins).talk("client", script.fence()).wait(SECOND)
}
