//! A holder: its lease, what it tells its group, and how it goes.

use super::machine::{ElectionConfig, ElectionEvent, ElectionPeer, ElectionTimer};
use super::voter::Promise;
use super::{Context, Election};
use crate::clause;
use crate::wire::election::ElectionPdu;
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

impl Election {
    /// The present round is granted: it is the lease, in place of an earlier one.
    pub(super) fn take_lease(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        clause!(MA_036);
        if config.faults.is_on("lease-from-the-answer") {
            cx.arm(ElectionTimer::Lease(self.round), config.lease_of_holder());
        }
        match self.lease.replace(self.round) {
            Some(earlier) => {
                cx.disarm(ElectionTimer::Lease(earlier));
                if config.faults.is_on("leads-once") {
                    return;
                }
            }
            None => self.lead(config, cx),
        }
        clause!(MA_040);
        self.reach_members(config, cx);
    }

    /// The mastership begins.
    pub(super) fn lead(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        let term = self.term.clone().expect("a lease has a term");
        assert!(term.member == config.member, "a member leads under a term of its own");
        (self.failures, self.follows) = (0, None);
        cx.event(ElectionEvent::Leads(term));
    }

    /// Tells a member of the group who leads.
    pub(super) fn tell(&self, member: &MemberName, config: &ElectionConfig, cx: &mut Context<'_>) {
        if self.lease.is_some() && config.members.contains(member) {
            let term = self.term.clone().expect("a lease has a term");
            let lead = ElectionPdu::Lead { round: self.round, term };
            cx.send(ElectionPeer::Voter(member.clone()), lead);
        }
    }

    /// What the round of this number gave, or could still give, is over.
    pub(super) fn lease_is_over(
        &mut self,
        round: u64,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        if self.lease.is_some_and(|lease| lease <= round) {
            clause!(MA_038);
            self.cease(cx);
        }
        if self.round == round {
            self.drop_asking(cx);
        }
        // A round that was begun later can still be granted.
        if self.lease.is_none() && self.asking.is_none() {
            self.wait_again(config, cx);
        }
    }

    /// Is the master no more.
    pub(super) fn cease(&mut self, cx: &mut Context<'_>) {
        if let Some(round) = self.lease.take() {
            cx.disarm(ElectionTimer::Lease(round));
            let term = self.term.clone().expect("a lease has a term");
            cx.event(ElectionEvent::Ceased { term });
        }
    }

    /// The operator moves the mastership.
    pub(super) fn resign(
        &mut self,
        successor: Option<MemberName>,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        if self.lease.is_none() || successor.as_ref() == Some(&config.member) {
            return;
        }
        let term = self.term.clone().expect("a lease has a term");
        if config.asks_store() {
            return self.have_holder_forgotten((term, successor), config, cx);
        }
        if config.faults.is_on("resigns-before-it-stops") {
            return self.say_farewell(&term, successor.as_ref(), cx);
        }
        clause!(MA_042);
        if !config.faults.is_on("resigned-round-counts") {
            self.drop_asking(cx);
        }
        self.cease(cx);
        if matches!(&self.promise, Promise::To { term: promised, .. } if *promised == term) {
            self.promise = Promise::None;
            cx.disarm(ElectionTimer::Promise);
        }
        self.say_farewell(&term, successor.as_ref(), cx);
        // The others go first.
        self.wait_in_place(config.lease, config, cx);
    }

    /// The operator has the member drain, or ends that: whoever drains leaves the mastership to others.
    pub(super) fn drain(&mut self, on: bool, config: &ElectionConfig, cx: &mut Context<'_>) {
        self.drains = on;
        if !on || config.faults.is_on("drains-and-leads") {
            return;
        }
        clause!(MA_059);
        if self.lease.is_some() {
            self.resign(None, config, cx);
        } else if self.asking.is_some() {
            // It asks no more, and waits behind everybody else.
            self.drop_asking(cx);
            self.wait_again(config, cx);
        } else {
            // As at a boot: whatever it has promised is over by then.
            self.wait_in_place(self.span.max(config.lease), config, cx);
        }
    }

    pub(super) fn say_farewell(
        &self,
        term: &Term,
        successor: Option<&MemberName>,
        cx: &mut Context<'_>,
    ) {
        for voter in self.seats.voters().iter().filter(|voter| self.is_up(voter)) {
            let (term, successor) = (term.clone(), successor.cloned());
            let resign = ElectionPdu::Resign { term, successor };
            cx.send(ElectionPeer::Voter(voter.clone()), resign);
        }
    }
}
