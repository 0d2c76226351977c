//! See `bridgehead::wire::fuzz::link2state`, which the replay of the corpus shares.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bridgehead::wire::fuzz::link2state(input));
