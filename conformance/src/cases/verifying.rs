//! Questions about accounts before RCPT is answered: the host that is asked, with the suite as the member
//! that asks, and the member that a client talks to, with the suite as the host.

use super::fellows::DELIVER;
use super::handing_over::always;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::{consulted, limited};
use crate::play::{Answer, Look, On, Play};
use crate::script::{Script, Seat, frame};
use crate::smtp::Want;

const TO_CARL: &str = "rg1-a>rg1-c/group";
const SENDER: &str = "deliver/sender";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = hosts();
    cases.extend(askers());
    cases
}

/// As the fellow that has come to ask.
fn consult() -> Script {
    Script::new(Seat::Fellow, Port::Group)
        .frame("greeting", " NODEINFO (6) {")
        .send(frame(" CONSULT {5}rg1-c\r\n").as_bytes())
}

/// One question and how its answer begins.
fn asked(script: Script, id: u32, question: &str, check: &str, answer: &str) -> Script {
    let question = frame(&format!(" VERIFY {id:x} {question}\r\n"));
    script.send(question.as_bytes()).frame(check, answer)
}

fn recipient(name: &str, octets: u32) -> String {
    let account = format!("{name}@example.test");
    format!("RECIPIENT {{{:x}}}{account} {octets:x}", account.len())
}

fn sender(octets: u32, recipients: u32) -> String {
    format!("SENDER {{12}}brief@example.test {octets:x} {recipients:x}")
}

fn hosts() -> Vec<Case> {
    let host = |id: &str, title: &str, verifies: &[&str], script: Script| {
        Case::play(id, title, DELIVER, Play::over(limited).talk("asker", script)).verifies(verifies)
    };
    let refused = |id: &str, title: &str, question: &str, answer: &str| {
        let script = asked(consult(), 7, question, "refused", &format!(" REFUSED 7 {answer} {{"));
        host(id, title, &["SM-091", "WI-048"], script).twin("deliver.verify.01")
    };
    let both = asked(consult(), 0, &recipient("roomy", 100), "verified", " VERIFIED 0\r\n");
    let both = asked(both, 1, &recipient("ann", 0), "another", " VERIFIED 1\r\n");
    let sends = asked(consult(), 2, &sender(100, 2), "verified", " VERIFIED 2\r\n");
    let long = asked(consult(), 3, &sender(101, 1), "too-long", " REFUSED 3 552 5.3.4 {");
    let long = asked(long, 4, &sender(0, 3), "too-many", " REFUSED 4 452 4.5.3 {");
    vec![
        host(
            "deliver.verify.01",
            "A host says that nothing speaks against mail for accounts that take it",
            &["SM-091", "SM-095", "WI-047", "WI-048"],
            both,
        ),
        refused(
            "deliver.verify.02",
            "A host refuses for now what is asked for a suspended account",
            &recipient("closed", 0),
            "450 4.2.1",
        ),
        refused(
            "deliver.verify.03",
            "A host refuses for now what is asked for an account without room",
            &recipient("full", 100),
            "452 4.2.2",
        ),
        refused(
            "deliver.verify.04",
            "A host refuses for ever what is asked for such an account where it would do so later",
            &recipient("strict", 100),
            "552 5.2.2",
        ),
        refused(
            "deliver.verify.05",
            "A host refuses for ever what is asked for an account that does not exist",
            &recipient("nobody", 0),
            "550 5.1.1",
        ),
        host(
            "deliver.verify.06",
            "A host says that nothing speaks against what an account may send",
            &["SM-094"],
            sends,
        ),
        host(
            "deliver.verify.07",
            "A host refuses what is longer, or for more, than an account may send",
            &["SM-094"],
            long,
        )
        .twin("deliver.verify.06"),
    ]
}

fn askers() -> Vec<Case> {
    let rcpt = || {
        Script::new(Seat::Outside, Port::Smtp)
            .reply("greeting", Want::code(220))
            .ask("EHLO client.example", "hello", Want::code(250))
            .ask("MAIL FROM:<x@elsewhere.example>", "mail", Want::code(250).any_status())
            .send(b"RCPT TO:<carl@example.test>\r\n")
    };
    let told = |want: Want| Script::new(Seat::Outside, Port::Smtp).reply("answer", want);
    let once = || On::said(TO_CARL, "{").with(" RECIPIENT {11}carl@example.test 0");
    let taken = || Want::code(250).any_status();
    let cast = |answer: Answer| {
        Play::over(consulted)
            .cast(TO_CARL, Port::Group, vec![always(" VERIFY", answer)])
            .talk("client", rcpt())
    };
    let case = |id: &str, title: &str, verifies: &[&str], play: Play| {
        Case::play(id, title, SENDER, play).verifies(verifies)
    };
    let refusal = " REFUSED {id} 450 4.2.1 {9}not+20now";
    vec![
        case(
            "deliver.asks.01",
            "A recipient is accepted when the host of its account has said that it may come",
            &["SM-090", "WI-047"],
            Play::over(consulted)
                .talk("client", rcpt())
                .talk("client", told(taken()))
                .look(Look::Count("asked-once", once(), 1)),
        ),
        case(
            "deliver.asks.02",
            "A recipient is refused as the host of its account says",
            &["SM-090"],
            cast(Answer::Say(refusal)).talk("client", told(Want::code(450).status("4.2.1"))),
        )
        .twin("deliver.asks.01"),
        case(
            "deliver.asks.03",
            "A recipient is accepted when its host has said nothing for five seconds",
            &["SM-092"],
            cast(Answer::Hang).wait(6 * SECOND).talk("client", told(taken())),
        ),
        case(
            "deliver.asks.04",
            "A recipient is accepted when its host ends the connection instead",
            &["SM-092"],
            cast(Answer::Close).talk("client", told(taken())),
        ),
    ]
}
