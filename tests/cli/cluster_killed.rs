//! A cluster whose starter is killed leaves nobody behind.

#![cfg(not(loom))]

use core::net::SocketAddr;
use core::time::Duration;
use std::net::TcpStream;

use crate::support::Cluster;
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
