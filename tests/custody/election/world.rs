//! Elections in true time: hosts whose clocks go at rates of their own, disks and a network that take their
//! time, cuts in one direction, crashes, and processes that are stopped for a while.

use core::num::NonZeroU32;
use core::ops::RangeInclusive;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bridgehead::kernel::{
    Act, Choose as _, Input, LinkChange, Machine as _, Node, Seeded, Span, Time,
};
use bridgehead::protocol::faults::Faults;
use bridgehead::protocol::master::election::{
    Election, ElectionChange, ElectionCommand, ElectionConfig, ElectionDurable, ElectionEvent,
    ElectionPeer, ElectionTimer, StoreAnswer,
};
use bridgehead::protocol::organization::BackEnd;
use bridgehead::sim::store::MemoryStore;
use bridgehead::wire::ids::MemberName;
use bridgehead::wire::record::Term;

use super::store::Call;
use super::wires::Wire;

pub(super) const MILLION: u64 = 1_000_000;
/// The least that anything takes: no answer is there when it is asked for.
const LEAST_DELAY_US: u64 = 10;

/// One member's process, disk and clock.
pub(super) struct Host {
    pub(super) config: ElectionConfig,
    /// Nothing while it is down.
    pub(super) node: Option<Node<Election>>,
    pub(super) boot: u64,
    pub(super) disk: ElectionDurable,
    pub(super) unwritten: VecDeque<ElectionChange>,
    disk_free_at: u64,
    /// Its clock counts so many microseconds in a true second.
    pub(super) rate: u64,
    /// The questions to the store that it still waits for.
    pub(super) asks: BTreeSet<u64>,
    /// When each timer that runs is due, in true time, and which arming that was.
    timers: BTreeMap<ElectionTimer, (u64, u64)>,
    stopped_until: u64,
    /// Its connection to each member, and the one that each member has to it.
    pub(super) calls: BTreeMap<MemberName, u64>,
    pub(super) callers: BTreeMap<MemberName, u64>,
    followed: Option<Term>,
}

impl Host {
    /// The term under which it acts as the master now: a process that was stopped learns first that its lease
    /// is over.
    fn acts_under(&self, now: u64) -> Option<&Term> {
        let machine = self.node.as_ref()?.machine();
        let round = machine.lease()?;
        let (due, _) = self.timers.get(&ElectionTimer::Lease(round))?;
        machine.leads().filter(|_| *due > now)
    }
}

#[derive(Clone)]
pub(super) enum Happening {
    Timer {
        at: usize,
        timer: ElectionTimer,
        arming: u64,
    },
    Stored {
        at: usize,
        boot: u64,
    },
    Connect(u64),
    Arrive {
        wire: u64,
        direction: usize,
    },
    /// The client learns what became of its connection.
    Client(u64, LinkChange),
    Boot(usize),
    Fault,
    /// The store grants a lease to a question, does its transaction, and answers.
    Grants(Box<Call>),
    Acts(Box<Call>),
    Says {
        at: usize,
        boot: u64,
        number: u64,
        answer: Box<StoreAnswer>,
    },
}

/// What a run is like.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    /// The greatest delay of most messages and writes, in microseconds.
    pub(super) delay_us: u64,
    /// Of a hundred messages so many come as late as this.
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
    /// What decides where no voters do, and who does not reach it.
    pub(super) store: MemoryStore,
    pub(super) cut_from_store: Vec<bool>,
    dice: Seeded,
    weather: Weather,
    pub(super) lease: u64,
    /// A process that was stopped takes what has come before the timers that were due.
    pub(super) timers_last: bool,
    led: Option<Term>,
    /// The first thing that must not be.
    pub(super) broken: Option<String>,
    pub(super) reigns: u32,
}

