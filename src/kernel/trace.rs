//! The one trace point: what went in, what came out, how the view changed.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::{Act, Input, Machine, Time};

/// The version of the trace lines.
pub const TRACE_FORMAT: u32 = 1;

/// Writes trace lines (NDJSON) for one node; remembers the last view to print only what changed.
#[derive(Clone, Debug)]
pub struct Tracer {
    node: String,
    last_view: Value,
    full_views: bool,
}

impl Tracer {
    /// A tracer for `node`. With `full_views` each line carries the whole view.
    #[must_use]
    pub const fn new(node: String, full_views: bool) -> Self {
        Self { node, last_view: Value::Null, full_views }
    }

    /// The line of one step, without its line feed.
    ///
    /// `input` is `None` for a boot and for a completed write.
    #[must_use]
    pub fn line<M: Machine>(
        &mut self,
        now: Time,
        input: Option<&Input<M>>,
        acts: &[Act<M>],
        view: &M::View,
    ) -> String {
        let view = serde_json::to_value(view).unwrap_or(Value::Null);
        let shown = if self.full_views { view.clone() } else { delta(&self.last_view, &view) };
        let effects: Vec<Value> =
            acts.iter().map(|act| serde_json::to_value(act).unwrap_or(Value::Null)).collect();
        let line = json!({
            "format": TRACE_FORMAT, "time": now, "node": self.node,
            "input": input.map(|input| serde_json::to_value(input).unwrap_or(Value::Null)),
            "effects": effects, "view": shown,
        });
        self.last_view = view;
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// The top-level fields of `new` that differ from `old`.
fn delta(old: &Value, new: &Value) -> Value {
    let Value::Object(fields) = new else {
        return if old == new { Value::Object(Map::new()) } else { new.clone() };
    };
    let changed = fields.iter().filter(|(name, value)| old.get(name.as_str()) != Some(value));
    Value::Object(changed.map(|(name, value)| (name.clone(), value.clone())).collect())
}
