//! One master after another: whom the group has, how long it has none, and when the next one speaks for it.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use super::VOTERS;
use super::watch::{Said, Watch, version};
use crate::kill_support::Cluster;

/// How often it is looked for something that somebody else has to do.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Nothing that is waited for here takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one kill has led to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failover {
    /// From the kill to the moment when another one has said that it is the master.
    pub(crate) without_master: Duration,
    /// From then to the first record under its term in its own table, where the dead one stayed away.
    pub(crate) to_record: Option<Duration>,
}

/// Looks until there is something.
pub(crate) fn wait<T>(what: &str, cluster: &Cluster, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        if begun.elapsed() > PATIENCE {
            let logs: Vec<_> = cluster.members().map(|at| cluster.log(at)).collect();
            panic!("{what}: not within {PATIENCE:?}\n{}", logs.join("\n--\n"));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// The master of a group that is whole: every voter obeys it, has promised itself to it, and it has published.
pub(crate) fn whole(cluster: &Cluster, watch: &Watch) -> usize {
    wait("all voters with one master that has published", cluster, || {
        let master = watch.agreed()?;
        let term = version(cluster, master)?.term;
        (term.member.as_str() == VOTERS[master]).then_some(master)
    })
}

/// Kills the master, and starts it again once another one is elected, and has published if `stays_away`.
pub(crate) fn depose(
    cluster: &Cluster,
    watch: &Watch,
    victim: usize,
    stays_away: bool,
) -> Failover {
    cluster.wait_for_a_client(victim);
    let killed = Instant::now();
    cluster.kill(victim);
    let next = wait("another master", cluster, || watch.first_since(killed, Some(victim)));
    let to_record = stays_away.then(|| record_of(cluster, &next));
    cluster.start(victim);
    Failover { without_master: next.answered - killed, to_record }
}

/// How long after its election a master has published.
pub(crate) fn record_of(cluster: &Cluster, master: &Said) -> Duration {
    wait("the first record of a new master", cluster, || {
        (version(cluster, master.member)?.term >= master.term).then(|| master.answered.elapsed())
    })
}
