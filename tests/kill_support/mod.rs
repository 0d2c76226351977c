//! Real members that can be killed and started again, and what lies in their Maildirs.

use core::net::SocketAddr;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;

use bridgehead::cli::cluster::Plan;
use bridgehead::server::configuration::load_organization;
use serde_json::{Value, json};

pub(crate) mod chance;
pub(crate) mod client;
pub(crate) mod mail;

/// No answer of a member that runs takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// An organization that is to be killed member by member.
pub(crate) struct Scene {
    /// The text of its file.
    pub(crate) organization: String,
    /// One account at each member, in the order of the file.
    pub(crate) accounts: Vec<String>,
    /// How many seconds the members live through in one.
    pub(crate) scale: f64,
    /// Where etcd is, for members that ask it; nothing where none does.
    pub(crate) etcd: Vec<String>,
}

/// Who got what: how often each attempt lies in each account.
pub(crate) type Copies = BTreeMap<(String, usize), u32>;

pub(crate) struct Cluster {
    pub(crate) directory: PathBuf,
    pub(crate) plan: Plan,
    accounts: Vec<String>,
    /// The processes, `None` while one is down.
    pub(crate) running: Vec<Mutex<Option<Child>>>,
    /// How many clients wait for the 250 of each.
    pub(crate) waiting: Vec<AtomicU32>,
    read: Mutex<(BTreeSet<PathBuf>, Copies)>,
}

impl Cluster {
    /// Writes the files of the members; none runs yet.
    pub(crate) fn prepare(directory: &Path, scene: Scene) -> Self {
        let file = directory.join("scene.toml");
        fs::write(&file, &scene.organization).expect("the directory is writable");
        let organization = load_organization(&file).expect("the organization is right");
        let mut plan = Plan::make(&organization, None).expect("ports are free");
        // The members reach each other directly.
        plan.relays.clear();
        plan.etcd = scene.etcd;
        plan.write(directory, &file, scene.scale).expect("the files are written");
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
        assert_eq!(plan.members.len(), scene.accounts.len(), "each member has an account");
        let running = plan.members.iter().map(|_| Mutex::new(None)).collect();
        let waiting = plan.members.iter().map(|_| AtomicU32::new(0)).collect();
        let (directory, accounts) = (directory.to_owned(), scene.accounts);
        Self { directory, plan, accounts, running, waiting, read: Mutex::default() }
    }

    /// The members by their places in the file.
    pub(crate) fn members(&self) -> Range<usize> {
        0..self.plan.members.len()
    }

    pub(crate) fn account(&self, at: usize) -> &str {
        &self.accounts[at]
    }

    /// Until a client waits for the 250 of this member, so that the kill strikes where it hurts; not for long,
    /// for it may be starting still.
    pub(crate) fn wait_for_a_client(&self, at: usize) -> Duration {
        const STEP: Duration = Duration::from_micros(500);
        const STEPS: u32 = 400;
        let steps = (0..STEPS).find(|_| {
            thread::sleep(STEP);
            self.waiting[at].load(Ordering::Relaxed) > 0
        });
        STEP * steps.unwrap_or(STEPS)
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

    /// What a member answers on its admin socket; `None` while it does not.
    pub(crate) fn ask(&self, at: usize, request: &Value) -> Option<Value> {
        Admin::connect(&self.admin_socket(at))?.ask(request)
    }

    pub(crate) fn admin_socket(&self, at: usize) -> PathBuf {
        self.plan.members[at].admin_socket(&self.directory)
    }

    /// The queue of a member; `None` while it does not answer.
    pub(crate) fn queue(&self, at: usize) -> Option<Vec<Value>> {
        let answer = self.ask(at, &json!({"format": 1, "op": "queue"}))?;
        answer["messages"].as_array().cloned()
    }

    /// Reads what is new in the Maildirs. A file in `new/` never changes.
    pub(crate) fn copies(&self) -> Copies {
        let mut read = self.read.lock().expect("no panic");
        let (seen, copies) = &mut *read;
        for (account, address) in self.accounts.iter().enumerate() {
            let member = &self.plan.members[account];
            // Where accounts are leased, none is a member's own.
            let state = match member.shares_accounts {
                true => Plan::shared(&self.directory, &member.group),
                false => member.state(&self.directory),
            };
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

/// A connection to the admin socket of a member.
pub(crate) struct Admin(BufReader<UnixStream>);

impl Admin {
    /// `None` while the member is down.
    pub(crate) fn connect(socket: &Path) -> Option<Self> {
        let stream = UnixStream::connect(socket).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// `None` when the member has ended, or stops.
    pub(crate) fn ask(&mut self, request: &Value) -> Option<Value> {
        let mut line = request.to_string();
        line.push('\n');
        self.0.get_mut().write_all(line.as_bytes()).ok()?;
        line.clear();
        self.0.read_line(&mut line).ok()?;
        let mut answer: Value = serde_json::from_str(&line).ok()?;
        answer.get_mut("ok").map(Value::take)
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
