//! `member.toml` and `organization.toml`: read, checked, and every error with its file and line.

mod accounts;
mod checks;
mod error;
mod etcd;
mod file;
mod member;
mod organization;
mod outside;
mod ranges;
mod reload;
mod sections;
mod smart_host;
mod submission;

use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;

pub use checks::is_time_scale;
pub use error::{ConfigurationError, report};
pub use file::{Kind, kind_of};
pub use member::load;
pub use organization::load_organization;
pub use outside::{OutsideSection, OutsideTrust};
pub use reload::{complaint, complaint_of_organization, place_in_group, reload};
pub use sections::{
    AccountsSection, ClockSection, EtcdSection, FilterConfiguration, FilterSection, ListenSection,
    MEMBER_FORMAT, MemberFile, PeerSection, ProcessSection, SecuritySection, ViaSection,
};

use crate::protocol::member::{Endpoint, MemberConfig};
use crate::server::identity::{ClientCredentials, Credentials};
use crate::server::shared::remembered;
use crate::wire::ids::{ConnectorName, MemberName};

/// Everything that the runtime of one member is told.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// For the machines.
    pub member: MemberConfig,
    /// Spool, accounts, keys.
    pub directory: PathBuf,
    /// Where it listens.
    pub listen: Listen,
    /// Where the others are.
    pub peers: BTreeMap<MemberName, Peer>,
    /// Addresses that take the place of a target's SMTP address, for one connector.
    pub via: BTreeMap<(ConnectorName, MemberName), SocketAddr>,
    /// With what the member proves its name; `None` where addresses prove names.
    pub credentials: Option<Credentials>,
    /// With what it proves its name to clients of the submission ports, where that is another thing.
    pub client_credentials: Option<ClientCredentials>,
    /// Whether a development authority is good enough.
    pub allow_development_ca: bool,
    /// Whose certificates are good enough outside.
    pub trust: OutsideTrust,
    /// As whom it runs.
    pub process: ProcessSection,
    /// Where outgoing connections come from.
    pub source: Option<IpAddr>,
    /// How many seconds the member lives through in one real second.
    pub time_scale: f64,
    /// The program that judges each message at enqueue.
    pub filter: Option<FilterConfiguration>,
    /// The etcd that decides who is the master of the member's group, where one does.
    pub etcd: Option<EtcdSection>,
    /// What the members of the group share: the accounts that its master leases.
    pub shared: Option<PathBuf>,
}

/// Where a member listens. Port 0 lets the system pick one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// SMTP, for clients and members.
    pub smtp: SocketAddr,
    /// The delivery port, for members.
    pub deliver: SocketAddr,
    /// The group port, for members of the group.
    pub group: SocketAddr,
    /// The admin socket, a path.
    pub admin: Option<PathBuf>,
    /// SMTP for clients that log in, in clear at first.
    pub submission: Option<SocketAddr>,
    /// SMTP for clients that log in, under TLS from the start.
    pub submissions: Option<SocketAddr>,
    /// HTTP, for those who watch the member.
    pub health: Option<SocketAddr>,
}

/// Where another member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its SMTP port.
    pub smtp: Option<SocketAddr>,
    /// Its delivery port.
    pub deliver: Option<SocketAddr>,
    /// Its group port.
    pub group: Option<SocketAddr>,
    /// The address that it connects from, where addresses prove names.
    pub address: Option<IpAddr>,
}

impl Configuration {
    /// The directory of the spool.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.directory.join("spool")
    }

    /// Whether the master of the member's group leases accounts.
    #[must_use]
    pub fn leases_accounts(&self) -> bool {
        let group = self.member.organization.group_of(&self.member.member);
        group.is_some_and(|group| group.accounts.is_some())
    }

    /// The identity of the store of leased accounts, where the organization names it.
    #[must_use]
    pub fn named_store(&self) -> Option<&str> {
        let group = self.member.organization.group_of(&self.member.member)?;
        group.accounts.as_ref()?.store.as_deref()
    }

    /// The identity of the store of leased accounts that this member has used; none where it has used none.
    ///
    /// # Errors
    /// What it remembers cannot be read.
    pub fn used_store(&self) -> io::Result<Option<String>> {
        self.shared.as_ref().map_or(Ok(None), |_| remembered(&self.directory))
    }

    /// The socket address behind an endpoint. `None` when none is configured, and for an outside
    /// server that is given by name: the caller asks the resolver for that.
    #[must_use]
    pub fn resolve(&self, endpoint: &Endpoint) -> Option<SocketAddr> {
        match endpoint {
            Endpoint::Connector(connector, target) => {
                let via = self.via.get(&(connector.clone(), target.clone()));
                via.copied().or_else(|| self.peers.get(target)?.smtp)
            }
            Endpoint::Member(member) | Endpoint::Frontend(member) => self.peers.get(member)?.smtp,
            Endpoint::Deliver(host) => match self.member.organization.store(host) {
                Some(store) => store.lmtp.parse().ok(),
                None => self.peers.get(host)?.deliver,
            },
            Endpoint::Group(member)
            | Endpoint::Consult(member)
            | Endpoint::Convene(member)
            | Endpoint::Tenant(member) => self.peers.get(member)?.group,
            Endpoint::Outside(address) => address.parse().ok(),
        }
    }

    /// TLS with the outside server `HOST:PORT`.
    #[must_use]
    pub fn outside_tls(&self, server: &str) -> Arc<ClientConfig> {
        self.trust.of(self.member.policy.outside_of(server))
    }

    /// The member that connects from `address`, where addresses prove names.
    #[must_use]
    pub fn member_at(&self, address: IpAddr) -> Option<&MemberName> {
        if self.credentials.is_some() {
            return None;
        }
        let mut there = self.peers.iter().filter(|(_, peer)| peer.address == Some(address));
        let (first, _) = there.next()?;
        if there.next().is_none() { Some(first) } else { None }
    }
}
