//! Cases for clauses that stand between the other chapters: clients that are slow or many, what a sender
//! tells a host, and what a host says again.

use serde_json::json;

use super::fellows::{indexed, lmtp, mail, recipient};
use super::handing_over::{TO_CARL, always, client, once, sender};
use super::hosts::{delivered, played, taken};
use super::members::{bad_order, proved, ready};
use super::parcel::Parcel;
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::net::Port;
use crate::organization::{consulted, limited, solo};
use crate::play::{Act, Answer, Look, On, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

const SERVER: &str = "smtp/server";
const MINUTE: u64 = 60 * SECOND;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = idle();
    cases.extend(many());
    cases.extend(order());
    cases.extend(arrived());
    cases.extend(again());
    cases
}

/// What a member does with clients besides what every server does.
fn talked(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, "cluster/full", play).verifies(verifies)
}

fn hello() -> Script {
    Script::smtp(Seat::Outside)
}

fn on_smtp() -> Script {
    Script::new(Seat::Outside, Port::Smtp)
}

fn ok(status: &str) -> Want {
    Want::code(250).status(status)
}

fn idle() -> Vec<Case> {
    let late = || on_smtp().reply("told", Want::code(421).status("4.4.2")).closed("closed");
    vec![
        talked(
            "smtp.idle.01",
            "A client that says something every four minutes is served",
            &["SM-010", "RFC5321:4.5.3.2.7"],
            Play::new()
                .talk("client", hello())
                .wait(4 * MINUTE)
                .talk("client", on_smtp().ask("NOOP", "first", ok("2.0.0")))
                .wait(4 * MINUTE)
                .talk("client", on_smtp().ask("NOOP", "second", ok("2.0.0")).fence()),
        ),
        talked(
            "smtp.idle.02",
            "A client that says nothing for five minutes is told so, and the connection ends",
            &["SM-010"],
            Play::new().talk("client", hello()).wait(5 * MINUTE).talk("client", late()),
        )
        .twin("smtp.idle.01"),
        talked(
            "smtp.idle.03",
            "A client that stops within a mail is told so, too, and nothing is queued",
            &["SM-010"],
            Play::new()
                .talk(
                    "client",
                    hello()
                        .ask("MAIL FROM:<ann@example.test>", "mail", ok("2.1."))
                        .ask("RCPT TO:<amy@example.test>", "rcpt", ok("2.1."))
                        .ask("DATA", "data", Want::code(354))
                        .send(b"Subject: half\r\n\r\nof a mes"),
                )
                .wait(5 * MINUTE)
                .talk("client", late())
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("no-letter", 0, 0)),
        )
        .twin("smtp.idle.01"),
    ]
}

fn many() -> Vec<Case> {
    let to = |name: &str| format!("RCPT TO:<{name}@example.test>");
    let mail = |limit: u64| {
        let script = hello()
            .ask("MAIL FROM:<ann@example.test>", "mail", ok("2.1."))
            .ask(&to("ann"), "first", ok("2.1."))
            .ask(&to("amy"), "second", ok("2.1."));
        (Play::new().policy("recipients_limit", json!(limit)), script)
    };
    let end = |script: Script| {
        script
            .ask("DATA", "data", Want::code(354))
            .send(b"Subject: many\r\n\r\ntext\r\n.\r\n")
            .reply("accepted", ok("2.0.0").queue_id())
            .fence()
    };
    let (enough, within) = mail(3);
    let (few, beyond) = mail(2);
    vec![
        talked(
            "smtp.recipients.01",
            "Recipients up to the limit are accepted",
            &["SM-012"],
            enough.talk("client", end(within.ask(&to("postmaster"), "third", ok("2.1.")))),
        ),
        talked(
            "smtp.recipients.02",
            "One beyond the limit is refused for now, and those before it get the mail",
            &["SM-012", "RFC5321:4.5.3.1.10"],
            few.talk(
                "client",
                end(beyond.ask(&to("postmaster"), "refused", Want::code(452).status("4.5.3"))),
            )
            .act(Act::Inspect("accounts"))
            .look(Look::Letters("two-letters", 0, 2)),
        )
        .twin("smtp.recipients.01"),
        Case::script(
            "smtp.postmaster.01",
            "Mail for postmaster is taken without a domain, in any letters",
            SERVER,
            hello()
                .ask("MAIL FROM:<{sender}>", "mail", ok("2.1."))
                .ask("RCPT TO:<postmaster>", "lower", ok("2.1."))
                .ask("RCPT TO:<Postmaster>", "mixed", ok("2.1."))
                .fence(),
        )
        .verifies(&["SM-015", "RFC5321:4.1.1.3", "RFC5321:4.5.1"]),
    ]
}

