//! One run: a phase with faults, in which nothing may go wrong, and a phase without, in which everything
//! must come to its end.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use serde::Serialize;

use super::checkers::Violation;
use super::clock::HostClock;
use super::draw::Dice;
use super::faults::{Swarm, Terms, draw_delays};
use super::house::House;
use super::limits::Limits;
use super::links::{LinkCounts, Links};
use super::log::Log;
use super::store::MemoryStore;
use super::workload::Workload;
use super::world::{Happening, World};
use crate::kernel::{Choose, Player, Recorder, Seeded, Span, Tape, Time};
use crate::protocol::faults::Faults;
use crate::protocol::member::{MemberConfig, Policy, Security};
use crate::protocol::organization::Organization;

/// Within this span after the last fault every promised recipient has ended, but for those that have to wait:
/// they end within this span after their time is over, or after the hours of their way have begun.
pub const LIVENESS_BOUND: Span = Span::hours(3);
/// How often a run is looked at in which only such mail is left.
const PATIENCE_STEP: Span = Span::hours(1);
/// Within this span after the last fault all members of a connected component have the same table, and it
/// is true. A connector that is broken is decided DOWN after its glitch retries, each of which may wait for
/// the timeouts of a dialogue that stands still; and DOWN is hidden for 15 minutes at most (LS-034).
pub const CONVERGENCE_BOUND: Span = Span::minutes(30);
/// The most steps of one run; more is a machine that turns in a circle.
pub const STEPS_LIMIT: u64 = 50_000_000;
/// One in so many runs has accounts with limits.
pub const LIMITS_ONE_IN: u32 = 4;
/// One in so many runs has its connectors struck.
pub const LINKS_ONE_IN: u32 = 4;
/// How many rows a failure shows.
pub const ROWS_SHOWN: usize = 80;

/// What is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The organization.
    pub organization: Arc<Organization>,
    /// The policy of every member.
    pub policy: Policy,
    /// How long the phase with faults is.
    pub span: Span,
    /// The planted bugs.
    pub faults: Faults,
    /// One in so many runs has accounts with limits; 0 is none.
    pub limits_one_in: u32,
    /// One in so many runs has its connectors struck; 0 is none.
    pub links_one_in: u32,
}

impl Plan {
    /// The default policy and no planted bug.
    #[must_use]
    pub fn new(organization: Arc<Organization>, span: Span) -> Self {
        let (policy, faults) = (Policy::default(), Faults::none());
        let (limits_one_in, links_one_in) = (LIMITS_ONE_IN, LINKS_ONE_IN);
        Self { organization, policy, span, faults, limits_one_in, links_one_in }
    }

    /// The same for one run, which may have shorter terms, limits, and a way out where the file has none.
    fn configs_of_run(
        &self,
        terms: Option<Terms>,
        has_way_out: bool,
        limits: Option<&Limits>,
    ) -> Vec<MemberConfig> {
        let mut plan = self.clone();
        if let Some(terms) = terms {
            plan.policy.delay_notice_hours = terms.delay_notice_hours;
            plan.policy.expiry_hours = terms.expiry_hours;
        }
        if has_way_out && plan.organization.smart_host.is_none() {
            let way_out = Some(String::from("outside.example:25"));
            Arc::make_mut(&mut plan.organization).smart_host = way_out;
        }
        if let Some(limits) = limits {
            limits.apply(Arc::make_mut(&mut plan.organization), &mut plan.policy);
        }
        plan.configs()
    }

