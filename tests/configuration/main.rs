//! Configuration: every bad input is refused with file, line and what was expected (SV-032, SV-041).

mod accounts;
mod elections;
mod etcd;
mod exits;
mod hours;
mod net;
mod ranges;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use bridgehead::protocol::member::Endpoint;
use bridgehead::server::configuration::{self, ConfigurationError, Kind};
use bridgehead::server::identity::DevelopmentCa;
use bridgehead::wire::ids::{ConnectorName, MemberName};

const EXAMPLE: &str = "examples/five-groups.toml";

/// A member of the example in address mode.
const MEMBER: &str = r#"format = 1
member = "rg1-a"
organization = "organization.toml"
directory = "state"

[listen]
smtp = "127.77.1.1:2501"
deliver = "127.77.1.1:2502"
group = "127.77.1.1:2503"
admin = "admin.sock"

[security]
members = "address"
allow_development_ca = true

[[peer]]
member = "rg1-b"
smtp = "127.77.1.2:2501"
deliver = "127.77.1.2:2502"
group = "127.77.1.2:2503"
address = "127.77.1.2"

[[peer]]
member = "rg2-a"
smtp = "127.77.2.1:2501"
address = "127.77.2.1"

[[peer]]
member = "rg3-a"
smtp = "127.77.3.1:2501"
address = "127.77.3.1"

[[via]]
connector = "RG1-RG2"
target = "rg2-a"
address = "127.0.0.1:2601"

[policy]
first_retries_minutes = [10, 10, 10]
expiry_hours = 48

[clock]
scale = 1.0
"#;

fn directory_with(member: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::copy(EXAMPLE, directory.path().join("organization.toml")).expect("a copy");
    let path = directory.path().join("member.toml");
    fs::write(&path, member).expect("a file");
    (directory, path)
}

/// The line, from 1, that holds `text` first.
fn line_of(whole: &str, text: &str) -> usize {
    1 + whole.lines().position(|line| line.contains(text)).expect("the text stands there")
}

fn assert_refused(errors: &[ConfigurationError], path: &Path, line: Option<usize>, clue: &str) {
    let found = errors.iter().find(|error| error.problem.contains(clue));
    let Some(error) = found else { panic!("no error says `{clue}`: {errors:?}") };
    assert_eq!((error.path.as_path(), error.line), (path, line), "{error}");
    let shown = line.map_or_else(String::new, |line| format!("{line}:"));
    assert!(error.to_string().starts_with(&format!("{}:{shown} ", path.display())), "{error}");
}

#[test]
fn a_good_member_is_loaded() {
    let (directory, path) = directory_with(MEMBER);
    let configuration = configuration::load(&path).expect("it is good");
    assert_eq!(configuration.member.member, MemberName::from("rg1-a"));
    assert_eq!(configuration.directory, directory.path().join("state"));
    assert_eq!(configuration.listen.admin, Some(directory.path().join("state/admin.sock")));
    assert_eq!(configuration.member.organization.groups.len(), 5);
    let rg2 = MemberName::from("rg2-a");
    let rg3 = MemberName::from("rg3-a");
    let rg5 = MemberName::from("rg5-a");
    let master = MemberName::from("rg1-b");
    let over = |connector, target: &MemberName| {
        Endpoint::Connector(ConnectorName::from(connector), target.clone())
    };
    for (endpoint, expected) in [
        (over("RG1-RG2", &rg2), Some("127.0.0.1:2601")),
        (over("RG1-RG3", &rg3), Some("127.77.3.1:2501")),
        (Endpoint::Member(master.clone()), Some("127.77.1.2:2501")),
        (Endpoint::Deliver(master.clone()), Some("127.77.1.2:2502")),
        (Endpoint::Group(master.clone()), Some("127.77.1.2:2503")),
        (Endpoint::Frontend(master.clone()), Some("127.77.1.2:2501")),
        (Endpoint::Member(rg5), None),
        (Endpoint::Deliver(rg2), None),
        (Endpoint::Outside("192.0.2.1:25".into()), Some("192.0.2.1:25")),
        (Endpoint::Outside("mx.example.test:25".into()), None),
    ] {
        let resolved = configuration.resolve(&endpoint).map(|address| address.to_string());
        assert_eq!(resolved.as_deref(), expected, "{endpoint:?}");
    }
    assert_eq!(configuration.source, Some("127.77.1.1".parse().expect("an address")));
    let at = |address: &str| configuration.member_at(address.parse().expect("an address"));
    assert_eq!(at("127.77.1.2"), Some(&master));
    assert_eq!(at("127.77.9.9"), None);
}

