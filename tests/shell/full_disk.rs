//! A disk without any room: a member starts on it, goes on with what it has, and takes nothing new.
//!
//! Each test runs itself again in a mount namespace of its own, on a small `tmpfs`.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::bridgehead;
use crate::support::outside::{Outside, configure, kill, send_outside, start, until};
use bridgehead::server::spool::{RESERVE, RESERVE_OCTETS};

const INSIDE: &str = "BRIDGEHEAD_TEST_DISK";

/// The directory of a small disk; `None` outside, where the test has run itself again on one.
fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os(INSIDE) {
        return Some(directory.into());
    }
    let directory = tempfile::tempdir().unwrap();
    let script =
        "mount -t tmpfs -o size=24m tmpfs \"$1\" && exec \"$0\" --exact --nocapture \"$2\"";
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(directory.path())
        .arg(test)
        .env(INSIDE, directory.path())
        .status()
        .expect("util-linux is here");
    assert!(status.success(), "{test}: {status}");
    None
}

/// Takes all the room there is.
fn fill(directory: &Path) -> PathBuf {
    let path = directory.join("filler");
    let mut file = File::create(&path).unwrap();
    for octets in [1024 * 1024, 4096, 1] {
        while file.write_all(&vec![7; octets]).is_ok() {}
    }
    path
}

/// SV-016
#[test]
fn a_full_disk_does_not_prevent_a_start() {
    let Some(disk) = on_a_small_disk("full_disk::a_full_disk_does_not_prevent_a_start") else {
        return;
    };
    let (file, smart_host) = configure(&disk);
    let daemon = start(&file);
    assert!(send_outside(&daemon, "waits\r\n").starts_with("250 "));
    kill(daemon);
    let reserve = disk.join("state/spool").join(RESERVE);
    assert_eq!(fs::metadata(&reserve).unwrap().len(), RESERVE_OCTETS);
    let filler = fill(&disk);

    let outside = Outside::new(smart_host);
    let daemon = start(&file);
    let reply = send_outside(&daemon, "new\r\n");
    assert!(reply.starts_with("452 4.3.1 "), "{reply}");
    assert!(outside.next().ends_with(b"waits\r\n.\r\n"), "what is in the queue leaves");
    let log = kill(daemon);
    assert!(log.contains("new mail is refused until there is room"), "{log}");

    fs::remove_file(filler).unwrap();
    let daemon = start(&file);
    assert!(send_outside(&daemon, "new\r\n").starts_with("250 "), "there is room again");
    assert!(reserve.exists());
    kill(daemon);
}

/// SV-016
#[test]
fn without_room_in_reserve_the_start_says_so_and_loses_nothing() {
    let test = "full_disk::without_room_in_reserve_the_start_says_so_and_loses_nothing";
    let Some(disk) = on_a_small_disk(test) else { return };
    let (file, smart_host) = configure(&disk);
    let daemon = start(&file);
    assert!(send_outside(&daemon, "waits\r\n").starts_with("250 "));
    kill(daemon);
    fs::remove_file(disk.join("state/spool").join(RESERVE)).unwrap();
    let filler = fill(&disk);
    let mut child = bridgehead().arg("serve").arg(&file).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{said}");
    let is_told = |part| said.trim_end().lines().count() == 1 && said.contains(part);
    assert!(is_told("state/spool/spool.") && is_told("the disk is full: make room"), "{said}");

    fs::remove_file(filler).unwrap();
    let outside = Outside::new(smart_host);
    let daemon = start(&file);
    assert!(outside.next().ends_with(b"waits\r\n.\r\n"), "nothing is lost");
    kill(daemon);
}

/// SV-015
#[test]
fn a_disk_that_fills_up_stops_new_mail_and_nothing_else() {
    let test = "full_disk::a_disk_that_fills_up_stops_new_mail_and_nothing_else";
    let Some(disk) = on_a_small_disk(test) else { return };
    let (file, _) = configure(&disk);
    let mut daemon = start(&file);
    let filler = fill(&disk);
    let text = "0123456789abcdef\r\n".repeat(2_000);
    let mut accepted = 0;
    let refusal = loop {
        let reply = send_outside(&daemon, &text);
        if !reply.starts_with("250 ") {
            break reply;
        }
        accepted += 1;
        assert!(accepted < 1_000, "the disk is never full");
    };
    assert!(refusal.starts_with("452 4.3.1 "), "{refusal}");
    assert!(accepted > 0, "what found no room found the room in reserve");
    assert_eq!(daemon.child.try_wait().unwrap(), None, "the member goes on");
    fs::remove_file(filler).unwrap();
    let is_taken = || send_outside(&daemon, "new\r\n").starts_with("250 ").then_some(());
    until(is_taken, || "there is room, and mail is refused".into());
    let log = kill(daemon);
    assert!(log.contains("the disk is full: new mail is refused"), "{log}");
}
