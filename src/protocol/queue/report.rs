//! What people are shown of the queue and of the accounts.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::hours::waits;
use super::{Message, Place, Recorded};
use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::member::{Member, MemberConfig};
use crate::protocol::operator::{Selection, State};
use crate::wire::ids::{MemberName, OriginId, QueueId};
use crate::wire::message::Address;

/// One message of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct QueueRow {
    /// The queue id, as printed everywhere.
    pub queue: String,
    /// The origin id.
    pub origin: OriginId,
    /// The return path; `None` is the null sender.
    pub sender: Option<Address>,
    /// How long it has been in the organization.
    pub age: Span,
    /// The length of the content.
    pub octets: u64,
    /// Why nothing is tried any more.
    pub held: Option<String>,
    /// What was expected of the stored content and what was found: the message is in quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
    /// The recipients that are not done with.
    pub recipients: Vec<RecipientRow>,
}

/// One recipient of a message in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RecipientRow {
    /// The position in the original envelope.
    pub index: u32,
    /// Whom it is for.
    pub address: Address,
    /// A disk was lost on the way: another copy may be under way, or stored already.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub suspect: bool,
    /// Where it stands: the next hop, what it waits for, or with whom it is in doubt.
    pub place: Option<Place>,
    /// The same in one word.
    pub state: Option<State>,
    /// Where it goes next, or with whom it is in doubt.
    pub next_hop: Option<String>,
    /// For the schedule of which connector it waits, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// One message of the queue with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct MessageRow {
    /// As the list shows it.
    pub row: QueueRow,
    /// The waits that were begun since the boot.
    pub attempts: u32,
    /// What is durable of it.
    pub message: Message,
}

/// One account that is open here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct AccountRow {
    /// The account.
    pub address: Address,
    /// The member that has it open.
    pub host: MemberName,
    /// How many messages the delivery journal has for it.
    pub delivered: u64,
    /// The member has it by lease, and it lies in the store that the members of the group share.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub leased: bool,
}

impl Member {
    /// The queue, oldest message first.
    #[must_use]
    pub fn queue_report(&self, now: Time) -> Vec<QueueRow> {
        self.rows_by(&Selection::default(), now, None)
    }

    /// The messages that are meant, oldest first, with the recipients that are meant.
    #[must_use]
    pub fn rows(&self, which: &Selection, now: Time, config: &MemberConfig) -> Vec<QueueRow> {
        self.rows_by(which, now, Some(config))
    }

    fn rows_by(
        &self,
        which: &Selection,
        now: Time,
        config: Option<&MemberConfig>,
    ) -> Vec<QueueRow> {
        let selected = self.select(which, now).into_iter();
        selected.map(|(queue, indexes)| self.row(queue, &indexes, now, config)).collect()
    }

    /// The messages that are meant, with everything that is known of them.
    #[must_use]
    pub fn shown(&self, which: &Selection, now: Time, config: &MemberConfig) -> Vec<MessageRow> {
        let selected = self.select(which, now).into_iter();
        let shown = selected.map(|(queue, indexes)| MessageRow {
            row: self.row(queue, &indexes, now, Some(config)),
            attempts: self.work[&queue].attempts,
            message: self.spool.queue[&queue].clone(),
        });
        shown.collect()
    }

    fn row(
        &self,
        queue: QueueId,
        indexes: &[u32],
        now: Time,
        config: Option<&MemberConfig>,
    ) -> QueueRow {
        let message = &self.spool.queue[&queue];
        let places = &self.work[&queue].places;
        let recipients = message.envelope.recipients.iter();
        let recipients = recipients.filter(|recipient| indexes.contains(&recipient.index));
        let recipients = recipients.map(|recipient| {
            clause!(SU_041);
            let place = places.get(&recipient.index);
            RecipientRow {
                index: recipient.index,
                address: recipient.address.clone(),
                suspect: recipient.suspect,
                place: place.cloned(),
                state: place.map(|place| State::of(message, place)),
                next_hop: place.and_then(Place::next_hop).map(String::from),
                waits_for: place.zip(config).and_then(|(place, config)| waits(place, config, now)),
            }
        });
        QueueRow {
            queue: super::queue_name(queue),
            origin: message.envelope.origin.clone(),
            sender: message.envelope.sender.clone(),
            age: now.since(message.envelope.arrived),
            octets: message.body.octets,
            held: message.held.clone(),
            quarantine: message.damage.as_ref().map(|damage| damage.against(&message.body)),
            recipients: recipients.collect(),
        }
    }

    /// The accounts that are open here, in the order of the configuration.
    #[must_use]
    pub fn account_report(&self, config: &MemberConfig) -> Vec<AccountRow> {
        let mut counts: BTreeMap<&Address, u64> = BTreeMap::new();
        for recorded in self.spool.journal.values().flat_map(BTreeMap::values) {
            if let Recorded::Delivered { account, .. } = recorded {
                *counts.entry(account).or_default() += 1;
            }
        }
        let accounts = config.organization.accounts.iter();
        let ours = accounts.filter(|account| match account.host {
            Some(ref host) => *host == config.member,
            None => self.tenancies.is_open(&account.address),
        });
        let row = |account: &crate::protocol::organization::Account| AccountRow {
            address: account.address.clone(),
            host: config.member.clone(),
            delivered: match self.tenancies.journal(&account.address) {
                Some(journal) => journal.deliveries(),
                None => counts.get(&account.address).copied().unwrap_or(0),
            },
            leased: account.is_leased(),
        };
        ours.map(row).collect()
    }
}
