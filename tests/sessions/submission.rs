//! The submission ports, line by line: logins, who may send what, and what no log may have.

use bridgehead::protocol::member::{Port, Security};

use crate::stage::Stage;

/// `NUL bert@example.org NUL correct horse`.
pub(crate) const RIGHT: &str = "AGJlcnRAZXhhbXBsZS5vcmcAY29ycmVjdCBob3JzZQ==";
/// `NUL bert@example.org NUL wrong`.
pub(crate) const WRONG: &str = "AGJlcnRAZXhhbXBsZS5vcmcAd3Jvbmc=";
/// `NUL nobody@example.org NUL correct horse`.
const NOBODY: &str = "AG5vYm9keUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl";
/// `NUL anna@example.org NUL correct horse`: an account without a password.
const WITHOUT: &str = "AGFubmFAZXhhbXBsZS5vcmcAY29ycmVjdCBob3JzZQ==";
/// `anna@example.org NUL bert@example.org NUL correct horse`.
const AS_ANNA: &str = "YW5uYUBleGFtcGxlLm9yZwBiZXJ0QGV4YW1wbGUub3JnAGNvcnJlY3QgaG9yc2U=";
/// `BERT@example.org NUL bert@example.org NUL correct horse`.
const AS_HIMSELF: &str = "QkVSVEBleGFtcGxlLm9yZwBiZXJ0QGV4YW1wbGUub3JnAGNvcnJlY3QgaG9yc2U=";

/// A client on 465 that has said EHLO.
pub(crate) fn greeted() -> Stage {
    let mut stage = Stage::accept(Security::Tls, Port::Submissions, Some("rg1-a"));
    stage.play(
        "S: 220 rg2-a ESMTP Bridgehead ready
         C: EHLO client.example
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250 AUTH PLAIN LOGIN",
    );
    stage
}

/// A client that has logged in as bert.
pub(crate) fn logged_in() -> Stage {
    let mut stage = greeted();
    stage.play(&format!(
        "C: AUTH PLAIN {RIGHT}
         ! check 1
         + checked 1
         S: 235 2.7.0 Authentication successful"
    ));
    stage
}

/// SM-101, SM-102, SM-111: nothing is said in clear where there is TLS; behind STARTTLS there is AUTH.
#[test]
fn a_login_waits_for_tls() {
    let mut stage = Stage::accept(Security::Tls, Port::Submission, None);
    stage.play(&format!(
        "S: 220 rg2-a ESMTP Bridgehead ready
         C: AUTH PLAIN {RIGHT}
         S: 503 5.5.1 EHLO first
         C: EHLO client.example
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250 STARTTLS
         C: AUTH PLAIN {RIGHT}
         S: 538 5.7.11 Encryption is required: STARTTLS first
         C: AUTH FROBNICATE
         S: 538 5.7.11 Encryption is required: STARTTLS first
         C: MAIL FROM:<bert@example.org>
         S: 530 5.7.0 Authentication is required: STARTTLS first
         C: STARTTLS
         S: 220 2.0.0 Ready to start TLS
         ! starttls
         + secured rg1-a
         C: EHLO rg1-a
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250 AUTH PLAIN LOGIN
         C: X-SUBMIT HELLO MEMBER=rg1-a STORE=0000000000000001
         S: 530 5.7.0 Only members of the organization may say this
         C: MAIL FROM:<bert@example.org>
         S: 530 5.7.0 Authentication is required"
    ));
}

/// SM-100: the port of everybody has no AUTH, and takes no line of it apart.
#[test]
fn the_smtp_port_has_no_auth() {
    for security in [Security::Address, Security::Tls] {
        let mut stage = Stage::accept(security, Port::Smtp, None);
        let greeting = "S: 220 rg2-a ESMTP Bridgehead ready\nC: HELO client.example\nS: 250 rg2-a";
        stage.play(greeting);
        for line in ["AUTH", "AUTH PLAIN", "AUTH LOGIN !", &format!("AUTH PLAIN {RIGHT}")] {
            stage.play(&format!("C: {line}\nS: 502 5.5.1 command not implemented"));
        }
        stage.play("C: NOOP\nS: 250 2.0.0 Ok");
    }
}

