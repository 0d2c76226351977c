//! Looking at link state: tables, pictures, traces and captured packets, without a cluster.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const EXAMPLE: &str = "examples/five-groups.toml";
const PRINTED: &str = "tests/data/orginfo-as-printed.txt";

fn bridgehead(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bridgehead")).args(arguments).output().expect("it starts")
}

/// What a command prints; it has to end with this code.
fn ends(arguments: &[&str], code: i32) -> String {
    let output = bridgehead(arguments);
    let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    said
}

/// The picture of the specification is the one that this command draws.
#[test]
fn the_picture_that_is_shown_is_the_one_that_is_drawn() {
    let arguments =
        ["--organization", EXAMPLE, "--down", "RG2-RG4", "--from", "RG1", "--to", "RG5"];
    let drawn = ends(&[&["linkstate", "picture"], &arguments[..]].concat(), 0);
    let shown = fs::read_to_string("spec/five-groups.svg").expect("it is there");
    assert!(drawn == shown, "draw it again: bridgehead linkstate picture {}", arguments.join(" "));
}

#[test]
fn a_picture_of_nothing_that_there_is_is_refused() {
    let picture = |more: &[&str], code| {
        ends(&[&["linkstate", "picture", "--organization", EXAMPLE], more].concat(), code)
    };
    assert!(picture(&["--down", "RG1-RG5"], 2).contains("there is no connector `RG1-RG5`"));
    assert!(picture(&["--from", "RG1", "--to", "RG9"], 2).contains("there is no group `RG9`"));
    assert!(picture(&["--from", "RG1", "--to", "RG1"], 2).contains("needs no connector"));
    assert!(picture(&["--from", "RG1"], 2).contains("--to"));
    assert!(picture(&["-o", "/no/such/place"], 1).contains("/no/such/place"));
}

/// The answer of a member whose table has one record.
fn table(minor: u32, state: &str) -> Value {
    let term = json!({"counter": 1, "member": "rg2-b", "nonce": 7});
    let connector =
        json!({"name": "RG2-RG4", "to": "RG4", "cost": 10, "state": state, "sources": ["rg2-a"]});
    let row = json!({"group": "RG2", "version": format!("1.1.{minor}.0"), "digest": "00c0ffee", "connector": connector});
    json!({
        "member": "rg2-a", "digest": format!("{minor:08x}"), "rows": [row],
        "records": [{
            "group": "RG2", "uuid": "8a3e71c46d0f4b2e8c95f7a1d3b62202",
            "version": {"term": term, "major": 1, "minor": minor, "user": 0},
            "members": [["rg2-a", true]], "connectors": [connector],
        }],
    })
}

/// A member that gives these answers, one after the other, and the last one for ever.
pub(crate) fn member(socket: &Path, answers: Vec<Value>) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let mut line = String::new();
            let read = BufReader::new(&stream).read_line(&mut line);
            if read.is_err() || line.is_empty() {
                continue;
            }
            let answer = &answers[turn.min(answers.len() - 1)];
            let answer = json!({"format": 1, "ok": answer});
            // A command that has what it wants may be gone.
            let _ = stream.write_all(format!("{answer}\n").as_bytes());
        }
    });
}

#[test]
fn a_change_is_printed_when_it_is_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("admin.sock");
    member(&socket, vec![table(0, "UP"), table(0, "UP"), table(1, "DOWN")]);
    let socket = socket.to_string_lossy();
    let watch = ["linkstate", "watch", "--socket", &socket, "--interval", "0.05", "--count", "1"];
    let said = ends(&watch, 0);
    let words: Vec<&str> = said.lines().next().expect("a line").split_whitespace().collect();
    assert_eq!(words[2..], ["RG2", "1.1.1.0", "RG2-RG4", "UP", "->", "DOWN"], "{said}");
    assert_eq!(
        ends(&["linkstate", "watch", "--socket", "/no/such/socket"], 1),
        "bridgehead: nobody answers\n"
    );
    let hasty = ["linkstate", "watch", "--interval", "0"];
    assert!(ends(&hasty, 2).contains("expected 0.05 to 3600"));
}

