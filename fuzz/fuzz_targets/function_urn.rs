//! Fuzzes the URN of a function.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension::fuzzing::function_urn(data));
