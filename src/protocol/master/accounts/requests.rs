//! What a member asks its master, and when.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::holder::{Context, Holder};
use super::machine::{AccountsConfig, Closing, HolderTimer};
use crate::clause;
use crate::wire::accounts::{ACCOUNTS_LIMIT, AccountsPdu, Holding};
use crate::wire::message::Address;
use crate::wire::record::Term;

/// The times that a member asks for everything without any answer before it gives the connection up: it may
/// lead to a host that is gone.
pub const SILENT_REQUESTS: u8 = 2;

/// The connection to the master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Link {
    is_up: bool,
    /// The times that everything was asked for since something came on it.
    silent: u8,
}

impl Link {
    /// A connection that is there.
    pub(super) const fn up() -> Self {
        Self { is_up: true, silent: 0 }
    }

    /// Something has come.
    pub(super) const fn hear(&mut self) {
        self.silent = 0;
    }
}

impl Holder {
    /// Another master, or another term of the same one, is the one to ask.
    pub(super) fn follow(&mut self, term: Term, config: &AccountsConfig, cx: &mut Context<'_>) {
        if self.follows.as_ref() == Some(&term) {
            return;
        }
        clause!(MA_065);
        if let (Some(_), Some(last)) = (self.link.take(), &self.follows) {
            cx.close(last.member.clone());
        }
        // Answers of the one before count for nothing; its leases go on until they end.
        self.asked.clear();
        self.follows = Some(term);
        self.renew(config, cx);
    }

    /// Wants these accounts.
    pub(super) fn claim(
        &mut self,
        accounts: BTreeSet<Address>,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        let is_new = |account: &Address| {
            config.accounts.contains(account)
                && !self.held.contains_key(account)
                && !self.wanted.contains(account)
        };
        let new: BTreeSet<_> = accounts.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let is_idle = self.is_idle();
        self.wanted.extend(new.iter().cloned());
        if self.is_up() {
            self.ask_for(new.into_iter().collect(), config, cx);
            if is_idle {
                cx.arm(HolderTimer::Renew, config.third());
            }
        } else if is_idle {
            self.renew(config, cx);
        }
    }

    /// Wants these no more: closes what is open, and says so.
    pub(super) fn give_back(
        &mut self,
        accounts: &BTreeSet<Address>,
        why: Closing,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        clause!(MA_067);
        let mut holdings = Vec::new();
        for account in accounts {
            if !config.faults.is_on("late-lease-counts") {
                self.asked.remove(account);
            }
            self.wanted.remove(account);
            let Some(tenure) = self.held.get(account) else { continue };
            holdings.push((account.clone(), tenure.epoch.clone()));
            if !config.faults.is_on("returns-before-it-closes") {
                self.close(account.clone(), why, cx);
            }
        }
        let Some(term) = self.follows.clone().filter(|_| self.is_up()) else { return };
        for holdings in holdings.chunks(ACCOUNTS_LIMIT) {
            let given = AccountsPdu::Return { term: term.clone(), holdings: holdings.to_vec() };
            // What was begun in them is on disk before anybody else can have them.
            cx.send_durable(term.member.clone(), given);
        }
    }

    /// Wants these no more, and does not say so: what was begun in them is not on disk.
    pub(super) fn leave(&mut self, accounts: BTreeSet<Address>, cx: &mut Context<'_>) {
        clause!(MA_067);
        for account in accounts {
            self.asked.remove(&account);
            self.wanted.remove(&account);
            if self.held.contains_key(&account) {
                self.close(account, Closing::Left, cx);
            }
        }
    }

    /// It is time to ask again: on the connection that there is, or on a new one.
    pub(super) fn renew(&mut self, config: &AccountsConfig, cx: &mut Context<'_>) {
        if self.is_idle() {
            return cx.disarm(HolderTimer::Renew);
        }
        let Some(master) = self.follows.as_ref().map(|term| term.member.clone()) else { return };
        clause!(MA_062);
        cx.arm(HolderTimer::Renew, config.third());
        match &mut self.link {
            Some(link) if link.silent < SILENT_REQUESTS => {
                link.silent += 1;
                self.ask_for_all(config, cx);
            }
            link => {
                clause!(MA_098);
                if link.replace(Link::default()).is_some() {
                    cx.close(master.clone());
                }
                cx.open(master.clone(), master);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.held.is_empty() && self.wanted.is_empty()
    }

    fn is_up(&self) -> bool {
        self.link.is_some_and(|link| link.is_up)
    }

    /// Asks for everything that it has or wants.
    pub(super) fn ask_for_all(&mut self, config: &AccountsConfig, cx: &mut Context<'_>) {
        let Some(term) = self.follows.clone().filter(|_| self.is_up()) else { return };
        clause!(MA_065);
        let held =
            self.held.iter().map(|(account, tenure)| (account.clone(), tenure.epoch.clone()));
        for holdings in held.collect::<Vec<Holding>>().chunks(ACCOUNTS_LIMIT) {
            let accounts = holdings.iter().map(|(account, _)| account.clone()).collect();
            let request = self.begin(accounts, config, cx);
            let holdings = holdings.to_vec();
            let (to, term, account_lease_s) =
                (term.member.clone(), term.clone(), config.account_lease_s);
            clause!(MA_101);
            let renew = AccountsPdu::Renew { request, term, account_lease_s, holdings };
            cx.send_durable(to, renew);
        }
        self.ask_for(self.wanted.iter().cloned().collect(), config, cx);
    }

    fn ask_for(&mut self, accounts: Vec<Address>, config: &AccountsConfig, cx: &mut Context<'_>) {
        let term = self.follows.clone().expect("who has a connection follows somebody");
        for accounts in accounts.chunks(ACCOUNTS_LIMIT) {
            let request = self.begin(accounts.to_vec(), config, cx);
            let (to, term, accounts) = (term.member.clone(), term.clone(), accounts.to_vec());
            let account_lease_s = config.account_lease_s;
            let claim = AccountsPdu::Claim { request, term, account_lease_s, accounts };
            // The term that it obeys is on disk before it asks under it.
            cx.send_durable(to, claim);
        }
    }

    /// A request begins: its number, and the time that its answer can give, counted from now.
    fn begin(
        &mut self,
        accounts: Vec<Address>,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) -> u64 {
        clause!(WI_141);
        self.request = self.request.checked_add(1).expect("a boot has fewer than 2^63 requests");
        clause!(MA_061);
        cx.arm(HolderTimer::Lease(self.request), config.lease_of_holder());
        for account in &accounts {
            self.asked.insert(account.clone(), self.request);
        }
        self.requests.insert(self.request, accounts);
        self.request
    }
}
