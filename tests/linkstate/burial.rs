//! Groups that are no more, names that are used again, and records that contradict each other.

use crate::bench::*;
use crate::network::{Network, figure_3_14, member, organization};
use bridgehead::kernel::{Act, Input, LinkChange, Machine as _, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::schedule::ScheduleTimer;
use bridgehead::protocol::linkstate::{
    ALARMS_LIMIT, ConnectorState, LinkCommand, LinkDurable, LinkEvent, LinkPdu, LinkState,
    LinkTimer, NextHop, REASON_LIMIT_OCTETS, Record, TABLE_LIMIT, TERM_LIMIT, Table, Version,
    check_record,
};

/// The routes are computed (LS-180).
const COMPUTE: LinkTimer = LinkTimer::Schedule(ScheduleTimer::Compute);

fn tombstone(number: usize) -> Record {
    let mut record = record(number, 1, 0, ConnectorState::Up);
    record.version = Version::tombstone(member(1, 'b'));
    (record.members, record.connectors) = (vec![], vec![]);
    record.deleted = Some("sold off".into());
    record
}

fn uuid(number: usize) -> String {
    format!("{number:032x}")
}

fn bury(number: usize) -> LinkCommand {
    let (uuid, group) = (uuid(number), format!("RG{number}").as_str().into());
    LinkCommand::Bury { uuid, group, reason: "sold off".into() }
}

fn conflicts(acts: &[Act<LinkState>]) -> usize {
    acts.iter().filter(|act| matches!(act, Act::Event(LinkEvent::Conflict { .. }))).count()
}

/// LS-130: whatever a master can publish is smaller, whenever it comes; whoever tells it is told.
#[test]
fn a_tombstone_outlasts_every_record() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let from = inbound(1, &member(2, 'a'));
    bench.news(&from, vec![record(5, 3, 7, ConnectorState::Up)]);
    let routed_by = bench.node.machine().versions();
    let acts = bench.raw(Input::Command(bury(5)));
    assert!(acts.iter().any(|act| matches!(act, Act::Write(_))), "LS-007");
    assert!(!acts.iter().any(|act| matches!(act, Act::Send { .. })), "LS-008");
    bench.sync();
    assert_eq!(bench.version("RG5"), "", "no record speaks for the name");
    let grave = bench.node.machine().table().of(&uuid(5)).cloned().expect("it is kept");
    assert_eq!(grave.deleted.as_deref(), Some("sold off"));
    assert_eq!(grave.version, Version::tombstone(member(1, 'a')));
    let mut last = record(5, TERM_LIMIT, u32::MAX, ConnectorState::Up);
    last.version.major = u32::MAX;
    assert_eq!(check_record(&last), Ok(()));
    let acts = bench.news(&from, vec![last]);
    assert_eq!(answer(&acts, &from), [Record::clone(&grave)], "LS-016");
    assert_eq!(bench.node.machine().table().of(&uuid(5)), Some(&grave));
    // LS-137: what was routed by the record does not wait for it.
    bench.timer(COMPUTE);
    assert!(bench.node.machine().covers(&routed_by));
    // LS-006: and it is on the disk.
    let mut durable = LinkDurable::default();
    for record in bench.node.machine().records() {
        let change = bridgehead::protocol::linkstate::TableChange::Merged(vec![record.clone()]);
        LinkState::apply(&mut durable, &change);
    }
    let again = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
    assert_eq!(again.digest(), bench.digest());
    assert_eq!(again.node.machine().refuses_burial(&uuid(5)), Some("it is buried already"));
}

