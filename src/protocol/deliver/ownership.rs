//! Who has an account open, under which epoch, and what happens when that changes.
//!
//! Three speak of it: the organization's file, the account store of this member, and other members that
//! have answered MOVED. The greatest epoch counts. A member has an account open only where its own store
//! has the journal of it; an account that has never moved needs none.

use alloc::collections::BTreeMap;

use super::{Said, Stage};
use crate::clause;
use crate::protocol::member::{Event, Member, MemberConfig, Turn};
use crate::protocol::queue::{AccountJournal, Change, Home, home};
use crate::wire::deliver::Ownership;
use crate::wire::ids::{Epoch, OriginId, QueueId};
use crate::wire::message::{Address, Outcome, Refusal};

/// How an account stands at this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// It is open here, under this epoch.
    Open(Epoch),
    /// It is not; this is who has it, by what is known. A member that is itself named waits for the
    /// journal of the account.
    Elsewhere(Ownership),
    /// It is leased, and this member does not know to whom.
    Unowned,
}

impl Member {
    /// Who owns an account, by what is known here.
    pub(crate) fn ownership(&self, account: &Address, config: &MemberConfig) -> Option<Ownership> {
        if config.is_leased_here(account) {
            return match self.grant_of_leased(account) {
                Grant::Open(epoch) => Some(Ownership { member: config.member.clone(), epoch }),
                Grant::Elsewhere(known) => Some(known),
                Grant::Unowned => None,
            };
        }
        clause!(DE_047);
        let mut known = config.organization.account(account)?.ownership()?;
        if let Some(told) = self.beliefs.get(account).filter(|told| told.epoch > known.epoch) {
            known.clone_from(told);
        }
        let Some(state) = self.spool.accounts.get(account) else { return Some(known) };
        match &state.moved {
            Some(member) if state.epoch >= known.epoch => {
                known = Ownership { member: member.clone(), epoch: state.epoch };
            }
            None if state.epoch > known.epoch => {
                known = Ownership { member: config.member.clone(), epoch: state.epoch };
            }
            _ => {}
        }
        Some(known)
    }

    /// How an account of the organization stands here.
    pub(crate) fn grant(&self, account: &Address, config: &MemberConfig) -> Option<Grant> {
        if config.is_leased_here(account) {
            return Some(self.grant_of_leased(account));
        }
        let known = self.ownership(account, config)?;
        let has_journal = match self.spool.accounts.get(account) {
            Some(state) => state.moved.is_none(),
            None => known.epoch.is_first(),
        };
        let is_open = known.member == config.member && has_journal;
        Some(if is_open { Grant::Open(known.epoch) } else { Grant::Elsewhere(known) })
    }

    /// How an account stands here that the master of this group leases.
    fn grant_of_leased(&self, account: &Address) -> Grant {
        clause!(DE_101);
        match (self.tenancies.opening(account), self.beliefs.get(account)) {
            (Some(opening), _) => Grant::Open(opening),
            (None, Some(told)) => Grant::Elsewhere(told.clone()),
            (None, None) => Grant::Unowned,
        }
    }

    /// The epoch under which a delivery that is meant for `epoch` is made here; what is said where it is
    /// not made.
    pub(super) fn admit(
        &self,
        account: &Address,
        epoch: Epoch,
        config: &MemberConfig,
    ) -> Result<Epoch, Said> {
        let known = match self.grant(account, config) {
            Some(Grant::Open(open)) if open == epoch => return Ok(open),
            Some(Grant::Open(open)) => Ownership { member: config.member.clone(), epoch: open },
            Some(Grant::Elsewhere(known)) => known,
            Some(Grant::Unowned) => {
                clause!(DE_104);
                let text = "the account is not open on this member yet";
                return Err(Said::later(450, "4.2.1", text));
            }
            None => return Err(Said::later(450, "4.2.1", "the account is not known here")),
        };
        clause!(DE_041);
        clause!(DE_025);
        // The number that was meant may be a guess: who has the account corrects it, also to a smaller one.
        let is_guess = known.member == config.member && config.is_leased_here(account);
        if known.epoch > epoch || is_guess {
            return Err(Said::Moved(known));
        }
        Err(Said::later(450, "4.2.1", "the account is not open on this member"))
    }

    /// Whether the account store refuses what was begun under this epoch.
    pub(super) fn is_fenced(&self, key: &(OriginId, u32), turn: &Turn<'_, '_>) -> bool {
        let deposit = &self.deposits[key];
        if turn.fault("epoch-not-checked") {
            return false;
        }
        let grant = self.grant(&deposit.account, turn.config);
        !matches!(grant, Some(Grant::Open(epoch)) if epoch == deposit.epoch)
    }

