//! One member as a daemon: real time, real signals.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Client, Daemon, bridgehead, letters, outside, write_configuration};
use serde_json::{Value, json};

pub(crate) const FOR_TESTS: &str = "members = \"address\"\nallow_development_ca = true";

fn start(directory: &Path) -> Daemon {
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap())
}

fn ask(socket: &Path, request: &Value) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    writeln!(stream, "{request}").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// A daemon that must not start: its exit code and what it said.
pub(crate) fn refused(file: &Path) -> (Option<i32>, String) {
    let mut child = bridgehead().arg("serve").arg(file).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

/// Whoever waits for the line that says that the member is ready would wait for ever.
#[test]
fn a_member_that_cannot_say_that_it_is_ready_does_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bridgehead().arg("serve").arg(file).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("bridgehead: standard output cannot be written: "), "{said}");
}

/// SV-051: whatever the socket is asked, it answers with one line, and a slip changes nothing.
#[test]
fn the_admin_socket_answers_every_request() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = start(directory.path());
    let socket = directory.path().join("state/admin.sock");
    let order = |which: Value| json!({"queue": {"action": "remove", "which": which}});
    for (fields, clue) in [
        (json!({"op": "order"}), "`order` takes `order` and nothing else"),
        (json!({"op": "status", "which": {}}), "`status` takes no such field"),
        (
            json!({"op": "queue", "order": order(json!({"all": true}))}),
            "`queue` takes no such field",
        ),
        (json!({"op": "queue", "which": {"colour": "red"}}), "unknown field `colour`"),
        (json!({"op": "order", "order": {"fly": {}}}), "unknown variant `fly`"),
        (
            json!({"op": "order", "order": order(json!({"state": "lost"}))}),
            "unknown variant `lost`",
        ),
    ] {
        let mut request = fields;
        request["format"] = json!(1);
        let answer = ask(&socket, &request);
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(clue)), "{answer}");
    }
    let long = |octets| json!({"format": 1, "op": "x".repeat(octets)}).to_string();
    for (octets, clue) in [(200_000, "unknown op `xxx"), (1 << 20, "may have 1048576 octets")] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        write!(stream, "{}\n{}\n", long(octets), json!({"format": 1, "op": "status"})).unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let refused = lines.next().unwrap();
        assert!(refused.contains(clue), "{octets}: {refused:.200}");
        assert!(lines.next().unwrap().contains("\"member\":\"rg1-a\""), "one answer for each line");
    }
    let ids: Vec<String> = (0..4_000).map(|id| format!("{id:016x}")).collect();
    let hold = json!({"queue": {"action": {"hold": {"reason": null}}, "which": {"ids": ids}}});
    let held = ask(&socket, &json!({"format": 1, "op": "order", "order": hold}));
    assert!(held["ok"].is_object(), "an order may name many messages: {held:.200}");
    let slip = ask(&socket, &json!({"format": 1, "op": "order", "order": order(json!({}))}));
    assert!(slip["ok"]["refused"][0]["text"].as_str().unwrap().starts_with("nothing is selected"));
    let nothing = order(json!({"all": true}));
    let nothing = ask(&socket, &json!({"format": 1, "op": "order", "order": nothing}));
    assert_eq!(nothing["ok"], json!({"done": [], "refused": []}));
    daemon.terminate();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// SV-018: nobody else reads the mail, or gives orders, however careless the start was.
#[test]
fn what_a_member_keeps_is_for_its_own_user() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    let state = directory.path().join("state");
    // An earlier version left a place that everybody can look into.
    std::fs::create_dir_all(state.join("spool")).unwrap();
    std::fs::set_permissions(state.join("spool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" serve \"$1\"", env!("CARGO_BIN_EXE_bridgehead")]);
    shell.arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut daemon = Daemon::ready(shell.spawn().unwrap());
    Client::connect(daemon.smtp).send(&"long\r\n".repeat(100_000));
    let mut open = vec![state];
    let (mut files, mut all) = (0, Vec::new());
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
            if metadata.is_dir() {
                open.push(path);
            } else {
                files += 1;
                all.push(path);
            }
        }
    }
    assert!(files >= 6, "spool, lock, reserve, log, letter and socket: {all:?}");
    assert!(all.iter().any(|path| path.ends_with("admin.sock")), "{all:?}");
    daemon.terminate();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// SV-080: an address that has its share of connections gets no more of them, until one of them ends.
