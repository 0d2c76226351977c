//! Quarantine: a message whose stored body is not the one that was accepted.
//!
//! Such a message is evidence. Nothing of it may reach anybody as if it were the mail, and nothing of it
//! may be thrown away: it stays until its body is sound again, or an operator decides.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Change, Message, Place};
use crate::clause;
use crate::protocol::member::{Event, Member, Timer, Turn};
use crate::wire::ids::QueueId;
use crate::wire::message::{Body, BodyKey, Digest};

/// What the host finds in place of a body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// Nothing.
    Missing,
    /// Another number of octets.
    Octets(u64),
    /// Octets with another digest.
    Digest(Digest),
    /// Something that the store cannot read, in its words.
    Unreadable(String),
}

impl Damage {
    /// What was expected and what was found, on one line.
    #[must_use]
    pub fn against(&self, body: &Body) -> String {
        let Body { key, digest, octets } = body;
        format!("body {:016x}: expected {octets} octets with SHA-256 {digest}, found {self}", key.0)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("nothing"),
            Self::Octets(octets) => write!(f, "{octets} octets"),
            Self::Digest(digest) => write!(f, "SHA-256 {digest}"),
            Self::Unreadable(why) => write!(f, "what cannot be read: {why}"),
        }
    }
}

impl Member {
    /// The host has found another body than the one that was accepted.
    pub(crate) fn body_damaged(&mut self, key: BodyKey, damage: Damage, turn: &mut Turn<'_, '_>) {
        // A body that is not in the queue was only passing: whoever gave it has it still.
        for (queue, body) in self.queued_with(key, |message| message.damage.is_none()) {
            clause!(CU_043);
            turn.tell(Event::Quarantined { queue, body, problem: damage.against(&body) });
            self.store_change(Change::Quarantined { queue, damage: damage.clone() }, turn);
            turn.disarm(Timer::Expire(queue));
            // What is under way or in doubt comes to its own end first.
            let idle = self.standing(queue, |place| {
                matches!(place, Place::Table | Place::Line(_) | Place::Retry { .. })
            });
            self.put_all(queue, &idle, &stopped());
        }
    }

    /// The host has found that the body of a message in quarantine is the accepted one again.
    pub(crate) fn body_sound(&mut self, key: BodyKey, turn: &mut Turn<'_, '_>) {
        for (queue, _) in self.queued_with(key, |message| message.damage.is_some()) {
            clause!(CU_045);
            turn.tell(Event::Restored { queue });
            self.store_change(Change::Restored { queue }, turn);
            self.start_clocks(queue, turn);
            let idle = self.standing(queue, |place| matches!(place, Place::Retry { .. }));
            self.route(queue, &idle, turn);
            if self.work.contains_key(&queue) {
                self.compose(queue, turn);
            }
        }
    }

    /// Rules may have made several messages of one body.
    fn queued_with(
        &self,
        key: BodyKey,
        is_meant: impl Fn(&Message) -> bool,
    ) -> Vec<(QueueId, Body)> {
        let queue = self.spool.queue.iter();
        let found = queue.filter(|(_, message)| message.body.key == key && is_meant(message));
        found.map(|(queue, message)| (*queue, message.body)).collect()
    }
}

/// Where the recipients of a message in quarantine stand.
pub(super) fn stopped() -> Place {
    Place::Retry { failed: None, why: String::from("its stored content is damaged") }
}
