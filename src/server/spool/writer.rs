//! The one thread that writes: a group of operations, one transaction, one sync.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::database::{Folded, Row, integer, note_latest};
use super::reserve::Reserve;
use super::{
    BodyFiles, FOLD_AFTER_CHANGES, GROUP_LIMIT, Operation, ROW_LIMIT_OCTETS, Settled, SpoolError,
};
use crate::clause;
use crate::kernel::Machine;
use crate::server::sync::{Closed, GroupCommit};
use crate::wire::message::BodyKey;

/// What the writer's thread and the users of the spool share.
#[derive(Debug)]
pub(super) struct Shared<C> {
    pub(super) queue: GroupCommit<Queued<C>>,
    /// Bodies that are submitted and not committed, so that they can be read at once.
    bodies: Mutex<BTreeMap<BodyKey, Arc<[u8]>>>,
    pub(super) reserve: Reserve,
}

/// As [`Operation`], with the octets where readers see them.
#[derive(Debug)]
pub(super) enum Queued<C> {
    Write(C),
    Body(BodyKey, Arc<[u8]>),
    Discard(BodyKey),
}

impl<C> Shared<C> {
    pub(super) fn new(reserve: Reserve) -> Self {
        Self { queue: GroupCommit::new(), bodies: Mutex::new(BTreeMap::new()), reserve }
    }

    pub(super) fn submit(&self, operation: Operation<C>) -> Result<(), Closed> {
        let queued = match operation {
            Operation::Write(change) => Queued::Write(change),
            Operation::Discard(key) => Queued::Discard(key),
            Operation::Body { key, octets } => {
                assert!(octets.len() <= ROW_LIMIT_OCTETS, "a large body is a file");
                let octets: Arc<[u8]> = octets.into();
                let before = self.locked().insert(key, Arc::clone(&octets));
                assert!(before.is_none(), "a body key is used once");
                Queued::Body(key, octets)
            }
        };
        self.queue.push(queued)
    }