/// LS-131: what looks like a tombstone and is none.
#[test]
fn impossible_tombstones_are_refused() {
    type Edit = fn(&mut Record);
    let wrong: &[(&str, Edit)] = &[
        ("a tombstone with the version of a record", |r| r.version.term.counter = 4),
        ("a tombstone with the version of a record", |r| r.version.minor = 1),
        ("a tombstone with the version of a record", |r| r.version.term.nonce = 1),
        ("a tombstone with members, connectors or exits", |r| {
            r.members.push((member(3, 'a'), true));
        }),
        ("a tombstone with members, connectors or exits", |r| {
            r.exits = crate::exits::with_exit(3, 1, "*").exits;
        }),
        ("term counter at its end", |r| r.deleted = None),
        ("a reason with a control character, or of more than 400 octets", |r| {
            r.deleted = Some("x".repeat(REASON_LIMIT_OCTETS + 1));
        }),
        ("a reason with a control character, or of more than 400 octets", |r| {
            r.deleted = Some("a\r\nb".into());
        }),
    ];
    for (problem, edit) in wrong {
        let mut bad = tombstone(3);
        assert_eq!(check_record(&bad), Ok(()));
        edit(&mut bad);
        assert_eq!(check_record(&bad), Err(String::from(*problem)));
        let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
        let acts = bench.news(&inbound(1, &member(2, 'a')), vec![bad]);
        assert_eq!(problems(&acts), [format!("record of RG3: {problem}")]);
    }
}

/// LS-132, LS-005: as many tombstones as records, each within its own limit.
#[test]
fn a_table_of_tombstones_takes_records() {
    let graves = (0..TABLE_LIMIT).map(|number| tombstone(10_000 + number));
    let known = record(7, 1, 0, ConnectorState::Up);
    let records = Table::new(graves.chain([known]));
    let durable = LinkDurable { records, ..LinkDurable::default() };
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
    let from = inbound(1, &member(2, 'a'));
    let later = record(10_000, 9, 0, ConnectorState::Up);
    let news = vec![tombstone(7), record(8, 1, 0, ConnectorState::Up), tombstone(10_000), later];
    let acts = bench.news(&from, news);
    assert_eq!(problems(&acts), ["record of RG7: the table is full"]);
    let table = bench.node.machine().table();
    assert_eq!((table.living(), table.buried()), (2, TABLE_LIMIT));
    let full = Some("the table is full of tombstones");
    assert_eq!(bench.node.machine().refuses_burial(&uuid(7)), full);
    let acts = bench.command(bury(7));
    assert!(acts.is_empty(), "{acts:?}");
}

/// LS-130, LS-134, LS-017: a group is buried while it is away; it comes back, hears of it, and stays dead.
#[test]
fn a_returning_deleted_group_stays_dead() {
    let mut network = Network::new(figure_3_14());
    network.run_until(Time(30_000_000));
    network.cut("RG4", "RG5");
    network.run_for(Span::minutes(1));
    network.command(&member(1, 'b'), bury(5));
    network.run_for(Span::minutes(1));
    for letter in ['a', 'b'] {
        let table = network.machine(&member(4, letter)).table();
        assert_eq!((table.living(), table.buried()), (4, 1));
        assert_eq!(network.machine(&member(5, letter)).table().buried(), 0);
        assert_eq!(network.next_hop(&member(1, letter), "RG5"), NextHop::Unknown);
    }
    network.heal("RG4", "RG5");
    network.run_for(Span::minutes(3));
    assert_eq!(network.agreed().buried(), 1);
    let buried = |network: &Network, name| {
        let is_buried = |event: &LinkEvent| matches!(event, LinkEvent::Buried { group, reason, is_own: true } if group.as_str() == "RG5" && reason == "sold off");
        network.events(&name).iter().filter(|(_, event)| is_buried(event)).count()
    };
    let master = member(5, 'b');
    assert_eq!((buried(&network, master.clone()), buried(&network, member(5, 'a'))), (1, 1));
    assert_eq!(buried(&network, member(4, 'b')), 0);
    // It boots again, is given another revision, and still says nothing.
    network.crash(&master);
    network.run_for(Span::seconds(10));
    network.boot(&master);
    let mut next = figure_3_14();
    next.revision += 1;
    network.configure(&master, next);
    network.run_for(Span::minutes(2));
    assert_eq!((network.agreed().living(), network.agreed().buried()), (4, 1));
    assert_eq!(buried(&network, master), 3, "at the boot and at the new configuration");
}

