//! Members that stay away: what a master makes of their silence, and for whom a new one waits.

use super::fellows::reported;
use super::link_group::report;
use super::link_peers::{
    MINUTE, NEWS_TO_RG3, RG2, RG3, TO_RG3, knows, link, opened, telling, triangular,
};
use super::link_port::rival;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::{fellow_carries, shared};
use crate::play::{Act, Look, Play};
use crate::script::{Script, Seat};

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let by_node = NEWS_TO_RG3.with("{3}RG1 31 {5}rg1-a ");
    // Four terms of a rival: the fourth one is not outbid at once, and stands at the boot.
    let told = |counter: &str| telling(&[&rival(counter)]);
    let outbid = || {
        triangular()
            .wait(SECOND)
            .talk("one", told("5"))
            .talk("two", told("10"))
            .talk("three", told("20"))
            .talk("four", told("30"))
            .wait(SECOND)
            .mark("boot")
            .act(Act::Restart)
    };
    vec![
        link(
            "link.absent.01",
            "A source that has not been attached for 6 minutes is named as not available beside one that has",
            &["LS-233", "LS-234"],
            Play::over(fellow_carries)
                .opens(TO_RG3, Port::Smtp, knows(&[RG2, RG3]))
                .mark("boot")
                .talk("fellow", {
                    let up = report("{7}RG1-RG2 UP");
                    reported().send(up.as_bytes()).frame("heard", " REPORTED ")
                })
                .wait(6 * MINUTE)
                .talk("fellow", Script::new(Seat::Fellow, Port::Group).frame("news", " NEWS "))
                .look(Look::Seconds(
                    "named",
                    NEWS_TO_RG3.with("CONN_NOT_AVAIL ( {5}rg1-b ) STATE UP"),
                    "boot",
                    vec![360],
                )),
        )
        .kills(&[("dead-source-is-available", "named")]),
        link(
            "link.absent.02",
            "A master that is alone in a group of two names nobody",
            &["LS-233"],
            opened(Play::over(shared)).wait(10 * MINUTE).look(Look::Never(
                "not-named",
                NEWS_TO_RG3.with("CONN_NOT_AVAIL"),
                None,
            )),
        )
        .twin("link.absent.01")
        .kills(&[("minority-names-absent", "not-named")]),
        link(
            "link.term.15",
            "A master that begins while its table has the record of another waits 30 s for who is away",
            &["LS-235"],
            outbid().wait(MINUTE).look(Look::Seconds("not-at-once", by_node, "boot", vec![30])),
        )
        .kills(&[("new-master-asks-nobody", "not-at-once")]),
    ]
}
