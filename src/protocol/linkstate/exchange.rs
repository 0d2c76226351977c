//! How news travels: merge, tell those who need it, answer when it is durable.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::state::first_neighbour;
use super::{
    Fate, LinkConfig, LinkEvent, LinkPdu, LinkState, Neighbour, Record, TABLE_LIMIT, TableChange,
    TableDigest, Way, check_record,
};
use crate::clause;
use crate::kernel::Cx;
use crate::wire::ids::{ConnectorName, GroupName};

/// What merging some records did.
#[derive(Default)]
struct Growth {
    /// Groups whose records have grown.
    groups: BTreeSet<GroupName>,
    /// A configuration somewhere is new to this table.
    is_major: bool,
    /// Somebody else wrote the record of our own group.
    contested: bool,
}

impl LinkState {
    /// A neighbour tells news: merge it, and answer when it is durable.
    pub(super) fn news(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        digest: TableDigest,
        records: Vec<Record>,
        cx: &mut Cx<'_, Self>,
    ) {
        if !from.may_tell() {
            Self::misbehaved(from, "News where it may only answer", cx);
            return;
        }
        let told: Vec<_> =
            records.iter().map(|record| (record.group.clone(), record.version.clone())).collect();
        self.grow(config, records, Some(from), cx);
        let ours = self.table.digest();
        let records = if digest == ours {
            self.knows_all(config, from);
            Vec::new()
        } else if told.is_empty() {
            clause!(LS_015);
            self.table.records().to_vec()
        } else {
            clause!(LS_016);
            let mut groups = self.owed_to(config, from);
            groups.extend(told.into_iter().filter_map(|(group, version)| {
                let is_greater = self.table.get(&group).is_some_and(|r| r.version > version);
                is_greater.then_some(group)
            }));
            groups.iter().filter_map(|group| self.table.get(group)).cloned().collect()
        };
        if matches!(from, Neighbour::Inbound(..)) {
            self.answered.insert(from.clone());
        }
        clause!(LS_012);
        cx.send_durable(from.clone(), LinkPdu::Merged { digest: ours, records });
    }

    /// The answer to our `News`.
    pub(super) fn merged(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        digest: TableDigest,
        records: Vec<Record>,
        cx: &mut Cx<'_, Self>,
    ) {
        let outstanding = self.links.get(from).is_some_and(|link| link.outstanding.is_some());
        if !outstanding {
            Self::misbehaved(from, "Merged without News", cx);
            if matches!(from, Neighbour::Attached(_) | Neighbour::Master(_)) {
                clause!(SM_082);
                cx.close(from.clone());
                self.ended(config, from, cx);
            }
            return;
        }
        self.grow(config, records, Some(from), cx);
        let link = self.links.get_mut(from).expect("growth ends no connection that waits");
        let is_first = !link.synced;
        link.merged(digest, &self.table);
        if digest == self.table.digest() {
            self.knows_all(config, from);
        }
        if is_first {
            self.synced(config, from, cx);
        }
        self.pump(from, cx);
    }

    /// The first exchange on a connection is done.
    fn synced(&mut self, config: &LinkConfig, neighbour: &Neighbour, cx: &mut Cx<'_, Self>) {
        match neighbour {
            Neighbour::Connector { connector, .. } => self.succeeded(config, connector, cx),
            Neighbour::Master(_) => self.reattach.reset(),
            Neighbour::Member(_) | Neighbour::Attached(_) | Neighbour::Inbound(..) => {}
        }
    }

    /// Merges records; what grows is stored, told to all who need it, and announced to custody.
    pub(super) fn grow(
        &mut self,
        config: &LinkConfig,
        records: Vec<Record>,
        source: Option<&Neighbour>,
        cx: &mut Cx<'_, Self>,
    ) {
        let growth = self.merge_all(config, records, source, cx);
        if !growth.groups.is_empty() {
            let grown = growth.groups.iter().filter_map(|group| self.table.get(group));
            clause!(LS_007);
            cx.store(TableChange::Merged(grown.cloned().collect()));
            if config.faults.is_on("whole-table-flood") {
                let all = self.table.records().iter().map(|record| record.group.clone()).collect();
                self.owe(config, &all, source);
            } else {
                self.owe(config, &growth.groups, source);
            }
            let links: Vec<_> = self.links.keys().cloned().collect();
            for neighbour in &links {
                self.pump(neighbour, cx);
            }
            clause!(LS_018);
            cx.event(LinkEvent::TableChanged);
            self.open_what_is_needed(cx);
        }
        if growth.is_major {
            clause!(LS_031);
            self.rejudge_failed(config, cx);
        }
        if source.is_some() && growth.contested {
            clause!(MA_009);
            self.publish(config, true, cx);
        } else if source.is_some() && growth.groups.contains(&config.group().name) {
            self.publish(config, false, cx);
        }
    }

