//! The suite proves itself on broken servers: each planted bug of the reference that a case claims to
//! kill fails that case, by the check that the case names. That the same case passes without the bug is seen where the
//! gate runs all cases against the reference, and once more in `.ci/long`.

#![cfg(feature = "conformance")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;

/// The program under test, which is the suite as well.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bridgehead");
/// How many runs there are at a time: some of the time of a run is waiting.
const WORKERS: usize = 4;
/// In how many parts all the cases are run without a fault.
const PARTS: usize = 4;
/// The least number of mutants that the suite must kill.
const LEAST: usize = 105;

fn conformance(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("conformance").args(arguments).output().expect("the suite starts")
}

/// Kills that take days of virtual time of many members, by mutants that others kill as well: `.ci/long`
/// runs them.
const LONG: [(&str, &str); 2] =
    [("expiry-at-49h", "link.walk.several.02"), ("no-delay-notice", "link.probe.48h.01")];

/// A case that kills mutants.
struct Killer {
    id: String,
    /// Each mutant, and the check by which it dies.
    kills: Vec<(String, String)>,
    /// The case that shows that its passes are worth something.
    twin: Option<String>,
}

/// All cases that kill mutants.
fn killers() -> Vec<Killer> {
    let listed = conformance(&["list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("the list is JSON");
    let cases = listed.as_array().or_else(|| listed["cases"].as_array()).expect("cases");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let killers = cases.iter().map(|case| {
        let kills = case["kills"].as_array().expect("a list");
        let kills = kills.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        Killer { id: text(&case["id"]), kills, twin: case["twin"].as_str().map(str::to_owned) }
    });
    killers.filter(|killer| !killer.kills.is_empty()).collect()
}

/// Runs against the reference; the exit.
fn run(chosen: &[&str], adapter: &[&str], report: &Path) -> Option<i32> {
    let report = report.to_str().expect("a path in plain text");
    let run = ["run", "-o", report];
    conformance(&[&run[..], chosen, &["--", PROGRAM, "adapter"], adapter].concat()).status.code()
}

/// Every one of these cases passes where no bug is planted.
fn pass(killers: &[&Killer], report: &Path) {
    let chosen: Vec<&str> = killers.iter().flat_map(|killer| ["--only", &killer.id]).collect();
    assert_eq!(run(&chosen, &[], report), Some(0), "all pass without a fault: {chosen:?}");
}

/// One mutant must fail each case that claims it, by the check that the case names. What a failure is
/// worth does not hang on the twin, so that those that kill nothing stay out.
fn is_killed(mutant: &str, killers: &[(&Killer, &str)], directory: &Path) {
    let report = directory.join(mutant);
    let is_killer = |id: &&str| killers.iter().any(|(killer, _)| killer.id == *id);
    let only = killers.iter().flat_map(|(killer, _)| ["--only", &killer.id]);
    let twins = killers.iter().filter_map(|(killer, _)| killer.twin.as_deref());
    let skip = twins.filter(|twin| !is_killer(twin)).flat_map(|twin| ["--skip", twin]);
    let chosen: Vec<&str> = only.chain(skip).collect();
    assert_eq!(run(&chosen, &["--fault", mutant], &report), Some(1), "{mutant}: {chosen:?}");
    for (Killer { id, .. }, check) in killers {
        let failed = failed_checks(&report, id);
        assert!(failed.contains(*check), "{mutant}: {id} failed by {failed:?}, not {check}");
        println!("{mutant:32} killed by {id} [{check}]");
    }
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

/// The mutants, each with its killers and their checks: of the long ones, or of the others.
fn mutants(killers: &[Killer], long: bool) -> BTreeMap<&str, Vec<(&Killer, &str)>> {
    let mut mutants: BTreeMap<&str, Vec<(&Killer, &str)>> = BTreeMap::new();
    for killer in killers {
        for (mutant, check) in &killer.kills {
            if LONG.contains(&(mutant, &killer.id)) == long {
                mutants.entry(mutant).or_default().push((killer, check));
            }
        }
    }
    mutants
}

#[test]
fn each_mutant_is_killed_by_the_named_check() {
    let killers = killers();
    let mutants = mutants(&killers, false);
    assert!(mutants.len() >= LEAST, "only {} mutants: {:?}", mutants.len(), mutants.keys());
    kill(&mutants);
}

#[test]
#[ignore = "two days of virtual time, twice over; .ci/long runs it"]
fn long_kills_happen_too() {
    let killers = killers();
    let mutants = mutants(&killers, true);
    assert_eq!(mutants.len(), LONG.len(), "each of them is claimed");
    kill(&mutants);
}

#[test]
#[ignore = "the gate runs every case without a fault in a release build; .ci/long runs it"]
fn long_the_killers_pass_without_a_fault() {
    let killers = killers();
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let parts = (0..PARTS).map(|part| -> Box<dyn FnOnce() + Send> {
        let part_of_all: Vec<_> = killers.iter().skip(part).step_by(PARTS).collect();
        let report = directory.join(format!("sound.{part}"));
        Box::new(move || pass(&part_of_all, &report))
    });
    share_out(parts.collect());
}

/// Each mutant fails its killers.
fn kill(mutants: &BTreeMap<&str, Vec<(&Killer, &str)>>) {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let each = mutants.iter().map(|(mutant, killers)| -> Box<dyn FnOnce() + Send> {
        Box::new(move || is_killed(mutant, killers, directory))
    });
    share_out(each.collect());
}

/// Does pieces of work at the same time.
fn share_out(work: Vec<Box<dyn FnOnce() + Send + '_>>) {
    let work = Mutex::new(work.into_iter());
    let next = || work.lock().expect("nobody fails while it takes work").next();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(piece) = next() {
                    piece();
                }
            });
        }
    });
}
