//! Which connections exist: attempts on connectors, connections to members, and what follows when
//! one opens or ends.

use alloc::vec::Vec;

use super::detector::{Detector, Health, Patience, TimerOrder};
use super::link::Link;
use super::{
    ConnectorState, LinkConfig, LinkEvent, LinkPdu, LinkState, LinkTimer, Neighbour,
    PROBE_INTERVAL, Way, is_cut_edge,
};
use crate::clause;
use crate::kernel::Cx;
use crate::protocol::organization::Connector;
use crate::wire::ids::{ConnectorName, MemberName};

impl LinkState {
    /// Takes over which connectors this member carries.
    pub(super) fn adopt_connectors(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let connectors = config.organization.connectors.iter();
        let carried: Vec<_> = connectors.filter(|c| c.sources.contains(&config.member)).collect();
        let is_kept = |detector: &Detector| {
            carried.iter().any(|c| {
                (&c.name, &c.from, &c.to, &c.targets)
                    == (&detector.name, &detector.from, &detector.to, &detector.targets)
            })
        };
        let gone: Vec<_> =
            self.detectors.values().filter(|d| !is_kept(d)).map(|d| d.name.clone()).collect();
        for name in gone {
            self.drop_connector(&name, cx);
        }
        let patience = Patience::of(config);
        for connector in carried {
            let published = self.published_state(&config.member, connector);
            let detector = self.detectors.entry(connector.name.clone());
            let detector = detector.or_insert_with(|| {
                let state = published.unwrap_or(ConnectorState::Up);
                let mut detector = Detector::new(connector, state, patience);
                detector.unknown = published.is_none() && !config.faults.is_on("unknown-is-up");
                detector
            });
            detector.patience = patience;
            detector.is_shared = connector.sources.len() > 1;
        }
    }

    /// What the table says of a connector as `member` carries it.
    fn published_state(
        &self,
        member: &MemberName,
        connector: &Connector,
    ) -> Option<ConnectorState> {
        let record = self.table.get(&connector.from)?;
        let published = record.connectors.iter().find(|known| known.name == connector.name)?;
        Some(published.state_at(member))
    }

    fn drop_connector(&mut self, name: &ConnectorName, cx: &mut Cx<'_, Self>) {
        let way = Way::Connector(name.clone());
        if let Some(neighbour) = self.link_of(&way) {
            self.links.remove(&neighbour);
            cx.close(neighbour.clone());
            cx.event(LinkEvent::Gone { neighbour });
        }
        if let Some(detector) = self.detectors.remove(name) {
            detector.timers().into_iter().for_each(|timer| cx.disarm(timer));
        }
        cx.disarm(LinkTimer::Reopen(way.clone()));
        self.wanted.remove(&way);
    }

    /// Opens every connection that there is a reason for and that nothing holds back.
    pub(super) fn open_what_is_needed(&mut self, cx: &mut Cx<'_, Self>) {
        let names: Vec<_> = self.detectors.keys().cloned().collect();
        for name in &names {
            if self.needs_attempt(name) {
                self.begin_attempt(name, cx);
            }
        }
        let members = self.wanted.iter().filter_map(|way| match way {
            Way::Member(member) => Some(member.clone()),
            Way::Connector(_) => None,
        });
        for member in members.collect::<Vec<_>>() {
            let is_waiting = self.pauses.get(&member).is_some_and(|pause| pause.waiting);
            let neighbour = Neighbour::Member(member);
            if !is_waiting && !self.links.contains_key(&neighbour) {
                self.links.insert(neighbour.clone(), Link::default());
                cx.open(neighbour, ());
            }
        }
    }

    /// A connector that fails is attempted by its timers alone, whatever waits for it.
    fn needs_attempt(&self, name: &ConnectorName) -> bool {
        let Some(detector) = self.detectors.get(name) else { return false };
        let way = Way::Connector(name.clone());
        let has_news = !detector.owed.is_empty() && !detector.deferred;
        let has_reason = self.wanted.contains(&way) || has_news || detector.greet;
        let is_held_back = match detector.health {
            Health::Working => detector.pause.waiting,
            // One that was DOWN before the boot is probed at the boot.
            Health::Broken => !detector.greet,
            Health::Retrying(_) => true,
        };
        if has_reason && detector.health != Health::Working {
            clause!(LS_026);
        }
        has_reason && !is_held_back && self.link_of(&way).is_none()
    }

    /// The time for a probe has come.
    pub(super) fn probe(
        &mut self,
        config: &LinkConfig,
        name: &ConnectorName,
        cx: &mut Cx<'_, Self>,
    ) {
        let is_wanted = self.wanted.contains(&Way::Connector(name.clone()));
        if config.faults.is_on("probe-only-with-mail") && !is_wanted {
            cx.arm(LinkTimer::Probe(name.clone()), PROBE_INTERVAL);
            return;
        }
        self.try_again(name, cx);
    }

