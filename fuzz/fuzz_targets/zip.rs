//! Fuzzes the ZIP of a dependency.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_conformance::fuzzing::zip(data));
