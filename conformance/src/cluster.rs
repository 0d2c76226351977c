//! A cluster of nodes under test, on a network and a clock that the suite owns.
//!
//! The clock only moves when nothing is under way: every octet that one side has sent was taken by the
//! other side, on every connection, by the count of the nodes and by the suite's own, twice running.

mod doors;
mod probes;
mod settle;

pub(crate) use doors::{SMART_HOST_LINK, Shows};

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::adapter::{Adapter, AdapterError};
use crate::clock::Patience;
use crate::event::{Event, Stop};
use crate::log::Recorder;
use crate::net::{Ledger, Network, Port, Rule};
use crate::organization::Blueprint;
use crate::security::{Authority, SecurityError};

/// The address of a client that is no member.
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 77, 250, 1);
/// How many timers may fire at one instant before the suite takes the node to run in circles.
const INSTANT_LIMIT: u32 = 1_000;
/// One second of virtual time.
pub(crate) const SECOND: u64 = 1_000_000;
/// One hour of virtual time.
pub(crate) const HOUR: u64 = 3_600 * SECOND;

/// The address of a member.
pub(crate) const fn address(place: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, place, 1)
}

struct Node {
    adapter: Option<Adapter>,
    configuration: Value,
    listen: BTreeMap<Port, SocketAddr>,
    address: Ipv4Addr,
    /// What it said to `quiesce` when it came to rest, and what had happened on its connections by then;
    /// nothing as soon as it is asked for anything else.
    rests: Option<(Value, u64)>,
}

/// Gives every member that the suite plays a turn, and says whether anything came of it.
pub(crate) type Turn<'a> = dyn FnMut(&Cluster) -> Result<bool, Stop> + 'a;

/// Everything that runs.
pub(crate) struct Cluster {
    nodes: BTreeMap<String, Node>,
    blueprint: Blueprint,
    network: Network,
    ledger: Ledger,
    recorder: Recorder,
    patience: Patience,
    command: Vec<OsString>,
    logs: PathBuf,
    clients: BTreeMap<String, u64>,
    doors: BTreeMap<(String, Port), doors::Door>,
    authority: Option<Arc<Authority>>,
    now_us: u64,
    // Last, so that the nodes are gone before their files are.
    files: tempfile::TempDir,
}

/// What a cluster is started with.
pub(crate) struct Ground<'a> {
    /// The adapter.
    pub(crate) command: &'a [OsString],
    /// Where everything is recorded.
    pub(crate) recorder: &'a Recorder,
    /// How long to wait.
    pub(crate) patience: Patience,
    /// Where the logs go.
    pub(crate) logs: &'a Path,
    /// Where members prove their names by certificates.
    pub(crate) authority: Option<&'a Arc<Authority>>,
}

fn broken(node: &str, error: &AdapterError) -> Stop {
    Stop::Unusable(format!("adapter of {node}: {error}"))
}

fn died(node: &str, error: &AdapterError) -> Stop {
    Stop::Died(format!("{node}: {error}"))
}

fn no_network(error: &std::io::Error) -> Stop {
    Stop::CouldNotRun(format!("the suite cannot open its own addresses: {error}"))
}

/// The suite's own certificates are its own affair.
pub(crate) fn uncertified(error: &SecurityError) -> Stop {
    Stop::Bug(error.to_string())
}

impl Cluster {
    /// Starts every member that the suite does not play, at virtual time 0. Links for which `rules` has
    /// a rule begin with it.
    pub(crate) fn start(
        ground: &Ground<'_>,
        blueprint: Blueprint,
        rules: &[(&str, Rule)],
    ) -> Result<Self, Stop> {
        let mut cluster = Self::laid_out(ground, blueprint, rules)?;
        let members: Vec<String> = cluster.nodes.keys().cloned().collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        // Whoever cannot even start is not fit to be tested.
        cluster.boot(&members).map_err(|stop| match stop {
            Stop::Died(reason) => Stop::Unusable(reason),
            other => other,
        })?;
        cluster.network.start();
        Ok(cluster)
    }

