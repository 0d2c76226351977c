//! The words in cases and vectors that stand for addresses, and what takes their place.

use serde::{Deserialize, Serialize};

/// Addresses that the conversations use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parameters {
    /// A recipient that is accepted.
    pub(crate) recipient: String,
    /// A recipient in a domain of the server that does not exist.
    pub(crate) unknown: Option<String>,
    /// A sender that is accepted.
    pub(crate) sender: String,
}

impl Parameters {
    /// The recipient, where it has a domain.
    pub(crate) fn mailbox(&self) -> Option<&str> {
        self.recipient.contains('@').then_some(self.recipient.as_str())
    }

    /// Replaces `{recipient}`, `{mailbox}`, a recipient with a domain, `{unknown}`, `{sender}`, `{ehlo}`,
    /// and `{fresh}`, a number that stands alone for the case that is the `begun`th of its run.
    pub(crate) fn expand(&self, octets: &[u8], ehlo: &str, begun: u64) -> Result<Vec<u8>, String> {
        let mut octets = octets.to_vec();
        let fresh = (FRESH + begun).to_string();
        let words = [
            ("{fresh}", Some(fresh.as_str())),
            ("{recipient}", Some(self.recipient.as_str())),
            ("{mailbox}", self.mailbox()),
            ("{unknown}", self.unknown.as_deref()),
            ("{sender}", Some(self.sender.as_str())),
            ("{ehlo}", Some(ehlo)),
        ];
        for (word, value) in words {
            while let Some(place) = find(&octets, word.as_bytes()) {
                let value = value.ok_or_else(|| format!("needs a value for {word}"))?;
                octets.splice(place..place + word.len(), value.bytes());
            }
        }
        Ok(octets)
    }
}

/// The name that the suite gives when it is nobody in particular.
pub(crate) const OUTSIDE: &str = "client.example.net";

/// The fresh numbers are greater than those that stand in cases and vectors.
const FRESH: u64 = 1_000_000;

fn find(octets: &[u8], word: &[u8]) -> Option<usize> {
    octets.windows(word.len()).position(|window| window == word)
}
