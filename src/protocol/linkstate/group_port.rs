//! Inside the group: members report to the master, the master publishes the group's record.

use alloc::vec::Vec;

use super::link::Link;
use super::{
    ConnectorState, LinkConfig, LinkEvent, LinkPdu, LinkState, LinkTimer, Neighbour, TableChange,
};
use crate::clause;
use crate::kernel::{Cx, draw_u64};
use crate::protocol::master::{Mastership, next_term};
use crate::wire::ids::{ConnectorName, MemberName};

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
            cx.close(neighbour);
        }
        if is_master {
            clause!(MA_001);
            self.reattach.reset();
            cx.disarm(LinkTimer::Reattach);
            self.begin_mastership(config, cx);
        } else {
            self.mastership = None;
            self.attach(config, cx);
        }
    }

    fn begin_mastership(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if self.mastership.is_none() {
            let published = self.table.of(&config.group().uuid).map(|r| &r.version.term);
            let own = self.term.as_ref().filter(|term| term.member == config.member);
            let term = match own {
                Some(own) if published.is_none_or(|published| published <= own) => {
                    clause!(MA_002);
                    own.clone()
                }
                _ => self.begin_term(config, cx),
            };
            self.mastership = Some(Mastership::new(term));
        }
        let own = self.report();
        if let Some(mastership) = &mut self.mastership {
            for (connector, state) in own {
                mastership.hear(&config.member, connector, state);
            }
        }
    }

    /// Draws a term above every known one, and stores it.
    fn begin_term(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) -> super::Term {
        let nonce = draw_u64(cx.choose, "linkstate.term");
        let published = self.table.of(&config.group().uuid).map(|r| &r.version.term);
        let term = next_term(self.term.as_ref(), published, &config.member, nonce);
        cx.store(TableChange::Term(term.clone()));
        self.term = Some(term.clone());
        term
    }

    /// As the master: makes the table say what is known of the group.
    pub(super) fn publish(&mut self, config: &LinkConfig, contested: bool, cx: &mut Cx<'_, Self>) {
        let Some(mastership) = &self.mastership else { return };
        let group = config.group();
        let (organization, mut term) = (&config.organization, mastership.term.clone());
        if let Some(current) = self.table.of(&group.uuid) {
            let version = &current.version;
            if version.major > organization.revision {
                cx.event(LinkEvent::Conflict { group: group.name.clone() });
            } else if version.term > term || version.minor == u32::MAX {
                term = self.begin_term(config, cx);
            }
        }
        let Some(mastership) = &mut self.mastership else { return };
        mastership.term = term;
        let current = self.table.of(&group.uuid);
        let known = current.map(|record| &**record);
        if let Some(record) = mastership.compose(organization, group, known, contested) {
            assert!(current.is_none_or(|c| c.version < record.version), "versions only grow");
            let _ = self.grow(config, alloc::vec![record.into()], None, cx);
        }
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
        self.links.insert(neighbour, Link { up: true, ..Link::default() });
    }

    /// The state of each connector that this member carries, as the master is to know it.
    pub(super) fn report(&self) -> Vec<(ConnectorName, ConnectorState)> {
        let detectors = self.detectors.values();
        detectors.map(|d| (d.name.clone(), d.judgement.reported())).collect()
    }

    /// The state of a connector of this member has changed.
    pub(super) fn tell_master(
        &mut self,
        config: &LinkConfig,
        connector: &ConnectorName,
        state: ConnectorState,
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
            cx.send(master, LinkPdu::Report { states });
        }
    }

    /// A member reports to us.
    pub(super) fn report_heard(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        states: Vec<(ConnectorName, ConnectorState)>,
        cx: &mut Cx<'_, Self>,
    ) {
        let (Neighbour::Attached(member), Some(mastership)) = (from, &mut self.mastership) else {
            Self::misbehaved(from, "Report to a member that is not its master", cx);
            return;
        };
        for (name, state) in states {
            let connector = config.organization.connector(&name);
            if connector.is_some_and(|connector| connector.sources.contains(member)) {
                mastership.hear(member, name, state);
            } else {
                clause!(MA_014);
                Self::misbehaved(
                    from,
                    alloc::format!("reports {name}, which it does not carry"),
                    cx,
                );
            }
        }
        self.publish(config, false, cx);
        if let Some(mastership) = &self.mastership {
            clause!(MA_015);
            cx.send_durable(from.clone(), LinkPdu::Reported { term: mastership.term.clone() });
        }
    }

    /// The master has our report in its record.
    pub(super) fn reported(&mut self, from: &Neighbour, cx: &mut Cx<'_, Self>) {
        let link = self.links.get_mut(from).filter(|link| link.reports > 0);
        match link {
            Some(link) => link.reports -= 1,
            None => Self::misbehaved(from, "Reported without Report", cx),
        }
    }
}
