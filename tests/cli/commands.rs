//! The commands: exit codes, errors with file and line, help with examples.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const EXAMPLE: &str = "examples/five-groups.toml";

fn bridgehead(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bridgehead")).args(arguments).output().expect("it starts")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The exit code, and a part of what is said on standard output (0) or standard error (all others).
fn assert_ends(arguments: &[&str], code: i32, clue: &str) {
    let output = bridgehead(arguments);
    let said = if code == 0 { text(&output.stdout) } else { text(&output.stderr) };
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.contains(clue), "{arguments:?} says `{clue}`: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn every_command_explains_itself() {
    for command in [
        &["serve"][..],
        &["check"],
        &["cluster"],
        &["cluster", "up"],
        &["cluster", "status"],
        &["cluster", "link", "cut"],
        &["cluster", "link", "heal"],
        &["linkstate", "show"],
        &["queue", "list"],
        &["queue", "show"],
        &["queue", "hold"],
        &["queue", "release"],
        &["queue", "retry"],
        &["queue", "bounce"],
        &["queue", "remove"],
        &["sim"],
        &["adapter"],
        &["completions"],
        &["man"],
    ] {
        assert_ends(&[command, &["--help"]].concat(), 0, "Usage: bridgehead");
    }
    assert_ends(&["--help"], 0, "Examples:\n  bridgehead check");
    assert_ends(&["cluster", "up", "--help"], 0, "Examples:");
    assert_ends(&["--version"], 0, "bridgehead ");
    assert_ends(&["man"], 0, ".TH bridgehead");
    assert_ends(&["completions", "bash"], 0, "_bridgehead()");
}

/// Every command that the help names has a page of its own, under its whole name.
#[test]
fn every_command_has_a_manual_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let pages = directory.path().join("man1");
    let output = bridgehead(&["man", "--dir", &pages.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let written: Vec<String> = fs::read_dir(&pages)
        .expect("it is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let mut open = vec![Vec::new()];
    let mut count = 0;
    while let Some(path) = open.pop() {
        let name = [&["bridgehead"], &path[..]].concat().join("-");
        let page = fs::read_to_string(pages.join(format!("{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}, of {written:?}"));
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        let shown = bridgehead(&[&["man"], &path[..]].concat());
        assert_eq!(text(&shown.stdout), page, "the same page on standard output");
        count += 1;
        if path != ["conformance"] {
            let help = text(&bridgehead(&[&path[..], &["--help"]].concat()).stdout);
            let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
            let listed = listed.split("\n\n").next().unwrap_or_default();
            let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
            let names = listed.lines().filter(is_name).filter_map(|l| l.split_whitespace().next());
            for command in names.filter(|name| *name != "help") {
                let command: &'static str = String::from(command).leak();
                open.push([&path[..], &[command]].concat());
            }
        }
    }
    assert_eq!(count, written.len(), "no page is of no command: {written:?}");
    assert!(count >= 17, "{written:?}");
    assert_ends(&["man", "cluster", "fly"], 2, "there is no command `fly`");
}

#[test]
fn wrong_arguments_end_with_two() {
    assert_ends(&[], 2, "Usage: bridgehead");
    assert_ends(&["fly"], 2, "unrecognized subcommand");
    assert_ends(&["check"], 2, "<FILE>");
    assert_ends(&["adapter", "--fault", "no-such-fault"], 2, "`no-such-fault`");
    assert_ends(&["cluster", "up", EXAMPLE, "--time-scale=-1"], 2, "--time-scale");
    assert_ends(&["cluster", "up", EXAMPLE, "--base-port", "65500"], 2, "no ports are left");
}

#[test]
fn orders_that_are_slips_end_with_two() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("no.sock").to_string_lossy().into_owned();
    let at = ["--socket", &socket];
    for (arguments, clue) in [
        (&["queue", "remove"][..], "name messages, a filter, or --all"),
        (&["queue", "release"], "name messages, a filter, or --all"),
        (&["queue", "show"], "name messages, or a filter"),
        (&["queue", "hold", "1"], "`1` is no queue id: expected 16 hexadecimal digits"),
        (&["queue", "hold", "rg9-a/000000000000002a"], "no member `rg9-a` is asked"),
        (&["queue", "list", "--older", "2w"], "expected a number and s, m, h or d, such as 15m"),
        (&["queue", "list", "--state", "lost"], "expected one of table, line, underway"),
        (&["queue", "list", "--origin", "x"], "expected MEMBER/INCARNATION/NUMBER"),
        (&["queue", "bounce", "--all", "--no-dsn", "--text", "x"], "cannot be used with"),
    ] {
        assert_ends(&[arguments, &at].concat(), 2, clue);
    }
    assert_ends(&["queue", "retry", "--all", "--socket", &socket], 1, "no.sock");
}

#[test]
fn a_good_file_is_good() {
    assert_ends(
        &["check", EXAMPLE],
        0,
        "good: organization `Five Groups`, 5 groups, 10 members, 10 connectors, 7 accounts",
    );
}

/// SU-050: who queues what is born at each member.
#[test]
fn the_check_shows_who_queues() {
    for line in [
        "good: organization `Frontends`, 1 group, 4 members, 0 connectors, 2 accounts",
        "  fe1: submit local-for-others, weight 1",
        "  fe2: submit local-for-others, weight 2",
        "  be1: submit remote",
    ] {
        assert_ends(&["check", "examples/frontends.toml"], 0, line);
    }
}

/// Another cluster that is only starting has no socket yet; what it has written is not touched.
#[test]
fn a_cluster_is_not_started_over_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let lock = fs::File::create(directory.path().join("cluster.lock")).expect("a lock");
    lock.lock().expect("nobody else has it");
    let up = ["cluster", "up", EXAMPLE, "--dir", &directory.path().to_string_lossy()];
    assert_ends(&up, 2, "a cluster runs here already");
    assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 1);
}

#[test]
fn a_tape_that_never_ends_is_refused() {
    assert_ends(&["sim", EXAMPLE, "--tape", "/dev/zero"], 2, "/dev/zero: it is no regular file");
}

#[test]
fn a_bad_file_ends_with_two_and_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("organization.toml");
    let bad = fs::read_to_string(EXAMPLE).expect("the example").replacen("= 10\n", "= 0\n", 1);
    let line = 1 + bad.lines().position(|line| line == "cost = 0").expect("it stands there");
    fs::write(&path, bad).expect("a file");
    let path = path.to_string_lossy();
    let clue = format!("{path}:{line}: connector[0].cost: is 0, expected 1 to 100");
    assert_ends(&["check", &path], 2, &clue);
    let home = directory.path().join("cluster");
    assert_ends(&["cluster", "up", &path, "--dir", &home.to_string_lossy()], 2, &clue);
    assert!(!home.exists(), "nothing is made for a bad file");
    assert_ends(&["serve", "no-such-file.toml"], 2, "no-such-file.toml: cannot be read");
    assert_ends(&["check", "no-such-file.toml"], 2, "no-such-file.toml: cannot be read");
}

