//! The liveness property: when faults stop, every promised recipient ends, and no queue keeps anything.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Copy;
use super::c7_truthful_bounce::TruthfulBounce;
use super::custody::Hold;
use super::ledger::Ledger;
use super::order::Orders;
use super::patience::Place;

/// Whether a member may hold a copy for ever: an old disk brought it back after it had ended, and nobody
/// could tell the member so. The account's journal refuses it, and the operator has to look.
pub(super) fn may_stay(copy: Copy, ledger: &Ledger, unsettled: &BTreeSet<Copy>) -> bool {
    unsettled.contains(&copy) && ledger.has_ended(copy)
}

/// What has not ended and is not `waiting`, one line each.
pub(super) fn open(
    ledger: &Ledger,
    held: &[BTreeMap<Copy, Hold>],
    unsettled: &BTreeSet<Copy>,
    waiting: &BTreeSet<Place>,
) -> Vec<String> {
    let waits = |copy: Copy| waiting.iter().any(|(_, waiting)| *waiting == copy);
    // Who is to be told that a copy failed may have to wait for that.
    let is_excused =
        |copy: Copy| waits(copy) || ledger.notices(copy).iter().any(|dsn| waits((*dsn, 0)));
    let mut lines: Vec<String> = ledger
        .open()
        .filter(|(copy, _)| !is_excused(*copy))
        .map(|((token, index), address)| {
            format!("recipient {index} <{address}> of {} has not ended", ledger.describe(token))
        })
        .collect();
    for (host, copies) in held.iter().enumerate() {
        let copies = copies.iter().filter(|(copy, _)| !may_stay(**copy, ledger, unsettled));
        let copies = copies.filter(|(copy, _)| !waiting.contains(&(host, **copy)));
        lines.extend(copies.map(|((token, index), hold)| {
            format!("host {host} still holds recipient {index} of {token}: {hold:?}")
        }));
    }
    lines
}

/// What has ended in more ways than one, or in none that is known, and the successes of which nobody was
/// told. A copy of which there may be several may end in several ways.
pub(super) fn badly(
    (ledger, bounces, orders): (&Ledger, &TruthfulBounce, &Orders),
    unsettled: &BTreeSet<Copy>,
) -> Vec<String> {
    let settled = ledger.owed().filter(|(copy, _)| !unsettled.contains(copy));
    let settled = settled.filter(|(copy, _)| !ledger.is_lost(*copy));
    let settled = settled.filter(|(copy, _)| !orders.is_spoken_of(*copy));
    let mut lines = Vec::new();
    for (copy, (address, notify)) in settled {
        let (failures, successes) = bounces.count(copy);
        let has_arrived = ledger.has_arrived(copy);
        // Towards the outside the window of RFC 1047 remains.
        let is_outside = has_arrived && orders.is_foreign(address);
        let ways = [has_arrived && !is_outside, failures > 0, ledger.is_over(copy)];
        let count = ways.iter().filter(|is_so| **is_so).count();
        let name = || format!("recipient {} <{address}> of {}", copy.1, ledger.describe(copy.0));
        if count > 1 || (count == 0 && !is_outside) {
            let [stored, returned, over] = ways;
            let said = format!("stored: {stored}, returned: {returned}, without a word: {over}");
            lines.push(format!("{} ended in {count} ways ({said})", name()));
        }
        let sender = ledger.letter(copy.0).and_then(|letter| letter.sender.as_ref());
        let is_due = notify.success && sender.is_some() && has_arrived && !is_outside;
        if is_due && successes == 0 && !orders.ever_removes(copy) {
            lines.push(format!("nobody was told of the success of {}", name()));
        }
    }
    lines
}
