//! What a filter says for the log, which is the log of everybody.

use core::time::Duration;
use std::time::Instant;

use crate::clause;

/// How many comments of a filter the log takes in a minute.
pub(super) const LOGGED_COMMENTS_LIMIT: u32 = 60;
/// How many comments a filter may say in a minute without an answer in between.
pub(super) const COMMENTS_LIMIT: u32 = 1_000;
/// The minute of these limits.
const WINDOW: Duration = Duration::from_secs(60);

/// What becomes of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The log takes it.
    Logged,
    /// It is the first that the log leaves out in this minute.
    FirstLeftOut,
    /// The log leaves it out.
    LeftOut,
    /// It is one too many.
    TooMany,
}

/// Counts the comments of a minute.
#[derive(Debug)]
pub(super) struct Comments {
    since: Instant,
    /// Those of the minute.
    said: u32,
    /// Those of the minute since the last answer.
    in_a_row: u32,
}

impl Comments {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, said: 0, in_a_row: 0 }
    }

    /// One more.
    pub(super) fn count(&mut self, now: Instant) -> Fate {
        clause!(RU_046);
        if now.saturating_duration_since(self.since) >= WINDOW {
            *self = Self::new(now);
        }
        self.said = self.said.saturating_add(1);
        self.in_a_row += 1;
        if self.in_a_row > COMMENTS_LIMIT {
            return Fate::TooMany;
        }
        match self.said {
            1..=LOGGED_COMMENTS_LIMIT => Fate::Logged,
            said if said == LOGGED_COMMENTS_LIMIT + 1 => Fate::FirstLeftOut,
            _ => Fate::LeftOut,
        }
    }

    /// It has answered, or is another one.
    pub(super) const fn answered(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RU-046.
    #[test]
    fn the_log_takes_so_many_a_minute() {
        let now = Instant::now();
        let mut comments = Comments::new(now);
        for _ in 0..LOGGED_COMMENTS_LIMIT {
            assert_eq!(comments.count(now), Fate::Logged);
        }
        assert_eq!(comments.count(now), Fate::FirstLeftOut);
        assert_eq!(comments.count(now), Fate::LeftOut);
        comments.answered();
        assert_eq!(comments.count(now), Fate::LeftOut, "answers do not widen the log");
        assert_eq!(comments.count(now + WINDOW), Fate::Logged);
    }

    /// RU-046: answers in between, or time, and nobody minds how talkative a filter is.
    #[test]
    fn too_many_in_a_row_are_too_many() {
        let now = Instant::now();
        let mut comments = Comments::new(now);
        for _ in 0..COMMENTS_LIMIT {
            assert_ne!(comments.count(now), Fate::TooMany);
        }
        comments.answered();
        for _ in 0..COMMENTS_LIMIT {
            assert_ne!(comments.count(now), Fate::TooMany);
        }
        assert_ne!(comments.count(now + WINDOW), Fate::TooMany);
        for _ in 1..COMMENTS_LIMIT {
            assert_ne!(comments.count(now + WINDOW), Fate::TooMany);
        }
        assert_eq!(comments.count(now + WINDOW), Fate::TooMany);
    }
}