    fn merge_all(
        &mut self,
        config: &LinkConfig,
        records: Vec<Record>,
        source: Option<&Neighbour>,
        cx: &mut Cx<'_, Self>,
    ) -> Growth {
        let mut growth = Growth::default();
        for record in records {
            let group = record.group.clone();
            let before = self.table.get(&group).map(|known| known.version.major);
            let is_full = before.is_none() && self.table.records().len() >= TABLE_LIMIT;
            let problem =
                if is_full { Err("the table is full".into()) } else { check_record(&record) };
            if let Err(problem) = problem {
                if let Some(source) = source {
                    Self::misbehaved(source, alloc::format!("record of {group}: {problem}"), cx);
                }
                continue;
            }
            let major = record.version.major;
            let late = config.faults.is_on("stale-merge").then(|| record.clone());
            let mut merge = self.table.merge(record);
            if let (Some(late), Fate::Older) = (late, merge.fate) {
                self.table.overwrite(late);
                merge.fate = Fate::Grown;
            }
            if merge.conflict {
                growth.contested |= group == config.group().name;
                cx.event(LinkEvent::Conflict { group: group.clone() });
            }
            if let (Some(source), Fate::Same | Fate::Grown) = (source, merge.fate) {
                self.has_learnt(config, source, &group);
            }
            if merge.fate == Fate::Grown {
                growth.is_major |= before != Some(major);
                growth.groups.insert(group);
            }
        }
        growth
    }

    /// The present records of these groups are owed to every neighbour that needs them.
    fn owe(
        &mut self,
        config: &LinkConfig,
        groups: &BTreeSet<GroupName>,
        source: Option<&Neighbour>,
    ) {
        let told_by = source.map(Neighbour::member);
        let organization = &config.organization;
        let origin = told_by.and_then(|member| organization.group_of(member)).map(|g| &g.name);
        for detector in self.detectors.values_mut() {
            let to = &detector.to;
            if origin == Some(to) {
                clause!(LS_017);
                continue;
            }
            let way = Way::Connector(detector.name.clone());
            let link = self.links.range_mut(first_neighbour(&way)..).next();
            let link = link.filter(|(neighbour, _)| neighbour.serves(&way));
            let owed = link.map_or(&mut detector.owed, |(_, link)| &mut link.owed);
            owed.extend(groups.iter().filter(|group| *group != to).cloned());
        }
        for (neighbour, link) in &mut self.links {
            let is_connector = matches!(neighbour, Neighbour::Connector { .. });
            // A connection that still opens begins with a query, which tells more than a debt.
            if !is_connector && link.up && told_by != Some(neighbour.member()) {
                link.owed.extend(groups.iter().cloned());
            }
        }
    }

    /// Every debt towards the far end of `neighbour`, and towards its whole group if it is another.
    fn debts<'a>(
        &'a mut self,
        config: &'a LinkConfig,
        neighbour: &'a Neighbour,
    ) -> impl Iterator<Item = &'a mut BTreeSet<GroupName>> {
        let far = config.organization.group_of(neighbour.member()).map(|group| &group.name);
        let own = &config.group().name;
        let leads_there = move |name: &ConnectorName| {
            let connector = config.organization.connector(name);
            far != Some(own) && connector.is_some_and(|connector| Some(&connector.to) == far)
        };
        let detectors = self.detectors.values_mut().filter(move |d| leads_there(&d.name));
        let links = self.links.iter_mut().filter(move |(other, _)| match other {
            Neighbour::Connector { connector, .. } => *other == neighbour || leads_there(connector),
            _ => other.member() == neighbour.member(),
        });
        detectors.map(|detector| &mut detector.owed).chain(links.map(|(_, link)| &mut link.owed))
    }

    /// The far end has the present record of `group`.
    fn has_learnt(&mut self, config: &LinkConfig, neighbour: &Neighbour, group: &GroupName) {
        self.debts(config, neighbour).for_each(|owed| {
            owed.remove(group);
        });
    }

    /// The far end has the very same table.
    fn knows_all(&mut self, config: &LinkConfig, neighbour: &Neighbour) {
        self.debts(config, neighbour).for_each(BTreeSet::clear);
    }

    fn owed_to(&mut self, config: &LinkConfig, neighbour: &Neighbour) -> BTreeSet<GroupName> {
        self.debts(config, neighbour).flat_map(|owed| owed.iter().cloned()).collect()
    }

    /// Sends what is owed on a connection. When nothing is, mail may flow, or the connection closes.
    pub(super) fn pump(&mut self, neighbour: &Neighbour, cx: &mut Cx<'_, Self>) {
        let Some(link) = self.links.get_mut(neighbour) else { return };
        if let Some(news) = link.next_news(&self.table) {
            clause!(LS_008);
            cx.send_durable(neighbour.clone(), news);
            return;
        }
        let Some(way) = neighbour.way() else { return };
        if !link.synced || link.outstanding.is_some() {
            return;
        }
        assert!(link.up && link.owed.is_empty(), "nothing is owed on a settled connection");
        if self.wanted.contains(&way) {
            if !core::mem::replace(&mut link.ready, true) {
                clause!(LS_019);
                cx.event(LinkEvent::Ready { way, neighbour: neighbour.clone() });
            }
        } else {
            clause!(LS_009);
            self.links.remove(neighbour);
            cx.close(neighbour.clone());
            self.forget_losses(&way);
        }
    }
}
