//! `[link_state]`: how patient the organization is with its connectors, and what it publishes of them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::clause;
use crate::kernel::Span;
use crate::wire::record::{DEFAULT_LIFETIME_S, LIFETIME_RANGE_S};

/// In one lifetime a record is published so often, unless something else is said.
pub const REFRESHES_PER_LIFETIME: u32 = 3;
/// The shortest `refresh_s`.
pub const REFRESH_LEAST_S: u32 = 20;
/// From one probe of a broken connector to the next, in seconds. Not configurable (seed).
pub const PROBE_INTERVAL_S: u32 = 60;
/// What one decision of DOWN costs (RFC 2439, RFC 7196).
pub const FLAP_PENALTY: u32 = 1_000;
/// In so many equal steps a penalty decays to its half.
pub const DECAY_STEPS: u32 = 15;
/// The greatest `max_penalty`.
pub const PENALTY_LIMIT: u32 = 1_000_000;

/// What is left of 65,536 after one of the [`DECAY_STEPS`]: 65,536 × 2^(-1/15), to the nearest whole.
const DECAY_FACTOR: u64 = 62_577;
/// The half of it is gone in this time, in seconds. A step is at least 4 s long.
const HALF_LIFE_RANGE: RangeInclusive<u32> = 60..=86_400;
/// The longest suppression, in seconds.
const MAX_SUPPRESS_RANGE: RangeInclusive<u32> = 60..=86_400;
/// From one glitch retry to the next, in seconds.
const GLITCH_RETRY_RANGE: RangeInclusive<u32> = 1..=3_600;
/// Glitch retries before DOWN is decided.
const GLITCH_RETRIES_RANGE: RangeInclusive<u32> = 1..=10;

/// `[link_state]`. What is left out has its default, and all defaults together are the seed's rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkStateSettings {
    /// What is published of a connector that is the only way.
    pub policy: LinkStatePolicy,
    /// How a connector is damped that fails and heals all the time.
    pub damping: DampingRule,
    /// A penalty that reaches this suppresses.
    pub suppress_penalty: u32,
    /// A penalty that has decayed below this suppresses no more.
    pub reuse_penalty: u32,
    /// In this time the half of a penalty is forgotten.
    pub half_life_s: u32,
    /// No connector is suppressed longer than this after its last decision of DOWN.
    pub max_suppress_s: u32,
    /// No penalty grows above this.
    pub max_penalty: u32,
    /// From the start of one attempt to the next while a connector fails.
    pub glitch_retry_s: u32,
    /// So many retries fail before DOWN is decided.
    pub glitch_retries: u8,
    /// A record is shown as stale when it was learnt longer ago than this.
    pub lifetime_s: u32,
    /// A master publishes its record again when it has said nothing for this time; without it, a third of
    /// the lifetime.
    pub refresh_s: Option<u32>,
    /// Mail is spread over first connectors that are equally good, names apart.
    pub spread: bool,
}

/// What is published of a broken connector.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum LinkStatePolicy {
    /// One that is the only way, or that oscillates, stays UP: mail waits in front of it.
    #[default]
    Persist,
    /// Each one is DOWN, as it is: mail waits at its source.
    Truth,
}

/// How a connector is damped that fails and heals all the time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum DampingRule {
    /// Three decisions of DOWN within an hour make it oscillate.
    #[default]
    Oscillation,
    /// A penalty for each decision of DOWN, which decays.
    Rfc7196,
    /// The penalty is counted and shown, and changes nothing.
    CalculateOnly,
    /// Not at all.
    Off,
}

impl Default for LinkStateSettings {
    fn default() -> Self {
        Self {
            policy: LinkStatePolicy::Persist,
            damping: DampingRule::Oscillation,
            suppress_penalty: 2_500,
            reuse_penalty: 750,
            half_life_s: 900,
            max_suppress_s: 3_600,
            max_penalty: 50_000,
            glitch_retry_s: 60,
            glitch_retries: 3,
            lifetime_s: DEFAULT_LIFETIME_S,
            refresh_s: None,
            spread: false,
        }
    }
}

impl DampingRule {
    /// Whether a penalty is counted.
    #[must_use]
    pub const fn counts_penalty(self) -> bool {
        matches!(self, Self::Rfc7196 | Self::CalculateOnly)
    }
}

impl LinkStateSettings {
    /// Whether nothing was configured.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// After how long a record is published again.
    #[must_use]
    pub fn refresh(&self) -> Span {
        Span::seconds(u64::from(self.refresh_in_s()))
    }

    fn refresh_in_s(&self) -> u32 {
        self.refresh_s.unwrap_or(self.lifetime_s / REFRESHES_PER_LIFETIME)
    }

    /// A penalty after one more decision of DOWN.
    #[must_use]
    pub fn raised(&self, penalty: u32) -> u32 {
        penalty.saturating_add(FLAP_PENALTY).min(self.max_penalty)
    }

    /// A penalty one of the [`DECAY_STEPS`] later; it is forgotten below the half of what it is reused at.
    #[must_use]
    pub fn decayed(&self, penalty: u32) -> u32 {
        let left = u32::try_from((u64::from(penalty) * DECAY_FACTOR) >> 16);
        let left = left.expect("a part of a number is not greater than the number");
        if left < self.reuse_penalty / 2 { 0 } else { left }
    }

