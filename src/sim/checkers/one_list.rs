//! One list of members: nobody ever replaces its list by one that is not greater, and when faults stop, all
//! members of a group have one list, on their disks, too.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use crate::protocol::master::members::MembersChange;
use crate::protocol::queue::Change;
use crate::sim::host::Host;
use crate::sim::network::HostIndex;
use crate::wire::ids::GroupName;
use crate::wire::members::ListVersion;

/// The list that each disk had when it was written last.
#[derive(Debug, Default)]
pub(super) struct OneList {
    known: BTreeMap<HostIndex, ListVersion>,
}

impl OneList {
    /// A change is on the disk of a member.
    pub(super) fn stored(&mut self, place: HostIndex, change: &Change) -> Result<(), String> {
        let Change::Members(MembersChange::List { list, .. }) = change else { return Ok(()) };
        let known = self.known.insert(place, list.version.clone());
        match known.filter(|known| *known >= list.version) {
            Some(known) => Err(format!("the list {known:?} was replaced by {:?}", list.version)),
            None => Ok(()),
        }
    }

    /// The disk of a member is another one.
    pub(super) fn set_back(&mut self, host: &Host, place: HostIndex) {
        self.known.remove(&place);
        if let Some((_, list)) = &host.disk.durable().members.list {
            self.known.insert(place, list.version.clone());
        }
    }
}

/// No faults strike any more, and the bound has passed.
pub(super) fn settled(hosts: &[Host]) -> Result<(), String> {
    let mut lists: BTreeMap<&GroupName, (&str, &ListVersion)> = BTreeMap::new();
    for host in hosts {
        let group = host.config.organization.group_of(&host.config.member);
        let (Some(group), Some(node)) = (group, &host.node) else { continue };
        let list = node.machine().member().membership().list();
        let version = &list.ok_or_else(|| format!("{} has no list", host.name()))?.version;
        let stored = host.disk.durable().members.list.as_ref();
        if stored.is_none_or(|(_, stored)| stored.version != *version) {
            return Err(format!("{} has a list that is not on its disk", host.name()));
        }
        let (first, expected) = *lists.entry(&group.name).or_insert_with(|| (host.name(), version));
        if version != expected {
            return Err(format!("{} has {version:?}, but {first} has {expected:?}", host.name()));
        }
    }
    Ok(())
}
