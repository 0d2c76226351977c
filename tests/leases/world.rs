//! Leases of one account in true time: members whose clocks go at rates of their own, a network that takes
//! its time, cuts in one direction, crashes, processes that are stopped for a while, and a store that every
//! member can write to, however late.
//!
//! There is one master at a time, or none; who is it, is drawn.

use core::num::NonZeroU32;
use core::ops::RangeInclusive;
use std::collections::{BTreeMap, BTreeSet};

use bridgehead::kernel::{Act, Choose as _, Input, LinkChange, Node, Seeded, Span, Time};
use bridgehead::protocol::master::accounts::{
    AccountsConfig, Fence, Granter, GranterCommand, GranterTimer, Holder, HolderCommand,
    HolderEvent, HolderTimer,
};
use bridgehead::wire::accounts::LeaseEpoch;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::record::Term;

use super::desk::ann;
use super::wires::Wire;

const MILLION: u64 = 1_000_000;
/// The least that anything takes: no answer is there when it is asked for.
const LEAST_DELAY_US: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Granter(GranterTimer),
    Holder(HolderTimer),
}

/// One member's process and clock.
pub(super) struct Host {
    pub(super) config: AccountsConfig,
    /// Nothing while it is down.
    pub(super) nodes: Option<(Node<Granter>, Node<Holder>)>,
    /// Its clock counts so many microseconds in a true second.
    rate: u64,
    /// When each timer that runs is due, in true time, and which arming that was.
    timers: BTreeMap<Timer, (u64, u64)>,
    stopped_until: u64,
    /// Its connection to the master that it asks, and the one that each member has to it.
    pub(super) call: Option<u64>,
    pub(super) callers: BTreeMap<MemberName, u64>,
}

impl Host {
    /// The epoch under which it has the account now: a process that was stopped learns first that its lease
    /// is over.
    fn has_under(&self, now: u64) -> Option<&LeaseEpoch> {
        let holder = self.nodes.as_ref()?.1.machine();
        let timer = Timer::Holder(HolderTimer::Lease(holder.lease(&ann())?));
        let (due, _) = self.timers.get(&timer)?;
        holder.epoch(&ann()).filter(|_| *due > now)
    }
}

#[derive(Clone)]
pub(super) enum Happening {
    Timer {
        at: usize,
        timer: Timer,
        arming: u64,
    },
    Connect(u64),
    Arrive {
        wire: u64,
        direction: usize,
    },
    /// The client learns what became of its connection.
    Client(u64, LinkChange),
    Boot(usize),
    /// A member hears who is the master.
    Tell(usize),
    /// There is a master again.
    Lead,
    /// A member wants the account, or wants it no more; who has it writes.
    Use(usize),
    /// What was written under this epoch is at the store.
    Write(LeaseEpoch),
    Fault,
}

/// What a run is like.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    /// The greatest delay of most messages, in microseconds.
    pub(super) delay_us: u64,
    /// Of a hundred messages and writes so many come as late as this.
    pub(super) late: (u32, u64),
    /// The longest pause between two faults; no faults where it is zero.
    pub(super) calm_us: u64,
    /// How far the rates of the clocks are from the true one, at most, in parts per million.
    pub(super) drift_ppm: u32,
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) hosts: Vec<Host>,
    pub(super) wires: BTreeMap<u64, Wire>,
    /// By true time; timers first, in the order in which they were due.
    agenda: BTreeMap<(u64, u8, u64, u64), Happening>,
    numbers: u64,
    pub(super) cut: Vec<Vec<bool>>,
    dice: Seeded,
    weather: Weather,
    pub(super) lease: u64,
    /// A process that was stopped takes what has come before the timers that were due.
    pub(super) timers_last: bool,
    /// The only one that becomes the master, where it is not whoever comes first.
    pub(super) master: Option<usize>,
    /// The last term, and whether its master leads.
    term: Option<Term>,
    leads: bool,
    fence: Fence,
    /// The greatest epoch under which something was written.
    written: Option<LeaseEpoch>,
    /// The first thing that must not be.
    pub(super) broken: Option<String>,
    pub(super) openings: u32,
}

