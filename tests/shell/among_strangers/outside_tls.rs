//! Mail to a server outside, which is a member of another organization, under each policy.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use bridgehead::server::identity::DevelopmentCa;

use super::configured;
use crate::support::outside::{kill, send_outside, until};
use crate::support::{Daemon, ORGANIZATION, bridgehead, letters, write_configuration};

/// Nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The organization that is outside for the other one. Its only member has a certificate for `localhost`.
struct Other {
    directory: tempfile::TempDir,
    daemon: Daemon,
}

impl Other {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let credentials = DevelopmentCa::create().unwrap().issue(&"localhost".into()).unwrap();
        credentials.write(directory.path()).unwrap();
        let security = "members = \"tls\"\nca = \"ca.pem\"\ncertificate = \"certificate.pem\"\n\
                        key = \"key.pem\"\nallow_development_ca = true";
        let file = write_configuration(directory.path(), "127.0.0.1:0", security);
        let organization = ORGANIZATION
            .replace("rg1-a", "localhost")
            .replace("bob@example.org", "eve@example.net")
            .replace("example.org", "example.net");
        fs::write(directory.path().join("organization.toml"), organization).unwrap();
        let member = fs::read_to_string(&file).unwrap().replace("\"rg1-a\"", "\"localhost\"");
        fs::write(&file, member).unwrap();
        let daemon = Daemon::ready(bridgehead().arg("serve").arg(file).spawn().unwrap());
        Self { directory, daemon }
    }

    fn letters(&self) -> Vec<String> {
        letters(&self.directory.path().join("state"))
    }

    fn port(&self) -> u16 {
        self.daemon.smtp.port()
    }
}

/// A member whose mail for others goes to `server`.
fn member(directory: &Path, server: &str, sections: &str) -> Daemon {
    let listed = "[policy]\nrelay_networks = [\"127.0.0.0/8\"]\n";
    let sections = if sections.contains("[policy]\n") {
        sections.replace("[policy]\n", listed)
    } else {
        format!("{listed}{sections}")
    };
    let file = configured(directory, &sections);
    let domains = "domains = [\"example.org\"]";
    let organization =
        ORGANIZATION.replace(domains, &format!("{domains}\nsmart_host = \"{server}\""));
    fs::write(directory.join("organization.toml"), organization).unwrap();
    let mut command = bridgehead();
    command.env("BRIDGEHEAD_LOG", "info").arg("serve").arg(file);
    Daemon::ready(command.spawn().unwrap())
}

