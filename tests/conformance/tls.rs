//! The suite against the reference with certificates: its link proxies end TLS, and every case that
//! passes where addresses are the proof passes here, too.

#![cfg(all(feature = "conformance", not(loom)))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The program under test, which is the suite as well.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bridgehead");

/// Vectors of clients that never come to TLS, those that only ask a decoder, and the cases that take days of
/// virtual time or are about timers.
const LEFT_OUT: [&str; 13] = [
    "smtp-**",
    "chunk-**",
    "record-**",
    "trace-**",
    "pdu-**",
    "link.lifetime.**",
    "link.merge.**",
    "link.oscillation.**",
    "link.persistence.**",
    "link.probe.**",
    "link.probes.**",
    "link.tombstone.**",
    "link.walk.several.02",
];

fn conformance(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("conformance").args(arguments).output().expect("the suite starts")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("the report is there")
}

// CO-013, CO-014, CO-015, SM-017, SM-043, SM-047, SV-031, SV-033
#[test]
fn everything_that_members_do_they_do_under_tls() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = directory.path().to_str().expect("a path in plain text");
    let mut arguments = vec!["run", "--security", "tls", "-o", report];
    arguments.extend(LEFT_OUT.iter().flat_map(|glob| ["--skip", glob]));
    let ran = conformance(&arguments);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&ran.stderr));

    let summary: Value = serde_json::from_str(&text(&directory.path().join("summary.json")))
        .expect("the summary is JSON");
    assert_eq!(summary["security"], "tls");
    let cases = summary["cases"].as_array().expect("a list");
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let other = cases.iter().find(|case| case["verdict"] != "pass");
    assert_eq!(other, None, "not everything was exercised");
    assert!(cases.iter().any(|case| case["id"] == "link.walk.single.01"));

    let events = text(&directory.path().join("events.jsonl"));
    let proofs = events.lines().filter(|line| line.contains(r#""event":"tls""#)).count();
    assert!(proofs >= 200, "only {proofs} times a node has proved its name");
    assert_eq!(conformance(&["verify", report]).status.code(), Some(0));
}

#[test]
fn the_doctor_examines_under_tls_and_a_bare_target_has_no_members() {
    let doctor = conformance(&["doctor", "--security", "tls"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", String::from_utf8_lossy(&doctor.stderr));
    let directory = tempfile::tempdir().expect("a directory");
    let report = directory.path().to_str().expect("a path in plain text");
    let target = ["run", "--target", "127.0.0.1:1", "--security", "tls", "-o", report];
    assert_eq!(conformance(&target).status.code(), Some(2));
}
