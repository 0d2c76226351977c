//! A candidate or holder that asks a store, in place of the voters.

use super::machine::{ElectionChange, ElectionConfig, ElectionTimer};
use super::store::{Standing, StoreAnswer, StoreAsk, StoreQuery, StoreWord};
use super::{Asking, Context, Election};
use crate::clause;
use crate::kernel::{Effect, Gate, Span, Ticket};
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

impl Election {
    /// Asks the store who holds the mastership, and waits there until nobody else does.
    pub(super) fn look(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        clause!(MA_081);
        let patience = config.third();
        self.number();
        self.asking = Some(Asking::Look);
        let look = StoreAsk::Look { member: config.member.clone(), patience };
        self.question(look, Span(2 * patience.0), cx);
    }

    /// The store has answered, or will not.
    pub(super) fn store_says(
        &mut self,
        StoreAnswer { round, word }: StoreAnswer,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        clause!(MA_085);
        if round != self.round {
            return;
        }
        match (&self.asking, word) {
            (Some(Asking::Look), StoreWord::Stands { standing, waited }) => {
                self.seen(standing, waited, config, cx);
            }
            (Some(Asking::Holder), StoreWord::Done) if self.lease != Some(round) => {
                self.take_lease(config, cx);
            }
            // A question that the host had to repeat: the first time it was done, in this very round.
            (Some(Asking::Holder), StoreWord::Refused(standing))
                if self.lease.is_none() && standing.holder == self.term =>
            {
                clause!(MA_083);
                self.take_lease(config, cx);
            }
            (Some(Asking::Holder), StoreWord::Refused(standing)) => {
                self.round_is_refused(&standing, config, cx);
            }
            // A round of the holder goes on until its time is over: the lease that it has stands.
            (Some(Asking::Look | Asking::Holder), StoreWord::Silent) if self.lease.is_none() => {
                self.drop_asking(cx);
                self.wait_again(config, cx);
            }
            (Some(Asking::Farewell { .. }), _) => self.holder_is_forgotten(config, cx),
            _ => {}
        }
    }

    /// What the store has: begins a term, if nobody else holds the mastership.
    fn seen(
        &mut self,
        standing: Standing,
        waited: bool,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        assert!(self.lease.is_none(), "a holder does not look");
        self.drop_asking(cx);
        for term in standing.term.iter().chain(&standing.holder) {
            self.learn(term, config, cx);
        }
        clause!(MA_086);
        let is_held = standing.is_held_from(&config.member);
        if (is_held || waited) && !config.faults.is_on("heeds-no-holder") {
            clause!(MA_081);
            return self.wait_in_place(Span::ZERO, config, cx);
        }
        self.begin_over(standing, config, cx);
    }

    /// The first round of a term of its own.
    fn begin_over(&mut self, over: Standing, config: &ElectionConfig, cx: &mut Context<'_>) {
        let Some(mut term) = self.next_term(config, cx) else { return };
        if config.faults.is_on("term-is-not-greater") {
            term.counter = term.counter.saturating_sub(1).max(1);
            self.term = Some(term.clone());
        } else {
            clause!(MA_082);
            assert!(self.is_new(&term), "a term is greater than any that is known");
            self.term = Some(term.clone());
            cx.store(ElectionChange::Term(term.clone()));
        }
        clause!(MA_083);
        self.ask_to_hold(StoreAsk::Begin { over, term, lease: config.lease }, config, cx);
    }

    /// A later round of the master.
    pub(super) fn hold(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        let term = self.term.clone().expect("a round has a term");
        clause!(MA_084);
        self.ask_to_hold(StoreAsk::Hold { term, lease: config.lease }, config, cx);
    }

    fn ask_to_hold(&mut self, ask: StoreAsk, config: &ElectionConfig, cx: &mut Context<'_>) {
        self.drop_asking(cx);
        self.number();
        self.asking = Some(Asking::Holder);
        clause!(MA_036);
        // Counted from here, before the store is asked.
        cx.arm(ElectionTimer::Lease(self.round), config.lease_of_holder());
        self.question(ask, config.third(), cx);
    }

    /// Somebody else holds the mastership, or nobody does any more.
    fn round_is_refused(
        &mut self,
        standing: &Standing,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        clause!(MA_084);
        self.drop_asking(cx);
        self.cease(cx);
        for term in standing.term.iter().chain(&standing.holder) {
            self.learn(term, config, cx);
        }
        self.wait_again(config, cx);
    }

    /// The operator moves the mastership: the store is to forget the holder, who has ceased.
    pub(super) fn have_holder_forgotten(
        &mut self,
        (term, successor): (Term, Option<MemberName>),
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let ask = StoreAsk::Forget { term: term.clone() };
        if config.faults.is_on("resigns-before-it-stops") {
            return self.ask_store(ask, config.third(), cx);
        }
        clause!(MA_042);
        clause!(MA_086);
        self.drop_asking(cx);
        self.cease(cx);
        self.number();
        self.asking = Some(Asking::Farewell { term, successor });
        self.question(ask, config.third(), cx);
    }

    /// The store has no holder any more, or does not say: the voters hear that this member goes.
    pub(super) fn holder_is_forgotten(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        let Some(Asking::Farewell { term, successor }) = self.asking.take() else { return };
        cx.disarm(ElectionTimer::Round);
        self.say_farewell(&term, successor.as_ref(), cx);
        // The others go first.
        self.wait_in_place(config.lease, config, cx);
    }

    /// A question of the present number: no answer to an earlier one counts.
    fn question(&self, ask: StoreAsk, limit: Span, cx: &mut Context<'_>) {
        cx.arm(ElectionTimer::Round, limit);
        self.ask_store(ask, limit, cx);
    }

    /// Asks behind what is to be on disk before.
    fn ask_store(&self, ask: StoreAsk, limit: Span, cx: &mut Context<'_>) {
        let query = StoreQuery { round: self.round, limit, ask };
        // The number of the round names the question; the ticket is the host's.
        cx.out.push(Effect::Ask { ticket: Ticket(0), query, gate: Gate::Durable });
    }
}
