//! What a store and a master say to a fellow of their group, with the suite as the fellow.

use super::members::{LINK, NO_DIGEST, case, ok};
use crate::case::Case;
use crate::net::Port;
use crate::script::{Script, Seat, frame};
use crate::smtp::Want;

pub(super) const DELIVER: &str = "deliver/receiver";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = deliver();
    cases.extend(group());
    cases
}

/// As the fellow member, after LHLO.
pub(super) fn lmtp() -> Script {
    Script::new(Seat::Fellow, Port::Deliver).reply("greeting", Want::code(220)).ask(
        "LHLO {ehlo}",
        "hello",
        Want::code(250).keyword("X-DELIVER"),
    )
}

/// MAIL under an origin id; the number keeps the cases apart.
pub(super) fn mail(number: u32) -> String {
    format!("MAIL FROM:<bob@example.test> XORIGIN={}", origin(number))
}

pub(super) fn origin(number: u32) -> String {
    format!("rg1-c/00000000de11{number:04x}/1")
}

pub(super) fn inquire(number: u32, index: u32, address: &str) -> String {
    let origin = origin(number);
    format!("X-DELIVER INQUIRE XORIGIN={origin} XINDEX={index} ADDRESS=<{address}>")
}

pub(super) fn recipient(address: &str, index: u32) -> String {
    format!("RCPT TO:<{address}@example.test> XINDEX={index}")
}

pub(super) fn indexed(code: u16, index: u32) -> Want {
    Want::code(code).any_status().last(&format!("[{index}]"))
}

fn deliver() -> Vec<Case> {
    let content = b"From: bob\r\nSubject: delivered\r\n\r\n..dot\r\n.\r\n";
    vec![
        case(
            "deliver.results.01",
            "Each accepted recipient gets its own reply, in order, with its index",
            DELIVER,
            &["WI-071", "SM-076", "DE-022"],
            lmtp()
                .ask(&mail(1), "mail", Want::code(250).any_status())
                .ask(&recipient("ann", 0), "rcpt-0", indexed(250, 0))
                .ask(&recipient("amy", 3), "rcpt-3", indexed(250, 3))
                .ask("DATA", "data", Want::code(354))
                .send(content)
                .reply("result-0", indexed(250, 0))
                .reply("result-3", indexed(250, 3)),
        ),
        case(
            "deliver.unknown.01",
            "An unknown account is refused at RCPT, and gets no reply after the content",
            DELIVER,
            &["WI-071", "SM-078"],
            lmtp()
                .ask(&mail(2), "mail", Want::code(250).any_status())
                .ask(
                    &recipient("nobody", 0),
                    "refused",
                    Want::code(550).status("5.1.1").last("[0]"),
                )
                .ask(&recipient("ann", 1), "rcpt-1", indexed(250, 1))
                .ask("DATA", "data", Want::code(354))
                .send(content)
                .reply("result-1", indexed(250, 1)),
        )
        .twin("deliver.results.01"),
        case(
            "deliver.inquire.01",
            "INQUIRE tells what became of each recipient",
            DELIVER,
            &["WI-070", "WI-072", "SM-077", "DE-021"],
            lmtp()
                .ask(&inquire(3, 0, "ann@example.test"), "before", ok().last("[0] UNKNOWN"))
                .ask(&mail(3), "mail", Want::code(250).any_status())
                .ask(&recipient("ann", 0), "rcpt", indexed(250, 0))
                .ask("DATA", "data", Want::code(354))
                .send(content)
                .reply("result", indexed(250, 0))
                .ask(&inquire(3, 0, "ann@example.test"), "after", ok().last("[0] DELIVERED"))
                .ask(&inquire(3, 1, "ann@example.test"), "other", ok().last("[1] UNKNOWN")),
        ),
        case(
            "deliver.origin.01",
            "Mail without an origin id is not accepted on the delivery port",
            DELIVER,
            &["SM-071"],
            lmtp().ask("MAIL FROM:<bob@example.test>", "refused", Want::code(530).any_status()),
        )
        .twin("deliver.results.01"),
        case(
            "deliver.peer.01",
            "Somebody who is no member may not deliver",
            DELIVER,
            &["SM-071"],
            Script::new(Seat::Outside, Port::Deliver)
                .reply("greeting", Want::code(220))
                .ask("LHLO {ehlo}", "hello", Want::code(250).lacks("X-DELIVER"))
                .ask(&mail(4), "refused", Want::code(530).status("5.7.0")),
        )
        .twin("deliver.results.01"),
        case(
            "deliver.order.01",
            "DATA without an accepted recipient is out of order",
            DELIVER,
            &["RFC2033:4.2", "SM-003"],
            lmtp().ask(&mail(5), "mail", Want::code(250).any_status()).ask(
                "DATA",
                "refused",
                Want::codes(&[503, 554]).status("5.5.1"),
            ),
        )
        .twin("deliver.results.01"),
        case(
            "deliver.hello.01",
            "The delivery port knows LHLO and neither EHLO nor HELO",
            DELIVER,
            &["RFC2033:4.1", "SM-070"],
            lmtp().ask("EHLO {ehlo}", "ehlo", Want::code(500)).ask(
                "HELO {ehlo}",
                "helo",
                Want::code(500),
            ),
        )
        .twin("deliver.results.01"),
    ]
}

fn port() -> Script {
    Script::new(Seat::Fellow, Port::Group).frame("greeting", " NODEINFO (6) {")
}

/// As a member that has attached and told that it is there.
pub(super) fn reported() -> Script {
    port()
        .send(frame(" ATTACH {5}rg1-c\r\n").as_bytes())
        .send(frame(" REPORT ()\r\n").as_bytes())
        .frame("reported", " REPORTED ")
}

fn group() -> Vec<Case> {
    vec![
        Case::script(
            "link.group.01",
            "A member attaches to its master, reports, and is told that it was heard",
            LINK,
            reported()
                .send(frame(&format!(" NEWS {NO_DIGEST} ()\r\n")).as_bytes())
                .frame("table", " MERGED "),
        )
        .verifies(&["LS-010", "LS-012"]),
        Case::script(
            "link.group.02",
            "After a malformed frame the master closes the connection",
            LINK,
            reported().send(b"{0000zz10} NEWS").gone("closed"),
        )
        .verifies(&["WI-015", "SM-082"])
        .twin("link.group.01"),
        Case::script(
            "link.group.03",
            "A frame that is too long is refused before its content",
            LINK,
            reported().send(b"{ffffffff} NEWS").gone("closed"),
        )
        .verifies(&["WI-031", "WI-015"])
        .twin("link.group.01"),
        Case::script(
            "link.group.04",
            "Nobody is heard on the group port before ATTACH",
            LINK,
            port().send(frame(" REPORT ()\r\n").as_bytes()).gone("closed"),
        )
        .verifies(&["SM-080"])
        .twin("link.group.01"),
    ]
}
