//! Writes and reads `events.jsonl`: one line for each event, chained by hashes, flushed at once.
//!
//! A line is `{"hash":"<64 hex>","line":<record>}`, where the hash is SHA-256 over the hash of the line
//! before it (64 zeros at first) and the octets of the record exactly as they stand in the line.

use core::fmt;
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::clock::Stopwatch;
use crate::event::{Event, Record, hex};

/// The hash before the first line.
const ORIGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const HEAD: &str = "{\"hash\":\"";
const MIDDLE: &str = "\",\"line\":";
const TAIL: &str = "}";

fn link(before: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(before.as_bytes());
    hasher.update(body.as_bytes());
    hex(&hasher.finalize())
}

/// Chains records into the text of an `events.jsonl`; tests use it to forge a file whose hashes hold.
pub(crate) fn chain_line(before: &mut String, body: &str) -> String {
    *before = link(before, body);
    format!("{HEAD}{before}{MIDDLE}{body}{TAIL}\n")
}

struct Inner {
    file: Option<File>,
    before: String,
    next: u64,
    now_us: u64,
    case: Vec<Record>,
    epoch: u64,
    broken: Option<String>,
}

/// The recorder of a run. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct Recorder {
    inner: Arc<Mutex<Inner>>,
    watch: Stopwatch,
    /// The case that this handle belongs to; a handle without one belongs to the run.
    epoch: Option<u64>,
}

impl Recorder {
    /// Opens the file, which must be new or is replaced. It is locked as long as this recorder or a clone
    /// lives: two runs that wrote to one report would leave none.
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => std::io::Error::new(
                std::io::ErrorKind::WouldBlock,
                "another run writes its report here",
            ),
            TryLockError::Error(error) => error,
        })?;
        file.set_len(0)?;
        Ok(Self::over(Some(file)))
    }

    /// Records in memory only, for the unit tests and for `doctor`.
    pub(crate) fn in_memory() -> Self {
        Self::over(None)
    }

    fn over(file: Option<File>) -> Self {
        let inner = Inner {
            file,
            before: ORIGIN.to_owned(),
            next: 0,
            now_us: 0,
            case: Vec::new(),
            epoch: 0,
            broken: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), watch: Stopwatch::start(), epoch: None }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked while it held the lock had nothing half-done that others could see.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event; it is in the file when this returns. What comes on a handle of a case that is
    /// over is dropped: a thread that ends late must not write into the next case.
    pub(crate) fn record(&self, event: Event) -> u64 {
        let mut inner = self.lock();
        if self.epoch.is_some_and(|epoch| epoch != inner.epoch) {
            return inner.next;
        }
        let n = inner.next;
        inner.next += 1;
        let record = Record { n, at_us: inner.now_us, wall_us: self.watch.micros(), event };
        let mut before = core::mem::take(&mut inner.before);
        match serde_json::to_string(&record) {
            Ok(body) => {
                let line = chain_line(&mut before, &body);
                if let Some(file) = &mut inner.file
                    && let Err(error) = file.write_all(line.as_bytes())
                {
                    inner.broken = Some(error.to_string());
                }
            }
            Err(error) => inner.broken = Some(error.to_string()),
        }
        inner.before = before;
        inner.case.push(record);
        n
    }

    /// Sets the virtual time that following records carry.
    pub(crate) fn set_now(&self, now_us: u64) {
        self.lock().now_us = now_us;
    }

    /// Begins a case: gives the handle that its threads share.
    pub(crate) fn begin(&self) -> Self {
        let mut inner = self.lock();
        inner.case.clear();
        inner.now_us = 0;
        inner.epoch += 1;
        Self { epoch: Some(inner.epoch), ..self.clone() }
    }

    /// The records of the case so far.
    pub(crate) fn so_far(&self) -> Vec<Record> {
        self.lock().case.clone()
    }

    /// Ends the case: nothing more comes from its threads. Gives its records.
    pub(crate) fn seal(&self) -> Vec<Record> {
        let mut inner = self.lock();
        inner.epoch += 1;
        core::mem::take(&mut inner.case)
    }

    /// A handle whose records go nowhere.
    pub(crate) fn nowhere() -> Self {
        Self { epoch: Some(u64::MAX), ..Self::in_memory() }
    }

    /// Why the file could not be written, if it could not.
    pub(crate) fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// Real time since the run began.
    pub(crate) const fn watch(&self) -> Stopwatch {
        self.watch
    }
}

/// What is wrong with an `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainError {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) problem: String,
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// Reads a file whose chain must hold.
pub(crate) fn read(text: &[u8]) -> Result<Vec<Record>, ChainError> {
    let mut records = Vec::new();
    let mut before = ORIGIN.to_owned();
    if !text.is_empty() && text.last() != Some(&b'\n') {
        let line = text.split(|octet| *octet == b'\n').count();
        return Err(ChainError { line, problem: "the last line is cut short".into() });
    }
    for (place, line) in text.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let record = read_line(line, &mut before, place)
            .map_err(|problem| ChainError { line: place + 1, problem })?;
        records.push(record);
    }
    Ok(records)
}

fn read_line(line: &[u8], before: &mut String, place: usize) -> Result<Record, String> {
    let text = core::str::from_utf8(line).map_err(|_| "is not UTF-8")?;
    let rest = text.strip_prefix(HEAD).ok_or("does not begin with a hash")?;
    let (hash, rest) = rest.split_at_checked(64).ok_or("the hash is cut short")?;
    let body = rest
        .strip_prefix(MIDDLE)
        .and_then(|rest| rest.strip_suffix("}\n"))
        .ok_or("has not the form {\"hash\":…,\"line\":…}")?;
    if link(before, body) != hash {
        return Err("the hash does not fit: this line or one before it was changed".into());
    }
    hash.clone_into(before);
    let record: Record =
        serde_json::from_str(body).map_err(|error| format!("is no record: {error}"))?;
    if record.n != place as u64 {
        return Err(format!("carries number {}, expected {place}", record.n));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::{Recorder, read};
    use crate::event::{Event, Octets, Way};

    fn sample(path: &std::path::Path) -> Vec<u8> {
        let recorder = Recorder::create(path).expect("a temporary directory is writable");
        recorder.record(Event::CaseStart { case: "a.b.01".into(), security: None });
        recorder.set_now(60_000_000);
        for data in [b"250 ok\r\n".as_slice(), b"\xff\x00\"".as_slice()] {
            let data = Octets::of(data);
            recorder.record(Event::Octets {
                link: "client#1".into(),
                way: Way::Back,
                withheld: false,
                data,
            });
        }
        std::fs::read(path).expect("the file was written")
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let text = sample(&directory.path().join("events.jsonl"));
        let records = read(&text).expect("an untouched file is right");
        assert_eq!(records.len(), 3);
        assert_eq!(records[1].at_us, 60_000_000);
        for place in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[place] ^= 1 << bit;
                assert!(read(&changed).is_err(), "bit {bit} of octet {place}");
            }
        }
    }

    #[test]
    fn a_file_that_ends_early_is_read_up_to_its_last_whole_line() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let text = sample(&directory.path().join("events.jsonl"));
        let cut = text.iter().position(|octet| *octet == b'\n').expect("lines") + 1;
        assert_eq!(read(&text[..cut]).expect("whole lines").len(), 1);
        assert!(read(&text[..cut + 5]).is_err());
    }
}
