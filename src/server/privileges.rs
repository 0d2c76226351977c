//! Root binds the ports; everything else is done as somebody who may do less.

use core::fmt;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getegid, geteuid, getgid, getuid, initgroups, setegid, seteuid, setgid,
    setuid,
};

use super::configuration::ProcessSection;
use crate::clause;

/// Why a member does not run as it is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivilegeError {
    /// The place in `member.toml`.
    pub place: &'static str,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl core::error::Error for PrivilegeError {}

fn wrong(place: &'static str, problem: String) -> PrivilegeError {
    PrivilegeError { place, problem }
}

/// Becomes the configured user for good, where root has started this process. To be called while it has
/// one thread, with the ports bound, before anything is read from them and before the spool is opened.
///
/// # Errors
/// There is no such user, the directory is not that user's, or the system does not let go. The process is
/// not to go on.
pub fn drop_privileges(process: &ProcessSection, directory: &Path) -> Result<(), PrivilegeError> {
    let Some((user, gid)) = look_up(process)? else {
        if geteuid().is_root() {
            tracing::info!("running as root: `user` in [process] names whom to run as");
        }
        return Ok(());
    };
    let name = &user.name;
    clause!(SV_096);
    if !geteuid().is_root() {
        if geteuid() != user.uid {
            let running = geteuid().as_raw();
            tracing::warn!(user = name, running, "only root can become another user: not done");
        }
        return Ok(());
    }
    gives_up(process, &user, gid)?;
    owns(&user, directory)?;
    clause!(SV_095);
    give_up(&user, gid)
        .map_err(|error| wrong("process.user", format!("cannot become `{name}`: {error}")))?;
    if !is_for_good(user.uid, gid) {
        return Err(wrong("process.user", format!("`{name}` could become root again")));
    }
    tracing::info!(user = name, "privileges are dropped");
    Ok(())
}

/// Looks whether root could start a member as the configured user; whoever asks.
///
/// # Errors
/// There is no such user or group, or it is root.
pub fn check_user(process: &ProcessSection) -> Result<(), PrivilegeError> {
    clause!(SV_092);
    look_up(process)?.map_or(Ok(()), |(user, gid)| gives_up(process, &user, gid))
}

/// The configured user, and the group that it runs in.
fn look_up(process: &ProcessSection) -> Result<Option<(User, Gid)>, PrivilegeError> {
    let Some(name) = &process.user else {
        if process.group.is_some() {
            return Err(wrong("process.group", "has no use without `user`".into()));
        }
        return Ok(None);
    };
    let user = found("process.user", name, User::from_name(name))?;
    let gid = match &process.group {
        Some(name) => found("process.group", name, Group::from_name(name))?.gid,
        None => user.gid,
    };
    Ok(Some((user, gid)))
}

/// Whoever becomes root gives nothing up.
fn gives_up(process: &ProcessSection, user: &User, gid: Gid) -> Result<(), PrivilegeError> {
    let wrong = |place, name: &str| {
        Err(wrong(place, format!("`{name}` gives nothing up, expected another")))
    };
    match &process.group {
        _ if user.uid.is_root() => wrong("process.user", &user.name),
        Some(group) if gid.as_raw() == 0 => wrong("process.group", group),
        None if gid.as_raw() == 0 => wrong("process.user", &user.name),
        _ => Ok(()),
    }
}

fn found<T>(
    place: &'static str,
    name: &str,
    looked_up: Result<Option<T>, Errno>,
) -> Result<T, PrivilegeError> {
    match looked_up {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(wrong(place, format!("the system has no `{name}`"))),
        Err(error) => Err(wrong(place, format!("`{name}` cannot be looked up: {error}"))),
    }
}

/// A spool that root has made could not be opened any more.
fn owns(user: &User, directory: &Path) -> Result<(), PrivilegeError> {
    let (shown, name) = (directory.display(), &user.name);
    let expected =
        format!("expected a directory of `{name}` (install -d -o {name} -m 700 {shown})");
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() && found.uid() == user.uid.as_raw() => Ok(()),
        Ok(found) => {
            let problem = format!("{shown} belongs to user {}, {expected}", found.uid());
            Err(wrong("directory", problem))
        }
        Err(error) => Err(wrong("directory", format!("{shown}: {error}, {expected}"))),
    }
}

/// The groups first: whoever is not root any more may not change them.
fn give_up(user: &User, gid: Gid) -> Result<(), Errno> {
    let name = CString::new(user.name.as_str()).map_err(|_| Errno::EINVAL)?;
    initgroups(&name, gid)?;
    setgid(gid)?;
    setuid(user.uid)
}

/// Tries to get back what was given up.
fn is_for_good(uid: Uid, gid: Gid) -> bool {
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    let is_back = setuid(root.0).is_ok() || seteuid(root.0).is_ok() || setegid(root.1).is_ok();
    let is_other = (getuid(), geteuid(), getgid(), getegid()) == (uid, uid, gid, gid);
    !is_back && is_other
}