fn order() -> Vec<Case> {
    let parcel = Parcel::minted("rg2-a/0000000051000002/1");
    let hops = Parcel::minted("rg2-a/0000000051000003/1")
        .edit("ann@example.test", "carl@example.test")
        .hand_over(ready())
        .fence();
    let arrived = |begins| On::said(TO_CARL, begins);
    let asks = On::said("rg1-a>rg1-c/group", "").with(" VERIFY ");
    vec![
        Case::script(
            "submit.news.01",
            "An offer before the first news of the connection is out of order",
            "submit/receiver",
            proved().ask(&parcel.offered(1), "refused", bad_order()).fence(),
        )
        .verifies(&["SM-023"])
        .twin("submit.hello.01"),
        played(
            "trace.hops.01",
            "Each hop is a Received field, the newest first, and in universal time",
            &["SM-050", "RFC5321:4.4"],
            Play::new()
                .talk("bridgehead", hops)
                .wait(SECOND)
                .look(Look::Before(
                    "newest-first",
                    arrived("\tby rg1-a (group RG1)"),
                    arrived("\tby rg2-a (group RG2)"),
                ))
                .look(Look::Count("two-hops", arrived("Received: from "), 2))
                .look(Look::Count("universal", arrived("\t").with(" +0000"), 2)),
        ),
        sender(
            "verify.each.01",
            "A host is asked for each RCPT anew: an answer counts once",
            &["SM-093", "SM-090"],
            Play::over(consulted)
                .talk(
                    "client",
                    hello()
                        .ask("MAIL FROM:<ann@example.test>", "mail", ok("2.1."))
                        .send(b"RCPT TO:<carl@example.test>\r\n"),
                )
                .talk("client", on_smtp().reply("first", ok("2.1.")))
                .talk(
                    "client",
                    on_smtp()
                        .ask("RSET", "reset", ok("2.0.0"))
                        .ask("MAIL FROM:<ann@example.test>", "mail-2", ok("2.1."))
                        .send(b"RCPT TO:<carl@example.test>\r\n"),
                )
                .talk("client", on_smtp().reply("second", ok("2.1.")).fence())
                .look(Look::Count("asked-twice", asks, 2)),
        ),
    ]
}

