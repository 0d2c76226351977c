//! The receiver of a hand-over on one connection: what is out of order, what cannot be taken, and what
//! the answers of a transfer that is under way are.

use super::members::{SUBMIT, bad_order, case, member, ok, proved, ready};
use super::parcel::{Parcel, accepted};
use crate::case::Case;
use crate::script::Script;
use crate::smtp::Want;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = order();
    cases.extend(foreign());
    cases.extend(unfit());
    cases.extend(envelopes());
    cases.extend(transfers());
    cases.extend(fences());
    cases
}

fn receiver(id: &str, title: &str, verifies: &[&str], script: Script) -> Case {
    case(id, title, SUBMIT, verifies, script)
}

fn order() -> Vec<Case> {
    let parcel = Parcel::new(0x20);
    let other_offer = Parcel::new(0x21);
    let before_hello = |id: &str, what: &str, line: &str| {
        let title = format!("{what} before HELLO is out of order");
        let script = member().ask(line, "refused", bad_order());
        receiver(id, &title, &["SU-030"], script).twin("submit.hello.01")
    };
    vec![
        before_hello("submit.order.04", "RESOLVE", &parcel.resolve(1)),
        before_hello("submit.order.05", "STATUS", &parcel.status()),
        before_hello("submit.order.06", "COMMIT", &parcel.commit(1)),
        before_hello(
            "submit.order.07",
            "RELEASE",
            "X-SUBMIT RELEASE BOOT=1 INCARNATION=00000000c0ffee20 UPTO=1",
        ),
        receiver(
            "submit.order.08",
            "A second HELLO on a connection is out of order",
            &["SU-030"],
            proved().ask(
                "X-SUBMIT HELLO MEMBER=rg2-a STORE=00000000c0ffee01",
                "refused",
                bad_order(),
            ),
        )
        .twin("submit.hello.01"),
        receiver(
            "submit.order.09",
            "Behind HELLO there is no bare mail",
            &["SM-021"],
            proved().ask("MAIL FROM:<bob@example.test>", "refused", Want::code(503).any_status()),
        )
        .twin("submit.hello.03"),
        receiver(
            "submit.hello.03",
            "A member that has not said HELLO is a client like any other and may send bare mail",
            &["SM-020"],
            member().ask("MAIL FROM:<bob@example.test>", "mail", Want::code(250).any_status()),
        ),
        receiver(
            "submit.order.10",
            "COMMIT of another number than the one that was transferred is out of order",
            &["SU-016", "SM-026"],
            other_offer.transfer(ready()).ask(&other_offer.commit(2), "refused", bad_order()),
        )
        .twin("submit.offer.01"),
    ]
}

fn foreign() -> Vec<Case> {
    let theirs = Parcel::minted("rg1-c/00000000c0ffee30/1");
    let nobodys = Parcel::minted("nobody/00000000c0ffee31/1");
    let not_yours = || Want::code(503).status("5.5.1");
    let offered = |parcel: &Parcel| {
        ready().line(&parcel.offered(1)).offer_refused("refused", &parcel.octets(), not_yours())
    };
    vec![
        receiver(
            "submit.foreign.01",
            "OFFER under an id that another member minted is refused",
            &["SU-015"],
            offered(&theirs),
        )
        .twin("submit.offer.01"),
        receiver(
            "submit.foreign.02",
            "OFFER under an id of a member that does not exist is refused",
            &["SU-015"],
            offered(&nobodys),
        )
        .twin("submit.offer.01"),
        receiver(
            "submit.foreign.03",
            "RESOLVE of an id that another member minted is refused, and fences nothing",
            &["SU-015"],
            ready().ask(&theirs.resolve(9), "refused", not_yours()),
        )
        .twin("submit.resolve.02"),
        receiver(
            "submit.foreign.04",
            "A transfer id of its own may carry a message that another member took in",
            &["SU-015"],
            Parcel::minted("rg1-c/00000000c0ffee32/1")
                .under("rg2-a/00000000c0ffee32/1")
                .hand_over(ready()),
        ),
    ]
}

