//! What the log is told of submissions, under the tag `SUBMIT`.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::wire::ids::{MemberName, QueueId};

/// A decision about a message that others are to queue, or news of those that queue for others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitEvent {
    /// This member is to queue it.
    Chosen {
        /// The message.
        queue: QueueId,
        /// The member.
        peer: MemberName,
    },
    /// It has been queued there.
    Submitted {
        /// The message.
        queue: QueueId,
        /// The member.
        peer: MemberName,
    },
    /// Nobody takes it: it is queued here.
    Kept {
        /// The message.
        queue: QueueId,
        /// The members that were tried.
        tried: Vec<MemberName>,
    },
    /// A message could not be given to this member; nothing had moved.
    Failed {
        /// The member.
        peer: MemberName,
        /// Why.
        why: String,
    },
    /// This member is not tried for a while.
    Opened {
        /// The member.
        peer: MemberName,
        /// It drains; otherwise it failed too often.
        drains: bool,
    },
    /// One message may try this member.
    HalfOpened {
        /// The member.
        peer: MemberName,
    },
    /// This member is tried as any other.
    Closed {
        /// The member.
        peer: MemberName,
    },
    /// A message that this member was to queue is not taken.
    TurnedAway {
        /// Who offered it.
        peer: MemberName,
        /// Why.
        why: String,
    },
    /// By the operator's order this member queues no more for others, or does so again.
    Draining {
        /// Whether it drains.
        on: bool,
    },
}

impl SubmitEvent {
    /// Whether an operator should look at it.
    #[must_use]
    pub const fn is_trouble(&self) -> bool {
        match self {
            Self::Kept { .. } | Self::Failed { .. } | Self::Opened { drains: false, .. } => true,
            Self::Chosen { .. }
            | Self::Submitted { .. }
            | Self::Opened { .. }
            | Self::HalfOpened { .. }
            | Self::Closed { .. }
            | Self::TurnedAway { .. }
            | Self::Draining { .. } => false,
        }
    }
}
