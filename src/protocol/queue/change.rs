//! The durable steps, and what they are about.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Damage;
use super::journal::{AccountJournal, Answered, Recorded};
use crate::kernel::Time;
use crate::protocol::linkstate::{TableChange, Way};
use crate::protocol::master::election::ElectionChange;
use crate::protocol::master::members::MembersChange;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{
    Epoch, GroupName, Incarnation, MemberName, OriginId, QueueId, StoreId, TransferId,
};
use crate::wire::message::{Address, Body, Digest, Envelope, Field, Recipient, Refusal};
use crate::wire::submit::Release;

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
    /// A message is in our custody. For one that a member handed over, the acceptance is part of it.
    Queued {
        /// Under this id.
        queue: QueueId,
        /// The message.
        message: Message,
        /// The hand-over that brought it.
        accepted: Option<(TransferId, Acceptance)>,
    },
    /// A hand-over is accepted whose recipients were all in our custody before.
    Known {
        /// The hand-over.
        transfer: TransferId,
        /// The message that has them.
        acceptance: Acceptance,
    },
    /// Receiver: all offers up to this one are refused for ever.
    Fence {
        /// The hand-over.
        transfer: TransferId,
        /// All offers up to this one.
        offer: u32,
    },
    /// Sender: COMMIT may leave from now on; these recipients are in doubt until the peer has said.
    Committing {
        /// The message.
        queue: QueueId,
        /// The hand-over.
        id: TransferId,
        /// What is in doubt.
        transfer: Transfer,
    },
    /// Sender: the peer is the custodian of these recipients.
    HandedOver {
        /// The message.
        queue: QueueId,
        /// The hand-over.
        id: TransferId,
        /// The recipients that it was for.
        recipients: Vec<u32>,
    },
    /// Sender: the peer has fenced the hand-over; the recipients may go anywhere.
    Released {
        /// The message.
        queue: QueueId,
        /// The hand-over.
        id: TransferId,
    },
    /// Sender: DELIVER may leave from now on; these recipients are in doubt until the host has said.
    Delivering {
        /// The message.
        queue: QueueId,
        /// The host of their accounts.
        host: MemberName,
        /// The recipients.
        recipients: Vec<u32>,
        /// For which ownership of its account each is meant, where that is not the first one.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        epochs: BTreeMap<u32, Epoch>,
    },
    /// Sender: the accounts of these recipients in doubt have moved, and the doubt with them.
    DoubtMoved {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
        /// Who is asked from now on.
        to: Ownership,
    },
    /// Sender: nobody can say any more whether these recipients were taken. They are marked, and free.
    Suspected {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
        /// What was in doubt.
        doubtful: Doubtful,
    },
    /// Receiver: which transfers of this member are over.
    ReleaseHeard {
        /// Who said it.
        member: MemberName,
        /// Its disk.
        store: StoreId,
        /// What it said.
        release: Release,
    },
    /// This disk was rolled back; it has another id from now on.
    DiskRolledBack {
        /// The id.
        store: StoreId,
    },
    /// Sender: the host refused these recipients for now.
    Undelivered {
        /// The message.
        queue: QueueId,
        /// The host.
        host: MemberName,
        /// The recipients.
        recipients: Vec<u32>,
    },
    /// These recipients have ended like this: nothing is tried for them any more, and they leave with the
    /// notice that tells their sender.
    Ended {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
        /// How.
        ending: Ending,
    },
    /// These recipients are done with: delivered, given up, or confirmed or returned with this notice.
    Removed {
        /// The message.
        queue: QueueId,
        /// The recipients.
        recipients: Vec<u32>,
        /// The DSN, as a message of its own.
        notice: Option<(QueueId, Message)>,
    },
    /// The sender of a message is told that it is late.
    Delayed {
        /// The message.
        queue: QueueId,
        /// The DSN.
        notice: (QueueId, Message),
    },
    /// No attempt is made any more, for this reason.
    Held {
        /// The message.
        queue: QueueId,
        /// Why.
        reason: String,
    },
    /// The queue rules have seen a message that was handed over without: so it is now.
    Ruled {
        /// The message.
        queue: QueueId,
        /// Its recipients.
        recipients: Vec<Recipient>,
        /// The fields that stand above its header.
        fields: Vec<Field>,
    },
    /// Nobody else queues a message that was born here: we do.
    Kept {
        /// The message.
        queue: QueueId,
    },
    /// The operator has ordered that this member queues nothing for others, or does so again.
    Draining {
        /// Whether it drains.
        on: bool,
    },
    /// The operator has released the message: attempts may be made again.
    Resumed {
        /// The message.
        queue: QueueId,
    },
    /// The stored body is not the accepted one: nothing is done with the message any more.
    Quarantined {
        /// The message.
        queue: QueueId,
        /// What was found in place of its body.
        damage: Damage,
    },
    /// The body of a message in quarantine is the accepted one again.
    Restored {
        /// The message.
        queue: QueueId,
    },
    /// Receiver of DELIVER: the final word on one recipient. Where the message is in our own queue,
    /// the recipient leaves it by the same change.
    Recorded {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
        /// The word.
        recorded: Recorded,
        /// Under which ownership of the account.
        #[serde(default, skip_serializing_if = "Epoch::is_first")]
        epoch: Epoch,
        /// The message in our own queue.
        queue: Option<QueueId>,
        /// What the rules of the account pass on, as messages of ours.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outputs: Vec<(QueueId, Message)>,
        /// Whom the rules of the account have answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answered: Option<Answered>,
        /// When the message entered the organization.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arrived: Option<Time>,
        /// The message in our own queue whose recipient has its copy, and stays until its sender is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends: Option<QueueId>,
    },
    /// The file of a recorded delivery is where the account's owner sees it.
    Published {
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
    },
    /// Another member has the account from now on. What the account store had of it goes there; every
    /// commit under a smaller epoch is refused.
    Closed {
        /// The account.
        account: Address,
        /// Who has it.
        to: Ownership,
    },
    /// The account is open here from now on, with what its store had of it elsewhere.
    Opened {
        /// The account.
        account: Address,
        /// Under this epoch.
        epoch: Epoch,
        /// What came with it.
        journal: AccountJournal,
    },
    /// Of the link-state machine.
    Link(TableChange),
    /// Of an election.
    Election {
        /// Of this group.
        group: GroupName,
        /// The step.
        change: ElectionChange,
    },
    /// Of the list of members.
    Members(MembersChange),
    /// The delivery journal drops what is settled of messages that arrived at this time or before.
    Forgotten {
        /// The time.
        until: Time,
        /// The time of messages of which it does not know when they arrived: now.
        undated: Time,
    },
}

