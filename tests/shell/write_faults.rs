//! Writes and syncs that fail under SQLite, in a real member: whatever was acknowledged before is there
//! afterwards, once, and nothing is acknowledged that is not.
//!
//! The system calls are made to fail by strace, so the store and its library are the ones that run
//! everywhere else.

#![cfg(not(loom))]

use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{Client, Daemon, bridgehead, letters, write_configuration};
use bridgehead::server::spool::DATABASE;

const FOR_TESTS: &str = "members = \"address\"\nallow_development_ca = true";
/// More than it takes to meet the fault.
const MESSAGES: usize = 40;
const POLL: Duration = Duration::from_millis(50);
const QUESTIONS: u32 = 400;

/// What became of the member.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It did not start.
    NotStarted,
    /// It stopped by itself.
    Stopped,
    /// It went on, and refused what it could not keep.
    WentOn,
}

/// What the client saw.
#[derive(Debug, Default)]
struct Seen {
    accepted: Vec<String>,
    refused: Vec<String>,
    /// Without a last word.
    open: Vec<String>,
}

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "the gate installs strace");
    if !found {
        eprintln!("skipped: strace is not installed");
    }
    found
}

/// Starts the member with a fault in the form `SYSCALL:error=NAME:when=COUNT`, counted in each thread.
/// Only the files of SQLite are hit.
fn start(file: &Path, trace: &Path, fault: &str) -> Child {
    let call = fault.split(':').next().expect("a system call");
    let database = file.with_file_name("state/spool").join(DATABASE);
    let log = PathBuf::from(format!("{}-wal", database.display()));
    Command::new("strace")
        .args(["-P".as_ref(), database.as_os_str(), "-P".as_ref(), log.as_os_str()])
        // The member is our child, and the tracer is not: signals and the exit code are the member's.
        .args(["-D", "-f", "-qq", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={fault}"), "-o"])
        .arg(trace)
        .arg(env!("CARGO_BIN_EXE_bridgehead"))
        .arg("serve")
        .arg(file)
        .env("BRIDGEHEAD_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace starts")
}

/// Sends messages, each with a tag, until the member is gone.
fn send_all(address: core::net::SocketAddr) -> Seen {
    let mut seen = Seen::default();
    let Some(mut client) = Client::try_connect(address) else { return seen };
    if client.try_ask("HELO client.example.net").is_none() {
        return seen;
    }
    for number in 0..MESSAGES {
        let tag = format!("tag-{number:03}-");
        match client.try_send(&format!("Subject: {tag}\r\n\r\n{tag}")) {
            Some(reply) if reply.starts_with("250 ") => seen.accepted.push(tag),
            Some(reply) => {
                assert!(reply.starts_with('4'), "a failed write is nothing for ever: {reply}");
                seen.refused.push(tag);
            }
            None => {
                seen.open.push(tag);
                break;
            }
        }
    }
    seen
}

/// Runs the member into the fault.
fn run_into(file: &Path, trace: &Path, fault: &str) -> (Seen, End) {
    let mut child = start(file, trace, fault);
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("text");
    let smtp = line.split_whitespace().find_map(|word| word.strip_prefix("smtp="));
    let Some(address) = smtp.map(|address| address.parse().expect("an address")) else {
        assert_ne!(child.wait().expect("it ends").code(), Some(0), "{fault}: a start that failed");
        return (Seen::default(), End::NotStarted);
    };
    let seen = send_all(address);
    let has_lost = !seen.open.is_empty();
    // It may have ended by itself, and then the signal reaches nobody.
    let id = child.id().to_string();
    let _ = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
    let code = child.wait().expect("it ends").code();
    let mut log = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut log).expect("text");
    if code == Some(0) {
        assert!(!has_lost, "{fault}: it ended in order in the middle of a message: {log}");
        return (seen, End::WentOn);
    }
    assert_eq!(code, Some(1), "{fault}: {log}");
    assert!(log.contains("the store has failed"), "{fault}: {log}");
    (seen, End::Stopped)
}

/// What lies in the account once everything acknowledged is there.
fn deliver_all(directory: &Path, file: &Path, seen: &Seen) -> Vec<String> {
    let mut daemon = Daemon::ready(bridgehead().arg("serve").arg(file).spawn().expect("it starts"));
    let is_there = |found: &[String], tag: &String| found.iter().any(|text| text.contains(tag));
    let mut found = Vec::new();
    for _ in 0..QUESTIONS {
        found = letters(directory);
        if seen.accepted.iter().all(|tag| is_there(&found, tag)) {
            break;
        }
        std::thread::sleep(POLL);
    }
    daemon.terminate();
    assert_eq!(daemon.child.wait().expect("it ends").code(), Some(0));
    found
}

/// The fault strikes; everything acknowledged lies in the account once, everything refused nowhere.
fn survives(fault: &str) -> End {
    let directory = tempfile::tempdir().expect("a directory");
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    let trace = directory.path().join("trace");
    let (seen, end) = run_into(&file, &trace, fault);
    let struck = fs::read_to_string(&trace).expect("a trace").matches("(INJECTED)").count();
    assert!(struck > 0, "{fault} never struck: {seen:?}");
    let found = deliver_all(directory.path(), &file, &seen);
    let count = |tag: &String| found.iter().filter(|text| text.contains(tag)).count();
    for tag in &seen.accepted {
        assert_eq!(count(tag), 1, "{fault}: {tag} was acknowledged");
    }
    for tag in &seen.refused {
        assert_eq!(count(tag), 0, "{fault}: {tag} was refused");
    }
    for tag in &seen.open {
        assert!(count(tag) <= 1, "{fault}: {tag} is there twice");
    }
    let (accepted, refused) = (seen.accepted.len(), seen.refused.len());
    println!("{fault}: {end:?}, {accepted} accepted, {refused} refused, struck {struck} times");
    end
}

/// CU-002: a sync that fails stops the member, and no reply that waited for it leaves.
#[test]
fn a_failed_sync_is_fail_stop() {
    if !has_strace() {
        return;
    }
    let ends = ["2", "6", "12+"].map(|when| survives(&format!("fsync:error=EIO:when={when}")));
    assert!(ends.contains(&End::Stopped), "{ends:?}");
    assert!(!ends.contains(&End::WentOn), "what a failed sync has left is unknown: {ends:?}");
}

/// CU-002: a write that fails stops the member, too.
#[test]
fn a_failed_write_is_fail_stop() {
    if !has_strace() {
        return;
    }
    let ends = ["12", "40", "75+"].map(|when| survives(&format!("pwrite64:error=EIO:when={when}")));
    assert!(ends.contains(&End::Stopped), "{ends:?}");
    assert!(!ends.contains(&End::WentOn), "{ends:?}");
}

/// A disk without room is another matter: new mail is refused for now, or the member stops; what was
/// acknowledged is there in either case.
#[test]
fn a_disk_without_room_refuses_or_stops() {
    if !has_strace() {
        return;
    }
    for when in ["12", "41", "60+"] {
        survives(&format!("pwrite64:error=ENOSPC:when={when}"));
    }
}
