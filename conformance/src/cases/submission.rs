//! The ports on which people's mail programs send: STARTTLS or TLS from the start, a login, and what it
//! lets its holder do (RFC 6409, RFC 8314, RFC 4954).

use super::submission_mail;
use crate::case::{Case, SUBMISSION};
use crate::net::Port;
use crate::script::{Script, Seat};
use crate::security::Security;
use crate::smtp::Want;

/// The case of which every refusal is a variation: what is right is let in.
pub(super) const PLAIN: &str = "submission.login.plain.01";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = logins();
    cases.extend(in_clear());
    cases.extend(before_login());
    cases.extend(failed());
    cases.extend(malformed());
    cases.extend(out_of_order());
    cases.extend(submission_mail::cases());
    cases
}

/// A case of the submission ports, whose conversation ends with the fence.
pub(super) fn case(id: &str, title: &str, verifies: &[&str], script: Script) -> Case {
    Case::script(id, title, SUBMISSION, script.fence()).verifies(verifies).under(Security::Tls)
}

/// With a refusal in it; what is right is let in.
fn refused(id: &str, title: &str, verifies: &[&str], script: Script) -> Case {
    case(id, title, verifies, script).twin(PLAIN)
}

pub(super) fn ok(status: &str) -> Want {
    Want::code(250).status(status)
}

/// In clear on the port for submission.
fn clear() -> Script {
    Script::new(Seat::Outside, Port::Submission).reply("greeting", Want::code(220)).ask(
        "EHLO {ehlo}",
        "hello",
        Want::code(250).keyword("STARTTLS"),
    )
}

/// Under TLS, before EHLO.
pub(super) fn secured() -> Script {
    Script::new(Seat::Outside, Port::Submission).reply("greeting", Want::code(220)).secure("hello")
}

/// Under TLS, behind EHLO.
pub(super) fn greeted() -> Script {
    secured().ask("EHLO {ehlo}", "hello", Want::code(250).keyword("AUTH PLAIN"))
}

/// Behind a login.
pub(super) fn logged_in() -> Script {
    let script = greeted();
    login(script, "login")
}

/// Behind a login on the port that begins under TLS.
pub(super) fn under_tls() -> Script {
    let script = Script::new(Seat::Outside, Port::Submissions)
        .reply("greeting", Want::code(220))
        .ask("EHLO {ehlo}", "hello", Want::code(250).keyword("AUTH PLAIN").lacks("STARTTLS"));
    login(script, "login")
}

fn login(script: Script, check: &str) -> Script {
    script.ask("AUTH PLAIN {plain}", check, in_())
}

/// What a good login is answered with.
fn in_() -> Want {
    Want::code(235).status("2.7.0")
}

/// What a bad one is answered with.
fn out() -> Want {
    Want::code(535).status("5.7.8")
}

fn mail_of_own(script: Script) -> Script {
    script.ask("MAIL FROM:<{submitter}>", "mail", ok("2.1.")).ask(
        "RCPT TO:<{recipient}>",
        "rcpt",
        ok("2.1."),
    )
}

pub(super) fn sent(script: Script) -> Script {
    mail_of_own(script)
        .ask("DATA", "data", Want::code(354))
        .send(b"Subject: conformance\r\n\r\nsubmitted\r\n.\r\n")
        .reply("accepted", ok("2.0.0").queue_id())
}

/// A challenge: a name, a password, or nothing that the client needs to read.
fn challenge(text: &str) -> Want {
    Want::code(334).last(text)
}

/// `Username:` and `Password:`, as LOGIN asks.
const ASKS: [&str; 2] = ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"];