    /// The time for the next attempt on a failing connector has come.
    pub(super) fn try_again(&mut self, name: &ConnectorName, cx: &mut Cx<'_, Self>) {
        let Some(detector) = self.detectors.get(name) else { return };
        if detector.trying.is_none() {
            self.begin_attempt(name, cx);
            return;
        }
        // The running attempt has not ended yet: this turn is left out, the next one is on time.
        match detector.health {
            Health::Retrying(_) => {
                cx.arm(LinkTimer::GlitchRetry(name.clone()), detector.patience.retry);
            }
            Health::Broken => cx.arm(LinkTimer::Probe(name.clone()), PROBE_INTERVAL),
            Health::Working => {}
        }
    }

    fn begin_attempt(&mut self, name: &ConnectorName, cx: &mut Cx<'_, Self>) {
        let Some(detector) = self.detectors.get_mut(name) else { return };
        if core::mem::take(&mut detector.greet) {
            clause!(LS_047);
        }
        let order = detector.begin();
        let target = detector.targets[0].clone();
        obey(order, cx);
        self.open_target(name, target, cx);
    }

    fn open_target(&mut self, name: &ConnectorName, target: MemberName, cx: &mut Cx<'_, Self>) {
        let Some(detector) = self.detectors.get_mut(name) else { return };
        if core::mem::take(&mut detector.deferred) {
            cx.disarm(LinkTimer::Backup(name.clone()));
        }
        let link = Link { owed: core::mem::take(&mut detector.owed), ..Link::default() };
        let neighbour = Neighbour::Connector { connector: name.clone(), target };
        let before = self.links.insert(neighbour.clone(), link);
        assert!(before.is_none(), "one connection at a time over a connector");
        cx.open(neighbour, ());
    }

    /// A connection is open.
    pub(super) fn opened(
        &mut self,
        config: &LinkConfig,
        neighbour: &Neighbour,
        cx: &mut Cx<'_, Self>,
    ) {
        match neighbour {
            Neighbour::Inbound(..) => return,
            Neighbour::Attached(member) => {
                self.attached(config, member, cx);
                return;
            }
            Neighbour::Connector { .. } | Neighbour::Member(_) | Neighbour::Master(_) => {}
        }
        let report = self.report();
        let stands_by = self.carried_over(neighbour).is_some_and(|d| self.stands_by(config, d));
        let Some(link) = self.links.get_mut(neighbour) else {
            cx.close(neighbour.clone());
            return;
        };
        clause!(LS_010);
        link.up = true;
        if stands_by {
            clause!(LS_231);
        }
        link.query = link.owed.is_empty() || stands_by;
        if matches!(neighbour, Neighbour::Master(_)) {
            clause!(MA_011);
            link.reports += 1;
            cx.send(neighbour.clone(), LinkPdu::Report { states: report });
            self.await_answer(neighbour, cx);
        }
        let way = neighbour.way().filter(|way| self.wanted.contains(way));
        if let Some(way) = way.filter(|_| config.faults.is_on("news-after-mail")) {
            self.links.get_mut(neighbour).expect("it is open").ready = true;
            cx.event(LinkEvent::Ready { way, neighbour: neighbour.clone() });
            return;
        }
        self.pump(neighbour, cx);
    }

    /// A connection did not open, or has ended.
    pub(super) fn ended(
        &mut self,
        config: &LinkConfig,
        neighbour: &Neighbour,
        cx: &mut Cx<'_, Self>,
    ) {
        self.answered.remove(neighbour);
        let Some(link) = self.links.remove(neighbour) else { return };
        let (was_up, was_synced) = (link.up, link.synced);
        if link.awaited {
            cx.disarm(LinkTimer::Answer(neighbour.clone()));
        }
        if was_up && neighbour.way().is_some() {
            cx.event(LinkEvent::Gone { neighbour: neighbour.clone() });
        }
        match neighbour {
            Neighbour::Connector { connector, .. } => {
                if let Some(detector) = self.detectors.get_mut(connector) {
                    detector.owed.extend(link.untold());
                }
                if was_synced {
                    self.connector_lost(connector, cx);
                } else {
                    self.target_failed(config, connector, cx);
                }
            }
            Neighbour::Member(member) => self.member_lost(member, was_synced, cx),
            Neighbour::Master(_) => {
                clause!(MA_010);
                let wait = self.reattach.next();
                cx.arm(LinkTimer::Reattach, wait);
            }
            Neighbour::Attached(_) => self.detached(config, cx),
            Neighbour::Inbound(..) => {}
        }
    }

