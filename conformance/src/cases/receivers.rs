//! The receiver of a hand-over when it crashes, loses its disk, hears of a message twice, or is full.

use serde_json::{Value, json};

use super::members::{STORE, bad_order, news, ok, proved_with, ready};
use super::parcel::accepted;
use super::releases::{NOW, done, handed, parcel, receiver, release, released};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::play::{Act, Look, Play};
use crate::script::{Script, Seat};
use crate::smtp::Want;

const TO_CARL: &str = "rg1-a>rg1-c/deliver";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = crashes();
    cases.extend(copies());
    cases
}

fn crashes() -> Vec<Case> {
    let (one, over) = (parcel(NOW, 1), parcel(NOW, 1));
    vec![
        receiver(
            "submit.kill.01",
            "What was accepted is known after a crash: the repeat gets the same queue id",
            &["SU-011", "SU-017"],
            Play::new().talk("peer", handed(ready(), &[&one])).act(Act::Restart).talk(
                "again",
                ready()
                    .ask(&one.offered(2), "repeat", accepted())
                    .same("same-queue-id", "peer-accepted-0", "repeat")
                    .ask(&one.resolve(1), "resolved", accepted())
                    .fence(),
            ),
        )
        .kills(&[("skip-journal-on-acceptance", "again-repeat")]),
        receiver(
            "submit.kill.02",
            "A fence survives a crash",
            &["SU-014", "SU-023"],
            Play::new()
                .talk("peer", ready().ask(&one.resolve(3), "fenced", ok().last("REFUSED ID=")))
                .act(Act::Restart)
                .talk(
                    "again",
                    ready()
                        .line(&one.offered(3))
                        .offer_refused(
                            "refused",
                            &one.octets(),
                            Want::codes(&[450, 451]).any_status(),
                        )
                        .ask(&one.offered(4), "above", Want::code(354))
                        .send(&one.octets())
                        .reply("transferred", ok().last("TRANSFERRED ID="))
                        .ask(&one.commit(4), "accepted", accepted())
                        .fence(),
                ),
        )
        .twin("submit.kill.01")
        .kills(&[("resolve-without-fence", "again-refused")]),
        receiver(
            "submit.kill.03",
            "What was transferred and not committed is forgotten by a crash, and can be fenced",
            &["SU-010", "SU-023"],
            Play::new().talk("peer", one.transfer(ready())).act(Act::Restart).talk(
                "again",
                ready()
                    .ask(&one.commit(1), "refused", bad_order())
                    .ask(&one.resolve(1), "fenced", ok().last("REFUSED ID="))
                    .fence(),
            ),
        )
        .twin("submit.kill.01"),
        receiver(
            "submit.left.01",
            "What was transferred on a connection that is gone cannot be committed on another one",
            &["SU-010", "SU-016"],
            Play::new().talk("peer", one.transfer(ready())).act(Act::Leave("peer")).talk(
                "again",
                ready()
                    .ask(&one.status(), "unknown", ok().last("UNKNOWN ID="))
                    .ask(&one.commit(1), "refused", bad_order())
                    .fence(),
            ),
        )
        .twin("submit.left.02"),
        receiver(
            "submit.left.02",
            "What was transferred on a connection that is gone can be transferred and committed anew",
            &["SU-010", "SU-017"],
            Play::new().talk("peer", one.transfer(ready())).act(Act::Leave("peer")).talk(
                "again",
                one.transfer_as(ready(), 2).ask(&one.commit(2), "accepted", accepted()).fence(),
            ),
        ),
        receiver(
            "submit.kill.04",
            "That a transfer is over survives a crash",
            &["SU-033"],
            Play::new()
                .talk(
                    "peer",
                    handed(ready(), &[&over]).ask(&release(1, NOW, 1, ""), "released", released()),
                )
                .act(Act::Restart)
                .talk("again", ready().ask(&over.offered(2), "over", done()).fence()),
        ),
        receiver(
            "submit.store.01",
            "The disk keeps its id over a crash",
            &["CU-006", "SU-030"],
            Play::new().talk("peer", news(proved_with(STORE))).act(Act::Restart).talk(
                "again",
                news(proved_with(STORE))
                    .same("same-store-id", "peer-submit-hello", "again-submit-hello")
                    .fence(),
            ),
        ),
        receiver(
            "submit.store.02",
            "Another disk has another id, and knows nothing",
            &["CU-006", "SU-030"],
            Play::new()
                .talk("peer", handed(ready(), &[&one]))
                .wait(SECOND)
                .act(Act::LoseDisk)
                .talk(
                    "again",
                    ready()
                        .differs("another-store-id", "peer-submit-hello", "again-submit-hello")
                        .ask(&one.status(), "unknown", ok().last("UNKNOWN ID="))
                        .fence(),
                ),
        ),
    ]
}

