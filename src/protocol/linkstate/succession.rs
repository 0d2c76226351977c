//! Who the master of the group is, by its name in the organization or by election, and what it publishes.

use alloc::vec::Vec;

use super::{LinkConfig, LinkEvent, LinkState, LinkTimer, Neighbour, TableChange, Term};
use crate::clause;
use crate::kernel::{Cx, draw_u64};
use crate::protocol::master::{Appointment, Mastership, OUTBID_LIMIT, OUTBID_WINDOW, next_term};
use crate::wire::election::ELECTED_LIMIT;
use crate::wire::ids::MemberName;

impl LinkState {
    /// Who the master of the group is, as far as this member knows.
    #[must_use]
    pub const fn master(&self) -> Option<&MemberName> {
        self.master.as_ref()
    }

    /// The term under which this member is the master of its group.
    #[must_use]
    pub fn leads(&self) -> Option<&Term> {
        self.mastership.as_ref().map(|mastership| &mastership.term)
    }

    /// Takes over who the master is by the organization and the operator; one that was elected stays.
    pub(super) fn adopt_master(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let group = config.group();
        if let Some(named) = &group.master {
            clause!(MA_070);
            self.elected = None;
            let in_force = self.appointment(config).map(|appointment| appointment.term);
            self.give_way(config, in_force.as_ref(), cx);
            self.master = Some(in_force.map_or_else(|| named.clone(), |term| term.member));
        } else if self.elected.is_none() {
            // One that was named before has no say in a group that elects.
            self.master = None;
        }
        self.take_up(config, cx);
    }

    /// The appointment in force: the greatest that is known, unless the file is newer. Without one the file
    /// names the master.
    #[must_use]
    pub fn appointment(&self, config: &LinkConfig) -> Option<Appointment> {
        let group = config.group();
        group.master.as_ref()?;
        let record = self.table.of(&group.uuid);
        let published = record.and_then(|record| Appointment::of_record(record, group));
        let told = self.appointed.clone().filter(|told| group.members.contains(&told.term.member));
        let is_published = !config.faults.is_on("records-appoint-nobody");
        let greatest = published.filter(|_| is_published).max(told)?;
        (greatest.revision >= config.organization.revision).then_some(greatest)
    }

    /// The appointment that this member has to tell of: its own, where the file alone would not say it.
    #[must_use]
    pub fn own_appointment(&self, config: &LinkConfig) -> Option<Appointment> {
        let in_force = self.appointment(config)?;
        let is_own = in_force.term.member == config.member && self.mastership.is_some();
        let is_told = self.appointed.as_ref().is_some_and(|told| {
            told.term.member == config.member && told.revision >= config.organization.revision
        });
        let is_named = config.group().master.as_ref() == Some(&config.member);
        (is_own && (is_told || !is_named)).then_some(in_force)
    }

    /// Whether the master of the file is so by an order, too.
    #[must_use]
    pub fn is_by_order(&self, config: &LinkConfig) -> bool {
        self.appointed.as_ref().is_some_and(|told| {
            told.revision >= config.organization.revision
                && self.master.as_ref() == Some(&told.term.member)
        })
    }

    /// The greatest term of the group that this member knows, of an appointment or a record.
    #[must_use]
    pub fn greatest_term(&self, config: &LinkConfig) -> Option<Term> {
        let told = self.appointed.as_ref().map(|told| &told.term);
        self.published_term(config).max(told).cloned()
    }

    /// The operator makes this member the master.
    pub(super) fn appoint(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        clause!(MA_071);
        let term = self.begin_term_above(Some(&first_of_all()), config, cx);
        // Each term has its own mastership.
        self.mastership = None;
        let appointment = Appointment { revision: config.organization.revision, term };
        self.appointed(config, appointment, cx);
        self.publish(config, false, cx);
    }

    /// A master was appointed, this member or another one.
    pub(super) fn appointed(
        &mut self,
        config: &LinkConfig,
        appointment: Appointment,
        cx: &mut Cx<'_, Self>,
    ) {
        let is_old = self.appointed.as_ref().is_some_and(|known| *known >= appointment);
        if is_old && !config.faults.is_on("old-appointment-obeyed") {
            return;
        }
        clause!(MA_073);
        if !is_old && !config.faults.is_on("appointment-in-memory") {
            cx.store(TableChange::Appointed(appointment.clone()));
        }
        self.appointed = Some(appointment.clone());
        cx.event(LinkEvent::Appointed(appointment));
        self.heed_appointment(config, cx);
    }

