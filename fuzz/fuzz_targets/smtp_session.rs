//! See `bridgehead::wire::fuzz::smtp_session`, which the replay of the corpus shares.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bridgehead::wire::fuzz::smtp_session(input));
