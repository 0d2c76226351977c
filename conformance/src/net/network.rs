//! The links between nodes: every octet from one to another passes through the suite, which counts and
//! records it, and may keep it back.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Ledger;
use super::admit::accept;
use super::rule::{Port, Rule};
use super::wire::reset;
use crate::event::Event;
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
    /// Octets that were read and are not yet written, or withheld.
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

/// All links of one cluster.
#[derive(Clone)]
pub(crate) struct Network {
    shared: Arc<Shared>,
    listeners: Arc<Mutex<Vec<SocketAddr>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
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

impl Network {
    /// Without links.
    pub(crate) fn new(
        recorder: &Recorder,
        ledger: &Ledger,
        connect: Duration,
        authority: Option<Arc<Authority>>,
    ) -> Self {
        let shared = Shared {
            recorder: recorder.clone(),
            ledger: ledger.clone(),
            state: Mutex::default(),
            changed: Condvar::new(),
            connect,
            authority,
        };
        Self { shared: Arc::new(shared), listeners: Arc::default() }
    }

    /// Opens a link: listens at `at`, and dials the target from the address of `source`.
    pub(crate) fn link(
        &self,
        name: &str,
        at: Ipv4Addr,
        source: (&str, Ipv4Addr),
        target: (&str, Port),
    ) -> std::io::Result<SocketAddr> {
        self.open(name, at, source, Target::Node(target.0.to_owned(), target.1))
    }

    /// Opens a link to a member that the suite plays: gives every connection that a node opens, with
    /// its name.
    pub(crate) fn play(
        &self,
        name: &str,
        at: Ipv4Addr,
        source: (&str, Ipv4Addr),
    ) -> std::io::Result<(SocketAddr, Receiver<(String, TcpStream)>)> {
        let (sender, receiver) = channel();
        Ok((self.open(name, at, source, Target::Suite(sender))?, receiver))
    }

    fn open(
        &self,
        name: &str,
        at: Ipv4Addr,
        source: (&str, Ipv4Addr),
        target: Target,
    ) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(at), 0))?;
        let address = listener.local_addr()?;
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        let path = Path { link: name.to_owned(), source: (source.0.to_owned(), source.1), target };
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || accept(&shared, &listener, &path));
        Ok(address)
    }

    /// Says where a port of a node is.
    pub(crate) fn target(&self, node: &str, port: Port, address: SocketAddr) {
        self.shared.lock().targets.insert((node.to_owned(), port), address);
    }

    /// Lets connections through; until then they wait in the listeners' queues.
    pub(crate) fn start(&self) {
        self.shared.lock().started = true;
        self.shared.changed.notify_all();
    }

    /// Lets nothing pass, or lets everything pass again.
    pub(crate) fn pause(&self, paused: bool) {
        self.shared.lock().paused = paused;
        self.shared.changed.notify_all();
    }

    /// Gives a link its first rule, which is nothing that happens in the case.
    pub(crate) fn quietly(&self, link: &str, rule: Rule) {
        self.shared.lock().rules.insert(link.to_owned(), rule);
    }

    /// Changes the rule of a link; what was held goes on if the new rule lets it.
    pub(crate) fn rule(&self, link: &str, rule: Rule) {
        let verb = rule.name().to_owned();
        self.shared.recorder.record(Event::Network { link: link.to_owned(), verb });
        self.shared.lock().rules.insert(link.to_owned(), rule);
        self.shared.changed.notify_all();
    }

    /// Resets every open connection of a link.
    pub(crate) fn reset(&self, link: &str) {
        let verb = "reset".to_owned();
        self.shared.recorder.record(Event::Network { link: link.to_owned(), verb });
        let mut state = self.shared.lock();
        let names: Vec<_> = state
            .open
            .iter()
            .filter(|(_, open)| open.link == link)
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            break_off(&self.shared, &mut state, &name);
        }
    }

    /// Resets what is open and refuses what comes.
    pub(crate) fn cut(&self, link: &str) {
        self.rule(link, Rule::Refuse);
        self.reset(link);
    }

    /// Whether octets wait in the suite itself.
    pub(crate) fn under_way(&self) -> u64 {
        self.shared.lock().under_way
    }

    /// Ends all listeners and connections.
    pub(crate) fn stop(&self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        state.started = true;
        let names: Vec<_> = state.open.keys().cloned().collect();
        for name in names {
            break_off(&self.shared, &mut state, &name);
        }
        drop(state);
        self.shared.changed.notify_all();
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for address in listeners.iter() {
            // Wakes the thread that accepts, which then sees that all is over.
            let _ = TcpStream::connect_timeout(address, Duration::from_millis(200));
        }
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
