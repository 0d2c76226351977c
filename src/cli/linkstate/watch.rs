//! `linkstate watch`: a line for each change of a table. The admin sockets are asked again and again; that
//! costs the members an answer each time, and needs nothing new of them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};

use super::told::{Detail, Newer, Told, differences};
use super::{failed, refused};
use crate::cli::table::plain;
use crate::cli::whom::Whom;

/// What to watch.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    whom: Whom,
    /// End after so many changes
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Seconds from one look to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    interval: f64,
}

/// One change at one member.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    member: String,
    group: String,
    version: String,
    /// The connector or member, or a dash.
    of: String,
    what: String,
}

fn interval(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
    if (0.05..=3_600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("`{text}` seconds, expected 0.05 to 3600"))
    }
}

/// What is known of one member.
#[derive(Default)]
struct Seen {
    /// What it said last.
    last: Option<Told>,
    /// Whether it answered the last time.
    answers: bool,
}

/// Watches until enough changes are seen, or for ever.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut left = arguments.count.unwrap_or(u64::MAX);
    let mut known: BTreeMap<String, Seen> = BTreeMap::new();
    while left > 0 {
        let now = match look(&arguments.whom) {
            Ok(now) => now,
            Err(problem) => return refused(&problem),
        };
        if known.is_empty() {
            let answering = now.values().flatten().count();
            if answering == 0 {
                return failed("nobody answers");
            }
            complain!("watching {answering} of {}; Ctrl-C ends it", now.len());
        }
        for (name, new) in now {
            // Who is looked at for the first time has not changed.
            let changes = known.get(&name).map(|old| changes(&name, old, new.as_ref()));
            for change in changes.unwrap_or_default() {
                if left == 0 {
                    return ExitCode::SUCCESS;
                }
                left -= 1;
                print(&arguments.whom, &change);
            }
            let seen = known.entry(name).or_default();
            seen.answers = new.is_some();
            seen.last = new.or_else(|| seen.last.take());
        }
        if left > 0 {
            sleep(Duration::from_secs_f64(arguments.interval));
        }
    }
    ExitCode::SUCCESS
}

/// What everybody says now; nothing of those that do not answer.
fn look(whom: &Whom) -> Result<BTreeMap<String, Option<Told>>, String> {
    let mut answers = whom.ask(|_| Some(json!({"op": "linkstate"})))?;
    let names = whom.names()?.into_iter();
    Ok(names
        .map(|name| {
            let answer = answers.members.get_mut(&name).map(Value::take);
            let told = answer.map(|answer| Told { name: name.clone(), answer });
            (name, told)
        })
        .collect())
}

fn changes(member: &str, old: &Seen, new: Option<&Told>) -> Vec<Change> {
    let bare = |what: &str| Change {
        member: member.into(),
        group: "-".into(),
        version: "-".into(),
        of: "-".into(),
        what: what.into(),
    };
    let mut changes = Vec::new();
    match (old.answers, new) {
        (true, None) => changes.push(bare("no answer")),
        (false, Some(_)) => changes.push(bare("answers again")),
        _ => {}
    }
    // What has changed while it was away is told with its return.
    if let (Some(last), Some(new)) = (&old.last, new) {
        changes.extend(in_the_table(member, last, new));
        changes.extend(in_judgement(member, last, new));
    }
    changes
}

fn in_the_table(member: &str, old: &Told, new: &Told) -> Vec<Change> {
    let mut changes = Vec::new();
    for difference in differences(old, new) {
        let [before, after] = difference.versions;
        let change = |of: &str, what: String| Change {
            member: member.into(),
            group: difference.group.clone(),
            version: after.clone().or_else(|| before.clone()).unwrap_or_default(),
            of: of.into(),
            what,
        };
        match difference.newer {
            Newer::OnlyFirst => changes.push(change("-", "record is gone".into())),
            Newer::OnlySecond => changes.push(change("-", "new record".into())),
            _ if difference.details.is_empty() => {
                changes.push(change("-", "new version, same content".into()));
            }
            _ => changes.extend(difference.details.iter().map(|d| change(&d.of, words(d)))),
        }
    }
    changes
}

