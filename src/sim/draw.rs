//! Draws by name, and how long things take.

use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::ops::RangeInclusive;

use crate::kernel::{Choose, Span};

/// A source of choices with the draws that the simulator needs.
pub struct Dice<'a>(pub &'a mut dyn Choose);

impl Dice<'_> {
    /// A number below `bound`; zero without a draw when nothing can be drawn.
    pub fn below(&mut self, site: &'static str, bound: u32) -> u32 {
        match NonZeroU32::new(bound) {
            Some(bound) if bound.get() > 1 => self.0.below(site, bound),
            _ => 0,
        }
    }

    /// True once in `one_in`; never when that is zero.
    pub fn strikes(&mut self, site: &'static str, one_in: u32) -> bool {
        // Zero is what a shortened tape answers, so zero must be the quiet choice.
        one_in != 0 && self.below(site, one_in) + 1 == one_in
    }

    /// A span of the range, in microseconds.
    pub fn span(&mut self, site: &'static str, range: &RangeInclusive<Span>) -> Span {
        let width = range.end().0.saturating_sub(range.start().0);
        let bound = u32::try_from(width.saturating_add(1)).unwrap_or(u32::MAX);
        Span(range.start().0 + u64::from(self.below(site, bound)))
    }

    /// An element of `choices`.
    pub fn pick<'c, T>(&mut self, site: &'static str, choices: &'c [T]) -> Option<&'c T> {
        let bound = u32::try_from(choices.len()).expect("choices are few");
        choices.get(self.below(site, bound) as usize)
    }

    /// Where to split `length` octets, at most `pieces` pieces of at least one octet.
    pub fn splits(&mut self, site: &'static str, length: usize, pieces: u32) -> Vec<usize> {
        let mut cuts = Vec::new();
        for _ in 0..self.below(site, pieces) {
            let bound = u32::try_from(length).unwrap_or(u32::MAX);
            cuts.push(self.below(site, bound) as usize);
        }
        cuts.retain(|cut| *cut > 0);
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }
}

/// How long things take in one run. A range of one value is not drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delays {
    /// One way through the network.
    pub network: RangeInclusive<Span>,
    /// A write, from its order to its being on disk.
    pub disk: RangeInclusive<Span>,
    /// A file operation of the body store or of a Maildir.
    pub files: RangeInclusive<Span>,
    /// The most pieces into which one write to a connection is split; 1 is never.
    pub pieces: u32,
}

impl Delays {
    /// The same for everything, nothing drawn: for scenarios.
    #[must_use]
    pub const fn fixed(network: Span, disk: Span) -> Self {
        Self { network: network..=network, disk: disk..=disk, files: disk..=disk, pieces: 1 }
    }
}
