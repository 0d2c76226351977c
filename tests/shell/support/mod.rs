//! What the tests of the shell share: a raw SMTP client, and a daemon and an adapter in
//! processes of their own.

pub(crate) mod outside;

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The organization of these tests, as `organization.toml` has it.
pub(crate) const ORGANIZATION: &str = r#"
format = 1
revision = 1
name = "test"
domains = ["example.org"]

[[group]]
name = "RG1"
uuid = "0123456789abcdef0123456789abcdef"
members = ["rg1-a"]
master = "rg1-a"

[[account]]
address = "bob@example.org"
host = "rg1-a"
"#;

/// A client that speaks SMTP line by line.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects and takes the greeting.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the member listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream: BufReader::new(stream) };
        assert!(client.reply().starts_with("220 "), "a greeting");
        client
    }

    /// Connects and takes the greeting, if there is one.
    pub(crate) fn try_connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut client = Self { stream: BufReader::new(stream) };
        let mut greeting = String::new();
        client.stream.read_line(&mut greeting).ok()?;
        greeting.starts_with("220 ").then_some(client)
    }

    /// Our end.
    pub(crate) fn local(&self) -> String {
        self.stream.get_ref().local_addr().unwrap().to_string()
    }

    /// The next reply, all its lines.
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let octets = self.stream.read_line(&mut line).expect("a reply in time");
            assert!(octets > 0, "the connection ended after `{reply}`");
            reply.push_str(&line);
            if line.as_bytes().get(3) == Some(&b' ') {
                return reply;
            }
        }
    }

    /// What comes next may take as long as a member waits for its clients when it stops.
    pub(crate) fn wait_longer(&self) {
        self.stream.get_ref().set_read_timeout(Some(2 * PATIENCE)).unwrap();
    }

    /// Sends octets that nobody answers yet.
    pub(crate) fn say(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Sends one line and takes the reply, which has to begin with `expected`.
    pub(crate) fn ask(&mut self, line: &str, expected: &str) -> String {
        write!(self.stream.get_mut(), "{line}\r\n").unwrap();
        let reply = self.reply();
        assert!(reply.starts_with(expected), "`{line}`: expected {expected}, got `{reply}`");
        reply
    }

    /// Sends a message; gives the reply to its end.
    pub(crate) fn send(&mut self, text: &str) -> String {
        self.ask("EHLO client.example.net", "250");
        self.ask("MAIL FROM:<ann@example.net>", "250");
        self.ask("RCPT TO:<bob@example.org>", "250");
        self.ask("DATA", "354");
        self.ask(&format!("Subject: test\r\n\r\n{text}\r\n."), "250 2.")
    }

    /// Sends a message; gives the reply to its end, `None` when the connection ended before that.
    pub(crate) fn try_send(&mut self, text: &str) -> Option<String> {
        self.try_ask("MAIL FROM:<ann@example.net>")?;
        self.try_ask("RCPT TO:<bob@example.org>")?;
        self.try_ask("DATA")?;
        self.try_ask(&format!("{text}\r\n."))
    }

    pub(crate) fn try_ask(&mut self, text: &str) -> Option<String> {
        write!(self.stream.get_mut(), "{text}\r\n").ok()?;
        let mut reply = String::new();
        let octets = self.stream.read_line(&mut reply).ok()?;
        (octets > 0).then_some(reply)
    }

    /// Whether the far end has ended the connection in order.
    pub(crate) fn is_ended(&mut self) -> bool {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an end in time") == 0
    }
}

/// The published letters of bob.
pub(crate) fn letters(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.parent().is_some_and(|parent| parent.ends_with("new")) {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// `bridgehead`, with the logs of what it does kept off the test's output.
pub(crate) fn bridgehead() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridgehead"));
    command.stderr(Stdio::piped()).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("BRIDGEHEAD_LOG", "warn");
    command
}

/// A daemon that has said that it is ready.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) smtp: SocketAddr,
    pub(crate) deliver: SocketAddr,
}

