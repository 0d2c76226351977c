//! The spool: what is acknowledged is there after a crash, in order, and damage is never overwritten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;

use crate::support::{Open, crash_image, damage, open, wait};
use bridgehead::protocol::queue::Damage;
use bridgehead::server::bodies::{self, DamagedBody};
use bridgehead::server::spool::{
    BODIES, CREATED, DATABASE, FOLD_AFTER_CHANGES, Operation, ROW_LIMIT_OCTETS, Settled, Spool,
    SpoolError, SqliteSpool,
};
use bridgehead::wire::message::{Body, BodyKey};

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
        if let Some(octets) = taken.row.clone() {
            spool.submit(Operation::Body { key, octets }).expect("it is open");
        }
        assert!(
            spool.read(&taken.body).expect("submitted").read_all().expect("readable") == octets
        );
        spool.submit(Operation::Write(key.0)).expect("it is open");
        wait(&settlements, 1);
        assert!(
            spool.read(&taken.body).expect("committed").read_all().expect("readable") == octets
        );
        let image = crash_image(directory.path());
        let (after, _) = open(image.path()).expect("a crash damages nothing");
        let read = after.spool.read(&taken.body).expect("durable").read_all().expect("readable");
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
    let kept: Vec<Body> = [&large[..], &large[..], b"small", b"small"]
        .into_iter()
        .map(|octets| {
            let key = spool.next_key();
            let taken = bodies::take(spool.files(), key, octets).expect("room for it");
            if let Some(octets) = taken.row {
                spool.submit(Operation::Body { key, octets }).expect("it is open");
            }
            taken.body
        })
        .collect();
    spool.submit(Operation::Write(1)).expect("it is open");
    wait(&settlements, 1);
    drop(opened);
    let (again, _) = open(directory.path()).expect("the same spool");
    let lost = Body { key: BodyKey(99), ..kept[0] };
    let collected = again.spool.collect(&[kept[0], kept[2], lost]).expect("it can be listed");
    let damaged = vec![DamagedBody { body: lost, damage: Damage::Missing }];
    assert_eq!((collected.rows, collected.files, collected.damaged), (1, 1, damaged));
    assert!(again.spool.read(&kept[0]).is_ok() && again.spool.read(&kept[2]).is_ok());
    for gone in [kept[1], kept[3], lost] {
        assert_eq!(damage(again.spool.read(&gone)), Damage::Missing);
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
    let collected = again.spool.collect(&[]).expect("it can be listed");
    assert_eq!((collected.rows, collected.files), (0, 0));
    let [row, file] = &collected.put_off[..] else { panic!("two are put off: {collected:?}") };
    assert!(row.contains("disk is full") && file.contains("0000000000000007"), "{collected:?}");
    saboteur.execute_batch("DROP TRIGGER full").expect("there is room again");
    let collected = again.spool.collect(&[]).expect("it can be listed");
    assert_eq!((collected.rows, collected.put_off.len()), (1, 1));
}

#[test]
fn a_discarded_body_is_gone_after_the_commit() {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    let spool = &opened.spool;
    let large = vec![7; ROW_LIMIT_OCTETS + 1];
    let large = bodies::take(spool.files(), spool.next_key(), &large).expect("room for it");
    let small = bodies::take(spool.files(), spool.next_key(), b"small").expect("room for it");
    let octets = small.row.expect("a small body is a row");
    spool.submit(Operation::Body { key: small.body.key, octets }).expect("it is open");
    for body in [large.body, small.body] {
        spool.submit(Operation::Discard(body.key)).expect("it is open");
    }
    spool.submit(Operation::Write(1)).expect("it is open");
    wait(&settlements, 1);
    for body in [large.body, small.body] {
        assert_eq!(damage(spool.read(&body)), Damage::Missing);
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
        ("UPDATE meta SET value = 1 WHERE name = 'format'", "spool format 1, expected 2"),
        ("DELETE FROM meta", "says no format"),
        ("DELETE FROM changes WHERE seq = 4", "change 5: expected 4"),
        ("UPDATE changes SET json = '\"five\"' WHERE seq = 5", "change 5: is not what was written"),
        ("INSERT INTO snapshot VALUES (0, '[1,', x'00')", "snapshot 0: is not what was written"),
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