/// A state is shown as it is; other fields have their names.
fn words(detail: &Detail) -> String {
    let (before, after) = (plain(&detail.first), plain(&detail.second));
    match detail.field.as_str() {
        "state" => format!("{before} -> {after}"),
        "" => format!("{} -> {}", present(&detail.first), present(&detail.second)),
        field => format!("{field} {before} -> {after}"),
    }
}

fn present(value: &Value) -> &'static str {
    if value.is_null() { "none" } else { "configured" }
}

/// What a bridgehead thinks of its own connectors changes without a change of the table, too.
fn in_judgement(member: &str, old: &Told, new: &Told) -> Vec<Change> {
    let before = old.judgements();
    let judged = new.judgements().into_iter().filter_map(|(connector, after)| {
        let before = before.get(&connector).filter(|before| **before != after)?;
        Some(Change {
            member: member.into(),
            group: "-".into(),
            version: "-".into(),
            of: connector.to_string(),
            what: format!("judged {before} -> {after}"),
        })
    });
    judged.collect()
}

fn print(whom: &Whom, change: &Change) {
    let Change { member, group, version, of, what } = change;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if whom.json {
        let time_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        say!(
            "{}",
            json!({"time_ms": time_ms, "member": member, "group": group, "version": version, "of": of, "change": what})
        );
    } else {
        let time = clock(since_epoch);
        say!("{time}  {member:<12}  {group:<10}  {version:<10}  {of:<16}  {what}");
    }
}

/// The time of the day.
fn clock(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{:03}", since_epoch.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::super::told::tests::{answer, told};
    use super::*;

    fn lines(old: Option<&Told>, new: Option<&Told>) -> Vec<String> {
        lines_of(&Seen { last: old.cloned(), answers: old.is_some() }, new)
    }

    fn lines_of(old: &Seen, new: Option<&Told>) -> Vec<String> {
        let line =
            |c: Change| format!("{} {} {} {} {}", c.member, c.group, c.version, c.of, c.what);
        changes("m", old, new).into_iter().map(line).collect()
    }

    #[test]
    fn each_change_is_a_line() {
        let (old, new) = (told("m", answer(0, "UP", true)), told("m", answer(1, "DOWN", false)));
        assert_eq!(
            lines(Some(&old), Some(&new)),
            ["m RG2 1.1.1.0 rg2-a attached true -> false", "m RG2 1.1.1.0 RG2-RG4 UP -> DOWN"]
        );
        assert_eq!(lines(Some(&new), Some(&new)), Vec::<String>::new());
        let refreshed = told("m", answer(2, "DOWN", false));
        assert_eq!(
            lines(Some(&new), Some(&refreshed)),
            ["m RG2 1.1.2.0 - new version, same content"]
        );
        assert_eq!(lines(Some(&old), None), ["m - - - no answer"]);
        assert_eq!(lines(None, Some(&old)), ["m - - - answers again"]);
        let away = Seen { last: Some(old), answers: false };
        assert_eq!(lines_of(&away, None), Vec::<String>::new());
        assert_eq!(lines_of(&away, Some(&new)).len(), 3, "what changed meanwhile, too");
    }

    #[test]
    fn what_a_bridgehead_thinks_is_a_change_of_its_own() {
        let judged = |judgement: &str| {
            let mut answer = answer(0, "UP", true);
            answer["rows"] = json!([{"connector": {"name": "RG2-RG4", "judgement": judgement}}]);
            told("m", answer)
        };
        let (up, retry) = (judged("up"), judged("retry"));
        assert_eq!(lines(Some(&up), Some(&retry)), ["m - - RG2-RG4 judged up -> retry"]);
    }

    #[test]
    fn times_are_those_of_the_day() {
        assert_eq!(clock(Duration::from_millis(86_400_000 + 3_723_045)), "01:02:03.045");
    }
}
