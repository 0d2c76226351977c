//! Swarm: each run draws which kinds of faults are on, and how often each strikes. A run with few kinds
//! goes deeper into what they do together than a run with all of them.

use core::ops::RangeInclusive;

use super::draw::{Delays, Dice};
use super::network::{Cut, HostIndex};
use super::world::{Happening, World};
use crate::kernel::Span;

/// The faults of one run. A rate of zero is a fault that is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    /// One in so many steps of a member is its last.
    pub crashes_one_in: u32,
    /// Whether a crash may leave a part of a file that was being written.
    pub torn_writes: bool,
    /// How long a crashed member stays down.
    pub down: RangeInclusive<Span>,
    /// One in so many crashes takes the disk along: it is lost, or set back to an earlier time.
    pub setbacks_one_in: u32,
    /// One in so many writes to a connection breaks it.
    pub resets_one_in: u32,
    /// One in so many writes to a connection makes it stand still.
    pub stalls_one_in: u32,
    /// For how long.
    pub stall: RangeInclusive<Span>,
    /// One in so many file operations finds the disk full.
    pub full_one_in: u32,
    /// One in so many reads of a body finds an octet changed, for good.
    pub rot_one_in: u32,
    /// Between one cut and the next; `None` is no cuts.
    pub cuts_every: Option<RangeInclusive<Span>>,
    /// How long a cut lasts.
    pub cut_lasts: RangeInclusive<Span>,
    /// Whether some cuts are silent; otherwise all refuse.
    pub silent_cuts: bool,
    /// Whether a cut may hit one direction only.
    pub one_way_cuts: bool,
    /// Whether cuts hit connectors only, and never the members of one group.
    pub cuts_connectors_only: bool,
    /// Between one account that moves and the next; `None` is none.
    pub moves_every: Option<RangeInclusive<Span>>,
    /// Between one order of an operator and the next; `None` is none.
    pub orders_every: Option<RangeInclusive<Span>>,
    /// Operators may also say that a member will not come back, although it will.
    pub forgets: bool,
    /// Between one account that is suspended, or taken back, and the next; `None` is none.
    pub suspends_every: Option<RangeInclusive<Span>>,
    /// By how many parts per million a member's clock may be too fast or too slow.
    pub drift_ppm: u32,
    /// By how much a member's clock may be ahead.
    pub ahead: Span,
}

impl Swarm {
    /// No fault at all.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            crashes_one_in: 0,
            setbacks_one_in: 0,
            torn_writes: false,
            down: Span::seconds(1)..=Span::seconds(1),
            resets_one_in: 0,
            stalls_one_in: 0,
            stall: Span::ZERO..=Span::ZERO,
            full_one_in: 0,
            rot_one_in: 0,
            cuts_every: None,
            cut_lasts: Span::minutes(1)..=Span::minutes(1),
            silent_cuts: false,
            one_way_cuts: false,
            cuts_connectors_only: false,
            moves_every: None,
            orders_every: None,
            forgets: false,
            suspends_every: None,
            drift_ppm: 0,
            ahead: Span::ZERO,
        }
    }

    /// Draws the faults of a run.
    pub fn draw(dice: &mut Dice<'_>) -> Self {
        let mut rate = |site, rates: &[u32]| dice.pick(site, rates).copied().unwrap_or(0);
        let crashes_one_in = rate("swarm.crashes", &[0, 2000, 500, 100]);
        let resets_one_in = rate("swarm.resets", &[0, 500, 100, 30]);
        let stalls_one_in = rate("swarm.stalls", &[0, 500, 100]);
        let full_one_in = rate("swarm.full", &[0, 0, 50, 10]);
        let rot_one_in = rate("swarm.rot", &[0, 0, 500, 50]);
        let down_seconds = rate("swarm.down", &[1, 30, 300]);
        let stall_seconds = rate("swarm.stall", &[1, 60, 900]);
        let cuts = rate("swarm.cuts", &[0, 10, 3, 1]);
        let lasts_minutes = rate("swarm.cut_lasts", &[1, 5, 10]);
        let silent = rate("swarm.silent", &[0, 1]);
        let one_way = rate("swarm.one_way", &[0, 1]);
        let torn = rate("swarm.torn", &[0, 1]);
        let drift_ppm = rate("swarm.drift", &[0, 500, 50_000]);
        let ahead_seconds = rate("swarm.ahead", &[0, 1, 600]);
        let setbacks_one_in = rate("swarm.setbacks", &[0, 0, 0, 6]);
        let moves = rate("swarm.moves", &[0, 10, 2]);
        let orders = rate("swarm.orders", &[0, 0, 5, 1]);
        let forgets = rate("swarm.forgets", &[0, 0, 0, 1]);
        // Of an account whose journal went with a disk nobody can say what was delivered.
        let moves = if setbacks_one_in == 0 { moves } else { 0 };
        Self {
            crashes_one_in,
            setbacks_one_in,
            torn_writes: torn == 1,
            down: Span::milliseconds(100)..=Span::seconds(u64::from(down_seconds)),
            resets_one_in,
            stalls_one_in,
            stall: Span::milliseconds(10)..=Span::seconds(u64::from(stall_seconds)),
            full_one_in,
            rot_one_in,
            cuts_every: (cuts != 0).then(|| Span::seconds(5)..=Span::minutes(2 * u64::from(cuts))),
            cut_lasts: Span::seconds(5)..=Span::minutes(u64::from(lasts_minutes)),
            silent_cuts: silent == 1,
            one_way_cuts: one_way == 1,
            cuts_connectors_only: false,
            moves_every: (moves != 0).then(|| Span::ZERO..=Span::minutes(u64::from(moves))),
            orders_every: (orders != 0).then(|| Span::ZERO..=Span::minutes(u64::from(orders))),
            forgets: forgets == 1,
            suspends_every: None,
            drift_ppm,
            ahead: Span::seconds(u64::from(ahead_seconds)),
        }
    }
}

