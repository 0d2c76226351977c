//! `linkstate show`: asks the members and prints what they say.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::told::{Told, differences, short};
use crate::cli::table::{count, field, items, plain, row, table};
use crate::cli::whom::{Closing, Whom};

/// Asks each member; those that do not answer are named, and the exit code tells.
pub(super) fn run(whom: &Whom) -> ExitCode {
    let answers = whom.ask(|_| Some(json!({"op": "linkstate"})));
    whom.print_all(answers, linkstate, |members| Some(agreement(members)), |_| None)
}

/// One line for each connector that the table knows, as WinRoute showed it. What a member does not tell (its
/// age, whether it is stale, the penalty) is a dash.
fn linkstate(answer: &Value) -> String {
    let mut rows = vec![row([
        &"GROUP",
        &"VERSION",
        &"DIGEST",
        &"ATTACHED",
        &"AGE",
        &"STALE",
        &"CONNECTOR",
        &"TO",
        &"COST",
        &"STATE",
        &"HERE",
        &"PENALTY",
        &"UNAVAILABLE",
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
            &attached(answer, field(line, "group")),
            &field(line, "age_s").as_u64().map_or_else(|| "-".into(), age),
            &if field(line, "stale") == true { "stale" } else { "-" },
            &plain(field(connector, "name")),
            &plain(field(connector, "to")),
            &cost,
            &state,
            &plain(field(connector, "judgement")),
            &plain(field(connector, "penalty")),
            &plain(field(connector, "unavailable")),
        ]));
    }
    let shown = if rows.len() == 1 { "no record yet\n".into() } else { table(&rows) };
    shown + &exits(answer)
}

/// The ways out of the organization, where there are any.
fn exits(answer: &Value) -> String {
    let mut rows =
        vec![row([&"GROUP", &"EXIT", &"SCOPE", &"COST", &"SPACES", &"SOURCES", &"RESTRICTED"])];
    for record in items(answer, "records") {
        for exit in items(record, "exits") {
            let scope = exit.get("scope").map_or_else(|| "organization".into(), plain);
            rows.push(row([
                &plain(field(record, "group")),
                &plain(field(exit, "name")),
                &scope,
                &plain(field(exit, "cost")),
                &plain(field(exit, "spaces")),
                &plain(field(exit, "sources")),
                &if exit.get("restrictions").is_some() { "yes" } else { "-" },
            ]));
        }
    }
    if rows.len() == 1 { String::new() } else { format!("\n{}", table(&rows)) }
}

