//! What the threads of the network share.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Ledger;
use super::rule::{Port, Rule};
use super::wire::reset;
use crate::log::Recorder;
use crate::security::Authority;

/// A connection that is open: what is needed to break it off.
pub(super) struct Open {
    pub(super) link: String,
    pub(super) sockets: Vec<TcpStream>,
    pub(super) entries: Vec<usize>,
}

/// What all threads of the network share, and change only under its lock.
#[derive(Default)]
pub(super) struct State {
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) targets: BTreeMap<(String, Port), SocketAddr>,
    pub(super) open: BTreeMap<String, Open>,
    pub(super) started: bool,
    /// Nodes are being moved to another time: nothing passes between one that is there and one that
    /// is not.
    pub(super) paused: bool,
    pub(super) stopped: bool,
    /// Octets that were read and are not yet written, or withheld; and connections that are being admitted.
    pub(super) under_way: u64,
}

/// What all threads of the network share.
pub(super) struct Shared {
    pub(super) recorder: Recorder,
    pub(super) ledger: Ledger,
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    pub(super) connect: Duration,
    /// Where members prove their names by certificates.
    pub(super) authority: Option<Arc<Authority>>,
}

/// Where a link leads.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) link: String,
    /// The member from which it leads, and its address.
    pub(super) source: (String, Ipv4Addr),
    pub(super) target: Target,
}

/// Who is at the end of a link.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Node(String, Port),
    Suite(Sender<(String, TcpStream)>),
}

impl Shared {
    /// Without a connection.
    pub(super) fn new(
        recorder: &Recorder,
        ledger: &Ledger,
        connect: Duration,
        authority: Option<Arc<Authority>>,
    ) -> Self {
        Self {
            recorder: recorder.clone(),
            ledger: ledger.clone(),
            state: Mutex::default(),
            changed: Condvar::new(),
            connect,
            authority,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, once nothing is paused.
    pub(super) fn unpaused(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.paused && !state.stopped {
            state = self.wait(state);
        }
        state
    }

    pub(super) fn wait<'a>(&self, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resets both ends of a connection and forgets it.
pub(super) fn break_off(shared: &Shared, state: &mut State, name: &str) {
    let Some(open) = state.open.remove(name) else { return };
    for entry in open.entries {
        shared.ledger.change(entry, |half| half.gone = true);
    }
    for socket in &open.sockets {
        reset(socket);
    }
}
