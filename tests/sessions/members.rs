//! The SMTP port between members: hello, news, hand-over, from both ends.

use bridgehead::protocol::linkstate::LinkPdu;
use bridgehead::protocol::member::{Endpoint, Parcel, Pdu, Port, Security};
use bridgehead::wire::envelope::sha256;
use bridgehead::wire::link2state::split;
use bridgehead::wire::message::{Body, BodyKey, Digest};
use bridgehead::wire::orginfo::encode_message;

use crate::offer::{announce_of, envelope, json, octets, offer_line_of, transfer};
use crate::stage::Stage;

pub(crate) const BODY: &str = "Subject: hi\r\n\r\nbody\r\n";

fn body() -> Body {
    Body { key: BodyKey(1), digest: sha256(BODY.as_bytes()), octets: BODY.len() as u64 }
}

pub(crate) fn offer() -> Pdu {
    let parcel = Parcel { envelope: envelope(), body: body(), epochs: Default::default() };
    Pdu::Offer { transfer: transfer(), offer: 1, parcel }
}

pub(crate) fn offer_line() -> String {
    offer_line_of(BODY)
}

pub(crate) fn announce() -> String {
    announce_of(BODY)
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('\r', "\\r").replace('\n', "\\n")
}

pub(crate) fn news() -> Pdu {
    Pdu::Link(LinkPdu::news(Digest([1; 32]), Vec::new()))
}

pub(crate) fn merged() -> Pdu {
    Pdu::Link(LinkPdu::merged(Digest([2; 32]), Vec::new()))
}

fn message_of(pdu: &Pdu) -> String {
    let Pdu::Link(link) = pdu else { panic!("only link PDUs are news") };
    encode_message(core::slice::from_ref(link)).expect("the message is short")
}

/// The commands that say the news, and the lines of the answer.
pub(crate) fn chunks_of_news() -> [String; 2] {
    let chunks = split(&message_of(&news()));
    let lines: Vec<_> = chunks.iter().map(|c| format!("X-LINK2STATE {}", c.encode())).collect();
    lines.try_into().expect("a short message has two chunks")
}

pub(crate) fn lines_of_merged() -> [String; 2] {
    let chunks = split(&message_of(&merged()));
    let [first, last] = chunks.as_slice() else { panic!("a short message has two chunks") };
    [format!("200-{}", first.encode()), format!("200 {}", last.encode())]
}

/// rg1-a connected to us, by its address, and has said EHLO.
fn member_at_our_port() -> Stage {
    let mut stage = Stage::accept(Security::Address, Port::Smtp, Some("rg1-a"));
    stage.play(
        "S: 220 rg2-a ESMTP Bridgehead ready
         C: EHLO rg1-a
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250-X-SUBMIT RESUME
         S: 250 X-LINK2STATE",
    );
    stage
}

fn hello(stage: &mut Stage) {
    stage.play(
        r#"C: X-SUBMIT HELLO MEMBER=rg1-a STORE=0000000000000001
           M> inbound rg1-a Smtp
           M> {"hello":{"member":"rg1-a","store":1}}
           M< {"hello":{"member":"rg2-a","store":2}}
           S: 250 2.0.0 MEMBER=rg2-a STORE=0000000000000002"#,
    );
}

fn merge(stage: &mut Stage) {
    let ([first, last], [one, two]) = (chunks_of_news(), lines_of_merged());
    stage.play(&format!(
        "C: {first}
         S: 200 NEXT
         C: {last}
         M> {}
         M<! {}
         + stored
         S: {one}
         S: {two}",
        json(&news()),
        json(&merged())
    ));
}

pub(crate) fn ready_for_offers() -> Stage {
    let mut stage = member_at_our_port();
    hello(&mut stage);
    merge(&mut stage);
    stage
}

