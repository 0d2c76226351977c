//! The clauses about connectors and masters that no case can show, and why not.

/// Each with the reason; whoever adds a case takes the line out.
pub(crate) const UNSHOWN: [(&str, &str); 21] = [
    (
        "LS-136",
        "an alarm stands in the log of the member, which has no form that the suite could read",
    ),
    ("LS-244", "what a command prints for its operator has no form that the suite could read"),
    (
        "MA-020",
        "the system asks, in real time, and the clock of the suite is another one; and the system at the \
         other end of a loopback always answers, whatever the suite does there",
    ),
    ("MA-046", NOBODY_CHANGES_VOTERS),
    ("MA-047", NOBODY_CHANGES_VOTERS),
    (
        "MA-043",
        "the clock of the suite never goes over a timer that is due, and whether that of a process that \
         was stopped or of a machine that slept has gone on, only real time could show",
    ),
    ("MA-054", "what a command prints for its operator has no form that the suite could read"),
    ("MA-071", NOBODY_APPOINTS),
    ("MA-072", NOBODY_APPOINTS),
    ("MA-075", "what an operator is shown has no form that is the same everywhere"),
    ("MA-080", NOBODY_RUNS_ETCD),
    ("MA-081", NOBODY_RUNS_ETCD),
    ("MA-082", NOBODY_RUNS_ETCD),
    ("MA-083", NOBODY_RUNS_ETCD),
    ("MA-084", NOBODY_RUNS_ETCD),
    ("MA-085", NOBODY_RUNS_ETCD),
    ("MA-086", NOBODY_RUNS_ETCD),
    ("MA-087", NOBODY_RUNS_ETCD),
    ("MA-088", NOBODY_RUNS_ETCD),
    ("MA-089", NOBODY_RUNS_ETCD),
    ("MA-100", "no case has a file yet that changes while a member runs"),
];

const NOBODY_CHANGES_VOTERS: &str = "no case has a file yet that changes the voters of a group";

const NOBODY_APPOINTS: &str = "no case has an operator yet that makes another master";

const NOBODY_RUNS_ETCD: &str = "the suite brings no etcd along, whose time would be the real one";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::UNSHOWN;
    use crate::cases::{CLAUSES, all};

    #[test]
    fn every_demand_of_link_state_and_master_has_a_case_or_a_reason() {
        let all = all().expect("the cases are sound");
        let shown: BTreeSet<&str> =
            all.iter().flat_map(|case| &case.verifies).map(String::as_str).collect();
        let demands = CLAUSES.iter().filter(|(id, text)| {
            (id.starts_with("LS-") || id.starts_with("MA-")) && text.contains("MUST")
        });
        let bare: BTreeSet<&str> =
            demands.map(|(id, _)| *id).filter(|id| !shown.contains(id)).collect();
        let excused = BTreeSet::from(UNSHOWN.map(|(id, _)| id));
        assert_eq!(bare, excused, "on the left who has no case, on the right who has a reason");
    }
}
