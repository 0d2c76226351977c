//! What custody says, where to, and when.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::kernel::Time;
use crate::protocol::linkstate::{LinkPdu, LinkTimer};
use crate::protocol::master::accounts::{GranterTimer, HolderTimer};
use crate::protocol::master::election::ElectionTimer;
use crate::protocol::master::members::MembersTimer;
use crate::protocol::operator::{Order, Ordered};
use crate::protocol::queue::{AccountJournal, Damage};
use crate::wire::accounts::AccountsPdu;
use crate::wire::deliver::Ownership;
use crate::wire::election::ElectionPdu;
use crate::wire::ids::{
    ConnectionId, ConnectorName, Epoch, GroupName, MemberName, OriginId, QueueId, StoreId,
    TransferId,
};
use crate::wire::members::MembersPdu;
use crate::wire::message::{
    Address, Body, BodyKey, Digest, Envelope, Outcome, Recipient, Refusal, Return,
};
use crate::wire::submit::{Load, Release};
use crate::wire::verify::VerifyPdu;

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
    /// The SMTP port of a frontend of our group, as a server that relays like any other.
    Frontend(MemberName),
    /// The group port of a member of our group, to ask about accounts.
    Consult(MemberName),
    /// The group port of a member or witness of our group, to elect a master, or to tell who it is.
    Convene(MemberName),
    /// The group port of the master, for accounts that it leases.
    Tenant(MemberName),
}

