//! The spool in an `SQLite` database: write-ahead log, every commit synced, one writer.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::database::{
    Folded, connect, count_opening, create, fold, inspect, integer, lock, mark_created,
    pragma_check, refuse_lost_database, row_lengths,
};
use super::reserve::Reserve;
use super::writer::{self, Shared, Writer};
use super::{BodyFiles, Collected, Opened, Operation, Settled, Spool, SpoolError};
use crate::clause;
use crate::kernel::Machine;
use crate::protocol::queue::Damage;
use crate::server::bodies::{BodyReader, DamagedBody};
use crate::server::sync::Closed;
use crate::wire::message::{Body, BodyKey};

/// The database, in the directory of the spool.
pub const DATABASE: &str = "spool.db";
/// The directory of the large bodies.
pub const BODIES: &str = "bodies";

/// A body key is the number of the opening, then a counter of this many bits.
const COUNTER_BITS: u32 = 40;

/// A spool in one directory: `spool.db`, `spool.created`, `spool.lock` and `bodies/`.
#[derive(Debug)]
pub struct SqliteSpool<M: Machine> {
    database: PathBuf,
    shared: Arc<Shared<M::Change>>,
    files: BodyFiles,
    reader: Mutex<Connection>,
    writer: Mutex<Option<JoinHandle<Result<(), ()>>>>,
    next_key: AtomicU64,
    /// Locked for as long as the spool is open; the system unlocks it when the process ends.
    _lock: File,
    machine: PhantomData<fn() -> M>,
}

impl<M> SqliteSpool<M>
where
    M: Machine + 'static,
    M::Change: Serialize + DeserializeOwned + Send,
    M::Durable: Serialize + DeserializeOwned + Send,
{
    /// Opens the spool in `directory`; creates it where there is none. `settled` is called from the
    /// spool's own thread after each commit.
    ///
    /// # Errors
    /// It is open elsewhere, damaged, of another version, or the disk fails. Nothing is overwritten.
    pub fn open(
        directory: &Path,
        settled: impl FnMut(Settled) + Send + 'static,
    ) -> Result<Opened<Self, M::Durable>, SpoolError> {
        fs::create_dir_all(directory).map_err(SpoolError::io(directory, "create"))?;
        let lock = lock(directory)?;
        let database = directory.join(DATABASE);
        let reserve = Reserve::new(directory);
        let files = BodyFiles::open(directory.join(BODIES))?;
        let started = match Started::<M>::new(directory, &database, &files) {
            // The room is for this: a member that cannot start cannot empty its disk either.
            Err(error) if error.is_no_space() && reserve.release() => {
                clause!(SV_016);
                Started::new(directory, &database, &files)?
            }
            started => started?,
        };
        let Started { folded, connection, reader, opening, mut problems } = started;
        // Room that was just released is needed now.
        if !reserve.is_spent()
            && let Err(error) = reserve.keep()
        {
            problems.push(error.to_string());
        }
        if reserve.is_spent() {
            clause!(SV_016);
            reserve.expect_room_to_start()?;
            problems.push("the disk is full: new mail is refused until there is room".into());
        }
        let shared = Arc::new(Shared::new(reserve));
        let durable = folded.durable.clone();
        let writer = Writer::<M>::new(
            database.clone(),
            connection,
            files.clone(),
            folded,
            Arc::clone(&shared),
        );
        let writer = writer::spawn(writer, settled)
            .map_err(SpoolError::io(&database, "start the writer of"))?;
        let spool = Self {
            database,
            shared,
            files,
            reader: Mutex::new(reader),
            writer: Mutex::new(Some(writer)),
            next_key: AtomicU64::new(opening << COUNTER_BITS),
            _lock: lock,
            machine: PhantomData,
        };
        Ok(Opened { spool, durable, problems })
    }
}

/// A database that was verified and opened.
struct Started<M: Machine> {
    folded: Folded<M::Durable>,
    connection: Connection,
    reader: Connection,
    opening: u64,
    problems: Vec<String>,
}

impl<M> Started<M>
where
    M: Machine,
    M::Change: DeserializeOwned,
    M::Durable: DeserializeOwned,
{
    fn new(directory: &Path, database: &Path, files: &BodyFiles) -> Result<Self, SpoolError> {
        if !database.exists() {
            refuse_lost_database(directory, database, files)?;
            create(directory, database)?;
            mark_created(directory)?;
        }
        let folded = inspect::<M>(database)?;
        let connection = connect(database)?;
        let opening = count_opening(database, &connection)?;
        let mut problems = Vec::new();
        // A spool of an earlier version, or one whose creation a crash cut short, has no mark yet. A
        // full disk must not keep its member from starting.
        if let Err(error) = mark_created(directory) {
            problems.push(format!("the spool stays unmarked until the next start: {error}"));
        }
        if folded.is_after_crash() {
            let count = folded.changes_since_snapshot;
            problems.push(format!("the spool was not closed: {count} changes folded again"));
        }
        let reader = connect(database)?;
        reader
            .pragma_update(None, "query_only", true)
            .map_err(SpoolError::database(database, "configure"))?;
        Ok(Self { folded, connection, reader, opening, problems })
    }
}

