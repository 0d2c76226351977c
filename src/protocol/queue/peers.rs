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
        self.has_ended(id.incarnation, id.sequence)
    }

    fn has_ended(&self, incarnation: Incarnation, sequence: u64) -> bool {
        let ended = incarnation == self.incarnation && sequence <= self.upto;
        let named = self.except.contains(&(incarnation, sequence));
        (ended || self.closed.contains(&incarnation)) && !named
    }

    /// Folds a statement. `known` are the boots of which something is in the journal.
    pub(super) fn hear(
        &mut self,
        store: StoreId,
        release: &Release,
        known: impl Iterator<Item = Incarnation>,
    ) {
        // A disk that was set back may name what is over: it has forgotten that it said so.
        let live = release.except.iter().copied();
        let except = live.filter(|(boot, sequence)| !self.has_ended(*boot, *sequence)).collect();
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
        self.except = except;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ids::MemberName;

    fn release(boot: u64, incarnation: u64, upto: u64, except: &[(u64, u64)]) -> Release {
        let except = except.iter().map(|(boot, sequence)| (Incarnation(*boot), *sequence));
        Release { boot, incarnation: Incarnation(incarnation), upto, except: except.collect() }
    }

    /// SU-033: a disk that was set back names what it has released before as live. It stays over, and what
    /// was live then stays live.
    #[test]
    fn what_is_over_stays_over() {
        let id = |sequence| TransferId {
            member: MemberName::from("a"),
            incarnation: Incarnation(11),
            sequence,
        };
        let mut record = SenderRecord::default();
        record.hear(StoreId(1), &release(1, 11, 5, &[(11, 4)]), core::iter::empty());
        assert_eq!([2, 4, 7].map(|sequence| record.is_over(&id(sequence))), [true, false, false]);
        let set_back = release(1, 12, 0, &[(11, 2), (11, 4), (11, 7)]);
        record.hear(StoreId(2), &set_back, core::iter::empty());
        assert_eq!([2, 4, 7].map(|sequence| record.is_over(&id(sequence))), [true, false, false]);
        record.hear(StoreId(2), &release(2, 13, 0, &[]), core::iter::empty());
        assert!([2, 4, 7].map(|sequence| record.is_over(&id(sequence))) == [true; 3]);
    }
}
