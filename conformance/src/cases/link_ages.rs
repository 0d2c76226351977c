//! How old records get: what a master refreshes and when, and what comes of a record that nobody refreshes.

use super::fellows::reported;
use super::handing_over::to_bob;
use super::link_group::report;
use super::link_peers::{
    MINUTE, NEWS_TO_RG2, NEWS_TO_RG3, RG2, TO_RG2, asking, link, opened, telling, triangular,
    versioned,
};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::organization::{Blueprint, leads_short_lived, often_refreshed, short_lived};
use crate::play::{Act, Look, On, Play};

const TABLE: On = On::back("rg2", "200 ");
/// The first refresh of what the node has published at the boot.
const REFRESHED: &str = " 1 0 1 ( {5}rg1-a YES";
/// What the node tells of its own group.
const OWN: &str = "{3}RG1 1 {5}rg1-a ";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refreshed();
    cases.extend(boots());
    cases.extend(stale());
    cases
}

fn refreshed() -> Vec<Case> {
    let over = |blueprint: fn() -> Blueprint| opened(Play::over(blueprint));
    vec![
        link(
            "link.lifetime.05",
            "The lifetime of the configuration stands in the record",
            &["LS-150"],
            over(short_lived)
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("in-the-record", TABLE.with("STATE UP ) ) LIFETIME 258 )"))),
        ),
        link(
            "link.lifetime.06",
            "The lifetime of a day stands in none",
            &["LS-150", "LS-154"],
            triangular()
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("own", TABLE.with(OWN)))
                .look(Look::Never("no-lifetime", TABLE.with("LIFETIME"), None)),
        )
        .twin("link.lifetime.05"),
        link(
            "link.lifetime.07",
            "A third of the lifetime is the interval, and each refresh comes after three quarters of it to the whole",
            &["LS-151"],
            over(short_lived)
                .mark("boot")
                .wait(20 * MINUTE)
                .look(Look::Drawn("drawn", NEWS_TO_RG3.with(OWN), "boot", (150, 200), 6))
                .look(Look::Count("first", NEWS_TO_RG3.with(" 1 0 1 ( {5}rg1-a"), 1))
                .look(Look::Count("second", NEWS_TO_RG3.with(" 1 0 2 ( {5}rg1-a"), 1))
                .look(Look::Count("third", NEWS_TO_RG3.with(" 1 0 3 ( {5}rg1-a"), 1)),
        )
        .kills(&[("never-refreshes", "drawn")]),
        link(
            "link.lifetime.08",
            "The interval of the configuration is kept where it names one",
            &["LS-151"],
            over(often_refreshed)
                .mark("boot")
                .wait(10 * MINUTE)
                .look(Look::Drawn("drawn", NEWS_TO_RG3.with(OWN), "boot", (75, 100), 6)),
        ),
        link(
            "link.lifetime.09",
            "A change begins the interval anew",
            &["LS-151", "MA-008"],
            Play::over(leads_short_lived)
                .wait(140 * SECOND)
                .mark("changed")
                .talk("fellow", {
                    let down = report("{7}RG1-RG2 DOWN");
                    reported().send(down.as_bytes()).frame("one", " ").frame("other", " ")
                })
                .act(Act::Leave("fellow"))
                .wait(149 * SECOND)
                .talk("rg2", asking())
                .wait(52 * SECOND)
                .talk("later", asking())
                .look(Look::Some("not-yet", TABLE.with(" 1 1 0 ( {5}rg1-a YES")))
                .look(Look::Some(
                    "then",
                    On::back("later", "200 ").with(" 1 1 1 ( {5}rg1-a YES"),
                )),
        ),
    ]
}

fn boots() -> Vec<Case> {
    let idle = |span_us: u64| triangular().wait(SECOND).mark("begun").wait(span_us);
    vec![
        link(
            "link.lifetime.10",
            "A restart makes no record young: the interval goes on where it was",
            &["LS-151", "LS-153"],
            idle(5 * HOUR)
                .act(Act::Restart)
                .wait(3 * HOUR)
                .talk("rg2", asking())
                .look(Look::Some("refreshed", TABLE.with(REFRESHED)))
                .look(Look::Count("told-to-rg3", NEWS_TO_RG3.with(REFRESHED), 1)),
        ),
        link(
            "link.lifetime.11",
            "A master that is late at its boot waits a sixteenth to a quarter of the interval",
            &["LS-151", "LS-153"],
            idle(MINUTE).act(Act::Away(20 * HOUR)).mark("boot").wait(3 * HOUR).look(Look::Drawn(
                "not-at-once",
                NEWS_TO_RG3.with(REFRESHED),
                "boot",
                (1_800, 7_200),
                1,
            )),
        ),
    ]
}

fn stale() -> Vec<Case> {
    // Of RG2, for a minute.
    let brief = versioned(RG2, "1 {5}rg2-a 1 1 5 0").replace(") ) )", ") ) LIFETIME 3c )");
    vec![link(
        "link.lifetime.12",
        "A record that has outlived itself changes neither table nor route, and nothing is returned for it",
        &["LS-152"],
        triangular()
            .wait(SECOND)
            .talk("first", telling(&[&brief]))
            .wait(2 * HOUR)
            .talk("rg2", asking())
            .talk("client", to_bob())
            .wait(SECOND)
            .look(Look::Digests("the-same-table", [On::back("first", "200 "), TABLE], true))
            .look(Look::Count("mail-goes", On::said(TO_RG2, "X-SUBMIT OFFER "), 1))
            .look(Look::Never("told-to-nobody", NEWS_TO_RG2.with("LIFETIME 3c"), None))
            .look(Look::NoNotice("not-returned", "rg1-a>rg1-c/deliver")),
    )
    .twin("link.lifetime.04")]
}
