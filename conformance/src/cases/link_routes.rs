//! Which way mail takes by the table, and when it waits.

use super::handing_over::{client, client_with, to_bob};
use super::link_peers::{
    LAST, MINUTE, NEWS_TO_RG3, RG2, RG3, TO_RG2, TO_RG3, asking, knows, link, opened, telling,
    tells, triangular, versioned,
};
use super::members::proved;
use super::parcel::Parcel;
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::{Port, Rule};
use crate::organization::{
    Blueprint, all_by_rg3, between, diamond, even, fellow_carries, narrow, triangle,
};
use crate::play::{Act, Look, On, Play};

const BY_RG2: On = On::said(TO_RG2, "X-SUBMIT OFFER ");
const BY_RG3: On = On::said(TO_RG3, "X-SUBMIT OFFER ");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = least();
    cases.extend(waiting());
    cases.extend(covered());
    cases
}

/// A record in which this connector has this state.
fn with_state(record: &str, connector: &str, state: &str) -> String {
    let (head, tail) = record.split_at(record.find(connector).unwrap_or_default());
    format!("{head}{}", tail.replacen("STATE UP", &format!("STATE {state}"), 1))
}

pub(super) const RG2_TO_RG4: &str = concat!(
    "( 00000000000000000000000000000002 {3}RG2 1 {5}rg2-a 1 1 0 0 ( {5}rg2-a YES ) ",
    "( {7}RG2-RG1 ( CONFIG {3}RG1 a BH ( {5}rg2-a ) STATE UP ) ",
    "{7}RG2-RG4 ( CONFIG {3}RG4 a BH ( {5}rg2-a ) STATE UP ) ) )",
);
pub(super) const RG3_TO_RG4: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 1 {5}rg3-a 1 1 0 0 ( {5}rg3-a YES ) ",
    "( {7}RG3-RG1 ( CONFIG {3}RG1 a BH ( {5}rg3-a ) STATE UP ) ",
    "{7}RG3-RG4 ( CONFIG {3}RG4 a BH ( {5}rg3-a ) STATE UP ) ) )",
);
pub(super) const RG4: &str = concat!(
    "( 00000000000000000000000000000004 {3}RG4 1 {5}rg4-a 1 1 0 0 ( {5}rg4-a YES ) ",
    "( {7}RG4-RG2 ( CONFIG {3}RG2 a BH ( {5}rg4-a ) STATE UP ) ) )",
);

