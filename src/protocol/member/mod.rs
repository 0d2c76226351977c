//! One server at the level of custody.

mod appointment;
mod config;
mod election;
mod event;
mod limits;
mod lines;
mod link;
mod membership;
mod outside;
pub(crate) mod pdu;
pub(crate) mod query;
mod tenancy;
mod turn;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::deliver::{Deposit, Underway};
use super::linkstate::{LinkCommand, LinkDurable, LinkState, LinkView, Way};
use super::master::election::Election;
use super::master::members::{MembersDurable, Membership};
use super::queue::{Lanes, Noted, QueueRow, Rest, Spool, Work};
use super::rules::Verdict;
use super::submit::Acceptor;
use super::verify::{Asker, Verifier};
use crate::clause;
use crate::kernel::{Cx, Effect, Gate, Input, Machine, Ticket, Tickets, draw_u64};
use crate::wire::accounts::LeaseEpoch;
use crate::wire::deliver::Ownership;
use crate::wire::ids::{
    ConnectionId, GroupName, Incarnation, MemberName, OriginId, QueueId, StoreId, TransferId,
};
use crate::wire::message::{Address, BodyKey};

pub use super::queue::Change;
pub use appointment::HERALD_INTERVAL;
pub use config::{MemberConfig, Policy, Security, Suspects};
pub use election::{ElectionDurables, ElectionRow};
pub use event::Event;
pub use limits::{ClientLimits, DestinationLimits, LIMIT_RANGE, Limits};
pub use outside::{OutsidePolicy, OutsideTls, host_of};
pub use pdu::{Candidate, Command, Endpoint, NewMail, Parcel, Pdu, Port, Timer};
pub use query::{Answer, AutoReply, Filtered, HeaderRead, Notice, NoticeKind, Query};
pub use tenancy::{OwnerReport, OwnerSource};

pub(crate) use appointment::Herald;
pub(crate) use election::Elections;
pub(crate) use lines::Line;
pub(crate) use tenancy::{Inquiry, Tenancies};
pub(crate) use turn::Turn;

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// Which disk this is; zero before the first boot.
    pub store: StoreId,
    /// The incarnation of the latest boot.
    pub incarnation: Incarnation,
    /// How many boots this disk has seen.
    #[serde(default)]
    pub boot: u64,
    /// Of the link-state machine.
    pub link: LinkDurable,
    /// Queue and journals.
    pub spool: Spool,
    /// Of the elections.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub elections: ElectionDurables,
    /// Of the list of members.
    #[serde(default)]
    pub members: MembersDurable,
}

/// The projection onto the model's variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// The queue, with where each recipient stands.
    pub queue: Vec<QueueRow>,
    /// The hand-overs that were accepted.
    pub accepted: Vec<TransferId>,
    /// The hand-overs that are fenced, and up to which offer.
    pub fences: Vec<(TransferId, u32)>,
    /// The recipients in the delivery journal.
    pub journal: Vec<(OriginId, u32)>,
    /// Of the link-state machine.
    pub link: LinkView,
}

/// What a question to the host is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Errand {
    /// A notice to this sender about recipients that have ended.
    Notice { kind: NoticeKind, queue: QueueId, recipients: Vec<u32>, to: Address },
    /// A delay notice to this sender.
    Delay { queue: QueueId, to: Address },
    /// The header of a message from outside that waits for the queue rules.
    Arrival(ConnectionId, Box<NewMail>),
    /// What the filter makes of a message from outside, and what the queue rules have made of it.
    Screened(ConnectionId, Box<(NewMail, Noted, Verdict)>),
    /// The header of a message that was handed over before queue rules have seen it.
    Due(QueueId),
    /// What the filter makes of such a message, and what the queue rules have made of it.
    DueScreened(QueueId, Box<Verdict>),
    /// The header of a message that waits for the rules of an account.
    Header((OriginId, u32)),
    /// The reply that the rules of an account want.
    Reply((OriginId, u32)),
    /// The room in the account of a delivery, beside that of those that were under way.
    Usage((OriginId, u32), Underway),
    /// The room in an account for mail of so many octets that somebody asks about.
    Room(Asker, Address, u64),
    /// The file of a delivery.
    Deposit((OriginId, u32)),
    /// The place of that file.
    Publish((OriginId, u32)),
    /// A body that nobody needs.
    Discard,
    /// Who is the master of this group, by the store that decides.
    Store(GroupName),
    /// That the store which members share sees this epoch of an account.
    Tenancy(Address, LeaseEpoch),
    /// The record of a delivery in that store.
    Record((OriginId, u32)),
}