impl<M: Machine> SqliteSpool<M> {
    fn read_row(&self, key: BodyKey) -> Result<Option<Vec<u8>>, SpoolError> {
        let reader = self.reader.lock().expect("no reader panics");
        reader
            .prepare_cached("SELECT octets FROM bodies WHERE key = ?1")
            .and_then(|mut select| select.query_row([integer(key.0)], |row| row.get(0)).optional())
            .map_err(SpoolError::database(&self.database, "read a body"))
    }

    fn remove_rows<'k>(
        &self,
        connection: &Connection,
        orphans: impl Iterator<Item = &'k BodyKey>,
        collected: &mut Collected,
    ) {
        clause!(SV_009);
        for key in orphans {
            let removed = connection
                .execute("DELETE FROM bodies WHERE key = ?1", [integer(key.0)])
                .map_err(SpoolError::database(&self.database, "remove a body"));
            match removed {
                Ok(_) => collected.rows += 1,
                Err(error) => {
                    // What has no room for this row has none for the next.
                    collected.put_off.push(error.to_string());
                    break;
                }
            }
        }
    }
}

impl<M> Spool<M> for SqliteSpool<M>
where
    M: Machine + 'static,
    M::Change: Serialize + DeserializeOwned + Send,
    M::Durable: Serialize + DeserializeOwned + Send,
{
    fn submit(&self, operation: Operation<M::Change>) -> Result<(), Closed> {
        self.shared.submit(operation)
    }

    fn next_key(&self) -> BodyKey {
        clause!(SV_006);
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        assert!((key + 1).trailing_zeros() < COUNTER_BITS, "one opening has keys enough");
        BodyKey(key)
    }

    fn is_full(&self) -> bool {
        self.shared.reserve.is_spent()
    }

    fn admits(&self) -> bool {
        self.shared.reserve.admits()
    }

    fn files(&self) -> &BodyFiles {
        &self.files
    }

    fn read(&self, body: &Body) -> Result<BodyReader, SpoolError> {
        if let Some(octets) = self.shared.uncommitted(body.key) {
            return Ok(BodyReader::memory(body, octets)?);
        }
        if let Some(file) = self.files.read(body.key)? {
            return Ok(BodyReader::file(body, file));
        }
        match self.read_row(body.key) {
            Ok(Some(octets)) => Ok(BodyReader::memory(body, octets.into())?),
            Ok(None) => Err(DamagedBody { body: *body, damage: Damage::Missing }.into()),
            Err(error @ SpoolError::Corrupt { .. }) => {
                let damage = Damage::Unreadable(error.to_string());
                Err(DamagedBody { body: *body, damage }.into())
            }
            Err(error) => Err(error),
        }
    }

    fn collect(&self, live: &[Body]) -> Result<Collected, SpoolError> {
        assert_eq!(
            self.shared.queue.unsettled(),
            0,
            "orphans are collected before the first write"
        );
        let connection = connect(&self.database)?;
        let rows = row_lengths(&connection)
            .map_err(SpoolError::database(&self.database, "list the bodies"))?;
        let files = self.files.lengths()?;
        let keys: BTreeSet<BodyKey> = live.iter().map(|body| body.key).collect();
        let mut collected = Collected::default();
        self.remove_rows(&connection, rows.keys().filter(|k| !keys.contains(k)), &mut collected);
        for key in files.keys().filter(|key| !keys.contains(key)) {
            match self.files.remove(*key) {
                Ok(()) => collected.files += 1,
                Err(error) => collected.put_off.push(error.to_string()),
            }
        }
        clause!(SV_014);
        for body in live {
            let damage = match files.get(&body.key).or_else(|| rows.get(&body.key)) {
                None => Damage::Missing,
                Some(octets) if *octets != body.octets => Damage::Octets(*octets),
                Some(_) => continue,
            };
            collected.damaged.push(DamagedBody { body: *body, damage });
        }
        Ok(collected)
    }

    fn check(&self) -> Result<Vec<String>, SpoolError> {
        let reader = self.reader.lock().expect("no reader panics");
        let mut problems = pragma_check(&reader, "integrity_check")
            .map_err(SpoolError::database(&self.database, "check"))?;
        match fold::<M>(&self.database, &reader) {
            Ok(_) => {}
            Err(error @ SpoolError::Corrupt { .. }) => problems.push(error.to_string()),
            Err(error) => return Err(error),
        }
        let rows = row_lengths(&reader)
            .map_err(SpoolError::database(&self.database, "list the bodies"))?;
        for key in self.files.lengths()?.keys().filter(|key| rows.contains_key(key)) {
            problems.push(format!("body {:016x} is a row and a file", key.0));
        }
        Ok(problems)
    }

    fn unsettled(&self) -> usize {
        self.shared.queue.unsettled()
    }

    fn close(&self) -> Result<(), SpoolError> {
        self.shared.queue.close();
        let writer = self.writer.lock().expect("nobody panics while closing").take();
        let ended = writer.map(JoinHandle::join);
        match ended {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(_) => Err(SpoolError::Failed),
        }
    }
}

impl<M: Machine> Drop for SqliteSpool<M> {
    /// A spool that is dropped writes what waits; its failure was told to the host by then.
    fn drop(&mut self) {
        self.shared.queue.close();
        let writer = self.writer.get_mut().map(Option::take).unwrap_or_default();
        let _ = writer.map(JoinHandle::join);
    }
}
