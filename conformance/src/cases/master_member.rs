//! A member: the suite plays masters that call it, and are attached to.

use super::link_peers::{asking, telling};
use super::master_peers::{
    B4, B6, C5, LEASE, POLL_TO_B, POLL_TO_C, RG1_UNDER_B4, RG1_UNDER_C5, TENTH, TO_B, TO_C, TO_D,
    candidate, convened, election, lead, master, on, says,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Rule;
use crate::organization::electing_without_us;
use crate::play::{Act, Look, On, Play};
use crate::script::Script;

const ATTACHES_TO_B: On = On::said(TO_B, "").with(" ATTACH {5}rg1-a");
const ATTACHES_TO_C: On = On::said(TO_C, "").with(" ATTACH {5}rg1-a");
const TABLE: On = On::back("rg2", "200 ");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = obedience();
    cases.extend(waits());
    cases.extend(fences());
    cases
}

/// The node has no vote.
fn member() -> Play {
    election(electing_without_us)
}

/// rg1-c leads under its term 5.
fn led_by_c() -> Script {
    says(convened("rg1-c"), &lead(1, C5), "obeyed", " OBEYED 1")
}

/// rg1-b would lead under its term 4.
fn refused_to_b() -> Script {
    says(convened("rg1-b"), &lead(1, B4), "refused", &format!(" REFUSE 1 {C5}"))
}

fn obedience() -> Vec<Case> {
    vec![
        master(
            "master.member.01",
            "A member obeys whoever leads, attaches to it, and reports",
            &["MA-040", "MA-011", "WI-121"],
            member()
                .talk("c", led_by_c())
                .wait(SECOND)
                .look(Look::Before("attaches", ATTACHES_TO_C, On::said(TO_C, "").with(" REPORT ")))
                .look(Look::Some(
                    "what-it-carries",
                    On::said(TO_C, "").with(" REPORT ( {7}RG1-RG2 UP )"),
                )),
        ),
        master(
            "master.member.02",
            "Before anybody leads a member attaches to nobody",
            &["MA-038", "MA-040"],
            member()
                .wait(5 * LEASE)
                .look(Look::Some("is-there", On::said("RG1-RG2", "EHLO ")))
                .look(Look::Never("not-to-b", On::said(TO_B, "").with(" ATTACH "), None))
                .look(Look::Never("not-to-c", On::said(TO_C, "").with(" ATTACH "), None))
                .look(Look::Never("not-to-d", On::said(TO_D, "").with(" ATTACH "), None)),
        )
        .twin("master.member.01"),
        master(
            "master.member.03",
            "A member refuses a master of a smaller term, with the greatest that it knows, and stays",
            &["MA-040", "MA-041"],
            member()
                .talk("c", led_by_c())
                .talk("b", refused_to_b())
                .wait(SECOND)
                .look(Look::Some("attaches", ATTACHES_TO_C))
                .look(Look::Never("not-elsewhere", ATTACHES_TO_B, None)),
        )
        .twin("master.member.01")
        .kills(&[("obeys-any-term", "b-refused")]),
        master(
            "master.member.04",
            "A term is on disk when it is obeyed: after a kill a smaller one is refused with it",
            &["MA-040"],
            member().talk("c", led_by_c()).act(Act::Restart).talk("b", refused_to_b()),
        )
        .twin("master.member.01")
        .kills(&[("terms-not-stored", "b-refused")]),
        master(
            "master.member.05",
            "When the master changes, a member leaves the old one and attaches to the new one",
            &["MA-040", "MA-010"],
            member()
                .talk("c", led_by_c())
                .wait(SECOND)
                .talk("b", says(convened("rg1-b"), &lead(1, B6), "obeyed", " OBEYED 1"))
                .wait(SECOND)
                .look(Look::Before("to-the-new-one", ATTACHES_TO_C, ATTACHES_TO_B))
                .look(Look::HungUp("from-the-old-one", TO_C)),
        )
        .kills(&[("follows-the-first", "to-the-new-one")]),
        master(
            "master.member.06",
            "Whoever leads on is obeyed on, and attached to once",
            &["MA-040"],
            member()
                .talk("c", led_by_c())
                .wait(10 * SECOND)
                .talk("c", says(on("rg1-c"), &lead(2, C5), "obeyed-on", " OBEYED 2"))
                .wait(10 * SECOND)
                .talk("c", says(on("rg1-c"), &lead(3, C5), "and-on", " OBEYED 3"))
                .wait(SECOND)
                .look(Look::Count("once", ATTACHES_TO_C, 1)),
        ),
        master(
            "master.member.07",
            "One member leads under several terms: each is obeyed, and the smaller ones no more",
            &["MA-040", "MA-041"],
            member().talk("c", {
                let later = says(led_by_c(), &lead(2, "6 {5}rg1-c 1"), "later", " OBEYED 2");
                says(later, &lead(3, C5), "refused", " REFUSE 3 6 {5}rg1-c 1")
            }),
        )
        .twin("master.member.01")
        .kills(&[("obeys-any-term", "c-refused")]),
    ]
}

