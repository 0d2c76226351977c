//! What a member knows and does behind a restart.

use super::handing_over::to_bob;
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG3, RG2, RG2_DOWN, RG2_UP, TO_RG2, TO_RG3, asking, link, telling,
    triangular, versioned,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Rule;
use crate::play::{Act, Look, On, Play};

const TABLE: On = On::back("rg2", "200 ");

/// Killed and started again while the connector to RG2 is DOWN.
fn down_at_boot() -> Play {
    triangular()
        .wait(SECOND)
        .rule(TO_RG2, Rule::Refuse)
        .talk("client", to_bob())
        .wait(200 * SECOND)
        .mark("boot")
        .act(Act::Restart)
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        link(
            "link.boot.01",
            "A connector that was DOWN is probed at the boot, and then every 60 s",
            &["LS-029", "LS-024"],
            down_at_boot().wait(3 * MINUTE).look(Look::Attempts(
                "at-once-and-every-60-s",
                TO_RG2,
                "boot",
                vec![0, 60, 120, 180],
            )),
        ),
        link(
            "link.boot.02",
            "It stays DOWN until a probe succeeds",
            &["LS-029"],
            down_at_boot()
                .wait(3 * MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("still-down", TABLE.with(RG2_DOWN)))
                .look(Look::Never(
                    "not-told-up",
                    On::said(TO_RG3, LAST).with(RG2_UP),
                    Some("boot"),
                )),
        )
        .twin("link.boot.03"),
        link(
            "link.boot.03",
            "When the probe at the boot succeeds it is UP at once, and told so",
            &["LS-029", "LS-025"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .talk("client", to_bob())
                .wait(200 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .mark("boot")
                .act(Act::Restart)
                .wait(SECOND)
                .look(Look::Seconds(
                    "told-up-at-once",
                    On::said(TO_RG3, LAST).with(RG2_UP),
                    "boot",
                    vec![0],
                )),
        ),
        link(
            "link.boot.04",
            "At a boot each connector is greeted, and its first news is a query where nothing is owed",
            &["LS-047", "LS-010", "LS-202"],
            triangular()
                .wait(SECOND)
                .mark("boot")
                .act(Act::Restart)
                .wait(SECOND)
                .look(Look::Seconds("greeted", On::said(TO_RG3, LAST), "boot", vec![0]))
                .look(Look::Some("a-query", On::said(TO_RG3, LAST).with(" ())")))
                .look(Look::Never("digests-alone", NEWS_TO_RG3.with("{3}RG1 "), Some("boot"))),
        )
        .twin("link.boot.06"),
        link(
            "link.boot.05",
            "What grew elsewhere meanwhile comes with the answer to the query",
            &["LS-047", "LS-016"],
            triangular()
                .wait(SECOND)
                .cast(TO_RG3, crate::net::Port::Smtp, super::link_peers::knows(&[RG3_LATER]))
                .act(Act::Restart)
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("learnt", TABLE.with("1 {5}rg3-a 1 1 3 0"))),
        ),
        link(
            "link.boot.06",
            "A table that was merged and not yet told on is told on behind the restart",
            &["LS-006", "LS-017"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG3, Rule::Refuse)
                .talk("teller", telling(&[&versioned(RG2, "1 {5}rg2-a 1 1 5 0")]))
                .wait(SECOND)
                .act(Act::Restart)
                .wait(SECOND)
                .rule(TO_RG3, Rule::Pass)
                .wait(2 * MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("still-known", TABLE.with("1 {5}rg2-a 1 1 5 0")))
                .look(Look::Some("asked-or-told", NEWS_TO_RG3)),
        ),
        link(
            "link.boot.07",
            "Mail that waited for a connector that is DOWN takes its way by the stored table",
            &["LS-006", "LS-040", "LS-182"],
            down_at_boot().talk("later", to_bob()).wait(SECOND).look(Look::Seconds(
                "by-rg3",
                On::said(TO_RG3, "X-SUBMIT OFFER "),
                "boot",
                vec![0],
            )),
        ),
    ]
}

const RG3_LATER: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 1 {5}rg3-a 1 1 3 0 ( {5}rg3-a YES ) ",
    "( {7}RG3-RG1 ( CONFIG {3}RG1 14 BH ( {5}rg3-a ) STATE UP ) ",
    "{7}RG3-RG2 ( CONFIG {3}RG2 a BH ( {5}rg3-a ) STATE UP ) ) )",
);
