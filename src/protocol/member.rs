//! One server at the level of custody.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::ids::{
    ConnectionId, ConnectorName, Incarnation, MemberName, OriginId, QueueId, StoreId, TransferId,
};
use super::linkstate::{LinkDurable, LinkPdu, LinkTimer, LinkView, TableChange};
use super::message::{
    Address, Body, BodyKey, Digest, Envelope, Hop, Outcome, Recipient, Refusal, Return,
};
use super::organization::Organization;
use crate::kernel::{Cx, Input, Machine, Span};

/// What a member is configured with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberConfig {
    /// The organization, the same everywhere.
    pub organization: Arc<Organization>,
    /// This member.
    pub member: MemberName,
    /// How the members prove their names to each other.
    pub security: Security,
    /// How long, how often, how much.
    pub policy: Policy,
    /// Planted bugs, in test builds.
    pub faults: Faults,
}

/// How the members of an organization prove their names to each other.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// By a certificate. Without TLS nothing that only members may see is said, either side.
    #[default]
    Tls,
    /// By the address that they connect from. For tests only.
    Address,
}

/// How long, how often, how much. The defaults are the seed's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// The waits before the first retries of a message.
    pub first_retries_minutes: Vec<u32>,
    /// The wait before each later retry; at least 1.
    pub retry_interval_minutes: u32,
    /// When the sender is told that the message is late.
    pub delay_notice_hours: u32,
    /// When the message is returned.
    pub expiry_hours: u32,
    /// Groups that a message may visit before it is held.
    pub hop_limit: u32,
    /// The largest message that is accepted.
    pub message_limit_octets: u64,
    /// The most recipients of one message.
    pub recipients_limit: u32,
    /// The most messages in the queue before new mail is refused.
    pub queue_limit: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_retries_minutes: alloc::vec![10, 10, 10],
            retry_interval_minutes: 15,
            delay_notice_hours: 12,
            expiry_hours: 48,
            hop_limit: 25,
            message_limit_octets: 50 * 1024 * 1024,
            recipients_limit: 1_000,
            queue_limit: 100_000,
        }
    }
}

/// Where a member opens a connection to. The host maps it to a socket address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The SMTP port of a target bridgehead, over a connector.
    Connector(ConnectorName, MemberName),
    /// The SMTP port of a member of our own group.
    Member(MemberName),
    /// The delivery port of the host of an account.
    Deliver(MemberName),
    /// The group port of the master.
    Group(MemberName),
    /// An outside server, `HOST:PORT`.
    Outside(String),
}

/// What custody says on a connection. Sessions turn these into lines and frames, and back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pdu {
    // --- an outside client, on the SMTP port; the session is the speaker ---
    /// May mail for this address enter? Answered by `Ok` or `Refused`, in order.
    Recipient(Address),
    /// A whole message from outside. Answered by `Accepted` or `Refused`.
    Mail(NewMail),
    /// Yes.
    Ok,
    /// The message is durable here, under this id.
    Accepted(QueueId),
    /// No.
    Refused(Refusal),

    // --- our connection to an outside server ---
    /// Please relay. Answered by one `Result` for each recipient.
    Relay(Parcel),

    // --- hand-over between members, SMTP port ---
    /// First on each connection, both ways: who I am, and which disk I have.
    Hello {
        /// The speaker.
        member: MemberName,
        /// Its disk.
        store: StoreId,
    },
    /// Take this. The session streams envelope and body behind it. Answered by `Transferred`,
    /// `HandedOver` (a repeat), or `Refused`.
    Offer {
        /// The hand-over.
        transfer: TransferId,
        /// Counts the offers of this transfer.
        offer: u32,
        /// The message.
        parcel: Parcel,
    },
    /// The offer is here completely and its digest is right; nothing is promised.
    Transferred {
        /// The hand-over.
        transfer: TransferId,
        /// Which offer.
        offer: u32,
    },
    /// From now on it is yours. Answered by `HandedOver` or `Refused`; a refusal settles nothing.
    Commit {
        /// The hand-over.
        transfer: TransferId,
        /// Which offer.
        offer: u32,
    },
    /// Custody is here, durably.
    HandedOver {
        /// The hand-over.
        transfer: TransferId,
        /// The queue id at the receiver; the same for each repeat.
        queue: QueueId,
    },
    /// Settle this transfer in doubt: accepted, or fenced for ever up to `offer`.
    Resolve {
        /// The hand-over.
        transfer: TransferId,
        /// All offers up to this one.
        offer: u32,
    },
    /// The answer to `Resolve`: durably fenced. (`HandedOver` is the other answer.)
    Fenced {
        /// The hand-over.
        transfer: TransferId,
        /// All offers up to this one.
        offer: u32,
    },
    /// What do you know of it? Read-only, permits nothing.
    Status(TransferId),
    /// Nothing is known. (`HandedOver` and `Fenced` are the other answers.)
    Unknown(TransferId),

    // --- DELIVER, on the delivery port ---
    /// Deliver to these recipients. Answered by one `Result` each, in order, as each is known.
    Deliver(Parcel),
    /// What became of these? Answered by one `Result` or `NoResult` each, in order.
    Inquire {
        /// The message.
        origin: OriginId,
        /// The recipients.
        recipients: Vec<(u32, Address)>,
    },
    /// The final word on one recipient, durable at the speaker.
    Result {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
        /// The word.
        outcome: Outcome,
    },
    /// Nothing is recorded for this recipient.
    NoResult {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },

    // --- LINK STATE, on the SMTP port and the group port ---
    /// News and its answers.
    Link(LinkPdu),
}

