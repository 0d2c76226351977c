//! `bridgehead route`: what it tells, and how it ends.

use std::fs;

use crate::commands::{EXAMPLE, assert_ends, bridgehead, text};
use crate::linkstate::member;

/// Which way a message goes, from a file: 0 with a route, 1 without one, 2 for what is not there.
#[test]
fn a_route_is_explained_with_every_candidate() {
    let route = |more: &[&'static str]| [&["route", "--organization", EXAMPLE], more].concat();
    assert_ends(&route(&["RG1", "RG5"]), 0, "RG1-RG2 (10), RG2-RG4 (10), RG4-RG5 (10), cost 30");
    assert_ends(&route(&["RG1", "RG5"]), 0, "costlier by 20");
    assert_ends(&route(&["rg1-a", "RG1"]), 0, "it is in RG1 already");
    let cut = route(&["RG1", "RG5", "--down", "RG2-RG4"]);
    assert_ends(&cut, 0, "closed behind it: RG2-RG4 DOWN");
    let cuts = [&cut[..], &["--down", "RG3-RG4"]].concat();
    assert_ends(&cuts, 1, "every way to RG5 is down: the mail waits in RG1");
    let json = bridgehead(&[&cuts[..], &["--json"]].concat());
    let shown: serde_json::Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert!(shown["cost"].is_null() && json.status.code() == Some(1), "{shown}");
    let closed = serde_json::json!({"no_way_on": [{"connector": "RG3-RG4", "barrier": null}]});
    assert_eq!(shown["candidates"][1]["verdict"], closed, "{shown}");
    assert_ends(&route(&["RG1", "anna@example.test", "--json"]), 0, "\"format\":1");
    assert_ends(&route(&["RG1", "RG9"]), 2, "`RG9` is no group");
    assert_ends(&route(&["RG1", "nobody@example.test"]), 2, "no account");
    assert_ends(&route(&["RG1", "RG5", "--down", "RG1-RG9"]), 2, "no connector `RG1-RG9`");
    assert_ends(&route(&["RG1", "RG5", "--priority", "urgent"]), 2, "low, normal or high");
    assert_ends(&route(&["RG1", "RG5", "--sender", "ann"]), 2, "an address or `<>`");
    assert_ends(&["route", "RG1", "RG5", "--dir", "/nowhere"], 2, "/nowhere");
}

/// Mail for an address outside goes to an exit; every exit is named with what became of it.
#[test]
fn a_route_to_an_address_outside_is_explained_with_every_exit() {
    let directory = tempfile::tempdir().expect("a directory");
    let example = fs::read_to_string(EXAMPLE).expect("the example");
    let exit = |name: &str, space: &str, member: &str, more: &str| {
        format!(
            "[[group.exit]]\nname = \"{name}\"\nspaces = [\"{space}\"]\ncost = 1\n\
             sources = [\"{member}\"]\nsmart_host = \"out.example.net:25\"\n{more}\n"
        )
    };
    let behind = |example: String, master: &str, exits: &str| {
        let master = format!("master = \"{master}\"\n");
        example.replacen(&master, &format!("{master}\n{exits}\n"), 1)
    };
    let small = "size_limit_octets = 10";
    let five = [
        exit("partner", "*.partner.example", "rg5-a", ""),
        exit("small", "x.partner.example", "rg5-b", small),
    ]
    .concat();
    let one = [exit("world", "*", "rg1-b", ""), exit("other", "y.example", "rg1-b", "")].concat();
    let file = behind(behind(example, "rg5-b", &five), "rg1-b", &one);
    let own = exit("own", "*.partner.example", "rg3-a", "scope = \"group\"");
    let file = behind(file, "rg3-b", &own);
    let organization = directory.path().join("organization.toml");
    fs::write(&organization, file).expect("a file");
    let organization = organization.to_string_lossy();
    let route = |status: i32, more: &[&str]| {
        let output = bridgehead(
            &[&["route", "--organization", &organization, "--size", "11"], more].concat(),
        );
        let told = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{told}");
        // Words alone: the columns are as wide as they have to be.
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let told = route(0, &["RG1", "ann@x.partner.example"]);
    for expected in [
        "RG1 to x.partner.example: out by partner of RG5, cost 31",
        "partner RG5 below 1 31 3 chosen",
        "small RG5 exact 1 31 3 too large, at most 10 octets",
        "own RG3 below 1 21 1 for RG3 alone",
        "world RG1 * 1 1 0 less specific",
        "other RG1 - 1 1 0 for other domains",
        "RG1 to RG5: RG1-RG2 (10), RG2-RG4 (10), RG4-RG5 (10), cost 30",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(route(0, &["RG3", "ann@x.partner.example"]).contains("out by own of RG3, cost 1 "));
    let told = route(0, &["RG1", "ann@else.example", "--json"]);
    assert!(told.contains("\"format\":1") && told.contains("\"verdict\":\"chosen\""), "{told}");
    let told = route(1, &["RG1", "ann@x.partner.example", "--down", "RG4-RG5"]);
    let waits = "every way to the exits for x.partner.example is down: the mail waits in RG1";
    assert!(told.contains(waits) && told.contains("every way to RG5 is closed"), "{told}");
    assert_ends(&["route", "--organization", EXAMPLE, "RG1", "ann@else.example"], 1, "550 5.7.1");
}

/// What restricts a connector closes it for the message of a file, and for no other.
#[test]
fn a_route_depends_on_the_message() {
    let directory = tempfile::tempdir().expect("a directory");
    let example = fs::read_to_string(EXAMPLE).expect("the example");
    let restricted = example.replacen(
        "name = \"RG1-RG2\"",
        "name = \"RG1-RG2\"\nsize_limit_octets = 1000\npriorities = [\"normal\", \"high\"]\n\
         senders_denied = [\"example.net\"]",
        1,
    );
    assert_ne!(example, restricted);
    let organization = directory.path().join("organization.toml");
    fs::write(&organization, restricted).expect("a file");
    let message = directory.path().join("message.eml");
    let route = |more: &[&str]| {
        let organization = organization.to_string_lossy();
        let output =
            bridgehead(&[&["route", "RG1", "RG5", "--organization", &organization], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(route(&["--size", "1000"]).contains("cost 30"));
    assert!(route(&["--size", "1001"]).contains("too large, at most 1000 octets"));
    assert!(route(&["--priority", "low"]).contains("not for this priority"));
    assert!(route(&["--sender", "ann@example.net"]).contains("not for this sender"));
    let write =
        |header: &str| fs::write(&message, format!("{header}\r\n\r\nhi\r\n")).expect("a file");
    let file = message.to_string_lossy();
    write("From: Ann <ann@example.org>");
    assert!(route(&["--message", &file]).contains("cost 30"));
    write("From: Ann <ann@example.net>");
    assert!(route(&["--message", &file]).contains("not for this sender"));
    assert!(route(&["--message", &file, "--sender", "<>"]).contains("cost 30"));
    write("From: Ann <ann@example.org>\r\nImportance: low");
    assert!(route(&["--message", &file]).contains("not for this priority"));
    write(&format!("From: ann@example.org\r\nX-Filler: {}", "x".repeat(1_000)));
    assert!(route(&["--message", &file]).contains("too large"));
    // LS-244: where there is no other way, what closes it is said at the end, too.
    let far =
        example.replacen("name = \"RG4-RG5\"", "name = \"RG4-RG5\"\nsize_limit_octets = 9", 1);
    fs::write(&organization, far).expect("a file");
    let path = organization.to_string_lossy();
    let closed =
        "every way to RG5 is closed to it: RG4-RG5 too large, at most 9 octets: the mail waits";
    assert_ends(&["route", "RG1", "RG5", "--organization", &path, "--size", "10"], 1, closed);
}

/// SV-101: a connector that has hours delays what is sent outside them, and the answer says until when.
#[test]
fn a_route_tells_of_hours() {
    let directory = tempfile::tempdir().expect("a directory");
    let example = fs::read_to_string(EXAMPLE).expect("the example");
    let organization = directory.path().join("organization.toml");
    let path = organization.to_string_lossy();
    let route = |hours: &str, more: &[&str]| {
        let name = "name = \"RG1-RG2\"";
        let changed = example.replacen(name, &format!("{name}\nschedule = [{hours}]"), 1);
        fs::write(&organization, changed).expect("a file");
        let output =
            bridgehead(&[&["route", "RG1", "RG5", "--organization", &path], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    // Two minutes of the week in which this test may fail to find the connector closed are excluded by the
    // other one: at most one of the two is open.
    let hours = ["00:00", "12:00"].map(|from| {
        format!(
            "{{ days = [\"mon\"], from = \"{from}\", to = \"{}\" }}",
            from.replace(":00", ":01")
        )
    });
    let told = hours.each_ref().map(|hours| route(hours, &[]));
    let waits = "waits for the schedule of RG1-RG2 until Mon, ";
    assert!(told.iter().any(|told| told.contains(waits)), "{told:?}");
    let told = hours.each_ref().map(|hours| route(hours, &["--json"]));
    assert!(told.iter().any(|told| told.contains("\"waits\":[{\"connector\":\"RG1-RG2\"")));
    let days = "[\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
    let always = format!("{{ days = {days}, from = \"00:00\", to = \"24:00\" }}");
    assert!(!route(&always, &[]).contains("waits"));
}

/// SV-101: a cluster may run on a time of its own, and its members say which; without that, the answer says
/// whose time it is.
#[test]
fn hours_are_those_of_the_member_that_is_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let name = "name = \"RG2-RG4\"";
    let minute = "schedule = [{ days = [\"mon\"], from = \"00:00\", to = \"00:01\" }]";
    let example = fs::read_to_string(EXAMPLE).expect("the example");
    let example = example.replacen(name, &format!("{name}\n{minute}"), 1);
    fs::write(path("organization.toml"), example).expect("a file");
    let nowhere = "127.0.0.1:1";
    let plan = serde_json::json!({
        "format": 1, "organization": "o", "relays": [],
        "members": [{"name": "rg2-a", "group": "RG2", "smtp": nowhere, "deliver": nowhere, "group_port": nowhere}],
    });
    fs::write(path("cluster.json"), plan.to_string()).expect("a file");
    fs::create_dir_all(path("rg2-a/state")).expect("a directory");
    let record = |group: &str, uuid: &str, connectors: &[serde_json::Value]| {
        let term = serde_json::json!({"counter": 1, "member": "rg2-b", "nonce": 7});
        serde_json::json!({
            "group": group, "uuid": uuid.repeat(32), "members": [], "connectors": connectors,
            "version": {"term": term, "major": 1, "minor": 0, "user": 0},
        })
    };
    let connector = serde_json::json!(
        {"name": "RG2-RG4", "to": "RG4", "cost": 10, "state": "UP", "sources": ["rg2-a"]}
    );
    let table =
        serde_json::json!({"records": [record("RG2", "2", &[connector]), record("RG4", "4", &[])]});
    // The first instant of 2026, a Thursday.
    let mut timed = table.clone();
    timed["time"] = serde_json::json!(1_767_225_600_000_000_u64);
    member(&path("rg2-a/state/admin.sock"), vec![timed, table]);
    let dir = directory.path().to_string_lossy();
    let asked = ["route", "RG2", "RG4", "--member", "rg2-a", "--dir", &dir];
    assert_ends(
        &asked,
        0,
        "waits for the schedule of RG2-RG4 until Mon, 5 Jan 2026 00:00:00 +0000\n",
    );
    // Unless this is the one minute in which the connector is open.
    let told = text(&bridgehead(&asked).stdout);
    assert!(!told.contains("waits") || told.contains(", by this machine's clock"), "{told}");
}
