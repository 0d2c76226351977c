//! Which of two records of a group a member keeps, and which it does not take at all.

use super::fellows::reported;
use super::link_peers::{
    MINUTE, RG2, RG3, TO_RG3, asking, leaves, link, news_frame, telling, tells, tells_under,
    triangular, versioned,
};
use super::members::{NO_DIGEST, proved};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::play::{Act, Look, On, Play};
use crate::script::{Script, THEIRS};

/// What the node answers to a query behind everything.
const TABLE: On = On::back("rg2", "200 ");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = versions();
    cases.extend(contents());
    cases.extend(refused());
    cases
}

/// The lesser and the greater of two versions that differ in one part, where the lesser one has the
/// greater number in every part behind it.
const PAIRS: [(&str, &str, &str); 6] = [
    ("counter", "1 {5}rg3-z f 9 9 9", "2 {5}rg3-a 1 1 0 0"),
    ("member", "2 {5}rg3-a f 9 9 9", "2 {5}rg3-b 1 1 0 0"),
    ("nonce", "2 {5}rg3-a 1 9 9 9", "2 {5}rg3-a 2 1 0 0"),
    ("major", "2 {5}rg3-a 1 1 9 9", "2 {5}rg3-a 1 2 0 0"),
    ("minor", "2 {5}rg3-a 1 1 1 9", "2 {5}rg3-a 1 1 2 0"),
    ("user", "2 {5}rg3-a 1 1 1 1", "2 {5}rg3-a 1 1 1 2"),
];

fn versions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, (part, lesser, greater)) in PAIRS.into_iter().enumerate() {
        let (old, new) = (versioned(RG3, lesser), versioned(RG3, greater));
        let told = |records: [&str; 2]| {
            triangular()
                .talk("first", telling(&[records[0]]))
                .talk("second", telling(&[records[1]]))
                .talk("rg2", asking())
        };
        let id = format!("link.merge.{:02}", 2 * place + 1);
        let title = format!("A record with the greater {part} takes the place of the other");
        let grows =
            told([&old, &new]).look(Look::Some("the-greater-is-there", TABLE.with(greater)));
        cases.push(link(&id, &title, &["LS-001"], grows));
        let id = format!("link.merge.{:02}", 2 * place + 2);
        let title = format!(
            "A record with the lesser {part} changes nothing, and the greater is the answer"
        );
        let stale = told([&new, &old])
            .look(Look::Some("the-greater-is-there", TABLE.with(greater)))
            .look(Look::Never("the-lesser-is-not", TABLE.with(lesser), None))
            .look(Look::Some("the-answer", On::back("second", "200 ").with(greater)));
        let case = link(&id, &title, &["LS-001", "LS-016"], stale);
        let case = case.twin(&format!("link.merge.{:02}", 2 * place + 1));
        let kills = [("stale-merge", "the-lesser-is-not")];
        cases.push(if part == "minor" { case.kills(&kills) } else { case });
    }
    cases
}

/// Two records of RG3 with one version; the second one has the greater digest, whatever comes first.
/// SHA-256 of the canonical form (LS-003) begins with 02661cee and with 38dc35fa.
const COST_A: &str = "{7}RG3-RG1 ( CONFIG {3}RG1 14 BH ( {5}rg3-a ) STATE UP )";
const COST_B: &str = "{7}RG3-RG1 ( CONFIG {3}RG1 a BH ( {5}rg3-a ) STATE UP )";

