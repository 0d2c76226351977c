//! Room that is kept for the day on which the disk is full.
//!
//! A full disk must stop new mail, and nothing else: what is in custody must still be handed over, returned
//! and removed, and each of these is a write. So a file without content holds some room. It is removed
//! when a write finds none, and until it can be kept again nothing new is let in.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use rustix::fs::{FallocateFlags, fallocate};

use super::SpoolError;
use crate::clause;

/// The file that holds the room, in the directory of the spool.
pub const RESERVE: &str = "spool.reserve";
/// How much room is kept: a write-ahead log at its largest, and as much again.
pub const RESERVE_OCTETS: u64 = 8 * 1024 * 1024;
/// How much room a member must find to start at all: it writes at once, and must not stop again at once.
const START_OCTETS: u64 = 1024 * 1024;
/// How often it is tried to keep the room again, in real time.
const RESTORE_INTERVAL: Duration = Duration::from_secs(5);

/// The room of one spool.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    /// The room is spent: nothing new is let in.
    spent: AtomicBool,
    /// When it was last tried to keep it again.
    tried: Mutex<Option<Instant>>,
}

impl Reserve {
    /// The reserve of the spool in `directory`, as it is there.
    pub(super) fn new(directory: &Path) -> Self {
        let path = directory.join(RESERVE);
        Self { path, spent: AtomicBool::new(false), tried: Mutex::new(None) }
    }

    /// Whether the room is spent.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::SeqCst)
    }

    /// Gives the room away; whether there was any.
    pub(super) fn release(&self) -> bool {
        clause!(SV_015);
        self.spent.store(true, Ordering::SeqCst);
        let was_there = fs::metadata(&self.path).is_ok_and(|file| file.len() > 0);
        was_there && fs::remove_file(&self.path).is_ok()
    }

    /// Keeps the room, where it is not kept.
    ///
    /// # Errors
    /// There is no room, or the file system cannot keep any.
    pub(super) fn keep(&self) -> Result<(), SpoolError> {
        let is_kept = fs::metadata(&self.path).is_ok_and(|file| file.len() == RESERVE_OCTETS);
        let kept = if is_kept { Ok(()) } else { allocate(&self.path, RESERVE_OCTETS) };
        if kept.is_err() {
            // What was allocated in part is room that is needed.
            let _ = fs::remove_file(&self.path);
        }
        let kept = kept.map_err(SpoolError::io(&self.path, "keep room in reserve"));
        // Where no room can be kept for another reason, a full disk stops the member: no mail is lost.
        let is_full = kept.as_ref().is_err_and(SpoolError::is_no_space);
        self.spent.store(is_full, Ordering::SeqCst);
        kept
    }

    /// Whether a member can go on for a while without room in reserve.
    ///
    /// # Errors
    /// There is no room for what it writes at once.
    pub(super) fn expect_room_to_start(&self) -> Result<(), SpoolError> {
        let probe = self.path.with_extension("probe");
        let allocated = allocate(&probe, START_OCTETS);
        let _ = fs::remove_file(&probe);
        let trouble = allocated.map_err(SpoolError::io(&self.path, "keep room in reserve"));
        trouble.or_else(|error| if error.is_no_space() { Err(error) } else { Ok(()) })
    }

    /// Whether new mail may come in: tries now and then to keep room that was spent. May block.
    pub(super) fn admits(&self) -> bool {
        if !self.is_spent() {
            return true;
        }
        let mut tried = self.tried.lock().expect("no holder of this lock panics");
        let is_due = tried.is_none_or(|tried| tried.elapsed() >= RESTORE_INTERVAL);
        if is_due {
            *tried = Some(Instant::now());
            if self.keep().is_ok() {
                tracing::info!("there is room in reserve again; new mail is let in");
            }
        }
        !self.is_spent()
    }
}

fn allocate(path: &Path, octets: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    match fallocate(file.as_fd(), FallocateFlags::empty(), 0, octets) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => fill(&mut file, octets)?,
        allocated => allocated?,
    }
    file.sync_all()
}

/// For file systems that allocate only what is written; no run of octets, for some store none of it.
fn fill(file: &mut File, octets: u64) -> io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut chunk = [0_u8; 64 * 1024];
    for _ in 0..octets / chunk.len() as u64 {
        for octets in chunk.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            octets.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&chunk)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_released_and_kept_again() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(directory.path());
        assert!(!reserve.release(), "there is none yet");
        assert!(reserve.is_spent());
        reserve.keep().unwrap();
        assert!(!reserve.is_spent() && reserve.admits());
        assert_eq!(fs::metadata(&reserve.path).unwrap().len(), RESERVE_OCTETS);
        assert!(reserve.release() && !reserve.path.exists());
        assert!(reserve.admits(), "the first try comes at once, and there is room");
        assert!(reserve.release());
        assert!(!reserve.admits(), "the next one later");
    }

    #[test]
    fn what_is_filled_has_its_length() {
        let mut file = tempfile::tempfile().unwrap();
        fill(&mut file, RESERVE_OCTETS).unwrap();
        assert_eq!(file.metadata().unwrap().len(), RESERVE_OCTETS);
    }
}
