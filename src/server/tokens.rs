//! Busy tokens: how the adapter knows that nothing is under way.
//!
//! Whoever has something under way holds a [`Token`] of its kind: from the read of octets until all
//! their effects are committed and written, and across each question, connect and handshake. A token
//! moves along with the work, so that the count never touches zero between two holders. In a daemon
//! nobody looks at the counts, and they cost one addition each.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use tokio::sync::Notify;

/// What kinds of work there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Octets that were read and are not dealt with.
    Read,
    /// Something for the host loop.
    Input,
    /// A change on its way to the disk.
    Store,
    /// A question to the world.
    Ask,
    /// Octets that are to be written.
    Write,
    /// A connection that is being opened.
    Connect,
    /// A TLS handshake.
    Handshake,
}

/// All kinds, in order.
const KINDS: [Kind; 7] =
    [Kind::Read, Kind::Input, Kind::Store, Kind::Ask, Kind::Write, Kind::Connect, Kind::Handshake];

impl Kind {
    /// Whether the work waits for the far end only. A far end that never answers must not keep the
    /// member from being found idle for ever.
    const fn is_patient(self) -> bool {
        matches!(self, Self::Write | Self::Connect | Self::Handshake)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Input => "input",
            Self::Store => "store",
            Self::Ask => "ask",
            Self::Write => "write",
            Self::Connect => "connect",
            Self::Handshake => "handshake",
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    held: [AtomicUsize; KINDS.len()],
    released: Notify,
}

/// The counts of one process.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    counts: Arc<Counts>,
}

impl Tokens {
    /// Takes a token: there is work of this kind until it is dropped.
    #[must_use]
    pub fn take(&self, kind: Kind) -> Token {
        self.counts.held[kind as usize].fetch_add(1, Ordering::SeqCst);
        Token { counts: Arc::clone(&self.counts), kind }
    }

    /// How many tokens are held.
    #[must_use]
    pub fn held(&self) -> usize {
        KINDS.iter().map(|kind| self.held_of(*kind)).sum()
    }

    /// How many tokens are held for work that does not wait for a far end.
    #[must_use]
    pub fn held_here(&self) -> usize {
        KINDS.iter().filter(|kind| !kind.is_patient()).map(|kind| self.held_of(*kind)).sum()
    }

    fn held_of(&self, kind: Kind) -> usize {
        self.counts.held[kind as usize].load(Ordering::SeqCst)
    }

    /// Completes at the next release of a token, at once when one was released since the last call.
    pub async fn released(&self) {
        self.counts.released.notified().await;
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = KINDS.iter().filter(|kind| self.held_of(**kind) > 0);
        for (place, kind) in held.enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", self.held_of(*kind), kind.name())?;
        }
        Ok(())
    }
}

/// Held while something is under way.
#[derive(Debug)]
pub struct Token {
    counts: Arc<Counts>,
    kind: Kind,
}

impl Token {
    /// The same work goes on as work of another kind.
    #[must_use]
    pub fn into_kind(self, kind: Kind) -> Self {
        // The new one is counted before the old one is dropped.
        self.also(kind)
    }

    /// Something else is under way because of this.
    #[must_use]
    pub fn also(&self, kind: Kind) -> Self {
        self.counts.held[kind as usize].fetch_add(1, Ordering::SeqCst);
        Self { counts: Arc::clone(&self.counts), kind }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let before = self.counts.held[self.kind as usize].fetch_sub(1, Ordering::SeqCst);
        assert!(before > 0, "a token is released once");
        self.counts.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_changes_hands_is_never_uncounted() {
        let tokens = Tokens::default();
        let read = tokens.take(Kind::Read);
        let also = read.also(Kind::Store);
        assert_eq!((tokens.held(), tokens.held_here()), (2, 2));
        let write = read.into_kind(Kind::Write);
        assert_eq!((tokens.held(), tokens.held_here()), (2, 1));
        assert_eq!(tokens.to_string(), "1 store, 1 write");
        drop((also, write));
        assert_eq!((tokens.held(), tokens.to_string().as_str()), (0, ""));
    }
}
