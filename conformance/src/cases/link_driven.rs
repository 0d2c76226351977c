//! The comparison of tables where the node drives it: the suite is the far end, and its answers need not be
//! true. And what one message may carry.

use super::fellows::reported;
use super::handing_over::{always, cue, once};
use super::link_news::other_group;
use super::link_peers::{
    LAST, NEWS_TO_RG3, RG2, TO_RG3, asking, link, news_frame, telling, triangular, versioned,
};
use super::members::NO_DIGEST;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::play::{Act, Answer, Cue, Digest, Look, On, Play, When};
use crate::script::{Script, frame};

const TABLE: On = On::back("later", "200 ");
const QUIT: On = On::said(TO_RG3, "QUIT");
/// Under the digest of no table, and nothing else.
const DIFFERS: Answer = Answer::Merged(Digest::None, &[]);
/// The far end has the table that it is told.
const AGREES: Answer = Answer::Merged(Digest::Same, &[]);
/// A root like no other.
const ROOT: Answer = Answer::Nodes(concat!(
    "( - INNER ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ",
    "0000000000000000000000000000000000000000000000000000000000000000 )",
));
/// A list of all that is there, in which RG3's record is greater than the one that the node has.
const NEWER: Answer = Answer::Nodes(concat!(
    "( - LEAF ( 00000000000000000000000000000003 1 {5}rg3-a 1 1 5 0 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ) )",
));
/// A list below the root with a group that the node does not know; its path begins with 6.
const UNKNOWN: Answer = Answer::Nodes(concat!(
    "( 6 LEAF ( 0000000000000000000000000000012c 1 {1}m 1 1 5 0 ",
    "0000000000000000000000000000000000000000000000000000000000000000 ) )",
));
const RG3_NEWER: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 1 {5}rg3-a 1 1 5 0 ( {5}rg3-a YES ) ",
    "( {7}RG3-RG1 ( CONFIG {3}RG1 14 BH ( {5}rg3-a ) STATE UP ) ",
    "{7}RG3-RG2 ( CONFIG {3}RG2 a BH ( {5}rg3-a ) STATE UP ) ) )",
);

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = driven();
    cases.extend(limits());
    cases
}

/// The answer to the message of that number.
const fn to(number: u32, answer: Answer) -> Cue {
    cue(LAST, When::Time(number), answer)
}

/// RG2 tells these records, at the mark `told`; the connection to RG3 carries one message of them, and what
/// follows from its answers.
fn compared(play: Play, cues: Vec<Cue>) -> Play {
    let new = versioned(RG2, "1 {5}rg2-a 1 1 5 0");
    play.cast(TO_RG3, Port::Smtp, cues)
        .mark("told")
        .talk("rg2", telling(&[&new]))
        .wait(SECOND)
        .talk("later", asking())
}

/// From the message of that number on this is the answer to twelve of them: more than a comparison that ends
/// can have, and after them a node whose comparison does not end is let go.
fn from(number: u32, answer: Answer) -> Vec<Cue> {
    let many = (number..number + 12).map(|number| to(number, answer));
    many.chain([always(LAST, AGREES)]).collect()
}

/// The node has more records than a leaf of the tree holds.
fn large() -> Play {
    let records: Vec<String> = (100..120).map(other_group).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    triangular().wait(SECOND).talk("first", telling(&records)).wait(SECOND)
}

fn small() -> Play {
    triangular().wait(SECOND)
}

fn messages(check: &'static str, count: usize) -> Look {
    Look::Seconds(check, NEWS_TO_RG3, "told", vec![0; count])
}

fn left(check: &'static str) -> Look {
    Look::Seconds(check, QUIT, "told", vec![0])
}

