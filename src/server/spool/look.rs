//! A spool that is looked at while no member uses it. Nothing in it is changed, so a damaged one can be
//! looked at too.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::de::DeserializeOwned;

use super::database::{
    Folded, fold_into, integer, lock, pragma_check, refuse_lost_database, verify,
};
use super::{BODIES, BodyFiles, DATABASE, SpoolError};
use crate::clause;
use crate::kernel::Machine;
use crate::wire::envelope::sha256;
use crate::wire::message::{Body, BodyKey};

/// What a spool holds, as far as it can be read.
#[derive(Debug)]
pub struct Look<D> {
    /// The fold of what was written, up to the first damage.
    pub durable: D,
    /// What is wrong with the database, one line each; bodies are looked at one by one.
    pub problems: Vec<String>,
    connection: Connection,
    database: PathBuf,
    files: BodyFiles,
    /// No member starts meanwhile.
    _lock: File,
}

/// What lies in the place of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// What was accepted.
    Whole(Vec<u8>),
    /// Something else; what is wrong with it.
    Damaged(Vec<u8>, String),
    /// Nothing that can be read; why.
    Nothing(String),
}

impl<D> Look<D> {
    /// Looks at the spool in `directory`.
    ///
    /// # Errors
    /// There is none, a member has it open, it is of another version, or it cannot be read at all.
    pub fn at<M>(directory: &Path) -> Result<Self, SpoolError>
    where
        M: Machine<Durable = D>,
        M::Change: DeserializeOwned,
        D: DeserializeOwned + Default,
    {
        clause!(SV_019);
        let database = directory.join(DATABASE);
        let files = BodyFiles::untouched(directory.join(BODIES));
        if !directory.exists() {
            return Err(SpoolError::io(directory, "open")(io::ErrorKind::NotFound.into()));
        }
        if !database.exists() {
            refuse_lost_database(directory, &database, &files)?;
            return Err(SpoolError::io(&database, "open")(io::ErrorKind::NotFound.into()));
        }
        let lock = lock(directory)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&database, flags)
            .map_err(SpoolError::database(&database, "open"))?;
        let mut problems = match pragma_check(&connection, "integrity_check") {
            Ok(lines) => lines,
            Err(error) => vec![SpoolError::database(&database, "check")(error).to_string()],
        };
        let mut folded = Folded::nothing();
        let read = verify(&database, &connection)
            .and_then(|()| fold_into::<M>(&mut folded, &database, &connection));
        match read {
            Ok(()) => {}
            Err(error @ SpoolError::Corrupt { .. }) => problems.push(error.to_string()),
            Err(error) => return Err(error),
        }
        let durable = folded.durable;
        Ok(Self { durable, problems, connection, database, files, _lock: lock })
    }

    /// What lies in the place of a body.
    #[must_use]
    pub fn body(&self, body: &Body) -> Found {
        let octets = match self.octets(body.key) {
            Ok(Some(octets)) => octets,
            Ok(None) => return Found::Nothing("is missing".into()),
            Err(error) => return Found::Nothing(error.to_string()),
        };
        let length = octets.len() as u64;
        if length != body.octets {
            return Found::Damaged(
                octets,
                format!("has {length} octets, expected {}", body.octets),
            );
        }
        if sha256(&octets) != body.digest {
            return Found::Damaged(octets, "is not what was accepted: its digest differs".into());
        }
        Found::Whole(octets)
    }

    fn octets(&self, key: BodyKey) -> Result<Option<Vec<u8>>, SpoolError> {
        if let Some(mut file) = self.files.read(key)? {
            let mut octets = Vec::new();
            file.read_to_end(&mut octets)
                .map_err(SpoolError::io(&self.database, "read a body of"))?;
            return Ok(Some(octets));
        }
        let select = "SELECT octets FROM bodies WHERE key = ?1";
        self.connection
            .query_row(select, [integer(key.0)], |row| row.get(0))
            .optional()
            .map_err(SpoolError::database(&self.database, "read a body of"))
    }
}
