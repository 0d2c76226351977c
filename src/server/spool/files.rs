//! Large bodies: one file each, complete and synced before anything names it.

use alloc::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::SpoolError;
use crate::clause;
use crate::wire::message::BodyKey;

const TEMPORARY: &str = "part";

/// The directory of the large bodies.
#[derive(Clone, Debug)]
pub struct BodyFiles {
    directory: PathBuf,
}

/// A large body that is being written.
#[derive(Debug)]
pub struct BodyFile {
    file: File,
    temporary: PathBuf,
    complete: PathBuf,
    kept: bool,
}

/// Makes the entries of a directory durable.
///
/// # Errors
/// What the operating system says.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

impl BodyFiles {
    /// The directory, created if it is not there. What was never completed is removed, if it can be.
    ///
    /// # Errors
    /// The directory cannot be created or listed.
    pub fn open(directory: PathBuf) -> Result<Self, SpoolError> {
        fs::create_dir_all(&directory).map_err(SpoolError::io(&directory, "create"))?;
        let files = Self { directory };
        for path in files.entries()? {
            if path.extension().is_some_and(|extension| extension == TEMPORARY) {
                // Nothing names it, so it can stay until an opening that is able to remove it.
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "an unfinished body stays");
                }
            }
        }
        Ok(files)
    }

    /// The directory as it is, to be looked at: nothing is created or removed.
    pub(super) const fn untouched(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Starts the file of a body.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(&self, key: BodyKey) -> Result<BodyFile, SpoolError> {
        let complete = self.path(key);
        let temporary = complete.with_extension(TEMPORARY);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(SpoolError::io(&temporary, "create"))?;
        Ok(BodyFile { file, temporary, complete, kept: false })
    }

    /// Opens a complete body; `None` when there is no such file.
    ///
    /// # Errors
    /// It is there and cannot be opened.
    pub fn read(&self, key: BodyKey) -> Result<Option<File>, SpoolError> {
        let path = self.path(key);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SpoolError::io(&path, "open")(error)),
        }
    }

    /// Removes a body; one that is not there is removed already.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn remove(&self, key: BodyKey) -> Result<(), SpoolError> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(SpoolError::io(&path, "remove")(error))
            }
            _ => Ok(()),
        }
    }

    /// All complete bodies, with their lengths.
    ///
    /// # Errors
    /// The directory cannot be listed, or something lies in it that is no body.
    pub fn lengths(&self) -> Result<BTreeMap<BodyKey, u64>, SpoolError> {
        let mut lengths = BTreeMap::new();
        for path in self.entries()?.iter().filter(|path| path.extension().is_none()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let key = if name.len() == 16 { u64::from_str_radix(name, 16).ok() } else { None };
            let key = key.map(BodyKey).ok_or_else(|| SpoolError::Corrupt {
                path: path.clone(),
                place: "name".into(),
                problem: "no body key of 16 hexadecimal digits".into(),
            })?;
            let metadata = fs::metadata(path).map_err(SpoolError::io(path, "examine"))?;
            lengths.insert(key, metadata.len());
        }
        Ok(lengths)
    }

    fn path(&self, key: BodyKey) -> PathBuf {
        self.directory.join(format!("{:016x}", key.0))
    }

    fn entries(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let listing = || -> io::Result<Vec<PathBuf>> {
            fs::read_dir(&self.directory)?.map(|entry| Ok(entry?.path())).collect()
        };
        listing().map_err(SpoolError::io(&self.directory, "list"))
    }
}

impl BodyFile {
    /// Appends octets.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), SpoolError> {
        self.file.write_all(octets).map_err(SpoolError::io(&self.temporary, "write"))
    }

    /// Completes the body: synced, under its own name, and the name synced.
    ///
    /// # Errors
    /// Any step fails; the body is then not there, except when its name cannot be synced.
    pub fn finish(mut self) -> Result<(), SpoolError> {
        clause!(SV_005);
        self.file.sync_all().map_err(SpoolError::io(&self.temporary, "sync"))?;
        assert!(!self.complete.exists(), "a body key is used once");
        let path = self.complete.parent().expect("a body lies in the directory of bodies");
        // Opened before the name is given: where no file is left for it, nothing is left behind.
        let directory = File::open(path).map_err(SpoolError::io(path, "open"))?;
        fs::rename(&self.temporary, &self.complete)
            .map_err(SpoolError::io(&self.temporary, "rename"))?;
        self.kept = true;
        directory.sync_all().map_err(SpoolError::io(path, "sync"))
    }
}

impl Drop for BodyFile {
    /// A body that was not finished leaves nothing behind; what a crash leaves, the next open removes.
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
