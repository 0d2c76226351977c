//! A whole cluster: it starts, answers, its links are cut and healed, and it stops in order.

#![cfg(not(loom))]
#![allow(clippy::disallowed_types, reason = "a test of real processes waits in real time")]

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

const EXAMPLE: &str = "examples/five-groups.toml";
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the slowest machine may take from a cut to the last arrival.
const CONVERGENCE: Duration = Duration::from_secs(120);

/// A cluster that is stopped when the test ends, however it ends.
struct Cluster {
    child: Child,
    stdout: BufReader<ChildStdout>,
    directory: PathBuf,
}

impl Cluster {
    fn up(directory: &Path, time_scale: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bridgehead"))
            .args([
                "cluster",
                "up",
                EXAMPLE,
                "--base-port",
                "0",
                "--time-scale",
                time_scale,
                "--dir",
            ])
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut cluster = Self { child, stdout, directory: directory.to_owned() };
        let said = cluster.read_until("Ctrl-C stops the cluster.");
        assert!(said.contains("[10/10]"), "progress is shown: {said}");
        assert!(said.contains("swaks --server 127.0.0.1:"), "a person learns what to do: {said}");
        cluster
    }

    fn read_until(&mut self, end: &str) -> String {
        let mut said = String::new();
        while !said.contains(end) {
            let count = self.stdout.read_line(&mut said).expect("its output is readable");
            assert!(count > 0, "it ended: {said}");
        }
        said
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_bridgehead"))
            .args(arguments)
            .arg("--dir")
            .arg(&self.directory)
            .output()
            .expect("it starts")
    }

    /// Runs a command that must succeed; its standard output.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (said, problem) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}{problem}");
        said.into_owned()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.done(&["cluster", "status", "--json"])).expect("it is JSON")
    }

    /// Sends a mail from anna to eva by the first member, as a stock client does.
    fn send(&self, subject: &str) {
        let status = self.status();
        let smtp = status["plan"]["members"][0]["smtp"].as_str().expect("an address");
        let stream = TcpStream::connect(smtp).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut reader = BufReader::new(&stream);
        let mail = format!("Subject: {subject}\r\n\r\nhello\r\n.\r\n");
        for (command, expected) in [
            ("", "220 "),
            ("HELO client.example.test\r\n", "250 "),
            ("MAIL FROM:<anna@example.test>\r\n", "250 "),
            ("RCPT TO:<eva@example.test>\r\n", "250 "),
            ("DATA\r\n", "354 "),
            (&mail, "250 "),
            ("QUIT\r\n", "221 "),
        ] {
            (&stream).write_all(command.as_bytes()).expect("it reads");
            let mut line = String::new();
            reader.read_line(&mut line).expect("it answers");
            assert!(line.starts_with(expected), "{command:?}: {line}");
        }
    }

    /// The groups that the mail has passed, by its `Received` lines, once it is in eva's Maildir.
    fn route(&self, subject: &str) -> Vec<String> {
        let maildir = self.directory.join("rg5-b/state/accounts/example.test/eva/new");
        let subject = format!("Subject: {subject}\r\n");
        let text = eventually("the mail arrives", || {
            let entries = fs::read_dir(&maildir).ok()?;
            let texts = entries.map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
            texts.flatten().find(|text| text.contains(&subject))
        });
        let groups = text.lines().filter_map(|line| {
            let (_, rest) = line.trim_start().strip_prefix("by ")?.split_once("(group ")?;
            rest.split_once(')').map(|(group, _)| group.to_owned())
        });
        let mut groups: Vec<String> = groups.collect();
        groups.reverse();
        groups.dedup();
        groups
    }

    /// Waits until every member has the same connectors DOWN.
    fn await_down(&self, expected: &[&str]) {
        eventually("every member knows", || {
            let said = self.done(&["linkstate", "show", "--json"]);
            let answers: Value = serde_json::from_str(&said).ok()?;
            let members = answers["members"].as_object()?;
            let knows = |member: &Value| {
                let rows = member["rows"].as_array().map_or(&[][..], Vec::as_slice);
                let down = rows.iter().filter(|row| row["connector"]["state"] == "DOWN");
                rows.len() == 10
                    && down
                        .map(|row| row["connector"]["name"].as_str())
                        .eq(expected.iter().copied().map(Some))
            };
            members.values().all(knows).then_some(())
        });
    }

    fn stop(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let killed = Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &id]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the signal is sent");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.stop();
        }
    }
}

/// Asks again until there is an answer.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < CONVERGENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

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
    let mut cluster = Cluster::up(directory.path(), "1");
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
}

/// The first walk-through of the seed with real processes: the mail that finds the link broken waits
/// until the link is declared down, goes back and around; the next goes straight; the old route returns.
#[test]
fn a_broken_link_is_routed_around_and_the_old_route_returns() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cluster = Cluster::up(directory.path(), "30");
    cluster.await_down(&[]);
    cluster.send("whole");
    assert_eq!(cluster.route("whole"), ["RG1", "RG2", "RG4", "RG5"]);
    cluster.done(&["cluster", "link", "cut", "RG2", "RG4"]);
    cluster.send("broken");
    assert_eq!(cluster.route("broken"), ["RG1", "RG2", "RG1", "RG3", "RG4", "RG5"]);
    cluster.await_down(&["RG2-RG4"]);
    cluster.send("around");
    assert_eq!(cluster.route("around"), ["RG1", "RG3", "RG4", "RG5"]);
    cluster.done(&["cluster", "link", "heal", "RG2", "RG4"]);
    cluster.await_down(&[]);
    cluster.send("healed");
    assert_eq!(cluster.route("healed"), ["RG1", "RG2", "RG4", "RG5"]);
    assert_eq!(cluster.stop(), Some(0), "every member ends in order");
}
