//! The spool: what is acknowledged is there after a crash, in order, and damage is never overwritten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use bridgehead::kernel::{Cx, Input, Machine};
use bridgehead::server::bodies;
use bridgehead::server::spool::{
    BODIES, CREATED, DATABASE, FOLD_AFTER_CHANGES, Opened, Operation, ROW_LIMIT_OCTETS, Settled,
    Spool, SpoolError, SqliteSpool,
};
use bridgehead::wire::message::BodyKey;

/// A machine whose durable state is the list of everything that was stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct List;

impl Machine for List {
    type Config = ();
    type Peer = u8;
    type Endpoint = ();
    type Pdu = ();
    type Timer = ();
    type Change = u64;
    type Durable = Vec<u64>;
    type Query = ();
    type Answer = ();
    type Command = ();
    type Event = ();
    type View = ();

    fn apply(durable: &mut Vec<u64>, change: &u64) {
        durable.push(*change);
    }
    fn boot((): &(), _: &Vec<u64>, _: &mut Cx<'_, Self>) -> Self {
        Self
    }
    fn step(&mut self, (): &(), _: Input<Self>, _: &mut Cx<'_, Self>) {}
    fn view(&self) {}
}

type Open = Opened<SqliteSpool<List>, Vec<u64>>;

fn open(directory: &Path) -> Result<(Open, Receiver<Settled>), SpoolError> {
    let (settled, settlements) = channel();
    let opened = SqliteSpool::open(directory, move |settlement| {
        let _ = settled.send(settlement);
    })?;
    Ok((opened, settlements))
}

/// Waits until `count` changes are acknowledged.
fn wait(settlements: &Receiver<Settled>, count: usize) {
    let mut stored = 0;
    while stored < count {
        match settlements.recv().expect("the writer lives") {
            Settled::Stored(more) => stored += more,
            Settled::Failed(error) => panic!("a write failed: {error}"),
        }
    }
    assert_eq!(stored, count, "nothing is acknowledged twice");
}

/// What a crash would leave: the files as they are at this moment.
fn crash_image(directory: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().expect("a directory");
    fs::create_dir(image.path().join(BODIES)).expect("a directory");
    for part in [".", BODIES] {
        for entry in fs::read_dir(directory.join(part)).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a file has a name");
                fs::copy(&path, image.path().join(part).join(name)).expect("a copy");
            }
        }
    }
    image
}

fn numbers(count: u64) -> Vec<u64> {
    (1..=count).collect()
}

/// SV-001, SV-002
#[test]
fn what_is_acknowledged_survives_a_crash_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    assert_eq!(opened.durable, Vec::<u64>::new());
    for number in numbers(100) {
        opened.spool.submit(Operation::Write(number)).expect("it is open");
    }
    wait(&settlements, 100);
    let image = crash_image(directory.path());
    let (after, _) = open(image.path()).expect("a crash damages nothing");
    assert_eq!(after.durable, numbers(100));
    assert_eq!(after.problems.len(), 1, "a crash is told: {:?}", after.problems);
}

/// SV-001: at the moment of each acknowledgement another reader finds everything acknowledged so far.
#[test]
fn an_acknowledgement_comes_after_its_commit() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join(DATABASE);
    let (told, tellings) = channel();
    let mut acknowledged = 0;
    let opened: Open = SqliteSpool::open(directory.path(), move |settlement| {
        let Settled::Stored(count) = settlement else { panic!("no write fails") };
        acknowledged += count;
        let reader = rusqlite::Connection::open(&database).expect("a reader");
        let there: usize = reader
            .query_row("SELECT count(*) FROM changes", [], |row| row.get(0))
            .expect("a count");
        told.send((acknowledged, there)).expect("the test listens");
    })
    .expect("a new spool");
    for number in numbers(500) {
        opened.spool.submit(Operation::Write(number)).expect("it is open");
    }
    let mut last = 0;
    while last < 500 {
        let (acknowledged, there) = tellings.recv().expect("the writer lives");
        assert!(there >= acknowledged, "{acknowledged} acknowledged, {there} on disk");
        last = acknowledged;
    }
}