fn contents() -> Vec<Case> {
    let with = |connector: &str| {
        format!(
            "( 00000000000000000000000000000003 {{3}}RG3 2 {{5}}rg3-a 1 1 0 0 ( {{5}}rg3-a YES ) ( {connector} ) )"
        )
    };
    let (small, great) = (with(COST_A), with(COST_B));
    let told = |records: [&str; 2]| {
        triangular()
            .talk("first", telling(&[records[0]]))
            .talk("second", telling(&[records[1]]))
            .talk("rg2", asking())
    };
    let record = with(COST_A);
    let digest = |play: Play| {
        play.talk("first", telling(&[&record])).talk("rg2", asking()).look(Look::Digests(
            "the-same-table",
            [On::back("first", "200 "), On::back("rg2", "200 ")],
            true,
        ))
    };
    vec![
        link(
            "link.content.01",
            "Of two contents under one version the one with the greater digest is kept when it comes last",
            &["LS-002", "LS-003"],
            told([&small, &great]).look(Look::Some("the-greater", TABLE.with(COST_B))),
        ),
        link(
            "link.content.02",
            "And when it came first",
            &["LS-002", "LS-003"],
            told([&great, &small])
                .look(Look::Some("the-greater", TABLE.with(COST_B)))
                .look(Look::Never("not-the-lesser", TABLE.with(COST_A), None)),
        )
        .twin("link.content.01"),
        link(
            "link.content.03",
            "MERGED names the digest of the table after the merge",
            &["LS-012", "LS-004"],
            digest(triangular()),
        ),
        link(
            "link.content.04",
            "A record by which nothing grows leaves the digest as it is",
            &["LS-004", "LS-012"],
            triangular().talk("first", asking()).talk("second", telling(&[RG2])).look(
                Look::Digests(
                    "the-same-table",
                    [On::back("first", "200 "), On::back("second", "200 ")],
                    true,
                ),
            ),
        ),
        link(
            "link.content.05",
            "A record by which the table grows changes the digest",
            &["LS-004", "LS-012"],
            triangular().talk("first", asking()).talk("second", telling(&[&record])).look(
                Look::Digests(
                    "another-table",
                    [On::back("first", "200 "), On::back("second", "200 ")],
                    false,
                ),
            ),
        ),
        link(
            "link.content.06",
            "The same record on either port leads to the same table",
            &["LS-004", "LS-012"],
            triangular().talk("first", telling(&[&record])).talk("fellow", asks(reported())).look(
                Look::Digests(
                    "the-same-table",
                    [On::back("first", "200 "), On::back("fellow", "").with(" MERGED ")],
                    true,
                ),
            ),
        ),
    ]
}

/// As a fellow: asks for the table.
fn asks(script: Script) -> Script {
    let query = news_frame(NO_DIGEST, &[]);
    script.send(query.as_bytes()).frame("table", " MERGED ")
}

/// RG3's record with another list of connectors and a version that would be greater.
fn rg3_with(version: &str, connectors: &str) -> String {
    format!(
        "( 00000000000000000000000000000003 {{3}}RG3 {version} ( {{5}}rg3-a YES ) ( {connectors} ) )"
    )
}

