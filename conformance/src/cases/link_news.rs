//! How news travels: who is told what, when, and how often.

use super::fellows::reported;
use super::handing_over::{always, once, to_bob};
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG2, NEWS_TO_RG3, RG2, RG3, TO_RG2, TO_RG3, asking, knows, link,
    news_frame, opened, telling, tells, triangular, versioned,
};
use super::members::{NO_DIGEST, member, proved};
use super::parcel::Parcel;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{led, triangle};
use crate::play::{Act, Answer, Cue, Digest, Look, On, Play};
use crate::script::{Script, Seat, THEIRS, frame};
use crate::smtp::Want;

const RG2S_NEW: &str = "1 {5}rg2-a 1 1 5 0";
const RG3S_NEW: &str = "1 {5}rg3-a 1 1 5 0";
const TO_MASTER: &str = "rg1-a>rg1-c/group";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = forwarding();
    cases.extend(exchanges());
    cases.extend(before_mail());
    cases
}

fn rg2s_new() -> String {
    versioned(RG2, RG2S_NEW)
}

fn rg3s_new() -> String {
    versioned(RG3, RG3S_NEW)
}

/// As the fellow, attached: behind what it does, the node tells news.
fn attached() -> Script {
    reported()
}

/// Has the table that it was told last.
fn has_merged(script: Script, check: &str) -> Script {
    script.frame(check, " NEWS ").send(frame(&format!(" MERGED {THEIRS} ()\r\n")).as_bytes())
}

