//! The automatic mode: voters elect the master of their group, and no two are masters at one time.
//!
//! Read [`machine`](self) first: the vocabulary. Then `voter` (what is promised), `candidate` (who asks for
//! it), `holder` (who has it), `seats` (who votes), `store` and `asker` (a store that decides in place of voters), `links` (the
//! connections), and here what ties them together. The machine knows no clock. Two of its timers carry the proof: that of a promise begins when it is given and is never
//! early, that of a lease begins before anybody is asked and is never late.

mod asker;
mod candidate;
mod holder;
mod links;
mod machine;
mod seats;
mod store;
mod voter;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use crate::clause;
use crate::kernel::{Cx, Input, Machine, Span, draw_u64};
use crate::wire::election::ElectionPdu;
use crate::wire::ids::MemberName;
use crate::wire::record::Term;

use links::Link;
use voter::Promise;

pub use links::SILENT_ROUNDS;
pub use machine::*;
pub use seats::Seats;
pub use store::*;

type Context<'a> = Cx<'a, Election>;

/// The election of one group, at one member of it or at its witness.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    /// The greatest term that this member knows.
    term: Option<Term>,
    /// The span of its last promise, as it is stored.
    span: Span,
    /// Who votes. Where a store decides: who stands, by the file.
    seats: Seats,
    promise: Promise,
    /// The number of the present poll or round.
    round: u64,
    /// What it asks for in that.
    asking: Option<Asking>,
    /// The round that is its lease. As long as it has one, its term is the greatest that it knows.
    lease: Option<u64>,
    /// The term that it has obeyed last.
    follows: Option<Term>,
    /// The polls and rounds without a majority, one after the other.
    failures: u8,
    /// The operator has ordered it to drain.
    drains: bool,
    links: BTreeMap<MemberName, Link>,
}

/// What a candidate or holder asks for, and who has agreed, itself among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Asking {
    /// Whether this term would be granted.
    Poll { term: Term, willing: BTreeSet<MemberName> },
    /// To grant the present term.
    Votes { granted: BTreeSet<MemberName> },
    /// What the store has.
    Look,
    /// The store to have the present term as its holder.
    Holder,
    /// The store to forget the holder of this term; then the voters hear who is to follow.
    Farewell { term: Term, successor: Option<MemberName> },
}

impl Election {
    /// The term under which this member is the master.
    #[must_use]
    pub fn leads(&self) -> Option<&Term> {
        self.term.as_ref().filter(|_| self.lease.is_some())
    }

    /// The round that is the lease of this member.
    #[must_use]
    pub const fn lease(&self) -> Option<u64> {
        self.lease
    }

