//! `linkstate show`: asks the members and prints what they say.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::table::{field, items, plain, row, table};
use super::whom::Whom;

/// Asks each member; those that do not answer are named, and the exit code tells.
pub(super) fn run(whom: &Whom) -> ExitCode {
    whom.print(whom.ask(|_| Some(json!({"op": "linkstate"}))), linkstate, |_| None)
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
}
