//! Where the connections that the machine wants lead.

use crate::protocol::member::{Endpoint, host_of};
use crate::server::configuration::Configuration;
use crate::server::net::Target;
use crate::wire::ids::ConnectionId;

/// Whether a connection is one that we open.
pub(super) const fn is_ours(connection: ConnectionId) -> bool {
    connection.0.is_multiple_of(2)
}

/// The socket address, the name to be proved and the order of TLS; `None` when nothing is configured.
pub(super) fn target(configuration: &Configuration, endpoint: &Endpoint) -> Option<Target> {
    let is_tls = configuration.credentials.is_some();
    let address = || configuration.resolve(endpoint).map(|address| address.to_string());
    Some(match endpoint {
        Endpoint::Connector(_, member) | Endpoint::Member(member) | Endpoint::Frontend(member) => {
            Target { address: address()?, name: member.0.clone(), is_tls: false, is_outside: false }
        }
        // A mail store is no member: it has no certificate of the organization's authority.
        Endpoint::Deliver(host) if configuration.member.organization.store(host).is_some() => {
            Target { address: address()?, name: host.0.clone(), is_tls: false, is_outside: false }
        }
        Endpoint::Deliver(member)
        | Endpoint::Group(member)
        | Endpoint::Consult(member)
        | Endpoint::Convene(member)
        | Endpoint::Tenant(member) => {
            Target { address: address()?, name: member.0.clone(), is_tls, is_outside: false }
        }
        Endpoint::Outside(outside) => Target {
            address: outside.clone(),
            name: host_of(outside).to_owned(),
            is_tls: false,
            is_outside: true,
        },
    })
}