/// SM-125, SM-126, SM-128, SM-129: what each policy makes of a server with a certificate for `localhost`.
#[test]
fn mail_leaves_as_the_policy_says() {
    let other = Other::start();
    let ca = other.directory.path().join("ca.pem");
    let verified = format!("[[outside]]\ntls = \"verified\"\nca = \"{}\"\n", ca.display());
    let by_name = format!("localhost:{}", other.port());
    let by_number = format!("127.0.0.1:{}", other.port());
    let others = "[[outside]]\ndomain = \"example.net\"\ntls = \"none\"\n";
    for (server, sections, with) in [
        (&by_number, others, "ESMTPS"),
        (&by_number, "[[outside]]\ntls = \"required\"\n", "ESMTPS"),
        (&by_number, "[[outside]]\ntls = \"none\"\n", "ESMTP"),
        (&by_name, &verified, "ESMTPS"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let daemon = member(directory.path(), server, sections);
        let before = other.letters();
        assert!(send_outside(&daemon, "Subject: test\r\n\r\nhello\r\n").starts_with("250"));
        let letter = until(
            || other.letters().into_iter().find(|letter| !before.contains(letter)),
            || format!("{server} {sections}"),
        );
        assert!(letter.contains(&format!("with {with} id")), "{sections}: {letter}");
        let log = kill(daemon);
        let told = format!("\\\"secured\\\":{}", with == "ESMTPS");
        assert!(log.contains(&told) || log.contains(&told.replace('\\', "")), "{told}: {log}");
    }
    let before = other.letters().len();
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = member(directory.path(), &by_number, &verified);
    let (told, log) = channel();
    let stderr = BufReader::new(daemon.child.stderr.take().unwrap());
    thread::spawn(move || {
        stderr.lines().map_while(Result::ok).try_for_each(|line| told.send(line))
    });
    assert!(send_outside(&daemon, "Subject: test\r\n\r\nhello\r\n").starts_with("250"));
    let failed = wait_for(&log, |line| line.contains("TLS has failed")).pop().unwrap();
    assert!(failed.contains("certificate"), "{failed}");
    wait_for(&log, |line| line.contains("resting"));
    // CU-091: whoever looks at the queue need not look for the reason in the log.
    let mut list = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
    list.args(["queue", "list", "--socket"]).arg(directory.path().join("state/admin.sock"));
    let shown = String::from_utf8(list.output().unwrap().stdout).unwrap();
    assert!(shown.contains("retry") && shown.contains("TLS has failed: "), "{shown}");
    assert_eq!(other.letters().len(), before, "the certificate is for another name");
}

/// A server that offers STARTTLS and cannot do it; takes mail in clear.
fn broken(told: std::sync::mpsc::Sender<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines =
                BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let mut said = vec!["220 broken".to_owned()];
            loop {
                if stream.write_all((said.join("\r\n") + "\r\n").as_bytes()).is_err() {
                    break;
                }
                let Some(line) = lines.next() else { break };
                let verb: String = line.chars().take(4).collect();
                let _ = told.send(line);
                said = match verb.as_str() {
                    "EHLO" => vec!["250-broken".into(), "250 STARTTLS".into()],
                    // What stands behind the 220 is no handshake, and no reply either.
                    "STAR" => vec!["220 go on".into(), "250-broken".into(), "250 SIZE".into()],
                    "DATA" => vec!["354 go on".into()],
                    _ if verb.starts_with('.') => vec!["250 taken".into()],
                    "MAIL" | "RCPT" | "RSET" | "QUIT" => vec!["250 ok".into()],
                    _ => continue,
                };
            }
        }
    });
    address
}

/// The lines up to the first one that is it.
fn wait_for(lines: &Receiver<String>, is_it: impl Fn(&str) -> bool) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let line =
            lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not come: {said:?}"));
        let is_last = is_it(&line);
        said.push(line);
        if is_last {
            return said;
        }
    }
}

/// What was said up to this verb.
fn said_to(lines: &Receiver<String>, verb: &str) -> Vec<String> {
    wait_for(lines, |line| line.starts_with(verb))
}

/// SM-127: where the handshake fails, the next connection does without TLS, and the one after it tries it
/// again; a strict policy never does without.
#[test]
fn a_failed_handshake_leads_to_clear_text_later() {
    let quick = "[policy]\nfirst_retries_minutes = [1, 1]\nretry_interval_minutes = 1\n[clock]\nscale = 20.0\n";
    let (told, lines) = channel();
    let server = broken(told).to_string();
    let directory = tempfile::tempdir().unwrap();
    let daemon = member(directory.path(), &server, quick);
    assert!(send_outside(&daemon, "Subject: test\r\n\r\nhello\r\n").starts_with("250"));
    let said = said_to(&lines, ".");
    let tls = said.iter().position(|line| line == "STARTTLS").expect("it is tried first");
    assert!(said[..tls].iter().all(|line| line.starts_with("EHLO")), "{said:?}");
    let mail = said.iter().position(|line| line.starts_with("MAIL")).unwrap();
    assert_eq!(said[mail - 1], "EHLO rg1-a", "on a connection of its own: {said:?}");
    assert!(send_outside(&daemon, "Subject: test\r\n\r\nagain\r\n").starts_with("250"));
    let said = said_to(&lines, ".");
    assert!(said.iter().any(|line| line == "STARTTLS"), "tried again: {said:?}");
    drop(daemon);

    let (told, lines) = channel();
    let server = broken(told).to_string();
    let directory = tempfile::tempdir().unwrap();
    let strict = format!("[[outside]]\ntls = \"required\"\n{quick}");
    let daemon = member(directory.path(), &server, &strict);
    assert!(send_outside(&daemon, "Subject: test\r\n\r\nhello\r\n").starts_with("250"));
    for _ in 0..3 {
        let said = said_to(&lines, "STARTTLS");
        assert!(said.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{said:?}");
    }
}
