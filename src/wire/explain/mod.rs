//! Packets explained: each token with its place, its meaning, and on what grounds that is said.

mod ours;

use alloc::vec::Vec;

pub use ours::{explain_frame, explain_message};

use super::DecodeError;

/// On what grounds a meaning is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grounds {
    /// The grammar, or what its maker has published, says so.
    Known,
    /// It follows from what stands beside it, and nobody has published it.
    Inferred,
    /// No source explains it.
    Unknown,
}

impl Grounds {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Inferred => "inferred",
            Self::Unknown => "unknown",
        }
    }
}

/// What a token is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// On what grounds.
    pub grounds: Grounds,
}

impl Field {
    pub(super) const fn known(name: &'static str, meaning: &'static str) -> Self {
        Self { name, meaning, grounds: Grounds::Known }
    }

    pub(super) const fn inferred(name: &'static str, meaning: &'static str) -> Self {
        Self { name, meaning, grounds: Grounds::Inferred }
    }

    pub(super) const fn unknown(name: &'static str, meaning: &'static str) -> Self {
        Self { name, meaning, grounds: Grounds::Unknown }
    }
}

/// One token of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Where it begins, from the first octet of the packet.
    pub offset: usize,
    /// How many octets it has.
    pub octets: usize,
    /// In how many parentheses and frames it stands.
    pub depth: usize,
    /// What it is.
    pub field: &'static Field,
    /// Its count and the octets that it has instead, where they are not the same.
    pub counted: Option<(usize, usize)>,
}

/// A packet, token by token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Explanation {
    /// Every token up to the end, or up to the error.
    pub tokens: Vec<Token>,
    /// Where the packet is malformed.
    pub error: Option<DecodeError>,
}
