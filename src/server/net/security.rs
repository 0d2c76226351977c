//! Who the far end of a connection is, and TLS on it.

use core::fmt;
use core::net::IpAddr;
use std::io;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::End;
use super::stream::{Counted, Stream};
use crate::clause;
use crate::protocol::faults::Faults;
use crate::protocol::member::{ClientLimits, Port, host_of};
use crate::server::configuration::Configuration;
use crate::server::identity::{Identity, member_of};
use crate::wire::ids::MemberName;

/// A connection cannot be secured.
#[derive(Debug)]
pub enum SecurityError {
    /// The socket, or TLS on it, failed.
    Io(io::Error),
    /// The organization runs without TLS.
    NoTls,
    /// The far end's name cannot stand in a certificate.
    Name(String),
}

impl fmt::Display for SecurityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NoTls => f.write_str("this member has no certificate"),
            Self::Name(name) => write!(f, "no certificate can prove the name `{name}`"),
        }
    }
}

impl core::error::Error for SecurityError {}

impl From<io::Error> for SecurityError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How members prove their names.
#[derive(Clone, Debug)]
pub struct Security {
    configuration: Arc<Configuration>,
    identity: Option<Identity>,
}

impl Security {
    /// By certificates when there is an `identity`, else by the addresses of the configuration.
    #[must_use]
    pub const fn new(configuration: Arc<Configuration>, identity: Option<Identity>) -> Self {
        Self { configuration, identity }
    }

    /// Whether members speak TLS with each other.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.identity.is_some()
    }

    /// The member that its address proves; nobody where certificates do that.
    #[must_use]
    pub fn member_at(&self, address: IpAddr) -> Option<MemberName> {
        self.configuration.member_at(address.to_canonical()).cloned()
    }

    /// How much one client address may take.
    pub(super) fn client_limits(&self) -> &ClientLimits {
        &self.configuration.member.policy.limits.client
    }

    /// The planted bugs that are on.
    pub(super) fn faults(&self) -> &Faults {
        &self.configuration.member.faults
    }

    /// Starts TLS on a socket. Says which member the far end has proved to be.
    pub(super) async fn secure(
        &self,
        socket: Counted,
        end: &End,
    ) -> Result<(Stream, Option<MemberName>), SecurityError> {
        if let End::Outside(server) = end {
            let connector = TlsConnector::from(self.configuration.outside_tls(server));
            let name = String::from(host_of(server));
            let proved =
                ServerName::try_from(name.clone()).map_err(|_| SecurityError::Name(name))?;
            let stream = TlsStream::Client(connector.connect(proved, socket).await?);
            return Ok((Stream::Tls(Box::new(stream)), None));
        }
        let identity = self.identity.as_ref().ok_or(SecurityError::NoTls)?;
        let stream = match end {
            End::Outside(_) => return Err(SecurityError::NoTls),
            End::Server(port) => {
                let server = match port {
                    Port::Smtp => &identity.open_server,
                    Port::Deliver | Port::Group => &identity.member_server,
                    Port::Submission | Port::Submissions => &identity.client_server,
                };
                let acceptor = TlsAcceptor::from(Arc::clone(server));
                TlsStream::Server(acceptor.accept(socket).await?)
            }
            End::Client(name) => {
                let connector = TlsConnector::from(Arc::clone(&identity.client));
                let proved = ServerName::try_from(name.clone())
                    .map_err(|_| SecurityError::Name(name.clone()))?;
                TlsStream::Client(connector.connect(proved, socket).await?)
            }
        };
        clause!(CO_009);
        let member = stream.get_ref().1.peer_certificates().and_then(|chain| self.named_by(chain));
        Ok((Stream::Tls(Box::new(stream)), member))
    }

    fn named_by(&self, chain: &[CertificateDer<'_>]) -> Option<MemberName> {
        let organization = &self.configuration.member.organization;
        let members = organization.groups.iter().flat_map(|group| &group.members);
        member_of(chain.first()?, members).cloned()
    }
}
