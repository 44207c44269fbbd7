//! Fuzzes the body of a batch of telemetry.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension::fuzzing::telemetry(data));
