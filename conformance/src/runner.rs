//! Runs the chosen cases one after the other and records everything.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use std::ffi::{OsStr, OsString};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::case::{Case, Judgement};
use crate::clock::Patience;
use crate::event::{Event, FORMAT, Record, Stop};
use crate::log::Recorder;
use crate::parameters::Parameters;
use crate::security::Security;
use crate::stage::{Stage, UnderTest};
use crate::twin;
use crate::verdict::{Exit, Verdict};

/// The version of the suite, as reports carry it.
pub(crate) const SUITE: &str = env!("CARGO_PKG_VERSION");

/// What a run is asked to do.
pub(crate) struct Plan<'a> {
    /// The cases, in order.
    pub(crate) cases: Vec<&'a Case>,
    /// Against what.
    pub(crate) under_test: UnderTest,
    /// How members prove their names, where a case does not say it; nothing for a bare target.
    pub(crate) security: Option<Security>,
    /// What the adapter said of itself, if there is one.
    pub(crate) hello: Value,
    /// Addresses.
    pub(crate) parameters: Parameters,
    /// All waits times this.
    pub(crate) timeout_factor: f64,
    /// Whether a failed SHOULD counts.
    pub(crate) strict: bool,
    /// Of the order.
    pub(crate) seed: u64,
    /// Stop at the first failure.
    pub(crate) fail_fast: bool,
    /// Set by SIGINT.
    pub(crate) interrupted: Arc<AtomicBool>,
    /// Where the nodes keep their files and logs.
    pub(crate) directory: PathBuf,
    /// Why nothing can be run at all.
    pub(crate) sick: Option<String>,
}

/// One result.
#[derive(Clone, Debug)]
pub(crate) struct Outcome<'a> {
    /// The case.
    pub(crate) case: &'a Case,
    /// What it came to.
    pub(crate) judgement: Judgement,
    /// Real time that it took, in microseconds.
    pub(crate) took_us: u64,
}

/// All results of a run.
#[derive(Debug)]
pub(crate) struct Results<'a> {
    /// In the order of the run.
    pub(crate) outcomes: Vec<Outcome<'a>>,
    /// The exit.
    pub(crate) exit: Exit,
    /// What made the target or the adapter unusable.
    pub(crate) unusable: Option<String>,
    /// Cases that were selected and not begun.
    pub(crate) pending: Vec<String>,
}

/// Runs the plan. `progress` is told each result at once.
pub(crate) fn run<'a>(
    plan: &Plan<'a>,
    recorder: &Recorder,
    mut progress: impl FnMut(usize, &Outcome<'a>),
) -> Results<'a> {
    recorder.record(Event::RunStart {
        format: FORMAT,
        suite: SUITE.to_owned(),
        under_test: show(&plan.under_test),
        hello: plan.hello.clone(),
        seed: plan.seed,
        timeout_factor: plan.timeout_factor.to_string(),
        strict: plan.strict,
        security: plan.security,
        parameters: Some(plan.parameters.clone()),
        cases: plan.cases.iter().map(|case| case.id.clone()).collect(),
    });
    let mut stage = Stage::new(
        recorder,
        Patience::new(plan.timeout_factor),
        plan.directory.clone(),
        plan.under_test.clone(),
        plan.parameters.clone(),
    );
    let mut outcomes = Vec::new();
    let mut unusable = plan.sick.clone();
    let mut begun = 0;
    for (place, case) in plan.cases.iter().enumerate() {
        let interrupted = plan.interrupted.load(Ordering::SeqCst);
        let failed = plan.fail_fast
            && outcomes.iter().any(|o: &Outcome<'_>| o.judgement.verdict == Verdict::Fail);
        if interrupted || failed || unusable.is_some() || recorder.broken().is_some() {
            break;
        }
        begun = place + 1;
        let (outcome, stop) = run_one(case, &mut stage, recorder, plan, &outcomes);
        if let Some(Stop::Unusable(reason)) = stop {
            unusable = Some(format!("{}: {reason}", case.id));
        }
        progress(place, &outcome);
        outcomes.push(outcome);
    }
    let exit = Exit::of_run(
        outcomes.iter().map(|o| (o.judgement.verdict, o.case.level)),
        plan.strict,
        unusable.is_some(),
        plan.interrupted.load(Ordering::SeqCst),
    );
    let exit = if recorder.broken().is_some() { Exit::SuiteBug } else { exit };
    recorder.record(Event::RunEnd { exit });
    let pending = plan.cases[begun..].iter().map(|case| case.id.clone()).collect();
    Results { outcomes, exit, unusable, pending }
}

