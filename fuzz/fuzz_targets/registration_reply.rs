//! Fuzzes the platform's response to a registration.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fg_extension::fuzzing::registration_reply(data));
