//! Every interleaving of two producers and the server of the group commit (SV-001, SV-002, SV-003).

use std::sync::Mutex;

use bridgehead_loom::sync::{Closed, GroupCommit};
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

/// More preemptions than this find nothing new in a queue with one lock, and take hours.
const PREEMPTION_BOUND: usize = 3;

/// How many operations the two producers push.
const PUSHED: usize = 3;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTION_BOUND);
    builder.check(model);
}

/// What the disk and the host have seen, in order. Only the server's thread touches it while it runs,
/// so it needs no lock of loom's.
#[derive(Default)]
struct Seen {
    committed: Vec<(u8, u8)>,
    acknowledged: Vec<(u8, u8)>,
}

/// Serves until everything is acknowledged, and closes only then: nothing but the push itself wakes the
/// server, so a lost wakeup leaves it asleep, and loom reports the deadlock. Each acknowledgement checks that its commit came first.
fn serve(queue: &GroupCommit<(u8, u8)>, seen: &Mutex<Seen>, limit: usize) -> Result<(), ()> {
    queue.serve(
        limit,
        |group| {
            assert!(
                !group.is_empty() && group.len() <= limit,
                "a group is neither empty nor large"
            );
            seen.lock().unwrap().committed.extend_from_slice(group);
            Ok(())
        },
        |group| {
            let mut seen = seen.lock().unwrap();
            seen.acknowledged.extend_from_slice(&group);
            let count = seen.acknowledged.len();
            assert_eq!(seen.committed[..count], seen.acknowledged, "committed before acknowledged");
            if count == PUSHED {
                queue.close();
            }
        },
    )
}

/// Each producer's operations appear in the order of its pushes.
fn assert_fifo(operations: &[(u8, u8)]) {
    for producer in 0..2 {
        let own: Vec<u8> =
            operations.iter().filter(|(who, _)| *who == producer).map(|(_, n)| *n).collect();
        assert!(own.windows(2).all(|pair| pair[0] < pair[1]), "first in, first out: {own:?}");
    }
}

fn all_is_served(limit: usize) {
    explore(move || {
        let queue = Arc::new(GroupCommit::new());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let server = {
            let (queue, seen) = (Arc::clone(&queue), Arc::clone(&seen));
            thread::spawn(move || serve(&queue, &seen, limit))
        };
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push((1, 0)).expect("it is open"))
        };
        queue.push((0, 0)).expect("it is open");
        queue.push((0, 1)).expect("it is open");
        producer.join().unwrap();
        server.join().unwrap().expect("no commit fails");
        let seen = seen.lock().unwrap();
        assert_eq!(seen.acknowledged.len(), PUSHED, "everything that was pushed is served");
        assert_eq!(seen.acknowledged, seen.committed);
        assert_fifo(&seen.committed);
        assert_eq!(queue.unsettled(), 0);
        assert_eq!(queue.push((0, 2)), Err(Closed));
    });
}

#[test]
fn everything_is_served_in_order_one_by_one() {
    all_is_served(1);
}

#[test]
fn everything_is_served_in_order_in_groups() {
    all_is_served(8);
}

/// SV-003: whatever was queued when a commit fails, nothing of it is acknowledged.
#[test]
fn a_failed_commit_ends_everything() {
    explore(|| {
        let queue = Arc::new(GroupCommit::new());
        let server = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                queue.serve(1, |_: &[(u8, u8)]| Err(()), |_| panic!("nothing is acknowledged"))
            })
        };
        let _ = queue.push((0, 0));
        let _ = queue.push((0, 1));
        server.join().unwrap().expect_err("the commit failed");
        assert_eq!(queue.push((0, 2)), Err(Closed), "the queue is closed for good");
        assert_eq!(queue.unsettled(), 0);
    });
}

#[test]
fn closing_wakes_the_server_and_loses_nothing() {
    explore(|| {
        let queue = Arc::new(GroupCommit::new());
        let server = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let mut served = 0;
                let end = queue.serve(8, |_| Ok::<(), ()>(()), |group| served += group.len());
                end.map(|()| served)
            })
        };
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push((1, 0)))
        };
        queue.close();
        let pushed = usize::from(producer.join().unwrap().is_ok());
        assert_eq!(server.join().unwrap(), Ok(pushed), "what was taken is served");
    });
}
