//! C2, no duplicate: a hand-over is accepted at most once, and a recipient's copy stored at most once.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::ledger::Ledger;
use crate::protocol::queue::Change;
use crate::sim::network::HostIndex;
use crate::sim::token::Token;
use crate::wire::ids::{MemberName, TransferId};
use crate::wire::message::Address;

#[derive(Debug, Default)]
pub(super) struct NoDuplicate {
    accepted: BTreeMap<TransferId, HostIndex>,
}

impl NoDuplicate {
    /// A copy lies where the account's owner sees it.
    pub(super) fn published(
        &self,
        token: Token,
        account: &Address,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let Some(index) = ledger.index_of(token, account) else {
            return Err(format!("{token} was stored for {account}, for whom it is not"));
        };
        match ledger.end((token, index)) {
            1 => Ok(()),
            ends => Err(format!("{token} was stored {ends} times for {account}")),
        }
    }

    /// A host has another disk, which does not know what the one before had accepted, nor who had accepted
    /// its own transfers: a custodian that finds a transfer in doubt on it goes on from there.
    pub(super) fn set_back(&mut self, place: HostIndex, member: &MemberName) {
        self.accepted.retain(|transfer, by| *by != place && transfer.member != *member);
    }

    /// A change is on disk.
    pub(super) fn stored(&mut self, host: HostIndex, change: &Change) -> Result<(), String> {
        let (Change::Queued { accepted: Some((transfer, _)), .. } | Change::Known { transfer, .. }) =
            change
        else {
            return Ok(());
        };
        match self.accepted.insert(transfer.clone(), host) {
            None => Ok(()),
            Some(before) => {
                Err(format!("transfer {transfer} was accepted by host {before} and host {host}"))
            }
        }
    }
}