#[test]
fn an_address_has_only_its_share_of_connections() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    let limits = "[limits.client]\nconnections = 2\nexempt = [\"127.0.0.2\"]\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + limits).unwrap();
    let mut child = bridgehead();
    let daemon =
        Daemon::ready(child.env("BRIDGEHEAD_LOG", "info").arg("serve").arg(file).spawn().unwrap());
    let first = Client::connect(daemon.smtp);
    let _second = Client::connect(daemon.smtp);
    let refusal = || {
        let mut line = String::new();
        let mut stream = BufReader::new(TcpStream::connect(daemon.smtp).unwrap());
        stream.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(refusal(), "421 4.7.0 Too many connections from your address\r\n");
    drop(first);
    let _third = outside::until(|| Client::try_connect(daemon.smtp), || "no room".into());
    let log = outside::kill(daemon);
    assert!(log.contains("too many connections port=\"smtp\" address=127.0.0.1"), "{log}");
}

#[test]
fn mail_is_taken_delivered_and_shown_and_the_daemon_stops_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = start(directory.path());
    let mut client = Client::connect(daemon.smtp);
    client.send("hello");
    let socket = directory.path().join("state/admin.sock");
    let status = ask(&socket, &json!({"format": 1, "op": "status"}));
    // MA-075
    let term = &status["ok"]["record"]["term"];
    assert_eq!((&term["counter"], &term["member"]), (&json!(1), &json!("rg1-a")), "{status}");
    assert_eq!(status["ok"]["member"], "rg1-a", "{status}");
    for op in ["queue", "linkstate", "accounts"] {
        assert!(ask(&socket, &json!({"format": 1, "op": op}))["ok"].is_object(), "{op}");
    }
    let unknown = ask(&socket, &json!({"format": 1, "op": "x5f1"}));
    assert!(unknown["error"].as_str().unwrap().contains("x5f1"), "{unknown}");
    assert!(ask(&socket, &json!({"format": 2, "op": "status"}))["error"].is_string());
    daemon.terminate();
    // What is open is told, and nobody new is let in.
    assert!(client.reply().starts_with("421 "));
    assert!(client.is_ended());
    drop(client);
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(daemon.smtp).is_err(), "the port is closed");
    assert!(!socket.exists(), "the admin socket is gone");
    let found = letters(directory.path());
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("hello"), "{}", found[0]);
}

#[test]
fn ports_in_use_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = write_configuration(directory.path(), &address, FOR_TESTS);
    let (code, said) = refused(&file);
    assert_eq!(code, Some(2));
    let expected = format!("cannot listen on {address} (smtp): another process listens there");
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn names_that_anybody_can_claim_are_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", "members = \"address\"");
    let (code, said) = refused(&file);
    assert_eq!(code, Some(2));
    assert!(said.contains("allow_development_ca"), "{said}");
}

#[test]
fn a_killed_daemon_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = start(directory.path());
    Client::connect(daemon.smtp).send("before");
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let mut daemon = start(directory.path());
    Client::connect(daemon.smtp).send("after");
    daemon.terminate();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    assert_eq!(letters(directory.path()).len(), 2, "both are delivered, each once");
}

