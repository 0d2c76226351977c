//! Convergence on every shape, small: the same code as `bridgehead sim converge`.

use std::collections::BTreeMap;

use bridgehead::kernel::Span;
use bridgehead::protocol::faults::Faults;
use bridgehead::sim::converge::{
    Delays, Disks, Outcome, Passed, Plan, Relearnt, Row, Shape, converge, restart,
};

fn plan(shape: Shape, groups: usize, members: usize) -> Plan {
    Plan { shape, groups, members, delays: Delays::default(), seed: 1, faults: Faults::none() }
}

fn held(plan: &Plan) -> Vec<Row> {
    let outcome = converge(plan, None);
    assert_eq!(outcome.stuck, None);
    assert_eq!(outcome.breaches, [""; 0], "{} of {}", plan.shape, plan.groups);
    assert_eq!(outcome.rows.len(), 2, "DOWN and UP");
    outcome.rows
}

fn relearnt(plan: &Plan, disks: Disks) -> Relearnt {
    let Outcome { mut rows, breaches, stuck } = restart(plan, disks, None);
    assert_eq!((breaches, stuck), (Vec::new(), None));
    rows.pop().expect("one row")
}

/// LS-200, LS-201, LS-017: the bound, one NEWS for each connector, and no octet that is not the change's.
#[test]
fn ten_groups_agree_within_the_bound() {
    for shape in Shape::ALL {
        for row in held(&plan(shape, 10, 1)) {
            assert!(row.connected.carried >= 9, "{shape}: every other group is told");
            assert!(row.agreed_after > Span::ZERO, "{shape}: it takes time");
        }
    }
}

/// LS-200: with a master between two bridgeheads.
#[test]
fn groups_of_three_members_agree_within_the_bound() {
    for shape in Shape::ALL {
        for row in held(&plan(shape, 6, 3)) {
            assert!(row.local.messages > 0, "{shape}: members and master speak");
        }
    }
}

/// LS-201: one hundred groups cost each connector what ten do, and flooding the table does not.
#[test]
fn a_change_costs_the_same_in_tables_of_all_sizes() {
    for shape in [Shape::Ring, Shape::Hub] {
        let (small, large) = (held(&plan(shape, 10, 1)), held(&plan(shape, 100, 1)));
        for (small, large) in small.iter().zip(&large) {
            assert_eq!(small.exchange_octets, large.exchange_octets, "{shape}");
            let of_tables = |row: &Row| row.flood.table_octets;
            assert!(of_tables(large) > 9 * of_tables(small), "{shape}: the flood has the table");
            assert!(large.flood.agreed_after > large.agreed_after, "{shape}: and takes longer");
        }
    }
}

/// LS-201: the planted flood of the whole table is found, on every shape.
#[test]
fn a_whole_table_flood_is_found() {
    let faults = Faults::named(["whole-table-flood"]).expect("a planted bug");
    for shape in Shape::ALL {
        let outcome = converge(&Plan { faults: faults.clone(), ..plan(shape, 10, 1) }, None);
        let found = outcome.breaches.iter().any(|breach| breach.starts_with("LS-201: "));
        assert!(found, "{shape}: {:?}", outcome.breaches);
    }
}

/// What is found where these planted bugs are on a ring.
fn found(faults: &[&str], groups: usize, delays: Delays) -> Vec<String> {
    let faults = Faults::named(faults.iter().copied()).expect("planted bugs");
    let plan = Plan { faults, delays, ..plan(Shape::Ring, groups, 1) };
    converge(&plan, None).breaches
}

/// LS-200: who learns a change too late is found, and who never does.
#[test]
fn a_bound_that_is_not_kept_is_found() {
    let late = Delays { jitter: Span::seconds(10), ..Delays::default() };
    let breaches = found(&[], 10, late);
    let is_late = |change: &str| {
        let start = format!("LS-200: ring of 10 groups, {change}: agreed after");
        breaches.iter().any(|breach| breach.starts_with(&start))
    };
    assert!(is_late("DOWN") && is_late("UP"), "{breaches:?}");
    // The origin tells the neighbour to which it has a way, and that one tells nobody.
    let breaches = found(&["nobody-forwards"], 10, Delays::default());
    let missing = |count: usize| {
        let start = format!("LS-200: {count} members have not version");
        breaches.iter().any(|breach| breach.starts_with(&start))
    };
    assert!(missing(8), "{breaches:?}");
}

