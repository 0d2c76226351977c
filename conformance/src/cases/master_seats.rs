//! Seats that a master has written: the suite plays candidates that carry them, and the node is a voter.

use super::master_peers::{
    B6, C5, convened, framed, free_voter, master, poll, says, says_like, vote, voter,
};
use crate::case::Case;
use crate::play::Act;
use crate::script::Script;

/// Of rg1-c, under its term 5: the names of the file.
const WRITTEN: &str = " SEATS 5 {5}rg1-c 7 0 ( {5}rg1-a {5}rg1-b {5}rg1-c )";
/// The same version, and other names.
const OTHERS: &str = " SEATS 5 {5}rg1-c 7 0 ( {5}rg1-a {5}rg1-c {5}rg1-d )";
/// Written by rg1-b before; the node has no seat in the second.
const SMALLER: &str = " SEATS 4 {5}rg1-b 9 3 ( {5}rg1-a {5}rg1-b {5}rg1-c )";
const WITHOUT_US: &str = " SEATS 5 {5}rg1-c 7 1 ( {5}rg1-b {5}rg1-c {5}rg1-d )";

fn granted() -> Script {
    says(convened("rg1-c"), &format!("{}{WRITTEN}", vote(2, C5)), "granted", " GRANTED 2")
}

/// rg1-b asks for a round with these seats, and is told of the greater ones.
fn refused_to_b(seats: &str) -> Script {
    let refusal = format!(" REFUSE 1 {C5}{WRITTEN}");
    says(convened("rg1-b"), &format!("{}{seats}", vote(1, B6)), "refused", &refusal)
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = versions();
    cases.extend(malformed());
    cases
}

fn versions() -> Vec<Case> {
    vec![
        master(
            "master.seats.01",
            "A voter grants a round with greater seats than its own, and tells of them who has smaller ones",
            &["MA-044", "WI-126", "WI-127"],
            free_voter().talk("c", granted()).talk("b", refused_to_b(SMALLER)),
        )
        .twin("master.voter.01"),
        master(
            "master.seats.02",
            "Who carries none has those of the file, which are the smallest",
            &["MA-044", "WI-127"],
            free_voter().talk("c", granted()).talk("b", refused_to_b("")),
        )
        .twin("master.voter.01"),
        master(
            "master.seats.03",
            "Seats are on disk when a round is granted: after a kill the smaller ones are still refused",
            &["MA-044", "WI-127"],
            free_voter().talk("c", granted()).act(Act::Restart).talk("b", {
                let refusal = format!(" UNWILLING 1 {C5}{WRITTEN}");
                says(convened("rg1-b"), &poll(1, B6), "unwilling", &refusal)
            }),
        )
        .twin("master.voter.01"),
        master(
            "master.seats.04",
            "Of one version there are only one seats: who has others under it is granted nothing",
            &["MA-044"],
            free_voter().talk("c", {
                let others = format!("{}{OTHERS}", vote(3, C5));
                let script = says_like(granted(), &others, "others", " REFUSE 3 ");
                says(script, &format!("{}{WRITTEN}", vote(4, C5)), "the-same", " GRANTED 4")
            }),
        )
        .twin("master.voter.01"),
        master(
            "master.seats.05",
            "A voter grants no round whose seats do not name it",
            &["MA-045"],
            free_voter().talk("c", {
                let without = format!("{}{WITHOUT_US}", vote(1, C5));
                let script = says_like(convened("rg1-c"), &without, "refused", " REFUSE 1 ");
                says(script, &format!("{}{WRITTEN}", vote(2, C5)), "granted", " GRANTED 2")
            }),
        )
        .twin("master.voter.01"),
        master(
            "master.seats.06",
            "Seven voters are read, and a poll with greater seats is answered and changes nothing",
            &["WI-126", "MA-044"],
            free_voter().talk("c", {
                let seven = seats(&["a", "b", "c", "d", "e", "f", "g"]);
                let asked = format!("{}{seven}", poll(1, C5));
                let script = says(convened("rg1-c"), &asked, "seven", " WILLING 1");
                says(script, &vote(2, C5), "granted", " GRANTED 2")
            }),
        ),
    ]
}

/// Seats of these members of RG1.
fn seats(members: &[&str]) -> String {
    let names: Vec<String> = members.iter().map(|member| format!("{{5}}rg1-{member}")).collect();
    format!(" SEATS 5 {{5}}rg1-c 7 0 ( {} )", names.join(" "))
}

fn malformed() -> Vec<Case> {
    let said = |number: u32, title: &str, seats: &str| {
        let script = convened("rg1-c").send(framed(&format!("{}{seats}", poll(1, C5))).as_bytes());
        let id = format!("master.seats.{number:02}");
        master(&id, title, &["WI-126", "SM-082"], voter().talk("c", script.gone("closed")))
            .twin("master.seats.06")
    };
    vec![
        said(7, "Seats without a voter are refused", " SEATS 5 {5}rg1-c 7 0 ()"),
        said(
            8,
            "Seats with more than 7 voters are refused",
            &seats(&["a", "b", "c", "d", "e", "f", "g", "h"]),
        ),
        said(9, "Seats with a voter that stands twice are refused", &seats(&["a", "c", "c"])),
        said(10, "Seats in another order are refused", &seats(&["c", "a"])),
        said(11, "Seats that do not name who carries them are refused", &seats(&["a", "b", "d"])),
    ]
}
