//! Lifetime, refresh and the mark of what is stale.

use core::ops::RangeInclusive;

use crate::bench::*;
use crate::network::{Network, figure_3_14, member};
use bridgehead::kernel::{Act, Machine as _, Span, Time};
use bridgehead::protocol::linkstate::schedule::ScheduleTimer;
use bridgehead::protocol::linkstate::{
    ConnectorState, DEFAULT_LIFETIME_S, LinkDurable, LinkState, LinkTimer, NextHop, ReportRow,
    TABLE_LIMIT, Table, Traits, check_record,
};

/// When the next refresh may come, as `acts` say last.
fn refresh_within(acts: &[Act<LinkState>]) -> Option<RangeInclusive<Span>> {
    let mut armed = acts.iter().filter_map(|act| match act {
        Act::Arm { timer: LinkTimer::Refresh, within } => Some(within.clone()),
        _ => None,
    });
    armed.next_back()
}

fn row(bench: &Bench, group: &str, now: Time) -> ReportRow {
    let rows = bench.node.machine().rows(now);
    rows.into_iter().find(|row| row.group.as_str() == group).expect("it is in the table")
}

/// What the node has written, as the disk has it.
fn disk(bench: &Bench) -> LinkDurable {
    let mut durable = LinkDurable::default();
    for act in &bench.boot {
        if let Act::Write(change) = act {
            LinkState::apply(&mut durable, change);
        }
    }
    durable
}

/// LS-151, MA-007: in an organization at rest each group is refreshed every six to eight hours, nothing else
/// happens, and each connector carries it at most once.
fn refreshed(faults: &[&str]) -> (String, usize) {
    let mut network = Network::new(figure_3_14());
    network.plant(faults);
    network.run_for(Span::minutes(2));
    let since = network.now;
    network.run_for(Span::hours(25));
    let table = network.agreed().clone();
    let versions: Vec<_> = table.records().map(|r| r.version.to_string()).collect();
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
    let most = network.told(since).values().map(Vec::len).max().unwrap_or(0);
    (versions[0].clone(), most)
}

#[test]
fn records_are_refreshed() {
    // This network is always early: 25 hours have four times six. A connector carries the refreshes of
    // the four other groups at most.
    let (version, most) = refreshed(&[]);
    assert_eq!(version, "1.1.0.4");
    assert!(most <= 4 * 4, "{most} NEWS over one connector");
    assert_eq!(refreshed(&["never-refreshes"]).0, "1.1.0.0");
}

/// LS-151: what is late does not come at once, and nobody comes at the same time as all others.
#[test]
fn refreshes_are_spread() {
    let hours = |from: u64, to: u64| Some(Span::minutes(from)..=Span::minutes(to));
    let mut bench = Bench::boot(figure_3_14(), &member(5, 'b'), LinkDurable::default());
    assert_eq!(refresh_within(&bench.boot), hours(360, 480));
    let durable = disk(&bench);
    for (pause, within) in [(1, hours(300, 420)), (7, hours(30, 120)), (100, hours(30, 120))] {
        let now = Time(0) + Span::hours(pause);
        let again = Bench::boot_at(now, figure_3_14(), &member(5, 'b'), durable.clone());
        assert_eq!(refresh_within(&again.boot), within, "after {pause} hours");
    }
    // Whatever is published begins the interval anew, a refresh as well.
    bench.sync();
    bench.now = Time(0) + Span::hours(7);
    let acts = bench.timer(LinkTimer::Refresh);
    assert_eq!(refresh_within(&acts), hours(360, 480));
    assert_eq!(bench.version("RG5"), "1.1.0.1");
    // Who is not the master refreshes nothing.
    let other = Bench::boot(figure_3_14(), &member(5, 'a'), durable);
    assert_eq!(refresh_within(&other.boot), None);
    // The operator says how often.
    let mut often = figure_3_14();
    often.link_state.lifetime_s = 600;
    assert_eq!(often.check(), []);
    let bench = Bench::boot(often.clone(), &member(5, 'b'), LinkDurable::default());
    assert_eq!(refresh_within(&bench.boot), Some(Span::seconds(150)..=Span::seconds(200)));
    assert_eq!(bench.first().lifetime_s, 600);
    often.link_state.refresh_s = Some(60);
    let bench = Bench::boot(often, &member(5, 'b'), LinkDurable::default());
    assert_eq!(refresh_within(&bench.boot), Some(Span::seconds(45)..=Span::seconds(60)));
}

/// LS-151: a change of a connector counts anew from user number 0; another configuration in force is
/// not refreshed.
#[test]
fn a_refresh_says_nothing_new() {
    let mut bench = Bench::boot(figure_3_14(), &member(5, 'b'), LinkDurable::default());
    bench.sync();
    let before = bench.first();
    bench.timer(LinkTimer::Refresh);
    let after = bench.first();
    assert_eq!((after.version.minor, after.version.user), (0, 1));
    assert_eq!((after.members, after.connectors), (before.members, before.connectors));
    let mut next = figure_3_14();
    next.revision = 2;
    bench.config.organization = next.into();
    let acts = bench.timer(LinkTimer::Refresh);
    assert!(!acts.iter().any(|act| matches!(act, Act::Write(_))), "the file was not taken yet");
    assert!(bench.node.armed().contains(&LinkTimer::Refresh));
}

