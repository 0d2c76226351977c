//! The store that the members of a group share: what it has of one account that is leased, what it is asked,
//! and what it answers.
//!
//! [`SharedAccount::answer`] is the rule. Whoever keeps accounts does what it says in one commit: a look at the
//! fence that a commit does not include proves nothing (DE-100).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::kernel::Time;
use crate::protocol::faults::Faults;
use crate::protocol::master::accounts::Fence;
use crate::protocol::queue::{AccountJournal, Recorded};
use crate::wire::accounts::LeaseEpoch;
use crate::wire::ids::{Epoch, MemberName, OriginId};

/// One line of a delivery journal: the message and the recipient.
pub type JournalKey = (OriginId, u32);

/// What the shared store is asked about an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedQuery {
    /// To see an epoch, and to give what it has of the account. Answered by `Opened` or `Outbid`.
    Open {
        /// The epoch.
        epoch: LeaseEpoch,
        /// Who has the account under it.
        member: MemberName,
        /// What has arrived at this time or before, and is in its place, need not be kept any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
    },
    /// To record a delivery. Answered by `Recorded`, `Known` or `Outbid`.
    Record {
        /// The epoch under which it is made.
        epoch: LeaseEpoch,
        /// The message.
        origin: OriginId,
        /// The recipient.
        index: u32,
        /// What is recorded.
        recorded: Recorded,
        /// When the message entered the organization.
        arrived: Time,
        /// The files of these have come to their places.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        published: Vec<JournalKey>,
    },
}

/// What it answers. A store that cannot be reached, or cannot write, answers nothing of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedAnswer {
    /// It has seen the epoch.
    Opened {
        /// The number of the opening.
        opening: Epoch,
        /// What it has of the account.
        journal: AccountJournal,
    },
    /// It is in the journal, durably.
    Recorded(Recorded),
    /// Something is in the journal for this recipient already, and stands.
    Known(Recorded),
    /// It has seen a greater epoch, and has done nothing.
    Outbid(LeaseEpoch),
}

/// The delivery journal of one account, with the times at which the messages entered the organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SharedJournal {
    /// Its lines.
    pub lines: BTreeMap<JournalKey, (Recorded, Time)>,
    /// When the latest of those entered that it has dropped.
    pub horizon: Option<Time>,
}

/// What the store has of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SharedAccount {
    /// Which writes it takes.
    pub fence: Fence,
    /// Who had the account opened last; for people.
    pub member: Option<MemberName>,
    /// Its journal. To answer `Record` the lines suffice that the question names.
    pub journal: SharedJournal,
}

impl SharedAccount {
    /// Answers a question, and takes in what it changes.
    pub fn answer(&mut self, query: SharedQuery, faults: &Faults) -> SharedAnswer {
        let (SharedQuery::Open { epoch, .. } | SharedQuery::Record { epoch, .. }) = &query;
        clause!(DE_100);
        let opening = match self.fence.admit(epoch, faults) {
            Ok(opening) => Epoch(opening),
            Err(seen) => return SharedAnswer::Outbid(seen),
        };
        match query {
            SharedQuery::Open { member, until, .. } => {
                self.member = Some(member);
                if let Some(until) = until {
                    self.journal.forget(until);
                }
                SharedAnswer::Opened { opening, journal: self.journal.to_account_journal() }
            }
            SharedQuery::Record { origin, index, recorded, arrived, published, .. } => {
                clause!(DE_103);
                for key in &published {
                    self.journal.publish(key);
                }
                let key = (origin, index);
                if let Some((known, _)) = self.journal.lines.get(&key)
                    && !faults.is_on("shared-journal-overwritten")
                {
                    return SharedAnswer::Known(known.clone());
                }
                self.journal.lines.insert(key, (recorded.clone(), arrived));
                SharedAnswer::Recorded(recorded)
            }
        }
    }
}

impl SharedJournal {
    /// What has come from the store.
    #[must_use]
    pub fn of(journal: AccountJournal) -> Self {
        let AccountJournal { rows, arrivals, horizon, .. } = journal;
        let line = |(origin, index, recorded): (OriginId, u32, Recorded)| {
            let arrived = arrivals.get(&origin).copied().unwrap_or(Time(0));
            ((origin, index), (recorded, arrived))
        };
        Self { lines: rows.into_iter().map(line).collect(), horizon }
    }

    /// What is recorded of a recipient.
    #[must_use]
    pub fn recorded(&self, key: &JournalKey) -> Option<&Recorded> {
        self.lines.get(key).map(|(recorded, _)| recorded)
    }

    /// How many messages have been delivered, by what it has.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        let is_delivery =
            |(recorded, _): &&(Recorded, Time)| matches!(recorded, Recorded::Delivered { .. });
        self.lines.values().filter(is_delivery).count() as u64
    }

    /// The file of a delivery has come to its place.
    pub fn publish(&mut self, key: &JournalKey) {
        if let Some((Recorded::Delivered { published, .. }, _)) = self.lines.get_mut(key) {
            *published = true;
        }
    }

    /// Drops what is settled of messages that arrived at this time or before.
    pub fn forget(&mut self, until: Time) {
        clause!(DE_090);
        let is_old =
            |(recorded, arrived): &(Recorded, Time)| *arrived <= until && recorded.is_settled();
        let dropped = self.lines.values().filter(|line| is_old(line)).map(|(_, at)| *at).max();
        self.lines.retain(|_, line| !is_old(line));
        clause!(DE_085);
        self.horizon = self.horizon.max(dropped);
    }

    fn to_account_journal(&self) -> AccountJournal {
        let row = |((origin, index), (recorded, _)): (&JournalKey, &(Recorded, Time))| {
            (origin.clone(), *index, recorded.clone())
        };
        AccountJournal {
            rows: self.lines.iter().map(row).collect(),
            answered: BTreeMap::new(),
            arrivals: self.lines.iter().map(|((o, _), (_, at))| (o.clone(), *at)).collect(),
            horizon: self.horizon,
        }
    }
}
