//! Elections in the organization's file.

use std::fs;

use bridgehead::protocol::organization::BackEnd;
use bridgehead::server::configuration;

use super::{MEMBER, assert_refused, directory_with, line_of};

const ELECTION: &str = r#"[group.election]
voters = ["rg1-a", "rg1-b"]
witness = "rg2-a"
"#;

/// MA-048: a group elects its master or names it; what cannot elect anybody is refused with its line.
#[test]
fn bad_elections_are_refused_with_their_line() {
    let (directory, path) = directory_with(MEMBER);
    let organization = directory.path().join("organization.toml");
    let example = fs::read_to_string(&organization).expect("a file");
    let with = |election: &str| example.replacen("master = \"rg1-b\"\n", election, 1);
    fs::write(&organization, with(ELECTION)).expect("a file");
    let loaded = configuration::load(&path).expect("it is good");
    let group = &loaded.member.organization.groups[0];
    let election = group.election.as_ref().expect("it elects");
    assert_eq!((election.lease_s, election.clock_drift_ppm), (5, 50_000));
    let both = format!("master = \"rg1-b\"\n{ELECTION}");
    for (file, key, expected) in [
        (both.as_str(), "master = ", "expected one of the two"),
        ("", "[[group]]", "is missing"),
        (&ELECTION.replace("witness = \"rg2-a\"\n", ""), "voters", "expected 3 to 7"),
        (&ELECTION.replace("\"rg1-b\"", "\"rg2-b\""), "voters", "is not a member of"),
        (&ELECTION.replace("\"rg1-b\"", "\"rg1-a\""), "voters", "stands twice"),
        (&ELECTION.replace("rg2-a", "rg1-a"), "witness", "of another group"),
        (&format!("{ELECTION}lease_s = 0\n"), "lease_s", "expected 1 to 300"),
        (&format!("{ELECTION}clock_drift_ppm = 200001\n"), "clock_drift_ppm", "0 to 200000"),
    ] {
        let text = with(file);
        fs::write(&organization, &text).expect("a file");
        let errors = configuration::load_organization(&organization).expect_err(expected);
        assert_refused(&errors, &organization, Some(line_of(&text, key)), expected);
    }
}

/// MA-080: where etcd decides one member can stand alone, and nobody is a witness.
#[test]
fn a_store_needs_no_majority_and_no_witness() {
    let (directory, _) = directory_with(MEMBER);
    let organization = directory.path().join("organization.toml");
    let example = fs::read_to_string(&organization).expect("a file");
    let with = |election: &str| {
        let text = example.replacen("master = \"rg1-b\"\n", election, 1);
        fs::write(&organization, &text).expect("a file");
        (text, configuration::load_organization(&organization))
    };
    let alone = "[group.election]\nback_end = \"etcd\"\nvoters = [\"rg1-b\"]\n";
    let (_, loaded) = with(alone);
    let group = &loaded.expect("it is good").groups[0];
    let back_end = group.election.as_ref().expect("it elects").back_end;
    assert_eq!(back_end, BackEnd::Etcd);
    for (election, key, expected) in [
        (alone.replace("\"rg1-b\"", ""), "voters", "0 members stand, expected 1 to 7"),
        (format!("{alone}witness = \"rg2-a\"\n"), "witness", "where nobody votes, expected none"),
        (alone.replace("etcd", "zookeeper"), "back_end", "expected `embedded` or `etcd`"),
        (alone.replace("etcd", "embedded"), "voters", "expected 3 to 7"),
    ] {
        let (text, loaded) = with(&election);
        let errors = loaded.expect_err(expected);
        assert_refused(&errors, &organization, Some(line_of(&text, key)), expected);
    }
}
