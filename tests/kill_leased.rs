//! Members that have leased accounts are killed, and stopped for longer than their leases, and their store goes away for
//! a while, while mail comes in through all of them: the accounts go to others, and every message is in the store that
//! they share exactly once.
//!
//! `KILL_LEASED_ROUNDS` says how often, `KILL_LEASED_SEED` what the clients do.

#![cfg(not(loom))]
#![allow(clippy::disallowed_types, reason = "real processes are waited for")]

mod kill_support;
mod kill_traffic;

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use bridgehead::cli::cluster::Plan;
use bridgehead::server::shared::DATABASE;
use kill_support::chance::from_environment;
use kill_support::client::Seen;
use kill_support::mail::{Attempt, judge, wait_until_settled};
use kill_support::{Cluster, Scene};
use kill_traffic::Traffic;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

const ACCOUNTS: [&str; 3] = ["ann@example.org", "bob@example.org", "cid@example.org"];
/// A kill, a stop and a store that goes away each.
const ROUNDS: usize = 1;
const CLIENTS: u64 = 3;
/// So many messages are accepted while the store is away.
const WHILE_AWAY: u64 = 10;
/// What a member logs then.
const SILENT: &str = "the store of leased accounts has not answered";
/// Between two attempts of one client, in milliseconds.
const PAUSE_MS: (u32, u32) = (20, 120);
/// After so many messages a client connects to another member.
const PER_CONNECTION: u32 = 8;
/// How often it is looked for something that somebody else has to do.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A store that is locked for so long is locked by who stands still.
const LOCKED: Duration = Duration::from_millis(300);
/// So long a member stands still, if nobody has its account before.
const STANDS_STILL: Duration = Duration::from_secs(8);
/// Nothing that is waited for here takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Leases last a second of ours, and a connection to who stands still is given up after five.
const SCALE: f64 = 4.0;

const ORGANIZATION: &str = r#"
format = 1
revision = 1
name = "harbour"
domains = ["example.org"]

[[group]]
name = "HARBOUR"
uuid = "0123456789abcdef0123456789abcdef"
members = ["quay-a", "quay-b", "quay-c"]

[group.election]
voters = ["quay-a", "quay-b", "quay-c"]
lease_s = 4

[group.accounts]
account_lease_s = 4
"#;

fn scene() -> Scene {
    let account =
        |address| format!("\n[[account]]\naddress = \"{address}\"\ngroup = \"HARBOUR\"\n");
    let accounts = ACCOUNTS.map(String::from).to_vec();
    let organization = ORGANIZATION.to_owned() + &ACCOUNTS.map(account).concat();
    Scene { organization, accounts, scale: SCALE, etcd: Vec::new() }
}

/// Who has an account open, by what those say who run, but for one.
fn owner(cluster: &Cluster, account: &str, without: Option<usize>) -> Option<usize> {
    let question = json!({"format": 1, "op": "owner", "account": account});
    let has = |at: &usize| {
        let known = cluster.ask(*at, &question).map(|answer| answer["known"].clone());
        known.is_some_and(|known| known["by"] == "lease" && known["opening"] != Value::Null)
    };
    cluster.members().filter(|at| Some(*at) != without).find(has)
}

