//! The commands that meet what is under test: `run` and `doctor`.

use core::sync::atomic::{AtomicBool, Ordering};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::line::{Run, Under};
use super::reach::{self, OutOfReach};
use super::{count, fail};
use crate::case::Case;
use crate::clock::Patience;
use crate::doctor::{self, Probe};
use crate::event::{Event, FORMAT};
use crate::log::Recorder;
use crate::net::Port;
use crate::organization::{LOGIN, PASSWORD};
use crate::parameters::{Login, Parameters, Secret};
use crate::print::say;
use crate::runner::{Outcome, Plan, Results};
use crate::select::{SelectError, select};
use crate::stage::UnderTest;
use crate::target::{Known, Target};
use crate::verdict::{Exit, Verdict};
use crate::{report, runner, twin};

/// As reports name what is under test, when nobody knows.
const NOTHING: &str = "nothing";
/// What the arguments put under test.
fn under_test(under: &Under, default_adapter: Vec<OsString>) -> Result<UnderTest, (Exit, String)> {
    if !(under.timeout_factor > 0.0 && under.timeout_factor <= 1_000.0) {
        let factor = under.timeout_factor;
        let problem = format!("--timeout-factor {factor}: expected more than 0, at most 1000");
        return Err((Exit::Usage, problem));
    }
    if let Some(target) = &under.target {
        let patience = Patience::new(under.timeout_factor);
        return Target::read(target, patience).map(Box::new).map(UnderTest::Target);
    }
    let adapter = if under.adapter.is_empty() { default_adapter } else { under.adapter.clone() };
    if adapter.is_empty() {
        let problem = "nothing to test: give --target HOST:PORT, or -- ADAPTER [ARGS]";
        return Err((Exit::Usage, problem.into()));
    }
    Ok(UnderTest::Adapter(adapter))
}

/// Runs cases and vectors.
pub(super) fn run(run: &Run, default_adapter: Vec<OsString>, all: &[Case]) -> Exit {
    // The report is open before anything else is looked at, so that whatever happens is in it.
    let recorder = match report::open(&run.output) {
        Ok(recorder) => recorder,
        Err(error) => return fail(Exit::Usage, &format!("{}: {error}", run.output.display())),
    };
    let under_test = match under_test(&run.under, default_adapter) {
        Ok(under_test) => under_test,
        Err((exit, problem)) => return nothing_run(run, &recorder, NOTHING, exit, &problem),
    };
    let (chosen, out_of_reach) = match choose(run, &under_test, all) {
        Ok(chosen) => chosen,
        Err((exit, problem)) => {
            return nothing_run(run, &recorder, &runner::show(&under_test), exit, &problem);
        }
    };
    let nodes = run.output.join("nodes");
    let (hello, probes) = examine(&under_test, &run.under, &nodes.join("doctor"));
    let sick = sickness(&under_test, &probes);
    if sick.is_none() {
        problems(&probes).for_each(|problem| say!("{problem}; what needs it cannot run"));
    }
    let plan = Plan {
        cases: chosen,
        parameters: parameters(run, &under_test),
        security: matches!(under_test, UnderTest::Adapter(_)).then_some(run.under.security),
        under_test,
        hello,
        timeout_factor: run.under.timeout_factor,
        strict: run.strict,
        seed: run.seed,
        fail_fast: run.fail_fast,
        interrupted: on_interrupt(),
        directory: nodes,
        sick,
    };
    execute(run, &plan, &recorder, (all, &out_of_reach))
}

/// Ends a run that chose nothing with a report that says why.
fn nothing_run(
    run: &Run,
    recorder: &Recorder,
    under_test: &str,
    exit: Exit,
    problem: &str,
) -> Exit {
    let start = start_of_nothing(under_test, run.seed, run.under.timeout_factor, run.strict);
    if let Err(unwritten) = report::nothing_run(&run.output, recorder, start, exit, problem) {
        fail(exit, &unwritten);
    }
    fail(exit, problem)
}

/// Writes the report of a run whose command line could not be read: nothing of it is known but where
/// the report goes. The problem itself is told already.
pub(super) fn refused(output: &Path, problem: &str) {
    let recorder = match report::open(output) {
        Ok(recorder) => recorder,
        Err(error) => {
            fail(Exit::Usage, &format!("{}: {error}", output.display()));
            return;
        }
    };
    let start = start_of_nothing(NOTHING, 0, 1.0, false);
    if let Err(unwritten) = report::nothing_run(output, &recorder, start, Exit::Usage, problem) {
        fail(Exit::Usage, &unwritten);
    }
}

