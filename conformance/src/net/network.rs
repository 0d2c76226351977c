//! The links between nodes: every octet from one to another passes through the suite, which counts and
//! records it, and may keep it back.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::Ledger;
use super::admit::accept;
use super::rule::{Port, Rule};
use super::shared::{Path, Shared, Target, break_off};
use crate::event::Event;
use crate::log::Recorder;
use crate::security::Authority;

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

impl Network {
    /// Without links.
    pub(crate) fn new(
        recorder: &Recorder,
        ledger: &Ledger,
        connect: Duration,
        authority: Option<Arc<Authority>>,
    ) -> Self {
        let shared = Shared::new(recorder, ledger, connect, authority);
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
