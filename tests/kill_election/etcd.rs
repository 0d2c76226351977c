//! etcd in place of the voters: one server of it, with its default settings.

use super::{BackEnd, Begun, Bounds, CLOCK_DRIFT_PPM, VOTERS, longest_ms};
use crate::etcd_server::Etcd;

/// etcd gives no lease that is shorter.
const SHORTEST_LEASE_S: u64 = 2;
/// How late it may notice that a lease has ended.
const NOTICE_MS: u64 = 1_000;

/// etcd decides; it is asked by all members.
pub(crate) const ETCD: BackEnd = BackEnd {
    name: "etcd",
    promises: false,
    bounds: |lease_s| {
        let key_ms = longest_ms(lease_s.max(SHORTEST_LEASE_S));
        let order_ms = longest_ms(lease_s) * VOTERS.len() as u64 / 10;
        let killed = key_ms + order_ms + NOTICE_MS;
        Bounds { killed, exchanges: 3, any: 6 * longest_ms(lease_s) }
    },
    begin: |directory, lease_s| {
        let etcd = Etcd::start(directory);
        let table = format!(
            "back_end = \"etcd\"\nvoters = {VOTERS:?}\nlease_s = {lease_s}\nclock_drift_ppm = {CLOCK_DRIFT_PPM}\n"
        );
        Begun { table, etcd: vec![etcd.endpoint()], beside: Box::new(etcd) }
    },
};