/// Looks until there is something, for so long.
fn look_for<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let found = look();
        if found.is_some() || begun.elapsed() > patience {
            return found;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Looks until there is something.
fn wait<T>(what: &str, cluster: &Cluster, look: impl FnMut() -> Option<T>) -> T {
    look_for(PATIENCE, look).unwrap_or_else(|| {
        let logs: Vec<_> = cluster.members().map(|at| cluster.log(at)).collect();
        panic!("{what}: not within {PATIENCE:?}\n{}", logs.join("\n--\n"))
    })
}

/// An account goes to another member, and mail with it. Whether it does: from one that stands still it need not, as long
/// as the others wait for answers on connections that are open.
fn bereave(cluster: &Cluster, account: usize, victim: usize, stands_still: bool) -> bool {
    let address = ACCOUNTS[account];
    let copies = |cluster: &Cluster| {
        let all = cluster.copies();
        all.iter().filter(|((_, at), _)| *at == account).map(|(_, count)| count).sum::<u32>()
    };
    let look = || owner(cluster, address, Some(victim));
    if stands_still && look_for(STANDS_STILL, look).is_none() {
        return false;
    }
    wait("another owner", cluster, look);
    let before = copies(cluster);
    wait("mail at the other owner", cluster, || (copies(cluster) > before).then_some(()));
    true
}

fn store(cluster: &Cluster, directory: &Path) -> Connection {
    let shared = Plan::shared(directory, &cluster.plan.members[0].group);
    Connection::open(shared.join(DATABASE)).expect("it is there")
}

/// Stops a member somewhere, but for the middle of a commit: there it keeps the store locked, and nobody could do anything.
fn stop(cluster: &Cluster, victim: usize, directory: &Path) {
    wait("a moment outside of a commit", cluster, || {
        cluster.signal(victim, Signal::STOP);
        // Others are through with theirs within that.
        let store = store(cluster, directory);
        store.busy_timeout(LOCKED).expect("it takes a limit");
        let is_free = store.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok();
        if !is_free {
            cluster.signal(victim, Signal::CONT);
        }
        is_free.then_some(())
    });
}

/// How many deliveries the store has recorded for each account, and how many members have opened one.
fn recorded(cluster: &Cluster, directory: &Path) -> (Vec<u32>, u64) {
    let database = store(cluster, directory);
    let count = |account: &&str| -> u32 {
        let select = "SELECT count(*) FROM journal WHERE account = ?1";
        database.query_row(select, [account], |row| row.get(0)).expect("a number")
    };
    let openings = |account: &&str| -> u64 {
        let select = "SELECT fence ->> '$.openings' FROM accounts WHERE account = ?1";
        let openings: i64 =
            database.query_row(select, [account], |row| row.get(0)).expect("a number");
        openings.unsigned_abs()
    };
    (ACCOUNTS.iter().map(count).collect(), ACCOUNTS.iter().map(openings).sum())
}

/// Ends the clients, also when the test fails.
struct End<'a>(&'a Traffic);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An empty directory is in the place of the store for a while, as where a file system is not mounted: members take mail,
/// and write nothing there.
fn unmount(cluster: &Cluster, traffic: &Traffic, directory: &Path) {
    let shared = Plan::shared(directory, &cluster.plan.members[0].group);
    let away = directory.join("away");
    fs::rename(&shared, &away).expect("it is there");
    fs::create_dir(&shared).expect("writable");
    wait("a member that misses the store", cluster, || {
        cluster.members().find(|at| cluster.log(*at).contains(SILENT))
    });
    more_mail(cluster, traffic, WHILE_AWAY);
    assert!(!shared.join(DATABASE).exists(), "nobody makes another store");
    // A delivery that was just under way may be there, and counts for nothing.
    fs::remove_dir_all(&shared).expect("it is there");
    fs::rename(&away, &shared).expect("it is there");
}

fn more_mail(cluster: &Cluster, traffic: &Traffic, messages: u64) {
    let accepted = || traffic.accepted.load(Ordering::Relaxed);
    let enough = accepted() + messages;
    wait("mail that is accepted", cluster, || (accepted() >= enough).then_some(()));
}

/// DE-100 to DE-107, MA-060 to MA-064, SV-125: on real disks and sockets.
#[test]
fn owners_die_and_stand_still_and_no_mail_is_lost_or_doubled() {
    let rounds = from_environment("KILL_LEASED_ROUNDS", ROUNDS);
    let seed = from_environment("KILL_LEASED_SEED", 1);
    let directory = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::prepare(directory.path(), scene());
    cluster.members().for_each(|at| cluster.start(at));
    let traffic = Traffic::new(seed, PAUSE_MS, PER_CONNECTION);
    let mut moves = 0;
    let attempts: Vec<Attempt> = thread::scope(|scope| {
        let (cluster, traffic) = (&cluster, &traffic);
        let _end = End(traffic);
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || traffic.send(cluster, client))).collect();
        for round in 0..rounds {
            for (stops, account) in [(false, round), (true, round + 1)] {
                let account = account % ACCOUNTS.len();
                let victim = wait("an owner", cluster, || owner(cluster, ACCOUNTS[account], None));
                cluster.wait_for_a_client(victim);
                if stops {
                    stop(cluster, victim, directory.path());
                } else {
                    cluster.kill(victim);
                }
                moves += u64::from(bereave(cluster, account, victim, stops));
                if stops {
                    // It goes on with what it was about to write, under a lease that is over.
                    cluster.signal(victim, Signal::CONT);
                } else {
                    cluster.start(victim);
                }
            }
            unmount(cluster, traffic, directory.path());
        }
        more_mail(cluster, traffic, CLIENTS);
        traffic.end();
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    });
    // No retry is ordered: mail for leased accounts looks for their owners by itself.
    wait_until_settled(&cluster, &attempts, |_| {});
    let seen = judge(&cluster, &attempts);
    let mut copies = vec![0; ACCOUNTS.len()];
    for ((_, account), count) in cluster.copies() {
        copies[account] += count;
    }
    let (lines, openings) = recorded(&cluster, directory.path());
    println!(
        "seed {seed}: {rounds} kills and as many stops of owners and a store away as often, {} attempts {seen:?}, {copies:?} copies, \
         {openings} openings, {moves} of them of an account whose owner was hit",
        attempts.len()
    );
    assert_eq!(lines, copies, "what is recorded is what is there");
    assert!(moves >= rounds as u64, "who was killed has lost its account");
    assert!(openings >= ACCOUNTS.len() as u64 + moves, "accounts have moved: {openings}");
    assert!(seen[&Seen::Accepted] > 0, "mail has flowed");
}
