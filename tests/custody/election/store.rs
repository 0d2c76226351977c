//! A store that decides, in true time: its clock has a rate of its own, questions are late or lost on either
//! way, and members are cut off from it while they reach each other.

use bridgehead::kernel::{Input, Span, Ticket, Time};
use bridgehead::protocol::master::election::{StoreAnswer, StoreQuery, StoreWord};
use bridgehead::protocol::organization::BackEnd;

use super::chaos::{RIGHT, Wrong, finds, replaced_in_order, survey};
use super::world::{Happening, MILLION, World};

const GROUP: &str = "g";

/// A question on its way.
#[derive(Clone)]
pub(super) struct Call {
    at: usize,
    boot: u64,
    query: StoreQuery,
    number: u64,
    /// When the lease ends that it was granted.
    ends: Option<Time>,
    waited: bool,
}

impl World {
    /// Asks the store. Whatever becomes of the question, the host answers when its limit is over.
    pub(super) fn ask_store(&mut self, at: usize, query: StoreQuery) {
        let number = self.number();
        let limit = query.limit.0 * MILLION / self.hosts[at].rate;
        let boot = self.hosts[at].boot;
        self.hosts[at].asks.insert(number);
        let silent = StoreAnswer { round: query.round, word: StoreWord::Silent };
        self.plan(limit, Happening::Says { at, boot, number, answer: Box::new(silent) });
        if !self.cut_from_store[at] {
            let call = Call { at, boot, query, number, ends: None, waited: false };
            let delay = self.delay();
            self.plan(delay, Happening::Grants(Box::new(call)));
        }
    }

    pub(super) fn store_grants(&mut self, mut call: Box<Call>) {
        call.ends = self.store.grants(&call.query.ask, Time(self.now));
        let delay = self.delay();
        self.plan(delay, Happening::Acts(call));
    }

    pub(super) fn store_acts(&mut self, mut call: Box<Call>) {
        let now = Time(self.now);
        let again = self.store.waits_until(GROUP, &call.query.ask, now);
        if let Some(again) = again.filter(|_| !call.waited) {
            call.waited = true;
            return self.plan(again.since(now).0, Happening::Acts(call));
        }
        let blind = self.hosts[call.at].config.faults.is_on("store-compares-nothing");
        let mut word = self.store.transact((GROUP, &call.query.ask), call.ends, blind, now);
        if let StoreWord::Stands { waited, .. } = &mut word {
            *waited = call.waited;
        }
        if !self.cut_from_store[call.at] {
            let Call { at, boot, number, .. } = *call;
            let answer = Box::new(StoreAnswer { round: call.query.round, word });
            let delay = self.delay();
            self.plan(delay, Happening::Says { at, boot, number, answer });
        }
    }

    pub(super) fn store_says(&mut self, at: usize, boot: u64, number: u64, answer: StoreAnswer) {
        if self.hosts[at].boot == boot && self.hosts[at].asks.remove(&number) {
            self.step(at, Input::Answer { ticket: Ticket(0), answer });
        }
    }
}

const STORE: Wrong = Wrong { back_end: BackEnd::Etcd, ..RIGHT };

/// C6, MA-036, MA-081 to MA-085: never two masters, terms grow, a term is on disk before it is spoken, nobody
/// obeys a smaller one; and a master within the bound.
#[test]
fn members_that_ask_a_store_are_never_masters_at_one_instant() {
    survey(0..48, STORE);
}

#[test]
#[ignore = "minutes; .ci/long runs it"]
fn long_members_that_ask_a_store_are_never_masters_at_one_instant() {
    survey(0..20_000, STORE);
}

/// MA-036, MA-081, MA-082, MA-083, MA-042: each of these makes two masters, or terms that do not grow.
#[test]
fn planted_bugs_of_members_that_ask_a_store_are_found() {
    for fault in [
        "lease-from-the-answer",
        "heeds-no-holder",
        "term-is-not-greater",
        "store-compares-nothing",
        "resigns-before-it-stops",
        "lease-survives-a-boot",
    ] {
        assert!(finds(Wrong { fault: Some(fault), ..STORE }, 1_000).is_some(), "{fault}");
    }
}

/// MA-043: a process that was stopped acts under a lease that is over, if what has come goes first.
#[test]
fn ma_043_due_timers_come_first_where_a_store_decides() {
    assert!(finds(Wrong { timers_last: true, ..STORE }, 96).is_some());
}

/// MA-036: the lease is shorter by what the clocks differ, that of the store among them.
#[test]
fn ma_036_a_store_whose_clock_differs_by_more_than_is_stated_makes_two_masters() {
    assert!(finds(Wrong { hidden_drift_ppm: 200_000, ..STORE }, 96).is_some());
}

/// MA-039, MA-081: a killed master is replaced when its lease in the store is over.
#[test]
fn ma_081_a_killed_master_is_replaced_when_its_lease_is_over() {
    // Five places, clocks that are slow by a fifth, a wait in the store, and three exchanges.
    replaced_in_order(0..12, STORE, Span(15 * MILLION / 8 + MILLION / 5));
}
