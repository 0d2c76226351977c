//! The names of things. Every id prints and parses as one token without spaces.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(String::from(text))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A member's name: unique in the organization, a DNS label or host name.
    MemberName
}
name! {
    /// A group's name.
    GroupName
}
name! {
    /// A group where its name alone does not tell it apart from an earlier one: `NAME/UUID`.
    GroupKey
}
name! {
    /// A connector's name: unique in the organization; `FROM-TO` by default.
    ConnectorName
}

name! {
    /// The name of an exit: unique in its group.
    ExitName
}

impl GroupKey {
    /// Of a group with this name and identity.
    #[must_use]
    pub fn new(name: &GroupName, uuid: &str) -> Self {
        Self(alloc::format!("{name}/{uuid}"))
    }

    /// Name and UUID; `None` where the text has another form.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str)> {
        let (name, uuid) = self.0.rsplit_once('/')?;
        is_uuid(uuid).then_some((name, uuid))
    }
}

/// Whether `text` can be the identity of a group: 32 lower-case hexadecimal digits.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

/// A connection: never reused in the life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub u64);

/// A message in one member's queue. Printed in every reply and log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueId(pub u64);

/// Drawn at random at every boot, for the ids that this boot mints.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

/// Drawn when a spool is created: a member with another store id has lost its disk.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct StoreId(pub u64);

/// Counts the ownerships of an account: each member to which it is granted has it open under a greater
/// one than the member before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Of an account that has never moved.
    pub const FIRST: Self = Self(1);

    /// Whether this is the first one: what names none means it.
    #[must_use]
    pub fn is_first(&self) -> bool {
        *self == Self::FIRST
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

macro_rules! hexadecimal {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let is_hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let number = u64::from_str_radix(text, 16).map_err(|_| IdError)?;
                if is_hex { Ok(Self(number)) } else { Err(IdError) }
            }
        }
    };
}
hexadecimal!(Incarnation);
hexadecimal!(StoreId);
hexadecimal!(QueueId);

/// The text is no id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id of the expected form")
    }
}

macro_rules! minted {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type {
            /// The member that minted it.
            pub member: MemberName,
            /// The boot that minted it.
            pub incarnation: Incarnation,
            /// Counts up within the boot.
            pub sequence: u64,
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}/{}", self.member, self.incarnation, self.sequence)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut parts = text.splitn(3, '/');
                let member = parts.next().filter(|part| !part.is_empty()).ok_or(IdError)?;
                let incarnation = parts.next().ok_or(IdError)?.parse()?;
                let digits = parts.next().ok_or(IdError)?;
                let canonical = digits == "0" || !digits.starts_with(['0', '+']);
                let sequence = digits.parse().map_err(|_| IdError)?;
                if !canonical {
                    return Err(IdError);
                }
                Ok(Self { member: MemberName::from(member), incarnation, sequence })
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

minted! {
    /// Minted once when a message enters the organization, and kept on every hop.
    OriginId
}
minted! {
    /// Names one custody hand-over; independent of the attempt.
    TransferId
}
