//! The list of members: which one a member takes, and what a master tells where everybody understands it.

use super::fellows::reported;
use super::handing_over::{always, cue};
use super::link_group::RG1;
use super::link_peers::{MINUTE, link, opened};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::{leads, led};
use crate::play::{Act, Answer, Cue, Digest, Look, On, Play, When};
use crate::script::{Script, Seat, frame};

const TO_MASTER: &str = "rg1-a>rg1-c/group";
const HEARTBEAT: On = On::said(TO_MASTER, "").with(" HEARTBEAT ");
/// Lists as a master tells them.
const LIST_4: Answer = Answer::Say(
    " MEMBERS 1 {5}rg1-c 1 4 1 () ( {5}rg1-a ACTIVE - LOCAL 1 0 - {5}rg1-c ACTIVE - LOCAL 1 0 - )",
);
const LIST_3: Answer = Answer::Say(
    " MEMBERS 1 {5}rg1-c 1 3 1 () ( {5}rg1-a ACTIVE - LOCAL 1 0 - {5}rg1-c ACTIVE - LOCAL 1 0 - )",
);
const LIST_5: Answer = Answer::Say(
    " MEMBERS 1 {5}rg1-c 1 5 1 () ( {5}rg1-a ACTIVE - LOCAL 1 0 - {5}rg1-c ACTIVE - LOCAL 1 0 - )",
);
const ELSEWHERE: Answer = Answer::Say(
    " MEMBERS 9 {5}rg2-a 1 1 1 () ( {5}rg1-a ACTIVE - LOCAL 1 0 - {5}rg1-c ACTIVE - LOCAL 1 0 - )",
);

/// The node is attached to rg1-c, which answers the heartbeats of these numbers like this.
fn told(lists: &[(u32, Answer)]) -> Play {
    let known = always(" NEWS ", Answer::Merged(Digest::Same, &[RG1]));
    let lists = lists.iter().map(|(time, list)| cue(" HEARTBEAT ", When::Time(*time), *list));
    let cues: Vec<Cue> = core::iter::once(known).chain(lists).collect();
    opened(Play::over(led)).opens(TO_MASTER, Port::Group, cues)
}

/// As a member that says with its heartbeats which features it has.
fn attached(features: &str) -> Script {
    let script = reported().send(heartbeat(features, 0).as_bytes());
    script.frame("list", " MEMBERS ")
}

fn heartbeat(features: &str, load: u32) -> String {
    frame(&format!(" HEARTBEAT 2 {features} - LOCAL 1 {load:x} SERVES -\r\n"))
}

const fn on_fellow() -> Script {
    Script::new(Seat::Fellow, Port::Group)
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = taken();
    cases.extend(loads());
    cases
}

fn taken() -> Vec<Case> {
    let names = |number: &'static str| HEARTBEAT.and(number);
    let fourth = || names(" SERVES 1 {5}rg1-c 1 4");
    vec![
        link(
            "link.lists.01",
            "A member takes a list of its master, and names it in its next heartbeat",
            &["MA-053", "MA-050"],
            told(&[(1, LIST_4), (2, LIST_5)])
                .wait(5 * MINUTE)
                .look(Look::Some("none-at-first", names(" SERVES -")))
                .look(Look::Some("then-the-fourth", fourth()))
                .look(Look::Some("then-the-fifth", names(" SERVES 1 {5}rg1-c 1 5"))),
        ),
        link(
            "link.lists.02",
            "It takes none with a smaller number than the one that it has",
            &["MA-053"],
            told(&[(1, LIST_4), (2, LIST_3)])
                .wait(5 * MINUTE)
                .look(Look::Count("the-fourth", fourth(), 2))
                .look(Look::Never("not-the-third", names(" SERVES 1 {5}rg1-c 1 3"), None)),
        )
        .twin("link.lists.01")
        .kills(&[("any-list-is-taken", "not-the-third")]),
        link(
            "link.lists.03",
            "It takes none under the term of another member than its master",
            &["MA-053"],
            told(&[(1, LIST_4), (2, ELSEWHERE)])
                .wait(5 * MINUTE)
                .look(Look::Count("the-fourth", fourth(), 2))
                .look(Look::Never("not-another", names(" SERVES 9 "), None)),
        )
        .twin("link.lists.01")
        .kills(&[("any-list-is-taken", "not-another")]),
        link(
            "link.lists.04",
            "A list is on disk when it is taken: after a kill the member goes on with it",
            &["MA-053"],
            told(&[(1, LIST_4)])
                .wait(SECOND)
                .mark("again")
                .act(Act::Restart)
                .wait(MINUTE)
                .look(Look::Within("names-it", fourth(), "again", (0, MINUTE))),
        )
        .twin("link.lists.01"),
    ]
}

fn loads() -> Vec<Case> {
    const LOADS: On = On::back("fellow", "").with(" LOADS ");
    // The list in which the fellow is there comes 2 s behind the one that answers its heartbeat.
    let heard = |features: &str| {
        Play::over(leads)
            .talk("fellow", attached(features))
            .wait(3 * SECOND)
            .talk("fellow", {
                let script = on_fellow().frame("next", " MEMBERS ");
                script.send(heartbeat(features, 5).as_bytes())
            })
            .wait(3 * MINUTE)
    };
    vec![
        link(
            "link.lists.05",
            "A master tells the loads that have changed where everybody has the feature",
            &["MA-058", "MA-055"],
            heard("( {5}loads )")
                .talk("fellow", on_fellow().frame("loads", " LOADS 1 {5}rg1-a "))
                .look(Look::Count("once", LOADS, 1))
                .look(Look::Some("names-the-load", LOADS.and(" {5}rg1-c 5 "))),
        ),
        link(
            "link.lists.06",
            "Where one member has not the feature nobody is told them",
            &["MA-055", "MA-058"],
            heard("()").look(Look::Never("says-none", LOADS, None)),
        )
        .twin("link.lists.05")
        .kills(&[("features-unasked", "says-none")]),
    ]
}
