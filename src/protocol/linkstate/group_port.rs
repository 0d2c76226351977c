//! Inside the group: members report to the master, the master publishes the group's record.

use alloc::vec::Vec;

use serde::Serialize;

use super::link::Link;
use super::{
    LinkConfig, LinkEvent, LinkPdu, LinkState, LinkTimer, Neighbour, SourceState, TableChange,
};
use crate::clause;
use crate::kernel::{Cx, Span, draw_u64};
use crate::protocol::master::{Mastership, OUTBID_LIMIT, OUTBID_WINDOW, next_term};
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
    /// Takes over who the master is.
    pub(super) fn adopt_master(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let master = &config.group().master;
        let is_master = *master == config.member;
        let stale: Vec<_> = self
            .links
            .keys()
            .filter(|neighbour| match neighbour {
                Neighbour::Master(member) => is_master || member != master,
                Neighbour::Attached(member) => {
                    !is_master || !config.group().members.contains(member)
                }
                _ => false,
            })
            .cloned()
            .collect();
        for neighbour in stale {
            self.links.remove(&neighbour);
            cx.disarm(LinkTimer::Answer(neighbour.clone()));
            cx.close(neighbour);
        }
        if is_master {
            clause!(MA_001);
            self.reattach.reset();
            cx.disarm(LinkTimer::Reattach);
            self.begin_mastership(config, cx);
        } else {
            self.mastership = None;
            cx.disarm(LinkTimer::Outbid);
            self.attach(config, cx);
        }
    }

    fn begin_mastership(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if self.mastership.is_none() {
            let published = self.published_term(config);
            // Another member has spoken for the group, and maybe more than this one has heard.
            let is_successor = published.is_some_and(|published| published.member != config.member);
            let own = self.term.as_ref().filter(|term| term.member == config.member);
            let term = match own {
                Some(own) if published.is_none_or(|published| published <= own) => {
                    clause!(MA_002);
                    own.clone()
                }
                _ => self.begin_term(config, cx),
            };
            self.mastership = Some(Mastership::new(term));
            if is_successor {
                self.begin_collection(config, cx);
            }
        }
        let own = self.report();
        if let Some(mastership) = &mut self.mastership {
            for (connector, state) in own {
                mastership.hear(&config.member, connector, state);
            }
        }
        self.watch_sources(config, cx);
    }

    /// The term of the record of the own group.
    fn published_term(&self, config: &LinkConfig) -> Option<&super::Term> {
        let record = self.table.of(&config.group().uuid);
        record.filter(|record| record.deleted.is_none()).map(|record| &record.version.term)
    }

    /// Draws a term above every known one, and stores it.
    fn begin_term(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) -> super::Term {
        let nonce = draw_u64(cx.choose, "linkstate.term");
        let published = self.published_term(config);
        let mut term = next_term(self.term.as_ref(), published, &config.member, nonce);
        if config.faults.is_on("first-term-outbids") {
            term.nonce = nonce;
        }
        cx.store(TableChange::Term(term.clone()));
        self.term = Some(term.clone());
        term
    }

    /// As the master: makes the table say what is known of the group. Whether something new was published.
    pub(super) fn publish(
        &mut self,
        config: &LinkConfig,
        contested: bool,
        cx: &mut Cx<'_, Self>,
    ) -> bool {
        let Some(mastership) = &self.mastership else { return false };
        if mastership.collection.is_some() {
            return false;
        }
        if self.is_buried(config) {
            clause!(LS_134);
            return false;
        }
        let group = config.group();
        let (organization, mut term) = (&config.organization, mastership.term.clone());
        let published = self.table.of(&group.uuid).map(|record| &record.version);
        let is_greater = published.is_some_and(|version| version.term > term);
        let is_at_end = published.is_some_and(|version| version.minor == u32::MAX);
        if published.is_some_and(|version| version.major > organization.revision) {
            cx.event(LinkEvent::Conflict { group: group.name.clone() });
        } else if is_greater && !self.may_outbid(config, cx) {
            return false;
        } else if is_greater || is_at_end {
            term = self.begin_term(config, cx);
        }
        let Some(mastership) = &mut self.mastership else { return false };
        mastership.term = term;
        let current = self.table.of(&group.uuid);
        let known = current.map(|record| &**record);
        let Some(record) = mastership.compose(organization, group, known, contested) else {
            return false;
        };
        assert!(current.is_none_or(|c| c.version < record.version), "versions only grow");
        let _ = self.grow(config, alloc::vec![record.into()], None, cx);
        true
    }

    /// Whether a greater term in the record of our group is outbid. Another member that is the master by
    /// its own file would outbid us again: two such members must not go on with that.
    fn may_outbid(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) -> bool {
        let group = config.group();
        let published = self.table.of(&group.uuid).map(|record| &record.version.term.member);
        let (Some(mastership), Some(other)) = (&mut self.mastership, published) else {
            return false;
        };
        if *other == config.member || config.faults.is_on("outbids-for-ever") {
            return true;
        }
        clause!(MA_026);
        cx.event(LinkEvent::Conflict { group: group.name.clone() });
        if mastership.outbids >= OUTBID_LIMIT {
            return false;
        }
        if mastership.outbids == 0 {
            cx.arm(LinkTimer::Outbid, OUTBID_WINDOW);
        }
        mastership.outbids += 1;
        true
    }

    /// The window in which terms of others are outbid begins anew.
    pub(super) fn outbid_again(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if let Some(mastership) = &mut self.mastership {
            mastership.outbids = 0;
        }
        self.publish(config, false, cx);
    }

    /// Calls the master, unless a wait runs.
    pub(super) fn attach(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let master = &config.group().master;
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
        let master = Neighbour::Master(config.group().master.clone());
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
            let member = group.master.clone();
            let attached = is_up(&Neighbour::Master(member.clone()));
            return alloc::vec![AttachmentRow { member, attached }];
        }
        let others = group.members.iter().filter(|member| **member != config.member);
        let rows = others.map(|member| {
            let attached = is_up(&Neighbour::Attached(member.clone()));
            AttachmentRow { member: member.clone(), attached }
        });
        rows.collect()
    }
}
