//! Who listens where, and the files that say so.

use core::net::{Ipv4Addr, SocketAddr};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ports::hold_free_port;
use crate::protocol::member::{Limits, Policy, Security};
use crate::protocol::organization::{BackEnd, Organization};
use crate::server::configuration::{
    AccountsSection, ClockSection, EtcdSection, ListenSection, MEMBER_FORMAT, MemberFile,
    PeerSection, ProcessSection, SecuritySection, ViaSection,
};
use crate::server::identity::DevelopmentCa;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};

/// The version of `cluster.json`.
pub const PLAN_FORMAT: u32 = 1;
const PLAN: &str = "cluster.json";
const ORGANIZATION: &str = "organization.toml";
/// Ports are given in steps of this size, so that a person can remember them.
const PORTS_OF_A_MEMBER: u16 = 10;
/// The longest path of a Unix socket that every system takes.
const SOCKET_PATH_LIMIT: usize = 100;

/// Who listens where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The name of the organization.
    pub organization: String,
    /// Every member, in the order of the file.
    pub members: Vec<PlannedMember>,
    /// Every relay, in the order of the connectors.
    pub relays: Vec<PlannedRelay>,
    /// Where etcd is, for the members that ask it.
    #[serde(default = "local_etcd", skip_serializing_if = "is_local_etcd")]
    pub etcd: Vec<String>,
}

/// An etcd with its default settings, on this host.
fn local_etcd() -> Vec<String> {
    vec![String::from("http://127.0.0.1:2379")]
}

fn is_local_etcd(endpoints: &[String]) -> bool {
    *endpoints == local_etcd()
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMember {
    /// Its name.
    pub name: MemberName,
    /// Its group.
    pub group: GroupName,
    /// SMTP port.
    pub smtp: SocketAddr,
    /// Delivery port.
    pub deliver: SocketAddr,
    /// Group port.
    pub group_port: SocketAddr,
    /// Submission port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<SocketAddr>,
    /// Whether etcd decides who is the master of its group.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub asks_etcd: bool,
    /// Whether the master of its group leases accounts, which the members share.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub shares_accounts: bool,
}

/// One relay: a connector to one of its targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRelay {
    /// The connector.
    pub connector: ConnectorName,
    /// The group that connects.
    pub from: GroupName,
    /// The group that is connected to.
    pub to: GroupName,
    /// The target bridgehead.
    pub target: MemberName,
    /// Where the relay listens.
    pub listen: SocketAddr,
    /// The SMTP port of the target.
    pub forward: SocketAddr,
}

impl PlannedMember {
    /// The directory of the member.
    #[must_use]
    pub fn directory(&self, cluster: &Path) -> PathBuf {
        cluster.join(self.name.as_str())
    }

    /// Its `member.toml`.
    #[must_use]
    pub fn file(&self, cluster: &Path) -> PathBuf {
        self.directory(cluster).join("member.toml")
    }

    /// Where it keeps spool and accounts.
    #[must_use]
    pub fn state(&self, cluster: &Path) -> PathBuf {
        self.directory(cluster).join("state")
    }

    /// Its admin socket.
    #[must_use]
    pub fn admin_socket(&self, cluster: &Path) -> PathBuf {
        self.state(cluster).join("admin.sock")
    }
}

/// Hands out loopback addresses: from a base upwards, or whatever is free.
struct Ports {
    next: Option<u16>,
    /// Held until the plan is made, so that nobody else takes them meanwhile.
    held: Vec<TcpListener>,
}

impl Ports {
    fn take(&mut self) -> Result<SocketAddr, String> {
        let listener = match self.next {
            Some(port) => {
                let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                TcpListener::bind(wanted)
                    .map_err(|error| format!("{wanted}: cannot listen: {error}"))?
            }
            None => hold_free_port()?,
        };
        let address = listener.local_addr().map_err(|error| format!("127.0.0.1: {error}"))?;
        self.held.push(listener);
        self.skip(1)?;
        Ok(address)
    }

    fn skip(&mut self, count: u16) -> Result<(), String> {
        let Some(next) = self.next else { return Ok(()) };
        self.next = Some(next.checked_add(count).ok_or("no ports are left above --base-port")?);
        Ok(())
    }
}

impl Plan {
    /// Where a cluster keeps its organization.
    #[must_use]
    pub fn organization_file(cluster: &Path) -> PathBuf {
        cluster.join(ORGANIZATION)
    }

    /// Where the members of a group share the accounts that its master leases.
    #[must_use]
    pub fn shared(cluster: &Path, group: &GroupName) -> PathBuf {
        cluster.join(format!("shared-{group}"))
    }

    /// Gives every member and every relay of `organization` its addresses.
    ///
    /// # Errors
    /// A port is in use, or there are not enough.
    pub fn make(organization: &Organization, base: Option<u16>) -> Result<Self, String> {
        let mut ports = Ports { next: base, held: Vec::new() };
        let mut members = Vec::new();
        for group in &organization.groups {
            let back_end = group.election.as_ref().map(|election| election.back_end);
            for name in &group.members {
                ports.skip(1)?;
                let member = PlannedMember {
                    name: name.clone(),
                    group: group.name.clone(),
                    smtp: ports.take()?,
                    deliver: ports.take()?,
                    group_port: ports.take()?,
                    submission: Some(ports.take()?),
                    asks_etcd: back_end == Some(BackEnd::Etcd),
                    shares_accounts: group.accounts.is_some(),
                };
                ports.skip(PORTS_OF_A_MEMBER - 5)?;
                members.push(member);
            }
        }
        ports.skip(1)?;
        let mut relays = Vec::new();
        for connector in &organization.connectors {
            for target in &connector.targets {
                let forward = members.iter().find(|member| member.name == *target);
                relays.push(PlannedRelay {
                    connector: connector.name.clone(),
                    from: connector.from.clone(),
                    to: connector.to.clone(),
                    target: target.clone(),
                    listen: ports.take()?,
                    forward: forward.expect("a checked organization has every target").smtp,
                });
            }
        }
        let organization = organization.name.clone();
        Ok(Self { format: PLAN_FORMAT, organization, members, relays, etcd: local_etcd() })
    }

