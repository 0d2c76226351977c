//! The world of one run: hosts, network, clients, and the queue of what is going to happen.
//!
//! Everything happens at a time and in an order that follow from the choices alone: the queue is
//! ordered by time, then by the order in which things were scheduled.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::checkers::Checkers;
use super::client::Client;
use super::draw::{Delays, Dice};
use super::faults::Swarm;
use super::host::Host;
use super::house::{Errand, House};
use super::links::{LinkCounts, Links};
use super::log::Log;
use super::maildir::Maildirs;
use super::moves::Move;
use super::network::{HostIndex, Network, Parcel, PipeId};
use super::outside::Conversation;
use super::store::{Call, MemoryStore};
use super::workload::Workload;
use crate::kernel::{Choose, LinkChange, Span, Time};
use crate::protocol::master::election::StoreAnswer;
use crate::protocol::member::{Answer, MemberConfig, Timer};
use crate::protocol::organization::AccountStatus;
use crate::protocol::queue::Damage;
use crate::wire::ids::{ConnectionId, ConnectorName, Epoch, MemberName};
use crate::wire::message::{Address, Body, BodyKey};

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A timer of a member is due.
    Timer {
        /// Whose.
        host: HostIndex,
        /// In which life it was armed.
        life: u32,
        /// Its name.
        timer: Timer,
        /// Which arming.
        arming: u64,
    },
    /// The oldest ordered write of a member is on disk.
    Stored {
        /// Whose.
        host: HostIndex,
        /// In which life it was ordered.
        life: u32,
    },
    /// A file operation of a member is done.
    Worked {
        /// Whose.
        host: HostIndex,
        /// In which life it was ordered.
        life: u32,
        /// Which one.
        work: u64,
    },
    /// A large body is on disk by itself.
    BodySynced {
        /// Whose.
        host: HostIndex,
        /// In which life.
        life: u32,
        /// The connection that brought it.
        connection: ConnectionId,
        /// The body.
        body: Body,
    },
    /// The host tells a member how much of a body is kept: in which life, and on which connection.
    Kept(HostIndex, u32, ConnectionId, u64),
    /// The host tells a member what it found in place of a body.
    BodyChecked {
        /// Whom.
        host: HostIndex,
        /// In which life it was read.
        life: u32,
        /// Which one.
        key: BodyKey,
        /// What it found; `None` for the body itself.
        damage: Option<Damage>,
    },
    /// A connect arrives.
    Knock(PipeId),
    /// The opener learns that its connection is open.
    Established(PipeId),
    /// The opener learns that its connection will not open.
    Unreached(PipeId, LinkChange),
    /// Something arrives at an end.
    Arrives(PipeId, usize, Parcel),
    /// An end learns that its connection broke.
    Lost(PipeId, usize),
    /// A member's process dies.
    Crash {
        /// Which one.
        host: HostIndex,
        /// In which life.
        life: u32,
        /// How long it stays down.
        down: Span,
    },
    /// A member's process starts.
    Boot(HostIndex),
    /// The workload acts.
    Workload,
    /// The swarm cuts something.
    CutNext,
    /// A cut ends.
    Heal(HostIndex, HostIndex),
    /// The accounts that move go on.
    MoveOn,
    /// The swarm moves an account.
    MoveNext,
    /// An operator orders something.
    OrderNext,
    /// The swarm suspends an account, or takes it back.
    SuspendNext,
    /// A file of this revision, with another status of an account, reaches a member.
    StatusTold {
        /// Which member.
        host: HostIndex,
        /// The account.
        account: Address,
        /// Its status.
        status: AccountStatus,
        /// The revision of the file.
        revision: u32,
    },
    /// A file of this revision, with another cost of a connector, reaches a member.
    CostTold {
        /// Which member.
        host: HostIndex,
        /// The connector.
        connector: ConnectorName,
        /// Its cost.
        cost: u32,
        /// The revision of the file.
        revision: u32,
    },
    /// An operator changes a cost.
    ReviseNext,
    /// A master dies.
    MasterNext,
    /// A question reaches the store that decides, which grants a lease.
    StoreGrants(Box<Call>),
    /// The transaction of a question is done in the store.
    StoreActs(Box<Call>),
    /// A member hears what the store says to its question, or that it hears nothing: in which life, and to
    /// which work.
    StoreSays(HostIndex, u32, u64, Box<StoreAnswer>),
    /// What a member asks of the house arrives there.
    HouseActs(Box<Errand>),
    /// A member hears what the house says: in which life, and to which work.
    HouseAnswers(HostIndex, u32, u64, Box<Answer>),
    /// Connections that stood still since the cut break, if it lasts.
    BreakFrozen(PipeId),
}

