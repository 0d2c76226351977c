//! The five groups of the seed's figure 3.14.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::protocol::ids::{ConnectorName, GroupName, MemberName};
use crate::protocol::message::Address;
use crate::protocol::organization::{Account, Connector, Group, ORGANIZATION_FORMAT, Organization};

/// The edges of the figure with their costs.
const EDGES: [(u32, u32, u32); 5] = [(1, 2, 10), (2, 4, 10), (1, 3, 20), (3, 4, 20), (4, 5, 10)];

/// RG1 to RG5: in each group `rgN-a` is the bridgehead and `rgN-b` the master; `userN@example.org` lives
/// on `rgN-a`, `bossN@example.org` on `rgN-b`.
#[must_use]
pub fn five_groups() -> Organization {
    let groups = (1..=5).map(|number| Group {
        name: group(number),
        uuid: format!("{number:032x}"),
        members: Vec::from([member(number, 'a'), member(number, 'b')]),
        master: member(number, 'b'),
    });
    let both_ways = EDGES.iter().flat_map(|(a, b, cost)| [(*a, *b, *cost), (*b, *a, *cost)]);
    let connectors = both_ways.map(|(from, to, cost)| Connector {
        name: ConnectorName(format!("RG{from}-RG{to}")),
        from: group(from),
        to: group(to),
        cost,
        sources: Vec::from([member(from, 'a')]),
        targets: Vec::from([member(to, 'a')]),
        size_limit_octets: None,
    });
    let accounts = (1..=5).flat_map(|number| {
        [("user", 'a'), ("boss", 'b')].map(|(name, letter)| Account {
            address: Address(format!("{name}{number}@example.org")),
            host: member(number, letter),
        })
    });
    Organization {
        format: ORGANIZATION_FORMAT,
        revision: 1,
        name: String::from("five groups"),
        domains: Vec::from([String::from("example.org")]),
        groups: groups.collect(),
        connectors: connectors.collect(),
        accounts: accounts.collect(),
        smart_host: None,
    }
}

fn group(number: u32) -> GroupName {
    GroupName(format!("RG{number}"))
}

fn member(number: u32, letter: char) -> MemberName {
    MemberName(format!("rg{number}-{letter}"))
}
