//! `kill -9` of real processes, while real mail flows through them. Every attempt to send carries its own
//! tag: one that saw its 250 lies in the Maildirs exactly once, one that saw none at most once, one that was
//! refused nowhere.
//!
//! A member that says 250 before the message is on disk, or that delivers a repeat again, is found.
//!
//! `KILL_NINE_SECONDS` says how long members are killed, `KILL_NINE_SEED` when and which.

#![cfg(not(loom))]

mod kill_support;

use core::num::NonZeroU32;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::collections::BTreeMap;
use std::thread;

use bridgehead::kernel::{Choose as _, Seeded};
use kill_support::client::{Client, Seen};
use kill_support::{ACCOUNTS, Cluster, MEMBERS};

/// The messages that get their 250 in the end, each by as many attempts as it takes.
const MESSAGES: u32 = 2_000;
const CLIENTS: u32 = 8;
/// After so many messages a client connects to another member.
const PER_CONNECTION: u32 = 12;
const SECONDS: u64 = 60;
const POLL: Duration = Duration::from_millis(250);
/// How often it is looked whether everything has arrived: two minutes of questions.
const QUESTIONS: u32 = 480;

/// What one attempt was, and what its client saw.
struct Attempt {
    tag: String,
    accounts: Vec<usize>,
    seen: Seen,
}

fn from_environment(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

fn below(chance: &mut Seeded, bound: u32) -> u32 {
    chance.below("kill-nine", NonZeroU32::new(bound).expect("a bound is above zero"))
}

fn milliseconds(chance: &mut Seeded, from: u32, to: u32) -> Duration {
    Duration::from_millis(u64::from(from + below(chance, to - from)))
}

/// Until a client waits for the 250 of this member, so that the kill strikes where it hurts; not for long,
/// for it may be starting still.
fn wait_for_a_client(cluster: &Cluster, at: usize) -> Duration {
    const STEP: Duration = Duration::from_micros(500);
    const STEPS: u32 = 400;
    let steps = (0..STEPS).find(|_| {
        thread::sleep(STEP);
        cluster.waiting[at].load(Ordering::Relaxed) > 0
    });
    STEP * steps.unwrap_or(STEPS)
}

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
        slept += wait_for_a_client(cluster, first);
        victims.iter().for_each(|victim| cluster.kill(*victim));
        kills += u32::try_from(victims.len()).expect("one or two");
        thread::sleep(down);
        victims.iter().for_each(|victim| cluster.start(*victim));
    }
    kills
}

/// One client: its share of the messages, each again and again until a member has said 250.
fn send_messages(cluster: &Cluster, client: u32, pause: Duration, seed: u64) -> Vec<Attempt> {
    let mut chance = Seeded::new(seed.wrapping_mul(1_000) + u64::from(client));
    let mut attempts = Vec::new();
    let mut connection: Option<(Client, usize, u32)> = None;
    for message in 0..MESSAGES / CLIENTS {
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

/// Waits until every queue is empty and nothing that was promised is missing, or says what is.
fn wait_until_settled(cluster: &Cluster, attempts: &[Attempt]) -> u32 {
    let mut problem = String::new();
    for question in 0..QUESTIONS {
        let copies = cluster.copies();
        let is_missing = |attempt: &&Attempt| {
            let arrived = |account| copies.contains_key(&(attempt.tag.clone(), account));
            attempt.seen == Seen::Accepted && !attempt.accounts.iter().all(|a| arrived(*a))
        };
        let missing = attempts.iter().filter(is_missing).count();
        let queues: Vec<Option<usize>> =
            (0..MEMBERS).map(|at| Some(cluster.queue(at)?.len())).collect();
        if missing == 0 && queues.iter().all(|queue| *queue == Some(0)) {
            return question;
        }
        problem = format!("{missing} attempts are missing, in the queues are {queues:?}");
        thread::sleep(POLL);
    }
    for at in 0..MEMBERS {
        let queue = cluster.queue(at).unwrap_or_default();
        eprintln!("{at}: {}\n{:#?}", cluster.log(at), &queue[..queue.len().min(5)]);
    }
    panic!("{problem}");
}

/// What the Maildirs say of each attempt.
fn judge(cluster: &Cluster, attempts: &[Attempt]) {
    let mut copies = cluster.copies();
    let mut wrong = Vec::new();
    for attempt in attempts {
        for account in &attempt.accounts {
            let count = copies.remove(&(attempt.tag.clone(), *account)).unwrap_or(0);
            let is_right = match attempt.seen {
                Seen::Accepted => count == 1,
                Seen::Nothing => count <= 1,
                Seen::Refused => count == 0,
            };
            if !is_right {
                let (tag, seen, address) = (&attempt.tag, attempt.seen, ACCOUNTS[*account]);
                wrong.push(format!("{tag}, {seen:?}: {count} times at {address}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} attempts: {}", wrong.len(), wrong.join("; "));
    assert!(copies.is_empty(), "nobody sent these: {copies:?}");
}

/// C1 and C2 on real disks and sockets; CU-002, CU-005, SU-017, SU-021, DE-020 to DE-024.
#[test]
fn killed_members_lose_nothing_and_double_nothing() {
    let seconds = from_environment("KILL_NINE_SECONDS", SECONDS);
    let seed = from_environment("KILL_NINE_SEED", 1);
    let directory = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::prepare(directory.path());
    (0..MEMBERS).for_each(|at| cluster.start(at));
    let span = Duration::from_secs(seconds);
    // The clients' own work comes on top: they end after the killing, not before it.
    let pause = span * CLIENTS / MESSAGES;
    let (kills, attempts) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let cluster = &cluster;
                scope.spawn(move || send_messages(cluster, client, pause, seed))
            })
            .collect();
        let kills = kill_members(&cluster, span, seed);
        let attempts: Vec<Attempt> =
            clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
        (kills, attempts)
    });
    let question = wait_until_settled(&cluster, &attempts);
    judge(&cluster, &attempts);
    let mut seen: BTreeMap<Seen, u32> = BTreeMap::new();
    attempts.iter().for_each(|attempt| *seen.entry(attempt.seen).or_default() += 1);
    let copies: u32 = cluster.copies().values().sum();
    println!(
        "seed {seed}: {kills} kills in {seconds} s, {} attempts {seen:?}, {copies} copies, settled at \
         question {question} of {QUESTIONS}",
        attempts.len()
    );
    assert_eq!(seen[&Seen::Accepted], MESSAGES);
    assert!(kills >= 5, "members were killed: {kills}");
}
