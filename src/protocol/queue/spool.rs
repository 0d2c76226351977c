//! What is durable: the queue, the journal of acceptances, the fences, the journal of deliveries.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::change::{Acceptance, Change, Ending, Message, Transfer};
use super::journal::{AccountJournal, AccountState, Answered, Recorded};
use super::peers::SenderRecord;
use crate::clause;
use crate::kernel::Time;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{Epoch, Incarnation, MemberName, OriginId, QueueId, StoreId, TransferId};
use crate::wire::message::{Address, Body};
use crate::wire::submit::Release;

/// How many senders an account remembers to have answered.
pub const ANSWERED_LIMIT: usize = 1_000;

/// The fold of the custody changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spool {
    /// The greatest queue id that was ever given.
    pub latest: u64,
    /// The messages.
    pub queue: BTreeMap<QueueId, Message>,
    /// The hand-overs that we accepted.
    pub accepted: BTreeMap<TransferId, Acceptance>,
    /// For each hand-over the greatest offer that we refuse for ever.
    pub fences: BTreeMap<TransferId, u32>,
    /// What the members that hand mail over have said of their transfers.
    #[serde(default)]
    pub senders: BTreeMap<MemberName, SenderRecord>,
    /// The delivery journal.
    pub journal: BTreeMap<OriginId, BTreeMap<u32, Recorded>>,
    /// How the accounts stand of which the journal has something, or that have moved.
    #[serde(default)]
    pub accounts: BTreeMap<Address, AccountState>,
    /// For each account whom its rules have answered, and until when they do not answer again.
    #[serde(default)]
    pub answered: BTreeMap<Address, BTreeMap<Address, Time>>,
    /// By the operator's order nothing more is queued for others.
    #[serde(default)]
    pub draining: bool,
    /// When the messages entered the organization that the delivery journal has.
    #[serde(default)]
    pub arrivals: BTreeMap<OriginId, Time>,
    /// For each account when the latest message entered of which the delivery journal has dropped it.
    #[serde(default)]
    pub horizons: BTreeMap<Address, Time>,
}

impl Spool {
    /// The queue id that the next message gets.
    #[must_use]
    pub const fn next(&self) -> QueueId {
        QueueId(self.latest + 1)
    }

    /// The bodies that must be kept.
    pub fn bodies(&self) -> impl Iterator<Item = Body> {
        self.queue.values().map(|message| message.body)
    }

    /// What the delivery journal says of a recipient.
    #[must_use]
    pub fn recorded(&self, origin: &OriginId, index: u32) -> Option<&Recorded> {
        self.journal.get(origin)?.get(&index)
    }

    /// Whether the rules of `account` have answered `sender` and do not answer again at this time.
    #[must_use]
    pub fn is_answered(&self, account: &Address, sender: &Address, now: Time) -> bool {
        let until = self.answered.get(account).and_then(|senders| senders.get(sender));
        until.is_some_and(|until| now < *until)
    }

