//! Accounts that move to another member while mail is under way.
//!
//! The administration takes an account from its host, with its Maildir and its part of the journal, and
//! gives it to another member; what it carries is safe in between. A host that is down has it taken from
//! its disk. Nobody but the new host is told: a host that sleeps wakes with what it believed.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::network::HostIndex;
use super::world::{Happening, World};
use crate::kernel::{Input, Span};
use crate::protocol::member;
use crate::protocol::organization::Account;
use crate::protocol::queue::{AccountJournal, Change};
use crate::protocol::server::Command;
use crate::wire::deliver::Ownership;
use crate::wire::ids::Epoch;
use crate::wire::message::Address;

/// How often a move that cannot go on is tried again.
const STEP_EVERY: Span = Span::seconds(1);

/// An account on its way.
#[derive(Clone, Debug)]
pub struct Move {
    account: Address,
    from: HostIndex,
    to: HostIndex,
    epoch: Epoch,
    /// What was taken; `None` while the account is still where it was.
    taken: Option<AccountJournal>,
}

impl World<'_> {
    /// Begins to move an account; `false` where it moves already, or is there.
    pub fn move_account(&mut self, account: &Address, to: HostIndex) -> bool {
        let Some((from, epoch)) = self.owner(account) else { return false };
        if from == to || self.moves.iter().any(|other| other.account == *account) {
            return false;
        }
        let named = self.hosts.iter().filter_map(|host| {
            let found = host.config.organization.account(account)?;
            Some(found.epoch)
        });
        let greatest = named.fold(epoch, Epoch::max);
        let (account, epoch) = (account.clone(), Epoch(greatest.0 + 1));
        self.moves.push(Move { account, from, to, epoch, taken: None });
        self.move_on();
        true
    }

    /// Who has an account open, by the latest move.
    fn owner(&self, account: &Address) -> Option<(HostIndex, Epoch)> {
        let moved = self.owners.get(account).copied();
        moved.or_else(|| {
            let first = self.hosts.first()?.config.organization.account(account)?;
            Some((self.names[first.host.as_ref()?], first.epoch))
        })
    }

    /// The file of `host` says from now on who has an account.
    pub fn tell_owner(&mut self, host: HostIndex, account: &Address, owner: &Ownership) {
        let organization = Arc::make_mut(&mut self.hosts[host].config.organization);
        let found = organization.accounts.iter_mut().find(|found| found.address == *account);
        if let Some(found) = found {
            found.host = Some(owner.member.clone());
            found.epoch = owner.epoch;
        }
        self.feed(host, Input::Configuration);
        self.pump(host);
    }

    /// The file of `host`, of the next revision, says from now on that `owner` has one account more.
    pub fn add_account(&mut self, host: HostIndex, account: &Address, owner: HostIndex) {
        let member = self.hosts[owner].config.member.clone();
        let organization = Arc::make_mut(&mut self.hosts[host].config.organization);
        organization.revision += 1;
        organization.accounts.push(Account::new(account.clone(), member));
        self.feed(host, Input::Configuration);
        self.pump(host);
    }

    /// Every move goes on as far as it can.
    pub(super) fn move_on(&mut self) {
        let moves = core::mem::take(&mut self.moves);
        for mut going in moves {
            if self.is_there(&going) {
                self.arrived(&going);
                continue;
            }
            self.take(&mut going);
            self.give(&going);
            self.moves.push(going);
        }
        if !self.moves.is_empty() && !self.moves_on {
            self.moves_on = true;
            self.schedule(STEP_EVERY, Happening::MoveOn);
        }
    }

    fn ownership(&self, going: &Move) -> Ownership {
        Ownership { member: self.hosts[going.to].config.member.clone(), epoch: going.epoch }
    }

    fn is_there(&self, going: &Move) -> bool {
        let state = self.hosts[going.to].disk.durable().spool.accounts.get(&going.account);
        state.is_some_and(|state| state.epoch == going.epoch && state.moved.is_none())
    }

    /// Has the account closed where it is, and takes what is to go along.
    fn take(&mut self, going: &mut Move) {
        if going.taken.is_some() {
            return;
        }
        let (account, to) = (going.account.clone(), self.ownership(going));
        let at = &mut self.hosts[going.from];
        if let Some(journal) = at.disk.taken(&account, going.epoch) {
            going.taken = Some(journal);
            let files = self.hosts[going.from].maildirs.take(&account);
            self.hosts[going.to].maildirs.give(&account, files);
            let (now, name) = (self.now, self.hosts[going.to].name());
            self.log.row(now, name, "account", || format!("{account} comes: {}", to.epoch));
            return;
        }
        if at.is_up() {
            let command = member::Command::CloseAccount { account, to };
            self.feed(going.from, Input::Command(Command::Member(command)));
            self.pump(going.from);
            return;
        }
        let rows = at.disk.durable().spool.journal_of(&account).rows;
        // A file that is not in its place is moved there by the member that has recorded it.
        if rows.iter().all(|(_, _, recorded)| recorded.is_settled()) {
            let change = Change::Closed { account, to };
            at.disk.write(change);
            let change = at.disk.complete();
            self.checkers.stored(self.now, &self.hosts[going.from], going.from, &change);
            self.take(going);
        }
    }

    /// Gives a member what was taken, if it runs.
    fn give(&mut self, going: &Move) {
        let Some(journal) = going.taken.clone() else { return };
        if !self.hosts[going.to].is_up() {
            return;
        }
        let (account, epoch) = (going.account.clone(), going.epoch);
        self.tell_owner(going.to, &account, &self.ownership(going));
        let command = member::Command::OpenAccount { account, epoch, journal };
        self.feed(going.to, Input::Command(Command::Member(command)));
        self.pump(going.to);
    }

    fn arrived(&mut self, going: &Move) {
        self.owners.insert(going.account.clone(), (going.to, going.epoch));
        let owner = self.ownership(going);
        if self.swarm.moves_every.is_none() {
            return;
        }
        // Some learn it by their file, the others from who had the account.
        for host in 0..self.hosts.len() {
            if self.dice().below("move.told", 2) == 1 {
                self.tell_owner(host, &going.account, &owner);
            }
        }
    }

    /// The swarm moves an account to another member of its group, and goes on.
    pub(super) fn move_next(&mut self) {
        let Some(every) = self.swarm.moves_every.clone() else { return };
        let organization = Arc::clone(&self.hosts[0].config.organization);
        let accounts: Vec<Address> =
            organization.accounts.iter().map(|account| account.address.clone()).collect();
        let next = self.dice().span("move.next", &every);
        let account = self.dice().pick("move.account", &accounts).cloned();
        if let Some(account) = account
            && let Some((from, _)) = self.owner(&account)
            && let Some(group) = organization.group_of(&self.hosts[from].config.member)
        {
            let members: Vec<HostIndex> =
                group.members.iter().map(|member| self.names[member]).collect();
            if let Some(to) = self.dice().pick("move.to", &members).copied() {
                self.move_account(&account, to);
            }
        }
        self.schedule(next, Happening::MoveNext);
    }

    /// The accounts that have not arrived, in words.
    #[must_use]
    pub fn on_their_way(&self) -> Vec<String> {
        self.moves.iter().map(|going| format!("{} is on its way", going.account)).collect()
    }
}
