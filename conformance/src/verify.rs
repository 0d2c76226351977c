//! Derives every verdict of a report again from its recorded transcript: no server is needed, and the
//! word of whoever ran the suite counts for nothing. Then compares what was made from the verdicts.

use std::path::Path;

use serde_json::Value;

use crate::case::{Body, Case};
use crate::event::{Event, FORMAT, Record, Stop};
use crate::report::{EVENTS, Head, JUNIT, PAGE, SUMMARY};
use crate::runner::{Outcome, Results, SUITE, claimed, judge, unclaimed};
use crate::script::{Words, departure};
use crate::transcript::Transcript;
use crate::verdict::Exit;
use crate::{html, log, report};

/// What `verify` found.
#[derive(Debug, Default)]
pub(crate) struct Verified<'a> {
    /// Cases whose verdict was derived again.
    pub(crate) cases: usize,
    /// Where the record and the derivation differ.
    pub(crate) differences: Vec<String>,
    /// Of these, cases that are programs: what the suite said in them is not derived again.
    pub(crate) unsaid: usize,
    /// What is missing from the report.
    pub(crate) missing: Vec<String>,
    /// The exit that the run recorded.
    pub(crate) recorded: Option<Exit>,
    /// What was derived, in the order of the run.
    outcomes: Vec<Outcome<'a>>,
    /// Cases that were selected and have no result.
    pending: Vec<String>,
}

impl Verified<'_> {
    /// Whether the report is whole and says nothing: no case was selected.
    pub(crate) const fn is_vacuous(&self) -> bool {
        self.cases == 0 && self.differences.is_empty() && self.missing.is_empty()
    }
}

/// Why a report cannot be verified at all.
#[derive(Debug)]
pub(crate) enum VerifyError {
    /// It is no report of this suite.
    Usage(String),
    /// The chain of hashes is broken.
    Tampered(String),
}

/// Verifies the report in a directory.
pub(crate) fn verify<'a>(directory: &Path, cases: &'a [Case]) -> Result<Verified<'a>, VerifyError> {
    let path = directory.join(EVENTS);
    let text = std::fs::read(&path)
        .map_err(|error| VerifyError::Usage(format!("{}: {error}", path.display())))?;
    let records = log::read(&text)
        .map_err(|error| VerifyError::Tampered(format!("{}: {error}", path.display())))?;
    let mut verified = derive(&records, cases)?;
    if let Some(start) = records.first() {
        derived_files(directory, &start.event, &mut verified);
        derived_page(directory, &records, cases, &mut verified);
    }
    Ok(verified)
}

/// Compares what people and other programs read, `summary.json` and `junit.xml`, with what was derived.
fn derived_files(directory: &Path, start: &Event, verified: &mut Verified<'_>) {
    let Event::RunStart { under_test, hello, seed, security, .. } = start else { return };
    let head = Head { under_test, hello, seed: *seed, security: *security };
    let [summary, junit] = [SUMMARY, JUNIT].map(|name| read(&directory.join(name), name));
    let Some(exit) = verified.recorded else {
        // Both are written after the end of the run.
        for name in [(SUMMARY, &summary), (JUNIT, &junit)].map(|(n, t)| t.is_ok().then_some(n)) {
            let line = name.map(|name| format!("{name}: stands there though the run did not end"));
            verified.differences.extend(line);
        }
        return;
    };
    let mut results = Results {
        outcomes: core::mem::take(&mut verified.outcomes),
        exit,
        unusable: None,
        pending: core::mem::take(&mut verified.pending),
    };
    match summary {
        Ok(text) => {
            verified.differences.extend(compare_summary(&text, head, &mut results));
        }
        Err(problem) => verified.missing.push(problem),
    }
    match (junit, report::junit(&results)) {
        (Ok(text), Ok(expected)) => verified.differences.extend(compare_junit(&text, &expected)),
        (Err(problem), _) | (_, Err(problem)) => verified.missing.push(problem),
    }
}

/// The page is made of the record alone.
fn derived_page(directory: &Path, records: &[Record], cases: &[Case], verified: &mut Verified<'_>) {
    if verified.recorded.is_none() || verified.cases == 0 {
        return;
    }
    match read(&directory.join(PAGE), PAGE) {
        Ok(text) if text == html::page(records, cases) => {}
        Ok(_) => verified.differences.push(format!("{PAGE}: is not what the record makes it")),
        Err(problem) => verified.missing.push(problem),
    }
}