#[test]
fn who_listens_everywhere_comes_from_anywhere() {
    let (_directory, path) = directory_with(&MEMBER.replacen("127.77.1.1:2501", "0.0.0.0:2501", 1));
    assert_eq!(configuration::load(&path).expect("it is good").source, None);
}

#[test]
fn the_kind_of_a_file_is_seen() {
    let (_directory, path) = directory_with(MEMBER);
    assert_eq!(configuration::kind_of(&path), Ok(Kind::Member));
    assert_eq!(configuration::kind_of(Path::new(EXAMPLE)), Ok(Kind::Organization));
    fs::write(&path, "format = 1\n").expect("a file");
    let error = configuration::kind_of(&path).expect_err("it is neither");
    assert_refused(&[error], &path, None, "neither an organization");
}

/// DE-070: stores have names of their own and ports that can be reached, and run no rules.
#[test]
fn bad_mail_stores_are_refused_with_their_line() {
    let example = fs::read_to_string(EXAMPLE).expect("the example");
    let store = "[[group.store]]\nname = \"vault\"\nlmtp = \"127.0.0.1:24\"\n\n[[connector]]";
    let account = "[[account]]\naddress = \"zoe@example.test\"\nhost = \"vault\"\n";
    let good = format!("{}{account}", example.replacen("[[connector]]", store, 1));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("organization.toml");
    fs::write(&path, &good).expect("a file");
    let organization = configuration::load_organization(&path).expect("it is good");
    assert_eq!(organization.group_of_host(&"vault".into()).expect("a group").name.as_str(), "RG5");
    let rule = "[[account.rule]]\nname = \"r\"\nwhen = []\nthen = [{ action = \"stop\" }]\n";
    for (from, to, marked, clue) in [
        ("name = \"vault\"", "name = \"rg1-a\"", "lmtp = ", "is already a member of `RG1`"),
        ("name = \"vault\"", "name = \"a b\"", "lmtp = ", "is no store's name"),
        ("127.0.0.1:24\"", "mail.example\"", "lmtp = ", "expected an address and a port"),
        ("lmtp = ", "port = ", "port = ", "unknown field `port`"),
        ("host = \"vault\"", "host = \"safe\"", "\"safe\"", "no member and no store"),
        (
            "host = \"vault\"\n",
            &format!("host = \"vault\"\n{rule}"),
            "[[account.rule]]",
            "is a store",
        ),
    ] {
        let bad = good.replacen(from, to, 1);
        fs::write(&path, &bad).expect("a file");
        let errors = configuration::load_organization(&path).expect_err(clue);
        let line =
            line_of(&bad, marked) - usize::from(clue.contains("name") || clue.contains("already"));
        assert_refused(&errors, &path, Some(line), clue);
    }
}

