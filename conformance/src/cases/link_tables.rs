//! What has come to tables: groups that were deleted, lifetimes, sources that are not available, and the
//! comparison of tables node by node.

use core::ops::Range;

use super::fellows::reported;
use super::handing_over::to_bob;
use super::link_group::report;
use super::link_news::other_group;
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG2, NEWS_TO_RG3, RG2, RG3, TO_RG2, TO_RG3, asking, knows, leaves, link,
    news_frame, opened, telling, tells_element, triangular, versioned,
};
use super::members::{NO_DIGEST, proved};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::{Port, Rule};
use crate::organization::{fellow_carries, shared};
use crate::play::{Act, Look, On, Play};
use crate::script::{Script, Seat, THEIRS, frame};

/// What the node answers to a query behind everything.
const TABLE: On = On::back("rg2", "200 ");
/// The tombstone of RG3.
const GRAVE: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 ffffffffffffffff {5}rg9-a 0 0 0 0 () () ",
    "DELETED {5}moved )",
);
/// The tombstone of the node's own group.
const OWN_GRAVE: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 ffffffffffffffff {5}rg9-a 0 0 0 0 () () ",
    "DELETED {5}moved )",
);

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = tombstones();
    cases.push(full_of_tombstones());
    cases.extend(unmerged());
    cases.extend(lifetimes());
    cases.extend(sources());
    cases.extend(nodes());
    cases
}

fn tombstones() -> Vec<Case> {
    let old = || versioned(RG3, "9 {5}rg3-a 1 9 9 9");
    let buried = || triangular().wait(SECOND).mark("told").talk("first", telling(&[GRAVE]));
    vec![
        link(
            "link.tombstone.01",
            "The record of a group that was deleted does not come back, and the tombstone is the answer",
            &["LS-130", "LS-001", "LS-016"],
            buried()
                .talk("second", telling(&[&old()]))
                .talk("rg2", asking())
                .look(Look::Some("the-tombstone-is-there", TABLE.with(GRAVE)))
                .look(Look::Never("the-record-is-not", TABLE.with("{3}RG3 9 "), None))
                .look(Look::Some("the-answer", On::back("second", "200 ").with(GRAVE))),
        )
        .twin("link.merge.01")
        .kills(&[("tombstone-ignored", "the-record-is-not")]),
        link(
            "link.tombstone.02",
            "A tombstone is told over the other connectors at once, also to the group that it is about",
            &["LS-130", "LS-017"],
            buried().wait(SECOND).look(Look::Seconds(
                "to-rg3",
                NEWS_TO_RG3.with(GRAVE),
                "told",
                vec![0],
            )),
        ),
        link(
            "link.tombstone.03",
            "A tombstone is kept through a restart",
            &["LS-130", "LS-006", "LS-007"],
            buried()
                .act(Act::Restart)
                .talk("second", telling(&[&old()]))
                .talk("rg2", asking())
                .look(Look::Some("still-there", TABLE.with(GRAVE)))
                .look(Look::Never("the-record-is-not", TABLE.with("{3}RG3 9 "), None)),
        )
        .twin("link.merge.01"),
        link(
            "link.tombstone.04",
            "A master whose group was deleted does not outbid the tombstone: it publishes nothing",
            &["LS-134"],
            triangular()
                .wait(SECOND)
                .talk("first", telling(&[OWN_GRAVE]))
                .wait(MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("the-tombstone-is-there", TABLE.with(OWN_GRAVE)))
                .look(Look::Never("no-record-of-its-own", TABLE.with("{3}RG1 1 "), None)),
        )
        .twin("link.term.02"),
    ]
}

/// How many tombstones a table takes.
const GRAVES: u32 = 10_000;