fn logins() -> Vec<Case> {
    let [name, password] = ASKS;
    let with_login =
        || secured().ask("EHLO {ehlo}", "hello", Want::code(250).keyword("AUTH LOGIN"));
    vec![
        case(
            PLAIN,
            "Behind STARTTLS and AUTH PLAIN mail is accepted",
            &["SM-101", "SM-103", "SM-106", "SM-107", "RFC4954:4", "RFC6409:3.1", "RFC8314:3.3"],
            sent(logged_in()),
        ),
        case(
            "submission.login.plain.02",
            "The response to AUTH PLAIN may come after an empty challenge",
            &["SM-103", "SM-107", "RFC4954:4"],
            greeted()
                .ask("AUTH PLAIN", "challenge", challenge(""))
                .ask("{plain}", "login", in_())
                .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1.")),
        ),
        case(
            "submission.login.plain.03",
            "Who says whose rights the login is for, and names nobody else, is let in",
            &["SM-106", "RFC4616:2"],
            greeted().ask("AUTH PLAIN {plain-itself}", "login", in_()).ask(
                "MAIL FROM:<{submitter}>",
                "mail",
                ok("2.1."),
            ),
        ),
        case(
            "submission.login.login.01",
            "AUTH LOGIN asks for name and password, one after the other",
            &["SM-103", "SM-107"],
            with_login()
                .ask("AUTH LOGIN", "asks-name", challenge(name))
                .ask("{name64}", "asks-password", challenge(password))
                .ask("{password64}", "login", in_())
                .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1.")),
        ),
        case(
            "submission.login.login.02",
            "The name may come with AUTH LOGIN",
            &["SM-103", "SM-107"],
            with_login()
                .ask("AUTH LOGIN {name64}", "asks-password", challenge(password))
                .ask("{password64}", "login", in_())
                .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1.")),
        ),
        case(
            "submission.login.case.01",
            "AUTH is read without regard to case, like every command",
            &["SM-103", "RFC5321:2.4", "WI-040"],
            greeted().ask("auTh PLAIN {plain}", "login", in_()),
        ),
        case(
            "submission.login.holds.01",
            "A login holds for the next mail, behind RSET, and behind another EHLO",
            &["SM-107", "RFC4954:4"],
            sent(logged_in())
                .ask("MAIL FROM:<{submitter}>", "mail-2", ok("2.1."))
                .ask("RSET", "reset", ok("2.0.0"))
                .ask("EHLO {ehlo}", "hello-again", Want::code(250))
                .ask("MAIL FROM:<{submitter}>", "mail-3", ok("2.1.")),
        )
        .kills(&[("login-ends-with-mail", "mail-2")]),
        case(
            "submissions.login.plain.01",
            "The port that begins under TLS offers AUTH at once, and no STARTTLS",
            &["SM-101", "SM-107", "RFC8314:3.3"],
            sent(under_tls()),
        ),
    ]
}

fn in_clear() -> Vec<Case> {
    let late = Want::code(538).status("5.7.11").or_of_others(&[500, 502, 503, 504, 530, 554]);
    let stranger = || Want::code(530).status("5.7.0").or_of_others(&[503, 550, 554]);
    vec![
        refused(
            "submission.clear.offer.01",
            "In clear no login is offered that tells a listener the password",
            &["SM-101", "RFC4954:4", "RFC8314:4.1"],
            Script::new(Seat::Outside, Port::Submission)
                .reply("greeting", Want::code(220))
                .ask(
                    "EHLO {ehlo}",
                    "offer",
                    Want::code(250).keyword("STARTTLS").lacks("AUTH PLAIN").lacks("AUTH LOGIN"),
                )
                .ask("MAIL FROM:<{submitter}>", "refused", stranger()),
        )
        .kills(&[("auth-in-clear", "offer")]),
        refused(
            "submission.clear.auth.01",
            "In clear no login is taken",
            &["SM-102", "RFC4954:4"],
            // Never the right password: somebody may listen.
            clear().ask("AUTH PLAIN {wrong-plain}", "refused", late),
        )
        .kills(&[("auth-in-clear", "refused")]),
        refused(
            "submission.clear.mail.01",
            "In clear no mail is taken",
            &["SM-111", "RFC6409:4.3"],
            clear().ask("MAIL FROM:<{submitter}>", "refused", stranger()),
        ),
        refused(
            "submission.clear.injected.01",
            "What somebody puts behind STARTTLS in clear is neither answered nor taken for a login",
            &["SM-017", "RFC3207:4.2"],
            Script::new(Seat::Outside, Port::Submission)
                .reply("greeting", Want::code(220))
                .secure_injecting("hello", b"EHLO {ehlo}\r\nAUTH PLAIN {wrong-plain}\r\n")
                .ask("EHLO {ehlo}", "hello", Want::code(250).keyword("AUTH PLAIN"))
                .ask("MAIL FROM:<{submitter}>", "refused", stranger()),
        ),
    ]
}