#[test]
fn bad_members_are_refused_with_their_line() {
    let cases = [
        ("format = 1", "format = 2", "format = 2", "format: is 2, expected 1"),
        ("format = 1\n", "", "member = ", "no `format`, expected `format = 1`"),
        (
            "member = \"rg1-a\"",
            "member = \"rg9-a\"",
            "member = \"rg9-a\"",
            "`rg9-a` is in no group",
        ),
        ("scale = 1.0", "scale = 1.0\nspeed = 2", "speed = 2", "unknown field `speed`"),
        ("scale = 1.0", "scale = 1e9", "scale = 1e9", "at most 100000"),
        ("scale = 1.0", "scale = nan", "scale = nan", "is NaN, expected"),
        ("scale = 1.0", "scale = 0.0", "scale = 0.0", "is 0, expected a number above 0"),
        (
            "smtp = \"127.77.1.1:2501\"",
            "smtp = \"here\"",
            "smtp = \"here\"",
            "\"here\": invalid socket address syntax, expected IP:PORT",
        ),
        ("admin = ", "admim = ", "admim = ", "unknown field `admim`"),
        ("members = \"address\"", "members = \"hope\"", "members = \"hope\"", "`hope`"),
        ("expiry_hours = 48", "expiry_hours = 0", "expiry_hours = 0", "is 0, expected at least 1"),
        // SV-062
        (
            "expiry_hours = 48",
            "expiry_hours = 1092\njournal_retention_days = 91",
            "journal_retention_days = 91",
            "is 91, expected more than twice the expiry",
        ),
        ("[10, 10, 10]", "[10, 0, 10]", "[10, 0, 10]", "first_retries_minutes[1]: is 0"),
        ("member = \"rg3-a\"", "member = \"rg7-a\"", "member = \"rg7-a\"", "is in no group"),
        ("member = \"rg3-a\"", "member = \"rg1-a\"", "member = \"rg2-a\"", "is this member itself"),
        ("127.77.3.1\"", "127.77.2.1\"", "address = \"127.77.2.1\"", "stands twice"),
        (
            "connector = \"RG1-RG2\"",
            "connector = \"RG1-RG9\"",
            "RG1-RG9",
            "`RG1-RG9` is no connector",
        ),
        (
            "target = \"rg2-a\"",
            "target = \"rg3-a\"",
            "target = \"rg3-a\"",
            "no target of `RG1-RG2`",
        ),
        (
            "[policy]",
            "[[via]]\nconnector = \"RG1-RG2\"\ntarget = \"rg2-a\"\naddress = \"127.0.0.1:2602\"\n\n\
             [policy]",
            "target = \"rg2-a\"",
            "over `RG1-RG2` stands twice",
        ),
        ("deliver = \"127.77.1.2:2502\"\n", "", "[[peer]]", "`rg1-b` is of our group"),
        ("smtp = \"127.77.3.1:2501\"\n", "", "[[peer]]", "`rg3-a` is a target of `RG1-RG3`"),
        ("[clock]", "[clock", "[clock", "unclosed table"),
        ("allow_development_ca = true\n", "", "members = ", "by address only"),
        ("127.77.1.1:2502", "127.77.1.1:2501", "deliver = \"127.77.1.1:2501", "taken by `smtp`"),
        ("127.77.1.1:2503", "0.0.0.0:2502", "0.0.0.0:2502", "taken by `deliver`"),
        ("127.77.1.1:2503", "[::]:2501", "[::]:2501", "taken by `smtp`"),
    ];
    for (from, to, at, clue) in cases {
        let text = MEMBER.replacen(from, to, 1);
        assert_ne!(text, MEMBER, "the case changes something: {from}");
        let (_directory, path) = directory_with(&text);
        let errors = configuration::load(&path).map(|_| ()).expect_err(clue);
        let line = match (clue, to) {
            ("is this member itself", _) => line_of(&text, "smtp = \"127.77.3.1:2501\"") - 1,
            ("stands twice" | "over `RG1-RG2` stands twice", _) => {
                text.lines().enumerate().filter(|(_, line)| line.contains(at)).nth(1).expect("2").0
                    + 1
            }
            ("no `format`, expected `format = 1`", _) => 1,
            _ => line_of(&text, at),
        };
        assert_refused(&errors, &path, Some(line), clue);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = MEMBER.replace("scale = 1.0", "scale = -1.0").replace("= 48", "= 0");
    let (_directory, path) = directory_with(&text);
    let errors = configuration::load(&path).map(|_| ()).expect_err("two things are wrong");
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(configuration::report(&errors).lines().count(), 2);
}

#[test]
fn bad_organizations_are_refused_with_their_line() {
    let whole = fs::read_to_string(EXAMPLE).expect("the example");
    let cases = [
        ("cost = 20", "cost = 101", "cost = 101", "connector[4].cost: is 101, expected 1 to 100"),
        ("to = \"RG2\"", "to = \"RG8\"", "to = \"RG8\"", "`RG8` is no group of this file"),
        (
            "master = \"rg4-b\"",
            "master = \"rg1-b\"",
            "master = \"rg1-b\"",
            "is not a member of `RG4`",
        ),
        ("targets = [\"rg2-a\"]", "targets = [\"rg3-a\"]", "targets = [\"rg3-a\"]", "not a member"),
        ("sources = [\"rg1-a\"]", "sources = []", "sources = []", "is empty"),
        ("host = \"rg5-b\"", "host = \"rg6-b\"", "host = \"rg6-b\"", "`rg6-b` is no member"),
        ("eva@example.test", "eva@elsewhere.test", "eva@elsewhere", "is not in `domains`"),
        ("name = \"RG2\"\n", "name = \"RG2\"\ncolour = 1\n", "colour", "unknown field `colour`"),
        ("name = \"RG1-RG2\"", "name = \"\"", "name = \"\"", "is \"\", expected 1 to 255 octets"),
        ("address = \"eva@", "address = \"e va@", "e va@", "`e va@example.test`: octet"),
        ("format = 1", "format = 7", "format = 7", "is 7, expected 1"),
    ];
    for (from, to, at, clue) in cases {
        let text = whole.replacen(from, to, 1);
        assert_ne!(text, whole, "the case changes something: {from}");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("organization.toml");
        fs::write(&path, &text).expect("a file");
        let errors = configuration::load_organization(&path).map(|_| ()).expect_err(clue);
        let line = match to {
            "master = \"rg1-b\"" => line_of(&text, "name = \"RG4\"") + 3,
            "targets = [\"rg3-a\"]" => line_of(&text, "name = \"RG1-RG2\"") + 5,
            _ => line_of(&text, at),
        };
        assert_refused(&errors, &path, Some(line), clue);
    }
}

#[test]
fn every_example_is_right() {
    let files =
        fs::read_dir("examples").expect("the examples").map(|file| file.expect("one").path());
    let organizations: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    assert!(organizations.len() >= 5, "{organizations:?}");
    for path in organizations {
        let loaded = bridgehead::server::configuration::load_organization(&path);
        assert!(loaded.is_ok(), "{}: {:?}", path.display(), loaded.err());
    }
}

/// SU-050: roles and policies are checked like everything else, by file and line.
#[test]
fn bad_settings_of_members_are_refused_with_their_line() {
    let whole = fs::read_to_string("examples/frontends.toml").expect("the example");
    let both_submit = "role = \"frontend\"\nsubmit = \"remote\"\n";
    let cases = [
        (
            "name = \"be2\"",
            "name = \"be3\"",
            "be3",
            "member[3].name: `be3` is not a member of `SITE`",
        ),
        ("weight = 2", "weight = 0", "weight = 0", "member[1].weight: is 0, expected 1 to 100"),
        ("weight = 2", "weight = 101", "weight = 101", "is 101, expected 1 to 100"),
        ("weight = 2", "relay = \"*\"", "relay", "is \"*\" at a frontend"),
        ("weight = 2", "relay = \"fe1\"", "relay", "unknown variant `fe1`, expected `*`"),
        ("\"backend\"", "\"backhand\"", "backhand", "expected `frontend` or `backend`"),
        ("weight = 2", "submit = \"elsewhere\"", "elsewhere", "unknown variant `elsewhere`"),
        ("role = \"frontend\"\n", both_submit, "submit = \"remote\"", "nobody accepts"),
    ];
    for (from, to, at, clue) in cases {
        let text = match to {
            // Nobody is left who queues for others.
            to if to == both_submit => whole.replace(from, to),
            to => whole.replacen(from, to, 1),
        };
        assert_ne!(text, whole, "the case changes something: {from}");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("organization.toml");
        fs::write(&path, &text).expect("a file");
        let errors = configuration::load_organization(&path).map(|_| ()).expect_err(clue);
        assert_refused(&errors, &path, Some(line_of(&text, at)), clue);
    }
}

/// RU-004: rules are checked like everything else, by file and line.
#[test]
fn bad_rules_are_refused_with_their_line() {
    let whole = fs::read_to_string("examples/rules.toml").expect("the example");
    let cases = [
        ("action = \"reject\"", "action = \"explode\"", "explode", "unknown variant `explode`"),
        ("text = \"We do", "txet = \"We do", "txet", "unknown field `txet`"),
        ("operation = \"contains\"", "operation = \"holds\"", "holds", "unknown variant `holds`"),
        ("data = \"subject\"", "data = \"subjekt\"", "subjekt", "unknown variant `subjekt`"),
        ("name = \"lists\"", "name = \"lists\"\ncolour = 1", "colour", "unknown field `colour`"),
        ("folder = \"Lists\"", "folder = \"../x\"", "../x", "is no folder"),
        ("days = 7", "days = 0", "days = 0", "account[0].rule[1].then[0].days: is 0"),
        (
            "action = \"reject\", text",
            "action = \"store\", folder",
            "store",
            "only the rules of an",
        ),
        ("octets = 10485760", "value = \"x\"", "value = \"x\"", "does not belong here"),
        ("to = [\"anna@", "to = [\"an na@", "an na@", "`an na@example.test`"),
    ];
    for (from, to, at, clue) in cases {
        let text = whole.replacen(from, to, 1);
        assert_ne!(text, whole, "the case changes something: {from}");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("organization.toml");
        fs::write(&path, &text).expect("a file");
        let errors = configuration::load_organization(&path).map(|_| ()).expect_err(clue);
        let found = errors.iter().find(|error| error.problem.contains(clue));
        let found = found.unwrap_or_else(|| panic!("{clue}: {errors:?}"));
        assert_eq!((&found.path, found.line), (&path, Some(line_of(&text, at))), "{found}");
    }
}

/// The rules of one server stand in its own file.
#[test]
fn the_rules_of_a_member_are_checked() {
    let rule = "[[policy.rule]]\nname = \"r\"\nthen = [{ action = \"discard\" }]\n";
    let (_directory, path) = directory_with(&(MEMBER.to_owned() + rule));
    let loaded = configuration::load(&path).expect("it is right");
    assert_eq!(loaded.member.queue_rules().count(), 1);
    let wrong = rule.replace("\"discard\"", "\"store\", folder = \"x\"");
    let text = MEMBER.to_owned() + &wrong;
    let (_directory, path) = directory_with(&text);
    let errors = configuration::load(&path).map(|_| ()).expect_err("not in queue rules");
    let problem = "policy.rule[0].then[0]: only the rules of an account";
    assert_refused(&errors, &path, Some(line_of(&text, "store")), problem);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = Path::new("examples/no-such-file.toml");
    let errors = configuration::load(missing).map(|_| ()).expect_err("it is not there");
    assert_refused(&errors, missing, None, "cannot be read");
    let (directory, path) = directory_with(MEMBER);
    let organization = directory.path().join("organization.toml");
    fs::remove_file(&organization).expect("it was there");
    let errors = configuration::load(&path).map(|_| ()).expect_err("it is not there");
    let expected = "expected the path of an organization.toml, from the directory of this file";
    assert_refused(&errors, &path, Some(line_of(MEMBER, "organization =")), expected);
    let shown = errors[0].to_string();
    assert_eq!(shown.matches("member.toml").count(), 1, "{shown}");
    assert_eq!(shown.matches("/organization.toml").count(), 1, "{shown}");
    fs::write(&organization, [0xff, 0xfe]).expect("a file");
    let errors = configuration::load(&path).map(|_| ()).expect_err("it is no text");
    assert_refused(&errors, &path, Some(line_of(MEMBER, "organization =")), "cannot be read");
}

/// What a pipe holds nobody knows before somebody writes into it.
#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let (directory, path) = directory_with(MEMBER);
    let organization = directory.path().join("organization.toml");
    fs::remove_file(&organization).expect("it was there");
    let made = std::process::Command::new("mkfifo").arg(&organization).status().expect("it runs");
    assert!(made.success());
    let (told, telling) = std::sync::mpsc::channel();
    let file = path.clone();
    std::thread::spawn(move || told.send(configuration::load(&file).map(|_| ())));
    let told = telling.recv_timeout(Duration::from_secs(20)).expect("it does not wait");
    let errors = told.expect_err("it is a pipe");
    assert_refused(&errors, &path, Some(line_of(MEMBER, "organization =")), "no regular file");
    let errors = configuration::load(directory.path()).map(|_| ()).expect_err("a directory");
    assert_refused(&errors, directory.path(), None, "no regular file");
}

