//! C3, one custodian: at most one member at a time may start a new attempt for a recipient. A member may
//! when the recipient is in its queue and not in doubt; whoever starts one for a recipient in doubt makes
//! a second custodian, whether or not the first one has the copy still.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::Copy;
use super::custody::Hold;
use crate::protocol::queue::{Change, Transfer};
use crate::sim::host::Host;
use crate::sim::network::HostIndex;

#[derive(Debug, Default)]
pub(super) struct OneCustodian {
    free: BTreeMap<Copy, BTreeSet<HostIndex>>,
}

impl OneCustodian {
    /// A member holds a copy.
    pub(super) fn add(&mut self, copy: Copy, host: HostIndex, hold: Hold) {
        if hold == Hold::Free {
            self.free.entry(copy).or_default().insert(host);
        }
    }

    /// A member does not hold a copy like that any more.
    pub(super) fn remove(&mut self, copy: Copy, host: HostIndex, hold: Hold) {
        if hold != Hold::Free {
            return;
        }
        if let Some(hosts) = self.free.get_mut(&copy) {
            hosts.remove(&host);
            if hosts.is_empty() {
                self.free.remove(&copy);
            }
        }
    }

    /// A change is on disk; one that begins an attempt must not be about who is in doubt already.
    pub(super) fn stored(host: &Host, change: &Change) -> Result<(), String> {
        let (Change::Committing { queue, transfer: Transfer { recipients, .. }, .. }
        | Change::Delivering { queue, recipients, .. }) = change
        else {
            return Ok(());
        };
        let Some(message) = host.disk.durable().spool.queue.get(queue) else { return Ok(()) };
        for index in recipients {
            let transfers = message.transfers.values().filter(|transfer| !transfer.fenced);
            let handed = transfers.filter(|transfer| transfer.recipients.contains(index)).count();
            let hosts = message.deliveries.values().filter(|indexes| indexes.contains(index));
            if handed + hosts.count() > 1 {
                let (name, origin) = (host.name(), &message.envelope.origin);
                let text = "begins an attempt while an earlier one is in doubt";
                return Err(format!("{name} {text}: recipient {index} of {origin}"));
            }
        }
        Ok(())
    }

    /// Whether at most one member may start an attempt for a copy.
    pub(super) fn check(&self, copy: Copy) -> Result<(), String> {
        match self.free.get(&copy) {
            Some(hosts) if hosts.len() > 1 => {
                Err(format!("hosts {hosts:?} may each try recipient {} of {}", copy.1, copy.0))
            }
            _ => Ok(()),
        }
    }
}
