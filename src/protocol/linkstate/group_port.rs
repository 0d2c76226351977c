//! Inside the group: members report to the master, the master publishes the group's record.

use alloc::vec::Vec;

use serde::Serialize;

use super::link::Link;
use super::{LinkConfig, LinkPdu, LinkState, LinkTimer, Neighbour, SourceState};
use crate::clause;
use crate::kernel::{Cx, Span};
use crate::wire::ids::{ConnectorName, MemberName};

/// How long the far end of a connection of the group port may take for an answer.
pub const ANSWER_WAIT: Span = Span::minutes(1);

/// Whether a member has a connection with us on the group port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttachmentRow {
    /// The member.
    pub member: MemberName,
    /// It is attached to us, or we to it.
    pub attached: bool,
}

impl Neighbour {
    /// Whether this is a connection between a member and its master.
    const fn is_on_group_port(&self) -> bool {
        matches!(self, Self::Master(_) | Self::Attached(_))
    }
}

impl LinkState {
    /// Calls the master, unless a wait runs.
    pub(super) fn attach(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let Some(master) = &self.master else { return };
        let neighbour = Neighbour::Master(master.clone());
        let is_master = *master == config.member;
        if is_master || self.reattach.waiting || self.links.contains_key(&neighbour) {
            return;
        }
        self.links.insert(neighbour.clone(), Link::default());
        cx.open(neighbour, ());
    }

    /// A member called us on the group port.
    pub(super) fn attached(
        &mut self,
        config: &LinkConfig,
        member: &MemberName,
        cx: &mut Cx<'_, Self>,
    ) {
        let neighbour = Neighbour::Attached(member.clone());
        let is_ours = config.group().members.contains(member) && *member != config.member;
        if self.mastership.is_none() || !is_ours {
            clause!(MA_012);
            Self::misbehaved(&neighbour, "attached to a member that is not its master", cx);
            self.links.remove(&neighbour);
            cx.close(neighbour);
            return;
        }
        clause!(MA_016);
        self.forget_unanswered(&neighbour);
        self.links.insert(neighbour, Link { up: true, ..Link::default() });
        if config.faults.is_on("attachment-is-published") {
            self.publish(config, true, cx);
        }
    }

    /// A member is attached no longer. What it has reported stands until it reports again.
    pub(super) fn detached(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        clause!(MA_016);
        self.watch_sources(config, cx);
        self.heed_absent(config, cx);
        if config.faults.is_on("attachment-is-published") {
            self.publish(config, true, cx);
        }
    }

    /// The state of each connector that this member carries, as the master is to know it. Of one of which
    /// this member knows nothing, as without its disk, the group may know more.
    pub(super) fn report(&self) -> Vec<(ConnectorName, SourceState)> {
        clause!(MA_025);
        let detectors = self.detectors.values().filter(|detector| !detector.unknown);
        detectors.map(|d| (d.name.clone(), d.reported())).collect()
    }

    /// The state of a connector of this member has changed.
    pub(super) fn tell_master(
        &mut self,
        config: &LinkConfig,
        connector: &ConnectorName,
        state: SourceState,
        cx: &mut Cx<'_, Self>,
    ) {
        if let Some(mastership) = &mut self.mastership {
            mastership.hear(&config.member, connector.clone(), state);
            self.publish(config, false, cx);
            return;
        }
        let states = self.report();
        let Some(master) = self.master.clone().map(Neighbour::Master) else { return };
        if let Some(link) = self.links.get_mut(&master)
            && link.up
        {
            clause!(MA_013);
            link.reports += 1;
            cx.send(master.clone(), LinkPdu::Report { states });
            self.await_answer(&master, cx);
        }
    }

