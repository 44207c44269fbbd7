//! Fuzzes the body of an invocation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension::fuzzing::invocation(data));
