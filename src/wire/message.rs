//! What a message is to the machines: an envelope, and a body that they know by digest only.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{GroupKey, GroupName, OriginId};
use super::record::Version;
use super::restrictions::Priority;
use crate::kernel::Time;

/// `local@domain`, the domain in lower case. The local part keeps its case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(pub String);

impl Address {
    /// The part before the last `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or(self.0.as_str(), |(local, _)| local)
    }

    /// The part after the last `@`; empty for a bare `postmaster`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        match text.rsplit_once('@') {
            Some((local, domain)) => {
                Self(alloc::format!("{local}@{}", domain.to_ascii_lowercase()))
            }
            None => Self(String::from(text)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::str::FromStr for Digest {
    type Err = super::ids::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(super::ids::IdError);
        }
        let mut octets = [0; 32];
        for (place, octet) in octets.iter_mut().enumerate() {
            let pair = &text[place * 2..place * 2 + 2];
            *octet = u8::from_str_radix(pair, 16).map_err(|_| super::ids::IdError)?;
        }
        Ok(Self(octets))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the host keeps a body. The host picks the key and never uses one twice in a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyKey(pub u64);

/// The content of a message: header and text as received, without the trace lines of the hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Body {
    /// Where this member keeps it.
    pub key: BodyKey,
    /// SHA-256 of the octets.
    pub digest: Digest,
    /// The length in octets.
    pub octets: u64,
}

/// When the sender wants to hear of a recipient (RFC 3461 NOTIFY).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Notify {
    /// On success.
    pub success: bool,
    /// On failure.
    pub failure: bool,
    /// On delay.
    pub delay: bool,
}

impl Default for Notify {
    /// RFC 3461 leaves the default to the server: failures and delays.
    fn default() -> Self {
        Self { success: false, failure: true, delay: true }
    }
}

/// One recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Recipient {
    /// The position in the original envelope; never renumbered.
    pub index: u32,
    /// Whom it is for.
    pub address: Address,
    /// What the sender asked to be told.
    pub notify: Notify,
    /// ORCPT of RFC 3461, as given.
    pub original: Option<String>,
    /// A disk was lost on the way: another copy may be under way, or stored already.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub suspect: bool,
}

/// RET of RFC 3461.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Return {
    /// The whole message.
    Full,
    /// The header only.
    Headers,
}

/// The versions of a link-state table, group by group: the order in which tables grow. A name that is
/// used again stands for another group.
pub type TableVersions = BTreeMap<GroupKey, Version>;

/// One hop of a message, as its `Received` line will show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// Who gave it: an EHLO name and address, or a member's name.
    pub from: String,
    /// The member that took it.
    pub by: String,
    /// The group of that member.
    pub group: GroupName,
    /// `SMTP`, `ESMTP` with the letters of RFC 3848, `SUBMIT` or `LMTP`.
    pub with: String,
    /// The queue id there, as printed.
    pub id: String,
    /// When.
    pub at: Time,
    /// The table by which that member routed it on, once it has: the first 16 hexadecimal digits of the
    /// table's digest, `/`, and the version of the group's own record in it, as a log prints one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// One field of a header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Field {
    /// Its name, as written.
    pub name: String,
    /// Its value, unfolded.
    pub value: String,
}

impl Field {
    /// Whether this is a field of that name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Everything that travels with a body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Envelope {
    /// The origin id.
    pub origin: OriginId,
    /// The return path; `None` is the null sender.
    pub sender: Option<Address>,
    /// Who is still to get it at the far end of this hop.
    pub recipients: Vec<Recipient>,
    /// When it entered the organization.
    pub arrived: Time,
    /// When the custodian gives up.
    pub expires: Time,
    /// RET, if asked.
    pub ret: Option<Return>,
    /// ENVID, if given.
    pub envid: Option<String>,
    /// Whether the sender used SMTPUTF8.
    pub smtputf8: bool,
    /// Of the content alone, where trace lines stand above it in the body already: what a host of
    /// accounts is told of a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
    /// Every hop so far, oldest first.
    pub hops: Vec<Hop>,
    /// The greatest versions of the tables that routed it.
    pub routed_by: TableVersions,
    /// The fields that rules have added to its header, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// No queue rules have seen it yet.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub rules_due: bool,
    /// It was born at the sender, which has others queue it: no member has queued it yet.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub unqueued: bool,
    /// The waits for another attempt that its custodians have begun so far, as far as a schedule counts
    /// them: the next custodian goes on from there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Who gave it to us, where they proved their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitter: Option<String>,
    /// How urgent its header said that it is, when it entered the organization.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
}

/// What serde asks.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Envelope {
    /// Whether it names this recipient.
    #[must_use]
    pub fn has(&self, index: u32) -> bool {
        self.recipients.iter().any(|recipient| recipient.index == index)
    }
}

/// A refusal in SMTP's terms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// 4yz or 5yz.
    pub code: u16,
    /// Enhanced status (RFC 3463), such as `5.1.1`.
    pub status: String,
    /// What a person reads.
    pub text: String,
}

impl Refusal {
    /// A refusal from its parts.
    #[must_use]
    pub fn new(code: u16, status: &str, text: &str) -> Self {
        assert!((400..600).contains(&code), "a refusal is 4yz or 5yz");
        Self { code, status: String::from(status), text: String::from(text) }
    }

    /// Whether trying again is pointless.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.status, self.text)
    }
}

/// How a delivery to one recipient ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is stored, or an outside server has taken it.
    Delivered,
    /// It is refused, for now or for ever.
    Refused(Refusal),
}
