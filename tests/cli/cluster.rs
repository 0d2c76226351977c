//! A whole cluster: it starts, answers, its links are cut and healed, and it stops in order.

use core::net::SocketAddr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Output;

use crate::support::{Cluster, EXAMPLE, PATIENCE};
use serde_json::Value;

fn address(status: &Value, relay: usize) -> SocketAddr {
    let listen = status["plan"]["relays"][relay]["listen"].as_str().expect("an address");
    listen.parse().expect("an address")
}

/// The greeting behind a relay.
fn greeted(relay: SocketAddr) -> (TcpStream, String) {
    let stream = TcpStream::connect(relay).expect("the link is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut line = String::new();
    let mut reader = BufReader::new(&stream);
    reader.read_line(&mut line).expect("the server greets first");
    (stream, line)
}

/// Sends one mail to the SMTP port of a member.
fn send(port: SocketAddr, to: &str) {
    let mut stream = TcpStream::connect(port).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let lines = [
        "EHLO client.test",
        "MAIL FROM:<anna@example.test>",
        &format!("RCPT TO:<{to}>"),
        "DATA",
        "Subject: hello\r\n\r\nhello\r\n.",
    ];
    let mut reply = String::new();
    for line in [""].iter().chain(&lines) {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
        }
        reply.clear();
        while reply.is_empty()
            || reply.lines().last().is_some_and(|last| last[3..].starts_with('-'))
        {
            assert_ne!(reader.read_line(&mut reply).expect("it answers"), 0, "{reply}");
        }
        assert!(reply.starts_with(['2', '3']), "{line}: {reply}");
    }
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// One command finds the message among ten members, and each exit code tells a script what happened.
fn orders_reach_the_member_that_has_the_message(cluster: &Cluster) {
    cluster.done(&["cluster", "link", "cut", "RG1", "RG2", "--both"]);
    cluster.done(&["cluster", "link", "cut", "RG1", "RG3", "--both"]);
    let plan = cluster.status();
    let members = plan["plan"]["members"].as_array().expect("members");
    let smtp =
        members.iter().find(|member| member["name"] == "rg1-a").expect("rg1-a")["smtp"].clone();
    let port: SocketAddr = smtp.as_str().expect("an address").parse().expect("an address");
    send(port, "eva@example.test");
    let found = ["--recipient", "EVA@*", "--json"];
    let held = cluster.run(&[&["queue", "hold", "--reason", "under review"][..], &found].concat());
    let answers = json_of(&held);
    let done = answers["members"]["rg1-a"]["done"].as_array().expect("what was done");
    assert_eq!((done.len(), held.status.code()), (1, Some(0)), "{answers}");
    let id = format!("rg1-a/{}", done[0]["of"].as_str().expect("a queue id"));
    let again = cluster.run(&["queue", "hold", &id]);
    assert_eq!(again.status.code(), Some(1), "it is held already");
    let table = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(table.contains("refused: it is held already: under review"), "{table}");
    let listed = cluster.done(&["queue", "list", "--state", "held"]);
    assert!(listed.contains("eva@example.test  held: under review"), "{listed}");
    assert_eq!(cluster.run(&["queue", "list", "--state", "notice"]).status.code(), Some(1));
    let shown = cluster.done(&["queue", "show", &id]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["sender anna@example.test", "held under review", "with ESMTP"] {
        assert!(shown.contains(part), "`{part}`: {shown}");
    }
    assert_eq!(cluster.run(&["queue", "retry", &id]).status.code(), Some(1), "it is held");
    cluster.done(&["queue", "release", &id]);
    assert_eq!(cluster.run(&["queue", "release", &id]).status.code(), Some(1), "it is not held");
    cluster.done(&["queue", "hold", &id]);
    let bounced = cluster.done(&["queue", "bounce", &id, "--text", "we are closed"]);
    assert!(bounced.contains("returned to the sender"), "{bounced}");
    assert_eq!(cluster.run(&["queue", "remove", &id]).status.code(), Some(1), "it has ended");
    let nothing = cluster.run(&["queue", "remove", "--recipient", "nobody@*"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing fits"));
    let bare = cluster.run(&["queue", "hold", "000000000000002a"]);
    assert_eq!(bare.status.code(), Some(2), "every member may have that number");
    cluster.done(&["cluster", "link", "heal", "RG1", "RG2", "--both"]);
    cluster.done(&["cluster", "link", "heal", "RG1", "RG3", "--both"]);
}

#[test]
fn a_cluster_starts_shows_itself_cuts_heals_and_stops() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cluster = Cluster::up(directory.path(), &[]);
    let status = cluster.status();
    assert_eq!(status["format"], 1);
    let members = status["status"]["members"].as_array().expect("members");
    assert_eq!(members.len(), 10);
    assert!(members.iter().all(|member| member["ended"].is_null()), "{members:?}");
    let second = cluster.run(&["cluster", "up", EXAMPLE]);
    assert_eq!(second.status.code(), Some(2), "two clusters cannot share a directory");

    let relay = address(&status, 0);
    let (mut open, line) = greeted(relay);
    assert!(line.starts_with("220 "), "{line}");
    let said = cluster.done(&["cluster", "link", "cut", "RG1", "RG2"]);
    assert_eq!(said, "RG1-RG2: cut\n");
    let mut rest = Vec::new();
    let broken = open.read_to_end(&mut rest).expect_err("an open connection is reset");
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset);
    let refused = TcpStream::connect(relay).expect_err("a new one is refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let (_other, line) = greeted(address(&cluster.status(), 1));
    assert!(line.starts_with("220 "), "the other direction is open: {line}");
    let table = cluster.done(&["cluster", "status"]);
    let cut: Vec<&str> = table.lines().filter(|line| line.contains(" cut ")).collect();
    assert_eq!(cut.len(), 1, "{table}");
    assert!(cut[0].starts_with("RG1-RG2 "), "{table}");

    let said = cluster.done(&["cluster", "link", "heal", "RG1", "RG2", "--both"]);
    assert_eq!(said, "RG1-RG2: healed\nRG2-RG1: healed\n");
    let (_open, line) = greeted(relay);
    assert!(line.starts_with("220 "), "{line}");
    let wrong = cluster.run(&["cluster", "link", "cut", "RG1", "RG5"]);
    assert_eq!(wrong.status.code(), Some(1));
    let problem = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(problem.contains("no connector leads from `RG1` to `RG5`"), "{problem}");

    for what in [&["linkstate", "show"][..], &["queue", "list"]] {
        let said = cluster.done(&[what, &["--json"]].concat());
        let answers: Value = serde_json::from_str(&said).expect("it is JSON");
        assert_eq!(answers["members"].as_object().map(serde_json::Map::len), Some(10), "{said}");
        let said = cluster.done(&[what, &["--member", "rg4-b"]].concat());
        assert!(said.starts_with("rg4-b\n"), "{said}");
    }
    orders_reach_the_member_that_has_the_message(&cluster);
    assert_eq!(cluster.stop(), Some(0), "every member ends in order");
    let other = cluster.run(&["cluster", "up", EXAMPLE, "--base-port=0", "--time-scale=60"]);
    assert_eq!(other.status.code(), Some(2), "the dates of the members count by their scale");
    let problem = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(problem.contains("made with --time-scale 1,"), "{problem}");
}
