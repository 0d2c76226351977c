//! The host of accounts, with the suite as the member that delivers: its connections, and what the rules of
//! an account make of a message.

use serde_json::json;

use super::fellows::{indexed, inquire, lmtp, mail, origin, recipient};
use super::hosts::{CONTENT, delivered, played, taken};
use super::members::ok;
use super::rule_ids::derived;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::ruled;
use crate::play::{Act, Look, On, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

const TO_CARL: &str = "rg1-a>rg1-c/deliver";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = connections();
    cases.extend(rules());
    cases
}

fn connections() -> Vec<Case> {
    vec![
        played(
            "deliver.newer.01",
            "A newer connection of the same member closes the older one",
            &["DE-020"],
            Play::new()
                .talk("older", lmtp().ask(&mail(6), "mail", taken()))
                .talk("newer", lmtp())
                .talk(
                    "newer",
                    delivered(Script::new(Seat::Fellow, Port::Deliver), 6, 0, CONTENT).fence(),
                )
                .talk(
                    "older",
                    Script::new(Seat::Fellow, Port::Deliver)
                        .barred("last-words", &[("", Want::code(421))]),
                )
                .look(Look::Ended("older-is-closed", "older")),
        )
        .twin("deliver.newer.02")
        .kills(&[("older-connection-lives", "older-is-closed")]),
        played(
            "deliver.newer.02",
            "A connection is of use until its member ends it, and the next one after it",
            &["DE-020"],
            Play::new()
                .talk(
                    "older",
                    delivered(lmtp(), 7, 0, CONTENT)
                        .ask("QUIT", "farewell", Want::code(221))
                        .closed("closed"),
                )
                .talk("newer", delivered(lmtp(), 8, 0, CONTENT).fence()),
        ),
        played(
            "deliver.queue.01",
            "A host queues nothing of what it receives",
            &["DE-025"],
            Play::new()
                .talk("sender", delivered(lmtp(), 9, 0, CONTENT).fence())
                .act(Act::Inspect("queue"))
                .look(Look::Shown("an-empty-queue", 0, "/messages", json!([]))),
        ),
    ]
}

/// A delivery into an account with a rule.
fn ruling(account: &str, result: Want) -> Script {
    lmtp()
        .ask(&mail(10), "mail", taken())
        .ask(&recipient(account, 3), "rcpt", indexed(250, 3))
        .ask("DATA", "data", Want::code(354))
        .send(CONTENT)
        .reply("result", result)
}

fn rules() -> Vec<Case> {
    let twice = |account: &str, result: &Want| {
        ruling(account, result.clone())
            .ask(&mail(10), "mail-again", taken())
            .ask(&recipient(account, 3), "rcpt-again", indexed(250, 3))
            .ask("DATA", "data-again", Want::code(354))
            .send(CONTENT)
            .reply("result-again", result.clone())
    };
    let rejected = Want::code(550).status("5.7.1").last("not here");
    let told = On::said(TO_CARL, "RCPT TO:<carl@example.test>");
    let derived_mail = On::said(TO_CARL, "MAIL FROM:");
    let of_rules = |place: u32| vec![derived(&origin(10), 3, place)];
    let over = |account: &str| {
        Play::over(ruled)
            .talk("sender", twice(account, &indexed(250, 3)).fence())
            .wait(SECOND)
            .act(Act::Inspect("accounts"))
    };
    vec![
        played(
            "deliver.rules.01",
            "What a rule redirects is sent on once, under the id that follows from the message, and not kept",
            &["RU-020", "RU-021", "RU-023", "DE-043"],
            over("redirects")
                .look(Look::Count("sent-on-once", told, 1))
                .look(Look::Values("derived-id", derived_mail, "XORIGIN", of_rules(0)))
                .look(Look::Letters("no-letter", 0, 0)),
        ),
        played(
            "deliver.rules.02",
            "What a rule copies is sent on once, under the id that follows from the message, and kept once",
            &["RU-020", "RU-021", "RU-023", "RU-024"],
            over("copies")
                .look(Look::Count("sent-on-once", told, 1))
                .look(Look::Values("derived-id", derived_mail, "XORIGIN", of_rules(1)))
                .look(Look::Letters("one-letter", 0, 1)),
        ),
        played(
            "deliver.rules.03",
            "What a rule rejects is refused with its text, and again when it is repeated",
            &["RU-022", "DE-024"],
            Play::over(ruled)
                .talk("sender", twice("rejects", &rejected).fence())
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("no-letter", 0, 0)),
        )
        .twin("deliver.rules.02"),
        played(
            "deliver.rules.04",
            "A rejection is in the journal before it is spoken",
            &["RU-022", "SM-077"],
            Play::over(ruled).talk("sender", ruling("rejects", rejected)).act(Act::Restart).talk(
                "again",
                lmtp()
                    .ask(
                        &inquire(10, 3, "rejects@example.test"),
                        "recorded",
                        ok().last("[3] REFUSED 550 5.7.1"),
                    )
                    .fence(),
            ),
        )
        .twin("deliver.rules.02"),
        played(
            "deliver.rules.05",
            "What a rule discards counts as delivered, and is not stored",
            &["RU-003", "RU-021"],
            over("discards").look(Look::Letters("no-letter", 0, 0)),
        ),
        played(
            "deliver.rules.06",
            "What a rule sends on survives a crash, and is sent on once",
            &["RU-021", "DE-043"],
            Play::over(ruled)
                .act(Act::Rule(TO_CARL, Rule::Refuse))
                .talk("sender", ruling("redirects", indexed(250, 3)))
                .act(Act::Restart)
                .act(Act::Rule(TO_CARL, Rule::Pass))
                .wait(1_200 * SECOND)
                .look(Look::Count("sent-on-once", told, 1)),
        ),
    ]
}
