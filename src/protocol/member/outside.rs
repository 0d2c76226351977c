//! TLS with servers outside the organization.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::Policy;

/// How a connection to an outside server is to be secured.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum OutsideTls {
    /// Never.
    None,
    /// Where the server offers it, with any certificate (RFC 7435).
    #[default]
    Opportunistic,
    /// Always, with any certificate.
    Required,
    /// Always, with a certificate for the server's name by a trusted authority.
    Verified,
}

impl OutsideTls {
    /// As the configuration and the log have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Opportunistic => "opportunistic",
            Self::Required => "required",
            Self::Verified => "verified",
        }
    }

    /// Whether nothing may be said in clear.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Required | Self::Verified)
    }
}

impl fmt::Display for OutsideTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What holds for the outside servers of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutsidePolicy {
    /// The server of this name, and those below it; `None`: all for which nothing else is said.
    pub domain: Option<String>,
    /// How it is secured.
    pub tls: OutsideTls,
}

impl OutsidePolicy {
    /// Whether it is about `host`.
    fn holds_for(&self, host: &str) -> bool {
        let Some(domain) = &self.domain else { return true };
        let Some(start) = host.len().checked_sub(domain.len()) else { return false };
        let Some(end) = host.get(start..) else { return false };
        end.eq_ignore_ascii_case(domain) && (start == 0 || host[..start].ends_with('.'))
    }
}

/// The host of `HOST:PORT`.
#[must_use]
pub fn host_of(server: &str) -> &str {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

impl Policy {
    /// Which entry is about the outside server `HOST:PORT`: that with the longest name.
    #[must_use]
    pub fn outside_of(&self, server: &str) -> Option<usize> {
        let host = host_of(server);
        let fitting = self.outside.iter().enumerate().filter(|(_, policy)| policy.holds_for(host));
        let longest = |(_, policy): &(usize, &OutsidePolicy)| {
            policy.domain.as_ref().map_or(0, |domain| domain.len() + 1)
        };
        fitting.max_by_key(longest).map(|(place, _)| place)
    }

    /// How a connection to the outside server `HOST:PORT` is secured.
    #[must_use]
    pub fn outside_tls(&self, server: &str) -> OutsideTls {
        self.outside_of(server).map_or_else(OutsideTls::default, |place| self.outside[place].tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SM-125: the longest name counts, and it is the name of a host or of a domain above it.
    #[test]
    fn the_most_specific_policy_holds() {
        let entry =
            |domain: Option<&str>, tls| OutsidePolicy { domain: domain.map(Into::into), tls };
        let mut policy = Policy::default();
        assert_eq!(policy.outside_tls("mail.example.net:25"), OutsideTls::Opportunistic);
        policy.outside = alloc::vec![
            entry(Some("example.net"), OutsideTls::Required),
            entry(None, OutsideTls::None),
            entry(Some("mail.example.net"), OutsideTls::Verified),
            entry(Some("2001:db8::1"), OutsideTls::Required),
        ];
        for (server, tls) in [
            ("mail.example.net:25", OutsideTls::Verified),
            ("a.MAIL.example.net:25", OutsideTls::Verified),
            ("example.net:2525", OutsideTls::Required),
            ("mx.example.net:25", OutsideTls::Required),
            ("notexample.net:25", OutsideTls::None),
            ("net:25", OutsideTls::None),
            ("[2001:db8::1]:25", OutsideTls::Required),
        ] {
            assert_eq!(policy.outside_tls(server), tls, "{server}");
        }
    }
}