/// SM-018: the log says where a line, a chunk or the message of the chunks is malformed, and what came there.
#[test]
fn the_log_says_where_news_are_malformed() {
    for (said, answer, told) in [
        (
            "NEXT CHUNK=abc",
            "503 5.5.1 chunk before FIRST",
            "octet 0: expected FIRST before any other chunk, got `NEXT CHUNK=abc`",
        ),
        (
            "FIRST CHUNK",
            "501 5.5.4 octet 19: expected CHUNK=",
            "octet 19: expected CHUNK=, got `X-LINK2STATE FIRST CHUNK`",
        ),
        (
            "FIRST CHUNK=\u{e9}",
            "501 5.5.4 octet 25: expected printable US-ASCII",
            r"octet 25: expected printable US-ASCII, got `X-LINK2STATE FIRST CHUNK=\xc3\xa9`",
        ),
    ] {
        let mut stage = member_at_our_port();
        hello(&mut stage);
        stage.show_events = true;
        stage.play(&format!("C: X-LINK2STATE {said}\nE: SUBMIT {told}\nS: {answer}"));
    }
    let mut stage = member_at_our_port();
    hello(&mut stage);
    stage.show_events = true;
    stage.play(
        "C: X-LINK2STATE FIRST CHUNK={00000009}
         S: 200 NEXT
         C: X-LINK2STATE LAST CHUNK= MULTI (6)
         E: SUBMIT octet 16: expected version (6), got `{00000009} MULTI (6)`
         S: 501 5.5.4 message, octet 16: expected version (6)",
    );
}

/// SM-020, SM-021, SM-027: hello, news, an offer, and custody only once it is durable.
#[test]
fn a_message_is_handed_over() {
    let mut stage = ready_for_offers();
    stage.play(&format!(
        r#"C: {}
           M> {}
           M< "ok"
           S: 354 2.0.0 Go ahead
           ? Block({})
           C~ {}
           ? Text(21)
           M> {}
           M< {{"transferred":{{"transfer":"rg1-a/0000000000000001/9","offer":1}}}}
           S: 250 2.0.0 TRANSFERRED ID=rg1-a/0000000000000001/9 OFFER=1
           C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1
           M> {{"commit":{{"transfer":"rg1-a/0000000000000001/9","offer":1}}}}
           M<! {{"handed_over":{{"transfer":"rg1-a/0000000000000001/9","queue":17}}}}
           + stored
           S: 250 2.0.0 ACCEPTED ID=rg1-a/0000000000000001/9 QUEUE=0000000000000011
           C: MAIL FROM:<>
           S: 503 5.5.1 Between members mail moves by X-SUBMIT only"#,
        offer_line(),
        announce(),
        octets().len(),
        escaped(&(octets() + BODY)),
        json(&offer()),
    ));
}

/// SM-025: one octet of the body differs; nothing reaches custody and the body is forgotten.
#[test]
fn a_wrong_digest_is_refused() {
    let mut stage = ready_for_offers();
    stage.play(&format!(
        "C: {}
         M> {}
         M< \"ok\"
         S: 354 2.0.0 Go ahead
         ? Block({})
         C~ {}
         ? Text(21)
         ! forget 1
         S: 554 5.6.0 The digest differs from the announced one
         C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1
         S: 503 5.5.1 This offer was not transferred on this connection",
        offer_line(),
        announce(),
        octets().len(),
        escaped(&(octets() + &BODY.replace("body", "bady"))),
    ));
}

/// SM-028: a repeat of what is accepted needs no transfer; another content is refused without one.
#[test]
fn a_repeat_is_answered_at_once() {
    let mut stage = ready_for_offers();
    stage.play(&format!(
        r#"C: {}
           M> {}
           M<! {{"handed_over":{{"transfer":"rg1-a/0000000000000001/9","queue":17}}}}
           + stored
           S: 250 2.0.0 ACCEPTED ID=rg1-a/0000000000000001/9 QUEUE=0000000000000011
           C: {}
           M> {}
           M< {{"refused":{{"code":554,"status":"5.7.0","text":"another content"}}}}
           S: 554 5.7.0 another content"#,
        offer_line(),
        announce(),
        offer_line(),
        announce(),
    ));
}