/// As the fellow: tells the tombstones of the groups with these numbers, a thousand in each message.
fn tells_graves(numbers: Range<u32>) -> Script {
    let grave = |number: u32| {
        let name = format!("G{number}");
        let length = name.len();
        let version = "ffffffffffffffff {5}rg9-a 0 0 0 0";
        format!("( {number:032x} {{{length:x}}}{name} {version} () () DELETED {{1}}x )")
    };
    let parts = numbers.clone().step_by(1_000);
    parts.fold(reported(), |script, start| {
        let part: Vec<String> = (start..numbers.end.min(start + 1_000)).map(grave).collect();
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        let news = news_frame(NO_DIGEST, &part);
        script.send(news.as_bytes()).frame(&format!("merged-{start}"), " MERGED ")
    })
}

fn full_of_tombstones() -> Case {
    let said = |name: &'static str| On::back(name, "").with(" MERGED ");
    let play = triangular()
        .wait(SECOND)
        .rule(TO_RG2, Rule::Refuse)
        .rule(TO_RG3, Rule::Refuse)
        .talk("many", tells_graves(1_000..GRAVES + 999))
        .act(Act::Leave("many"))
        .talk("last", tells_graves(GRAVES + 999..GRAVES + 1_000))
        .act(Act::Leave("last"))
        .talk("beyond", tells_graves(GRAVES + 1_000..GRAVES + 1_001))
        .look(Look::Digests("the-last-one-fits", [said("many"), said("last")], false))
        .look(Look::Digests("no-more", [said("last"), said("beyond")], true));
    let title = "A table takes 10,000 tombstones, and no more";
    link("link.tombstone.05", title, &["LS-132"], play)
        .kills(&[("tombstones-without-limit", "no-more")])
}

/// What is not merged, and is no fault of whoever tells it.
fn unmerged() -> Vec<Case> {
    let rg3 = |part: &str, other: &str| {
        let record = versioned(RG3, "7 {5}rg3-a 1 1 0 0");
        record
            .replacen("BH ( {5}rg3-a ) STATE UP", "BH ( {5}rg3-a {5}rg3-b ) STATE UP", 1)
            .replacen(part, other, 1)
    };
    let up = "STATE UP";
    let bad = [
        ("LS-105", "an unavailable member that is no source", {
            rg3(up, "CONN_NOT_AVAIL ( {5}rg3-z ) STATE UP")
        }),
        ("LS-105", "no source that is available", {
            rg3(up, "CONN_NOT_AVAIL ( {5}rg3-a {5}rg3-b ) STATE UP")
        }),
        ("LS-105", "an unavailable source of a connector that is DOWN", {
            rg3(up, "CONN_NOT_AVAIL ( {5}rg3-b ) STATE DOWN")
        }),
        ("LS-173", "priorities out of order", {
            rg3(up, "STATE UP RESTRICT ( PRIORITY ( HIGH LOW ) )")
        }),
        ("LS-173", "ids of senders out of order", {
            let ids = "0000000000000002 0000000000000001";
            rg3(up, &format!("STATE UP RESTRICT ( DENY ( {ids} ) )"))
        }),
        ("LS-131", "a tombstone that has connectors", {
            let record = rg3(") ) )", ") ) DELETED {5}moved )");
            record.replacen(" 7 {5}rg3-a 1 1 0 0", " 7 {5}rg3-a 0 0 0 0", 1)
        }),
    ];
    let good = versioned(RG2, "1 {5}rg2-a 1 1 1 0");
    let told = |id: &str, (clause, what, record): &(&str, &str, String)| {
        let play = triangular()
            .talk("first", telling(&[record, &good]))
            .talk("rg2", asking())
            .wait(SECOND)
            .look(Look::Never("not-merged", TABLE.with("{3}RG3 7 "), None))
            .look(Look::Some("the-old-one", TABLE.with("{3}RG3 1 {5}rg3-a 1 1 0 0")))
            .look(Look::Some("the-other-of-the-news", TABLE.with("1 {5}rg2-a 1 1 1 0")));
        let title = format!("A record with {what} is not merged; what stands beside it is");
        link(id, &title, &[clause], play).twin("link.sources.01")
    };
    let numbered = bad.iter().enumerate();
    numbered.map(|(place, one)| told(&format!("link.unmerged.{:02}", place + 6), one)).collect()
}

