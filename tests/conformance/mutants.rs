//! The suite proves itself on broken servers: each planted bug of the reference that a case claims to
//! kill fails that case, by the check that the case names, and the same case passes without the bug.

#![cfg(feature = "conformance")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The program under test, which is the suite as well.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bridgehead");
/// How many runs there are at a time.
const WORKERS: usize = 4;
/// The least number of mutants that the suite must kill.
const LEAST: usize = 59;

fn conformance(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("conformance").args(arguments).output().expect("the suite starts")
}

/// Case by case: which mutants it kills, and by which check.
fn kills() -> BTreeMap<String, Vec<(String, String)>> {
    let listed = conformance(&["list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("the list is JSON");
    let cases = listed.as_array().or_else(|| listed["cases"].as_array()).expect("cases");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let killing = cases.iter().map(|case| {
        let kills = case["kills"].as_array().expect("a list");
        let pairs = kills.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        (text(&case["id"]), pairs)
    });
    killing.filter(|(_, pairs): &(String, Vec<_>)| !pairs.is_empty()).collect()
}

/// Runs cases against the reference with a fault, or without one.
fn run(cases: &[&str], fault: Option<&str>, report: &Path) -> Option<i32> {
    let report = report.to_str().expect("a path in plain text");
    let mut arguments = vec!["run", "-o", report];
    arguments.extend(cases.iter().flat_map(|case| ["--only", case]));
    arguments.extend(["--", PROGRAM, "adapter"]);
    if let Some(fault) = fault {
        arguments.extend(["--fault", fault]);
    }
    conformance(&arguments).status.code()
}

/// One mutant must fail one case by the check that it names.
fn is_killed(case: &str, (mutant, check): &(String, String), directory: &Path) {
    let report = directory.join(format!("{case}.{mutant}"));
    assert_eq!(run(&[case], Some(mutant), &report), Some(1), "{case} fails on {mutant}");
    let failed = failed_checks(&report, case);
    assert!(failed.contains(check), "{mutant}: {case} failed by {failed:?}, not {check}");
    println!("{mutant:32} killed by {case} [{check}]");
}

/// The checks of one case that did not hold although they were reached; its twins are not asked.
fn failed_checks(report: &Path, case: &str) -> BTreeSet<String> {
    let events = fs::read_to_string(report.join("events.jsonl")).expect("a record");
    let lines = events.lines().map(|line| -> Value {
        serde_json::from_str::<Value>(line).expect("a line of JSON")["line"].take()
    });
    let own = lines
        .skip_while(|line| line["event"] != "case-start" || line["case"] != case)
        .take_while(|line| line["event"] != "case-end");
    let failed = own.filter(|line| {
        line["event"] == "check" && line["holds"] == false && line["because"] != "was not reached"
    });
    failed.map(|line| line["check"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn each_mutant_is_killed_by_the_named_check() {
    let kills = kills();
    let mutants: BTreeSet<&str> =
        kills.values().flatten().map(|(mutant, _)| mutant.as_str()).collect();
    assert!(mutants.len() >= LEAST, "only {} mutants: {mutants:?}", mutants.len());
    let directory = tempfile::tempdir().expect("a directory");
    let cases: Vec<&str> = kills.keys().map(String::as_str).collect();
    let sound = run(&cases, None, &directory.path().join("sound"));
    assert_eq!(sound, Some(0), "all of them pass without a fault");
    let pairs: Vec<_> =
        kills.iter().flat_map(|(case, pairs)| pairs.iter().map(move |pair| (case, pair))).collect();
    // Most of the time of a run is waiting.
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let share = pairs.iter().skip(worker).step_by(WORKERS);
            let directory = directory.path();
            scope.spawn(move || share.for_each(|(case, pair)| is_killed(case, pair, directory)));
        }
    });
}
