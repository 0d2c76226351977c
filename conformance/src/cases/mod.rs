//! All cases, and the clauses that they verify.

mod custody;
mod links;
mod members;
mod seen;
mod smtp_server;
mod transparency;
mod walk_several;
mod walk_single;

use crate::case::Case;
use crate::vectors;

include!(concat!(env!("OUT_DIR"), "/clauses.rs"));

/// The sentence of a clause.
pub(crate) fn clause(id: &str) -> Option<&'static str> {
    CLAUSES.iter().find(|(clause, _)| *clause == id).map(|(_, text)| *text)
}

/// Every case and every vector, in the order of a run.
pub(crate) fn all() -> Result<Vec<Case>, String> {
    let mut all = Vec::new();
    all.extend(smtp_server::cases());
    all.extend(members::cases());
    all.extend(custody::cases());
    all.extend(links::cases());
    all.extend(transparency::cases());
    all.extend(walk_single::cases());
    all.extend(walk_several::cases());
    all.extend(vectors::cases()?);
    check(&all)?;
    Ok(all)
}

/// What no suite may get wrong: ids stand once, twins exist, something is checked.
fn check(all: &[Case]) -> Result<(), String> {
    for (place, case) in all.iter().enumerate() {
        let id = &case.id;
        if all[..place].iter().any(|other| other.id == *id) {
            return Err(format!("case {id} stands twice"));
        }
        if case.checks.is_empty() {
            return Err(format!("case {id} checks nothing"));
        }
        if case.verifies.is_empty() {
            return Err(format!("case {id} verifies nothing"));
        }
        if let Some(twin) = &case.twin
            && !all.iter().any(|other| other.id == *twin && other.twin.is_none())
        {
            return Err(format!("case {id}: there is no positive twin {twin}"));
        }
    }
    Ok(())
}