fn waits() -> Vec<Case> {
    vec![
        master(
            "master.wait.01",
            "Who hears of a master stands a lease after it has heard of it last, in its place, and not before",
            &["MA-039"],
            candidate()
                .begins(TO_C, Rule::Refuse)
                .wait(20 * SECOND)
                .talk("c", led_by_c())
                .wait(25 * SECOND)
                .talk("c", says(on("rg1-c"), &lead(2, C5), "again", " OBEYED 2"))
                .mark("heard")
                .wait(LEASE + 2 * TENTH)
                .look(Look::Never("not-before", POLL_TO_B.and(" 1 {5}rg1-a "), None))
                .look(Look::Within("a-lease-later", POLL_TO_B, "heard", (LEASE, LEASE + TENTH)))
                .look(Look::Some("for-the-next-term", POLL_TO_B.and(" 6 {5}rg1-a "))),
        )
        .twin("master.candidate.01"),
        master(
            "master.wait.02",
            "A master of a smaller term is not heard",
            &["MA-039", "MA-041"],
            candidate()
                .begins(TO_B, Rule::Refuse)
                .talk("c", led_by_c())
                .mark("heard")
                .wait(20 * SECOND)
                .talk("b", refused_to_b())
                .wait(LEASE)
                .look(Look::Within("a-lease-later", POLL_TO_C, "heard", (LEASE, LEASE + TENTH))),
        )
        .twin("master.member.01")
        .kills(&[("obeys-any-term", "b-refused")]),
    ]
}

fn fences() -> Vec<Case> {
    vec![
        master(
            "master.old.01",
            "A master of old that comes back is not obeyed, and what it published loses",
            &["MA-041", "LS-002"],
            member()
                .talk("c", led_by_c())
                .talk("told", telling(&[RG1_UNDER_C5]))
                .talk("old", telling(&[RG1_UNDER_B4]))
                .talk("b", refused_to_b())
                .talk("rg2", asking())
                .look(Look::Some("the-greater-one", TABLE.with("{3}RG1 5 {5}rg1-c 7 ")))
                .look(Look::Never("not-the-old-one", TABLE.with("{3}RG1 4 {5}rg1-b 9 "), None)),
        )
        .twin("master.member.01")
        .kills(&[("obeys-any-term", "b-refused"), ("stale-merge", "not-the-old-one")]),
        master(
            "master.old.02",
            "A term in a record is one that a member knows: no smaller one is obeyed",
            &["MA-040", "MA-041"],
            member().talk("told", telling(&[RG1_UNDER_C5])).talk("b", refused_to_b()),
        )
        .twin("master.member.01")
        .kills(&[("obeys-any-term", "b-refused")]),
    ]
}