impl World {
    pub(super) fn new(configs: Vec<ElectionConfig>, weather: Weather, seed: u64) -> Self {
        let count = configs.len();
        let lease = configs[0].lease.0;
        let host = |config| Host {
            config,
            node: None,
            boot: 0,
            disk: ElectionDurable::default(),
            unwritten: VecDeque::new(),
            disk_free_at: 0,
            rate: MILLION,
            asks: BTreeSet::new(),
            timers: BTreeMap::new(),
            stopped_until: 0,
            calls: BTreeMap::new(),
            callers: BTreeMap::new(),
            followed: None,
        };
        let mut world = Self {
            now: 0,
            hosts: configs.into_iter().map(host).collect(),
            wires: BTreeMap::new(),
            agenda: BTreeMap::new(),
            numbers: 0,
            cut: vec![vec![false; count]; count],
            store: MemoryStore::default(),
            cut_from_store: vec![false; count],
            dice: Seeded::new(seed),
            weather,
            lease,
            timers_last: false,
            led: None,
            broken: None,
            reigns: 0,
        };
        if world.asks_store() {
            world.store = MemoryStore::new(world.rate());
        }
        for at in 0..count {
            let delay = world.below("start", lease);
            world.plan(delay, Happening::Boot(at));
        }
        world.plan_fault();
        world
    }

    fn below(&mut self, site: &'static str, bound: u64) -> u64 {
        let bound = u32::try_from(bound).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        u64::from(self.dice.below(site, bound))
    }

    fn one_in(&mut self, site: &'static str, count: u64) -> bool {
        self.below(site, count) == 0
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
        self.mend();
        for at in 0..self.hosts.len() {
            self.hosts[at].disk_free_at = self.now;
            if self.hosts[at].node.is_none() {
                self.boot(at);
            }
        }
        // Who is stopped goes on when it was to go on.
        let awake = self.hosts.iter().map(|host| host.stopped_until).max();
        self.run(awake.unwrap_or(0).max(self.now));
    }

    /// Who acts as the master now.
    pub(super) fn masters(&self) -> Vec<usize> {
        let acts = |at: &usize| self.hosts[*at].acts_under(self.now).is_some();
        (0..self.hosts.len()).filter(acts).collect()
    }

    fn check(&mut self) {
        let masters = self.masters();
        if masters.len() > 1 {
            self.broken = Some(format!("{masters:?} are masters at {}", self.now));
        }
    }

    fn target(&self, happening: &Happening) -> Option<usize> {
        match happening {
            Happening::Timer { at, .. } | Happening::Stored { at, .. } => Some(*at),
            Happening::Arrive { wire, direction } => {
                let wire = self.wires.get(wire)?;
                Some([wire.server, wire.client][*direction])
            }
            Happening::Connect(wire) => Some(self.wires.get(wire)?.server),
            Happening::Client(wire, _) => Some(self.wires.get(wire)?.client),
            Happening::Says { at, .. } => Some(*at),
            Happening::Boot(_) | Happening::Fault | Happening::Grants(_) | Happening::Acts(_) => {
                None
            }
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
            Happening::Timer { at, timer, arming } => {
                if self.hosts[at].timers.get(&timer).is_some_and(|(_, number)| *number == arming) {
                    self.hosts[at].timers.remove(&timer);
                    self.step(at, Input::Timer(timer));
                }
            }
            Happening::Stored { at, boot } => self.stored(at, boot),
            Happening::Connect(wire) => self.connect(wire),
            Happening::Arrive { wire, direction } => self.arrive(wire, direction),
            Happening::Client(wire, change) => self.client(wire, change),
            Happening::Boot(at) => {
                if self.hosts[at].node.is_none() {
                    self.boot(at);
                }
            }
            Happening::Grants(call) => self.store_grants(call),
            Happening::Acts(call) => self.store_acts(call),
            Happening::Says { at, boot, number, answer } => {
                self.store_says(at, boot, number, *answer);
            }
            Happening::Fault if self.weather.calm_us == 0 => {}
            Happening::Fault => {
                self.fault();
                self.plan_fault();
            }
        }
    }

    fn asks_store(&self) -> bool {
        self.hosts[0].config.asks_store()
    }

    /// How fast a clock is.
    fn rate(&mut self) -> u64 {
        let drift = u64::from(self.weather.drift_ppm);
        match self.below("rate", 3) {
            0 => MILLION - drift,
            1 => MILLION + drift,
            _ => MILLION - drift + self.below("rate.exact", 2 * drift + 1),
        }
    }

