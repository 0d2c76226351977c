//! The group port as it goes on: who comes and goes, who is silent, and who says what has no place.

use super::fellows::reported;
use super::handing_over::always;
use super::link_group::report;
use super::link_peers::{
    LAST, MINUTE, RG2, TO_RG2, TO_RG3, asking, knows, link, news_frame, opened, telling,
    triangular, versioned,
};
use super::members::NO_DIGEST;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::led;
use crate::play::{Act, Answer, Digest, Look, On, Play};
use crate::script::{Script, Seat, THEIRS, frame};

const TABLE: On = On::back("rg2", "200 ");
const TO_MASTER: &str = "rg1-a>rg1-c/group";
const REPORT: On = On::said(TO_MASTER, "").with(" REPORT ");
/// How what the master of RG1 says of it begins: behind this stands the term.
const OWN: &str = "00000000000000000000000000000001 {3}RG1 ";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = coming_and_going();
    cases.extend(silence());
    cases.extend(out_of_place());
    cases.extend(beginnings());
    cases
}

/// The node is the master, and a second has passed.
fn master() -> Play {
    triangular().wait(SECOND)
}

/// The node is a member whose master is played.
fn member() -> Play {
    opened(Play::over(led)).wait(SECOND)
}

/// The fellow attaches, and says nothing more.
fn attached() -> Script {
    greeted().send(frame(" ATTACH {5}rg1-c\r\n").as_bytes())
}

fn greeted() -> Script {
    Script::new(Seat::Fellow, Port::Group).frame("greeting", " NODEINFO (6) {")
}

/// What the fellow says on.
fn goes_on() -> Script {
    Script::new(Seat::Fellow, Port::Group)
}

fn merged() -> String {
    frame(&format!(" MERGED {THEIRS} ()\r\n"))
}

/// Asks for the table on a connection that is attached.
fn asks(script: Script, check: &str) -> Script {
    script.send(news_frame(NO_DIGEST, &[]).as_bytes()).frame(check, " MERGED ")
}

fn coming_and_going() -> Vec<Case> {
    let both = "( {5}rg1-a YES {5}rg1-c YES )";
    let new = versioned(RG2, "1 {5}rg2-a 1 1 5 0");
    vec![
        link(
            "link.port.01",
            "A member that comes, goes and comes again makes its master publish nothing",
            &["MA-016", "MA-007"],
            master()
                .talk("before", attached())
                .act(Act::Leave("before"))
                .wait(MINUTE)
                .talk("again", attached())
                .wait(MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("everybody-is-there", TABLE.with(both)))
                .look(Look::Some("the-first-version", TABLE.with(" 1 0 0 ( {5}rg1-a YES ")))
                .look(Look::Never(
                    "no-other",
                    On::said(TO_RG3, LAST).with(" 1 1 0 ( {5}rg1-a"),
                    None,
                )),
        )
        .twin("link.master.01")
        .kills(&[("attachment-is-published", "the-first-version")]),
        link(
            "link.port.02",
            "A member that attaches again is heard on its newer connection, and the older one ends",
            &["MA-018"],
            master()
                .talk("older", reported())
                .talk("newer", reported())
                .talk("rg2", telling(&[&new]))
                .talk("newer", goes_on().frame("news", " NEWS ").send(merged().as_bytes()))
                .wait(SECOND)
                .look(Look::Ended("the-older-ends", "older"))
                .look(Look::Count("told-once", On::back("newer", "").with(" NEWS "), 1)),
        ),
    ]
}

