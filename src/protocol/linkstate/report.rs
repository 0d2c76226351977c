//! The table as people see it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::{ConnectorState, Judgement, LinkState};
use crate::kernel::Time;
use crate::wire::ids::{ConnectorName, GroupName, MemberName};

/// How many hexadecimal digits of a record's digest people see.
const DIGEST_DIGITS: usize = 8;

/// One line of the link-state table: a connector of a group, or a group that has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportRow {
    /// The group whose record it is.
    pub group: GroupName,
    /// The version of the record.
    pub version: String,
    /// The first digits of the record's digest.
    pub digest: String,
    /// The connector; `None` stands for a group without connectors.
    pub connector: Option<ConnectorRow>,
    /// How long ago this member learnt the record, in seconds.
    pub age_s: u64,
    /// That is longer than the record's lifetime: its master may be away. It is routed by all the same.
    pub stale: bool,
}

/// A connector in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectorRow {
    /// Its name.
    pub name: ConnectorName,
    /// Where it leads.
    pub to: GroupName,
    /// 1 to 100.
    pub cost: u32,
    /// In the table.
    pub state: ConnectorState,
    /// What this member thinks of it, if it carries it.
    pub judgement: Option<Judgement>,
    /// What its failures have come to at this member, where penalties are counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub penalty: u32,
    /// The sources that do not reach the far group, in the table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<MemberName>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(penalty: &u32) -> bool {
    *penalty == 0
}

impl LinkState {
    /// The table as of `now`, row by row, in order of groups and connectors.
    #[must_use]
    pub fn rows(&self, now: Time) -> Vec<ReportRow> {
        let mut rows = Vec::new();
        for record in self.records() {
            let digest = record.digest();
            let mut digest = alloc::format!("{digest}");
            digest.truncate(DIGEST_DIGITS);
            let version = alloc::format!("{}", record.version);
            let row = |connector| ReportRow {
                group: record.group.clone(),
                version: version.clone(),
                digest: digest.clone(),
                connector,
                age_s: self.ages.of(&record.uuid, now).as_seconds(),
                stale: self.ages.is_stale(record, now),
            };
            if record.connectors.is_empty() {
                rows.push(row(None));
            }
            rows.extend(record.connectors.iter().map(|connector| {
                let own = self.detectors.get(&connector.name);
                row(Some(ConnectorRow {
                    name: connector.name.clone(),
                    to: connector.to.clone(),
                    cost: connector.cost,
                    state: connector.state,
                    judgement: own.map(|detector| detector.judgement),
                    penalty: own.map_or(0, |detector| detector.damping.penalty()),
                    unavailable: connector.unavailable.clone(),
                }))
            }));
        }
        rows
    }
}
