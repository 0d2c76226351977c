//! The host of accounts, with the suite as the member that delivers: the dialogue, the results, the
//! journal. Its connections and its rules are in [`super::hosts_rules`].

use super::fellows::{DELIVER, indexed, inquire, lmtp, mail, origin, recipient};
use super::members::{bad_order, case, ok};
use crate::case::Case;
use crate::net::Port;
use crate::organization::{CROWD, crowd};
use crate::play::{Act, Look, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

pub(super) const CONTENT: &[u8] = b"From: bob\r\nSubject: delivered\r\n\r\nhello\r\n.\r\n";
const OTHER: &[u8] = b"From: bob\r\nSubject: delivered\r\n\r\nsomething else\r\n.\r\n";
/// A digest as XDIGEST names it; which octets have it only the sender knows.
const XDIGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = dialogue();
    cases.extend(results());
    cases.extend(repeats());
    cases.extend(inquiries());
    cases
}

fn host(id: &str, title: &str, verifies: &[&str], script: Script) -> Case {
    case(id, title, DELIVER, verifies, script)
}

pub(super) fn played(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, DELIVER, play).verifies(verifies)
}

pub(super) fn taken() -> Want {
    Want::code(250).any_status()
}

/// MAIL, RCPT for ann under an index, content, and a result.
pub(super) fn delivered(script: Script, number: u32, index: u32, content: &[u8]) -> Script {
    script
        .ask(&mail(number), "mail", taken())
        .ask(&recipient("ann", index), "rcpt", indexed(250, index))
        .ask("DATA", "data", Want::code(354))
        .send(content)
        .reply("result", indexed(250, index))
}

/// The same a second time, with the result that it must have.
fn again(script: Script, mail: &str, index: u32, content: &[u8], result: Want) -> Script {
    script
        .ask(mail, "mail-again", taken())
        .ask(&recipient("ann", index), "rcpt-again", indexed(250, index))
        .ask("DATA", "data-again", Want::code(354))
        .send(content)
        .reply("result-again", result)
}

fn dialogue() -> Vec<Case> {
    vec![
        host(
            "deliver.order.02",
            "RCPT before MAIL is out of order",
            &["SM-003"],
            lmtp().ask(&recipient("ann", 0), "refused", bad_order()),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.order.03",
            "A second MAIL is out of order, and the first one goes on",
            &["SM-003"],
            lmtp()
                .ask(&mail(0x20), "mail", taken())
                .ask(&mail(0x21), "refused", bad_order())
                .ask(&recipient("ann", 0), "rcpt", indexed(250, 0))
                .ask("DATA", "data", Want::code(354))
                .send(CONTENT)
                .reply("result", indexed(250, 0)),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.order.04",
            "MAIL before LHLO is out of order",
            &["SM-003"],
            Script::new(Seat::Fellow, Port::Deliver).reply("greeting", Want::code(220)).ask(
                &mail(0x22),
                "refused",
                bad_order(),
            ),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.order.05",
            "RSET takes back what was said, and the next mail begins anew",
            &["RFC2033:4.2", "SM-003"],
            delivered(
                lmtp()
                    .ask(&mail(0x23), "first-mail", taken())
                    .ask(&recipient("amy", 4), "first-rcpt", indexed(250, 4))
                    .ask("RSET", "reset", Want::code(250)),
                0x24,
                0,
                CONTENT,
            ),
        ),
        host(
            "deliver.index.02",
            "A recipient without an index is refused",
            &["WI-071", "SM-004"],
            lmtp().ask(&mail(0x25), "mail", taken()).ask(
                "RCPT TO:<ann@example.test>",
                "refused",
                Want::code(501).any_status(),
            ),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.index.03",
            "An index that names another recipient of the same message already is refused",
            &["WI-071", "CU-008"],
            lmtp()
                .ask(&mail(0x26), "mail", taken())
                .ask(&recipient("ann", 2), "rcpt", indexed(250, 2))
                .ask(&recipient("amy", 2), "refused", Want::code(501).any_status()),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.size.01",
            "A message that says it is too large is refused at MAIL",
            &["SM-011"],
            lmtp().ask(
                &format!("{} SIZE=100001", mail(0x27)),
                "refused",
                Want::code(552).status("5.3.4"),
            ),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.parameters.01",
            "A parameter that the delivery port does not offer is refused",
            &["WI-044", "SM-004"],
            lmtp().ask(&format!("{} AUTH=<>", mail(0x28)), "auth", Want::code(555)).ask(
                &format!("{} BODY=BINARYMIME", mail(0x28)),
                "binary",
                Want::code(555),
            ),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.null.01",
            "A message from the null sender is delivered like any other",
            &["DE-022"],
            lmtp()
                .ask(&format!("MAIL FROM:<> XORIGIN={}", origin(0x29)), "mail", taken())
                .ask(&recipient("ann", 0), "rcpt", indexed(250, 0))
                .ask("DATA", "data", Want::code(354))
                .send(CONTENT)
                .reply("result", indexed(250, 0)),
        ),
        host(
            "deliver.suspect.01",
            "A recipient who is marked as suspect is delivered",
            &["SU-041"],
            lmtp()
                .ask(&mail(0x2a), "mail", taken())
                .ask(&format!("{} XSUSPECT", recipient("ann", 0)), "rcpt", indexed(250, 0))
                .ask("DATA", "data", Want::code(354))
                .send(CONTENT)
                .reply("result", indexed(250, 0)),
        ),
    ]
}

