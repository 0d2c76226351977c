//! What Exchange did, on the same connectors with the same delays: each change re-sends the whole table.
//!
//! A group that has learnt something asks over each of its connectors for the digest of the far table, and sends its
//! whole table if the far end has not learnt it yet. That is what its documentation says; the grammar, the
//! chunks and the round trips are ours, so that the difference is the protocol and not the encoding.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::Serialize;

use super::price::{Delays, Price, SMTP_SETUP_PASSAGES};
use crate::kernel::{Span, Time};
use crate::protocol::linkstate::{LinkPdu, NEWS_RECORDS_LIMIT, SharedRecord, TableDigest};

/// What a whole-table flood took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flooded {
    /// Until every group had it, in microseconds.
    pub agreed_after: Span,
    /// Messages in both directions.
    pub messages: u64,
    /// Octets in both directions.
    pub octets: u64,
    /// How often the whole table was sent.
    pub tables: u64,
    /// Octets of the whole table.
    pub table_octets: u64,
}

/// What happens to a group.
enum Happening {
    /// It has learnt the change, and it is on its disk: now it tells it.
    Tells,
    /// A neighbour asks for the digest of its table.
    IsAsked,
    /// The whole table of a neighbour is there.
    Gets,
}

/// Floods a change from `origin` over these connectors; `neighbours` says where those of each group lead.
#[must_use]
pub fn flood<'a>(
    neighbours: &[Vec<usize>],
    origin: usize,
    table: impl Iterator<Item = &'a SharedRecord>,
    delays: &Delays,
) -> Flooded {
    let records: Vec<_> = table.cloned().collect();
    let parts = records.chunks(NEWS_RECORDS_LIMIT).map(<[SharedRecord]>::to_vec);
    let (mut whole, mut answered) = (Price::default(), 0);
    let digest = TableDigest::default();
    let answer = Price::of_reply(&LinkPdu::merged(digest, Vec::new()));
    for records in parts {
        let price = Price::of_command(&LinkPdu::News { digest, records, nodes: Vec::new() });
        whole.octets += price.octets + answer.octets;
        whole.passages += price.passages + answer.passages;
        answered += 2;
    }
    let ask = Price::of_command(&LinkPdu::news(digest, Vec::new()));
    let mut flooded = Flooded { table_octets: whole.octets, ..Flooded::default() };
    let passing = |passages: u64| Span(delays.link.0 * passages);
    let mut knows = alloc::vec![false; neighbours.len()];
    let mut agenda = BTreeMap::new();
    let mut next = 0_u64;
    knows[origin] = true;
    agenda.insert((Time(0) + delays.disk, next), (origin, Happening::Tells));
    while let Some(((now, _), (group, happening))) = agenda.pop_first() {
        let mut plan = |after: Span, group: usize, happening: Happening| {
            next += 1;
            agenda.insert((now + after, next), (group, happening));
        };
        match happening {
            Happening::Tells => {
                for &far in &neighbours[group] {
                    let until = passing(SMTP_SETUP_PASSAGES + ask.passages);
                    plan(until, far, Happening::IsAsked);
                }
            }
            Happening::IsAsked => {
                flooded.messages += 2;
                flooded.octets += ask.octets + answer.octets;
                if !knows[group] {
                    flooded.messages += answered;
                    flooded.octets += whole.octets;
                    flooded.tables += 1;
                    // The last answer is no part of the way there.
                    plan(passing(answer.passages + whole.passages - 1), group, Happening::Gets);
                }
            }
            Happening::Gets => {
                if !core::mem::replace(&mut knows[group], true) {
                    flooded.agreed_after = now.since(Time(0));
                    plan(delays.disk, group, Happening::Tells);
                }
            }
        }
    }
    assert!(knows.iter().all(|knows| *knows), "every group is reached");
    flooded
}
