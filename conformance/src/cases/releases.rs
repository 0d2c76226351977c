//! The receiver of a hand-over: RELEASE, and the boots and disks of a sender.

use super::members::{SUBMIT, bad_order, news, ok, proved_with, ready};
use super::parcel::{Parcel, accepted};
use crate::case::Case;
use crate::play::Play;
use crate::script::Script;
use crate::smtp::Want;

/// The boot of the sender, as its ids name it, and the one before.
pub(super) const NOW: &str = "00000000c0ffee02";
const BEFORE: &str = "00000000c0ffee00";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = watermarks();
    cases.extend(statements());
    cases.extend(boots());
    cases
}

pub(super) fn receiver(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, SUBMIT, play).verifies(verifies)
}

pub(super) fn parcel(incarnation: &str, sequence: u32) -> Parcel {
    Parcel::minted(&format!("rg2-a/{incarnation}/{sequence}"))
}

/// RELEASE of this boot number, incarnation and watermark.
pub(super) fn release(boot: u32, incarnation: &str, upto: u32, except: &str) -> String {
    let except = if except.is_empty() { String::new() } else { format!(" EXCEPT={except}") };
    format!("X-SUBMIT RELEASE BOOT={boot} INCARNATION={incarnation} UPTO={upto}{except}")
}

pub(super) fn released() -> Want {
    ok().last("RELEASED")
}

pub(super) fn done() -> Want {
    ok().last("DONE ID=")
}

/// Hands messages over, one after the other.
pub(super) fn handed(mut script: Script, parcels: &[&Parcel]) -> Script {
    for (place, parcel) in parcels.iter().enumerate() {
        script = script
            .ask(&parcel.offered(1), &format!("offer-{place}"), Want::code(354))
            .send(&parcel.octets())
            .reply(&format!("transferred-{place}"), ok().last("TRANSFERRED ID="))
            .ask(&parcel.commit(1), &format!("accepted-{place}"), accepted());
    }
    script
}

/// Two hand-overs of the present boot, then what follows.
fn after_two() -> (Script, Parcel, Parcel) {
    let (one, two) = (parcel(NOW, 1), parcel(NOW, 2));
    (handed(ready(), &[&one, &two]), one, two)
}

fn watermarks() -> Vec<Case> {
    let (begun, one, two) = after_two();
    let told = |upto, except: &str| {
        begun.clone().ask(&release(1, NOW, upto, except), "released", released())
    };
    let fenced = parcel(NOW, 3);
    let never = parcel(NOW, 2);
    vec![
        receiver(
            "submit.release.01",
            "What lies up to the watermark is over: every question about it is answered with DONE",
            &["SU-033"],
            Play::new().talk(
                "peer",
                told(2, "")
                    .ask(&one.status(), "status", done())
                    .ask(&one.resolve(1), "resolve", done())
                    .ask(&two.offered(2), "offer", done())
                    .fence(),
            ),
        ),
        receiver(
            "submit.release.02",
            "A transfer that is excepted is remembered, with its queue id",
            &["SU-031", "SU-033"],
            Play::new().talk(
                "peer",
                told(2, &format!("{NOW}/1"))
                    .ask(&two.status(), "over", done())
                    .ask(&one.status(), "excepted", accepted())
                    .same("same-queue-id", "accepted-0", "excepted")
                    .ask(&one.offered(2), "repeat", accepted())
                    .fence(),
            ),
        )
        .kills(&[("release-ignores-exceptions", "peer-excepted")]),
        receiver(
            "submit.release.03",
            "A transfer above the watermark is remembered",
            &["SU-033"],
            Play::new().talk(
                "peer",
                told(1, "")
                    .ask(&one.status(), "over", done())
                    .ask(&two.status(), "above", accepted())
                    .same("same-queue-id", "accepted-1", "above")
                    .fence(),
            ),
        ),
        receiver(
            "submit.release.04",
            "A transfer that is over and never came is not taken any more",
            &["SU-033"],
            Play::new().talk(
                "peer",
                ready()
                    .ask(&release(1, NOW, 2, ""), "released", released())
                    .ask(&never.offered(1), "offer", done())
                    .ask(&never.commit(1), "commit-refused", bad_order())
                    .fence(),
            ),
        )
        .twin("submit.release.01")
        .kills(&[("released-is-offered-again", "peer-offer")]),
        receiver(
            "submit.release.05",
            "A smaller watermark of the same boot does not bring back what was over",
            &["SU-033", "SU-034"],
            Play::new().talk(
                "peer",
                told(2, "")
                    .ask(&release(1, NOW, 1, ""), "smaller", released())
                    .ask(&two.status(), "still-over", done())
                    .fence(),
            ),
        ),
        receiver(
            "submit.release.06",
            "A fence is forgotten with its transfer: what it fenced is over",
            &["SU-033"],
            Play::new().talk(
                "peer",
                ready()
                    .ask(&fenced.resolve(4), "fenced", ok().last("REFUSED ID="))
                    .ask(&release(1, NOW, 3, ""), "released", released())
                    .ask(&fenced.resolve(4), "over", done())
                    .ask(&fenced.offered(5), "offer", done())
                    .fence(),
            ),
        ),
        receiver(
            "submit.release.07",
            "What one member says is over leaves the transfers of its next boot alone",
            &["SU-033"],
            Play::new().talk(
                "peer",
                handed(told(9, ""), &[])
                    .ask(&release(2, "00000000c0ffee03", 0, ""), "next-boot", released())
                    .ask(&parcel("00000000c0ffee03", 1).offered(1), "offer", Want::code(354))
                    .send(&parcel("00000000c0ffee03", 1).octets())
                    .reply("transferred", ok().last("TRANSFERRED ID="))
                    .ask(&parcel("00000000c0ffee03", 1).commit(1), "accepted", accepted())
                    .fence(),
            ),
        ),
    ]
}