fn results() -> Vec<Case> {
    let large: Vec<u8> = [&vec![b'x'; 200][..], b"\r\n"].concat().repeat(600);
    let large = [b"Subject: large\r\n\r\n", &large[..], b".\r\n"].concat();
    let bare = b"Subject: bare\r\n\r\none\ntwo\r\n.\r\n";
    let two = |number: u32, content: &[u8]| {
        lmtp()
            .ask(&mail(number), "mail", taken())
            .ask(&recipient("ann", 0), "rcpt-0", indexed(250, 0))
            .ask(&recipient("amy", 5), "rcpt-5", indexed(250, 5))
            .ask("DATA", "data", Want::code(354))
            .send(content)
    };
    let refused = |index| Want::code(552).status("5.3.4").last(&format!("[{index}]"));
    let unfit = |index| Want::code(554).status("5.6.0").last(&format!("[{index}]"));
    let rcpts = (0..CROWD).map(|n| (recipient(&format!("a{n}"), n as u32), indexed(250, n as u32)));
    let told = (0..CROWD).map(|n| (String::new(), indexed(250, n as u32)));
    vec![
        host(
            "deliver.elsewhere.01",
            "An account that another member has open is refused for now, the others are delivered",
            &["SM-078", "DE-025"],
            lmtp()
                .ask(&mail(0x30), "mail", taken())
                .ask(&recipient("bob", 0), "refused", indexed(450, 0))
                .ask(&recipient("ann", 1), "rcpt-1", indexed(250, 1))
                .ask("DATA", "data", Want::code(354))
                .send(CONTENT)
                .reply("result-1", indexed(250, 1)),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.elsewhere.02",
            "An account of the sender itself is refused for now: nothing goes round in circles",
            &["SM-078", "DE-025"],
            lmtp().ask(&mail(0x31), "mail", taken()).ask(
                &recipient("carl", 0),
                "refused",
                indexed(450, 0),
            ),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.foreign.01",
            "A domain that is none of the organization's is refused for now",
            &["DE-025"],
            lmtp().ask(&mail(0x32), "mail", taken()).ask(
                "RCPT TO:<x@elsewhere.example> XINDEX=0",
                "refused",
                indexed(450, 0),
            ),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.unknown.02",
            "Where nobody is accepted there is no content to send",
            &["SM-003", "SM-078"],
            lmtp()
                .ask(&mail(0x33), "mail", taken())
                .ask(&recipient("nobody", 0), "refused", Want::code(550).status("5.1.1"))
                .ask("DATA", "no-content", Want::codes(&[503, 554]).status("5.5.1")),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.size.02",
            "Content that is too large is refused once for each accepted recipient, in order",
            &["SM-075", "SM-011"],
            two(0x34, &large).reply("refused-0", refused(0)).reply("refused-5", refused(5)),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.bare.01",
            "Content with a bare LF is refused once for each accepted recipient, in order",
            &["SM-075", "SM-014"],
            two(0x35, bare).reply("refused-0", unfit(0)).reply("refused-5", unfit(5)),
        )
        .twin("deliver.results.01"),
        host(
            "deliver.results.02",
            "The results come in the order of RCPT, whatever the indexes are",
            &["SM-076", "DE-022"],
            lmtp()
                .ask(&mail(0x36), "mail", taken())
                .ask(&recipient("amy", 9), "rcpt-9", indexed(250, 9))
                .ask(&recipient("ann", 2), "rcpt-2", indexed(250, 2))
                .ask(&recipient("postmaster", 4), "rcpt-4", indexed(250, 4))
                .ask("DATA", "data", Want::code(354))
                .send(CONTENT)
                .reply("result-9", indexed(250, 9))
                .reply("result-2", indexed(250, 2))
                .reply("result-4", indexed(250, 4)),
        )
        .kills(&[("results-by-index", "result-9")]),
        host(
            "deliver.many.01",
            "A connection carries one message after the other",
            &["SM-076", "DE-022"],
            again(delivered(lmtp(), 0x37, 0, CONTENT), &mail(0x38), 1, OTHER, indexed(250, 1)),
        ),
        played(
            "deliver.many.02",
            "Three hundred recipients of one message get three hundred results and letters",
            &["SM-076", "DE-022"],
            Play::over(crowd)
                .talk(
                    "sender",
                    lmtp()
                        .ask(&mail(1), "mail", taken())
                        .series("accepted", rcpts.collect())
                        .ask("DATA", "data", Want::code(354))
                        .send(CONTENT)
                        .series("results", told.collect())
                        .fence(),
                )
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("three-hundred-letters", 0, CROWD)),
        ),
    ]
}