#[test]
fn listeners_may_share_what_does_not_collide() {
    for (from, to) in
        [("2503", "0"), ("127.77.1.1:2503", "127.77.1.9:2501"), ("127.77.1.1:2503", "[::1]:2501")]
    {
        let (_directory, path) = directory_with(&MEMBER.replacen(from, to, 1));
        configuration::load(&path).expect(to);
    }
}

/// A member in TLS mode whose keys were made for `name`.
fn directory_with_keys(name: &str, allowed: bool) -> (tempfile::TempDir, PathBuf, String) {
    let section = format!(
        "members = \"tls\"\nca = \"ca.pem\"\ncertificate = \"certificate.pem\"\n\
         key = \"key.pem\"\nallow_development_ca = {allowed}"
    );
    let text = MEMBER.replace("members = \"address\"\nallow_development_ca = true", &section);
    let (directory, path) = directory_with(&text);
    let credentials = DevelopmentCa::create()
        .and_then(|ca| ca.issue(&MemberName::from(name)))
        .expect("an authority and a certificate");
    credentials.write(directory.path()).expect("three files");
    (directory, path, text)
}

/// SV-032
#[test]
fn a_development_authority_is_refused_unless_allowed() {
    let (_directory, path, _) = directory_with_keys("rg1-a", true);
    let configuration = configuration::load(&path).expect("it is allowed");
    assert!(configuration.credentials.is_some() && configuration.allow_development_ca);
    assert_eq!(configuration.source, None, "certificates prove names");
    let (_directory, path, text) = directory_with_keys("rg1-a", false);
    let errors = configuration::load(&path).map(|_| ()).expect_err("it is not allowed");
    let line = line_of(&text, "ca = ");
    assert_refused(&errors, &path, Some(line), "is a development authority");
}

