//! The SMTP port as every client sees it, line by line.

use bridgehead::protocol::member::{Port, Security};

use crate::stage::Stage;

fn client() -> Stage {
    Stage::accept(Security::Address, Port::Smtp, None)
}

/// A client that has said EHLO.
fn greeted() -> Stage {
    let mut stage = client();
    stage.play(
        "S: 220 rg2-a ESMTP Bridgehead ready
         C: EHLO client.example
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250 DSN",
    );
    stage
}

/// A client that may say DATA.
fn with_recipient() -> Stage {
    let mut stage = greeted();
    stage.play(
        r#"C: MAIL FROM:<carl@example.net>
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org>
           M> {"recipient":{"address":"anna@example.org","sender":"carl@example.net","octets":0,"recipients":1}}
           M< "ok"
           S: 250 2.1.5 Ok"#,
    );
    stage
}

/// SM-001, SM-002, SM-013: a whole mail, and its queue id only once it is durable.
#[test]
fn a_mail_is_accepted_when_it_is_durable() {
    let mut stage = with_recipient();
    let digest = bridgehead::wire::envelope::sha256(b"Subject: hi\r\n\r\n.\r\n");
    stage.play(&format!(
        r#"C: DATA
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Mail(10000)
           C~ Subject: hi\r\n\r\n..\r\n.\r\n
           M> {{"mail":{{"sender":"carl@example.net","recipients":[{{"index":0,"address":"anna@example.org","notify":{{"success":false,"failure":true,"delay":true}},"original":null}}],"ret":null,"envid":null,"smtputf8":false,"from":"client.example ([192.0.2.1])","with":"ESMTP","body":{{"key":1,"digest":"{digest}","octets":18}}}}}}
           M<! {{"accepted":10}}
           + stored
           S: 250 2.0.0 Ok: queued as 000000000000000a
           C: QUIT
           S: 221 2.0.0 Bye
           . close
           M> link Closed"#
    ));
}

/// SM-016: a client may send commands ahead; each is answered before the next is read.
#[test]
fn pipelined_commands_are_answered_in_order() {
    let mut stage = greeted();
    stage.play(
        r#"C~ MAIL FROM:<carl@example.net>\r\nRCPT TO:<anna@example.org>\r\nRCPT TO:<none@example.org>\r\nDATA\r\n
           S: 250 2.1.0 Ok
           M> {"recipient":{"address":"anna@example.org","sender":"carl@example.net","octets":0,"recipients":1}}
           M< "ok"
           S: 250 2.1.5 Ok
           M> {"recipient":{"address":"none@example.org","sender":"carl@example.net","octets":0,"recipients":2}}
           M< {"refused":{"code":550,"status":"5.1.1","text":"no such account"}}
           S: 550 5.1.1 no such account
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Mail(10000)"#,
    );
}

/// SM-003: the order of commands.
#[test]
fn commands_out_of_order_change_nothing() {
    let mut stage = client();
    stage.play(
        "S: 220 rg2-a ESMTP Bridgehead ready
         C: MAIL FROM:<carl@example.net>
         S: 503 5.5.1 EHLO or HELO first
         C: RCPT TO:<anna@example.org>
         S: 503 5.5.1 MAIL first
         C: DATA
         S: 503 5.5.1 MAIL first
         C: HELO client.example
         S: 250 rg2-a
         C: MAIL FROM:<>
         S: 250 2.1.0 Ok
         C: MAIL FROM:<carl@example.net>
         S: 503 5.5.1 A mail is under way already
         C: DATA
         S: 554 5.5.1 No valid recipients
         C: RSET
         S: 250 2.0.0 Ok
         C: DATA
         S: 503 5.5.1 MAIL first
         C: NOOP
         S: 250 2.0.0 Ok",
    );
}

/// SM-004, SM-005: what is no command, what is not offered, VRFY.
#[test]
fn bad_commands_are_answered() {
    let mut stage = greeted();
    stage.play(
        "C: FROBNICATE
         S: 500 5.5.1 unknown command
         C: EXPN list
         S: 502 5.5.1 command not implemented
         C: STARTTLS
         S: 502 5.5.1 STARTTLS is not offered here
         C: BDAT 3 LAST
         S: 500 5.5.1 unknown command
         C: VRFY anna
         S: 252 2.1.5 Cannot verify, but will take mail for it and try to deliver
         C: MAIL FROM:<carl@example.net> BODY=BINARYMIME
         S: 555 5.5.4 unknown parameter BODY=BINARYMIME
         C: MAIL FROM:<carl@example.net> XORIGIN=rg1-a/0000000000000001/1
         S: 555 5.5.4 unknown parameter XORIGIN
         C: HELO client.example
         S: 250 rg2-a
         C: MAIL FROM:<carl@example.net> SIZE=3
         S: 555 5.5.4 unknown parameter SIZE",
    );
}

