//! A member of a group that elects nobody is told that the operator has made another master: the suite plays
//! that one.

use super::link_peers::{LINK, link};
use super::master_peers::{TO_C, called, convened, framed, says, says_like};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::organization::consulted;
use crate::play::{Act, Look, On, Play};
use crate::script::Script;

const ATTACHES: On = On::said(TO_C, "").with(" ATTACH {5}rg1-a");
/// Of rg1-c, under the revision that is in force.
const APPOINTED: &str = " APPOINTED 1 5 {5}rg1-c 7 1";

fn told() -> Script {
    says(convened("rg1-c"), APPOINTED, "obeyed", " OBEYED 1")
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let appointed = |id: &str, title: &str, verifies: &[&str], play: Play| {
        let case = link(id, title, verifies, play);
        assert_eq!(case.profile, LINK, "every member can be told of another master");
        case
    };
    let closes = |id: &str, title: &str, verifies: &[&str], script: Script| {
        let play = Play::over(consulted).wait(SECOND).talk("c", script.gone("closed"));
        appointed(id, title, verifies, play).twin("master.appointed.01")
    };
    vec![
        appointed(
            "master.appointed.01",
            "A master by its file that is told of another one by appointment obeys it, and attaches to it",
            &["MA-070", "MA-073", "MA-074", "WI-125"],
            Play::over(consulted)
                .wait(SECOND)
                .talk("c", told())
                .wait(SECOND)
                .look(Look::Some("attaches", ATTACHES)),
        ),
        appointed(
            "master.appointed.02",
            "An appointment is on disk when it is obeyed: after a kill the other one is still the master",
            &["MA-073", "MA-070"],
            Play::over(consulted)
                .wait(SECOND)
                .talk("c", told())
                .act(Act::Restart)
                .wait(10 * SECOND)
                .talk("late", {
                    let attach = framed(" ATTACH {5}rg1-c");
                    called("rg1-c").send(attach.as_bytes()).gone("turned-away")
                })
                .look(Look::Count("attaches-again", ATTACHES, 2)),
        )
        .twin("master.appointed.01")
        .kills(&[("appointment-in-memory", "late-turned-away")]),
        appointed(
            "master.appointed.03",
            "An appointment under a smaller revision than that of its file is refused",
            &["MA-070", "MA-073"],
            Play::over(consulted)
                .wait(SECOND)
                .talk("c", {
                    let old = " APPOINTED 1 5 {5}rg1-c 7 0";
                    says_like(convened("rg1-c"), old, "refused", " REFUSE 1 ")
                })
                .wait(10 * SECOND)
                .look(Look::Never("attaches-to-nobody", ATTACHES, None)),
        )
        .twin("master.appointed.01"),
        closes(
            "master.appointed.04",
            "Nobody tells of an appointment of a third one",
            &["WI-125", "SM-082"],
            convened("rg1-c").send(framed(" APPOINTED 1 5 {5}rg1-x 7 1").as_bytes()),
        ),
        appointed(
            "master.appointed.06",
            "A member that is reminded of an appointment of its own is the master again",
            &["MA-076", "WI-125"],
            Play::over(consulted).wait(SECOND).talk("c", {
                says(convened("rg1-c"), " APPOINTED 1 5 {5}rg1-a 7 1", "obeyed", " OBEYED 1")
            }),
        ),
        closes(
            "master.appointed.05",
            "Nobody tells of one to a member of another group",
            &["WI-125", "MA-049"],
            // It is closed as soon as it has convened: what it would say behind that may come too late.
            convened("rg2-a"),
        ),
    ]
}