/// The times after which mail is late and over in a run, and how long its phase with faults lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When the sender is told that a message is late, in hours.
    pub delay_notice_hours: u32,
    /// When a message is returned, in hours.
    pub expiry_hours: u32,
    /// The least length of the phase with faults.
    pub least: Span,
}

impl Terms {
    /// Draws the terms of a run, mostly those of its policy. Where mail is over within the run, cuts and
    /// crashes last long enough for that.
    pub fn draw(dice: &mut Dice<'_>, swarm: &mut Swarm) -> Option<Self> {
        let hours = dice.pick("terms.expiry", &[0, 0, 0, 0, 0, 0, 1, 2]).copied().unwrap_or(0);
        if hours == 0 {
            return None;
        }
        // The time of a message runs in whole hours, so one that is told of after one is over after two.
        let delay_notice_hours = if hours == 1 { 12 } else { 1 };
        swarm.down = *swarm.down.start()..=Span::minutes(80);
        swarm.cut_lasts = *swarm.cut_lasts.start()..=Span::minutes(100);
        let least = Span::minutes(60 * u64::from(hours) + 30);
        Some(Self { delay_notice_hours, expiry_hours: hours, least })
    }
}

/// Draws how long things take in a run.
pub fn draw_delays(dice: &mut Dice<'_>) -> Delays {
    let network = *dice.pick("swarm.network", &[1, 20, 300]).unwrap_or(&1);
    let disk = *dice.pick("swarm.disk", &[1, 20, 1500]).unwrap_or(&1);
    let files = *dice.pick("swarm.files", &[1, 20, 1500]).unwrap_or(&1);
    let pieces = *dice.pick("swarm.pieces", &[1, 2, 5]).unwrap_or(&1);
    let from = |least, most_milliseconds| least..=Span::milliseconds(most_milliseconds);
    Delays {
        network: from(Span(100), network),
        disk: from(Span(50), disk),
        files: from(Span(50), files),
        pieces,
    }
}

impl World<'_> {
    /// The swarm cuts a directed pair of hosts, and goes on.
    pub(super) fn cut_next(&mut self) {
        let Some(every) = self.swarm.cuts_every.clone() else { return };
        let pairs = self.pairs();
        let lasts = self.swarm.cut_lasts.clone();
        let (may_be_silent, may_be_one_way) = (self.swarm.silent_cuts, self.swarm.one_way_cuts);
        let mut dice = self.dice();
        let Some((from, to)) = dice.pick("fault.cut.pair", &pairs).copied() else { return };
        let is_silent = may_be_silent && dice.below("fault.cut.silent", 2) == 1;
        let is_one_way = may_be_one_way && dice.below("fault.cut.one_way", 2) == 1;
        let healed = dice.span("fault.cut.span", &lasts);
        let next = dice.span("fault.cut.next", &every);
        let cut = if is_silent { Cut::Silence } else { Cut::Refuse };
        self.cut(from, to, cut);
        self.schedule(healed, Happening::Heal(from, to));
        if !is_one_way {
            self.cut(to, from, cut);
            self.schedule(healed, Happening::Heal(to, from));
        }
        self.schedule(next, Happening::CutNext);
    }

    /// The directed pairs of hosts that talk: over a connector, or inside a group.
    fn pairs(&self) -> alloc::vec::Vec<(HostIndex, HostIndex)> {
        let Some(first) = self.hosts.first() else { return alloc::vec::Vec::new() };
        let organization = &first.config.organization;
        let mut pairs = alloc::vec::Vec::new();
        for connector in &organization.connectors {
            for source in &connector.sources {
                pairs.extend(connector.targets.iter().map(|t| (self.names[source], self.names[t])));
            }
        }
        let groups = if self.swarm.cuts_connectors_only { &[][..] } else { &organization.groups };
        for group in groups {
            for from in &group.members {
                let others = group.members.iter().filter(|to| *to != from);
                pairs.extend(others.map(|to| (self.names[from], self.names[to])));
            }
        }
        pairs
    }

    /// The end of all faults: everything is healed, and every member runs.
    pub fn heal_everything(&mut self) {
        self.swarm = Swarm::calm();
        self.house.heal();
        self.hosts.iter_mut().for_each(|host| host.is_full = false);
        for (from, to) in self.network.cuts() {
            self.heal(from, to);
        }
        self.lift_limits();
        self.mend_bodies();
        for host in 0..self.hosts.len() {
            self.boot(host);
            self.end_orders(host);
        }
    }
}
