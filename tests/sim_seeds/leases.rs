//! C8: accounts that a master leases to the members of its group, under every fault that the simulator has. What a
//! member asks of the house that they share is late, is lost on its way back, and outlives its process.

use std::path::Path;
use std::sync::Arc;

use bridgehead::kernel::Span;
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::{Plan, Watch, run_seed};

use super::{hold_all, is_found_in};

fn plan() -> Plan {
    let organization = load_organization(Path::new("examples/leased.toml"));
    Plan::new(Arc::new(organization.expect("the example is right")), Span::minutes(15))
}

/// MA-060 to MA-069, MA-101 to MA-105, DE-100 to DE-108 in whole members: no mail is lost or doubled, one member at a
/// time has an account, and everything ends.
#[test]
fn seeds_with_leased_accounts_hold() {
    hold_all(1..=2, |_| plan());
    let trace = run_seed(&plan(), 1, Watch { rows: false, trace: true }).trace;
    let opened = trace.matches("\"what\":\"house\"").count();
    assert!(opened > 10, "the house was asked only {opened} times");
}

/// The same for many more.
#[test]
#[ignore = "two hundred whole organizations"]
fn long_seeds_with_leased_accounts_hold() {
    hold_all(1..=200, |_| plan());
}

/// MA-063: a master that leases an account twice is found by the two members that have it.
#[test]
fn two_owners_at_one_time_are_found() {
    is_found_in("grants-what-it-keeps", "C8", 1..=1, |_| plan());
}
