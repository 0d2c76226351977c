//! When routes are computed (RFC 8405): soon after a change that comes alone, and seldom while many come.
//!
//! The names are those of the RFC: SPF_TIMER is `Compute`, LEARN_TIMER `Learn`, HOLDDOWN_TIMER `HoldDown`.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::kernel::Span;

/// From a change that comes alone to the computation (INITIAL_SPF_DELAY).
pub const INITIAL_DELAY: Span = Span::milliseconds(50);
/// The same while changes that belong together come in (SHORT_SPF_DELAY).
pub const SHORT_DELAY: Span = Span::milliseconds(200);
/// The same once they have not stopped (LONG_SPF_DELAY).
pub const LONG_DELAY: Span = Span::seconds(5);
/// How long changes are taken for one event that is still being learnt (TIME_TO_LEARN_INTERVAL).
pub const TIME_TO_LEARN: Span = Span::milliseconds(500);
/// How long it must be quiet before a change comes alone again (HOLDDOWN_INTERVAL).
pub const HOLDDOWN: Span = Span::seconds(10);

/// The states of RFC 8405, section 5.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pace {
    /// No change has come for a while.
    #[default]
    Quiet,
    /// Changes of one event come in.
    ShortWait,
    /// They have not stopped.
    LongWait,
}

/// The timers of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleTimer {
    /// Routes are computed.
    Compute,
    /// One event has been learnt.
    Learn,
    /// It has been quiet.
    HoldDown,
}

/// What is to be done with a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleOrder {
    /// Start it, or start it again.
    Arm(ScheduleTimer, Span),
    /// Stop it.
    Disarm(ScheduleTimer),
}

/// The machine of RFC 8405, section 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule {
    pace: Pace,
    /// `Compute` runs.
    is_due: bool,
}

impl Schedule {
    /// The state.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether a computation is to come.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        self.is_due
    }

    /// The table has changed in a way that routes can depend on.
    #[must_use]
    pub fn change(&mut self) -> Vec<ScheduleOrder> {
        clause!(LS_180);
        let mut orders = Vec::new();
        let delay = match self.pace {
            Pace::Quiet => INITIAL_DELAY,
            Pace::ShortWait => SHORT_DELAY,
            Pace::LongWait => LONG_DELAY,
        };
        if !core::mem::replace(&mut self.is_due, true) {
            orders.push(ScheduleOrder::Arm(ScheduleTimer::Compute, delay));
        }
        if self.pace == Pace::Quiet {
            self.pace = Pace::ShortWait;
            orders.push(ScheduleOrder::Arm(ScheduleTimer::Learn, TIME_TO_LEARN));
        }
        orders.push(ScheduleOrder::Arm(ScheduleTimer::HoldDown, HOLDDOWN));
        assert!(self.is_due && self.pace != Pace::Quiet, "a change is followed by a computation");
        orders
    }

    /// A timer has run out. Whether routes are to be computed now, and what is to be done. Total: a timer
    /// that cannot run in this state changes nothing.
    #[must_use]
    pub fn expire(&mut self, timer: ScheduleTimer) -> (bool, Option<ScheduleOrder>) {
        match (timer, self.pace) {
            (ScheduleTimer::Compute, _) => (core::mem::take(&mut self.is_due), None),
            (ScheduleTimer::Learn, Pace::ShortWait) => {
                self.pace = Pace::LongWait;
                (false, None)
            }
            (ScheduleTimer::HoldDown, pace) => {
                self.pace = Pace::Quiet;
                let learns = pace == Pace::ShortWait;
                (false, learns.then_some(ScheduleOrder::Disarm(ScheduleTimer::Learn)))
            }
            (ScheduleTimer::Learn, Pace::Quiet | Pace::LongWait) => (false, None),
        }
    }
}

/// The transitions of RFC 8405, section 5.4, in its order and with its numbers. Tests: LS-180.
#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::ScheduleOrder::{Arm, Disarm};
    use super::ScheduleTimer::{Compute, HoldDown, Learn};
    use super::*;

    const HELD: ScheduleOrder = Arm(HoldDown, HOLDDOWN);

    fn at(pace: Pace, is_due: bool) -> Schedule {
        Schedule { pace, is_due }
    }

    #[test]
    fn the_delays_are_those_of_section_6() {
        let all = [INITIAL_DELAY, SHORT_DELAY, LONG_DELAY, TIME_TO_LEARN, HOLDDOWN];
        assert_eq!(all.map(|span| span.0 / 1_000), [50, 200, 5_000, 500, 10_000]);
        assert!(HOLDDOWN > TIME_TO_LEARN, "RFC 8405, section 6: MUST");
    }

    #[test]
    fn transition_1_a_change_while_quiet() {
        let mut schedule = at(Pace::Quiet, false);
        let orders = vec![Arm(Compute, INITIAL_DELAY), Arm(Learn, TIME_TO_LEARN), HELD];
        assert_eq!(schedule.change(), orders);
        assert_eq!(schedule, at(Pace::ShortWait, true));
        let mut running = at(Pace::Quiet, true);
        assert_eq!(running.change(), vec![Arm(Learn, TIME_TO_LEARN), HELD]);
        assert_eq!(running, at(Pace::ShortWait, true));
    }

    #[test]
    fn transition_2_a_change_in_the_short_wait() {
        let mut schedule = at(Pace::ShortWait, false);
        assert_eq!(schedule.change(), vec![Arm(Compute, SHORT_DELAY), HELD]);
        assert_eq!(schedule.change(), vec![HELD], "the timer that runs is not moved");
        assert_eq!(schedule, at(Pace::ShortWait, true));
    }

    #[test]
    fn transition_3_the_event_is_learnt() {
        for is_due in [false, true] {
            let mut schedule = at(Pace::ShortWait, is_due);
            assert_eq!(schedule.expire(Learn), (false, None));
            assert_eq!(schedule, at(Pace::LongWait, is_due));
        }
    }

    #[test]
    fn transition_4_a_change_in_the_long_wait() {
        let mut schedule = at(Pace::LongWait, false);
        assert_eq!(schedule.change(), vec![Arm(Compute, LONG_DELAY), HELD]);
        assert_eq!(schedule.change(), vec![HELD]);
        assert_eq!(schedule, at(Pace::LongWait, true));
    }

    #[test]
    fn transition_5_quiet_after_the_long_wait() {
        let mut schedule = at(Pace::LongWait, false);
        assert_eq!(schedule.expire(HoldDown), (false, None));
        assert_eq!(schedule, at(Pace::Quiet, false));
    }

    #[test]
    fn transition_6_quiet_after_the_short_wait() {
        let mut schedule = at(Pace::ShortWait, false);
        assert_eq!(schedule.expire(HoldDown), (false, Some(Disarm(Learn))));
        assert_eq!(schedule, at(Pace::Quiet, false));
    }

    #[test]
    fn transitions_7_to_9_routes_are_computed_and_the_state_stays() {
        for pace in [Pace::Quiet, Pace::ShortWait, Pace::LongWait] {
            let mut schedule = at(pace, true);
            assert_eq!(schedule.expire(Compute), (true, None));
            assert_eq!(schedule, at(pace, false));
            assert_eq!(schedule.expire(Compute), (false, None), "nothing has changed since");
        }
    }

    #[test]
    fn a_timer_that_cannot_run_changes_nothing() {
        for pace in [Pace::Quiet, Pace::LongWait] {
            let mut schedule = at(pace, true);
            assert_eq!(schedule.expire(Learn), (false, None));
            assert_eq!(schedule, at(pace, true));
        }
    }
}