fn before_login() -> Vec<Case> {
    let stranger = || Want::code(530).status("5.7.0").or_of_others(&[503, 550, 554]);
    vec![
        refused(
            "submission.stranger.mail.01",
            "Mail is refused under TLS, too, before the login, and taken behind it",
            &["SM-111", "RFC6409:4.3", "RFC4954:6"],
            login(greeted().ask("MAIL FROM:<{submitter}>", "refused", stranger()), "login").ask(
                "MAIL FROM:<{submitter}>",
                "goes-on",
                ok("2.1."),
            ),
        )
        .kills(&[("mail-without-login", "refused")]),
        refused(
            "submission.stranger.mail.02",
            "The null sender needs a login like any other",
            &["SM-111", "RFC6409:4.3"],
            greeted().ask("MAIL FROM:<>", "refused", stranger()),
        )
        .kills(&[("mail-without-login", "refused")]),
        refused(
            "submission.stranger.rcpt.01",
            "RCPT and DATA do not get past the refused MAIL",
            &["SM-003", "SM-111"],
            greeted()
                .ask("MAIL FROM:<{submitter}>", "refused", stranger())
                .ask("RCPT TO:<{recipient}>", "no-mail", Want::class(5))
                .ask("DATA", "no-recipient", Want::class(5)),
        ),
    ]
}

fn failed() -> Vec<Case> {
    let wrong = "AUTH PLAIN {wrong-plain}";
    let nobody = "AUTH PLAIN {nobody-plain}";
    let stranger = || Want::code(530).status("5.7.0").or_of_others(&[503, 550, 554]);
    let third = greeted()
        .ask(wrong, "first", out())
        .ask(nobody, "second", out())
        .ask(wrong, "the-last", Want::code(421).status("4.7.0"))
        .closed("closed");
    vec![
        refused(
            "submission.failed.password.01",
            "A wrong password is refused, lets nobody in, and a right one does behind it",
            &["SM-106", "SM-108", "RFC4954:6"],
            login(
                greeted().ask(wrong, "refused", out()).ask(
                    "MAIL FROM:<{submitter}>",
                    "still-out",
                    stranger(),
                ),
                "login",
            ),
        )
        .kills(&[("mail-without-login", "still-out")]),
        refused(
            "submission.failed.name.01",
            "A name that is no account is refused with the words of a wrong password",
            &["SM-106", "SM-108"],
            greeted().ask(wrong, "password", out()).ask(nobody, "name", out()).same_words(
                "same-words",
                "password",
                "name",
            ),
        )
        .kills(&[("refusal-tells-names", "same-words")]),
        refused(
            "submission.failed.login.01",
            "LOGIN asks for the password of a name that is no account, too, and refuses then",
            &["SM-106", "SM-108"],
            secured()
                .ask("EHLO {ehlo}", "hello", Want::code(250).keyword("AUTH LOGIN"))
                .ask("AUTH LOGIN bm9ib2R5QGNvbmZvcm1hbmNlLmludmFsaWQ=", "asks", challenge(ASKS[1]))
                .ask("{wrong64}", "refused", out()),
        ),
        refused(
            "submission.failed.identity.01",
            "The right password of one account gives nobody the rights of another",
            &["SM-106", "RFC4616:2"],
            greeted().ask(
                "AUTH PLAIN {plain-as-another}",
                "refused",
                out().or_of_others(&[550, 554]),
            ),
        ),
        refused(
            "submission.failed.without.01",
            "An account without a password is refused with the same words",
            &["SM-106", "SM-108"],
            greeted()
                // `ann@example.test`, who has none, and `correct horse`.
                .ask("AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAY29ycmVjdCBob3JzZQ==", "refused", out())
                .ask(wrong, "password", out())
                .same_words("same-words", "refused", "password"),
        )
        .of_members(),
        Case::script(
            "submission.failed.third.01",
            "The third login that fails ends the connection",
            SUBMISSION,
            third,
        )
        .verifies(&["SM-108"])
        .under(Security::Tls)
        .twin(PLAIN)
        .of_members()
        .kills(&[("failed-logins-not-counted", "the-last")]),
    ]
}