/// A message from outside, as the session collected it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewMail {
    /// The return path; `None` is the null sender.
    pub sender: Option<Address>,
    /// The recipients, in order; the position becomes the index.
    pub recipients: Vec<Recipient>,
    /// RET.
    pub ret: Option<Return>,
    /// ENVID.
    pub envid: Option<String>,
    /// SMTPUTF8 was used.
    pub smtputf8: bool,
    /// Who gave it: EHLO name and address.
    pub from: String,
    /// `SMTP` or `ESMTP`.
    pub with: String,
    /// The content.
    pub body: Body,
}

/// An envelope with its body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parcel {
    /// The envelope; its recipients are those that this parcel is for.
    pub envelope: Envelope,
    /// The content.
    pub body: Body,
}

/// Names of the timers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// Try a message again.
    Retry(QueueId),
    /// Tell the sender that it is late.
    Delay(QueueId),
    /// Return it.
    Expire(QueueId),
    /// A connection has been silent for too long.
    Silence(ConnectionId),
    /// Ask again about what is in doubt with this member.
    Doubt(MemberName),
    /// Of the link-state machine.
    Link(LinkTimer),
    /// A session waits too long: for a greeting, for a command, for the answer to `QUIT`. The server
    /// arms it and takes it; a member never sees it.
    Session(ConnectionId),
}

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
    /// Failure or delay.
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
    pub arrived: crate::kernel::Time,
    /// RET of that message.
    pub ret: Option<Return>,
    /// The recipients that it is about, and why.
    pub recipients: Vec<(Recipient, Refusal)>,
    /// The content of that message.
    pub body: Body,
}

/// Failure or delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The message is given up.
    Failure,
    /// The message is late.
    Delay,
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

/// Orders from the sessions and the operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A member opened a connection to us, on the port of this kind; its name is proved.
    ///
    /// Connections that others open have odd numbers, those that the member opens even ones.
    Inbound {
        /// The connection.
        connection: ConnectionId,
        /// Who opened it.
        member: MemberName,
        /// On which port.
        port: Port,
    },
}

/// Which port a member connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    /// SMTP, with hand-over and news.
    Smtp,
    /// Delivery port.
    Deliver,
    /// Group port.
    Group,
}

/// One durable custody step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A boot: the store id (drawn at the first one) and a fresh incarnation.
    Boot {
        /// Which disk this is.
        store: StoreId,
        /// For the ids of this boot.
        incarnation: Incarnation,
    },
    /// Of the link-state machine.
    Link(TableChange),
}

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// Which disk this is; zero before the first boot.
    pub store: StoreId,
    /// The incarnation of the latest boot.
    pub incarnation: Incarnation,
    /// Of the link-state machine.
    pub link: LinkDurable,
}

/// What the log is told. Everything that an operator may want to follow stands here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A message entered the organization here.
    Received {
        /// Under this id.
        queue: QueueId,
        /// With this origin id.
        origin: OriginId,
    },
    /// A digest of envelope and body, for the trace.
    Digested {
        /// The message.
        origin: OriginId,
        /// Of envelope and body.
        digest: Digest,
    },
    /// Of the link-state machine.
    Link(super::linkstate::LinkEvent),
    /// Of a session. The server tells it; a member never does.
    Session {
        /// Whose connection.
        connection: ConnectionId,
        /// The kind of conversation, the tag of the log line.
        tag: super::session::Tag,
        /// What happened.
        event: super::session::SessionEvent,
    },
}

/// The projection onto the model's variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// Of the link-state machine.
    pub link: Option<LinkView>,
}

/// One server at the level of custody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {}

impl Machine for Member {
    type Config = MemberConfig;
    type Peer = ConnectionId;
    type Endpoint = Endpoint;
    type Pdu = Pdu;
    type Timer = Timer;
    type Change = Change;
    type Durable = Durable;
    type Query = Query;
    type Answer = Answer;
    type Command = Command;
    type Event = Event;
    type View = View;

    fn apply(_durable: &mut Durable, _change: &Change) {}

    fn boot(_config: &MemberConfig, _durable: &Durable, _cx: &mut Cx<'_, Self>) -> Self {
        Self {}
    }

    fn step(&mut self, _config: &MemberConfig, _input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let _ = (&cx.now, Span::ZERO);
    }

    fn view(&self) -> View {
        View { link: None }
    }
}
