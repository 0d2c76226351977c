//! The suite's own connections with nodes: as a client, and as a member that nodes call.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::TcpStream;
use std::sync::mpsc::Receiver;

use super::{Cluster, address, bug, no_network, uncertified};
use serde_json::{Value, json};

use crate::event::Stop;
use crate::net::{Port, Protection, Setting, Wire};
use crate::organization::SMART_HOST;
use crate::security::{Credentials, SecurityError, Tls};

/// The link to the smart host, where an organization has one that is played.
pub(crate) const SMART_HOST_LINK: &str = "smart-host";

/// Where an exit leads that the member in question does not carry: it has no business there.
const ELSEWHERE: &str = "out.elsewhere.example:25";

/// What a member that the suite plays shows to those who call it.
#[derive(Clone, Copy)]
pub(crate) enum Shows<'a> {
    /// Its own certificate, where certificates are the proof.
    Own,
    /// Another one.
    Other(&'a Credentials),
    /// None: it has no TLS.
    Clear,
}

/// A door of a member that the suite plays.
pub(super) struct Door {
    /// Connections that the opener makes: name and stream.
    pub(super) visitors: Receiver<(String, TcpStream)>,
    /// The node from which the link leads.
    pub(super) opener: String,
    /// The member that the suite plays; nobody's name where it plays an outside server.
    pub(super) played: String,
}

impl Cluster {
    /// On which ports members listen: a port that begins under TLS needs certificates.
    pub(super) fn ports(&self) -> Vec<Port> {
        let logins = Port::LOGIN.into_iter().filter(|port| {
            let may_be = *port != Port::Submissions || self.authority.is_some();
            self.blueprint.has_logins() && may_be
        });
        Port::ALL.into_iter().chain(logins).collect()
    }

    /// What `configure` says of the security of a member.
    pub(super) fn security(&self, member: &str) -> Result<Value, Stop> {
        self.authority.as_ref().map_or_else(
            || Ok(json!("address")),
            |authority| authority.configuration(member).map_err(|error| uncertified(&error)),
        )
    }

    fn setting(&self) -> Setting<'_> {
        Setting {
            recorder: &self.recorder,
            ledger: &self.ledger,
            connect: self.patience.connect(),
            reply: self.patience.reply(),
        }
    }

    /// Opens a connection of the suite's own, from any address. Under TLS it comes with the certificate
    /// of the member that has that address.
    pub(crate) fn dial(
        &mut self,
        name: &str,
        from: Ipv4Addr,
        to: (&str, Port),
    ) -> Result<Wire, Stop> {
        let target = self.listens(to.0, to.1)?;
        let count = self.clients.entry(name.to_owned()).or_insert(0);
        *count += 1;
        let connection = format!("{name}#{count}");
        let member = self.blueprint.members.iter().find(|member| self.address_of(member) == from);
        let tls = self.client_tls(member.map(String::as_str), to.0)?;
        let protection = Protection::on(to.1, tls);
        Wire::dial(&self.setting(), &connection, Some(from), target, protection)
            .map_err(|error| Stop::Unusable(format!("cannot connect to {}", error.0)))
    }

    /// TLS on a connection to a node, as a member or as nobody; nothing where addresses are the proof.
    pub(crate) fn client_tls(&self, member: Option<&str>, to: &str) -> Result<Option<Tls>, Stop> {
        let Some(authority) = &self.authority else { return Ok(None) };
        let tls = match member {
            Some(member) => authority.of(member).and_then(|own| authority.client(Some(&own), to)),
            None => authority.client(None, to),
        };
        tls.map(Some).map_err(|error| uncertified(&error))
    }

    /// Waits for a node to visit a member that the suite plays.
    pub(crate) fn visitor(&self, link: &str, port: Port) -> Result<Option<Wire>, Stop> {
        self.visitor_shown(link, port, Shows::Own)
    }

    /// The same, and says what the node is shown.
    pub(crate) fn visitor_shown(
        &self,
        link: &str,
        port: Port,
        shows: Shows<'_>,
    ) -> Result<Option<Wire>, Stop> {
        let door = self.doors.get(&(link.to_owned(), port)).ok_or_else(|| bug(link))?;
        let Ok((name, stream)) = door.visitors.recv_timeout(self.patience.reply()) else {
            return Ok(None);
        };
        self.welcome(door, port, (&name, stream), shows).map(Some)
    }

    /// Opens a link to an outside server that the suite plays.
    fn outside(&mut self, link: &str, (opener, place): (&str, u8)) -> Result<SocketAddr, Stop> {
        let at = Ipv4Addr::new(127, 77, place, 253);
        let source = (opener, address(place));
        let opened = self.network.play(link, at, source);
        let (address, visitors) = opened.map_err(|error| no_network(&error))?;
        let door = Door { visitors, opener: opener.to_owned(), played: String::new() };
        self.doors.insert((link.to_owned(), Port::Smtp), door);
        Ok(address)
    }

    /// Opens the links from a member to the outside servers that the suite plays, and writes where they are:
    /// to the smart host, and by each exit that the member carries a link of the name of the exit.
    pub(super) fn outsides(
        &mut self,
        organization: &mut Value,
        member: (&str, u8),
    ) -> Result<(), Stop> {
        if organization["smart_host"] == SMART_HOST {
            let at = self.outside(SMART_HOST_LINK, member)?;
            organization["smart_host"] = json!(at.to_string());
        }
        let groups = organization["group"].as_array_mut().into_iter().flatten();
        let exits = groups.filter_map(|group| group.get_mut("exit")?.as_array_mut()).flatten();
        for exit in exits.filter(|exit| exit["smart_host"] == SMART_HOST) {
            let sources = exit["sources"].as_array().into_iter().flatten();
            exit["smart_host"] = if sources.clone().any(|source| *source == member.0) {
                let link = exit["name"].as_str().unwrap_or_default().to_owned();
                json!(self.outside(&link, member)?.to_string())
            } else {
                json!(ELSEWHERE)
            };
        }
        Ok(())
    }

    /// All doors of members that the suite plays.
    pub(crate) fn doors(&self) -> Vec<(String, Port)> {
        self.doors.keys().cloned().collect()
    }

    /// A visitor who stands at a door already, and on which connection.
    pub(crate) fn visitor_now(
        &self,
        link: &str,
        port: Port,
    ) -> Result<Option<(String, Wire)>, Stop> {
        let door = self.doors.get(&(link.to_owned(), port)).ok_or_else(|| bug(link))?;
        let Ok((name, stream)) = door.visitors.try_recv() else { return Ok(None) };
        let wire = self.welcome(door, port, (&name, stream), Shows::Own)?;
        Ok(Some((name, wire)))
    }

    fn welcome(
        &self,
        door: &Door,
        port: Port,
        (name, stream): (&str, TcpStream),
        shows: Shows<'_>,
    ) -> Result<Wire, Stop> {
        let tls = self.server_tls(door, shows).map_err(|error| uncertified(&error))?;
        Wire::accepted(&self.setting(), name, stream, Protection::on(port, tls))
            .map_err(|error| Stop::Unusable(error.0))
    }

    fn server_tls(&self, door: &Door, shows: Shows<'_>) -> Result<Option<Tls>, SecurityError> {
        let Some(authority) = self.authority.as_ref().filter(|_| !door.played.is_empty()) else {
            return Ok(None);
        };
        match shows {
            Shows::Own => authority.server(&*authority.of(&door.played)?, &door.opener).map(Some),
            Shows::Other(certificate) => authority.server(certificate, &door.opener).map(Some),
            Shows::Clear => Ok(None),
        }
    }
}