/// How the duty for a recipient ended that its sender is to hear of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is given up, for this reason.
    Refused(Refusal),
    /// It is stored in its account.
    Delivered,
    /// An outside server has taken it that tells nobody of its success.
    Relayed,
}

/// A message in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// The envelope; its recipients are those that are still in our custody or in doubt.
    pub envelope: Envelope,
    /// The content.
    pub body: Body,
    /// The hand-overs that were begun, also those that are fenced.
    pub transfers: BTreeMap<TransferId, Transfer>,
    /// The recipients that a host may have stored.
    pub deliveries: BTreeMap<MemberName, BTreeSet<u32>>,
    /// Of those, for which ownership of its account each was meant, where that was not the first one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub epochs: BTreeMap<u32, Epoch>,
    /// Whether the sender was told that it is late.
    pub delayed: bool,
    /// Why nothing is tried any more.
    pub held: Option<String>,
    /// The recipients that have ended and whose sender is still to be told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: BTreeMap<u32, Ending>,
    /// The operator has released it: the hop limit holds it here no more.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub pardoned: bool,
    /// What was found in place of the body: the message is in quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
}

/// A hand-over for which COMMIT was stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer {
    /// The latest offer for which COMMIT was stored.
    pub offer: u32,
    /// The way that it went.
    pub way: Way,
    /// To whom.
    pub peer: MemberName,
    /// The peer's disk.
    pub store: StoreId,
    /// For which recipients.
    pub recipients: Vec<u32>,
    /// The peer has fenced this offer.
    pub fenced: bool,
}

/// What was in doubt before recipients were marked as suspect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubtful {
    /// Nothing: it is our own disk that was rolled back.
    Nothing,
    /// A hand-over. Its id is not offered again.
    Transfer(TransferId),
    /// The deliveries to a host.
    Host(MemberName),
}

/// An accepted hand-over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Acceptance {
    /// Of envelope and body.
    pub digest: Digest,
    /// The queue id that was answered.
    pub queue: QueueId,
}

