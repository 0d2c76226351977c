//! When routes are computed (RFC 8405), who speaks for a name, and which of several sources a connector has.

use super::handing_over::{always, to_bob};
use super::link_group::RG1;
use super::link_peers::{
    LAST, MINUTE, RG2, RG3, TO_RG2, TO_RG3, asking, knows, link, opened, telling, versioned,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{
    Blueprint, RG2_RECORD, RG3_RECORD, all_by_rg3, between, led_shared, stubs, stubs_shared,
};
use crate::play::{Act, Answer, Digest, Look, On, Play};

const BY_RG2: On = On::said(TO_RG2, "X-SUBMIT OFFER ");
const BY_RG3: On = On::said(TO_RG3, "X-SUBMIT OFFER ");
const TO_MASTER: &str = "rg1-a>rg1-c/group";
const REPORT: On = On::said(TO_MASTER, "").with(" REPORT ");
/// One millisecond of virtual time.
const MILLI: u64 = SECOND / 1_000;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = paces();
    cases.extend(names());
    cases.extend(sources());
    cases
}

fn paces() -> Vec<Case> {
    // Mail waits for a record of RG2. First another change of connectors comes, then that record.
    let paced = |id: &str, title: &str, wait_us: u64, delay_ms: u64| {
        let other = versioned(RG3, "1 {5}rg3-a 1 1 5 0");
        let other = other.replace("CONFIG {3}RG2 a ", "CONFIG {3}RG2 32 ");
        let play = Play::over(between)
            .opens(TO_RG2, Port::Smtp, knows(&[]))
            .opens(TO_RG3, Port::Smtp, knows(&[RG3]))
            .wait(SECOND)
            .talk("client", to_bob())
            .wait(MINUTE)
            .talk("first", telling(&[&other]))
            .wait(wait_us)
            .mark("record")
            .talk("rg2", telling(&[RG2]))
            .wait(6 * SECOND)
            .look(Look::Millis("computed-then", BY_RG2, "record", vec![delay_ms]));
        link(id, title, &["LS-180", "LS-181"], play)
    };
    vec![
        paced(
            "link.pace.01",
            "What changes within the 50 ms of a first change is computed with it",
            20 * MILLI,
            30,
        ),
        paced(
            "link.pace.02",
            "A change behind the first computation is computed 200 ms after it came",
            100 * MILLI,
            200,
        ),
        paced(
            "link.pace.03",
            "A change more than 500 ms behind the first one is computed 5 s after it came",
            600 * MILLI,
            5_000,
        ),
        paced(
            "link.pace.04",
            "Just before 10 s have passed since the last change, too",
            10 * SECOND - MILLI,
            5_000,
        ),
        paced(
            "link.pace.05",
            "After 10 s without a change the next one is a first one again",
            10 * SECOND + MILLI,
            50,
        ),
    ]
}

/// A group of RG3's name with another identity and no connector.
fn namesake(uuid: &str, version: &str) -> String {
    format!("( {uuid} {{3}}RG3 {version} ( {{5}}rg3-a YES ) () )")
}

fn names() -> Vec<Case> {
    const GREATER: &str = "00000000000000000000000000000033";
    const LESSER: &str = "00000000000000000000000000000000";
    let told = |uuid: &str, version: &str| {
        opened(Play::over(all_by_rg3))
            .wait(SECOND)
            .talk("rg2", telling(&[&namesake(uuid, version)]))
            .wait(6 * SECOND)
            .talk("client", to_bob())
            .wait(SECOND)
    };
    // By RG3 it is nearer than straight, as long as RG3's own record speaks for the name.
    let speaks = |id: &str, title: &str, (uuid, version): (&str, &str), (way, other): (On, On)| {
        let play = told(uuid, version).look(Look::Count("this-way", way, 1)).look(Look::Never(
            "not-the-other",
            other,
            None,
        ));
        link(id, title, &["LS-135", "LS-040"], play).twin("link.mail.01")
    };
    let (namesake, own) = ((BY_RG2, BY_RG3), (BY_RG3, BY_RG2));
    vec![
        speaks(
            "link.name.01",
            "Of two records of one name the one with the greater major number speaks for it",
            (LESSER, "1 {5}rg3-a 1 2 0 0"),
            namesake,
        ),
        speaks(
            "link.name.02",
            "One with a lesser major number does not, however great its term",
            (GREATER, "9 {5}rg3-z f 0 9 9"),
            own,
        ),
        speaks(
            "link.name.03",
            "Under the same major number the greater version speaks",
            (LESSER, "2 {5}rg3-a 1 1 0 0"),
            namesake,
        ),
        speaks(
            "link.name.04",
            "Under the same version the greater UUID speaks",
            (GREATER, "1 {5}rg3-a 1 1 0 0"),
            namesake,
        ),
        speaks("link.name.05", "And the lesser one does not", (LESSER, "1 {5}rg3-a 1 1 0 0"), own),
    ]
}