/// SV-004
#[test]
fn a_snapshot_replaces_the_changes_that_it_folds() {
    let directory = tempfile::tempdir().expect("a directory");
    let count = FOLD_AFTER_CHANGES * 3 + 7;
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    for number in numbers(count) {
        opened.spool.submit(Operation::Write(number)).expect("it is open");
    }
    wait(&settlements, usize::try_from(count).expect("a small number"));
    let reader = rusqlite::Connection::open(directory.path().join(DATABASE)).expect("a reader");
    let rows = |table: &str| -> u64 {
        let select = format!("SELECT count(*) FROM {table}");
        reader.query_row(&select, [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(rows("snapshot"), 1);
    assert!(rows("changes") < count, "the folded changes are gone");
    opened.spool.close().expect("a clean close");
    assert_eq!(rows("changes"), 0, "a clean close leaves the snapshot only");
    drop(reader);
    drop(opened);
    let (again, _) = open(directory.path()).expect("the same spool");
    assert_eq!(again.durable, numbers(count));
    assert_eq!(again.problems, Vec::<String>::new());
    assert_eq!(again.spool.check().expect("a check"), Vec::<String>::new());
}

/// SV-005: small bodies are rows of the same commit, large ones complete files.
#[test]
fn bodies_are_read_back_before_and_after_the_commit() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    let spool = &opened.spool;
    for length in [0, 1, ROW_LIMIT_OCTETS, ROW_LIMIT_OCTETS + 1, 3 * ROW_LIMIT_OCTETS] {
        let octets: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
        let key = spool.next_key();
        let taken = bodies::take(spool.files(), key, &octets).expect("room for it");
        assert_eq!(taken.body.octets, length as u64);
        assert_eq!(taken.row.is_some(), length <= ROW_LIMIT_OCTETS);
        if let Some(octets) = taken.row {
            spool.submit(Operation::Body { key, octets }).expect("it is open");
        }
        assert!(spool.read(key).expect("submitted").read_all().expect("readable") == octets);
        spool.submit(Operation::Write(key.0)).expect("it is open");
        wait(&settlements, 1);
        assert!(spool.read(key).expect("committed").read_all().expect("readable") == octets);
        let image = crash_image(directory.path());
        let (after, _) = open(image.path()).expect("a crash damages nothing");
        let read = after.spool.read(key).expect("durable").read_all().expect("readable");
        assert!(read == octets, "a body of {length} octets survives");
    }
}

/// SV-006
#[test]
fn a_key_is_never_given_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut given = BTreeSet::new();
    for _ in 0..3 {
        let (opened, _) = open(directory.path()).expect("a spool");
        for _ in 0..10 {
            assert!(given.insert(opened.spool.next_key()), "a fresh key");
        }
    }
}

/// SV-009
#[test]
fn orphans_are_collected_and_losses_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    let spool = &opened.spool;
    let large = vec![7; ROW_LIMIT_OCTETS + 1];
    let keys: Vec<BodyKey> = [&large[..], &large[..], b"small", b"small"]
        .into_iter()
        .map(|octets| {
            let key = spool.next_key();
            let taken = bodies::take(spool.files(), key, octets).expect("room for it");
            if let Some(octets) = taken.row {
                spool.submit(Operation::Body { key, octets }).expect("it is open");
            }
            key
        })
        .collect();
    spool.submit(Operation::Write(1)).expect("it is open");
    wait(&settlements, 1);
    drop(opened);
    let (again, _) = open(directory.path()).expect("the same spool");
    let lost = BodyKey(99);
    let live = BTreeSet::from([keys[0], keys[2], lost]);
    let collected = again.spool.collect(&live).expect("it can be listed");
    assert_eq!((collected.rows, collected.files, collected.missing), (1, 1, vec![lost]));
    assert!(again.spool.read(keys[0]).is_ok() && again.spool.read(keys[2]).is_ok());
    for gone in [keys[1], keys[3], lost] {
        let read = again.spool.read(gone);
        assert!(matches!(read, Err(SpoolError::NoBody(key)) if key == gone), "{read:?}");
    }
}

