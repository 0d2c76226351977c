//! How elections live inside a member: that of its own group, and those of the groups whose witness it is.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use serde::Serialize;

use super::{Answer, Endpoint, Errand, Event, Line, Member, MemberConfig, Pdu, Query, Timer, Turn};
use crate::clause;
use crate::kernel::{Cx, Effect, Gate, Input, LinkChange, Machine, Ticket};
use crate::protocol::linkstate::LinkCommand;
use crate::protocol::master::Appointment;
use crate::protocol::master::election::{
    Election, ElectionCommand, ElectionConfig, ElectionDurable, ElectionEvent, ElectionPeer,
    StoreQuery,
};
use crate::protocol::operator::{Item, Ordered};
use crate::protocol::organization::Group;
use crate::protocol::queue::Change;
use crate::wire::election::ElectionPdu;
use crate::wire::ids::{ConnectionId, GroupName, MemberName};
use crate::wire::record::Term;

/// What survives of each election in which this member has had a part.
pub type ElectionDurables = BTreeMap<GroupName, ElectionDurable>;

/// How an election stands at this member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ElectionRow {
    /// Whose election.
    pub group: GroupName,
    /// The greatest term that it knows.
    pub term: Option<Term>,
    /// `master`, `voter`, `witness`, or `member` of those that have no vote.
    pub part: &'static str,
    /// To whom it has promised.
    pub promised: Option<MemberName>,
    /// Who votes, as far as this member knows.
    pub seats: BTreeSet<MemberName>,
    /// Who is to vote by its file, where those are others.
    pub becomes: Option<BTreeSet<MemberName>>,
}

/// The elections in which this member has a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Elections {
    /// The same fold that the host keeps, also of those that are not under way.
    durables: ElectionDurables,
    /// Those under way, and as what they were configured last.
    running: BTreeMap<GroupName, (ElectionConfig, Election)>,
}

impl Elections {
    /// None is under way yet.
    pub(crate) const fn new(durables: ElectionDurables) -> Self {
        Self { durables, running: BTreeMap::new() }
    }
}

impl MemberConfig {
    /// The elections in which this member has a part.
    fn elections(&self) -> impl Iterator<Item = (GroupName, ElectionConfig)> {
        self.organization.groups.iter().filter_map(|group| {
            let election = group.election.as_ref()?;
            let has_part = group.members.contains(&self.member)
                || election.witness.as_ref() == Some(&self.member);
            let config = ElectionConfig {
                voters: election.voters.clone(),
                witness: election.witness.clone(),
                back_end: election.back_end,
                members: group.members.clone(),
                member: self.member.clone(),
                lease: election.promise(),
                drift_ppm: election.clock_drift_ppm,
                faults: self.faults.clone(),
            };
            has_part.then(|| (group.name.clone(), config))
        })
    }
}

impl MemberConfig {
    /// Whether `by` may have something to say about a master here: of our own group, or of one that elects and
    /// has a vote of this member.
    #[must_use]
    pub(crate) fn has_part_with(&self, by: &MemberName) -> bool {
        let group = self.organization.group_of(by);
        let is_ours = group.is_some_and(|group| group.members.contains(&self.member));
        let has_part =
            || group.is_some_and(|group| self.elections().any(|(name, _)| name == group.name));
        is_ours || has_part() || self.faults.is_on("everybody-convenes")
    }
}

impl Member {
    /// The election of a group, to look at.
    #[must_use]
    pub fn election(&self, group: &GroupName) -> Option<&Election> {
        self.elections.running.get(group).map(|(_, election)| election)
    }

