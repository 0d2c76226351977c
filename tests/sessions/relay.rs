//! Our connection to an outside server.

use bridgehead::protocol::member::{Endpoint, OutsideTls, Security};

use crate::stage::Stage;

const ORIGIN: &str = "rg1-a/0000000000000001/7";

fn relay(recipients: u32, smtputf8: bool) -> String {
    let recipients: Vec<_> = (0..recipients)
        .map(|index| {
            format!(
                r#"{{"index":{index},"address":"r{index}@example.net","notify":{{"success":false,"failure":true,"delay":false}},"original":"rfc822;r{index}@example.net"}}"#
            )
        })
        .collect();
    let digest = "0".repeat(64);
    format!(
        r#"{{"relay":{{"envelope":{{"origin":"{ORIGIN}","sender":"anna@example.org","recipients":[{}],"arrived":0,"expires":0,"ret":"headers","envid":"e 1","smtputf8":{smtputf8},"hops":[],"routed_by":{{}}}},"body":{{"key":9,"digest":"{digest}","octets":100}}}}}}"#,
        recipients.join(",")
    )
}

fn result(index: u32, outcome: &str) -> String {
    format!(r#"M> {{"result":{{"origin":"{ORIGIN}","index":{index},"outcome":{outcome}}}}}"#)
}

const GONE: &str = r#"{"refused":{"code":550,"status":"5.1.1","text":"gone"}}"#;

fn stage() -> Stage {
    Stage::open(Security::Tls, Endpoint::Outside("mail.example.net:25".into()))
}

fn greeted() -> Stage {
    let mut stage = stage();
    stage.play(
        "S: 220-mail.example.net
         S: 220 ready
         C: EHLO rg1-a
         S: 250-mail.example.net
         S: 250-SIZE 1000
         S: 250-8BITMIME
         S: 250 DSN
         M> link Up",
    );
    stage
}

/// SM-062, SM-063: each recipient gets its own result.
#[test]
fn each_recipient_has_its_result() {
    let mut stage = greeted();
    stage.play(&format!(
        "M< {}
         C: MAIL FROM:<anna@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=e+201
         S: 250 ok
         C: RCPT TO:<r0@example.net> NOTIFY=FAILURE ORCPT=rfc822;r0@example.net
         S: 550 5.1.1 gone
         C: RCPT TO:<r1@example.net> NOTIFY=FAILURE ORCPT=rfc822;r1@example.net
         {}
         S: 250 ok
         C: RCPT TO:<r2@example.net> NOTIFY=FAILURE ORCPT=rfc822;r2@example.net
         S: 251 will forward
         C: DATA
         S: 354 go
         C~  body 9 Dots
         S: 250 2.0.0 taken
         {}
         {}
         M. close
         C: QUIT
         + lost",
        relay(3, false),
        result(0, GONE),
        result(1, "\"delivered\""),
        result(2, "\"delivered\""),
    ));
}

/// SM-060, SM-063: HELO, and no parameter.
#[test]
fn an_old_server_gets_helo() {
    let mut stage = stage();
    stage.play(&format!(
        "S: 220 old
         C: EHLO rg1-a
         S: 500 what
         C: HELO rg1-a
         S: 250 old
         M> link Up
         M< {}
         C: MAIL FROM:<anna@example.org>
         S: 451 4.7.1 later
         {}",
        relay(1, false),
        result(0, r#"{"refused":{"code":451,"status":"4.7.1","text":"later"}}"#),
    ));
}

/// SM-064: a server without DSN tells nobody, and custody hears it.
#[test]
fn a_server_without_dsn_only_takes_the_mail() {
    let mut stage = stage();
    let relayed =
        |index: u32| format!(r#"M> {{"relayed":{{"origin":"{ORIGIN}","index":{index}}}}}"#);
    stage.play(&format!(
        "S: 220 ready
         C: EHLO rg1-a
         S: 250-mail.example.net
         S: 250 8BITMIME
         M> link Up
         M< {}
         C: MAIL FROM:<anna@example.org> BODY=8BITMIME
         S: 250 ok
         C: RCPT TO:<r0@example.net>
         S: 550 5.1.1 gone
         C: RCPT TO:<r1@example.net>
         {}
         S: 250 ok
         C: DATA
         S: 354 go
         C~  body 9 Dots
         S: 250 2.0.0 taken
         {}",
        relay(2, false),
        result(0, GONE),
        relayed(1),
    ));
}

/// SM-063: NOTIFY is passed on where the sender asked, and not made up where it did not.
#[test]
fn notify_is_passed_on_only_where_it_was_given() {
    let mut stage = greeted();
    let notify = |words: &str| {
        relay(1, false).replace(r#""success":false,"failure":true,"delay":false"#, words)
    };
    stage.play(&format!(
        "M< {}
         C: MAIL FROM:<anna@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=e+201
         S: 250 ok
         C: RCPT TO:<r0@example.net> ORCPT=rfc822;r0@example.net
         S: 451 4.3.0 later
         C: RSET
         {}
         S: 250 ok
         M< {}
         C: MAIL FROM:<anna@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=e+201
         S: 250 ok
         C: RCPT TO:<r0@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;r0@example.net",
        notify(r#""success":false,"failure":true,"delay":true"#),
        result(0, r#"{"refused":{"code":451,"status":"4.3.0","text":"later"}}"#),
        notify(r#""success":true,"failure":true,"delay":false"#),
    ));
}

/// SM-062: nobody is left for DATA.
#[test]
fn a_mail_for_nobody_is_reset() {
    let mut stage = greeted();
    stage.play(&format!(
        "M< {}
         C: MAIL FROM:<anna@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=e+201
         S: 250 ok
         C: RCPT TO:<r0@example.net> NOTIFY=FAILURE ORCPT=rfc822;r0@example.net
         S: 550 5.1.1 gone
         C: RSET
         {}
         S: 250 ok",
        relay(1, false),
        result(0, GONE),
    ));
}

/// SM-062: the refusal of the content is the result of everybody who has none.
#[test]
fn refused_content_is_everybodys_result() {
    let mut stage = greeted();
    stage.play(&format!(
        "M< {}
         C: MAIL FROM:<anna@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=e+201
         S: 250 ok
         C: RCPT TO:<r0@example.net> NOTIFY=FAILURE ORCPT=rfc822;r0@example.net
         S: 250 ok
         C: DATA
         S: 354 go
         C~  body 9 Dots
         S: 550 5.1.1 gone
         {}",
        relay(1, false),
        result(0, GONE),
    ));
}

/// SM-061.
#[test]
fn internationalized_mail_needs_the_extension() {
    let mut stage = greeted();
    stage.play(&format!(
        "M< {}
         {}",
        relay(1, true),
        result(
            0,
            r#"{"refused":{"code":550,"status":"5.6.7","text":"The server does not take internationalized mail"}}"#
        ),
    ));
}

/// SM-041: a lost reply to the content leaves no result.
#[test]
fn a_server_that_leaves_gives_no_result() {
    let mut stage = greeted();
    stage.play(&format!(
        "M< {}
         C: MAIL FROM:<anna@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=e+201
         S: 421 4.3.2 bye
         . close
         M> link Lost",
        relay(1, false),
    ));
}

const OFFERED: &str = "S: 220 ready
     C: EHLO rg1-a
     S: 250-mail.example.net
     S: 250-SIZE
     S: 250 STARTTLS";
const STARTED: &str = "C: STARTTLS
     S: 220 go
     ! starttls";

/// CU-091: custody hears why the server cannot be used.
fn declined(why: &str) -> String {
    format!(r#"M> {{"refused":{{"code":451,"status":"4.4.0","text":"{why}"}}}}"#)
}

/// SM-125, SM-128, SM-129: TLS where it is offered, and what was offered in clear is forgotten.
#[test]
fn tls_is_started_where_it_is_offered() {
    for tls in [OutsideTls::Opportunistic, OutsideTls::Required, OutsideTls::Verified] {
        let mut stage = Stage::open_outside(tls);
        stage.play(&format!("{OFFERED}\n{STARTED}"));
        stage.show_events = true;
        stage.play(&format!(
            "+ secured
             C: EHLO rg1-a
             S: 250 mail.example.net
             E: RELAY mail for mail.example.net:25 goes under TLS (tls = {tls})
             M> link Up"
        ));
        stage.show_events = false;
        stage.play(&format!(
            "M< {}
             C: MAIL FROM:<anna@example.org>",
            relay(1, false)
        ));
    }
}

/// SM-125, SM-126: without an offer a strict policy says nothing more, and the others go on in clear.
#[test]
fn a_strict_policy_needs_the_offer() {
    let plain = "S: 220 ready
         C: EHLO rg1-a
         S: 250 mail.example.net";
    for tls in [OutsideTls::None, OutsideTls::Opportunistic] {
        let mut stage = Stage::open_outside(tls);
        stage.play(&format!("{plain}\nM> link Up"));
    }
    let mut stage = Stage::open_outside(OutsideTls::None);
    stage.play(&format!("{OFFERED}\nM> link Up"));
    for tls in [OutsideTls::Required, OutsideTls::Verified] {
        let mut stage = Stage::open_outside(tls);
        stage.show_events = true;
        stage.play(&format!(
            "{plain}
             E: RELAY refused: tls = \"{tls}\", and the server does not offer STARTTLS
             . close
             E: RELAY closed
             {}
             M> link Refused",
            declined(&format!("tls = \\\"{tls}\\\", and the server does not offer STARTTLS")),
        ));
        let mut stage = Stage::open_outside(tls);
        stage.play(&format!(
            "S: 220 old
             C: EHLO rg1-a
             S: 500 what
             C: HELO rg1-a
             S: 250 old
             . close
             {}
             M> link Refused",
            declined(&format!("tls = \\\"{tls}\\\", and the server does not offer STARTTLS")),
        ));
    }
}

/// SM-127: TLS that fails ends the connection; only an opportunistic one is followed by one in clear, once.
#[test]
fn failed_tls_is_followed_by_clear_text_once() {
    let failures = [
        &format!(
            "C: STARTTLS\nS: 454 4.7.0 not now\n. close\n{}\nM> link Refused",
            declined("STARTTLS: 454 not now")
        ),
        &format!(
            "{STARTED}\n+ unsecured no certificate\n. close\n{}\nM> link Refused",
            declined("TLS has failed: no certificate")
        ),
        &format!("{STARTED}\n+ timer\n. close\nM> link TimedOut"),
    ];
    for failure in failures {
        let mut stage = Stage::open_outside(OutsideTls::Opportunistic);
        stage.play(&format!("{OFFERED}\n{failure}"));
        stage.open_again();
        stage.play(&format!("{OFFERED}\nM> link Up\n+ lost\nM> link Lost"));
        stage.open_again();
        stage.play(&format!("{OFFERED}\nC: STARTTLS"));
        let mut stage = Stage::open_outside(OutsideTls::Required);
        stage.play(&format!("{OFFERED}\n{failure}"));
        stage.open_again();
        stage.play(&format!("{OFFERED}\nC: STARTTLS"));
    }
}
