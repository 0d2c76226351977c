//! What members say to each other, with the suite as the other member: one connection each.

pub(super) use super::parcel::ok;
use super::parcel::{Parcel, accepted};
use crate::case::Case;
use crate::net::Port;
use crate::script::{Script, Seat, frame};
use crate::smtp::Want;

pub(super) const LINK: &str = "linkstate/core";
pub(super) const SUBMIT: &str = "submit/receiver";
/// The disk that the suite says it has.
pub(super) const STORE: &str = "00000000c0ffee01";
/// A digest of no table: the answer to a query with it brings everything.
pub(super) const NO_DIGEST: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// As the bridgehead of RG2, after EHLO.
pub(super) fn member() -> Script {
    Script::new(Seat::Member, Port::Smtp).reply("greeting", Want::code(220)).secure("hello").ask(
        "EHLO {ehlo}",
        "hello",
        Want::code(250).keyword("X-SUBMIT").keyword("X-LINK2STATE"),
    )
}

/// After X-SUBMIT HELLO.
pub(super) fn proved() -> Script {
    proved_with(STORE)
}

/// The same, with another disk.
pub(super) fn proved_with(store: &str) -> Script {
    member().ask(
        &format!("X-SUBMIT HELLO MEMBER=rg2-a STORE={store}"),
        "submit-hello",
        Want::code(250).status("2.0.0").last("MEMBER=rg1-a STORE="),
    )
}

/// A query for news: the shortest message that X-LINK2STATE carries.
fn query() -> String {
    frame(&format!(" MULTI (6) ({})", frame(&format!(" NEWS {NO_DIGEST} ()"))))
}

/// Sends the query in two chunks and expects the table.
pub(super) fn news(script: Script) -> Script {
    let query = query();
    script.ask(&format!("X-LINK2STATE FIRST CHUNK={}", &query[..10]), "first", next()).ask(
        &format!("X-LINK2STATE LAST CHUNK={}", &query[10..]),
        "table",
        table(),
    )
}

fn next() -> Want {
    Want::code(200).last("NEXT")
}

fn table() -> Want {
    Want::code(200).keyword("FIRST").keyword("LAST").last("LAST CHUNK=")
}

pub(super) fn bad_order() -> Want {
    Want::code(503).status("5.5.1")
}

/// After the news that must precede mail.
pub(super) fn ready() -> Script {
    news(proved())
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = link_state();
    cases.extend(submit_order());
    cases.extend(submit_custody());
    cases
}

pub(super) fn case(
    id: &str,
    title: &str,
    profile: &'static str,
    verifies: &[&str],
    script: Script,
) -> Case {
    Case::script(id, title, profile, script.fence()).verifies(verifies)
}

