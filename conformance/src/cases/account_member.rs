//! A member that wants accounts: the suite is the master that it asks, and whoever else has them.

use super::account_peers::{
    CLAIM, LISTED, LISTED_WITHOUT, TENANT as TENANTS, THIRD, account, mail, member,
};
use super::fellows::{inquire, lmtp};
use super::handing_over::{always, client, cue, once};
use super::link_peers::leaves;
use super::master_peers::{C5, TO_B, TO_C, TO_D, lead, on, says};
use super::members::ok;
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::play::{Act, Answer, Cue, Look, On, Play, When};
use crate::script::{Script, Seat};
use crate::smtp::Want;

const ASKED: &str = " CLAIM ";
const DORA: &str = "{11}dora@example.test";
/// Nobody has it; rg1-b has it.
const FREE: Answer = Answer::Say(" LEASED {id} () ( {11}dora@example.test - )");
const TO_RG1_B: Answer = Answer::Say(" LEASED {id} () ( {11}dora@example.test {5}rg1-b )");
const DECLINED: Answer = Answer::Say(" DECLINED {id} 5 {5}rg1-c 7");
const DOOR_OF_B: &str = "rg1-a>rg1-b/deliver";
const DELIVERS_TO_B: On = On::said(DOOR_OF_B, "RCPT TO:<dora@example.test>");

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = claims();
    cases.extend(answers());
    cases.extend(masters());
    cases.extend(questions());
    cases
}

/// The node has the list for a while; then somebody writes to dora, and the master answers like this.
fn asking(cues: &[Cue]) -> Play {
    member(LISTED, cues).wait(SECOND).mark("mail").talk("client", mail())
}

fn claims() -> Vec<Case> {
    vec![
        account(
            "account.claim.01",
            "A member that has mail for an account claims it, once the list says that the master leases any",
            &["MA-103", "MA-104", "MA-101", "WI-140", "WI-141", "WI-142", "WI-145"],
            asking(&[always(ASKED, FREE)])
                .wait(SECOND)
                .look(Look::Some("comes-for-accounts", TENANTS))
                .look(Look::Before("comes-first", TENANTS, CLAIM))
                .look(Look::Some(
                    "names-all",
                    CLAIM.and(" 5 {5}rg1-c 7 15 ( {11}dora@example.test )"),
                )),
        ),
        account(
            "account.claim.02",
            "Where the list does not say so a member asks for nothing, and its mail waits",
            &["MA-104"],
            member(LISTED_WITHOUT, &[always(ASKED, FREE)])
                .wait(SECOND)
                .talk("client", mail())
                .wait(60 * SECOND)
                .look(Look::Some("is-there", On::said(TO_C, "").with(" HEARTBEAT ")))
                .look(Look::Never("comes-not", TENANTS, None))
                .look(Look::Never("delivers-not", DELIVERS_TO_B, None)),
        )
        .twin("account.claim.01"),
        account(
            "account.claim.03",
            "A member without mail for an account claims none",
            &["MA-103"],
            member(LISTED, &[always(ASKED, FREE)])
                .wait(60 * SECOND)
                .look(Look::Some("is-there", On::said(TO_C, "").with(" HEARTBEAT ")))
                .look(Look::Never("claims-not", CLAIM, None)),
        )
        .twin("account.claim.01"),
        account(
            "account.claim.04",
            "Nor does one whose mail is for an account with a host",
            &["MA-103"],
            member(LISTED, &[always(ASKED, FREE)])
                .wait(SECOND)
                .talk("client", client("<bob@example.test>", &["<ann@example.test>"]))
                .wait(60 * SECOND)
                .look(Look::Some("is-there", On::said(TO_C, "").with(" HEARTBEAT ")))
                .look(Look::Never("claims-not", CLAIM, None)),
        )
        .twin("account.claim.01"),
        account(
            "account.claim.05",
            "A member that is asked about an account, and knows of nobody who has it, claims it",
            &["MA-103", "DE-104"],
            member(LISTED, &[always(ASKED, FREE)])
                .wait(SECOND)
                .talk("store", lmtp().line(&inquire(1, 0, "dora@example.test")))
                .wait(60 * SECOND)
                .look(Look::Some("claims", CLAIM.and(DORA)))
                .look(Look::Never("says-nothing-yet", On::back("store", "250 2.0.0 [0]"), None)),
        )
        .twin("account.claim.01"),
    ]
}

