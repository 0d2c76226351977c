//! MASTER, in its manual mode: the member that the organization names writes its group's record.

mod absence;
pub mod accounts;
mod appointment;
pub mod election;
pub mod members;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::linkstate::{
    Collection, ConnectorRecord, ConnectorState, Record, SourceState, Term, Version,
};
use super::organization::{Connector, Group, Organization};
use crate::clause;
use crate::kernel::Span;
use crate::wire::ids::{ConnectorName, MemberName};

pub use absence::{ABSENCE_HOLD, ABSENCE_LIMIT, Absences};
pub use appointment::Appointment;

/// The terms that a master begins in [`OUTBID_WINDOW`] because of what others publish for its group.
pub const OUTBID_LIMIT: u8 = 3;
/// How long those are counted, from the first one.
pub const OUTBID_WINDOW: Span = Span::minutes(15);

/// What a master knows beside the table: its term, and what its members have reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mastership {
    /// The term under which it publishes.
    pub term: Term,
    heard: BTreeMap<MemberName, BTreeMap<ConnectorName, SourceState>>,
    /// The terms begun in this window because another member has published for the group.
    pub outbids: u8,
    /// The members that have not been attached for some time.
    pub absences: Absences,
    /// What it waits for before its first record.
    pub collection: Option<Collection>,
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
    let Some(known) = own.into_iter().chain(published).map(|term| term.counter).max() else {
        clause!(MA_024);
        return Term { counter: 1, member: member.clone(), nonce: 0 };
    };
    let counter = known.checked_add(1).expect("records at the end of the counter are refused");
    Term { counter, member: member.clone(), nonce }
}

impl Mastership {
    /// Nothing is heard yet.
    #[must_use]
    pub fn new(term: Term) -> Self {
        let absences = Absences::default();
        Self { term, heard: BTreeMap::new(), outbids: 0, absences, collection: None }
    }

    /// Takes what a member says of a connector that it carries.
    pub fn hear(&mut self, member: &MemberName, connector: ConnectorName, state: SourceState) {
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
            lifetime_s: organization.link_state.lifetime_s,
            exits: group.exit_records(),
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
        record.version.user = 0;
        Some(record)
    }

    /// The same record under the next user number; `None` when `current` is not of this mastership and this
    /// configuration.
    #[must_use]
    pub fn refreshed(&self, organization: &Organization, current: &Record) -> Option<Record> {
        let Version { term, major, .. } = &current.version;
        if *term != self.term || *major != organization.revision {
            return None;
        }
        clause!(LS_151);
        let mut record = current.clone();
        record.version.user = current.version.user.checked_add(1)?;
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
        let mut connectors: Vec<_> =
            own.map(|connector| self.connector(connector, current)).collect();
        connectors.sort_by(|left, right| left.name.cmp(&right.name));
        connectors
    }

    /// UP if any member that carries it says so or holds it, DOWN if all say so. Who has not been heard is
    /// taken to say what was known of it before.
    fn connector(&self, connector: &Connector, current: Option<&Record>) -> ConnectorRecord {
        clause!(MA_004);
        let known = current.and_then(|r| r.connectors.iter().find(|c| c.name == connector.name));
        let says = |member: &MemberName| {
            let said = self.heard.get(member).and_then(|states| states.get(&connector.name));
            let before = || known.map_or(SourceState::Up, |known| known.state_at(member).into());
            said.copied().unwrap_or_else(before)
        };
        let is_absent = |source: &MemberName| self.absences.is_absent(source);
        let is_there = |source: &MemberName| !is_absent(source) && says(source) == SourceState::Up;
        // Who is absent is worse than who is there and reaches the far group, and no worse than anybody else.
        let is_replaced = connector.sources.iter().any(is_there);
        let (mut unavailable, mut is_held) = (Vec::new(), false);
        for source in &connector.sources {
            match says(source) {
                SourceState::Up if is_replaced && is_absent(source) => {
                    clause!(LS_234);
                }
                SourceState::Up => continue,
                SourceState::Down => {}
                SourceState::Held => is_held = true,
            }
            unavailable.push(source.clone());
        }
        clause!(LS_103);
        let is_reached = unavailable.len() < connector.sources.len();
        if !is_reached {
            // None of them is better than another.
            unavailable.clear();
        }
        let is_up = is_reached || is_held;
        ConnectorRecord {
            name: connector.name.clone(),
            to: connector.to.clone(),
            cost: connector.cost,
            state: if is_up { ConnectorState::Up } else { ConnectorState::Down },
            sources: connector.sources.clone(),
            restrictions: connector.restrictions(),
            unavailable,
        }
    }
}
