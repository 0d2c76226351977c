//! What the log is told.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::kernel::Span;
use crate::protocol::linkstate::LinkEvent;
use crate::protocol::master::accounts::{GranterEvent, HolderEvent};
use crate::protocol::master::election::ElectionEvent;
use crate::protocol::master::members::MembersEvent;
use crate::protocol::session::{SessionEvent, Tag};
use crate::protocol::submit::SubmitEvent;
use crate::wire::deliver::Ownership;
use crate::wire::header::FieldFault;
use crate::wire::ids::{
    ConnectionId, Epoch, GroupName, MemberName, OriginId, QueueId, StoreId, TransferId,
};
use crate::wire::message::{Address, Body, Digest};

/// What the log is told. Everything that an operator may want to follow stands here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A message came into our custody.
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
    /// A member is the custodian now.
    HandedOver {
        /// The message.
        queue: QueueId,
        /// The hand-over.
        transfer: TransferId,
        /// The member.
        peer: MemberName,
    },
    /// This member may have these recipients; nothing happens to them before it has said so.
    InDoubt {
        /// The message.
        queue: QueueId,
        /// The member.
        peer: MemberName,
        /// The recipients.
        recipients: Vec<u32>,
    },
    /// A hand-over in doubt did not happen; its recipients are free.
    Released {
        /// The message.
        queue: QueueId,
        /// The hand-over.
        transfer: TransferId,
    },
    /// A member that is asked about a hand-over in doubt has another disk than when it was committed:
    /// what follows may be double.
    OtherDisk {
        /// The member.
        peer: MemberName,
        /// The hand-over.
        transfer: TransferId,
    },
    /// Nobody can say whether these recipients were taken; they are marked, and tried again.
    Suspected {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
    },
    /// A member speaks from an earlier boot than we have heard of: its disk was rolled back, or its
    /// connection is an old one.
    DiskBehind {
        /// The member.
        peer: MemberName,
    },
    /// A peer says that our own disk was rolled back; it has a new id, and all mail in it is suspect.
    RolledBack {
        /// The new id.
        store: StoreId,
    },
    /// By the operator's order everything that was in doubt with this member is free.
    Forgotten {
        /// The member.
        peer: MemberName,
    },
    /// The host of the account, or an outside server, has it.
    Delivered {
        /// The message.
        queue: QueueId,
        /// The recipient.
        index: u32,
    },
    /// It is in an account of ours.
    Deposited {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },
    /// These recipients wait for another attempt.
    Deferred {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
        /// Why.
        why: String,
    },
    /// An outside server could not be reached: for so long nobody tries it.
    Resting {
        /// The server.
        server: String,
        /// For so long.
        span: Span,
        /// How often in a row it could not be reached.
        failures: u32,
    },
    /// These recipients are given up and the sender is told.
    Returned {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
        /// The DSN.
        notice: QueueId,
    },
    /// These recipients are given up and nobody is told: the sender is null or does not want it.
    Dropped {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
    },
    /// The sender is told that the message is late.
    Delayed {
        /// The message.
        queue: QueueId,
        /// The DSN.
        notice: QueueId,
    },
    /// No attempt is made any more.
    Held {
        /// The message.
        queue: QueueId,
        /// Why.
        reason: String,
    },
    /// These rules held for a message.
    Ruled {
        /// The message.
        origin: OriginId,
        /// The recipient whose account has them; `None` for queue rules.
        index: Option<u32>,
        /// Their names.
        rules: Vec<String>,
    },
    /// Queue rules refuse a message.
    Rejected {
        /// The return path.
        sender: Option<Address>,
        /// The rules that held, the refusing one last.
        rules: Vec<String>,
    },
    /// Rules would pass a message on that they have passed on before; it stays.
    Looped {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },
    /// It may be attempted again.
    Resumed {
        /// The message.
        queue: QueueId,
    },
    /// The sender is told that these recipients have their copies, or that an outside server has taken
    /// them.
    Confirmed {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
        /// The DSN.
        notice: QueueId,
    },
    /// The operator has ordered this, and it is done.
    Ordered {
        /// The message.
        queue: QueueId,
        /// What.
        action: String,
        /// With these recipients; none where it is about the whole message.
        recipients: Vec<u32>,
    },
    /// The stored body of a message is not the accepted one: the message waits for an operator.
    Quarantined {
        /// The message.
        queue: QueueId,
        /// The body as it was accepted.
        body: Body,
        /// What was expected and what was found.
        problem: String,
    },
    /// The stored body of a message in quarantine is the accepted one again.
    Restored {
        /// The message.
        queue: QueueId,
    },
    /// The last recipient is done with.
    Removed {
        /// The message.
        queue: QueueId,
    },
    /// Another member has this account now.
    AccountClosed {
        /// The account.
        account: Address,
        /// Who has it.
        to: Ownership,
    },
    /// This member has this account now.
    AccountOpened {
        /// The account.
        account: Address,
        /// Under this epoch.
        epoch: Epoch,
    },
    /// A host says that the account of this recipient has moved.
    AccountMoved {
        /// The message.
        queue: QueueId,
        /// The recipient.
        index: u32,
        /// To whom.
        to: Ownership,
    },
    /// A delivery was ready when its account had moved: nothing of it is recorded.
    Fenced {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },
    /// A hand-over brought recipients that were in our custody already; they are not queued twice.
    Doubled {
        /// The message.
        origin: OriginId,
        /// The recipients.
        recipients: Vec<u32>,
    },
    /// The same id was used for another content: somebody lost a disk or forges.
    Conflict {
        /// The id.
        id: String,
    },
    /// The filter has added a field that cannot stand in the header of its message.
    FieldRefused {
        /// Its name.
        field: String,
        /// Why.
        fault: FieldFault,
    },
    /// A peer broke the protocol.
    Misbehaved {
        /// Its connection.
        connection: ConnectionId,
        /// What was wrong.
        problem: String,
    },
    /// The store failed; the host stops this member.
    StoreFailed {
        /// What the host knows of it.
        reason: String,
    },
    /// A host did not say what it knows of its accounts: their mail comes in as the organization's file
    /// says.
    Unverified {
        /// The host.
        host: MemberName,
    },
    /// Of a message that others are to queue, or of those that queue for others.
    Submit(SubmitEvent),
    /// Of the link-state machine.
    Link(LinkEvent),
    /// Of a session. The server tells it; a member never does.
    Session {
        /// Whose connection.
        connection: ConnectionId,
        /// The kind of conversation, the tag of the log line.
        tag: Tag,
        /// What happened.
        event: SessionEvent,
    },
    /// Of an election.
    Election {
        /// Of this group.
        group: GroupName,
        /// What happened.
        event: ElectionEvent,
    },
    /// Of the list of members.
    Members(MembersEvent),
    /// Of the accounts that this member has by lease.
    Tenancy(HolderEvent),
    /// Of the accounts that it leases as the master.
    Granter(GranterEvent),
    /// A message waits for a table that is not smaller than those that have routed it.
    TableAwaited {
        /// The message.
        queue: QueueId,
    },
}

