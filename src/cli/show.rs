//! `linkstate show` and `queue list`: asks the members and prints what they say.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::admin::{ADMIN_FORMAT, ask};
use super::cluster::Plan;
use super::table::{row, table};
use super::{failed, refused};
use crate::kernel::Span;
use crate::wire::ids::MemberName;

/// Whom to ask, and how to print it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Ask only this member of the cluster
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    /// The directory of the cluster
    #[arg(long, value_name = "DIR", default_value = super::cluster::DIRECTORY)]
    dir: PathBuf,
    /// Ask the admin socket of a single server instead of a cluster
    #[arg(long, value_name = "PATH", conflicts_with_all = ["dir", "member"])]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The link-state table.
    LinkState,
    /// The queue.
    Queue,
}

impl What {
    const fn op(self) -> &'static str {
        match self {
            Self::LinkState => "linkstate",
            Self::Queue => "queue",
        }
    }

    fn text(self, answer: &Value) -> String {
        match self {
            Self::LinkState => linkstate(answer),
            Self::Queue => queue(answer),
        }
    }
}

/// Asks each member; those that do not answer are named, and the exit code tells.
pub(super) fn run(arguments: &Arguments, what: What) -> ExitCode {
    let asked = match sockets(arguments) {
        Ok(asked) => asked,
        Err(problem) => return refused(&problem),
    };
    let mut answers = Map::new();
    let mut problems = Vec::new();
    for (name, socket) in &asked {
        match ask(socket, what.op()) {
            Ok(answer) => {
                answers.insert(name.clone(), answer);
            }
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    if arguments.json {
        let members = Value::Object(answers);
        say!("{}", serde_json::json!({"format": ADMIN_FORMAT, "members": members}));
    } else {
        for (name, answer) in &answers {
            say!("{name}\n{}", indent(&what.text(answer)));
        }
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { failed(&problems.join("\nbridgehead: ")) }
}

/// The name and the admin socket of everybody who is asked.
fn sockets(arguments: &Arguments) -> Result<Vec<(String, PathBuf)>, String> {
    if let Some(socket) = &arguments.socket {
        return Ok(vec![(socket.display().to_string(), socket.clone())]);
    }
    let plan = Plan::read(&arguments.dir)?;
    let is_asked =
        |name: &MemberName| arguments.member.as_ref().is_none_or(|asked| asked == name.as_str());
    let sockets: Vec<_> = plan
        .members
        .iter()
        .filter(|member| is_asked(&member.name))
        .map(|member| (member.name.to_string(), member.admin_socket(&arguments.dir)))
        .collect();
    match (&arguments.member, sockets.is_empty()) {
        (Some(name), true) => Err(format!("the cluster has no member `{name}`")),
        _ => Ok(sockets),
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    field(value, name).as_array().map_or(&[], Vec::as_slice)
}

/// A value as a few words: what stands in it, in order, without names of fields.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Object(fields) if fields.len() == 1 => {
            // A variant: `{"doubt": "rg2-a"}` reads `doubt rg2-a`.
            fields.iter().map(|(name, inner)| format!("{name} {}", plain(inner))).collect()
        }
        Value::Object(fields) => {
            let known = fields.values().filter(|inner| !inner.is_null());
            known.map(plain).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// One line for each connector that the table knows, as WinRoute showed it. The last column is what the
/// member itself thinks of a connector that it carries.
fn linkstate(answer: &Value) -> String {
    let mut rows = vec![row([
        &"GROUP",
        &"VERSION",
        &"DIGEST",
        &"CONNECTOR",
        &"TO",
        &"COST",
        &"STATE",
        &"HERE",
    ])];
    for line in items(answer, "rows") {
        let connector = field(line, "connector");
        let state = plain(field(connector, "state"));
        let cost = plain(field(connector, "cost"));
        let cost = if state == "DOWN" { format!("infinite ({cost})") } else { cost };
        rows.push(row([
            &plain(field(line, "group")),
            &plain(field(line, "version")),
            &plain(field(line, "digest")),
            &plain(field(connector, "name")),
            &plain(field(connector, "to")),
            &cost,
            &state,
            &plain(field(connector, "judgement")),
        ]));
    }
    if rows.len() == 1 { "no record yet\n".into() } else { table(&rows) }
}

/// One line for each recipient of each message.
fn queue(answer: &Value) -> String {
    let mut rows = vec![row([&"QUEUE", &"AGE", &"OCTETS", &"SENDER", &"RECIPIENT", &"WHERE"])];
    for message in items(answer, "messages") {
        let age = Span(field(message, "age").as_u64().unwrap_or_default());
        let sender = field(message, "sender").as_str().unwrap_or("<>");
        let held = field(message, "held").as_str();
        let quarantine = field(message, "quarantine").as_str();
        for recipient in items(message, "recipients") {
            let place = plain(field(recipient, "place"));
            let place = held.map_or(place, |why| format!("held: {why}"));
            let place = quarantine.map_or(place, |why| format!("quarantined: {why}"));
            rows.push(row([
                &plain(field(message, "queue")),
                &format!("{} s", age.as_seconds()),
                &plain(field(message, "octets")),
                &sender,
                &plain(field(recipient, "address")),
                &place,
            ]));
        }
    }
    if rows.len() == 1 { "empty\n".into() } else { table(&rows) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_shows_each_connector_and_its_state() {
        let line = |connector: Value| json!({"group": "RG2", "version": "1.1.3.0", "digest": "00c0ffee", "connector": connector});
        let connector = |state: &str, judgement: Value| json!({"name": "RG2-RG4", "to": "RG4", "cost": 10, "state": state, "judgement": judgement});
        let down = connector("DOWN", json!("down"));
        let up = connector("UP", Value::Null);
        let shown = linkstate(&json!({"rows": [line(down), line(up), line(Value::Null)]}));
        let lines: Vec<Vec<&str>> =
            shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0][0], "GROUP");
        let start = ["RG2", "1.1.3.0", "00c0ffee"];
        assert_eq!(
            lines[1],
            [&start[..], &["RG2-RG4", "RG4", "infinite", "(10)", "DOWN", "down"]].concat()
        );
        assert_eq!(lines[2], [&start[..], &["RG2-RG4", "RG4", "10", "UP", "-"]].concat());
        assert_eq!(lines[3], [&start[..], &["-"; 5]].concat());
        assert_eq!(linkstate(&json!({"rows": []})), "no record yet\n");
    }

    #[test]
    fn the_queue_shows_where_each_recipient_stands() {
        let recipient = |index: u32, place: Value| json!({"index": index, "address": format!("eva{index}@example.test"), "place": place});
        let message = json!({
            "queue": "000000000000002a", "origin": "rg1-a/0000000000000007/3", "sender": null,
            "age": 61_500_000, "octets": 1234, "held": null,
            "recipients": [
                recipient(0, json!({"doubt": "rg2-a"})),
                recipient(1, json!({"retry": {"failed": null, "why": "no route"}})),
                recipient(2, json!("table")),
            ],
        });
        let shown = queue(&json!({ "messages": [message] }));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 4, "{shown}");
        let start = "000000000000002a  61 s  1234    <>      eva";
        assert!(lines[1].starts_with(start), "{shown}");
        assert!(lines[1].ends_with("eva0@example.test  doubt rg2-a"), "{shown}");
        assert!(lines[2].ends_with("eva1@example.test  retry no route"), "{shown}");
        assert!(lines[3].ends_with("eva2@example.test  table"), "{shown}");
        assert_eq!(queue(&json!({"messages": []})), "empty\n");
    }
}
