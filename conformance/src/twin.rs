//! Twins: whoever refuses, withholds or keeps still has shown nothing, unless the same peer goes along
//! where nothing is wrong. So each negative case names a case that differs from it in the one thing, and
//! its pass counts only where that one passed.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, Judgement};
use crate::verdict::Verdict;

/// What no suite may get wrong: a negative case has a twin, the twin can be run wherever the case can,
/// and whoever goes from twin to twin comes to a case that is not negative.
pub(crate) fn check(all: &[Case]) -> Result<(), String> {
    let by_id: BTreeMap<&str, &Case> = all.iter().map(|case| (case.id.as_str(), case)).collect();
    for case in all {
        let id = &case.id;
        if case.is_negative() && case.twin.is_none() {
            return Err(format!(
                "case {id} wants a refusal or an absence and names no positive twin"
            ));
        }
        let mut seen = vec![id.as_str()];
        let mut at = case;
        while let Some(name) = &at.twin {
            let Some(twin) = by_id.get(name.as_str()).copied() else {
                return Err(format!("case {}: there is no positive twin {name}", at.id));
            };
            if seen.contains(&name.as_str()) {
                return Err(format!("case {id} is a twin of itself: {}", seen.join(", ")));
            }
            if let Some(problem) = apart(at, twin) {
                return Err(format!("case {}: its positive twin {name} {problem}", at.id));
            }
            seen.push(name);
            at = twin;
        }
    }
    Ok(())
}

/// Why a twin could be missing where the case is run.
fn apart(case: &Case, twin: &Case) -> Option<&'static str> {
    let wrong = [
        (twin.profile != case.profile, "has another profile"),
        (twin.level > case.level, "is less binding"),
        (case.is_for_any_server() && !twin.is_for_any_server(), "needs an adapter"),
        (
            twin.uses_unknown_recipient() && !case.uses_unknown_recipient(),
            "needs an address that does not exist",
        ),
        (twin.uses_mailbox() && !case.uses_mailbox(), "needs a recipient with a domain"),
        (case.is_for_any_server() && twin.login_port() != case.login_port(), "is on another port"),
        (
            twin.is_negative() && !twin.is_program(),
            "is negative itself; only a long story may be both",
        ),
    ];
    wrong.iter().find(|(wrong, _)| *wrong).map(|(_, problem)| *problem)
}

/// The chosen cases in their order, each behind its twins. Twins that were not chosen come along, except
/// those that `left_out` names.
pub(crate) fn with_twins<'a>(
    chosen: &[&'a Case],
    all: &'a [Case],
    left_out: impl Fn(&Case) -> bool,
) -> Vec<&'a Case> {
    let by_id: BTreeMap<&str, &Case> = all.iter().map(|case| (case.id.as_str(), case)).collect();
    let chosen_ids: BTreeSet<&str> = chosen.iter().map(|case| case.id.as_str()).collect();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut ordered: Vec<&Case> = Vec::new();
    for case in chosen {
        let mut chain = vec![*case];
        let twin_of = |case: &&Case| by_id.get(case.twin.as_deref()?).copied();
        while let Some(twin) = chain.last().and_then(twin_of) {
            chain.push(twin);
        }
        for next in chain.into_iter().rev() {
            let wanted = chosen_ids.contains(next.id.as_str()) || !left_out(next);
            if wanted && taken.insert(next.id.as_str()) {
                ordered.push(next);
            }
        }
    }
    ordered
}

/// What a judgement counts for: a pass is none without the pass of the twin.
pub(crate) fn counted(
    case: &Case,
    judgement: Judgement,
    verdict_of: impl Fn(&str) -> Option<Verdict>,
) -> Judgement {
    let Some(twin) = case.twin.as_ref().filter(|_| judgement.verdict == Verdict::Pass) else {
        return judgement;
    };
    let came = match verdict_of(twin) {
        Some(Verdict::Pass) => return judgement,
        Some(Verdict::NotApplicable) => {
            let reason = format!("its positive twin {twin} does not apply");
            let verdict = Verdict::NotApplicable;
            return Judgement { verdict, reason, checks: Vec::new() };
        }
        Some(other) => format!("came to {}", other.name()),
        None => "was not run".to_owned(),
    };
    let reason = format!("its checks hold, and prove nothing: its positive twin {twin} {came}");
    Judgement { verdict: Verdict::CouldNotRun, reason, ..judgement }
}

