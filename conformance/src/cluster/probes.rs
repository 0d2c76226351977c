//! What an honest adapter refuses; `doctor` asks.

use serde_json::{Value, json};

use super::{Cluster, broken, bug};
use crate::adapter::{Adapter, AdapterError};
use crate::event::Stop;

impl Cluster {
    /// Expects a node to refuse a request.
    pub(crate) fn must_refuse(
        &mut self,
        member: &str,
        op: &str,
        fields: &Value,
        expected: &str,
    ) -> Result<(), Stop> {
        let node = self.nodes.get_mut(member).ok_or_else(|| bug(member))?;
        node.rests = None;
        let adapter = node.adapter.as_mut().ok_or_else(|| bug(member))?;
        let seen = match adapter.ask(op, fields) {
            Err(AdapterError::Refused { slug, .. }) if slug == expected => return Ok(()),
            Err(error) => error.to_string(),
            Ok(answer) => format!("ok {answer}"),
        };
        Err(Stop::Unusable(format!("`{op}` {fields}: expected the error `{expected}`, got {seen}")))
    }

    /// Expects a second node to fail to start where the first one listens.
    pub(crate) fn must_not_share(&self, member: &str) -> Result<(), Stop> {
        let node = self.nodes.get(member).ok_or_else(|| bug(member))?;
        let mut configuration = node.configuration.clone();
        for (port, address) in &node.listen {
            configuration["listen"][port.name()] = json!(address.to_string());
        }
        configuration["dir"] = json!(self.files.path().join("second"));
        let log = self.logs.join("second.log");
        let second = || -> Result<Value, AdapterError> {
            let mut adapter = Adapter::spawn(&self.command, &log, self.patience)?;
            adapter.ask("hello", &json!({"proto": 1}))?;
            adapter.ask("configure", &configuration)?;
            adapter.ask("start", &json!({}))
        };
        match second() {
            Err(AdapterError::Refused { .. }) => Ok(()),
            Err(error) => Err(broken(member, &error)),
            Ok(answer) => {
                Err(Stop::Unusable(format!("a second start on the same ports says ok {answer}")))
            }
        }
    }
}
