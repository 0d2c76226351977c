//! How much one client address may take of a member in a minute.

use serde_json::json;

use super::handing_over::client;
use super::members::ready;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::play::{Act, Look, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let case = |id: &str, title: &str, verifies: &[&str], play: Play| {
        Case::play(id, title, "smtp/limits", play).verifies(verifies)
    };
    vec![
        case(
            "smtp.limits.01",
            "A client that stays within its limits is served",
            &["SM-120", "SM-121", "SM-122"],
            limited("messages_per_minute", 2).talk("one", to_ann()).talk("two", to_ann()),
        ),
        case(
            "smtp.limits.02",
            "A mail beyond the limit of a minute is refused at MAIL, and taken when the limit allows one more",
            &["SM-120"],
            limited("messages_per_minute", 2)
                .talk("one", to_ann())
                .talk("two", to_ann())
                .talk("three", {
                    let refused = Want::code(450).status("4.7.1");
                    Script::smtp(Seat::Outside).ask(MAIL, "refused", refused).fence()
                })
                .wait(31 * SECOND)
                .talk("later", to_ann()),
        )
        .twin("smtp.limits.01")
        .kills(&[("limits-not-counted", "three-refused")]),
        case(
            "smtp.limits.03",
            "A recipient beyond the limit of a minute is refused at RCPT, and those before stay accepted",
            &["SM-120"],
            limited("recipients_per_minute", 2)
                .talk("client", recipients())
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("both-have-it", 0, 2)),
        )
        .twin("smtp.limits.01")
        .kills(&[("limits-not-counted", "client-beyond")]),
        case(
            "smtp.limits.04",
            "Bad commands are counted over all connections of an address, which is turned away for a while",
            &["SM-121"],
            limited("errors_per_minute", 2)
                .talk("one", bad(Script::smtp(Seat::Outside), "first"))
                .talk("two", bad(Script::smtp(Seat::Outside), "second"))
                .talk("one", {
                    let enough = Want::code(421).status("4.7.0");
                    Script::new(Seat::Outside, Port::Smtp)
                        .ask("XBAD", "enough", enough)
                        .closed("closed")
                })
                .talk("three", {
                    let away = Want::code(421).status("4.7.0");
                    Script::new(Seat::Outside, Port::Smtp).reply("away", away).closed("closed")
                })
                .wait(61 * SECOND)
                .talk("later", to_ann()),
        )
        .twin("smtp.limits.01")
        .kills(&[("limits-not-counted", "one-enough")]),
        case(
            "smtp.limits.05",
            "A member is not counted: it goes on where a client would be refused",
            &["SM-122"],
            limited("errors_per_minute", 1).talk("rg2", {
                let script = bad(bad(ready(), "bad-one"), "bad-two");
                bad(script, "bad-three").ask("NOOP", "still-served", Want::code(250))
            }),
        )
        .twin("smtp.limits.01")
        .kills(&[("members-are-limited", "rg2-bad-two")]),
    ]
}

const MAIL: &str = "MAIL FROM:<carl@example.test>";

/// One limit of each address in a minute; nobody but members is exempt.
fn limited(limit: &str, count: u32) -> Play {
    Play::new().policy("limits", json!({"client": {limit: count, "exempt": []}})).wait(SECOND)
}

fn to_ann() -> Script {
    client("<carl@example.test>", &["<ann@example.test>"])
}

fn bad(script: Script, check: &str) -> Script {
    script.ask("XBAD", check, Want::codes(&[500, 502]))
}

/// Two recipients are taken and the third is not; the mail goes to the two.
fn recipients() -> Script {
    let rcpt = |script: Script, name: &str, check: &str, want: Want| {
        script.ask(&format!("RCPT TO:<{name}@example.test>"), check, want)
    };
    let script = Script::smtp(Seat::Outside).ask(MAIL, "mail", Want::code(250));
    let script = rcpt(script, "ann", "one", Want::code(250));
    let script = rcpt(script, "amy", "two", Want::code(250));
    rcpt(script, "postmaster", "beyond", Want::code(452).status("4.7.1"))
        .ask("DATA", "data", Want::code(354))
        .send(b"From: suite\r\nSubject: limits\r\n\r\ntext\r\n.\r\n")
        .reply("accepted", Want::code(250))
        .ask("QUIT", "farewell", Want::code(221))
        .closed("closed")
}
