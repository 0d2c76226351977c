//! Derives every verdict of a report again from its recorded transcript: no server is needed, and the
//! word of whoever ran the suite counts for nothing.

use std::path::Path;

use crate::case::Case;
use crate::event::{Event, FORMAT, Record};
use crate::log;
use crate::runner::{SUITE, judge};
use crate::verdict::{Exit, Level};

/// What `verify` found.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Cases whose verdict was derived again.
    pub(crate) cases: usize,
    /// Where the record and the derivation differ.
    pub(crate) differences: Vec<String>,
    /// What is missing from the report.
    pub(crate) missing: Vec<String>,
    /// The exit that the run recorded.
    pub(crate) recorded: Option<Exit>,
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
pub(crate) fn verify(directory: &Path, cases: &[Case]) -> Result<Verified, VerifyError> {
    let path = directory.join("events.jsonl");
    let text = std::fs::read(&path)
        .map_err(|error| VerifyError::Usage(format!("{}: {error}", path.display())))?;
    let records = log::read(&text)
        .map_err(|error| VerifyError::Tampered(format!("{}: {error}", path.display())))?;
    derive(&records, cases)
}

/// Verifies records whose chain holds.
pub(crate) fn derive(records: &[Record], cases: &[Case]) -> Result<Verified, VerifyError> {
    let Some(Event::RunStart { format, suite, strict, cases: selected, .. }) =
        records.first().map(|record| &record.event)
    else {
        return Err(VerifyError::Usage("the first record is no run_start".into()));
    };
    if *format != FORMAT || suite != SUITE {
        let found = format!("format {format} of suite {suite}");
        return Err(VerifyError::Usage(format!("is {found}, expected {FORMAT} of {SUITE}")));
    }
    let mut verified = Verified::default();
    let mut judged = Vec::new();
    let mut rest = &records[1..];
    while let Some((first, after)) = rest.split_first() {
        match &first.event {
            Event::CaseStart { case } => {
                let end = after
                    .iter()
                    .position(|r| matches!(r.event, Event::CaseEnd { .. }))
                    .map(|place| place + 2);
                let Some(end) = end else {
                    verified.missing.push(format!("{case}: the record ends within the case"));
                    break;
                };
                let level = one(case, &rest[..end], cases, &mut verified);
                judged.extend(level.map(|judged| (case.clone(), judged)));
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
    for case in selected.iter().filter(|case| !judged.iter().any(|(id, _)| id == *case)) {
        verified.missing.push(format!("{case}: was selected and has no result"));
    }
    let results = judged.iter().map(|(_, result)| *result);
    check_exit(&mut verified, Exit::of_run(results, *strict, false, false));
    Ok(verified)
}

/// The recorded exit may be worse than what the verdicts give (unusable, interrupted), never better.
fn check_exit(verified: &mut Verified, derived: Exit) {
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

fn one(
    id: &str,
    records: &[Record],
    cases: &[Case],
    verified: &mut Verified,
) -> Option<(crate::verdict::Verdict, Level)> {
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
    let judgement = judge(case, &happened);
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
    Some((judgement.verdict, case.level))
}