#[test]
fn bad_keys_are_refused_with_their_line() {
    let (_directory, path, text) = directory_with_keys("rg2-a", true);
    let errors = configuration::load(&path).map(|_| ()).expect_err("another's certificate");
    let line = line_of(&text, "certificate = ");
    assert_refused(&errors, &path, Some(line), "does not name `rg1-a`");

    let (directory, path, text) = directory_with_keys("rg1-a", true);
    fs::write(directory.path().join("key.pem"), "no key").expect("a file");
    let errors = configuration::load(&path).map(|_| ()).expect_err("no key");
    let line = line_of(&text, "key = ");
    assert_refused(&errors, &path, Some(line), "security.key");

    let (directory, path, text) = directory_with_keys("rg1-a", true);
    fs::remove_file(directory.path().join("ca.pem")).expect("it was there");
    let errors = configuration::load(&path).map(|_| ()).expect_err("no authority");
    assert_refused(&errors, &path, Some(line_of(&text, "ca = ")), "ca.pem: No such file");

    let text = MEMBER.replace("members = \"address\"", "members = \"tls\"");
    let (_directory, path) = directory_with(&text);
    let errors = configuration::load(&path).map(|_| ()).expect_err("no paths");
    let line = Some(line_of(&text, "members = \"tls\""));
    for part in ["ca", "certificate", "key"] {
        let missing = format!("security.{part}: is missing");
        let error = errors.iter().find(|error| error.problem.starts_with(&missing));
        let line_found = error.and_then(|error| error.line);
        assert!(line_found >= line.map(|line| line - 1) && line_found <= line, "{errors:?}");
    }
}
