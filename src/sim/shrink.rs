//! Makes a failing tape simpler: what is not needed for the failure becomes zero, the quiet choice, or
//! goes.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::run::{Plan, Watch, run_tape};
use crate::kernel::Tape;

/// The most runs that one shrinking may cost.
pub const RUNS_LIMIT: u32 = 400;

struct Shrinker<'a> {
    plan: &'a Plan,
    kind: String,
    best: Tape,
    runs: u32,
}

/// A simpler tape that fails in the same way, and how many runs it took to find it.
#[must_use]
pub fn shrink(plan: &Plan, tape: Tape, kind: &str) -> (Tape, u32) {
    let mut shrinker = Shrinker { plan, kind: String::from(kind), best: tape, runs: 0 };
    shrinker.zero_sites();
    shrinker.delete_spans();
    shrinker.zero_spans();
    (shrinker.best, shrinker.runs)
}

/// How many choices there are, and how many are not zero.
#[must_use]
pub fn size(tape: &Tape) -> (usize, usize) {
    (tape.choices.len(), tape.choices.iter().filter(|choice| choice.value != 0).count())
}

impl Shrinker<'_> {
    /// Whether `tape` fails in the same way; then it is the best.
    fn accept(&mut self, tape: Tape) -> bool {
        if self.runs >= RUNS_LIMIT || size(&tape) == size(&self.best) {
            return false;
        }
        self.runs += 1;
        let fails = run_tape(self.plan, tape.clone(), Watch::default()).verdict.kind() == self.kind;
        if fails {
            self.best = tape;
        }
        fails
    }

    /// Turns off one kind of choice after the other.
    fn zero_sites(&mut self) {
        let sites: BTreeSet<String> = self.best.choices.iter().map(|c| c.site.clone()).collect();
        for site in sites {
            let mut tape = self.best.clone();
            for choice in tape.choices.iter_mut().filter(|choice| choice.site == site) {
                choice.value = 0;
            }
            self.accept(tape);
        }
    }

    /// Deletes spans, long ones first. The end goes first, because nothing there matters any more.
    fn delete_spans(&mut self) {
        let mut length = self.best.choices.len() / 2;
        while length > 0 && self.runs < RUNS_LIMIT {
            let mut end = self.best.choices.len();
            while end >= length && self.runs < RUNS_LIMIT {
                let mut tape = self.best.clone();
                tape.choices.drain(end - length..end);
                self.accept(tape);
                end -= length;
                end = end.min(self.best.choices.len());
            }
            length /= 4;
        }
    }

    /// Makes spans zero, long ones first.
    fn zero_spans(&mut self) {
        let mut length = self.best.choices.len() / 2;
        while length > 0 && self.runs < RUNS_LIMIT {
            let starts: Vec<usize> = (0..self.best.choices.len()).step_by(length).collect();
            for start in starts {
                let mut tape = self.best.clone();
                tape.choices.iter_mut().skip(start).take(length).for_each(|c| c.value = 0);
                self.accept(tape);
            }
            length /= 4;
        }
    }
}
