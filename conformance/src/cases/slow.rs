//! Clients that send one octet at a time: TCP keeps no boundaries, and every port must give the same
//! answers as to whole lines, however what it is told is cut up.

use super::fellows::{self, DELIVER, indexed, lmtp};
use super::members::{self, LINK, SUBMIT, ready};
use super::parcel::Parcel;
use super::{smtp_server, submission};
use crate::case::Case;
use crate::smtp::Want;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = clients();
    cases.extend(members());
    cases
}

fn clients() -> Vec<Case> {
    vec![
        smtp_server::case(
            "smtp.slow.01",
            "A mail that comes one octet at a time is answered like one in whole lines",
            &["RFC5321:2.3.7", "RFC5321:4.1.1.4", "SM-016"],
            smtp_server::message(b"..dot\r\nhello\r\n.\r\n").octet_by_octet(),
        )
        .twin("smtp.data.plain.01"),
        smtp_server::case(
            "smtp.slow.02",
            "A line that is refused is refused once, also when it comes one octet at a time",
            &["RFC5321:4.2.4", "SM-004"],
            smtp_server::mail()
                .ask("XYZZY a b", "unknown", Want::code(500).status("5.5."))
                .ask("RCPT TO:<{recipient}>", "goes-on", Want::code(250).status("2.1."))
                .octet_by_octet(),
        )
        .twin("smtp.rcpt.01"),
        submission::case(
            "submission.slow.01",
            "A login and a mail that come one octet at a time are taken on the port for submission",
            &["SM-103", "SM-107"],
            submission::sent(submission::logged_in()).octet_by_octet(),
        )
        .twin(submission::PLAIN),
        submission::case(
            "submissions.slow.01",
            "They are on the port that begins under TLS",
            &["SM-103", "SM-107"],
            submission::sent(submission::under_tls()).octet_by_octet(),
        )
        .twin("submissions.login.plain.01"),
    ]
}

fn members() -> Vec<Case> {
    let parcel = Parcel::minted("rg2-a/0000000051000001/1");
    vec![
        members::case(
            "submit.slow.01",
            "News and a hand-over that come one octet at a time are taken",
            SUBMIT,
            &["WI-014", "WI-091", "SM-016"],
            parcel.hand_over(ready()).octet_by_octet(),
        )
        .twin("submit.hello.01"),
        members::case(
            "deliver.slow.01",
            "A delivery that comes one octet at a time has its result for each recipient",
            DELIVER,
            &["WI-071", "SM-076"],
            lmtp()
                .ask(&fellows::mail(0x510), "mail", Want::code(250).any_status())
                .ask(&fellows::recipient("ann", 0), "rcpt-0", indexed(250, 0))
                .ask(&fellows::recipient("amy", 3), "rcpt-3", indexed(250, 3))
                .ask("DATA", "data", Want::code(354))
                .send(b"Subject: slow\r\n\r\n..dot\r\n.\r\n")
                .reply("result-0", indexed(250, 0))
                .reply("result-3", indexed(250, 3))
                .octet_by_octet(),
        )
        .twin("deliver.results.01"),
        Case::script(
            "link.slow.01",
            "Frames that come one octet at a time are read like whole ones",
            LINK,
            fellows::reported().octet_by_octet(),
        )
        .verifies(&["WI-014", "SM-082"])
        .twin("link.group.01"),
    ]
}
