//! Takes the connections that nodes open, by the rule of the link, and joins them to where it leads.

use core::net::SocketAddr;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::end::End;
use super::pump::Pump;
use super::rule::Rule;
use super::shared::{Open, Path, Shared, Target};
use super::wire::{dial_from, reset};
use crate::event::Event;

/// Accepts until the network is stopped.
pub(super) fn accept(shared: &Arc<Shared>, listener: &TcpListener, path: &Path) {
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
        // Until it is entered, and refused where it is to be, the barrier must not pass: an entry that is
        // not gone yet would agree with a node that has not seen the refusal.
        state.under_way += 1;
        drop(state);
        // Without it small answers wait for the peer's delayed acknowledgement.
        let _ = near.set_nodelay(true);
        admit(shared, path, name, near, &rule, target);
        shared.lock().under_way -= 1;
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
    if *rule == Rule::Refuse {
        record("refused");
        return refuse(shared, &name, &near);
    }
    if *rule == Rule::Blackhole {
        record("blackhole");
        return swallow(shared, path, name, near);
    }
    let (node, port) = match &path.target {
        Target::Node(node, port) => (node, *port),
        Target::Suite(visitors) => {
            // Whoever plays the member enters and records the connection; if nobody does, it is
            // dropped.
            let _ = visitors.send((name, near));
            return;
        }
    };
    let far = target.and_then(|to| dial_from(Some(path.source.1), to, shared.connect).ok());
    let Some(far) = far else {
        // The node behind the link does not listen: the opener is told what TCP would tell it.
        record("failed");
        return refuse(shared, &name, &near);
    };
    record("pass");
    let Some(ends) = open_ends(shared, path, &name, near, far) else { return };
    let source = path.source.0.clone();
    let (shared, link) = (Arc::clone(shared), path.link.clone());
    Pump::new(shared, link, name, ends, (source, node.clone()), port).start();
}

fn enter(shared: &Shared, name: &str, socket: &TcpStream) -> Option<usize> {
    let (ours, theirs) = (socket.local_addr().ok()?, socket.peer_addr().ok()?);
    Some(shared.ledger.enter(name, ours, theirs))
}

fn refuse(shared: &Shared, name: &str, near: &TcpStream) {
    if let Some(entry) = enter(shared, name, near) {
        shared.ledger.change(entry, |half| half.gone = true);
    }
    reset(near);
}

/// Nothing is read, nothing comes.
fn swallow(shared: &Shared, path: &Path, name: String, near: TcpStream) {
    let Some(entry) = enter(shared, &name, &near) else { return };
    shared.ledger.change(entry, |half| half.unread = true);
    let open = Open { link: path.link.clone(), sockets: vec![near], entries: vec![entry] };
    shared.lock().open.insert(name, open);
}

/// Enters both ends of a connection.
fn open_ends(
    shared: &Shared,
    path: &Path,
    name: &str,
    near: TcpStream,
    far: TcpStream,
) -> Option<[End; 2]> {
    let (near_entry, far_entry) = (enter(shared, name, &near)?, enter(shared, name, &far)?);
    let sockets = vec![near.try_clone().ok()?, far.try_clone().ok()?];
    let open = Open { link: path.link.clone(), sockets, entries: vec![near_entry, far_entry] };
    shared.lock().open.insert(name.to_owned(), open);
    let end = |socket, entry| End::over(socket, &shared.ledger, entry);
    Some([end(near, near_entry), end(far, far_entry)])
}