fn unfit() -> Vec<Case> {
    let long = Parcel::new(0x40);
    let bare_lf = Parcel::new(0x41).body("Subject: bare\r\n\r\none\ntwo\r\n");
    let bare_cr = Parcel::new(0x42).body("Subject: bare\r\n\r\none\rtwo\r\n");
    let short = Parcel::new(0x43);
    let too_large = || Want::code(552).status("5.3.4");
    let bare = |id: &str, what: &str, parcel: &Parcel| {
        let script = ready()
            .ask(&parcel.offered(1), "offer", Want::code(354))
            .send(&parcel.octets())
            .reply("refused", Want::code(554).status("5.6.1"))
            .ask(&parcel.commit(1), "not-transferred", bad_order());
        let title = format!("A body with {what} is refused for good before COMMIT");
        receiver(id, &title, &["SM-029", "WI-018"], script).twin("submit.offer.01")
    };
    vec![
        receiver(
            "submit.size.01",
            "A body above the limit is refused instead of 354",
            &["SM-024"],
            ready().ask(&long.offer_of(1, (500, 100_001), &long.digest()), "refused", too_large()),
        )
        .twin("submit.offer.01"),
        receiver(
            "submit.size.02",
            "An envelope of more than 8,388,608 octets is refused instead of 354",
            &["SM-024", "WI-017"],
            ready().ask(
                &long.offer_of(1, (8_388_609, 10), &long.digest()),
                "refused",
                too_large(),
            ),
        )
        .twin("submit.offer.01"),
        bare("submit.body.01", "a bare LF", &bare_lf),
        bare("submit.body.02", "a bare CR", &bare_cr),
        receiver(
            "submit.digest.03",
            "The digest is over the envelope and the digest of the body, not over the octets in a row",
            &["WI-083", "SM-025"],
            ready()
                .ask(&short.offer(1, &short.digest_in_a_row()), "offer", Want::code(354))
                .send(&short.octets())
                .reply("refused", Want::code(554).status("5.6.0")),
        )
        .twin("submit.offer.01"),
    ]
}

