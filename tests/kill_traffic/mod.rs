//! Clients that send through all members of a cluster while something is done to them.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use bridgehead::kernel::Seeded;
use rustix::process::{Pid, Signal, kill_process};

use crate::kill_support::Cluster;
use crate::kill_support::chance::{below, milliseconds};
use crate::kill_support::client::{Client, Seen};
use crate::kill_support::mail::Attempt;

/// How clients send, and what they have done so far.
pub(crate) struct Traffic {
    /// What they do.
    pub(crate) seed: u64,
    /// Between two attempts of one client, in milliseconds.
    pub(crate) pause_ms: (u32, u32),
    /// After so many messages a client connects to another member.
    pub(crate) per_connection: u32,
    /// Whether they are to end.
    pub(crate) is_over: AtomicBool,
    /// To how many attempts a member has said yes.
    pub(crate) accepted: AtomicU64,
}

impl Traffic {
    pub(crate) fn new(seed: u64, pause_ms: (u32, u32), per_connection: u32) -> Self {
        let (is_over, accepted) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { seed, pause_ms, per_connection, is_over, accepted }
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// One client: attempt after attempt, each with its own tag, until it is told to stop.
    pub(crate) fn send(&self, cluster: &Cluster, client: u64) -> Vec<Attempt> {
        let mut chance = Seeded::new(self.seed.wrapping_mul(1_000) + client);
        let members = u32::try_from(cluster.members().len()).expect("a few");
        let mut attempts = Vec::new();
        let mut connection: Option<(Client, usize, u32)> = None;
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(milliseconds(&mut chance, self.pause_ms.0, self.pause_ms.1));
            let Some((mut open, at, used)) = connection.take().or_else(|| {
                let at = below(&mut chance, members) as usize;
                Some((Client::connect(cluster.smtp(at))?, at, 0))
            }) else {
                continue;
            };
            // There are as many accounts as members.
            let choice = below(&mut chance, (1 << members) - 1) + 1;
            let accounts: Vec<usize> =
                cluster.members().filter(|account| choice >> account & 1 == 1).collect();
            let to: Vec<_> = accounts.iter().map(|account| cluster.account(*account)).collect();
            let tag = format!("{client}-{}", attempts.len());
            let seen = open.send(&tag, &to, &cluster.waiting[at]);
            attempts.push(Attempt { tag, accounts, seen });
            if seen == Seen::Accepted {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                connection = (used + 1 < self.per_connection).then_some((open, at, used + 1));
            }
        }
        attempts
    }
}

impl Cluster {
    /// Sends a signal to a member that runs.
    pub(crate) fn signal(&self, at: usize, signal: Signal) {
        let running = self.running[at].lock().expect("no panic");
        let process = Pid::from_child(running.as_ref().expect("it runs"));
        kill_process(process, signal).expect("it is our child");
    }
}
