//! A master that leases accounts: the suite plays the members that ask for them.

use serde_json::json;

use super::account_peers::{
    DAN, DORA, KEPT, account, claim, claim_of, claims_as_b, claims_on, declined, epoch,
    free_master, give_back, granted_to_c, leased, new_master, renew, taken, tenant,
};
use super::handing_over::always;
use super::master_peers::{
    C5, ELECTED, HELD, LEAD_TO_B, LEASE, POLL, TO_B, TO_C, VOTE, VOTE_TO_B, convened, election,
    framed, hangs, lead, on, says,
};
use crate::case::Case;
use crate::cluster::SECOND;
use crate::net::Port;
use crate::organization::{electing, leasing, leasing_without_us};
use crate::play::{Act, Answer, Look, Play};
use crate::script::{Script, THEIR_TERM};

/// Epochs of rg1-c, the master before the node.
const EARLIER: &str = "5 {5}rg1-c 7 4";
const STILL_EARLIER: &str = "5 {5}rg1-c 7 3";
const LATER: &str = "5 {5}rg1-c 7 5";

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = grants();
    cases.extend(waits());
    cases.extend(keeps());
    cases.extend(renewals());
    cases.extend(registrations());
    cases.extend(returns());
    cases.extend(releases());
    cases.extend(declines());
    cases.extend(strangers());
    cases
}

/// The first grant went to rg1-c.
fn leased_to_c() -> Play {
    free_master().talk("c", granted_to_c()).mark("granted")
}

fn grants() -> Vec<Case> {
    vec![
        account(
            "account.grant.01",
            "A master grants each account under a number of its own, which grows",
            &["MA-060", "MA-097", "WI-140", "WI-141", "WI-144", "WI-145", "SM-135", "SM-080"],
            free_master().talk("c", {
                let script = granted_to_c();
                let greatest = u64::MAX;
                let next = leased(greatest, DAN, &epoch(2));
                says(script, &claim(greatest, &[DAN]), "next", &next)
            }),
        ),
        account(
            "account.grant.02",
            "A master refuses an account that it keeps, and names who has it",
            &["MA-063", "WI-144"],
            leased_to_c().talk("b", claims_as_b("refused", &taken(1, DORA, "{5}rg1-c"))),
        )
        .twin("account.grant.01")
        .kills(&[("grants-what-it-keeps", "b-refused")]),
        account(
            "account.grant.03",
            "Also to who has it: its lease may be older than the question",
            &["MA-063"],
            leased_to_c().talk("c", {
                says(on("rg1-c"), &claim(2, &[DORA]), "refused", &taken(2, DORA, "{5}rg1-c"))
            }),
        )
        .twin("account.grant.01")
        .kills(&[("grants-what-it-keeps", "c-refused")]),
        account(
            "account.grant.04",
            "Each account of a request has its answer: those that are granted, and those that are not",
            &["WI-144", "WI-143", "MA-063"],
            leased_to_c().talk("b", {
                let dan = format!("{DAN} {}", epoch(2));
                let answer = format!(" LEASED 7 ( {dan} ) ( {DORA} {{5}}rg1-c )");
                says(tenant("rg1-b"), &claim(7, &[DORA, DAN]), "both", &answer)
            }),
        ),
        account(
            "account.grant.05",
            "A master leases no account that has a host, and none that nobody knows",
            &["MA-097"],
            free_master().talk("c", {
                let (ann, nobody) = ("{10}ann@example.test", "{13}nobody@example.test");
                let hosted = taken(1, ann, "-");
                let script = says(tenant("rg1-c"), &claim(1, &[ann]), "hosted", &hosted);
                says(script, &claim(2, &[nobody]), "unknown", &taken(2, nobody, "-"))
            }),
        )
        .twin("account.grant.01"),
    ]
}

