//! The group port: a master to its members, and a member to its master.

use super::fellows::reported;
use super::handing_over::{always, to_bob};
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG3, RG2_DOWN, RG2_UP, TO_RG2, TO_RG3, asking, link, news_frame, opened,
    triangular,
};
use super::members::NO_DIGEST;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{leads, led, shared};
use crate::play::{Act, Answer, Digest, Look, On, Play};
use crate::script::{Script, Seat, THEIRS, frame};

const TO_MASTER: &str = "rg1-a>rg1-c/group";
const REPORT: On = On::said(TO_MASTER, "").with(" REPORT ");
const REPORT_DOWN: On = On::said(TO_MASTER, "").with(" REPORT ( {7}RG1-RG2 DOWN ");
const TABLE: On = On::back("rg2", "200 ");
const BY_FELLOW_DOWN: &str = "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-c ) STATE DOWN )";
const BY_FELLOW_UP: &str = "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-c ) STATE UP )";
const BY_BOTH_DOWN: &str = "{7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a {5}rg1-c ) STATE DOWN )";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_members();
    cases.extend(of_masters());
    cases
}

pub(super) fn report(states: &str) -> String {
    let list = if states.is_empty() { "()".to_owned() } else { format!("( {states} )") };
    frame(&format!(" REPORT {list}\r\n"))
}

/// On the group port, without a word.
fn called(seat: Seat) -> Script {
    Script::new(seat, Port::Group).frame("greeting", " NODEINFO (6) {")
}

fn attach(name: &str) -> String {
    frame(&format!(" ATTACH {{{:x}}}{name}\r\n", name.len()))
}

/// The node is a member, and its master is played.
fn member() -> Play {
    let known = vec![always(" NEWS ", Answer::Merged(Digest::Same, &[RG1]))];
    opened(Play::over(led)).opens(TO_MASTER, Port::Group, known)
}

