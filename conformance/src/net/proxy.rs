//! The links between nodes: every octet from one to another passes through the suite, which counts and
//! records it, and may keep it back.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Ledger;
use super::rule::{Port, Rule};
use super::wire::{dial_from, reset};
use crate::event::{Event, How, Octets, Way};
use crate::log::Recorder;

struct Open {
    link: String,
    near: TcpStream,
    far: Option<TcpStream>,
    entries: Vec<usize>,
}

#[derive(Default)]
struct State {
    rules: BTreeMap<String, Rule>,
    counts: BTreeMap<String, u64>,
    targets: BTreeMap<(String, Port), SocketAddr>,
    open: BTreeMap<String, Open>,
    started: bool,
    /// Nodes are being moved to another time: nothing passes between one that is there and one that
    /// is not.
    paused: bool,
    stopped: bool,
    /// Octets that were read and are not yet written, or withheld.
    under_way: u64,
}

struct Shared {
    recorder: Recorder,
    ledger: Ledger,
    state: Mutex<State>,
    changed: Condvar,
    connect: Duration,
}

/// All links of one cluster.
#[derive(Clone)]
pub(crate) struct Network {
    shared: Arc<Shared>,
    listeners: Arc<Mutex<Vec<SocketAddr>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

/// Where a link leads.
#[derive(Clone, Debug)]
struct Path {
    link: String,
    source: Ipv4Addr,
    target: Target,
}

#[derive(Clone, Debug)]
enum Target {
    Node(String, Port),
    Suite(Sender<(String, TcpStream)>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, once nothing is paused.
    fn unpaused(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.paused && !state.stopped {
            state = self.wait(state);
        }
        state
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    /// Without links.
    pub(crate) fn new(recorder: &Recorder, ledger: &Ledger, connect: Duration) -> Self {
        let shared = Shared {
            recorder: recorder.clone(),
            ledger: ledger.clone(),
            state: Mutex::default(),
            changed: Condvar::new(),
            connect,
        };
        Self { shared: Arc::new(shared), listeners: Arc::default() }
    }

    /// Opens a link: listens at `at`, and dials the target from `source`.
    pub(crate) fn link(
        &self,
        name: &str,
        at: Ipv4Addr,
        source: Ipv4Addr,
        target: (&str, Port),
    ) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(at), 0))?;
        let address = listener.local_addr()?;
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        let target = Target::Node(target.0.to_owned(), target.1);
        let path = Path { link: name.to_owned(), source, target };
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || accept(&shared, &listener, &path));
        Ok(address)
    }

    /// Opens a link to a member that the suite plays: gives every connection that a node opens, with
    /// its name.
    pub(crate) fn play(
        &self,
        name: &str,
        at: Ipv4Addr,
    ) -> std::io::Result<(SocketAddr, Receiver<(String, TcpStream)>)> {
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(at), 0))?;
        let address = listener.local_addr()?;
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        let (sender, receiver) = channel();
        let path = Path { link: name.to_owned(), source: at, target: Target::Suite(sender) };
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || accept(&shared, &listener, &path));
        Ok((address, receiver))
    }

    /// Says where a port of a node is.
    pub(crate) fn target(&self, node: &str, port: Port, address: SocketAddr) {
        self.shared.lock().targets.insert((node.to_owned(), port), address);
    }

    /// Lets connections through; until then they wait in the listeners' queues.
    pub(crate) fn start(&self) {
        self.shared.lock().started = true;
        self.shared.changed.notify_all();
    }

    /// Lets nothing pass, or lets everything pass again.
    pub(crate) fn pause(&self, paused: bool) {
        self.shared.lock().paused = paused;
        self.shared.changed.notify_all();
    }

    /// Gives a link its first rule, which is nothing that happens in the case.
    pub(crate) fn quietly(&self, link: &str, rule: Rule) {
        self.shared.lock().rules.insert(link.to_owned(), rule);
    }

    /// Changes the rule of a link; what was held goes on if the new rule lets it.
    pub(crate) fn rule(&self, link: &str, rule: Rule) {
        let verb = rule.name().to_owned();
        self.shared.recorder.record(Event::Network { link: link.to_owned(), verb });
        self.shared.lock().rules.insert(link.to_owned(), rule);
        self.shared.changed.notify_all();
    }

    /// Resets every open connection of a link.
    pub(crate) fn reset(&self, link: &str) {
        let verb = "reset".to_owned();
        self.shared.recorder.record(Event::Network { link: link.to_owned(), verb });
        let mut state = self.shared.lock();
        let names: Vec<_> = state
            .open
            .iter()
            .filter(|(_, open)| open.link == link)
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            break_off(&self.shared, &mut state, &name);
        }
    }

    /// Resets what is open and refuses what comes.
    pub(crate) fn cut(&self, link: &str) {
        self.rule(link, Rule::Refuse);
        self.reset(link);
    }

    /// Whether octets wait in the suite itself.
    pub(crate) fn under_way(&self) -> u64 {
        self.shared.lock().under_way
    }

    /// Ends all listeners and connections.
    pub(crate) fn stop(&self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        state.started = true;
        let names: Vec<_> = state.open.keys().cloned().collect();
        for name in names {
            break_off(&self.shared, &mut state, &name);
        }
        drop(state);
        self.shared.changed.notify_all();
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for address in listeners.iter() {
            // Wakes the thread that accepts, which then sees that all is over.
            let _ = TcpStream::connect_timeout(address, Duration::from_millis(200));
        }
    }
}