impl World {
    pub(super) fn new(configs: Vec<AccountsConfig>, weather: Weather, seed: u64) -> Self {
        let (count, lease) = (configs.len(), configs[0].lease().0);
        let host = |config| Host {
            config,
            nodes: None,
            rate: MILLION,
            timers: BTreeMap::new(),
            stopped_until: 0,
            call: None,
            callers: BTreeMap::new(),
        };
        let mut world = Self {
            now: 0,
            hosts: configs.into_iter().map(host).collect(),
            wires: BTreeMap::new(),
            agenda: BTreeMap::new(),
            numbers: 0,
            cut: vec![vec![false; count]; count],
            dice: Seeded::new(seed),
            weather,
            lease,
            timers_last: false,
            master: None,
            term: None,
            leads: false,
            fence: Fence::default(),
            written: None,
            broken: None,
            openings: 0,
        };
        for at in 0..count {
            world.boot(at);
            world.plan(0, Happening::Use(at));
        }
        world.plan(0, Happening::Lead);
        world.plan_fault();
        world
    }

    fn below(&mut self, site: &'static str, bound: u64) -> u64 {
        let bound = u32::try_from(bound).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        u64::from(self.dice.below(site, bound))
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn plan(&mut self, delay: u64, happening: Happening) {
        let (at, number) = (self.now + delay.max(LEAST_DELAY_US), self.number());
        self.agenda.insert((at, 1, at, number), happening);
    }

    fn plan_fault(&mut self) {
        if self.weather.calm_us > 0 {
            let delay = self.below("fault.when", self.weather.calm_us);
            self.plan(delay, Happening::Fault);
        }
    }

    pub(super) fn delay(&mut self) -> u64 {
        let (percent, late) = self.weather.late;
        let is_late = self.below("late", 100) < u64::from(percent);
        let most = if is_late { late } else { self.weather.delay_us };
        self.below("delay", most)
    }

    /// Lets everything happen until `end`, or until something must not be.
    pub(super) fn run(&mut self, end: u64) {
        while self.broken.is_none() {
            let Some((key, _)) = self.agenda.first_key_value() else { break };
            if key.0 > end {
                break;
            }
            let (key, happening) = self.agenda.pop_first().expect("it was just seen");
            self.now = key.0;
            self.happen(key, happening);
            self.check();
        }
        self.now = end;
    }

    /// All is well from now on.
    pub(super) fn heal(&mut self, delay_us: u64) {
        self.weather = Weather { delay_us, late: (0, 0), calm_us: 0, ..self.weather };
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
        for at in 0..self.hosts.len() {
            if self.hosts[at].nodes.is_none() {
                self.boot(at);
            }
        }
        let awake = self.hosts.iter().map(|host| host.stopped_until).max();
        self.run(awake.unwrap_or(0).max(self.now));
    }

    /// Who has the account now.
    pub(super) fn owners(&self) -> Vec<usize> {
        let has = |at: &usize| self.hosts[*at].has_under(self.now).is_some();
        (0..self.hosts.len()).filter(has).collect()
    }

    fn check(&mut self) {
        let owners = self.owners();
        if owners.len() > 1 {
            self.broken = Some(format!("{owners:?} have the account at {}", self.now));
        }
    }

    fn target(&self, happening: &Happening) -> Option<usize> {
        match happening {
            Happening::Timer { at, .. } | Happening::Tell(at) | Happening::Use(at) => Some(*at),
            Happening::Arrive { wire, direction } => {
                let wire = self.wires.get(wire)?;
                Some([wire.server, wire.client][*direction])
            }
            Happening::Connect(wire) => Some(self.wires.get(wire)?.server),
            Happening::Client(wire, _) => Some(self.wires.get(wire)?.client),
            Happening::Boot(_) | Happening::Lead | Happening::Write(_) | Happening::Fault => None,
        }
    }

    fn happen(&mut self, (_, class, due, number): (u64, u8, u64, u64), happening: Happening) {
        if let Some(at) = self.target(&happening)
            && self.hosts[at].stopped_until > self.now
        {
            let class = if self.timers_last { 2 - 2 * class.min(1) } else { class };
            let key = (self.hosts[at].stopped_until, class, due, number);
            self.agenda.insert(key, happening);
            return;
        }
        match happening {
            Happening::Timer { at, timer, arming } => self.fire(at, timer, arming),
            Happening::Connect(wire) => self.connect(wire),
            Happening::Arrive { wire, direction } => self.arrive(wire, direction),
            Happening::Client(wire, change) => self.client(wire, change),
            Happening::Boot(at) => {
                if self.hosts[at].nodes.is_none() {
                    self.boot(at);
                }
            }
            Happening::Tell(at) => {
                if let Some(term) = self.term.clone() {
                    self.holder(at, Input::Command(HolderCommand::Follow(term)));
                }
            }
            Happening::Lead => self.lead(),
            Happening::Use(at) => self.make_use(at),
            Happening::Write(epoch) => self.write(&epoch),
            Happening::Fault if self.weather.calm_us == 0 => {}
            Happening::Fault => {
                self.fault();
                self.plan_fault();
            }
        }
    }

    fn fire(&mut self, at: usize, timer: Timer, arming: u64) {
        if self.hosts[at].timers.get(&timer).is_none_or(|(_, number)| *number != arming) {
            return;
        }
        self.hosts[at].timers.remove(&timer);
        match timer {
            Timer::Granter(timer) => self.granter(at, Input::Timer(timer)),
            Timer::Holder(timer) => self.holder(at, Input::Timer(timer)),
        }
    }

    fn boot(&mut self, at: usize) {
        let drift = u64::from(self.weather.drift_ppm);
        let rate = match self.below("rate", 3) {
            0 => MILLION - drift,
            1 => MILLION + drift,
            _ => MILLION - drift + self.below("rate.exact", 2 * drift + 1),
        };
        let host = &mut self.hosts[at];
        host.rate = rate;
        let (granter, _) = Node::boot(&host.config, &(), Time(0), &mut self.dice);
        let (holder, _) = Node::boot(&host.config, &(), Time(0), &mut self.dice);
        host.nodes = Some((granter, holder));
        let delay = self.delay();
        self.plan(delay, Happening::Tell(at));
    }

    /// A member that runs is the master: under the term that it had, if it was the last, or another one.
    fn lead(&mut self) {
        if self.leads {
            return;
        }
        let drawn = usize::try_from(self.below("lead.who", self.hosts.len() as u64)).expect("few");
        let at = self.master.unwrap_or(drawn);
        let host = &self.hosts[at];
        if host.nodes.is_none() || host.stopped_until > self.now {
            let delay = self.lease / 10;
            return self.plan(delay, Happening::Lead);
        }
        let member = host.config.member.clone();
        let machine = host.nodes.as_ref().expect("it runs").0.machine();
        let had = bridgehead::kernel::Machine::view(machine).term;
        let may_go_on = had.is_some() && had == self.term;
        if !(may_go_on && self.below("lead.again", 2) == 0) {
            let counter = self.term.as_ref().map_or(0, |term| term.counter) + 1;
            self.term = Some(Term { counter, member, nonce: 0 });
        }
        self.leads = true;
        let term = self.term.clone().expect("it was just begun");
        self.granter(at, Input::Command(GranterCommand::Lead(term)));
        for other in 0..self.hosts.len() {
            let delay = self.delay();
            self.plan(delay, Happening::Tell(other));
        }
    }

    /// The master has no lease any more, and does nothing more as one.
    fn cease(&mut self) {
        let Some(term) = self.term.clone().filter(|_| self.leads) else { return };
        self.leads = false;
        let is_it = |host: &Host| host.config.member == term.member;
        let at = self.hosts.iter().position(is_it).expect("a master is a member");
        self.granter(at, Input::Command(GranterCommand::Cease));
        let delay = self.below("lead.when", self.lease);
        self.plan(delay, Happening::Lead);
    }

    /// Now and then a member wants the account or gives it back; who has it writes.
    fn make_use(&mut self, at: usize) {
        let delay = self.lease / 8 + self.below("use.when", self.lease / 8);
        self.plan(delay, Happening::Use(at));
        let account = BTreeSet::from([ann()]);
        if let Some(epoch) = self.hosts[at].has_under(self.now).cloned() {
            let delay = self.delay();
            self.plan(delay, Happening::Write(epoch));
            if self.weather.calm_us > 0 && self.below("use.return", 8) == 0 {
                self.holder(at, Input::Command(HolderCommand::GiveBack(account)));
            }
        } else {
            self.holder(at, Input::Command(HolderCommand::Claim(account)));
        }
    }

    fn write(&mut self, epoch: &LeaseEpoch) {
        let faults = self.hosts[0].config.faults.clone();
        let is_taken = self.fence.admit(epoch, &faults).is_ok();
        let is_owner = self.hosts.iter().any(|host| host.has_under(self.now) == Some(epoch));
        if is_taken && self.written.as_ref().is_some_and(|written| written > epoch) {
            self.broken = Some(format!("{epoch:?} is written behind {:?}", self.written));
        } else if !is_taken && is_owner {
            self.broken = Some(format!("the owner under {epoch:?} is refused"));
        } else if is_taken {
            self.written = Some(epoch.clone());
        }
    }

    pub(super) fn granter(&mut self, at: usize, input: Input<Granter>) {
        let host = &mut self.hosts[at];
        let Some((granter, _)) = &mut host.nodes else { return };
        for act in granter.step(&host.config, input, Time(0), &mut self.dice) {
            match act {
                Act::Send { to, pdu } => {
                    let wire = self.hosts[at].callers.get(&to).copied();
                    self.say(wire, 1, pdu);
                }
                Act::Arm { timer, within } => self.arm(at, Timer::Granter(timer), &within),
                Act::Disarm(timer) => {
                    self.hosts[at].timers.remove(&Timer::Granter(timer));
                }
                Act::Event(_) => {}
                _ => panic!("a master answers"),
            }
        }
    }

    pub(super) fn holder(&mut self, at: usize, input: Input<Holder>) {
        let is_timer = matches!(input, Input::Timer(_));
        let host = &mut self.hosts[at];
        let Some((_, holder)) = &mut host.nodes else { return };
        for act in holder.step(&host.config, input, Time(0), &mut self.dice) {
            match act {
                Act::Open { peer, .. } => self.open(at, &peer),
                Act::Close { .. } => self.hang_up(at),
                Act::Send { pdu, .. } => {
                    let wire = self.hosts[at].call;
                    self.say(wire, 0, pdu);
                }
                Act::Arm { timer, within } => self.arm(at, Timer::Holder(timer), &within),
                Act::Disarm(timer) => {
                    self.hosts[at].timers.remove(&Timer::Holder(timer));
                }
                Act::Event(HolderEvent::Opened { epoch, .. }) => {
                    self.openings += 1;
                    self.write(&epoch);
                }
                Act::Event(HolderEvent::Misbehaved { .. }) => panic!("nobody misbehaves"),
                Act::Event(_) => {}
                Act::Ask { .. } | Act::Write(()) => panic!("it asks masters only"),
            }
        }
        let host = &self.hosts[at];
        let holder = host.nodes.as_ref().map(|(_, holder)| holder.machine());
        let has = holder.is_some_and(|holder| holder.epoch(&ann()).is_some());
        if has && !is_timer && host.has_under(self.now).is_none() {
            self.broken = Some(format!("{at} acts under a lease that has ended, at {}", self.now));
        }
    }

    fn arm(&mut self, at: usize, timer: Timer, within: &RangeInclusive<Span>) {
        let due = self.now + within.start().0 * MILLION / self.hosts[at].rate;
        let arming = self.number();
        self.hosts[at].timers.insert(timer, (due, arming));
        self.agenda.insert((due, 0, due, arming), Happening::Timer { at, timer, arming });
    }

    fn crash(&mut self, at: usize) {
        if self.term.as_ref().is_some_and(|term| term.member == self.hosts[at].config.member) {
            self.cease();
        }
        self.lose_all(at);
        let host = &mut self.hosts[at];
        (host.nodes, host.stopped_until) = (None, 0);
        host.timers.clear();
        host.callers.clear();
    }

    fn fault(&mut self) {
        let count = self.hosts.len() as u64;
        let at = usize::try_from(self.below("fault.host", count)).expect("few");
        let other = usize::try_from(self.below("fault.other", count)).expect("few");
        match self.below("fault", 8) {
            0 => self.cut[at][other] = at != other,
            1 => {
                for other in (0..self.hosts.len()).filter(|other| *other != at) {
                    (self.cut[at][other], self.cut[other][at]) = (true, true);
                }
            }
            2 | 3 => self.cut.iter_mut().flatten().for_each(|cut| *cut = false),
            4 => {
                self.crash(at);
                let delay = self.below("crash.span", 2 * self.lease);
                self.plan(delay, Happening::Boot(at));
            }
            5 => {
                let until = self.now + self.below("stop.span", 2 * self.lease);
                let host = &mut self.hosts[at];
                host.stopped_until = host.stopped_until.max(until);
            }
            6 => {
                if let Some(wire) = self.hosts[at].call {
                    self.plan(0, Happening::Client(wire, LinkChange::Lost));
                }
            }
            _ => self.cease(),
        }
    }
}
