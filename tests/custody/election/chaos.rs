//! Random schedules: whatever happens, two members are never masters at one instant of true time; and when
//! it has stopped, there is one within the bound.

use core::num::NonZeroU32;
use std::collections::BTreeSet;

use bridgehead::kernel::{Choose as _, Seeded, Span};
use bridgehead::protocol::organization::BackEnd;
use bridgehead::wire::ids::MemberName;

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
    /// The files change, at each member at another time: who votes, and whether the witness does.
    pub(super) files_change: bool,
    /// The clocks differ by this, and the configuration says that they do not.
    pub(super) hidden_drift_ppm: u32,
}

pub(super) const RIGHT: Wrong = Wrong {
    back_end: BackEnd::Embedded,
    fault: None,
    timers_last: false,
    files_change: false,
    hidden_drift_ppm: 0,
};
/// The voters change under way.
const MOVING: Wrong = Wrong { files_change: true, ..RIGHT };

/// How long the faults last, in leases.
const STORM: u64 = 25;
/// How long it is watched what comes of it, in leases.
const CALM: u64 = 20;

/// The world of a seed.
fn world(seed: u64, wrong: Wrong) -> (World, u64, usize) {
    let mut dice = Seeded::new(seed);
    let mut pick = |site| dice.below(site, NonZeroU32::new(1 << 16).expect("positive")) as usize;
    let shapes = match wrong.back_end {
        _ if wrong.files_change => [(3, false, 2), (3, false, 3), (2, true, 3), (5, false, 1)],
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
    if wrong.files_change {
        world.plan_file();
    }
    (world, lease.0, members)
}

/// The first thing that must not be in the run of this seed; else how many masterships there were, and how
/// long it took after the faults until there was a master for good, in hundredths of the lease.
fn run(seed: u64, wrong: Wrong) -> Result<(u32, u64), String> {
    let (mut world, lease, members) = world(seed, wrong);
    world.run(STORM * lease);
    world.heal(lease / 100);
    if let Some(broken) = world.broken {
        return Err(broken);
    }
    let target = world.last_file();
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
    if wrong.files_change {
        seats_are(&world, master, &target)?;
    }
    let term = &world.hosts[master].disk.term;
    match world.hosts[..members].iter().find(|host| host.disk.term != *term) {
        Some(host) => Err(format!("{:?} does not obey {term:?}", host.disk)),
        None => Ok((world.reigns, since)),
    }
}

/// The master has the voters of the last file as its seats, is one of them, and all of them have the same on disk.
fn seats_are(world: &World, master: usize, target: &BTreeSet<MemberName>) -> Result<(), String> {
    let seats = &world.hosts[master].disk.seats;
    let is_it = seats.as_ref().is_some_and(|seats| seats.voters() == target);
    if !is_it || !target.contains(&world.hosts[master].config.member) {
        return Err(format!("master {master} has {seats:?}, the last file {target:?}"));
    }
    let seated = world.hosts.iter().filter(|host| target.contains(&host.config.member));
    match seated.into_iter().find(|host| host.disk.seats != *seats) {
        Some(host) => Err(format!("{:?} has not {seats:?}", host.disk)),
        None => Ok(()),
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
    println!("a master for good after {median} (median), {longest} hundredths of a lease (most)");
    // Where voters still change, the master may be the last to go.
    assert!(
        wrong.files_change || longest <= BOUND,
        "{longest} hundredths of a lease without a master"
    );
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

/// C6, MA-044 to MA-047: the same while the voters change; and in the end they are those of the last file.
#[test]
fn two_members_are_never_masters_while_the_voters_change() {
    survey(0..24, MOVING);
}

#[test]
#[ignore = "minutes; .ci/long runs it"]
fn long_two_members_are_never_masters_while_the_voters_change() {
    survey(0..10_000, MOVING);
}

/// MA-045 to MA-047: planted bugs of the change make two masters, or a grant that a crash forgets.
#[test]
fn planted_bugs_of_seats_are_found() {
    let missed = ["two-seats-at-once", "seats-not-stored"].map(|fault| {
        let wrong = Wrong { fault: Some(fault), ..MOVING };
        let is_broken =
            |broken: &String| broken.contains("are masters") || broken.contains("off its disk");
        let found = (0..64).find_map(|seed| run(seed, wrong).err().filter(is_broken));
        println!("{fault}: {found:?}");
        found.is_none().then_some(fault)
    });
    assert_eq!(missed, [None; 2]);
}

/// The master moves the seats away from two voters, one of which is cut off. Then those two have nobody but each other:
/// what comes of it.
fn two_that_are_left_behind(fault: &[&str]) -> (World, usize) {
    let lease = Span::seconds(5);
    let weather = Weather { delay_us: 1_000, late: (0, 0), calm_us: 0, drift_ppm: 0 };
    let mut world = World::new(group((3, false, 2), (lease, 50_000), fault), weather, 1);
    world.run(5 * lease.0);
    let [master] = world.masters()[..] else { panic!("no master") };
    let [stays, away] = [1, 2].map(|place| (master + place) % 3);
    let cut = |world: &mut World, from: usize, others: &[usize]| {
        for other in others {
            (world.cut[from][*other], world.cut[*other][from]) = (true, true);
        }
    };
    cut(&mut world, away, &[master, stays, 3, 4]);
    let voters = [master, 3, 4].map(|at| world.hosts[at].config.member.clone());
    world.name_voters(voters.to_vec());
    world.run(world.now + 5 * lease.0);
    let seats = world.hosts[master].disk.seats.as_ref().map(|seats| seats.voters().clone());
    assert_eq!(seats, Some(BTreeSet::from(voters)));
    cut(&mut world, stays, &[master, 3, 4]);
    (world.cut[stays][away], world.cut[away][stays]) = (false, false);
    world.run(world.now + 20 * lease.0);
    (world, master)
}

/// MA-044: the majority of the old seats is none any more, or there are two masters.
#[test]
fn ma_044_a_majority_of_older_seats_elects_nobody() {
    let (world, master) = two_that_are_left_behind(&[]);
    assert_eq!((world.broken.clone(), world.masters()), (None, vec![master]));
    let (wrong, _) = two_that_are_left_behind(&["grants-older-seats"]);
    assert!(wrong.broken.is_some_and(|broken| broken.contains("are masters")));
}

/// Five voters, and a file that names three of them, which comes when two of them are cut off from the others.
fn two_of_five_with_a_file_of_three(fault: &[&str]) -> World {
    let lease = Span::seconds(5);
    let weather = Weather { delay_us: 1_000, late: (0, 0), calm_us: 0, drift_ppm: 0 };
    let mut world = World::new(group((5, false, 0), (lease, 50_000), fault), weather, 1);
    world.run(5 * lease.0);
    for (one, other) in [(0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)] {
        (world.cut[one][other], world.cut[other][one]) = (true, true);
    }
    let voters = [0, 1, 2].map(|at| world.hosts[at].config.member.clone());
    world.name_voters(voters.to_vec());
    world.run(world.now + 10 * lease.0);
    world
}

/// MA-045: a majority is one of the seats, or there are two masters.
#[test]
fn ma_045_a_majority_of_the_file_elects_nobody() {
    let world = two_of_five_with_a_file_of_three(&[]);
    assert_eq!(world.broken, None);
    assert!(matches!(world.masters()[..], [2..=4]), "{:?}", world.masters());
    let wrong = two_of_five_with_a_file_of_three(&["majority-of-the-file"]);
    assert!(wrong.broken.is_some_and(|broken| broken.contains("are masters")));
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