fn repeats() -> Vec<Case> {
    let other_content = || Want::code(554).status("5.7.0").last("[0]");
    let named = |number| format!("{} XDIGEST={XDIGEST}", mail(number));
    let with_digest = |number, content: &[u8]| {
        lmtp()
            .ask(&named(number), "mail", taken())
            .ask(&recipient("ann", 0), "rcpt", indexed(250, 0))
            .ask("DATA", "data", Want::code(354))
            .send(content)
            .reply("result", indexed(250, 0))
    };
    let traced = [b"Received: from another way\r\n", CONTENT].concat();
    let changed = format!("{} XDIGEST={}", mail(4), XDIGEST.replace('a', "b"));
    vec![
        host(
            "deliver.repeat.02",
            "A repeat on the same connection gets the same result",
            &["DE-024"],
            again(delivered(lmtp(), 0x40, 0, CONTENT), &mail(0x40), 0, CONTENT, indexed(250, 0)),
        ),
        host(
            "deliver.repeat.03",
            "The same id and index with another content is refused for good",
            &["DE-027"],
            again(delivered(lmtp(), 0x41, 0, CONTENT), &mail(0x41), 0, OTHER, other_content()),
        )
        .twin("deliver.repeat.02")
        .kills(&[("other-content-is-a-repeat", "result-again")]),
        played(
            "deliver.repeat.04",
            "Another index of the same message is another letter",
            &["DE-024", "CU-008"],
            Play::new()
                .talk(
                    "sender",
                    again(delivered(lmtp(), 2, 0, CONTENT), &mail(2), 1, CONTENT, indexed(250, 1))
                        .fence(),
                )
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("two-letters", 0, 2)),
        ),
        played(
            "deliver.repeat.05",
            "The same content with another trace is a repeat where XDIGEST says so: one letter",
            &["DE-032", "DE-024"],
            Play::new()
                .talk(
                    "sender",
                    again(with_digest(3, CONTENT), &named(3), 0, &traced, indexed(250, 0)).fence(),
                )
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1)),
        ),
        played(
            "deliver.repeat.06",
            "Another XDIGEST is another content, although the octets are the same",
            &["DE-032", "DE-027"],
            Play::new()
                .talk(
                    "sender",
                    again(with_digest(4, CONTENT), &changed, 0, CONTENT, other_content()).fence(),
                )
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1)),
        )
        .twin("deliver.repeat.05"),
        played(
            "deliver.repeat.07",
            "A repeat over a crash gets the same result, and stores nothing",
            &["DE-024", "DE-028", "DE-031"],
            Play::new()
                .talk("sender", delivered(lmtp(), 5, 0, CONTENT))
                .act(Act::Restart)
                .talk(
                    "again",
                    again(
                        lmtp().ask(
                            &inquire(5, 0, "ann@example.test"),
                            "known",
                            ok().last("[0] DELIVERED"),
                        ),
                        &mail(5),
                        0,
                        CONTENT,
                        indexed(250, 0),
                    )
                    .fence(),
                )
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1)),
        )
        .kills(&[("second-deposit-on-repeat", "again-known")]),
    ]
}