fn waits() -> Vec<Case> {
    let nobody = || claims_as_b("refused", &taken(1, DORA, "-"));
    vec![
        account(
            "account.wait.01",
            "Under a new term a master grants nothing before a lease is over, to the microsecond",
            &["MA-064"],
            new_master()
                .until(LEAD_TO_B, 1, KEPT - 1)
                .talk("b", nobody())
                .wait(1)
                .talk("b", claims_on(2, "granted", &leased(2, DORA, &epoch(1)))),
        )
        .twin("account.grant.01")
        .kills(&[("new-master-grants-at-once", "b-refused")]),
        account(
            "account.wait.02",
            "A master that was killed waits again under its next term, and knows nothing of its grants",
            &["MA-064", "MA-060"],
            leased_to_c()
                .act(Act::Restart)
                .mark("again")
                .awaits(LEAD_TO_B.and(" 2 {5}rg1-a "), 1, LEASE + ELECTED)
                .talk("late", nobody())
                .wait(KEPT)
                .talk("late", claims_on(2, "granted", &leased(2, DORA, &epoch(1)))),
        )
        .twin("account.grant.01")
        .kills(&[("new-master-grants-at-once", "late-refused")]),
        account(
            "account.wait.03",
            "A master whose lease ends and that has one again under its term keeps what it kept, and numbers on",
            &["MA-096", "MA-063"],
            free_master()
                .cast(TO_B, Port::Group, vec![hangs(POLL), always(VOTE, Answer::Later)])
                .cast(TO_C, Port::Group, vec![hangs(POLL), hangs(VOTE)])
                .awaits(VOTE_TO_B, 4, LEASE)
                .talk("c", granted_to_c())
                .until(VOTE_TO_B, 3, HELD + 500_000)
                .talk("b", claims_as_b("declined", &declined(1, THEIR_TERM)))
                .act(Act::SayNow(TO_B, Port::Group))
                .wait(SECOND)
                .talk("b", claims_on(2, "kept", &taken(2, DORA, "{5}rg1-c")))
                .talk("b", {
                    says(on("rg1-b"), &claim(3, &[DAN]), "numbered-on", &leased(3, DAN, &epoch(2)))
                }),
        )
        .twin("account.grant.01")
        .kills(&[("numbers-begin-anew", "b-numbered-on")]),
    ]
}

/// Nobody but rg1-c has dora's account until so long after a mark, and then rg1-b can have it.
fn until_then(play: Play, span_us: u64) -> Play {
    play.wait(span_us - 1)
        .talk("b", claims_as_b("kept", &taken(1, DORA, "{5}rg1-c")))
        .wait(1)
        .talk("b", claims_on(2, "free", &leased(2, DORA, &epoch(2))))
}

fn keeps() -> Vec<Case> {
    vec![
        account(
            "account.keep.01",
            "A master keeps an account a lease from when it answered, to the microsecond, and not longer",
            &["MA-063", "MA-060"],
            until_then(leased_to_c(), KEPT),
        )
        .twin("account.grant.01")
        .kills(&[("grants-what-it-keeps", "b-kept")]),
        account(
            "account.keep.02",
            "A RENEW that is granted prolongs that",
            &["MA-063", "MA-066"],
            until_then(
                leased_to_c().wait(10 * SECOND).talk("c", {
                    let again = leased(2, DORA, &epoch(1));
                    says(on("rg1-c"), &renew(2, DORA, &epoch(1)), "had-on", &again)
                }),
                KEPT,
            ),
        )
        .twin("account.grant.01"),
        account(
            "account.keep.03",
            "A CLAIM that is refused prolongs nothing",
            &["MA-063"],
            until_then(
                leased_to_c().wait(10 * SECOND).talk("c", {
                    let refused = taken(2, DORA, "{5}rg1-c");
                    says(on("rg1-c"), &claim(2, &[DORA]), "refused", &refused)
                }),
                KEPT - 10 * SECOND,
            ),
        )
        .twin("account.keep.02"),
        account(
            "account.keep.04",
            "A connection that ends takes no account from anybody",
            &["MA-063"],
            until_then(leased_to_c().act(Act::Leave("c")), KEPT),
        )
        .twin("account.grant.01"),
    ]
}

