//! The terms and versions under which a master publishes.

use super::handing_over::{always, once, to_bob};
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG2, RG2, RG2_DOWN, RG2_UP, RG3, TO_RG2, TO_RG3, asking, knows, link,
    telling, triangular, versioned,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::play::{Act, Answer, Digest, Look, On};

const TABLE: On = On::back("rg2", "200 ");

/// A record of RG1 that the master did not write, in a version.
fn forged(version: &str) -> String {
    format!(
        "( 00000000000000000000000000000001 {{3}}RG1 {version} ( {{5}}rg1-a YES ) ( {} ) )",
        RG2_DOWN
    )
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let told = |version: &str| {
        triangular().wait(SECOND).talk("forger", telling(&[&forged(version)])).talk("rg2", asking())
    };
    let first = || TABLE.with("{3}RG1 1 {5}rg1-a ");
    vec![
        link(
            "link.term.01",
            "A master begins with the first term, the revision as the major number, and zeros",
            &["MA-003", "MA-005"],
            triangular()
                .talk("rg2", asking())
                .look(Look::Some("first-term", first()))
                .look(Look::Some("the-version", TABLE.with(" 1 0 0 ( {5}rg1-a YES {5}rg1-c YES )"))),
        ),
        link(
            "link.term.02",
            "A master that meets a greater term of its group outbids it, and publishes what it knows",
            &["MA-003", "MA-001"],
            told("5 {5}rg1-x 1 1 0 0")
                .look(Look::Some("one-more", TABLE.with("{3}RG1 6 {5}rg1-a ")))
                .look(Look::Some("its-own-states", TABLE.with(RG2_UP)))
                .look(Look::Some(
                    "told-on",
                    On::said(TO_RG3, LAST).with("{3}RG1 6 {5}rg1-a "),
                )),
        ),
        link(
            "link.term.03",
            "A lesser term of its group moves it to nothing",
            &["MA-002", "LS-001"],
            told("0 {5}rg1-x 1 1 9 9")
                .look(Look::Some("the-same-term", first()))
                .look(Look::Never("not-the-forged", TABLE.with(RG2_DOWN), None)),
        )
        .twin("link.term.02"),
        link(
            "link.term.04",
            "A master keeps its term through a restart",
            &["MA-002", "LS-006"],
            triangular()
                .talk("before", asking())
                .act(Act::Restart)
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Digests("the-same-table", [On::back("before", "200 "), TABLE], true)),
        ),
        link(
            "link.term.05",
            "A term that was outbid is not taken up again behind a restart",
            &["MA-002", "MA-003"],
            triangular()
                .talk("forger", telling(&[&forged("5 {5}rg1-x 1 1 0 0")]))
                .act(Act::Restart)
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("still-the-sixth", TABLE.with("{3}RG1 6 {5}rg1-a "))),
        ),
        link(
            "link.term.06",
            "A record of its group under a greater major number stands: the master publishes nothing",
            &["MA-006"],
            triangular()
                .wait(SECOND)
                .talk("forger", telling(&[&forged("5 {5}rg1-c 1 2 0 0")]))
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("the-other-stands", TABLE.with("{3}RG1 5 {5}rg1-c 1 2 0 0")))
                .look(Look::Never("no-sixth-term", TABLE.with("{3}RG1 6 "), None)),
        )
        .twin("link.term.02"),
        link(
            "link.term.07",
            "With an empty disk a master learns the term that its neighbours know, and outbids it",
            &["MA-003", "LS-047"],
            triangular()
                .wait(SECOND)
                .cast(TO_RG2, Port::Smtp, knows(&[RG2, RG1_OF_OLD]))
                .act(Act::LoseDisk)
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("one-more", TABLE.with("{3}RG1 8 {5}rg1-a "))),
        ),
        link(
            "link.term.08",
            "A change of state grows the minor number by one, and keeps term, major and user",
            &["MA-008"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(200 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(2 * MINUTE)
                .look(Look::Some("one", On::said(TO_RG3, LAST).with(" 1 1 0 ( {5}rg1-a YES")))
                .look(Look::Some("two", On::said(TO_RG3, LAST).with(" 1 2 0 ( {5}rg1-a YES")))
                .look(Look::Some("told-to-rg2", NEWS_TO_RG2.with(" 1 2 0 ( {5}rg1-a YES"))),
        ),
        link(
            "link.term.10",
            "A master that meets its record with another content publishes again, with a greater version",
            &["MA-009", "LS-002"],
            triangular()
                .opens(
                    TO_RG2,
                    Port::Smtp,
                    vec![
                        once(LAST, Answer::Contest),
                        always(LAST, Answer::Merged(Digest::Same, &[RG2])),
                    ],
                )
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("with-what-is-true", TABLE.with(RG2_UP)))
                .look(Look::Never(
                    "not-the-version-that-is-contested",
                    TABLE.with(" 1 0 0 ( {5}rg1-a YES"),
                    None,
                )),
        )
        .twin("link.term.01"),
        link(
            "link.term.16",
            "A master gives way to a member of its group that has published under a greater term of this revision",
            &["MA-070", "MA-074"],
            triangular()
                .wait(SECOND)
                .talk("forger", telling(&[&forged("5 {5}rg1-c 1 1 0 0")]))
                .wait(MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("the-other-stands", TABLE.with("{3}RG1 5 {5}rg1-c 1 1 0 0")))
                .look(Look::Never("no-sixth-term", TABLE.with("{3}RG1 6 "), None)),
        )
        .twin("link.term.02")
        .kills(&[("records-appoint-nobody", "no-sixth-term")]),
        link(
            "link.term.17",
            "It gives way behind a restart, too: the record that it has stored says so",
            &["MA-070"],
            triangular()
                .wait(SECOND)
                .talk("forger", telling(&[&forged("5 {5}rg1-c 1 1 0 0")]))
                .act(Act::Restart)
                .wait(MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("the-other-stands", TABLE.with("{3}RG1 5 {5}rg1-c 1 1 0 0")))
                .look(Look::Never("no-sixth-term", TABLE.with("{3}RG1 6 "), None)),
        )
        .twin("link.term.05"),
        link(
            "link.term.09",
            "What the neighbours tell of other groups is no affair of the master",
            &["MA-001", "MA-007"],
            triangular()
                .wait(SECOND)
                .talk("forger", telling(&[&versioned(RG2, "7 {5}rg2-a 1 1 0 0"), RG3]))
                .talk("rg2", asking())
                .look(Look::Some("merged", TABLE.with("{3}RG2 7 {5}rg2-a ")))
                .look(Look::Some("the-own-record", TABLE.with(" 1 0 0 ( {5}rg1-a YES {5}rg1-c YES )"))),
        ),
    ]
}

const RG1_OF_OLD: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 7 {5}rg1-a 1 1 4 0 ( {5}rg1-a YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE UP ) ",
    "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP ) ) )",
);
