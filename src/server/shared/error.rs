//! Why the store of leased accounts has not answered.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::SHARED_FORMAT;
use crate::wire::message::Refusal;

/// A question that the store has not answered. Nothing of it counts as recorded; whether anything is, the
/// store says when it is asked again.
#[derive(Debug)]
pub enum SharedError {
    /// A file or directory.
    Io {
        /// Which one.
        path: PathBuf,
        /// What was attempted.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The database.
    Database {
        /// Its file.
        path: PathBuf,
        /// What was attempted.
        doing: &'static str,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// It is of another version.
    Format {
        /// Its file.
        path: PathBuf,
        /// The format that it has.
        found: String,
    },
    /// It is no store, or damaged.
    Corrupt {
        /// Its file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// It is not there, and must be: what was delivered into it would be delivered again.
    Missing {
        /// Its file.
        path: PathBuf,
        /// What is there in its place.
        state: &'static str,
        /// Why there must be one.
        why: String,
    },
    /// It is not the one that the organization names.
    NotNamed {
        /// Its file.
        path: PathBuf,
        /// The identity that it has.
        found: String,
        /// The identity that is named.
        named: String,
    },
    /// It is not the one that this member has used before.
    Another {
        /// Its file.
        path: PathBuf,
        /// What the member remembers by.
        memory: PathBuf,
    },
}

impl SharedError {
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }

    pub(super) fn database(
        path: &Path,
        doing: &'static str,
    ) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, place: doing.into(), problem: source.to_string() }
            }
            _ => Self::Database { path, doing, source },
        }
    }

    pub(super) fn missing(path: &Path, state: &'static str, why: &str) -> Self {
        Self::Missing { path: path.to_owned(), state, why: why.to_owned() }
    }

    /// Whether no waiting helps: whoever runs the member has to do something.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        matches!(self, Self::Format { .. })
    }

    /// Whether it is about what one account has there, so that another account may fare better.
    #[must_use]
    pub const fn is_of_an_account(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }

    /// What the sender is told: try again later.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let is_full = match self {
            Self::Io { source, .. } => {
                [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&source.kind())
            }
            Self::Database { source, .. } => {
                source.sqlite_error_code() == Some(ErrorCode::DiskFull)
            }
            _ => false,
        };
        if is_full {
            return Refusal::new(452, "4.2.2", "no space for this account");
        }
        Refusal::new(451, "4.3.0", "the store of the account cannot be used now")
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, source } => {
                write!(f, "{}: cannot {doing}: {source}", path.display())
            }
            Self::Database { path, doing, source } => {
                write!(f, "{}: cannot {doing}: {source}", path.display())
            }
            Self::Format { path, found } => {
                let path = path.display();
                write!(f, "{path}: the store has format {found}, expected {SHARED_FORMAT}")
            }
            Self::Corrupt { path, place, problem } => {
                write!(f, "{}: {place}: {problem}", path.display())
            }
            Self::Missing { path, state, why } => write!(f, "{}: {state}, {why}", path.display()),
            Self::NotNamed { path, found, named } => {
                let path = path.display();
                write!(f, "{path}: is the store {found}, and the organization names {named}")
            }
            Self::Another { path, memory } => write!(
                f,
                "{}: is not the store that this member has used before (is another directory mounted here, or \
                 none?); to use it all the same, remove {}",
                path.display(),
                memory.display()
            ),
        }
    }
}

impl core::error::Error for SharedError {}
