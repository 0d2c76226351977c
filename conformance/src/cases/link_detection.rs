//! How a member notices that a connector fails and works again, with the suite as the far ends.

use super::handing_over::{always, client, once, to_bob};
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG2, RG2, RG2_DOWN, RG2_UP, RG3, TO_RG2, TO_RG3, asking, knows, link,
    opened, telling, triangular, versioned,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{fellow_carries, targets};
use crate::play::{Act, Answer, Digest, Look, On, Play};

const SECOND_TARGET: &str = "RG1-RG2>rg2-b/smtp";
const FELLOW: &str = "rg1-a>rg1-c/smtp";
const OFFERED: On = On::said(TO_RG2, "X-SUBMIT OFFER ");
const OFFERED_TO_SECOND: On = On::said(SECOND_TARGET, "X-SUBMIT OFFER ");
const DOWN_TO_RG3: On = On::said(TO_RG3, LAST).with(RG2_DOWN);
const UP_TO_RG3: On = On::said(TO_RG3, LAST).with(RG2_UP);
/// The connector to RG2 in the answer to a query.
const DOWN_IN_TABLE: On = On::back("rg2", "200 ").with(RG2_DOWN);

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_targets();
    cases.extend(retries());
    cases.extend(probes());
    cases.extend(losses());
    cases
}

/// The link to RG2 refuses, and carl writes to bob. By then the routes have been computed (LS-180).
fn failing() -> Play {
    triangular().wait(SECOND).rule(TO_RG2, Rule::Refuse).mark("sent").talk("client", to_bob())
}

fn of_targets() -> Vec<Case> {
    let two = |first: Option<(&'static str, Answer)>| {
        let second = vec![always(LAST, Answer::Merged(Digest::Same, &[RG2]))];
        let mut play = opened(Play::over(targets)).opens(SECOND_TARGET, Port::Smtp, second);
        play = play.wait(SECOND);
        if let Some((at, does)) = first {
            play = play.cast(TO_RG2, Port::Smtp, vec![always(at, does)]);
        }
        play
    };
    let sent = |play: Play| play.mark("sent").talk("client", to_bob()).wait(SECOND);
    let fails = |number: u32, how: &str, at: &'static str, does: Answer| {
        let play = sent(two(Some((at, does))))
            .look(Look::Attempts("the-first-once", TO_RG2, "sent", vec![0]))
            .look(Look::Attempts("the-second-at-once", SECOND_TARGET, "sent", vec![0]))
            .look(Look::Count("mail-by-the-second", OFFERED_TO_SECOND, 1));
        let id = format!("link.targets.{number:02}");
        let title = format!("A target that {how} fails, and the next one is tried at once");
        link(&id, &title, &["LS-020", "SM-040"], play)
    };
    vec![
        link(
            "link.targets.01",
            "A target that refuses fails, and the next one is tried at once",
            &["LS-020"],
            sent(two(None).rule(TO_RG2, Rule::Refuse))
                .look(Look::Attempts("the-first-once", TO_RG2, "sent", vec![0]))
                .look(Look::Attempts("the-second-at-once", SECOND_TARGET, "sent", vec![0]))
                .look(Look::Count("mail-by-the-second", OFFERED_TO_SECOND, 1)),
        ),
        link(
            "link.targets.02",
            "While the first target works, no other is tried",
            &["LS-020"],
            sent(two(None))
                .mark("end")
                .look(Look::Count("mail-by-the-first", OFFERED, 1))
                .look(Look::NoAttempt("not-the-second", SECOND_TARGET, ("sent", "end"))),
        )
        .twin("link.targets.01"),
        fails(3, "ends the connection before the first MERGED", LAST, Answer::Close),
        fails(4, "is busy", "GREETING", Answer::Say("421 4.3.2 busy")),
        fails(5, "is busy at EHLO", "EHLO ", Answer::Say("451 4.3.2 busy")),
        fails(6, "refuses the first news", LAST, Answer::Say("451 4.3.0 not now")),
        fails(7, "does not offer the extensions of members", "EHLO ", Answer::Say("250 ready")),
        fails(8, "says that it is another member", "X-SUBMIT HELLO ", {
            Answer::Say("250 2.0.0 MEMBER=rg3-a STORE=00000000c0ffee01")
        }),
        link(
            "link.targets.09",
            "The next attempt begins with the first target again",
            &["LS-020", "LS-021"],
            sent(two(None).rule(TO_RG2, Rule::Refuse).rule(SECOND_TARGET, Rule::Refuse))
                .wait(2 * MINUTE)
                .look(Look::Attempts("the-first", TO_RG2, "sent", vec![0, 60, 120]))
                .look(Look::Attempts("the-second", SECOND_TARGET, "sent", vec![0, 60, 120])),
        ),
        link(
            "link.targets.10",
            "A failed target before one that works is no failure of the connector",
            &["LS-020", "LS-023"],
            sent(two(None).rule(TO_RG2, Rule::Refuse))
                .wait(5 * MINUTE)
                .look(Look::Attempts("no-retry", TO_RG2, "sent", vec![0]))
                .look(Look::Count("mail-by-the-second", OFFERED_TO_SECOND, 1))
                .look(Look::Never("never-told-down", DOWN_TO_RG3, Some("sent"))),
        )
        .twin("link.targets.01"),
    ]
}

