//! `linkstate diff`: of two tables, which records are newer where, and what differs in them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::told::{Difference, Newer, Told, differences, inconsistency, short};
use crate::cli::admin::{ADMIN_FORMAT, ask};
use crate::cli::cluster::{DIRECTORY, Plan};
use crate::cli::table::{count, plain};
use crate::cli::{EXIT_FAILED, refused};

/// What is compared.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// A member, or a file of `linkstate export`
    #[arg(value_name = "A")]
    first: String,
    /// Another one
    #[arg(value_name = "B")]
    second: String,
    /// The directory of the cluster
    #[arg(long, value_name = "DIR", default_value = DIRECTORY)]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Compares. As `diff` has it, 1 says that they differ and 2 that nobody knows.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let both = told(&arguments.dir, &arguments.first)
        .and_then(|first| Ok((first, told(&arguments.dir, &arguments.second)?)));
    let (first, second) = match both {
        Ok(both) => both,
        Err(problem) => return refused(&problem),
    };
    let found = differences(&first, &second);
    let problem = inconsistency(&first, &second).filter(|_| found.is_empty());
    let is_equal = found.is_empty() && problem.is_none();
    if arguments.json {
        let differences: Vec<Value> = found.iter().map(as_json).collect();
        let mut told =
            json!({"format": ADMIN_FORMAT, "equal": is_equal, "differences": differences});
        if let Some(problem) = &problem {
            told["problem"] = json!(problem);
        }
        say!("{told}");
    } else if let Some(problem) = problem {
        say!("{problem}");
    } else {
        say!("{}", words(&first, &second, &found).trim_end());
    }
    if is_equal { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) }
}

/// The table of a file, if there is one of that name, or of a member of the cluster.
fn told(cluster: &Path, name: &str) -> Result<Told, String> {
    let path = Path::new(name);
    if path.is_file() {
        return Told::read(path);
    }
    let plan = Plan::read(cluster)
        .map_err(|problem| format!("`{name}` is no file, and there is no cluster: {problem}"))?;
    let member = plan.members.iter().find(|member| member.name.as_str() == name);
    let Some(member) = member else {
        return Err(format!("`{name}` is neither a file nor a member of the cluster"));
    };
    let answer = ask(&member.admin_socket(cluster), "linkstate")
        .map_err(|problem| format!("{name}: {problem}"))?;
    Ok(Told { name: name.into(), answer })
}

fn words(first: &Told, second: &Told, found: &[Difference]) -> String {
    if found.is_empty() {
        let records = first.records().map_or(0, |records| records.len());
        return format!("equal: {}, table {}\n", count(records, "record"), short(first.digest()));
    }
    let version = |place: usize, d: &Difference| d.versions[place].clone().unwrap_or_default();
    let mut text = String::new();
    for difference in found {
        let group = &difference.group;
        let (one, two) = (version(0, difference), version(1, difference));
        let (a, b) = (&first.name, &second.name);
        text.push_str(&match difference.newer {
            Newer::First => format!("{group}: newer in {a}, {one} and not {two}\n"),
            Newer::Second => format!("{group}: newer in {b}, {two} and not {one}\n"),
            Newer::OnlyFirst => format!("{group}: only in {a}, {one}\n"),
            Newer::OnlySecond => format!("{group}: only in {b}, {two}\n"),
            Newer::Neither => format!("{group}: conflict, {one} with two contents\n"),
        });
        for detail in &difference.details {
            let what = format!("{} {}", detail.of, detail.field);
            let (one, two) = (plain(&detail.first), plain(&detail.second));
            text.push_str(&format!("  {}: {one} in {a}, {two} in {b}\n", what.trim()));
        }
    }
    text
}

fn as_json(difference: &Difference) -> Value {
    let details = difference.details.iter().map(|detail| {
        json!({"of": detail.of, "field": detail.field, "first": detail.first, "second": detail.second})
    });
    json!({
        "group": difference.group, "uuid": difference.uuid, "newer": difference.newer.as_str(),
        "versions": difference.versions, "details": details.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::told::tests::{answer, told};
    use super::*;

    #[test]
    fn the_words_say_what_is_newer_where() {
        let (old, new) = (told("x", answer(0, "UP", true)), told("y", answer(1, "DOWN", true)));
        let text = words(&old, &new, &differences(&old, &new));
        assert_eq!(
            text,
            "RG2: newer in y, 1.1.1.0 and not 1.1.0.0\n  RG2-RG4 state: UP in x, DOWN in y\n"
        );
        assert_eq!(words(&old, &old, &[]), "equal: 1 record, table 00000000\n");
    }
}