fn forwarding() -> Vec<Case> {
    let told = |records: &[&str]| {
        triangular().wait(SECOND).mark("told").talk("rg2", telling(records)).wait(MINUTE)
    };
    vec![
        link(
            "link.forward.01",
            "A record by which the table grows goes over the other connectors at once, without mail",
            &["LS-017"],
            told(&[&rg2s_new()]).look(Look::Seconds(
                "at-once",
                NEWS_TO_RG3.with(RG2S_NEW),
                "told",
                vec![0],
            )),
        )
        .kills(&[("nobody-forwards", "at-once")]),
        link(
            "link.forward.02",
            "What goes over the connector is the one record, not the table",
            &["LS-017"],
            told(&[&rg2s_new()]).look(Look::Records(
                "one-record",
                NEWS_TO_RG3.with(RG2S_NEW),
                vec![1],
            )),
        )
        .kills(&[("whole-table-flood", "one-record")]),
        link(
            "link.forward.03",
            "Whoever told a record is not told it",
            &["LS-017"],
            told(&[&rg2s_new()])
                .look(Look::Some("told-to-rg3", NEWS_TO_RG3.with(RG2S_NEW)))
                .look(Look::Never("not-back-to-rg2", On::said(TO_RG2, LAST).with(RG2S_NEW), None)),
        )
        .twin("link.forward.01"),
        link(
            "link.forward.04",
            "A group is not told its own record",
            &["LS-017"],
            told(&[&rg2s_new(), &rg3s_new()])
                .look(Look::Some("the-other-record", NEWS_TO_RG3.with(RG2S_NEW)))
                .look(Look::Never("not-its-own", On::said(TO_RG3, LAST).with(RG3S_NEW), None)),
        )
        .twin("link.forward.01"),
        link(
            "link.forward.05",
            "A connector carries a version once, however often it is told",
            &["LS-017"],
            told(&[&rg2s_new()])
                .talk("again", telling(&[&rg2s_new()]))
                .wait(SECOND)
                .talk("fellow", {
                    let news = news_frame(THEIRS, &[&rg2s_new()]);
                    let query = news_frame(NO_DIGEST, &[]);
                    attached()
                        .send(query.as_bytes())
                        .frame("table", " MERGED ")
                        .send(news.as_bytes())
                        .frame("merged", " MERGED ")
                })
                .wait(MINUTE)
                .look(Look::Count("once", On::said(TO_RG3, LAST).with(RG2S_NEW), 1)),
        ),
        link(
            "link.forward.06",
            "What nobody needs is not told: a record that is known opens no connection",
            &["LS-017", "LS-009"],
            triangular()
                .wait(SECOND)
                .mark("told")
                .talk("rg2", telling(&[RG2, RG3]))
                .wait(MINUTE)
                .mark("end")
                .look(Look::NoAttempt("none-to-rg3", TO_RG3, ("told", "end"))),
        )
        .twin("link.forward.01"),
        link(
            "link.forward.07",
            "A master tells every attached member at once what a connector brought",
            &["LS-017"],
            triangular()
                .talk("fellow", attached())
                .mark("told")
                .talk("rg2", telling(&[&rg2s_new()]))
                .talk("fellow", has_merged(Script::new(Seat::Fellow, Port::Group), "news"))
                .wait(SECOND)
                .look(Look::Seconds(
                    "at-once",
                    On::back("fellow", "").with(RG2S_NEW),
                    "told",
                    vec![0],
                )),
        ),
        link(
            "link.forward.08",
            "What a fellow tells its master goes over the connectors of the master at once",
            &["LS-017"],
            triangular()
                .wait(SECOND)
                .mark("told")
                .talk("fellow", {
                    let news = news_frame(
                        NO_DIGEST,
                        &[&versioned(RG3, RG3S_NEW), &versioned(RG2, RG2S_NEW)],
                    );
                    attached().send(news.as_bytes()).frame("merged", " MERGED ")
                })
                .wait(SECOND)
                .look(Look::Seconds("to-rg2", NEWS_TO_RG2.with(RG3S_NEW), "told", vec![0]))
                .look(Look::Seconds("to-rg3", NEWS_TO_RG3.with(RG2S_NEW), "told", vec![0])),
        ),
        link(
            "link.forward.09",
            "A member forwards what others told it although the master of its group is dead",
            &["LS-017", "MA-001"],
            opened(Play::over(led))
                .begins(TO_MASTER, Rule::Refuse)
                .wait(SECOND)
                .mark("told")
                .talk("rg2", telling(&[&rg2s_new()]))
                .wait(SECOND)
                .look(Look::Seconds("to-rg3", NEWS_TO_RG3.with(RG2S_NEW), "told", vec![0])),
        ),
        link(
            "link.forward.10",
            "A member tells its master at once what a connector brought",
            &["LS-017"],
            opened(Play::over(led))
                .wait(SECOND)
                .mark("told")
                .talk("rg2", telling(&[&rg2s_new()]))
                .wait(SECOND)
                .look(Look::Seconds(
                    "to-the-master",
                    On::said(TO_MASTER, "").with(RG2S_NEW),
                    "told",
                    vec![0],
                )),
        ),
        link(
            "link.forward.11",
            "A member tells over its connectors at once what its master told",
            &["LS-017"],
            opened(Play::over(led))
                .wait(SECOND)
                .mark("told")
                .act(Act::Tell(TO_MASTER, Port::Group, {
                    format!(" NEWS {} ( {} )", NO_DIGEST, rg2s_new())
                }))
                .wait(SECOND)
                .look(Look::Seconds("to-rg3", NEWS_TO_RG3.with(RG2S_NEW), "told", vec![0]))
                .look(Look::Never("not-to-rg2", On::said(TO_RG2, LAST).with(RG2S_NEW), None))
                .look(Look::Never(
                    "not-back-to-the-master",
                    On::said(TO_MASTER, "").with(RG2S_NEW_IN_NEWS),
                    Some("told"),
                )),
        )
        .twin("link.forward.10"),
        link(
            "link.forward.12",
            "What is owed while a connector fails is told when it works again",
            &["LS-017", "LS-010"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG3, Rule::Refuse)
                .talk("rg2", telling(&[&rg2s_new()]))
                .wait(90 * SECOND)
                .rule(TO_RG3, Rule::Pass)
                .mark("passes")
                .wait(MINUTE)
                .look(Look::Seconds("told-then", NEWS_TO_RG3.with(RG2S_NEW), "passes", vec![30]))
                .look(Look::Records("as-the-first-news", NEWS_TO_RG3.with(RG2S_NEW), vec![1])),
        ),
        link(
            "link.forward.13",
            "What was told and not merged when the connection broke is told again",
            &["LS-017"],
            triangular()
                .wait(SECOND)
                .cast(
                    TO_RG3,
                    Port::Smtp,
                    vec![
                        once(LAST, Answer::Close),
                        always(LAST, Answer::Merged(Digest::Same, &[RG3])),
                    ],
                )
                .mark("told")
                .talk("rg2", telling(&[&rg2s_new()]))
                .wait(2 * MINUTE)
                .look(Look::Seconds("twice", NEWS_TO_RG3.with(RG2S_NEW), "told", vec![0, 60])),
        ),
    ]
}

/// As it stands in the news of the group port.
const RG2S_NEW_IN_NEWS: &str = "{3}RG2 1 {5}rg2-a 1 1 5 0";