/// What a sender tells a host about when a message entered the organization.
fn arrived() -> Vec<Case> {
    const KNOWS: &str = "250-ready\r\n250-8BITMIME\r\n250 X-DELIVER ARRIVED";
    let mail = On::said(TO_CARL, "MAIL FROM:");
    let inquire = On::said(TO_CARL, "X-DELIVER INQUIRE ");
    let carl = || client("<ann@example.test>", &["<carl@example.test>"]);
    let in_doubt = |answer: &'static str| {
        Play::over(solo)
            .cast(
                TO_CARL,
                Port::Deliver,
                vec![
                    always("LHLO", Answer::Say(KNOWS)),
                    once("RESULT [0]", Answer::Lose),
                    always("X-DELIVER INQUIRE", Answer::Say(answer)),
                ],
            )
            .talk("client", carl())
            .wait(2 * HOUR)
    };
    vec![
        sender(
            "deliver.arrived.01",
            "A host that offers ARRIVED is told when the message entered the organization",
            &["DE-088", "WI-049"],
            Play::new()
                .cast(TO_CARL, Port::Deliver, vec![always("LHLO", Answer::Say(KNOWS))])
                .talk("client", carl())
                .wait(SECOND)
                .look(Look::Count("told", mail.with(" XARRIVED="), 1)),
        ),
        sender(
            "deliver.arrived.02",
            "A host that does not offer it is not told",
            &["DE-088"],
            Play::new()
                .talk("client", carl())
                .wait(SECOND)
                .look(Look::Count("delivered", mail, 1))
                .look(Look::Never("not-told", mail.with(" XARRIVED="), None)),
        )
        .twin("deliver.arrived.01"),
        sender(
            "deliver.forgotten.01",
            "A delivery of which the host has a result is not made again",
            &["DE-021", "DE-088"],
            in_doubt("250 2.0.0 [{index}] DELIVERED")
                .look(Look::Some("asked", inquire.with(" XARRIVED=")))
                .look(Look::Count("once", mail, 1)),
        ),
        sender(
            "deliver.forgotten.02",
            "One that the host has forgotten is made again, and marked as a suspect",
            &["DE-087", "DE-072"],
            in_doubt("250 2.0.0 [{index}] FORGOTTEN")
                .look(Look::Count("again", mail, 2))
                .look(Look::Count("marked", On::said(TO_CARL, "RCPT TO:").with(" XSUSPECT"), 1)),
        )
        .twin("deliver.forgotten.01"),
    ]
}

/// What a host says again.
fn again() -> Vec<Case> {
    let told = client("<carl@example.test>", &["<ann@example.test> NOTIFY=SUCCESS,FAILURE"]);
    let large =
        format!("Subject: large\r\n\r\n{}.\r\n", format!("{}\r\n", "x".repeat(900)).repeat(66));
    let into = |script: Script, number: u32, check: &str, result: Want| {
        script
            .ask(&mail(number), &format!("{check}-mail"), taken())
            .ask(&recipient("roomy", 0), &format!("{check}-rcpt"), indexed(250, 0))
            .ask("DATA", &format!("{check}-data"), Want::code(354))
            .send(large.as_bytes())
            .reply(check, result)
    };
    let full = || Want::code(452).status("4.2.2");
    let first = into(lmtp(), 0x511, "first", indexed(250, 0));
    let refused = first
        .ask(&mail(0x512), "second-mail", taken())
        .ask(&recipient("roomy", 0), "second-rcpt", indexed(250, 0))
        .ask("DATA", "second-data", Want::code(354))
        .send(large.as_bytes())
        .reply("second", full());
    let repeated = into(refused, 0x511, "repeated", indexed(250, 0)).fence();
    vec![
        played(
            "deliver.own.01",
            "Mail from the own queue lies in the account once and is told of once, whatever boots come",
            &["DE-097", "CU-062"],
            Play::new()
                .talk("client", told)
                .act(Act::Restart)
                .wait(HOUR)
                .act(Act::Restart)
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1))
                .look(Look::Notices("one-notice", TO_CARL, 1)),
        ),
        played(
            "deliver.room.again.01",
            "What is in the journal is answered as before, also when there is no room any more",
            &["DE-084", "DE-081"],
            Play::over(limited)
                .talk("sender", repeated)
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1)),
        )
        .twin("deliver.results.02"),
        played(
            "deliver.room.again.02",
            "A restart of the host changes nothing in that",
            &["DE-084", "DE-030"],
            Play::new()
                .talk("sender", delivered(lmtp(), 0x513, 0, b"Subject: one\r\n\r\none\r\n.\r\n"))
                .act(Act::Restart)
                .talk(
                    "again",
                    delivered(lmtp(), 0x513, 0, b"Subject: one\r\n\r\none\r\n.\r\n").fence(),
                )
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1)),
        ),
    ]
}
