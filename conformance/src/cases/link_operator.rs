//! What the operator of a member sees of its group, and what he may order about groups that are no more.

use serde_json::{Value, json};

use super::fellows::reported;
use super::link_news::other_group;
use super::link_peers::{MINUTE, NEWS_TO_RG2, asking, link, opened, telling, triangular};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Rule;
use crate::organization::led;
use crate::play::{Act, Look, On, Play};

const OPERATOR: &str = "linkstate/operator";
const TABLE: On = On::back("rg2", "200 ");
const TO_MASTER: &str = "rg1-a>rg1-c/group";
/// The tombstone of RG3 that the node makes.
const GRAVE: &str = concat!(
    "( 00000000000000000000000000000003 {3}RG3 ffffffffffffffff {5}rg1-a 0 0 0 0 () () ",
    "DELETED {5}moved )",
);
/// How any tombstone says its term.
const TOMBSTONE: &str = " ffffffffffffffff ";
const UUID_OF_3: &str = "00000000000000000000000000000003";
const UUID_OF_133: &str = "00000000000000000000000000000085";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = attached();
    cases.extend(burials());
    cases
}

fn operator(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    let mut case = link(id, title, verifies, play);
    case.profile = OPERATOR;
    case
}

/// What the answer to the look at that place says of one other member.
fn shows(check: &'static str, place: usize, attached: bool) -> Look {
    let rows = json!([{"member": "rg1-c", "attached": attached}]);
    Look::Shown(check, place, "/attached", rows)
}

fn attached() -> Vec<Case> {
    let look = Act::Inspect("linkstate");
    vec![
        operator(
            "link.attached.01",
            "A master shows who is attached to it, and who is not any more",
            &["MA-017"],
            triangular()
                .wait(SECOND)
                .act(look.clone())
                .talk("fellow", reported())
                .act(look.clone())
                .act(Act::Leave("fellow"))
                .wait(SECOND)
                .act(look.clone())
                .look(shows("not-yet", 0, false))
                .look(shows("attached", 1, true))
                .look(shows("gone", 2, false)),
        )
        .kills(&[("everybody-is-attached", "not-yet")]),
        operator(
            "link.attached.02",
            "A member shows whether it is attached to its master",
            &["MA-017", "MA-010"],
            opened(Play::over(led))
                .begins(TO_MASTER, Rule::Refuse)
                .wait(SECOND)
                .act(look.clone())
                .rule(TO_MASTER, Rule::Pass)
                .wait(MINUTE)
                .act(look)
                .look(shows("not-yet", 0, false))
                .look(shows("attached", 1, true)),
        )
        .kills(&[("everybody-is-attached", "not-yet")]),
    ]
}

/// What the order at that place was answered.
fn refused(check: &'static str, place: usize) -> Look {
    Look::Shown(check, place, "/err", json!("refused"))
}

fn done(check: &'static str, place: usize) -> Look {
    Look::Shown(check, place, "/ok", Value::Object(serde_json::Map::new()))
}

fn burials() -> Vec<Case> {
    let buries = |group, force| triangular().wait(SECOND).act(Act::Bury(group, force));
    // Two groups of one name that nobody has configured.
    let namesakes = || {
        let other = other_group(134).replace("{5}RG134", "{5}RG133");
        triangular().wait(SECOND).talk("first", telling(&[&other_group(133), &other]))
    };
    let refuses = |id: &str, title: &str, play: Play| {
        let play = play.talk("rg2", asking()).look(refused("refused", 0)).look(Look::Never(
            "no-tombstone",
            TABLE.with(TOMBSTONE),
            None,
        ));
        operator(id, title, &["LS-133"], play).twin("link.bury.01")
    };
    vec![
        operator(
            "link.bury.01",
            "A group that is buried by name is told as such at once, and stays buried over a kill",
            &["LS-130", "LS-133", "LS-017"],
            buries("RG3", true)
                .act(Act::Restart)
                .wait(SECOND)
                .talk("rg2", asking())
                .look(done("confirmed", 0))
                .look(Look::Some("told", NEWS_TO_RG2.with(GRAVE)))
                .look(Look::Some("still-there", TABLE.with(GRAVE))),
        )
        .kills(&[("tombstone-ignored", "told")]),
        refuses("link.bury.02", "A name that no record has is refused", buries("RG7", true)),
        refuses(
            "link.bury.03",
            "A group that the configuration still has is refused where that is not forced",
            buries("RG3", false),
        )
        .kills(&[("burial-not-checked", "refused")]),
        refuses(
            "link.bury.04",
            "A name that several groups have is refused",
            namesakes().act(Act::Bury("RG133", true)),
        ),
        operator(
            "link.bury.05",
            "By its UUID one of several groups of a name is buried, and the other one is not",
            &["LS-133", "LS-130"],
            namesakes()
                .act(Act::Bury(UUID_OF_133, false))
                .wait(SECOND)
                .look(done("confirmed", 0))
                .look(Look::Some("told", NEWS_TO_RG2.with(" {5}RG133 ffffffffffffffff ")))
                .look(Look::Never(
                    "not-the-other",
                    NEWS_TO_RG2.with("86 {5}RG133 ffffffffffffffff "),
                    None,
                )),
        )
        .twin("link.bury.01")
        .kills(&[("tombstone-ignored", "told")]),
        operator(
            "link.bury.06",
            "What is buried already is refused",
            &["LS-133"],
            buries("RG3", true)
                .act(Act::Bury(UUID_OF_3, true))
                .act(Act::Bury("RG3", true))
                .look(done("confirmed", 0))
                .look(refused("refused", 1))
                .look(refused("refused-by-name", 2)),
        )
        .kills(&[("burial-not-checked", "refused")]),
    ]
}
