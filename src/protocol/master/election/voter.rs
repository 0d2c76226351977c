//! A voter: what it promises, to whom, and what it refuses. And a member: which term it obeys.

use super::machine::{ElectionChange, ElectionConfig, ElectionEvent, ElectionPeer, ElectionTimer};
use super::{Context, Election};
use crate::clause;
use crate::kernel::Span;
use crate::wire::election::{ElectionPdu, WrittenSeats};
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

/// To whom a voter has promised that nobody else becomes the master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Promise {
    /// To nobody.
    None,
    /// To somebody before the boot, maybe.
    Forgotten,
    /// To the member of this term.
    To {
        /// The latest of its terms.
        term: Term,
        /// For how long since the last grant.
        span: Span,
    },
}

impl Election {
    /// Whether the promise of this voter lets a round of `member` be granted.
    pub(super) fn is_free_for(&self, member: &MemberName, config: &ElectionConfig) -> bool {
        clause!(MA_031);
        match &self.promise {
            Promise::None => true,
            Promise::Forgotten => false,
            Promise::To { term, .. } => {
                term.member == *member || config.faults.is_on("two-promises")
            }
        }
    }

    /// Whether `term` is greater than any that this member knows.
    pub(super) fn is_new(&self, term: &Term) -> bool {
        self.term.as_ref().is_none_or(|known| known < term)
    }

    /// What was promised before the boot is not known any more: nobody is promised anything meanwhile.
    pub(super) fn forget_promises(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        // Also who has no seat any more may have promised something while it had one.
        let has_voted = self.is_seated(&config.member) || self.span > Span::ZERO;
        let is_rash = config.faults.is_on("votes-right-after-boot");
        if config.asks_store() || !has_voted || is_rash {
            return;
        }
        clause!(MA_033);
        self.promise = Promise::Forgotten;
        cx.arm(ElectionTimer::Promise, self.span.max(config.lease));
    }

    /// The promise is over.
    pub(super) fn lapse(&mut self) {
        self.promise = Promise::None;
    }

    /// Promises the member of `term` that nobody else becomes the master, for `span` at least.
    pub(super) fn promise(
        &mut self,
        term: &Term,
        span: Span,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let standing = match &self.promise {
            Promise::To { span, .. } => *span,
            Promise::None | Promise::Forgotten => Span::ZERO,
        };
        let span = if config.faults.is_on("promises-for-its-own-span") {
            config.lease
        } else {
            span.max(config.lease).max(standing)
        };
        clause!(MA_030);
        if self.span != span {
            self.span = span;
            if !config.faults.is_on("spans-not-stored") {
                cx.store(ElectionChange::Span(span));
            }
        }
        self.promise = Promise::To { term: term.clone(), span };
        // Counted from the decision, not from the end of the write: a later decision would be later.
        cx.arm(ElectionTimer::Promise, span);
    }

    /// POLL: says what this voter would answer to a round of this term, and keeps nothing.
    pub(super) fn polled(
        &mut self,
        member: MemberName,
        (round, term, seats): (u64, &Term, Option<&WrittenSeats>),
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        clause!(MA_034);
        let is_willing = self.admits(&member, seats, config)
            && self.is_free_for(&member, config)
            && self.is_new(term);
        let answer = if is_willing {
            ElectionPdu::Willing { round }
        } else {
            let (known, seats) = (self.term.clone(), self.newer_seats(seats));
            ElectionPdu::Unwilling { round, known, seats }
        };
        cx.send(ElectionPeer::Convener(member), answer);
        if config.faults.is_on("polls-are-kept") {
            self.learn(term, config, cx);
        }
    }

    /// VOTE: grants the round, if nothing forbids it.
    pub(super) fn asked(
        &mut self,
        member: MemberName,
        (round, term, span): (u64, Term, Span),
        seats: Option<WrittenSeats>,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let is_smaller = self.term.as_ref().is_some_and(|known| *known > term);
        let is_fenced = is_smaller && !config.faults.is_on("grants-smaller-terms");
        let is_admitted = self.admits(&member, seats.as_ref(), config);
        if is_fenced || !is_admitted || !self.is_free_for(&member, config) {
            let newer = self.newer_seats(seats.as_ref());
            return self.refuse(member, round, newer, cx);
        }
        self.learn(&term, config, cx);
        if let Some(seats) = seats {
            self.adopt_seats(seats, config, cx);
        }
        // Whoever promises another one its vote does not stand meanwhile.
        self.drop_asking(cx);
        self.promise(&term, span, config, cx);
        self.wait_in_place(self.span, config, cx);
        let (to, granted) = (ElectionPeer::Convener(member), ElectionPdu::Granted { round });
        if config.faults.is_on("grants-before-durable") {
            cx.send(to, granted);
        } else {
            clause!(MA_030);
            cx.send_durable(to, granted);
        }
    }

    /// LEAD: obeys the master of this term, if no greater one is known.
    pub(super) fn led(
        &mut self,
        member: MemberName,
        (round, term): (u64, Term),
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let is_smaller = self.term.as_ref().is_some_and(|known| *known > term);
        let is_fooled = config.faults.is_on("obeys-any-term") && self.lease.is_none();
        if is_smaller && !is_fooled {
            clause!(MA_041);
            return self.refuse(member, round, None, cx);
        }
        clause!(MA_040);
        self.learn(&term, config, cx);
        self.drop_asking(cx);
        let stays = self.follows.is_some() && config.faults.is_on("follows-the-first");
        if self.follows.as_ref() != Some(&term) && !stays {
            self.follows = Some(term.clone());
            cx.event(ElectionEvent::Follows(term));
        }
        // It is the master that calls now.
        self.hang_up(cx);
        self.wait_in_place(config.lease, config, cx);
        cx.send_durable(ElectionPeer::Convener(member), ElectionPdu::Obeyed { round });
    }

    /// RESIGN: a promise to this very term binds no more.
    pub(super) fn released(
        &mut self,
        term: &Term,
        successor: Option<&MemberName>,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        clause!(MA_042);
        let is_free = config.faults.is_on("any-resignation-frees");
        if is_free
            || matches!(&self.promise, Promise::To { term: promised, .. } if promised == term)
        {
            self.promise = Promise::None;
            cx.disarm(ElectionTimer::Promise);
        }
        if self.term.as_ref() != Some(term) || self.asking.is_some() || self.place(config).is_none()
        {
            return;
        }
        match successor {
            Some(member) if *member == config.member => self.stand_at_once(cx),
            // Who is named goes first.
            Some(_) => self.wait_in_place(config.third(), config, cx),
            None => self.wait_in_place(Span::ZERO, config, cx),
        }
    }

    /// Whoever asks or instructs under a term that this member does not take learns which it knows.
    fn refuse(
        &self,
        member: MemberName,
        round: u64,
        seats: Option<WrittenSeats>,
        cx: &mut Context<'_>,
    ) {
        clause!(MA_032);
        let refusal = ElectionPdu::Refuse { round, known: self.term.clone(), seats };
        cx.send(ElectionPeer::Convener(member), refusal);
    }
}
