//! `linkstate export`: the table of one member, for programs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::told::Told;
use super::{failed, refused, write};
use crate::cli::admin::{ADMIN_FORMAT, ask};
use crate::cli::table::{field, items, plain};
use crate::cli::whom::Whom;
use crate::sim::pictures::{Chart, Topology};

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What `linkstate diff` reads: all that the member tells
    Json,
    /// For Graphviz
    Dot,
    /// The picture that `linkstate picture` draws, without a route
    Svg,
    /// A line for each connector
    Csv,
}

/// What to write.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    from: From,
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Where to; without it, to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Whose table.
#[derive(Debug, Args)]
pub(super) struct From {
    /// The table of this member of the cluster
    #[arg(long, value_name = "NAME")]
    pub(super) member: Option<String>,
    /// The directory of the cluster
    #[arg(long, value_name = "DIR", default_value = crate::cli::cluster::DIRECTORY)]
    pub(super) dir: PathBuf,
    /// Ask the admin socket of a single server instead of a cluster
    #[arg(long, value_name = "PATH", conflicts_with_all = ["dir", "member"])]
    pub(super) socket: Option<PathBuf>,
}

impl From {
    /// The tables of all that answer, that of the named member first; or how the command ends, which has been
    /// said: 2 where there is no such cluster or member, 1 where nobody answers.
    pub(super) fn tables(&self) -> Result<Vec<Told>, ExitCode> {
        let whom = Whom::new(None, self.dir.clone(), self.socket.clone());
        let mut tables = Vec::new();
        let mut problems = Vec::new();
        let sockets = whom.sockets().map_err(|problem| refused(&problem))?;
        if let Some(member) = &self.member
            && !sockets.iter().any(|(name, _)| name == member)
        {
            return Err(refused(&format!("the cluster has no member `{member}`")));
        }
        for (name, socket) in sockets {
            match ask(&socket, "linkstate") {
                Ok(answer) => tables.push(Told { name, answer }),
                Err(problem) if self.member.as_ref().is_none_or(|asked| *asked == name) => {
                    problems.push(format!("{name}: {problem}"));
                }
                Err(_) => {}
            }
        }
        match &self.member {
            Some(member) => {
                let place = tables.iter().position(|told| told.name == *member);
                let place = place.ok_or_else(|| failed(&problems.join("\n")))?;
                tables[..=place].rotate_right(1);
            }
            None if tables.is_empty() => return Err(failed(&problems.join("\n"))),
            None => {}
        }
        Ok(tables)
    }
}

/// Asks, and writes.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let tables = match arguments.from.tables() {
        Ok(tables) => tables,
        Err(code) => return code,
    };
    let told = &tables[0];
    let text = match arguments.format {
        Format::Json => document(told),
        Format::Csv => csv(told),
        Format::Dot => dot(told),
        Format::Svg => match told.records() {
            Ok(records) => {
                let title = format!("the table of {}", told.name);
                let topology = Topology::of_records(title, &records, &told.judgements());
                Chart::of(&topology).svg(&topology)
            }
            Err(problem) => return refused(&problem),
        },
    };
    write(&text, arguments.output.as_deref())
}

fn document(told: &Told) -> String {
    let mut document = told.answer.clone();
    document["format"] = json!(ADMIN_FORMAT);
    if document["member"].is_null() {
        document["member"] = json!(told.name);
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn csv(told: &Told) -> String {
    let mut text = String::from(
        "group,version,digest,connector,to,cost,state,judgement,age_s,stale,penalty,unavailable\r\n",
    );
    for row in items(&told.answer, "rows") {
        let connector = field(row, "connector");
        let of_row = |name: &'static str| field(row, name);
        let of_connector = |name: &'static str| field(connector, name);
        let cells = [
            of_row("group"),
            of_row("version"),
            of_row("digest"),
            of_connector("name"),
            of_connector("to"),
            of_connector("cost"),
            of_connector("state"),
            of_connector("judgement"),
            of_row("age_s"),
            of_row("stale"),
            of_connector("penalty"),
            of_connector("unavailable"),
        ];
        text.push_str(&cells.map(cell).join(","));
        text.push_str("\r\n");
    }
    text
}

/// A cell by RFC 4180; empty where nothing is told.
fn cell(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    let text = plain(value);
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn dot(told: &Told) -> String {
    let quoted =
        |value: &Value| format!("\"{}\"", plain(value).replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = format!("digraph {} {{\n  node [shape=box]\n", quoted(&json!(told.name)));
    let judgements = told.judgements();
    for record in items(&told.answer, "records") {
        let group = field(record, "group");
        text.push_str(&format!("  {}\n", quoted(group)));
        for connector in items(record, "connectors") {
            let name = plain(field(connector, "name"));
            let state = plain(field(connector, "state"));
            let judged = judgements.get(&name.as_str().into()).filter(|_| state == "UP");
            let said = match (state.as_str(), judged.map(String::as_str)) {
                ("UP", None | Some("up")) => String::new(),
                ("UP", Some(judgement)) => format!(" {judgement}"),
                (state, _) => format!(" {state}"),
            };
            let style = if said.is_empty() { "solid" } else { "dashed" };
            let without = match items(connector, "unavailable") {
                [] => String::new(),
                _ => format!(" without {}", plain(field(connector, "unavailable"))),
            };
            let label = format!("{}{said}{without}", plain(field(connector, "cost")));
            text.push_str(&format!(
                "  {} -> {} [label={}, tooltip={}, style={style}]\n",
                quoted(group),
                quoted(field(connector, "to")),
                quoted(&json!(label)),
                quoted(&json!(name)),
            ));
        }
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::super::told::tests::{answer, told};
    use super::*;

    #[test]
    fn an_export_is_what_diff_reads() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("table.json");
        let table = told("rg2-a", answer(1, "DOWN", true));
        std::fs::write(&path, document(&table)).expect("a file");
        let read = Told::read(&path).expect("it is an export");
        assert_eq!(super::super::told::differences(&table, &read), []);
        std::fs::write(&path, "{\"format\": 2}").expect("a file");
        assert!(Told::read(&path).expect_err("another format").contains("format 2, expected 1"));
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let cells = [json!("plain"), json!("a,b"), json!("say \"x\""), Value::Null, json!(7)];
        let cells: Vec<String> = cells.iter().map(cell).collect();
        assert_eq!(cells, ["plain", "\"a,b\"", "\"say \"\"x\"\"\"", "", "7"]);
    }

    #[test]
    fn graphviz_gets_each_connector_with_its_state() {
        let text = dot(&told("rg2-a", answer(1, "DOWN", true)));
        assert!(
            text.contains(
                "\"RG2\" -> \"RG4\" [label=\"10 DOWN\", tooltip=\"RG2-RG4\", style=dashed]"
            ),
            "{text}"
        );
        assert!(
            text.contains("\"RG2\" -> \"RG1\" [label=\"10\", tooltip=\"RG2-RG1\", style=solid]"),
            "{text}"
        );
    }
}