    /// What each member is configured with, in the order of the file.
    #[must_use]
    pub fn configs(&self) -> Vec<MemberConfig> {
        let members = self.organization.groups.iter().flat_map(|group| &group.members);
        members
            .map(|member| MemberConfig {
                organization: Arc::clone(&self.organization),
                member: member.clone(),
                security: Security::Address,
                policy: self.policy.clone(),
                faults: self.faults.clone(),
            })
            .collect()
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything held.
    Held,
    /// A machine, or the simulator, hit an assertion.
    Crashed(String),
    /// Something that must end has not.
    NotLive(Vec<String>),
    /// A property was violated.
    Violated(Violation),
}

impl Verdict {
    /// The exit code of the command.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Crashed(_) => 127,
            Self::NotLive(_) => 128,
            Self::Violated(_) => 129,
        }
    }

    /// What kind of failure it is; a shortened tape must fail in the same way.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Held => "held",
            Self::Crashed(_) => "crashed",
            Self::NotLive(_) => "not live",
            Self::Violated(violation) => &violation.property,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("every property held"),
            Self::Crashed(message) => write!(f, "crash: {message}"),
            Self::NotLive(open) => {
                let bound = LIVENESS_BOUND.0 / 3_600_000_000;
                let count = open.len();
                write!(
                    f,
                    "liveness: {count} not ended {bound} h after nothing hindered them any more"
                )?;
                open.iter().take(10).try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::Violated(violation) => write!(f, "{violation}"),
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// How it ended.
    pub verdict: Verdict,
    /// How many inputs the members had taken by then.
    pub step: u64,
    /// The virtual time by then.
    pub now: Time,
    /// How many messages were promised.
    pub messages: usize,
    /// How many copies had ended.
    pub copies: usize,
    /// How many copies were lost with a disk.
    pub lost: usize,
    /// How many recipients were marked as suspect.
    pub suspects: usize,
    /// How many bodies that broke off were gone on with.
    pub resumed: usize,
    /// What it did with its connectors.
    pub links: LinkCounts,
    /// The last rows.
    #[serde(skip)]
    pub rows: Vec<String>,
    /// The trace, NDJSON.
    #[serde(skip)]
    pub trace: String,
}

/// What of a run is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// The last rows.
    pub rows: bool,
    /// The whole trace.
    pub trace: bool,
}

impl Watch {
    fn log(self) -> Log {
        Log::new(if self.rows { ROWS_SHOWN } else { 0 }, self.trace)
    }
}

/// Runs a seed.
#[must_use]
pub fn run_seed(plan: &Plan, seed: u64, watch: Watch) -> Played {
    play(plan, &mut Seeded::new(seed), watch)
}

/// Runs a seed and records its choices.
#[must_use]
pub fn record_seed(plan: &Plan, seed: u64, watch: Watch) -> (Played, Tape) {
    let mut recorder = Recorder::new(Seeded::new(seed));
    let played = play(plan, &mut recorder, watch);
    (played, recorder.tape().clone())
}

/// Runs a tape.
#[must_use]
pub fn run_tape(plan: &Plan, tape: Tape, watch: Watch) -> Played {
    play(plan, &mut Player::new(tape), watch)
}

fn play(plan: &Plan, choose: &mut dyn Choose, watch: Watch) -> Played {
    let mut dice = Dice(choose);
    let mut swarm = Swarm::draw(&mut dice);
    let delays = draw_delays(&mut dice);
    let terms = Terms::draw(&mut dice, &mut swarm);
    let limits =
        Limits::draw(&mut dice, plan.limits_one_in, &plan.organization, (terms, &mut swarm));
    let span = terms.map_or(plan.span, |terms| plan.span.max(terms.least));
    let span = limits.as_ref().map_or(span, |limits| span.max(limits.least()));
    let links = Links::draw(&mut dice, plan.links_one_in, &mut swarm);
    let span = if links.is_some() { span.max(Links::least()) } else { span };
    let workload = Workload::draw(&mut dice, span);
    let workload = if links.is_some() { Links::busy(workload, span) } else { workload };
    let has_way_out = dice.below("organization.outside", 2) == 1;
    let configs = plan.configs_of_run(terms, has_way_out, limits.as_ref());
    let clocks: Vec<_> = configs.iter().map(|_| HostClock::draw(&mut dice, &swarm)).collect();
    let store = MemoryStore::draw(&mut dice, &plan.organization, &swarm);
    let house = House::draw(&mut dice, &plan.organization);
    let clock_limits = (swarm.ahead, swarm.drift_ppm);
    let mut world = World::new(configs, delays, swarm, watch.log(), choose);
    world.checkers.set_clocks(clock_limits.0, clock_limits.1);
    for (host, clock) in world.hosts.iter_mut().zip(clocks) {
        host.clock = clock;
    }
    (world.store, world.house) = (store, house);
    world.plan = workload;
    if let Some(links) = links {
        world.strike_links(links);
    }
    // The world is looked at after a panic, and never run again.
    let caught = catch_unwind(AssertUnwindSafe(|| both_phases(&mut world, span)));
    let verdict = match caught {
        Err(panic) => Verdict::Crashed(words_of(panic.as_ref())),
        Ok(open) => match world.checkers.violation() {
            Some(violation) => Verdict::Violated(violation.clone()),
            None if open.is_empty() => Verdict::Held,
            None => Verdict::NotLive(open),
        },
    };
    let (messages, copies) = world.checkers.counts();
    let (lost, suspects) = world.checkers.setbacks();
    let rows = world.log.take_rows();
    let trace = String::from(world.log.trace());
    let (step, now, resumed) = (world.step, world.now, world.resumed);
    let (crossings, recrossings) = world.checkers.crossings();
    let links = LinkCounts { crossings, recrossings, ..world.counts };
    Played { verdict, step, now, messages, copies, lost, suspects, resumed, links, rows, trace }
}

