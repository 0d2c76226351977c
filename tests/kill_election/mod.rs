//! The scene in which masters die: a group of three that elects, and one member beside it.

use core::any::Any;
use std::path::Path;

use crate::kill_support::Scene;

#[cfg(feature = "etcd")]
pub(crate) mod etcd;
pub(crate) mod guest;
pub(crate) mod reign;
mod stop;
pub(crate) mod watch;

/// The voters, in the order in which they stand. They come first among the members.
pub(crate) const VOTERS: [&str; 3] = ["core-a", "core-b", "core-c"];
/// A member without a vote, which a test may play.
pub(crate) const GUEST: &str = "core-d";
/// Where it comes among the members.
pub(crate) const GUEST_AT: usize = VOTERS.len();
/// The identity of the group that elects.
pub(crate) const GROUP: &str = "CORE";
/// From it to the other one.
pub(crate) const CONNECTOR: &str = "CORE-FAR";
/// Of its rate, a clock is wrong by no more than that.
pub(crate) const CLOCK_DRIFT_PPM: u64 = 50_000;

/// Who sees to it that there is one master.
pub(crate) struct BackEnd {
    /// In what is printed.
    pub(crate) name: &'static str,
    /// Whether the voters promise themselves to the master. Where a store decides, nobody does (MA-087).
    pub(crate) promises: bool,
    /// What the chapter MASTER states for leases of so many seconds.
    pub(crate) bounds: fn(u64) -> Bounds,
    /// Starts what has to run beside the members, for the scene in this directory and leases of so many seconds.
    pub(crate) begin: fn(&Path, u64) -> Begun,
}

/// How long a group can be without a master, in milliseconds.
pub(crate) struct Bounds {
    /// After the kill of a master while all others are well,
    pub(crate) killed: u64,
    /// and so many exchanges.
    pub(crate) exchanges: u64,
    /// After the end of any fault.
    pub(crate) any: u64,
}

/// A back end that runs.
pub(crate) struct Begun {
    /// The lines of the group's table `election`.
    pub(crate) table: String,
    /// Where etcd is, if that is what runs.
    pub(crate) etcd: Vec<String>,
    /// What ends when this is dropped.
    pub(crate) beside: Box<dyn Any>,
}

/// The members elect among themselves; nothing runs beside them.
pub(crate) const EMBEDDED: BackEnd = BackEnd {
    name: "embedded",
    promises: true,
    bounds: |lease_s| {
        let killed = longest_ms(lease_s) * (10 + VOTERS.len() as u64) / 10;
        Bounds { killed, exchanges: 2, any: 6 * longest_ms(lease_s) }
    },
    begin: |_, lease_s| {
        let table = format!(
            "voters = {VOTERS:?}\nlease_s = {lease_s}\nclock_drift_ppm = {CLOCK_DRIFT_PPM}\n"
        );
        Begun { table, etcd: Vec::new(), beside: Box::new(()) }
    },
};

/// Each member of the group carries the connector, so that mail crosses it whoever is dead; the way back leads to
/// whichever of the voters answers.
pub(crate) fn scene(begun: &Begun, guests: &[&str]) -> Scene {
    let election = &begun.table;
    let members = [&VOTERS, guests].concat();
    let mut organization = format!(
        r#"
format = 1
revision = 1
name = "four"
domains = ["example.org"]

[[group]]
name = "{GROUP}"
uuid = "0123456789abcdef0123456789abcdef"
members = {members:?}

[group.election]
{election}

[[group]]
name = "FAR"
uuid = "fedcba9876543210fedcba9876543210"
members = ["far-a"]
master = "far-a"

[[connector]]
name = "{CONNECTOR}"
from = "{GROUP}"
to = "FAR"
cost = 10
sources = {members:?}
targets = ["far-a"]

[[connector]]
name = "FAR-CORE"
from = "FAR"
to = "{GROUP}"
cost = 10
sources = ["far-a"]
targets = {VOTERS:?}
"#
    );
    let mut accounts = Vec::new();
    for member in members.iter().chain(&["far-a"]) {
        let address = format!("{member}@example.org");
        organization += &format!("\n[[account]]\naddress = \"{address}\"\nhost = \"{member}\"\n");
        accounts.push(address);
    }
    // Leases last as long as they say: what is printed of them are real seconds.
    Scene { organization, accounts, scale: 1.0, etcd: begun.etcd.clone() }
}

/// How long so many seconds are at most, by a clock that is wrong.
pub(crate) fn longest_ms(span_s: u64) -> u64 {
    span_s * 1_000 * 1_000_000 / (1_000_000 - CLOCK_DRIFT_PPM)
}