#[test]
fn a_failed_write_stops_the_daemon_before_it_says_250() {
    const LIMIT_KIB: u32 = 512;
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    // No file may grow beyond the limit, and the signal that says so is ignored: writes fail.
    let script = format!("trap '' XFSZ; ulimit -f {LIMIT_KIB}; exec \"$0\" serve \"$1\"");
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_bridgehead")).arg(file);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut daemon = Daemon::ready(command.spawn().unwrap());
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    let text = "0123456789abcdef\r\n".repeat(1_000);
    let mut accepted = 0;
    // A message takes its own size at least, so the limit comes before the count is out.
    while let Some(reply) = client.try_send(&text) {
        assert!(reply.starts_with("250 "), "{reply}");
        accepted += 1;
        assert!(accepted < LIMIT_KIB, "the limit was never reached");
    }
    assert!(accepted > 0, "the daemon took mail before");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(1));
    let mut log = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("the store has failed"), "{log}");
}

/// RU-011, RU-014, RU-021, RU-033, RU-034: rules of both kinds in a real member. The account stores in a
/// folder, sends a copy and replies; the server refuses by the subject.
#[test]
fn rules_store_copy_reply_and_refuse() {
    const RULES: &str = r#"
        [[account]]
        address = "away@example.org"
        host = "rg1-a"
        [[account.rule]]
        name = "away"
        then = [
            { action = "add-header", field = "X-Seen", value = "by the rules" },
            { action = "store", folder = "Work/2026" },
            { action = "copy", to = ["bob@example.org"] },
            { action = "vacation", days = 3, text = "I am away.\nUntil Monday." },
        ]
    "#;
    const REFUSAL: &str = r#"
        [[policy.rule]]
        name = "no spam"
        when = [{ data = "subject", operation = "contains", value = "SPAM" }]
        then = [{ action = "reject", text = "no spam, please" }]
    "#;
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    for (name, more) in [("organization.toml", RULES), ("member.toml", REFUSAL)] {
        let path = directory.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap() + more;
        std::fs::write(path, text).unwrap();
    }
    let mut daemon = Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap());
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    for (subject, expected) in [("some spam", "550 5.7.1 no spam, please"), ("hello", "250 2.")] {
        client.ask("MAIL FROM:<bob@example.org>", "250");
        client.ask("RCPT TO:<away@example.org>", "250");
        client.ask("DATA", "354");
        let header = format!("To: away@example.org\r\nSubject: {subject}\r\nMessage-ID: <1@x>");
        client.ask(&format!("{header}\r\n\r\ntext\r\n."), expected);
    }
    let accounts = directory.path().join("state/accounts/example.org");
    let stored = || letters(&accounts.join("away/.Work.2026"));
    let bobs = || letters(&accounts.join("bob"));
    let is_complete = || (stored().len(), bobs().len()) == (1, 2);
    let looks = (0..1_500).find(|_| {
        std::thread::sleep(core::time::Duration::from_millis(20));
        is_complete()
    });
    assert!(looks.is_some(), "{:?} {:?}", stored(), bobs());
    daemon.terminate();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    assert!(stored()[0].contains("\r\nX-Seen: by the rules\r\nTo: away@"), "{}", stored()[0]);
    let copy = bobs().into_iter().find(|letter| letter.contains("X-Loop: away@example.org"));
    let copy = copy.expect("the copy is marked");
    assert!(copy.starts_with("Return-Path: <away@example.org>\r\n"), "{copy}");
    assert!(copy.ends_with("Subject: hello\r\nMessage-ID: <1@x>\r\n\r\ntext\r\n"), "{copy}");
    let reply = bobs().into_iter().find(|letter| letter.contains("Auto-Submitted: auto-replied"));
    let reply = reply.expect("the reply says what it is");
    for line in ["Return-Path: <>\r\n", "Subject: Auto: hello\r\n", "In-Reply-To: <1@x>\r\n"] {
        assert!(reply.contains(line), "{line}: {reply}");
    }
    assert!(reply.contains("I am away.") && reply.contains("Until Monday."), "{reply}");
}

/// A daemon that may not have more than so many files open.
fn start_with_files(directory: &Path, limit: &str) -> Daemon {
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    let mut shell = Command::new("sh");
    let script = format!("ulimit {limit}; exec \"$0\" serve \"$1\"");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_bridgehead")]).arg(file);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Daemon::ready(shell.spawn().unwrap())
}

