//! The host of accounts that take no mail now, or have no room for it, and what its journal forgets; with the
//! suite as the member that delivers.

use serde_json::json;

use super::fellows::{indexed, inquire, lmtp, mail, recipient};
use super::hosts::{CONTENT, played, taken};
use super::members::ok;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::organization::limited;
use crate::play::{Act, Look, Play};
use crate::script::Script;
use crate::smtp::Want;

/// A message for an account and for ann, who takes everything, with the result for the account.
fn beside_ann(script: Script, account: &str, number: u32, result: Want) -> Script {
    script
        .ask(&mail(number), "mail", taken())
        .ask(&recipient(account, 4), "rcpt-4", indexed(250, 4))
        .ask(&recipient("ann", 7), "rcpt-7", indexed(250, 7))
        .ask("DATA", "data", Want::code(354))
        .send(CONTENT)
        .reply("result-4", result)
        .reply("result-7", indexed(250, 7))
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let refused = |code: u16, status: &str| Want::code(code).status(status).last("[4]");
    let over = |account: &str, number: u32, result: Want| {
        Play::over(limited)
            .talk("sender", beside_ann(lmtp(), account, number, result).fence())
            .act(Act::Inspect("accounts"))
    };
    let recorded = |word: &str, number: u32| {
        let address = "strict@example.test";
        lmtp().ask(&inquire(number, 4, address), "recorded", ok().last(word)).fence()
    };
    vec![
        played(
            "deliver.accounts.01",
            "An account with room for a message within its quota takes it",
            &["DE-081", "SV-060"],
            over("roomy", 0x51, indexed(250, 4)).look(Look::Letters("two-letters", 0, 2)),
        ),
        played(
            "deliver.accounts.02",
            "A suspended account is refused for now, and the others of the message are delivered",
            &["DE-080"],
            over("closed", 0x52, refused(450, "4.2.1")).look(Look::Letters("one-letter", 0, 1)),
        )
        .twin("deliver.accounts.01")
        .kills(&[("suspended-takes-mail", "sender-result-4")]),
        played(
            "deliver.accounts.03",
            "An account without room is refused for now, and the others of the message are delivered",
            &["DE-081"],
            over("full", 0x53, refused(452, "4.2.2")).look(Look::Letters("one-letter", 0, 1)),
        )
        .twin("deliver.accounts.01")
        .kills(&[("quota-not-checked", "sender-result-4")]),
        played(
            "deliver.accounts.04",
            "An account without room is refused for ever where the organization says so",
            &["DE-082"],
            over("strict", 0x54, refused(552, "5.2.2")).look(Look::Letters("one-letter", 0, 1)),
        )
        .twin("deliver.accounts.01"),
        played(
            "deliver.accounts.05",
            "A refusal for ever for want of room is in the journal before it is spoken",
            &["DE-082", "SM-077"],
            Play::over(limited)
                .talk("sender", beside_ann(lmtp(), "strict", 0x55, refused(552, "5.2.2")))
                .act(Act::Restart)
                .talk("again", recorded("[4] REFUSED 552 5.2.2", 0x55)),
        )
        .twin("deliver.accounts.01"),
    ]
    .into_iter()
    .chain(forgetting())
    .collect()
}

/// What a journal with a short memory says of a message that arrived before anything that it still has.
fn forgetting() -> Vec<Case> {
    const ARRIVED: &str = "XARRIVED=1000000";
    const DAY: u64 = 24 * 3_600 * SECOND;
    let asked = |address: &str, arrived: &str, word: &str| {
        let question =
            inquire(0x56, 0, address).replace(" ADDRESS", &format!(" {arrived} ADDRESS"));
        lmtp().ask(&question, "recorded", ok().last(word)).fence()
    };
    let after = |span_us: u64, again: Script| {
        let first = lmtp()
            .ask(&format!("{} {ARRIVED}", mail(0x56)), "mail", taken())
            .ask(&recipient("ann", 0), "rcpt", indexed(250, 0))
            .ask("DATA", "data", Want::code(354))
            .send(CONTENT)
            .reply("result", indexed(250, 0));
        Play::new()
            .policy("expiry_hours", json!(11))
            .policy("journal_retention_days", json!(1))
            .talk("sender", first)
            .act(Act::Leave("sender"))
            .wait(span_us)
            .talk("again", again)
    };
    let found = |arrived: &str| asked("ann@example.test", arrived, "[0] DELIVERED");
    let gone = |address: &str, arrived: &str, word: &str| {
        after(3 * DAY, asked(&format!("{address}@example.test"), arrived, word))
    };
    vec![
        played(
            "deliver.forgets.01",
            "A delivery is found by who says when its message arrived, as by who does not",
            &["DE-085", "WI-049"],
            after(SECOND, found(ARRIVED)),
        ),
        played(
            "deliver.forgets.02",
            "What the journal has dropped is FORGOTTEN, never UNKNOWN",
            &["DE-085", "DE-086"],
            gone("ann", ARRIVED, "[0] FORGOTTEN"),
        )
        .twin("deliver.forgets.01")
        .kills(&[("forgotten-is-unknown", "again-recorded")]),
        played(
            "deliver.forgets.03",
            "What arrived later than anything that the journal has dropped is UNKNOWN",
            &["DE-086"],
            gone("ann", "XARRIVED=1000001", "[0] UNKNOWN"),
        )
        .twin("deliver.forgets.01"),
        played(
            "deliver.forgets.04",
            "An account of which nothing was dropped has forgotten nothing",
            &["DE-086"],
            gone("amy", ARRIVED, "[0] UNKNOWN"),
        )
        .twin("deliver.forgets.01"),
    ]
}