fn answers() -> Vec<Case> {
    let thirds = |number: usize| vec![(THIRD, THIRD + 1); number];
    vec![
        account(
            "account.answer.01",
            "A member that learns who has the account delivers there, and asks no more",
            &["MA-098", "DE-105", "WI-144"],
            asking(&[always(ASKED, TO_RG1_B)])
                .wait(60 * SECOND)
                .look(Look::Count("asks-once", CLAIM, 1))
                .look(Look::Count("delivers", DELIVERS_TO_B, 1)),
        ),
        account(
            "account.answer.02",
            "It asks on every third of its lease for an account that nobody has",
            &["MA-098", "MA-062"],
            asking(&[always(ASKED, FREE)])
                .awaits(CLAIM, 1, SECOND)
                .mark("asked")
                .wait(3 * THIRD + SECOND)
                .look(Look::Gaps("each-third", CLAIM, "asked", thirds(3)))
                .look(Look::Rounds("consecutive-numbers", CLAIM))
                .look(Look::Never("delivers-nowhere", DELIVERS_TO_B, None)),
        )
        .twin("account.answer.01"),
        account(
            "account.answer.03",
            "As soon as somebody has it the mail goes there",
            &["MA-098", "DE-105"],
            asking(&[once(ASKED, FREE), always(ASKED, TO_RG1_B)])
                .wait(60 * SECOND)
                .look(Look::Count("asks-twice", CLAIM, 2))
                .look(Look::Count("delivers", DELIVERS_TO_B, 1)),
        ),
        account(
            "account.answer.04",
            "Who has asked at two thirds in a row without any answer asks on a new connection",
            &["MA-098"],
            asking(&[always(ASKED, Answer::Hang)])
                .awaits(CLAIM, 1, SECOND)
                .mark("asked")
                .wait(3 * THIRD + SECOND)
                .look(Look::Gaps("each-third", CLAIM, "asked", thirds(3)))
                .look(Look::Gaps(
                    "a-new-connection",
                    TENANTS,
                    "asked",
                    vec![(3 * THIRD, 3 * THIRD + 3)],
                )),
        )
        .twin("account.answer.01"),
        account(
            "account.answer.05",
            "Who is declined asks again with the next third, on the connection that it has",
            &["MA-098", "MA-101"],
            asking(&[cue(ASKED, When::Time(1), DECLINED), always(ASKED, TO_RG1_B)])
                .awaits(CLAIM, 1, SECOND)
                .mark("asked")
                .wait(60 * SECOND)
                .look(Look::Gaps("a-third-later", CLAIM, "asked", thirds(1)))
                .look(Look::Count("one-connection", TENANTS, 1))
                .look(Look::Count("delivers", DELIVERS_TO_B, 1)),
        ),
        account(
            "account.answer.06",
            "An answer to another request than the last one counts for nothing",
            &["MA-062", "WI-141"],
            asking(&[always(
                ASKED,
                Answer::Say(" LEASED 1 () ( {11}dora@example.test {5}rg1-b )"),
            )])
            .wait(60 * SECOND)
            .look(Look::Some("is-asked", CLAIM))
            .look(Look::Never("delivers-nowhere", DELIVERS_TO_B, None)),
        )
        .twin("account.answer.01"),
        account(
            "account.answer.08",
            "When a delivery to whoever had the account has failed its master is asked again",
            &["MA-103"],
            asking(&[always(ASKED, TO_RG1_B)])
                .opens(DOOR_OF_B, Port::Deliver, vec![once("LHLO ", Answer::Later)])
                .wait(SECOND)
                .cast(DOOR_OF_B, Port::Deliver, vec![once("MAIL FROM:", Answer::Close)])
                .mark("known")
                .act(Act::SayNow(DOOR_OF_B, Port::Deliver))
                .wait(60 * SECOND)
                .look(Look::Within("asks-again", CLAIM, "known", (0, SECOND)))
                .look(Look::Count("delivers-in-the-end", DELIVERS_TO_B, 1)),
        )
        .twin("account.answer.01"),
        account(
            "account.answer.07",
            "A master that asks its member is left, and asked on a new connection",
            &["WI-140", "SM-135", "SM-082"],
            asking(&[
                once(ASKED, Answer::Say(" CLAIM {id} 5 {5}rg1-c 7 15 ( {11}dora@example.test )")),
                always(ASKED, TO_RG1_B),
            ])
            .wait(60 * SECOND)
            .look(Look::Count("comes-again", TENANTS, 2))
            .look(Look::Count("delivers", DELIVERS_TO_B, 1)),
        ),
    ]
}