fn renewals() -> Vec<Case> {
    let refused = |id: &str, title: &str, epoch: &str, owner: &str| {
        let script =
            says(tenant("rg1-b"), &renew(1, DORA, epoch), "refused", &taken(1, DORA, owner));
        account(id, title, &["MA-066", "WI-144"], leased_to_c().talk("b", script))
            .twin("account.keep.02")
    };
    let c = "{5}rg1-c";
    vec![
        refused(
            "account.renew.01",
            "Nobody has on what another member has under that epoch",
            &epoch(1),
            c,
        ),
        refused(
            "account.renew.02",
            "Nor under an epoch of the present term that was never granted",
            &epoch(9),
            c,
        ),
        refused(
            "account.renew.03",
            "Nor under an epoch of an earlier term, where a greater one was granted since",
            "0 {5}rg1-b 9 7",
            c,
        ),
        refused(
            "account.renew.04",
            "Nor under an epoch of a term that is yet to come",
            "7 {5}rg1-b 9 1",
            c,
        ),
    ]
}

/// rg1-c led before the node, under its term 5; the node leads under a greater one, and has not waited yet.
fn successor() -> Play {
    election(leasing)
        .talk("lead", says(convened("rg1-c"), &lead(1, C5), "obeyed", " OBEYED 1"))
        .awaits(LEAD_TO_B, 1, 2 * LEASE + ELECTED)
}

/// A member has on what it has under an epoch of rg1-c's term.
fn has_on(member: &'static str, epoch: &str) -> Script {
    says(tenant(member), &renew(1, DORA, epoch), "had-on", &leased(1, DORA, epoch))
}

fn registrations() -> Vec<Case> {
    let after = |epoch: &str, check: &str, answer: String| {
        successor()
            .talk("c", has_on("rg1-c", EARLIER))
            .talk("b", says(tenant("rg1-b"), &renew(1, DORA, epoch), check, &answer))
    };
    vec![
        account(
            "account.register.01",
            "A new master believes who has an account of the one before, also while it waits, and keeps it",
            &["MA-066", "MA-063", "MA-064"],
            successor()
                .talk("c", has_on("rg1-c", EARLIER))
                .wait(KEPT - 1)
                .talk("b", claims_as_b("kept", &taken(1, DORA, "{5}rg1-c")))
                .wait(1)
                .talk("b", claims_on(2, "free", &leased(2, DORA, &epoch(1)))),
        ),
        account(
            "account.register.02",
            "It refuses who names a smaller epoch than another one has named",
            &["MA-066"],
            after(STILL_EARLIER, "refused", taken(1, DORA, "{5}rg1-c")),
        )
        .twin("account.register.01"),
        account(
            "account.register.03",
            "And the same one, while it keeps the account under it for another member",
            &["MA-066"],
            after(EARLIER, "refused", taken(1, DORA, "{5}rg1-c")),
        )
        .twin("account.register.01"),
        account(
            "account.register.04",
            "It believes who names a greater one, and refuses the other from then on",
            &["MA-066"],
            after(LATER, "had-on", leased(1, DORA, LATER)).talk("c", {
                let refused = taken(2, DORA, "{5}rg1-b");
                says(on("rg1-c"), &renew(2, DORA, EARLIER), "refused", &refused)
            }),
        )
        .twin("account.register.01"),
        account(
            "account.register.05",
            "What it grants itself is greater than anything that was granted before",
            &["MA-060", "MA-066"],
            successor()
                .wait(KEPT)
                .talk("b", claims_as_b("granted", &leased(1, DORA, &epoch(1))))
                .talk("c", {
                    let refused = taken(1, DORA, "{5}rg1-b");
                    says(tenant("rg1-c"), &renew(1, DORA, LATER), "refused", &refused)
                }),
        )
        .twin("account.register.01"),
    ]
}

