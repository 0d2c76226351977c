//! C6, one master: no two members of a group that elects its master have a lease at one time, and when faults
//! stop, one of them has it and every other one follows it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use crate::sim::host::Host;
use crate::sim::network::HostIndex;
use crate::wire::ids::{GroupName, MemberName};

/// Who has a lease.
#[derive(Debug, Default)]
pub(super) struct OneMaster {
    holders: BTreeMap<GroupName, BTreeSet<HostIndex>>,
}

impl OneMaster {
    /// A member has taken a step, or its process has ended.
    pub(super) fn look(&mut self, host: &Host, place: HostIndex) -> Result<(), String> {
        let Some(group) = host.config.organization.group_of(&host.config.member) else {
            return Ok(());
        };
        if group.election.is_none() {
            return Ok(());
        }
        let holders = self.holders.entry(group.name.clone()).or_default();
        if holds(host, &group.name) {
            holders.insert(place);
        } else {
            holders.remove(&place);
        }
        if holders.len() > 1 {
            return Err(format!(
                "{} members of {} have a lease at one time",
                holders.len(),
                group.name
            ));
        }
        Ok(())
    }
}

/// No faults strike any more, and the bound has passed: each group has a master that all follow, also where the
/// operator has made one, or two on both sides of a partition.
pub(super) fn settled(hosts: &[Host]) -> Result<(), String> {
    let mut masters: BTreeMap<&GroupName, &MemberName> = BTreeMap::new();
    for host in hosts {
        let member = &host.config.member;
        let group = host.config.organization.group_of(member);
        let (Some(group), Some(node)) = (group, &host.node) else { continue };
        let master = node.machine().member().link().master();
        let master = master.ok_or_else(|| format!("{member} knows of no master"))?;
        if *masters.entry(&group.name).or_insert(master) != master {
            return Err(format!("{member} takes {master} for the master of {}", group.name));
        }
    }
    let elects = |group: &&GroupName| {
        let group = hosts.iter().find_map(|host| host.config.organization.group(group));
        group.is_some_and(|group| group.election.is_some())
    };
    for (group, master) in masters.into_iter().filter(|(group, _)| elects(group)) {
        let holder = hosts.iter().find(|host| host.config.member == *master);
        if !holder.is_some_and(|holder| holds(holder, group)) {
            return Err(format!("all take {master} for the master of {group}, which has no lease"));
        }
    }
    Ok(())
}

fn holds(host: &Host, group: &GroupName) -> bool {
    let election = host.node.as_ref().and_then(|node| node.machine().member().election(group));
    election.is_some_and(|election| election.leads().is_some())
}