#[derive(Debug)]
struct Scheduled {
    at: Time,
    sequence: u64,
    happening: Happening,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    /// The heap gives its greatest: what happens first is greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

/// Everything of one run.
pub struct World<'c> {
    /// The virtual time.
    pub now: Time,
    /// How many inputs the members have taken.
    pub step: u64,
    /// How many bodies that broke off were gone on with.
    pub resumed: usize,
    /// The members, in the order of the organization's file.
    pub hosts: Vec<Host>,
    /// Where each member stands in `hosts`.
    pub names: BTreeMap<MemberName, HostIndex>,
    /// The connections.
    pub network: Network,
    /// Connections that carry so many octets more of what their opener says, and break.
    pub snaps: BTreeMap<PipeId, usize>,
    /// How long things take.
    pub delays: Delays,
    /// The faults of this run.
    pub swarm: Swarm,
    /// What strikes its connectors.
    pub links: Option<Links>,
    /// What it has done with them.
    pub counts: LinkCounts,
    /// The store that decides, for groups that have one.
    pub store: MemoryStore,
    /// What the members of a group share.
    pub house: House,
    /// The accounts that move.
    pub moves: Vec<Move>,
    /// They will go on by themselves.
    pub(super) moves_on: bool,
    /// Where the accounts are that have moved.
    pub owners: BTreeMap<Address, (HostIndex, Epoch)>,
    /// The revision of the newest file that was written under way.
    pub(super) revision: u32,
    /// What clients are still to do.
    pub plan: Workload,
    /// The clients of the workload, in the order in which they came.
    pub clients: Vec<Client>,
    /// The conversations with the outside server.
    pub outside: Vec<Conversation>,
    /// What must hold.
    pub checkers: Checkers,
    /// Who watches.
    pub log: Log,
    pub(super) choose: &'c mut dyn Choose,
    queue: BinaryHeap<Scheduled>,
    sequence: u64,
}

impl<'c> World<'c> {
    /// A world of these members, all down, at time zero.
    pub fn new(
        configs: Vec<MemberConfig>,
        delays: Delays,
        swarm: Swarm,
        log: Log,
        choose: &'c mut dyn Choose,
    ) -> Self {
        let names = configs.iter().enumerate().map(|(i, c)| (c.member.clone(), i)).collect();
        let checkers = Checkers::new(&configs);
        Self {
            now: Time(0),
            step: 0,
            resumed: 0,
            hosts: configs.into_iter().map(Host::new).collect(),
            names,
            network: Network::default(),
            snaps: BTreeMap::new(),
            delays,
            swarm,
            links: None,
            counts: LinkCounts::default(),
            store: MemoryStore::default(),
            house: House::default(),
            moves: Vec::new(),
            moves_on: false,
            owners: BTreeMap::new(),
            revision: 0,
            plan: Workload::none(),
            clients: Vec::new(),
            outside: Vec::new(),
            checkers,
            log,
            choose,
            queue: BinaryHeap::new(),
            sequence: 0,
        }
    }