fn inquiries() -> Vec<Case> {
    let ann = "ann@example.test";
    vec![
        host(
            "deliver.inquire.02",
            "INQUIRE of a conflict still tells what was delivered",
            &["SM-077", "DE-021", "DE-027"],
            again(
                delivered(lmtp(), 0x50, 0, CONTENT),
                &mail(0x50),
                0,
                OTHER,
                Want::code(554).status("5.7.0").last("[0]"),
            )
            .ask(&inquire(0x50, 0, ann), "still-delivered", ok().last("[0] DELIVERED")),
        )
        .twin("deliver.repeat.02"),
        host(
            "deliver.inquire.03",
            "INQUIRE needs origin, index and address",
            &["WI-070"],
            lmtp()
                .ask(
                    &format!("X-DELIVER INQUIRE XORIGIN={} XINDEX=0", origin(0x51)),
                    "no-address",
                    Want::code(501).any_status(),
                )
                .ask(
                    &format!("X-DELIVER INQUIRE XORIGIN={} ADDRESS=<{ann}>", origin(0x51)),
                    "no-index",
                    Want::code(501).any_status(),
                ),
        )
        .twin("deliver.inquire.01"),
        host(
            "deliver.inquire.04",
            "INQUIRE changes nothing of a mail that is under way",
            &["SM-077"],
            lmtp()
                .ask(&mail(0x52), "mail", taken())
                .ask(&recipient("ann", 0), "rcpt", indexed(250, 0))
                .ask(&inquire(0x52, 0, ann), "unknown", ok().last("[0] UNKNOWN"))
                .ask("DATA", "data", Want::code(354))
                .send(CONTENT)
                .reply("result", indexed(250, 0)),
        ),
        host(
            "deliver.inquire.05",
            "Somebody who is no member learns nothing of deliveries",
            &["SM-071"],
            Script::new(Seat::Outside, Port::Deliver)
                .reply("greeting", Want::code(220))
                .ask("LHLO {ehlo}", "hello", Want::code(250).lacks("X-DELIVER"))
                .ask(&inquire(0x53, 0, ann), "refused", Want::code(530).status("5.7.0")),
        )
        .twin("deliver.inquire.01"),
        host(
            "deliver.inquire.06",
            "A recipient whose account is open elsewhere leaves no record: the host of it is named",
            &["DE-029", "DE-041", "SM-077"],
            lmtp()
                .ask(&mail(0x54), "mail", taken())
                .ask(&recipient("bob", 0), "refused", indexed(450, 0))
                .ask(
                    &inquire(0x54, 0, "bob@example.test"),
                    "moved",
                    ok().last("[0] MOVED MEMBER=rg2-a"),
                ),
        )
        .twin("deliver.inquire.01"),
    ]
}
