//! How news travels: merge, tell those who need it, answer when it is durable.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::state::first_neighbour;
use super::{
    Fate, LinkConfig, LinkEvent, LinkPdu, LinkState, NEWS_RECORDS_LIMIT, Neighbour, Node,
    SharedRecord, TABLE_LIMIT, TableChange, TableDigest, Way, check_record,
};
use crate::clause;
use crate::kernel::Cx;
use crate::wire::ids::ConnectorName;

/// What merging some records did.
#[derive(Default)]
struct Growth {
    /// The records that have grown, by UUID.
    records: BTreeMap<String, SharedRecord>,
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
        (records, nodes): (Vec<SharedRecord>, &[Node]),
        cx: &mut Cx<'_, Self>,
    ) {
        if !from.may_tell() {
            Self::misbehaved(from, "News where it may only answer", cx);
            return;
        }
        let told = records.clone();
        self.grow(config, records, Some(from), cx);
        let ours = self.table.digest();
        let (records, nodes) = if digest == ours {
            self.knows_all(config, from);
            Default::default()
        } else if told.is_empty() && nodes.is_empty() {
            clause!(LS_015);
            self.table.tell_root()
        } else {
            self.answer(config, from, &told, nodes)
        };
        if matches!(from, Neighbour::Inbound(..)) {
            self.answered.insert(from.clone());
        }
        clause!(LS_012);
        cx.send_durable(from.clone(), LinkPdu::Merged { digest: ours, records, nodes });
    }

    /// What the teller of these records and nodes lacks, and in which nodes the tables differ.
    fn answer(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        told: &[SharedRecord],
        nodes: &[Node],
    ) -> (Vec<SharedRecord>, Vec<Node>) {
        clause!(LS_016);
        let mut lacked = self.owed_to(config, from);
        lacked.extend(told.iter().filter_map(|told| {
            let is_greater = self.table.of(&told.uuid).is_some_and(|r| r.rank() > told.rank());
            is_greater.then(|| told.uuid.clone())
        }));
        let (found, nodes) = self.table.answer(nodes);
        lacked.extend(found.into_iter().map(|record| record.uuid.clone()));
        let lacked = lacked.iter().take(NEWS_RECORDS_LIMIT);
        clause!(LS_124);
        (lacked.filter_map(|uuid| self.table.of(uuid)).cloned().collect(), nodes)
    }

    /// The answer to our `News`.
    pub(super) fn merged(
        &mut self,
        config: &LinkConfig,
        from: &Neighbour,
        digest: TableDigest,
        (records, nodes): (Vec<SharedRecord>, &[Node]),
        cx: &mut Cx<'_, Self>,
    ) {
        let outstanding = self.links.get(from).is_some_and(|link| link.outstanding.is_some());
        if !outstanding {
            Self::misbehaved(from, "Merged without News", cx);
            return;
        }
        let grown = self.grow(config, records, Some(from), cx);
        let link = self.links.get_mut(from).expect("growth ends no connection that waits");
        let is_first = !link.synced;
        let strays = link.merged(digest, nodes, grown, &self.table);
        if strays > 0 {
            Self::misbehaved(from, "nodes that answer nothing", cx);
        }
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

    /// Merges records; what grows is stored, told to all who need it, and announced to custody. Whether
    /// anything did.
    pub(super) fn grow(
        &mut self,
        config: &LinkConfig,
        records: Vec<SharedRecord>,
        source: Option<&Neighbour>,
        cx: &mut Cx<'_, Self>,
    ) -> bool {
        let growth = self.merge_all(config, records, source, cx);
        let is_own_touched = growth.records.contains_key(&config.group().uuid);
        let has_grown = !growth.records.is_empty();
        if has_grown {
            let grown: Vec<_> = growth.records.into_values().collect();
            clause!(LS_007);
            cx.store(TableChange::Merged(grown.clone()));
            if config.faults.is_on("whole-table-flood") {
                let all: Vec<_> = self.table.records().cloned().collect();
                self.owe(config, &all, source);
            } else {
                self.owe(config, &grown, source);
            }
            let links: Vec<_> = self.links.keys().cloned().collect();
            for neighbour in &links {
                self.pump(neighbour, cx);
            }
            clause!(LS_018);
            cx.event(LinkEvent::TableChanged);
            self.follow(&grown, cx);
            self.open_what_is_needed(cx);
        }
        if growth.is_major {
            clause!(LS_031);
            self.rejudge_failed(config, cx);
        }
        if source.is_some() && growth.contested {
            clause!(MA_009);
            self.publish(config, true, cx);
        } else if source.is_some() && is_own_touched {
            self.publish(config, false, cx);
        }
        has_grown
    }

    fn merge_all(
        &mut self,
        config: &LinkConfig,
        records: Vec<SharedRecord>,
        source: Option<&Neighbour>,
        cx: &mut Cx<'_, Self>,
    ) -> Growth {
        let mut growth = Growth::default();
        for record in records {
            let (group, uuid) = (record.group.clone(), record.uuid.clone());
            let before = self.table.of(&uuid).map(|known| known.version.major);
            let is_full = before.is_none() && self.table.living() >= TABLE_LIMIT;
            let problem =
                if is_full { Err("the table is full".into()) } else { check_record(&record) };
            if let Err(problem) = problem {
                if let Some(source) = source {
                    Self::misbehaved(source, alloc::format!("record of {group}: {problem}"), cx);
                }
                continue;
            }
            let major = record.version.major;
            let mut merge = self.table.merge(record.clone());
            if merge.fate == Fate::Older && config.faults.is_on("stale-merge") {
                self.table.put(record.clone());
                merge.fate = Fate::Grown;
            }
            if merge.conflict {
                growth.contested |= uuid == config.group().uuid;
                cx.event(LinkEvent::Conflict { group });
            }
            if let (Some(source), Fate::Same | Fate::Grown) = (source, merge.fate) {
                self.has_learnt(config, source, &uuid);
            }
            if merge.fate == Fate::Grown {
                growth.is_major |= before != Some(major);
                growth.records.insert(uuid, record);
            }
        }
        growth
    }

    /// These records are owed to every neighbour that needs them.
    fn owe(&mut self, config: &LinkConfig, grown: &[SharedRecord], source: Option<&Neighbour>) {
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
            let needed = grown.iter().filter(|record| record.group != *to);
            owed.extend(needed.map(|record| record.uuid.clone()));
        }
        for (neighbour, link) in &mut self.links {
            let is_connector = matches!(neighbour, Neighbour::Connector { .. });
            // A connection that still opens begins with a query, which tells more than a debt.
            if !is_connector && link.up && told_by != Some(neighbour.member()) {
                link.owed.extend(grown.iter().map(|record| record.uuid.clone()));
            }
        }
    }

    /// Every debt towards the far end of `neighbour`, and towards its whole group if it is another.
    fn debts<'a>(
        &'a mut self,
        config: &'a LinkConfig,
        neighbour: &'a Neighbour,
    ) -> impl Iterator<Item = &'a mut BTreeSet<String>> {
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

    /// The far end has the present record of this UUID.
    fn has_learnt(&mut self, config: &LinkConfig, neighbour: &Neighbour, uuid: &str) {
        self.debts(config, neighbour).for_each(|owed| {
            owed.remove(uuid);
        });
    }

    /// The far end has the very same table.
    fn knows_all(&mut self, config: &LinkConfig, neighbour: &Neighbour) {
        self.debts(config, neighbour).for_each(BTreeSet::clear);
    }

    fn owed_to(&mut self, config: &LinkConfig, neighbour: &Neighbour) -> BTreeSet<String> {
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
        assert!(link.up && link.is_settled(), "nothing is owed on a settled connection");
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
