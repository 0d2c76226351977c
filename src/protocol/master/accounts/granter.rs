//! The master's part: who has which account, and who may have it next.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::machine::{AccountsConfig, GranterCommand, GranterEvent, GranterTimer, GranterView};
use crate::clause;
use crate::kernel::{Cx, Input, Machine};
use crate::wire::accounts::{AccountsPdu, Holding, LeaseEpoch};
use crate::wire::ids::MemberName;
use crate::wire::message::Address;
use crate::wire::record::Term;

/// The most requests of one member whose accounts are kept at a time. It asks for everything four times in
/// a lease, a thousand accounts with each request: a member with a quarter of a million accounts reaches it.
pub const REQUESTS_LIMIT: usize = 1_024;

type Context<'a> = Cx<'a, Granter>;
type Refusals = Vec<(Address, Option<MemberName>)>;

/// The leases of one group, at its master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Granter {
    /// The term under which it leads, or has led last: what it keeps is of that one.
    term: Option<Term>,
    leads: bool,
    /// The greatest term that it was told of.
    known: Option<Term>,
    /// Nothing is granted before what earlier masters have leased is over.
    waits: bool,
    /// The accounts that were granted under the term so far.
    grants: u64,
    table: BTreeMap<Address, Kept>,
    /// The number of the last answer with which anything is kept.
    answer: u64,
    /// By that number: whose request it was, and which accounts.
    answers: BTreeMap<u64, (MemberName, Vec<Address>)>,
}

/// An account of which something is known under this term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kept {
    /// The greatest epoch.
    epoch: LeaseEpoch,
    /// Who has it, and since which answer; nobody can have it any more where there is none.
    owner: Option<(MemberName, u64)>,
    /// An operator has freed it: who had it under this epoch does not get it back.
    is_freed: bool,
}

impl Granter {
    /// Who has an account, by what is kept, and under which epoch.
    #[must_use]
    pub fn owner(&self, account: &Address) -> Option<(&MemberName, &LeaseEpoch)> {
        let kept = self.table.get(account)?;
        kept.owner.as_ref().map(|(member, _)| (member, &kept.epoch))
    }

    /// Whether an account was freed by order, and nobody has it since.
    #[must_use]
    pub fn has_freed(&self, account: &Address) -> bool {
        self.table.get(account).is_some_and(|kept| kept.owner.is_none() && kept.is_freed)
    }

    /// Begins a term, or goes on with the one that it had.
    fn lead(&mut self, term: Term, config: &AccountsConfig, cx: &mut Context<'_>) {
        self.learn(&term);
        self.leads = true;
        if self.term.as_ref() == Some(&term) {
            // Nobody else has led meanwhile: the same term cannot come back behind another one.
            clause!(MA_096);
            if config.faults.is_on("numbers-begin-anew") {
                self.grants = 0;
            }
            return;
        }
        assert!(self.term.as_ref().is_none_or(|last| *last < term), "terms grow");
        clause!(MA_064);
        for answer in core::mem::take(&mut self.answers).into_keys() {
            cx.disarm(GranterTimer::Kept(answer));
        }
        self.table.clear();
        (self.term, self.grants, self.waits) = (Some(term), 0, true);
        if config.faults.is_on("new-master-grants-at-once") {
            self.waits = false;
        } else {
            cx.arm(GranterTimer::Wait, config.lease());
        }
    }

    fn learn(&mut self, term: &Term) {
        if self.known.as_ref().is_none_or(|known| known < term) {
            self.known = Some(term.clone());
        }
    }

    fn pdu(
        &mut self,
        member: MemberName,
        pdu: AccountsPdu,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        if !config.members.contains(&member) {
            clause!(MA_097);
            return misbehaved(member, "a member of the group", cx);
        }
        match pdu {
            AccountsPdu::Claim { request, term, account_lease_s, accounts } => {
                if self.is_in_charge(&member, &term) && agrees(&member, account_lease_s, config, cx)
                {
                    self.claimed(member, request, accounts, config, cx);
                } else {
                    self.decline(member, request, cx);
                }
            }
            AccountsPdu::Renew { request, term, account_lease_s, holdings } => {
                if self.is_in_charge(&member, &term) && agrees(&member, account_lease_s, config, cx)
                {
                    self.renewed(member, request, holdings, config, cx);
                } else {
                    self.decline(member, request, cx);
                }
            }
            AccountsPdu::Return { term, holdings } => {
                if self.term.as_ref() == Some(&term) {
                    self.returned(&member, &holdings);
                }
            }
            AccountsPdu::Leased { .. } | AccountsPdu::Declined { .. } => {
                clause!(WI_140);
                misbehaved(member, "CLAIM, RENEW or RETURN", cx);
            }
        }
    }

