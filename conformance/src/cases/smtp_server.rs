//! The role that every mail server plays: RFC 5321 and its extensions, one connection.

use crate::case::Case;
use crate::script::{Script, Seat};
use crate::smtp::Want;

const PROFILE: &str = "smtp/server";

/// An SMTP case whose conversation ends with the fence.
pub(super) fn case(id: &str, title: &str, verifies: &[&str], script: Script) -> Case {
    Case::script(id, title, PROFILE, script.fence()).verifies(verifies)
}

fn ok(status: &str) -> Want {
    Want::code(250).status(status)
}

/// After EHLO.
fn talk() -> Script {
    Script::smtp(Seat::Outside)
}

/// After MAIL.
pub(super) fn mail() -> Script {
    talk().ask("MAIL FROM:<{sender}>", "mail", ok("2.1."))
}

/// After RCPT.
fn rcpt() -> Script {
    mail().ask("RCPT TO:<{recipient}>", "rcpt", ok("2.1."))
}

/// After the 354.
fn data() -> Script {
    rcpt().ask("DATA", "data", Want::code(354))
}

/// RFC 5321 section 4.1.1.4 leaves the server the choice of two codes.
fn no_recipient() -> Want {
    Want::codes(&[503, 554]).status("5.5.1")
}

/// A header that every message of the suite has.
const HEADER: &[u8] = b"From: suite\r\nSubject: conformance\r\n\r\n";

/// A message after DATA, accepted.
pub(super) fn message(body: &[u8]) -> Script {
    data().send(&[HEADER, body].concat()).reply("accepted", ok("2.0.0").queue_id())
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = commands();
    cases.extend(order());
    cases.extend(syntax());
    cases.extend(content());
    cases.extend(smuggling());
    cases
}

fn commands() -> Vec<Case> {
    vec![
        case(
            "smtp.greeting.01",
            "The greeting is one 220 reply that says nothing else",
            &["RFC5321:3.1", "RFC5321:4.2", "SM-001"],
            talk(),
        ),
        case(
            "smtp.ehlo.01",
            "EHLO is answered by the extensions, one to a line",
            &["RFC5321:4.1.1.1", "RFC2920:3", "RFC6152:2", "RFC3461:4", "SM-002", "SM-084"],
            talk().ask(
                "EHLO {ehlo}",
                "extensions",
                Want::code(250)
                    .keyword("PIPELINING")
                    .keyword("SIZE")
                    .keyword("8BITMIME")
                    .keyword("SMTPUTF8")
                    .keyword("ENHANCEDSTATUSCODES")
                    .keyword("DSN"),
            ),
        ),
        case(
            "smtp.ehlo.02",
            "EHLO offers nothing between members to somebody who is not one",
            &["RFC5321:2.2.2", "SM-020"],
            talk().ask(
                "EHLO {ehlo}",
                "extensions",
                Want::code(250).keyword("SIZE").lacks("X-SUBMIT").lacks("X-LINK2STATE"),
            ),
        ),
        case(
            "smtp.helo.01",
            "HELO is answered by one line",
            &["RFC5321:4.1.1.1"],
            talk().ask("HELO {ehlo}", "helo", Want::code(250).lacks("SIZE")),
        ),
        case(
            "smtp.noop.01",
            "NOOP, also with an argument, is answered 250",
            &["RFC5321:4.1.1.9"],
            talk().ask("NOOP", "plain", ok("2.0.0")).ask("NOOP word", "argument", ok("2.0.0")),
        ),
        case(
            "smtp.rset.01",
            "RSET forgets the sender: RCPT after it is out of order",
            &["RFC5321:4.1.1.5"],
            rcpt().ask("RSET", "reset", ok("2.0.0")).ask(
                "RCPT TO:<{recipient}>",
                "forgotten",
                Want::code(503).status("5.5.1"),
            ),
        )
        .twin("smtp.rcpt.01"),
        case(
            "smtp.vrfy.01",
            "VRFY neither confirms nor denies",
            &["RFC5321:3.5.3", "RFC5321:7.3", "SM-005"],
            talk().ask("VRFY {recipient}", "vrfy", Want::code(252).any_status()),
        ),
        case(
            "smtp.quit.01",
            "QUIT in the middle of a transaction is answered 221, and the server ends the connection",
            &["RFC5321:4.1.1.10"],
            rcpt(),
        ),
        case(
            "smtp.unknown.01",
            "An unknown command is answered 500 and changes nothing",
            &["RFC5321:4.2.4", "RFC3463:3.6", "SM-004", "WI-041"],
            mail().ask("XYZZY a b", "unknown", Want::code(500).status("5.5.")).ask(
                "RCPT TO:<{recipient}>",
                "goes-on",
                ok("2.1."),
            ),
        )
        .twin("smtp.rcpt.01"),
        bad_commands(),
        case(
            "smtp.case.01",
            "Commands and keywords are read without regard to case",
            &["RFC5321:2.4", "WI-040"],
            talk()
                .ask("mAiL fRoM:<{sender}>", "mail", ok("2.1."))
                .ask("rcpt to:<{recipient}>", "rcpt", ok("2.1."))
                .ask("rSeT", "reset", ok("2.0.0")),
        ),
    ]
}

