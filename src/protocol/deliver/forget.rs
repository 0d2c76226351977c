//! What the delivery journal need not have any more.

use crate::kernel::{Span, Time};
use crate::protocol::member::{Member, Timer, Turn};
use crate::protocol::queue::Change;

/// How often the journal is looked through.
pub(crate) const JOURNAL_INTERVAL: Span = Span::hours(24);

impl Member {
    /// Drops what is older than the policy wants it kept, at a boot and once a day.
    pub(crate) fn look_through_journal(&mut self, turn: &mut Turn<'_, '_>) {
        turn.arm(Timer::Journal, JOURNAL_INTERVAL);
        let Some(until) = self.journal_is_kept_from(turn) else { return };
        if self.spool.can_forget(until) {
            self.store_change(Change::Forgotten { until, undated: turn.cx.now }, turn);
        }
        self.forget_leased(until, turn);
    }

    /// What arrived at this time or before need not be kept. A clock that is younger than the policy has
    /// nothing to drop.
    pub(crate) fn journal_is_kept_from(&self, turn: &Turn<'_, '_>) -> Option<Time> {
        let early = turn.fault("journal-dropped-early");
        let days = if early { 1 } else { turn.config.policy.journal_retention_days };
        let kept = Span::hours(24 * u64::from(days));
        turn.cx.now.0.checked_sub(kept.0).map(Time)
    }
}
