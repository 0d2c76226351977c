//! A disk without any room: a member starts on it, goes on with what it has, and takes nothing new.
//!
//! Each test runs itself again in a mount namespace of its own, on a small `tmpfs`.

mod shell_support;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use bridgehead::server::spool::{RESERVE, RESERVE_OCTETS};
use shell_support::{Client, Daemon, ORGANIZATION, bridgehead, write_configuration};

const FOR_TESTS: &str = "members = \"address\"\nallow_development_ca = true";
const INSIDE: &str = "BRIDGEHEAD_TEST_DISK";
const PATIENCE: Duration = Duration::from_secs(30);

/// The directory of a small disk; `None` outside, where the test has run itself again on one.
fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os(INSIDE) {
        return Some(directory.into());
    }
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=24m tmpfs \"$1\" && exec \"$0\" --exact --nocapture \"$2\"";
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

/// An outside server that takes every mail and tells that it did.
fn outside(address: SocketAddr) -> Receiver<()> {
    let listener = TcpListener::bind(address).unwrap();
    let (told, mails) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = converse(&stream).map(|()| told.send(()));
        }
    });
    mails
}

fn converse(stream: &TcpStream) -> Option<()> {
    let mut said = stream;
    let mut say = |text: &str| said.write_all(text.as_bytes()).ok();
    say("220 outside\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let (mut in_content, mut has_taken) = (false, None);
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return has_taken;
        }
        if in_content && line == ".\r\n" {
            (in_content, has_taken) = (false, Some(()));
            say("250 taken\r\n")?;
        } else if line.starts_with("QUIT") {
            say("221 bye\r\n")?;
            return has_taken;
        } else if !in_content {
            in_content = line.starts_with("DATA");
            say(if in_content { "354 go on\r\n" } else { "250 ok\r\n" })?;
        }
    }
}

/// A member whose foreign mail goes to a smart host that does not run yet.
fn configure(directory: &Path) -> (PathBuf, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let smart_host = free.local_addr().unwrap();
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    let domains = "domains = [\"example.org\"]";
    let with_host = format!("{domains}\nsmart_host = \"{smart_host}\"");
    let organization = ORGANIZATION.replace(domains, &with_host);
    fs::write(directory.join("organization.toml"), organization).unwrap();
    (file, smart_host)
}

fn start(file: &Path) -> Daemon {
    Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap())
}

fn kill(mut daemon: Daemon) -> String {
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let mut log = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

/// The reply to a mail for an outside recipient.
fn send(daemon: &Daemon, text: &str) -> String {
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<bob@example.org>", "250");
    client.ask("RCPT TO:<eve@example.net>", "250");
    client.ask("DATA", "354");
    client.ask(&format!("Subject: test\r\n\r\n{text}\r\n."), "")
}

/// SV-016
#[test]
fn a_full_disk_does_not_prevent_a_start() {
    let Some(disk) = on_a_small_disk("a_full_disk_does_not_prevent_a_start") else { return };
    let (file, smart_host) = configure(&disk);
    let daemon = start(&file);
    assert!(send(&daemon, "waits").starts_with("250 "));
    kill(daemon);
    let reserve = disk.join("state/spool").join(RESERVE);
    assert_eq!(fs::metadata(&reserve).unwrap().len(), RESERVE_OCTETS);
    let filler = fill(&disk);

    let mails = outside(smart_host);
    let daemon = start(&file);
    let reply = send(&daemon, "new");
    assert!(reply.starts_with("452 4.3.1 "), "{reply}");
    mails.recv_timeout(PATIENCE).expect("what is in the queue leaves");
    let log = kill(daemon);
    assert!(log.contains("new mail is refused until there is room"), "{log}");

    fs::remove_file(filler).unwrap();
    let daemon = start(&file);
    assert!(send(&daemon, "new").starts_with("250 "), "there is room again");
    assert!(reserve.exists());
    kill(daemon);
}

/// SV-016
#[test]
fn without_room_in_reserve_the_start_says_so_and_loses_nothing() {
    let test = "without_room_in_reserve_the_start_says_so_and_loses_nothing";
    let Some(disk) = on_a_small_disk(test) else { return };
    let (file, smart_host) = configure(&disk);
    let daemon = start(&file);
    assert!(send(&daemon, "waits").starts_with("250 "));
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
    let mails = outside(smart_host);
    let daemon = start(&file);
    mails.recv_timeout(PATIENCE).expect("nothing is lost");
    kill(daemon);
}

/// SV-015
#[test]
fn a_disk_that_fills_up_stops_new_mail_and_nothing_else() {
    let test = "a_disk_that_fills_up_stops_new_mail_and_nothing_else";
    let Some(disk) = on_a_small_disk(test) else { return };
    let (file, _) = configure(&disk);
    let mut daemon = start(&file);
    let filler = fill(&disk);
    let text = "0123456789abcdef\r\n".repeat(2_000);
    let mut accepted = 0;
    let refusal = loop {
        let reply = send(&daemon, &text);
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
    let begun = Instant::now();
    while !send(&daemon, "new").starts_with("250 ") {
        assert!(begun.elapsed() < PATIENCE, "there is room, and mail is refused");
        thread::sleep(Duration::from_millis(200));
    }
    let log = kill(daemon);
    assert!(log.contains("the disk is full: new mail is refused"), "{log}");
}
