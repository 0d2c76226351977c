//! A way to etcd that can be cut, and members that ask it.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use bridgehead::cli::cluster::Plan;
use bridgehead::server::configuration::load_organization;
use serde_json::Value;

use super::etcd_server::GLANCE;

/// A way to etcd that can be cut: what is said on it meanwhile waits, and nobody hears that it is cut.
pub(crate) struct Way {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl Way {
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(target) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone(), to.try_clone());
                    let (Ok(from), Ok(to)) = (from, to) else { continue };
                    let cut = Arc::clone(&cut);
                    thread::spawn(move || forward(from, to, &cut));
                }
            }
        });
        Self { address, is_cut }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut octets = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut octets) {
        while is_cut.load(Ordering::SeqCst) {
            thread::sleep(GLANCE);
        }
        if to.write_all(&octets[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Three members of one group that elects its master.
pub(crate) struct Members {
    directory: PathBuf,
    plan: Plan,
    running: [Option<Child>; 3],
    /// Those that were killed, and never ceased in their own words.
    killed: Vec<usize>,
}

pub(crate) fn organization(back_end: &str, lease_s: u32) -> String {
    format!(
        r#"
format = 1
revision = 1
name = "one"
domains = ["example.org"]

[[group]]
name = "HOME"
uuid = "0123456789abcdef0123456789abcdef"
members = ["home-1", "home-2", "home-3"]

[group.election]
back_end = "{back_end}"
voters = ["home-1", "home-2", "home-3"]
lease_s = {lease_s}
"#
    )
}

impl Members {
    /// Writes their files, each with an etcd of its own to ask, and starts them.
    pub(crate) fn start(directory: &Path, organization: &str, endpoints: [Vec<String>; 3]) -> Self {
        let file = directory.join("one.toml");
        fs::write(&file, organization).expect("the directory is writable");
        let loaded = load_organization(&file).expect("the organization is right");
        let mut plan = Plan::make(&loaded, None).expect("ports are free");
        let mut members = Self {
            directory: directory.into(),
            plan: plan.clone(),
            running: [None, None, None],
            killed: Vec::new(),
        };
        for (place, endpoints) in endpoints.into_iter().enumerate() {
            // All files are written for the endpoints of one; the last word is kept.
            plan.etcd = endpoints;
            let kept = directory.join(format!("kept-{place}"));
            fs::create_dir_all(&kept).expect("writable");
            plan.write(&kept, &file, 1.0).expect("the files are written");
            let from = plan.members[place].file(&kept);
            fs::copy(from, kept.join("member.toml")).expect("it was just written");
        }
        plan.write(directory, &file, 1.0).expect("the files are written");
        for place in 0..3 {
            let kept = directory.join(format!("kept-{place}")).join("member.toml");
            fs::copy(kept, plan.members[place].file(directory)).expect("writable");
            members.start_again(place);
        }
        members
    }

    pub(crate) fn start_again(&mut self, place: usize) {
        let member = &self.plan.members[place];
        let log = member.directory(&self.directory).join("log");
        let log = File::options().create(true).append(true).open(log).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_bridgehead"))
            .arg("serve")
            .arg(member.file(&self.directory))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.running[place] = Some(child.expect("the binary runs"));
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, place: usize) {
        let mut child = self.running[place].take().expect("it runs");
        let ended = child.try_wait().expect("it is our child");
        assert!(ended.is_none(), "{place} has ended by itself: {ended:?}\n{}", self.log(place));
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
        self.killed.push(place);
    }

    pub(crate) fn log(&self, place: usize) -> String {
        let log = self.plan.members[place].directory(&self.directory).join("log");
        fs::read_to_string(log).unwrap_or_default()
    }

    fn ask(&self, place: usize, request: &str) -> Option<Value> {
        let socket = self.plan.members[place].admin_socket(&self.directory);
        let mut stream = UnixStream::connect(socket).ok()?;
        stream.write_all(format!("{request}\n").as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str::<Value>(&line).ok()?.get("ok").cloned()
    }

    /// Orders the master to hand over.
    pub(crate) fn transfer(&self, from: usize, to: usize) {
        let to = self.plan.members[to].name.as_str();
        let order =
            format!(r#"{{"format":1,"op":"order","order":{{"transfer":{{"to":"{to}"}}}}}}"#);
        self.ask(from, &order).unwrap_or_else(|| panic!("no answer: {order}"));
    }

    fn status(&self, place: usize) -> Option<Value> {
        self.ask(place, r#"{"format":1,"op":"status"}"#)
    }

    /// Who is the master by its own word.
    pub(crate) fn master(&self) -> Option<usize> {
        (0..3).find(|place| self.leads(*place))
    }

    pub(crate) fn leads(&self, place: usize) -> bool {
        let status = self.running[place].as_ref().and_then(|_| self.status(place));
        status.is_some_and(|status| status["elections"][0]["part"] == "master")
    }

    /// Whom a member takes for the master, by place.
    pub(crate) fn followed_by(&self, place: usize) -> Option<usize> {
        let status = self.status(place)?;
        let named = status["master"].as_str()?;
        self.plan.members.iter().position(|member| member.name.as_str() == named)
    }

    /// The counter of the greatest term that a member knows.
    pub(crate) fn counter(&self, place: usize) -> Option<u64> {
        self.status(place)?["elections"][0]["term"]["counter"].as_u64()
    }

    /// By the clock of this host, in the words of the members: nobody has become the master before the one before had
    /// ceased, or was killed. How many masterships there were.
    pub(crate) fn never_two(&self) -> usize {
        let mut told: Vec<(String, usize, bool)> = Vec::new();
        for place in 0..3 {
            for line in self.log(place).lines().filter(|line| line.contains("election")) {
                let leads = line.contains("leads");
                if leads || line.contains("ceased") {
                    let time = line.split_whitespace().next().expect("a time");
                    told.push((time.into(), place, leads));
                }
            }
        }
        told.sort();
        let mut present: Option<usize> = None;
        for (time, place, leads) in &told {
            match (leads, present) {
                (true, Some(before)) if before != *place && !self.killed.contains(&before) => {
                    panic!("{place} leads at {time} and {before} does still: {told:?}");
                }
                (true, _) => present = Some(*place),
                (false, Some(before)) if before == *place => present = None,
                (false, _) => {}
            }
        }
        told.iter().filter(|(_, _, leads)| *leads).count()
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
