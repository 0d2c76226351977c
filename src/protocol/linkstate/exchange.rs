//! How news travels: merge, tell those who need it, answer when it is durable.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::state::first_neighbour;
use super::{
    Fate, LinkConfig, LinkEvent, LinkPdu, LinkState, LinkTimer, NEWS_RECORDS_LIMIT, Neighbour,
    Node, SharedRecord, TABLE_LIMIT, TableChange, TableDigest, Way, check_record,
};
use crate::clause;
use crate::kernel::Cx;
use crate::wire::ids::GroupName;

/// What merging some records did.
#[derive(Default)]
struct Growth {
    /// The records that have grown, by UUID.
    records: BTreeMap<String, SharedRecord>,
    /// The names of these groups, before and now.
    groups: BTreeSet<GroupName>,
    /// UUIDs of those that contradict what the table had: their owners must hear of it, to outbid them.
    contradictions: BTreeSet<String>,
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
            self.out_of_place(config, from, "Merged without News", cx);
            return;
        }
        let grown = self.grow(config, records, Some(from), cx);
        // A record that makes another member the master ends the connections of the group port (MA-074).
        let Some(link) = self.links.get_mut(from) else { return };
        let is_first = !link.synced;
        let strays = link.merged(digest, nodes, grown, &self.table);
        self.answer_came(from, cx);
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
        self.collected(config, from, cx);
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
            grown.iter().for_each(|record| self.ages.learn(&record.uuid, cx.now));
            cx.store(TableChange::Learnt { at: cx.now, records: grown.clone() });
            if self.mastership.is_some() && is_own_touched {
                self.arm_refresh(config, cx);
            }
            if config.faults.is_on("whole-table-flood") {
                let all: Vec<_> = self.table.records().cloned().collect();
                self.owe(config, &all, &growth.contradictions, source, cx);
            } else if source.is_none() || !config.faults.is_on("nobody-forwards") {
                self.owe(config, &grown, &growth.contradictions, source, cx);
            }
            let links: Vec<_> = self.links.keys().cloned().collect();
            for neighbour in &links {
                self.pump(neighbour, cx);
            }
            clause!(LS_018);
            cx.event(LinkEvent::TableChanged);
            self.follow(&growth.groups, cx);
            self.take_turns(config, cx);
            self.open_what_is_needed(cx);
        }
        if growth.is_major {
            clause!(LS_031);
            self.rejudge_failed(config, cx);
        }
        if is_own_touched {
            self.tell_if_buried(config, cx);
            self.heed_record(config, cx);
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
            let uuid = record.uuid.clone();
            let known = self.table.of(&uuid).cloned();
            let before = known.as_ref().map(|known| known.version.major);
            if let Err(problem) = self.check(config, &record, known.as_ref()) {
                if let Some(source) = source {
                    let group = &record.group;
                    Self::misbehaved(source, alloc::format!("record of {group}: {problem}"), cx);
                }
                continue;
            }
            if record.deleted.is_some() && config.faults.is_on("tombstone-ignored") {
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
                let known = known.as_ref().expect("a conflict is one with a known record");
                self.alarm(&record, known.digest(), cx);
            }
            if let (Some(source), Fate::Same | Fate::Grown) = (source, merge.fate) {
                self.has_learnt(config, source, &uuid);
            }
            if merge.fate == Fate::Grown {
                growth.is_major |= before != Some(major);
                let renamed = known.as_ref().map(|known| known.group.clone());
                growth.groups.extend(renamed.into_iter().chain([record.group.clone()]));
                if merge.conflict {
                    growth.contradictions.insert(uuid.clone());
                }
                if known.is_none_or(|known| known.group != record.group) {
                    self.alarm_of_names(&record, cx);
                }
                growth.records.insert(uuid, record);
            }
        }
        growth
    }

    /// What speaks against merging a record.
    fn check(
        &self,
        config: &LinkConfig,
        record: &SharedRecord,
        known: Option<&SharedRecord>,
    ) -> Result<(), String> {
        let is_full = match record.deleted {
            Some(_) => {
                clause!(LS_132);
                let is_grave = known.is_some_and(|known| known.deleted.is_some());
                let is_lax = config.faults.is_on("tombstones-without-limit");
                !is_grave && self.table.buried() >= TABLE_LIMIT && !is_lax
            }
            None => known.is_none() && self.table.living() >= TABLE_LIMIT,
        };
        if is_full { Err(String::from("the table is full")) } else { check_record(record) }
    }

    /// Two groups that are not buried have one name.
    fn alarm_of_names(&mut self, record: &SharedRecord, cx: &mut Cx<'_, Self>) {
        let named: Vec<_> = self.table.named(&record.group).cloned().collect();
        for other in named.iter().filter(|other| other.uuid != record.uuid) {
            clause!(LS_135);
            if record.deleted.is_none() {
                self.alarm(record, other.digest(), cx);
            }
        }
    }

    /// These records are owed to every neighbour that needs them.
    fn owe(
        &mut self,
        config: &LinkConfig,
        grown: &[SharedRecord],
        contradictions: &BTreeSet<String>,
        source: Option<&Neighbour>,
        cx: &mut Cx<'_, Self>,
    ) {
        let left_to_others = self.left_to_others(config);
        let told_by = source.map(Neighbour::member);
        let origin = source.and_then(|source| self.far_group(config, source));
        for detector in self.detectors.values_mut() {
            let to = &detector.to;
            if origin.as_ref() == Some(to) {
                clause!(LS_017);
                continue;
            }
            let way = Way::Connector(detector.name.clone());
            let link = self.links.range_mut(first_neighbour(&way)..).next();
            let link = link.filter(|(neighbour, _)| neighbour.serves(&way));
            // A group that is buried or contradicted must hear of it. Its UUID is looked for only where the name is its own.
            let is_own = |record: &SharedRecord| {
                let far = (record.group == *to).then(|| config.organization.group(to)).flatten();
                far.is_some_and(|group| group.uuid == record.uuid)
            };
            let is_needed = |record: &&SharedRecord| {
                let must_hear = record.deleted.is_some() || contradictions.contains(&record.uuid);
                must_hear || !is_own(record)
            };
            let needed: Vec<_> = grown.iter().filter(is_needed).map(|r| r.uuid.clone()).collect();
            let left = left_to_others.get(&detector.name).filter(|_| !needed.is_empty());
            match link {
                Some((_, link)) => {
                    link.query |= left.is_some();
                    link.owed.extend(needed);
                }
                None => {
                    if let Some(wait) = left.filter(|_| detector.owed.is_empty()) {
                        clause!(LS_230);
                        detector.deferred = true;
                        cx.arm(LinkTimer::Backup(detector.name.clone()), *wait);
                    }
                    detector.owed.extend(needed);
                }
            }
        }
        for (neighbour, link) in &mut self.links {
            let is_connector = matches!(neighbour, Neighbour::Connector { .. });
            // A connection that still opens begins with a query, which tells more than a debt.
            if !is_connector && link.up && told_by != Some(neighbour.member()) {
                link.owed.extend(grown.iter().map(|record| record.uuid.clone()));
            }
        }
    }

    /// The group of the far end. Only for those who call us it has to be looked for.
    fn far_group(&self, config: &LinkConfig, neighbour: &Neighbour) -> Option<GroupName> {
        match neighbour {
            Neighbour::Connector { connector, .. } => {
                self.detectors.get(connector).map(|detector| detector.to.clone())
            }
            Neighbour::Inbound(_, member) => {
                config.organization.group_of(member).map(|group| group.name.clone())
            }
            Neighbour::Member(_) | Neighbour::Master(_) | Neighbour::Attached(_) => {
                Some(config.group().name.clone())
            }
        }
    }

    /// Shows `act` every debt towards the far end of `neighbour`, and towards its whole group if it is another.
    fn each_debt(
        &mut self,
        config: &LinkConfig,
        neighbour: &Neighbour,
        mut act: impl FnMut(&mut BTreeSet<String>),
    ) {
        let far = self.far_group(config, neighbour);
        let far = far.filter(|far| *far != config.group().name);
        for detector in self.detectors.values_mut().filter(|d| far.as_ref() == Some(&d.to)) {
            act(&mut detector.owed);
            let way = Way::Connector(detector.name.clone());
            let link = self.links.range_mut(first_neighbour(&way)..).next();
            if let Some((_, link)) = link.filter(|(other, _)| other.serves(&way)) {
                act(&mut link.owed);
            }
        }
        let member = neighbour.member();
        for other in [
            Neighbour::Member(member.clone()),
            Neighbour::Master(member.clone()),
            Neighbour::Attached(member.clone()),
        ] {
            if let Some(link) = self.links.get_mut(&other) {
                act(&mut link.owed);
            }
        }
    }

    /// The far end has the present record of this UUID.
    fn has_learnt(&mut self, config: &LinkConfig, neighbour: &Neighbour, uuid: &str) {
        self.each_debt(config, neighbour, |owed| {
            owed.remove(uuid);
        });
    }

    /// The far end has the very same table.
    fn knows_all(&mut self, config: &LinkConfig, neighbour: &Neighbour) {
        self.each_debt(config, neighbour, BTreeSet::clear);
    }

    fn owed_to(&mut self, config: &LinkConfig, neighbour: &Neighbour) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        self.each_debt(config, neighbour, |owed| all.extend(owed.iter().cloned()));
        all
    }

    /// Sends what is owed on a connection. When nothing is, mail may flow, or the connection closes.
    pub(super) fn pump(&mut self, neighbour: &Neighbour, cx: &mut Cx<'_, Self>) {
        let has_mail = neighbour.way().is_some_and(|way| self.wanted.contains(&way));
        let Some(link) = self.links.get_mut(neighbour) else { return };
        let is_late = self.tells_late && link.synced && has_mail;
        if !is_late && let Some(news) = link.next_news(&self.table) {
            clause!(LS_008);
            cx.send_durable(neighbour.clone(), news);
            self.await_answer(neighbour, cx);
            return;
        }
        let Some(way) = neighbour.way() else { return };
        if !link.synced || link.outstanding.is_some() {
            return;
        }
        assert!(is_late || link.up && link.is_settled(), "nothing is owed on a settled connection");
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