#[test]
fn exports_can_be_compared() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    for (name, table) in [("one", table(0, "UP")), ("two", table(1, "DOWN"))] {
        let socket = directory.path().join(format!("{name}.sock"));
        member(&socket, vec![table]);
        let socket = socket.to_string_lossy();
        ends(&["linkstate", "export", "--socket", &socket, "-o", &path(name)], 0);
    }
    assert_eq!(
        ends(&["linkstate", "diff", &path("one"), &path("one")], 0),
        "equal: 1 record, table 00000000\n"
    );
    let said = ends(&["linkstate", "diff", &path("one"), &path("two"), "--json"], 1);
    let told: Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!(told["differences"][0]["newer"], "second");
    assert_eq!(told["differences"][0]["details"][0]["second"], "DOWN");
    assert!(
        ends(&["linkstate", "diff", &path("one"), "nobody"], 2).contains("`nobody` is no file")
    );
    assert!(
        ends(&["linkstate", "diff", &path("one"), EXAMPLE], 2)
            .contains("no JSON of `linkstate export`")
    );
    let socket = path("two.sock");
    let csv = ends(&["linkstate", "export", "--socket", &socket, "--format", "csv"], 0);
    assert!(csv.ends_with("\r\nRG2,1.1.1.0,00c0ffee,RG2-RG4,RG4,10,DOWN,,,,,\r\n"), "{csv}");
    let dot = ends(&["linkstate", "export", "--socket", &socket, "--format", "dot"], 0);
    assert!(dot.contains("\"RG2\" -> \"RG4\" [label=\"10 DOWN\""), "{dot}");
    let svg = ends(&["linkstate", "export", "--socket", &socket, "--format", "svg"], 0);
    assert!(svg.starts_with("<svg ") && svg.contains("connector down"), "{svg}");
}

#[test]
fn a_trace_becomes_a_picture() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let scenario = path("scenario.txt");
    fs::write(&scenario, "boot all\n----\n\nadvance 3s quiet\n----\n\n").expect("a file");
    let (trace, page, news) = (path("trace"), path("page.html"), path("news.svg"));
    let sim = ["sim", EXAMPLE, "--scenario", &scenario, "--trace", &trace, "--picture", &page];
    assert!(ends(&sim, 0).contains("everything went as it is written"));
    let drawn = fs::read_to_string(&page).expect("it is written");
    assert!(drawn.starts_with("<!doctype html>") && drawn.contains("NEWS"), "{drawn}");
    let part = [
        "--only",
        "linkstate",
        "--member",
        "rg1-a",
        "--member",
        "rg1-b",
        "--to",
        "2.5",
        "-o",
        &news,
    ];
    ends(&[&["trace", "picture", &trace], &part[..]].concat(), 0);
    let drawn = fs::read_to_string(&news).expect("it is written");
    assert!(drawn.starts_with("<svg ") && drawn.contains(">rg1-b<") && !drawn.contains(">rg2-a<"));
    assert!(ends(&["trace", "picture", &trace, "--member", "x"], 2).contains("no member `x`"));
    assert!(ends(&["trace", "picture", &trace, "--from", "soon"], 2).contains("`soon` is no time"));
    let said = ends(&["trace", "picture", EXAMPLE], 2);
    assert!(said.contains("there is no line of a trace"), "{said}");
    assert!(said.contains("BRIDGEHEAD_LOG=bridgehead::trace=trace"), "{said}");

    fs::write(&scenario, "boot all\n----\n\nexpect-queue rg1-a 1\n----\n\n").expect("a file");
    let said = ends(&["sim", EXAMPLE, "--scenario", &scenario], 1);
    assert!(said.contains("`expect-queue rg1-a 1`: there are 0"), "{said}");
}