/// SM-103, SM-107: each mechanism, with the response at once and after a challenge.
#[test]
fn both_mechanisms_let_in_with_and_without_an_initial_response() {
    let name = "YmVydEBleGFtcGxlLm9yZw==";
    let password = "Y29ycmVjdCBob3JzZQ==";
    for said in [
        format!("C: AUTH PLAIN {RIGHT}"),
        format!("C: auth plain {AS_HIMSELF}"),
        format!("C: AUTH PLAIN\nS: 334 \nC: {RIGHT}"),
        format!("C: AUTH LOGIN {name}\nS: 334 UGFzc3dvcmQ6\nC: {password}"),
        format!(
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {name}\nS: 334 UGFzc3dvcmQ6\nC: {password}"
        ),
    ] {
        let mut stage = greeted();
        // The stage trims its lines, and the empty challenge ends in a space.
        let said = said.replace("S: 334 \n", "");
        let plays_alone = said.starts_with("C: AUTH PLAIN\n");
        if plays_alone {
            stage.octets(b"AUTH PLAIN\r\n");
            assert_eq!(stage.take_log(), ["S: 334 "]);
            stage.octets(format!("{RIGHT}\r\n").as_bytes());
            assert_eq!(stage.take_log(), ["! check 1"]);
        } else {
            stage.play(&format!("{said}\n! check 1"));
        }
        stage.play(
            "+ checked 1
             S: 235 2.7.0 Authentication successful
             C: MAIL FROM:<bert@example.org>
             S: 250 2.1.0 Ok",
        );
    }
}

/// SM-102: once is enough, and not within a mail.
#[test]
fn a_second_login_is_out_of_order() {
    let mut stage = logged_in();
    stage.play(&format!(
        "C: AUTH PLAIN {RIGHT}
         S: 503 5.5.1 You are authenticated already
         C: EHLO client.example
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250 DSN
         C: MAIL FROM:<>
         S: 250 2.1.0 Ok
         C: AUTH LOGIN
         S: 503 5.5.1 You are authenticated already"
    ));
}

/// SM-103, SM-104, SM-105: what is no response ends the authentication, and nothing more.
#[test]
fn a_malformed_response_is_not_checked() {
    let mut stage = greeted();
    let long = "A".repeat(12_288);
    // A NUL too few, an empty password, and 256 octets of it.
    let too_long = format!("AGEA{}", "YWFh".repeat(85) + "YQ==");
    stage.play(&format!(
        "C: AUTH
         S: 501 5.5.4 octet 5: expected the name of a mechanism
         C: AUTH CRAM-MD5
         S: 504 5.5.4 This mechanism is not offered
         C: AUTH PLAIN !!!!
         S: 501 5.5.2 octet 11: expected base64, with its padding
         C: AUTH PLAIN {unpadded}
         S: 501 5.5.2 octet 53: expected base64, with its padding
         C: AUTH PLAIN =
         S: 501 5.5.2 in the response, octet 0: expected two NUL
         C: AUTH PLAIN AGEA
         S: 501 5.5.2 in the response, octet 3: expected 1 to 255 octets of UTF-8 without NUL
         C: AUTH PLAIN {too_long}
         S: 501 5.5.2 in the response, octet 3: expected 1 to 255 octets of UTF-8 without NUL
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: *
         S: 501 5.7.0 Authentication is cancelled
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: YQ
         S: 501 5.5.2 in the response, octet 2: expected base64, with its padding
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: {long}
         S: 500 5.5.6 The line of the authentication is too long
         C: AUTH LOGIN YQ==
         S: 334 UGFzc3dvcmQ6
         C: =
         S: 501 5.5.2 in the response, octet 0: expected base64, with its padding
         C: NOOP
         S: 250 2.0.0 Ok",
        unpadded = RIGHT.trim_end_matches('='),
    ));
}

/// SM-009, SM-105: only an authentication has long lines.
#[test]
fn other_commands_keep_to_their_limit() {
    let mut stage = greeted();
    let long = "x".repeat(3_000);
    stage.play(&format!(
        "C: NOOP {long}
         S: 500 5.5.2 Line too long
         C: AUTH PLAIN {base64}
         S: 501 5.5.2 in the response, octet 9000: expected two NUL",
        base64 = "YWFh".repeat(3_000),
    ));
}