fn of_members() -> Vec<Case> {
    vec![
        link(
            "link.attach.01",
            "A member attaches, reports what it carries, and tells news: in this order",
            &["MA-011", "LS-010", "SM-081"],
            member()
                .wait(SECOND)
                .look(Look::Before(
                    "attach-first",
                    On::said(TO_MASTER, "").with(" ATTACH {5}rg1-a"),
                    REPORT,
                ))
                .look(Look::Before(
                    "then-the-report",
                    REPORT,
                    On::said(TO_MASTER, "").with(" NEWS "),
                ))
                .look(Look::Some(
                    "all-it-carries",
                    On::said(TO_MASTER, "").with(" REPORT ( {7}RG1-RG2 UP {7}RG1-RG3 UP )"),
                )),
        ),
        link(
            "link.attach.02",
            "A master that refuses is called after 1 s, then after twice as long, at most 60 s",
            &["MA-010"],
            member().begins(TO_MASTER, Rule::Refuse).mark("begun").wait(5 * MINUTE).look(
                Look::Attempts(
                    "ever-later",
                    TO_MASTER,
                    "begun",
                    vec![1, 3, 7, 15, 31, 63, 123, 183, 243],
                ),
            ),
        ),
        link(
            "link.attach.03",
            "Behind a merged exchange the waits begin anew",
            &["MA-010"],
            member()
                .begins(TO_MASTER, Rule::Refuse)
                .wait(20 * SECOND)
                .rule(TO_MASTER, Rule::Pass)
                .wait(20 * SECOND)
                .rule(TO_MASTER, Rule::Refuse)
                .mark("lost")
                .act(Act::Tell(TO_MASTER, Port::Group, " NONSENSE".into()))
                .wait(10 * SECOND)
                .look(Look::Attempts("at-1-3-7", TO_MASTER, "lost", vec![1, 3, 7])),
        ),
        link(
            "link.attach.04",
            "A connection on which no exchange was merged does not make the waits begin anew",
            &["MA-010"],
            member()
                .opens(TO_MASTER, Port::Group, vec![always(" NEWS ", Answer::Close)])
                .mark("begun")
                .wait(2 * MINUTE)
                .look(Look::Attempts("ever-later", TO_MASTER, "begun", vec![1, 3, 7, 15, 31, 63])),
        ),
        link(
            "link.attach.05",
            "A member attaches to nobody but the master that it called",
            &["SM-081"],
            member()
                .opens(
                    TO_MASTER,
                    Port::Group,
                    vec![always(
                        "GREETING",
                        Answer::Say(" NODEINFO (6) {21}Version: 1 Bridgehead rg3-a ready"),
                    )],
                )
                .mark("begun")
                .wait(10 * SECOND)
                .look(Look::Attempts("called-again", TO_MASTER, "begun", vec![1, 3, 7]))
                .look(Look::Never("not-attached", On::said(TO_MASTER, "").with(" ATTACH "), None)),
        )
        .twin("link.attach.02"),
        link(
            "link.attach.06",
            "A member tells its master in the moment in which it decides DOWN",
            &["MA-013", "LS-023"],
            member()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(5 * MINUTE)
                .look(Look::Seconds("at-180-s", REPORT_DOWN, "sent", vec![180])),
        ),
        link(
            "link.attach.07",
            "What a member has found it does not write into the record, and does not route by",
            &["MA-001", "LS-040"],
            member()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(10 * MINUTE)
                .talk("rg2", asking())
                .look(Look::Seconds("reported", REPORT_DOWN, "sent", vec![180]))
                .look(Look::Some("still-up", TABLE.with(RG2_UP)))
                .look(Look::Never("no-other-record", NEWS_TO_RG3.with(RG2_DOWN), None))
                .look(Look::Never("mail-waits", On::said(TO_RG3, "X-SUBMIT OFFER "), None)),
        )
        .twin("link.attach.06"),
        link(
            "link.attach.08",
            "What the master then writes it tells its neighbours before it reroutes",
            &["LS-017", "LS-018"],
            member()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(4 * MINUTE)
                .act(Act::Tell(
                    TO_MASTER,
                    Port::Group,
                    format!(" NEWS {NO_DIGEST} ( {RG1_AFTER} )"),
                ))
                .wait(SECOND)
                .look(Look::Seconds("told-at-once", NEWS_TO_RG3.with(RG2_DOWN), "sent", vec![240]))
                .look(Look::Before(
                    "then-the-mail",
                    NEWS_TO_RG3.with(RG2_DOWN),
                    On::said(TO_RG3, "X-SUBMIT OFFER "),
                )),
        ),
        link(
            "link.attach.09",
            "A member tells its master in the moment in which the connector works again",
            &["MA-013", "LS-025"],
            member()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(4 * MINUTE + 30 * SECOND)
                .rule(TO_RG2, Rule::Pass)
                .wait(MINUTE)
                .look(Look::Seconds("down-and-up", REPORT, "sent", vec![180, 300])),
        ),
        link(
            "link.attach.10",
            "On a new connection to the master the report has the states of now",
            &["MA-011"],
            member()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(200 * SECOND)
                .act(Act::Tell(TO_MASTER, Port::Group, " NONSENSE".into()))
                .wait(5 * SECOND)
                .look(Look::Seconds("again-at-201-s", REPORT_DOWN, "sent", vec![180, 201])),
        ),
        link(
            "link.attach.11",
            "A frame out of place from the master ends the connection, and the member calls again",
            &["SM-082", "MA-010"],
            member()
                .wait(SECOND)
                .mark("told")
                .act(Act::Tell(TO_MASTER, Port::Group, " REPORT ()".into()))
                .wait(2 * SECOND)
                .look(Look::Attempts("called-again", TO_MASTER, "told", vec![1])),
        ),
    ]
}

/// What a master says of RG1 where it is played, and after a failure of the connector to RG2.
pub(super) const RG1: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 1 {5}rg1-c 1 1 0 0 ( {5}rg1-a YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE UP ) ",
    "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP ) ) )",
);
const RG1_AFTER: &str = concat!(
    "( 00000000000000000000000000000001 {3}RG1 1 {5}rg1-c 1 1 1 0 ( {5}rg1-a YES {5}rg1-c YES ) ",
    "( {7}RG1-RG2 ( CONFIG {3}RG2 a BH ( {5}rg1-a ) STATE DOWN ) ",
    "{7}RG1-RG3 ( CONFIG {3}RG3 14 BH ( {5}rg1-a ) STATE UP ) ) )",
);

