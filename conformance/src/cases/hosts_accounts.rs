//! The host of accounts that take no mail now, or have no room for it, with the suite as the member that
//! delivers.

use super::fellows::{indexed, inquire, lmtp, mail, recipient};
use super::hosts::{CONTENT, played, taken};
use super::members::ok;
use crate::case::Case;
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
}
