//! DELIVER: a message reaches the host of an account, with one truthful result for each recipient.

mod deposit;
mod forget;
mod leased;
mod outbox;
mod ownership;
mod quota;
mod readdress;
mod receiver;
mod sender;
pub mod shared;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::kernel::Time;
use crate::protocol::member::pdu::Pdu;
use crate::protocol::member::query::Query;
use crate::protocol::queue::Recorded;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{ConnectionId, Epoch, MemberName, OriginId, QueueId};
use crate::wire::message::{Address, Body, BodyKey, Digest, Outcome};

pub(crate) use outbox::Ruling;
pub(crate) use ownership::Grant;
pub(crate) use quota::Underway;
pub use readdress::MOVED_LIMIT;

/// What a host says of one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Said {
    /// How the delivery ended.
    Outcome(Outcome),
    /// Nothing is recorded.
    Unknown,
    /// Nothing is ever recorded there: the host is a mail store without a journal.
    NoJournal,
    /// The account is not open there under the epoch that was meant; this is its ownership.
    Moved(Ownership),
}

/// Our connection to the delivery port of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sending {
    /// The host.
    pub(crate) host: MemberName,
    /// It is open.
    pub(crate) up: bool,
    /// What we wait for.
    pub(crate) talk: Talk,
    /// The messages about which it was asked: on one connection it is asked once.
    pub(crate) asked: BTreeSet<QueueId>,
}

/// What the sender waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Talk {
    /// Nothing.
    #[default]
    Idle,
    /// The answers to INQUIRE.
    Inquiring {
        /// The message.
        queue: QueueId,
        /// Those without an answer yet.
        open: BTreeSet<u32>,
        /// Those of whom the host knows nothing.
        again: Vec<u32>,
    },
    /// The results.
    Delivering {
        /// The message.
        queue: QueueId,
        /// Those without a result yet.
        open: BTreeSet<u32>,
    },
}

/// A connection to our delivery port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Receiving {
    /// Who opened it.
    pub(crate) member: MemberName,
    /// The answers that it waits for, in their order.
    pub(crate) owed: VecDeque<Owed>,
}

/// An answer that a connection waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owed {
    /// The message and the recipient.
    pub(crate) key: (OriginId, u32),
    /// The answer, once it is known.
    pub(crate) word: Option<Pdu>,
}

/// A delivery into an account of ours that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Deposit {
    /// Of what is delivered to whom.
    pub(crate) digest: Digest,
    /// The account.
    pub(crate) account: Address,
    /// Under which ownership of it the delivery was begun.
    pub(crate) epoch: Epoch,
    /// Whether the account is leased: its file and its record are in the store that members share.
    pub(crate) leased: bool,
    /// The file.
    pub(crate) name: String,
    /// Its folder; `None` is the inbox.
    pub(crate) folder: Option<String>,
    /// The content.
    pub(crate) body: Body,
    /// The message in our own queue that it is for.
    pub(crate) queue: Option<QueueId>,
    /// The connections that wait for the result.
    pub(crate) askers: BTreeSet<ConnectionId>,
    /// How far it is.
    pub(crate) stage: Stage,
    /// The say that the rules of the account have.
    pub(crate) ruling: Option<Ruling>,
    /// The question that has the file written, while it waits for room in the account.
    pub(crate) held_back: Option<Query>,
    /// When the message entered the organization.
    pub(crate) arrived: Time,
    /// How many octets its file has; 0 as long as that is not known.
    pub(crate) octets: u64,
    /// What the store that members share is asked to record.
    pub(crate) asked: Option<Recorded>,
    /// It may have recorded that: an answer was lost.
    pub(crate) may_stand: bool,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// The header is being read for the rules of the account.
    Reading,
    /// The reply that they want is being composed.
    Composing,
    /// Another delivery is asking whether the account has room for it.
    InLine,
    /// The host is asked whether the account has room.
    Weighing,
    /// The file is being written.
    Depositing,
    /// The store that members share is asked to record it.
    Recording,
    /// The store has not said whether it has recorded it, and is asked again.
    Unheard,
    /// It is in the journal, and the file is being moved to its place.
    Publishing,
    /// The move failed and will be tried again.
    Stuck,
}

impl Deposit {
    /// Whether this body is still needed for it.
    pub(crate) fn reads(&self, key: BodyKey) -> bool {
        let is_over = matches!(self.stage, Stage::Publishing | Stage::Stuck);
        self.body.key == key && !is_over
    }
}

impl Talk {
    /// The message for whose recipient an answer is awaited.
    pub(crate) fn waits_for(&self, index: u32) -> Option<QueueId> {
        match self {
            Self::Inquiring { queue, open, .. } | Self::Delivering { queue, open } => {
                open.contains(&index).then_some(*queue)
            }
            Self::Idle => None,
        }
    }

    /// Whether this recipient is being asked for or delivered to.
    pub(crate) fn is_about(&self, message: QueueId, index: u32) -> bool {
        match self {
            Self::Idle => false,
            Self::Inquiring { queue, open, again } => {
                *queue == message && (open.contains(&index) || again.contains(&index))
            }
            Self::Delivering { queue, open } => *queue == message && open.contains(&index),
        }
    }

    /// The answer for a recipient came; `is_unknown` if it says that nothing is recorded.
    pub(crate) fn answered(&mut self, index: u32, is_unknown: bool) {
        match self {
            Self::Inquiring { open, again, .. } => {
                open.remove(&index);
                if is_unknown {
                    again.push(index);
                }
            }
            Self::Delivering { open, .. } => {
                open.remove(&index);
            }
            Self::Idle => {}
        }
    }

    /// The message and the recipients that are without an answer.
    pub(crate) fn unanswered(self) -> Option<(QueueId, Vec<u32>)> {
        match self {
            Self::Idle => None,
            Self::Inquiring { queue, open, again } => {
                Some((queue, open.into_iter().chain(again).collect()))
            }
            Self::Delivering { queue, open } => Some((queue, open.into_iter().collect())),
        }
    }
}
