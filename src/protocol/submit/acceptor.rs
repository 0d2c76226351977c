//! What is known of a member that queues for others: how much it has to do, and whether it is tried.

use crate::clause;
use crate::kernel::Span;
use crate::wire::submit::Load;

/// The failures in a row that open a breaker.
pub const BREAKER_FAILURES: u8 = 3;
/// How long a member whose breaker is open is not tried.
pub const BREAKER_SPAN: Span = Span::seconds(60);
/// The most members that one message is offered to before its own member queues it.
pub const TRIES_LIMIT: usize = 3;

/// A member that queues for others, as it is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Acceptor {
    /// The messages in its queue, when it last said so.
    said: u32,
    /// Those handed to it since.
    since: u32,
    /// It has said so itself, or has taken a message, since a list or loads of the master came.
    is_heard: bool,
    /// The failures in a row.
    failures: u8,
    breaker: Breaker,
}

/// Whether a member is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Breaker {
    /// It is.
    #[default]
    Closed,
    /// It is not.
    Open,
    /// One message may try it.
    HalfOpen,
}

impl Acceptor {
    /// Whether a message may be given to it.
    pub(crate) fn may_be_tried(&self) -> bool {
        self.breaker != Breaker::Open
    }

    /// It has said how much it has to do. Whether it drains.
    pub(crate) const fn heard(&mut self, load: Load) -> bool {
        match load {
            Load::Messages(count) => {
                (self.said, self.since, self.is_heard) = (count, 0, true);
                false
            }
            Load::Draining => true,
        }
    }

    /// The master has told how much it has to do.
    pub(crate) const fn listed(&mut self, load: u32) {
        (self.said, self.since, self.is_heard) = (load, 0, false);
    }

    /// Whether what it has said itself is newer than the list.
    pub(crate) const fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// How much it has to do, as far as known here.
    pub(crate) const fn load(&self) -> u32 {
        self.said.saturating_add(self.since)
    }

    /// A message is given to it. Whether it is the one that tries it out: while that is under way the
    /// breaker is open, and closes only by its success.
    pub(crate) fn chosen(&mut self) -> bool {
        let is_trial = self.breaker == Breaker::HalfOpen;
        if is_trial {
            clause!(SU_055);
            self.breaker = Breaker::Open;
        }
        is_trial
    }

    /// It has taken a message. Whether its breaker closes by that.
    pub(crate) fn succeeded(&mut self) -> bool {
        self.since = self.since.saturating_add(1);
        self.is_heard = true;
        self.failures = 0;
        core::mem::take(&mut self.breaker) != Breaker::Closed
    }

    /// A message could not be given to it. Whether its breaker opens by that.
    pub(crate) fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1).min(BREAKER_FAILURES);
        self.failures >= BREAKER_FAILURES && self.open()
    }

    /// It is not tried for a while. Whether it was before.
    pub(crate) fn open(&mut self) -> bool {
        let before = core::mem::replace(&mut self.breaker, Breaker::Open);
        self.failures = BREAKER_FAILURES;
        before != Breaker::Open
    }

    /// It was left alone for long enough. Whether that is news.
    pub(crate) fn half_open(&mut self) -> bool {
        let was_open = self.breaker == Breaker::Open;
        if was_open {
            self.breaker = Breaker::HalfOpen;
        }
        was_open
    }
}

/// Whether the first of two members has less to do than the second, each by its weight.
pub(crate) fn is_lighter(first: (u32, u32), second: (u32, u32)) -> bool {
    let ((load, weight), (other, other_weight)) = (first, second);
    u64::from(load) * u64::from(other_weight) < u64::from(other) * u64::from(weight)
}