    /// A working connection was lost: that is no failure; the next attempt decides.
    fn connector_lost(&mut self, name: &ConnectorName, cx: &mut Cx<'_, Self>) {
        clause!(LS_027);
        let Some(detector) = self.detectors.get_mut(name) else { return };
        let is_first = detector.pause.is_fresh();
        let wait = detector.pause.next();
        detector.pause.waiting = !is_first;
        if is_first {
            self.open_what_is_needed(cx);
        } else {
            cx.arm(LinkTimer::Reopen(Way::Connector(name.clone())), wait);
        }
    }

    fn member_lost(&mut self, member: &MemberName, was_synced: bool, cx: &mut Cx<'_, Self>) {
        let way = Way::Member(member.clone());
        let pause = self.pauses.entry(member.clone()).or_default();
        let at_once = was_synced && pause.is_fresh();
        let wait = pause.next();
        pause.waiting = !at_once;
        if !was_synced && self.wanted.contains(&way) {
            cx.event(LinkEvent::Failed { way: way.clone() });
        }
        if at_once {
            self.open_what_is_needed(cx);
        } else {
            clause!(LS_028);
            cx.arm(LinkTimer::Reopen(way), wait);
        }
    }

    fn target_failed(&mut self, config: &LinkConfig, name: &ConnectorName, cx: &mut Cx<'_, Self>) {
        let Some(detector) = self.detectors.get_mut(name) else { return };
        if let Some(target) = detector.next_target() {
            self.open_target(name, target, cx);
            return;
        }
        let orders = detector.fail(&config.organization.link_state);
        obey(orders, cx);
        let way = Way::Connector(name.clone());
        if self.wanted.contains(&way) {
            cx.event(LinkEvent::Failed { way });
        }
        self.rejudge(config, name, cx);
    }

    /// News was merged over the connector: it works.
    pub(super) fn succeeded(
        &mut self,
        config: &LinkConfig,
        name: &ConnectorName,
        cx: &mut Cx<'_, Self>,
    ) {
        let Some(detector) = self.detectors.get_mut(name) else { return };
        let orders = detector.succeed();
        obey(orders, cx);
        self.rejudge(config, name, cx);
    }

    /// Something has passed that bears on how a connector is judged.
    pub(super) fn reconsider(
        &mut self,
        config: &LinkConfig,
        name: &ConnectorName,
        cx: &mut Cx<'_, Self>,
        change: impl FnOnce(&mut Detector),
    ) {
        if let Some(detector) = self.detectors.get_mut(name) {
            change(detector);
        }
        self.rejudge(config, name, cx);
    }

    /// The penalty of a connector takes its next step down.
    pub(super) fn decay(
        &mut self,
        config: &LinkConfig,
        name: &ConnectorName,
        cx: &mut Cx<'_, Self>,
    ) {
        let Some(detector) = self.detectors.get_mut(name) else { return };
        obey(detector.damping.decay(&config.organization.link_state, name), cx);
        self.rejudge(config, name, cx);
    }

    /// Judges every failed connector anew.
    pub(super) fn rejudge_failed(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let failed = self.detectors.values().filter(|d| d.health == Health::Broken);
        let failed: Vec<_> = failed.map(|detector| detector.name.clone()).collect();
        for name in &failed {
            self.rejudge(config, name, cx);
        }
    }

    /// Judges a connector; a change of judgement is logged, a change of state is reported.
    pub(super) fn rejudge(
        &mut self,
        config: &LinkConfig,
        name: &ConnectorName,
        cx: &mut Cx<'_, Self>,
    ) {
        let Some(detector) = self.detectors.get_mut(name) else { return };
        let is_cut = detector.health == Health::Broken
            && !config.faults.is_on("down-on-a-cut-edge")
            && is_cut_edge(&self.table, &config.organization, name, &detector.from, &detector.to);
        let judgement = detector.judge(&config.organization.link_state, is_cut);
        let reported_before = detector.reported();
        let before = core::mem::replace(&mut detector.judgement, judgement);
        // An attempt that succeeded says something, and so do four that failed; one that failed does not.
        let is_settled = !matches!(detector.health, Health::Retrying(_));
        let is_first = is_settled && core::mem::take(&mut detector.unknown);
        if before != judgement {
            let (connector, text) = (name.clone(), judgement.as_str().into());
            cx.event(LinkEvent::Judged { connector, judgement: text });
        }
        let reported = detector.reported();
        if is_first || reported != reported_before {
            clause!(LS_104);
            self.tell_master(config, name, reported, cx);
        }
    }
}

/// Does what a detector says with its timers.
fn obey(orders: impl IntoIterator<Item = TimerOrder>, cx: &mut Cx<'_, LinkState>) {
    for order in orders {
        match order {
            TimerOrder::Arm(timer, span) => cx.arm(timer, span),
            TimerOrder::Disarm(timer) => cx.disarm(timer),
        }
    }
}