fn silence() -> Vec<Case> {
    let hangs = |cue: &'static str| {
        let known = always(" NEWS ", Answer::Merged(Digest::Same, &[]));
        let cues = match cue {
            " NEWS " => vec![always(cue, Answer::Hang)],
            _ => vec![always(cue, Answer::Hang), known],
        };
        opened(Play::over(led)).opens(TO_MASTER, Port::Group, cues).mark("begun").wait(4 * MINUTE)
    };
    // News stands in the connection of the fellow, who says nothing of it for so long.
    let told = |span_us: u64| {
        let new = versioned(RG2, "1 {5}rg2-a 1 1 5 0");
        master().talk("fellow", reported()).talk("rg2", telling(&[&new])).wait(span_us)
    };
    let hears = || goes_on().frame("news", " NEWS ");
    vec![
        link(
            "link.port.03",
            "A member whose master does not answer its report for 60 s calls it again",
            &["MA-019", "MA-010"],
            // The news is merged each time, and the next call comes after 1 s.
            hangs(" REPORT ").look(Look::Attempts(
                "called-again",
                TO_MASTER,
                "begun",
                vec![61, 122, 183],
            )),
        )
        .kills(&[("silence-is-kept", "called-again")]),
        link(
            "link.port.04",
            "A member whose master does not answer its news for 60 s calls it again, ever later",
            &["MA-019", "MA-010"],
            hangs(" NEWS ").look(Look::Attempts(
                "called-again",
                TO_MASTER,
                "begun",
                vec![61, 123, 187],
            )),
        ),
        link(
            "link.port.05",
            "A master closes the connection of a member that has not answered its news for 60 s",
            &["MA-019"],
            told(MINUTE).talk("fellow", hears().gone("closed")),
        )
        .twin("link.port.06"),
        link(
            "link.port.06",
            "It does not while there is time",
            &["MA-019"],
            told(MINUTE - SECOND)
                .talk("fellow", hears().send(merged().as_bytes()))
                .wait(2 * MINUTE)
                .talk("fellow", asks(goes_on(), "still-heard")),
        ),
    ]
}

fn out_of_place() -> Vec<Case> {
    let says = |what: &str| {
        member()
            .mark("told")
            .act(Act::Tell(TO_MASTER, Port::Group, what.to_owned()))
            .wait(2 * SECOND)
            .look(Look::Attempts("called-again", TO_MASTER, "told", vec![1]))
    };
    let hears = |what: String| {
        master().talk("fellow", reported().send(frame(&what).as_bytes()).gone("closed"))
    };
    let first = |octets: &[u8]| master().talk("fellow", greeted().send(octets).gone("closed"));
    let grows = versioned(RG2, "1 {5}rg2-a 1 1 5 0");
    vec![
        link(
            "link.port.07",
            "A master that says REPORTED although nothing was reported is left, and called again",
            &["MA-021", "SM-082"],
            says(" REPORTED 1 {5}rg1-c 1"),
        ),
        link(
            "link.port.08",
            "A master that says MERGED although nothing was told is left, and called again",
            &["MA-021", "SM-082"],
            says(&format!(" MERGED {NO_DIGEST} ()")),
        ),
        link(
            "link.port.09",
            "What such a MERGED carries is not merged",
            &["MA-021"],
            member()
                .act(Act::Tell(TO_MASTER, Port::Group, format!(" MERGED {NO_DIGEST} ( {grows} )")))
                .wait(5 * SECOND)
                .talk("rg2", asking())
                .look(Look::Some("the-old-one", TABLE.with("{3}RG2 1 {5}rg2-a 1 1 0 0")))
                .look(Look::Never("not-merged", TABLE.with("1 {5}rg2-a 1 1 5 0"), None)),
        )
        .twin("link.forward.01"),
        link(
            "link.port.10",
            "A member that says MERGED although nothing was told is thrown out",
            &["MA-021", "SM-082"],
            hears(format!(" MERGED {NO_DIGEST} ()\r\n")),
        )
        .twin("link.group.01"),
        link(
            "link.port.11",
            "A member that says REPORTED to its master is thrown out",
            &["MA-021", "SM-082"],
            hears(" REPORTED 1 {5}rg1-c 1\r\n".to_owned()),
        )
        .twin("link.group.01"),
        link(
            "link.port.12",
            "Before ATTACH a frame of more than 1,024 octets is refused at its count",
            &["MA-022"],
            first(b"{00000401}"),
        )
        .twin("link.port.13"),
        link(
            "link.port.13",
            "Behind ATTACH a frame of more than 1,024 octets is heard to its end",
            &["MA-022"],
            master().talk("fellow", {
                let states = "{7}RG1-RG2 UP ".repeat(200);
                reported().send(report(states.trim_end()).as_bytes()).frame("heard", " REPORTED ")
            }),
        ),
    ]
}

