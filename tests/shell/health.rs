//! The port for those who watch a member: what it says, and to whom it does not listen for long.

use core::net::SocketAddr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::serve::{FOR_TESTS, refused};
use crate::support::{Daemon, bridgehead, write_configuration};
use bridgehead::server::health::{CONNECTIONS_LIMIT, HEAD_LIMIT_OCTETS};
use serde_json::{Value, json};

/// A member with such a port that queues for others, so that it can drain; or one of a group that elects, alone.
fn write(directory: &Path, elects: bool) -> PathBuf {
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    let mut text = std::fs::read_to_string(&file).unwrap();
    let named = "admin = \"admin.sock\"\nhealth = \"127.0.0.1:0\"";
    text = text.replace("admin = \"admin.sock\"", named);
    let submit = "[[group.member]]\nname = \"rg1-a\"\nsubmit = \"local-for-others\"\n";
    let mut group = format!("master = \"rg1-a\"\n\n{submit}");
    let path = directory.join("organization.toml");
    let mut organization = std::fs::read_to_string(&path).unwrap();
    if elects {
        group = "\n[group.election]\nvoters = [\"rg1-a\", \"rg1-b\", \"rg1-c\"]\n".into();
        let members = "[\"rg1-a\", \"rg1-b\", \"rg1-c\"]";
        organization = organization.replace("[\"rg1-a\"]", members);
        organization = organization.replace("revision = 1", "revision = 2");
        for (name, host) in [("rg1-b", "127.0.0.2"), ("rg1-c", "127.0.0.3")] {
            let ports =
                format!("smtp = \"{host}:9\"\ndeliver = \"{host}:9\"\ngroup = \"{host}:9\"");
            text += &format!("[[peer]]\nmember = \"{name}\"\n{ports}\naddress = \"{host}\"\n");
        }
    }
    std::fs::write(path, organization.replace("master = \"rg1-a\"\n", &group)).unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

/// Starts it; gives where its port is.
fn start(file: &Path) -> (Daemon, SocketAddr) {
    let mut child = bridgehead().arg("serve").arg(file).spawn().unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let address = |name: &str| {
        let mut words = line.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)).expect("an address").parse().unwrap()
    };
    let (smtp, deliver, health) = (address("smtp="), address("deliver="), address("health="));
    (Daemon { child, smtp, deliver }, health)
}

/// All that comes until the end of the connection.
fn say(health: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(health).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

/// The status line and the body.
fn get(health: SocketAddr, path: &str) -> (String, Value) {
    let said = say(health, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let (head, body) = said.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).expect("JSON"))
}

fn order(directory: &Path, order: &Value) {
    let mut stream = UnixStream::connect(directory.join("state/admin.sock")).unwrap();
    writeln!(stream, "{}", json!({"format": 1, "op": "order", "order": order})).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.contains("\"ok\""), "{line}");
}

const OK: &str = "HTTP/1.1 200 OK";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable";

/// SV-104, SV-105: a member that drains lives, and is not ready; it is again when it takes mail again.
#[test]
fn a_member_says_whether_it_lives_and_takes_mail() {
    let directory = tempfile::tempdir().unwrap();
    let (mut daemon, health) = start(&write(directory.path(), false));
    let (status, body) = get(health, "/ready");
    assert_eq!((status.as_str(), &body["ready"], &body["reasons"]), (OK, &json!(true), &json!([])));
    assert_eq!(body["member"], "rg1-a");
    assert!(body["master"].is_string() && body["term"]["counter"].is_u64(), "{body}");
    assert_eq!(get(health, "/health").0, OK);
    order(directory.path(), &json!({"drain": {"on": true}}));
    let (status, body) = get(health, "/ready");
    assert_eq!((status.as_str(), &body["reasons"]), (UNAVAILABLE, &json!(["draining"])));
    assert_eq!(get(health, "/health").0, OK, "it lives");
    order(directory.path(), &json!({"drain": {"on": false}}));
    assert_eq!(get(health, "/ready").0, OK);
    let head = say(health, "HEAD /ready HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with(OK) && head.ends_with("\r\n\r\n"), "{head}");
    daemon.terminate();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// SV-105: without a master mail goes on; without any record of its group it does not.
#[test]
fn a_group_without_a_master_takes_mail() {
    let directory = tempfile::tempdir().unwrap();
    let (mut named, health) = start(&write(directory.path(), false));
    assert_eq!(get(health, "/ready").0, OK);
    named.terminate();
    assert_eq!(named.child.wait().unwrap().code(), Some(0));
    let (_daemon, health) = start(&write(directory.path(), true));
    let (status, body) = get(health, "/ready");
    assert_eq!((status.as_str(), &body["master"]), (OK, &Value::Null), "{body}");
    let empty = tempfile::tempdir().unwrap();
    let (_daemon, health) = start(&write(empty.path(), true));
    let (status, body) = get(health, "/ready");
    assert_eq!((status.as_str(), &body["reasons"]), (UNAVAILABLE, &json!(["no_table"])));
    assert_eq!((get(health, "/health").0.as_str(), &body["term"]), (OK, &Value::Null));
}

/// SV-104, SV-106: whatever is said there is refused or not listened to, and the next one is answered.
#[test]
fn whoever_asks_wrongly_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    let (_daemon, health) = start(&write(directory.path(), false));
    let long = "x".repeat(HEAD_LIMIT_OCTETS);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 404 "),
        ("GET /ready/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 404 "),
        ("DELETE /ready HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 405 "),
        // Nobody waits for the content.
        (
            "POST /ready HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".to_owned(),
            "HTTP/1.1 405 ",
        ),
        (format!("GET /ready HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"), "HTTP/1.1 431 "),
        ("nonsense\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
    ] {
        let said = say(health, &request);
        assert!(said.starts_with(status), "{request:.60}: {said:.100}");
    }
    // All places are taken by some who say little, or nothing; they are let go.
    let mut idle: Vec<_> =
        (0..CONNECTIONS_LIMIT).map(|_| TcpStream::connect(health).unwrap()).collect();
    for stream in idle.iter_mut().step_by(2) {
        stream.write_all(b"GET /ready HTTP/1.1\r\nX:").unwrap();
    }
    assert_eq!(get(health, "/ready").0, OK, "whoever comes next waits for a place");
    for mut stream in idle {
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        assert_eq!(said, "", "nothing was asked");
    }
}

/// SV-041: one port is not given twice.
#[test]
fn the_port_of_another_listener_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:40025", FOR_TESTS);
    let text = std::fs::read_to_string(&file).unwrap();
    let named = "admin = \"admin.sock\"\nhealth = \"127.0.0.1:40025\"";
    std::fs::write(&file, text.replace("admin = \"admin.sock\"", named)).unwrap();
    let (code, said) = refused(&file);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("listen.health") && said.contains("`smtp`"), "{said}");
}
