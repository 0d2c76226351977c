//! A witness, which votes in the election of another group: the node is one, or is asked by one.

use super::handing_over::always;
use super::master_peers::{
    ELECTED, LEASE, TENTH, TO_B, VOTE_TO_B, called, convened, election, framed, master, on, poll,
    resign, says, vote,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::{Port, Rule};
use crate::organization::{electing_with_witness, witnessing};
use crate::play::{Act, Answer, Look, On, Play};
use crate::script::Script;

/// The witness of RG1, and a candidate of RG2.
const TO_WITNESS: &str = "rg1-a>rg2-a/group";
const A5: &str = "5 {5}rg2-a 7";
const B6: &str = "6 {5}rg2-b 9";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = votes();
    cases.extend(asked());
    cases
}

/// The node is the witness of RG2.
fn witness() -> Play {
    election(witnessing)
}

/// rg2-a is granted a round.
fn granted() -> Script {
    says(convened("rg2-a"), &vote(2, A5), "granted", " GRANTED 2")
}

fn votes() -> Vec<Case> {
    vec![
        master(
            "master.witness.01",
            "A witness says whether it would, and grants rounds, once it has run for a lease",
            &["MA-049", "MA-030", "MA-034"],
            witness().wait(LEASE).talk("a", {
                let script = says(convened("rg2-a"), &poll(1, A5), "willing", " WILLING 1");
                says(script, &vote(2, A5), "granted", " GRANTED 2")
            }),
        ),
        master(
            "master.witness.02",
            "A witness promises as every voter does",
            &["MA-031", "MA-030"],
            witness()
                .wait(LEASE)
                .talk("a", granted())
                .wait(LEASE - 1)
                .talk("b", {
                    says(convened("rg2-b"), &vote(1, B6), "refused", &format!(" REFUSE 1 {A5}"))
                })
                .wait(1)
                .talk("b", says(on("rg2-b"), &vote(2, B6), "granted", " GRANTED 2")),
        )
        .twin("master.witness.01")
        .kills(&[("two-promises", "b-refused")]),
        master(
            "master.witness.03",
            "A witness that has just started waits as every voter does, and knows its term",
            &["MA-033", "MA-030"],
            witness()
                .wait(LEASE)
                .talk("a", granted())
                .wait(SECOND)
                .act(Act::Restart)
                .wait(LEASE - 1)
                .talk("b", {
                    says(convened("rg2-b"), &vote(1, B6), "refused", &format!(" REFUSE 1 {A5}"))
                })
                .wait(1)
                .talk("b", says(on("rg2-b"), &vote(2, B6), "granted", " GRANTED 2")),
        )
        .twin("master.witness.01")
        .kills(&[("votes-right-after-boot", "b-refused"), ("terms-not-stored", "b-refused")]),
        master(
            "master.witness.04",
            "A witness never stands, however long nobody leads, nor when it is named to follow",
            &["MA-034", "MA-042"],
            witness()
                .wait(LEASE)
                .talk("a", granted().send(framed(&resign(A5, "{5}rg1-a")).as_bytes()))
                .wait(10 * LEASE)
                .look(Look::Never("never-calls", On::said(TO_WITNESS, ""), None)),
        )
        .twin("master.witness.01"),
        master(
            "master.witness.05",
            "A witness that hears of the master that it has handed over is free at once",
            &["MA-042"],
            witness()
                .wait(LEASE)
                .talk("a", granted().send(framed(&resign(A5, "-")).as_bytes()))
                .talk("b", says(convened("rg2-b"), &vote(1, B6), "granted", " GRANTED 1")),
        ),
        master(
            "master.convene.01",
            "A member of another group, in whose election the node has no part, may not convene",
            &["MA-049"],
            witness().wait(LEASE).talk("stranger", convened("rg3-a").gone("closed")),
        )
        .twin("master.witness.01")
        .kills(&[("everybody-convenes", "stranger-closed")]),
        master(
            "master.convene.02",
            "A member of its own group, which has its master by name, elects nobody there",
            &["MA-049"],
            witness().wait(LEASE).talk("fellow", {
                let asked = framed(&poll(1, "5 {5}rg1-c 7"));
                convened("rg1-c").send(asked.as_bytes()).gone("closed")
            }),
        )
        .twin("master.witness.01"),
    ]
}

fn asked() -> Vec<Case> {
    vec![
        master(
            "master.witness.06",
            "The vote of the witness makes a majority of the one that is left of two",
            &["MA-034", "MA-036", "MA-037"],
            election(electing_with_witness)
                .begins(TO_B, Rule::Refuse)
                .awaits(On::said(TO_WITNESS, "").with(" VOTE "), 2, ELECTED + 10 * SECOND)
                .talk("late", {
                    let script = called("rg1-b").send(framed(" ATTACH {5}rg1-b").as_bytes());
                    script
                        .send(framed(" REPORT ()").as_bytes())
                        .frame("heard", " REPORTED 1 {5}rg1-a ")
                }),
        ),
        master(
            "master.witness.07",
            "Without the witness and the other one there is no majority",
            &["MA-034", "MA-036"],
            election(electing_with_witness)
                .begins(TO_B, Rule::Refuse)
                .opens(
                    TO_WITNESS,
                    Port::Group,
                    vec![always(" POLL ", Answer::Say(" UNWILLING {id} -"))],
                )
                .wait(LEASE + 4 * TENTH)
                .look(Look::Some("asks-it", On::said(TO_WITNESS, "").with(" POLL ")))
                .look(Look::Never("no-term", On::said(TO_WITNESS, "").with(" VOTE "), None)),
        )
        .twin("master.witness.06")
        .kills(&[("no-poll", "no-term")]),
        master(
            "master.witness.08",
            "A witness is not told who leads: it is no member of the group",
            &["MA-040"],
            election(electing_with_witness)
                .wait(ELECTED + 20 * SECOND)
                .look(Look::Some("asks-its-member", VOTE_TO_B))
                .look(Look::Some("tells-its-member", On::said(TO_B, "").with(" LEAD ")))
                .look(Look::Never(
                    "not-the-witness",
                    On::said(TO_WITNESS, "").with(" LEAD "),
                    None,
                )),
        )
        .twin("master.lead.01"),
    ]
}
