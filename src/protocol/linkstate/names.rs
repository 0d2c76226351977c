//! The records of a table in order of their groups' names: persistent, as the tree is.
//!
//! Runs of neighbouring records, which copies of a table share. A change copies one run and the list of
//! the runs, some hundred pointers for a full table.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::wire::ids::GroupName;
use crate::wire::record::Version;
use crate::wire::shared::SharedRecord;

/// A run of more records is parted.
const RUN_LIMIT: usize = 128;

/// All records, in order of their groups' names; of several with one name, the one that speaks for the
/// name comes first.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// None of them is empty.
    runs: Arc<Vec<Arc<Vec<SharedRecord>>>>,
}

/// Which of several records with one name speaks for it: a tombstone never does while another is there;
/// then the newest configuration, the newest version, the greatest UUID.
fn weight(record: &SharedRecord) -> (bool, u32, &Version, &str) {
    (record.deleted.is_none(), record.version.major, &record.version, &record.uuid)
}

fn order(one: &SharedRecord, other: &SharedRecord) -> Ordering {
    one.group.cmp(&other.group).then_with(|| weight(other).cmp(&weight(one)))
}

impl Names {
    /// All records, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &SharedRecord> + Clone {
        self.runs.iter().flat_map(|run| run.iter())
    }

    /// The records of a name, the one that speaks for it first.
    pub(super) fn of(&self, name: &GroupName) -> impl Iterator<Item = &SharedRecord> {
        let (run, place) = self.find(|record| record.group < *name);
        let here = self.runs.get(run).map_or(&[][..], |run| &run[place..]);
        let behind = self.runs.iter().skip(run + 1).flat_map(|run| run.iter());
        here.iter().chain(behind).take_while(move |record| record.group == *name)
    }

    /// Adds a record that is not there yet.
    pub(super) fn insert(&mut self, record: SharedRecord) {
        let (run, place) = self.find(|known| order(known, &record).is_lt());
        let runs = Arc::make_mut(&mut self.runs);
        if run == runs.len() {
            match runs.last_mut() {
                Some(last) => Arc::make_mut(last).push(record),
                None => runs.push(Arc::new(alloc::vec![record])),
            }
        } else {
            Arc::make_mut(&mut runs[run]).insert(place, record);
        }
        let grown = run.min(runs.len() - 1);
        if runs[grown].len() > RUN_LIMIT {
            let behind = Arc::make_mut(&mut runs[grown]).split_off(RUN_LIMIT / 2);
            runs.insert(grown + 1, Arc::new(behind));
        }
    }

    /// Takes a record away that is there.
    pub(super) fn remove(&mut self, record: &SharedRecord) {
        let (run, place) = self.find(|known| order(known, record).is_lt());
        let runs = Arc::make_mut(&mut self.runs);
        let removed = Arc::make_mut(&mut runs[run]).remove(place);
        assert_eq!(removed.uuid, record.uuid, "the record is in its place");
        if runs[run].is_empty() {
            runs.remove(run);
        }
    }

    /// The place of the first record that does not come before: its run, and where in it.
    fn find(&self, comes_before: impl Fn(&SharedRecord) -> bool) -> (usize, usize) {
        let ends_before = |run: &Arc<Vec<SharedRecord>>| run.last().is_some_and(&comes_before);
        let run = self.runs.partition_point(ends_before);
        let place = self.runs.get(run).map_or(0, |run| run.partition_point(&comes_before));
        (run, place)
    }
}
