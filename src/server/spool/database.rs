//! The database file: how it is created, verified and folded.

use alloc::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{BodyFiles, SPOOL_FORMAT, SpoolError, sync_directory};
use crate::clause;
use crate::kernel::Machine;
use crate::wire::message::BodyKey;

/// Locked while the spool is open.
pub const LOCK: &str = "spool.lock";

/// Says that a database was created here, so that a lost one is not taken for one that never was.
pub const CREATED: &str = "spool.created";

/// So that every body key is a positive integer of `SQLite`.
const OPENINGS_LIMIT: i64 = 1 << 23;
const BUSY_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    CREATE TABLE changes (seq INTEGER PRIMARY KEY, json TEXT NOT NULL, digest BLOB NOT NULL) STRICT;
    CREATE TABLE snapshot (seq INTEGER PRIMARY KEY, json TEXT NOT NULL, digest BLOB NOT NULL) STRICT;
    CREATE TABLE bodies (key INTEGER PRIMARY KEY, octets BLOB NOT NULL) STRICT;
";

/// The two kinds of rows that hold durable state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Change,
    Snapshot,
}

impl Row {
    const fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Snapshot => "snapshot",
        }
    }

    /// What tells a row that was written from one that was changed since: of its kind, its number and its
    /// content, so that no row passes for another one.
    pub(super) fn digest(self, sequence: i64, json: &str) -> [u8; 32] {
        clause!(SV_017);
        let digest = Sha256::new().chain_update(self.name()).chain_update(sequence.to_be_bytes());
        digest.chain_update(json).finalize().into()
    }

    /// Refuses a row that does not hold what was written.
    fn expect(
        self,
        database: &Path,
        (sequence, json, digest): (i64, &str, &[u8]),
    ) -> Result<(), SpoolError> {
        if self.digest(sequence, json) == digest {
            return Ok(());
        }
        Err(SpoolError::Corrupt {
            path: database.to_owned(),
            place: format!("{} {sequence}", self.name()),
            problem: "is not what was written: its digest does not fit".into(),
        })
    }
}

/// The fold of what a database holds.
#[derive(Debug)]
pub(super) struct Folded<D> {
    pub(super) durable: D,
    /// The number of the last change.
    pub(super) sequence: i64,
    pub(super) changes_since_snapshot: u64,
    pub(super) octets_since_snapshot: u64,
    pub(super) snapshot_octets: u64,
}

impl<D: Default> Folded<D> {
    /// Of a spool in which nothing was written.
    pub(super) fn nothing() -> Self {
        Self {
            durable: D::default(),
            sequence: 0,
            changes_since_snapshot: 0,
            octets_since_snapshot: 0,
            snapshot_octets: 0,
        }
    }
}

impl<D> Folded<D> {
    /// A clean close leaves nothing but the snapshot.
    pub(super) const fn is_after_crash(&self) -> bool {
        self.changes_since_snapshot > 0
    }
}

/// A number of ours as `SQLite` keeps it.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).expect("every number in a spool fits SQLite's integer")
}

/// Takes the lock of the spool, or says that another process has it.
pub(super) fn lock(directory: &Path) -> Result<File, SpoolError> {
    let path = directory.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(SpoolError::io(&path, "open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            clause!(SV_007);
            Err(SpoolError::Locked { path })
        }
        Err(TryLockError::Error(source)) => Err(SpoolError::io(&path, "lock")(source)),
    }
}

/// A directory with bodies or the mark of a database, and without a database, has lost its database: a
/// new one would make the bodies orphans and remove them, and would know nothing of the mails in custody.
pub(super) fn refuse_lost_database(
    directory: &Path,
    database: &Path,
    files: &BodyFiles,
) -> Result<(), SpoolError> {
    clause!(SV_010);
    let bodies = files.lengths()?.len();
    let mark = directory.join(CREATED);
    let is_marked = mark.try_exists().map_err(SpoolError::io(&mark, "look for"))?;
    let clue = match (bodies, is_marked) {
        (0, false) => return Ok(()),
        (0, true) => format!("`{CREATED}` says that it was created"),
        _ => format!("{bodies} bodies lie beside it"),
    };
    Err(SpoolError::Corrupt {
        path: database.to_owned(),
        place: "file".into(),
        problem: format!("is missing, although {clue}"),
    })
}

