//! The process that is the master is killed, again and again, while real mail flows through its group; how long the
//! group is without one is measured and printed, and no time is asserted. And it is stopped for longer than its lease.
//! With the feature `etcd`, so are masters that etcd has made; then etcd must be there.
//!
//! `KILL_MASTER_KILLS` says how often, `KILL_MASTER_LEASE_S` how long a lease is, `KILL_MASTER_SEED` what the clients do. The
//! numbers also go to `target/kill-master.txt`, a line for each run.

#![cfg(not(loom))]
#![allow(clippy::disallowed_types, reason = "how long real processes take is what is measured")]

#[cfg(feature = "etcd")]
mod etcd_server;
mod kill_election;
mod kill_support;
mod kill_traffic;

use core::time::Duration;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use bridgehead::protocol::linkstate::SourceState;
use bridgehead::protocol::operator::{Action, Order, Selection};
use kill_election::guest::Guest;
use kill_election::reign::{Failover, depose, record_of, wait, whole};
use kill_election::watch::{Watch, judge as judge_masters, version};
use kill_election::{BackEnd, Bounds, EMBEDDED, GUEST, GUEST_AT, VOTERS, scene};
use kill_support::Cluster;
use kill_support::chance::from_environment;
use kill_support::client::Seen;
use kill_support::mail::{Attempt, judge, wait_until_settled};
use kill_traffic::Traffic;
use rustix::process::Signal;
use serde_json::json;

const KILLS: usize = 20;
/// Of so many killed masters one stays away until its successor has published.
const STAYS_AWAY: usize = 5;
/// How often a master is stopped for longer than its lease.
const STOPS: usize = 5;
/// A scene has the machine for itself: spans are measured.
static ALONE: Mutex<()> = Mutex::new(());
const CLIENTS: u64 = 4;
/// Between two attempts of one client, in milliseconds.
const PAUSE_MS: (u32, u32) = (40, 160);
/// After so many messages a client connects to another member.
const PER_CONNECTION: u32 = 12;
/// A retry is ordered before every so many looks at what is missing: nobody waits for the minute of a schedule.
const RETRY_EVERY: u32 = 8;

/// Has every member try now what waits for its next attempt.
fn order_retries(cluster: &Cluster) {
    let which = Selection { all: true, ..Selection::default() };
    let order = Order::Queue { action: Action::Retry, which };
    let request = json!({"format": 1, "op": "order", "order": order});
    // A queue with nothing in it refuses: there is nothing to try.
    cluster.members().for_each(|at| drop(cluster.ask(at, &request)));
}

fn median_and_maximum(mut spans: Vec<Duration>) -> (u128, u128) {
    spans.sort_unstable();
    let last = spans.last().expect("there was a kill");
    (spans[spans.len() / 2].as_millis(), last.as_millis())
}

/// Prints a line, and adds it to what earlier runs have said.
fn say(line: &str) {
    println!("{line}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../kill-master.txt");
    let file = File::options().create(true).append(true).open(&path);
    writeln!(file.expect("target is writable"), "{line}").expect("target is writable");
}

