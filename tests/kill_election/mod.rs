//! The scene in which masters die: a group of three that elects, and one member beside it.

use core::any::Any;
use std::path::Path;

use crate::kill_support::Scene;

pub(crate) mod reign;
pub(crate) mod watch;

/// The voters, in the order in which they stand; the member of the other group comes behind them.
pub(crate) const VOTERS: [&str; 3] = ["core-a", "core-b", "core-c"];
/// One account at each member.
const ACCOUNTS: [&str; 4] =
    ["ann@example.org", "bob@example.org", "cid@example.org", "dan@example.org"];
/// The identity of the group that elects.
pub(crate) const GROUP: &str = "CORE";
/// Of its rate, a clock is wrong by no more than that.
pub(crate) const CLOCK_DRIFT_PPM: u64 = 50_000;

/// Who sees to it that there is one master.
pub(crate) struct BackEnd {
    /// In what is printed.
    pub(crate) name: &'static str,
    /// Starts what has to run beside the members, for the scene in this directory and leases of so many seconds.
    pub(crate) begin: fn(&Path, u64) -> Begun,
}

/// A back end that runs.
pub(crate) struct Begun {
    /// The lines of the group's table `election`.
    pub(crate) table: String,
    /// What ends when this is dropped.
    pub(crate) beside: Box<dyn Any>,
}

/// The members elect among themselves; nothing runs beside them.
pub(crate) const EMBEDDED: BackEnd = BackEnd {
    name: "embedded",
    begin: |_, lease_s| {
        let table = format!(
            "voters = {VOTERS:?}\nlease_s = {lease_s}\nclock_drift_ppm = {CLOCK_DRIFT_PPM}\n"
        );
        Begun { table, beside: Box::new(()) }
    },
};

/// Each of the three carries the connector, so that mail crosses it whoever is dead; the way back leads to
/// whichever of them answers.
pub(crate) fn scene(election: &str) -> Scene {
    let organization = format!(
        r#"
format = 1
revision = 1
name = "four"
domains = ["example.org"]

[[group]]
name = "{GROUP}"
uuid = "0123456789abcdef0123456789abcdef"
members = {VOTERS:?}

[group.election]
{election}

[[group]]
name = "FAR"
uuid = "fedcba9876543210fedcba9876543210"
members = ["far-a"]
master = "far-a"

[[connector]]
name = "CORE-FAR"
from = "CORE"
to = "FAR"
cost = 10
sources = {VOTERS:?}
targets = ["far-a"]

[[connector]]
name = "FAR-CORE"
from = "FAR"
to = "CORE"
cost = 10
sources = ["far-a"]
targets = {VOTERS:?}

[[account]]
address = "ann@example.org"
host = "core-a"

[[account]]
address = "bob@example.org"
host = "core-b"

[[account]]
address = "cid@example.org"
host = "core-c"

[[account]]
address = "dan@example.org"
host = "far-a"
"#
    );
    // Leases last as long as they say: what is printed of them are real seconds.
    Scene { organization, accounts: &ACCOUNTS, scale: 1.0 }
}

/// The bounds that the chapter MASTER states, in milliseconds: for a master that is killed while all others are
/// well, and for the end of any fault.
pub(crate) fn bounds_ms(lease_s: u64) -> (u64, u64) {
    let longest_promise_ms = lease_s * 1_000 * 1_000_000 / (1_000_000 - CLOCK_DRIFT_PPM);
    let voters = VOTERS.len() as u64;
    (longest_promise_ms * (10 + voters) / 10, 6 * longest_promise_ms)
}
