//! What people and other programs read after a run: a table, `summary.json`, JUnit. Everything here is
//! derived from the outcomes; `events.jsonl` is the source of truth.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::case::Case;
use crate::event::Event;
use crate::html;
use crate::log::{self, Recorder};
use crate::runner::{Outcome, Plan, Results, SUITE, show};
use crate::security::Security;
use crate::verdict::{Exit, Level, Verdict};

/// The version of the format of `summary.json`.
const SUMMARY_FORMAT: u32 = 1;
/// The name of the record, from which everything else in a report is made.
pub(crate) const EVENTS: &str = "events.jsonl";
/// The name of the summary in a report.
pub(crate) const SUMMARY: &str = "summary.json";
/// The name of the JUnit file in a report.
pub(crate) const JUNIT: &str = "junit.xml";
/// The name of the page in a report.
pub(crate) const PAGE: &str = "report.html";

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

/// What the first record of a run says of it, as far as `summary.json` repeats it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// Target or adapter.
    pub(crate) under_test: &'a str,
    /// What the adapter said of itself.
    pub(crate) hello: &'a Value,
    /// Of the order.
    pub(crate) seed: u64,
    /// How members proved their names, where a case does not say it.
    pub(crate) security: Option<Security>,
}

/// `summary.json`.
pub(crate) fn summary(head: Head<'_>, results: &Results<'_>, out_of_reach: u64) -> Value {
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
                "title": outcome.case.title,
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
        "under_test": head.under_test,
        "hello": head.hello,
        "seed": head.seed,
        "security": head.security,
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
    let (case, judgement) = (outcome.case, &outcome.judgement);
    let message = format!("{}: {}", judgement.verdict.name(), judgement.reason);
    let mut status = match judgement.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::NotApplicable => TestCaseStatus::skipped(),
        Verdict::CouldNotRun | Verdict::SuiteError => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    let mut text = format!("{}\nverifies {}", case.title, case.verifies.join(" "));
    let failed = judgement.checks.iter().filter(|(_, finding)| !finding.holds);
    for (check, finding) in failed {
        write!(text, "\n{check}: {}", finding.because).expect("a string takes text");
    }
    status.set_message(message).set_description(text);
    status
}

/// Opens a report: the directory is there, and nothing in it speaks of an earlier run.
pub(crate) fn open(directory: &Path) -> std::io::Result<Recorder> {
    std::fs::create_dir_all(directory)?;
    let recorder = Recorder::create(&directory.join(EVENTS))?;
    for stale in [SUMMARY, JUNIT, PAGE] {
        match std::fs::remove_file(directory.join(stale)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(recorder)
}

/// The report of a run that could not even choose what to run, or against what.
pub(crate) fn nothing_run(
    directory: &Path,
    recorder: &Recorder,
    start: Event,
    exit: Exit,
    problem: &str,
) -> Result<(), String> {
    let results = Results {
        outcomes: Vec::new(),
        exit,
        unusable: Some(problem.to_owned()),
        pending: Vec::new(),
    };
    let Event::RunStart { under_test, hello, seed, security, .. } = &start else {
        return Err("a report begins with a run_start".into());
    };
    let head = Head { under_test, hello, seed: *seed, security: *security };
    let written = put(directory, head, &results, 0);
    recorder.record(start);
    recorder.record(Event::RunEnd { exit });
    written
}

/// Writes `summary.json`, `junit.xml` and `report.html` beside `events.jsonl`. `known` are the cases of
/// this suite.
pub(crate) fn write(
    directory: &Path,
    plan: &Plan<'_>,
    results: &Results<'_>,
    out_of_reach: usize,
    known: &[Case],
) -> Result<(), String> {
    let page = directory.join(PAGE);
    let wrong = |error: std::io::Error| format!("{}: {error}", page.display());
    let events = std::fs::read(directory.join(EVENTS)).map_err(wrong)?;
    let records = log::read(&events).map_err(|error| format!("{EVENTS}: {error}"))?;
    std::fs::write(&page, html::page(&records, known)).map_err(wrong)?;
    let under_test = show(&plan.under_test);
    let (hello, seed, security) = (&plan.hello, plan.seed, plan.security);
    let head = Head { under_test: &under_test, hello, seed, security };
    put(directory, head, results, out_of_reach as u64)
}

fn put(
    directory: &Path,
    head: Head<'_>,
    results: &Results<'_>,
    out_of_reach: u64,
) -> Result<(), String> {
    let put = |name: &str, text: String| {
        let place = directory.join(name);
        std::fs::write(&place, text).map_err(|error| format!("{}: {error}", place.display()))
    };
    put(SUMMARY, summary_text(&summary(head, results, out_of_reach)))?;
    put(JUNIT, junit(results)?)
}

/// The text of `summary.json`.
pub(crate) fn summary_text(summary: &Value) -> String {
    format!("{summary:#}\n")
}