impl Daemon {
    /// Waits until `child` says that it is ready.
    pub(crate) fn ready(mut child: Child) -> Self {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"ready"), "{line}");
        let smtp = words[1].strip_prefix("smtp=").expect("smtp first").parse().unwrap();
        let deliver = words[2].strip_prefix("deliver=").expect("deliver next").parse().unwrap();
        assert!(words[3].starts_with("group="), "{line}");
        Self { child, smtp, deliver }
    }

    /// Asks it to stop in order.
    pub(crate) fn terminate(&self) {
        let status =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Daemon {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An adapter in a process of its own.
pub(crate) struct Adapter {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    asked: u64,
}

impl Adapter {
    /// Starts one.
    pub(crate) fn new() -> Self {
        let mut child = bridgehead().arg("adapter").spawn().unwrap();
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, requests, answers, asked: 0 }
    }

    /// Asks; gives the whole answer.
    pub(crate) fn ask(&mut self, op: &str, mut body: Value) -> Value {
        self.asked += 1;
        body["id"] = json!(self.asked);
        body["op"] = json!(op);
        writeln!(self.requests, "{body}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("one JSON answer a line");
        assert_eq!(answer["id"], self.asked, "{answer}");
        answer
    }

    /// Says a line that may be no request at all; gives the answer.
    pub(crate) fn line(&mut self, line: &str) -> Value {
        writeln!(self.requests, "{line}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).expect("one JSON answer a line")
    }

    /// Asks for what must not be refused.
    pub(crate) fn ok(&mut self, op: &str, body: Value) -> Value {
        let mut answer = self.ask(op, body);
        assert_eq!(answer["err"], Value::Null, "{op}: {answer}");
        answer["ok"].take()
    }

    /// Asks for what must be refused; gives the slug and the text.
    pub(crate) fn refused(&mut self, op: &str, body: Value) -> (String, String) {
        let answer = self.ask(op, body);
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer["ok"], Value::Null, "{op}: {answer}");
        (text("err"), text("text"))
    }

    /// Configures and starts the only member of the test's organization; gives its SMTP address.
    pub(crate) fn start(&mut self, directory: &Path, listen: &str, now_us: u64) -> SocketAddr {
        self.ok("hello", json!({"proto": 1}));
        self.ok("configure", configure(directory, listen, now_us));
        let started = self.ok("start", json!({}));
        started["listen"]["smtp"].as_str().expect("an address").parse().unwrap()
    }

    /// Asks until the member says that it is idle.
    pub(crate) fn idle(&mut self) -> Value {
        let quiet = self.ok("quiesce", json!({}));
        assert_eq!(quiet["idle"], true, "{quiet}");
        quiet
    }

    /// Kills the process, as a crash would.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The request that configures the only member.
pub(crate) fn configure(directory: &Path, listen: &str, now_us: u64) -> Value {
    let organization: toml::Value = toml::from_str(ORGANIZATION).unwrap();
    json!({
        "member": "rg1-a", "organization": organization, "dir": directory, "now_us": now_us,
        "listen": {"smtp": listen, "deliver": "127.0.0.1:0", "group": "127.0.0.1:0"},
        "source": "127.0.0.1", "peers": [], "via": [], "security": "address",
    })
}

/// Writes `member.toml` and `organization.toml`; gives the path of the first.
pub(crate) fn write_configuration(directory: &Path, smtp: &str, security: &str) -> PathBuf {
    std::fs::write(directory.join("organization.toml"), ORGANIZATION).unwrap();
    let member = directory.join("member.toml");
    let text = format!(
        r#"
format = 1
member = "rg1-a"
organization = "organization.toml"
directory = "state"
[listen]
smtp = "{smtp}"
deliver = "127.0.0.1:0"
group = "127.0.0.1:0"
admin = "admin.sock"
[security]
{security}
"#
    );
    std::fs::write(&member, text).unwrap();
    member
}