/// WI-120: what Microsoft printed is explained, from a file and from a dump on standard input.
#[test]
fn wi_120_a_captured_packet_is_explained() {
    let said = ends(&["linkstate", "decode", PRINTED], 0);
    assert!(
        said.starts_with("frame at octet 0: historic, version (5), OrgInfo, 1 routing group"),
        "{said}"
    );
    assert!(said.contains("counts 1111 octets, has 1098"), "{said}");
    let octets = fs::read(PRINTED).expect("it is there");
    let dump: String = octets.iter().map(|octet| format!("{octet:02x} ")).collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bridgehead"))
        .args(["linkstate", "decode", "--hex", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("it is piped").write_all(dump.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), said);
}

#[test]
fn a_malformed_packet_is_told_with_its_octet() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("packet");
    let file = path.to_string_lossy().into_owned();
    let text = fs::read_to_string(PRINTED).expect("it is there").replace(".STATE.UP", ".STATE.SO");
    fs::write(&path, &text).expect("a file");
    let said = ends(&["linkstate", "decode", &file], 1);
    let octet = text.find("SO)").expect("it was put there");
    assert!(
        said.contains(&format!("frame at octet 0: octet {octet}: expected UP or DOWN")),
        "{said}"
    );
    let told: Value = {
        let output = bridgehead(&["linkstate", "decode", "--json", &file]);
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    };
    assert_eq!(told["messages"][0]["error"]["offset"], octet);
    fs::write(&path, "200 NEXT\nX-LINK2STATE NEXT CHUNK=x\n").expect("a file");
    assert!(ends(&["linkstate", "decode", &file], 1).contains("line 2: chunk before FIRST"));
    fs::write(&path, "").expect("a file");
    assert!(ends(&["linkstate", "decode", &file], 2).contains("there is nothing to explain"));
    // What is of no grammar is not headed by one.
    fs::write(&path, b"\x8f\x00\xff noise \x07 and more of it").expect("a file");
    let said = ends(&["linkstate", "decode", &file], 2);
    assert!(said.contains("no packet, neither a historic one nor one of ours"), "{said}");
    assert!(!said.contains("version (5)"), "{said}");
}

/// LS-001, LS-137: groups are told apart by UUID, and a name may stand twice.
#[test]
fn ls_137_a_diff_tells_groups_of_one_name_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let write = |name: &str, table: &Value| {
        fs::write(path(name), table.to_string()).expect("a file");
        path(name)
    };
    let mut living = table(0, "UP");
    living["format"] = json!(1);
    let mut other = living["records"][0].clone();
    other["uuid"] = json!("0".repeat(32));
    let mut both = living.clone();
    both["records"] = json!([other, living["records"][0]]);
    let (one, two) = (write("one", &living), write("two", &both));
    let group = format!("RG2 {}", "0".repeat(32));
    let said = ends(&["linkstate", "diff", &one, &two], 1);
    assert!(said.starts_with(&format!("{group}: only in {two}, 1.1.0.0")), "{said}");
    let mut only = living.clone();
    only["records"] = json!([other]);
    let said = ends(&["linkstate", "diff", &one, &write("only", &only)], 1);
    assert!(!said.contains("conflict") && said.lines().count() == 2, "{said}");

    // The records are the same, and one of the files says another digest.
    let mut edited = living.clone();
    edited["digest"] = json!("f".repeat(64));
    let edited = write("edited", &edited);
    let said = ends(&["linkstate", "diff", &one, &edited], 1);
    assert!(said.contains(&format!("{edited} is inconsistent")), "{said}");
    let said = ends(&["linkstate", "diff", &one, &edited, "--json"], 1);
    assert!(said.contains("\"equal\":false") && said.contains("\"problem\""), "{said}");
}