/// What a command prints, and cannot: a reader that goes away is none of its business, anything else is
/// told, and is no success. It never panics.
#[test]
fn a_command_that_cannot_print_says_so() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("it exists");
    let closed = || std::io::pipe().expect("a pipe").1;
    let directory = tempfile::tempdir().expect("a directory");
    let failure = directory.path().join("tape").to_string_lossy().into_owned();
    for (code, arguments) in [
        (0, &["check", EXAMPLE][..]),
        (2, &["check", "nofile"]),
        (2, &["queue", "list", "--dir", "/nonexistent"]),
        (0, &["completions", "bash"]),
        (0, &["man"]),
        (0, &["man", "queue", "list"]),
        (0, &["--help"]),
        (2, &["fly"]),
        (0, &["sim", EXAMPLE, "--virtual-hours", "0.02", "--failure", &failure]),
        (0, &["conformance", "explain", "smtp.rset.01"]),
    ] {
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
            command.args(arguments);
            command
        };
        let unread = command().stdout(closed()).output().expect("it starts");
        assert_eq!(unread.status.code(), Some(code), "{arguments:?} into a closed pipe");
        assert!(!text(&unread.stderr).contains("standard output"), "{}", text(&unread.stderr));
        let mute = command().stdout(closed()).stderr(closed()).status().expect("it starts");
        assert_eq!(mute.code(), Some(code), "{arguments:?} with nobody there at all");
        let mute = command().stderr(full()).output().expect("it starts");
        assert_eq!(mute.status.code(), Some(code), "{arguments:?} with a full standard error");
        let lost = command().stdout(full()).output().expect("it starts");
        let said = text(&lost.stderr);
        assert_eq!(lost.status.code(), Some(if code == 0 { 74 } else { code }), "{said}");
        assert!(code != 0 || said.contains("standard output cannot be written: "), "{said}");
    }
}

/// Where a line of the answer is one of several problems, each says whose it is.
#[test]
fn every_error_says_whose_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("organization.toml");
    let bad = fs::read_to_string(EXAMPLE).expect("the example").replacen("= 10\n", "= 0\n", 2);
    fs::write(&path, bad).expect("a file");
    let said = text(&bridgehead(&["check", &path.to_string_lossy()]).stderr);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.lines().all(|line| line.starts_with("bridgehead: ")), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let directory = tempfile::tempdir().expect("a directory");
    let dir = directory.path().to_string_lossy();
    // The first port of the first member is the one after the base.
    let base = (port - 1).to_string();
    let arguments = ["cluster", "up", EXAMPLE, "--dir", &dir, "--base-port", &base];
    assert_ends(&arguments, 2, &format!("127.0.0.1:{port}: cannot listen: "));
}

#[test]
fn without_a_cluster_its_commands_say_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let dir = directory.path().to_string_lossy();
    for command in [&["cluster", "status"][..], &["linkstate", "show"], &["queue", "list"]] {
        assert_ends(
            &[command, &["--dir", &dir]].concat(),
            2,
            "has `bridgehead cluster up` run here?",
        );
    }
    assert_ends(&["cluster", "link", "cut", "RG1", "RG2", "--dir", &dir], 1, "control.sock");
    let socket = directory.path().join("no.sock");
    assert!(!Path::exists(&socket));
    let socket = socket.to_string_lossy();
    for command in [&["queue", "list"][..], &["member", "forget", "rg1-a"]] {
        let command = [command, &["--socket", &socket]].concat();
        let said = text(&bridgehead(&command).stderr);
        assert_ends(&command, 1, "no.sock");
        assert_eq!(said.matches("no.sock").count(), 1, "the path stands once: {said}");
        assert!(!said.contains("nothing fits"), "nobody was asked: {said}");
    }
}
