//! What a connector carries: the part of its record that decides for which messages it can be used.
//!
//! Every member that routes a message has to reach the same answer, or two of them could send it to and
//! fro. So the answer follows from the record and from what travels with the message, and from nothing
//! else. Senders stand in the record as opaque ids: a few octets each, whatever their names, and no list
//! of people is told to every group.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{map, opt, value, verify};
use nom::sequence::preceded;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use super::fields::lower_hex;
use super::orginfo::{hex, list, listed, token, word};
use super::parse::{Parsed, expect, refuse};
use crate::clause;
use crate::wire::message::{Address, Field};

/// The most senders that a connector lists in one of its two lists.
pub const SENDERS_LIMIT: usize = 16;
/// How many hexadecimal digits a sender's id has.
const SENDER_DIGITS: usize = 16;
/// How the null sender is written in a list.
pub const NULL_SENDER: &str = "<>";

/// How urgent a message is, as its header says.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// It may wait.
    Low,
    /// The header says nothing else.
    #[default]
    Normal,
    /// It is urgent.
    High,
}

/// A sender, or all senders of a domain, without the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderId(pub u64);

/// For which messages a connector can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restrictions {
    /// The largest message, in octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_limit_octets: Option<u64>,
    /// The priorities, in ascending order; none stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<Priority>,
    /// The only senders, in ascending order; none stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders_allowed: Vec<SenderId>,
    /// The senders that may not, in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders_denied: Vec<SenderId>,
}

/// What the restrictions of connectors look at in a message. All of it is fixed when the message enters
/// the organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traits {
    /// The size of the body.
    pub octets: u64,
    /// From the envelope.
    pub priority: Priority,
    /// The ids of the sender and of its domain.
    pub senders: Vec<SenderId>,
}

/// Why a message may not use a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Barrier {
    /// It is larger than this.
    TooLarge(u64),
    /// It has another priority.
    Priority,
    /// Its sender is not among those that may, or among those that may not.
    Sender,
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "too large, at most {limit} octets"),
            Self::Priority => f.write_str("not for this priority"),
            Self::Sender => f.write_str("not for this sender"),
        }
    }
}

impl Priority {
    /// All of them, in ascending order.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// As people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// From the word of that.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == word)
    }

    /// What the header of a message says: the first of `Priority`, `X-Priority` and `Importance` whose
    /// value has a known meaning.
    #[must_use]
    pub fn of(header: &[Field]) -> Self {
        clause!(CU_093);
        let said = |name: &str, meaning: fn(&str) -> Option<Self>| {
            let mut fields = header.iter().filter(|field| field.is(name));
            fields.find_map(|field| meaning(&field.value.trim().to_ascii_lowercase()))
        };
        let urgency = |value: &str| match value {
            "non-urgent" => Some(Self::Low),
            "normal" => Some(Self::Normal),
            "urgent" => Some(Self::High),
            _ => None,
        };
        let number = |value: &str| match value.split([' ', '(']).next() {
            Some("1" | "2") => Some(Self::High),
            Some("3") => Some(Self::Normal),
            Some("4" | "5") => Some(Self::Low),
            _ => None,
        };
        let first = said("Priority", urgency).or_else(|| said("X-Priority", number));
        first.or_else(|| said("Importance", Self::named)).unwrap_or_default()
    }

    /// What serde asks.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

impl SenderId {
    /// The id of what stands in a list: an address, a domain, or [`NULL_SENDER`]. Case does not count.
    #[must_use]
    pub fn of(listed: &str) -> Self {
        clause!(LS_172);
        let digest = Sha256::digest(listed.to_ascii_lowercase().as_bytes());
        let first: [u8; 8] = digest[..8].try_into().expect("a digest has 32 octets");
        Self(u64::from_be_bytes(first))
    }
}

impl fmt::Display for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for SenderId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SenderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let id = u64::from_str_radix(&text, 16).map(Self).ok();
        let id = id.filter(|id| format!("{id}") == text);
        id.ok_or_else(|| de::Error::custom("expected 16 lower-case hexadecimal digits"))
    }
}