fn start_of_nothing(under_test: &str, seed: u64, timeout_factor: f64, strict: bool) -> Event {
    Event::RunStart {
        format: FORMAT,
        suite: runner::SUITE.to_owned(),
        under_test: under_test.to_owned(),
        hello: Value::Null,
        seed,
        timeout_factor: timeout_factor.to_string(),
        strict,
        security: None,
        parameters: None,
        cases: Vec::new(),
    }
}

/// In its own organization the suite knows who exists; of a bare target it only knows what it is told.
fn parameters(run: &Run, under_test: &UnderTest) -> Parameters {
    let Run { recipient, unknown, sender, .. } = run;
    match under_test {
        UnderTest::Adapter(_) => Parameters {
            recipient: "amy@example.test".into(),
            unknown: Some("nobody@example.test".into()),
            sender: "ann@example.test".into(),
            login: Some(Login {
                name: LOGIN.into(),
                sender: LOGIN.into(),
                password: Secret(PASSWORD.into()),
            }),
        },
        UnderTest::Target(target) => target.parameters(Known {
            recipient: recipient.clone(),
            unknown: unknown.clone(),
            sender: sender.clone(),
        }),
    }
}

fn on_interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    // Without the flag an interrupt ends the process at once; the report is valid up to there, too.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&flag));
    flag
}

fn execute(
    run: &Run,
    plan: &Plan<'_>,
    recorder: &Recorder,
    (all, out_of_reach): (&[Case], &OutOfReach),
) -> Exit {
    let total = plan.cases.len();
    say!("{} against {}", count(total), runner::show(&plan.under_test));
    if plan.seed != 0 {
        say!("order shuffled with --seed {}", plan.seed);
    }
    let results = runner::run(plan, recorder, |place, outcome| progress(place, total, outcome));
    if let Err(problem) = report::write(&run.output, plan, &results, out_of_reach.count(), all) {
        return fail(Exit::SuiteBug, &problem);
    }
    say!("\n{}", report::table(&results.outcomes));
    explain_failures(run, &results);
    if out_of_reach.count() > 0 {
        say!("not run, and nothing is said of them: {out_of_reach}");
    }
    if !results.pending.is_empty() {
        say!("{} not begun, the first is {}", count(results.pending.len()), results.pending[0]);
    }
    say!("report: {}", run.output.join(report::PAGE).display());
    if let Some(problem) = recorder.broken() {
        return fail(Exit::SuiteBug, &format!("events.jsonl could not be written: {problem}"));
    }
    if let Some(problem) = &results.unusable {
        return fail(results.exit, problem);
    }
    if plan.interrupted.load(Ordering::SeqCst) {
        return fail(results.exit, "interrupted; the report is valid as far as it goes");
    }
    results.exit
}

/// A line for whatever did not pass, and now and then one for the rest.
fn progress(place: usize, total: usize, outcome: &Outcome<'_>) {
    let verdict = outcome.judgement.verdict;
    let slow = outcome.took_us > 500_000;
    if verdict != Verdict::Pass || slow || !outcome.case.is_vector || place.is_multiple_of(50) {
        let seconds = outcome.took_us as f64 / 1e6;
        let name = verdict.name();
        say!("[{:>4}/{total}] {name:<14} {:>6.2} s  {}", place + 1, seconds, outcome.case.id);
    }
}

fn explain_failures(run: &Run, results: &Results<'_>) {
    let bad =
        |o: &&Outcome<'_>| !matches!(o.judgement.verdict, Verdict::Pass | Verdict::NotApplicable);
    for outcome in results.outcomes.iter().filter(bad) {
        let judgement = &outcome.judgement;
        let (case, level) = (outcome.case, outcome.case.level.name());
        say!("{} {} ({level}): {}", judgement.verdict.name(), case.id, judgement.reason);
        say!("    {}; verifies {}", case.title, case.verifies.join(" "));
        say!("    again: {}", run.again(&case.id));
    }
}

