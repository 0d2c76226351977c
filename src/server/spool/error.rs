//! What can be wrong with a spool. Each error names the file and what is wrong with it.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::server::bodies::DamagedBody;

/// A spool cannot be opened, read or written.
#[derive(Debug)]
pub enum SpoolError {
    /// The operating system refused something.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was attempted, such as `create` or `sync`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// `SQLite` refused something.
    Database {
        /// The database file.
        path: PathBuf,
        /// What was attempted.
        doing: &'static str,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// The content cannot be what a spool wrote. Nothing was overwritten.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The place in it, such as `change 17`.
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// The layout is of another version.
    Format {
        /// The database file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// Another process has it open.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// An earlier write failed; the host was told which.
    Failed,
    /// A body is not the one that was accepted. The spool itself is in order.
    Damaged(DamagedBody),
    /// A change or the snapshot has no JSON form.
    Encoding {
        /// Why.
        problem: String,
    },
}

impl From<DamagedBody> for SpoolError {
    fn from(damaged: DamagedBody) -> Self {
        Self::Damaged(damaged)
    }
}

impl SpoolError {
    /// Wraps an error of the operating system.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }

    /// Wraps an error of `SQLite`. A file that is no intact database is reported as corrupt.
    pub(crate) fn database(
        path: &Path,
        doing: &'static str,
    ) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Corrupt { path, place: doing.into(), problem: source.to_string() }
            }
            _ => Self::Database { path, doing, source },
        }
    }

    /// Whether the process, or the system, has no file left: what needs one can be refused, and the
    /// spool itself is intact.
    #[must_use]
    pub fn is_no_file(&self) -> bool {
        let no_file = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
        matches!(self, Self::Io { source, .. } if no_file.contains(&source.raw_os_error()))
    }

    /// Whether the disk is full: new mail can be refused, and the spool itself is intact.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        match self {
            Self::Io { source, .. } => full.contains(&source.kind()),
            Self::Database { source: rusqlite::Error::SqliteFailure(error, _), .. } => {
                error.code == rusqlite::ErrorCode::DiskFull
                    || error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
            }
            _ => false,
        }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, source } => {
                write!(f, "{}: cannot {doing}: {source}", path.display())
            }
            Self::Database { path, doing, source } => {
                write!(f, "{}: cannot {doing}: {source}", path.display())
            }
            Self::Corrupt { path, place, problem } => {
                let path = path.display();
                write!(f, "{path}: {place}: {problem} (the spool is damaged; nothing was changed)")
            }
            Self::Format { path, found } => {
                let path = path.display();
                let expected = super::SPOOL_FORMAT;
                let hint = "let the version that wrote it empty the queue first";
                write!(f, "{path}: spool format {found}, expected {expected}: {hint}")
            }
            Self::Locked { path } => {
                write!(f, "{}: another process has this spool open", path.display())
            }
            Self::Failed => f.write_str("an earlier write to the spool failed"),
            Self::Damaged(damaged) => write!(f, "{damaged}"),
            Self::Encoding { problem } => write!(f, "a durable value has no JSON form: {problem}"),
        }
    }
}

impl core::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Database { source, .. } => Some(source),
            _ => None,
        }
    }
}
