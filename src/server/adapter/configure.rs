//! `configure`: what the suite says in JSON becomes a [`Configuration`].

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::configuration::{Configuration, Listen, OutsideTrust, Peer, ProcessSection};
use super::super::identity::Credentials;
use super::request::Refused;
use crate::clause;
use crate::protocol::faults::Faults;
use crate::protocol::member::{Limits, MemberConfig, Policy, Security};
use crate::protocol::networks::Network;
use crate::protocol::organization::Organization;
use crate::wire::ids::{ConnectorName, MemberName};

/// The store of leased accounts, in the directory of the member: the suite plays all others.
const SHARED: &str = "shared";

/// A member that may be started.
#[derive(Debug)]
pub(super) struct Configured {
    /// For the shell.
    pub(super) configuration: Arc<Configuration>,
    /// Where the clock starts.
    pub(super) now_us: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    member: MemberName,
    organization: Organization,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    limits: Limits,
    listen: AskedListen,
    #[serde(default)]
    source: Option<IpAddr>,
    #[serde(default)]
    peers: Vec<AskedPeer>,
    #[serde(default)]
    via: Vec<AskedVia>,
    dir: PathBuf,
    security: AskedSecurity,
    #[serde(default)]
    now_us: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedListen {
    smtp: SocketAddr,
    #[serde(default)]
    deliver: Option<SocketAddr>,
    #[serde(default)]
    group: Option<SocketAddr>,
    #[serde(default)]
    submission: Option<SocketAddr>,
    #[serde(default)]
    submissions: Option<SocketAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedPeer {
    member: MemberName,
    #[serde(default)]
    address: Option<IpAddr>,
    #[serde(default)]
    smtp: Option<SocketAddr>,
    #[serde(default)]
    deliver: Option<SocketAddr>,
    #[serde(default)]
    group: Option<SocketAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedVia {
    connector: ConnectorName,
    target: MemberName,
    address: SocketAddr,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`security` is \"address\" or {ca_pem, certificate_pem, key_pem}")]
enum AskedSecurity {
    Word(AskedWord),
    Certificates { ca_pem: String, certificate_pem: String, key_pem: String },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AskedWord {
    Address,
}

impl AskedSecurity {
    fn credentials(self) -> Option<Credentials> {
        match self {
            Self::Word(AskedWord::Address) => None,
            Self::Certificates { ca_pem, certificate_pem, key_pem } => {
                Some(Credentials { ca_pem, certificate_pem, key_pem })
            }
        }
    }
}

/// Checks everything and changes nothing.
pub(super) fn configure(body: &Map<String, Value>, faults: &Faults) -> Result<Configured, Refused> {
    let asked: Asked = serde_json::from_value(Value::Object(body.clone()))
        .map_err(|error| wrong(format!("`configure`: {error}")))?;
    let problems: Vec<String> = asked
        .organization
        .check()
        .into_iter()
        .map(|error| format!("organization.{}: {}", error.place, error.problem))
        .collect();
    if !problems.is_empty() && !faults.is_on("settings-not-checked") {
        return Err(wrong(problems.join("; ")));
    }
    if asked.organization.group_of(&asked.member).is_none() {
        return Err(wrong(format!("`{}` is a member of no group", asked.member)));
    }
    let anywhere = SocketAddr::new(asked.listen.smtp.ip(), 0);
    clause!(CO_014);
    let credentials = asked.security.credentials();
    if let Some(Err(error)) = credentials.as_ref().map(Credentials::identity) {
        return Err(wrong(format!("security: {error}")));
    }
    if credentials.is_none() && asked.listen.submissions.is_some() {
        return Err(wrong("listen.submissions: needs TLS, and `security` is \"address\""));
    }
    let mut policy = asked.policy;
    policy.limits = asked.limits;
    let is_free = |_: &IpAddr| !faults.is_on("members-are-limited");
    let members = asked.peers.iter().filter_map(|peer| peer.address).filter(is_free);
    policy.limits.client.exempt.extend(members.map(Network::from));
    if policy.relay_networks.is_empty() {
        // The suite's clients are no strangers: they come from where the suite has its addresses.
        policy
            .relay_networks
            .extend(["127.0.0.0/8", "::1/128"].iter().flat_map(|own| own.parse::<Network>()));
    }
    let group = asked.organization.group_of(&asked.member);
    let leases = group.is_some_and(|group| group.accounts.is_some());
    let shared = leases.then(|| asked.dir.join(SHARED));
    let configuration = Configuration {
        member: MemberConfig {
            organization: Arc::new(asked.organization),
            member: asked.member,
            security: if credentials.is_some() { Security::Tls } else { Security::Address },
            policy,
            faults: faults.clone(),
        },
        directory: asked.dir,
        listen: Listen {
            smtp: asked.listen.smtp,
            deliver: asked.listen.deliver.unwrap_or(anywhere),
            group: asked.listen.group.unwrap_or(anywhere),
            admin: None,
            submission: asked.listen.submission,
            submissions: asked.listen.submissions,
            health: None,
        },
        peers: peers(asked.peers),
        via: vias(asked.via),
        credentials,
        client_credentials: None,
        allow_development_ca: true,
        trust: OutsideTrust::default(),
        process: ProcessSection::default(),
        source: asked.source,
        time_scale: 1.0,
        filter: None,
        etcd: None,
        shared,
    };
    Ok(Configured { configuration: Arc::new(configuration), now_us: asked.now_us })
}

fn wrong(text: impl core::fmt::Display) -> Refused {
    Refused::new("bad-configuration", text)
}

fn peers(asked: Vec<AskedPeer>) -> BTreeMap<MemberName, Peer> {
    let peer = |peer: AskedPeer| {
        let AskedPeer { member, address, smtp, deliver, group } = peer;
        (member, Peer { smtp, deliver, group, address })
    };
    asked.into_iter().map(peer).collect()
}

fn vias(asked: Vec<AskedVia>) -> BTreeMap<(ConnectorName, MemberName), SocketAddr> {
    asked.into_iter().map(|via| ((via.connector, via.target), via.address)).collect()
}
