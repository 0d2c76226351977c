//! The files that a filter is given.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;

use crate::clause;
use crate::server::bodies::DamagedBody;
use crate::server::net::Network;
use crate::server::private;
use crate::server::spool::SpoolError;
use crate::wire::message::Body;

/// The directory of the files that the child is given, below that of the filter, which is its own.
pub(super) const QUEUE: &str = "Queue";

/// The file of a question, from the directory of the filter.
pub(super) fn name_of(number: u32) -> String {
    format!("{QUEUE}/{number}.msg")
}

/// What an earlier process left behind is of no use.
pub(super) fn clear(directory: &Path) -> io::Result<()> {
    clause!(SV_065);
    match fs::remove_dir_all(directory.join(QUEUE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the directory of the filter, wherever it has gone.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    clause!(SV_077);
    fs::create_dir_all(directory)?;
    private::take_from_others(directory)
}

/// Makes the directory of the files, but not that of the filter: a filter whose own is gone could not find
/// them.
fn make_queue(directory: &Path) -> io::Result<()> {
    clause!(SV_077);
    match fs::create_dir(directory.join(QUEUE)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Writes the envelope, the added fields and the message, its lines ended as this system ends them.
pub(super) fn write(
    network: &Network,
    (directory, number): (&Path, u32),
    (above, fields): &(String, String),
    body: &Body,
) -> Result<(), SpoolError> {
    clause!(RU_044);
    let path = directory.join(name_of(number));
    let trouble = SpoolError::io(&path, "write");
    let mut reader = network.spool.read(body)?;
    let written = (|| {
        make_queue(directory)?;
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(above.as_bytes())?;
        file.write_all(fields.replace("\r\n", "\n").as_bytes())?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut chunk)? {
                0 => return file.flush(),
                // A body has no bare CR: each one ends a line together with its LF.
                octets => {
                    for part in chunk[..octets].split(|octet| *octet == b'\r') {
                        file.write_all(part)?;
                    }
                }
            }
        }
    })();
    written.map_err(|error| match DamagedBody::of(&error) {
        Some(damaged) => SpoolError::Damaged(damaged.clone()),
        None => trouble(error),
    })
}
