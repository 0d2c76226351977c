//! The suite's own patience, in real time. Nothing here reaches a verdict: a wait that ends is recorded
//! as a typed outcome, and the judges read only that record.
#![allow(clippy::disallowed_types, reason = "this module is the one place that reads a real clock")]

use core::time::Duration;
use std::time::Instant;

/// Real time since the run began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Microseconds since the start.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// How long the suite waits for what; all of it times `--timeout-factor`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    factor: f64,
}

impl Patience {
    /// All waits times `factor`.
    pub(crate) const fn new(factor: f64) -> Self {
        Self { factor }
    }

    /// For a connection to be accepted.
    pub(crate) fn connect(self) -> Duration {
        Duration::from_secs(2).mul_f64(self.factor)
    }

    /// For a reply.
    pub(crate) fn reply(self) -> Duration {
        Duration::from_secs(5).mul_f64(self.factor)
    }

    /// For the adapters to agree that nothing is under way.
    pub(crate) fn quiesce(self) -> Duration {
        Duration::from_secs(10).mul_f64(self.factor)
    }

    /// For one answer of an adapter.
    pub(crate) fn answer(self) -> Duration {
        Duration::from_secs(20).mul_f64(self.factor)
    }
}