fn least() -> Vec<Case> {
    let over = |blueprint: fn() -> Blueprint| opened(Play::over(blueprint)).wait(SECOND);
    let to_dan = || client("<carl@example.test>", &["<dan@example.test>"]);
    let large = || {
        client_with("<carl@example.test>", &["<bob@example.test>"], &"all of it\r\n".repeat(400))
    };
    let fourth = || {
        Play::over(diamond)
            .opens(TO_RG2, Port::Smtp, knows(&[RG2_TO_RG4, RG4]))
            .opens(TO_RG3, Port::Smtp, knows(&[RG3_TO_RG4]))
            .wait(SECOND)
    };
    let goes = |id: &str, title: &str, verifies: &[&str], play: Play, (way, other): (On, On)| {
        let play = play.wait(SECOND).look(Look::Count("this-way", way, 1)).look(Look::Never(
            "not-the-other",
            other,
            None,
        ));
        link(id, title, verifies, play).twin("link.mail.01")
    };
    vec![
        goes(
            "link.route.01",
            "Mail takes the way of the least sum of costs: straight, where that is less",
            &["LS-040"],
            over(triangle).talk("client", to_bob()),
            (BY_RG2, BY_RG3),
        ),
        goes(
            "link.route.02",
            "Mail takes the way of the least sum of costs: by another group, where that is less",
            &["LS-040"],
            over(all_by_rg3).talk("client", to_bob()),
            (BY_RG3, BY_RG2),
        ),
        goes(
            "link.route.03",
            "Of two ways of the same cost mail takes the one with fewer hops",
            &["LS-040"],
            over(even).talk("client", to_bob()),
            (BY_RG2, BY_RG3),
        ),
        goes(
            "link.route.04",
            "Of two ways of the same cost and length mail takes the one whose first name is less",
            &["LS-040"],
            fourth().talk("client", to_dan()),
            (BY_RG2, BY_RG3),
        ),
        goes(
            "link.route.05",
            "A way on which a later connector is DOWN is none",
            &["LS-041", "LS-040"],
            fourth()
                .talk("rg2", {
                    let record = versioned(RG2_TO_RG4, "1 {5}rg2-a 1 1 1 0");
                    telling(&[&with_state(&record, "RG2-RG4", "DOWN")])
                })
                .wait(6 * SECOND)
                .talk("client", to_dan()),
            (BY_RG3, BY_RG2),
        ),
        goes(
            "link.route.06",
            "A cost in a record counts, not the one of the own configuration",
            &["LS-040"],
            over(all_by_rg3)
                .talk("rg2", {
                    let record = versioned(RG3, "1 {5}rg3-a 1 1 1 0");
                    telling(&[&record.replace("CONFIG {3}RG2 a ", "CONFIG {3}RG2 64 ")])
                })
                .wait(6 * SECOND)
                .talk("client", to_bob()),
            (BY_RG2, BY_RG3),
        ),
        goes(
            "link.route.07",
            "A message above the size limit of a connector takes the next best way",
            &["LS-041"],
            over(narrow).talk("client", large()),
            (BY_RG3, BY_RG2),
        ),
        goes(
            "link.route.08",
            "A message below it does not",
            &["LS-041"],
            over(narrow).talk("client", to_bob()),
            (BY_RG2, BY_RG3),
        ),
        link(
            "link.route.09",
            "A member that does not carry the connector hands over to the first that does, by the record",
            &["LS-042"],
            Play::over(fellow_carries)
                .opens(TO_RG3, Port::Smtp, knows(&[RG2, RG3]))
                .wait(SECOND)
                .talk("client", to_bob())
                .wait(SECOND)
                .look(Look::Count(
                    "to-the-first",
                    On::said("rg1-a>rg1-c/smtp", "X-SUBMIT OFFER "),
                    1,
                ))
                .look(Look::Never(
                    "not-to-the-second",
                    On::said("rg1-a>rg1-b/smtp", "X-SUBMIT OFFER "),
                    None,
                )),
        )
        .twin("link.mail.01"),
        link(
            "link.route.10",
            "On a connection to a fellow the news stands before the mail as well",
            &["LS-010", "LS-019"],
            Play::over(fellow_carries)
                .opens(TO_RG3, Port::Smtp, knows(&[RG2, RG3]))
                .wait(SECOND)
                .talk("client", to_bob())
                .wait(SECOND)
                .look(Look::Before(
                    "news-first",
                    On::said("rg1-a>rg1-c/smtp", LAST).with(" NEWS "),
                    On::said("rg1-a>rg1-c/smtp", "X-SUBMIT OFFER "),
                )),
        ),
    ]
}

