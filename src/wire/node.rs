//! Nodes of the tree over a table: what neighbours with different tables compare.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ids::IdError;
use super::message::Digest;
use super::record::Version;
use crate::clause;

/// The children of an inner node: one for each hexadecimal digit.
pub const FANOUT: usize = 16;
/// The most digits of a prefix: below it, no node has children.
pub const DEPTH_LIMIT: u8 = 16;
/// The most records of a leaf, unless it stands at [`DEPTH_LIMIT`].
pub const LEAF_LIMIT: usize = 16;
/// The most nodes of one message.
pub const NODES_LIMIT: usize = 512;

/// The first hexadecimal digits of a path: they name a node. Without any digit it is the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The digits, from the highest bits on; the others are 0.
    bits: u64,
    digits: u8,
}

impl Prefix {
    /// Of the root.
    pub const ROOT: Self = Self { bits: 0, digits: 0 };

    /// Where a record with this UUID stands: the first digits of the UUID's SHA-256, so that nobody
    /// makes a tree deep by the choice of UUIDs alone.
    #[must_use]
    pub fn path(uuid: &str) -> Self {
        clause!(LS_004);
        let hash: [u8; 32] = Sha256::digest(uuid.as_bytes()).into();
        let first = hash.first_chunk().expect("a hash has 32 octets");
        Self { bits: u64::from_be_bytes(*first), digits: DEPTH_LIMIT }
    }

    /// The number of its digits.
    #[must_use]
    pub const fn depth(self) -> u8 {
        self.digits
    }

    /// The digit behind the first `depth` ones.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn digit(self, depth: u8) -> usize {
        assert!(depth < self.digits, "the prefix has that many digits");
        usize::try_from(self.bits >> (60 - 4 * u32::from(depth)) & 15).expect("a digit is below 16")
    }

    /// One digit more.
    ///
    /// # Panics
    /// It has [`DEPTH_LIMIT`] digits, or `digit` is none.
    #[must_use]
    pub fn child(self, digit: usize) -> Self {
        assert!(self.digits < DEPTH_LIMIT && digit < FANOUT, "a node of the tree");
        let digit = u64::try_from(digit).expect("a digit is below 16");
        let bits = self.bits | digit << (60 - 4 * u32::from(self.digits));
        Self { bits, digits: self.digits + 1 }
    }

    /// Its first `depth` digits.
    ///
    /// # Panics
    /// It has fewer.
    #[must_use]
    pub fn shortened(self, depth: u8) -> Self {
        assert!(depth <= self.digits, "a prefix is shortened");
        let kept = if depth == 0 { 0 } else { u64::MAX << (64 - 4 * u32::from(depth)) };
        Self { bits: self.bits & kept, digits: depth }
    }

    /// Whether `other` begins with it.
    #[must_use]
    pub fn holds(self, other: Self) -> bool {
        self.digits <= other.digits && other.shortened(self.digits) == self
    }
}

/// The root is `-`, every other node its digits.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits == 0 {
            return f.write_str("-");
        }
        (0..self.digits).try_for_each(|depth| write!(f, "{:x}", self.digit(depth)))
    }
}

impl FromStr for Prefix {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text == "-" {
            return Ok(Self::ROOT);
        }
        if text.is_empty() || text.len() > usize::from(DEPTH_LIMIT) {
            return Err(IdError);
        }
        text.bytes().try_fold(Self::ROOT, |prefix, octet| match octet {
            b'0'..=b'9' => Ok(prefix.child(usize::from(octet - b'0'))),
            b'a'..=b'f' => Ok(prefix.child(usize::from(octet - b'a') + 10)),
            _ => Err(IdError),
        })
    }
}

impl Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One record of a leaf, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Listed {
    /// Whose record it is: 32 lower-case hexadecimal digits.
    pub uuid: String,
    /// How new it is.
    pub version: Version,
    /// The digest of the record.
    pub digest: Digest,
}

impl Listed {
    /// What is compared to find the greater of two records of one group.
    #[must_use]
    pub const fn rank(&self) -> (&Version, Digest) {
        (&self.version, self.digest)
    }
}

/// What a table has below a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// More than a leaf may hold: the digests of its children, in order of their digits.
    Inner {
        /// Where.
        prefix: Prefix,
        /// One for each digit.
        children: [Digest; FANOUT],
    },
    /// All records below the prefix, in order of their UUIDs.
    Leaf {
        /// Where.
        prefix: Prefix,
        /// What stands there.
        records: Vec<Listed>,
    },
}

impl Node {
    /// Where it stands.
    #[must_use]
    pub const fn prefix(&self) -> Prefix {
        match self {
            Self::Inner { prefix, .. } | Self::Leaf { prefix, .. } => *prefix,
        }
    }
}

/// The digest of a leaf with these records, in order of their UUIDs.
#[must_use]
pub fn leaf_digest(records: impl IntoIterator<Item = Digest>) -> Digest {
    clause!(LS_004);
    hashed(0, records)
}

/// The digest of an inner node with these children, in order of their digits.
#[must_use]
pub fn inner_digest(children: impl IntoIterator<Item = Digest>) -> Digest {
    hashed(1, children)
}

fn hashed(kind: u8, digests: impl IntoIterator<Item = Digest>) -> Digest {
    let mut hash = Sha256::new();
    hash.update([kind]);
    digests.into_iter().for_each(|digest| hash.update(digest.0));
    Digest(hash.finalize().into())
}
