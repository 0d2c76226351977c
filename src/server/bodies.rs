//! Bodies on their way in and out: taken in piece by piece, read back in chunks and verified.

use alloc::sync::Arc;
use core::fmt;
use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::spool::{BodyFile, BodyFiles, ROW_LIMIT_OCTETS, SpoolError};
use crate::clause;
use crate::protocol::queue::Damage;
use crate::protocol::server::BodyProblem;
use crate::wire::message::{Body, BodyKey, Digest};

/// A body that is being received: hashed and counted, in memory while it is small, then in a file.
#[derive(Debug)]
pub struct Intake {
    files: BodyFiles,
    key: BodyKey,
    limit_octets: u64,
    octets: u64,
    hasher: Sha256,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    File(BodyFile),
}

/// Why a body is not taken. The rest of it is still to be read from the connection and dropped.
#[derive(Debug)]
pub enum IntakeError {
    /// Longer than the limit.
    TooLarge,
    /// It cannot be written.
    Store(SpoolError),
}

impl IntakeError {
    /// What the session is told, where the spool is still intact; `Err` where the host must stop.
    ///
    /// # Errors
    /// The failure of the store.
    pub fn problem(self) -> Result<BodyProblem, SpoolError> {
        match self {
            Self::TooLarge => Ok(BodyProblem::TooLarge),
            Self::Store(error) if error.is_no_file() => {
                clause!(SV_020);
                tracing::warn!(%error, "a body is refused");
                Ok(BodyProblem::NoSpace)
            }
            Self::Store(error) if error.is_no_space() => Ok(BodyProblem::NoSpace),
            Self::Store(error) => Err(error),
        }
    }
}

/// A body that is here completely.
#[derive(Debug)]
pub struct Taken {
    /// What the machines know of it.
    pub body: Body,
    /// A small body: to be submitted as [`super::spool::Operation::Body`] before the change that names
    /// it. A large one is `None` here: its file is complete and synced.
    pub row: Option<Vec<u8>>,
}

impl Intake {
    /// Starts an empty body that may grow to `limit_octets`.
    #[must_use]
    pub fn new(files: BodyFiles, key: BodyKey, limit_octets: u64) -> Self {
        let kept = Kept::Memory(Vec::new());
        Self { files, key, limit_octets, octets: 0, hasher: Sha256::new(), kept }
    }

    /// Takes the next piece. Writes to the disk, and so may block, once the body is large.
    ///
    /// # Errors
    /// The body grows beyond its limit, or the disk fails. Nothing more can be pushed then.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), IntakeError> {
        let octets = self.octets + piece.len() as u64;
        if octets > self.limit_octets {
            return Err(IntakeError::TooLarge);
        }
        self.octets = octets;
        self.hasher.update(piece);
        match &mut self.kept {
            Kept::Memory(memory) if memory.len() + piece.len() <= ROW_LIMIT_OCTETS => {
                memory.extend_from_slice(piece);
            }
            Kept::Memory(memory) => {
                let mut file = self.files.create(self.key).map_err(IntakeError::Store)?;
                file.write(memory).map_err(IntakeError::Store)?;
                file.write(piece).map_err(IntakeError::Store)?;
                self.kept = Kept::File(file);
            }
            Kept::File(file) => file.write(piece).map_err(IntakeError::Store)?,
        }
        Ok(())
    }

    /// How many octets are here.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// The digest of the octets that are here, which are dropped.
    #[must_use]
    pub fn into_digest(self) -> Digest {
        Digest(self.hasher.finalize().into())
    }

    /// Ends the body. A large one is synced here, which blocks.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(self) -> Result<Taken, IntakeError> {
        let digest = Digest(self.hasher.finalize().into());
        let body = Body { key: self.key, digest, octets: self.octets };
        let row = match self.kept {
            Kept::Memory(memory) => Some(memory),
            Kept::File(file) => {
                file.finish().map_err(IntakeError::Store)?;
                None
            }
        };
        assert_eq!(
            row.is_some(),
            body.octets <= ROW_LIMIT_OCTETS as u64,
            "only small bodies are rows"
        );
        Ok(Taken { body, row })
    }
}

/// Takes a whole body at once; for what this member writes itself.
///
/// # Errors
/// The disk fails.
pub fn take(files: &BodyFiles, key: BodyKey, octets: &[u8]) -> Result<Taken, IntakeError> {
    let mut intake = Intake::new(files.clone(), key, u64::MAX);
    intake.push(octets)?;
    intake.finish()
}

/// A body that is not the one that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedBody {
    /// The body as it was accepted.
    pub body: Body,
    /// What stands in its place.
    pub damage: Damage,
}

impl DamagedBody {
    /// What a reader said, where it was that its body is damaged.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for DamagedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.damage.against(&self.body))
    }
}

impl core::error::Error for DamagedBody {}

/// A body that is being read, in chunks of any size. Its end is given only when all that was read is the
/// body that was accepted; anything else is an error that [`DamagedBody::of`] recognizes.
#[derive(Debug)]
pub struct BodyReader {
    source: Source,
    body: Body,
}

#[derive(Debug)]
enum Source {
    /// A small one, verified before it was given.
    Memory { octets: Arc<[u8]>, position: usize },
    /// A large one, verified as it is read.
    File { file: File, octets: u64, hasher: Sha256 },
}

impl BodyReader {
    /// A reader at the start of `octets`.
    ///
    /// # Errors
    /// They are not those of `body`.
    pub fn memory(body: &Body, octets: Arc<[u8]>) -> Result<Self, DamagedBody> {
        verify(body, octets.len() as u64, Digest(Sha256::digest(&octets).into()))?;
        Ok(Self { source: Source::Memory { octets, position: 0 }, body: *body })
    }

    /// A reader at the start of `file`.
    #[must_use]
    pub fn file(body: &Body, file: File) -> Self {
        let source = Source::File { file, octets: 0, hasher: Sha256::new() };
        Self { source, body: *body }
    }

    /// Whether reading blocks.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        matches!(self.source, Source::File { .. })
    }

    /// Reads what is left, as one piece.
    ///
    /// # Errors
    /// The file cannot be read, or the body is damaged.
    pub fn read_all(mut self) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        self.read_to_end(&mut octets)?;
        Ok(octets)
    }

    /// Reads what is left and keeps nothing of it.
    ///
    /// # Errors
    /// The file cannot be read, or the body is damaged.
    pub fn verify_rest(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink()).map(|_| ())
    }
}

fn verify(body: &Body, octets: u64, digest: Digest) -> Result<(), DamagedBody> {
    clause!(CU_043);
    let damage = match (octets == body.octets, digest == body.digest) {
        (true, true) => return Ok(()),
        (false, _) => Damage::Octets(octets),
        (true, false) => Damage::Digest(digest),
    };
    Err(DamagedBody { body: *body, damage })
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (file, octets, hasher) = match &mut self.source {
            Source::Memory { octets, position } => {
                let count = buffer.len().min(octets.len() - *position);
                buffer[..count].copy_from_slice(&octets[*position..*position + count]);
                *position += count;
                return Ok(count);
            }
            Source::File { file, octets, hasher } => (file, octets, hasher),
        };
        let count = file.read(buffer)?;
        *octets += count as u64;
        hasher.update(&buffer[..count]);
        // What is longer than announced must not reach a far end that counts.
        if (count == 0 && !buffer.is_empty()) || *octets > self.body.octets {
            let digest = Digest(hasher.clone().finalize().into());
            verify(&self.body, *octets, digest)
                .map_err(|damaged| io::Error::new(io::ErrorKind::InvalidData, damaged))?;
        }
        Ok(count)
    }
}