/// SV-020: each of these bodies takes a second file, and there is none left for the last of them.
#[test]
fn without_a_file_left_a_body_is_refused_and_the_member_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = start_with_files(directory.path(), "-n 64");
    let line = "0123456789abcdef\r\n";
    let large = line.repeat(300_000 / line.len());
    let mut clients: Vec<Client> = (0..30).map(|_| Client::connect(daemon.smtp)).collect();
    for client in &mut clients {
        client.ask("EHLO client.example.net", "250");
        client.ask("MAIL FROM:<ann@example.net>", "250");
        client.ask("RCPT TO:<bob@example.org>", "250");
        client.ask("DATA", "354");
        client.say(&large);
    }
    // The first have their file before the last: the last are refused, and then there are files again.
    let replies: Vec<String> = clients.iter_mut().rev().map(|client| client.ask(".", "")).collect();
    let refused = replies.iter().filter(|reply| reply.starts_with("452 4.3.1 ")).count();
    let accepted = replies.iter().filter(|reply| reply.starts_with("250 2.")).count();
    assert!(refused > 0 && accepted > 0 && refused + accepted == 30, "{replies:?}");
    drop(clients);
    assert_eq!(daemon.child.try_wait().unwrap(), None, "the member goes on");
    Client::connect(daemon.smtp).send(&large);
    daemon.terminate();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// SV-020: a daemon takes as many files as it may have.
#[test]
fn a_daemon_raises_its_limit_of_open_files() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = start_with_files(directory.path(), "-S -n 64");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.child.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<&str> = files.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{files}");
}

/// SM-008: content that does not come is waited for only so long, and its client is told.
#[test]
fn a_client_inside_content_is_told_when_the_daemon_stops() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = start(directory.path());
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<ann@example.net>", "250");
    client.ask("RCPT TO:<bob@example.org>", "250");
    client.ask("DATA", "354");
    client.say("Subject: never\r\n");
    daemon.terminate();
    client.wait_longer();
    assert!(client.reply().starts_with("421 4.3.2 "), "it is told");
    assert!(client.is_ended());
    drop(client);
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// SV-073: a crowd that logs in at once waits its turn, and who is too many is told to try again.
#[test]
fn a_crowd_that_logs_in_is_not_all_checked_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_configuration(directory.path(), "127.0.0.1:0", FOR_TESTS);
    // A check of this takes a while, and the whole crowd takes no more than seconds.
    let password = "\npassword = \"$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$ulKcj6VJ78RNwnS/MJMzy87l8JYJKGxNMZ6yzgcex6M\"\n";
    let organization = directory.path().join("organization.toml");
    let accounts = std::fs::read_to_string(&organization).unwrap() + password;
    std::fs::write(&organization, accounts).unwrap();
    let listen = "[listen]\nsubmission = \"127.0.0.1:0\"\n";
    let text = std::fs::read_to_string(&file).unwrap().replacen("[listen]\n", listen, 1);
    std::fs::write(&file, text).unwrap();
    let mut child = bridgehead().arg("serve").arg(file).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let submission = ready.trim().rsplit_once("submission=").unwrap().1.parse().unwrap();
    let mut crowd: Vec<_> = (0..100)
        .map(|_| {
            let mut client = Client::connect(submission);
            client.ask("EHLO client.example.net", "250");
            client.wait_longer();
            client
        })
        .collect();
    for client in &mut crowd {
        client.say("AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwB3cm9uZw==\r\n");
    }
    let replies: Vec<_> = crowd.iter_mut().map(Client::reply).collect();
    let count = |code: &str| replies.iter().filter(|reply| reply.starts_with(code)).count();
    let (checked, sent_away) = (count("535 5.7.8"), count("454 4.7.0"));
    assert_eq!(checked + sent_away, 100, "{replies:?}");
    assert!(checked >= 66 && sent_away > 0, "{checked} checked, {sent_away} sent away");
    crowd[99].ask("AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwB3cm9uZw==", "535");
    child.kill().unwrap();
    child.wait().unwrap();
}
