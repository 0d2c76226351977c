//! Connections that we open.

use core::convert::Infallible;
use core::net::{IpAddr, SocketAddr};
use std::io;
use std::sync::Arc;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::oneshot;

use super::connection::Connection;
use super::handle;
use super::keepalive::prepare;
use super::registry::{Counters, Registered};
use super::stream::{Counted, Stream};
use super::{End, Network, SecurityError};
use crate::clause;
use crate::kernel::LinkChange;
use crate::server::runtime::ToHost;
use crate::server::tokens::{Kind, Token};
use crate::wire::ids::ConnectionId;

/// Where a connection is opened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// The name that the far end has to prove under TLS.
    pub(crate) name: String,
    /// TLS comes before anything else.
    pub(crate) is_tls: bool,
    /// It is no member: `address` says whose TLS is how good.
    pub(crate) is_outside: bool,
}

impl Network {
    /// Opens a connection. The host is told what came of it; it stops the attempt by dropping the
    /// result.
    pub(crate) fn open(
        self: &Arc<Self>,
        connection: ConnectionId,
        target: Target,
        token: Token,
    ) -> oneshot::Sender<Infallible> {
        assert_eq!(connection.0 % 2, 0, "connections that we open have even numbers");
        let (cancel, cancelled) = oneshot::channel();
        let network = Arc::clone(self);
        tokio::spawn(async move {
            let token = token.into_kind(Kind::Connect);
            let opened = tokio::select! {
                _ = cancelled => return,
                opened = network.reach(connection, &target) => opened,
            };
            network.settle(connection, target, opened, token).await;
        });
        cancel
    }

    async fn settle(
        self: Arc<Self>,
        connection: ConnectionId,
        target: Target,
        opened: Result<(Stream, Registered), SecurityError>,
        token: Token,
    ) {
        let token = token.into_kind(Kind::Input);
        let (stream, registered) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::info!(connection = connection.0, to = target.address, %error, "not opened");
                let change = match &error {
                    SecurityError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                        LinkChange::TimedOut
                    }
                    _ => LinkChange::Refused,
                };
                self.tell(ToHost::NotOpened { connection, change, token });
                return;
            }
        };
        let (handle, tasks) = handle::pair(None);
        self.tell(ToHost::Opened { connection, handle, token });
        let end =
            if target.is_outside { End::Outside(target.address) } else { End::Client(target.name) };
        Connection::new(self, connection, end, stream, tasks, registered, None).run().await;
    }

    async fn reach(
        &self,
        connection: ConnectionId,
        target: &Target,
    ) -> Result<(Stream, Registered), SecurityError> {
        let socket = self.connect(&target.address).await?;
        let (local, remote) = (socket.local_addr()?, socket.peer_addr()?);
        prepare(&socket);
        let counters = Arc::new(Counters::default());
        let registered = self.registry.add(connection, local, remote, Arc::clone(&counters));
        let stream = Counted::new(socket, counters);
        if !target.is_tls {
            return Ok((Stream::Plain(stream), registered));
        }
        clause!(CO_009);
        let end = End::Client(target.name.clone());
        let (stream, _) = self.security().secure(stream, &end).await?;
        Ok((stream, registered))
    }

    async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses_of(address).await? {
            match self.connect_to(address).await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // From a loopback address the rest of the world cannot be reached.
        let leads = |source: &IpAddr| {
            source.is_ipv4() == address.is_ipv4()
                && (!source.is_loopback() || address.ip().is_loopback())
        };
        if let Some(source) = self.source.filter(leads) {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.connect(address).await
    }
}

async fn addresses_of(address: &str) -> io::Result<Vec<SocketAddr>> {
    // A literal address needs no resolver, and so no thread.
    if let Ok(address) = address.parse() {
        return Ok(vec![address]);
    }
    Ok(lookup_host(address).await?.collect())
}