fn of_masters() -> Vec<Case> {
    let leading = || Play::over(leads);
    let says = |states: &str| report(states);
    let query = || news_frame(NO_DIGEST, &[]);
    let heard = |script: Script, states: &str, check: &str| {
        script.send(says(states).as_bytes()).frame(check, " REPORTED ")
    };
    // The grown record comes to the fellow as news, beside the answer to its report.
    let grows = |script: Script, states: &str| {
        script.send(says(states).as_bytes()).frame("one", " ").frame("other", " ")
    };
    vec![
        link(
            "link.master.01",
            "A master publishes what the only member that carries a connector reports",
            &["MA-004", "MA-008"],
            leading()
                .talk("fellow", grows(reported(), "{7}RG1-RG2 DOWN"))
                .talk("rg2", asking())
                .look(Look::Some("down", TABLE.with(BY_FELLOW_DOWN)))
                .look(Look::Some("minor-1", TABLE.with(" 1 1 0 ( {5}rg1-a YES"))),
        ),
        link(
            "link.master.02",
            "A connector that is not heard of keeps its state",
            &["MA-004"],
            leading()
                .talk("fellow", reported())
                .talk("rg2", asking())
                .look(Look::Some("up", TABLE.with(BY_FELLOW_UP))),
        ),
        link(
            "link.master.03",
            "As long as one member that carries it reports UP, a connector is UP",
            &["MA-004"],
            opened(Play::over(shared))
                .talk("fellow", grows(reported(), "{7}RG1-RG2 DOWN"))
                .talk("rg2", asking())
                .wait(SECOND)
                .look(Look::Some("heard", On::back("fellow", "").with(" REPORTED ")))
                .look(Look::Never("not-down", TABLE.with(BY_BOTH_DOWN), None)),
        )
        .twin("link.master.01"),
        link(
            "link.master.04",
            "It is DOWN when all of them report DOWN",
            &["MA-004"],
            opened(Play::over(shared))
                .talk("fellow", {
                    let merged = frame(&format!(" MERGED {THEIRS} ()\r\n"));
                    grows(reported(), "{7}RG1-RG2 DOWN").send(merged.as_bytes())
                })
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .mark("sent")
                .talk("client", to_bob())
                .wait(4 * MINUTE)
                .talk("fellow", Script::new(Seat::Fellow, Port::Group).frame("news", " NEWS "))
                .look(Look::Seconds(
                    "told-at-180-s",
                    On::said(TO_RG3, LAST).with(BY_BOTH_DOWN),
                    "sent",
                    vec![180],
                )),
        ),
        link(
            "link.master.05",
            "A report of a connector that its member does not carry changes nothing",
            &["MA-014"],
            triangular()
                .talk("fellow", heard(reported(), "{7}RG1-RG2 DOWN {7}RG1-RG3 DOWN", "again"))
                .talk("rg2", asking())
                .look(Look::Some("up", TABLE.with(RG2_UP)))
                .look(Look::Never("not-down", TABLE.with("STATE DOWN"), None)),
        )
        .twin("link.master.01"),
        link(
            "link.master.06",
            "The same report again brings no new version",
            &["MA-007"],
            leading()
                .talk("fellow", grows(reported(), "{7}RG1-RG2 DOWN"))
                .talk("rg2", asking())
                .talk("later", {
                    let script = heard(reported(), "{7}RG1-RG2 DOWN", "again");
                    heard(script, "{7}RG1-RG2 DOWN", "and-again")
                        .send(query().as_bytes())
                        .frame("table", " MERGED ")
                })
                .look(Look::Digests(
                    "the-same-table",
                    [TABLE, On::back("later", "").with(" MERGED ")],
                    true,
                )),
        ),
        link(
            "link.master.07",
            "REPORTED is said when the record is on disk: a kill behind it takes nothing back",
            &["MA-015", "LS-007"],
            leading()
                .talk("fellow", grows(reported(), "{7}RG1-RG2 DOWN"))
                .act(Act::Restart)
                .talk("rg2", asking())
                .look(Look::Some("heard", On::back("fellow", "").with(" REPORTED ")))
                .look(Look::Some("still-down", TABLE.with(BY_FELLOW_DOWN))),
        ),
        link(
            "link.master.08",
            "A member that has gone leaves its states behind: they stay as they were reported",
            &["MA-004"],
            leading()
                .talk("fellow", grows(reported(), "{7}RG1-RG2 DOWN"))
                .act(Act::Leave("fellow"))
                .wait(10 * MINUTE)
                .talk("rg2", asking())
                .look(Look::Some("still-down", TABLE.with(BY_FELLOW_DOWN))),
        ),
        link(
            "link.master.09",
            "A member of another group that attaches is thrown out",
            &["MA-012", "SM-080"],
            triangular()
                .talk("rg2", called(Seat::Member).send(attach("rg2-a").as_bytes()).gone("closed")),
        )
        .twin("link.group.01"),
        link(
            "link.master.10",
            "A member that is not the master throws out whoever attaches to it",
            &["MA-012"],
            member().talk(
                "fellow",
                called(Seat::Fellow).send(attach("rg1-c").as_bytes()).gone("closed"),
            ),
        )
        .twin("link.group.01"),
    ]
}