/// SV-009
#[test]
fn orphans_that_cannot_be_removed_are_put_off() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    let key = opened.spool.next_key();
    let octets = b"small".to_vec();
    opened.spool.submit(Operation::Body { key, octets }).expect("it is open");
    opened.spool.submit(Operation::Write(1)).expect("it is open");
    wait(&settlements, 1);
    drop(opened);
    let saboteur = rusqlite::Connection::open(directory.path().join(DATABASE)).expect("opens");
    let full = "CREATE TRIGGER full BEFORE DELETE ON bodies
                BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END";
    saboteur.execute_batch(full).expect("the disk is as good as full");
    // No directory can be removed as a file is.
    for name in ["0000000000000007", "0000000000000008.part"] {
        fs::create_dir(directory.path().join(BODIES).join(name)).expect("a directory");
    }
    let (again, _) = open(directory.path()).expect("it opens all the same");
    let collected = again.spool.collect(&BTreeSet::new()).expect("it can be listed");
    assert_eq!((collected.rows, collected.files), (0, 0));
    let [row, file] = &collected.put_off[..] else { panic!("two are put off: {collected:?}") };
    assert!(row.contains("disk is full") && file.contains("0000000000000007"), "{collected:?}");
    saboteur.execute_batch("DROP TRIGGER full").expect("there is room again");
    let collected = again.spool.collect(&BTreeSet::new()).expect("it can be listed");
    assert_eq!((collected.rows, collected.put_off.len()), (1, 1));
}

#[test]
fn a_discarded_body_is_gone_after_the_commit() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    let spool = &opened.spool;
    let large = spool.next_key();
    bodies::take(spool.files(), large, &vec![7; ROW_LIMIT_OCTETS + 1]).expect("room for it");
    let small = spool.next_key();
    spool.submit(Operation::Body { key: small, octets: b"small".to_vec() }).expect("it is open");
    for key in [large, small] {
        spool.submit(Operation::Discard(key)).expect("it is open");
    }
    spool.submit(Operation::Write(1)).expect("it is open");
    wait(&settlements, 1);
    for key in [large, small] {
        assert!(matches!(spool.read(key), Err(SpoolError::NoBody(_))));
    }
}

/// SV-007
#[test]
fn two_cannot_open_one_spool() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = open(directory.path()).expect("a new spool");
    let second = open(directory.path()).map(|_| ());
    assert!(matches!(second, Err(SpoolError::Locked { .. })), "{second:?}");
    drop(first);
    open(directory.path()).map(|_| ()).expect("it is free again");
}

/// SV-003
#[test]
fn after_a_failed_write_nothing_is_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    opened.spool.submit(Operation::Write(1)).expect("it is open");
    wait(&settlements, 1);
    let saboteur = rusqlite::Connection::open(directory.path().join(DATABASE)).expect("a writer");
    saboteur.execute_batch("DROP TABLE changes").expect("it is gone");
    opened.spool.submit(Operation::Write(2)).expect("it is open");
    let failed = settlements.recv().expect("the failure is told");
    assert!(matches!(failed, Settled::Failed(_)), "{failed:?}");
    assert!(opened.spool.submit(Operation::Write(3)).is_err(), "nothing is taken any more");
    assert!(opened.spool.close().is_err(), "the close says so, too");
    assert!(settlements.recv().is_err(), "and nothing was acknowledged after it");
}

/// A spool with ten changes, closed or left as a crash leaves it.
fn written(is_closed: bool) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    for number in numbers(10) {
        opened.spool.submit(Operation::Write(number)).expect("it is open");
    }
    wait(&settlements, 10);
    if is_closed {
        opened.spool.close().expect("a clean close");
        drop(opened);
        directory
    } else {
        crash_image(directory.path())
    }
}

