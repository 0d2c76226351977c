//! The liveness property: when faults stop, every promised recipient ends, and no queue keeps anything.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Copy;
use super::custody::Hold;
use super::ledger::Ledger;

/// What has not ended, one line each.
pub(super) fn open(ledger: &Ledger, held: &[BTreeMap<Copy, Hold>]) -> Vec<String> {
    let mut lines: Vec<String> = ledger
        .open()
        .map(|((token, index), address)| {
            format!("recipient {index} <{address}> of {} has not ended", ledger.describe(token))
        })
        .collect();
    for (host, copies) in held.iter().enumerate() {
        lines.extend(copies.iter().map(|((token, index), hold)| {
            format!("host {host} still holds recipient {index} of {token}: {hold:?}")
        }));
    }
    lines
}
