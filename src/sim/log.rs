//! Who watches a run: rows for people, NDJSON for programs. A run that nobody watches formats nothing.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::json;

use super::rows;
use crate::kernel::{Act, Input, Machine, Node, TRACE_FORMAT, Time, Tracer};
use crate::protocol::server::Server;

/// One step of one member.
pub struct Seen<'a> {
    /// When.
    pub now: Time,
    /// Whose.
    pub name: &'a str,
    /// What it was when there was no input: `boot` or `stored`.
    pub kind: &'static str,
    /// What went in.
    pub input: Option<&'a Input<Server>>,
    /// What came out.
    pub acts: &'a [Act<Server>],
    /// The member afterwards.
    pub node: &'a Node<Server>,
}

/// What is kept of a run.
#[derive(Debug, Default)]
pub struct Log {
    rows: VecDeque<String>,
    /// The most rows that are kept; the oldest go first. Zero keeps none.
    rows_limit: usize,
    /// The trace so far, when one is wanted.
    trace: Option<String>,
    tracers: BTreeMap<String, Tracer>,
}

impl Log {
    /// Keeps the last `rows_limit` rows, and the trace if `trace` is set.
    #[must_use]
    pub fn new(rows_limit: usize, trace: bool) -> Self {
        Self { rows_limit, trace: trace.then(String::new), ..Self::default() }
    }

    /// Whether anybody watches.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.rows_limit > 0 || self.trace.is_some()
    }

    /// The rows since the last call.
    pub fn take_rows(&mut self) -> Vec<String> {
        core::mem::take(&mut self.rows).into()
    }

    /// The trace so far.
    #[must_use]
    pub fn trace(&self) -> &str {
        self.trace.as_deref().unwrap_or("")
    }

    /// Something happened that is no step of a member.
    pub fn row(&mut self, now: Time, who: &str, what: &str, detail: impl FnOnce() -> String) {
        if !self.is_on() {
            return;
        }
        let detail = detail();
        if self.rows_limit > 0 {
            self.push(row(now, who, what, &detail));
        }
        if let Some(trace) = &mut self.trace {
            // It has what a step has, so that who reads steps alone finds nothing new in it.
            let line = json!({
                "format": TRACE_FORMAT, "time": now, "node": who, "input": null, "effects": [], "view": {},
                "happened": { "what": what, "detail": detail },
            });
            trace.push_str(&format!("{line}\n"));
        }
    }

    /// A step of a member.
    pub fn step(&mut self, seen: &Seen<'_>) {
        let Seen { now, name, kind, input, acts, node } = seen;
        if self.rows_limit > 0 {
            let first = input.map_or_else(|| Some((*kind, String::new())), rows::input);
            if let Some((what, detail)) = first {
                self.push(row(*now, name, what, &detail));
            }
            for (what, detail) in acts.iter().filter_map(rows::act) {
                self.push(row(*now, name, what, &detail));
            }
        }
        if let Some(trace) = &mut self.trace {
            let name = String::from(*name);
            let tracer =
                self.tracers.entry(name.clone()).or_insert_with(|| Tracer::new(name, false));
            trace.push_str(&tracer.line(*now, *input, acts, &node.machine().view()));
            trace.push('\n');
        }
    }

    fn push(&mut self, row: String) {
        if self.rows.len() == self.rows_limit {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }
}

/// One aligned row: time in seconds since the start, who, what, and the rest.
fn row(now: Time, who: &str, what: &str, detail: &str) -> String {
    let (seconds, micros) = (now.0 / 1_000_000, now.0 % 1_000_000);
    let text = format!("{seconds:>6}.{micros:06} {who:<8} {what:<8} {detail}");
    String::from(text.trim_end())
}
