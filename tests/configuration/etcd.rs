//! `[etcd]`, and groups in which etcd decides.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridgehead::protocol::organization::BackEnd;
use bridgehead::server::configuration::{self, EtcdSection};

use super::{MEMBER, assert_refused, directory_with, line_of};

const DECIDES: &str = "[group.election]\nback_end = \"etcd\"\nvoters = [\"rg1-a\", \"rg1-b\"]\n";
const VOTES: &str = "[group.election]\nvoters = [\"rg1-a\", \"rg1-b\"]\nwitness = \"rg2-a\"\n";
const SECTION: &str = "\n[etcd]\nendpoints = [\"http://127.0.0.1:2379\"]\n";

/// Rewrites the organization beside `member`: the first group elects so.
fn elect(member: &Path, election: &str, revision: u32) -> (PathBuf, String) {
    let path = member.with_file_name("organization.toml");
    let example = fs::read_to_string(super::EXAMPLE).expect("the example");
    let text = example.replacen("master = \"rg1-b\"\n", election, 1);
    let text = text.replacen("revision = 1", &format!("revision = {revision}"), 1);
    fs::write(&path, &text).expect("a file");
    (path, text)
}

/// SV-120: where etcd is, and that the clock is the real one.
#[test]
fn sv_120_a_member_says_where_etcd_is() {
    let (_directory, path) = directory_with(MEMBER);
    elect(&path, DECIDES, 1);
    let errors = configuration::load(&path).expect_err("no section");
    assert_refused(&errors, &path, None, "expected a section `[etcd]` with `endpoints`");
    let fast = MEMBER.replace("scale = 1.0", "scale = 60.0");
    let many = vec!["\"http://h:1\""; 17].join(", ");
    for (section, key, expected) in [
        (SECTION.replace("\"http://127.0.0.1:2379\"", ""), "endpoints", "are 0, expected 1 to 16"),
        (format!("\n[etcd]\nendpoints = [{many}]\n"), "endpoints", "are 17, expected 1 to 16"),
        (SECTION.replace("http:", "https:"), "endpoints", "is not of the form http://HOST:PORT"),
        (SECTION.replace(":2379", ""), "endpoints", "is not of the form http://HOST:PORT"),
        (SECTION.replace(":2379", ":0"), "endpoints", "is not of the form http://HOST:PORT"),
        (SECTION.replace(":2379", ":2379/x"), "endpoints", "is not of the form http://HOST:PORT"),
        (format!("{SECTION}prefix = \"mail\"\n"), "prefix", "begins with `/`"),
        (format!("{SECTION}prefix = \"/mail/\"\n"), "prefix", "does not end with one"),
        (format!("{SECTION}password = \"x\"\n"), "password", "unknown field `password`"),
        (SECTION.into(), "scale", "is 60 and etcd's clock is the real one, expected 1"),
    ] {
        let member = if key == "scale" { fast.as_str() } else { MEMBER };
        let text = format!("{member}{section}");
        fs::write(&path, &text).expect("a file");
        let errors = configuration::load(&path).expect_err(expected);
        assert_refused(&errors, &path, Some(line_of(&text, key)), expected);
    }
}

/// SV-121: a program without etcd says how to build one that has it, and needs none for the organization alone.
#[test]
fn sv_121_a_program_without_etcd_refuses_a_member_that_asks_it() {
    let text = format!("{MEMBER}{SECTION}");
    let (_directory, path) = directory_with(&text);
    let (organization, _) = elect(&path, DECIDES, 1);
    configuration::load_organization(&organization).expect("the organization is good");
    let loaded = configuration::load(&path);
    if cfg!(feature = "etcd") {
        let section = loaded.expect("it is good").etcd.expect("it was read");
        assert_eq!(section, EtcdSection::at(vec!["http://127.0.0.1:2379".into()]));
    } else {
        let errors = loaded.expect_err("built without etcd");
        let expected = "cargo build --release --features etcd";
        assert_refused(&errors, &path, Some(line_of(&text, "[etcd]")), expected);
    }
}

/// MA-089: another back end takes a restart; SV-123: so does another etcd.
#[test]
fn ma_089_a_member_that_runs_keeps_its_back_end() {
    let (_directory, path) = directory_with(MEMBER);
    elect(&path, VOTES, 1);
    let mut old = configuration::load(&path).expect("it is good");
    let (organization, text) = elect(&path, VOTES, 2);
    configuration::reload(&path, &old).expect("nothing but the revision");
    let groups = &mut Arc::make_mut(&mut old.member.organization).groups;
    groups[0].election.as_mut().expect("it elects").back_end = BackEnd::Etcd;
    let errors = configuration::reload(&path, &old).expect_err("another back end");
    let expected =
        "is embedded and was etcd; that takes a restart, with every voter of the group stopped";
    assert_refused(&errors, &organization, Some(line_of(&text, "[group.election]")), expected);
    groups_vote_again(&mut old);
    let member = format!("{MEMBER}{SECTION}");
    fs::write(&path, &member).expect("a file");
    let errors = configuration::reload(&path, &old).expect_err("another etcd");
    let expected =
        "is http://127.0.0.1:2379 below `/bridgehead` and was none; that takes a restart";
    assert_refused(&errors, &path, Some(line_of(&member, "[etcd]")), expected);
}

fn groups_vote_again(configuration: &mut configuration::Configuration) {
    let groups = &mut Arc::make_mut(&mut configuration.member.organization).groups;
    groups[0].election.as_mut().expect("it elects").back_end = BackEnd::Embedded;
}
