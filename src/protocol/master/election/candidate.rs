//! A candidate: when it stands, whom it asks, and what it makes of the answers.

use alloc::collections::BTreeSet;

use super::machine::{ElectionConfig, ElectionPeer, ElectionTimer};
use super::{Asking, Context, Election};
use crate::clause;
use crate::kernel::{Effect, Span, draw_u64};
use crate::wire::election::{ELECTED_LIMIT, ElectionPdu, WrittenSeats};
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

impl Election {
    /// Stands when `promised` has gone by, and then its place in the order. Whoever hears of a master begins
    /// this wait anew.
    pub(super) fn wait_in_place(
        &mut self,
        promised: Span,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let Some(place) = self.place(config) else { return };
        clause!(MA_039);
        self.failures = 0;
        let tenth = config.tenth().0;
        let place = if config.faults.is_on("stands-out-of-turn") { 0 } else { place };
        let least = promised.0 + place * tenth + self.patience(config).0;
        cx.out.push(Effect::Arm {
            timer: ElectionTimer::Stand,
            within: Span(least)..=Span(least + tenth),
        });
    }

    /// Stands again after a poll or a round without a majority.
    pub(super) fn wait_again(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        if self.place(config).is_none() {
            return;
        }
        clause!(MA_039);
        let longest = Span(config.tenth().0 << self.failures).min(config.lease);
        if longest < config.lease {
            self.failures += 1;
        }
        let again = config.faults.is_on("waits-a-lease-again");
        let patience = if again { config.lease } else { self.patience(config) };
        let within = patience..=Span(patience.0 + longest.0);
        cx.out.push(Effect::Arm { timer: ElectionTimer::Stand, within });
    }

    /// How much longer a member that drains waits than one that does not.
    fn patience(&self, config: &ElectionConfig) -> Span {
        if !self.drains || config.faults.is_on("drains-and-leads") {
            return Span::ZERO;
        }
        clause!(MA_059);
        config.lease
    }

    /// Stands without a wait.
    pub(super) fn stand_at_once(&self, cx: &mut Context<'_>) {
        cx.arm(ElectionTimer::Stand, Span::ZERO);
    }

    /// The wait is over: asks who would vote for it.
    pub(super) fn stand(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        if self.asking.is_some() || self.lease.is_some() || self.place(config).is_none() {
            return;
        }
        if config.asks_store() {
            return self.look(config, cx);
        }
        if !self.is_free_for(&config.member, config) {
            return self.wait_in_place(Span::ZERO, config, cx);
        }
        let Some(term) = self.next_term(config, cx) else { return };
        if config.faults.is_on("no-poll") {
            return self.begin(term, config, cx);
        }
        let willing = BTreeSet::from([config.member.clone()]);
        self.asking = Some(Asking::Poll { term, willing });
        self.number();
        cx.arm(ElectionTimer::Round, config.third());
        self.reach_voters(config, cx);
    }

    /// The term that follows all that are known; `None` where none can.
    pub(super) fn next_term(&self, config: &ElectionConfig, cx: &mut Context<'_>) -> Option<Term> {
        clause!(MA_035);
        let counter = self.term.as_ref().map_or(0, |known| known.counter) + 1;
        let nonce = draw_u64(cx.choose, "election.term");
        let term = Term { counter, member: config.member.clone(), nonce };
        (counter <= ELECTED_LIMIT).then_some(term)
    }

    /// WILLING: with a majority the term begins.
    pub(super) fn willing(
        &mut self,
        voter: &MemberName,
        round: u64,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        if !self.is_present(round, config) || !self.is_seated(voter) {
            return;
        }
        let Some(Asking::Poll { term, willing }) = &mut self.asking else { return };
        willing.insert(voter.clone());
        let (term, willing) = (term.clone(), willing.len());
        if self.is_majority(willing, config) {
            self.begin(term, config, cx);
        }
    }

    /// Whether an answer under this number is one to the present poll or round.
    fn is_present(&self, round: u64, config: &ElectionConfig) -> bool {
        round == self.round || config.faults.is_on("late-answers-count")
    }

    /// The first round of a term of its own.
    fn begin(&mut self, term: Term, config: &ElectionConfig, cx: &mut Context<'_>) {
        clause!(MA_035);
        // Whoever grants another one, or learns of another term, drops its poll.
        assert!(self.is_free_for(&config.member, config), "a candidate would vote for itself");
        assert!(self.is_new(&term), "a candidate begins what it has polled for");
        self.keep(term, config, cx);
        self.ask_for_votes(config, cx);
    }

