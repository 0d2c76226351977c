//! Listeners.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::connection::Connection;
use super::crowd::{Present, TOO_MANY_CONNECTIONS};
use super::handle;
use super::keepalive::prepare;
use super::registry::Counters;
use super::stream::{Counted, Stream};
use super::{End, Network, connections_limit};
use crate::clause;
use crate::protocol::member::Port;
use crate::server::clock::within_real_time;
use crate::server::runtime::ToHost;
use crate::server::tokens::{Kind, Token};
use crate::wire::ids::{ConnectionId, MemberName};

/// How long accepting rests when the system has no file or memory left for a connection.
const REST: Duration = Duration::from_millis(100);

/// An address cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// For which port.
    pub port: Port,
    /// Which address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = name_of(self.port);
        let address = self.address;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                write!(f, "cannot listen on {address} ({port}): another process listens there")
            }
            _ => write!(f, "cannot listen on {address} ({port}): {}", self.source),
        }
    }
}

impl core::error::Error for ListenError {}

/// Whether a client on this port speaks before TLS.
const fn is_clear_at_first(port: Port) -> bool {
    matches!(port, Port::Smtp | Port::Submission)
}

/// What a port is called in configuration, log and adapter.
#[must_use]
pub const fn name_of(port: Port) -> &'static str {
    match port {
        Port::Smtp => "smtp",
        Port::Deliver => "deliver",
        Port::Group => "group",
        Port::Submission => "submission",
        Port::Submissions => "submissions",
    }
}

/// Bound listeners outside any runtime.
pub(crate) type Sockets = Vec<(Port, std::net::TcpListener)>;

/// Bound listeners that accept nothing yet.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<(Port, TcpListener, SocketAddr)>,
}

impl Listeners {
    /// Binds one listener for each port.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub async fn bind(addresses: &BTreeMap<Port, SocketAddr>) -> Result<Self, ListenError> {
        let mut sockets = Vec::new();
        for (&port, &address) in addresses {
            let error = |source| ListenError { port, address, source };
            let listener = TcpListener::bind(address).await.map_err(error)?;
            let bound = listener.local_addr().map_err(error)?;
            sockets.push((port, listener, bound));
        }
        Ok(Self { sockets })
    }

    /// Takes the listeners out of the runtime in which they were bound.
    ///
    /// # Errors
    /// The system does not let go of one.
    pub(crate) fn into_sockets(self) -> io::Result<Sockets> {
        let sockets = self.sockets.into_iter();
        sockets.map(|(port, listener, _)| Ok((port, listener.into_std()?))).collect()
    }

    /// Takes bound listeners into the runtime at hand.
    ///
    /// # Errors
    /// The runtime does not take one.
    pub(crate) fn from_sockets(sockets: Sockets) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(|(port, socket)| {
            let listener = TcpListener::from_std(socket)?;
            let bound = listener.local_addr()?;
            Ok((port, listener, bound))
        });
        Ok(Self { sockets: sockets.collect::<io::Result<_>>()? })
    }

    /// The addresses, with the port numbers that the system chose.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<Port, SocketAddr> {
        self.sockets.iter().map(|(port, _, address)| (*port, *address)).collect()
    }

    /// Accepts until `stop` changes or its sender is gone; then the listeners are closed.
    pub(crate) fn accept(self, network: &Arc<Network>, stop: &watch::Receiver<bool>) {
        for (port, listener, _) in self.sockets {
            let (network, mut stop) = (Arc::clone(network), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    _ = stop.changed() => {}
                    () = accept_all(&network, port, &listener) => {}
                }
            });
        }
    }
}

async fn accept_all(network: &Arc<Network>, port: Port, listener: &TcpListener) {
    let permits = Arc::new(Semaphore::new(connections_limit(port)));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, remote)) => {
                let token = network.tokens.take(Kind::Input);
                accepted(network, port, socket, remote, permit, token);
            }
            Err(error) => {
                tracing::warn!(port = name_of(port), %error, "a connection was not accepted");
                let _ = within_real_time(REST, core::future::pending::<()>()).await;
            }
        }
    }
}

/// One connection that was accepted.
struct Arrival {
    network: Arc<Network>,
    id: ConnectionId,
    port: Port,
    remote: SocketAddr,
    place: Place,
}

/// What a connection takes of its port, and of what its address may have.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _present: Present,
}

fn accepted(
    network: &Arc<Network>,
    port: Port,
    socket: TcpStream,
    remote: SocketAddr,
    permit: OwnedSemaphorePermit,
    token: Token,
) {
    let Ok(local) = socket.local_addr() else { return };
    let security = network.security();
    let Some(present) = network.crowd.enter(remote.ip(), security.client_limits()) else {
        tracing::info!(port = name_of(port), address = %remote.ip(), "too many connections");
        if is_clear_at_first(port) {
            // What a new socket has no room for needs no waiting: the client reads the end all the same.
            let _ = socket.try_write(TOO_MANY_CONNECTIONS);
        }
        return;
    };
    prepare(&socket);
    let counters = Arc::new(Counters::default());
    let id = network.name_accepted();
    let registered = network.registry.add(id, local, remote, Arc::clone(&counters));
    let stream = Counted::new(socket, counters);
    let place = Place { _permit: permit, _present: present };
    let arrival = Arrival { network: Arc::clone(network), id, port, remote, place };
    let member = security.member_at(remote.ip());
    if is_clear_at_first(port) || !security.is_tls() {
        tokio::spawn(arrival.serve(Stream::Plain(stream), registered, member, token));
        return;
    }
    let (cancel, cancelled) = oneshot::channel();
    network.tell(ToHost::Arriving { connection: id, cancel });
    let handshake = token.into_kind(Kind::Handshake);
    tokio::spawn(async move {
        clause!(CO_009);
        let (network, end) = (Arc::clone(&arrival.network), End::Server(port));
        let secured = tokio::select! {
            _ = cancelled => return,
            secured = security.secure(stream, &end) => secured,
        };
        match secured {
            Ok((stream, member)) => {
                let token = handshake.into_kind(Kind::Input);
                arrival.serve(stream, registered, member, token).await;
            }
            Err(error) => {
                tracing::info!(connection = id.0, %remote, %error, "TLS failed");
                network.tell(ToHost::NotArrived { connection: id });
            }
        }
    });
}

impl Arrival {
    async fn serve(
        self,
        stream: Stream,
        registered: super::registry::Registered,
        member: Option<MemberName>,
        token: Token,
    ) {
        let (handle, tasks) = handle::pair(Some(self.remote.ip()));
        self.network.tell(ToHost::Accepted {
            connection: self.id,
            port: self.port,
            remote: self.remote,
            member,
            handle,
            token,
        });
        let place = Some(self.place);
        let end = End::Server(self.port);
        Connection::new(self.network, self.id, end, stream, tasks, registered, place).run().await;
    }
}