/// A record of RG1 that its master did not write, under the term of one who is no member of it.
pub(super) fn rival(counter: &str) -> String {
    format!(
        "( {OWN}{counter} {{5}}rg1-x 1 1 0 0 ( {{5}}rg1-a YES {{5}}rg1-c YES ) ( {} {} ) )",
        "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE DOWN )",
        "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP )",
    )
}

fn beginnings() -> Vec<Case> {
    let outbids = || {
        let told = |counter: &str| telling(&[&rival(counter)]);
        master()
            .talk("one", told("5"))
            .talk("two", told("10"))
            .talk("three", told("20"))
            .wait(SECOND)
            .talk("rg2", asking())
            .talk("four", told("30"))
    };
    let by_node = |counter: &'static str| On::said(TO_RG3, LAST).with(counter);
    let unheard = || {
        opened(Play::over(led))
            .begins(TO_RG2, Rule::Refuse)
            .begins(TO_RG3, Rule::Refuse)
            .mark("boot")
    };
    vec![
        link(
            "link.term.11",
            "A master that knows nothing begins with the least term that it can have",
            &["MA-024"],
            triangular()
                .talk("rg2", asking())
                .look(Look::Some("the-least-term", TABLE.with("{3}RG1 1 {5}rg1-a 0 1 0 0 ("))),
        )
        .kills(&[("first-term-outbids", "the-least-term")]),
        link(
            "link.term.12",
            "A master without its disk keeps what comes back of its record in that term",
            &["MA-024", "MA-002"],
            master()
                .cast(TO_RG2, Port::Smtp, knows(&[RG2, OF_OLD]))
                .act(Act::LoseDisk)
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Some("the-record-of-old", TABLE.with("{3}RG1 1 {5}rg1-a 0 1 4 0 ("))),
        ),
        link(
            "link.term.13",
            "A master outbids three terms of a rival within 15 minutes, and no fourth",
            &["MA-026"],
            outbids()
                .wait(10 * MINUTE)
                .talk("later", asking())
                .look(Look::Some("the-third", TABLE.with("{3}RG1 21 {5}rg1-a ")))
                .look(Look::Some(
                    "the-rival-stands",
                    On::back("later", "200 ").with("{3}RG1 30 {5}rg1-x "),
                ))
                .look(Look::Never("no-fourth", by_node("{3}RG1 31 {5}rg1-a "), None)),
        )
        .twin("link.term.02")
        .kills(&[("outbids-for-ever", "no-fourth")]),
        link(
            "link.term.14",
            "15 minutes after the first of them it outbids again",
            &["MA-026"],
            master()
                .mark("first")
                .talk("one", telling(&[&rival("5")]))
                .wait(MINUTE)
                .talk("two", telling(&[&rival("10")]))
                .talk("three", telling(&[&rival("20")]))
                .talk("four", telling(&[&rival("30")]))
                .wait(15 * MINUTE)
                .look(Look::Seconds("then", by_node("{3}RG1 31 {5}rg1-a "), "first", vec![900])),
        ),
        link(
            "link.port.14",
            "A member reports nothing of a connector of which it knows nothing, and DOWN when it is decided",
            &["MA-025", "MA-011", "LS-047"],
            unheard()
                .wait(4 * MINUTE)
                .look(Look::Some("reports-nothing", REPORT.with(" REPORT ()")))
                .look(Look::Never("not-up", REPORT.with(" UP"), None))
                .look(Look::Seconds(
                    "down-at-180-s",
                    REPORT.with("{7}RG1-RG2 DOWN {7}RG1-RG3 DOWN"),
                    "boot",
                    vec![180],
                )),
        )
        .twin("link.port.15")
        .kills(&[("unknown-is-up", "not-up")]),
        link(
            "link.port.15",
            "It reports the connector in the moment in which its first attempt succeeds",
            &["MA-025", "MA-013"],
            unheard()
                .wait(90 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(MINUTE)
                .look(Look::Seconds("up-at-120-s", REPORT.with("{7}RG1-RG2 UP )"), "boot", vec![120])),
        ),
    ]
}

/// What RG1's master of the same name has published before.
const OF_OLD: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 1 {5}rg1-a 0 1 4 0 ( {5}rg1-a YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE UP ) ",
    "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP ) ) )",
);
