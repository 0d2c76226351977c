//! A member's part: which accounts it has, and until when.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::machine::{
    AccountsConfig, Closing, HolderCommand, HolderEvent, HolderTimer, HolderView,
};
use super::requests::Link;
use crate::clause;
use crate::kernel::{Cx, Input, LinkChange, Machine, draw_u64};
use crate::wire::accounts::{AccountsPdu, LeaseEpoch};
use crate::wire::ids::MemberName;
use crate::wire::message::Address;
use crate::wire::record::Term;

pub(super) type Context<'a> = Cx<'a, Holder>;

/// The accounts of one member that are leased.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The term of the master that it asks.
    pub(super) follows: Option<Term>,
    /// The connection to that master.
    pub(super) link: Option<Link>,
    /// The number of the last request.
    pub(super) request: u64,
    /// The accounts that it wants and has not.
    pub(super) wanted: BTreeSet<Address>,
    /// Those that it has.
    pub(super) held: BTreeMap<Address, Tenure>,
    /// The last request for each account, where it is still open: no other answer counts.
    pub(super) asked: BTreeMap<Address, u64>,
    /// The accounts of each request whose time is not over.
    pub(super) requests: BTreeMap<u64, Vec<Address>>,
}

/// An account that this member has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tenure {
    pub(super) epoch: LeaseEpoch,
    /// The request whose answer gave the lease.
    pub(super) lease: u64,
}

impl Holder {
    /// The epoch under which this member has the account.
    #[must_use]
    pub fn epoch(&self, account: &Address) -> Option<&LeaseEpoch> {
        self.held.get(account).map(|tenure| &tenure.epoch)
    }

    /// The request whose answer gave the lease of an account.
    #[must_use]
    pub fn lease(&self, account: &Address) -> Option<u64> {
        self.held.get(account).map(|tenure| tenure.lease)
    }

    /// LEASED: what the last request for each account has brought.
    pub(super) fn leased(
        &mut self,
        request: u64,
        granted: Vec<(Address, LeaseEpoch)>,
        refused: Vec<(Address, Option<MemberName>)>,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        if config.faults.is_on("account-lease-from-the-answer")
            && self.requests.contains_key(&request)
        {
            cx.arm(HolderTimer::Lease(request), config.lease_of_holder());
        }
        for (account, epoch) in granted {
            if self.is_last(request, &account, config) {
                self.asked.remove(&account);
                self.granted(request, account, epoch, cx);
            }
        }
        for (account, owner) in refused {
            if self.is_last(request, &account, config) {
                self.asked.remove(&account);
                self.refused(account, owner, config, cx);
            }
        }
    }

    /// Whether this is the last request for the account, and its time is not over.
    fn is_last(&self, request: u64, account: &Address, config: &AccountsConfig) -> bool {
        clause!(MA_062);
        let is_open = self.asked.get(account) == Some(&request);
        let is_late = self.requests.contains_key(&request);
        is_open || (is_late && config.faults.is_on("late-lease-counts"))
    }

    fn granted(&mut self, request: u64, account: Address, epoch: LeaseEpoch, cx: &mut Context<'_>) {
        clause!(MA_061);
        match self.held.get_mut(&account) {
            Some(tenure) if tenure.epoch == epoch => tenure.lease = request,
            // The master speaks of another epoch than the one that it was told.
            Some(_) => self.close(account, Closing::Refused, cx),
            None => {
                clause!(MA_060);
                self.wanted.remove(&account);
                let tenure = Tenure { epoch: epoch.clone(), lease: request };
                self.held.insert(account.clone(), tenure);
                cx.event(HolderEvent::Opened { account, epoch });
            }
        }
    }

    fn refused(
        &mut self,
        account: Address,
        owner: Option<MemberName>,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        if self.held.contains_key(&account) {
            clause!(MA_099);
            return self.close(account, Closing::Refused, cx);
        }
        // What nobody has, or is kept for an answer that was lost, can be granted later.
        if let Some(owner) = owner.filter(|owner| *owner != config.member) {
            clause!(MA_098);
            self.wanted.remove(&account);
            cx.event(HolderEvent::Refused { account, owner });
        }
    }

    /// Has the account no more. Whatever the master still says of it counts for nothing.
    pub(super) fn close(&mut self, account: Address, why: Closing, cx: &mut Context<'_>) {
        self.asked.remove(&account);
        let tenure = self.held.remove(&account).expect("only what is open is closed");
        cx.event(HolderEvent::Closed { account, epoch: tenure.epoch, why });
    }

    /// What the answer to this request gave, or could still give, is over.
    fn lapse(&mut self, request: u64, cx: &mut Context<'_>) {
        clause!(MA_061);
        for account in self.requests.remove(&request).unwrap_or_default() {
            if self.asked.get(&account) == Some(&request) {
                self.asked.remove(&account);
            }
            if self.held.get(&account).is_some_and(|tenure| tenure.lease == request) {
                self.close(account, Closing::Lapsed, cx);
            }
        }
    }