    fn boot(&mut self, at: usize) {
        let rate = self.rate();
        let host = &mut self.hosts[at];
        host.rate = rate;
        host.boot += 1;
        let (node, acts) = Node::boot(&host.config, &host.disk, Time(0), &mut self.dice);
        host.node = Some(node);
        self.act(at, acts);
    }

    pub(super) fn step(&mut self, at: usize, input: Input<Election>) {
        let is_timer = matches!(input, Input::Timer(_));
        let host = &mut self.hosts[at];
        let Some(node) = &mut host.node else { return };
        let acts = node.step(&host.config, input, Time(0), &mut self.dice);
        self.act(at, acts);
        let host = &self.hosts[at];
        let leads = host.node.as_ref().and_then(|node| node.machine().leads()).is_some();
        if leads && !is_timer && host.acts_under(self.now).is_none() {
            self.broken = Some(format!("{at} acts under a lease that has ended, at {}", self.now));
        }
    }

    fn act(&mut self, at: usize, acts: Vec<Act<Election>>) {
        for act in acts {
            match act {
                Act::Open { peer: ElectionPeer::Voter(member), .. } => self.open(at, member),
                Act::Close { peer } => self.close(at, &peer),
                Act::Send { to, pdu } => self.send(at, &to, pdu),
                Act::Arm { timer, within } => self.arm(at, timer, &within),
                Act::Disarm(timer) => {
                    self.hosts[at].timers.remove(&timer);
                }
                Act::Write(change) => self.write(at, change),
                Act::Event(event) => self.event(at, event),
                Act::Ask { query, .. } => self.ask_store(at, query),
                Act::Open { .. } => panic!("a machine opens to voters only"),
            }
        }
    }

    fn event(&mut self, at: usize, event: ElectionEvent) {
        match event {
            ElectionEvent::Leads(term) => {
                self.reigns += 1;
                if self.led.as_ref().is_some_and(|led| *led > term) {
                    self.broken = Some(format!("{term:?} is led after {:?}", self.led));
                }
                if self.hosts[at].disk.term.as_ref().is_none_or(|stored| *stored < term) {
                    self.broken = Some(format!("{at} has begun {term:?} off its disk"));
                }
                let machine = self.hosts[at].node.as_ref().expect("it acts").machine();
                for voter in machine.votes().into_iter().flatten() {
                    let host = self.hosts.iter().find(|host| host.config.member == *voter);
                    let disk = &host.expect("a voter").disk;
                    if disk.term.as_ref().is_none_or(|stored| *stored < term) {
                        self.broken = Some(format!("{voter} has granted {term:?} off its disk"));
                    }
                }
                self.led = Some(term);
            }
            ElectionEvent::Follows(term) => {
                if self.hosts[at].followed.as_ref().is_some_and(|followed| *followed > term) {
                    self.broken = Some(format!("{at} follows {term:?} again"));
                }
                self.hosts[at].followed = Some(term);
            }
            ElectionEvent::Ceased { .. } => {}
            ElectionEvent::Misbehaved { .. } => self.broken = Some(format!("{at}: {event:?}")),
        }
    }

    fn arm(&mut self, at: usize, timer: ElectionTimer, within: &RangeInclusive<Span>) {
        let (least, most) = (within.start().0, within.end().0);
        let span = least + self.below("timer", most - least + 1);
        let due = self.now + span * MILLION / self.hosts[at].rate;
        let arming = self.number();
        self.hosts[at].timers.insert(timer.clone(), (due, arming));
        self.agenda.insert((due, 0, due, arming), Happening::Timer { at, timer, arming });
    }

    fn write(&mut self, at: usize, change: ElectionChange) {
        self.hosts[at].unwritten.push_back(change);
        let begins = self.hosts[at].disk_free_at.max(self.now);
        let ends = begins + self.delay();
        self.hosts[at].disk_free_at = ends;
        let boot = self.hosts[at].boot;
        self.plan(ends - self.now, Happening::Stored { at, boot });
    }

    fn stored(&mut self, at: usize, boot: u64) {
        let host = &mut self.hosts[at];
        if host.boot != boot {
            return;
        }
        let Some(node) = &mut host.node else { return };
        let change = host.unwritten.pop_front().expect("a write for each word of its end");
        Election::apply(&mut host.disk, &change);
        let acts = node.stored();
        self.act(at, acts);
    }