    /// The greatest penalty that a connector can come to which fails again as soon as it can: it has to be
    /// found working by a probe, and then to fail all glitch retries.
    #[must_use]
    pub fn reachable_penalty(&self) -> u32 {
        let steps = u64::from(self.decisions_apart_s()) * u64::from(DECAY_STEPS)
            / u64::from(self.half_life_s.max(1));
        let mut reached = 0;
        // Each round adds something until one adds nothing: at most one for each thousand of the limit,
        // and then fewer and fewer points.
        loop {
            let kept = (0..steps.min(1_000)).fold(reached, |penalty, _| self.decayed(penalty));
            let next = self.raised(kept);
            if next <= reached {
                return reached;
            }
            reached = next;
        }
    }

    fn decisions_apart_s(&self) -> u32 {
        self.glitch_retry_s
            .saturating_mul(self.glitch_retries.into())
            .saturating_add(PROBE_INTERVAL_S)
    }

    /// What a number may be, whatever the others are; of a field that has none, nothing.
    #[must_use]
    pub fn range_of(field: &str) -> Option<RangeInclusive<u32>> {
        Some(match field {
            "lifetime_s" => LIFETIME_RANGE_S,
            "refresh_s" => REFRESH_LEAST_S..=*LIFETIME_RANGE_S.end() / 2,
            "half_life_s" => HALF_LIFE_RANGE,
            "max_suppress_s" => MAX_SUPPRESS_RANGE,
            "max_penalty" => FLAP_PENALTY..=PENALTY_LIMIT,
            "suppress_penalty" => FLAP_PENALTY..=PENALTY_LIMIT,
            "reuse_penalty" => 2..=PENALTY_LIMIT - 1,
            "glitch_retry_s" => GLITCH_RETRY_RANGE,
            "glitch_retries" => GLITCH_RETRIES_RANGE,
            _ => return None,
        })
    }

    /// Everything that is wrong: the field, and what was expected.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        clause!(LS_155);
        let alone = [
            ("lifetime_s", self.lifetime_s),
            ("half_life_s", self.half_life_s),
            ("max_suppress_s", self.max_suppress_s),
            ("max_penalty", self.max_penalty),
            ("glitch_retry_s", self.glitch_retry_s),
            ("glitch_retries", u32::from(self.glitch_retries)),
        ];
        let outside = |(field, value): (&'static str, u32), range: RangeInclusive<u32>| {
            let (least, most) = (range.start(), range.end());
            let problem = || format!("is {value}, expected {least} to {most}");
            (!range.contains(&value)).then(|| (field, problem()))
        };
        let range = |field| Self::range_of(field).expect("it is a number");
        let alone = alone.into_iter().filter_map(|one| outside(one, range(one.0)));
        let mut problems: Vec<_> = alone.collect();
        // A range that follows from another number means something only where that number does.
        let is_right =
            |problems: &[(&str, String)], field| !problems.iter().any(|(wrong, _)| *wrong == field);
        if is_right(&problems, "lifetime_s")
            && let Some(refresh) = self.refresh_s
        {
            let most = self.lifetime_s / 2;
            problems.extend(outside(("refresh_s", refresh), REFRESH_LEAST_S..=most));
        }
        if is_right(&problems, "max_penalty") {
            problems.extend(self.suppress_problem());
        }
        if is_right(&problems, "max_penalty") && is_right(&problems, "suppress_penalty") {
            let most = self.suppress_penalty - 1;
            problems.extend(outside(("reuse_penalty", self.reuse_penalty), 2..=most));
        }
        if problems.is_empty() && self.damping == DampingRule::Rfc7196 {
            problems.extend(self.unreachable_problem());
        }
        problems
    }

    /// The limits of `suppress_penalty`; where that is the default, `max_penalty` is what somebody wrote.
    fn suppress_problem(&self) -> Option<(&'static str, String)> {
        let Self { suppress_penalty: suppress, max_penalty: most, .. } = self;
        if (FLAP_PENALTY..=*most).contains(suppress) {
            return None;
        }
        Some(if *suppress == Self::default().suppress_penalty {
            let why = format!("for `suppress_penalty` is {suppress}");
            ("max_penalty", format!("is {most}, expected {suppress} to {PENALTY_LIMIT}, {why}"))
        } else {
            ("suppress_penalty", format!("is {suppress}, expected {FLAP_PENALTY} to {most}"))
        })
    }

    /// No connector can be damped; the first number that is not the default is what somebody wrote.
    fn unreachable_problem(&self) -> Option<(&'static str, String)> {
        clause!(LS_113);
        let (reachable, suppress) = (self.reachable_penalty(), self.suppress_penalty);
        if reachable >= suppress {
            return None;
        }
        let usual = Self::default();
        let apart = self.decisions_apart_s();
        let why = format!("with {apart} s from one DOWN to the next none exceeds {reachable}");
        let numbers = [
            ("half_life_s", self.half_life_s, usual.half_life_s),
            ("glitch_retry_s", self.glitch_retry_s, usual.glitch_retry_s),
            ("glitch_retries", self.glitch_retries.into(), usual.glitch_retries.into()),
            ("max_penalty", self.max_penalty, usual.max_penalty),
            ("reuse_penalty", self.reuse_penalty, usual.reuse_penalty),
        ];
        let written = numbers.into_iter().find(|(_, value, usual)| value != usual);
        Some(match written.filter(|_| suppress == usual.suppress_penalty) {
            Some((field, value, _)) => {
                let threshold = format!("and `suppress_penalty` is {suppress}");
                (field, format!("is {value}: {why}, {threshold}"))
            }
            None => ("suppress_penalty", format!("is {suppress}, and {why}")),
        })
    }
}
