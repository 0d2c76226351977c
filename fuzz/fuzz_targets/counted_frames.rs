//! See `bridgehead::wire::fuzz::counted_frames`, which the replay of the corpus shares.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bridgehead::wire::fuzz::counted_frames(input));