fn envelopes() -> Vec<Case> {
    let refused = |number: &str, what: &str, clause: &str, parcel: &Parcel| {
        let script = ready()
            .ask(&parcel.offered(1), "offer", Want::code(354))
            .send(&parcel.octets())
            .reply("refused", Want::code(554).status("5.6.0"))
            .ask(&parcel.commit(1), "not-transferred", bad_order());
        let title = format!("An envelope {what} is refused, and nothing of it can be committed");
        receiver(&format!("submit.envelope.{number}"), &title, &[clause, "SM-025"], script)
            .twin("submit.envelope.10")
    };
    let plain = |number: u32| Parcel::new(0x50 + number);
    let recipient = concat!(
        r#"{"index":0,"address":"ann@example.test","notify":{"success":false,"failure":true,"#,
        r#""delay":true},"original":null}"#,
    );
    let (twice, suspect) =
        (format!("{recipient},{recipient}"), recipient.replace("null}", r#"null,"suspect":true}"#));
    vec![
        refused(
            "01",
            "with white space",
            "WI-082",
            &plain(1).edit(r#","sender":"#, r#", "sender":"#),
        ),
        refused(
            "02",
            "with a field of its own",
            "WI-080",
            &plain(2).edit(r#","ret":"#, r#","colour":"red","ret":"#),
        ),
        refused("03", "without a field", "WI-080", &plain(3).edit(r#""envid":null,"#, "")),
        refused("04", "without recipients", "WI-084", &plain(4).edit(recipient, "")),
        refused("05", "with one index twice", "WI-084", &plain(5).edit(recipient, &twice)),
        refused(
            "06",
            "with an address that is none",
            "WI-084",
            &plain(6).edit("ann@example.test", "ann example.test"),
        ),
        refused(
            "07",
            "with a control character in ENVID",
            "WI-084",
            &plain(7).edit(r#""envid":null"#, r#""envid":"a\u0007b""#),
        ),
        refused(
            "08",
            "with its fields in another order",
            "WI-080",
            &plain(8).edit(r#""ret":null,"envid":null"#, r#""envid":null,"ret":null"#),
        ),
        receiver(
            "submit.envelope.10",
            "An envelope in canonical form with every field in use is taken",
            &["WI-080"],
            plain(9)
                .edit(r#""ret":null,"envid":null"#, r#""ret":"full","envid":"a 7""#)
                .edit(r#""original":null"#, r#""original":"rfc822;ann+40example.test""#)
                .edit(
                    r#""routed_by":{}"#,
                    r#""routed_by":{},"fields":[{"name":"X-Mark","value":"yes"}],"rules_due":true"#,
                )
                .hand_over(ready()),
        ),
        receiver(
            "submit.envelope.11",
            "An envelope from the null sender is taken",
            &["WI-080"],
            plain(10).edit(r#""sender":"bob@example.test""#, r#""sender":null"#).hand_over(ready()),
        ),
        receiver(
            "submit.envelope.12",
            "An envelope with a recipient who is marked as suspect is taken",
            &["SU-041", "WI-080"],
            plain(11).edit(recipient, &suspect).hand_over(ready()),
        ),
    ]
}

fn transfers() -> Vec<Case> {
    let (one, two) = (Parcel::new(0x60), Parcel::new(0x61));
    let again = Parcel::new(0x62);
    let asked = Parcel::new(0x63);
    let other = Parcel::new(0x64).edit("ann@example.test", "amy@example.test");
    let changed = Parcel::new(0x64);
    let (first, copy) = (Parcel::new(0x65), Parcel::new(0x65).under("rg2-a/00000000c0ffee65/2"));
    vec![
        receiver(
            "submit.several.01",
            "Two transfers wait on one connection and are committed in the other order",
            &["SU-010", "SU-016"],
            one.transfer(ready())
                .ask(&two.offered(1), "offer-2", Want::code(354))
                .send(&two.octets())
                .reply("transferred-2", ok().last("TRANSFERRED ID="))
                .ask(&two.commit(1), "accepted-2", accepted())
                .ask(&one.commit(1), "accepted-1", accepted())
                .differs("two-queue-ids", "accepted-1", "accepted-2"),
        ),
        receiver(
            "submit.several.02",
            "A transfer that is offered again before COMMIT is accepted under its later number",
            &["SU-010", "SU-016"],
            again
                .transfer(ready())
                .ask(&again.offered(2), "offer-2", Want::code(354))
                .send(&again.octets())
                .reply("transferred-2", ok().last("TRANSFERRED ID="))
                .ask(&again.commit(2), "accepted", accepted())
                .ask(&again.status(), "known", accepted())
                .same("same-queue-id", "accepted", "known"),
        ),
        receiver(
            "submit.status.02",
            "What is transferred and not committed is unknown, and STATUS does not prevent its COMMIT",
            &["SU-010", "SU-024"],
            asked
                .transfer(ready())
                .ask(&asked.status(), "unknown", ok().last("UNKNOWN ID="))
                .ask(&asked.commit(1), "accepted", accepted()),
        )
        .kills(&[("status-fences", "unknown")]),
        receiver(
            "submit.digest.04",
            "An accepted id that comes again with another recipient is refused, and stays accepted",
            &["SM-028", "SU-012"],
            changed
                .hand_over(ready())
                .ask(&other.offered(2), "refused", Want::code(554).status("5.7.0"))
                .ask(&changed.resolve(2), "resolved", accepted())
                .same("same-queue-id", "accepted", "resolved"),
        )
        .twin("submit.commit.repeat.01")
        .kills(&[("digest-not-compared", "refused")]),
        receiver(
            "submit.commit.repeat.02",
            "The repeat under a greater number is answered like the first, again and again",
            &["SM-028", "SU-011"],
            changed_repeat(&Parcel::new(0x66)),
        ),
        receiver(
            "submit.origin.01",
            "The same message under two transfer ids is accepted under each",
            &["SU-017", "SU-018"],
            first
                .hand_over(ready())
                .ask(&copy.offered(1), "offer-2", Want::code(354))
                .send(&copy.octets())
                .reply("transferred-2", ok().last("TRANSFERRED ID="))
                .ask(&copy.commit(1), "accepted-2", accepted()),
        ),
    ]
}

fn changed_repeat(parcel: &Parcel) -> Script {
    parcel
        .hand_over(ready())
        .ask(&parcel.offered(2), "second", accepted())
        .ask(&parcel.offered(7), "third", accepted())
        .same("second-is-the-first", "accepted", "second")
        .same("third-is-the-first", "accepted", "third")
}

fn fences() -> Vec<Case> {
    let refused = || Want::codes(&[450, 451]).any_status();
    let fenced = Parcel::new(0x70);
    let lower = Parcel::new(0x71);
    let above = Parcel::new(0x72);
    vec![
        receiver(
            "submit.fence.01",
            "RESOLVE between TRANSFERRED and COMMIT fences: that COMMIT is refused, a later offer is not",
            &["SU-014", "SU-023"],
            fenced
                .transfer(ready())
                .ask(&fenced.resolve(1), "fenced", ok().last("REFUSED ID="))
                .ask(&fenced.commit(1), "refused", Want::codes(&[450, 451, 503]).any_status())
                .ask(&fenced.offered(2), "later", Want::code(354))
                .send(&fenced.octets())
                .reply("later-transferred", ok().last("TRANSFERRED ID="))
                .ask(&fenced.commit(2), "accepted", accepted()),
        )
        .twin("submit.offer.01"),
        receiver(
            "submit.fence.02",
            "A fence is not lowered by a smaller number",
            &["SU-014", "SU-023"],
            ready()
                .ask(&lower.resolve(5), "fenced", ok().last("REFUSED ID="))
                .ask(&lower.resolve(2), "asked-for-less", ok().last("REFUSED ID="))
                .line(&lower.offered(4))
                .offer_refused("refused", &lower.octets(), refused()),
        )
        .twin("submit.fence.03")
        .kills(&[("resolve-without-fence", "refused")]),
        receiver(
            "submit.fence.03",
            "The first offer above a fence is accepted",
            &["SU-014", "SU-022"],
            above.transfer_as(
                ready().ask(&above.resolve(5), "fenced", ok().last("REFUSED ID=")),
                6,
            )
            .ask(&above.commit(6), "accepted", accepted()),
        ),
    ]
}