#[cfg(test)]
mod tests {
    use super::{check, counted, with_twins};
    use crate::case::{Case, Judgement};
    use crate::cases::all;
    use crate::verdict::Verdict;

    fn find(cases: &[Case], id: &str) -> usize {
        cases.iter().position(|case| case.id == id).expect("the case is there")
    }

    #[test]
    fn every_kind_of_negative_case_must_name_its_twin() {
        let mut all = all().expect("the cases are sound");
        let kind_of = |case: &Case| match (case.is_vector, case.is_program()) {
            (true, _) => "vector",
            (false, true) => "program",
            (false, false) => "script",
        };
        for (kind, least) in [("script", 30), ("vector", 200), ("program", 10)] {
            let negatives: Vec<usize> = (0..all.len())
                .filter(|place| kind_of(&all[*place]) == kind && all[*place].is_negative())
                .collect();
            assert!(negatives.len() >= least, "{} negative {kind}s", negatives.len());
            // Each takes a check of everything: of many, so many that the test stays short.
            let step = negatives.len().div_ceil(40);
            for place in negatives.into_iter().step_by(step) {
                let id = all[place].id.clone();
                let twin = all[place].twin.take();
                let problem = check(&all).expect_err("a twin is missing");
                assert!(problem.contains(&id) && problem.contains("names no"), "{problem}");
                all[place].twin = twin;
            }
        }
    }

    #[test]
    fn a_twin_that_proves_nothing_is_an_error_of_the_suite() {
        for (id, twin, said) in [
            ("smtp.rset.01", "smtp.none.01", "there is no positive twin"),
            ("smtp.rset.01", "smtp.rset.01", "a twin of itself"),
            ("smtp.rset.01", "smtp.rcpt.02", "is negative itself"),
            ("smtp.rset.01", "link.chunk.plain.01", "has another profile"),
            ("link.walk.single.01", "link.persistence.01", "a twin of itself"),
        ] {
            let mut all = all().expect("the cases are sound");
            let place = find(&all, id);
            all[place].twin = Some(twin.to_owned());
            let problem = check(&all).expect_err("the twin is none");
            assert!(problem.contains(said), "{id}, {twin}: {problem}");
        }
    }

    #[test]
    fn twins_come_along_and_come_first() {
        let all = all().expect("the cases are sound");
        let only = |id: &str| all.iter().filter(|case| case.id == id).collect::<Vec<_>>();
        let ids = |cases: &[&Case]| cases.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
        let chosen = only("link.persistence.01");
        assert_eq!(
            ids(&with_twins(&chosen, &all, |_| false)),
            ["link.plain.01", "link.walk.single.01", "link.persistence.01"]
        );
        let without = with_twins(&chosen, &all, |case| case.id == "link.plain.01");
        assert_eq!(ids(&without), ["link.walk.single.01", "link.persistence.01"]);
        let mut backwards: Vec<&Case> = all.iter().rev().collect();
        backwards = with_twins(&backwards, &all, |_| true);
        assert_eq!(backwards.len(), all.len());
        for (place, case) in backwards.iter().enumerate() {
            let Some(twin) = &case.twin else { continue };
            let before = backwards[..place].iter().any(|before| before.id == *twin);
            assert!(before, "{} runs before its twin {twin}", case.id);
        }
    }

    #[test]
    fn a_pass_without_the_pass_of_the_twin_counts_for_nothing() {
        let all = all().expect("the cases are sound");
        let place = find(&all, "smtp.rset.01");
        let case = &all[place];
        let judged = |verdict| Judgement { verdict, reason: String::new(), checks: Vec::new() };
        let verdict = |own, twin| counted(case, judged(own), |_| twin).verdict;
        assert_eq!(verdict(Verdict::Pass, Some(Verdict::Pass)), Verdict::Pass);
        for twin in [None, Some(Verdict::Fail), Some(Verdict::CouldNotRun)] {
            assert_eq!(verdict(Verdict::Pass, twin), Verdict::CouldNotRun, "{twin:?}");
            assert_eq!(verdict(Verdict::Fail, twin), Verdict::Fail, "{twin:?}");
        }
        let said = counted(case, judged(Verdict::Pass), |_| None).reason;
        assert!(said.contains("smtp.rcpt.01 was not run"), "{said}");
    }
}