    /// The account has moved while a delivery into it was made: nothing of it is recorded.
    pub(super) fn fence_off(&mut self, key: &(OriginId, u32), turn: &mut Turn<'_, '_>) {
        clause!(DE_044);
        let Some(deposit) = self.deposits.remove(key) else { return };
        turn.tell(Event::Fenced { origin: key.0.clone(), index: key.1 });
        self.drop_reply(&deposit, turn);
        let said = match self.admit(&deposit.account, deposit.epoch, turn.config) {
            Ok(_) => Said::later(450, "4.2.1", "the account was opened anew"),
            Err(said) => said,
        };
        match deposit.queue {
            Some(queue) => {
                self.unmark_own(queue, key.1, turn);
                self.route(queue, &[key.1], turn);
            }
            None => self.release_body(deposit.body, turn),
        }
        for asker in deposit.askers {
            self.answer(asker, key, said.clone(), turn);
        }
    }

    /// Another member has an account of ours from now on.
    pub(crate) fn close_account(
        &mut self,
        account: Address,
        to: Ownership,
        turn: &mut Turn<'_, '_>,
    ) {
        let is_late = self.spool.accounts.get(&account).is_some_and(|s| s.epoch >= to.epoch);
        let is_moving = |stage| matches!(stage, Stage::Publishing | Stage::Stuck);
        let mut deposits = self.deposits.values();
        // What is recorded belongs to the mailbox that moves: its file comes to its place first.
        if is_late || deposits.any(|d| d.account == account && is_moving(d.stage)) {
            return;
        }
        turn.tell(Event::AccountClosed { account: account.clone(), to: to.clone() });
        self.store_change(Change::Closed { account, to }, turn);
    }

    /// This member has the account from now on, with what the one before had of it.
    pub(crate) fn open_account(
        &mut self,
        account: Address,
        epoch: Epoch,
        mut journal: AccountJournal,
        turn: &mut Turn<'_, '_>,
    ) {
        let state = self.spool.accounts.get(&account);
        if state.is_some_and(|s| s.epoch > epoch || (s.epoch == epoch && s.moved.is_none())) {
            return;
        }
        if turn.fault("journal-left-behind") {
            journal = AccountJournal::default();
        }
        turn.tell(Event::AccountOpened { account: account.clone(), epoch });
        self.store_change(Change::Opened { account, epoch, journal }, turn);
        self.redo_deposits(turn);
        for host in self.readdress_all(turn) {
            self.reach_host(&host, turn);
        }
    }

    /// Of an account that is nobody's the answer stands only where this member knows no newer list of the
    /// accounts than its own.
    pub(crate) fn knows_the_list(&self, config: &MemberConfig) -> bool {
        clause!(DE_042);
        let revision = config.organization.revision;
        self.link.records().all(|record| record.version.major <= revision)
    }

    /// What is said of an address of the organization that is nobody's by this member's file, where that
    /// is not the newest one: an account may stand in the newer one.
    pub(crate) fn not_known_yet(
        &self,
        address: &Address,
        config: &MemberConfig,
    ) -> Option<Refusal> {
        if !config.organization.is_local_domain(address.domain()) || self.knows_the_list(config) {
            return None;
        }
        clause!(CU_090);
        Some(Refusal::new(450, "4.1.1", "the account is not known here yet"))
    }

    /// The account of a recipient in the queue.
    pub(crate) fn account_of(
        &self,
        queue: QueueId,
        index: u32,
        config: &MemberConfig,
    ) -> Option<Address> {
        let recipients = &self.spool.queue.get(&queue)?.envelope.recipients;
        let recipient = recipients.iter().find(|recipient| recipient.index == index)?;
        match home(config, &recipient.address) {
            Home::Account(account) => Some(account),
            Home::Foreign | Home::Nobody(_) => None,
        }
    }

    /// For which ownership a delivery to each of these is meant, where that is not the first one.
    pub(super) fn epochs_of(
        &self,
        queue: QueueId,
        indexes: &[u32],
        config: &MemberConfig,
    ) -> BTreeMap<u32, Epoch> {
        let known = |index: &u32| {
            let account = self.account_of(queue, *index, config)?;
            Some((*index, self.ownership(&account, config)?.epoch))
        };
        let known = indexes.iter().filter_map(known);
        known.filter(|(_, epoch)| !epoch.is_first()).collect()
    }
}

impl Said {
    pub(super) fn later(code: u16, status: &str, text: &str) -> Self {
        Self::Outcome(Outcome::Refused(Refusal::new(code, status, text)))
    }
}
