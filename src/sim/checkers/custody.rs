//! Who holds what, read from the durable state of a member.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Copy;
use super::ledger::Ledger;
use crate::protocol::queue::{Change, Message, Recorded};
use crate::sim::host::Host;
use crate::sim::house::House;
use crate::sim::network::HostIndex;
use crate::sim::token::Token;
use crate::wire::ids::{OriginId, QueueId};
use crate::wire::message::{Address, Recipient};

/// How a member holds a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// In its queue; it may start an attempt.
    Free,
    /// In its queue, in doubt with another member.
    Doubt,
    /// In its queue, and nothing is tried for it any more: its sender is to be told how it has ended.
    Ended,
    /// In its delivery journal, or that of the house, with the file beside it.
    Journal,
}

/// The deliveries of one member that are recorded and not published yet.
#[derive(Debug, Default)]
pub(super) struct Journal {
    open: BTreeSet<(OriginId, u32)>,
}

impl Journal {
    /// What stands in the journal of a disk.
    pub(super) fn of(host: &Host) -> Self {
        let journal = &host.disk.durable().spool.journal;
        let entries = journal.iter().flat_map(|(origin, entries)| {
            entries.iter().map(move |(index, recorded)| (origin, *index, recorded))
        });
        let is_open =
            |recorded: &Recorded| matches!(recorded, Recorded::Delivered { published: false, .. });
        let open = entries.filter(|(_, _, recorded)| is_open(recorded));
        Self { open: open.map(|(origin, index, _)| (origin.clone(), index)).collect() }
    }

    /// A change is on disk.
    pub(super) fn stored(&mut self, change: &Change) {
        match change {
            Change::Recorded { origin, index, recorded: Recorded::Delivered { .. }, .. } => {
                self.open.insert((origin.clone(), *index));
            }
            Change::Published { origin, index } => {
                self.open.remove(&(origin.clone(), *index));
            }
            _ => {}
        }
    }
}

/// Which copy of a message this is: the recipient's, or the one of the account that passed it on. What
/// goes on from there is that copy still.
fn copy(ledger: &Ledger, token: Token, index: u32, by: Option<&Address>) -> Copy {
    let first = by.and_then(|account| ledger.index_of(token, account));
    (token, first.unwrap_or(index))
}

/// Which message of the run stands behind each name that the members give.
#[derive(Debug, Default)]
pub(super) struct Names {
    queues: BTreeMap<(HostIndex, QueueId), Mail>,
    origins: BTreeMap<OriginId, Mail>,
}

/// A message of the run, and the account that has passed it on.
type Mail = (Token, Option<Address>);

impl Names {
    /// A change is on disk.
    pub(super) fn stored(&mut self, host: &Host, place: HostIndex, change: &Change) {
        match change {
            Change::Queued { queue, message, .. }
            | Change::Removed { notice: Some((queue, message)), .. }
            | Change::Delayed { notice: (queue, message), .. } => {
                self.named(host, place, (*queue, message));
            }
            Change::Recorded { outputs, .. } => {
                outputs.iter().for_each(|(queue, m)| self.named(host, place, (*queue, m)));
            }
            _ => {}
        }
    }

    /// A member has another disk: its queue is what stands there, under the numbers of that disk.
    pub(super) fn set_back(&mut self, host: &Host, place: HostIndex) {
        self.queues.retain(|(at, _), _| *at != place);
        for (queue, message) in &host.disk.durable().spool.queue {
            self.named(host, place, (*queue, message));
        }
    }

    fn named(&mut self, host: &Host, place: HostIndex, (queue, message): (QueueId, &Message)) {
        let key = message.body.key;
        let Some(token) = host.disk.token(key) else { return };
        let mail = (token, host.disk.passed_on_by(key, &message.envelope.fields));
        self.queues.insert((place, queue), mail.clone());
        self.origins.insert(message.envelope.origin.clone(), mail);
    }

    /// These recipients of a message that is, or was, in a member's queue.
    pub(super) fn copies(
        &self,
        place: HostIndex,
        queue: QueueId,
        indexes: &[u32],
        ledger: &Ledger,
    ) -> Vec<Copy> {
        let Some((token, by)) = self.queues.get(&(place, queue)) else { return Vec::new() };
        indexes.iter().map(|index| copy(ledger, *token, *index, by.as_ref())).collect()
    }