/// One server at the level of custody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pub(crate) store: StoreId,
    pub(crate) incarnation: Incarnation,
    /// The number of this boot.
    pub(crate) boot: u64,
    /// How many hand-overs of ours have ended in this boot.
    pub(crate) handed_over: u64,
    /// How many recipients were marked as suspect in this boot.
    pub(crate) suspected: u64,
    /// Counts the ids of this boot.
    pub(crate) sequence: u64,
    /// Counts the connections that this member opened; an id is never used twice.
    pub(crate) opened: u64,
    pub(crate) link: LinkState,
    pub(crate) elections: Elections,
    /// Whether this member tells others that it is the master, and how often it has done so.
    pub(crate) herald: Herald,
    /// The list of members.
    pub(crate) membership: Membership,
    /// The accounts that are leased.
    pub(crate) tenancies: Tenancies,
    /// The same fold that the host keeps: every change is applied here when it is handed out.
    pub(crate) spool: Spool,
    pub(crate) work: BTreeMap<QueueId, Work>,
    /// The messages of each origin id: more than one where a message came back.
    pub(crate) origins: BTreeMap<OriginId, BTreeSet<QueueId>>,
    /// How many messages in the queue have each body.
    pub(crate) bodies: BTreeMap<BodyKey, u32>,
    pub(crate) lanes: Lanes,
    /// The ways that the link-state machine was asked to open.
    pub(crate) wanted: BTreeSet<Way>,
    pub(crate) lines: BTreeMap<ConnectionId, Line>,
    /// Hand-overs in doubt that nobody is being asked about, by the member that knows.
    pub(crate) doubts: BTreeMap<MemberName, BTreeSet<(QueueId, TransferId)>>,
    /// The members that queue for others, as far as anything is known of them.
    pub(crate) acceptors: BTreeMap<MemberName, Acceptor>,
    /// Messages with deliveries in doubt that nobody is being asked about, by host.
    pub(crate) inquiries: BTreeMap<MemberName, BTreeSet<QueueId>>,
    /// Who owns an account, where another member has said that it has moved.
    pub(crate) beliefs: BTreeMap<Address, Ownership>,
    /// The outside servers that could not be reached, since they last could.
    pub(crate) rests: BTreeMap<String, Rest>,
    pub(crate) deposits: BTreeMap<(OriginId, u32), Deposit>,
    pub(crate) errands: Tickets<Errand>,
    /// The recipients that wait at the door until the hosts of their accounts have said what they know.
    pub(crate) verifier: Verifier,
}

impl Member {
    /// The link-state machine, to look at.
    #[must_use]
    pub const fn link(&self) -> &LinkState {
        &self.link
    }

    /// The id of this member's disk, as HELLO tells it.
    #[must_use]
    pub const fn store(&self) -> StoreId {
        self.store
    }

    /// Queue and journals, to look at.
    #[must_use]
    pub const fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Stores a change, and folds it into what we know.
    pub(crate) fn store_change(&mut self, change: Change, turn: &mut Turn<'_, '_>) {
        self.spool.apply(&change);
        for body in change.bodies() {
            *self.bodies.entry(body.key).or_default() += 1;
        }
        turn.cx.store(change);
    }

    /// Asks the host; `false` if every ticket is out.
    pub(crate) fn ask(
        &mut self,
        errand: Errand,
        (query, gate): (Query, Gate),
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let Some(ticket) = self.errands.issue(errand) else { return false };
        turn.cx.out.push(Effect::Ask { ticket, query, gate });
        true
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer, turn: &mut Turn<'_, '_>) {
        match self.errands.redeem(ticket) {
            Some(Errand::Notice { kind, queue, recipients, to }) => {
                self.notice_composed(kind, (queue, recipients, to), answer, turn);
            }
            Some(Errand::Delay { queue, to }) => self.delay_composed((queue, to), answer, turn),
            Some(Errand::Arrival(from, mail)) => self.looked_into((from, *mail), answer, turn),
            Some(Errand::Screened(from, held)) => self.screened((from, *held), answer, turn),
            Some(Errand::Due(queue)) => self.due_header(queue, answer, turn),
            Some(Errand::DueScreened(queue, verdict)) => {
                self.due_screened((queue, *verdict), answer, turn);
            }
            Some(Errand::Header(key)) => self.header_read(key, answer, turn),
            Some(Errand::Reply(key)) => self.reply_composed(key, answer, turn),
            Some(Errand::Usage(key, underway)) => self.weighed(&key, &underway, answer, turn),
            Some(Errand::Room(asker, account, octets)) => {
                self.room_is_known(asker, (&account, octets), &answer, turn);
            }
            Some(Errand::Deposit(key)) => self.deposited(key, answer, turn),
            Some(Errand::Publish(key)) => self.published(&key, &answer, turn),
            Some(Errand::Store(group)) => self.store_answered(&group, answer, turn),
            Some(Errand::Tenancy(account, epoch)) => {
                self.store_was_shown((account, epoch), answer, turn);
            }
            Some(Errand::Record(key)) => self.recorded_in_store(&key, answer, turn),
            Some(Errand::Discard) | None => {}
        }
    }