impl Traits {
    /// Of a message of this size, priority and sender.
    #[must_use]
    pub fn new(octets: u64, priority: Priority, sender: Option<&Address>) -> Self {
        let mut senders = match sender {
            Some(sender) => alloc::vec![SenderId::of(&sender.0), SenderId::of(sender.domain())],
            None => alloc::vec![SenderId::of(NULL_SENDER)],
        };
        senders.sort_unstable();
        Self { octets, priority, senders }
    }
}

impl Restrictions {
    /// Whether every message may use the connector.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Why a message may not use the connector, if it may not.
    #[must_use]
    pub fn barrier(&self, message: &Traits) -> Option<Barrier> {
        clause!(LS_171);
        if let Some(limit) = self.size_limit_octets.filter(|limit| *limit < message.octets) {
            return Some(Barrier::TooLarge(limit));
        }
        if !self.priorities.is_empty() && !self.priorities.contains(&message.priority) {
            return Some(Barrier::Priority);
        }
        let names = |list: &[SenderId]| message.senders.iter().any(|id| list.contains(id));
        let is_outside = !self.senders_allowed.is_empty() && !names(&self.senders_allowed);
        (is_outside || names(&self.senders_denied)).then_some(Barrier::Sender)
    }

    /// What is wrong with restrictions that a peer sent.
    ///
    /// # Errors
    /// The first rule that they break, in words.
    pub fn check(&self) -> Result<(), String> {
        clause!(LS_173);
        if !self.priorities.is_sorted_by(|left, right| left < right) {
            return Err(String::from("priorities are not in ascending order"));
        }
        for list in [&self.senders_allowed, &self.senders_denied] {
            if list.len() > SENDERS_LIMIT {
                return Err(format!("{} senders, at most {SENDERS_LIMIT}", list.len()));
            }
            if !list.is_sorted_by(|left, right| left < right) {
                return Err(String::from("senders are not in ascending order"));
            }
        }
        Ok(())
    }
}

/// ` RESTRICT ( … )` as it stands in a connector; nothing where there are none.
pub(super) fn encode(restrictions: &Restrictions) -> String {
    if restrictions.is_none() {
        return String::new();
    }
    let Restrictions { size_limit_octets, priorities, senders_allowed, senders_denied } =
        restrictions;
    let mut text = String::from(" RESTRICT (");
    if let Some(limit) = size_limit_octets {
        text.push_str(&format!(" SIZE {limit:x}"));
    }
    if !priorities.is_empty() {
        let words = priorities.iter().map(|priority| priority.as_str().to_ascii_uppercase());
        text.push_str(&format!(" PRIORITY {}", list(words)));
    }
    for (key, senders) in [("ALLOW", senders_allowed), ("DENY", senders_denied)] {
        if !senders.is_empty() {
            text.push_str(&format!(" {key} {}", list(senders.iter().map(|id| format!("{id}")))));
        }
    }
    text.push_str(" )");
    text
}

/// Reads what [`encode`] wrote.
pub(super) fn parse(input: &str) -> Parsed<'_, Restrictions> {
    let Ok((rest, _)) = word("RESTRICT")(input) else {
        return Ok((input, Restrictions::default()));
    };
    let (end, (_, size_limit_octets, priorities, senders_allowed, senders_denied, _)) = (
        expect("SP and `(`", tag(" (")),
        opt(preceded(word("SIZE"), token(hex))),
        many("PRIORITY", priority),
        many("ALLOW", sender),
        many("DENY", sender),
        expect("SP and `)`", tag(" )")),
    )
        .parse(rest)?;
    let restrictions =
        Restrictions { size_limit_octets, priorities, senders_allowed, senders_denied };
    if restrictions.is_none() {
        return refuse(rest.len(), "at least one restriction");
    }
    Ok((end, restrictions))
}

/// SP, a word and a list that is not empty, or nothing.
fn many<'a, O>(
    key: &'static str,
    item: impl FnMut(&'a str) -> Parsed<'a, O>,
) -> impl Parser<&'a str, Output = Vec<O>, Error = super::parse::Failure> {
    let some = verify(listed(item), |items: &Vec<O>| !items.is_empty());
    map(
        opt(preceded(word(key), expect("a list that is not empty", some))),
        Option::unwrap_or_default,
    )
}

