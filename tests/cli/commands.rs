//! The commands: exit codes, errors with file and line, help with examples.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub(crate) const EXAMPLE: &str = "examples/five-groups.toml";

pub(crate) fn bridgehead(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bridgehead")).args(arguments).output().expect("it starts")
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The exit code, and a part of what is said on standard output (0) or standard error (all others).
pub(crate) fn assert_ends(arguments: &[&str], code: i32, clue: &str) {
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
        &["linkstate", "watch"],
        &["linkstate", "diff"],
        &["linkstate", "export"],
        &["linkstate", "picture"],
        &["linkstate", "decode"],
        &["trace", "picture"],
        &["route"],
        &["linkstate", "bury"],
        &["queue", "list"],
        &["queue", "show"],
        &["queue", "hold"],
        &["queue", "release"],
        &["queue", "retry"],
        &["queue", "bounce"],
        &["queue", "remove"],
        &["password"],
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
/// Four voters need three of them, as three need two: one failure each.
#[test]
fn the_check_tells_of_a_voter_that_bears_no_failure() {
    let elected = fs::read_to_string("examples/elected.toml").expect("the example");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("organization.toml");
    let three = "\"harbour-1\", \"harbour-2\", \"harbour-3\"]";
    assert_eq!(elected.matches(three).count(), 3, "members, voters and targets");
    fs::write(&file, elected.replace(three, &three.replace(']', ", \"harbour-4\"]"))).unwrap();
    let told = "  `Harbour`: 4 vote, and no more of them may fail than of 3";
    assert_ends(&["check", file.to_str().unwrap()], 0, told);
    let three = text(&bridgehead(&["check", "examples/elected.toml"]).stdout);
    assert!(!three.contains("may fail"), "{three}");
}

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
    assert_ends(&["linkstate", "bury", "RG3", "--dir", &dir], 2, "name one member");
    for command in [
        &["queue", "list"][..],
        &["member", "forget", "rg1-a"],
        &["linkstate", "bury", "RG3", "--reason", "sold off"],
    ] {
        let command = [command, &["--socket", &socket]].concat();
        let said = text(&bridgehead(&command).stderr);
        assert_ends(&command, 1, "no.sock");
        assert_eq!(said.matches("no.sock").count(), 1, "the path stands once: {said}");
        assert!(!said.contains("nothing fits"), "nobody was asked: {said}");
    }
}

/// `bridgehead check` on one of two files: an organization of one member, and the member.
fn checked(directory: &Path, account: &str, listen: &str, security: &str) -> [(i32, String); 2] {
    let organization = format!(
        "format = 1\nrevision = 1\nname = \"Test\"\ndomains = [\"example.org\"]\n[[group]]\nname = \"G\"\n\
         uuid = \"{:032x}\"\nmembers = [\"a\"]\nmaster = \"a\"\n[[account]]\naddress = \"bob@example.org\"\n\
         host = \"a\"\n{account}\n",
        1
    );
    let member = format!(
        "format = 1\nmember = \"a\"\norganization = \"organization.toml\"\ndirectory = \"state\"\n[listen]\n\
         smtp = \"127.0.0.1:25\"\ndeliver = \"127.0.0.1:24\"\ngroup = \"127.0.0.1:691\"\n{listen}\n\
         [security]\nallow_development_ca = true\n{security}\n"
    );
    [("organization.toml", organization), ("member.toml", member)].map(|(name, text)| {
        let path = directory.join(name);
        fs::write(&path, text).expect("a file");
        let output =
            Command::new(env!("CARGO_BIN_EXE_bridgehead")).arg("check").arg(&path).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().expect("a code"), said)
    })
}

const IN_CLEAR: &str = "members = \"address\"";
const TLS: &str =
    "members = \"tls\"\nca = \"ca.pem\"\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"";

/// SV-070: what is no hash is refused with its line, and not repeated: it may be the password itself.
#[test]
fn a_password_that_is_no_hash_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let salt = "c2FsdHNhbHRzYWx0c2FsdA";
    for (password, clue) in [
        ("open sesame", "is no PHC string, expected the line that `bridgehead password` prints"),
        (
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2VzYW1lc2VzYW1l",
            "is no hash by Argon2id",
        ),
        (&format!("$argon2id$v=19$m=8,t=1,p=1${salt}"), "has no salt or no hash"),
        (
            &format!("$argon2id$v=19$m=999999,t=1,p=1${salt}${salt}"),
            "m=999999, expected at most 262144",
        ),
    ] {
        let account = format!("password = '{password}'");
        let [(code, said), _] = checked(directory.path(), &account, "", IN_CLEAR);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("organization.toml:13: account[0].password: "), "{said}");
        assert!(said.contains(clue) && !said.contains(password), "{said}");
    }
}

