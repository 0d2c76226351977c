//! The liveness property: when faults stop, every promised recipient ends, and no queue keeps anything.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Copy;
use super::custody::Hold;
use super::ledger::Ledger;

/// Whether a member may hold a copy for ever: an old disk brought it back after it had ended, and nobody
/// could tell the member so. The account's journal refuses it, and the operator has to look.
pub(super) fn may_stay(copy: Copy, ledger: &Ledger, unsettled: &BTreeSet<Copy>) -> bool {
    unsettled.contains(&copy) && ledger.has_ended(copy)
}

/// What has not ended, one line each.
pub(super) fn open(
    ledger: &Ledger,
    held: &[BTreeMap<Copy, Hold>],
    unsettled: &BTreeSet<Copy>,
) -> Vec<String> {
    let mut lines: Vec<String> = ledger
        .open()
        .map(|((token, index), address)| {
            format!("recipient {index} <{address}> of {} has not ended", ledger.describe(token))
        })
        .collect();
    for (host, copies) in held.iter().enumerate() {
        let copies = copies.iter().filter(|(copy, _)| !may_stay(**copy, ledger, unsettled));
        lines.extend(copies.map(|((token, index), hold)| {
            format!("host {host} still holds recipient {index} of {token}: {hold:?}")
        }));
    }
    lines
}