/// Nineteen bad commands are answered; the twentieth ends the conversation.
fn bad_commands() -> Case {
    let mut script = talk();
    for number in 1..20 {
        script = script.ask("XYZZY", &format!("bad-{number}"), Want::code(500));
    }
    let script = script
        .ask("NOOP", "still-served", ok("2.0.0"))
        .ask("XYZZY", "the-last", Want::code(421))
        .closed("closed");
    Case::script(
        "smtp.unknown.02",
        "The twentieth bad command ends the connection",
        PROFILE,
        script,
    )
    .verifies(&["SM-007"])
    .twin("smtp.noop.01")
    .of_members()
    .should()
}

fn order() -> Vec<Case> {
    let bad = || Want::code(503).status("5.5.1");
    vec![
        case(
            "smtp.mail.01",
            "MAIL is accepted once",
            &["RFC5321:4.1.1.2", "RFC5321:4.1.4", "SM-003"],
            mail().ask("MAIL FROM:<{sender}>", "nested", bad()),
        )
        .twin("smtp.rcpt.01"),
        case(
            "smtp.mail.02",
            "The null sender is a sender",
            &["RFC5321:4.5.5"],
            talk().ask("MAIL FROM:<>", "mail", ok("2.1."))
                .ask("RCPT TO:<{recipient}>", "rcpt", ok("2.1.")),
        ),
        case(
            "smtp.rcpt.01",
            "RCPT after MAIL is accepted, more than once",
            &["RFC5321:4.1.1.3"],
            rcpt().ask("RCPT TO:<{recipient}>", "again", ok("2.1.")),
        ),
        case(
            "smtp.rcpt.02",
            "RCPT before MAIL is out of order",
            &["RFC5321:4.1.4", "SM-003"],
            talk().ask("RCPT TO:<{recipient}>", "early", bad()),
        )
        .twin("smtp.rcpt.01"),
        case(
            "smtp.rcpt.03",
            "A recipient who does not exist is refused for ever",
            &["RFC5321:4.2.3", "RFC3463:3.2", "CU-001"],
            mail().ask("RCPT TO:<{unknown}>", "refused", Want::code(550).status("5.1.1"))
                .ask("RCPT TO:<{recipient}>", "goes-on", ok("2.1.")),
        )
        .twin("smtp.rcpt.01"),
        case(
            "smtp.rcpt.04",
            "Mail for a foreign domain is not relayed for a stranger",
            &["RFC5321:7.9", "CU-001"],
            mail().ask("RCPT TO:<someone@elsewhere.invalid>", "refused", Want::class(5).status("5.7."))
                .ask("RCPT TO:<{recipient}>", "goes-on", ok("2.1.")),
        )
        .twin("smtp.rcpt.01"),
        case(
            "smtp.data.order.01",
            "DATA without a recipient is out of order",
            &["RFC5321:4.1.1.4", "SM-003"],
            mail().ask("DATA", "early", no_recipient()),
        )
        .twin("smtp.data.plain.01"),
        case(
            "smtp.data.order.02",
            "DATA without a sender is out of order",
            &["RFC5321:4.1.4", "SM-013"],
            talk().ask("DATA", "early", no_recipient()),
        )
        .twin("smtp.data.plain.01"),
        Case::script(
            "smtp.mail.03",
            "MAIL before EHLO is out of order",
            PROFILE,
            Script::new(Seat::Outside, crate::net::Port::Smtp)
                .reply("greeting", Want::code(220))
                .ask("MAIL FROM:<{sender}>", "early", bad())
                .fence(),
        )
        .verifies(&["RFC5321:4.1.4", "SM-003"])
        .twin("smtp.mail.02"),
        case(
            "smtp.pipelining.01",
            "Pipelined commands are answered one by one and in order",
            &["RFC2920:3.1", "RFC2920:3.2", "SM-016"],
            talk()
                .send(b"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nRCPT TO:<not an address>\r\nNOOP\r\nRSET\r\nDATA\r\n")
                .reply("mail", ok("2.1."))
                .reply("rcpt", ok("2.1."))
                .reply("bad-rcpt", Want::codes(&[501, 553]))
                .reply("noop", ok("2.0.0"))
                .reply("rset", ok("2.0.0"))
                .reply("data", no_recipient()),
        )
        .twin("smtp.rcpt.01"),
    ]
}