fn malformed() -> Vec<Case> {
    let wrong = || Want::code(501).status("5.5.2").or_of_others(&[500, 535]);
    // 12,288 octets with CRLF are read and are no message of PLAIN; one group of base64 more is too long.
    let longest = "YWFh".repeat(3_071);
    let longer = "YWFh".repeat(3_072);
    vec![
        refused(
            "submission.syntax.mechanism.01",
            "A mechanism that is not offered is refused",
            &["SM-103", "RFC4954:4"],
            login(
                greeted().ask(
                    "AUTH XYZZY",
                    "refused",
                    Want::code(504).status("5.5.4").or_of_others(&[501, 535]),
                ),
                "goes-on",
            ),
        ),
        refused(
            "submission.syntax.base64.01",
            "A response that is no base64 is refused and not taken for a failed login",
            &["SM-103", "RFC4954:4"],
            login(greeted().ask("AUTH PLAIN !!!!", "refused", wrong()), "goes-on"),
        ),
        refused(
            "submission.syntax.message.01",
            "A response without its two NUL is refused",
            &["SM-103", "RFC4616:2"],
            login(greeted().ask("AUTH PLAIN YWFh", "refused", wrong()), "goes-on"),
        ),
        refused(
            "submission.syntax.cancel.01",
            "An asterisk ends the authentication, and the next one begins anew",
            &["SM-104", "RFC4954:4"],
            login(
                greeted().ask("AUTH PLAIN", "challenge", challenge("")).ask(
                    "*",
                    "cancelled",
                    Want::code(501).status("5.7.0").or_of_others(&[500]),
                ),
                "goes-on",
            ),
        )
        .kills(&[("asterisk-asks-again", "cancelled")]),
        refused(
            "submission.syntax.long.01",
            "A response of 12,288 octets is read, and a longer one is refused for its length",
            &["SM-105", "RFC4954:4"],
            login(
                greeted()
                    .ask("AUTH PLAIN", "challenge", challenge(""))
                    .ask(&longest, "read", wrong())
                    .ask("AUTH PLAIN", "challenge-2", challenge(""))
                    .ask(&longer, "too-long", Want::code(500).status("5.5.6").or_of_others(&[501])),
                "goes-on",
            ),
        )
        .of_members(),
    ]
}

fn out_of_order() -> Vec<Case> {
    let bad = || Want::code(503).status("5.5.1");
    let smtp = Script::new(Seat::Outside, Port::Smtp)
        .reply("greeting", Want::code(220))
        .ask("EHLO {ehlo}", "offer", Want::code(250).lacks("AUTH"))
        .ask("AUTH PLAIN {wrong-plain}", "refused", Want::code(502).status("5.5.1"));
    let member = Script::new(Seat::Member, Port::Submission)
        .reply("greeting", Want::code(220))
        .secure("hello")
        .ask(
            "EHLO {ehlo}",
            "hello",
            Want::code(250).keyword("AUTH").lacks("X-SUBMIT").lacks("X-LINK2STATE"),
        )
        .ask(
            "X-SUBMIT HELLO MEMBER=rg2-a STORE=00000000c0ffee01",
            "refused",
            Want::code(530).status("5.7.0"),
        );
    vec![
        refused(
            "submission.order.again.01",
            "Who has logged in cannot log in again",
            &["SM-102", "RFC4954:4"],
            logged_in().ask("AUTH PLAIN {plain}", "refused", bad()),
        ),
        refused(
            "submission.order.again.02",
            "Who has logged in is not offered a login any more",
            &["SM-101"],
            logged_in()
                .ask("EHLO {ehlo}", "offer", Want::code(250).keyword("SIZE").lacks("AUTH"))
                .ask("AUTH LOGIN", "refused", bad()),
        )
        .of_members(),
        refused(
            "submission.order.early.01",
            "AUTH before EHLO is out of order: what was said in clear is void",
            &["SM-006", "SM-102"],
            login(
                secured().ask("AUTH PLAIN {wrong-plain}", "early", bad()).ask(
                    "EHLO {ehlo}",
                    "hello",
                    Want::code(250).keyword("AUTH PLAIN"),
                ),
                "login",
            ),
        )
        .of_members(),
        refused(
            "submission.order.within.01",
            "AUTH within a mail is out of order, and the mail goes on",
            &["SM-102", "RFC4954:4"],
            logged_in()
                .ask("MAIL FROM:<{submitter}>", "mail", ok("2.1."))
                .ask("AUTH PLAIN {plain}", "refused", bad())
                .ask("RCPT TO:<{recipient}>", "goes-on", ok("2.1.")),
        ),
        refused(
            "submission.order.smtp.01",
            "The SMTP port offers no login and takes none",
            &["SM-100"],
            smtp,
        )
        .of_members(),
        refused(
            "submission.order.member.01",
            "On a submission port nobody is a member, whatever his address and certificate",
            &["SM-100", "SM-020"],
            member,
        )
        .kills(&[("members-on-submission-port", "hello")]),
    ]
}