    /// The elections in which this member has a part, as commands show them.
    #[must_use]
    pub fn election_rows(&self) -> Vec<ElectionRow> {
        let rows = self.elections.running.iter().map(|(group, (config, election))| {
            let view = election.view();
            let seats = election.seats().voters();
            let part = match (election.place(config), seats.contains(&config.member)) {
                (Some(_), _) if view.holds => "master",
                (Some(_), _) => "voter",
                (None, true) => "witness",
                (None, false) => "member",
            };
            let target: BTreeSet<_> = config.electorate().cloned().collect();
            ElectionRow {
                group: group.clone(),
                term: view.known,
                part,
                promised: view.promised,
                seats: seats.clone(),
                becomes: (target != *seats).then_some(target),
            }
        });
        rows.collect()
    }

    /// Takes over in which elections this member has a part: at the boot, and whenever the configuration
    /// changes.
    pub(crate) fn adopt_elections(&mut self, turn: &mut Turn<'_, '_>) {
        let configs: BTreeMap<_, _> = turn.config.elections().collect();
        let is_over = |group: &&GroupName| !configs.contains_key(*group);
        let over: Vec<_> = self.elections.running.keys().filter(is_over).cloned().collect();
        for group in over {
            self.end_election(&group, turn);
        }
        for (group, config) in configs {
            match self.elections.running.get_mut(&group) {
                None => self.begin_election(&group, config, turn),
                Some((before, _)) if *before != config => {
                    // Who votes changes under way; what a promise or a lease is does not.
                    let is_under_way = !config.asks_store() && before.differs_in_names(&config);
                    *before = config;
                    let input = if is_under_way {
                        Input::Command(ElectionCommand::Voters)
                    } else {
                        Input::Configuration
                    };
                    self.step_election(&group, input, None, turn);
                }
                // The file has changed elsewhere: a master is not to go because of that.
                Some(_) => {}
            }
        }
        self.heed_record(turn);
    }

    fn begin_election(
        &mut self,
        group: &GroupName,
        config: ElectionConfig,
        turn: &mut Turn<'_, '_>,
    ) {
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        let durable = self.elections.durables.entry(group.clone()).or_default();
        let mut election = Election::boot(&config, durable, &mut inner);
        if self.spool.draining {
            let drain = ElectionCommand::Drain { on: true };
            election.step(&config, Input::Command(drain), &mut inner);
        }
        self.elections.running.insert(group.clone(), (config, election));
        self.do_in_election(group, effects, None, turn);
    }

    /// This member has no part in the election any more. What it has promised stands on its disk.
    fn end_election(&mut self, group: &GroupName, turn: &mut Turn<'_, '_>) {
        self.step_election(
            group,
            Input::Command(ElectionCommand::Resign { successor: None }),
            None,
            turn,
        );
        self.elections.running.remove(group);
        let lines = self
            .lines
            .iter()
            .filter(|(_, line)| matches!(line, Line::Convening(convened, _) if convened == group));
        for connection in lines.map(|(connection, _)| *connection).collect::<Vec<_>>() {
            self.lines.remove(&connection);
            turn.cx.close(connection);
        }
    }

    /// Gives the election of a group one input, and does what it wants. `convener` is the connection that
    /// the input came on, where somebody else has opened it.
    pub(crate) fn step_election(
        &mut self,
        group: &GroupName,
        input: Input<Election>,
        convener: Option<ConnectionId>,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some((config, election)) = self.elections.running.get_mut(group) else { return };
        let mut effects = Vec::new();
        let cx = &mut *turn.cx;
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        election.step(config, input, &mut inner);
        self.do_in_election(group, effects, convener, turn);
    }

