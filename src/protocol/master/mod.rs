//! MASTER, in its manual mode: the member that the organization names writes its group's record.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::linkstate::{ConnectorRecord, ConnectorState, Record, Term, Version};
use super::organization::{Connector, Group, Organization};
use crate::clause;
use crate::wire::ids::{ConnectorName, MemberName};

/// What a master knows beside the table: its term, and what its members have reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mastership {
    /// The term under which it publishes.
    pub term: Term,
    heard: BTreeMap<MemberName, BTreeMap<ConnectorName, ConnectorState>>,
}

/// The term that follows whatever is known of earlier ones.
#[must_use]
pub fn next_term(
    own: Option<&Term>,
    published: Option<&Term>,
    member: &MemberName,
    nonce: u64,
) -> Term {
    clause!(MA_003);
    let known = own.into_iter().chain(published).map(|term| term.counter).max().unwrap_or(0);
    let counter = known.checked_add(1).expect("records at the end of the counter are refused");
    Term { counter, member: member.clone(), nonce }
}

impl Mastership {
    /// Nothing is heard yet.
    #[must_use]
    pub const fn new(term: Term) -> Self {
        Self { term, heard: BTreeMap::new() }
    }

    /// Takes what a member says of a connector that it carries.
    pub fn hear(&mut self, member: &MemberName, connector: ConnectorName, state: ConnectorState) {
        self.heard.entry(member.clone()).or_default().insert(connector, state);
    }

    /// The record to publish after `current`; `None` when `current` says it all, or when it was
    /// published under a newer configuration than ours. With `contested` the version grows even if
    /// nothing else has changed.
    #[must_use]
    pub fn compose(
        &self,
        organization: &Organization,
        group: &Group,
        current: Option<&Record>,
        contested: bool,
    ) -> Option<Record> {
        let (term, major) = (&self.term, organization.revision);
        if current.is_some_and(|record| record.version.major > major) {
            clause!(MA_006);
            return None;
        }
        assert!(current.is_none_or(|r| r.version.term <= *term), "a master has the greatest term");
        let mut record = Record {
            group: group.name.clone(),
            uuid: group.uuid.clone(),
            version: Version { term: term.clone(), major, minor: 0, user: 0 },
            members: group.members.iter().map(|member| (member.clone(), true)).collect(),
            connectors: self.connectors(organization, group, current),
            deleted: None,
        };
        let Some(current) = current else { return Some(record) };
        if current.version.term != *term || current.version.major != major {
            clause!(MA_005);
            return Some(record);
        }
        record.version = current.version.clone();
        if record == *current && !contested {
            clause!(MA_007);
            return None;
        }
        clause!(MA_008);
        record.version.minor = current.version.minor.checked_add(1)?;
        Some(record)
    }

    /// The connectors that leave the group, in order of their names.
    fn connectors(
        &self,
        organization: &Organization,
        group: &Group,
        current: Option<&Record>,
    ) -> Vec<ConnectorRecord> {
        let own = organization.connectors.iter().filter(|connector| connector.from == group.name);
        let mut connectors: Vec<_> = own
            .map(|connector| ConnectorRecord {
                name: connector.name.clone(),
                to: connector.to.clone(),
                cost: connector.cost,
                state: self.state_of(connector, current),
                sources: connector.sources.clone(),
                restrictions: connector.restrictions(),
            })
            .collect();
        connectors.sort_by(|left, right| left.name.cmp(&right.name));
        connectors
    }

    /// UP if any member that carries it says so, DOWN if all say so; as known before while some of
    /// them have not been heard.
    fn state_of(&self, connector: &Connector, current: Option<&Record>) -> ConnectorState {
        clause!(MA_004);
        let said = |member| self.heard.get(member).and_then(|states| states.get(&connector.name));
        let heard: Vec<_> = connector.sources.iter().filter_map(said).collect();
        if heard.contains(&&ConnectorState::Up) {
            return ConnectorState::Up;
        }
        if heard.len() == connector.sources.len() {
            return ConnectorState::Down;
        }
        let known = current.and_then(|r| r.connectors.iter().find(|c| c.name == connector.name));
        known.map_or(ConnectorState::Up, |known| known.state)
    }
}
