//! Golden scenarios: each file of `tests/golden` holds a script and the trace that it must give.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes the traces; what changed is then read and reviewed
//! like code. The expectations in the scripts are written by hand and are never rewritten.

use core::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use bridgehead::protocol::organization::Organization;
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::script;

fn organization() -> Organization {
    organization_of("")
}

/// The organization that the first line of a scenario names, or the five groups.
fn organization_of(scenario: &str) -> Organization {
    let named = scenario.lines().next().and_then(|line| line.strip_prefix("# organization: "));
    let path = named.unwrap_or("examples/five-groups.toml");
    load_organization(Path::new(path)).expect("the example is right")
}

fn scenarios() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir("tests/golden")
        .expect("the scenarios lie beside this file")
        .map(|entry| entry.expect("a directory is readable").path())
        .collect();
    files.sort();
    files
}

/// Where two texts part, with some lines of both.
fn difference(expected: &str, given: &str) -> String {
    const SHOWN: usize = 8;
    let common = expected.lines().zip(given.lines()).take_while(|(a, b)| a == b).count();
    let mut text = format!("line {}:\n", common + 1);
    for (sign, side) in [('-', expected), ('+', given)] {
        for line in side.lines().skip(common).take(SHOWN) {
            writeln!(text, "{sign} {line}").expect("a string takes text");
        }
    }
    text
}

#[test]
fn every_scenario_gives_its_trace() {
    let is_update = env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let files = scenarios();
    assert!(files.len() >= 7, "the scenarios are there");
    let mut failures = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a scenario is readable");
        match script::run(&text, organization_of(&text)) {
            Err(problem) => failures.push(format!("{}: {problem}", file.display())),
            Ok(given) if given == text => {}
            Ok(given) if is_update => fs::write(&file, given).expect("a scenario is writable"),
            Ok(given) => {
                failures.push(format!("{}: {}", file.display(), difference(&text, &given)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// A scenario can fail: an expectation that is not met is an error that names it.
#[test]
fn a_wrong_expectation_fails() {
    let text = "boot all\n----\n\nexpect-files eva@example.test 1\n----\n\n";
    let problem = script::run(text, organization()).expect_err("nothing was sent");
    assert!(problem.starts_with("`expect-files eva@example.test 1`: there are 0"), "{problem}");
}

/// A scenario runs the same way twice, and its trace is part of the file.
#[test]
fn a_scenario_is_deterministic_and_complete() {
    let text = fs::read_to_string(&scenarios()[0]).expect("a scenario is readable");
    let first = script::run(&text, organization()).expect("it runs");
    let second = script::run(&first, organization()).expect("it runs");
    assert_eq!(first, second);
    assert!(first.lines().filter(|line| line.contains("X-SUBMIT COMMIT")).count() >= 3);
}

/// Words that are no command are refused.
#[test]
fn an_unknown_command_is_refused() {
    let problem = script::run("fly rg1-a\n----\n\n", organization()).expect_err("no such verb");
    assert_eq!(problem, "`fly rg1-a`: no such command");
}
