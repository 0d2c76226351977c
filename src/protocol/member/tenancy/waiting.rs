//! Mail in the queue that waits for the owner of its account: until there is one, until there is another one, or until
//! the one that there is takes mail again.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::clause;
use crate::kernel::Span;
use crate::protocol::member::{Member, MemberConfig, Timer, Turn};
use crate::protocol::queue::{Decision, Place};
use crate::wire::ids::{MemberName, QueueId};
use crate::wire::message::Address;

/// How long mail waits before it is looked again who has its account by now.
const SEEK_SOON: Span = Span::seconds(2);
/// The same, as long as it waits.
const SEEK_INTERVAL: Span = Span::seconds(10);

/// What a look does about mail whose owner is the one with which it has failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// It waits.
    Waits,
    /// One message is tried, for all.
    IsTried,
    /// All of it goes: one has been delivered.
    Goes,
}

impl Member {
    /// Mail in the queue waits until somebody has its account, or takes it again.
    pub(crate) fn wait_for_owner(
        &mut self,
        account: &Address,
        (queue, index): (QueueId, u32),
        turn: &mut Turn<'_, '_>,
    ) {
        if self.tenancies.waiting.is_empty() {
            turn.arm(Timer::Tenant, SEEK_SOON);
        }
        self.tenancies.waiting.entry(account.clone()).or_default().insert((queue, index));
    }

    /// Mail still waits: what has an owner by now goes there, and for the rest the master is asked, whatever became of
    /// what was asked before.
    pub(crate) fn seek_owners(&mut self, turn: &mut Turn<'_, '_>) {
        clause!(MA_103);
        self.tenancies.left_to_others.clear();
        let waiting: Vec<Address> = self.tenancies.waiting.keys().cloned().collect();
        for account in waiting {
            self.move_on(&account, Failed::IsTried, turn);
        }
        let tenancies = &self.tenancies;
        let sought = tenancies.waiting.keys().chain(tenancies.asked.keys());
        let sought = sought.filter(|account| tenancies.epoch(account).is_none()).cloned();
        self.claim(sought.collect(), true, turn);
        if !self.tenancies.waiting.is_empty() || !self.tenancies.asked.is_empty() {
            turn.arm(Timer::Tenant, SEEK_INTERVAL);
        }
    }

    /// This member could not open an account that it had: it does not ask for it again at once.
    pub(super) fn leave_to_others(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        clause!(MA_103);
        // A look that is due already is not put off.
        if self.tenancies.waiting.is_empty() && self.tenancies.left_to_others.is_empty() {
            turn.arm(Timer::Tenant, SEEK_INTERVAL);
        }
        self.tenancies.left_to_others.insert(account.clone());
    }

    /// Somebody has the account: its mail goes there, and who has asked is answered.
    pub(super) fn owner_is_known(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        for host in self.readdress_all(turn) {
            self.reach_host(&host, turn);
        }
        for inquiry in self.tenancies.asked.remove(account).unwrap_or_default() {
            self.answer_inquiry(inquiry, turn);
        }
        self.move_on(account, Failed::Waits, turn);
    }

    /// The account for which a recipient is meant, if other mail waits for it.
    pub(crate) fn is_waited_for(
        &self,
        (queue, index): (QueueId, u32),
        config: &MemberConfig,
    ) -> Option<Address> {
        if self.tenancies.waiting.is_empty() {
            return None;
        }
        let account = self.account_of(queue, index, config);
        account.filter(|account| self.tenancies.waiting.contains_key(account))
    }

    /// The owner of an account has taken a message of ours: what waits for it can go there.
    pub(crate) fn owner_takes_mail(&mut self, account: &Address, turn: &mut Turn<'_, '_>) {
        clause!(MA_103);
        self.move_on(account, Failed::Goes, turn);
    }

    /// Mail that waits for an account goes where its owner is by now. Where it has failed with that one, `failed` says
    /// what becomes of it.
    fn move_on(&mut self, account: &Address, failed: Failed, turn: &mut Turn<'_, '_>) {
        let Some(waiting) = self.tenancies.waiting.remove(account) else { return };
        let (mut stays, mut goes) = (BTreeSet::new(), Vec::new());
        let mut may_try = failed == Failed::IsTried;
        for (queue, index) in waiting {
            let work = self.work.get(&queue);
            let place = work.and_then(|work| work.places.get(&index));
            let with = match place {
                Some(Place::Retry { failed, .. }) => failed.clone(),
                Some(Place::Doubt(_)) => {
                    stays.insert((queue, index));
                    continue;
                }
                // It goes on already, or has its end.
                _ => continue,
            };
            let is_to_go = match self.decide(queue, index, turn.config) {
                Decision::Go(route) if Some(&route) == with.as_ref() => {
                    failed == Failed::Goes || core::mem::take(&mut may_try)
                }
                Decision::Go(_) | Decision::Never(_) => true,
                Decision::Wait(_) => false,
            };
            if is_to_go {
                goes.push((queue, index));
            } else {
                stays.insert((queue, index));
            }
        }
        if !stays.is_empty() {
            self.tenancies.waiting.insert(account.clone(), stays);
        }
        for (queue, index) in goes {
            self.route(queue, &[index], turn);
        }
    }

    /// A delivery to the host of these has failed, or is in doubt: somebody else may have them by now.
    pub(crate) fn ask_for_owner(
        &mut self,
        queue: QueueId,
        indexes: &[u32],
        is_in_doubt: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        if self.tenancies.running.is_none() {
            return;
        }
        let mut leased = BTreeSet::new();
        for index in indexes {
            let account = self.account_of(queue, *index, turn.config);
            let Some(account) = account.filter(|account| turn.config.is_leased_here(account))
            else {
                continue;
            };
            self.wait_for_owner(&account, (queue, *index), turn);
            if self.tenancies.epoch(&account).is_none() {
                leased.insert(account);
            }
        }
        self.claim(leased, is_in_doubt, turn);
    }

    /// What is in doubt with this host may be another one's to tell by now.
    pub(crate) fn ask_for_owners(&mut self, host: &MemberName, turn: &mut Turn<'_, '_>) {
        let queues = self.inquiries.get(host).cloned().unwrap_or_default();
        for queue in queues {
            let is_it = |place: &Place| matches!(place, Place::Doubt(with) if with == host);
            let doubtful = self.standing(queue, is_it);
            self.ask_for_owner(queue, &doubtful, true, turn);
        }
    }
}