/// LS-134: also one that has lost its disk, and has no term.
#[test]
fn a_buried_master_without_a_disk_is_silent() {
    let mut bench = Bench::boot(figure_3_14(), &member(5, 'b'), LinkDurable::default());
    bench.sync();
    let from = inbound(1, &member(4, 'a'));
    let acts = bench.news(&from, vec![tombstone(5)]);
    let alarm = LinkEvent::Buried { group: "RG5".into(), reason: "sold off".into(), is_own: true };
    assert!(acts.contains(&Act::Event(alarm)));
    let acts = bench.news(&from, vec![record(5, 9, 0, ConnectorState::Down)]);
    assert_eq!(answer(&acts, &from), [tombstone(5)]);
    assert_eq!((bench.version("RG5"), bench.node.machine().table().len()), (String::new(), 1));
}

/// LS-135, LS-137: a name that is used again is another group, beside the tombstone or beside its elder.
#[test]
fn a_name_can_be_used_again() {
    let elder = record(5, 9, 3, ConnectorState::Up);
    let mut heir = record(5, 1, 0, ConnectorState::Up);
    heir.uuid = uuid(500);
    heir.version.major = 2;
    let orders = [[elder.clone(), heir.clone()], [heir.clone(), elder]];
    for order in orders {
        let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
        let from = inbound(1, &member(2, 'a'));
        let [first, second] = order;
        assert_eq!(conflicts(&bench.news(&from, vec![first.clone()])), 0);
        let routed_by = bench.node.machine().versions();
        assert_eq!(conflicts(&bench.news(&from, vec![second.clone()])), 1, "LS-135");
        assert_eq!(bench.version("RG5"), "1.2.0.0", "the newer configuration");
        // LS-136, MA-007: no alarm where nothing is new.
        assert_eq!(conflicts(&bench.news(&from, vec![first, second])), 0);
        assert_eq!(conflicts(&bench.news(&from, vec![tombstone(5)])), 0);
        assert_eq!(bench.version("RG5"), "1.2.0.0");
        bench.timer(COMPUTE);
        let machine = bench.node.machine();
        assert_eq!((machine.table().living(), machine.table().buried()), (1, 1));
        assert!(machine.covers(&routed_by));
        let keys: Vec<_> = machine.versions().into_keys().map(|key| key.0).collect();
        assert_eq!(keys, [format!("RG5/{}", uuid(5)), format!("RG5/{}", uuid(500))]);
        // Who has seen the heir only does not cover the elder.
        let other = LinkDurable { records: Table::new([heir.clone()]), ..LinkDurable::default() };
        let other = Bench::boot(figure_3_14(), &member(1, 'a'), other);
        assert!(!other.node.machine().covers(&machine.versions()));
    }
}

/// LS-002, MA-009: contradicting records of a group whose master is dead. All members that met end equal
/// and say so once for each pair; the owner, back again, outbids.
#[test]
fn contradictions_heal_with_and_without_the_master() {
    let mut network = Network::new(figure_3_14());
    network.run_until(Time(30_000_000));
    network.crash(&member(5, 'b'));
    let present = network.agreed().get(&"RG5".into()).cloned().expect("a record");
    let forge = |cost: u32| {
        let mut forged = Record::clone(&present);
        forged.connectors[0].cost = cost;
        forged
    };
    let forgeries = [(1, 'a', forge(11)), (3, 'a', forge(12))];
    for _ in 0..20 {
        for (group, letter, forged) in &forgeries {
            let news = LinkPdu::news(elsewhere(), vec![forged.clone()]);
            let from = inbound(900, &member(2, 'a'));
            network.hear(&member(*group, *letter), from, news);
        }
        network.run_for(Span::seconds(30));
    }
    let greatest = forgeries.iter().map(|(_, _, forged)| forged.clone().into());
    let greatest = greatest.chain([present.clone()]).max_by_key(|record| record.digest());
    assert_eq!(network.agreed().get(&"RG5".into()), greatest.as_ref());
    for name in network.running() {
        let events = network.events(&name);
        let alarms = events.iter().filter(|(_, e)| matches!(e, LinkEvent::Conflict { .. })).count();
        assert!(alarms <= 3, "{name}: {alarms} alarms about three records");
    }
    let alarmed = network.events(&member(1, 'a'));
    assert!(alarmed.iter().any(|(_, e)| matches!(e, LinkEvent::Conflict { .. })), "LS-002");
    network.boot(&member(5, 'b'));
    network.run_for(Span::minutes(1));
    let healed = network.agreed().get(&"RG5".into()).cloned().expect("a record");
    assert_eq!(healed.connectors, present.connectors);
    assert!(healed.version > present.version, "MA-009");
}