fn run_one<'a>(
    case: &'a Case,
    stage: &mut Stage,
    recorder: &Recorder,
    plan: &Plan<'_>,
    before: &[Outcome<'a>],
) -> (Outcome<'a>, Option<Stop>) {
    let began = recorder.watch().micros();
    let security = plan.security.map(|usual| case.security.unwrap_or(usual));
    stage.begin_case(&case.id, recorder.begin(), security);
    recorder.record(Event::CaseStart { case: case.id.clone(), security });
    let stop = match claimed(case, &plan.hello) {
        false => Some(Stop::NotApplicable(unclaimed(case))),
        true => attempt(|| case.drive(stage)).err(),
    };
    stage.end_case();
    if let Some(stop) = &stop {
        recorder.record(Event::Stopped { stop: stop.clone() });
    }
    let records = recorder.seal();
    let judgement = judge(case, &records, before);
    for event in judgement.events(&case.id) {
        recorder.record(event);
    }
    let took_us = recorder.watch().micros() - began;
    (Outcome { case, judgement, took_us }, stop)
}

/// Judges by the records of the case and what came of the cases before it; a judge that panics is an
/// error of the suite.
pub(crate) fn judge(case: &Case, records: &[Record], before: &[Outcome<'_>]) -> Judgement {
    let judged = catch_unwind(AssertUnwindSafe(|| case.judge(records)));
    let judgement = judged.unwrap_or_else(|panic| Judgement {
        verdict: Verdict::SuiteError,
        reason: format!("the judge panicked: {}", panic_text(panic.as_ref())),
        checks: Vec::new(),
    });
    twin::counted(case, judgement, |id| {
        before.iter().find(|outcome| outcome.case.id == id).map(|o| o.judgement.verdict)
    })
}

/// Runs part of a case; a panic there is an error of the suite.
fn attempt(part: impl FnOnce() -> Result<(), Stop>) -> Result<(), Stop> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| {
        Err(Stop::Bug(format!("the driver panicked: {}", panic_text(panic.as_ref()))))
    })
}

fn panic_text(panic: &(dyn core::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text").to_owned()
}

/// Why a case does not apply to an implementation that does not claim its profile.
pub(crate) fn unclaimed(case: &Case) -> String {
    format!("profile {} is not claimed", case.profile)
}

/// Whether the implementation claims the profile of the case. A bare target claims to be an SMTP server.
pub(crate) fn claimed(case: &Case, hello: &Value) -> bool {
    match hello["profiles"].as_array() {
        Some(profiles) => profiles.iter().any(|profile| profile == case.profile),
        None => case.is_for_any_server(),
    }
}

/// As reports name what is under test. Where on this machine a program lies is nothing that a reader of
/// the report needs: of an absolute path the name is left.
pub(crate) fn show(under_test: &UnderTest) -> String {
    match under_test {
        UnderTest::Target(target) => target.to_string(),
        UnderTest::Adapter(command) => {
            let name = command.first().map(Path::new).filter(|program| program.is_absolute());
            let name = name.and_then(Path::file_name);
            let name = name.or_else(|| command.first().map(OsString::as_os_str));
            let words = name.into_iter().chain(command.iter().skip(1).map(OsString::as_os_str));
            let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
            format!("adapter {}", words.join(" "))
        }
    }
}
