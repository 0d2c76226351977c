//! What an honest adapter may refuse: `doctor` asks, and so do cases about configurations and orders.

use serde_json::{Value, json};

use super::{Cluster, Ground, broken, bug, died};
use crate::adapter::{Adapter, AdapterError};
use crate::event::{Event, Stop};
use crate::organization::Blueprint;

/// An answer, or a refusal, as the record has it.
fn recorded(answer: Result<Value, AdapterError>) -> Result<Value, AdapterError> {
    match answer {
        Ok(answer) => Ok(json!({"ok": answer})),
        Err(AdapterError::Refused { slug, text }) => Ok(json!({"err": slug, "text": text})),
        Err(broken) => Err(broken),
    }
}

impl Cluster {
    /// Has a member configured and started, and records how that ends: the first refusal, or the answer to
    /// `start`.
    pub(crate) fn try_start(
        ground: &Ground<'_>,
        blueprint: Blueprint,
        member: &str,
    ) -> Result<(), Stop> {
        let cluster = Self::laid_out(ground, blueprint, &[])?;
        let node = cluster.nodes.get(member).ok_or_else(|| bug(member))?;
        let log = cluster.logs.join(format!("{member}.log"));
        let problem = |error: AdapterError| died(member, &error);
        let mut adapter =
            Adapter::spawn(&cluster.command, &log, cluster.patience).map_err(problem)?;
        adapter.ask("hello", &json!({"proto": 1})).map_err(problem)?;
        for (op, fields) in [("configure", &node.configuration), ("start", &json!({}))] {
            let answer = recorded(adapter.ask(op, fields)).map_err(problem)?;
            if op == "start" || answer["ok"].is_null() {
                let (node, request) = (member.to_owned(), json!({"op": op}));
                cluster.recorder.record(Event::Asked { node, request, answer });
                break;
            }
        }
        Ok(())
    }

    /// The operator of a node says that a group is no more; the answer stands in the record.
    pub(crate) fn bury(&mut self, member: &str, group: &str, force: bool) -> Result<(), Stop> {
        let fields = json!({"group": group, "reason": "moved", "force": force});
        self.order(member, "bury", &fields, json!({"op": "bury", "group": group}))
    }

    /// The operator of a node has the mastership of its group move; the answer stands in the record.
    pub(crate) fn transfer(&mut self, member: &str, to: Option<&str>) -> Result<(), Stop> {
        let fields = to.map_or_else(|| json!({}), |to| json!({"to": to}));
        self.order(member, "transfer", &fields, json!({"op": "transfer", "to": to}))
    }

    /// The operator of a node has it drain, or drain no more; the answer stands in the record.
    pub(crate) fn drain(&mut self, member: &str, on: bool) -> Result<(), Stop> {
        self.order(member, "drain", &json!({"on": on}), json!({"op": "drain", "on": on}))
    }

    /// The operator of a node has a leased account released; the answer stands in the record.
    pub(crate) fn release(&mut self, member: &str, account: &str) -> Result<(), Stop> {
        let request = json!({"op": "release", "account": account});
        self.order(member, "release", &json!({"account": account}), request)
    }

    /// The operator of a node orders something, which the record shows as `request`.
    fn order(
        &mut self,
        member: &str,
        op: &str,
        fields: &Value,
        request: Value,
    ) -> Result<(), Stop> {
        let node = self.nodes.get_mut(member).ok_or_else(|| bug(member))?;
        node.rests = None;
        let adapter = node.adapter.as_mut().ok_or_else(|| bug(member))?;
        let answer = recorded(adapter.ask(op, fields)).map_err(|error| died(member, &error))?;
        let node = member.to_owned();
        self.recorder.record(Event::Asked { node, request, answer });
        Ok(())
    }

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