/// Marks the directory as one with a database, durably. To be called only when there is one.
pub(super) fn mark_created(directory: &Path) -> Result<(), SpoolError> {
    let mark = directory.join(CREATED);
    if mark.exists() {
        return Ok(());
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&mark)
        .map_err(SpoolError::io(&mark, "create"))?;
    file.sync_all().map_err(SpoolError::io(&mark, "sync"))?;
    sync_directory(directory).map_err(SpoolError::io(directory, "sync"))
}

/// Creates the database under another name and renames it, so that a file of the right name is always
/// a whole spool.
pub(super) fn create(directory: &Path, database: &Path) -> Result<(), SpoolError> {
    let new = database.with_extension("new");
    if new.exists() {
        fs::remove_file(&new).map_err(SpoolError::io(&new, "remove"))?;
    }
    let fill = |connection: &Connection| {
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(SCHEMA)?;
        let insert =
            "INSERT INTO meta (name, value) VALUES ('format', ?1), ('openings', 0), ('latest', 0)";
        transaction.execute(insert, [SPOOL_FORMAT])?;
        transaction.commit()
    };
    let connection = Connection::open(&new).map_err(SpoolError::database(&new, "create"))?;
    fill(&connection).map_err(SpoolError::database(&new, "create"))?;
    drop(connection);
    fs::rename(&new, database).map_err(SpoolError::io(&new, "rename"))?;
    sync_directory(directory).map_err(SpoolError::io(directory, "sync"))
}

/// Opens an existing database: write-ahead log, and every commit synced.
pub(super) fn connect(database: &Path) -> Result<Connection, SpoolError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)
        .map_err(SpoolError::database(database, "open"))?;
    let configure = || {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")
    };
    configure().map_err(SpoolError::database(database, "open"))?;
    Ok(connection)
}

/// The lines of `quick_check` or `integrity_check`; none when all is well.
pub(super) fn pragma_check(connection: &Connection, name: &str) -> rusqlite::Result<Vec<String>> {
    let mut lines = Vec::new();
    connection.pragma_query(None, name, |row| {
        lines.push(row.get::<_, String>(0)?);
        Ok(())
    })?;
    lines.retain(|line| line != "ok");
    Ok(lines)
}

/// Verifies and folds an existing database through a connection that cannot write: what is refused is
/// left as it is.
pub(super) fn inspect<M>(database: &Path) -> Result<Folded<M::Durable>, SpoolError>
where
    M: Machine,
    M::Change: DeserializeOwned,
    M::Durable: DeserializeOwned,
{
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)
        .map_err(SpoolError::database(database, "open"))?;
    verify(database, &connection)?;
    fold::<M>(database, &connection)
}

/// Refuses a database that is damaged or of another version.
pub(super) fn verify(database: &Path, connection: &Connection) -> Result<(), SpoolError> {
    clause!(SV_008);
    let damage =
        pragma_check(connection, "quick_check").map_err(SpoolError::database(database, "check"))?;
    if let Some(first) = damage.into_iter().next() {
        let path = database.to_owned();
        return Err(SpoolError::Corrupt { path, place: "pages".into(), problem: first });
    }
    let format: Option<i64> = meta(connection, "format").unwrap_or(None);
    match format {
        Some(format) if format == i64::from(SPOOL_FORMAT) => Ok(()),
        Some(other) => {
            Err(SpoolError::Format { path: database.to_owned(), found: other.to_string() })
        }
        None => Err(SpoolError::Corrupt {
            path: database.to_owned(),
            place: "table `meta`".into(),
            problem: "says no format: this is no spool".into(),
        }),
    }
}

fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let select = "SELECT value FROM meta WHERE name = ?1";
    connection.query_row(select, [name], |row| row.get(0)).optional()
}

/// Counts this opening, durably: body keys begin with it, so none is ever used twice.
pub(super) fn count_opening(database: &Path, connection: &Connection) -> Result<u64, SpoolError> {
    let update = "UPDATE meta SET value = value + 1 WHERE name = 'openings' RETURNING value";
    let opening: i64 = connection
        .query_row(update, [], |row| row.get(0))
        .map_err(SpoolError::database(database, "count the openings"))?;
    if opening <= 0 || opening >= OPENINGS_LIMIT {
        return Err(SpoolError::Corrupt {
            path: database.to_owned(),
            place: "meta `openings`".into(),
            problem: format!("is {opening}, expected 1 to {OPENINGS_LIMIT}"),
        });
    }
    Ok(u64::try_from(opening).expect("a positive number"))
}