impl Message {
    /// A message that has just come into our custody.
    #[must_use]
    pub const fn new(envelope: Envelope, body: Body) -> Self {
        Self {
            envelope,
            body,
            transfers: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            epochs: BTreeMap::new(),
            delayed: false,
            held: None,
            ended: BTreeMap::new(),
            pardoned: false,
            damage: None,
        }
    }

    /// Whether attempts may be made at all.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.held.is_some() || self.damage.is_some()
    }

    /// With whom each recipient in doubt is in doubt.
    #[must_use]
    pub fn doubts(&self) -> BTreeMap<u32, &MemberName> {
        let handed = self.transfers.values().filter(|transfer| !transfer.fenced);
        let handed = handed.map(|transfer| (&transfer.peer, transfer.recipients.iter()));
        let mut doubts: BTreeMap<_, _> =
            handed.flat_map(|(peer, indexes)| indexes.map(move |index| (*index, peer))).collect();
        for (host, indexes) in &self.deliveries {
            doubts.extend(indexes.iter().map(|index| (*index, host)));
        }
        doubts
    }

    /// The ownership for which a delivery in doubt was meant; `None` where none is.
    #[must_use]
    pub fn meant_for(&self, index: u32) -> Option<Ownership> {
        let mut hosts = self.deliveries.iter();
        let (member, _) = hosts.find(|(_, indexes)| indexes.contains(&index))?;
        let epoch = self.epochs.get(&index).copied().unwrap_or_default();
        Some(Ownership { member: member.clone(), epoch })
    }

    /// Marks recipients that a host may have.
    pub(super) fn mark(
        &mut self,
        host: &MemberName,
        indexes: &[u32],
        epochs: &BTreeMap<u32, Epoch>,
    ) {
        self.deliveries.entry(host.clone()).or_default().extend(indexes);
        self.epochs.retain(|index, _| !indexes.contains(index));
        self.epochs.extend(epochs);
    }

    /// Forgets that a host may have these recipients.
    pub(super) fn unmark(&mut self, indexes: &[u32]) {
        for marked in self.deliveries.values_mut() {
            marked.retain(|index| !indexes.contains(index));
        }
        self.deliveries.retain(|_, marked| !marked.is_empty());
        self.epochs.retain(|index, _| !indexes.contains(index));
    }

    /// Whether this recipient is still here.
    #[must_use]
    pub fn has(&self, index: u32) -> bool {
        self.envelope.recipients.iter().any(|recipient| recipient.index == index)
    }

    /// Marks recipients, and ends the doubt about them.
    pub(super) fn suspect(&mut self, indexes: &[u32], doubtful: &Doubtful) {
        for recipient in &mut self.envelope.recipients {
            recipient.suspect |= indexes.contains(&recipient.index);
        }
        match doubtful {
            Doubtful::Nothing => {}
            Doubtful::Transfer(id) => {
                self.transfers.remove(id).expect("what is freed was in doubt");
            }
            Doubtful::Host(_) => self.unmark(indexes),
        }
    }

    /// Notes how recipients ended: nothing about them is in doubt any more.
    pub(super) fn end(&mut self, indexes: &[u32], ending: &Ending) {
        self.settle(indexes);
        self.ended.extend(indexes.iter().map(|index| (*index, ending.clone())));
    }

    /// Forgets recipients.
    pub(super) fn remove(&mut self, indexes: &[u32]) {
        self.settle(indexes);
        self.envelope.recipients.retain(|recipient| !indexes.contains(&recipient.index));
        self.ended.retain(|index, _| !indexes.contains(index));
    }

    /// Forgets every hand-over and delivery that was only for these recipients.
    fn settle(&mut self, indexes: &[u32]) {
        let gone = |index: &u32| indexes.contains(index);
        self.unmark(indexes);
        for transfer in self.transfers.values_mut() {
            transfer.recipients.retain(|index| !gone(index));
        }
        self.transfers.retain(|_, transfer| !transfer.recipients.is_empty());
    }
}

impl Change {
    /// The bodies that become durable with this change.
    #[must_use]
    pub fn bodies(&self) -> Vec<Body> {
        match self {
            Self::Queued { message, .. }
            | Self::Delayed { notice: (_, message), .. }
            | Self::Removed { notice: Some((_, message)), .. } => alloc::vec![message.body],
            Self::Recorded { outputs, .. } => outputs.iter().map(|(_, m)| m.body).collect(),
            _ => Vec::new(),
        }
    }
}