    /// It does not come back.
    pub(super) fn kill(&mut self, at: usize) {
        self.crash(at);
    }

    fn crash(&mut self, at: usize) {
        // What was on its way to the disk may have arrived, up to any point.
        let kept = self.below("crash.kept", self.hosts[at].unwritten.len() as u64 + 1);
        let host = &mut self.hosts[at];
        let unwritten = core::mem::take(&mut host.unwritten);
        for change in unwritten.iter().take(usize::try_from(kept).expect("few")) {
            Election::apply(&mut host.disk, change);
        }
        (host.node, host.stopped_until, host.disk_free_at) = (None, 0, 0);
        host.timers.clear();
        host.callers.clear();
        host.asks.clear();
        let own = core::mem::take(&mut host.calls);
        for wire in own.into_values() {
            self.wires.get_mut(&wire).expect("a wire that is called").open[0] = false;
        }
        let to_it = self.wires.iter().filter(|(_, wire)| wire.server == at && wire.open[1]);
        for wire in to_it.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.wires.get_mut(&wire).expect("it was just seen").open[1] = false;
            let delay = self.delay();
            self.plan(delay, Happening::Client(wire, LinkChange::Lost));
        }
    }

    /// All cuts end.
    fn mend(&mut self) {
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
        self.cut_from_store.fill(false);
    }

    fn fault(&mut self) {
        let at = usize::try_from(self.below("fault.host", self.hosts.len() as u64)).expect("few");
        let other =
            usize::try_from(self.below("fault.other", self.hosts.len() as u64)).expect("few");
        let kinds = if self.asks_store() { 10 } else { 8 };
        match self.below("fault", kinds) {
            0 => self.cut[at][other] = at != other,
            1 => {
                for other in (0..self.hosts.len()).filter(|other| *other != at) {
                    (self.cut[at][other], self.cut[other][at]) = (true, true);
                }
            }
            2 | 3 => self.mend(),
            8 | 9 => self.cut_from_store[at] = true,
            4 => {
                self.crash(at);
                let most =
                    if self.one_in("crash.short", 2) { self.lease / 5 } else { 2 * self.lease };
                let delay = self.below("crash.span", most);
                self.plan(delay, Happening::Boot(at));
            }
            5 => {
                let span = self.below("stop.span", 2 * self.lease);
                let host = &mut self.hosts[at];
                host.stopped_until = host.stopped_until.max(self.now + span);
            }
            6 => {
                let open = self.wires.iter().filter(|(_, wire)| wire.open[0]).map(|(id, _)| *id);
                let open: Vec<_> = open.collect();
                if let Some(wire) = open.get(other % open.len().max(1)) {
                    self.plan(0, Happening::Client(*wire, LinkChange::Lost));
                }
            }
            _ => {
                let named = self.hosts[other].config.member.clone();
                let successor = if self.one_in("resign", 2) { Some(named) } else { None };
                if self.hosts[at].stopped_until <= self.now {
                    self.step(at, Input::Command(ElectionCommand::Resign { successor }));
                }
            }
        }
    }
}

/// A group: `voters` of its own, maybe a witness, and members that do not vote.
pub(super) fn group(
    (voters, witness, others): (usize, bool, usize),
    (lease, drift_ppm): (Span, u32),
    planted: &[&str],
) -> Vec<ElectionConfig> {
    let name = |letter: char, count: usize| {
        (1..=count).map(move |number| MemberName(format!("{letter}{number}"))).collect::<Vec<_>>()
    };
    let (standing, others) = (name('v', voters), name('m', others));
    let members: Vec<_> = standing.iter().chain(&others).cloned().collect();
    let witness = witness.then(|| MemberName::from("w"));
    let everybody = members.iter().chain(&witness);
    let config = |member: &MemberName| ElectionConfig {
        voters: standing.clone(),
        witness: witness.clone(),
        back_end: BackEnd::Embedded,
        members: members.clone(),
        member: member.clone(),
        lease,
        drift_ppm,
        faults: Faults::named(planted.iter().copied()).unwrap(),
    };
    everybody.map(config).collect()
}
