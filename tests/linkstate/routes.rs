//! When a member routes by what it knows: RFC 8405 around the machine.

use bridgehead::kernel::{Act, Span};
use bridgehead::protocol::linkstate::explain::{Closed, Verdict, explain};
use bridgehead::protocol::linkstate::schedule::{self, ScheduleTimer};
use bridgehead::protocol::linkstate::{
    Barrier, ConnectorState, LinkDurable, LinkEvent, LinkState, LinkTimer, NextHop, Record,
    Restrictions, Table, Traits, check_record,
};
use bridgehead::wire::restrictions::{SENDERS_LIMIT, SenderId};

use super::bench::{Bench, answer, armed, inbound, problems, record};
use super::network::{figure_3_14, member, organization};

const COMPUTE: LinkTimer = LinkTimer::Schedule(ScheduleTimer::Compute);
const LEARN: LinkTimer = LinkTimer::Schedule(ScheduleTimer::Learn);

fn computed(acts: &[Act<LinkState>]) -> bool {
    acts.contains(&Act::Event(LinkEvent::RoutesComputed))
}

/// The record of a group of the figure with its connectors in these states.
fn figure(number: usize, minor: u32, states: &[(usize, u32, ConnectorState)]) -> Record {
    let mut figure = record(number, 1, minor, ConnectorState::Up);
    let template = figure.connectors.remove(0);
    for (to, cost, state) in states {
        let mut connector = template.clone();
        connector.name = format!("RG{number}-RG{to}").as_str().into();
        connector.to = format!("RG{to}").as_str().into();
        (connector.cost, connector.state) = (*cost, *state);
        figure.connectors.push(connector);
    }
    figure
}

/// rg1-a with a table in which RG2 and RG3 lead to RG4.
fn bench() -> Bench {
    let up = ConnectorState::Up;
    let records = vec![
        figure(1, 0, &[(2, 10, up), (3, 20, up)]),
        figure(2, 0, &[(1, 10, up), (4, 10, up)]),
        figure(3, 0, &[(1, 20, up), (4, 20, up)]),
        figure(4, 0, &[]),
    ];
    Bench::boot(
        figure_3_14(),
        &member(1, 'a'),
        LinkDurable { records: records.into(), ..LinkDurable::default() },
    )
}

fn hop(bench: &Bench, octets: u64) -> NextHop {
    let traits = Traits { octets, ..Traits::default() };
    bench.node.machine().next_hop(&bench.config, &"RG4".into(), &traits, 0)
}

fn over(name: &str) -> NextHop {
    NextHop::Connector(name.into())
}

/// LS-181, LS-180, LS-182: a member routes by the table of its last computation, which the first change has
/// to wait for 50 ms; at the boot there is nothing to wait for.
#[test]
fn a_member_routes_by_the_table_of_its_last_computation() {
    let mut bench = bench();
    assert_eq!(armed(&bench.boot, &COMPUTE), []);
    assert_eq!(hop(&bench, 1), over("RG1-RG2"), "LS-182");
    let news = figure(2, 1, &[(1, 10, ConnectorState::Up), (4, 10, ConnectorState::Down)]);
    let (key, version) = (news.key(), news.version.clone());
    let acts = bench.news(&inbound(1, &member(2, 'a')), vec![news]);
    assert_eq!(armed(&acts, &COMPUTE), [Span::milliseconds(50)], "LS-180");
    assert!(acts.contains(&Act::Event(LinkEvent::TableChanged)) && !computed(&acts));
    assert_eq!(hop(&bench, 1), over("RG1-RG2"), "the table is known, and does not route yet");
    let versions = [(key, version)].into();
    assert!(!bench.node.machine().covers(&versions), "LS-045, LS-181");
    assert_ne!(bench.node.machine().routing_versions(), bench.node.machine().versions());
    let acts = bench.timer(COMPUTE);
    assert!(computed(&acts));
    assert_eq!(hop(&bench, 1), over("RG1-RG3"));
    assert!(bench.node.machine().covers(&versions));
    assert_eq!(bench.node.machine().routing_versions(), bench.node.machine().versions());
}

/// LS-180: while changes go on, they are computed more and more seldom.
#[test]
fn a_storm_of_changes_is_computed_seldom() {
    let mut bench = bench();
    let from = inbound(1, &member(2, 'a'));
    let mut minor = 0;
    let mut change = |bench: &mut Bench| {
        minor += 1;
        let state = if minor % 2 == 1 { ConnectorState::Down } else { ConnectorState::Up };
        let news = figure(2, minor, &[(1, 10, ConnectorState::Up), (4, 10, state)]);
        armed(&bench.news(&from, vec![news]), &COMPUTE)
    };
    assert_eq!(change(&mut bench), [schedule::INITIAL_DELAY]);
    assert_eq!(change(&mut bench), [], "one computation is for both");
    bench.timer(COMPUTE);
    assert_eq!(change(&mut bench), [schedule::SHORT_DELAY]);
    bench.timer(COMPUTE);
    bench.timer(LEARN);
    assert_eq!(change(&mut bench), [schedule::LONG_DELAY]);
    bench.timer(COMPUTE);
    bench.timer(LinkTimer::Schedule(ScheduleTimer::HoldDown));
    assert_eq!(change(&mut bench), [schedule::INITIAL_DELAY]);
}

