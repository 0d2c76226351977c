//! What a judge finds, check by check.

use std::collections::BTreeMap;

/// What a judge says of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Whether it holds.
    pub(crate) holds: bool,
    /// Why, or what was seen instead.
    pub(crate) because: String,
    /// Whether it holds because something was not seen.
    pub(crate) absence: bool,
    /// The records that show it.
    pub(crate) evidence: Vec<u64>,
}

/// What a judge says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    found: BTreeMap<String, Finding>,
}

impl Findings {
    /// What was found, by check.
    pub(crate) fn by_check(self) -> BTreeMap<String, Finding> {
        self.found
    }

    /// The check holds, as these records show. A pass without evidence is none.
    pub(crate) fn holds(&mut self, check: &str, because: impl Into<String>, evidence: &[u64]) {
        assert!(!evidence.is_empty(), "{check}: a pass without evidence is none");
        self.note(check, true, because.into(), evidence);
    }

    /// The check does not hold.
    pub(crate) fn fails(&mut self, check: &str, because: impl Into<String>, evidence: &[u64]) {
        self.note(check, false, because.into(), evidence);
    }

    /// The check holds if there is evidence, and fails with `missing` if there is none.
    pub(crate) fn shown(&mut self, check: &str, evidence: Option<u64>, missing: &str) {
        match evidence {
            Some(n) => self.holds(check, "seen", &[n]),
            None => self.fails(check, missing, &[]),
        }
    }

    /// The check holds if `holds`.
    pub(crate) fn is(&mut self, check: &str, holds: bool, seen: &str, evidence: &[u64]) {
        self.note(check, holds && !evidence.is_empty(), seen.to_owned(), evidence);
    }

    /// Takes what another judge has found.
    pub(crate) fn merge(&mut self, other: Self) {
        for (check, finding) in other.found {
            let Finding { holds, because, absence, evidence } = finding;
            self.put(&check, holds, because, absence, &evidence);
        }
    }

    /// The check holds if nothing of what must not happen was seen; `since` is the record from which on
    /// it was looked for.
    pub(crate) fn absent(&mut self, check: &str, seen: &[u64], since: u64, what: &str) {
        let evidence = if seen.is_empty() { &[since] } else { seen };
        self.put(check, seen.is_empty(), what.to_owned(), true, evidence);
    }

    fn note(&mut self, check: &str, holds: bool, because: String, evidence: &[u64]) {
        self.put(check, holds, because, false, evidence);
    }

    fn put(&mut self, check: &str, holds: bool, because: String, absence: bool, n: &[u64]) {
        let finding = Finding { holds, because, absence, evidence: n.to_vec() };
        // A check that failed once stays failed, whatever is found later.
        match self.found.get(check) {
            Some(before) if !before.holds => {}
            _ => {
                self.found.insert(check.to_owned(), finding);
            }
        }
    }
}
