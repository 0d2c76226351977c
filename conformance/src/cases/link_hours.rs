//! Which of several sources tells over a connector, and when a connector carries mail.

use super::handing_over::{always, client, once};
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG3, RG2, TO_RG2, TO_RG3, asking, link, opened, telling, versioned,
};
use super::link_tables::reports;
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::{Port, Rule};
use crate::organization::{Blueprint, first_source, scheduled, second_source, third_source};
use crate::play::{Answer, Digest, Look, On, Play};
use crate::script::{Script, Seat};

/// What RG2 tells, which the group owes to RG3.
const CHANGE: &str = "1 {5}rg2-a 1 1 1 0";
const TOLD: On = NEWS_TO_RG3.with(CHANGE);
const QUERY: On = NEWS_TO_RG3.with(" ())");
const BY_RG2: On = On::said(TO_RG2, "X-SUBMIT OFFER ");
const BY_RG3: On = On::said(TO_RG3, "X-SUBMIT OFFER ");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = standing_by();
    cases.extend(hours());
    cases
}

fn change() -> String {
    versioned(RG2, CHANGE)
}

/// RG2 tells of a change behind the mark `told`.
fn changed(blueprint: fn() -> Blueprint) -> Play {
    let play = opened(Play::over(blueprint)).wait(MINUTE).mark("told");
    play.talk("rg2", telling(&[&change()]))
}

/// The same, where RG3 has not heard of it from anybody else.
fn unheard(blueprint: fn() -> Blueprint) -> Play {
    let lacks = vec![
        once(LAST, Answer::Merged(Digest::None, &[])),
        always(LAST, Answer::Merged(Digest::Same, &[])),
    ];
    opened(Play::over(blueprint))
        .wait(MINUTE)
        .cast(TO_RG3, Port::Smtp, lacks)
        .mark("told")
        .talk("rg2", telling(&[&change()]))
}

fn standing_by() -> Vec<Case> {
    let seconds = |check, on, due| Look::Seconds(check, on, "told", vec![due]);
    vec![
        link(
            "link.turn.01",
            "The first of several sources tells at once",
            &["LS-230", "LS-017"],
            changed(first_source).wait(MINUTE).look(seconds("at-once", TOLD, 0)),
        ),
        link(
            "link.turn.02",
            "The second one opens a connection 5 s later, with a query; what the far end has is not told",
            &["LS-230", "LS-231", "LS-010"],
            changed(second_source)
                .wait(MINUTE)
                .look(Look::Attempts("stands-by-5-s", TO_RG3, "told", vec![5]))
                .look(seconds("a-query", QUERY, 5))
                .look(Look::Never("not-told", TOLD, None)),
        )
        .twin("link.turn.01")
        .kills(&[("every-source-tells", "stands-by-5-s")]),
        link(
            "link.turn.03",
            "What the answer to its query does not show to be known it tells",
            &["LS-231", "LS-230"],
            unheard(second_source)
                .wait(4 * SECOND)
                .mark("nearly")
                .wait(2 * SECOND)
                .look(Look::NoAttempt("not-before-5-s", TO_RG3, ("told", "nearly")))
                .look(Look::Some("told", TOLD))
                .look(seconds("then-told", TOLD, 5)),
        )
        .twin("link.turn.01"),
        link(
            "link.turn.04",
            "The third one waits for 10 s",
            &["LS-230"],
            changed(third_source).wait(MINUTE).look(Look::Attempts(
                "stands-by-10-s",
                TO_RG3,
                "told",
                vec![10],
            )),
        )
        .kills(&[("never-backs-up", "stands-by-10-s")]),
        link(
            "link.turn.05",
            "Behind a source that the table names as not available the next one tells at once",
            &["LS-230", "LS-103"],
            opened(Play::over(second_source))
                .wait(SECOND)
                .talk("fellow", reports("{7}RG1-RG3 HELD"))
                .wait(MINUTE)
                .mark("told")
                .talk("rg2", telling(&[&change()]))
                .talk("fellow", Script::new(Seat::Fellow, Port::Group).frame("news", " NEWS "))
                .wait(MINUTE)
                .look(seconds("at-once", TOLD, 0)),
        ),
        link(
            "link.turn.06",
            "What it owes it tells at once when the table names the source before it as not available",
            &["LS-232"],
            unheard(second_source)
                .wait(2 * SECOND)
                .talk("fellow", reports("{7}RG1-RG3 HELD"))
                .wait(2 * SECOND)
                .look(seconds("at-once", TOLD, 2)),
        ),
    ]
}

fn to_cat() -> Script {
    client("<carl@example.test>", &["<cat@example.test>"])
}

fn hours() -> Vec<Case> {
    let closed = || opened(Play::over(scheduled)).mark("midnight").wait(SECOND);
    const PLAIN: &str = "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP ) ) )";
    vec![
        link(
            "link.hours.01",
            "Mail waits at the source for the hours of its connector, and takes no other way",
            &["LS-240", "LS-241", "LS-242"],
            closed()
                .talk("client", to_cat())
                .wait(7 * HOUR)
                .look(Look::Minutes("at-six", BY_RG3, "midnight", vec![360]))
                .look(Look::Never("not-by-rg2", BY_RG2, None)),
        )
        .twin("link.hours.02")
        .kills(&[("schedule-ignored", "at-six")]),
        link(
            "link.hours.02",
            "Mail that comes within them goes at once",
            &["LS-240", "LS-242"],
            closed()
                .wait(6 * HOUR)
                .mark("sent")
                .talk("client", to_cat())
                .wait(MINUTE)
                .look(Look::Seconds("at-once", BY_RG3, "sent", vec![0])),
        ),
        link(
            "link.hours.03",
            "Mail that comes behind them waits for the next day",
            &["LS-240", "LS-242"],
            closed().wait(7 * HOUR).talk("client", to_cat()).wait(24 * HOUR).look(Look::Minutes(
                "at-six-again",
                BY_RG3,
                "midnight",
                vec![1_800],
            )),
        ),
        link(
            "link.hours.04",
            "News does not wait for them, and no record speaks of them",
            &["LS-241"],
            closed()
                .talk("client", to_cat())
                .wait(MINUTE)
                .mark("told")
                .talk("rg2", telling(&[&change()]))
                .wait(MINUTE)
                .talk("table", asking())
                .look(Look::Seconds("news-at-once", TOLD, "told", vec![0]))
                .look(Look::Some("record-as-ever", On::back("table", "200 ").with(PLAIN)))
                .look(Look::Never("mail-waits", BY_RG3, None)),
        )
        .twin("link.hours.02"),
        link(
            "link.hours.05",
            "Glitch retries and probes do not wait for them either",
            &["LS-241", "LS-022", "LS-024"],
            closed()
                .rule(TO_RG3, Rule::Refuse)
                .mark("told")
                .talk("rg2", telling(&[&change()]))
                .wait(5 * MINUTE)
                .look(Look::Attempts(
                    "every-60-s",
                    TO_RG3,
                    "told",
                    vec![0, 60, 120, 180, 240, 300],
                )),
        ),
    ]
}
