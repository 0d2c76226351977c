//! Connections that break alone, hosts that vanish without a word, and what leaves a group.

use std::collections::BTreeSet;

use bridgehead::kernel::{Act, Span, Time};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::linkstate::{LinkPdu, Neighbour};
use bridgehead::wire::ids::{GroupName, MemberName};

use super::{Happening, Network};

/// After this span the system of a host has noticed that a far end is gone (MA-020).
pub(crate) const KEEPALIVE: Span = Span::minutes(2);

impl Network {
    /// Every member has these planted bugs from now on.
    pub(crate) fn plant(&mut self, names: &[&str]) {
        for site in self.sites.values_mut() {
            site.config.faults = Faults::named(names.iter().copied()).expect("they exist");
        }
    }

    /// One connection of a member breaks, and both ends see it.
    pub(crate) fn drop_connection(&mut self, member: &MemberName, peer: &Neighbour) {
        let id = self.sites[member].connections.get(peer).copied();
        self.break_connection(id.expect("the connection is there"));
    }

    /// The host of a member loses its power: nobody is told, and only the keepalives of the others
    /// notice it.
    pub(crate) fn vanish(&mut self, member: &MemberName) {
        let site = self.site(member);
        site.node = None;
        site.unwritten.clear();
        site.timers.clear();
        site.epoch += 1;
        for id in core::mem::take(&mut site.connections).into_values() {
            let side = self.far_side(id, member);
            self.plan(KEEPALIVE, Happening::Closed(id, side));
        }
    }

    /// Whether a member has its connection to the master.
    pub(crate) fn is_attached(&self, member: &MemberName) -> bool {
        let rows = self.machine(member).attachments(&self.sites[member].config);
        rows.iter().all(|row| row.attached)
    }

    /// Records in all that was told since `since`.
    pub(crate) fn records_told(&self, since: Time) -> usize {
        let told = self.log.iter().filter(|line| line.time >= since).map(|line| match &line.act {
            Act::Send {
                pdu: LinkPdu::News { records, .. } | LinkPdu::Merged { records, .. },
                ..
            } => records.len(),
            _ => 0,
        });
        told.sum()
    }

    /// The versions of the group's own record that its members have told others since `since`.
    pub(crate) fn versions_that_left(&self, group: &str, since: Time) -> BTreeSet<String> {
        let group = GroupName::from(group);
        let is_inside =
            |member| self.organization.group_of(member).is_some_and(|g| g.name == group);
        let mut left = BTreeSet::new();
        for line in self.log.iter().filter(|line| line.time >= since && is_inside(&line.member)) {
            if let Act::Send {
                to,
                pdu: LinkPdu::News { records, .. } | LinkPdu::Merged { records, .. },
            } = &line.act
                && !is_inside(to.member())
            {
                let own = records.iter().filter(|record| record.group == group);
                left.extend(own.map(|record| record.version.to_string()));
            }
        }
        left
    }
}
