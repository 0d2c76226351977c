//! `member.toml`, section by section.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::outside::OutsideSection;
use crate::protocol::member::{Limits, Policy, Security};
use crate::wire::ids::{ConnectorName, MemberName};

/// The only value of `format` that this version reads.
pub const MEMBER_FORMAT: u32 = 1;

/// The file as it stands.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberFile {
    /// [`MEMBER_FORMAT`].
    pub format: u32,
    /// Who this is.
    pub member: MemberName,
    /// The organization, relative to this file.
    pub organization: PathBuf,
    /// Spool, accounts and sockets, relative to this file.
    pub directory: PathBuf,
    /// `[listen]`.
    pub listen: ListenSection,
    /// `[security]`.
    pub security: SecuritySection,
    /// `[[peer]]`.
    #[serde(default, rename = "peer", skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerSection>,
    /// `[[via]]`.
    #[serde(default, rename = "via", skip_serializing_if = "Vec::is_empty")]
    pub vias: Vec<ViaSection>,
    /// `[policy]`.
    #[serde(default)]
    pub policy: Policy,
    /// `[clock]`.
    #[serde(default)]
    pub clock: ClockSection,
    /// `[limits]`.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// `[[outside]]`.
    #[serde(default, rename = "outside", skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<OutsideSection>,
    /// `[process]`.
    #[serde(default, skip_serializing_if = "ProcessSection::is_empty")]
    pub process: ProcessSection,
    /// `[filter]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSection>,
    /// `[etcd]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<EtcdSection>,
    /// `[accounts]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<AccountsSection>,
}

/// `[accounts]`: where the accounts are that the master of the group leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsSection {
    /// A directory that every member of the group reaches, relative to this file: on one host, or on a file system
    /// whose locks hold between hosts and whose `fsync` is true.
    pub shared: PathBuf,
}

/// `[etcd]`: where the etcd is that decides who is the master of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EtcdSection {
    /// `http://HOST:PORT`, one or more of the same cluster.
    pub endpoints: Vec<String>,
    /// What the keys begin with.
    #[serde(default = "default_prefix")]
    pub prefix: String,
}

fn default_prefix() -> String {
    String::from("/bridgehead")
}

impl EtcdSection {
    /// The one that listens there, below the default prefix.
    #[must_use]
    pub fn at(endpoints: Vec<String>) -> Self {
        Self { endpoints, prefix: default_prefix() }
    }
}

/// `[process]`: as whom the member runs when root has started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessSection {
    /// The user, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group, by name; without it, that of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl ProcessSection {
    /// Whether nothing is said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.user.is_none() && self.group.is_none()
    }
}

/// `[listen]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenSection {
    /// `IP:PORT`.
    pub smtp: SocketAddr,
    /// `IP:PORT`.
    pub deliver: SocketAddr,
    /// `IP:PORT`.
    pub group: SocketAddr,
    /// Relative to `directory`.
    #[serde(default)]
    pub admin: Option<PathBuf>,
    /// `IP:PORT` for clients that log in, 587 as a rule: in clear until STARTTLS.
    #[serde(default)]
    pub submission: Option<SocketAddr>,
    /// `IP:PORT` for clients that log in, 465 as a rule: under TLS from the start.
    #[serde(default)]
    pub submissions: Option<SocketAddr>,
    /// `IP:PORT` where it is said by HTTP whether the member lives, and takes mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<SocketAddr>,
}

impl ListenSection {
    /// The listeners, by the names of their keys.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let named = [
            ("smtp", Some(self.smtp)),
            ("deliver", Some(self.deliver)),
            ("group", Some(self.group)),
            ("submission", self.submission),
            ("submissions", self.submissions),
            ("health", self.health),
        ];
        named.into_iter().filter_map(|(name, address)| Some((name, address?)))
    }
}

/// `[security]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecuritySection {
    /// How members prove their names.
    pub members: Security,
    /// PEM, relative to the file.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// PEM, relative to the file.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// PEM, relative to the file.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Whether a development authority is good enough.
    #[serde(default)]
    pub allow_development_ca: bool,
    /// PEM, relative to the file: what the submission ports show in place of `certificate`.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// PEM, relative to the file.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
}

/// `[[peer]]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSection {
    /// Who.
    pub member: MemberName,
    /// `IP:PORT`.
    #[serde(default)]
    pub smtp: Option<SocketAddr>,
    /// `IP:PORT`.
    #[serde(default)]
    pub deliver: Option<SocketAddr>,
    /// `IP:PORT`.
    #[serde(default)]
    pub group: Option<SocketAddr>,
    /// `IP`.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

/// `[[via]]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViaSection {
    /// Which connector.
    pub connector: ConnectorName,
    /// Which of its targets.
    pub target: MemberName,
    /// `IP:PORT` to use in place of the target's SMTP address.
    pub address: SocketAddr,
}

/// `[filter]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterSection {
    /// The program, an absolute path, and its arguments.
    pub command: Vec<String>,
    /// How long it may take for an answer.
    #[serde(default = "default_time_limit_s")]
    pub time_limit_s: u32,
    /// How many questions it has at a time.
    #[serde(default = "default_at_once")]
    pub at_once: u32,
}

const fn default_time_limit_s() -> u32 {
    60
}

const fn default_at_once() -> u32 {
    10
}

/// `[clock]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockSection {
    /// How many seconds the member lives through in one real second.
    pub scale: f64,
}

impl Default for ClockSection {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// What a member is told of its filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterConfiguration {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long it may take for an answer.
    pub time_limit: Duration,
    /// How many questions it has at a time.
    pub at_once: usize,
}
