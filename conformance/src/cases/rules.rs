//! What the rules of accounts do with mail that a client sends: their order, what they compare, and what
//! they send on, with the suite as whoever that goes to.

use serde_json::json;

use super::handing_over::{ACROSS, TO_CARL};
use super::hosts::played;
use super::members::ok;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::organization::ruled_widely;
use crate::play::{Act, Look, On, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = comparing();
    cases.extend(sent_on());
    cases.extend(replies());
    cases
}

/// A mail from carl to an account; `rcpt` is what stands behind RCPT TO.
fn mail_with(rcpt: &str, header: &str) -> Script {
    Script::smtp(Seat::Outside)
        .ask("MAIL FROM:<carl@example.test>", "mail", Want::code(250))
        .ask(&format!("RCPT TO:{rcpt}"), "rcpt", Want::code(250))
        .ask("DATA", "data", Want::code(354))
        .send(format!("From: carl@example.test\r\n{header}\r\ntext\r\n.\r\n").as_bytes())
        .reply("accepted", ok().queue_id())
        .ask("QUIT", "farewell", Want::code(221))
        .closed("closed")
}

fn over(rcpt: &str, header: &str) -> Play {
    Play::over(ruled_widely)
        .talk("client", mail_with(rcpt, header))
        .wait(SECOND)
        .act(Act::Inspect("accounts"))
}

fn to(account: &str) -> String {
    format!("<{account}@example.test>")
}

fn sent() -> On {
    On::said(TO_CARL, "RCPT TO:<carl@example.test>")
}

fn comparing() -> Vec<Case> {
    let picky = |id: &str, title: &str, verifies: &[&str], subject: &str| {
        let play = over(&to("picky"), &format!("Subject: {subject}\r\n"));
        played(id, title, verifies, play.look(Look::Letters("discarded", 0, 0)))
    };
    vec![
        played(
            "rules.order.01",
            "Rules are looked at in their order, and `stop` ends that: the rule behind it does nothing",
            &["RU-001"],
            over(&to("ordered"), "Subject: one\r\n").look(Look::Letters("kept", 0, 1)),
        ),
        played(
            "rules.order.02",
            "A rule without `stop` is followed by the next one",
            &["RU-001"],
            over(&to("unordered"), "Subject: one\r\n")
                .look(Look::Count("copied", sent(), 1))
                .look(Look::Letters("and-discarded", 0, 0)),
        ),
        picky(
            "rules.compare.01",
            "Texts are compared without regard to case, and an asterisk stands for anything",
            &["RU-002"],
            "A SECRET matter",
        ),
        picky(
            "rules.compare.02",
            "Encoded words in UTF-8 are compared decoded",
            &["RU-006", "RFC2047:2"],
            "=?utf-8?B?YSBzZWNyZXQgbWF0dGVy?=",
        ),
        picky(
            "rules.compare.03",
            "Encoded words in ISO-8859-1 are compared decoded",
            &["RU-006", "RFC2047:2"],
            "=?ISO-8859-1?Q?a_s=65cret_matter?=",
        ),
        played(
            "rules.compare.04",
            "A rule whose condition does not hold does nothing",
            &["RU-001", "RU-002"],
            over(&to("picky"), "Subject: a public matter\r\n").look(Look::Letters("kept", 0, 1)),
        ),
        played(
            "rules.compare.05",
            "A denial about a field holds where there is no such field",
            &["RU-002"],
            over(&to("listless"), "Subject: one\r\n").look(Look::Letters("discarded", 0, 0)),
        ),
        played(
            "rules.compare.06",
            "It does not hold where some field of that name has the value",
            &["RU-002"],
            over(&to("listless"), "List-Id: <ours.example.test>\r\nList-Id: <b>\r\n")
                .look(Look::Letters("kept", 0, 1)),
        ),
    ]
}

