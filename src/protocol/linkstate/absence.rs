//! What a master does about members that are not attached: a source that is dead is named as not available.

use alloc::vec::Vec;

use super::{LinkConfig, LinkState, LinkTimer, Neighbour};
use crate::clause;
use crate::kernel::Cx;
use crate::protocol::master::{ABSENCE_HOLD, ABSENCE_LIMIT};
use crate::protocol::organization::Connector;
use crate::wire::ids::MemberName;

impl LinkState {
    /// As the master: the time of every source that is not attached runs, where another one could take its place.
    pub(super) fn watch_sources(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let mut sources: Vec<_> = shared_connectors(config).flat_map(|c| &c.sources).collect();
        sources.sort_unstable();
        sources.dedup();
        let Some(mastership) = &mut self.mastership else { return };
        for source in sources.into_iter().filter(|source| **source != config.member) {
            let is_attached = self.links.contains_key(&Neighbour::Attached(source.clone()));
            if !is_attached && mastership.absences.leave(source) {
                cx.arm(LinkTimer::Absence(source.clone()), ABSENCE_LIMIT);
            }
        }
    }

    /// As the master: a member has reported, and so it is there.
    pub(super) fn is_back(&mut self, member: &MemberName, cx: &mut Cx<'_, Self>) {
        if self.mastership.as_mut().is_some_and(|mastership| mastership.absences.come(member)) {
            cx.disarm(LinkTimer::Absence(member.clone()));
        }
    }

    /// A member has been away for as long as any may be.
    pub(super) fn is_overdue(
        &mut self,
        config: &LinkConfig,
        member: &MemberName,
        cx: &mut Cx<'_, Self>,
    ) {
        if let Some(mastership) = &mut self.mastership {
            mastership.absences.expire(member);
        }
        self.name_absent(config, cx);
        self.publish(config, false, cx);
    }

    /// A member may be taken for absent again.
    pub(super) fn may_be_absent(
        &mut self,
        config: &LinkConfig,
        member: &MemberName,
        cx: &mut Cx<'_, Self>,
    ) {
        if let Some(mastership) = &mut self.mastership {
            mastership.absences.release(member);
        }
        self.name_absent(config, cx);
        self.publish(config, false, cx);
    }

    /// Takes for absent whoever has been away for too long; nobody, while it is the master who may be cut off.
    pub(super) fn name_absent(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if config.faults.is_on("dead-source-is-available") {
            return;
        }
        let is_attached = |neighbour: &&Neighbour| matches!(neighbour, Neighbour::Attached(_));
        let present = 1 + self.links.keys().filter(is_attached).count();
        let is_majority = 2 * present > config.group().members.len();
        if !is_majority && !config.faults.is_on("minority-names-absent") {
            clause!(LS_233);
            return;
        }
        let Some(mastership) = &mut self.mastership else { return };
        let links = &self.links;
        let is_here = |source: &MemberName| {
            *source == config.member || links.contains_key(&Neighbour::Attached(source.clone()))
        };
        let is_replaced = |member: &MemberName| {
            let mut shared = shared_connectors(config).filter(|c| c.sources.contains(member));
            shared.any(|c| c.sources.iter().any(|source| source != member && is_here(source)))
        };
        for member in mastership.absences.name(is_replaced) {
            cx.arm(LinkTimer::AbsenceHold(member), ABSENCE_HOLD);
        }
    }
}

/// The connectors of the own group that several members carry.
fn shared_connectors(config: &LinkConfig) -> impl Iterator<Item = &Connector> {
    // Looked up once: a large organization has many groups for each of its many connectors.
    let own = &config.group().name;
    let connectors = config.organization.connectors.iter();
    connectors.filter(move |c| c.sources.len() > 1 && c.from == *own)
}