    pub(crate) fn timer(&mut self, timer: Timer, turn: &mut Turn<'_, '_>) {
        match timer {
            Timer::Retry(queue) => self.retry_due(queue, turn),
            Timer::Delay(queue) => self.delay_due(queue, turn),
            Timer::Expire(queue) => self.expire(queue, turn),
            Timer::Silence(connection) => self.silent(connection, turn),
            Timer::Doubt(member) => {
                self.resolve(&member, turn);
                self.ask_for_owners(&member, turn);
                if self.inquiries.contains_key(&member) {
                    self.reach_host(&member, turn);
                }
            }
            Timer::Breaker(member) => self.breaker_due(&member, turn),
            Timer::Rest(server) => self.rest_over(&server, turn),
            Timer::Schedule(connector) => self.schedule_due(connector, turn),
            Timer::Publish => self.publish_again(turn),
            Timer::Link(timer) => self.step_link(Input::Timer(timer), turn),
            Timer::Election(group, timer) => {
                self.step_election(&group, Input::Timer(timer), None, turn);
            }
            timer @ (Timer::Granter(_) | Timer::Holder(_)) => self.lease_due(timer, turn),
            Timer::Tenant => self.seek_owners(turn),
            Timer::Herald => self.herald_again(turn),
            Timer::Members(timer) => self.step_members(Input::Timer(timer), turn),
            Timer::Verify(client) => self.verified_too_late(client, turn),
            Timer::Journal => self.look_through_journal(turn),
            Timer::Consult(host) => self.may_consult_again(&host),
            // The server takes these itself.
            Timer::Session(_) => {}
        }
    }

    /// Rebuilds what is only in memory, and goes on where the last boot stopped.
    fn wake(&mut self, turn: &mut Turn<'_, '_>) {
        clause!(CU_005);
        let queues: Vec<QueueId> = self.spool.queue.keys().copied().collect();
        for queue in &queues {
            let message = &self.spool.queue[queue];
            let origin = message.envelope.origin.clone();
            self.origins.entry(origin).or_default().insert(*queue);
            *self.bodies.entry(message.body.key).or_default() += 1;
            self.work.insert(*queue, Work::rebuilt(message));
            for (id, transfer) in message.transfers.iter().filter(|(_, t)| !t.fenced) {
                let peer = self.doubts.entry(transfer.peer.clone()).or_default();
                peer.insert((*queue, id.clone()));
            }
            for host in message.deliveries.keys() {
                self.inquiries.entry(host.clone()).or_default().insert(*queue);
            }
        }
        self.redo_deposits(turn);
        self.look_through_journal(turn);
        // Whoever is to be asked is asked below.
        let _ = self.readdress_all(turn);
        let peers: Vec<MemberName> = self.doubts.keys().cloned().collect();
        for peer in peers {
            self.resolve(&peer, turn);
        }
        let hosts: Vec<MemberName> = self.inquiries.keys().cloned().collect();
        for host in hosts {
            self.reach_host(&host, turn);
        }
        for queue in queues {
            self.set_going(queue, turn);
            self.compose(queue, turn);
        }
    }
}

impl Machine for Member {
    type Config = MemberConfig;
    type Peer = ConnectionId;
    type Endpoint = Endpoint;
    type Pdu = Pdu;
    type Timer = Timer;
    type Change = Change;
    type Durable = Durable;
    type Query = Query;
    type Answer = Answer;
    type Command = Command;
    type Event = Event;
    type View = View;

    fn apply(durable: &mut Durable, change: &Change) {
        match change {
            Change::Boot { store, incarnation } => {
                let known = durable.store != StoreId::default();
                assert!(!known || durable.store == *store, "a disk keeps its id");
                (durable.store, durable.incarnation) = (*store, *incarnation);
                durable.boot += 1;
            }
            Change::DiskRolledBack { store } => durable.store = *store,
            Change::Link(change) => LinkState::apply(&mut durable.link, change),
            Change::Election { group, change } => {
                Election::apply(durable.elections.entry(group.clone()).or_default(), change);
            }
            Change::Members(change) => Membership::apply(&mut durable.members, change),
            _ => durable.spool.apply(change),
        }
    }

