//! Connectors that break and heal, masters that die, exits, hours and several sources: what C4 and C5 are for.

use std::path::Path;
use std::sync::Arc;

use bridgehead::kernel::Span;
use bridgehead::protocol::organization::{Account, Connector, LinkStatePolicy};
use bridgehead::server::configuration::load_organization;
use bridgehead::sim::{Plan, Verdict, Watch, run_seed};
use bridgehead::wire::ids::{ConnectorName, GroupName};

use super::{hold_all, is_found_in, plan, struck, without_limits};

/// Three groups, each with a connector to each other one. The middle one has two doors: `rg2-a` leads to RG1,
/// and its master to RG4; so RG1 may hear by way of RG4 what `rg2-a` does not know yet.
fn with_doors() -> Plan {
    let path = Path::new("examples/five-groups.toml");
    let mut organization = load_organization(path).expect("the example is right");
    organization.groups.retain(|group| ["RG1", "RG2", "RG4"].contains(&group.name.as_str()));
    for group in organization.groups.iter_mut().filter(|group| group.name.as_str() != "RG2") {
        group.members.truncate(1);
        group.master = Some(group.members[0].clone());
    }
    let groups = organization.groups.clone();
    let door = |of: usize, towards: usize| usize::from(of == 1 && towards == 2);
    let member = |of: usize, to: usize| vec![groups[of].members[door(of, to)].clone()];
    let pairs = [(0, 1, 10), (1, 0, 10), (1, 2, 10), (2, 1, 10), (0, 2, 50), (2, 0, 50)];
    let connector = |(from, to, cost): (usize, usize, u32)| Connector {
        name: ConnectorName(format!("{}-{}", groups[from].name, groups[to].name)),
        from: groups[from].name.clone(),
        to: groups[to].name.clone(),
        cost,
        sources: member(from, to),
        targets: member(to, from),
        size_limit_octets: None,
        priorities: Vec::new(),
        senders_allowed: Vec::new(),
        senders_denied: Vec::new(),
        schedule: Vec::new(),
    };
    organization.connectors = pairs.into_iter().map(connector).collect();
    let stays = |account: &Account| !["clara", "eva", "frank"].contains(&account.address.local());
    organization.accounts.retain(stays);
    let hosts = [0, 1, 2, 0].map(|group: usize| groups[group].members[0].clone());
    for (account, host) in organization.accounts.iter_mut().zip(hosts) {
        account.host = Some(host);
    }
    assert_eq!(organization.check(), []);
    without_limits(Arc::new(organization), Span::minutes(20))
}

/// The example where every member of a group carries each of its connectors and each failure is told as it is.
fn with_many_doors() -> Plan {
    let path = Path::new("examples/five-groups.toml");
    let mut organization = load_organization(path).expect("the example is right");
    organization.link_state.policy = LinkStatePolicy::Truth;
    let groups = organization.groups.clone();
    let members = |name: &GroupName| {
        let group = groups.iter().find(|group| group.name == *name);
        group.map(|group| group.members.clone()).expect("it is one of them")
    };
    for connector in &mut organization.connectors {
        (connector.sources, connector.targets) = (members(&connector.from), members(&connector.to));
    }
    assert_eq!(organization.check(), []);
    without_limits(Arc::new(organization), Span::minutes(20))
}

/// C4, C5, LS-018, LS-019, LS-034 and LS-045: connectors break and heal all the time, in one direction and in
/// both, masters die, and costs change, while mail is under way; some connectors stay broken in the end.
#[test]
fn seeds_with_struck_connectors_hold() {
    let mut counts = bridgehead::sim::LinkCounts::default();
    for seed in 1..=2 {
        for plan in [struck(plan()), struck(with_doors()), struck(with_many_doors())] {
            let played = run_seed(&plan, seed, Watch::default());
            assert_eq!(played.verdict, Verdict::Held, "seed {seed}, step {}", played.step);
            counts = counts.and(played.links);
        }
    }
    println!("{counts:?}");
    assert!(counts.crossings > 100, "mail crosses connectors: {counts:?}");
    assert!(counts.failed > 10 && counts.healed > 10, "connectors fail and heal: {counts:?}");
}

/// LS-215, LS-230 and LS-240 among them: exits, hours, restrictions, and connectors with two sources.
#[test]
fn seeds_with_exits_and_hours_hold() {
    let organization = load_organization(Path::new("examples/three-sites.toml"));
    let organization = Arc::new(organization.expect("the example is right"));
    let plan = Plan::new(organization, Span::minutes(20));
    hold_all(1..=15, |_| struck(plan.clone()));
}

/// C4: what the rules of LS-040, LS-019 and LS-045 are for.
#[test]
fn mail_by_other_tables_is_found() {
    is_found_in("routes-by-private-knowledge", "C4", 1..=30, |_| struck(plan()));
    is_found_in("news-when-idle", "C4", 3..=12, |_| struck(plan()));
    is_found_in("routes-by-a-smaller-table", "C4", 1..=30, |_| struck(plan()));
}

/// C5: who knows of a broken connector passes it on (LS-017).
#[test]
fn news_that_nobody_forwards_is_found() {
    is_found_in("nobody-forwards", "C5", 1..=5, |_| struck(plan()));
}