/// What RG1's master says of two sources.
const NODE_THERE: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 1 {5}rg1-c 1 1 0 0 ( {5}rg1-a YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a {5}rg1-c ) STATE UP ) ",
    "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP ) ) )",
);
/// And when the node is not available.
const NODE_AWAY: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 1 {5}rg1-c 1 1 1 0 ( {5}rg1-a YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a {5}rg1-c ) CONN_NOT_AVAIL ( {5}rg1-a ) STATE UP ) ",
    "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP ) ) )",
);

fn sources() -> Vec<Case> {
    let broken = |blueprint: fn() -> Blueprint, rg1: &'static [&'static str]| {
        Play::over(blueprint)
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
    };
    let told = |version: &str| {
        let record = NODE_AWAY.replacen("1 {5}rg1-c 1 1 1 0", version, 1);
        opened(Play::over(led_shared))
            .wait(SECOND)
            .act(Act::Tell(
                TO_MASTER,
                Port::Group,
                format!(" NEWS {} ( {record} )", super::members::NO_DIGEST),
            ))
            .wait(6 * SECOND)
    };
    vec![
        link(
            "link.sources.05",
            "A source that judges the only way broken reports it HELD when the connector has another source",
            &["LS-104", "LS-030"],
            broken(stubs_shared, &[NODE_THERE]).look(Look::Seconds(
                "held-at-180-s",
                REPORT.with("{7}RG1-RG2 HELD "),
                "sent",
                vec![180],
            )),
        ),
        link(
            "link.sources.06",
            "When it has none it reports it UP all the same: nothing but UP is ever said of it",
            &["LS-104", "LS-030"],
            broken(stubs, &[RG1])
                .look(Look::Some("up", REPORT.with("{7}RG1-RG2 UP ")))
                .look(Look::Never("not-held", REPORT.with("HELD"), None))
                .look(Look::Never("not-down", REPORT.with("DOWN"), None)),
        )
        .twin("link.sources.05"),
        link(
            "link.sources.07",
            "A source that the record names as not available hands mail to the one that is",
            &["LS-042", "LS-103"],
            told("1 {5}rg1-c 1 1 1 0")
                .talk("client", to_bob())
                .wait(SECOND)
                .look(Look::Count(
                    "to-the-other",
                    On::said("rg1-a>rg1-c/smtp", "X-SUBMIT OFFER "),
                    1,
                ))
                .look(Look::Never("not-over-the-connector", BY_RG2, None)),
        )
        .twin("link.mail.01"),
        link(
            "link.sources.08",
            "One that the record names as not available probes at its boot, and then every 60 s",
            &["LS-029", "LS-024"],
            told("1 {5}rg1-c 1 1 1 0")
                .rule(TO_RG2, Rule::Refuse)
                .mark("boot")
                .act(Act::Restart)
                .wait(3 * MINUTE)
                .look(Look::Attempts(
                    "at-once-and-every-60-s",
                    TO_RG2,
                    "boot",
                    vec![0, 60, 120, 180],
                ))
                .look(Look::Some("reported-down", REPORT.with("{7}RG1-RG2 DOWN ")))
                .look(Look::Never("never-up", REPORT.with("{7}RG1-RG2 UP "), Some("boot"))),
        )
        .twin("link.boot.03"),
        link(
            "link.sources.09",
            "What the node knows of a source is told on as it is",
            &["LS-103", "LS-017"],
            told("1 {5}rg1-c 1 1 2 0")
                .talk("rg2", asking())
                .look(Look::Some(
                    "in-the-table",
                    On::back("rg2", "200 ").with("( {5}rg1-a ) STATE UP"),
                ))
                .look(Look::Some(
                    "told-to-rg3",
                    On::said(TO_RG3, LAST).with("CONN_NOT_AVAIL ( {5}rg1-a )"),
                )),
        ),
    ]
}