fn returns() -> Vec<Case> {
    let returned = |play: Play, name: &'static str, script: Script, epoch: &str| {
        play.talk(name, script.send(framed(&give_back(DORA, epoch)).as_bytes()))
    };
    vec![
        account(
            "account.return.01",
            "An account that is given back is free at once, under the next number",
            &["MA-068", "MA-060", "WI-140"],
            returned(leased_to_c(), "c", on("rg1-c"), &epoch(1))
                .talk("b", claims_as_b("granted", &leased(1, DORA, &epoch(2)))),
        ),
        account(
            "account.return.02",
            "Who gives it back under another epoch gives nothing back",
            &["MA-068"],
            returned(leased_to_c(), "c", on("rg1-c"), &epoch(9))
                .talk("b", claims_as_b("refused", &taken(1, DORA, "{5}rg1-c"))),
        )
        .twin("account.return.01"),
        account(
            "account.return.03",
            "Nor does another member than the one that has it",
            &["MA-068"],
            returned(leased_to_c(), "d", tenant("rg1-b"), &epoch(1))
                .talk("b", claims_as_b("refused", &taken(1, DORA, "{5}rg1-c"))),
        )
        .twin("account.return.01"),
        account(
            "account.return.04",
            "What was given back is not had on under its epoch by anybody else",
            &["MA-066", "MA-068"],
            returned(leased_to_c(), "c", on("rg1-c"), &epoch(1))
                .talk("b", claims_as_b("granted", &leased(1, DORA, &epoch(2))))
                .talk("c", {
                    let refused = taken(3, DORA, "{5}rg1-b");
                    says(on("rg1-c"), &renew(3, DORA, &epoch(1)), "refused", &refused)
                }),
        )
        .twin("account.return.01"),
    ]
}

fn releases() -> Vec<Case> {
    const DORAS: &str = "dora@example.test";
    let released = |play: Play| play.act(Act::Release(DORAS));
    let done = || Look::Shown("takes-the-order", 0, "/ok", json!({}));
    vec![
        account(
            "account.release.11",
            "A master that is ordered to release an account frees it at once, for whoever asks next",
            &["MA-105", "MA-060", "CO-018"],
            released(leased_to_c())
                .look(done())
                .talk("b", claims_as_b("granted", &leased(1, DORA, &epoch(2)))),
        )
        .twin("account.return.01"),
        account(
            "account.release.12",
            "It does not believe the freed epoch any more, and refuses the member that names it",
            &["MA-105", "MA-066"],
            released(leased_to_c()).look(done()).talk("c", {
                says(on("rg1-c"), &renew(3, DORA, &epoch(1)), "refused", &taken(3, DORA, "-"))
            }),
        )
        .twin("account.release.11")
        .kills(&[("believes-what-was-freed", "c-refused")]),
        account(
            "account.release.13",
            "That member can have it again, under another epoch",
            &["MA-105", "MA-060"],
            released(leased_to_c()).look(done()).talk("c", {
                says(on("rg1-c"), &claim(3, &[DORA]), "anew", &leased(3, DORA, &epoch(2)))
            }),
        )
        .twin("account.release.11"),
        account(
            "account.release.14",
            "Where it keeps the account for nobody there is nothing to do",
            &["MA-105", "CO-018"],
            released(free_master())
                .look(done())
                .talk("b", claims_as_b("granted", &leased(1, DORA, &epoch(1)))),
        ),
        account(
            "account.release.15",
            "An account with a host is not released: no master leases it",
            &["MA-105", "CO-018"],
            free_master()
                .act(Act::Release("ann@example.test"))
                .look(Look::Shown("refused", 0, "/err", json!("refused")))
                .talk("b", claims_as_b("granted", &leased(1, DORA, &epoch(1)))),
        )
        .twin("account.release.11"),
    ]
}

