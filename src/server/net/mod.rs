//! Sockets: listeners, outgoing connections, and a task for each connection.
//!
//! Nothing is decided here. A connection's task reads octets, cuts them into units and gives the host
//! loop one unit at a time; it writes what the session says. How a connection is to be read next, when
//! it closes and what is said on it comes from the session, through the host loop.

mod connection;
mod crowd;
mod handle;
mod intake;
mod keepalive;
mod listen;
mod open;
mod outgoing;
mod registry;
mod security;
mod stream;
#[cfg(test)]
mod tests;

use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use tokio::sync::mpsc::UnboundedSender;

use crowd::Crowd;
pub(crate) use handle::Handle;
pub use handle::UNWRITTEN_LIMIT_OCTETS;
pub(crate) use listen::Sockets;
pub use listen::{ListenError, Listeners, name_of};
pub(crate) use open::Target;
pub use registry::{Counters, Registry, Shown};
pub use security::{Security, SecurityError};

use super::bodies::Intake;
use super::clock::Clock;
use super::runtime::ToHost;
use super::spool::Spool;
use super::tokens::Tokens;
use crate::kernel::Span;
use crate::protocol::member::Port;
use crate::protocol::server::{Partials, Server};
use crate::wire::ids::ConnectionId;

/// The most connections from others at a time at one port. More wait in the backlog of its listener. Each
/// port has a limit of its own, so that clients who crowd one of them do not silence the others. Each
/// connection may take two files, itself and a large body, and a daemon raises its limit of open files as
/// far as it may. Where that is not far enough, bodies are refused, and nothing else fails.
pub(crate) const fn connections_limit(port: Port) -> usize {
    match port {
        Port::Smtp => 600,
        Port::Deliver => 200,
        Port::Group => 100,
        Port::Submission | Port::Submissions => 300,
    }
}
/// A connection is read ahead of its session up to this many octets, to notice its end.
pub const UNREAD_LIMIT_OCTETS: usize = 64 * 1024;
/// How long a connection may take to open, with its TLS handshake where TLS comes first.
pub const OPENING_LIMIT: Span = Span::seconds(10);
/// How long a closed connection may take to write what waits and to be closed by the far end.
pub const LINGER: Span = Span::seconds(10);

/// Which end of a connection we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// They opened it, to this port of ours.
    Server(Port),
    /// We opened it, to the host of this name.
    Client(String),
    /// We opened it, to the outside server `HOST:PORT`.
    Outside(String),
}

/// What all connections of one member share.
pub(crate) struct Network {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: Tokens,
    pub(crate) registry: Registry,
    pub(crate) spool: Arc<dyn Spool<Server>>,
    security: RwLock<Arc<Security>>,
    /// The address from which we open connections.
    pub(crate) source: Option<IpAddr>,
    host: UnboundedSender<ToHost>,
    crowd: Crowd,
    /// The last number that an accepted connection was given.
    accepted: AtomicU64,
    /// What has come of bodies whose connections broke. It goes with the process: the files have names
    /// that the next start removes.
    partials: Mutex<Partials<Intake>>,
}

impl Network {
    /// A network without connections. `host` leads to the host loop.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        tokens: Tokens,
        registry: Registry,
        spool: Arc<dyn Spool<Server>>,
        security: Security,
        source: Option<IpAddr>,
        host: UnboundedSender<ToHost>,
    ) -> Self {
        let accepted = AtomicU64::new(1);
        let partials = Mutex::default();
        let security = RwLock::new(Arc::new(security));
        let crowd = Crowd::default();
        Self { clock, tokens, registry, spool, security, source, host, crowd, accepted, partials }
    }

    fn partials(&self) -> MutexGuard<'_, Partials<Intake>> {
        self.partials.lock().expect("no holder of this lock panics")
    }

    /// Who the far ends are, and TLS, by the present configuration.
    pub(crate) fn security(&self) -> Arc<Security> {
        Arc::clone(&self.security.read().expect("no holder of this lock panics"))
    }

    /// The configuration is another one. What is open goes on as it is.
    pub(crate) fn reconfigure(&self, security: Security) {
        let mut held = self.security.write().expect("no holder of this lock panics");
        *held = Arc::new(security);
    }

    /// Tells the host loop; a host loop that has stopped needs no telling.
    pub(crate) fn tell(&self, what: ToHost) {
        let _ = self.host.send(what);
    }

    /// The next odd number: connections that we open have even ones. Orders have such a number, too.
    pub(crate) fn name_accepted(&self) -> ConnectionId {
        ConnectionId(self.accepted.fetch_add(2, Ordering::Relaxed))
    }
}