fn lifetimes() -> Vec<Case> {
    let record = versioned(RG2, "1 {5}rg2-a 1 1 5 0").replace(") ) )", ") ) LIFETIME 258 )");
    const REFRESHED: &str = " 1 0 1 ( {5}rg1-a YES";
    let idle = |span_us: u64| triangular().wait(SECOND).mark("begun").wait(span_us);
    vec![
        link(
            "link.lifetime.01",
            "A lifetime is kept with its record, and told on",
            &["LS-150", "WI-102", "LS-017"],
            triangular()
                .wait(SECOND)
                .talk("first", telling(&[&record]))
                .talk("rg2", asking())
                .look(Look::Some("kept", TABLE.with("LIFETIME 258 )")))
                .look(Look::Some("told-on", NEWS_TO_RG3.with("LIFETIME 258 )"))),
        ),
        link(
            "link.lifetime.02",
            "A master of whose group nothing is new publishes again within a third of the lifetime",
            &["LS-151"],
            idle(8 * HOUR)
                .look(Look::Count("told-to-rg2", NEWS_TO_RG2.with(REFRESHED), 1))
                .look(Look::Count("told-to-rg3", NEWS_TO_RG3.with(REFRESHED), 1)),
        ),
        link(
            "link.lifetime.03",
            "It does not do so before three quarters of that have passed",
            &["LS-151"],
            idle(6 * HOUR - MINUTE).talk("rg2", asking()).look(Look::Never(
                "not-yet",
                TABLE.with(REFRESHED),
                None,
            )),
        )
        .twin("link.lifetime.02"),
        link(
            "link.lifetime.04",
            "A record that is older than its lifetime stays in the table as it was",
            &["LS-152"],
            triangular()
                .wait(SECOND)
                .talk("first", telling(&[&record]))
                .wait(HOUR)
                .talk("rg2", asking())
                .look(Look::Some("still-there", TABLE.with("1 {5}rg2-a 1 1 5 0 "))),
        ),
    ]
}

/// Two sources of one connector, and what the record says of them.
const BOTH_UP: &str = "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a {5}rg1-c ) STATE UP )";
const ONE_HELD: &str =
    "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a {5}rg1-c ) CONN_NOT_AVAIL ( {5}rg1-c ) STATE UP )";

/// As the fellow: reports again, and hears both of the answer and the news that follows.
pub(super) fn reports(states: &str) -> Script {
    let script = reported().send(report(states).as_bytes()).frame("one", " ").frame("other", " ");
    script.send(frame(&format!(" MERGED {THEIRS} ()\r\n")).as_bytes())
}

fn sources() -> Vec<Case> {
    let with_two = || opened(Play::over(shared)).wait(SECOND);
    let other = versioned(RG3, "7 {5}rg3-a 1 1 0 0").replacen(
        "BH ( {5}rg3-a ) STATE UP",
        "BH ( {5}rg3-a {5}rg3-b ) CONN_NOT_AVAIL ( {5}rg3-b ) STATE UP",
        1,
    );
    vec![
        link(
            "link.sources.01",
            "A record that names a source as not available is merged, and told as it is",
            &["LS-103", "LS-105", "LS-017"],
            triangular()
                .wait(SECOND)
                .talk("first", telling(&[&other]))
                .talk("rg2", asking())
                .look(Look::Some("merged", TABLE.with("CONN_NOT_AVAIL ( {5}rg3-b ) STATE UP"))),
        ),
        link(
            "link.sources.02",
            "A master names the source that holds its mail as not available, and the connector UP",
            &["LS-103", "LS-104"],
            with_two()
                .mark("told")
                .talk("fellow", reports("{7}RG1-RG2 HELD"))
                .talk("rg2", asking())
                .look(Look::Some("named", TABLE.with(ONE_HELD)))
                .look(Look::Seconds("told-at-once", NEWS_TO_RG3.with(ONE_HELD), "told", vec![0])),
        ),
        link(
            "link.sources.03",
            "With one source that holds and one that is DOWN the connector is UP, and names neither",
            &["LS-103", "MA-004"],
            with_two()
                .talk("fellow", reports("{7}RG1-RG2 HELD"))
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(5 * MINUTE)
                .talk("fellow", Script::new(Seat::Fellow, Port::Group).frame("news", " NEWS "))
                .look(Look::Some("names-neither", On::said(TO_RG3, LAST).with(BOTH_UP)))
                .look(Look::Never(
                    "not-down",
                    On::said(TO_RG3, LAST).with("( {5}rg1-a {5}rg1-c ) STATE DOWN"),
                    None,
                )),
        )
        .twin("link.master.04"),
        link(
            "link.sources.04",
            "Mail is handed to the first source that is available",
            &["LS-042"],
            Play::over(fellow_carries)
                .opens(TO_RG3, Port::Smtp, knows(&[RG2, RG3]))
                .wait(SECOND)
                .talk("fellow", reports("{7}RG1-RG2 HELD"))
                .wait(6 * SECOND)
                .talk("client", to_bob())
                .wait(SECOND)
                .look(Look::Count(
                    "to-the-second",
                    On::said("rg1-a>rg1-b/smtp", "X-SUBMIT OFFER "),
                    1,
                ))
                .look(Look::Never(
                    "not-to-the-first",
                    On::said("rg1-a>rg1-c/smtp", "X-SUBMIT OFFER "),
                    None,
                )),
        )
        .twin("link.mail.01"),
    ]
}