    /// The number of the present poll or round: answers to another one count for nothing.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.round
    }

    /// Whether a poll or a round is under way.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// The voters that have granted the present round.
    #[must_use]
    pub fn votes(&self) -> Option<&BTreeSet<MemberName>> {
        match &self.asking {
            Some(Asking::Votes { granted }) => Some(granted),
            _ => None,
        }
    }

    /// The greatest term that this member knows: what comes under a smaller one is refused with it (MA-041).
    #[must_use]
    pub const fn known(&self) -> Option<&Term> {
        self.term.as_ref()
    }

    /// Keeps a greater term; what was asked or held under a smaller one is over. Whether it is greater.
    fn learn(&mut self, term: &Term, config: &ElectionConfig, cx: &mut Context<'_>) -> bool {
        if !self.is_new(term) {
            return false;
        }
        clause!(MA_038);
        self.cease(cx);
        self.drop_asking(cx);
        self.keep(term.clone(), config, cx);
        true
    }

    /// Stores the greatest term that it knows from now on.
    fn keep(&mut self, term: Term, config: &ElectionConfig, cx: &mut Context<'_>) {
        self.term = Some(term.clone());
        if !config.faults.is_on("terms-not-stored") {
            cx.store(ElectionChange::Term(term));
        }
    }

    fn pdu(
        &mut self,
        from: ElectionPeer,
        pdu: ElectionPdu,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        match from {
            ElectionPeer::Convener(member) => self.convened(member, pdu, config, cx),
            ElectionPeer::Voter(member) if self.links.contains_key(&member) => {
                self.hear(&member);
                self.answered(member, pdu, config, cx);
            }
            // What still comes on a connection that is closed.
            ElectionPeer::Voter(_) => {}
        }
    }

    /// A candidate or holder speaks.
    fn convened(
        &mut self,
        member: MemberName,
        pdu: ElectionPdu,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        let term = match &pdu {
            ElectionPdu::Poll { term, .. }
            | ElectionPdu::Vote { term, .. }
            | ElectionPdu::Lead { term, .. }
            | ElectionPdu::Resign { term, .. } => Some(term),
            _ => None,
        };
        let is_other = member != config.member && config.is_of_group(&member);
        let Some(term) = term.filter(|term| is_other && term.member == member) else {
            let expected = "POLL, VOTE, LEAD or RESIGN of a member, under a term of its own";
            return self.misbehaved(ElectionPeer::Convener(member), expected, cx);
        };
        if let ElectionPdu::Poll { seats: Some(seats), .. }
        | ElectionPdu::Vote { seats: Some(seats), .. } = &pdu
            && !(seats.voters.contains(&member) && seats.term <= *term)
        {
            clause!(WI_126);
            let expected = "seats that name the candidate, of no later term";
            return self.misbehaved(ElectionPeer::Convener(member), expected, cx);
        }
        match pdu {
            ElectionPdu::Poll { round, term, seats } => {
                self.polled(member, (round, &term, seats.as_ref()), config, cx);
            }
            ElectionPdu::Vote { round, term, lease_ms, seats } => {
                let span = Span::milliseconds(lease_ms.into());
                self.asked(member, (round, term, span), seats, config, cx);
            }
            ElectionPdu::Lead { round, term } => self.led(member, (round, term), config, cx),
            ElectionPdu::Resign { term, successor } => {
                self.released(&term, successor.as_ref(), config, cx);
            }
            _ => unreachable!("only these have a term"),
        }
    }

    /// A voter or member answers.
    fn answered(
        &mut self,
        member: MemberName,
        pdu: ElectionPdu,
        config: &ElectionConfig,
        cx: &mut Context<'_>,
    ) {
        clause!(WI_122);
        match pdu {
            ElectionPdu::Willing { round } => self.willing(&member, round, config, cx),
            ElectionPdu::Granted { round } => self.granted(&member, round, config, cx),
            ElectionPdu::Unwilling { round, known, seats }
            | ElectionPdu::Refuse { round, known, seats } => {
                self.refused(round, (known, seats), config, cx);
            }
            ElectionPdu::Obeyed { .. } => {}
            ElectionPdu::Poll { .. }
            | ElectionPdu::Vote { .. }
            | ElectionPdu::Lead { .. }
            | ElectionPdu::Appointed { .. }
            | ElectionPdu::Resign { .. } => {
                self.misbehaved(ElectionPeer::Voter(member), "an answer", cx);
            }
        }
    }

    fn misbehaved(&mut self, peer: ElectionPeer, expected: &str, cx: &mut Context<'_>) {
        clause!(WI_121);
        if let ElectionPeer::Voter(member) = &peer {
            self.links.remove(member);
        }
        cx.close(peer.clone());
        cx.event(ElectionEvent::Misbehaved { peer, expected: String::from(expected) });
    }

    fn timer(&mut self, timer: &ElectionTimer, config: &ElectionConfig, cx: &mut Context<'_>) {
        match timer {
            ElectionTimer::Promise => self.lapse(),
            ElectionTimer::Stand => self.stand(config, cx),
            ElectionTimer::Round => self.round_is_over(config, cx),
            ElectionTimer::Lease(round) => self.lease_is_over(*round, config, cx),
        }
    }

    /// Begins anew, as at a boot: promises and leases are those of another configuration.
    fn restart(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        self.drop_asking(cx);
        self.cease(cx);
        self.hang_up(cx);
        cx.disarm(ElectionTimer::Stand);
        if config.asks_store() {
            self.seats = Seats::of_file(config);
        }
        self.forget_promises(config, cx);
        // A store knows who holds the mastership, where voters have to wait until they may vote.
        let least = if config.asks_store() { Span::ZERO } else { config.lease };
        self.wait_in_place(self.span.max(least), config, cx);
    }

    /// The planted fault: takes its last lease up again.
    fn revive(&mut self, config: &ElectionConfig, cx: &mut Context<'_>) {
        let is_own = self.term.as_ref().is_some_and(|term| term.member == config.member);
        if is_own && config.faults.is_on("lease-survives-a-boot") {
            self.lease = Some(self.round);
            let granted = BTreeSet::new();
            self.asking =
                Some(if config.asks_store() { Asking::Holder } else { Asking::Votes { granted } });
            cx.arm(ElectionTimer::Lease(self.round), config.lease_of_holder());
            cx.arm(ElectionTimer::Round, config.third());
            self.lead(config, cx);
        }
    }
}

