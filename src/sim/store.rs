//! A store that decides who is the master, and the way to it: a table in memory whose leases end by a clock of its
//! own, and questions that are late, are lost on one way or the other, or find the store out of reach.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::draw::Dice;
use super::faults::Swarm;
use super::host::Work;
use super::network::HostIndex;
use super::world::{Happening, World};
use crate::kernel::{Input, Span, Time};
use crate::protocol::master::election::{Standing, StoreAnswer, StoreAsk, StoreQuery, StoreWord};
use crate::protocol::member::{Answer, Query};
use crate::protocol::organization::{BackEnd, Group, Organization};
use crate::wire::record::Term;

/// Parts per million: the whole.
const MILLION: u64 = 1_000_000;
/// Where there are cuts, one in so many questions begins one between its member and the store.
const AWAY_ONE_IN: u32 = 40;
/// How long such a cut lasts.
const AWAY: core::ops::RangeInclusive<Span> = Span::milliseconds(100)..=Span::seconds(15);

/// The store, as far as anybody sees it: each question is one transaction.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    /// Its clock counts so many microseconds in a true second.
    rate: u64,
    groups: BTreeMap<String, Kept>,
    /// Until when a member does not reach it.
    away: BTreeMap<HostIndex, Time>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    term: Option<Term>,
    /// The term of the holder, and when its lease ends.
    holder: Option<(Term, Time)>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(MILLION)
    }
}

impl MemoryStore {
    /// An empty one whose clock counts so many microseconds in a true second.
    #[must_use]
    pub const fn new(rate: u64) -> Self {
        assert!(rate > 0, "a clock goes forward");
        Self { rate, groups: BTreeMap::new(), away: BTreeMap::new() }
    }

    /// Draws its clock within what the run allows, where a group has it decide.
    pub(super) fn draw(dice: &mut Dice<'_>, organization: &Organization, swarm: &Swarm) -> Self {
        let decides = |group: &Group| {
            group.election.as_ref().is_some_and(|election| election.back_end == BackEnd::Etcd)
        };
        if !organization.groups.iter().any(decides) {
            return Self::default();
        }
        // Zero is what a shortened tape answers, so zero must be the clock that is right.
        let drawn = u64::from(dice.below("store.drift", 2 * swarm.drift_ppm + 1));
        let half = drawn.div_ceil(2);
        Self::new(if drawn % 2 == 1 { MILLION + half } else { MILLION - half })
    }

    /// Until when a lease lasts that is granted now.
    #[must_use]
    pub fn grants(&self, ask: &StoreAsk, now: Time) -> Option<Time> {
        match ask {
            StoreAsk::Begin { lease, .. } | StoreAsk::Hold { lease, .. } => {
                Some(now + Span(lease.0 * MILLION / self.rate))
            }
            StoreAsk::Look { .. } | StoreAsk::Forget { .. } => None,
        }
    }

    /// What it has.
    #[must_use]
    pub fn standing(&self, group: &str, now: Time) -> Standing {
        let Some(kept) = self.groups.get(group) else { return Standing::default() };
        let holder = kept.holder.as_ref().filter(|(_, ends)| *ends > now);
        Standing { term: kept.term.clone(), holder: holder.map(|(term, _)| term.clone()) }
    }

    /// When a question can be answered that waits for the holder to go: when its lease ends, or the asker has
    /// no more patience. `None` where there is nothing to wait for.
    #[must_use]
    pub fn waits_until(&self, group: &str, ask: &StoreAsk, now: Time) -> Option<Time> {
        let StoreAsk::Look { member, patience } = ask else { return None };
        let (holder, ends) = self.groups.get(group)?.holder.as_ref()?;
        let is_held = *ends > now && holder.member != *member;
        is_held.then(|| (*ends).min(now + *patience))
    }

    /// One transaction, under a lease that ends at `ends`. `blind` is the planted bug: it compares nothing.
    pub fn transact(
        &mut self,
        (group, ask): (&str, &StoreAsk),
        ends: Option<Time>,
        blind: bool,
        now: Time,
    ) -> StoreWord {
        let standing = self.standing(group, now);
        // A key cannot be put under a lease that is over.
        let is_alive = ends.is_none_or(|ends| ends > now);
        let holds = |term: &Term| standing.holder.as_ref() == Some(term);
        let (is_so, term) = match ask {
            StoreAsk::Look { .. } => return StoreWord::Stands { standing, waited: false },
            StoreAsk::Begin { over, term, .. } => (*over == standing, term),
            StoreAsk::Hold { term, .. } | StoreAsk::Forget { term } => (holds(term), term),
        };
        if !is_alive || !(is_so || blind) {
            return StoreWord::Refused(standing);
        }
        let kept = self.groups.entry(String::from(group)).or_default();
        if matches!(ask, StoreAsk::Begin { .. }) {
            kept.term = Some(term.clone());
        }
        kept.holder = ends.map(|ends| (term.clone(), ends));
        StoreWord::Done
    }
}

