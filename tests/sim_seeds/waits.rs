//! Mail that has to wait although nothing is broken: it is no violation, and ends when it must; and mail that
//! waits although there is a way is one.

use std::path::Path;
use std::sync::Arc;

use bridgehead::kernel::{Span, Time};
use bridgehead::protocol::organization::{LinkStatePolicy, Organization};
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::{Plan, Verdict, Watch, run_seed};

use super::{is_found_in, struck, without_limits};

/// The example of three sites, changed, with mail that has this time.
fn plan_of(expiry_hours: u32, change: impl Fn(&mut Organization)) -> Plan {
    let organization = load_organization(Path::new("examples/three-sites.toml"));
    let mut organization = organization.expect("the example is right");
    change(&mut organization);
    assert_eq!(organization.check(), []);
    let mut plan = without_limits(Arc::new(organization), Span::minutes(20));
    plan.policy.delay_notice_hours = 1;
    plan.policy.expiry_hours = expiry_hours;
    plan
}

/// Nobody of the organization may send from the branch, and what is broken is told.
fn with_bars() -> Plan {
    plan_of(5, |organization| {
        organization.link_state.policy = LinkStatePolicy::Truth;
        let way = organization.connectors.iter_mut().find(|c| c.name.as_str() == "Branch-Main");
        way.expect("the example has it").senders_denied = vec!["example.com".into()];
    })
}

/// What leads to the branch is for these days and hours.
fn with_hours(expiry_hours: u32, entry: &str) -> Plan {
    plan_of(expiry_hours, |organization| {
        organization.connectors.retain(|c| c.name.as_str() != "Main-Branch-day");
        let way = organization.connectors.iter_mut().find(|c| !c.schedule.is_empty());
        way.expect("the example has it").schedule =
            vec![serde_json::from_str(entry).expect("an entry of a schedule")];
    })
}

/// Every run holds, and in one of them mail waits until this time.
#[track_caller]
fn assert_waits(plan: &Plan, seeds: core::ops::RangeInclusive<u64>, until: Time) {
    let ends = seeds.map(|seed| {
        let played = run_seed(plan, seed, Watch::default());
        assert_eq!(played.verdict, Verdict::Held, "seed {seed}, step {}", played.step);
        played.now
    });
    let last = ends.max().expect("there are seeds");
    assert!(last > until, "everything has ended at {last:?}");
}

/// CU-032 and LS-043: what a restriction bars from its only way waits until its time is over, and is returned then.
#[test]
fn mail_that_nothing_carries_waits_for_its_end() {
    assert_waits(&with_bars(), 1..=2, Time(0) + Span::hours(5));
}

/// LS-240 and LS-243: what waits for the hours of its way goes when they begin; it is returned where its time is over
/// before. A run begins on a Thursday.
#[test]
fn mail_waits_for_the_hours_of_its_way() {
    let noon = with_hours(48, r#"{"days": ["thu"], "from": "12:00", "to": "12:30"}"#);
    assert_waits(&noon, 1..=1, Time(0) + Span::hours(11));
    let never = with_hours(5, r#"{"days": ["mon"], "from": "12:00", "to": "12:30"}"#);
    assert_waits(&never, 1..=1, Time(0) + Span::hours(5));
}

/// What had no way once and has one now must go: that some mail may wait excuses no other.
#[test]
fn mail_that_waits_although_there_is_a_way_is_found() {
    is_found_in("no-way-is-for-ever", "not live", 1..=3, |_| struck(with_bars()));
}
