//! What people and other programs read after a run: a table, `summary.json`, JUnit. Everything here is
//! derived from the outcomes; `events.jsonl` is the source of truth.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::event::{Event, FORMAT};
use crate::log::Recorder;
use crate::runner::{Outcome, Plan, Results, SUITE, show};
use crate::verdict::{Exit, Level, Verdict};

/// The version of the format of `summary.json`.
const SUMMARY_FORMAT: u32 = 1;

type Counts = BTreeMap<(String, Level), BTreeMap<Verdict, u64>>;

fn count(outcomes: &[Outcome<'_>]) -> Counts {
    let mut counts = Counts::new();
    for outcome in outcomes {
        let kind = if outcome.case.is_vector { " vectors" } else { "" };
        let row = (format!("{}{kind}", outcome.case.protocol()), outcome.case.level);
        *counts.entry(row).or_default().entry(outcome.judgement.verdict).or_default() += 1;
    }
    counts
}

/// The table by protocol and level.
pub(crate) fn table(outcomes: &[Outcome<'_>]) -> String {
    let mut text = format!("{:<22} {:<7}", "protocol", "level");
    for verdict in Verdict::ALL {
        write!(text, " {:>14}", verdict.name()).expect("a string takes text");
    }
    text.push('\n');
    let counts = count(outcomes);
    let mut row = |name: &str, level: &str, cells: &BTreeMap<Verdict, u64>| {
        write!(text, "{name:<22} {level:<7}").expect("a string takes text");
        for verdict in Verdict::ALL {
            let cell = cells.get(&verdict).copied().unwrap_or(0);
            write!(text, " {cell:>14}").expect("a string takes text");
        }
        text.push('\n');
    };
    let mut sum: BTreeMap<Verdict, u64> = BTreeMap::new();
    for ((protocol, level), cells) in &counts {
        row(protocol, level.name(), cells);
        for (verdict, cell) in cells {
            *sum.entry(*verdict).or_default() += cell;
        }
    }
    row("all", "", &sum);
    text
}

/// `summary.json`.
pub(crate) fn summary(plan: &Plan<'_>, results: &Results<'_>, out_of_reach: usize) -> Value {
    let counts: Vec<Value> = count(&results.outcomes)
        .iter()
        .map(|((protocol, level), cells)| {
            let mut row = json!({"protocol": protocol, "level": level.name()});
            for verdict in Verdict::ALL {
                row[verdict.name()] = json!(cells.get(&verdict).copied().unwrap_or(0));
            }
            row
        })
        .collect();
    let cases: Vec<Value> = results
        .outcomes
        .iter()
        .map(|outcome| {
            json!({
                "id": outcome.case.id,
                "profile": outcome.case.profile,
                "level": outcome.case.level.name(),
                "verifies": outcome.case.verifies,
                "verdict": outcome.judgement.verdict.name(),
                "reason": outcome.judgement.reason,
                "took_us": outcome.took_us,
            })
        })
        .collect();
    json!({
        "format": SUMMARY_FORMAT,
        "suite": SUITE,
        "under_test": show(&plan.under_test),
        "hello": plan.hello,
        "seed": plan.seed,
        "exit": results.exit.code(),
        "unusable": results.unusable,
        "pending": results.pending,
        "out_of_reach": out_of_reach,
        "counts": counts,
        "cases": cases,
    })
}

/// JUnit: a failure is non-conformance, an error is everything that was not proved, and only what the
/// profile excludes is skipped.
pub(crate) fn junit(results: &Results<'_>) -> Result<String, String> {
    let mut report = Report::new("bridgehead-conformance");
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for outcome in &results.outcomes {
        let profile = outcome.case.profile;
        let mut test = TestCase::new(outcome.case.id.as_str(), status(outcome));
        test.set_classname(profile).set_time(Duration::from_micros(outcome.took_us));
        suites.entry(profile).or_insert_with(|| TestSuite::new(profile)).add_test_case(test);
    }
    report.add_test_suites(suites.into_values());
    report.to_string().map_err(|error| error.to_string())
}

fn status(outcome: &Outcome<'_>) -> TestCaseStatus {
    let judgement = &outcome.judgement;
    let message = format!("{}: {}", judgement.verdict.name(), judgement.reason);
    let mut status = match judgement.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::NotApplicable => TestCaseStatus::skipped(),
        Verdict::CouldNotRun | Verdict::SuiteError => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    status.set_message(message);
    status
}

/// The report of a run that could not even choose its cases. The exit code and the message stand by
/// themselves, so a directory that cannot be written adds nothing to them.
pub(crate) fn nothing_run(directory: &Path, under_test: &str, exit: Exit, problem: &str) {
    let opened = std::fs::create_dir_all(directory)
        .and_then(|()| Recorder::create(&directory.join("events.jsonl")));
    let Ok(recorder) = opened else { return };
    recorder.record(Event::RunStart {
        format: FORMAT,
        suite: SUITE.to_owned(),
        under_test: under_test.to_owned(),
        hello: Value::Null,
        seed: 0,
        timeout_factor: "1".to_owned(),
        strict: false,
        cases: Vec::new(),
    });
    recorder.record(Event::RunEnd { exit });
    let summary = json!({
        "format": SUMMARY_FORMAT, "suite": SUITE, "under_test": under_test, "exit": exit.code(),
        "unusable": problem, "pending": [], "counts": [], "cases": [],
    });
    let _ = std::fs::write(directory.join("summary.json"), format!("{summary:#}\n"));
}

/// Writes `summary.json` and `junit.xml` beside `events.jsonl`.
pub(crate) fn write(
    directory: &Path,
    plan: &Plan<'_>,
    results: &Results<'_>,
    out_of_reach: usize,
) -> Result<(), String> {
    let place = |name: &str| directory.join(name);
    let put = |name: &str, text: String| {
        std::fs::write(place(name), text)
            .map_err(|error| format!("{}: {error}", place(name).display()))
    };
    let summary = serde_json::to_string_pretty(&summary(plan, results, out_of_reach));
    put("summary.json", summary.map_err(|error| error.to_string())? + "\n")?;
    put("junit.xml", junit(results)?)
}
