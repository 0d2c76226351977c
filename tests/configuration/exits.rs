//! Exits in the organization's file.

use std::fs;

use bridgehead::server::configuration;

use super::{MEMBER, assert_refused, directory_with, line_of};

const EXIT: &str = r#"[[group.exit]]
name = "partner"
spaces = ["partner.example", "*.partner.example"]
cost = 10
sources = ["rg1-a", "rg1-b"]
scope = "group"
smart_host = "relay.partner.example:25"
size_limit_octets = 1000
senders_allowed = ["example.test", "<>"]
"#;

/// SV-097, SV-098: an exit that no record could have, or that leads nowhere, is refused with its line.
#[test]
fn bad_exits_are_refused_with_their_line() {
    let (directory, path) = directory_with(MEMBER);
    let organization = directory.path().join("organization.toml");
    let example = fs::read_to_string(&organization).expect("a file");
    let with = |exit: &str| {
        example.replacen("master = \"rg1-b\"\n", &format!("master = \"rg1-b\"\n\n{exit}\n"), 1)
    };
    for good in [
        EXIT.to_owned(),
        EXIT.replace("scope = \"group\"", "scope = \"organization\""),
        format!("{EXIT}\n{}", EXIT.replace("\"partner\"", "\"other\"")),
    ] {
        fs::write(&organization, with(&good)).expect("a file");
        let loaded = configuration::load(&path).expect("it is good");
        let exits = loaded.member.organization.groups[0].exit_records();
        assert!(exits.is_sorted_by(|left, right| left.name < right.name));
        assert_eq!(exits[0].spaces[0].0, "*.partner.example", "in the order of LS-211");
    }
    let spaces = r#"spaces = ["partner.example", "*.partner.example"]"#;
    let many = |count: usize| {
        let spaces: Vec<_> = (0..count).map(|n| format!("\"d{n}.example\"")).collect();
        format!("spaces = [{}]", spaces.join(", "))
    };
    let host = "smart_host = \"relay.partner.example:25\"";
    let own = "of this member; expected a server outside the organization";
    for (good, bad, key, clue) in [
        ("cost = 10", "cost = 0", "cost = 0", "is 0, expected 1 to 100"),
        ("cost = 10", "cost = 101", "cost = 101", "is 101, expected 1 to 100"),
        (spaces, "spaces = []", "spaces =", "0 spaces, expected 1 to 32"),
        (spaces, &many(33), "spaces =", "33 spaces, expected 1 to 32"),
        (spaces, "spaces = [\"Partner.example\"]", "spaces =", "in lower case and US-ASCII"),
        (spaces, "spaces = [\"*.*\"]", "spaces =", "`*.*` is no address space"),
        (spaces, "spaces = [\"*\", \"*\"]", "spaces =", "`*` stands twice"),
        (r#"["rg1-a", "rg1-b"]"#, "[]", "sources = []", "expected at least one member"),
        (r#"["rg1-a", "rg1-b"]"#, r#"["rg2-a"]"#, r#"["rg2-a"]"#, "is not a member of `RG1`"),
        (r#"["rg1-a", "rg1-b"]"#, r#"["rg1-a", "rg1-a"]"#, r#"["rg1-a", "rg1-a"]"#, "twice"),
        (host, "smart_host = \"relay\"", "\"relay\"", "expected HOST:PORT"),
        (host, "smart_host = \"127.77.1.1:2501\"", "127.77.1.1:2501", own),
        (
            spaces,
            "spaces = [\"example.test\"]",
            "spaces =",
            "`example.test` is a domain of the organization",
        ),
        ("= 1000", "= 0", "octets = 0", "size_limit_octets: is 0, expected at least 1"),
        ("\"<>\"]", "\"<>\", \"EXAMPLE.test\"]", "EXAMPLE", "`EXAMPLE.test` stands twice"),
        ("\"<>\"]", "\"@\"]", "\"@\"", "expected an address, a domain or `<>`"),
        ("\"partner\"", "\"\"", "name = \"\"", "expected 1 to 255 octets"),
    ] {
        let text = with(&EXIT.replacen(good, bad, 1));
        fs::write(&organization, &text).expect("a file");
        let errors = configuration::load(&path).map(|_| ()).expect_err(bad);
        assert_refused(&errors, &organization, Some(line_of(&text, key)), clue);
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
    for (text, clue) in [
        (EXIT.replace(host, ""), "neither the exit nor the organization has a smart host"),
        (format!("{EXIT}{EXIT}"), "`partner` stands twice"),
        (EXIT.replace("scope = \"group\"", "scope = \"member\""), "unknown variant"),
        (EXIT.replace("cost = 10", "cost = 10\nmx = true"), "unknown field"),
        (
            (0..65).map(|n| EXIT.replace("partner\"\ns", &format!("p{n}\"\ns"))).collect(),
            "65 exits",
        ),
    ] {
        fs::write(&organization, with(&text)).expect("a file");
        let errors = configuration::load(&path).map(|_| ()).expect_err(clue);
        assert!(errors.iter().any(|error| error.problem.contains(clue)), "{clue}: {errors:?}");
        assert!(errors.iter().all(|error| error.line.is_some()), "{errors:?}");
    }
    // A member that is no source of it may well listen there.
    let elsewhere = EXIT.replace(r#"["rg1-a", "rg1-b"]"#, r#"["rg1-b"]"#);
    fs::write(&organization, with(&elsewhere.replace(host, "smart_host = \"127.77.1.1:2501\"")))
        .expect("a file");
    assert!(configuration::load(&path).is_ok());
}
