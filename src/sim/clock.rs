//! What a member's clock shows: no two agree, and none is as fast as another.

use super::draw::Dice;
use super::faults::Swarm;
use crate::kernel::{Span, Time};

/// One million, for parts per million.
const MILLION: i64 = 1_000_000;

/// The clock of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostClock {
    /// By how much it was ahead of the world's at the start.
    ahead: Span,
    /// By how many parts per million it is faster; less than a million either way.
    drift: i64,
}

impl HostClock {
    /// Draws a clock within what the run allows.
    pub fn draw(dice: &mut Dice<'_>, swarm: &Swarm) -> Self {
        let ahead = dice.span("clock.ahead", &(Span::ZERO..=swarm.ahead));
        // Zero is what a shortened tape answers, so zero must be the clock that is right.
        let drawn = i64::from(dice.below("clock.drift", 2 * swarm.drift_ppm + 1));
        let half = (drawn + 1) / 2;
        Self { ahead, drift: if drawn % 2 == 1 { half } else { -half } }
    }

    /// What it shows.
    #[must_use]
    pub fn shows(self, now: Time) -> Time {
        Time(self.scale(now.0, MILLION + self.drift, MILLION)) + self.ahead
    }

    /// How long it takes until it has counted `span`.
    #[must_use]
    pub fn takes(self, span: Span) -> Span {
        Span(self.scale(span.0, MILLION, MILLION + self.drift))
    }

    fn scale(self, value: u64, by: i64, over: i64) -> u64 {
        assert!(self.drift.abs() < MILLION, "a clock goes forward");
        let scaled = u128::from(value) * u128::from(by.unsigned_abs());
        u64::try_from(scaled / u128::from(over.unsigned_abs())).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_faster_shows_more_and_waits_less() {
        let right = HostClock::default();
        let fast = HostClock { ahead: Span::seconds(5), drift: 250_000 };
        let slow = HostClock { ahead: Span::ZERO, drift: -200_000 };
        let hour = Time(0) + Span::hours(1);
        assert_eq!(right.shows(hour), hour);
        assert_eq!(fast.shows(hour), Time(0) + Span::seconds(4_505));
        assert_eq!(slow.shows(hour), Time(0) + Span::minutes(48));
        assert_eq!(right.takes(Span::hours(1)), Span::hours(1));
        assert_eq!(fast.takes(Span::hours(1)), Span::minutes(48));
        assert_eq!(slow.takes(Span::hours(1)), Span::minutes(75));
    }
}
