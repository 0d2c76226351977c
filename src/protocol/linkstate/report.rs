//! The table as people see it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::{ConnectorState, Judgement, LinkState};
use crate::wire::ids::{ConnectorName, GroupName};

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
}

impl LinkState {
    /// The table, row by row, in order of groups and connectors.
    #[must_use]
    pub fn rows(&self) -> Vec<ReportRow> {
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
                }))
            }));
        }
        rows
    }
}
