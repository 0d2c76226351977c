//! What a member says of a connector that it has found broken: persistence and oscillation.

use super::handing_over::to_bob;
use super::link_peers::{
    LAST, MINUTE, RG2_DOWN, RG2_UP, RG3, TO_RG2, TO_RG3, asking, link, opened, telling, triangular,
    versioned,
};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::Rule;
use crate::organization::between;
use crate::play::{Look, On, Play};

const DOWN_TO_RG3: On = On::said(TO_RG3, LAST).with(RG2_DOWN);
const UP_TO_RG3: On = On::said(TO_RG3, LAST).with(RG2_UP);
const UP_IN_TABLE: On = On::back("rg2", "200 ").with(RG2_UP);
const DOWN_IN_TABLE: On = On::back("rg2", "200 ").with(RG2_DOWN);
const OFFERED: On = On::said(TO_RG2, "X-SUBMIT OFFER ");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = persistence();
    cases.extend(anew());
    cases.extend(oscillation());
    cases
}

/// The triangle as RG2 and RG3 say it is when nothing connects them.
const RG2_ALONE: &str = concat!(
    "( 00000000000000000000000000000002 {3}RG2 1 {5}rg2-a 1 1 0 0 ( {5}rg2-a YES ) ",
    "( {7}RG2-RG1 ( CONFIG {3}RG1 a BH ( {5}rg2-a ) STATE UP ) ) )",
);
const RG3_ALONE: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 1 {5}rg3-a 1 1 0 0 ( {5}rg3-a YES ) ",
    "( {7}RG3-RG1 ( CONFIG {3}RG1 14 BH ( {5}rg3-a ) STATE UP ) ) )",
);

fn down(record: &str, connector: &str) -> String {
    let from = record.find(connector).unwrap_or_default();
    let (head, tail) = record.split_at(from);
    format!("{head}{}", tail.replacen("STATE UP", "STATE DOWN", 1))
}

/// The link to RG2 refuses from now on, and mail for it comes.
fn fails(play: Play) -> Play {
    play.wait(SECOND).rule(TO_RG2, Rule::Refuse).mark("sent").talk("client", to_bob())
}