    /// Every member that the suite does not play has its links and its configuration, and none has started.
    fn laid_out(
        ground: &Ground<'_>,
        blueprint: Blueprint,
        rules: &[(&str, Rule)],
    ) -> Result<Self, Stop> {
        let ledger = Ledger::default();
        let authority = ground.authority.cloned();
        let connect = ground.patience.connect();
        let network = Network::new(ground.recorder, &ledger, connect, authority.clone());
        let files = tempfile::tempdir().map_err(|error| no_network(&error))?;
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            blueprint,
            network,
            ledger,
            recorder: ground.recorder.clone(),
            patience: ground.patience,
            command: ground.command.to_vec(),
            logs: ground.logs.to_path_buf(),
            clients: BTreeMap::new(),
            doors: BTreeMap::new(),
            authority,
            now_us: 0,
            files,
        };
        for (link, rule) in rules {
            cluster.network.rule(link, rule.clone());
        }
        let under_test: Vec<String> = cluster
            .blueprint
            .members
            .iter()
            .filter(|member| !cluster.blueprint.played.contains(member))
            .cloned()
            .collect();
        for member in &under_test {
            cluster.prepare(member)?;
        }
        Ok(cluster)
    }

    /// Opens the links that lead from a member and writes its configuration.
    fn prepare(&mut self, member: &str) -> Result<(), Stop> {
        let place = self.blueprint.place(member).ok_or_else(|| bug(member))?;
        let own = address(place);
        let stray = format!("{member}>stray");
        let stray_address = self
            .network
            .link(&stray, Ipv4Addr::new(127, 77, place, 254), (member, own), (member, Port::Smtp))
            .map_err(|error| no_network(&error))?;
        self.network.quietly(&stray, Rule::Refuse);
        let mut peers = Vec::new();
        for other in self.blueprint.members.clone() {
            if other == member {
                continue;
            }
            let there = self.blueprint.place(&other).ok_or_else(|| bug(&other))?;
            let mut peer = json!({"member": other, "address": address(there).to_string()});
            for port in Port::ALL {
                let convenes = port == Port::Group && self.blueprint.share_election(member, &other);
                let at = if convenes || self.blueprint.are_fellows(member, &other) {
                    let link = format!("{member}>{other}/{}", port.name());
                    self.lead(&link, (member, place), (&other, there), port)?
                } else {
                    stray_address
                };
                peer[port.name()] = json!(at.to_string());
            }
            peers.push(peer);
        }
        let mut via = Vec::new();
        let mut opened: Vec<String> = Vec::new();
        for (connector, target) in self.blueprint.carried(member) {
            let there = self.blueprint.place(&target).ok_or_else(|| bug(&target))?;
            // The link to the first target has the name of the connector.
            let is_first = !opened.contains(&connector);
            let link =
                if is_first { connector.clone() } else { format!("{connector}>{target}/smtp") };
            opened.push(connector.clone());
            let at = self.lead(&link, (member, place), (&target, there), Port::Smtp)?;
            via.push(json!({"connector": connector, "target": target, "address": at.to_string()}));
        }
        let mut organization = self.blueprint.organization.clone();
        self.outsides(&mut organization, (member, place))?;
        let any = format!("{own}:0");
        let listen: BTreeMap<&str, &String> =
            self.ports().into_iter().map(|port| (port.name(), &any)).collect();
        let mut configuration = json!({
            "member": member,
            "organization": organization,
            "listen": listen,
            "source": own.to_string(),
            "peers": peers,
            "via": via,
            "dir": self.files.path().join(member),
            "security": self.security(member)?,
        });
        if !self.blueprint.policy.is_null() {
            let mut policy = self.blueprint.policy.clone();
            // Not all that a case may set is part of the policy of a member.
            if let Some(limits) = policy.as_object_mut().and_then(|own| own.remove("limits")) {
                configuration["limits"] = limits;
            }
            configuration["policy"] = policy;
        }
        let listen = BTreeMap::new();
        let node = Node { adapter: None, configuration, listen, address: own, rests: None };
        self.nodes.insert(member.to_owned(), node);
        Ok(())
    }

    /// Opens one link, to a node or to a member that the suite plays.
    fn lead(
        &mut self,
        link: &str,
        (opener, from): (&str, u8),
        (target, to): (&str, u8),
        port: Port,
    ) -> Result<SocketAddr, Stop> {
        let at = Ipv4Addr::new(127, 77, from, to);
        let source = (opener, address(from));
        let is_played = self.blueprint.played.iter().any(|played| played == target);
        if is_played && port == Port::Group && !self.blueprint.consulted {
            // Nobody listens there: whoever calls is refused at once.
            return Ok(SocketAddr::from((at, 1)));
        }
        let opened = if is_played {
            self.network.play(link, at, source).map(|(address, visitors)| {
                let (opener, played) = (opener.to_owned(), target.to_owned());
                let door = doors::Door { visitors, opener, played };
                self.doors.insert((link.to_owned(), port), door);
                address
            })
        } else {
            self.network.link(link, at, source, (target, port))
        };
        opened.map_err(|error| no_network(&error))
    }

    /// Starts processes and nodes, all at once.
    fn boot(&mut self, members: &[&str]) -> Result<(), Stop> {
        for member in members {
            let log = self.logs.join(format!("{member}.log"));
            let adapter = Adapter::spawn(&self.command, &log, self.patience)
                .map_err(|error| broken(member, &error))?;
            let node = self.nodes.get_mut(*member).ok_or_else(|| bug(member))?;
            node.adapter = Some(adapter);
        }
        let hello = json!({"proto": 1, "suite": env!("CARGO_PKG_VERSION")});
        self.ask_all(members, "hello", |_| hello.clone())?;
        let now_us = self.now_us;
        self.ask_all(members, "configure", |node| {
            let mut configuration = node.configuration.clone();
            if now_us > 0 {
                configuration["now_us"] = json!(now_us);
            }
            configuration
        })?;
        let started = self.ask_all(members, "start", |_| json!({}))?;
        let ports = self.ports();
        for (member, answer) in members.iter().zip(started) {
            for &port in &ports {
                let text = answer["listen"][port.name()].as_str().unwrap_or_default();
                let address: SocketAddr = text.parse().map_err(|_| {
                    Stop::Unusable(format!(
                        "adapter of {member}: start names no {} port",
                        port.name()
                    ))
                })?;
                self.network.target(member, port, address);
                let node = self.nodes.get_mut(*member).ok_or_else(|| bug(member))?;
                node.listen.insert(port, address);
            }
        }
        Ok(())
    }

    /// Asks many nodes the same at once.
    fn ask_all(
        &mut self,
        members: &[&str],
        op: &str,
        fields: impl Fn(&Node) -> Value,
    ) -> Result<Vec<Value>, Stop> {
        let mut pending = Vec::with_capacity(members.len());
        for member in members {
            let node = self.nodes.get_mut(*member).ok_or_else(|| bug(member))?;
            let fields = fields(node);
            node.rests = None;
            let adapter = node.adapter.as_mut().ok_or_else(|| bug(member))?;
            pending.push(adapter.send(op, &fields).map_err(|error| died(member, &error))?);
        }
        let mut answers = Vec::with_capacity(members.len());
        for (member, pending) in members.iter().zip(&pending) {
            let node = self.nodes.get_mut(*member).ok_or_else(|| bug(member))?;
            let adapter = node.adapter.as_mut().ok_or_else(|| bug(member))?;
            answers.push(adapter.receive(pending).map_err(|error| died(member, &error))?);
        }
        Ok(answers)
    }

    /// The network.
    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    /// Asks a node for its view of something; the answer stands in the record.
    pub(crate) fn inspect(&mut self, member: &str, what: &str) -> Result<Value, Stop> {
        let request = json!({"op": "inspect", "what": what});
        let answer = self.ask_all(&[member], "inspect", |_| json!({"what": what}))?.remove(0);
        let (node, recorded) = (member.to_owned(), answer.clone());
        self.recorder.record(Event::Asked { node, request, answer: recorded });
        Ok(answer)
    }

    /// Makes a node forget everything, and starts it again.
    pub(crate) fn reset(&mut self, member: &str) -> Result<(), Stop> {
        self.ask_all(&[member], "reset", |_| json!({}))?;
        self.kill(member)?;
        self.restart(member)
    }

    /// Sends a message as a client that is no member; gives the queue id of the answer.
    pub(crate) fn submit(
        &mut self,
        name: &str,
        member: &str,
        from: &str,
        to: &[&str],
        subject: &str,
    ) -> Result<Option<String>, Stop> {
        let wire = self.dial(name, OUTSIDE, (member, Port::Smtp))?;
        let mut lines = vec!["EHLO client.example.net".to_owned(), format!("MAIL FROM:<{from}>")];
        lines.extend(to.iter().map(|to| format!("RCPT TO:<{to}>")));
        lines.push("DATA".to_owned());
        let text = format!("From: <{from}>\r\nSubject: {subject}\r\n\r\n{subject}\r\n.");
        lines.push(text);
        let mut reply = wire.reply().this();
        for line in &lines {
            if reply.as_ref().is_none_or(|reply| reply.code >= 400) {
                return Ok(None);
            }
            reply = wire.ask(line).this();
        }
        let accepted = reply.filter(|reply| reply.code == 250);
        if wire.ask("QUIT").this().is_some() {
            // The end belongs to the conversation: without it the barrier would wait for it.
            let _ = wire.closed();
        }
        Ok(accepted.and_then(|reply| crate::smtp::queue_id(&reply)))
    }

    /// Kills a node.
    pub(crate) fn kill(&mut self, member: &str) -> Result<(), Stop> {
        let node = self.nodes.get_mut(member).ok_or_else(|| bug(member))?;
        if let Some(mut adapter) = node.adapter.take() {
            adapter.kill();
        }
        let (node, reason) = (member.to_owned(), "killed by the suite".to_owned());
        self.recorder.record(Event::Died { node, reason });
        Ok(())
    }

    /// Starts a killed node again, with the same files, at the present virtual time.
    pub(crate) fn restart(&mut self, member: &str) -> Result<(), Stop> {
        self.boot(&[member])
    }

    /// Where a node listens.
    pub(crate) fn listens(&self, member: &str, port: Port) -> Result<SocketAddr, Stop> {
        let node = self.nodes.get(member).ok_or_else(|| bug(member))?;
        node.listen.get(&port).copied().ok_or_else(|| bug(member))
    }

    /// The address of a member.
    pub(crate) fn address_of(&self, member: &str) -> Ipv4Addr {
        address(self.blueprint.place(member).unwrap_or_default())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.network.stop();
        // All at once first, so that the ends overlap.
        for node in self.nodes.values_mut() {
            node.adapter = None;
        }
    }
}

fn bug(what: &str) -> Stop {
    Stop::Bug(format!("the suite knows no running `{what}`"))
}