    /// Reads the plan of a cluster that was started in `directory`.
    ///
    /// # Errors
    /// In words: there is none, or it is of another version.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let path = directory.join(PLAN);
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("{}: {error}; has `bridgehead cluster up` run here?", path.display())
        })?;
        let plan: Self = serde_json::from_str(&text)
            .map_err(|error| format!("{}:{}: {error}", path.display(), error.line()))?;
        if plan.format == PLAN_FORMAT {
            return Ok(plan);
        }
        Err(format!("{}: format {}, expected {PLAN_FORMAT}", path.display(), plan.format))
    }

    /// Refuses a directory whose members have lived at another scale: the dates that they keep count by
    /// it.
    ///
    /// # Errors
    /// In words: which file says which scale.
    pub fn expect_time_scale(&self, directory: &Path, time_scale: f64) -> Result<(), String> {
        for member in &self.members {
            let path = member.file(directory);
            // Without a file there are no dates, and one that cannot be read will be written anew.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let Ok(file) = toml::from_str::<MemberFile>(&text) else { continue };
            let scale = file.clock.scale;
            if scale.to_bits() != time_scale.to_bits() {
                return Err(format!(
                    "{}: made with --time-scale {scale}, and the dates kept there count by it; \
                     expected --time-scale {scale}, or another --dir",
                    path.display()
                ));
            }
        }
        Ok(())
    }

    /// Writes everything that the members and the other commands read: the plan, the organization, and
    /// for each member its file and a certificate of an authority that is made here.
    ///
    /// # Errors
    /// In words: a file cannot be written.
    pub fn write(
        &self,
        directory: &Path,
        organization: &Path,
        time_scale: f64,
    ) -> Result<(), String> {
        let ca = DevelopmentCa::create().map_err(|error| error.to_string())?;
        fs::copy(organization, directory.join(ORGANIZATION))
            .map_err(|error| format!("{}: {error}", directory.join(ORGANIZATION).display()))?;
        for member in &self.members {
            let home = member.directory(directory);
            let socket = member.admin_socket(directory);
            if socket.as_os_str().len() > SOCKET_PATH_LIMIT {
                let path = socket.display();
                return Err(format!(
                    "{path}: longer than {SOCKET_PATH_LIMIT} octets, too long for a socket; \
                     choose a shorter --dir"
                ));
            }
            let written = || {
                fs::create_dir_all(member.state(directory))?;
                if member.shares_accounts {
                    fs::create_dir_all(Self::shared(directory, &member.group))?;
                }
                ca.issue(&member.name).map_err(std::io::Error::other)?.write(&home)?;
                let text = toml::to_string(&self.member_file(member, time_scale))
                    .map_err(std::io::Error::other)?;
                fs::write(member.file(directory), text)
            };
            written().map_err(|error| format!("{}: {error}", home.display()))?;
        }
        let path = directory.join(PLAN);
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn member_file(&self, member: &PlannedMember, time_scale: f64) -> MemberFile {
        let peers = self.members.iter().filter(|peer| peer.name != member.name);
        let relays = self.relays.iter().filter(|relay| relay.from == member.group);
        MemberFile {
            limits: Limits::default(),
            outside: Vec::new(),
            process: ProcessSection::default(),
            format: MEMBER_FORMAT,
            member: member.name.clone(),
            organization: Path::new("..").join(ORGANIZATION),
            directory: "state".into(),
            listen: ListenSection {
                smtp: member.smtp,
                deliver: member.deliver,
                group: member.group_port,
                admin: Some("admin.sock".into()),
                submission: member.submission,
                submissions: None,
                health: None,
            },
            security: SecuritySection {
                members: Security::Tls,
                ca: Some("ca.pem".into()),
                certificate: Some("certificate.pem".into()),
                key: Some("key.pem".into()),
                allow_development_ca: true,
                client_certificate: None,
                client_key: None,
            },
            peers: peers
                .map(|peer| PeerSection {
                    member: peer.name.clone(),
                    smtp: Some(peer.smtp),
                    deliver: Some(peer.deliver),
                    group: Some(peer.group_port),
                    address: None,
                })
                .collect(),
            vias: relays
                .map(|relay| ViaSection {
                    connector: relay.connector.clone(),
                    target: relay.target.clone(),
                    address: relay.listen,
                })
                .collect(),
            policy: Policy::default(),
            clock: ClockSection { scale: time_scale },
            filter: None,
            etcd: member.asks_etcd.then(|| EtcdSection::at(self.etcd.clone())),
            accounts: member
                .shares_accounts
                .then(|| AccountsSection { shared: Self::shared(Path::new(".."), &member.group) }),
        }
    }
}
