//! Requests and refusals.

use core::fmt;

use serde_json::{Map, Value, json};

/// One request line.
#[derive(Debug)]
pub(super) struct Request {
    /// Comes back with the answer.
    pub(super) id: Value,
    /// The operation.
    pub(super) op: String,
    /// Everything else.
    pub(super) body: Map<String, Value>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    slug: &'static str,
    text: String,
}

impl Refused {
    pub(super) fn new(slug: &'static str, text: impl fmt::Display) -> Self {
        Self { slug, text: text.to_string() }
    }

    /// As an answer line.
    pub(super) fn answer(&self, id: &Value) -> Value {
        json!({ "id": id, "err": self.slug, "text": self.text })
    }
}

impl Request {
    pub(super) fn parse(line: &str) -> Result<Self, Refused> {
        let value: Value = serde_json::from_str(line)
            .map_err(|error| Refused::new("bad-request", format!("no JSON: {error}")))?;
        let Value::Object(mut body) = value else {
            return Err(Refused::new("bad-request", "a request is a JSON object"));
        };
        let id = body.remove("id").unwrap_or(Value::Null);
        let Some(Value::String(op)) = body.remove("op") else {
            return Err(Refused::new("bad-request", "`op` is no string"));
        };
        Ok(Self { id, op, body })
    }
}

/// The string at `key`.
pub(super) fn string<'a>(body: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refused> {
    let found = body.get(key).and_then(Value::as_str);
    found.ok_or_else(|| Refused::new("bad-request", format!("`{key}` is no string")))
}