/// A question on its way.
#[derive(Clone, Debug)]
pub struct Call {
    host: HostIndex,
    life: u32,
    /// The work that it is.
    work: u64,
    group: String,
    query: StoreQuery,
    /// When the lease ends that it was granted.
    ends: Option<Time>,
    /// Nobody waits for it any more.
    deadline: Time,
    /// It found a holder and waits.
    waited: bool,
    /// The answer is lost on its way back.
    unheard: bool,
}

impl World<'_> {
    /// Asks the store. The member has an answer when its limit is over, whatever becomes of the question.
    pub(super) fn ask_store(&mut self, host: HostIndex, work: Work) {
        let Query::Store { group, query } = work.query.clone() else {
            unreachable!("the caller has looked")
        };
        let name = self.next_sequence();
        let at = &mut self.hosts[host];
        at.works.insert(name, work);
        let (life, limit) = (at.life, at.clock.takes(query.limit));
        let deadline = self.now + limit;
        let silent = StoreAnswer { round: query.round, word: StoreWord::Silent };
        self.schedule_at(deadline, Happening::StoreSays(host, life, name, Box::new(silent)));
        let (is_lost, unheard) = (self.is_lost(host), self.is_lost(host));
        let waited = false;
        let call =
            Call { host, life, work: name, group, query, ends: None, deadline, waited, unheard };
        if !is_lost {
            let delay = self.network_delay("store.way");
            self.schedule(delay, Happening::StoreGrants(Box::new(call)));
        }
    }

    /// Whether something is lost between a member and the store.
    fn is_lost(&mut self, host: HostIndex) -> bool {
        if self.swarm.cuts_every.is_some() && self.dice().strikes("store.away", AWAY_ONE_IN) {
            let until = self.now + self.dice().span("store.away.span", &AWAY);
            self.store.away.insert(host, until);
        }
        let resets_one_in = self.swarm.resets_one_in;
        let is_away = self.store.away.get(&host).is_some_and(|until| *until > self.now);
        (is_away && self.swarm.cuts_every.is_some())
            || self.dice().strikes("store.lost", resets_one_in)
    }

    /// The store grants a lease, where the question needs one; the transaction follows.
    pub(super) fn store_grants(&mut self, mut call: Box<Call>) {
        call.ends = self.store.grants(&call.query.ask, self.now);
        let delay = self.network_delay("store.lease");
        self.schedule(delay, Happening::StoreActs(call));
    }

    /// The transaction, and the answer.
    pub(super) fn store_acts(&mut self, mut call: Box<Call>) {
        let again = self.store.waits_until(&call.group, &call.query.ask, self.now);
        if let Some(again) = again.filter(|_| !call.waited) {
            call.waited = true;
            return self.schedule_at(again, Happening::StoreActs(call));
        }
        let blind = self.hosts[call.host].config.faults.is_on("store-compares-nothing");
        let asked = (call.group.as_str(), &call.query.ask);
        let mut word = self.store.transact(asked, call.ends, blind, self.now);
        if let StoreWord::Stands { waited, .. } = &mut word {
            *waited = call.waited;
        }
        let Self { hosts, log, now, .. } = self;
        log.row(*now, hosts[call.host].name(), "store", || {
            format!("{:?}: {word:?}", call.query.ask)
        });
        let answer = StoreAnswer { round: call.query.round, word };
        let delay = self.network_delay("store.way");
        if !call.unheard && self.now + delay < call.deadline {
            let says = Happening::StoreSays(call.host, call.life, call.work, Box::new(answer));
            self.schedule(delay, says);
        }
    }

    /// The member hears the answer, or that there is none, whatever comes first.
    pub(super) fn store_says(
        &mut self,
        host: HostIndex,
        life: u32,
        work: u64,
        answer: StoreAnswer,
    ) {
        if self.hosts[host].life != life {
            return;
        }
        let Some(Work { ticket, .. }) = self.hosts[host].works.remove(&work) else { return };
        self.feed(host, Input::Answer { ticket, answer: Answer::Store(answer) });
        self.pump(host);
    }
}