fn retries() -> Vec<Case> {
    vec![
        link(
            "link.retry.01",
            "The glitch retries begin 60 s, 120 s and 180 s after the first attempt, and no earlier",
            &["LS-021", "LS-022"],
            failing().wait(3 * MINUTE + 30 * SECOND).look(Look::Attempts(
                "at-0-60-120-180",
                TO_RG2,
                "sent",
                vec![0, 60, 120, 180],
            )),
        )
        .kills(&[("retry-at-59s", "at-0-60-120-180")]),
        link(
            "link.retry.02",
            "DOWN is decided with the third retry and told in the same moment, once",
            &["LS-023", "LS-017", "MA-008"],
            failing().wait(10 * MINUTE).look(Look::Seconds(
                "told-at-180-s",
                DOWN_TO_RG3,
                "sent",
                vec![180],
            )),
        ),
        link(
            "link.retry.03",
            "Before the third retry has failed nobody is told of it",
            &["LS-023"],
            failing()
                .wait(3 * MINUTE - SECOND)
                .talk("rg2", asking())
                .look(Look::Some("asked", On::back("rg2", "200 ").with(RG2_UP)))
                .look(Look::Never("not-told", DOWN_TO_RG3, Some("sent")))
                .look(Look::Never("not-in-the-table", DOWN_IN_TABLE, None)),
        )
        .twin("link.retry.02"),
        link(
            "link.retry.04",
            "A connector that works at the second retry was never DOWN, and its mail goes",
            &["LS-021", "LS-023", "LS-025"],
            failing()
                .wait(90 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(8 * MINUTE)
                .look(Look::Attempts("at-0-60-120", TO_RG2, "sent", vec![0, 60, 120]))
                .look(Look::Seconds("mail-goes-then", OFFERED, "sent", vec![120]))
                .look(Look::Never("never-told", DOWN_TO_RG3, Some("sent"))),
        )
        .twin("link.retry.02"),
        link(
            "link.retry.05",
            "After a success the retries are counted anew",
            &["LS-021", "LS-023"],
            failing()
                .wait(90 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(90 * SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("again")
                .talk("later", to_bob())
                .wait(4 * MINUTE)
                .look(Look::Attempts("attempts", TO_RG2, "again", vec![0, 60, 120, 180, 240]))
                .look(Look::Seconds("told-at-180-s", DOWN_TO_RG3, "again", vec![180])),
        ),
        link(
            "link.retry.06",
            "Mail causes no attempt while the connector fails",
            &["LS-026"],
            failing()
                .wait(20 * SECOND)
                .talk("second", to_bob())
                .wait(SECOND)
                .talk("third", client("<ann@example.test>", &["<bob@example.test>"]))
                .wait(2 * MINUTE)
                .look(Look::Attempts("at-0-60-120", TO_RG2, "sent", vec![0, 60, 120])),
        ),
        link(
            "link.retry.07",
            "News causes no attempt while the connector fails",
            &["LS-026"],
            failing()
                .wait(20 * SECOND)
                .talk("rg2", telling(&[&versioned(RG3, "1 {5}rg3-a 1 1 1 0")]))
                .wait(2 * MINUTE)
                .look(Look::Attempts("at-0-60-120", TO_RG2, "sent", vec![0, 60, 120])),
        ),
        link(
            "link.retry.08",
            "An attempt that hangs is not doubled, and the later ones keep their pace",
            &["LS-020", "LS-022"],
            triangular()
                .cast(TO_RG2, Port::Smtp, vec![always("GREETING", Answer::Hang)])
                .mark("sent")
                .talk("client", to_bob())
                .wait(20 * MINUTE)
                .look(Look::Paced("whole-minutes-apart", TO_RG2, "sent"))
                .look(Look::Some("told-in-the-end", DOWN_TO_RG3)),
        ),
        link(
            "link.retry.09",
            "A failing connector takes its mail along only when DOWN is decided",
            &["LS-040", "LS-180", "CU-022"],
            failing()
                .wait(4 * MINUTE)
                .look(Look::Routed(
                    "by-rg3-at-180-s",
                    On::said(TO_RG3, "X-SUBMIT OFFER "),
                    "sent",
                    vec![180],
                ))
                .look(Look::Before(
                    "news-before-the-message",
                    DOWN_TO_RG3,
                    On::said(TO_RG3, "X-SUBMIT OFFER "),
                )),
        ),
    ]
}

fn probes() -> Vec<Case> {
    let minutes = |count: u64| (0..=count).map(|minute| minute * 60).collect::<Vec<u64>>();
    vec![
        link(
            "link.probes.01",
            "A connector that is DOWN is probed every 60 s although no mail waits for it",
            &["LS-024"],
            failing()
                .wait(15 * MINUTE)
                .look(Look::Attempts("every-60-s", TO_RG2, "sent", minutes(15)))
                .look(Look::Some("its-mail-went-by-rg3", On::said(TO_RG3, "X-SUBMIT COMMIT "))),
        )
        .kills(&[("probe-only-with-mail", "every-60-s")]),
        link(
            "link.probes.02",
            "When a probe succeeds the connector is UP, and told so, in that moment",
            &["LS-025", "LS-017", "MA-008"],
            failing()
                .wait(5 * MINUTE + 30 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(10 * MINUTE)
                .look(Look::Attempts("the-last-at-360-s", TO_RG2, "sent", minutes(6)))
                .look(Look::Seconds("told-at-360-s", UP_TO_RG3, "sent", vec![360])),
        ),
        link(
            "link.probes.03",
            "Neither mail nor news causes an attempt beside the probes",
            &["LS-026", "LS-024"],
            failing()
                .wait(4 * MINUTE + 10 * SECOND)
                .talk("second", to_bob())
                .wait(10 * SECOND)
                .talk("rg2", telling(&[&versioned(RG3, "1 {5}rg3-a 1 1 1 0")]))
                .wait(2 * MINUTE)
                .look(Look::Attempts("every-60-s", TO_RG2, "sent", minutes(6))),
        ),
        link(
            "link.probes.04",
            "A probe that hangs is not doubled",
            &["LS-024", "LS-022"],
            failing()
                .wait(200 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .cast(TO_RG2, Port::Smtp, vec![always("EHLO ", Answer::Hang)])
                .wait(15 * MINUTE)
                .look(Look::Paced("whole-minutes-apart", TO_RG2, "sent"))
                .look(Look::Never("never-told-up", UP_TO_RG3, Some("sent"))),
        )
        .twin("link.probes.02"),
        link(
            "link.probes.05",
            "A probe without mail says nothing but news, and then leaves",
            &["LS-024", "LS-009"],
            failing()
                .wait(5 * MINUTE + 30 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .mark("passes")
                .wait(MINUTE)
                .look(Look::Seconds("news", On::said(TO_RG2, "QUIT"), "passes", vec![30]))
                .look(Look::Never("no-mail", OFFERED, Some("passes"))),
        )
        .twin("link.probes.02"),
    ]
}

fn losses() -> Vec<Case> {
    let loses = vec![
        always("X-SUBMIT OFFER ", Answer::Close),
        always(LAST, Answer::Merged(Digest::Same, &[RG2])),
    ];
    vec![
        link(
            "link.lost.01",
            "The loss of a connection on which news was merged is no failure: the next begins at once",
            &["LS-027"],
            triangular()
                .cast(
                    TO_RG2,
                    Port::Smtp,
                    vec![
                        once("X-SUBMIT OFFER ", Answer::Close),
                        always(LAST, Answer::Merged(Digest::Same, &[RG2])),
                    ],
                )
                .mark("sent")
                .talk("client", to_bob())
                .talk("second", to_bob())
                .wait(5 * MINUTE)
                .look(Look::Some("mail-goes", On::said(TO_RG2, "X-SUBMIT COMMIT ")))
                .look(Look::Never("never-told-down", DOWN_TO_RG3, Some("sent"))),
        )
        .twin("link.retry.02"),
        link(
            "link.lost.02",
            "However often such connections are lost, the connector is never told DOWN",
            &["LS-027", "LS-023"],
            triangular()
                .cast(TO_RG2, Port::Smtp, loses)
                .mark("sent")
                .talk("client", to_bob())
                .wait(20 * MINUTE)
                .look(Look::Some("tried", OFFERED))
                .look(Look::Never("never-told-down", DOWN_TO_RG3, Some("sent"))),
        )
        .twin("link.retry.02"),
        link(
            "link.fellow.01",
            "A fellow that is away is called after 1 s, then after twice as long, at most 60 s",
            &["LS-028", "LS-042"],
            Play::over(fellow_carries)
                .opens(TO_RG3, Port::Smtp, knows(&[RG2, RG3]))
                .begins(FELLOW, Rule::Refuse)
                .wait(SECOND)
                .mark("sent")
                .talk("client", to_bob())
                .wait(4 * MINUTE + 30 * SECOND)
                .look(Look::Attempts(
                    "ever-later",
                    FELLOW,
                    "sent",
                    vec![0, 1, 3, 7, 15, 31, 63, 123, 183, 243],
                )),
        ),
        link(
            "link.greet.01",
            "At the boot a connection is opened over each connector without mail, and news comes first",
            &["LS-047", "LS-010", "LS-009"],
            triangular()
                .wait(SECOND)
                .act(Act::Inspect("queue"))
                .look(Look::Some("news-to-rg2", NEWS_TO_RG2))
                .look(Look::Some("news-to-rg3", On::said(TO_RG3, LAST)))
                .look(Look::Some("left-rg2", On::said(TO_RG2, "QUIT")))
                .look(Look::Some("left-rg3", On::said(TO_RG3, "QUIT"))),
        ),
        link(
            "link.greet.02",
            "A connection without a debt and without mail is left at once",
            &["LS-009"],
            triangular()
                .mark("told")
                .talk("rg2", telling(&[&versioned(RG3, "1 {5}rg3-a 1 1 1 0")]))
                .talk("again", telling(&[&versioned(RG2, "1 {5}rg2-a 1 1 1 0")]))
                .wait(SECOND)
                .look(Look::Seconds("told-and-left", On::said(TO_RG3, "QUIT"), "told", vec![0])),
        ),
    ]
}