    fn boot(config: &MemberConfig, durable: &Durable, cx: &mut Cx<'_, Self>) -> Self {
        let store = match durable.store {
            StoreId(0) => StoreId(draw_u64(cx.choose, "member/store").max(1)),
            known => known,
        };
        clause!(CU_006);
        let incarnation = Incarnation(draw_u64(cx.choose, "member/incarnation"));
        cx.store(Change::Boot { store, incarnation });
        let mut effects = Vec::new();
        let mut inner = Cx { now: cx.now, choose: &mut *cx.choose, out: &mut effects };
        let link = LinkState::boot(&config.link(), &durable.link, &mut inner);
        let mut member = Self {
            store,
            incarnation,
            boot: durable.boot + 1,
            handed_over: 0,
            suspected: 0,
            sequence: 0,
            opened: 0,
            link,
            elections: Elections::new(durable.elections.clone()),
            herald: Herald::default(),
            membership: Membership::new(&durable.members),
            tenancies: Tenancies::default(),
            spool: durable.spool.clone(),
            work: BTreeMap::new(),
            origins: BTreeMap::new(),
            bodies: BTreeMap::new(),
            lanes: Lanes::new(),
            wanted: BTreeSet::new(),
            lines: BTreeMap::new(),
            doubts: BTreeMap::new(),
            acceptors: BTreeMap::new(),
            inquiries: BTreeMap::new(),
            beliefs: BTreeMap::new(),
            rests: BTreeMap::new(),
            deposits: BTreeMap::new(),
            errands: Tickets::default(),
            verifier: Verifier::default(),
        };
        let turn = &mut Turn { config, cx };
        let events = member.map_link(effects, turn);
        member.wake(turn);
        member.link_events(events, turn);
        member.follow_mastership(turn);
        member.adopt_leases(turn);
        member.adopt_elections(turn);
        member.herald(turn);
        member
    }

    fn step(&mut self, config: &MemberConfig, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let turn = &mut Turn { config, cx };
        match input {
            Input::Pdu { from, pdu } => self.hear(from, pdu, turn),
            Input::Link { peer, change } => self.connection_changed(peer, change, turn),
            Input::Timer(timer) => self.timer(timer, turn),
            Input::Answer { ticket, answer } => self.answered(ticket, answer, turn),
            Input::Command(Command::Inbound { connection, member, port }) => {
                self.inbound(connection, member, port, turn);
            }
            Input::Command(Command::Order { from, order }) => self.ordered(from, order, turn),
            Input::Command(Command::BodyChecked { key, damage: Some(damage) }) => {
                self.body_damaged(key, damage, turn);
            }
            Input::Command(Command::BodyChecked { key, damage: None }) => {
                self.body_sound(key, turn);
            }
            Input::Command(Command::CloseAccount { account, to }) => {
                self.close_account(account, to, turn);
            }
            Input::Command(Command::OpenAccount { account, epoch, journal }) => {
                self.open_account(account, epoch, journal, turn);
            }
            Input::StoreFailed { reason } => turn.tell(Event::StoreFailed { reason }),
            Input::Configuration => {
                self.step_link(Input::Configuration, turn);
                self.adopt_elections(turn);
                self.adopt_leases(turn);
                self.herald(turn);
                self.step_members(Input::Configuration, turn);
                for way in self.wanted.clone() {
                    self.command_link(LinkCommand::Want(way), turn);
                }
                for host in self.readdress_all(turn) {
                    self.reach_host(&host, turn);
                }
                self.route_all(turn);
                self.serve_connectors(turn);
                clause!(CU_089);
                self.end_rests(turn);
                self.forget_idle_rests();
            }
        }
        self.vacate(turn);
    }

    fn view(&self) -> View {
        let journal = self.spool.journal.iter().flat_map(|(origin, entries)| {
            entries.keys().map(move |index| (origin.clone(), *index))
        });
        View {
            // The view has no clock; ages are for people.
            queue: self.queue_report(crate::kernel::Time(0)),
            accepted: self.spool.accepted.keys().cloned().collect(),
            fences: self.spool.fences.iter().map(|(id, offer)| (id.clone(), *offer)).collect(),
            journal: journal.collect(),
            link: self.link.view(),
        }
    }
}