/// SM-023, SM-026: the order of hand-over. SM-024: its limits.
#[test]
fn an_offer_needs_hello_and_news() {
    let mut stage = member_at_our_port();
    stage.play(&format!("C: {}\nS: 503 5.5.1 X-SUBMIT HELLO first", offer_line()));
    hello(&mut stage);
    stage.play(&format!("C: {}\nS: 503 5.5.1 News by X-LINK2STATE first", offer_line()));
    stage.play(
        "C: X-SUBMIT HELLO MEMBER=rg1-a STORE=0000000000000001
         S: 503 5.5.1 HELLO was said already",
    );
    merge(&mut stage);
    let digest = "0".repeat(64);
    stage.play(&format!(
        "C: X-SUBMIT OFFER ID=rg1-a/0000000000000001/9 OFFER=1 ENVELOPE=8388609 BODY=1 DIGEST={digest}
         S: 552 5.3.4 An envelope may have 8388608 octets and a body 10000
         C: X-SUBMIT OFFER ID=rg1-a/0000000000000001/9 OFFER=1 ENVELOPE=1 BODY=10001 DIGEST={digest}
         S: 552 5.3.4 An envelope may have 8388608 octets and a body 10000
         C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1
         S: 503 5.5.1 This offer was not transferred on this connection"
    ));
}

/// RESOLVE and STATUS, and each of their answers.
#[test]
fn what_is_in_doubt_is_settled() {
    let mut stage = member_at_our_port();
    hello(&mut stage);
    stage.play(
        r#"C: X-SUBMIT RESOLVE ID=rg1-a/0000000000000001/9 OFFER=2
           M> {"resolve":{"transfer":"rg1-a/0000000000000001/9","offer":2}}
           M<! {"fenced":{"transfer":"rg1-a/0000000000000001/9","offer":2}}
           + stored
           S: 250 2.0.0 REFUSED ID=rg1-a/0000000000000001/9 OFFER=2
           C: X-SUBMIT STATUS ID=rg1-a/0000000000000001/8
           M> {"status":"rg1-a/0000000000000001/8"}
           M< {"unknown":"rg1-a/0000000000000001/8"}
           S: 250 2.0.0 UNKNOWN ID=rg1-a/0000000000000001/8
           C: X-SUBMIT STATUS ID=rg1-a/0000000000000001/7
           M> {"status":"rg1-a/0000000000000001/7"}
           M< {"handed_over":{"transfer":"rg1-a/0000000000000001/7","queue":1}}
           S: 250 2.0.0 ACCEPTED ID=rg1-a/0000000000000001/7 QUEUE=0000000000000001
           C: X-SUBMIT STATUS ID=rg1-a/0000000000000001/6
           M> {"status":"rg1-a/0000000000000001/6"}
           M< {"done":"rg1-a/0000000000000001/6"}
           S: 250 2.0.0 DONE ID=rg1-a/0000000000000001/6
           C: X-SUBMIT RELEASE BOOT=1 INCARNATION=0000000000000001 UPTO=9
           M> {"release":{"boot":1,"incarnation":1,"upto":9,"except":[]}}
           M< {"released":null}
           S: 250 2.0.0 RELEASED
           C: X-SUBMIT FROBNICATE
           S: 501 5.5.4 octet 9: expected HELLO, OFFER, COMMIT, RESOLVE, STATUS or RELEASE"#,
    );
}

/// SM-020, SM-022: who is not proved gets nothing, and nobody gets another's name.
#[test]
fn only_a_proved_member_is_served() {
    let mut stage = Stage::accept(Security::Address, Port::Smtp, Some("rg1-a"));
    stage.play(
        "S: 220 rg2-a ESMTP Bridgehead ready
         C: EHLO client.example
         S: 250-rg2-a
         S: 250-PIPELINING
         S: 250-SIZE 10000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250 DSN
         C: X-SUBMIT HELLO MEMBER=rg1-a STORE=0000000000000001
         S: 530 5.7.0 Only members of the organization may say this
         C: X-LINK2STATE FIRST CHUNK=x
         S: 530 5.7.0 Only members of the organization may say this",
    );
    let mut stage = member_at_our_port();
    stage.play(
        "C: X-SUBMIT HELLO MEMBER=rg1-b STORE=0000000000000001
         S: 550 5.7.1 The name is not the one that is proved",
    );
}