    /// The recipient of which an account's journal speaks.
    pub(super) fn recorded(&self, origin: &OriginId, index: u32, ledger: &Ledger) -> Option<Copy> {
        let (token, by) = self.origins.get(origin)?;
        Some(copy(ledger, *token, index, by.as_ref()))
    }
}

/// The account that has passed on the message with this origin id.
pub(super) fn passed_on_by(host: &Host, origin: &OriginId) -> Option<Address> {
    let mut messages = host.disk.durable().spool.queue.values();
    let message = messages.find(|message| message.envelope.origin == *origin)?;
    host.disk.passed_on_by(message.body.key, &message.envelope.fields)
}

/// These recipients of a message.
pub(super) fn copies_of((token, by): Mail, indexes: &[u32], ledger: &Ledger) -> Vec<Copy> {
    indexes.iter().map(|index| copy(ledger, token, *index, by.as_ref())).collect()
}

/// These recipients of a message in a member's queue.
pub(super) fn copies(host: &Host, queue: QueueId, indexes: &[u32], ledger: &Ledger) -> Vec<Copy> {
    let Some(message) = host.disk.durable().spool.queue.get(&queue) else { return Vec::new() };
    let key = message.body.key;
    let Some(token) = host.disk.token(key) else { return Vec::new() };
    let by = host.disk.passed_on_by(key, &message.envelope.fields);
    indexes.iter().map(|index| copy(ledger, token, *index, by.as_ref())).collect()
}

/// Everything that a member holds and would still hold after a crash. A message without its body, or a
/// journal entry without its file, holds nothing.
pub(super) fn held(host: &Host, journal: &Journal, ledger: &Ledger) -> BTreeMap<Copy, Hold> {
    let spool = &host.disk.durable().spool;
    let mut held = BTreeMap::new();
    for (origin, index) in &journal.open {
        if let Some(Recorded::Delivered { account, name, .. }) = spool.recorded(origin, *index)
            && let Some(file) = host.maildirs.file(account, name)
            && let Some(token) = file.token
        {
            held.insert(copy(ledger, token, *index, file.by.as_ref()), Hold::Journal);
        }
    }
    for message in spool.queue.values() {
        let doubts = message.doubts();
        for (recipient, copy) in copies_in(host, message, ledger) {
            let in_doubt = doubts.contains_key(&recipient.index);
            let has_ended = message.ended.contains_key(&recipient.index);
            let hold = match (in_doubt, has_ended) {
                (true, _) => Hold::Doubt,
                (false, true) => Hold::Ended,
                (false, false) => Hold::Free,
            };
            held.insert(copy, hold);
        }
    }
    held
}

/// Everything that the house holds, whatever becomes of the members: what its journals have, and its Maildirs not in
/// its place. A torn file is nothing.
pub(super) fn held_in_house(house: &House, ledger: &Ledger) -> BTreeMap<Copy, Hold> {
    let journals = house.accounts.values().flat_map(|account| &account.journal.lines);
    let copies = journals.filter_map(|((_, index), (recorded, _))| {
        let Recorded::Delivered { account, name, published: false, .. } = recorded else {
            return None;
        };
        let file = house.maildirs.unpublished(account, name)?;
        Some((copy(ledger, file.token?, *index, file.by.as_ref()), Hold::Journal))
    });
    copies.collect()
}

/// The copies of which a message in a member's queue consists; none without its body.
fn copies_in<'a>(
    host: &Host,
    message: &'a Message,
    ledger: &Ledger,
) -> impl Iterator<Item = (&'a Recipient, Copy)> {
    let key = message.body.key;
    let token = host.disk.token(key).filter(|_| host.disk.is_body_durable(key));
    let mail = token.map(|token| (token, host.disk.passed_on_by(key, &message.envelope.fields)));
    mail.into_iter().flat_map(move |(token, by)| {
        let recipients = message.envelope.recipients.iter();
        recipients.map(move |r| (r, copy(ledger, token, r.index, by.as_ref())))
    })
}

/// Everything in a member's queue.
pub(super) fn queued<'a>(
    host: &'a Host,
    ledger: &'a Ledger,
) -> impl Iterator<Item = (&'a Message, &'a Recipient, Copy)> {
    host.disk.durable().spool.queue.values().flat_map(move |message| {
        copies_in(host, message, ledger).map(move |(recipient, copy)| (message, recipient, copy))
    })
}
