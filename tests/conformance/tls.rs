//! The suite against the reference with certificates: its link proxies end TLS, and what passes where addresses are
//! the proof passes here, too. The gate runs every case so in a release build; here, those are run that say who is
//! who and what is in clear, and `.ci/long` runs nearly all.

#![cfg(all(feature = "conformance", not(loom)))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The program under test, which is the suite as well.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bridgehead");

/// Who is who on every port, what is in clear, and mail that takes its way under TLS.
const CHOSEN: [&str; 15] = [
    "tls.**",
    "submissions.**",
    "submission.clear.**",
    "outside.**",
    "link.peer.**",
    "link.port.**",
    "link.walk.single.**",
    "submit.foreign.**",
    "submit.hello.**",
    "submit.peer.**",
    "deliver.foreign.**",
    "deliver.hello.**",
    "deliver.peer.**",
    "master.convene.**",
    "master.witness.**",
];

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

/// So many cases at least, of those that are chosen, pass under TLS, and the report is right.
fn pass_under_tls(way: &str, chosen: &[&str], least: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let report = directory.path().to_str().expect("a path in plain text");
    let mut arguments = vec!["run", "--security", "tls", "-o", report];
    arguments.extend(chosen.iter().flat_map(|glob| [way, glob]));
    let ran = conformance(&arguments);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&ran.stderr));

    let summary: Value = serde_json::from_str(&text(&directory.path().join("summary.json")))
        .expect("the summary is JSON");
    assert_eq!(summary["security"], "tls");
    let cases = summary["cases"].as_array().expect("a list");
    assert!(cases.len() >= least, "{} cases", cases.len());
    let other = cases.iter().find(|case| case["verdict"] != "pass");
    assert_eq!(other, None, "not everything was exercised");
    assert!(cases.iter().any(|case| case["id"] == "link.walk.single.01"));

    let events = text(&directory.path().join("events.jsonl"));
    let proofs = events.lines().filter(|line| line.contains(r#""event":"tls""#)).count();
    assert!(proofs >= least, "only {proofs} times a node has proved its name");
    assert_eq!(conformance(&["verify", report]).status.code(), Some(0));
}

// CO-013, CO-014, CO-015, SM-017, SM-043, SM-047, SV-031, SV-033
#[test]
fn who_is_who_is_proved_under_tls() {
    pass_under_tls("--only", &CHOSEN, 70);
}

#[test]
#[ignore = "the gate runs every case under TLS in a release build; .ci/long runs it"]
fn long_everything_that_members_do_they_do_under_tls() {
    pass_under_tls("--skip", &LEFT_OUT, 1_000);
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