    /// Turns the effects of an election into ours, in their order.
    fn do_in_election(
        &mut self,
        group: &GroupName,
        effects: Vec<Effect<Election>>,
        convener: Option<ConnectionId>,
        turn: &mut Turn<'_, '_>,
    ) {
        for effect in effects {
            match effect {
                Effect::Open { endpoint, .. } => {
                    let connection = self.allot();
                    self.lines.insert(connection, Line::Convening(group.clone(), endpoint.clone()));
                    turn.cx.open(connection, Endpoint::Convene(endpoint));
                }
                Effect::Close { peer } => {
                    if let Some(connection) = self.line_of(group, &peer, convener) {
                        self.lines.remove(&connection);
                        turn.cx.close(connection);
                    }
                }
                Effect::Send { to, pdu, gate } => {
                    if let Some(to) = self.line_of(group, &to, convener) {
                        let pdu = Pdu::Election { by: turn.config.member.clone(), pdu };
                        turn.cx.out.push(Effect::Send { to, pdu, gate });
                    }
                }
                Effect::Ask { query, gate, .. } => self.ask_store(group, (query, gate), turn),
                Effect::Arm { timer, within } => {
                    let timer = Timer::Election(group.clone(), timer);
                    turn.cx.out.push(Effect::Arm { timer, within });
                }
                Effect::Disarm(timer) => turn.disarm(Timer::Election(group.clone(), timer)),
                Effect::Store(change) => {
                    let durable = self.elections.durables.entry(group.clone()).or_default();
                    Election::apply(durable, &change);
                    turn.cx.store(Change::Election { group: group.clone(), change });
                }
                Effect::Event(event) => self.election_told(group, event, turn),
            }
        }
    }

    /// Asks the store that decides who is the master. Where no ticket is free, the election hears nothing.
    fn ask_store(
        &mut self,
        group: &GroupName,
        (query, gate): (StoreQuery, Gate),
        turn: &mut Turn<'_, '_>,
    ) {
        let named = turn.config.organization.groups.iter().find(|known| known.name == *group);
        if let Some(uuid) = named.map(|group| group.uuid.clone()) {
            let query = Query::Store { group: uuid, query };
            self.ask(Errand::Store(group.clone()), (query, gate), turn);
        }
    }

    /// The store has answered, or the host has given up.
    pub(crate) fn store_answered(
        &mut self,
        group: &GroupName,
        answer: Answer,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Answer::Store(answer) = answer {
            let input = Input::Answer { ticket: Ticket(0), answer };
            self.step_election(group, input, None, turn);
        }
    }

    /// What follows for the link state of this member's own group.
    fn election_told(&mut self, group: &GroupName, event: ElectionEvent, turn: &mut Turn<'_, '_>) {
        turn.tell(Event::Election { group: group.clone(), event: event.clone() });
        if turn.config.link().group().name != *group {
            return;
        }
        self.heed_mastership(&event, turn);
        match event {
            ElectionEvent::Leads(term) | ElectionEvent::Follows(term) => {
                self.command_link(LinkCommand::Elected(term), turn);
            }
            ElectionEvent::Ceased { .. }
                if turn.config.faults.is_on("publishes-without-a-lease") => {}
            ElectionEvent::Ceased { .. } => self.command_link(LinkCommand::Cease, turn),
            ElectionEvent::Misbehaved { .. } => {}
        }
    }

    /// The connection of a peer.
    fn line_of(
        &self,
        group: &GroupName,
        peer: &ElectionPeer,
        convener: Option<ConnectionId>,
    ) -> Option<ConnectionId> {
        let ElectionPeer::Voter(member) = peer else { return convener };
        let is_it =
            |line: &Line| matches!(line, Line::Convening(g, m) if (g, m) == (group, member));
        self.lines.iter().find(|(_, line)| is_it(line)).map(|(connection, _)| *connection)
    }

    /// A candidate or master of its group speaks, on a connection of its own.
    pub(crate) fn convened(
        &mut self,
        from: ConnectionId,
        by: MemberName,
        pdu: ElectionPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        if let ElectionPdu::Appointed { round, term, revision } = pdu {
            let appointment = Appointment { revision, term };
            return self.told_of_appointment((from, by), round, appointment, turn);
        }
        clause!(MA_049);
        let group = turn.config.organization.group_of(&by).map(|group| group.name.clone());
        match group.filter(|group| self.elections.running.contains_key(group)) {
            Some(group) => {
                let input = Input::Pdu { from: ElectionPeer::Convener(by), pdu };
                self.step_election(&group, input, Some(from), turn);
            }
            None => {
                let problem = format!("{by} convenes, in whose election we have no part");
                turn.tell(Event::Misbehaved { connection: from, problem });
                turn.cx.close(from);
            }
        }
    }

