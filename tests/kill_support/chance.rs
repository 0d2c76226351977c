//! What is drawn for a run, and what its environment says of it.

use core::fmt::Debug;
use core::num::NonZeroU32;
use core::str::FromStr;
use core::time::Duration;

use bridgehead::kernel::{Choose as _, Seeded};

pub(crate) fn from_environment<N: FromStr<Err: Debug>>(name: &str, default: N) -> N {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

pub(crate) fn below(chance: &mut Seeded, bound: u32) -> u32 {
    chance.below("kill", NonZeroU32::new(bound).expect("a bound is above zero"))
}

pub(crate) fn milliseconds(chance: &mut Seeded, from: u32, to: u32) -> Duration {
    Duration::from_millis(u64::from(from + below(chance, to - from)))
}
