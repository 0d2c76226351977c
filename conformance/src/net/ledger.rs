//! Counts the octets of every connection that ends at a node, so that the barrier can compare them with
//! what the nodes count.

use core::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One connection between the suite and a node, as the suite sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    /// Which link it belongs to, `LINK#n`.
    pub(crate) link: String,
    /// The suite's end.
    pub(crate) ours: SocketAddr,
    /// The node's end.
    pub(crate) theirs: SocketAddr,
    /// Octets that the suite has written.
    pub(crate) to_node: u64,
    /// Octets that the suite has read.
    pub(crate) from_node: u64,
    /// The node has ended its direction.
    pub(crate) ended_by_node: bool,
    /// The suite has ended its direction.
    pub(crate) ended_by_suite: bool,
    /// The connection was reset by one of the two, or is closed both ways: nothing can pass any more.
    pub(crate) gone: bool,
    /// The suite does not read: octets that the node has sent are not counted.
    pub(crate) unread: bool,
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Half>>>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Vec<Half>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a connection, and says under which number.
    pub(crate) fn enter(&self, link: &str, ours: SocketAddr, theirs: SocketAddr) -> usize {
        let mut halves = self.lock();
        halves.push(Half {
            link: link.to_owned(),
            ours,
            theirs,
            to_node: 0,
            from_node: 0,
            ended_by_node: false,
            ended_by_suite: false,
            gone: false,
            unread: false,
        });
        halves.len() - 1
    }

    /// Changes an entry.
    pub(crate) fn change(&self, number: usize, change: impl FnOnce(&mut Half)) {
        let mut halves = self.lock();
        let half = &mut halves[number];
        change(half);
        half.gone |= half.ended_by_node && half.ended_by_suite;
    }

    /// A copy of one entry.
    pub(crate) fn snapshot_of(&self, number: usize) -> Half {
        self.lock()[number].clone()
    }

    /// The connections that are not gone, and the number of all that ever were.
    pub(crate) fn living(&self) -> (Vec<Half>, usize) {
        let halves = self.lock();
        (halves.iter().filter(|half| !half.gone).cloned().collect(), halves.len())
    }
}
