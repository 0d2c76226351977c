//! The commands that touch no server: `list`, `explain`, `verify`.

use std::path::Path;

use serde_json::{Value, json};

use super::line::List;
use super::{count, fail};
use crate::case::{Body, Case};
use crate::print::say;
use crate::select::{SelectError, select};
use crate::verdict::Exit;
use crate::{cases, play, script, verify as report};

/// Lists the cases.
pub(super) fn list(list: &List, all: &[Case]) -> Exit {
    let ids: Vec<&str> = all.iter().map(|case| case.id.as_str()).collect();
    let places = match select(&ids, &list.only, &[]) {
        Ok(places) => places,
        Err(SelectError::Bad(problem)) => return fail(Exit::Usage, &problem),
        Err(SelectError::Unmatched(pattern)) => {
            return fail(Exit::NothingSelected, &format!("pattern `{pattern}` matches no case"));
        }
    };
    let chosen = places.iter().map(|place| &all[*place]);
    if list.json {
        let rows: Vec<Value> = chosen.map(row).collect();
        say!("{}", Value::Array(rows));
        return Exit::Conformant;
    }
    for case in chosen {
        let (level, needs) = (case.level.name(), case.needs.name());
        say!("{:<40} {level:<7} {:<18} {needs:<8} {}", case.id, case.profile, case.title);
    }
    say!("{} of {}", count(places.len()), all.len());
    Exit::Conformant
}

fn row(case: &Case) -> Value {
    json!({
        "id": case.id, "title": case.title, "level": case.level.name(), "profile": case.profile,
        "needs": case.needs.name(), "verifies": case.verifies, "checks": case.checks,
        "forbids": case.forbids,
        "twin": case.twin, "kills": case.kills, "vector": case.is_vector,
    })
}

/// Explains a case, or what verifies a clause.
pub(super) fn explain(id: &str, all: &[Case]) -> Exit {
    if let Some(case) = all.iter().find(|case| case.id == id) {
        explain_case(case);
        return Exit::Conformant;
    }
    let clause = cases::clause(id);
    let citing: Vec<&Case> =
        all.iter().filter(|case| case.verifies.iter().any(|clause| clause == id)).collect();
    if citing.is_empty() && clause.is_none() {
        let problem = format!("`{id}` is neither a case nor a clause that one verifies");
        return fail(Exit::NothingSelected, &problem);
    }
    say!("{id}{}", clause.map(|text| format!(": {text}")).unwrap_or_default());
    for case in &citing {
        say!("    {}  {}", case.id, case.title);
    }
    if let Some((_, why)) = cases::UNSHOWN.iter().find(|(clause, _)| *clause == id) {
        say!("no case can show it: {why}");
    }
    say!("verified by {}", count(citing.len()));
    Exit::Conformant
}

fn explain_case(case: &Case) {
    say!("{}\n    {}", case.id, case.title);
    say!("    level {}, profile {}, needs {}", case.level.name(), case.profile, case.needs.name());
    for id in &case.verifies {
        let text = cases::clause(id).map(|text| format!(": {text}")).unwrap_or_default();
        say!("    verifies {id}{text}");
    }
    for check in &case.checks {
        let absence = case.forbids.contains(&check.as_str());
        say!("    checks {check}{}", if absence { " (that something is not seen)" } else { "" });
    }
    if let Some(twin) = &case.twin {
        say!("    positive twin {twin}");
    }
    for (mutant, check) in &case.kills {
        say!("    kills mutant {mutant} by {check}");
    }
    if case.is_program() {
        say!(
            "    its steps are a program of the suite; what it does and sees is in `events.jsonl`"
        );
    }
    if let Body::Play(play) = &case.body {
        say!("    on node {}:", play::NODE);
        for line in play.acts.iter().flat_map(play::show_act) {
            say!("        {line}");
        }
        for look in &play.looks {
            say!("        expect {}", play::show_look(look));
        }
    }
    if let Body::Script(script) = &case.body {
        let place = script.place;
        say!(
            "    on the {} port, as {:?}, certificate {:?}:",
            place.port.name(),
            place.seat,
            place.shown
        );
        if script.slowly {
            say!("        (whatever it sends leaves one octet at a time)");
        }
        for step in &script.steps {
            say!("        {}", script::show(step));
        }
    }
}

/// Derives every verdict of a report again.
pub(super) fn verify(directory: &Path, all: &[Case]) -> Exit {
    let verified = match report::verify(directory, all) {
        Ok(verified) => verified,
        Err(report::VerifyError::Usage(problem)) => return fail(Exit::Usage, &problem),
        Err(report::VerifyError::Tampered(problem)) => {
            return fail(Exit::NonConformant, &format!("tampered: {problem}"));
        }
    };
    for difference in &verified.differences {
        say!("differs: {difference}");
    }
    for missing in &verified.missing {
        say!("missing: {missing}");
    }
    let recorded = verified.recorded.map_or(0, Exit::code);
    if verified.is_vacuous() {
        let problem =
            format!("nothing to verify: the run ended with exit {recorded} before any case");
        return fail(Exit::NothingSelected, &problem);
    }
    say!("{} derived again from the transcript", count(verified.cases));
    say!(
        "in {} of them what the suite said on its own connections, too: it is what the case and the \
         addresses of the run make it",
        verified.cases - verified.unsaid
    );
    if verified.unsaid > 0 {
        say!(
            "not derived: what the suite said in {}, which are programs, and what the members said that \
             it played",
            count(verified.unsaid)
        );
    }
    if !verified.differences.is_empty() {
        return fail(Exit::NonConformant, "the report is not what its transcript shows");
    }
    if !verified.missing.is_empty() {
        return fail(
            Exit::Incomplete,
            "every verdict that is there is right; the run is incomplete",
        );
    }
    say!("every verdict is what the transcript shows; the run's own exit was {recorded}");
    Exit::Conformant
}