impl Event {
    /// Whether this is an alarm: an operator has to look at it, for somebody may have acted on what is not true, or a
    /// member breaks the protocol of its group.
    #[must_use]
    pub const fn is_alarm(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::DiskBehind { .. } | Self::RolledBack { .. } => true,
            Self::Link(event) => matches!(
                event,
                LinkEvent::Superseded { .. }
                    | LinkEvent::Conflict { .. }
                    | LinkEvent::Misbehaved { .. }
                    | LinkEvent::Buried { is_own: true, .. }
            ),
            Self::Granter(GranterEvent::OtherLease { .. }) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;
    use crate::protocol::linkstate::Neighbour;

    /// MA-014: what a member reports of a connector that it does not carry; LS-134: a member of a buried group runs;
    /// MA-101: a member counts its leases otherwise.
    #[test]
    fn what_the_specification_calls_an_alarm_is_one() {
        let neighbour = Neighbour::Member("rg1-b".into());
        let problem = "reports RG1-RG2, which it does not carry".to_string();
        let misbehaved = LinkEvent::Misbehaved { neighbour, problem };
        assert!(Event::Link(misbehaved).is_alarm());
        for is_own in [true, false] {
            let (group, reason) = ("RG1".into(), "closed".to_string());
            let buried = LinkEvent::Buried { group, reason, is_own };
            assert_eq!(Event::Link(buried).is_alarm(), is_own);
        }
        assert!(Event::DiskBehind { peer: "rg1-b".into() }.is_alarm());
        let other = GranterEvent::OtherLease { member: "rg1-b".into(), account_lease_s: 20 };
        assert!(Event::Granter(other).is_alarm());
        assert!(!Event::Unverified { host: "rg1-b".into() }.is_alarm());
    }
}
