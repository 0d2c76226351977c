//! The attempts to send, and what the Maildirs say of them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::thread;

use super::Cluster;
use super::client::Seen;

const POLL: Duration = Duration::from_millis(250);
/// How often it is looked whether everything has arrived: two minutes of questions.
pub(crate) const QUESTIONS: u32 = 480;

/// What one attempt was, and what its client saw.
pub(crate) struct Attempt {
    pub(crate) tag: String,
    pub(crate) accounts: Vec<usize>,
    pub(crate) seen: Seen,
}

/// Waits until every queue is empty and nothing that was promised is missing, or says what is. `again` is
/// done before each look.
pub(crate) fn wait_until_settled(
    cluster: &Cluster,
    attempts: &[Attempt],
    again: impl Fn(u32),
) -> u32 {
    let mut problem = String::new();
    for question in 0..QUESTIONS {
        again(question);
        let copies = cluster.copies();
        let is_missing = |attempt: &&Attempt| {
            let arrived = |account| copies.contains_key(&(attempt.tag.clone(), account));
            attempt.seen == Seen::Accepted && !attempt.accounts.iter().all(|a| arrived(*a))
        };
        let missing = attempts.iter().filter(is_missing).count();
        let queues: Vec<Option<usize>> =
            cluster.members().map(|at| Some(cluster.queue(at)?.len())).collect();
        if missing == 0 && queues.iter().all(|queue| *queue == Some(0)) {
            return question;
        }
        problem = format!("{missing} attempts are missing, in the queues are {queues:?}");
        thread::sleep(POLL);
    }
    for at in cluster.members() {
        let queue = cluster.queue(at).unwrap_or_default();
        eprintln!("{at}: {}\n{:#?}", cluster.log(at), &queue[..queue.len().min(5)]);
    }
    panic!("{problem}");
}

/// What the Maildirs say of each attempt. Gives how many there were of each kind.
pub(crate) fn judge(cluster: &Cluster, attempts: &[Attempt]) -> BTreeMap<Seen, u32> {
    let mut copies = cluster.copies();
    let mut wrong = Vec::new();
    let mut kinds: BTreeMap<Seen, u32> = BTreeMap::new();
    for attempt in attempts {
        *kinds.entry(attempt.seen).or_default() += 1;
        for account in &attempt.accounts {
            let count = copies.remove(&(attempt.tag.clone(), *account)).unwrap_or(0);
            let is_right = match attempt.seen {
                Seen::Accepted => count == 1,
                Seen::Nothing => count <= 1,
                Seen::Refused => count == 0,
            };
            if !is_right {
                let (tag, seen, address) = (&attempt.tag, attempt.seen, cluster.account(*account));
                wrong.push(format!("{tag}, {seen:?}: {count} times at {address}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} attempts: {}", wrong.len(), wrong.join("; "));
    assert!(copies.is_empty(), "nobody sent these: {copies:?}");
    kinds
}
