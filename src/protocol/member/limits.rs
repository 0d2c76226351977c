//! How much one client, and one outside server, may take of a member.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::protocol::networks::Network;

/// The greatest value of any limit.
pub const LIMIT_RANGE: core::ops::RangeInclusive<u32> = 1..=1_000_000;
/// The octets of an IPv6 address that name its holder: a site has a /64 or more to draw from.
const HOLDER_BITS: u32 = 64;

/// `[limits]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of each client address.
    pub client: ClientLimits,
    /// Of each outside server.
    pub destination: DestinationLimits,
}

/// `[limits.client]`: for each address, an IPv6 address by its /64.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientLimits {
    /// Connections at once.
    pub connections: u32,
    /// Messages that it may begin in a minute.
    pub messages_per_minute: u32,
    /// Recipients that it may name in a minute.
    pub recipients_per_minute: u32,
    /// Bad commands that it may say in a minute, over all its connections.
    pub errors_per_minute: u32,
    /// How many addresses are remembered.
    pub addresses: u32,
    /// Who is not counted. The addresses of the configured members are added.
    pub exempt: Vec<Network>,
}

/// `[limits.destination]`: for each outside server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DestinationLimits {
    /// Connections at once.
    pub connections: u32,
    /// Messages before a connection is closed and another one opened.
    pub messages_per_connection: u32,
    /// The longest rest of a server that cannot be reached.
    pub rest_minutes: u32,
}

impl Default for ClientLimits {
    fn default() -> Self {
        let loopback_4 = Network::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8);
        let loopback_6 = Network::from(IpAddr::from(Ipv6Addr::LOCALHOST));
        Self {
            connections: 50,
            messages_per_minute: 300,
            recipients_per_minute: 3_000,
            errors_per_minute: 60,
            addresses: 10_000,
            exempt: Vec::from([loopback_4, loopback_6]),
        }
    }
}

impl Default for DestinationLimits {
    fn default() -> Self {
        Self { connections: 1, messages_per_connection: 100, rest_minutes: 10 }
    }
}

impl Limits {
    /// Every limit with its place in the file.
    #[must_use]
    pub fn values(&self) -> [(&'static str, u32); 8] {
        let Self { client, destination } = self;
        [
            ("client.connections", client.connections),
            ("client.messages_per_minute", client.messages_per_minute),
            ("client.recipients_per_minute", client.recipients_per_minute),
            ("client.errors_per_minute", client.errors_per_minute),
            ("client.addresses", client.addresses),
            ("destination.connections", destination.connections),
            ("destination.messages_per_connection", destination.messages_per_connection),
            ("destination.rest_minutes", destination.rest_minutes),
        ]
    }

    /// Whether they are the defaults, which no file need name.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl ClientLimits {
    /// Under which address a client is counted; `None` for one that is not.
    #[must_use]
    pub fn counted(&self, remote: IpAddr) -> Option<IpAddr> {
        let remote = remote.to_canonical();
        if self.exempt.iter().any(|network| network.contains(remote)) {
            return None;
        }
        Some(match remote {
            IpAddr::V4(_) => remote,
            IpAddr::V6(address) => {
                let holder = address.to_bits() & (u128::MAX << (u128::BITS - HOLDER_BITS));
                Ipv6Addr::from_bits(holder).into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// SM-122: who is exempt, and under which address the others are counted.
    #[test]
    fn an_ipv6_client_is_counted_by_its_site() {
        let limits = ClientLimits::default();
        let counted = |text: &str| limits.counted(address(text));
        assert_eq!(counted("127.0.0.9"), None);
        assert_eq!(counted("::ffff:127.0.0.9"), None);
        assert_eq!(counted("::1"), None);
        assert_eq!(counted("192.0.2.1"), Some(address("192.0.2.1")));
        assert_eq!(counted("::ffff:192.0.2.1"), Some(address("192.0.2.1")));
        assert_eq!(counted("2001:db8:1:2:3::4"), counted("2001:db8:1:2:ffff::1"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
    }
}
