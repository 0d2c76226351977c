//! Limits, and how outside servers are secured.

use std::fs;

use bridgehead::protocol::member::OutsideTls;
use bridgehead::server::configuration;
use bridgehead::server::identity::DevelopmentCa;

use super::{MEMBER, assert_refused, directory_with, line_of};

/// SM-122, SV-041: the limits have defaults, are checked, and the addresses of members are exempt.
#[test]
fn the_limits_are_checked() {
    let limits = "[limits.client]\nconnections = 7\nexempt = [\"192.0.2.0/24\"]\n\
                  [limits.destination]\nconnections = 4\n";
    let text = MEMBER.to_owned() + limits;
    let (_directory, path) = directory_with(&text);
    let loaded = configuration::load(&path).expect("it is right").member.policy.limits;
    assert_eq!((loaded.client.connections, loaded.destination.connections), (7, 4));
    assert_eq!(loaded.client.messages_per_minute, 300, "the default");
    let counted = |address: &str| loaded.client.counted(address.parse().expect("an address"));
    assert_eq!([counted("192.0.2.9"), counted("127.77.3.1")], [None, None]);
    assert!(counted("127.0.0.1").is_some(), "loopback is exempt by default only");
    for (from, to, clue) in [
        ("connections = 7", "connections = 0", "is 0, expected 1 to 1000000"),
        ("connections = 4", "connections = 1000001", "is 1000001, expected 1 to 1000000"),
        ("192.0.2.0/24", "192.0.2.0/33", "`192.0.2.0/33` is no network"),
        ("connections = 7", "connexions = 7", "connexions"),
    ] {
        let text = text.replace(from, to);
        let (_directory, path) = directory_with(&text);
        let errors = configuration::load(&path).map(|_| ()).expect_err(clue);
        assert_refused(&errors, &path, Some(line_of(&text, to)), clue);
    }
}

/// SV-041: a domain that no server can have would leave mail without the policy that is meant for it.
#[test]
fn domains_that_never_match_are_refused() {
    for domain in ["", ".x", "*.example.net", "example.net.", "example.net:25", "a b"] {
        let text = format!("{MEMBER}[[outside]]\ndomain = \"{domain}\"\ntls = \"required\"\n");
        let (_directory, path) = directory_with(&text);
        let errors = configuration::load(&path).map(|_| ()).expect_err(domain);
        assert_eq!(errors.len(), 1, "{domain}: {errors:?}");
    }
    for domain in ["example.net", "localhost", "192.0.2.1", "2001:db8::1"] {
        let text = format!("{MEMBER}[[outside]]\ndomain = \"{domain}\"\ntls = \"required\"\n");
        let (_directory, path) = directory_with(&text);
        assert!(configuration::load(&path).is_ok(), "{domain}");
    }
}

/// SM-125, SV-041: how outside servers are secured is checked, with what it names.
#[test]
fn the_policies_for_outside_servers_are_checked() {
    let sections = "[[outside]]\ntls = \"required\"\n[[outside]]\ndomain = \"example.net\"\n\
                    tls = \"verified\"\nca = \"outside.pem\"\n";
    let text = MEMBER.to_owned() + sections;
    let (directory, path) = directory_with(&text);
    let pem = DevelopmentCa::create().expect("an authority");
    fs::write(directory.path().join("outside.pem"), pem.certificate_pem()).expect("a file");
    let loaded = configuration::load(&path).expect("it is right").member.policy;
    assert_eq!(loaded.outside_tls("mx.example.net:25"), OutsideTls::Verified);
    assert_eq!(loaded.outside_tls("mx.example.com:25"), OutsideTls::Required);
    fs::write(directory.path().join("empty.pem"), "").expect("a file");
    for (from, to, clue) in [
        ("outside.pem", "missing.pem", "missing.pem: No such file"),
        ("outside.pem", "empty.pem", "the file has no certificate of an authority"),
        ("verified", "required", "ca: has no use with tls = \"required\""),
        ("domain = \"example.net\"\n", "", "what holds for all others stands twice"),
        ("\"example.net\"", "\".net\"", "expected the name of a server"),
        ("tls = \"required\"", "tls = \"always\"", "unknown variant `always`"),
    ] {
        fs::write(&path, text.replace(from, to)).expect("a file");
        let errors = configuration::load(&path).map(|_| ()).expect_err(clue);
        assert!(errors.iter().any(|error| error.problem.contains(clue)), "{clue}: {errors:?}");
        assert!(errors.iter().all(|error| error.line.is_some()), "{errors:?}");
    }
}

/// SV-089: mail for foreign domains has a way out that leads out.
#[test]
fn a_smart_host_is_a_server_outside_with_its_port() {
    let (directory, path) = directory_with(MEMBER);
    let organization = directory.path().join("organization.toml");
    let text = fs::read_to_string(&organization).expect("a file");
    let with = |host: &str| {
        text.replacen("[[group]]", &format!("smart_host = \"{host}\"\n\n[[group]]"), 1)
    };
    for good in
        ["mail.example.net:25", "localhost:25", "127.77.1.2:2501", "[2001:db8::1]:25", "mx_1:26"]
    {
        fs::write(&organization, with(good)).expect("a file");
        assert!(configuration::load(&path).is_ok(), "{good}");
    }
    let form = "expected HOST:PORT, such as `mail.example.net:25`";
    let own = "of this member; expected a server outside the organization";
    for (bad, clue) in [
        ("mail.example.net", form),
        ("mail.example.net:smtp", form),
        ("mail.example.net:0", form),
        ("mail.example.net:+25", form),
        ("mail.example.net:65536", form),
        ("192.0.2.1", form),
        ("192.0.2:25", form),
        ("2001:db8::1", form),
        ("http://mail:25", form),
        ("a b:25", form),
        ("", form),
        ("127.77.1.1:2501", own),
        ("rg1-a:2501", own),
        ("0.0.0.0:2501", own),
    ] {
        let text = with(bad);
        fs::write(&organization, &text).expect("a file");
        let errors = configuration::load(&path).map(|_| ()).expect_err(bad);
        assert_refused(&errors, &organization, Some(line_of(&text, "smart_host")), clue);
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
}
