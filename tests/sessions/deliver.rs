//! The delivery port, from both ends.

use bridgehead::protocol::member::{Endpoint, Port, Security};
use bridgehead::wire::envelope::sha256;
use bridgehead::wire::message::Digest;

use crate::stage::Stage;

const ORIGIN: &str = "rg1-a/0000000000000001/7";
/// Of the content of the parcels.
const DIGEST: &str = "44723dd4d0e0d46a3c7fa8aca254b61c27b6b5789f96177e82c80700409f1535";

fn member_at_our_port() -> Stage {
    let mut stage = Stage::accept(Security::Address, Port::Deliver, Some("rg1-a"));
    stage.play(
        "S: 220 rg2-a LMTP Bridgehead ready
         C: LHLO rg1-a
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250 X-DELIVER ARRIVED
         M> inbound rg1-a Deliver",
    );
    stage
}

/// What the body of a parcel comes to without trace, which repeats are compared by.
fn content_digest() -> Digest {
    sha256(b"hi\r\n")
}

/// The parcel that custody is to hear of, in JSON, for these recipients.
fn parcel(recipients: &[u32], hops: &str) -> String {
    let recipients: Vec<_> = recipients
        .iter()
        .map(|index| {
            format!(
                r#"{{"index":{index},"address":"anna@example.org","notify":{{"success":false,"failure":true,"delay":true}},"original":null}}"#
            )
        })
        .collect();
    let digest = content_digest();
    format!(
        r#"{{"deliver":{{"envelope":{{"origin":"{ORIGIN}","sender":null,"recipients":[{}],"arrived":1795300586000000,"expires":1795300586000000,"ret":null,"envid":null,"smtputf8":false,"hops":[{hops}],"routed_by":{{}}}},"body":{{"key":1,"digest":"{digest}","octets":4}}}}}}"#,
        recipients.join(",")
    )
}

