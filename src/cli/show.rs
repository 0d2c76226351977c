//! `linkstate show` and `queue list`: asks the members and prints what they say.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::admin::{ADMIN_FORMAT, ask};
use super::cluster::Plan;
use super::table::{row, table};
use super::{failed, refused};
use crate::protocol::ids::MemberName;

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
        println!("{}", serde_json::json!({"format": ADMIN_FORMAT, "members": members}));
    } else {
        for (name, answer) in &answers {
            println!("{name}\n{}", indent(&what.text(answer)));
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

/// A value as one word or few.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// One line for each connector that the table knows, as WinRoute showed it.
fn linkstate(answer: &Value) -> String {
    let mut rows =
        vec![row([&"GROUP", &"VERSION", &"CONNECTOR", &"TO", &"COST", &"STATE", &"BRIDGEHEADS"])];
    for record in items(answer, "records") {
        let group = plain(field(record, "group"));
        let version = version(field(record, "version"));
        for connector in items(record, "connectors") {
            let state = plain(field(connector, "state"));
            let cost = plain(field(connector, "cost"));
            let cost = if state == "DOWN" { format!("infinite ({cost})") } else { cost };
            rows.push(row([
                &group,
                &version,
                &plain(field(connector, "name")),
                &plain(field(connector, "to")),
                &cost,
                &state,
                &plain(field(connector, "sources")),
            ]));
        }
    }
    if rows.len() == 1 { "no record yet\n".into() } else { table(&rows) }
}

/// Term, major, minor and user, as `Version` prints them.
fn version(version: &Value) -> String {
    if let Value::String(printed) = version {
        return printed.clone();
    }
    let number = |name| field(version, name).as_u64().unwrap_or_default();
    let term = field(field(version, "term"), "counter");
    format!("{term}.{:x}.{:x}.{:x}", number("major"), number("minor"), number("user"))
}

/// One line for each message, with a column for each plain field that any message has.
fn queue(answer: &Value) -> String {
    let messages = items(answer, "messages");
    let mut names: Vec<&str> = Vec::new();
    for message in messages {
        for name in message.as_object().into_iter().flat_map(Map::keys) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    if messages.is_empty() {
        return "empty\n".into();
    }
    let mut rows = vec![names.iter().map(|name| name.to_uppercase()).collect()];
    for message in messages {
        rows.push(names.iter().map(|name| plain(field(message, name))).collect());
    }
    table(&rows)
}
