//! A daemon whose disk has changed a mail: it is set aside, shown, kept, and goes on when it is put right.

mod shell_support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use shell_support::{Client, Daemon, ORGANIZATION, bridgehead, write_configuration};

const PATIENCE: Duration = Duration::from_secs(20);
const FOR_TESTS: &str = "members = \"address\"\nallow_development_ca = true";

/// An outside server that takes mail and gives what came behind DATA, whole or cut off.
struct Outside {
    contents: Receiver<Vec<u8>>,
}

impl Outside {
    fn new(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("nobody else listens there");
        let (told, contents) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(content) = converse(stream) {
                    let _ = told.send(content);
                }
            }
        });
        Self { contents }
    }

    fn next(&self) -> Vec<u8> {
        self.contents.recv_timeout(PATIENCE).expect("a mail is relayed")
    }
}

/// One conversation; `None` where it does not come to DATA.
fn converse(stream: TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let say = |text: &str| (&stream).write_all(text.as_bytes()).ok();
    say("220 outside\r\n")?;
    let mut line = String::new();
    while !line.starts_with("DATA") {
        line.clear();
        reader.read_line(&mut line).ok().filter(|octets| *octets > 0)?;
        say(if line.starts_with("DATA") { "354 go on\r\n" } else { "250 ok\r\n" })?;
    }
    let mut content = Vec::new();
    while !content.ends_with(b"\r\n.\r\n") {
        let mut piece = [0; 16 * 1024];
        match reader.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(octets) => content.extend_from_slice(&piece[..octets]),
        }
    }
    say("250 taken\r\n221 bye\r\n");
    Some(content)
}

/// A member whose foreign mail goes to `smart_host`.
fn configure(directory: &Path, smart_host: SocketAddr) -> PathBuf {
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    let domains = "domains = [\"example.org\"]";
    let with_host = format!("{domains}\nsmart_host = \"{smart_host}\"");
    let organization = ORGANIZATION.replace(domains, &with_host);
    fs::write(directory.join("organization.toml"), organization).unwrap();
    file
}

fn start(file: &Path) -> Daemon {
    Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap())
}

/// What the daemon had told its log when it was killed.
fn kill(mut daemon: Daemon) -> String {
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let mut log = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

/// `bridgehead queue list`, as text and as JSON.
fn queue(directory: &Path) -> (String, Value) {
    let list = |options: &[&str]| {
        let socket = directory.join("state/admin.sock");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
        command.args(["queue", "list", "--socket"]).arg(socket).args(options);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    (list(&[]), serde_json::from_str(&list(&["--json"])).unwrap())
}

/// Waits until the queue shows `text`.
fn until_shown(directory: &Path, text: &str) -> Value {
    let begun = Instant::now();
    loop {
        let (shown, json) = queue(directory);
        if shown.contains(text) {
            return json;
        }
        assert!(begun.elapsed() < PATIENCE, "no `{text}` in:\n{shown}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Turns one octet near the end of the only stored body over: in its row, or in its file.
fn flip(state: &Path) {
    let bodies = fs::read_dir(state.join("spool/bodies")).unwrap();
    let file = bodies.flatten().map(|entry| entry.path()).next();
    let turn = |octets: &mut Vec<u8>| {
        let place = octets.len() - 9;
        octets[place] ^= 1;
    };
    if let Some(file) = file {
        let mut octets = fs::read(&file).unwrap();
        turn(&mut octets);
        return fs::write(&file, octets).unwrap();
    }
    let database = rusqlite::Connection::open(state.join("spool/spool.db")).unwrap();
    let select = "SELECT octets FROM bodies";
    let mut octets: Vec<u8> = database.query_row(select, [], |row| row.get(0)).unwrap();
    turn(&mut octets);
    database.execute("UPDATE bodies SET octets = ?1", [octets]).unwrap();
}

/// The content of an outside mail of so many lines.
fn lines(count: usize) -> String {
    "0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(count)
}

/// CU-043, CU-044, CU-045
fn a_changed_octet_is_noticed(text: &str) {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let smart_host = reserved.local_addr().unwrap();
    drop(reserved);
    let file = configure(directory.path(), smart_host);
    let daemon = start(&file);
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<bob@example.org>", "250");
    client.ask("RCPT TO:<eve@example.net>", "250");
    client.ask("DATA", "354");
    client.ask(&format!("Subject: precious\r\n\r\n{text}."), "250 2.");
    until_shown(directory.path(), "retry");
    kill(daemon);

    flip(&state);
    let outside = Outside::new(smart_host);
    let daemon = start(&file);
    let json = until_shown(directory.path(), "quarantined: body ");
    let cut_off = outside.next();
    assert!(!cut_off.ends_with(b"\r\n.\r\n"), "the outside server never has all of it");
    let members = json["members"].as_object().unwrap().values().next().unwrap();
    let message = &members["messages"][0];
    let problem = message["quarantine"].as_str().unwrap();
    assert!(problem.contains("expected") && problem.contains("found SHA-256"), "{problem}");
    let id = message["queue"].as_str().unwrap().to_owned();
    let log = kill(daemon);
    let told = log.lines().find(|line| line.contains("in quarantine")).expect("the log tells it");
    assert!(told.contains(&id) && told.contains(problem), "{told}");

    let daemon = start(&file);
    until_shown(directory.path(), "quarantined: body ");
    assert!(outside.contents.try_recv().is_err(), "nothing is tried any more");
    kill(daemon);

    flip(&state);
    let daemon = start(&file);
    let whole = String::from_utf8(outside.next()).unwrap();
    assert!(whole.ends_with(&format!("Subject: precious\r\n\r\n{text}.\r\n")), "it goes on");
    until_shown(directory.path(), "empty");
    kill(daemon);
}

#[test]
fn a_changed_octet_in_a_row_is_noticed() {
    a_changed_octet_is_noticed(&lines(3));
}

#[test]
fn a_changed_octet_in_a_file_is_noticed() {
    a_changed_octet_is_noticed(&lines(8_000));
}

/// SV-014, CU-043: a file that is gone is noticed before anybody asks for it.
#[test]
fn a_lost_file_is_noticed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let smart_host = reserved.local_addr().unwrap();
    drop(reserved);
    let file = configure(directory.path(), smart_host);
    let daemon = start(&file);
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<bob@example.org>", "250");
    client.ask("RCPT TO:<eve@example.net>", "250");
    client.ask("DATA", "354");
    client.ask(&format!("{}.", lines(8_000)), "250 2.");
    kill(daemon);
    let bodies = directory.path().join("state/spool/bodies");
    for body in fs::read_dir(bodies).unwrap().flatten() {
        fs::remove_file(body.path()).unwrap();
    }
    let daemon = start(&file);
    until_shown(directory.path(), "found nothing");
    kill(daemon);
}
