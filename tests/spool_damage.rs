//! Bodies that the disk has changed: no reader takes them for the ones that were accepted.

#![cfg(not(loom))]

mod spool_support;

use std::fs;
use std::path::Path;

use bridgehead::protocol::queue::Damage;
use bridgehead::server::bodies;
use bridgehead::server::spool::{BODIES, DATABASE, Operation, ROW_LIMIT_OCTETS, Spool as _};
use bridgehead::wire::message::{Body, Digest};
use sha2::{Digest as _, Sha256};
use spool_support::{damage, open, wait};

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