fn refused() -> Vec<Case> {
    let one = |name: &str, to: &str| {
        format!("{{7}}{name} ( CONFIG {{3}}{to} a BH ( {{5}}rg3-a ) STATE UP )")
    };
    let members: Vec<String> = (0..65).map(|n| format!("{{3}}m{n:02} YES")).collect();
    let bad = [
        ("a connector to its own group", rg3_with("7 {5}rg3-a 1 1 0 0", &one("RG3-RG3", "RG3"))),
        (
            "connectors out of the order of their names",
            rg3_with(
                "7 {5}rg3-a 1 1 0 0",
                &format!("{} {}", one("RG3-RG2", "RG2"), one("RG3-RG1", "RG1")),
            ),
        ),
        (
            "the same connector twice",
            rg3_with("7 {5}rg3-a 1 1 0 0", &format!("{0} {0}", one("RG3-RG1", "RG1"))),
        ),
        (
            "65 members",
            rg3_with("7 {5}rg3-a 1 1 0 0", &one("RG3-RG1", "RG1"))
                .replace("{5}rg3-a YES", &members.join(" ")),
        ),
        (
            "a term that nobody can outbid",
            rg3_with("ffffffffffffffff {5}rg3-a 1 1 0 0", &one("RG3-RG1", "RG1")),
        ),
    ];
    let good = versioned(RG2, "1 {5}rg2-a 1 1 1 0");
    let mut cases: Vec<Case> = bad
        .iter()
        .enumerate()
        .map(|(place, (what, record))| {
            let has = if place == 4 { "ffffffffffffffff" } else { "{3}RG3 7 " };
            let play = triangular()
                .talk("first", telling(&[record, &good]))
                .talk("rg2", asking())
                .wait(SECOND)
                .look(Look::Never("not-merged", TABLE.with(has), None))
                .look(Look::Some("the-old-one", TABLE.with("{3}RG3 1 {5}rg3-a 1 1 0 0")))
                .look(Look::Some("the-other-of-the-news", TABLE.with("1 {5}rg2-a 1 1 1 0")));
            let id = format!("link.unmerged.{:02}", place + 1);
            let title = format!("A record with {what} is not merged; what stands beside it is");
            link(&id, &title, &["LS-005"], play).twin("link.chunk.plain.01")
        })
        .collect();
    cases.push(link(
        "link.stored.01",
        "What was merged is there after a kill that followed the answer at once",
        &["LS-006", "LS-007", "LS-012"],
        triangular()
            .talk("first", tells(proved(), &[&versioned(RG3, "1 {5}rg3-a 1 1 5 0")], "merged"))
            .act(Act::Restart)
            .talk("rg2", asking())
            .look(Look::Some("still-there", TABLE.with("1 {5}rg3-a 1 1 5 0"))),
    ));
    cases.push(link(
        "link.stored.02",
        "News that is told on was stored: a kill takes nothing back that a connector has carried",
        &["LS-008"],
        triangular()
            .talk("first", tells(proved(), &[&versioned(RG2, "1 {5}rg2-a 1 1 5 0")], "merged"))
            .wait(SECOND)
            .act(Act::Restart)
            .talk("rg2", asking())
            .look(Look::Some(
                "was-told",
                On::said(TO_RG3, "X-LINK2STATE LAST ").with("1 {5}rg2-a 1 1 5 0"),
            ))
            .look(Look::Some("still-there", TABLE.with("1 {5}rg2-a 1 1 5 0"))),
    ));
    cases.push(link(
        "link.query.01",
        "A query under the same digest is answered with no record",
        &["LS-015", "LS-013"],
        triangular()
            .talk("rg2", {
                let script = tells(proved(), &[], "first");
                leaves(tells_under(script, THEIRS, &[], "again"))
            })
            .wait(MINUTE)
            .look(Look::Count("all-records-once", TABLE.with("{3}RG3 1 "), 1))
            .look(Look::Count("no-record-once", TABLE.with(" ())"), 1)),
    ));
    cases.push(link(
        "link.query.02",
        "A query under another digest is answered with every record",
        &["LS-015"],
        triangular()
            .talk("rg2", asking())
            .look(Look::Some("own", TABLE.with("{3}RG1 1 {5}rg1-a ")))
            .look(Look::Some("rg2s", TABLE.with("{3}RG2 1 {5}rg2-a ")))
            .look(Look::Some("rg3s", TABLE.with("{3}RG3 1 {5}rg3-a "))),
    ));
    cases.push(
        link(
            "link.query.03",
            "News with an older record is answered with the greater one, and with no other",
            &["LS-016"],
            triangular()
                .talk("before", telling(&[&versioned(RG3, "1 {5}rg3-a 1 1 5 0")]))
                .wait(SECOND)
                .talk("rg2", telling(&[RG3]))
                .look(Look::Some("the-greater", TABLE.with("1 {5}rg3-a 1 1 5 0")))
                .look(Look::Never("not-rg1s", TABLE.with("{3}RG1 1 {5}rg1-a "), None)),
        )
        .twin("link.query.02"),
    );
    cases
}
