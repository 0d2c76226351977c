//! Counts what passes.

use alloc::collections::BTreeMap;
use core::ops::AddAssign;

use serde::Serialize;

use super::price::Price;
use crate::protocol::linkstate::{LinkPdu, Version};
use crate::wire::ids::{ConnectorName, GroupName};

/// What passed over a connection, or over several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// NEWS with the change that is watched.
    pub carried: u64,
    /// NEWS without records: digests alone.
    pub queries: u64,
    /// PDUs of all kinds.
    pub messages: u64,
    /// Records in them.
    pub records: u64,
    /// Octets in both directions, with what X-LINK2STATE and the group port put around a PDU.
    pub octets: u64,
}

impl AddAssign for Passed {
    fn add_assign(&mut self, other: Self) {
        self.carried += other.carried;
        self.queries += other.queries;
        self.messages += other.messages;
        self.records += other.records;
        self.octets += other.octets;
    }
}

/// A decision about a connector, and the record that will say it.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The connector.
    pub connector: ConnectorName,
    /// `down` or `up`.
    pub judgement: &'static str,
    /// Whose record says so.
    pub group: GroupName,
    /// From this version on.
    pub version: Version,
}

/// Counts what passes over each connector, and on all group ports together.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    watched: Option<Watched>,
    /// By directed connector: what its connections carried, the replies included.
    pub connectors: BTreeMap<ConnectorName, Passed>,
    /// On the group ports.
    pub local: Passed,
}

impl Meter {
    /// Counts anew from this decision on.
    pub fn watch(&mut self, watched: Watched) {
        self.watched = Some(watched);
    }

    /// A member has decided something.
    pub fn decided(&mut self, connector: &ConnectorName, judgement: &str) {
        let awaited = self.watched.as_ref();
        if awaited.is_some_and(|w| w.connector == *connector && w.judgement == judgement) {
            *self = Self { watched: self.watched.take(), ..Self::default() };
        }
    }

    /// Something was sent over a connector, or, without one, on a group port.
    pub fn count(&mut self, connector: Option<&ConnectorName>, pdu: &LinkPdu, price: Price) {
        let passed = self.weigh(pdu, price);
        match connector {
            Some(name) => match self.connectors.get_mut(name) {
                Some(sum) => *sum += passed,
                None => {
                    self.connectors.insert(name.clone(), passed);
                }
            },
            None => self.local += passed,
        }
    }

    fn weigh(&self, pdu: &LinkPdu, price: Price) -> Passed {
        let (records, is_news) = match pdu {
            LinkPdu::News { records, .. } => (&records[..], true),
            LinkPdu::Merged { records, .. } => (&records[..], false),
            LinkPdu::Report { .. } | LinkPdu::Reported { .. } => (&[][..], false),
        };
        let is_watched = self.watched.as_ref().is_some_and(|watched| {
            let (group, version) = (&watched.group, &watched.version);
            records.iter().any(|record| record.group == *group && record.version >= *version)
        });
        Passed {
            carried: u64::from(is_watched && is_news),
            queries: u64::from(records.is_empty() && is_news),
            messages: 1,
            records: u64::try_from(records.len()).expect("a count fits"),
            octets: price.octets,
        }
    }

    /// What passed over all connectors together.
    #[must_use]
    pub fn over_connectors(&self) -> Passed {
        let mut sum = Passed::default();
        self.connectors.values().for_each(|passed| sum += *passed);
        sum
    }
}