    /// A voter or member answers on a connection of ours.
    pub(crate) fn voter_says(
        &mut self,
        (group, member): (GroupName, MemberName),
        pdu: ElectionPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        let input = Input::Pdu { from: ElectionPeer::Voter(member), pdu };
        self.step_election(&group, input, None, turn);
    }

    /// A connection of ours to a voter or member has changed.
    pub(crate) fn voter_changed(
        &mut self,
        (group, member): (GroupName, MemberName),
        change: LinkChange,
        turn: &mut Turn<'_, '_>,
    ) {
        let input = Input::Link { peer: ElectionPeer::Voter(member), change };
        self.step_election(&group, input, None, turn);
    }

    /// The table has a record of the own group, maybe under a greater term than any that was voted for.
    pub(crate) fn heed_record(&mut self, turn: &mut Turn<'_, '_>) {
        let link = turn.config.link();
        let group = link.group();
        let Some(election) = self.election(&group.name) else { return };
        let Some(record) = self.link.table().of(&group.uuid) else { return };
        let term = &record.version.term;
        if election.known() < Some(term) && record.deleted.is_none() {
            clause!(MA_038);
            let command = ElectionCommand::Published(term.clone());
            self.step_election(&group.name, Input::Command(command), None, turn);
        }
    }

    /// Whether a member has a seat, and is no witness.
    fn can_stand(&self, group: &Group, member: &MemberName) -> bool {
        let seats = self.election(&group.name).map(Election::seats);
        group.members.contains(member) && seats.is_some_and(|seats| seats.voters().contains(member))
    }

    /// The operator has the mastership move.
    pub(crate) fn order_transfer(
        &mut self,
        to: Option<MemberName>,
        turn: &mut Turn<'_, '_>,
    ) -> Ordered {
        let own = turn.config.member.clone();
        let group = turn.config.link().group().clone();
        let leads = self.election(&group.name).is_some_and(|election| election.leads().is_some());
        let refusal = match (&group.election, &to) {
            (None, _) => Some(
                "the file or an order makes the master of its group, and no election: order another one \
                 (master set)"
                    .into(),
            ),
            (Some(_), _) if !leads => Some(match self.link.master() {
                Some(master) => format!("it is not the master, {master} is"),
                None => "it is not the master, and nobody is now".into(),
            }),
            (Some(_), Some(to)) if *to == own => Some("it is the master already".into()),
            (Some(_), Some(to)) if !self.can_stand(&group, to) => {
                Some(format!("{to} never stands: it is none of the voters"))
            }
            (Some(_), Some(to)) if !self.election(&group.name).is_some_and(|e| e.is_up(to)) => {
                Some(format!("{to} cannot be reached now: nobody would follow at once"))
            }
            (Some(_), _) => None,
        };
        let mut answer = Ordered::default();
        if let Some(text) = refusal {
            answer.refused.push(Item::whole(own.as_str(), &text));
            return answer;
        }
        clause!(MA_042);
        let text = match &to {
            Some(to) => format!("is the master no more; {to} may stand at once"),
            None => "is the master no more".into(),
        };
        let command = ElectionCommand::Resign { successor: to };
        self.step_election(&group.name, Input::Command(command), None, turn);
        answer.done.push(Item::whole(own.as_str(), &text));
        answer
    }

    /// The numbers of the term are used up: somebody begins another one.
    pub(crate) fn term_is_spent(&mut self, turn: &mut Turn<'_, '_>) {
        let group = turn.config.link().group().name.clone();
        let command = ElectionCommand::Resign { successor: None };
        self.step_election(&group, Input::Command(command), None, turn);
    }
}
