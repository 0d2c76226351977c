//! Offers whose content no later hop could carry.

use crate::members::{escaped, ready_for_offers};
use crate::offer::{announce_of, octets, offer_line_of};

/// SM-029: the octets are those that were announced, so offering them again would change nothing.
#[test]
fn a_bare_line_end_is_refused_for_good_before_commit() {
    for (body, place) in [("Subject: hi\r\n\r\nbo\ndy\r\n", 17), ("a\rb\r\n", 1), ("a\r\n\r", 3)] {
        let mut stage = ready_for_offers();
        stage.play(&format!(
            "C: {}
             M> {}
             M< \"ok\"
             S: 354 2.0.0 Go ahead
             ? Block({})
             C~ {}
             ? Text({})
             S: 554 5.6.1 octet {place}: a bare CR or LF, which no later hop can carry
             C: X-SUBMIT COMMIT ID=rg1-a/0000000000000001/9 OFFER=1
             S: 503 5.5.1 This offer was not transferred on this connection",
            offer_line_of(body),
            announce_of(body),
            octets().len(),
            escaped(&(octets() + body)),
            body.len(),
        ));
    }
}

/// SM-025: octets that are not those that were announced say nothing about the message.
#[test]
fn a_bare_line_end_that_came_on_the_way_is_no_verdict() {
    let announced = "Subject: hi\r\n\r\nbody\r\n";
    let arrived = announced.replace("od", "o\n");
    let mut stage = ready_for_offers();
    stage.play(&format!(
        "C: {}
         M> {}
         M< \"ok\"
         S: 354 2.0.0 Go ahead
         ? Block({})
         C~ {}
         ? Text({})
         S: 554 5.6.0 The digest differs from the announced one",
        offer_line_of(announced),
        announce_of(announced),
        octets().len(),
        escaped(&(octets() + &arrived)),
        announced.len(),
    ));
}

/// SM-010: a member that is silent within an offer, be it the envelope, the body or the chunks of its news.
#[test]
fn a_member_that_is_silent_within_content_is_told_so() {
    let body = "Subject: hi\r\n\r\nbody\r\n";
    let told = "+ timer\nS: 421 4.4.2 Timed out within the content\n. close\nM> link Closed";
    for part in ["{", &octets()] {
        let mut stage = ready_for_offers();
        stage.play(&format!(
            "C: {}\nM> {}\nM< \"ok\"\nS: 354 2.0.0 Go ahead\n? Block({})",
            offer_line_of(body),
            announce_of(body),
            octets().len(),
        ));
        stage.show_timer = true;
        let is_whole = part.len() > 1;
        let next = format!("\n? Text({})\nT: 300 s", body.len());
        stage.play(&format!("C~ {}{}", escaped(part), if is_whole { &next } else { "" }));
        stage.play(&format!("+ progress\nT: 300 s\n{told}"));
    }
    let mut stage = ready_for_offers();
    stage.show_timer = true;
    stage.play("C: X-LINK2STATE FIRST CHUNK={00000009}\nS: 200 NEXT\nT: 300 s");
}