/// Opening fails, names the database and `clue`, and changes no octet of it.
fn refused(directory: &Path, clue: &str) -> SpoolError {
    let database = directory.join(DATABASE);
    let before = fs::read(&database).ok();
    let error = open(directory).map(|_| ()).expect_err("damage is refused");
    let text = error.to_string();
    assert!(text.contains(&*database.to_string_lossy()), "names the file: {text}");
    assert!(text.contains(clue), "says `{clue}`: {text}");
    assert!(fs::read(&database).ok() == before, "nothing is overwritten");
    error
}

/// SV-008
#[test]
fn a_database_of_no_octets_or_of_other_octets_is_refused() {
    for octets in [Vec::new(), b"this is not a database at all, but it is long enough".repeat(99)] {
        let directory = written(true);
        fs::write(directory.path().join(DATABASE), octets).expect("it is damaged");
        let error = refused(directory.path(), "nothing was changed");
        assert!(matches!(error, SpoolError::Corrupt { .. }), "{error:?}");
    }
}

/// SV-008
#[test]
fn a_torn_database_is_refused() {
    let directory = written(true);
    let database = directory.path().join(DATABASE);
    let octets = fs::read(&database).expect("it is there");
    fs::write(&database, &octets[..octets.len() / 2]).expect("it is damaged");
    refused(directory.path(), "damaged");
}

/// SV-008
#[test]
fn a_missing_database_beside_bodies_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, _) = open(directory.path()).expect("a new spool");
    let key = opened.spool.next_key();
    bodies::take(opened.spool.files(), key, &vec![7; ROW_LIMIT_OCTETS + 1]).expect("room for it");
    drop(opened);
    fs::remove_file(directory.path().join(DATABASE)).expect("it is lost");
    refused(directory.path(), "is missing, although 1 bodies");
}

/// SV-008, SV-010
#[test]
fn a_missing_database_is_refused_where_only_rows_were() {
    for is_closed in [true, false] {
        let directory = written(is_closed);
        for file in fs::read_dir(directory.path()).expect("a directory") {
            let path = file.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.starts_with(DATABASE) {
                fs::remove_file(&path).expect("it is lost");
            }
        }
        let error = refused(directory.path(), "is missing, although `spool.created`");
        assert!(matches!(error, SpoolError::Corrupt { .. }), "{error:?}");
        assert!(!directory.path().join(DATABASE).exists(), "no new spool was begun");
    }
}

/// SV-010
#[test]
fn a_spool_without_the_mark_gets_it() {
    let directory = written(true);
    let mark = directory.path().join(CREATED);
    fs::remove_file(&mark).expect("a new spool has it");
    let (opened, _) = open(directory.path()).expect("an earlier version wrote none");
    assert_eq!(opened.durable, numbers(10));
    drop(opened);
    assert!(mark.exists());
    fs::remove_file(directory.path().join(DATABASE)).expect("it is lost");
    refused(directory.path(), "is missing");
}

/// SV-008
#[test]
fn what_no_spool_wrote_is_refused() {
    for (damage, clue) in [
        ("UPDATE meta SET value = 2 WHERE name = 'format'", "spool format 2, expected 1"),
        ("DELETE FROM meta", "says no format"),
        ("DELETE FROM changes WHERE seq = 4", "change 5: expected 4"),
        ("UPDATE changes SET json = '\"five\"' WHERE seq = 5", "change 5: invalid type"),
        ("INSERT INTO snapshot VALUES (0, '[1,')", "snapshot 0: EOF"),
    ] {
        let directory = written(false);
        let saboteur = rusqlite::Connection::open(directory.path().join(DATABASE)).expect("opens");
        saboteur.execute_batch(damage).expect("it is damaged");
        drop(saboteur);
        refused(directory.path(), clue);
    }
}

#[test]
fn a_body_that_was_never_finished_is_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(open(directory.path()).expect("a new spool"));
    let half = directory.path().join(BODIES).join("0000000000000001.part");
    fs::write(&half, b"half").expect("a crash left it");
    drop(open(directory.path()).expect("the same spool"));
    assert!(!half.exists());
}
