//! Requests about accounts on the wire: what a frame may say, and what closes the connection.

use super::account_peers::{DAN, DORA, account, declined, tenant};
use super::master_peers::{C5, called, convened, election, framed, says};
use super::members::NO_DIGEST;
use crate::case::Case;
use crate::organization::leasing_without_us;
use crate::play::Play;
use crate::script::Script;

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![edges()];
    cases.extend(malformed());
    cases.extend(out_of_place());
    cases
}

/// The node is no master, and declines what it can read.
fn member() -> Play {
    election(leasing_without_us)
}

/// What may just be said.
fn edges() -> Case {
    account(
        "account.wire.01",
        "The shortest and the longest lease, the greatest numbers and a thousand accounts are read",
        &["WI-141", "WI-142", "WI-143", "WI-145", "SM-135"],
        member().talk("b", {
            let claim = |request: u64, term: &str, lease: &str| {
                format!(" CLAIM {request:x} {term} {lease} ( {DORA} )")
            };
            let greatest = u64::MAX;
            let script = tenant("rg1-b");
            let script = says(script, &claim(0, C5, "1"), "shortest", &declined(0, "-"));
            let longest = claim(greatest, C5, "12c");
            let script = says(script, &longest, "longest", &declined(greatest, "-"));
            let last = claim(1, "fffffffffffffffd {5}rg1-b ffffffffffffffff", "15");
            let script = says(script, &last, "last-term", &declined(1, "-"));
            let renew = format!(" RENEW 2 {C5} 15 ( {DORA} {C5} ffffffffffffffff {DAN} {C5} 1 )");
            let script = says(script, &renew, "renewed", &declined(2, "-"));
            says(script, &thousand(1_000), "a-thousand", &declined(3, "-"))
        }),
    )
}

fn thousand(count: usize) -> String {
    let accounts: Vec<String> =
        (0..count).map(|number| format!("{{11}}{number:04}@example.test")).collect();
    format!(" CLAIM 3 {C5} 15 ( {} )", accounts.join(" "))
}

/// A connection on which this is said is closed.
fn closes(id: &str, title: &str, verifies: &[&str], script: Script) -> Case {
    account(id, title, verifies, member().talk("b", script.gone("closed"))).twin("account.wire.01")
}

fn malformed() -> Vec<Case> {
    let said = |number: u32, title: &str, clause: &str, content: &str| {
        let script = tenant("rg1-b").send(framed(content).as_bytes());
        closes(&format!("account.malformed.{number:02}"), title, &[clause, "SM-082"], script)
    };
    let claim =
        |term: &str, lease: &str, accounts: &str| format!(" CLAIM 1 {term} {lease} {accounts}");
    let one = format!("( {DORA} )");
    let twice = format!("( {DORA} {DAN} {DORA} )");
    let huge = "fffffffffffffffe {5}rg1-c 7";
    vec![
        said(1, "A lease of no second is refused", "WI-145", &claim(C5, "0", &one)),
        said(2, "A lease of more than five minutes is refused", "WI-145", &claim(C5, "12d", &one)),
        said(3, "A claim without a lease is malformed", "WI-145", &format!(" CLAIM 1 {C5} {one}")),
        said(4, "A claim of nothing is refused", "WI-143", &claim(C5, "15", "()")),
        said(5, "An account that is claimed twice is refused", "WI-143", &claim(C5, "15", &twice)),
        said(6, "More than a thousand accounts are refused", "WI-143", &thousand(1_001)),
        said(
            7,
            "A counter that no other could follow is refused",
            "WI-142",
            &claim(huge, "15", &one),
        ),
        said(
            8,
            "No grant has the number 0",
            "WI-142",
            &format!(" RENEW 1 {C5} 15 ( {DORA} {C5} 0 )"),
        ),
        said(
            9,
            "What a member has it has under an epoch",
            "WI-142",
            &format!(" RENEW 1 {C5} 15 ( {DORA} )"),
        ),
        said(10, "What is given back is named", "WI-143", &format!(" RETURN {C5} ()")),
    ]
}

fn out_of_place() -> Vec<Case> {
    let said = |number: u32, title: &str, script: Script, content: &str| {
        let id = format!("account.place.{number:02}");
        let verifies = ["WI-140", "SM-135", "SM-082"];
        closes(&id, title, &verifies, script.send(framed(content).as_bytes()))
    };
    let claim = format!(" CLAIM 1 {C5} 15 ( {DORA} )");
    let news = format!(" NEWS {NO_DIGEST} ()");
    let tenant = || tenant("rg1-b");
    vec![
        said(1, "A client leases nothing", tenant(), &format!(" LEASED 1 () ( {DORA} - )")),
        said(2, "A client declines nothing", tenant(), " DECLINED 1 -"),
        said(3, "Who has come for accounts reports nothing", tenant(), " REPORT ()"),
        said(4, "Nor does it tell news", tenant(), &news),
        said(5, "Nor does it poll", tenant(), &format!(" POLL 1 {C5}")),
        said(6, "Nor does it come for accounts again", tenant(), " TENANT {5}rg1-b"),
        said(7, "Without TENANT nobody claims", called("rg1-b"), &claim),
        said(8, "Whoever convenes claims nothing", convened("rg1-b"), &claim),
        said(
            9,
            "Nobody comes for accounts under the name of another member",
            called("rg1-b"),
            " TENANT {5}rg1-c",
        ),
    ]
}
