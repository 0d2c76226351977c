//! Bodies that the disk has changed: no reader takes them for the ones that were accepted.

#![cfg(not(loom))]

use std::fs;
use std::path::Path;

use crate::support::{crash_image, damage, open, wait};
use bridgehead::protocol::queue::Damage;
use bridgehead::server::bodies;
use bridgehead::server::spool::{BODIES, DATABASE, Operation, ROW_LIMIT_OCTETS, Spool as _};
use bridgehead::wire::message::{Body, Digest};
use sha2::{Digest as _, Sha256};

/// CU-043, SV-014: a row and a file, each with one octet changed, cut off, made longer, and gone.
#[test]
fn no_other_octets_are_read_than_those_that_were_kept() {
    for length in [100, ROW_LIMIT_OCTETS + 100] {
        let original: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
        let mut flipped = original.clone();
        flipped[length - 7] ^= 0x10;
        let digest = Sha256::digest(&flipped).into();
        let longer = [&original[..], b"x"].concat();
        for (damaged, expected) in [
            (Some(flipped), Damage::Digest(Digest(digest))),
            (Some(original[1..].to_vec()), Damage::Octets(length as u64 - 1)),
            (Some(longer), Damage::Octets(length as u64 + 1)),
            (None, Damage::Missing),
        ] {
            let directory = tempfile::tempdir().expect("a directory");
            let body = kept(directory.path(), &original);
            overwrite(directory.path(), body, damaged.as_deref());
            let (opened, _) = open(directory.path()).expect("the spool itself is in order");
            let collected = opened.spool.collect(&[body]).expect("it can be listed");
            let seen = matches!(expected, Damage::Digest(_));
            assert_eq!(collected.damaged.is_empty(), seen, "lengths are seen at once");
            assert_eq!(damage(opened.spool.read(&body)), expected, "{length} octets");
        }
    }
}

/// SV-017, SV-008: a row that was changed to something that could have been written, or that took the place
/// of another one, is refused by name, and nothing is changed.
#[test]
fn a_row_that_is_not_what_was_written_is_refused() {
    let swap = "UPDATE changes SET (json, digest) =
        (SELECT json, digest FROM changes AS other WHERE other.seq = 5 - changes.seq)
        WHERE seq IN (2, 3)";
    for (is_folded, damage, place) in [
        (false, "UPDATE changes SET json = '77' WHERE seq = 3", "change 3"),
        (false, "UPDATE changes SET digest = zeroblob(32) WHERE seq = 2", "change 2"),
        (false, swap, "change 2"),
        (true, "UPDATE snapshot SET json = '[1,2,3,77]'", "snapshot 4"),
        (true, "UPDATE snapshot SET seq = 5", "snapshot 5"),
    ] {
        let directory = numbered(is_folded);
        let path = directory.path().join(DATABASE);
        let database = rusqlite::Connection::open(&path).expect("it opens");
        assert!(database.execute(damage, []).expect("it is SQL") > 0, "{damage}");
        database.close().expect("it closes");
        let before = fs::read(&path).expect("it is there");
        let error = open(directory.path()).map(|_| ()).expect_err(damage).to_string();
        let clue = format!("{}: {place}: is not what was written", path.display());
        assert!(error.starts_with(&clue), "{damage}: {error}");
        assert_eq!(fs::read(&path).expect("it is there"), before, "{damage}");
    }
}

/// SV-027, SV-008: a spool whose last changes are gone, or whose snapshot is, does not begin anew.
#[test]
fn a_spool_without_its_last_rows_is_refused() {
    for (is_folded, damage, missing) in [
        (false, "DELETE FROM changes WHERE seq > 2", 3),
        (false, "DELETE FROM changes", 1),
        (true, "DELETE FROM snapshot", 1),
        (false, "UPDATE meta SET value = 5 WHERE name = 'latest'", 5),
    ] {
        let directory = numbered(is_folded);
        let path = directory.path().join(DATABASE);
        let database = rusqlite::Connection::open(&path).expect("it opens");
        assert!(database.execute(damage, []).expect("it is SQL") > 0, "{damage}");
        database.close().expect("it closes");
        let error = open(directory.path()).map(|_| ()).expect_err(damage).to_string();
        let clue = format!("{}: change {missing}: is missing: the last", path.display());
        assert!(error.starts_with(&clue), "{damage}: {error}");
    }
}

/// A spool with four changes: as a crash leaves it, or folded into a snapshot.
fn numbered(is_folded: bool) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let (opened, settlements) = open(directory.path()).expect("a new spool");
    for number in 1..=4 {
        opened.spool.submit(Operation::Write(number)).expect("it is open");
    }
    wait(&settlements, 4);
    let image = crash_image(directory.path());
    opened.spool.close().expect("it closes");
    drop(opened);
    let kept = if is_folded { directory } else { image };
    // A copy of the log is put where it belongs before anybody looks.
    let database = rusqlite::Connection::open(kept.path().join(DATABASE)).expect("it opens");
    database.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
    kept
}

/// A body in a spool that is closed.
fn kept(directory: &Path, octets: &[u8]) -> Body {
    let (opened, settlements) = open(directory).expect("a new spool");
    let spool = &opened.spool;
    let taken = bodies::take(spool.files(), spool.next_key(), octets).expect("room for it");
    if let Some(octets) = taken.row {
        spool.submit(Operation::Body { key: taken.body.key, octets }).expect("it is open");
    }
    spool.submit(Operation::Write(1)).expect("it is open");
    wait(&settlements, 1);
    taken.body
}

/// Puts other octets in the place of a body, or nothing.
fn overwrite(directory: &Path, body: Body, octets: Option<&[u8]>) {
    let file = directory.join(BODIES).join(format!("{:016x}", body.key.0));
    let database = rusqlite::Connection::open(directory.join(DATABASE)).expect("it opens");
    let changed = match (octets, file.exists()) {
        (Some(octets), true) => fs::write(&file, octets).map(|()| 1).expect("it is damaged"),
        (None, true) => fs::remove_file(&file).map(|()| 1).expect("it is lost"),
        (Some(octets), false) => {
            database.execute("UPDATE bodies SET octets = ?1", [octets]).expect("it is damaged")
        }
        (None, false) => database.execute("DELETE FROM bodies", []).expect("it is lost"),
    };
    assert_eq!(changed, 1, "the body is there");
}