/// What custody says on a connection. Sessions turn these into lines and frames, and back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pdu {
    // --- an outside client, on the SMTP port; the session is the speaker ---
    /// May mail for this recipient enter? Answered by `Ok` or `Refused`, in order.
    Recipient(Candidate),
    /// A whole message from outside. Answered by `Accepted` or `Refused`.
    Mail(NewMail),
    /// Yes.
    Ok,
    /// The message is durable here, under this id.
    Accepted(QueueId),
    /// No.
    Refused(Refusal),

    // --- our connection to an outside server ---
    /// Please relay. Answered by one `Result` or `Relayed` for each recipient.
    Relay(Parcel),
    /// The server has taken it, and was not told to tell the sender of its success. (`Result` is the
    /// other answer.)
    Relayed {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },

    // --- hand-over between members, SMTP port ---
    /// First on each connection, both ways: who I am, and which disk I have.
    Hello {
        /// The speaker.
        member: MemberName,
        /// Its disk.
        store: StoreId,
        /// How much it has to do; said only in answers, by members that queue for the asker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        load: Option<Load>,
    },
    /// An offer is about to come in: is it wanted? Answered by `Ok`, `HandedOver` (a repeat: nothing
    /// need be transferred), or `Refused`. Only a session says it, on behalf of the far end.
    Announce {
        /// The hand-over.
        transfer: TransferId,
        /// Which offer.
        offer: u32,
        /// The length of the body.
        octets: u64,
        /// Of envelope and body.
        digest: Digest,
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
    /// The asker itself has said that it is over: an answer to `Offer`, `Commit`, `Resolve`, `Status`.
    Done(TransferId),
    /// Which transfers of the speaker are over. Answered by `Released` or `Refused`.
    Release(Release),
    /// It is understood.
    Released,

    // --- DELIVER, on the delivery port ---
    /// Deliver to these recipients. Answered by one `Result` each, in order, as each is known.
    Deliver(Parcel),
    /// What became of these? Answered by one `Result` or `NoResult` each, in order.
    Inquire {
        /// The message.
        origin: OriginId,
        /// The recipients, each with the ownership of its account for which this is meant.
        recipients: Vec<(u32, Address, Epoch)>,
        /// When the message entered the organization, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arrived: Option<Time>,
    },
    /// The account of this recipient is not open at the speaker under the epoch that was meant.
    Moved {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
        /// The ownership that the speaker knows.
        to: Ownership,
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
    /// The speaker keeps no journal, or none that reaches back that far: nobody can say what became of
    /// this recipient.
    NoJournal {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },
    /// Nothing is recorded for this recipient.
    NoResult {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },

    // --- the operator, on the admin socket; the host is the speaker ---
    /// What came of an order. Everything that it speaks of is durable.
    Ordered(Ordered),

    // --- LINK STATE, on the SMTP port and the group port ---
    /// News and its answers.
    Link(LinkPdu),

    // --- questions about accounts, on the group port ---
    /// A question and its answers.
    Verify(VerifyPdu),

    // --- elections, on the group port ---
    /// A word of an election.
    Election {
        /// Who says it; its name is proved.
        by: MemberName,
        /// The word.
        pdu: ElectionPdu,
    },

    // --- accounts that are leased, on the group port ---
    /// A request about accounts that are leased, or an answer.
    Accounts {
        /// Who says it; its name is proved.
        by: MemberName,
        /// The word.
        pdu: AccountsPdu,
    },

    // --- the list of members, on the group port ---
    /// Heartbeats and lists.
    Members(MembersPdu),
}

/// A recipient of a message from outside, before it is let in, and what is known of the message by then.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// The recipient.
    pub address: Address,
    /// The return path; `None` is the null sender.
    pub sender: Option<Address>,
    /// How long the message is, as its sender says; 0 where it has not said.
    pub octets: u64,
    /// How many recipients it has, this one included.
    pub recipients: u64,
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
    /// Who gave it, where they proved their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitter: Option<String>,
    /// Who gave it: EHLO name and address.
    pub from: String,
    /// `SMTP`, or `ESMTP` with the letters of RFC 3848: `A` at its end where the client has logged in.
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
    /// For DELIVER: the ownership of its account for which each recipient is meant, where that is not
    /// the first one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub epochs: BTreeMap<u32, Epoch>,
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
    /// The breaker of this member has been open for long enough: one message may try it.
    Breaker(MemberName),
    /// An outside server that could not be reached has rested for long enough.
    Rest(String),
    /// Finish the deliveries whose last step failed.
    Publish,
    /// Of the link-state machine.
    Link(LinkTimer),
    /// A session waits too long: for a greeting, for a command, for the answer to `QUIT`. The server
    /// arms it and takes it; a member never sees it.
    Session(ConnectionId),
    /// A client has waited long enough for what hosts say of its recipient.
    Verify(ConnectionId),
    /// A host that did not answer questions about accounts may be asked again.
    Consult(MemberName),
    /// Drop what the delivery journal need not have any more.
    Journal,
    /// The schedule of a connector may let mail go.
    Schedule(ConnectorName),
    /// Of the election of this group.
    Election(GroupName, ElectionTimer),
    /// Of the accounts that this member leases to others.
    Granter(GranterTimer),
    /// Of the accounts that it has by lease.
    Holder(HolderTimer),
    /// Mail waits for accounts that are leased.
    Tenant,
    /// The members that are not attached are told again who the master is.
    Herald,
    /// Of the list of members.
    Members(MembersTimer),
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
    /// The operator orders something. Answered by [`Pdu::Ordered`].
    Order {
        /// Whom the answer goes to: a number as an accepted connection has it, used for this order only.
        from: ConnectionId,
        /// What.
        order: Order,
    },
    /// The host has looked at a body that it keeps.
    BodyChecked {
        /// Which one.
        key: BodyKey,
        /// What stands in its place; `None` where it is the one that was accepted.
        damage: Option<Damage>,
    },
    /// An account of ours is granted to another member. Whoever says it takes the account's journal from
    /// the disk when the [`Closed`](crate::protocol::queue::Change::Closed) is there; until then, and as
    /// long as a file of it is being moved to its place, it is said again.
    CloseAccount {
        /// The account.
        account: Address,
        /// Who has it from then on.
        to: Ownership,
    },
    /// An account is granted to this member.
    OpenAccount {
        /// The account.
        account: Address,
        /// Under this epoch.
        epoch: Epoch,
        /// What the member before had of it.
        journal: AccountJournal,
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
    /// SMTP for clients that log in, in clear at first (RFC 6409).
    Submission,
    /// SMTP for clients that log in, under TLS from the start (RFC 8314).
    Submissions,
}
