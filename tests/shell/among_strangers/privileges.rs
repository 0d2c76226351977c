//! A member that root starts, and that does not stay root.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use bridgehead::server::configuration;
use nix::unistd::{User, geteuid};

use super::configured;
use crate::serve::refused;
use crate::support::{Client, Daemon};

const NOBODY: &str = "[process]\nuser = \"nobody\"\n";

/// The user that these tests become; `None`, with the reason printed, where they cannot.
fn nobody() -> Option<User> {
    let user = User::from_name("nobody").ok().flatten();
    if !geteuid().is_root() || user.is_none() {
        println!("skipped: only root can become another user, and there has to be `nobody`");
        return None;
    }
    user
}

/// What the kernel says of each thread of a process.
fn threads(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap()).collect()
}

fn line<'t>(status: &'t str, name: &str) -> Vec<&'t str> {
    let found = status.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap().split_whitespace().collect()
}

fn open_to_all(directory: &Path) {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
}

/// SV-095: no thread is root any more, and mail is taken and kept.
#[test]
fn no_thread_stays_root() {
    let Some(user) = nobody() else { return };
    let directory = tempfile::tempdir().unwrap();
    open_to_all(directory.path());
    let file = configured(directory.path(), NOBODY);
    let state = directory.path().join("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    // Root's own groups would be kept if nobody took them away.
    let mut as_root = Command::new("setpriv");
    as_root.args(["--groups", "0", env!("CARGO_BIN_EXE_bridgehead"), "serve"]).arg(&file);
    as_root.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon::ready(as_root.spawn().expect("util-linux is there"));
    assert!(Client::connect(daemon.smtp).send("hello").starts_with("250"));
    let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
    let threads = threads(daemon.child.id());
    assert!(threads.len() > 1, "there are threads");
    for status in threads {
        assert_eq!(line(&status, "Uid:"), [uid.as_str(); 4], "{status}");
        assert_eq!(line(&status, "Gid:"), [gid.as_str(); 4], "{status}");
        assert!(!line(&status, "Groups:").contains(&"0"), "{status}");
        assert_eq!(line(&status, "CapEff:"), ["0000000000000000"], "{status}");
    }
}

/// SV-092: `check` tells whoever is not root what root would be told at the start.
#[test]
fn a_check_looks_the_user_up() {
    let directory = tempfile::tempdir().unwrap();
    for (section, clue) in [
        ("user = \"no-such-user\"", Some("process.user: the system has no `no-such-user`")),
        ("user = \"root\"", Some("process.user: `root` gives nothing up")),
        (
            "user = \"daemon\"\ngroup = \"no-such\"",
            Some("process.group: the system has no `no-such`"),
        ),
        ("user = \"daemon\"\ngroup = \"root\"", Some("process.group: `root` gives nothing up")),
        ("user = \"daemon\"", None),
    ] {
        let file = configured(directory.path(), &format!("[process]\n{section}\n"));
        let output =
            Command::new(env!("CARGO_BIN_EXE_bridgehead")).arg("check").arg(&file).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(if clue.is_some() { 2 } else { 0 }), "{said}");
        assert!(said.contains(clue.unwrap_or_default()), "{said}");
        assert_eq!(said.contains("member.toml:"), clue.is_some(), "{said}");
    }
}

/// SV-096: a directory that is not the user's, and a user that is none, are refused with the line.
#[test]
fn a_directory_of_somebody_else_is_refused() {
    let Some(_) = nobody() else { return };
    let directory = tempfile::tempdir().unwrap();
    open_to_all(directory.path());
    let file = configured(directory.path(), NOBODY);
    let (code, said) = refused(&file);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("expected a directory of `nobody` (install -d -o nobody"), "{said}");
    fs::create_dir(directory.path().join("state")).unwrap();
    let (code, said) = refused(&file);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("member.toml:5: directory: ") && said.contains("belongs to user 0"),
        "{said}"
    );
    let spool = fs::read_dir(directory.path().join("state")).unwrap().count();
    assert_eq!(spool, 0, "nothing was opened as root");
    let file_of = |sections: &str| configured(directory.path(), sections);
    for (sections, clue) in [
        ("[process]\nuser = \"no-such-user\"\n", "process.user: the system has no `no-such-user`"),
        ("[process]\nuser = \"root\"\n", "process.user: `root` gives nothing up"),
        ("[process]\nuser = \"nobody\"\ngroup = \"no-such\"\n", "process.group: the system has no"),
        ("[process]\ngroup = \"mail\"\n", "process.group: has no use without `user`"),
    ] {
        let file = file_of(sections);
        assert!(configuration::load(&file).is_ok(), "users are looked up at the start only");
        let (code, said) = refused(&file);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(clue) && said.contains("member.toml:"), "{clue}: {said}");
    }
}