fn exchanges() -> Vec<Case> {
    let differs = |digest: Digest| {
        Play::over(triangle)
            .opens(TO_RG2, Port::Smtp, knows(&[RG2, RG3]))
            .opens(TO_RG3, Port::Smtp, vec![always(LAST, Answer::Merged(digest, &[]))])
            .wait(SECOND)
            .mark("told")
            .talk("rg2", telling(&[&rg2s_new()]))
            .wait(MINUTE)
    };
    vec![
        link(
            "link.exchange.01",
            "Under the same digest one exchange is all",
            &["LS-013"],
            differs(Digest::Same).look(Look::Seconds("one", NEWS_TO_RG3, "told", vec![0])),
        ),
        link(
            "link.exchange.02",
            "Where the digests still differ the exchange has an end: the connection is left all the same",
            &["LS-014", "LS-009"],
            differs(Digest::None)
                .look(Look::Some("told", NEWS_TO_RG3.with(RG2S_NEW)))
                .look(Look::Seconds("left", On::said(TO_RG3, "QUIT"), "told", vec![0])),
        ),
        link(
            "link.exchange.03",
            "While news is not merged no further news is told on the connection",
            &["LS-011"],
            triangular()
                .wait(SECOND)
                .cast(TO_RG3, Port::Smtp, vec![always(LAST, Answer::Hang)])
                .mark("told")
                .talk("rg2", telling(&[&rg2s_new()]))
                .talk("second", telling(&[&versioned(RG2, "1 {5}rg2-a 1 1 6 0")]))
                .talk("third", telling(&[&versioned(RG2, "1 {5}rg2-a 1 1 7 0")]))
                .look(Look::Seconds("one-message", NEWS_TO_RG3, "told", vec![0])),
        ),
        link(
            "link.exchange.04",
            "On the group port, too: what is owed follows behind MERGED, in its newest version only",
            &["LS-011", "LS-017"],
            triangular()
                .talk("fellow", attached())
                .talk("rg2", telling(&[&rg2s_new()]))
                .talk("second", telling(&[&versioned(RG2, "1 {5}rg2-a 1 1 6 0")]))
                .talk("third", telling(&[&versioned(RG2, "1 {5}rg2-a 1 1 7 0")]))
                .talk("fellow", {
                    let script = Script::new(Seat::Fellow, Port::Group);
                    has_merged(has_merged(script, "first-news"), "second-news")
                })
                .wait(SECOND)
                .look(Look::Count("first", On::back("fellow", "").with(RG2S_NEW), 1))
                .look(Look::Count("last", On::back("fellow", "").with("1 {5}rg2-a 1 1 7 0"), 1))
                .look(Look::Never(
                    "not-the-one-between",
                    On::back("fellow", "").with("1 {5}rg2-a 1 1 6 0"),
                    None,
                )),
        )
        .twin("link.forward.07"),
        link(
            "link.exchange.05",
            "What the far end knows better comes with MERGED, and is told on",
            &["LS-016", "LS-017"],
            triangular()
                .wait(SECOND)
                .cast(
                    TO_RG3,
                    Port::Smtp,
                    vec![
                        once(LAST, Answer::Merged(Digest::None, &[RG3_NEWER])),
                        always(LAST, Answer::Merged(Digest::Same, &[])),
                    ],
                )
                .mark("told")
                .talk("rg2", telling(&[&rg2s_new()]))
                .wait(SECOND)
                .look(Look::Seconds("told-on", NEWS_TO_RG2.with(RG3S_NEW), "told", vec![0])),
        ),
        link(
            "link.exchange.06",
            "An answer to nothing is no news: the records of a MERGED on the wrong port change nothing",
            &["SM-082"],
            triangular()
                .talk("fellow", {
                    let merged = frame(&format!(
                        " MERGED {} ( {} )\r\n",
                        NO_DIGEST,
                        rg2s_new()
                    ));
                    attached().send(merged.as_bytes()).gone("closed")
                })
                .talk("rg2", asking())
                .look(Look::Never("not-merged", On::back("rg2", "200 ").with(RG2S_NEW), None)),
        )
        .twin("link.group.01"),
        link(
            "link.exchange.07",
            "News of 1,100 records is merged, and goes on in messages of at most 1,024",
            &["LS-048", "LS-017"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG3, Rule::Refuse)
                .cast(
                    TO_RG3,
                    Port::Smtp,
                    vec![
                        once(LAST, Answer::Merged(Digest::None, &[])),
                        always(LAST, Answer::Merged(Digest::Same, &[])),
                    ],
                )
                .talk("fellow", {
                    let records: Vec<String> = (100..1_200).map(other_group).collect();
                    let (one, two) = records.split_at(550);
                    let tell = |script: Script, records: &[String], check: &str| {
                        let records: Vec<&str> = records.iter().map(String::as_str).collect();
                        let news = news_frame(NO_DIGEST, &records);
                        script.send(news.as_bytes()).frame(check, " MERGED ")
                    };
                    tell(tell(attached(), one, "first"), two, "second")
                })
                .wait(30 * SECOND)
                .rule(TO_RG3, Rule::Pass)
                .wait(MINUTE)
                .look(Look::AtMost("all-of-them-in-parts", NEWS_TO_RG3, (1_024, 1_100))),
        ),
    ]
}

