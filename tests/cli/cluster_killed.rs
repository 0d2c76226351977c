//! A cluster whose starter is killed leaves nobody behind; and one whose frontend asks the hosts, whether
//! they live or not.

#![cfg(not(loom))]

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use crate::support::{Cluster, PATIENCE};
use serde_json::Value;

/// How often, and how many times, something is looked at that is going to change.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 300;

#[test]
fn the_members_of_a_killed_cluster_end_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cluster = Cluster::up(directory.path(), &[]);
    let status = cluster.status();
    let members = status["plan"]["members"].as_array().expect("members").clone();
    let port = |member: &Value| -> SocketAddr {
        member["smtp"].as_str().expect("an address").parse().expect("an address")
    };
    assert!(members.iter().all(|member| TcpStream::connect(port(member)).is_ok()));
    cluster.kill();
    for member in &members {
        let mut looks = 0;
        while TcpStream::connect(port(member)).is_ok() {
            looks += 1;
            assert!(looks < LOOKS, "{member} still runs");
            std::thread::sleep(LOOK_EVERY);
        }
        let name = member["name"].as_str().expect("a name");
        let log = directory.path().join(name).join("log");
        let mut said = String::new();
        while !said.contains("stopped") {
            said = std::fs::read_to_string(&log).expect("its log");
            looks += 1;
            assert!(looks < LOOKS, "{member} did not end in order: {said}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
    let mut again = Cluster::up(directory.path(), &[]);
    assert_eq!(again.stop(), Some(0), "nothing is in the way of the next start");
    let mut last = Cluster::up(directory.path(), &[]);
    the_status_shows_a_member_that_has_ended(&last);
    assert_eq!(last.stop(), Some(1), "one member did not stop in order");
}

/// A member that has ended has no process any more, which a person reads as `-`.
fn the_status_shows_a_member_that_has_ended(cluster: &Cluster) {
    let process = cluster.status()["status"]["members"][9]["process"].to_string();
    let killed = std::process::Command::new("kill").args(["-9", &process]).status();
    assert!(killed.expect("it runs").success());
    let mut looks = 0;
    let mut shown = cluster.run(&["cluster", "status"]);
    while shown.status.code() == Some(0) {
        looks += 1;
        assert!(looks < LOOKS, "the member still runs");
        std::thread::sleep(LOOK_EVERY);
        shown = cluster.run(&["cluster", "status"]);
    }
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(!text.contains("null"), "{text}");
    let line = text.lines().find(|line| line.starts_with("rg5-b ")).expect("every member is there");
    assert!(line.contains("  -  "), "{line}");
}

/// Says each line to an SMTP port and reads its reply, which must begin like this.
fn converse(port: SocketAddr, lines: &[(&str, &str)]) {
    let mut stream = TcpStream::connect(port).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    for (line, expected) in [("", "220")].iter().chain(lines) {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
        }
        let mut reply = String::new();
        while reply.get(3..4).is_none_or(|mark| mark == "-") {
            reply.clear();
            assert_ne!(reader.read_line(&mut reply).expect("it answers"), 0, "{line}");
        }
        assert!(reply.starts_with(expected), "{line}: {reply}");
    }
}

/// SM-090, SM-091, SM-092: real processes, under TLS: what the hosts would refuse is refused at the
/// frontend, and a host that is dead stops nothing at the door.
#[test]
fn a_frontend_asks_the_hosts_before_it_answers() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut cluster, _) =
        Cluster::up_of("tests/data/limited-accounts.toml", directory.path(), &[]);
    let status = cluster.status();
    let members = status["plan"]["members"].as_array().expect("members").clone();
    let frontend = members.iter().find(|member| member["name"] == "fe1").expect("fe1");
    let port: SocketAddr =
        frontend["smtp"].as_str().expect("an address").parse().expect("an address");
    let closed = ("RCPT TO:<closed@example.test>", "450 4.2.1");
    converse(
        port,
        &[
            ("EHLO client.test", "250"),
            ("MAIL FROM:<> SIZE=100", "250"),
            ("RCPT TO:<anna@example.test>", "250"),
            closed,
            ("RCPT TO:<full@example.test>", "452 4.2.2"),
            ("RCPT TO:<strict@example.test>", "552 5.2.2"),
            ("RCPT TO:<nobody@example.test>", "550 5.1.1"),
            ("DATA", "354"),
            ("Subject: hello\r\n\r\nhello\r\n.", "250 2.0.0"),
            ("QUIT", "221"),
        ],
    );
    let running = cluster.status()["status"]["members"].as_array().expect("members").clone();
    let host = running.iter().find(|member| member["member"] == "be1" || member["name"] == "be1");
    let process = host.expect("be1")["process"].to_string();
    let killed = std::process::Command::new("kill").args(["-9", &process]).status();
    assert!(killed.expect("it runs").success());
    let to_be1 = [("EHLO client.test", "250"), ("MAIL FROM:<>", "250"), (closed.0, "250")];
    converse(port, &to_be1);
    cluster.stop();
}