fn syntax() -> Vec<Case> {
    let wrong = || Want::code(501).status("5.5.");
    let long = |length: usize| {
        let mut line = b"NOOP ".to_vec();
        line.resize(length - 2, b'x');
        line.extend(b"\r\n");
        line
    };
    vec![
        case(
            "smtp.syntax.mail.01",
            "MAIL without FROM: is a syntax error",
            &["RFC5321:4.1.1.2", "RFC5321:4.2.4", "WI-041"],
            talk().ask("MAIL <{sender}>", "refused", wrong()),
        )
        .twin("smtp.mail.02"),
        case(
            "smtp.syntax.rcpt.01",
            "RCPT TO:<> is no recipient",
            &["RFC5321:4.1.1.3"],
            mail().ask("RCPT TO:<>", "refused", Want::codes(&[501, 550, 553]).any_status()),
        )
        .twin("smtp.rcpt.01"),
        case(
            "smtp.syntax.parameter.01",
            "A parameter that was not offered is refused",
            &["RFC5321:4.1.1.11", "WI-044", "WI-041"],
            talk().ask("MAIL FROM:<{sender}> XSURPRISE=1", "refused", Want::code(555).any_status()),
        )
        .twin("smtp.mail.02"),
        case(
            "smtp.syntax.ehlo.01",
            "EHLO without a name is a syntax error",
            &["RFC5321:4.1.1.1"],
            talk().ask("EHLO", "refused", wrong()),
        )
        .twin("smtp.ehlo.01"),
        case(
            "smtp.line.01",
            "A command line of 512 octets is read",
            &["RFC5321:4.5.3.1.4"],
            talk().send(&long(512)).reply("read", ok("2.0.0")),
        ),
        case(
            "smtp.line.02",
            "An over-long command line is refused, once, and the next line is read",
            &["RFC5321:4.5.3.1.9", "SM-009", "WI-011"],
            talk().send(&long(100_000)).reply("refused", Want::code(500).status("5.5.")).ask(
                "NOOP",
                "goes-on",
                ok("2.0.0"),
            ),
        )
        .twin("smtp.line.01"),
    ]
}

