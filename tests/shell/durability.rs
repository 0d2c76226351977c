//! Durable before spoken, seen from outside: the system calls of one member are traced, and what must
//! be on disk is synced before the positive reply is written. `kill -9` alone would prove no syncing.

use core::net::SocketAddr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Client, letters, write_configuration};

/// The member itself plays its own peer on the delivery port: it proves its name by its address.
const SECURITY: &str = r#"members = "address"
allow_development_ca = true
[[peer]]
member = "rg1-b"
smtp = "127.0.0.1:9"
deliver = "127.0.0.1:9"
group = "127.0.0.1:9"
address = "127.0.0.1""#;
const CALLS: &str =
    "trace=read,recvfrom,write,writev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2";

/// One completed call, in the order of completion; a write stands where it began.
#[derive(Debug)]
struct Call {
    text: String,
}

/// Joins the halves of interrupted calls. A sync counts when it has returned, a write when it starts:
/// both are the unfavourable end for the order that is to be shown.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some((start, _)) = rest.split_once(" <unfinished ...>") {
            if is_write(start) {
                calls.push(Call { text: start.to_owned() });
            } else {
                open.insert(process, start.to_owned());
            }
        } else if let Some(end) = rest.strip_prefix("<... ") {
            if let Some(start) = open.remove(process) {
                let end = end.split_once(" resumed>").map_or("", |(_, end)| end);
                calls.push(Call { text: format!("{start}{end}") });
            }
        } else {
            calls.push(Call { text: rest.to_owned() });
        }
    }
    calls
}

fn is_write(call: &str) -> bool {
    ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|name| call.starts_with(name))
}

/// The first call from `start` on that fits; the test fails without one.
fn find(calls: &[Call], start: usize, what: &str, fits: impl Fn(&str) -> bool) -> usize {
    let found = calls[start..].iter().position(|call| fits(&call.text)).map(|place| start + place);
    let seen =
        || calls[start..].iter().map(|call| call.text.as_str()).collect::<Vec<_>>().join("\n");
    found.unwrap_or_else(|| panic!("no call: {what}\n{}", seen()))
}

fn is_sync(call: &str) -> bool {
    (call.starts_with("fsync(") || call.starts_with("fdatasync(")) && call.contains("= 0")
}

/// Runs `serve` under strace, lets `talk` speak to its ports, and reads the trace.
fn traced(directory: &Path, talk: impl FnOnce(SocketAddr, SocketAddr)) -> Vec<Call> {
    let text = fs::read_to_string(write_configuration(directory, "127.0.0.1:0", SECURITY)).unwrap();
    let organization = fs::read_to_string(directory.join("organization.toml")).unwrap();
    let two = organization.replace(r#"["rg1-a"]"#, r#"["rg1-a", "rg1-b"]"#);
    fs::write(directory.join("organization.toml"), two).unwrap();
    fs::write(directory.join("member.toml"), text).unwrap();
    let trace = directory.join("trace");
    let mut child = Command::new("strace")
        .args(["-f", "-y", "-s", "400", "-e", CALLS, "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_bridgehead"))
        .arg("serve")
        .arg(directory.join("member.toml"))
        .env("BRIDGEHEAD_LOG", "off")
        .stdout(Stdio::piped())
        .spawn()
        .expect("strace starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = |name: &str| -> SocketAddr {
        let mut words = line.split_whitespace();
        let found = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{name} in {line}")).parse().unwrap()
    };
    talk(port("smtp"), port("deliver"));
    let pid = child.id().to_string();
    // strace passes the signal on to what it traces.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let server = children.split_whitespace().next().expect("the traced member");
    assert!(Command::new("kill").args(["-TERM", server]).status().unwrap().success());
    child.wait().unwrap();
    calls(&fs::read_to_string(trace).unwrap())
}

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: strace is not installed");
    }
    found
}

#[test]
fn the_spool_is_synced_between_the_last_octet_and_the_250() {
    if !has_strace() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let calls = traced(directory.path(), |smtp, _| {
        let reply = Client::connect(smtp).send("durable before spoken");
        assert!(reply.contains("queued as"), "{reply}");
    });
    let content = find(&calls, 0, "the content is read", |call| {
        (call.starts_with("recvfrom(") || call.starts_with("read("))
            && call.contains("durable before spoken")
    });
    let reply = find(&calls, content, "the 250 is written", |call| {
        is_write(call) && call.contains("queued as")
    });
    let synced = find(&calls, content, "the journal of the spool is synced", |call| {
        is_sync(call) && call.contains("-wal")
    });
    assert!(synced < reply, "call {synced} syncs, call {reply} speaks");
}

#[test]
fn a_delivery_is_synced_renamed_and_synced_again_before_its_250() {
    if !has_strace() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let calls = traced(directory.path(), |_, deliver| {
        let mut client = Client::connect(deliver);
        client.ask("LHLO rg1-b", "250");
        client.ask("MAIL FROM:<ann@example.net> XORIGIN=rg1-b/0123456789abcdef/1", "250");
        client.ask("RCPT TO:<bob@example.org> XINDEX=0", "250");
        client.ask("DATA", "354");
        let reply = client.ask("Subject: test\r\n\r\nsynced twice\r\n.", "250");
        assert!(reply.contains("[0]"), "{reply}");
    });
    assert_eq!(letters(directory.path()).len(), 1);
    let content = find(&calls, 0, "the content is read", |call| {
        !is_write(call) && call.contains("synced twice")
    });
    let deposited = find(&calls, content, "the file in tmp/ is synced", |call| {
        is_sync(call) && call.contains("/tmp/") && call.contains("/bob/tmp/")
    });
    let journalled = find(&calls, deposited, "the journal entry is synced", |call| {
        is_sync(call) && call.contains("-wal")
    });
    let renamed = find(&calls, journalled, "the file is renamed", |call| {
        call.starts_with("rename") && call.contains("/bob/new/")
    });
    let published = find(&calls, renamed, "the directory new/ is synced", |call| {
        is_sync(call) && call.contains("/bob/new")
    });
    let reply = find(&calls, 0, "the 250 of the recipient is written", |call| {
        is_write(call) && call.contains("[0] delivered")
    });
    assert!(published < reply, "call {published} syncs, call {reply} speaks");
}