fn statements() -> Vec<Case> {
    let sixteen: Vec<String> = (1..=16).map(|n| format!("{NOW}/{n}")).collect();
    let seventeen: Vec<String> = (1..=17).map(|n| format!("{NOW}/{n}")).collect();
    let (begun, one, _) = after_two();
    vec![
        receiver(
            "submit.release.08",
            "RELEASE may name sixteen exceptions",
            &["SU-032", "WI-060"],
            Play::new().talk(
                "peer",
                begun
                    .clone()
                    .ask(&release(1, NOW, 20, &sixteen.join(",")), "released", released())
                    .ask(&one.status(), "excepted", accepted())
                    .fence(),
            ),
        ),
        receiver(
            "submit.release.09",
            "RELEASE with seventeen exceptions is refused, and nothing is over",
            &["SU-032", "WI-060"],
            Play::new().talk(
                "peer",
                begun
                    .ask(
                        &release(1, NOW, 20, &seventeen.join(",")),
                        "refused",
                        Want::code(501).status("5.5.4"),
                    )
                    .ask(&one.status(), "remembered", accepted())
                    .fence(),
            ),
        )
        .twin("submit.release.08"),
    ]
}

fn boots() -> Vec<Case> {
    let (old, older) = (parcel(BEFORE, 1), parcel(BEFORE, 2));
    let begun = || handed(ready(), &[&old, &older]);
    let behind = || Want::code(554).status("5.3.5");
    let first =
        |line: &str| ready().ask(&release(7, NOW, 1, ""), "released", released()).line(line);
    vec![
        receiver(
            "submit.boot.01",
            "With a new boot all transfers of earlier boots are over",
            &["SU-031", "SU-033"],
            Play::new().talk(
                "peer",
                begun()
                    .ask(&release(8, NOW, 0, ""), "released", released())
                    .ask(&old.status(), "over", done())
                    .ask(&older.resolve(1), "resolved", done())
                    .fence(),
            ),
        ),
        receiver(
            "submit.boot.02",
            "A transfer of an earlier boot that is excepted is remembered",
            &["SU-031", "SU-033"],
            Play::new().talk(
                "peer",
                begun()
                    .ask(&release(8, NOW, 0, &format!("{BEFORE}/2")), "released", released())
                    .ask(&old.status(), "over", done())
                    .ask(&older.status(), "excepted", accepted())
                    .same("same-queue-id", "accepted-1", "excepted")
                    .fence(),
            ),
        ),
        receiver(
            "submit.boot.03",
            "A smaller boot number of the same disk says that the disk was rolled back",
            &["SU-042"],
            Play::new()
                .talk("peer", first(&release(6, BEFORE, 1, "")).reply("refused", behind()).fence()),
        )
        .twin("submit.boot.05")
        .kills(&[("rolled-back-is-believed", "peer-refused")]),
        receiver(
            "submit.boot.04",
            "The same boot number with another incarnation says that the disk was rolled back",
            &["SU-042"],
            Play::new()
                .talk("peer", first(&release(7, BEFORE, 1, "")).reply("refused", behind()).fence()),
        )
        .twin("submit.boot.05"),
        receiver(
            "submit.boot.05",
            "The same statement again, and the next boot, are no news of a disk",
            &["SU-042"],
            Play::new().talk(
                "peer",
                first(&release(7, NOW, 1, ""))
                    .reply("again", released())
                    .ask(&release(8, BEFORE, 0, ""), "next-boot", released())
                    .fence(),
            ),
        ),
        receiver(
            "submit.boot.06",
            "After a word about a rolled-back disk nothing is over that was not over before",
            &["SU-042"],
            Play::new().talk(
                "peer",
                handed(
                    ready().ask(&release(7, NOW, 0, ""), "released", released()),
                    &[&parcel(NOW, 1)],
                )
                .ask(&release(6, BEFORE, 9, ""), "refused", behind())
                .ask(&parcel(NOW, 1).status(), "remembered", accepted())
                .fence(),
            ),
        )
        .twin("submit.boot.05"),
        receiver(
            "submit.boot.07",
            "A member with a new disk counts its boots anew",
            &["SU-042"],
            Play::new()
                .talk("peer", first("QUIT").reply("farewell", Want::code(221)).closed("closed"))
                .talk(
                    "fresh",
                    news(proved_with("00000000c0ffee77"))
                        .ask(&release(1, BEFORE, 0, ""), "released", released())
                        .fence(),
                ),
        ),
        receiver(
            "submit.boot.08",
            "What a disk says that was replaced since is ignored",
            &["SU-034"],
            Play::new()
                .talk("peer", first("QUIT").reply("farewell", Want::code(221)).closed("closed"))
                .talk(
                    "fresh",
                    handed(
                        news(proved_with("00000000c0ffee77")).ask(
                            &release(1, BEFORE, 0, ""),
                            "released",
                            released(),
                        ),
                        &[&old],
                    )
                    .ask("QUIT", "farewell", Want::code(221))
                    .closed("closed"),
                )
                .talk(
                    "stale",
                    ready()
                        .ask(&release(99, BEFORE, 9, ""), "told", Want::codes(&[250, 554]))
                        .ask(&old.status(), "remembered", accepted())
                        .fence(),
                ),
        )
        .kills(&[("replaced-disk-is-believed", "stale-remembered")]),
    ]
}
