//! Which of several sources tells over a connector, and when a connector carries mail.

use super::handing_over::{TO_CARL, always, client, cue, once};
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG3, RG2, RG3, TO_RG2, TO_RG3, asking, knows, link, opened, telling,
    versioned,
};
use super::link_tables::reports;
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::{Port, Rule};
use crate::organization::{
    Blueprint, first_source, nightly, scheduled, second_source, third_source,
};
use crate::play::{Act, Answer, Cue, Digest, Look, On, Play, When};
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
    cases.extend(nights());
    cases.extend(begun());
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

/// Hours that go past midnight, those of Thursday and of Saturday; virtual time begins with Thursday.
fn nights() -> Vec<Case> {
    let thursday = || opened(Play::over(nightly)).mark("midnight").wait(SECOND);
    let at_once = Look::Seconds("at-once", BY_RG3, "sent", vec![0]);
    let notice = |action| On::said(TO_CARL, action);
    vec![
        link(
            "link.hours.06",
            "The morning before the first night of hours that go past midnight is none of them",
            &["LS-240", "LS-242"],
            thursday().talk("client", to_cat()).wait(23 * HOUR).look(Look::Minutes(
                "in-the-evening",
                BY_RG3,
                "midnight",
                vec![1_320],
            )),
        )
        .kills(&[("hours-end-with-the-day", "in-the-evening")]),
        link(
            "link.hours.07",
            "Hours that began the evening before go on past midnight",
            &["LS-240", "LS-242"],
            thursday()
                .wait(27 * HOUR)
                .mark("sent")
                .talk("client", to_cat())
                .wait(MINUTE)
                .look(at_once),
        )
        .kills(&[("hours-end-with-the-day", "at-once")]),
        link(
            "link.hours.08",
            "They have ended at their last minute, and begin again on the next of their days",
            &["LS-240", "LS-242"],
            thursday()
                .wait(30 * HOUR - SECOND)
                .talk("client", to_cat())
                .wait(42 * HOUR)
                .look(Look::Minutes("saturday-evening", BY_RG3, "midnight", vec![4_200])),
        )
        .kills(&[("hours-end-with-the-day", "saturday-evening")]),
        link(
            "link.hours.12",
            "Mail that waits for hours that are far off is announced as late, and comes back in the end",
            &["LS-243", "CU-032", "CU-033"],
            // Sunday morning.
            thursday()
                .wait(79 * HOUR)
                .mark("sent")
                .talk("client", to_cat())
                .wait(49 * HOUR)
                .look(Look::Never("not-sent", BY_RG3, None))
                .look(Look::Minutes("late", notice("Action: delayed"), "sent", vec![720]))
                .look(Look::Minutes("returned", notice("Action: failed"), "sent", vec![2_880])),
        )
        .twin("link.hours.07")
        .kills(&[("schedule-ignored", "not-sent")]),
    ]
}

/// What is under way when the hours end at seven: a second before, the far end begins to depart from the
/// ordinary, and mail is sent.
fn begun() -> Vec<Case> {
    const COMMITTED: On = On::said(TO_RG3, "X-SUBMIT COMMIT ");
    let until_seven = |cues: &[Cue]| {
        opened(Play::over(scheduled))
            .wait(7 * HOUR - SECOND)
            .cast(TO_RG3, Port::Smtp, [&knows(&[RG3])[..], cues].concat())
            .talk("client", to_cat())
            .wait(3 * SECOND)
            .mark("closed")
    };
    let late = || until_seven(&[once("X-SUBMIT OFFER ", Answer::Later)]);
    let go_on = Act::SayNow(TO_RG3, Port::Smtp);
    vec![
        link(
            "link.hours.09",
            "A hand-over that has begun within the hours goes on when they have ended",
            &["LS-240", "SU-002"],
            late()
                .act(go_on.clone())
                .wait(MINUTE)
                .look(Look::Count("offered-once", BY_RG3, 1))
                .look(Look::Seconds("committed", COMMITTED, "closed", vec![0])),
        )
        .kills(&[("hours-cut-off", "committed")]),
        link(
            "link.hours.10",
            "Behind it no other one begins on the connection",
            &["LS-240"],
            late()
                .talk("other", to_cat())
                .act(go_on)
                .wait(MINUTE)
                .look(Look::Seconds("the-first-goes-on", COMMITTED, "closed", vec![0]))
                .look(Look::Never("not-the-other", BY_RG3, Some("closed"))),
        )
        .twin("link.hours.09")
        .kills(&[("schedule-ignored", "not-the-other")]),
        link(
            "link.hours.11",
            "What is in doubt when the hours have ended is asked about and settled without waiting for them",
            &["LS-240", "SU-020"],
            until_seven(&[
                once("X-SUBMIT COMMIT ", Answer::Lose),
                // The connection on which it could be asked at once is none.
                cue("GREETING", When::Time(2), Answer::Close),
            ])
            .wait(3 * MINUTE)
            .look(Look::Some("in-doubt", COMMITTED))
            .look(Look::Seconds("asked", On::said(TO_RG3, "X-SUBMIT RESOLVE "), "closed", vec![57]))
            .look(Look::Count("offered-once", BY_RG3, 1)),
        )
        .kills(&[("doubt-waits-for-hours", "asked")]),
    ]
}
