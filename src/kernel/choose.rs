//! Entropy as an input: every choice is asked for by name, and every choice can be replayed.

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The version of [`Seeded`] and of [`Tape`]: a recorded tape is replayed only by the same version.
pub const CHOICE_FORMAT: u32 = 1;

/// A source of choices. `site` names the place that asks, so that a draw added in one place does
/// not reshuffle the others.
pub trait Choose {
    /// A number below `bound`.
    fn below(&mut self, site: &'static str, bound: NonZeroU32) -> u32;
}

/// Draws 64 bits at `site`, as two choices.
pub fn draw_u64(choose: &mut dyn Choose, site: &'static str) -> u64 {
    let high = choose.below(site, NonZeroU32::MAX);
    let low = choose.below(site, NonZeroU32::MAX);
    (u64::from(high) << 32) | u64::from(low)
}

/// Our own generator (SplitMix64, one stream for each site), so that seeds outlive library upgrades.
#[derive(Clone, Debug)]
pub struct Seeded {
    seed: u64,
    streams: alloc::collections::BTreeMap<&'static str, u64>,
}

impl Seeded {
    /// A generator whose every choice follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, streams: alloc::collections::BTreeMap::new() }
    }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Choose for Seeded {
    fn below(&mut self, site: &'static str, bound: NonZeroU32) -> u32 {
        let seed = self.seed;
        let state = self.streams.entry(site).or_insert_with(|| seed ^ fnv1a(site));
        // The high bits of a product are unbiased enough for tests and never loop.
        let draw = split_mix(state) >> 32;
        let scaled = (draw * u64::from(bound.get())) >> 32;
        assert!(scaled < u64::from(bound.get()), "a draw stays below its bound");
        u32::try_from(scaled).expect("a number below a u32 bound is a u32")
    }
}

/// One recorded choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Choice {
    /// The place that asked.
    pub site: String,
    /// What it was told.
    pub value: u32,
}

/// The choices of one run, in order: what reproduces it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// [`CHOICE_FORMAT`] of the writer.
    pub format: u32,
    /// Every choice, oldest first.
    pub choices: Vec<Choice>,
}

/// Records what another source answers.
pub struct Recorder<C> {
    source: C,
    tape: Tape,
}

impl<C: Choose> Recorder<C> {
    /// Starts an empty tape over `source`.
    pub const fn new(source: C) -> Self {
        Self { source, tape: Tape { format: CHOICE_FORMAT, choices: Vec::new() } }
    }

    /// The tape so far.
    pub const fn tape(&self) -> &Tape {
        &self.tape
    }
}

impl<C: Choose> Choose for Recorder<C> {
    fn below(&mut self, site: &'static str, bound: NonZeroU32) -> u32 {
        let value = self.source.below(site, bound);
        self.tape.choices.push(Choice { site: String::from(site), value });
        value
    }
}

/// Replays a tape. Past its end, or where an edited run asks at another site, it answers zero, the
/// simplest choice: that is what lets a tape shrink.
pub struct Player {
    tape: Tape,
    position: usize,
}

impl Player {
    /// Replays `tape` from its start.
    #[must_use]
    pub const fn new(tape: Tape) -> Self {
        Self { tape, position: 0 }
    }
}

impl Choose for Player {
    fn below(&mut self, site: &'static str, bound: NonZeroU32) -> u32 {
        let Some(choice) = self.tape.choices.get(self.position) else { return 0 };
        if choice.site != site {
            return 0;
        }
        self.position += 1;
        choice.value.min(bound.get() - 1)
    }
}