    /// A round: the first one of a term, or a later one of the master.
    pub(super) fn ask_for_votes(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        self.drop_asking(cx);
        let term = self.term.clone().expect("a round has a term");
        assert!(term.member == config.member, "a member asks under a term of its own");
        self.number();
        self.promise(&term, config.lease, config, cx);
        clause!(MA_036);
        // Counted from here, before anybody is asked.
        cx.arm(ElectionTimer::Lease(self.round), config.lease_of_holder());
        cx.arm(ElectionTimer::Round, config.third());
        let granted = BTreeSet::from([config.member.clone()]);
        self.asking = Some(Asking::Votes { granted });
        self.reach_voters(config, cx);
    }

    /// GRANTED: with a majority the round is a lease.
    pub(super) fn granted(
        &mut self,
        voter: &MemberName,
        round: u64,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        if !self.is_present(round, config) || !self.is_seated(voter) {
            return;
        }
        let Some(Asking::Votes { granted }) = &mut self.asking else { return };
        granted.insert(voter.clone());
        let granted = granted.len();
        if self.is_majority(granted, config) && self.lease != Some(round) {
            self.take_lease(config, cx);
            self.move_seats(config, cx);
        }
    }

    /// UNWILLING or REFUSE: there may be a greater term, or newer seats.
    pub(super) fn refused(
        &mut self,
        round: u64,
        (known, seats): (Option<Term>, Option<WrittenSeats>),
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let is_deaf = self.lease.is_some() && config.faults.is_on("greater-terms-ignored");
        if !self.is_present(round, config) || is_deaf {
            return;
        }
        if let Some(known) = known {
            self.learn_and_stand(&known, config, cx);
        }
        if let Some(seats) = seats {
            self.learn_seats(seats, config, cx);
        }
    }

    /// Learns of a term that no master has told. Whoever asked or led under a smaller one stands again.
    pub(super) fn learn_and_stand(
        &mut self,
        term: &Term,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let (has_led, has_asked) = (self.lease.is_some(), self.asking.is_some());
        if !self.learn(term, config, cx) {
            return;
        }
        if has_led {
            // Those who have voted for it would do so again.
            clause!(MA_038);
            cx.arm(ElectionTimer::Stand, self.patience(config));
        } else if has_asked {
            self.wait_again(config, cx);
        }
    }

    /// The present poll or round has had its time.
    pub(super) fn round_is_over(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        if matches!(self.asking, Some(Asking::Farewell { .. })) {
            self.holder_is_forgotten(config, cx);
        } else if self.lease.is_some() {
            clause!(MA_037);
            if config.asks_store() {
                self.hold(config, cx);
            } else {
                self.ask_for_votes(config, cx);
            }
        } else if self.asking.is_some() {
            self.drop_asking(cx);
            self.wait_again(config, cx);
        }
    }

    /// Asks no more: no answer to the present poll or round counts.
    pub(super) fn drop_asking(&mut self, cx: &mut Context<'_>) {
        if let Some(asking) = self.asking.take() {
            cx.disarm(ElectionTimer::Round);
            // A round that is a lease is counted on.
            let is_round = matches!(asking, Asking::Votes { .. } | Asking::Holder);
            if is_round && self.lease != Some(self.round) {
                cx.disarm(ElectionTimer::Lease(self.round));
            }
        }
    }

    pub(super) fn number(&mut self) {
        self.round = self.round.checked_add(1).expect("a boot has fewer than 2^63 rounds");
    }

    /// Says to a voter what it is asked at present, unless it has agreed already.
    pub(super) fn ask(&self, voter: &MemberName, config: &ElectionConfig, cx: &mut Context<'_>) {
        if !self.is_seated(voter) {
            return;
        }
        let seats = self.seats.written().cloned();
        let (round, to) = (self.round, ElectionPeer::Voter(voter.clone()));
        match &self.asking {
            Some(Asking::Poll { term, willing }) if !willing.contains(voter) => {
                cx.send(to, ElectionPdu::Poll { round, term: term.clone(), seats });
            }
            Some(Asking::Votes { granted }) if !granted.contains(voter) => {
                clause!(MA_035);
                let term = self.term.clone().expect("a round has a term");
                let lease_ms = u32::try_from(config.lease.0 / 1_000).expect("five minutes at most");
                cx.send_durable(to, ElectionPdu::Vote { round, term, lease_ms, seats });
            }
            _ => {}
        }
    }
}
