//! Which source of a connector tells over it. The first one that is available does; the others stand by, so
//! that each change crosses the connector once, and crosses it although the first one is dead.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::detector::Detector;
use super::{LinkConfig, LinkState, LinkTimer, Neighbour};
use crate::clause;
use crate::kernel::{Cx, Span};
use crate::wire::ids::{ConnectorName, MemberName};

/// How long a source leaves what it owes over a connector to each source before it.
pub const BACKUP_DELAY: Span = Span::seconds(BACKUP_DELAY_S);
/// The same in seconds.
pub const BACKUP_DELAY_S: u64 = 5;

impl LinkState {
    /// How many sources tell over this connector before this one does.
    fn place(&self, config: &LinkConfig, detector: &Detector) -> usize {
        if !detector.is_shared || config.faults.is_on("every-source-tells") {
            return 0;
        }
        let record = self.table.of(&config.group().uuid);
        let known = record.and_then(|r| r.connectors.iter().find(|c| c.name == detector.name));
        let is_before = |source: &&MemberName| **source != config.member;
        if let Some(known) = known {
            let available = known.sources.iter().filter(|s| !known.unavailable.contains(s));
            return available.take_while(is_before).count();
        }
        // Before the first record of the group the configuration has the order.
        let connector = config.organization.connector(&detector.name);
        connector.map_or(0, |connector| connector.sources.iter().take_while(is_before).count())
    }

    /// Whether another source tells over this connector.
    pub(super) fn stands_by(&self, config: &LinkConfig, detector: &Detector) -> bool {
        self.place(config, detector) > 0
    }

    /// The connector over which a connection leads, if this member carries it.
    pub(super) fn carried_over(&self, neighbour: &Neighbour) -> Option<&Detector> {
        match neighbour {
            Neighbour::Connector { connector, .. } => self.detectors.get(connector),
            _ => None,
        }
    }

    /// The connectors over which this member leaves news to other sources, and for how long.
    pub(super) fn left_to_others(&self, config: &LinkConfig) -> BTreeMap<ConnectorName, Span> {
        let places = self.detectors.values().map(|d| (d.name.clone(), self.place(config, d)));
        let behind = places.filter(|(_, place)| *place > 0);
        // One after the other: two that began together would both find that nobody has told it.
        behind.map(|(name, place)| (name, Span(BACKUP_DELAY.0 * place as u64))).collect()
    }

    /// Who tells over which connector may have changed: what this member has left to another source is its own
    /// to tell where there is none any more.
    pub(super) fn take_turns(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let deferred = self.detectors.values().filter(|detector| detector.deferred);
        let ours: Vec<_> = deferred
            .filter(|detector| !self.stands_by(config, detector))
            .map(|detector| detector.name.clone())
            .collect();
        for name in &ours {
            clause!(LS_232);
            cx.disarm(LinkTimer::Backup(name.clone()));
            if let Some(detector) = self.detectors.get_mut(name) {
                detector.deferred = false;
            }
        }
    }

    /// The source before this one has had its time.
    pub(super) fn back_up(
        &mut self,
        config: &LinkConfig,
        name: &ConnectorName,
        cx: &mut Cx<'_, Self>,
    ) {
        if config.faults.is_on("never-backs-up") {
            return;
        }
        clause!(LS_230);
        if let Some(detector) = self.detectors.get_mut(name) {
            detector.deferred = false;
        }
        self.open_what_is_needed(cx);
    }
}
