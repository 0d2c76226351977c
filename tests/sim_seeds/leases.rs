//! C8: accounts that a master leases to the members of its group, under every fault that the simulator has. What a
//! member asks of the house that they share is late, is lost on its way back, and outlives its process.

use std::path::Path;
use std::sync::Arc;

use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::{Plan, Verdict, Watch, run_seed};

use super::hold_all;

fn plan() -> Plan {
    let organization = load_organization(Path::new("examples/leased.toml"));
    Plan::new(Arc::new(organization.expect("the example is right")), Span::minutes(15))
}

/// MA-060 to MA-069, MA-101 to MA-105, DE-100 to DE-108 in whole members: no mail is lost or doubled, one member at a
/// time has an account, and everything ends.
#[test]
fn a_seed_with_leased_accounts_holds() {
    let played = run_seed(&plan(), 1, Watch { rows: false, trace: true });
    assert_eq!(played.verdict, Verdict::Held);
    let asked = played.trace.matches("\"what\":\"house\"").count();
    assert!(asked > 10, "the store was asked only {asked} times");
}

/// The same for many more.
#[test]
#[ignore = "two hundred whole organizations"]
fn long_seeds_with_leased_accounts_hold() {
    hold_all(1..=200, |_| plan());
}

/// MA-063: a master that leases what it keeps is found by the two members that have it. Without the bug this seed
/// holds: it is the one above.
#[test]
fn two_owners_at_one_time_are_found() {
    let faults = Faults::named(["grants-what-it-keeps"]).expect("tests have planted faults");
    let found = run_seed(&Plan { faults, ..plan() }, 1, Watch::default()).verdict;
    assert_eq!(found.kind(), "C8", "{found}");
}