/// SM-011: over the limit, announced or not.
#[test]
fn a_message_over_the_limit_is_refused() {
    let mut stage = greeted();
    stage.play(
        "C: MAIL FROM:<carl@example.net> SIZE=10001
         S: 552 5.3.4 A message may have 10000 octets
         C: MAIL FROM:<carl@example.net> SIZE=10000
         S: 250 2.1.0 Ok",
    );
    let mut stage = with_recipient();
    let content = "x\\r\\n".repeat(4_000);
    stage.play(&format!(
        "C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         ? Mail(10000)
         C~ {content}.\\r\\n
         S: 552 5.3.4 A message may have 10000 octets
         C: DATA
         S: 503 5.5.1 MAIL first"
    ));
}

/// SM-130: a message that goes in a circle; one with as many hops as a long way may have is taken.
#[test]
fn a_mail_with_too_many_hops_is_refused() {
    let hops = |count: usize| "Received: by relay.example.net\\r\\n".repeat(count);
    let mut stage = with_recipient();
    stage.show_events = true;
    stage.play(&format!(
        r"C: DATA
          S: 354 End data with <CR><LF>.<CR><LF>
          ? Mail(10000)
          C~ {}Subject: hi\r\n\r\n.\r\n
          E: SMTP octet 3208: expected at most 100 Received fields, got `one more`
          S: 554 5.4.6 Too many hops: more than 100 Received fields
          C: DATA
          S: 503 5.5.1 MAIL first",
        hops(101)
    ));
    let mut stage = with_recipient();
    let content = format!("{}Subject: hi\\r\\n\\r\\n{}", hops(100), hops(1));
    let octets = content.replace("\\r\\n", "\r\n");
    let digest = bridgehead::wire::envelope::sha256(octets.as_bytes());
    let octets = octets.len();
    stage.play(&format!(
        r#"C: DATA
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Mail(10000)
           C~ {content}.\r\n
           M> {{"mail":{{"sender":"carl@example.net","recipients":[{{"index":0,"address":"anna@example.org","notify":{{"success":false,"failure":true,"delay":true}},"original":null}}],"ret":null,"envid":null,"smtputf8":false,"from":"client.example ([192.0.2.1])","with":"ESMTP","body":{{"key":1,"digest":"{digest}","octets":{octets}}}}}}}"#
    ));
}

/// SM-014, SM-018: smuggling. The body ends where it ends, and nothing of it is queued.
#[test]
fn a_bare_line_feed_smuggles_nothing() {
    let mut stage = with_recipient();
    stage.show_events = true;
    stage.play(
        r"C: DATA
          S: 354 End data with <CR><LF>.<CR><LF>
          ? Mail(10000)
          C~ hello\n.\nMAIL FROM:<evil@example.net>\r\n.\r\n
          E: SMTP octet 5: expected CR and LF only together, as the end of a line, got `a bare CR or LF`
          S: 554 5.6.0 octet 5: CR and LF only together, as the end of a line
          C: NOOP
          S: 250 2.0.0 Ok",
    );
}

/// SM-009: a line that is too long, or holds a bare line feed, is answered once.
#[test]
fn a_bad_line_is_answered_once() {
    let mut stage = greeted();
    let long = "x".repeat(5_000);
    stage.play(&format!(
        "C: NOOP {long}
         S: 500 5.5.2 Line too long
         C~ NOOP\\nNOOP\\r\\n
         S: 500 5.5.2 octet 4: expected CR and LF only together, as the end of a line
         C: NOOP
         S: 250 2.0.0 Ok"
    ));
}