    /// Folds one change. Those of the boot, of the link state and of elections are not the spool's.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Boot { .. }
            | Change::DiskRolledBack { .. }
            | Change::Link(_)
            | Change::Election { .. }
            | Change::Members(_) => {}
            Change::Queued { queue, message, accepted } => {
                self.insert(*queue, message);
                if let Some((transfer, acceptance)) = accepted {
                    self.accept(transfer, acceptance);
                }
            }
            Change::Known { transfer, acceptance } => self.accept(transfer, acceptance),
            Change::Fence { transfer, offer } => {
                let fence = self.fences.entry(transfer.clone()).or_default();
                assert!(*fence < *offer, "a fence only rises");
                *fence = *offer;
            }
            Change::Committing { queue, id, transfer } => {
                let before = self.message(*queue).transfers.insert(id.clone(), transfer.clone());
                let follows = |before: Transfer| before.fenced && before.offer < transfer.offer;
                assert!(before.is_none_or(follows), "only a fenced transfer is offered again");
            }
            Change::HandedOver { queue, recipients, .. } => self.remove(*queue, recipients),
            Change::Released { queue, id } => {
                let transfer = self.message(*queue).transfers.get_mut(id);
                transfer.expect("what is released was in doubt").fenced = true;
            }
            Change::Suspected { queue, recipients, doubtful } => {
                self.message(*queue).suspect(recipients, doubtful);
            }
            Change::ReleaseHeard { member, store, release } => {
                self.release(member, *store, release);
            }
            Change::Delivering { queue, host, recipients, epochs } => {
                let message = self.message(*queue);
                assert!(recipients.iter().all(|index| message.has(*index)), "they are here");
                message.mark(host, recipients, epochs);
            }
            Change::DoubtMoved { queue, recipients, to } => {
                let message = self.message(*queue);
                message.unmark(recipients);
                let epochs = recipients.iter().map(|index| (*index, to.epoch)).collect();
                message.mark(&to.member, recipients, &epochs);
            }
            Change::Undelivered { queue, recipients, .. } => {
                self.message(*queue).unmark(recipients);
            }
            Change::Ended { queue, recipients, ending } => {
                let message = self.message(*queue);
                assert!(recipients.iter().all(|index| message.has(*index)), "they are here");
                message.end(recipients, ending);
            }
            Change::Removed { queue, recipients, notice } => {
                self.remove(*queue, recipients);
                if let Some((queue, message)) = notice {
                    self.insert(*queue, message);
                }
            }
            Change::Delayed { queue, notice } => {
                self.message(*queue).delayed = true;
                self.insert(notice.0, &notice.1);
            }
            Change::Held { queue, reason } => self.message(*queue).held = Some(reason.clone()),
            Change::Kept { queue } => {
                let envelope = &mut self.message(*queue).envelope;
                assert!(envelope.unqueued, "a message is kept once");
                envelope.unqueued = false;
            }
            Change::Draining { on } => self.draining = *on,
            Change::Resumed { queue } => {
                let message = self.message(*queue);
                (message.held, message.pardoned) = (None, true);
            }
            Change::Quarantined { queue, damage } => {
                self.message(*queue).damage = Some(damage.clone());
            }
            Change::Restored { queue } => self.message(*queue).damage = None,
            Change::Ruled { queue, recipients, fields } => {
                assert!(!recipients.is_empty(), "a message in the queue is for somebody");
                let envelope = &mut self.message(*queue).envelope;
                assert!(envelope.rules_due, "queue rules see a message once");
                envelope.recipients.clone_from(recipients);
                envelope.fields.clone_from(fields);
                envelope.rules_due = false;
            }
            Change::Recorded {
                origin,
                index,
                recorded,
                epoch,
                queue,
                outputs,
                answered,
                arrived,
                ends,
            } => {
                if let Some(arrived) = arrived {
                    self.arrivals.entry(origin.clone()).or_insert(*arrived);
                }
                if let Some(account) = recorded.account() {
                    self.raise(account, *epoch);
                }
                self.journal.entry(origin.clone()).or_default().insert(*index, recorded.clone());
                if let Some(queue) = queue {
                    self.remove(*queue, &[*index]);
                }
                if let Some(queue) = ends {
                    self.message(*queue).end(&[*index], &Ending::Delivered);
                }
                for (queue, message) in outputs {
                    self.insert(*queue, message);
                }
                answered.iter().for_each(|answered| self.remember(answered));
            }
            Change::Published { origin, index } => self.publish(origin, *index),
            Change::Closed { account, to } => self.close(account, to),
            Change::Opened { account, epoch, journal } => self.open(account, *epoch, journal),
            Change::Forgotten { until, undated } => self.forget_journal(*until, *undated),
        }
    }

    /// Whether the member that minted this transfer has said that it is over.
    #[must_use]
    pub fn is_over(&self, id: &TransferId) -> bool {
        self.senders.get(&id.member).is_some_and(|sender| sender.is_over(id))
    }

    /// Forgets what a sender says is over.
    fn release(&mut self, member: &MemberName, store: StoreId, release: &Release) {
        let first = TransferId { member: member.clone(), incarnation: Incarnation(0), sequence: 0 };
        let accepted = self.accepted.range(&first..).map(|(id, _)| id);
        let fenced = self.fences.range(&first..).map(|(id, _)| id);
        let theirs = |id: &&TransferId| id.member == *member;
        let known: Vec<TransferId> =
            accepted.take_while(theirs).chain(fenced.take_while(theirs)).cloned().collect();
        let sender = self.senders.entry(member.clone()).or_default();
        sender.hear(store, release, known.iter().map(|id| id.incarnation));
        for id in known.iter().filter(|id| sender.is_over(id)) {
            self.accepted.remove(id);
            self.fences.remove(id);
        }
    }

    /// What moves with an account.
    #[must_use]
    pub fn journal_of(&self, account: &Address) -> AccountJournal {
        let rows = self.journal.iter().flat_map(|(origin, entries)| {
            entries.iter().map(move |(index, recorded)| (origin, *index, recorded))
        });
        let rows = rows.filter(|(_, _, recorded)| recorded.account() == Some(account));
        let rows = rows.map(|(origin, index, recorded)| (origin.clone(), index, recorded.clone()));
        let rows: Vec<_> = rows.collect();
        let answered = self.answered.get(account).cloned().unwrap_or_default();
        let dated = |(origin, ..): &(OriginId, u32, Recorded)| {
            Some((origin.clone(), *self.arrivals.get(origin)?))
        };
        clause!(DE_089);
        let arrivals = rows.iter().filter_map(dated).collect();
        let horizon = self.horizons.get(account).copied();
        AccountJournal { rows, answered, arrivals, horizon }
    }

    fn close(&mut self, account: &Address, to: &Ownership) {
        for entries in self.journal.values_mut() {
            entries.retain(|_, recorded| recorded.account() != Some(account));
        }
        self.journal.retain(|_, entries| !entries.is_empty());
        self.arrivals.retain(|origin, _| self.journal.contains_key(origin));
        self.horizons.remove(account);
        self.answered.remove(account);
        let moved = Some(to.member.clone());
        self.accounts.insert(account.clone(), AccountState { epoch: to.epoch, moved });
    }

    fn open(&mut self, account: &Address, epoch: Epoch, journal: &AccountJournal) {
        let before = self.accounts.insert(account.clone(), AccountState { epoch, moved: None });
        assert!(before.is_none_or(|before| before.epoch <= epoch), "an epoch only rises");
        for (origin, index, recorded) in &journal.rows {
            self.journal.entry(origin.clone()).or_default().insert(*index, recorded.clone());
        }
        for (origin, arrived) in &journal.arrivals {
            self.arrivals.entry(origin.clone()).or_insert(*arrived);
        }
        if let Some(horizon) = journal.horizon {
            self.raise_horizon(account, horizon);
        }
        if !journal.answered.is_empty() {
            self.answered.insert(account.clone(), journal.answered.clone());
        }
    }

    /// Whether the delivery journal may have dropped what it had for an account of a message that arrived
    /// at this time.
    #[must_use]
    pub fn is_beyond(&self, account: &Address, arrived: Time) -> bool {
        self.horizons.get(account).is_some_and(|horizon| arrived <= *horizon)
    }

    /// Whether dropping what arrived at this time or before, or has no date, would change the journal.
    #[must_use]
    pub fn can_forget(&self, until: Time) -> bool {
        self.journal.iter().any(|(origin, entries)| match self.arrivals.get(origin) {
            Some(arrived) => *arrived <= until && entries.values().any(Recorded::is_settled),
            None => true,
        })
    }

    /// Drops from the delivery journal what is settled of messages that arrived at this time or before.
    fn forget_journal(&mut self, until: Time, undated: Time) {
        let mut raised: Vec<(Address, Time)> = Vec::new();
        for (origin, entries) in &mut self.journal {
            let arrived = *self.arrivals.entry(origin.clone()).or_insert(undated);
            if arrived > until {
                continue;
            }
            clause!(DE_090);
            entries.retain(|_, recorded| {
                let stays = !recorded.is_settled();
                let account = recorded.account().filter(|_| !stays);
                raised.extend(account.map(|account| (account.clone(), arrived)));
                stays
            });
        }
        self.journal.retain(|_, entries| !entries.is_empty());
        self.arrivals.retain(|origin, _| self.journal.contains_key(origin));
        clause!(DE_085);
        for (account, arrived) in raised {
            self.raise_horizon(&account, arrived);
        }
    }

    fn raise_horizon(&mut self, account: &Address, arrived: Time) {
        let horizon = self.horizons.entry(account.clone()).or_insert(arrived);
        *horizon = arrived.max(*horizon);
    }

    /// Notes that a commit was made under this epoch.
    fn raise(&mut self, account: &Address, epoch: Epoch) {
        let fresh = AccountState { epoch, moved: None };
        let state = self.accounts.entry(account.clone()).or_insert(fresh);
        state.epoch = state.epoch.max(epoch);
    }

    fn message(&mut self, queue: QueueId) -> &mut Message {
        self.queue.get_mut(&queue).expect("a change is about a message that is in the queue")
    }

    fn insert(&mut self, queue: QueueId, message: &Message) {
        assert!(queue.0 > self.latest, "a queue id is given once");
        assert!(!message.envelope.recipients.is_empty(), "a message in the queue is for somebody");
        self.latest = queue.0;
        self.queue.insert(queue, message.clone());
    }

    fn accept(&mut self, transfer: &TransferId, acceptance: &Acceptance) {
        let before = self.accepted.insert(transfer.clone(), acceptance.clone());
        assert!(before.is_none(), "a transfer is accepted at most once");
    }

    fn remove(&mut self, queue: QueueId, recipients: &[u32]) {
        let message = self.message(queue);
        message.remove(recipients);
        if message.envelope.recipients.is_empty() {
            self.queue.remove(&queue);
        }
    }

    fn remember(&mut self, answered: &Answered) {
        let Answered { account, sender, at, until } = answered;
        let senders = self.answered.entry(account.clone()).or_default();
        senders.retain(|_, until| *at < *until);
        senders.insert(sender.clone(), *until);
        if senders.len() > ANSWERED_LIMIT {
            clause!(RU_032);
            let first = senders.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(sender, _)| sender.clone()).expect("there are too many");
            senders.remove(&first);
        }
    }

    fn publish(&mut self, origin: &OriginId, index: u32) {
        let recorded = self.journal.get_mut(origin).and_then(|entries| entries.get_mut(&index));
        match recorded {
            Some(Recorded::Delivered { published, .. }) => *published = true,
            _ => unreachable!("only a recorded delivery is published"),
        }
    }
}
