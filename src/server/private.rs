//! What a member keeps is for the eyes of its own user: mail, keys, and the socket that takes orders.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::Mode;

use crate::clause;

/// What nobody but the owner may do.
const OTHERS: u32 = 0o077;

/// From here on whatever this process creates is private, whatever it was started with: directories,
/// files, sockets, and what `SQLite` creates by itself.
pub(crate) fn create_privately() {
    clause!(SV_018);
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Takes from others what an earlier version, or whoever made the place, has left them. Nothing is done
/// where there is nothing.
///
/// # Errors
/// The place belongs to another user.
pub(crate) fn take_from_others(path: &Path) -> io::Result<()> {
    clause!(SV_018);
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if mode & OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS))
}
