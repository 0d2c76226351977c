//! Random schedules: whatever happens, two members are never masters at one instant of true time; and when
//! it has stopped, there is one within the bound.

use core::num::NonZeroU32;

use bridgehead::kernel::{Choose as _, Seeded, Span};
use bridgehead::protocol::organization::BackEnd;

use super::world::{MILLION, Weather, World, group};

/// How the runs of a test differ from what the specification says.
#[derive(Clone, Copy, Default)]
pub(super) struct Wrong {
    /// Who decides.
    pub(super) back_end: BackEnd,
    /// A planted bug of the machine.
    pub(super) fault: Option<&'static str>,
    /// Hosts give what has come to a process that was stopped before the timers that are due (MA-043).
    pub(super) timers_last: bool,
    /// The clocks differ by this, and the configuration says that they do not.
    pub(super) hidden_drift_ppm: u32,
}

pub(super) const RIGHT: Wrong =
    Wrong { back_end: BackEnd::Embedded, fault: None, timers_last: false, hidden_drift_ppm: 0 };

/// How long the faults last, in leases.
const STORM: u64 = 25;
/// How long it is watched what comes of it, in leases.
const CALM: u64 = 20;

/// The world of a seed.
fn world(seed: u64, wrong: Wrong) -> (World, u64, usize) {
    let mut dice = Seeded::new(seed);
    let mut pick = |site| dice.below(site, NonZeroU32::new(1 << 16).expect("positive")) as usize;
    let shapes = match wrong.back_end {
        BackEnd::Embedded => [(3, false, 0), (3, false, 1), (2, true, 0), (5, false, 0)],
        BackEnd::Etcd => [(3, false, 0), (2, false, 1), (2, false, 0), (5, false, 0)],
    };
    let shape = shapes[pick("shape") % 4];
    let lease = Span::seconds([5, 1, 20][pick("lease") % 3]);
    let late = [(0, 0), (3, lease.0), (10, 2 * lease.0)][pick("late") % 3];
    let slow = [100, 8, 4][pick("delay") % 3];
    let calm_us = [lease.0 / 2, 2 * lease.0][pick("calm") % 2];
    let stated = [50_000, 200_000, 0][pick("drift") % 3];
    let (drift_ppm, stated) = match wrong.hidden_drift_ppm {
        0 => (stated, stated),
        hidden => (hidden, 0),
    };
    let weather = Weather { delay_us: lease.0 / slow, late, calm_us, drift_ppm };
    let mut configs = group(shape, (lease, stated), wrong.fault.as_slice());
    configs.iter_mut().for_each(|config| config.back_end = wrong.back_end);
    let members = configs[0].members.len();
    let mut world = World::new(configs, weather, seed);
    world.timers_last = wrong.timers_last;
    (world, lease.0, members)
}

/// The first thing that must not be in the run of this seed; else how many masterships there were, and how
/// long it took after the faults until there was a master for good, in hundredths of the lease.
fn run(seed: u64, wrong: Wrong) -> Result<(u32, u64), String> {
    let (mut world, lease, members) = world(seed, wrong);
    world.run(STORM * lease);
    world.heal(lease / 100);
    let (healed, mut since, mut master) = (world.now, None, None);
    for step in 1..=100 * CALM {
        world.run(healed + step * lease / 100);
        if let Some(broken) = world.broken {
            return Err(broken);
        }
        let masters = world.masters();
        if masters.is_empty() || master.is_none() || master != masters.first().copied() {
            (master, since) = (masters.first().copied(), Some(step));
        }
    }
    let (Some(master), Some(since)) = (master, since) else { return Err("no master".into()) };
    let term = &world.hosts[master].disk.term;
    match world.hosts[..members].iter().find(|host| host.disk.term != *term) {
        Some(host) => Err(format!("{:?} does not obey {term:?}", host.disk)),
        None => Ok((world.reigns, since)),
    }
}

/// The failover bound of the specification, in hundredths of the lease, for the greatest stated drift.
const BOUND: u64 = 600 * 10 / 8;

/// How seeds end; prints what there is to know.
pub(super) fn survey(seeds: core::ops::Range<u64>, wrong: Wrong) {
    let (mut spans, mut reigns) = (Vec::new(), 0);
    for seed in seeds {
        match run(seed, wrong) {
            Ok((some, span)) => {
                spans.push(span);
                reigns += some;
            }
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    spans.sort_unstable();
    let (median, longest) = (spans[spans.len() / 2], spans[spans.len() - 1]);
    println!("{reigns} masterships in {} runs", spans.len());
    println!("a master for good after 0.{median:02} leases (median), {longest} hundredths (most)");
    assert!(longest <= BOUND, "{longest} hundredths of a lease without a master");
}

/// C6, MA-030 to MA-043: never two masters, terms grow, what is granted is on disk, nobody obeys a smaller
/// term; and a master within the bound.
#[test]
fn two_members_are_never_masters_at_one_instant() {
    survey(0..24, RIGHT);
}

#[test]
#[ignore = "minutes; .ci/long runs it"]
fn long_two_members_are_never_masters_at_one_instant() {
    survey(0..20_000, RIGHT);
}

pub(super) fn finds(wrong: Wrong, seeds: u64) -> Option<(u64, String)> {
    let found = (0..seeds).find_map(|seed| run(seed, wrong).err().map(|broken| (seed, broken)));
    println!("{:?}: {found:?}", wrong.fault);
    found
}

/// The storm is one: it finds bugs that are planted in the machine.
#[test]
fn planted_bugs_make_two_masters() {
    for fault in [
        "grants-before-durable",
        "two-promises",
        "resigns-before-it-stops",
        "lease-survives-a-boot",
    ] {
        assert!(finds(Wrong { fault: Some(fault), ..RIGHT }, 64).is_some(), "{fault}");
    }
}

/// MA-043: a process that was stopped and takes what has come first acts under a lease that is over.
#[test]
fn ma_043_timers_that_are_due_come_before_any_other_input() {
    assert!(finds(Wrong { timers_last: true, ..RIGHT }, 64).is_some());
}

/// MA-036: the lease is shorter by what the clocks differ, or there are two masters.
#[test]
fn ma_036_clocks_that_differ_by_more_than_is_stated_make_two_masters() {
    assert!(finds(Wrong { hidden_drift_ppm: 200_000, ..RIGHT }, 64).is_some());
}

/// Kills the master of each seed's world, and waits at most `bound` of a lease of a million for the next one.
pub(super) fn replaced_in_order(seeds: core::ops::Range<u64>, wrong: Wrong, bound: Span) {
    for seed in seeds {
        let (mut world, lease, _) = world(seed, wrong);
        world.heal(lease / 100);
        world.run(5 * lease + seed * lease / 24);
        let [master] = world.masters()[..] else { panic!("seed {seed}: no master") };
        world.kill(master);
        let killed = world.now;
        while world.masters().is_empty() {
            world.run(world.now + lease / 1_000);
            assert_eq!(world.broken, None);
            assert!(world.now - killed <= lease * bound.0 / MILLION, "seed {seed}");
        }
    }
}

/// MA-039: a master that is killed is replaced when the promises to it are over and the next in order has waited.
#[test]
fn ma_039_a_killed_master_is_replaced_in_the_order_of_the_voters() {
    // Five voters, clocks that are slow by a fifth, and two exchanges.
    replaced_in_order(0..12, RIGHT, Span(15 * MILLION / 8 + MILLION / 10));
}