fn both_phases(world: &mut World<'_>, span: Span) -> Vec<String> {
    for host in 0..world.hosts.len() {
        world.boot(host);
    }
    world.schedule(Span::seconds(1), Happening::Workload);
    if world.swarm.cuts_every.is_some() {
        world.schedule(Span::seconds(1), Happening::CutNext);
    }
    if world.swarm.moves_every.is_some() {
        world.schedule(Span::seconds(1), Happening::MoveNext);
    }
    if world.swarm.suspends_every.is_some() {
        world.schedule(Span::seconds(1), Happening::SuspendNext);
    }
    if world.swarm.orders_every.is_some() {
        world.schedule(Span::seconds(1), Happening::OrderNext);
    }
    let mut healed = Time(0) + span;
    let is_struck = world.links.is_some();
    while world.checkers.violation().is_none() && world.turn(healed) {
        assert!(world.step < STEPS_LIMIT, "a run of this length ends");
    }
    if world.checkers.violation().is_some() {
        return Vec::new();
    }
    world.now = healed;
    world.plan = Workload::none();
    if is_struck {
        world.rest_with_cuts();
        healed = healed + CONVERGENCE_BOUND;
        converge(world, healed);
    }
    world.heal_everything();
    converge(world, healed + CONVERGENCE_BOUND);
    settle(world, healed)
}

/// Lets the world go on to `bound`, when all tables have to be the same where there is a way, and true.
fn converge(world: &mut World<'_>, bound: Time) {
    while world.checkers.violation().is_none() && world.turn(bound) {
        assert!(world.step < STEPS_LIMIT, "a run of this length ends");
    }
    if world.checkers.violation().is_none() {
        world.now = bound;
        let World { checkers, hosts, network, names, .. } = world;
        let cuts = network.cuts();
        checkers.converged(hosts, &|from, to| cuts.contains(&(names[from], names[to])));
    }
}

/// Lets the world come to rest after its last fault; what has not ended when it should have comes back.
fn settle(world: &mut World<'_>, healed: Time) -> Vec<String> {
    let (mut since, mut bound) = (healed, healed + LIVENESS_BOUND);
    while !comes_to_rest(world, bound) {
        if world.checkers.violation().is_some() {
            return Vec::new();
        }
        let World { checkers, hosts, .. } = world;
        let mut open = checkers.overdue((since, bound), hosts);
        open.extend(world.on_their_way());
        if !open.is_empty() || world.checkers.is_settled() {
            return open;
        }
        (since, bound) = (bound, bound + PATIENCE_STEP);
    }
    world.checkers.ended_badly()
}

/// Lets the world go on to `bound`, or until nobody has anything to do any more. Whether that is so.
fn comes_to_rest(world: &mut World<'_>, bound: Time) -> bool {
    /// How many turns pass between two looks at whether everything has ended.
    const LOOK_EVERY: u32 = 256;
    let mut turns = 0;
    while world.checkers.violation().is_none() && world.turn(bound) {
        assert!(world.step < STEPS_LIMIT, "a run of this length ends");
        turns += 1;
        if turns % LOOK_EVERY == 0 && world.is_idle() && world.checkers.is_settled() {
            return true;
        }
    }
    false
}

fn words_of(panic: &(dyn core::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        String::from(*text)
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        format!("{:?}", panic.type_id())
    }
}