fn masters() -> Vec<Case> {
    const TO_D_TENANT: On = On::said(TO_D, "").with(" TENANT {5}rg1-a");
    vec![
        account(
            "account.master.01",
            "A member that obeys a new term asks under it at once, on a new connection",
            &["MA-065", "WI-142"],
            asking(&[always(ASKED, FREE)])
                .wait(SECOND)
                .mark("told")
                .talk("lead", says(on("rg1-c"), &lead(2, "6 {5}rg1-c 1"), "obeyed-on", " OBEYED 2"))
                .wait(SECOND)
                .look(Look::Within("at-once", CLAIM.and(" 6 {5}rg1-c 1 15 "), "told", (0, SECOND)))
                .look(Look::Count("another-connection", TENANTS, 2)),
        )
        .twin("account.claim.01"),
        account(
            "account.master.02",
            "Nobody is asked under a term that is over",
            &["MA-065"],
            asking(&[always(ASKED, FREE)])
                .wait(SECOND)
                .mark("told")
                .talk("lead", says(on("rg1-c"), &lead(2, "6 {5}rg1-c 1"), "obeyed-on", " OBEYED 2"))
                .wait(60 * SECOND)
                .look(Look::Never("not-of-old", CLAIM.and(C5), Some("told")))
                .look(Look::Some("anew", CLAIM.and(" 6 {5}rg1-c 1 15 "))),
        )
        .twin("account.claim.01"),
        account(
            "account.master.03",
            "Only the master is asked",
            &["MA-104", "MA-103"],
            asking(&[always(ASKED, FREE)])
                .wait(60 * SECOND)
                .look(Look::Some("the-master", CLAIM))
                .look(Look::Never("not-b", On::said(TO_B, "").with(" TENANT "), None))
                .look(Look::Never("not-d", TO_D_TENANT, None)),
        )
        .twin("account.claim.01"),
    ]
}

/// What a member that has an account not open says of recipients.
fn questions() -> Vec<Case> {
    let asks =
        |check: &str, want: Want| lmtp().ask(&inquire(2, 0, "dora@example.test"), check, want);
    vec![
        account(
            "account.question.01",
            "Who knows who has the account names that member, and does not say that nothing is recorded",
            &["DE-104", "DE-105"],
            asking(&[always(ASKED, TO_RG1_B)])
                .wait(SECOND)
                .talk("store", leaves(asks("moved", ok().last("[0] MOVED MEMBER=rg1-b")))),
        )
        .twin("account.answer.01"),
        account(
            "account.question.02",
            "Who knows of nobody answers when the master has named somebody",
            &["DE-104", "MA-098"],
            member(LISTED, &[once(ASKED, Answer::Later), always(ASKED, TO_RG1_B)])
                .wait(SECOND)
                .talk("store", {
                    let question = inquire(3, 0, "dora@example.test");
                    lmtp().line(&question)
                })
                .wait(2 * THIRD)
                .talk("store", {
                    let answered = ok().last("[0] MOVED MEMBER=rg1-b");
                    leaves(Script::new(Seat::Fellow, Port::Deliver).reply("answered", answered))
                }),
        )
        .twin("account.answer.01"),
        account(
            "account.question.03",
            "Who knew of nobody before names who has it when the master has said so",
            &["DE-104", "MA-098"],
            member(LISTED, &[once(ASKED, FREE), always(ASKED, TO_RG1_B)])
                .wait(SECOND)
                .talk("store", lmtp().line(&inquire(4, 0, "dora@example.test")))
                .wait(THIRD - SECOND)
                .mark("not-yet")
                .wait(2 * SECOND)
                .talk("store", {
                    let answered = ok().last("[0] MOVED MEMBER=rg1-b");
                    leaves(Script::new(Seat::Fellow, Port::Deliver).reply("answered", answered))
                })
                .look(Look::NeverBetween("waits", On::back("store", "250 2.0.0 [0]"), ("begun", "not-yet"))),
        )
        .twin("account.answer.01"),
    ]
}