    /// Whether requests under this term are for it to answer, and this member has not too many.
    fn is_in_charge(&self, member: &MemberName, term: &Term) -> bool {
        clause!(MA_069);
        let is_its_own = self.leads && self.term.as_ref() == Some(term);
        let requests = self.answers.values().filter(|(asker, _)| asker == member).count();
        is_its_own && requests < REQUESTS_LIMIT
    }

    fn decline(&self, member: MemberName, request: u64, cx: &mut Context<'_>) {
        clause!(WI_142);
        cx.send(member, AccountsPdu::Declined { request, known: self.known.clone() });
    }

    /// CLAIM: grants what nobody has.
    fn claimed(
        &mut self,
        member: MemberName,
        request: u64,
        accounts: Vec<Address>,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        let (mut granted, mut refused) = (Vec::new(), Refusals::new());
        for account in accounts {
            let owner = self.owner(&account).map(|(owner, _)| owner.clone());
            let is_kept = owner.is_some() && !config.faults.is_on("grants-what-it-keeps");
            clause!(MA_063);
            if is_kept || self.waits || !config.accounts.contains(&account) {
                refused.push((account, owner));
                continue;
            }
            clause!(MA_060);
            self.grants = self.grants.checked_add(1).expect("a term has fewer than 2^64 grants");
            let term = self.term.clone().expect("who is in charge has a term");
            let epoch = LeaseEpoch { term, number: self.grants };
            cx.event(GranterEvent::Granted {
                account: account.clone(),
                member: member.clone(),
                epoch: epoch.clone(),
            });
            granted.push((account, epoch));
        }
        self.answer(member, request, (granted, refused), config, cx);
    }

    /// RENEW: lets a member have on what it has, whoever has granted it.
    fn renewed(
        &mut self,
        member: MemberName,
        request: u64,
        holdings: Vec<Holding>,
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        let believes = |(account, epoch): &Holding| {
            config.accounts.contains(account) && self.is_credible(&member, account, epoch)
        };
        let (granted, refused): (Vec<_>, Vec<_>) = holdings.into_iter().partition(believes);
        let refused = refused.into_iter().map(|(account, _)| {
            let owner = self.owner(&account).map(|(owner, _)| owner.clone());
            (account, owner)
        });
        let refused = refused.collect();
        self.answer(member, request, (granted, refused), config, cx);
    }

    /// Whether a member can have an account under this epoch.
    fn is_credible(&self, member: &MemberName, account: &Address, epoch: &LeaseEpoch) -> bool {
        clause!(MA_066);
        let term = self.term.as_ref().expect("who is in charge has a term");
        let known = self.table.get(account);
        let is_smaller = known.is_some_and(|kept| *epoch < kept.epoch);
        let is_same = known.is_some_and(|kept| *epoch == kept.epoch);
        let is_another_s = known
            .and_then(|kept| kept.owner.as_ref())
            .is_some_and(|(owner, _)| is_same && owner != member);
        // What was granted under the own term stands in the table; nobody leads under a greater one.
        let exists = epoch.term < *term || is_same;
        clause!(MA_105);
        let is_freed = known.is_some_and(|kept| is_same && kept.is_freed);
        exists && !is_smaller && !is_another_s && !is_freed
    }

    /// Answers a request, and keeps what it gives from now on.
    fn answer(
        &mut self,
        member: MemberName,
        request: u64,
        (granted, refused): (Vec<Holding>, Refusals),
        config: &AccountsConfig,
        cx: &mut Context<'_>,
    ) {
        if !granted.is_empty() {
            clause!(MA_063);
            self.answer += 1;
            for (account, epoch) in &granted {
                let owner = Some((member.clone(), self.answer));
                let kept = Kept { epoch: epoch.clone(), owner, is_freed: false };
                self.table.insert(account.clone(), kept);
            }
            let accounts = granted.iter().map(|(account, _)| account.clone()).collect();
            self.answers.insert(self.answer, (member.clone(), accounts));
            cx.arm(GranterTimer::Kept(self.answer), config.lease());
        }
        clause!(WI_144);
        cx.send(member, AccountsPdu::Leased { request, granted, refused });
    }

