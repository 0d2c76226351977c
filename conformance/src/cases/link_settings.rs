//! What the organization may choose of its links: retries, what is told of failures, damping, restrictions,
//! and the spreading of mail.

use super::handing_over::{always, client, to_bob};
use super::link_peers::{
    MINUTE, NEWS_TO_RG3, RG2_DOWN, TO_RG2, TO_RG3, knows, link, opened, telling, tells, triangular,
    versioned,
};
use super::link_routes::{RG2_TO_RG4, RG3_TO_RG4, RG4};
use super::members::proved;
use super::parcel::Parcel;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{
    Blueprint, RG2_RECORD, RG3_RECORD, counted, denied, diamond, hasty, penalized, spread,
    truthful_stubs,
};
use crate::play::{Answer, Digest, Look, On, Play};

const BY_RG2: On = On::said(TO_RG2, "X-SUBMIT OFFER ");
const BY_RG3: On = On::said(TO_RG3, "X-SUBMIT OFFER ");
const DOWN_TO_RG3: On = NEWS_TO_RG3.with(RG2_DOWN);
const TO_MASTER: &str = "rg1-a>rg1-c/group";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = detection();
    cases.extend(routes());
    cases
}

/// From the mark `sent` on the connector to RG2 fails.
fn failing(blueprint: fn() -> Blueprint, span_us: u64) -> Play {
    let play = opened(Play::over(blueprint)).wait(SECOND).rule(TO_RG2, Rule::Refuse).mark("sent");
    play.talk("client", to_bob()).wait(span_us)
}

fn detection() -> Vec<Case> {
    let rg1: &'static [&'static str] = &[super::link_group::RG1];
    let down = |second| Look::Seconds("told-down", DOWN_TO_RG3, "sent", vec![second]);
    vec![
        link(
            "link.busy.01",
            "A bridgehead that is busy is tried again like one that refuses, and is DOWN with the third retry",
            &["LS-100", "LS-023"],
            triangular()
                .wait(SECOND)
                .cast(TO_RG2, Port::Smtp, vec![always("GREETING", Answer::Say("421 4.3.2 busy"))])
                .mark("sent")
                .talk("client", to_bob())
                .wait(3 * MINUTE + 30 * SECOND)
                .look(Look::Attempts("every-60-s", TO_RG2, "sent", vec![0, 60, 120, 180]))
                .look(down(180)),
        ),
        link(
            "link.retry.20",
            "The glitch retries are as many and as far apart as the organization says; probes are not",
            &["LS-101", "LS-024"],
            failing(hasty, 4 * MINUTE)
                .look(Look::Attempts("30-s-apart", TO_RG2, "sent", vec![0, 30, 60, 120, 180, 240]))
                .look(down(60)),
        ),
        link(
            "link.truth.01",
            "Where the organization wants the truth a connector that is the only way is reported DOWN",
            &["LS-106"],
            Play::over(truthful_stubs)
                .opens(
                    TO_MASTER,
                    Port::Group,
                    vec![always(" NEWS ", Answer::Merged(Digest::Same, rg1))],
                )
                .opens(TO_RG2, Port::Smtp, knows(&[RG2_RECORD]))
                .opens(TO_RG3, Port::Smtp, knows(&[RG3_RECORD]))
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(5 * MINUTE)
                .look(Look::Seconds(
                    "down-at-180-s",
                    On::said(TO_MASTER, "").with(" REPORT ( {7}RG1-RG2 DOWN "),
                    "sent",
                    vec![180],
                )),
        ),
        link(
            "link.penalty.01",
            "A connector whose penalty suppresses it is told DOWN when seven steps have left less than 750",
            &["LS-110", "LS-111", "LS-112"],
            failing(penalized, 11 * MINUTE).look(down(600)),
        ),
        link(
            "link.penalty.02",
            "Where the penalty is counted only nothing is hidden",
            &["LS-107", "LS-110"],
            failing(counted, 11 * MINUTE).look(down(180)),
        ),
    ]
}

/// A fourth group behind either of two.
fn fourth(blueprint: fn() -> Blueprint) -> Play {
    Play::over(blueprint)
        .opens(TO_RG2, Port::Smtp, knows(&[RG2_TO_RG4, RG4]))
        .opens(TO_RG3, Port::Smtp, knows(&[RG3_TO_RG4]))
        .wait(SECOND)
}

fn routes() -> Vec<Case> {
    let goes = |id: &str, title: &str, verifies: &[&str], play: Play, (way, other): (On, On)| {
        let play = play.wait(SECOND).look(Look::Count("this-way", way, 1)).look(Look::Never(
            "not-the-other",
            other,
            None,
        ));
        link(id, title, verifies, play).twin("link.mail.01")
    };
    // The id of carl@example.test.
    let restricted = versioned(RG2_TO_RG4, "1 {5}rg2-a 1 1 1 0").replace(
        "{3}RG4 a BH ( {5}rg2-a ) STATE UP",
        "{3}RG4 a BH ( {5}rg2-a ) STATE UP RESTRICT ( DENY ( 8134da52397fe44b ) )",
    );
    let to_dan = |from: &str| {
        let told = fourth(diamond).talk("rg2", telling(&[&restricted])).wait(6 * SECOND);
        told.talk("client", client(from, &["<dan@example.test>"]))
    };
    // The first 8 octets of SHA-256 over `rg2-a/00000000c0ffee91/1` are an even number, those of …92 an odd one.
    let spreads = |number: u32| {
        let parcel = Parcel::new(number).patient().edit("ann@example.test", "dan@example.test");
        fourth(spread).talk("peer", parcel.hand_over(tells(proved(), &[], "table")))
    };
    let (by_rg2, by_rg3) = ((BY_RG2, BY_RG3), (BY_RG3, BY_RG2));
    vec![
        goes(
            "link.route.11",
            "Mail of a sender whom a connector denies takes the next best way",
            &["LS-171", "LS-172", "LS-041"],
            opened(Play::over(denied)).wait(SECOND).talk("client", to_bob()),
            by_rg3,
        ),
        goes(
            "link.route.12",
            "Mail of another sender of the same domain does not",
            &["LS-171", "LS-172"],
            opened(Play::over(denied))
                .wait(SECOND)
                .talk("client", client("<ann@example.test>", &["<bob@example.test>"])),
            by_rg2,
        ),
        goes(
            "link.route.13",
            "A restriction of a later connector counts, by the record of its group alone",
            &["LS-170", "LS-171", "LS-172"],
            to_dan("<carl@example.test>"),
            by_rg3,
        ),
        goes(
            "link.route.14",
            "And not for whom it does not name",
            &["LS-170", "LS-171"],
            to_dan("<ann@example.test>"),
            by_rg2,
        ),
        goes(
            "link.spread.01",
            "Where mail is spread, the id of a message chooses among equal routes: the first one",
            &["LS-185"],
            spreads(0x91),
            by_rg2,
        ),
        goes("link.spread.02", "Or the second one", &["LS-185"], spreads(0x92), by_rg3),
    ]
}