/// SM-030, SM-031, SM-032, WI-031: strict reassembly, as far as the session does it.
#[test]
fn chunks_out_of_place_are_refused() {
    let mut stage = member_at_our_port();
    stage.play("C: X-LINK2STATE FIRST CHUNK=x\nS: 503 5.5.1 X-SUBMIT HELLO first");
    hello(&mut stage);
    let long = "x".repeat(1_000);
    stage.play(&format!(
        "C: X-LINK2STATE NEXT CHUNK=x
         S: 503 5.5.1 chunk before FIRST
         C: X-LINK2STATE CHUNK={}
         S: 503 5.5.1 chunk before FIRST
         C: X-LINK2STATE FIRST CHUNK=x
         S: 200 NEXT
         C: X-LINK2STATE FIRST CHUNK=x
         S: 503 5.5.1 FIRST inside a message
         C: X-LINK2STATE LAST CHUNK=x
         S: 503 5.5.1 chunk before FIRST
         C: X-LINK2STATE FIRST CHUNK=x
         S: 200 NEXT
         C: X-LINK2STATE NEXT CHUNK={long}
         S: 500 5.5.2 Line too long
         C: X-LINK2STATE LAST CHUNK=x
         S: 503 5.5.1 chunk before FIRST
         C: X-LINK2STATE FIRST CHUNK={{ffffffff}} M
         S: 552 5.3.4 message longer than 4,194,304 octets
         C: X-LINK2STATE FIRST CHUNK={{0040
         S: 200 NEXT
         C: X-LINK2STATE NEXT CHUNK=0001}}
         S: 552 5.3.4 message longer than 4,194,304 octets
         C: X-LINK2STATE FIRST CHUNK=
         S: 200 NEXT
         C: X-LINK2STATE LAST CHUNK=x
         S: 501 5.5.4 message, octet 0: expected `{{`
         C: X-LINK2STATE FIRST CHUNK=
         S: 200 NEXT
         C: X-LINK2STATE LAST CHUNK={{0000000d}} MULTI (6) ()
         S: 503 5.5.1 A client says NEWS, once in a message",
        &long[..521]
    ));
}

/// rg1-a calls rg2-a; everything up to hello.
pub(crate) fn member_that_we_call() -> Stage {
    member_that_offers("X-SUBMIT")
}

/// The same, where rg2-a offers the hand-over in these words.
pub(crate) fn member_that_offers(extension: &str) -> Stage {
    let endpoint = Endpoint::Connector("RG1-RG2".into(), "rg2-a".into());
    let mut stage = Stage::open(Security::Address, endpoint);
    stage.play(&format!(
        r#"S: 220 rg2-a ESMTP ready
           C: EHLO rg1-a
           S: 250-rg2-a
           S: 250-{extension}
           S: 250 X-LINK2STATE
           C: X-SUBMIT HELLO MEMBER=rg1-a STORE=0123456789abcdef
           S: 250 2.0.0 MEMBER=rg2-a STORE=0000000000000002
           M> link Up
           M> {{"hello":{{"member":"rg2-a","store":2}}}}"#,
    ));
    stage
}

/// SM-042, SM-045, SM-046: one command at a time, and COMMIT waits for the disk.
#[test]
fn we_hand_a_message_over() {
    let mut stage = member_that_we_call();
    let ([first, last], [one, two]) = (chunks_of_news(), lines_of_merged());
    stage.play(&format!(
        r#"M< {}
           C: {first}
           M< {}
           S: 200 NEXT
           C: {last}
           S: {one}
           S: {two}
           C: {}
           M> {}
           S: 354 2.0.0 Go ahead
           C~ {} body 1 Octets
           S: 250 2.0.0 TRANSFERRED ID=rg1-a/0000000000000001/9 OFFER=1
           M> {{"transferred":{{"transfer":"rg1-a/0000000000000001/9","offer":1}}}}
           M<! {{"commit":{{"transfer":"rg1-a/0000000000000001/9","offer":1}}}}
           + stored
           C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1
           S: 250 2.0.0 ACCEPTED ID=rg1-a/0000000000000001/9 QUEUE=0000000000000011
           M> {{"handed_over":{{"transfer":"rg1-a/0000000000000001/9","queue":17}}}}
           M. close
           C: QUIT
           S: 221 2.0.0 Bye
           . close"#,
        json(&news()),
        json(&offer()),
        offer_line(),
        json(&merged()),
        octets(),
    ));
}