/// What `hexdump -C` has printed of the packet, and of one whose lines repeat, is what the octets are.
#[test]
fn a_dump_of_hexdump_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let decode = |name: &str, dump: &str| {
        let file = directory.path().join(name);
        fs::write(&file, dump).expect("a file");
        bridgehead(&["linkstate", "decode", "--hex", &file.to_string_lossy()])
    };
    let whole = decode("whole", include_str!("../data/orginfo-as-printed.hexdump"));
    assert_eq!(String::from_utf8_lossy(&whole.stdout), ends(&["linkstate", "decode", PRINTED], 0));
    let squeezed = include_str!("../data/repeated-lines.hexdump");
    assert!(squeezed.contains("\n*\n"), "{squeezed}");
    let file = directory.path().join("octets");
    fs::write(&file, format!("{{00000050}}MULTI {}", "a".repeat(74))).expect("a file");
    let plain = bridgehead(&["linkstate", "decode", &file.to_string_lossy()]);
    let repeated = decode("squeezed", squeezed);
    assert_eq!(String::from_utf8_lossy(&repeated.stdout), String::from_utf8_lossy(&plain.stdout));
    let said = |dump| String::from_utf8_lossy(&decode("wrong", dump).stderr).into_owned();
    assert!(said("*\n00000010\n").contains("`*`"));
    assert!(said("00000000  41 |A|\n*\n").contains("has no offset behind it"));
}

/// LS-103: which sources are not available, wherever the table is shown.
#[test]
fn ls_103_sources_that_are_not_available_are_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("admin.sock");
    let mut told = table(0, "UP");
    for place in ["/rows/0/connector", "/records/0/connectors/0"] {
        let connector = told.pointer_mut(place).expect("it is there");
        connector["sources"] = json!(["rg2-a", "rg2-b"]);
        connector["unavailable"] = json!(["rg2-b"]);
    }
    member(&socket, vec![told]);
    let socket = socket.to_string_lossy();
    let shown = ends(&["linkstate", "show", "--socket", &socket], 0);
    let line = shown.lines().find(|line| line.contains("RG2-RG4")).expect("a line");
    assert!(shown.contains("UNAVAILABLE") && line.ends_with("  rg2-b"), "{shown}");
    let export =
        |format| ends(&["linkstate", "export", "--socket", &socket, "--format", format], 0);
    assert!(export("csv").ends_with(",rg2-b\r\n"));
    assert!(export("dot").contains("[label=\"10 without rg2-b\""));
    assert!(export("svg").contains("without rg2-b"));
}

/// The refusal of a name that is as long as names may not be is printed as it is.
#[test]
fn a_cell_wider_than_the_formatter_pads_is_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("admin.sock");
    let name = "x".repeat(65_536);
    member(&socket, vec![json!({"done": [], "refused": [{"of": name, "text": "no record"}]})]);
    let said = ends(&["linkstate", "bury", &name, "--socket", &socket.to_string_lossy()], 1);
    assert!(said.contains("no record"), "{}", &said[said.len() - 200..]);
}

/// A member that is not there is a wrong argument of every command.
#[test]
fn an_unknown_member_is_a_wrong_argument() {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = json!({"format": 1, "organization": "o", "members": [], "relays": []});
    fs::write(directory.path().join("cluster.json"), plan.to_string()).expect("a file");
    let dir = directory.path().to_string_lossy();
    for command in [
        &["linkstate", "export"][..],
        &["linkstate", "picture"],
        &["linkstate", "show"],
        &["linkstate", "watch"],
        &["linkstate", "bury", "RG1"],
        &["route", "RG1", "RG2"],
        &["queue", "list"],
    ] {
        if command[0] == "route" {
            fs::copy(EXAMPLE, directory.path().join("organization.toml")).expect("a copy");
        }
        let said = ends(&[command, &["--dir", &dir, "--member", "nobody"]].concat(), 2);
        assert!(said.contains("no member `nobody`"), "{command:?}: {said}");
    }
}