fn driven() -> Vec<Case> {
    vec![
        link(
            "link.driven.01",
            "What the list in an answer has greater the node asks for by its own list, and merges",
            &["LS-014", "LS-122", "LS-123"],
            compared(
                small(),
                vec![
                    to(1, DIFFERS),
                    to(2, NEWER),
                    to(3, Answer::Merged(Digest::None, &[RG3_NEWER])),
                    always(LAST, AGREES),
                ],
            )
            .look(Look::Count("its-list", NEWS_TO_RG3.with(" ( - LEAF ( "), 1))
            .look(Look::Some("merged", TABLE.with("{3}RG3 1 {5}rg3-a 1 1 5 0 ("))),
        ),
        link(
            "link.driven.02",
            "Where digests differ and nothing follows from the answers, a query and the root are the end",
            &["LS-014", "LS-009"],
            compared(large(), from(1, DIFFERS))
                .look(messages("record-query-root", 3))
                .look(Look::Count("the-root", NEWS_TO_RG3.with(" () ( ( - INNER "), 1))
                .look(left("left")),
        ),
        link(
            "link.driven.03",
            "In answer to a record alone a node is no answer: it is not followed",
            &["LS-123"],
            compared(small(), vec![once(LAST, NEWER), always(LAST, AGREES)])
                .look(messages("record-query", 2))
                .look(Look::Never("not-followed", NEWS_TO_RG3.with(" LEAF ("), None)),
        )
        .twin("link.driven.01"),
        link(
            "link.driven.04",
            "In answer to a query another node than the root is no answer: it is not followed",
            &["LS-123", "LS-014"],
            compared(large(), vec![to(1, DIFFERS), to(2, UNKNOWN), always(LAST, AGREES)])
                .look(messages("record-query-root", 3))
                .look(Look::Never("not-followed", NEWS_TO_RG3.with("( 6 LEAF ("), Some("told"))),
        )
        .twin("link.driven.01"),
        link(
            "link.driven.05",
            "A list that answers a list is followed by no node: the root comes next, and then the end",
            &["LS-123", "LS-014"],
            compared(
                large(),
                vec![to(1, DIFFERS), to(2, ROOT), to(3, UNKNOWN), always(LAST, AGREES)],
            )
            .look(messages("record-query-children-root", 4))
            .look(Look::Count("the-children", NEWS_TO_RG3.with(" () ( ( 0 LEAF ("), 1))
            .look(Look::Count("the-root", NEWS_TO_RG3.with(" () ( ( - INNER "), 1))
            .look(Look::Never("no-list-again", NEWS_TO_RG3.with(" () ( ( 6 LEAF ("), None)),
        )
        .twin("link.driven.01"),
        link(
            "link.driven.06",
            "A root in answer to a root is no answer, however often it comes: the comparison ends",
            &["LS-123", "LS-014"],
            compared(large(), [vec![to(1, DIFFERS)], from(2, ROOT)].concat())
                .look(messages("record-query-children-root", 4))
                .look(left("left")),
        ),
    ]
}

fn limits() -> Vec<Case> {
    let told = |numbers: core::ops::Range<u32>, script: Script, check: &str| {
        let records: Vec<String> = numbers.map(other_group).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        script.send(news_frame(NO_DIGEST, &records).as_bytes()).frame(check, " MERGED ")
    };
    let lists = frame(&format!(" NEWS {NO_DIGEST} () ( ( - LEAF () ) )\r\n"));
    vec![
        link(
            "link.driven.07",
            "A message tells at most 32 nodes, and a far end that differs everywhere is left in the end",
            &["LS-121", "LS-123", "LS-014"],
            compared(
                small()
                    .talk("fellow", told(100..600, reported(), "merged"))
                    .act(Act::Leave("fellow"))
                    .wait(SECOND),
                vec![to(1, DIFFERS), always(LAST, Answer::Differs)],
            )
            .look(Look::Nodes("at-most-32", NEWS_TO_RG3, (32, 272)))
            .look(left("left")),
        ),
        link(
            "link.driven.08",
            "An answer carries at most 1,024 records",
            &["LS-124"],
            small()
                .talk("fellow", {
                    let one = told(100..650, reported(), "one");
                    told(650..1_200, one, "other").send(lists.as_bytes()).frame("most", " MERGED ")
                })
                .look(Look::AtMost(
                    "at-most-1024",
                    On::back("fellow", "").with(" MERGED "),
                    (1_024, 1_024),
                )),
        ),
    ]
}
