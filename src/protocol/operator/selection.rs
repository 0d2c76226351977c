//! Which messages and recipients of the queue are meant.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kernel::{Span, Time};
use crate::protocol::member::Member;
use crate::protocol::queue::{Message, Place};
use crate::wire::ids::{OriginId, QueueId};
use crate::wire::message::Recipient;

/// Which messages and recipients are meant: those that satisfy everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// These messages, by the queue ids of this member.
    pub ids: Vec<String>,
    /// The message with this origin id.
    pub origin: Option<OriginId>,
    /// From this sender: a pattern with `*`; `<>` is the null sender.
    pub sender: Option<String>,
    /// For this recipient: a pattern with `*`.
    pub recipient: Option<String>,
    /// At least this long in the organization.
    pub older: Option<Span>,
    /// Not as long as this in the organization.
    pub younger: Option<Span>,
    /// On the way to this member, connector or outside server; `local` is this member itself.
    pub next_hop: Option<String>,
    /// Standing there.
    pub state: Option<State>,
    /// Everything is meant where nothing else is given. Without it, an order with nothing else given is
    /// refused: it is more likely a slip than a wish.
    pub all: bool,
}

/// Where a recipient stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for a table that is not smaller than the one that routed it here.
    Table,
    /// It is in line.
    Line,
    /// An attempt is under way.
    Underway,
    /// It waits for the next attempt.
    Retry,
    /// It has ended, and its sender is to be told.
    Notice,
    /// A member may have it.
    Doubt,
    /// Its message is held, and nothing is under way.
    Held,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Table,
        Self::Line,
        Self::Underway,
        Self::Retry,
        Self::Notice,
        Self::Doubt,
        Self::Held,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Line => "line",
            Self::Underway => "underway",
            Self::Retry => "retry",
            Self::Notice => "notice",
            Self::Doubt => "doubt",
            Self::Held => "held",
        }
    }

    /// Where a recipient of `message` stands that is at `place`.
    #[must_use]
    pub const fn of(message: &Message, place: &Place) -> Self {
        match place {
            Place::Underway(_) => Self::Underway,
            Place::Notice(_) => Self::Notice,
            Place::Doubt(_) => Self::Doubt,
            _ if message.held.is_some() => Self::Held,
            Place::Table => Self::Table,
            Place::Line(_) => Self::Line,
            Place::Retry { .. } => Self::Retry,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            alloc::format!("expected one of {known}")
        })
    }
}

impl Selection {
    /// Whether nothing is given but perhaps `all`.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self { all: self.all, ..Self::default() }
    }

    fn takes_message(&self, message: &Message, now: Time) -> bool {
        let envelope = &message.envelope;
        let age = now.since(envelope.arrived);
        let sender = envelope.sender.as_ref().map_or("<>", |sender| sender.0.as_str());
        self.origin.as_ref().is_none_or(|origin| *origin == envelope.origin)
            && self.sender.as_ref().is_none_or(|pattern| is_like(pattern, sender))
            && self.older.is_none_or(|older| age >= older)
            && self.younger.is_none_or(|younger| age < younger)
    }

    fn takes_recipient(&self, message: &Message, recipient: &Recipient, place: &Place) -> bool {
        self.recipient.as_ref().is_none_or(|pattern| is_like(pattern, &recipient.address.0))
            && self.state.is_none_or(|state| state == State::of(message, place))
            && self.next_hop.as_ref().is_none_or(|hop| place.next_hop() == Some(hop))
    }
}

/// Whether `text` is what `pattern` says, in any case of letters; `*` stands for any letters.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(place) = text.find(part) else { return false };
        text = &text[place + part.len()..];
    }
    text.ends_with(end)
}

impl Member {
    /// The messages that are meant and are in the queue, oldest first, each with the recipients that are
    /// meant.
    #[must_use]
    pub fn select(&self, which: &Selection, now: Time) -> Vec<(QueueId, Vec<u32>)> {
        let mut named: Vec<QueueId> = which.ids.iter().filter_map(|id| id.parse().ok()).collect();
        named.sort_unstable();
        named.dedup();
        let queues =
            if which.ids.is_empty() { self.spool.queue.keys().copied().collect() } else { named };
        let selected = queues.into_iter().filter_map(|queue| {
            let message = self.spool.queue.get(&queue)?;
            let places = &self.work.get(&queue)?.places;
            let is_meant = |recipient: &&Recipient| {
                let place = places.get(&recipient.index);
                place.is_some_and(|place| which.takes_recipient(message, recipient, place))
            };
            let recipients = message.envelope.recipients.iter().filter(is_meant);
            let indexes: Vec<u32> = recipients.map(|recipient| recipient.index).collect();
            let is_selected = which.takes_message(message, now) && !indexes.is_empty();
            is_selected.then_some((queue, indexes))
        });
        selected.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_in_any_case_and_from_end_to_end() {
        for (pattern, text, expected) in [
            ("eva@example.test", "Eva@Example.test", true),
            ("eva@example.test", "eva@example.tests", false),
            ("*@example.test", "eva@example.test", true),
            ("*@example.test", "eva@example.test.org", false),
            ("e*a@*.test", "eva@example.test", true),
            ("e*a@*.test", "adam@example.test", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("<>", "<>", true),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} and {text}");
        }
    }

    #[test]
    fn every_state_reads_back() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("flying".parse::<State>().unwrap_err().contains("table, line, underway"));
    }
}