fn waiting() -> Vec<Case> {
    let unknown = || {
        Play::over(between)
            .opens(TO_RG2, Port::Smtp, knows(&[]))
            .opens(TO_RG3, Port::Smtp, knows(&[RG3]))
            .wait(SECOND)
            .talk("client", to_bob())
    };
    vec![
        link(
            "link.wait.01",
            "Mail for a group of which there is no record waits, and is not returned",
            &["LS-044"],
            unknown()
                .wait(2 * HOUR)
                .look(Look::Some("the-table-came", On::said(TO_RG2, LAST)))
                .look(Look::Never("not-sent", BY_RG2, None))
                .look(Look::NoNotice("not-returned", "rg1-a>rg1-c/deliver")),
        )
        .twin("link.wait.02"),
        link(
            "link.wait.02",
            "It goes in the moment in which the record comes",
            &["LS-044", "LS-180"],
            unknown()
                .wait(10 * MINUTE)
                .mark("record")
                .talk("rg2", telling(&[RG2]))
                .wait(SECOND)
                .look(Look::Routed("goes-at-once", BY_RG2, "record", vec![0])),
        ),
        link(
            "link.wait.03",
            "A failure that is not told yet changes no route: mail waits for the connector that it has",
            &["LS-040"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .talk("client", to_bob())
                .wait(2 * MINUTE)
                .look(Look::Some("news-to-rg3", NEWS_TO_RG3))
                .look(Look::Never("not-by-rg3", BY_RG3, None)),
        )
        .twin("link.retry.09"),
        link(
            "link.wait.04",
            "What the origin alone knows changes no route either: later mail waits behind the first",
            &["LS-040"],
            triangular()
                .wait(SECOND)
                .rule(TO_RG2, Rule::Refuse)
                .talk("client", to_bob())
                .wait(90 * SECOND)
                .talk("later", to_bob())
                .wait(MINUTE)
                .look(Look::Some("news-to-rg3", NEWS_TO_RG3))
                .look(Look::Never("not-by-rg3", BY_RG3, None)),
        )
        .twin("link.retry.09")
        .kills(&[("routes-by-private-knowledge", "not-by-rg3")]),
    ]
}

/// A message from RG2 for cat in RG3 that has been routed by this version of RG3's record.
fn routed(number: u32, group: &str, version: &str) -> Parcel {
    let (counter, rest) = version.split_once(' ').unwrap_or_default();
    let numbers: Vec<&str> = rest.split(' ').collect();
    let number_of_group = group.trim_start_matches("RG");
    let member = format!("rg{number_of_group}-a");
    let key = format!("{group}/{number_of_group:0>32}");
    let routed = format!(
        r#""routed_by":{{"{key}":{{"term":{{"counter":{counter},"member":"{member}","nonce":{}}},"major":{},"minor":{},"user":{}}}}}"#,
        numbers[0], numbers[1], numbers[2], numbers[3],
    );
    Parcel::new(number)
        .patient()
        .edit("ann@example.test", "cat@example.test")
        .edit(r#""routed_by":{}"#, &routed)
}

fn covered() -> Vec<Case> {
    let handed = |parcel: &Parcel| {
        triangular().wait(SECOND).talk("peer", parcel.hand_over(tells(proved(), &[], "table")))
    };
    let goes = |id: &str, title: &str, parcel: &Parcel| {
        let play = handed(parcel).wait(SECOND).look(Look::Count("goes", BY_RG3, 1));
        link(id, title, &["LS-045"], play)
    };
    let waits = |id: &str, title: &str, parcel: &Parcel| {
        let play = handed(parcel)
            .wait(30 * MINUTE)
            .look(Look::Never("waits", BY_RG3, None))
            .look(Look::NoNotice("not-returned", "rg1-a>rg1-c/deliver"));
        let case = link(id, title, &["LS-045"], play).twin("link.covered.01");
        let kills = [("routes-by-a-smaller-table", "waits")];
        if id == "link.covered.04" { case.kills(&kills) } else { case }
    };
    vec![
        goes(
            "link.covered.01",
            "A message that was routed by the table at hand goes on",
            &routed(0x81, "RG3", "1 1 1 0 0"),
        ),
        goes(
            "link.covered.02",
            "A message that was routed by a smaller table goes on",
            &routed(0x82, "RG3", "0 1 1 0 0"),
        ),
        waits(
            "link.covered.03",
            "A message that was routed by a greater user number waits for the record",
            &routed(0x83, "RG3", "1 1 1 0 1"),
        ),
        waits(
            "link.covered.04",
            "A message that was routed by a greater minor number waits for the record",
            &routed(0x84, "RG3", "1 1 1 1 0"),
        ),
        waits(
            "link.covered.05",
            "A message that was routed by a greater major number waits for the record",
            &routed(0x85, "RG3", "1 1 2 0 0"),
        ),
        waits(
            "link.covered.06",
            "A message that was routed by a greater term waits for the record",
            &routed(0x86, "RG2", "2 1 1 0 0"),
        ),
        link(
            "link.covered.07",
            "It goes in the moment in which the record comes, which alters no connector",
            &["LS-045", "LS-018", "LS-183"],
            handed(&routed(0x87, "RG3", "1 1 1 1 0"))
                .wait(10 * MINUTE)
                .mark("record")
                .talk("rg2", telling(&[&versioned(RG3, "1 {5}rg3-a 1 1 1 0")]))
                .wait(SECOND)
                .look(Look::Seconds("goes-at-once", BY_RG3, "record", vec![0])),
        ),
        link(
            "link.covered.08",
            "The versions that routed a message travel with it, merged with those of the table",
            &["CU-023", "LS-045", "LS-137"],
            handed(&routed(0x88, "RG3", "1 1 1 0 0"))
                .act(Act::Inspect("queue"))
                .wait(SECOND)
                .look(Look::Envelope(
                    "the-table-of-rg2",
                    TO_RG3,
                    0,
                    "/routed_by/RG2~100000000000000000000000000000002/term/counter",
                    serde_json::json!(1),
                ))
                .look(Look::Envelope(
                    "the-own-table",
                    TO_RG3,
                    0,
                    "/routed_by/RG1~100000000000000000000000000000001/term/member",
                    serde_json::json!("rg1-a"),
                )),
        ),
        link(
            "link.covered.09",
            "Other mail is not held back by a message that waits for a record",
            &["LS-045"],
            handed(&routed(0x89, "RG2", "2 1 1 0 0"))
                .talk("client", client("<carl@example.test>", &["<cat@example.test>"]))
                .wait(SECOND)
                .talk("rg2", asking())
                .look(Look::Count("one-goes", BY_RG3, 1)),
        ),
    ]
}