fn persistence() -> Vec<Case> {
    let told = |records: &[&str]| triangular().talk("before", telling(records)).wait(SECOND);
    vec![
        link(
            "link.persistence.02",
            "A broken connector without an alternative stays UP in the table, and is probed",
            &["LS-030", "LS-024"],
            fails(opened(Play::over(between)))
                .talk("rg2-told-alone", telling(&[&versioned(RG2_ALONE, "1 {5}rg2-a 1 1 1 0")]))
                .talk("rg3-told-alone", telling(&[&versioned(RG3_ALONE, "1 {5}rg3-a 1 1 1 0")]))
                .wait(10 * MINUTE + SECOND)
                .talk("rg2", asking())
                .look(Look::Some("still-up", UP_IN_TABLE))
                .look(Look::Never("never-told-down", DOWN_TO_RG3, Some("sent")))
                .look(Look::Attempts(
                    "probed",
                    TO_RG2,
                    "sent",
                    (0..=10).map(|minute| minute * 60).collect(),
                )),
        )
        .twin("link.retry.02")
        .kills(&[("down-on-a-cut-edge", "never-told-down")]),
        link(
            "link.persistence.03",
            "An alternative that is DOWN is an alternative: the connector is told DOWN",
            &["LS-030", "MA-004"],
            fails(told(&[&down(&versioned(RG3, "1 {5}rg3-a 1 1 1 0"), "RG3-RG2")]))
                .wait(4 * MINUTE)
                .look(Look::Seconds("told-at-180-s", DOWN_TO_RG3, "sent", vec![180])),
        ),
        link(
            "link.persistence.04",
            "A way back is no way there: only connectors in their own direction are alternatives",
            &["LS-030"],
            fails(told(&[&versioned(RG3_ALONE, "1 {5}rg3-a 1 1 1 0")]))
                .wait(4 * MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("still-up", UP_IN_TABLE))
                .look(Look::Never("never-told-down", DOWN_TO_RG3, Some("sent"))),
        )
        .twin("link.persistence.03"),
        link(
            "link.persistence.05",
            "With all ways DOWN the cost is infinite: mail waits, and is neither sent nor returned",
            &["LS-043", "LS-041"],
            fails(told(&[&down(&versioned(RG3, "1 {5}rg3-a 1 1 1 0"), "RG3-RG2")]))
                .wait(30 * MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("down", DOWN_IN_TABLE))
                .look(Look::Never("not-to-rg3", On::said(TO_RG3, "X-SUBMIT OFFER "), None))
                .look(Look::NoNotice("not-returned", "rg1-a>rg1-c/deliver")),
        )
        .twin("link.probes.01"),
        link(
            "link.persistence.06",
            "Mail that waits for an infinite cost goes when a record brings a way",
            &["LS-043", "LS-040", "LS-180"],
            fails(told(&[&down(&versioned(RG3, "1 {5}rg3-a 1 1 1 0"), "RG3-RG2")]))
                .wait(10 * MINUTE)
                .mark("way")
                .talk("rg2", telling(&[&versioned(RG3, "1 {5}rg3-a 1 1 2 0")]))
                .wait(SECOND)
                .look(Look::Routed(
                    "mail-by-rg3",
                    On::said(TO_RG3, "X-SUBMIT OFFER "),
                    "way",
                    vec![0],
                )),
        ),
        link(
            "link.persistence.07",
            "Mail for a persistent connector waits where it is, and goes when a probe succeeds",
            &["LS-030", "LS-025"],
            fails(told(&[&versioned(RG3_ALONE, "1 {5}rg3-a 1 1 1 0")]))
                .wait(10 * MINUTE + 30 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(MINUTE)
                .look(Look::Seconds("goes-with-the-probe", OFFERED, "sent", vec![660]))
                .look(Look::Never("not-to-rg3", On::said(TO_RG3, "X-SUBMIT OFFER "), None)),
        )
        .twin("link.probes.01"),
    ]
}

fn anew() -> Vec<Case> {
    let alone = |play: Play| {
        play.talk("alone", telling(&[&versioned(RG3_ALONE, "1 {5}rg3-a 1 1 1 0")])).wait(SECOND)
    };
    vec![
        link(
            "link.anew.01",
            "A new configuration that brings an alternative: the broken connector is told DOWN at once",
            &["LS-031", "LS-030"],
            fails(alone(triangular()))
                .wait(5 * MINUTE + 10 * SECOND)
                .talk("rg2", telling(&[&versioned(RG3, "1 {5}rg3-a 1 2 0 0")]))
                .wait(MINUTE)
                .look(Look::Seconds("told-at-once", DOWN_TO_RG3, "sent", vec![310])),
        ),
        link(
            "link.anew.02",
            "A new configuration that takes the alternative away: the connector is told UP at once",
            &["LS-031", "LS-030"],
            fails(triangular())
                .wait(5 * MINUTE + 10 * SECOND)
                .talk("rg2", telling(&[&versioned(RG3_ALONE, "1 {5}rg3-a 1 2 0 0")]))
                .wait(MINUTE)
                .look(Look::Seconds("down-first", DOWN_TO_RG3, "sent", vec![180]))
                .look(Look::Seconds("up-at-once", UP_TO_RG3, "sent", vec![310])),
        ),
        link(
            "link.anew.03",
            "A new state is no new configuration: what was decided stays",
            &["LS-031"],
            fails(triangular())
                .wait(5 * MINUTE + 10 * SECOND)
                .talk("rg2", telling(&[&down(&versioned(RG3, "1 {5}rg3-a 1 1 1 0"), "RG3-RG2")]))
                .wait(MINUTE)
                .look(Look::Seconds("down-first", DOWN_TO_RG3, "sent", vec![180]))
                .look(Look::Never("not-told-up", UP_TO_RG3, Some("sent"))),
        )
        .twin("link.anew.02"),
        link(
            "link.anew.04",
            "Before DOWN is decided a new configuration changes nothing",
            &["LS-031", "LS-023"],
            fails(triangular())
                .wait(MINUTE + 10 * SECOND)
                .talk("rg2", telling(&[&versioned(RG3, "1 {5}rg3-a 1 2 0 0")]))
                .wait(3 * MINUTE)
                .look(Look::Seconds("told-at-180-s", DOWN_TO_RG3, "sent", vec![180])),
        ),
    ]
}

/// Fails until it is DOWN (`so`), and works again in the minute behind that.
fn flap(play: Play, mark: &'static str, name: &'static str) -> Play {
    play.rule(TO_RG2, Rule::Refuse)
        .mark(mark)
        .talk(name, to_bob())
        .wait(190 * SECOND)
        .rule(TO_RG2, Rule::Pass)
        .wait(2 * MINUTE)
}

fn oscillation() -> Vec<Case> {
    let twice = || flap(flap(triangular().wait(SECOND), "one", "client-1"), "two", "client-2");
    let third =
        |play: Play| play.rule(TO_RG2, Rule::Refuse).mark("three").talk("client-3", to_bob());
    vec![
        link(
            "link.oscillation.02",
            "The third decision of DOWN within an hour is not told for 15 minutes, and then it is",
            &["LS-032", "LS-034"],
            third(twice()).wait(20 * MINUTE).look(Look::Seconds(
                "two-and-the-long-one",
                DOWN_TO_RG3,
                "one",
                vec![180, 490, 620 + 900],
            )),
        ),
        link(
            "link.oscillation.03",
            "A failure that ends within the 15 minutes is never told",
            &["LS-032"],
            third(twice())
                .wait(13 * MINUTE + 30 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(5 * MINUTE)
                .look(Look::Never("not-told", DOWN_TO_RG3, Some("three")))
                .look(Look::Seconds("two-before", DOWN_TO_RG3, "one", vec![180, 490])),
        )
        .twin("link.oscillation.02"),
        link(
            "link.oscillation.04",
            "Ten minutes of work make the connector believed: the next failure is told at its third retry",
            &["LS-033"],
            third(twice())
                .wait(190 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(12 * MINUTE)
                .rule(TO_RG2, Rule::Refuse)
                .mark("four")
                .talk("client-4", to_bob())
                .wait(4 * MINUTE)
                .look(Look::Seconds("told-at-180-s", DOWN_TO_RG3, "four", vec![180])),
        ),
        link(
            "link.oscillation.05",
            "Less than ten minutes of work do not: the next failure is not told either",
            &["LS-033", "LS-032"],
            third(twice())
                .wait(190 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(5 * MINUTE)
                .rule(TO_RG2, Rule::Refuse)
                .mark("four")
                .talk("client-4", to_bob())
                .wait(14 * MINUTE)
                .look(Look::Never("not-told", DOWN_TO_RG3, Some("three")))
                .look(Look::Seconds("two-before", DOWN_TO_RG3, "one", vec![180, 490])),
        )
        .twin("link.oscillation.04"),
        link(
            "link.oscillation.06",
            "The count is forgotten an hour after the decision that began it",
            &["LS-032"],
            third(twice().wait(HOUR)).wait(4 * MINUTE).look(Look::Seconds(
                "told-at-180-s",
                DOWN_TO_RG3,
                "three",
                vec![180],
            )),
        ),
        link(
            "link.oscillation.07",
            "While it oscillates, the probes go on, and mail goes with the one that succeeds",
            &["LS-024", "LS-032"],
            third(twice())
                .wait(5 * MINUTE + 30 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(MINUTE)
                .look(Look::Attempts(
                    "every-60-s",
                    TO_RG2,
                    "three",
                    vec![0, 60, 120, 180, 240, 300, 360],
                ))
                .look(Look::Seconds("mail-goes", OFFERED, "three", vec![360])),
        ),
    ]
}