fn kill_masters(back_end: &BackEnd) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let kills = from_environment("KILL_MASTER_KILLS", KILLS);
    let lease_s = from_environment("KILL_MASTER_LEASE_S", 1);
    let seed = from_environment("KILL_MASTER_SEED", 1);
    let directory = tempfile::tempdir().expect("a directory");
    let begun = (back_end.begin)(directory.path(), lease_s);
    let cluster = Cluster::prepare(directory.path(), scene(&begun, &[]));
    cluster.members().for_each(|at| cluster.start(at));
    let watch = Watch::over(back_end);
    let traffic = Traffic::new(seed, PAUSE_MS, PER_CONNECTION);
    let (failovers, attempts) = thread::scope(|scope| {
        let (cluster, watch, traffic) = (&cluster, &watch, &traffic);
        // Whatever fails here, the threads end, and the test with them.
        let _end = End { watch, traffic: Some(traffic) };
        for at in 0..VOTERS.len() {
            scope.spawn(move || watch.look_at(cluster, at));
        }
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || traffic.send(cluster, client))).collect();
        let depose = |kill: usize| {
            let master = whole(cluster, watch);
            order_retries(cluster);
            depose(cluster, watch, master, kill.is_multiple_of(STAYS_AWAY))
        };
        let failovers: Vec<Failover> = (0..kills).map(depose).collect();
        whole(cluster, watch);
        traffic.end();
        let attempts: Vec<Attempt> =
            clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
        (failovers, attempts)
    });
    wait_until_settled(&cluster, &attempts, |question| {
        if question.is_multiple_of(RETRY_EVERY) {
            order_retries(&cluster);
        }
    });
    let seen = judge(&cluster, &attempts);
    let terms = judge_masters(watch.all());
    drop(begun.beside);
    let copies: u32 = cluster.copies().values().sum();
    let (median, max) = median_and_maximum(failovers.iter().map(|f| f.without_master).collect());
    let to_record: Vec<_> = failovers.iter().filter_map(|f| f.to_record).collect();
    let (record, record_max) = median_and_maximum(to_record);
    let Bounds { killed, exchanges, any } = (back_end.bounds)(lease_s);
    let name = back_end.name;
    say(&format!(
        "{name}, lease {lease_s} s, seed {seed}: {kills} kills of the master; without one median {median} ms, max {max} ms \
         (bounds: {killed} ms and {exchanges} exchanges when all others are well, {any} ms after any fault); from the \
         election to the first record, the dead one away, median {record} ms, max {record_max} ms; {} attempts {seen:?}, {copies} copies, \
         0 lost, 0 doubled; {terms} terms seen, none behind a greater one",
        attempts.len()
    ));
    assert!(terms > kills, "each kill has led to another term: {terms}");
    assert!(seen[&Seen::Accepted] > 0, "mail has flowed");
}

/// Ends what asks and sends, also when the test fails.
struct End<'a> {
    watch: &'a Watch,
    traffic: Option<&'a Traffic>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.traffic.into_iter().for_each(Traffic::end);
        self.watch.end();
    }
}

/// Stops the master in the middle of what it does until another one has published, while a member reports to it.
fn stop_master(cluster: &Cluster, watch: &Watch) {
    let master = whole(cluster, watch);
    let mut guest = Guest::attach(cluster, master);
    guest.report(SourceState::Up);
    guest.reported().expect("a master answers");
    let before = version(cluster, master).expect("it runs");
    cluster.signal(master, Signal::STOP);
    wait("the end of the process's step", cluster, || cluster.is_stopped(master).then_some(()));
    let stopped = Instant::now();
    // A master would publish this, and answer it.
    guest.report(SourceState::Down);
    let next = wait("another master", cluster, || watch.first_since(stopped, Some(master)));
    record_of(cluster, &next);
    cluster.signal(master, Signal::CONT);
    assert_eq!(guest.reported(), None, "it answers under a lease that has ended");
    wait("the record of the other one", cluster, || {
        let now = version(cluster, master)?;
        let is_same = now == before || now.term > before.term;
        assert!(is_same, "it has published under a lease that has ended: {before:?}, {now:?}");
        (now.term > before.term).then_some(())
    });
}

/// MA-038, MA-043: what a stopped process finds when it goes on is a lease that has ended, whatever else has come.
#[test]
fn a_master_that_was_stopped_acts_no_more() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    let begun = (EMBEDDED.begin)(directory.path(), 1);
    let cluster = Cluster::prepare(directory.path(), scene(&begun, &[GUEST]));
    cluster.members().filter(|at| *at != GUEST_AT).for_each(|at| cluster.start(at));
    let watch = Watch::over(&EMBEDDED);
    thread::scope(|scope| {
        let (cluster, watch) = (&cluster, &watch);
        let _end = End { watch, traffic: None };
        for at in 0..VOTERS.len() {
            scope.spawn(move || watch.look_at(cluster, at));
        }
        (0..from_environment("STOP_MASTER_STOPS", STOPS)).for_each(|_| stop_master(cluster, watch));
    });
    judge_masters(watch.all());
}

/// C1, C2 and C6 on real disks and sockets; MA-030 to MA-040, LS-235.
#[test]
fn a_killed_master_is_replaced_and_no_mail_is_lost_or_doubled() {
    kill_masters(&EMBEDDED);
}

/// The same of masters that etcd has made; MA-036 to MA-040, MA-081 to MA-085, MA-087.
#[cfg(feature = "etcd")]
#[test]
fn a_killed_master_that_etcd_has_made_is_replaced_and_no_mail_is_lost_or_doubled() {
    kill_masters(&kill_election::etcd::ETCD);
}
