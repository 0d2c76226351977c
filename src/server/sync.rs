//! The one object that threads of the shell share: the queue in front of the disk.
//!
//! Anybody may push; one thread serves. It takes everything that waits as one group, has it committed,
//! and only then acknowledges it. The package in `tests/loom` builds this file under `cfg(loom)`, on
//! loom's primitives, and tries every interleaving; the file therefore leans on nothing else of the crate.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

#[cfg(loom)]
use loom::sync::{Condvar, Mutex};
#[cfg(not(loom))]
use std::sync::{Condvar, Mutex};

use crate::clause;

/// The queue takes nothing any more: it was closed, or a commit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl core::fmt::Display for Closed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the spool is closed")
    }
}

impl core::error::Error for Closed {}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// Taken by the server and not settled yet.
    in_flight: usize,
    closed: bool,
}

/// Operations that wait to be committed together, first in, first out.
#[derive(Debug)]
pub struct GroupCommit<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

impl<T> Default for GroupCommit<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> GroupCommit<T> {
    /// An empty, open queue.
    #[must_use]
    pub fn new() -> Self {
        let state = State { waiting: VecDeque::new(), in_flight: 0, closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new() }
    }

    /// Queues one operation behind all earlier ones. Never waits.
    ///
    /// # Errors
    /// [`Closed`] when nothing is taken any more; the operation is dropped.
    pub fn push(&self, operation: T) -> Result<(), Closed> {
        self.with(|state| {
            if state.closed {
                return Err(Closed);
            }
            state.waiting.push_back(operation);
            Ok(())
        })?;
        self.filled.notify_one();
        Ok(())
    }

    /// How many operations are not committed yet.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.with(|state| state.waiting.len() + state.in_flight)
    }

    /// Takes nothing new; [`Self::serve`] finishes what waits and returns.
    pub fn close(&self) {
        self.with(|state| state.closed = true);
        self.filled.notify_one();
    }

    /// Serves the queue until it is closed and empty. Exactly one thread does this.
    ///
    /// Each group of at most `limit` operations goes to `commit` and, only when that has succeeded, to
    /// `acknowledge`.
    ///
    /// # Errors
    /// The first failed commit. The queue is closed, nothing of that group or behind it is
    /// acknowledged, and nothing more is committed.
    pub fn serve<E>(
        &self,
        limit: usize,
        mut commit: impl FnMut(&[T]) -> Result<(), E>,
        mut acknowledge: impl FnMut(Vec<T>),
    ) -> Result<(), E> {
        assert!(limit > 0, "a group holds at least one operation");
        while let Some(group) = self.take(limit) {
            clause!(SV_002);
            if let Err(error) = commit(&group) {
                clause!(SV_003);
                self.with(|state| {
                    state.closed = true;
                    state.waiting.clear();
                    state.in_flight = 0;
                });
                return Err(error);
            }
            clause!(SV_001);
            acknowledge(group);
            self.with(|state| state.in_flight = 0);
        }
        Ok(())
    }

    /// Waits for operations; `None` when the queue is closed and empty.
    fn take(&self, limit: usize) -> Option<Vec<T>> {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        assert_eq!(state.in_flight, 0, "one thread serves, one group at a time");
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).expect("no holder of this lock panics");
        }
        let count = state.waiting.len().min(limit);
        state.in_flight = count;
        Some(state.waiting.drain(..count).collect())
    }

    fn with<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        change(&mut self.state.lock().expect("no holder of this lock panics"))
    }
}