fn priority(input: &str) -> Parsed<'_, Priority> {
    let low = value(Priority::Low, word("LOW"));
    let normal = value(Priority::Normal, word("NORMAL"));
    let high = value(Priority::High, word("HIGH"));
    expect("SP and LOW, NORMAL or HIGH", alt((low, normal, high))).parse(input)
}

fn sender(input: &str) -> Parsed<'_, SenderId> {
    let digits = verify(lower_hex, |digits: &str| digits.len() == SENDER_DIGITS);
    let id = map(digits, |digits: &str| {
        SenderId(u64::from_str_radix(digits, 16).expect("16 digits fit"))
    });
    token(expect("16 lower-case hexadecimal digits", id))(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        Field { name: name.into(), value: value.into() }
    }

    // CU-093
    #[test]
    fn the_first_field_with_a_known_meaning_tells_the_priority() {
        let of = |fields: &[(&str, &str)]| {
            Priority::of(&fields.iter().map(|(name, value)| field(name, value)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), Priority::Normal);
        assert_eq!(of(&[("priority", "Urgent")]), Priority::High);
        assert_eq!(of(&[("Priority", "non-urgent"), ("X-Priority", "1")]), Priority::Low);
        assert_eq!(of(&[("Priority", "at once"), ("X-Priority", "2 (High)")]), Priority::High);
        assert_eq!(of(&[("X-Priority", "5")]), Priority::Low);
        assert_eq!(of(&[("X-Priority", "11"), ("Importance", "high")]), Priority::High);
        assert_eq!(of(&[("Importance", "highest")]), Priority::Normal);
        assert_eq!(of(&[("X-Priority", "none"), ("X-Priority", "4")]), Priority::Low);
    }

    // LS-172
    #[test]
    fn a_sender_is_known_by_its_address_its_domain_or_as_the_null_sender() {
        let of = |sender: Option<&str>| {
            Traits::new(1, Priority::Normal, sender.map(Address::from).as_ref()).senders
        };
        assert!(of(Some("Ann@Example.org")).contains(&SenderId::of("ann@example.org")));
        assert!(of(Some("ann@example.org")).contains(&SenderId::of("EXAMPLE.org")));
        assert_eq!(of(None), [SenderId::of("<>")]);
        // SHA-256 of `example.org` begins like this, whoever computes it.
        assert_eq!(alloc::format!("{}", SenderId::of("example.org")), "bfabc37432958b06");
    }

    // LS-171
    #[test]
    fn each_restriction_stops_what_it_names() {
        let ann = Address::from("ann@example.org");
        let message = Traits::new(1_000, Priority::Normal, Some(&ann));
        let all = Restrictions::default();
        assert_eq!(all.barrier(&message), None);
        let small = Restrictions { size_limit_octets: Some(999), ..all.clone() };
        assert_eq!(small.barrier(&message), Some(Barrier::TooLarge(999)));
        let fits = Restrictions { size_limit_octets: Some(1_000), ..all.clone() };
        assert_eq!(fits.barrier(&message), None);
        let urgent = Restrictions { priorities: alloc::vec![Priority::High], ..all.clone() };
        assert_eq!(urgent.barrier(&message), Some(Barrier::Priority));
        let listed = alloc::vec![SenderId::of("example.org")];
        let allowed = Restrictions { senders_allowed: listed.clone(), ..all.clone() };
        assert_eq!(allowed.barrier(&message), None);
        let bounce = Traits::new(1, Priority::Normal, None);
        assert_eq!(allowed.barrier(&bounce), Some(Barrier::Sender));
        let denied = Restrictions { senders_denied: listed, ..all };
        assert_eq!(denied.barrier(&message), Some(Barrier::Sender));
        assert_eq!(denied.barrier(&bounce), None);
        let ids = alloc::vec![SenderId::of("ann@example.org")];
        let both = Restrictions { senders_denied: ids, ..allowed };
        assert_eq!(both.barrier(&message), Some(Barrier::Sender), "a denial counts for more");
    }
}