fn link_state() -> Vec<Case> {
    let alone = |id: &str, title: &str, chunk: &str| {
        let script = proved().ask(&format!("X-LINK2STATE {chunk}"), "refused", bad_order());
        case(id, title, LINK, &["WI-092", "SM-031"], news(script)).twin("link.chunk.plain.01")
    };
    let attack = format!("CHUNK={}", "A".repeat(900));
    let query = query();
    let inside = proved()
        .ask(&format!("X-LINK2STATE FIRST CHUNK={}", &query[..10]), "begun", next())
        .ask(&format!("X-LINK2STATE FIRST CHUNK={}", &query[..10]), "refused", bad_order())
        .ask(&format!("X-LINK2STATE LAST CHUNK={}", &query[10..]), "dropped", bad_order());
    let long = proved().ask(
        &format!("X-LINK2STATE FIRST CHUNK={}", "A".repeat(1_100)),
        "refused",
        Want::class(5),
    );
    let stranger = Script::smtp(Seat::Outside).ask(
        &format!("X-LINK2STATE FIRST CHUNK={}", &query[..10]),
        "refused",
        Want::code(530).status("5.7.0"),
    );
    vec![
        case(
            "link.chunk.plain.01",
            "A query in two chunks is answered by the table in chunks",
            LINK,
            &["WI-091", "LS-015"],
            ready(),
        ),
        case(
            "link.chunk.plain.02",
            "NEXT and unmarked chunks continue a message",
            LINK,
            &["WI-091"],
            proved()
                .ask(&format!("X-LINK2STATE FIRST CHUNK={}", &query[..10]), "first", next())
                .ask(&format!("X-LINK2STATE NEXT CHUNK={}", &query[10..12]), "next", next())
                .ask(&format!("X-LINK2STATE CHUNK={}", &query[12..20]), "unmarked", next())
                .ask(&format!("X-LINK2STATE LAST CHUNK={}", &query[20..]), "table", table()),
        ),
        alone("link.chunk.order.01", "LAST before FIRST is refused", "LAST CHUNK={00000000}"),
        alone("link.chunk.order.02", "NEXT before FIRST is refused", "NEXT CHUNK={00000000}"),
        alone("link.chunk.order.03", "An unmarked chunk before FIRST is refused", "CHUNK=x"),
        alone(
            "link.chunk.order.04",
            "The long unmarked chunk before FIRST of MS05-021 is refused like a short one",
            &attack,
        ),
        case(
            "link.chunk.order.05",
            "FIRST inside a message is refused, and the message is dropped",
            LINK,
            &["WI-093", "SM-031"],
            news(inside),
        )
        .twin("link.chunk.plain.01"),
        case(
            "link.chunk.line.01",
            "A line of more than 1,024 octets is refused, and the next one is read",
            LINK,
            &["WI-090", "SM-030"],
            news(long),
        )
        .twin("link.chunk.plain.01"),
        case(
            "link.peer.01",
            "Somebody who is no member may not tell news",
            LINK,
            &["SM-020"],
            stranger,
        )
        .twin("link.chunk.plain.01"),
        case(
            "link.frame.01",
            "A message whose count is wrong is refused, and the session goes on",
            LINK,
            &["SM-031"],
            news(proved().ask("X-LINK2STATE FIRST CHUNK={000000ff}", "begun", next()).ask(
                "X-LINK2STATE LAST CHUNK= MULTI (6) ()",
                "refused",
                Want::class(5),
            )),
        )
        .twin("link.chunk.plain.01"),
    ]
}

fn submit_order() -> Vec<Case> {
    let parcel = Parcel::new(1);
    let digest = parcel.digest();
    let mut cases = vec![
        case(
            "submit.hello.01",
            "A member says who it is and which disk it has, and hears the same",
            SUBMIT,
            &["SU-030", "WI-061"],
            proved(),
        ),
        case(
            "submit.hello.02",
            "A member may not give the name of another",
            SUBMIT,
            &["SM-022"],
            member().ask(
                &format!("X-SUBMIT HELLO MEMBER=rg1-c STORE={STORE}"),
                "refused",
                Want::class(5).status("5."),
            ),
        )
        .twin("submit.hello.01"),
        case(
            "submit.peer.01",
            "Somebody who is no member may not hand mail over",
            SUBMIT,
            &["SM-020"],
            Script::smtp(Seat::Outside).ask(
                &format!("X-SUBMIT HELLO MEMBER=rg2-a STORE={STORE}"),
                "refused",
                Want::code(530).status("5.7.0"),
            ),
        )
        .twin("submit.hello.01"),
        case(
            "submit.order.01",
            "OFFER before HELLO is out of order",
            SUBMIT,
            &["SU-030"],
            member().ask(&parcel.offer(1, &digest), "refused", bad_order()),
        )
        .twin("submit.offer.01"),
        case(
            "submit.order.02",
            "OFFER before the first news is out of order: news goes before mail",
            SUBMIT,
            &["SU-010", "SU-017", "WI-061", "WI-083"],
            proved().ask(&parcel.offer(1, &digest), "refused", bad_order()),
        )
        .twin("submit.offer.01"),
        case(
            "submit.order.03",
            "COMMIT of what was not transferred on this connection is out of order",
            SUBMIT,
            &["SM-026", "SU-016"],
            ready().ask(&parcel.commit(1), "refused", bad_order()),
        )
        .twin("submit.offer.01"),
    ];
    for (number, what, line) in [
        ("01", "A further argument", format!("{} X=1", Parcel::new(2).status())),
        (
            "02",
            "A repeated argument",
            format!("{0} ID={1}", Parcel::new(2).status(), Parcel::new(2).id()),
        ),
        ("03", "A missing argument", "X-SUBMIT STATUS".to_owned()),
        (
            "04",
            "An id with a leading zero",
            "X-SUBMIT STATUS ID=rg2-a/00000000c0ffee01/01".to_owned(),
        ),
        ("05", "Two spaces", "X-SUBMIT  STATUS ID=rg2-a/00000000c0ffee01/1".to_owned()),
    ] {
        cases.push(
            case(
                &format!("submit.syntax.{number}"),
                &format!("{what} is refused"),
                SUBMIT,
                &["WI-060"],
                ready().ask(&line, "refused", Want::code(501).status("5.5.4")),
            )
            .twin("submit.status.01"),
        );
    }
    cases
}