const RG3_NEWER: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 1 {5}rg3-a 1 1 5 0 ( {5}rg3-a YES ) ",
    "( {7}RG3-RG1 ( CONFIG {3}RG1 14 BH ( {5}rg3-a ) STATE UP ) ",
    "{7}RG3-RG2 ( CONFIG {3}RG2 a BH ( {5}rg3-a ) STATE UP ) ) )",
);

/// A group that nobody has configured here.
pub(super) fn other_group(number: u32) -> String {
    let name = format!("RG{number}");
    format!("( {number:032x} {{{:x}}}{name} 1 {{1}}m 1 1 0 0 () () )", name.len())
}

fn before_mail() -> Vec<Case> {
    let hanging = |cues: Vec<Cue>| {
        triangular()
            .wait(SECOND)
            .cast(TO_RG2, Port::Smtp, cues)
            .mark("sent")
            .talk("client", to_bob())
    };
    let parcel = Parcel::new(0x71);
    vec![
        link(
            "link.mail.01",
            "On a connection for mail the news stands before the first offer",
            &["LS-010", "LS-019"],
            triangular()
                .wait(SECOND)
                .mark("sent")
                .talk("client", to_bob())
                .wait(SECOND)
                .look(Look::Before("news-first", NEWS_TO_RG2, On::said(TO_RG2, "X-SUBMIT OFFER "))),
        ),
        link(
            "link.mail.02",
            "As long as the news is not merged no mail is offered",
            &["LS-019"],
            hanging(vec![always(LAST, Answer::Hang)])
                .wait(30 * SECOND)
                .look(Look::Seconds("news", On::said(TO_RG2, LAST), "sent", vec![0]))
                .look(Look::Never("no-offer", On::said(TO_RG2, "X-SUBMIT OFFER "), None)),
        )
        .twin("link.mail.01")
        .kills(&[("news-after-mail", "no-offer")]),
        link(
            "link.mail.03",
            "News that comes while mail waits goes first",
            &["LS-018", "LS-019"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .talk("client", to_bob())
                .wait(10 * SECOND)
                .talk("fellow", {
                    let news = news_frame(NO_DIGEST, &[&rg3s_new()]);
                    reported().send(news.as_bytes()).frame("merged", " MERGED ")
                })
                .wait(20 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(MINUTE)
                .look(Look::Before(
                    "news-first",
                    NEWS_TO_RG2.with(RG3S_NEW),
                    On::said(TO_RG2, "X-SUBMIT OFFER "),
                )),
        ),
        link(
            "link.mail.04",
            "Mail on a connection on which no news was answered is refused",
            &["LS-046", "SM-023"],
            triangular().talk(
                "rg2",
                proved().ask(&parcel.offered(1), "refused", Want::code(503).status("5.5.1")),
            ),
        )
        .twin("link.mail.05"),
        link(
            "link.mail.05",
            "Behind the answer it is taken",
            &["LS-046"],
            triangular().talk(
                "rg2",
                tells(proved(), &[], "table").ask(&parcel.offered(1), "taken", Want::code(354)),
            ),
        ),
        link(
            "link.mail.06",
            "News on one connection is none on another",
            &["LS-046", "SM-023"],
            triangular().talk("rg2", tells(proved(), &[], "table")).talk(
                "other",
                proved().ask(&parcel.offered(1), "refused", Want::code(503).status("5.5.1")),
            ),
        )
        .twin("link.mail.05"),
        link(
            "link.mail.07",
            "A member that has not said hello may not tell news",
            &["SU-030", "SM-020"],
            triangular().talk(
                "rg2",
                member().ask(
                    "X-LINK2STATE FIRST CHUNK=",
                    "refused",
                    Want::code(503).status("5.5.1"),
                ),
            ),
        )
        .twin("link.mail.05"),
    ]
}
