//! Growing waits before something is opened again.

use crate::kernel::Span;

/// The first wait before a connection is opened again.
pub const REOPEN_FIRST: Span = Span::seconds(1);
/// The longest wait before a connection is opened again.
pub const REOPEN_LONGEST: Span = Span::seconds(60);

/// Waits that double from [`REOPEN_FIRST`] to [`REOPEN_LONGEST`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Backoff {
    doublings: u8,
    /// A wait runs.
    pub(super) waiting: bool,
}

impl Backoff {
    /// The next wait; it runs from now on.
    pub(super) fn next(&mut self) -> Span {
        let wait = Span(REOPEN_FIRST.0 << self.doublings);
        self.waiting = true;
        if wait < REOPEN_LONGEST {
            self.doublings += 1;
            return wait;
        }
        REOPEN_LONGEST
    }

    /// All is well again: the next wait is the first one.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing has failed since the last reset.
    pub(super) const fn is_fresh(self) -> bool {
        self.doublings == 0
    }
}
