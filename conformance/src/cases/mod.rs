//! All cases, and the clauses that they verify.

mod account_holder;
mod account_master;
mod account_member;
mod account_peers;
mod account_settings;
mod account_wire;
mod custody;
mod delivering;
mod doubt;
mod fellows;
mod handing_over;
mod handing_over_doubt;
mod handover_order;
mod hosts;
mod hosts_accounts;
mod hosts_rules;
mod limits;
mod link_absent;
mod link_ages;
mod link_detection;
mod link_driven;
mod link_exits;
mod link_exits_told;
mod link_group;
mod link_hours;
mod link_judgement;
mod link_lists;
mod link_members;
mod link_merge;
mod link_news;
mod link_operator;
mod link_pace;
mod link_peers;
mod link_port;
mod link_refused;
mod link_restart;
mod link_routes;
mod link_settings;
mod link_several;
mod link_tables;
mod link_terms;
mod links;
mod master_appointed;
mod master_candidate;
mod master_holder;
mod master_member;
mod master_peers;
mod master_seats;
mod master_settings;
mod master_voter;
mod master_wire;
mod master_witness;
mod members;
mod newer;
mod notices;
mod notices_told;
mod outside;
mod parcel;
mod queue;
mod receivers;
mod releases;
mod resumes;
mod roles;
mod rule_ids;
mod rules;
mod seen;
mod senders;
mod slow;
mod smtp_server;
mod submission;
mod submission_mail;
mod tls;
mod tls_callers;
mod transparency;
mod unshown;
mod verifying;
mod walk_several;
mod walk_single;

use std::collections::BTreeSet;

use crate::case::Case;
use crate::{twin, vectors};

pub(crate) use unshown::UNSHOWN;

include!(concat!(env!("OUT_DIR"), "/clauses.rs"));

/// The sentence of a clause.
pub(crate) fn clause(id: &str) -> Option<&'static str> {
    CLAUSES.iter().find(|(clause, _)| *clause == id).map(|(_, text)| *text)
}

/// Every case and every vector, in the order of a run.
pub(crate) fn all() -> Result<Vec<Case>, String> {
    let mut all = Vec::new();
    all.extend(smtp_server::cases());
    all.extend(submission::cases());
    all.extend(limits::cases());
    all.extend(members::cases());
    all.extend(handover_order::cases());
    all.extend(releases::cases());
    all.extend(resumes::cases());
    all.extend(receivers::cases());
    all.extend(fellows::cases());
    all.extend(hosts::cases());
    all.extend(hosts_rules::cases());
    all.extend(hosts_accounts::cases());
    all.extend(verifying::cases());
    all.extend(handing_over::cases());
    all.extend(handing_over_doubt::cases());
    all.extend(delivering::cases());
    all.extend(notices::cases());
    all.extend(notices_told::cases());
    all.extend(senders::cases());
    all.extend(custody::cases());
    all.extend(doubt::cases());
    all.extend(queue::cases());
    all.extend(links::cases());
    all.extend(link_detection::cases());
    all.extend(link_judgement::cases());
    all.extend(link_merge::cases());
    all.extend(link_news::cases());
    all.extend(link_routes::cases());
    all.extend(link_exits::cases());
    all.extend(link_exits_told::cases());
    all.extend(link_group::cases());
    all.extend(link_members::cases());
    all.extend(link_lists::cases());
    all.extend(link_hours::cases());
    all.extend(link_terms::cases());
    all.extend(link_restart::cases());
    all.extend(link_settings::cases());
    all.extend(link_refused::cases());
    all.extend(link_tables::cases());
    all.extend(link_ages::cases());
    all.extend(link_driven::cases());
    all.extend(link_port::cases());
    all.extend(link_absent::cases());
    all.extend(link_operator::cases());
    all.extend(link_pace::cases());
    all.extend(master_voter::cases());
    all.extend(master_candidate::cases());
    all.extend(master_holder::cases());
    all.extend(master_member::cases());
    all.extend(master_witness::cases());
    all.extend(master_seats::cases());
    all.extend(master_settings::cases());
    all.extend(master_wire::cases());
    all.extend(master_appointed::cases());
    all.extend(account_master::cases());
    all.extend(account_holder::cases());
    all.extend(account_member::cases());
    all.extend(account_settings::cases());
    all.extend(account_wire::cases());
    all.extend(transparency::cases());
    all.extend(walk_single::cases());
    all.extend(walk_several::cases());
    all.extend(link_several::cases());
    all.extend(rules::cases());
    all.extend(newer::cases());
    all.extend(roles::cases());
    all.extend(outside::cases());
    all.extend(slow::cases());
    all.extend(tls::cases());
    all.extend(tls_callers::cases());
    all.extend(vectors::cases()?);
    check(&all)?;
    Ok(all)
}

/// What no suite may get wrong: ids stand once, something is checked, negative cases have twins.
fn check(all: &[Case]) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    for case in all {
        let id = &case.id;
        if !ids.insert(id.as_str()) {
            return Err(format!("case {id} stands twice"));
        }
        if case.checks.is_empty() {
            return Err(format!("case {id} checks nothing"));
        }
        if case.verifies.is_empty() {
            return Err(format!("case {id} verifies nothing"));
        }
        if let Some(check) = case.forbids.iter().find(|f| !case.checks.iter().any(|c| c == *f)) {
            return Err(format!("case {id} forbids `{check}`, which it does not check"));
        }
    }
    twin::check(all)
}

#[cfg(test)]
mod tests {
    use super::{CLAUSES, all};

    /// An id such as `LS-017`, not a section of an RFC.
    fn is_clause(id: &str) -> bool {
        !id.starts_with("RFC")
    }

    #[test]
    fn every_cited_clause_exists() {
        for case in all().expect("the cases are sound") {
            for id in case.verifies.iter().filter(|id| is_clause(id)) {
                let exists = CLAUSES.iter().any(|(clause, _)| clause == id);
                assert!(exists, "{} cites {id}, which is not in the specification", case.id);
            }
        }
    }

    #[test]
    fn every_mutant_is_named_by_a_declared_check() {
        let all = all().expect("the cases are sound");
        for case in &all {
            for (mutant, check) in &case.kills {
                let declared = case.checks.iter().any(|declared| declared == check);
                assert!(declared, "{}: {mutant} by {check}, which is not declared", case.id);
            }
        }
        let mut mutants: Vec<&str> = all.iter().flat_map(|c| &c.kills).map(|(m, _)| *m).collect();
        mutants.sort_unstable();
        mutants.dedup();
        assert!(mutants.len() >= 115, "{mutants:?}");
    }

    #[test]
    fn there_are_enough_cases_and_vectors() {
        let all = all().expect("the cases are sound");
        let vectors = all.iter().filter(|case| case.is_vector).count();
        assert!(vectors >= 2_800, "{vectors} vectors");
        assert!(all.len() - vectors >= 1_060, "{} cases", all.len() - vectors);
        let of_links = all.iter().filter(|case| case.id.starts_with("link.")).count();
        assert!(of_links >= 340, "{of_links} cases of links");
        let of_masters = all.iter().filter(|case| case.id.starts_with("master.")).count();
        assert!(of_masters >= 130, "{of_masters} cases of elections");
        let of_accounts = all.iter().filter(|case| case.id.starts_with("account.")).count();
        assert!(of_accounts >= 85, "{of_accounts} cases of leased accounts");
    }
}
