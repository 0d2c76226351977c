//! What `events.jsonl` is made of: the one source of truth of a run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::parameters::Parameters;
use crate::security::Security;
use crate::verdict::{Exit, Verdict};

/// The version of the format of `events.jsonl`.
pub(crate) const FORMAT: u32 = 2;

/// Which way octets go on a link: forward is from whoever opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// From the opener.
    Forward,
    /// To the opener.
    Back,
}

impl Way {
    /// The other way.
    pub(crate) const fn reverse(self) -> Self {
        match self {
            Self::Forward => Self::Back,
            Self::Back => Self::Forward,
        }
    }
}

/// How one side of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum How {
    /// In order.
    Eof,
    /// By RST, or by an error of the socket.
    Reset,
}

/// Octets in a form that a person can read where possible and that always gives back the same octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Octets {
    /// US-ASCII.
    Text(String),
    /// Hexadecimal.
    Hex(String),
}

impl Octets {
    /// Records octets.
    pub(crate) fn of(octets: &[u8]) -> Self {
        if octets.is_ascii() {
            Self::Text(octets.iter().map(|octet| char::from(*octet)).collect())
        } else {
            Self::Hex(hex(octets))
        }
    }

    /// The octets; what is no hexadecimal gives none.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Hex(text) => unhex(text).unwrap_or_default(),
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// The octets of hexadecimal text.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
}

/// Why a case could not go on. A conversation that goes astray is none of these: it ends, and the
/// judge finds the checks that were not reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "reason")]
pub(crate) enum Stop {
    /// The profile is not claimed.
    NotApplicable(String),
    /// Something that the case needs is not there.
    CouldNotRun(String),
    /// A node died, or its adapter broke the contract, in the middle of the case.
    Died(String),
    /// The target or the adapter cannot be used at all.
    Unusable(String),
    /// The suite is wrong.
    Bug(String),
}

impl Stop {
    /// The reason.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::NotApplicable(reason)
            | Self::CouldNotRun(reason)
            | Self::Died(reason)
            | Self::Unusable(reason)
            | Self::Bug(reason) => reason,
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "event")]
pub(crate) enum Event {
    /// First in the file.
    RunStart {
        /// [`FORMAT`].
        format: u32,
        /// Version of the suite.
        suite: String,
        /// Target or adapter.
        under_test: String,
        /// What the adapter said of itself.
        hello: Value,
        /// Of the order of the cases.
        seed: u64,
        /// The factor of all waits.
        timeout_factor: String,
        /// Whether a failed SHOULD counts.
        strict: bool,
        /// How members prove their names, in all cases that do not say it themselves; nothing where
        /// there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        security: Option<Security>,
        /// The addresses in the conversations; nothing where no case was chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<Parameters>,
        /// The cases that were selected, in the order of the run.
        cases: Vec<String>,
    },
    /// A case begins.
    CaseStart {
        /// Its id.
        case: String,
        /// How the members prove their names in it; nothing where there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        security: Option<Security>,
    },
    /// A place in the course of a case that its judge refers to.
    Mark {
        /// Its name.
        name: String,
        /// What the suite knows there: values that it chose itself.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        value: Value,
    },
    /// A connection was opened on a link.
    Open {
        /// `LINK#n`.
        link: String,
        /// What the suite did with it: `pass`, `refused`, `blackhole`, `failed`.
        outcome: String,
    },
    /// Octets passed.
    Octets {
        /// `LINK#n`.
        link: String,
        /// Which way.
        way: Way,
        /// Whether the suite kept them from going on.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        withheld: bool,
        /// The octets.
        data: Octets,
    },
    /// On a connection with TLS: a node has proved its name, or could not.
    Tls {
        /// `LINK#n`.
        link: String,
        /// The node's side: the one from which octets go this way.
        way: Way,
        /// The member that it must be.
        peer: String,
        /// What is wrong, if anything is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// One side has ended.
    End {
        /// `LINK#n`.
        link: String,
        /// The side that ended: the one from which octets go this way.
        way: Way,
        /// How.
        how: How,
    },
    /// The suite waited for octets that did not come.
    Silence {
        /// `LINK#n`.
        link: String,
    },
    /// The suite did something to the network.
    Network {
        /// The link.
        link: String,
        /// `cut`, `refuse`, `heal`, …
        verb: String,
    },
    /// The virtual time of all nodes is now the time of this record.
    Time {},
    /// A node was asked, and answered.
    Asked {
        /// The node.
        node: String,
        /// The request.
        request: Value,
        /// The answer.
        answer: Value,
    },
    /// A node died, by the hand of the suite or its own.
    Died {
        /// The node.
        node: String,
        /// Why, as far as the suite knows.
        reason: String,
    },
    /// The case cannot go on.
    Stopped {
        /// Why.
        stop: Stop,
    },
    /// What the judge found; `verify` finds it again from the records above.
    Check {
        /// The declared id.
        check: String,
        /// Whether it holds.
        holds: bool,
        /// Why, or what was seen instead.
        because: String,
        /// The numbers of the records that show it.
        evidence: Vec<u64>,
    },
    /// A case ends.
    CaseEnd {
        /// Its id.
        case: String,
        /// What it came to.
        verdict: Verdict,
        /// The first reason.
        reason: String,
    },
    /// Last in the file; without it the run is incomplete.
    RunEnd {
        /// The exit.
        exit: Exit,
    },
}

/// An event with its place and times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Counts from 0.
    pub(crate) n: u64,
    /// Virtual time in microseconds.
    pub(crate) at_us: u64,
    /// Real time in microseconds since the run began; no verdict depends on it.
    pub(crate) wall_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub(crate) event: Event,
}