/// LS-183: what is said again about the same connectors routes at once, unless a change of them waits.
#[test]
fn what_alters_no_route_does_not_wait() {
    let mut bench = bench();
    let from = inbound(1, &member(2, 'a'));
    let (up, down) = (ConnectorState::Up, ConnectorState::Down);
    let acts = bench.news(&from, vec![figure(2, 1, &[(1, 10, up), (4, 10, up)])]);
    assert!(computed(&acts) && armed(&acts, &COMPUTE).is_empty());
    assert_eq!(bench.node.machine().routing_versions(), bench.node.machine().versions());
    bench.news(&from, vec![figure(2, 2, &[(1, 10, up), (4, 10, down)])]);
    let acts = bench.news(&from, vec![figure(2, 3, &[(1, 10, up), (4, 10, down)])]);
    assert!(!computed(&acts), "a change of them waits");
    bench.timer(COMPUTE);
    assert_eq!(hop(&bench, 1), over("RG1-RG3"));
}

/// LS-170, LS-041: the limit in the record routes, whatever the configuration of this member says.
#[test]
fn a_restriction_counts_where_it_stands_in_the_record() {
    let mut bench = bench();
    let mut news = figure(2, 1, &[(1, 10, ConnectorState::Up), (4, 10, ConnectorState::Up)]);
    news.connectors[1].restrictions.size_limit_octets = Some(1_000);
    bench.news(&inbound(1, &member(2, 'a')), vec![news]);
    bench.timer(COMPUTE);
    assert_eq!(hop(&bench, 1_000), over("RG1-RG2"));
    assert_eq!(hop(&bench, 1_001), over("RG1-RG3"));
    let mut configured = figure_3_14();
    configured.connectors[0].size_limit_octets = Some(10);
    assert_eq!(configured.connectors[0].name.as_str(), "RG1-RG2");
    bench.config.organization = configured.into();
    assert_eq!(hop(&bench, 1_000), over("RG1-RG2"), "LS-170");
}

