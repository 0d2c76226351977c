//! Groups that were deleted: the operator's tombstones, and names that are used again.

use alloc::string::String;
use alloc::vec::Vec;

use super::{LinkConfig, LinkEvent, LinkState, Record, SharedRecord, TABLE_LIMIT, Version};
use crate::clause;
use crate::kernel::Cx;
use crate::wire::ids::GroupName;
use crate::wire::message::Digest;
use crate::wire::record::DEFAULT_LIFETIME_S;

/// The most octets of the reason in a tombstone.
pub const REASON_LIMIT_OCTETS: usize = 400;
/// The most pairs of records of which a member remembers that it has raised an alarm.
pub const ALARMS_LIMIT: usize = 64;

/// What is wrong with a record as a tombstone, or as a record that is none.
pub(super) fn check_tombstone(record: &Record) -> Result<(), String> {
    clause!(LS_131);
    let Some(reason) = &record.deleted else {
        let is_beyond = record.version.is_tombstone();
        return if is_beyond { Err(String::from("term counter at its end")) } else { Ok(()) };
    };
    if record.version != Version::tombstone(record.version.term.member.clone()) {
        return Err(String::from("a tombstone with the version of a record"));
    }
    let Record { members, connectors, exits, .. } = record;
    if !members.is_empty() || !connectors.is_empty() || !exits.is_empty() {
        return Err(String::from("a tombstone with members, connectors or exits"));
    }
    if reason.len() > REASON_LIMIT_OCTETS || reason.chars().any(char::is_control) {
        return Err(alloc::format!(
            "a reason with a control character, or of more than {REASON_LIMIT_OCTETS} octets"
        ));
    }
    Ok(())
}

impl LinkState {
    /// Why a tombstone for this UUID would change nothing, if so.
    #[must_use]
    pub fn refuses_burial(&self, uuid: &str) -> Option<&'static str> {
        let known = self.table.of(uuid);
        if known.is_some_and(|record| record.deleted.is_some()) {
            return Some("it is buried already");
        }
        clause!(LS_132);
        (self.table.buried() >= TABLE_LIMIT).then_some("the table is full of tombstones")
    }

    /// The operator says that a group is no more.
    pub(super) fn bury(
        &mut self,
        config: &LinkConfig,
        uuid: String,
        group: GroupName,
        reason: String,
        cx: &mut Cx<'_, Self>,
    ) {
        clause!(LS_130);
        let known = self.table.of(&uuid).map(|record| record.group.clone());
        let tombstone = Record {
            group: known.unwrap_or(group),
            uuid,
            version: Version::tombstone(config.member.clone()),
            members: Vec::new(),
            connectors: Vec::new(),
            deleted: Some(reason.clone()),
            lifetime_s: DEFAULT_LIFETIME_S,
            exits: Vec::new(),
        };
        if check_tombstone(&tombstone).is_ok() && self.refuses_burial(&tombstone.uuid).is_none() {
            let group = tombstone.group.clone();
            cx.event(LinkEvent::Buried { group, reason, is_own: false });
            let _ = self.grow(config, alloc::vec![tombstone.into()], None, cx);
        }
    }

    /// Whether the own group is buried.
    pub(super) fn is_buried(&self, config: &LinkConfig) -> bool {
        let own = self.table.of(&config.group().uuid);
        own.is_some_and(|record| record.deleted.is_some())
    }

    /// Says so where the own group is buried: it was deleted, and yet it is here.
    pub(super) fn tell_if_buried(&self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let own = self.table.of(&config.group().uuid);
        if let Some(reason) = own.and_then(|record| record.deleted.clone()) {
            clause!(LS_134);
            let group = config.group().name.clone();
            cx.event(LinkEvent::Buried { group, reason, is_own: true });
        }
    }

    /// Raises the alarm about two records of one group, or of one name: once for each pair.
    pub(super) fn alarm(&mut self, one: &SharedRecord, other: Digest, cx: &mut Cx<'_, Self>) {
        let pair = if one.digest() < other { (one.digest(), other) } else { (other, one.digest()) };
        if self.alarmed.contains(&pair) {
            clause!(LS_136);
            return;
        }
        if self.alarmed.len() == ALARMS_LIMIT {
            self.alarmed.clear();
        }
        self.alarmed.insert(pair);
        cx.event(LinkEvent::Conflict { group: one.group.clone() });
    }
}