fn copies() -> Vec<Case> {
    let (one, two) = (parcel(NOW, 1), parcel(NOW, 2));
    let twin = one.clone().under(two.id());
    let for_carl =
        |sequence| parcel(NOW, sequence).edit("ann@example.test", "carl@example.test").patient();
    let suspect = for_carl(1).edit(r#""original":null"#, r#""original":null,"suspect":true"#);
    let full = |limit: u32, last: Script| {
        Play::new()
            .policy("queue_limit", json!(limit))
            .act(Act::Rule(TO_CARL, Rule::Refuse))
            .talk("peer", handed(ready(), &[&for_carl(1)]))
            .wait(SECOND)
            .talk("peer", last.fence())
    };
    let going_on = || Script::new(Seat::Member, Port::Smtp);
    vec![
        receiver(
            "submit.copies.01",
            "Two messages are two letters",
            &["SU-017"],
            Play::new()
                .talk("peer", handed(ready(), &[&one, &two]).fence())
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("two-letters", 0, 2)),
        ),
        receiver(
            "submit.copies.02",
            "One message under two transfer ids is one letter",
            &["SU-018", "DE-024"],
            Play::new()
                .talk("peer", handed(ready(), &[&one, &twin]).fence())
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1)),
        ),
        receiver(
            "submit.copies.03",
            "A message that is repeated on another connection and over a crash is one letter",
            &["SU-011", "SU-017"],
            Play::new()
                .talk("peer", handed(ready(), &[&one]))
                .talk("second", ready().ask(&one.offered(2), "repeat", accepted()))
                .act(Act::Restart)
                .talk("third", ready().ask(&one.offered(3), "repeat", accepted()).fence())
                .act(Act::Inspect("accounts"))
                .look(Look::Letters("one-letter", 0, 1)),
        ),
        receiver(
            "submit.suspect.01",
            "A recipient who is marked as suspect is shown as such in the queue, the others are not",
            &["SU-041"],
            Play::new()
                .act(Act::Rule(TO_CARL, Rule::Refuse))
                .talk("peer", handed(ready(), &[&suspect, &for_carl(2)]).fence())
                .act(Act::Inspect("queue"))
                .look(Look::Shown("marked", 0, "/messages/0/recipients/0/suspect", json!(true)))
                .look(Look::Shown(
                    "not-marked",
                    0,
                    "/messages/1/recipients/0/suspect",
                    Value::Null,
                )),
        ),
        receiver(
            "submit.full.01",
            "A member whose queue is full refuses an offer for now, and answers questions as ever",
            &["CU-003"],
            full(
                1,
                going_on()
                    .ask(&for_carl(2).offered(1), "refused", Want::code(452).status("4.3.1"))
                    .ask(&for_carl(1).status(), "known", accepted()),
            ),
        )
        .twin("submit.full.02"),
        receiver(
            "submit.full.02",
            "A member with room in its queue takes an offer while another message waits",
            &["CU-003"],
            full(
                2,
                going_on()
                    .ask(&for_carl(2).offered(1), "offer", Want::code(354))
                    .send(&for_carl(2).octets())
                    .reply("transferred-again", ok().last("TRANSFERRED ID=")),
            ),
        ),
    ]
}