/// LS-173: a record with restrictions that are not as they must be is not merged.
#[test]
fn restrictions_have_limits_and_an_order() {
    let from = inbound(1, &member(2, 'a'));
    let ids = |count: u64| (0..count).map(SenderId).collect::<Vec<_>>();
    let limit = SENDERS_LIMIT as u64;
    let wrong = [
        Restrictions { senders_denied: ids(limit + 1), ..Default::default() },
        Restrictions { senders_allowed: vec![SenderId(2), SenderId(1)], ..Default::default() },
        Restrictions { senders_allowed: vec![SenderId(1), SenderId(1)], ..Default::default() },
        Restrictions {
            priorities: serde_json::from_str(r#"["high","low"]"#).expect("two priorities"),
            ..Default::default()
        },
    ];
    for restrictions in wrong {
        let mut news = record(2, 9, 0, ConnectorState::Up);
        news.connectors[0].restrictions = restrictions;
        assert!(check_record(&news).is_err());
        let mut bench = bench();
        let acts = bench.news(&from, vec![news, record(5, 1, 0, ConnectorState::Up)]);
        assert_eq!(problems(&acts).len(), 1, "{acts:?}");
        assert_eq!(bench.version("RG2"), "1.1.0.0");
        assert_eq!(bench.version("RG5"), "1.1.0.0", "the others are merged");
        answer(&acts, &from);
    }
    let mut most = record(2, 9, 0, ConnectorState::Up);
    most.connectors[0].restrictions.senders_denied = ids(limit);
    assert_eq!(check_record(&most), Ok(()));
}

/// LS-170, LS-172: a master publishes what the organization says, senders as ids; LS-003: nothing where it
/// says nothing.
#[test]
fn a_master_publishes_the_restrictions() {
    let mut organization = organization(2, &[(1, 2, 10)]);
    let connector = &mut organization.connectors[0];
    connector.size_limit_octets = Some(1_000);
    connector.senders_denied = vec!["Ann@example.net".into(), "<>".into()];
    assert_eq!(organization.check(), []);
    let bench = Bench::boot(organization, &member(1, 'b'), LinkDurable::default());
    let record = bench.node.machine().table().get(&"RG1".into()).expect("it was published");
    let canonical = serde_json::to_string(&record).expect("a record is JSON");
    // SHA-256 of `<>` begins with 24295a9c545a402d, whoever computes it.
    let ids = [SenderId::of("<>"), SenderId::of("ann@example.net")];
    let mut ids = ids.map(|id| id.to_string());
    ids.sort();
    let expected = format!(
        r#""sources":["rg1-a"],"restrictions":{{"size_limit_octets":1000,"senders_denied":["{}","{}"]}}"#,
        ids[0], ids[1]
    );
    assert!(canonical.contains(&expected), "{canonical}");
    assert!(ids.contains(&"24295a9c545a402d".to_owned()), "{ids:?}");
    let plain = Bench::boot(figure_3_14(), &member(1, 'b'), LinkDurable::default());
    let record = plain.node.machine().table().get(&"RG1".into()).expect("it was published");
    assert!(!serde_json::to_string(&record).expect("a record is JSON").contains("restrictions"));
}

/// LS-185: mail is spread only where the organization says so, and then by the lot of the message.
#[test]
fn mail_is_spread_where_the_organization_says_so() {
    let up = ConnectorState::Up;
    let mut bench = bench();
    let news = figure(3, 1, &[(1, 20, up), (4, 1, up)]);
    let own = figure(1, 1, &[(2, 10, up), (3, 19, up)]);
    bench.news(&inbound(1, &member(3, 'a')), vec![news, own]);
    bench.timer(COMPUTE);
    let hop = |bench: &Bench, lot| {
        bench.node.machine().next_hop(&bench.config, &"RG4".into(), &Traits::default(), lot)
    };
    assert_eq!([0, 1, 2].map(|lot| hop(&bench, lot)), [0, 1, 2].map(|_| over("RG1-RG2")));
    let mut spread = figure_3_14();
    spread.link_state.spread = true;
    bench.config.organization = spread.into();
    let expected = ["RG1-RG2", "RG1-RG3", "RG1-RG2"].map(over);
    assert_eq!([0, 1, 2].map(|lot| hop(&bench, lot)), expected);
}

/// Every word that is said of a candidate, and the route itself.
#[test]
fn every_candidate_has_its_verdict() {
    let (up, down) = (ConnectorState::Up, ConnectorState::Down);
    let mut first =
        figure(1, 0, &[(2, 10, up), (3, 20, up), (4, 99, down), (5, 1, up), (6, 20, up)]);
    for (name, to) in [("RG1-RG7", "RG7"), ("RG1-RG8", "RG8"), ("RG1-RG9", "RG2")] {
        let mut more = first.connectors[0].clone();
        (more.name, more.to) = (name.into(), to.into());
        first.connectors.push(more);
    }
    first.connectors[5].restrictions.size_limit_octets = Some(10);
    let table = Table::new([
        first,
        figure(2, 0, &[(4, 10, up)]),
        figure(3, 0, &[(4, 20, up)]),
        figure(4, 0, &[]),
        figure(5, 0, &[(1, 1, up), (4, 1, down)]),
        figure(6, 0, &[(3, 1, up), (2, 1, down)]),
        figure(7, 0, &[(4, 1, up)]),
        figure(8, 0, &[(9, 5, up)]),
        figure(9, 0, &[(4, 5, up)]),
    ]);
    let traits = Traits { octets: 11, ..Traits::default() };
    let ends = (&"RG1".into(), &"RG4".into());
    let shown = explain(&table, ends, &traits, false);
    assert_eq!(shown.cost, Some(20));
    let path: Vec<_> = shown.path.iter().map(|step| (step.connector.as_str(), step.cost)).collect();
    assert_eq!(path, [("RG1-RG2", 10), ("RG2-RG4", 10)]);
    let verdict = |name: &str| {
        let found = shown.candidates.iter().find(|candidate| candidate.connector.as_str() == name);
        found.expect("every connector is a candidate").verdict.clone()
    };
    assert_eq!(verdict("RG1-RG2"), Verdict::Chosen);
    assert_eq!(verdict("RG1-RG3"), Verdict::Costlier(20));
    assert_eq!(verdict("RG1-RG4"), Verdict::Down);
    let closed = Closed { connector: "RG5-RG4".into(), barrier: None };
    assert_eq!(verdict("RG1-RG5"), Verdict::NoWayOn(vec![closed]));
    assert_eq!(verdict("RG1-RG7"), Verdict::Barred(Barrier::TooLarge(10)));
    assert_eq!(verdict("RG1-RG8"), Verdict::MoreHops(1));
    assert_eq!(verdict("RG1-RG9"), Verdict::GreaterName);
    let spread = explain(&table, ends, &traits, true);
    assert_eq!(spread.candidates[7].verdict, Verdict::Equal);
    let cut = explain(&table, (&"RG4".into(), &"RG1".into()), &traits, true);
    assert_eq!((cut.cost, cut.path.len(), cut.candidates.len()), (None, 0, 0));
}