    /// A member reports to us.
    pub(super) fn report_heard(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        states: Vec<(ConnectorName, SourceState)>,
        cx: &mut Cx<'_, Self>,
    ) {
        let (Neighbour::Attached(member), Some(mastership)) = (from, &mut self.mastership) else {
            self.out_of_place(config, from, "Report to a member that is not its master", cx);
            return;
        };
        let mut foreign = None;
        for (name, state) in states {
            let connector = config.organization.connector(&name);
            if connector.is_some_and(|connector| connector.sources.contains(member)) {
                mastership.hear(member, name, state);
            } else {
                foreign.get_or_insert(name);
            }
        }
        self.is_back(member, cx);
        self.name_absent(config, cx);
        // One alarm for each report: what a member may name in one is bounded by the frame alone.
        if let Some(name) = foreign {
            clause!(MA_014);
            Self::misbehaved(from, alloc::format!("reports {name}, which it does not carry"), cx);
        }
        self.publish(config, false, cx);
        self.answer_report(from, cx);
    }

    /// The master has our report in its record.
    pub(super) fn reported(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        cx: &mut Cx<'_, Self>,
    ) {
        match self.links.get_mut(from).filter(|link| link.reports > 0) {
            Some(link) => {
                link.reports -= 1;
                self.answer_came(from, cx);
            }
            None => self.out_of_place(config, from, "Reported without Report", cx),
        }
    }

    /// Something was sent that the far end has to answer. The time runs from the first such thing: what
    /// follows it does not give a silent far end more.
    pub(super) fn await_answer(&mut self, neighbour: &Neighbour, cx: &mut Cx<'_, Self>) {
        let link = self.links.get_mut(neighbour).filter(|_| neighbour.is_on_group_port());
        if let Some(link) = link
            && !core::mem::replace(&mut link.awaited, true)
        {
            clause!(MA_019);
            cx.arm(LinkTimer::Answer(neighbour.clone()), ANSWER_WAIT);
        }
    }

    /// An answer came: what is still owed has its whole time again.
    pub(super) fn answer_came(&mut self, neighbour: &Neighbour, cx: &mut Cx<'_, Self>) {
        let Some(link) = self.links.get_mut(neighbour).filter(|link| link.awaited) else { return };
        let timer = LinkTimer::Answer(neighbour.clone());
        link.awaited = link.outstanding.is_some() || link.reports > 0;
        if link.awaited {
            cx.arm(timer, ANSWER_WAIT);
        } else {
            cx.disarm(timer);
        }
    }

    /// The answer has not come in time: whoever is there no longer, or not in his senses, is let go.
    pub(super) fn silent(
        &mut self,
        config: &LinkConfig,
        neighbour: &Neighbour,
        cx: &mut Cx<'_, Self>,
    ) {
        let is_awaited = self.links.get(neighbour).is_some_and(|link| link.awaited);
        if is_awaited && !config.faults.is_on("silence-is-kept") {
            self.out_of_place(config, neighbour, "no answer in time", cx);
        }
    }

    /// A peer broke the protocol. On the group port that ends the connection: neither side knows any more
    /// what the other one waits for.
    pub(super) fn out_of_place(
        &mut self,
        config: &LinkConfig,
        neighbour: &Neighbour,
        problem: &str,
        cx: &mut Cx<'_, Self>,
    ) {
        Self::misbehaved(neighbour, problem, cx);
        if neighbour.is_on_group_port() && self.links.contains_key(neighbour) {
            clause!(MA_021);
            cx.close(neighbour.clone());
            self.ended(config, neighbour, cx);
        }
    }

    /// Who of the group is attached: at the master each other member, elsewhere the master alone.
    #[must_use]
    pub fn attachments(&self, config: &LinkConfig) -> Vec<AttachmentRow> {
        clause!(MA_017);
        let group = config.group();
        let lies = config.faults.is_on("everybody-is-attached");
        let is_up =
            |neighbour: &Neighbour| lies || self.links.get(neighbour).is_some_and(|link| link.up);
        if self.mastership.is_none() {
            let row = |member: MemberName| {
                let attached = is_up(&Neighbour::Master(member.clone()));
                AttachmentRow { member, attached }
            };
            return self.master.iter().cloned().map(row).collect();
        }
        let others = group.members.iter().filter(|member| **member != config.member);
        let rows = others.map(|member| {
            let attached = is_up(&Neighbour::Attached(member.clone()));
            AttachmentRow { member: member.clone(), attached }
        });
        rows.collect()
    }
}