    /// RETURN: what the member had is free, if it is still what is kept for it.
    fn returned(&mut self, member: &MemberName, holdings: &[Holding]) {
        clause!(MA_068);
        for (account, epoch) in holdings {
            let Some(kept) = self.table.get_mut(account) else { continue };
            let is_owner = kept.owner.as_ref().is_some_and(|(owner, _)| owner == member);
            if is_owner && kept.epoch == *epoch {
                kept.owner = None;
            }
        }
    }

    /// What is kept of an account is free, whoever has it.
    fn free(&mut self, account: &Address, config: &AccountsConfig) {
        let is_believed = config.faults.is_on("believes-what-was-freed");
        clause!(MA_105);
        if let Some(kept) = self.table.get_mut(account).filter(|_| self.leads) {
            (kept.owner, kept.is_freed) = (None, !is_believed);
        }
    }

    /// What was kept since the answer of this number is free, unless it was prolonged.
    fn lapse(&mut self, answer: u64) {
        clause!(MA_063);
        let Some((_, accounts)) = self.answers.remove(&answer) else { return };
        for account in accounts {
            let Some(kept) = self.table.get_mut(&account) else { continue };
            if kept.owner.as_ref().is_some_and(|(_, since)| *since == answer) {
                kept.owner = None;
            }
        }
    }
}

/// Whether a member counts its leases as its master does: what was granted to one that counts on for longer
/// would be another one's before it is over.
fn agrees(
    member: &MemberName,
    account_lease_s: u32,
    config: &AccountsConfig,
    cx: &mut Context<'_>,
) -> bool {
    clause!(MA_101);
    if account_lease_s == config.account_lease_s || config.faults.is_on("answers-any-lease") {
        return true;
    }
    cx.event(GranterEvent::OtherLease { member: member.clone(), account_lease_s });
    false
}

fn misbehaved(member: MemberName, expected: &str, cx: &mut Context<'_>) {
    cx.close(member.clone());
    cx.event(GranterEvent::Misbehaved { member, expected: String::from(expected) });
}

impl Machine for Granter {
    type Config = AccountsConfig;
    /// The connection of a member to us: whatever is said goes back on the connection that was asked on.
    type Peer = MemberName;
    type Endpoint = ();
    type Pdu = AccountsPdu;
    type Timer = GranterTimer;
    type Change = ();
    /// Nothing: a grant promises a number under a term, and no term outlasts a restart of its master.
    type Durable = ();
    type Query = ();
    type Answer = ();
    type Command = GranterCommand;
    type Event = GranterEvent;
    type View = GranterView;

    fn apply((): &mut (), (): &()) {}

    fn boot(_: &AccountsConfig, (): &(), _: &mut Context<'_>) -> Self {
        Self {
            term: None,
            leads: false,
            known: None,
            waits: true,
            grants: 0,
            table: BTreeMap::new(),
            answer: 0,
            answers: BTreeMap::new(),
        }
    }

    fn step(&mut self, config: &AccountsConfig, input: Input<Self>, cx: &mut Context<'_>) {
        match input {
            Input::Pdu { from, pdu } => self.pdu(from, pdu, config, cx),
            Input::Timer(GranterTimer::Wait) => self.waits = false,
            Input::Timer(GranterTimer::Kept(answer)) => self.lapse(answer),
            Input::Command(GranterCommand::Lead(term)) => self.lead(term, config, cx),
            Input::Command(GranterCommand::Cease) => self.leads = false,
            Input::Command(GranterCommand::Follow(term)) => {
                self.leads = false;
                self.learn(&term);
            }
            Input::Command(GranterCommand::Free(account)) => self.free(&account, config),
            Input::StoreFailed { .. } => self.leads = false,
            // Members ask again, and what is kept is kept as it was promised.
            Input::Link { .. } | Input::Answer { .. } | Input::Configuration => {}
        }
        assert!(!self.leads || self.term.is_some(), "who leads has a term");
    }

    fn view(&self) -> GranterView {
        GranterView {
            term: self.term.clone(),
            waits: self.waits,
            grants: self.grants,
            kept: self.table.values().filter(|kept| kept.owner.is_some()).count(),
        }
    }
}