/// LS-017, LS-201: a connector that carries a change twice, more than one query, or an octet of something else is
/// found; what is allowed is not.
#[test]
fn what_a_change_may_not_cost_is_found() {
    let row = &held(&plan(Shape::Ring, 4, 1))[0];
    let warm = relearnt(&plan(Shape::Ring, 4, 1), Disks::Warm).connected;
    let query = warm.octets / warm.queries;
    let clauses = |carried: u64, queries: u64, more: u64| {
        let octets = carried * row.exchange_octets + queries * query + more;
        let passed = Passed { carried, queries, octets, ..Passed::default() };
        let breaches = row.breaches(&BTreeMap::from([("RG1-RG2".into(), passed)]));
        breaches.iter().map(|breach| breach[..6].to_owned()).collect::<Vec<_>>()
    };
    for (carried, queries) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        assert_eq!(clauses(carried, queries, 0), [""; 0]);
    }
    assert_eq!(clauses(2, 0, 0), ["LS-017"]);
    assert_eq!(clauses(1, 2, 0), ["LS-201"]);
    assert_eq!(clauses(1, 0, 1), ["LS-201"]);
}

/// LS-202: tables that differ in the end are found, and records that nobody lacked.
#[test]
fn a_restart_that_goes_wrong_is_found() {
    let (warm, cold) = (Disks::Warm, Disks::Cold);
    let breaches = |disks, tables, records| {
        let mut row = relearnt(&plan(Shape::Ring, 4, 1), disks);
        row.local.records += records;
        row.breaches(tables)
    };
    assert_eq!(breaches(warm, 1, 0), [""; 0]);
    assert_eq!(breaches(cold, 1, 1), [""; 0], "they lack everything");
    assert_eq!(breaches(cold, 2, 0), ["LS-202: ring of 4 groups, cold: 2 different tables"]);
    let told = "LS-202: ring of 4 groups, warm: 1 records, expected digests alone";
    assert_eq!(breaches(warm, 1, 1), [told]);
}

/// LS-200: the bound is near what happens: a chain of groups needs it, but for the commits, during
/// which the next connection opens.
#[test]
fn the_bound_is_not_idle() {
    let rows = held(&plan(Shape::Ring, 100, 1));
    assert_eq!(rows[0].eccentricity, 99);
    assert!(rows[0].agreed_after.0 * 100 > rows[0].bound.0 * 98, "the rest of it is not idle");
}

/// LS-202: from disk, digests alone travel; from nothing, everything, and once over each connector at least.
#[test]
fn all_members_restart_at_once() {
    for (shape, members) in [(Shape::Ring, 1), (Shape::Hub, 1), (Shape::Grid, 3)] {
        let plan = plan(shape, 9, members);
        let warm = relearnt(&plan, Disks::Warm);
        assert_eq!((warm.connected.records, warm.local.records), (0, 0), "{shape}");
        assert_eq!(warm.agreed_after, Span::ZERO, "{shape}: no table grows");
        assert_eq!(warm.connected.queries, warm.connectors as u64, "{shape}: one on each");
        let cold = relearnt(&plan, Disks::Cold);
        assert!(cold.connected.records >= 9 * 8, "{shape}: every group learns of eight");
        assert!(cold.agreed_after > Span::ZERO);
    }
}

/// LS-200, LS-201, LS-202 at full size, and with the seeds of ten random graphs.
#[test]
#[ignore = "a thousand groups: minutes in a debug build"]
fn long_a_thousand_groups_agree_within_the_bound() {
    for shape in Shape::ALL {
        held(&plan(shape, 1_000, 1));
        relearnt(&plan(shape, 1_000, 1), Disks::Warm);
    }
    for seed in 1..=10 {
        held(&Plan { seed, ..plan(Shape::Random, 300, 1) });
    }
}