fn declines() -> Vec<Case> {
    let other_lease =
        |request: u64, lease: &str| format!(" CLAIM {request:x} {THEIR_TERM} {lease} ( {DORA} )");
    vec![
        account(
            "account.declined.01",
            "A request for another term is declined, with the term of the master",
            &["MA-069", "WI-142"],
            free_master().talk("c", {
                let (old, new) = (claim_of(1, "0 {5}rg1-a 1", &[DORA]), claim_of(2, C5, &[DORA]));
                let script = says(tenant("rg1-c"), &old, "of-old", &declined(1, THEIR_TERM));
                let script = says(script, &new, "to-come", &declined(2, THEIR_TERM));
                says(script, &claim(3, &[DORA]), "granted", &leased(3, DORA, &epoch(1)))
            }),
        )
        .twin("account.grant.01"),
        account(
            "account.declined.02",
            "Who is no master declines, with the greatest term that it knows",
            &["MA-069", "WI-142"],
            election(leasing_without_us)
                .talk("b", {
                    let asked = claim_of(1, "4 {5}rg1-a 9", &[DORA]);
                    says(tenant("rg1-b"), &asked, "of-none", &declined(1, "-"))
                })
                .talk("lead", says(convened("rg1-c"), &lead(1, C5), "obeyed", " OBEYED 1"))
                .talk("b", {
                    let asked = claim_of(2, C5, &[DORA]);
                    says(on("rg1-b"), &asked, "of-another", &declined(2, C5))
                }),
        )
        .twin("account.grant.01"),
        account(
            "account.declined.03",
            "Who counts by another lease is declined, and has nothing by it",
            &["MA-101", "MA-060"],
            free_master()
                .talk("c", {
                    let shorter = other_lease(1, "14");
                    let script =
                        says(tenant("rg1-c"), &shorter, "shorter", &declined(1, THEIR_TERM));
                    says(script, &other_lease(2, "16"), "longer", &declined(2, THEIR_TERM))
                })
                .talk("b", claims_as_b("granted", &leased(1, DORA, &epoch(1)))),
        )
        .twin("account.grant.01")
        .kills(&[("answers-any-lease", "c-shorter")]),
        account(
            "account.declined.04",
            "Also who has the account: it has it on no longer than until its lease ends",
            &["MA-101", "MA-063"],
            until_then(
                leased_to_c().wait(10 * SECOND).talk("c", {
                    let other = format!(" RENEW 2 {THEIR_TERM} 12c ( {DORA} {} )", epoch(1));
                    says(on("rg1-c"), &other, "declined", &declined(2, THEIR_TERM))
                }),
                KEPT - 10 * SECOND,
            ),
        )
        .twin("account.keep.02")
        .kills(&[("answers-any-lease", "c-declined")]),
        account(
            "account.declined.05",
            "A master whose lease has ended declines",
            &["MA-069"],
            free_master()
                .cast(TO_B, Port::Group, vec![hangs(POLL), hangs(VOTE)])
                .cast(TO_C, Port::Group, vec![hangs(POLL), hangs(VOTE)])
                .until(VOTE_TO_B, 3, HELD)
                .talk("b", claims_as_b("declined", &declined(1, THEIR_TERM))),
        )
        .twin("account.grant.01"),
    ]
}

fn strangers() -> Vec<Case> {
    let closes = |id: &str, title: &str, play: Play| {
        account(id, title, &["SM-135", "MA-097"], play).twin("account.grant.01")
    };
    vec![
        closes(
            "account.stranger.01",
            "A member of another group has no accounts here",
            free_master().talk("rg2", tenant("rg2-a").gone("closed")),
        ),
        closes(
            "account.stranger.02",
            "In a group that leases no accounts nobody asks for any",
            election(electing)
                .awaits(LEAD_TO_B, 1, ELECTED)
                .talk("c", tenant("rg1-c").gone("closed")),
        ),
    ]
}
