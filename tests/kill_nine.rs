//! `kill -9` of real processes, while real mail flows through them. Every attempt to send carries its own
//! tag: one that saw its 250 lies in the Maildirs exactly once, one that saw none at most once, one that was
//! refused nowhere.
//!
//! A member that says 250 before the message is on disk, or that delivers a repeat again, is found.
//!
//! `KILL_NINE_SECONDS` says how long members are killed, `KILL_NINE_SEED` when and which.

#![cfg(not(loom))]

mod kill_support;

use core::time::Duration;
use std::thread;

use bridgehead::kernel::Seeded;
use kill_support::chance::{below, from_environment, milliseconds};
use kill_support::client::{Client, Seen};
use kill_support::mail::{Attempt, QUESTIONS, judge, wait_until_settled};
use kill_support::{Cluster, Scene};

/// The messages of each client that get their 250 in the end, each by as many attempts as it takes: so many in a second of
/// killing, and no more in a long run than in one of a minute.
const MESSAGES_PER_SECOND: u32 = 4;
const MOST_MESSAGES: u32 = 250;
const CLIENTS: u32 = 8;
/// After so many messages a client connects to another member.
const PER_CONNECTION: u32 = 12;
const SECONDS: u32 = 30;

/// The members live through a minute in a second: retries and doubts wait a minute or more.
const TIME_SCALE: f64 = 60.0;
/// One account at each member.
const ACCOUNTS: [&str; MEMBERS] = ["ann@example.org", "bob@example.org", "cid@example.org"];
const MEMBERS: usize = 3;

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

/// Kills one member after another, sometimes two at once, until the time is over. All run in the end.
fn kill_members(cluster: &Cluster, span: Duration, seed: u64) -> u32 {
    let mut chance = Seeded::new(seed);
    let (mut slept, mut kills) = (Duration::ZERO, 0);
    while slept < span {
        let (alive, down) =
            (milliseconds(&mut chance, 50, 1_200), milliseconds(&mut chance, 1, 600));
        slept += alive + down;
        thread::sleep(alive);
        let first = below(&mut chance, MEMBERS as u32) as usize;
        let is_double = below(&mut chance, 5) == 0;
        let second = is_double.then_some((first + 1) % MEMBERS);
        let victims: Vec<usize> = [first].into_iter().chain(second).collect();
        slept += cluster.wait_for_a_client(first);
        victims.iter().for_each(|victim| cluster.kill(*victim));
        kills += u32::try_from(victims.len()).expect("one or two");
        thread::sleep(down);
        victims.iter().for_each(|victim| cluster.start(*victim));
    }
    kills
}

/// One client: its share of the messages, each again and again until a member has said 250.
fn send_messages(
    cluster: &Cluster,
    client: u32,
    messages: u32,
    pause: Duration,
    seed: u64,
) -> Vec<Attempt> {
    let mut chance = Seeded::new(seed.wrapping_mul(1_000) + u64::from(client));
    let mut attempts = Vec::new();
    let mut connection: Option<(Client, usize, u32)> = None;
    for message in 0..messages {
        thread::sleep(pause);
        let choice = below(&mut chance, (1 << MEMBERS) - 1) + 1;
        let accounts: Vec<usize> = (0..MEMBERS).filter(|at| choice >> at & 1 == 1).collect();
        for number in 0.. {
            let Some((mut open, at, used)) = connection.take().or_else(|| {
                let at = below(&mut chance, MEMBERS as u32) as usize;
                Some((Client::connect(cluster.smtp(at))?, at, 0))
            }) else {
                thread::sleep(milliseconds(&mut chance, 10, 100));
                continue;
            };
            let tag = format!("{client}-{message}-{number}");
            let to: Vec<&str> = accounts.iter().map(|account| ACCOUNTS[*account]).collect();
            let seen = open.send(&tag, &to, &cluster.waiting[at]);
            attempts.push(Attempt { tag, accounts: accounts.clone(), seen });
            if seen == Seen::Accepted {
                connection = (used + 1 < PER_CONNECTION).then_some((open, at, used + 1));
                break;
            }
        }
    }
    attempts
}

/// C1 and C2 on real disks and sockets; CU-002, CU-005, SU-017, SU-021, DE-020 to DE-024.
#[test]
fn killed_members_lose_nothing_and_double_nothing() {
    let seconds = from_environment("KILL_NINE_SECONDS", SECONDS);
    let seed = from_environment("KILL_NINE_SEED", 1);
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene {
        organization: ORGANIZATION.into(),
        accounts: ACCOUNTS.map(String::from).to_vec(),
        scale: TIME_SCALE,
        etcd: Vec::new(),
    };
    let cluster = Cluster::prepare(directory.path(), scene);
    cluster.members().for_each(|at| cluster.start(at));
    let span = Duration::from_secs(seconds.into());
    let messages = seconds.saturating_mul(MESSAGES_PER_SECOND).min(MOST_MESSAGES);
    // The clients' own work comes on top: they end after the killing, not before it.
    let pause = span / messages;
    let (kills, attempts) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let cluster = &cluster;
                scope.spawn(move || send_messages(cluster, client, messages, pause, seed))
            })
            .collect();
        let kills = kill_members(&cluster, span, seed);
        let attempts: Vec<Attempt> =
            clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
        (kills, attempts)
    });
    let question = wait_until_settled(&cluster, &attempts, |_| {});
    let seen = judge(&cluster, &attempts);
    let copies: u32 = cluster.copies().values().sum();
    println!(
        "seed {seed}: {kills} kills in {seconds} s, {} attempts {seen:?}, {copies} copies, settled at \
         question {question} of {QUESTIONS}",
        attempts.len()
    );
    assert_eq!(seen[&Seen::Accepted], CLIENTS * messages);
    assert!(kills >= 5, "members were killed: {kills}");
}