/// Resets both ends of a connection and forgets it.
fn break_off(shared: &Shared, state: &mut State, name: &str) {
    let Some(open) = state.open.remove(name) else { return };
    for entry in open.entries {
        shared.ledger.change(entry, |half| half.gone = true);
    }
    reset(&open.near);
    if let Some(far) = &open.far {
        reset(far);
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, path: &Path) {
    loop {
        let mut state = shared.lock();
        while !state.started {
            state = shared.wait(state);
        }
        drop(state);
        let Ok((near, _)) = listener.accept() else { return };
        let mut state = shared.unpaused();
        if state.stopped {
            return;
        }
        let count = state.counts.entry(path.link.clone()).or_insert(0);
        *count += 1;
        let name = format!("{}#{count}", path.link);
        let rule = state.rules.get(&path.link).cloned().unwrap_or(Rule::Pass);
        let target = match &path.target {
            Target::Node(node, port) => state.targets.get(&(node.clone(), *port)).copied(),
            Target::Suite(_) => None,
        };
        drop(state);
        // Without it small answers wait for the peer's delayed acknowledgement.
        let _ = near.set_nodelay(true);
        admit(shared, path, name, near, &rule, target);
    }
}

fn admit(
    shared: &Arc<Shared>,
    path: &Path,
    name: String,
    near: TcpStream,
    rule: &Rule,
    target: Option<SocketAddr>,
) {
    let record = |outcome: &str| {
        let (link, outcome) = (name.clone(), outcome.to_owned());
        shared.recorder.record(Event::Open { link, outcome });
    };
    let (Ok(ours), Ok(theirs)) = (near.local_addr(), near.peer_addr()) else {
        record("failed");
        return;
    };
    if *rule == Rule::Refuse {
        record("refused");
        let entry = shared.ledger.enter(&name, ours, theirs);
        shared.ledger.change(entry, |half| half.gone = true);
        reset(&near);
        return;
    }
    if *rule == Rule::Blackhole {
        record("blackhole");
        let entry = shared.ledger.enter(&name, ours, theirs);
        shared.ledger.change(entry, |half| half.unread = true);
        let open = Open { link: path.link.clone(), near, far: None, entries: vec![entry] };
        shared.lock().open.insert(name, open);
        return;
    }
    if let Target::Suite(visitors) = &path.target {
        // Whoever plays the member enters and records the connection; if nobody does, it is dropped.
        let _ = visitors.send((name, near));
        return;
    }
    let far = target.and_then(|to| dial_from(Some(path.source), to, shared.connect).ok());
    let Some(far) = far else {
        // The node behind the link does not listen: the opener is told what TCP would tell it.
        record("failed");
        let entry = shared.ledger.enter(&name, ours, theirs);
        shared.ledger.change(entry, |half| half.gone = true);
        reset(&near);
        return;
    };
    record("pass");
    pump_both(shared, path, &name, near, far);
}

fn pump_both(shared: &Arc<Shared>, path: &Path, name: &str, near: TcpStream, far: TcpStream) {
    let ends = |stream: &TcpStream| Some((stream.local_addr().ok()?, stream.peer_addr().ok()?));
    let (Some(near_ends), Some(far_ends)) = (ends(&near), ends(&far)) else { return };
    let near_entry = shared.ledger.enter(name, near_ends.0, near_ends.1);
    let far_entry = shared.ledger.enter(name, far_ends.0, far_ends.1);
    let clones = (near.try_clone(), near.try_clone(), far.try_clone(), far.try_clone());
    let (Ok(near_in), Ok(near_out), Ok(far_in), Ok(far_out)) = clones else { return };
    let open = Open {
        link: path.link.clone(),
        near,
        far: Some(far),
        entries: vec![near_entry, far_entry],
    };
    shared.lock().open.insert(name.to_owned(), open);
    for (way, from, to, entries) in [
        (Way::Forward, near_in, far_out, (near_entry, far_entry)),
        (Way::Back, far_in, near_out, (far_entry, near_entry)),
    ] {
        let pump = Pump {
            shared: Arc::clone(shared),
            link: path.link.clone(),
            name: name.to_owned(),
            way,
            entries,
        };
        std::thread::spawn(move || pump.run(from, to));
    }
}

struct Pump {
    shared: Arc<Shared>,
    link: String,
    name: String,
    way: Way,
    entries: (usize, usize),
}

impl Pump {
    fn run(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        let mut line = Vec::new();
        loop {
            let end = match from.read(&mut buffer) {
                Ok(0) => How::Eof,
                Ok(length) => {
                    if !self.pass(&buffer[..length], &mut line, &mut to) {
                        return;
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => How::Reset,
            };
            self.end(end, &to);
            return;
        }
    }

    /// Passes octets on; `false` when the connection is over.
    fn pass(&self, octets: &[u8], line: &mut Vec<u8>, to: &mut TcpStream) -> bool {
        let mut state = self.shared.unpaused();
        state.under_way += 1;
        self.shared.ledger.change(self.entries.0, |half| half.from_node += octets.len() as u64);
        let mut rule = state.rules.get(&self.link).cloned().unwrap_or(Rule::Pass);
        while rule == Rule::Hold && self.way == Way::Back && state.open.contains_key(&self.name) {
            // What is held is counted as read and not as under way: the barrier may pass.
            state.under_way -= 1;
            state = self.shared.wait(state);
            state.under_way += 1;
            rule = state.rules.get(&self.link).cloned().unwrap_or(Rule::Pass);
        }
        let lost = rule.loses().is_some() && self.way == Way::Back && {
            let armed = format!("{} armed", self.name);
            state.counts.contains_key(&armed)
        };
        let alive = state.open.contains_key(&self.name);
        if alive {
            let (link, way) = (self.name.clone(), self.way);
            let (withheld, data) = (lost, Octets::of(octets));
            self.shared.recorder.record(Event::Octets { link, way, withheld, data });
        }
        if lost {
            let then = rule.loses().map_or(Rule::Pass, |(_, then)| then);
            state.rules.insert(self.link.clone(), then);
            let (link, verb) = (self.name.clone(), "reply-lost".to_owned());
            self.shared.recorder.record(Event::Network { link, verb });
            break_off(&self.shared, &mut state, &self.name);
        }
        if let Some((prefix, _)) = rule.loses()
            && self.way == Way::Forward
            && passes_line(octets, line, prefix)
        {
            state.counts.insert(format!("{} armed", self.name), 1);
        }
        let go_on = alive && !lost;
        drop(state);
        if go_on {
            let length = octets.len() as u64;
            self.shared.ledger.change(self.entries.1, |half| half.to_node += length);
            // That the other end is gone shows in the other direction.
            let _ = to.write_all(octets);
        }
        self.shared.lock().under_way -= 1;
        go_on
    }

    fn end(&self, how: How, to: &TcpStream) {
        let mut state = self.shared.unpaused();
        if !state.open.contains_key(&self.name) {
            return;
        }
        let (link, way) = (self.name.clone(), self.way);
        self.shared.recorder.record(Event::End { link, way, how });
        match how {
            How::Reset => break_off(&self.shared, &mut state, &self.name),
            How::Eof => {
                self.shared.ledger.change(self.entries.0, |half| half.ended_by_node = true);
                self.shared.ledger.change(self.entries.1, |half| half.ended_by_suite = true);
                let _ = to.shutdown(Shutdown::Write);
                let over = self.shared.ledger.snapshot_of(self.entries.0).ended_by_suite;
                if over {
                    state.open.remove(&self.name);
                    self.shared.ledger.change(self.entries.0, |half| half.gone = true);
                    self.shared.ledger.change(self.entries.1, |half| half.gone = true);
                }
            }
        }
    }
}

/// Whether `octets`, after what `line` remembers, complete a line that begins with `prefix`.
fn passes_line(octets: &[u8], line: &mut Vec<u8>, prefix: &str) -> bool {
    let mut found = false;
    for octet in octets {
        if *octet == b'\n' {
            found |= crate::smtp::starts_with(&String::from_utf8_lossy(line), prefix);
            line.clear();
        } else if line.len() < 1_024 {
            line.push(*octet);
        }
    }
    found
}