fn read(path: &Path, name: &str) -> Result<String, String> {
    let octets = std::fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Durations, why the run was unusable and what was out of reach are in the summary alone; they are taken
/// from it. Everything else must be what was derived.
fn compare_summary(text: &str, head: Head<'_>, results: &mut Results<'_>) -> Vec<String> {
    let found: Value = match serde_json::from_str(text) {
        Ok(found) => found,
        Err(error) => return vec![format!("{SUMMARY}: is no JSON: {error}")],
    };
    results.unusable = found["unusable"].as_str().map(str::to_owned);
    for (place, outcome) in results.outcomes.iter_mut().enumerate() {
        outcome.took_us = found["cases"][place]["took_us"].as_u64().unwrap_or(0);
    }
    let expected = report::summary(head, results, found["out_of_reach"].as_u64().unwrap_or(0));
    let mut differences = Vec::new();
    for (place, outcome) in results.outcomes.iter().enumerate() {
        let (found, expected) = (&found["cases"][place], &expected["cases"][place]);
        for (field, value) in expected.as_object().into_iter().flatten() {
            if found[field] != *value {
                let id = &outcome.case.id;
                differences.push(differs(&format!("{id}: {field}"), &found[field], value));
            }
        }
    }
    for (field, value) in expected.as_object().into_iter().flatten() {
        if field != "cases" && found[field] != *value {
            differences.push(differs(field, &found[field], value));
        }
    }
    if differences.is_empty() && report::summary_text(&expected) != text {
        differences.push(format!("{SUMMARY}: has something that the suite did not write"));
    }
    differences
}

fn differs(what: &str, found: &Value, derived: &Value) -> String {
    format!("{SUMMARY}: {what} is {found}, derived {derived}")
}

fn compare_junit(text: &str, expected: &str) -> Option<String> {
    let (found, derived) = (without_times(text), without_times(expected));
    if found == derived {
        return None;
    }
    let mut pairs = found.lines().zip(derived.lines()).zip(1..);
    let place = pairs.find(|((found, derived), _)| found != derived);
    Some(match place {
        Some(((found, derived), line)) => {
            let (found, derived) = (found.trim(), derived.trim());
            format!("{JUNIT}: line {line} is `{found}`, derived `{derived}`")
        }
        None => format!("{JUNIT}: is shorter or longer than what was derived"),
    })
}

/// The text without its durations, which nothing is derived from. Quotes inside of values are escaped, so
/// that this finds attributes only.
fn without_times(text: &str) -> String {
    let mut parts = text.split(" time=\"");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        rest.push_str(part.split_once('"').map_or("", |(_, after)| after));
    }
    rest
}

/// Verifies records whose chain holds.
pub(crate) fn derive<'a>(
    records: &[Record],
    cases: &'a [Case],
) -> Result<Verified<'a>, VerifyError> {
    let Some(Event::RunStart { format, suite, strict, cases: selected, hello, parameters, .. }) =
        records.first().map(|record| &record.event)
    else {
        return Err(VerifyError::Usage("the first record is no run_start".into()));
    };
    if *format != FORMAT || suite != SUITE {
        let found = format!("format {format} of suite {suite}");
        return Err(VerifyError::Usage(format!("is {found}, expected {FORMAT} of {SUITE}")));
    }
    let mut verified = Verified::default();
    let mut begun = 0;
    let mut rest = &records[1..];
    while let Some((first, after)) = rest.split_first() {
        match &first.event {
            Event::CaseStart { case, .. } => {
                let end = after
                    .iter()
                    .position(|r| matches!(r.event, Event::CaseEnd { .. }))
                    .map(|place| place + 2);
                let Some(end) = end else {
                    verified.missing.push(format!("{case}: the record ends within the case"));
                    break;
                };
                begun += 1;
                let outcome = one(case, &rest[..end], cases, &mut verified);
                if let Some(Outcome { case, .. }) = &outcome {
                    let words = parameters.as_ref().map(|parameters| Words { parameters, begun });
                    own_part(case, &rest[..end], hello, words, &mut verified);
                }
                verified.outcomes.extend(outcome);
                rest = &rest[end..];
            }
            Event::RunEnd { exit } => {
                verified.recorded = Some(*exit);
                rest = after;
            }
            _ => {
                verified.differences.push(format!("record {} stands outside a case", first.n));
                rest = after;
            }
        }
    }
    let judged = |case: &&String| verified.outcomes.iter().any(|o| o.case.id == **case);
    verified.pending = selected.iter().filter(|case| !judged(case)).cloned().collect();
    let pending = verified.pending.iter();
    verified.missing.extend(pending.map(|case| format!("{case}: was selected and has no result")));
    let results = verified.outcomes.iter().map(|o| (o.judgement.verdict, o.case.level));
    let derived = Exit::of_run(results, *strict, false, false);
    check_exit(&mut verified, derived);
    Ok(verified)
}