    /// The record of the own group has changed: somebody else may be the master by it.
    pub(super) fn heed_record(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let in_force = self.appointment(config).map(|appointment| appointment.term.member);
        if in_force.is_some() && in_force != self.master {
            self.heed_appointment(config, cx);
        }
    }

    /// Does what follows from the appointment in force.
    fn heed_appointment(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if config.group().master.is_some() {
            self.adopt_master(config, cx);
        }
    }

    /// Says so, where another member is the master in the place of this one.
    fn give_way(&self, config: &LinkConfig, in_force: Option<&Term>, cx: &mut Cx<'_, Self>) {
        let Some(by) = in_force.filter(|by| by.member != config.member) else { return };
        let is_named = config.group().master.as_ref() == Some(&config.member);
        if is_named || self.mastership.is_some() {
            clause!(MA_074);
            cx.event(LinkEvent::Superseded { by: by.clone() });
        }
    }

    /// A master was elected, this member or another one.
    pub(super) fn elect(&mut self, config: &LinkConfig, term: Term, cx: &mut Cx<'_, Self>) {
        // Each term has its own mastership: what was heard under another one, others may have outbid.
        self.mastership = None;
        if self.reattach.waiting {
            // How often the master before it was called in vain is no reason to let this one wait.
            clause!(MA_010);
            cx.disarm(LinkTimer::Reattach);
        }
        self.reattach.reset();
        self.master = Some(term.member.clone());
        self.elected = Some(term);
        self.take_up(config, cx);
        self.publish(config, false, cx);
    }

    /// As a master that nobody has elected: begins a term above one that is known in the group.
    pub(super) fn outdo(&mut self, config: &LinkConfig, known: &Term, cx: &mut Cx<'_, Self>) {
        let is_smaller = self.leads().is_some_and(|own| own < known);
        if !is_smaller || self.elected.is_some() || known.counter > ELECTED_LIMIT {
            return;
        }
        clause!(MA_003);
        let nonce = draw_u64(cx.choose, "linkstate.term");
        let published = self.published_term(config).max(Some(known));
        let term = next_term(self.term.as_ref(), published, &config.member, nonce);
        cx.store(TableChange::Term(term.clone()));
        self.term = Some(term.clone());
        if let Some(mastership) = &mut self.mastership {
            mastership.term = term;
        }
        self.publish(config, false, cx);
    }

    /// This member is the master no longer, and knows of no other one.
    pub(super) fn cease(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        clause!(MA_038);
        if self.mastership.is_some() {
            (self.master, self.elected) = (None, None);
            self.take_up(config, cx);
        }
    }

    /// Does what follows from who the master is.
    fn take_up(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        let master = self.master.as_ref();
        let is_master = master == Some(&config.member);
        let members = &config.group().members;
        let is_stale = |neighbour: &Neighbour| match neighbour {
            Neighbour::Master(member) => is_master || Some(member) != master,
            Neighbour::Attached(member) => !is_master || !members.contains(member),
            _ => false,
        };
        let stale: Vec<_> = self.links.keys().filter(|n| is_stale(n)).cloned().collect();
        for neighbour in stale {
            self.links.remove(&neighbour);
            cx.disarm(LinkTimer::Answer(neighbour.clone()));
            cx.close(neighbour);
        }
        if is_master {
            clause!(MA_001);
            self.reattach.reset();
            cx.disarm(LinkTimer::Reattach);
            self.begin_mastership(config, cx);
        } else {
            self.mastership = None;
            cx.disarm(LinkTimer::Outbid);
            self.attach(config, cx);
        }
    }

    fn begin_mastership(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if self.mastership.is_none() {
            let published = self.published_term(config);
            // Another member has spoken for the group, and maybe more than this one has heard.
            let is_successor = match &self.elected {
                Some(_) => published.is_some(),
                None => published.is_some_and(|published| published.member != config.member),
            };
            let term = match self.elected.clone() {
                Some(term) => term,
                None => self.own_term(config, cx),
            };
            self.mastership = Some(Mastership::new(term));
            if is_successor {
                self.begin_collection(config, cx);
            }
        }
        let own = self.report();
        if let Some(mastership) = &mut self.mastership {
            for (connector, state) in own {
                mastership.hear(&config.member, connector, state);
            }
        }
        self.watch_sources(config, cx);
    }

