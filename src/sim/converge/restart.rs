//! All members boot at once: what they tell each other until they agree.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use clap::ValueEnum;
use serde::Serialize;

use super::meter::Passed;
use super::network::Network;
use super::run::{Outcome, Plan, converged_disks, rest};
use super::shape::{Shape, Topology};
use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::linkstate::LinkDurable;

/// What the members find on their disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Disks {
    /// Every record.
    Warm,
    /// Nothing.
    Cold,
}

impl fmt::Display for Disks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
        })
    }
}

/// What a restart of all members took.
#[derive(Clone, Debug, Serialize)]
pub struct Relearnt {
    /// How the groups are joined.
    pub shape: Shape,
    /// How many groups.
    pub groups: usize,
    /// How many members in all.
    pub members: usize,
    /// How many connectors.
    pub connectors: usize,
    /// What was on the disks.
    pub disks: Disks,
    /// From the boot until no table grew any more, in microseconds.
    pub agreed_after: Span,
    /// From the boot until nothing was said any more, in microseconds.
    pub silent_after: Span,
    /// What passed over all connectors.
    pub connected: Passed,
    /// What passed inside the groups.
    pub local: Passed,
}

impl Relearnt {
    /// What of the promises was not kept, when the members ended with so many different tables.
    #[must_use]
    pub fn breaches(&self, tables: usize) -> Vec<String> {
        let mut breaches = Vec::new();
        let place = format!("{} of {} groups, {}", self.shape, self.groups, self.disks);
        if tables != 1 {
            breaches.push(format!("LS-202: {place}: {tables} different tables"));
        }
        let records = self.connected.records + self.local.records;
        if self.disks == Disks::Warm && records > 0 {
            breaches.push(format!("LS-202: {place}: {records} records, expected digests alone"));
        }
        breaches
    }
}

/// Boots all members at once.
#[must_use]
pub fn restart(plan: &Plan, disks: Disks, progress: Option<fn(u64, Time)>) -> Outcome<Relearnt> {
    clause!(LS_202);
    let topology = Topology::new(plan.shape, plan.groups, plan.members, plan.seed);
    let organization = Arc::new(topology.organization);
    let (delays, seed, faults) = (plan.delays, plan.seed, &plan.faults);
    let mut network = match disks {
        Disks::Warm => {
            Network::new(&organization, delays, seed, faults, converged_disks(&organization))
        }
        Disks::Cold => {
            let empty = Arc::new(LinkDurable::default());
            Network::new(&organization, delays, seed, faults, |_| Arc::clone(&empty))
        }
    };
    network.progress = progress;
    network.boot_all();
    let place = format!("{} of {} groups, {disks}", plan.shape, plan.groups);
    let mut outcome = Outcome { rows: Vec::new(), breaches: Vec::new(), stuck: None };
    if let Err(stuck) = rest(&mut network, plan, "the boot does not come to rest") {
        outcome.stuck = Some(format!("{place}: {stuck}"));
        return outcome;
    }
    let mut digests: Vec<_> = network.machines().map(|(_, m)| m.table().digest()).collect();
    digests.sort_unstable();
    digests.dedup();
    let relearnt = Relearnt {
        shape: plan.shape,
        groups: plan.groups,
        members: plan.groups * plan.members,
        connectors: organization.connectors.len(),
        disks,
        agreed_after: network.last_growth.since(Time(0)),
        silent_after: network.last_sent.since(Time(0)),
        connected: network.meter.over_connectors(),
        local: network.meter.local,
    };
    outcome.breaches.extend(relearnt.breaches(digests.len()));
    outcome.rows.push(relearnt);
    outcome
}