/// As rg2-a: tells nodes and no record.
fn comparing(nodes: &str) -> Script {
    let element = format!(" NEWS {NO_DIGEST} () ( {nodes} )");
    leaves(tells_element(proved(), &element, "compared"))
}

fn nodes() -> Vec<Case> {
    let many = || {
        let records: Vec<String> = (100..120).map(other_group).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        triangular().wait(SECOND).talk("first", telling(&records))
    };
    let inner = format!("( - INNER{} )", format!(" {NO_DIGEST}").repeat(16));
    let newer =
        format!("( - LEAF ( 00000000000000000000000000000003 9 {{5}}rg3-a 1 1 0 0 {NO_DIGEST} ) )");
    vec![
        link(
            "link.nodes.01",
            "A query to a table of more than 16 records is answered with its root node and no record",
            &["LS-015", "LS-120"],
            many()
                .talk("rg2", asking())
                .look(Look::Some("the-root", TABLE.with("( - INNER ")))
                .look(Look::Records("no-record", TABLE.with(" MERGED "), vec![0])),
        ),
        link(
            "link.nodes.02",
            "Where two inner nodes differ, the answer tells the children that differ, as lists where they are small",
            &["LS-121", "LS-122"],
            many()
                .talk("rg2", comparing(&inner))
                .look(Look::Some("the-first-child", TABLE.with(" () ( ( 0 LEAF (")))
                .look(Look::Some("the-last-child", TABLE.with(" ( f LEAF ("))),
        ),
        link(
            "link.nodes.03",
            "A list that lacks records is answered with them",
            &["LS-122"],
            triangular()
                .wait(SECOND)
                .talk("rg2", comparing("( - LEAF () )"))
                .look(Look::Records("all-three", TABLE.with(" MERGED "), vec![3]))
                .look(Look::Some("rg3s", TABLE.with("{3}RG3 1 {5}rg3-a "))),
        ),
        link(
            "link.nodes.04",
            "A listed record that is greater than the own one is not answered with the own one but with a list",
            &["LS-122"],
            triangular()
                .wait(SECOND)
                .talk("rg2", comparing(&newer))
                .look(Look::Some("the-own-list", TABLE.with(" ( - LEAF ( ")))
                .look(Look::Some("what-it-lacks", TABLE.with("{3}RG2 1 {5}rg2-a ")))
                .look(Look::Never("not-the-lesser", TABLE.with("{3}RG3 1 "), None)),
        )
        .twin("link.nodes.03"),
        link(
            "link.nodes.05",
            "An inner node for a smaller table is answered with the list of its records",
            &["LS-121", "LS-122"],
            triangular()
                .wait(SECOND)
                .talk("rg2", comparing(&inner))
                .look(Look::Some("the-list", TABLE.with(" () ( ( - LEAF ( "))),
        ),
    ]
}
