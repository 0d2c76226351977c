//! What a member asks its host.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::kernel::Time;
use crate::protocol::deliver::shared::{SharedAnswer, SharedQuery};
use crate::protocol::master::election::{StoreAnswer, StoreQuery};
use crate::protocol::queue::Ending;
use crate::wire::header;
use crate::wire::ids::{MemberName, OriginId};
use crate::wire::message::{Address, Body, BodyKey, Field, Hop, Recipient, Refusal, Return};

/// A question to the host. The answer to every one is an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Write a DSN and keep it as a body. Answered by `Composed` or `Failed`.
    Compose(Notice),
    /// Write an automatic reply and keep it as a body. Answered by `Composed` or `Failed`.
    Reply(AutoReply),
    /// Read the header of a body, as [`crate::wire::header::fields`] does. Answered by `Header`,
    /// `HeaderPart` or `Failed`.
    Header(Body),
    /// Write the return path, `hops` (as `Received` lines), `fields` and the body to the `tmp/` of the
    /// account's folder under `name`, synced. Answered by `Done` or `Failed`.
    Deposit {
        /// The account.
        account: Address,
        /// Whether the account lies in the store that the members of the group share.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        shared: bool,
        /// The file name, without directory.
        name: String,
        /// The folder; `None` is the inbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<String>,
        /// The return path.
        sender: Option<Address>,
        /// The trace, oldest first.
        hops: Vec<Hop>,
        /// Fields to write above the header.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Field>,
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
        /// Whether the account lies in the store that the members of the group share.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        shared: bool,
        /// The file name.
        name: String,
        /// The folder; `None` is the inbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<String>,
    },
    /// Let the filter judge a message. Answered by `Filtered` or `Failed`.
    Filter {
        /// The return path.
        sender: Option<Address>,
        /// Its recipients.
        recipients: Vec<Address>,
        /// The fields that rules have added to its header.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Field>,
        /// The content.
        body: Body,
    },
    /// Forget a body that no message needs any more. Answered by `Done`.
    Discard(BodyKey),
    /// How many octets the files of an account have that are published in any of its folders, or
    /// recorded. Answered by `Octets` or `Failed`.
    Usage {
        /// The account.
        account: Address,
        /// Whether the account lies in the store that the members of the group share.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        shared: bool,
        /// The names of files that do not count: those of deliveries that are being made.
        without: Vec<String>,
        /// The names of files that count before they are published: those that are recorded.
        unpublished: Vec<String>,
    },
    /// Ask the store that the members of the group share about an account that is leased. Answered by
    /// `Shared`, when what it says is durable, or `Failed`.
    Shared {
        /// The account.
        account: Address,
        /// The question.
        query: SharedQuery,
    },
    /// Ask the store that decides who is the master of a group. Answered by `Store`, within the limit that
    /// the question names.
    Store {
        /// The identity of the group.
        group: String,
        /// The question.
        query: StoreQuery,
    },
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

/// What an automatic reply is to say (RFC 3834).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AutoReply {
    /// The origin id that it will have; its Message-ID follows from it.
    pub origin: OriginId,
    /// The account that replies.
    pub from: Address,
    /// Whom it goes to.
    pub to: Address,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The Message-ID of the message that it answers.
    pub answers: Option<String>,
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

/// What the filter makes of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filtered {
    /// It goes on.
    Pass {
        /// With these fields above its header.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Field>,
    },
    /// It is refused for ever.
    Reject {
        /// In these words.
        text: String,
    },
    /// It vanishes, as if it had been delivered.
    Discard,
}

/// What is read of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRead {
    /// The fields.
    pub fields: Vec<Field>,
    /// There are no others.
    pub is_whole: bool,
}

impl Answer {
    /// What is known of the header of a message that begins with these octets, of which at least
    /// [`HEADER_LIMIT_OCTETS`](crate::wire::header::HEADER_LIMIT_OCTETS) are given.
    #[must_use]
    pub fn header_of(octets: &[u8]) -> Self {
        let fields = header::fields(octets);
        if header::is_whole(octets) { Self::Header(fields) } else { Self::HeaderPart(fields) }
    }

    /// The answer to [`Query::Header`].
    ///
    /// # Errors
    /// It is none, as it is.
    pub fn into_header(self) -> Result<HeaderRead, Self> {
        match self {
            Self::Header(fields) => Ok(HeaderRead { fields, is_whole: true }),
            Self::HeaderPart(fields) => Ok(HeaderRead { fields, is_whole: false }),
            other => Err(other),
        }
    }
}

/// The host's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The DSN or the reply is stored as this body.
    Composed(Body),
    /// The fields of a header.
    Header(Vec<Field>),
    /// What the filter says.
    Filtered(Filtered),
    /// The fields in the front of a header that is longer than is read.
    HeaderPart(Vec<Field>),
    /// It is done, durably.
    Done,
    /// So many octets.
    Octets(u64),
    /// What the store that decides says.
    Store(StoreAnswer),
    /// What the store that members share says.
    Shared(Box<SharedAnswer>),
    /// It cannot be done now: full disk, missing directory.
    Failed(Refusal),
}
