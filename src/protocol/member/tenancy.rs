//! How leases of accounts live inside a member: what it has of its master, and what it leases to others
//! while it is the master itself.
//!
//! Here is what is known; `machines` has the two machines of MASTER and their connections, `having` what a member does
//! about accounts that it has, wants, or knows another one to have, `waiting` what becomes of mail meanwhile, and `owners` what people are
//! told.

mod having;
mod machines;
mod owners;
mod waiting;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

pub use owners::{OwnerReport, OwnerSource};

use super::{Member, MemberConfig, Parcel};
use crate::protocol::deliver::shared::SharedJournal;
use crate::protocol::master::accounts::{AccountsConfig, Granter, Holder};
use crate::wire::accounts::LeaseEpoch;
use crate::wire::ids::{ConnectionId, Epoch, MemberName, OriginId, QueueId};
use crate::wire::message::Address;
use crate::wire::record::Term;

/// The leased accounts of the member's group, as this member sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tenancies {
    /// Nothing where the group leases no accounts.
    running: Option<Leasing>,
    /// The accounts that this member has by lease.
    held: BTreeMap<Address, Tenancy>,
    /// Mail in the queue that waits until somebody has its account, or takes it again.
    waiting: BTreeMap<Address, BTreeSet<(QueueId, u32)>>,
    /// Deliveries of others into accounts that this member is just opening.
    postponed: BTreeMap<Address, Vec<(ConnectionId, Parcel)>>,
    /// What others have asked about accounts before it was known who has them.
    asked: BTreeMap<Address, Vec<Inquiry>>,
    /// The openings under which this member had accounts last: who has one now has a greater one.
    spent: BTreeMap<Address, Epoch>,
    /// Accounts that this member could not open a moment ago, so that others have them first.
    left_to_others: BTreeSet<Address>,
    /// What an operator wants given back.
    leaving: BTreeSet<Address>,
    /// The term of the master that is obeyed, and whether this member is that one now.
    mastership: Option<(Term, bool)>,
}

/// The machines, and as what they were configured last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leasing {
    config: AccountsConfig,
    granter: Granter,
    holder: Holder,
}

/// An account that this member has by lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tenancy {
    epoch: LeaseEpoch,
    /// Once the store has seen the epoch: the number of the opening, and what the store has.
    opened: Option<(Epoch, SharedJournal)>,
    /// What has come to its place, and the store has not been told.
    published: Vec<(OriginId, u32)>,
}

/// A question of another member about one recipient, for which an answer is owed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Inquiry {
    pub(crate) connection: ConnectionId,
    pub(crate) origin: OriginId,
    pub(crate) index: u32,
    pub(crate) address: Address,
    pub(crate) epoch: Epoch,
    pub(crate) arrived: Option<crate::kernel::Time>,
}

impl MemberConfig {
    /// The leases of this member's group, where it leases accounts.
    fn leases(&self) -> Option<AccountsConfig> {
        let group = self.organization.group_of(&self.member)?;
        let (settings, election) = (group.accounts.as_ref()?, group.election.as_ref()?);
        let leased = self.organization.accounts.iter();
        let leased = leased.filter(|account| account.group.as_ref() == Some(&group.name));
        Some(AccountsConfig {
            accounts: leased.map(|account| account.address.clone()).collect(),
            members: group.members.iter().cloned().collect(),
            member: self.member.clone(),
            account_lease_s: settings.account_lease_s,
            drift_ppm: election.clock_drift_ppm,
            faults: self.faults.clone(),
        })
    }

    /// Whether this member, as the master, would lease accounts to `member`.
    pub(crate) fn leases_to(&self, member: &MemberName) -> bool {
        let group = self.organization.group_of(&self.member);
        group.is_some_and(|group| group.accounts.is_some() && group.members.contains(member))
    }

    /// Whether an account is leased to whoever of this member's group wants it.
    pub(crate) fn is_leased_here(&self, account: &Address) -> bool {
        let group = self.organization.group_of(&self.member);
        let filed = self.organization.account(account);
        filed
            .and_then(|filed| filed.group.as_ref())
            .is_some_and(|name| group.is_some_and(|group| group.name == *name))
    }
}

impl Tenancies {
    /// Whether this member has the account, and its store knows.
    pub(crate) fn is_open(&self, account: &Address) -> bool {
        self.opening(account).is_some()
    }

    /// The number under which this member has the account open.
    pub(crate) fn opening(&self, account: &Address) -> Option<Epoch> {
        Some(self.held.get(account)?.opened.as_ref()?.0)
    }

    /// The epoch under which this member has the account.
    pub(crate) fn epoch(&self, account: &Address) -> Option<&LeaseEpoch> {
        self.held.get(account).map(|tenancy| &tenancy.epoch)
    }

    /// What the store has of an account that is open here.
    pub(crate) fn journal(&self, account: &Address) -> Option<&SharedJournal> {
        self.held.get(account)?.opened.as_ref().map(|(_, journal)| journal)
    }

    /// The accounts that are open here.
    pub(crate) fn open_accounts(&self) -> Vec<Address> {
        self.held.keys().filter(|account| self.is_open(account)).cloned().collect()
    }

    /// The files of deliveries that have come to their places since the store was told.
    pub(crate) fn take_published(&mut self, account: &Address) -> Vec<(OriginId, u32)> {
        let tenancy = self.held.get_mut(account);
        tenancy.map(|tenancy| core::mem::take(&mut tenancy.published)).unwrap_or_default()
    }

    /// The file of a delivery has come to its place; the store learns of it with the next record.
    pub(crate) fn note_published(&mut self, account: &Address, key: &(OriginId, u32)) {
        let Some(tenancy) = self.held.get_mut(account) else { return };
        tenancy.published.push(key.clone());
        if let Some((_, journal)) = &mut tenancy.opened {
            journal.publish(key);
        }
    }

    /// The same, to note what was recorded.
    pub(crate) fn journal_mut(&mut self, account: &Address) -> Option<&mut SharedJournal> {
        self.held.get_mut(account)?.opened.as_mut().map(|(_, journal)| journal)
    }
}

impl Member {
    /// The accounts that this member has by lease.
    pub fn tenancies(&self) -> impl Iterator<Item = (&Address, &LeaseEpoch)> {
        self.tenancies.held.iter().map(|(account, tenancy)| (account, &tenancy.epoch))
    }
}