/// The chosen cases with their twins, and how many more an adapter would reach.
fn choose<'a>(
    run: &Run,
    under_test: &UnderTest,
    all: &'a [Case],
) -> Result<(Vec<&'a Case>, OutOfReach), (Exit, String)> {
    let ids: Vec<&str> = all.iter().map(|case| case.id.as_str()).collect();
    let places = select(&ids, &run.only, &run.skip).map_err(|error| match error {
        SelectError::Bad(problem) => (Exit::Usage, format!("bad pattern {problem}")),
        SelectError::Unmatched(pattern) => {
            (Exit::NothingSelected, format!("pattern `{pattern}` matches no case"))
        }
    })?;
    for profile in &run.profile {
        if !all.iter().any(|case| case.profile == profile) {
            return Err((Exit::NothingSelected, format!("no case has profile `{profile}`")));
        }
    }
    let wanted = |case: &&Case| {
        case.level <= run.level
            && (run.profile.is_empty() || run.profile.iter().any(|p| p == case.profile))
    };
    let chosen: Vec<&Case> = places.iter().map(|place| &all[*place]).filter(wanted).collect();
    let parameters = parameters(run, under_test);
    let (mut chosen, out_of_reach) = reach::within(chosen, under_test, &parameters);
    if chosen.is_empty() {
        let problem = format!("nothing selected: {out_of_reach}");
        return Err((Exit::NothingSelected, problem));
    }
    shuffle(&mut chosen, run.seed);
    let kept = select(&ids, &[], &run.skip).unwrap_or_default();
    let is_skipped = |case: &Case| !kept.iter().any(|place| all[*place].id == case.id);
    Ok((twin::with_twins(&chosen, all, is_skipped), out_of_reach))
}

/// Fisher–Yates by splitmix64; 0 keeps the order.
fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut state = seed;
    for place in (1..list.len()).rev().take_while(|_| seed != 0) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        list.swap(place, ((mixed ^ (mixed >> 31)) % (place as u64 + 1)) as usize);
    }
}

/// Looks whether a run makes sense: what the adapter says of itself, and what makes it unusable.
fn examine(under_test: &UnderTest, under: &Under, logs: &Path) -> (Value, Vec<Probe>) {
    let patience = Patience::new(under.timeout_factor);
    match under_test {
        UnderTest::Target(target) => {
            let ports = [
                (Port::Smtp, "accepts a connection"),
                (Port::Submission, "accepts a connection for submission"),
                (Port::Submissions, "accepts a connection for submission under TLS"),
            ];
            let probe = |(port, name)| {
                let address = target.port(port)?;
                let dialled = crate::net::dial_from(None, address, patience.connect());
                let dead = |error| format!("target {address} is dead: {error}");
                Some(Probe { name, problem: dialled.err().map(dead) })
            };
            (Value::Null, ports.into_iter().filter_map(probe).collect())
        }
        UnderTest::Adapter(command) => doctor::examine(command, patience, logs, under.security),
    }
}

/// Why nothing can be tested. Of a server with several ports something can as long as one of them is there.
fn sickness(under_test: &UnderTest, probes: &[Probe]) -> Option<String> {
    let is_there = |probe: &Probe| probe.problem.is_none();
    if matches!(under_test, UnderTest::Target(_)) && probes.iter().any(is_there) {
        return None;
    }
    problems(probes).next().map(|problem| format!("not fit to be tested: {problem}"))
}

/// What the probes have found.
fn problems(probes: &[Probe]) -> impl Iterator<Item = &String> {
    probes.iter().filter_map(|probe| probe.problem.as_ref())
}

/// Asks whether anything can be tested.
pub(super) fn doctor(under: &Under, default_adapter: Vec<OsString>) -> Exit {
    let under_test = match under_test(under, default_adapter) {
        Ok(under_test) => under_test,
        Err((exit, problem)) => return fail(exit, &problem),
    };
    let logs = match tempfile::tempdir() {
        Ok(logs) => logs,
        Err(error) => return fail(Exit::Usage, &error.to_string()),
    };
    let (_, probes) = examine(&under_test, under, logs.path());
    for probe in &probes {
        let verdict = if probe.problem.is_some() { "no " } else { "yes" };
        say!("{verdict}  {}", probe.name);
    }
    if let Some(problem) = sickness(&under_test, &probes) {
        return fail(Exit::Unusable, &problem);
    }
    if let Some(problem) = problems(&probes).next() {
        return fail(Exit::Incomplete, &format!("a part of it can be tested: {problem}"));
    }
    say!("{} can be tested", runner::show(&under_test));
    Exit::Conformant
}