/// The recorded exit may be worse than what the verdicts give (unusable, interrupted), never better.
fn check_exit(verified: &mut Verified<'_>, derived: Exit) {
    match verified.recorded {
        None => verified.missing.push("there is no run_end: the run did not end".into()),
        Some(
            Exit::Unusable
            | Exit::Interrupted
            | Exit::SuiteBug
            | Exit::NothingSelected
            | Exit::Usage,
        ) => {}
        Some(recorded) if recorded == derived => {}
        Some(recorded) => verified.differences.push(format!(
            "the run recorded exit {}, the verdicts give {}",
            recorded.code(),
            derived.code()
        )),
    }
}

/// Looks at what the suite itself put into the transcript: what it said, and that the case applies or not.
fn own_part(
    case: &Case,
    records: &[Record],
    hello: &Value,
    words: Option<Words<'_>>,
    verified: &mut Verified<'_>,
) {
    let Some(words) = words else {
        let problem = format!("{}: the run does not say with which addresses it ran", case.id);
        return verified.differences.push(problem);
    };
    let transcript = Transcript::new(records);
    let departed = match &case.body {
        Body::Script(script) => departure(core::iter::once((None, script)), &words, &transcript),
        Body::Play(play) => {
            let talks = play.talks().map(|(name, script)| (Some(name), script));
            departure(talks, &words, &transcript)
        }
        Body::Program(..) => None,
    };
    verified.unsaid += usize::from(case.is_program());
    let stopped = misapplied(case, hello, &transcript);
    let problems = departed.into_iter().chain(stopped);
    verified.differences.extend(problems.map(|problem| format!("{}: {problem}", case.id)));
}

/// What is wrong with a case that was said not to apply, or should have been.
fn misapplied(case: &Case, hello: &Value, transcript: &Transcript<'_>) -> Option<String> {
    let said = match transcript.stop() {
        Some(Stop::NotApplicable(reason)) => Some(reason.clone()),
        _ => None,
    };
    let derived = match &case.body {
        _ if !claimed(case, hello) => Some(unclaimed(case)),
        Body::Script(script) => script.unoffered(transcript),
        _ => None,
    };
    (said != derived).then(|| format!("does not apply because of {said:?}, derived {derived:?}"))
}

fn one<'a>(
    id: &str,
    records: &[Record],
    cases: &'a [Case],
    verified: &mut Verified<'_>,
) -> Option<Outcome<'a>> {
    let Some(case) = cases.iter().find(|case| case.id == id) else {
        verified.differences.push(format!("{id}: this suite has no such case"));
        return None;
    };
    let is_judged =
        |record: &&Record| matches!(record.event, Event::Check { .. } | Event::CaseEnd { .. });
    let recorded: Vec<&Event> =
        records.iter().filter(is_judged).map(|record| &record.event).collect();
    let happened: Vec<Record> =
        records.iter().filter(|record| !is_judged(record)).cloned().collect();
    let judgement = judge(case, &happened, &verified.outcomes);
    let derived = judgement.events(id);
    verified.cases += 1;
    if derived.iter().collect::<Vec<_>>() != recorded {
        let said = recorded.iter().find_map(|event| match event {
            Event::CaseEnd { verdict, .. } => Some(verdict.name()),
            _ => None,
        });
        verified.differences.push(format!(
            "{id}: recorded {}, derived {} ({})",
            said.unwrap_or("nothing"),
            judgement.verdict.name(),
            judgement.reason
        ));
    }
    Some(Outcome { case, judgement, took_us: 0 })
}