fn content() -> Vec<Case> {
    vec![
        case(
            "smtp.data.plain.01",
            "A message is accepted with a queue id",
            &["RFC5321:4.1.1.4"],
            message(b"hello\r\n.\r\n"),
        ),
        case(
            "smtp.data.plain.02",
            "A second message on the same connection gets another transaction",
            &["RFC5321:3.3"],
            message(b"first\r\n.\r\n")
                .ask("DATA", "no-transaction", no_recipient())
                .ask("MAIL FROM:<{sender}>", "mail-2", ok("2.1."))
                .ask("RCPT TO:<{recipient}>", "rcpt-2", ok("2.1."))
                .ask("DATA", "data-2", Want::code(354))
                .send(b"Subject: two\r\n\r\nsecond\r\n.\r\n")
                .reply("accepted-2", ok("2.0.0").queue_id()),
        )
        .twin("smtp.data.plain.01"),
        case(
            "smtp.data.dots.01",
            "A line that begins with a dot does not end the message",
            &["RFC5321:4.5.2", "WI-012"],
            message(b"..\r\n..QUIT\r\n.. \r\n.\r\n"),
        ),
        case(
            "smtp.data.8bit.01",
            "A message with octets above 127 is accepted with BODY=8BITMIME",
            &["RFC6152:3"],
            talk()
                .ask("MAIL FROM:<{sender}> BODY=8BITMIME", "mail", ok("2.1."))
                .ask("RCPT TO:<{recipient}>", "rcpt", ok("2.1."))
                .ask("DATA", "data", Want::code(354))
                .send("Subject: 8\r\n\r\nгруппа маршрутизации\r\n.\r\n".as_bytes())
                .reply("accepted", ok("2.0.0").queue_id()),
        ),
        case(
            "smtp.size.01",
            "A declared size that is too large is refused at MAIL",
            &["RFC1870:6.1", "SM-011"],
            talk().ask(
                "MAIL FROM:<{sender}> SIZE=99999999999",
                "refused",
                Want::code(552).status("5.3.4"),
            ),
        )
        .twin("smtp.size.02"),
        case(
            "smtp.size.02",
            "A declared size that fits is accepted",
            &["RFC1870:6.1"],
            talk().ask("MAIL FROM:<{sender}> SIZE=1000", "mail", ok("2.1.")),
        ),
    ]
}

/// Octets that some servers take for the end of the message and others do not: each must leave the
/// message open or refuse it, and the commands behind it must never be executed.
fn smuggling() -> Vec<Case> {
    let variants: [(&str, &str, &[u8]); 8] = [
        ("01", "LF . LF", b"\n.\n"),
        ("02", "LF . CR LF", b"\n.\r\n"),
        ("03", "CR LF . LF", b"\r\n.\n"),
        ("04", "CR LF . CR", b"\r\n.\r"),
        ("05", "CR . CR", b"\r.\r"),
        ("06", "CR . CR LF", b"\r.\r\n"),
        ("07", "CR LF NUL . CR LF", b"\r\n\0.\r\n"),
        ("08", "CR CR LF . CR CR LF", b"\r\r\n.\r\r\n"),
    ];
    variants
        .iter()
        .map(|(number, name, octets)| {
            let smuggled =
                b"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\nsmuggled\r\n.\r\n";
            let script = data()
                .send(&[HEADER, b"outer", octets, smuggled].concat())
                .reply("one-answer", smuggling_answer(number))
                // An answer to what was smuggled would be taken for the one to this.
                .ask("XNOTHING", "nothing-executed", Want::codes(&[500, 502]));
            case(
                &format!("smtp.data.smuggling.{number}"),
                &format!("{name} does not end a message: what follows is never executed"),
                &["RFC5321:4.1.1.4", "RFC5321:2.3.8", "SM-014", "WI-012"],
                script,
            )
            .twin("smtp.data.plain.01")
        })
        .collect()
}

/// A member refuses a bare CR or LF; others may take it for content, as RFC 5321 lets them. A NUL is
/// content like any other and may be accepted or refused.
fn smuggling_answer(number: &str) -> Want {
    match number {
        "07" => Want::codes(&[250, 500, 550, 554]),
        _ => Want::codes(&[500, 501, 550, 554]).any_status().or_of_others(&[250]),
    }
}