fn submit_custody() -> Vec<Case> {
    let refused = || Want::codes(&[450, 451, 550, 554]).any_status();
    let plain = Parcel::new(0x10);
    let repeat = Parcel::new(0x11);
    let fenced = Parcel::new(0x12);
    let settled = Parcel::new(0x13);
    let asked = Parcel::new(0x14);
    let wrong = Parcel::new(0x15);
    let changed = Parcel::new(0x16);
    let other = Parcel::new(0x16).body("Subject: another body under the same id\r\n\r\n");
    vec![
        case(
            "submit.offer.01",
            "OFFER, the octets and COMMIT hand a message over",
            SUBMIT,
            &["SU-024"],
            plain.hand_over(ready()),
        ),
        case(
            "submit.commit.repeat.01",
            "A repeated OFFER of an accepted transfer is answered at once, with the same queue id",
            SUBMIT,
            &["SM-028", "SU-011", "SU-017"],
            repeat
                .hand_over(ready())
                .ask(&repeat.offer(2, &repeat.digest()), "again", accepted())
                .same("same-queue-id", "accepted", "again"),
        )
        .kills(&[("skip-journal-on-acceptance", "again")]),
        case(
            "submit.resolve.01",
            "RESOLVE of what never came fences it: that offer is refused for ever, a later one is not",
            SUBMIT,
            &["SU-014", "SU-023"],
            ready()
                .ask(&fenced.resolve(1), "fenced", ok().last("REFUSED ID="))
                .line(&fenced.offer(1, &fenced.digest()))
                .offer_refused("refused", &fenced.octets(), refused())
                .ask(&fenced.resolve(1), "still-fenced", ok().last("REFUSED ID="))
                .ask(&fenced.offer(2, &fenced.digest()), "later", Want::code(354))
                .send(&fenced.octets())
                .reply("transferred", ok().last("TRANSFERRED ID="))
                .ask(&fenced.commit(2), "accepted", accepted()),
        )
        .twin("submit.offer.01")
        .kills(&[("resolve-without-fence", "refused")]),
        case(
            "submit.resolve.02",
            "RESOLVE of an accepted transfer answers with the same queue id and takes nothing back",
            SUBMIT,
            &["SU-023"],
            settled
                .hand_over(ready())
                .ask(&settled.resolve(1), "resolved", accepted())
                .same("same-queue-id", "accepted", "resolved")
                .ask(&settled.resolve(9), "later-offer", accepted()),
        ),
        case(
            "submit.status.01",
            "STATUS tells and changes nothing: what it called unknown may still be offered",
            SUBMIT,
            &["CU-001"],
            asked
                .hand_over(ready().ask(&asked.status(), "unknown", ok().last("UNKNOWN ID=")))
                .ask(&asked.status(), "known", accepted())
                .same("same-queue-id", "accepted", "known"),
        )
        .kills(&[("status-fences", "unknown")]),
        case(
            "submit.digest.01",
            "An offer with another digest than its octets is refused",
            SUBMIT,
            &["SM-025", "WI-083"],
            ready()
                .ask(&wrong.offer(1, NO_DIGEST), "offer", Want::code(354))
                .send(&wrong.octets())
                .reply("refused", Want::code(554).status("5.6.0"))
                .ask(&wrong.commit(1), "not-transferred", bad_order()),
        )
        .twin("submit.offer.01"),
        case(
            "submit.digest.02",
            "An accepted id that comes again with another digest is refused",
            SUBMIT,
            &["SM-028", "SU-012"],
            changed
                .hand_over(ready())
                .ask(&other.offer(2, &other.digest()), "refused", Want::code(554).status("5.7.0"))
                .ask(&changed.status(), "known", accepted())
                .same("same-queue-id", "accepted", "known"),
        )
        .twin("submit.commit.repeat.01"),
    ]
}