fn delivered(index: u32) -> String {
    format!(r#"{{"result":{{"origin":"{ORIGIN}","index":{index},"outcome":"delivered"}}}}"#)
}

/// SM-076: results that come out of order are told in order, each when it is durable.
#[test]
fn results_are_told_in_the_order_of_rcpt() {
    let mut stage = member_at_our_port();
    stage.play(&format!(
        r#"C: MAIL FROM:<> XORIGIN={ORIGIN}
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org> XINDEX=4
           S: 250 2.1.5 [4] ok
           C: RCPT TO:<anna@example.org> XINDEX=2
           S: 250 2.1.5 [2] ok
           C: RCPT TO:<anna@example.org> XINDEX=3
           S: 250 2.1.5 [3] ok
           C: DATA
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Dots(10000)
           C~ hi\r\n.\r\n
           M> {}
           M<! {}
           M< {{"result":{{"origin":"{ORIGIN}","index":4,"outcome":{{"refused":{{"code":452,"status":"4.2.2","text":"over quota"}}}}}}}}
           S: 452 4.2.2 [4] over quota
           + stored
           S: 250 2.1.5 [2] delivered
           M<! {}
           + stored
           S: 250 2.1.5 [3] delivered
           C: QUIT
           S: 221 2.0.0 Bye
           . close
           M> link Closed"#,
        parcel(&[4, 2, 3], ""),
        delivered(2),
        delivered(3),
    ));
}

/// DE-095: what the client has asked for goes to a host that offers DSN, and stands in the envelope there.
#[test]
fn a_host_is_told_what_the_sender_wants_to_hear() {
    let asked = parcel(&[1], HOP)
        .replace(r#""ret":null,"envid":null"#, r#""ret":"headers","envid":"e 1""#)
        .replace(
            r#""failure":true,"delay":true},"original":null"#,
            r#""failure":false,"delay":false},"original":"rfc822;old@example.org""#,
        );
    let mut stage = Stage::open(Security::Address, Endpoint::Deliver("rg2-a".into()));
    stage.play(&format!(
        r#"S: 220 rg2-a LMTP ready
           C: LHLO rg1-a
           S: 250-rg2-a
           S: 250-DSN
           S: 250 X-DELIVER
           M> link Up
           M< {asked}
           C: MAIL FROM:<> RET=HDRS ENVID=e+201 XORIGIN={ORIGIN} XDIGEST={DIGEST}
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org> NOTIFY=NEVER ORCPT=rfc822;old@example.org XINDEX=1"#
    ));
    let mut stage = member_at_our_port();
    stage.play(&format!(
        r#"C: MAIL FROM:<> RET=HDRS ENVID=e+201 XORIGIN={ORIGIN} XARRIVED=1795300586000000
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org> NOTIFY=NEVER ORCPT=rfc822;old@example.org XINDEX=1
           S: 250 2.1.5 [1] ok
           C: DATA
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Dots(10000)
           C~ hi\r\n.\r\n
           M> {}"#,
        asked.replace(&format!("[{HOP}]"), "[]"),
    ));
}

/// SM-070, SM-071, SM-078: who may deliver, and to whom.
#[test]
fn what_is_out_of_place_is_refused() {
    let mut stage = Stage::accept(Security::Address, Port::Deliver, None);
    stage.play(&format!(
        "S: 220 rg2-a LMTP Bridgehead ready
         C: EHLO rg1-a
         S: 500 5.5.1 this port speaks LMTP: LHLO
         C: LHLO rg1-a
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<> XORIGIN={ORIGIN}
         S: 530 5.7.0 Only members of the organization deliver here, with XORIGIN
         C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=1 ADDRESS=<anna@example.org>
         S: 530 5.7.0 Only members of the organization deliver here, with XORIGIN"
    ));
    let mut stage = member_at_our_port();
    stage.play(&format!(
        "C: MAIL FROM:<>
         S: 530 5.7.0 Only members of the organization deliver here, with XORIGIN
         C: MAIL FROM:<> XORIGIN={ORIGIN}
         S: 250 2.1.0 Ok
         C: RCPT TO:<anna@example.org>
         S: 501 5.5.4 XINDEX is needed for each recipient
         C: RCPT TO:<bert@example.org> XINDEX=1
         S: 450 4.2.1 [1] the account is not open on this member
         C: RCPT TO:<none@example.org> XINDEX=2
         S: 550 5.1.1 [2] no such account
         C: DATA
         S: 503 5.5.1 No valid recipients"
    ));
}

/// SM-010, SM-008: silence within content, and content that a shutdown does not wait for.
#[test]
fn silence_within_content_is_told() {
    for (host, answer) in [
        ("timer", "421 4.4.2 Timed out within the content"),
        ("shutdown\n+ shutdown", "421 4.3.2 rg2-a is shutting down"),
    ] {
        let mut stage = member_at_our_port();
        stage.play(&format!(
            r"C: MAIL FROM:<> XORIGIN={ORIGIN}
              S: 250 2.1.0 Ok
              C: RCPT TO:<anna@example.org> XINDEX=1
              S: 250 2.1.5 [1] ok
              C: DATA
              S: 354 End data with <CR><LF>.<CR><LF>
              ? Dots(10000)"
        ));
        stage.show_timer = true;
        stage.play("C~ half\n+ progress\nT: 300 s");
        stage.show_timer = false;
        stage.play(&format!("+ {host}\nS: {answer}\n. close\nM> link Closed"));
    }
}

/// SM-075.
#[test]
fn bad_content_is_refused_for_each_recipient() {
    let mut stage = member_at_our_port();
    stage.show_events = true;
    stage.play(&format!(
        r"C: MAIL FROM:<> XORIGIN={ORIGIN}
          S: 250 2.1.0 Ok
          C: RCPT TO:<anna@example.org> XINDEX=1
          S: 250 2.1.5 [1] ok
          C: RCPT TO:<anna@example.org> XINDEX=2
          S: 250 2.1.5 [2] ok
          C: DATA
          S: 354 End data with <CR><LF>.<CR><LF>
          ? Dots(10000)
          C~ a\r\nb\nc\r\n.\r\n
          E: DELIVER octet 4: expected CR and LF only together, as the end of a line, got `a bare CR or LF`
          S: 554 5.6.0 [1] octet 4: CR and LF only together, as the end of a line
          S: 554 5.6.0 [2] octet 4: CR and LF only together, as the end of a line
          C: NOOP
          S: 250 2.0.0 Ok"
    ));
}

/// SM-077.
#[test]
fn inquiries_are_answered() {
    let mut stage = member_at_our_port();
    for (answer, reply) in [
        (delivered(1), "250 2.0.0 [1] DELIVERED"),
        (
            format!(
                r#"{{"result":{{"origin":"{ORIGIN}","index":1,"outcome":{{"refused":{{"code":550,"status":"5.1.1","text":"gone"}}}}}}}}"#
            ),
            "250 2.0.0 [1] REFUSED 550 5.1.1 gone",
        ),
        (format!(r#"{{"no_result":{{"origin":"{ORIGIN}","index":1}}}}"#), "250 2.0.0 [1] UNKNOWN"),
        (
            format!(r#"{{"no_journal":{{"origin":"{ORIGIN}","index":1}}}}"#),
            "250 2.0.0 [1] FORGOTTEN",
        ),
    ] {
        stage.play(&format!(
            r#"C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=1 ADDRESS=<anna@example.org>
               M> {{"inquire":{{"origin":"{ORIGIN}","recipients":[[1,"anna@example.org",1]]}}}}
               M< {answer}
               S: {reply}"#
        ));
    }
}

fn member_that_we_call() -> Stage {
    let mut stage = Stage::open(Security::Address, Endpoint::Deliver("rg2-a".into()));
    stage.play(
        "S: 220 rg2-a LMTP ready
         C: LHLO rg1-a
         S: 250-rg2-a
         S: 250 X-DELIVER
         M> link Up",
    );
    stage
}

const HOP: &str = r#"{"from":"x.example ([192.0.2.1])","by":"rg1-a","group":"RG1","with":"ESMTP","id":"0000000000000007","at":1795300586000000}"#;

const RECEIVED: &str = r"Received: from x.example ([192.0.2.1])\r\n\tby rg1-a (group RG1) with ESMTP id 0000000000000007;\r\n\tSat, 21 Nov 2026 22:36:26 +0000\r\n";

/// DE-032, SM-050, SM-073, SM-074: per recipient results, and what counts as one.
#[test]
fn we_deliver() {
    let mut stage = member_that_we_call();
    stage.play(&format!(
        r#"M< {}
           C: MAIL FROM:<> XORIGIN={ORIGIN} XDIGEST={}
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org> XINDEX=1
           S: 550 5.1.1 [1] no such account
           C: RCPT TO:<anna@example.org> XINDEX=2
           M> {{"result":{{"origin":"{ORIGIN}","index":1,"outcome":{{"refused":{{"code":550,"status":"5.1.1","text":"no such account"}}}}}}}}
           S: 501 5.5.4 XINDEX is needed
           C: RCPT TO:<anna@example.org> XINDEX=3
           M> {{"result":{{"origin":"{ORIGIN}","index":2,"outcome":{{"refused":{{"code":450,"status":"4.5.0","text":"the host answered 501 5.5.4 XINDEX is needed"}}}}}}}}
           S: 250 2.1.5 [3] ok
           C: DATA
           S: 354 go
           C~ {RECEIVED} body 1 Dots
           S: 250 2.1.5 [3] delivered
           M> {}
           M. close
           C: QUIT
           S: 221 2.0.0 Bye
           . close"#,
        parcel(&[1, 2, 3], HOP),
        content_digest(),
        delivered(3),
    ));
}

/// SM-073: a yes about another recipient, or about nobody, leaves the recipient in doubt.
#[test]
fn a_result_of_another_recipient_is_not_believed() {
    for answer in ["250 2.1.5 [2] delivered", "250 2.1.5 delivered", "354 go"] {
        let mut stage = member_that_we_call();
        stage.play(&format!(
            r#"M< {}
               C: MAIL FROM:<> XORIGIN={ORIGIN} XDIGEST={}
               S: 250 2.1.0 Ok
               C: RCPT TO:<anna@example.org> XINDEX=1
               S: 250 2.1.5 [1] ok
               C: DATA
               S: 354 go
               C~ {RECEIVED} body 1 Dots
               S: {answer}
               . close
               M> link Lost"#,
            parcel(&[1], HOP),
            content_digest(),
        ));
    }
}

/// DE-041: the epochs are named, and where an account has moved to is heard; ours says so, too.
#[test]
fn an_account_that_has_moved_is_told_and_heard() {
    let moved = |index: u32, member: &str, epoch: u64| {
        let to = format!(r#"{{"member":"{member}","epoch":{epoch}}}"#);
        format!(r#"{{"moved":{{"origin":"{ORIGIN}","index":{index},"to":{to}}}}}"#)
    };
    let mut stage = member_that_we_call();
    let parcel = parcel(&[1, 2], HOP);
    let parcel = parcel.strip_suffix("}}").expect("a parcel ends its PDU");
    stage.play(&format!(
        r#"M< {parcel},"epochs":{{"1":2,"2":3}}}}}}
           C: MAIL FROM:<> XORIGIN={ORIGIN} XDIGEST={DIGEST}
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org> XINDEX=1 XEPOCH=2
           S: 450 4.2.1 [1] MOVED MEMBER=rg2-b EPOCH=4
           C: RCPT TO:<anna@example.org> XINDEX=2 XEPOCH=3
           M> {}
           S: 250 2.1.5 [2] ok
           C: DATA
           S: 354 go
           C~ {RECEIVED} body 1 Dots
           S: 450 4.2.1 [2] MOVED MEMBER=rg2-c EPOCH=5
           M> {}
           M< {{"inquire":{{"origin":"{ORIGIN}","recipients":[[2,"anna@example.org",5]]}}}}
           C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=2 XEPOCH=5 ADDRESS=<anna@example.org>
           S: 250 2.0.0 [2] MOVED MEMBER=rg2-d EPOCH=6
           M> {}"#,
        moved(1, "rg2-b", 4),
        moved(2, "rg2-c", 5),
        moved(2, "rg2-d", 6),
    ));
    let mut stage = member_at_our_port();
    stage.play(&format!(
        r#"C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=1 XEPOCH=7 ADDRESS=<anna@example.org>
           M> {{"inquire":{{"origin":"{ORIGIN}","recipients":[[1,"anna@example.org",7]]}}}}
           M< {}
           S: 250 2.0.0 [1] MOVED MEMBER=rg2-b EPOCH=8
           C: MAIL FROM:<> XORIGIN={ORIGIN}
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org> XINDEX=1 XEPOCH=7
           S: 250 2.1.5 [1] ok
           C: DATA
           S: 354 End data with <CR><LF>.<CR><LF>
           ? Dots(10000)
           C~ hi\r\n.\r\n
           M> {},"epochs":{{"1":7}}}}}}
           M< {}
           S: 450 4.2.1 [1] MOVED MEMBER=rg2-b EPOCH=8"#,
        moved(1, "rg2-b", 8),
        self::parcel(&[1], "").strip_suffix("}}").expect("a parcel ends its PDU"),
        moved(1, "rg2-b", 8),
    ));
}

fn store_that_we_call() -> Stage {
    let mut stage = Stage::open(Security::Address, Endpoint::Deliver("vault".into()));
    stage.play(
        "S: 220 mail.example LMTP ready
         C: LHLO rg1-a
         S: 250-mail.example
         S: 250-8BITMIME
         S: 250 PIPELINING
         M> link Up",
    );
    stage
}

/// DE-071: a mail store hears nothing of ours, and its replies count by their order.
#[test]
fn we_deliver_to_a_mail_store() {
    let mut stage = store_that_we_call();
    stage.play(&format!(
        r#"M< {}
           C: MAIL FROM:<> BODY=8BITMIME
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org>
           S: 250 2.1.5 Ok
           C: RCPT TO:<anna@example.org>
           S: 550 5.1.1 No such user
           C: RCPT TO:<anna@example.org>
           M> {{"result":{{"origin":"{ORIGIN}","index":2,"outcome":{{"refused":{{"code":550,"status":"5.1.1","text":"No such user"}}}}}}}}
           S: 250 2.1.5 Ok
           C: DATA
           S: 354 go
           C~ {RECEIVED} body 1 Dots
           S: 250 2.0.0 <anna@example.org> Saved
           M> {{"result":{{"origin":"{ORIGIN}","index":1,"outcome":"delivered"}}}}
           S: 452 4.2.2 Over quota
           M> {{"result":{{"origin":"{ORIGIN}","index":3,"outcome":{{"refused":{{"code":452,"status":"4.2.2","text":"Over quota"}}}}}}}}
           M. close
           C: QUIT
           S: 221 2.0.0 Bye
           . close"#,
        parcel(&[1, 2, 3], HOP),
    ));
}

/// DE-072, SU-041: nobody can ask a store what it has; what comes again is marked.
#[test]
fn a_mail_store_cannot_be_asked() {
    let mut stage = store_that_we_call();
    stage.play(&format!(
        r#"M< {{"inquire":{{"origin":"{ORIGIN}","recipients":[[1,"anna@example.org",1],[2,"anna@example.org",1]]}}}}
           M> {{"no_journal":{{"origin":"{ORIGIN}","index":1}}}}
           M> {{"no_journal":{{"origin":"{ORIGIN}","index":2}}}}"#
    ));
    let suspect =
        parcel(&[1], HOP).replace(r#""original":null"#, r#""original":null,"suspect":true"#);
    stage.play(&format!(
        r#"M< {suspect}
           C: MAIL FROM:<> BODY=8BITMIME
           S: 250 2.1.0 Ok
           C: RCPT TO:<anna@example.org>
           S: 250 2.1.5 Ok
           C: DATA
           S: 354 go
           C~ X-Bridgehead-Suspect: this may be a second copy; the first one may be lost\r\n{RECEIVED} body 1 Dots
           S: 552 5.2.2 Over quota
           M> {{"result":{{"origin":"{ORIGIN}","index":1,"outcome":{{"refused":{{"code":552,"status":"5.2.2","text":"Over quota"}}}}}}}}"#
    ));
}

/// DE-071: what a store says to MAIL or DATA it says of all recipients.
#[test]
fn a_mail_store_refuses_all() {
    let mut stage = store_that_we_call();
    stage.play(&format!(
        r#"M< {}
           C: MAIL FROM:<> BODY=8BITMIME
           S: 552 5.3.4 Too large
           M> {{"result":{{"origin":"{ORIGIN}","index":1,"outcome":{{"refused":{{"code":552,"status":"5.3.4","text":"Too large"}}}}}}}}"#,
        parcel(&[1], HOP),
    ));
}

/// SM-072.
#[test]
fn a_stock_server_is_not_a_member() {
    let mut stage = Stage::open(Security::Address, Endpoint::Deliver("rg2-a".into()));
    stage.play(
        "S: 220 mail.example LMTP ready
         C: LHLO rg1-a
         S: 250-mail.example
         S: 250 PIPELINING
         . close
         M> link Refused",
    );
}

/// SM-077: many inquiries, one at a time.
#[test]
fn we_inquire() {
    let mut stage = member_that_we_call();
    stage.play(&format!(
        r#"M< {{"inquire":{{"origin":"{ORIGIN}","recipients":[[1,"anna@example.org",1],[2,"anna@example.org",1]]}}}}
           C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=1 ADDRESS=<anna@example.org>
           S: 250 2.0.0 [1] DELIVERED
           C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=2 ADDRESS=<anna@example.org>
           M> {}
           S: 250 2.0.0 [2] UNKNOWN
           M> {{"no_result":{{"origin":"{ORIGIN}","index":2}}}}"#,
        delivered(1),
    ));
}

/// DE-088, WI-049: a host that understands it is told when the message arrived.
#[test]
fn a_host_is_told_when_a_message_arrived() {
    let mut stage = Stage::open(Security::Address, Endpoint::Deliver("rg2-a".into()));
    stage.play(&format!(
        r#"S: 220 rg2-a LMTP ready
           C: LHLO rg1-a
           S: 250-rg2-a
           S: 250 X-DELIVER ARRIVED
           M> link Up
           M< {}
           C: MAIL FROM:<> XORIGIN={ORIGIN} XDIGEST={DIGEST} XARRIVED=1795300586000000
           S: 450 4.3.2 not now
           M> {{"result":{{"origin":"{ORIGIN}","index":1,"outcome":{{"refused":{{"code":450,"status":"4.3.2","text":"not now"}}}}}}}}
           M< {{"inquire":{{"origin":"{ORIGIN}","recipients":[[1,"anna@example.org",1]],"arrived":77}}}}
           C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=1 XARRIVED=77 ADDRESS=<anna@example.org>
           S: 250 2.0.0 [1] FORGOTTEN
           M> {{"no_journal":{{"origin":"{ORIGIN}","index":1}}}}"#,
        parcel(&[1], HOP),
    ));
    let mut stage = member_at_our_port();
    stage.play(&format!(
        r#"C: X-DELIVER INQUIRE XORIGIN={ORIGIN} XINDEX=1 XARRIVED=77 ADDRESS=<anna@example.org>
           M> {{"inquire":{{"origin":"{ORIGIN}","recipients":[[1,"anna@example.org",1]],"arrived":77}}}}
           M< {{"no_journal":{{"origin":"{ORIGIN}","index":1}}}}
           S: 250 2.0.0 [1] FORGOTTEN"#
    ));
}