/// SM-106, SM-108: the same words whoever it is, and the third time is the last.
#[test]
fn a_login_that_fails_says_no_more_than_that() {
    for said in [WRONG, NOBODY, WITHOUT, AS_ANNA] {
        let mut stage = greeted();
        for attempt in 1..=2 {
            stage.play(&format!(
                "C: AUTH PLAIN {said}
                 ! check {attempt}
                 + checked {attempt}
                 S: 535 5.7.8 Authentication credentials invalid
                 C: MAIL FROM:<bert@example.org>
                 S: 530 5.7.0 Authentication is required"
            ));
        }
        stage.play(&format!(
            "C: AUTH PLAIN {said}
             ! check 3
             + checked 3
             S: 421 4.7.0 Too many logins have failed
             . close"
        ));
    }
}

/// SM-109: what cannot be checked is no failure, and a result that comes too late is void.
#[test]
fn a_login_that_cannot_be_checked_may_be_tried_again() {
    let mut stage = greeted();
    for attempt in 1..=4 {
        stage.play(&format!(
            "C: AUTH PLAIN {RIGHT}
             ! check {attempt}
             + unavailable {attempt}
             S: 454 4.7.0 Authentication cannot be checked now"
        ));
    }
    stage.show_timer = true;
    stage.play(&format!(
        "C: AUTH PLAIN {RIGHT}
         ! check 5
         T: 30 s
         + timer
         S: 454 4.7.0 Authentication cannot be checked now
         T: 300 s
         + checked 5
         C: MAIL FROM:<bert@example.org>
         S: 530 5.7.0 Authentication is required
         T: 300 s
         C: AUTH PLAIN {WRONG}
         ! check 6
         T: 30 s
         + unavailable 5
         + checked 6
         S: 535 5.7.8 Authentication credentials invalid
         T: 300 s"
    ));
}

/// SM-010, SM-008: silence and a shutdown within an authentication.
#[test]
fn an_authentication_is_not_waited_for_for_ever() {
    let mut stage = greeted();
    stage.play(
        "C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         + timer
         S: 421 4.4.2 Timed out waiting for a response
         . close",
    );
    let mut stage = greeted();
    stage.play(
        "C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         + shutdown
         S: 421 4.3.2 rg2-a is shutting down
         . close",
    );
    let mut stage = greeted();
    stage.play(&format!(
        "C: AUTH PLAIN {RIGHT}
         ! check 1
         + shutdown
         + checked 1
         S: 235 2.7.0 Authentication successful
         S: 421 4.3.2 rg2-a is shutting down
         . close"
    ));
}

/// SM-107, SM-112, SM-113, SM-114: who has logged in sends to anybody, as itself, and says so.
#[test]
fn mail_of_an_account_says_whose_it_is() {
    let mut stage = logged_in();
    let digest = bridgehead::wire::envelope::sha256(b"Subject: hi\r\n\r\n");
    stage.play(&format!(
        r#"C: MAIL FROM:<anna@example.org>
           S: 553 5.7.1 The sender has to be bert@example.org
           C: MAIL FROM:<bert@example.net>
           S: 553 5.7.1 The sender has to be bert@example.org
           C: MAIL FROM:<BERT@Example.Org> AUTH=<>
           S: 250 2.1.0 Ok
           C: RCPT TO:<carl@example.net>
           M> {{"recipient":{{"address":"carl@example.net","sender":"bert@example.org","octets":0,"recipients":1}}}}
           M< "ok"
           S: 250 2.1.5 Ok
           C: DATA
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Mail(10000)
           C~ Subject: hi\r\n\r\n.\r\n
           M> {{"mail":{{"sender":"BERT@example.org","recipients":[{{"index":0,"address":"carl@example.net","notify":{{"success":false,"failure":true,"delay":true}},"original":null}}],"ret":null,"envid":null,"smtputf8":false,"submitter":"bert@example.org","from":"client.example ([192.0.2.1])","with":"ESMTPSA","body":{{"key":1,"digest":"{digest}","octets":15}}}}}}
           M<! {{"accepted":10}}
           + stored
           S: 250 2.0.0 Ok: queued as 000000000000000a
           C: MAIL FROM:<>
           S: 250 2.1.0 Ok"#
    ));
}