    /// The term under which a member that the organization names begins, or goes on.
    fn own_term(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) -> Term {
        let own = self.term.as_ref().filter(|term| term.member == config.member);
        match (own, self.greatest_term(config)) {
            (Some(own), known) if known.as_ref().is_none_or(|known| known <= own) => {
                clause!(MA_002);
                own.clone()
            }
            _ => self.begin_term(config, cx),
        }
    }

    /// The term of the record of the own group.
    fn published_term(&self, config: &LinkConfig) -> Option<&Term> {
        let record = self.table.of(&config.group().uuid);
        record.filter(|record| record.deleted.is_none()).map(|record| &record.version.term)
    }

    /// Draws a term above every known one, and stores it.
    fn begin_term(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) -> Term {
        self.begin_term_above(None, config, cx)
    }

    fn begin_term_above(
        &mut self,
        least: Option<&Term>,
        config: &LinkConfig,
        cx: &mut Cx<'_, Self>,
    ) -> Term {
        let nonce = draw_u64(cx.choose, "linkstate.term");
        let told = self.appointed.as_ref().map(|told| &told.term);
        let published = self.published_term(config).max(told).max(least);
        let mut term = next_term(self.term.as_ref(), published, &config.member, nonce);
        if config.faults.is_on("first-term-outbids") {
            term.nonce = nonce;
        }
        cx.store(TableChange::Term(term.clone()));
        self.term = Some(term.clone());
        term
    }

    /// As the master: makes the table say what is known of the group. Whether something new was published.
    pub(super) fn publish(
        &mut self,
        config: &LinkConfig,
        contested: bool,
        cx: &mut Cx<'_, Self>,
    ) -> bool {
        let Some(mastership) = &self.mastership else { return false };
        if mastership.collection.is_some() {
            return false;
        }
        if self.is_buried(config) {
            clause!(LS_134);
            return false;
        }
        let group = config.group();
        let (organization, mut term) = (&config.organization, mastership.term.clone());
        let published = self.table.of(&group.uuid).map(|record| &record.version);
        let is_greater = published.is_some_and(|version| version.term > term);
        let is_at_end = published.is_some_and(|version| version.minor == u32::MAX);
        if published.is_some_and(|version| version.major > organization.revision) {
            cx.event(LinkEvent::Conflict { group: group.name.clone() });
        } else if self.elected.is_some() && (is_greater || is_at_end) {
            // The election has learnt of the greater term with the record.
            if is_at_end {
                cx.event(LinkEvent::TermSpent);
            }
            return false;
        } else if is_greater && !self.may_outbid(config, cx) {
            return false;
        } else if is_greater || is_at_end {
            term = self.begin_term(config, cx);
        }
        let Some(mastership) = &mut self.mastership else { return false };
        mastership.term = term;
        let current = self.table.of(&group.uuid);
        let known = current.map(|record| &**record);
        let Some(record) = mastership.compose(organization, group, known, contested) else {
            return false;
        };
        assert!(current.is_none_or(|c| c.version < record.version), "versions only grow");
        let _ = self.grow(config, alloc::vec![record.into()], None, cx);
        true
    }

    /// Whether a greater term in the record of our group is outbid. Another member that is the master by
    /// its own file would outbid us again: two such members must not go on with that.
    fn may_outbid(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) -> bool {
        let group = config.group();
        let published = self.table.of(&group.uuid).map(|record| &record.version.term.member);
        let (Some(mastership), Some(other)) = (&mut self.mastership, published) else {
            return false;
        };
        if *other == config.member || config.faults.is_on("outbids-for-ever") {
            return true;
        }
        clause!(MA_026);
        cx.event(LinkEvent::Conflict { group: group.name.clone() });
        if mastership.outbids >= OUTBID_LIMIT {
            return false;
        }
        if mastership.outbids == 0 {
            cx.arm(LinkTimer::Outbid, OUTBID_WINDOW);
        }
        mastership.outbids += 1;
        true
    }

    /// The window in which terms of others are outbid begins anew.
    pub(super) fn outbid_again(&mut self, config: &LinkConfig, cx: &mut Cx<'_, Self>) {
        if let Some(mastership) = &mut self.mastership {
            mastership.outbids = 0;
        }
        self.publish(config, false, cx);
    }
}

/// Less than the term with which any master begins that knows nothing: who is made the master by order begins above
/// those (MA-024), also where it has not heard of them.
fn first_of_all() -> Term {
    Term { counter: 1, member: MemberName::from(""), nonce: 0 }
}
