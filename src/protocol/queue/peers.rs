//! What is known of the members that hand mail over: their disks, and which of their transfers are over.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::wire::ids::{Incarnation, StoreId, TransferId};
use crate::wire::submit::Release;

/// A member as a sender, by what it has said of its transfers.
///
/// What is over is over for ever, so statements only add up: none has to be believed more than another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SenderRecord {
    /// Its disk.
    pub store: StoreId,
    /// The latest boot of this disk that it has named.
    pub boot: u64,
    /// Of that boot.
    pub incarnation: Incarnation,
    /// The greatest sequence of that boot that is over.
    pub upto: u64,
    /// What is not over all the same.
    pub except: BTreeSet<(Incarnation, u64)>,
    /// Boots that are over but for the exceptions: one number for each restart of that member.
    pub closed: BTreeSet<Incarnation>,
    /// Disks that were replaced by later ones.
    pub retired: BTreeSet<StoreId>,
}

/// What a statement is to what was heard before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It says more.
    News,
    /// It says nothing that is not known, or comes from a disk that was replaced.
    Old,
    /// This disk was further once: it was rolled back, or this connection is of an earlier boot.
    Behind,
}

impl SenderRecord {
    /// What `release`, said by the owner of `store`, is to what was heard before.
    pub(crate) fn judge(&self, store: StoreId, release: &Release) -> Standing {
        if self.retired.contains(&store) {
            return Standing::Old;
        }
        if self.store != store {
            return Standing::News;
        }
        let same = release.incarnation == self.incarnation;
        if release.boot < self.boot || (release.boot == self.boot && !same) {
            return Standing::Behind;
        }
        let says_more = release.boot > self.boot || release.upto > self.upto;
        let fewer = release.upto == self.upto && release.except.len() < self.except.len();
        if says_more || fewer { Standing::News } else { Standing::Old }
    }

    /// Whether the sender has said that this transfer of its own is over.
    #[must_use]
    pub fn is_over(&self, id: &TransferId) -> bool {
        let ended = id.incarnation == self.incarnation && id.sequence <= self.upto;
        let named = self.except.contains(&(id.incarnation, id.sequence));
        (ended || self.closed.contains(&id.incarnation)) && !named
    }

    /// Folds a statement. `known` are the boots of which something is in the journal.
    pub(super) fn hear(
        &mut self,
        store: StoreId,
        release: &Release,
        known: impl Iterator<Item = Incarnation>,
    ) {
        if self.store != store && self.store != StoreId::default() {
            self.retired.insert(self.store);
        }
        if self.boot != 0 {
            self.closed.insert(self.incarnation);
        }
        self.closed.extend(known);
        self.closed.remove(&release.incarnation);
        self.store = store;
        self.boot = release.boot;
        self.incarnation = release.incarnation;
        self.upto = release.upto;
        self.except = release.except.iter().copied().collect();
    }
}