fn sent_on() -> Vec<Case> {
    let notify = "/recipients/0/notify";
    let told = |success: bool, failure: bool, delay: bool| json!({"success": success, "failure": failure, "delay": delay});
    let afar = |words: &str| over(&format!("{} NOTIFY={words}", to("afar")), "Subject: one\r\n");
    vec![
        played(
            "rules.redirect.notify.01",
            "What is redirected keeps what its sender asked of failures and delays, and asks for no success",
            &["DE-096"],
            afar("SUCCESS,FAILURE").look(Look::Envelope(
                "failures-only",
                ACROSS,
                0,
                notify,
                told(false, true, false),
            )),
        ),
        played(
            "rules.redirect.notify.02",
            "NOTIFY=NEVER is kept where a rule redirects",
            &["DE-096"],
            afar("NEVER").look(Look::Envelope(
                "never",
                ACROSS,
                0,
                notify,
                told(false, false, false),
            )),
        ),
        played(
            "rules.redirect.sender.01",
            "What is redirected keeps its sender",
            &["DE-096", "RU-020"],
            afar("FAILURE").look(Look::Envelope(
                "sender",
                ACROSS,
                0,
                "/sender",
                json!("carl@example.test"),
            )),
        ),
        played(
            "rules.copy.sender.01",
            "A copy has the account for its sender",
            &["DE-096", "RU-020"],
            over(&to("mirror"), "Subject: one\r\n")
                .look(Look::Envelope("sender", ACROSS, 0, "/sender", json!("mirror@example.test")))
                .look(Look::Letters("kept", 0, 1)),
        ),
        played(
            "rules.loop.01",
            "Two accounts that redirect to each other: the message stays where it comes back to",
            &["RU-030"],
            over(&to("ping"), "Subject: one\r\n")
                .wait(60 * SECOND)
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 1, 1)),
        ),
    ]
}

fn replies() -> Vec<Case> {
    let about = |header: &str| over(&to("away"), &format!("To: away@example.test\r\n{header}"));
    let silent = |id: &str, title: &str, header: &str| {
        played(
            id,
            title,
            &["RU-031", "RFC3834:2"],
            about(header)
                .look(Look::Never("no-reply", sent(), None))
                .look(Look::Letters("kept", 0, 1)),
        )
        .twin("rules.reply.01")
    };
    let header = |begins: &'static str| On::said(TO_CARL, begins);
    vec![
        played(
            "rules.reply.01",
            "An automatic reply goes to the sender, says that it is one, and about what",
            &["RU-031", "RU-033", "RFC3834:3"],
            about("Message-ID: <one@client.example.net>\r\n")
                .look(Look::Count("one-reply", sent(), 1))
                .look(Look::Count("marked", header("Auto-Submitted: auto-replied"), 1))
                .look(Look::Some("about", header("In-Reply-To: <one@client.example.net>")))
                .look(Look::Letters("kept", 0, 1)),
        ),
        silent(
            "rules.reply.02",
            "A message that is automatic itself gets no automatic reply",
            "Auto-Submitted: auto-generated\r\n",
        ),
        silent(
            "rules.reply.03",
            "A message of a list gets none",
            "List-Id: <ours.example.test>\r\n",
        ),
        silent("rules.reply.04", "A message to many gets none", "Precedence: bulk\r\n"),
        played(
            "rules.reply.05",
            "A message that does not name the account in its header gets none",
            &["RU-031", "RFC3834:2"],
            over(&to("away"), "To: somebody@example.test\r\n")
                .look(Look::Never("no-reply", sent(), None))
                .look(Look::Letters("kept", 0, 1)),
        )
        .twin("rules.reply.01"),
        played(
            "rules.reply.06",
            "A sender gets one reply in the days that the rule says, whatever boots come between",
            &["RU-032"],
            about("Subject: one\r\n")
                .act(Act::Restart)
                .talk("second", mail_with(&to("away"), "To: away@example.test\r\nSubject: two\r\n"))
                .wait(SECOND)
                .look(Look::Count("one-reply", sent(), 1)),
        ),
    ]
}