/// SM-042: a durable command that had to wait for its turn still waits for the disk.
#[test]
fn a_commit_that_waited_still_waits_for_the_disk() {
    let mut stage = member_that_we_call();
    stage.play(
        r#"M< {"status":"rg1-a/0000000000000001/8"}
           C: X-SUBMIT STATUS ID=rg1-a/0000000000000001/8
           M<! {"commit":{"transfer":"rg1-a/0000000000000001/9","offer":1}}
           S: 250 2.0.0 UNKNOWN ID=rg1-a/0000000000000001/8
           M> {"unknown":"rg1-a/0000000000000001/8"}
           + stored
           C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1"#,
    );
}

/// SM-041, SM-045: an answer about another transfer ends it; so does one that does not fit.
#[test]
fn an_answer_that_does_not_fit_is_not_believed() {
    for answer in [
        "250 2.0.0 ACCEPTED ID=rg1-a/0000000000000001/8 QUEUE=0000000000000011",
        "250 2.0.0 UNKNOWN ID=rg1-a/0000000000000001/9",
        "250 2.0.0 REFUSED ID=rg1-a/0000000000000001/9 OFFER=1",
        "250 2.0.0 Ok",
        "250 Ok",
        "354 2.0.0 Go ahead",
        "421 4.3.2 shutting down",
        "garbage",
    ] {
        let mut stage = member_that_we_call();
        stage.play(&format!(
            r#"M< {{"commit":{{"transfer":"rg1-a/0000000000000001/9","offer":1}}}}
               C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1
               S: {answer}
               . close
               M> link Lost"#
        ));
    }
}

/// A refusal settles nothing, and is custody's to judge.
#[test]
fn a_refusal_is_passed_on() {
    let mut stage = member_that_we_call();
    stage.play(
        r#"M< {"commit":{"transfer":"rg1-a/0000000000000001/9","offer":1}}
           C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1
           S: 450 4.3.0 later
           M> {"refused":{"code":450,"status":"4.3.0","text":"later"}}"#,
    );
}

/// SM-040, SM-043, SM-044: what counts as refused.
#[test]
fn a_handshake_that_fails_is_a_refusal() {
    let plain = [
        "S: 421 4.3.2 busy",
        "S: 554 no service",
        "S: 220 hi\nC: EHLO rg1-a\nS: 502 what",
        "S: 220 hi\nC: EHLO rg1-a\nS: 250-rg2-a\nS: 250 X-LINK2STATE",
        "S: 220 hi\nC: EHLO rg1-a\nS: 250-rg2-a\nS: 250-X-SUBMIT\nS: 250 X-LINK2STATE\n\
         C: X-SUBMIT HELLO MEMBER=rg1-a STORE=0123456789abcdef\n\
         S: 250 2.0.0 MEMBER=rg2-b STORE=0000000000000002",
    ];
    for transcript in plain {
        let endpoint = Endpoint::Member("rg2-a".into());
        let mut stage = Stage::open(Security::Address, endpoint);
        stage.play(&format!("{transcript}\n. close\nM> link Refused"));
    }
    let without_tls =
        "S: 220 hi\nC: EHLO rg1-a\nS: 250-rg2-a\nS: 250-X-SUBMIT\nS: 250 X-LINK2STATE";
    let mut stage = Stage::open(Security::Tls, Endpoint::Member("rg2-a".into()));
    stage.play(&format!("{without_tls}\n. close\nM> link Refused"));
}

/// SM-043: the certificate must be that of the member that was called.
#[test]
fn the_certificate_must_fit() {
    let start = "S: 220 hi
         C: EHLO rg1-a
         S: 250-rg2-a
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 2.0.0 go
         ! starttls\n";
    for secured in ["+ secured", "+ secured rg2-b"] {
        let mut stage = Stage::open(Security::Tls, Endpoint::Member("rg2-a".into()));
        stage.play(&format!("{start}{secured}\n. close\nM> link Refused"));
    }
    let mut stage = Stage::open(Security::Tls, Endpoint::Member("rg2-a".into()));
    stage.play(&format!("{start}+ secured rg2-a\nC: EHLO rg1-a"));
}

/// The far end is silent before the connection can be used.
#[test]
fn a_handshake_times_out() {
    let mut stage = Stage::open(Security::Address, Endpoint::Member("rg2-a".into()));
    stage.play("+ timer\n. close\nM> link TimedOut");
}
