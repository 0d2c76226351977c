//! The list of members: what a member says of itself, and what its master tells.

use super::fellows::reported;
use super::handing_over::always;
use super::link_group::RG1;
use super::link_peers::{MINUTE, link, opened};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::{leads, led};
use crate::play::{Answer, Digest, Look, On, Play};
use crate::script::{Script, Seat, frame};

const TO_MASTER: &str = "rg1-a>rg1-c/group";
const SAID: On = On::said(TO_MASTER, "");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let known = || always(" NEWS ", Answer::Merged(Digest::Same, &[RG1]));
    let heartbeat = " HEARTBEAT 2 () - LOCAL 1 0 SERVES -\r\n";
    vec![
        link(
            "link.members.01",
            "A member says a heartbeat behind its first report",
            &["MA-050"],
            opened(Play::over(led)).opens(TO_MASTER, Port::Group, vec![known()]).wait(SECOND).look(
                Look::Before("then-a-heartbeat", SAID.with(" REPORT "), SAID.with(" HEARTBEAT ")),
            ),
        ),
        link(
            "link.members.02",
            "A member that is thrown out twice at its heartbeat attaches without",
            &["MA-057"],
            opened(Play::over(led))
                .opens(TO_MASTER, Port::Group, vec![known(), always(" HEARTBEAT ", Answer::Close)])
                .wait(5 * MINUTE)
                .look(Look::Count("two-heartbeats", SAID.with(" HEARTBEAT "), 2))
                .look(Look::Count("three-reports", SAID.with(" REPORT "), 3)),
        ),
        link(
            "link.members.03",
            "The first heartbeat is answered with the list, in which every member of the group stands",
            &["MA-051", "MA-052"],
            Play::over(leads)
                .talk(
                    "fellow",
                    reported().send(frame(heartbeat).as_bytes()).frame("list", " MEMBERS "),
                )
                .wait(3 * SECOND)
                .talk("fellow", Script::new(Seat::Fellow, Port::Group).frame("next", " MEMBERS "))
                .look(Look::Some(
                    "it-is-there",
                    On::back("fellow", "").with(" {5}rg1-c ACTIVE - LOCAL 1 0 2 ()"),
                )),
        ),
    ]
}
