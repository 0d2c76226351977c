//! Bodies that go on where they broke off: the receiver of a hand-over that keeps a part, and the sender
//! that is told an offset.

use sha2::{Digest as _, Sha256};

use super::handing_over::{COMMIT, OFFER, RESOLVE, TEXT, against, once};
use super::members::{ok, ready};
use super::parcel::{Parcel, accepted};
use crate::case::Case;
use crate::cluster::{HOUR, SECOND};
use crate::event::hex;
use crate::play::{Act, Answer, Look, Play};
use crate::script::Script;
use crate::smtp::Want;

/// Nobody must be able to do this: a member without it takes and sends whole bodies.
const RESUME: &str = "submit/resume";
/// So much of the body comes before the connection ends.
const PART: usize = 20;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = receivers();
    cases.extend(senders());
    cases
}

/// A member that offers the body to go on, and goes in the midst of it.
fn broken_off(parcel: &Parcel, part: usize) -> Play {
    let script = ready()
        .ask(&parcel.resumable(1), "begins", Want::code(354))
        .send(&parcel.octets_between(0, part));
    Play::new().talk("broken", script).act(Act::Leave("broken")).wait(SECOND)
}

/// All octets follow a 354, so it must not have named an offset.
fn from_the_start(parcel: &Parcel, offer: &str, number: u32) -> Script {
    ready()
        .ask(offer, "offer", Want::code(354))
        .send(&parcel.octets())
        .reply("transferred", ok().last("TRANSFERRED ID="))
        .ask(&parcel.commit(number), "accepted", accepted())
        .fence()
}

fn receiver(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, RESUME, play).verifies(verifies)
}

fn receivers() -> Vec<Case> {
    let parcel = Parcel::new(0x50);
    let (length, told) = (parcel.body_octets(), "RESUME=20");
    let other =
        Parcel::new(0x50).body("Subject: another body under the same id\r\n\r\nand more\r\n");
    let elsewhere = Parcel::new(0x51);
    let goes_on = |octets: Vec<u8>, want: Want| {
        ready()
            .ask(&parcel.resumable(2), "goes-on", Want::code(354).last(told))
            .send(&octets)
            .reply("transferred", want)
    };
    let starts_anew = |number: u32, what: &str, other: &Parcel, offer: String| {
        let play = broken_off(&parcel, PART).talk("peer", from_the_start(other, &offer, 2));
        receiver(
            &format!("submit.resume.{number:02}"),
            &format!("{what} begins with the first octet, whatever is kept"),
            &["SU-062"],
            play,
        )
        .twin("submit.resume.01")
    };
    vec![
        receiver(
            "submit.resume.01",
            "A body that breaks off goes on where it was, and is handed over",
            &["SU-060", "SU-062", "SU-064", "WI-054"],
            broken_off(&parcel, PART).talk(
                "peer",
                goes_on(parcel.octets_between(PART, length), ok().last("TRANSFERRED ID="))
                    .ask(&parcel.commit(2), "accepted", accepted())
                    .fence(),
            ),
        ),
        starts_anew(2, "A body of another digest", &other, other.resumable(2)),
        starts_anew(3, "A body that is not to go on", &parcel, parcel.offered(2)),
        starts_anew(4, "The same body of another transfer", &elsewhere, elsewhere.resumable(2)),
        receiver(
            "submit.resume.05",
            "What goes on with other octets is refused by its digest, and begins anew",
            &["SU-064", "SM-025"],
            broken_off(&parcel, PART)
                .talk(
                    "wrong",
                    goes_on(
                        parcel
                            .octets_between(PART, length)
                            .iter()
                            .map(|o| if *o == b'n' { b'm' } else { *o })
                            .collect(),
                        Want::code(554).status("5.6.0"),
                    ),
                )
                .talk("peer", from_the_start(&parcel, &parcel.resumable(3), 3)),
        )
        .twin("submit.resume.01"),
        receiver(
            "submit.resume.06",
            "What is kept is not gone on with after an hour",
            &["SU-061"],
            broken_off(&parcel, PART)
                .wait(HOUR)
                .talk("peer", from_the_start(&parcel, &parcel.resumable(2), 2)),
        )
        .twin("submit.resume.01"),
        receiver(
            "submit.resume.07",
            "A body that breaks off twice goes on at the second place",
            &["SU-062"],
            broken_off(&parcel, PART)
                .talk(
                    "twice",
                    ready()
                        .ask(&parcel.resumable(2), "goes-on-once", Want::code(354).last(told))
                        .send(&parcel.octets_between(PART, PART + 5)),
                )
                .act(Act::Leave("twice"))
                .wait(SECOND)
                .talk(
                    "peer",
                    ready()
                        .ask(&parcel.resumable(3), "goes-on", Want::code(354).last("RESUME=25"))
                        .send(&parcel.octets_between(PART + 5, length))
                        .reply("transferred", ok().last("TRANSFERRED ID="))
                        .ask(&parcel.commit(3), "accepted", accepted())
                        .fence(),
                ),
        ),
        receiver(
            "submit.resume.08",
            "A RESUME that is no digest is refused",
            &["WI-060"],
            Play::new().talk(
                "peer",
                ready()
                    .ask(
                        &format!("{} RESUME=0", parcel.offered(1)),
                        "refused",
                        Want::code(501).status("5.5.4"),
                    )
                    .fence(),
            ),
        )
        .twin("submit.resume.01"),
    ]
}

fn senders() -> Vec<Case> {
    let sender = |id: &str, title: &str, verifies: &[&str], play: Play| {
        Case::play(id, title, RESUME, play).verifies(verifies)
    };
    let body = format!("From: suite\r\nSubject: conformance\r\n\r\n{TEXT}\r\n");
    let digest = hex(&Sha256::digest(body.as_bytes()));
    let lost = |id: &str, title: &str, reply: &'static str| {
        sender(
            id,
            title,
            &["SU-063", "WI-054"],
            against(&[once("X-SUBMIT OFFER ", Answer::Say(reply))])
                .wait(30 * 60 * SECOND)
                .look(Look::Count("offered-twice", OFFER, 2))
                .look(Look::Count("committed-once", COMMIT, 1))
                .look(Look::Never("not-in-doubt", RESOLVE, None)),
        )
        .twin("submit.resume.11")
    };
    vec![
        sender(
            "submit.resume.11",
            "An offer names the digest of its body to a receiver that can go on with it",
            &["SU-060"],
            against(&[])
                .wait(SECOND)
                .look(Look::Values("of-the-body", OFFER, "RESUME", vec![digest]))
                .look(Look::Count("committed-once", COMMIT, 1)),
        ),
        sender(
            "submit.resume.12",
            "A sender that is told an offset sends the whole envelope, and the body from there on",
            &["SU-063"],
            against(&[once("X-SUBMIT OFFER ", Answer::Say("354 2.0.0 RESUME=10"))])
                .wait(30 * 60 * SECOND)
                .look(Look::Count("offered-once", OFFER, 1))
                .look(Look::Count("committed-once", COMMIT, 1))
                .look(Look::Never("not-in-doubt", RESOLVE, None)),
        )
        .twin("submit.resume.11")
        .kills(&[("resumes-one-octet-early", "offered-once")]),
        lost(
            "submit.resume.13",
            "An offset beyond the body counts as a lost connection",
            "354 2.0.0 RESUME=1000000",
        ),
        lost(
            "submit.resume.14",
            "An offset that is no number counts as a lost connection",
            "354 2.0.0 RESUME=ten",
        ),
    ]
}
