//! What organizations set of their accounts, in some runs: quotas, suspensions that come and go while mail is
//! under way, delivery journals that forget as soon as they may, and clients who may use the way out.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::draw::Dice;
use super::faults::{Swarm, Terms};
use super::network::HostIndex;
use super::world::{Happening, World};
use crate::kernel::{Input, Span};
use crate::protocol::member::Policy;
use crate::protocol::organization::{Account, AccountStatus, Organization, OverQuota};
use crate::wire::message::Address;

/// A file with another status of an account reaches each member within this span.
const TOLD_WITHIN: RangeInclusive<Span> = Span::ZERO..=Span::minutes(2);
/// What a delivery journal keeps where it forgets soon, in days.
const SHORT_RETENTION_DAYS: u32 = 1;
/// How long a run is whose journals forget, and how long a member may be away in it.
const RETENTION_SPAN: Span = Span::hours(27);
const AWAY: Span = Span::hours(25);

/// Where the clients of a run are.
pub(super) const CLIENTS: &str = "192.0.2.0/24";

/// The limits of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The quota of each account, in the order of the file; 0 is none.
    quotas: Vec<(u64, OverQuota)>,
    /// The delivery journals forget as soon as they may.
    forgets: bool,
    /// Clients may send mail to foreign addresses, where there is a way out.
    relays: bool,
}

impl Limits {
    /// Draws whether a run has limits, one in so many, and which. These draws have streams of their own: a run
    /// without limits is what it was before there were any.
    pub fn draw(
        dice: &mut Dice<'_>,
        one_in: u32,
        organization: &Organization,
        (terms, swarm): (Option<Terms>, &mut Swarm),
    ) -> Option<Self> {
        if !dice.strikes("limits", one_in) {
            return None;
        }
        let mut quota = |account: &Account| {
            let octets = *dice.pick("limits.quota", &[0, 0, 1_000, 3_000]).unwrap_or(&0);
            let host = account.host.as_ref();
            let is_ours = account.group.is_some()
                || host.is_some_and(|host| organization.group_of(host).is_some());
            let is_permanent = dice.below("limits.over_quota", 2) == 1;
            match (is_ours && octets > 0, is_permanent) {
                (false, _) => (0, OverQuota::Temporary),
                (true, false) => (octets, OverQuota::Temporary),
                (true, true) => (octets, OverQuota::Permanent),
            }
        };
        let quotas = organization.accounts.iter().map(&mut quota).collect();
        let minutes = dice.pick("limits.suspends", &[0, 10, 3]).copied().unwrap_or(0);
        if minutes != 0 {
            swarm.suspends_every = Some(Span::ZERO..=Span::minutes(minutes));
        }
        // Terms that are over within the run are short enough for a short retention (SV-062).
        let forgets = terms.is_some() && dice.below("limits.forgets", 2) == 1;
        if forgets {
            swarm.down = *swarm.down.start()..=AWAY;
            swarm.cut_lasts = *swarm.cut_lasts.start()..=AWAY;
        }
        let relays = dice.below("limits.relays", 2) == 1;
        Some(Self { quotas, forgets, relays })
    }

    /// How long the phase with faults is at least.
    #[must_use]
    pub const fn least(&self) -> Span {
        if self.forgets { RETENTION_SPAN } else { Span::ZERO }
    }

    /// Writes them into the files of the run.
    pub fn apply(&self, organization: &mut Organization, policy: &mut Policy) {
        for (account, (octets, over_quota)) in organization.accounts.iter_mut().zip(&self.quotas) {
            account.quota_octets = *octets;
            account.over_quota = *over_quota;
        }
        if self.forgets {
            policy.journal_retention_days = SHORT_RETENTION_DAYS;
            assert!(24 * SHORT_RETENTION_DAYS > 2 * policy.expiry_hours, "SV-062");
        }
        if self.relays && organization.smart_host.is_some() {
            policy.relay_networks = Vec::from([CLIENTS.parse().expect("it is a network")]);
        }
        assert!(organization.check().is_empty(), "the limits of a run are legal");
    }
}

impl World<'_> {
    /// An account is suspended, or takes mail again; the members are told one by one.
    pub(super) fn suspend_next(&mut self) {
        let Some(every) = self.swarm.suspends_every.clone() else { return };
        let newest = self.hosts.iter().map(|host| &host.config.organization);
        let newest = newest.max_by_key(|organization| organization.revision);
        let Some(organization) = newest.cloned() else { return };
        let next = self.dice().span("suspend.next", &every);
        let accounts: Vec<&Account> = organization.accounts.iter().collect();
        if let Some(account) = self.dice().pick("suspend.account", &accounts).copied() {
            let status = match account.status {
                AccountStatus::Open => AccountStatus::Suspended,
                AccountStatus::Suspended => AccountStatus::Open,
            };
            let revision = self.next_revision();
            for host in 0..self.hosts.len() {
                let account = account.address.clone();
                let after = self.dice().span("suspend.told", &TOLD_WITHIN);
                let told = Happening::StatusTold { host, account, status, revision };
                self.schedule(after, told);
            }
        }
        self.schedule(next, Happening::SuspendNext);
    }

    pub(super) fn next_revision(&mut self) -> u32 {
        let newest = self.hosts.iter().map(|host| host.config.organization.revision).max();
        self.revision = self.revision.max(newest.unwrap_or(0)) + 1;
        self.revision
    }

    /// The file of a member says from now on whether an account takes mail, unless it is newer.
    pub(super) fn tell_status(
        &mut self,
        host: HostIndex,
        account: &Address,
        (status, revision): (AccountStatus, u32),
    ) {
        if self.hosts[host].config.organization.revision >= revision {
            return;
        }
        self.log.row(self.now, self.hosts[host].name(), "file", || {
            format!("revision {revision}: {account} is {status:?}")
        });
        let organization = Arc::make_mut(&mut self.hosts[host].config.organization);
        organization.revision = revision;
        for found in organization.accounts.iter_mut().filter(|found| found.address == *account) {
            found.status = status;
        }
        self.feed(host, Input::Configuration);
        self.pump(host);
    }

    /// The end of all limits: the accounts of all files are open, and have no quotas.
    pub(super) fn lift_limits(&mut self) {
        let is_limited =
            |account: &Account| account.has_quota() || account.status != AccountStatus::Open;
        let mut organizations = self.hosts.iter().map(|host| &host.config.organization);
        if !organizations.any(|known| known.accounts.iter().any(is_limited)) {
            return;
        }
        let revision = self.next_revision();
        for host in 0..self.hosts.len() {
            let organization = Arc::make_mut(&mut self.hosts[host].config.organization);
            organization.revision = revision;
            for account in &mut organization.accounts {
                (account.status, account.quota_octets) = (AccountStatus::Open, 0);
                account.over_quota = OverQuota::Temporary;
            }
            self.feed(host, Input::Configuration);
            self.pump(host);
        }
    }

    /// What the owner of an account finds is within its quota.
    pub(super) fn check_quota(&mut self, host: HostIndex, account: &Address, octets: u64) {
        let filed = self.hosts[host].config.organization.account(account);
        let quota = filed.filter(|filed| filed.has_quota()).map(|filed| filed.quota_octets);
        if let Some(quota) = quota.filter(|quota| octets > *quota) {
            self.checkers.object("DE-098", &format!("{account} has {octets} octets of {quota}"));
        }
    }
}