/// LS-152, LS-153: a record grows old, also over a restart; it is shown, and nothing else comes of it.
#[test]
fn stale_is_a_mark() {
    let mut bench = Bench::boot(figure_3_14(), &member(2, 'a'), LinkDurable::default());
    let learnt = Time(0) + Span::hours(1);
    bench.now = learnt;
    let mut far = record(4, 1, 1, ConnectorState::Up);
    far.lifetime_s = 7_200;
    let mut own = record(2, 1, 1, ConnectorState::Up);
    own.connectors[0].name = "RG2-RG4".into();
    own.connectors[0].to = "RG4".into();
    let acts = bench.news(&inbound(1, &member(1, 'a')), vec![far, own]);
    let routed = |bench: &Bench| {
        bench.node.machine().next_hop(&bench.config, &"RG4".into(), &Traits::default(), 0)
    };
    bench.timer(LinkTimer::Schedule(ScheduleTimer::Compute));
    let (digest, route) = (bench.digest(), routed(&bench));
    assert_eq!(route, NextHop::Connector("RG2-RG4".into()));
    for (age, stale) in [(0, false), (7_200, false), (7_201, true), (90_000, true)] {
        let row = row(&bench, "RG4", learnt + Span::seconds(age));
        assert_eq!((row.age_s, row.stale), (age, stale));
    }
    let row_of_own = row(&bench, "RG2", learnt + Span::seconds(u64::from(DEFAULT_LIFETIME_S) + 1));
    assert!(row_of_own.stale, "a day is the default");
    // A clock that was set back makes nothing old.
    assert_eq!(row(&bench, "RG4", Time(0)).age_s, 0);
    let mut durable = LinkDurable::default();
    for act in &acts {
        if let Act::Write(change) = act {
            LinkState::apply(&mut durable, change);
        }
    }
    let late = learnt + Span::hours(100);
    let again = Bench::boot_at(late, figure_3_14(), &member(2, 'a'), durable.clone());
    assert_eq!(row(&again, "RG4", late).age_s, 360_000, "no restart makes it young");
    assert!(row(&again, "RG4", late).stale);
    assert_eq!((again.digest(), routed(&again)), (digest, route), "the mark changes nothing");
    // A disk of before does not say when: the age is counted from the boot.
    durable.learnt.clear();
    let again = Bench::boot_at(late, figure_3_14(), &member(2, 'a'), durable);
    assert_eq!(row(&again, "RG4", late + Span::seconds(5)).age_s, 5);
}

/// LS-152: the mark needs no timer: as many run for ten thousand records as for none.
#[test]
fn no_record_has_a_timer() {
    let armed = |count: usize| {
        let records = (0..count).map(|n| record(10_000 + n, 1, 0, ConnectorState::Up));
        let durable = LinkDurable { records: Table::new(records), ..LinkDurable::default() };
        let bench = Bench::boot(figure_3_14(), &member(5, 'b'), durable);
        bench.node.armed().clone()
    };
    assert_eq!(armed(TABLE_LIMIT - 1), armed(0));
    assert_eq!(armed(0), [LinkTimer::Refresh].into(), "the master's own");
}

/// LS-005, LS-150, LS-155: lifetimes have limits, in records and in the file.
#[test]
fn lifetimes_have_limits() {
    for (lifetime, is_good) in [(59, false), (60, true), (2_592_000, true), (2_592_001, false)] {
        let mut checked = record(4, 1, 1, ConnectorState::Up);
        checked.lifetime_s = lifetime;
        assert_eq!(check_record(&checked).is_ok(), is_good, "{lifetime}");
        let mut organization = figure_3_14();
        organization.link_state.lifetime_s = lifetime;
        let problems = organization.check();
        assert_eq!(problems.is_empty(), is_good, "{lifetime}: {problems:?}");
    }
    for (refresh, is_good) in [(19, false), (20, true), (43_200, true), (43_201, false)] {
        let mut organization = figure_3_14();
        organization.link_state.refresh_s = Some(refresh);
        let problems = organization.check();
        assert_eq!(problems.is_empty(), is_good, "{refresh}");
        if let [problem] = &problems[..] {
            assert_eq!(problem.place, "link_state.refresh_s");
            assert_eq!(problem.problem, format!("is {refresh}, expected 20 to 43200"));
        }
    }
    // The default says nothing of itself: encodings of before stand.
    let json = serde_json::to_string(&record(4, 1, 1, ConnectorState::Up)).unwrap();
    assert!(!json.contains("lifetime"), "{json}");
    let mut short = record(4, 1, 1, ConnectorState::Up);
    short.lifetime_s = 600;
    assert!(serde_json::to_string(&short).unwrap().ends_with(r#","lifetime_s":600}"#));
}