/// SM-012: the limit is three here.
#[test]
fn recipients_beyond_the_limit_are_refused() {
    let mut stage = greeted();
    stage.play("C: MAIL FROM:<>\nS: 250 2.1.0 Ok");
    for count in 1..=3 {
        let candidate = format!(
            r#"{{"address":"anna@example.org","sender":null,"octets":0,"recipients":{count}}}"#
        );
        stage.play(&format!(
            "C: RCPT TO:<anna@example.org>\nM> {{\"recipient\":{candidate}}}\nM< \"ok\"\nS: 250 2.1.5 Ok",
        ));
    }
    stage.play(
        "C: RCPT TO:<anna@example.org>
         S: 452 4.5.3 Too many recipients
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         ? Mail(10000)",
    );
}

/// SM-015.
#[test]
fn the_postmaster_needs_no_domain() {
    let mut stage = greeted();
    stage.play(
        r#"C: MAIL FROM:<>
           S: 250 2.1.0 Ok
           C: RCPT TO:<Postmaster>
           M> {"recipient":{"address":"Postmaster@example.org","sender":null,"octets":0,"recipients":1}}"#,
    );
}

/// SM-007: the nineteenth is answered, the twentieth ends it.
#[test]
fn the_twentieth_bad_command_closes() {
    let mut stage = greeted();
    for _ in 0..19 {
        stage.play("C: BAD\nS: 500 5.5.1 unknown command");
    }
    stage.play("C: BAD\nS: 421 4.7.0 Too many errors, closing the connection\n. close");
    assert_eq!(stage.server().connections().count(), 0);
}

/// SM-010.
#[test]
fn a_silent_client_is_told_so() {
    let mut stage = greeted();
    stage.play("+ timer\nS: 421 4.4.2 Timed out waiting for a command\n. close");
}

/// SM-010: content may be slow, and must not stand still.
#[test]
fn a_client_that_is_silent_within_content_is_told_so() {
    let mut stage = with_recipient();
    stage.show_timer = true;
    stage.play(
        r"C: DATA
          S: 354 End data with <CR><LF>.<CR><LF>
          ? Mail(10000)
          T: 300 s
          C~ Subject: slow

          + progress
          T: 300 s
          + timer
          S: 421 4.4.2 Timed out within the content
          . close
          M> link Closed",
    );
    assert_eq!(stage.server().connections().count(), 0);
}

/// SM-008: content that has not come when the time to finish is over.
#[test]
fn a_shutdown_waits_for_content_and_tells_when_it_waits_no_more() {
    let mut stage = with_recipient();
    stage.play(
        r"C: DATA
          S: 354 End data with <CR><LF>.<CR><LF>
          ? Mail(10000)
          + shutdown
          C~ Subject: slow

          + progress
          + shutdown
          S: 421 4.3.2 rg2-a is shutting down
          . close
          M> link Closed",
    );
}

/// SM-008: idle at once, busy after its answer.
#[test]
fn a_shutdown_finishes_what_is_under_way() {
    let mut stage = greeted();
    stage.play("+ shutdown\nS: 421 4.3.2 rg2-a is shutting down\n. close");
    let mut stage = with_recipient();
    stage.play(
        r#"C: RCPT TO:<bert@example.org>
           M> {"recipient":{"address":"bert@example.org","sender":"carl@example.net","octets":0,"recipients":2}}
           + shutdown
           M< "ok"
           S: 250 2.1.5 Ok
           S: 421 4.3.2 rg2-a is shutting down
           . close
           M> link Closed"#,
    );
}

/// SM-006: what was said in clear is void, and TLS is offered once.
#[test]
fn starttls_voids_what_was_said() {
    let mut stage = Stage::accept(Security::Tls, Port::Smtp, None);
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
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 2.0.0 Ready to start TLS
         ! starttls
         + secured
         C: MAIL FROM:<>
         S: 503 5.5.1 EHLO or HELO first
         C: EHLO client.example
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250 DSN
         C: STARTTLS
         S: 502 5.5.1 STARTTLS is not offered here
         C: X-SUBMIT HELLO MEMBER=rg1-a STORE=0000000000000001
         S: 530 5.7.0 Only members of the organization may say this",
    );
}

/// SM-018: the log says where a line is malformed, and what came there.
#[test]
fn the_log_says_where_a_line_is_malformed() {
    let mut stage = Stage::accept(Security::Address, Port::Smtp, None);
    stage.show_events = true;
    stage.play(
        r"S: 220 rg2-a ESMTP Bridgehead ready
          C~ NOOP\nQUIT
          E: SMTP octet 4: expected CR and LF only together, as the end of a line, got `NOOP\nQUIT`
          S: 500 5.5.2 octet 4: expected CR and LF only together, as the end of a line",
    );
}
