//! What survives a crash: every change in order, a snapshot of their fold, and the bodies.
//!
//! A host opens a spool once, boots its node from [`Opened::durable`], and from then on submits what
//! the node tells it to write. The spool writes in the order of submission, many operations in one
//! commit, and tells the host how many changes each commit made durable.

mod database;
mod error;
mod files;
mod look;
mod reserve;
mod sqlite;
mod writer;

use alloc::vec::Vec;

pub use database::{CREATED, LOCK};
pub use error::SpoolError;
pub use files::{BodyFile, BodyFiles, sync_directory};
pub use look::{Found, Look};
pub use reserve::{RESERVE, RESERVE_OCTETS};
pub use sqlite::{BODIES, DATABASE, SqliteSpool};

use super::bodies::{BodyReader, DamagedBody};
use crate::kernel::Machine;
use crate::server::sync::Closed;
use crate::wire::message::{Body, BodyKey};

/// The version of the spool's layout: 2 since each change and the snapshot carry a digest.
pub const SPOOL_FORMAT: u32 = 2;
/// Bodies up to this many octets are rows, larger ones files.
pub const ROW_LIMIT_OCTETS: usize = 256 * 1024;
/// The most operations of one commit.
pub const GROUP_LIMIT: usize = 1_024;
/// A snapshot is folded after this many changes at the earliest.
pub const FOLD_AFTER_CHANGES: u64 = 1_024;

/// One thing to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<C> {
    /// A change. It becomes durable together with every operation before it.
    Write(C),
    /// A small body; submitted before the change that first names it.
    Body {
        /// Its key.
        key: BodyKey,
        /// At most [`ROW_LIMIT_OCTETS`].
        octets: Vec<u8>,
    },
    /// A body that no message needs any more.
    Discard(BodyKey),
}

/// What the spool tells the host, from the spool's own thread.
#[derive(Debug)]
pub enum Settled {
    /// So many more changes are on disk, in order. For each one the host calls
    /// [`crate::kernel::Node::stored`] once.
    Stored(usize),
    /// A write failed. Nothing is written any more; the host stops the member.
    Failed(SpoolError),
}

/// A spool that was just opened.
#[derive(Debug)]
pub struct Opened<S, D> {
    /// The spool.
    pub spool: S,
    /// The fold of everything that was written.
    pub durable: D,
    /// What was found and put right, one line each, for the log.
    pub problems: Vec<String>,
}

/// What collecting orphans did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Rows that no message needed.
    pub rows: usize,
    /// Files that no message needed.
    pub files: usize,
    /// What could not be removed and is left for a later start, one line each.
    pub put_off: Vec<String>,
    /// Bodies that a message needs and that are not there, or not as long as they were.
    pub damaged: Vec<DamagedBody>,
}

/// Durable storage of one member.
pub trait Spool<M: Machine>: Send + Sync {
    /// Queues an operation behind all earlier ones and returns at once.
    ///
    /// # Errors
    /// [`Closed`] after [`Self::close`] or a failed write.
    fn submit(&self, operation: Operation<M::Change>) -> Result<(), Closed>;

    /// A key that this spool has never given before.
    fn next_key(&self) -> BodyKey;

    /// Whether the room in reserve is spent: nothing new is to come in.
    fn is_full(&self) -> bool;

    /// Whether new bodies may come in again. Tries now and then to keep room, which blocks.
    fn admits(&self) -> bool;

    /// Where large bodies are written.
    fn files(&self) -> &BodyFiles;

    /// Opens a body for reading. Sees every body that was submitted, committed or not.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`] when there is none of that key, or another one. Of a large body only its
    /// reader can tell, at its end.
    fn read(&self, body: &Body) -> Result<BodyReader, SpoolError>;

    /// Removes every body that is not `live`, and looks whether those that are can be there: the digests
    /// are compared when they are read. Called once, after the boot and before anything is submitted.
    ///
    /// # Errors
    /// Rows or files cannot be listed or removed.
    fn collect(&self, live: &[Body]) -> Result<Collected, SpoolError>;

    /// Reads everything and lists what is wrong with it, one line each.
    ///
    /// # Errors
    /// The check itself cannot be run.
    fn check(&self) -> Result<Vec<String>, SpoolError>;

    /// How many operations are not committed yet.
    fn unsettled(&self) -> usize;

    /// Writes what waits, folds the snapshot and closes. Nothing can be submitted after it.
    ///
    /// # Errors
    /// The last writes failed.
    fn close(&self) -> Result<(), SpoolError>;
}