/// SM-101, SM-114: without TLS, which is for tests, passwords are said in clear.
#[test]
fn without_tls_a_login_is_in_clear() {
    let mut stage = Stage::accept(Security::Address, Port::Submission, Some("rg1-a"));
    let digest = bridgehead::wire::envelope::sha256(b"");
    stage.play(&format!(
        r#"S: 220 rg2-a ESMTP Bridgehead ready
           C: EHLO rg1-a
           S: 250-rg2-a
           S: 250-PIPELINING
           S: 250-SIZE 10000
           S: 250-8BITMIME
           S: 250-SMTPUTF8
           S: 250-ENHANCEDSTATUSCODES
           S: 250-DSN
           S: 250 AUTH PLAIN LOGIN
           C: X-LINK2STATE FIRST CHUNK={{00000012}} MULTI (6) (
           S: 530 5.7.0 Only members of the organization may say this
           C: AUTH PLAIN {RIGHT}
           ! check 1
           + checked 1
           S: 235 2.7.0 Authentication successful
           C: HELO rg1-a
           S: 250 rg2-a
           C: MAIL FROM:<>
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org>
           M> {{"recipient":{{"address":"anna@example.org","sender":"bert@example.org","octets":0,"recipients":1}}}}
           M< "ok"
           S: 250 2.1.5 Ok
           C: DATA
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Mail(10000)
           C~ .\r\n
           M> {{"mail":{{"sender":null,"recipients":[{{"index":0,"address":"anna@example.org","notify":{{"success":false,"failure":true,"delay":true}},"original":null}}],"ret":null,"envid":null,"smtputf8":false,"submitter":"bert@example.org","from":"rg1-a ([192.0.2.1])","with":"ESMTPA","body":{{"key":1,"digest":"{digest}","octets":0}}}}}}"#
    ));
}

/// SM-110: a client that sends its login to the port of everybody is not read aloud.
#[test]
fn a_login_on_the_smtp_port_is_not_shown() {
    let mut stage = Stage::accept(Security::Tls, Port::Smtp, None);
    stage.show_events = true;
    stage.octets(
        b"EHLO client.example\r\nAUTH LOGIN\r\nTEVBS1NNVFBVU0VS\r\nTEVBS1NNVFBQQVNT\r\nNOOP\r\n",
    );
    let log = stage.take_log().join("\n");
    assert!(log.contains("S: 502") && log.contains("S: 250 2.0.0 Ok"), "{log}");
    assert!(!log.contains("TEVB"), "{log}");
}

/// SM-113: nothing but a login, a proved name or a listed network opens the way out.
#[test]
fn nobody_else_sends_to_foreign_domains() {
    const WAY_OUT: &str = r#"C: RCPT TO:<carl@example.net>
        M> {"recipient":{"address":"carl@example.net","sender":"bert@example.org","octets":0,"recipients":1}}"#;
    const CLOSED: &str = "C: RCPT TO:<carl@example.net>
        S: 550 5.7.1 no relaying to foreign domains";
    let begin = |stage: &mut Stage, name: &str, ehlo: &str| {
        stage.octets(format!("{ehlo} {name}\r\nMAIL FROM:<bert@example.org>\r\n").as_bytes());
        assert_eq!(stage.take_log().last().map(String::as_str), Some("S: 250 2.1.0 Ok"));
    };
    for (member, name, ehlo, way) in [
        (None, "client.example", "EHLO", CLOSED),
        (None, "rg1-a", "EHLO", CLOSED),
        (None, "localhost", "HELO", CLOSED),
        (Some("rg1-a"), "client.example", "EHLO", CLOSED),
        (Some("rg1-a"), "rg1-a", "EHLO", WAY_OUT),
    ] {
        let mut stage = Stage::accept(Security::Address, Port::Smtp, member);
        begin(&mut stage, name, ehlo);
        stage.play(way);
    }
    for (networks, way) in [
        (&["192.0.2.0/31"][..], WAY_OUT),
        (&["192.0.2.1"], WAY_OUT),
        (&["2001:db8::/32", "192.0.2.2"], CLOSED),
        (&[], CLOSED),
    ] {
        let mut stage = Stage::accept(Security::Tls, Port::Smtp, None);
        stage.relay_for(networks);
        begin(&mut stage, "client.example", "EHLO");
        stage.play(way);
        // Accounts of the organization are no way out, and the ways in that older servers knew are none.
        stage.octets(b"RSET\r\nMAIL FROM:<bert@example.org>\r\n");
        stage.take_log();
        if way == CLOSED {
            for trick in ["carl%example.net@example.org", "\"carl@example.net\"@example.org"] {
                stage.octets(format!("RCPT TO:<{trick}>\r\n").as_bytes());
                let heard = stage.take_log();
                assert!(
                    heard[0].starts_with("M> {\"recipient\":{\"address\":"),
                    "custody knows no such account: {heard:?}"
                );
                stage.play("M< {\"refused\":{\"code\":550,\"status\":\"5.1.1\",\"text\":\"no such account\"}}\nS: 550 5.1.1 no such account");
            }
            stage.play("C: RCPT TO:<@example.org:carl@example.net>\nS: 550 5.7.1 no relaying to foreign domains");
        }
    }
    // A listed network has its way out by the port of everybody only.
    let mut stage = Stage::accept(Security::Address, Port::Submission, None);
    stage.relay_for(&["0.0.0.0/0"]);
    stage.octets(b"EHLO client.example\r\nMAIL FROM:<bert@example.org>\r\n");
    let said = stage.take_log();
    assert_eq!(said.last().map(String::as_str), Some("S: 530 5.7.0 Authentication is required"));
}

/// SM-110: neither the log nor the trace has a name or a password, whatever goes wrong with it.
#[test]
fn no_log_and_no_trace_has_a_secret() {
    let secrets = [
        "correct horse",
        "Y29ycmVjdCBob3JzZQ",
        RIGHT,
        WRONG,
        NOBODY,
        "bm9ib2R5",
        "nobody@example.org",
        "YmVydEBleGFtcGxlLm9yZw",
        "argon2id",
    ];
    let name = "YmVydEBleGFtcGxlLm9yZw==";
    let password = "Y29ycmVjdCBob3JzZQ==";
    let long = RIGHT.repeat(300);
    let talks = [
        format!("AUTH PLAIN {RIGHT}\r\n"),
        format!("AUTH PLAIN {NOBODY}\r\n"),
        format!("AUTH PLAIN\r\n{WRONG}\r\n"),
        format!("AUTH LOGIN\r\n{name}\r\n{password}\r\n"),
        format!("AUTH  PLAIN {RIGHT}\r\n"),
        format!(" AUTH PLAIN {RIGHT}\r\n"),
        format!("AUTH\tPLAIN\t{RIGHT}\r\n"),
        format!("AUTH PLAIN {RIGHT}\nQUIT\r\n"),
        format!("AUTH PLAIN {long}\r\n"),
        format!("AUTH PLAIN\r\n{long}\r\n"),
        format!("AUTH PLAIN\r\n{RIGHT}\nQUIT\r\n"),
        format!("AUTH CRAM-MD5 {RIGHT}\r\n"),
        // A client that does not wait for the challenge, and gets none.
        format!("AUTH CRAM-MD5\r\n{RIGHT}\r\nNOOP\r\n"),
        format!("AUTH LOGIN !\r\n{name}\r\n{password}\r\nNOOP\r\n"),
        format!("AUTH PLAIN {RIGHT}!\r\n{password}\r\n"),
    ];
    for (security, port) in [
        (Security::Tls, Port::Submissions),
        (Security::Tls, Port::Submission),
        (Security::Address, Port::Submission),
        (Security::Tls, Port::Smtp),
    ] {
        for talk in &talks {
            // The port of everybody knows nothing of challenges: what follows them there are no secrets of ours.
            if port == Port::Smtp && talk.matches("\r\n").count() > 1 {
                continue;
            }
            let mut stage = Stage::accept(security, port, None);
            stage.show_events = true;
            stage.octets(b"EHLO client.example\r\n");
            stage.octets(talk.as_bytes());
            stage.check_login();
            let shown = format!("{:?}\n{}", stage.take_log(), stage.trace.join("\n"));
            let octets = |text: &str| {
                let numbers: Vec<_> = text.bytes().map(|octet| octet.to_string()).collect();
                numbers.join(",")
            };
            for secret in secrets {
                assert!(!shown.contains(secret), "{talk}: {secret} in {shown}");
                assert!(!shown.contains(&octets(secret)), "{talk}: octets of {secret} in {shown}");
            }
            assert!(shown.contains(&octets("EHLO client.example")), "the trace shows what is none");
        }
    }
}