    pub(super) fn uncommitted(&self, key: BodyKey) -> Option<Arc<[u8]>> {
        self.locked().get(&key).cloned()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<BodyKey, Arc<[u8]>>> {
        self.bodies.lock().expect("no holder of this lock panics")
    }
}

/// The state of the writer's thread.
pub(super) struct Writer<M: Machine> {
    database: PathBuf,
    connection: Connection,
    files: BodyFiles,
    folded: Folded<M::Durable>,
    shared: Arc<Shared<M::Change>>,
}

/// Starts the thread. It ends when the queue is closed and empty, or with the first failed write.
pub(super) fn spawn<M>(
    mut writer: Writer<M>,
    mut settled: impl FnMut(Settled) + Send + 'static,
) -> io::Result<JoinHandle<Result<(), ()>>>
where
    M: Machine + 'static,
    M::Change: Serialize + Send,
    M::Durable: Serialize + Send,
{
    thread::Builder::new().name("spool".into()).spawn(move || {
        let shared = Arc::clone(&writer.shared);
        let written = shared
            .queue
            .serve(
                GROUP_LIMIT,
                |group| writer.commit(group),
                |group| {
                    let changes = group.iter().filter(|op| matches!(op, Queued::Write(_))).count();
                    if changes > 0 {
                        settled(Settled::Stored(changes));
                    }
                },
            )
            .and_then(|()| writer.fold_at_close());
        written.map_err(|error| settled(Settled::Failed(error)))
    })
}

impl<M> Writer<M>
where
    M: Machine,
    M::Change: Serialize,
    M::Durable: Serialize,
{
    pub(super) const fn new(
        database: PathBuf,
        connection: Connection,
        files: BodyFiles,
        folded: Folded<M::Durable>,
        shared: Arc<Shared<M::Change>>,
    ) -> Self {
        Self { database, connection, files, folded, shared }
    }

    /// Writes a group in one transaction. Its files are removed only after the commit, when no change
    /// can need them any more.
    fn commit(&mut self, group: &[Queued<M::Change>]) -> Result<(), SpoolError> {
        let before = self.folded.sequence;
        let changes = self.fold_in(group)?;
        let snapshot = is_fold_due(&self.folded).then(|| encode(&self.folded.durable));
        let mut snapshot = snapshot.transpose()?;
        let mut written = self.write(group, before, &changes, snapshot.as_deref());
        if written.as_ref().is_err_and(SpoolError::is_no_space) && self.shared.reserve.release() {
            clause!(SV_015);
            tracing::error!("the disk is full: new mail is refused until there is room in reserve");
            // A snapshot can wait, and may need more than there is.
            snapshot = None;
            written = self.write(group, before, &changes, None);
        }
        written?;
        if let Some(json) = snapshot {
            restart_count(&mut self.folded, &json);
        }
        self.after_commit(group)
    }

    /// Folds the changes of a group in; gives them as they will be written.
    fn fold_in(&mut self, group: &[Queued<M::Change>]) -> Result<Vec<String>, SpoolError> {
        let mut changes = Vec::new();
        for operation in group {
            if let Queued::Write(change) = operation {
                let json = encode(change)?;
                self.folded.sequence += 1;
                self.folded.changes_since_snapshot += 1;
                self.folded.octets_since_snapshot += json.len() as u64;
                M::apply(&mut self.folded.durable, change);
                changes.push(json);
            }
        }
        Ok(changes)
    }

    /// One transaction: all of it is on disk, or nothing.
    fn write(
        &mut self,
        group: &[Queued<M::Change>],
        before: i64,
        changes: &[String],
        snapshot: Option<&str>,
    ) -> Result<(), SpoolError> {
        let failed = || SpoolError::database(&self.database, "write to");
        let transaction = self.connection.transaction().map_err(failed())?;
        let mut numbered = (before + 1..).zip(changes);
        for operation in group {
            match operation {
                Queued::Write(_) => {
                    let (sequence, json) = numbered.next().expect("each change was folded in");
                    write_change(&transaction, sequence, json)
                }
                Queued::Body(key, octets) => write_body(&transaction, *key, octets),
                Queued::Discard(key) => remove_body(&transaction, *key),
            }
            .map_err(failed())?;
        }
        if !changes.is_empty() {
            note_latest(&transaction, self.folded.sequence).map_err(failed())?;
        }
        if let Some(json) = snapshot {
            write_snapshot(&transaction, self.folded.sequence, json).map_err(failed())?;
        }
        transaction.commit().map_err(failed())
    }

    fn after_commit(&self, group: &[Queued<M::Change>]) -> Result<(), SpoolError> {
        let mut uncommitted = self.shared.locked();
        for operation in group {
            match operation {
                Queued::Write(_) => {}
                Queued::Body(key, _) => {
                    let octets = uncommitted.remove(key);
                    assert!(octets.is_some(), "a body is readable until it is committed");
                }
                Queued::Discard(key) => self.files.remove(*key)?,
            }
        }
        Ok(())
    }

    /// Leaves nothing but a snapshot, so that the next start reads little. A disk that is too full for
    /// that keeps the changes.
    fn fold_at_close(&mut self) -> Result<(), SpoolError> {
        if self.folded.changes_since_snapshot == 0 {
            return Ok(());
        }
        let json = encode(&self.folded.durable)?;
        match self.write_fold(&json) {
            Err(error) if error.is_no_space() => {
                tracing::warn!(%error, "the changes stay as they are");
                return Ok(());
            }
            written => written?,
        }
        restart_count(&mut self.folded, &json);
        Ok(())
    }

    fn write_fold(&mut self, json: &str) -> Result<(), SpoolError> {
        let failed = || SpoolError::database(&self.database, "fold");
        let transaction = self.connection.transaction().map_err(failed())?;
        write_snapshot(&transaction, self.folded.sequence, json).map_err(failed())?;
        transaction.commit().map_err(failed())
    }
}

fn encode(value: &impl Serialize) -> Result<String, SpoolError> {
    serde_json::to_string(value)
        .map_err(|error| SpoolError::Encoding { problem: error.to_string() })
}

/// Folding costs as much as the snapshot is long, so it waits until that much was written anyway:
/// the disk writes each octet about twice, however large the queue is.
const fn is_fold_due<D>(folded: &Folded<D>) -> bool {
    folded.changes_since_snapshot >= FOLD_AFTER_CHANGES
        && folded.octets_since_snapshot >= folded.snapshot_octets
}

const fn restart_count<D>(folded: &mut Folded<D>, snapshot: &str) {
    folded.changes_since_snapshot = 0;
    folded.octets_since_snapshot = 0;
    folded.snapshot_octets = snapshot.len() as u64;
}

fn write_change(to: &Transaction<'_>, sequence: i64, json: &str) -> rusqlite::Result<()> {
    let mut insert =
        to.prepare_cached("INSERT INTO changes (seq, json, digest) VALUES (?1, ?2, ?3)")?;
    let rows = insert.execute(params![sequence, json, Row::Change.digest(sequence, json)])?;
    assert_eq!(rows, 1, "a change is a row");
    Ok(())
}

fn write_body(to: &Transaction<'_>, key: BodyKey, octets: &[u8]) -> rusqlite::Result<()> {
    clause!(SV_005);
    let mut insert = to.prepare_cached("INSERT INTO bodies (key, octets) VALUES (?1, ?2)")?;
    let rows = insert.execute(params![integer(key.0), octets])?;
    assert_eq!(rows, 1, "a body is a row");
    Ok(())
}

fn remove_body(from: &Transaction<'_>, key: BodyKey) -> rusqlite::Result<()> {
    from.prepare_cached("DELETE FROM bodies WHERE key = ?1")?.execute([integer(key.0)])?;
    Ok(())
}

/// The snapshot replaces every change that it folds, in the same transaction.
fn write_snapshot(to: &Transaction<'_>, sequence: i64, json: &str) -> rusqlite::Result<()> {
    clause!(SV_004);
    to.execute("DELETE FROM snapshot", [])?;
    let insert = "INSERT INTO snapshot (seq, json, digest) VALUES (?1, ?2, ?3)";
    to.execute(insert, params![sequence, json, Row::Snapshot.digest(sequence, json)])?;
    to.execute("DELETE FROM changes WHERE seq <= ?1", [sequence])?;
    Ok(())
}
