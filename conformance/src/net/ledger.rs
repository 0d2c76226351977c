//! Counts the octets of every connection that ends at a node, so that the barrier can compare them with
//! what the nodes count.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
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

#[derive(Debug, Default)]
struct Book {
    halves: Vec<Half>,
    /// How often anything was entered or changed, by the address of the node.
    moves: BTreeMap<IpAddr, u64>,
}

impl Book {
    fn moved(&mut self, node: IpAddr) {
        *self.moves.entry(node).or_default() += 1;
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Book>>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a connection, and says under which number.
    pub(crate) fn enter(&self, link: &str, ours: SocketAddr, theirs: SocketAddr) -> usize {
        let mut book = self.lock();
        book.moved(theirs.ip());
        book.halves.push(Half {
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
        book.halves.len() - 1
    }

    /// Changes an entry.
    pub(crate) fn change(&self, number: usize, change: impl FnOnce(&mut Half)) {
        let mut book = self.lock();
        let half = &mut book.halves[number];
        change(half);
        half.gone |= half.ended_by_node && half.ended_by_suite;
        let node = half.theirs.ip();
        book.moved(node);
    }

    /// A copy of one entry.
    pub(crate) fn snapshot_of(&self, number: usize) -> Half {
        self.lock().halves[number].clone()
    }

    /// The connections that are not gone, and the number of all that ever were.
    pub(crate) fn living(&self) -> (Vec<Half>, usize) {
        let book = self.lock();
        (book.halves.iter().filter(|half| !half.gone).cloned().collect(), book.halves.len())
    }

    /// How often anything has happened on the connections of the node at an address, those that are gone
    /// among them.
    pub(crate) fn moves(&self, node: IpAddr) -> u64 {
        self.lock().moves.get(&node).copied().unwrap_or_default()
    }
}
