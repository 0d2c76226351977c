//! C6: groups that elect their masters, under every fault that the simulator has.

use std::path::Path;
use std::sync::Arc;

use bridgehead::kernel::Span;
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::{Plan, Watch, run_seed};

use super::{hold_all, is_found_in, without_limits};

/// The example of elections; each run has masters that die, cuts of one direction, and other files.
fn plan() -> Plan {
    plan_of("examples/elected.toml")
}

/// The same where etcd decides: questions to it are late or lost, members are cut off from it, and its clock drifts.
fn plan_of_store() -> Plan {
    plan_of("examples/etcd.toml")
}

fn plan_of(example: &str) -> Plan {
    let organization = load_organization(Path::new(example));
    let organization = Arc::new(organization.expect("the example is right"));
    Plan { links_one_in: 1, ..without_limits(organization, Span::minutes(5)) }
}

/// MA-030 to MA-043 in whole members: one master at a time, and one in the end whom all follow.
#[test]
fn seeds_with_elections_hold() {
    hold_elections(1..=3);
    let elected: usize =
        (1..=2).map(|seed| run_seed(&plan(), seed, Watch::default()).links.elected).sum();
    assert!(elected > 4, "only {elected} masters were elected");
}

/// Groups that elect are in each of the 2,000 organizations that the release build plays in the gate.
pub(crate) fn hold_elections(seeds: core::ops::RangeInclusive<u64>) {
    hold_all(seeds, |_| plan());
}

/// MA-033, MA-036, MA-031: what makes two masters is found in whole organizations, too.
#[test]
fn two_masters_at_one_time_are_found() {
    is_found_in("votes-right-after-boot", "C6", 7..=46, |_| plan());
    for fault in ["lease-survives-a-boot", "two-promises"] {
        is_found_in(fault, "C6", 1..=40, |_| plan());
    }
}

/// C6, MA-036, MA-081 to MA-085 in whole members that ask a store.
#[test]
fn seeds_where_a_store_decides_hold() {
    hold_all(1..=3, |_| plan_of_store());
    let elected = run_seed(&plan_of_store(), 2, Watch::default()).links.elected;
    assert!(elected > 4, "only {elected} masters were elected");
}

/// MA-036, MA-081, MA-083: in whole organizations, too.
#[test]
fn two_masters_of_a_store_are_found() {
    is_found_in("heeds-no-holder", "C6", 1..=40, |_| plan_of_store());
    is_found_in("store-compares-nothing", "C6", 4..=43, |_| plan_of_store());
}
