//! C8, one owner: no two members have a leased account at one time, and its store takes no write under an epoch
//! that is smaller than one under which it has taken a write before. Both are seen from outside: the fence of the
//! store is not asked.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use crate::sim::host::Host;
use crate::sim::network::HostIndex;
use crate::wire::accounts::LeaseEpoch;
use crate::wire::message::Address;

#[derive(Debug, Default)]
pub(super) struct OneOwner {
    owners: BTreeMap<Address, BTreeSet<HostIndex>>,
    /// What each member had when it was looked at last.
    held: BTreeMap<HostIndex, BTreeSet<Address>>,
    /// The greatest epoch under which the store of each account has taken a write.
    taken: BTreeMap<Address, LeaseEpoch>,
}

impl OneOwner {
    /// A member has taken a step, or its process has ended.
    pub(super) fn look(&mut self, host: &Host, place: HostIndex) -> Result<(), String> {
        let member = host.node.as_ref().map(|node| node.machine().member());
        let mut tenancies = member.into_iter().flat_map(|member| member.tenancies());
        let before = self.held.get(&place);
        if before.is_none_or(BTreeSet::is_empty) && tenancies.next().is_none() {
            return Ok(());
        }
        let tenancies = member.into_iter().flat_map(|member| member.tenancies());
        let held: BTreeSet<Address> = tenancies.map(|(account, _)| account.clone()).collect();
        for account in self.held.get(&place).into_iter().flatten() {
            if let Some(owners) = self.owners.get_mut(account) {
                owners.remove(&place);
            }
        }
        for account in &held {
            self.owners.entry(account.clone()).or_default().insert(place);
        }
        self.held.insert(place, held);
        let mut contested = self.owners.iter().filter(|(_, owners)| owners.len() > 1);
        match contested.next() {
            Some((account, owners)) => Err(format!(
                "{} members have {account} at one time: hosts {owners:?}",
                owners.len()
            )),
            None => Ok(()),
        }
    }

    /// The store of an account has taken a write under this epoch.
    pub(super) fn took(&mut self, account: &Address, epoch: &LeaseEpoch) -> Result<(), String> {
        match self.taken.get(account) {
            Some(taken) if epoch < taken => {
                Err(format!("{account} took a write under {epoch:?} behind one under {taken:?}"))
            }
            _ => {
                self.taken.insert(account.clone(), epoch.clone());
                Ok(())
            }
        }
    }
}
