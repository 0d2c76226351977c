//! A whole cluster: it starts, answers, its links are cut and healed, and it stops in order.

mod cluster_support;

use core::net::SocketAddr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

use cluster_support::{Cluster, EXAMPLE, PATIENCE};
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
    assert_eq!(cluster.stop(), Some(0), "every member ends in order");
    let other = cluster.run(&["cluster", "up", EXAMPLE, "--base-port=0", "--time-scale=60"]);
    assert_eq!(other.status.code(), Some(2), "the dates of the members count by their scale");
    let problem = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(problem.contains("made with --time-scale 1,"), "{problem}");
}
