//! A daemon whose disk has changed a mail: it is set aside, shown, kept, and goes on when it is put right.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::outside::{Outside, configure, kill, send_outside, start, until};
use serde_json::Value;

/// `bridgehead queue list`, as text and as JSON.
fn queue(directory: &Path) -> (String, Value) {
    let list = |options: &[&str]| {
        let socket = directory.join("state/admin.sock");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
        command.args(["queue", "list", "--socket"]).arg(socket).args(options);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    (list(&[]), serde_json::from_str(&list(&["--json"])).unwrap())
}

/// Waits until the queue shows `text`.
fn until_shown(directory: &Path, text: &str) -> Value {
    let look = || Some(queue(directory)).filter(|(shown, _)| shown.contains(text));
    until(look, || format!("no `{text}` in:\n{}", queue(directory).0)).1
}

/// Turns one octet near the end of the only stored body over: in its row, or in its file.
fn flip(state: &Path) {
    let bodies = fs::read_dir(state.join("spool/bodies")).unwrap();
    let file = bodies.flatten().map(|entry| entry.path()).next();
    let turn = |octets: &mut Vec<u8>| {
        let place = octets.len() - 9;
        octets[place] ^= 1;
    };
    if let Some(file) = file {
        let mut octets = fs::read(&file).unwrap();
        turn(&mut octets);
        return fs::write(&file, octets).unwrap();
    }
    let database = rusqlite::Connection::open(state.join("spool/spool.db")).unwrap();
    let select = "SELECT octets FROM bodies";
    let mut octets: Vec<u8> = database.query_row(select, [], |row| row.get(0)).unwrap();
    turn(&mut octets);
    database.execute("UPDATE bodies SET octets = ?1", [octets]).unwrap();
}

/// So many lines of content.
fn lines(count: usize) -> String {
    "0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(count)
}

/// CU-043, CU-044, CU-045
fn a_changed_octet_is_noticed(text: &str) {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let (file, smart_host) = configure(directory.path());
    let daemon = start(&file);
    let content = format!("Subject: precious\r\n\r\n{text}");
    assert!(send_outside(&daemon, &content).starts_with("250 "));
    until_shown(directory.path(), "retry");
    kill(daemon);

    flip(&state);
    let outside = Outside::new(smart_host);
    let daemon = start(&file);
    let json = until_shown(directory.path(), "quarantined: body ");
    let cut_off = outside.next();
    assert!(!cut_off.ends_with(b"\r\n.\r\n"), "the outside server never has all of it");
    let members = json["members"].as_object().unwrap().values().next().unwrap();
    let message = &members["messages"][0];
    let problem = message["quarantine"].as_str().unwrap();
    assert!(problem.contains("expected") && problem.contains("found SHA-256"), "{problem}");
    let id = message["queue"].as_str().unwrap().to_owned();
    let log = kill(daemon);
    let told = log.lines().find(|line| line.contains("in quarantine")).expect("the log tells it");
    assert!(told.contains(&id) && told.contains(problem), "{told}");

    let daemon = start(&file);
    until_shown(directory.path(), "quarantined: body ");
    assert!(outside.is_idle(), "nothing is tried any more");
    kill(daemon);

    flip(&state);
    let daemon = start(&file);
    let whole = String::from_utf8(outside.next()).unwrap();
    assert!(whole.ends_with(&format!("{content}.\r\n")), "it goes on");
    until_shown(directory.path(), "empty");
    kill(daemon);
}

#[test]
fn a_changed_octet_in_a_row_is_noticed() {
    a_changed_octet_is_noticed(&lines(3));
}

#[test]
fn a_changed_octet_in_a_file_is_noticed() {
    a_changed_octet_is_noticed(&lines(8_000));
}

/// SV-014, CU-043: a file that is gone is noticed before anybody asks for it.
#[test]
fn a_lost_file_is_noticed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = configure(directory.path());
    let daemon = start(&file);
    assert!(send_outside(&daemon, &lines(8_000)).starts_with("250 "));
    kill(daemon);
    let bodies = directory.path().join("state/spool/bodies");
    for body in fs::read_dir(bodies).unwrap().flatten() {
        fs::remove_file(body.path()).unwrap();
    }
    let daemon = start(&file);
    until_shown(directory.path(), "found nothing");
    kill(daemon);
}

/// `bridgehead spool`: its exit code, and all that it says.
fn spool(arguments: &[&str], member: &Path, rest: Option<&Path>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
    command.arg("spool").args(arguments).arg(member).args(rest);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// SV-019: a spool is looked at and rescued when nobody uses it, also when it is damaged, and stays as it
/// is.
#[test]
fn a_stopped_spool_is_checked_and_exported() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = configure(directory.path());
    let daemon = start(&file);
    for content in ["the only copy", "another mail"] {
        let content = format!("Subject: precious\r\n\r\n{content}\r\n");
        assert!(send_outside(&daemon, &content).starts_with("250 "));
    }
    let (code, said) = spool(&["check"], &file, None);
    assert!(code == Some(1) && said.contains("another process has this spool open"), "{said}");
    kill(daemon);

    let (code, said) = spool(&["check"], &file, None);
    assert!(code == Some(0) && said.contains(": 2 messages, 2 recipients, all as"), "{said}");
    let rescued = directory.path().join("rescued");
    let (code, said) = spool(&["export"], &file, Some(&rescued));
    assert!(code == Some(0) && said.contains("rescued: 2 messages, all as"), "{said}");
    let kept = fs::read_to_string(rescued.join("0000000000000001.eml")).unwrap();
    assert!(kept.ends_with("the only copy\r\n"), "{kept}");
    let about = fs::read_to_string(rescued.join("0000000000000001.json")).unwrap();
    let about: Value = serde_json::from_str(&about).unwrap();
    assert_eq!(about["message"]["body"]["octets"], kept.len());
    let (code, said) = spool(&["export"], &file, Some(&rescued));
    assert!(code == Some(1) && said.contains("rescued: cannot create"), "{said}");

    let spoil = |statement: &str| {
        let database = directory.path().join("state/spool/spool.db");
        let database = rusqlite::Connection::open(database).unwrap();
        assert_eq!(database.execute(statement, []).unwrap(), 1);
    };
    spoil(
        "UPDATE bodies SET octets = zeroblob(length(octets))
        WHERE key = (SELECT min(key) FROM bodies)",
    );
    let (code, said) = spool(&["check"], &file, None);
    let clue = "message 0000000000000001: its content is not what was accepted";
    assert!(code == Some(1) && said.contains(clue), "{said}");
    spoil("UPDATE changes SET json = '7' WHERE seq = (SELECT max(seq) FROM changes)");
    let rescued = directory.path().join("again");
    let (code, said) = spool(&["export"], &file, Some(&rescued));
    assert!(code == Some(1) && said.contains("its digest does not fit"), "{said}");
    assert!(said.contains(clue) && rescued.join("0000000000000001.damaged").exists(), "{said}");
}