/// LS-136: what is remembered of alarms has a limit.
#[test]
fn alarms_are_remembered_within_a_limit() {
    let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), LinkDurable::default());
    let from = inbound(1, &member(2, 'a'));
    bench.news(&from, vec![record(5, 1, 0, ConnectorState::Up)]);
    let forge = |cost: usize| {
        let mut forged = record(5, 1, 0, ConnectorState::Up);
        forged.connectors[0].name = format!("RG5-{cost}").as_str().into();
        forged
    };
    let mut alarms = 0;
    for cost in 0..2 * ALARMS_LIMIT {
        alarms += conflicts(&bench.news(&from, vec![forge(cost), forge(cost)]));
    }
    assert_eq!(alarms, 2 * ALARMS_LIMIT);
}

/// LS-017: a group whose master is dead passes on what its neighbours say, and what is buried.
#[test]
fn the_middle_of_three_passes_news_on_without_its_master() {
    let line = || organization(3, &[(1, 2, 10), (2, 3, 10)]);
    let mut network = Network::new(line());
    network.run_until(Time(30_000_000));
    network.crash(&member(2, 'b'));
    network.run_for(Span::minutes(1));
    let mut next = line();
    next.revision += 1;
    for letter in ['a', 'b'] {
        network.configure(&member(1, letter), next.clone());
    }
    network.command(&member(1, 'b'), bury(77));
    network.run_for(Span::minutes(1));
    for letter in ['a', 'b'] {
        let table = network.machine(&member(3, letter)).table();
        assert_eq!(table.get(&"RG1".into()).expect("known").version.major, 2);
        assert_eq!(table.buried(), 1);
    }
    assert_eq!(network.agreed().living(), 3);
    // Its own record is the last that its master published.
    assert_eq!(network.agreed().get(&"RG2".into()).expect("known").version.major, 1);
}

/// The planted bugs of the table are bugs: what the tests above and in `member` see is not there with them.
#[test]
fn planted_bugs_of_the_table_show() {
    let with = |fault: &str| {
        let records = [record(4, 1, 5, ConnectorState::Up), record(5, 1, 5, ConnectorState::Up)];
        let durable = LinkDurable { records: Table::new(records), ..LinkDurable::default() };
        let mut bench = Bench::boot(figure_3_14(), &member(1, 'a'), durable);
        bench.config.faults = Faults::named([fault]).expect("tests have planted faults");
        let there = over("RG1-RG2", member(2, 'a'));
        bench.link(&there, LinkChange::Up);
        let digest = bench.digest();
        bench.pdu(&there, LinkPdu::merged(digest, vec![]));
        (bench, inbound(1, &member(3, 'a')), there)
    };
    // LS-001: the older record wins.
    let (mut bench, from, _) = with("stale-merge");
    bench.news(&from, vec![record(5, 1, 4, ConnectorState::Up)]);
    assert_eq!(bench.version("RG5"), "1.1.4.0");
    // LS-017: all records travel for one.
    let (mut bench, from, there) = with("whole-table-flood");
    bench.news(&from, vec![record(5, 1, 6, ConnectorState::Up)]);
    let acts = bench.link(&there, LinkChange::Up);
    let told = &sent(&acts, &there)[..];
    let [LinkPdu::News { records, .. }] = told else { panic!("one News, not {told:?}") };
    assert_eq!(records.len(), 2);
    // LS-130: the record lives on.
    let (mut bench, from, _) = with("tombstone-ignored");
    bench.news(&from, vec![tombstone(5)]);
    assert_eq!(bench.version("RG5"), "1.1.5.0");
}
