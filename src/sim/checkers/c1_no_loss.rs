//! C1, no loss: a promised recipient has a durable custodian until its copy is stored, taken outside or
//! returned by a DSN, which is itself never lost.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::Copy;
use super::ledger::Ledger;
use crate::kernel::Time;

#[derive(Debug, Default)]
pub(super) struct NoLoss {
    custodians: BTreeMap<Copy, u32>,
}

impl NoLoss {
    /// A member holds a copy.
    pub(super) fn add(&mut self, copy: Copy) {
        *self.custodians.entry(copy).or_default() += 1;
    }

    /// A member holds a copy no more.
    pub(super) fn remove(&mut self, copy: Copy) {
        let count = self.custodians.get_mut(&copy).expect("what is removed was added");
        *count -= 1;
        if *count == 0 {
            self.custodians.remove(&copy);
        }
    }

    fn is_held(&self, copy: Copy) -> bool {
        self.custodians.contains_key(&copy)
    }

    /// Whether a copy is accounted for.
    pub(super) fn check(&self, now: Time, copy: Copy, ledger: &mut Ledger) -> Result<(), String> {
        if !ledger.is_owed(copy) || self.is_held(copy) || ledger.has_ended(copy) {
            return Ok(());
        }
        let is_returned = ledger
            .notices(copy)
            .iter()
            .any(|notice| self.is_held((*notice, 0)) || ledger.has_ended((*notice, 0)));
        if is_returned {
            return Ok(());
        }
        if ledger.may_vanish(now, copy) {
            ledger.drop(copy);
            return Ok(());
        }
        let name = ledger.describe(copy.0);
        Err(format!("nobody holds recipient {} of {name}, and it has not ended", copy.1))
    }
}