    /// The dice of this run.
    pub fn dice(&mut self) -> Dice<'_> {
        Dice(&mut *self.choose)
    }

    /// A number that grows with each call; names armings and file operations.
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Something will happen after `delay`.
    pub fn schedule(&mut self, delay: Span, happening: Happening) {
        let at = self.now + delay;
        self.schedule_at(at, happening);
    }

    /// Something will happen at `at`.
    pub fn schedule_at(&mut self, at: Time, happening: Happening) {
        assert!(at >= self.now, "nothing happens in the past");
        let sequence = self.next_sequence();
        self.queue.push(Scheduled { at, sequence, happening });
    }

    /// When something happens next.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.queue.peek().map(|scheduled| scheduled.at)
    }

    /// Lets the next thing happen, unless it lies beyond `until`. Whether it did.
    pub fn turn(&mut self, until: Time) -> bool {
        if self.next_at().is_none_or(|at| at > until) {
            return false;
        }
        let Scheduled { at, happening, .. } = self.queue.pop().expect("it was peeked at");
        assert!(at >= self.now, "time does not go back");
        self.now = at;
        self.happen(happening);
        true
    }

    /// Lets everything happen up to `until`, unless a checker objects before.
    pub fn advance(&mut self, until: Time) {
        while self.checkers.violation().is_none() && self.turn(until) {}
        if self.checkers.violation().is_none() {
            self.now = self.now.max(until);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Timer { host, life, timer, arming } => {
                self.timer_due(host, life, timer, arming);
            }
            Happening::Stored { host, life } => self.write_done(host, life),
            Happening::Worked { host, life, work } => self.work_done(host, life, work),
            Happening::BodySynced { host, life, connection, body } => {
                self.body_synced(host, life, connection, body);
            }
            Happening::Kept(host, life, connection, octets) => {
                self.tell_kept((host, life), connection, octets);
            }
            Happening::BodyChecked { host, life, key, damage } => {
                self.tell_body_checked((host, life), key, damage);
            }
            Happening::Knock(pipe) => self.knock(pipe),
            Happening::Established(pipe) => self.established(pipe),
            Happening::Unreached(pipe, change) => self.unreached(pipe, change),
            Happening::Arrives(pipe, side, parcel) => self.arrives(pipe, side, parcel),
            Happening::Lost(pipe, side) => self.lost(pipe, side),
            Happening::Crash { host, life, down } => {
                if self.hosts[host].life == life && self.hosts[host].is_up() {
                    self.crash(host);
                    self.maybe_set_back(host);
                    self.schedule(down, Happening::Boot(host));
                }
            }
            Happening::Boot(host) => self.boot(host),
            Happening::Workload => self.workload(),
            Happening::CutNext => self.cut_next(),
            Happening::MoveOn => {
                self.moves_on = false;
                self.move_on();
            }
            Happening::MoveNext => self.move_next(),
            Happening::OrderNext => self.order_next(),
            Happening::SuspendNext => self.suspend_next(),
            Happening::StatusTold { host, account, status, revision } => {
                self.tell_status(host, &account, (status, revision));
            }
            Happening::CostTold { host, connector, cost, revision } => {
                self.tell_cost(host, &connector, (cost, revision));
            }
            Happening::ReviseNext => self.revise_next(),
            Happening::MasterNext => self.master_next(),
            Happening::Heal(from, to) => self.heal(from, to),
            Happening::StoreGrants(call) => self.store_grants(call),
            Happening::StoreActs(call) => self.store_acts(call),
            Happening::StoreSays(host, life, work, answer) => {
                self.store_says(host, life, work, *answer);
            }
            Happening::HouseActs(errand) => self.house_acts(*errand),
            Happening::HouseAnswers(host, life, work, answer) => {
                self.house_answers(host, life, work, *answer);
            }
            Happening::BreakFrozen(pipe) => self.break_frozen(pipe),
        }
    }

    /// Whether every client has gone.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.clients.iter().all(Client::is_over)
    }

    /// The Maildirs of all members, and those that they share.
    pub fn all_maildirs(&self) -> impl Iterator<Item = &Maildirs> {
        self.hosts.iter().map(|host| &host.maildirs).chain([&self.house.maildirs])
    }

    /// The member of that name.
    #[must_use]
    pub fn host_named(&self, name: &str) -> Option<HostIndex> {
        self.names.get(&MemberName(String::from(name))).copied()
    }
}