/// SV-071, SV-072: what the submission ports need, and what they cannot have.
#[test]
fn the_submission_ports_are_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    let ca = bridgehead::server::identity::DevelopmentCa::create().expect("an authority");
    ca.issue(&"a".into()).expect("a certificate").write(directory.path()).expect("files");
    let other = ca.issue(&"mail.example.org".into()).expect("a certificate");
    fs::write(directory.path().join("other.pem"), &other.certificate_pem).expect("a file");
    fs::write(directory.path().join("other.key"), &other.key_pem).expect("a file");
    let pair = "client_certificate = \"other.pem\"\nclient_key = \"other.key\"";
    let with = |more: &str| format!("{TLS}\n{more}");
    let both = "submission = \"127.0.0.1:587\"\nsubmissions = \"127.0.0.1:465\"";
    for (listen, security, clue) in [
        (both, with(pair), ""),
        ("submission = \"127.0.0.1:587\"", IN_CLEAR.to_owned(), ""),
        (both, IN_CLEAR.to_owned(), "listen.submissions: needs TLS"),
        (
            "submission = \"127.0.0.1:25\"",
            TLS.to_owned(),
            "listen.submission: 127.0.0.1:25 is taken by `smtp`",
        ),
        ("submissions = \"here\"", TLS.to_owned(), "expected IP:PORT"),
        (both, format!("{IN_CLEAR}\n{pair}"), "security.client_key: is given"),
        (both, with("client_key = \"other.key\""), "expected `client_certificate` besides"),
        (both, with("client_certificate = \"other.pem\""), "expected `client_key` besides"),
        (both, with(&pair.replace("other.key", "key.pem")), "security.client_key: "),
        (both, with(&pair.replace("other.pem", "none.pem")), "security.client_certificate: "),
        (both, with(&pair.replace("other.pem", "other.key")), "holds no certificate"),
        (
            both,
            format!("{}\n[policy]\nrelay_networks = [\"192.0.2.1/24\"]", with("")),
            "expected zeros behind its bits",
        ),
    ] {
        let [_, (code, said)] = checked(directory.path(), "", listen, &security);
        assert_eq!(code, if clue.is_empty() { 0 } else { 2 }, "{listen}\n{security}: {said}");
        assert!(said.contains(clue), "{listen}\n{security}: {said}");
    }
}

/// SV-074: one line of standard input, and nothing that nobody could log in by.
#[test]
fn a_password_is_read_from_standard_input() {
    let asked = |input: &[u8]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
        command.arg("password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // It may have ended before it has read everything.
        let _ = child.stdin.take().expect("it is piped").write_all(input);
        let output = child.wait_with_output().expect("it ends");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, line, _) = asked(b"open sesame\r\nignored\n");
    assert_eq!((code, line.lines().count()), (Some(0), 1), "{line}");
    assert_ne!(line, asked(b"open sesame").1, "each has a salt of its own");
    let directory = tempfile::tempdir().expect("a directory");
    let [(code, said), _] = checked(directory.path(), &line, "", IN_CLEAR);
    assert_eq!(code, 0, "an account takes it: {said}");
    let long = [b'x'; 300];
    let inputs: [(&[u8], _); 4] = [
        (b"\n", "empty"),
        (b"a\0b\n", "control character"),
        (&long, "255 octets"),
        (b"", "cannot be read"),
    ];
    for (input, clue) in inputs {
        let (code, line, said) = asked(input);
        assert!(matches!(code, Some(1 | 2)) && line.is_empty(), "{clue}: {code:?} {line}");
        assert!(said.contains(clue), "{clue}: {said}");
    }
}

/// SV-094: whoever interrupts the question gets the terminal back as it was.
#[test]
fn an_interrupted_password_leaves_the_terminal_its_echo() {
    const TERMINAL: &str = r#"
import os, pty, signal, sys, termios
def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
def until(terminal, text):
    seen = b""
    while text not in seen:
        seen += os.read(terminal, 1024)
for way in ["key", "signal"]:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(ours)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(ours)
        # The first terminal that a session opens is its own.
        os.close(os.open(os.ttyname(theirs), os.O_RDWR))
        for place in (0, 1, 2):
            os.dup2(theirs, place)
        os.execv(sys.argv[1], [sys.argv[1], "password"])
    until(ours, b"Password: ")
    assert not echoes(ours), "it is not hidden"
    if way == "key":
        os.write(ours, b"half a passw\x03")
    else:
        os.kill(child, signal.SIGTERM)
    until(ours, b"the password cannot be read: ")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 1, status
    assert termios.tcgetattr(ours) == before, "the terminal is another one"
"#;
    let mut python = Command::new("python3");
    let output = python.args(["-c", TERMINAL, env!("CARGO_BIN_EXE_bridgehead")]).output();
    let output = output.expect("python3 is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