/// How many members of the own group are attached to their master, of how many, as far as the member that was
/// asked knows. Of other groups nobody is told.
fn attached(answer: &Value, group: &Value) -> String {
    let members = items(answer, "attached");
    if field(answer, "group") != group || members.is_empty() {
        return "-".into();
    }
    let attached = members.iter().filter(|row| field(row, "attached") == true).count();
    format!("{attached}/{}", members.len())
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Which members have the same table: a line for each such set, the largest first; and in which records the
/// others differ from that one.
fn agreement(members: &Map<String, Value>) -> Closing {
    let told: Vec<Told> = members
        .iter()
        .map(|(name, answer)| Told { name: name.clone(), answer: answer.clone() })
        .collect();
    let mut sets: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for one in &told {
        sets.entry(one.digest()).or_default().push(one);
    }
    let mut sets: Vec<(&str, Vec<&Told>)> = sets.into_iter().collect();
    sets.sort_by_key(|(_, members)| core::cmp::Reverse(members.len()));
    let names = |members: &[&Told]| members.iter().map(|m| m.name.clone()).collect::<Vec<_>>();
    let json =
        sets.iter().map(|(digest, members)| json!({"digest": digest, "members": names(members)}));
    let json = json.collect();
    let text = match &sets[..] {
        [] => String::new(),
        [(digest, members)] if members.len() == 1 => format!("table {}\n", short(digest)),
        [(digest, members)] => {
            format!("all {} have table {}\n", count(members.len(), "member"), short(digest))
        }
        [(_, most), ..] => sets
            .iter()
            .map(|(digest, members)| {
                let differing = differences(most[0], members[0]);
                let differing: Vec<String> = differing
                    .iter()
                    .map(|d| {
                        let version =
                            |v: &Option<String>| v.clone().unwrap_or_else(|| "none".into());
                        let [first, second] = &d.versions;
                        format!("{} {} instead of {}", d.group, version(second), version(first))
                    })
                    .collect();
                let differing = differing.join(", ");
                let differing =
                    if differing.is_empty() { differing } else { format!(": {differing}") };
                format!("table {}  {}{differing}\n", short(digest), names(members).join(", "))
            })
            .collect(),
    };
    Closing { name: "tables", json, text }
}

#[cfg(test)]
mod tests {
    use super::super::told::tests::answer;
    use super::*;
    use serde_json::json;

    /// The words of each line.
    fn words(shown: &str) -> Vec<Vec<&str>> {
        shown.lines().map(|line| line.split_whitespace().collect()).collect()
    }

    #[test]
    fn the_table_shows_each_connector_and_its_state() {
        let line = |connector: Value| json!({"group": "RG2", "version": "1.1.3.0", "digest": "00c0ffee", "connector": connector});
        let connector = |state: &str, judgement: Value| json!({"name": "RG2-RG4", "to": "RG4", "cost": 10, "state": state, "judgement": judgement});
        let down = connector("DOWN", json!("down"));
        let up = connector("UP", Value::Null);
        let shown = linkstate(&json!({"rows": [line(down), line(up), line(Value::Null)]}));
        let lines = words(&shown);
        assert_eq!(lines[0][0], "GROUP");
        let start = ["RG2", "1.1.3.0", "00c0ffee", "-", "-", "-"];
        assert_eq!(
            lines[1],
            [&start[..], &["RG2-RG4", "RG4", "infinite", "(10)", "DOWN", "down", "-", "-"]]
                .concat()
        );
        assert_eq!(lines[2], [&start[..], &["RG2-RG4", "RG4", "10", "UP", "-", "-", "-"]].concat());
        assert_eq!(lines[3], [&start[..], &["-"; 7]].concat());
        assert_eq!(linkstate(&json!({"rows": []})), "no record yet\n");
    }

    #[test]
    fn age_penalty_and_who_is_attached_are_shown_where_they_are_told() {
        let mut told = answer(1, "UP", false);
        told["group"] = json!("RG2");
        told["attached"] = json!([
            {"member": "rg2-a", "attached": true},
            {"member": "rg2-c", "attached": false},
        ]);
        told["rows"] = json!([{
            "group": "RG2", "version": "1.1.1.0", "digest": "00c0ffee", "age_s": 200, "stale": true,
            "connector": {"name": "RG2-RG4", "to": "RG4", "cost": 10, "state": "UP", "judgement": "up", "penalty": 1000,
                "unavailable": ["rg2-b", "rg2-c"]},
        }]);
        let shown = linkstate(&told);
        let lines = words(&shown);
        assert_eq!(lines[1][3..6], ["1/2", "3m", "stale"]);
        assert_eq!(lines[1][11..], ["1000", "rg2-b,rg2-c"]);
        assert_eq!([119, 7_199, 7_200, 172_800].map(age), ["119s", "119m", "2h", "2d"]);
    }

    #[test]
    fn exits_stand_below_the_connectors() {
        let told = json!({"rows": [], "records": [{"group": "RG5", "exits": [
            {"name": "out", "spaces": ["*.org", "net"], "cost": 9, "sources": ["rg5-a", "rg5-b"]},
            {"name": "own", "spaces": ["*"], "cost": 1, "sources": ["rg5-b"], "scope": "group",
             "restrictions": {"size_limit_octets": 1}},
        ]}]});
        let shown = linkstate(&told);
        let lines = words(&shown);
        assert_eq!(lines[2][..2], ["GROUP", "EXIT"]);
        assert_eq!(lines[3], ["RG5", "out", "organization", "9", "*.org,net", "rg5-a,rg5-b", "-"]);
        assert_eq!(lines[4], ["RG5", "own", "group", "1", "*", "rg5-b", "yes"]);
    }

    #[test]
    fn members_with_the_same_table_stand_in_one_line() {
        let (old, new) = (answer(0, "UP", true), answer(1, "DOWN", true));
        let members: Map<String, Value> = [("a", &new), ("b", &old), ("c", &new)]
            .map(|(name, answer)| (String::from(name), answer.clone()))
            .into_iter()
            .collect();
        let closing = agreement(&members);
        assert_eq!(
            closing.text.lines().collect::<Vec<_>>(),
            ["table 00000000  a, c", "table 00000000  b: RG2 1.1.0.0 instead of 1.1.1.0"]
        );
        assert_eq!(closing.json[0]["members"], json!(["a", "c"]));
        let same: Map<String, Value> =
            members.into_iter().filter(|(name, _)| name != "b").collect();
        assert_eq!(agreement(&same).text, "all 2 members have table 00000000\n");
    }
}
