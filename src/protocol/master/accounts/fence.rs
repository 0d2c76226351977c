//! The store of an account: which writes it takes.

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::protocol::faults::Faults;
use crate::wire::accounts::LeaseEpoch;

/// What the store of one account knows of its owners. Whoever changes the account has this checked and
/// kept in the same commit as the change: a look before the commit proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The greatest epoch that it has seen.
    seen: Option<LeaseEpoch>,
    /// How many epochs it has seen.
    openings: u64,
}

impl Fence {
    /// Lets a write under `epoch` pass, or refuses it with the greatest epoch that the store has seen.
    /// Gives the number of the opening: the epochs that have been seen, counted from 1.
    ///
    /// # Errors
    /// The greatest epoch, where that is another one.
    pub fn admit(&mut self, epoch: &LeaseEpoch, faults: &Faults) -> Result<u64, LeaseEpoch> {
        clause!(DE_100);
        if let Some(seen) = &self.seen {
            let is_smaller = if faults.is_on("store-compares-numbers") {
                epoch.number < seen.number
            } else {
                epoch < seen
            };
            if is_smaller && !faults.is_on("store-takes-any-epoch") {
                return Err(seen.clone());
            }
        }
        if self.seen.as_ref() != Some(epoch) {
            clause!(DE_101);
            self.seen = Some(epoch.clone());
            self.openings = self.openings.checked_add(1).expect("fewer than 2^64 openings");
        }
        Ok(self.openings)
    }

    /// The greatest epoch that it has seen.
    #[must_use]
    pub const fn seen(&self) -> Option<&LeaseEpoch> {
        self.seen.as_ref()
    }
}
