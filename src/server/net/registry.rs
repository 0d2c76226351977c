//! Every connection with its counters: what the conformance suite compares with its own counts.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::clause;
use crate::wire::ids::ConnectionId;

/// What passed on one socket. Written by the task of the connection, read by anybody.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
    eof: AtomicBool,
    reset: AtomicBool,
}

impl Counters {
    /// So many octets were read from the socket, to be consumed in the same turn.
    pub(super) fn add_received(&self, octets: usize) {
        self.received.fetch_add(octets as u64, Ordering::SeqCst);
    }

    /// So many octets were taken by the kernel.
    pub(super) fn add_sent(&self, octets: usize) {
        self.sent.fetch_add(octets as u64, Ordering::SeqCst);
    }

    /// The far end has ended its stream.
    pub(super) fn set_eof(&self) {
        self.eof.store(true, Ordering::SeqCst);
    }

    /// The connection broke.
    pub(super) fn set_reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }
}

/// One connection as a snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Our end.
    pub local: SocketAddr,
    /// The far end.
    pub remote: SocketAddr,
    /// Octets that were read and consumed.
    pub received: u64,
    /// Octets that the kernel took.
    pub sent: u64,
    /// The far end has ended its stream.
    pub eof: bool,
    /// The connection broke.
    pub reset: bool,
    /// Our socket is closed.
    pub closed: bool,
}

#[derive(Debug)]
struct Entry {
    local: SocketAddr,
    remote: SocketAddr,
    counters: Arc<Counters>,
    closed: bool,
    shown_closed: bool,
}

#[derive(Debug, Default)]
struct State {
    entries: Mutex<BTreeMap<ConnectionId, Entry>>,
    emptied: Notify,
}

/// The connections of one member.
#[derive(Clone, Debug)]
pub struct Registry {
    state: Arc<State>,
    keeps_closed: bool,
}

impl Registry {
    /// No connections. One that `keeps_closed` shows a closed connection until it was shown as such.
    #[must_use]
    pub fn new(keeps_closed: bool) -> Self {
        Self { state: Arc::default(), keeps_closed }
    }

    /// Adds an open connection; it is closed when the result is dropped.
    pub(super) fn add(
        &self,
        connection: ConnectionId,
        local: SocketAddr,
        remote: SocketAddr,
        counters: Arc<Counters>,
    ) -> Registered {
        let entry = Entry { local, remote, counters, closed: false, shown_closed: false };
        let previous = self.entries(|entries| entries.insert(connection, entry));
        assert!(previous.is_none(), "a connection is never named twice");
        Registered { registry: self.clone(), connection }
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.entries(|entries| entries.values().filter(|entry| !entry.closed).count())
    }

    /// A number that grows with every connection and every octet. Entries of closed connections count
    /// until they are forgotten.
    #[must_use]
    pub fn activity(&self) -> u64 {
        self.entries(|entries| {
            entries.values().fold(entries.len() as u64, |sum, entry| {
                let octets = entry.counters.received.load(Ordering::SeqCst)
                    + entry.counters.sent.load(Ordering::SeqCst);
                sum + octets + u64::from(entry.closed)
            })
        })
    }

    /// Completes when no connection is open.
    pub async fn all_closed(&self) {
        while self.open() > 0 {
            self.state.emptied.notified().await;
        }
    }

    /// All connections. Those that an earlier snapshot has shown as closed are forgotten first.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Shown> {
        clause!(CO_007);
        self.entries(|entries| {
            entries.retain(|_, entry| !entry.shown_closed);
            entries.values_mut().map(Entry::show).collect()
        })
    }

    fn close(&self, connection: ConnectionId) {
        self.entries(|entries| {
            if self.keeps_closed {
                entries.entry(connection).and_modify(|entry| entry.closed = true);
            } else {
                entries.remove(&connection);
            }
        });
        self.state.emptied.notify_one();
    }

    fn entries<R>(&self, change: impl FnOnce(&mut BTreeMap<ConnectionId, Entry>) -> R) -> R {
        change(&mut self.state.entries.lock().expect("no holder of this lock panics"))
    }
}

impl Entry {
    fn show(&mut self) -> Shown {
        self.shown_closed = self.closed;
        Shown {
            local: self.local,
            remote: self.remote,
            received: self.counters.received.load(Ordering::SeqCst),
            sent: self.counters.sent.load(Ordering::SeqCst),
            eof: self.counters.eof.load(Ordering::SeqCst),
            reset: self.counters.reset.load(Ordering::SeqCst),
            closed: self.closed,
        }
    }
}

/// Held by the task of a connection for as long as its socket is open.
#[derive(Debug)]
pub(super) struct Registered {
    registry: Registry,
    connection: ConnectionId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.close(self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CO-007
    #[test]
    fn a_closed_connection_is_shown_once_more() {
        let registry = Registry::new(true);
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let counters = Arc::new(Counters::default());
        let open = registry.add(ConnectionId(1), address, address, Arc::clone(&counters));
        counters.add_received(3);
        assert_eq!(registry.open(), 1);
        drop(open);
        counters.set_eof();
        assert_eq!(registry.open(), 0);
        let shown = registry.snapshot();
        assert_eq!(shown.len(), 1);
        assert!(shown[0].closed && shown[0].eof && !shown[0].reset);
        assert_eq!((shown[0].received, shown[0].sent), (3, 0));
        assert_eq!(registry.snapshot(), []);
    }
}
