//! What a member asks its host.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::kernel::Time;
use crate::protocol::queue::Ending;
use crate::wire::ids::{MemberName, OriginId};
use crate::wire::message::{Address, Body, BodyKey, Hop, Recipient, Refusal, Return};

/// A question to the host. The answer to every one is an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Write a DSN and keep it as a body. Answered by `Composed` or `Failed`.
    Compose(Notice),
    /// Write `hops` (as `Received` lines), the return path and the body to the account's `tmp/` under
    /// `name`, synced. Answered by `Done` or `Failed`.
    Deposit {
        /// The account.
        account: Address,
        /// The file name, without directory.
        name: String,
        /// The return path.
        sender: Option<Address>,
        /// The trace, oldest first.
        hops: Vec<Hop>,
        /// A disk was lost on the way: a line of the header says that it may be double.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        suspect: bool,
        /// The content.
        body: Body,
    },
    /// Rename from `tmp/` to `new/`, directories synced. A missing `tmp/` file means that it is done
    /// already. Answered by `Done` or `Failed`.
    Publish {
        /// The account.
        account: Address,
        /// The file name.
        name: String,
    },
    /// Forget a body that no message needs any more. Answered by `Done`.
    Discard(BodyKey),
}

/// What a DSN is to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notice {
    /// Failure, delay or success.
    pub kind: NoticeKind,
    /// Who writes it.
    pub reporter: MemberName,
    /// Whom it goes to.
    pub to: Address,
    /// The message that it is about.
    pub origin: OriginId,
    /// ENVID of that message.
    pub envid: Option<String>,
    /// When that message arrived.
    pub arrived: Time,
    /// RET of that message.
    pub ret: Option<Return>,
    /// The recipients that it is about, and how each ended. In a notice of a delay nobody has: the
    /// refusals say what they wait for.
    pub recipients: Vec<(Recipient, Ending)>,
    /// The content of that message; `None` where it must not be read, and the notice goes without.
    pub body: Option<Body>,
}

/// Failure, delay or success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The message is given up.
    Failure,
    /// The message is late.
    Delay,
    /// The message is where it was to go.
    Success,
}

/// The host's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The DSN is stored as this body.
    Composed(Body),
    /// It is done, durably.
    Done,
    /// It cannot be done now: full disk, missing directory.
    Failed(Refusal),
}