    /// The configuration is another one: leases were counted by the old one.
    fn restart(&mut self, config: &AccountsConfig, cx: &mut Context<'_>) {
        clause!(MA_100);
        let held: BTreeSet<_> = self.held.keys().cloned().collect();
        self.give_back(&held, Closing::Configuration, config, cx);
        self.asked.clear();
        for request in core::mem::take(&mut self.requests).into_keys() {
            cx.disarm(HolderTimer::Lease(request));
        }
        self.wanted.extend(held);
        self.wanted.retain(|account| config.accounts.contains(account));
    }
}

impl Machine for Holder {
    type Config = AccountsConfig;
    /// Our connection to a master.
    type Peer = MemberName;
    type Endpoint = MemberName;
    type Pdu = AccountsPdu;
    type Timer = HolderTimer;
    type Change = ();
    /// Nothing: a member that begins to run has no account.
    type Durable = ();
    type Query = ();
    type Answer = ();
    type Command = HolderCommand;
    type Event = HolderEvent;
    type View = HolderView;

    fn apply((): &mut (), (): &()) {}

    fn boot(_: &AccountsConfig, (): &(), cx: &mut Context<'_>) -> Self {
        clause!(WI_141);
        clause!(MA_061);
        Self {
            follows: None,
            link: None,
            // No answer to an earlier boot has a number of this one.
            request: draw_u64(cx.choose, "accounts.request") >> 1,
            wanted: BTreeSet::new(),
            held: BTreeMap::new(),
            asked: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    fn step(&mut self, config: &AccountsConfig, input: Input<Self>, cx: &mut Context<'_>) {
        match input {
            Input::Pdu { from, pdu } if self.is_master(&from) => self.heard(pdu, config, cx),
            // What still comes from a master that is one no more.
            Input::Pdu { .. } => {}
            Input::Link { peer, change } if self.is_master(&peer) => {
                self.link_changed(change, config, cx);
            }
            Input::Link { .. } => {}
            Input::Timer(HolderTimer::Renew) => self.renew(config, cx),
            Input::Timer(HolderTimer::Lease(request)) => self.lapse(request, cx),
            Input::Command(HolderCommand::Follow(term)) => self.follow(term, config, cx),
            Input::Command(HolderCommand::Claim(accounts)) => self.claim(accounts, config, cx),
            Input::Command(HolderCommand::Leave(accounts)) => self.leave(accounts, cx),
            Input::Command(HolderCommand::GiveBack(accounts)) => {
                self.give_back(&accounts, Closing::Returned, config, cx);
            }
            Input::Configuration => self.restart(config, cx),
            Input::StoreFailed { .. } => {
                for account in self.held.keys().cloned().collect::<Vec<_>>() {
                    self.close(account, Closing::Lapsed, cx);
                }
            }
            Input::Answer { .. } => {}
        }
        assert!(self.held.keys().all(|account| !self.wanted.contains(account)), "had or wanted");
    }

    fn view(&self) -> HolderView {
        HolderView {
            follows: self.follows.clone(),
            held: self.held.len(),
            wanted: self.wanted.len(),
        }
    }
}

impl Holder {
    fn is_master(&self, member: &MemberName) -> bool {
        self.follows.as_ref().is_some_and(|term| term.member == *member)
    }

    /// The master says something.
    fn heard(&mut self, pdu: AccountsPdu, config: &AccountsConfig, cx: &mut Context<'_>) {
        let Some(link) = &mut self.link else { return };
        link.hear();
        match pdu {
            AccountsPdu::Leased { request, granted, refused } => {
                self.leased(request, granted, refused, config, cx);
            }
            // Who is the master is learned from the election; until then it is asked again.
            AccountsPdu::Declined { .. } => {
                clause!(MA_098);
            }
            AccountsPdu::Claim { .. } | AccountsPdu::Renew { .. } | AccountsPdu::Return { .. } => {
                clause!(WI_140);
                let member = self.follows.clone().expect("somebody is followed").member;
                self.link = None;
                cx.close(member.clone());
                let expected = String::from("LEASED or DECLINED");
                cx.event(HolderEvent::Misbehaved { member, expected });
            }
        }
    }

    fn link_changed(&mut self, change: LinkChange, config: &AccountsConfig, cx: &mut Context<'_>) {
        match change {
            LinkChange::Up if self.link.is_some() => {
                self.link = Some(Link::up());
                self.ask_for_all(config, cx);
            }
            LinkChange::Up => {}
            // It is opened again when it is time to ask again.
            _ => self.link = None,
        }
    }
}