/// All bodies that are rows, with their lengths. `SQLite` knows a length without reading the octets.
pub(super) fn row_lengths(connection: &Connection) -> rusqlite::Result<BTreeMap<BodyKey, u64>> {
    let mut select = connection.prepare("SELECT key, length(octets) FROM bodies")?;
    let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    rows.map(|row| row.map(|(key, length)| (BodyKey(key.cast_unsigned()), length.cast_unsigned())))
        .collect()
}

/// Reads the snapshot and every change after it.
pub(super) fn fold<M>(
    database: &Path,
    connection: &Connection,
) -> Result<Folded<M::Durable>, SpoolError>
where
    M: Machine,
    M::Change: DeserializeOwned,
    M::Durable: DeserializeOwned,
{
    let mut folded = Folded::nothing();
    fold_into::<M>(&mut folded, database, connection)?;
    Ok(folded)
}

/// The same, into `folded`: after an error it holds what could be read before the damage.
pub(super) fn fold_into<M>(
    folded: &mut Folded<M::Durable>,
    database: &Path,
    connection: &Connection,
) -> Result<(), SpoolError>
where
    M: Machine,
    M::Change: DeserializeOwned,
    M::Durable: DeserializeOwned,
{
    let corrupt = |place: String, problem: String| SpoolError::Corrupt {
        path: database.to_owned(),
        place,
        problem,
    };
    let reading = || SpoolError::database(database, "read the changes of");
    let select = "SELECT seq, json, digest FROM snapshot ORDER BY seq DESC LIMIT 1";
    let snapshot: Option<(i64, String, Vec<u8>)> = connection
        .query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
        .map_err(reading())?;
    if let Some((sequence, json, digest)) = snapshot {
        Row::Snapshot.expect(database, (sequence, &json, &digest))?;
        folded.durable = serde_json::from_str(&json)
            .map_err(|error| corrupt(format!("snapshot {sequence}"), error.to_string()))?;
        folded.sequence = sequence;
        folded.snapshot_octets = json.len() as u64;
    }
    let mut select = connection
        .prepare("SELECT seq, json, digest FROM changes ORDER BY seq")
        .map_err(reading())?;
    let mut rows = select.query([]).map_err(reading())?;
    while let Some(row) = rows.next().map_err(reading())? {
        let sequence: i64 = row.get(0).map_err(reading())?;
        let json: String = row.get(1).map_err(reading())?;
        let digest: Vec<u8> = row.get(2).map_err(reading())?;
        let expected = folded.sequence + 1;
        if sequence != expected {
            return Err(corrupt(format!("change {sequence}"), format!("expected {expected}")));
        }
        Row::Change.expect(database, (sequence, &json, &digest))?;
        let change: M::Change = serde_json::from_str(&json)
            .map_err(|error| corrupt(format!("change {sequence}"), error.to_string()))?;
        M::apply(&mut folded.durable, &change);
        folded.sequence = sequence;
        folded.changes_since_snapshot += 1;
        folded.octets_since_snapshot += json.len() as u64;
    }
    expect_latest(folded.sequence, database, connection)
}

/// Refuses a spool whose last rows are gone: mail that was accepted would be unknown, and its bodies
/// orphans.
fn expect_latest(found: i64, database: &Path, connection: &Connection) -> Result<(), SpoolError> {
    clause!(SV_027);
    let latest: Option<i64> =
        meta(connection, "latest").map_err(SpoolError::database(database, "read"))?;
    if latest == Some(found) {
        return Ok(());
    }
    let written = latest.map_or_else(|| "an unknown one".into(), |latest| latest.to_string());
    Err(SpoolError::Corrupt {
        path: database.to_owned(),
        place: format!("change {}", found + 1),
        problem: format!("is missing: the last one written was {written}"),
    })
}

/// Notes the number of the last change, in the transaction that writes it.
pub(super) fn note_latest(connection: &Connection, sequence: i64) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'latest'")?;
    let rows = update.execute([sequence])?;
    assert_eq!(rows, 1, "a spool notes its last change");
    Ok(())
}
