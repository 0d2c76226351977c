//! Three real members that can be killed and started again, and what lies in their Maildirs.

use core::net::SocketAddr;
use core::sync::atomic::AtomicU32;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use bridgehead::cli::cluster::Plan;
use bridgehead::server::configuration::load_organization;
use serde_json::Value;

pub(crate) mod client;

pub(crate) const MEMBERS: usize = 3;
/// One account at each member.
pub(crate) const ACCOUNTS: [&str; MEMBERS] =
    ["ann@example.org", "bob@example.org", "cid@example.org"];
/// How many seconds the members live through in one: retries and doubts wait a minute or more.
const TIME_SCALE: f64 = 60.0;

/// Mail from the front goes over a connector, inside the back group by DELIVER, and the master of the
/// back group reaches the front only by handing over to the bridgehead: every hop there is.
const ORGANIZATION: &str = r#"
format = 1
revision = 1
name = "three"
domains = ["example.org"]

[[group]]
name = "FRONT"
uuid = "0123456789abcdef0123456789abcdef"
members = ["front-a"]
master = "front-a"

[[group]]
name = "BACK"
uuid = "fedcba9876543210fedcba9876543210"
members = ["back-a", "back-b"]
master = "back-b"

[[connector]]
name = "FRONT-BACK"
from = "FRONT"
to = "BACK"
cost = 10
sources = ["front-a"]
targets = ["back-a"]

[[connector]]
name = "BACK-FRONT"
from = "BACK"
to = "FRONT"
cost = 10
sources = ["back-a"]
targets = ["front-a"]

[[account]]
address = "ann@example.org"
host = "front-a"

[[account]]
address = "bob@example.org"
host = "back-a"

[[account]]
address = "cid@example.org"
host = "back-b"
"#;

/// Who got what: how often each attempt lies in each account.
pub(crate) type Copies = BTreeMap<(String, usize), u32>;

pub(crate) struct Cluster {
    directory: PathBuf,
    plan: Plan,
    /// The processes, `None` while one is down.
    running: [Mutex<Option<Child>>; MEMBERS],
    /// How many clients wait for the 250 of each.
    pub(crate) waiting: [AtomicU32; MEMBERS],
    read: Mutex<(BTreeSet<PathBuf>, Copies)>,
}

impl Cluster {
    /// Writes the files of three members; none runs yet.
    pub(crate) fn prepare(directory: &Path) -> Self {
        let file = directory.join("three.toml");
        fs::write(&file, ORGANIZATION).expect("the directory is writable");
        let organization = load_organization(&file).expect("the organization is right");
        let mut plan = Plan::make(&organization, None).expect("ports are free");
        // The members reach each other directly.
        plan.relays.clear();
        plan.write(directory, &file, TIME_SCALE).expect("the files are written");
        for member in &plan.members {
            let path = member.file(directory);
            let text = fs::read_to_string(&path).expect("it was just written");
            let waits = |line: &str| match line.split_once(" = ") {
                Some((name @ "first_retries_minutes", _)) => format!("{name} = [1]\n"),
                Some((name @ "retry_interval_minutes", _)) => format!("{name} = 1\n"),
                _ => format!("{line}\n"),
            };
            fs::write(&path, text.lines().map(waits).collect::<String>()).expect("writable");
        }
        let running = core::array::from_fn(|_| Mutex::new(None));
        let (directory, waiting) = (directory.to_owned(), <[AtomicU32; MEMBERS]>::default());
        Self { directory, plan, running, waiting, read: Mutex::default() }
    }

    /// Starts a member that is down. It may be killed again before it is ready.
    pub(crate) fn start(&self, at: usize) {
        let member = &self.plan.members[at];
        let log = member.directory(&self.directory).join("log");
        let log = File::options().create(true).append(true).open(log).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_bridgehead"))
            .arg("serve")
            .arg(member.file(&self.directory))
            .env("BRIDGEHEAD_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        let before = self.running[at].lock().expect("no panic").replace(child);
        assert!(before.is_none(), "one process for each member");
    }

    /// Kills a member with SIGKILL. One that has ended by itself is a bug.
    pub(crate) fn kill(&self, at: usize) {
        let mut child = self.running[at].lock().expect("no panic").take().expect("it runs");
        let ended = child.try_wait().expect("it is our child");
        assert!(ended.is_none(), "{} has ended by itself: {ended:?}\n{}", at, self.log(at));
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
    }

    /// The last lines of what a member has logged.
    pub(crate) fn log(&self, at: usize) -> String {
        let log = self.plan.members[at].directory(&self.directory).join("log");
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    pub(crate) fn smtp(&self, at: usize) -> SocketAddr {
        self.plan.members[at].smtp
    }

    /// The queue of a member; `None` while it does not answer.
    pub(crate) fn queue(&self, at: usize) -> Option<Vec<Value>> {
        let socket = self.plan.members[at].admin_socket(&self.directory);
        let mut stream = UnixStream::connect(socket).ok()?;
        stream.write_all(b"{\"format\":1,\"op\":\"queue\"}\n").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        let answer: Value = serde_json::from_str(&line).ok()?;
        answer["ok"]["messages"].as_array().cloned()
    }

    /// Reads what is new in the Maildirs. A file in `new/` never changes.
    pub(crate) fn copies(&self) -> Copies {
        let mut read = self.read.lock().expect("no panic");
        let (seen, copies) = &mut *read;
        for (account, address) in ACCOUNTS.iter().enumerate() {
            let state = self.plan.members[account].state(&self.directory);
            let (local, domain) = address.split_once('@').expect("an address");
            let new = state.join("accounts").join(domain).join(local).join("new");
            for entry in fs::read_dir(new).into_iter().flatten().flatten() {
                if seen.insert(entry.path()) {
                    let text = fs::read_to_string(entry.path()).expect("a published file stays");
                    *copies.entry((client::tag_of(&text), account)).or_default() += 1;
                }
            }
        }
        copies.clone()
    }
}

impl Drop for Cluster {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        for child in &self.running {
            let child = child.lock().map_or(None, |mut child| child.take());
            if let Some(mut child) = child {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
