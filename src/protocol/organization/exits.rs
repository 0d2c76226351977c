//! `[[group.exit]]`: the ways that lead out of the organization.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Group, Organization, restrictions};
use crate::clause;
use crate::wire::exits::{ExitRecord, Scope, Space, Specificity};
use crate::wire::ids::{ExitName, GroupName, MemberName};
use crate::wire::restrictions::{Priority, Restrictions};

/// A connector whose far end is the outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// Unique in its group.
    pub name: ExitName,
    /// The domains that it is for: `*`, `example.net`, `*.example.net`.
    pub spaces: Vec<Space>,
    /// 1 to 100.
    pub cost: u32,
    /// The members of the group that carry it, in the order in which others hand mail to them.
    pub sources: Vec<MemberName>,
    /// Whether other groups may use it.
    #[serde(default)]
    pub scope: Scope,
    /// `HOST:PORT` of the server that it leads to; without one, the smart host of the organization.
    #[serde(default)]
    pub smart_host: Option<String>,
    /// The largest message that it carries, in octets.
    #[serde(default)]
    pub size_limit_octets: Option<u64>,
    /// The priorities of the messages that it carries; none stands for all.
    #[serde(default)]
    pub priorities: Vec<Priority>,
    /// The addresses and domains whose mail alone it carries, and `<>` for the null sender; none stands
    /// for all.
    #[serde(default)]
    pub senders_allowed: Vec<String>,
    /// The addresses and domains whose mail it does not carry.
    #[serde(default)]
    pub senders_denied: Vec<String>,
}

impl Exit {
    /// As it stands in the record of its group.
    #[must_use]
    pub fn record(&self) -> ExitRecord {
        clause!(LS_210);
        let spaces: BTreeSet<_> = self.spaces.iter().cloned().collect();
        ExitRecord {
            name: self.name.clone(),
            spaces: spaces.into_iter().collect(),
            cost: self.cost,
            sources: self.sources.clone(),
            scope: self.scope,
            restrictions: self.restrictions(),
        }
    }

    /// For which messages it can be used.
    #[must_use]
    pub fn restrictions(&self) -> Restrictions {
        let senders = (&self.senders_allowed[..], &self.senders_denied[..]);
        restrictions(self.size_limit_octets, &self.priorities, senders)
    }

    /// How closely the best of its spaces fits `domain`, if any covers it.
    #[must_use]
    pub fn fit(&self, domain: &str) -> Option<Specificity> {
        self.spaces.iter().filter_map(|space| space.fit(domain)).max()
    }
}

impl Group {
    /// Its exits as they stand in its record, in order of their names.
    #[must_use]
    pub fn exit_records(&self) -> Vec<ExitRecord> {
        let mut exits: Vec<_> = self.exits.iter().map(Exit::record).collect();
        exits.sort_by(|left, right| left.name.cmp(&right.name));
        exits
    }

    /// The exit of that name.
    #[must_use]
    pub fn exit(&self, name: &ExitName) -> Option<&Exit> {
        self.exits.iter().find(|exit| exit.name == *name)
    }
}

impl Organization {
    /// The exits that the group `own` may use, with their groups, by this file.
    pub fn exits_for(&self, own: &GroupName) -> impl Iterator<Item = (&Group, &Exit)> {
        let all = self.groups.iter().flat_map(|group| group.exits.iter().map(move |e| (group, e)));
        all.filter(move |(group, exit)| exit.scope == Scope::Organization || group.name == *own)
    }

    /// The server to which an exit leads.
    #[must_use]
    pub fn way_out<'a>(&'a self, exit: &'a Exit) -> Option<&'a str> {
        exit.smart_host.as_deref().or(self.smart_host.as_deref())
    }
}