impl Machine for Election {
    type Config = ElectionConfig;
    type Peer = ElectionPeer;
    type Endpoint = MemberName;
    type Pdu = ElectionPdu;
    type Timer = ElectionTimer;
    type Change = ElectionChange;
    type Durable = ElectionDurable;
    type Query = StoreQuery;
    type Answer = StoreAnswer;
    type Command = ElectionCommand;
    type Event = ElectionEvent;
    type View = ElectionView;

    fn apply(durable: &mut ElectionDurable, change: &ElectionChange) {
        match change {
            ElectionChange::Term(term) => {
                let is_greater = durable.term.as_ref().is_none_or(|known| known < term);
                assert!(is_greater, "terms grow");
                durable.term = Some(term.clone());
            }
            ElectionChange::Span(span) => durable.span = *span,
            ElectionChange::Seats(seats) => {
                let known = durable.seats.as_ref();
                let is_newer = known.is_none_or(|known| seats.are_newer_than(known.written()));
                assert!(is_newer, "versions of seats grow");
                durable.seats = Some(seats.clone());
            }
        }
    }

    fn boot(config: &ElectionConfig, durable: &ElectionDurable, cx: &mut Context<'_>) -> Self {
        clause!(WI_122);
        let stored = durable.seats.clone().filter(|_| !config.asks_store());
        if stored.is_none() && !config.asks_store() {
            clause!(MA_044);
            cx.store(ElectionChange::Seats(Seats::of_file(config)));
        }
        let mut election = Self {
            term: durable.term.clone(),
            span: durable.span,
            seats: stored.unwrap_or_else(|| Seats::of_file(config)),
            promise: Promise::None,
            // No answer to an earlier boot has a number of this one.
            round: draw_u64(cx.choose, "election.round") >> 1,
            asking: None,
            lease: None,
            follows: None,
            failures: 0,
            drains: false,
            links: BTreeMap::new(),
        };
        election.restart(config, cx);
        election.revive(config, cx);
        election
    }

    fn step(&mut self, config: &ElectionConfig, input: Input<Self>, cx: &mut Context<'_>) {
        match input {
            Input::Pdu { from, pdu } => self.pdu(from, pdu, config, cx),
            Input::Link { peer: ElectionPeer::Voter(member), change } => {
                self.link(&member, change, config, cx);
            }
            // Whoever calls us calls again when it has to.
            Input::Link { peer: ElectionPeer::Convener(_), .. } => {}
            Input::Timer(timer) => self.timer(&timer, config, cx),
            Input::Command(ElectionCommand::Resign { successor }) => {
                self.resign(successor, config, cx);
            }
            Input::Command(ElectionCommand::Published(term)) => {
                self.learn_and_stand(&term, config, cx);
            }
            Input::Command(ElectionCommand::Voters) => self.move_seats(config, cx),
            Input::Command(ElectionCommand::Drain { on }) => self.drain(on, config, cx),
            Input::Configuration => self.restart(config, cx),
            Input::StoreFailed { .. } => {
                self.drop_asking(cx);
                self.cease(cx);
            }
            Input::Answer { answer, .. } => self.store_says(answer, config, cx),
        }
        assert!(self.lease.is_none() || self.asking.is_some(), "a holder is in a round");
    }

    fn view(&self) -> ElectionView {
        ElectionView {
            known: self.term.clone(),
            promised: match &self.promise {
                Promise::To { term, .. } => Some(term.member.clone()),
                Promise::None | Promise::Forgotten => None,
            },
            holds: self.lease.is_some(),
        }
    }
}
