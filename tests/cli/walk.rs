//! The single-link walk-through of the Exchange seed, on ten real processes: mail goes the cheapest
//! way, a link is cut without a word to anybody, the mail at hand goes back and around, the next goes
//! straight around, and when the link heals the old way returns.

use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use bridgehead::protocol::linkstate::{Record, Table};

use crate::support::{Cluster, PATIENCE};
use serde_json::Value;

/// A minute of retrying takes a second.
const TIME_SCALE: &str = "60";
/// Three retries and the news behind them, with much to spare.
const DETECTION: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Asks until the answer is there. It counts its questions: a clock would only measure the machine.
fn until<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let questions = patience.as_millis() / POLL.as_millis();
    for question in 0..questions {
        if let Some(answer) = ask() {
            println!("{what}: at question {question} of {questions}, {POLL:?} apart");
            return answer;
        }
        std::thread::sleep(POLL);
    }
    panic!("{what}: not within {patience:?}");
}

/// Sends a mail to a member as any client would; the reply to the content.
fn send(address: &str, to: &str, subject: &str) -> String {
    let stream = TcpStream::connect(address).expect("the member listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut reader = BufReader::new(stream);
    let mut said = String::new();
    reader.read_line(&mut said).expect("a greeting");
    assert!(said.starts_with("220 "), "{said}");
    for (line, expected) in [
        ("EHLO client.example".to_owned(), "250"),
        ("MAIL FROM:<anna@example.test>".to_owned(), "250"),
        (format!("RCPT TO:<{to}>"), "250"),
        ("DATA".to_owned(), "354"),
        (format!("Subject: {subject}\r\n\r\n{subject}\r\n."), "250"),
    ] {
        reader.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("the member reads");
        said.clear();
        loop {
            let start = said.len();
            reader.read_line(&mut said).expect("a reply in time");
            if said.as_bytes().get(start + 3) != Some(&b'-') {
                assert!(said[start..].starts_with(expected), "{line}: {said}");
                break;
            }
        }
    }
    said
}

/// The groups that a stored message has visited, in order, by its `Received` lines.
fn groups_visited(text: &str) -> Vec<String> {
    let mut groups: Vec<String> = text
        .split("(group ")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect();
    groups.reverse();
    // Two members of one group stand in a row; it is the way between groups that counts here.
    groups.dedup();
    groups
}

/// The message of that subject in an account of RG5, once it is there.
fn stored(cluster: &Cluster, subject: &str) -> Option<String> {
    let new: PathBuf = cluster.directory.join("rg5-b/state/accounts/example.test/eva/new");
    let mut found: Vec<String> = fs::read_dir(new)
        .ok()?
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter(|text| text.contains(&format!("Subject: {subject}\r\n")))
        .collect();
    assert!(found.len() <= 1, "{subject}: stored {} times", found.len());
    found.pop()
}

/// Whether every member's table says that RG2-RG4 is in this state.
fn all_say(cluster: &Cluster, state: &str) -> Option<()> {
    let said = cluster.done(&["linkstate", "show", "--json"]);
    let answers: Value = serde_json::from_str(&said).expect("it is JSON");
    let members = answers["members"].as_object().expect("members").clone();
    assert_eq!(members.len(), 10);
    let says = |table: &Value| {
        let text = table.to_string();
        let place = text.find("\"RG2-RG4\"")?;
        let row = text[..place].rfind('{')?;
        let end = place + text[place..].find('}')?;
        text[row..end].contains(&format!("\"{state}\"")).then_some(())
    };
    members.values().all(|table| says(table).is_some()).then_some(())
}

/// SV-100: whether all members have the same table, by the digests that they tell; each is that of the records
/// beside it.
fn all_agree(cluster: &Cluster) -> Option<()> {
    let said = cluster.done(&["linkstate", "show", "--json"]);
    let answers: Value = serde_json::from_str(&said).expect("it is JSON");
    for (name, answer) in answers["members"].as_object().expect("members") {
        let records: Vec<Record> =
            serde_json::from_value(answer["records"].clone()).expect("they are records");
        let digest = Table::new(records).digest().to_string();
        assert_eq!(answer["digest"], digest.as_str(), "{name}");
        assert_eq!(answer["member"], name.as_str());
        assert!(answer["time"].is_u64() && answer["group"].is_string(), "{answer}");
    }
    let sets = answers["tables"].as_array().expect("sets of members");
    (sets.len() == 1 && sets[0]["members"].as_array().is_some_and(|set| set.len() == 10))
        .then_some(())
}

/// While RG2-RG4 is DOWN everywhere: what people see of it.
fn the_tables_can_be_looked_at(cluster: &Cluster, before: &str) {
    until("every table is the same again", DETECTION, || all_agree(cluster));
    assert!(cluster.done(&["linkstate", "show"]).contains("\nall 10 members have table "));
    assert!(cluster.done(&["linkstate", "diff", "rg1-a", "rg5-b"]).starts_with("equal: 5 records"));
    let differing = cluster.run(&["linkstate", "diff", before, "rg5-b"]);
    let said = String::from_utf8_lossy(&differing.stdout).into_owned();
    assert_eq!(differing.status.code(), Some(1), "{said}");
    assert!(said.starts_with("RG2: newer in rg5-b, 1.1."), "{said}");
    assert!(said.contains("  RG2-RG4 state: UP in ") && said.contains(", DOWN in rg5-b"), "{said}");
    assert_eq!(said.matches("newer in").count(), 1, "nothing else has changed: {said}");
    let picture = cluster.done(&["linkstate", "picture", "--from", "RG1", "--to", "RG5"]);
    assert!(picture.contains("RG1 to RG5: RG1-RG3, RG3-RG4, RG4-RG5, cost 50"), "{picture}");
    assert_eq!(picture.matches("class=\"connector down\"").count(), 2, "one, and the legend's");
}

#[test]
fn mail_takes_the_way_around_a_cut_link_and_comes_back_to_the_old_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cluster = Cluster::up(directory.path(), &["--time-scale", TIME_SCALE]);
    until("every table is complete", DETECTION, || all_say(&cluster, "UP"));
    let status = cluster.status();
    let rg1_a = status["plan"]["members"][0]["smtp"].as_str().expect("an address").to_owned();
    let mail = |subject: &str| {
        let reply = send(&rg1_a, "eva@example.test", subject);
        assert!(reply.contains("queued as"), "the reply names the queue id: {reply}");
        let text = until(subject, DETECTION, || stored(&cluster, subject));
        groups_visited(&text)
    };

    assert_eq!(mail("the cheapest way"), ["RG1", "RG2", "RG4", "RG5"]);
    until("every table is the same", DETECTION, || all_agree(&cluster));
    let before = directory.path().join("before.json").to_string_lossy().into_owned();
    cluster.done(&["linkstate", "export", "--member", "rg1-a", "-o", &before]);
    cluster.done(&["cluster", "link", "cut", "RG2", "RG4"]);
    assert_eq!(mail("back and around"), ["RG1", "RG2", "RG1", "RG3", "RG4", "RG5"]);
    until("every table says DOWN", DETECTION, || all_say(&cluster, "DOWN"));
    the_tables_can_be_looked_at(&cluster, &before);
    assert_eq!(mail("straight around"), ["RG1", "RG3", "RG4", "RG5"]);
    cluster.done(&["cluster", "link", "heal", "RG2", "RG4"]);
    until("every table says UP", DETECTION, || all_say(&cluster, "UP"));
    assert_eq!(mail("the old way"), ["RG1", "RG2", "RG4", "RG5"]);
    assert_eq!(cluster.stop(), Some(0), "every member ends in order");
}
