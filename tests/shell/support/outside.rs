//! A member whose foreign mail goes to an outside server of the test's own.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use bridgehead::cli::cluster::hold_free_port;

use super::{Client, Daemon, ORGANIZATION, bridgehead, write_configuration};

const FOR_TESTS: &str = "members = \"address\"\nallow_development_ca = true";
/// No mail takes this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often, and how many times, something is looked at that is going to change.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: u32 = 600;

/// An outside server that takes mail and gives what came behind DATA, whole or cut off.
pub(crate) struct Outside {
    contents: Receiver<Vec<u8>>,
}

impl Outside {
    /// Starts it.
    pub(crate) fn new(address: SocketAddr) -> Self {
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

    /// What came next behind DATA.
    pub(crate) fn next(&self) -> Vec<u8> {
        self.contents.recv_timeout(PATIENCE).expect("a mail is relayed")
    }

    /// Whether nothing has come since.
    pub(crate) fn is_idle(&self) -> bool {
        self.contents.try_recv().is_err()
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
            Ok(0) | Err(_) => return Some(content),
            Ok(octets) => content.extend_from_slice(&piece[..octets]),
        }
    }
    say("250 taken\r\n")?;
    let _ = reader.read_line(&mut line);
    say("221 bye\r\n");
    Some(content)
}

/// A member with an outside server that does not run yet.
pub(crate) fn configure(directory: &Path) -> (PathBuf, SocketAddr) {
    let smart_host = hold_free_port().unwrap().local_addr().unwrap();
    let file = write_configuration(directory, "127.0.0.1:0", FOR_TESTS);
    let listed = "\n[policy]\nrelay_networks = [\"127.0.0.0/8\"]\n";
    fs::write(&file, fs::read_to_string(&file).unwrap() + listed).unwrap();
    let domains = "domains = [\"example.org\"]";
    let with_host = format!("{domains}\nsmart_host = \"{smart_host}\"");
    let organization = ORGANIZATION.replace(domains, &with_host);
    fs::write(directory.join("organization.toml"), organization).unwrap();
    (file, smart_host)
}

/// Starts the member.
pub(crate) fn start(file: &Path) -> Daemon {
    Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap())
}

/// Kills it; gives what it had told its log.
pub(crate) fn kill(mut daemon: Daemon) -> String {
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let mut log = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

/// The reply to a mail for an outside recipient; `content` ends with a line end.
pub(crate) fn send_outside(daemon: &Daemon, content: &str) -> String {
    let mut client = Client::connect(daemon.smtp);
    client.ask("EHLO client.example.net", "250");
    client.ask("MAIL FROM:<bob@example.org>", "250");
    client.ask("RCPT TO:<eve@example.net>", "250");
    client.ask("DATA", "354");
    client.ask(&format!("{content}."), "")
}

/// Looks until there is something to see; `tells` says what was seen last.
pub(crate) fn until<T>(mut look: impl FnMut() -> Option<T>, tells: impl Fn() -> String) -> T {
    for _ in 0..LOOKS {
        if let Some(seen) = look() {
            return seen;
        }
        thread::sleep(LOOK_EVERY);
    }
    panic!("it does not come: {}", tells());
}
