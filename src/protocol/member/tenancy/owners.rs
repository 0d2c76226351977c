//! Who has an account, as a member tells it to people, and what they can have done about it.

use serde::Serialize;

use crate::kernel::Input;
use crate::protocol::master::accounts::GranterCommand;
use crate::protocol::member::{Member, MemberConfig, Turn};
use crate::wire::accounts::LeaseEpoch;
use crate::wire::ids::{Epoch, MemberName};
use crate::wire::message::Address;

/// What a member knows of who has an account that is leased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnerReport {
    /// The account.
    pub account: Address,
    /// The member that has it, if any is known.
    pub owner: Option<MemberName>,
    /// How this member knows.
    pub by: OwnerSource,
    /// The epoch of the lease, where it is known.
    pub epoch: Option<LeaseEpoch>,
    /// The number of the opening, where it is known.
    pub opening: Option<Epoch>,
}

/// How a member knows who has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerSource {
    /// It has it itself, by lease.
    Lease,
    /// It is the master, and keeps it for its owner.
    Master,
    /// The master or another member has said so some time ago.
    Heard,
    /// It has a host by the file, or has moved from there.
    File,
    /// It does not know.
    Unknown,
}

impl Member {
    /// What is known here of who has an account that is leased.
    #[must_use]
    pub fn owner_report(&self, account: &Address) -> OwnerReport {
        let report = |owner, by, epoch, opening| OwnerReport {
            account: account.clone(),
            owner,
            by,
            epoch,
            opening,
        };
        let running = self.tenancies.running.as_ref();
        if let Some(tenancy) = self.tenancies.held.get(account) {
            let own = running.map(|leasing| leasing.config.member.clone());
            let opening = self.tenancies.opening(account);
            return report(own, OwnerSource::Lease, Some(tenancy.epoch.clone()), opening);
        }
        let is_master = self.tenancies.mastership.as_ref().is_some_and(|(_, leads)| *leads);
        if let Some(leasing) = running.filter(|_| is_master) {
            let kept = leasing.granter.owner(account);
            let (owner, epoch) = kept.map(|(o, e)| (o.clone(), e.clone())).unzip();
            return report(owner, OwnerSource::Master, epoch, None);
        }
        match self.beliefs.get(account) {
            Some(told) => {
                report(Some(told.member.clone()), OwnerSource::Heard, None, Some(told.epoch))
            }
            None => report(None, OwnerSource::Unknown, None, None),
        }
    }

    /// What is known here of who has an account, leased or not; none where there is no such account.
    #[must_use]
    pub fn owner_report_of(&self, address: &Address, config: &MemberConfig) -> Option<OwnerReport> {
        let filed = config.organization.account(address)?;
        if config.is_leased_here(&filed.address) {
            return Some(self.owner_report(&filed.address));
        }
        let ownership = self.ownership(&filed.address, config);
        let by = if ownership.is_some() { OwnerSource::File } else { OwnerSource::Unknown };
        let (owner, opening) = ownership.map(|known| (known.member, known.epoch)).unzip();
        Some(OwnerReport { account: filed.address.clone(), owner, by, epoch: None, opening })
    }

    /// The master of the group, as far as this member knows.
    pub(crate) fn landlord(&self) -> Option<&MemberName> {
        self.tenancies.mastership.as_ref().map(|(term, _)| &term.member)
    }

    /// Whether this member, as the master, has freed an account by order, and nobody has it since.
    pub(crate) fn has_freed(&self, account: &Address) -> bool {
        let running = self.tenancies.running.as_ref();
        running.is_some_and(|leasing| leasing.granter.has_freed(account))
    }

    /// This account is given back, by order.
    pub(crate) fn leave_account(&mut self, account: Address) {
        self.tenancies.leaving.insert(account);
    }

    /// As the master, takes an account from whoever it is kept for, by order.
    pub(crate) fn free_account(&mut self, account: Address, turn: &mut Turn<'_, '_>) {
        self.step_granter(Input::Command(GranterCommand::Free(account)), None, turn);
    }
}
