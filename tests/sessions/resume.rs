//! Bodies that go on where they broke off, at both ends of a hand-over (SU-060 to SU-064).

use bridgehead::wire::envelope::sha256;

use crate::members::{
    BODY, announce, chunks_of_news, escaped, lines_of_merged, member_that_offers, merged, news,
    offer, offer_line, ready_for_offers,
};
use crate::offer::{json, octets};
use crate::stage::Stage;

const SENT: &str = "C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1";
const NOT_SENT: &str = "S: 503 5.5.1 This offer was not transferred on this connection";

/// The offer, up to the question how much of its body is kept.
fn offered(stage: &mut Stage) {
    stage.play(&format!(
        "C: {} RESUME={}
         M> {}
         M< \"ok\"
         ! resume rg1-a rg1-a/0000000000000001/9 21",
        offer_line(),
        sha256(BODY.as_bytes()),
        announce(),
    ));
}

/// SU-062, SU-064: the octets that are missing, under the digest of the whole.
#[test]
fn a_receiver_goes_on_behind_what_is_kept() {
    let mut stage = ready_for_offers();
    offered(&mut stage);
    stage.show_events = true;
    stage.play(&format!(
        "+ kept {}
         E: SUBMIT the body goes on at octet 11
         S: 354 2.0.0 RESUME=11
         ? Block({})
         C~ {}
         ? Text(10)
         M> {}",
        &BODY[..11],
        octets().len(),
        escaped(&(octets() + &BODY[11..])),
        json(&offer()),
    ));
}

#[test]
fn a_receiver_that_keeps_nothing_takes_the_whole_body() {
    let mut stage = ready_for_offers();
    offered(&mut stage);
    stage.play(&format!(
        "+ kept 0
         S: 354 2.0.0 Go ahead
         ? Block({})
         C~ {}
         ? Text(21)
         M> {}",
        octets().len(),
        escaped(&(octets() + BODY)),
        json(&offer()),
    ));
}

/// SU-064, SM-025: what was kept, and what comes, are judged together; nothing reaches custody.
#[test]
fn a_body_that_goes_on_with_other_octets_is_refused() {
    for (kept, rest) in [("subject: hi", &BODY[11..]), (&BODY[..11], "\r\n\r\nBODY\r\n")] {
        let mut stage = ready_for_offers();
        offered(&mut stage);
        stage.play(&format!(
            "+ kept {kept}
             S: 354 2.0.0 RESUME=11
             ? Block({})
             C~ {}
             ? Text(10)
             ! forget 1
             S: 554 5.6.0 The digest differs from the announced one
             {SENT}
             {NOT_SENT}",
            octets().len(),
            escaped(&(octets() + rest)),
        ));
    }
}

/// The offset of a bare LF is told from the front of the whole body. Its octets are those announced only
/// in the first of the two: the second says nothing of the message.
#[test]
fn a_bare_line_end_behind_what_was_kept_is_seen() {
    let mut stage = ready_for_offers();
    offered(&mut stage);
    stage.play(&format!(
        "+ kept {}
         S: 354 2.0.0 RESUME=11
         ? Block({})
         C~ {}
         ? Text(10)
         S: 554 5.6.0 The digest differs from the announced one",
        &BODY[..11],
        octets().len(),
        escaped(&(octets() + "\r\n\r\nbo\ny\r\n")),
    ));
}

/// The peer has merged our news and offers RESUME, or not; we offer.
fn we_offer(extension: &str, resume: &str) -> Stage {
    let mut stage = member_that_offers(extension);
    let ([first, last], [one, two]) = (chunks_of_news(), lines_of_merged());
    stage.play(&format!(
        "M< {}
         C: {first}
         M< {}
         S: 200 NEXT
         C: {last}
         S: {one}
         S: {two}
         C: {}{resume}
         M> {}",
        json(&news()),
        json(&offer()),
        offer_line(),
        json(&merged()),
    ));
    stage
}

fn resume() -> String {
    format!(" RESUME={}", sha256(BODY.as_bytes()))
}

/// SU-060, SU-063.
#[test]
fn a_sender_goes_on_at_the_offset() {
    for (reply, from) in [
        ("354 2.0.0 RESUME=11", " from 11"),
        ("354 resume=21", " from 21"),
        ("354 2.0.0 RESUME=0", ""),
        ("354 2.0.0 Go ahead", ""),
        ("354 go on", ""),
    ] {
        let mut stage = we_offer("X-SUBMIT RESUME", &resume());
        stage.play(&format!("S: {reply}\nC~ {} body 1 Octets{from}", octets()));
    }
}

/// SU-063, WI-054: an offset that cannot be meant ends the connection, and no octet is sent.
#[test]
fn a_wrong_offset_is_a_lost_connection() {
    for reply in ["RESUME=22", "RESUME=-1", "RESUME=", "RESUME=1 2", "RESUME=011"] {
        let mut stage = we_offer("X-SUBMIT RESUME", &resume());
        stage.play(&format!("S: 354 2.0.0 {reply}\n. close\nM> link Lost"));
    }
    let mut stage = we_offer("X-SUBMIT", "");
    stage.play("S: 354 2.0.0 RESUME=11\n. close\nM> link Lost");
}

/// SU-060: a receiver that offers no RESUME, or something else, is offered whole bodies.
#[test]
fn an_older_receiver_is_asked_for_nothing() {
    for extension in ["X-SUBMIT", "X-SUBMIT OTHER", "X-SUBMIT RESUMES"] {
        let mut stage = we_offer(extension, "");
        stage.play(&format!("S: 354 2.0.0 Go ahead\nC~ {} body 1 Octets", octets()));
    }
}
