//! `[[outside]]`: how connections to outside servers are secured.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::ConfigurationError;
use super::file::{TomlFile, read_text};
use crate::clause;
use crate::protocol::member::{OutsidePolicy, OutsideTls};
use crate::server::outside_tls::{any_certificate, verified};

/// `[[outside]]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideSection {
    /// The server of this name, and those below it; without one, all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// How it is secured.
    pub tls: OutsideTls,
    /// Of `tls = "verified"`: the authorities that are trusted in place of the system's. PEM, relative to
    /// the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// Whose certificates are good enough for which outside servers.
#[derive(Clone, Debug)]
pub struct OutsideTrust {
    any: Arc<ClientConfig>,
    /// By the place of the section.
    verified: BTreeMap<usize, Arc<ClientConfig>>,
}

impl Default for OutsideTrust {
    fn default() -> Self {
        Self { any: any_certificate(), verified: BTreeMap::new() }
    }
}

impl OutsideTrust {
    /// TLS as the section at `place` wants it; any certificate where there is none.
    #[must_use]
    pub fn of(&self, place: Option<usize>) -> Arc<ClientConfig> {
        clause!(SM_125);
        let verified = place.and_then(|place| self.verified.get(&place));
        Arc::clone(verified.unwrap_or(&self.any))
    }
}

/// Checks the sections and reads what they name.
pub(super) fn outside(
    file: &TomlFile,
    sections: &[OutsideSection],
    errors: &mut Vec<ConfigurationError>,
) -> (Vec<OutsidePolicy>, OutsideTrust) {
    let mut trust = OutsideTrust::default();
    for (place, OutsideSection { domain, tls, ca }) in sections.iter().enumerate() {
        let mut wrong = |key: &str, problem: &str| {
            errors.push(file.at(&format!("outside[{place}].{key}"), problem));
        };
        let is_same = |other: &OutsideSection| match (&other.domain, domain) {
            (Some(other), Some(domain)) => other.eq_ignore_ascii_case(domain),
            (other, domain) => other.is_none() && domain.is_none(),
        };
        if sections[..place].iter().any(is_same) {
            let all = || "what holds for all others".into();
            let which = domain.as_ref().map_or_else(all, |domain| format!("`{domain}`"));
            wrong("domain", &format!("{which} stands twice"));
        }
        if domain.as_ref().is_some_and(|domain| !is_domain(domain)) {
            wrong("domain", "expected the name of a server, or of a domain above servers");
        }
        if ca.is_some() && *tls != OutsideTls::Verified {
            wrong("ca", &format!("has no use with tls = \"{tls}\", expected \"verified\""));
        }
        if *tls != OutsideTls::Verified {
            continue;
        }
        let pem = ca.as_ref().map(|path| {
            let path = file.relative(path);
            read_text(&path).map_err(|error| format!("{}: {error}", path.display()))
        });
        match pem.transpose().and_then(|pem| verified(pem.as_deref())) {
            Ok(client) => {
                trust.verified.insert(place, client);
            }
            Err(problem) => wrong(if ca.is_some() { "ca" } else { "tls" }, &problem),
        }
    }
    let policies = sections.iter();
    let policies = policies.map(|s| OutsidePolicy { domain: s.domain.clone(), tls: s.tls });
    (policies.collect(), trust)
}

/// Whether a server can have this name, or one under it: what can never match would leave mail without the
/// policy that is meant for it.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let is_named = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet >= 0x80;
        !label.is_empty() && label.bytes().all(is_named)
    };
    domain.parse::<IpAddr>().is_ok() || domain.split('.').all(is_label)
}
