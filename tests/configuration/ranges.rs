//! Numbers that no key takes, and restrictions that cannot be meant.

use std::fs;

use bridgehead::server::configuration;

use super::{EXAMPLE, MEMBER, assert_refused, directory_with, line_of};

/// What is said of the example with one piece of it replaced, or with something behind it: one error, with its line.
#[track_caller]
fn assert_says(good: Option<&str>, bad: &str, clue: &str) {
    let whole = fs::read_to_string(EXAMPLE).expect("the example");
    let text = match good {
        Some(good) => whole.replacen(good, bad, 1),
        None => format!("{whole}\n{bad}\n"),
    };
    assert_ne!(text, whole);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("organization.toml");
    fs::write(&path, &text).expect("a file");
    let errors = configuration::load_organization(&path).map(|_| ()).expect_err(clue);
    let key = bad.lines().last().expect("it has lines");
    assert_refused(&errors, &path, Some(line_of(&text, key)), clue);
    assert_eq!(errors.len(), 1, "{errors:?}");
}

/// SV-102: the key and its range, also where the number does not fit the type that holds it.
#[test]
fn a_number_out_of_range_is_refused_with_its_key_and_its_range() {
    let cost = Some("cost = 10");
    for wrong in ["5000000000", "-1", "1.5", "\"10\"", "0"] {
        let clue = format!("connector[0].cost: is {wrong}, expected 1 to 100");
        assert_says(cost, &format!("cost = {wrong}"), &clue);
    }
    let limit = "size_limit_octets: is -5, expected 1 to 9223372036854775807";
    assert_says(cost, "cost = 10\nsize_limit_octets = -5", limit);
    for (line, clue) in [
        ("glitch_retries = 300", "link_state.glitch_retries: is 300, expected 1 to 10"),
        ("glitch_retries = 11", "link_state.glitch_retries: is 11, expected 1 to 10"),
        ("half_life_s = -1", "link_state.half_life_s: is -1, expected 60 to 86400"),
        ("lifetime_s = 5000000000", "is 5000000000, expected 60 to 2592000"),
        ("refresh_s = 5000000000", "refresh_s: is 5000000000, expected 20 to 1296000"),
    ] {
        assert_says(None, &format!("[link_state]\n{line}"), clue);
    }
    assert_says(
        Some("revision = 1"),
        "revision = 4294967296",
        "revision: is 4294967296, expected 0 to 4294967295",
    );
    for (good, bad, clue) in [
        (
            "expiry_hours = 48",
            "expiry_hours = 4294967296",
            "policy.expiry_hours: is 4294967296, expected 1 to 4294967295",
        ),
        (
            "[10, 10, 10]",
            "[10, -10, 10]",
            "policy.first_retries_minutes[1]: is -10, expected 1 to 4294967295",
        ),
        (
            "[clock]",
            "[limits.client]\nconnections = -1\n[clock]",
            "limits.client.connections: is -1, expected 1 to 1000000",
        ),
    ] {
        let (_directory, path) = directory_with(&MEMBER.replacen(good, bad, 1));
        let errors = configuration::load(&path).map(|_| ()).expect_err(clue);
        let [error] = &errors[..] else { panic!("{errors:?}") };
        assert!(error.problem.contains(clue) && error.line.is_some(), "{clue}: {error}");
    }
}

/// SV-102, LS-113, LS-155, SV-062: what follows from two keys is said of one that stands in the file.
#[test]
fn the_key_that_is_blamed_stands_in_the_file() {
    for (lines, clue) in [
        ("lifetime_s = 5", "link_state.lifetime_s: is 5, expected 60 to 2592000"),
        ("refresh_s = 20\nlifetime_s = 5", "link_state.lifetime_s: is 5, expected 60 to 2592000"),
        (
            "max_penalty = 2000",
            "max_penalty: is 2000, expected 2500 to 1000000, for `suppress_penalty` is 2500",
        ),
        ("suppress_penalty = 700", "suppress_penalty: is 700, expected 1000 to 50000"),
        ("damping = \"rfc7196\"\nhalf_life_s = 60", "link_state.half_life_s: is 60: with 240 s"),
    ] {
        assert_says(None, &format!("[link_state]\n{lines}"), clue);
    }
    let (_directory, path) =
        directory_with(&MEMBER.replacen("expiry_hours = 48", "expiry_hours = 5000", 1));
    let errors = configuration::load(&path).map(|_| ()).expect_err("it is too long");
    let line = line_of(MEMBER, "expiry_hours");
    assert_refused(
        &errors,
        &path,
        Some(line),
        "policy.expiry_hours: is 5000: `journal_retention_days` must",
    );
}

/// SV-103: a restriction that nothing passes, and what stands twice.
#[test]
fn restrictions_that_cannot_be_meant_are_refused() {
    let cost = Some("cost = 10");
    for (line, clue) in [
        ("size_limit_octets = 0", "connector[0].size_limit_octets: is 0, expected at least 1"),
        (
            "priorities = [\"high\", \"low\", \"high\"]",
            "connector[0].priorities: names `high` twice",
        ),
        (
            "senders_denied = [\"a@x.example\", \"A@X.example\"]",
            "senders_denied: `A@X.example` stands twice",
        ),
        (
            "senders_allowed = [\"a@x.example\"]\nsenders_denied = [\"A@x.example\"]",
            "senders_denied: `A@x.example` keeps out `a@x.example` of `senders_allowed`",
        ),
        (
            "senders_allowed = [\"a@x.example\"]\nsenders_denied = [\"x.example\"]",
            "senders_denied: `x.example` keeps out `a@x.example` of `senders_allowed`",
        ),
    ] {
        assert_says(cost, &format!("cost = 10\n{line}"), clue);
    }
    let twice = "connector[0].sources: `rg1-a` stands twice";
    assert_says(Some("sources = [\"rg1-a\"]"), "sources = [\"rg1-a\", \"rg1-a\"]", twice);
    let domains = "domains = [\"example.test\", \"Example.TEST\"]";
    assert_says(
        Some("domains = [\"example.test\"]"),
        domains,
        "domains[1]: `Example.TEST` stands twice",
    );
}
