//! What the cases of leased accounts share: their words, and who says them.

use super::handing_over::{always, client};
use super::master_peers::{
    C5, ELECTED, LEAD_TO_B, TO_C, called, convened, election, framed, lead, on, says,
};
use crate::case::Case;
use crate::net::Port;
use crate::organization::{leasing, leasing_without_us};
use crate::play::{Answer, Cue, On, Play};
use crate::script::{Script, THEIR_TERM};

const LEASES: &str = "account/leases";
/// How long a master keeps an account for who has it.
pub(super) const KEPT: u64 = 21_000_000;
/// What a member counts of it, by a drift of 50,000 parts in a million (MA-061), and a third of that.
pub(super) const HELD: u64 = 19_000_000;
pub(super) const THIRD: u64 = HELD / 3;
/// `account_lease_s` as a frame has it.
pub(super) const LEASE: &str = "15";

/// The accounts that are leased.
pub(super) const DORA: &str = "{11}dora@example.test";
pub(super) const DAN: &str = "{10}dan@example.test";

/// What the node says to its master, which is rg1-c.
pub(super) const TENANT: On = On::said(TO_C, "").with(" TENANT {5}rg1-a");
pub(super) const CLAIM: On = On::said(TO_C, "").with(" CLAIM ");
pub(super) const RENEW: On = On::said(TO_C, "").with(" RENEW ");
pub(super) const RETURN: On = On::said(TO_C, "").with(" RETURN ");

/// A list of members under a term of rg1-c: all are there, and the master has this feature.
pub(super) const LISTED: &str = concat!(
    " MEMBERS 5 {5}rg1-c 7 1 2 ( {e}account-leases ) ( {5}rg1-a ACTIVE - LOCAL 1 0 2 ( {e}account-leases ) ",
    "{5}rg1-b ACTIVE - LOCAL 1 0 - {5}rg1-c ACTIVE - LOCAL 1 0 2 ( {e}account-leases ) ",
    "{5}rg1-d ACTIVE - LOCAL 1 0 - )",
);
/// The same, and it has not.
pub(super) const LISTED_WITHOUT: &str = concat!(
    " MEMBERS 5 {5}rg1-c 7 1 2 () ( {5}rg1-a ACTIVE - LOCAL 1 0 2 ( {e}account-leases ) ",
    "{5}rg1-b ACTIVE - LOCAL 1 0 - {5}rg1-c ACTIVE - LOCAL 1 0 2 ( {5}loads ) ",
    "{5}rg1-d ACTIVE - LOCAL 1 0 - )",
);

pub(super) fn account(id: &str, title: &str, verifies: &[&str], play: Play) -> Case {
    Case::play(id, title, LEASES, play).verifies(verifies)
}

/// A case that is no play.
pub(super) const fn profile() -> &'static str {
    LEASES
}

/// The node has just become the master of a group that leases accounts.
pub(super) fn new_master() -> Play {
    election(leasing).awaits(LEAD_TO_B, 1, ELECTED).mark("elected")
}

/// The same, once it has waited.
pub(super) fn free_master() -> Play {
    new_master().until(LEAD_TO_B, 1, KEPT)
}

/// Calls the node as this member, for accounts.
pub(super) fn tenant(member: &'static str) -> Script {
    called(member).send(framed(&format!(" TENANT {{5}}{member}")).as_bytes())
}

/// Asks the node, as the master under the term that it has told, for these accounts.
pub(super) fn claim(request: u64, accounts: &[&str]) -> String {
    claim_of(request, THEIR_TERM, accounts)
}

/// The same, under another term.
pub(super) fn claim_of(request: u64, term: &str, accounts: &[&str]) -> String {
    format!(" CLAIM {request:x} {term} {LEASE} ( {} )", accounts.join(" "))
}

/// Asks the node to have on an account under an epoch.
pub(super) fn renew(request: u64, account: &str, epoch: &str) -> String {
    format!(" RENEW {request:x} {THEIR_TERM} {LEASE} ( {account} {epoch} )")
}

/// Gives an account back.
pub(super) fn give_back(account: &str, epoch: &str) -> String {
    format!(" RETURN {THEIR_TERM} ( {account} {epoch} )")
}

/// The grant of that number under the term of the node.
pub(super) fn epoch(number: u64) -> String {
    format!("{THEIR_TERM} {number:x}")
}

/// One account is granted.
pub(super) fn leased(request: u64, account: &str, epoch: &str) -> String {
    format!(" LEASED {request:x} ( {account} {epoch} ) ()")
}

/// One account is refused; who has it, or `-`.
pub(super) fn taken(request: u64, account: &str, owner: &str) -> String {
    format!(" LEASED {request:x} () ( {account} {owner} )")
}

/// The request is for somebody else.
pub(super) fn declined(request: u64, known: &str) -> String {
    format!(" DECLINED {request:x} {known}")
}

/// rg1-c claims dora's account of the node, and gets it by the first grant.
pub(super) fn granted_to_c() -> Script {
    says(tenant("rg1-c"), &claim(1, &[DORA]), "granted", &leased(1, DORA, &epoch(1)))
}

/// rg1-b claims dora's account; what it hears.
pub(super) fn claims_as_b(check: &str, answer: &str) -> Script {
    says(tenant("rg1-b"), &claim(1, &[DORA]), check, answer)
}

/// The same, on the connection that it has.
pub(super) fn claims_on(request: u64, check: &str, answer: &str) -> Script {
    says(on("rg1-b"), &claim(request, &[DORA]), check, answer)
}

/// rg1-c leads under its term 5.
pub(super) fn led() -> Script {
    says(convened("rg1-c"), &lead(1, C5), "obeyed", " OBEYED 1")
}

/// The node obeys rg1-c, which tells this list of members and answers requests like that.
pub(super) fn member(list: &'static str, cues: &[Cue]) -> Play {
    let listed = always(" HEARTBEAT ", Answer::Say(list));
    let cues = [&[listed], cues].concat();
    election(leasing_without_us).opens(TO_C, Port::Group, cues).talk("lead", led())
}

/// Somebody writes to dora.
pub(super) fn mail() -> Script {
    client("<bob@example.test>", &["<dora@example.test>"])
}
